package leastsquares

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

const (
	epsilon = 0x1p-52

	// maxCondition is the largest condition number, columns scaled to length
	// one, with which a step or a standard deviation keeps about four digits.
	maxCondition = 1e12
)

// linear is the model linearised at a point, by the parameters that are free there.
type linear struct {
	free      []int      // indices of the parameters
	lengths   []float64  // of the Jacobian's columns
	scaled    *mat.Dense // the Jacobian, its columns divided by their lengths
	r         *mat.Dense // upper triangle of scaled = QR, as a square
	rotated   []float64  // Qᵀ·residuals: the first len(free) lie in the tangent plane, the others are orthogonal to it
	condition float64    // of scaled
	offset    float64    // relative offset of the residuals
	rounding  bool       // what lies in the tangent plane is nothing but rounding
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

// factorise makes r, rotated and condition. It calls LAPACK itself because
// mat.QR gives Qᵀ times a vector only by way of an n×n matrix.
func (l *linear) factorise(residuals []float64) {
	n, k := l.scaled.Dims()
	a := mat.DenseCopyOf(l.scaled).RawMatrix()
	tau := make([]float64, k)
	l.rotated = append([]float64(nil), residuals...)
	right := blas64.General{Rows: n, Cols: 1, Stride: 1, Data: l.rotated}

	size := []float64{0}
	lapack64.Geqrf(a, tau, size, -1)
	work := make([]float64, int(size[0]))
	lapack64.Geqrf(a, tau, work, len(work))
	lapack64.Ormqr(blas.Left, blas.Trans, a, tau, right, size, -1)
	work = make([]float64, int(size[0]))
	lapack64.Ormqr(blas.Left, blas.Trans, a, tau, right, work, len(work))

	l.r = mat.NewDense(k, k, nil)
	for i := range k {
		copy(l.r.RawRowView(i)[i:], a.Data[i*a.Stride+i:i*a.Stride+k])
	}
	triangle := blas64.Triangular{Uplo: blas.Upper, Diag: blas.NonUnit, N: k, Stride: k, Data: l.r.RawMatrix().Data}
	l.condition = 1 / lapack64.Trcon(lapack.MaxColumnSum, triangle, make([]float64, 3*k), make([]int, k))
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
	system.Slice(0, k, 0, k).(*mat.Dense).Copy(l.r)
	right := mat.NewVecDense(rows, nil)
	for c := range k {
		right.SetVec(c, l.rotated[c])
		if diagonal != nil {
			system.Set(k+c, c, math.Sqrt(damping)*diagonal[c])
		}
	}
	var qr mat.QR
	qr.Factorize(system)
	var solution mat.VecDense
	step := make([]float64, k)
	// A mat.Condition is a warning: the condition was judged by the caller, or is what the damping is for.
	if err := qr.SolveVecTo(&solution, false, right); err != nil && math.IsInf(qr.Cond(), 1) {
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
	var svd mat.SVD
	if svd.Factorize(l.r, mat.SVDThin) {
		var v mat.Dense
		svd.VTo(&v)
		var entangled []string
		for c, k := range l.free {
			if math.Abs(v.At(c, len(l.free)-1)) > 0.1 {
				entangled = append(entangled, s.Names[k])
			}
		}
		message += fmt.Sprintf("; the data can't tell %s apart here", strings.Join(entangled, ", "))
	}
	return s.fail(p, SingularGradient, "%s", message)
}
