package tarn_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/tarntest"
)

// This file tests differentiation as a whole: high derivatives, Hessians of a network, and the ops that change what a
// gradient is. The rule of each op is tested by the op table.

// run compiles and runs the outputs on inputs by name.
func run(t *testing.T, g *tarn.Graph, outputs tarn.Outputs, data map[string]*tarn.Tensor) tarn.Results {
	t.Helper()
	return compare(t, g, outputs, data)
}

func checkNear(t *testing.T, what string, got, want *tarn.Tensor, tolerance float64) {
	t.Helper()
	if diff := got.Diff(want, tolerance); diff != "" {
		t.Errorf("%s: %s\n%v\n%v", what, diff, got, want)
	}
}

// TestHighDerivatives takes derivatives of derivatives of functions whose derivatives are known.
func TestHighDerivatives(t *testing.T) {
	tests := []struct {
		name string
		f    func(x *tarn.Value) *tarn.Value
		want [5]func(x float64) float64 // the function and its first four derivatives
	}{
		{"sin", (*tarn.Value).Sin, [5]func(x float64) float64{math.Sin, math.Cos,
			func(x float64) float64 { return -math.Sin(x) }, func(x float64) float64 { return -math.Cos(x) }, math.Sin}},
		{"exp(2x)", func(x *tarn.Value) *tarn.Value { return x.Scale(2).Exp() }, [5]func(x float64) float64{
			func(x float64) float64 { return math.Exp(2 * x) }, func(x float64) float64 { return 2 * math.Exp(2*x) },
			func(x float64) float64 { return 4 * math.Exp(2*x) }, func(x float64) float64 { return 8 * math.Exp(2*x) },
			func(x float64) float64 { return 16 * math.Exp(2*x) }}},
		{"x^5 by products", func(x *tarn.Value) *tarn.Value { return x.Square().Square().Mul(x) }, [5]func(x float64) float64{
			func(x float64) float64 { return math.Pow(x, 5) }, func(x float64) float64 { return 5 * math.Pow(x, 4) },
			func(x float64) float64 { return 20 * math.Pow(x, 3) }, func(x float64) float64 { return 60 * x * x },
			func(x float64) float64 { return 120 * x }}},
		{"log", (*tarn.Value).Log, [5]func(x float64) float64{math.Log,
			func(x float64) float64 { return 1 / x }, func(x float64) float64 { return -1 / x / x },
			func(x float64) float64 { return 2 / math.Pow(x, 3) }, func(x float64) float64 { return -6 / math.Pow(x, 4) }}},
		{"tanh", (*tarn.Value).Tanh, [5]func(x float64) float64{math.Tanh,
			func(x float64) float64 { u := math.Tanh(x); return 1 - u*u },
			func(x float64) float64 { u := math.Tanh(x); return -2 * u * (1 - u*u) },
			func(x float64) float64 { u := math.Tanh(x); return (1 - u*u) * (6*u*u - 2) },
			func(x float64) float64 { u := math.Tanh(x); return (1 - u*u) * (16*u - 24*u*u*u) }}},
	}
	x := tarn.Vector([]float64{0.3, 0.7, 1.9})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := tarn.NewGraph()
			v := g.Input("x", tarn.F64, 3)
			outputs := tarn.Outputs{"0": tt.f(v)}
			for n := 1; n < 5; n++ {
				outputs[fmt.Sprint(n)] = tarn.Grad(outputs[fmt.Sprint(n-1)].Sum(), v)[0]
			}
			out := run(t, g, outputs, map[string]*tarn.Tensor{"x": x})
			for n, f := range tt.want {
				for i, at := range x.F64() {
					if got, want := out[fmt.Sprint(n)].Float(i), f(at); math.Abs(got-want) > 1e-9*(1+math.Abs(want)) {
						t.Errorf("derivative %d at %v is %v, want %v", n, at, got, want)
					}
				}
			}
		})
	}
}

// network is a small two-layer network with all its weights in one vector, so that it has a Hessian matrix.
func network(w, x, y *tarn.Value) *tarn.Value {
	parts := w.Split(0, 6, 3, 3)
	hidden := x.MatMul(parts[0].Reshape(2, 3)).Add(parts[1]).Tanh()
	return hidden.MatMul(parts[2]).Sub(y).Square().Mean()
}

// TestNetworkHessian compares Hessian, HVP, JVP and Jacobian with one another and with differences of the gradient.
func TestNetworkHessian(t *testing.T) {
	const n = 12
	r := tarn.NewRandom(3, "network")
	tensor := func(shape ...int) *tarn.Tensor {
		x := tarn.Zeros(tarn.F64, shape...)
		r.Normal(x, 0, 1)
		return x
	}
	data := map[string]*tarn.Tensor{"w": tensor(n), "x": tensor(5, 2), "y": tensor(5), "v": tensor(n)}
	g := tarn.NewGraph()
	w, x, y, v := g.Input("w", tarn.F64, n), g.Input("x", tarn.F64, 5, 2), g.Input("y", tarn.F64, 5), g.Input("v", tarn.F64, n)
	loss := network(w, x, y)
	d := tarn.Grad(loss, w)[0]
	h := tarn.Hessian(loss, w)
	outputs := tarn.Outputs{
		"grad": d, "hessian": h, "transposed": h.T(), "hessian v": h.MatMul(v), "forward": tarn.JVP(d, []*tarn.Value{w}, []*tarn.Value{v}),
		"hvp": tarn.HVP(loss, []*tarn.Value{w}, []*tarn.Value{v})[0], "vjp": tarn.VJP(d, v, w)[0], "jacobian": tarn.Jacobian(loss, w),
	}
	out := run(t, g, outputs, data)
	for _, name := range []string{"hvp", "vjp", "forward"} {
		checkNear(t, name+" and Hessian times v", out[name], out["hessian v"], 1e-10)
	}
	checkNear(t, "the Hessian and its transpose", out["hessian"], out["transposed"], 1e-10)
	checkNear(t, "the Jacobian of a scalar and its gradient", out["jacobian"], out["grad"], 1e-12)

	program, err := tarn.Compile(g, tarn.Outputs{"grad": d})
	if err != nil {
		t.Fatal(err)
	}
	gradient := func(w *tarn.Tensor) *tarn.Tensor {
		out, err := program.Run(w, data["x"], data["y"])
		if err != nil {
			t.Fatal(err)
		}
		return out["grad"].Clone()
	}
	const step = 1e-5
	difference := tarn.Zeros(tarn.F64, n, n)
	for i := range n {
		at := data["w"].Clone()
		at.F64()[i] += step
		up := gradient(at)
		at.F64()[i] -= 2 * step
		down := gradient(at)
		for j := range n {
			difference.F64()[i*n+j] = (up.Float(j) - down.Float(j)) / (2 * step)
		}
	}
	checkNear(t, "the Hessian and differences of the gradient", out["hessian"], difference, 1e-7)
}

func TestStopGradient(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64)
	y := x.Mul(x.StopGradient()) // as a function of the first factor alone
	d := tarn.Grad(y, x)[0]
	out := run(t, g, tarn.Outputs{"y": y, "d": d, "d2": tarn.Grad(d, x)[0], "none": tarn.Grad(x.StopGradient().Exp(), x)[0]},
		map[string]*tarn.Tensor{"x": tarn.Scalar(3.0)})
	for name, want := range map[string]float64{"y": 9, "d": 3, "d2": 0, "none": 0} {
		if got := out[name].Item(); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestWithGradient defines gradient rules for compositions and differentiates these twice.
func TestWithGradient(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 3)
	// log(1+e^x), whose own rule would be e^x/(1+e^x), infinity by infinity at 800.
	softplus := tarn.WithGradient(x.Exp().AddNum(1).Log(), []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{dy.Mul(x.Sigmoid())}
	})
	d := tarn.Grad(softplus.Sum(), x)[0]
	// The straight-through estimator: rounding that the gradient takes for the identity.
	round := tarn.WithGradient(x.Round(), []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{dy} })
	// A rule that lets nothing through by one of two inputs.
	w := tarn.NewParam(tarn.F64, nil, 3)
	half := tarn.WithGradient(x.Mul(w), []tarn.Operand{x, w}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{nil, dy.Mul(x)} })
	halves := tarn.Grad[tarn.Operand](half.Sum(), x, w)
	out := run(t, g, tarn.Outputs{
		"d": d, "d2": tarn.Grad(d.Sum(), x)[0], "sigmoid": x.Sigmoid(), "slope": tarn.Grad(x.Sigmoid().Sum(), x)[0],
		"round": round, "through": tarn.Grad(round.Mul(x).Sum(), x)[0], "sum": round.Add(x),
		"by x": halves[0], "by w": halves[1], "x": x, "zero": x.Sub(x),
	}, map[string]*tarn.Tensor{"x": tarn.Vector([]float64{-2.25, 0.5, 30})})
	checkNear(t, "first derivative", out["d"], out["sigmoid"], 0)
	checkNear(t, "second derivative", out["d2"], out["slope"], 1e-12)
	checkNear(t, "rounded", out["round"], tarn.Vector([]float64{-2, 0, 30}), 0)
	checkNear(t, "straight through", out["through"], out["sum"], 0)
	checkNear(t, "the input without a gradient", out["by x"], out["zero"], 0)
	checkNear(t, "the input with a gradient", out["by w"], out["x"], 0)
}

// checkpointed is a function of a few operands built with or without Checkpoint, which must make no difference.
type checkpointed struct {
	name  string
	build func(block func(f func(in ...*tarn.Value) *tarn.Value, in ...*tarn.Value) *tarn.Value, x, c *tarn.Value, ids *tarn.Value, w *tarn.Param) *tarn.Value
}

var checkpointedCases = []checkpointed{
	{"a param caught by the closure", func(block func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value, x, c, ids *tarn.Value, w *tarn.Param) *tarn.Value {
		return block(func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(w).Tanh().Mul(in[0]) }, x.Sin())
	}},
	{"a value and a constant caught by the closure", func(block func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value, x, c, ids *tarn.Value, w *tarn.Param) *tarn.Value {
		y := x.Exp()
		return block(func(in ...*tarn.Value) *tarn.Value { return in[0].Mul(y).Mul(c).Sin().AddNum(2) }, x.Sin()).Mul(y)
	}},
	{"operands of which one is computed from the other", func(block func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value, x, c, ids *tarn.Value, w *tarn.Param) *tarn.Value {
		return block(func(in ...*tarn.Value) *tarn.Value { return in[0].Mul(in[1]).Tanh().Mul(in[0]) }, x, x.Sin())
	}},
	{"integers inside", func(block func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value, x, c, ids *tarn.Value, w *tarn.Param) *tarn.Value {
		return block(func(in ...*tarn.Value) *tarn.Value {
			return tarn.Embedding(w, in[1].Add(tarn.Num(1))).Mul(in[0]).Exp().Mul(in[1].OneHot(3, tarn.F64).Mul(in[0]))
		}, x.Sin(), ids)
	}},
	{"one in another", func(block func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value, x, c, ids *tarn.Value, w *tarn.Param) *tarn.Value {
		return block(func(in ...*tarn.Value) *tarn.Value {
			h := in[0].MatMul(w).Sin()
			inner := block(func(in ...*tarn.Value) *tarn.Value {
				return block(func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(w).Tanh().Mul(h) }, in[0].Exp()).Mul(in[0])
			}, h)
			return inner.Mul(h).Add(in[0])
		}, x)
	}},
	{"one after another", func(block func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value, x, c, ids *tarn.Value, w *tarn.Param) *tarn.Value {
		for range 4 {
			x = block(func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(w).Sin().Add(in[0]) }, x)
		}
		return x
	}},
	{"all operands twice", func(block func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value, x, c, ids *tarn.Value, w *tarn.Param) *tarn.Value {
		return block(func(in ...*tarn.Value) *tarn.Value { return in[0].Mul(in[1]).Add(in[1].Sin()).Mul(in[0].MatMul(w)) }, x, x)
	}},
	{"nothing done", func(block func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value, x, c, ids *tarn.Value, w *tarn.Param) *tarn.Value {
		return block(func(in ...*tarn.Value) *tarn.Value { return in[0] }, x).MatMul(w).Mul(c)
	}},
}

// TestCheckpoint compares blocks that are computed twice with the same kept: value, gradients with respect to everything, and the
// gradient of the gradient.
func TestCheckpoint(t *testing.T) {
	plain := func(f func(in ...*tarn.Value) *tarn.Value, in ...*tarn.Value) *tarn.Value { return f(in...) }
	for _, tt := range checkpointedCases {
		t.Run(tt.name, func(t *testing.T) {
			r := tarn.NewRandom(5, tt.name)
			w := tarn.NewParam(tarn.F64, nil, 3, 3)
			r.Normal(w.Tensor(), 0, 1)
			x := tarn.Zeros(tarn.F64, 2, 3)
			r.Normal(x, 0, 1)
			constant := tarn.Vector([]float64{0.5, -1, 2})
			ids := tarn.Vector([]int32{1, 0})

			g := tarn.NewGraph()
			in, index, c := g.Input("x", tarn.F64, 2, 3), g.Input("ids", tarn.I32, 2), g.Const(constant)
			outputs := tarn.Outputs{}
			for name, block := range map[string]func(func(...*tarn.Value) *tarn.Value, ...*tarn.Value) *tarn.Value{"kept": plain, "again": tarn.Checkpoint} {
				y := tt.build(block, in, c, index, w)
				outputs[name] = y
				loss := y.Square().Sum()
				ds := tarn.Grad[tarn.Operand](loss, in, w, c)
				second := ds[0].Square().Sum().Add(ds[1].Sin().Sum())
				for i, d := range append(ds, tarn.Grad[tarn.Operand](second, in, w, c)...) {
					outputs[fmt.Sprint(name, i)] = d
				}
			}
			out := run(t, g, outputs, map[string]*tarn.Tensor{"x": x, "ids": ids})
			for name := range out {
				if rest, again := strings.CutPrefix(name, "again"); again {
					checkNear(t, name, out[name], out["kept"+rest], 1e-9)
				}
			}
		})
	}
}

// TestCheckpointDrawsAgain checks that a block with random numbers inside is computed again from the same numbers: for
// y = x*noise the gradient of sum(y*y)/2 by x is y*noise, and y/x is the noise of the forward pass.
func TestCheckpointDrawsAgain(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 100)
	y := tarn.Checkpoint(func(in ...*tarn.Value) *tarn.Value {
		kept := g.Bernoulli(g.Num(tarn.F64, 0.5), 100)
		return kept.Where(in[0].Mul(g.Normal(tarn.F64, 0, 1, 100)), tarn.Num(0)).Exp()
	}, x.Scale(1))
	d := tarn.Grad(y.Sum(), x)[0] // y is e^(x*noise), and its derivative noise*y
	if text := tarn.Sprint(y, d); strings.Count(text, "Normal(") != 2 || strings.Count(text, "Bernoulli(") != 2 {
		t.Errorf("the numbers are not drawn again:\n%s", text)
	}
	data := map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F64, 100)}
	tarn.NewRandom(1, "x").Uniform(data["x"], 0.5, 1)
	out := run(t, g, tarn.Outputs{"d": d, "want": y.Log().Div(x).Mul(y)}, data)
	checkNear(t, "gradient", out["d"], out["want"], 1e-10)
}

// TestCheckpointComputesAgain counts: what is inside of a block stands in the graph once more for the backward pass, and
// blocks inside of blocks do not make it grow beyond that.
func TestCheckpointComputesAgain(t *testing.T) {
	count := func(depth int) (sines, values int) {
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F64, 3)
		f := func(in ...*tarn.Value) *tarn.Value { return in[0].Sin().Exp() }
		for range depth {
			inner := f
			f = func(in ...*tarn.Value) *tarn.Value { return tarn.Checkpoint(inner, in[0]).Sin().Exp() }
		}
		text := tarn.Sprint(tarn.Grad(f(x).Sum(), x)[0])
		return strings.Count(text, "= Sin") + strings.Count(text, " Sin("), strings.Count(text, "\n")
	}
	if sines, _ := count(0); sines != 1 {
		t.Errorf("without a block there are %d sines", sines)
	}
	if sines, _ := count(1); sines != 3 { // the block's, its copy's, and the one outside
		t.Errorf("with a block of one sine and one more outside there are %d sines", sines)
	}
	_, values := count(4)
	if _, more := count(8); more > 4*values {
		t.Errorf("4 blocks inside of one another make %d values, 8 make %d", values, more)
	}
}

func TestGradientsOfModel(t *testing.T) {
	table := tarn.NewParam(tarn.F64, nil, 4, 3)
	tarn.NewRandom(1, "table").Normal(table.Tensor(), 0, 1)
	tarntest.CheckGrad(t, func(in ...*tarn.Value) *tarn.Value {
		q := in[0]
		k := tarn.Embedding(table, in[1])
		scores := tarn.Einsum("qd,kd->qk", q, k)
		weights := scores.Graph().TrilMask(4, 4, 0).Where(scores.Exp(), tarn.Num(0))
		return weights.Div(weights.Sum(-1).Unsqueeze(-1)).MatMul(k)
	}, table.Tensor(), tarn.Vector([]int64{3, 0, 1, 0}))
}

// TestListings checks the graph as text and as a picture.
func TestListings(t *testing.T) {
	w := tarn.NewParam(tarn.F32, nil, 2)
	if _, err := tarn.Params(map[string]*tarn.Param{"layer.weight": w}); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 2)
	loss := x.Mul(w).Sum().Named("loss")
	d := tarn.Grad(loss, w)[0]
	line := func(v *tarn.Value) string { return v.Place() }
	want := fmt.Sprintf(`%%0    f32[2]         Input{0}  "x"  // %s
%%1    f32[2]         Variable "layer.weight"  // %s
%%2    f32[2]         Mul(%%0, %%1)  // %s
%%3    f32[]          Sum(%%2){axes=[0]}  "loss"  // %s
`, line(x), line(w.Value(g)), line(loss), line(loss))
	if got := tarn.Sprint(loss); got != want {
		t.Errorf("the listing is\n%s\nand should be\n%s", got, want)
	}
	if got := g.String(); !strings.HasPrefix(got, want) {
		t.Errorf("the listing of the whole graph is\n%s\nand should begin with\n%s", got, want)
	}
	if got := tarn.Sprint(d); !strings.Contains(got, "// in the gradient of Mul, grad_test.go:") {
		t.Errorf("the listing of the gradient does not say what it is of:\n%s", got)
	}
	if got := tarn.Sprint(d.Sin()); !strings.Contains(got, "Sin(%8)  // grad_test.go:") {
		t.Errorf("the listing says that an op made after a gradient is a part of it:\n%s", got)
	}

	picture := tarn.Graphviz(loss, d)
	for _, part := range []string{
		"digraph tarn {\n", "\n}\n", `v0 [label="x\nf32[2]" shape=ellipse`, `v1 [label="layer.weight\nf32[2]" shape=box`,
		`v2 [label="Mul\nf32[2]" shape=plain fontcolor=black`, `v3 [label="loss\nf32[]"`, "v0 -> v2;", "v1 -> v2;", "v2 -> v3;", "fontcolor=blue",
	} {
		if !strings.Contains(picture, part) {
			t.Errorf("the picture lacks %q:\n%s", part, picture)
		}
	}
	if nodes, braces := strings.Count(picture, "[label="), strings.Count(picture, "\""); nodes < 5 || braces%2 != 0 {
		t.Errorf("the picture has %d nodes and %d quotes:\n%s", nodes, braces, picture)
	}
}

// TestListingsOfMistakes prints graphs with values that failed: nothing panics.
func TestListingsOfMistakes(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 2)
	bad := x.Add((*tarn.Value)(nil)).Exp()
	for _, text := range []string{tarn.Sprint(bad, nil), tarn.Graphviz(bad), g.String(), bad.String()} {
		if text == "" {
			t.Error("nothing is printed")
		}
	}
}

// TestGradOfSlices asks that the gradients of slices that make up the whole are joined, in whatever order they were taken, and
// that those of others are padded and added.
func TestGradOfSlices(t *testing.T) {
	for _, c := range []struct {
		name   string
		slices [][4]int // axis, start, stop and step
		joined bool
	}{
		{"whole", [][4]int{{1, 2, 5, 1}, {1, 0, 2, 1}, {1, 5, 6, 1}}, true},
		{"gap", [][4]int{{1, 0, 2, 1}, {1, 3, 6, 1}}, false},
		{"gap before", [][4]int{{1, 1, 2, 1}, {1, 2, 6, 1}}, false},
		{"overlap", [][4]int{{1, 0, 4, 1}, {1, 3, 6, 1}}, false},
		{"part", [][4]int{{1, 0, 2, 1}, {1, 2, 5, 1}}, false},
		{"twice", [][4]int{{1, 0, 3, 1}, {1, 0, 3, 1}}, false},
		{"even and odd", [][4]int{{1, 0, 6, 2}, {1, 1, 6, 2}}, false},
		{"even, and as many at the end", [][4]int{{1, 0, 6, 2}, {1, 3, 6, 1}}, false},
		{"the end, and as many that are even", [][4]int{{1, 3, 6, 1}, {1, 0, 6, 2}}, false},
		{"two axes", [][4]int{{0, 0, 1, 1}, {1, 1, 6, 1}}, false},
		{"a step over one", [][4]int{{1, 0, 1, 3}, {1, 1, 6, 1}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := func(in ...*tarn.Value) *tarn.Value {
				sum := in[0].Num(0)
				for i, s := range c.slices {
					sum = sum.Add(in[0].SliceStep(s[0], s[1], s[2], s[3]).Square().Sum().Scale(float64(i + 1)))
				}
				return sum
			}
			g := tarn.NewGraph()
			x := g.Input("x", tarn.F64, 3, 6)
			list := tarn.Sprint(tarn.Grad(build(x), x)[0])
			if strings.Contains(list, "Concat") != c.joined || strings.Contains(list, "Pad") == c.joined {
				t.Errorf("the gradient is\n%s", list)
			}
			xs := tarn.Zeros(tarn.F64, 3, 6)
			tarn.NewRandom(1, "x").Normal(xs, 0, 1)
			tarntest.CheckGrad(t, build, xs)
		})
	}
}
