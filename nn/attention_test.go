package nn_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/nn"
)

// This file compares attention and the layers made of it with what PyTorch gives: testdata/attention.py writes the numbers.

// attentionModel makes what a case is about: a layer, if it has weights, and its result.
type attentionModel func() (layer any, forward func(in map[string]*tarn.Value) *tarn.Value)

func plainAttention(o tarn.AttentionOptions, mask func(g *tarn.Graph) *tarn.Value) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		return nil, func(in map[string]*tarn.Value) *tarn.Value {
			o := o
			if in["mask"] != nil {
				o.Mask = in["mask"]
			}
			if mask != nil {
				o.Mask = mask(in["q"].Graph())
			}
			return in["q"].Attention(in["k"], in["v"], o)
		}
	}
}

func selfAttention(m *nn.MultiHeadAttention, o tarn.AttentionOptions) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		return m, func(in map[string]*tarn.Value) *tarn.Value { return m.Self(in["x"], o) }
	}
}

func crossAttention(m func() *nn.MultiHeadAttention, padded bool) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		m := m()
		return m, func(in map[string]*tarn.Value) *tarn.Value {
			if in["y"] == nil {
				return m.Attend(in["x"], in["k"], in["v"], tarn.AttentionOptions{})
			}
			var o tarn.AttentionOptions
			if padded { // the second example has three keys
				counts := tarn.Zeros(tarn.Bool, 2, 1, 1, 5)
				for i := range 8 {
					counts.SetFloat(i, 1)
				}
				o.Mask = in["x"].Graph().Const(counts)
			}
			return m.Attend(in["x"], in["y"], in["y"], o)
		}
	}
}

func encoderLayer(hidden int, first bool) *nn.TransformerEncoderLayer {
	l := nn.NewTransformerEncoderLayer(6, 2, hidden)
	if l.NormFirst = first; first {
		l.Activation = nn.GELU{}
	}
	return l
}

func encoded(first bool, o tarn.AttentionOptions) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		l := encoderLayer(10, first)
		return l, func(in map[string]*tarn.Value) *tarn.Value { return l.Encode(in["x"], o) }
	}
}

func decoded(first bool) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		l := nn.NewTransformerDecoderLayer(6, 2, 10)
		l.NormFirst = first
		return l, func(in map[string]*tarn.Value) *tarn.Value {
			return l.Decode(in["x"], in["y"], tarn.AttentionOptions{Causal: true}, tarn.AttentionOptions{})
		}
	}
}

func rotary(interleaved bool) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		p := nn.RotaryPosition{Context: 8, Interleaved: interleaved}
		return nil, func(in map[string]*tarn.Value) *tarn.Value { return p.Forward(in["x"]) }
	}
}

func withoutBias(m *nn.MultiHeadAttention) *nn.MultiHeadAttention {
	m.InProjBias, m.OutProj.Bias = nil, nil
	return m
}

func triangle(diagonal int) func(g *tarn.Graph) *tarn.Value {
	return func(g *tarn.Graph) *tarn.Value { return g.TrilMask(3, 5, diagonal) }
}

func attentionModels() map[string]attentionModel {
	two := func() *nn.MultiHeadAttention { return nn.NewMultiHeadAttention(6, 2) }
	return map[string]attentionModel{
		"attention": plainAttention(tarn.AttentionOptions{}, nil), "attention causal": plainAttention(tarn.AttentionOptions{Causal: true}, nil),
		"attention scaled": plainAttention(tarn.AttentionOptions{Scale: 0.3}, nil), "attention grouped": plainAttention(tarn.AttentionOptions{}, nil),
		"attention masked": plainAttention(tarn.AttentionOptions{}, triangle(1)), "attention without keys": plainAttention(tarn.AttentionOptions{}, triangle(-1)),
		"attention with added mask": plainAttention(tarn.AttentionOptions{}, nil),

		"MultiHeadAttention":              selfAttention(two(), tarn.AttentionOptions{}),
		"MultiHeadAttention causal":       selfAttention(two(), tarn.AttentionOptions{Causal: true}),
		"MultiHeadAttention without bias": selfAttention(withoutBias(nn.NewMultiHeadAttention(6, 3)), tarn.AttentionOptions{}),
		"MultiHeadAttention to others":    crossAttention(two, false), "MultiHeadAttention padded": crossAttention(two, true),
		"MultiHeadAttention cross": crossAttention(func() *nn.MultiHeadAttention { return nn.NewCrossAttention(6, 2, 3, 5) }, false),

		"TransformerEncoderLayer": encoded(false, tarn.AttentionOptions{}), "TransformerEncoderLayer causal": encoded(false, tarn.AttentionOptions{Causal: true}),
		"TransformerEncoderLayer norm first": encoded(true, tarn.AttentionOptions{}), "TransformerEncoderLayer causal norm first": encoded(true, tarn.AttentionOptions{Causal: true}),
		"TransformerDecoderLayer": decoded(false), "TransformerDecoderLayer norm first": decoded(true),
		"TransformerEncoder": func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
			e := nn.NewTransformerEncoder(2, func() *nn.TransformerEncoderLayer { return encoderLayer(8, false) })
			e.Norm = nn.NewLayerNorm(6)
			return e, func(in map[string]*tarn.Value) *tarn.Value { return e.Forward(in["x"]) }
		},
		"TransformerDecoder": func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
			d := nn.NewTransformerDecoder(2, func() *nn.TransformerDecoderLayer { return nn.NewTransformerDecoderLayer(6, 2, 8) })
			d.Norm = nn.NewLayerNorm(6)
			return d, func(in map[string]*tarn.Value) *tarn.Value {
				return d.Decode(in["x"], in["y"], tarn.AttentionOptions{}, tarn.AttentionOptions{})
			}
		},
		"RotaryPosition": rotary(false), "RotaryPosition interleaved": rotary(true),
	}
}

func TestAttentionGoldens(t *testing.T) { checkGoldens(t, "attention", attentionModels) }

// checkGoldens compares the models with the goldens of a file, of which each has one.
func checkGoldens(t *testing.T, file string, all func() map[string]attentionModel) {
	text, err := os.ReadFile("testdata/" + file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, c := range cases {
		tested[c.Name] = true
		for dtype, tolerance := range map[tarn.DType]float64{tarn.F64: 1e-10, tarn.F32: 1e-4} {
			models := all()
			if models[c.Name] == nil {
				t.Errorf("%s: no model is made for the golden", c.Name)
				break
			}
			if rough[c.Name] {
				tolerance = max(tolerance, 1e-7)
			}
			got := runAttention(t, c, models[c.Name], dtype)
			if diff := got["out"].Diff(c.Out.tensor(dtype), tolerance); diff != "" {
				t.Errorf("%s, %v: result: %s", c.Name, dtype, diff)
			}
			for name, want := range c.Grad {
				if diff := got["grad "+name].Diff(want.tensor(dtype), tolerance); diff != "" {
					t.Errorf("%s, %v: gradient by %s: %s", c.Name, dtype, name, diff)
				}
			}
		}
	}
	for name := range all() {
		if !tested[name] {
			t.Errorf("%s: there is no golden", name)
		}
	}
}

// runAttention loads the state that PyTorch has for the case, strictly, and gives the result and all gradients.
func runAttention(t *testing.T, c goldenCase, make attentionModel, dtype tarn.DType) tarn.Results {
	t.Helper()
	layer, forward := make()
	g := tarn.NewGraph()
	operands, state := map[string]tarn.Operand{}, map[string]*tarn.Tensor{}
	var params *tarn.ParamSet
	if layer != nil {
		var err error
		if params, err = tarn.Params(layer); err != nil {
			t.Fatal(err)
		}
		if err := tarn.Cast(layer, dtype); err != nil {
			t.Fatal(err)
		}
		for name, p := range params.All() {
			operands[name] = p
		}
	}
	in, data := map[string]*tarn.Value{}, map[string]*tarn.Tensor{}
	for name, a := range c.In {
		if _, ok := operands[name]; ok {
			state[name] = a.tensor(dtype)
			continue
		}
		data[name] = a.tensor(dtype)
		in[name] = g.Input(name, data[name].DType(), a.Shape...)
		operands[name] = in[name]
	}
	if err := safetensors.Assign(state, params, safetensors.LoadOptions{}); err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	out := forward(in)
	factors := tarn.Zeros(dtype, out.Shape()...)
	for i := range factors.Size() {
		factors.SetFloat(i, math.Cos(float64(i)))
	}
	outputs := tarn.Outputs{"out": out}
	for name := range c.Grad {
		if operands[name] == nil {
			t.Fatalf("%s: the layer has no param %q", c.Name, name)
		}
		outputs["grad "+name] = tarn.Grad(out.Mul(g.Const(factors)).Sum(), operands[name])[0]
	}
	return run(t, c.Name, g, outputs, data)
}

// TestAttentionDropout checks that dropout with probability 0+ is the attention itself, masks included, and that it acts in
// training only.
func TestAttentionDropout(t *testing.T) {
	for name, o := range map[string]func(g *tarn.Graph) tarn.AttentionOptions{
		"plain":  func(g *tarn.Graph) tarn.AttentionOptions { return tarn.AttentionOptions{} },
		"causal": func(g *tarn.Graph) tarn.AttentionOptions { return tarn.AttentionOptions{Causal: true} },
		"masked": func(g *tarn.Graph) tarn.AttentionOptions {
			return tarn.AttentionOptions{Causal: true, Mask: g.TriuMask(5, 5, -1).And(g.TrilMask(5, 5, -1)), Scale: 0.7} // the first query has no key
		},
		"added": func(g *tarn.Graph) tarn.AttentionOptions {
			return tarn.AttentionOptions{Mask: nn.ALiBi(g, tarn.F64, 4, 5)}
		},
	} {
		m := nn.NewGroupedQueryAttention(8, 4, 2)
		if err := tarn.Cast(m, tarn.F64); err != nil {
			t.Fatal(err)
		}
		if err := tarn.Init(m, 1); err != nil {
			t.Fatal(err)
		}
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F64, 2, 5, 8)
		outputs := tarn.Outputs{"none": m.Self(x, o(g))}
		m.Dropout = 1e-300
		outputs["tiny"] = m.Self(x, o(g))
		m.Dropout = 0.5
		outputs["half"] = m.Self(x, o(g))
		g.Eval()
		outputs["eval"] = m.Self(x, o(g))
		for _, key := range []string{"none", "tiny"} {
			outputs["d "+key] = tarn.Grad(outputs[key].Square().Sum(), x)[0]
		}
		out := run(t, name, g, outputs, map[string]*tarn.Tensor{"x": random(tarn.F64, 3, 2, 5, 8)})
		for a, b := range map[string]string{"none": "tiny", "d none": "d tiny"} {
			if diff := out[a].Diff(out[b], 1e-12); diff != "" {
				t.Errorf("%s: %s: %s", name, b, diff)
			}
		}
		if !out["none"].Equal(out["eval"], 0) || out["none"].Equal(out["half"], 1e-3) {
			t.Errorf("%s: dropout should act in training, and there alone", name)
		}
	}
}

// TestALiBi holds the mask against the paper's, slope times key less query, in causal attention.
func TestALiBi(t *testing.T) {
	slopes := nn.ALiBiSlopes(8)
	if slopes[0] != 0.5 || slopes[7] != 1.0/256 {
		t.Errorf("the slopes of 8 heads are %v", slopes)
	}
	if s := nn.ALiBiSlopes(3); len(s) != 3 || s[0] != 1.0/16 || s[1] != 1.0/256 || s[2] != 0.25 {
		t.Errorf("the slopes of 3 heads are %v", s)
	}
	g := tarn.NewGraph()
	const heads, n, d = 2, 6, 3
	x := g.Input("x", tarn.F64, heads, n, d)
	far := tarn.Zeros(tarn.F64, heads, n, n)
	for h, s := range nn.ALiBiSlopes(heads) {
		for i := range n {
			for j := range n {
				far.SetFloat((h*n+i)*n+j, s*float64(j-i))
			}
		}
	}
	out := run(t, "ALiBi", g, tarn.Outputs{
		"y":    x.Attention(x, x, tarn.AttentionOptions{Causal: true, Mask: nn.ALiBi(g, tarn.F64, heads, n)}),
		"want": x.Attention(x, x, tarn.AttentionOptions{Causal: true, Mask: g.Const(far)}),
	}, map[string]*tarn.Tensor{"x": random(tarn.F64, 1, heads, n, d)})
	if diff := out["y"].Diff(out["want"], 1e-13); diff != "" {
		t.Error(diff)
	}
}

// TestPositions checks the positions at places that are given against those counted from the first, and the sinusoidal one's values.
func TestPositions(t *testing.T) {
	learned := nn.NewLearnedPosition(9, 6)
	if err := tarn.Cast(learned, tarn.F64); err != nil {
		t.Fatal(err)
	}
	if err := tarn.Init(learned, 1); err != nil {
		t.Fatal(err)
	}
	turn, pairs := nn.RotaryPosition{Context: 9}, nn.RotaryPosition{Context: 9, Interleaved: true}
	g := tarn.NewGraph()
	x, place := g.Input("x", tarn.F64, 2, 7, 6), g.Iota(tarn.I64, 0, 7)
	waves := nn.SinusoidalPosition{}.Forward(x).Sub(x)
	out := run(t, "positions", g, tarn.Outputs{
		"learned": learned.Forward(x), "learned at": learned.At(x, place), "turn": turn.Forward(x), "turn at": turn.At(x, place),
		"pairs": pairs.Forward(x), "pairs at": pairs.At(x, place), "waves": waves,
	}, map[string]*tarn.Tensor{"x": random(tarn.F64, 1, 2, 7, 6)})
	for _, name := range []string{"learned", "turn", "pairs"} {
		if !out[name].Equal(out[name+" at"], 0) {
			t.Errorf("%s: the positions at places given differ", name)
		}
	}
	for i, want := range []float64{0, 1, 0, 1, 0, 1, math.Sin(1), math.Cos(1), math.Sin(math.Pow(10000, -1.0/3)), math.Cos(math.Pow(10000, -1.0/3))} {
		if got := out["waves"].Float(i); math.Abs(got-want) > 1e-12 {
			t.Errorf("wave %d is %v, want %v", i, got, want)
		}
	}
}

// gpt is a small model in f64.
func gpt(t *testing.T) *nn.GPT {
	m := nn.NewGPT(nn.GPTOptions{Vocabulary: 7, Context: 6, Width: 8, Layers: 2, Heads: 2})
	params, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params.All() {
		p.SetInit(nn.Normal(0.1, 0.5))
	}
	if err := tarn.Cast(m, tarn.F64); err != nil {
		t.Fatal(err)
	}
	if err := tarn.Init(m, 2); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestGPTNext takes a sequence place by place through the caches, twice with a reset between: each place's logits are those of the whole
// sequence at once.
func TestGPTNext(t *testing.T) {
	m := gpt(t)
	tokens := tarn.Zeros(tarn.I32, 2, 6)
	for i := range tokens.Size() {
		tokens.SetFloat(i, float64(i*i%7))
	}
	g := tarn.NewGraph()
	whole := run(t, "GPT", g, tarn.Outputs{"y": m.Forward(g.Input("x", tarn.I32, 2, 6))}, map[string]*tarn.Tensor{"x": tokens})["y"]

	g = tarn.NewGraph()
	caches := m.NewKVCache(2)
	logits := m.Next(g.Input("token", tarn.I32, 2, 1), g.Input("place", tarn.I32), caches)
	program, err := tarn.Compile(g, tarn.Outputs{"y": logits})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for place := range 6 {
			token, at := tarn.Zeros(tarn.I32, 2, 1), tarn.Zeros(tarn.I32)
			at.SetFloat(0, float64(place))
			for n := range 2 {
				token.SetFloat(n, tokens.Float(n*6+place))
			}
			out, err := program.Run(token, at)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 2 {
				for c := range 7 {
					if got, want := out["y"].Float(n*7+c), whole.Float((n*6+place)*7+c); math.Abs(got-want) > 1e-12 {
						t.Fatalf("sequence %d, place %d, token %d: %v, of the whole sequence %v", n, place, c, got, want)
					}
				}
			}
		}
	}
}

// TestNextWithPositions takes a sequence place by place through a cache: with rotary positions, ALiBi or a window each result is that of the whole
// sequence at once.
func TestNextWithPositions(t *testing.T) {
	for name, set := range map[string]func(m *nn.MultiHeadAttention){
		"rotary": func(m *nn.MultiHeadAttention) { m.Rotary = &nn.RotaryPosition{Context: 6} },
		"ALiBi":  func(m *nn.MultiHeadAttention) { m.ALiBi = true },
		"window": func(m *nn.MultiHeadAttention) { m.Window = 2 },
		"all": func(m *nn.MultiHeadAttention) {
			m.Rotary, m.ALiBi, m.Window = &nn.RotaryPosition{Context: 6}, true, 3
		},
	} {
		m := nn.NewGroupedQueryAttention(8, 4, 2)
		set(m)
		if err := tarn.Cast(m, tarn.F64); err != nil {
			t.Fatal(err)
		}
		if err := tarn.Init(m, 1); err != nil {
			t.Fatal(err)
		}
		x := random(tarn.F64, 2, 2, 6, 8)
		g := tarn.NewGraph()
		whole := run(t, name, g, tarn.Outputs{"y": m.Self(g.Input("x", tarn.F64, 2, 6, 8), tarn.AttentionOptions{Causal: true})}, map[string]*tarn.Tensor{"x": x})["y"].Clone()
		g = tarn.NewGraph()
		program, err := tarn.Compile(g, tarn.Outputs{"y": m.Next(g.Input("x", tarn.F64, 2, 1, 8), g.Input("place", tarn.I64), m.NewKVCache(2, 6), nil)})
		if err != nil {
			t.Fatal(err)
		}
		for place := range 6 {
			one := tarn.Zeros(tarn.F64, 2, 1, 8)
			for i := range 16 {
				one.SetFloat(i, x.Float(i/8*48+place*8+i%8))
			}
			out, err := program.Run(one, tarn.Scalar(int64(place)))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 16 {
				if got, want := out["y"].Float(i), whole.Float(i/8*48+place*8+i%8); math.Abs(got-want) > 1e-12 {
					t.Fatalf("%s, place %d: element %d is %v, of the whole sequence %v", name, place, i, got, want)
				}
			}
		}
	}
}

func TestAttentionLayersSaveAndRefuse(t *testing.T) {
	m := gpt(t)
	path := filepath.Join(t.TempDir(), "gpt.safetensors")
	if err := safetensors.SaveWeights(path, m); err != nil {
		t.Fatal(err)
	}
	if err := safetensors.LoadWeights(path, gpt(t), safetensors.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	float := func(shape ...int) func(g *tarn.Graph) *tarn.Value {
		return func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, shape...) }
	}
	for _, c := range []struct {
		name    string
		x       func(g *tarn.Graph) *tarn.Value
		forward func(x *tarn.Value) *tarn.Value
		want    string
	}{
		{"width", float(2, 3, 5), nn.NewMultiHeadAttention(6, 2).Forward, "MultiHeadAttention: operand 1 has shape [2 3 5] and should be [n... t 6]"},
		{"heads", float(2, 3, 6), (&nn.MultiHeadAttention{InProjWeight: tarn.NewParam(tarn.F32, nil, 18, 6), OutProj: nn.NewLinear(6, 6), Heads: 4, Groups: 4}).Forward, "the width 6, the 4 heads"},
		{"no weights", float(2, 3, 6), (&nn.MultiHeadAttention{}).Forward, "the layer lacks weights"},
		{"dropout", float(2, 3, 6), func(x *tarn.Value) *tarn.Value {
			m := nn.NewMultiHeadAttention(6, 2)
			m.Dropout = 2
			return m.Forward(x)
		}, "Dropout is 2 and should be from 0 to 1"},
		{"window", float(2, 1, 6), func(x *tarn.Value) *tarn.Value {
			m := nn.NewMultiHeadAttention(6, 2)
			m.Window = -1
			return m.Next(x, x.Graph().Num(tarn.I32, 0), m.NewKVCache(2, 4), nil)
		}, "MultiHeadAttention: Window is -1 and should be at least 1"},
		{"learned", float(2, 9, 6), nn.NewLearnedPosition(8, 6).Forward, "LearnedPosition: the operand has shape [2 9 6] and should be [... t 6] with at most 8 places"},
		{"rotary", float(2, 9, 5), nn.RotaryPosition{Context: 9}.Forward, "with an even size"},
		{"sinusoidal", float(9), nn.SinusoidalPosition{}.Forward, "SinusoidalPosition: the operand is f32[9]"},
		{"caches", float(2, 1), func(x *tarn.Value) *tarn.Value {
			return gpt(t).Next(x, x.Graph().Num(tarn.I32, 0), nil)
		}, "there are 0 caches for 2 blocks"},
	} {
		g := tarn.NewGraph()
		c.forward(c.x(g))
		refused(t, c.name, g, []string{c.want})
	}
}

// TestGenerator checks that what is written at temperature 0 is what the whole model holds likeliest, beyond the end of the context too.
func TestGenerator(t *testing.T) {
	m := gpt(t)
	w, err := m.NewGenerator(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(); err == nil {
		t.Error("something is written after nothing")
	}
	w.Temperature = 0
	history := []int32{3, 1, 4}
	if err := w.Read(history...); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		got, err := w.Write()
		if err != nil {
			t.Fatal(err)
		}
		g := tarn.NewGraph()
		tokens := tarn.Zeros(tarn.I32, 1, len(history))
		copy(tokens.I32(), history)
		logits := run(t, "GPT", g, tarn.Outputs{"y": m.Forward(g.Input("x", tarn.I32, 1, len(history)))}, map[string]*tarn.Tensor{"x": tokens})["y"].Floats()
		likeliest := 0
		last := logits[len(logits)-7:]
		for i, l := range last {
			if l > last[likeliest] {
				likeliest = i
			}
		}
		if int(got) != likeliest {
			t.Fatalf("after %v token %d is written, %d is the likeliest of %v", history, got, likeliest, last)
		}
		if history = append(history, got); len(history) > 6 {
			history = history[len(history)-3:]
		}
	}
	w.Temperature, w.TopK = 5, 2
	drawn := map[int32]bool{}
	for range 30 {
		token, err := w.Write()
		if err != nil {
			t.Fatal(err)
		}
		drawn[token] = true
	}
	if len(drawn) < 2 {
		t.Errorf("at a high temperature only %v are drawn", drawn)
	}
}
