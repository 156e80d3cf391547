package storetest

import (
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"rlam/internal/store"
)

// Stream puts a blob of size bytes and gets it again, and fails if that
// allocates more than a few megabytes in all.
func Stream(t *testing.T, s store.Store, size int64) {
	const most = 8 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d, n, err := s.Put(t.Context(), io.LimitReader(&counter{}, size))
	if err != nil || n != size {
		t.Fatalf("Put = %v, %d, %v", d, n, err)
	}
	r, err := s.Get(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err = io.CopyBuffer(onlyWriter{io.Discard}, r, make([]byte, 1<<20))
	if err != nil || n != size {
		t.Fatalf("Get gives %d bytes, %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("%d bytes were allocated for a blob of %d; want at most %d", got, size, most)
	}
}

// counter gives blocks of 4096 bytes that are zero but for their number.
type counter struct{ at int64 }

func (c *counter) Read(p []byte) (int, error) {
	const block = 4096
	clear(p)
	for at := (block - c.at%block) % block; at+8 <= int64(len(p)); at += block {
		binary.BigEndian.PutUint64(p[at:], uint64((c.at+at)/block))
	}
	c.at += int64(len(p))
	return len(p), nil
}

// onlyWriter hides that io.Discard reads with a small buffer of its own.
type onlyWriter struct{ io.Writer }
