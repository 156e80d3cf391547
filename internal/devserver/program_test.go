package devserver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reports is a program that only tells its version.
func reports(version string) string { return `echo "temporal version ` + version + `"` + "\n" }

// noPrograms gives the test an empty PATH and an empty cache, and returns both.
func noPrograms(t *testing.T) (path, cache string) {
	t.Helper()
	isolate(t)
	t.Setenv("RLAM_TEMPORAL", "")
	path, home := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	cache, err := programDir()
	if err != nil {
		t.Fatal(err)
	}
	return path, cache
}

func TestNothingFound(t *testing.T) {
	noPrograms(t)
	// A process of its own, because a process reads the proxy once.
	out, err := command(t, "find", "RLAM_HOME="+t.TempDir(), "HTTPS_PROXY=http://127.0.0.1:1")
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"temporal on PATH", "built earlier", "downloaded earlier", "the SDK's download", "building the pinned version",
		`"go": executable file not found`,
		"install Go", "TEMPORAL_ADDRESS",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestProgramOrder(t *testing.T) {
	path, cache := noPrograms(t)
	find := func(last Program) (Program, string) {
		t.Helper()
		var notes strings.Builder
		p, err := findProgram(t.Context(), Options{Progress: &notes}, last)
		if err != nil {
			t.Fatal(err)
		}
		return p, notes.String()
	}
	built := filepath.Join(cache, builtName)
	script(t, built, reports("1.5.1 (Server 1.29.1, UI 2.42.1)"))
	if p, _ := find(Program{}); p != (Program{built, "1.29.1"}) {
		t.Errorf("with nothing on PATH: %+v", p)
	}

	onPath := filepath.Join(path, "temporal")
	script(t, onPath, reports("0.11.0 (server 1.22.3) (ui 2.21.3)"))
	if p, notes := find(Program{}); p.Path != built || !strings.Contains(notes, "1.22.3") {
		t.Errorf("with an old program on PATH: %+v, %q", p, notes)
	}
	script(t, onPath, "exit 1\n")
	if p, notes := find(Program{}); p.Path != built || !strings.Contains(notes, onPath) {
		t.Errorf("with a broken program on PATH: %+v, %q", p, notes)
	}
	script(t, onPath, reports("1.9.1 (Server 1.32.0, UI 2.55.0)"))
	if p, _ := find(Program{}); p != (Program{onPath, "1.32.0"}) {
		t.Errorf("with a new program on PATH: %+v", p)
	}

	// The database stays with its program, until that is another version.
	if p, _ := find(Program{built, "1.29.1"}); p.Path != built {
		t.Errorf("with a database of the built program: %+v", p)
	}
	if p, _ := find(Program{built, "1.29.0"}); p.Path != onPath {
		t.Errorf("with a database of a program that has changed: %+v", p)
	}

	named := filepath.Join(t.TempDir(), "named")
	t.Setenv("RLAM_TEMPORAL", named)
	if _, err := findProgram(t.Context(), Options{}, Program{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "RLAM_TEMPORAL") {
		t.Errorf("RLAM_TEMPORAL names nothing: %v", err)
	}
	script(t, named, reports("1.6.0 (Server 1.30.2, UI 2.45.0)"))
	if p, _ := find(Program{built, "1.29.1"}); p != (Program{named, "1.30.2"}) {
		t.Errorf("RLAM_TEMPORAL is not used: %+v", p)
	}
}

func TestAtLeast(t *testing.T) {
	for _, test := range []struct {
		version string
		want    bool
	}{{"1.29.1", true}, {"1.29.0", false}, {"1.30.0", true}, {"1.9.9", false}, {"2.0.0", true}, {"0.99.99", false}, {"1.29", false}} {
		if got := atLeast(test.version, "1.29.1"); got != test.want {
			t.Errorf("atLeast(%q, 1.29.1) is %v", test.version, got)
		}
	}
}

// A go command that takes its time: it counts itself and makes a program.
const fakeGo = `echo built >> "$COUNT"
echo some/package >&2
while [ ! -e "$GO_ON" ]; do sleep 0.01; done
printf '#!/bin/sh\necho "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"\n' > "$4"
chmod +x "$4"
`

func TestConcurrentBuildsAreOne(t *testing.T) {
	shell := os.Getenv("PATH")
	path, _ := noPrograms(t)
	script(t, filepath.Join(path, "go"), "PATH='"+shell+"'\n"+fakeGo)
	count, goOn := filepath.Join(path, "count"), filepath.Join(path, "go-on")
	t.Setenv("COUNT", count)
	t.Setenv("GO_ON", goOn)

	var notes lockedBuffer
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			path, err := build(t.Context(), Options{Progress: &notes})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := checkProgram(t.Context(), path); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "two wait for the one that builds", func() bool {
		return strings.Count(notes.String(), "waiting for another command") == 2
	})
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if raw, err := os.ReadFile(count); err != nil || string(raw) != "built\n" {
		t.Errorf("builds: %q, %v", raw, err)
	}
	if !strings.Contains(notes.String(), "some minutes") {
		t.Errorf("a build must say that it takes long: %q", notes.String())
	}
}

func TestFailedBuildShowsTheError(t *testing.T) {
	path, cache := noPrograms(t)
	script(t, filepath.Join(path, "go"), "echo 'no space left' >&2; exit 1\n")
	_, err := build(t.Context(), Options{})
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error doesn't say why: %v", err)
	}
	if _, err := existing(builtName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a failed build left a program in %q: %v", cache, err)
	}
}

func TestPinnedModule(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(wd, "..", "..", "tools", "temporal")
	digest, err := moduleDigest(module)
	if err != nil {
		t.Fatal(err)
	}
	if digest.String() != pinnedDigest {
		t.Errorf("tools/temporal has changed: pinnedDigest in build.go must be %q", digest)
	}
	mod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "\t"+cliModule+" v"+pinnedVersion+" ") {
		t.Errorf("tools/temporal doesn't require %s v%s, which build.go names", cliModule, pinnedVersion)
	}

	// Someone else's folder of that name must never be built.
	elsewhere := t.TempDir()
	copied := filepath.Join(elsewhere, "tools", "temporal")
	if err := os.CopyFS(copied, os.DirFS(module)); err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(elsewhere, "a", "b")
	if got, err := pinnedModule([]string{deep}); err != nil || got != copied {
		t.Errorf("from %q: %q, %v", deep, got, err)
	}
	changed := append(mod, "\nreplace "+cliModule+" => ./evil\n"...)
	if err := os.WriteFile(filepath.Join(copied, "go.mod"), changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := pinnedModule([]string{deep}); err == nil {
		t.Errorf("a changed module would be built: %q", got)
	}
}

func TestDownloadIsGivenUpWhenItStalls(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		began := time.Now()
		go watchStall(ctx, cancel, dir)
		// Slow, but alive: bytes come every 15 s for a minute.
		for i := range 4 {
			time.Sleep(15 * time.Second)
			if err := os.WriteFile(filepath.Join(dir, "part"), make([]byte, i+1), 0o600); err != nil {
				t.Fatal(err)
			}
			if ctx.Err() != nil {
				t.Fatalf("given up after %v, while it grew", time.Since(began))
			}
		}
		<-ctx.Done()
		if took := time.Since(began); took < 80*time.Second || took > 85*time.Second || context.Cause(ctx) != errStalled {
			t.Errorf("given up after %v: %v", took, context.Cause(ctx))
		}
	})
}

func TestBuildSaysThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buildOutput
		out.Write([]byte("a\nb\n"))
		var notes strings.Builder
		stop := sayProgress(Options{Progress: &notes}, &out)
		time.Sleep(35 * time.Second)
		stop()
		if got := strings.Count(notes.String(), "2 packages"); got != 3 {
			t.Errorf("%d lines in 35 s: %q", got, notes.String())
		}
	})
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
