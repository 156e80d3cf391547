package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"rlam/internal/store"
)

// testLock is for stores that are a [store.Locker] as well.
func testLock(t *testing.T, s store.Store) {
	locker, ok := s.(store.Locker)
	if !ok {
		t.Skip("the store has no locks")
	}
	ctx := t.Context()
	if _, err := locker.Lock(ctx, "no key/"); err == nil {
		t.Error("a lock of what is no key was given")
	}
	var (
		wg     sync.WaitGroup
		inside atomic.Int32
	)
	for range 8 {
		wg.Go(func() {
			for range 5 {
				unlock, err := locker.Lock(ctx, "run/1")
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				inside.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()

	first, err := locker.Lock(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := locker.Lock(ctx, "b") // another key is free
	if err != nil {
		t.Fatal(err)
	}
	other()
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := locker.Lock(done, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock of a key that is held, cancelled: %v", err)
	}
	first()
	second, err := locker.Lock(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	first() // again: it must not end the second holder's lock
	if _, err := locker.Lock(done, "a"); err == nil {
		t.Error("unlock, called twice, let go of another holder's lock")
	}
	second()
}
