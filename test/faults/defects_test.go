//go:build linux || darwin

package faults_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/test/lab"
	"rlam/workflows"
)

// finished is a run to its end, with an action that works and one that fails.
func finished(t *testing.T) *run {
	t.Helper()
	x := try(t, script([]step{{call("a", "work")}, {call("f", "fail", "how", "partial")}}, nil, "a"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("a")
	return r
}

// TestWhatIsRecordedCantBeRewritten: neither a loaded record nor the journal nor a file of
// the store lets a failure become a success.
func TestWhatIsRecordedCantBeRewritten(t *testing.T) {
	t.Parallel()
	r := finished(t)
	loaded := r.call("2.1")
	loaded.Status, loaded.Attempts[0].Status, loaded.Attempts[0].Error.Type = record.CallCompleted, record.AttemptCompleted, ""
	again := r.call("2.1")
	if again.Status != record.CallFailed || again.Attempts[0].Status != record.AttemptFailed || again.Attempts[0].Error.Type != "lab.Drift" {
		t.Errorf("a change of a loaded record changed the store's: %+v", again)
	}

	j := journal.Journal{Store: r.store}
	for _, e := range r.journal() {
		if e.Intent.Call != "2.1" {
			continue
		}
		if _, err := j.End(t.Context(), e.Intent, journal.Outcome{Status: journal.Completed, Ended: e.Outcome.Ended, Body: json.RawMessage(`{}`)}); !errors.Is(err, journal.ErrEnded) {
			t.Errorf("writing another outcome: %v", err)
		}
		now, err := j.Execution(t.Context(), e.Intent.Key, e.N)
		if err != nil {
			t.Fatal(err)
		}
		if now.Outcome.Status != journal.Failed {
			t.Errorf("the outcome in the journal was rewritten to %s", now.Outcome.Status)
		}
	}

	links := r.chain()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	victim := links[1+rand.New(rand.NewPCG(seed, 0)).IntN(len(links)-1)]
	flip(t, r.blobFile(victim.Digest)+"@p", victim.Digest.Hex())
	_, err := record.Chain(t.Context(), r.store, links[0].Digest, links[len(links)-1].Digest)
	if corrupt := (*store.CorruptError)(nil); !errors.As(err, &corrupt) || !strings.Contains(err.Error(), victim.Digest.String()) {
		t.Errorf("reading a chain with a changed record: %v, want an error that names %s", err, victim.Digest)
	}
}

// TestReadersShareNothing: what one reader of the chain changes, no other sees.
func TestReadersShareNothing(t *testing.T) {
	t.Parallel()
	r := finished(t)
	one, other := r.chain(), r.chain()
	before := mustJSON(other)
	for _, l := range one {
		if s, ok := l.Record.(*record.Step); ok && len(s.Calls) > 0 {
			s.Calls[0].Attempts[0].Output = canon.Digest{}
			s.Calls = append(s.Calls[:0], record.CallRecord{})
		}
	}
	if after := mustJSON(other); after != before {
		t.Errorf("a reader's change reached another:\n%s\n%s", before, after)
	}
}

// TestErrorsKeepTypeMessageAndChain covers errors without a message, chains, partial
// outputs and panics.
func TestErrorsKeepTypeMessageAndChain(t *testing.T) {
	t.Parallel()
	how := []string{"silent", "chain", "partial", "panic"}
	var s step
	for _, h := range how {
		s = append(s, call(h, "fail", "how", h))
	}
	x := try(t, script([]step{s, {call("a", "work")}}, nil, "a"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("a")
	for i, want := range []executor.Failure{
		{Type: executor.TypeActionFailed, Message: "without a message"},
		{Type: executor.TypeActionFailed, Message: "reducing the spectrum", Causes: []string{"reading line 7: no number", "no number"}},
		{Type: "lab.Drift", Message: "the baseline drifted", Partial: json.RawMessage(`{"peaks":3}`)},
		{Type: executor.TypePanic, Message: "no peak was found"},
	} {
		id := fmt.Sprintf("1.%d", i+1)
		at := r.call(id).Attempts[0]
		if at.Error == nil || at.Status != record.AttemptFailed {
			t.Errorf("%s: on record is %+v", how[i], at)
			continue
		}
		got := value[executor.Failure](x, at.Error.Detail)
		if got.Type != want.Type || at.Error.Type != want.Type || !strings.Contains(got.Message, want.Message) || string(got.Partial) != string(want.Partial) {
			t.Errorf("%s: on record is %+v, want %+v", how[i], got, want)
		}
		if want.Causes != nil && mustJSON(got.Causes) != mustJSON(want.Causes) {
			t.Errorf("%s: causes %q, want %q", how[i], got.Causes, want.Causes)
		}
		if typ := failures(r.history(), id+"#"); typ[want.Type] != 1 {
			t.Errorf("%s: the history has the failures %v, want one of %s", how[i], typ, want.Type)
		}
		if how[i] == "panic" && got.Log.Digest.IsZero() {
			t.Error("a panic left no log with its stack")
		}
	}
	r.agree()
}

// TestWhatWasNeverComputedIsNoSuccess covers functions, channels and nothing in the place of
// an output, numbers that JSON can't hold, and members that nobody declared.
func TestWhatWasNeverComputedIsNoSuccess(t *testing.T) {
	t.Parallel()
	how := []string{"function", "channel", "nothing", "nan", "infinity", "large", "extra"}
	var s step
	for _, h := range how {
		s = append(s, call(h, "odd", "how", h))
	}
	x := try(t, script([]step{s, {call("a", "work")}}, nil, "a"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("a")
	for i := range how {
		c := r.call(fmt.Sprintf("1.%d", i+1))
		if at := c.Attempts[0]; c.Status != record.CallFailed || !at.Output.IsZero() || at.Error == nil || at.Error.Type != executor.TypeInvalidOutput {
			t.Errorf("%s: the call is on record as %s with %+v, want failed as %s", how[i], c.Status, at, executor.TypeInvalidOutput)
		}
	}
	r.agree()
}

// TestNumbersAreNeverRounded refuses what a double doesn't hold, before anything runs.
func TestNumbersAreNeverRounded(t *testing.T) {
	t.Parallel()
	const reply = `{calls: [{action: flaky, arguments: '{"id":"n","why":"","params":{"label":"n","times":9007199254740993}}'}]}`
	x := try(t, "model: scripted/faults\nrules:\n  - when: {turn: 0}\n    reply: "+reply+"\n  - reply: {give_up: it was refused}\n")
	x.worker("one", workerOptions{})
	r := x.start(nil)
	if result := r.result(); result.Status != record.NoResult {
		t.Errorf("the run ended as %s", result.Status)
	}
	c := r.call("1.1")
	if c.Status != record.CallRefused || c.Decision != "refused" || len(x.effects()) != 0 {
		t.Errorf("the call is on record as %s (%s), and %v ran", c.Status, c.Decision, x.effects())
	}
	if text := value[string](x, c.Params); !strings.Contains(text, "9007199254740993") {
		t.Errorf("on record are the parameters %s, want them as proposed", text)
	}
	r.agree()
}

// TestAReplayedFailureIsAFailure replays a run that failed on the way and one that never got
// a result: the replay gives what was recorded, and a failure made a success is named.
func TestAReplayedFailureIsAFailure(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("f", "fail", "how", "partial")}}, nil))
	x.worker("one", workerOptions{})
	r := x.start(map[string]string{"/limits/steps": "1"})
	if result := r.result(); result.Status != record.LimitReached {
		t.Fatalf("the run ended as %s", result.Status)
	}
	h := r.history()
	if got := lab.Replay(t, h); got.Closed != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED || got.Steps != 1 {
		t.Errorf("replay saw %+v", got)
	}
	done, err := dataConverter.ToPayloads(workflows.ActResult{Execution: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h.Events {
		if f := e.GetActivityTaskFailedEventAttributes(); f != nil {
			completeInstead(e, f, done)
		}
	}
	if err := replayError(t, h); err == nil {
		t.Error("a history whose failure was made a success replays without a word")
	}
}

// TestNothingFollowsFromAFailedCall refuses a call that refers to a failed one, in the same
// step and in a later one.
func TestNothingFollowsFromAFailedCall(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{
		{call("f", "fail", "how", "partial"), call("sibling", "read", "artifact", from("f", "/file"))},
		{call("later", "read", "artifact", from("f", "/file"))},
		{call("a", "work")},
	}, nil, "a"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("a")
	if c := r.call("1.2"); c.Status != record.CallSkipped || len(c.Attempts) != 0 {
		t.Errorf("the sibling is on record as %s with %d attempts, want skipped", c.Status, len(c.Attempts))
	}
	if c := r.call("2.1"); c.Status != record.CallRefused || len(c.Attempts) != 0 {
		t.Errorf("the later call is on record as %s with %d attempts, want refused", c.Status, len(c.Attempts))
	}
	if n := x.count("begin", "sibling") + x.count("begin", "later"); n != 0 {
		t.Errorf("%d of them ran", n)
	}
	r.agree()
}

// TestTwoOutputsOfOneCallDiffer keeps the two outputs of an action that claims to be bitwise
// reproducible and reads a clock: by their digests they are seen to differ.
func TestTwoOutputsOfOneCallDiffer(t *testing.T) {
	t.Parallel()
	again := func(id, of, action string) proposed {
		return proposed{id: id, action: action, params: map[string]any{"label": of}}
	}
	x := try(t, script([]step{
		{call("c", "clock"), again("d", "c", "clock"), call("a", "work")},
		{again("e", "c", "clock"), again("b", "a", "work")},
	}, nil, "a"))
	x.worker("one", workerOptions{})
	r := x.start(map[string]string{"/reuse": `"never"`})
	r.completed("a")
	outputs := map[canon.Digest]bool{}
	for _, id := range []string{"1.1", "1.2", "2.1"} {
		outputs[r.call(id).Attempts[0].Output] = true
	}
	if len(outputs) != 3 {
		t.Errorf("three readings of a clock have %d digests", len(outputs))
	}
	if r.call("1.3").Attempts[0].Output != r.call("2.2").Attempts[0].Output {
		t.Error("the same output twice has two digests")
	}
}

// TestAnActionIsBoundToWhatRan finds the specification, the binding with its script, the
// times and the environment of each attempt by the digests on record.
func TestAnActionIsBoundToWhatRan(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work"), call("b", "work"), call("p", "program")}}, nil, "a", "b", "p"))
	x.open("p")
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("a", "b", "p")
	pinned := r.chain()[0].Record.(*record.Run)
	for _, id := range []string{"1.1", "1.3"} {
		c := r.call(id)
		isolation := schemas.IsolationNone
		if id == "1.3" && runtime.GOOS == "linux" { // a command
			isolation = schemas.IsolationProcess
		}
		bound := false
		for _, pin := range pinned.Actions {
			bound = bound || pin.Spec == c.Spec && pin.Binding == c.Binding && c.Action == pin.Name+"@"+pin.Version
		}
		if !bound {
			t.Errorf("call %s of %s is bound to nothing that the run pins", id, c.Action)
		}
		at := c.Attempts[0]
		started, err1 := time.Parse(time.RFC3339Nano, at.Started)
		ended, err2 := time.Parse(time.RFC3339Nano, at.Ended)
		if err := errors.Join(err1, err2); err != nil || ended.Before(started) {
			t.Errorf("call %s ran from %q to %q (%v)", id, at.Started, at.Ended, err)
		}
		env := r.environment(at)
		if env.Identity.OS == "" || env.Identity.Arch == "" || env.Circumstances.Host == "" || at.Isolation != string(isolation) {
			t.Errorf("call %s ran in %+v, isolation %q", id, env, at.Isolation)
		}
	}
	binding, err := store.Read(t.Context(), r.store, r.call("1.3").Binding, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/actions/program.sh")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(binding), canon.Sum(text).String()) {
		t.Errorf("the binding %s doesn't name the script by its digest %s", binding, canon.Sum(text))
	}
}

func (r *run) environment(at record.AttemptRecord) (env executor.Env) {
	r.t.Helper()
	b, err := store.Read(r.t.Context(), r.store, at.Environment, 1<<20)
	if err == nil {
		err = json.Unmarshal(b, &env)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return env
}

// TestEnvironmentsAreComparedPieceByPiece: two attempts of one worker have one identity, a
// handler and a program have two, and the pieces say what differs.
func TestEnvironmentsAreComparedPieceByPiece(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work"), call("b", "work"), call("p", "program")}}, nil, "a"))
	x.open("p")
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("a")
	a, b, p := r.environment(r.call("1.1").Attempts[0]), r.environment(r.call("1.2").Attempts[0]), r.environment(r.call("1.3").Attempts[0])
	if mustJSON(a.Identity) != mustJSON(b.Identity) {
		t.Errorf("two attempts of one worker have the identities %s and %s", mustJSON(a.Identity), mustJSON(b.Identity))
	}
	if a.Identity.Worker == nil || a.Identity.Worker.Digest.IsZero() || a.Identity.Program != nil {
		t.Errorf("a handler's identity is %s, want the worker's program", mustJSON(a.Identity))
	}
	if p.Identity.Program == nil || p.Identity.Program.Digest.IsZero() || p.Identity.Variables["TZ"] != "UTC" || p.Identity.Worker != nil {
		t.Errorf("a program's identity is %s, want the program and the variables that were fixed", mustJSON(p.Identity))
	}
}

// TestEdgesComeFromReferences: a data edge is what a reference says, and nobody asserts one.
func TestEdgesComeFromReferences(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{
		{call("s", "save", "text", "data")},
		{call("r", "read", "artifact", from("s", "/file")), call("w", "work")},
	}, nil, "s", "r"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("s", "r")
	if got := r.call("2.1").Uses; len(got) != 1 || got[0].From != "1.1" || got[0].Pointer != "/file" || got[0].At != "/artifact" {
		t.Errorf("the edges of the call with a reference are %+v", got)
	}
	if got := r.call("2.2").Uses; len(got) != 0 {
		t.Errorf("the edges of the call with literals are %+v", got)
	}
	r.agree()
}
