package attest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"rlam/internal/canon"
	"rlam/provenance/attest"
	"rlam/test/need"
)

var manifest = []byte("manifest for a test\n")

var facts = attest.Facts{
	Namespace: "default", WorkflowID: "mgh09", Record: canon.Sum([]byte("run")), Head: canon.Sum([]byte("seal")), Status: "completed", Engine: "v0.1.0",
	Runs: []attest.RunFacts{{RunID: "0af3", Events: 7, Root: canon.Sum([]byte("root"))}},
}

func newKey(t testing.TB, typ attest.KeyType) *attest.Key {
	t.Helper()
	k, err := attest.NewKey(typ)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, k *attest.Key, manifest []byte, f attest.Facts) map[string][]byte {
	t.Helper()
	files, err := attest.Sign(t.Context(), k, manifest, f)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSigned(t *testing.T) {
	t.Parallel()
	for _, typ := range []attest.KeyType{attest.P256, attest.Ed25519} {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			made := newKey(t, typ)
			text, err := made.PEM()
			if err != nil {
				t.Fatal(err)
			}
			key, err := attest.ParseKey(text)
			if err != nil || key.Public().ID != made.Public().ID || key.Public().Type != typ {
				t.Fatalf("the key read again is %+v, %v", key, err)
			}
			files := sign(t, key, manifest, facts)
			for name, again := range sign(t, made, manifest, facts) {
				if !bytes.Equal(files[name], again) {
					t.Errorf("%s differs when signed twice", name)
				}
			}
			e, err := attest.ReadEnvelope(files[attest.EnvelopeFile])
			if err != nil {
				t.Fatal(err)
			}
			public, err := attest.ParsePublicKey(files[attest.KeyFile])
			if err != nil {
				t.Fatal(err)
			}
			if err := e.SignedBy(t.Context(), public); err != nil {
				t.Error(err)
			}
			if err := e.SignedBy(t.Context(), newKey(t, typ).Public()); err == nil {
				t.Error("another key checks the signature")
			}
			if err := e.Statement.Covers(manifest); err != nil {
				t.Error(err)
			}
			if err := e.Statement.Covers(append(manifest, ' ')); err == nil {
				t.Error("the statement covers another manifest")
			}
			if got, want := fmt.Sprint(e.Statement.Predicate), fmt.Sprint(facts); got != want {
				t.Errorf("signed %s\nwant %s", got, want)
			}
			if !bytes.Equal(e.PAE, files[attest.PAEFile]) || !bytes.Equal(e.First(), files[attest.SignatureFile]) {
				t.Error("the bare files are not those of the envelope")
			}
		})
	}
}

// TestOpenssl runs the commands that a bundle's README has, on a bag and on bags in which
// one file differs.
func TestOpenssl(t *testing.T) {
	t.Parallel()
	need.Program(t, "openssl")
	need.Program(t, "sha512sum")
	for _, typ := range []attest.KeyType{attest.P256, attest.Ed25519} {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			key := newKey(t, typ)
			data := []byte("a result\n")
			list := fmt.Appendf(nil, "%x  data/result\n", sha512.Sum512(data))
			tags := fmt.Appendf(nil, "%x  manifest-sha512.txt\n", sha512.Sum512(list))
			files := sign(t, key, tags, facts)
			files["data/result"], files["manifest-sha512.txt"], files[attest.Subject] = data, list, tags
			if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil {
				t.Fatal(err)
			}
			put := func(name string, b []byte) {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			run := func() (failed int, out string) {
				for i, line := range attest.Commands(typ) {
					cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
					cmd.Dir = dir
					b, err := cmd.CombinedOutput()
					if err != nil {
						return i + 1, string(b)
					}
					out += string(b)
				}
				return 0, out
			}
			for name, b := range files {
				put(name, b)
			}
			if failed, out := run(); failed > 0 || !strings.Contains(out, key.Public().ID.Hex()) {
				t.Fatalf("command %d failed, or the key's id isn't told:\n%s", failed, out)
			}
			for i, name := range []string{"data/result", "manifest-sha512.txt", attest.PAEFile, attest.Subject} {
				b := bytes.Clone(files[name])
				b[len(b)/2] ^= 1
				put(name, b)
				if failed, out := run(); failed == 0 {
					t.Errorf("%d: %s differs, and no command fails:\n%s", i, name, out)
				}
				put(name, files[name])
			}
		})
	}
}

func TestEnvelopesThatAreRefused(t *testing.T) {
	t.Parallel()
	key := newKey(t, attest.P256)
	whole := sign(t, key, manifest, facts)[attest.EnvelopeFile]
	var members map[string]any
	if err := json.Unmarshal(whole, &members); err != nil {
		t.Fatal(err)
	}
	change := func(f func(m map[string]any, signature map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(whole, &m); err != nil {
			t.Fatal(err)
		}
		f(m, m["signatures"].([]any)[0].(map[string]any))
		b, err := canon.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	otherCurve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(otherCurve.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attest.ParsePublicKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})); err == nil || !strings.Contains(err.Error(), "P-384") {
		t.Errorf("a key on another curve: %v", err)
	}
	ed := newKey(t, attest.Ed25519)
	foreign := sign(t, ed, manifest, facts)[attest.EnvelopeFile]
	var theirs struct{ Signatures []any }
	if err := json.Unmarshal(foreign, &theirs); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"white space":           append(bytes.Clone(whole), '\n'),
		"a member more":         change(func(m, _ map[string]any) { m["note"] = "x" }),
		"another payload type":  change(func(m, _ map[string]any) { m["payloadType"] = "text/plain" }),
		"no signatures":         change(func(m, _ map[string]any) { m["signatures"] = []any{} }),
		"no key id":             change(func(_, s map[string]any) { s["keyid"] = "" }),
		"another key's id":      change(func(_, s map[string]any) { s["keyid"] = ed.Public().ID.String() }),
		"another algorithm":     change(func(m, _ map[string]any) { m["signatures"] = theirs.Signatures }),
		"that under our id":     change(func(_, s map[string]any) { s["sig"] = theirs.Signatures[0].(map[string]any)["sig"] }),
		"an empty signature":    change(func(_, s map[string]any) { s["sig"] = "" }),
		"the statement changed": change(func(m, _ map[string]any) { m["payload"] = strings.Replace(m["payload"].(string), "a", "b", 1) }),
	} {
		e, err := attest.ReadEnvelope(b)
		if err == nil {
			err = e.SignedBy(t.Context(), key.Public())
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var statement attest.Statement
	e, err := attest.ReadEnvelope(whole)
	if err != nil {
		t.Fatal(err)
	}
	statement = e.Statement
	statement.PredicateType = "urn:rlam:attestation:run:2"
	b, err := canon.Marshal(statement)
	if err != nil {
		t.Fatal(err)
	}
	var skew *attest.SkewError
	if _, err := attest.ReadEnvelope(change(func(m, _ map[string]any) { m["payload"] = b })); !errors.As(err, &skew) {
		t.Errorf("a newer statement: %v, want a skew", err)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 100} {
		var stored []tlog.Hash
		reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
			for _, i := range at {
				out = append(out, stored[i])
			}
			return out, nil
		})
		var leaves [][]byte
		for i := range n {
			leaves = append(leaves, fmt.Append(nil, "event ", i))
			hashes, err := tlog.StoredHashes(int64(i), leaves[i], reader)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, hashes...)
		}
		want, err := tlog.TreeHash(int64(n), reader)
		if err != nil {
			t.Fatal(err)
		}
		seq := func(yield func([]byte, error) bool) {
			for _, l := range leaves {
				if !yield(l, nil) {
					return
				}
			}
		}
		root, count, err := attest.Root(seq)
		if err != nil || root != canon.Digest(want) || count != int64(n) {
			t.Errorf("the root of %d leaves is %s, want %s", n, root, canon.Digest(want))
		}
		for i := range n {
			p, err := attest.Prove("0af3", int64(i+1), seq)
			if err != nil || p.Root != root {
				t.Fatalf("proving %d of %d: %v", i+1, n, err)
			}
			if err := p.Check(leaves[i]); err != nil {
				t.Error(err)
			}
			if p.Check([]byte("another")) == nil || n > 1 && p.Check(leaves[(i+1)%n]) == nil {
				t.Errorf("the proof of %d of %d holds for another event", i+1, n)
			}
		}
		if _, err := attest.Prove("0af3", int64(n+1), seq); err == nil {
			t.Error("proved an event that isn't there")
		}
	}
}
