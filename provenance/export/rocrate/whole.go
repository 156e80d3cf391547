package rocrate

import (
	"encoding/json"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/export"
	graphs "rlam/provenance/graph"
)

// whole adds the run as a whole: what the workflow was given and gave, and the engine that
// had it all done.
func (c *crate) whole() error {
	e := c.add("#run", []string{"CreateAction"}, entity{
		"name":        "Run " + c.trace.ID,
		"description": "The run of the study as a whole. It ended as: " + c.trace.Status + ".",
		"identifier":  c.trace.Record.String(),
		"instrument":  ref{c.workflow.id()}, "agent": c.starter,
		"startTime": stamp(c.trace.Run.Started), "endTime": stamp(c.ended()),
	})
	study := c.tools[c.workflow.id()]
	for _, in := range c.trace.Run.Inputs {
		n := c.trace.Graph.Node("input:" + in.Name)
		if n == nil {
			continue
		}
		a := c.artifact(n)
		if a["@type"] != creativeWork {
			a.link("exampleOfWork", c.parameter(study, input, in.Name, file{ref{a.id()}}).id())
			c.producers[n.ID] = study
		}
		e.link("object", a.id())
	}
	var made []ref
	if n := c.trace.Graph.Node("result"); n != nil {
		var err error
		if made, err = c.values(n, study, output, "The result"); err != nil {
			return err
		}
	}
	e.set("result", made)
	if err := c.closed(e); err != nil {
		return err
	}
	c.actions = append(c.actions, ref{e.id()})
	c.organized(e)
	return nil
}

// closed says how the run ended.
func (c *crate) closed(e entity) error {
	switch c.trace.Status {
	case "open":
		delete(e, "endTime")
		return nil
	case string(record.Completed):
		e["actionStatus"] = completed
		return nil
	}
	e["actionStatus"] = failed
	e["error"] = c.trace.Status
	if c.seal != nil && !c.seal.Reason.IsZero() {
		reason, err := c.run.Content(c.ctx, c.seal.Reason)
		if err != nil {
			return err
		}
		var text string
		if reason.State == export.Present && json.Unmarshal(reason.Value, &text) == nil {
			e["error"] = c.trace.Status + ": " + text
		}
	}
	c.reported(e, nil)
	return nil
}

// organized adds what the engine did: all steps, for the run.
func (c *crate) organized(run entity) {
	o := c.add("#organization", []string{"OrganizeAction"}, entity{
		"name": "R-LAM carried the study out", "description": "The engine asked the planner, judged what it proposed, and had the admitted calls executed.",
		"instrument": ref{c.engine.id()}, "object": c.controls, "result": ref{run.id()}, "agent": c.starter,
	})
	for _, member := range []string{"startTime", "endTime", "actionStatus", "error"} {
		if v, ok := run[member]; ok {
			o[member] = v
		}
	}
	c.actions = append(c.actions, ref{o.id()})
}

// usage adds what a turn cost, in tokens.
func (c *crate) usage(e entity, u record.Usage) {
	by := ""
	if u.Estimated {
		by = " R-LAM's estimate: the server did not count."
	}
	for _, used := range []struct {
		name, term, about string
		n                 int
	}{
		{"input tokens", "gen_ai.usage.input_tokens", "Tokens of the prompt.", u.Prompt},
		{"output tokens", "gen_ai.usage.output_tokens", "Tokens of the answer.", u.Completion},
	} {
		if u.Total() == 0 {
			continue // no model was asked
		}
		p := c.add("#usage/"+strings.TrimPrefix(e.id(), "#")+"/"+strings.ReplaceAll(used.name, " ", "-"), []string{"PropertyValue"}, entity{
			"name": used.name, "propertyID": "https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/#" + strings.NewReplacer(".", "-", "_", "-").Replace(used.term),
			"unitCode": "C62", "unitText": "tokens", "description": used.about + by,
		})
		p["value"] = used.n
		e.link("resourceUsage", p.id())
	}
}

// verdictsOf are the verdicts on a call, by the end of its node's id.
func (c *crate) verdictsOf(call string) []*graphs.Node {
	if c.verdicts == nil {
		c.verdicts = map[string][]*graphs.Node{}
		for _, n := range c.trace.Graph.Nodes {
			if n.Kind == graphs.Verdict {
				of, _, _ := strings.Cut(strings.TrimPrefix(n.ID, "verdict:"), "/")
				c.verdicts[of] = append(c.verdicts[of], n)
			}
		}
	}
	return c.verdicts[call]
}

// program is a file that ran.
type program struct {
	Name   string       `json:"name"`
	Digest canon.Digest `json:"digest"`
}

// surroundings are what a crate tells of an environment. Its file has the rest.
type surroundings struct {
	Identity struct {
		OS     string `json:"os"`
		Arch   string `json:"arch"`
		Worker *struct {
			Digest canon.Digest `json:"digest"`
			Go     string       `json:"go"`
		} `json:"worker"`
		Program     *program          `json:"program"`
		Prefix      *program          `json:"prefix"`
		Interpreter *program          `json:"interpreter"`
		Variables   map[string]string `json:"variables"`
	} `json:"identity"`
	Circumstances struct {
		Host   string `json:"host"`
		Kernel string `json:"kernel"`
		CPU    string `json:"cpu"`
		CPUs   int    `json:"cpus"`
	} `json:"circumstances"`
	Isolation string `json:"isolation"`
}

// environment adds where an attempt ran, once for all attempts that ran there.
func (c *crate) environment(d canon.Digest) ([]ref, error) {
	if all, known := c.envs[d]; known {
		return all, nil
	}
	var all []ref
	add := func(name, value string) {
		if value != "" {
			p := c.add("#environment/"+short(d)+"/"+fileID(name), []string{"PropertyValue"}, entity{"name": name, "value": value})
			all = append(all, ref{p.id()})
		}
	}
	add("environment", d.String())
	if f := c.byDigest[d]; f != nil {
		c.byID[all[0].ID].set("subjectOf", ref{fileID(f.Path)})
	}
	var s surroundings
	raw, err := store.Read(c.ctx, c.run.Store, d, record.MaxContent)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil { // the digest is left of it
		c.envs[d] = all
		return all, c.ctx.Err()
	}
	add("os", s.Identity.OS)
	add("arch", s.Identity.Arch)
	for _, p := range []struct {
		name string
		*program
	}{{"program", s.Identity.Program}, {"prefix", s.Identity.Prefix}, {"interpreter", s.Identity.Interpreter}} {
		if p.program != nil {
			add(p.name, strings.TrimSpace(p.Name+" "+digest(p.Digest)))
		}
	}
	if w := s.Identity.Worker; w != nil {
		add("worker", "R-LAM's worker, "+w.Go+", "+digest(w.Digest))
	}
	add("isolation", s.Isolation)
	add("host", s.Circumstances.Host)
	add("kernel", s.Circumstances.Kernel)
	add("cpu", s.Circumstances.CPU)
	if s.Circumstances.CPUs > 0 {
		add("cpus", strconv.Itoa(s.Circumstances.CPUs))
	}
	for _, name := range sorted(s.Identity.Variables) {
		add("variable "+name, s.Identity.Variables[name])
	}
	c.envs[d] = all
	return all, nil
}

func digest(d canon.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}
