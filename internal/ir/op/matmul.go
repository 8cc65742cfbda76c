package op

import (
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the matrix product.

// MatMul is a batched matrix product; a transposed operand has its last two axes swapped.
type MatMul struct {
	TransA, TransB bool
	At             ir.Precision // of F32 operands
}

// Name is "MatMul".
func (MatMul) Name() string { return "MatMul" }

// Attrs says which operands are transposed.
func (op MatMul) Attrs() string {
	s := ""
	switch {
	case op.TransA && op.TransB:
		s = "transposed both"
	case op.TransA:
		s = "transposed first"
	case op.TransB:
		s = "transposed second"
	}
	if op.At != ir.PrecisionF32 {
		s = strings.TrimPrefix(s+" "+op.At.String(), " ")
	}
	return s
}

// Precision returns the precision of F32 operands.
func (op MatMul) Precision() ir.Precision { return op.At }

// Contracts says which operands are transposed.
func (op MatMul) Contracts() (transposeA, transposeB bool) { return op.TransA, op.TransB }

// Sizes returns the sizes m and k of the first operand and k and n of the second, as they are multiplied.
func (op MatMul) Sizes(a, b []int) (m, ka, kb, n int) {
	m, ka = a[len(a)-2], a[len(a)-1]
	if op.TransA {
		m, ka = ka, m
	}
	kb, n = b[len(b)-2], b[len(b)-1]
	if op.TransB {
		kb, n = n, kb
	}
	return
}

// Infer is the shape rule: [batch... m k], [batch... k n] -> [batch... m n].
func (op MatMul) Infer(in []ir.Type) (ir.Type, error) {
	a, b := in[0].Shape, in[1].Shape
	for i, t := range in {
		if len(t.Shape) < 2 {
			return ir.Type{}, ir.NewProblem("operand %d is %s and needs at least two axes", i+1, ir.ShapeString(t.Shape)).
				WithHint("Unsqueeze makes a vector a matrix of one row or column")
		}
	}
	if in[0].DType != in[1].DType {
		return ir.Type{}, ir.NewProblem("operands are %v and %v", in[0].DType, in[1].DType).WithHint("Cast one of them")
	}
	if in[0].DType == ir.Bool {
		return ir.Type{}, ir.NewProblem("the operands are bool and should be numbers").WithHint("Cast them")
	}
	m, ka, kb, n := op.Sizes(a, b)
	if ka != kb {
		axisA, axisB := len(a)-1, len(b)-2
		if op.TransA {
			axisA--
		}
		if op.TransB {
			axisB++
		}
		p := ir.NewProblem("%s x %s: the inner sizes %d and %d differ (axis %d of the first, axis %d of the second)",
			ir.ShapeString(a), ir.ShapeString(b), ka, kb, axisA, axisB)
		if !op.TransB && ka == n {
			p = p.WithHint("MatMulT multiplies by the transpose of the second operand")
		}
		return ir.Type{}, p
	}
	if !slices.Equal(a[:len(a)-2], b[:len(b)-2]) {
		return ir.Type{}, ir.NewProblem("%s x %s: the batch axes differ", ir.ShapeString(a), ir.ShapeString(b))
	}
	return ir.Type{DType: in[0].DType, Shape: append(slices.Clone(a[:len(a)-2]), m, n)}, nil
}

// Eval is the reference kernel. Floats are summed in float64.
func (op MatMul) Eval(out ir.Array, in []ir.Array) {
	in = op.At.Operands(in)
	a, b := in[0], in[1]
	m, k, _, n := op.Sizes(a.Shape, b.Shape)
	at := func(rows, cols, row, col int, transposed bool) int {
		if transposed {
			return col*rows + row
		}
		return row*cols + col
	}
	for batch := range ir.Size(out.Shape[:len(out.Shape)-2]) {
		for i := range m {
			for j := range n {
				var sum float64
				var whole int64
				for l := range k {
					x := batch*m*k + at(m, k, i, l, op.TransA)
					y := batch*k*n + at(k, n, l, j, op.TransB)
					if a.DType.Float() {
						sum += a.Float(x) * b.Float(y)
					} else {
						whole += a.Int(x) * b.Int(y)
					}
				}
				if a.DType.Float() {
					out.SetFloat((batch*m+i)*n+j, sum)
				} else {
					out.SetInt((batch*m+i)*n+j, whole)
				}
			}
		}
	}
}
