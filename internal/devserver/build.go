package devserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"rlam/internal/canon"
)

const (
	// pinnedVersion is the version of github.com/temporalio/cli in
	// tools/temporal/go.mod.
	pinnedVersion = "1.5.1"

	// pinnedDigest is the digest of tools/temporal's go.mod and go.sum, one after
	// the other, with line ends of Unix. The folder is looked for in places that
	// others may have written, and building runs what it names: only these two
	// files, and through go.sum only the sources they stand for, are built.
	pinnedDigest = "sha256:554cf70b0b48774f48569eab843eb142820d060ed38b5511a14eab8785d6fa93"

	// builtName is the name of the built program in programDir.
	builtName = "temporal-" + pinnedVersion

	cliModule = "github.com/temporalio/cli"

	// lifeSign is how often a build says that it goes on.
	lifeSign = 10 * time.Second
)

// build builds the pinned version with the go command. One process at a time
// does; the others wait for its result.
func build(ctx context.Context, o Options) (string, error) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return "", err
	}
	module, err := pinnedModule(searchRoots())
	if err != nil {
		return "", err
	}
	dir, err := programDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making %q: %w", dir, err)
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, builtName+".lock"), func() {
		o.note("waiting for another command that is building the Temporal server")
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if path, err := existing(builtName); err == nil {
		return path, nil
	}

	o.note("building the Temporal server, once; this takes some minutes")
	path := filepath.Join(dir, executable(builtName))
	tmp := path + ".new"
	defer os.Remove(tmp)
	if err := goBuild(ctx, o, goCommand, module, tmp); err != nil {
		return "", fmt.Errorf("building the Temporal server in %q: %w", module, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", fmt.Errorf("keeping the built program: %w", err)
	}
	return path, nil
}

// goBuild runs the go command on the pinned module.
func goBuild(ctx context.Context, o Options, goCommand, module, output string) error {
	cmd := exec.CommandContext(ctx, goCommand, "build", "-v", "-o", output,
		"-ldflags", "-s -w -X "+cliModule+"/temporalcli.Version="+pinnedVersion,
		cliModule+"/cmd/temporal")
	cmd.Dir = module
	cmd.Env = buildEnvironment(os.Environ())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out buildOutput
	cmd.Stderr = &out

	stop := sayProgress(o, &out)
	err := cmd.Run()
	stop()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("running %q build: %w\n%s", goCommand, err, out.tail())
	}
	return nil
}

// sayProgress notes every ten seconds how far the build is, until the returned
// function is called.
func sayProgress(o Options, out *buildOutput) (stop func()) {
	began := time.Now()
	done, quiet := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(quiet)
		tick := time.NewTicker(lifeSign)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				o.note("building the Temporal server: %v, %d packages and modules so far",
					time.Since(began).Round(time.Second), out.lines.Load())
			}
		}
	}()
	return func() { close(done); <-quiet }
}

// buildOutput counts what `go build -v` says, a line a package, and keeps the
// end of it, where the error is. It is written by one goroutine; only lines may
// be read meanwhile.
type buildOutput struct {
	lines atomic.Int64
	end   []byte
}

func (b *buildOutput) Write(p []byte) (int, error) {
	b.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	b.end = append(b.end, p...)
	b.end = b.end[max(0, len(b.end)-2048):]
	return len(p), nil
}

func (b *buildOutput) tail() string { return strings.TrimSpace(string(b.end)) }

// buildEnvironment drops what would build something else than a program for
// this machine out of the pinned files.
func buildEnvironment(env []string) []string {
	var kept []string
	for _, e := range env {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "GOFLAGS", "GOOS", "GOARCH", "GOWORK", "GO111MODULE":
		default:
			kept = append(kept, e)
		}
	}
	return append(kept, "GOFLAGS=", "GOWORK=off")
}

// searchRoots are the places from which the pinned module is looked for,
// upwards: this source, for `go run` and `go test`; the program; the working
// directory.
func searchRoots() []string {
	var roots []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		roots = append(roots, filepath.Dir(file))
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		roots = append(roots, filepath.Dir(exe))
	}
	if wd, err := os.Getwd(); err == nil {
		roots = append(roots, wd)
	}
	return roots
}

// pinnedModule is the first folder tools/temporal, in one of the roots or above
// it, whose content is the pinned one.
func pinnedModule(roots []string) (string, error) {
	var other error
	for _, root := range roots {
		for dir := root; ; dir = filepath.Dir(dir) {
			module := filepath.Join(dir, "tools", "temporal")
			switch digest, err := moduleDigest(module); {
			case err != nil:
			case digest.String() == pinnedDigest:
				return module, nil
			default:
				other = fmt.Errorf("%q is another version than this program pins (%s)", module, digest)
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	if other != nil {
		return "", other
	}
	return "", errors.New("the folder tools/temporal of R-LAM's sources is not here")
}

func moduleDigest(module string) (canon.Digest, error) {
	var all []byte
	for _, name := range []string{"go.mod", "go.sum"} {
		raw, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return canon.Digest{}, err
		}
		all = append(all, bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))...)
	}
	return canon.Sum(all), nil
}
