package lower

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file lowers loops and branches: each body becomes a program of its own, which the step runs.

// Nest runs programs of its own: the bodies of a Control.
//
// The outputs of a program are what its body gives, but for a carry of a scan that is stacked as well: the program writes it into the stack,
// where the next step reads it.
type Nest struct {
	Control *ir.Control
	Parts   []*Program
	In      []Ref     // the operands, in order
	Out     []*Buffer // by result; nil where nothing needs it
	Types   []ir.Type // of what each body gives, by result: of a single step
	Targets []int     // by result: the output of the program that it is
	Shared  []int     // by carry: the stack, by result, that holds the carry after each step, or -1
	Before  []int     // by carry: the stack, by result, that holds the carry before each step, or -1
}

// nested puts all results of one Control on the same operands into one piece of work.
func (l *lowering) nested(n *ir.Node, op ir.Nested) value {
	c, _ := op.Nests()
	l.order[n] = len(l.order)
	for _, g := range l.groups {
		if g == nil {
			continue
		}
		first, ok := g.nodes[0].Op.(ir.Nested)
		if !ok {
			continue
		}
		if other, _ := first.Nests(); other == c && slices.Equal(g.nodes[0].In, n.In) {
			g.nodes = append(g.nodes, n)
			l.of[n] = g
			return whole(n)
		}
	}
	operands := l.operandsOf(n)
	for i, o := range operands {
		if !o.view.Contiguous() {
			operands[i] = l.copyOf(o, n)
		}
	}
	l.newGroup(n, operands)
	return whole(n)
}

// nestStep makes the work of a group of results.
func (l *lowering) nestStep(s *Step, g *group, op ir.Nested) {
	c, _ := op.Nests()
	w := &Nest{Control: c, Out: make([]*Buffer, len(c.Main().Outputs))}
	for _, o := range l.operands[g.nodes[0]] {
		w.In = append(w.In, l.ref(o))
		s.addRead(w.In[len(w.In)-1].Buffer)
	}
	for _, n := range g.nodes {
		_, i := n.Op.(ir.Nested).Nests()
		w.Out[i] = l.buffer(n)
		s.Writes = append(s.Writes, w.Out[i])
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

// share finds the stacks in which carries can live.
func (w *Nest) share() {
	c, outputs := w.Control, w.Control.Main().Outputs
	w.Shared, w.Before = slices.Repeat([]int{-1}, c.Carries), slices.Repeat([]int{-1}, c.Carries)
	taken := make([]bool, len(outputs))
	dropped := make([]bool, len(outputs)) // no output of the program
	for i := range c.Carries {
		if c.Kind != ir.Scan {
			break
		}
		for r := c.Carries; r < len(outputs); r++ {
			if outputs[r] == outputs[i] && !taken[r] && w.Out[r] != nil {
				w.Shared[i], taken[r], dropped[i] = r, true, true
				break
			}
		}
		if w.Shared[i] >= 0 {
			continue
		}
		for r := c.Carries; r < len(outputs); r++ {
			if in, ok := outputs[r].Op.(ir.Input); ok && in.Index == 1+i && !taken[r] && w.Out[r] != nil {
				w.Before[i], taken[r], dropped[r] = r, true, true
				break
			}
		}
	}
	next := 0
	w.Targets = make([]int, len(outputs))
	for r := range outputs {
		if dropped[r] {
			w.Targets[r] = -1
			continue
		}
		w.Targets[r] = next
		next++
	}
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

// flops counts one run of each body where the number of runs is not known.
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

// CanFail reports whether the step may end the run with an error: it checks the contents of an operand, or something inside of it does.
func (s *Step) CanFail() bool {
	switch w := s.Work.(type) {
	case *Check:
		return true
	case *Nest:
		return slices.ContainsFunc(w.Parts, func(p *Program) bool { return slices.ContainsFunc(p.Steps, (*Step).CanFail) })
	}
	return false
}
