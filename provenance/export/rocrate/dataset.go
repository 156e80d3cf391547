package rocrate

import (
	"cmp"
	"path"
	"strconv"
	"strings"
	"time"

	"rlam/schemas"
)

// The profiles that a crate follows.
const (
	crateProfile    = "https://w3id.org/ro/crate/1.1"
	workflowProfile = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
	runProfiles     = "https://w3id.org/ro/wfrun/" // process, workflow, provenance
	profileVersion  = "0.5"
)

// names is where things that R-LAM has a name for, and no address, have their ids: a
// domain that never resolves (RFC 6761), so that nobody is sent to a page that is not
// there, or is somebody else's.
const names = "https://rlam.invalid/"

// dataset adds the descriptor and the crate itself.
func (c *crate) dataset() entity {
	c.add(MetadataFile, []string{creativeWork}, entity{
		"about": ref{"./"}, "conformsTo": []ref{{crateProfile}, {workflowProfile}},
	})
	study := c.trace.Study.Study
	root := c.add("./", []string{"Dataset"}, entity{
		"name":          study.Title,
		"description":   "A run of the study “" + study.Title + "”: what was asked, decided, executed and found, with every attempt that failed. Goal: " + study.Goal,
		"datePublished": stamp(cmp.Or(c.ended(), c.trace.Run.Started)),
		"identifier":    c.trace.Record.String(),
		"keywords":      strings.Join(study.Keywords, ", "),
		"license":       ref{c.license(study.License)},
	})
	for _, p := range []struct{ id, name string }{
		{runProfiles + "process/" + profileVersion, "Process Run Crate"},
		{runProfiles + "workflow/" + profileVersion, "Workflow Run Crate"},
		{runProfiles + "provenance/" + profileVersion, "Provenance Run Crate"},
		{workflowProfile, "Workflow RO-Crate"},
	} {
		c.add(p.id, []string{creativeWork}, entity{"name": p.name, "version": path.Base(p.id)})
		root.link("conformsTo", p.id)
	}
	for i, a := range study.Authors {
		root.link("author", c.author(i, a).id())
	}
	return root
}

// ended is when the run ended; "" while it is open.
func (c *crate) ended() string {
	if c.seal != nil {
		return c.seal.Ended
	}
	if newest := c.trace.Line[len(c.trace.Line)-1]; !newest.Closed.IsZero() {
		return newest.Closed.Format(time.RFC3339Nano)
	}
	return ""
}

// license adds what the crate may be used for. An SPDX identifier has a page.
func (c *crate) license(spdx string) string {
	switch {
	case spdx == "":
		return c.add("#license", []string{creativeWork}, entity{
			"name":        "No licence was given",
			"description": "The study names no licence, so nothing may be taken as permitted: ask its authors, or who started the run, before you use or pass on what is in this crate.",
		}).id()
	case strings.ContainsAny(spdx, " ()"): // an expression of several
		return c.add("#license", []string{creativeWork}, entity{
			"name": spdx, "description": "The licence that the study names, as an SPDX expression.",
		}).id()
	}
	return c.add("https://spdx.org/licenses/"+spdx, []string{creativeWork}, entity{
		"name": spdx, "identifier": spdx, "description": "The licence that the study names, by its SPDX identifier.",
	}).id()
}

func (c *crate) author(i int, a schemas.Author) entity {
	id := "#author/" + strconv.Itoa(i+1)
	if a.ORCID != "" {
		id = "https://orcid.org/" + a.ORCID
	}
	return c.add(id, []string{"Person"}, entity{"name": a.Name})
}

// file adds a file that lies in the crate.
func (c *crate) file(f *File) entity {
	e := c.add(fileID(f.Path), []string{"File"}, entity{
		"name": path.Base(f.Path), "description": about(f), "encodingFormat": mediaType(f),
	})
	if f.Name != "" && f.Role != RoleParams {
		e["name"] = f.Name
	}
	if !f.Digest.IsZero() {
		e["contentSize"], e["sha256"] = strconv.FormatInt(f.Size, 10), f.Digest.Hex()
	}
	if f.Role == RoleReadme {
		e.set("about", ref{"./"})
	}
	return e
}

// fileID is a path as a relative URI reference.
func fileID(p string) string {
	var b strings.Builder
	for i := range len(p) {
		ch := p[i]
		plain := ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || strings.IndexByte("-._~/@+,=!$&'()*;", ch) >= 0
		if plain {
			b.WriteByte(ch)
		} else {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(ch)+0x100, 16)[1:]))
		}
	}
	return b.String()
}

// about says what a file is, for people.
func about(f *File) string {
	of := ""
	switch {
	case f.Call != "" && f.Attempt > 0:
		of = " of call " + f.Call + ", attempt " + strconv.Itoa(f.Attempt)
	case f.Call != "":
		of = " of " + f.Call
	}
	switch f.Role {
	case RoleReadme:
		return "What is in this crate."
	case RoleStudy:
		return "The study as it was loaded: goal, inputs, allowed actions, limits, and the schema of the result."
	case RoleAction:
		return "The formal schema of an action."
	case RoleBinding:
		return "What carried an action out."
	case RolePlanner:
		return "What proposed the calls: a plan, or a script that plays a model."
	case RoleInput:
		return "Data that the run started from."
	case RoleEnvironment:
		return "Where attempts ran."
	case RoleHistory:
		return "The history of a Temporal run, event by event."
	case RoleTrace:
		return "The run in another form."
	}
	if f.Role == "" {
		return "A file" + of + "."
	}
	name := string(f.Role)
	return strings.ToUpper(name[:1]) + name[1:] + of + "."
}

// mediaType is a file's type: as it is on record, or else as its name says.
func mediaType(f *File) string {
	return cmp.Or(f.MediaType, mediaTypes[strings.ToLower(path.Ext(f.Path))], "application/octet-stream")
}

// mediaTypes are the types of names. The system's own table differs between machines.
var mediaTypes = map[string]string{
	".csv": "text/csv", ".dot": "text/vnd.graphviz", ".html": "text/html", ".json": "application/json", ".log": "text/plain",
	".md": "text/markdown", ".nwk": "text/plain", ".out": "text/plain", ".pb": "application/x-protobuf", ".pdf": "application/pdf",
	".png": "image/png", ".py": "text/x-python", ".svg": "image/svg+xml", ".tsv": "text/tab-separated-values", ".txt": "text/plain",
	".yaml": "application/yaml", ".yml": "application/yaml",
}

// stamp spells a time as the profiles want it: milliseconds, and +00:00 for UTC. It is ""
// of what is no time.
func stamp(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339Nano, rfc3339)
	if err != nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000-07:00")
}
