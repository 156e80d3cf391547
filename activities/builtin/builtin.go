// Package builtin holds the actions that ship with R-LAM: describing, splitting
// and resampling tables, fitting linear and nonlinear models, comparing and
// plotting fits, training models and predicting with them, integrating differential equations and by Monte Carlo, and
// reading an artifact. Their formal schemas are the files of schemas/actions; a
// handler here has the name that such a file's binding gives. The numerics are
// in the packages below, which know no action.
//
// The handlers are pure functions of their parameters, of the artifacts that
// these name, and of the call's seed where the action is seeded: no clock, no
// order of a map. On one environment identity the same parameters give the same
// bytes. (Another architecture may round differently: Go's compiler fuses
// multiplications and additions on some.)
package builtin

import (
	"errors"
	"math"

	"rlam/activities/executor"
)

// The types of the failures that these actions give.
const (
	BadData          = "rlam.BadData"          // the data can't be read as what the action needs; the message names line and column
	NotConverged     = "rlam.NotConverged"     // the search ended without a minimum, the integration without reaching its end
	StepTooSmall     = "rlam.StepTooSmall"     // an integration can't go on within its tolerance
	SingularMatrix   = "rlam.SingularMatrix"   // the terms of a linear model are not independent
	SingularGradient = "rlam.SingularGradient" // the data don't determine the parameters at the point that was reached
	NumericalError   = "rlam.NumericalError"   // the model is NaN or infinite
	NotComparable    = "rlam.NotComparable"    // the fits are not of the same data
)

// All lists the handlers of the shipped actions.
func All() []executor.Builtin {
	return []executor.Builtin{
		executor.Typed("artifact.read", readArtifact),
		executor.Typed("fit.compare", compareFits),
		executor.Typed("fit.linear", fitLinear),
		executor.Typed("fit.nonlinear", fitNonlinear),
		executor.Typed("fit.plot", plotFit),
		executor.Typed("model.predict", predictWithModel),
		executor.Typed("model.train", trainModel),
		executor.Typed("montecarlo.integrate", integrateMonteCarlo),
		executor.Typed("ode.integrate", integrateODE),
		executor.Typed("table.bootstrap", bootstrapTable),
		executor.Typed("table.describe", describeTable),
		executor.Typed("table.split", splitTable),
	}
}

// invalid is a fault of the parameters that their schema can't express.
func invalid(message string) error {
	return executor.Fail(executor.TypeInvalidParams, message, nil)
}

// finite is v, or nothing if JSON has no number for it.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

var errTooLarge = errors.New("the artifact is larger than 64 MiB")
