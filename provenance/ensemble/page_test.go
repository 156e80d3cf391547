package ensemble_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rlam/provenance/ensemble"
)

// TestPage reads the page for what it has to say. Look at the page of go test -artifacts.
func TestPage(t *testing.T) {
	t.Parallel()
	text := htmlOf(t, summarise(t, decays(54), ensemble.Options{Ensemble: "decays", Study: "Half-life of indium-116m", Schema: []byte(schema)}))
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "decays.html"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	seen := regexp.MustCompile(`\s+`).ReplaceAllString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " "), " ")
	for _, want := range []string{
		"Ensemble decays", "Half-life of indium-116m", "54 members, 48 with a result", "m0009", "is text in line 3", "tolerance = 0.000001", "/half_life (min)",
		"3 different artifacts in 48", "Where they part", "fit.compare@1.0.0", "end here", "2000 resamples", "fit/params/tolerance",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("the page doesn't say %q", want)
		}
	}
	if n := strings.Count(text, `src="data:image/svg&#43;xml;base64,`); n != 8 {
		t.Errorf("%d figures stand in the page, want 8", n)
	}
}

// TestPageRunsNothing has results that try to be more than text.
func TestPageRunsNothing(t *testing.T) {
	t.Parallel()
	const evil = `</script><script>alert(1)</script><img src=x onerror=alert(2)>`
	members := results(`{"`+evil+`":"`+evil+`","n":1}`, `{"`+evil+`":"`+evil+`","n":2}`, `{"`+evil+`":"{{.}}","n":4}`)
	members = append(members, ensemble.Member{ID: evil, Status: evil, Failure: evil, Varied: []ensemble.Setting{{Path: evil, Value: []byte(`"` + evil + `"`)}}, Plan: []ensemble.Call{step(1, evil, `{"`+evil+`":"`+evil+`"}`)}})
	text := htmlOf(t, summarise(t, members, ensemble.Options{Ensemble: evil, Study: evil}))
	if m := regexp.MustCompile(`(?i)<script|<img src=x|\son[a-z]+\s*=\s*[^ ]*alert\(2\)>`).FindString(text); m != "" {
		t.Errorf("the page holds %q", m)
	}
	if !strings.Contains(text, "default-src &#39;none&#39;") && !strings.Contains(text, "default-src 'none'") {
		t.Error("the page has no policy")
	}
}

func htmlOf(t *testing.T, r *ensemble.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
