package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
)

// made resolves an input that another run of the store left: its result or a part of
// it, or an artifact.
func (r *resolver) made(in schemas.Input, out *record.Input) error {
	if r.store == nil {
		return nil
	}
	run, err := r.find(in.Run)
	if err != nil {
		return err
	}
	head, err := seal(r.ctx, r.client, r.store, run)
	var open *stillOpenError
	var unsealed *unsealedError
	var unknown *noEndError
	switch {
	case errors.As(err, &unknown) && !r.keep:
		return nil // a server may know, and is not asked by a check
	case errors.As(err, &open), errors.As(err, &unsealed), errors.As(err, &unknown):
		return refuse("run", "%v", err)
	case err != nil:
		return err
	}
	left, err := r.left(run, head)
	if err != nil {
		return err
	}
	out.From = &record.Origin{ID: run.Record.ID, Run: run.Digest, Head: head, Output: in.Output}
	if left.seal.Status != record.Completed {
		out.From.Ended = left.seal.Status
	}
	if _, _, named := in.Artifact(); named {
		return r.artifact(left, in.Output, out)
	}
	return r.value(left, in.Output, out)
}

// find looks a run up in the store, by its id or the digest of its record.
func (r *resolver) find(name string) (ListedRun, error) {
	if d, err := canon.Parse(name); err == nil {
		run := ListedRun{Digest: d, Record: &record.Run{}}
		switch err := record.Load(r.ctx, r.store, d, run.Record); {
		case errors.Is(err, store.ErrNotFound):
			return run, refuse("run", "there is no run with the record %s in the store", d)
		case err != nil:
			return run, refuse("run", "it names no record of a run: %v", err)
		}
		return run, nil
	}
	runs, err := Runs(r.ctx, r.store)
	if err != nil {
		return ListedRun{}, err
	}
	var found []ListedRun
	var ids []string
	for _, run := range runs {
		ids = append(ids, run.Record.ID)
		if run.Record.ID == name {
			found = append(found, run)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return ListedRun{}, schemas.Problem{Pointer: "/run", Message: fmt.Sprintf("there is no run %q in the store", name), Nearest: schemas.Nearest(name, ids)}
	}
	var each []string
	for _, run := range found {
		each = append(each, fmt.Sprintf("%s (begun %s)", run.Digest, run.Record.Started))
	}
	return ListedRun{}, refuse("run", "%d runs of the store have the id %q: name one by the digest of its record: %s", len(found), name, strings.Join(each, ", "))
}

// leavings are what a run that ended left.
type leavings struct {
	run    ListedRun
	seal   *record.Seal
	named  map[string]record.Artifact       // of calls that completed, by CALL/NAME
	handle map[canon.Digest]record.Artifact // all that its result may name
}

func (r *resolver) left(run ListedRun, head canon.Digest) (*leavings, error) {
	links, err := record.Lineage(r.ctx, r.store, head)
	if err != nil {
		return nil, err
	}
	l := &leavings{run: run, named: map[string]record.Artifact{}, handle: map[canon.Digest]record.Artifact{}}
	for _, link := range links {
		switch rec := link.Record.(type) {
		case *record.Run:
			for _, in := range rec.Inputs {
				l.handle[in.Digest] = in.Artifact
			}
		case *record.Step:
			l.step(rec)
		case *record.Seal:
			l.seal = rec
		}
	}
	if l.seal == nil {
		return nil, fmt.Errorf("reading how run %q ended: %s is no seal", run.Record.ID, head)
	}
	return l, nil
}

func (l *leavings) step(s *record.Step) {
	for _, call := range s.Calls {
		for _, at := range call.Attempts {
			if !at.Log.IsZero() {
				l.handle[at.Log] = record.Artifact{Name: "log", Digest: at.Log, MediaType: "text/plain"}
			}
			for _, a := range at.Artifacts {
				l.handle[a.Digest] = a
				if at.Status == record.AttemptCompleted {
					l.named[call.ID+"/"+a.Name] = a
				}
			}
		}
	}
}

// artifact resolves CALL/NAME.
func (r *resolver) artifact(l *leavings, output string, out *record.Input) error {
	a, ok := l.named[output]
	if !ok {
		names := sorted(l.named)
		p := schemas.Problem{Pointer: "/output", Message: fmt.Sprintf("run %q has no artifact %q of a call that completed", l.run.Record.ID, output), Nearest: schemas.Nearest(output, names)}
		if len(names) > 0 {
			p.Expected = "one of " + strings.Join(names[:min(len(names), 20)], ", ")
		}
		return p
	}
	return r.take(l, a, out)
}

// value resolves a JSON pointer into the result: a handle to what it names, and any
// other value to its canonical JSON.
func (r *resolver) value(l *leavings, pointer string, out *record.Input) error {
	if l.seal.Result.IsZero() {
		how := ""
		if names := sorted(l.named); len(names) > 0 {
			how = fmt.Sprintf("; an artifact of one of its calls can be named all the same, as in output: %s", names[0])
		}
		return refuse("run", "run %q ended as %s, without a result%s", l.run.Record.ID, l.seal.Status, how)
	}
	var result json.RawMessage
	if err := record.OpenContent(r.ctx, r.store, l.seal.Result, &result); err != nil {
		return fmt.Errorf("reading the result of run %q: %w", l.run.Record.ID, err)
	}
	value, err := schemas.At(result, pointer)
	if err != nil {
		return refuse("output", "the result of run %q has nothing at %q: %v", l.run.Record.ID, pointer, err)
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		if d, err := canon.Parse(text); err == nil {
			if a, ok := l.handle[d]; ok {
				return r.take(l, a, out)
			}
		}
	}
	out.Digest, out.Size, out.MediaType = canon.Sum(value), int64(len(value)), "application/json"
	r.blobs = append(r.blobs, value)
	return nil
}

// take makes an artifact the input. It is read to its end, so that a run doesn't begin
// with bytes that are damaged.
func (r *resolver) take(l *leavings, a record.Artifact, out *record.Input) error {
	f, err := r.store.Get(r.ctx, a.Digest)
	if errors.Is(err, store.ErrNotFound) {
		return refuse("output", "the store has no bytes of %q of run %q (%s): that run kept none; name the file itself", a.Name, l.run.Record.ID, a.Digest)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	out.Digest, out.MediaType = a.Digest, a.MediaType
	if out.MediaType == "" {
		out.MediaType = mediaType(a.Name)
	}
	if out.Size, err = io.Copy(io.Discard, f); err != nil {
		return fmt.Errorf("reading %q of run %q: %w", a.Name, l.run.Record.ID, err)
	}
	return nil
}
