package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/clock"
	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/pool"
)

// This file runs workloads: here, or each in a process of its own.

// Command starts this program again as another process: its `bench` command with further arguments.
type Command func(ctx context.Context, arguments ...string) (*exec.Cmd, error)

// Self is the Command that starts the running executable.
func Self(ctx context.Context, arguments ...string) (*exec.Cmd, error) {
	name, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("bench: cannot start a process for each workload: %w; measure in this process instead", err)
	}
	return exec.CommandContext(ctx, name, append([]string{"bench"}, arguments...)...), nil
}

// Options says how to run workloads. The zero value measures each in a process of its own, on all processors.
type Options struct {
	Threads int    // goroutines that run at the same time; 0 means all processors
	Engine  string // the engine that this process uses and those that it starts shall use, for tarn.OpenEngine; empty for the usual one
	JSON    bool   // write JSON lines instead of a table
	Here    bool   // measure in this process, one workload after the other, as for a profiler
	// Precision is that of products.
	Precision tarn.Precision
	Level     string  // of the kernels, for processes and peers; empty means the usual one. This process must be at it already
	Command   Command // how to start a process; nil means Self
}

func (o Options) threads() int {
	if o.Threads == 0 {
		return pool.Cores()
	}
	return o.Threads
}

// Run measures the named workloads, or all if there are no names, and writes each result to w as soon as it is known.
func Run(ctx context.Context, w io.Writer, o Options, names ...string) error {
	list, err := find(names...)
	if err != nil {
		return err
	}
	if o.Threads < 0 {
		return fmt.Errorf("bench: %d threads: want at least 1, or 0 for all processors", o.Threads)
	}
	t := table{w}
	if !o.JSON {
		if err := t.header(); err != nil {
			return err
		}
	}
	for _, load := range list {
		r, err := o.measure(ctx, load)
		if err != nil {
			return err
		}
		if o.JSON {
			err = r.writeJSON(w)
		} else {
			err = t.row(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// measure measures one workload, here or in a process of its own.
func (o Options) measure(ctx context.Context, load workload) (r Result, err error) {
	switch {
	case load.process:
		r, err = o.measureProcesses(ctx, load)
	case o.Here:
		runtime.GOMAXPROCS(o.threads())
		r, err = load.measure(ctx, o.Precision)
	default:
		r, err = o.measureElsewhere(ctx, load)
	}
	if err != nil {
		return Result{}, fmt.Errorf("bench: %s: %w", load.Name, err)
	}
	r.GFlops = load.gflops(r)
	return r, nil
}

// gflops is the arithmetic of a result per second, 0 if arithmetic is not all that matters.
func (load workload) gflops(r Result) float64 { return rounded(load.flop / r.MedianUS / 1e3) }

// begun is a workload with its data and weights, ready to run.
type begun struct {
	first  func() error // the first step, which compiles
	step   func() error // those after it
	wait   func() error // waits until the last step is finished
	out    tarn.Results // of the last step
	counts counts       // of the last step, if it was a search
}

// newGraph returns a graph with products of a precision.
func newGraph(p tarn.Precision) *tarn.Graph {
	g := tarn.NewGraph()
	g.SetPrecision(p)
	return g
}

func (load workload) start(p tarn.Precision) (*begun, error) {
	job, err := load.make(tarn.NewRandom(0, "bench/"+load.Name))
	if err != nil {
		return nil, err
	}
	b := &begun{out: tarn.Results{}}
	var program *tarn.Program
	var search func() (counts, error)
	b.step = func() (err error) {
		if search != nil {
			b.counts, err = search()
		} else {
			err = program.RunInto(context.Background(), b.out, job.inputs...)
		}
		return err
	}
	b.wait = func() error {
		for _, t := range b.out {
			if err := t.Fetch(); err != nil {
				return err
			}
		}
		return nil
	}
	b.first = func() (err error) {
		if job.trace != nil {
			program, err = job.trace(newGraph(p))
		} else {
			search, err = job.compile()
		}
		if err != nil {
			return err
		}
		if err := b.step(); err != nil {
			return err
		}
		return b.wait()
	}
	return b, nil
}

func (load workload) measure(ctx context.Context, p tarn.Precision) (Result, error) {
	b, err := load.start(p)
	if err != nil {
		return Result{}, err
	}
	t, err := measure(ctx, b.first, b.step, b.wait)
	if err != nil {
		return Result{}, err
	}
	r := newResult(load.Name, runtime.GOMAXPROCS(0), t.first.Seconds(), t.samples, peakRSS())
	r.Iterations, r.Evaluations = b.counts.iterations, b.counts.evaluations
	if load.flop > 0 {
		r.PeakGFlops = rounded(registerPeak(runtime.GOMAXPROCS(0), cpu.Peak) / 1e9)
	}
	return r, nil
}

func (o Options) command(ctx context.Context, arguments ...string) (*exec.Cmd, error) {
	start := o.Command
	if start == nil {
		start = Self
	}
	arguments = append(arguments, "--threads", strconv.Itoa(o.threads()))
	if o.Level != "" {
		arguments = append(arguments, "--level", o.Level)
	}
	if o.Precision != tarn.PrecisionF32 {
		arguments = append(arguments, "--precision", o.Precision.String())
	}
	if o.Engine != "" {
		arguments = append(arguments, "--engine", o.Engine)
	}
	return start(ctx, arguments...)
}

// measureElsewhere runs `bench --here --json NAME` and reads the line it prints.
func (o Options) measureElsewhere(ctx context.Context, load workload) (Result, error) {
	cmd, err := o.command(ctx, "--here", "--json", load.Name)
	if err != nil {
		return Result{}, err
	}
	output, err := cmd.Output()
	if err != nil {
		return Result{}, processError(ctx, err)
	}
	var r Result
	if err := json.Unmarshal(output, &r); err != nil || r.Workload != load.Name {
		return Result{}, fmt.Errorf("the process of the workload should print its result, and printed %.500q", output)
	}
	return r, nil
}

// processError returns the error of a process with the last line that it printed.
func processError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if said := bytes.TrimSpace(e.Stderr); len(said) > 0 {
			return fmt.Errorf("%w: %s", err, said[bytes.LastIndexByte(said, '\n')+1:])
		}
	}
	return err
}

// measureProcesses times whole processes that take one step: `bench --once NAME`.
func (o Options) measureProcesses(ctx context.Context, load workload) (Result, error) {
	var first float64
	var samples, rss []float64
	for i := range 1 + minSamples {
		cmd, err := o.command(ctx, "--once", load.Name)
		if err != nil {
			return Result{}, err
		}
		begin := clock.Now()
		_, err = cmd.Output()
		seconds := clock.Since(begin).Seconds()
		if err != nil {
			return Result{}, processError(ctx, err)
		}
		if i == 0 { // it also brings the program into the page cache
			first = seconds
			continue
		}
		samples = append(samples, seconds)
		rss = append(rss, childRSS(cmd.ProcessState))
	}
	return newResult(load.Name, o.threads(), first, samples, median(rss)), nil
}

// Once takes the first step of each named workload and writes its loss; for a search, what it took; otherwise that it is done.
func Once(ctx context.Context, w io.Writer, o Options, names ...string) error {
	list, err := find(names...)
	if err != nil {
		return err
	}
	if o.Threads > 0 {
		runtime.GOMAXPROCS(o.Threads)
	}
	for _, load := range list {
		b, err := load.start(o.Precision)
		if err == nil {
			err = b.first()
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("bench: %s: %w", load.Name, err)
		}
		if loss := b.out["loss"]; loss != nil {
			_, err = fmt.Fprintf(w, "%s: loss %g\n", load.Name, loss.Item())
		} else if b.counts != (counts{}) {
			_, err = fmt.Fprintf(w, "%s: %v\n", load.Name, b.counts)
		} else {
			_, err = fmt.Fprintf(w, "%s: done\n", load.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
