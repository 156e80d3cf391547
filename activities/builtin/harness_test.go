package builtin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"

	"rlam/activities/builtin"
	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
)

// bench runs actions through the executor, as an attempt does, and holds each
// output against the schema that its file promises.
type bench struct {
	t     *testing.T
	set   *executor.Set
	blobs *store.Mem
	specs map[string]*schemas.Bound
	ran   map[string]bool // actions that were
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, blobs: &store.Mem{}, specs: map[string]*schemas.Bound{}, ran: map[string]bool{}}
	var err error
	if b.set, err = executor.New(executor.Config{Blobs: b.blobs, Builtins: builtin.All()}); err != nil {
		t.Fatal(err)
	}
	for _, handler := range builtin.All() {
		spec, problems := schemas.LoadAction("../../schemas/actions/" + handler.Name + ".yaml")
		if len(problems) > 0 {
			t.Fatalf("loading the spec of %q: %v", handler.Name, problems)
		}
		b.specs[handler.Name] = spec
	}
	return b
}

// put keeps a file and returns its handle.
func (b *bench) put(data string) string {
	b.t.Helper()
	d, _, err := b.blobs.Put(b.t.Context(), bytes.NewReader([]byte(data)))
	if err != nil {
		b.t.Fatal(err)
	}
	return d.String()
}

func (b *bench) putFile(path string) string {
	b.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.put(string(data))
}

func (b *bench) get(handle string) []byte {
	b.t.Helper()
	d, err := canon.Parse(handle)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := b.blobs.Get(b.t.Context(), d)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// object is parameters or output as JSON has them.
type object = map[string]any

// attempt carries a call out.
func (b *bench) attempt(action string, params object) (executor.Result, error) {
	b.t.Helper()
	b.ran[action] = true
	raw, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx := context.Background()
	handle, err := b.set.Start(ctx, executor.Task{Call: "1.1", Attempt: 1, Action: action, Binding: schemas.Binding{Builtin: action}, Params: raw, Seed: new(uint64(42)), Dir: b.t.TempDir()})
	if err != nil {
		return executor.Result{}, err
	}
	if err := b.set.Wait(ctx, handle); err != nil {
		b.t.Fatal(err)
	}
	return b.set.Collect(ctx, handle)
}

// run is an attempt that must succeed, with parameters and output that fit the spec.
func (b *bench) run(action string, params object) object {
	b.t.Helper()
	result, err := b.attempt(action, params)
	if err != nil {
		b.t.Fatalf("%s: %v", action, err)
	}
	raw, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	b.conform(action+": parameters", b.specs[action].Action.Params, raw)
	b.conform(action+": output", b.specs[action].Action.Returns, result.Output)
	var output object
	if err := json.Unmarshal(result.Output, &output); err != nil {
		b.t.Fatal(err)
	}
	return output
}

func (b *bench) conform(what string, schema, instance []byte) {
	b.t.Helper()
	compiled, err := schemas.Compile(schema)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	for _, v := range compiled.Validate(instance) {
		b.t.Errorf("%s: %s: %s", what, v.Pointer, v.Message)
	}
}

// fail is an attempt that must fail.
func (b *bench) fail(action string, params object) *executor.Failure {
	b.t.Helper()
	result, err := b.attempt(action, params)
	var f *executor.Failure
	if !errors.As(err, &f) {
		b.t.Fatalf("%s: %s, %v; want a failure", action, result.Output, err)
	}
	return f
}

// at is the value at a path of names and indices.
func at[T any](t *testing.T, value any, path ...any) T {
	t.Helper()
	for _, step := range path {
		switch s := step.(type) {
		case string:
			value = value.(object)[s]
		case int:
			value = value.([]any)[s]
		}
	}
	typed, ok := value.(T)
	if !ok {
		t.Fatalf("at %v: %v (%T)", path, value, value)
	}
	return typed
}
