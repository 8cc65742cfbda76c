package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sync/atomic"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds Step: forward pass, backward pass and update as one program, and the loop that runs it over batches.

// Build describes a model's computation for a batch of n examples: it declares the inputs, which are named after the
// fields of the data set, and gives the outputs, among them "loss", a mean over the examples. If it is a mean over other elements, as with ignored labels, the
// output "count" says over how many, unless the loss does itself: see tarn.Value.WithCount; the losses of package nn do. It is called for each batch
// size that comes up, for training and, with the graph so marked, for evaluation.
type Build func(g *tarn.Graph, n int) tarn.Outputs

// Result is what one run gave. It, the batch and the outputs are valid until the next run.
type Result struct {
	Run     int64 // runs completed, this one included
	Loss    float64
	Count   float64 // what the loss is the mean of: the count of the loss, or else the examples
	Skipped bool    // the run was not finite and changed nothing, and has no outputs; see Step.SkipNonFinite
	Outputs tarn.Results
	Batch   *data.Batch // nil where the run was not over batches

	// Look is what Step.Watch has measured, of the params and layers that Step.Watched names; nil at most runs.
	Look       *watch.Step
	Histograms []watch.Histogram
	// Program is what the program that trains on a batch consists of and how long its steps take, at the run that completes the few that are
	// timed; else nil.
	Program *watch.Program
}

// Step trains a model. All its programs work on the same params and optimizer states and count their runs together. A step with an optimizer that
// has been used before goes on with its moments, its schedule and the number of its runs. A param that is trained only now, as one that
// was frozen, begins with the first of its own updates.
//
// A run is all or nothing: if the loss, a gradient, or what would be stored is not finite, the params and the optimizer's states stay as
// they were, the run does not count, and the error says where the first infinity or NaN comes from: see tarn.Origin.
type Step struct {
	// SkipNonFinite makes a run that is not finite no error: Result.Skipped tells it.
	SkipNonFinite bool

	// Watch, if it is not nil, looks at updates at regular intervals: see package watch. Losses, weights and states have the same bits with it as without, unless
	// an engine other than the CPU computes them: see tarn.Look. It is set before the first run.
	Watch *watch.Watcher

	// Precision is that of the products of the graphs that Build makes: see tarn.Precision. It is set before the first run and before
	// Prepare. The graph of NewStep has its own: see tarn.Graph.SetPrecision.
	Precision tarn.Precision

	// Shards, if it is not nil, spreads the training over ranks. It is set before the first run and before Prepare.
	Shards *Shards

	optimizer optim.Optimizer
	counter   optim.Counter // the optimizer, or nil if it does not count the runs itself
	params    *tarn.ParamSet
	build     Build       // nil for a step of one graph
	loss      *tarn.Value // of that graph
	programs  []*program
	runs      int64
	counted   int64 // runs whose updates are counted
	updates   int64 // their updates
	watched   watch.Header
	result    Result
	least     float64 // the lowest loss
	last      float64 // the loss of the last run
	taken     int64   // runs of this step
	timing    timing
	sharded   *sharded // nil without Shards
	ahead     ahead
	offset    int // the row of the batch that is the first of the inputs being explained
}

// program is a compiled step for one batch size.
type program struct {
	size    int        // 0 for the program of a step of one graph
	updates bool       // whether it updates the params or only accumulates gradients
	guarded bool       // of a shard: its gradients are guarded
	sums    []int      // of a shard: the sizes of its sums over shards, see exchange
	count   float64    // of a shard: what its loss is the mean of, if that is known beforehand, or else -1
	phases  []*program // of an update or a probe: what the ranks compute before, see norms
	probe   bool       // it moves the params, see probe
	program *tarn.Program
	names   []string
	inputs  []*tarn.Tensor
	results tarn.Results

	mode        watch.Mode
	instruments *watch.Instruments
}

// NewStep compiles the training step of a loss that is already built: forward pass, backward pass and the optimizer's
// update of the model's params. Its batches must all have the declared shape, so drop the last short one (data.Drop) or
// use NewStepOf.
func NewStep(loss *tarn.Value, model any, optimizer optim.Optimizer) (*Step, error) {
	if loss == nil {
		return nil, errors.New("train: NewStep: the loss is nil")
	}
	s, err := newStep(model, optimizer)
	if err != nil {
		return nil, err
	}
	s.loss = loss
	return s, s.Prepare(0)
}

// NewStepOf makes a training step for batches of any size. A program is compiled for each size when it first comes up,
// usually two: the full batch and the last short one.
func NewStepOf(build Build, model any, optimizer optim.Optimizer) (*Step, error) {
	if build == nil {
		return nil, errors.New("train: NewStepOf: build is nil")
	}
	s, err := newStep(model, optimizer)
	if err != nil {
		return nil, err
	}
	s.build = build
	return s, nil
}

func newStep(model any, optimizer optim.Optimizer) (*Step, error) {
	if optimizer == nil {
		return nil, errors.New("train: the optimizer is nil; make one such as optim.NewAdamW(1e-3)")
	}
	params, err := tarn.Params(model)
	if err != nil {
		return nil, err
	}
	s := &Step{optimizer: optimizer, params: params, least: math.Inf(1)}
	s.counter, _ = optimizer.(optim.Counter)
	return s, nil
}

// Prepare compiles the programs for batches of n examples now instead of at the first such batch, with which the
// optimizer's states come into being. A step of one graph is always prepared.
func (s *Step) Prepare(n int) error {
	if s.Shards != nil {
		return s.prepareShards(n)
	}
	_, err := s.programFor(n, true, watch.Plain)
	if err == nil && !updatesAt(s.optimizer, 0) {
		_, err = s.programFor(n, false, watch.Plain)
	}
	return err
}

// Watched returns a header with the params and layers that Watch looks at, once a program has been compiled with Watch set.
func (s *Step) Watched() watch.Header { return s.watched }

// next finds or compiles the program of the next run, on n examples.
func (s *Step) next(n int) (*program, error) {
	updates := updatesAt(s.optimizer, s.Runs())
	return s.programFor(n, updates, s.mode(updates))
}

// programFor finds or compiles the program for batches of n examples.
func (s *Step) programFor(n int, updates bool, mode watch.Mode) (*program, error) {
	if s.build == nil {
		n = 0
	}
	for _, p := range s.programs {
		if p.size == n && p.updates == updates && p.mode == mode {
			return p, nil
		}
	}
	outputs := tarn.Outputs{"loss": s.loss}
	if s.build != nil {
		outputs = s.build(s.newGraph(), n)
	}
	outputs, err := counted(outputs)
	if err != nil {
		return nil, err
	}
	loss := outputs["loss"]
	add := s.optimizer.Update
	if !updates {
		add = s.optimizer.(optim.Accumulator).Accumulate
	}
	assignments, err := add(loss, s.params)
	if err != nil {
		return nil, err
	}
	if s.Watch != nil && s.watched.Version == 0 {
		s.watched = watch.Describe(loss, s.params)
	}
	var instruments *watch.Instruments
	if mode != watch.Plain {
		if instruments, err = s.Watch.Instrument(mode, outputs, loss, s.params, assignments); err != nil {
			return nil, err
		}
		assignments = append(assignments, instruments.Look())
	}
	p, err := compile(loss.Graph(), outputs, append(assignments, guard(loss))...)
	if err != nil {
		return nil, err
	}
	p.size, p.updates, p.mode, p.instruments = n, updates, mode, instruments
	s.programs = append(s.programs, p)
	s.ahead.need(p)
	return p, nil
}

// newGraph returns a graph for Build.
func (s *Step) newGraph() *tarn.Graph {
	g := tarn.NewGraph()
	g.SetPrecision(s.Precision)
	return g
}

// updatesAt reports whether a run updates the params, as each does unless the optimizer accumulates.
func updatesAt(o optim.Optimizer, run int64) bool {
	a, ok := o.(optim.Accumulator)
	return !ok || a.UpdatesAt(run)
}

// countOutput is the output that has the count of the loss, if it has one.
const countOutput = "count"

// counted checks the output "loss", which must be a scalar, and returns the outputs with its count.
func counted(outputs tarn.Outputs) (tarn.Outputs, error) {
	loss, count := outputs["loss"], outputs[countOutput]
	if loss == nil {
		return nil, errors.New(`train: the build function gave no output "loss"`)
	}
	if err := loss.Graph().Err(); err != nil {
		return nil, err
	}
	if loss.Rank() != 0 {
		return nil, fmt.Errorf("train: the loss made at %s has shape %v and should be a scalar; take its Mean", loss.Place(), loss.Shape())
	}
	outputs = maps.Clone(outputs)
	if count != nil {
		loss = loss.WithCount(count)
		if err := loss.Graph().Err(); err != nil {
			return nil, err
		}
	} else if loss.Count() != nil {
		outputs[countOutput] = loss.Count()
	}
	return outputs, nil
}

// guard guards the loss, which may be no number if it is the mean of nothing.
func guard(loss *tarn.Value) tarn.Update {
	if count := loss.Count(); count != nil {
		loss = count.Ne(tarn.Num(0)).Where(loss, tarn.Num(0))
	}
	return tarn.Guard(loss)
}

func compile(g *tarn.Graph, outputs tarn.Outputs, updates ...tarn.Update) (*program, error) {
	compiled, err := tarn.Compile(g, outputs, updates...)
	if err != nil {
		return nil, err
	}
	names := compiled.Inputs()
	return &program{program: compiled, names: names, inputs: make([]*tarn.Tensor, len(names)), results: tarn.Results{}}, nil
}

// ahead copies batches to an accelerator while the steps before them run.
type ahead struct{ names atomic.Pointer[[]string] }

// need adds the inputs of a program to what is copied.
func (a *ahead) need(p *program) {
	var names []string
	if before := a.names.Load(); before != nil {
		names = slices.Clone(*before)
	}
	for _, name := range p.names {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	a.names.Store(&names)
}

// upload begins to copy what programs need of a batch.
func (a *ahead) upload(b *data.Batch) error {
	names := a.names.Load()
	if names == nil {
		return nil
	}
	for _, name := range *names {
		if t := b.Tensor(name); t != nil {
			if err := tarn.Upload(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// bind finds the program's inputs among the fields of a batch.
func (p *program) bind(b *data.Batch) error {
	for i, name := range p.names {
		if p.inputs[i] = b.Tensor(name); p.inputs[i] == nil {
			return fmt.Errorf("the program has an input %q and the data set no field of that name", name)
		}
	}
	return nil
}

// run takes one run and notes what it gave, and in times, unless that is nil, how long its steps took. A run that ctx cancels changes nothing.
func (p *program) run(ctx context.Context, runs int64, into *Result, inputs []*tarn.Tensor, n int, times *timing) error {
	p.program.SetRuns(runs)
	var err error
	if times != nil {
		err = times.run(ctx, p.program, p.results, inputs)
	} else {
		err = p.program.RunInto(ctx, p.results, inputs...)
	}
	if err == nil {
		err = p.results["loss"].Fetch()
	}
	if err != nil {
		*into = Result{Run: runs, Loss: math.NaN(), Skipped: true}
		return err
	}
	*into = Result{Run: runs + 1, Outputs: p.results, Loss: p.results["loss"].Item(), Count: float64(n)}
	if count := p.results[countOutput]; count != nil {
		into.Count = count.Float(0)
	}
	return nil
}

// mean combines the means of batches by their counts.
type mean struct{ sum, count float64 }

func (m *mean) add(loss, count float64) {
	if count != 0 { // the loss of nothing is no number
		m.sum, m.count = m.sum+loss*count, m.count+count
	}
}

func (m mean) value() float64 { return m.sum / m.count }

// trainOn takes one run, on a batch or on tensors of n examples.
func (s *Step) trainOn(ctx context.Context, p *program, inputs []*tarn.Tensor, b *data.Batch, n int) error {
	runs := s.Runs()
	if s.taken == 0 {
		if err := s.checkWeights(); err != nil {
			return err
		}
	}
	err := p.run(ctx, runs, &s.result, inputs, n, s.timed(p, n))
	s.result.Batch = b
	if err == nil {
		if err := s.measured(p, runs, n); err != nil {
			return err
		}
		if err := s.described(p); err != nil {
			return err
		}
		s.SetRuns(s.result.Run)
		s.taken++
		if finite(s.result.Loss) {
			s.last, s.least = s.result.Loss, min(s.least, s.result.Loss)
		}
		return nil
	}
	var found *tarn.NonFiniteError
	if !errors.As(err, &found) {
		return err
	}
	if s.SkipNonFinite {
		return nil
	}
	return s.explain(p, inputs, b, found)
}

// checkWeights refuses weights that nothing has filled.
func (s *Step) checkWeights() error {
	var names []string
	for name, p := range s.params.Trainable().All() {
		if !p.Initialized() {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("train: %s: all zeros, since nothing has filled what has an initializer: call tarn.Init(model, seed), or load weights, before the training", list.Names(names))
	}
	return nil
}

// explain finds where the first infinity or NaN of a run comes from.
func (s *Step) explain(p *program, inputs []*tarn.Tensor, b *data.Batch, e *tarn.NonFiniteError) error {
	if r, ok := s.optimizer.(optim.Rater); ok {
		rate, err := r.RateAt(s.Runs())
		if err == nil && (!(rate >= 0) || math.IsInf(rate, 1)) {
			return fmt.Errorf("the schedule gives the learning rate %v after %d runs, and it should be finite and not negative: %w", rate, s.Runs(), e)
		}
	}
	if e.Origin == nil {
		origin, err := p.program.Origin(inputs...)
		if err != nil {
			return errors.Join(e, err)
		}
		e.Origin = origin
	}
	o := e.Origin
	switch {
	case o == nil:
		return fmt.Errorf("%w; taken op by op it is finite, so this is a matter of rounding", e)
	case o.Input != "" && b != nil && len(o.Element) > 0:
		return fmt.Errorf("%w; it is row %d of the data: leave it out, or replace what is not finite", e, b.Row(s.offset+o.Element[0]))
	case o.Overflow && s.taken > 0 && s.grown():
		return fmt.Errorf("%w; the training has diverged: after %d runs the largest weight is %.3g and the loss %.3g, the lowest was %.3g; try a lower learning rate, or clip the gradients",
			e, s.taken, s.largest(), s.last, s.least)
	}
	return e
}

// grown reports whether the loss or the weights have become large in the training.
func (s *Step) grown() bool {
	return s.last-s.least > 10*max(math.Abs(s.least), 1e-3) || s.largest() > 1e6
}

// largest is the largest magnitude of a weight.
func (s *Step) largest() (most float64) {
	for _, p := range s.params.Trainable().All() {
		t := p.Tensor()
		for i := range t.Size() {
			most = max(most, math.Abs(t.Float(i)))
		}
	}
	return most
}

// Run takes one run on tensors given in the order of the graph's inputs, n being the number of examples. A step of one
// graph ignores n.
func (s *Step) Run(n int, inputs ...*tarn.Tensor) (*Result, error) {
	if s.Shards != nil {
		return s.runShards(n, inputs)
	}
	p, err := s.next(n)
	if err != nil {
		return nil, err
	}
	if err := s.trainOn(context.Background(), p, inputs, nil, n); err != nil {
		return nil, err
	}
	return &s.result, nil
}

// take takes one run on a batch of n rows.
func (s *Step) take(ctx context.Context, b *data.Batch, n int) (*Result, error) {
	err := s.takeBatch(ctx, b, n)
	if canceled(ctx, err) {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		var interrupted interruptedError
		switch {
		case errors.As(err, &interrupted) && ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.As(err, &interrupted):
			return nil, err
		}
		return nil, fmt.Errorf("train: epoch %d, batch %d of %d examples: %w", b.Position.Epoch+1, b.Position.Batch+1, n, err)
	}
	return &s.result, nil
}

func (s *Step) takeBatch(ctx context.Context, b *data.Batch, n int) error {
	if s.Shards != nil {
		return s.takeShards(ctx, &shardBatch{n: n, first: b.First, input: b.Tensor, batch: b})
	}
	p, err := s.next(n)
	if err == nil {
		err = p.bind(b)
	}
	if err == nil {
		err = s.trainOn(ctx, p, p.inputs, b, n)
	}
	return err
}

// canceled reports whether err is that ctx was canceled.
func canceled(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
}

// Over runs the step on one batch after the other. The loop body is the callback; break stops early, and so does the
// context, also during a run, which then changes nothing; its error comes last. After an error there is no further result.
//
//	for r, err := range step.Over(ctx, set.Batches(128, data.Options{Shuffle: true, Epochs: 3})) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(r.Run, r.Loss)
//	}
func (s *Step) Over(ctx context.Context, batches *data.Batches) iter.Seq2[*Result, error] {
	if s.Shards == nil {
		batches = batches.Prepared(s.ahead.upload)
	}
	return over(ctx, batches, s.take)
}

func over(ctx context.Context, batches *data.Batches, take func(ctx context.Context, b *data.Batch, n int) (*Result, error)) iter.Seq2[*Result, error] {
	return func(yield func(*Result, error) bool) {
		padded := batches.Options().Last == data.Pad
		for b, err := range batches.All(ctx) {
			var r *Result
			if err == nil {
				n := b.N
				if padded {
					n = batches.Size()
				}
				r, err = take(ctx, b, n)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Runs returns the number of runs completed. It belongs to the optimizer if that is an optim.Counter, as those of package optim are: steps that share
// an optimizer, at the same time or one after the other, count their runs together.
func (s *Step) Runs() int64 {
	if s.counter != nil {
		return s.counter.Runs()
	}
	return s.runs
}

// SetRuns sets the number of runs completed, to continue an earlier training.
func (s *Step) SetRuns(n int64) {
	if s.counter != nil {
		s.counter.SetRuns(n)
	}
	s.runs = n
}
