package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"rlam/activities/executor"
	"rlam/internal/record"
	"rlam/schemas"
	"rlam/test/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// The numerics need no R-LAM, and neither does their test.
func TestFitLine(t *testing.T) {
	x := []float64{10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5}
	y := []float64{8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68}
	got, err := fitLine(x, y)
	if err != nil {
		t.Fatal(err)
	}
	// Anscombe's own values, as he rounded them.
	for _, c := range []struct {
		what            string
		got, want, unit float64
	}{
		{"slope", got.Slope, 0.500, 0.001},
		{"intercept", got.Intercept, 3.0, 0.1},
		{"standard deviation of the slope", got.SlopeSD, 0.118, 0.001},
	} {
		if math.Abs(c.got-c.want) > c.unit/2 {
			t.Errorf("%s: %g, want %g", c.what, c.got, c.want)
		}
	}
}

func TestFailures(t *testing.T) {
	for typ, x := range map[string][]float64{"lab.TooFewPoints": {1, 2}, "lab.NoSpread": {4, 4, 4}} {
		_, err := fitLine(x, x)
		var f *executor.Failure
		if !errors.As(err, &f) || f.Type != typ {
			t.Errorf("fitting a line to x = %v: %v, want the failure %s", x, err, typ)
		}
	}
}

// newEnvironment is the SDK's test environment with the action in it, carried out the
// way a worker does: parameters decoded strictly, artifacts read from a store, here one
// in memory.
func newEnvironment(t *testing.T, blobs *executor.Memory) *testsuite.TestActivityEnvironment {
	t.Helper()
	set, err := executor.New(executor.Config{Blobs: blobs, Builtins: []executor.Builtin{lineFit}})
	if err != nil {
		t.Fatal(err)
	}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(func(ctx context.Context, params json.RawMessage) (json.RawMessage, error) {
		result, err := executor.Run(ctx, set, executor.Task{
			Call: "1.1", Attempt: 1, Binding: schemas.Binding{Builtin: lineFit.Name}, Params: params, Dir: t.TempDir(),
		})
		return result.Output, err
	}, activity.RegisterOptions{Name: lineFit.Name})
	return env
}

func TestAction(t *testing.T) {
	data, err := os.Open("anscombe.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	var blobs executor.Memory
	handle, _, err := blobs.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	env := newEnvironment(t, &blobs)
	value, err := env.ExecuteActivity(lineFit.Name, map[string]any{"data": handle.String(), "x": "x", "y": "y"})
	if err != nil {
		t.Fatal(err)
	}
	var got line
	if err := value.Get(&got); err != nil {
		t.Fatal(err)
	}
	if got.Points != 11 || math.Abs(got.Slope-0.5) > 0.0005 {
		t.Errorf("fitting the file: %+v", got)
	}

	_, err = env.ExecuteActivity(lineFit.Name, map[string]any{"data": handle.String(), "x": "x", "y": "z"})
	if err == nil || !strings.Contains(err.Error(), "lab.BadTable") {
		t.Errorf("a column that isn't there: %v, want lab.BadTable", err)
	}
}

// TestStudy runs the whole study on a real server, with a worker that has the action.
func TestStudy(t *testing.T) {
	l := lab.New(t, lineFit)
	result, _ := l.Study("study.yaml", nil)
	if result.Status != record.Completed {
		t.Fatalf("the study ended as %s: %s", result.Status, result.Reason.Preview)
	}
	var got struct{ Slope, Intercept float64 }
	if err := record.OpenContent(t.Context(), l.Host.Store, result.Result.Digest, &got); err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.Slope-0.5) > 0.0005 || math.Abs(got.Intercept-3) > 0.05 {
		t.Errorf("the result is %+v", got)
	}
}
