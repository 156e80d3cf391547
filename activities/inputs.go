package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/place"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// Types of the failures of an attempt that can't have the bytes of an input.
const (
	TypeInputMissing = "rlam.InputMissing" // kept by reference, and there is no file at its place
	TypeInputChanged = "rlam.InputChanged" // kept by reference, and the file there is another
	TypeInputNotKept = "rlam.InputNotKept" // kept by its digest alone
)

// inputBlobs gives a call its artifacts: from the store, but for inputs of the run that
// the store need not have. What the call refers to as such an input comes from where
// the study keeps it, whatever else the store holds: so a run does the same with a store
// that happens to have the bytes, and with one that hasn't.
type inputBlobs struct {
	store.Store
	kept     map[canon.Digest]record.Input // inputs without a copy
	referred map[canon.Digest]bool         // those that the call refers to
}

// newInputBlobs is nil if the store has every input.
func newInputBlobs(s store.Store, inputs []record.Input, uses []record.Use) executor.Blobs {
	b := &inputBlobs{Store: s, kept: map[canon.Digest]record.Input{}, referred: map[canon.Digest]bool{}}
	for _, in := range inputs {
		if in.Keep != "" && b.kept[in.Digest].Keep != record.KeepReference { // of two with the same bytes, the one that has a place
			b.kept[in.Digest] = in
		}
	}
	for _, in := range inputs {
		if in.Keep == "" {
			delete(b.kept, in.Digest) // the run has a copy all the same
		}
		for _, use := range uses {
			if use.From == schemas.InputSource && (use.Pointer == "" || use.Pointer == "/"+in.Name) {
				b.referred[in.Digest] = true
			}
		}
	}
	if len(b.kept) == 0 {
		return nil
	}
	return b
}

// Get opens an artifact. An input that can't be had is an *executor.Failure.
func (b *inputBlobs) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	in, kept := b.kept[d]
	if !kept || !b.referred[d] {
		r, err := b.Store.Get(ctx, d)
		if !kept || !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
	}
	if in.Keep != record.KeepReference {
		return nil, &executor.Failure{Type: TypeInputNotKept, Message: fmt.Sprintf(
			"the run keeps only the digest of input %q (%s), so that no action can read it: keep it as a copy or by reference in a new run", in.Name, d)}
	}
	r, err := place.Open(ctx, in.Path, d)
	if err != nil {
		return nil, unreadable(in, err)
	}
	return &reference{r, in}, nil
}

// reference reads an input in its place.
type reference struct {
	io.ReadCloser
	in record.Input
}

func (r *reference) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = unreadable(r.in, err)
	}
	return n, err
}

// unreadable is the failure that an error of package place means.
func unreadable(in record.Input, err error) error {
	const remedy = "put it back as it was when the run began, or start a new run"
	var missing *place.MissingError
	var changed *place.ChangedError
	switch {
	case errors.As(err, &missing):
		return &executor.Failure{Type: TypeInputMissing, Message: fmt.Sprintf("input %q is kept by reference: %v; %s", in.Name, err, remedy)}
	case errors.As(err, &changed):
		return &executor.Failure{Type: TypeInputChanged, Message: fmt.Sprintf("input %q is kept by reference: %v; %s", in.Name, err, remedy)}
	}
	return fmt.Errorf("reading input %q: %w", in.Name, err)
}

// origin tells the planner where an input comes from, and what can't be done with it.
func origin(in record.Input) string {
	var told []string
	if g := in.Given; g != nil {
		told = append(told, "It was made before R-LAM, and no record shows how. Source: "+sentence(g.Source))
		if g.Citation != "" {
			told = append(told, "To be cited as: "+sentence(g.Citation))
		}
	}
	if f := in.From; f != nil {
		from := fmt.Sprintf("It comes from another run, %s: %s.", f.ID, outputWords(f.Output))
		if f.Ended != "" {
			from += fmt.Sprintf(" That run was not completed (%s): take it as partial.", f.Ended)
		}
		told = append(told, from)
	}
	if in.Keep == record.KeepDigest {
		told = append(told, "Only its digest is kept, so that no action can read it.")
	}
	return strings.Join(told, " ")
}

// outputWords names what was taken of a run.
func outputWords(output string) string {
	switch {
	case output == "":
		return "its whole result"
	case strings.HasPrefix(output, "/"):
		return output + " of its result"
	}
	return "the artifact " + output
}

func sentence(text string) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".") + "."
}
