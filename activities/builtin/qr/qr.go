// Package qr factorises a tall matrix A as QR by Householder reflections
// (LAPACK's geqrf, of gonum) and applies Q without forming it: gonum's mat.QR
// gives Q times a vector only by way of a square matrix of A's rows.
package qr

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// Factors are Q and R of a matrix with at least as many rows as columns.
type Factors struct {
	R      *mat.Dense // columns × columns, upper triangular
	packed blas64.General
	tau    []float64
}

// Factorise leaves a as it is.
func Factorise(a mat.Matrix) *Factors {
	_, k := a.Dims()
	f := &Factors{R: mat.NewDense(k, k, nil), packed: mat.DenseCopyOf(a).RawMatrix(), tau: make([]float64, k)}
	size := []float64{0}
	lapack64.Geqrf(f.packed, f.tau, size, -1)
	work := make([]float64, int(size[0]))
	lapack64.Geqrf(f.packed, f.tau, work, len(work))
	for i := range k {
		copy(f.R.RawRowView(i)[i:], f.packed.Data[i*f.packed.Stride+i:i*f.packed.Stride+k])
	}
	return f
}

// Rotate replaces v, one value a row, by Qᵀv. Its first values, one a column,
// lie in the column space of A; the others are orthogonal to it.
func (f *Factors) Rotate(v []float64) { f.apply(blas.Trans, v) }

// RotateBack replaces v by Qv.
func (f *Factors) RotateBack(v []float64) { f.apply(blas.NoTrans, v) }

func (f *Factors) apply(t blas.Transpose, v []float64) {
	right := blas64.General{Rows: len(v), Cols: 1, Stride: 1, Data: v}
	size := []float64{0}
	lapack64.Ormqr(blas.Left, t, f.packed, f.tau, right, size, -1)
	work := make([]float64, int(size[0]))
	lapack64.Ormqr(blas.Left, t, f.packed, f.tau, right, work, len(work))
}

// Solve replaces v, one value a column, by the x with Rx = v. R must be regular.
func (f *Factors) Solve(v []float64) { f.triangular(blas.NoTrans, v) }

// SolveTransposed replaces v by the x with Rᵀx = v. R must be regular.
func (f *Factors) SolveTransposed(v []float64) { f.triangular(blas.Trans, v) }

func (f *Factors) triangular(t blas.Transpose, v []float64) {
	blas64.Trsv(t, f.upper(), blas64.Vector{N: len(v), Data: v, Inc: 1})
}

func (f *Factors) upper() blas64.Triangular {
	r := f.R.RawMatrix()
	return blas64.Triangular{Uplo: blas.Upper, Diag: blas.NonUnit, N: r.Cols, Stride: r.Stride, Data: r.Data}
}

// Condition estimates the condition number of R in the 1-norm; infinite if R is singular.
func (f *Factors) Condition() float64 {
	k := len(f.tau)
	return 1 / lapack64.Trcon(lapack.MaxColumnSum, f.upper(), make([]float64, 3*k), make([]int, k))
}

// Entangled lists the columns that a matrix without full rank can't tell apart:
// those with a share in the right singular vector of the smallest singular value.
func (f *Factors) Entangled() []int {
	const share = 0.1
	var svd mat.SVD
	if !svd.Factorize(f.R, mat.SVDThin) {
		return nil
	}
	var v mat.Dense
	svd.VTo(&v)
	var columns []int
	for c := range f.tau {
		if math.Abs(v.At(c, len(f.tau)-1)) > share {
			columns = append(columns, c)
		}
	}
	return columns
}
