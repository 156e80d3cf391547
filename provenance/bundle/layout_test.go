package bundle

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestLayout: an archive is laid out as Write does it, until a time or an attribute of an
// entry changes, which nothing else looks at.
func TestLayout(t *testing.T) {
	t.Parallel()
	const released = "../../test/bundles/mgh09-0.1.0.zip"
	whole, err := os.ReadFile(released)
	if err != nil {
		t.Fatal(err)
	}
	z, err := openDirectory(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := relaid(z, &again); err != nil || !bytes.Equal(again.Bytes(), whole) {
		t.Fatalf("laid out again it has other bytes, %v", err)
	}
	end := bytes.LastIndex(whole, []byte("PK\x05\x06"))
	for _, at := range []int64{10, int64(end) - 50, int64(end) + 4} {
		b := bytes.Clone(whole)
		b[at] ^= 1
		path := filepath.Join(t.TempDir(), "run.zip")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		opened, err := Open(t.Context(), path, Limits{})
		if err != nil {
			continue // refused before
		}
		t.Cleanup(func() { opened.Close() })
		if got, err := opened.Layout(t.Context()); err != nil || got < 0 || got > at {
			t.Errorf("byte %d changed, found %d, %v", at, got, err)
		}
	}
}
