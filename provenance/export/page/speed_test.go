package page_test

import (
	"fmt"
	"testing"
	"time"

	"rlam/provenance/export/page"
	"rlam/provenance/graph"
	"rlam/test/chromium"
)

// long is a run of n steps, each of which uses what the one before it made.
func long(t testing.TB, n int) *made {
	m := newRun(t, fmt.Sprintf("%d steps", n))
	var out *graph.Node
	for i := 1; i <= n; i++ {
		fails := 0
		if i%50 == 0 {
			fails = 1
		}
		_, out = m.step(i, []string{"fit.nonlinear@1.0.0", "table.describe@1.0.0", "ode.integrate@1.0.0"}[i%3],
			map[string]any{"x": float64(i), "label": fmt.Sprintf("parameters of step %d", i)}, map[string]any{"y": float64(i) * 1.5, "note": fmt.Sprintf("needle-%d", i)}, fails)
	}
	m.result(map[string]any{"y": 1.0}, out, n)
	return m
}

// acts are what a reader does with a long run, and what holds then.
var acts = []struct{ name, code, then string }{
	{"select an attempt in the middle", `select(indexOf.get("attempt:500.1#1"))`, `tree.querySelector('[aria-selected="true"]').innerText.startsWith("Attempt 1")`},
	{"next row by key", `treeKey("ArrowDown")`, `things[selected].id === "attempt:500.1#2"`},
	{"open every step", `openAll(true)`, `tree.querySelectorAll('[aria-expanded="false"]').length === 0`},
	{"close every step", `openAll(false)`, `tree.querySelectorAll('[aria-expanded="true"]').length === 0`},
	{"first search", `searchBox.value = "needle-777"; search()`, `hits.length === 1 && things[hits[0].thing].id === "output:777.1#1"`},
	{"next letter of a search", `searchBox.value = "step 99"; search()`, `hits.length === hitLimit`},
	{"what produced the result?", `trace(indexOf.get("result"), "up")`, `tracing.within.size > 4000`},
	{"clear it", `endTrace()`, `tracing === null`},
	{"data graph", `showView("data")`, `cy.nodes().length > 30 && cy.nodes().length < 50`},
	{"open a block of steps", `opened.add("b:1:3"); draw("b:1:3")`, `cy.getElementById("s:100").length === 1`},
	{"open a step", `opened.add("s:100"); draw("s:100")`, `cy.getElementById("t:" + indexOf.get("attempt:100.1#2")).length === 1`},
	{"process graph", `showView("process")`, `cy.getElementById("t:" + indexOf.get("call:100.1")).length === 1`},
	{"next failure", `nextFailure()`, `things[selected].failure.type === "lab.Broken"`},
}

const (
	loadLimit = 2 * time.Second
	actLimit  = 200 * time.Millisecond
)

// TestFluent opens a run of 1,000 steps in a browser: it loads in less than 2 s, and
// answers every hand within 200 ms, of what the page's main thread computes. That and what
// a clock said is in the log. On a machine with much other work even computing takes
// longer: what is over its limit may try twice again.
func TestFluent(t *testing.T) {
	m := long(t, 1000)
	began := time.Now()
	path, text := m.file(page.Options{})
	t.Logf("%-32s %4d ms, %.1f MB", "written", time.Since(began).Milliseconds(), float64(len(text))/1e6)
	b := chromium.Open(t, "", 1360, 900)
	var slow map[string]time.Duration
	for range 3 {
		if slow = round(t, b, path, slow); len(slow) == 0 {
			break
		}
	}
	for name, work := range slow {
		t.Errorf("%s takes %v of work", name, work)
	}
	b.Picture("long")
	b.Quiet()
}

// round loads the page, does everything once, and returns what took too long now and
// before as well.
func round(t *testing.T, b *chromium.Browser, path string, before map[string]time.Duration) map[string]time.Duration {
	t.Helper()
	slow := map[string]time.Duration{}
	measure := func(name string, limit time.Duration, act func()) {
		t.Helper()
		worked, began := b.Work(), time.Now()
		act()
		work := b.Work() - worked
		t.Logf("%-32s %4d ms of work, %4d ms by the clock", name, work.Milliseconds(), time.Since(began).Milliseconds())
		if _, again := before[name]; work > limit && (before == nil || again) {
			slow[name] = work
		}
	}
	b.Visit("/dev/null")
	measure("loaded", loadLimit, func() {
		b.Visit(path)
		b.Wait(`"ready" in document.documentElement.dataset`)
	})
	b.Wait(`closedDrawings.size === 2`)
	for _, act := range acts {
		measure(act.name, actLimit, func() {
			b.Eval(act.code + `; new Promise((done) => requestAnimationFrame(() => setTimeout(done)))`)
		})
		b.Wait(act.then)
	}
	return slow
}
