package devserver

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// zombie is SZOMB of <sys/proc.h>.
const zombie = 5

// processStart is the identity that an id lacks: the microsecond at which the
// process started. A process that has ended and waits to be reaped has none.
func processStart(pid int) (string, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return "", err
	}
	if int(info.Proc.P_pid) != pid || info.Proc.P_stat == zombie {
		return "", os.ErrProcessDone
	}
	start := info.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", start.Sec, start.Usec), nil
}

// attach leaves the process in the caller's session, where an interrupt from
// the terminal reaches it.
func attach() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
