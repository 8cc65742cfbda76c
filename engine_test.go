package tarn_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file runs whole programs, so large that several workers share each step: they give the same bits on any number of
// workers, allocate nothing, and run side by side.

// workload is a program of the engine's tests.
type workload struct {
	name string
	// build adds the program to g, and gives its outputs and the model that Adam trains on the output "loss", if there is one.
	build func(g *tarn.Graph) (outputs tarn.Outputs, model any)
}

type embedded struct {
	Table *nn.Embedding
	Norm  *nn.LayerNorm
	Out   *nn.Linear
}

type selfAttention struct{ Query, Key, Value, Out *nn.Linear }

func (a *selfAttention) Forward(x *tarn.Value, heads int) *tarn.Value {
	batch, length, width := x.Dim(0), x.Dim(1), x.Dim(2)
	split := func(l *nn.Linear) *tarn.Value {
		return l.Forward(x).Reshape(batch, length, heads, width/heads).Permute(0, 2, 1, 3)
	}
	scores := split(a.Query).MatMul(split(a.Key).Permute(0, 1, 3, 2)).Scale(0.25)
	return a.Out.Forward(scores.Softmax(-1).MatMul(split(a.Value)).Permute(0, 2, 1, 3).Reshape(batch, length, width))
}

type reader struct {
	RNN *nn.LSTM
	Out *nn.Linear
}

type convolved struct {
	Kernel *tarn.Param
	Out    *nn.Linear
}

var workloads = []workload{
	{"a network", func(g *tarn.Graph) (tarn.Outputs, any) {
		m := nn.NewSequential(nn.NewLinear(100, 130), nn.ReLU{}, nn.NewLinear(130, 10))
		x, y := g.Input("x", tarn.F32, 200, 100), g.Input("index", tarn.I32, 200)
		logits := m.Forward(x)
		return tarn.Outputs{"loss": nn.CrossEntropy(logits, y), "choice": logits.ArgMax(1)}, m
	}},
	{"an embedding", func(g *tarn.Graph) (tarn.Outputs, any) {
		m := &embedded{nn.NewEmbedding(50, 64), nn.NewLayerNorm(64), nn.NewLinear(64, 50)}
		index := g.Input("index", tarn.I32, 300)
		h := m.Norm.Forward(m.Table.Forward(index)).GELU()
		return tarn.Outputs{"loss": nn.CrossEntropy(m.Out.Forward(h), index)}, m
	}},
	{"a recurrent network", func(g *tarn.Graph) (tarn.Outputs, any) {
		m := &reader{nn.NewLSTM(40, 96, nn.RecurrentOptions{Bidirectional: true, Layers: 2, Dropout: 0.2}), nn.NewLinear(192, 10)}
		x := g.Input("x", tarn.F32, 32, 6, 40)
		y, last := m.RNN.Sequence(x, nn.State{}, x.Sum(1, 2).Cast(tarn.I32).Clip(tarn.Num(1), tarn.Num(6)))
		return tarn.Outputs{"loss": m.Out.Forward(y).Square().Mean().Add(last.C.Mean()), "h": last.H}, m
	}},
	{"attention", func(g *tarn.Graph) (tarn.Outputs, any) {
		m := &selfAttention{nn.NewLinear(32, 32), nn.NewLinear(32, 32), nn.NewLinear(32, 32), nn.NewLinear(32, 32)}
		x := g.Input("x", tarn.F32, 4, 33, 32)
		return tarn.Outputs{"loss": nn.MSE(m.Forward(x, 2), x)}, m
	}},
	{"a convolution", func(g *tarn.Graph) (tarn.Outputs, any) {
		m := &convolved{tarn.NewParam(tarn.F32, nn.Normal(0, 0.2), 3, 3, 2, 8), nn.NewLinear(8*5*5, 10)}
		x, y := g.Input("x", tarn.F32, 16, 10, 10, 2), g.Input("index", tarn.I32, 16)
		h := x.Conv(m.Kernel, tarn.ConvOptions{Window: tarn.Window{Same: true}}).ReLU().MaxPool([]int{2, 2}, tarn.Window{})
		return tarn.Outputs{"loss": nn.CrossEntropy(m.Out.Forward(h.Flatten(1, 3)), y)}, m
	}},
	{"dropout", func(g *tarn.Graph) (tarn.Outputs, any) {
		m := nn.NewSequential(nn.NewLinear(64, 64), nn.NewDropout(0.3), nn.NewLinear(64, 1))
		x := g.Input("x", tarn.F32, 257, 64)
		return tarn.Outputs{"loss": m.Forward(x).Square().Mean(), "noise": g.Normal(tarn.F32, 0, 1, 3000), "coins": g.Bernoulli(tarn.Num(0.5), 999)}, m
	}},
	{"elementwise", func(g *tarn.Graph) (tarn.Outputs, any) {
		x, y := g.Input("x", tarn.F32, 300, 257), g.Input("y", tarn.F32, 257)
		z := x.Tanh().Mul(y).Add(x.Sigmoid())
		return tarn.Outputs{"z": z, "less": x.Lt(z), "where": x.Lt(z).Where(x, z).Exp(), "int": x.Scale(100).Cast(tarn.I32)}, nil
	}},
	{"reductions", func(g *tarn.Graph) (tarn.Outputs, any) {
		x := g.Input("x", tarn.F32, 7, 130, 65)
		return tarn.Outputs{"first": x.Sum(0), "middle": x.Mean(1), "last": x.Max(2), "ends": x.Sum(0, 2), "all": x.Square().Sum(),
			"var": x.Var(1, 0, 1), "logsumexp": x.LogSumExp(1), "softmax": x.Softmax(2), "scan": x.CumSum(1)}, nil
	}},
	{"movements", func(g *tarn.Graph) (tarn.Outputs, any) {
		x := g.Input("x", tarn.F32, 65, 66, 5)
		y := x.Permute(2, 0, 1)
		return tarn.Outputs{"permuted": y, "read": y.Add(y.Flip(1)), "cut": x.SliceStep(1, 1, 60, 3), "concat": tarn.Concat(1, x, x.Neg()),
			"padded": x.Pad(0, 2, 1), "rolled": x.Roll(1, 7), "columns": x.Reshape(65*66, 5).Permute(1, 0)}, nil
	}},
	{"sorting", func(g *tarn.Graph) (tarn.Outputs, any) {
		x, index := g.Input("x", tarn.F32, 40, 100), g.Input("index", tarn.I32, 40)
		sorted, order := x.Sort(1, false)
		top, _ := x.TopK(0, 3)
		return tarn.Outputs{"sorted": sorted, "order": order, "top": top, "taken": x.Take(0, index), "added": x.IndexAdd(0, index, x)}, nil
	}},
	{"scattering", func(g *tarn.Graph) (tarn.Outputs, any) {
		x, index, grid := g.Input("x", tarn.F32, 40, 10, 12, 3), g.Input("index", tarn.I32, 40), g.Input("grid", tarn.F32, 40, 10, 12, 2)
		at := index.Reshape(40, 1, 1, 1).Expand(40, 10, 12, 3) // few places, which many elements share
		rows := x.Permute(1, 0, 2, 3)                          // whose rows are done apart
		to := at.Permute(1, 0, 2, 3)
		set, largest, product := rows.Scatter(1, to, rows), rows.ScatterMax(1, to, rows), rows.ScatterMul(1, to, rows)
		pooled, places := x.MaxPoolIndices([]int{2}, tarn.Window{})
		sampled := x.GridSample(grid, tarn.GridOptions{})
		d := tarn.Grad(set.Square().Sum().Add(largest.Square().Sum()).Add(product.Square().Sum()).Add(sampled.Square().Sum()), x, grid)
		return tarn.Outputs{"set": set, "largest": largest, "product": product, "places": places, "unpooled": pooled.MaxUnpool(places, 10, 12), "sampled": sampled,
			"found": x.Reshape(-1).Slice(0, 0, 100).SearchSorted(x, true), "copied": x.IndexCopy(0, index, x), "dx": d[0], "dgrid": d[1]}, nil
	}},
	{"products", func(g *tarn.Graph) (tarn.Outputs, any) {
		a, b := g.Input("x", tarn.F32, 9, 40, 50), g.Input("y", tarn.F32, 50, 3000)
		long := b.MatMul(b.Permute(1, 0)) // K is 3000
		return tarn.Outputs{"batched": a.MatMul(a.Permute(0, 2, 1)), "long": long, "wide": a.Reshape(360, 50).MatMul(b), "tiny": a.Slice(1, 0, 1).MatMul(a.Permute(0, 2, 1).Slice(2, 0, 1))}, nil
	}},
}

// compiled is a workload ready to run.
type compiled struct {
	program *tarn.Program
	in      []*tarn.Tensor
	params  []*tarn.Param
}

func (w workload) compile(t testing.TB) *compiled {
	t.Helper()
	g := tarn.NewGraph()
	g.Seed(3)
	outputs, model := w.build(g)
	c := &compiled{}
	var updates []tarn.Update
	if model != nil {
		if err := tarn.Init(model, 1); err != nil {
			t.Fatal(err)
		}
		params, err := tarn.Params(model)
		if err != nil {
			t.Fatal(err)
		}
		adam := optim.NewAdam(0.01)
		if updates, err = adam.Update(outputs["loss"], params); err != nil {
			t.Fatal(err)
		}
		states, err := adam.States()
		if err != nil {
			t.Fatal(err)
		}
		c.params = append(params.List(), states.List()...)
	}
	var err error
	if c.program, err = tarn.Compile(g, outputs, updates...); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i, data := range tarn.ZerosFor(c.program) {
		name := c.program.Inputs()[i]
		for i := range data.Size() {
			if name == "index" {
				data.SetFloat(i, float64(r.IntN(10)))
			} else {
				data.SetFloat(i, 2*r.Float64()-1)
			}
		}
		c.in = append(c.in, data)
	}
	return c
}

// digest takes a few steps and sums up the bits of all outputs and params.
func (c *compiled) digest(t testing.TB) string {
	t.Helper()
	h := sha256.New()
	for range 3 {
		out, err := c.program.Run(c.in...)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(out)) {
			h.Write(out[name].Raw())
		}
	}
	for _, p := range c.params {
		h.Write(p.Tensor().Raw())
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func digests(t testing.TB) string {
	var b strings.Builder
	for _, w := range workloads {
		fmt.Fprintf(&b, "%s: %s\n", w.name, w.compile(t).digest(t))
	}
	return b.String()
}

// digestsVar names the file into which a test binary that another started writes its digests.
const digestsVar = "TARN_TEST_DIGESTS"

// TestSameBits runs all workloads in processes of GOMAXPROCS 1, 2 and 4, which have as many workers: none hangs, and all
// give the same bits.
func TestSameBits(t *testing.T) {
	if path := os.Getenv(digestsVar); path != "" {
		if err := os.WriteFile(path, []byte(digests(t)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if testing.Short() {
		t.Skip("-short: starts processes")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	here := digests(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, procs := range []string{"1", "2", "4"} {
		path := filepath.Join(t.TempDir(), procs)
		cmd := exec.CommandContext(ctx, self, "-test.run=^TestSameBits$")
		cmd.Env = append(os.Environ(), "GOMAXPROCS="+procs, digestsVar+"="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("GOMAXPROCS=%s: %v\n%s", procs, err, out)
		}
		there, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(there) != here {
			t.Errorf("GOMAXPROCS=%s gives other bits:\n%s\nthan this process:\n%s", procs, there, here)
		}
	}
}

// instrumented reports whether TARN_DEBUG has programs do other than their steps. Verifying the compiler's passes does not.
func instrumented() bool {
	words := os.Getenv("TARN_DEBUG")
	return words != "" && words != "verify"
}

// TestNoAllocation takes steps of every workload: once compiled, a program allocates nothing.
func TestNoAllocation(t *testing.T) {
	if instrumented() {
		t.Skip("a program that TARN_DEBUG checks allocates")
	}
	for _, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			c := w.compile(t)
			results := tarn.Results{}
			run := func() {
				if err := c.program.RunInto(t.Context(), results, c.in...); err != nil {
					t.Fatal(err)
				}
			}
			run()
			if n := alloctest.PerRun(3, run); n != 0 {
				t.Errorf("a step allocates %v times", n)
			}
		})
	}
}

// TestSideBySide runs programs from several goroutines at once. Some read the same params, which none changes.
func TestSideBySide(t *testing.T) {
	shared := nn.NewSequential(nn.NewLinear(40, 50), nn.ReLU{}, nn.NewLinear(50, 7))
	if err := tarn.Init(shared, 5); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		for _, w := range []workload{workloads[0], workloads[6], {"a shared model", func(g *tarn.Graph) (tarn.Outputs, any) {
			return tarn.Outputs{"y": shared.Forward(g.Input("x", tarn.F32, 300, 40))}, nil
		}}} {
			// Compiled here, for a graph belongs to one goroutine.
			want, c := w.compile(t).digest(t), w.compile(t)
			all.Go(func() {
				if got := c.digest(t); got != want {
					t.Errorf("%s, goroutine %d: other bits than alone", w.name, i)
				}
			})
		}
	}
	all.Wait()
}
