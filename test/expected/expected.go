// Package expected runs an example and holds what came of it against the example's
// expected.json:
//
//	{
//	  "result": {
//	    "/energy":  {"value": -15.8445, "absolute": 1e-4, "source": "where the value was published"},
//	    "/model":   {"value": "TIM2+F+I+G4"},
//	    "/chosen":  {"from": 17.5, "to": 18.5}
//	  },
//	  "story": {
//	    "script": ["1.1 qe.nickel failed qe.NotConverged", "2.1 qe.nickel completed", "3 finish", "completed"],
//	    "plan":   ["1.1 qe.nickel completed", "2 finish", "completed"]
//	  }
//	}
//
// The members of "result" are JSON pointers into the run's result. A "value" that is a
// number is met within absolute + relative × |value|; any other one is met by the same
// JSON. "from" and "to" are bounds, both included. "source" is for people.
//
// "story" is what happened, a line each as [Story] tells it, by the planner that the run
// had: the study's scripted model, or plan.yaml. Each planner that is named is run.
package expected

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"rlam/internal/record"
	"rlam/schemas"
	"rlam/test/lab"
)

// Value is what one place of a result should hold.
type Value struct {
	Value    json.RawMessage `json:"value,omitempty"`
	Relative float64         `json:"relative,omitempty"`
	Absolute float64         `json:"absolute,omitempty"`
	From     *float64        `json:"from,omitempty"`
	To       *float64        `json:"to,omitempty"`
	Source   string          `json:"source,omitempty"`
}

// File is an expected.json.
type File struct {
	Result map[string]Value    `json:"result"` // by JSON pointer
	Story  map[string][]string `json:"story"`  // by planner, "script" or "plan"
}

// planners are changes of a study, by the planner that they give it.
var planners = map[string]map[string]string{
	"script": nil,
	"plan":   {"/planner": `{"plan": "plan.yaml"}`},
}

// Example runs the study of an example's folder on a real server, once with each planner
// that its expected.json tells a story of, and replays each history. Several runs share a
// machine, so none is timed.
func Example(t *testing.T, folder string) {
	t.Helper()
	file := read(t, filepath.Join(folder, "expected.json"))
	for name, story := range file.Story {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, known := planners[name]
			if !known {
				t.Fatalf("expected.json tells a story of %q, and the planners are %q", name, slices.Sorted(maps.Keys(planners)))
			}
			l := lab.New(t)
			result, history := l.Study(filepath.Join(folder, "study.yaml"), set)
			links, err := record.Chain(t.Context(), l.Host.Store, lab.RunOf(t, history), result.Head)
			if err != nil {
				t.Fatal(err)
			}
			if told := Story(links); !slices.Equal(told, story) {
				t.Errorf("the story is\n%s\nand should be\n%s", lines(told), lines(story))
			}
			if result.Status != record.Completed {
				t.Fatalf("it ended as %s: %s", result.Status, result.Reason.Preview)
			}
			var got json.RawMessage
			if err := record.OpenContent(t.Context(), l.Host.Store, result.Result.Digest, &got); err != nil {
				t.Fatal(err)
			}
			for _, difference := range file.Differences(got) {
				t.Error(difference)
			}
			lab.Replay(t, history)
		})
	}
}

func read(t *testing.T, path string) File {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file File
	if err := jsonv2.Unmarshal(raw, &file, jsonv2.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("reading %q: %v", path, err)
	}
	if len(file.Result) == 0 || len(file.Story) == 0 {
		t.Fatalf("%q expects nothing", path)
	}
	return file
}

// Differences are the places of a result that hold something else, ordered by pointer.
func (f File) Differences(result json.RawMessage) []error {
	var all []error
	for _, pointer := range slices.Sorted(maps.Keys(f.Result)) {
		got, err := schemas.At(result, pointer)
		if err == nil {
			err = f.Result[pointer].differs(got)
		}
		if err != nil {
			all = append(all, fmt.Errorf("%s of the result: %w", pointer, err))
		}
	}
	return all
}

// differs says how far got is from what should be there; nil if it isn't.
func (v Value) differs(got json.RawMessage) error {
	number, isNumber := asNumber(got)
	switch want, wantsNumber := asNumber(v.Value); {
	case v.Value == nil && v.From == nil && v.To == nil:
		return fmt.Errorf("neither value nor from nor to says what should be there")
	case v.Value == nil && !isNumber:
		return fmt.Errorf("%s is no number", got)
	case v.From != nil && number < *v.From:
		return fmt.Errorf("%v is below %v", number, *v.From)
	case v.To != nil && number > *v.To:
		return fmt.Errorf("%v is above %v", number, *v.To)
	case v.Value == nil:
		return nil
	case wantsNumber && isNumber:
		if bound := v.Absolute + v.Relative*math.Abs(want); !(math.Abs(number-want) <= bound) {
			return fmt.Errorf("%v is %.3g from %v, and %.3g is allowed", number, math.Abs(number-want), want, bound)
		}
		return nil
	}
	var a, b any
	if json.Unmarshal(got, &a) != nil || json.Unmarshal(v.Value, &b) != nil || !reflect.DeepEqual(a, b) {
		return fmt.Errorf("it is %s and should be %s", got, v.Value)
	}
	return nil
}

func asNumber(raw json.RawMessage) (float64, bool) {
	var n *float64
	err := json.Unmarshal(raw, &n)
	if err != nil || n == nil {
		return 0, false
	}
	return *n, true
}

func lines(all []string) string {
	var b bytes.Buffer
	for _, line := range all {
		fmt.Fprintf(&b, "\t%s\n", line)
	}
	return b.String()
}
