package exec

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/jit"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file orders the instructions of a loop so that those which package jit can make into one function stand together.

// segment is a range of instructions; a run is done by one function.
type segment struct {
	first, end int
	run        bool
}

// singles makes a segment of each instruction.
func singles(n int) []segment {
	segments := make([]segment, n)
	for i := range segments {
		segments[i] = segment{first: i, end: i + 1}
	}
	return segments
}

// narrowRow is the row length below which a unit of several rows is worth more than what runs can do with a single row.
const narrowRow = 128

// oneRow reports whether a unit of the loop is to be a single row, or a part of one: then a number that belongs to the row is
// a single one for the whole unit, and sums can be taken in a run.
func oneRow(l *lower.Loop) bool {
	return l.Cols >= narrowRow && slices.ContainsFunc(l.Instrs, func(in lower.Instr) bool {
		return in.Code == lower.Spread || in.Code == lower.ReduceRows || in.Code == lower.ReduceGroups
	})
}

// wideGroup is the number of elements of a group from which a run takes its sums of columns from units of several rows.
const wideGroup = 1 << 13

// sumsUnits reports whether runs of the loop, whose units are several rows, take sums of columns: they add unit to unit, and the
// result is added up when the chunk ends, which pays if a group has many units.
func sumsUnits(l *lower.Loop) bool {
	sums := false
	for _, in := range l.Instrs {
		if in.Code == lower.ReduceGroups {
			if in.Group*l.Cols < wideGroup {
				return false
			}
			sums = true
		}
	}
	return sums && l.Cols < narrowRow
}

// scheduler puts instructions in order.
type scheduler struct {
	loop   *lower.Loop
	oneRow bool
	sums   bool // a run may hold sums of columns
	done   []bool
	known  []bool // done, and the result can be read: that of a reduction cannot within its own run
}

// schedule returns the loop with its instructions reordered, and the segments. Instructions that are no part of a run come as
// early as they can, so that runs are long.
func schedule(l *lower.Loop) (*lower.Loop, []segment) {
	s := &scheduler{loop: l, oneRow: oneRow(l), sums: oneRow(l) || sumsUnits(l), done: make([]bool, len(l.Instrs)), known: make([]bool, len(l.Instrs))}
	var order []int
	var segments []segment
	for len(order) < len(l.Instrs) {
		if i := s.next(func(in *lower.Instr) bool { return !s.simple(in) }); i >= 0 {
			s.known[i] = true
			order = append(order, i)
			segments = append(segments, segment{len(order) - 1, len(order), false})
			continue
		}
		first := len(order)
		extent, dtype := lower.Full, ir.Bool
		for {
			i := s.next(func(in *lower.Instr) bool {
				if !s.simple(in) || len(order) > first && s.space(in) != extent {
					return false
				}
				d := floatType(in)
				return d == ir.Bool || dtype == ir.Bool || d == dtype
			})
			if i < 0 {
				break
			}
			in := &l.Instrs[i]
			extent = s.space(in)
			if d := floatType(in); d != ir.Bool {
				dtype = d
			}
			s.known[i] = !reduces(in)
			order = append(order, i)
		}
		segments = append(segments, segment{first, len(order), true})
		for _, i := range order[first:] {
			s.known[i] = true
		}
	}
	return s.reordered(order), segments
}

func reduces(in *lower.Instr) bool {
	return in.Code == lower.ReduceRows || in.Code == lower.ReduceGroups || in.Code == lower.ReduceTotal
}

// simple reports whether an instruction can be a part of a run.
func (s *scheduler) simple(in *lower.Instr) bool {
	switch in.Code {
	case lower.Apply:
		return jit.Simple(in.Func, in.From == ir.F64) && (in.From.Float() || in.From == ir.Bool) || jit.SimpleInt(in.Func) && in.From == ir.I32
	case lower.Convert:
		return in.From == ir.Bool && in.DType.Float() || in.From == ir.I32 && in.DType == ir.F32
	case lower.Spread:
		return s.oneRow
	case lower.ReduceRows:
		return s.oneRow && in.From.Float() && in.Reduce != ir.ReduceProd
	case lower.ReduceGroups:
		return s.sums && in.From.Float() && in.Reduce == ir.ReduceSum
	case lower.ReduceTotal:
		return in.From.Float() && in.Reduce == ir.ReduceSum
	}
	return false
}

// floatType is the float type of the runs that an instruction fits; bool where it fits any.
func floatType(in *lower.Instr) ir.DType {
	switch {
	case in.Code == lower.Spread:
		return ir.Bool
	case in.Code == lower.Convert:
		return in.DType
	case in.From == ir.I32:
		return ir.F32
	}
	return in.From
}

// space is the extent over which an instruction runs.
func (s *scheduler) space(in *lower.Instr) lower.Extent {
	switch in.Code {
	case lower.ReduceRows, lower.ReduceGroups:
		return lower.Full
	case lower.ReduceTotal:
		return s.extentOf(in.Args[0])
	}
	return in.Extent
}

// extentOf is the extent of a value.
func (s *scheduler) extentOf(v int) lower.Extent {
	if at := v - len(s.loop.Sources); at >= 0 {
		return s.loop.Instrs[at].Extent
	}
	if p := s.loop.Sources[v].Pattern; p == lower.PerRow || p == lower.StridedRow {
		return lower.Row
	}
	return lower.Full
}

// next finds the first instruction not done that ok takes and that has all it needs, and marks it done.
func (s *scheduler) next(ok func(in *lower.Instr) bool) int {
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
		if at := a - len(s.loop.Sources); at >= 0 && !s.known[at] {
			return false
		}
	}
	if in.Store == nil {
		return true
	}
	for v := range s.loop.Sources {
		// A variable that the result is assigned to counts even if that is not done in place: the order must not depend on what else reads the variable.
		if b := s.loop.Sources[v].Buffer; b != in.Store && !slices.Contains(in.Assigned, b) {
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
