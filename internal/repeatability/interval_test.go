package repeatability_test

import (
	"math"
	"testing"

	"rlam/internal/repeatability"
)

// TestInterval compares with numbers worked out by hand: of 1, 2, 3, 4, 5 the mean is 3,
// the standard deviation √2.5, and Student's t of 4 degrees of freedom at 97.5 % is
// 2.776445 (any table of it).
func TestInterval(t *testing.T) {
	i := repeatability.NewInterval(8, []float64{1, 2, 3, 4, 5})
	sd := math.Sqrt(2.5)
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"mean", i.Mean, 3},
		{"standard deviation", i.SD, sd},
		{"low", i.Low, 3 - 2.776445*sd/math.Sqrt(5)},
		{"high", i.High, 3 + 2.776445*sd/math.Sqrt(5)},
		{"lower", i.Lower, 3 - 2.776445*sd*math.Sqrt(1.2)},
		{"upper", i.Upper, 3 + 2.776445*sd*math.Sqrt(1.2)},
	} {
		if math.Abs(c.got-c.want) > 1e-5 {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
	if i.N != 5 || i.Holds() {
		t.Errorf("%+v holds 8, which lies outside", i)
	}
	if i.Recorded = 7.8; !i.Holds() {
		t.Errorf("%+v doesn't hold 7.8, which lies inside", i)
	}
}
