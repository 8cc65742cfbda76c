package tarn_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/nn"
)

// This file tests the types of two bytes, which ops refuse and conversions read and write, and products of numbers rounded to one of them.

var short = []tarn.DType{tarn.BF16, tarn.F16}

// TestShortRefused gives each op of the table each of its float operands in each of the types of two bytes.
func TestShortRefused(t *testing.T) {
	for _, c := range opCases {
		if strings.HasSuffix(c.op, "Cast") {
			continue
		}
		t.Run(c.name(), func(t *testing.T) {
			for at, o := range c.in {
				if o.fixed {
					continue
				}
				for _, dtype := range short {
					g := tarn.NewGraph()
					var in []*tarn.Value
					for i, o := range c.in {
						x := o.draw(rand.New(rand.NewPCG(1, 1)), c.types()[0], c.shapes[0][i])
						if i == at {
							x = x.Cast(dtype)
						}
						in = append(in, g.Input(fmt.Sprint(i), x.DType(), x.Shape()...))
					}
					y := c.build(in...)
					err := g.Err()
					if err == nil && (y == in[at] || !reads(t, y, fmt.Sprint(at))) { // the op does nothing
						continue
					}
					if err == nil || !tarn.Failed(y) || !strings.Contains(err.Error(), "Cast it to f32") && !strings.Contains(err.Error(), "should be") {
						t.Fatalf("operand %d in %v: %v", at, dtype, err)
					}
				}
			}
		})
	}
}

// reads reports whether a program that computes y needs an input.
func reads(t *testing.T, y *tarn.Value, input string) bool {
	t.Helper()
	p, err := tarn.Compile(y.Graph(), tarn.Outputs{"y": y})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(p.Inputs(), input)
}

// TestShortStored sends numbers through inputs, params, updates and outputs of two bytes.
func TestShortStored(t *testing.T) {
	x := tarn.Zeros(tarn.F64, 3, 37)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x.Size() {
		x.SetFloat(i, r.NormFloat64()*100)
	}
	for _, dtype := range short {
		for _, other := range append(allTypes, short...) {
			g := tarn.NewGraph()
			given, stored := x.Cast(other), x.Cast(dtype)
			a, b := g.Input("a", other, 3, 37), g.Input("b", dtype, 3, 37)
			p := tarn.NewParam(dtype, nil, 3, 37)
			outputs := tarn.Outputs{"narrow": a.Cast(dtype), "wide": b.Cast(other), "same": b, "old": p.Value(g)}
			program, err := tarn.Compile(g, outputs, tarn.Assign(p, a.Cast(dtype)))
			if err != nil {
				t.Fatal(err)
			}
			out, err := program.Run(given, stored)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]*tarn.Tensor{"narrow": given.Cast(dtype), "wide": stored.Cast(other), "same": stored, "old": tarn.Zeros(dtype, 3, 37)}
			for name, w := range want {
				if diff := out[name].Diff(w, 0); diff != "" {
					t.Errorf("%v and %v: %s: %s", dtype, other, name, diff)
				}
			}
			if diff := p.Tensor().Diff(given.Cast(dtype), 0); diff != "" {
				t.Errorf("%v and %v: the param: %s", dtype, other, diff)
			}
		}
	}
}

// inBF16 are tolerances of a chain of products: numbers that differ in their last bits may be rounded to neighbors that differ by 2^-8.
var inBF16 = map[tarn.DType]float64{tarn.F64: 1e-8, tarn.F32: 0.02}

// TestOpPrecision compares each op of the table and its gradients with the reference, with products of rounded operands, on every unit that the
// processor has for them.
func TestOpPrecision(t *testing.T) {
	multiplied := map[string]bool{}
	defer cpu.ForceBF16(cpu.CurrentBF16())
	for _, unit := range cpu.BF16Units() {
		if err := cpu.ForceBF16(unit); err != nil {
			t.Fatal(err)
		}
		eachCase(t, func(t *testing.T, c opCase, shapes [][]int, r *rand.Rand) {
			if !c.has(tarn.F32) {
				return
			}
			g := tarn.NewGraph()
			data, in := map[string]*tarn.Tensor{}, []*tarn.Value{}
			for i, o := range c.in {
				x := o.draw(r, tarn.F32, shapes[i])
				name := fmt.Sprint(i)
				data[name] = x
				in = append(in, g.Input(name, x.DType(), x.Shape()...))
			}
			g.SetPrecision(tarn.PrecisionBF16)
			y := c.build(in...)
			outputs := tarn.Outputs{"y": y}
			if !c.flat && y.DType().IsFloat() {
				dy := g.Input("dy", y.DType(), y.Shape()...)
				data["dy"] = between(-1, 1).draw(r, y.DType(), y.Shape())
				for i, x := range in {
					if x.DType().IsFloat() {
						outputs[fmt.Sprint("d", i)] = tarn.VJP(y, dy, x)[0]
					}
				}
			}
			if !tarn.Multiplies(outputs) {
				return
			}
			multiplied[c.op] = true
			compareWithin(t, g, outputs, data, inBF16)
		})
	}
	// Those with factorizations have cases that make the matrix as a product.
	want := strings.Fields("Attention AttentionWeights Cholesky CholeskySolve Conv ConvTranspose EigH LU LogDet MatMul MatMulT Pinv SVD SelfAttention TMatMul")
	want = append(want, "func Cond", "func Einsum", "func Implicit", "func Scan", "func VMap")
	if got := slices.Sorted(maps.Keys(multiplied)); !slices.Equal(got, want) {
		t.Errorf("ops that multiply rounded numbers are %v, want %v", got, want)
	}
}

// TestPrecisionRounds multiplies numbers that bfloat16 tells apart from their neighbors, and those that it does not.
func TestPrecisionRounds(t *testing.T) {
	x := []float32{1, 1 + 0x1p-7, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-12, 0x1p-130}
	want := map[tarn.Precision][]float32{
		tarn.PrecisionF32:  {1, 1 + 0x1p-7, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-12, 0},
		tarn.PrecisionTF32: {1, 1 + 0x1p-7, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-12, 0},
		tarn.PrecisionBF16: {1, 1 + 0x1p-7, 1, 1 + 0x1p-6, 1, 0},
	}
	for p, w := range want {
		for _, column := range []bool{true, false} {
			g := tarn.NewGraph()
			g.SetPrecision(p)
			a, b := g.Input("a", tarn.F32, len(x), 1), g.Const(tarn.Vector([]float32{1})).Reshape(1, 1)
			y := a.MatMul(b)
			if !column {
				y = b.MatMul(a.Reshape(1, len(x)))
			}
			in, _ := tarn.FromSlice(slices.Clone(x), len(x), 1)
			out := mustRun(t, mustCompile(t, g, tarn.Outputs{"y": y}), in)["y"].F32()
			for i := range w {
				if math.Float32bits(out[i]) != math.Float32bits(w[i]) {
					t.Errorf("%v: %v times 1 is %v, want %v", p, x[i], out[i], w[i])
				}
			}
		}
	}
}

// TestPrecisionText converts precisions to text and back.
func TestPrecisionText(t *testing.T) {
	for _, p := range []tarn.Precision{tarn.PrecisionF32, tarn.PrecisionTF32, tarn.PrecisionBF16, tarn.PrecisionBF16Activations} {
		text, err := p.MarshalText()
		var q tarn.Precision
		if err != nil || q.UnmarshalText(text) != nil || q != p {
			t.Errorf("%v becomes %q and %v", p, text, q)
		}
	}
	q := tarn.PrecisionBF16
	if err := q.UnmarshalText([]byte("BF16")); err == nil || q != tarn.PrecisionBF16 {
		t.Errorf("%v, %v", q, err)
	}
	g := tarn.NewGraph()
	if g.SetPrecision(7); g.Err() == nil || g.Precision() != tarn.PrecisionF32 {
		t.Errorf("precision 7 is accepted: %v", g.Precision())
	}
}

// TestPrecisionActivations compares gradients with short activations to those with long ones. The loss, which the forward pass computes, has the
// same bits, and temporaries take less memory by the given share at least.
func TestPrecisionActivations(t *testing.T) {
	for _, c := range []struct {
		name  string
		loss  func(g *tarn.Graph) (*tarn.Value, any, []*tarn.Tensor)
		saves float64
	}{
		{"gpt", func(g *tarn.Graph) (*tarn.Value, any, []*tarn.Tensor) {
			m := nn.NewGPT(nn.GPTOptions{Vocabulary: 64, Context: 128, Width: 128, Heads: 2, Layers: 4})
			x := tarn.Zeros(tarn.I32, 4, 128)
			for i := range x.Size() {
				x.I32()[i] = int32(i * 7 % 64)
			}
			in := g.Input("x", tarn.I32, 4, 128)
			return nn.CrossEntropy(m.Forward(in).Reshape(512, 64), in.Reshape(512)), m, []*tarn.Tensor{x}
		}, 0.28},
		{"cnn", func(g *tarn.Graph) (*tarn.Value, any, []*tarn.Tensor) {
			m := &struct{ Layers []*nn.Conv }{[]*nn.Conv{nn.NewConv2d(3, 16, 3)}}
			for range 7 {
				m.Layers = append(m.Layers, nn.NewConv2d(16, 16, 3))
			}
			x := between(-1, 1).draw(rand.New(rand.NewPCG(1, 2)), tarn.F32, []int{16, 24, 24, 3})
			in := g.Input("x", tarn.F32, 16, 24, 24, 3)
			y := in
			for _, layer := range m.Layers {
				y = layer.Forward(y).GELU()
			}
			return y.Square().Mean(), m, []*tarn.Tensor{x}
		}, 0.25},
	} {
		run := func(p tarn.Precision) (out map[string]*tarn.Tensor, arena int) {
			g := tarn.NewGraph()
			g.SetPrecision(p)
			loss, model, in := c.loss(g)
			if err := tarn.Init(model, 1); err != nil {
				t.Fatal(err)
			}
			params, err := tarn.Params(model)
			if err != nil {
				t.Fatal(err)
			}
			outputs := tarn.Outputs{"loss": loss}
			for i, d := range tarn.Grad(loss, params.List()...) {
				outputs[fmt.Sprint("d", i)] = d
			}
			program, err := tarn.Compile(g, outputs)
			if err != nil {
				t.Fatal(err)
			}
			out, err = program.Run(in...)
			if err != nil {
				t.Fatal(err)
			}
			return out, program.Memory().Arena
		}
		long, before := run(tarn.PrecisionBF16)
		short, after := run(tarn.PrecisionBF16Activations)
		if share := 1 - float64(after)/float64(before); share < c.saves {
			t.Errorf("%s: temporaries take %d bytes instead of %d, which is less by %.2f, and should be by %.2f", c.name, after, before, share, c.saves)
		} else {
			t.Logf("%s: temporaries take %d bytes instead of %d, which is less by %.2f", c.name, after, before, share)
		}
		for name, x := range long {
			most := 0.0
			for _, v := range x.F32() {
				most = max(most, math.Abs(float64(v)))
			}
			tolerance := 0.02 * most
			if name == "loss" {
				tolerance = 0
			}
			for i, v := range x.F32() {
				if w := short[name].F32()[i]; !(math.Abs(float64(v-w)) <= tolerance) {
					t.Errorf("%s: %s %d is %v, and with short activations %v", c.name, name, i, v, w)
					break
				}
			}
		}
	}
}
