//go:build linux || darwin

package executor_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
)

// self is a binding that runs the test binary as one of its programs.
func self(args ...string) schemas.Binding {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return schemas.Binding{Command: &schemas.Command{Argv: append([]string{exe}, args...), Env: map[string]string{programVariable: "1"}}}
}

func command(t *testing.T, params string, args ...string) executor.Task {
	return executor.Task{
		Call: "4.1", Attempt: 2, Action: "a@1.0.0", Binding: self(args...), Params: json.RawMessage(params),
		Dir: filepath.Join(t.TempDir(), "attempt"), IdempotencyKey: "key",
	}
}

const fileSchema = `{"type":"object","properties":{
	"file":{"$ref":"#/definitions/f"},"again":{"type":"string","format":"artifact"},"note":{"type":"string"},
	"list":{"type":"array","items":{"anyOf":[{"type":"null"},{"type":"string","format":"artifact","contentMediaType":"x/y"}]}}},
	"definitions":{"f":{"type":"string","format":"artifact"}}}`

func TestProgramGetsAFixedWorld(t *testing.T) {
	t.Setenv("EXECUTOR_TEST_CANARY", "worker's own")
	t.Setenv("EXECUTOR_TEST_PASSED", "let through")
	task := command(t, `{"b":1.50,"a":"x y"}`, "describe", "{params.a}", "--b={params.b}", "$(touch x); '")
	task.Binding.Command.Pass = []string{"EXECUTOR_TEST_PASSED", "EXECUTOR_TEST_UNSET"}
	task.Seed = new(uint64)
	r, f := outcome(t, newSet(t, executor.Config{Path: "/usr/bin:/bin"}), task)
	if f != nil {
		t.Fatal(f)
	}
	var got struct {
		Args     []string
		Params   json.RawMessage
		Env      []string
		Dir      string
		Stdin    int
		Terminal bool
		Leads    bool
	}
	if err := json.Unmarshal(r.Output, &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"x y", "--b=1.5", "$(touch x); '"}; strings.Join(got.Args, "|") != strings.Join(want, "|") {
		t.Errorf("arguments %q, want %q", got.Args, want)
	}
	if string(got.Params) != `{"a":"x y","b":1.5}` || got.Stdin != 0 || got.Terminal || !got.Leads {
		t.Errorf("params %s, %d bytes of stdin, terminal %t, leads its group %t", got.Params, got.Stdin, got.Terminal, got.Leads)
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(task.Dir, "work"))
	if err != nil || got.Dir != dir {
		t.Errorf("folder %q, want %q, %v", got.Dir, dir, err)
	}
	work := filepath.Join(task.Dir, "work")
	want := []string{
		"EXECUTOR_TEST_PASSED=let through", programVariable + "=1", "HOME=" + work, "LC_ALL=C.UTF-8", "OMP_NUM_THREADS=1",
		"PATH=/usr/bin:/bin", "PYTHONHASHSEED=0", "RLAM_ATTEMPT=2", "RLAM_CALL=4.1", "RLAM_EXECUTION=", "RLAM_IDEMPOTENCY_KEY=key",
		"RLAM_SEED=0", "SOURCE_DATE_EPOCH=315532800", "TMPDIR=" + work + "/tmp", "TZ=UTC",
	}
	for i, v := range got.Env {
		if i >= len(want) || v != want[i] && !strings.HasPrefix(v, "RLAM_EXECUTION=") {
			t.Errorf("environment %q, want %q", got.Env, want)
			break
		}
	}
	if len(got.Env) != len(want) {
		t.Errorf("%d variables, want %d", len(got.Env), len(want))
	}
}

func TestFolderIsNew(t *testing.T) {
	task := command(t, `{}`, "result", `{}`)
	s := newSet(t, executor.Config{})
	if _, f := outcome(t, s, task); f != nil {
		t.Fatal(f)
	}
	if _, err := s.Start(t.Context(), task); err == nil {
		t.Error("a second attempt got the folder of the first")
	}
}

func TestScriptsAndArtifactsArePlacedAndCollected(t *testing.T) {
	blobs := &store.Mem{}
	data, _, _ := blobs.Put(t.Context(), strings.NewReader("x,y\n1,2\n"))
	script, _, _ := blobs.Put(t.Context(), strings.NewReader("#!/bin/sh\nset -e\n[ ! -w params.json ] || [ \"$(id -u)\" = 0 ]\nexec \"$EXE\" copy \"$1\"\n"))
	task := command(t, fmt.Sprintf(`{"file":%q,"note":%q}`, data, data))
	task.Binding.Command.Env["EXE"] = task.Binding.Command.Argv[0]
	task.Binding.Command.Argv = []string{"./bin/copy.sh", "{params.file}"}
	task.Binding.Command.Files = []string{"bin/copy.sh"}
	task.Files = map[string]canon.Digest{"bin/copy.sh": script}
	task.Takes, task.Returns = json.RawMessage(fileSchema), json.RawMessage(fileSchema)
	r, f := outcome(t, newSet(t, executor.Config{Blobs: blobs}), task)
	if f != nil {
		t.Fatalf("%v\n%s", f, f.Stderr)
	}
	if want := fmt.Sprintf(`{"again":"%[1]s","file":"%[1]s","note":"out/copy.csv"}`, data); string(r.Output) != want {
		t.Errorf("output %s, want %s", r.Output, want)
	}
	if len(r.Artifacts) != 1 || r.Artifacts[0] != (executor.Artifact{Name: "out/copy.csv", Digest: data, Size: 8, MediaType: "text/csv"}) {
		t.Errorf("artifacts %+v", r.Artifacts)
	}
	params, err := os.ReadFile(filepath.Join(task.Dir, "work", "params.json"))
	if want := fmt.Sprintf(`{"file":"inputs/%s","note":"%s"}`, data.Hex(), data); err != nil || string(params) != want {
		t.Errorf("params.json %s, want %s, %v", params, want, err)
	}
}

func TestOutputsThatLeadElsewhereAreRefused(t *testing.T) {
	for _, c := range []struct{ target, file string }{
		{"/etc/passwd", "link"},
		{"real.txt", "link"},
		{"x", "../../../../etc/passwd"},
		{"x", "/etc/passwd"},
		{"x", "folder/real.txt"},
		{"x", "pipe"},
		{"x", "tmp"},
		{"x", "."},
		{"x", ""},
		{"x", "missing"},
		{"x", `..\\x`},
	} {
		task := command(t, `{}`, "link", c.target, c.file)
		task.Returns = json.RawMessage(fileSchema)
		_, f := outcome(t, newSet(t, executor.Config{}), task)
		if f == nil || f.Type != executor.TypeInvalidOutput || len(f.Artifacts) != 0 {
			t.Errorf("file %q (link to %q): failure %+v", c.file, c.target, f)
		}
	}
	_, f := outcome(t, newSet(t, executor.Config{}), command(t, `{}`, "link result"))
	wantFailure(t, f, executor.TypeInvalidOutput, "is a link")
}

func TestResultIsStrictJSON(t *testing.T) {
	for raw, word := range map[string]string{
		``: "empty", `{`: "JSON", `{"a":1,"a":2}`: "duplicate", `{"a":NaN}`: "JSON", `{"a":1} {}`: "after",
		`{"a":12345678901234567890123}`: "exact", `"` + strings.Repeat("x", 100<<10) + ``: "JSON",
	} {
		_, f := outcome(t, newSet(t, executor.Config{}), command(t, `{}`, "result", raw))
		if f == nil || f.Type != executor.TypeInvalidOutput || !strings.Contains(f.Message, word) {
			t.Errorf("%.40q: failure %v, want a word of %q", raw, f, word)
		}
	}
	_, f := outcome(t, newSet(t, executor.Config{}), command(t, `{}`, "nothing"))
	wantFailure(t, f, executor.TypeInvalidOutput, "result.json")
	task := command(t, `{}`)
	task.Binding.Command.Argv = []string{"/bin/sh", "-c", `head -c 2000000 /dev/zero | tr '\0' ' ' > result.json`}
	_, f = outcome(t, newSet(t, executor.Config{}), task)
	wantFailure(t, f, executor.TypeInvalidOutput, "larger than 1048576")
}

func TestHowAProgramFailed(t *testing.T) {
	s := newSet(t, executor.Config{})
	noise := strings.Repeat("é", 4000) + " convergence NOT achieved"
	_, f := outcome(t, s, command(t, `{}`, "fail", "", noise, "2"))
	wantFailure(t, f, executor.TypeExitStatus, "status 2")
	if f.Exit == nil || *f.Exit != 2 || !strings.HasSuffix(f.Stderr, "convergence NOT achieved") || len(f.Stderr) > 4<<10 || !strings.HasPrefix(f.Stderr, "é") {
		t.Errorf("exit %v, stderr of %d bytes %.20q", f.Exit, len(f.Stderr), f.Stderr)
	}
	if string(f.Partial) != `{"so_far":1}` || f.Log.Size != int64(len(noise)) {
		t.Errorf("partial output %s, log of %d bytes", f.Partial, f.Log.Size)
	}
	_, f = outcome(t, s, command(t, `{}`, "fail", `{"type":"lab.OutOfRange","message":"too hot"}`, ""))
	if wantFailure(t, f, "lab.OutOfRange", "too hot"); *f.Exit != 1 {
		t.Errorf("exit %d", *f.Exit)
	}
	for _, raw := range []string{`{"type":"rlam.Cancelled","message":"m"}`, `{"type":"nodots","message":"m"}`, `{"Type":"lab.X","message":"m"}`, `[]`} {
		if _, f = outcome(t, s, command(t, `{}`, "fail", raw, "")); f == nil || f.Type != executor.TypeExitStatus || len(f.Causes) == 0 {
			t.Errorf("error.json %s: %+v", raw, f)
		}
	}
	task := command(t, `{}`)
	task.Binding.Command.Argv = []string{"/bin/sh", "-c", "kill -SEGV $$"}
	_, f = outcome(t, s, task)
	if wantFailure(t, f, executor.TypeSignalled, "SIGSEGV"); f.Signal != "SIGSEGV" || f.Exit != nil {
		t.Errorf("signal %q, exit %v", f.Signal, f.Exit)
	}
	task.Binding.Command.Argv = []string{"/bin/sh", "-c", `echo '{"type":"lab.X","message":"m"}' > error.json; echo '{}' > result.json`}
	task.Dir += "2"
	_, f = outcome(t, s, task)
	wantFailure(t, f, "lab.X", "m")
}

func TestProgramsThatCannotStart(t *testing.T) {
	s := newSet(t, executor.Config{Path: "relative:/usr/bin:/bin"})
	for name, argv := range map[string][]string{
		"unknown": {"no-such-program"}, "missing": {"/no/such"}, "folder": {"/tmp"}, "not executable": {"/etc/passwd"},
		"chosen by a parameter": {"{params.a}"}, "empty": {""}, "none": {}, "option by a parameter": {"true", "--{params.a}"},
	} {
		task := command(t, `{"a":"true"}`)
		task.Binding.Command.Argv = argv
		if _, f := outcome(t, s, task); f == nil || f.Type != executor.TypeNotStarted {
			t.Errorf("%s: %v", name, f)
		}
	}
	for _, name := range []string{"HOME", "RLAM_SEED", "A=B", "", "A\x00"} {
		task := command(t, `{}`, "result", `{}`)
		task.Binding.Command.Pass = []string{name}
		if _, f := outcome(t, s, task); f == nil || f.Type != executor.TypeNotStarted {
			t.Errorf("variable %q: %v", name, f)
		}
	}
}

func TestValuesNeverBecomeOptionsOrMoreArguments(t *testing.T) {
	s := newSet(t, executor.Config{})
	for _, c := range []struct {
		arg, value string
		want       string // "" if refused
	}{
		{"{params.a}", `"; touch x"`, "; touch x"},
		{"{params.a}", `"$(touch x) * ~ \\ '"`, `$(touch x) * ~ \ '`},
		{"{params.a}", `"-oProxyCommand=x"`, ""},
		{"{params.a}", `-1`, "-1"}, // a number by its schema, and no option
		{"{params.a}", `"-1"`, ""},
		{"{params.e}{params.a}", `-1`, ""},
		{"{params.e}{params.a}", `"-x"`, ""},
		{"--t={params.a}", `-1`, "--t=-1"},
		{"x{params.a}", `"-x"`, "x-x"},
		{"{params.a}", `"a\nb"`, ""},
		{"{params.a}", `"a\u0000b"`, ""},
		{"{params.a}", `"a\u001bb"`, ""},
		{"{params.a}", `true`, "true"},
		{"{params.a}", `1e-7`, "1e-7"},
		{"{params.a}", `null`, ""},
		{"{params.a}", `[1]`, ""},
		{"{params.a}", `{}`, ""},
		{"{params.b}", `1`, ""},
		{"{params.a}", `"{params.e}"`, "{params.e}"},
		{"{a}", `1`, "{a}"},
	} {
		task := command(t, `{"e":"","a":`+c.value+`}`, "describe", c.arg)
		r, f := outcome(t, s, task)
		if c.want == "" {
			if f == nil || f.Type != executor.TypeInvalidParams {
				t.Errorf("%q with %s: %s, %v; want it refused", c.arg, c.value, r.Output, f)
			}
			continue
		}
		var got struct{ Args []string }
		if f != nil || json.Unmarshal(r.Output, &got) != nil || len(got.Args) != 1 || got.Args[0] != c.want {
			t.Errorf("%q with %s: %q, %v; want %q", c.arg, c.value, got.Args, f, c.want)
		}
	}
	if _, f := outcome(t, s, command(t, `{"a":"-x"}`, "describe", "--", "{params.a}")); f != nil {
		t.Errorf("after \"--\": %v", f)
	}
}

func TestPassedValuesStayOutOfLogAndFailure(t *testing.T) {
	const canary = "s3cr3t-canary-s3cr3t"
	t.Setenv("EXECUTOR_TEST_TOKEN", canary)
	blobs := &store.Mem{}
	task := command(t, `{}`, "echo variable", "EXECUTOR_TEST_TOKEN")
	task.Binding.Command.Pass = []string{"EXECUTOR_TEST_TOKEN"}
	s := newSet(t, executor.Config{Blobs: blobs})
	_, f := outcome(t, s, task)
	wantFailure(t, f, "lab.Denied", "token [EXECUTOR_TEST_TOKEN]")
	log := text(t, blobs, f.Log.Digest)
	env, err := s.Environment(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := json.Marshal([]any{f, log, env})
	if strings.Contains(string(all), canary) || log != "<[EXECUTOR_TEST_TOKEN]>" || f.Stderr != log {
		t.Errorf("log %q, all: %s", log, all)
	}
}
