// Package storetest is the conformance suite that every [store.Store] passes.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"rlam/internal/canon"
	"rlam/internal/store"
)

// Test runs the suite. open returns an empty store that lasts as long as the test.
func Test(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"blobs":             testBlobs,
		"absent":            testAbsent,
		"first value wins":  testFirstValueWins,
		"batch in order":    testBatchInOrder,
		"large batch":       testLargeBatch,
		"keys":              testKeys,
		"list":              testList,
		"read limit":        testReadLimit,
		"reader that fails": testReaderThatFails,
		"values are copies": testValuesAreCopies,
		"cancelled":         testCancelled,
		"one winner":        testOneWinner,
		"blobs at once":     testBlobsAtOnce,
		"lock":              testLock,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func testBlobs(t *testing.T, s store.Store) {
	ctx := t.Context()
	random := make([]byte, 3<<20+17)
	rand.NewChaCha8([32]byte{1}).Read(random)
	for _, blob := range [][]byte{nil, []byte("x"), []byte("rlam pack 1 000000000085\n"), random[:1<<20], random[:1<<20+1], random} {
		want := canon.Sum(blob)
		for range 2 { // again is no error, and changes nothing
			d, n, err := s.Put(ctx, iotest.OneByteReader(bytes.NewReader(blob[:min(len(blob), 100)])))
			if err != nil || d != canon.Sum(blob[:min(len(blob), 100)]) || n != int64(min(len(blob), 100)) {
				t.Fatalf("Put of %d bytes, one at a time = %v, %d, %v", min(len(blob), 100), d, n, err)
			}
			d, n, err = s.Put(ctx, bytes.NewReader(blob))
			if err != nil || d != want || n != int64(len(blob)) {
				t.Fatalf("Put of %d bytes = %v, %d, %v", len(blob), d, n, err)
			}
			mustHold(t, s, blob)
			mustCommit(t, s, store.Batch{Blobs: [][]byte{blob, blob}})
			mustHold(t, s, blob)
		}
	}
	other := []byte("only committed")
	mustCommit(t, s, store.Batch{Blobs: [][]byte{other, nil, []byte("beside it")}})
	mustHold(t, s, other)
	mustHold(t, s, []byte("beside it"))
	mustCommit(t, s, store.Batch{})
}

func testAbsent(t *testing.T, s store.Store) {
	mustCommit(t, s, store.Batch{Blobs: [][]byte{[]byte("a blob")}, Entries: []store.Entry{{Key: "a/b", Value: []byte("v")}}})
	for _, d := range []canon.Digest{{}, canon.Sum([]byte("another"))} {
		if r, err := s.Get(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get(%q) = %v, %v; want ErrNotFound", d, r, err)
		}
	}
	for _, key := range []string{"a", "b", "a/b/c", "a/B", "v"} {
		if v, err := s.Entry(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Entry(%q) = %q, %v; want ErrNotFound", key, v, err)
		}
	}
	for key, err := range s.List(t.Context(), "nothing/begins/like/this") {
		t.Errorf("List yields %q, %v", key, err)
	}
}

func testFirstValueWins(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i, c := range []struct {
		value, current string
		stored         bool
	}{{"one", "one", true}, {"two", "one", false}, {"one", "one", false}} {
		current, stored, err := store.PutIfAbsent(ctx, s, "k", []byte(c.value), []byte("blob of "+c.value))
		if err != nil || string(current) != c.current || stored != c.stored {
			t.Errorf("PutIfAbsent %d = %q, %v, %v", i, current, stored, err)
		}
		// A blob is stored even if the entry isn't.
		mustHold(t, s, []byte("blob of "+c.value))
	}
	if current, stored, err := store.PutIfAbsent(ctx, s, "empty", nil); err != nil || !stored || len(current) != 0 {
		t.Errorf("PutIfAbsent of an empty value = %q, %v, %v", current, stored, err)
	}
	if v, err := s.Entry(ctx, "empty"); err != nil || len(v) != 0 {
		t.Errorf("Entry(empty) = %q, %v", v, err)
	}
	if current, stored, err := store.PutIfAbsent(ctx, s, "empty", []byte("x")); err != nil || stored || len(current) != 0 {
		t.Errorf("PutIfAbsent over an empty value = %q, %v, %v", current, stored, err)
	}
}

func testBatchInOrder(t *testing.T, s store.Store) {
	mustCommit(t, s, store.Batch{Entries: []store.Entry{{Key: "there", Value: []byte("old")}}})
	stored, current, err := s.Commit(t.Context(), store.Batch{Entries: []store.Entry{
		{Key: "new", Value: []byte("1")},
		{Key: "there", Value: []byte("2")},
		{Key: "new", Value: []byte("3")},
		{Key: "last", Value: []byte("4")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%v %s", stored, current), "[true false false true] [1 old 1 4]"; got != want {
		t.Errorf("Commit = %s; want %s", got, want)
	}
	for key, want := range map[string]string{"new": "1", "there": "old", "last": "4"} {
		if v, err := s.Entry(t.Context(), key); err != nil || string(v) != want {
			t.Errorf("Entry(%q) = %q, %v; want %q", key, v, err, want)
		}
	}
}

func testLargeBatch(t *testing.T, s store.Store) {
	var b store.Batch
	for i := range 1300 {
		b.Blobs = append(b.Blobs, fmt.Append(nil, "blob ", i))
		b.Entries = append(b.Entries, store.Entry{Key: fmt.Sprintf("large/%04d", i), Value: fmt.Append(nil, "value ", i)})
	}
	mustCommit(t, s, b)
	for _, blob := range b.Blobs {
		mustHold(t, s, blob)
	}
	keys := list(t, s, "large/")
	if len(keys) != len(b.Entries) {
		t.Fatalf("%d keys are listed; want %d", len(keys), len(b.Entries))
	}
	for i, key := range keys {
		if v, err := s.Entry(t.Context(), key); err != nil || string(v) != fmt.Sprint("value ", i) {
			t.Fatalf("Entry(%q) = %q, %v", key, v, err)
		}
	}
}

func testKeys(t *testing.T, s store.Store) {
	for _, key := range []string{"a", "A", "a/b", "a/b/c", "a.p", "a.p/b", "-", "_", "0.1-x_Y", "con", strings.Repeat("W", store.MaxSegment)} {
		mustCommit(t, s, store.Batch{Entries: []store.Entry{{Key: key, Value: []byte(key)}}})
		if v, err := s.Entry(t.Context(), key); err != nil || string(v) != key {
			t.Errorf("Entry(%q) = %q, %v", key, v, err)
		}
	}
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", ".a", "a.", "a b", "é", "a\x00", "a\n", "a\\b", "a@p", "!a", "a:b",
		strings.Repeat("w", store.MaxSegment+1), strings.Repeat("a/", 600) + "a",
	} {
		if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{[]byte("refused")}, Entries: []store.Entry{{Key: key}}}); err == nil {
			t.Errorf("Commit of key %.40q was accepted", key)
		}
		if _, err := s.Entry(t.Context(), key); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("Entry(%.40q): %v", key, err)
		}
	}
	if _, err := s.Get(t.Context(), canon.Sum([]byte("refused"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a refused batch left its blob: %v", err)
	}
}

func testList(t *testing.T, s store.Store) {
	keys := []string{"B", "a", "a-b/c", "a/A", "a/a", "a/b", "a/b-", "a/b/c", "a/b/d", "a0", "b/a", "run/1.x", "run/10", "run/2"}
	shuffled := slices.Clone(keys)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, key := range shuffled {
		mustCommit(t, s, store.Batch{Entries: []store.Entry{{Key: key}}})
	}
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/", "run/1", "run", "x", "A", "..", "../", "/", "//", "a//", "é/"} {
		var want []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		if got := list(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q; want %q", prefix, got, want)
		}
	}
	for key := range s.List(t.Context(), "a/") {
		if key != "a/A" {
			t.Errorf("List goes on to %q after the loop has ended", key)
		}
		break
	}
}

func testReadLimit(t *testing.T, s store.Store) {
	ctx := t.Context()
	blob := []byte("ten bytes.")
	mustCommit(t, s, store.Batch{Blobs: [][]byte{blob, nil}})
	for _, limit := range []int64{10, 11, 1<<63 - 1} {
		if b, err := store.Read(ctx, s, canon.Sum(blob), limit); err != nil || !bytes.Equal(b, blob) {
			t.Errorf("Read within %d = %q, %v", limit, b, err)
		}
	}
	for _, limit := range []int64{9, 0, -1} {
		if b, err := store.Read(ctx, s, canon.Sum(blob), limit); err == nil {
			t.Errorf("Read within %d = %q", limit, b)
		}
	}
	if b, err := store.Read(ctx, s, canon.Sum(nil), 0); err != nil || len(b) != 0 {
		t.Errorf("Read of nothing = %q, %v", b, err)
	}
}

func testReaderThatFails(t *testing.T, s store.Store) {
	broken := errors.New("the pipe broke")
	_, _, err := s.Put(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("Put: %v; want %v", err, broken)
	}
	if _, err := s.Get(t.Context(), canon.Sum([]byte("half"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half a blob is in the store: %v", err)
	}
}

func testValuesAreCopies(t *testing.T, s store.Store) {
	blob, value := []byte("blob"), []byte("value")
	_, current, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}, Entries: []store.Entry{{Key: "k", Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
	read, err := s.Entry(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{blob, value, current[0], read} {
		b[0] = 'X'
	}
	mustHold(t, s, []byte("blob"))
	if v, err := s.Entry(t.Context(), "k"); err != nil || string(v) != "value" {
		t.Errorf("Entry = %q, %v", v, err)
	}
}

func testCancelled(t *testing.T, s store.Store) {
	blob := make([]byte, 4<<20)
	d, _, err := s.Put(t.Context(), bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, store.Batch{Entries: []store.Entry{{Key: "k"}}})

	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Get(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("reading on: %v", err)
	}
	if _, _, err := s.Put(ctx, strings.NewReader("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if _, _, err := s.Commit(ctx, store.Batch{Blobs: [][]byte{[]byte("late")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v", err)
	}
	for key, err := range s.List(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List yields %q, %v", key, err)
		}
	}
	if _, err := s.Get(t.Context(), canon.Sum([]byte("late"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a cancelled write is in the store: %v", err)
	}
}

// testOneWinner has many writers put the same keys: each key has one winner, and all see its value.
func testOneWinner(t *testing.T, s store.Store) {
	const writers, keys = 16, 8
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		won  [keys]int
		seen [keys]map[string]bool
	)
	for w := range writers {
		wg.Go(func() {
			for k := range keys {
				current, stored, err := store.PutIfAbsent(t.Context(), s, fmt.Sprintf("race/%d", k), fmt.Append(nil, "of ", w), fmt.Append(nil, "blob ", k))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if stored {
					won[k]++
				}
				if seen[k] == nil {
					seen[k] = map[string]bool{}
				}
				seen[k][string(current)] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for k := range keys {
		v, err := s.Entry(t.Context(), fmt.Sprintf("race/%d", k))
		if err != nil || won[k] != 1 || len(seen[k]) != 1 || !seen[k][string(v)] {
			t.Errorf("key %d: %d winners, who saw %v; it has %q, %v", k, won[k], seen[k], v, err)
		}
	}
}

func testBlobsAtOnce(t *testing.T, s store.Store) {
	blob := bytes.Repeat([]byte("same "), 50_000)
	var wg sync.WaitGroup
	for w := range 12 {
		wg.Go(func() {
			if w%2 == 0 {
				if _, _, err := s.Put(t.Context(), bytes.NewReader(blob)); err != nil {
					t.Error(err)
				}
			} else if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{fmt.Append(nil, w), blob}}); err != nil {
				t.Error(err)
			}
			if b, err := store.Read(t.Context(), s, canon.Sum(blob), 1<<20); err != nil || !bytes.Equal(b, blob) {
				t.Errorf("the blob reads %d bytes, %v", len(b), err)
			}
		})
	}
	wg.Wait()
}

func mustCommit(t *testing.T, s store.Store, b store.Batch) {
	t.Helper()
	stored, current, err := s.Commit(t.Context(), b)
	if err != nil || len(stored) != len(b.Entries) || len(current) != len(b.Entries) {
		t.Fatalf("Commit = %v, %q, %v", stored, current, err)
	}
}

func mustHold(t *testing.T, s store.Store, blob []byte) {
	t.Helper()
	b, err := store.Read(t.Context(), s, canon.Sum(blob), 1<<30)
	if err != nil || !bytes.Equal(b, blob) {
		t.Fatalf("the blob %.40q reads %.40q, %v", blob, b, err)
	}
}

func list(t *testing.T, s store.Store, prefix string) (keys []string) {
	t.Helper()
	for key, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}
