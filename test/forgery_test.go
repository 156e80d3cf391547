package test

import (
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/provenance/history"
	"rlam/provenance/verify"
	"rlam/worker/host"
)

// A forger has a bundle's files, and makes everything fit again that can be made to fit
// without the key: index, manifests, and a signature by a key of the forger's own.
type forger struct {
	t     *testing.T
	files map[string][]byte
	index bundle.Index
}

func forge(t *testing.T, file []byte) *forger {
	f := &forger{t: t, files: bagOf(t, file)}
	if err := json.Unmarshal(f.files["data/bundle.json"], &f.index); err != nil {
		t.Fatal(err)
	}
	return f
}

// find is the path of a blob that matches.
func (f *forger) find(match func(bundle.Blob) bool) string {
	f.t.Helper()
	i := slices.IndexFunc(f.index.Blobs, match)
	if i < 0 {
		f.t.Fatal("the bundle has no such blob")
	}
	return "data/" + f.index.Blobs[i].Path
}

// rewrite changes the history, in both spellings.
func (f *forger) rewrite(change func(*historypb.History)) {
	f.t.Helper()
	path := f.find(func(b bundle.Blob) bool { return b.Role == bundle.RoleHistory })
	h := &historypb.History{}
	if err := proto.Unmarshal(f.files[path], h); err != nil {
		f.t.Fatal(err)
	}
	change(h)
	b, err := host.EncodeHistory(h)
	if err != nil {
		f.t.Fatal(err)
	}
	var text bytes.Buffer
	if err := history.WriteJSON(&text, b); err != nil {
		f.t.Fatal(err)
	}
	f.files[path], f.files[strings.TrimSuffix(path, ".pb")+".json"] = b, text.Bytes()
	f.index.Run.Runs[0].Events = int64(len(h.Events))
}

// file spells the bundle, with an index and manifests that fit.
func (f *forger) file(key *attest.Key) []byte {
	f.t.Helper()
	moved := map[string]string{}
	f.index.Blobs = slices.DeleteFunc(f.index.Blobs, func(b bundle.Blob) bool { return f.files["data/"+b.Path] == nil })
	for i := range f.index.Blobs {
		b := &f.index.Blobs[i]
		content := f.files["data/"+b.Path]
		d := canon.Sum(content)
		moved[b.Digest.String()], b.Digest, b.Size = d.String(), d, int64(len(content))
	}
	for i := range f.index.Entries {
		if to := moved[f.index.Entries[i].Value]; to != "" {
			f.index.Entries[i].Value = to
		}
	}
	f.index.Entries = slices.DeleteFunc(f.index.Entries, func(e bundle.Entry) bool { return e.Path != "" && f.files["data/"+e.Path] == nil })
	for i := range f.index.Run.Runs {
		r := &f.index.Run.Runs[i]
		if to, err := canon.Parse(moved[r.History.String()]); err == nil {
			r.History = to
		}
	}
	b, err := canon.Marshal(f.index)
	if err != nil {
		f.t.Fatal(err)
	}
	f.files["data/bundle.json"] = b
	f.manifests()
	f.sign(key)
	return zipped(f.t, f.files)
}

func (f *forger) manifests() {
	var list, tags bytes.Buffer
	var size, count int
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		if strings.HasPrefix(name, "data/") {
			fmt.Fprintf(&list, "%x  %s\n", sha512.Sum512(f.files[name]), name)
			size, count = size+len(f.files[name]), count+1
		}
	}
	var info []string
	for line := range strings.Lines(string(f.files["bag-info.txt"])) {
		if strings.HasPrefix(line, "Payload-Oxum") {
			line = fmt.Sprintf("Payload-Oxum: %d.%d\n", size, count)
		}
		info = append(info, line)
	}
	f.files["bag-info.txt"], f.files["manifest-sha512.txt"] = []byte(strings.Join(info, "")), list.Bytes()
	for _, name := range []string{"bag-info.txt", "bagit.txt", "manifest-sha512.txt"} {
		fmt.Fprintf(&tags, "%x  %s\n", sha512.Sum512(f.files[name]), name)
	}
	f.files["tagmanifest-sha512.txt"] = tags.Bytes()
}

// sign signs what the forgery says of itself.
func (f *forger) sign(key *attest.Key) {
	f.t.Helper()
	for _, name := range []string{attest.EnvelopeFile, attest.KeyFile, attest.PAEFile, attest.SignatureFile} {
		delete(f.files, name)
	}
	if key == nil {
		return
	}
	path := filepath.Join(f.t.TempDir(), "run.zip")
	if err := os.WriteFile(path, zipped(f.t, f.files), 0o600); err != nil {
		f.t.Fatal(err)
	}
	b, err := bundle.Open(f.t.Context(), path, bundle.Limits{})
	if err != nil {
		return // it isn't opened by who verifies it either
	}
	defer b.Close()
	in, err := verify.Of(f.t.Context(), b)
	if err != nil {
		f.t.Fatal(err)
	}
	run := &export.Run{Store: b.Store, Histories: in.Histories, Namespace: in.Claims.Namespace}
	if run.Trace, err = traced(f.t.Context(), run); err != nil {
		return
	}
	facts, err := attest.FactsOf(run, 0, in.Claims.Engine)
	if err != nil {
		f.t.Fatal(err)
	}
	signed, err := attest.Sign(f.t.Context(), key, f.files["tagmanifest-sha512.txt"], facts)
	if err != nil {
		f.t.Fatal(err)
	}
	maps.Copy(f.files, signed)
}

// TestForgeries: what a forger made to fit is found by a check that looks deeper, and the
// place is named, although the signature is good for the key that came with the bundle.
func TestForgeries(t *testing.T) {
	t.Parallel()
	genuine := bundled(t, mgh09(t), newSigner(t, attest.P256))
	swap := func(f *forger, a, b string) { f.files[a], f.files[b] = f.files[b], f.files[a] }
	named := func(name, call string) func(bundle.Blob) bool {
		return func(b bundle.Blob) bool { return b.Role == bundle.RoleArtifact && b.Name == name && b.Call == call }
	}
	for _, c := range []struct {
		name   string
		change func(*forger)
		check  string
		want   string // in one of its faults
	}{
		{"nothing", func(*forger) {}, "", ""},
		{"artifacts are exchanged", func(f *forger) {
			swap(f, f.find(named("residuals.csv", "4.1")), f.find(named("residuals.csv", "5.1")))
		}, verify.Contents, "residuals.csv"},
		{"an artifact is another", func(f *forger) {
			f.files[f.find(named("plot.png", "5.3"))] = []byte("a finer plot")
		}, verify.Contents, "plot.png"},
		{"an artifact is gone", func(f *forger) {
			delete(f.files, f.find(named("plot.png", "5.3")))
		}, verify.Contents, "/calls/2/attempts/0/artifacts/0/digest"},
		{"a file is slipped in", func(f *forger) {
			f.files["data/artifacts/5.3/1/better.png"] = []byte("better")
			f.index.Blobs = append(f.index.Blobs, bundle.Blob{Path: "artifacts/5.3/1/better.png", Role: bundle.RoleArtifact, Name: "better.png", Call: "5.3"})
		}, verify.Contents, "better.png: nothing in the run names it"},
		{"an event is removed", func(f *forger) {
			f.rewrite(func(h *historypb.History) { h.Events = slices.Delete(h.Events, 20, 21) })
		}, verify.Trace, "event 22"},
		{"an event is doubled", func(f *forger) {
			f.rewrite(func(h *historypb.History) { h.Events = slices.Insert(h.Events, 20, h.Events[19]) })
		}, verify.Trace, "event 20"},
		{"events are moved", func(f *forger) {
			f.rewrite(func(h *historypb.History) { h.Events[30], h.Events[31] = h.Events[31], h.Events[30] })
		}, verify.Trace, "event 32"},
		{"events are renumbered after one was removed", func(f *forger) {
			f.rewrite(func(h *historypb.History) {
				h.Events = slices.Delete(h.Events, 20, 21)
				for i, e := range h.Events {
					e.EventId = int64(i + 1)
				}
			})
		}, verify.Trace, "event "},
		{"the tail is cut", func(f *forger) {
			f.rewrite(func(h *historypb.History) { h.Events = h.Events[:len(h.Events)-10] })
			f.claim()
		}, verify.Contents, "nothing in the run names it"},
		{"a timer is shorter", func(f *forger) {
			f.rewrite(func(h *historypb.History) {
				for _, e := range h.Events {
					if a := e.GetTimerStartedEventAttributes(); a != nil {
						a.StartToFireTimeout.Seconds--
					}
				}
			})
		}, verify.Replay, "duration"},
		{"an output is another in the history", func(f *forger) {
			f.rewrite(func(h *historypb.History) {
				for _, e := range h.Events {
					if p := e.GetActivityTaskCompletedEventAttributes().GetResult().GetPayloads(); len(p) == 1 && bytes.Contains(p[0].Data, []byte(`"output":{"digest":"sha256:`)) {
						p[0].Data = bytes.Replace(p[0].Data, []byte(`"digest":"sha256:`), []byte(`"digest":"sha256:0`), 1)
						at := bytes.Index(p[0].Data, []byte(`sha256:0`)) + len("sha256:") + 64
						p[0].Data = slices.Delete(p[0].Data, at, at+1)
						return
					}
				}
			})
		}, verify.Trace, "digest-differs"},
		{"the history in JSON says something else", func(f *forger) {
			path := strings.TrimSuffix(f.find(func(b bundle.Blob) bool { return b.Role == bundle.RoleHistory }), ".pb") + ".json"
			f.files[path] = bytes.Replace(f.files[path], []byte("rlam.NotConverged"), []byte("rlam.JustConverged"), 1)
		}, verify.Trace, "JSON says something else"},
		{"the seal says something else", func(f *forger) { f.reseal(func(s *record.Seal) { s.Counters.Refused = 0 }) }, verify.Trace, "head"},
		{"an intent is gone", func(f *forger) {
			for _, e := range f.index.Entries {
				if strings.HasSuffix(e.Key, ".intent") {
					delete(f.files, "data/"+e.Path)
					return
				}
			}
		}, verify.Trace, "intent-missing"},
		{"the index names another end", func(f *forger) { f.index.Run.Status = "no_result" }, verify.Trace, "run/status"},
		{"the index names another run", func(f *forger) { f.index.Run.ID = "another" }, verify.Trace, "run/id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := forge(t, genuine)
			c.change(f)
			verdict, checks := verified(t, f.file(newSigner(t, attest.Ed25519)))
			if c.check == "" {
				if verdict.Result != verify.Consistent {
					t.Errorf("%+v", verdict)
				}
				return
			}
			var all []string
			for _, name := range []string{verify.Archive, verify.Bag, verify.Signature, verify.Chain, verify.Contents, verify.Trace, verify.Gates, verify.Replay} {
				for _, fault := range checks[name].Faults {
					all = append(all, name+" "+fault.String())
				}
			}
			if verdict.Result != verify.Refuted || !slices.ContainsFunc(checks[c.check].Faults, func(f verify.Fault) bool { return strings.Contains(f.String(), c.want) }) {
				t.Errorf("%s, no fault of %s has %q:\n%s", verdict.Result, c.check, c.want, strings.Join(all, "\n"))
			}
			if s := checks[verify.Signature].State; s != verify.Passed && s != "" {
				t.Errorf("the signature alone would have told: %+v", checks[verify.Signature])
			}
		})
	}
}

// claim makes the index say what the forged history does.
func (f *forger) claim() {
	f.t.Helper()
	path := f.find(func(b bundle.Blob) bool { return b.Role == bundle.RoleHistory })
	r, err := history.Read(history.FromProtobuf(f.files[path]), history.Options{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.index.Run.Head, f.index.Run.Status = r.Head, "open"
}

// reseal changes the last record, gives it its new name, and has the index know it.
func (f *forger) reseal(change func(*record.Seal)) {
	f.t.Helper()
	i := slices.IndexFunc(f.index.Blobs, func(b bundle.Blob) bool { return b.Digest == f.index.Run.Head })
	var seal record.Seal
	old := "data/" + f.index.Blobs[i].Path
	if _, err := record.Decode(f.files[old], &seal); err != nil {
		f.t.Fatal(err)
	}
	change(&seal)
	d, b, err := record.Encode(&seal)
	if err != nil {
		f.t.Fatal(err)
	}
	delete(f.files, old)
	f.index.Blobs[i].Path = "records/" + d.Hex() + ".record"
	f.index.Blobs[i].Digest, f.index.Run.Head = d, d
	f.files["data/"+f.index.Blobs[i].Path] = b
}

// TestSignatures: a bundle whose files are whole is refused with a signature that isn't its own.
func TestSignatures(t *testing.T) {
	t.Parallel()
	run := mgh09(t)
	key, stranger := newSigner(t, attest.P256), newSigner(t, attest.Ed25519)
	genuine := bundled(t, run, key)
	signed := func(k *attest.Key, manifest []byte, change func(*attest.Facts)) map[string][]byte {
		facts, err := attest.FactsOf(run, 0, "rlam "+host.Version)
		if err != nil {
			t.Fatal(err)
		}
		change(&facts)
		files, err := attest.Sign(t.Context(), k, manifest, facts)
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	as := func(*attest.Facts) {}
	for _, c := range []struct {
		name    string
		change  func(files map[string][]byte)
		want    string
		trusted bool // the fault is that the key isn't trusted: alone, the bundle is consistent
	}{
		{"none", func(f map[string][]byte) {
			for _, name := range []string{attest.EnvelopeFile, attest.KeyFile, attest.PAEFile, attest.SignatureFile} {
				delete(f, name)
			}
		}, "there is no signature", false},
		{"no key", func(f map[string][]byte) { delete(f, attest.KeyFile) }, "key.pem", false},
		{"a stranger's", func(f map[string][]byte) {
			maps.Copy(f, signed(stranger, f["tagmanifest-sha512.txt"], as))
		}, "none that you trust", true},
		{"a stranger's under the key's name", func(f map[string][]byte) {
			theirs := signed(stranger, f["tagmanifest-sha512.txt"], as)
			f[attest.EnvelopeFile] = bytes.Replace(theirs[attest.EnvelopeFile], []byte(stranger.Public().ID.String()), []byte(key.Public().ID.String()), 1)
			f[attest.PAEFile], f[attest.SignatureFile] = theirs[attest.PAEFile], theirs[attest.SignatureFile]
		}, "not of that key", false},
		{"the key's, beside a stranger's key", func(f map[string][]byte) { f[attest.KeyFile] = stranger.Public().PEM() }, "none of 1 is by key", false},
		{"another bundle's", func(f map[string][]byte) {
			maps.Copy(f, signed(key, []byte("another manifest"), as))
		}, "tagmanifest-sha512.txt", false},
		{"another run's", func(f map[string][]byte) {
			maps.Copy(f, signed(key, f["tagmanifest-sha512.txt"], func(f *attest.Facts) { f.WorkflowID = "another" }))
		}, "predicate/workflow_id", false},
		{"of another history", func(f map[string][]byte) {
			maps.Copy(f, signed(key, f["tagmanifest-sha512.txt"], func(f *attest.Facts) { f.Runs[0].Root = f.Head }))
		}, "predicate/runs/0/root", false},
		{"of another namespace", func(f map[string][]byte) {
			maps.Copy(f, signed(key, f["tagmanifest-sha512.txt"], func(f *attest.Facts) { f.Namespace = "another" }))
		}, "predicate/namespace", false},
		{"openssl is shown another one", func(f map[string][]byte) {
			theirs := signed(key, []byte("another manifest"), as)
			f[attest.PAEFile], f[attest.SignatureFile] = theirs[attest.PAEFile], theirs[attest.SignatureFile]
		}, "signature.pae", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := bagOf(t, genuine)
			c.change(files)
			file := zipped(t, files)
			verdict, checks := verified(t, file, key.Public())
			if verdict.Result != verify.Refuted || verdict.Check != verify.Signature || !strings.Contains(fmt.Sprint(checks[verify.Signature].Faults), c.want) {
				t.Errorf("%+v, want %q", verdict, c.want)
			}
			if alone, _ := verified(t, file); c.trusted != (alone.Result == verify.Consistent) {
				t.Errorf("without a trusted key: %+v", alone)
			}
		})
	}
}
