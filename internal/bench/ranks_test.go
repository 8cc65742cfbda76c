//go:build linux && amd64

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
	"github.com/seed-49005b45/tarn/dist/mpi"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// This file measures what a training over ranks costs beside one process that takes the same batches with as many threads:
//
//	go test ./internal/bench -run '^$' -bench Ranks -benchtime 1x

// rankWorkload is a training.
type rankWorkload struct {
	name   string
	model  func() nn.Layer
	rate   float64
	inputs func(r *tarn.Random) (xs, ys *tarn.Tensor)
}

// rankWorkloads are those that are measured.
var rankWorkloads = []rankWorkload{
	{"cnn-mnist", func() nn.Layer { return newCNN() }, 1e-3, func(r *tarn.Random) (xs, ys *tarn.Tensor) {
		return normal(r, 64, 28, 28, 1), classes(r, 10, 64)
	}},
	{"gpt-small", func() nn.Layer { return newGPT(6, 6, 384, 256) }, 1e-3, func(r *tarn.Random) (xs, ys *tarn.Tensor) {
		return classes(r, vocabulary, 4, 256), classes(r, vocabulary, 4, 256)
	}},
}

// rankResult is what a rank has measured.
type rankResult struct {
	Step    time.Duration // the median
	Loss    float64
	Traffic train.Traffic
}

// rankTime is how long a rank measures.
const rankTime = 6 * time.Second

func init() { beRank = runRank }

// runRank is a rank, or the process beside which ranks are measured. Its arguments are the workload and what to do.
func runRank() {
	err := mpi.Run(func(c dist.Comm) error {
		result, err := measureRank(c, os.Args[1], os.Args[2])
		if err != nil || c.Rank() != 0 {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(result)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measureRank(c dist.Comm, name, how string) (result rankResult, err error) {
	w := rankWorkloads[slices.IndexFunc(rankWorkloads, func(w rankWorkload) bool { return w.name == name })]
	var shards *train.Shards
	if how != "alone" {
		shards = &train.Shards{Comm: c, ZeRO: how == "zero"}
	}
	return w.measure(c, shards, rankTime)
}

// measure takes steps for some time.
func (w *rankWorkload) measure(c dist.Comm, shards *train.Shards, atLeast time.Duration) (result rankResult, err error) {
	model := w.model()
	if err := tarn.Init(model, 1); err != nil {
		return result, err
	}
	xs, ys := w.inputs(tarn.NewRandom(1, w.name))
	step, err := train.NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs {
		of := func(t *tarn.Tensor) []int { return append([]int{n}, t.Shape()[1:]...) }
		x, y := g.Input("x", xs.DType(), of(xs)...), g.Input("y", ys.DType(), of(ys)...)
		return tarn.Outputs{"loss": nn.CrossEntropy(model.Forward(x), y)}
	}, model, optim.NewAdamW(w.rate))
	if err != nil {
		return result, err
	}
	step.Shards = shards
	n := xs.Shape()[0]
	var times []time.Duration
	const warm = 3
	for begun := time.Now(); ; {
		start := time.Now()
		r, err := step.Run(n, xs, ys)
		if err != nil {
			return result, err
		}
		times = append(times, time.Since(start))
		result.Loss = r.Loss
		more := []int64{0}
		if time.Since(begun) < atLeast && c.Rank() == 0 {
			more[0] = 1
		}
		if err := c.Broadcast(dist.Bytes(more), 0); err != nil || more[0] == 0 && len(times) > warm {
			if shards != nil {
				result.Traffic = shards.Traffic()
			}
			times = times[warm:]
			slices.Sort(times)
			result.Step = times[len(times)/2]
			return result, err
		}
	}
}

// BenchmarkRanks compares two ranks of one thread with one process of two threads.
func BenchmarkRanks(b *testing.B) {
	const launcher = "mpirun.openmpi"
	if _, err := exec.LookPath(launcher); err != nil {
		b.Skip("Open MPI is not installed")
	}
	for _, w := range rankWorkloads {
		b.Run(w.name, func(b *testing.B) {
			for range b.N {
				measure := func(threads int, how string, launch ...string) (r rankResult) {
					b.Helper()
					line := append(launch, os.Args[0], w.name, how)
					ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
					defer cancel()
					cmd := exec.CommandContext(ctx, line[0], line[1:]...)
					cmd.Env = append(os.Environ(), "TARN_BENCH_TEST=rank", fmt.Sprint("GOMAXPROCS=", threads), "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
					var text strings.Builder
					cmd.Stdout, cmd.Stderr = &text, &text
					if err := cmd.Run(); err != nil {
						b.Fatalf("%v: %v\n%s", line, err, &text)
					}
					if err := json.Unmarshal([]byte(text.String()), &r); err != nil {
						b.Fatalf("%v: %v\n%s", line, err, &text)
					}
					return r
				}
				alone, one := measure(2, "alone"), measure(2, "shards")
				two, zero := measure(1, "shards", launcher, "-n", "2"), measure(1, "zero", launcher, "-n", "2")
				t := two.Traffic
				b.ReportMetric(float64(alone.Step.Microseconds())/1e3, "ms-alone")
				b.ReportMetric(float64(one.Step)/float64(alone.Step), "ratio-1-rank")
				b.ReportMetric(float64(two.Step)/float64(alone.Step), "ratio-2-ranks")
				b.ReportMetric(float64(zero.Step)/float64(alone.Step), "ratio-zero")
				b.ReportMetric(float64(t.Sent)/float64(t.Least), "bytes/least")
				b.ReportMetric(100*(1-float64(t.Waited)/float64(t.Busy)), "%hidden")
				b.ReportMetric(float64(t.Busy.Microseconds())/1e3/float64(t.Steps), "ms-sending")
			}
		})
	}
}

// BenchmarkRanksOverlap trains on two ranks in this process, whose collectives last as long as over usual networks, and compares the step with what it would be if nothing of the exchange were
// hidden behind computing, and with the prediction of the cost model.
func BenchmarkRanksOverlap(b *testing.B) {
	const ranks = 2
	for _, w := range rankWorkloads {
		measure := func(b *testing.B, n *dist.Network) (result rankResult) {
			b.Helper()
			for r, err := range disttest.Run(ranks, disttest.Options{Network: n}, func(c dist.Comm) error {
				mine, err := w.measure(c, &train.Shards{Comm: c, N: ranks}, overlapTime)
				if c.Rank() == 0 {
					result = mine
				}
				return err
			}) {
				if err != nil {
					b.Fatalf("rank %d: %v", r, err)
				}
			}
			return result
		}
		params, err := tarn.Params(w.model())
		if err != nil {
			b.Fatal(err)
		}
		model := Model{Name: w.name}
		for _, p := range params.Trainable().All() {
			model.Weights += p.Tensor().Size()
		}
		for _, n := range Networks {
			b.Run(w.name+" over "+n.Name, func(b *testing.B) {
				for range b.N {
					alone, over := measure(b, nil), measure(b, &n.Network)
					model.Seconds = alone.Step.Seconds()
					t := over.Traffic
					sending := t.Busy.Seconds() / float64(t.Steps)
					b.ReportMetric(1e3*model.Seconds, "ms-computing")
					b.ReportMetric(1e3*sending, "ms-sending")
					b.ReportMetric(1e3*over.Step.Seconds(), "ms-step")
					b.ReportMetric(1e3*(model.Seconds+sending), "ms-if-exposed")
					b.ReportMetric(1e3*model.Scale(n.Network, ranks).Seconds, "ms-predicted")
					b.ReportMetric(100*(1-float64(t.Waited)/float64(t.Busy)), "%hidden")
				}
			})
		}
	}
}

// overlapTime is how long two ranks of this process are measured.
const overlapTime = 2 * time.Second
