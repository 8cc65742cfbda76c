package train

import (
	"fmt"
	"time"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
)

// This file holds Shards, with which a training is spread over ranks. One program computes the gradients of a shard, in an array, the arrays of all shards are
// added up in one order, and a second program updates the params from the sums, on all ranks alike.

// Shards spreads a training over the ranks of a communicator. Each batch is cut into a fixed number of shards, as data.Part says, and each rank computes the gradients of
// some of them. The gradients are summed in an order that depends on the number of shards alone, and every rank takes the same update. So
// weights, losses and metrics have the same bits for any number of ranks, one included, and a training may be resumed with another number. They are
// not the bits of a training without Shards, because sums of floating-point numbers depend on their order.
//
// What is a mean over a batch becomes a mean over the shards, weighted by the count of the loss or else by the examples, so the gradient is that of the whole batch. What mixes the
// examples of a batch in another way, as a batch norm that is not Synchronized does, sees those of a shard, and its state becomes the mean of the states after each shard, weighted by the
// examples. Random ops draw by step, shard and place. Outputs of the build function beside the loss are not collected.
//
// An optimizer must be an optim.Combiner, as all of package optim are. KFAC, NewtonCG, Sophia and LineSearch need more than gradients (factors of each layer,
// second derivatives, or the loss at other weights), and are an error. With SAM each step takes the shards twice. Step.Watch, which all ranks have alike or none, measures what it does without Shards: params and their gradients after the sum, and layers as the whole
// batch is, from what all shards have seen. Watch.Values are means over shards, weighted by the examples. With ZeRO each rank measures the params that it updates.
type Shards struct {
	// Comm has the ranks; nil is this process alone.
	Comm dist.Comm
	// N is the number of shards of a batch, at least that of ranks; 0 is 8.
	N int
	// Fast lets the communicator sum gradients in its own order. Then the bits depend on the number of ranks, on the library, and on the network; ranks
	// still agree with each other.
	Fast bool
	// ZeRO makes each rank update a part of the params and keep the states of the optimizer for that part alone. The bits are those without it, and checkpoints have
	// the whole states. It takes optimizers that work on elements, such as SGD, AdamW and Lion, of which each rank updates an equal number, and optimizers that work on single
	// params, such as Muon, SOAP and LAMB, which are assigned whole, so that half as many bytes more are sent. What needs all params at once, such as
	// LBFGS, Prodigy or GradientNoise, is an error that names it.
	ZeRO bool

	team    *team
	stream  dist.Comm // on which gradients are sent while others are computed
	traffic Traffic
	spread  int64 // bytes of whole params that this rank has updated for all
}

// Traffic is what a training over shards has sent to other ranks.
type Traffic struct {
	Steps int64 // passes over the shards of a batch: two in a step with optim.SAM, and otherwise one
	Sent  int64 // bytes, by this rank
	Least int64 // bytes that any all-reduce of the gradients sends: 2 (R-1)/R of their size for R ranks
	// Busy is the time in which gradients were sent and summed over ranks, and Waited the part of it in which this rank had nothing to compute.
	Busy, Waited time.Duration
}

// Traffic returns what the steps so far have sent.
func (s *Shards) Traffic() Traffic { return s.traffic }

// number returns the number of shards.
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
	t, err := newTeam(s.Comm)
	if err != nil {
		return nil, err
	}
	if s.stream, err = s.Comm.Split(0, s.Comm.Rank()); err != nil {
		return nil, err
	}
	s.team = t
	return t, nil
}

// part is what this rank needs of each batch.
func (s *Shards) part() data.Part {
	lo, hi := dist.Shard(s.number(), s.Comm.Size(), s.Comm.Rank())
	return data.Part{Shards: s.number(), First: lo, End: hi}
}
