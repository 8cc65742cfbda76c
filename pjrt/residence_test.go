//go:build (linux || darwin) && (amd64 || arm64)

package pjrt_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/pjrt"
)

// This file tests where params and results are: they stay on the device, and whoever reads or writes them need not know.

// counter is a param w and a program that adds x to it, on an engine; the output "w" is w before.
func counter(t *testing.T, e tarn.Engine, w *tarn.Param) *tarn.Program {
	t.Helper()
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 2, 2)
	p, err := tarn.CompileOn(e, g, tarn.Outputs{"w": w.Value(g), "next": w.Value(g).Add(x)}, tarn.Assign(w, w.Value(g).Add(x)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// another opens an engine whose runs go on after they have returned.
func another(t *testing.T) *pjrt.Engine {
	t.Helper()
	e, err := pjrt.Open(pjrt.Options{Plugin: pluginName(t), Settings: map[string]any{"asynchronous": true}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestResidence takes a step on the device, does something with the param, and takes another one.
func TestResidence(t *testing.T) {
	asynchronous, apart := another(t), pjrt.Apart(another(t))
	same := func(t *testing.T, what string, got *tarn.Tensor, want ...float32) {
		t.Helper()
		w, err := tarn.FromSlice(want, 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		if diff := got.Diff(w, 0); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	for _, test := range []struct {
		name    string
		between func(t *testing.T, w *tarn.Param, out tarn.Results)
		want    [4]float32 // of w after the second step, which adds 1, 2, 3 and 4 as the first does
	}{
		{"nothing", func(*testing.T, *tarn.Param, tarn.Results) {}, [4]float32{2, 4, 6, 8}},
		{"read elements", func(t *testing.T, w *tarn.Param, out tarn.Results) {
			if w.Tensor().Float(3) != 4 || w.Tensor().Floats()[2] != 3 || out["next"].Float(0) != 1 || !strings.Contains(w.Tensor().String(), "[3 4]") {
				t.Errorf("the param is %v", w.Tensor())
			}
		}, [4]float32{2, 4, 6, 8}},
		{"read the memory", func(t *testing.T, w *tarn.Param, out tarn.Results) {
			if w.Tensor().F32()[3] != 4 || out["next"].F32()[3] != 4 || out["w"].F32()[3] != 0 {
				t.Errorf("the param is %v", w.Tensor())
			}
		}, [4]float32{2, 4, 6, 8}},
		{"write to the memory", func(t *testing.T, w *tarn.Param, _ tarn.Results) { w.Tensor().F32()[0] = 100 }, [4]float32{101, 4, 6, 8}},
		{"write an element", func(t *testing.T, w *tarn.Param, _ tarn.Results) { w.Tensor().SetFloat(1, 100) }, [4]float32{2, 102, 6, 8}},
		{"write after reading", func(t *testing.T, w *tarn.Param, _ tarn.Results) {
			if w.Tensor().Float(0) == 1 {
				w.Tensor().SetFloat(1, 100)
			}
		}, [4]float32{2, 102, 6, 8}},
		{"set", func(t *testing.T, w *tarn.Param, _ tarn.Results) {
			if err := w.Set(tarn.Zeros(tarn.F32, 2, 2)); err != nil {
				t.Error(err)
			}
		}, [4]float32{1, 2, 3, 4}},
		{"set to a result", func(t *testing.T, w *tarn.Param, out tarn.Results) {
			if err := w.Set(out["w"]); err != nil {
				t.Error(err)
			}
		}, [4]float32{1, 2, 3, 4}},
		{"clone and cast", func(t *testing.T, w *tarn.Param, out tarn.Results) {
			same(t, "the clone", w.Tensor().Clone(), 1, 2, 3, 4)
			same(t, "the cast", out["next"].Cast(tarn.F64).Cast(tarn.F32), 1, 2, 3, 4)
		}, [4]float32{2, 4, 6, 8}},
		{"reshaped", func(t *testing.T, w *tarn.Param, _ tarn.Results) {
			flat, err := w.Tensor().Reshape(4)
			if err != nil || flat.Float(3) != 4 {
				t.Errorf("the param is %v, %v", flat, err)
			}
			flat.SetFloat(3, 0)
		}, [4]float32{2, 4, 6, 4}},
		{"initialize", func(t *testing.T, w *tarn.Param, _ tarn.Results) {
			if err := tarn.Init(&struct{ W *tarn.Param }{w}, 1); err != nil {
				t.Error(err)
			}
		}, [4]float32{1, 2, 3, 4}},
		{"a step on the CPU", func(t *testing.T, w *tarn.Param, _ tarn.Results) {
			x, _ := tarn.FromSlice([]float32{10, 10, 10, 10}, 2, 2)
			out, err := counter(t, nil, w).Run(x)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "what the CPU read", out["w"], 1, 2, 3, 4)
			same(t, "what the CPU stored", w.Tensor(), 11, 12, 13, 14)
		}, [4]float32{12, 14, 16, 18}},
		{"a step on another engine", func(t *testing.T, w *tarn.Param, _ tarn.Results) {
			x, _ := tarn.FromSlice([]float32{10, 10, 10, 10}, 2, 2)
			if _, err := counter(t, asynchronous, w).Run(x); err != nil {
				t.Fatal(err)
			}
		}, [4]float32{12, 14, 16, 18}},
		{"a result as an input of the CPU, and the param itself", func(t *testing.T, w *tarn.Param, out tarn.Results) {
			p := counter(t, nil, w)
			if _, err := p.Run(out["next"]); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Run(w.Tensor()); err != nil {
				t.Fatal(err)
			}
		}, [4]float32{5, 10, 15, 20}},
		{"a result as an input, and the param itself", func(t *testing.T, w *tarn.Param, out tarn.Results) {
			p := counter(t, engine(t), w)
			if _, err := p.Run(out["next"]); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Run(w.Tensor()); err != nil {
				t.Fatal(err)
			}
		}, [4]float32{5, 10, 15, 20}},
	} {
		for name, e := range map[string]*pjrt.Engine{"": engine(t), ", asynchronous": asynchronous, ", apart": apart} {
			t.Run(test.name+name, func(t *testing.T) {
				w := tarn.NewParam(tarn.F32, nil, 2, 2)
				p := counter(t, e, w)
				x, _ := tarn.FromSlice([]float32{1, 2, 3, 4}, 2, 2)
				out, err := p.Run(x)
				if err != nil {
					t.Fatal(err)
				}
				test.between(t, w, out)
				if _, err := p.Run(x); err != nil {
					t.Fatal(err)
				}
				same(t, "the param", w.Tensor(), test.want[:]...)
			})
		}
	}
}

// TestUpload copies inputs ahead, changes them when they may be changed, and copies what no run takes.
func TestUpload(t *testing.T) {
	tarn.Use(engine(t))
	defer tarn.Use(nil)
	w := tarn.NewParam(tarn.F32, nil, 2, 2)
	p := counter(t, engine(t), w)
	memory := make([]float32, 4)
	x, err := tarn.FromSlice(memory, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for step := range 4 {
		memory[1] = float32(step)
		if step != 2 {
			if err := tarn.Upload(x); err != nil {
				t.Fatal(err)
			}
		}
		if step == 3 { // the copy is out of date
			memory[1] = 10
			if err := tarn.Upload(x); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.Run(x); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Tensor().Float(1); got != 0+1+2+10 {
		t.Errorf("the sum is %v", got)
	}
	if err := tarn.Upload(nil); err == nil || !strings.Contains(err.Error(), "a tensor is nil") {
		t.Errorf("of nil: %v", err)
	}
}

// stepOf is a training step of a small network, 4-64-64-3 with Adam, as tarn bench has it, and its inputs.
func stepOf(t testing.TB, e tarn.Engine, guarded bool) (*tarn.Program, []*tarn.Tensor) {
	t.Helper()
	m := nn.NewSequential(nn.NewLinear(4, 64), nn.ReLU{}, nn.NewLinear(64, 64), nn.ReLU{}, nn.NewLinear(64, 3))
	if err := tarn.Init(m, 1); err != nil {
		t.Fatal(err)
	}
	params, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x, y := tarn.Zeros(tarn.F32, 32, 4), tarn.Zeros(tarn.I32, 32)
	for i := range x.Size() {
		x.SetFloat(i, float64(i%7)-3)
	}
	for i := range y.Size() {
		y.SetFloat(i, float64(i%3))
	}
	loss := nn.CrossEntropy(m.Forward(g.Input("x", tarn.F32, 32, 4)), g.Input("y", tarn.I32, 32))
	updates, err := optim.NewAdam(1e-3).Update(loss, params)
	if err != nil {
		t.Fatal(err)
	}
	if guarded {
		updates = append(updates, tarn.Guard(loss))
	}
	p, err := tarn.CompileOn(e, g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	return p, []*tarn.Tensor{x, y}
}

// TestAllocations bounds what the host allocates in a step: nothing for each param.
func TestAllocations(t *testing.T) {
	for name, test := range map[string]struct {
		engine  *pjrt.Engine
		guarded bool
	}{"plain": {engine(t), false}, "guarded": {engine(t), true}, "apart": {pjrt.Apart(another(t)), true}} {
		t.Run(name, func(t *testing.T) {
			p, in := stepOf(t, test.engine, test.guarded)
			results := tarn.Results{}
			step := func() {
				if err := p.RunInto(t.Context(), results, in...); err != nil {
					t.Fatal(err)
				}
				results["loss"].Item()
			}
			step()
			if n := alloctest.PerRun(100, step); n > 2 {
				t.Errorf("a step allocates %v times", n)
			}
		})
	}
}

// TestGrowth takes 10,000 steps, during the second half of which the process must not grow.
func TestGrowth(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: takes 10,000 steps")
	}
	p, in := stepOf(t, engine(t), true)
	results := tarn.Results{}
	var before int
	for i := range 10000 {
		if i == 5000 {
			before = resident(t)
		}
		if err := p.RunInto(t.Context(), results, in...); err != nil {
			t.Fatal(err)
		}
		if loss := results["loss"].Item(); i == 9999 && !(loss < 1.2) {
			t.Errorf("the loss is %v at the end", loss)
		}
		if i%10 == 0 { // results that nobody gives back
			if _, err := p.Run(in...); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.GC()
	time.Sleep(10 * time.Millisecond) // the buffers of garbage are released in the background
	if after := resident(t); after > before+8<<20 {
		t.Errorf("the process has %d MiB after 5000 steps and %d MiB after 10000", before>>20, after>>20)
	}
}
