package rocrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"unicode"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/internal/tree"
	"rlam/provenance/export"
	graphs "rlam/provenance/graph"
)

// maxDocument is how large a content may be to lie in a crate of its own, in bytes.
const maxDocument = 1 << 20

// piece is a file of a crate with its bytes: in memory, or in the store.
type piece struct {
	File
	bytes []byte
	blob  canon.Digest
}

// open reads the piece.
func (p *piece) open(ctx context.Context, s store.Store) (io.ReadCloser, error) {
	if !p.blob.IsZero() {
		return s.Get(ctx, p.blob)
	}
	return io.NopCloser(bytes.NewReader(p.bytes)), nil
}

// contents gathers what lies in a crate of its own, under names that people can read:
//
//	README.md
//	study.json                       as it was loaded
//	planner.yaml                     the plan, or the script that played the model
//	actions/NAME@VERSION.json        the formal schema; NAME@VERSION.binding.json what carried it out
//	actions/NAME@VERSION/…           scripts of a binding
//	inputs/NAME.csv
//	turns/4/prompt.json, answer.json
//	calls/4.1/params.json
//	calls/4.1/2/…                    output.json, log.txt and artifacts of attempt 2
//	environments/….json
//	result.json
type contents struct {
	ctx    context.Context
	run    *export.Run
	pieces []piece
	taken  map[string]bool // paths, in lower case: some systems don't tell them apart
	err    error           // of reading; what is withheld or missing is none
}

func gather(ctx context.Context, run *export.Run) ([]piece, error) {
	c := &contents{ctx: ctx, run: run, taken: map[string]bool{}}
	t := run.Trace
	c.document("README.md", File{Role: RoleReadme}, readme(t))
	if t.Study != nil {
		c.document("study.json", File{Role: RoleStudy}, t.Study.JSON)
	}
	if t.Run != nil {
		c.pinned(t.Run)
	}
	for _, n := range t.Graph.Nodes {
		switch {
		case n.Kind == graphs.Value && (n.Role == "params" || n.Role == "output" || n.Role == "prompt" || n.Role == "answer" || n.Role == "result"):
			c.content(n)
		case n.Kind == graphs.Artifact && n.Role != "input":
			c.artifact(n)
		case n.Kind == graphs.Environment:
			c.kept("environments/"+short(n.Digest)+".json", File{Role: RoleEnvironment}, n.Digest)
		}
	}
	return c.pieces, c.err
}

// pinned adds what the run was started with.
func (c *contents) pinned(r *record.Run) {
	if !r.Planner.IsZero() {
		name := "planner.yaml"
		if raw, err := store.Read(c.ctx, c.run.Store, r.Planner, record.MaxContent); err == nil && json.Valid(raw) {
			name = "planner.json"
		}
		c.kept(name, File{Role: RolePlanner}, r.Planner)
	}
	for _, a := range r.Actions {
		name := a.Name + "@" + a.Version
		c.kept("actions/"+name+".json", File{Role: RoleAction, Name: name}, a.Spec)
		c.kept("actions/"+name+".binding.json", File{Role: RoleBinding, Name: name}, a.Binding)
		c.scripts("actions/"+name, a.Binding)
	}
	for _, in := range r.Inputs {
		end := ""
		if c.run.Trace.Study != nil {
			end = path.Ext(c.run.Trace.Study.Study.Inputs[in.Name].File)
		}
		if end == "" && in.MediaType == "application/json" || in.From != nil && strings.HasPrefix(in.From.Output, "/") {
			end = ".json"
		}
		c.kept("inputs/"+in.Name+end, File{Role: RoleInput, Name: in.Name, MediaType: in.MediaType}, in.Digest)
	}
}

// scripts adds the files that a binding brings with it.
func (c *contents) scripts(dir string, binding canon.Digest) {
	var b struct {
		Digests map[string]canon.Digest `json:"digests"`
	}
	raw, err := store.Read(c.ctx, c.run.Store, binding, record.MaxContent)
	if err != nil || json.Unmarshal(raw, &b) != nil {
		return
	}
	for _, name := range sorted(b.Digests) {
		c.kept(dir+"/"+name, File{Role: RoleBinding, Name: name}, b.Digests[name])
	}
}

// content adds a value as JSON of its own, without the salt that its digest is over.
func (c *contents) content(n *graphs.Node) {
	if c.err != nil {
		return
	}
	at := placeOf(n)
	name := ""
	switch at.role {
	case RolePrompt, RoleAnswer:
		name = "turns/" + at.call + "/" + n.Role + ".json"
	case RoleOutput:
		name = "calls/" + at.call + "/" + strconv.Itoa(at.attempt) + "/output.json"
	case RoleParams:
		name = "calls/" + at.call + "/params.json"
		if at.name == Resolved {
			name = "calls/" + at.call + "/params.resolved.json"
		}
	default:
		name = "result.json"
		if n.ID != "result" { // one that a gate refused, or a reset left behind
			return
		}
	}
	value, err := c.run.Content(c.ctx, n.Digest)
	if c.err = err; err != nil || value.State != export.Present || len(value.Value) > maxDocument {
		return
	}
	c.document(name, File{Role: at.role, Name: at.name, Call: at.call, Attempt: at.attempt}, value.Value)
}

// artifact adds what an attempt made: a file, or a folder's manifest and its files.
func (c *contents) artifact(n *graphs.Node) {
	call, attempt := n.Call+branch(n.ID), attemptOf(n.ID)
	dir := "calls/" + call + "/" + strconv.Itoa(attempt) + "/"
	f := File{Role: RoleArtifact, Name: n.Name, Call: call, Attempt: attempt, MediaType: n.MediaType}
	switch {
	case n.Name == "log" && n.MediaType == "text/plain":
		f.Role = RoleLog
		c.kept(dir+"log.txt", f, n.Digest)
	case n.MediaType == tree.MediaType:
		c.folder(dir+n.Name, f, n.Digest)
	default:
		c.kept(dir+n.Name, f, n.Digest)
	}
}

// folder adds a folder that an attempt kept, file by file, beside its manifest.
func (c *contents) folder(dir string, f File, d canon.Digest) {
	c.kept(dir+".folder.json", f, d)
	raw, err := store.Read(c.ctx, c.run.Store, d, record.MaxContent)
	if err != nil {
		return
	}
	m, err := tree.Decode(raw)
	if err != nil {
		return
	}
	for _, name := range m.Paths() {
		part := f
		part.Name, part.MediaType = f.Name+"/"+name, ""
		c.kept(dir+"/"+name, part, m.Files[name].Digest)
	}
}

// document adds bytes that are here.
func (c *contents) document(name string, f File, b []byte) {
	f.Digest, f.Size = canon.Sum(b), int64(len(b))
	c.add(name, piece{File: f, bytes: b})
}

// kept adds a blob, if the store has it.
func (c *contents) kept(name string, f File, d canon.Digest) {
	if c.err != nil || d.IsZero() {
		return
	}
	r, err := c.run.Store.Get(c.ctx, d)
	if err != nil {
		c.err = c.ctx.Err()
		return // withheld, or gone: the metadata have its digest
	}
	f.Digest = d
	f.Size, err = io.Copy(io.Discard, r)
	if err = errors.Join(err, r.Close()); err != nil {
		c.err = c.ctx.Err()
		return // spoilt: what has another digest is not handed on
	}
	c.add(name, piece{File: f, blob: d})
}

// add names a piece. A name that can't be a path in a crate, or that is taken, gives way
// to the digest.
func (c *contents) add(name string, p piece) {
	odd := !fs.ValidPath(name) || strings.ContainsRune(name, '\\') || strings.ContainsFunc(name, unicode.IsControl)
	if odd || c.taken[strings.ToLower(name)] {
		name = path.Dir(name) + "/" + p.Digest.Hex()
	}
	if !fs.ValidPath(name) || c.taken[strings.ToLower(name)] {
		name = "files/" + p.Digest.Hex()
	}
	if c.taken[strings.ToLower(name)] {
		return // the same bytes under the same name
	}
	c.taken[strings.ToLower(name)] = true
	p.Path = name
	c.pieces = append(c.pieces, p)
}
