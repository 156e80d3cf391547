package builtin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gonum.org/v1/gonum/num/dual"

	"rlam/activities/builtin/expression"
	"rlam/activities/builtin/ode"
	"rlam/activities/executor"
)

const (
	defaultPoints = 201       // of a trajectory
	maxTrajectory = 2_000_000 // values of a trajectory
)

type odeParams struct {
	Equations   map[string]string  `json:"equations"`
	Initial     map[string]float64 `json:"initial"`
	Constants   map[string]float64 `json:"constants"`
	Independent string             `json:"independent"` // t if absent
	From        float64            `json:"from"`
	To          float64            `json:"to"`
	Method      ode.Method         `json:"method"`
	Step        float64            `json:"step"`
	Relative    float64            `json:"relative_tolerance"`
	Absolute    float64            `json:"absolute_tolerance"`
	MaxSteps    int                `json:"max_steps"`
	Points      int                `json:"points"` // defaultPoints if absent
	Times       []float64          `json:"times"`  // in place of points
}

// odeOutput is what ode.integrate returns.
type odeOutput struct {
	odeState
	Method   ode.Method `json:"method"`
	Relative float64    `json:"relative_tolerance,omitzero"`
	Absolute float64    `json:"absolute_tolerance,omitzero"`
	Smallest float64    `json:"smallest_step"`
	Largest  float64    `json:"largest_step"`
}

// odeState is where an integration ended, well or not.
type odeState struct {
	Reached    float64            `json:"reached"`
	Final      map[string]float64 `json:"final"`
	Steps      int                `json:"steps"`
	Rejected   int                `json:"rejected"`
	Evals      int                `json:"evaluations"`
	Points     int                `json:"points"`
	Trajectory string             `json:"trajectory"`
}

var odeFailureTypes = map[ode.Kind]string{
	ode.NotConverged:   NotConverged,
	ode.StepTooSmall:   StepTooSmall,
	ode.NumericalError: NumericalError,
	ode.Unsuitable:     executor.TypeInvalidParams,
}

func integrateODE(ctx context.Context, p odeParams) (odeOutput, error) {
	p.setDefaults()
	problem, err := p.problem()
	if err != nil {
		return odeOutput{}, invalid(err.Error())
	}
	steps := 0
	options := ode.Options{
		Method: p.Method, Step: p.Step, Relative: p.Relative, Absolute: p.Absolute, MaxSteps: p.MaxSteps,
		Progress: func(t float64) {
			if steps++; steps%10_000 == 0 {
				executor.Progress(ctx, fmt.Sprintf("step %d: %s = %.6g", steps, p.Independent, t))
			}
		},
	}
	solution, err := ode.Solve(ctx, problem, options)
	var failed *ode.Failure
	if errors.As(err, &failed) {
		state, err := p.state(ctx, problem.Names, failed.Solution)
		if err != nil {
			return odeOutput{}, err
		}
		return odeOutput{}, executor.Fail(odeFailureTypes[failed.Kind], fmt.Sprintf("%s = %.10g: %s", p.Independent, failed.Solution.Time, failed.Message), state)
	}
	if err != nil {
		return odeOutput{}, err
	}
	state, err := p.state(ctx, problem.Names, solution)
	out := odeOutput{odeState: state, Method: p.Method, Smallest: solution.Smallest, Largest: solution.Largest}
	if p.Method == ode.DormandPrince {
		out.Relative, out.Absolute = p.Relative, p.Absolute
	}
	return out, err
}

// setDefaults fills in what the file of the action documents, so that the output names it.
func (p *odeParams) setDefaults() {
	if p.Independent == "" {
		p.Independent = "t"
	}
	if p.Method == "" {
		p.Method = ode.DormandPrince
	}
	if p.Relative == 0 {
		p.Relative = 1e-6
	}
	if p.Absolute == 0 {
		p.Absolute = 1e-9
	}
	if p.MaxSteps == 0 {
		p.MaxSteps = 100_000
	}
	if p.Points == 0 {
		p.Points = defaultPoints
	}
}

// problem reads the equations.
func (p *odeParams) problem() (ode.Problem, error) {
	names := slices.Sorted(maps.Keys(p.Equations))
	problem := ode.Problem{Names: names, From: p.From, To: p.To, Initial: inOrder(names, p.Initial)}
	if err := p.checkNames(names); err != nil {
		return problem, err
	}
	constantNames := slices.Sorted(maps.Keys(p.Constants))
	order := slices.Concat([]string{p.Independent}, names, constantNames)
	rates := make([]expression.Function, len(names))
	for j, name := range names {
		parsed, err := expression.Parse(p.Equations[name])
		if err == nil {
			rates[j], err = parsed.Bind(order)
		}
		if err != nil {
			return problem, fmt.Errorf("reading the equation of %q: %w", name, err)
		}
	}
	values := slices.Concat(make([]dual.Number, 1+len(names)), constants(inOrder(constantNames, p.Constants)))
	problem.System = func(t float64, y, derivative []float64) {
		values[0].Real = t
		for j, v := range y {
			values[1+j].Real = v
		}
		for j, rate := range rates {
			derivative[j] = rate(values).Real
		}
	}
	var err error
	problem.Times, err = p.wanted(len(names))
	return problem, err
}

// checkNames finds equations without a start, and names that mean two things.
func (p *odeParams) checkNames(names []string) error {
	if len(names) == 0 {
		return errors.New("\"equations\" has no equation")
	}
	for _, name := range names {
		if _, ok := p.Initial[name]; !ok {
			return fmt.Errorf("%q has an equation but no value in \"initial\"", name)
		}
		if _, twice := p.Constants[name]; twice {
			return fmt.Errorf("%q has an equation and is a constant as well: give one another name", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Initial)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%q has an initial value but no equation%s", name, expression.Suggest(name, names))
		}
	}
	_, constant := p.Constants[p.Independent]
	if constant || slices.Contains(names, p.Independent) {
		return fmt.Errorf("%q is the independent variable, and has an equation or a value: give one another name", p.Independent)
	}
	return nil
}

// wanted are the times of the trajectory.
func (p *odeParams) wanted(components int) ([]float64, error) {
	times := p.Times
	if len(times) == 0 {
		for i := range p.Points {
			share := float64(i) / float64(max(1, p.Points-1))
			times = append(times, p.From*(1-share)+p.To*share)
		}
		times[0], times[len(times)-1] = p.From, p.To
		if p.Points == 1 {
			times[0] = p.To
		}
	}
	if len(times)*(components+1) > maxTrajectory {
		return nil, fmt.Errorf("%d times of %d components are too many: %d is the most for the values of a trajectory", len(times), components, maxTrajectory)
	}
	forward := p.To >= p.From
	for i, t := range times {
		if t < min(p.From, p.To) || t > max(p.From, p.To) {
			return nil, fmt.Errorf("time %d is %v, which is not between %v and %v", i+1, t, p.From, p.To)
		}
		if i > 0 && t != times[i-1] && (t > times[i-1]) != forward || i > 0 && t == times[i-1] && p.From != p.To {
			return nil, fmt.Errorf("time %d is %v, after %v: times are wanted in the order of integration", i+1, t, times[i-1])
		}
	}
	return times, nil
}

// state keeps the trajectory, and says where it ends.
func (p *odeParams) state(ctx context.Context, names []string, s *ode.Solution) (odeState, error) {
	rows := make([][]float64, len(s.Times))
	for i, t := range s.Times {
		rows[i] = append([]float64{t}, s.States[i]...)
	}
	handle, err := executor.Save(ctx, "trajectory.csv", "text/csv", csvOf(append([]string{p.Independent}, names...), rows))
	out := odeState{
		Reached: s.Time, Final: make(map[string]float64, len(names)), Steps: s.Steps, Rejected: s.Rejected,
		Evals: s.Evaluations, Points: len(rows), Trajectory: handle,
	}
	for j, name := range names {
		out.Final[name] = s.Final[j]
	}
	return out, err
}
