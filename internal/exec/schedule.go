package exec

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/jit"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file orders the instructions of a loop so that those which package jit can make into one function stand together.

// segment is a range of instructions that are done by one function.
type segment struct{ first, end int }

// simple reports whether an instruction can be a part of a run.
func simple(in *lower.Instr) bool {
	if in.Code != lower.Apply || !jit.Simple(in.Func) {
		return false
	}
	return in.From.Float() || in.From == ir.Bool
}

// width is the float type that an instruction works on; bool where it fits a run of either.
func width(in *lower.Instr) ir.DType { return in.From }

// schedule returns the loop with its instructions reordered, and its segments. Instructions that are no part of a run come as
// early as they can, so that runs are long. Without runs each instruction is a segment, in the order given.
func schedule(l *lower.Loop, runs bool) (*lower.Loop, []segment) {
	if !runs {
		segments := make([]segment, len(l.Instrs))
		for i := range segments {
			segments[i] = segment{i, i + 1}
		}
		return l, segments
	}
	s := &scheduler{loop: l, done: make([]bool, len(l.Instrs))}
	var order []int
	var segments []segment
	for len(order) < len(l.Instrs) {
		if i := s.ready(func(in *lower.Instr) bool { return !simple(in) }); i >= 0 {
			order = append(order, i)
			segments = append(segments, segment{len(order) - 1, len(order)})
			continue
		}
		first := len(order)
		extent, dtype := lower.Full, ir.Bool
		for {
			i := s.ready(func(in *lower.Instr) bool {
				if !simple(in) || len(order) > first && in.Extent != extent {
					return false
				}
				w := width(in)
				return w == ir.Bool || dtype == ir.Bool || w == dtype
			})
			if i < 0 {
				break
			}
			extent = l.Instrs[i].Extent
			if w := width(&l.Instrs[i]); w != ir.Bool {
				dtype = w
			}
			order = append(order, i)
		}
		segments = append(segments, segment{first, len(order)})
	}
	return s.reordered(order), segments
}

type scheduler struct {
	loop *lower.Loop
	done []bool
}

// ready finds the first instruction not done that ok takes and that has all it needs, and marks it done.
func (s *scheduler) ready(ok func(in *lower.Instr) bool) int {
	for i := range s.loop.Instrs {
		if !s.done[i] && ok(&s.loop.Instrs[i]) && s.free(i) {
			s.done[i] = true
			return i
		}
	}
	return -1
}

// free reports whether the operands of an instruction are there, and all that still has to read what it overwrites is done.
func (s *scheduler) free(i int) bool {
	in := &s.loop.Instrs[i]
	for _, a := range in.Args {
		if at := a - len(s.loop.Sources); at >= 0 && !s.done[at] {
			return false
		}
	}
	if in.Store == nil {
		return true
	}
	for v := range s.loop.Sources {
		if s.loop.Sources[v].Buffer != in.Store {
			continue
		}
		for j := range s.loop.Instrs[:i] {
			if !s.done[j] && slices.Contains(s.loop.Instrs[j].Args[:], v) {
				return false
			}
		}
	}
	return true
}

// reordered is the loop with its instructions in the given order and values numbered accordingly.
func (s *scheduler) reordered(order []int) *lower.Loop {
	l := *s.loop
	place := make([]int, len(order))
	for at, i := range order {
		place[i] = at
	}
	l.Instrs = make([]lower.Instr, len(order))
	for at, i := range order {
		in := s.loop.Instrs[i]
		for a, v := range in.Args {
			if old := v - len(l.Sources); old >= 0 {
				in.Args[a] = len(l.Sources) + place[old]
			}
		}
		l.Instrs[at] = in
	}
	return &l
}
