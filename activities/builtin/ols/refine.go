package ols

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"rlam/activities/builtin/qr"
)

// system is a problem whose rows are multiplied by the roots of their weights
// and whose columns by powers of two, so that they are about one long and no
// digit is lost.
type system struct {
	terms    *mat.Dense
	observed []float64
	roots    []float64 // of the weights
	scales   []float64 // a column's length, rounded to a power of two
	factors  *qr.Factors
}

func (p Problem) scaled() *system {
	n, k := len(p.Observed), len(p.Names)
	s := &system{terms: mat.NewDense(n, k, nil), observed: make([]float64, n), roots: make([]float64, n), scales: make([]float64, k)}
	for i, row := range p.Terms {
		s.roots[i] = math.Sqrt(p.weight(i))
		s.observed[i] = p.Observed[i] * s.roots[i]
		for j, v := range row {
			s.terms.Set(i, j, v*s.roots[i])
		}
	}
	for j := range k {
		column := mat.Col(nil, j, s.terms)
		_, exponent := math.Frexp(floats.Norm(column, 2))
		s.scales[j] = math.Ldexp(1, exponent)
		for i, v := range column {
			s.terms.Set(i, j, v/s.scales[j])
		}
	}
	return s
}

// refined is the solution x and its residuals r. They solve r + Ax = y, Aᵀr = 0;
// what a pair misses of these, computed in twice the precision, gives the
// correction of the next one, until corrections no longer shrink.
func (s *system) refined() (x, r []float64) {
	const rounds = 20
	n, k := s.terms.Dims()
	x, r = make([]float64, k), make([]float64, n)
	last := math.Inf(1)
	for range rounds {
		dx, dr := s.correct(s.missed(x, r))
		size := floats.Norm(dx, 2)
		if !(size < last/2) {
			break
		}
		floats.Add(x, dx)
		floats.Add(r, dr)
		last = size
		if size <= 0x1p-54*floats.Norm(x, 2) {
			break
		}
	}
	return x, r
}

// missed is f = y − r − Ax and g = −Aᵀr.
func (s *system) missed(x, r []float64) (f, g []float64) {
	n, k := s.terms.Dims()
	f, g = make([]float64, n), make([]float64, k)
	columns := make([]double, k)
	for i := range n {
		sum := double{high: s.observed[i]}
		sum.add(-r[i])
		for j, a := range s.terms.RawRowView(i) {
			sum.addProduct(-a, x[j])
			columns[j].addProduct(-a, r[i])
		}
		f[i] = sum.value()
	}
	for j := range k {
		g[j] = columns[j].value()
	}
	return f, g
}

// correct solves dr + A dx = f, Aᵀ dr = g.
func (s *system) correct(f, g []float64) (dx, dr []float64) {
	k := len(g)
	dr = slices.Clone(f)
	s.factors.Rotate(dr)
	dx = slices.Clone(dr[:k])
	s.factors.SolveTransposed(g)
	floats.Sub(dx, g)
	s.factors.Solve(dx)
	copy(dr, g)
	s.factors.RotateBack(dr)
	return dx, dr
}

// double is a sum of two doubles of which the low one holds the rounding of the
// high one (Dekker, Numerische Mathematik 18, 1971, 224–242).
type double struct{ high, low float64 }

func (d *double) add(v float64) {
	sum := d.high + v
	part := sum - d.high
	d.low += (d.high - (sum - part)) + (v - part)
	d.high = sum
}

func (d *double) addProduct(a, b float64) {
	product := a * b
	d.add(product)
	d.low += math.FMA(a, b, -product)
}

func (d *double) value() float64 { return d.high + d.low }
