package provenance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"rlam/internal/store"
)

// Metric is a share of what was counted. A Total of 0 says that there was nothing to count.
type Metric struct {
	Good    int      `json:"numerator"`
	Total   int      `json:"denominator"`
	Counted string   `json:"counted"` // what the numbers are of
	Missing []string `json:"missing"` // what the numerator lacks
}

// add counts what other counted.
func (m *Metric) add(other Metric) {
	m.Good, m.Total, m.Missing = m.Good+other.Good, m.Total+other.Total, append(m.Missing, other.Missing...)
}

// addOf counts what was counted of a run, and names it before what is missing there.
func (m *Metric) addOf(run string, other Metric) {
	missing := make([]string, len(other.Missing))
	for i, what := range other.Missing {
		missing[i] = run + ": " + what
	}
	other.Missing = missing
	m.add(other)
}

// Whole says whether nothing is missing.
func (m Metric) Whole() bool { return m.Good == m.Total }

// Score is the share, from 0 to 1. Of nothing it is 1: nothing is missing.
func (m Metric) Score() float64 {
	if m.Total == 0 {
		return 1
	}
	return float64(m.Good) / float64(m.Total)
}

func (m *Metric) count(good bool, missing string) {
	m.Total++
	if good {
		m.Good++
		return
	}
	m.Missing = append(m.Missing, missing)
}

// Metrics say how well a run is documented.
type Metrics struct {
	Reproducibility Metric `json:"reproducibility_success"`
	Completeness    Metric `json:"trace_completeness"`
	Visibility      Metric `json:"failure_visibility"`
}

// Add counts what was counted of another run, whose name stands before what it lacks.
func (m *Metrics) Add(run string, other Metrics) {
	m.Reproducibility.addOf(run, other.Reproducibility)
	m.Completeness.addOf(run, other.Completeness)
	m.Visibility.addOf(run, other.Visibility)
}

// Replayed is what came of replaying the histories of a run's line.
type Replayed struct {
	Decisions int    // activities that the code asked for as recorded
	Total     int    // activities on record
	Divergent string // the first difference; "" if there is none
}

// NoMetrics are those of nothing, to which those of runs can be added.
func NoMetrics() Metrics {
	return Metrics{
		Reproducibility: Metric{Counted: "decisions replayed, and outputs and artifacts read again", Missing: []string{}},
		Completeness:    Metric{Counted: "executions of calls and of planner's turns", Missing: []string{}},
		Visibility:      Metric{Counted: "failed and lost attempts", Missing: []string{}},
	}
}

// Measure computes a run's metrics.
//
// Reproducibility success counts decisions and outputs: activities that workflow code
// asks for again, with the same input, when it is replayed; and outputs, artifacts and the
// result whose bytes are in the store under their digests. After the first divergence no
// decision counts.
//
// Trace completeness counts executions of calls and of planner's turns: of all that
// history, records or journal know, those that have an intent in the journal, an activity
// in the history and a node in the graph.
//
// Failure visibility counts failed and lost attempts, of all that history, records or
// journal know: those whose node in the graph has a type and a message, that the history
// has an event of, and whose detail can be read.
func (t *Trace) Measure(ctx context.Context, s store.Store, replayed Replayed) (Metrics, error) {
	m := NoMetrics()
	m.Reproducibility.Good, m.Reproducibility.Total = replayed.Decisions, replayed.Total
	if replayed.Divergent != "" {
		m.Reproducibility.Missing = append(m.Reproducibility.Missing, replayed.Divergent)
	}
	if t.audited != nil {
		t.audited.into(&m)
		return m, nil
	}
	if err := t.measure(ctx, s, &m); err != nil {
		return m, err
	}
	return m, nil
}

// measure counts what the trace holds into m.
func (t *Trace) measure(ctx context.Context, s store.Store, m *Metrics) error {
	for _, c := range t.Contents {
		why, err := damage(ctx, s, c)
		if err != nil {
			return err
		}
		m.Reproducibility.count(why == "", c.Subject+": "+why)
	}
	for _, x := range t.Executions {
		missing := ""
		for _, w := range []struct {
			known bool
			where string
		}{{x.Intent, "journal"}, {x.History, "history"}, {x.InGraph, "graph"}} {
			if !w.known {
				missing += " not in the " + w.where
			}
		}
		m.Completeness.count(missing == "", fmt.Sprintf("%s, execution %d:%s", x.Subject, x.N, missing))
	}
	for _, f := range t.Failures {
		m.Visibility.count(len(f.Missing) == 0, fmt.Sprintf("%s %s: no %s", f.Subject, f.Type, strings.Join(f.Missing, ", no ")))
	}
	return nil
}

// ErrWithheld is the error of a store that knows of a content that it was left out on
// purpose.
var ErrWithheld = errors.New("withheld")

// damage is what is wrong with the bytes of a digest; "" if nothing is.
func damage(ctx context.Context, s store.Store, c Content) (string, error) {
	r, err := s.Get(ctx, c.Digest)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // a store checks what it reads
		r.Close()
	}
	var corrupt *store.CorruptError
	switch {
	case errors.Is(err, ErrWithheld):
		return "its bytes were withheld", nil
	case errors.Is(err, store.ErrNotFound):
		return "its bytes are not in the store", nil
	case errors.As(err, &corrupt):
		return corrupt.Error(), nil
	}
	return "", err
}
