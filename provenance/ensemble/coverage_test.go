package ensemble_test

import (
	"fmt"
	"math"
	"testing"

	"rlam/internal/draw"
	"rlam/provenance/ensemble"
)

// TestCoverage draws samples whose mean is known, and counts how often an interval holds it:
// close to 95 times in a hundred for normal numbers, and not far below for skewed ones. The
// bounds are three standard errors of 1,000 draws around what docs/ensemble-statistics.md
// says.
func TestCoverage(t *testing.T) {
	t.Parallel()
	exponential := func(u float64) float64 { return -math.Log(u) }
	for _, c := range []struct {
		name               string
		n                  int
		draw               func(u float64) float64
		mean               float64
		student, bootstrap float64
	}{
		{"normal", 8, draw.Normal, 0, 0.95, 0.89},
		{"normal", 30, draw.Normal, 0, 0.95, 0.94},
		{"exponential", 30, exponential, 1, 0.93, 0.93},
	} {
		t.Run(fmt.Sprintf("%s %d", c.name, c.n), func(t *testing.T) {
			t.Parallel()
			const samples = 1000
			s := draw.New(11, c.name)
			student, bootstrap := 0, 0
			for i := range samples {
				values := make([]string, c.n)
				for j := range values {
					values[j] = fmt.Sprintf(`%.17g`, c.draw(s.Uniform()))
				}
				r := summarise(t, results(values...), ensemble.Options{Ensemble: fmt.Sprint(i), Resamples: 1000})
				n := field(t, r, "").Numbers
				if n.Student.Low <= c.mean && c.mean <= n.Student.High {
					student++
				}
				if n.Bootstrap.Low <= c.mean && c.mean <= n.Bootstrap.High {
					bootstrap++
				}
			}
			const room = 3 * 0.008
			t.Logf("of %d samples Student's interval holds the mean in %d, the bootstrap's in %d", samples, student, bootstrap)
			if got := float64(student) / samples; math.Abs(got-c.student) > room {
				t.Errorf("Student's interval holds the mean in %.1f %% of the samples", 100*got)
			}
			if got := float64(bootstrap) / samples; math.Abs(got-c.bootstrap) > room {
				t.Errorf("the bootstrap interval holds the mean in %.1f %% of the samples", 100*got)
			}
		})
	}
}
