package capacity

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"rlam/schemas"
)

func TestNoMoreThanFits(t *testing.T) {
	t.Parallel()
	p := NewPool(Room{CPUs: 4, Memory: 1 << 30})
	var now, most atomic.Int64
	var all sync.WaitGroup
	for i := range 40 {
		need := Room{CPUs: 1 + i%3}
		all.Go(func() {
			leave, err := p.Enter(t.Context(), need, func(string) {})
			if err != nil {
				t.Error(err)
				return
			}
			n := now.Add(int64(need.CPUs))
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			now.Add(-int64(need.CPUs))
			leave()
			leave() // no more than once
		})
	}
	all.Wait()
	if most.Load() > 4 || p.free != p.total || len(p.line) != 0 {
		t.Errorf("%d cpus at once; %+v left, line %d", most.Load(), p.free, len(p.line))
	}
}

func TestFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(Room{CPUs: 2, Memory: 1 << 30})
		leave, err := p.Enter(t.Context(), Room{CPUs: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var order, said []string
		enter := func(name string, need Room) {
			go func() {
				give, err := p.Enter(t.Context(), need, func(text string) { said = append(said, name+": "+text) })
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, name)
				give()
			}()
			synctest.Wait()
		}
		enter("large", Room{CPUs: 2, Memory: 1 << 20})
		enter("small", Room{CPUs: 1})
		if len(order) != 0 {
			t.Errorf("%q passed by what waits", order)
		}
		leave()
		synctest.Wait()
		if len(order) != 2 || order[0] != "large" {
			t.Errorf("let in as %q", order)
		}
		want := []string{"large: waiting for 2 cpus and 1 MiB: 1 cpu and 1 GiB of 2 cpus and 1 GiB free", "small: waiting for 1 cpu: 1 cpu of 2 cpus free, 1 before it"}
		if said[0] != want[0] || said[2] != want[1] {
			t.Errorf("said %q, want %q", said, want)
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n Names
		leave, err := n.Enter(t.Context(), "laser", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Enter(t.Context(), "microscope", nil); err != nil {
			t.Errorf("another name: %v", err)
		}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := n.Enter(ctx, "laser", func(string) {})
			ended <- err
		}()
		synctest.Wait()
		cancel(why)
		if err := <-ended; !errors.Is(err, why) {
			t.Errorf("%v", err)
		}
		leave()
		if _, err := n.Enter(t.Context(), "laser", nil); err != nil {
			t.Error(err)
		}
	})
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	_, err := NewPool(Room{CPUs: 2, Memory: 1 << 30}).Enter(t.Context(), Room{CPUs: 64, Memory: 1}, nil)
	var large *TooLargeError
	if !errors.As(err, &large) || err.Error() != "it takes 64 cpus and 1 B, and this worker has 2 cpus and 1 GiB in all" {
		t.Errorf("%v", err)
	}
}

func TestControlGroups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/memory.max": "max\n", "memory.max": "1000000\n", "a/b/cpu.max": "150000 100000\n", "a/cpu.max": "max 100000\n",
		"memory/x/memory.limit_in_bytes": "5000\n", "cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	whole := Room{CPUs: 8, Memory: schemas.Size(1 << 40)}
	for groups, want := range map[string]Room{
		"0::/a/b\n":                         {1, 1000000},
		"0::/nowhere\n":                     {8, 1000000},
		"3:cpu,cpuacct:/x\n5:memory:/x/y\n": {8, 5000},
		"":                                  whole,
	} {
		if got := whole.within(dir, groups); got != want {
			t.Errorf("%q: %+v, want %+v", groups, got, want)
		}
	}
	if m := Machine(0); m.CPUs < 1 || m.Memory < 1 {
		t.Errorf("%+v", m)
	}
}
