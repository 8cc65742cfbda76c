package train

import (
	"context"
	"slices"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds Estimate, which tells before a training what it will take: memory, which is known once its programs are
// compiled, and time, of which the first steps tell.

// Estimate is what a training will take.
type Estimate struct {
	Model *tarn.ModelSummary // for a batch
	Work  []tarn.StepProfile // the steps of the program that trains on a full batch, without times

	// Memory in bytes: all of it is planned before the first step. The data sets and the Go runtime come on top.
	Weights  int // of the model
	States   int // of the optimizer
	Watching int // that Loop.Watch keeps of gradients and updates
	Arena    int // the values of all programs of the training: full and short batches, watched ones, and evaluations
	Inputs   int // the largest batch
	Outputs  int // the results of all programs
	Sums     int // with Loop.Shards, the arrays in which gradients are summed and sent
	// Ranks is the memory of each rank, if there are several.
	Ranks []int

	Steps    int           // in an epoch; -1 if the source does not know
	Epochs   int           // of the training
	Step     time.Duration // the median of Measured steps on a full batch
	Measured int
	Epoch    time.Duration // all steps and the evaluation, of which a few batches tell; 0 if a source does not know how many examples it has
}

// Memory is the peak of all, in bytes.
func (e *Estimate) Memory() int {
	return e.Weights + e.States + e.Watching + e.Arena + e.Inputs + e.Outputs + e.Sums
}

// Flops is the number of arithmetic operations of a step.
func (e *Estimate) Flops() (n int) {
	for _, s := range e.Work {
		n += s.Flops
	}
	return n
}

// Bytes is the number of bytes that a step reads and writes, each array of each step of the program once.
func (e *Estimate) Bytes() (n int) {
	for _, s := range e.Work {
		n += s.Bytes
	}
	return n
}

// Estimate compiles all programs of the training and takes a few steps on its first batches to see how long they take. Then
// weights, states and the number of runs are as before. It does not touch the folder, and writes nothing.
//
// With Loop.Shards all ranks call it together, and each gets the memory that it needs itself. Work is then that of all its shards and the update.
func (l *Loop) Estimate(ctx context.Context) (e *Estimate, err error) {
	if l.Shards != nil {
		if _, err := l.Shards.join(); err != nil {
			return nil, err
		}
	}
	folder := l.Folder
	l.Folder = nil
	defer func() { l.Folder = folder }()
	if err := l.begin(); err != nil {
		return nil, err
	}
	e = &Estimate{Epochs: l.Epochs}
	size := l.size()
	graph := l.step.newGraph()
	if e.Model, err = tarn.Summary(l.params, l.Build(graph, size)["loss"]); err != nil {
		return nil, err
	}
	e.Steps = l.batches().PerEpoch()
	if short := l.batches().Examples() % size; short > 0 && !l.DropLast {
		if err := l.step.Prepare(short); err != nil {
			return nil, err
		}
	}
	if l.step.Watch != nil {
		for _, mode := range []watch.Mode{watch.Remember, watch.Look} {
			if err := l.step.prepareMode(size, mode); err != nil {
				return nil, err
			}
		}
		e.Watching = l.step.Watch.Bytes()
	}
	states, err := l.Optimizer.States()
	if err != nil {
		return nil, err
	}
	e.Weights, e.States = bytesOf(l.params), bytesOf(states)
	restore := l.remember(states)
	defer func() {
		if failed := restore(); err == nil {
			err = failed
		}
	}()
	if err := e.timeSteps(ctx, l, size); err != nil {
		return nil, err
	}
	evaluation, err := l.timeEvaluation(ctx)
	if err != nil {
		return nil, err
	}
	if e.Epoch = time.Duration(e.Steps)*e.Step + evaluation; e.Steps < 0 || !none(l.Valid) && l.Valid.Len() < 0 {
		e.Epoch = 0
	}
	for _, p := range append(slices.Clone(l.step.programs), l.eval.programs...) {
		m := p.program.Memory()
		e.Arena, e.Outputs, e.Inputs = e.Arena+m.Arena, e.Outputs+m.Outputs, max(e.Inputs, m.Inputs)
		if l.Shards == nil && p.updates && p.mode == watch.Plain && (p.size == size || e.Work == nil) && slices.Contains(l.step.programs, p) {
			e.Work = p.program.Steps()
		}
	}
	if l.Shards == nil {
		return e, nil
	}
	sh := l.step.sharded
	e.Sums = sh.sumBytes()
	for _, p := range sh.slots {
		m := p.program.Memory()
		e.Arena, e.Outputs = e.Arena+m.Arena, e.Outputs+m.Outputs
	}
	if e.Work, err = l.step.shardWork(size); err != nil || sh.Comm.Size() == 1 {
		return e, err
	}
	mine, all := []int64{int64(e.Memory())}, make([]int64, sh.Comm.Size())
	err = sh.Comm.AllGather(dist.Bytes(all), dist.Bytes(mine))
	for _, n := range all {
		e.Ranks = append(e.Ranks, int(n))
	}
	return e, err
}

// bytesOf is the memory of params.
func bytesOf(s *tarn.ParamSet) (n int) {
	for _, p := range s.All() {
		n += p.Tensor().Size() * p.DType().Size()
	}
	return n
}

// remember returns a function that puts the weights, the states and the number of runs back.
func (l *Loop) remember(states *tarn.ParamSet) (restore func() error) {
	type copied struct {
		param *tarn.Param
		was   *tarn.Tensor
	}
	var all []copied
	for _, set := range []*tarn.ParamSet{l.params, states} {
		for _, p := range set.All() {
			all = append(all, copied{p, p.Tensor().Clone()})
		}
	}
	runs := l.step.Runs()
	return func() error {
		l.step.SetRuns(runs)
		for _, c := range all {
			if err := c.param.Set(c.was); err != nil {
				return err
			}
		}
		return nil
	}
}

// The steps that are measured: as many as fit into a time.
const (
	fewestSteps = 3
	mostSteps   = 200
	measureTime = time.Second
)

// timeSteps takes steps on full batches, of which the first is not counted.
func (e *Estimate) timeSteps(ctx context.Context, l *Loop, size int) error {
	watching := l.step.Watch
	l.step.Watch = nil // a look comes every so often and is no usual step
	defer func() { l.step.Watch = watching }()
	var times []time.Duration
	began := time.Now()
	o := data.Options{Shuffle: true, Weighted: l.Weighted, Seed: l.Seed, Last: data.Drop, Epochs: mostSteps}
	if l.Shards != nil {
		o.Part = l.Shards.part()
	}
	batches := l.Train.Batches(size, o)
	start := time.Now()
	for _, err := range l.step.Over(ctx, batches) {
		if err != nil {
			return err
		}
		times = append(times, time.Since(start)) // with the batch
		n := len(times) - 1
		enough, err := l.agree(n >= mostSteps || n >= fewestSteps && time.Since(began) > measureTime)
		if err != nil {
			return err
		}
		if enough {
			break
		}
		start = time.Now()
	}
	times = times[min(1, len(times)-1):]
	slices.Sort(times)
	e.Step, e.Measured = times[len(times)/2], len(times)
	return nil
}

// evaluated is the number of batches that tell how long an evaluation takes.
const evaluated = 8

// timeEvaluation tells from a few batches how long the evaluation after an epoch takes.
func (l *Loop) timeEvaluation(ctx context.Context) (time.Duration, error) {
	if none(l.Valid) {
		return 0, nil
	}
	n := l.Valid.Len()
	if short := n % l.Batch; short > 0 {
		if _, err := l.eval.programFor(short); err != nil {
			return 0, err
		}
	}
	var took time.Duration
	var some int
	for range 2 { // the first time compiles
		start := time.Now()
		var err error
		if _, some, err = l.eval.measure(ctx, l.Valid, l.Batch, evaluated, l.Target, l.Metrics); err != nil {
			return 0, err
		}
		took = time.Since(start)
	}
	return time.Duration(float64(took) * float64(n) / float64(max(1, some))), nil
}
