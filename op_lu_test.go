package tarn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of elimination, of singular values, and of functions of matrices.

// lifted is a matrix made of any whose singular values are all different and far from 0.
func lifted(v *tarn.Value) *tarn.Value {
	if tarn.Failed(v) {
		return v
	}
	g := v.Graph()
	m, n := v.Dim(-2), v.Dim(-1)
	steps := g.Iota(v.DType(), 0, m, n).AddNum(1).Mul(g.Eye(v.DType(), max(m, n)).Slice(0, 0, m).Slice(1, 0, n))
	return v.Scale(0.3).Add(steps.Expand(v.Shape()...))
}

func equation(op string, shapes [][][]int, build func(a, b, c *tarn.Value) *tarn.Value) opCase {
	return opCase{op: op, build: func(in ...*tarn.Value) *tarn.Value { return build(in[0], in[1], in[2]) },
		in: []operand{between(-1, 1), between(-1, 1), between(-1, 1)}, shapes: shapes, loose: 50, spread: true}
}

var _ = register(
	factored("LU", "permutation", rectangles(), func(v *tarn.Value) *tarn.Value { p, _, _ := v.LU(); return p }).withoutDerivative(),
	factored("LU", "lower", rectangles(), func(v *tarn.Value) *tarn.Value { _, l, _ := lifted(v).LU(); return l }),
	factored("LU", "upper", rectangles(), func(v *tarn.Value) *tarn.Value { _, _, u := lifted(v).LU(); return u }),
	factored("LU", "rows exchanged", rectangles(), func(v *tarn.Value) *tarn.Value { _, l, u := lifted(v).Flip(-2).LU(); return l.Sin().MatMul(u) }),
	factored("Det", "", squares(), (*tarn.Value).Det),
	factored("Det", "of an odd permutation", [][][]int{{{2, 2}}, {{2, 3, 3}}}, func(v *tarn.Value) *tarn.Value { return dominant(v).Flip(-2).Det() }),
	factored("SlogDet", "sign", squares(), func(v *tarn.Value) *tarn.Value { s, _ := v.SlogDet(); return s }),
	factored("SlogDet", "logarithm", squares(), func(v *tarn.Value) *tarn.Value { _, l := dominant(v).Flip(-2).SlogDet(); return l }),
	factored("SVD", "values", rectangles(), func(v *tarn.Value) *tarn.Value { _, s, _ := lifted(v).SVD(); return s }),
	factored("SVD", "left vectors", rectangles(), func(v *tarn.Value) *tarn.Value { u, _, _ := lifted(v).SVD(); return u }),
	factored("SVD", "right vectors", rectangles(), func(v *tarn.Value) *tarn.Value { _, _, vt := lifted(v).SVD(); return vt }),
	factored("SVD", "function of a matrix", rectangles(), func(v *tarn.Value) *tarn.Value {
		u, s, vt := lifted(v).SVD()
		return u.Mul(s.Sin().Unsqueeze(-2)).MatMul(vt)
	}),
	factored("Pinv", "", rectangles(), func(v *tarn.Value) *tarn.Value { return lifted(v).Pinv(0) }),
	opCase{op: "Pinv", form: "of rank one", build: func(in ...*tarn.Value) *tarn.Value { return in[0].MatMulT(in[1]).Pinv(1e-4) },
		in: []operand{between(0.5, 1), between(0.5, 1)}, shapes: [][][]int{{{3, 1}, {2, 1}}, {{2, 2, 1}, {2, 4, 1}}}, loose: 50},
	factored("Pinv", "of singular values that count as 0", [][][]int{{{3, 3}}}, func(v *tarn.Value) *tarn.Value {
		return v.Scale(1e-3).Add(v.Graph().Eye(v.DType(), 3).Mul(v.Graph().Iota(v.DType(), 0, 3, 3).Eq(tarn.Num(0)).Cast(v.DType()))).Pinv(0.1)
	}).withoutDerivative(),
	opCase{op: "LstSq", build: func(in ...*tarn.Value) *tarn.Value { return lifted(in[0]).LstSq(in[1], 0) }, in: []operand{between(-1, 1), between(-1, 1)},
		shapes: [][][]int{{{3, 3}, {3, 2}}, {{2, 5, 3}, {2, 5, 2}}, {{2, 4}, {2, 3}}, {{1, 1}, {1, 1}}, {{3, 0}, {3, 2}}, {{0, 3}, {0, 2}}, {{3, 2}, {3, 0}}, {{0, 3, 2}, {0, 3, 1}}},
		loose:  50, spread: true},
	factored("MatrixPower", "third", squares(), func(v *tarn.Value) *tarn.Value { return v.MatrixPower(3) }),
	factored("MatrixPower", "of the inverse", squares(), func(v *tarn.Value) *tarn.Value { return dominant(v).MatrixPower(-2) }),
	factored("MatrixPower", "0", squares(), func(v *tarn.Value) *tarn.Value { return v.MatrixPower(0) }).withoutDerivative(),
	factored("MatrixExp", "", squares(), (*tarn.Value).MatrixExp),
	factored("MatrixExp", "with squarings", [][][]int{{{3, 3}}}, func(v *tarn.Value) *tarn.Value { return v.Scale(9).MatrixExp().Scale(1e-4) }).within(1e3),
	factored("MatrixSqrt", "", squares(), func(v *tarn.Value) *tarn.Value { return dominant(v).MatrixSqrt() }),
	factored("MatrixSqrt", "of complex eigenvalues", [][][]int{{{2, 2}}, {{2, 3, 3}}, {{5, 5}}}, func(v *tarn.Value) *tarn.Value {
		skew := v.Sub(v.Transpose(-2, -1))
		return skew.MatrixExp().Add(v.Scale(0.05)).MatrixSqrt()
	}),
	equation("SolveSylvester", [][][]int{{{3, 3}, {2, 2}, {3, 2}}, {{2, 2, 2}, {2, 4, 4}, {2, 2, 4}}, {{1, 1}, {1, 1}, {1, 1}}, {{0, 0}, {2, 2}, {0, 2}},
		{{2, 2}, {0, 0}, {2, 0}}, {{0, 2, 2}, {0, 1, 1}, {0, 2, 1}}},
		func(a, b, c *tarn.Value) *tarn.Value { return dominant(a).SolveSylvester(dominant(b), c) }),
)

func firstOf(f func(v *tarn.Value) (a, b, c *tarn.Value)) func(v *tarn.Value) *tarn.Value {
	return func(v *tarn.Value) *tarn.Value { a, _, _ := f(v); return a }
}

var _ = refuse(
	unaryRefusal("LU", firstOf((*tarn.Value).LU), f32(3), "the operand is f32[3] and needs at least two axes"),
	unaryRefusal("LU", firstOf((*tarn.Value).LU), i32(3, 3), "should be f32 or f64"),
	unaryRefusal("Det", (*tarn.Value).Det, f32(2, 3), "Det: the operand is f32[2 3]: its matrices have 2 rows and 3 columns and should be square"),
	unaryRefusal("SlogDet", func(v *tarn.Value) *tarn.Value { s, _ := v.SlogDet(); return s }, f32(), "SlogDet: the operand is f32[] and needs at least two axes"),
	unaryRefusal("SlogDet", func(v *tarn.Value) *tarn.Value { _, l := v.SlogDet(); return l }, i64(2, 2), "should be f32 or f64"),
	unaryRefusal("SVD", firstOf((*tarn.Value).SVD), f32(3), "needs at least two axes"),
	unaryRefusal("SVD", firstOf((*tarn.Value).SVD), bool_(3, 3), "should be f32 or f64"),
	unaryRefusal("Pinv", func(v *tarn.Value) *tarn.Value { return v.Pinv(0) }, i32(2, 2), "should be f32 or f64"),
	unaryRefusal("Pinv", func(v *tarn.Value) *tarn.Value { return v.Pinv(1) }, f32(2, 2), "the tolerance is 1 and should be at least 0 and below 1"),
	unaryRefusal("Pinv", func(v *tarn.Value) *tarn.Value { return v.Pinv(math.NaN()) }, f32(2, 2), "the tolerance is NaN"),
	binaryRefusal("LstSq", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.LstSq(o, 0) }, f32(3, 2), f32(2, 1), "the matrix [3 2] and the right sides [2 1] have 3 and 2 rows"),
	binaryRefusal("LstSq", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.LstSq(o, 0) }, f32(3, 2), f32(3), "hint: Unsqueeze(-1) makes a vector"),
	binaryRefusal("LstSq", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.LstSq(o, 0) }, f32(3, 2), f64(3, 1), "operands are f32 and f64"),
	binaryRefusal("LstSq", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.LstSq(o, -1) }, f32(3, 2), f32(3, 1), "the tolerance is -1"),
	unaryRefusal("MatrixPower", func(v *tarn.Value) *tarn.Value { return v.MatrixPower(2) }, f32(2, 3), "MatrixPower: the operand is f32[2 3]: its matrices"),
	unaryRefusal("MatrixExp", (*tarn.Value).MatrixExp, f32(2, 3), "should be square"),
	unaryRefusal("MatrixSqrt", (*tarn.Value).MatrixSqrt, i32(2, 2), "should be f32 or f64"),
	refused("SolveSylvester", func(in ...*tarn.Value) *tarn.Value { return in[0].SolveSylvester(in[1], in[2]) }, "have 2 and 3 rows", f32(2, 2), f32(3, 3), f32(3, 3)),
	refused("SolveSylvester", func(in ...*tarn.Value) *tarn.Value { return in[0].SolveSylvester(in[1], in[2]) }, "have 3 and 4 columns", f32(2, 2), f32(3, 3), f32(2, 4)),
	refused("SolveSylvester", func(in ...*tarn.Value) *tarn.Value { return in[0].SolveSylvester(in[1], in[2]) }, "dtype and batch axes differ", f32(2, 2), f64(3, 3), f32(2, 3)),
	refused("SolveSylvester", func(in ...*tarn.Value) *tarn.Value { return in[0].SolveSylvester(in[1], in[2]) }, "2 rows and 3 columns and should be square", f32(2, 2), f32(2, 3), f32(2, 3)),
	refused("SolveSylvester", func(in ...*tarn.Value) *tarn.Value { return in[0].SolveSylvester(nil, in[1]) }, "operand 2 is nil", f32(2, 2), f32(2, 2)),
)

// TestMatrixFunctionsByDefinition takes matrices larger than the blocks of the algorithms.
func TestMatrixFunctionsByDefinition(t *testing.T) {
	for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
		for _, n := range []int{1, 2, 17, 65, 100} {
			t.Run(fmt.Sprint(dtype, " ", n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(5, uint64(n)))
				inputs := map[string]*tarn.Tensor{
					"a": between(-1, 1).draw(r, dtype, []int{2, n, n}), "b": between(-1, 1).draw(r, dtype, []int{2, n + 40, 3}),
					"tall": between(-1, 1).draw(r, dtype, []int{2, n + 40, n}), "low": between(-1, 1).draw(r, dtype, []int{2, n, (n + 2) / 3}),
				}
				out := factorize(t, inputs, func(g *tarn.Graph, in map[string]*tarn.Value) tarn.Outputs {
					outputs := tarn.Outputs{}
					// near adds the largest difference of two values that should be equal.
					near := func(name string, x, y *tarn.Value) { outputs[name] = x.Sub(y).Abs().Max() }
					a, b, tall, low := in["a"], in["b"], in["tall"], in["low"]
					eye := g.Eye(dtype, n).Expand(2, n, n)
					for name, x := range map[string]*tarn.Value{"square": a, "tall": tall, "wide": tall.Transpose(-2, -1), "low": low.MatMulT(low)} {
						p, l, u := x.LU()
						near(name+" L U", l.MatMul(u), x.Gather(-2, p.Unsqueeze(-1).Expand(x.Shape()...)))
						near(name+" L", l, l.Tril(0))
						near(name+" U", u, u.Triu(0))
						outputs[name+" pivots"] = l.Abs().Max().AddNum(-1)
						us, s, vt := x.SVD()
						k := s.Dim(-1)
						near(name+" U s V'", us.Mul(s.Unsqueeze(-2)).MatMul(vt), x)
						near(name+" U'U", us.TMatMul(us), g.Eye(dtype, k).Expand(2, k, k))
						near(name+" V'V", vt.MatMulT(vt), g.Eye(dtype, k).Expand(2, k, k))
						descending, _ := s.Sort(-1, true)
						near(name+" descending", s, descending)
						near(name+" not negative", s, s.Abs())
						inverse := x.Pinv(1e-5)
						near(name+" A A^+ A", x.MatMul(inverse).MatMul(x), x)
						near(name+" A A^+", x.MatMul(inverse), inverse.TMatMul(x.Transpose(-2, -1)))
					}
					x := tall.LstSq(b, 0)
					near("LstSq", tall.TMatMul(tall.MatMul(x)), tall.TMatMul(b))
					dominant := a.Scale(1 / float64(n)).Add(eye)
					sign, logAbs := dominant.Scale(1.1).SlogDet()
					near("Det", dominant.Scale(1.1).Det().Log().Div(tarn.Num(float64(n))), logAbs.Mul(sign).Div(tarn.Num(float64(n))))
					small := a.Scale(4 / float64(n))
					near("MatrixExp", small.MatrixExp().MatMul(small.Neg().MatrixExp()), eye)
					root := dominant.MatrixSqrt()
					near("MatrixSqrt", root.MatMul(root), dominant)
					turn := a.Sub(a.Transpose(-2, -1)).Scale(1 / math.Sqrt(float64(n))).MatrixExp() // eigenvalues anywhere on the circle
					root = turn.MatrixSqrt()
					near("MatrixSqrt of a rotation", root.MatMul(root), turn)
					c := tall.Slice(-2, 0, n)
					x = dominant.SolveSylvester(turn.Scale(0.1), c)
					near("SolveSylvester", dominant.MatMul(x).Add(x.MatMul(turn.Scale(0.1))), c)
					near("MatrixPower", turn.MatrixPower(5).MatMul(turn.MatrixPower(-5)), eye)
					return outputs
				})
				for name, x := range out {
					if limit := map[tarn.DType]float64{tarn.F64: 1e-11, tarn.F32: 1e-3}[dtype]; !(x.Item() <= limit) {
						t.Errorf("%s differs by %g", name, x.Item())
					}
				}
			})
		}
	}
}

// TestFunctionsOfBadMatrices gives a batch of a good matrix, a bad one and a good one: only what belongs to the bad one is NaN.
func TestFunctionsOfBadMatrices(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	second := func(f func(v *tarn.Value) (a, b, c *tarn.Value)) func(v *tarn.Value) *tarn.Value {
		return func(v *tarn.Value) *tarn.Value { _, b, _ := f(v); return b }
	}
	for _, test := range []struct {
		name string
		bad  []float64
		f    func(v *tarn.Value) *tarn.Value
	}{
		{"Det, NaN", []float64{1, 0, 0, nan}, (*tarn.Value).Det},
		{"Det, infinite", []float64{inf, 1, 1, 1}, (*tarn.Value).Det},
		{"SlogDet, NaN", []float64{1, 0, nan, 1}, func(v *tarn.Value) *tarn.Value { s, l := v.SlogDet(); return s.Mul(l) }},
		{"gradient of Det, NaN", []float64{1, 0, nan, 1}, func(v *tarn.Value) *tarn.Value { return tarn.Grad(v.Det().Sum(), v)[0] }},
		{"gradient of SlogDet, singular", []float64{1, 2, 2, 4}, func(v *tarn.Value) *tarn.Value { _, l := v.SlogDet(); return tarn.Grad(l.Sum(), v)[0] }},
		{"singular values, NaN", []float64{1, 0, 0, nan}, second((*tarn.Value).SVD)},
		{"left vectors, infinite", []float64{1, inf, 0, 1}, firstOf((*tarn.Value).SVD)},
		{"Pinv, NaN", []float64{nan, 0, 0, 1}, func(v *tarn.Value) *tarn.Value { return v.Pinv(0) }},
		{"LstSq, infinite", []float64{1, 0, 0, inf}, func(v *tarn.Value) *tarn.Value { return v.LstSq(v.Graph().Iota(v.DType(), 1, 3, 2, 2), 0) }},
		{"MatrixExp, NaN", []float64{1, 0, 0, nan}, (*tarn.Value).MatrixExp},
		{"MatrixSqrt, negative", []float64{-1, 0, 0, 2}, (*tarn.Value).MatrixSqrt},
		{"MatrixSqrt, infinite", []float64{1, 0, 0, inf}, (*tarn.Value).MatrixSqrt},
		{"MatrixSqrt, without one", []float64{0, 1, 0, 0}, (*tarn.Value).MatrixSqrt},
		{"SolveSylvester, singular", []float64{1, 0, 0, -1}, func(v *tarn.Value) *tarn.Value { return v.SolveSylvester(v, v.Graph().Iota(v.DType(), 1, 3, 2, 2)) }},
	} {
		for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
			t.Run(fmt.Sprint(test.name, " ", dtype), func(t *testing.T) {
				x := tarn.Zeros(dtype, 3, 2, 2)
				for i, v := range append(append([]float64{2, 1, 1, 2}, test.bad...), 3, 1, 1, 2) {
					x.SetFloat(i, v)
				}
				y := factorize(t, map[string]*tarn.Tensor{"x": x}, func(g *tarn.Graph, in map[string]*tarn.Value) tarn.Outputs {
					return tarn.Outputs{"y": test.f(in["x"])}
				})["y"]
				n := y.Size() / 3
				for i := range y.Size() {
					if bad := i/n == 1; math.IsNaN(y.Float(i)) != bad {
						t.Fatalf("element %d is %v: %v", i, y.Float(i), y)
					}
				}
			})
		}
	}
}

// TestSingularMatrices gives what is finite of matrices of low rank, and of equal singular values, and NaN for the rest.
func TestSingularMatrices(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name string
		x    []float64
		f    func(v *tarn.Value) *tarn.Value
		want []float64
	}{
		{"determinant", []float64{1, 2, 2, 4}, func(v *tarn.Value) *tarn.Value { return v.Det().Mul(v.Num(1).Expand(2, 2)) }, []float64{0, 0, 0, 0}},
		{"gradient of the determinant", []float64{1, 2, 2, 4}, func(v *tarn.Value) *tarn.Value { return tarn.Grad(v.Det(), v)[0] }, []float64{4, -2, -2, 1}},
		{"gradient of the determinant of zeros", []float64{0, 0, 0, 0}, func(v *tarn.Value) *tarn.Value { return tarn.Grad(v.Det(), v)[0] }, []float64{0, 0, 0, 0}},
		{"upper factor", []float64{1, 2, 2, 4}, func(v *tarn.Value) *tarn.Value { _, _, u := v.LU(); return u }, []float64{2, 4, 0, 0}},
		{"logarithm", []float64{1, 2, 2, 4}, func(v *tarn.Value) *tarn.Value { s, l := v.SlogDet(); return tarn.Stack(0, s, l, s, l).Reshape(2, 2) }, []float64{0, math.Inf(-1), 0, math.Inf(-1)}},
		{"pseudoinverse", []float64{1, 2, 2, 4}, func(v *tarn.Value) *tarn.Value { return v.Pinv(0) }, []float64{.04, .08, .08, .16}},
		{"pseudoinverse of zeros", []float64{0, 0, 0, 0}, func(v *tarn.Value) *tarn.Value { return v.Pinv(0) }, []float64{0, 0, 0, 0}},
		{"root", []float64{5, 10, 10, 20}, (*tarn.Value).MatrixSqrt, []float64{1, 2, 2, 4}},
		{"root of zeros", []float64{0, 0, 0, 0}, (*tarn.Value).MatrixSqrt, []float64{0, 0, 0, 0}},
		{"squares of equal singular values", []float64{0, 2, -2, 0}, func(v *tarn.Value) *tarn.Value {
			_, s, _ := v.SVD()
			return tarn.Grad(s.Square().Sum(), v)[0]
		}, []float64{0, 4, -4, 0}},
		{"vectors of equal singular values", []float64{0, 2, -2, 0}, func(v *tarn.Value) *tarn.Value {
			u, s, vt := v.SVD()
			return tarn.Grad(u.Mul(s.Square()).MatMul(vt).Sum(), v)[0]
		}, []float64{nan, nan, nan, nan}},
	} {
		t.Run(test.name, func(t *testing.T) {
			y := factorize(t, map[string]*tarn.Tensor{"x": tensorOf(test.x...)}, func(g *tarn.Graph, in map[string]*tarn.Value) tarn.Outputs {
				return tarn.Outputs{"y": test.f(in["x"])}
			})["y"]
			if diff := y.Diff(tensorOf(test.want...), 1e-14); diff != "" {
				t.Error(diff)
			}
		})
	}
}
