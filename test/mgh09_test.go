package test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"

	"rlam/internal/record"
	"rlam/internal/scripted"
	"rlam/test/expected"
	"rlam/test/lab"
	"rlam/worker/host"
)

// certified are NIST's values of MGH09: of each parameter, estimate and standard deviation.
var certified = map[string][2]float64{
	"b1": {0.19280693458, 1.1435312227e-02},
	"b2": {0.19128232873, 1.9633220911e-01},
	"b3": {0.12305650693, 8.0842031232e-02},
	"b4": {0.13606233068, 9.0025542308e-02},
}

const certifiedRSS = 3.0750560385e-04

// TestMGH09 is the newcomer's run, with each planner that needs no model of her own.
func TestMGH09(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]map[string]string{
		"tools":           nil,
		"response_format": {"/planner/calls": `"response_format"`},
		"plan":            {"/planner": `{"plan": "plan.yaml"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			result, h := l.Study("../examples/mgh09/study.yaml", set)
			if result.Status != record.Completed {
				t.Fatalf("%s: %s", result.Status, result.Reason.Preview)
			}
			var got struct {
				Parameters map[string]struct {
					Estimate          float64 `json:"estimate"`
					StandardDeviation float64 `json:"standard_deviation"`
				} `json:"parameters"`
				RSS float64 `json:"residual_sum_of_squares"`
			}
			if err := record.OpenContent(t.Context(), l.Host.Store, result.Result.Digest, &got); err != nil {
				t.Fatal(err)
			}
			near(t, "residual sum of squares", got.RSS, certifiedRSS)
			for b, want := range certified {
				near(t, b, got.Parameters[b].Estimate, want[0])
				near(t, b+"'s standard deviation", got.Parameters[b].StandardDeviation, want[1])
			}
			lab.Replay(t, h)

			links, err := record.Chain(t.Context(), l.Host.Store, lab.RunOf(t, h), result.Head)
			if err != nil {
				t.Fatal(err)
			}
			story := strings.Join(expected.Story(links), "\n") + "\n"
			asked := 0
			if name == "plan" {
				if strings.Contains(story, "failed") {
					t.Errorf("a plan met a failure:\n%s", story)
				}
			} else {
				if want := "1.1 table.describe completed\n2.1 fit.nonlinear failed rlam.NotConverged\n3.1 fit.nonlinear refused by schema\n4.1 fit.nonlinear completed\n" +
					"5.1 fit.nonlinear completed\n5.2 fit.compare completed\n5.3 fit.plot completed\n6 finish\ncompleted\n"; story != want {
					t.Errorf("the story is\n%swant\n%s", story, want)
				}
				asked = 6
			}
			if entries, err := scripted.ReadLog(l.Log); len(entries) != asked && name != "plan" {
				t.Errorf("the model was asked %d times, %v", len(entries), err)
			}
			for _, e := range h.Events { // nothing that was refused is scheduled
				if e.EventType == enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED && strings.HasPrefix(e.GetActivityTaskScheduledEventAttributes().ActivityId, "3.1") && name != "plan" {
					t.Errorf("event %d schedules a refused call", e.EventId)
				}
			}
		})
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*math.Abs(want) {
		t.Errorf("%s is %v, certified is %v", what, got, want)
	}
}

// TestContentStaysOutOfTheHistory looks for a number of the result, and for the
// planner's words, in the events: only previews may hold them.
func TestContentStaysOutOfTheHistory(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	_, h := l.Study("../examples/mgh09/study.yaml", nil)
	for _, e := range h.Events {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 20_000 {
			t.Errorf("event %d (%s) has %d bytes", e.EventId, e.EventType, len(b))
		}
	}
}

// TestHistoriesAreArchived finds the history of a run that has closed in its store.
func TestHistoriesAreArchived(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	_, h := l.Study("../examples/mgh09/study.yaml", map[string]string{"/planner": `{"plan": "plan.yaml"}`})
	run := lab.RunOf(t, h)
	lab.Eventually(t, func(ctx context.Context) (bool, error) {
		archived, err := host.Archived(ctx, l.Host.Store, run)
		if err != nil || len(archived) == 0 {
			return false, err
		}
		for id, found := range archived {
			if !proto.Equal(found, h) {
				t.Errorf("the archived history of %s has %d events, the server's %d", id, len(found.Events), len(h.Events))
			}
			lab.Replay(t, found)
		}
		return true, nil
	})
}
