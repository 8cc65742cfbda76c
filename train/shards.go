package train

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds the training step over shards. One program computes the gradients of a shard, in an array, the arrays of all shards are
// added up in one order, and a second program updates the params from the sums, on all ranks alike.

// Shards spreads a training over the ranks of a communicator. Each batch is cut into a fixed number of shards, as data.Part says, and each rank computes the gradients of
// some of them. The gradients are summed in an order that depends on the number of shards alone, and every rank takes the same update. So
// weights, losses and metrics have the same bits for any number of ranks, one included, and a training may be resumed with another number. They are
// not the bits of a training without Shards, because sums of floating-point numbers depend on their order.
//
// What is a mean over a batch becomes a mean over the shards, weighted by the count of the loss or else by the examples, so the gradient is that of the whole batch. What mixes the
// examples of a batch in another way, as a batch norm does, sees those of a shard, and its state becomes the mean of the states after each shard, weighted by the
// examples. Random ops draw by step, shard and place. Outputs of the build function beside the loss are not collected.
//
// An optimizer must be an optim.Combiner, as all of package optim are. KFAC, NewtonCG, Sophia, SAM and LineSearch need more than the gradient, and are an
// error. Step.Watch, which all ranks have alike or none, measures what it does without Shards: params and their gradients after the sum, and layers as the whole
// batch is, from what all shards have seen. Watch.Values are means over shards, weighted by the examples.
type Shards struct {
	// Comm has the ranks; nil is this process alone.
	Comm dist.Comm
	// N is the number of shards of a batch, at least that of ranks; 0 is 8.
	N int
	// Fast lets the communicator sum gradients in its own order. Then the bits depend on the number of ranks, on the library, and on the network; ranks
	// still agree with each other.
	Fast bool

	team *team
}

// number is that of shards.
func (s *Shards) number() int {
	if s.N == 0 {
		return 8
	}
	return s.N
}

// join checks the settings and meets the other ranks. It does so once.
func (s *Shards) join() (*team, error) {
	if s.Comm == nil {
		s.Comm = dist.Single()
	}
	if n := s.number(); n < s.Comm.Size() {
		return nil, fmt.Errorf("train: Shards.N is %d and there are %d ranks, each of which needs a shard: set it to %[2]d or more, such as a multiple", n, s.Comm.Size())
	}
	if s.team != nil {
		return s.team, nil
	}
	var err error
	s.team, err = newTeam(s.Comm)
	return s.team, err
}

// part is what this rank needs of each batch.
func (s *Shards) part() data.Part {
	lo, hi := dist.Shard(s.number(), s.Comm.Size(), s.Comm.Rank())
	return data.Part{Shards: s.number(), First: lo, End: hi}
}

// The inputs and outputs of the two programs beside those of the build function.
const (
	shardInput    = "tarn.shard"
	lossInput     = "tarn.loss"
	countInput    = "tarn.count"
	examplesInput = "tarn.examples"
)

// segment is a place in the arrays that are summed: of the gradient of a param, or of a state.
type segment struct {
	name   string // of the output of one program and of the input of the other
	param  *tarn.Param
	state  bool
	wide   bool // in the array of f64
	offset int
	size   int
}

// sharded is the part of a Step that trains over shards.
type sharded struct {
	*Shards
	team     *team
	segments []segment
	sizes    [2]int // of the arrays of f32 and f64
	sum32    *dist.Sum[float32]
	sum64    *dist.Sum[float64]
	views    map[any][]*tarn.Tensor // of the segments in an array, by the address of its first element
	aside    map[int][]float64      // the f64 arrays of shards, from when their f32 arrays are filled
	shard    *tarn.Tensor
	scalars  [3]*tarn.Tensor // loss, count and examples
	cut      map[cutKey]*tarn.Tensor
	watching
}

// cutKey is a part of a tensor of a batch.
type cutKey struct {
	of     *tarn.Tensor
	lo, hi int
}

// shardStatus is what is told of a shard: loss and count, number of examples, and 0 for an empty shard, 1 for one with gradients, 2 if they are not finite.
type shardStatus [4]float64

const (
	shardEmpty = iota
	shardDone
	shardBroken
)

// beginShards checks what a training over shards needs.
func (s *Step) beginShards() error {
	if s.sharded != nil {
		return nil
	}
	if s.build == nil {
		return errors.New("train: a training over Shards makes programs for parts of a batch: use NewStepOf instead of NewStep")
	}
	if _, ok := s.optimizer.(optim.Combiner); !ok {
		return fmt.Errorf("train: the optimizer %T is no optim.Combiner, and a training over Shards gives it gradients: embed an optim.Chain", s.optimizer)
	}
	t, err := s.Shards.join()
	if err != nil {
		return err
	}
	s.sharded = &sharded{Shards: s.Shards, team: t, views: map[any][]*tarn.Tensor{}, aside: map[int][]float64{}, cut: map[cutKey]*tarn.Tensor{},
		shard: tarn.Zeros(tarn.I64), scalars: [3]*tarn.Tensor{tarn.Zeros(tarn.F64), tarn.Zeros(tarn.F64), tarn.Zeros(tarn.F64)}}
	return nil
}

// prepareShards compiles the programs for batches of n examples.
func (s *Step) prepareShards(n int) error {
	if err := s.beginShards(); err != nil {
		return err
	}
	if err := s.describeShards(n); err != nil {
		return err
	}
	defer func(m watch.Mode) { s.sharded.mode = m }(s.sharded.mode)
	s.sharded.mode = watch.Plain
	part := s.Shards.part()
	for i := range part.Shards { // also those of other ranks, so that the update knows its inputs
		lo, hi := dist.Shard(n, part.Shards, i)
		if hi > lo && (i >= part.First && i < part.End || len(s.sharded.segments) == 0) {
			if _, err := s.gradientProgram(hi - lo); err != nil {
				return err
			}
		}
	}
	for _, updates := range []bool{true, updatesAt(s.optimizer, 0)} {
		if _, err := s.updateProgram(updates); err != nil {
			return err
		}
	}
	return nil
}

// gradientProgram finds or compiles the program of a shard of n examples.
func (s *Step) gradientProgram(n int) (*program, error) {
	for _, p := range s.programs {
		if p.size == n && n > 0 && p.mode == s.sharded.layerMode() {
			return p, nil
		}
	}
	g := s.newGraph()
	g.DrawBy(g.Runs().Mul(tarn.Num(s.Shards.number())).Add(g.Input(shardInput, tarn.I64)))
	outputs, err := counted(s.build(g, n))
	if err != nil {
		return nil, err
	}
	loss, trained := outputs["loss"], s.params.Trainable().List()
	if loss.Graph() != g {
		return nil, errors.New("train: the build function made its loss in another graph than the one that it was given")
	}
	if len(trained) > 0 && !tarn.Depends(loss, trained...) {
		return nil, fmt.Errorf("train: the loss made at %s depends on none of the %d trainable params in a way that a gradient can follow", loss.Place(), len(trained))
	}
	weight := g.Num(tarn.F64, float64(n))
	some := func(v *tarn.Value) *tarn.Value { return v }
	if count := loss.Count(); count != nil {
		weight = count.Cast(tarn.F64)
		some = func(v *tarn.Value) *tarn.Value { return weight.Gt(tarn.Num(0)).Where(v, v.Num(0)) }
	}
	var segments []segment
	sizes := [2]int{}
	out := tarn.Outputs{"loss": some(loss), countOutput: weight}
	guarded := []*tarn.Value{out["loss"]}
	add := func(name string, p *tarn.Param, state bool, v *tarn.Value) {
		sg := segment{name: fmt.Sprintf("tarn.%s.%d", name, len(segments)), param: p, state: state, wide: v.DType() == tarn.F64, size: v.Size()}
		at := &sizes[0]
		if sg.wide {
			at = &sizes[1]
		}
		sg.offset = *at
		*at += (sg.size + 15) / 16 * 16 // whole lines of the cache
		segments, out[sg.name] = append(segments, sg), v
		guarded = append(guarded, v)
	}
	for i, d := range tarn.Grad(loss, trained...) {
		add("gradient", trained[i], false, some(d.Mul(weight.Cast(d.DType()))))
	}
	for _, u := range g.TakeAttached(outputs) {
		v := u.Value().StopGradient()
		if v.DType() != tarn.F32 {
			v = v.Cast(tarn.F64)
		}
		add("state", u.Param(), true, v.Scale(float64(n)))
	}
	if s.sharded.segments != nil && !slices.Equal(s.sharded.segments, segments) {
		return nil, fmt.Errorf("train: the build function makes other params or states for %d examples than for other numbers", n)
	}
	instruments, err := s.instrumentShard(out, outputs, loss)
	if err != nil {
		return nil, err
	}
	p, err := compile(g, out, tarn.Guard(guarded...))
	if err != nil {
		return nil, err
	}
	if s.sharded.segments == nil {
		if err := s.sharded.arrays(segments, sizes); err != nil {
			return nil, err
		}
	}
	p.size, p.updates, p.mode, p.instruments = n, true, s.sharded.layerMode(), instruments
	s.programs = append(s.programs, p)
	return p, nil
}

// arrays makes the memory of the sums.
func (s *sharded) arrays(segments []segment, sizes [2]int) (err error) {
	s.segments, s.sizes = segments, sizes
	if sizes[0] > 0 {
		if s.sum32, err = dist.NewSum[float32](s.Comm, s.number(), sizes[0]); err != nil {
			return err
		}
	}
	if sizes[1] > 0 {
		s.sum64, err = dist.NewSum[float64](s.Comm, s.number(), sizes[1])
	}
	return err
}

// updateProgram finds or compiles the program that updates the params from sums of gradients, or adds them to those of earlier micro-batches. Its graph
// begins as that of a shard does, so that the random ops of the optimizer are further ones.
func (s *Step) updateProgram(updates bool) (*program, error) {
	for _, p := range s.programs {
		if p.size == 0 && p.updates == updates && p.mode == s.sharded.mode {
			return p, nil
		}
	}
	g := s.newGraph()
	outputs, err := counted(s.build(g, 1))
	if err != nil {
		return nil, err
	}
	g.TakeAttached(outputs)
	value, count, examples := g.Input(lossInput, tarn.F64), g.Input(countInput, tarn.F64), g.Input(examplesInput, tarn.F64)
	trained := s.params.Trainable().List()
	loss := tarn.WithGradient(value, trained, func(dy *tarn.Value) []*tarn.Value {
		failed := g.Fail("Grad", []*tarn.Value{dy}, "in a training over shards the optimizer has the value of the loss and its gradient, and cannot differentiate it again")
		return slices.Repeat([]*tarn.Value{failed}, len(trained))
	})
	if outputs["loss"].Count() != nil {
		loss = loss.WithCount(count)
	}
	share := count.Gt(tarn.Num(0)).Where(count.Reciprocal(), tarn.Num(0))
	var gradients []*tarn.Value
	var states []tarn.Update
	for _, sg := range s.sharded.segments {
		dtype := tarn.F32
		if sg.wide {
			dtype = tarn.F64
		}
		in := g.Input(sg.name, dtype, sg.param.Shape()...)
		if !sg.state {
			gradients = append(gradients, in.Mul(share.Cast(dtype)))
			continue
		}
		mean := in.Div(examples.Cast(dtype)).Cast(sg.param.DType())
		states = append(states, tarn.Assign(sg.param, examples.Gt(tarn.Num(0)).Where(mean, sg.param.Value(g))))
	}
	o := s.optimizer.(optim.Combiner)
	from := o.UpdateFrom
	if !updates {
		from = o.AccumulateFrom
	}
	assignments, err := from(loss, gradients, s.params)
	if err != nil {
		return nil, err
	}
	instruments, more, err := s.instrumentUpdate(g, gradients, assignments)
	if err != nil {
		return nil, err
	}
	p, err := compile(g, instruments.Outputs, slices.Concat(assignments, states, more, []tarn.Update{tarn.Guard(value)})...)
	if err != nil {
		return nil, err
	}
	p.updates, p.mode, p.instruments = updates, s.sharded.mode, instruments
	s.programs = append(s.programs, p)
	return p, nil
}

// viewsOf returns the segments of an array as tensors; the others are nil.
func viewsOf[T float32 | float64](s *sharded, a []T, wide bool) []*tarn.Tensor {
	key := any(&a[0])
	if v := s.views[key]; v != nil {
		return v
	}
	v := make([]*tarn.Tensor, len(s.segments))
	for i, sg := range s.segments {
		if sg.wide == wide {
			t, err := tarn.FromSlice(a[sg.offset:][:sg.size], sg.param.Shape()...)
			if err != nil {
				panic(err) // the size is that of the shape
			}
			v[i] = t
		}
	}
	s.views[key] = v
	return v
}

// rowsOf returns the rows from lo to before hi of a tensor, which share its memory.
func (s *sharded) rowsOf(t *tarn.Tensor, lo, hi int) (*tarn.Tensor, error) {
	key := cutKey{t, lo, hi}
	if c := s.cut[key]; c != nil {
		return c, nil
	}
	if len(s.cut) > 1<<12 { // of batches that are new each time
		clear(s.cut)
	}
	shape := t.Shape()
	width := 1
	for _, d := range shape[1:] {
		width *= d
	}
	shape[0] = hi - lo
	lo, hi = lo*width, hi*width
	var c *tarn.Tensor
	var err error
	switch t.DType() {
	case tarn.F32:
		c, err = tarn.FromSlice(t.F32()[lo:hi], shape...)
	case tarn.F64:
		c, err = tarn.FromSlice(t.F64()[lo:hi], shape...)
	case tarn.I32:
		c, err = tarn.FromSlice(t.I32()[lo:hi], shape...)
	case tarn.I64:
		c, err = tarn.FromSlice(t.I64()[lo:hi], shape...)
	default:
		c, err = tarn.FromSlice(t.Bools()[lo:hi], shape...)
	}
	s.cut[key] = c
	return c, err
}

// shardBatch is a batch that a step over shards takes.
type shardBatch struct {
	n     int                            // examples, of all shards
	first int                            // the row of the batch that is the first of the tensors
	input func(name string) *tarn.Tensor // nil if there is none of that name
	batch *data.Batch                    // or nil
}

// bindShard finds the inputs of the program of shard i, which has the rows from lo to before hi.
func (s *Step) bindShard(p *program, b *shardBatch, i, lo, hi int) error {
	s.sharded.shard.I64()[0] = int64(i)
	for k, name := range p.names {
		if name == shardInput {
			p.inputs[k] = s.sharded.shard
			continue
		}
		t := b.input(name)
		if t == nil {
			return fmt.Errorf("the program has an input %q and the data set no field of that name", name)
		}
		if t.Rank() == 0 || lo < b.first || hi-b.first > t.Shape()[0] {
			return fmt.Errorf("the input %q has the shape %v, without the rows from %d to %d of a batch of %d: in a training over shards the first axis of inputs is that of examples", name, t.Shape(), lo, hi, b.n)
		}
		var err error
		if p.inputs[k], err = s.sharded.rowsOf(t, lo-b.first, hi-b.first); err != nil {
			return err
		}
	}
	return nil
}

// runShard computes the gradients of shard i into arrays.
func (s *Step) runShard(ctx context.Context, b *shardBatch, i int, a32 []float32, a64 []float64, status *shardStatus) error {
	lo, hi := dist.Shard(b.n, s.Shards.number(), i)
	if *status = (shardStatus{}); hi == lo {
		return nil
	}
	p, err := s.gradientProgram(hi - lo)
	if err == nil {
		err = s.bindShard(p, b, i, lo, hi)
	}
	if err != nil {
		return err
	}
	into := func(views []*tarn.Tensor) {
		for k, v := range views {
			if v != nil {
				p.results[s.sharded.segments[k].name] = v
			}
		}
	}
	if len(a32) > 0 {
		into(viewsOf(s.sharded, a32, false))
	}
	if len(a64) > 0 {
		into(viewsOf(s.sharded, a64, true))
	}
	p.program.SetRuns(s.Runs())
	err = s.runTimed(ctx, p, i)
	var found *tarn.NonFiniteError
	if errors.As(err, &found) {
		*status = shardStatus{0, 0, float64(hi - lo), shardBroken}
		return nil
	}
	if err != nil {
		return err
	}
	count := p.results[countOutput].Item()
	*status = shardStatus{p.results["loss"].Item() * count, count, float64(hi - lo), shardDone}
	if count == 0 {
		status[0] = 0
	}
	s.lookAtShard(p, i, float64(hi-lo), count)
	return nil
}

// takeShards takes one run over the shards of a batch, together with the other ranks. All of them return the same result or error.
func (s *Step) takeShards(ctx context.Context, b *shardBatch) error {
	err := s.beginShards()
	if err != nil {
		return err
	}
	sh, runs := s.sharded, s.Runs()
	sh.mode, sh.parts = s.mode(updatesAt(s.optimizer, runs)), nil
	sh.pace.begin(b.batch)
	part := s.Shards.part()
	most := (part.Shards + sh.Comm.Size() - 1) / sh.Comm.Size()
	mine := make([]shardStatus, most)
	err = func() error {
		if s.taken == 0 {
			if err := s.checkWeights(); err != nil {
				return err
			}
		}
		if len(sh.segments) == 0 {
			if err := s.prepareShards(b.n); err != nil {
				return err
			}
		}
		has := func(status *shardStatus) bool { return status[3] == shardDone && status[1] > 0 }
		if sh.sum32 == nil {
			return sh.sum64.Local(func(i int, a []float64) (bool, error) {
				status := &mine[i-part.First]
				err := s.runShard(ctx, b, i, nil, a, status)
				return has(status), err
			})
		}
		if err := sh.sum32.Local(func(i int, a []float32) (bool, error) {
			if sh.aside[i] == nil {
				sh.aside[i] = make([]float64, sh.sizes[1])
			}
			status := &mine[i-part.First]
			err := s.runShard(ctx, b, i, a, sh.aside[i], status)
			return has(status), err
		}); err != nil || sh.sum64 == nil {
			return err
		}
		return sh.sum64.Local(func(i int, a []float64) (bool, error) {
			copy(a, sh.aside[i])
			return has(&mine[i-part.First]), nil
		})
	}()
	sh.pace.ended(computing)
	stop := ctx.Err() != nil
	if canceled(ctx, err) {
		err = nil
	}
	if err := sh.team.meet("the step after run", runs, stop, err); err != nil {
		return err
	}
	all := make([]float64, sh.Comm.Size()*most*len(shardStatus{}))
	flat := make([]float64, 0, most*len(shardStatus{}))
	for _, status := range mine {
		flat = append(flat, status[:]...)
	}
	if err := sh.Comm.AllGather(dist.Bytes(all), dist.Bytes(flat)); err != nil {
		return err
	}
	status := make([]shardStatus, part.Shards)
	var sum mean
	var examples float64
	owner, broken := 0, -1
	for r := range sh.Comm.Size() {
		lo, hi := dist.Shard(part.Shards, sh.Comm.Size(), r)
		for i := lo; i < hi; i++ {
			st := &status[i]
			copy(st[:], all[(r*most+i-lo)*len(st):])
			if st[3] == shardBroken && broken < 0 {
				owner, broken = r, i
			}
			if st[3] == shardDone && st[1] > 0 {
				sum.sum, sum.count, examples = sum.sum+st[0], sum.count+st[1], examples+st[2]
			}
		}
	}
	if broken >= 0 {
		return s.brokenShard(b, owner, broken)
	}
	has := func(i int) bool { return status[i][3] == shardDone && status[i][1] > 0 }
	var total32 []float32
	var total64 []float64
	if sh.sum32 != nil {
		if total32, err = sh.sum32.Total(has, sh.Fast); err != nil {
			return err
		}
	}
	if sh.sum64 != nil {
		if total64, err = sh.sum64.Total(has, sh.Fast); err != nil {
			return err
		}
	}
	return s.updateFrom(b, total32, total64, sum, examples)
}

// updateFrom runs the update, on sums that are nil if nothing counts.
func (s *Step) updateFrom(b *shardBatch, total32 []float32, total64 []float64, sum mean, examples float64) error {
	sh, runs := s.sharded, s.Runs()
	p, err := s.updateProgram(updatesAt(s.optimizer, runs))
	if err != nil {
		return err
	}
	if total32 == nil {
		total32 = make([]float32, sh.sizes[0])
	}
	if total64 == nil {
		total64 = make([]float64, sh.sizes[1])
	}
	loss := sum.value()
	for i, x := range []float64{loss, sum.count, examples} {
		if sh.scalars[i].F64()[0] = x; math.IsNaN(x) && sum.count == 0 {
			sh.scalars[i].F64()[0] = 0 // the loss of nothing
		}
	}
	var views [2][]*tarn.Tensor
	if len(total32) > 0 {
		views[0] = viewsOf(sh, total32, false)
	}
	if len(total64) > 0 {
		views[1] = viewsOf(sh, total64, true)
	}
	for k, name := range p.names {
		switch name {
		case lossInput:
			p.inputs[k] = sh.scalars[0]
		case countInput:
			p.inputs[k] = sh.scalars[1]
		case examplesInput:
			p.inputs[k] = sh.scalars[2]
		}
	}
	for i, sg := range sh.segments {
		v := views[0]
		if sg.wide {
			v = views[1]
		}
		if k := slices.Index(p.names, sg.name); k >= 0 {
			p.inputs[k] = v[i]
		}
		if sg.state && !sg.param.DType().IsFloat() && examples > 0 {
			for _, x := range v[i].F64() {
				if c := x / examples; c != math.Trunc(c) {
					return fmt.Errorf("train: the state %q holds integers that differ between the shards of a batch: a training over shards cannot combine them", s.params.Name(sg.param))
				}
			}
		}
	}
	p.program.SetRuns(runs)
	if err := p.program.RunInto(context.Background(), p.results, p.inputs...); err != nil {
		s.result = Result{Run: runs, Loss: math.NaN(), Skipped: true, Batch: b.batch}
		var found *tarn.NonFiniteError
		if !errors.As(err, &found) {
			return err
		}
		if s.SkipNonFinite {
			return nil
		}
		return s.explain(p, p.inputs, nil, found)
	}
	s.result = Result{Run: runs + 1, Loss: loss, Count: sum.count, Batch: b.batch, Outputs: tarn.Results{"loss": sh.scalars[0]}}
	sh.pace.ended(together)
	if err := s.lookAtShards(p, runs, b.n); err != nil {
		return err
	}
	s.SetRuns(s.result.Run)
	s.taken++
	if finite(loss) {
		s.last, s.least = loss, min(s.least, loss)
	}
	return nil
}

// report is an error as it travels to other ranks.
type report struct {
	Text  string
	Found *tarn.NonFiniteError
}

// reported is the error of a report.
type reported struct{ report }

func (r reported) Error() string { return r.Text }

func (r reported) Unwrap() error {
	if r.Found == nil {
		return nil
	}
	return r.Found
}

// brokenShard says where the infinity or NaN in the gradients of a shard comes from, which the rank that has it finds out.
func (s *Step) brokenShard(b *shardBatch, owner, shard int) error {
	s.result = Result{Run: s.Runs(), Loss: math.NaN(), Skipped: true, Batch: b.batch}
	if s.SkipNonFinite {
		return nil
	}
	var text bytes.Buffer
	if s.sharded.Comm.Rank() == owner {
		err := s.explainShard(b, shard)
		r := report{Text: err.Error()}
		errors.As(err, &r.Found)
		if err := gob.NewEncoder(&text).Encode(r); err != nil {
			text.Reset()
			gob.NewEncoder(&text).Encode(report{Text: r.Text}) // two strings can be encoded
		}
	}
	all, err := s.sharded.team.broadcast(text.Bytes(), owner)
	if err != nil {
		return err
	}
	var r report
	if err := gob.NewDecoder(bytes.NewReader(all)).Decode(&r); err != nil {
		return fmt.Errorf("train: the error of rank %d cannot be read: %w", owner, err)
	}
	return reported{r}
}

// explainShard runs a shard again and finds where the first infinity or NaN comes from.
func (s *Step) explainShard(b *shardBatch, i int) error {
	lo, hi := dist.Shard(b.n, s.Shards.number(), i)
	p, err := s.gradientProgram(hi - lo)
	if err == nil {
		err = s.bindShard(p, b, i, lo, hi)
	}
	if err != nil {
		return err
	}
	p.program.SetRuns(s.Runs())
	var found *tarn.NonFiniteError
	if err := p.program.RunInto(context.Background(), tarn.Results{}, p.inputs...); !errors.As(err, &found) {
		return errors.Join(errors.New("train: a shard was not finite, and was when it was computed again"), err)
	}
	s.offset = lo - b.first
	defer func() { s.offset = 0 }()
	return s.explain(p, p.inputs, b.batch, found)
}

// runShards is Run over shards.
func (s *Step) runShards(n int, inputs []*tarn.Tensor) (*Result, error) {
	if err := s.prepareShards(n); err != nil {
		return nil, err
	}
	p, err := s.gradientProgram(max(1, n/s.Shards.number()))
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Clone(p.names), func(name string) bool { return name == shardInput })
	if len(inputs) != len(names) {
		return nil, fmt.Errorf("train: Run: %d inputs for the %d that the program needs, %v", len(inputs), len(names), names)
	}
	err = s.takeShards(context.Background(), &shardBatch{n: n, input: func(name string) *tarn.Tensor {
		if i := slices.Index(names, name); i >= 0 {
			return inputs[i]
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return &s.result, nil
}
