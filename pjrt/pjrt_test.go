package pjrt_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
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

var open = sync.OnceValues(func() (*pjrt.Engine, error) {
	return pjrt.Open(pjrt.Options{Plugin: pluginFile()})
})

// pluginFile is the plugin of the tests.
func pluginFile() string { return cmp.Or(os.Getenv("TARN_PJRT_PLUGIN"), "cpu") }

// pluginName is the plugin for Options. Without one the test is skipped, or fails if TARN_PJRT_PLUGIN names one.
func pluginName(t *testing.T) string {
	t.Helper()
	engine(t)
	return pluginFile()
}

// engine opens the plugin. Without one the test is skipped, or fails if TARN_PJRT_PLUGIN names one.
func engine(t testing.TB) *pjrt.Engine {
	t.Helper()
	e, err := open()
	if err != nil {
		if os.Getenv("TARN_PJRT_PLUGIN") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	return e
}

// TestFind looks for plugins in folders made for it.
func TestFind(t *testing.T) {
	root := t.TempDir()
	file := func(elements ...string) string {
		name := filepath.Join(append([]string{root}, elements...)...)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		return name
	}
	cpu := file("venv", "lib", "python3.12", "site-packages", "lammps_jax_pjrt_cpu", "pjrt_c_api_cpu_plugin.so")
	cuda := file("gpu", "lib", "python3.13", "dist-packages", "jax_plugins", "xla_cuda12", "xla_cuda_plugin.so")
	file("gpu", "bin", "python3")
	own := file("own.so")
	for _, test := range []struct {
		name, venv, path, variable, plugin string
		want, report                       string
	}{
		{name: "of the virtual environment", venv: "venv", plugin: "cpu", want: cpu},
		{name: "of a Python on the path", path: "gpu/bin", plugin: "cuda", want: cuda},
		{name: "the first platform", venv: "venv", path: "gpu/bin", want: cuda},
		{name: "the variable's platform", venv: "venv", path: "gpu/bin", variable: "cpu", want: cpu},
		{name: "the variable's file", variable: own, want: own},
		{name: "the option before the variable", venv: "venv", variable: own, plugin: "cpu", want: cpu},
		{name: "the variable's file if no other is found", venv: "venv", variable: own, plugin: "tpu", want: own},
		{name: "none of that platform", venv: "venv", plugin: "tpu", report: `there is no plugin for tpu: looked in ` + filepath.Join(root, "venv")},
		{name: "how to get it", venv: "venv", plugin: "tpu", report: `pip install "libtpu", or set TARN_PJRT_PLUGIN to its file`},
		{name: "no Python", report: "no folder of Python packages was found"},
		{name: "no file", plugin: filepath.Join(root, "missing.so"), report: "missing.so"},
		{name: "no platform", plugin: "cudda", report: `there is no platform "cudda"; give cuda, rocm, tpu, cpu`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("HOME", filepath.Join(root, "home"))
			t.Setenv("VIRTUAL_ENV", "")
			if test.venv != "" {
				t.Setenv("VIRTUAL_ENV", filepath.Join(root, test.venv))
			}
			t.Setenv("PATH", filepath.Join(root, test.path))
			t.Setenv("TARN_PJRT_PLUGIN", test.variable)
			got, err := pjrt.Find(test.plugin)
			if test.report != "" {
				if err == nil || !strings.Contains(err.Error(), test.report) {
					t.Fatalf("got %q, %v; want an error with %q", got, err, test.report)
				}
				return
			}
			if err != nil || got != test.want {
				t.Fatalf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// TestOpenRefuses opens what is no plugin, and plugins in a wrong way.
func TestOpenRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		options pjrt.Options
		want    string
		plugin  bool // is needed
	}{
		{"no library", pjrt.Options{Plugin: text}, "text.so cannot be loaded", false},
		{"no fraction", pjrt.Options{MemoryFraction: math.NaN()}, "the memory fraction is NaN and should be from 0 to 1", false},
		{"fraction", pjrt.Options{MemoryFraction: 2}, "the memory fraction is 2 and should be from 0 to 1", false},
		{"device", pjrt.Options{Device: 1000}, "there is no device 1000", true},
		{"setting of a wrong type", pjrt.Options{Settings: map[string]any{"x": struct{}{}}}, "the setting x is a struct {}", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.plugin {
				test.options.Plugin = pluginName(t)
			}
			if _, err := pjrt.Open(test.options); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestDevices(t *testing.T) {
	e := engine(t)
	if e.Platform() == "" || len(e.Devices()) == 0 || e.Devices()[0].Kind == "" {
		t.Fatalf("platform %q, devices %v", e.Platform(), e.Devices())
	}
	if want := "pjrt:" + e.Platform(); !strings.HasPrefix(e.String(), want) {
		t.Errorf("%v does not begin with %s", e, want)
	}
}

// TestWrongContents expects the errors of the engine for the CPU, and params as they were.
func TestWrongContents(t *testing.T) {
	e := engine(t)
	for _, test := range []struct {
		name  string
		index []int32
		x     []float32
		want  string
	}{
		{"right", []int32{0, 2}, []float32{1, 2, 3}, ""},
		{"an index out of range", []int32{0, 3}, []float32{1, 2, 3}, "the index 3 at [1] is out of range for axis 0 of size 3"},
		{"a negative index", []int32{-1, 2}, []float32{1, 2, 3}, "the index -1 at [0] is out of range"},
		{"infinity", []int32{0, 2}, []float32{1, 2, float32(math.Inf(1))}, "is not finite, nothing was stored"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := tarn.NewGraph()
			x, index := g.Input("x", tarn.F32, 3), g.Input("index", tarn.I32, 2)
			w := tarn.NewParam(tarn.F32, nil, 2)
			sum := x.Take(0, index)
			program, err := tarn.CompileOn(e, g, tarn.Outputs{"sum": sum}, tarn.Assign(w, w.Value(g).Add(sum)), tarn.Guard(sum))
			if err != nil {
				t.Fatal(err)
			}
			_, err = program.Run(tarn.Vector(test.x), tarn.Vector(test.index))
			if test.want == "" {
				if err != nil || w.Tensor().F32()[1] != 3 || program.Runs() != 1 {
					t.Fatalf("got %v, the param %v after %d runs", err, w.Tensor(), program.Runs())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			var found *tarn.NonFiniteError
			if errors.As(err, &found) && !strings.HasPrefix(found.Place, "pjrt_test.go:") {
				t.Errorf("the place is %q", found.Place)
			}
			if w.Tensor().F32()[0] != 0 || program.Runs() != 0 {
				t.Errorf("the param is %v after %d runs", w.Tensor(), program.Runs())
			}
		})
	}
}

type network struct {
	Hidden, Out *nn.Linear
	Drop        *nn.Dropout
}

func (n *network) Forward(x *tarn.Value) *tarn.Value {
	return n.Out.Forward(n.Drop.Forward(n.Hidden.Forward(x).Tanh()))
}

// TestTrainingEqualsCPU trains a network with dropout by Adam on one engine and on another, which takes over in the middle where there are two.
func TestTrainingEqualsCPU(t *testing.T) {
	e := engine(t)
	const batch, features, steps = 16, 8, 20
	for _, test := range []struct {
		name      string
		dtype     tarn.DType
		tolerance float64
		engines   []tarn.Engine
	}{
		{"f64", tarn.F64, 1e-12, []tarn.Engine{e}},
		{"f32", tarn.F32, 1e-5, []tarn.Engine{e}},
		{"from the CPU", tarn.F64, 1e-12, []tarn.Engine{nil, e}},
		{"to the CPU", tarn.F64, 1e-12, []tarn.Engine{e, nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			x, y := tarn.Zeros(test.dtype, batch, features), tarn.Zeros(tarn.I32, batch)
			for i := range x.Size() {
				x.SetFloat(i, r.NormFloat64())
			}
			for i := range batch {
				y.SetFloat(i, float64(r.IntN(3)))
			}
			defer tarn.Use(nil)
			run := func(engines ...tarn.Engine) (losses []float64) {
				model := &network{nn.NewLinear(features, 32), nn.NewLinear(32, 3), nn.NewDropout(0.1)}
				if err := errors.Join(tarn.Cast(model, test.dtype), tarn.Init(model, 7)); err != nil {
					t.Fatal(err)
				}
				optimizer := optim.NewAdam(1e-2)
				for _, e := range engines {
					tarn.Use(e)
					g := tarn.NewGraph()
					in, label := g.Input("x", test.dtype, batch, features), g.Input("y", tarn.I32, batch)
					step, err := train.NewStep(nn.CrossEntropy(model.Forward(in), label), model, optimizer)
					if err != nil {
						t.Fatal(err)
					}
					for range steps / len(engines) {
						result, err := step.Run(batch, x, y)
						if err != nil {
							t.Fatal(err)
						}
						losses = append(losses, result.Loss)
					}
				}
				return losses
			}
			want, got := run(nil), run(test.engines...)
			for i := range want {
				if math.Abs(got[i]-want[i]) > test.tolerance {
					t.Errorf("the loss of step %d is %v and on the CPU %v", i, got[i], want[i])
				}
			}
			if want[steps-1] > want[0]/2 {
				t.Errorf("the loss falls from %v to %v only", want[0], want[steps-1])
			}
		})
	}
}

// TestClones runs clones of a program at the same time.
func TestClones(t *testing.T) {
	e := engine(t)
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 100)
	program, err := tarn.CompileOn(e, g, tarn.Outputs{"sum": x.Square().Sum()})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 4 {
		clone, err := program.Clone()
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			data := tarn.Zeros(tarn.F64, 100)
			for step := range 50 {
				data.SetFloat(3, float64(n*50+step))
				out, err := clone.Run(data)
				if err != nil {
					t.Error(err)
					return
				}
				if got, want := out["sum"].Item(), data.Float(3)*data.Float(3); got != want {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
	all.Wait()
}

// TestCheckpoints interrupts a training after 10 of 20 steps on one engine and resumes it from its folder on another.
func TestCheckpoints(t *testing.T) {
	e := engine(t)
	const examples, features, batch, steps = 80, 8, 16, 20
	r := rand.New(rand.NewPCG(1, 2))
	x, y := tarn.Zeros(tarn.F64, examples, features), tarn.Zeros(tarn.I32, examples)
	for i := range x.Size() {
		x.SetFloat(i, r.NormFloat64())
	}
	for i := range examples {
		y.SetFloat(i, float64(r.IntN(3)))
	}
	defer tarn.Use(nil)
	// run trains from where the folder stands, until the steps are taken.
	run := func(t *testing.T, e tarn.Engine, dtype tarn.DType, dir string, until int64) (losses []float64) {
		t.Helper()
		tarn.Use(e)
		set, err := data.NewSet(data.Field{Name: "x", Array: data.FromTensor(x.Cast(dtype))}, data.Field{Name: "label", Array: data.FromTensor(y)})
		if err != nil {
			t.Fatal(err)
		}
		model := &network{nn.NewLinear(features, 32), nn.NewLinear(32, 3), nn.NewDropout(0.1)}
		if err := errors.Join(tarn.Cast(model, dtype), tarn.Init(model, 7)); err != nil {
			t.Fatal(err)
		}
		l := train.NewLoop(func(g *tarn.Graph, n int) tarn.Outputs {
			out := model.Forward(g.Input("x", dtype, n, features))
			return tarn.Outputs{"loss": nn.CrossEntropy(out, g.Input("label", tarn.I32, n))}
		}, model, optim.NewAdam(1e-2), set)
		l.Epochs, l.Batch, l.Seed = steps*batch/examples, batch, 3
		if l.Folder, err = train.OpenFolder(dir); err != nil {
			if l.Folder, err = train.CreateFolder(dir, struct{}{}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for p, err := range l.Run(ctx) {
			if errors.Is(err, context.Canceled) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Record == nil {
				losses = append(losses, p.Loss)
			}
			if p.Runs == until {
				cancel()
			}
		}
		return losses
	}
	for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
		tolerance := map[tarn.DType]float64{tarn.F64: 1e-12, tarn.F32: 1e-5}[dtype]
		want := run(t, nil, dtype, filepath.Join(t.TempDir(), "run"), -1)
		if len(want) != steps {
			t.Fatalf("%d steps", len(want))
		}
		for name, engines := range map[string][2]tarn.Engine{"from the CPU": {nil, e}, "to the CPU": {e, nil}} {
			t.Run(fmt.Sprint(dtype, " ", name), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "run")
				got := append(run(t, engines[0], dtype, dir, steps/2-1), run(t, engines[1], dtype, dir, -1)...)
				if len(got) != steps {
					t.Fatalf("%d steps", len(got))
				}
				for i := range want {
					if math.Abs(got[i]-want[i]) > tolerance {
						t.Errorf("the loss of step %d is %v and on the CPU %v", i, got[i], want[i])
					}
				}
			})
		}
	}
}
