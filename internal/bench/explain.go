package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/clock"
	"github.com/seed-49005b45/tarn/internal/cpu"
)

// This file looks inside a workload: the steps of its compiled program, the cost of each step compared with the limits of the machine,
// and what each worker does when.

// profileRuns is the number of runs that the times of steps are the medians of.
const profileRuns = 25

// Explain writes the plan of a workload's program to w: every step with the op it computes, its place in the source, its
// arithmetic and memory, its time, and which share of the time the machine's limits alone would take, which is over 100 %
// if the arrays are in the cache. The limits are measured first, as the fastest product and the fastest sum over memory
// that this process can do. Beside the product stands the register peak, what multiply-adds without any memory reach.
func Explain(ctx context.Context, w io.Writer, o Options, name string) error {
	p, inputs, err := o.program(name)
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := p.Run(inputs...); err != nil {
			return fmt.Errorf("bench: %s: %w", name, err)
		}
	}
	limit, err := measureLimits(ctx)
	if err != nil {
		return err
	}
	steps, err := p.Profile(profileRuns, inputs...)
	if err != nil {
		return fmt.Errorf("bench: %s: %w", name, err)
	}
	peak := registerPeak(o.threads(), cpu.Peak)
	fmt.Fprintf(w, "%s at %d threads; the machine: %.0f GFLOP/s in registers, %.0f in products, which is %.0f%% of that, %.1f GB/s from memory\n%s\n",
		name, o.threads(), peak/1e9, limit.flops/1e9, 100*limit.flops/peak, limit.bytes/1e9, shortPeaks(o.threads()))
	fmt.Fprintf(w, "step       time  GFLOP/s    GB/s  limit  what, and where it was called\n")
	var total, floor time.Duration
	for i, s := range steps {
		least := limit.floor(s)
		total += s.Time
		floor += least
		seconds := max(s.Time.Seconds(), 1e-9)
		_, err := fmt.Fprintf(w, "%4d %10s %8.1f %7.1f %5.0f%%  %s  (%s)\n", i, duration(seconds*1e6), float64(s.Flops)/seconds/1e9, float64(s.Bytes)/seconds/1e9,
			100*least.Seconds()/seconds, s.Work, s.Place)
		if err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "\n%d steps take %s; the machine's limits alone would take %s, %.0f%% of that; temporaries take %.1f MiB\n", len(steps),
		duration(total.Seconds()*1e6), duration(floor.Seconds()*1e6), 100*floor.Seconds()/max(total.Seconds(), 1e-9), float64(p.Memory().Arena)/(1<<20))
	return err
}

// Trace runs one step of a workload and writes what each worker did when, in the Chrome trace format, which
// https://ui.perfetto.dev shows.
func Trace(w io.Writer, o Options, name string) error {
	p, inputs, err := o.program(name)
	if err != nil {
		return err
	}
	for range 3 { // the first steps meet cold caches and sleeping workers
		if _, err := p.Run(inputs...); err != nil {
			return fmt.Errorf("bench: %s: %w", name, err)
		}
	}
	events, err := p.Trace(inputs...)
	if err != nil {
		return fmt.Errorf("bench: %s: %w", name, err)
	}
	return writeTrace(w, events)
}

// traceEvent is a complete event of the trace format; times are microseconds.
type traceEvent struct {
	Name  string            `json:"name"`
	Phase string            `json:"ph"`
	Start float64           `json:"ts"`
	Took  float64           `json:"dur"`
	PID   int               `json:"pid"`
	TID   int               `json:"tid"`
	Args  map[string]string `json:"args"`
}

func writeTrace(w io.Writer, events []tarn.TaskEvent) error {
	list := make([]traceEvent, len(events))
	for i, e := range events {
		list[i] = traceEvent{
			Name: e.Work, Phase: "X", Start: e.Start.Seconds() * 1e6, Took: (e.End - e.Start).Seconds() * 1e6, PID: 1, TID: e.Worker,
			Args: map[string]string{"step": fmt.Sprint(e.Step), "place": e.Place},
		}
	}
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": list, "displayTimeUnit": "ns"})
}

// program makes and compiles a workload in this process.
func (o Options) program(name string) (*tarn.Program, []*tarn.Tensor, error) {
	list, err := find(name)
	if err != nil {
		return nil, nil, err
	}
	runtime.GOMAXPROCS(o.threads())
	j, err := list[0].make(tarn.NewRandom(0, "bench/"+name))
	if err != nil {
		return nil, nil, fmt.Errorf("bench: %s: %w", name, err)
	}
	if j.trace == nil {
		return nil, nil, fmt.Errorf("bench: %s is a search, which runs its program many times; choose a workload that is a single program, such as hvp", name)
	}
	p, err := j.trace(newGraph(o.Precision))
	if err != nil {
		return nil, nil, fmt.Errorf("bench: %s: %w", name, err)
	}
	return p, j.inputs, nil
}

// limits is what the machine can do at best per second.
type limits struct{ flops, bytes float64 }

// Limits measures what this machine can do at best with the processor cores that it may use: arithmetic operations in products and bytes from memory, per second.
func Limits(ctx context.Context) (flops, bytes float64, err error) {
	l, err := measureLimits(ctx)
	return l.flops, l.bytes, err
}

// Least is the least time that the steps of a program could take within these limits.
func Least(steps []tarn.StepProfile, flops, bytes float64) (total time.Duration) {
	for _, s := range steps {
		total += limits{flops, bytes}.floor(s)
	}
	return total
}

// floor is the least time that a step could take: its arithmetic at the speed of products, or its memory at the speed of
// memory, whichever is longer. Arrays that are in the cache can beat it.
func (l limits) floor(s tarn.StepProfile) time.Duration {
	seconds := max(float64(s.Flops)/l.flops, float64(s.Bytes)/l.bytes)
	return time.Duration(seconds * 1e9)
}

// registerPeak returns the operations per second of multiply-adds between registers alone, with the given number of threads, but no more than there are
// processors: for each the fastest of many short runs.
func registerPeak(threads int, operate func(loops int) (flop int)) float64 {
	const runs = 50
	loops := cpu.Peak(1) << 16 / operate(1) // a run takes about 0.1 ms with vectors
	rates := make([]float64, min(threads, runtime.NumCPU()))
	var group sync.WaitGroup
	for i := range rates {
		group.Go(func() {
			for range runs {
				start := clock.Now()
				flop := operate(loops)
				rates[i] = max(rates[i], float64(flop)/clock.Since(start).Seconds())
			}
		})
	}
	group.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}

// shortPeaks tells the register peaks of the units that multiply bfloat16 numbers, which is used and why.
func shortPeaks(threads int) string {
	var s strings.Builder
	for _, u := range cpu.BF16Units() {
		if u != cpu.NoBF16 {
			peak := registerPeak(threads, func(loops int) int { return cpu.PeakBF16(u, loops) })
			fmt.Fprintf(&s, "bfloat16 by the unit %v: %.0f GFLOP/s in registers\n", u, peak/1e9)
		}
	}
	for _, line := range cpu.BF16Choice() {
		fmt.Fprintln(&s, line)
	}
	return s.String()
}

// measureLimits measures a product whose operands stay in the cache, and a sum over memory that no cache holds.
func measureLimits(ctx context.Context) (limits, error) {
	const n, long = 384, 1 << 25
	flops, err := fastest(ctx, func(g *tarn.Graph) (*tarn.Value, []*tarn.Tensor) {
		a := g.Input("a", tarn.F32, n, n)
		b := g.Input("b", tarn.F32, n, n)
		return a.MatMul(b), []*tarn.Tensor{tarn.Zeros(tarn.F32, n, n), tarn.Zeros(tarn.F32, n, n)}
	})
	if err != nil {
		return limits{}, err
	}
	sum, err := fastest(ctx, func(g *tarn.Graph) (*tarn.Value, []*tarn.Tensor) {
		return g.Input("x", tarn.F32, long).Sum(), []*tarn.Tensor{tarn.Zeros(tarn.F32, long)}
	})
	return limits{flops: 2 * n * n * n / flops, bytes: 4 * long / sum}, err
}

// fastest returns the seconds of the fastest of many runs of a small program.
func fastest(ctx context.Context, build func(g *tarn.Graph) (*tarn.Value, []*tarn.Tensor)) (float64, error) {
	g := tarn.NewGraph()
	y, inputs := build(g)
	p, err := tarn.Compile(g, tarn.Outputs{"y": y})
	if err != nil {
		return 0, fmt.Errorf("bench: measuring the machine: %w", err)
	}
	best := time.Hour
	for began := clock.Now(); clock.Since(began) < 300*time.Millisecond && ctx.Err() == nil; {
		start := clock.Now()
		if _, err := p.Run(inputs...); err != nil {
			return 0, fmt.Errorf("bench: measuring the machine: %w", err)
		}
		best = min(best, clock.Since(start))
	}
	return best.Seconds(), context.Cause(ctx)
}
