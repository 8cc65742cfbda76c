package main

// Denormal numbers cost a processor up to a hundred times as much as others, so arithmetic counts them as zero. The mode belongs to the code
// and not to the thread: every function that depends on it sets it when it begins and takes it back when it returns. No Go code runs in it.

import (
	"regexp"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

// The modes: values of MXCSR. All exceptions are masked, and rounding is to nearest.
const (
	ieeeMode  = 0x1f80                  // as Go has it
	flushMode = ieeeMode | 1<<15 | 1<<6 // results and operands that are denormal are zero
)

// byMode matches the instructions that depend on the mode: arithmetic, comparisons, and conversions between float types.
var byMode = regexp.MustCompile(`^V(ADD|SUB|MUL|DIV|SQRT|FN?M(ADD|SUB)\w*|RNDSCALE|ROUND|SCALEF|MIN|MAX|RANGE|CMP|CVTPS2|CVTPD2|CVTSS2|CVTSD2)[PS][SD]Y?$`)

// keeping are the functions that keep denormal numbers as they are: casts between numbers, and selections by order.
var keeping = map[string]bool{}

// flushDenormals puts the mode into the functions of a file.
func flushDenormals(f *ir.File) error {
	var all []*ir.Function
	for _, fn := range f.Functions() {
		if !keeping[fn.Name] && slices.ContainsFunc(fn.Instructions(), func(in *ir.Instruction) bool { return byMode.MatchString(in.Opcode) }) {
			all = append(all, fn)
		}
	}
	if len(all) == 0 {
		return nil
	}
	mode := func(name string, bits uint32) operand.Mem {
		g := ir.NewStaticGlobal(name)
		g.Attributes = attr.RODATA | attr.NOPTR
		g.Append(operand.U32(bits))
		f.AddSection(g)
		return g.Base()
	}
	flush, ieee := mode("mode_flush", flushMode), mode("mode_ieee", ieeeMode)
	for _, fn := range all {
		set, err := x86.LDMXCSR(flush)
		if err != nil {
			return err
		}
		nodes := []ir.Node{set}
		for _, n := range fn.Nodes {
			if in, ok := n.(*ir.Instruction); ok && in.Opcode == "RET" {
				restore, err := x86.LDMXCSR(ieee)
				if err != nil {
					return err
				}
				nodes = append(nodes, restore)
			}
			nodes = append(nodes, n)
		}
		fn.Nodes = nodes
	}
	return nil
}
