//go:build linux || darwin

package activities_test

import (
	"testing"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/workflows"
)

const oneBinding = "run: {builtin: test.count}"

// TestTheFirstBindingThatAWorkerHas makes an attempt on a worker that has the handler,
// and the next on one that has only the program: each record says what ran.
func TestTheFirstBindingThatAWorkerHas(t *testing.T) {
	t.Parallel()
	b := newBench(t, oneBinding, `run:
  - {command: {argv: [no-such-program-anywhere]}}
  - {builtin: test.count}
  - {command: {argv: [/bin/sh, -c, 'tr 1 7 < params.json > result.json']}}`)
	var run record.Run
	if err := record.Load(t.Context(), b.store, b.run, &run); err != nil {
		t.Fatal(err)
	}
	pin := run.Actions[0]
	if len(pin.Bindings) != 3 || pin.Bindings[0] != pin.Binding {
		t.Fatalf("the run pins %+v", pin)
	}
	for i, d := range pin.Bindings {
		if text, err := store.Read(t.Context(), b.store, d, 1<<20); err != nil || canon.Sum(text) != d {
			t.Errorf("binding %d: %s, %v", i, text, err)
		}
	}

	b.fail = func() error { return executor.Fail("test.Broken", "it broke", nil) }
	p := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
	in := call(p, 0)
	if _, err := b.act(in); typeOf(err) != "test.Broken" {
		t.Fatal(err)
	}
	b.lacks = true
	b.restart()
	in.Attempt, in.Seen = 2, 1
	out, err := b.act(in)
	if err != nil || out.Output.Preview != `{"n":7}` || b.ran.Load() != 1 {
		t.Fatalf("%+v, %v after %d executions of the handler", out, err, b.ran.Load())
	}
	executions, err := (journal.Journal{Store: b.store}).Executions(t.Context(), journal.CallKey(p.Head, in.Call))
	if err != nil || executions[0].Intent.Binding != pin.Bindings[1] || executions[1].Intent.Binding != pin.Bindings[2] {
		t.Errorf("the journal's intents are %+v, %v", executions, err)
	}

	end := b.plan(workflows.PlanInput{Head: p.Head, Step: 2, Outcomes: []workflows.CallOutcome{
		{ID: "1.1", Status: record.CallCompleted, Attempts: []workflows.AttemptOutcome{
			{N: 1, Status: record.AttemptFailed, Execution: 1}, {N: 2, Status: record.AttemptCompleted, Execution: 2},
		}},
		{ID: "1.2", Status: record.CallSkipped},
		{ID: "1.3", Status: record.CallRefused},
	}})
	links, err := record.Chain(t.Context(), b.store, b.run, end.Head)
	if err != nil {
		t.Fatal(err)
	}
	attempts := links[2].Record.(*record.Step).Calls[0].Attempts
	if attempts[0].Binding != pin.Bindings[1] || attempts[1].Binding != pin.Bindings[2] {
		t.Errorf("the record says %+v", attempts)
	}
}

// TestAWorkerWithoutAnyBindingHandsTheCallBack has neither the handler nor the program.
func TestAWorkerWithoutAnyBindingHandsTheCallBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, oneBinding, "run: [{builtin: test.absent}, {command: {argv: [no-such-program-anywhere]}}]")
	p := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
	if _, err := b.act(call(p, 0)); typeOf(err) != workflows.TypeNoBinding {
		t.Errorf("%v", err)
	}
	if executions, err := (journal.Journal{Store: b.store}).Executions(t.Context(), journal.CallKey(p.Head, "1.1")); err != nil || len(executions) != 0 {
		t.Errorf("the journal has %+v, %v", executions, err)
	}
}

// TestOneBindingIsRecordedAsBefore: an action without a choice leaves the records that it
// left before there were lists, whether it is written as a list of one or not.
func TestOneBindingIsRecordedAsBefore(t *testing.T) {
	t.Parallel()
	var pins []record.Pin
	for _, run := range []string{oneBinding, "run: [{builtin: test.count}]"} {
		b := newBench(t, oneBinding, run)
		var rec record.Run
		if err := record.Load(t.Context(), b.store, b.run, &rec); err != nil {
			t.Fatal(err)
		}
		pins = append(pins, rec.Actions[0])
		p := b.plan(workflows.PlanInput{Head: b.run, Step: 1})
		if _, err := b.act(call(p, 0)); err != nil {
			t.Fatal(err)
		}
		e, err := (journal.Journal{Store: b.store}).Execution(t.Context(), journal.CallKey(p.Head, "1.1"), 1)
		if err != nil || !e.Intent.Binding.IsZero() {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if pins[0].Binding != pins[1].Binding || pins[0].Bindings != nil || pins[1].Bindings != nil || pins[0].Binding != canon.Sum([]byte(`{"builtin":"test.count"}`)) {
		t.Errorf("%+v", pins)
	}
}
