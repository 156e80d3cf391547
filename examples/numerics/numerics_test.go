// Package numerics_test runs the studies of this folder on a real server, as starter does.
package numerics_test

import (
	"math"
	"testing"

	"rlam/internal/record"
	"rlam/test/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// run carries out a study, which must complete, and reads its result.
func run[T any](t *testing.T, study string) T {
	t.Helper()
	t.Parallel()
	l := lab.New(t)
	result, _ := l.Study(study, nil)
	if result.Status != record.Completed {
		t.Fatalf("%s ended as %s: %s", study, result.Status, result.Reason.Preview)
	}
	var got T
	if err := record.OpenContent(t.Context(), l.Host.Store, result.Result.Digest, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestCalibrationMeetsTheCertifiedValues(t *testing.T) {
	got := run[struct {
		Parameters map[string]struct {
			Estimate  float64 `json:"estimate"`
			Deviation float64 `json:"standard_deviation"`
		} `json:"parameters"`
		RSquared float64 `json:"r_squared"`
		Plot     string  `json:"plot"`
	}](t, "calibration.yaml")
	near(t, "intercept", got.Parameters["b0"].Estimate, -0.262323073774029, 1e-12)
	near(t, "slope", got.Parameters["b1"].Estimate, 1.00211681802045, 1e-14)
	near(t, "deviation of the slope", got.Parameters["b1"].Deviation, 0.429796848199937e-03, 1e-12)
	near(t, "R²", got.RSquared, 0.999993745883712, 1e-14)
	if got.Plot == "" {
		t.Error("there is no plot")
	}
}

func TestLorenzTrajectoriesPart(t *testing.T) {
	got := run[struct {
		Early []map[string]float64 `json:"early"`
		Late  []map[string]float64 `json:"late"`
	}](t, "lorenz.yaml")
	near(t, "x at 5", got.Early[0]["x"], got.Early[1]["x"], 1e-5)
	if apart := math.Abs(got.Late[0]["x"] - got.Late[1]["x"]); apart < 0.1 {
		t.Errorf("at 40 they are %v apart", apart)
	}
}

func TestPi(t *testing.T) {
	type integral struct {
		Value float64 `json:"value"`
		Error float64 `json:"standard_error"`
	}
	got := run[map[string]integral](t, "pi.yaml")
	for name, i := range got {
		if math.Abs(i.Value-math.Pi) > 4*i.Error || i.Error > 0.001 {
			t.Errorf("%s: %v ± %v", name, i.Value, i.Error)
		}
	}
	if got["antithetic"].Error > 0.6*got["plain"].Error {
		t.Errorf("antithetic samples don't help: %v", got)
	}
}

func TestLaw(t *testing.T) {
	got := run[struct {
		Correlation float64    `json:"correlation"`
		Interval    [2]float64 `json:"interval"`
	}](t, "law.yaml")
	near(t, "the correlation", got.Correlation, 0.7764, 1e-4)
	near(t, "the lower end", got.Interval[0], 0.31, 0.15)
	near(t, "the upper end", got.Interval[1], 0.93, 0.02)
}

func TestCars(t *testing.T) {
	type metrics struct {
		Accuracy  float64 `json:"accuracy"`
		Confusion [][]int `json:"confusion"`
	}
	got := run[map[string]metrics](t, "cars.yaml")
	for _, kind := range []string{"logistic", "neighbours", "tree"} {
		m := got[kind]
		if m.Accuracy < 0.7 || len(m.Confusion) != 2 {
			t.Errorf("%s: %+v", kind, m)
		}
	}
}
