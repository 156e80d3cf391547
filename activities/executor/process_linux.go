package executor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// processAttributes put a program into a session, and so a group, of its own, without
// a terminal that it could ask for a password; and have it killed when the worker dies.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when process pid, a child, has ended, and leaves it to be waited for.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// boot names this boot of the machine and this process namespace: a process id means
// the same thing within them only.
var boot = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		namespace = "unknown"
	}
	return strings.TrimSpace(string(id)) + " " + namespace
})

// startOf is when a process began, in clock ticks since the boot; os.ErrNotExist if
// there is none, or only what is left of one.
func startOf(pid int) (string, error) {
	p, err := readProcess(pid)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(p.began, 10), nil
}

func parseStart(started string) (uint64, error) {
	ticks, err := strconv.ParseUint(started, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the start of a process, %q: %w", started, err)
	}
	return ticks, nil
}

// readProcess reads /proc/PID/stat, see proc_pid_stat(5). The second field is the
// program's name in parentheses and may hold anything, parentheses too.
func readProcess(pid int) (process, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, syscall.ESRCH) {
		err = os.ErrNotExist // it ended between open and read
	}
	if err != nil {
		return process{}, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return process{}, fmt.Errorf("reading /proc/%d/stat: %d fields after the name", pid, len(fields))
	}
	p := process{pid: pid, zombie: fields[0] == "Z" || fields[0] == "X"}
	var errs [3]error
	p.parent, errs[0] = strconv.Atoi(fields[1])
	p.group, errs[1] = strconv.Atoi(fields[2])
	p.began, errs[2] = strconv.ParseUint(fields[19], 10, 64)
	return p, errors.Join(errs[:]...)
}

func processes() ([]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil { // else it ended meanwhile
			all = append(all, p)
		}
	}
	return all, nil
}

// carries says whether a process was started with the mark of an execution. A process
// of another user can't be read, and isn't ours.
func carries(pid int, id string) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false
	}
	return bytes.Contains(append([]byte{0}, b...), []byte("\x00"+marker+"="+id+"\x00"))
}

// send signals p and nothing that got its number since: os.FindProcess opens a
// descriptor for the process, which is then seen to be p, and signalled through.
func send(p process, s syscall.Signal) {
	proc, err := os.FindProcess(p.pid)
	if err != nil {
		return
	}
	defer proc.Release()
	if now, err := readProcess(p.pid); err == nil && now.began == p.began {
		proc.Signal(s) // an error means that it has ended
	}
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Version[:])
}

// memory is the machine's, in bytes.
func memory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}
