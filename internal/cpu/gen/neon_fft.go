package main

// The passes of Fourier transforms for NEON, whose vectors are single complex numbers: so there is nothing to transpose, and runs have any length.

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
)

func init() {
	registerNEON("../fft/pass_neon_arm64", func(f *neonFile) {
		m := neonMachine(f, true)
		m.neonPass4First()
		for radix := 2; radix <= 5; radix++ {
			m.neonPass(radix)
		}
	})
}

// realNegated changes the sign of a real part.
var realNegated = literal{low: 1 << 63}

// neonRoots returns the results of a butterfly times their roots but the first, which is 1: the real part of a root in both lanes, and the
// imaginary part with one sign and the other.
func (m *machine) neonRoots(z, re, im []Op) []*value {
	results := []*value{z[0].(*value)}
	for k := 1; k < len(z); k++ {
		results = append(results, m.fma(z[k], re[k], m.mul(m.swapped(z[k]), im[k])).(*value))
	}
	return results
}

// neonInputs returns n values, as operands too.
func neonInputs(n int) (values []*value, operands []Op) {
	for range n {
		v := newInput()
		values, operands = append(values, v), append(operands, v)
	}
	return values, operands
}

// neonPass4First assembles the pass that pass4First does; n counts single numbers.
func (m *machine) neonPass4First() {
	f := m.out
	values, x := neonInputs(4)
	rootValues, roots := neonInputs(4)
	var results []*value
	m.record(func(m *machine) {
		var re, im [4]Op
		for k := 1; k < 4; k++ {
			re[k] = m.arm("dup0d", 0, roots[k])
			im[k] = m.xor(m.arm("dup1d", 0, roots[k]), realNegated)
		}
		results = m.neonRoots(m.butterfly(x), re[:], im[:])
	})
	once, code, registers := m.body.assemble(f, append(values, rootValues[1:]...), results...)
	at := f.begin("pass4FirstNEON", "", []string{"y", "x", "roots unsafe.Pointer", "m", "n int"})
	for i, p := range []string{"y", "x", "roots", "m", "n"} {
		f.line("MOVD %s, R%d", at[p], i)
	}
	f.flush()
	f.line("MOVD $%s<>(SB), R9", f.symbol)
	for _, s := range once {
		f.line("%s", s)
	}
	f.line("LSL $4, R3")
	f.line("ADD R3, R1, R11")
	f.line("ADD R3, R11, R12")
	f.line("ADD R3, R12, R13")
	f.while(1, func() {
		for k, p := range []string{"R1", "R11", "R12", "R13"} {
			f.line("FMOVQ.P 16(%s), F%d", p, registers[values[k]])
		}
		for k := 1; k < 4; k++ {
			f.line("FMOVQ %d(R2), F%d", 16*k, registers[rootValues[k]])
		}
		f.bump("R2", 64)
		for _, s := range code {
			f.line("%s", s)
		}
		for _, v := range results {
			f.line("FMOVQ.P F%d, 16(R0)", registers[v])
		}
	})
	f.end(true)
}

// neonPass assembles the pass that pass does.
func (m *machine) neonPass(radix int) {
	f := m.out
	values, x := neonInputs(radix)
	reValues, re := neonInputs(radix)
	imValues, im := neonInputs(radix)
	var results []*value
	m.record(func(m *machine) { results = m.neonRoots(m.butterfly(x), re, im) })
	roots := append(reValues[1:], imValues[1:]...) // which stay through a run
	once, code, registers := m.body.assemble(f, append(values, roots...), append(roots, results...)...)
	at := f.begin(fmt.Sprintf("pass%dNEON", radix), "", []string{"y", "x", "roots unsafe.Pointer", "m", "run int"})
	for i, p := range []string{"y", "x", "roots", "m", "run"} {
		f.line("MOVD %s, R%d", at[p], i)
	}
	f.flush()
	f.line("MOVD $%s<>(SB), R9", f.symbol)
	for _, s := range once {
		f.line("%s", s)
	}
	f.line("LSL $4, R4") // bytes of a run
	f.line("MUL R3, R4, R5")
	from, to := []string{"R1", "R11", "R12", "R13", "R14"}, []string{"R0", "R19", "R20", "R21", "R22"}
	for k := 1; k < radix; k++ {
		f.line("ADD R5, %s, %s", from[k-1], from[k])
		f.line("ADD R4, %s, %s", to[k-1], to[k])
	}
	f.line("MOVD $%d, R6", radix-1)
	f.line("MUL R4, R6") // from the end of a run to the next of the same element
	group, loop := f.newLabel("group"), f.newLabel("run")
	f.label(group)
	// A register that the body uses is free here.
	first := registers[values[0]]
	for k := 1; k < radix; k++ {
		f.line("FMOVQ.P 16(R2), F%d", first)
		f.word("dup0d", false, registers[reValues[k]], first, 0, 0)
		f.word("dup1d", false, registers[imValues[k]], first, 0, 0)
		f.line("FMOVQ %d(R9), F%d", f.vector(realNegated.low, realNegated.high), first)
		f.word("eor", false, registers[imValues[k]], registers[imValues[k]], first, 0)
	}
	f.line("MOVD R4, R7")
	f.label(loop)
	for k := range radix {
		f.line("FMOVQ.P 16(%s), F%d", from[k], registers[values[k]])
	}
	for _, s := range code {
		f.line("%s", s)
	}
	for k, v := range results {
		f.line("FMOVQ.P F%d, 16(%s)", registers[v], to[k])
	}
	f.line("SUBS $16, R7")
	f.line("BNE %s", loop)
	for k := range radix {
		f.line("ADD R6, %s", to[k])
	}
	f.line("SUBS $1, R3")
	f.line("BNE %s", group)
	f.end(true)
}
