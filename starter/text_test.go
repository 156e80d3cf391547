package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"

	"rlam/provenance"
	"rlam/starter/follow"
)

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", 50)
	for _, text := range []string{
		"", "one", "several words that do not fit on one line of this width, by far", long, "before " + long + " after",
		"two\nlines", "日本語のとても長いテキストがここにありますから折り返します", "a tab\tand \x1b[31mcolour\x1b[0m",
	} {
		for _, line := range wrap(text, 24) {
			if w := lipgloss.Width(line); w > 24 {
				t.Errorf("%q: the line %q has %d columns", text, line, w)
			}
			if strings.ContainsAny(line, "\x1b\t\n") {
				t.Errorf("%q: the line %q could drive the terminal", text, line)
			}
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if got := squeeze(strings.Join(wrap(text, 24), " ")); got != squeeze(printable(text)) {
			t.Errorf("%q: something was lost: %q", text, got)
		}
	}
}

func TestBrief(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{`{"a":1,"b":"text","c":null}`, "a: 1, b: text, c: null"},
		{`{"list":[1,2,3,4,5,6],"n":2}`, "n: 2, list: [1, 2, 3, 4, … 6 in all]"},
		{`{"data":"sha256:313e0eec6161c5770bef11096ace78d7be7dd9e8bb4a0a8003300aad6954fce0"}`, "data: sha256:313e0eec…"},
		{`{"s":"1"}`, `s: "1"`},
		{`{"s":"true"}`, `s: "true"`},
		{`{"s":""}`, `s: ""`},
		{`{"x":0.19280693458208329,"y":-15.84452726,"z":1e-08,"big":12345678901234}`, "x: 0.192807, y: -15.8445, z: 1e-08, big: 12345678901234"},
		{`{"m":{"b1":25,"b2":39}}`, "m: {b1: 25, b2: 39}"},
		{`[1,"two"]`, "[1, two]"},
		{`{}`, ""},
	} {
		got := strings.ReplaceAll(brief(follow.Value{Value: json.RawMessage(c.value)}, nil), string(glue), " ")
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.value, got, c.want)
		}
	}
	if got := brief(follow.Value{Preview: `{"cut`}, nil); got != `{"cut` {
		t.Errorf("a preview: %q", got)
	}
}

func TestJSONPrinter(t *testing.T) {
	var b bytes.Buffer
	p := &jsonPrinter{w: &b}
	p.Print(follow.CaughtUp{})
	p.Print(follow.Notice{Text: "a < b\n"})
	want := "{\"message_type\":\"caught_up\"}\n{\"message_type\":\"notice\",\"text\":\"a < b\\n\"}\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
}

// An attempt that takes long is heard of, ever more rarely.
func TestTick(t *testing.T) {
	var b bytes.Buffer
	p := newTextPrinter(&b, func(string) string { return "" })
	now := time.Now()
	p.Print(follow.AttemptScheduled{Call: "1.1", Action: "fit@1", Attempt: 1, At: now})
	var said []int
	for s := 1; s <= 60; s++ {
		b.Reset()
		p.Tick(now.Add(time.Duration(s) * time.Second))
		if b.Len() > 0 {
			said = append(said, s)
		}
	}
	if len(said) != 3 || said[0] != 5 || said[1] != 15 || said[2] != 45 {
		t.Errorf("said after %v seconds", said)
	}
	p.Print(follow.Attempt{Call: "1.1", Status: "completed"})
	b.Reset()
	p.Tick(now.Add(time.Hour))
	if b.Len() > 0 {
		t.Errorf("said of an attempt that has ended: %q", &b)
	}
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "under 1 ms", 0.0123: "12 ms", 1.25: "1.2 s", 99.9: "99.9 s", 125: "2 min 05 s", 7265: "2 h 01 min",
	} {
		if got := duration(seconds); got != want {
			t.Errorf("%v s: got %q, want %q", seconds, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestParseSettings(t *testing.T) {
	got, err := parseSettings([]string{"limits.steps=30", "/inputs/a.b/file=x.csv", `planner={"model": "m"}`, "title=a = b"})
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]string{
		"/limits/steps": "30", "/inputs/a.b/file": `"x.csv"`, "/planner": `{"model": "m"}`, "/title": `"a = b"`,
	} {
		if string(got[pointer]) != want {
			t.Errorf("%s: got %s, want %s", pointer, got[pointer], want)
		}
	}
	for _, bad := range []string{"limits", "=3"} {
		if _, err := parseSettings([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestShare: a metric that lacks anything is never spelled as a whole one.
func TestShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		good, total int
		want        string
	}{
		{0, 0, "1.000"}, {0, 3, "0.000"}, {24, 25, "0.960"}, {2, 3, "0.666"}, {7, 7, "1.000"}, {9_999, 10_000, "0.999"},
	} {
		if got := share(provenance.Metric{Good: c.good, Total: c.total}); got != c.want {
			t.Errorf("%d of %d is spelled %q, want %q", c.good, c.total, got, c.want)
		}
	}
}
