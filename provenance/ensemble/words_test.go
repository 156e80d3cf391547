package ensemble_test

import (
	"io"
	"slices"
	"testing"

	"rlam/provenance/ensemble"
)

// TestSpell has numbers with two digits of their standard error: of equal size, as many
// decimals.
func TestSpell(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mean, se float64
		want     []string // of the mean, 0, and ten times the mean
	}{
		{5.2654321, 0.0093, []string{"5.2654", "0.0000", "52.6543"}},
		{-1234.5678, 12, []string{"-1235", "0", "-12346"}},
		{6.02214e23, 3e18, []string{"6.022140e+23", "0.000000e+00", "6.0221400e+24"}},
		{1e-9, 2e-10, []string{"1.00e-09", "0.00e+00", "1.000e-08"}},
		{0, 0.02, []string{"0.000", "0.000", "0.000"}},
		{3, 0, []string{"3", "0", "30"}},
	} {
		n := ensemble.Numbers{Mean: c.mean, SE: &c.se}
		if got := []string{n.Spell(c.mean), n.Spell(0), n.Spell(10 * c.mean)}; !slices.Equal(got, c.want) {
			t.Errorf("mean %g ± %g: %q, want %q", c.mean, c.se, got, c.want)
		}
	}
}

// TestPlain has values that would be something else without their quotation marks.
func TestPlain(t *testing.T) {
	t.Parallel()
	for spelled, want := range map[string]string{`"Newton"`: "Newton", `"true"`: `"true"`, `"1"`: `"1"`, `""`: `""`, `" x"`: `" x"`, `true`: "true", `[1]`: "[1]", `"[1]"`: `"[1]"`, `"a \"b\""`: `a "b"`} {
		if got := ensemble.Plain(spelled); got != want {
			t.Errorf("%s: %s, want %s", spelled, got, want)
		}
	}
}

// FuzzSummarise summarises two results of any form, and writes all that is written of them.
func FuzzSummarise(f *testing.F) {
	f.Add(`{"a":1}`, `{"a":[{"b":"NaN"},1e308]}`)
	f.Add(`[[[]]]`, `"\u0000</script>"`)
	f.Add(`{"":{"":{}},"/":1,"~":2}`, `-0`)
	f.Fuzz(func(t *testing.T, a, b string) {
		r, err := ensemble.Summarise(results(a, b, a), ensemble.Options{Ensemble: "fuzz", Resamples: 50, Schema: []byte(`{"properties":{"a":{"$ref":"#"}}}`)})
		if err != nil {
			t.Fatal(err)
		}
		if r.Results+len(r.Absent) != 3 {
			t.Fatalf("%d results and %d absent of 3 members", r.Results, len(r.Absent))
		}
		for _, field := range r.Fields {
			if field.In+field.Lacking != r.Results {
				t.Fatalf("%s: in %d, lacking %d", field.Pointer, field.In, field.Lacking)
			}
		}
		htmlOf(t, r)
		if err := r.WriteCSV(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}
