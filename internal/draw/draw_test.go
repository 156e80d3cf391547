package draw_test

import (
	"fmt"
	"math"
	"testing"

	"rlam/internal/draw"
)

// The stream is part of what a record means: these numbers never change.
func TestGolden(t *testing.T) {
	t.Parallel()
	s := draw.New(42, "test")
	order := []int{0, 1, 2, 3, 4, 5, 6, 7}
	got := fmt.Sprint(s.Uniform(), s.Uniform(), s.Below(1000), s.Below(1000), s.Below(3))
	draw.Shuffle(s, order)
	got += fmt.Sprint(order)
	const want = "0.27377459975955254 0.5700018082816566 79 326 2[5 6 1 4 0 3 7 2]"
	if got != want {
		t.Errorf("the stream is %s; want %s", got, want)
	}
}

func TestStreamsOfOtherSeedsAndPurposesDiffer(t *testing.T) {
	t.Parallel()
	first := draw.New(1, "a").Uniform()
	if first != draw.New(1, "a").Uniform() {
		t.Error("one seed gave two streams")
	}
	if first == draw.New(2, "a").Uniform() || first == draw.New(1, "b").Uniform() {
		t.Error("another seed or purpose gave the same number")
	}
}

func TestDistributions(t *testing.T) {
	t.Parallel()
	const n = 200_000
	s := draw.New(7, "test")
	var sum, square float64
	var counts [5]int
	for range n {
		u := s.Uniform()
		if !(u > 0 && u < 1) || 1-(1-u) != u || draw.Normal(1-u) != -draw.Normal(u) && math.Abs(draw.Normal(1-u)+draw.Normal(u)) > 1e-9 {
			t.Fatalf("%v", u)
		}
		z := draw.Normal(u)
		sum, square = sum+z, square+z*z
		counts[s.Below(len(counts))]++
	}
	// Five standard errors: a correct stream fails once in a million seeds, and this seed is fixed.
	if mean := sum / n; math.Abs(mean) > 5/math.Sqrt(n) {
		t.Errorf("the mean of normal numbers is %v", mean)
	}
	if variance := square / n; math.Abs(variance-1) > 5*math.Sqrt(2.0/n) {
		t.Errorf("the variance of normal numbers is %v", variance)
	}
	for i, count := range counts {
		if math.Abs(float64(count)-n/5) > 5*math.Sqrt(n*0.2*0.8) {
			t.Errorf("%d came %d times", i, count)
		}
	}
}
