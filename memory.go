package tarn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/limit"
)

// This file tells how much memory a program takes, and refuses what the process may not have: Go ends a process whose allocation fails.

// Memory is the memory that a program takes, in bytes.
type Memory struct {
	Arena   int // the values between inputs and results, which share memory where they can, and scratch
	Inputs  int // given to each run
	Outputs int // the results of a run
	Params  int // that the program reads or assigns, optimizer states included
	Largest []MemoryUse
}

// MemoryUse is an array that a program uses: a value, a result or a param.
type MemoryUse struct {
	Name  string // the op, or the param's name
	DType DType
	Shape []int
	Bytes int
	Place string // where the value was made; "" for a param
}

// String prints the use as in "MatMul f32[128 512], 256.0 KiB, model.go:22".
func (u MemoryUse) String() string {
	s := fmt.Sprintf("%s %v, %s", u.Name, ir.Type{DType: ir.DType(u.DType), Shape: u.Shape}, limit.Size(u.Bytes))
	if u.Place != "" {
		s += ", " + u.Place
	}
	return s
}

// mostLargest bounds the list of the largest arrays.
const mostLargest = 5

// Memory returns the memory that the program takes, with its largest arrays, at most 5.
func (p *Program) Memory() Memory {
	if p == nil || p.runner == nil {
		return Memory{}
	}
	return p.memoryOf(p.runner.Memory())
}

// memoryOf adds what the root package knows to what an engine says.
func (p *Program) memoryOf(m exec.Memory) Memory {
	total := Memory{Arena: m.Arena, Outputs: m.Outputs}
	for _, in := range p.inputs {
		total.Inputs += in.typ.Bytes()
	}
	for _, u := range m.Largest {
		total.Largest = append(total.Largest, MemoryUse{u.Name, DType(u.Type.DType), slices.Clone(u.Type.Shape), u.Type.Bytes(), u.Place})
	}
	for _, q := range p.params {
		t := q.tensor.array.Type
		total.Params += t.Bytes()
		total.Largest = append(total.Largest, MemoryUse{strings.TrimSpace("Param " + q.label()), q.DType(), q.Shape(), t.Bytes(), ""})
	}
	slices.SortStableFunc(total.Largest, func(a, b MemoryUse) int { return b.Bytes - a.Bytes })
	total.Largest = total.Largest[:min(len(total.Largest), mostLargest)]
	return total
}

// tooLarge says what takes the memory, if err is that there is not enough.
func (p *Program) tooLarge(err error) error {
	var e *exec.TooLarge
	if !errors.As(err, &e) {
		return err
	}
	m := p.memoryOf(e.Memory)
	var b strings.Builder
	fmt.Fprintf(&b, "tarn: Compile: the program is too large: %v; %s", e, limit.Hint)
	fmt.Fprintf(&b, "\n\tvalues %s, results %s, inputs %s, params and states %s; the largest:", limit.Size(m.Arena), limit.Size(m.Outputs), limit.Size(m.Inputs), limit.Size(m.Params))
	for _, u := range m.Largest {
		fmt.Fprintf(&b, "\n\t%v", u)
	}
	return errors.New(b.String())
}
