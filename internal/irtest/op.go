// Package irtest makes small graphs for the tests of the compiler: a few ops that implement the interfaces of package ir
// the way the ops of the root package do, each with an obviously right reference kernel, and random graphs made of them.
package irtest

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// Function applies a scalar function.
type Function struct{ F scalar.Func }

// Name is the function's.
func (op Function) Name() string { return op.F.String() }

// Attrs is empty.
func (Function) Attrs() string { return "" }

// Scalar is the function.
func (op Function) Scalar() scalar.Func { return op.F }

// Infer wants as many operands of one shape as the function takes.
func (op Function) Infer(in []ir.Type) (ir.Type, error) {
	if len(in) != op.F.Arity() {
		return ir.Type{}, fmt.Errorf("%d operands", len(in))
	}
	for _, t := range in {
		if !slices.Equal(t.Shape, in[0].Shape) {
			return ir.Type{}, fmt.Errorf("the shapes %v and %v", in[0], t)
		}
	}
	t := in[len(in)-1]
	if op.F.GivesBool() {
		t.DType = ir.Bool
	}
	return t, nil
}

// Eval goes element by element.
func (op Function) Eval(out ir.Array, in []ir.Array) {
	for i := range out.Size() {
		var x [3]float64
		var n [3]int64
		for k, a := range in {
			x[k], n[k] = a.Float(i), a.Int(i)
		}
		switch last := in[len(in)-1].DType; {
		case last == ir.F32:
			out.SetFloat(i, float64(scalar.F32(op.F, float32(x[0]), float32(x[1]), float32(x[2]))))
		case last == ir.F64:
			out.SetFloat(i, scalar.F64(op.F, x[0], x[1], x[2]))
		case last == ir.I32:
			out.SetInt(i, int64(scalar.I32(op.F, int32(n[0]), int32(n[1]), int32(n[2]))))
		case last == ir.I64:
			out.SetInt(i, scalar.I64(op.F, n[0], n[1], n[2]))
		default:
			out.SetFloat(i, scalar.F64(op.F, x[0], x[1], x[2]))
		}
	}
}

// Cast converts to a dtype.
type Cast struct{ To ir.DType }

// Name is "Cast".
func (Cast) Name() string { return "Cast" }

// Attrs is the dtype.
func (op Cast) Attrs() string { return op.To.String() }

// Converts marks a conversion.
func (Cast) Converts() {}

// Infer keeps the shape.
func (op Cast) Infer(in []ir.Type) (ir.Type, error) {
	return ir.Type{DType: op.To, Shape: in[0].Shape}, nil
}

// Eval goes element by element.
func (op Cast) Eval(out ir.Array, in []ir.Array) {
	for i := range out.Size() {
		if in[0].DType.Float() {
			out.SetFloat(i, in[0].Float(i))
		} else {
			out.SetInt(i, in[0].Int(i))
		}
	}
}

// Reduce combines the elements along axes.
type Reduce struct {
	Kind ir.ReduceKind
	Axes []int
}

// Name is the kind's.
func (op Reduce) Name() string {
	return [...]string{"Sum", "Prod", "Max", "Min", "All", "Any"}[op.Kind]
}

// Attrs are the axes.
func (op Reduce) Attrs() string { return fmt.Sprint(op.Axes) }

// Reduces gives kind and axes.
func (op Reduce) Reduces() (ir.ReduceKind, []int) { return op.Kind, op.Axes }

// Infer drops the axes.
func (op Reduce) Infer(in []ir.Type) (ir.Type, error) {
	t := ir.Type{DType: in[0].DType, Shape: []int{}}
	for a, d := range in[0].Shape {
		if !slices.Contains(op.Axes, a) {
			t.Shape = append(t.Shape, d)
		}
	}
	return t, nil
}

// Eval adds up in float64, or takes integers as they are.
func (op Reduce) Eval(out ir.Array, in []ir.Array) {
	sums := ir.NewArray(out.Type)
	if out.DType == ir.F32 {
		sums = ir.NewArray(ir.Type{DType: ir.F64, Shape: out.Shape})
	}
	for o := range sums.Size() {
		ir.Identity(op.Kind, sums, o)
	}
	strides := make([]int, len(in[0].Shape))
	own := ir.Strides(out.Shape)
	at := 0
	for a := range strides {
		if !slices.Contains(op.Axes, a) {
			strides[a] = own[at]
			at++
		}
	}
	to := ir.View{Shape: in[0].Shape, Strides: strides}
	combine := [...]scalar.Func{scalar.Add, scalar.Mul, scalar.Max, scalar.Min, scalar.And, scalar.Or}[op.Kind]
	for i := range in[0].Size() {
		o := to.At(i)
		if sums.DType.Float() {
			sums.SetFloat(o, scalar.F64(combine, sums.Float(o), in[0].Float(i), 0))
			continue
		}
		if sums.DType == ir.Bool {
			sums.SetInt(o, int64(scalar.F64(combine, sums.Float(o), in[0].Float(i), 0)))
			continue
		}
		sums.SetInt(o, scalar.I64(combine, sums.Int(o), in[0].Int(i), 0))
	}
	Cast{out.DType}.Eval(out, []ir.Array{sums})
}

// MatMul is a batched matrix product.
type MatMul struct{ A, B bool } // which operands are transposed

// Name is "MatMul".
func (MatMul) Name() string { return "MatMul" }

// Attrs says what is transposed.
func (op MatMul) Attrs() string { return fmt.Sprint(op.A, op.B) }

// Contracts says what is transposed.
func (op MatMul) Contracts() (transposeA, transposeB bool) { return op.A, op.B }

// Infer wants equal batches and inner sizes.
func (op MatMul) Infer(in []ir.Type) (ir.Type, error) {
	a, b := in[0].Shape, in[1].Shape
	r := len(a)
	m, k, k2, n := a[r-2], a[r-1], b[r-2], b[r-1]
	if op.A {
		m, k = k, m
	}
	if op.B {
		k2, n = n, k2
	}
	if !slices.Equal(a[:r-2], b[:r-2]) || k != k2 {
		return ir.Type{}, fmt.Errorf("a product of %v and %v", in[0], in[1])
	}
	return ir.Type{DType: in[0].DType, Shape: append(slices.Clone(a[:r-2]), m, n)}, nil
}

// Eval sums in float64.
func (op MatMul) Eval(out ir.Array, in []ir.Array) {
	r := len(out.Shape)
	m, n, k := out.Shape[r-2], out.Shape[r-1], in[0].Shape[r-1]
	if op.A {
		k = in[0].Shape[r-2]
	}
	a, b := floats(in[0]), floats(in[1])
	for o := range out.Size() {
		batch, i, j := o/(m*n), o/n%m, o%n
		atA, stepA, atB, stepB := i*k, 1, j, n
		if op.A {
			atA, stepA = i, m
		}
		if op.B {
			atB, stepB = j*k, 1
		}
		atA, atB = atA+batch*m*k, atB+batch*k*n
		sum := 0.0
		for range k {
			sum += a[atA] * b[atB]
			atA, atB = atA+stepA, atB+stepB
		}
		out.SetFloat(o, sum)
	}
}

func floats(a ir.Array) []float64 {
	s := make([]float64, a.Size())
	for i := range s {
		s[i] = a.Float(i)
	}
	return s
}

// Concat puts its operands one after the other along an axis.
type Concat struct{ Axis int }

// Name is the op's name.
func (Concat) Name() string { return "Concat" }

// Attrs gives the axis.
func (op Concat) Attrs() string { return fmt.Sprint(op.Axis) }

// Joins gives the axis.
func (op Concat) Joins() int { return op.Axis }

// Infer adds up the sizes along the axis.
func (op Concat) Infer(in []ir.Type) (ir.Type, error) {
	t := ir.Type{DType: in[0].DType, Shape: slices.Clone(in[0].Shape)}
	for _, other := range in[1:] {
		t.Shape[op.Axis] += other.Shape[op.Axis]
	}
	return t, nil
}

// Eval copies the operands.
func (op Concat) Eval(out ir.Array, in []ir.Array) {
	row, at := ir.Size(out.Shape[op.Axis:]), 0
	for _, x := range in {
		n := ir.Size(x.Shape[op.Axis:])
		for i := range x.Size() {
			out.CopyElement(i/n*row+at+i%n, x, i)
		}
		at += n
	}
}

// Backwards gives the elements of its operand in reverse order by a reference kernel alone, so that no family covers it.
// Where Bad it finds its operand's contents wrong if the first element is above 1.
type Backwards struct{ Bad bool }

// Name is "Backwards".
func (Backwards) Name() string { return "Backwards" }

// Attrs says whether it checks.
func (op Backwards) Attrs() string { return fmt.Sprint(op.Bad) }

// Infer is the operand's type.
func (Backwards) Infer(in []ir.Type) (ir.Type, error) { return in[0], nil }

// Eval copies element by element.
func (Backwards) Eval(out ir.Array, in []ir.Array) {
	for i := range out.Size() {
		out.CopyElement(i, in[0], out.Size()-1-i)
	}
}

// Checks is the only operand.
func (Backwards) Checks() int { return 0 }

// Check looks at the first element.
func (op Backwards) Check(x ir.Array, _ []ir.Type) error {
	if op.Bad && x.Size() > 0 && x.Float(0) > 1 {
		return fmt.Errorf("the first element is %v", x.Float(0))
	}
	return nil
}
