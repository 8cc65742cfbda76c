//go:build (linux || darwin) && (amd64 || arm64)

package pjrt_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/pjrt"
	"github.com/seed-49005b45/tarn/train"
)

// This file tests programs that several devices compute together: four of XLA's CPU.

var openFour = sync.OnceValues(func() (*pjrt.Engine, error) {
	if _, err := open(); err != nil {
		return nil, err
	}
	return pjrt.Open(pjrt.Options{Plugin: pluginFile(), Devices: 4})
})

func four(t *testing.T) *pjrt.Engine {
	t.Helper()
	engine(t)
	e, err := openFour()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestDevicesAddUp looks at what the compiler has made of a training step: sums over the devices.
func TestDevicesAddUp(t *testing.T) {
	e := &pjrt.Spy{Engine: four(t)}
	if len(e.Devices()) != 4 || !strings.Contains(e.String(), "4 x ") {
		t.Fatalf("the devices are %v of %v", e.Devices(), e)
	}
	g := tarn.NewGraph()
	x, odd := g.Input("x", tarn.F32, 8, 3), g.Input("odd", tarn.F32, 7)
	w := tarn.NewParam(tarn.F32, nil, 3, 2)
	loss := x.MatMul(w).Square().Mean().Add(odd.Sum())
	if _, err := tarn.CompileOn(e, g, tarn.Outputs{"loss": loss}, tarn.Assign(w, w.Value(g).Sub(tarn.Grad(loss, w)[0]))); err != nil {
		t.Fatal(err)
	}
	program, err := e.Optimized()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(program, "all-reduce") {
		t.Errorf("the program of each device has no all-reduce: %q", program)
	}
}

type normed struct {
	In, Out *nn.Linear
	Norm    *nn.BatchNorm
	Drop    *nn.Dropout
}

func (n *normed) Forward(x *tarn.Value) *tarn.Value {
	return n.Out.Forward(n.Drop.Forward(n.Norm.Forward(n.In.Forward(x)).ReLU()))
}

// TestDevicesEqualOne trains on four devices by train.Step and train.Loop and compares with one device and with the CPU: losses, weights and running statistics. Batch
// norms see the whole batch and dropout draws for it, and the last batch of an epoch is not a multiple of four.
func TestDevicesEqualOne(t *testing.T) {
	const examples, features, batch, epochs = 54, 6, 16, 3
	r := rand.New(rand.NewPCG(1, 2))
	x, y := tarn.Zeros(tarn.F64, examples, features), tarn.Zeros(tarn.I32, examples)
	for i := range x.Size() {
		x.SetFloat(i, r.NormFloat64())
	}
	for i := range y.Size() {
		y.SetFloat(i, float64(r.IntN(3)))
	}
	defer tarn.Use(nil)
	run := func(t *testing.T, e tarn.Engine, loop bool) (losses []float64, weights map[string]*tarn.Tensor) {
		t.Helper()
		tarn.Use(e)
		set, err := data.NewSet(data.Field{Name: "x", Array: data.FromTensor(x)}, data.Field{Name: "label", Array: data.FromTensor(y)})
		if err != nil {
			t.Fatal(err)
		}
		m := &normed{nn.NewLinear(features, 12), nn.NewLinear(12, 3), nn.NewBatchNorm(12), nn.NewDropout(0.2)}
		if err := errors.Join(tarn.Cast(m, tarn.F64), tarn.Init(m, 5)); err != nil {
			t.Fatal(err)
		}
		build := func(g *tarn.Graph, n int) tarn.Outputs {
			out := m.Forward(g.Input("x", tarn.F64, n, features))
			return tarn.Outputs{"loss": nn.CrossEntropy(out, g.Input("label", tarn.I32, n)), "prediction": out}
		}
		if loop {
			l := train.NewLoop(build, m, optim.NewAdamW(1e-2), set)
			l.Epochs, l.Batch, l.Seed, l.Valid = epochs, batch, 7, set
			for p, err := range l.Run(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				losses = append(losses, p.Loss)
			}
			losses = append(losses, l.History()[epochs-1].ValLoss)
		} else {
			step, err := train.NewStepOf(build, m, optim.NewAdamW(1e-2))
			if err != nil {
				t.Fatal(err)
			}
			for r, err := range step.Over(t.Context(), set.Batches(batch, data.Options{Shuffle: true, Seed: 7, Epochs: epochs})) {
				if err != nil {
					t.Fatal(err)
				}
				losses = append(losses, r.Loss)
			}
		}
		params, err := tarn.Params(m)
		if err != nil {
			t.Fatal(err)
		}
		weights = map[string]*tarn.Tensor{}
		for name, p := range params.All() {
			weights[name] = p.Tensor().Clone()
		}
		return losses, weights
	}
	for _, loop := range []bool{false, true} {
		wantLosses, wantWeights := run(t, nil, loop)
		for name, e := range map[string]tarn.Engine{"one device": engine(t), "four devices": four(t)} {
			t.Run(fmt.Sprint(name, ", loop: ", loop), func(t *testing.T) {
				losses, weights := run(t, e, loop)
				for i := range wantLosses {
					if math.Abs(losses[i]-wantLosses[i]) > 1e-11 {
						t.Errorf("loss %d is %v and on the CPU %v", i, losses[i], wantLosses[i])
					}
				}
				for name, want := range wantWeights {
					if diff := weights[name].Diff(want, 1e-10); diff != "" {
						t.Errorf("%s: %s", name, diff)
					}
				}
			})
		}
	}
}

// TestDevicesRefuse runs into indices out of range and infinities on four devices: nothing is stored on any.
func TestDevicesRefuse(t *testing.T) {
	e := four(t)
	g := tarn.NewGraph()
	x, index := g.Input("x", tarn.F32, 4, 3), g.Input("index", tarn.I32, 8)
	w := tarn.NewParam(tarn.F32, nil, 8, 3)
	sum := x.Take(0, index)
	p, err := tarn.CompileOn(e, g, tarn.Outputs{"sum": sum}, tarn.Assign(w, w.Value(g).Add(sum)), tarn.Guard(sum))
	if err != nil {
		t.Fatal(err)
	}
	in, at := tarn.Zeros(tarn.F32, 4, 3), tarn.Zeros(tarn.I32, 8)
	in.SetFloat(11, 5)
	at.SetFloat(7, 4)
	if _, err := p.Run(in, at); err == nil || !strings.Contains(err.Error(), "the index 4 at [7] is out of range") {
		t.Errorf("an index out of range: %v", err)
	}
	at.SetFloat(7, 3)
	in.SetFloat(11, math.Inf(1))
	if _, err := p.Run(in, at); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("infinity: %v", err)
	}
	if diff := w.Tensor().Diff(tarn.Zeros(tarn.F32, 8, 3), 0); diff != "" || p.Runs() != 0 {
		t.Errorf("after %d runs the param has changed: %s", p.Runs(), diff)
	}
	in.SetFloat(11, 5)
	if _, err := p.Run(in, at); err != nil || w.Tensor().Float(23) != 5 {
		t.Errorf("the param is %v, %v", w.Tensor(), err)
	}
}

// TestParse reads what stands behind "pjrt:" in the name of an engine.
func TestParse(t *testing.T) {
	for _, test := range []struct {
		settings, plugin string
		devices          int
		report           string
	}{
		{"", "", 0, ""},
		{"cuda", "cuda", 0, ""},
		{"cuda:4", "cuda", 4, ""},
		{"4", "", 4, ""},
		{"/opt/plugin.so", "/opt/plugin.so", 0, ""},
		{"/opt/plugin.so:2", "/opt/plugin.so", 2, ""},
		{"cuda:", "cuda", 0, ""},
		{"cuda:0", "", 0, `"0" and should be a whole number of at least 1`},
		{"cuda:x", "", 0, `the number of devices in "cuda:x" is "x"`},
	} {
		o, err := pjrt.Parse(test.settings)
		if test.report != "" {
			if err == nil || !strings.Contains(err.Error(), test.report) {
				t.Errorf("%q: %v, want an error with %s", test.settings, err, test.report)
			}
			continue
		}
		if err != nil || o.Plugin != test.plugin || o.Devices != test.devices {
			t.Errorf("%q: plugin %q, %d devices, %v", test.settings, o.Plugin, o.Devices, err)
		}
	}
}
