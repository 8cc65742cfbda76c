package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of the random ops, whose numbers are another kind of thing in F32 than in F64 and so are not compared.
var _ = register(
	elementwise("Graph.Uniform", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Uniform(tarn.F64, -1, 3, v.Shape()...)) }, between(-4, 4)).of(tarn.F64),
	elementwise("Graph.Uniform", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Uniform(tarn.F32, -1, 3, v.Shape()...)) }, between(-4, 4)).as("f32").of(tarn.F32),
	elementwise("Graph.Normal", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Normal(tarn.F64, 1, 2, v.Shape()...)) }, between(-4, 4)).of(tarn.F64),
	elementwise("Graph.Normal", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Normal(tarn.F32, 1, 2, v.Shape()...)) }, between(-4, 4)).as("f32").of(tarn.F32),
	elementwise("Graph.Bernoulli", func(v *tarn.Value) *tarn.Value {
		return v.Graph().Bernoulli(tarn.Num(0.5), v.Shape()...).Where(v, tarn.Num(0))
	}, between(-4, 4)),
	elementwise("Graph.Bernoulli", func(v *tarn.Value) *tarn.Value { return v.Graph().Bernoulli(v, v.Shape()...) }, between(0, 1)).as("by element").withoutDerivative(),
)

var _ = refuse(
	unaryRefusal("Graph.Uniform", func(v *tarn.Value) *tarn.Value { return v.Graph().Uniform(tarn.F32, 1, 0, 3) }, f32(3), "the range from 1 to 0 is not one"),
	unaryRefusal("Graph.Uniform", func(v *tarn.Value) *tarn.Value { return v.Graph().Uniform(tarn.I32, 0, 1, 3) }, f32(3), "random numbers of dtype i32"),
	unaryRefusal("Graph.Uniform", func(v *tarn.Value) *tarn.Value { return v.Graph().Uniform(tarn.F32, 0, 1, -3) }, f32(3), "negative size -3"),
	unaryRefusal("Graph.Normal", func(v *tarn.Value) *tarn.Value { return v.Graph().Normal(tarn.F32, 0, -1, 3) }, f32(3), "deviation -1 should not be negative"),
	unaryRefusal("Graph.Bernoulli", func(v *tarn.Value) *tarn.Value { return v.Graph().Bernoulli(v, 4) }, f32(3), "the probability has shape [3] and the draws [4]"),
	unaryRefusal("Graph.Bernoulli", func(v *tarn.Value) *tarn.Value { return v.Graph().Bernoulli(v, 3) }, i32(3), "the probability is i32"),
	unaryRefusal("Graph.Bernoulli", func(v *tarn.Value) *tarn.Value { return v.Graph().Bernoulli(nil, 3) }, f32(3), "the probability is nil"),
)

// drawn is what a fresh program of one random op gives at a step.
func drawn(t *testing.T, seed uint64, step int64, build func(g *tarn.Graph) *tarn.Value) *tarn.Tensor {
	t.Helper()
	g := tarn.NewGraph()
	g.Seed(seed)
	p, err := tarn.Compile(g, tarn.Outputs{"y": build(g)})
	if err != nil {
		t.Fatal(err)
	}
	p.SetRuns(step)
	out, err := p.Run()
	if err != nil {
		t.Fatal(err)
	}
	return out["y"]
}

// TestRandomMoments checks mean, variance and range of many numbers.
func TestRandomMoments(t *testing.T) {
	const n = 40000
	for _, test := range []struct {
		name                 string
		build                func(g *tarn.Graph) *tarn.Value
		mean, std, low, high float64
	}{
		{"uniform f32", func(g *tarn.Graph) *tarn.Value { return g.Uniform(tarn.F32, -1, 3, n) }, 1, 4 / math.Sqrt(12), -1, 3},
		{"uniform f64", func(g *tarn.Graph) *tarn.Value { return g.Uniform(tarn.F64, -1, 3, n) }, 1, 4 / math.Sqrt(12), -1, 3},
		{"normal f32", func(g *tarn.Graph) *tarn.Value { return g.Normal(tarn.F32, 1, 2, n) }, 1, 2, -20, 20},
		{"normal f64", func(g *tarn.Graph) *tarn.Value { return g.Normal(tarn.F64, 1, 2, n) }, 1, 2, -20, 20},
		{"bernoulli", func(g *tarn.Graph) *tarn.Value { return g.Bernoulli(tarn.Num(0.3), n) }, 0.3, math.Sqrt(0.21), 0, 2},
	} {
		x := drawn(t, 5, 0, test.build).Floats()
		var sum, squares float64
		for _, v := range x {
			sum += v
			squares += (v - test.mean) * (v - test.mean)
			if v < test.low || v >= test.high {
				t.Fatalf("%s: %v is out of range", test.name, v)
			}
		}
		// Five standard errors; the fourth moment of a normal makes that of the variance sqrt(2/n).
		if e := sum/n - test.mean; math.Abs(e) > 5*test.std/math.Sqrt(n) {
			t.Errorf("%s: the mean is off by %v", test.name, e)
		}
		if ratio := squares / n / (test.std * test.std); math.Abs(ratio-1) > 5*math.Sqrt(2.0/n) {
			t.Errorf("%s: the variance is %v of what it should be", test.name, ratio)
		}
	}
}

// TestRandomKeys checks what the numbers depend on: seed, place among the random ops, and step, and nothing else.
func TestRandomKeys(t *testing.T) {
	first := func(g *tarn.Graph) *tarn.Value { return g.Uniform(tarn.F64, 0, 1, 100) }
	second := func(g *tarn.Graph) *tarn.Value {
		g.Normal(tarn.F32, 0, 1, 3)
		return g.Uniform(tarn.F64, 0, 1, 100)
	}
	later := func(g *tarn.Graph) *tarn.Value {
		g.Num(tarn.F64, 1).AddNum(2).Exp()
		return g.Uniform(tarn.F64, 0, 1, 100)
	}
	base := drawn(t, 1, 0, first)
	for _, test := range []struct {
		name string
		x    *tarn.Tensor
		same bool
	}{
		{"the same again", drawn(t, 1, 0, first), true},
		{"other ops before it", drawn(t, 1, 0, later), true},
		{"another seed", drawn(t, 2, 0, first), false},
		{"another step", drawn(t, 1, 1, first), false},
		{"another random op before it", drawn(t, 1, 0, second), false},
	} {
		if (base.Diff(test.x, 0) == "") != test.same {
			t.Errorf("%s: the numbers are the same: %v, should be %v", test.name, !test.same, test.same)
		}
	}
}

// TestRandomBits checks the very numbers: a run that is resumed, or repeated by a later version, draws the same. The first random op of a
// graph has number 0.
func TestRandomBits(t *testing.T) {
	uniform := func(g *tarn.Graph) *tarn.Value { return g.Uniform(tarn.F64, 0, 1, 3) }
	for _, c := range []struct {
		name  string
		seed  uint64
		step  int64
		build func(g *tarn.Graph) *tarn.Value
		want  []float64
	}{
		{"uniform", 0, 0, uniform, []float64{0.15462670087945518, 0.4524368673787127, 0.24691313153942707}},
		{"uniform of another seed", 7, 0, uniform, []float64{0.6063722979203232, 0.09854813809834484, 0.014786650917262278}},
		{"uniform of another run", 0, 3, uniform, []float64{0.10178344891326996, 0.18049795352260534, 0.31698249265336476}},
		{"second", 0, 0, func(g *tarn.Graph) *tarn.Value {
			uniform(g)
			return uniform(g)
		}, []float64{0.7264911281856437, 0.3690201763869422, 0.11148805755361757}},
		{"uniform f32", 0, 0, func(g *tarn.Graph) *tarn.Value { return g.Uniform(tarn.F32, 0, 1, 3) }, []float64{0.3656347393989563, 0.15462666749954224, 0.8962603807449341}},
		{"normal", 0, 0, func(g *tarn.Graph) *tarn.Value { return g.Normal(tarn.F64, 0, 1, 3) }, []float64{-1.0167898707904675, -0.11950694928936545, -0.684235825753105}},
		{"bernoulli", 0, 0, func(g *tarn.Graph) *tarn.Value { return g.Bernoulli(tarn.Num(0.5), 8) }, []float64{1, 1, 0, 1, 0, 1, 1, 1}},
		{"uniform in a scan", 0, 2, func(g *tarn.Graph) *tarn.Value {
			_, stacks := tarn.Scan([]*tarn.Value{g.Num(tarn.F64, 0)}, nil, tarn.ScanOptions{Steps: 3}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return c, []*tarn.Value{uniform(c[0].Graph())}
			})
			return stacks[0].Slice(0, 2, 3)
		}, drawn(t, 0, 2*3+2, uniform).Floats()},
	} {
		got := drawn(t, c.seed, c.step, c.build).Floats()
		if len(got) != len(c.want) {
			t.Fatalf("%s: %d numbers are drawn, want %d", c.name, len(got), len(c.want))
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-15 {
				t.Errorf("%s: the numbers are %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

// TestRandomSteps checks that every run draws different numbers and that SetRuns brings them back.
func TestRandomSteps(t *testing.T) {
	g := tarn.NewGraph()
	p, err := tarn.Compile(g, tarn.Outputs{"y": g.Normal(tarn.F32, 0, 1, 10)})
	if err != nil {
		t.Fatal(err)
	}
	var runs []*tarn.Tensor
	for step := range 4 {
		if step == 3 {
			p.SetRuns(1)
		}
		out, err := p.Run()
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, out["y"].Clone())
	}
	if runs[0].Equal(runs[1], 0) || runs[1].Equal(runs[2], 0) {
		t.Error("two runs drew the same numbers")
	}
	if diff := runs[3].Diff(runs[1], 0); diff != "" {
		t.Errorf("step 1, repeated: %s", diff)
	}
}

// TestDropoutIsConsistent checks that the backward pass sees the very draws of the forward pass, recomputed or not.
func TestDropoutIsConsistent(t *testing.T) {
	for _, checkpoint := range []bool{false, true} {
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F64, 200)
		drop := func(in ...*tarn.Value) *tarn.Value {
			return g.Bernoulli(tarn.Num(0.5), 200).Where(in[0].Scale(2), tarn.Num(0))
		}
		y := drop(x)
		if checkpoint {
			y = tarn.Checkpoint(drop, x)
		}
		p, err := tarn.Compile(g, tarn.Outputs{"y": y, "d": tarn.Grad(y.Sum(), x)[0]})
		if err != nil {
			t.Fatal(err)
		}
		ones := tarn.Zeros(tarn.F64, 200)
		for i := range 200 {
			ones.SetFloat(i, 1)
		}
		out, err := p.Run(ones)
		if err != nil {
			t.Fatal(err)
		}
		if diff := out["y"].Diff(out["d"], 0); diff != "" {
			t.Errorf("checkpoint %v: %s", checkpoint, diff)
		}
	}
}
