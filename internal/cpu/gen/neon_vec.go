package main

// The loops around the bodies of vector functions for NEON. The last, partial vector goes through the same code: it is loaded and stored element by
// element, as nothing beyond may be touched.

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/operand"
)

// neonMachine returns a machine that writes into a file.
func neonMachine(f *neonFile, f64 bool) *machine {
	return &machine{level: neon, f64: f64, out: f}
}

// record lets a body record its instructions.
func (m *machine) record(body func(m *machine)) {
	m.body = &recorder{indices: map[Op]Op{}}
	body(m)
}

// neonFunction assembles one kernel. R0 to R3 are the blocks; R4 counts the elements that are left, less a vector, and R5 those of the last one.
func (m *machine) neonFunction(k vecKernel) {
	f, width := m.out, m.width()
	var x []Op
	var inputs []*value
	for range k.in {
		v := newInput()
		x, inputs = append(x, v), append(inputs, v)
	}
	finish, loop, compute, tail, part := f.newLabel("done"), f.newLabel("loop"), f.newLabel("compute"), f.newLabel("tail"), f.newLabel("part")
	var result *value
	m.record(func(m *machine) {
		if k.beyond != nil {
			m.armJump("jumpAny", k.beyond(m, x), finish)
		}
		result = k.body(m, x).(*value)
	})
	once, code, registers := m.body.assemble(f, inputs, result)
	flushed := !k.keeps && (m.body.flushes() || strings.ContainsAny(k.in+string(k.out), string(narrower)))

	var at map[string]string
	if k.beyond != nil {
		at = f.begin(k.name+m.level.String(), "", []string{"dst", "a unsafe.Pointer", "n int"}, "done int")
	} else {
		at = f.begin(k.name+m.level.String(), "", []string{"dst", "a", "b", "c unsafe.Pointer", "n int"})
	}
	f.line("MOVD %s, R0", at["dst"])
	for j := range k.in {
		f.line("MOVD %s, R%d", at[string("abc"[j])], j+1)
	}
	f.line("MOVD %s, R4", at["n"])
	if flushed {
		f.flush()
	}
	if text := strings.Join(append(once, code...), "\n"); strings.Contains(text, "(R9)") {
		f.line("MOVD $%s<>(SB), R9", f.symbol)
	}
	for _, s := range once {
		f.line("%s", s)
	}
	f.line("SUBS $%d, R4", width)
	f.line("BLT %s", tail)
	f.label(loop)
	for j, kind := range k.in {
		m.neonLoad(kind, j+1, registers[inputs[j]], false)
	}
	f.label(compute)
	for _, s := range code {
		if strings.HasSuffix(s, ":") {
			f.asm.WriteString(s + "\n")
		} else {
			f.line("%s", s)
		}
	}
	f.line("TBNZ $63, R4, %s", part)
	m.neonStore(k.out, registers[result], false)
	f.line("SUBS $%d, R4", width)
	f.line("BGE %s", loop)
	f.label(tail)
	f.line("ADDS $%d, R4, R5", width)
	f.line("BEQ %s", finish)
	for j, kind := range k.in {
		m.neonLoad(kind, j+1, registers[inputs[j]], true)
	}
	f.line("B %s", compute)
	f.label(part)
	m.neonStore(k.out, registers[result], true)
	if k.beyond != nil {
		f.line("MOVD $-%d, R4", width)
	}
	f.label(finish)
	if k.beyond != nil {
		f.line("MOVD %s, R6", at["n"])
		f.line("SUB R4, R6")
		f.line("SUB $%d, R6", width)
		f.line("MOVD R6, %s", at["done"])
	}
	f.end(flushed)
}

// neonLoad loads a vector of operands from a block into the register d, or a part of one, with zeros behind it.
func (m *machine) neonLoad(kind rune, block, d int, part bool) {
	f := m.out
	convert := func(op string) { f.word(op, m.f64, d, d, d, 0) }
	switch kind {
	case element:
		switch {
		case !part:
			f.line("FMOVQ.P 16(R%d), F%d", block, d)
		case m.f64:
			f.line("FMOVD (R%d), F%d", block, d)
		default:
			one, done := f.newLabel("one"), f.newLabel("loaded")
			f.line("TBZ $1, R5, %s", one)
			f.line("FMOVD (R%d), F%d", block, d)
			f.line("TBZ $0, R5, %s", done)
			f.line("ADD $8, R%d, R10", block)
			f.line("VLD1 (R10), V%d.S[2]", d)
			f.line("B %s", done)
			f.label(one)
			f.line("FMOVS (R%d), F%d", block, d)
			f.label(done)
		}
	case narrower, word:
		if part {
			f.line("FMOVS (R%d), F%d", block, d)
		} else {
			f.line("FMOVD.P 8(R%d), F%d", block, d)
		}
		if kind == narrower {
			convert("fcvtl")
		} else {
			convert("uxtl32")
			convert("ucvtf")
		}
	case boolean:
		switch {
		case !part && !m.f64:
			f.line("FMOVS.P 4(R%d), F%d", block, d)
		case !part:
			f.line("MOVHU.P 2(R%d), R10", block)
		case m.f64:
			f.line("MOVBU (R%d), R10", block)
		default:
			one, done := f.newLabel("one"), f.newLabel("loaded")
			f.line("TBZ $1, R5, %s", one)
			f.line("MOVHU (R%d), R10", block)
			f.line("TBZ $0, R5, %s", done)
			f.line("MOVBU 2(R%d), R11", block)
			f.line("ORR R11<<16, R10")
			f.line("B %s", done)
			f.label(one)
			f.line("MOVBU (R%d), R10", block)
			f.label(done)
		}
		if part || m.f64 {
			f.line("FMOVS R10, F%d", d)
		}
		convert("uxtl8")
		convert("uxtl16")
		if m.f64 {
			convert("uxtl32")
		}
		convert("cmtst")
	default:
		panic(fmt.Sprintf("no operands of kind %q", kind))
	}
}

// neonStore stores the vector of results in the register d, or a part of it.
func (m *machine) neonStore(kind rune, d int, part bool) {
	f := m.out
	switch kind {
	case element:
		switch {
		case !part:
			f.line("FMOVQ.P F%d, 16(R0)", d)
		case m.f64:
			f.line("FMOVD F%d, (R0)", d)
		default:
			one, done := f.newLabel("one"), f.newLabel("stored")
			f.line("TBZ $1, R5, %s", one)
			f.line("FMOVD F%d, (R0)", d)
			f.line("TBZ $0, R5, %s", done)
			f.line("ADD $8, R0, R10")
			f.line("VST1 V%d.S[2], (R10)", d)
			f.line("B %s", done)
			f.label(one)
			f.line("FMOVS F%d, (R0)", d)
			f.label(done)
		}
	case narrower:
		f.word("fcvtn", false, d, d, 0, 0)
		if part {
			f.line("FMOVS F%d, (R0)", d)
		} else {
			f.line("FMOVD.P F%d, 8(R0)", d)
		}
	case boolean:
		f.word("ushr", m.f64, d, d, 0, m.size()*8-1)
		if m.f64 {
			f.word("xtn32", false, d, d, 0, 0)
		}
		f.word("xtn16", false, d, d, 0, 0)
		f.word("xtn8", false, d, d, 0, 0)
		if !part && !m.f64 {
			f.line("FMOVS.P F%d, 4(R0)", d)
			return
		}
		f.line("FMOVS F%d, R10", d)
		switch {
		case !part:
			f.line("MOVH.P R10, 2(R0)")
		case m.f64:
			f.line("MOVB R10, (R0)")
		default:
			one, done := f.newLabel("one"), f.newLabel("stored")
			f.line("TBZ $1, R5, %s", one)
			f.line("MOVH R10, (R0)")
			f.line("TBZ $0, R5, %s", done)
			f.line("LSR $16, R10")
			f.line("MOVB R10, 2(R0)")
			f.line("B %s", done)
			f.label(one)
			f.line("MOVB R10, (R0)")
			f.label(done)
		}
	}
}
