package schemas_test

import (
	"runtime"
	"testing"

	"github.com/xeipuuv/gojsonschema"

	"rlam/schemas"
)

// labPolicy is five rules as a laboratory would have them.
const labPolicy = `policy:
  rules:
    - {name: no-outside, when: 'action.effects == "external" && lineage.external', then: deny, reason: nothing from outside steers what acts outside}
    - {name: start-in-range, actions: [fit], when: 'params.start.exists(k, params.start[k] > 1e6)', then: deny, reason: a start beyond 1e6 overflows}
    - {name: range, actions: [fit], when: 'has(params.from) && has(params.to) && params.to - params.from > 100.0 * 60.0', then: require_approval, reason: long ranges cost hours}
    - {name: unrepeatable, when: '"unrepeatable" in action.classes && counters.of_action >= 3.0', then: deny, reason: three are enough}
    - {name: fits, actions: [fit], when: 'counters.calls < 0.8 * study.limits.calls', then: limit, limit: {calls: 8}, reason: eight fits are planned}
`

// timed is a benchmark of work that tells the processor's time a call besides the
// clock's, which on a busy machine is mostly that of others.
func timed(b *testing.B, work func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	start := processorTime()
	for b.Loop() {
		work()
	}
	b.ReportMetric(float64((processorTime()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// BenchmarkGate compares all gates with one validation by the validator alone, on
// the same parameters. On an idle machine the gate takes less than 200 µs.
func BenchmarkGate(b *testing.B) {
	f := gateFacts(b)
	step := calls(`a {` + data + `,"start":{"$from":"good","pointer":"/parameters"},"from":1,"to":2}`)
	judge := func(f schemas.Facts, calls []schemas.Proposed) func(*testing.B) {
		return func(b *testing.B) {
			g := schemas.NewGate()
			timed(b, func() {
				if j := g.Judge(calls, f); j[0].Decision != schemas.Admitted {
					b.Fatal(j[0].Reason())
				}
			})
		}
	}
	b.Run("without rules", judge(f, step))
	study, ps := schemas.ParseStudy("study.yaml", []byte(gateStudy+labPolicy))
	if len(ps) > 0 {
		b.Fatal(ps)
	}
	f.Study = study
	b.Run("five rules", judge(f, step))
	params := []byte(`{"data":"` + table + `","from":1,"start":{"b1":25,"b2":1e-7},"to":2}`)
	b.Run("validator alone", func(b *testing.B) {
		schema, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(f.Actions["fit"].Action.Params))
		if err != nil {
			b.Fatal(err)
		}
		timed(b, func() {
			if r, err := schema.Validate(gojsonschema.NewBytesLoader(params)); err != nil || !r.Valid() {
				b.Fatal(r, err)
			}
		})
	})
	b.Run("schema alone", func(b *testing.B) {
		s := compile(b, string(f.Actions["fit"].Action.Params))
		timed(b, func() {
			if vs := s.Validate(params); vs != nil {
				b.Fatal(vs)
			}
		})
	})
}
