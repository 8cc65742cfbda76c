package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds position encodings: they tell attention, which sees a set, the place of each vector in a sequence.

// LearnedPosition adds a learned vector for each place.
type LearnedPosition struct {
	Weight *tarn.Param // [context width]

	wrong mistake
}

// NewLearnedPosition returns vectors for the places of a context, drawn from the normal distribution with standard deviation 0.02.
func NewLearnedPosition(context, width int) *LearnedPosition {
	p := &LearnedPosition{Weight: tarn.NewParam(tarn.F32, Normal(0, 0.02), context, width)}
	p.wrong.sizes(fmt.Sprintf("NewLearnedPosition(%d, %d)", context, width), []string{"the number of places", "the width"}, context, width)
	return p
}

// Forward adds the vectors of the first places. Shapes: [... t width], t not above the context -> same.
func (p *LearnedPosition) Forward(x *tarn.Value) *tarn.Value {
	if p == nil {
		return missing("LearnedPosition", x)
	}
	if bad := p.wrong.report("LearnedPosition", x); bad != nil {
		return bad
	}
	w := p.Weight.Value(x.Graph())
	if x.Rank() < 2 || x.Dim(-2) > w.Dim(0) || x.Dim(-1) != w.Dim(1) {
		return x.Graph().Fail("LearnedPosition", []*tarn.Value{x, w}, "the operand has shape %s and should be [... t %d] with at most %d places", shapeString(x.Shape()), w.Dim(1), w.Dim(0))
	}
	return x.Add(w.Slice(0, 0, x.Dim(-2)))
}

// At adds the vector of each place in position. Shapes: [... t width], [t] of i32 or i64 -> [... t width].
func (p *LearnedPosition) At(x, position *tarn.Value) *tarn.Value {
	if p == nil {
		return missing("LearnedPosition.At", x)
	}
	if bad := p.wrong.report("LearnedPosition", x); bad != nil {
		return bad
	}
	return x.Add(p.Weight.Value(x.Graph()).Take(0, position))
}

// SinusoidalPosition adds sin(t/f) and cos(t/f) to alternate elements of the vector of place t, for wave lengths f from 1 to Base.
// Vaswani et al., Attention is all you need, 2017.
type SinusoidalPosition struct {
	Base float64 // 0 means 10000
}

// Forward adds the waves. Shapes: [... t width] -> same.
func (p SinusoidalPosition) Forward(x *tarn.Value) *tarn.Value {
	if x.Rank() < 2 || !x.DType().IsFloat() {
		return x.Graph().Fail("SinusoidalPosition", []*tarn.Value{x}, "the operand is %v%s and should be [... t width] of f32 or f64", x.DType(), shapeString(x.Shape()))
	}
	if bad := badBase("SinusoidalPosition", x, p.Base); bad != nil {
		return bad
	}
	n, width := x.Dim(-2), x.Dim(-1)
	waves := tarn.Zeros(x.DType(), n, width)
	for t := range n {
		for i := range width {
			angle := float64(t) * math.Pow(positionBase(p.Base), -float64(i/2*2)/float64(width))
			if i%2 == 0 {
				waves.SetFloat(t*width+i, math.Sin(angle))
			} else {
				waves.SetFloat(t*width+i, math.Cos(angle))
			}
		}
	}
	return x.Add(x.Graph().Const(waves))
}

// badBase reports a Base that makes no sense as a poisoned value; nil otherwise.
func badBase(layer string, x *tarn.Value, base float64) *tarn.Value {
	if base >= 0 && !math.IsInf(base, 1) {
		return nil
	}
	return x.Graph().Fail(layer, []*tarn.Value{x}, "Base is %v and should be finite and positive, or 0 for 10000", base)
}

func positionBase(base float64) float64 {
	if base == 0 {
		return 10000
	}
	return base
}

// RotaryPosition rotates pairs of elements of queries and keys by angles that grow with the place, so that their product depends only
// on the distance of their places. Apply it to both, head by head, before attention.
// Su et al., RoFormer: enhanced transformer with rotary position embedding, 2021.
type RotaryPosition struct {
	Context     int     // the number of places
	Base        float64 // 0 means 10000
	Interleaved bool    // pairs are elements 2i and 2i+1, as in the paper; else i and i+size/2, as in GPT-NeoX and Llama
}

// Forward rotates the vectors of the first places. Shapes: [... t size], size even, t not above the context -> same.
func (p RotaryPosition) Forward(x *tarn.Value) *tarn.Value { return p.turn(x, nil) }

// At rotates the vectors of the places in position. Shapes: [... t size], [t] of i32 or i64 -> [... t size].
func (p RotaryPosition) At(x, position *tarn.Value) *tarn.Value { return p.turn(x, position) }

func (p RotaryPosition) turn(x, position *tarn.Value) *tarn.Value {
	g := x.Graph()
	n, size := x.Dim(-2), x.Dim(-1)
	if x.Rank() < 2 || !x.DType().IsFloat() || size%2 != 0 || position == nil && n > p.Context {
		return g.Fail("RotaryPosition", []*tarn.Value{x}, "the operand is %v%s and should be [... t size] of f32 or f64 with an even size and at most %d places", x.DType(), shapeString(x.Shape()), p.Context)
	}
	if bad := badBase("RotaryPosition", x, p.Base); bad != nil {
		return bad
	}
	if p.Context < 1 {
		return g.Fail("RotaryPosition", []*tarn.Value{x}, "Context is %d and should be at least 1", p.Context)
	}
	half := size / 2
	table := func(f func(float64) float64) *tarn.Value {
		t := tarn.Zeros(x.DType(), p.Context, half)
		for place := range p.Context {
			for i := range half {
				t.SetFloat(place*half+i, f(float64(place)*math.Pow(positionBase(p.Base), -float64(2*i)/float64(size))))
			}
		}
		if position == nil {
			return g.Const(t).Slice(0, 0, n)
		}
		return g.Const(t).Take(0, position)
	}
	cos, sin := table(math.Cos), table(math.Sin)
	if p.Interleaved {
		a, b := x.SliceStep(-1, 0, size, 2), x.SliceStep(-1, 1, size, 2)
		return tarn.Stack(-1, a.Mul(cos).Sub(b.Mul(sin)), a.Mul(sin).Add(b.Mul(cos))).Reshape(x.Shape()...)
	}
	a, b := x.Slice(-1, 0, half), x.Slice(-1, half, size)
	return tarn.Concat(-1, a.Mul(cos).Sub(b.Mul(sin)), a.Mul(sin).Add(b.Mul(cos)))
}

// ALiBiSlopes returns the slopes of the heads: 2^(-8i/heads) for head i from 1 on, if the number of heads is a power of two.
// Otherwise they are those of the next lower power, followed by every second one of the next higher.
// Press, Smith and Lewis, Train short, test long: attention with linear biases enables input length extrapolation, 2022.
func ALiBiSlopes(heads int) []float64 {
	power := 1
	for power*2 <= heads {
		power *= 2
	}
	var slopes []float64
	for i := 1; i <= min(power, heads); i++ {
		slopes = append(slopes, math.Exp2(-8*float64(i)/float64(power)))
	}
	for i := 1; len(slopes) < heads; i += 2 {
		slopes = append(slopes, math.Exp2(-4*float64(i)/float64(power)))
	}
	return slopes
}

// ALiBi returns a mask that lowers the score of each key by its distance to the query times the slope of the head, for causal
// attention. What is the same for all keys of a query has no effect on its weights, so slope*key stands for
// slope*(key-query), and the mask has no axis of queries.
//
// Shapes: [heads 1 keys].
func ALiBi(g *tarn.Graph, dtype tarn.DType, heads, keys int) *tarn.Value {
	if heads < 1 || keys < 0 || !dtype.IsFloat() {
		return g.Fail("ALiBi", nil, "there are %d heads and %d keys of %v", heads, keys, fmt.Sprint(dtype))
	}
	mask := tarn.Zeros(dtype, heads, 1, keys)
	for h, slope := range ALiBiSlopes(heads) {
		for j := range keys {
			mask.SetFloat(h*keys+j, slope*float64(j-keys+1))
		}
	}
	return g.Const(mask)
}

// alibiBothWays is the mask for attention that is not causal: the score of each key is lowered by its distance to the query, before it or behind,
// times the slope of the head. [heads queries keys].
func alibiBothWays(g *tarn.Graph, dtype tarn.DType, heads, queries, keys int) *tarn.Value {
	if heads < 1 || !dtype.IsFloat() {
		return g.Fail("ALiBi", nil, "there are %d heads of %v", heads, fmt.Sprint(dtype))
	}
	distance := g.Iota(dtype, 0, queries, keys).Sub(g.Iota(dtype, 1, queries, keys)).Abs()
	slopes := g.Const(tarn.Vector(ALiBiSlopes(heads)).Cast(dtype)).Reshape(heads, 1, 1)
	return distance.Unsqueeze(0).Mul(slopes).Neg()
}

// withMask joins a mask that is added to the scores, [heads queries keys], with another one, or nil.
func withMask(added *tarn.Value, mask tarn.Operand) tarn.Operand {
	if mask == nil {
		return added
	}
	var other *tarn.Value
	switch m := mask.(type) {
	case *tarn.Value:
		other = m
	case *tarn.Param:
		other = m.Value(added.Graph())
	default:
		return added.Add(mask)
	}
	if other == nil {
		return other // which attention reports
	}
	rank := max(added.Rank(), other.Rank())
	wide := func(v *tarn.Value) *tarn.Value {
		if lack := rank - v.Rank(); lack > 0 {
			return v.Reshape(append(slices.Repeat([]int{1}, lack), v.Shape()...)...)
		}
		return v
	}
	added, other = wide(added), wide(other)
	if other.DType() == tarn.Bool {
		return other.Where(added, tarn.Num(math.Inf(-1)))
	}
	return added.Add(other)
}
