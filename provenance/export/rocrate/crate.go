package rocrate

import (
	"context"
	"fmt"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/provenance"
	"rlam/provenance/export"
	graphs "rlam/provenance/graph"
)

// MetadataFile is where the metadata of a crate stand, at its top.
const MetadataFile = "ro-crate-metadata.json"

// Role says what a file of a crate is, beyond its bytes.
type Role string

// The roles that a crate's description knows. A file of any other role is described by
// that word, its name, type, size and digest.
const (
	RoleReadme      Role = "readme"
	RoleStudy       Role = "study"       // the study as loaded: the crate's main workflow; there must be one
	RoleAction      Role = "action"      // an action's formal schema; Name is NAME@VERSION
	RoleBinding     Role = "binding"     // what carries an action out; Name is NAME@VERSION
	RolePlanner     Role = "planner"     // the script or plan that proposed the calls
	RoleInput       Role = "input"       // data that the run started from; Name is the input's
	RoleArtifact    Role = "artifact"    // of Call and Attempt; Name is the artifact's
	RoleLog         Role = "log"         // of Call and Attempt
	RoleParams      Role = "params"      // of Call; Name is [Resolved] of those that it was given in the end, if they differ
	RoleOutput      Role = "output"      // of Call and Attempt
	RolePrompt      Role = "prompt"      // of a step's turn; Call is the step's number
	RoleAnswer      Role = "answer"      // likewise
	RoleResult      Role = "result"      // the run's
	RoleEnvironment Role = "environment" // where attempts ran
	RoleHistory     Role = "history"     // of one Temporal run; Name is its ID
	RoleRecord      Role = "record"      // one of the chain
	RoleBlob        Role = "blob"        // a content or other bytes, named by digest alone
	RoleTrace       Role = "trace"       // the run in another form: its graph, PROV, a page, a picture
)

// Resolved is the name of parameters whose references were replaced only when their
// sources had run.
const Resolved = "resolved"

// File is a file of a crate.
type File struct {
	Path      string       // in the crate: relative, with slashes
	Digest    canon.Digest // SHA-256 of its bytes; zero of one that is not written yet
	Size      int64        // bytes; of no meaning without the digest
	MediaType string       // what Path's ending tells, if empty
	Role      Role
	Name      string // see the roles
	Call      string
	Attempt   int // 0 of what no attempt made
}

// Metadata is the content of ro-crate-metadata.json. The files are those that lie beside
// it, one of them the study; of what a run used or made and no file has, the metadata give
// name, size and digest. A run of a workflow that isn't R-LAM's, or whose study can't be
// read, is an error: a crate without a workflow is none.
func Metadata(ctx context.Context, run *export.Run, files []File) ([]byte, error) {
	c, err := newCrate(ctx, run, files)
	if err != nil {
		return nil, err
	}
	if err := c.describe(); err != nil {
		return nil, fmt.Errorf("describing run %q as a crate: %w", run.Trace.ID, err)
	}
	return c.encode()
}

// crate is a crate in the making.
type crate struct {
	graph
	ctx   context.Context
	run   *export.Run
	trace *provenance.Trace
	files []File
	seal  *record.Seal // nil of a run that has none, or whose seal can't be read

	byPlace  map[place]*File
	byDigest map[canon.Digest]*File
	edges    map[string][]graphs.Edge // of the trace, by the node they come from

	workflow  entity // the study
	engine    entity
	starter   ref   // who started the run; none if that isn't known
	actions   []ref // all, as the crate mentions them
	controls  []ref // of steps
	steps     []ref
	tools     map[string]*tool          // by id
	producers map[string]*tool          // of values, by their node's id
	envs      map[canon.Digest][]ref    // by the environment's digest
	verdicts  map[string][]*graphs.Node // by call; see verdictsOf
}

// place is where a file belongs in a run.
type place struct {
	role    Role
	call    string
	attempt int
	name    string
}

func newCrate(ctx context.Context, run *export.Run, files []File) (*crate, error) {
	t := run.Trace
	if t.Run == nil || t.Study == nil || run.Store == nil {
		return nil, fmt.Errorf("describing %q as a crate: it is no run of a study, or the study is gone from the store; --format trace or history takes any workflow", t.ID)
	}
	c := &crate{
		ctx: ctx, run: run, trace: t, files: files,
		byPlace: map[place]*File{}, byDigest: map[canon.Digest]*File{}, edges: map[string][]graphs.Edge{},
		tools: map[string]*tool{}, producers: map[string]*tool{}, envs: map[canon.Digest][]ref{},
	}
	for i := range files {
		f := &files[i]
		c.byPlace[place{f.Role, f.Call, f.Attempt, f.Name}] = f
		if _, known := c.byDigest[f.Digest]; !known && !f.Digest.IsZero() {
			c.byDigest[f.Digest] = f
		}
	}
	for _, e := range t.Graph.Edges {
		c.edges[e.From] = append(c.edges[e.From], e)
	}
	if rec, err := record.LoadAny(ctx, run.Store, t.Head); err == nil {
		c.seal, _ = rec.(*record.Seal)
	}
	return c, context.Cause(ctx)
}

// describe adds all entities, the crate's own first.
func (c *crate) describe() error {
	root := c.dataset()
	var parts []ref
	for i := range c.files {
		parts = append(parts, ref{c.file(&c.files[i]).id()})
	}
	root.set("hasPart", parts)
	for _, add := range []func() error{c.study, c.happened, c.whole} {
		if err := add(); err != nil {
			return err
		}
	}
	c.connections()
	root.set("mainEntity", ref{c.workflow.id()})
	root.set("mentions", c.actions)
	return nil
}
