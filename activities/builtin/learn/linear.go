package learn

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"rlam/activities/builtin/qr"
)

// maxCondition is the largest condition number of scaled features that count as independent.
const maxCondition = 1e12

// trainLinear minimises Σ (y − w₀ − w·x)² + penalty·|w|², by QR of the features
// with rows √penalty·I below (Hoerl and Kennard, Technometrics 12, 1970, 55–67).
func (m *Model) trainLinear(rows []Row, penalty float64) error {
	n, k := len(rows), len(m.Features)
	mean := 0.0
	for _, r := range rows {
		mean += r.Target[0] / float64(n)
	}
	right := make([]float64, n+k)
	system := mat.NewDense(n+k, k, nil)
	for i, r := range rows {
		right[i] = r.Target[0] - mean
		system.SetRow(i, r.Features)
	}
	for j := range k {
		system.Set(n+j, j, math.Sqrt(penalty))
	}
	factors := qr.Factorise(system)
	if !(factors.Condition() <= maxCondition) {
		return ErrSingular
	}
	factors.Rotate(right)
	weights := right[:k]
	factors.Solve(weights)
	m.Weights = [][]float64{append([]float64{mean}, weights...)} // the features are centred
	return nil
}

// affine is a constant and a weighted sum.
func affine(weights, x []float64) float64 { return weights[0] + floats.Dot(weights[1:], x) }

// softmax are the classes' probabilities; the first class has the logit 0.
func softmax(weights [][]float64, x []float64) []float64 {
	p := make([]float64, 1+len(weights))
	for c, w := range weights {
		p[1+c] = affine(w, x)
	}
	floats.AddConst(-floats.LogSumExp(p), p)
	for c := range p {
		p[c] = math.Exp(p[c])
	}
	return p
}

// trainLogistic minimises the negative log-likelihood plus penalty/2·|w|², the
// constants apart, which is convex, by Newton's method with halved steps (McCullagh
// and Nelder, Generalized Linear Models, 2nd edition 1989, section 5.2).
func (m *Model) trainLogistic(rows []Row, penalty float64) error {
	const iterations = 100
	classes, k := len(m.Classes), len(m.Features)+1
	m.Weights = make([][]float64, classes-1)
	for c := range m.Weights {
		m.Weights[c] = make([]float64, k)
	}
	loss := m.loss(rows, penalty)
	for range iterations {
		gradient, hessian := m.derivatives(rows, penalty)
		var cholesky mat.Cholesky
		if !cholesky.Factorize(hessian) || cholesky.Cond() > maxCondition*maxCondition {
			return m.undetermined(rows)
		}
		step := mat.NewVecDense(len(gradient), nil)
		if err := cholesky.SolveVecTo(step, mat.NewVecDense(len(gradient), gradient)); err != nil && math.IsInf(cholesky.Cond(), 1) {
			return m.undetermined(rows)
		}
		decrement := floats.Dot(gradient, step.RawVector().Data)
		if decrement <= 1e-14*(1+loss) {
			if m.separates(rows) && penalty == 0 {
				return ErrNotConverged
			}
			m.move(rows, penalty, step.RawVector().Data, math.Inf(1)) // the digits double once more
			return nil
		}
		loss = m.move(rows, penalty, step.RawVector().Data, loss)
	}
	return ErrNotConverged
}

// move goes along the step, or a part of it that lowers the loss, which it returns.
func (m *Model) move(rows []Row, penalty float64, step []float64, loss float64) float64 {
	k := len(m.Features) + 1
	for share := 1.0; ; share /= 2 {
		for c := range m.Weights {
			floats.AddScaled(m.Weights[c], -share, step[c*k:(c+1)*k])
		}
		if next := m.loss(rows, penalty); next <= loss || share < 1e-10 {
			return next
		}
		for c := range m.Weights {
			floats.AddScaled(m.Weights[c], share, step[c*k:(c+1)*k])
		}
	}
}

func (m *Model) loss(rows []Row, penalty float64) float64 {
	sum := 0.0
	for _, r := range rows {
		sum -= math.Log(max(floats.Dot(r.Target, softmax(m.Weights, r.Features)), math.SmallestNonzeroFloat64))
	}
	for _, w := range m.Weights {
		sum += penalty / 2 * floats.Dot(w[1:], w[1:])
	}
	return sum
}

func (m *Model) derivatives(rows []Row, penalty float64) ([]float64, *mat.SymDense) {
	k := len(m.Features) + 1
	gradient := make([]float64, k*len(m.Weights))
	hessian := mat.NewSymDense(len(gradient), nil)
	for _, r := range rows {
		p := softmax(m.Weights, r.Features)
		x := append([]float64{1}, r.Features...)
		for c := range m.Weights {
			floats.AddScaled(gradient[c*k:(c+1)*k], p[1+c]-r.Target[1+c], x)
			for d := c; d < len(m.Weights); d++ {
				factor := -p[1+c] * p[1+d]
				if c == d {
					factor += p[1+c]
				}
				for i := range k {
					for j := range k {
						if a, b := c*k+i, d*k+j; a <= b {
							hessian.SetSym(a, b, hessian.At(a, b)+factor*x[i]*x[j])
						}
					}
				}
			}
		}
	}
	for c, w := range m.Weights {
		for j := 1; j < k; j++ {
			gradient[c*k+j] += penalty * w[j]
			hessian.SetSym(c*k+j, c*k+j, hessian.At(c*k+j, c*k+j)+penalty)
		}
	}
	return gradient, hessian
}

// separates says whether every training row is all but certain to be of its class.
func (m *Model) separates(rows []Row) bool {
	for _, r := range rows {
		if floats.Dot(r.Target, softmax(m.Weights, r.Features)) < 1-1e-4 {
			return false
		}
	}
	return true
}

// undetermined says why the weights are not: separation flattens the likelihood as well.
func (m *Model) undetermined(rows []Row) error {
	if m.separates(rows) {
		return ErrNotConverged
	}
	return ErrSingular
}
