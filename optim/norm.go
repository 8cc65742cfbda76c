package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds norms of updates. Squares leave the range of a float long before the numbers do: in f32 from 1.8e19 on. So a
// sum of squares that is not finite, or so small that squares may be missing from it, is computed again in F64 and scaled, in a branch
// that other steps skip.

// GlobalNorm returns the Euclidean norm of all elements of some values of one graph together, as an F64 scalar. Finite elements of any
// size have a norm that is right, if it is at most the largest F64. There must be at least one value.
func GlobalNorm(values []*tarn.Value) *tarn.Value { return lengths(values)[0].value() }

// norm returns the Euclidean norm of all elements, an F64 scalar.
func norm(v *tarn.Value) *tarn.Value { return GlobalNorm([]*tarn.Value{v}) }

// length is a norm that may be too large or too small for a float: norm/unit. Both are F64 scalars. The unit is a power of two, and 1
// unless the norm is extreme.
type length struct{ norm, unit *tarn.Value }

func (l length) value() *tarn.Value { return l.norm.Div(l.unit) }

// moderate is the norm in a unit in which it is in the range of F32 too.
func (l length) moderate() length {
	unit := l.norm.Gt(tarn.Num(0x1p100)).Where(tarn.Num(0x1p-60), l.unit.Num(1))
	return length{l.norm.Mul(unit), l.unit.Mul(unit)}
}

// The numbers by which elements are scaled whose squares leave the range of F64.
const (
	scaleUp   = 0x1p600
	scaleDown = 0x1p-600
)

// lengths returns the norm of each list of values.
func lengths(lists ...[]*tarn.Value) []length {
	var all, sums []*tarn.Value
	var extreme *tarn.Value
	for _, values := range lists {
		all = append(all, values...)
		sum, tiny := sumOfSquares(values, func(v *tarn.Value) *tarn.Value { return v }), 0x1p-900
		for _, v := range values {
			if v.DType() == tarn.F32 {
				tiny = 0x1p-70
			}
		}
		sums = append(sums, sum)
		bad := sum.IsFinite().And(sum.Ge(tarn.Num(tiny))).Not()
		if extreme != nil {
			bad = extreme.Or(bad)
		}
		extreme = bad
	}
	n := len(all)
	one := all[0].Graph().Num(tarn.F64, 1)
	found := tarn.Cond(extreme, append(all, sums...), func(in []*tarn.Value) []*tarn.Value {
		var out []*tarn.Value
		for _, values := range lists {
			out = append(out, scaledSum(in[:len(values)])...)
			in = in[len(values):]
		}
		return out
	}, func(in []*tarn.Value) []*tarn.Value {
		var out []*tarn.Value
		for _, sum := range in[n:] {
			out = append(out, sum, one)
		}
		return out
	})
	out := make([]length, len(lists))
	for i := range lists {
		out[i] = length{found[2*i].Sqrt(), found[2*i+1]}
	}
	return out
}

// lengthsOf is lengths of the params one by one if others update a part of them, so that none has to know whether a norm of another is extreme.
func (c *Context) lengthsOf(lists ...[]*tarn.Value) (out []length) {
	if c.chain.memory.division == nil {
		return lengths(lists...)
	}
	for _, list := range lists {
		out = append(out, lengths(list)...)
	}
	return out
}

// sumOfSquares adds the squares of all elements of values up, each of which is changed before, as an F64 scalar.
func sumOfSquares(values []*tarn.Value, change func(v *tarn.Value) *tarn.Value) *tarn.Value {
	var sum *tarn.Value
	for _, v := range values {
		if s := change(v).Square().Sum().Cast(tarn.F64); sum == nil {
			sum = s
		} else {
			sum = sum.Add(s)
		}
	}
	return sum
}

// scaledSum returns a sum of squares that stays in the range of F64, and the number that the elements are multiplied by for it,
// which is 1 if all are 0.
func scaledSum(values []*tarn.Value) []*tarn.Value {
	plain := sumOfSquares(values, func(v *tarn.Value) *tarn.Value { return v.Cast(tarn.F64) })
	unit := plain.Lt(tarn.Num(0x1p-900)).Where(plain.Num(scaleUp), plain.IsFinite().Where(plain.Num(1), plain.Num(scaleDown)))
	scaled := sumOfSquares(values, func(v *tarn.Value) *tarn.Value { return v.Cast(tarn.F64).Mul(unit) })
	return []*tarn.Value{scaled, scaled.Eq(tarn.Num(0)).Where(plain.Num(1), unit)}
}

// scale returns v times a number that is a unit times a factor, F64 scalars. A product of both that is too small for the dtype of the
// param, as that with which a huge gradient is limited may be, is not formed.
func (s *Slot) scale(v, unit, factor *tarn.Value) *tarn.Value {
	small := factor.Abs().Lt(tarn.Num(0x1p-100))
	first := small.Where(tarn.Num(0x1p-60), factor.Num(1)).Mul(unit)
	if v.DType() == tarn.F32 {
		first = first.Minimum(tarn.Num(0x1p100)) // more is meant for tiny elements of F64, beside which those of F32 are 0
	}
	return v.Mul(s.Scalar(first)).Mul(s.Scalar(small.Where(factor.Scale(0x1p60), factor)))
}

// limited limits finite elements to 2^55 in f32 and 2^480 in f64, so that sums of many squares are finite. An update that is divided by its
// root mean square changes little by that. An infinite element becomes NaN and does not pass for a large one.
func (c *Context) limited(u []*tarn.Value) []*tarn.Value {
	return c.Each(u, func(_ *Slot, u *tarn.Value) *tarn.Value {
		most := tarn.Num(0x1p480)
		if u.DType() == tarn.F32 {
			most = 0x1p55
		}
		return u.Maximum(-most).Minimum(most).Add(u.Scale(0))
	})
}
