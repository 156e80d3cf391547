package verify

import (
	"errors"
	"fmt"
	"io"

	"rlam/internal/canon"
	"rlam/internal/quantity"
	"rlam/internal/store"
)

// paths names the file that holds a blob.
func (v *verification) paths(d canon.Digest) string {
	b, _ := v.in.Blobs.Find(d)
	return b.Path
}

// held says whether a blob is here, or is listed as left out.
func (v *verification) held(d canon.Digest) bool {
	_, here := v.in.Blobs.Find(d)
	return here || v.listed[d]
}

// contents reads every blob to its end: a store checks what it reads.
func (v *verification) contents() (Check, error) {
	faults, err := v.beyond()
	if err != nil {
		return Check{}, err
	}
	var bytes int64
	blobs := 0
	for b := range v.in.Blobs.All() {
		blobs++
		n, err := v.drain(b.Digest)
		if v.ctx.Err() != nil {
			return Check{}, fmt.Errorf("reading %q: %w", b.Path, err)
		}
		var corrupt *store.CorruptError
		switch {
		case errors.As(err, &corrupt):
			faults = append(faults, Fault{File: b.Path, What: fmt.Sprintf("its bytes are not those of %s: %s", b.Digest, corrupt.Reason)})
		case err != nil:
			faults = append(faults, Fault{File: b.Path, What: err.Error()})
		}
		bytes += n
	}
	for _, a := range v.in.Absent {
		if _, here := v.in.Blobs.Find(a.Digest); here {
			faults = append(faults, Fault{File: v.in.Index, Field: "absent", What: fmt.Sprintf("it lists %s (%s) as left out, and has it", a.What, a.Digest)})
		}
	}
	return outcome(Contents, faults,
		fmt.Sprintf("%s artifacts, contents and records, %s bytes, have the SHA-256 that they are named by", quantity.Thousands(blobs), quantity.Thousands(int(bytes))),
		"what the records name is not what is here"), nil
}

func (v *verification) drain(d canon.Digest) (int64, error) {
	r, err := v.in.Store.Get(v.ctx, d)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(io.Discard, r)
}

// beyond holds what the run names against what is here: the other way round as well, so
// that nothing can be slipped in among the blobs.
func (v *verification) beyond() ([]Fault, error) {
	faults := v.unlisted
	if v.run == nil || v.in.Named == nil {
		return faults, nil
	}
	known := canon.NewSet()
	err := v.in.Named(v.ctx, v.run, func(b Blob) {
		known.Add(b.Digest)
		is, here := v.in.Blobs.Find(b.Digest)
		if here && is != b {
			faults = append(faults, Fault{File: v.in.Index, Field: "blobs", What: fmt.Sprintf("it has %s as %s in %s; by the records it is %s, in %s", b.Digest, is.What, is.Path, b.What, b.Path)})
		}
		if !here && !v.listed[b.Digest] && !v.named.Has(b.Digest) {
			faults = append(faults, Fault{File: b.Path, What: fmt.Sprintf("%s (%s) is neither here nor listed as left out", b.What, b.Digest)})
		}
	})
	if err != nil {
		return nil, err
	}
	if len(v.in.Absent) > 0 {
		return faults, nil // what only a missing content names can't be told from what nothing does
	}
	for _, h := range v.in.Histories {
		b, err := h.Bytes()
		if err != nil {
			return nil, err
		}
		known.Add(canon.Sum(b))
	}
	for b := range v.in.Blobs.All() {
		if !known.Has(b.Digest) {
			faults = append(faults, Fault{File: b.Path, What: "nothing in the run names it"})
		}
	}
	return faults, nil
}
