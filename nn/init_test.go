package nn_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file tests the initializers by the moments and bounds of what they draw, and the orthogonal one by its products.

func drawn(init tarn.Initializer, path string, shape ...int) *tarn.Tensor {
	t := tarn.Zeros(tarn.F64, shape...)
	init(t, tarn.NewRandom(7, path))
	return t
}

func TestInitializersDrawTheirDistribution(t *testing.T) {
	// [out in k]: fan-in 150*2, fan-out 100*2.
	shape := []int{100, 150, 2}
	for _, c := range []struct {
		name                   string
		init                   tarn.Initializer
		mean, std, least, most float64
	}{
		{"Zeros", nn.Zeros(), 0, 0, 0, 0},
		{"Ones", nn.Ones(), 1, 0, 1, 1},
		{"Constant", nn.Constant(-2.5), -2.5, 0, -2.5, -2.5},
		{"Uniform", nn.Uniform(1, 4), 2.5, 3 / math.Sqrt(12), 1, 4},
		{"Normal", nn.Normal(2, 3), 2, 3, math.Inf(-1), math.Inf(1)},
		// A normal cut at 2 has the variance 1 - 4 phi(2)/(2 Phi(2) - 1) = 0.8796^2.
		{"TruncatedNormal", nn.TruncatedNormal(1, 0.5, 2), 1, 0.5 * 0.87962566, 0, 2},
		{"XavierUniform", nn.XavierUniform(2), 0, 2 * math.Sqrt(2.0/500), -2 * math.Sqrt(6.0/500), 2 * math.Sqrt(6.0/500)},
		{"XavierNormal", nn.XavierNormal(2), 0, 2 * math.Sqrt(2.0/500), math.Inf(-1), math.Inf(1)},
		{"KaimingUniform in", nn.KaimingUniform(nn.FanIn, nn.Gain(nn.ReLU{})), 0, math.Sqrt(2.0 / 300), -math.Sqrt(6.0 / 300), math.Sqrt(6.0 / 300)},
		{"KaimingNormal out", nn.KaimingNormal(nn.FanOut, nn.Gain(nn.ReLU{})), 0, math.Sqrt(2.0 / 200), math.Inf(-1), math.Inf(1)},
		{"LeCunUniform", nn.LeCunUniform(), 0, math.Sqrt(1.0 / 300), -math.Sqrt(3.0 / 300), math.Sqrt(3.0 / 300)},
		{"LeCunNormal", nn.LeCunNormal(), 0, math.Sqrt(1.0 / 300), math.Inf(-1), math.Inf(1)},
		{"Linear's", nn.KaimingUniform(nn.FanIn, nn.Gain(nn.LeakyReLU{Slope: math.Sqrt(5)})), 0, math.Sqrt(1.0 / 900), -math.Sqrt(1.0 / 300), math.Sqrt(1.0 / 300)},
	} {
		x := drawn(c.init, "a", shape...).F64()
		var sum, squares float64
		least, most := math.Inf(1), math.Inf(-1)
		for _, v := range x {
			sum += v
			squares += (v - c.mean) * (v - c.mean)
			least, most = min(least, v), max(most, v)
		}
		n := float64(len(x))
		// Five standard errors of n numbers.
		if got := sum / n; math.Abs(got-c.mean) > 5*c.std/math.Sqrt(n) {
			t.Errorf("%s: the mean is %v, want %v", c.name, got, c.mean)
		}
		if got := math.Sqrt(squares / n); math.Abs(got-c.std) > 5*c.std/math.Sqrt(n) {
			t.Errorf("%s: the standard deviation is %v, want %v", c.name, got, c.std)
		}
		if least < c.least-1e-12 || most > c.most+1e-12 {
			t.Errorf("%s: drew %v to %v, want within [%v, %v]", c.name, least, most, c.least, c.most)
		}
		if c.std > 0 && drawn(c.init, "b", shape...).Equal(drawn(c.init, "a", shape...), 0) {
			t.Errorf("%s: two paths get the same numbers", c.name)
		}
	}
}

func TestInitializersTakeEveryShape(t *testing.T) {
	for name, init := range map[string]tarn.Initializer{
		"XavierUniform": nn.XavierUniform(1), "KaimingNormal": nn.KaimingNormal(nn.FanOut, 1), "LeCunNormal": nn.LeCunNormal(), "Orthogonal": nn.Orthogonal(1),
	} {
		for _, shape := range [][]int{{}, {3}, {0, 4}, {4, 0}, {2, 3, 1, 2}} {
			for i, v := range drawn(init, "a", shape...).F64() {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("%s: element %d of shape %v is %v", name, i, shape, v)
				}
			}
		}
	}
}

func TestOrthogonal(t *testing.T) {
	for _, shape := range [][]int{{1, 1}, {5, 5}, {3, 8}, {8, 3}, {4, 3, 2}, {120, 120}} {
		const gain = 1.5
		q := drawn(nn.Orthogonal(gain), "a", shape...).F64()
		rows := shape[0]
		cols := len(q) / rows
		at := func(i, k int) float64 { return q[i*cols+k] } // of vector i, element k
		n, m := rows, cols
		if rows > cols {
			at = func(i, k int) float64 { return q[k*cols+i] }
			n, m = cols, rows
		}
		for i := range n {
			for j := range n {
				var got, want float64
				for k := range m {
					got += at(i, k) * at(j, k)
				}
				if i == j {
					want = gain * gain
				}
				if math.Abs(got-want) > 1e-13*gain*gain*float64(m) {
					t.Errorf("shape %v: the product of vectors %d and %d is %v, want %v", shape, i, j, got, want)
				}
			}
		}
	}
	// Signs are not fixed: the only element of [1 1] is gain or -gain, each half of the time.
	plus := 0
	for seed := range uint64(200) {
		x := tarn.Zeros(tarn.F32, 1, 1)
		nn.Orthogonal(1)(x, tarn.NewRandom(seed, "a"))
		if x.Float(0) == 1 {
			plus++
		}
	}
	if plus < 60 || plus > 140 {
		t.Errorf("%d of 200 draws are 1 and the rest -1", plus)
	}
}

// TestInitializersRefuse initializes params with arguments that make no sense: the error names param and initializer.
func TestInitializersRefuse(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, inits := range map[string][]tarn.Initializer{
		"Uniform":         {nn.Uniform(1, 0), nn.Uniform(nan, 1), nn.Uniform(0, nan), nn.Uniform(-inf, 0), nn.Uniform(0, inf), nn.Uniform(-1e308, 1e308), nn.Uniform(0, 1e300), nn.Uniform(-1e39, -1e38)},
		"Normal":          {nn.Normal(nan, 1), nn.Normal(inf, 1), nn.Normal(0, -1), nn.Normal(0, nan), nn.Normal(0, inf), nn.Normal(0, 1e300), nn.Normal(1e39, 1), nn.Normal(0, 1e39)},
		"TruncatedNormal": {nn.TruncatedNormal(nan, 1, 2), nn.TruncatedNormal(0, -1, 2), nn.TruncatedNormal(0, 1, 0), nn.TruncatedNormal(0, 1, -2), nn.TruncatedNormal(0, 1, nan), nn.TruncatedNormal(0, 1e300, 2), nn.TruncatedNormal(-1e300, 1, 2)},
		"XavierUniform":   {nn.XavierUniform(nan), nn.XavierUniform(-1), nn.XavierUniform(inf), nn.XavierUniform(1e300)},
		"XavierNormal":    {nn.XavierNormal(nan), nn.XavierNormal(-1), nn.XavierNormal(inf), nn.XavierNormal(1e300)},
		"KaimingUniform":  {nn.KaimingUniform(nn.FanIn, nan), nn.KaimingUniform(nn.FanOut, -1), nn.KaimingUniform(nn.FanIn, inf), nn.KaimingUniform(nn.FanIn, 1e300)},
		"KaimingNormal":   {nn.KaimingNormal(nn.FanIn, nan), nn.KaimingNormal(nn.FanOut, -1), nn.KaimingNormal(nn.FanIn, inf), nn.KaimingNormal(nn.FanOut, 1e300)},
		"Constant":        {nn.Constant(1e300), nn.Constant(-4e38)},
		"Orthogonal":      {nn.Orthogonal(nan), nn.Orthogonal(-1), nn.Orthogonal(inf), nn.Orthogonal(1e300)},
	} {
		for i, init := range inits {
			model := &struct{ Weight *tarn.Param }{tarn.NewParam(tarn.F32, init, 3, 4)}
			if err := tarn.Init(model, 1); err == nil || !strings.Contains(err.Error(), `param "weight": nn: `+name) {
				t.Errorf("%s, case %d: the error is %v", name, i, err)
			}
		}
	}
	for name, init := range map[string]tarn.Initializer{"Uniform": nn.Uniform(2, 2), "Normal": nn.Normal(1, 0), "Orthogonal": nn.Orthogonal(0), "XavierNormal": nn.XavierNormal(0)} {
		model := &struct{ Weight *tarn.Param }{tarn.NewParam(tarn.F32, init, 3, 4)}
		if err := tarn.Init(model, 1); err != nil {
			t.Errorf("%s that draws one number: %v", name, err)
		}
	}
}
