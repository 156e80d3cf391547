package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

// ErrReadOnly is the error of whoever writes to a bundle's store.
var ErrReadOnly = errors.New("a bundle can't be written to; import it first: starter import FILE")

// kept is a bundle as a store. Blobs are verified when they are read.
type kept struct {
	bundle *Bundle
	listed listed
	absent map[canon.Digest]*Absent
}

var _ store.Store = (*kept)(nil)

// blob takes in a blob of the index.
func (k *kept) blob(b Blob) error {
	if b.Digest.IsZero() {
		return fmt.Errorf("blob %q is listed twice, or has no digest", b.Path)
	}
	if size, _, there := k.bundle.files.size(payloadDir + b.Path); there && size != b.Size {
		return fmt.Errorf("blob %q has %d bytes, and is listed with %d", b.Path, size, b.Size)
	}
	return k.listed.addBlob(b)
}

// entry takes in an entry of the index.
func (k *kept) entry(e Entry) error {
	if err := store.CheckKey(e.Key); err != nil {
		return err
	}
	if !strings.HasPrefix(e.Key, journalDir) && !strings.HasPrefix(e.Key, record.HistoryPrefix) && !strings.HasPrefix(e.Key, record.RunPrefix) {
		return fmt.Errorf("entry %q is none that a bundle has", e.Key)
	}
	return k.listed.addEntry(e)
}

// close ends what the index lists.
func (k *kept) close() error {
	k.absent = make(map[canon.Digest]*Absent, len(k.bundle.Index.Absent))
	for i := range k.bundle.Index.Absent {
		a := &k.bundle.Index.Absent[i]
		k.absent[a.Digest] = a
	}
	return k.listed.close()
}

// Put implements [store.Store]. It always fails.
func (k *kept) Put(context.Context, io.Reader) (canon.Digest, int64, error) {
	return canon.Digest{}, 0, ErrReadOnly
}

// Commit implements [store.Store]. It always fails.
func (k *kept) Commit(context.Context, store.Batch) ([]bool, [][]byte, error) {
	return nil, nil, ErrReadOnly
}

// Get implements [store.Store]. Of what was withheld the error is export.ErrWithheld, of
// what else isn't there store.ErrNotFound.
func (k *kept) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("opening blob %q: %w", d, err)
	}
	b, here := k.listed.find(d)
	if !here {
		return nil, k.missing(d)
	}
	f, err := k.bundle.FS.Open(payloadDir + b.Path)
	if err != nil {
		return nil, &store.CorruptError{Name: d.String(), Path: payloadDir + b.Path, Reason: "it is listed, and isn't there"}
	}
	v := &verified{ctx: ctx, from: f, left: b.Size, hash: sha256.New(), want: d, path: payloadDir + b.Path}
	if b.Size > smallBlob {
		return v, nil
	}
	defer f.Close()
	whole, err := io.ReadAll(v)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(whole)), nil
}

// smallBlob is up to how many bytes a blob is verified before it is opened.
const smallBlob = 1 << 20

// tools are those that the bundle has, whether its requests are there or not.
func (k *kept) tools() []canon.Digest {
	var all []canon.Digest
	for b := range k.bundle.Blobs() {
		if b.Role == RoleTools {
			all = append(all, b.Digest)
		}
	}
	return all
}

func (k *kept) missing(d canon.Digest) error {
	if a := k.absent[d]; a != nil {
		return &AbsentError{*a}
	}
	return fmt.Errorf("opening blob %q: %w: the bundle hasn't got it", d, store.ErrNotFound)
}

// verified ends with io.EOF only if what was read is the blob.
type verified struct {
	ctx  context.Context
	from io.ReadCloser
	left int64 // bytes that may still come
	hash hash.Hash
	want canon.Digest
	path string
}

func (v *verified) Read(p []byte) (int, error) {
	if err := context.Cause(v.ctx); err != nil {
		return 0, err
	}
	n, err := v.from.Read(p)
	v.hash.Write(p[:n])
	corrupt := func(reason string) error {
		return &store.CorruptError{Name: v.want.String(), Path: v.path, Reason: reason}
	}
	switch v.left -= int64(n); {
	case v.left < 0:
		return 0, corrupt("it has more bytes than it is said to have")
	case errors.Is(err, io.EOF):
		if got := canon.Digest(v.hash.Sum(nil)); got != v.want {
			return n, corrupt(fmt.Sprintf("its bytes have the digest %q", got))
		}
	case err != nil:
		return n, corrupt(err.Error())
	}
	return n, err
}

func (v *verified) Close() error { return v.from.Close() }

// Entry implements [store.Store].
func (k *kept) Entry(ctx context.Context, key string) ([]byte, error) {
	if err := errors.Join(store.CheckKey(key), context.Cause(ctx)); err != nil {
		return nil, fmt.Errorf("reading an entry: %w", err)
	}
	i, here := k.listed.from(key)
	if !here {
		return nil, fmt.Errorf("reading entry %q: %w", key, store.ErrNotFound)
	}
	e := k.listed.entry(k.listed.byKey[i])
	if e.Path == "" {
		return []byte(e.Value), nil
	}
	b, err := k.bundle.read(payloadDir+e.Path, maxPin)
	if err != nil {
		return nil, fmt.Errorf("reading entry %q: %w", key, err)
	}
	return b, nil
}

// List implements [store.Store].
func (k *kept) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		first, _ := k.listed.from(prefix)
		for _, at := range k.listed.byKey[first:] {
			if err := context.Cause(ctx); err != nil {
				yield("", fmt.Errorf("listing entries %q: %w", prefix, err))
				return
			}
			if key := k.listed.key(at); !strings.HasPrefix(key, prefix) || !yield(key, nil) {
				return
			}
		}
	}
}
