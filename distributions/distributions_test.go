package distributions_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/distributions"
	"github.com/seed-49005b45/tarn/tarntest"
)

// makers make each distribution from its parameters.
var makers = map[string]func(p []*tarn.Value) distributions.Distribution{
	"Normal":      func(p []*tarn.Value) distributions.Distribution { return distributions.Normal{Mean: p[0], Std: p[1]} },
	"Bernoulli":   func(p []*tarn.Value) distributions.Distribution { return distributions.Bernoulli{Logits: p[0]} },
	"Categorical": func(p []*tarn.Value) distributions.Distribution { return distributions.Categorical{Logits: p[0]} },
	"Gamma": func(p []*tarn.Value) distributions.Distribution {
		return distributions.Gamma{Concentration: p[0], Rate: p[1]}
	},
	"Beta":      func(p []*tarn.Value) distributions.Distribution { return distributions.Beta{A: p[0], B: p[1]} },
	"Dirichlet": func(p []*tarn.Value) distributions.Distribution { return distributions.Dirichlet{Concentration: p[0]} },
	"MultivariateNormal": func(p []*tarn.Value) distributions.Distribution {
		return distributions.MultivariateNormal{Mean: p[0], Scale: p[1]}
	},
}

// array is a tensor in the goldens.
type array struct {
	Shape []int
	Data  []float64
}

func (a array) tensor(t *testing.T, dtype tarn.DType) *tarn.Tensor {
	t.Helper()
	x, err := tarn.FromSlice(a.Data, a.Shape...)
	if err != nil {
		t.Fatal(err)
	}
	return x.Cast(dtype)
}

type golden struct {
	Name        string
	P, Q        []array
	X           array
	LogProb     array `json:"log_prob"`
	Entropy, KL array
	Grads       []array
}

func goldens(t *testing.T) (all []golden) {
	t.Helper()
	raw, err := os.ReadFile("testdata/goldens.json")
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// integer reports whether a distribution draws indices.
func integer(name string) bool { return name == "Categorical" }

// TestDistributionsEqualPyTorch compares logarithms of probabilities, entropies and divergences, and the gradients of a sum of them, with
// torch.distributions: see testdata/goldens.py.
func TestDistributionsEqualPyTorch(t *testing.T) {
	tested := map[string]bool{}
	for i, c := range goldens(t) {
		tested[c.Name] = true
		t.Run(fmt.Sprint(c.Name, " ", i), func(t *testing.T) {
			g := tarn.NewGraph()
			var in []*tarn.Tensor
			input := func(a array, dtype tarn.DType) *tarn.Value {
				in = append(in, a.tensor(t, dtype))
				return g.Input(fmt.Sprint(len(in)), dtype, a.Shape...)
			}
			inputs := func(list []array) (values []*tarn.Value) {
				for _, a := range list {
					values = append(values, input(a, tarn.F64))
				}
				return values
			}
			p, q := inputs(c.P), inputs(c.Q)
			dtype := tarn.F64
			if integer(c.Name) {
				dtype = tarn.I64
			}
			x := input(c.X, dtype)
			dp, dq := makers[c.Name](p), makers[c.Name](q)
			outputs := tarn.Outputs{"log_prob": dp.LogProb(x), "entropy": dp.Entropy(), "kl": distributions.KL(dp, dq)}
			want := map[string]array{"log_prob": c.LogProb, "entropy": c.Entropy, "kl": c.KL}
			total := outputs["log_prob"].Sum().Add(outputs["entropy"].Sum().Scale(2)).Add(outputs["kl"].Sum().Scale(3))
			ends := slices.Concat(p, q)
			if len(c.Grads) > len(ends) {
				ends = append(ends, x)
			}
			for k, d := range tarn.Grad(total, ends...) {
				name := fmt.Sprint("gradient ", k)
				outputs[name], want[name] = d, c.Grads[k]
			}
			program, err := tarn.Compile(g, outputs)
			if err != nil {
				t.Fatal(err)
			}
			out, err := program.Run(in...)
			if err != nil {
				t.Fatal(err)
			}
			for name, w := range want {
				if !slices.Equal(out[name].Shape(), w.Shape) {
					t.Errorf("%s has shape %v and should have %v", name, out[name].Shape(), w.Shape)
					continue
				}
				if diff := out[name].Diff(w.tensor(t, tarn.F64), 1e-9); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
	for name := range makers {
		if !tested[name] {
			t.Errorf("%s has no golden", name)
		}
	}
}

// TestSecondDerivatives compares the derivatives of a sum of all with differences.
func TestSecondDerivatives(t *testing.T) {
	for i, c := range goldens(t) {
		t.Run(fmt.Sprint(c.Name, " ", i), func(t *testing.T) {
			var in []*tarn.Tensor
			for _, a := range slices.Concat(c.P, c.Q) {
				in = append(in, a.tensor(t, tarn.F64))
			}
			x := c.X.tensor(t, tarn.F64)
			if integer(c.Name) {
				x = x.Cast(tarn.I64)
			}
			tarntest.CheckGrad(t, func(in ...*tarn.Value) *tarn.Value {
				p, q := makers[c.Name](in[:len(c.P)]), makers[c.Name](in[len(c.P):])
				return p.LogProb(in[0].Graph().Const(x)).Sum().Add(p.Entropy().Sum()).Add(distributions.KL(p, q).Sum())
			}, in...)
		})
	}
}

// TestSamplesFollow compares the mean of -log p over draws with the entropy, and counts on the draws of indices in the same way.
func TestSamplesFollow(t *testing.T) {
	const n = 20000
	for i, c := range goldens(t) {
		t.Run(fmt.Sprint(c.Name, " ", i), func(t *testing.T) {
			g := tarn.NewGraph()
			var p []*tarn.Value
			for _, a := range c.P {
				p = append(p, g.Const(a.tensor(t, tarn.F64)))
			}
			d := makers[c.Name](p)
			shape := append([]int{n}, c.P[0].Shape...)
			if c.Name == "Categorical" {
				shape = shape[:len(shape)-1]
			}
			x := d.Sample(shape...)
			if !slices.Equal(x.Shape(), shape) {
				t.Fatalf("the draws have shape %v and should have %v", x.Shape(), shape)
			}
			if rank := len(c.P[0].Shape); c.Name == "Categorical" && rank > 1 { // one row of logits for each draw
				d = distributions.Categorical{Logits: p[0].Expand(append([]int{n}, c.P[0].Shape...)...)}
			} else if c.Name == "MultivariateNormal" && len(c.P[1].Shape) > 2 {
				d = distributions.MultivariateNormal{Mean: p[0], Scale: p[1].Expand(append([]int{n}, c.P[1].Shape...)...)}
			}
			information := d.LogProb(x).Neg()
			program, err := tarn.Compile(g, tarn.Outputs{"mean": information.Mean(0), "std": information.Std(0, 0), "entropy": makers[c.Name](p).Entropy()})
			if err != nil {
				t.Fatal(err)
			}
			out, err := program.Run()
			if err != nil {
				t.Fatal(err)
			}
			std, entropy := out["std"].Floats(), out["entropy"].Floats()
			for k, mean := range out["mean"].Floats() {
				if math.Abs(mean-entropy[k]) > 5*std[k]/math.Sqrt(n)+1e-9 {
					t.Errorf("the mean information of draws is %v, and the entropy %v", mean, entropy[k])
				}
			}
		})
	}
}

// TestMistakes gives distributions what they cannot use.
func TestMistakes(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 3)
	normal := distributions.Normal{Mean: x, Std: x}
	distributions.KL(normal, distributions.Beta{A: x, B: x})
	normal.LogProb(g.Input("y", tarn.F64, 2))
	distributions.MultivariateNormal{Mean: x, Scale: g.Input("scale", tarn.F64, 3, 3)}.Sample()
	distributions.Categorical{Logits: x}.LogProb(x)
	report := g.Err().Error()
	for _, want := range []string{"there is no divergence of a distributions.Normal from a distributions.Beta", "[2] and [3]", "the draws need an axis", "the index is f64"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %q:\n%s", want, report)
		}
	}
	// Nothing panics without parameters.
	for _, make := range makers {
		d := make([]*tarn.Value{nil, nil})
		d.Sample(2)
		d.LogProb(x)
		d.LogProb(nil)
		d.Entropy()
		distributions.KL(d, d)
	}
	distributions.KL(nil, nil)
}
