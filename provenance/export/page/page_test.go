package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/provenance"
	"rlam/provenance/export/page"
	"rlam/provenance/graph"
	"rlam/test/chromium"
)

// small is a run of two steps, the second of which fails once and makes a picture.
func small(t testing.TB) *made {
	m := newRun(t, "small")
	in := m.g.Add(graph.Node{ID: "input:data", Kind: graph.Artifact, Role: "input", Name: "data", MediaType: "text/csv", Size: 4, Digest: m.bytes([]byte("1,2\n"))})
	m.step(1, "table.describe@1.0.0", map[string]any{"rows": 1.0}, map[string]any{"mean": 1.5}, 0)
	m.g.Join(graph.Derived, m.g.Node("params:1.1"), in)
	attempt, out := m.step(2, "fit.plot@1.0.0", map[string]any{"title": "needle in a haystack"}, map[string]any{"plot": "p"}, 1)
	m.artifact(attempt, "plot.png", "image/png", dot)
	m.artifact(attempt, "log", "text/plain", []byte("first line\nlast line\n"))
	m.result(map[string]any{"slope": 2.5}, out, 2)
	return m
}

// dot is a PNG of one pixel.
var dot, _ = base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

// TestPolicy computes the hashes of the page's own parts again, and finds nothing that the
// policy would have to let through besides.
func TestPolicy(t *testing.T) {
	t.Parallel()
	_, text := small(t).file(page.Options{})
	policy := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`).FindStringSubmatch(text)
	if policy == nil || strings.Index(text, policy[0]) > strings.Index(text, "<style") {
		t.Fatal("the policy doesn't come before what it is about")
	}
	for _, want := range []string{"default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy[1], want) {
			t.Errorf("the policy lacks %s: %s", want, policy[1])
		}
	}
	if strings.Contains(policy[1], "unsafe") || strings.Contains(policy[1], "*") {
		t.Errorf("the policy is open: %s", policy[1])
	}
	parts := regexp.MustCompile(`(?s)<(script|style)(?: id="[a-z_]+")?>(.*?)</(?:script|style)>`).FindAllStringSubmatch(text, -1)
	if len(parts) < 10 {
		t.Fatalf("only %d parts are inline", len(parts))
	}
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p[2]))
		if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy[1], hash) {
			t.Errorf("the policy has no hash of a %s that begins %.60q", p[1], p[2])
		}
	}
	body := text[strings.Index(text, "<body>"):strings.Index(text, `<script type="application/json"`)]
	if m := regexp.MustCompile(`(?i)\s(on[a-z]+|style|srcdoc|action|formaction)\s*=`).FindString(body); m != "" {
		t.Errorf("the page has the attribute %q, which its policy refuses", m)
	}
	if m := regexp.MustCompile(`(?i)(href|src)="(https?:|//|file:|javascript:)[^"]*`).FindString(text); m != "" {
		t.Errorf("the page names something outside: %s", m)
	}
}

// TestWithoutScripts reads the page as a browser without scripts shows it.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	m := small(t)
	m.run.Trace.Findings = []graph.Finding{{Name: "digest-differs", Subject: "attempt:2.1#2", Event: 7, What: "they name other content"}, {Name: "outcome-unused", Subject: "call 9.9", What: "it came too late"}}
	_, text := m.file(page.Options{
		Metrics:   &provenance.Metrics{Completeness: provenance.Metric{Good: 3, Total: 4, Counted: "executions", Missing: []string{"attempt:2.1#1: not in the journal"}}},
		Signature: &page.Signature{KeyID: "ab12cd34"},
	})
	body := text[strings.Index(text, "<body>"):strings.Index(text, `<script type="application/json"`)]
	seen := regexp.MustCompile(`\s+`).ReplaceAllString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " "), " ")
	for _, want := range []string{
		"Completed", "1 finding ", "digest-differs", "event 7", "Notes outcome-unused", "By key ab12cd34", "Trace completeness 3 /4", "attempt:2.1#1: not in the journal",
		"2 steps · 2 calls · 3 attempts", "&#34;slope&#34;: 2.5", "Step 2 fit.plot 1 failed", "Attempt 1 failed", "lab.Broken it broke in step 2", "after waiting ",
		"22 November 2026, 10:00:00 UTC",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("a reader without scripts doesn't see %q", want)
		}
	}
	if !strings.Contains(body, `<noscript><h2>The graph</h2><img class="drawing" src="data:image/svg&#43;xml;base64,`) {
		t.Error("there is no drawing for a reader without scripts")
	}
	order := []string{"Outcome", "Record", "Signature", "Trace completeness", "Result", `id="tree"`}
	for i := 1; i < len(order); i++ {
		if strings.Index(body, order[i-1]) > strings.Index(body, order[i]) {
			t.Errorf("%q comes before %q", order[i], order[i-1])
		}
	}
}

// TestLimits has what is too large cut, and said to be.
func TestLimits(t *testing.T) {
	t.Parallel()
	m := newRun(t, "large")
	attempt, out := m.step(1, "a@1", map[string]any{"text": strings.Repeat("é", 3000)}, "short", 0)
	plot := m.artifact(attempt, "plot.png", "image/png", append(append([]byte{}, dot...), make([]byte, 5000)...))
	log := m.artifact(attempt, "log", "text/plain", []byte(strings.Repeat("noise\n", 1000)+"the end"))
	program := m.artifact(attempt, "a.out", "", []byte{0x7f, 'E', 'L', 'F', 0, 0, 255})
	m.result("done", out, 1)
	_, text := m.file(page.Options{ContentLimit: 1001, ImageLimit: 4000})
	d := dataOf(t, text)
	params := d.Contents[m.g.Node("params:1.1").Digest.String()]
	if p := params.Parts[0]; len(p.Text) > 1001 || p.Cut < 6000 || strings.ContainsRune(p.Text, '�') || p.End {
		t.Errorf("the parameters are shown with %d bytes of %d", len(p.Text), p.Cut)
	}
	if c := d.Contents[plot.Digest.String()]; c.Image != "" || !strings.Contains(c.Why, "too large") || c.Size < 5000 {
		t.Errorf("the image is %+v", c)
	}
	if c := d.Contents[log.Digest.String()]; !strings.HasSuffix(c.Parts[0].Text, "the end") || !c.Parts[0].End || c.Parts[0].Cut != 6007 {
		t.Errorf("the log is %+v", c)
	}
	if c := d.Contents[program.Digest.String()]; len(c.Parts) > 0 || c.Why == "" {
		t.Errorf("a program is %+v", c)
	}

	_, text = m.file(page.Options{PageLimit: 200})
	d = dataOf(t, text)
	left := 0
	for _, c := range d.Contents {
		if strings.Contains(c.Why, "largest size") {
			left++
		}
	}
	if c := d.Contents[m.g.Node("result").Digest.String()]; left == 0 || len(c.Parts) == 0 {
		t.Errorf("of a page that is full, %d contents are left out; the result is %+v", left, c)
	}
}

// TestAbsent has contents that were withheld or lost named as such, with their digests.
func TestAbsent(t *testing.T) {
	t.Parallel()
	m := small(t)
	params, gone := m.g.Node("params:2.1"), m.g.Node("output:1.1#1")
	gone.Digest = canon.Sum([]byte("nobody has this"))
	m.run.Store = withholding{Store: m.store, left: map[canon.Digest]bool{params.Digest: true}}
	_, text := m.file(page.Options{})
	d := dataOf(t, text)
	if c := d.Contents[params.Digest.String()]; c.State != "withheld" || len(c.Parts) > 0 {
		t.Errorf("a withheld content is %+v", c)
	}
	if c := d.Contents[gone.Digest.String()]; c.State != "missing" {
		t.Errorf("a lost content is %+v", c)
	}
	m.run.Store = nil
	if _, text = m.file(page.Options{}); dataOf(t, text).Contents[params.Digest.String()].State != "missing" {
		t.Error("without a store, contents aren't missing")
	}
}

// canaries are what a hostile model or program could write.
var canaries = []string{
	`<script>window.ran = "element"</script>`, `</script><script>window.ran = "broken out"</script>`, `<!--<script>`,
	`<img src=x onerror="window.ran = 'handler'">`, `"><svg onload=window.ran=1>`, `' onclick='window.ran=1`, `javascript:window.ran=1`,
	`{{.}}`, "${window.ran=1}", `</style><style>body{background:url(http://127.0.0.1:9/css)}</style>`, `red;background:url(http://127.0.0.1:9/x)`,
	"\u202egnp.exe\u202c", "\u2028window.ran=1//\u2029", "a\x00b\x1b[31mred", `__proto__`, `constructor`, `</textarea></noscript></template><script>window.ran=1</script>`,
}

// TestHostile writes canaries wherever a model, a program or a person has a word, opens
// the page, and looks at all of it: nothing ran, nothing was asked for.
func TestHostile(t *testing.T) {
	t.Parallel()
	m := newRun(t, canaries[3])
	var last *graph.Node
	for i, c := range canaries {
		attempt, out := m.step(i+1, c, map[string]any{c: c}, []any{c}, 1)
		m.g.Node(fmt.Sprintf("attempt:%d.1#1", i+1)).Failure.Message = c
		m.g.Node(fmt.Sprintf("attempt:%d.1#1", i+1)).Failure.Type = c
		m.g.Node(fmt.Sprintf("plan:%d#1", i+1)).Model = c
		m.artifact(attempt, c, c, []byte(c))
		last = out
	}
	attempt := m.g.Node("attempt:1.1#2")
	m.artifact(attempt, "evil.svg", "image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="parent.ran='svg'"><script>parent.ran = top.ran = "svg"; fetch("http://127.0.0.1:9/svg")</script><image href="http://127.0.0.1:9/image" width="9" height="9"/><rect width="40" height="40" fill="red"/></svg>`))
	m.artifact(attempt, "page.html", "text/html", []byte(`<script>parent.ran="html"</script>`))
	m.result(canaries, last, len(canaries))
	m.run.Trace.Findings = []graph.Finding{{Name: "digest-differs", Subject: canaries[1], What: canaries[0]}}
	path, text := m.file(page.Options{})
	if strings.ContainsAny(text, "\u202e\u2028\x00\x1b") {
		t.Error("characters that hide or reorder text are in the page")
	}
	b := chromium.Open(t, path, 1200, 800)
	b.Wait(`"ready" in document.documentElement.dataset`)
	b.Eval(`openAll(true)`)
	b.Eval(`(async () => { for (let i = 0; i < things.length; i++) { select(i, { scroll: false }); for (const d of panel.querySelectorAll("details")) d.open = true; await 0; } })()`)
	for _, view := range []string{"2", "3"} {
		b.Key(view)
		b.Eval(`for (const key of stepKeys) opened.add("s:" + key); draw();`)
	}
	b.Eval(`for (const i of [0, 5, 9]) { trace(i, "up"); trace(i, "down"); }`)
	for _, c := range canaries {
		b.Eval(fmt.Sprintf(`searchBox.value = %q; search(); take(0)`, c))
	}
	b.Picture("hostile")
	if got := b.Eval(`String(window.ran) + " " + document.querySelectorAll("#panel script, #panel iframe, #tree script, #tree img, main script, [onerror], [onload], [onclick]").length`); got != "undefined 0" {
		t.Errorf("something of the run came alive: %v", got)
	}
	b.Eval(`select(indexOf.get("artifact:1.1#2/evil.svg"))`)
	b.Wait(`panel.querySelector("img").complete && panel.querySelector("img").naturalWidth === 40`)
	b.Quiet()
}

// TestSameTwice holds two pages of one run against each other.
func TestSameTwice(t *testing.T) {
	t.Parallel()
	m := small(t)
	_, first := m.file(page.Options{})
	if _, second := m.file(page.Options{}); first != second {
		t.Error("twice is not the same")
	}
}

var _ store.Store = withholding{}
