package schemas_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rlam/schemas"
)

// withCondition is the fit action with one precondition.
func withCondition(expr string) (*schemas.Bound, schemas.Problems) {
	quoted, _ := json.Marshal(expr)
	before, rest, _ := strings.Cut(fitAction, "preconditions:")
	_, after, _ := strings.Cut(rest, "postconditions:")
	return schemas.ParseAction("fit.yaml", []byte(before+"preconditions:\n  - {expr: "+string(quoted)+"}\npostconditions:"+after), nil)
}

func TestConditionsAreCheckedWhenLoaded(t *testing.T) {
	for expr, want := range map[string]string{
		`params.from * 2 > 1.0`: "numbers are doubles: write 4.0, not 4",
		`params.from == 4`:      "numbers are doubles: write 4.0, not 4",
		`params.form > 1.0`:     `(did you mean "from"?)`,
		`params.label > 1.0`:    "no matching overload",
		`params.from`:           "expected true or false",
		`parms.from > 1.0`:      "undeclared reference",
		`params.from >`:         "Syntax error",
		`output.rss > 0.0`:      "undeclared reference",
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200): "recursion",
	} {
		_, ps := withCondition(expr)
		if len(ps) == 0 || !strings.Contains(ps.Error(), want) || ps[0].Pointer != "/preconditions/0/expr" || ps[0].Line == 0 {
			t.Errorf("%.60q: %v; want %q", expr, ps, want)
		}
	}
}

func TestConditionsHoldOrSayWhy(t *testing.T) {
	params := `{` + data + `,"start":{"b1":25,"b2":39},"from":4,"to":9.5,"label":"x"}`
	for expr, want := range map[string]string{
		`params.from * 2.0 < params.to`:                             "",
		`params.from < 5`:                                           "", // comparisons cross numeric types
		`params.from == 4.0`:                                        "", // JSON's 4 is a double
		`size(params.start) == 2`:                                   "",
		`params.start.all(k, params.start[k] > 0.0)`:                "",
		`math.least(params.from, params.to) == 4.0`:                 "",
		`inputs.data.startsWith("sha256:")`:                         "",
		`"b3" in params.start`:                                      `"\"b3\" in params.start" does not hold (params.start is an object with "b1", "b2")`,
		`params.from > params.to`:                                   `"params.from > params.to" does not hold (params.from is 4, params.to is 9.5)`,
		`params.start["b9"] > 0.0`:                                  `can't be evaluated (no such key: b9)`,
		`[1.0,2.0,3.0].map(a, [1.0,2.0].map(b, a / b))[0][0] > 0.0`: "",
	} {
		b, ps := withCondition(expr)
		if len(ps) > 0 {
			t.Errorf("%q: %v", expr, ps)
			continue
		}
		f := gateFacts(t)
		f.Actions = map[string]*schemas.Bound{"fit": b}
		j := schemas.NewGate().Judge(calls(`a `+params), f)[0]
		if !strings.Contains(j.Reason(), want) || (want == "") != (j.Decision == schemas.Admitted) {
			t.Errorf("%q: %s %s; want %q", expr, j.Decision, j.Reason(), want)
		}
	}
}

// An expression can't keep the gate busy: work beyond a limit ends it.
func TestConditionsAreBounded(t *testing.T) {
	list := "[0.0" + strings.Repeat(",1.0", 99) + "]"
	b, ps := withCondition(list + ".all(a, " + list + ".all(b, " + list + ".all(c, " + list + ".all(d, a + b + c + d >= 0.0))))")
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	f := gateFacts(t)
	f.Actions = map[string]*schemas.Bound{"fit": b}
	start := time.Now()
	j := schemas.NewGate().Judge(calls(`a {`+data+`,"start":{"b":1}}`), f)[0]
	if j.Decision != schemas.Refused || !strings.Contains(j.Reason(), "cost limit") {
		t.Errorf("%s %s", j.Decision, j.Reason())
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
