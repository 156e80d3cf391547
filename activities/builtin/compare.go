package builtin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"

	"rlam/activities/executor"
)

// agreement is the largest relative difference of parameters that counts as the same minimum, unless the caller says another.
const agreement = 1e-6

type compareParams struct {
	Fits      []labelledFit `json:"fits"`
	Tolerance float64       `json:"tolerance"`
}

type labelledFit struct {
	Label string          `json:"label"`
	Fit   json.RawMessage `json:"fit"`
}

// fitted is what is needed of a fit's output. A fit may come from another
// action than fit.nonlinear, and hold more than this.
type fitted struct {
	label      string
	Parameters map[string]estimated `json:"parameters"`
	RSS        float64              `json:"residual_sum_of_squares"`
	N          int                  `json:"observations"`
	Model      string               `json:"model"`
	Response   string               `json:"response"`
	Data       string               `json:"data"`
	Weights    string               `json:"weights"` // of fit.linear; empty: none
}

type estimated struct {
	Estimate float64 `json:"estimate"`
}

type comparison struct {
	Fits   []criteria `json:"fits"`
	Best   string     `json:"best"`
	Agree  *bool      `json:"agree,omitempty"` // absent unless two fits share a model
	Models []spread   `json:"models"`
}

// criteria of a least squares fit with normal errors of unknown variance, which
// counts as a parameter: K = parameters + 1 (Burnham and Anderson 2002, section 2.4).
type criteria struct {
	Label string   `json:"label"`
	N     int      `json:"n"`
	K     int      `json:"k"`
	RSS   float64  `json:"residual_sum_of_squares"`
	AIC   *float64 `json:"aic,omitempty"`
	AICc  *float64 `json:"aicc,omitempty"`
	BIC   *float64 `json:"bic,omitempty"`
	Delta *float64 `json:"delta,omitempty"` // of the criterion that Best goes by
}

// spread is how far fits of one model are apart.
type spread struct {
	Model     string   `json:"model"`
	Labels    []string `json:"labels"`
	Largest   float64  `json:"largest_relative_difference"`
	Parameter string   `json:"parameter"`
	Between   []string `json:"between"`
	RSS       float64  `json:"residual_sum_of_squares_relative_difference"`
	Agree     bool     `json:"agree"`
}

func compareFits(_ context.Context, p compareParams) (comparison, error) {
	if p.Tolerance == 0 {
		p.Tolerance = agreement
	}
	fits, err := readFits(p.Fits)
	if err != nil {
		return comparison{}, err
	}
	out := comparison{Models: []spread{}}
	for _, f := range fits {
		out.Fits = append(out.Fits, f.criteria())
	}
	out.Best = rank(out.Fits)
	for _, group := range sameModel(fits) {
		s := spreadOf(group, p.Tolerance)
		out.Models = append(out.Models, s)
		if out.Agree == nil {
			out.Agree = new(true)
		}
		*out.Agree = *out.Agree && s.Agree
	}
	return out, nil
}

// readFits decodes the fits and refuses those that no criterion compares.
func readFits(labelled []labelledFit) ([]fitted, error) {
	fits := make([]fitted, len(labelled))
	seen := map[string]bool{}
	for i, l := range labelled {
		f, err := readFit(l.Fit)
		if err != nil {
			return nil, invalid(fmt.Sprintf("reading fit %q: %v", l.Label, err))
		}
		f.label = l.Label
		fits[i] = f
		if seen[l.Label] {
			return nil, invalid(fmt.Sprintf("two fits have the label %q", l.Label))
		}
		seen[l.Label] = true
		first := fits[0]
		switch {
		case f.N != first.N:
			return nil, notComparable(first, f, fmt.Sprintf("%d and %d observations", first.N, f.N))
		case f.Data != "" && first.Data != "" && f.Data != first.Data:
			return nil, notComparable(first, f, "different data")
		case f.Weights != first.Weights:
			return nil, notComparable(first, f, fmt.Sprintf("the weights %q and %q", first.Weights, f.Weights))
		case f.Response != first.Response:
			return nil, notComparable(first, f, fmt.Sprintf("the responses %q and %q", first.Response, f.Response))
		}
	}
	if len(fits) < 2 {
		return nil, invalid("want at least two fits")
	}
	return fits, nil
}

func readFit(raw json.RawMessage) (fitted, error) {
	var f fitted
	if err := jsonv2.Unmarshal(raw, &f); err != nil {
		return f, err
	}
	switch {
	case len(f.Parameters) == 0:
		return f, fmt.Errorf("no \"parameters\": pass the whole output of fit.nonlinear")
	case f.RSS < 0:
		return f, fmt.Errorf("the residual sum of squares %v is negative", f.RSS)
	case f.N <= len(f.Parameters):
		return f, fmt.Errorf("%d observations for %d parameters", f.N, len(f.Parameters))
	}
	return f, nil
}

func (f fitted) criteria() criteria {
	n, k := float64(f.N), float64(len(f.Parameters)+1)
	deviance := n*math.Log(2*math.Pi*f.RSS/n) + n
	c := criteria{
		Label: f.label, N: f.N, K: len(f.Parameters), RSS: f.RSS,
		AIC: finite(deviance + 2*k), BIC: finite(deviance + k*math.Log(n)),
	}
	if n > k+1 {
		c.AICc = finite(deviance + 2*k + 2*k*(k+1)/(n-k-1))
	}
	return c
}

// rank fills in Delta and names the best fit: by AICc if every fit has one, else by AIC, else by RSS.
func rank(fits []criteria) string {
	pick := func(c criteria) *float64 { return c.AICc }
	if slices.ContainsFunc(fits, func(c criteria) bool { return c.AICc == nil }) {
		pick = func(c criteria) *float64 { return c.AIC }
	}
	if slices.ContainsFunc(fits, func(c criteria) bool { return pick(c) == nil }) { // an exact fit has no finite likelihood
		return slices.MinFunc(fits, func(a, b criteria) int { return order(a.RSS, b.RSS) }).Label
	}
	best := slices.MinFunc(fits, func(a, b criteria) int { return order(*pick(a), *pick(b)) })
	for i := range fits {
		fits[i].Delta = finite(max(0, *pick(fits[i])-*pick(best)))
	}
	return best.Label
}

// order compares numbers of which rounding is not to choose the smaller.
func order(a, b float64) int {
	if math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) {
		return 0
	}
	return cmp.Compare(a, b)
}

// sameModel groups fits that have formula and parameters in common, in order of first appearance.
func sameModel(fits []fitted) [][]fitted {
	var groups [][]fitted
	for _, f := range fits {
		i := slices.IndexFunc(groups, func(g []fitted) bool {
			return f.Model != "" && g[0].Model == f.Model && slices.Equal(g[0].names(), f.names())
		})
		if i < 0 {
			groups = append(groups, []fitted{f})
			continue
		}
		groups[i] = append(groups[i], f)
	}
	return slices.DeleteFunc(groups, func(g []fitted) bool { return len(g) < 2 })
}

func (f fitted) names() []string { return slices.Sorted(maps.Keys(f.Parameters)) }

func spreadOf(group []fitted, tolerance float64) spread {
	s := spread{Model: group[0].Model, Largest: -1}
	for i, a := range group {
		s.Labels = append(s.Labels, a.label)
		for _, b := range group[i+1:] {
			s.RSS = max(s.RSS, relative(a.RSS, b.RSS))
			for _, name := range a.names() {
				if d := relative(a.Parameters[name].Estimate, b.Parameters[name].Estimate); d > s.Largest {
					s.Largest, s.Parameter, s.Between = d, name, []string{a.label, b.label}
				}
			}
		}
	}
	s.Agree = s.Largest <= tolerance
	return s
}

// relative is |a−b| over the larger of the two: between 0 and 2.
func relative(a, b float64) float64 {
	largest := max(math.Abs(a), math.Abs(b))
	if largest == 0 {
		return 0
	}
	return math.Abs(a/largest - b/largest)
}

func notComparable(a, b fitted, why string) error {
	return executor.Fail(NotComparable, fmt.Sprintf("fits %q and %q have %s: their criteria can't be compared", a.label, b.label, why), nil)
}
