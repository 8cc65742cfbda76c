package main

// Indices: whether all lie within an axis, and the elements at them.

import (
	. "github.com/mmcloughlin/avo/operand"
)

// outsideFunction is the name of a function of indices of 32 or 64 bits, on machines of f32 or f64.
func outsideFunction(i64 bool) string {
	if i64 {
		return "vecOutsideI64"
	}
	return "vecOutsideI32"
}

// outside assembles the function that returns 0 if none of n indices is outside of 0 to last: of an index and its distance to last, one is negative
// otherwise. The rest that fills no group of vectors is left to others.
func (m *machine) outside(name string) {
	m.Function(name + m.level.String())
	signature(m.Context, []string{"at"}, []string{"n", "last"}, "found")
	at, left, limit := m.argument("at"), m.argument("n"), m.argument("last")
	last, found := m.vector(), m.vector()
	m.emit("VMOVQ", limit, last.AsX())
	m.emit(m.pick("VPBROADCASTD", "VPBROADCASTQ"), last.AsX(), last)
	m.emit("VXORPS", found, found, found)
	loop, done := m.label("loop"), m.label("done")
	m.Label(loop)
	m.SUBQ(I32(unroll*m.width()), left)
	m.JL(LabelRef(done))
	for j := range unroll {
		x := m.loadKind(element, Mem{Base: at, Disp: j * m.width() * m.size()}, nil)
		m.into(found, m.or(found, m.or(x, m.isub(last, x))))
	}
	m.ADDQ(I32(unroll*m.width()*m.size()), at)
	m.JMP(LabelRef(loop))
	m.Label(done)
	bits := m.GP32()
	if m.wide() {
		m.KMOVW(m.signMask(found), bits)
	} else {
		m.emit(m.pick("VMOVMSKPS", "VMOVMSKPD"), found, bits)
	}
	m.VZEROUPPER()
	m.Store(bits.As64(), m.Return("found"))
	m.RET()
}
