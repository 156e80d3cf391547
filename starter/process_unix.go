//go:build unix

package main

import (
	"errors"
	"syscall"
)

// alive says whether a process of this machine lives.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// session gives a background process a session of its own, so that neither the
// terminal's end nor its interrupts reach it.
func session() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
