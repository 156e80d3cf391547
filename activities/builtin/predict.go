package builtin

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"gonum.org/v1/gonum/floats"

	"rlam/activities/builtin/learn"
	"rlam/activities/executor"
)

type predictParams struct {
	Model   string `json:"model"`
	Data    string `json:"data"`
	Missing string `json:"missing"` // fail (default) or drop
}

type predictOutput struct {
	Predictions string     `json:"predictions"`
	Kind        learn.Kind `json:"kind"`
	Task        string     `json:"task"`
	N           int        `json:"observations"`
	Dropped     int        `json:"dropped"`
	Metrics     *metrics   `json:"metrics,omitzero"` // if the data have the response
}

// metrics are those of numbers, or those of classes.
type metrics struct {
	RMSE     *float64 `json:"rmse,omitempty"`
	MAE      *float64 `json:"mae,omitempty"`
	RSquared *float64 `json:"r_squared,omitempty"`

	Accuracy  *float64       `json:"accuracy,omitempty"`
	LogLoss   *float64       `json:"log_loss,omitempty"`
	MacroF1   *float64       `json:"macro_f1,omitempty"`
	Classes   []classMetrics `json:"classes,omitempty"`
	Confusion [][]int        `json:"confusion,omitempty"`
}

type classMetrics struct {
	Class     string  `json:"class"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"`
}

func predictWithModel(ctx context.Context, p predictParams) (predictOutput, error) {
	m, err := openModel(ctx, p.Model)
	if err != nil {
		return predictOutput{}, err
	}
	t, err := openTable(ctx, p.Data)
	if err != nil {
		return predictOutput{}, err
	}
	out := predictOutput{Kind: m.Kind, Task: regression}
	if m.Classes != nil {
		out.Task = classification
	}
	response := m.Response
	if !responseKnown(t, response) {
		response = ""
	}
	e, err := readExamples(t, response, m.Features, m.Classes != nil, p.Missing == "drop")
	if err != nil {
		return predictOutput{}, err
	}
	e.classes = m.Classes
	out.N, out.Dropped = len(e.rows), e.dropped
	predicted := e.predict(m)
	if i := slices.IndexFunc(predicted, func(y []float64) bool { return math.IsNaN(floats.Sum(y)) || math.IsInf(floats.Sum(y), 0) }); i >= 0 {
		return predictOutput{}, executor.Fail(NumericalError, fmt.Sprintf("line %d: the prediction is %v", e.lines[i], predicted[i]), nil)
	}
	if response != "" {
		if out.Metrics, err = e.measure(m, predicted); err != nil {
			return predictOutput{}, err
		}
	}
	out.Predictions, err = executor.Save(ctx, "predictions.csv", "text/csv", e.predictions(m, predicted))
	return out, err
}

// openModel reads what model.train kept.
func openModel(ctx context.Context, handle string) (*learn.Model, error) {
	data, err := readAll(ctx, handle, maxTable)
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, err
	}
	m := &learn.Model{}
	if err == nil {
		err = jsonv2.Unmarshal(data, m)
	}
	if err == nil {
		err = m.Check()
	}
	if err != nil {
		return nil, executor.Fail(BadData, fmt.Sprintf("reading the model: %v; want the \"model\" of model.train", err), nil)
	}
	return m, nil
}

// responseKnown says whether the table has every column of the response.
func responseKnown(t *table, response string) bool {
	_, err := readColumns("the response", response, t.names)
	return err == nil
}

// predict gives a number, or a probability for each class, of every row.
func (e *examples) predict(m *learn.Model) [][]float64 {
	all := make([][]float64, len(e.rows))
	for i, row := range e.rows {
		all[i] = m.Predict(row)
	}
	return all
}

// measure compares what was predicted with what was observed.
func (e *examples) measure(m *learn.Model, predicted [][]float64) (*metrics, error) {
	if m.Classes == nil {
		numbers := make([]float64, len(predicted))
		for i, y := range predicted {
			numbers[i] = y[0]
		}
		r := learn.Regress(numbers, e.observed)
		return &metrics{RMSE: finite(r.RMSE), MAE: finite(r.MAE), RSquared: finite(r.RSquared)}, nil
	}
	observed := make([]int, len(predicted))
	for i := range observed {
		var err error
		if observed[i], err = e.class(i); err != nil {
			return nil, err
		}
	}
	c := learn.Classify(predicted, observed, len(m.Classes))
	out := &metrics{Accuracy: &c.Accuracy, LogLoss: &c.LogLoss, MacroF1: &c.MacroF1, Confusion: c.Confusion}
	for k, one := range c.Classes {
		out.Classes = append(out.Classes, classMetrics{m.Classes[k], one.Precision, one.Recall, one.F1, one.Support})
	}
	return out, nil
}

// predictions is a CSV file of each row's line in the data, what was observed if
// that is known, what is predicted, and the classes' probabilities.
func (e *examples) predictions(m *learn.Model, predicted [][]float64) []byte {
	known := e.observed != nil || e.labels != nil
	header := []string{"line", "predicted"}
	if known {
		header = []string{"line", "observed", "predicted"}
	}
	for _, class := range m.Classes {
		header = append(header, "p("+class+")")
	}
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write(header) // a bytes.Buffer takes everything
	for i, y := range predicted {
		cells := []string{fmt.Sprint(e.lines[i])}
		switch {
		case e.labels != nil:
			cells = append(cells, e.labels[i])
		case known:
			cells = append(cells, format(e.observed[i]))
		}
		if m.Classes == nil {
			cells = append(cells, format(y[0]))
		} else {
			cells = append(cells, m.Classes[floats.MaxIdx(y)])
			for _, p := range y {
				cells = append(cells, format(p))
			}
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return file.Bytes()
}
