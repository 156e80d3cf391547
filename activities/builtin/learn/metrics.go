package learn

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// Regression measures predicted numbers against observed ones, in the response's unit.
type Regression struct {
	RMSE     float64 // root of the mean squared error
	MAE      float64 // mean absolute error
	RSquared float64 // 1 − squared errors / squared deviations from the observed mean; NaN if these are 0
}

// Regress measures predictions of numbers. There must be one at least.
func Regress(predicted, observed []float64) Regression {
	n := float64(len(observed))
	mean := floats.Sum(observed) / n
	var squares, absolute, spread float64
	for i, y := range observed {
		e := predicted[i] - y
		squares += e * e
		absolute += math.Abs(e)
		spread += (y - mean) * (y - mean)
	}
	r := Regression{RMSE: math.Sqrt(squares / n), MAE: absolute / n, RSquared: math.NaN()}
	if spread > 0 {
		r.RSquared = 1 - squares/spread
	}
	return r
}

// Classification measures predicted probabilities against observed classes.
type Classification struct {
	Accuracy  float64 // share of rows whose most probable class is theirs
	LogLoss   float64 // mean −log of the probability of the row's class, at least 10⁻¹⁵
	Confusion [][]int // rows by observed, then predicted class
	Classes   []Class
	MacroF1   float64 // mean of the classes' F1
}

// Class is how well one class is found. A ratio without a denominator is 0.
type Class struct {
	Precision float64 // share of the rows predicted as it that are
	Recall    float64 // share of its rows that are predicted as it
	F1        float64 // harmonic mean of both
	Support   int     // rows of it
}

// Classify measures probabilities. There must be one row at least.
func Classify(probabilities [][]float64, observed []int, classes int) Classification {
	c := Classification{Confusion: make([][]int, classes)}
	for i := range c.Confusion {
		c.Confusion[i] = make([]int, classes)
	}
	for i, p := range probabilities {
		c.Confusion[observed[i]][floats.MaxIdx(p)]++
		c.LogLoss -= math.Log(max(p[observed[i]], 1e-15)) / float64(len(observed))
	}
	hits := 0
	for k := range classes {
		found, predicted := c.Confusion[k][k], 0
		one := Class{}
		for other := range classes {
			one.Support += c.Confusion[k][other]
			predicted += c.Confusion[other][k]
		}
		hits += found
		one.Precision, one.Recall = ratio(found, predicted), ratio(found, one.Support)
		one.F1 = ratio(2*found, predicted+one.Support)
		c.Classes = append(c.Classes, one)
		c.MacroF1 += one.F1 / float64(classes)
	}
	c.Accuracy = ratio(hits, len(observed))
	return c
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
