package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/quantity"
	"rlam/internal/store"
	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
)

// payload is where a bag has its payload.
const payload = "data/"

// maxHistory bounds a history in protobuf.
const maxHistory = 1 << 30

// Open opens a bundle for verification. The check says whether that was safe; the bundle
// is nil if it wasn't. The error is of a file that can't be looked at.
func Open(ctx context.Context, path string, l bundle.Limits) (*bundle.Bundle, Check, error) {
	b, err := bundle.Open(ctx, path, l)
	var hostile *bundle.HostileError
	var format *bundle.FormatError
	var gone *fs.PathError
	switch {
	case err == nil:
		c := Check{Name: Archive, State: Passed, Says: quantity.Of(b.Count(), "file") + " can be unpacked safely"}
		at, err := b.Layout(ctx)
		if err != nil {
			return nil, Check{}, errors.Join(err, b.Close())
		}
		if at >= 0 {
			c.Notes = []string{fmt.Sprintf("From byte %d on it isn't laid out as R-LAM does it: another program packed it again, or a time or an attribute in it was changed. No file depends on that.", at)}
		}
		return b, c, nil
	case ctx.Err() != nil:
		return nil, Check{}, err
	case errors.As(err, &format):
		return nil, Check{Name: Archive, State: Skew, Says: format.Error()}, nil
	case errors.As(err, &hostile):
		return nil, Check{Name: Archive, State: Failed, Says: "it can't be unpacked safely", Faults: []Fault{{File: hostile.Entry, What: hostile.What}}}, nil
	case errors.As(err, &gone) && gone.Path == path:
		return nil, Check{}, err
	}
	return nil, Check{Name: Archive, State: Failed, Says: "it can't be read as a bundle", Faults: []Fault{{What: err.Error()}}}, nil
}

// Of is what there is to verify of a bundle. Keys and functions are the caller's to add.
func Of(ctx context.Context, b *bundle.Bundle) (Input, error) {
	x := &b.Index
	in := Input{
		Index: payload + bundle.IndexFile, Store: b.Store,
		Claims: attest.Facts{
			Namespace: x.Run.Namespace, WorkflowID: x.Run.ID, Record: x.Run.Record, Head: x.Run.Head, Status: x.Run.Status, Engine: x.Engine,
		},
		Blobs: blobs{b},
		Named: func(ctx context.Context, run *export.Run, report func(Blob)) error {
			return bundle.Named(ctx, run, func(b bundle.Blob) { report(held(b)) })
		},
		Bag: func(ctx context.Context) (int, []Fault, error) {
			var faults []Fault
			err := b.CheckBag(ctx, func(f bundle.Fault) { faults = append(faults, Fault{File: f.File, What: f.What}) })
			return b.Count(), faults, err
		},
	}
	var err error
	if in.Signed, in.TagManifest, err = b.Signature(); err != nil {
		in.Signed, in.TagManifest = nil, nil // the bag's check names what can't be read
	}
	for _, a := range x.Absent {
		why := a.Why.Text()
		if a.Note != "" {
			why += " (" + a.Note + ")"
		}
		in.Absent = append(in.Absent, Absent{Digest: a.Digest, What: what(a.Role, a.Name, a.Call, a.Attempt), Why: why, Withheld: a.Why == bundle.Withheld})
	}
	byRun := map[string]string{}
	for _, r := range x.Run.Runs {
		in.Claims.Runs = append(in.Claims.Runs, attest.RunFacts{RunID: r.RunID, Events: r.Events, Aside: r.Aside})
		file, _ := in.Blobs.Find(r.History)
		byRun[r.RunID] = file.Path
		in.Histories = append(in.Histories, export.History{RunID: r.RunID, Aside: r.Aside, Read: func() ([]byte, error) {
			h, err := store.Read(ctx, b.Store, r.History, maxHistory)
			if err != nil && ctx.Err() != nil {
				return nil, err
			}
			return h, nil // one that can't be read is empty, and named by the checks
		}})
	}
	in.FileOf = func(runID string) string { return byRun[runID] }
	in.Spelled = func(runID string) ([]byte, error) {
		text, err := fs.ReadFile(b.FS, strings.TrimSuffix(byRun[runID], ".pb")+".json")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return nil, nil
		}
		return text, err
	}
	return in, nil
}

// blobs are those of a bundle's index.
type blobs struct{ bundle *bundle.Bundle }

func (b blobs) All() iter.Seq[Blob] {
	return func(yield func(Blob) bool) {
		for blob := range b.bundle.Blobs() {
			if !yield(held(blob)) {
				return
			}
		}
	}
}

func (b blobs) Find(d canon.Digest) (Blob, bool) {
	blob, here := b.bundle.Blob(d)
	if !here {
		return Blob{}, false
	}
	return held(blob), true
}

// held is a blob as the checks know it.
func held(b bundle.Blob) Blob {
	return Blob{Digest: b.Digest, Path: payload + b.Path, What: what(b.Role, b.Name, b.Call, b.Attempt)}
}

// what says in words what bytes were in a run.
func what(role bundle.Role, name, call string, attempt int) string {
	text := map[bundle.Role]string{
		bundle.RoleStudy: "the study", bundle.RoleAction: "the schema of action", bundle.RoleBinding: "the binding of action", bundle.RoleScript: "the script",
		bundle.RolePlanner: "the planner's file", bundle.RoleInput: "the input", bundle.RoleRecord: "a record", bundle.RolePrompt: "the prompt",
		bundle.RoleAnswer: "the answer", bundle.RoleParams: "the parameters", bundle.RoleOutput: "the output", bundle.RoleReason: "the reason",
		bundle.RoleError: "the detail of a failure", bundle.RoleResult: "the result", bundle.RoleJudgement: "a judgement", bundle.RoleReused: "what a call was answered with", bundle.RoleTools: "the tools offered",
		bundle.RoleEnvironment: "an environment", bundle.RoleArtifact: "the artifact", bundle.RoleFile: "the file", bundle.RoleLog: "the log", bundle.RoleHistory: "a history",
	}[role]
	text = cmp.Or(text, string(role))
	if name != "" {
		text += " " + name
	}
	switch {
	case call != "" && (role == bundle.RolePrompt || role == bundle.RoleAnswer || !strings.Contains(call, ".")):
		text += " of step " + call
	case call != "":
		text += " of call " + call
	}
	if attempt > 1 {
		text += fmt.Sprintf(", attempt %d", attempt)
	}
	return text
}
