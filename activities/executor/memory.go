package executor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"rlam/internal/canon"
)

// Memory is [Blobs] in memory, for tests of handlers outside of a worker. Its zero
// value is ready.
type Memory struct{ blobs sync.Map }

// Put keeps what r gives.
func (m *Memory) Put(_ context.Context, r io.Reader) (canon.Digest, int64, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return canon.Digest{}, 0, err
	}
	d := canon.Sum(b)
	m.blobs.Store(d, b)
	return d, int64(len(b)), nil
}

// Get opens what was put.
func (m *Memory) Get(_ context.Context, d canon.Digest) (io.ReadCloser, error) {
	b, ok := m.blobs.Load(d)
	if !ok {
		return nil, fmt.Errorf("reading artifact %s: it was not put here", d)
	}
	return io.NopCloser(bytes.NewReader(b.([]byte))), nil
}
