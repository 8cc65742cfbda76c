package train

import (
	"context"
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/optim"
)

// This file computes the norm of all gradients, by which they are clipped, such that its bits do not depend on which rank updates what. The squares of each
// block of a param are added up in a program of its own, a phase, and then all these sums, in one order. If the ranks split the updates, each computes the sums
// of its parts, and all get those of all.

// norms are those of an update program.
type norms struct {
	sharded *sharded
	graph   *tarn.Graph
	blocks  int           // of all params
	parts   []*tarn.Value // of each phase: the sums of this rank
	sums    []*tarn.Tensor
	mine    []float64
	all     []float64
}

// normName is the input of a phase, by its number, and all after it.
func normName(phase int) string { return fmt.Sprintf("tarn.norm.%d", phase) }

// sumsOutput is the output of a phase.
const sumsOutput = "sums"

// begin begins the graph of an update.
func (n *norms) begin(g *tarn.Graph) { n.graph, n.parts = g, nil }

// blockSums returns the sums of the squares of the blocks of some values, one value after the other. Shapes: [blocks] of F64.
func blockSums(values []*tarn.Value) *tarn.Value {
	var sums []*tarn.Value
	for _, v := range values {
		n, left := v.Size()/dist.Block, v.Size()%dist.Block
		v = v.Reshape(v.Size())
		if left > 0 { // what is short is a block too, so that it is added up alike
			n++
			v = v.Pad(0, 0, dist.Block-left)
		}
		sums = append(sums, v.Reshape(n, dist.Block).Cast(tarn.F64).Square().Sum(1))
	}
	return tarn.Concat(0, sums...)
}

// of returns the norm of all values of all ranks.
func (n *norms) of(values []*tarn.Value) *tarn.Value {
	n.parts = append(n.parts, blockSums(values))
	return n.graph.Input(normName(len(n.parts)-1), tarn.F64, n.blocks).Sum().Sqrt()
}

// programs compiles the phases of a graph. If the updates are split there is one at least, which finds out whether all gradients are finite before any rank
// takes its update.
func (n *norms) programs(gradients []*tarn.Value) (phases []*program, err error) {
	if len(n.parts) == 0 && n.sharded.split != nil {
		n.parts = append(n.parts, blockSums(gradients))
	}
	for i, v := range n.parts {
		p, err := compile(n.graph, tarn.Outputs{sumsOutput: v})
		if err != nil {
			return nil, err
		}
		phases = append(phases, p)
		if i == len(n.sums) {
			n.sums = append(n.sums, tarn.Zeros(tarn.F64, n.blocks))
		}
	}
	return phases, nil
}

// tensor returns the input of that name, or nil.
func (n *norms) tensor(name string) *tarn.Tensor {
	for i, t := range n.sums {
		if name == normName(i) {
			return t
		}
	}
	return nil
}

// runPhase computes the sums of this rank and exchanges them. It returns whether they are finite.
func (s *sharded) runPhase(p *program, number int, runs int64) (finite bool, err error) {
	s.bindUpdate(p)
	p.program.SetRuns(runs)
	if s.split == nil {
		p.results[sumsOutput] = s.norms.sums[number]
		return true, p.program.RunInto(context.Background(), p.results, p.inputs...)
	}
	err = p.program.RunInto(context.Background(), p.results, p.inputs...)
	if err := s.team.meet("the norms of run", runs, false, err); err != nil {
		return false, err
	}
	sums := s.norms.sums[number].F64()
	if err := s.gatherBlocks(sums, p.results[sumsOutput].F64(), 1); err != nil {
		return false, err
	}
	for _, x := range sums {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false, nil
		}
	}
	return true, nil
}

// gatherBlocks collects numbers of all blocks, rows of which each rank has the columns of the blocks that it updates.
func (s *sharded) gatherBlocks(all, mine []float64, rows int) error {
	n, sp, ranks := &s.norms, s.split, s.Comm.Size()
	most, columns, blocks := sp.mostBlocks, len(mine)/rows, len(all)/rows
	if size := rows * most; len(n.mine) < size {
		n.mine, n.all = make([]float64, size), make([]float64, size*ranks)
	}
	padded, gathered := n.mine[:rows*most], n.all[:rows*most*ranks]
	for row := range rows { // that of a rank which updates nothing has a column that counts for nothing
		copy(padded[row*most:][:most], mine[row*columns:][:columns])
	}
	if err := s.Comm.AllGather(dist.Bytes(gathered), dist.Bytes(padded)); err != nil {
		return err
	}
	next := make([]int, ranks)
	for _, pc := range sp.pieces {
		first := sp.firstBlock[pc.whole] + pc.lo/dist.Block
		for k := range blocksOf(pc.hi - pc.lo) {
			for row := range rows {
				all[row*blocks+first+k] = gathered[(pc.rank*rows+row)*most+next[pc.rank]]
			}
			next[pc.rank]++
		}
	}
	return nil
}

// blocksOf is the number of blocks of n elements.
func blocksOf(n int) int { return (n + dist.Block - 1) / dist.Block }

// divide tells the optimizer which parts this rank updates, and how to take norms.
func (s *Step) divide() error {
	d, ok := s.optimizer.(optim.Divider)
	if !ok {
		if s.Shards.ZeRO {
			return fmt.Errorf("train: Shards.ZeRO: the optimizer %T is no optim.Divider: embed an optim.Chain", s.optimizer)
		}
		return nil
	}
	s.sharded.norms.blocks = 0
	for _, p := range s.params.Trainable().All() {
		s.sharded.norms.blocks += blocksOf(p.Tensor().Size())
	}
	division := &optim.Division{Norm: s.sharded.norms.of}
	if s.Shards.ZeRO && s.sharded.split == nil && s.sharded.Comm.Size() > 1 {
		if err := s.splitUpdates(d); err != nil {
			return err
		}
	}
	if s.sharded.split != nil {
		division.Parts = s.sharded.split.parts
	}
	d.Divide(division)
	return nil
}
