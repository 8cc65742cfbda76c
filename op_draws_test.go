package tarn_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of the draws from other distributions. The second derivatives of gamma numbers are refused, so derivatives have a test of their own.
var _ = register(
	elementwise("Graph.TruncatedNormal", func(v *tarn.Value) *tarn.Value {
		return v.Mul(v.Graph().TruncatedNormal(tarn.F64, 1, 2, 0.5, 4, v.Shape()...))
	}, between(-4, 4)).of(tarn.F64),
	elementwise("Graph.TruncatedNormal", func(v *tarn.Value) *tarn.Value {
		return v.Mul(v.Graph().TruncatedNormal(tarn.F32, 1, 2, 0.5, 4, v.Shape()...))
	}, between(-4, 4)).as("f32").of(tarn.F32),
	elementwise("Graph.Gamma", func(v *tarn.Value) *tarn.Value { return v.Graph().Gamma(v, v.Shape()...) }, between(0.1, 4)).withoutDerivative().within(10),
	elementwise("Graph.Gamma", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Gamma(tarn.Num(0.5), v.Shape()...)) }, between(-4, 4)).as("number").of(tarn.F64),
	pairwise("Graph.Beta", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Graph().Beta(v, o, v.Shape()...) }, between(0.1, 4), between(0.1, 4)).
		with([][]int{{3, 5}, {3, 5}}, [][]int{{7}, {}}, [][]int{{0}, {}}).withoutDerivative().within(10),
	elementwise("Graph.Beta", func(v *tarn.Value) *tarn.Value { return v.Graph().Beta(tarn.Num(2), v, v.Shape()...) }, between(0.1, 4)).as("number").withoutDerivative().within(10),
	elementwise("Graph.Dirichlet", func(v *tarn.Value) *tarn.Value { return v.Graph().Dirichlet(v, append([]int{4}, v.Shape()...)...) }, between(0.1, 4)).
		with([][]int{{3}}, [][]int{{2, 3}}).withoutDerivative().within(10),
	elementwise("Graph.Poisson", func(v *tarn.Value) *tarn.Value { return v.Graph().Poisson(v, v.Shape()...) }, between(0, 30)).withoutDerivative().of(tarn.F64),
	elementwise("Graph.Gumbel", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Gumbel(tarn.F64, v.Shape()...)) }, between(-4, 4)).of(tarn.F64),
	elementwise("Graph.Categorical", func(v *tarn.Value) *tarn.Value {
		return v.Graph().Categorical(v, append([]int{4}, v.Shape()[:max(0, v.Rank()-1)]...)...)
	}, between(-4, 4)).
		with([][]int{{3}}, [][]int{{2, 3}}).withoutDerivative().of(tarn.F64),
	elementwise("Graph.Permutation", func(v *tarn.Value) *tarn.Value { return v.Take(0, v.Graph().Permutation(v.Dim(0))) }, between(-4, 4)).
		with([][]int{{3}}, [][]int{{2, 3}}, [][]int{{1}}),
)

var _ = refuse(
	unaryRefusal("Graph.TruncatedNormal", func(v *tarn.Value) *tarn.Value { return v.Graph().TruncatedNormal(tarn.F32, 0, 0, -1, 1, 3) }, f32(3), "the standard deviation 0"),
	unaryRefusal("Graph.TruncatedNormal", func(v *tarn.Value) *tarn.Value { return v.Graph().TruncatedNormal(tarn.F32, 0, 1, 1, -1, 3) }, f32(3), "the range from 1 to -1 is not one"),
	unaryRefusal("Graph.TruncatedNormal", func(v *tarn.Value) *tarn.Value { return v.Graph().TruncatedNormal(tarn.I32, 0, 1, -1, 1, 3) }, f32(3), "random numbers of dtype i32"),
	unaryRefusal("Graph.Gamma", func(v *tarn.Value) *tarn.Value { return v.Graph().Gamma(v, 4) }, f32(3), "the parameter has shape [3] and does not broadcast to the draws [4]"),
	unaryRefusal("Graph.Gamma", func(v *tarn.Value) *tarn.Value { return v.Graph().Gamma(v, 3) }, i32(3), "the parameter is i32[3]"),
	unaryRefusal("Graph.Gamma", func(v *tarn.Value) *tarn.Value { return v.Graph().Gamma(nil, 3) }, f32(3), "the parameter is nil"),
	unaryRefusal("Graph.Gamma", func(v *tarn.Value) *tarn.Value {
		d := tarn.Grad(v.Graph().Gamma(v, 3).Sum(), v)[0]
		return tarn.Grad(d.Sum(), v)[0]
	}, f32(3), "has no gradient itself"),
	unaryRefusal("Graph.Beta", func(v *tarn.Value) *tarn.Value { return v.Graph().Beta(v, v.Cast(tarn.F64), 3) }, f32(3), "f32 and f64"),
	unaryRefusal("Graph.Dirichlet", func(v *tarn.Value) *tarn.Value { return v.Graph().Dirichlet(v) }, f32(), "need an axis along which"),
	unaryRefusal("Graph.Poisson", func(v *tarn.Value) *tarn.Value { return v.Graph().Poisson(v, -1) }, f32(3), "negative size -1"),
	unaryRefusal("Graph.Categorical", func(v *tarn.Value) *tarn.Value { return v.Graph().Categorical(v) }, f32(), "the logits are a scalar"),
	unaryRefusal("Graph.Categorical", func(v *tarn.Value) *tarn.Value { return v.Graph().Categorical(nil) }, f32(3), "the logits are nil"),
)

// drawGoldens are what testdata/draws.py has written.
func drawGoldens(t *testing.T) (goldens struct {
	Slopes    [][3]float64
	Functions map[string][][2]float64
}) {
	t.Helper()
	raw, err := os.ReadFile("testdata/draws.json")
	if err == nil {
		err = json.Unmarshal(raw, &goldens)
	}
	if err != nil {
		t.Fatal(err)
	}
	return goldens
}

// TestDrawsFollowTheirDistribution compares the share of draws up to some points with the distribution function.
func TestDrawsFollowTheirDistribution(t *testing.T) {
	const n = 40000
	draws := map[string]func(g *tarn.Graph) *tarn.Value{
		"gamma 0.3":   func(g *tarn.Graph) *tarn.Value { return g.Gamma(tarn.Num(0.3), n) },
		"gamma 4":     func(g *tarn.Graph) *tarn.Value { return g.Gamma(g.Num(tarn.F32, 4), n) },
		"beta 0.5 2":  func(g *tarn.Graph) *tarn.Value { return g.Beta(tarn.Num(0.5), tarn.Num(2), n) },
		"beta 3 3":    func(g *tarn.Graph) *tarn.Value { return g.Dirichlet(tarn.Num(3), n, 2).Slice(-1, 0, 1) },
		"poisson 2.5": func(g *tarn.Graph) *tarn.Value { return g.Poisson(tarn.Num(2.5), n) },
		"poisson 40":  func(g *tarn.Graph) *tarn.Value { return g.Poisson(tarn.Num(40), n) },
		"poisson 1e6": func(g *tarn.Graph) *tarn.Value { return g.Poisson(tarn.Num(1e6), n) },
		"truncated":   func(g *tarn.Graph) *tarn.Value { return g.TruncatedNormal(tarn.F32, 1, 2, 0.5, 4, n) },
		"gumbel":      func(g *tarn.Graph) *tarn.Value { return g.Gumbel(tarn.F64, n) },
	}
	goldens := drawGoldens(t)
	for name, points := range goldens.Functions {
		x := drawn(t, 3, 0, draws[name]).Floats()
		for _, p := range points {
			below := 0
			for _, v := range x {
				if v <= p[0] {
					below++
				}
			}
			if e := float64(below)/n - p[1]; math.Abs(e) > 4.5*math.Sqrt(p[1]*(1-p[1])/n) {
				t.Errorf("%s: %v of the draws are up to %v, should be %v", name, float64(below)/n, p[0], p[1])
			}
		}
	}
	// Categorical and Permutation: each index as often as it should be.
	logits := tarn.Vector([]float64{0, math.Log(2), math.Inf(-1), math.Log(5)})
	counts := make([]float64, 4)
	for _, i := range drawn(t, 3, 0, func(g *tarn.Graph) *tarn.Value { return g.Categorical(g.Const(logits), n) }).Floats() {
		counts[int(i)]++
	}
	for i, p := range []float64{1.0 / 8, 2.0 / 8, 0, 5.0 / 8} {
		if e := counts[i]/n - p; math.Abs(e) > 4.5*math.Sqrt(p*(1-p)/n) {
			t.Errorf("the index %d is drawn with frequency %v, should be %v", i, counts[i]/n, p)
		}
	}
	const places = 5
	var first [places]float64
	for step := range int64(2000) {
		seen := map[float64]bool{}
		order := drawn(t, 3, step, func(g *tarn.Graph) *tarn.Value { return g.Permutation(places) }).Floats()
		for _, i := range order {
			seen[i] = true
		}
		if len(seen) != places {
			t.Fatalf("%v is no permutation", order)
		}
		first[int(order[0])]++
	}
	for i, c := range first {
		if e := c/2000 - 0.2; math.Abs(e) > 4.5*math.Sqrt(0.16/2000) {
			t.Errorf("%d comes first with frequency %v", i, c/2000)
		}
	}
}

// TestGammaSlope compares derivatives of gamma numbers with those of the quantiles, and the gradients of draws with differences.
func TestGammaSlope(t *testing.T) {
	for _, c := range drawGoldens(t).Slopes {
		if got := tarn.LogGammaSlope(c[0], c[1]); math.Abs(got-c[2]) > 1e-9*math.Abs(c[2]) {
			t.Errorf("concentration %v, logarithm %v: the derivative is %v, should be %v", c[0], c[1], got, c[2])
		}
	}
	// At the ends, and beyond, there is no finite derivative, and none takes long.
	for _, c := range [][2]float64{{5e-324, -800}, {1, math.Inf(1)}, {1, math.Inf(-1)}, {0, -1}, {-1, 0}, {math.NaN(), 0}, {1, math.NaN()}, {math.Inf(1), 1}} {
		if got := tarn.LogGammaSlope(c[0], c[1]); !math.IsNaN(got) && !math.IsInf(got, 0) {
			t.Errorf("concentration %v, logarithm %v: the derivative is %v", c[0], c[1], got)
		}
	}
	// Beyond a concentration of 1e6 an expansion is used: both agree where they meet.
	for _, deviations := range []float64{-3, -0.1, 2} {
		y := math.Log(1e6 + 1e3*deviations)
		a, b := tarn.LogGammaSlope(1e6, y), tarn.LogGammaSlope(math.Nextafter(1e6, 2e6), y)
		if math.Abs(a-b) > 1e-5*math.Abs(a) {
			t.Errorf("at %v deviations the derivatives are %v and %v", deviations, a, b)
		}
	}
	// The mean of a gamma number is its concentration, of beta numbers a/(a+b): the gradients have the mean of the derivative.
	const n = 20000
	g := tarn.NewGraph()
	a := g.Input("a", tarn.F64)
	p, err := tarn.Compile(g, tarn.Outputs{"gamma": tarn.Grad(g.Gamma(a, n).Mean(), a)[0], "beta": tarn.Grad(g.Beta(a, tarn.Num(2), n).Mean(), a)[0],
		"dirichlet": tarn.Grad(g.Dirichlet(tarn.Concat(0, a.Reshape(1), a.Num(2).Reshape(1), a.Num(3).Reshape(1)), n, 3).Mean(0).Slice(0, 0, 1).Sum(), a)[0]})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(tarn.Scalar(1.5))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"gamma": 1, "beta": 2 / (3.5 * 3.5), "dirichlet": 5 / (6.5 * 6.5)} {
		if got := out[name].Item(); math.Abs(got-want) > 0.03*want {
			t.Errorf("%s: the mean gradient is %v, should be %v", name, got, want)
		}
	}
}
