package bundle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// listed is what an index lists, in some fifty bytes a blob and two dozen an entry: a run of
// ten thousand steps has fifty thousand of the one and sixty thousand of the other.
//
// A row has the members of one. Words that come again and again stand there by number, and
// digests as the bytes that they are.
type listed struct {
	blobs, entries rows
	byDigest       []uint32       // where the rows of blobs begin
	byKey          []uint32       // where those of entries do
	digests        []canon.Digest // that keys have, in their order
}

// rows are written one after the other.
type rows struct {
	bytes []byte
	words map[string]uint64
	texts []string // the words by their numbers
}

// maxRows bounds rows, in bytes: places in them are numbers of 32 bits.
const maxRows = 1<<32 - 1<<28

// next is where a row begins that is written now.
func (r *rows) next() (uint32, error) {
	if len(r.bytes) > maxRows {
		return 0, errors.New("it lists too much")
	}
	return uint32(len(r.bytes)), nil
}

func (r *rows) number(n int64) { r.bytes = binary.AppendVarint(r.bytes, n) }

func (r *rows) text(s string) {
	r.number(int64(len(s)))
	r.bytes = append(r.bytes, s...)
}

func (r *rows) word(s string) {
	n, known := r.words[s]
	if !known {
		if r.words == nil {
			r.words = map[string]uint64{}
		}
		n = uint64(len(r.texts))
		r.words[s], r.texts = n, append(r.texts, s)
	}
	r.number(int64(n))
}

// around writes a path or a key: what is around the digits of d in it, where they stand in it.
func (r *rows) around(s string, d canon.Digest) {
	before, after, found := strings.Cut(s, d.Hex())
	if !found {
		r.number(0)
		r.text(s)
		return
	}
	r.number(1)
	r.word(before)
	r.word(after)
}

// reader reads the rows from a place on.
func (r *rows) reader(at uint32) *rowReader { return &rowReader{r, r.bytes[at:]} }

type rowReader struct {
	rows *rows
	rest []byte
}

func (r *rowReader) number() int64 {
	v, n := binary.Varint(r.rest)
	r.rest = r.rest[n:]
	return v
}

func (r *rowReader) text() string {
	n := r.number()
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *rowReader) word() string { return r.rows.texts[r.number()] }

func (r *rowReader) around(d canon.Digest) string {
	if r.number() == 0 {
		return r.text()
	}
	before := r.word()
	return before + d.Hex() + r.word()
}

func (r *rowReader) blob() Blob {
	b := Blob{Digest: canon.Digest(r.rest)}
	r.rest = r.rest[len(b.Digest):]
	b.Size, b.Attempt, b.Role, b.MediaType = r.number(), int(r.number()), Role(r.word()), r.word()
	b.Name, b.Call, b.Path = r.text(), r.text(), r.around(b.Digest)
	return b
}

func (l *listed) addBlob(b Blob) error {
	at, err := l.blobs.next()
	if err != nil {
		return err
	}
	r := &l.blobs
	r.bytes = append(r.bytes, b.Digest[:]...)
	r.number(b.Size)
	r.number(int64(b.Attempt))
	r.word(string(b.Role))
	r.word(b.MediaType)
	r.text(b.Name)
	r.text(b.Call)
	r.around(b.Path, b.Digest)
	l.byDigest = append(l.byDigest, at)
	return nil
}

// all gives the blobs in the index's order.
func (l *listed) all() iter.Seq[Blob] {
	return func(yield func(Blob) bool) {
		for r := l.blobs.reader(0); len(r.rest) > 0; {
			if !yield(r.blob()) {
				return
			}
		}
	}
}

// find is the blob of a digest.
func (l *listed) find(d canon.Digest) (Blob, bool) {
	i, there := slices.BinarySearchFunc(l.byDigest, d, func(at uint32, d canon.Digest) int { return l.compare(at, d) })
	if !there {
		return Blob{}, false
	}
	return l.blobs.reader(l.byDigest[i]).blob(), true
}

// compare holds the digest that a row begins with against another.
func (l *listed) compare(at uint32, d canon.Digest) int {
	return bytes.Compare(l.blobs.bytes[at:int(at)+len(d)], d[:])
}

// hexDigits is how many digits a digest has.
const hexDigits = 2 * len(canon.Digest{})

func (l *listed) addEntry(e Entry) error {
	at, err := l.entries.next()
	if err != nil {
		return err
	}
	var d canon.Digest
	if i := strings.Index(e.Key, "/") + 1; len(e.Key) >= i+hexDigits {
		d, _ = canon.Parse("sha256:" + e.Key[i:i+hexDigits]) // another key has none
	}
	if len(l.digests) == 0 || l.digests[len(l.digests)-1] != d {
		l.digests = append(l.digests, d)
	}
	r := &l.entries
	r.number(int64(len(l.digests) - 1))
	r.around(e.Key, d)
	r.around(e.Path, d)
	r.text(e.Value)
	l.byKey = append(l.byKey, at)
	return nil
}

func (l *listed) entry(at uint32) Entry {
	r := l.entries.reader(at)
	d := l.digests[r.number()]
	return Entry{Key: r.around(d), Path: r.around(d), Value: r.text()}
}

// key is the key of an entry.
func (l *listed) key(at uint32) string {
	r := l.entries.reader(at)
	return r.around(l.digests[r.number()])
}

// from is the place among the keys of the first that doesn't come before key, and whether it
// is that.
func (l *listed) from(key string) (int, bool) {
	return slices.BinarySearchFunc(l.byKey, key, func(at uint32, key string) int { return strings.Compare(l.key(at), key) })
}

// close makes everything findable, and refuses what is listed twice.
func (l *listed) close() error {
	slices.SortFunc(l.byDigest, func(a, b uint32) int {
		return cmp.Or(l.compare(a, canon.Digest(l.blobs.bytes[b:])), cmp.Compare(a, b))
	})
	for i, at := range l.byDigest {
		if i > 0 && l.compare(at, canon.Digest(l.blobs.bytes[l.byDigest[i-1]:])) == 0 {
			return fmt.Errorf("blob %q is listed twice, or has no digest", l.blobs.reader(at).blob().Path)
		}
	}
	byKey := func(a, b uint32) int { return strings.Compare(l.key(a), l.key(b)) }
	if !slices.IsSortedFunc(l.byKey, byKey) {
		slices.SortFunc(l.byKey, byKey)
	}
	for i, at := range l.byKey {
		if i > 0 && l.key(at) == l.key(l.byKey[i-1]) {
			return fmt.Errorf("entry %q is listed twice", l.key(at))
		}
	}
	l.blobs.bytes, l.entries.bytes = slices.Clip(l.blobs.bytes), slices.Clip(l.entries.bytes)
	l.byDigest, l.byKey, l.digests = slices.Clip(l.byDigest), slices.Clip(l.byKey), slices.Clip(l.digests)
	return nil
}
