package watch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// trainer runs steps of a model on drawn batches, watched or not.
type trainer struct {
	t        *testing.T
	params   *tarn.ParamSet
	model    nn.Layer
	opt      optim.Optimizer
	w        *watch.Watcher // nil for a training that is not watched
	programs map[watch.Mode]*tarn.Program
	parts    map[watch.Mode]*watch.Instruments
	shape    []int
	update   int64
}

func newTrainer(t *testing.T, model nn.Layer, w *watch.Watcher, shape ...int) *trainer {
	params, err := tarn.Params(model)
	if err == nil {
		err = tarn.Init(model, 3)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &trainer{t: t, params: params, model: model, opt: optim.NewAdamW(0.01), w: w,
		programs: map[watch.Mode]*tarn.Program{}, parts: map[watch.Mode]*watch.Instruments{}, shape: shape}
}

// step takes one step, and returns what it has measured.
func (tr *trainer) step() (*watch.Step, float64) {
	mode := watch.Plain
	if tr.w != nil {
		mode = tr.w.Mode(tr.update)
	}
	if tr.programs[mode] == nil {
		g := tarn.NewGraph()
		x, y := g.Input("x", tarn.F32, tr.shape...), g.Input("y", tarn.I32, tr.shape[0])
		loss := nn.CrossEntropy(tr.model.Forward(x), y)
		outputs := tarn.Outputs{"loss": loss}
		updates, err := tr.opt.Update(loss, tr.params)
		if err != nil {
			tr.t.Fatal(err)
		}
		if tr.w != nil {
			in, err := tr.w.Instrument(mode, outputs, loss, tr.params, updates)
			if err != nil {
				tr.t.Fatal(err)
			}
			tr.parts[mode] = in
			for name, v := range in.Outputs {
				outputs[name] = v
			}
			updates = append(updates, in.Updates...)
		}
		if tr.programs[mode], err = tarn.Compile(g, outputs, updates...); err != nil {
			tr.t.Fatal(err)
		}
	}
	p := tr.programs[mode]
	p.SetRuns(tr.update)
	r := rand.New(rand.NewPCG(1, uint64(tr.update)))
	x, y := tarn.Zeros(tarn.F32, tr.shape...), tarn.Zeros(tarn.I32, tr.shape[0])
	for i := range x.Size() {
		x.SetFloat(i, r.NormFloat64())
	}
	for i := range y.Size() {
		y.SetFloat(i, float64(r.IntN(3)))
	}
	out, err := p.Run(x, y)
	if err != nil {
		tr.t.Fatal(err)
	}
	loss := out["loss"].Item()
	defer func() { tr.update++ }()
	switch mode {
	case watch.Remember:
		tr.w.Remembered(tr.update)
	case watch.Look:
		s, _ := tr.w.Record(tr.parts[mode], out, tr.update, tr.shape[0])
		return &s, loss
	}
	return nil, loss
}

// weights copies all params.
func (tr *trainer) weights() [][]float64 {
	var all [][]float64
	for _, p := range tr.params.All() {
		all = append(all, p.Tensor().Floats())
	}
	return all
}

// models are networks with every kind of instrument, and the shape of their input.
var models = []struct {
	name  string
	model func() nn.Layer
	shape []int
}{
	{"mlp", func() nn.Layer {
		return nn.NewSequential(nn.NewLinear(4, 33), nn.ReLU{}, nn.NewDropout(0.3), nn.NewLinear(33, 17), nn.Tanh{}, nn.NewLinear(17, 9), nn.Sigmoid{}, nn.NewLinear(9, 3))
	}, []int{13, 4}},
	{"cnn", func() nn.Layer {
		return nn.NewSequential(nn.NewConv2d(1, 5, 3), nn.NewBatchNorm(5), nn.ReLU{}, nn.NewMaxPool(2, 2), nn.Flatten{}, nn.NewLinear(3*3*5, 3))
	}, []int{6, 8, 8, 1}},
	{"recurrent", func() nn.Layer {
		return nn.NewSequential(nn.NewLSTM(4, 6, nn.RecurrentOptions{}), nn.Func(func(x *tarn.Value) *tarn.Value { return x.Slice(1, -1, x.Dim(1)).Reshape(x.Dim(0), -1) }), nn.NewLinear(6, 3))
	}, []int{5, 7, 4}},
}

// TestSameBits trains with and without a watcher.
func TestSameBits(t *testing.T) {
	for _, c := range models {
		t.Run(c.name, func(t *testing.T) {
			plain, watched := newTrainer(t, c.model(), nil, c.shape...), newTrainer(t, c.model(), watch.New(watch.Options{Every: 3, Histograms: true}), c.shape...)
			looks := 0
			for i := range 10 {
				_, a := plain.step()
				s, b := watched.step()
				if a != b {
					t.Fatalf("the loss of step %d is %v, watched %v", i, a, b)
				}
				if s != nil {
					looks++
				}
			}
			if !reflect.DeepEqual(plain.weights(), watched.weights()) {
				t.Error("the weights differ from those of the training that was not watched")
			}
			if looks != 4 {
				t.Errorf("there were %d looks, want 4", looks)
			}
		})
	}
}

// TestSameBitsOfOptimizers trains the first model with optimizers that compute in different ways.
func TestSameBitsOfOptimizers(t *testing.T) {
	adagrad, momentum := optim.NewAdagrad, optim.NewMomentum
	for name, make := range map[string]func() optim.Optimizer{
		"adagrad":  func() optim.Optimizer { o := adagrad(0.01); o.RateDecay, o.WeightDecay = 0.1, 0.01; return o },
		"momentum": func() optim.Optimizer { o := momentum(0.01); o.WeightDecay, o.ClipNorm = 0.01, 0.5; return o },
		"rmsprop":  func() optim.Optimizer { o := optim.NewRMSprop(0.01); o.Centered = true; return o },
		"nadam":    func() optim.Optimizer { return optim.NewNAdam(0.01) },
		"lion":     func() optim.Optimizer { return optim.NewLion(0.001) },
		"lamb":     func() optim.Optimizer { return optim.NewLAMB(0.01) },
		"adan":     func() optim.Optimizer { return optim.NewAdan(0.01) },
	} {
		c := models[0]
		plain, watched := newTrainer(t, c.model(), nil, c.shape...), newTrainer(t, c.model(), watch.New(watch.Options{Every: 2}), c.shape...)
		plain.opt, watched.opt = make(), make()
		for range 6 {
			plain.step()
			watched.step()
		}
		if !reflect.DeepEqual(plain.weights(), watched.weights()) {
			t.Errorf("%s: the weights differ from those of the training that was not watched", name)
		}
	}
}

// TestRecord computes by hand what a look should have measured.
func TestRecord(t *testing.T) {
	for _, c := range models {
		t.Run(c.name, func(t *testing.T) {
			w := watch.New(watch.Options{Every: 4})
			tr := newTrainer(t, c.model(), w, c.shape...)
			for range 5 {
				before := tr.weights()
				s, _ := tr.step()
				if s == nil {
					continue
				}
				h := tr.parts[watch.Look].Header
				after := tr.weights()
				i := 0
				k := 0
				for name, p := range tr.params.All() {
					if p.Trainable() {
						if h.Params[k].Name != name {
							t.Fatalf("param %d is %q, want %q", k, h.Params[k].Name, name)
						}
						var norm, update float64
						for j := range before[i] {
							norm += before[i][j] * before[i][j]
							update += (after[i][j] - before[i][j]) * (after[i][j] - before[i][j])
						}
						near(t, name+" norm", float64(s.Params.Norm[k]), math.Sqrt(norm))
						near(t, name+" update", float64(s.Params.UpdateNorm[k]), math.Sqrt(update))
						if !(s.Params.GradNorm[k] >= 0) || s.Params.NonFinite[k] != 0 {
							t.Errorf("%s has a gradient of norm %v with %v elements that are not finite", name, s.Params.GradNorm[k], s.Params.NonFinite[k])
						}
						k++
					}
					i++
				}
				for l, layer := range h.Layers {
					if !(s.Layers.Std[l] > 0) || !(s.Layers.GradNorm[l] > 0) {
						t.Errorf("layer %s has the deviation %v and a gradient of norm %v", layer.Path, s.Layers.Std[l], s.Layers.GradNorm[l])
					}
				}
				if first := tr.update == 1; first != (s.Cosine == nil) || first != (s.Alpha == nil) {
					t.Errorf("update %d has the cosine %v and alpha %v", tr.update-1, s.Cosine, s.Alpha)
				}
				if s.Cosine != nil && !(math.Abs(float64(*s.Cosine)) <= 1) {
					t.Errorf("the cosine is %v", *s.Cosine)
				}
				if c.name == "recurrent" && len(s.Layers.GradSteps[0]) != 7 {
					t.Errorf("the gradients by step are %v", s.Layers.GradSteps)
				}
			}
		})
	}
}

// near fails if two numbers differ by more than f32 explains.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-4*math.Abs(want)+1e-9 {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// TestPair takes plain gradient descent on a parabola, where all that is told of two steps is known.
func TestPair(t *testing.T) {
	for _, c := range []struct{ rate, alpha, cosine float64 }{
		{0.1, -0.8, 1}, // the minimum is at half of the inverse of the curvature 2
		{0.5, 0, 0},
		{0.9, 0.8, -1},
		{1, 1, -1},
	} {
		type model struct{ W *tarn.Param }
		m := &model{tarn.NewParam(tarn.F64, nil, 2)}
		m.W.Tensor().SetFloat(0, 3)
		m.W.Tensor().SetFloat(1, 4)
		params, err := tarn.Params(m)
		if err != nil {
			t.Fatal(err)
		}
		w := watch.New(watch.Options{Every: 1000})
		opt := optim.NewSGD(c.rate)
		run := func(mode watch.Mode, update int64) *watch.Step {
			g := tarn.NewGraph()
			loss := m.W.Value(g).Square().Sum()
			updates, err := opt.Update(loss, params)
			if err != nil {
				t.Fatal(err)
			}
			in, err := w.Instrument(mode, nil, loss, params, updates)
			if err != nil {
				t.Fatal(err)
			}
			p, err := tarn.Compile(g, in.Outputs, append(updates, in.Updates...)...)
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Run()
			if err != nil {
				t.Fatal(err)
			}
			if mode == watch.Remember {
				w.Remembered(update)
				return nil
			}
			s, _ := w.Record(in, out, update, 10)
			return &s
		}
		run(watch.Remember, 6)
		s := run(watch.Look, 7)
		near(t, "the gradient", float64(s.GradNorm), 10*math.Abs(1-2*c.rate))
		near(t, "alpha", float64(*s.Alpha), c.alpha)
		if c.cosine != 0 {
			near(t, "the cosine", float64(*s.Cosine), c.cosine)
		} else if s.Cosine != nil {
			t.Errorf("the cosine with a gradient of 0 is %v", *s.Cosine)
		}
		if c.cosine == 1 && s.NoiseScale == nil || c.cosine == -1 && s.NoiseScale != nil {
			t.Errorf("rate %v has the noise scale %v", c.rate, s.NoiseScale)
		}
	}
}

// TestDead kills units by their bias, and saturates others.
func TestDead(t *testing.T) {
	for _, activation := range []nn.Layer{nn.ReLU{}, nn.ReLU6{}} {
		testDead(t, activation)
	}
}

func testDead(t *testing.T, activation nn.Layer) {
	hidden := nn.NewLinear(4, 8)
	tr := newTrainer(t, nn.NewSequential(hidden, activation, nn.NewLinear(8, 3), nn.Sigmoid{}, nn.NewLinear(3, 3)), watch.New(watch.Options{Every: 1, Window: 3}), 32, 4)
	tr.opt = optim.NewAdamW(1e-9)
	for i := range 3 {
		hidden.Bias.Tensor().SetFloat(i, -1000)
	}
	var s *watch.Step
	for range 4 {
		s, _ = tr.step()
	}
	near(t, "the share of dead units", float64(s.Layers.Dead[0]), 3.0/8)
	hidden.Bias.Tensor().SetFloat(0, 1000) // alive again
	s, _ = tr.step()
	near(t, "the share of dead units", float64(s.Layers.Dead[0]), 2.0/8)
	if _, bounded := activation.(nn.ReLU6); !bounded && s.Layers.Saturated[1] < 0.5 { // the activations of 1000 arrive at the sigmoid
		t.Errorf("the share of saturated units is %v", s.Layers.Saturated[1])
	}
	if s.Layers.Dead[1] != 0 || s.Layers.Saturated[0] != 0 {
		t.Errorf("a sigmoid has %v dead and a ReLU %v saturated units", s.Layers.Dead[1], s.Layers.Saturated[0])
	}
}

func TestNumbers(t *testing.T) {
	for _, x := range []float64{0, -1.5, 1e300, 5e-324, math.Inf(1), math.Inf(-1), math.NaN()} {
		text, err := watch.Number(x).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back watch.Number
		if err := back.UnmarshalJSON(text); err != nil || math.Abs(float64(back)-x) > 1e-6*math.Abs(x) && !math.IsInf(x, 0) || math.IsNaN(x) != math.IsNaN(float64(back)) || back.Finite() == (math.IsNaN(x) || math.IsInf(x, 0)) {
			t.Errorf("%v becomes %s and %v (%v)", x, text, back, err)
		}
	}
	for _, text := range []string{`"nan"`, `null`, `[]`, `"1"`} {
		if err := new(watch.Number).UnmarshalJSON([]byte(text)); err == nil && text != "null" {
			t.Errorf("%s is taken for a number", text)
		}
	}
}

// header is that of a training with one param and one layer.
func header(run int64) watch.Line {
	return watch.Line{Header: &watch.Header{Version: 1, Run: run, Every: 10, Params: []watch.Param{{Name: "w", Shape: []int{2}}}, Layers: []watch.Layer{{Path: "l"}}}}
}

func look(run int64) watch.Line {
	one := []watch.Number{1}
	return watch.Line{Step: &watch.Step{Run: run, Loss: watch.Number(math.NaN()), Params: watch.ParamColumns{one, one, one, one, one, one},
		Layers: watch.LayerColumns{Mean: one, Std: one, GradNorm: one, Dead: one, Saturated: one}}}
}

// TestFile writes, kills and resumes.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), watch.FileName)
	write := func(lines ...watch.Line) {
		f, err := watch.Append(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if err := f.Write(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	runs := func() (found []int64) {
		h, err := watch.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range h.Steps {
			found = append(found, s.Run)
		}
		return found
	}
	write(header(0), look(1), look(11), watch.Line{Epoch: &watch.Epoch{Epoch: 1, Run: 12}}, watch.Line{Confusion: &watch.Confusion{Epoch: 1, Run: 12, Counts: [][]int{{1, 2}, {3, 4}}}},
		watch.Line{Program: &watch.Program{Run: 10, Timed: 5, Steps: []watch.ProgramStep{{Work: "product", Seconds: 1e-3}}}},
		watch.Line{Verdict: &watch.Verdict{Run: 11, Rule: "x"}}, look(21))
	if h, err := watch.Load(path); err != nil || h.Confusion == nil || h.Confusion.Counts[1][0] != 3 || h.Program == nil || h.Program.Steps[0].Seconds != 1e-3 {
		t.Errorf("the confused classes are read as %+v (%v)", h.Confusion, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) { // a kill at any byte
		if err := os.WriteFile(path, whole[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Load(path); err != nil {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Fatal("reading has changed the file")
		}
	}
	if err := os.WriteFile(path, whole[:len(whole)-5], 0o666); err != nil {
		t.Fatal(err)
	}
	write(header(1), look(11), look(21)) // resumed from a checkpoint at run 1
	if got := runs(); !reflect.DeepEqual(got, []int64{1, 11, 21}) {
		t.Errorf("the looks after the resumption are %v", got)
	}
	h, err := watch.Load(path)
	if err != nil || len(h.Epochs) != 0 || len(h.Verdicts) != 0 || h.Confusion != nil || !math.IsNaN(float64(h.Steps[0].Loss)) {
		t.Errorf("what was undone is still there: %+v (%v)", h, err)
	}
}

// TestFollow reads a file while it grows.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), watch.FileName)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Minute, errors.New("too slow"))
	defer cancel()
	go func() {
		time.Sleep(50 * time.Millisecond)
		f, err := watch.Append(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		for i := range int64(3) {
			l := look(10*i + 1)
			if i == 0 {
				l = header(0)
			}
			if err := f.Write(l); err != nil {
				t.Error(err)
			}
			time.Sleep(30 * time.Millisecond)
		}
	}()
	var got []string
	for l, err := range watch.Follow(ctx, path) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Header != nil {
			got = append(got, "header")
		} else {
			got = append(got, fmt.Sprint(l.Step.Run))
		}
		if len(got) == 3 {
			break
		}
	}
	if want := "header 11 21"; strings.Join(got, " ") != want {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestRefusals(t *testing.T) {
	step := `{"step":{"run":1,"params":{"norm":[1],"gradNorm":[1],"updateNorm":[1],"zeros":[1],"gradZeros":[1],"nonFinite":[1]},"layers":{"mean":[],"std":[],"gradNorm":[],"dead":[],"saturated":[]}}}` + "\n"
	for text, want := range map[string]string{
		"{\n": "line 1", "{}\nhello\n": "line 2", `{"header":{"version":7}}` + "\n": "version 7", step: "before the header",
		`{"header":{"version":1,"params":[]}}` + "\n" + step: "1 numbers; the header lists 0 params",
		`{"step":{"loss":"big"}}` + "\n":                     `"big" is not a number`,
	} {
		if _, err := watch.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if err := (watch.Options{Every: -1}).Check(); err == nil {
		t.Error("a negative Every is taken")
	}
	if _, err := watch.Append(t.TempDir()); err == nil {
		t.Error("a directory is taken for a file")
	}
}

// TestData asserts what a header knows of the data.
func TestData(t *testing.T) {
	const n = 400
	r := rand.New(rand.NewPCG(4, 4))
	x, near, far, noisy := tarn.Zeros(tarn.F32, n, 3), tarn.Zeros(tarn.I32, n), tarn.Zeros(tarn.I32, n), tarn.Zeros(tarn.I32, n)
	smooth, bits := tarn.Zeros(tarn.F32, n, 1), tarn.Zeros(tarn.F32, n, 1)
	for i := range n {
		class := r.IntN(4)
		for j := range 3 {
			x.SetFloat(3*i+j, 10+float64(5*(class>>(j%2)&1))+0.2*r.NormFloat64())
		}
		near.SetFloat(i, float64(class))
		far.SetFloat(i, float64(r.IntN(4)))
		noisy.SetFloat(i, float64(class))
		if r.IntN(2) == 0 {
			noisy.SetFloat(i, float64(r.IntN(4)))
		}
		smooth.SetFloat(i, x.Float(3*i))
		bits.SetFloat(i, float64(class%2))
	}
	x.SetFloat(7, math.NaN())
	x.SetFloat(1, -1e4)
	for _, c := range []struct {
		name, loss string
		target     *tarn.Tensor
		lo, hi     float64 // of Neighbors over Chance
	}{
		{"as the inputs", "cross-entropy", near, 0, 0.05},
		{"at random", "cross-entropy", far, 0.9, 1},
		{"half at random", "cross-entropy", noisy, 0.6, 0.9},
		{"a number", "squares", smooth, 0, 0.3},
		{"one bit", "likelihood", bits, 0, 0.05},
	} {
		h := watch.Header{Loss: c.loss}
		h.SetTargets(c.target)
		h.SetNeighbors(c.target, x, tarn.Zeros(tarn.I32, n))
		if h.Neighbors == nil || h.Chance == nil {
			t.Errorf("%s: Neighbors is %v, Chance %v", c.name, h.Neighbors, h.Chance)
			continue
		}
		if got := float64(*h.Neighbors / *h.Chance); !(got >= c.lo && got <= c.hi) {
			t.Errorf("%s: Neighbors is %v of chance, want %v to %v", c.name, got, c.lo, c.hi)
		}
		if h.SetNeighbors(c.target, tarn.Zeros(tarn.I32, n)); h.Neighbors != nil {
			t.Errorf("%s: of integers Neighbors is %v", c.name, *h.Neighbors)
		}
	}
	h := watch.Header{Loss: "cross-entropy"}
	if h.SetTargets(near); *h.Low != 0 || *h.High != 3 || !(*h.Most > 0.2 && *h.Most < 0.35) {
		t.Errorf("the targets go from %v to %v, the most frequent one %v", *h.Low, *h.High, *h.Most)
	}
	if in := watch.NewInput("x", x); in.Most != 1e4 || !(in.Usual > 14 && in.Usual < 17) || !in.Mean.Finite() || !in.Std.Finite() {
		t.Errorf("the input is %+v", in)
	}
	if in := watch.NewInput("x", tarn.Zeros(tarn.F32, 0, 3)); in != (watch.Input{Name: "x"}) {
		t.Errorf("no input is %+v", in)
	}
}

// TestDescribe asserts what a header says of weights and layers.
func TestDescribe(t *testing.T) {
	same, still := nn.NewLinear(4, 5), nn.NewLinear(5, 5)
	same.Weight.SetInit(nn.Constant(0.2))
	still.Weight.Frozen, still.Bias.Frozen = true, true
	model := nn.NewSequential(same, nn.ReLU{}, still, nn.NewBatchNorm(5), nn.NewLinear(5, 3))
	if err := tarn.Init(model, 1); err != nil {
		t.Fatal(err)
	}
	params, err := tarn.Params(model)
	if err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	h := watch.Describe(nn.CrossEntropy(model.Forward(g.Input("x", tarn.F32, 6, 4)), g.Input("y", tarn.I32, 6)), params)
	for _, p := range h.Params {
		if p.Alike != (p.Name == "0.weight") {
			t.Errorf("%s: Alike is %v", p.Name, p.Alike)
		}
	}
	for _, l := range h.Layers {
		if l.Frozen != (l.Path == "2") || l.Running != (l.Path == "3") || l.Attends {
			t.Errorf("%+v", l)
		}
	}
	if len(h.Layers) != 4 {
		t.Errorf("there are %d layers", len(h.Layers))
	}
}
