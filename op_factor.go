package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what the factorizations of matrices have in common. They treat each matrix of the last two axes apart, and
// compute in f64 whatever the dtype. A matrix that has no such factors gives NaN, and the others of the batch what they should.
// An op has one result: two factors are the rows or the columns of one, and are taken out of it as views.

// matrices is embedded by ops that compute a matrix from the matrices of the operands.
type matrices struct{}

// Rows lets each matrix be done apart.
func (matrices) Rows(out ir.Type, in []ir.Type) int { return ir.Size(out.Shape[:len(out.Shape)-2]) }

// Work is enough for ops whose factorization needs none.
func (matrices) Work(out ir.Type, in []ir.Type) int { return matrixWork(out, in) }

// inEach calls f for each matrix from first to before end with those of the operands, which it may overwrite, with that of the
// result, which it has to fill, and with what is left of work, whose length is matrixWork and what f needs.
func inEach(out ir.Array, in []ir.Array, first, end int, work []float64, f func(y []float64, x [3][]float64, work []float64)) {
	cut := func(t ir.Type) []float64 {
		n := matrixSize(t)
		part := work[:n]
		work = work[n:]
		return part
	}
	y := cut(out.Type)
	var x [3][]float64
	for i, a := range in {
		x[i] = cut(a.Type)
	}
	for m := first; m < end; m++ {
		for i, a := range in {
			if a.DType == ir.F64 {
				copy(x[i], ir.Slice[float64](a)[m*len(x[i]):])
				continue
			}
			for j, v := range ir.Slice[float32](a)[m*len(x[i]) : (m+1)*len(x[i])] {
				x[i][j] = float64(v)
			}
		}
		f(y, x, work)
		if out.DType == ir.F64 {
			copy(ir.Slice[float64](out)[m*len(y):], y)
			continue
		}
		for j, v := range y {
			ir.Slice[float32](out)[m*len(y)+j] = float32(v)
		}
	}
}

func matrixSize(t ir.Type) int { return ir.Size(t.Shape[len(t.Shape)-2:]) }

// matrixWork is the length of the work that inEach needs.
func matrixWork(out ir.Type, in []ir.Type) int {
	n := matrixSize(out)
	for _, t := range in {
		n += matrixSize(t)
	}
	return n
}

// eachMatrix is inEach of all matrices, for reference kernels.
func eachMatrix(out ir.Array, in []ir.Array, f func(y []float64, x [3][]float64)) {
	work := make([]float64, matrixWork(out.Type, typesOf(in)))
	inEach(out, in, 0, matrices{}.Rows(out.Type, nil), work, func(y []float64, x [3][]float64, _ []float64) { f(y, x) })
}

// runAll computes all rows with memory of its own.
func runAll(op ir.Worker, out ir.Array, in []ir.Array) {
	types := typesOf(in)
	op.RunRows(out, in, 0, op.Rows(out.Type, types), make([]float64, op.Work(out.Type, types)))
}

func typesOf(in []ir.Array) []ir.Type {
	types := make([]ir.Type, len(in))
	for i, a := range in {
		types[i] = a.Type
	}
	return types
}

// symmetrize makes the matrix of n rows its symmetric part.
func symmetrize(a []float64, n int) {
	for i := range n {
		for j := range i {
			mean := a[i*n+j]/2 + a[j*n+i]/2
			a[i*n+j], a[j*n+i] = mean, mean
		}
	}
}

// symmetric is the symmetric part of each matrix.
func (v *Value) symmetric() *Value { return v.Add(v.Transpose(-2, -1)).Scale(0.5) }

// checkMatrix refuses an operand whose last two axes are no matrix of floats.
func checkMatrix(t ir.Type) error {
	if len(t.Shape) < 2 {
		return newProblem("the operand is %v and needs at least two axes", t)
	}
	if !t.DType.Float() {
		return newProblem("the operand is %v and should be f32 or f64", t).WithHint("Cast it")
	}
	return nil
}

// checkSquare refuses all but square matrices of floats.
func checkSquare(t ir.Type) error {
	if err := checkMatrix(t); err != nil {
		return err
	}
	if m, n := t.Shape[len(t.Shape)-2], t.Shape[len(t.Shape)-1]; m != n {
		return newProblem("the operand is %v: its matrices have %d rows and %d columns and should be square", t, m, n)
	}
	return nil
}

// checkSystem refuses what is no square matrix with right sides, and else gives the type of the solution.
func checkSystem(in []ir.Type) (ir.Type, error) {
	if err := checkSquare(in[0]); err != nil {
		return ir.Type{}, err
	}
	return in[1], checkSides(in[0], in[1])
}

// checkSides refuses right sides that do not fit the matrix a.
func checkSides(a, b ir.Type) error {
	switch last := len(b.Shape) - 1; {
	case a.DType != b.DType:
		return newProblem("the operands are %v and %v", a.DType, b.DType).WithHint("Cast one of them")
	case len(a.Shape) != len(b.Shape):
		p := newProblem("the matrix %s and the right sides %s have ranks %d and %d", ir.ShapeString(a.Shape), ir.ShapeString(b.Shape), len(a.Shape), len(b.Shape))
		if len(b.Shape) == len(a.Shape)-1 {
			p = p.WithHint("Unsqueeze(-1) makes a vector a matrix of one column")
		}
		return p
	case a.Shape[last-1] != b.Shape[last-1]:
		return newProblem("the matrix %s and the right sides %s have %d and %d rows", ir.ShapeString(a.Shape), ir.ShapeString(b.Shape),
			a.Shape[last-1], b.Shape[last-1])
	case !slices.Equal(a.Shape[:last-1], b.Shape[:last-1]):
		return newProblem("the matrix %s and the right sides %s: the batch axes differ", ir.ShapeString(a.Shape), ir.ShapeString(b.Shape)).
			WithHint("Expand gives one matrix to all")
	}
	return nil
}
