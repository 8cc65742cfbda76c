package optim_test

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file compares K-FAC with the algorithm written out in testdata/kfac.py, and tests its true Fisher matrix, its branches
// and its mistakes.

// kfacCases are the optimizers of the goldens.
var kfacCases = map[string]func() *optim.KFAC{
	"kfac": func() *optim.KFAC {
		o := optim.NewKFAC(0.1)
		o.Every = 10
		return o
	},
	"kfac options": func() *optim.KFAC {
		o := optim.NewKFAC(0.05)
		o.Decay, o.Damping, o.KL, o.Momentum, o.WeightDecay, o.Every, o.FactorsEvery = 0.7, 0.03, 1e-4, 0.9, 0.1, 6, 4
		return o
	},
	"kfac without limit": func() *optim.KFAC {
		o := optim.NewKFAC(0.02)
		o.Damping, o.KL, o.Momentum, o.Every, o.FactorsEvery = 0.1, 0, 0, 1, 1
		return o
	},
}

// scaledMLP has a scale between two linear layers.
func scaledMLP(dtype tarn.DType) *problem {
	const rows = 6
	w1, b1, s := param(dtype, "w1", wave(12, 0.2), 4, 3), param(dtype, "b1", wave(4, 0.3), 4), wave(4, 0.6)
	for i := range s {
		s[i] = 1 + s[i]/2
	}
	scale := param(dtype, "s", s, 4)
	w2, b2 := param(dtype, "w2", wave(8, 0.4), 2, 4), param(dtype, "b2", wave(2, 0.5), 2)
	return &problem{
		params: []*tarn.Param{w1, b1, scale, w2, b2},
		rows:   rows,
		loss: func(g *tarn.Graph, rows int) *tarn.Value {
			x, y := g.Input("x", dtype, rows, 3), g.Input("y", dtype, rows, 2)
			h := x.MatMulT(w1).Add(b1).Tanh().Mul(scale)
			return h.MatMulT(w2).Add(b2).Named("prediction").Sub(y).Square().Mean()
		},
		inputs: func(from, to int) []*tarn.Tensor {
			return rowsOf(dtype, from, to, []int{rows, 3}, 0.1, []int{rows, 2}, 0.7)
		},
	}
}

// rowsOf are rows of two waves.
func rowsOf(dtype tarn.DType, from, to int, x []int, xPhase float64, y []int, yPhase float64) []*tarn.Tensor {
	part := func(shape []int, phase float64) *tarn.Tensor {
		size := 1
		for _, d := range shape[1:] {
			size *= d
		}
		t, _ := tarn.FromSlice(wave(shape[0]*size, phase)[from*size:to*size], append([]int{to - from}, shape[1:]...)...)
		return t.Cast(dtype)
	}
	return []*tarn.Tensor{part(x, xPhase), part(y, yPhase)}
}

// smallCNN has a convolution with stride and padding, one in groups and a linear layer.
func smallCNN(dtype tarn.DType) *problem {
	const rows = 4
	k1 := wave(4*2*9, 0.2)
	for i := range k1 {
		k1[i] /= 2
	}
	p := []*tarn.Param{param(dtype, "k1", k1, 4, 2, 3, 3), param(dtype, "b1", wave(4, 0.3), 4), param(dtype, "k2", wave(4*2*4, 0.4), 4, 2, 2, 2),
		param(dtype, "w", wave(3*16, 0.5), 3, 16), param(dtype, "b", wave(3, 0.6), 3)}
	labels, _ := tarn.FromSlice([]int32{2, 0, 1, 2}, rows)
	return &problem{
		params: p,
		rows:   rows,
		loss: func(g *tarn.Graph, rows int) *tarn.Value {
			x, label := g.Input("x", dtype, rows, 5, 5, 2), g.Input("label", tarn.I32, rows)
			h := x.Conv(p[0].Value(g).KernelFromTorch(), tarn.ConvOptions{Window: tarn.Window{Stride: []int{2}, Padding: []int{1}}}).Add(p[1]).Tanh()
			h = h.Conv(p[2].Value(g).KernelFromTorch(), tarn.ConvOptions{Groups: 2}).Tanh()
			logits := h.Flatten(1, -1).MatMulT(p[3]).Add(p[4]).Named("logits")
			return logits.LogSoftmax(1).Gather(1, label.Unsqueeze(1)).Mean().Neg()
		},
		inputs: func(from, to int) []*tarn.Tensor {
			x := rowsOf(dtype, from, to, []int{rows, 5, 5, 2}, 0.1, []int{rows}, 0)[0]
			y, _ := tarn.FromSlice(labels.I32()[from:to], to-from)
			return []*tarn.Tensor{x, y}
		},
	}
}

func TestKFACEqualsReference(t *testing.T) {
	followAll(t, "testdata/kfac.json", onAll(kfacCases), map[tarn.DType]float64{tarn.F64: 1e-9, tarn.F32: 1e-3}, func(name string, dtype tarn.DType) *problem {
		if name == "cnn" {
			return smallCNN(dtype)
		}
		return scaledMLP(dtype)
	})
}

// TestKFACBranches expects the factors from a branch to be those computed in every step, also with the targets drawn in it.
func TestKFACBranches(t *testing.T) {
	for name, targets := range map[string]optim.Targets{"empirical": nil, "drawn": optim.ClassesOf("logits")} {
		t.Run(name, func(t *testing.T) {
			var states [2][]float64
			for i, every := range []int{1, 1000} {
				p, opt := smallCNN(tarn.F64), optim.NewKFAC(0.1)
				opt.FactorsEvery, opt.Every, opt.Targets = every, every, targets
				program := p.compile(t, opt, p.rows)
				for range 3 {
					run(t, program, p.batch())
				}
				states[i] = p.values()
				for _, s := range statesOf(t, opt).All() {
					states[i] = append(states[i], s.Tensor().Floats()...)
				}
			}
			if d := worst(states[1], states[0]); !(d < 1e-12) {
				t.Errorf("they differ by %g", d)
			}
		})
	}
}

// meanOf is the mean over the given number of runs of a value, of which each run draws another. It may need the first of the inputs only.
func meanOf(t *testing.T, v *tarn.Value, runs int, inputs ...*tarn.Tensor) []float64 {
	t.Helper()
	program, err := tarn.Compile(v.Graph(), tarn.Outputs{"v": v})
	if err != nil {
		t.Fatal(err)
	}
	mean := make([]float64, v.Size())
	for range runs {
		out, err := program.Run(inputs[:len(program.Inputs())]...)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range out["v"].Floats() {
			mean[i] += x / float64(runs)
		}
	}
	return mean
}

// contextOf gives f the context that a transform of an optimizer would be given.
func contextOf(t *testing.T, loss *tarn.Value, params []*tarn.Param, f func(c *optim.Context)) {
	t.Helper()
	if _, err := optim.NewChain(1, transformFunc(func(c *optim.Context, u []*tarn.Value) []*tarn.Value {
		f(c)
		return u
	})).Update(loss, named(params...)); err != nil {
		t.Fatal(err)
	}
}

type transformFunc func(c *optim.Context, u []*tarn.Value) []*tarn.Value

func (f transformFunc) Apply(c *optim.Context, u []*tarn.Value) []*tarn.Value { return f(c, u) }

// TestTargets holds the means of what is made of drawn targets against what they estimate: of Sophia's diagonal against that of the
// Gauss-Newton matrix, of the gradient against 0.
func TestTargets(t *testing.T) {
	const runs = 20000
	for name, test := range map[string]struct {
		problem    *problem
		prediction string
		targets    optim.Targets
	}{
		"classes": {smallCNN(tarn.F64), "logits", optim.ClassesOf("logits")},
		"normal":  {scaledMLP(tarn.F64), "prediction", optim.NormalsAround("prediction")},
	} {
		t.Run(name, func(t *testing.T) {
			p := test.problem
			g := tarn.NewGraph()
			loss := p.loss(g, p.rows)
			last := p.params[len(p.params)-2] // the weight of the last layer
			prediction, err := g.Lookup(test.prediction)
			if err != nil {
				t.Fatal(err)
			}
			var estimate, slope *tarn.Value
			contextOf(t, loss, []*tarn.Param{last}, func(c *optim.Context) {
				estimate = optim.GaussNewtonBartlett(test.targets)(c)[0]
				slope = tarn.Grad(test.targets(c).Loss, prediction)[0]
			})
			n := last.Tensor().Size()
			var exact []*tarn.Value
			for i := range n {
				unit := tarn.Zeros(tarn.F64, last.Shape()...)
				unit.SetFloat(i, 1)
				v := g.Const(unit)
				exact = append(exact, tarn.GNVP(loss, prediction, []*tarn.Param{last}, []*tarn.Value{v})[0].Mul(v).Sum().Reshape(1))
			}
			means := meanOf(t, tarn.Concat(0, estimate.Reshape(-1), slope.Reshape(-1)), runs, p.batch()...)
			want := meanOf(t, tarn.Concat(0, exact...), 1, p.batch()...)
			for i, w := range want {
				if math.Abs(means[i]-w) > 0.05*w+1e-4 {
					t.Errorf("element %d of the diagonal: the mean is %v, the diagonal %v", i, means[i], w)
				}
			}
			for i, s := range means[n:] {
				if math.Abs(s) > 0.005 {
					t.Errorf("element %d of the gradient has the mean %v", i, s)
				}
			}
		})
	}
}

// TestKFACTrueFisher expects the mean of G over many draws to be the Hessian of the loss of an example by the results of the
// last layer.
func TestKFACTrueFisher(t *testing.T) {
	p := scaledMLP(tarn.F64)
	g := tarn.NewGraph()
	loss := p.loss(g, p.rows)
	var factor *tarn.Value
	contextOf(t, loss, p.params, func(c *optim.Context) {
		drawn := optim.NormalsAround("prediction")(c)
		layers, _, err := tarn.KroneckerFactors(drawn.Loss, drawn.Examples, p.params[3], p.params[4])
		if err != nil {
			t.Fatal(err)
		}
		factor = layers[0].G
	})
	for i, x := range meanOf(t, factor, 5000, p.batch()...) {
		if want := float64(1 - (i+i/2)%2); math.Abs(x-want) > 0.05 { // 2 / (2 outputs) on the diagonal
			t.Errorf("element %d is %v, not %v", i, x, want)
		}
	}
}

// TestKFACRows expects the same steps where the rows of a layer are multiplied by the inverses before they are summed as where
// the gradient is, which a limit that never binds brings about.
func TestKFACRows(t *testing.T) {
	for name, targets := range map[string]optim.Targets{"empirical": nil, "drawn": optim.NormalsAround("prediction")} {
		t.Run(name, func(t *testing.T) {
			var ends [2][]float64
			for i, limit := range []float64{0, 1e300} {
				p, opt := scaledMLP(tarn.F64), optim.NewKFAC(0.1)
				opt.ClipNorm, opt.Targets = limit, targets
				program := p.compile(t, opt, 2)
				for range 5 {
					run(t, program, p.inputs(1, 3))
				}
				ends[i] = p.values()
			}
			if d := worst(ends[0], ends[1]); !(d < 1e-10) || slices.Equal(ends[0], ends[1]) {
				t.Errorf("they differ by %g", d)
			}
		})
	}
}

// TestKFACMaxSize expects a layer that is too large to be left to gradient descent.
func TestKFACMaxSize(t *testing.T) {
	p, opt := scaledMLP(tarn.F64), optim.NewKFAC(0.1)
	opt.MaxSize = 4 // the second layer has 4 inputs and a bias
	p.compile(t, opt, p.rows)
	var paths []string
	for name := range statesOf(t, opt).All() {
		paths = append(paths, name)
	}
	want := []string{"kfac.a.inverse/w1", "kfac.a/w1", "kfac.g.inverse/w1", "kfac.g/w1", "kfac.updates",
		"sgd.momentum/b1", "sgd.momentum/b2", "sgd.momentum/s", "sgd.momentum/w1", "sgd.momentum/w2"}
	if !slices.Equal(paths, want) {
		t.Errorf("got %q", paths)
	}
}

// TestKFACOthers expects the scale of the network, which has no factors, to go as under AdamW, and the rest as without it.
func TestKFACOthers(t *testing.T) {
	const rate, decay = 0.01, 0.1
	p, plain := scaledMLP(tarn.F64), scaledMLP(tarn.F64)
	opt, without, adamw := optim.NewKFAC(rate), optim.NewKFAC(rate), optim.NewAdamW(rate)
	opt.WeightDecay, without.WeightDecay, adamw.WeightDecay = decay, decay, decay
	opt.Others = optim.ScaleByAdam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	run(t, p.compile(t, opt, p.rows), p.batch())
	run(t, plain.compile(t, without, plain.rows), plain.batch())
	alone := scaledMLP(tarn.F64)
	run(t, alone.compile(t, adamw, alone.rows), alone.batch())
	for i, q := range p.params {
		want := plain.params[i]
		if i == 2 { // the scale
			want = alone.params[i]
		}
		if d := worst(q.Tensor().Floats(), want.Tensor().Floats()); !(d < 1e-14) {
			t.Errorf("%v differs by %g", q, d)
		}
	}
}

// TestKFACLargeLayers compares a step of layers whose factors are inverted in blocks with the formula.
func TestKFACLargeLayers(t *testing.T) {
	const rate, damping, rows = 0.1, 0.01, 3
	for name, build := range map[string]func(g *tarn.Graph, w *tarn.Param) *tarn.Value{
		"linear": func(g *tarn.Graph, w *tarn.Param) *tarn.Value {
			return g.Input("x", tarn.F64, rows, 100).MatMulT(w.Value(g).Reshape(70, 100))
		},
		"groups": func(g *tarn.Graph, w *tarn.Param) *tarn.Value {
			return g.Input("x", tarn.F64, rows, 100).Reshape(rows, 2, 50).Permute(1, 0, 2).MatMul(w.Value(g).Reshape(2, 50, 70))
		},
		"groups of large matrices": func(g *tarn.Graph, w *tarn.Param) *tarn.Value {
			x := g.Input("x", tarn.F64, rows, 100)
			return tarn.Stack(0, x, x.Scale(2).AddNum(1)).MatMul(w.Value(g).Reshape(2, 100, 35))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := tarn.NewGraph()
			w := param(tarn.F64, "w", wave(7000, 0.3), 7000)
			loss := build(g, w).Sin().Mean()
			opt := optim.NewKFAC(rate)
			opt.Damping, opt.KL, opt.Momentum, opt.FactorsEvery = damping, 0, 0, 1
			updates, err := opt.Update(loss, named(w))
			if err != nil {
				t.Fatal(err)
			}
			layers, _, err := tarn.KroneckerFactors(loss, rows, w)
			if err != nil || len(layers) != 1 {
				t.Fatal(layers, err)
			}
			l := layers[0]
			size := func(v *tarn.Value) *tarn.Value { return v.Trace().Scale(1 / float64(v.Dim(-1))) }
			p := size(l.A).Div(size(l.G)).Sqrt().Scale(math.Sqrt(damping))
			damped := func(v, by *tarn.Value) *tarn.Value {
				one := g.Eye(tarn.F64, v.Dim(-1))
				if v.Rank() == 3 {
					one, by = one.Expand(v.Shape()...), by.Unsqueeze(-1, -2)
				}
				return v.Add(one.Mul(by)).Inverse()
			}
			step := damped(l.G, p.Reciprocal().Scale(damping)).MatMul(l.Matrix(tarn.Grad(loss, w)[0], nil)).MatMul(damped(l.A, p))
			natural, _ := l.Split(step)
			program, err := tarn.Compile(g, tarn.Outputs{"want": w.Value(g).Sub(natural.Scale(rate))}, updates...)
			if err != nil {
				t.Fatal(err)
			}
			x, _ := tarn.FromSlice(wave(rows*100, 0.1), rows, 100)
			out, err := program.Run(x)
			if err != nil {
				t.Fatal(err)
			}
			if d := worst(w.Tensor().Floats(), out["want"].Floats()); !(d < 1e-10) {
				t.Errorf("the step differs by %g", d)
			}
		})
	}
}
