package executor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
)

type toolParams struct {
	Tool string `json:"tool"`
	N    int    `json:"n"`
}

func newSet(t *testing.T, c executor.Config) *executor.Set {
	t.Helper()
	if c.Blobs == nil {
		c.Blobs = &store.Mem{}
	}
	s, err := executor.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run carries a handler out with params.
func run[In, Out any](t *testing.T, c executor.Config, params string, fn func(context.Context, In) (Out, error)) (executor.Result, *executor.Failure) {
	t.Helper()
	c.Builtins = []executor.Builtin{executor.Typed("f", fn)}
	task := executor.Task{Call: "1.1", Attempt: 1, Binding: schemas.Binding{Builtin: "f"}, Params: json.RawMessage(params)}
	return outcome(t, newSet(t, c), task)
}

func outcome(t *testing.T, s *executor.Set, task executor.Task) (executor.Result, *executor.Failure) {
	t.Helper()
	r, err := executor.Run(t.Context(), s, task)
	var f *executor.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("the attempt has no outcome: %v", err)
	}
	return r, f
}

func wantFailure(t *testing.T, f *executor.Failure, typ, inMessage string) {
	t.Helper()
	if f == nil || f.Type != typ || !strings.Contains(f.Message, inMessage) {
		t.Fatalf("failure %+v; want type %s and a message with %q", f, typ, inMessage)
	}
}

func text(t *testing.T, b executor.Blobs, d canon.Digest) string {
	t.Helper()
	r, err := b.Get(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestParametersAreDecodedStrictly(t *testing.T) {
	echo := func(_ context.Context, in toolParams) (toolParams, error) { return in, nil }
	r, f := run(t, executor.Config{}, `{"tool":"safe","n":3.0}`, echo)
	if f != nil || string(r.Output) != `{"n":3,"tool":"safe"}` {
		t.Fatalf("output %s, failure %v", r.Output, f)
	}
	for params, word := range map[string]string{
		`{"tool":"safe","TOOL":"rm"}`:  "TOOL",
		`{"Tool":"rm"}`:                "Tool",
		`{"tool":"safe","extra":1}`:    "extra",
		`{"tool":"safe","tool":"rm"}`:  "duplicate",
		`{"tool":1}`:                   "tool",
		`{"n":1.5}`:                    "n",
		`{"n":9007199254740993}`:       "exact",
		`{"tool":"safe"} {"tool":"b"}`: "after",
		``:                             "empty",
	} {
		c := executor.Config{Builtins: []executor.Builtin{executor.Typed("f", echo)}}
		_, f := outcome(t, newSet(t, c), executor.Task{Binding: schemas.Binding{Builtin: "f"}, Params: json.RawMessage(params)})
		if f == nil || f.Type != executor.TypeInvalidParams || !strings.Contains(f.Message, word) {
			t.Errorf("%s: failure %v; want rlam.InvalidParams naming %q", params, f, word)
		}
	}
}

func TestWhatIsNoJSONIsNeverSuccess(t *testing.T) {
	type any1 struct {
		V any `json:"v"`
	}
	for name, v := range map[string]any{
		"channel": make(chan int), "function": func() {}, "NaN": math.NaN(), "infinity": math.Inf(1),
		"integer": uint64(1<<63 + 1), "text": "\xff",
	} {
		_, f := run(t, executor.Config{}, `{}`, func(context.Context, struct{}) (any1, error) { return any1{v}, nil })
		if f == nil || f.Type != executor.TypeInvalidOutput {
			t.Errorf("%s: failure %v; want rlam.InvalidOutput", name, f)
		}
	}
	r, f := run(t, executor.Config{}, `{}`, func(context.Context, struct{}) (any, error) {
		return struct{ A []int }{}, nil
	})
	if f != nil || string(r.Output) != `{"A":[]}` {
		t.Errorf("a nil slice became %s, %v", r.Output, f)
	}
}

func TestOutputSharesNoMemoryWithTheHandler(t *testing.T) {
	kept := []int{1, 2}
	r, _ := run(t, executor.Config{}, `{}`, func(context.Context, struct{}) ([]int, error) { return kept, nil })
	kept[0] = 9
	if string(r.Output) != `[1,2]` {
		t.Fatalf("output %s", r.Output)
	}
	params := []byte(`{"tool":"a","n":1}`)
	var seen toolParams
	s := newSet(t, executor.Config{Builtins: []executor.Builtin{executor.Typed("f", func(ctx context.Context, in toolParams) (int, error) {
		seen = in
		return 0, nil
	})}})
	h, err := s.Start(t.Context(), executor.Task{Binding: schemas.Binding{Builtin: "f"}, Params: params})
	if err != nil {
		t.Fatal(err)
	}
	copy(params, `{"tool":"z"`)
	if err := s.Wait(t.Context(), h); err != nil || seen.Tool != "a" {
		t.Fatalf("the handler saw %+v, %v", seen, err)
	}
}

func TestPanicIsAFailureWithItsStackInTheLog(t *testing.T) {
	blobs := &store.Mem{}
	_, f := run(t, executor.Config{Blobs: blobs}, `{}`, func(context.Context, struct{}) (int, error) {
		panic(fmt.Errorf("reading %q: %w", "a.csv", io.ErrUnexpectedEOF))
	})
	wantFailure(t, f, executor.TypePanic, `reading "a.csv"`)
	if !reflect.DeepEqual(f.Causes, []string{"unexpected EOF"}) {
		t.Errorf("causes %q", f.Causes)
	}
	if log := text(t, blobs, f.Log.Digest); !strings.Contains(log, "TestPanicIsAFailure") {
		t.Errorf("log without the handler's frame:\n%s", log)
	}

	_, f = run(t, executor.Config{}, `{}`, func(context.Context, struct{}) (int, error) {
		runtime.Goexit()
		return 0, nil
	})
	wantFailure(t, f, executor.TypePanic, "ended its goroutine")

	_, f = run(t, executor.Config{}, `{}`, func(context.Context, struct{}) (int, error) { return 0, (*executor.Failure)(nil) })
	wantFailure(t, f, executor.TypePanic, "nil pointer")
}

type silent struct{}

func (silent) Error() string { return "" }

func TestFailuresKeepWhatTheHandlerSaid(t *testing.T) {
	fail := func(err error) *executor.Failure {
		_, f := run(t, executor.Config{}, `{}`, func(context.Context, struct{}) (int, error) { return 0, err })
		return f
	}
	f := fail(executor.Fail("rlam.NotConverged", "after 50 iterations", map[string]float64{"rss": 0.5}))
	wantFailure(t, f, "rlam.NotConverged", "after 50 iterations")
	if string(f.Partial) != `{"rss":0.5}` {
		t.Errorf("partial output %s", f.Partial)
	}
	wantFailure(t, fail(fmt.Errorf("fitting: %w", executor.Fail("rlam.NotConverged", "no", nil))), "rlam.NotConverged", "fitting")
	wantFailure(t, fail(errors.New("plain")), executor.TypeActionFailed, "plain")
	wantFailure(t, fail(silent{}), executor.TypeActionFailed, "executor_test.silent")
	wantFailure(t, fail(executor.Fail("rlam.BadData", "", nil)), "rlam.BadData", "rlam.BadData without a message")

	f = fail(errors.Join(fmt.Errorf("outer: %w", silent{}), io.EOF))
	if want := []string{"outer: ", "executor_test.silent without a message", "EOF"}; !reflect.DeepEqual(f.Causes, want) {
		t.Errorf("causes %q, want %q", f.Causes, want)
	}
	f = fail(executor.Fail("rlam.BadData", "x", math.NaN()))
	if len(f.Causes) != 1 || !strings.Contains(f.Causes[0], "partial output is lost") {
		t.Errorf("causes %q", f.Causes)
	}
	for _, typ := range []string{"rlam.InDoubt", "rlam.Cancelled", "no dots", "a.b\nc"} {
		f := fail(&executor.Failure{Type: typ, Message: "m"})
		if wantFailure(t, f, executor.TypeActionFailed, "m"); len(f.Causes) == 0 {
			t.Errorf("type %q is taken away in silence", typ)
		}
	}
}

func TestFailureSurvivesJSON(t *testing.T) {
	exit := 2
	f := executor.Failure{
		Type: "rlam.ExitStatus", Message: "m", Causes: []string{"c"}, Exit: &exit, Signal: "SIGKILL", Stderr: "e",
		Partial:   json.RawMessage(`{"a":1}`),
		Artifacts: []executor.Artifact{{Name: "x", Digest: canon.Sum(nil), MediaType: "text/plain"}},
		Log:       executor.Artifact{Name: "log", Digest: canon.Sum([]byte("l")), Size: 1},
	}
	for _, f := range []executor.Failure{f, {Type: "rlam.Panic", Message: "m"}} {
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back executor.Failure
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(f, back) {
			t.Errorf("read back %+v, %v; want %+v", back, err, f)
		}
	}
}

func TestArtifactsOfAHandler(t *testing.T) {
	blobs := &store.Mem{}
	named, _, _ := blobs.Put(t.Context(), strings.NewReader("data"))
	other, _, _ := blobs.Put(t.Context(), strings.NewReader("not for this call"))
	type params struct {
		Data []string `json:"data"`
	}
	var messages []string
	task := executor.Task{
		Binding: schemas.Binding{Builtin: "f"}, Seed: new(uint64), Params: json.RawMessage(fmt.Sprintf(`{"data":[%q]}`, named)),
		Progress: func(m string) { messages = append(messages, m) },
	}
	*task.Seed = 7
	c := executor.Config{Blobs: blobs, Builtins: []executor.Builtin{executor.Typed("f", func(ctx context.Context, in params) (string, error) {
		r, err := executor.Open(ctx, in.Data[0])
		if err != nil {
			return "", err
		}
		defer r.Close()
		b, _ := io.ReadAll(r)
		seed, seeded := executor.Seed(ctx)
		executor.Progress(ctx, "half way")
		h, err := executor.Save(ctx, "out/a.txt", "text/plain", fmt.Appendf(b, " %d %t", seed, seeded))
		if err != nil {
			return "", err
		}
		if _, err := executor.Open(ctx, h); err != nil {
			t.Errorf("opening what was saved: %v", err)
		}
		for _, name := range []string{"out/a.txt", "../x", "/etc/passwd", "", ".", "a//b", "a\nb", `a\b`, strings.Repeat("a", 256)} {
			if _, err := executor.Save(ctx, name, "", nil); err == nil {
				t.Errorf("Save(%q) was accepted", name)
			}
		}
		_, err = executor.Open(ctx, other.String())
		return h, err
	})}}
	_, f := outcome(t, newSet(t, c), task)
	wantFailure(t, f, executor.TypeInvalidParams, "don't name it")
	if len(f.Artifacts) != 1 || f.Artifacts[0].Name != "out/a.txt" || f.Artifacts[0].Size != 11 {
		t.Fatalf("a failed attempt's artifacts: %+v", f.Artifacts)
	}
	if got := text(t, blobs, f.Artifacts[0].Digest); got != "data 7 true" {
		t.Errorf("artifact %q", got)
	}
	if got := text(t, blobs, f.Log.Digest); got != "half way\n" || !reflect.DeepEqual(messages, []string{"half way"}) {
		t.Errorf("log %q, progress %q", got, messages)
	}
	if _, err := executor.Save(t.Context(), "a", "", nil); err == nil {
		t.Error("Save outside of an attempt was accepted")
	}
}

func TestHandlerThatHeedsItsContext(t *testing.T) {
	heed := func(ctx context.Context, _ struct{}) (int, error) {
		<-ctx.Done()
		return 0, fmt.Errorf("integrating: %w", ctx.Err())
	}
	s := newSet(t, executor.Config{Builtins: []executor.Builtin{executor.Typed("f", heed)}})
	task := executor.Task{Binding: schemas.Binding{Builtin: "f"}, Params: json.RawMessage(`{}`)}

	ctx, cancel := context.WithCancel(t.Context())
	h, err := s.Start(ctx, task)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Wait(ctx, h); !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait with an ended context: %v", err)
	}
	if alive, err := s.Adopt(t.Context(), h, task); !alive || err != nil {
		t.Fatalf("the end of Start's context ended the work: %t, %v", alive, err)
	}
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	var f *executor.Failure
	_, err = s.Collect(t.Context(), h)
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	wantFailure(t, f, executor.TypeCancelled, "integrating")
	if _, err := s.Collect(t.Context(), h); !errors.Is(err, executor.ErrLost) {
		t.Errorf("collecting twice: %v", err)
	}
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Errorf("cancelling what has ended: %v", err)
	}

	task.Timeout = time.Millisecond
	_, f = outcome(t, s, task)
	wantFailure(t, f, executor.TypeTimeout, "integrating")
}

func TestHandlerThatIsDeafIsAbandoned(t *testing.T) {
	release, left := make(chan struct{}), make(chan error)
	deaf := func(ctx context.Context, _ struct{}) (int, error) {
		<-release
		_, err := executor.Save(ctx, "late.txt", "", nil)
		left <- err
		return 1, nil
	}
	c := executor.Config{Grace: time.Millisecond, Builtins: []executor.Builtin{executor.Typed("f", deaf)}}
	task := executor.Task{Binding: schemas.Binding{Builtin: "f"}, Params: json.RawMessage(`{}`), Timeout: time.Millisecond}
	_, f := outcome(t, newSet(t, c), task)
	wantFailure(t, f, executor.TypeAbandoned, "may still be running")
	close(release)
	if err := <-left; err == nil {
		t.Error("an abandoned handler saved an artifact")
	}
}

func TestWorkerThatLacksABinding(t *testing.T) {
	s := newSet(t, executor.Config{})
	for _, b := range []schemas.Binding{{Builtin: "fit.other"}, {}, {Builtin: "f", Command: &schemas.Command{}}} {
		if s.Has(b) {
			t.Errorf("Has(%+v)", b)
		}
		if _, err := s.Start(t.Context(), executor.Task{Binding: b}); !errors.Is(err, executor.ErrNoBinding) {
			t.Errorf("starting %+v: %v", b, err)
		}
	}
	if _, err := executor.New(executor.Config{}); err == nil {
		t.Error("a set without a store was made")
	}
	f := executor.Typed("f", func(context.Context, struct{}) (int, error) { return 0, nil })
	if _, err := executor.New(executor.Config{Blobs: &store.Mem{}, Builtins: []executor.Builtin{f, f}}); err == nil {
		t.Error("a set with two handlers of one name was made")
	}
}
