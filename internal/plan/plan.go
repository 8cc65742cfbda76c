// Package plan settles when the steps of a lowered program run and where their results lie: assignments are made in
// place where nothing reads the old contents later, updates run as soon as they can, and temporaries share one arena.
package plan

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/lower"
)

// alignment of every place in the arena: a cache line, and a vector register.
const alignment = 64

// Plan orders the steps of p, gives every temporary its place and returns the size of the arena in bytes.
func Plan(p *lower.Program) (arena int) {
	checkFirst(p)
	advance(p)
	assignInPlace(p)
	return layOut(p)
}

// checkFirst moves checks to the earliest place at which their operands are there, in the order in which they stand: a run
// that fails should do so before a variable has been overwritten.
func checkFirst(p *lower.Program) {
	for i, s := range p.Steps {
		if !isCheck(s) {
			continue
		}
		at := i
		for at > 0 && !conflict(p.Steps[at-1], s, nil) {
			at--
		}
		for at < i && isCheck(p.Steps[at]) {
			at++
		}
		p.Steps = slices.Insert(slices.Delete(p.Steps, i, i+1), at, s)
	}
}

func isCheck(s *lower.Step) bool {
	_, ok := s.Work.(*lower.Check)
	return ok
}

// advance moves steps that only compute new contents of variables to the earliest place at which their operands are
// there, no other step has still to read the old contents, and no check can fail. Gradients then need their memory for a short time.
func advance(p *lower.Program) {
	target := map[*lower.Buffer][]*lower.Buffer{} // variables by the temporary that is assigned to them
	for _, s := range p.Steps {
		if s.Assign {
			target[s.Reads[0]] = append(target[s.Reads[0]], s.Writes[0])
		}
	}
	reads := map[*lower.Buffer]int{} // steps that read a temporary, but for assignments
	for _, s := range p.Steps {
		if !s.Assign {
			for _, b := range s.Reads {
				reads[b]++
			}
		}
	}
	for i, s := range p.Steps {
		var variables []*lower.Buffer
		sink := !s.Assign && len(s.Writes) > 0
		for _, b := range s.Writes {
			sink = sink && b.Storage == lower.Temporary && reads[b] == 0 && len(target[b]) > 0
			variables = append(variables, target[b]...)
		}
		if !sink {
			continue
		}
		at := i
		for at > 0 && !p.Steps[at-1].CanFail() && !conflict(p.Steps[at-1], s, variables) {
			at--
		}
		p.Steps = slices.Insert(slices.Delete(p.Steps, i, i+1), at, s)
	}
}

// conflict reports whether s must stay behind earlier: it reads what earlier writes, or earlier reads what s will replace.
func conflict(earlier, s *lower.Step, variables []*lower.Buffer) bool {
	for _, b := range earlier.Writes {
		if slices.Contains(s.Reads, b) {
			return true
		}
	}
	for _, b := range earlier.Reads {
		if slices.Contains(variables, b) {
			return true
		}
	}
	return false
}

// assignInPlace lets the step that computes a variable's new contents write them into the variable, where every read of
// the old contents comes before, and every check.
func assignInPlace(p *lower.Program) {
	writer := map[*lower.Buffer]int{}
	for i, s := range p.Steps {
		for _, b := range s.Writes {
			writer[b] = i
		}
	}
	replaced := map[*lower.Buffer]*lower.Buffer{}
	for i, s := range p.Steps {
		if !s.Assign {
			continue
		}
		from, variable := s.Work.(*lower.Copy).From, s.Writes[0]
		at, computed := writer[from.Buffer]
		if !computed || from.Buffer.Storage != lower.Temporary || replaced[from.Buffer] != nil ||
			!from.View.Contiguous() || from.Buffer.Size != variable.Size {
			continue
		}
		free := true
		for j, other := range p.Steps {
			if j != i && slices.Contains(other.Reads, variable) {
				free = free && (j < at || j == at && readsInStep(other, from.Buffer, variable))
			}
			free = free && (j < at || !other.CanFail())
		}
		if free {
			replaced[from.Buffer] = variable
			s.Work = nil
		}
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(s *lower.Step) bool { return s.Work == nil })
	for _, s := range p.Steps {
		s.Replace(replaced)
	}
	p.Buffers = slices.DeleteFunc(p.Buffers, func(b *lower.Buffer) bool { return replaced[b] != nil })
}

// readsInStep reports whether a loop that computes next reads the variable element by element, each before the element's
// new contents are stored.
func readsInStep(s *lower.Step, next, variable *lower.Buffer) bool {
	loop, ok := s.Work.(*lower.Loop)
	if !ok {
		return false
	}
	stored := slices.IndexFunc(loop.Instrs, func(in lower.Instr) bool { return in.Store == next })
	if loop.Instrs[stored].Extent != lower.Full {
		return false
	}
	for v, source := range loop.Sources {
		if source.Buffer != variable {
			continue
		}
		if source.Pattern == lower.Single && variable.Size == 1 && loop.Rows*loop.Cols == 1 {
			source.Pattern = lower.Whole
		}
		if source.Pattern != lower.Whole || source.Offset != 0 || variable.Size != loop.Rows*loop.Cols {
			return false
		}
		for _, in := range loop.Instrs[stored+1:] {
			if slices.Contains(in.Args[:], v) {
				return false
			}
		}
	}
	return true
}

// layOut gives each temporary a place in the arena that no other has while it is needed: the largest first, each at the
// lowest place that is free.
func layOut(p *lower.Program) (arena int) {
	type life struct {
		b           *lower.Buffer
		first, last int
	}
	lives := map[*lower.Buffer]*life{}
	var all []*life
	for i, s := range p.Steps {
		for _, b := range append(slices.Clone(s.Writes), s.Reads...) {
			if b.Storage != lower.Temporary {
				continue
			}
			if lives[b] == nil {
				lives[b] = &life{b, i, i}
				all = append(all, lives[b])
			}
			lives[b].last = i
		}
	}
	slices.SortStableFunc(all, func(a, b *life) int { return b.b.Bytes() - a.b.Bytes() })
	var placed []*life // by offset
	for _, l := range all {
		at := 0
		for _, other := range placed {
			if other.first > l.last || other.last < l.first {
				continue
			}
			if at+l.b.Bytes() <= other.b.Offset {
				break
			}
			at = max(at, roundUp(other.b.Offset+other.b.Bytes()))
		}
		l.b.Offset = at
		arena = max(arena, at+l.b.Bytes())
		where, _ := slices.BinarySearchFunc(placed, at, func(o *life, at int) int { return o.b.Offset - at })
		placed = slices.Insert(placed, where, l)
	}
	return roundUp(arena)
}

func roundUp(n int) int { return (n + alignment - 1) &^ (alignment - 1) }
