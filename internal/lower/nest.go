package lower

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file lowers loops and branches: each body becomes its own program, which the step runs.

// Nest runs other programs: the bodies of a Control.
//
// The outputs of a program are those of its body, except for a carry of a scan that is stacked as well: the program writes it into the stack,
// where the next step reads it.
type Nest struct {
	Control *ir.Control
	Parts   []*Program
	In      []Ref     // the operands, in order
	Out     []*Buffer // by result; nil if nothing needs it
	Types   []ir.Type // of the body's outputs, by result: of a single step
	Targets []int     // by result: the output of the program that it is
	Shared  []int     // by carry: the stack, by result, that holds the carry after each step, or -1
	Before  []int     // by carry: the stack, by result, that holds the carry before each step, or -1
	Both    []bool    // by carry: Shared holds its first contents as well, in a place more: in front, or behind where the scan is reversed
}

// nested puts all results of one Control on the same operands into one piece of work.
func (l *lowering) nested(n *ir.Node, op ir.Nested) value {
	c, r := op.Nests()
	l.order[n] = len(l.order)
	for _, g := range l.nests[c] {
		if ir.SameOperands(g.nodes[0], n) {
			g.nodes = append(g.nodes, n)
			l.of[n] = g
			return l.nestResult(g, n, r)
		}
	}
	operands := l.operandsOf(n)
	for i, o := range operands {
		if !o.view.Contiguous() {
			operands[i] = l.copyOf(o, n)
		}
	}
	g := l.newGroup(n, operands)
	l.nests[c] = append(l.nests[c], g)
	return l.nestResult(g, n, r)
}

// nestResult says where result r of a group lies, whose node is n.
func (l *lowering) nestResult(g *group, n *ir.Node, r int) value {
	if both, view := l.bothStacks(g, r); both != nil {
		return value{node: both, view: view}
	}
	return whole(n)
}

// nestStep makes the work of a group of results.
func (l *lowering) nestStep(s *Step, g *group, op ir.Nested) {
	c, _ := op.Nests()
	w := &Nest{Control: c, Out: make([]*Buffer, len(c.Main().Outputs))}
	read := map[*Buffer]bool{}
	for _, o := range l.operands[g.nodes[0]] {
		r := l.ref(o)
		w.In = append(w.In, r)
		if !read[r.Buffer] {
			read[r.Buffer] = true
			s.Reads = append(s.Reads, r.Buffer)
		}
	}
	for _, n := range g.nodes {
		_, i := n.Op.(ir.Nested).Nests()
		if both, _ := l.bothStacks(g, i); both == nil {
			w.Out[i] = l.buffer(n)
			s.Writes = append(s.Writes, w.Out[i])
		}
	}
	w.Both = make([]bool, c.Carries)
	for _, t := range twices(c) {
		if n := l.both[g][t.carry]; n != nil {
			w.Both[t.carry], w.Out[t.after] = true, l.buffer(n)
			s.Writes = append(s.Writes, w.Out[t.after])
		}
	}
	for _, n := range c.Main().Outputs {
		w.Types = append(w.Types, n.Type)
	}
	w.share()
	for _, body := range c.Bodies {
		if c.Kind == ir.Scan {
			copied := *body
			copied.Outputs = nil
			for r, t := range w.Targets {
				if t == len(copied.Outputs) {
					copied.Outputs = append(copied.Outputs, body.Outputs[r])
				}
			}
			body = &copied
		}
		w.Parts = append(w.Parts, Lower(body))
	}
	s.Work = w
}

func (w *Nest) title() string {
	switch w.Control.Kind {
	case ir.Scan:
		return fmt.Sprintf("scan of %d steps", w.Control.Steps)
	case ir.While:
		return "while"
	}
	return "branch"
}

func (w *Nest) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v -> %v", w.title(), w.In, w.Out)
	for _, p := range w.Parts {
		b.WriteString("\n    {")
		for line := range strings.Lines(p.String()) {
			b.WriteString("\n    " + strings.TrimSuffix(line, "\n"))
		}
		b.WriteString("\n    }")
	}
	return b.String()
}

func (w *Nest) buffers(see func(b **Buffer)) {
	refBuffers(w.In, see)
	for i := range w.Out {
		see(&w.Out[i])
	}
}

// flops counts one run of each body if the number of runs is not known.
func (w *Nest) flops() int {
	n := 0
	for _, p := range w.Parts {
		for _, s := range p.Steps {
			n += s.Flops()
		}
	}
	if w.Control.Kind == ir.Scan {
		n *= w.Control.Steps
	}
	return n
}

func (w *Nest) summary() string {
	var parts []string
	for _, p := range w.Parts {
		for _, s := range p.Steps {
			parts = append(parts, s.Summary())
		}
	}
	return fmt.Sprintf("%s: %s", w.title(), strings.Join(parts, "; "))
}

// CanFail reports whether the step may end the run with an error: it checks the contents of an operand, or something inside of it does. So may
// a while, which may never end and then must be canceled.
func (s *Step) CanFail() bool {
	switch w := s.Work.(type) {
	case *Check, *Guard:
		return true
	case *Nest:
		return w.Control.Kind == ir.While || slices.ContainsFunc(w.Parts, func(p *Program) bool { return slices.ContainsFunc(p.Steps, (*Step).CanFail) })
	}
	return false
}
