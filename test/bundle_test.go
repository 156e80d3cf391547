package test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/test/lab"
	"rlam/worker/host"
)

// measured is a run of the newcomer's example, to be exported.
func measured(t *testing.T) *export.Run {
	t.Helper()
	l := lab.New(t)
	begun := l.Begin("../examples/mgh09/study.yaml", nil)
	if err := begun.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b, err := host.EncodeHistory(l.History(begun.GetID(), begun.GetRunID()))
	if err != nil {
		t.Fatal(err)
	}
	return exportOf(t, l.Host.Store, export.History{RunID: begun.GetRunID(), Protobuf: b})
}

// pack writes a bundle, and returns its bytes.
func pack(t testing.TB, run *export.Run, withhold ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := bundle.Write(t.Context(), &b, run, bundle.Options{Withhold: withhold, Engine: "rlam test", Retell: traced}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func opened(t testing.TB, raw []byte) *bundle.Bundle {
	t.Helper()
	name := filepath.Join(t.TempDir(), "run.zip")
	if err := os.WriteFile(name, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(t.Context(), name, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// reread is the run in a bundle or an imported one: from its store and nothing else.
func reread(t testing.TB, s store.Store, record canon.Digest) *export.Run {
	t.Helper()
	archived, err := host.Archived(t.Context(), s, record)
	if err != nil {
		t.Fatal(err)
	}
	var histories []export.History
	for id, h := range archived {
		b, err := host.EncodeHistory(h)
		if err != nil {
			t.Fatal(err)
		}
		histories = append(histories, export.History{RunID: id, Protobuf: b})
	}
	return exportOf(t, s, histories...)
}

// unpacked are the files of an archive, and all their bytes.
func unpacked(t testing.TB, raw []byte) (files map[string][]byte, all []byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, f := range z.File {
		b, err := fs.ReadFile(z, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = b
		all = append(append(all, b...), '\n')
	}
	return files, all
}

func faults(t testing.TB, b *bundle.Bundle) []bundle.Fault {
	t.Helper()
	var found []bundle.Fault
	if err := b.CheckBag(t.Context(), func(f bundle.Fault) { found = append(found, f) }); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestBundle exports a run, and holds what others rely on: the same bytes each time, no
// secret in them, a bag without faults, and a run that is whole without our server.
func TestBundle(t *testing.T) {
	t.Parallel()
	run := measured(t)
	raw := pack(t, run)
	if again := pack(t, run); !bytes.Equal(raw, again) {
		t.Error("exported twice, it has other bytes")
	}
	files, all := unpacked(t, raw)
	secret, err := run.Store.Entry(t.Context(), record.SecretKey(run.Trace.Record))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret)} {
		if bytes.Contains(all, []byte(s)) {
			t.Error("the run's secret is in the bundle")
		}
	}
	b := opened(t, raw)
	if found := faults(t, b); len(found) > 0 {
		t.Errorf("a new bag has faults: %v", found)
	}
	if len(b.Index.Absent) > 0 {
		t.Errorf("something is missing: %+v", b.Index.Absent)
	}
	from := reread(t, b.Store, b.Index.Run.Record)
	if len(from.Trace.Findings) > 0 || len(from.Trace.Graph.Nodes) != len(run.Trace.Graph.Nodes) || len(from.Trace.Executions) != len(run.Trace.Executions) {
		t.Errorf("the bundle tells of %d nodes with %v, the store of %d", len(from.Trace.Graph.Nodes), from.Trace.Findings, len(run.Trace.Graph.Nodes))
	}
	if again := pack(t, from); !bytes.Equal(raw, again) {
		t.Error("exported from the bundle, it has other bytes")
	}
	if _, _, err := b.Store.Commit(t.Context(), store.Batch{}); !errors.Is(err, bundle.ErrReadOnly) {
		t.Errorf("a bundle was written to: %v", err)
	}
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		for name, text := range files {
			file := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, text, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		unzipped, err := bundle.Open(t.Context(), dir, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer unzipped.Close()
		if found := faults(t, unzipped); len(found) > 0 {
			t.Errorf("unpacked, it has faults: %v", found)
		}
	})
	t.Run("tampered", func(t *testing.T) { tampered(t, raw, files) })
	t.Run("import", func(t *testing.T) { imported(t, raw, run) })
}

// rezip writes files as an archive.
func rezip(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range sortedNames(files) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sortedNames(files map[string][]byte) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// tampered changes one thing at a time: the file is named.
func tampered(t *testing.T, raw []byte, files map[string][]byte) {
	find := func(part string) string {
		for _, name := range sortedNames(files) {
			if strings.Contains(name, part) {
				return name
			}
		}
		t.Fatalf("there is no file with %q in its name", part)
		return ""
	}
	bagged := func(name string) string { _, rest, _ := strings.Cut(name, "/"); return rest }
	artifact, entry := find("/artifacts/"), find(".intent")
	changed := func(change func(map[string][]byte)) []byte {
		m := map[string][]byte{}
		for name, text := range files {
			m[name] = bytes.Clone(text)
		}
		change(m)
		return rezip(t, m)
	}
	for _, c := range []struct {
		name, file string
		raw        []byte
	}{
		{"one byte", bagged(artifact), changed(func(m map[string][]byte) { m[artifact][0] ^= 1 })},
		{"removed", bagged(entry), changed(func(m map[string][]byte) { delete(m, entry) })},
		{"added", "data/artifacts/extra", changed(func(m map[string][]byte) {
			m[strings.TrimSuffix(artifact, bagged(artifact))+"data/artifacts/extra"] = nil
		})},
		{"added beside", "extra", changed(func(m map[string][]byte) { m[strings.TrimSuffix(artifact, bagged(artifact))+"extra"] = nil })},
		{"manifest", "manifest-sha512.txt", changed(func(m map[string][]byte) {
			name := strings.TrimSuffix(artifact, bagged(artifact)) + "manifest-sha512.txt"
			m[name] = append(m[name], "0  x\n"...)
		})},
		{"before the archive", "", append([]byte("#!/bin/sh\n"), raw...)},
		{"after the archive", "", append(bytes.Clone(raw), "more"...)},
	} {
		name := filepath.Join(t.TempDir(), "run.zip")
		if err := os.WriteFile(name, c.raw, 0o644); err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Open(t.Context(), name, bundle.Limits{})
		if err != nil {
			continue // refused
		}
		found := faults(t, b)
		if !slices.ContainsFunc(found, func(f bundle.Fault) bool { return f.File == c.file }) {
			t.Errorf("%s: got %v, want a fault of %q", c.name, found, c.file)
		}
		_, err = bundle.Import(t.Context(), b, &store.Mem{})
		if damaged := (*bundle.DamagedError)(nil); !errors.As(err, &damaged) {
			t.Errorf("%s: it was imported: %v", c.name, err)
		}
		b.Close()
	}
}

// breaking is a store whose disk is full after some commits.
type breaking struct {
	*store.Mem
	left int
}

var errFull = errors.New("the disk is full")

func (b *breaking) Commit(ctx context.Context, batch store.Batch) ([]bool, [][]byte, error) {
	if b.left--; b.left < 0 {
		return nil, nil, errFull
	}
	return b.Mem.Commit(ctx, batch)
}

// imported takes a bundle into an empty store, once and again, with and without trouble.
func imported(t *testing.T, raw []byte, run *export.Run) {
	b := opened(t, raw)
	s := &breaking{Mem: &store.Mem{}}
	for commits := 0; ; commits++ {
		s.left = commits
		done, err := bundle.Import(t.Context(), b, s)
		listed, listErr := host.Runs(t.Context(), s)
		if listErr != nil {
			t.Fatal(listErr)
		}
		if errors.Is(err, errFull) {
			if len(listed) > 0 {
				t.Fatalf("after a failure at commit %d the run is listed", commits)
			}
			continue
		}
		if err != nil || len(listed) != 1 || done.Own {
			t.Fatalf("import gave %+v, %v, with %d runs listed", done, err, len(listed))
		}
		break
	}
	s.left = 1 << 20
	if _, err := bundle.Import(t.Context(), b, s); err != nil {
		t.Errorf("importing again: %v", err)
	}
	from := reread(t, s, run.Trace.Record)
	if again := pack(t, from); !bytes.Equal(raw, again) {
		t.Error("exported after an import, it has other bytes")
	}
	listed, err := host.Runs(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var untrusted *host.UntrustedError
	fork := host.ForkOptions{ID: "forked", Head: run.Trace.Head, At: 6}
	if _, err := host.Fork(t.Context(), s, listed[0].Digest, fork); !errors.As(err, &untrusted) {
		t.Errorf("bindings of a bundle may be executed: %v", err)
	}
	fork.Trust.Bundles = true
	if _, err := host.Fork(t.Context(), s, listed[0].Digest, fork); err != nil {
		t.Errorf("who trusts a bundle can't fork its run: %v", err)
	}
	if done, err := bundle.Import(t.Context(), b, run.Store); err != nil || !done.Own {
		t.Errorf("into the store that made it: %+v, %v", done, err)
	}
}
