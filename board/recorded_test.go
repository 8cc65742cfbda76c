package board_test

import (
	"encoding/json"
	"image"
	imagecolor "image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-49005b45/tarn/watch"
)

// This file writes recorded runs for the tests, through package watch.

// recorder writes one run.
type recorder struct {
	t      testing.TB
	dir    string
	file   *watch.File
	header watch.Header
	random *rand.Rand
	decay  float64 // of the gradient from each layer to the one before it
	at     int64   // the last look
	times  int     // time steps of the first layer, 0 if it is not recurrent
}

// record begins a run of a network with the given number of layers, with a configuration.
func record(t testing.TB, dir string, layers int, config map[string]any) *recorder {
	t.Helper()
	r := &recorder{t: t, dir: dir, random: rand.New(rand.NewPCG(1, uint64(layers))), decay: 0.8}
	r.check(os.MkdirAll(dir, 0o777))
	if config != nil {
		text, err := json.Marshal(config)
		r.check(err)
		r.check(os.WriteFile(filepath.Join(dir, "config.json"), text, 0o666))
	}
	var err error
	r.file, err = watch.Append(filepath.Join(dir, watch.FileName))
	r.check(err)
	t.Cleanup(func() { r.file.Close() })
	r.header = watch.Header{Version: 1, Every: 20, Batch: 100, Examples: 10000, Epochs: 10, Task: "classes", Classes: 10, Optimizer: "adamw"}
	for i := range layers {
		path := "blocks." + string(rune('0'+i/10)) + string(rune('0'+i%10))
		l := watch.Layer{Path: path, Op: "MatMul", Activation: "ReLU", Shape: []int{100, 64}, Units: 64}
		if i == layers-1 {
			l.Path, l.Activation, path = "head", "", "head"
		}
		r.header.Layers = append(r.header.Layers, l)
		r.header.Params = append(r.header.Params, watch.Param{Name: path + ".weight", Shape: []int{64, 64}, Layer: i}, watch.Param{Name: path + ".bias", Shape: []int{64}, Layer: i})
	}
	r.write(watch.Line{Header: &r.header})
	return r
}

func (r *recorder) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *recorder) write(l watch.Line) {
	r.t.Helper()
	r.check(r.file.Write(l))
}

// step writes a look after a number of runs.
func (r *recorder) step(run int64, loss float64) {
	r.t.Helper()
	r.at = run
	s := watch.Step{Run: run, Epoch: int(run / 100), Seconds: float64(run) / 50, Loss: watch.Number(loss), Rate: watch.Number(1e-3 * math.Cos(float64(run)/2e4)), GradNorm: watch.Number(0.5 + r.random.Float64()), ClippedNorm: 1}
	cosine := watch.Number(r.random.Float64() - 0.3)
	s.Cosine = &cosine
	for range r.header.Params {
		noise := watch.Number(1 + 0.3*r.random.Float64())
		s.Params.Norm = append(s.Params.Norm, 8)
		s.Params.GradNorm = append(s.Params.GradNorm, 0.1*noise)
		s.Params.UpdateNorm = append(s.Params.UpdateNorm, 0.01*noise)
		s.Params.Zeros = append(s.Params.Zeros, 0)
		s.Params.GradZeros = append(s.Params.GradZeros, 0)
		s.Params.NonFinite = append(s.Params.NonFinite, 0)
	}
	for i := range r.header.Layers {
		depth := float64(len(r.header.Layers) - 1 - i)
		s.Layers.Mean = append(s.Layers.Mean, watch.Number(r.random.NormFloat64()/10))
		s.Layers.Std = append(s.Layers.Std, 1)
		s.Layers.GradNorm = append(s.Layers.GradNorm, watch.Number(math.Pow(r.decay, depth)*(0.7+0.6*r.random.Float64())))
		s.Layers.Dead = append(s.Layers.Dead, watch.Number(math.Min(0.9, float64(run)/4000*float64(i%3)/2)))
		s.Layers.Saturated = append(s.Layers.Saturated, 0)
	}
	if r.times > 0 {
		s.Layers.GradSteps = make([][]watch.Number, len(r.header.Layers))
		for i := range r.times {
			s.Layers.GradSteps[0] = append(s.Layers.GradSteps[0], watch.Number(math.Pow(0.75, float64(r.times-1-i))*(1+float64(run)/400)))
		}
	}
	for i := range r.header.Ranks {
		if i == 0 {
			s.Ranks = &watch.RankColumns{Steps: 20}
		}
		slow := watch.Number(i % 2)
		s.Ranks.Compute, s.Ranks.Between = append(s.Ranks.Compute, 0.02+0.01*slow), append(s.Ranks.Between, 0.001)
		s.Ranks.Wait, s.Ranks.Exchange = append(s.Ranks.Wait, 0.01*(1-slow)), append(s.Ranks.Exchange, 0.005)
	}
	r.write(watch.Line{Step: &s})
}

// train writes a training up to a number of runs: looks, epochs with an accuracy, and histograms.
func (r *recorder) train(runs int64, rate float64) {
	for run := r.at + 20; run <= runs; run += 20 {
		loss := 0.08 + 2.2*math.Exp(-rate*float64(run)/400) + 0.05*r.random.Float64()
		r.step(run, loss)
		if run%100 == 0 {
			e := watch.Epoch{Epoch: int(run / 100), Run: run, TrainLoss: watch.Number(loss), ValLoss: watch.Number(loss + 0.02), Seconds: 2,
				Metrics: map[string]watch.Number{"accuracy": watch.Number(0.98 - 0.8*math.Exp(-rate*float64(run)/300))}}
			r.write(watch.Line{Epoch: &e})
			r.write(watch.Line{Confusion: &watch.Confusion{Epoch: e.Epoch, Run: run, Counts: [][]int{{90, 8, 2}, {0, 100, 0}, {int(run / 100), 3, 40}}}})
			r.write(watch.Line{Program: &watch.Program{Run: run, Timed: 5, Arena: 3 << 20, Inputs: 1 << 10, Outputs: 8, Params: 5 << 19, Steps: []watch.ProgramStep{
				{Work: "product 128x512x784", Op: "MatMul", Place: "nn/linear.go:50", Flops: 1e8, Bytes: 2 << 20, Seconds: 2e-3}, {Work: "loop 128x512: add relu", Op: "ReLU", Place: "model.go:7", Flops: 131072, Bytes: 3 << 20, Seconds: 5e-4}}}})
			h := watch.Histogram{Run: run, Of: "weight", Name: "head.weight"}
			for i := range 33 {
				x := float64(i-16) / 16
				h.Limits = append(h.Limits, watch.Number(x))
				if i < 32 {
					h.Counts = append(h.Counts, int(1000*math.Exp(-x*x*8/(1+float64(run)/1000))))
				}
			}
			r.write(watch.Line{Histogram: &h})
		}
	}
}

// picture writes a picture into the folder.
func (r *recorder) picture(name string) {
	p := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for i := range 320 {
		for j := range 200 {
			p.Set(i, j, imagecolor.RGBA{uint8(i * 255 / 320), uint8(j), 160, 255})
		}
	}
	f, err := os.Create(filepath.Join(r.dir, name))
	r.check(err)
	r.check(png.Encode(f, p))
	r.check(f.Close())
}

// vanishing is a verdict of the kind that package doctor writes.
var vanishing = watch.Verdict{Run: 400, Rule: "vanishing-gradients", Severity: "fault", Headline: "the gradient vanishes on its way to blocks.00",
	Evidence: "its norm falls by a factor of 4 a layer, from 0.9 at head to 2e-7 at blocks.00", Layers: []string{"blocks.00", "blocks.01"},
	Remedies: []string{"residual connections around the blocks", "He initialization"}}

// recorded makes a directory of three runs: one that is finished, a deep one whose gradients vanish, and a recurrent one.
func recorded(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	a := record(t, filepath.Join(dir, "mlp-1"), 4, map[string]any{"task": "mnist", "lr": 0.001, "hidden": []int{512, 512}, "seed": 1, "checksum": "crc32c 0"})
	a.train(2000, 1)
	a.picture("curve.png")
	a.check(os.WriteFile(filepath.Join(a.dir, "weights.safetensors"), nil, 0o666))
	b := record(t, filepath.Join(dir, "deep", "mlp-2"), 12, map[string]any{"task": "mnist", "lr": 0.01, "hidden": []int{64}, "seed": 1, "checksum": "crc32c 1"})
	b.decay = 0.25
	b.train(400, 0.02)
	b.write(watch.Line{Verdict: &vanishing})
	b.train(1200, 0.02)
	c := record(t, filepath.Join(dir, "lstm"), 2, map[string]any{"task": "text", "lr": 0.002, "seed": 1, "checksum": "crc32c 2"})
	c.times = 24
	c.header.Shards, c.header.Ranks = 8, []watch.Rank{{Host: "a1", First: 0, End: 4}, {Host: "a2", First: 4, End: 8}}
	c.write(watch.Line{Header: &c.header})
	for run := int64(20); run <= 800; run += 20 {
		c.step(run, 3*math.Exp(-float64(run)/900)+0.4)
	}
	return dir
}
