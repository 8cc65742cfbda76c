package main

// The passes of Fourier transforms (see package fft) on vectors of complex numbers, whose real and imaginary parts take turns.

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() {
	for _, l := range levels {
		register("../fft/pass_"+strings.ToLower(l.String())+"_amd64", func(c *build.Context) {
			m := &machine{Context: c, level: l, f64: true, constants: map[string]Mem{}}
			m.pass4First()
			for radix := 2; radix <= 5; radix++ {
				m.pass(radix)
			}
		})
	}
}

const complexSize = 16

// swapped returns complex numbers with their real and imaginary parts exchanged.
func (m *machine) swapped(x Op) Op {
	if m.neon() {
		return m.arm("ext8", 0, x, x)
	}
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

// turned multiplies complex numbers by -i.
func (m *machine) turned(x Op) Op {
	if m.neon() {
		return m.xor(m.swapped(x), literal{high: 1 << 63})
	}
	var signs []Constant
	for range m.width() / 2 {
		signs = append(signs, U64(0), U64(1<<63))
	}
	d := m.vector()
	m.emit("VXORPD", m.data("fft_turn", signs...), m.swapped(x), d)
	return d
}

// butterfly returns the transform of two to five elements.
func (m *machine) butterfly(x []Op) []Op {
	switch len(x) {
	case 2:
		return []Op{m.add(x[0], x[1]), m.sub(x[0], x[1])}
	case 4:
		s, t := m.add(x[0], x[2]), m.sub(x[0], x[2])
		u, v := m.add(x[1], x[3]), m.turned(m.sub(x[1], x[3]))
		return []Op{m.add(s, u), m.add(t, v), m.sub(s, u), m.sub(t, v)}
	}
	// For odd radices elements k and r - k have roots that are conjugates: with their sums and differences results j and r - j are the sum and the
	// difference of a part of cosines and one of sines.
	r := len(x)
	y := make([]Op, r)
	var sums, differences [3]Op
	y[0] = x[0]
	for k := 1; k <= r/2; k++ {
		sums[k], differences[k] = m.add(x[k], x[r-k]), m.sub(x[k], x[r-k])
		y[0] = m.add(y[0], sums[k])
	}
	for j := 1; j <= r/2; j++ {
		even := x[0]
		var odd Op
		for k := 1; k <= r/2; k++ {
			sin, cos := math.Sincos(2 * math.Pi * float64(j*k%r) / float64(r))
			even = m.fma(sums[k], m.f(cos), even)
			if odd == nil {
				odd = m.mul(differences[k], m.f(sin))
			} else {
				odd = m.fma(differences[k], m.f(sin), odd)
			}
		}
		odd = m.turned(odd)
		y[j], y[r-j] = m.add(even, odd), m.sub(even, odd)
	}
	return y
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
	z := m.butterfly(m.spaced(4, x, step, step3))
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
func (m *machine) transposed(z []Op) (rows [4]Op) {
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

// spaced loads vectors that lie n steps from x on.
func (m *machine) spaced(n int, x, step, step3 reg.Register) []Op {
	vectors := make([]Op, n)
	at := places(x, step, step3)
	for k := range vectors {
		v := m.vector()
		m.emit("VMOVUPD", at[k], v)
		vectors[k] = v
	}
	return vectors
}

// places are 0 to 4 steps from p on.
func places(p, step, step3 reg.Register) [5]Mem {
	return [5]Mem{{Base: p}, {Base: p, Index: step, Scale: 1}, {Base: p, Index: step, Scale: 2}, {Base: p, Index: step3, Scale: 1}, {Base: p, Index: step, Scale: 4}}
}

// pass assembles the passes whose runs are whole vectors: for each of m groups it transforms x at i run + k m run, along the run, and stores
// the runs of the elements one after the other, each times its root, of which the first is left out.
func (m *machine) pass(radix int) {
	m.Function(fmt.Sprintf("pass%d%s", radix, m.level))
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
	root := func(k int) (re, im Op) {
		r, i := m.vector(), m.vector()
		m.emit("VBROADCASTSD", Mem{Base: roots, Disp: (k - 1) * complexSize}, r)
		m.emit("VBROADCASTSD", Mem{Base: roots, Disp: (k-1)*complexSize + 8}, i)
		return r, i
	}
	m.Label(group)
	var re, im [5]Op // unless there are too many for the registers
	if radix < 5 {
		for k := 1; k < radix; k++ {
			re[k], im[k] = root(k)
		}
	}
	m.MOVQ(run, q)
	m.Label(loop)
	for k, z := range m.butterfly(m.spaced(radix, x, step, step3)) {
		switch {
		case k == 0:
		case radix < 5:
			z = m.timesRoot(z, re[k], im[k])
		default:
			r, i := root(k)
			z = m.timesRoot(z, r, i)
		}
		m.emit("VMOVUPD", z, places(y, run, run3)[k])
	}
	m.ADDQ(I32(bytes), x)
	m.ADDQ(I32(bytes), y)
	m.SUBQ(I32(bytes), q)
	m.JNZ(LabelRef(loop))
	for range radix - 1 {
		m.ADDQ(run, y)
	}
	m.ADDQ(I32((radix-1)*complexSize), roots)
	m.DECQ(groups)
	m.JNZ(LabelRef(group))
	m.VZEROUPPER()
	m.RET()
}
