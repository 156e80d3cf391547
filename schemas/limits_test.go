package schemas_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rlam/schemas"
)

const priced = `limits: {steps: 10, calls: 8, tokens: 10000, money: 1.5, bytes: 5000, wall_time: 3m, actions: {fit: 3, heat: 1}}
`

func pricedFacts(t *testing.T) schemas.Facts {
	f := labFacts(t, "")
	study, ps := schemas.ParseStudy("study.yaml", []byte(pricedStudy+priced))
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	f.Study = study
	return f
}

const pricedStudy = `title: A laboratory
goal: Heat it
actions: [fit, heat, cool, fetch, sum]
planner: {model: m, fallbacks: [n], prices: {currency: EUR, models: {m: {input: 2, cached: 0.5, output: 8}, n: {input: 1000, output: 1000}}}}
result: {type: object, required: [rss], properties: {rss: {type: number}, plot: {type: string}}}
accept: [{expr: result.rss < 1.0}]
`

func TestRemaining(t *testing.T) {
	f := pricedFacts(t)
	f.Counters.Bytes = 9000
	if got, want := f.Remaining().String(), "7 steps, 4 calls (1 of fit, 1 of heat), 396 attempts, 9100 tokens, 1 EUR, 0 bytes of artifacts, 2m0s"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	raw, err := json.Marshal(f.Remaining())
	if want := `{"steps":7,"calls":4,"attempts":396,"tokens":9100,"actions":{"fit":1,"heat":1},"money":1,"currency":"EUR","bytes":0,"wall_time":"2m0s"}`; err != nil || string(raw) != want {
		t.Errorf("%s, %v; want %s", raw, err, want)
	}
	if got, want := gateFacts(t).Remaining().String(), "50 steps, 10 calls, 20 attempts, 2000000 tokens, 24h0m"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

func TestCost(t *testing.T) {
	prices := pricedFacts(t).Study.Study.Planner.Prices
	tokens := schemas.Tokens{Prompt: 1_000_000, Cached: 400_000, Completion: 100_000}
	for model, want := range map[string]float64{"m": 0.6*2 + 0.4*0.5 + 0.1*8, "n": 1100, "free": 0} {
		if got, known := prices.Cost(model, tokens); math.Abs(got-want) > 1e-12 || known != (model != "free") {
			t.Errorf("%s costs %v, %v; want %v", model, got, known, want)
		}
	}
}

func TestTurn(t *testing.T) {
	needs := schemas.Tokens{Prompt: 300, Completion: 100}
	for name, c := range map[string]struct {
		change func(*schemas.Facts)
		model  string
		want   schemas.Allowance
		limit  string
	}{
		"enough of everything":          {nil, "m", schemas.AskOn, ""},
		"the last step":                 {func(f *schemas.Facts) { f.Counters.Steps = 9 }, "m", schemas.AskLast, "steps"},
		"no step left":                  {func(f *schemas.Facts) { f.Counters.Steps = 10 }, "m", schemas.AskNot, "steps"},
		"tokens for a last turn, too":   {func(f *schemas.Facts) { f.Counters.Tokens = 7052 }, "m", schemas.AskOn, ""},
		"tokens for no turn after it":   {func(f *schemas.Facts) { f.Counters.Tokens = 7053 }, "m", schemas.AskLast, "tokens"},
		"tokens for one turn":           {func(f *schemas.Facts) { f.Counters.Tokens = 9600 }, "m", schemas.AskLast, "tokens"},
		"tokens for none":               {func(f *schemas.Facts) { f.Counters.Tokens = 9601 }, "m", schemas.AskNot, "tokens"},
		"money for one turn":            {func(f *schemas.Facts) { f.Counters.Money = 0.9 }, "n", schemas.AskLast, "money"},
		"money for none":                {func(f *schemas.Facts) { f.Counters.Money = 1.2 }, "n", schemas.AskNot, "money"},
		"the same money, a cheap model": {func(f *schemas.Facts) { f.Counters.Money = 1.2 }, "m", schemas.AskOn, ""},
		"a model without a price":       {nil, "other", schemas.AskNot, "money"},
		"no call left":                  {func(f *schemas.Facts) { f.Counters.Calls = 8 }, "m", schemas.AskLast, "calls"},
		"no attempt left":               {func(f *schemas.Facts) { f.Counters.Attempts = 400 }, "m", schemas.AskLast, "attempts"},
		"no room for artifacts":         {func(f *schemas.Facts) { f.Counters.Bytes = 5000 }, "m", schemas.AskLast, "bytes"},
		"no time left":                  {func(f *schemas.Facts) { f.Counters.Elapsed = schemas.Duration(3 * time.Minute) }, "m", schemas.AskLast, "wall_time"},
		"no time left, says the caller": {func(f *schemas.Facts) { f.LastTurn = "wall_time" }, "m", schemas.AskLast, "wall_time"},
		"nothing but repairs":           {func(f *schemas.Facts) { f.Counters.Repairs = 5 }, "m", schemas.AskLast, "repairs"},
		"no call of any action left": {func(f *schemas.Facts) {
			f.Actions = map[string]*schemas.Bound{"heat": f.Actions["heat"]}
			f.Sources["h2"] = schemas.Source{Action: "heat", Status: schemas.StatusFailed}
		}, "m", schemas.AskLast, "actions"},
		"none is worse than a last turn": {func(f *schemas.Facts) { f.Counters.Calls, f.Counters.Tokens = 8, 9601 }, "m", schemas.AskNot, "tokens"},
		"the first turn goes on":         {func(f *schemas.Facts) { f.Counters = schemas.Counters{Tokens: 9600} }, "m", schemas.AskOn, ""},
		"nothing to hand in yet":         {func(f *schemas.Facts) { f.Counters, f.LastTurn = schemas.Counters{}, "wall_time" }, "m", schemas.AskNot, "wall_time"},
		"no study, no limits":            {func(f *schemas.Facts) { f.Study = nil }, "m", schemas.AskOn, ""},
	} {
		f := pricedFacts(t)
		if c.change != nil {
			c.change(&f)
		}
		got := f.Turn(c.model, needs)
		if got.Allowance != c.want || got.Limit != c.limit || (got.Reason == "") != (c.want == schemas.AskOn) {
			t.Errorf("%s: %+v; want %s, %q", name, got, c.want, c.limit)
		}
	}
}

// What a run is granted stays within its tokens and its money: after every turn that
// goes on there is enough for the last one, and that one has no more than what is left.
func TestTheLastTurnIsPaidFor(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	f := pricedFacts(t)
	for range 2000 {
		f.Study.Study.Limits.Steps, f.Study.Study.Limits.Tokens = 1000, 5000+chance.IntN(50000)
		f.Study.Study.Limits.Money = 20 * chance.Float64()
		f.Counters = schemas.Counters{Steps: 1}
		l, prices := f.Study.Study.Limits, f.Study.Study.Planner.Prices
		needs := schemas.Tokens{Prompt: 200, Completion: 1 + chance.IntN(4096)}
		last, granted := false, false
		for !last {
			turn := f.Turn("n", needs)
			if turn.Allowance == schemas.AskNot {
				if granted {
					t.Fatalf("after a turn that went on there is no last one: %+v of %+v", f.Counters, l)
				}
				break
			}
			last, granted = turn.Allowance == schemas.AskLast, true
			took := schemas.Tokens{Prompt: needs.Prompt, Completion: turn.Answer}
			cost, _ := prices.Cost("n", took)
			f.Counters.Steps, f.Counters.Tokens, f.Counters.Money = f.Counters.Steps+1, f.Counters.Tokens+took.Total(), f.Counters.Money+cost
			if f.Counters.Tokens > l.Tokens || f.Counters.Money > l.Money+1e-9 {
				t.Fatalf("%+v is past %+v", f.Counters, l)
			}
			needs.Prompt += turn.Answer + chance.IntN(2048)
		}
	}
}

// In a last turn a result may lack what is required, and need not be accepted; what
// is there must fit. In any other turn neither passes.
func TestPartialResults(t *testing.T) {
	for _, c := range []struct {
		result         string
		complete, last schemas.Decision
		partial        bool
	}{
		{`{"rss":0.5}`, schemas.Admitted, schemas.Admitted, false},
		{`{"plot":"x"}`, schemas.Refused, schemas.Admitted, true},
		{`{"rss":7}`, schemas.Refused, schemas.Admitted, true},
		{`{}`, schemas.Refused, schemas.Admitted, true},
		{`{"plot":7}`, schemas.Refused, schemas.Refused, false},
		{`{"rss":"0.5"}`, schemas.Refused, schemas.Refused, false},
		{`[]`, schemas.Refused, schemas.Refused, false},
	} {
		f := pricedFacts(t)
		if j := schemas.NewGate().JudgeResult([]byte(c.result), f); j.Decision != c.complete || j.Partial {
			t.Errorf("%s is %s: %s", c.result, j.Decision, j.Reason())
		}
		f.LastTurn = "tokens"
		if j := schemas.NewGate().JudgeResult([]byte(c.result), f); j.Decision != c.last || j.Partial != c.partial || (j.Resolved != nil) != (c.last == schemas.Admitted) {
			t.Errorf("%s in the last turn is %s (partial: %v): %s", c.result, j.Decision, j.Partial, j.Reason())
		}
	}
}

// What a partial result doesn't keep of accept is on the record.
func TestAcceptOfAPartialResultIsRecorded(t *testing.T) {
	f := pricedFacts(t)
	f.LastTurn = "tokens"
	verdicts := schemas.NewGate().JudgeResult([]byte(`{"rss":7}`), f).Verdicts
	v := verdicts[len(verdicts)-1]
	if v.Gate != schemas.GateAccept || v.Decision != schemas.Admitted || v.Rule != "partial" || !strings.Contains(v.Reason, "result.rss < 1.0") {
		t.Errorf("%+v; want accept to admit it, and to say what does not hold", v)
	}
}
