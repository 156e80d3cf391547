package devserver

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

// processStart is the identity that an id lacks: the start of the process in
// units of 100 ns since 1601. A process that has ended has none.
func processStart(pid int) (string, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(h)
	if state, err := windows.WaitForSingleObject(h, 0); err != nil || state == windows.WAIT_OBJECT_0 {
		return "", os.ErrProcessDone
	}
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return "", err
	}
	return strconv.FormatUint(uint64(created.HighDateTime)<<32|uint64(created.LowDateTime), 10), nil
}

// attach leaves the process in the caller's console.
func attach() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// detach takes the process off the caller's console; Windows has no sessions of
// the kind that setsid makes.
func detach() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// interrupt can't be sent to a process without a console; SQLite's log makes a
// kill safe.
func interrupt(*os.Process) error { return errors.ErrUnsupported }

// holdDatabase does nothing: a handle can't be passed on here.
func holdDatabase(context.Context, string) (*os.File, error) { return nil, nil }
