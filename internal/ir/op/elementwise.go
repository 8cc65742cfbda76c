package op

import (
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the ops that go element by element: one type for all scalar functions, and the conversion.

// Elementwise applies a scalar function to operands of one shape.
type Elementwise struct{ F scalar.Func }

// Name is the function's.
func (op Elementwise) Name() string { return op.F.String() }

// Attrs is empty.
func (Elementwise) Attrs() string { return "" }

// Scalar returns the function.
func (op Elementwise) Scalar() scalar.Func { return op.F }

// Infer is the shape rule: as many of one shape as the function takes -> the same.
func (op Elementwise) Infer(in []ir.Type) (ir.Type, error) {
	if len(in) != op.F.Arity() {
		return ir.Type{}, ir.NewProblem("%d operands are given and there should be %d", len(in), op.F.Arity())
	}
	values := in
	if op.F == scalar.Where {
		if in[0].DType != ir.Bool {
			return ir.Type{}, ir.NewProblem("the condition is %v and should be bool", in[0].DType)
		}
		values = in[1:]
	}
	dtype := values[0].DType
	for i, t := range values {
		if t.DType != dtype {
			return ir.Type{}, ir.NewProblem("operands are %v and %v", dtype, t.DType).WithHint("Cast one of them")
		}
		if i > 0 && !t.Equal(values[0]) {
			return ir.Type{}, ir.NewProblem("operands have shapes %s and %s", ir.ShapeString(values[0].Shape), ir.ShapeString(t.Shape))
		}
	}
	switch {
	case op.F == scalar.Where:
	case op.F.FloatOnly() && !dtype.Float():
		return ir.Type{}, ir.NewProblem("the operand is %v and should be f32 or f64", dtype).WithHint("Cast it")
	case op.F.IntOnly() && dtype != ir.I32 && dtype != ir.I64:
		return ir.Type{}, ir.NewProblem("the operand is %v and should be i32 or i64", dtype)
	case op.F.Logical() && dtype != ir.Bool:
		return ir.Type{}, ir.NewProblem("the operand is %v and should be bool, i32 or i64", dtype)
	case dtype == ir.Bool && !op.F.Logical() && op.F != scalar.Eq && op.F != scalar.Ne:
		return ir.Type{}, ir.NewProblem("the operand is bool and should be a number").WithHint("Cast it")
	}
	if op.F.GivesBool() {
		dtype = ir.Bool
	}
	return ir.Type{DType: dtype, Shape: values[0].Shape}, nil
}

// Eval is the reference kernel.
func (op Elementwise) Eval(out ir.Array, in []ir.Array) {
	for i := range out.Size() {
		evalScalar(op.F, out, in, i)
	}
}

// evalScalar computes element i of out by a scalar function.
func evalScalar(f scalar.Func, out ir.Array, in []ir.Array, i int) {
	dtype := in[len(in)-1].DType // that of the values, for Where too
	if dtype.Float() {
		var x [3]float64
		for j, a := range in {
			x[j] = a.Float(i)
		}
		if dtype == ir.F32 {
			out.SetFloat(i, float64(scalar.F32(f, float32(x[0]), float32(x[1]), float32(x[2]))))
		} else {
			out.SetFloat(i, scalar.F64(f, x[0], x[1], x[2]))
		}
		return
	}
	var x [3]int64
	for j, a := range in {
		x[j] = a.Int(i)
	}
	switch dtype {
	case ir.I32:
		out.SetInt(i, int64(scalar.I32(f, int32(x[0]), int32(x[1]), int32(x[2]))))
	case ir.I64:
		out.SetInt(i, scalar.I64(f, x[0], x[1], x[2]))
	default:
		out.SetBool(i, scalar.Bool(f, x[0] != 0, x[1] != 0, x[2] != 0))
	}
}

// Cast converts to another dtype.
type Cast struct{ To ir.DType }

// Name is "Cast".
func (Cast) Name() string { return "Cast" }

// Attrs prints the dtype.
func (op Cast) Attrs() string { return op.To.String() }

// Converts marks a conversion.
func (Cast) Converts() {}

// Infer is the shape rule: any -> same, of dtype To.
func (op Cast) Infer(in []ir.Type) (ir.Type, error) {
	return ir.Type{DType: op.To, Shape: in[0].Shape}, nil
}

// Eval is the reference kernel.
func (op Cast) Eval(out ir.Array, in []ir.Array) {
	for i := range out.Size() {
		switch x := in[0]; {
		case (x.DType == ir.F32 || x.DType.Storage()) && op.To == ir.Bool: // a comparison with zero
			out.SetFloat(i, float64(scalar.F32(scalar.Ne, float32(x.Float(i)), 0, 0)))
		case x.DType == ir.F64 && op.To == ir.Bool:
			out.SetFloat(i, scalar.F64(scalar.Ne, x.Float(i), 0, 0))
		case x.DType.Float() || x.DType.Storage():
			out.SetFloat(i, x.Float(i))
		default:
			out.SetInt(i, x.Int(i))
		}
	}
}
