package verify

import (
	"bytes"
	"errors"
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/quantity"
	"rlam/provenance/attest"
)

func (v *verification) bag() (Check, error) {
	if v.in.Bag == nil {
		return Check{}, nil
	}
	files, faults, err := v.in.Bag(v.ctx)
	if err != nil {
		return Check{}, err
	}
	return outcome(Bag, faults,
		quantity.Of(files, "file")+" have the SHA-512 that the manifests list, and no other is there",
		"files are not those that the manifests list"), nil
}

// signature checks who signed, that the signature is over this bag, and that what it says
// of the run is what the bag holds.
func (v *verification) signature() (Check, error) {
	c := Check{Name: Signature, State: Failed}
	if len(v.in.Signed) == 0 {
		c.Says = "it is not signed: nobody vouches for it"
		if v.in.Unsigned && len(v.in.Trusted) == 0 {
			c.State = Unchecked
			c.Faults = nil
			return c, nil
		}
		v.unsigned = true
		c.Faults = []Fault{{File: attest.EnvelopeFile, What: "there is no signature"}}
		return c, nil
	}
	e, err := attest.ReadEnvelope(v.in.Signed[attest.EnvelopeFile])
	var skew *attest.SkewError
	if err != nil && !errors.As(err, &skew) {
		c.Says, c.Faults = "the signature can't be read", []Fault{{File: attest.EnvelopeFile, What: err.Error()}}
		return c, nil
	}
	public, faults := v.signedBy(e)
	faults = append(faults, v.bareFiles(e)...)
	if skew == nil {
		faults = append(faults, v.signedStatement(e.Statement)...)
	}
	if len(faults) > 0 {
		c.Says, c.Faults = "the signature doesn't hold for this bundle", faults
		if v.stranger = v.stranger && len(faults) == 1; v.stranger {
			c.Says = "the signature holds, but by a key that you don't trust"
		}
		return c, nil
	}
	if skew != nil {
		c.State, c.Says = Skew, skew.Error()
		return c, nil
	}
	c.State = Passed
	if v.trusted != "" {
		c.Says, c.Key = "signed by a key that you trust", v.trusted
		return c, nil
	}
	v.signer = public.ID.String()
	c.Says, c.Key = "signed by a key that came with the bundle", v.signer
	c.Notes = []string{"So this shows only that the bundle is consistent. Compare the key's id with one from its owner, or give the owner's key with --key."}
	return c, nil
}

// signedBy finds who signed: one of the keys that the caller trusts, or else the key that is
// in the bundle.
func (v *verification) signedBy(e *attest.Envelope) (*attest.PublicKey, []Fault) {
	embedded, err := attest.ParsePublicKey(v.in.Signed[attest.KeyFile])
	switch {
	case err != nil:
		return nil, []Fault{{File: attest.KeyFile, What: err.Error()}}
	case !bytes.Equal(embedded.PEM(), v.in.Signed[attest.KeyFile]):
		return nil, []Fault{{File: attest.KeyFile, What: "it isn't spelled as it is written: something was added or changed around the key"}}
	}
	if err := e.SignedBy(v.ctx, embedded); err != nil {
		return nil, []Fault{{File: attest.EnvelopeFile, Field: "signatures", What: err.Error()}}
	}
	for _, key := range v.in.Trusted {
		if err = e.SignedBy(v.ctx, key); err == nil {
			v.trusted = key.ID.String()
			return embedded, nil
		}
	}
	if len(v.in.Trusted) > 0 {
		v.stranger = true
		return nil, []Fault{{File: attest.EnvelopeFile, Field: "signatures", What: fmt.Sprintf("it is signed by key %s, which is none that you trust", embedded.ID)}}
	}
	return embedded, nil
}

// bareFiles checks that the files for openssl say the same as the envelope.
func (v *verification) bareFiles(e *attest.Envelope) []Fault {
	var faults []Fault
	if !bytes.Equal(e.PAE, v.in.Signed[attest.PAEFile]) {
		faults = append(faults, Fault{File: attest.PAEFile, What: "it isn't what the envelope's signature is over"})
	}
	if !bytes.Equal(e.First(), v.in.Signed[attest.SignatureFile]) {
		faults = append(faults, Fault{File: attest.SignatureFile, What: "it isn't the envelope's signature"})
	}
	return faults
}

// signedStatement checks that a statement is about this tag manifest, and that what it says
// of the run is what the bundle holds.
func (v *verification) signedStatement(s attest.Statement) []Fault {
	var faults []Fault
	if err := s.Covers(v.in.TagManifest); err != nil {
		faults = append(faults, Fault{File: attest.Subject, What: err.Error()})
	}
	if v.run != nil {
		faults = append(faults, v.signedFacts(s.Predicate)...)
	}
	return faults
}

// signedFacts holds what was signed of the run against what the bundle holds.
func (v *verification) signedFacts(signed attest.Facts) []Fault {
	var faults []Fault
	differ := func(field string, signed, held any) {
		if signed != held {
			faults = append(faults, Fault{File: attest.EnvelopeFile, Field: "predicate/" + field, What: fmt.Sprintf("signed was %v, and the bundle has %v", shown(signed), shown(held))})
		}
	}
	held := v.facts
	differ("namespace", signed.Namespace, held.Namespace)
	differ("workflow_id", signed.WorkflowID, held.WorkflowID)
	differ("record", signed.Record, held.Record)
	differ("head", signed.Head, held.Head)
	differ("status", signed.Status, held.Status)
	differ("withheld", signed.Withheld, held.Withheld)
	differ("engine", signed.Engine, held.Engine)
	differ("runs", len(signed.Runs), len(held.Runs))
	for i := range min(len(signed.Runs), len(held.Runs)) {
		s, h := signed.Runs[i], held.Runs[i]
		differ(fmt.Sprintf("runs/%d/run_id", i), s.RunID, h.RunID)
		differ(fmt.Sprintf("runs/%d/events", i), s.Events, h.Events)
		differ(fmt.Sprintf("runs/%d/root", i), s.Root, h.Root)
		differ(fmt.Sprintf("runs/%d/aside", i), s.Aside, h.Aside)
	}
	return faults
}

// shown is a value for people; nothing has a word of its own.
func shown(v any) string {
	switch v := v.(type) {
	case canon.Digest:
		if v.IsZero() {
			return "none"
		}
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}
