// Package plan decides when the steps of a lowered program run and where their results lie: assignments are made in
// place if nothing reads the old contents later, updates run as soon as they can, and temporaries share one arena.
package plan

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
	"github.com/seed-49005b45/tarn/internal/order"
)

// Plan orders the steps of p, gives every temporary its place and sets the size of the arena; so it does with the bodies of loops.
func Plan(p *lower.Program) {
	w := ir.Watch{Stage: "planning"}
	defer w.Report()
	checkFirst(p)
	guardFirst(p)
	advance(p)
	assignInPlace(p)
	p.Arena = layOut(p)
	for _, s := range p.Steps {
		if n, ok := s.Work.(*lower.Nest); ok {
			for _, part := range n.Parts {
				Plan(part)
			}
		}
	}
}

// checkFirst moves checks to the earliest place at which their operands are there, in the order in which they stand: a run
// that fails should do so before a variable has been overwritten.
func checkFirst(p *lower.Program) {
	written := map[*lower.Buffer]int{} // the number of steps, checks not counted, up to the last that writes the buffer
	behind := map[int][]*lower.Step{}  // checks by the number of such steps before them
	var others []*lower.Step
	for _, s := range p.Steps {
		if isCheck(s) {
			at := 0
			for _, b := range s.Reads {
				at = max(at, written[b])
			}
			behind[at] = append(behind[at], s)
			continue
		}
		others = append(others, s)
		for _, b := range s.Writes {
			written[b] = len(others)
		}
	}
	steps := behind[0]
	for i, s := range others {
		steps = append(append(steps, s), behind[i+1]...)
	}
	p.Steps = steps
}

func isCheck(s *lower.Step) bool {
	switch s.Work.(type) {
	case *lower.Check, *lower.Guard:
		return true
	}
	return false
}

// guardFirst moves what only assignments need behind the guard, so that it can be computed in place.
func guardFirst(p *lower.Program) {
	guard := slices.IndexFunc(p.Steps, func(s *lower.Step) bool {
		_, ok := s.Work.(*lower.Guard)
		return ok
	})
	if guard < 0 {
		return
	}
	before := map[*lower.Buffer]bool{} // read at the guard or before it, by what stays there
	var stay, move []*lower.Step
	for _, s := range slices.Backward(p.Steps[:guard+1]) {
		free := len(s.Writes) > 0 && !s.CanFail()
		for _, b := range s.Writes {
			free = free && b.Storage == lower.Temporary && !before[b]
		}
		if free {
			move = append(move, s)
			continue
		}
		stay = append(stay, s)
		for _, b := range s.Reads {
			before[b] = true
		}
	}
	slices.Reverse(stay)
	slices.Reverse(move)
	p.Steps = slices.Concat(stay, move, p.Steps[guard+1:])
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
	var list order.List // of the steps, with moved ones at their new places
	last := events{written: map[*lower.Buffer]*order.Element{}, read: map[*lower.Buffer]*order.Element{}}
	places := map[*lower.Step]*order.Element{}
	for _, s := range p.Steps {
		var variables []*lower.Buffer
		sink := !s.Assign && len(s.Writes) > 0
		for _, b := range s.Writes {
			sink = sink && b.Storage == lower.Temporary && reads[b] == 0 && len(target[b]) > 0
			variables = append(variables, target[b]...)
		}
		if sink {
			places[s] = list.InsertAfter(last.conflict(s, variables))
		} else {
			places[s] = list.Append()
		}
		last.note(s, places[s])
	}
	slices.SortFunc(p.Steps, func(a, b *lower.Step) int {
		if places[a].Before(places[b]) {
			return -1
		}
		return 1
	})
}

// events holds the places of the last steps that write a buffer, that read it, and that can fail.
type events struct {
	written, read map[*lower.Buffer]*order.Element
	failure       *order.Element
}

// note records a step.
func (e *events) note(s *lower.Step, place *order.Element) {
	for _, b := range s.Writes {
		e.written[b] = later(e.written[b], place)
	}
	for _, b := range s.Reads {
		e.read[b] = later(e.read[b], place)
	}
	if s.CanFail() {
		e.failure = later(e.failure, place)
	}
}

// conflict returns the place of the last step that s, which replaces the contents of variables, must stay behind, or nil.
func (e *events) conflict(s *lower.Step, variables []*lower.Buffer) *order.Element {
	last := e.failure
	for _, b := range s.Reads {
		last = later(last, e.written[b])
	}
	for _, b := range variables {
		last = later(last, e.read[b])
	}
	return last
}

// later returns the later of two places, either of which may be nil.
func later(a, b *order.Element) *order.Element {
	if a == nil || b != nil && a.Before(b) {
		return b
	}
	return a
}

// assignInPlace lets the step that computes a variable's new contents write them into the variable, if every read of
// the old contents and every check come before.
func assignInPlace(p *lower.Program) {
	writer := map[*lower.Buffer]int{}
	readers := map[*lower.Buffer][]int{}
	failure := -1 // the last step that can fail
	for i, s := range p.Steps {
		for _, b := range s.Writes {
			writer[b] = i
		}
		for _, b := range s.Reads {
			if b.Storage == lower.Variable {
				readers[b] = append(readers[b], i)
			}
		}
		if s.CanFail() {
			failure = i
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
		free := failure < at
		for _, j := range readers[variable] {
			free = free && (j <= at || j == i) && (j != at || readsInStep(p.Steps[j], from.Buffer, variable))
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
