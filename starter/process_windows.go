package main

import (
	"os"
	"syscall"
)

// alive says whether a process of this machine lives.
func alive(pid int) bool {
	p, err := os.FindProcess(pid) // fails where there is none
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}

// session gives a background process a group of its own, so that the console's
// interrupts don't reach it.
func session() *syscall.SysProcAttr {
	const detachedProcess = 0x00000008
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detachedProcess}
}
