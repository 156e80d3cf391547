package learn_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"rlam/activities/builtin/learn"
)

// rows pairs one feature with targets.
func rows(x []float64, targets ...[]float64) []learn.Row {
	all := make([]learn.Row, len(x))
	for i, v := range x {
		all[i] = learn.Row{Features: []float64{v}, Target: targets[i]}
	}
	return all
}

func numbers(values ...float64) [][]float64 {
	all := make([][]float64, len(values))
	for i, v := range values {
		all[i] = []float64{v}
	}
	return all
}

func train(t *testing.T, d learn.Data, o learn.Options) *learn.Model {
	t.Helper()
	m, err := learn.Train(d, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
	return m
}

func TestRidgeShrinksTheSlope(t *testing.T) {
	t.Parallel()
	d := learn.Data{Features: []string{"x"}, Rows: rows([]float64{1, 2, 3, 4}, numbers(3, 5, 7, 9)...)}
	plain := train(t, d, learn.Options{Kind: learn.Linear})
	if got := plain.Predict([]float64{10})[0]; math.Abs(got-21) > 1e-12 {
		t.Errorf("2·10 + 1 is %v", got)
	}
	// Of one scaled feature, Σx² = n, the slope shrinks by n/(n + penalty).
	ridge := train(t, d, learn.Options{Kind: learn.Linear, Penalty: 4})
	if got := ridge.Predict([]float64{10})[0]; math.Abs(got-(6+7.5)) > 1e-12 {
		t.Errorf("with half the slope it is %v", got)
	}
	d.Features = []string{"x", "twice"}
	for i, r := range d.Rows {
		d.Rows[i].Features = []float64{r.Features[0], 2 * r.Features[0]}
	}
	if _, err := learn.Train(d, learn.Options{Kind: learn.Linear}); !errors.Is(err, learn.ErrSingular) {
		t.Errorf("collinear features: %v", err)
	}
	train(t, d, learn.Options{Kind: learn.Linear, Penalty: 1e-3})
}

func TestLogisticOfThreeClasses(t *testing.T) {
	t.Parallel()
	// One feature that is 0 or 1, saturated: without a penalty the probabilities are
	// the shares of each group.
	var targets [][]float64
	var x []float64
	counts := [2][3]int{{5, 3, 2}, {1, 2, 7}}
	for group, of := range counts {
		for class, n := range of {
			for range n {
				target := make([]float64, 3)
				target[class] = 1
				x, targets = append(x, float64(group)), append(targets, target)
			}
		}
	}
	d := learn.Data{Features: []string{"x"}, Classes: []string{"a", "b", "c"}, Rows: rows(x, targets...)}
	m := train(t, d, learn.Options{Kind: learn.Logistic})
	for group, of := range counts {
		for class, p := range m.Predict([]float64{float64(group)}) {
			if math.Abs(p-float64(of[class])/10) > 1e-9 {
				t.Errorf("group %d, class %d: %v of %d in 10", group, class, p, of[class])
			}
		}
	}
}

func TestSeparatedClassesNeedAPenalty(t *testing.T) {
	t.Parallel()
	a, b := []float64{1, 0}, []float64{0, 1}
	d := learn.Data{Features: []string{"x"}, Classes: []string{"a", "b"}, Rows: rows([]float64{1, 2, 3, 4}, a, a, b, b)}
	if _, err := learn.Train(d, learn.Options{Kind: learn.Logistic}); !errors.Is(err, learn.ErrNotConverged) {
		t.Errorf("without a penalty: %v", err)
	}
	p := train(t, d, learn.Options{Kind: learn.Logistic, Penalty: 1}).Predict([]float64{2.5})
	if math.Abs(p[0]-0.5) > 1e-9 {
		t.Errorf("in the middle the probabilities are %v", p)
	}
}

func TestNeighboursAndTree(t *testing.T) {
	t.Parallel()
	d := learn.Data{Features: []string{"x"}, Rows: rows([]float64{1, 2, 3, 10, 11, 12}, numbers(1, 2, 3, 20, 21, 22)...)}
	near := train(t, d, learn.Options{Kind: learn.Neighbours, K: 2})
	if got := near.Predict([]float64{2.4}); !slices.Equal(got, []float64{2.5}) {
		t.Errorf("between 2 and 3: %v", got)
	}
	stump := train(t, d, learn.Options{Kind: learn.Tree, MaxDepth: 1, MinLeaf: 1})
	if len(stump.Nodes) != 3 || stump.Predict([]float64{6.4})[0] != 2 || stump.Predict([]float64{6.6})[0] != 21 {
		t.Errorf("the stump is %+v", stump.Nodes)
	}
	deep := train(t, d, learn.Options{Kind: learn.Tree, MaxDepth: 5, MinLeaf: 1})
	for _, r := range d.Rows {
		if got := deep.Predict(r.Features); !slices.Equal(got, r.Target) {
			t.Errorf("a tree of single rows says %v for %v", got, r)
		}
	}
	if leaf := train(t, d, learn.Options{Kind: learn.Tree, MaxDepth: 5, MinLeaf: 4}); len(leaf.Nodes) != 1 {
		t.Errorf("no split leaves 4 rows on both sides: %+v", leaf.Nodes)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := learn.Regress([]float64{1, 2, 4}, []float64{1, 3, 2})
	if math.Abs(r.RMSE-math.Sqrt(5./3)) > 1e-15 || r.MAE != 1 || math.Abs(r.RSquared+1.5) > 1e-15 {
		t.Errorf("%+v", r)
	}
	c := learn.Classify([][]float64{{0.8, 0.2}, {0.6, 0.4}, {0.3, 0.7}, {1, 0}}, []int{0, 1, 1, 0}, 2)
	if c.Accuracy != 0.75 || c.Confusion[1][0] != 1 || c.Classes[0] != (learn.Class{Precision: 2. / 3, Recall: 1, F1: 0.8, Support: 2}) {
		t.Errorf("%+v", c)
	}
	if want := -(math.Log(0.8) + math.Log(0.4) + math.Log(0.7)) / 4; math.Abs(c.LogLoss-want) > 1e-15 {
		t.Errorf("the log-loss is %v, want %v", c.LogLoss, want)
	}
}

func TestModelsThatAreNoneAreFound(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]learn.Model{
		"no format":      {Kind: learn.Linear},
		"no weights":     {Format: learn.Format, Kind: learn.Linear},
		"a circle":       {Format: learn.Format, Kind: learn.Tree, Features: []string{"x"}, Centres: []float64{0}, Scales: []float64{1}, Nodes: []learn.Node{{Below: 0, Above: 0}}},
		"no neighbours":  {Format: learn.Format, Kind: learn.Neighbours, K: 1},
		"another kind":   {Format: learn.Format, Kind: "oracle"},
		"too few scales": {Format: learn.Format, Kind: learn.Linear, Features: []string{"x"}},
	} {
		if m.Check() == nil {
			t.Errorf("%s: no fault found", name)
		}
	}
}
