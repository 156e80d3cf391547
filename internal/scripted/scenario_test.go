package scripted_test

import (
	"strings"
	"testing"

	"rlam/internal/scripted"
)

func TestLoadRefuses(t *testing.T) {
	const head = "model: scripted/test\nrules:\n"
	for text, want := range map[string][]string{
		"":                                      {"reading scenario"},
		"model: gpt-4o\n":                       {"line 1", `model "gpt-4o"`, `"scripted/"`},
		"model: scripted/\n":                    {"line 1", `model "scripted/"`},
		"rules: []\n":                           {`model ""`},
		head:                                    {"no rules"},
		head + "- reply: {text: a}\nextra: 1\n": {"line 4", "extra"},
		head + "- reply: {text: a}\n  wen: {turn: 1}\n":                                                       {"rule 1", "line 4", "wen"},
		head + "- name: start\n":                                                                              {"rule 1 (start)", "line 3", "there is no reply"},
		head + "- reply: {}\n":                                                                                {"line 3", "want text, calls, finish or give_up"},
		head + "- reply: {text: a}\n- reply: {text: b}\n":                                                     {"line 4", "rule 2 is never reached", "rule 1 has no conditions"},
		head + "- reply: {text: a}\n  when: {turn: -1}\n":                                                     {"line 3", "turn -1"},
		head + "- reply: {text: a}\n  when:\n    last: {}\n":                                                  {"line 5", "says nothing"},
		head + "- reply: {text: a}\n  when:\n    last:\n    - {role: user}\n    - {rol: user}\n":              {"line 7", "rol"},
		head + "- reply: {text: a}\n  when:\n    any: {matches: '('}\n":                                       {"line 5", `matches "("`},
		head + "- reply: {text: a}\n  when:\n    any: {pointer: output}\n":                                    {"line 5", `pointer "output"`},
		head + "- reply: {text: a}\n  when:\n    any: {equals: 1}\n":                                          {"line 5", "want a pointer"},
		head + "- reply: {text: a}\n  when:\n    any: {pointer: /a, exists: true, gt: 1}\n":                   {"line 5", "exists goes without"},
		head + "- reply: {text: a}\n  when:\n    any: {pointer: /a, equals: {$observed: {observation: b}}}\n": {"line 5", "$observed"},
		head + "- reply:\n    calls: [{id: a}]\n":                                                             {"call 1", "no action"},
		head + "- reply:\n    calls: [{id: a, action: b, arguments: '{'}]\n":                                  {"call 1", "arguments stand for"},
		head + "- reply:\n    finish:\n      a: 1\n      a: 2\n":                                              {"line 6", `"a" is named twice`},
		head + "- reply:\n    finish:\n      a: .nan\n":                                                       {"line 5", "no number"},
		head + "- reply:\n    finish: &x\n      a: [*x]\n":                                                    {"the value is deeper than 64"},
		head + "- reply:\n    finish: {$observed: {observation: a, pointer: b}}\n":                            {"line 4", "JSON pointer"},
		head + "- reply:\n    finish: {$observed: {obs: a}}\n":                                                {"line 4", "obs"},
		head + "- reply:\n    finish: {<<: {a: 1}, b: 2}\n":                                                   {"line 4", "plain text"},
		head + "- fault: {times: 2}\n":                                                                        {"line 3", "nothing says what"},
		head + "- fault: {}\n":                                                                                {"line 3", "does nothing"},
		head + "- fault: {delay: 1s}\n":                                                                       {"line 3", "there is no reply"},
		head + "- fault: {status: 200}\n":                                                                     {"line 3", "status 200"},
		head + "- fault: {status: 500, garbage: true}\n":                                                      {"only one of status, garbage"},
		head + "- fault: {status: 500, body: xml}\n":                                                          {`body "xml"`},
		head + "- fault: {status: 429, retry_after: soon}\n":                                                  {`retry_after "soon"`},
		head + "- fault: {stall: -1s}\n":                                                                      {"can't be negative"},
		head + "- fault: {stall: 1s, truncate_body: 3}\n":                                                     {"nothing to cut"},
		head + "- fault: {garbage: true, retry_after: 2}\n":                                                   {"want a status"},
	} {
		_, err := scripted.Load([]byte(text))
		if err == nil {
			t.Errorf("%q was loaded", text)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: error %q lacks %q", text, err, part)
			}
		}
	}
}

// The example of the package's documentation is a scenario.
func TestTheDocumentedExample(t *testing.T) {
	text := read(t, "doc.go")
	_, text, _ = strings.Cut(text, "# A scenario\n")
	text, _, _ = strings.Cut(text, "// The answer depends")
	s, err := scripted.Load([]byte(strings.ReplaceAll(strings.ReplaceAll(text, "//\t", ""), "//", "")))
	if err != nil || s.Model() != "scripted/mgh09" || !strings.HasPrefix(s.Fingerprint(), "scripted-") {
		t.Fatalf("%+v, %v", s, err)
	}
}
