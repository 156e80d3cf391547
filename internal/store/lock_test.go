package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
)

// A waiter may have opened the file just before its holder removed it. What it
// then locks is a file that nobody else will find.
func TestALockOfARemovedFileIsNotCurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	waiter := flock.New(path)
	if ok, err := waiter.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer waiter.Unlock()
	if !current(waiter) {
		t.Error("a lock that was just taken isn't current")
	}
	if err := os.Remove(path); err != nil {
		t.Skip("this system removes no open file:", err)
	}
	if current(waiter) {
		t.Error("a lock is current although its file is gone")
	}
	next := flock.New(path)
	if ok, err := next.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer next.Unlock()
	if current(waiter) || !current(next) {
		t.Error("two hold the lock")
	}
}
