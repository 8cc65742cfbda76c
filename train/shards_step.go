package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
)

// This file holds the training step over shards.

// shardBatch is a batch that a step over shards takes.
type shardBatch struct {
	n     int                            // examples, of all shards
	first int                            // the row of the batch that is the first of the tensors
	input func(name string) *tarn.Tensor // nil if there is none of that name
	batch *data.Batch                    // or nil
}

// bindShard finds the inputs of the program of shard i, which has the rows from lo to before hi.
func (s *Step) bindShard(p *program, b *shardBatch, i, lo, hi int) error {
	for k, name := range p.names {
		if name == shardInput {
			p.inputs[k] = s.sharded.shard[i-s.Shards.part().First]
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

// shardStatus is what is told of a shard: loss times count, count, and number of examples.
type shardStatus [3]float64

// term is the shard that is being computed.
type term struct {
	results tarn.Results
	count   float64
	counted bool     // count is known
	early   []string // outputs that were complete before
	last    bool     // there is no further shard of this rank
	done    func(name string)
}

// completed takes an output of the shard that is being computed.
func (s *Step) completed(name string) {
	t := &s.sharded.term
	at, ok := s.sharded.places[name]
	switch {
	case name == countOutput && !t.counted:
		t.count, t.counted = t.results[countOutput].Item(), true
		for _, name := range t.early {
			s.completed(name)
		}
		t.early = t.early[:0]
	case ok && !t.counted:
		t.early = append(t.early, name)
	case ok && t.count != 0:
		s.sharded.ready(at)
	}
}

// ready adds a segment of the term to the sum.
func (s *sharded) ready(at int) {
	sg := &s.segments[at]
	s.arrays[sg.array].Ready(sg.offset, sg.offset+sg.size)
	if s.term.last {
		s.buckets.ready(at)
	}
}

// begin begins the term of shard i.
func (s *sharded) begin(i int, last bool) {
	t := &s.term
	t.count, t.counted, t.early, t.last = 0, false, t.early[:0], last
	for _, a := range s.arrays {
		a.begin(i)
	}
	if last {
		s.buckets.start()
	}
}

// zero makes the term zero, because nothing in the shard counts.
func (s *sharded) zero() {
	for _, a := range s.arrays {
		a.zero()
	}
	for at := range s.segments {
		s.ready(at)
	}
}

// end ends the term. If it has failed, the sums are of no use.
func (s *sharded) end() {
	for _, a := range s.arrays {
		a.End()
	}
}

// runShard computes the gradients of shard i and adds them to the sums.
func (s *Step) runShard(ctx context.Context, b *shardBatch, i int, last bool, status *shardStatus) error {
	sh := s.sharded
	lo, hi := dist.Shard(b.n, s.Shards.number(), i)
	sh.begin(i, last)
	p, err := s.gradientProgram(hi-lo, false)
	if err == nil {
		err = s.bindShard(p, b, i, lo, hi)
	}
	if err != nil {
		sh.end()
		return err
	}
	for k := range sh.segments {
		sg := &sh.segments[k]
		p.results[sg.name] = sh.arrays[sg.array].term(sg)
	}
	sh.term.results = p.results
	if p.count >= 0 {
		sh.term.count, sh.term.counted = p.count, true
	}
	p.program.SetRuns(s.Runs())
	if err := s.runTimed(ctx, p, i); err != nil {
		sh.end()
		return err
	}
	if sh.term.count == 0 {
		sh.zero()
	}
	sh.end()
	*status = shardStatus{p.results["loss"].Item() * sh.term.count, sh.term.count, float64(hi - lo)}
	if sh.term.count == 0 {
		status[0] = 0
	}
	s.lookAtShard(p, i, float64(hi-lo), sh.term.count)
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
	if s.taken == 0 {
		err = s.checkWeights()
	}
	if err == nil && len(sh.segments) == 0 {
		err = s.prepareShards(b.n)
	}
	if err := sh.team.meet("the step after run", runs, ctx.Err() != nil, err); err != nil {
		return err
	}
	sh.pace.ended(together)
	statuses, err := s.sumShards(ctx, b)
	if err != nil {
		return err
	}
	var sum mean
	var examples float64
	for i, st := range statuses {
		if st[1] == 0 {
			continue
		}
		if !finite(st[0]) {
			return s.brokenShard(b, sh.owner(i), i)
		}
		sum.sum, sum.count, examples = sum.sum+st[0], sum.count+st[1], examples+st[2]
	}
	for i, x := range []float64{sum.value(), sum.count, examples} {
		if sh.scalars[i].F64()[0] = x; math.IsNaN(x) && sum.count == 0 {
			sh.scalars[i].F64()[0] = 0 // the loss of nothing
		}
	}
	if err := s.checkStates(examples); err != nil {
		return err
	}
	if skipped, err := s.probe(ctx, b); skipped || err != nil {
		return err
	}
	return s.updateFrom(b, sum)
}

// checkStates refuses states of integers that have no mean.
func (s *Step) checkStates(examples float64) error {
	sh := s.sharded
	for _, sg := range sh.segments {
		if sg.state && !sg.param.DType().IsFloat() && examples > 0 {
			for _, x := range sh.arrays[sg.array].sum(sg.offset, sg.param.Shape()).F64() {
				if c := x / examples; c != math.Trunc(c) {
					return fmt.Errorf("train: the state %q holds integers that differ between the shards of a batch: a training over shards cannot combine them", s.params.Name(sg.param))
				}
			}
		}
	}
	return nil
}

// sumSizes returns the sizes of the sums over shards that a program of a shard takes.
func (s *Step) sumSizes(n int) ([]int, error) {
	for _, p := range s.programs {
		if p.size > 0 && !p.guarded && p.mode == s.sharded.layerMode() {
			return p.sums, nil
		}
	}
	p, err := s.gradientProgram(max(1, n/s.Shards.number()), false)
	if err != nil {
		return nil, err
	}
	return p.sums, nil
}

// owner returns the rank that has a shard.
func (s *sharded) owner(shard int) int {
	for r := range s.Comm.Size() {
		if _, hi := dist.Shard(s.number(), s.Comm.Size(), r); shard < hi {
			return r
		}
	}
	return 0
}

// sumShards computes the gradients of the shards of this rank, adds those of all ranks up and returns what is told of each shard. Whatever happens to a rank, it
// takes part in all sums, and says then what has happened.
func (s *Step) sumShards(ctx context.Context, b *shardBatch) ([]shardStatus, error) {
	sh := s.sharded
	part, ranks := s.Shards.part(), sh.Comm.Size()
	absent := func(i int) bool { lo, hi := dist.Shard(b.n, part.Shards, i); return lo == hi }
	for _, a := range sh.arrays {
		a.Begin(absent)
	}
	last := -1
	for i := part.First; i < part.End; i++ {
		if !absent(i) {
			last = i
		}
	}
	sh.buckets.begin()
	if last < 0 {
		sh.buckets.start()
	}
	// Of each rank: whether it has failed or was interrupted, and its shards.
	most := (part.Shards + ranks - 1) / ranks
	mine := make([]float64, 1+most*len(shardStatus{}))
	told := func(i int, status shardStatus) { copy(mine[1+(i-part.First)*len(status):], status[:]) }
	sizes, failed := s.sumSizes(b.n)
	together := len(sizes) > 0
	if together {
		failed = s.runTogether(ctx, b, sizes, absent, last, told)
	}
	for i := part.First; i < part.End && !together; i++ {
		if absent(i) {
			continue
		}
		if failed == nil && ctx.Err() != nil {
			failed = context.Cause(ctx)
		}
		if failed != nil {
			sh.begin(i, i == last)
			sh.end()
			continue
		}
		running := ctx
		if i == last {
			running = context.WithoutCancel(ctx) // others may be summing already
		}
		var status shardStatus
		failed = s.runShard(running, b, i, i == last, &status)
		told(i, status)
	}
	sh.pace.ended(computing)
	if err := sh.buckets.wait(); err != nil {
		return nil, errors.Join(failed, err)
	}
	if failed != nil {
		mine[0] = 1
	}
	all := make([]float64, ranks*len(mine))
	if err := sh.Comm.AllGather(dist.Bytes(all), dist.Bytes(mine)); err != nil {
		return nil, errors.Join(failed, err)
	}
	statuses, trouble := make([]shardStatus, part.Shards), false
	for r := range ranks {
		told := all[r*len(mine):][:len(mine)]
		trouble = trouble || told[0] != 0
		lo, hi := dist.Shard(part.Shards, ranks, r)
		for i := lo; i < hi; i++ {
			copy(statuses[i][:], told[1+(i-lo)*len(shardStatus{}):])
		}
	}
	if trouble {
		stop := canceled(ctx, failed)
		if stop {
			failed = nil
		}
		return nil, sh.team.meet("the gradients of run", s.Runs(), stop, failed)
	}
	return statuses, nil
}

// updateFrom runs the update, on sums that are nil if nothing counts.
func (s *Step) updateFrom(b *shardBatch, sum mean) error {
	sh, runs := s.sharded, s.Runs()
	p, err := s.updateProgram(updatesAt(s.optimizer, runs))
	if err != nil {
		return err
	}
	loss := sum.value()
	for k, phase := range p.phases {
		finite, err := sh.runPhase(phase, k, runs)
		if err != nil {
			return err
		}
		if !finite {
			return s.notFinite(b, nil, nil)
		}
	}
	sh.bindUpdate(p)
	p.program.SetRuns(runs)
	if sh.split == nil {
		err = p.program.RunInto(context.Background(), p.results, p.inputs...)
	} else {
		err = p.program.RunTogether(context.Background(), p.results, sh.most, p.inputs...)
	}
	var found *tarn.NonFiniteError
	broken := errors.As(err, &found) || errors.Is(err, tarn.ErrElsewhere)
	if sh.split != nil {
		mine := err
		if broken {
			mine = nil // all know, and nobody has stored anything
		}
		if err := sh.team.meet("the update of run", runs, false, mine); err != nil {
			return err
		}
	}
	if broken {
		return s.notFinite(b, p, found)
	}
	if err != nil {
		return err
	}
	if sh.split != nil && updatesAt(s.optimizer, runs) {
		if err := sh.spread(); err != nil {
			return err
		}
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

// most returns the largest of the numbers that the ranks pass.
func (s *sharded) most(mine int) (int, error) {
	all := make([]int64, s.Comm.Size())
	err := s.Comm.AllGather(dist.Bytes(all), dist.Bytes([]int64{int64(mine)}))
	return int(slices.Max(all)), err
}

// bindUpdate finds the inputs of a program that works on the sums.
func (s *sharded) bindUpdate(p *program) {
	for k, name := range p.names {
		switch name {
		case lossInput:
			p.inputs[k] = s.scalars[0]
		case countInput:
			p.inputs[k] = s.scalars[1]
		case examplesInput:
			p.inputs[k] = s.scalars[2]
		default:
			if t := s.first[name]; t != nil {
				p.inputs[k] = t
			} else if at, ok := s.places[name]; ok {
				sg := &s.segments[at]
				p.inputs[k] = s.arrays[sg.array].sum(sg.offset, sg.param.Shape())
			} else if t := s.norms.tensor(name); t != nil {
				p.inputs[k] = t
			} else {
				p.inputs[k] = s.split.gradient(s, name)
			}
		}
	}
}

// runShards is Run over shards.
func (s *Step) runShards(n int, inputs []*tarn.Tensor) (*Result, error) {
	if err := s.prepareShards(n); err != nil {
		return nil, err
	}
	p, err := s.gradientProgram(max(1, n/s.Shards.number()), false)
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
