// Package learn trains small models that predict a number or a class from
// features, and measures how well they do.
//
// A target is a vector: one number, or for a class the indicator of each class.
// So a model gives a number, or a probability for each class, and the same code
// serves both tasks. Features are centred and scaled to standard deviation one
// before training. Nothing here draws at random: the same data give the same
// model to the bit.
//
// A [Model] is kept as JSON, whose format is that of its fields.
package learn

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Format is the first member of a model's JSON.
const Format = "rlam.model.v1"

// Kind names a kind of model.
type Kind string

// The kinds of model.
const (
	Linear     Kind = "linear"     // ridge regression; least squares without a penalty
	Logistic   Kind = "logistic"   // multinomial logistic regression with a ridge penalty
	Neighbours Kind = "neighbours" // the mean of the nearest training rows
	Tree       Kind = "tree"       // a binary tree (CART)
)

// Model is a trained model. Of the last four members it has the one of its kind:
// Weights for linear and logistic.
type Model struct {
	Format   string    `json:"format"`
	Kind     Kind      `json:"kind"`
	Response string    `json:"response"`
	Features []string  `json:"features"`
	Classes  []string  `json:"classes,omitempty"` // none: it predicts a number
	Centres  []float64 `json:"centres"`           // of the features
	Scales   []float64 `json:"scales"`

	Weights [][]float64 `json:"weights,omitempty"` // for each output a constant and a weight for each scaled feature; logistic: of the classes after the first
	K       int         `json:"k,omitzero"`        // how many neighbours count
	Rows    []Row       `json:"rows,omitempty"`    // what neighbours are found among
	Nodes   []Node      `json:"nodes,omitempty"`   // of a tree; the root is the first
}

// Row is a training row, its features scaled.
type Row struct {
	Features []float64 `json:"features"`
	Target   []float64 `json:"target"`
}

// Data are the rows to train with. Targets are single numbers, or indicators of Classes.
type Data struct {
	Response string
	Features []string
	Classes  []string
	Rows     []Row
}

// Options tune the training. Zero members of other kinds of model are not looked at.
type Options struct {
	Kind     Kind
	Penalty  float64 // linear: on the sum of squared weights, against that of residuals; logistic: half of it, against the negative log-likelihood
	K        int     // of neighbours
	MaxDepth int     // of a tree
	MinLeaf  int     // fewest rows of a leaf
}

// The ways in which training fails, apart from options that fit no data.
var (
	ErrSingular     = errors.New("the features are not independent: leave one out, or give a penalty")
	ErrNotConverged = errors.New("the weights grow without end, because the features separate the classes: give a penalty")
)

// Train fits a model of the kind to the data.
func Train(d Data, o Options) (*Model, error) {
	m := &Model{Format: Format, Kind: o.Kind, Response: d.Response, Features: d.Features, Classes: d.Classes}
	if len(d.Rows) == 0 {
		return nil, errors.New("there are no rows to train with")
	}
	for j := range d.Features {
		values := make([]float64, len(d.Rows))
		for i, r := range d.Rows {
			values[i] = r.Features[j]
		}
		centre, scale := stat.PopMeanStdDev(values, nil)
		if !(scale > 1e-12*math.Abs(centre)) {
			scale = 1 // a feature that doesn't vary
		}
		m.Centres, m.Scales = append(m.Centres, centre), append(m.Scales, scale)
	}
	rows := make([]Row, len(d.Rows))
	for i, r := range d.Rows {
		rows[i] = Row{m.scale(r.Features), r.Target}
	}
	switch o.Kind {
	case Linear:
		return m, m.trainLinear(rows, o.Penalty)
	case Logistic:
		return m, m.trainLogistic(rows, o.Penalty)
	case Neighbours:
		if o.K > len(rows) {
			return nil, fmt.Errorf("%d neighbours of %d rows: want no more than there are", o.K, len(rows))
		}
		m.K, m.Rows = o.K, rows
	case Tree:
		m.grow(rows, o)
	default:
		return nil, fmt.Errorf("unknown kind of model %q", o.Kind)
	}
	return m, nil
}

// Predict gives the number, or the probability of each class, for features that are not scaled.
func (m *Model) Predict(features []float64) []float64 {
	x := m.scale(features)
	switch m.Kind {
	case Linear:
		return []float64{affine(m.Weights[0], x)}
	case Logistic:
		return softmax(m.Weights, x)
	case Neighbours:
		return m.nearest(x)
	}
	return m.descend(x)
}

func (m *Model) scale(features []float64) []float64 {
	x := make([]float64, len(features))
	for j, v := range features {
		x[j] = (v - m.Centres[j]) / m.Scales[j]
	}
	return x
}

// Check finds faults of a model that was read and not trained.
func (m *Model) Check() error {
	n, outputs := len(m.Features), max(1, len(m.Classes))
	fault := func(bad bool) error {
		if bad {
			return fmt.Errorf("its %s members don't fit its features and classes", m.Kind)
		}
		return nil
	}
	switch {
	case m.Format != Format:
		return fmt.Errorf("its format is %q, want %q", m.Format, Format)
	case len(m.Centres) != n || len(m.Scales) != n:
		return fault(true)
	}
	switch m.Kind {
	case Linear, Logistic:
		bad := m.Kind == Linear && (outputs != 1 || len(m.Weights) != 1) || m.Kind == Logistic && len(m.Weights) != outputs-1
		for _, w := range m.Weights {
			bad = bad || len(w) != n+1
		}
		return fault(bad)
	case Neighbours:
		bad := m.K < 1 || m.K > len(m.Rows)
		for _, r := range m.Rows {
			bad = bad || len(r.Features) != n || len(r.Target) != outputs
		}
		return fault(bad)
	case Tree:
		bad := len(m.Nodes) == 0
		for i, node := range m.Nodes {
			leaf := node.Value != nil
			bad = bad || leaf && len(node.Value) != outputs ||
				!leaf && (node.Feature < 0 || node.Feature >= n || node.Below <= i || node.Above <= i || max(node.Below, node.Above) >= len(m.Nodes))
		}
		return fault(bad)
	}
	return fmt.Errorf("its kind is %q", m.Kind)
}
