package tarn

import (
	"fmt"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file opens to the tests what a program has been compiled to.

// ZerosFor returns a tensor of zeros for each input of a program, in the order of Inputs.
func ZerosFor(p *Program) []*Tensor {
	var zeros []*Tensor
	for _, in := range p.inputs {
		zeros = append(zeros, newTensor(ir.NewArray(in.typ)))
	}
	return zeros
}

// StepsOf lists the steps of a program, each with all that is fused in it: for a loop how its sources lie over its space and
// what its instructions do, with a star behind those whose result goes to memory. It names no buffers, whose numbers change
// with everything before them.
func StepsOf(p *Program) (string, error) {
	m, err := p.machine()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, s := range m.Steps() {
		loop, ok := s.Work.(*lower.Loop)
		if !ok {
			fmt.Fprintln(&b, s.Summary())
			continue
		}
		fmt.Fprintf(&b, "loop %dx%d of", loop.Rows, loop.Cols)
		for _, source := range loop.Sources {
			fmt.Fprintf(&b, " %s-%v", [...]string{"whole", "repeated", "per-row", "single", "strided", "strided-row"}[source.Pattern], source.Buffer.DType)
		}
		b.WriteString("\n   ")
		for _, in := range loop.Instrs {
			name := strings.ToLower(in.Func.String())
			switch in.Code {
			case lower.Convert:
				name = "to-" + in.DType.String()
			case lower.Spread:
				name = "spread"
			case lower.ReduceRows, lower.ReduceGroups, lower.ReduceTotal:
				name = [...]string{"sum", "prod", "max", "min", "all", "any"}[in.Reduce] +
					map[lower.Code]string{lower.ReduceRows: "-rows", lower.ReduceGroups: "-columns", lower.ReduceTotal: "-total"}[in.Code]
			}
			b.WriteString(" " + name)
			if in.Store != nil {
				b.WriteString("*")
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "arena of %d bytes\n", m.Arena())
	return b.String(), nil
}
