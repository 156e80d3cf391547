package executor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const zombieState = 5 // SZOMB of <sys/proc.h>

// processAttributes put a program into a session, and so a group, of its own, without
// a terminal that it could ask for a password.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// awaitExit returns when process pid, a child, has ended, and leaves it to be waited for.
func awaitExit(pid int) {
	queue, err := unix.Kqueue()
	if err != nil {
		return
	}
	defer unix.Close(queue)
	var exit [1]unix.Kevent_t
	unix.SetKevent(&exit[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	exit[0].Fflags = unix.NOTE_EXIT
	var events [1]unix.Kevent_t
	for {
		// ESRCH: it has ended already.
		if _, err := unix.Kevent(queue, exit[:], events[:], nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// boot names this boot of the machine: a process id means the same thing within it only.
var boot = sync.OnceValue(func() string {
	t, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return "unknown"
	}
	return strconv.FormatInt(t.Sec, 10)
})

// startOf is when a process began, in microseconds since 1970; os.ErrNotExist if there
// is none.
func startOf(pid int) (string, error) {
	p, err := readProcess(pid)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(p.began, 10), nil
}

func parseStart(started string) (uint64, error) {
	us, err := strconv.ParseUint(started, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the start of a process, %q: %w", started, err)
	}
	return us, nil
}

func readProcess(pid int) (process, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid { // no such process: an empty answer
		return process{}, os.ErrNotExist
	}
	return fromKernel(info), nil
}

func fromKernel(info *unix.KinfoProc) process {
	return process{
		pid: int(info.Proc.P_pid), parent: int(info.Eproc.Ppid), group: int(info.Eproc.Pgid),
		began:  uint64(info.Proc.P_starttime.Sec)*1e6 + uint64(info.Proc.P_starttime.Usec),
		zombie: info.Proc.P_stat == zombieState,
	}
}

func processes() ([]process, error) {
	infos, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, err
	}
	all := make([]process, len(infos))
	for i := range infos {
		all[i] = fromKernel(&infos[i])
	}
	return all, nil
}

// carries can't be answered here: the kernel shows no process's environment. What left
// its group and lost its parent isn't found.
func carries(int, string) bool { return false }

// send signals p, after one more look that its number is still its own.
func send(p process, s syscall.Signal) {
	if now, err := readProcess(p.pid); err == nil && now.began == p.began {
		unix.Kill(p.pid, s) // an error means that it has ended
	}
}

func kernel() string {
	release, _ := unix.Sysctl("kern.osrelease")
	return "Darwin " + release
}

// memory is the machine's, in bytes.
func memory() uint64 {
	n, _ := unix.SysctlUint64("hw.memsize")
	return n
}
