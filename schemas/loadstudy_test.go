package schemas_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rlam/schemas"
)

// Every problem with a policy, prices, limits and inputs that the study alone shows.
func TestStudyProblemsOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"policy": {labStudy + `policy:
  default: maybe
  rules:
    - {name: a, then: deny, when: action.effect == "external"}
    - {name: a, then: limit}
    - {name: listed, then: allow, limit: {calls: 3}}
    - {name: b, then: dney, wehn: x}
`, []string{
			`8:12: /policy/default: is "maybe"; expected one of "allow", "deny"`,
			`10:35: /policy/rules/0/when: column 7 of the expression: undefined field 'effect'; expected one of "bindings", "classes", "effects", "hosts", "idempotent", "name", "network", "seeded", "version" (did you mean "effects"?)`,
			`11:7: /policy/rules/1: "then" is "limit", and nothing says how many; expected "limit": {"calls": N}`,
			`11:14: /policy/rules/1/name: the name "a" is taken; expected a name of its own`,
			`12:14: /policy/rules/2/name: the name "listed" is taken; expected a name of its own`,
			`12:42: /policy/rules/2/limit: "then" is "allow", which has no limit; expected none`,
			`13:23: /policy/rules/3/then: is "dney"; expected one of "allow", "deny", "require_approval", "limit" (did you mean "deny"?)`,
			`13:29: /policy/rules/3/wehn: there is no such property; expected one of "actions", "limit", "name", "reason", "then", "when" (did you mean "when"?)`,
		}},
		"rules": {labStudy + `policy:
  rules:
    - {name: a, then: deny, when: 'action.effect == "external"'}
    - {name: a, then: limit}
    - {name: listed, then: allow, limit: {calls: 3}}
    - {name: numbers, then: deny, when: counters.calls * 2 > 3.0}
    - {name: typo, then: deny, when: 'lineage.typd'}
    - {name: value, then: deny, when: counters.calls}
    - {name: unknown, then: deny, when: 'output.x > 1.0'}
    - {name: strings, then: deny, when: 'study.title > 3.0'}
`, []string{
			`9:35: /policy/rules/0/when: column 7 of the expression: undefined field 'effect'; expected one of "bindings", "classes", "effects", "hosts", "idempotent", "name", "network", "seeded", "version" (did you mean "effects"?)`,
			`10:7: /policy/rules/1: "then" is "limit", and nothing says how many; expected "limit": {"calls": N}`,
			`10:14: /policy/rules/1/name: the name "a" is taken; expected a name of its own`,
			`11:14: /policy/rules/2/name: the name "listed" is taken; expected a name of its own`,
			`11:42: /policy/rules/2/limit: "then" is "allow", which has no limit; expected none`,
			`12:41: /policy/rules/3/when: column 16 of the expression: found no matching overload for '_*_' applied to '(double, int)'; expected numbers are doubles: write 4.0, not 4`,
			`13:38: /policy/rules/4/when: column 8 of the expression: undefined field 'typd'; expected one of "actions", "external", "params", "typed" (did you mean "typed"?)`,
			`14:39: /policy/rules/5/when: the expression gives a double; expected true or false`,
			`15:41: /policy/rules/6/when: column 1 of the expression: undeclared reference to 'output' (in container '')`,
			`16:41: /policy/rules/7/when: column 13 of the expression: found no matching overload for '_>_' applied to '(string, double)'`,
		}},
		"prices": {strings.Replace(pricedStudy, "n: {", "nn: {", 1) + priced, []string{`4:33: /planner/fallbacks/0: money is limited, and "n" has no price in planner.prices (did you mean "m"?)`}},
		"no prices": {labStudy + "limits: {money: 3}\n", []string{
			`5:18: /planner/model: money is limited, and "m" has no price in planner.prices`,
		}},
		"authors": {labStudy + "authors: [{name: A, orcid: 0000-0002-1825-0097}, {name: B, orcid: 0000-0002-1694-233X}, {name: C, orcid: 0000-0002-1825-0079}]\n", []string{
			`7:106: /authors/2/orcid: the ORCID iD "0000-0002-1825-0079" can't be right: its check digit is another; expected "0" at its end, or other digits`,
		}},
		"limits": {labStudy + "limits: {actions: {fit: -1, hot/cold: 3}, bytes: 0, money: 0}\n", []string{
			`7:19: /limits/actions: has the name "hot/cold"; expected a string that matches "^[A-Za-z0-9_.-]{1,128}$"`,
			`7:25: /limits/actions/fit: is -1; expected at least 0`,
			`7:50: /limits/bytes: is 0; expected at least 1`,
			`7:60: /limits/money: is 0; expected more than 0`,
		}},
		"inputs": {labStudy + `inputs:
  none: {description: nowhere}
  both: {file: a, run: b, output: /x}
  bare: {file: a, output: /x}
  made: {run: b, output: /x, given: {source: us}}
  here: {run: b, keep: digest}
  kept: {given: {source: us}, keep: digest}
  sound1: {given: {source: us, citation: "Us, 1999"}, keep: digest, digest: sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff}
  sound2: {given: {source: us}, file: a.csv, keep: reference}
  sound3: {run: b, output: /x}
reuse: ancestry
`, []string{
			`8:9: /inputs/none: nothing says where the input is; expected "file", "run" with "output", or "given" with "keep: digest" and "digest"`,
			`9:9: /inputs/both: "file" and "run" are given together; expected one of them`,
			`10:27: /inputs/bare/output: an output is given without a run; expected "run" too`,
			`11:37: /inputs/made/given: what another run made has its provenance already; expected "file"`,
			`12:24: /inputs/here/keep: what another run made is in the store already; expected none`,
			`13:9: /inputs/kept: nothing says where the input is; expected "file", "run" with "output", or "given" with "keep: digest" and "digest"`,
		}},
		"the form of inputs": {labStudy + `inputs:
  hash: {file: a, digest: sha256:abc, given: {citation: x}, keep: away}
reuse: always
`, []string{
			`8:27: /inputs/hash/digest: is "sha256:abc"; expected a digest, "sha256:" and 64 hexadecimal digits`,
			`8:46: /inputs/hash/given: "source" is missing; expected a string`,
			`8:67: /inputs/hash/keep: is "away"; expected one of "copy", "reference", "digest"`,
			`9:8: /reuse: is "always"; expected one of "never", "ancestry", "store"`,
		}},
		"the form of reuse": {labStudy + `reuse: {classes: [bitwise, statistical]}
`, []string{
			`7:8: /reuse: "from" is missing; expected one of "never", "ancestry", "store"`,
			`7:28: /reuse/classes/1: is "statistical"; expected one of "bitwise", "tolerance"`,
		}},
		"narrowed": {strings.Replace(labStudy, "sum]", "{use: sum.yaml, params: {}}, {use: sum, params: {propertees: {}}}, {use: cool, params: {}}, {use: cool@1.0.0, params: {}}]", 1), []string{
			`4:41: /actions/4/use: "sum.yaml" is a file; expected the action's name; list its file as an entry of its own`,
			`4:84: /actions/5/params/propertees: "propertees" is no keyword of draft 7, and would be ignored (did you mean "properties"?)`,
			`4:127: /actions/7: the parameters of "cool" are narrowed twice; expected one schema`,
		}},
		"the form of what is narrowed": {strings.Replace(labStudy, "sum]", "{use: ./sum.yaml, params: {}}, {use: sum}]", 1), []string{
			`4:41: /actions/4/use: is "./sum.yaml"; expected NAME or NAME@VERSION of an action`,
			`4:66: /actions/5: "params" is missing; expected an object`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, ps := schemas.ParseStudy("study.yaml", []byte(c.text))
			if got := messages(ps); !slices.Equal(got, c.want) {
				t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// What a study says about its actions is checked when they are found, with places.
func TestResolveChecksWhatTheStudySays(t *testing.T) {
	const head = "title: A laboratory\ngoal: Heat it\nplanner: {model: m}\nresult: {type: object}\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"not found": {`actions: [heat.yaml, cool.yaml, sum.yaml, {use: het, params: {}}, {use: sum@2.0.0, params: {}}]
`, []string{
			`5:43: /actions/3: no action is called "het"; there are `,
			`5:67: /actions/4: "sum@1.0.0" and "sum@2.0.0" would both be called "sum"`,
		}},
		"everything": {`actions:
  - heat.yaml
  - sum.yaml
  - {use: heat, params: {properties: {temprature: {maximum: 3}}}}
limits: {actions: {het: 3}}
policy:
  rules:
    - {name: a, then: deny, actions: [heat], when: params.temperature * 2 > 500.0}
    - {name: b, then: deny, actions: [heat, sum], when: params.temprature > 500.0}
    - {name: c, then: deny, actions: [heta], when: 'true'}
    - {name: d, then: deny, actions: [heat], when: params.temperature * 2.0 > 500.0}
    - {name: e, then: deny, when: params.anything > 500.0}
`, []string{
			`6:3: /actions: heat@1.0.0 is undone by "cool", which the study doesn't list`,
			`8:51: /actions/2/params/properties/temprature: heat@1.0.0 has no parameter "temprature"; expected one of "minutes", "notes", "temperature" (did you mean "temperature"?)`,
			`9:25: /limits/actions/het: the study lists no action "het"; expected one of "heat", "sum" (did you mean "heat"?)`,
			`12:52: /policy/rules/0/when: for calls of heat@1.0.0: column 20 of the expression: found no matching overload for '_*_' applied to '(double, int)'; expected numbers are doubles: write 4.0, not 4`,
			`13:57: /policy/rules/1/when: for calls of heat@1.0.0: column 7 of the expression: undefined field 'temprature'; expected one of "minutes", "notes", "temperature" (did you mean "temperature"?)`,
			`13:57: /policy/rules/1/when: for calls of sum@1.0.0: column 7 of the expression: undefined field 'temprature'; expected one of "scale", "terms"`,
			`14:39: /policy/rules/2/actions/0: the study lists no action "heta"; expected one of "heat", "sum" (did you mean "heat"?)`,
		}},
		"sound": {`actions: [heat.yaml, cool.yaml, sum.yaml, {use: heat, params: {properties: {temperature: {maximum: 3}}}}, {use: sum@1.0.0, params: {}}]
limits: {actions: {heat: 3}}
policy: {rules: [{name: a, then: deny, actions: [heat], when: params.temperature * 2.0 > 500.0}]}
`, nil},
	} {
		dir := folderOf(t, map[string]string{"study.yaml": head + c.text, "heat.yaml": heatAction, "cool.yaml": coolAction, "sum.yaml": sumAction})
		study, ps := schemas.LoadStudy(filepath.Join(dir, "study.yaml"))
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		_, ps = (&schemas.Registry{}).Resolve(study)
		if got := messages(ps); !slices.Equal(got, c.want) {
			t.Errorf("%s: problems:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}
