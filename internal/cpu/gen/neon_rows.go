package main

// Reductions of rows and of columns, the spreading of elements, functions of bools, the range of indices and the transpose, for NEON.

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
)

// bump adds to a pointer.
func (f *neonFile) bump(register string, n int) { f.line("ADD $%d, %s", n, register) }

// while writes a loop that runs as long as at least n are left in R4, and leaves there what is left then.
func (f *neonFile) while(n int, body func()) {
	loop, done := f.newLabel("loop"), f.newLabel("done")
	f.line("SUBS $%d, R4", n)
	f.line("BLT %s", done)
	f.label(loop)
	body()
	f.line("SUBS $%d, R4", n)
	f.line("BGE %s", loop)
	f.label(done)
	f.line("ADD $%d, R4", n)
}

// scalar is the letter of moves of one element.
func (m *machine) scalar() string { return m.pick("S", "D") }

// neonRows assembles the reduction of rows. Four accumulators, V0 to V3, take turns; then one takes what is left.
func (m *machine) neonRows(k rowKernel, name string) {
	f := m.out
	size, width := m.size(), m.width()
	at := f.begin(name+m.level.String(), "", []string{"dst", "src unsafe.Pointer", "rows", "cols int"})
	for i, p := range []string{"dst", "src", "rows", "cols"} {
		f.line("MOVD %s, R%d", at[p], i)
	}
	widens := k.kind == "Sum" && !m.f64
	op := map[string]string{"Sum": "fadd", "Squares": "fmla", "Max": "fmax", "Min": "fmin"}[k.kind]
	double := m.f64 || widens
	take := func(acc, x int) {
		if k.squares {
			f.word(op, double, acc, x, x, 0)
		} else {
			f.word(op, double, acc, acc, x, 0)
		}
	}
	if !k.ordered {
		f.flush()
	}
	row, done := f.newLabel("row"), f.newLabel("end")
	f.line("CBZ R2, %s", done)
	f.label(row)
	f.line("MOVD R3, R4")
	for acc := range unroll {
		switch {
		case !k.ordered:
			f.word("movi0", false, acc, 0, 0, 0)
		case m.f64:
			f.line("VLD1R (R0), [V%d.D2]", acc)
		default:
			f.line("VLD1R (R0), [V%d.S4]", acc)
		}
	}
	if widens {
		f.while(2*width, func() {
			f.line("FMOVQ.P 16(R1), F4")
			f.line("FMOVQ.P 16(R1), F5")
			for acc, from := range []int{4, 4, 5, 5} {
				f.word([]string{"fcvtl", "fcvtl2"}[acc%2], false, 16+acc, from, 0, 0)
				take(acc, 16+acc)
			}
		})
		f.while(width, func() {
			f.line("FMOVQ.P 16(R1), F4")
			f.word("fcvtl", false, 16, 4, 0, 0)
			f.word("fcvtl2", false, 17, 4, 0, 0)
			take(0, 16)
			take(1, 17)
		})
		f.while(1, func() {
			f.line("FMOVS.P 4(R1), F4")
			f.word("fcvtl", false, 4, 4, 0, 0)
			take(0, 4)
		})
	} else {
		f.while(unroll*width, func() {
			for acc := range unroll {
				f.line("FMOVQ.P 16(R1), F%d", 4+acc)
			}
			for acc := range unroll {
				take(acc, 4+acc)
			}
		})
		f.while(width, func() {
			f.line("FMOVQ.P 16(R1), F4")
			take(0, 4)
		})
		f.while(1, func() {
			f.line("FMOV%s.P %d(R1), F4", m.scalar(), size)
			if k.ordered {
				f.word(map[bool]string{false: "dup0", true: "dup0d"}[m.f64], false, 4, 4, 0, 0)
			}
			take(0, 4)
		})
	}
	if k.squares {
		op = "fadd"
	}
	f.word(op, double, 0, 0, 1, 0)
	f.word(op, double, 2, 2, 3, 0)
	f.word(op, double, 0, 0, 2, 0)
	switch {
	case k.ordered:
		f.word(map[bool]string{false: op + "v", true: op + "p64"}[m.f64], false, 0, 0, 0, 0)
		f.line("FMOV%s.P F0, %d(R0)", m.scalar(), size)
	default:
		if double {
			f.word("faddp64", false, 0, 0, 0, 0)
		} else {
			f.word("faddp", false, 0, 0, 0, 0)
			f.word("faddp32", false, 0, 0, 0, 0)
			f.line("FCVTSD F0, F0")
		}
		f.line("FMOVD (R0), F1")
		f.line("FADDD F1, F0")
		f.line("FMOVD.P F0, 8(R0)")
	}
	f.line("SUBS $1, R2")
	f.line("BNE %s", row)
	f.label(done)
	f.end(!k.ordered)
}

// neonColumns assembles the reduction of columns: some vectors of dst are in registers while all rows pass by.
func (m *machine) neonColumns(k rowKernel, name string) {
	f := m.out
	size, width := m.size(), m.width()
	at := f.begin(name+m.level.String(), "", []string{"dst", "src unsafe.Pointer", "rows", "cols int"})
	for i, p := range []string{"dst", "src", "rows", "cols"} {
		f.line("MOVD %s, R%d", at[p], map[int]int{0: 0, 1: 1, 2: 2, 3: 4}[i])
	}
	op := map[string]string{"Sum": "fadd", "Prod": "fmul", "Max": "fmax", "Min": "fmin"}[k.kind]
	flushed := k.kind == "Sum" || k.kind == "Prod"
	if flushed {
		f.flush()
	}
	done := f.newLabel("end")
	f.line("CBZ R2, %s", done)
	f.line("LSL $%d, R4, R3", map[bool]int{false: 2, true: 3}[m.f64]) // bytes of a row
	pass := func(n int, letter string, bytes int) {
		f.while(n, func() {
			vectors := max(n/width, 1)
			for j := range vectors {
				f.line("FMOV%s %d(R0), F%d", letter, j*bytes, j)
			}
			f.line("MOVD R1, R5")
			f.line("MOVD R2, R6")
			row := f.newLabel("row")
			f.label(row)
			for j := range vectors {
				f.line("FMOV%s %d(R5), F%d", letter, j*bytes, 16+j)
			}
			f.line("ADD R3, R5")
			for j := range vectors {
				f.word(op, m.f64, j, j, 16+j, 0)
			}
			f.line("SUBS $1, R6")
			f.line("BNE %s", row)
			for j := range vectors {
				f.line("FMOV%s.P F%d, %d(R0)", letter, j, bytes)
			}
			f.bump("R1", vectors*bytes)
		})
	}
	pass(8*width, "Q", 16)
	pass(width, "Q", 16)
	if !m.f64 {
		pass(2, "D", 8)
	}
	pass(1, m.scalar(), size)
	f.label(done)
	f.end(flushed)
}

// neonSplat assembles the spreading of elements along rows. The last vector of a row overlaps the one before it.
func (m *machine) neonSplat(size int, name string) {
	f := m.out
	at := f.begin(name+m.level.String(), "", []string{"dst", "src unsafe.Pointer", "rows", "cols int"})
	for i, p := range []string{"dst", "src", "rows", "cols"} {
		f.line("MOVD %s, R%d", at[p], i)
	}
	width, shift := 16/size, map[int]int{1: 0, 4: 2, 8: 3}[size]
	row, short, each, next, done := f.newLabel("row"), f.newLabel("short"), f.newLabel("each"), f.newLabel("next"), f.newLabel("end")
	vectors := f.newLabel("vectors")
	f.line("CBZ R2, %s", done)
	f.line("CBZ R3, %s", done)
	f.label(row)
	f.line("VLD1R (R1), [V0.%s]", map[int]string{1: "B16", 4: "S4", 8: "D2"}[size])
	f.bump("R1", size)
	f.line("SUBS $%d, R3, R4", width)
	f.line("BLT %s", short)
	f.label(vectors)
	f.line("FMOVQ.P F0, 16(R0)")
	f.line("SUBS $%d, R4", width)
	f.line("BGE %s", vectors)
	f.line("ADD R4<<%d, R0", shift) // 16 bytes before the end of the row
	f.line("FMOVQ.P F0, 16(R0)")
	f.line("B %s", next)
	f.label(short)
	f.line("MOVD R3, R4")
	f.line("FMOVD F0, R10")
	f.label(each)
	f.line("%s.P R10, %d(R0)", map[int]string{1: "MOVB", 4: "MOVW", 8: "MOVD"}[size], size)
	f.line("SUBS $1, R4")
	f.line("BNE %s", each)
	f.label(next)
	f.line("SUBS $1, R2")
	f.line("BNE %s", row)
	f.label(done)
	f.end(false)
}

// neonBytes assembles a function of bools, by 16 bytes and then by single ones.
func (m *machine) neonBytes(k byteKernel) {
	f := m.out
	var x []Op
	var inputs []*value
	for range k.arity {
		v := newInput()
		x, inputs = append(x, v), append(inputs, v)
	}
	var result *value
	m.record(func(m *machine) { result = k.body(&bitwise{m, false, constant(0x01010101)}, x).(*value) })
	once, code, registers := m.body.assemble(f, inputs, result)
	at := f.begin("vec"+k.name+"Bool"+m.level.String(), "", []string{"dst", "a", "b", "c unsafe.Pointer", "n int"})
	for i, p := range []string{"dst", "a", "b", "c"}[:k.arity+1] {
		f.line("MOVD %s, R%d", at[p], i)
	}
	f.line("MOVD %s, R4", at["n"])
	if len(once) > 0 {
		f.line("MOVD $%s<>(SB), R9", f.symbol)
	}
	for _, s := range once {
		f.line("%s", s)
	}
	f.while(16, func() {
		for j, v := range inputs {
			f.line("FMOVQ.P 16(R%d), F%d", j+1, registers[v])
		}
		for _, s := range code {
			f.line("%s", s)
		}
		f.line("FMOVQ.P F%d, 16(R0)", registers[result])
	})
	f.while(1, func() {
		for j, v := range inputs {
			f.line("MOVBU.P 1(R%d), R10", j+1)
			f.line("FMOVS R10, F%d", registers[v])
		}
		for _, s := range code {
			f.line("%s", s)
		}
		f.line("FMOVS F%d, R10", registers[result])
		f.line("MOVB.P R10, 1(R0)")
	})
	f.end(false)
}

// neonOutside assembles the function that outside describes.
func (m *machine) neonOutside(name string) {
	f := m.out
	at := f.begin(name+m.level.String(), "", []string{"at unsafe.Pointer", "n", "last int"}, "found int")
	f.line("MOVD %s, R0", at["at"])
	f.line("MOVD %s, R4", at["n"])
	f.line("MOVD %s, R2", at["last"])
	f.line("VDUP R2, V0.%s", m.pick("S4", "D2"))
	f.word("movi0", false, 1, 0, 0, 0)
	f.while(unroll*m.width(), func() {
		for j := range unroll {
			f.line("FMOVQ.P 16(R0), F%d", 4+j)
		}
		for j := range unroll {
			f.word("sub", m.f64, 16+j, 0, 4+j, 0)
			f.word("orr", false, 1, 1, 4+j, 0)
			f.word("orr", false, 1, 1, 16+j, 0)
		}
	})
	f.word("cmlt", m.f64, 1, 1, 0, 0)
	f.word("umaxv", false, 1, 1, 0, 0)
	f.line("FMOVS F1, R10")
	f.line("MOVD R10, %s", at["found"])
	f.end(false)
}

// neonTranspose assembles the copy of a matrix to its transpose, in blocks of as many rows as a vector has lanes. Strides are in bytes.
func (m *machine) neonTranspose() {
	f := m.out
	n := m.width()
	name := fmt.Sprintf("gemm%dTranspose", m.size()*8)
	at := f.begin(name, fmt.Sprintf("%s copies src, rows by cols, to dst, cols by rows. Both counts are multiples of %d and not 0.", name, n),
		[]string{"dst *byte", "dstRow int", "src *byte", "srcRow int", "rows int", "cols int"})
	for i, p := range []string{"dst", "dstRow", "src", "srcRow", "rows", "cols"} {
		f.line("MOVD %s, R%d", at[p], i)
	}
	rows, block := f.newLabel("rows"), f.newLabel("block")
	f.label(rows)
	f.line("MOVD R0, R7")
	f.line("MOVD R5, R8")
	f.line("MOVD R2, R11")
	for i := 1; i < n; i++ {
		f.line("ADD R3, R%d, R%d", 10+i, 11+i)
	}
	f.label(block)
	for i := range n {
		f.line("FMOVQ.P 16(R%d), F%d", 11+i, i)
	}
	out := []int{4, 5}
	if m.f64 {
		f.word("zip1", true, 4, 0, 1, 0)
		f.word("zip2", true, 5, 0, 1, 0)
	} else {
		out = []int{16, 17, 18, 19}
		for i := range 2 {
			f.word("zip1", false, 4+2*i, i, i+2, 0)
			f.word("zip2", false, 5+2*i, i, i+2, 0)
		}
		for i := range 2 {
			f.word("zip1", false, 16+2*i, 4+i, 6+i, 0)
			f.word("zip2", false, 17+2*i, 4+i, 6+i, 0)
		}
	}
	for _, r := range out {
		f.line("FMOVQ F%d, (R7)", r)
		f.line("ADD R1, R7")
	}
	f.line("SUBS $%d, R8", n)
	f.line("BNE %s", block)
	f.line("ADD R3<<%d, R2", map[int]int{4: 2, 2: 1}[n])
	f.bump("R0", 16)
	f.line("SUBS $%d, R4", n)
	f.line("BNE %s", rows)
	f.end(false)
}
