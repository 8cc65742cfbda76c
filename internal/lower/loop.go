package lower

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file makes the loop of a group: its sources, each with the pattern in which it lies over the space, and its
// instructions.

// loopBuilder makes one loop.
type loopBuilder struct {
	*lowering
	step    *Step
	group   *group
	loop    *Loop
	results map[*ir.Node]int // instruction numbers by node
	spreads map[int]int      // Spread instructions by the value number they spread
	sources []sourceKey
}

type sourceKey struct {
	buffer *Buffer
	view   ir.View
	extent Extent
}

func (l *lowering) loopStep(s *Step, c *group) {
	b := &loopBuilder{lowering: l, step: s, group: c, loop: &Loop{}, results: map[*ir.Node]int{}, spreads: map[int]int{}}
	b.loop.Rows, b.loop.Cols = 1, c.size
	if c.cols != nil {
		b.loop.Cols = slices.Max(c.cols)
		b.loop.Rows = c.size / max(1, b.loop.Cols)
	}
	// Sources first, so that value numbers are known.
	for _, n := range c.nodes {
		for _, o := range l.operands[n] {
			if l.of[o.node] != c {
				b.source(o, b.operandExtent(n))
			}
		}
	}
	for _, n := range c.nodes {
		b.add(n)
	}
	s.Work = b.loop
}

// operandExtent is the extent in which n reads its operands.
func (b *loopBuilder) operandExtent(n *ir.Node) Extent {
	if _, ok := n.Op.(ir.Reduction); ok {
		return Full
	}
	return b.group.extent[n]
}

// source returns the number of the source that holds o.
func (b *loopBuilder) source(o value, extent Extent) int {
	ref := b.ref(o)
	for i, k := range b.sources {
		if k.buffer == ref.Buffer && k.extent == extent && k.view.Offset == o.view.Offset &&
			slices.Equal(k.view.Shape, o.view.Shape) && slices.Equal(k.view.Strides, o.view.Strides) {
			return i
		}
	}
	b.step.addRead(ref.Buffer)
	s := Source{Buffer: ref.Buffer, Offset: o.view.Offset}
	if extent == Row {
		s.Pattern = PerRow
		if single(o.view) {
			s.Pattern = Single
		}
	} else {
		b.classify(&s, o.view)
	}
	b.sources = append(b.sources, sourceKey{ref.Buffer, o.view, extent})
	b.loop.Sources = append(b.loop.Sources, s)
	return len(b.sources) - 1
}

// classify finds the pattern of a view over the loop's space.
func (b *loopBuilder) classify(s *Source, v ir.View) {
	if v.Contiguous() {
		s.Pattern = Whole
		if single(v) {
			s.Pattern = Single
		}
		return
	}
	if single(v) {
		s.Pattern = Single
		return
	}
	w := squeeze(v)
	p, n := len(w.Shape), 1
	for n < b.loop.Cols {
		p--
		n *= w.Shape[p]
	}
	rows := ir.View{Shape: w.Shape[:p], Strides: w.Strides[:p]}
	row := ir.View{Shape: w.Shape[p:], Strides: w.Strides[p:]}
	switch {
	case single(row) && rows.Contiguous():
		s.Pattern = PerRow
	case single(row):
		s.Pattern = StridedRow
	case single(rows):
		s.Pattern = Repeated
	default:
		s.Pattern = Strided
	}
	if s.Pattern == Strided || s.Pattern == StridedRow {
		s.RowShape, s.RowStrides = collapse(rows)
	}
}

// collapse joins neighboring axes that one stride serves.
func collapse(v ir.View) (shape, strides []int) {
	for i, d := range v.Shape {
		if last := len(shape) - 1; last >= 0 && strides[last] == d*v.Strides[i] {
			shape[last] *= d
			strides[last] = v.Strides[i]
			continue
		}
		shape, strides = append(shape, d), append(strides, v.Strides[i])
	}
	return shape, strides
}

// add makes the instruction of a node.
func (b *loopBuilder) add(n *ir.Node) {
	operands := b.operands[n]
	in := Instr{Args: [3]int{-1, -1, -1}, DType: n.Type.DType, Extent: b.group.extent[n], Node: n}
	for i, o := range operands {
		in.Args[i] = b.argument(o, n)
	}
	in.From = operands[len(operands)-1].node.Type.DType
	switch op := n.Op.(type) {
	case ir.Elementwise:
		in.Func = op.Scalar()
	case ir.Conversion:
		in.Code = Convert
	case ir.Reduction:
		in.Reduce, _ = op.Reduces()
		in.Code = [...]Code{Row: ReduceRows, Column: ReduceGroups, Total: ReduceTotal}[in.Extent]
		if in.Extent == Column {
			in.Group = b.loop.Rows * b.loop.Cols / n.Type.Size()
		}
	}
	if b.needed[n] || in.Extent == Column || in.Extent == Total {
		in.Store = b.buffer(n)
		b.step.Writes = append(b.step.Writes, in.Store)
	}
	b.results[n] = len(b.loop.Instrs)
	b.loop.Instrs = append(b.loop.Instrs, in)
}

// argument returns the number of the value that n reads as o, spread over the columns where n needs that.
func (b *loopBuilder) argument(o value, n *ir.Node) int {
	number, perRow := 0, false
	if b.of[o.node] == b.group {
		number = len(b.loop.Sources) + b.results[o.node]
		perRow = b.group.extent[o.node] == Row
	} else {
		number = b.source(o, b.operandExtent(n))
		p := b.loop.Sources[number].Pattern
		perRow = p == PerRow || p == StridedRow
	}
	extent := b.operandExtent(n)
	if total := b.group.extent[n] == Total && perRow && b.of[o.node] == b.group && ir.Size(o.view.Shape) == o.node.Type.Size(); total {
		extent = Row // a total of numbers that are one per row
	}
	if !perRow || extent != Full {
		return number
	}
	if at, ok := b.spreads[number]; ok {
		return at
	}
	dtype := o.node.Type.DType
	b.loop.Instrs = append(b.loop.Instrs, Instr{Code: Spread, Args: [3]int{number, -1, -1}, From: dtype, DType: dtype, Node: n})
	at := len(b.loop.Sources) + len(b.loop.Instrs) - 1
	b.spreads[number] = at
	return at
}
