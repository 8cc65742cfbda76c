package lower

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file stores activations as BF16 from the forward pass to the backward pass. The step that computes an activation, or one behind it, also stores
// the short array; loops of the backward pass read that and convert, and other steps get a long copy just before they run. So the long array lives
// no longer than the forward pass needs it.

// shortenActivations stores large F32 activations of p as BF16.
func shortenActivations(p *Program) {
	turn := slices.IndexFunc(p.Steps, startsBackward)
	if turn < 0 {
		return
	}
	s := shortening{Program: p, turn: turn, writers: map[*Buffer][]*Step{}, short: map[*Buffer]*Buffer{}}
	for _, step := range p.Steps {
		for _, b := range step.Writes {
			s.writers[b] = append(s.writers[b], step)
		}
	}
	forward := map[*Step]bool{}
	for _, step := range p.Steps[:turn] {
		forward[step] = true
	}
	for _, step := range p.Steps[turn:] {
		for _, b := range step.Reads {
			if s.short[b] == nil && isBackward(step) && s.canShorten(b) && forward[s.writers[b][0]] {
				s.short[b] = s.add(ir.BF16, b.Size)
			}
		}
	}
	var steps []*Step
	for i, step := range p.Steps {
		if i >= turn && isBackward(step) {
			steps = append(steps, s.read(step)...)
		}
		steps = append(steps, step)
		if i < turn {
			steps = append(steps, s.write(step)...)
		}
	}
	p.Steps = steps
}

// startsBackward reports whether the step is a product, a convolution or an attention of the backward pass. What comes before the first of them belongs to
// the forward pass, or reads what that has just computed.
func startsBackward(s *Step) bool {
	switch s.Work.(type) {
	case *Product, *Conv, *Attention:
		return isBackward(s)
	}
	return false
}

// isBackward reports whether a gradient rule made something that the step computes.
func isBackward(s *Step) bool {
	return slices.ContainsFunc(s.Nodes, func(n *ir.Node) bool { return n.Backward })
}

// shortening is what shortenActivations knows of a program.
type shortening struct {
	*Program
	turn    int // the first step of the backward pass
	writers map[*Buffer][]*Step
	short   map[*Buffer]*Buffer // by the activation
}

func (s *shortening) add(dtype ir.DType, size int) *Buffer {
	b := &Buffer{ID: len(s.Buffers), DType: dtype, Size: size}
	s.Buffers = append(s.Buffers, b)
	return b
}

// canShorten reports whether b is a large array of numbers that only one step writes. An attention's result has sums of exponentials, whose
// logarithms must be exact.
func (s *shortening) canShorten(b *Buffer) bool {
	if b.Storage != Temporary || b.DType != ir.F32 || b.Bytes() < worthBytes || len(s.writers[b]) != 1 {
		return false
	}
	switch w := s.writers[b][0].Work.(type) {
	case *Attention, *Nest:
		return false
	case *Loop:
		return !slices.ContainsFunc(w.Instrs, func(in Instr) bool { return in.Store == b && in.Extent != Full })
	}
	return true
}

// write stores the activations that a step computes: a loop itself, others in a step that follows.
func (s *shortening) write(step *Step) (after []*Step) {
	for _, b := range slices.Clone(step.Writes) {
		short := s.short[b]
		if short == nil {
			continue
		}
		loop, ok := step.Work.(*Loop)
		at := -1
		if ok {
			at = slices.IndexFunc(loop.Instrs, func(in Instr) bool { return in.Store == b && in.Place == nil })
		}
		if at < 0 {
			after = append(after, conversion(step, b, short))
			continue
		}
		loop.Instrs = append(loop.Instrs, convert(len(loop.Sources)+at, ir.F32, ir.BF16, short, loop.Instrs[at].Node))
		step.Writes = append(step.Writes, short)
	}
	return after
}

// read makes a step of the backward pass read short activations, or long copies, which the steps before it make.
func (s *shortening) read(step *Step) (before []*Step) {
	loop, isLoop := step.Work.(*Loop)
	for _, b := range slices.Clone(step.Reads) {
		short := s.short[b]
		if short == nil {
			continue
		}
		if isLoop && !slices.ContainsFunc(loop.Sources, func(o Source) bool { return o.Buffer == b && o.Pattern != Whole && o.Pattern != Strided }) {
			loop.widen(b, short, step.Nodes[0])
			step.Reads[slices.Index(step.Reads, b)] = short
			continue
		}
		long := s.add(ir.F32, b.Size)
		before = append(before, conversion(step, short, long))
		step.Replace(map[*Buffer]*Buffer{b: long})
	}
	return before
}

// convert is an instruction that converts a full value and stores it, if to is not nil.
func convert(value int, from, dtype ir.DType, to *Buffer, n *ir.Node) Instr {
	return Instr{Code: Convert, Args: [3]int{value, -1, -1}, From: from, DType: dtype, Store: to, Node: n}
}

// conversion is a step that converts an array on behalf of another step.
func conversion(on *Step, from, to *Buffer) *Step {
	n := on.Nodes[0]
	return &Step{
		Work:  &Loop{Rows: 1, Cols: from.Size, Sources: []Source{{Buffer: from}}, Instrs: []Instr{convert(0, from.DType, to.DType, to, n)}},
		Nodes: []*ir.Node{n}, Reads: []*Buffer{from}, Writes: []*Buffer{to},
	}
}

// widen makes the loop read short in place of b, and convert what it reads first.
func (l *Loop) widen(b, short *Buffer, n *ir.Node) {
	var first []Instr
	converted := map[int]int{} // values by the source that they are converted from
	for i := range l.Sources {
		if l.Sources[i].Buffer == b {
			l.Sources[i].Buffer = short
			converted[i] = len(l.Sources) + len(first)
			first = append(first, convert(i, ir.BF16, ir.F32, nil, n))
		}
	}
	for i := range l.Instrs {
		for k, a := range l.Instrs[i].Args {
			if at, ok := converted[a]; ok {
				l.Instrs[i].Args[k] = at
			} else if a >= len(l.Sources) {
				l.Instrs[i].Args[k] = a + len(first)
			}
		}
	}
	l.Instrs = append(first, l.Instrs...)
}
