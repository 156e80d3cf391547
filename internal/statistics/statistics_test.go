package statistics_test

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"rlam/internal/statistics"
)

// TestMoments holds the moments against values that NIST certifies to 15 digits
// (Information Technology Laboratory, StRD, univariate summary statistics, public domain).
// Of NumAcc3 and NumAcc4 the data aren't what the decimals say once they are doubles, and
// the digits that remain are those that any exact arithmetic on doubles finds.
func TestMoments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		values   []float64
		mean, sd float64
		digits   float64 // of the standard deviation; those of the mean are 15
	}{
		{"Michelso", michelson(), 299.852400000000, 0.0790105478190518, 13},
		{"NumAcc1", []float64{10000001, 10000003, 10000002}, 10000002, 1, 15},
		{"NumAcc2", alternating(1.2, 1.1, 1.3), 1.2, 0.1, 14},
		{"NumAcc3", alternating(1000000.2, 1000000.1, 1000000.3), 1000000.2, 0.1, 9},
		{"NumAcc4", alternating(10000000.2, 10000000.1, 10000000.3), 10000000.2, 0.1, 8},
	} {
		mean, sd := statistics.Moments(c.values)
		if got := digits(mean, c.mean); got < 14.5 {
			t.Errorf("%s: mean %.15g has %.1f digits of %.15g", c.name, mean, got, c.mean)
		}
		if got := digits(sd, c.sd); got < c.digits {
			t.Errorf("%s: standard deviation %.15g has %.1f digits of %.15g", c.name, sd, got, c.sd)
		}
	}
}

// TestMomentsOfAnySize has values whose sum or squares no double holds.
func TestMomentsOfAnySize(t *testing.T) {
	t.Parallel()
	for _, scale := range []float64{0x1p1022, 1, 0x1p-1000, 0x1p-1060} {
		mean, sd := statistics.Moments([]float64{scale, 2 * scale, 3 * scale})
		if mean != 2*scale || sd != scale {
			t.Errorf("mean and deviation of 1, 2 and 3 times %g are %g and %g", scale, mean, sd)
		}
	}
	if mean, sd := statistics.Moments([]float64{math.MaxFloat64, -math.MaxFloat64}); mean != 0 || !math.IsInf(sd, 1) {
		t.Errorf("the largest double and its negative: %g, %g", mean, sd)
	}
	for _, v := range []float64{0, 0.1, -1e300, 5e-324} {
		if mean, sd := statistics.Moments([]float64{v, v, v, v, v, v, v}); mean != v || sd != 0 {
			t.Errorf("seven times %g: %g, %g", v, mean, sd)
		}
	}
	if mean, sd := statistics.Moments([]float64{3}); mean != 3 || !math.IsNaN(sd) {
		t.Errorf("of one value: %g, %g", mean, sd)
	}
	if mean, sd := statistics.Moments(nil); !math.IsNaN(mean) || !math.IsNaN(sd) {
		t.Errorf("of none: %g, %g", mean, sd)
	}
}

// TestQuantile has values computed by hand: 1, 2, 3, 4, 10 have the places 0 to 4.
func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []float64{1, 2, 3, 4, 10}
	for p, want := range map[float64]float64{0: 1, 0.025: 1.1, 0.25: 2, 0.5: 3, 0.75: 4, 0.975: 9.4, 1: 10} {
		if got := statistics.Quantile(values, p); math.Abs(got-want) > 1e-14 {
			t.Errorf("quantile %g: %g, want %g", p, got, want)
		}
	}
	if got := statistics.Quantile([]float64{-math.MaxFloat64, math.MaxFloat64}, 0.5); got != 0 {
		t.Errorf("the middle of the outermost doubles is %g", got)
	}
	if got := statistics.Quantile([]float64{0.1, 0.1}, 0.975); got != 0.1 {
		t.Errorf("a quantile of equal values is %g", got)
	}
	if got := statistics.Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("a quantile of nothing is %g", got)
	}
}

// TestReach has the three decimals of printed tables of t (two-sided, 5 %), and at one and
// two degrees of freedom its closed forms.
func TestReach(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]float64{4: 3.182, 5: 2.776, 6: 2.571, 10: 2.262, 11: 2.228, 21: 2.086, 31: 2.042, 61: 2.000, 121: 1.980, 1001: 1.962} {
		if got := statistics.Reach(n); math.Abs(got-want) > 0.0005 {
			t.Errorf("with %d values: %.5f, the table has %.3f", n, got, want)
		}
	}
	if got, want := statistics.Reach(2), math.Tan(0.475*math.Pi); math.Abs(got/want-1) > 1e-10 {
		t.Errorf("with 2 values: %.12f, want %.12f", got, want)
	}
	if got, want := statistics.Reach(3), 0.95*math.Sqrt(2/(1-0.95*0.95)); math.Abs(got/want-1) > 1e-10 {
		t.Errorf("with 3 values: %.12f, want %.12f", got, want)
	}
	if got := statistics.Reach(1); !math.IsNaN(got) {
		t.Errorf("with 1 value: %g", got)
	}
}

// digits is how many decimal digits a number has in common with a certified one.
func digits(got, want float64) float64 {
	if got == want {
		return 16
	}
	return -math.Log10(math.Abs(got-want) / math.Abs(want))
}

// alternating is how NIST makes NumAcc2 to NumAcc4: 1,001 values.
func alternating(first, low, high float64) []float64 {
	values := []float64{first}
	for range 500 {
		values = append(values, low, high)
	}
	return values
}

// michelson is the speed of light in air in megametres a second, as Michelson measured it
// in 1879: 299 and so many thousandths.
func michelson() []float64 {
	const thousandths = `850 740 900 1070 930 850 950 980 980 880 1000 980 930 650 760 810 1000 1000 960 960
960 940 960 940 880 800 850 880 900 840 830 790 810 880 880 830 800 790 760 800
880 880 880 860 720 720 620 860 970 950 880 910 850 870 840 840 850 840 840 840
890 810 810 820 800 770 760 740 750 760 910 920 890 860 880 720 840 850 850 780
890 840 780 810 760 810 790 810 820 850 870 870 810 740 810 940 950 800 810 870`
	var values []float64
	for field := range strings.FieldsSeq(thousandths) {
		v, _ := new(big.Rat).SetString(field + "/1000")
		f, _ := v.Add(v, big.NewRat(299, 1)).Float64()
		values = append(values, f)
	}
	return values
}
