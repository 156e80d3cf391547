//go:build unix && !linux && !darwin

package devserver

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// processStart is the identity that an id lacks: the second at which the
// process started. A process that has ended and waits to be reaped has none.
func processStart(pid int) (string, error) {
	out, err := exec.Command("ps", "-o", "stat=", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", err
	}
	stat, start, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if stat == "" || strings.HasPrefix(stat, "Z") {
		return "", os.ErrProcessDone
	}
	return strings.TrimSpace(start), nil
}

// attach leaves the process in the caller's session, where an interrupt from
// the terminal reaches it.
func attach() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
