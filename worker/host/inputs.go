package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"go.temporal.io/sdk/client"

	"rlam/internal/canon"
	"rlam/internal/place"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// CheckInputs reports what is wrong with the inputs of a loaded study, and stores
// nothing. Other runs are looked up in s; without a store they are not looked at.
func CheckInputs(ctx context.Context, s store.Store, study *schemas.LoadedStudy) (schemas.Problems, error) {
	r := &resolver{ctx: ctx, store: s, dir: filepath.Dir(study.Path)}
	_, problems, err := r.all(study)
	return problems, err
}

// InputHandles are the handles that the inputs of a loaded study would have in a run, by
// name. Nothing is stored. What another run left, if it can't be looked up in s, has a
// handle that names no bytes.
func InputHandles(ctx context.Context, s store.Store, study *schemas.LoadedStudy) (map[string]string, schemas.Problems, error) {
	r := &resolver{ctx: ctx, store: s, dir: filepath.Dir(study.Path), hash: true}
	inputs, problems, err := r.all(study)
	handles := make(map[string]string, len(inputs))
	for _, in := range inputs {
		handles[in.Name] = cmp.Or(in.Digest, canon.Sum([]byte("not looked up: "+in.Name))).String()
	}
	return handles, problems, err
}

// resolver finds what a study's inputs are.
type resolver struct {
	ctx    context.Context
	store  store.Store   // nil: nothing can be said of other runs
	client client.Client // asked how other runs ended; optional
	dir    string        // what the study's paths are relative to
	keep   bool          // store what a run keeps; else nothing is written, and hashed only what has a digest to be compared
	hash   bool          // all files
	blobs  [][]byte      // small ones, which are still to be stored
}

// all resolves the inputs of a study, by name. An error is of the store or the server.
func (r *resolver) all(study *schemas.LoadedStudy) ([]record.Input, schemas.Problems, error) {
	inputs, problems := []record.Input{}, schemas.Problems(nil)
	for _, name := range sorted(study.Study.Inputs) {
		in, err := r.input(name, study.Study.Inputs[name])
		var p schemas.Problem
		switch {
		case errors.As(err, &p):
			p.File, p.Pointer = study.Path, "/inputs/"+name+p.Pointer
			problems = append(problems, p)
		case err != nil:
			return nil, nil, fmt.Errorf("resolving input %q: %w", name, err)
		}
		inputs = append(inputs, in)
	}
	if len(problems) > 0 {
		problems = study.Locate(problems)
	}
	return inputs, problems, nil
}

// refuse is a problem with one member of an input.
func refuse(member, format string, args ...any) error {
	return schemas.Problem{Pointer: "/" + member, Message: fmt.Sprintf(format, args...)}
}

// input resolves one input. An error that is a schemas.Problem is the study's.
func (r *resolver) input(name string, in schemas.Input) (record.Input, error) {
	out := record.Input{Artifact: record.Artifact{Name: name}}
	if in.Given != (schemas.Given{}) {
		given := record.Given(in.Given)
		out.Given = &given
	}
	what := fmt.Sprintf("the file %q", in.File)
	var err error
	switch {
	case in.Run != "":
		what = fmt.Sprintf("what run %q left", in.Run)
		err = r.made(in, &out)
	case in.File != "":
		err = r.file(in, &out)
	default:
		out.Keep, out.Digest, out.Unseen = record.KeepDigest, in.Digest, true
	}
	if err == nil && !in.Digest.IsZero() && !out.Digest.IsZero() && in.Digest != out.Digest {
		err = refuse("digest", "%s has the digest %s, and the study says %s; put back the bytes that it was written for, or correct the digest", what, out.Digest, in.Digest)
	}
	return out, err
}

// file hashes a file, and stores it if the run keeps a copy.
func (r *resolver) file(in schemas.Input, out *record.Input) error {
	path := in.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	out.MediaType = mediaType(in.File)
	switch {
	case in.Keep == schemas.KeepReference:
		out.Keep, out.Path = record.KeepReference, path
	case in.Keep == schemas.KeepDigest:
		out.Keep = record.KeepDigest
	}
	switch {
	case r.keep && out.Keep == "":
		err = r.copy(path, out)
	case r.keep || r.hash || !in.Digest.IsZero():
		out.Digest, out.Size, err = place.Sum(r.ctx, path)
	default:
		err = place.Check(path)
	}
	if missing := (*place.MissingError)(nil); errors.As(err, &missing) {
		return refuse("file", "the file %q can't be read: %v", in.File, missing.Err)
	}
	return err
}

func (r *resolver) copy(path string, out *record.Input) error {
	f, err := place.File(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out.Digest, out.Size, err = r.store.Put(r.ctx, f)
	return err
}
