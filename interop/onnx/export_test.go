package onnx

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

var exported = flag.String("export", "", "folder in which TestExport leaves models, inputs and answers for testdata/check.py")

// forwards are models that are written: what each does with n rows of an input.
func forwards(t testing.TB) map[string]func(g *tarn.Graph, n int) tarn.Outputs {
	layer := func(model any, dtype tarn.DType, shape []int, forward func(x *tarn.Value) *tarn.Value) func(g *tarn.Graph, n int) tarn.Outputs {
		if model != nil {
			if err := tarn.Init(model, 3); err != nil {
				t.Fatal(err)
			}
		}
		return func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"y": forward(g.Input("x", dtype, append([]int{n}, shape...)...))}
		}
	}
	all := map[string]func(g *tarn.Graph, n int) tarn.Outputs{}
	mlp := nn.NewSequential(nn.NewLinear(6, 16), nn.ReLU{}, nn.NewDropout(0.5), nn.NewLinear(16, 16), nn.GELU{}, nn.NewLayerNorm(16), nn.NewLinear(16, 3))
	all["mlp"] = layer(mlp, tarn.F32, []int{6}, func(x *tarn.Value) *tarn.Value { return mlp.Forward(x).Softmax(-1) })
	all["logsoftmax"] = layer(nil, tarn.F64, []int{5}, func(x *tarn.Value) *tarn.Value { return x.LogSoftmax(-1) })
	cnn := nn.NewSequential(nn.NewConv2d(3, 8, 3), nn.NewBatchNorm(8), nn.ReLU{}, nn.NewMaxPool(2), nn.NewConv2d(8, 6, 3), nn.NewAvgPool(2))
	all["cnn"] = layer(cnn, tarn.F32, []int{12, 12, 3}, func(x *tarn.Value) *tarn.Value { return cnn.Forward(x).Mean(1, 2) })
	up := nn.NewConvTranspose2d(3, 4, 3)
	all["transposed"] = layer(up, tarn.F32, []int{5, 5, 3}, func(x *tarn.Value) *tarn.Value { return nn.NewUpsample(2).Forward(up.Forward(x)) })
	encoder := nn.NewTransformerEncoder(2, func() *nn.TransformerEncoderLayer { return nn.NewTransformerEncoderLayer(16, 4, 32) })
	all["encoder"] = layer(encoder, tarn.F32, []int{5, 16}, func(x *tarn.Value) *tarn.Value { return encoder.Forward(x).Mean(1) })
	lstm := nn.NewLSTM(4, 6, nn.RecurrentOptions{})
	all["lstm"] = layer(lstm, tarn.F32, []int{7, 4}, func(x *tarn.Value) *tarn.Value { return lstm.Forward(x) })
	gru := nn.NewGRU(4, 6, nn.RecurrentOptions{Bidirectional: true})
	all["gru"] = layer(gru, tarn.F32, []int{7, 4}, func(x *tarn.Value) *tarn.Value { return gru.Forward(x) })
	gpt := nn.NewGPT(nn.GPTOptions{Vocabulary: 11, Context: 8, Width: 16, Heads: 2, Layers: 2})
	all["gpt"] = layer(gpt, tarn.I32, []int{8}, func(x *tarn.Value) *tarn.Value { return gpt.Forward(x) })
	embedding := nn.NewEmbedding(9, 4)
	all["embedding"] = layer(embedding, tarn.I32, []int{3}, func(x *tarn.Value) *tarn.Value { return embedding.Forward(x).Sum(1) })
	all["ops"] = layer(nil, tarn.F32, []int{4, 6}, func(x *tarn.Value) *tarn.Value {
		y := tarn.Concat(1, x.Flip(2), x.Pad(2, 1, 2).Slice(2, 1, 7), x.SliceStep(2, 0, 6, 2).Tile(1, 1, 2))
		top, at := y.TopK(2, 2)
		return y.CumSum(1).Add(y.Abs().Sqrt()).Add(y.Clip(tarn.Num(-1), tarn.Num(1))).Mul(top.Sum(2).Unsqueeze(2)).
			Add(at.Sum(2).Cast(tarn.F32).Unsqueeze(2)).Add(y.Gt(tarn.Num(0)).Where(y.Expm1(), y.LeakyReLU(0.2))).Add(y.Max(1).Unsqueeze(1)).Add(y.ArgMax(2).Cast(tarn.F32).Unsqueeze(2))
	})
	all["rows"] = layer(nil, tarn.F32, []int{4}, func(x *tarn.Value) *tarn.Value {
		return x.Sub(x.Mean(0)).Add(x.Graph().Iota(tarn.F32, 0, x.Shape()...)).Reshape(-1, 2, 2).T().Reshape(-1)
	})
	return all
}

// TestExport writes models, which compares their answers for 1, 3 and 7 rows by reading them back.
func TestExport(t *testing.T) {
	for name, build := range forwards(t) {
		for _, opset := range []int{17, 18, 21} {
			b, err := Export(build, ExportOptions{Opset: opset, Metadata: map[string]string{"classes": "a,b"}})
			if err != nil {
				t.Errorf("%s, operator set %d: %v", name, opset, err)
				continue
			}
			if *exported == "" {
				continue
			}
			dir := filepath.Join(*exported, fmt.Sprint(name, "-", opset))
			if err := os.MkdirAll(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			leave(t, dir, b, build)
		}
	}
}

// leave writes a model with inputs and answers for 1, 3 and 7 rows.
func leave(t *testing.T, dir string, b []byte, build func(g *tarn.Graph, n int) tarn.Outputs) {
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("model.onnx", b)
	for _, n := range []int{1, 3, 7} {
		g := tarn.NewGraph()
		g.Eval()
		p, err := tarn.Compile(g, build(g, n))
		if err != nil {
			t.Fatal(err)
		}
		x, err := g.Lookup("x")
		if err != nil {
			t.Fatal(err)
		}
		in := tarn.Zeros(x.DType(), x.Shape()...)
		for i := range in.Size() {
			if in.DType().IsFloat() {
				in.SetFloat(i, float64(i*7919%13)/5-1.1)
			} else {
				in.SetFloat(i, float64(i*7919%9))
			}
		}
		out, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		write(fmt.Sprintf("x_%d.pb", n), writtenTensor("x", in))
		write(fmt.Sprintf("y_%d.pb", n), writtenTensor("y", out["y"]))
	}
}

// TestExportRefusals names all ops that there is no operator for, with the lines that made them, and writes nothing.
func TestExportRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	err := Save(path, func(g *tarn.Graph, n int) tarn.Outputs {
		x := g.Input("x", tarn.F32, n, 3)
		return tarn.Outputs{"y": x.Digamma().Add(x.Lgamma())}
	}, ExportOptions{})
	if err == nil || !strings.Contains(err.Error(), "Digamma (export_test.go:") || !strings.Contains(err.Error(), "Lgamma (export_test.go:") {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a file")
	}
	for _, opset := range []int{9, 16, 22} {
		if _, err := Export(forwards(t)["mlp"], ExportOptions{Opset: opset}); err == nil {
			t.Errorf("operator set %d is accepted", opset)
		}
	}
}

// TestNames keeps the names of weights and the metadata.
func TestNames(t *testing.T) {
	l := nn.NewLinear(2, 1)
	if err := tarn.Init(l, 1); err != nil {
		t.Fatal(err)
	}
	params, err := tarn.Params(l)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := Save(path, func(g *tarn.Graph, n int) tarn.Outputs {
		return tarn.Outputs{"y": l.Forward(g.Input("x", tarn.F32, n, 2))}
	}, ExportOptions{Params: params, Metadata: map[string]string{"k": "v"}}); err != nil {
		t.Fatal(err)
	}
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	back, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range back.All() {
		names = append(names, name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"bias", "weight"}) {
		t.Errorf("the names are %v", names)
	}
	if m.Metadata()["k"] != "v" || m.Inputs()[0].Shape[0] != -1 || m.Inputs()[0].Names[0] != "n" {
		t.Errorf("%v, %v", m.Metadata(), m.Inputs())
	}
}
