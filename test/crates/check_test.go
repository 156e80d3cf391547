package crates

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// sound is a small crate that breaks nothing, with a bit of all that the rules are about.
func sound(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{Metadata, "README.md", "study.json", "plot.png"} {
		raw, err := fs.ReadFile(soundFiles, "testdata/"+name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: bytes.ReplaceAll(raw, []byte("\r"), nil)}
	}
	return files
}

func TestSound(t *testing.T) {
	c, err := Read(sound(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Check(c) {
		t.Error(p)
	}
}

// TestEachRule breaks one thing at a time, and looks for the rule that says so.
func TestEachRule(t *testing.T) {
	ref := func(id string) any { return map[string]any{"@id": id} }
	set := func(id, name string, v any) func(*Crate) {
		return func(c *Crate) {
			if v == nil {
				delete(c.byID[id], name)
			} else {
				c.byID[id][name] = v
			}
		}
	}
	gone := func(id string) func(*Crate) {
		return func(c *Crate) {
			delete(c.byID, id)
			c.Entities = slices.DeleteFunc(c.Entities, func(e Entity) bool { return e.ID() == id })
		}
	}
	const tool, engine = "https://tools.invalid/fit", "https://tools.invalid/engine"
	seen := map[string]bool{}
	for _, b := range []struct {
		rule string
		what string
		do   func(*Crate)
	}{
		{"descriptor", "no descriptor", gone(Metadata)},
		{"descriptor-type", "a Dataset as descriptor", set(Metadata, "@type", "Dataset")},
		{"descriptor-about", "about another", set(Metadata, "about", ref("study.json"))},
		{"descriptor-version", "RO-Crate 1.2", set(Metadata, "conformsTo", ref("https://w3id.org/ro/crate/1.2"))},
		{"descriptor-workflow", "no workflow crate", set(Metadata, "conformsTo", ref("https://w3id.org/ro/crate/1.1"))},
		{"root", "no root", gone("./")},
		{"root-name", "no name", set("./", "name", nil)},
		{"root-description", "no description", set("./", "description", nil)},
		{"root-date", "no date", set("./", "datePublished", "yesterday")},
		{"root-license", "no licence", set("./", "license", nil)},
		{"root-license", "a licence that is a text", set("./", "license", "free")},
		{"root-author", "a model as author", set("./", "author", ref(tool))},
		{"root-profiles", "no profiles", set("./", "conformsTo", nil)},
		{"root-profiles", "profiles that aren't described", gone("https://w3id.org/ro/wfrun/process/0.5")},
		{"main-entity", "no workflow", set("./", "mainEntity", nil)},
		{"parts", "a person as part", set("./", "hasPart", ref("#ada"))},
		{"parts", "a file that is no part", set("./", "hasPart", []any{ref("study.json"), ref("README.md")})},
		{"mentions", "an action that isn't mentioned", set("./", "mentions", ref("#run"))},
		{"readme", "a README of another type", set("README.md", "encodingFormat", "text/plain")},
		{"dangling", "a reference to nothing", set("#run", "object", ref("#nothing"))},
		{"type", "no type", set("#ada", "@type", nil)},
		{"id", "an id with a space", set("#ada", "@id", "#ada lovelace")},
		{"flat", "an object inside", set("#ada", "address", map[string]any{"@id": "#x", "name": "here"})},
		{"file-format", "no format", set("plot.png", "encodingFormat", nil)},
		{"file-there", "no file", func(c *Crate) { delete(c.files.(fstest.MapFS), "plot.png") }},
		{"file-digest", "other bytes", func(c *Crate) { c.files.(fstest.MapFS)["plot.png"].Data[0] ^= 1 }},
		{"file-size", "another size", set("plot.png", "contentSize", "1")},
		{"example", "an example of a tool", set("plot.png", "exampleOfWork", ref(tool))},
		{"workflow-types", "a workflow that is no code", set("study.json", "@type", []any{"File", "ComputationalWorkflow", "HowTo"})},
		{"workflow-language", "no language", set("study.json", "programmingLanguage", nil)},
		{"workflow-tools", "no tools", set("study.json", "hasPart", nil)},
		{"workflow-steps", "no steps", set("study.json", "step", nil)},
		{"workflow-howto", "no HowTo", set("study.json", "@type", []any{"File", "SoftwareSourceCode", "ComputationalWorkflow"})},
		{"workflow-profile", "no Bioschemas profile", set("study.json", "conformsTo", nil)},
		{"workflow-name", "no name", set("study.json", "name", nil)},
		{"workflow-version", "no version", set("study.json", "version", nil)},
		{"tool-ran", "a tool that never ran", set("study.json", "hasPart", []any{ref(tool), ref(engine)})},
		{"tool-parameters", "a file as a tool's input", set(tool, "input", ref("plot.png"))},
		{"software-id", "a relative id", func(c *Crate) { rename(c, tool, "#fit") }},
		{"software-name", "no name", set(tool, "name", nil)},
		{"software-url", "no url", set(tool, "url", nil)},
		{"software-version", "two versions", set(tool, "version", "1")},
		{"software-version", "no version", set(tool, "softwareVersion", nil)},
		{"parameter-type", "no type", set("#in", "additionalType", nil)},
		{"parameter-name", "no name", set("#in", "name", nil)},
		{"parameter-example", "a tool as example", set("#in", "workExample", ref(tool))},
		{"parameter-used", "no example", set("#x", "exampleOfWork", nil)},
		{"step-reached", "a step of nothing", set("study.json", "step", ref("#step2"))},
		{"step-tool", "a step without a tool", set("#step1", "workExample", nil)},
		{"step-position", "a position in words", set("#step1", "position", "first")},
		{"connections", "a step joined to a file", set("#step2", "connection", ref("plot.png"))},
		{"action-time", "a time in Z", set("#fit1", "endTime", "2026-01-31T12:00:00Z")},
		{"action-time", "microseconds", set("#fit1", "endTime", "2026-01-31T12:00:00.123456+00:00")},
		{"action-order", "an end before the beginning", set("#fit1", "endTime", "2025-01-31T12:00:00+00:00")},
		{"action-status", "a status that is an object", set("#fit1", "actionStatus", ref(failed))},
		{"action-error", "an error of what went well", set("#fit2", "error", "no")},
		{"action-failure", "no error of what failed", set("#fit1", "error", nil)},
		{"action-instrument", "no instrument", set("#fit1", "instrument", nil)},
		{"action-agent", "a model as agent", set("#fit1", "agent", ref(tool))},
		{"action-name", "no name", set("#fit1", "name", nil)},
		{"action-description", "no description", set("#fit1", "description", nil)},
		{"action-starttime", "no beginning", set("#fit1", "startTime", nil)},
		{"action-endtime", "no end", set("#fit1", "endTime", nil)},
		{"action-result", "no result", set("#fit1", "result", nil)},
		{"action-object", "a person as object", set("#fit1", "object", ref("#ada"))},
		{"action-environment", "a text as environment", set("#fit1", "environment", "linux")},
		{"action-image", "a text as image", set("#fit1", "containerImage", "debian")},
		{"usage", "a text as usage", set("#fit1", "resourceUsage", "much")},
		{"usage-property", "usage of nothing", set("#tokens", "propertyID", nil)},
		{"usage-unit", "usage without a unit", set("#tokens", "unitCode", nil)},
		{"control-step", "control of no step", set("#control1", "instrument", ref(tool))},
		{"control-object", "control of nothing", set("#control1", "object", nil)},
		{"organize-engine", "no engine", set("#organize", "instrument", nil)},
		{"organize-object", "nothing organized", set("#organize", "object", ref("#run"))},
		{"organize-result", "the result is a step's", set("#organize", "result", ref("#fit2"))},
		{"connection-source", "a source that is a file", set("#joined", "sourceParameter", ref("plot.png"))},
		{"connection-target", "no target", set("#joined", "targetParameter", nil)},
		{"connection-reached", "of no step", set("#step2", "connection", nil)},
		{"value-name", "no name", set("#x", "name", nil)},
		{"value", "no value", set("#x", "value", nil)},
		{"image", "an image of nobody", func(c *Crate) {
			c.Entities = append(c.Entities, Entity{"@id": "#image", "@type": "ContainerImage", "name": "debian"})
		}},
		{"agent-name", "nobody", set("#ada", "name", nil)},
	} {
		t.Run(b.what, func(t *testing.T) {
			c, err := Read(sound(t))
			if err != nil {
				t.Fatal(err)
			}
			b.do(c)
			found := Check(c)
			if !slices.ContainsFunc(found, func(p Problem) bool { return p.Rule == b.rule }) {
				t.Errorf("no problem %q: %v", b.rule, found)
			}
		})
		seen[b.rule] = true
	}
	for _, rule := range rulesIn(t) {
		if !seen[rule] {
			t.Errorf("nothing breaks the rule %q", rule)
		}
	}
}

// rename gives an entity another id, wherever it is named.
func rename(c *Crate, from, to string) {
	raw, err := json.Marshal(c.Entities)
	if err != nil {
		panic(err)
	}
	c.Entities = nil
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), `"`+from+`"`, `"`+to+`"`)), &c.Entities); err != nil {
		panic(err)
	}
	c.byID = map[string]Entity{}
	for _, e := range c.Entities {
		c.byID[e.ID()] = e
	}
}

func TestRead(t *testing.T) {
	for what, change := range map[string]func(string) string{
		"no JSON":         func(s string) string { return s[1:] },
		"another context": func(s string) string { return strings.Replace(s, "crate/1.1/context", "crate/1.2/context", 1) },
		"one context": func(s string) string {
			return strings.Replace(s, ",\n    \"https://w3id.org/ro/terms/workflow-run/context\"", "", 1)
		},
		"an id twice": func(s string) string { return strings.Replace(s, `"@id": "#fit1",`, `"@id": "#fit2",`, 1) },
	} {
		t.Run(what, func(t *testing.T) {
			files := sound(t)
			files[Metadata].Data = []byte(change(string(files[Metadata].Data)))
			if _, err := Read(files); err == nil {
				t.Error("it was read")
			}
		})
	}
}
