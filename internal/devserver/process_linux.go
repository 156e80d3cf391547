package devserver

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// processStart is the identity that an id lacks: the boot, and the clock ticks
// between it and the start of the process (proc_pid_stat(5), field 22). A
// process that has ended and waits to be reaped has none.
func processStart(pid int) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field is the program's name in parentheses and may hold spaces
	// and parentheses itself; the third begins after the last one.
	end := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[end+1:])
	if end < 0 || len(fields) < 20 {
		return "", fmt.Errorf("reading /proc/%d/stat: unexpected format", pid)
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return "", os.ErrProcessDone
	}
	return strings.TrimSpace(string(boot)) + "/" + string(fields[19]), nil
}

// attach has the kernel kill the process when the thread that started it ends.
func attach() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
