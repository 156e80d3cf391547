package ensemble_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"rlam/provenance/ensemble"
)

// TestFigures draws everything twice, the second time from members in another order. Look at
// the pictures of go test -artifacts.
func TestFigures(t *testing.T) {
	t.Parallel()
	for _, n := range []int{27, 300} {
		members := decays(n)
		figures := summarise(t, members, ensemble.Options{Schema: []byte(schema)}).Figures()
		var names []string
		for _, f := range figures {
			names = append(names, f.Name)
		}
		want := []string{"converged", "half_life", "half_life-by-tolerance", "half_life-by-model", "method", "steps-0", "steps-0-by-tolerance", "steps-0-by-model"}
		if !slices.Equal(names, want) {
			t.Errorf("figures %q, want %q", names, want)
		}
		rand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		again := summarise(t, members, ensemble.Options{Schema: []byte(schema)}).Figures()
		for i, f := range figures {
			for _, format := range []string{"png", "svg"} {
				data := render(t, f, format)
				if !bytes.Equal(data, render(t, again[i], format)) {
					t.Errorf("%s.%s has other bytes if the members come in another order", f.Name, format)
				}
				if err := os.WriteFile(filepath.Join(t.ArtifactDir(), f.Name+"-"+[]string{"few", "many"}[n/300]+"."+format), data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func render(t *testing.T, f ensemble.Figure, format string) []byte {
	t.Helper()
	data, err := f.Render(format)
	if err != nil {
		t.Fatal(err)
	}
	if format == "png" {
		if _, err := png.Decode(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		return data
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return data
		} else if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
}

// TestFiguresOfAnything draws what is at the edge of what can be drawn, under names that
// every file system takes.
func TestFiguresOfAnything(t *testing.T) {
	t.Parallel()
	for name, members := range map[string][]ensemble.Member{
		"huge":        results(`{"a":-1e308}`, `{"a":1e308}`, `{"a":5}`),
		"tiny":        results(`{"a":5e-324}`, `{"a":1e-323}`, `{"a":0}`),
		"close":       results(`{"a":1}`, `{"a":1.0000000000000002}`, `{"a":1.0000000000000004}`),
		"names":       results(`{"../../etc/passwd":1,"A":1,"a":2,"":3}`, `{"../../etc/passwd":2,"A":2,"a":3,"":4}`),
		"words":       results(`{"a":"<script>\u0007alert(1)</script>"}`, `{"a":"<script>\u0007alert(1)</script>"}`, `{"a":"\u202e日本語"}`),
		"outlier":     results(slices.Concat(slices.Repeat([]string{`{"a":0}`}, 80), []string{`{"a":1e300}`})...),
		"nothing":     nil,
		"one":         results(`{"a":1}`),
		"all mixed":   results(`{"a":1}`, `{"a":"x"}`, `{"a":2}`, `{"a":null}`, `{"a":"NaN"}`),
		"a bare text": results(`"x"`, `"y"`, `"x"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			figures := summarise(t, members, ensemble.Options{}).Figures()
			for _, f := range figures {
				if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,90}$`).MatchString(f.Name) {
					t.Errorf("the name %q", f.Name)
				}
				render(t, f, "png")
				if svg := render(t, f, "svg"); bytes.Contains(svg, []byte("<script")) {
					t.Errorf("%s holds a script", f.Name)
				}
			}
		})
	}
}
