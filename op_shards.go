package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the sum over the shards of a batch: programs that run at the same time, each on its own shard, add up values in the middle of their runs.

// Exchange adds up numbers that programs compute at the same time, one program for each shard of a batch.
type Exchange interface {
	// Sum replaces x by the sum of what all programs pass for the sum of this number, once all have called it. All get the same bits. Member is the
	// shard of the program that calls.
	Sum(number, member int, x []float64)
}

// shared is what a graph knows of its exchange.
type shared struct {
	with   Exchange
	member *Value
	sizes  []int  // of the sums, by number
	last   *Value // the last sum, before which no other begins
}

// ShareShards says that the programs of the graph run on shards of a batch, member being the number of the shard, an I64 scalar. SumShards then adds up by e.
func (g *Graph) ShareShards(e Exchange, member *Value) {
	g = g.orLost().root()
	switch {
	case !member.exists() || member.graph != g || member.typ.DType != ir.I64 || member.Rank() != 0:
		g.failAs("ShareShards", []*Value{member}, newProblem("the number of a shard is an i64 scalar of the same graph"))
	case !member.failed:
		g.shared = shared{with: e, member: member}
	}
}

// SharesShards reports whether the programs of the graph run on shards of a batch.
func (g *Graph) SharesShards() bool { return g.orLost().root().shared.with != nil }

// SharedSizes returns the number of elements of each sum over shards that the graph has, in the order in which a run takes them.
func (g *Graph) SharedSizes() []int { return slices.Clone(g.orLost().root().shared.sizes) }

// SumShards returns the sum of v over all shards of the batch, or v if the graph is none of a shard: see Graph.ShareShards. A loss that is computed from it is
// differentiated such that the gradients of all shards add up to that of the sum of their losses. In the body of a loop or a branch it is an error if there are shards.
//
// Shapes: the result has the shape of v.
func (v *Value) SumShards() *Value {
	v = v.orLost()
	s := &v.graph.root().shared
	switch {
	case s.with == nil || v.failed:
		return v
	case v.graph.around != nil:
		return v.graph.failAs("SumShards", []*Value{v}, newProblem("the body of a loop or a branch cannot wait for other shards"))
	case !v.DType().IsFloat():
		return v.graph.failAs("SumShards", []*Value{v}, newProblem("the operand is %v and should be a float", v.DType()).WithHint("Cast it"))
	}
	in := []*Value{v.Cast(F64), s.member}
	if s.last != nil {
		in = append(in, s.last)
	}
	s.sizes = append(s.sizes, v.Size())
	s.last = v.graph.add(sumShardsOp{s.with, len(s.sizes) - 1}, in...)
	return s.last.Cast(v.DType())
}

// sumShardsOp adds up its first operand over shards. The second is the number of the shard, and the third, if there is one, the sum before.
type sumShardsOp struct {
	with   Exchange
	number int
}

func (sumShardsOp) Name() string                        { return "SumShards" }
func (op sumShardsOp) Attrs() string                    { return fmt.Sprint("number=", op.number) }
func (sumShardsOp) Infer(in []ir.Type) (ir.Type, error) { return in[0], nil }
func (op sumShardsOp) grad(y, dy *Value) []*Value       { return []*Value{dy.SumShards()} }
func (op sumShardsOp) Eval(out ir.Array, in []ir.Array) { op.Run(out, in) }
func (sumShardsOp) Fences()                             {}
func (sumShardsOp) Once()                               {}

// batch refuses a value of one example.
func (sumShardsOp) batch(m *mapping, v *Value, in []mapped) mapped {
	return mapped{m.to.failAs("SumShards", []*Value{in[0].v}, newProblem("the operand is a value of one example of VMap").WithHint("sum over the examples first, outside of VMap")), false}
}

// Run waits for the other shards.
func (op sumShardsOp) Run(out ir.Array, in []ir.Array) {
	x := ir.Slice[float64](out)
	copy(x, ir.Slice[float64](in[0]))
	op.with.Sum(op.number, int(in[1].Int(0)), x)
}
