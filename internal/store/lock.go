package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"rlam/internal/canon"
)

// lockPoll is how often a lock that is held is tried again.
const lockPoll = 5 * time.Millisecond

// Lock implements [Locker] with an advisory lock on a file in locks/, which the
// operating system ends when the process does. The file goes with the lock.
func (f *Folder) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := CheckKey(key); err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	path := f.path("locks", canon.Sum([]byte(key)).Hex())
	for {
		lock := flock.New(path)
		if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
			return nil, fmt.Errorf("locking %q: %w", key, f.explain(err))
		}
		if current(lock) {
			return sync.OnceFunc(func() { release(lock) }), nil
		}
		lock.Unlock()
	}
}

// current says whether the locked file is the one that others would lock: the
// last holder may have removed it after it was opened here.
func current(lock *flock.Flock) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(lock.Path())
	return err == nil && os.SameFile(held, there)
}

// release removes the file while it is locked, so that nobody can hold a lock on
// it that is current. Windows removes no open file, and leaves it to sweepLocks.
func release(lock *flock.Flock) {
	os.Remove(lock.Path())
	lock.Unlock()
}

// sweepLocks removes the files of processes that died with a lock before stale.
func (f *Folder) sweepLocks(stale time.Time) error {
	left, err := os.ReadDir(f.path("locks"))
	if err != nil {
		return err
	}
	for _, file := range left {
		info, err := file.Info()
		_, foreign := canon.Parse("sha256:" + file.Name())
		if err != nil || foreign != nil || info.ModTime().After(stale) {
			continue
		}
		lock := flock.New(f.path("locks", file.Name()), flock.SetFlag(os.O_RDWR))
		switch held, err := lock.TryLock(); {
		case errors.Is(err, fs.ErrNotExist) || err == nil && !held:
		case err != nil:
			return err
		case current(lock):
			release(lock)
		default:
			lock.Unlock()
		}
	}
	return nil
}
