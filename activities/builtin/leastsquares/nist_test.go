package leastsquares_test

import (
	"testing"

	"gonum.org/v1/gonum/num/dual"

	"rlam/activities/builtin/expression"
	"rlam/activities/builtin/leastsquares"
)

// dataset is one of the Statistical Reference Datasets for nonlinear regression of
// NIST (Information Technology Laboratory, StRD, public domain). A wrong digit in
// the data shows: the certified residual sum of squares is met to ten digits.
type dataset struct {
	name       string
	difficulty string // as NIST rates it
	model      string
	parameters []string
	x, y       []float64
	starts     [][]float64 // Start 1, Start 2
	estimates  []float64
	deviations []float64
	rss        float64
	deviation  float64 // residual standard deviation
}

var nist = []dataset{
	{
		name: "MGH09", difficulty: "higher", model: "b1*(x^2+x*b2)/(x^2+x*b3+b4)", parameters: []string{"b1", "b2", "b3", "b4"},
		x:          []float64{4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625},
		y:          []float64{0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246},
		starts:     [][]float64{{25, 39, 41.5, 39}, {0.25, 0.39, 0.415, 0.39}},
		estimates:  []float64{1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01},
		deviations: []float64{1.1435312227e-02, 1.9633220911e-01, 8.0842031232e-02, 9.0025542308e-02},
		rss:        3.0750560385e-04, deviation: 6.6279236551e-03,
	},
	{
		name: "Misra1a", difficulty: "lower", model: "b1*(1-exp(-b2*x))", parameters: []string{"b1", "b2"},
		x:          []float64{77.6, 114.9, 141.1, 190.8, 239.9, 289, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760},
		y:          []float64{10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.4, 75.47, 81.78},
		starts:     [][]float64{{500, 0.0001}, {250, 0.0005}},
		estimates:  []float64{2.3894212918e+02, 5.5015643181e-04},
		deviations: []float64{2.7070075241e+00, 7.2668688436e-06},
		rss:        1.2455138894e-01, deviation: 1.0187876330e-01,
	},
	{
		name: "DanWood", difficulty: "lower", model: "b1*x^b2", parameters: []string{"b1", "b2"},
		x:          []float64{1.309, 1.471, 1.490, 1.565, 1.611, 1.680},
		y:          []float64{2.138, 3.421, 3.597, 4.340, 4.882, 5.660},
		starts:     [][]float64{{1, 5}, {0.7, 4}},
		estimates:  []float64{7.6886226176e-01, 3.8604055871e+00},
		deviations: []float64{1.8281973860e-02, 5.1726610913e-02},
		rss:        4.3173084083e-03, deviation: 3.2853114039e-02,
	},
	{
		name: "MGH10", difficulty: "higher", model: "b1*exp(b2/(x+b3))", parameters: []string{"b1", "b2", "b3"},
		x:          []float64{50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100, 105, 110, 115, 120, 125},
		y:          []float64{34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872},
		starts:     [][]float64{{2, 400000, 25000}, {0.02, 4000, 250}},
		estimates:  []float64{5.6096364710e-03, 6.1813463463e+03, 3.4522363462e+02},
		deviations: []float64{1.5687892471e-04, 2.3309021107e+01, 7.8486103508e-01},
		rss:        8.7945855171e+01, deviation: 2.6009740065e+00,
	},
	{
		name: "BoxBOD", difficulty: "higher", model: "b1*(1-exp(-b2*x))", parameters: []string{"b1", "b2"},
		x:          []float64{1, 2, 3, 5, 7, 10},
		y:          []float64{109, 149, 149, 191, 213, 224},
		starts:     [][]float64{{1, 1}, {100, 0.75}},
		estimates:  []float64{2.1380940889e+02, 5.4723748542e-01},
		deviations: []float64{1.2354515176e+01, 1.0455993237e-01},
		rss:        1.1680088766e+03, deviation: 1.7088072423e+01,
	},
}

// problem is y as a function of x and the parameters.
func problem(t testing.TB, model string, parameters []string, x, y []float64) leastsquares.Problem {
	t.Helper()
	e, err := expression.Parse(model)
	if err != nil {
		t.Fatal(err)
	}
	f, err := e.Bind(append(append([]string(nil), parameters...), "x"))
	if err != nil {
		t.Fatal(err)
	}
	values := make([]dual.Number, len(parameters)+1)
	return leastsquares.Problem{Names: parameters, Observed: y, Model: func(i int, b []dual.Number) dual.Number {
		copy(values, b)
		values[len(b)] = dual.Number{Real: x[i]}
		return f(values)
	}}
}
