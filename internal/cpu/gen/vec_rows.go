package main

// Reductions of the rows and of the columns of a block, and the spreading of values along rows.

import (
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowKernel is a reduction: how it combines, what it starts from.
type rowKernel struct {
	kind     string // as the package calls it
	f64      bool
	combine  func(m *machine, x, y Op) Op
	identity float64
	ordered  bool // the maximum and the minimum, which must not lose NaN
	squares  bool // of the squares of the elements
}

func reductionKernels() []rowKernel {
	var all []rowKernel
	for _, f64 := range []bool{false, true} {
		all = append(all,
			rowKernel{kind: "Sum", f64: f64, combine: (*machine).add},
			rowKernel{kind: "Max", f64: f64, combine: (*machine).larger, identity: math.Inf(-1), ordered: true},
			rowKernel{kind: "Min", f64: f64, combine: (*machine).smaller, identity: math.Inf(1), ordered: true})
	}
	return all
}

// squareKernels add up squares, those of f32 in f32.
func squareKernels() []rowKernel {
	var all []rowKernel
	for _, f64 := range []bool{false, true} {
		all = append(all, rowKernel{kind: "Squares", f64: f64, combine: (*machine).add, squares: true})
	}
	return all
}

// columnKernels combine strictly one row after the other, NaN and signed zeros included.
func columnKernels() []rowKernel {
	var all []rowKernel
	for _, f64 := range []bool{false, true} {
		all = append(all,
			rowKernel{kind: "Sum", f64: f64, combine: (*machine).add},
			rowKernel{kind: "Prod", f64: f64, combine: (*machine).mul},
			rowKernel{kind: "Max", f64: f64, combine: (*machine).maximum},
			rowKernel{kind: "Min", f64: f64, combine: (*machine).minimum})
	}
	return all
}

// into assembles x into the register d.
func (m *machine) into(d, x Op) {
	if m.neon() {
		m.armInto(d, x)
		return
	}
	m.emit("VMOVAPS", x, d)
}

// unroll is the number of independent accumulators: what hides the latency of an addition.
const unroll = 4

// rows assembles the reduction of rows. Four accumulators take turns, then one takes what is left, the last vector padded with
// the identity. A sum of f32 is taken in f64.
func (m *machine) rows(k rowKernel, name string) {
	m.Function(name + m.level.String())
	keeping[name+m.level.String()] = k.kind == "Max" || k.kind == "Min"
	signature(m.Context, []string{"dst", "src"}, []string{"rows", "cols"})
	kind := rune(element)
	from := m.size()
	if k.kind == "Sum" && !m.f64 {
		m, kind = m.as(true), narrower
	}
	dst, src, rows, cols := m.argument("dst"), m.argument("src"), m.argument("rows"), m.argument("cols")
	row, many, single, last, settle, done := m.label("row"), m.label("many"), m.label("single"), m.label("last"), m.label("settle"), m.label("done")
	m.TESTQ(rows, rows)
	m.JZ(LabelRef(done))

	m.Label(row)
	left := m.GP64()
	m.MOVQ(cols, left)
	var acc [unroll]Op
	for j := range acc {
		acc[j] = m.vector()
	}
	nan := m.vector()
	if k.ordered {
		m.emit(m.pick("VBROADCASTSS", "VBROADCASTSD"), Mem{Base: dst}, acc[0])
		m.into(nan, m.nanSpots(acc[0], acc[0]))
		for _, a := range acc[1:] {
			m.into(a, acc[0])
		}
	} else {
		for _, a := range acc {
			m.emit("VXORPS", a, a, a)
		}
	}
	m.Label(many)
	m.CMPQ(left, I32(unroll*m.width()))
	m.JL(LabelRef(single))
	var x [unroll]Op
	for j := range x {
		x[j] = m.loadKind(kind, Mem{Base: src, Disp: j * m.width() * from}, nil)
		k.take(m, acc[j], x[j])
	}
	if k.ordered {
		for j := 0; j < unroll; j += 2 {
			m.into(nan, m.or(nan, m.nanSpots(x[j], x[j+1])))
		}
	}
	m.ADDQ(I32(unroll*m.width()*from), src)
	m.SUBQ(I32(unroll*m.width()), left)
	m.JMP(LabelRef(many))

	m.Label(single)
	one := func(x Op) {
		k.take(m, acc[0], x)
		if k.ordered {
			m.into(nan, m.or(nan, m.nanSpots(x, x)))
		}
	}
	m.CMPQ(left, I32(m.width()))
	m.JL(LabelRef(last))
	one(m.loadKind(kind, Mem{Base: src}, nil))
	m.ADDQ(I32(m.width()*from), src)
	m.SUBQ(I32(m.width()), left)
	m.JMP(LabelRef(single))

	m.Label(last)
	m.TESTQ(left, left)
	m.JZ(LabelRef(settle))
	m.LEAQ(Mem{Base: src, Index: left, Scale: uint8(from)}, src)
	m.NEGQ(left)
	t := m.tailMask(left)
	part := m.loadKind(kind, Mem{Base: src, Index: left, Scale: uint8(from)}, t)
	if k.ordered {
		part = m.choose(m.tailVector(t), part, m.f(k.identity))
	}
	one(part)

	m.Label(settle)
	total := k.combine(m, k.combine(m, acc[0], acc[1]), k.combine(m, acc[2], acc[3]))
	m.settle(k, total, nan, dst)
	if k.squares {
		m.ADDQ(I32(8), dst)
	} else {
		m.ADDQ(I32(m.size()), dst)
	}
	m.DECQ(rows)
	m.JNZ(LabelRef(row))
	m.Label(done)
	m.VZEROUPPER()
	m.RET()
}

// take combines the accumulator a with x.
func (k rowKernel) take(m *machine, a, x Op) {
	if k.squares {
		m.emit("VFMADD231"+m.pick("PS", "PD"), x, x, a)
		return
	}
	m.into(a, k.combine(m, a, x))
}

// nanSpots is a vector with bits set where x or y is NaN.
func (m *machine) nanSpots(x, y Op) Op { return m.compareVector(unordered, x, y) }

// tailVector is the mask of a partial vector in the form that choose takes.
func (m *machine) tailVector(t *tail) Op {
	if m.wide() {
		return t.k
	}
	return t.vectorMask(m, m.size(), m.vector())
}

// settle combines the elements of a vector, pairing halves, and then with what dst holds; an element of nan makes it NaN.
func (m *machine) settle(k rowKernel, x, nan Op, dst reg.GPVirtual) {
	small := m.as(m.f64)
	small.level = avx2
	fold := func(x Op, combine func(m *machine, x, y Op) Op) Op {
		v := x.(reg.VecVirtual)
		if m.wide() {
			h := m.YMM()
			m.VEXTRACTF64X4(U8(1), v, h)
			v = combine(small, h, v.AsY()).(reg.VecVirtual)
		}
		h := m.YMM()
		m.VEXTRACTF128(U8(1), v.AsY(), h.AsX())
		v = combine(small, v.AsY(), h).(reg.VecVirtual)
		h = m.YMM()
		m.VPERMILPD(U8(1), v.AsY(), h)
		v = combine(small, v.AsY(), h).(reg.VecVirtual)
		if !m.f64 {
			h = m.YMM()
			m.VPERMILPS(U8(0xb1), v.AsY(), h)
			v = combine(small, v.AsY(), h).(reg.VecVirtual)
		}
		return v.AsX()
	}
	sum := fold(x, k.combine)
	if !k.ordered {
		if !m.f64 {
			m.VCVTSS2SD(sum, sum, sum)
		}
		m.VADDSD(Mem{Base: dst}, sum, sum)
		m.VMOVSD(sum, Mem{Base: dst})
		return
	}
	// A set mask is NaN itself.
	spots := fold(nan, (*machine).or)
	m.VORPS(spots, sum, sum)
	m.emit(m.pick("VMOVSS", "VMOVSD"), sum, Mem{Base: dst})
}

// columns assembles the reduction of columns: dst in registers, four vectors, one or a part of one at a time, while all rows
// pass by.
func (m *machine) columns(k rowKernel, name string) {
	m.Function(name + m.level.String())
	keeping[name+m.level.String()] = k.kind == "Max" || k.kind == "Min"
	signature(m.Context, []string{"dst", "src"}, []string{"rows", "cols"})
	dst, src, rows, left := m.argument("dst"), m.argument("src"), m.argument("rows"), m.argument("cols")
	stride := m.GP64()
	m.MOVQ(left, stride)
	m.SHLQ(U8(map[bool]int{false: 2, true: 3}[m.f64]), stride)
	many, single, last, done := m.label("many"), m.label("single"), m.label("last"), m.label("done")
	m.TESTQ(rows, rows)
	m.JZ(LabelRef(done))

	// pass reduces n vectors; with a tail, dst and src point to their ends.
	pass := func(n int, t *tail, i reg.GPVirtual) {
		at := func(p reg.GPVirtual, j int) Mem {
			mem := Mem{Base: p, Disp: j * m.width() * m.size()}
			if t != nil {
				mem.Index, mem.Scale = i, uint8(m.size())
			}
			return mem
		}
		acc := make([]Op, n)
		for j := range acc {
			acc[j] = m.loadKind(element, at(dst, j), t)
		}
		row, count, p := m.label("row"), m.GP64(), m.GP64()
		m.MOVQ(rows, count)
		m.MOVQ(src, p)
		m.Label(row)
		for j := range acc {
			m.into(acc[j], k.combine(m, acc[j], m.loadKind(element, at(p, j), t)))
		}
		m.ADDQ(stride, p)
		m.DECQ(count)
		m.JNZ(LabelRef(row))
		for j := range acc {
			m.storeKind(element, acc[j], at(dst, j), t)
		}
	}
	for _, b := range []struct {
		label, next string
		n           int
	}{{many, single, unroll}, {single, last, 1}} {
		m.Label(b.label)
		m.CMPQ(left, I32(b.n*m.width()))
		m.JL(LabelRef(b.next))
		pass(b.n, nil, nil)
		m.ADDQ(I32(b.n*m.width()*m.size()), dst)
		m.ADDQ(I32(b.n*m.width()*m.size()), src)
		m.SUBQ(I32(b.n*m.width()), left)
		m.JMP(LabelRef(b.label))
	}
	m.Label(last)
	m.TESTQ(left, left)
	m.JZ(LabelRef(done))
	m.LEAQ(Mem{Base: dst, Index: left, Scale: uint8(m.size())}, dst)
	m.LEAQ(Mem{Base: src, Index: left, Scale: uint8(m.size())}, src)
	m.NEGQ(left)
	pass(1, m.tailMask(left), left)
	m.Label(done)
	m.VZEROUPPER()
	m.RET()
}

// splat assembles the spreading of elements of 1, 4 or 8 bytes along rows. The last vector of a row overlaps the one before it;
// rows shorter than a vector are stored element by element.
func (m *machine) splat(size int, name string) {
	m.Function(name + m.level.String())
	signature(m.Context, []string{"dst", "src"}, []string{"rows", "cols"})
	dst, src, rows, cols := m.argument("dst"), m.argument("src"), m.argument("rows"), m.argument("cols")
	bytes := 32
	if m.wide() {
		bytes = 64
	}
	width := bytes / size
	row, vectors, short, shortLoop, end, next, done := m.label("row"), m.label("vectors"), m.label("short"), m.label("each"), m.label("end"), m.label("next"), m.label("done")
	m.TESTQ(rows, rows)
	m.JZ(LabelRef(done))
	m.TESTQ(cols, cols)
	m.JZ(LabelRef(done))

	m.Label(row)
	left, one, v := m.GP64(), m.GP64(), m.vector()
	m.MOVQ(cols, left)
	m.CMPQ(left, I32(width))
	m.JL(LabelRef(short))
	m.emit(map[int]string{1: "VPBROADCASTB", 4: "VPBROADCASTD", 8: "VPBROADCASTQ"}[size], Mem{Base: src}, v)
	m.Label(vectors)
	m.emit("VMOVUPS", v, Mem{Base: dst})
	m.ADDQ(I32(bytes), dst)
	m.SUBQ(I32(width), left)
	m.CMPQ(left, I32(width))
	m.JGE(LabelRef(vectors))
	m.Label(end)
	m.LEAQ(Mem{Base: dst, Index: left, Scale: uint8(size)}, dst)
	m.emit("VMOVUPS", v, Mem{Base: dst, Disp: -bytes})
	m.JMP(LabelRef(next))

	m.Label(short)
	switch size {
	case 1:
		m.MOVB(Mem{Base: src}, one.As8())
	case 4:
		m.MOVL(Mem{Base: src}, one.As32())
	case 8:
		m.MOVQ(Mem{Base: src}, one)
	}
	m.Label(shortLoop)
	switch size {
	case 1:
		m.MOVB(one.As8(), Mem{Base: dst})
	case 4:
		m.MOVL(one.As32(), Mem{Base: dst})
	case 8:
		m.MOVQ(one, Mem{Base: dst})
	}
	m.ADDQ(I32(size), dst)
	m.DECQ(left)
	m.JNZ(LabelRef(shortLoop))

	m.Label(next)
	m.ADDQ(I32(size), src)
	m.DECQ(rows)
	m.JNZ(LabelRef(row))
	m.Label(done)
	m.VZEROUPPER()
	m.RET()
}

// byteKernel is a function of bools, which is an expression in and, or and xor.
type byteKernel struct {
	name  string
	arity int
	body  func(b *bitwise, x []Op) Op
}

func byteKernels() []byteKernel {
	return []byteKernel{
		{"Not", 1, func(b *bitwise, x []Op) Op { return b.xor(x[0], b.one) }},
		{"And", 2, func(b *bitwise, x []Op) Op { return b.and(x[0], x[1]) }},
		{"Or", 2, func(b *bitwise, x []Op) Op { return b.or(x[0], x[1]) }},
		{"Xor", 2, func(b *bitwise, x []Op) Op { return b.xor(x[0], x[1]) }},
		{"Ne", 2, func(b *bitwise, x []Op) Op { return b.xor(x[0], x[1]) }},
		{"Eq", 2, func(b *bitwise, x []Op) Op { return b.xor(b.xor(x[0], x[1]), b.one) }},
		{"Where", 3, func(b *bitwise, x []Op) Op { return b.xor(x[2], b.and(x[0], b.xor(x[1], x[2]))) }},
	}
}

// bitwise works on a vector of bytes or, for the last few, on one byte.
type bitwise struct {
	*machine
	single bool
	one    Op
}

func (b *bitwise) op(vector, scalar string, x, y Op) Op {
	if b.neon() {
		return b.op2(strings.TrimSuffix(vector, "PS"), x, y)
	}
	if b.single {
		d := b.GP32()
		b.MOVL(x, d)
		b.emit(scalar, y, d)
		return d
	}
	d := b.vector()
	b.emit(vector, y, x, d)
	return d
}

func (b *bitwise) and(x, y Op) Op { return b.op("VANDPS", "ANDL", x, y) }
func (b *bitwise) or(x, y Op) Op  { return b.op("VORPS", "ORL", x, y) }
func (b *bitwise) xor(x, y Op) Op { return b.op("VXORPS", "XORL", x, y) }

func (m *machine) byteFunction(k byteKernel) {
	m.Function("vec" + k.name + "Bool" + m.level.String())
	signature(m.Context, []string{"dst", "a", "b", "c"}, []string{"n"})
	dst, i, left := m.argument("dst"), m.GP64(), m.argument("n")
	var src []reg.GPVirtual
	for j := range k.arity {
		src = append(src, m.argument(string("abc"[j])))
	}
	ones := constant(0x01010101)
	bytes := m.width() * 4
	many, few, single, done := m.label("many"), m.label("few"), m.label("single"), m.label("done")
	m.XORQ(i, i)
	one := m.load(ones)
	m.Label(many)
	m.CMPQ(left, I32(bytes))
	m.JL(LabelRef(few))
	x := make([]Op, k.arity)
	for j := range x {
		x[j] = m.vector()
		m.emit("VMOVUPS", Mem{Base: src[j], Index: i, Scale: 1}, x[j])
	}
	m.emit("VMOVUPS", k.body(&bitwise{m, false, one}, x), Mem{Base: dst, Index: i, Scale: 1})
	m.ADDQ(I32(bytes), i)
	m.SUBQ(I32(bytes), left)
	m.JMP(LabelRef(many))
	m.Label(few)
	m.TESTQ(left, left)
	m.JZ(LabelRef(done))
	m.Label(single)
	for j := range x {
		r := m.GP32()
		m.MOVBLZX(Mem{Base: src[j], Index: i, Scale: 1}, r)
		x[j] = r
	}
	y := k.body(&bitwise{m, true, U8(1)}, x).(reg.GPVirtual)
	m.MOVB(y.As8(), Mem{Base: dst, Index: i, Scale: 1})
	m.INCQ(i)
	m.DECQ(left)
	m.JNZ(LabelRef(single))
	m.Label(done)
	m.VZEROUPPER()
	m.RET()
}
