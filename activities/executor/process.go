//go:build linux || darwin

package executor

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rlam/schemas"
)

const (
	termGrace = time.Second     // between SIGTERM and SIGKILL
	killLimit = 5 * time.Second // what lives this long after SIGKILL is stuck in the kernel
)

// process is one process as the kernel lists it.
type process struct {
	pid, parent, group int
	began              uint64 // in the kernel's own unit, since a moment that stays the same
	zombie             bool
}

// links is how many names a file has.
func links(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Nlink)
	}
	return 1
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

// members are h's live processes: those of its leader's group, as long as the leader is
// the process that h means; those that carry h's mark, whatever group they are in; and
// all their descendants. What began before h is never one of them, so a process that
// got an old number isn't.
func members(h Handle) ([]process, error) {
	all, err := processes()
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	since, err := parseStart(h.Started)
	if err != nil {
		return nil, err
	}
	led := false
	for _, p := range all {
		led = led || p.pid == h.PID && p.began == since
	}
	found := make(map[int]bool)
	for _, p := range all {
		if p.began >= since && (led && p.group == h.PID || carries(p.pid, h.ID)) {
			found[p.pid] = true
		}
	}
	for grew := len(found) > 0; grew; {
		grew = false
		for _, p := range all {
			if found[p.parent] && !found[p.pid] && p.began >= since {
				found[p.pid], grew = true, true
			}
		}
	}
	var live []process
	for _, p := range all {
		if found[p.pid] && !p.zombie {
			live = append(live, p)
		}
	}
	return live, nil
}

// wraps says whether a process is bubblewrap in front of a sandbox. It ends with what is
// in the sandbox; asked to end before, it would take the program with it without asking.
func (h Handle) wraps(p process) bool {
	return h.Isolation == schemas.IsolationSandbox && p.pid == h.PID
}

// endAll ends h's processes: SIGTERM, then after grace or the end of ctx SIGKILL, until
// none is left. It says how many there were when it came.
func endAll(ctx context.Context, h Handle, grace time.Duration) (n int, err error) {
	begun := time.Now()
	asked := make(map[int]bool)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		live, err := members(h)
		if err != nil || len(live) == 0 {
			return n, err
		}
		n = max(n, len(live))
		waited := time.Since(begun)
		kill := waited >= grace || ctx.Err() != nil
		if kill && waited >= grace+killLimit {
			return n, fmt.Errorf("%d process(es) outlived SIGKILL, the first is %d", len(live), live[0].pid)
		}
		for _, p := range live {
			if kill {
				send(p, syscall.SIGKILL)
			} else if !asked[p.pid] && !h.wraps(p) {
				asked[p.pid] = true
				send(p, syscall.SIGTERM)
			}
		}
		time.Sleep(pause)
	}
}
