//go:build linux

package executor_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/test/need"
)

// ran is a task that runs argv, with scripts.
func ran(files map[string]canon.Digest, argv ...string) executor.Task {
	return executor.Task{Action: "lab.run@1.0.0", Binding: schemas.Binding{Command: &schemas.Command{Argv: argv}}, Files: files}
}

func TestEnvironmentNamesLibraries(t *testing.T) {
	t.Parallel()
	// A program that every system has and most link dynamically.
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	s := newSet(t, executor.Config{Blobs: &store.Mem{}})
	e, err := s.Environment(t.Context(), ran(nil, sh))
	if err != nil {
		t.Fatal(err)
	}
	libc := ""
	for name, d := range e.Identity.Libraries {
		if strings.HasPrefix(name, "libc.") {
			libc = name
		}
		if d.IsZero() {
			t.Errorf("library %q was not found", name)
		}
	}
	need.Need(t, "a shell that is linked dynamically", libc != "")
	if len(e.Identity.Libraries) < 2 {
		t.Errorf("libraries %v, want the dynamic loader among them", e.Identity.Libraries)
	}
	if e.Identity.Interpreter != nil {
		t.Errorf("interpreter %+v of a program that is no script", e.Identity.Interpreter)
	}
}

func TestEnvironmentNamesTheInterpreterOfAScript(t *testing.T) {
	t.Parallel()
	blobs := &store.Mem{}
	s := newSet(t, executor.Config{Blobs: blobs})
	put := func(text string) map[string]canon.Digest {
		d, _, err := blobs.Put(t.Context(), strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return map[string]canon.Digest{"go.sh": d}
	}
	onDisk := filepath.Join(t.TempDir(), "wrapper")
	if err := os.WriteFile(onDisk, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		task executor.Task
		want string
	}{
		{"of the binding", ran(put("#!/bin/sh -e\n"), "./go.sh"), "/bin/sh"},
		{"through env", ran(put("#!/usr/bin/env -S LANG=C sh -e\n"), "./go.sh"), "sh"},
		{"on the machine", ran(nil, onDisk), "/bin/sh"},
	} {
		e, err := s.Environment(t.Context(), c.task)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		raw, err := os.ReadFile("/bin/sh")
		if err != nil {
			t.Fatal(err)
		}
		if p := e.Identity.Interpreter; p == nil || p.Name != c.want || p.Digest != canon.Sum(raw) || !filepath.IsAbs(p.Path) {
			t.Errorf("%s: interpreter %+v, want %s", c.name, p, c.want)
		}
	}
	e, err := s.Environment(t.Context(), ran(put("#!/nowhere/interpreter\n"), "./go.sh"))
	if err != nil || *e.Identity.Interpreter != (executor.Program{Name: "/nowhere/interpreter"}) {
		t.Errorf("an interpreter that isn't there: %+v, %v", e.Identity.Interpreter, err)
	}
}

func TestALibraryThatWasReplacedIsSeen(t *testing.T) {
	t.Parallel()
	compiler := need.Program(t, "gcc")
	dir := t.TempDir()
	build := func(source string, args ...string) {
		file := filepath.Join(dir, "source.c")
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(compiler, append([]string{file}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	library := func(n int) {
		build(fmt.Sprintf("int answer(void) { return %d; }", n), "-shared", "-fPIC", "-o", filepath.Join(dir, "libanswer.so"))
	}
	library(1)
	program := filepath.Join(dir, "program")
	build("int answer(void); int main(void) { return answer(); }", "-o", program, "-L"+dir, "-lanswer", "-Wl,-rpath,$ORIGIN")

	s := newSet(t, executor.Config{Blobs: &store.Mem{}})
	look := func() executor.Env {
		e, err := s.Environment(t.Context(), ran(nil, program))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	before := look()
	if again := look(); !sameJSON(t, before, again) {
		t.Errorf("two looks at one environment: %+v and %+v", before, again)
	}
	library(22222)
	after := look()
	d, err := executor.Compare(before, after)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Identity) != 1 || d.Identity[0].Piece != "libraries libanswer.so" || d.Same() {
		t.Errorf("differences %+v, want the library alone", d)
	}
	if err := os.Remove(filepath.Join(dir, "libanswer.so")); err != nil {
		t.Fatal(err)
	}
	if gone, ok := look().Identity.Libraries["libanswer.so"]; !ok || !gone.IsZero() {
		t.Errorf("digest %v of a library that is gone", gone)
	}
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, _, err := canon.Of(a)
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := canon.Of(b)
	if err != nil {
		t.Fatal(err)
	}
	return x == y
}

func TestCompareEnvironments(t *testing.T) {
	t.Parallel()
	a := executor.Env{
		Identity: executor.Identity{
			OS: "linux", Arch: "amd64", Instructions: []string{"avx", "fma"}, Variables: map[string]string{"TZ": "UTC", "LIST": "one 1\ntwo 2\n"},
		},
		Circumstances: executor.Circumstances{Host: "alpha", CPUs: 4}, Isolation: "none",
	}
	b := a
	b.Identity.Instructions = []string{"avx"}
	b.Identity.Variables = map[string]string{"LIST": "one 1\ntwo 3\n", "NEW": "x"}
	b.Circumstances.Host, b.Isolation = "beta", "sandbox"
	d, err := executor.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	identity := []executor.Difference{
		{Piece: "instructions", A: "avx, fma", B: "avx"},
		{Piece: "variables LIST", A: "two 2"},
		{Piece: "variables LIST", B: "two 3"},
		{Piece: "variables NEW", B: "x"},
		{Piece: "variables TZ", A: "UTC"},
	}
	circumstances := []executor.Difference{{Piece: "host", A: "alpha", B: "beta"}, {Piece: "isolation", A: "none", B: "sandbox"}}
	if !slices.Equal(d.Identity, identity) || !slices.Equal(d.Circumstances, circumstances) || d.Same() {
		t.Errorf("differences\n%+v\nwant\n%+v\n%+v", d, identity, circumstances)
	}
	a.Circumstances.Host = "gamma"
	if same, err := executor.Compare(a, a); err != nil || !same.Same() || len(same.Circumstances) != 0 {
		t.Errorf("an environment differs from itself: %+v, %v", same, err)
	}
}

func TestEnvironmentSaysWhatRan(t *testing.T) {
	blobs := &store.Mem{}
	s := newSet(t, executor.Config{Blobs: blobs})
	exe, _ := os.ReadFile("/proc/self/exe")
	e, err := s.Environment(t.Context(), executor.Task{})
	if err != nil {
		t.Fatal(err)
	}
	if e.Identity.Worker == nil || e.Identity.Worker.Digest != canon.Sum(exe) || e.Identity.Worker.Go != runtime.Version() || e.Isolation != "none" {
		t.Errorf("environment %+v", e)
	}
	task := command(t, `{}`)
	task.Binding.Command.Argv = []string{"sh"}
	e, err = s.Environment(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	sh, _ := filepath.EvalSymlinks("/bin/sh")
	raw, _ := os.ReadFile(sh)
	if p := e.Identity.Program; p == nil || p.Name != "sh" || p.Digest != canon.Sum(raw) || e.Identity.Worker != nil || e.Identity.Variables["TZ"] != "UTC" {
		t.Errorf("identity %+v of a command", e.Identity)
	}
	again, _ := s.Environment(t.Context(), task)
	a, _, err := canon.Of(e)
	b, _, _ := canon.Of(again)
	if a != b || err != nil {
		t.Errorf("digests %v and %v of one environment, %v", a, b, err)
	}

	dir := t.TempDir()
	program := filepath.Join(dir, "p")
	task.Binding.Command.Argv[0] = program
	digest := func(content string) canon.Digest {
		if err := os.WriteFile(program, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		e, err := s.Environment(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		return e.Identity.Program.Digest
	}
	if digest("one") == digest("another") {
		t.Error("an exchanged program has the digest of the old one")
	}
	if _, _, err := blobs.Put(t.Context(), bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	task.Binding.Command.Argv[0], task.Files = "./fit.py", map[string]canon.Digest{"fit.py": canon.Sum(raw)}
	if e, err := s.Environment(t.Context(), task); err != nil || *e.Identity.Program != (executor.Program{Name: "./fit.py", Digest: canon.Sum(raw)}) {
		t.Errorf("program %+v, %v", e.Identity.Program, err)
	}
}
