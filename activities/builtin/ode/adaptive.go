package ode

import "math"

// The tableau of Dormand and Prince, RK5(4)7M. The last row of stages is the
// solution of order 5, whose slope is the next step's first.
var (
	nodes  = [7]float64{0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1}
	stages = [7][]float64{
		{},
		{1. / 5},
		{3. / 40, 9. / 40},
		{44. / 45, -56. / 15, 32. / 9},
		{19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
		{9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
		{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
	}
	// difference is the solution of order 5 less that of order 4.
	difference = [7]float64{71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40}
	// extension is the fifth coefficient of the continuous extension.
	extension = [7]float64{
		-12715105075. / 11282082432, 0, 87487479700. / 32700410799, -10690763975. / 1880347072,
		701980252875. / 199316789632, -1453857185. / 822651844, 69997945. / 29380423,
	}
)

// Step control: see section IV.2 of Hairer and Wanner for the exponents.
const (
	safety   = 0.9
	memory   = 0.04 // how much the last step's error counts
	exponent = 0.2 - 0.75*memory
	shrink   = 0.2 // the most that a step is shortened
	grow     = 10.0

	stiffness  = 3.25 // h·|λ| at the boundary of the stability region
	stiffSteps = 15
)

// adaptive integrates by Dormand and Prince's pair.
func (r *integration) adaptive() error {
	k := r.stages(7)
	point, next := make([]float64, len(r.y)), make([]float64, len(r.y))
	h := r.first()
	lastError, rejected, stiff := 1e-4, false, 0
	for r.t != r.To {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if r.Steps+r.Rejected >= r.MaxSteps {
			return r.fail(NotConverged, "%d steps were not enough%s: allow more, loosen the tolerances, or integrate less far", r.MaxSteps, stiffNote(stiff))
		}
		if math.Abs(h) <= 16*math.Abs(r.t)*0x1p-52 || math.Abs(h) < 1e-300 {
			return r.fail(StepTooSmall, "a step within the tolerance would be %.2g long, which is lost in the rounding of t: the solution ends here (a pole, a jump), or the tolerances are too tight", math.Abs(h))
		}
		t := r.t + h
		if r.direction*(t+0.01*h-r.To) > 0 { // no last step of almost nothing
			h, t = r.To-r.t, r.To
		}
		size := r.try(h, t, k, point, next)
		if !(size <= 1) {
			r.Rejected++
			rejected = true
			factor := shrink
			if !math.IsNaN(size) && !math.IsInf(size, 0) {
				factor = max(shrink, safety/math.Pow(size, exponent))
			}
			h *= factor
			continue
		}
		stiff = stiffer(stiff, h, k, point, next)
		r.advance(t, next, k[6], r.continuous(h, k, next))
		factor := min(grow, max(shrink, safety*math.Pow(lastError, memory)/math.Pow(max(size, 1e-10), exponent)))
		if rejected {
			factor = min(factor, 1)
		}
		lastError, rejected = max(size, 1e-4), false
		h *= factor
	}
	return nil
}

// try computes a step's end into next, its slopes into k, and returns the size
// of its error, 1 being what the tolerances allow, in the root mean square.
func (r *integration) try(h, t float64, k [][]float64, point, next []float64) float64 {
	copy(k[0], r.slope)
	for s := 1; s < 6; s++ {
		at := r.t + nodes[s]*h
		if nodes[s] == 1 {
			at = t
		}
		r.stage(at, h, point, k[s], k, stages[s]...)
	}
	r.stage(t, h, next, k[6], k, stages[6]...)
	sum := 0.0
	for i := range next {
		miss := 0.0
		for s, d := range difference {
			miss += d * k[s][i]
		}
		miss *= h / (r.Absolute + r.Relative*max(math.Abs(r.y[i]), math.Abs(next[i])))
		sum += miss * miss
	}
	if notFinite(next) >= 0 || notFinite(k[6]) >= 0 {
		return math.NaN()
	}
	return math.Sqrt(sum / float64(len(next)))
}

// continuous is the extension of order 4 over the step that k belongs to.
func (r *integration) continuous(h float64, k [][]float64, next []float64) func(t float64) []float64 {
	from := r.t
	return func(t float64) []float64 {
		if t == r.Time {
			return next
		}
		s := (t - from) / h
		state := make([]float64, len(next))
		for i := range state {
			change := next[i] - r.y[i]
			begin := h*k[0][i] - change
			end := change - h*k[6][i] - begin
			fifth := 0.0
			for j, d := range extension {
				fifth += d * k[j][i]
			}
			state[i] = r.y[i] + s*(change+(1-s)*(begin+s*(end+(1-s)*h*fifth)))
		}
		return state
	}
}

// first is a first step, from how fast solution and slope change (Hairer, Nørsett
// and Wanner, section II.4).
func (r *integration) first() float64 {
	if r.Step > 0 {
		return r.direction * min(r.Step, math.Abs(r.To-r.From))
	}
	scaled := func(v []float64) float64 {
		sum := 0.0
		for i, y := range r.y {
			s := v[i] / (r.Absolute + r.Relative*math.Abs(y))
			sum += s * s
		}
		return math.Sqrt(sum / float64(len(v)))
	}
	size, speed := scaled(r.y), scaled(r.slope)
	h := 1e-6
	if size > 1e-5 && speed > 1e-5 {
		h = 0.01 * size / speed
	}
	h = min(h, math.Abs(r.To-r.From))
	point, slope := make([]float64, len(r.y)), make([]float64, len(r.y))
	r.stage(r.t+r.direction*h, r.direction*h, point, slope, [][]float64{r.slope}, 1)
	for i := range slope {
		slope[i] -= r.slope[i]
	}
	steepest := max(speed, scaled(slope)/h)
	second := max(1e-6, 1e-3*h)
	if steepest > 1e-15 {
		second = math.Pow(0.01/steepest, 0.2)
	}
	if math.IsNaN(second) || second == 0 {
		second = h
	}
	return r.direction * min(100*h, second, math.Abs(r.To-r.From))
}

// stiffer counts steps that stability and not accuracy bounds: their last two
// stages, both at the step's end, show the largest eigenvalue.
func stiffer(count int, h float64, k [][]float64, point, next []float64) int {
	slopes, points := 0.0, 0.0
	for i := range next {
		slopes += (k[6][i] - k[5][i]) * (k[6][i] - k[5][i])
		points += (next[i] - point[i]) * (next[i] - point[i])
	}
	if points > 0 && math.Abs(h)*math.Sqrt(slopes/points) > stiffness {
		return count + 1
	}
	return max(0, count-1)
}

func stiffNote(count int) string {
	if count < stiffSteps {
		return ""
	}
	return ", and the system is stiff, which this method is not made for"
}
