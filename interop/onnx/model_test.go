package onnx

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// cases reads an archive of cases in testdata.
func cases(t testing.TB, name string) map[string]testCase {
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := archive(f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// wrongCases are the cases of ONNX's backend tests that are not right, and why.
var wrongCases = map[string]string{
	"test_not_2d":   "operator set 1",
	"test_not_3d":   "operator set 1",
	"test_not_4d":   "operator set 1",
	"test_scan_sum": "operator set 8",
	// What should be 0 is the rounding of another transform there, above the absolute tolerance.
	"test_dft_inverse":         "rounding",
	"test_dft_inverse_opset19": "rounding",
}

// refusedOperators are those that there are not.
var refusedOperators = []string{"LinearAttention", "CausalConvWithState", "ImageDecoder", "TfIdfVectorizer"}

// TestBackend runs the small cases of ONNX's backend tests.
func TestBackend(t *testing.T) {
	all := cases(t, "backend.tar.gz")
	if len(all) < 1000 {
		t.Fatalf("there are %d cases", len(all))
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		err := all[name].run()
		var unsupported *UnsupportedError
		if errors.As(err, &unsupported) {
			for op := range unsupported.Operators {
				if !slices.Contains(refusedOperators, op) {
					t.Errorf("%s: %v", name, err)
				}
			}
			continue
		}
		if _, wrong := wrongCases[name]; err != nil != wrong {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// loadCase reads the model and the tensors of a case.
func loadCase(t testing.TB, files testCase) (m *Model, inputs map[string]*tarn.Tensor, want []*tarn.Tensor) {
	m, err := Read(bytes.NewReader(files["model.onnx"]), int64(len(files["model.onnx"])))
	if err != nil {
		t.Fatal(err)
	}
	v, err := readValue(files["input_0.pb"], m.inputs[0])
	if err != nil {
		t.Fatal(err)
	}
	inputs = map[string]*tarn.Tensor{m.inputs[0].name: v.t}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, "output_") {
			v, err := readValue(files[name], &valueInfo{})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, v.t)
		}
	}
	return m, inputs, want
}

// TestTorch runs models that torch.onnx.export has written, for another batch than it has seen, and compares with PyTorch's answers; then it takes steps of training,
// in which every weight must get a gradient and the loss must fall.
func TestTorch(t *testing.T) {
	all := cases(t, "torch.tar.gz")
	if len(all) != 16 {
		t.Fatalf("there are %d models", len(all))
	}
	for name, files := range all {
		t.Run(name, func(t *testing.T) {
			m, inputs, want := loadCase(t, files)
			for range 2 { // the second time with the program that is there
				out, err := m.Run(context.Background(), inputs)
				if err != nil {
					t.Fatal(err)
				}
				for i, info := range m.Outputs() {
					if i < len(want) && !out[info.Name].Equal(want[i], 1e-5) {
						t.Errorf("the output %s: %s", info.Name, out[info.Name].Diff(want[i], 1e-5))
					}
				}
			}
			x := inputs[m.inputs[0].name]
			g := tarn.NewGraph()
			out, err := m.Build(g, map[string]*tarn.Value{m.inputs[0].name: g.Input("x", x.DType(), x.Shape()...)}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			y := out[m.Outputs()[0].Name]
			loss := nn.MSE(y, y.Num(0.3).Expand(y.Shape()...))
			params, err := tarn.Params(m)
			if err != nil {
				t.Fatal(err)
			}
			for name, p := range params.Trainable().All() {
				if !tarn.Depends(loss, p) {
					t.Errorf("the loss does not depend on %s", name)
				}
			}
			updates, err := optim.NewAdam(0.003).Update(loss, params)
			if err != nil {
				t.Fatal(err)
			}
			step, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
			if err != nil {
				t.Fatal(err)
			}
			first, last := 0.0, 0.0
			for i := range 12 {
				out, err := step.Run(x)
				if err != nil {
					t.Fatal(err)
				}
				if last = out["loss"].Item(); i == 0 {
					first = last
				}
			}
			if !(last < 0.9*first) {
				t.Errorf("the loss was %v and is %v", first, last)
			}
		})
	}
}

func tensorMessage(name string, elem, size int, contents func(m message) message) []byte {
	return contents(message{}.int(1, size).int(2, elem).bytes(8, []byte(name)))
}

func node(op string, inputs []string, output string) []byte {
	var n message
	for _, in := range inputs {
		n = n.bytes(1, []byte(in))
	}
	return n.bytes(2, []byte(output)).bytes(3, []byte("the "+op)).bytes(4, []byte(op))
}

func info(name string, shape ...string) []byte {
	var dims message
	for _, d := range shape {
		dims = dims.bytes(1, message{}.bytes(2, []byte(d)))
	}
	return message{}.bytes(1, []byte(name)).bytes(2, message{}.bytes(1, message{}.int(1, typeFloat).bytes(2, dims)))
}

func modelMessage(opset int, graph message) []byte {
	return message{}.int(1, 8).bytes(7, graph).bytes(8, message{}.int(2, opset))
}

// TestRefusals reads files that are refused, and says how.
func TestRefusals(t *testing.T) {
	x, y := info("x", "n"), info("y", "n")
	relu := message{}.bytes(1, node("Relu", []string{"x"}, "y")).bytes(11, x).bytes(12, y)
	huge := tensorMessage("w", typeFloat, 1<<40, func(m message) message { return m })
	short := tensorMessage("w", typeFloat, 3, func(m message) message { return m.bytes(9, make([]byte, 8)) })
	away := tensorMessage("w", typeFloat, 3, func(m message) message {
		return m.bytes(13, message{}.bytes(1, []byte("location")).bytes(2, []byte("../secret"))).int(14, 1)
	})
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "not a protocol buffer"},
		{"text", []byte("hello, I am no model"), "not a protocol buffer"},
		{"cut", modelMessage(17, relu)[:20], "not a protocol buffer"},
		{"no graph", message{}.int(1, 8).bytes(8, message{}.int(2, 17)), "not a protocol buffer"},
		{"old", modelMessage(3, relu), "operator set 3"},
		{"future", modelMessage(99, relu), "operator set 99"},
		{"unknown operators", modelMessage(17, append(slices.Clone(relu), message{}.bytes(1, node("Foo", nil, "a")).bytes(1, node("Bar", nil, "b")).bytes(1, node("Foo", nil, "c"))...)),
			`Bar (node "the Bar"), Foo (2 nodes, the first is "the Foo")`},
		{"too large a tensor", modelMessage(17, append(slices.Clone(relu), message{}.bytes(5, huge)...)), `the tensor "w"`},
		{"too few bytes", modelMessage(17, append(slices.Clone(relu), message{}.bytes(5, short)...)), "do not fit"},
		{"external data", modelMessage(17, append(slices.Clone(relu), message{}.bytes(5, away)...)), "has no other files"},
	} {
		_, err := Read(bytes.NewReader(test.file), int64(len(test.file)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q", test.name, err, test.want)
		}
	}
	for _, test := range []struct {
		name   string
		graph  message
		inputs map[string]*tarn.Tensor
		want   string
	}{
		{"a missing input", relu, map[string]*tarn.Tensor{}, `"x" is missing`},
		{"another input", relu, map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F32, 2), "z": tarn.Zeros(tarn.F32, 2)}, `no input "z"`},
		{"another type", relu, map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F64, 2)}, "must be f32"},
		{"another rank", relu, map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F32, 2, 2)}, "must have [n]"},
		{"sizes of one name", message{}.bytes(1, node("Add", []string{"x", "z"}, "y")).bytes(11, x).bytes(11, info("z", "n")).bytes(12, y),
			map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F32, 2), "z": tarn.Zeros(tarn.F32, 3)}, `"n" has the size 2`},
		{"no operand", message{}.bytes(1, node("Relu", []string{"q"}, "y")).bytes(11, x).bytes(12, y), map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F32, 2)}, `Relu "the Relu": no node before it makes "q"`},
		{"no output", message{}.bytes(1, node("Relu", []string{"x"}, "q")).bytes(11, x).bytes(12, y), map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F32, 2)}, `no node makes the output "y"`},
		{"shapes", message{}.bytes(1, node("MatMul", []string{"x", "z"}, "y")).bytes(11, x).bytes(11, info("z", "m")).bytes(12, y),
			map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F32, 2), "z": tarn.Zeros(tarn.F32, 3)}, `MatMul "the MatMul"`},
	} {
		file := modelMessage(17, test.graph)
		m, err := Read(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(test.name, err)
		}
		if _, err := m.Run(context.Background(), test.inputs); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q", test.name, err, test.want)
		}
	}
}

// TestBranch takes a branch of which the other one does not fit the operands.
func TestBranch(t *testing.T) {
	side := func(op string, inputs ...string) message {
		return message{}.bytes(1, node(op, inputs, "z")).text(2, "side").bytes(12, info("z", "n"))
	}
	choice := writtenNode("If", "", "choice", []string{"c"}, []string{"y"}, attrs{"then_branch": side("Neg", "x"), "else_branch": side("MatMul", "x", "v")})
	file := modelMessage(17, message{}.bytes(1, choice).bytes(11, info("x", "n")).bytes(11, info("v", "m")).bytes(11, writtenInfo("c", typeBool, []int{})).bytes(12, info("y", "n")))
	m, err := Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]*tarn.Tensor{"x": tarn.Vector([]float32{1, 2}), "v": tarn.Zeros(tarn.F32, 3), "c": tarn.Scalar(true)}
	out, err := m.Run(context.Background(), inputs)
	if err != nil || !slices.Equal(out["y"].F32(), []float32{-1, -2}) {
		t.Errorf("%v, %v", out["y"], err)
	}
	inputs["c"] = tarn.Scalar(false)
	if _, err := m.Run(context.Background(), inputs); err == nil || !strings.Contains(err.Error(), "MatMul") {
		t.Errorf("the error is %v", err)
	}
}

// TestExternal reads weights that lie beside the model, and no others.
func TestExternal(t *testing.T) {
	dir := t.TempDir()
	weights := make([]byte, 20)
	for i, v := range []float32{1, 2, 3} {
		b := math.Float32bits(v)
		copy(weights[8+4*i:], []byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
	}
	if err := os.WriteFile(filepath.Join(dir, "weights.bin"), weights, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ location, offset, want string }{
		{"weights.bin", "8", ""}, {"weights.bin", "12", "ends before"}, {"weights.bin", "-1", "offset"}, {"../x", "0", "not beside"}, {"none.bin", "0", "none.bin"},
	} {
		w := tensorMessage("w", typeFloat, 3, func(m message) message {
			for _, pair := range [][2]string{{"location", test.location}, {"offset", test.offset}} {
				m = m.bytes(13, message{}.bytes(1, []byte(pair[0])).bytes(2, []byte(pair[1])))
			}
			return m.int(14, 1)
		})
		path := filepath.Join(dir, "m.onnx")
		file := modelMessage(17, message{}.bytes(1, node("Mul", []string{"x", "w"}, "y")).bytes(5, w).bytes(11, info("x", "n")).bytes(12, info("y", "n")))
		if err := os.WriteFile(path, file, 0o666); err != nil {
			t.Fatal(err)
		}
		m, err := Load(path)
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v: the error is %v", test, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Run(context.Background(), map[string]*tarn.Tensor{"x": tarn.Vector([]float32{1, 10, 100})})
		if err != nil || !slices.Equal(out["y"].F32(), []float32{1, 20, 300}) {
			t.Errorf("%v, %v", out["y"], err)
		}
	}
}

// FuzzRead reads damaged files: no panic, no endless work.
func FuzzRead(f *testing.F) {
	for name, files := range cases(f, "backend.tar.gz") {
		if len(name)%7 == 0 {
			f.Add(files["model.onnx"])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		inputs := map[string]*tarn.Tensor{}
		for _, in := range m.Inputs() {
			shape := []int{}
			size := 1
			for _, d := range in.Shape {
				shape = append(shape, max(1, min(d, 64)))
				size *= shape[len(shape)-1]
			}
			if size > 1<<16 {
				return
			}
			inputs[in.Name] = tarn.Zeros(in.DType, shape...)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 1e9)
		defer cancel()
		_, _ = m.Run(ctx, inputs)
	})
}
