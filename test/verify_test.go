package test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/provenance/history"
	"rlam/provenance/verify"
	"rlam/test/lab"
	"rlam/worker/host"
)

// exportOf is a run as it is exported: its trace, store and histories.
func exportOf(t testing.TB, s store.Store, histories ...export.History) *export.Run {
	t.Helper()
	run := &export.Run{Store: s, Histories: histories, Namespace: "default"}
	var err error
	for i, h := range histories { // a bundle's are read from where they are
		if histories[i].Protobuf, err = h.Bytes(); err != nil {
			t.Fatal(err)
		}
	}
	if run.Trace, err = traced(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	return run
}

func traced(ctx context.Context, run *export.Run) (*provenance.Trace, error) {
	var runs []*history.Run
	for _, h := range run.Histories {
		b, err := h.Bytes()
		if err != nil {
			return nil, err
		}
		r, err := history.Read(history.FromProtobuf(b), history.Options{RunID: h.RunID, Payloads: host.DataConverter()})
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return provenance.Build(ctx, provenance.Evidence{Runs: runs, Store: run.Store, Strays: true})
}

// bundled writes a run as a bundle, signed with key if there is one.
func bundled(t testing.TB, run *export.Run, key *attest.Key, withhold ...string) []byte {
	t.Helper()
	o := bundle.Options{Engine: "rlam " + host.Version, Withhold: withhold, Retell: traced}
	if key != nil {
		o.CheckSignature = attest.Commands(key.Public().Type)
		o.Sign = func(ctx context.Context, tags []byte, run *export.Run, withheld int) (map[string][]byte, error) {
			facts, err := attest.FactsOf(run, withheld, o.Engine)
			if err != nil {
				return nil, err
			}
			return attest.Sign(ctx, key, tags, facts)
		}
	}
	var b bytes.Buffer
	if _, err := bundle.Write(t.Context(), &b, run, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// release names a bundle of this version, and the public key that it was signed with.
func release(ext string) string {
	return filepath.Join("bundles", "mgh09-"+strings.TrimPrefix(host.Version, "v")+ext)
}

// mgh09 is the run of the newcomer's example, out of the bundle that the repository has.
func mgh09(t testing.TB) *export.Run {
	t.Helper()
	b, err := bundle.Open(t.Context(), release(".zip"), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	in, err := verify.Of(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return exportOf(t, b.Store, in.Histories...)
}

// TestReleases verifies the bundles that released versions wrote, for ever. -update writes
// that of this version anew, with a key that is thrown away.
func TestReleases(t *testing.T) {
	t.Parallel()
	if *update {
		writeRelease(t)
	}
	files, err := filepath.Glob("bundles/*.zip")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bundles: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(strings.TrimSuffix(file, ".zip") + ".pub")
			if err != nil {
				t.Fatal(err)
			}
			key, err := attest.ParsePublicKey(text)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if verdict, _ := verified(t, b, key); verdict.Result != verify.Verified {
				t.Errorf("%+v", verdict)
			}
		})
	}
}

func writeRelease(t *testing.T) {
	t.Helper()
	l := lab.New(t)
	begun := l.Begin("../examples/mgh09/study.yaml", nil)
	if err := begun.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	h, err := host.EncodeHistory(l.History(begun.GetID(), begun.GetRunID()))
	if err != nil {
		t.Fatal(err)
	}
	// The memo names this machine's store; without it nothing else changes.
	if h, err = history.Withhold(h, func(canon.Digest) bool { return false }); err != nil {
		t.Fatal(err)
	}
	key := newSigner(t, attest.P256)
	run := exportOf(t, l.Host.Store, export.History{RunID: begun.GetRunID(), Protobuf: h})
	for name, b := range map[string][]byte{release(".zip"): bundled(t, run, key), release(".pub"): key.Public().PEM()} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// newSigner is a key for tests.
func newSigner(t testing.TB, typ attest.KeyType) *attest.Key {
	t.Helper()
	key, err := attest.NewKey(typ)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// verified verifies a bundle, and returns its checks by name.
func verified(t testing.TB, file []byte, trusted ...*attest.PublicKey) (verify.Verdict, map[string]verify.Check) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.zip")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	b, archive, err := verify.Open(t.Context(), path, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	checks := map[string]verify.Check{archive.Name: archive}
	if b == nil {
		return verify.Closed(archive), checks
	}
	defer b.Close()
	in, err := verify.Of(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	in.Trusted = trusted
	in.Code, in.Judge, in.Step = host.Replayer(), host.Rejudge, host.StepDigest
	verdict, err := verify.Verify(t.Context(), in, func(c verify.Check) { checks[c.Name] = c })
	if err != nil {
		t.Fatal(err)
	}
	return verdict, checks
}

// TestVerified: a bundle of a run that went well passes all checks, and the verdict says
// whether somebody who is trusted signed it.
func TestVerified(t *testing.T) {
	t.Parallel()
	key := newSigner(t, attest.P256)
	file := bundled(t, mgh09(t), key)
	verdict, checks := verified(t, file, key.Public())
	for _, c := range checks {
		if c.State != verify.Passed {
			t.Errorf("%s is %s: %s %v", c.Name, c.State, c.Says, c.Faults)
		}
	}
	if verdict.Result != verify.Verified || len(checks) != 10 {
		t.Errorf("%d checks, %+v", len(checks), verdict)
	}
	if verdict, _ := verified(t, file); verdict.Result != verify.Consistent {
		t.Errorf("without a key that is trusted: %+v", verdict)
	}
	if verdict, _ := verified(t, file, newSigner(t, attest.Ed25519).Public()); verdict.Result != verify.Refuted || verdict.Check != verify.Signature || !strings.HasPrefix(verdict.Says, "None of the keys") {
		t.Errorf("with another key: %+v", verdict)
	}
	if again := bundled(t, mgh09(t), key); !bytes.Equal(file, again) {
		t.Error("the run exported again has other bytes")
	}
}

// TestWithheldVerified: a bundle that leaves contents out is verified like a whole one.
// What can't be asked again without them is unchecked, and nothing is a fault.
func TestWithheldVerified(t *testing.T) {
	t.Parallel()
	key := newSigner(t, attest.P256)
	for _, withhold := range [][]string{
		{"prompts"},
		{"params"},
		{"4.1/params/start"},
		{"4.1/output/residual_sum_of_squares"},
		{"artifact:plot.png"},
		{"outputs", "artifact:residuals.csv"},
	} {
		t.Run(strings.ReplaceAll(strings.Join(withhold, " "), "/", "-"), func(t *testing.T) {
			t.Parallel()
			verdict, checks := verified(t, bundled(t, mgh09(t), key, withhold...), key.Public())
			if verdict.Result != verify.Verified {
				t.Errorf("%+v", verdict)
			}
			for _, c := range checks {
				if c.State != verify.Passed && (c.Name != verify.Gates || c.State != verify.Unchecked) {
					t.Errorf("%s is %s: %s %v", c.Name, c.State, c.Says, c.Faults)
				}
			}
			if c := checks[verify.Absence]; len(c.Notes) == 0 {
				t.Error("nothing says what was left out")
			}
		})
	}
}
