// Command mutants replays recorded histories against altered copies of the workflow
// code, and prints what its replay finds, a JSON line each:
//
//	{"mutant":"NAME","history":"FILE","event":17,"step":1,"call":"1.2","what":"timer 2","field":"duration","recorded":"100ms","replayed":"200ms"}
//
// The copies are not in this folder: test/mutations_test.go makes them, and builds this
// command with them by "go build -overlay".
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"rlam/internal/replay"
	"rlam/workflows"
)

// mutant is the workflow code of a copy.
type mutant struct {
	study, ensemble any
}

// mutants are the copies by name. The code as it is has no name.
var mutants = map[string]mutant{"": {workflows.Study, workflows.Ensemble}}

// finding is a line of the output.
type finding struct {
	Mutant   string `json:"mutant"`
	History  string `json:"history"`
	Error    string `json:"error,omitempty"` // of a replay that was not possible
	Event    int64  `json:"event,omitempty"`
	Step     int    `json:"step,omitempty"`
	Call     string `json:"call,omitempty"`
	What     string `json:"what,omitempty"`
	Field    string `json:"field,omitempty"`
	Recorded string `json:"recorded,omitempty"`
	Replayed string `json:"replayed,omitempty"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(files []string) error {
	out := json.NewEncoder(os.Stdout)
	for name, m := range mutants {
		r := replay.Replayer{Register: func(reg worker.WorkflowRegistry) {
			reg.RegisterWorkflowWithOptions(m.study, workflow.RegisterOptions{Name: workflows.StudyName})
			reg.RegisterWorkflowWithOptions(m.ensemble, workflow.RegisterOptions{Name: workflows.EnsembleName})
		}}
		for _, file := range files {
			f, err := find(r, file)
			if err != nil {
				return err
			}
			f.Mutant, f.History = name, file
			if err := out.Encode(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func find(r replay.Replayer, file string) (finding, error) {
	in, err := os.Open(file)
	if err != nil {
		return finding{}, err
	}
	defer in.Close()
	h, err := client.HistoryFromJSON(in, client.HistoryJSONOptions{})
	if err != nil {
		return finding{}, fmt.Errorf("reading history %q: %w", file, err)
	}
	_, err = r.History(context.Background(), h)
	var d *replay.Divergence
	switch {
	case errors.As(err, &d):
		step, call := d.Place(h)
		return finding{Event: d.Event, Step: step, Call: call, What: d.What, Field: d.Field, Recorded: d.Recorded, Replayed: d.Replayed}, nil
	case err != nil:
		return finding{Error: err.Error()}, nil
	}
	return finding{}, nil
}
