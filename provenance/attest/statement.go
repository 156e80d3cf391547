package attest

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"rlam/internal/canon"
	"rlam/provenance/export"
	"rlam/provenance/history"
)

// Names in statements and envelopes.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "urn:rlam:attestation:run:1"
	PayloadType   = "application/vnd.in-toto+json"
	Subject       = "tagmanifest-sha512.txt"
)

// Names of a signature's files, beside the tag manifest.
const (
	EnvelopeFile  = "signature.dsse.json"
	KeyFile       = "key.pem"       // public
	PAEFile       = "signature.pae" // the bytes that are signed
	SignatureFile = "signature.sig" // the bare signature over them
)

// Statement is an in-toto statement about a bundle.
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     Facts      `json:"predicate"`
}

// Resource is a file that a statement is about. Its digests are in hexadecimal, by algorithm.
type Resource struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// Facts are what a signature binds of a run.
type Facts struct {
	Namespace  string       `json:"namespace"`   // of Temporal; "" if it wasn't known
	WorkflowID string       `json:"workflow_id"` // which a run has for itself within a namespace
	Runs       []RunFacts   `json:"runs"`        // as export.Run has its histories
	Record     canon.Digest `json:"record"`      // of the run; "" of a workflow that isn't R-LAM's
	Head       canon.Digest `json:"head"`        // its newest record
	Status     string       `json:"status"`      // how it ended, "unsealed", or "open" if it went on
	Withheld   int          `json:"withheld"`    // contents and artifacts that were left out on purpose
	Engine     string       `json:"engine"`      // version of R-LAM that wrote the bundle
}

// RunFacts are what a signature binds of one Temporal run.
type RunFacts struct {
	RunID  string       `json:"run_id"`
	Events int64        `json:"events"`
	Root   canon.Digest `json:"root"` // of a Merkle tree over history.Leaves
	Aside  bool         `json:"aside,omitempty"`
}

// FactsOf gathers what a signature binds. withheld is how many contents and artifacts the
// bundle leaves out on purpose, engine the version of R-LAM that writes it. Withholding
// changes nothing else of them.
func FactsOf(run *export.Run, withheld int, engine string) (Facts, error) {
	f := Facts{
		Namespace: run.Namespace, WorkflowID: run.Trace.ID, Runs: []RunFacts{},
		Record: run.Trace.Record, Head: run.Trace.Head, Status: run.Trace.Status,
		Withheld: withheld, Engine: engine,
	}
	for _, h := range run.Histories {
		protobuf, err := h.Bytes()
		if err != nil {
			return Facts{}, err
		}
		root, n, err := Root(history.Leaves(protobuf))
		if err != nil {
			return Facts{}, fmt.Errorf("hashing the history of Temporal run %q: %w", h.RunID, err)
		}
		f.Runs = append(f.Runs, RunFacts{RunID: h.RunID, Events: n, Root: root, Aside: h.Aside})
	}
	return f, nil
}

// Sign signs a bundle through its tag manifest. It returns the files to put beside the
// manifest, by name.
func Sign(ctx context.Context, key *Key, tagManifest []byte, facts Facts) (map[string][]byte, error) {
	sum := sha512.Sum512(tagManifest)
	statement, err := canon.Marshal(Statement{
		Type: StatementType, PredicateType: PredicateType, Predicate: facts,
		Subject: []Resource{{Name: Subject, Digest: map[string]string{"sha512": hex.EncodeToString(sum[:])}}},
	})
	if err != nil {
		return nil, fmt.Errorf("signing a bundle: %w", err)
	}
	signer, err := dsse.NewEnvelopeSigner(key)
	if err != nil {
		return nil, fmt.Errorf("signing a bundle: %w", err)
	}
	e, err := signer.SignPayload(ctx, PayloadType, statement)
	if err != nil {
		return nil, fmt.Errorf("signing a bundle: %w", err)
	}
	envelope, err := canon.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("signing a bundle: %w", err)
	}
	bare, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	if err != nil {
		return nil, fmt.Errorf("signing a bundle: %w", err)
	}
	return map[string][]byte{
		EnvelopeFile: envelope, KeyFile: key.Public().PEM(),
		PAEFile: dsse.PAE(PayloadType, statement), SignatureFile: bare,
	}, nil
}

// Envelope is a signature file as it was read.
type Envelope struct {
	Statement Statement
	PAE       []byte // the bytes that its signatures are over
	dsse      dsse.Envelope
}

// ReadEnvelope reads a signature file. It takes one spelling only, that of [Sign]:
// what two readers could take for different things is refused. It checks no signature. With
// a [SkewError] it returns the envelope too, without its statement: whether it is of another
// version or damaged is for its signature to say.
func ReadEnvelope(b []byte) (*Envelope, error) {
	e := &Envelope{}
	if err := strict(b, &e.dsse); err != nil {
		return nil, fmt.Errorf("reading a DSSE envelope: %w", err)
	}
	if e.dsse.PayloadType != PayloadType {
		return nil, fmt.Errorf("reading a DSSE envelope: its payload is of type %q, want %q", e.dsse.PayloadType, PayloadType)
	}
	body, err := base64.StdEncoding.Strict().DecodeString(e.dsse.Payload)
	if err != nil {
		return nil, fmt.Errorf("reading the payload of a DSSE envelope: %w", err)
	}
	for i, s := range e.dsse.Signatures {
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Sig); err != nil {
			return nil, fmt.Errorf("reading signature %d of a DSSE envelope: %w", i+1, err)
		}
	}
	var kind struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return nil, fmt.Errorf("reading a statement: %w", err)
	}
	e.PAE = dsse.PAE(PayloadType, body)
	if kind.Type != StatementType || kind.PredicateType != PredicateType {
		return e, &SkewError{What: fmt.Sprintf("a statement of the type %q with the predicate %q", kind.Type, kind.PredicateType), Want: fmt.Sprintf("%q with %q", StatementType, PredicateType)}
	}
	if err := strict(body, &e.Statement); err != nil {
		return nil, fmt.Errorf("reading a statement: %w", err)
	}
	return e, nil
}

// SkewError says that something was written by another version, in a form that this one
// doesn't know. That is no sign of tampering where the signature over it holds.
type SkewError struct{ What, Want string }

func (e *SkewError) Error() string {
	return fmt.Sprintf("%s; this version reads %s", e.What, e.Want)
}

// SignedBy checks that the envelope has a signature of key that names it by its id.
func (e *Envelope) SignedBy(ctx context.Context, key *PublicKey) error {
	id := key.ID.String()
	named := dsse.Envelope{PayloadType: e.dsse.PayloadType, Payload: e.dsse.Payload}
	for _, s := range e.dsse.Signatures {
		if s.KeyID == id {
			named.Signatures = append(named.Signatures, s)
			break
		}
	}
	if len(named.Signatures) == 0 {
		return fmt.Errorf("checking a signature: none of %d is by key %s", len(e.dsse.Signatures), id)
	}
	v, err := dsse.NewEnvelopeVerifier(key)
	if err != nil {
		return fmt.Errorf("checking a signature: %w", err)
	}
	if _, err := v.Verify(ctx, &named); err != nil {
		return fmt.Errorf("checking a signature: the one that names key %s is not of that key over this statement", id)
	}
	return nil
}

// KeyIDs are the ids of the keys that the signatures name.
func (e *Envelope) KeyIDs() []string {
	var ids []string
	for _, s := range e.dsse.Signatures {
		ids = append(ids, s.KeyID)
	}
	return ids
}

// First is the first bare signature.
func (e *Envelope) First() []byte {
	if len(e.dsse.Signatures) == 0 {
		return nil
	}
	b, _ := base64.StdEncoding.DecodeString(e.dsse.Signatures[0].Sig) // ReadEnvelope has read it
	return b
}

// Covers says whether the statement is about these bytes of a tag manifest.
func (s Statement) Covers(tagManifest []byte) error {
	if len(s.Subject) != 1 || s.Subject[0].Name != Subject {
		return fmt.Errorf("checking a statement: it is about %v, want %q alone", s.Subject, Subject)
	}
	sum := sha512.Sum512(tagManifest)
	if got, signed := hex.EncodeToString(sum[:]), s.Subject[0].Digest["sha512"]; got != signed || len(s.Subject[0].Digest) != 1 {
		return fmt.Errorf("checking a statement: %s has the SHA-512 %.16s…, and signed was %.16s…", Subject, got, signed)
	}
	return nil
}

// strict reads canonical JSON of v's members, and nothing else, into v.
func strict(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	again, err := canon.Marshal(v)
	if err != nil {
		return err
	}
	for i := range max(len(b), len(again)) {
		if i >= len(b) || i >= len(again) || b[i] != again[i] {
			return fmt.Errorf("it isn't spelled as it is written: byte %d differs", i+1)
		}
	}
	return nil
}
