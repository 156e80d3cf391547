package builtin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"rlam/activities/builtin/leastsquares"
	"rlam/activities/executor"
)

type fitParams struct {
	Data          string                 `json:"data"`
	Response      string                 `json:"response"`
	Model         string                 `json:"model"`
	Start         map[string]float64     `json:"start"`
	Algorithm     leastsquares.Algorithm `json:"algorithm"`
	MaxIterations int                    `json:"max_iterations"`
	Tolerance     float64                `json:"tolerance"`
	Lower         map[string]float64     `json:"lower"`
	Upper         map[string]float64     `json:"upper"`
	Missing       string                 `json:"missing"` // fail (default) or drop
}

// fitOutput is what fit.nonlinear returns. It holds what fit.compare and fit.plot need.
type fitOutput struct {
	Parameters map[string]estimate    `json:"parameters"`
	RSS        float64                `json:"residual_sum_of_squares"`
	Deviation  float64                `json:"residual_standard_deviation"`
	Freedom    int                    `json:"degrees_of_freedom"`
	N          int                    `json:"observations"`
	Dropped    int                    `json:"dropped"`
	Iterations int                    `json:"iterations"`
	Evals      int                    `json:"evaluations"`
	Converged  bool                   `json:"converged"`
	Reason     string                 `json:"reason"`
	Offset     float64                `json:"relative_offset"`
	Condition  float64                `json:"condition"`
	Algorithm  leastsquares.Algorithm `json:"algorithm"`
	Model      string                 `json:"model"`
	Response   string                 `json:"response"`
	Predictors []string               `json:"predictors"`
	Start      map[string]float64     `json:"start"`
	Data       string                 `json:"data"`
	Residuals  string                 `json:"residuals"`
}

type estimate struct {
	Estimate  float64  `json:"estimate"`
	Deviation *float64 `json:"standard_deviation,omitempty"`
	AtBound   bool     `json:"at_bound,omitzero"`
}

// fitState is where a failed fit ended.
type fitState struct {
	Algorithm  leastsquares.Algorithm `json:"algorithm"`
	Iteration  int                    `json:"iteration"`
	Evals      int                    `json:"evaluations"`
	Parameters map[string]float64     `json:"parameters"`
	RSS        *float64               `json:"residual_sum_of_squares,omitempty"`
	Offset     *float64               `json:"relative_offset,omitempty"`
}

var failureTypes = map[leastsquares.Kind]string{
	leastsquares.NotConverged:     NotConverged,
	leastsquares.SingularGradient: SingularGradient,
	leastsquares.NumericalError:   NumericalError,
	leastsquares.Unsuitable:       executor.TypeInvalidParams,
}

func fitNonlinear(ctx context.Context, p fitParams) (fitOutput, error) {
	if p.Algorithm == "" {
		p.Algorithm = leastsquares.LevenbergMarquardt
	}
	if len(p.Start) == 0 {
		return fitOutput{}, invalid("\"start\" names no parameter")
	}
	t, err := openTable(ctx, p.Data)
	if err != nil {
		return fitOutput{}, err
	}
	names := slices.Sorted(maps.Keys(p.Start))
	m, err := newModel(p.Model, p.Response, names, t.names)
	if err != nil {
		return fitOutput{}, invalid(err.Error())
	}
	obs, err := m.observations(t, p.Missing == "drop")
	if err != nil {
		return fitOutput{}, executor.Fail(BadData, err.Error(), nil)
	}
	problem := leastsquares.Problem{Names: names, Observed: obs.response, Model: m.at(obs)}
	if problem.Lower, problem.Upper, err = bounds(names, p.Lower, p.Upper); err != nil {
		return fitOutput{}, invalid(err.Error())
	}
	fit, err := leastsquares.Solve(ctx, problem, inOrder(names, p.Start), leastsquares.Options{
		Algorithm: p.Algorithm, MaxIterations: p.MaxIterations, Tolerance: p.Tolerance,
		Progress: func(iteration int, rss float64) {
			if iteration%100 == 0 {
				executor.Progress(ctx, fmt.Sprintf("iteration %d: residual sum of squares %.6g", iteration, rss))
			}
		},
	})
	var failed *leastsquares.Failure
	if errors.As(err, &failed) {
		return fitOutput{}, obs.failure(names, failed)
	}
	if err != nil {
		return fitOutput{}, err
	}
	residuals, err := executor.Save(ctx, "residuals.csv", "text/csv", m.residuals(obs, fit))
	if err != nil {
		return fitOutput{}, err
	}
	out := fitOutput{
		Parameters: make(map[string]estimate, len(names)), RSS: fit.RSS, Deviation: fit.Deviation, Freedom: fit.Freedom,
		N: len(obs.response), Dropped: obs.dropped, Iterations: fit.Iterations, Evals: fit.Evaluations, Converged: true,
		Reason: fit.Reason, Offset: fit.Offset, Condition: fit.Condition, Algorithm: fit.Algorithm, Model: p.Model,
		Response: p.Response, Predictors: m.predictors, Start: p.Start, Data: p.Data, Residuals: residuals,
	}
	for j, name := range names {
		out.Parameters[name] = estimate{fit.Estimates[j], finite(fit.Deviations[j]), fit.Held[j]}
	}
	return out, nil
}

// failure passes a failed fit on, with the line of the observation if one is to blame.
func (o *observations) failure(names []string, f *leastsquares.Failure) error {
	state := fitState{
		Algorithm: f.Algorithm, Iteration: f.Iteration, Evals: f.Evaluations,
		Parameters: make(map[string]float64, len(names)), RSS: finite(f.RSS), Offset: finite(f.Offset),
	}
	for j, name := range names {
		if v := finite(f.Parameters[j]); v != nil {
			state.Parameters[name] = *v
		}
	}
	message := f.Error()
	if f.Observation > 0 {
		message += fmt.Sprintf(" (line %d of the data)", o.lines[f.Observation-1])
	}
	return executor.Fail(failureTypes[f.Kind], message, state)
}

// residuals is a CSV file of the predictors, the response, what the model gives and the difference.
func (m *model) residuals(o *observations, fit *leastsquares.Fit) []byte {
	rows := make([][]float64, len(o.response))
	for i, y := range o.response {
		rows[i] = append(slices.Clone(o.predictors[i]), y, fit.Fitted[i], fit.Residuals[i])
	}
	return csvOf(append(slices.Clone(m.predictors), m.label, "fitted", "residual"), rows)
}
