package tarn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds pooling: what a window that moves over the spatial axes makes of each channel. Two pairs of ops are
// enough, each closed under differentiation: picking elements where another operand is largest, and the sum.

// poolOp moves a window. size holds the spatial sizes of the result: places of the window, or for the adjoints those of
// the operand of the pooling.
type poolOp struct {
	kind   ir.PoolKind
	window ir.Window
	size   []int
}

func (op poolOp) Name() string {
	return [...]string{ir.PoolPick: "MaxPool", ir.PoolSpread: "MaxPoolSpread", ir.PoolSum: "SumPool", ir.PoolSumSpread: "SumPoolSpread"}[op.kind]
}

func (op poolOp) Attrs() string {
	return fmt.Sprintf("window=%v %s size=%v", op.window.Size, windowAttrs(op.window.Stride, op.window.Dilation, op.window.Before), op.size)
}

func (op poolOp) Pools() (ir.PoolKind, ir.Window) { return op.kind, op.window }

// Infer trusts the spatial sizes, which the methods below have worked out.
func (op poolOp) Infer(in []ir.Type) (ir.Type, error) {
	t := in[len(in)-1]
	last := len(t.Shape) - 1
	shape := append(append([]int{t.Shape[0]}, op.size...), t.Shape[last])
	return ir.Type{DType: t.DType, Shape: shape}, nil
}

func (op poolOp) Eval(out ir.Array, in []ir.Array) {
	x, y := in[0], out // the arrays over which the window moves, and of its places
	if op.kind == ir.PoolSumSpread {
		x, y = out, in[0]
	} else if op.kind == ir.PoolSpread {
		y = in[1]
	}
	last := len(x.Shape) - 1
	space, places, channels := x.Shape[1:last], y.Shape[1:last], x.Shape[last]
	taps := map[int][]int{} // the elements of each window, in order
	op.window.Triples(space, places, func(x, k, y int) { taps[y] = append(taps[y], x) })
	for n := range x.Shape[0] {
		for p := range ir.Size(places) {
			for c := range channels {
				yi := (n*ir.Size(places)+p)*channels + c
				at := func(i int) int { return (n*ir.Size(space)+taps[p][i])*channels + c }
				switch op.kind {
				case ir.PoolSum:
					sum := 0.0
					for i := range taps[p] {
						sum += x.Float(at(i))
					}
					out.SetFloat(yi, sum)
				case ir.PoolSumSpread:
					for i := range taps[p] {
						out.SetFloat(at(i), out.Float(at(i))+y.Float(yi))
					}
				default:
					if len(taps[p]) == 0 {
						continue
					}
					best := 0
					for i := range taps[p] {
						if v := x.Float(at(i)); math.IsNaN(v) {
							best = i
							break
						} else if v > x.Float(at(best)) {
							best = i
						}
					}
					if op.kind == ir.PoolPick {
						out.SetFloat(yi, in[1].Float(at(best)))
					} else {
						out.SetFloat(at(best), out.Float(at(best))+y.Float(yi))
					}
				}
			}
		}
	}
}

// adjoint is the op of another kind with the same window, whose result has the spatial sizes of t.
func (op poolOp) adjoint(kind ir.PoolKind, t ir.Type) poolOp {
	return poolOp{kind, op.window, t.Shape[1 : len(t.Shape)-1]}
}

// grad: what is picked is linear in the operand picked from, and which element is picked does not change.
func (op poolOp) grad(y, dy *Value) []*Value {
	g := dy.graph
	switch op.kind {
	case ir.PoolPick:
		return []*Value{nil, dy.spread(op.adjoint(ir.PoolSpread, y.in[0].typ), y.in[0])}
	case ir.PoolSpread:
		return []*Value{nil, g.add(op.adjoint(ir.PoolPick, y.in[1].typ), y.in[0], dy)}
	case ir.PoolSum:
		return []*Value{g.add(op.adjoint(ir.PoolSumSpread, y.in[0].typ), dy)}
	}
	return []*Value{g.add(op.adjoint(ir.PoolSum, y.in[0].typ), dy)}
}

// pool works out the op of a window over v; it is false where v has failed, or fails now.
// If whole is set, every place of the window must hold an element of v.
func (v *Value) pool(name string, kind ir.PoolKind, size []int, w Window, whole bool) (op poolOp, move window, failed *Value) {
	v = v.orLost()
	if v.failed {
		return op, move, v.graph.poison(failedOp{}, []*Value{v})
	}
	space, err := spatial(v.typ)
	if err == nil && len(size) == 1 {
		size = slices.Repeat(size, len(space))
	}
	if err == nil {
		move, err = w.on(space, slices.Clone(size), true)
	}
	if err == nil {
		for a, before := range move.Before {
			if reach := (size[a]-1)*move.Dilation[a] + 1; before > reach/2 {
				err = newProblem("the padding %d of spatial axis %d should be at most half of what the window reaches over, %d", before, a, reach)
				break
			}
		}
	}
	if err == nil && whole {
		err = move.emptyPlace(space)
	}
	if err != nil {
		return op, move, v.graph.failAs(name, []*Value{v}, err)
	}
	return poolOp{kind, move.Window, move.places}, move, nil
}

// emptyPlace returns an error if the window holds nothing but padding at some place.
func (w window) emptyPlace(space []int) error {
	for a, d := range space {
		for p := range w.places[a] {
			first := p*w.Stride[a] - w.Before[a] // of the window's elements, and now the first that is not before the operand
			if first < 0 {
				k := ceilDiv(-first, w.Dilation[a])
				if first += k * w.Dilation[a]; k >= w.Size[a] {
					first = d
				}
			}
			if first >= d {
				return newProblem("place %d of the window on spatial axis %d, of size %d, holds nothing but padding, of %d before and %d after", p, a, d, w.Before[a], w.after[a]).
					WithHint("pad by at most half of what the window reaches over")
			}
		}
	}
	return nil
}

// MaxPool is the largest element of each window, for each channel; padding does not count, and a window of nothing else is an error. size has
// a number for each spatial axis, or one for all, and the stride is the size unless it is given. The gradient goes to the first of elements
// that share the largest value. If an element is NaN, the result is NaN. Equal to torch.nn.functional.max_pool1d to max_pool3d.
//
// Shapes: [n d... c] -> [n places... c] with (d + padding - (size-1)*dilation - 1)/stride + 1 places.
func (v *Value) MaxPool(size []int, w Window) *Value {
	v = v.orLost()
	op, _, failed := v.pool("MaxPool", ir.PoolPick, size, w, true)
	if failed != nil {
		return failed
	}
	return v.graph.add(op, v, v)
}

// SumPool is the sum of each window, for each channel.
//
// Shapes: [n d... c] -> [n places... c], as MaxPool.
func (v *Value) SumPool(size []int, w Window) *Value {
	v = v.orLost()
	op, _, failed := v.pool("SumPool", ir.PoolSum, size, w, false)
	if failed != nil {
		return failed
	}
	return v.graph.add(op, v)
}

// AvgPool is the mean of each window, for each channel. If countPadding is true, padding counts as elements that are 0, as
// it does in PyTorch by default; otherwise only the elements of v count. Equal to torch.nn.functional.avg_pool1d to
// avg_pool3d.
//
// Shapes: [n d... c] -> [n places... c], as MaxPool.
func (v *Value) AvgPool(size []int, w Window, countPadding bool) *Value {
	v = v.orLost()
	op, move, failed := v.pool("AvgPool", ir.PoolSum, size, w, !countPadding)
	if failed != nil {
		return failed
	}
	sum := v.graph.add(op, v)
	space := v.typ.Shape[1 : len(v.typ.Shape)-1]
	after := make([]int, len(space))
	if countPadding {
		after = move.after
	}
	// The number of elements is a product of one number for each axis.
	counts, same := []float64{1}, true
	for a, d := range space {
		lo, hi := 0, d+after[a]
		if countPadding {
			lo = -move.Before[a]
		}
		var axis []float64
		for p := range move.places[a] {
			n := 0
			for k := range move.Size[a] {
				if i := p*move.Stride[a] + k*move.Dilation[a] - move.Before[a]; i >= lo && i < hi {
					n++
				}
			}
			axis = append(axis, float64(n))
			same = same && n == int(axis[0])
		}
		var all []float64
		for _, c := range counts {
			for _, n := range axis {
				all = append(all, c*n)
			}
		}
		counts = all
	}
	if len(counts) == 0 {
		return sum
	}
	if same {
		return sum.Scale(1 / counts[0])
	}
	t := Zeros(v.DType(), append(slices.Clone(move.places), 1)...)
	for i, n := range counts {
		t.SetFloat(i, 1/n)
	}
	return sum.Mul(v.graph.Const(t).broadcastTo(append(slices.Clone(move.places), v.Dim(-1))))
}

// LpPool is (sum of x^p)^(1/p) over each window, for each channel, p being positive. If the sum is negative, as with an odd p, the result is
// 0, and so is the gradient if the sum is not positive. Powers of large and small elements do not overflow or vanish. Equal to
// torch.nn.functional.lp_pool1d to lp_pool3d.
//
// Shapes: [n d... c] -> [n places... c], as MaxPool.
func (v *Value) LpPool(p float64, size []int, w Window) *Value {
	v = v.orLost()
	switch {
	case v.failed:
		return v.graph.poison(failedOp{}, []*Value{v})
	case !(p > 0) || math.IsInf(p, 1):
		return v.graph.failAs("LpPool", []*Value{v}, newProblem("the power %v should be positive", p))
	}
	if p == 1 || v.Rank() < 3 {
		return v.SumPool(size, w)
	}
	// A channel whose powers would overflow, or all vanish, is divided by its largest magnitude first.
	space := make([]int, v.Rank()-2)
	for i := range space {
		space[i] = i + 1
	}
	largest := v.unit(space).along(v, space...)
	bound := math.Pow(1e30, 1/p)
	if v.DType() == F64 {
		bound = math.Pow(1e250, 1/p)
	}
	scale := largest.Gt(Num(bound)).Or(largest.Lt(Num(1/bound))).branch(largest, Num(1))
	power := v.Div(scale)
	if p == 2 {
		power = power.Square()
	} else {
		power = power.Pow(Num(p))
	}
	sum := power.SumPool(size, w)
	return sum.Gt(Num(0)).branch(sum, Num(0)).safeRoot(1 / p).Mul(scale)
}

// Unfold returns the elements of each window side by side: what a convolution multiplies its kernel with. The elements
// outside of v are 0. Equal to torch.nn.functional.unfold with the axes in another order.
//
// Shapes: [n d... c] -> [n places... k... c], k... being size.
func (v *Value) Unfold(size []int, w Window) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	space, err := spatial(v.typ)
	if err == nil && len(size) == 1 {
		size = slices.Repeat(size, len(space))
	}
	var move window
	if err == nil {
		move, err = w.on(space, slices.Clone(size), false)
	}
	if err == nil && w.Ceil {
		err = newProblem("Ceil is an option of pooling")
	}
	if err == nil && ir.Size(size) > 1<<16 {
		err = newProblem("the window %v has %d elements", size, ir.Size(size))
	}
	if err != nil {
		return v.graph.failAs("Unfold", []*Value{v}, err)
	}
	padded := v
	for a := range space {
		padded = padded.Pad(a+1, move.Before[a], move.after[a])
	}
	rank := len(space)
	taps := make([]*Value, ir.Size(size))
	for k := range taps {
		tap := padded
		for a, i := range ir.Unravel(k, size) {
			first := i * move.Dilation[a]
			tap = tap.SliceStep(a+1, first, first+(move.places[a]-1)*move.Stride[a]+1, move.Stride[a])
		}
		taps[k] = tap
	}
	shape := append(append(append([]int{v.Dim(0)}, move.places...), size...), v.Dim(-1))
	return Stack(rank+1, taps...).Reshape(shape...)
}

// PixelShuffle makes an image r times as high and as wide from r*r times as many channels. Equal to
// torch.nn.functional.pixel_shuffle.
// Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel convolutional network, 2016.
//
// Shapes: [n h w c*r*r] -> [n h*r w*r c].
func (v *Value) PixelShuffle(r int) *Value {
	v = v.orLost()
	switch {
	case v.failed:
		return v.graph.poison(failedOp{}, []*Value{v})
	case v.Rank() != 4:
		return v.graph.failAs("PixelShuffle", []*Value{v}, newProblem("the operand is %v and should be [n h w c*r*r]", v.typ))
	case r < 1 || r > 1<<15 || v.Dim(3)%(r*r) != 0:
		return v.graph.failAs("PixelShuffle", []*Value{v}, newProblem("the operand is %v and its channels should be a multiple of r*r for r = %d", v.typ, r))
	}
	n, h, w, c := v.Dim(0), v.Dim(1), v.Dim(2), v.Dim(3)/(r*r)
	return v.Reshape(n, h, w, c, r, r).Permute(0, 1, 4, 2, 5, 3).Reshape(n, h*r, w*r, c)
}

// PixelUnshuffle is the reverse of PixelShuffle. Equal to torch.nn.functional.pixel_unshuffle.
//
// Shapes: [n h*r w*r c] -> [n h w c*r*r].
func (v *Value) PixelUnshuffle(r int) *Value {
	v = v.orLost()
	switch {
	case v.failed:
		return v.graph.poison(failedOp{}, []*Value{v})
	case v.Rank() != 4:
		return v.graph.failAs("PixelUnshuffle", []*Value{v}, newProblem("the operand is %v and should be [n h*r w*r c]", v.typ))
	case r < 1 || r > 1<<15 || v.Dim(1)%r != 0 || v.Dim(2)%r != 0:
		return v.graph.failAs("PixelUnshuffle", []*Value{v}, newProblem("the operand is %v and its height and width should be multiples of %d", v.typ, r))
	}
	n, h, w, c := v.Dim(0), v.Dim(1)/r, v.Dim(2)/r, v.Dim(3)
	return v.Reshape(n, h, r, w, r, c).Permute(0, 1, 3, 5, 2, 4).Reshape(n, h, w, c*r*r)
}
