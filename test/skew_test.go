package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/provenance/verify"
)

// TestSkew: what a newer version wrote, and all of which fits together otherwise, is called
// newer. It isn't called verified, and nobody is said to have tampered with it.
func TestSkew(t *testing.T) {
	t.Parallel()
	genuine := bundled(t, mgh09(t), newSigner(t, attest.P256))
	for _, c := range []struct {
		name   string
		change func(*forger)
		check  string
		want   string // in what the check says, or in its notes
	}{
		{"the format of the bundle", func(f *forger) { f.index.Format = "rlam.bundle.v2" }, verify.Archive, "rlam.bundle.v2"},
		{"a kind of record", func(f *forger) {
			f.renew(f.index.Run.Head, func(b []byte) []byte { return bytes.Replace(b, []byte(`"kind":"seal"`), []byte(`"kind":"notary"`), 1) })
		}, verify.Chain, `of the kind "notary"`},
		{"a member of a record", func(f *forger) {
			f.renew(f.index.Run.Head, func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"kind":"seal",`), []byte(`"kind":"seal","notary":"N. N.",`), 1)
			})
		}, verify.Chain, "has members that this version doesn't know"},
		{"a type of event", func(f *forger) {
			f.rewrite(func(h *historypb.History) { insertUnknown(h, len(h.Events)-4) })
		}, verify.Trace, "event of types that this version doesn't know"},
		{"a gate", func(f *forger) {
			f.renew(f.index.Run.Record, func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"gates":[`), []byte(`"gates":[{"gate":"notary","version":1},`), 1)
			})
			f.rekey()
		}, verify.Gates, "notary version 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := forge(t, genuine)
			c.change(f)
			verdict, checks := verified(t, f.file(newSigner(t, attest.P256)))
			for name, check := range checks {
				for _, fault := range check.Faults {
					t.Errorf("%s takes it for tampering: %s", name, fault)
				}
			}
			check := checks[c.check]
			if text := check.Says + "\n" + strings.Join(check.Notes, "\n"); check.State != verify.Skew || !strings.Contains(text, c.want) {
				t.Errorf("%s is %s, want skew that says %q:\n%s", c.check, check.State, c.want, text)
			}
			if verdict.Good() || verdict.Result == verify.Refuted {
				t.Errorf("the verdict: %+v", verdict)
			}
		})
	}
}

// TestDamageIsNoSkew: what reads like another version's, and isn't what the manifest or the
// signature covers, was changed by somebody.
func TestDamageIsNoSkew(t *testing.T) {
	t.Parallel()
	key := newSigner(t, attest.P256)
	genuine := bundled(t, mgh09(t), key)
	for _, c := range []struct {
		name   string
		change func(files map[string][]byte)
		check  string
		file   string
	}{
		{"the format of the bundle", func(files map[string][]byte) {
			files["data/bundle.json"] = bytes.Replace(files["data/bundle.json"], []byte(bundle.Format), []byte("rlam.bundle.v3"), 1)
		}, verify.Archive, "data/bundle.json"},
		{"the type of the statement", func(files map[string][]byte) {
			newerStatement(t, files)
		}, verify.Signature, attest.EnvelopeFile},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := bagOf(t, genuine)
			c.change(files)
			verdict, checks := verified(t, zipped(t, files), key.Public())
			if check := checks[c.check]; check.State != verify.Failed || len(check.Faults) == 0 || !strings.Contains(check.Faults[0].String(), c.file) {
				t.Errorf("%s is %s, want a fault of %s: %+v", c.check, check.State, c.file, check)
			}
			if verdict.Result != verify.Refuted {
				t.Errorf("the verdict: %+v", verdict)
			}
		})
	}
}

// TestSkewOfTheStatement: a newer version's statement is called newer where its signature holds.
func TestSkewOfTheStatement(t *testing.T) {
	t.Parallel()
	key := newSigner(t, attest.P256)
	files := bagOf(t, bundled(t, mgh09(t), key))
	signer, err := dsse.NewEnvelopeSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	e, err := signer.SignPayload(t.Context(), attest.PayloadType, newerStatement(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if files[attest.EnvelopeFile], err = canon.Marshal(e); err != nil {
		t.Fatal(err)
	}
	if files[attest.SignatureFile], err = base64.StdEncoding.DecodeString(e.Signatures[0].Sig); err != nil {
		t.Fatal(err)
	}
	for name, trusted := range map[string][]*attest.PublicKey{"trusted": {key.Public()}, "embedded": nil} {
		verdict, checks := verified(t, zipped(t, files), trusted...)
		if check := checks[verify.Signature]; check.State != verify.Skew || !strings.Contains(check.Says, "urn:rlam:attestation:run:2") {
			t.Errorf("by a key that is %s: %+v", name, check)
		}
		if verdict.Result != verify.Unknown {
			t.Errorf("by a key that is %s, the verdict: %+v", name, verdict)
		}
	}
}

// newerStatement gives the statement in a bundle's envelope the type of a newer version, and
// its encoding for openssl. Who signed the old one hasn't signed it.
func newerStatement(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var e dsse.Envelope
	if err := json.Unmarshal(files[attest.EnvelopeFile], &e); err != nil {
		t.Fatal(err)
	}
	statement, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	statement = bytes.Replace(statement, []byte(attest.PredicateType), []byte("urn:rlam:attestation:run:2"), 1)
	e.Payload = base64.StdEncoding.EncodeToString(statement)
	if files[attest.EnvelopeFile], err = canon.Marshal(e); err != nil {
		t.Fatal(err)
	}
	files[attest.PAEFile] = dsse.PAE(attest.PayloadType, statement)
	return statement
}

// renew changes a record, and gives it its new digest wherever the old one stands. What
// names it has another digest then too, and so on.
func (f *forger) renew(d canon.Digest, change func([]byte) []byte) {
	f.t.Helper()
	path := f.find(func(b bundle.Blob) bool { return b.Digest == d })
	b := change(f.files[path])
	if bytes.Equal(b, f.files[path]) {
		f.t.Fatalf("%s has not what was to be changed", path)
	}
	f.files[path] = b
	for todo := [][2]string{{d.Hex(), canon.Sum(b).Hex()}}; len(todo) > 0; todo = todo[1:] {
		todo = append(todo, f.rename(todo[0][0], todo[0][1])...)
	}
	f.rewrite(func(*historypb.History) {}) // in JSON, payloads are spelled otherwise
}

// rename puts one digest in the place of another, in files and their names, and returns the
// digests that change by that.
func (f *forger) rename(from, to string) (changed [][2]string) {
	for i := range f.index.Blobs {
		b := &f.index.Blobs[i]
		old := f.files["data/"+b.Path]
		renewed := bytes.ReplaceAll(old, []byte(from), []byte(to))
		if b.Role != bundle.RoleHistory && !bytes.Equal(renewed, old) {
			changed = append(changed, [2]string{canon.Sum(old).Hex(), canon.Sum(renewed).Hex()})
		}
		f.files["data/"+b.Path] = renewed
		path := strings.ReplaceAll(b.Path, from, to)
		f.move(b.Path, path)
		b.Path = path
	}
	for i := range f.index.Entries {
		e := &f.index.Entries[i]
		e.Key, e.Value = strings.ReplaceAll(e.Key, from, to), strings.ReplaceAll(e.Value, from, to)
		if e.Path != "" {
			f.files["data/"+e.Path] = bytes.ReplaceAll(f.files["data/"+e.Path], []byte(from), []byte(to))
			path := strings.ReplaceAll(e.Path, from, to)
			f.move(e.Path, path)
			e.Path = path
		}
	}
	for _, d := range []*canon.Digest{&f.index.Run.Head, &f.index.Run.Record} {
		if d.Hex() == from {
			*d, _ = canon.Parse("sha256:" + to)
		}
	}
	return changed
}

func (f *forger) move(from, to string) {
	if from != to {
		f.files["data/"+to] = f.files["data/"+from]
		delete(f.files, "data/"+from)
	}
}

// rekey gives the journal the keys that it has by the proposals' digests.
func (f *forger) rekey() {
	f.t.Helper()
	for _, e := range slices.Clone(f.index.Entries) {
		var in journal.Intent
		if !strings.HasSuffix(e.Key, ".1.intent") {
			continue
		}
		if err := json.Unmarshal(f.files["data/"+e.Path], &in); err != nil {
			f.t.Fatal(err)
		}
		if in.Call != "" {
			f.rename(in.Key.Hex(), journal.CallKey(in.Proposal, in.Call).Hex())
		}
	}
	f.rewrite(func(*historypb.History) {})
}

// insertUnknown puts an event of a type that no version knows before the event at an index,
// and has the events after it, and what refers to them, count on.
func insertUnknown(h *historypb.History, at int) {
	var count func(m protoreflect.Message)
	count = func(m protoreflect.Message) {
		m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case field.IsList() || field.IsMap():
			case field.Kind() == protoreflect.MessageKind:
				count(v.Message())
			case strings.HasSuffix(string(field.Name()), "event_id") && v.Int() > int64(at):
				m.Set(field, protoreflect.ValueOfInt64(v.Int()+1))
			}
			return true
		})
	}
	for _, e := range h.Events {
		count(e.ProtoReflect())
	}
	before := h.Events[at]
	h.Events = slices.Insert(h.Events, at, &historypb.HistoryEvent{EventId: int64(at + 1), EventTime: before.EventTime, TaskId: before.TaskId, EventType: enumspb.EventType(9999)})
}
