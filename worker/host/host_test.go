package host

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rlam/activities/executor"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// TestWorkerRefusesToStart shows what a person is told about a bad configuration.
func TestWorkerRefusesToStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	twice := executor.Typed("lab.twice", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
	// What would start, if the check under test were not there, is stopped by this context.
	for name, c := range map[string]struct {
		args    []string
		env     map[string]string
		actions []executor.Builtin
		code    int
		says    string
	}{
		"unknown flag":       {args: []string{"--sotre", "x"}, code: exitUsage, says: "sotre"},
		"an argument":        {args: []string{"study.yaml"}, code: exitUsage, says: `"study.yaml"`},
		"a negative number":  {args: []string{"--parallel", "-1"}, code: exitUsage, says: "negative"},
		"an unusable store":  {args: []string{"--address", "127.0.0.1:1", "--store", filepath.Join(file, "store")}, says: "127.0.0.1:1"},
		"nobody answers":     {args: []string{"--address", "127.0.0.1:1"}, env: map[string]string{"RLAM_STORE": t.TempDir()}, says: "127.0.0.1:1"},
		"an action twice":    {args: []string{"--address", "127.0.0.1:1"}, actions: []executor.Builtin{twice, twice}, says: ""},
		"help is no failure": {args: []string{"--help"}, code: 0, says: "--store"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var said strings.Builder
			getenv := func(key string) string { return c.env[key] }
			code := run(ctx, append([]string{"worker"}, c.args...), getenv, &said, c.actions)
			if c.code != 0 && code != c.code || c.code == 0 && (code == 0) != (name == "help is no failure") {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(said.String(), c.says) || strings.Contains(said.String(), "goroutine") {
				t.Errorf("it says %q, want %q in it", said.String(), c.says)
			}
		})
	}
}

const study = `
title: T
goal: G
inputs: {data: {file: data.csv}}
actions: [table.describe]
planner: {model: m, fallbacks: [n]}
result: {type: object}
`

func load(t *testing.T, files map[string]string) *schemas.LoadedStudy {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loaded, problems := schemas.LoadStudy(filepath.Join(dir, "study.yaml"))
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	return loaded
}

func TestBeginPinsWhatARunDependsOn(t *testing.T) {
	s := &store.Mem{}
	loaded := load(t, map[string]string{"study.yaml": study, "data.csv": "x,y\n1,2\n"})
	begun, err := Begin(t.Context(), s, loaded, BeginOptions{ID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	var run record.Run
	if err := record.Load(t.Context(), s, begun.Run, &run); err != nil {
		t.Fatal(err)
	}
	if run.ID != "one" || len(run.Models) != 2 || run.Models[0] != "m" || len(run.Gates) == 0 {
		t.Errorf("%+v", run)
	}
	for what, d := range map[string]interface{ Hex() string }{
		"study": run.Study, "spec": run.Actions[0].Spec, "binding": run.Actions[0].Binding, "input": run.Inputs[0].Digest,
	} {
		if d.Hex() == strings.Repeat("0", 64) {
			t.Errorf("the %s is not pinned", what)
		}
	}
	again, err := Begin(t.Context(), s, loaded, BeginOptions{ID: "two"})
	if err != nil || again.Run == begun.Run {
		t.Errorf("two runs have the record %s, %v", again.Run, err)
	}
	if secret, err := s.Entry(t.Context(), record.SecretKey(begun.Run)); err != nil || len(secret) != 32 {
		t.Errorf("a secret of %d bytes, %v", len(secret), err)
	}
}

func TestBeginNamesEverythingThatIsMissing(t *testing.T) {
	s := &store.Mem{}
	loaded := load(t, map[string]string{"study.yaml": strings.Replace(study, "planner: {model: m, fallbacks: [n]}", "planner: {scripted: none.yaml}", 1)})
	_, err := Begin(t.Context(), s, loaded, BeginOptions{ID: "one"})
	if err == nil || !strings.Contains(err.Error(), "data.csv") || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("%v", err)
	}
	for key := range s.List(t.Context(), record.RunPrefix) {
		t.Errorf("a run that could not begin is listed as %s", key)
	}
}

func TestChangesAreCheckedLikeAFile(t *testing.T) {
	loaded := load(t, map[string]string{"study.yaml": study, "data.csv": "x\n"})
	changed, err := WithChanges(loaded, map[string]json.RawMessage{"/limits/steps": json.RawMessage("7"), "planner/model": json.RawMessage(`"o"`)})
	if err != nil {
		t.Fatal(err)
	}
	if changed.Study.Limits.Steps != 7 || changed.Study.Planner.Model != "o" || changed.Digest == loaded.Digest {
		t.Errorf("%+v", changed.Study)
	}
	if loaded.Study.Limits.Steps == 7 {
		t.Error("the study that was changed is another's")
	}
	for _, bad := range []string{"/limits/stpes", "/title/x", "", "/actions/7"} {
		if _, err := WithChanges(loaded, map[string]json.RawMessage{bad: json.RawMessage("7")}); err == nil {
			t.Errorf("setting %q was accepted", bad)
		}
	}
}
