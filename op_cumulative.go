package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds running products, extremes and log-sum-exps along an axis. The running product and log-sum-exp are kernels; their gradients come
// from the same result in the form of a tree, in which each element is combined with the one 1, 2, 4, 8 and so on places before it.

// cumulative is embedded by the ops that go along an axis line by line.
type cumulative struct{ axis int }

func (op cumulative) Attrs() string { return axesString([]int{op.axis}) }

// cumProdOp multiplies the elements along an axis from its start up to each.
type cumProdOp struct{ cumulative }

func (cumProdOp) Name() string { return "CumProd" }

func (op cumProdOp) Infer(in []ir.Type) (ir.Type, error) {
	if in[0].DType == ir.Bool {
		return ir.Type{}, newProblem("the operand is bool and should be a number").WithHint("Cast it")
	}
	return in[0], nil
}

func (op cumProdOp) Eval(out ir.Array, in []ir.Array) {
	x := in[0]
	eachLine(x.Shape, op.axis, func(_, start, stride, n int) {
		product, whole := 1.0, int64(1)
		for i := range n {
			at := start + i*stride
			if x.DType.Float() {
				product *= x.Float(at)
				out.SetFloat(at, product)
			} else {
				whole *= x.Int(at)
				out.SetInt(at, whole)
			}
		}
	})
}

// Accumulates returns a product along the axis.
func (op cumProdOp) Accumulates() (ir.AccumulateKind, int, bool) {
	return ir.AccumulateProd, op.axis, false
}

func (op cumProdOp) Run(out ir.Array, in []ir.Array) {
	switch in[0].DType {
	case ir.F32:
		runProducts[float32, float64](op.axis, out, in[0])
	case ir.F64:
		runProducts[float64, float64](op.axis, out, in[0])
	case ir.I32:
		runProducts[int32, int32](op.axis, out, in[0])
	default:
		runProducts[int64, int64](op.axis, out, in[0])
	}
}

func runProducts[T, W int32 | int64 | float32 | float64](axis int, out, in ir.Array) {
	x, y := ir.Slice[T](in), ir.Slice[T](out)
	n, stride := in.Shape[axis], ir.Size(in.Shape[axis+1:])
	for first := 0; first < len(x); first += n * stride {
		for start := first; start < first+stride; start++ {
			product := W(1)
			for at := start; at < start+n*stride; at += stride {
				product *= W(x[at])
				y[at] = T(product)
			}
		}
	}
}

// Dividing by an element fails where it is zero; the tree does not divide.
func (op cumProdOp) grad(y, dy *Value) []*Value {
	x := y.in[0]
	tree := x.runningTree(op.axis, func(a, b *Value) *Value { return a.Mul(b) })
	return dy.graph.backward([]*Value{tree}, []*Value{dy}, []*Value{x}, []*Value{x})
}

// runningTree combines each element of an axis with all before it by halving, for an f that is associative.
func (v *Value) runningTree(axis int, f func(a, b *Value) *Value) *Value {
	n := v.typ.Shape[axis]
	for s := 1; s < n; s *= 2 {
		v = Concat(axis, v.Slice(axis, 0, s), f(v.Slice(axis, 0, n-s), v.Slice(axis, s, n)))
	}
	return v
}

// CumProd is the running product along an axis: element i is the product of the elements 0 to i. Its gradient is right if elements are zero.
// Equal to torch.cumprod.
//
// Shapes: any with the axis -> same.
func (v *Value) CumProd(axis int) *Value {
	v = v.orLost()
	return v.withAxis(cumProdOp{}, axis, func(axis int) *Value { return v.graph.add(cumProdOp{cumulative{axis}}, v) })
}

// logCumSumExpOp is the logarithm of the sum of the exponentials along an axis from its start up to each.
type logCumSumExpOp struct{ cumulative }

func (logCumSumExpOp) Name() string { return "LogCumSumExp" }

func (op logCumSumExpOp) Infer(in []ir.Type) (ir.Type, error) {
	if !in[0].DType.Float() {
		return ir.Type{}, newProblem("the operand is %v and should be f32 or f64", in[0].DType).WithHint("Cast it")
	}
	return in[0], nil
}

func (op logCumSumExpOp) Eval(out ir.Array, in []ir.Array) {
	eachLine(in[0].Shape, op.axis, func(_, start, stride, n int) {
		var s logSum
		for i := range n {
			at := start + i*stride
			out.SetFloat(at, s.add(in[0].Float(at)))
		}
	})
}

// Accumulates returns a sum of exponentials along the axis.
func (op logCumSumExpOp) Accumulates() (ir.AccumulateKind, int, bool) {
	return ir.AccumulateLogSumExp, op.axis, false
}

func (op logCumSumExpOp) Run(out ir.Array, in []ir.Array) {
	if in[0].DType == ir.F32 {
		runLogSums[float32](op.axis, out, in[0])
	} else {
		runLogSums[float64](op.axis, out, in[0])
	}
}

func runLogSums[T float32 | float64](axis int, out, in ir.Array) {
	x, y := ir.Slice[T](in), ir.Slice[T](out)
	n, stride := in.Shape[axis], ir.Size(in.Shape[axis+1:])
	for first := 0; first < len(x); first += n * stride {
		for start := first; start < first+stride; start++ {
			var s logSum
			for at := start; at < start+n*stride; at += stride {
				y[at] = T(s.add(float64(x[at])))
			}
		}
	}
}

// logSum is a sum of exponentials: (1 + rest) e^largest. It is the sum of nothing if it has not begun.
type logSum struct {
	largest, rest float64
	begun         bool
}

// add adds e^x and returns the logarithm of the sum.
func (s *logSum) add(x float64) float64 {
	switch {
	case !s.begun:
		s.largest, s.begun = x, true
	case x <= s.largest:
		if s.largest > math.Inf(-1) && s.largest < math.Inf(1) {
			s.rest += math.Exp(x - s.largest)
		}
	case x > s.largest:
		s.rest, s.largest = (1+s.rest)*math.Exp(s.largest-x), x
	default: // NaN stays
		s.largest, s.rest = math.NaN(), math.NaN()
	}
	return s.largest + math.Log1p(s.rest)
}

func (op logCumSumExpOp) grad(y, dy *Value) []*Value {
	x := y.in[0]
	tree := x.runningTree(op.axis, (*Value).logaddexp)
	return dy.graph.backward([]*Value{tree}, []*Value{dy}, []*Value{x}, []*Value{x})
}

// LogCumSumExp is the logarithm of the running sum of exponentials along an axis, in a form that neither overflows nor loses small sums. Equal to
// torch.logcumsumexp.
//
// Shapes: any with the axis -> same.
func (v *Value) LogCumSumExp(axis int) *Value {
	v = v.orLost()
	return v.withAxis(logCumSumExpOp{}, axis, func(axis int) *Value { return v.graph.add(logCumSumExpOp{cumulative{axis}}, v) })
}

// cumArgOp returns the index of the largest or the smallest of the elements along an axis from its start up to each, the last of several.
type cumArgOp struct {
	cumulative
	smallest bool
}

func (op cumArgOp) Name() string {
	if op.smallest {
		return "CumMin"
	}
	return "CumMax"
}

func (op cumArgOp) Infer(in []ir.Type) (ir.Type, error) {
	if in[0].DType == ir.Bool {
		return ir.Type{}, newProblem("the operand is bool and should be a number").WithHint("Cast it")
	}
	return ir.Type{DType: ir.I64, Shape: in[0].Shape}, nil
}

func (op cumArgOp) Eval(out ir.Array, in []ir.Array) {
	x := in[0]
	eachLine(x.Shape, op.axis, func(_, start, stride, n int) {
		best := 0
		for i := range n {
			if !(argOp{smallest: op.smallest}).beats(x, start+best*stride, start+i*stride) {
				best = i
			}
			out.SetInt(start+i*stride, int64(best))
		}
	})
}

// Accumulates returns the order and the axis.
func (op cumArgOp) Accumulates() (ir.AccumulateKind, int, bool) {
	if op.smallest {
		return ir.AccumulateArgMin, op.axis, false
	}
	return ir.AccumulateArgMax, op.axis, false
}

func (op cumArgOp) Run(out ir.Array, in []ir.Array) {
	switch in[0].DType {
	case ir.F32:
		runExtremes[float32](op, out, in[0])
	case ir.F64:
		runExtremes[float64](op, out, in[0])
	case ir.I32:
		runExtremes[int32](op, out, in[0])
	default:
		runExtremes[int64](op, out, in[0])
	}
}

func runExtremes[T int32 | int64 | float32 | float64](op cumArgOp, out, in ir.Array) {
	x, y := ir.Slice[T](in), ir.Slice[int64](out)
	n, stride := in.Shape[op.axis], ir.Size(in.Shape[op.axis+1:])
	for first := 0; first < len(x); first += n * stride {
		for start := first; start < first+stride; start++ {
			best, most := 0, T(0)
			for i, at := 0, start; i < n; i, at = i+1, at+stride {
				v := x[at]
				if i == 0 || v != v || v == most || op.smallest && v < most || !op.smallest && v > most {
					best, most = i, v
				}
				y[at] = int64(best)
			}
		}
	}
}

func (op cumArgOp) grad(y, dy *Value) []*Value { return nil }

// CumMax returns the running maximum along an axis, NaN from the first NaN on, and the index of it as I64, the last of several. The gradient goes
// to the element that the index names. Equal to torch.cummax.
//
// Shapes: [d...] -> [d...], [d...].
func (v *Value) CumMax(axis int) (largest, indices *Value) {
	indices = v.cumArg(axis, false)
	return v.Gather(axis, indices), indices
}

// CumMin returns the running minimum along an axis, NaN from the first NaN on, and the index of it as I64, the last of several. The gradient goes
// to the element that the index names. Equal to torch.cummin.
//
// Shapes: [d...] -> [d...], [d...].
func (v *Value) CumMin(axis int) (smallest, indices *Value) {
	indices = v.cumArg(axis, true)
	return v.Gather(axis, indices), indices
}

func (v *Value) cumArg(axis int, smallest bool) *Value {
	v = v.orLost()
	op := cumArgOp{smallest: smallest}
	return v.withAxis(op, axis, func(axis int) *Value {
		op.axis = axis
		return v.graph.add(op, v)
	})
}

// Diff is the difference of neighbors along an axis, n times: element i is v[i+1] - v[i]. Equal to torch.diff.
//
// Shapes: [... d ...] -> [... max(d-n, 0) ...].
func (v *Value) Diff(axis, n int) *Value {
	a, d, err := v.splitAxis(axis)
	if err == nil && n < 0 {
		err = newProblem("the number of differences is %d and should not be negative", n)
	}
	if v = v.orLost(); err != nil {
		return v.graph.failAs("Diff", []*Value{v}, err)
	}
	for ; n > 0 && d > 0; n, d = n-1, d-1 {
		v = v.Slice(a, 1, d).Sub(v.Slice(a, 0, d-1))
	}
	return v
}
