package exec

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/limit"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file tells how much memory a program takes, before it is taken.

// Memory is the memory of a program, in bytes.
type Memory struct {
	Arena   int // temporaries, those of the bodies of loops, and scratch
	Outputs int
	Largest []Use // the largest of its temporaries and outputs, not more than mostUses
}

// Use is an array and what it is for.
type Use struct {
	Name  string // of the op
	Type  ir.Type
	Place string
}

const mostUses = 5

// TooLarge is the error of a program that needs more memory than the process may have.
type TooLarge struct {
	Memory
	Err *limit.Error
}

// Error says how much there is and how much is needed.
func (e *TooLarge) Error() string { return e.Err.Error() }

// Memory is what the machine has taken, and its outputs.
func (m *Machine) Memory() Memory {
	return Memory{bound(m.program) + m.scratch(), outputBytes(m.program), largest(m.program)}
}

// Memory is what the checker's machine has taken.
func (c *Checker) Memory() Memory { return c.machine.Memory() }

// Memory is that of the outputs: everything else is taken anew in each run.
func (r *Reference) Memory() (m Memory) {
	for _, n := range r.graph.Outputs {
		m.Outputs += n.Type.Bytes()
	}
	return m
}

// bound is the number of bytes that bind takes.
func bound(p *lower.Program) int {
	n := p.Arena
	for _, s := range p.Steps {
		if w, ok := s.Work.(*lower.Nest); ok {
			for _, part := range w.Parts {
				n += bound(part) + outputBytes(part)
			}
			for _, t := range w.Types[:w.Control.Carries] {
				n += 2 * t.Bytes()
			}
		}
	}
	return n
}

func outputBytes(p *lower.Program) (n int) {
	for _, b := range p.Outputs {
		n += b.Bytes()
	}
	return n
}

// checkMemory refuses to take that many bytes for p if the process may not have them.
func checkMemory(p *lower.Program, bytes int) error {
	if err := limit.Check(bytes); err != nil {
		return &TooLarge{Memory{bytes - outputBytes(p), outputBytes(p), largest(p)}, err}
	}
	return nil
}

// checkSizes refuses a program whose arrays take more bytes together than can be counted. What it lets pass can be planned.
func checkSizes(p *lower.Program) error {
	const most = math.MaxInt / 4
	total := 0
	var see func(p *lower.Program)
	see = func(p *lower.Program) {
		for _, b := range p.Buffers {
			total = min(most, total+min(most, b.Bytes()))
		}
		for _, s := range p.Steps {
			if w, ok := s.Work.(*lower.Nest); ok {
				for _, part := range w.Parts {
					see(part)
				}
			}
		}
	}
	see(p)
	if total < most {
		return nil
	}
	return &TooLarge{Memory{total, 0, largest(p)}, limit.Impossible(total)}
}

// CheckNodes returns an error if the process may not have memory for the results of all nodes at once, as a Reference needs.
func CheckNodes(g *ir.Graph) error {
	const most = math.MaxInt / 4
	var m Memory
	for _, n := range g.Nodes {
		m.Arena = min(most, m.Arena+min(most, n.Type.Bytes()))
		m.Largest = append(m.Largest, Use{n.Op.Name(), n.Type, n.Place()})
	}
	if err := limit.Check(m.Arena); err != nil {
		m.Largest = first(m.Largest)
		return &TooLarge{m, err}
	}
	return nil
}

// largest lists the largest temporaries and outputs of a program and the bodies of its loops.
func largest(p *lower.Program) []Use {
	var all []Use
	seen := map[*lower.Buffer]bool{}
	var see func(p *lower.Program)
	see = func(p *lower.Program) {
		for _, s := range p.Steps {
			for _, b := range s.Writes {
				if !seen[b] && (b.Storage == lower.Temporary || b.Storage == lower.Output) {
					seen[b] = true
					all = append(all, useOf(s, b))
				}
			}
			if w, ok := s.Work.(*lower.Nest); ok {
				for _, part := range w.Parts {
					see(part)
				}
			}
		}
	}
	see(p)
	return first(all)
}

// first keeps the largest uses, the first of equal ones.
func first(all []Use) []Use {
	slices.SortStableFunc(all, func(a, b Use) int { return b.Type.Bytes() - a.Type.Bytes() })
	return slices.Clone(all[:min(len(all), mostUses)])
}

// useOf finds the node whose result a step writes to b.
func useOf(s *lower.Step, b *lower.Buffer) Use {
	n := s.Nodes[len(s.Nodes)-1]
	if loop, ok := s.Work.(*lower.Loop); ok {
		for _, in := range loop.Instrs {
			if in.Store == b && in.Node != nil {
				n = in.Node
			}
		}
	} else if i := slices.IndexFunc(s.Nodes, func(n *ir.Node) bool { return n.Type.DType == b.DType && n.Type.Size() == b.Size }); i >= 0 {
		n = s.Nodes[i]
	}
	u := Use{n.Op.Name(), n.Type, n.Place()}
	if n.Label != "" {
		u.Name = fmt.Sprintf("%s %q", u.Name, n.Label)
	}
	if n.Type.DType != b.DType || n.Type.Size() != b.Size {
		u.Type = ir.Type{DType: b.DType, Shape: []int{b.Size}}
	}
	return u
}
