package leastsquares

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"rlam/activities/builtin/qr"
)

const (
	epsilon = 0x1p-52

	// maxCondition is the largest condition number, columns scaled to length
	// one, with which a step or a standard deviation keeps about four digits.
	maxCondition = 1e12
)

// linear is the model linearised at a point, by the parameters that are free there.
type linear struct {
	free      []int       // indices of the parameters
	lengths   []float64   // of the Jacobian's columns
	scaled    *mat.Dense  // the Jacobian, its columns divided by their lengths
	factors   *qr.Factors // of scaled
	rotated   []float64   // Qᵀ·residuals: the first len(free) lie in the tangent plane, the others are orthogonal to it
	condition float64     // of scaled
	offset    float64     // relative offset of the residuals
	rounding  bool        // what lies in the tangent plane is nothing but rounding
}

// free are the parameters that may move: all but those at a bound that RSS pushes against.
func (s *search) free(p *point) []int {
	var gradient []float64
	free := make([]int, 0, len(p.b))
	for j, v := range p.b {
		low, high := s.Lower != nil && v <= s.Lower[j], s.Upper != nil && v >= s.Upper[j]
		if low || high {
			if gradient == nil {
				gradient = s.gradient(p)
			}
			if low && gradient[j] > 0 || high && gradient[j] < 0 {
				continue
			}
		}
		free = append(free, j)
	}
	return free
}

// jacobian is ∂f_i/∂b_j at p for the given parameters.
func (s *search) jacobian(p *point, columns []int) *mat.Dense {
	s.evaluations++
	n := len(s.Observed)
	j := mat.NewDense(n, len(columns), nil)
	s.load(p.b)
	for c, k := range columns {
		s.values[k].Emag = 1
		for i := range n {
			j.Set(i, c, s.Model(i, s.values).Emag)
		}
		s.values[k].Emag = 0
	}
	return j
}

// gradient is that of RSS/2 by all parameters.
func (s *search) gradient(p *point) []float64 {
	all := make([]int, len(p.b))
	for j := range all {
		all[j] = j
	}
	g := make([]float64, len(p.b))
	v := mat.NewVecDense(len(g), g)
	v.MulVec(s.jacobian(p, all).T(), mat.NewVecDense(len(p.residuals), p.residuals))
	v.ScaleVec(-1, v)
	return g
}

// linearise solves the linear least squares problem that touches the model at p.
// A Jacobian without full rank is no error here: it has a large condition.
func (s *search) linearise(p *point, free []int) (*linear, error) {
	n, k := len(p.residuals), len(free)
	l := &linear{free: free, lengths: make([]float64, k), condition: 1}
	if k == 0 { // every parameter is held by a bound
		return l, nil
	}
	l.scaled = s.jacobian(p, free)
	for c := range k {
		column := mat.Col(nil, c, l.scaled)
		length := floats.Norm(column, 2)
		if math.IsNaN(length) || math.IsInf(length, 0) {
			return nil, s.undefinedDerivative(p, free[c], column)
		}
		l.lengths[c] = length
		if length > 0 {
			for i := range n {
				l.scaled.Set(i, c, column[i]/length)
			}
		}
	}
	l.factorise(p.residuals)
	tangent, normal := floats.Norm(l.rotated[:k], 2), floats.Norm(l.rotated[k:], 2)
	l.rounding = tangent <= s.noise(p)
	if normal > 0 || !l.rounding { // an exact fit has the offset 0
		l.offset = tangent / normal * math.Sqrt(float64(n-k)/float64(k))
	}
	return l, nil
}

// noise is the length that rounding alone may give to the residuals at p.
func (s *search) noise(p *point) float64 {
	return 4 * epsilon * (floats.Norm(s.Observed, 2) + floats.Norm(p.fitted, 2))
}

// factorise makes factors, rotated and condition.
func (l *linear) factorise(residuals []float64) {
	l.factors = qr.Factorise(l.scaled)
	l.rotated = slices.Clone(residuals)
	l.factors.Rotate(l.rotated)
	l.condition = l.factors.Condition()
}

// singular says whether the parameters are not determined at the point.
func (l *linear) singular() bool { return !(l.condition <= maxCondition) }

// solve is the step of the free parameters that solves the linear problem with
// rows √damping·diagonal added below the scaled Jacobian; without any if diagonal is nil.
func (l *linear) solve(damping float64, diagonal []float64) []float64 {
	k := len(l.free)
	rows := k
	if diagonal != nil {
		rows = 2 * k
	}
	system := mat.NewDense(rows, k, nil)
	system.Slice(0, k, 0, k).(*mat.Dense).Copy(l.factors.R)
	right := mat.NewVecDense(rows, nil)
	for c := range k {
		right.SetVec(c, l.rotated[c])
		if diagonal != nil {
			system.Set(k+c, c, math.Sqrt(damping)*diagonal[c])
		}
	}
	var damped mat.QR
	damped.Factorize(system)
	var solution mat.VecDense
	step := make([]float64, k)
	// A mat.Condition is a warning: the condition was judged by the caller, or is what the damping is for.
	if err := damped.SolveVecTo(&solution, false, right); err != nil && math.IsInf(damped.Cond(), 1) {
		return step
	}
	for c := range k {
		if l.lengths[c] > 0 {
			step[c] = solution.AtVec(c) / l.lengths[c]
		}
	}
	return step
}

func (s *search) undefinedDerivative(p *point, parameter int, column []float64) *Failure {
	f := &Failure{
		Kind: NumericalError, Algorithm: s.Algorithm, Iteration: s.iteration, Evaluations: s.evaluations,
		Parameters: p.b, RSS: p.rss, Offset: math.NaN(),
		Message: fmt.Sprintf("the derivatives by %s overflow", s.Names[parameter]),
	}
	for i, v := range column {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			f.Message = fmt.Sprintf("the derivative by %s is %v at observation %d", s.Names[parameter], v, i+1)
			f.Observation = i + 1
			break
		}
	}
	return f
}

// undetermined describes a Jacobian without full rank at p: which parameters it can't tell apart.
func (s *search) undetermined(p *point, l *linear) *Failure {
	for c, length := range l.lengths {
		if length == 0 {
			return s.fail(p, SingularGradient, "the gradient is singular: the model does not depend on %s here", s.Names[l.free[c]])
		}
	}
	message := fmt.Sprintf("the gradient is singular: condition number %.1e (limit %.0e)", l.condition, float64(maxCondition))
	var entangled []string
	for _, c := range l.factors.Entangled() {
		entangled = append(entangled, s.Names[l.free[c]])
	}
	if len(entangled) > 0 {
		message += fmt.Sprintf("; the data can't tell %s apart here", strings.Join(entangled, ", "))
	}
	return s.fail(p, SingularGradient, "%s", message)
}
