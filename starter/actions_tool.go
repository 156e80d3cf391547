package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"rlam/activities/executor/mcp"
	"rlam/schemas"
)

// dialectOfTools is what a tool's schema is in that doesn't say so itself.
const dialectOfTools = "https://json-schema.org/draft/2020-12/schema"

// actionName makes a tool's name one of an action's, not among those taken.
func actionName(tool string, taken map[string]bool) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		}
		return '-'
	}, tool), "-.")
	for strings.Contains(name, "--") {
		name = strings.ReplaceAll(name, "--", "-")
	}
	switch name {
	case "", "finish", "give_up", "input": // mean something else to a planner
		name = strings.TrimPrefix(name+"-tool", "-")
	}
	name = name[:min(len(name), 100)]
	free := name
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	taken[free] = true
	return free
}

// toolFile is a tool's action file, with what the server says of its effects as comments.
func toolFile(server, name string, binding schemas.MCP, t mcp.Tool) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The tool %q of %s, pinned by starter actions new --mcp.\n", t.Name, oneLine(server, 200))
	b.WriteString("# Nobody has looked yet at what is said of effects: do, before a study uses it.\n")
	write := func(v any) error {
		text, err := yaml.Marshal(v)
		b.Write(text)
		return err
	}
	summary := t.Description
	for _, other := range []string{t.Title, t.Name} {
		if strings.TrimSpace(summary) == "" {
			summary = other
		}
	}
	params, err := inDialect(t.Input)
	if err != nil {
		return nil, err
	}
	returns := any(mcp.Plain())
	if t.Output != nil {
		if returns, err = inDialect(t.Output); err != nil {
			return nil, err
		}
	}
	for _, member := range []struct {
		name  string
		value any
	}{{"name", name}, {"version", "1.0.0+" + binding.Digest.Short()}, {"summary", summary}, {"params", params}, {"returns", returns}} {
		if err := write(map[string]any{member.name: member.value}); err != nil {
			return nil, err
		}
	}
	b.WriteString("reproducibility: {default: unrepeatable} # the server may answer otherwise tomorrow; bitwise, tolerance or statistical if you know better\n")
	fmt.Fprintf(&b, "effects: external # %s\n", saidOfEffects(t.Hints))
	fmt.Fprintf(&b, "idempotent: false # %s\n", saidOfTwice(t.Hints))
	b.WriteString("timeout: 5m\n")
	raw, err := json.Marshal(binding)
	if err != nil {
		return nil, err
	}
	var run any
	if err := json.Unmarshal(raw, &run); err != nil {
		return nil, err
	}
	err = write(map[string]any{"run": map[string]any{"mcp": run}})
	return b.Bytes(), err
}

// inDialect is a tool's schema that says which dialect it is in.
func inDialect(schema json.RawMessage) (any, error) {
	var m map[string]any
	if err := json.Unmarshal(schema, &m); err != nil {
		return nil, fmt.Errorf("reading the tool's schema: %w", err)
	}
	if m["$schema"] == nil {
		m["$schema"] = dialectOfTools
	}
	return m, nil
}

func saidOfEffects(h *mcp.Hints) string {
	switch {
	case h == nil:
		return "the server says nothing; none if the tool changes nothing anywhere"
	case h.ReadOnly:
		return "the server says that it only reads: none, if that is true"
	case h.Destructive != nil && !*h.Destructive:
		return "the server says that it adds and destroys nothing"
	}
	return "the server says that it changes things, and may destroy some"
}

func saidOfTwice(h *mcp.Hints) string {
	if h != nil && (h.ReadOnly || h.Idempotent) {
		return "the server says that calling it twice does no harm: true, if that is so"
	}
	return "true only if calling it twice does no harm: after a crash it would run again"
}
