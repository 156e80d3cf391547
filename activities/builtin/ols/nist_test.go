package ols_test

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"

	"rlam/activities/builtin/ols"
)

// reference is one of the Statistical Reference Datasets for linear regression of
// NIST (Information Technology Laboratory, StRD, public domain). The solution is
// computed from the data in rational arithmetic; that it meets the certified
// values shows that the data are typed without a wrong digit.
type reference struct {
	name       string
	file       string
	response   string
	degree     int // of the polynomial in x; 0: linear in the columns
	estimates  []float64
	deviations []float64
	deviation  float64 // residual standard deviation
	rSquared   float64
	digits     float64 // at least, of an estimate, where the terms are computed as doubles
}

var ones = []float64{1, 1, 1, 1, 1, 1}

var references = []reference{
	{
		name: "Norris", file: "norris.csv", response: "y", degree: 1,
		estimates:  []float64{-0.262323073774029, 1.00211681802045},
		deviations: []float64{0.232818234301152, 0.429796848199937e-03},
		deviation:  0.884796396144373, rSquared: 0.999993745883712, digits: 13,
	},
	{
		name: "Pontius", file: "pontius.csv", response: "y", degree: 2,
		estimates:  []float64{0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14},
		deviations: []float64{0.107938612033077e-03, 0.157817399981659e-09, 0.486652849992036e-16},
		deviation:  0.205177424076185e-03, rSquared: 0.999999900178537, digits: 12,
	},
	{
		name: "Longley", file: "longley.csv", response: "y",
		estimates:  []float64{-3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683, -1.03322686717359, -0.511041056535807e-01, 1829.15146461355},
		deviations: []float64{890420.383607373, 84.9149257747669, 0.334910077722432e-01, 0.488399681651699, 0.214274163161675, 0.226073200069370, 455.478499142212},
		deviation:  304.854073561965, rSquared: 0.995479004577296, digits: 10,
	},
	{
		name: "Filip", file: "filip.csv", response: "y", degree: 10,
		estimates:  []float64{-1467.48961422980, -2772.17959193342, -2316.37108160893, -1127.97394098372, -354.478233703349, -75.1242017393757, -10.8753180355343, -1.06221498588947, -0.670191154593408e-01, -0.246781078275479e-02, -0.402962525080404e-04},
		deviations: []float64{298.084530995537, 559.779865474950, 466.477572127796, 227.204274477751, 71.6478660875927, 15.2897178747400, 2.23691159816033, 0.221624321934227, 0.142363763154724e-01, 0.535617408889821e-03, 0.896632837373868e-05},
		deviation:  0.334801051324544e-02, rSquared: 0.996727416185620, digits: 7,
	},
	{name: "Wampler1", file: "wampler.csv", response: "y1", degree: 5, estimates: ones, rSquared: 1, digits: 15},
	{name: "Wampler2", file: "wampler.csv", response: "y2", degree: 5, estimates: []float64{1, 0.1, 0.01, 0.001, 0.0001, 0.00001}, rSquared: 1, digits: 11},
	{
		name: "Wampler3", file: "wampler.csv", response: "y3", degree: 5, estimates: ones,
		deviations: []float64{2152.32624678170, 2363.55173469681, 779.343524331583, 101.475507550350, 5.64566512170752, 0.112324854679312},
		deviation:  2360.14502379268, rSquared: 0.999995559025820, digits: 13,
	},
	{
		name: "Wampler4", file: "wampler.csv", response: "y4", degree: 5, estimates: ones,
		deviations: []float64{215232.624678170, 236355.173469681, 77934.3524331583, 10147.5507550350, 564.566512170752, 11.2324854679312},
		deviation:  236014.502379268, rSquared: 0.957478440825662, digits: 12,
	},
	{
		name: "Wampler5", file: "wampler.csv", response: "y5", degree: 5, estimates: ones,
		deviations: []float64{21523262.4678170, 23635517.3469681, 7793435.24331583, 1014755.07550350, 56456.6512170752, 1123.24854679312},
		deviation:  23601450.2379268, rSquared: 0.224668921574940e-02, digits: 10,
	},
}

// data are the reference's terms and response as they are written.
func (r reference) data(t *testing.T) (terms [][]*big.Rat, observed []*big.Rat) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + r.file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		values := []*big.Rat{big.NewRat(1, 1)}
		var x *big.Rat
		for c, cell := range row {
			v, ok := new(big.Rat).SetString(cell)
			if !ok {
				t.Fatalf("%s: %q is not a number", r.file, cell)
			}
			switch name := rows[0][c]; {
			case name == r.response:
				observed = append(observed, v)
			case name == "x":
				x = v
			case strings.HasPrefix(name, "x"):
				values = append(values, v)
			}
		}
		for range r.degree {
			values = append(values, new(big.Rat).Mul(values[len(values)-1], x))
		}
		terms = append(terms, values)
	}
	return terms, observed
}

func product(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }

func nearest(v *big.Rat) float64 {
	f, _ := v.Float64()
	return f
}

// exact solves the normal equations without rounding: the estimates, and the
// diagonal of (AᵀA)⁻¹ times the residual variance.
func exact(terms [][]*big.Rat, observed []*big.Rat) (estimates, variances []*big.Rat, rss *big.Rat) {
	n, k := len(terms), len(terms[0])
	m := make([][]*big.Rat, k) // AᵀA, Aᵀy, and the identity
	for i := range m {
		m[i] = make([]*big.Rat, 2*k+1)
		for j := range m[i] {
			m[i][j] = new(big.Rat)
		}
		for row := range n {
			for j := range k {
				m[i][j].Add(m[i][j], product(terms[row][i], terms[row][j]))
			}
			m[i][k].Add(m[i][k], product(terms[row][i], observed[row]))
		}
		m[i][k+1+i].SetInt64(1)
	}
	for i := range k { // positive definite: no pivot is zero
		inverse := new(big.Rat).Inv(m[i][i])
		for j := range m[i] {
			m[i][j] = product(m[i][j], inverse)
		}
		for other := range k {
			if other == i {
				continue
			}
			factor := new(big.Rat).Set(m[other][i])
			for j := range m[i] {
				m[other][j].Sub(m[other][j], product(factor, m[i][j]))
			}
		}
	}
	rss = new(big.Rat)
	for row := range n {
		e := new(big.Rat).Set(observed[row])
		for j := range k {
			e.Sub(e, product(terms[row][j], m[j][k]))
		}
		rss.Add(rss, product(e, e))
	}
	variance := product(rss, big.NewRat(1, int64(n-k)))
	for j := range k {
		estimates = append(estimates, m[j][k])
		variances = append(variances, product(variance, m[j][k+1+j]))
	}
	return estimates, variances, rss
}

// digits is the number of significant digits in which got agrees with want (McCullough's LRE).
func digits(got, want float64) float64 {
	switch {
	case got == want:
		return 16
	case want == 0:
		return -math.Log10(math.Abs(got))
	}
	return -math.Log10(math.Abs(got-want) / math.Abs(want))
}

func TestNIST(t *testing.T) {
	t.Parallel()
	for _, r := range references {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			terms, observed := r.data(t)
			estimates, variances, _ := exact(terms, observed)
			problem := ols.Problem{Constant: true}
			for j, want := range r.estimates {
				problem.Names = append(problem.Names, fmt.Sprintf("b%d", j))
				if got := digits(nearest(estimates[j]), want); got < 14 {
					t.Errorf("the data are not NIST's: b%d is %v exactly, certified %v", j, nearest(estimates[j]), want)
				}
				if r.deviations != nil {
					if got := digits(math.Sqrt(nearest(variances[j])), r.deviations[j]); got < 13 {
						t.Errorf("the data are not NIST's: the deviation of b%d is %v exactly, certified %v", j, math.Sqrt(nearest(variances[j])), r.deviations[j])
					}
				}
			}
			for i, row := range terms {
				values := make([]float64, len(row))
				for j, v := range row {
					values[j] = nearest(v)
				}
				problem.Terms = append(problem.Terms, values)
				problem.Observed = append(problem.Observed, nearest(observed[i]))
			}
			fit, err := ols.Solve(problem)
			if err != nil {
				t.Fatal(err)
			}
			fewest := 16.0
			for j := range r.estimates {
				fewest = min(fewest, digits(fit.Estimates[j], nearest(estimates[j])))
				if r.deviations != nil && digits(fit.Deviations[j], r.deviations[j]) < 7 {
					t.Errorf("the deviation of b%d is %v; certified %v", j, fit.Deviations[j], r.deviations[j])
				}
			}
			t.Logf("%.1f digits of the estimates, condition %.1e", fewest, fit.Condition)
			if fewest < r.digits {
				t.Errorf("%.1f digits of the estimates, want %v", fewest, r.digits)
			}
			if digits(fit.Deviation, r.deviation) < min(r.digits, 9) {
				t.Errorf("residual standard deviation %v; certified %v", fit.Deviation, r.deviation)
			}
			if digits(fit.RSquared, r.rSquared) < min(r.digits, 9) {
				t.Errorf("R² %v; certified %v", fit.RSquared, r.rSquared)
			}
		})
	}
}
