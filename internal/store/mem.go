package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"rlam/internal/canon"
)

// Mem is a store in memory, for tests. Its zero value is empty and ready; it
// lasts as long as the process.
type Mem struct {
	mu      sync.Mutex
	blobs   map[canon.Digest][]byte
	entries map[string][]byte
	locks   map[string]chan struct{} // closed when the holder lets go
}

var (
	_ Store  = (*Mem)(nil)
	_ Locker = (*Mem)(nil)
)

// Put implements [Store]. The blob is held in memory.
func (m *Mem) Put(ctx context.Context, r io.Reader) (canon.Digest, int64, error) {
	b, err := io.ReadAll(&contextReader{ctx, r})
	if err != nil {
		return canon.Digest{}, 0, fmt.Errorf("putting a blob: %w", err)
	}
	d := canon.Sum(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(d, b)
	return d, int64(len(b)), nil
}

func (m *Mem) keep(d canon.Digest, b []byte) {
	if m.blobs == nil {
		m.blobs = map[canon.Digest][]byte{}
	}
	m.blobs[d] = b
}

// Commit implements [Store].
func (m *Mem) Commit(ctx context.Context, b Batch) (stored []bool, current [][]byte, err error) {
	if err := checkBatch(ctx, b); err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, blob := range b.Blobs {
		m.keep(canon.Sum(blob), bytes.Clone(blob))
	}
	if m.entries == nil {
		m.entries = map[string][]byte{}
	}
	stored, current = make([]bool, len(b.Entries)), make([][]byte, len(b.Entries))
	for i, e := range b.Entries {
		if _, there := m.entries[e.Key]; !there {
			m.entries[e.Key] = bytes.Clone(e.Value)
			stored[i] = true
		}
		current[i] = bytes.Clone(m.entries[e.Key])
	}
	return stored, current, nil
}

// Get implements [Store].
func (m *Mem) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[d]
	if !ok {
		return nil, fmt.Errorf("opening blob %q: %w", d, ErrNotFound)
	}
	return io.NopCloser(&contextReader{ctx, bytes.NewReader(b)}), nil
}

// Entry implements [Store].
func (m *Mem) Entry(_ context.Context, key string) ([]byte, error) {
	if err := CheckKey(key); err != nil {
		return nil, fmt.Errorf("reading an entry: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.entries[key]
	if !ok {
		return nil, fmt.Errorf("reading entry %q: %w", key, ErrNotFound)
	}
	return bytes.Clone(value), nil
}

// List implements [Store]. It yields the keys there were when it began.
func (m *Mem) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		m.mu.Lock()
		var keys []string
		for key := range m.entries {
			if strings.HasPrefix(key, prefix) {
				keys = append(keys, key)
			}
		}
		m.mu.Unlock()
		slices.Sort(keys)
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				yield("", fmt.Errorf("listing entries %q: %w", prefix, err))
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

// Lock implements [Locker], for the goroutines of this process.
func (m *Mem) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := CheckKey(key); err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("locking %q: %w", key, err)
		}
		m.mu.Lock()
		held, ok := m.locks[key]
		if !ok {
			if m.locks == nil {
				m.locks = map[string]chan struct{}{}
			}
			free := make(chan struct{})
			m.locks[key] = free
			m.mu.Unlock()
			return sync.OnceFunc(func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				delete(m.locks, key)
				close(free)
			}), nil
		}
		m.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
		}
	}
}
