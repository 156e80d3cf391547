package journal_test

import (
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/store"
)

var key = journal.CallKey(canon.Sum([]byte("proposal")), "1.1")

func TestKeys(t *testing.T) {
	seen := map[canon.Digest]string{}
	for name, k := range map[string]canon.Digest{
		"a call":              key,
		"another call":        journal.CallKey(canon.Sum([]byte("proposal")), "1.2"),
		"of another proposal": journal.CallKey(canon.Sum([]byte("other")), "1.1"),
		"a turn":              journal.TurnKey("run", 1),
		"the next turn":       journal.TurnKey("run", 2),
		"after a reset":       journal.TurnKey("run2", 1),
	} {
		if other, twice := seen[k]; twice {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[k] = name
	}
}

func TestOneExecution(t *testing.T) {
	j := journal.Journal{Store: &store.Mem{}}
	in, err := j.Begin(t.Context(), journal.Intent{Key: key, Kind: "call"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.SetHandle(t.Context(), in, map[string]int{"pid": 7}); err != nil {
		t.Fatal(err)
	}
	e, err := j.Execution(t.Context(), key, 1)
	if err != nil || !e.InDoubt() || string(e.Handle) != `{"pid":7}` || e.Intent.ID != in.ID {
		t.Fatalf("%+v, %v", e, err)
	}
	winner, err := j.End(t.Context(), in, journal.Outcome{Status: journal.Completed, Body: json.RawMessage(`{"x":1}`)})
	if err != nil || winner != 1 {
		t.Fatalf("%d, %v", winner, err)
	}
	all, err := j.Executions(t.Context(), key)
	if err != nil || len(all) != 1 || all[0].InDoubt() || all[0].Outcome.Intent != in.ID || string(all[0].Outcome.Body) != `{"x":1}` {
		t.Errorf("%+v, %v", all, err)
	}
}

// An outcome that comes late is kept, and changes nothing.
func TestTheFirstCompletedExecutionWins(t *testing.T) {
	j := journal.Journal{Store: &store.Mem{}}
	var in [4]journal.Intent
	for i := 1; i <= 3; i++ {
		var err error
		if in[i], err = j.Begin(t.Context(), journal.Intent{Key: key}, i); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		n      int
		status journal.Status
		winner int
	}{{3, journal.Failed, 0}, {2, journal.Completed, 2}, {1, journal.Completed, 2}} {
		winner, err := j.End(t.Context(), in[c.n], journal.Outcome{Status: c.status})
		if err != nil || winner != c.winner {
			t.Errorf("execution %d %s: the winner is %d, %v; want %d", c.n, c.status, winner, err, c.winner)
		}
	}
	if n, err := j.Winner(t.Context(), key); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// An outcome that was written is what happened: a second one doesn't replace it.
func TestAnOutcomeIsWrittenOnce(t *testing.T) {
	j := journal.Journal{Store: &store.Mem{}}
	in, err := j.Begin(t.Context(), journal.Intent{Key: key}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.End(t.Context(), in, journal.Outcome{Status: journal.Failed, Body: json.RawMessage(`"first"`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := j.End(t.Context(), in, journal.Outcome{Status: journal.Completed, Body: json.RawMessage(`"second"`)}); err == nil {
		t.Error("a failure was turned into a success")
	}
	e, err := j.Execution(t.Context(), key, 1)
	if err != nil || e.Outcome.Status != journal.Failed {
		t.Errorf("%+v, %v", e.Outcome, err)
	}
	if n, err := j.Winner(t.Context(), key); n != 0 || err != nil {
		t.Errorf("execution %d won, %v", n, err)
	}
}

func TestOnlyOneWorkerBeginsAnExecution(t *testing.T) {
	folder, err := store.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]store.Store{"memory": &store.Mem{}, "folder": folder} {
		t.Run(name, func(t *testing.T) {
			j := journal.Journal{Store: s}
			var began, taken atomic.Int64
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					_, err := j.Begin(t.Context(), journal.Intent{Key: key}, 1)
					switch {
					case err == nil:
						began.Add(1)
					case errors.Is(err, journal.ErrTaken):
						taken.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if began.Load() != 1 || taken.Load() != 15 {
				t.Errorf("%d began and %d were told that it was taken", began.Load(), taken.Load())
			}
		})
	}
}
