//go:build unix

package devserver

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// detach gives the process a session of its own, so that neither the end of the
// command nor an interrupt from its terminal reaches it.
func detach() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func interrupt(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// holdDatabase locks the database against a second server. The lock belongs to
// the open file, so the server inherits it and has it until its end: even one
// whose record was lost can't be given a rival.
func holdDatabase(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the database: %w", err)
	}
	soon, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	if poll(soon, func() bool { err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); return err == nil }) != nil {
		f.Close()
		return nil, fmt.Errorf("locking the database: a server that is not on record holds %q (end that process first): %w", path, err)
	}
	return f, nil
}
