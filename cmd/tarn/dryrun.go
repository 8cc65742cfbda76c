package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/bench"
	"github.com/seed-49005b45/tarn/internal/limit"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/events"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds --dry-run, which prints what a training would take, and the other flags that trainings of networks share.

// lookFlags are the flags that say how one looks at a training.
type lookFlags struct {
	DryRun          bool `help:"Print the layers, the memory that the training would take and an estimate of its time, and end. Nothing is written."`
	Watch           int  `default:"20" placeholder:"N" help:"Measure gradients, updates and layers at each Nth update (20), and record them in watch.jsonl in the folder of the run; 0 turns it off."`
	WatchHistograms bool `help:"Record histograms of weights, gradients and activations too."`
	Checkpoints     int  `default:"2" placeholder:"N" help:"Number of checkpoints to keep (2), of which tarn landscape draws the path; a resumed run keeps as many as it is told anew."`
	TensorBoard     bool `name:"tensorboard" help:"Write an event file for TensorBoard into the folder of the run too."`
}

// apply sets what a loop measures and keeps, and where it goes; settings are those of the run.
func (f *lookFlags) apply(loop *train.Loop, settings any) error {
	loop.KeepCheckpoints = f.Checkpoints
	loop.Watch = nil
	if f.Watch > 0 {
		loop.Watch = &watch.Options{Every: f.Watch, Histograms: f.WatchHistograms}
	}
	if !f.TensorBoard || loop.Folder == nil {
		return nil
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return err
	}
	hparams, cells := map[string]any{}, map[string]string{}
	flatten("", tree, cells)
	for name, cell := range cells {
		hparams[name] = cell
		if x, err := strconv.ParseFloat(cell, 64); err == nil {
			hparams[name] = x
		}
	}
	loop.Loggers = append(loop.Loggers, events.New(loop.Folder.Dir(), hparams))
	return nil
}

// dryRun prints what a training would take, on rank 0 if there are several.
func dryRun(env *environment, loop *train.Loop) error {
	e, err := loop.Estimate(env.ctx)
	if err != nil || env.rank() > 0 {
		return err
	}
	w := env.stdout
	fmt.Fprintf(w, "\n%v\n\n", e.Model)
	fmt.Fprintf(w, "a step on %d examples: %.3g operations, %s read and written\n", min(loop.Batch, loop.Train.Len()), float64(e.Flops()), limit.Size(e.Bytes()))
	sums, whose := "", ""
	if loop.Shards != nil {
		sums = fmt.Sprintf("sums of gradients %s, ", limit.Size(e.Sums))
	}
	if n := env.ranks(); n > 1 {
		whose = fmt.Sprintf(" of each of %d ranks", n)
	}
	fmt.Fprintf(w, "memory%s: %s, which is weights %s, optimizer %s, watching %s, values of all programs %s, results %s, %sbatch %s; data sets and the program itself come on top\n",
		whose, limit.Size(e.Memory()), limit.Size(e.Weights), limit.Size(e.States), limit.Size(e.Watching), limit.Size(e.Arena), limit.Size(e.Outputs), sums, limit.Size(e.Inputs))
	if len(e.Ranks) > 0 {
		var all []string
		for _, n := range e.Ranks {
			all = append(all, limit.Size(n))
		}
		fmt.Fprintf(w, "memory by rank: %s\n", strings.Join(all, ", "))
	}
	tightest(w)
	if err := least(env, e.Work); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "time: %s a step, the median of %d on the first examples; %s an epoch of %d steps with its evaluation; %s for %d epochs\n",
		shownTime(e.Step), e.Measured, shownTime(e.Epoch), e.Steps, shownTime(time.Duration(e.Epochs)*e.Epoch), e.Epochs)
	return err
}

// tightest prints the limit of memory that leaves the least.
func tightest(w io.Writer) {
	if l, ok := limit.Tightest(); ok {
		fmt.Fprintf(w, "%s is %s, of which this process has %s\n", l.Name, limit.Size(l.Bytes), limit.Size(l.Used))
	}
}

// least prints the least time of a step that the machine could take.
func least(env *environment, work []tarn.StepProfile) error {
	if len(work) == 0 {
		return nil // of a program that TARN_DEBUG interprets
	}
	flops, bytes, err := bench.Limits(env.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "at the limits of this machine, %.0f GFLOP/s and %.1f GB/s, a step would take %s; data in its caches can be faster\n", flops/1e9, bytes/1e9, shownTime(bench.Least(work, flops, bytes)))
	return nil
}

// shownTime rounds a time to three digits.
func shownTime(d time.Duration) string {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}

// dryRun prints what the descent of the line with a bias would take.
func (c *linregCommand) dryRun(env *environment, xs, ys *tarn.Tensor) error {
	type line struct{ Theta, Bias *tarn.Param }
	m := line{tarn.NewParam(tarn.F64, nil, 1, 1), tarn.NewParam(tarn.F64, nil, 1)}
	g := tarn.NewGraph()
	x, y := g.Input("x", tarn.F64, linregExamples, 1), g.Input("y", tarn.F64, linregExamples, 1)
	loss := x.MatMul(m.Theta).Add(m.Bias).Sub(y).Square().Mean()
	summary, err := tarn.Summary(&m, loss)
	if err != nil {
		return err
	}
	d := descent{c.LR, xs, ys, []*tarn.Param{m.Theta, m.Bias}}
	program, err := d.compile(loss)
	if err != nil {
		return err
	}
	var times []time.Duration
	for range 1000 {
		start := time.Now()
		if _, err := program.Run(xs, ys); err != nil {
			return err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	step, memory := times[len(times)/2], program.Memory()
	fmt.Fprintf(env.stdout, "%v\n\n", summary)
	fmt.Fprintf(env.stdout, "memory: %s, which is params %s, values %s, results %s, points %s\n", limit.Size(memory.Params+memory.Arena+memory.Outputs+memory.Inputs),
		limit.Size(memory.Params), limit.Size(memory.Arena), limit.Size(memory.Outputs), limit.Size(memory.Inputs))
	tightest(env.stdout)
	_, err = fmt.Fprintf(env.stdout, "time: %s a step, the median of %d; %s for %d steps\n", shownTime(step), len(times), shownTime(time.Duration(c.Steps)*step), c.Steps)
	return err
}
