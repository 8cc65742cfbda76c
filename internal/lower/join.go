package lower

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file avoids copies into a joint array: if a loop computes all that is joined, it stores each part in its place.

// leastJoined is the row length from which a loop may store its rows apart from each other: it then works on one row at a time.
const leastJoined = 64

// joinInPlace removes the joints that a loop can do from the program.
func joinInPlace(p *Program) {
	writer, uses := map[*Buffer]*Step{}, map[*Buffer]int{}
	for _, s := range p.Steps {
		for _, b := range s.Writes {
			writer[b] = s
		}
		for _, b := range s.Reads {
			uses[b]++
		}
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(s *Step) bool {
		k, ok := s.Work.(*Kernel)
		if !ok {
			return false
		}
		op, ok := k.Op.(ir.Joint)
		if !ok {
			return false
		}
		loopStep := writer[k.In[0].Buffer]
		if loopStep == nil {
			return false
		}
		loop, ok := loopStep.Work.(*Loop)
		if !ok || loop.Cols < leastJoined || loop.Rows != ir.Size(k.Type.Shape[:op.Joins()]) {
			return false
		}
		var parts []*Instr
		for _, in := range k.In {
			b := in.Buffer
			at := slices.IndexFunc(loop.Instrs, func(in Instr) bool { return in.Store == b })
			if at < 0 || b.Storage != Temporary || uses[b] != 1 || in.View.Offset != 0 || ir.Size(in.View.Shape) != b.Size {
				return false
			}
			part := &loop.Instrs[at]
			if part.Extent != Full || b.Size != loop.Rows*loop.Cols || part.Place != nil || slices.Contains(parts, part) {
				return false
			}
			parts = append(parts, part)
		}
		for i, part := range parts {
			loopStep.Writes = slices.DeleteFunc(loopStep.Writes, func(b *Buffer) bool { return b == part.Store })
			part.Store, part.Place = k.Out, &Place{Offset: i * loop.Cols, RowStride: k.Out.Size / loop.Rows}
		}
		loopStep.Writes = append(loopStep.Writes, k.Out)
		loopStep.Nodes = slices.Insert(loopStep.Nodes, 0, s.Nodes...)
		return true
	})
}
