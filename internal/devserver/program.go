package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Program is Temporal's command line on this machine; it holds the server and
// Temporal UI. It is the first of these that works:
//
//   - the file that RLAM_TEMPORAL names, and then nothing else;
//   - the program that the database below the home was last used with;
//   - temporal on PATH;
//   - one that was downloaded or built earlier, in rlam/bin of the user's cache;
//   - the SDK's download of the release that fits it;
//   - the version that tools/temporal pins, built by the go command.
//
// Working means to hold a server of [OldestServer] or later.
type Program struct {
	Path    string
	Version string // of the Temporal server that it holds, such as 1.29.1
}

// OldestServer is the oldest server that is used: the one that tools/temporal
// pins, against which this module is tested.
const OldestServer = "1.29.1"

// versionLimit bounds how long a program may take to tell its version.
const versionLimit = 20 * time.Second

// NoProgramError says that no program for the server was found, and why not.
type NoProgramError struct {
	Tried []Attempt
}

// Attempt is one place where a program was looked for.
type Attempt struct {
	Place string // such as "temporal on PATH"
	Err   error
}

func (e *NoProgramError) Error() string {
	var b strings.Builder
	b.WriteString("finding a Temporal server: nothing works on this machine")
	for _, a := range e.Tried {
		fmt.Fprintf(&b, "\n  %s: %v", a.Place, a.Err)
	}
	b.WriteString("\nDo one of these:" +
		"\n  install Temporal's command line, so that temporal is on PATH (https://docs.temporal.io/cli)" +
		"\n  install Go, so that the server can be built (https://go.dev/dl)" +
		"\n  set TEMPORAL_ADDRESS to the host:port of a Temporal server that runs")
	return b.String()
}

// Unwrap returns what each attempt met.
func (e *NoProgramError) Unwrap() []error {
	errs := make([]error, len(e.Tried))
	for i, a := range e.Tried {
		errs[i] = a.Err
	}
	return errs
}

// FindProgram finds, downloads or builds the server's program and starts
// nothing. It is for preparing a machine, or a suite of tests.
func FindProgram(ctx context.Context, o Options) (Program, error) {
	return findProgram(ctx, o, Program{})
}

// findProgram is FindProgram for a database that was last used with a program,
// which is kept while it is there and unchanged.
func findProgram(ctx context.Context, o Options, last Program) (Program, error) {
	if path := os.Getenv("RLAM_TEMPORAL"); path != "" {
		p, err := checkProgram(ctx, path)
		if err != nil {
			return Program{}, fmt.Errorf("using the program that RLAM_TEMPORAL names: %w", err)
		}
		return p, nil
	}
	if last.Path != "" {
		if p, err := checkProgram(ctx, last.Path); err == nil && p.Version == last.Version {
			return p, nil
		}
	}
	places := []struct {
		name string
		find func(context.Context, Options) (string, error)
		note bool // a person would expect this one to be used
	}{
		{"temporal on PATH", func(context.Context, Options) (string, error) { return exec.LookPath("temporal") }, true},
		{"one built earlier", func(context.Context, Options) (string, error) { return existing(builtName) }, false},
		{"one downloaded earlier", func(context.Context, Options) (string, error) { return existing(downloadedName) }, false},
		{"the SDK's download", download, true},
		{"building the pinned version", build, false},
	}
	var none NoProgramError
	for _, place := range places {
		path, err := place.find(ctx, o)
		if err == nil {
			var p Program
			if p, err = checkProgram(ctx, path); err == nil {
				return p, nil
			}
		}
		if ctx.Err() != nil {
			return Program{}, fmt.Errorf("finding a Temporal server: %s: %w", place.name, ctx.Err())
		}
		if place.note && !errors.Is(err, exec.ErrNotFound) {
			o.note("not used: %s: %v", place.name, err)
		}
		none.Tried = append(none.Tried, Attempt{place.name, err})
	}
	return Program{}, &none
}

// serverIn finds the server's version in what `temporal --version` prints, such
// as "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)".
var serverIn = regexp.MustCompile(`(?i)\bserver (\d+\.\d+\.\d+)`)

// checkProgram runs the program for its version.
func checkProgram(ctx context.Context, name string) (Program, error) {
	// It will be run in another directory.
	path, err := filepath.Abs(name)
	if err != nil {
		return Program{}, fmt.Errorf("locating %q: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = withoutTemporal(os.Environ())
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return Program{}, fmt.Errorf("running %q --version: %w", path, err)
	}
	found := serverIn.FindSubmatch(out)
	if found == nil {
		return Program{}, fmt.Errorf("running %q --version: no server's version in %.100q", path, out)
	}
	p := Program{Path: path, Version: string(found[1])}
	if !atLeast(p.Version, OldestServer) {
		return Program{}, fmt.Errorf("%q holds server %s, older than %s", path, p.Version, OldestServer)
	}
	return p, nil
}

// atLeast compares versions of three numbers.
func atLeast(version, least string) bool {
	v, l := strings.Split(version, "."), strings.Split(least, ".")
	for i := range l {
		if i >= len(v) {
			return false
		}
		a, _ := strconv.Atoi(v[i])
		b, _ := strconv.Atoi(l[i])
		if a != b {
			return a > b
		}
	}
	return true
}

// series is the part of a version in which the database's schema stays: 1.29.
func series(version string) string {
	if i := strings.LastIndexByte(version, '.'); i >= 0 {
		return version[:i]
	}
	return version
}

// programDir is where programs are kept that were downloaded or built. They can
// be had again, so they lie in the cache, shared by all homes.
func programDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache: %w", err)
	}
	return filepath.Join(cache, "rlam", "bin"), nil
}

// existing is a program that is in programDir already.
func existing(name string) (string, error) {
	dir, err := programDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, executable(name))
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return path, nil
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
