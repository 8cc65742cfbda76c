package tarn_test

import "github.com/seed-49005b45/tarn"

// What differentiates is in the table like any op: the derivative of a derivative is checked by it.
var _ = register(
	elementwise("func Grad", func(v *tarn.Value) *tarn.Value { return tarn.Grad(v.Sin().Mul(v).Sum(), v)[0] }, between(-2, 2)),
	pairwise("func VJP", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return tarn.VJP(v.Sin(), o.(*tarn.Value), v)[0] }, between(-2, 2), between(-2, 2)).
		with([][]int{{3}, {3}}, [][]int{{}, {}}, [][]int{{0, 2}, {0, 2}}),
	pairwise("func JVP", func(v *tarn.Value, o tarn.Operand) *tarn.Value {
		return tarn.JVP(v.Sin(), []*tarn.Value{v}, []*tarn.Value{o.(*tarn.Value)})
	}, between(-2, 2), between(-2, 2)).with([][]int{{3}, {3}}, [][]int{{}, {}}, [][]int{{0, 2}, {0, 2}}),
	pairwise("func HVP", func(v *tarn.Value, o tarn.Operand) *tarn.Value {
		return tarn.HVP(v.Sin().Mul(v).Sum(), []*tarn.Value{v}, []*tarn.Value{o.(*tarn.Value)})[0]
	}, between(-2, 2), between(-2, 2)).with([][]int{{3}, {3}}, [][]int{{}, {}}, [][]int{{0, 2}, {0, 2}}),
	elementwise("func Jacobian", func(v *tarn.Value) *tarn.Value { return tarn.Jacobian(v.Sin().Mul(v.Sum()), v) }, between(-2, 2)).as("square").
		with([][]int{{}}, [][]int{{3}}, [][]int{{2, 1}}, [][]int{{0}}),
	elementwise("func Jacobian", func(v *tarn.Value) *tarn.Value { return tarn.Jacobian(tarn.Concat(0, v.Sin(), v.Exp()), v) }, between(-2, 2)).as("tall").with([][]int{{3}}),
	elementwise("func Hessian", func(v *tarn.Value) *tarn.Value { return tarn.Hessian(v.Sin().Mul(v.Sum()).Sum(), v) }, between(-2, 2)).
		with([][]int{{}}, [][]int{{3}}, [][]int{{2, 1}}),
	pairwise("func GNVP", func(v *tarn.Value, o tarn.Operand) *tarn.Value {
		outputs := v.Sin().Mul(v.Sum())
		return tarn.GNVP(outputs.Exp().Sum(), outputs, []*tarn.Value{v}, []*tarn.Value{o.(*tarn.Value)})[0]
	}, between(-1, 1), between(-2, 2)).with([][]int{{3}, {3}}, [][]int{{}, {}}, [][]int{{0, 2}, {0, 2}}),
	elementwise("func HessianDiagonal", func(v *tarn.Value) *tarn.Value {
		return tarn.HessianDiagonal(v.Sin().Mul(v.Square().Sum()).Sum(), v)[0]
	}, between(-2, 2)).with([][]int{{}}, [][]int{{3}}, [][]int{{2, 1}}, [][]int{{0, 2}}).within(10),
	elementwise("func HutchinsonDiagonal", func(v *tarn.Value) *tarn.Value {
		return tarn.HutchinsonDiagonal(v.Sin().Mul(v.Square().Sum()).Sum(), v)[0]
	}, between(-2, 2)).with([][]int{{}}, [][]int{{3}}, [][]int{{2, 1}}, [][]int{{0, 2}}).within(10),
	elementwise("func WithGradient", func(v *tarn.Value) *tarn.Value {
		return tarn.WithGradient(v.Square().Sum(), []*tarn.Value{v}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{dy.Mul(v).Scale(2)} })
	}, between(-2, 2)),
	elementwise("func Checkpoint", func(v *tarn.Value) *tarn.Value {
		return tarn.Checkpoint(func(in ...*tarn.Value) *tarn.Value { return in[0].Sin().Exp().Mul(in[0]) }, v.Square())
	}, between(-2, 2)),
	elementwise("SumShards", (*tarn.Value).SumShards, between(-2, 2)),
	elementwise("StopGradient", (*tarn.Value).StopGradient, between(-2, 2)).of(allTypes...).withoutDerivative(),
)

var _ = register(
	elementwise("Graph.Const", func(v *tarn.Value) *tarn.Value {
		return v.Mul(v.Graph().Const(tarn.Vector([]float64{1, -2, 3})).Cast(v.DType()))
	}, between(-2, 2)).with([][]int{{2, 3}}, [][]int{{0, 3}}, [][]int{{}}),
	elementwise("Graph.Num", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Num(v.DType(), 3)) }, between(-2, 2)),
	elementwise("Graph.Runs", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Runs().AddNum(2).Cast(v.DType())) }, between(-2, 2)),
	elementwise("Param.Value", func(v *tarn.Value) *tarn.Value {
		p := tarn.NewParam(v.DType(), nil, 3)
		for i := range 3 {
			p.Tensor().SetFloat(i, float64(i)-1)
		}
		return v.Mul(p.Value(v.Graph()))
	}, between(-2, 2)).with([][]int{{2, 3}}, [][]int{{0, 3}}, [][]int{{}}),
)
