package train

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
)

// This file holds trainings in which shards need each other in the middle of their programs, as for the statistics of a synchronized batch norm. A rank then
// runs its shards at the same time, each with a program of its own, and where one needs a sum over all it waits for the others.

// exchange adds up what the shards of all ranks pass.
type exchange struct {
	comm   dist.Comm
	shards int
	sizes  []int // of the sums of a program, in their order

	mu      sync.Mutex
	changed sync.Cond
	live    bool        // a step is in progress
	absent  []bool      // the shards without examples
	first   int         // of this rank
	present int         // the number of shards of this rank that have examples
	waiting int         // of them, how many have come to the next sum
	terms   [][]float64 // what they have passed, by shard of this rank
	results [][]float64 // of the sums that this step, or the one before, has taken
	next    int
	sums    map[int]*dist.Sum[float64] // by size
	err     error                      // the step has failed, and what it computes is of no use
}

func newExchange(c dist.Comm, part data.Part) *exchange {
	e := &exchange{comm: c, shards: part.Shards, first: part.First, terms: make([][]float64, part.End-part.First), sums: map[int]*dist.Sum[float64]{}, absent: make([]bool, part.Shards)}
	e.changed.L = &e.mu
	return e
}

// Sum adds up x over all shards. Outside of a step, as when an error is explained, it returns the sum of the step before.
func (e *exchange) Sum(number, member int, x []float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live && number >= e.next && e.err == nil {
		if number != e.next || number >= len(e.sizes) || e.sizes[number] != len(x) {
			e.fail(fmt.Errorf("train: shard %d comes to sum %d over shards, of %d numbers, while others come to sum %d: the build function takes other sums for some numbers of examples", member, number, len(x), e.next))
			return
		}
		e.terms[member-e.first] = append(e.terms[member-e.first][:0], x...)
		if e.waiting++; e.waiting == e.present {
			e.complete()
		}
		for e.next == number && e.err == nil {
			e.changed.Wait()
		}
	}
	if number < len(e.results) && len(e.results[number]) == len(x) {
		copy(x, e.results[number])
	}
}

// fail ends all waits of this step.
func (e *exchange) fail(err error) {
	if e.err == nil {
		e.err = err
	}
	e.changed.Broadcast()
}

// complete takes the next sum, together with the other ranks. A rank that has no shard with examples, or has failed, takes part.
func (e *exchange) complete() {
	size := e.sizes[e.next]
	sum := e.sums[size]
	if sum == nil {
		var err error
		if sum, err = dist.NewSum[float64](e.comm, e.shards, size); err != nil {
			e.fail(err)
			return
		}
		e.sums[size] = sum
	}
	sum.Begin(func(i int) bool { return e.absent[i] })
	for i, term := range e.terms {
		if e.absent[e.first+i] {
			continue
		}
		into := sum.Term(e.first + i)
		if copy(into, term) < size {
			clear(into) // of a shard that has failed
		}
		sum.Ready(0, size)
		sum.End()
	}
	for k := range sum.Buckets() {
		if err := sum.Reduce(k, false, true); err != nil {
			e.fail(err)
			return
		}
	}
	for len(e.results) <= e.next {
		e.results = append(e.results, nil)
	}
	e.results[e.next] = append(e.results[e.next][:0], sum.Result()...)
	e.waiting = 0
	e.next++
	e.changed.Broadcast()
}

// begin begins a step with sums of some sizes.
func (e *exchange) begin(sizes []int, absent func(i int) bool) {
	e.sizes, e.present, e.waiting, e.next, e.err, e.live = sizes, 0, 0, 0, nil, true
	for i := range e.absent {
		e.absent[i] = absent(i)
	}
	for i := range e.terms {
		if !e.absent[e.first+i] {
			e.present++
		}
	}
}

// end ends a step: it takes the sums that this rank has not come to, since others wait for it.
func (e *exchange) end() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.live = false
	failed := e.err
	for e.next < len(e.sizes) {
		before := e.next
		if e.complete(); e.next == before {
			break
		}
	}
	return failed
}

// slot is a shard that is computed at the same time as others.
type slot struct {
	of *program
	i  int
}

// slotProgram returns a program of shard i with memory of its own.
func (s *Step) slotProgram(n, i int) (*program, error) {
	p, err := s.gradientProgram(n, false)
	if err != nil {
		return nil, err
	}
	key := slot{p, i}
	if own := s.sharded.slots[key]; own != nil {
		return own, nil
	}
	own := *p
	if own.program, err = p.program.Clone(); err != nil {
		return nil, err
	}
	own.inputs, own.results = make([]*tarn.Tensor, len(p.inputs)), tarn.Results{}
	s.sharded.slots[key] = &own
	return &own, nil
}

// runTogether computes the gradients of all shards of this rank at the same time, and adds them up.
func (s *Step) runTogether(ctx context.Context, b *shardBatch, sizes []int, absent func(i int) bool, last int, told func(i int, status shardStatus)) error {
	sh := s.sharded
	part := s.Shards.part()
	e := sh.exchange
	e.begin(sizes, absent)
	var programs []*program
	var errs []error
	failed := ctx.Err()
	if failed != nil {
		failed = context.Cause(ctx)
	}
	for i := part.First; i < part.End && failed == nil; i++ {
		if absent(i) {
			continue
		}
		lo, hi := dist.Shard(b.n, part.Shards, i)
		var p *program
		if p, failed = s.slotProgram(hi-lo, i); failed == nil {
			failed = s.bindShard(p, b, i, lo, hi)
		}
		programs = append(programs, p)
	}
	if failed == nil {
		errs = make([]error, len(programs))
		var all sync.WaitGroup
		for k, p := range programs {
			p.program.SetRuns(s.Runs())
			all.Go(func() {
				if errs[k] = p.program.RunInto(context.WithoutCancel(ctx), p.results, p.inputs...); errs[k] != nil {
					e.mu.Lock()
					e.fail(errs[k])
					e.mu.Unlock()
				}
			})
		}
		all.Wait()
		failed = errors.Join(errs...)
	}
	if err := e.end(); failed == nil {
		failed = err
	}
	k := 0
	for i := part.First; i < part.End; i++ {
		if absent(i) {
			continue
		}
		sh.begin(i, i == last)
		if failed == nil {
			p := programs[k]
			lo, hi := dist.Shard(b.n, part.Shards, i)
			count := p.results[countOutput].Item()
			if count == 0 {
				sh.zero()
			} else {
				for at := range sh.segments {
					sg := &sh.segments[at]
					if err := sh.arrays[sg.array].term(sg).CopyFrom(p.results[sg.name]); err != nil {
						failed = err
					}
					sh.ready(at)
				}
			}
			status := shardStatus{p.results["loss"].Item() * count, count, float64(hi - lo)}
			if count == 0 {
				status[0] = 0
			}
			told(i, status)
			s.lookAtShard(p, i, float64(hi-lo), count)
		}
		sh.end()
		k++
	}
	return failed
}
