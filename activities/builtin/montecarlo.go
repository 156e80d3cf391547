package builtin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/num/dual"

	"rlam/activities/builtin/expression"
	"rlam/activities/executor"
	"rlam/internal/draw"
)

type monteCarloParams struct {
	Expression string              `json:"expression"`
	Variables  map[string]variable `json:"variables"`
	Samples    int                 `json:"samples"`
	Antithetic bool                `json:"antithetic"`
	Seed       *uint64             `json:"seed"` // the call's own if absent
}

// variable is a random variable's distribution.
type variable struct {
	Distribution string  `json:"distribution"` // uniform or normal
	Low          float64 `json:"low"`
	High         float64 `json:"high"`
	Mean         float64 `json:"mean"`
	SD           float64 `json:"sd"`
}

type monteCarloOutput struct {
	estimated95
	Integral *integral `json:"integral,omitzero"` // of uniform variables only
	Samples  int       `json:"samples"`
	Seed     string    `json:"seed"`
}

// estimated95 is a mean with its error and 95 % interval, by the central limit theorem.
type estimated95 struct {
	Mean     float64    `json:"mean"`
	Error    float64    `json:"standard_error"`
	Interval [2]float64 `json:"interval"`
}

type integral struct {
	Value    float64    `json:"value"`
	Error    float64    `json:"standard_error"`
	Interval [2]float64 `json:"interval"`
	Volume   float64    `json:"volume"`
}

func integrateMonteCarlo(ctx context.Context, p monteCarloParams) (monteCarloOutput, error) {
	names := slices.Sorted(maps.Keys(p.Variables))
	value, volume, err := p.prepare(names)
	if err != nil {
		return monteCarloOutput{}, invalid(err.Error())
	}
	seed, err := seedOf(ctx, p.Seed)
	if err != nil {
		return monteCarloOutput{}, err
	}
	e, err := p.estimate(ctx, names, value, draw.New(seed, "montecarlo.integrate"))
	if err != nil {
		return monteCarloOutput{}, err
	}
	out := monteCarloOutput{estimated95: e, Samples: p.Samples, Seed: strconv.FormatUint(seed, 10)}
	if volume > 0 {
		out.Integral = &integral{
			Value: e.Mean * volume, Error: e.Error * volume, Volume: volume,
			Interval: [2]float64{e.Interval[0] * volume, e.Interval[1] * volume},
		}
	}
	return out, nil
}

// seedOf is the seed that was given, else that of the call.
func seedOf(ctx context.Context, given *uint64) (uint64, error) {
	if given != nil {
		return *given, nil
	}
	seed, ok := executor.Seed(ctx)
	if !ok {
		return 0, invalid("the call has no seed: give \"seed\"")
	}
	return seed, nil
}

// prepare reads the expression, and gives the volume of the box that uniform
// variables span, 0 if a variable is not uniform.
func (p monteCarloParams) prepare(names []string) (expression.Function, float64, error) {
	if p.Antithetic && p.Samples%2 == 1 {
		return nil, 0, fmt.Errorf("%d samples: antithetic ones come in pairs", p.Samples)
	}
	if p.Samples < 4 {
		return nil, 0, fmt.Errorf("%d samples are too few for an error", p.Samples)
	}
	parsed, err := expression.Parse(p.Expression)
	if err != nil {
		return nil, 0, err
	}
	value, err := parsed.Bind(names)
	if err != nil {
		return nil, 0, err
	}
	volume := 1.0
	for _, name := range names {
		v := p.Variables[name]
		switch v.Distribution {
		case "uniform":
			if !(v.Low < v.High) || math.IsInf(v.High-v.Low, 0) {
				return nil, 0, fmt.Errorf("variable %q: low %v is not below high %v", name, v.Low, v.High)
			}
			volume *= v.High - v.Low
		case "normal":
			if v.SD <= 0 {
				return nil, 0, fmt.Errorf("variable %q: sd %v is not positive", name, v.SD)
			}
			volume = 0
		default:
			return nil, 0, fmt.Errorf("variable %q: unknown distribution %q: want uniform or normal", name, v.Distribution)
		}
	}
	if len(names) == 0 {
		return nil, 0, errors.New("\"variables\" names no variable")
	}
	return value, volume, nil
}

// at is the value of the variable whose cumulative probability is u.
func (v variable) at(u float64) float64 {
	if v.Distribution == "normal" {
		return v.Mean + v.SD*draw.Normal(u)
	}
	return v.Low + (v.High-v.Low)*u
}

// estimate draws each sample's variables in the order of their names. The mean of
// an antithetic pair counts as one value (Hammersley and Morton 1956). Mean and
// spread are updated value by value (Welford, Technometrics 4, 1962, 419–420).
func (p monteCarloParams) estimate(ctx context.Context, names []string, f expression.Function, s *draw.Stream) (estimated95, error) {
	count := p.Samples
	if p.Antithetic {
		count /= 2
	}
	shares, values := make([]float64, len(names)), make([]dual.Number, len(names))
	at := func(mirror bool) (float64, error) {
		for j, u := range shares {
			if mirror {
				u = 1 - u
			}
			values[j].Real = p.Variables[names[j]].at(u)
		}
		y := f(values).Real
		if math.IsNaN(y) || math.IsInf(y, 0) {
			return 0, executor.Fail(NumericalError, fmt.Sprintf("the expression is %v at %s", y, pointOf(names, values)), nil)
		}
		return y, nil
	}
	mean, squares := 0.0, 0.0
	for i := range count {
		if i%100_000 == 0 {
			if err := ctx.Err(); err != nil {
				return estimated95{}, err
			}
			if i > 0 && i%10_000_000 == 0 {
				executor.Progress(ctx, fmt.Sprintf("%d of %d samples: mean %.6g", i, count, mean))
			}
		}
		for j := range shares {
			shares[j] = s.Uniform()
		}
		y, err := at(false)
		if err == nil && p.Antithetic {
			var mirrored float64
			mirrored, err = at(true)
			y = y/2 + mirrored/2
		}
		if err != nil {
			return estimated95{}, err
		}
		d := y - mean
		mean += d / float64(i+1)
		squares += d * (y - mean)
	}
	deviation := math.Sqrt(squares / float64(count-1) / float64(count))
	if math.IsNaN(deviation) || math.IsInf(deviation, 0) || math.IsInf(mean, 0) {
		return estimated95{}, executor.Fail(NumericalError, "the sum over the samples overflows", nil)
	}
	reach := draw.Normal((1+confidence)/2) * deviation
	return estimated95{mean, deviation, [2]float64{mean - reach, mean + reach}}, nil
}

// pointOf names a point, for messages.
func pointOf(names []string, values []dual.Number) string {
	parts := make([]string, len(names))
	for j, name := range names {
		parts[j] = name + " = " + format(values[j].Real)
	}
	return strings.Join(parts, ", ")
}
