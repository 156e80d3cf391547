package builtin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rlam/activities/builtin/learn"
	"rlam/activities/executor"
)

// Limits of what models are trained with.
const (
	maxTrained = 5_000_000 // rows × features
	maxClasses = 50
)

type trainParams struct {
	Data     string     `json:"data"`
	Response string     `json:"response"`
	Features []string   `json:"features"`
	Kind     learn.Kind `json:"kind"`
	Task     string     `json:"task"`    // regression or classification
	Penalty  *float64   `json:"penalty"` // 0 of linear, 1 of logistic
	K        int        `json:"k"`
	MaxDepth int        `json:"max_depth"`
	MinLeaf  int        `json:"min_leaf"`
	Missing  string     `json:"missing"` // fail (default) or drop
}

type trainOutput struct {
	Model    string     `json:"model"`
	Kind     learn.Kind `json:"kind"`
	Task     string     `json:"task"`
	N        int        `json:"observations"`
	Dropped  int        `json:"dropped"`
	Training *metrics   `json:"training"`
}

const (
	regression     = "regression"
	classification = "classification"
)

func trainModel(ctx context.Context, p trainParams) (trainOutput, error) {
	if err := p.setDefaults(); err != nil {
		return trainOutput{}, invalid(err.Error())
	}
	t, err := openTable(ctx, p.Data)
	if err != nil {
		return trainOutput{}, err
	}
	e, err := readExamples(t, p.Response, p.Features, p.Task == classification, p.Missing == "drop")
	if err != nil {
		return trainOutput{}, err
	}
	if e.classes, err = p.classes(e.labels); err != nil {
		return trainOutput{}, executor.Fail(BadData, err.Error(), nil)
	}
	if len(e.rows)*len(p.Features) > maxTrained {
		return trainOutput{}, executor.Fail(BadData, fmt.Sprintf("%d rows with %d features are too many: %d is the most for their product", len(e.rows), len(p.Features), maxTrained), nil)
	}
	data, err := e.targets(p.Response, p.Features)
	if err != nil {
		return trainOutput{}, err
	}
	m, err := learn.Train(data, learn.Options{Kind: p.Kind, Penalty: *p.Penalty, K: p.K, MaxDepth: p.MaxDepth, MinLeaf: p.MinLeaf})
	switch {
	case errors.Is(err, learn.ErrSingular):
		return trainOutput{}, executor.Fail(SingularMatrix, err.Error(), nil)
	case errors.Is(err, learn.ErrNotConverged):
		return trainOutput{}, executor.Fail(NotConverged, err.Error(), nil)
	case err != nil:
		return trainOutput{}, invalid(err.Error())
	}
	encoded, err := json.Marshal(m)
	if err != nil {
		return trainOutput{}, fmt.Errorf("encoding the model: %w", err)
	}
	out := trainOutput{Kind: p.Kind, Task: p.Task, N: len(e.rows), Dropped: e.dropped}
	if out.Model, err = executor.Save(ctx, "model.json", "application/json", encoded); err != nil {
		return trainOutput{}, err
	}
	out.Training, err = e.measure(m, e.predict(m))
	return out, err
}

// setDefaults fills in what the file of the action documents.
func (p *trainParams) setDefaults() error {
	standard := map[learn.Kind]struct {
		task    string
		penalty float64
	}{learn.Linear: {regression, 0}, learn.Logistic: {classification, 1}, learn.Neighbours: {}, learn.Tree: {}}
	of, known := standard[p.Kind]
	switch {
	case !known:
		return fmt.Errorf("unknown kind of model %q: want linear, logistic, neighbours or tree", p.Kind)
	case len(p.Features) == 0:
		return errors.New("\"features\" names no feature")
	case p.Task == "" && of.task == "":
		return fmt.Errorf("a model of kind %q needs a \"task\": regression or classification", p.Kind)
	case p.Task != "" && of.task != "" && p.Task != of.task:
		return fmt.Errorf("a model of kind %q is for %s, and not for %s", p.Kind, of.task, p.Task)
	}
	p.Task = max(p.Task, of.task)
	if p.Penalty == nil {
		p.Penalty = &of.penalty
	}
	if p.K == 0 {
		p.K = 5
	}
	if p.MaxDepth == 0 {
		p.MaxDepth = 5
	}
	if p.MinLeaf == 0 {
		p.MinLeaf = 5
	}
	return nil
}

// classes are the different labels, sorted; none of numbers.
func (p *trainParams) classes(labels []string) ([]string, error) {
	if labels == nil {
		return nil, nil
	}
	classes := slices.Compact(slices.Sorted(slices.Values(labels)))
	if len(classes) < 2 || len(classes) > maxClasses {
		return nil, fmt.Errorf("column %q has %d classes: want 2 to %d", p.Response, len(classes), maxClasses)
	}
	return classes, nil
}

// examples are the rows of a table with their features, and with the response if it is known.
type examples struct {
	rows     [][]float64
	lines    []int // in the file
	observed []float64
	labels   []string // of classes, in place of observed
	classes  []string
	dropped  int
}

// readExamples evaluates the features, and the response unless it is "".
func readExamples(t *table, response string, features []string, labelled, drop bool) (*examples, error) {
	var formulas []formula
	for j, source := range features {
		f, err := readFormula(fmt.Sprintf("feature %d", j+1), source, t.names)
		if err == nil && response != "" && slices.Contains(f.columns, response) {
			err = fmt.Errorf("feature %d, %q, has the response %q in it", j+1, source, response)
		}
		if err != nil {
			return nil, invalid(err.Error())
		}
		formulas = append(formulas, f)
	}
	if response != "" && !labelled {
		f, err := readFormula("the response", response, t.names)
		if err != nil {
			return nil, invalid(err.Error())
		}
		formulas = append(formulas, f)
	}
	e := &examples{}
	if labelled && response != "" {
		var err error
		if t, e.dropped, err = t.labelled(response, drop); err != nil {
			return nil, err
		}
	}
	values, err := t.evaluate(drop, formulas...)
	if err != nil {
		return nil, executor.Fail(BadData, err.Error(), nil)
	}
	e.lines = values.lines
	e.dropped += values.dropped
	for _, row := range values.rows {
		e.rows = append(e.rows, row[:len(features)])
		if len(row) > len(features) {
			e.observed = append(e.observed, row[len(features)])
		}
	}
	if labelled && response != "" {
		e.labels = t.labels(response, values.lines)
	}
	return e, nil
}

// labelled is the table without the rows whose label is missing; these fail unless they are to be dropped.
func (t *table) labelled(column string, drop bool) (*table, int, error) {
	c, err := t.column(column)
	if err != nil {
		return nil, 0, invalid(err.Error())
	}
	kept := &table{names: t.names}
	for _, r := range t.rows {
		if !missing(r.cells[c]) {
			kept.rows = append(kept.rows, r)
		} else if !drop {
			return nil, 0, executor.Fail(BadData, fmt.Sprintf("line %d, column %q: the value is missing (\"missing\": \"drop\" leaves such rows out)", r.line, column), nil)
		}
	}
	return kept, len(t.rows) - len(kept.rows), nil
}

// labels are the cells of the column in the rows of the given lines.
func (t *table) labels(column string, lines []int) []string {
	c := slices.Index(t.names, column)
	labels := make([]string, 0, len(lines))
	for _, r := range t.rows {
		if len(labels) < len(lines) && r.line == lines[len(labels)] {
			labels = append(labels, strings.TrimSpace(r.cells[c]))
		}
	}
	return labels
}

// targets are the examples as models train with them.
func (e *examples) targets(response string, features []string) (learn.Data, error) {
	d := learn.Data{Response: response, Features: features, Classes: e.classes}
	for i, row := range e.rows {
		target := make([]float64, max(1, len(e.classes)))
		if e.labels == nil {
			target[0] = e.observed[i]
		} else {
			class, err := e.class(i)
			if err != nil {
				return d, err
			}
			target[class] = 1
		}
		d.Rows = append(d.Rows, learn.Row{Features: row, Target: target})
	}
	return d, nil
}

// class is the index of a row's class.
func (e *examples) class(i int) (int, error) {
	class := slices.Index(e.classes, e.labels[i])
	if class < 0 {
		return 0, executor.Fail(BadData, fmt.Sprintf("line %d: the class %q is none of those that the model was trained with: %q", e.lines[i], brief(e.labels[i], 80), e.classes), nil)
	}
	return class, nil
}
