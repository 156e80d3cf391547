package test

import (
	"bytes"
	"context"
	"html"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rlam/provenance/export"
	"rlam/provenance/export/page"
	"rlam/provenance/graph"
	"rlam/test/chromium"
	"rlam/test/lab"
)

func writeHTML(ctx context.Context, run *export.Run) ([]byte, error) {
	var b bytes.Buffer
	err := page.Write(ctx, &b, run, page.Options{})
	return b.Bytes(), err
}

// checkHTML looks for every attempt and turn of the graph in the tree that is there without
// scripts, and for the type of every failure.
func checkHTML(t *testing.T, run *export.Run, b []byte) {
	body, _, ok := strings.Cut(string(b), `<script type="application/json"`)
	if !ok {
		t.Fatal("the page has no data")
	}
	rows := 0
	for _, n := range run.Trace.Graph.Nodes {
		if n.Kind == graph.Attempt || n.Kind == graph.Plan || n.Kind == graph.Call {
			rows++
		}
		if n.Failure != nil && !strings.Contains(body, "<b>"+html.EscapeString(n.Failure.Type)+"</b>") {
			t.Errorf("the tree doesn't name the failure %s of %s", n.Failure.Type, n.ID)
		}
	}
	if got := strings.Count(body, `role="treeitem"`); got < rows {
		t.Errorf("the tree has %d rows, and there are %d turns, calls and attempts", got, rows)
	}
}

// TestPage is a reviewer's visit: the page of a run that was carried out, in a browser, by
// mouse and keyboard. go test -artifacts keeps a picture of each station.
func TestPage(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	run := l.Begin("../examples/mgh09/study.yaml", nil)
	if err := run.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	tr, metrics := audited(t, l.Host.Store, l.History(run.GetID(), run.GetRunID()), run.GetRunID())
	file := filepath.Join(t.TempDir(), "run.html")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Write(t.Context(), f, &export.Run{Trace: tr, Store: l.Host.Store}, page.Options{Metrics: &metrics}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b := chromium.Open(t, file, 1360, 900)
	b.Wait(`"ready" in document.documentElement.dataset`)
	shows := func(where, text string) {
		t.Helper()
		if got := b.Eval("document.querySelector(" + strconv.Quote(where) + ").innerText").(string); !strings.Contains(got, text) {
			t.Errorf("%s doesn't say %q: %.300q", where, text, got)
		}
	}

	shows(".verdict", "Completed")
	b.Wait(`!document.body.innerText.includes("undefined")`)
	shows(".verdict", "Sound")
	shows(".result", "0.192806934578933")
	b.Wait(`document.querySelector(".result img").naturalWidth > 100`)
	b.Picture("1-verdict")

	b.Click("#next-failure")
	shows("#panel h2", "Attempt 1 of 2.1")
	shows("#panel .failure", "rlam.NotConverged")
	b.Picture("2-failure")
	b.Key("ArrowDown")
	shows("#panel h2", "Step 3")
	b.Key("ArrowLeft") // closed, and
	b.Key("ArrowDown") // on to the next step
	shows("#panel h2", "Step 4")
	b.Click(`[aria-label^="5.2 fit.compare"] .name`)
	shows("#panel", "Verdicts")
	shows("#panel", "when its sources had run")
	b.Click(`[aria-label^="Planner’s turn"] .name`)
	shows("#panel", "Prompt of step 1")
	b.Picture("3-turn")

	b.Key("/")
	b.Write("NotConv")
	b.Wait(`!hitList.hidden && hits.length > 0`)
	b.Picture("4-search")
	b.Key("ArrowDown")
	b.Key("Enter")
	b.Wait(`panel.querySelector("mark") !== null`)
	b.Key("Escape")

	b.Click(".result .goto")
	shows("#trail", "produced by 2 attempts")
	shows(`.within[aria-label^="4.1"]`, "4.1 fit.nonlinear")
	b.Wait(`tree.querySelector('[aria-label^="2.1"]').classList.contains("within") === false`)
	b.Picture("5-lineage")

	b.Click("#tab-data")
	b.Wait(`cy !== null && cy.getElementById("s:5").length === 1`)
	b.Eval(`document.querySelector(".toolbar").scrollIntoView()`)
	b.Picture("6-data-closed") // drawn, and so scrolled to
	place := b.Eval(`(() => { const p = cy.getElementById("s:5").renderedPosition(), r = canvas.getBoundingClientRect(); return [p.x + r.x, p.y + r.y]; })()`).([]any)
	b.ClickAt(place[0].(float64), place[1].(float64))
	b.Wait(`cy.getElementById("t:" + indexOf.get("artifact:5.3#1/plot.png")).length === 1`)
	shows("#panel h2", "Step 5")
	b.Picture("6-data")
	b.Key("3")
	b.Wait(`cy.getElementById("t:" + indexOf.get("call:5.1")).length === 1`)
	b.Key("Escape")
	b.Wait(`tracing === null`)
	b.Click("#theme")
	b.Wait(`getComputedStyle(document.body).backgroundColor === "rgb(21, 23, 26)"`)
	b.Eval(`document.querySelector(".toolbar").scrollIntoView()`)
	b.Picture("7-process-dark")
	b.Key("?")
	b.Wait(`help.open`)
	b.Picture("8-keys")
	b.Key("Escape")

	b.Size(400, 800)
	b.Visit(file + "#/attempt:5.3%231")
	b.Wait(`"ready" in document.documentElement.dataset && panel.classList.contains("shown")`)
	b.Wait(`document.documentElement.scrollWidth <= 400`)
	shows("#panel h2", "Attempt 1 of 5.3")
	b.Picture("9-narrow")
	b.Quiet()
}
