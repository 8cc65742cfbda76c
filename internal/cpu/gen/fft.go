package main

// The passes of radix 4 of Fourier transforms (see package fft) on vectors of complex numbers, whose real and imaginary parts take turns.

import (
	"strings"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func init() {
	for _, l := range levels {
		register("../fft/pass_"+strings.ToLower(l.String())+"_amd64", func(c *build.Context) {
			m := &machine{Context: c, level: l, f64: true, constants: map[string]Mem{}}
			m.pass4First()
			m.pass4()
		})
	}
}

const complexSize = 16

// swapped returns complex numbers with their real and imaginary parts exchanged.
func (m *machine) swapped(x Op) Op {
	d := m.vector()
	m.emit("VPERMILPD", U8(0x55), x, d)
	return d
}

// timesRoot multiplies complex numbers by those whose real and imaginary parts fill both places of re and im.
func (m *machine) timesRoot(x, re, im Op) Op {
	cross := m.mul(m.swapped(x), im)
	d := m.copyOf(x)
	m.emit("VFMADDSUB213PD", cross, re, d)
	return d
}

// butterfly returns the transform of four elements.
func (m *machine) butterfly(a, b, c, d Op) [4]Op {
	var signs []Constant
	for range m.width() / 2 {
		signs = append(signs, U64(0), U64(1<<63))
	}
	s, t := m.add(a, c), m.sub(a, c)
	u, e := m.add(b, d), m.swapped(m.sub(b, d))
	v := m.vector()
	m.emit("VXORPD", m.data("fft_turn", signs...), e, v) // times -i
	return [4]Op{m.add(s, u), m.add(t, v), m.sub(s, u), m.sub(t, v)}
}

// pass4First assembles the first pass, whose runs have one element: it transforms x at i + k m, in vectors of i, and stores the four elements of
// each i one after the other, times their roots, of which the first is 1. n counts the vectors.
func (m *machine) pass4First() {
	m.Function("pass4First" + m.level.String())
	signature(m.Context, []string{"y", "x", "roots"}, []string{"m", "n"})
	y, x, roots, step, n := m.argument("y"), m.argument("x"), m.argument("roots"), m.argument("m"), m.argument("n")
	step3 := m.GP64()
	m.SHLQ(U8(4), step)
	m.LEAQ(Mem{Base: step, Index: step, Scale: 2}, step3)
	loop := m.label("first")
	bytes := m.width() * 8
	m.Label(loop)
	var in [4]Op
	for k, at := range [4]Mem{{Base: x}, {Base: x, Index: step, Scale: 1}, {Base: x, Index: step, Scale: 2}, {Base: x, Index: step3, Scale: 1}} {
		v := m.vector()
		m.emit("VMOVUPD", at, v)
		in[k] = v
	}
	z := m.butterfly(in[0], in[1], in[2], in[3])
	for i, row := range m.transposed(z) {
		w, re, im := m.vector(), m.vector(), m.vector()
		m.emit("VMOVUPD", Mem{Base: roots, Disp: i * bytes}, w)
		m.emit("VMOVDDUP", w, re)
		m.emit("VPERMILPD", U8(0xff>>(8-m.width())), w, im)
		m.emit("VMOVUPD", m.timesRoot(row, re, im), Mem{Base: y, Disp: i * bytes})
	}
	m.ADDQ(I32(bytes), x)
	m.ADDQ(I32(4*bytes), roots)
	m.ADDQ(I32(4*bytes), y)
	m.DECQ(n)
	m.JNZ(LabelRef(loop))
	m.VZEROUPPER()
	m.RET()
}

// transposed returns the vectors of complex numbers z0 z1 z2 z3 of the first lane, then of the next, and so on.
func (m *machine) transposed(z [4]Op) (rows [4]Op) {
	name := "VPERM2F128"
	if m.wide() {
		name = "VSHUFF64X2"
	}
	mixed := func(how U8, a, b Op) Op {
		d := m.vector()
		m.emit(name, how, b, a, d)
		return d
	}
	if !m.wide() {
		return [4]Op{mixed(0x20, z[0], z[1]), mixed(0x20, z[2], z[3]), mixed(0x31, z[0], z[1]), mixed(0x31, z[2], z[3])}
	}
	a, b, c, d := mixed(0x44, z[0], z[1]), mixed(0xee, z[0], z[1]), mixed(0x44, z[2], z[3]), mixed(0xee, z[2], z[3])
	return [4]Op{mixed(0x88, a, c), mixed(0xdd, a, c), mixed(0x88, b, d), mixed(0xdd, b, d)}
}

// pass4 assembles the other passes, whose runs are whole vectors: for each of m groups it transforms x at i run + k m run, along the run, and stores
// the runs of the four elements one after the other, each times its root, of which the first is left out.
func (m *machine) pass4() {
	m.Function("pass4" + m.level.String())
	signature(m.Context, []string{"y", "x", "roots"}, []string{"m", "run"})
	y, x, roots, groups, run := m.argument("y"), m.argument("x"), m.argument("roots"), m.argument("m"), m.argument("run")
	m.SHLQ(U8(4), run)
	step, step3, run3, q := m.GP64(), m.GP64(), m.GP64(), m.GP64()
	m.MOVQ(run, step)
	m.IMULQ(groups, step)
	m.LEAQ(Mem{Base: step, Index: step, Scale: 2}, step3)
	m.LEAQ(Mem{Base: run, Index: run, Scale: 2}, run3)
	group, loop := m.label("group"), m.label("run")
	bytes := m.width() * 8
	m.Label(group)
	var re, im [4]Op
	for k := 1; k < 4; k++ {
		r, i := m.vector(), m.vector()
		m.emit("VBROADCASTSD", Mem{Base: roots, Disp: (k - 1) * complexSize}, r)
		m.emit("VBROADCASTSD", Mem{Base: roots, Disp: (k-1)*complexSize + 8}, i)
		re[k], im[k] = r, i
	}
	m.MOVQ(run, q)
	m.Label(loop)
	var in [4]Op
	for k, at := range [4]Mem{{Base: x}, {Base: x, Index: step, Scale: 1}, {Base: x, Index: step, Scale: 2}, {Base: x, Index: step3, Scale: 1}} {
		v := m.vector()
		m.emit("VMOVUPD", at, v)
		in[k] = v
	}
	z := m.butterfly(in[0], in[1], in[2], in[3])
	for k, at := range [4]Mem{{Base: y}, {Base: y, Index: run, Scale: 1}, {Base: y, Index: run, Scale: 2}, {Base: y, Index: run3, Scale: 1}} {
		if k > 0 {
			z[k] = m.timesRoot(z[k], re[k], im[k])
		}
		m.emit("VMOVUPD", z[k], at)
	}
	m.ADDQ(I32(bytes), x)
	m.ADDQ(I32(bytes), y)
	m.SUBQ(I32(bytes), q)
	m.JNZ(LabelRef(loop))
	m.ADDQ(run3, y)
	m.ADDQ(I32(3*complexSize), roots)
	m.DECQ(groups)
	m.JNZ(LabelRef(group))
	m.VZEROUPPER()
	m.RET()
}
