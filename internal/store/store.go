// Package store keeps what must outlast a process: blobs, which are named by
// the SHA-256 of their bytes, and entries, which have a key and are written
// once. Records, artifacts, logs and the journal all live in it.
//
// A store has no mutable state. A blob's name follows from its bytes, and an
// entry keeps its first value for ever: [Store.Commit] puts an entry only if
// its key is absent, and says which value is there now. Whatever must happen
// once rests on that; a lock ([Locker]) only saves work.
//
// Everything is verified when it is read. Bytes that don't match their digest
// are a [CorruptError], never data. The package doesn't delete, encrypt or
// compress, and it doesn't know what its values mean.
//
// # A folder
//
// [Folder] keeps a store in a directory:
//
//	format                          the line "rlam store 1"
//	blobs/sha256/<hex>              a large blob, byte for byte
//	blobs/sha256/<hex>@p            a pack that holds the blob
//	entries/journal/<hex>.1.done@p  a pack that holds the entry "journal/<hex>.1.done"
//	locks/                          a file for each lock that is held
//	tmp/                            files that have no name yet
//
// A pack is one file with several names. Commit writes all it was given into
// one file in tmp/, syncs it, and gives it a hard link for every blob and every
// entry that it holds. link(2) fails if the name exists: that is what puts an
// entry only if it is absent, for all processes at once and without a lock.
// Then each directory that was touched is synced, concurrently. So five blobs
// and an entry cost one sync of a file and two of directories, where a file for
// each would cost six of files. No directory below blobs/sha256 spreads the
// blobs by their first digits, because a commit would touch, and sync, one for
// each; file systems of today index a directory of a million names.
//
// A name ends with "@p" if the file is a pack. "@" is in no key and in no
// digest, so neither a blob that looks like a pack nor a key that goes on below
// another ("a" and "a/b") can be mistaken. In names of entries an upper-case
// letter is "!" and the lower-case one, so that "A" and "a" differ on every
// file system.
//
// A crash leaves at most a file in tmp/, which [OpenFolder] removes when it is
// a day old. A name that can be seen always belongs to a file that was synced.
// Links are made blobs first, then entries in order, and file systems that log
// their metadata (ext4, xfs, btrfs, APFS, NTFS) keep that order through a loss
// of power: an entry doesn't come back without the blobs it was stored with.
//
// # A pack
//
// A pack is a header of text and, after it, the values. This one holds a blob
// of the bytes `{"a":1}` and the entry "journal/demo" of the bytes "done":
//
//	rlam pack 1 000000000323
//	blob sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862 000000000323 000000000007
//	entry sha256:a4c3ed04a95a3da14a9d235c83d868bed7c0f45cf7f3faa751ee8f50598d2211 000000000330 000000000004 journal/demo
//	check sha256:b1b096969d963aef14f66fbbd3a76c8fb095111d076b7aa493b9154df1d34668
//	{"a":1}done
//
// The first line has the length of the header. Each row after it has the
// value's kind, its SHA-256, its offset in the file, its length, and an entry's
// key. The check line is the SHA-256 of the lines above it. All numbers are
// decimal, of bytes, in twelve digits, so any value can be taken out and
// checked by hand:
//
//	f=blobs/sha256/015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862@p
//	tail -c +$((323 + 1)) $f | head -c 7 | sha256sum
//	sed '/^check /,$d' $f | sha256sum
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"

	"rlam/internal/canon"
)

// ErrNotFound is wrapped when a store has no such blob or entry.
var ErrNotFound = errors.New("not in the store")

// CorruptError says that something is in the store, and isn't what was put there.
type CorruptError struct {
	Name   string // the blob's digest or the entry's key
	Path   string // the file, where there is one
	Reason string // what is wrong with it
}

func (e *CorruptError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%q is corrupt: %s", e.Name, e.Reason)
	}
	return fmt.Sprintf("%q is corrupt in %q: %s", e.Name, e.Path, e.Reason)
}

// mismatch is the reason of a CorruptError whose bytes have another digest.
func mismatch(got canon.Digest) string { return fmt.Sprintf("its bytes have the digest %q", got) }

// An Entry is a value under a key. A key is one or more segments joined by "/".
// A segment has 1 to [MaxSegment] characters of A-Z, a-z, 0-9, ".", "_" and
// "-", and neither begins nor ends with ".": "journal/<hex>.1.intent".
type Entry struct {
	Key   string
	Value []byte
}

// A Batch is what one [Store.Commit] writes. Its blobs are held in memory; a
// large one is for [Store.Put].
type Batch struct {
	Blobs   [][]byte
	Entries []Entry
}

// A Store keeps blobs and entries. Its methods may be called concurrently, by
// several processes where the store is shared. What Put and Commit returned
// without an error is durable.
type Store interface {
	// Put stores what r gives as one blob, in flat memory, and returns its
	// digest and its size in bytes.
	Put(ctx context.Context, r io.Reader) (canon.Digest, int64, error)

	// Commit stores the blobs, then the entries in order, each only if its key is
	// absent. For each entry it returns whether this call stored it, and the value
	// that the store holds now. An entry that was there doesn't keep the others
	// from being stored. After an error any part may be stored; to commit the same
	// batch again is safe.
	Commit(ctx context.Context, b Batch) (stored []bool, current [][]byte, err error)

	// Get opens a blob. A small blob is verified before it is opened. The reader of
	// a large one verifies as it goes, and where the bytes don't have the digest
	// returns a *CorruptError in the place of io.EOF: what was read counts only
	// once io.EOF has been seen.
	Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error)

	// Entry returns the value of a key.
	Entry(ctx context.Context, key string) ([]byte, error)

	// List yields the keys that begin with prefix, sorted by their bytes. After an
	// error it yields nothing more.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// A Locker keeps others from doing the same work at the same time. It is no
// more than a way to save work: correctness rests on [Store.Commit].
type Locker interface {
	// Lock waits until key is free or ctx is done. The lock ends with unlock, which
	// may be called more than once, or with the process.
	Lock(ctx context.Context, key string) (unlock func(), err error)
}

// PutIfAbsent commits one entry and the blobs that belong to it. It returns the
// value that the store holds now, and whether this call stored it.
func PutIfAbsent(ctx context.Context, s Store, key string, value []byte, blobs ...[]byte) (current []byte, stored bool, err error) {
	won, now, err := s.Commit(ctx, Batch{Blobs: blobs, Entries: []Entry{{Key: key, Value: value}}})
	if err != nil {
		return nil, false, err
	}
	return now[0], won[0], nil
}

// Read returns a whole blob, verified. It refuses one of more than limit bytes.
func Read(ctx context.Context, s Store, d canon.Digest, limit int64) ([]byte, error) {
	r, err := s.Get(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// With room for one byte more than the limit, a blob within it is read to its
	// io.EOF, and so verified.
	limit = min(max(limit, 0), math.MaxInt64-1)
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading blob %q: %w", d, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("reading blob %q: it has more than %d bytes", d, limit)
	}
	return b, nil
}

func checkBatch(ctx context.Context, b Batch) error {
	for _, e := range b.Entries {
		if err := CheckKey(e.Key); err != nil {
			return fmt.Errorf("committing: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// contextReader ends a long copy when ctx is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
