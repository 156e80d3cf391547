package executor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"rlam/internal/canon"
	"rlam/schemas"
)

// Env is where an attempt ran. Two attempts with equal identities ran in the same
// environment, as far as it was looked at: libraries that a program opens only while it
// runs, and the packages of an interpreter, were not.
type Env struct {
	Identity      Identity      `json:"identity"`
	Circumstances Circumstances `json:"circumstances"`
	// Isolation is what kept the attempt from the rest of the machine.
	Isolation schemas.Isolation `json:"isolation"`
}

// Identity is what can change a result.
type Identity struct {
	OS        string            `json:"os"`
	Arch      string            `json:"arch"`
	Worker    *Build            `json:"worker,omitempty"`    // of a builtin, or a request: the worker is the program
	Program   *Program          `json:"program,omitempty"`   // of a command; none if only its prefix can find it
	Prefix    *Program          `json:"prefix,omitempty"`    // the first of what a command has before its program
	Variables map[string]string `json:"variables,omitempty"` // of a command: those with the same value in every attempt
	Passed    []string          `json:"passed,omitempty"`    // of a command: names of variables let through; their values may be secrets
	Probes    map[string]Probe  `json:"probes,omitempty"`    // of a command: what its binding has asked for, by command line
	Secrets   []string          `json:"secrets,omitempty"`   // of a request: names of the secrets in it
	Allowed   []string          `json:"allowed,omitempty"`   // of a request: addresses that the worker lets through though they aren't public

	FixedAddresses bool `json:"fixed_addresses,omitempty"` // of a command: without address-space randomisation

	Confinement *Confinement `json:"confinement,omitempty"` // of a command that was kept apart

	// Instructions are the extensions of the instruction set that numerical code chooses
	// between when it starts. The processor's model is a circumstance, although a library
	// that chooses by model, as OpenBLAS does, can round differently on two of them: an
	// identity that names it would hold on one kind of machine only.
	Instructions []string `json:"instructions,omitempty"`
	// Interpreter is what a script's first line has it run by. One that was not found has
	// no digest.
	Interpreter *Program `json:"interpreter,omitempty"`
	// Libraries are the shared libraries that the program, or its interpreter, is linked
	// with, by the names it knows them by. One that was not found has no digest.
	Libraries map[string]canon.Digest `json:"libraries,omitempty"`
}

// Confinement is what a command could not reach. A program can come to another result
// where it finds no network, fewer files or less memory.
type Confinement struct {
	Level    schemas.Isolation `json:"level"`
	Offline  bool              `json:"offline,omitempty"`  // no network
	Memory   int64             `json:"memory,omitempty"`   // bytes a process
	FileSize int64             `json:"file_size"`          // bytes
	Readable []string          `json:"readable,omitempty"` // what the worker showed a sandbox besides the system
}

// Build is the worker's own program.
type Build struct {
	Digest  canon.Digest      `json:"digest"`
	Go      string            `json:"go"`
	Modules map[string]string `json:"modules,omitempty"` // version by path; a replaced module's is "PATH VERSION" of what stands in
}

// Program is the file that a command runs, links followed. A program that came with the
// binding has no path, as it is in another folder each time.
type Program struct {
	Name   string       `json:"name"` // as in the command line
	Path   string       `json:"path,omitempty"`
	Digest canon.Digest `json:"digest"`
}

// Circumstances are what shouldn't change a result, and help when one did change.
type Circumstances struct {
	Host     string `json:"host"`
	Kernel   string `json:"kernel,omitempty"`
	CPU      string `json:"cpu,omitempty"` // the processor's model
	CPUs     int    `json:"cpus"`
	Memory   uint64 `json:"memory,omitempty"` // bytes
	TimeZone string `json:"time_zone"`        // the worker's; a command's is UTC
}

// Environment is the environment of t's attempt on this worker.
func (s *Set) Environment(ctx context.Context, t Task) (Env, error) {
	e, err := s.describe(ctx, t)
	if f := (*Failure)(nil); errors.As(err, &f) && f.Type == TypeProbeFailed {
		err = nil // the identity says so, of an attempt that has failed for it
	}
	return e, err
}

// describe is Environment. If a probe failed it is a *Failure, and the identity says which.
func (s *Set) describe(ctx context.Context, t Task) (Env, error) {
	e := Env{
		Identity:      Identity{OS: runtime.GOOS, Arch: runtime.GOARCH, Instructions: instructions()},
		Circumstances: circumstances(),
	}
	var err error
	if e.Isolation, err = s.walls.level(ctx, t); err != nil {
		return Env{}, err
	}
	cmd := commandOf(t.Binding)
	if cmd == nil {
		e.Identity.Secrets, e.Identity.Allowed = secretNames(t.Binding), s.allowed(t.Binding)
		e.Identity.Worker, err = ownBuild()
		if err != nil {
			return Env{}, fmt.Errorf("describing the worker: %w", err)
		}
		return e, nil
	}
	search := searchPath(cmd, s.path)
	e.Identity.Variables = fixedFor(t)
	e.Identity.Variables["PATH"] = search
	maps.Copy(e.Identity.Variables, cmd.Env)
	e.Identity.Confinement = s.walls.confinement(e.Isolation, t)
	for _, name := range cmd.Pass {
		delete(e.Identity.Variables, name)
	}
	e.Identity.Passed = slices.Sorted(slices.Values(cmd.Pass))
	e.Identity.FixedAddresses = cmd.FixedAddresses
	if len(cmd.Prefix) > 0 {
		if e.Identity.Prefix, err = programOf(ctx, t, cmd.Prefix, search); err != nil {
			return Env{}, fmt.Errorf("describing the prefix of %q: %w", t.Action, err)
		}
	}
	e.Identity.Program, err = programOf(ctx, t, cmd.Argv, search)
	if f := (*Failure)(nil); errors.As(err, &f) && len(cmd.Prefix) > 0 {
		err = nil // an environment or an image that the prefix opens has it
	}
	if err != nil {
		return Env{}, fmt.Errorf("describing the program of %q: %w", t.Action, err)
	}
	if err := s.loaded(ctx, t, search, &e.Identity); err != nil {
		return Env{}, fmt.Errorf("describing what the program of %q loads: %w", t.Action, err)
	}
	e.Identity.Probes, err = s.prober.probes(ctx, t, e.Identity.Program)
	return e, err
}

func programOf(ctx context.Context, t Task, argv []string, search string) (*Program, error) {
	if len(argv) == 0 {
		return nil, &Failure{Type: TypeNotStarted, Message: "the binding's command line is empty"}
	}
	p := &Program{Name: argv[0]}
	if strings.ContainsRune(p.Name, '/') && !filepath.IsAbs(p.Name) {
		name := filepath.ToSlash(filepath.Clean(p.Name))
		d, ok := t.Files[name]
		if !ok {
			return nil, &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("the program %q is not among the binding's files", p.Name)}
		}
		p.Digest = d
		return p, nil
	}
	file, err := findProgram(p.Name, "/", search)
	if err != nil {
		return nil, err
	}
	if p.Path, err = filepath.EvalSymlinks(file); err != nil {
		return nil, err
	}
	p.Digest, err = programs.digest(ctx, p.Path)
	return p, err
}

// ownBuild describes the running program. It is read once: the file may be replaced
// while the process goes on with what it was.
var ownBuild = sync.OnceValues(func() (*Build, error) {
	file, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &Build{Go: runtime.Version()}
	if b.Digest, err = digestFile(context.Background(), runningFile(file)); err != nil {
		return nil, err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b, nil
	}
	b.Modules = make(map[string]string, len(info.Deps))
	for _, m := range info.Deps {
		b.Modules[m.Path] = m.Version
		if m.Replace != nil {
			b.Modules[m.Path] = strings.TrimSpace(m.Replace.Path + " " + m.Replace.Version)
		}
	}
	return b, nil
})

// runningFile is a path that leads to the running program even if another file has
// taken its place.
func runningFile(file string) string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	return file
}

// MachineMemory is what this machine has, in bytes; 0 if it isn't known.
func MachineMemory() uint64 { return memory() }

var circumstances = sync.OnceValue(func() Circumstances {
	host, _ := os.Hostname()
	return Circumstances{Host: host, Kernel: kernel(), CPU: processor(), CPUs: runtime.NumCPU(), Memory: memory(), TimeZone: time.Local.String()}
})

// programs are the digests of files that were hashed, as long as the files look the same.
var programs digests

type digests struct {
	mu    sync.Mutex
	files map[string]hashed
}

type hashed struct {
	info   os.FileInfo
	digest canon.Digest
}

func (c *digests) digest(ctx context.Context, file string) (canon.Digest, error) {
	info, err := os.Stat(file)
	if err != nil {
		return canon.Digest{}, err
	}
	c.mu.Lock()
	old, ok := c.files[file]
	c.mu.Unlock()
	if ok && os.SameFile(old.info, info) && old.info.Size() == info.Size() && old.info.ModTime().Equal(info.ModTime()) {
		return old.digest, nil
	}
	d, err := digestFile(ctx, file)
	if err != nil {
		return canon.Digest{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = make(map[string]hashed)
	}
	c.files[file] = hashed{info, d}
	return d, nil
}

func digestFile(ctx context.Context, file string) (d canon.Digest, err error) {
	f, err := os.Open(file)
	if err != nil {
		return d, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return d, fmt.Errorf("hashing %q: %w", file, err)
	}
	if err := ctx.Err(); err != nil {
		return d, err
	}
	return canon.Digest(h.Sum(nil)), nil
}
