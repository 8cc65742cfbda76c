package tarn_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file compares ops that rearrange, look up, sort, contract and factor, and their gradients, with what PyTorch gave for them:
// testdata/arrange.py writes the numbers.

type recordedTensor struct {
	DType string
	Shape []int
	Data  []float64
}

func (x recordedTensor) tensor(t *testing.T) *tarn.Tensor {
	t.Helper()
	dtype, ok := map[string]tarn.DType{"f64": tarn.F64, "i64": tarn.I64, "bool": tarn.Bool}[x.DType]
	if !ok {
		t.Fatalf("dtype %q", x.DType)
	}
	out := tarn.Zeros(dtype, x.Shape...)
	if out.Size() != len(x.Data) {
		t.Fatalf("%d elements of shape %v", len(x.Data), x.Shape)
	}
	for i, v := range x.Data {
		out.SetFloat(i, v)
	}
	return out
}

type recordedCase struct {
	In    []recordedTensor
	Out   recordedTensor
	Grads []recordedTensor
}

// arrangeOps are the ops by the names that the script gives them.
var arrangeOps = map[string]func(in ...*tarn.Value) *tarn.Value{
	"Flip":      func(in ...*tarn.Value) *tarn.Value { return in[0].Flip(0, 2) },
	"Roll":      func(in ...*tarn.Value) *tarn.Value { return in[0].Roll(2, 3) },
	"Roll back": func(in ...*tarn.Value) *tarn.Value { return in[0].Roll(1, -5) },
	"Tile":      func(in ...*tarn.Value) *tarn.Value { return in[0].Tile(2, 1, 3) },
	"Expand":    func(in ...*tarn.Value) *tarn.Value { return in[0].Expand(2, 3, 4) },
	"Flatten":   func(in ...*tarn.Value) *tarn.Value { return in[0].Flatten(1, -1) },
	"Squeeze":   func(in ...*tarn.Value) *tarn.Value { return in[0].Squeeze() },
	"Stack":     func(in ...*tarn.Value) *tarn.Value { return tarn.Stack(-1, in...) },
	"Concat":    func(in ...*tarn.Value) *tarn.Value { return tarn.Concat(1, in...) },
	"Split":     func(in ...*tarn.Value) *tarn.Value { return in[0].Split(2, 1, 2, 1)[1] },
	"Chunk":     func(in ...*tarn.Value) *tarn.Value { return in[0].Chunk(2, 2)[1] },
	"Pad":       func(in ...*tarn.Value) *tarn.Value { return in[0].Pad(0, 2, 1) },
	"PadValue":  func(in ...*tarn.Value) *tarn.Value { return in[0].PadValue(1, 2, 1, -1.5) },
	"Permute":   func(in ...*tarn.Value) *tarn.Value { return in[0].Permute(2, 0, 1) },
	"SliceStep": func(in ...*tarn.Value) *tarn.Value { return in[0].SliceStep(2, 1, 4, 2) },
	"Tril":      func(in ...*tarn.Value) *tarn.Value { return in[0].Tril(-1) },
	"Triu":      func(in ...*tarn.Value) *tarn.Value { return in[0].Triu(1) },
	"Diagonal":  func(in ...*tarn.Value) *tarn.Value { return in[0].Diagonal() },
	"Trace":     func(in ...*tarn.Value) *tarn.Value { return in[0].Trace() },

	"Gather":             gather(1),
	"Take":               take(1),
	"Embedding":          embedding,
	"ScatterAdd":         scatterAdd(0),
	"IndexAdd":           indexAdd(1),
	"OneHot":             func(in ...*tarn.Value) *tarn.Value { return in[0].OneHot(4, tarn.I64) },
	"ArgSort":            func(in ...*tarn.Value) *tarn.Value { return in[0].ArgSort(1, false) },
	"ArgSort descending": func(in ...*tarn.Value) *tarn.Value { return in[0].ArgSort(-1, true) },
	"Sort":               func(in ...*tarn.Value) *tarn.Value { sorted, _ := in[0].Sort(0, false); return sorted },
	"TopK":               func(in ...*tarn.Value) *tarn.Value { largest, _ := in[0].TopK(-1, 3); return largest },
	"TopK indices":       func(in ...*tarn.Value) *tarn.Value { _, indices := in[0].TopK(-1, 3); return indices },

	"MatMul":               func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(in[1]) },
	"MatMul vector vector": func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(in[1]) },
	"MatMul vector matrix": func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(in[1]) },
	"MatMul matrix vector": func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(in[1]) },
	"Outer":                func(in ...*tarn.Value) *tarn.Value { return in[0].Outer(in[1]) },

	"Cholesky":                func(in ...*tarn.Value) *tarn.Value { return positive(in[0]).Cholesky() },
	"CholeskySolve":           func(in ...*tarn.Value) *tarn.Value { return positive(in[0]).Cholesky().CholeskySolve(in[1]) },
	"LogDet":                  func(in ...*tarn.Value) *tarn.Value { return positive(in[0]).LogDet() },
	"EigH values":             func(in ...*tarn.Value) *tarn.Value { w, _ := in[0].EigH(); return w },
	"EigH squares of vectors": func(in ...*tarn.Value) *tarn.Value { _, u := in[0].EigH(); return u.Square() },
	"EigH function": func(in ...*tarn.Value) *tarn.Value {
		w, u := in[0].EigH()
		return u.Mul(w.Sin().Unsqueeze(-2).Expand(u.Shape()...)).MatMulT(u)
	},
	"QR orthogonal square":             func(in ...*tarn.Value) *tarn.Value { q, _ := in[0].QR(); return q },
	"QR triangular square":             func(in ...*tarn.Value) *tarn.Value { _, r := in[0].QR(); return r },
	"QR orthogonal tall":               func(in ...*tarn.Value) *tarn.Value { q, _ := in[0].QR(); return q },
	"QR triangular tall":               func(in ...*tarn.Value) *tarn.Value { _, r := in[0].QR(); return r },
	"QR orthogonal wide":               func(in ...*tarn.Value) *tarn.Value { q, _ := in[0].QR(); return q },
	"QR triangular wide":               func(in ...*tarn.Value) *tarn.Value { _, r := in[0].QR(); return r },
	"Inverse":                          func(in ...*tarn.Value) *tarn.Value { return in[0].Inverse() },
	"Solve":                            func(in ...*tarn.Value) *tarn.Value { return in[0].Solve(in[1]) },
	"SolveTriangular lower":            func(in ...*tarn.Value) *tarn.Value { return in[0].SolveTriangular(in[1], false, false) },
	"SolveTriangular lower transposed": func(in ...*tarn.Value) *tarn.Value { return in[0].SolveTriangular(in[1], false, true) },
	"SolveTriangular upper":            func(in ...*tarn.Value) *tarn.Value { return in[0].SolveTriangular(in[1], true, false) },
	"SolveTriangular upper transposed": func(in ...*tarn.Value) *tarn.Value { return in[0].SolveTriangular(in[1], true, true) },
}

func TestArrangingEqualsPyTorch(t *testing.T) {
	compareRecorded(t, "testdata/arrange.json", arrangeOps)
}

// compareRecorded compares ops and their gradients with the cases of a file.
func compareRecorded(t *testing.T, file string, ops map[string]func(in ...*tarn.Value) *tarn.Value) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]recordedCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for name := range ops {
		if _, ok := cases[name]; !ok {
			t.Errorf("the script has no case %q", name)
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			build := ops[name]
			if spec, ok := strings.CutPrefix(name, "Einsum "); ok {
				build = einsum(spec, make([][]int, len(c.In))...).build
			}
			if build == nil {
				t.Fatal("there is no op for the case")
			}
			g := tarn.NewGraph()
			inputs := map[string]*tarn.Tensor{}
			var in []*tarn.Value
			for i, x := range c.In {
				input := fmt.Sprint(i)
				inputs[input] = x.tensor(t)
				in = append(in, g.Input(input, inputs[input].DType(), x.Shape...))
			}
			y := build(in...)
			outputs := tarn.Outputs{"y": y}
			if y.DType().IsFloat() {
				weights := g.Iota(tarn.F64, 0, y.Size()).AddNum(1).Reshape(y.Shape()...)
				for i, d := range tarn.Grad(y.Mul(weights).Sum(), floats(in)...) {
					outputs[fmt.Sprint("d", i)] = d
				}
			}
			out := compare(t, g, outputs, inputs)
			checkNear(t, "result", out["y"], c.Out.tensor(t), 1e-12)
			if len(out) != 1+len(c.Grads) {
				t.Fatalf("%d results, PyTorch gave %d", len(out), 1+len(c.Grads))
			}
			for i, d := range c.Grads {
				checkNear(t, fmt.Sprint("gradient ", i), out[fmt.Sprint("d", i)], d.tensor(t), 1e-12)
			}
		})
	}
}
