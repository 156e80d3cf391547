package schemas_test

import (
	"strings"
	"testing"

	"rlam/schemas"
)

// reaching is an action that is carried out as run says.
func reaching(t *testing.T, members, run string) (*schemas.Bound, schemas.Problems) {
	t.Helper()
	text := strings.Replace(fetchAction, "run: {builtin: fetch}", members+"run: "+run, 1)
	return schemas.ParseAction("action.yaml", []byte(text), nil)
}

// A policy's rules read whom an action asks, by all of its bindings.
func TestRulesReadHosts(t *testing.T) {
	const digest = "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	for name, c := range map[string]struct{ members, run, holds string }{
		"the URL's own host":     {"", `{http: {url: "https://Data.example.org/{params.url}"}}`, `action.hosts == ["data.example.org"] && action.network && action.bindings == ["http"]`},
		"a port":                 {"", `{http: {url: "http://data.example.org:8080/x"}}`, `action.hosts == ["data.example.org:8080"]`},
		"a list":                 {"", `{http: {url: "https://a.example.org", hosts: [A.example.org, "b.example.org:8443"]}}`, `action.hosts == ["a.example.org", "b.example.org:8443"]`},
		"a server by URL":        {"", `{mcp: {url: "https://tools.example.org/mcp", tool: t, digest: "` + digest + `"}}`, `action.hosts == ["tools.example.org"] && action.bindings == ["mcp"]`},
		"a server as program":    {"", `{mcp: {argv: [server], tool: t, digest: "` + digest + `"}}`, `action.hosts.size() == 0 && !action.network`},
		"a program":              {"", `{command: {argv: [cat]}}`, `action.hosts.size() == 0 && !action.network && action.bindings == ["command"]`},
		"a program that says so": {"network: true\n", `{command: {argv: [cat]}}`, `action.hosts.size() == 0 && action.network`},
		"a handler":              {"", `{builtin: fetch}`, `!action.network && action.bindings == ["builtin"]`},
		"several bindings":       {"", `[{builtin: fetch}, {http: {url: "https://a.example.org/"}}, {http: {url: "https://b.example.org/"}}]`, `action.hosts == ["a.example.org", "b.example.org"] && action.network && action.bindings == ["builtin", "http"]`},
	} {
		t.Run(name, func(t *testing.T) {
			b, ps := reaching(t, c.members, c.run)
			if len(ps) > 0 {
				t.Fatal(ps)
			}
			f := labFacts(t, `policy: {default: deny, rules: [{name: known, actions: [fetch], when: '`+c.holds+`', then: allow}]}`)
			f.Actions["fetch"] = b
			if j := schemas.NewGate().Judge(lab(`a:fetch {}`), f)[0]; j.Decision != schemas.Admitted {
				t.Errorf("%s doesn't hold: %s", c.holds, j.Reason())
			}
		})
	}
}

// What is wrong with a request or a tool is found in every binding, where it stands.
func TestEveryBindingIsChecked(t *testing.T) {
	_, ps := reaching(t, "", `[{builtin: fetch}, {http: {url: "https://0x7f000001/"}}, {mcp: {tool: t, url: "https://a.example.org/{params.url}", digest: "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}}]`)
	if len(ps) != 2 || ps[0].Pointer != "/run/1/http/url" || ps[1].Pointer != "/run/2/mcp/url" {
		t.Errorf("reported %v", ps)
	}
	if _, ps = reaching(t, "network: true\n", `[{builtin: fetch}, {command: {argv: [cat]}}]`); len(ps) > 0 {
		t.Errorf("the network of a second binding's program is refused: %v", ps)
	}
}
