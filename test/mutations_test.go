package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	historypb "go.temporal.io/api/history/v1"
)

// mutations are changes of the workflow code that a replay must find, each in a history
// that goes the changed way.
var mutations = []struct {
	name      string
	file      string // of workflows/
	old, new  string // old occurs once in the file
	history   string
	at        string // the activity whose schedule is the event to be named, or "timer N", "child ID" or "end"
	what      string // if it isn't at
	field     string
	rec, repl string // part of what was recorded and of what was replayed; what stands in Divergence where empty
}{
	{
		name: "calls in another order", file: "dispatch.go", history: "parallel", at: "1.1#1", repl: "activity 1.2#1",
		old: "	for i, c := range turn.Calls {\n", new: "	for i := len(turn.Calls) - 1; i >= 0; i-- {\n		c := turn.Calls[i]\n",
	},
	{
		name: "a refused call dispatched", file: "dispatch.go", history: "refusal", at: "1.3#1", repl: "activity 1.1#1",
		old: "case c.Decision == schemas.Refused:", new: "case c.Decision == schemas.Refused && c.Action == \"\":",
	},
	{
		name: "a call that a fork keeps carried out", file: "dispatch.go", history: "fork-edit", at: "1.3.judge#1", repl: "activity 1.2#1",
		old: "case c.Kept != \"\":", new: "case c.Kept == \"again\":",
	},
	{
		name: "a deferred call not judged", file: "dispatch.go", history: "deferred", at: "1.3.judge#1", repl: "activity 1.3#1",
		old: "if c.Decision == schemas.Deferred {", new: "if c.Decision == \"\" {",
	},
	{
		name: "a call that does not wait for its source", file: "dispatch.go", history: "plan", at: "1.3.judge#1",
		old: "i >= 0 && !ended[i]", new: "i < 0 && !ended[i]",
	},
	{
		name: "an argument of Plan", file: "study.go", history: "success", at: "2.plan#1", field: "/outcomes", repl: "null",
		old: "Candidate: r.state.Candidate, Outcomes: r.outcomes,", new: "Candidate: r.state.Candidate,",
	},
	{
		name: "an argument of Act", file: "dispatch.go", history: "retry", at: "1.1#2", field: "/seen", rec: "1", repl: "0",
		old: "Seen: seen,", new: "",
	},
	{
		name: "an argument of Seal", file: "study.go", history: "limit-steps", at: "seal#1", field: "/message",
		old: `"the limit of %d steps is reached"`, new: `"%d steps are enough"`,
	},
	{
		name: "an activity's ID", file: "dispatch.go", history: "success", at: "1.1#1", repl: "activity 1.1-1",
		old: `options(fmt.Sprintf("%s#%d", c.ID, n)`, new: `options(fmt.Sprintf("%s-%d", c.ID, n)`,
	},
	{
		name: "an activity's timeout", file: "dispatch.go", history: "success", at: "1.1#1", field: "start-to-close timeout",
		old: "+time.Duration(c.Wait)+slack)", new: "+time.Duration(c.Wait))",
	},
	{
		name: "retries left to Temporal", file: "dispatch.go", history: "success", at: "open#1", field: "maximum attempts", rec: "1", repl: "3",
		old: "MaximumAttempts: 1}", new: "MaximumAttempts: 3}",
	},
	{
		name: "a backoff", file: "dispatch.go", history: "retry", at: "timer 2", field: "duration", rec: "100ms", repl: "200ms",
		old: "c.Attempts.Backoff.Wait(failures)", new: "c.Attempts.Backoff.Wait(failures+1)",
	},
	{
		name: "Retry-After ignored", file: "study.go", history: "model-busy", at: "timer 2", field: "duration", rec: "2s", repl: "1s",
		old: "wait := max(r.state.Retry.Backoff.Wait(tries), f.after)", new: "wait := r.state.Retry.Backoff.Wait(tries)",
	},
	{
		name: "the wall-time limit", file: "clock.go", history: "no-result", at: "timer 1", field: "duration",
		old: "max(c.left, time.Millisecond)", new: "max(c.left, time.Millisecond)+time.Second",
	},
	{
		name: "the bound on a call's attempts", file: "dispatch.go", history: "retries-used-up", at: "2.plan#1", repl: "timer 4",
		old: "failures >= c.Attempts.Max", new: "failures > c.Attempts.Max",
	},
	{
		name: "the bound on a run's attempts", file: "dispatch.go", history: "limit-attempts", at: "2.plan#1", repl: "activity 1.1#3",
		old: "r.state.Counters.Attempts >= r.state.Limits.Attempts", new: "r.state.Counters.Attempts > r.state.Limits.Attempts",
	},
	{
		name: "the bound on a model's attempts", file: "study.go", history: "fallback", at: "1.plan#3", repl: "timer 3",
		old: "tries >= r.state.Retry.Max", new: "tries > r.state.Retry.Max",
	},
	{
		name: "the bound on losses", file: "study.go", history: "failed", at: "seal#1", repl: "timer 3",
		old: "losses++; losses > r.state.Limits.Losses {", new: "losses++; losses > r.state.Limits.Losses+1 {",
	},
	{
		name: "a loss that counts as a failure", file: "dispatch.go", history: "lost", at: "timer 2", repl: "activity 2.plan#1",
		old: "		case f.lost:\n", new: "		case f.lost && f.adopted:\n",
	},
	{
		name: "the bound on steps", file: "study.go", history: "limit-steps", at: "seal#1", repl: "activity 2.plan#1",
		old: "c.Steps >= l.Steps", new: "c.Steps > l.Steps",
	},
	{
		name: "no seal", file: "study.go", history: "success", at: "seal#1", repl: "nothing",
		old: "			e = endOf(turn)\n		}\n", new: "			if e = endOf(turn); e != nil {\n				return StudyResult{Status: e.status, Result: e.result}, nil\n			}\n		}\n",
	},
	{
		name: "no seal of a cancelled run", file: "study.go", history: "cancelled", at: "seal#1", repl: "nothing",
		old: "	ctx, _ = workflow.NewDisconnectedContext(ctx)\n", new: "",
	},
	{
		name: "another result", file: "study.go", history: "success", at: "end", what: "result", field: "/result/digest",
		old: "Head: sealed.Head, Result: e.result,", new: "Head: sealed.Head, Result: sealed.Reason,",
	},
	{
		name: "a partial result for a whole one", file: "study.go", history: "last-partial", at: "seal#1", field: "/partial", rec: "true", repl: "",
		old: "result: turn.Result, partial: true, reason: turn.Last}", new: "result: turn.Result, reason: turn.Last}",
	},
	{
		name: "a turn after the last", file: "study.go", history: "last-none", at: "seal#1", repl: "activity 3.plan#1",
		old: "case !turn.Last.Digest.IsZero():", new: "case false:",
	},
	{
		name: "no last turn after the time", file: "study.go", history: "last-wall-time", at: "3.plan#1", repl: "activity seal#1",
		old: "if !e.timeUp ||", new: "if e.timeUp ||",
	},
	{
		name: "the bound on a last turn", file: "dispatch.go", history: "last-wall-time", at: "timer 2", field: "duration", rec: "2m0s", repl: "20m0s",
		old: "lastTurnTime = 2 * time.Minute", new: "lastTurnTime = 20 * time.Minute",
	},
	{
		name: "a last turn where there was none", file: "study.go", history: "limit-wall-time", at: "seal#1", repl: "activity 2.plan#1",
		old: "!r.state.LastTurn || r.state", new: "r.state",
	},
	{
		name: "another close status", file: "study.go", history: "cancelled", at: "end", what: "close status", rec: "WorkflowExecutionCanceled", repl: "WorkflowExecutionCompleted",
		old: "		return StudyResult{}, temporal.NewCanceledError(result)\n", new: "		return result, nil\n",
	},
	{
		name: "another head to continue from", file: "study.go", history: "continued-1", at: "end", what: "continue-as-new", field: "/head",
		old: "StudyInput{Run: r.in.Run, Head: r.head,", new: "StudyInput{Run: r.in.Run, Head: r.in.Head,",
	},
	{
		name: "no continue-as-new", file: "study.go", history: "continued-1", at: "2.append#1", repl: "activity 3.plan#1",
		old: "r.stepsHere > 0 {", new: "r.stepsHere < 0 {",
	},
	{
		name: "more members at once", file: "ensemble.go", history: "ensembles/completed", at: "child ensemble-completed.m0001", repl: "activity m0003.1#1",
		old: "max(in.Parallel, 1)", new: "max(in.Parallel+1, 1)",
	},
	{
		name: "an argument of Enrol", file: "ensemble.go", history: "ensembles/gone-on", at: "m0001.2#1", field: "/started",
		old: "MemberGo: m, Started: workflow.Now(ctx)}", new: "MemberGo: m}",
	},
	{
		name: "a terminated member said to be cancelled", file: "ensemble.go", history: "ensembles/terminated-member", at: "conclude#1", field: "/members/0/status", rec: "terminated", repl: "cancelled",
		old: "return record.Terminated, canon.Digest{}", new: "return record.Cancelled, canon.Digest{}",
	},
	{
		name: "members begun after a cancel", file: "ensemble.go", history: "ensembles/stopped", at: "conclude#1",
		old: "ctx.Err() != nil || e.begun > 0 &&", new: "e.begun > 0 &&",
	},
	{
		name: "no conclusion of a stopped ensemble", file: "ensemble.go", history: "ensembles/stopped", at: "conclude#1", repl: "nothing",
		old: "	ctx, _ = workflow.NewDisconnectedContext(ctx)\n", new: "",
	},
	{
		name: "a failed member counted as completed", file: "ensemble.go", history: "ensembles/failed-member", at: "end", what: "result", field: "/completed", rec: "1", repl: "2",
		old: "			result.Others++\n", new: "			result.Completed++\n",
	},
	{
		name: "no continue-as-new of an ensemble", file: "ensemble.go", history: "ensembles/continued-1", at: "end", what: "activity conclude#1", rec: "the end of the workflow",
		old: "len(rest) > 0 && ctx.Err() == nil", new: "len(rest) < 0 && ctx.Err() == nil",
	},
}

// TestMutations builds the workflow code with each mutation, in one program, and has
// recorded histories replayed by it.
func TestMutations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a program")
	}
	findings := replayMutants(t)
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			h := readHistory(t, m.history)
			event, what := placeOf(t, h, m.at)
			if m.what != "" {
				what = m.what
			}
			got := findings[m.name+" "+historyFile(m.history)]
			if got.Event != event || got.What != what || got.Field != m.field || !strings.Contains(got.Recorded, m.rec) || !strings.Contains(got.Replayed, m.repl) {
				t.Errorf("got %+v, want event %d, %s, field %q, recorded %q, replayed %q", got, event, what, m.field, m.rec, m.repl)
			}
			if got.Recorded == got.Replayed {
				t.Errorf("both values are %q", got.Recorded)
			}
			if step, call, is := partOf(m.at); is && (got.Step != step || got.Call != call) {
				t.Errorf("it is of step %d and call %q, want step %d and call %q", got.Step, got.Call, step, call)
			}
		})
	}
	for _, file := range recordedFiles() {
		if got := findings[" "+file]; got != (finding{History: file}) {
			t.Errorf("%s, without a mutation: %+v", file, got)
		}
	}
}

// recordedFiles are the histories of studies and of ensembles.
func recordedFiles() []string {
	var files []string
	for _, r := range recorded {
		files = append(files, historyFile(r.name))
	}
	for _, e := range ensembles {
		files = append(files, historyFile(filepath.Join("ensembles", e.name)))
	}
	return files
}

// partOf is the step and the call that an activity's ID tells of. A planner's turn is of no
// call, and what begins or ends a run of no step either.
func partOf(activity string) (step int, call string, is bool) {
	id, _, is := strings.Cut(activity, "#")
	number, rest, _ := strings.Cut(id, ".")
	step, err := strconv.Atoi(number)
	if !is || err != nil {
		return 0, "", false
	}
	if n, _, _ := strings.Cut(rest, "."); n != "plan" && n != "append" {
		call = number + "." + n
	}
	return step, call, true
}

// finding is a line of what test/mutants prints.
type finding struct {
	Mutant, History, Error          string
	Event                           int64
	Step                            int
	Call                            string
	What, Field, Recorded, Replayed string
}

// replayMutants returns what each mutant finds in each history.
func replayMutants(t *testing.T) map[string]finding {
	t.Helper()
	program := filepath.Join(t.TempDir(), "mutants")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay(t), "-o", program, "./mutants")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the mutants: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program, recordedFiles()...).Output()
	if err != nil {
		t.Fatalf("replaying with the mutants: %v", err)
	}
	findings := map[string]finding{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var f finding
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
		findings[f.Mutant+" "+f.History] = f
	}
	return findings
}

// overlay adds a mutated copy of workflows for each mutation to test/mutants, and a file
// that imports them all.
func overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	mutants, err := filepath.Abs("mutants")
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	add := func(path, text string) {
		real := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(real, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(mutants, path)] = real
	}
	code := map[string]string{}
	files, err := filepath.Glob("../workflows/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		code[filepath.Base(f)] = string(text)
	}
	var imports, entries strings.Builder
	for i, m := range mutations {
		if n := strings.Count(code[m.file], m.old); n != 1 {
			t.Fatalf("mutation %q: workflows/%s has its text %d times, want once: say it anew\n%s", m.name, m.file, n, m.old)
		}
		for name, text := range code {
			if name == m.file {
				text = strings.Replace(text, m.old, m.new, 1)
			}
			add(fmt.Sprintf("m%d/%s", i, name), text)
		}
		fmt.Fprintf(&imports, "\tm%d \"rlam/test/mutants/m%d\"\n", i, i)
		fmt.Fprintf(&entries, "\tmutants[%q] = mutant{m%d.Study, m%d.Ensemble}\n", m.name, i, i)
	}
	add("copies.go", fmt.Sprintf("package main\n\nimport (\n%s)\n\nfunc init() {\n%s}\n", &imports, &entries))
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// placeOf finds the event that a mutation must be named at, and how a Divergence calls it.
func placeOf(t *testing.T, h *historypb.History, at string) (int64, string) {
	t.Helper()
	timers := 0
	for _, e := range h.Events {
		if id := e.GetActivityTaskScheduledEventAttributes().GetActivityId(); id == at {
			return e.EventId, "activity " + id
		}
		if id := e.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetWorkflowId(); "child "+id == at {
			return e.EventId, at
		}
		if e.GetTimerStartedEventAttributes() != nil {
			if timers++; fmt.Sprintf("timer %d", timers) == at {
				return e.EventId, at
			}
		}
	}
	if at == "end" {
		return h.Events[len(h.Events)-1].EventId, ""
	}
	t.Fatalf("the history has no %s", at)
	return 0, ""
}
