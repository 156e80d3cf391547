package confine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Works says whether this platform has what the package needs.
const Works = true

// calledBy is the name, argv[0], by which the binary knows that it stands in front of a
// program.
const calledBy = "rlam: limits before a program"

// The descriptors that the binary finds in that life; what is passed on follows them.
const (
	orderFD  = 3
	reportFD = 4
	passedFD = 5
)

// Launch is a program on its way to be executed.
type Launch struct {
	order, report *os.File
	theirs        *os.File // their end of report
}

// Prepare changes cmd, which says what is to run, so that it runs under limits. Env is
// what the binary itself gets before; cmd.Env goes to the program. Files in pass get the
// descriptors from 5 on, and reach the program. After cmd.Start comes [Launch.Await].
func Prepare(cmd *exec.Cmd, l Limits, env []string, pass ...*os.File) (*Launch, error) {
	text, err := json.Marshal(order{Program: cmd.Path, Argv: cmd.Args, Env: cmd.Env, Limits: l, Files: len(pass)})
	if err != nil {
		return nil, fmt.Errorf("confining %q: %w", cmd.Path, err)
	}
	var x Launch
	if x.order, err = File("order", text); err != nil {
		return nil, fmt.Errorf("confining %q: %w", cmd.Path, err)
	}
	if x.report, x.theirs, err = os.Pipe(); err != nil {
		x.order.Close()
		return nil, fmt.Errorf("confining %q: %w", cmd.Path, err)
	}
	// Of the child, this is the binary that runs now, even if its file was replaced.
	cmd.Path, cmd.Args, cmd.Env = "/proc/self/exe", []string{calledBy}, env
	cmd.ExtraFiles = append([]*os.File{x.order, x.theirs}, pass...)
	return &x, nil
}

// Await returns when the program runs under its limits, or why it doesn't: a
// *[NotExecuted] if it is the program that can't be executed. The process is then still
// to be waited for.
func (x *Launch) Await() error {
	x.theirs.Close()
	said, err := io.ReadAll(x.report)
	switch {
	case err != nil:
		return fmt.Errorf("confining a program: %w", err)
	case len(said) == 0: // executing the program closed the pipe
		return nil
	}
	var r report
	if err := json.Unmarshal(said, &r); err != nil {
		return fmt.Errorf("confining a program: reading %q: %w", said, err)
	}
	if r.Errno != 0 {
		return &NotExecuted{r.Errno}
	}
	return fmt.Errorf("confining a program: %s", r.Trouble)
}

// Close gives back what the launch holds. It can be called at any time after Start.
func (x *Launch) Close() {
	x.order.Close()
	x.report.Close()
	x.theirs.Close()
}

// NotExecuted says that the kernel refused the program itself.
type NotExecuted struct{ Errno syscall.Errno }

func (e *NotExecuted) Error() string { return e.Errno.Error() }

// Unwrap is the kernel's reason.
func (e *NotExecuted) Unwrap() error { return e.Errno }

// report is what the binary says when it didn't become the program.
type report struct {
	Errno   syscall.Errno // of executing the program
	Trouble string        // of anything before
}

// File is an open file without a name that holds text, to be read from its beginning.
func File(name string, text []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = io.Copy(f, bytes.NewReader(text))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("writing a file in memory: %w", err)
	}
	return f, nil
}

// init is on the process's first thread, as main is, which keeps the signal for the
// death of the parent through the exec.
func init() {
	if len(os.Args) != 1 || os.Args[0] != calledBy {
		return
	}
	var r report
	if err := obey(); !errors.As(err, &r.Errno) {
		r.Trouble = err.Error()
	}
	text, err := json.Marshal(r)
	if err == nil {
		_, err = os.NewFile(reportFD, "report").Write(text)
	}
	if err != nil {
		os.Exit(126)
	}
	os.Exit(127)
}

// obey becomes the program, and returns only if that can't be. The error is an Errno if
// the program can't be executed.
func obey() error {
	var o order
	if err := json.NewDecoder(os.NewFile(orderFD, "order")).Decode(&o); err != nil {
		return fmt.Errorf("reading the order: %v", err)
	}
	if err := closeOthers(passedFD, passedFD+o.Files); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("renouncing new privileges: %v", err)
	}
	if err := o.Limits.impose(); err != nil {
		return err
	}
	return syscall.Exec(o.Program, o.Argv, o.Env)
}

// closeOthers has exec close all files but the first three, and those from first up to
// before end.
func closeOthers(first, end int) error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("listing open files: %v", err)
	}
	for _, f := range open {
		fd, err := strconv.Atoi(f.Name())
		if err == nil && fd > 2 && (fd < first || fd >= end) {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// impose limits this process, which Memory may leave without room for more than exec:
// it is the last.
func (l Limits) impose() error {
	seconds := int64((l.CPUTime + 999_999_999) / 1_000_000_000)
	for _, one := range []struct {
		name     string
		resource int
		most     int64
		set      bool
	}{
		{"the size of a core dump", unix.RLIMIT_CORE, 0, true},
		{"open files", unix.RLIMIT_NOFILE, l.OpenFiles, l.OpenFiles > 0},
		{"the size of a file", unix.RLIMIT_FSIZE, l.FileSize, l.FileSize > 0},
		{"processor time", unix.RLIMIT_CPU, seconds, seconds > 0},
		{"memory", unix.RLIMIT_DATA, l.Memory, l.Memory > 0},
	} {
		if !one.set {
			continue
		}
		var now syscall.Rlimit
		if err := syscall.Getrlimit(one.resource, &now); err != nil {
			return fmt.Errorf("reading the limit of %s: %v", one.name, err)
		}
		most := min(uint64(one.most), now.Max)
		// syscall's, not unix's: it knows that Go itself has raised the limit of open files.
		if err := syscall.Setrlimit(one.resource, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("limiting %s to %d: %v", one.name, most, err)
		}
	}
	return nil
}
