package tarn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of the factorizations. A factorization that takes symmetric matrices only is given one that the case makes of any
// matrix, so that its derivatives can be compared with differences.

// positive is a positive definite matrix made of any.
func positive(v *tarn.Value) *tarn.Value {
	return v.MatMulT(v).Add(v.Graph().Eye(v.DType(), v.Dim(-1)).Scale(2))
}

// dominant is an invertible matrix made of any with elements between -1 and 1.
func dominant(v *tarn.Value) *tarn.Value {
	return v.Add(v.Graph().Eye(v.DType(), v.Dim(-1)).Scale(float64(1 + v.Dim(-1))))
}

// squares are the shapes of square matrices.
func squares() [][][]int {
	return [][][]int{{{3, 3}}, {{2, 4, 4}}, {{1, 1}}, {{0, 0}}, {{0, 2, 2}}, {{2, 0, 0}}}
}

// systems are the shapes of square matrices with right sides.
func systems() [][][]int {
	return [][][]int{{{3, 3}, {3, 2}}, {{2, 4, 4}, {2, 4, 3}}, {{1, 1}, {1, 1}}, {{0, 0}, {0, 2}}, {{2, 2}, {2, 0}}, {{0, 2, 2}, {0, 2, 1}}}
}

func factored(op, form string, shapes [][][]int, build func(v *tarn.Value) *tarn.Value) opCase {
	c := elementwise(op, build, between(-1, 1)).as(form).with(shapes...).within(50)
	c.spread = true
	return c
}

func solved(op, form string, build func(a, b *tarn.Value) *tarn.Value) opCase {
	return opCase{op: op, form: form, build: func(in ...*tarn.Value) *tarn.Value { return build(dominant(in[0]), in[1]) },
		in: []operand{between(-1, 1), between(-1, 1)}, shapes: systems(), loose: 50, spread: true}
}

var _ = register(
	factored("Cholesky", "", squares(), func(v *tarn.Value) *tarn.Value { return positive(v).Cholesky() }),
	factored("Cholesky", "of the symmetric part", squares(), func(v *tarn.Value) *tarn.Value { return dominant(v).Cholesky() }),
	factored("LogDet", "", squares(), func(v *tarn.Value) *tarn.Value { return positive(v).LogDet() }),
	solved("CholeskySolve", "", func(a, b *tarn.Value) *tarn.Value { return positive(a).Cholesky().CholeskySolve(b) }),
	solved("SolveTriangular", "lower", func(a, b *tarn.Value) *tarn.Value { return a.SolveTriangular(b, false, false) }),
	solved("SolveTriangular", "lower transposed", func(a, b *tarn.Value) *tarn.Value { return a.SolveTriangular(b, false, true) }),
	solved("SolveTriangular", "upper", func(a, b *tarn.Value) *tarn.Value { return a.SolveTriangular(b, true, false) }),
	solved("SolveTriangular", "upper transposed", func(a, b *tarn.Value) *tarn.Value { return a.SolveTriangular(b, true, true) }),
	factored("EigH", "values", squares(), func(v *tarn.Value) *tarn.Value { w, _ := v.EigH(); return w }),
	factored("EigH", "vectors", squares(), func(v *tarn.Value) *tarn.Value { _, u := v.EigH(); return u }),
	factored("EigH", "function of a matrix", squares(), func(v *tarn.Value) *tarn.Value {
		w, u := v.EigH()
		return u.Mul(w.Sin().Unsqueeze(-2).Expand(u.Shape()...)).MatMulT(u)
	}),
	factored("QR", "orthogonal", rectangles(), func(v *tarn.Value) *tarn.Value { q, _ := v.QR(); return q }),
	factored("QR", "triangular", rectangles(), func(v *tarn.Value) *tarn.Value { _, r := v.QR(); return r }),
	factored("Inverse", "", squares(), func(v *tarn.Value) *tarn.Value { return dominant(v).Inverse() }),
	solved("Solve", "", func(a, b *tarn.Value) *tarn.Value { return a.Solve(b) }),
)

// rectangles are the shapes of matrices.
func rectangles() [][][]int {
	return [][][]int{{{3, 3}}, {{2, 5, 3}}, {{2, 3}}, {{2, 2, 4}}, {{1, 1}}, {{3, 1}}, {{1, 3}}, {{0, 0}}, {{0, 2}}, {{2, 0}}, {{0, 2, 2}}}
}

var _ = refuse(
	unaryRefusal("Cholesky", (*tarn.Value).Cholesky, f32(3), "the operand is f32[3] and needs at least two axes"),
	unaryRefusal("Cholesky", (*tarn.Value).Cholesky, f32(2, 3, 4), "its matrices have 3 rows and 4 columns and should be square"),
	unaryRefusal("Cholesky", (*tarn.Value).Cholesky, i32(3, 3), "should be f32 or f64"),
	unaryRefusal("LogDet", (*tarn.Value).LogDet, f32(2, 3), "should be square"),
	unaryRefusal("Inverse", (*tarn.Value).Inverse, f32(2, 3), "should be square"),
	unaryRefusal("EigH", func(v *tarn.Value) *tarn.Value { w, _ := v.EigH(); return w }, f32(2, 3), "should be square"),
	unaryRefusal("EigH", func(v *tarn.Value) *tarn.Value { _, u := v.EigH(); return u }, i64(2, 2), "should be f32 or f64"),
	unaryRefusal("QR", func(v *tarn.Value) *tarn.Value { q, _ := v.QR(); return q }, f32(), "needs at least two axes"),
	binaryRefusal("Solve", (*tarn.Value).Solve, f32(2, 2), f32(3, 2), "the matrix [2 2] and the right sides [3 2] have 2 and 3 rows"),
	binaryRefusal("Solve", (*tarn.Value).Solve, f32(2, 2), f32(2), "hint: Unsqueeze(-1) makes a vector a matrix of one column"),
	binaryRefusal("Solve", (*tarn.Value).Solve, f32(2, 2), f64(2, 2), "operands are f32 and f64"),
	binaryRefusal("Solve", (*tarn.Value).Solve, f32(2, 2, 2), f32(3, 2, 2), "the batch axes differ"),
	binaryRefusal("Solve", (*tarn.Value).Solve, f32(2, 3), f32(2, 2), "should be square"),
	refused("Solve", func(in ...*tarn.Value) *tarn.Value { return in[0].Solve(nil) }, "operand 2 is nil", f32(2, 2)),
	binaryRefusal("SolveTriangular", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.SolveTriangular(o, true, false) },
		f32(2, 2), f32(3, 2), "have 2 and 3 rows"),
	binaryRefusal("CholeskySolve", (*tarn.Value).CholeskySolve, f32(2, 3), f32(3, 2), "should be square"),
)

// factorize compiles f and runs it once.
func factorize(t *testing.T, inputs map[string]*tarn.Tensor, f func(g *tarn.Graph, in map[string]*tarn.Value) tarn.Outputs) tarn.Results {
	t.Helper()
	g, in := tarn.NewGraph(), map[string]*tarn.Value{}
	for name, x := range inputs {
		in[name] = g.Input(name, x.DType(), x.Shape()...)
	}
	p, err := tarn.Compile(g, f(g, in))
	if err != nil {
		t.Fatal(err)
	}
	var data []*tarn.Tensor
	for _, name := range p.Inputs() {
		data = append(data, inputs[name])
	}
	out, err := p.Run(data...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFactorsByDefinition multiplies the factors of matrices larger than the blocks of the algorithms, and solves with them.
func TestFactorsByDefinition(t *testing.T) {
	for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
		for _, n := range []int{1, 2, 17, 64, 65, 130} {
			t.Run(fmt.Sprint(dtype, " ", n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, uint64(n)))
				inputs := map[string]*tarn.Tensor{
					"a": between(-1, 1).draw(r, dtype, []int{2, n, n}), "b": between(-1, 1).draw(r, dtype, []int{2, n, 5}),
					"tall": between(-1, 1).draw(r, dtype, []int{2, n + 70, n}), "wide": between(-1, 1).draw(r, dtype, []int{n, n + 70}),
				}
				out := factorize(t, inputs, func(g *tarn.Graph, in map[string]*tarn.Value) tarn.Outputs {
					outputs := tarn.Outputs{}
					// near adds the largest difference of two values that should be equal.
					near := func(name string, x, y *tarn.Value) { outputs[name] = x.Sub(y).Abs().Max() }
					a, b := in["a"], in["b"]
					identity := g.Eye(dtype, n)
					eye := identity.Expand(2, n, n)
					spd := a.MatMulT(a).Scale(1 / float64(n)).Add(eye)
					l := spd.Cholesky()
					near("L L'", l.MatMulT(l), spd)
					near("L is lower", l, l.Tril(0))
					near("CholeskySolve", spd.MatMul(l.CholeskySolve(b)), b)
					near("LogDet", spd.LogDet().Exp().Log(), l.Diagonal().Log().Sum(-1).Scale(2))
					symmetric := a.Add(a.Transpose(-2, -1)).Scale(0.5)
					w, v := a.EigH()
					near("A V", symmetric.MatMul(v), v.Mul(w.Unsqueeze(-2).Expand(2, n, n)))
					near("V' V", v.TMatMul(v), eye)
					ascending, _ := w.Sort(-1, false)
					near("ascending", w, ascending)
					q, r := in["tall"].QR()
					near("tall Q R", q.MatMul(r), in["tall"])
					near("tall Q' Q", q.TMatMul(q), eye)
					near("tall R", r, r.Triu(0))
					q, r = in["wide"].QR()
					near("wide Q R", q.MatMul(r), in["wide"])
					near("wide Q' Q", q.TMatMul(q), identity)
					near("wide R", r, r.Triu(0))
					general := a.Add(eye.Scale(float64(n)))
					near("Inverse", general.Inverse().MatMul(general), eye)
					near("Solve", general.MatMul(general.Solve(b)), b)
					upper, lower := general.Triu(0), general.Tril(0)
					near("upper", upper.MatMul(general.SolveTriangular(b, true, false)), b)
					near("upper transposed", upper.TMatMul(general.SolveTriangular(b, true, true)), b)
					near("lower", lower.MatMul(general.SolveTriangular(b, false, false)), b)
					near("lower transposed", lower.TMatMul(general.SolveTriangular(b, false, true)), b)
					return outputs
				})
				for name, x := range out {
					if limit := map[tarn.DType]float64{tarn.F64: 1e-12, tarn.F32: 2e-5}[dtype]; !(x.Item() <= limit) {
						t.Errorf("%s differs by %g", name, x.Item())
					}
				}
			})
		}
	}
}

// TestFactorsOfBadMatrices factors a batch of a good matrix, a bad one and a good one.
func TestFactorsOfBadMatrices(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		name string
		bad  []float64
		f    func(v *tarn.Value) *tarn.Value
	}{
		{"Cholesky, indefinite", []float64{1, 2, 2, 1}, (*tarn.Value).Cholesky},
		{"Cholesky, singular", []float64{0, 0, 0, 1}, (*tarn.Value).Cholesky},
		{"Cholesky, NaN", []float64{1, 0, 0, nan}, (*tarn.Value).Cholesky},
		{"Cholesky, infinite", []float64{1, 0, 0, inf}, (*tarn.Value).Cholesky},
		{"LogDet, indefinite", []float64{1, 2, 2, 1}, func(v *tarn.Value) *tarn.Value { return v.LogDet().Reshape(3, 1, 1) }},
		{"LogDet, not symmetric", []float64{2, 1, 0, 3}, func(v *tarn.Value) *tarn.Value { return v.LogDet().Reshape(3, 1, 1) }},
		{"EigH values, NaN", []float64{1, nan, nan, 1}, func(v *tarn.Value) *tarn.Value { w, _ := v.EigH(); return w }},
		{"EigH vectors, infinite", []float64{inf, 0, 0, 1}, func(v *tarn.Value) *tarn.Value { _, u := v.EigH(); return u }},
		{"Q, NaN", []float64{1, 0, 0, nan}, func(v *tarn.Value) *tarn.Value { q, _ := v.QR(); return q }},
		{"R, infinite", []float64{1, 0, 0, inf}, func(v *tarn.Value) *tarn.Value { _, r := v.QR(); return r }},
		{"Inverse, singular", []float64{1, 2, 2, 4}, (*tarn.Value).Inverse},
		{"Inverse, zero", []float64{0, 0, 0, 0}, (*tarn.Value).Inverse},
		{"Solve, singular", []float64{1, 2, 2, 4}, func(v *tarn.Value) *tarn.Value { return v.Solve(v.Graph().Iota(v.DType(), 1, 3, 2, 2)) }},
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

// TestEigHOfEqualValues differentiates a function of the values of a matrix that has equal ones, which is 2 x.
func TestEigHOfEqualValues(t *testing.T) {
	x := tarn.Zeros(tarn.F64, 3, 3)
	for i, v := range []float64{3, 1, 1, 1, 3, 1, 1, 1, 3} {
		x.SetFloat(i, v)
	}
	d := factorize(t, map[string]*tarn.Tensor{"x": x}, func(g *tarn.Graph, in map[string]*tarn.Value) tarn.Outputs {
		w, _ := in["x"].EigH()
		return tarn.Outputs{"d": tarn.Grad(w.Square().Sum(), in["x"])[0]}
	})["d"]
	for i := range d.Size() {
		if want := 2 * x.Float(i); !(math.Abs(d.Float(i)-want) < 1e-12) {
			t.Errorf("the gradient by element %d is %v, want %v", i, d.Float(i), want)
		}
	}
}

// TestEigHOfMultiplesOfTheIdentity: with equal eigenvalues functions of the values have their gradient, and what needs the differences of
// eigenvalues is NaN, never a number that leaves a part out.
func TestEigHOfMultiplesOfTheIdentity(t *testing.T) {
	x := tarn.Zeros(tarn.F64, 2, 2)
	x.SetFloat(0, 2)
	x.SetFloat(3, 2)
	out := factorize(t, map[string]*tarn.Tensor{"x": x}, func(g *tarn.Graph, in map[string]*tarn.Value) tarn.Outputs {
		a := in["x"]
		w, v := a.EigH()
		function := v.Mul(w.Square().Unsqueeze(0)).MatMulT(v) // a a
		return tarn.Outputs{
			"gradient": tarn.Grad(w.Square().Sum(), a)[0],
			"second":   tarn.HVP(w.Square().Sum(), []*tarn.Value{a}, []*tarn.Value{g.TrilMask(2, 2, 0).Cast(tarn.F64)})[0],
			"vectors":  tarn.Grad(function.Slice(0, 0, 1).Sum(), a)[0],
		}
	})
	if diff := out["gradient"].Diff(tensorOf(4, 0, 0, 4), 1e-14); diff != "" {
		t.Errorf("the gradient of a function of the values: %s", diff)
	}
	for _, name := range []string{"second", "vectors"} {
		for i := range out[name].Size() {
			if !math.IsNaN(out[name].Float(i)) {
				t.Errorf("%s derivatives are %v and should be NaN", name, out[name])
				break
			}
		}
	}
}

func tensorOf(elements ...float64) *tarn.Tensor {
	t, _ := tarn.Vector(elements).Reshape(2, 2)
	return t
}
