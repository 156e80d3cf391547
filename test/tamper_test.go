package test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/provenance/verify"
	"rlam/worker/host"
)

// bagOf are the files of a bundle by their path in the bag.
func bagOf(t testing.TB, file []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(f.Name, "/")
		files[name] = b
	}
	return files
}

// zipped is the reverse of bagOf.
func zipped(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "run/" + name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var errCaught = errors.New("caught")

// firstFault verifies a bundle up to the first check that fails, and returns it; else the
// first, of the archive.
func firstFault(t *testing.T, dir string, file []byte, key *attest.PublicKey) verify.Check {
	path := filepath.Join(dir, "run.zip")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	b, archive, err := verify.Open(t.Context(), path, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if b == nil {
		return archive
	}
	defer b.Close()
	in, err := verify.Of(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	in.Trusted = []*attest.PublicKey{key}
	in.Code, in.Judge, in.Step = host.Replayer(), host.Rejudge, host.StepDigest
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	failed := archive
	_, err = verify.Verify(ctx, in, func(c verify.Check) {
		if c.State == verify.Failed {
			failed = c
			stop(errCaught)
		}
	})
	if err != nil && !errors.Is(err, errCaught) {
		t.Fatal(err)
	}
	return failed
}

// flips is how many bytes are changed, one at a time.
const flips = 500

func times(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// seeded is a source of chance whose seed the test prints.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestFlippedFiles changes one bit of one byte of one file, and expects the file to be named.
func TestFlippedFiles(t *testing.T) {
	t.Parallel()
	key := newSigner(t, attest.P256)
	files := bagOf(t, bundled(t, mgh09(t), key))
	names := slices.Sorted(maps.Keys(files))
	chance, dir := seeded(t), t.TempDir()
	for i := range times(flips) {
		name := names[i%len(names)]
		b := bytes.Clone(files[name])
		if len(b) == 0 {
			continue
		}
		at := chance.IntN(len(b))
		b[at] ^= 1 << chance.IntN(8)
		whole := files[name]
		files[name] = b
		c := firstFault(t, dir, zipped(t, files), key.Public())
		files[name] = whole
		if c.State != verify.Failed || len(c.Faults) == 0 {
			t.Errorf("%s, byte %d: not caught", name, at)
			continue
		}
		if !slices.ContainsFunc(c.Faults, func(f verify.Fault) bool { return strings.Contains(f.String(), name) }) && !strings.HasPrefix(name, "tagmanifest") {
			t.Errorf("%s, byte %d: caught as %s: %v", name, at, c.Name, c.Faults[0])
		}
	}
}

// TestFlippedArchives changes one bit of the archive itself.
func TestFlippedArchives(t *testing.T) {
	t.Parallel()
	key := newSigner(t, attest.P256)
	file := bundled(t, mgh09(t), key)
	whole := bagOf(t, file)
	noted, slack := 0, 0
	chance, dir := seeded(t), t.TempDir()
	for range times(flips) {
		at, bit := chance.IntN(len(file)), byte(1)<<chance.IntN(8)
		file[at] ^= bit
		c := firstFault(t, dir, file, key.Public())
		switch {
		case c.State == verify.Failed && len(c.Faults) > 0:
		case len(c.Notes) == 1 && strings.Contains(c.Notes[0], fmt.Sprintf("From byte %d on", at)):
			noted++ // a time, an attribute: no file changes
		case c.State == verify.Passed && len(c.Notes) == 0 && maps.EqualFunc(whole, bagOf(t, file), bytes.Equal):
			slack++ // one of the bits between two blocks of packed data, which stand for nothing
		default:
			t.Errorf("byte %d of %d, bit %d: not caught", at, len(file), bit)
		}
		file[at] ^= bit
	}
	t.Logf("%d noted, %d without a meaning", noted, slack)
}

// TestDamagedFiles breaks the packed bytes of one file of each folder, so that it can't be
// unpacked, and expects all other checks to be made all the same, and a verdict.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	key := newSigner(t, attest.P256)
	file := bundled(t, mgh09(t), key)
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range archive.File {
		folder := path.Dir(f.Name) + path.Ext(f.Name)
		if seen[folder] || f.CompressedSize64 < 8 || path.Base(f.Name) == "bundle.json" {
			continue // without its index a bundle isn't opened
		}
		seen[folder] = true
		at, err := f.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.ReplaceAll(f.Name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			damaged := bytes.Clone(file)
			damaged[at+int64(f.CompressedSize64)/2] ^= 0x10
			verdict, checks := verified(t, damaged, key.Public())
			if verdict.Result != verify.Refuted || len(checks) != 10 {
				t.Errorf("%d checks, %+v", len(checks), verdict)
			}
		})
	}
}
