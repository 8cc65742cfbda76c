package main

// Integers, on the same machine: i32 in the place of f32 and i64 in that of f64. Both instruction sets have little for i64,
// so it gets what masks and indices need.

import . "github.com/mmcloughlin/avo/operand"

func (m *machine) integer(name string, x, y Op) Op {
	if m.neon() {
		return m.arm(map[string]string{"VPMULLD": "mul", "VPMINSD": "smin", "VPMAXSD": "smax"}[name], 0, x, y)
	}
	d := m.vector()
	m.emit(name, y, m.in(x), d)
	return d
}

func (m *machine) imul(x, y Op) Op { return m.integer("VPMULLD", x, y) }
func (m *machine) imin(x, y Op) Op { return m.integer("VPMINSD", x, y) }
func (m *machine) imax(x, y Op) Op { return m.integer("VPMAXSD", x, y) }

// shiftRightBy keeps the sign. AVX2 has no such shift of i64: numbers below zero are negated bit by bit before and after.
func (m *machine) shiftRightBy(x, n Op) Op {
	if m.neon() {
		most := constant(m.size()*8 - 1)
		n = m.choose(m.arm("cmhi", 0, most, n), n, most)
		return m.arm("sshl", 0, x, m.arm("neg", 0, n))
	}
	if m.wide() || !m.f64 {
		return m.integer(m.pick("VPSRAVD", "VPSRAVQ"), x, n)
	}
	negative := m.integer("VPCMPGTQ", constant(0), x)
	return m.xor(m.integer("VPSRLVQ", m.xor(x, negative), n), negative)
}

// shiftLeftBy is 0 for shifts by as many bits as there are, or more.
func (m *machine) shiftLeftBy(x, n Op) Op {
	if m.neon() { // of the shift it takes 8 bits, with a sign
		return m.and(m.arm("ushl", 0, x, n), m.arm("cmhi", 0, constant(m.size()*8), n))
	}
	return m.integer(m.pick("VPSLLVD", "VPSLLVQ"), x, n)
}

func (m *machine) iabs(x Op) Op {
	if m.neon() {
		return m.arm("abs", 0, x)
	}
	d := m.vector()
	m.emit("VPABSD", x, d)
	return d
}

// Integer comparisons: the immediate of the AVX-512 instruction.
const (
	iEqual        = U8(0)
	iLess         = U8(1)
	iLessEqual    = U8(2)
	iNotEqual     = U8(4)
	iGreaterEqual = U8(5)
	iGreater      = U8(6)
)

// icompare returns a mask. AVX2 knows equal and greater only, and the others by exchange and negation.
func (m *machine) icompare(how U8, x, y Op) Op {
	if m.neon() {
		return m.armIntegerCompare(how, x, y)
	}
	if m.wide() {
		d := m.K()
		m.emit(m.pick("VPCMPD", "VPCMPQ"), how, y, x, d)
		return d
	}
	greater, same := m.pick("VPCMPGTD", "VPCMPGTQ"), m.pick("VPCMPEQD", "VPCMPEQQ")
	not := func(mask Op) Op { return m.xor(mask, 2*m.rest()+1) }
	switch how {
	case iEqual:
		return m.integer(same, x, y)
	case iNotEqual:
		return not(m.integer(same, x, y))
	case iGreater:
		return m.integer(greater, x, y)
	case iLessEqual:
		return not(m.integer(greater, x, y))
	case iLess:
		return m.integer(greater, y, x)
	}
	return not(m.integer(greater, y, x))
}

// integerKernels are the functions of i32, or of i64 those that both instruction sets know.
func integerKernels(i64 bool) []vecKernel {
	kernel := func(name, in string, out rune, body func(m *machine, x []Op) Op) vecKernel {
		return vecKernel{name: name, integer: true, f64: i64, in: in, out: out, body: body}
	}
	compare := func(name string, how U8) vecKernel {
		return kernel(name, "xx", boolean, func(m *machine, x []Op) Op { return m.icompare(how, x[0], x[1]) })
	}
	zero := constant(0)
	kernels := []vecKernel{
		kernel("Neg", "x", element, func(m *machine, x []Op) Op { return m.isub(zero, x[0]) }),
		kernel("ReLU", "x", element, func(m *machine, x []Op) Op { return m.keep(m.icompare(iGreater, x[0], zero), x[0]) }),
		kernel("Add", "xx", element, func(m *machine, x []Op) Op { return m.iadd(x[0], x[1]) }),
		kernel("Sub", "xx", element, func(m *machine, x []Op) Op { return m.isub(x[0], x[1]) }),
		kernel("BitNot", "x", element, func(m *machine, x []Op) Op { return m.xor(x[0], 2*m.rest()+1) }),
		kernel("BitAnd", "xx", element, func(m *machine, x []Op) Op { return m.and(x[0], x[1]) }),
		kernel("BitOr", "xx", element, func(m *machine, x []Op) Op { return m.or(x[0], x[1]) }),
		kernel("BitXor", "xx", element, func(m *machine, x []Op) Op { return m.xor(x[0], x[1]) }),
		kernel("ShiftL", "xx", element, func(m *machine, x []Op) Op { return m.shiftLeftBy(x[0], x[1]) }),
		kernel("ShiftR", "xx", element, func(m *machine, x []Op) Op { return m.shiftRightBy(x[0], x[1]) }),
		kernel("ReLUGrad", "xx", element, func(m *machine, x []Op) Op { return m.keep(m.icompare(iGreater, x[1], zero), x[0]) }),
		kernel("Where", "bxx", element, func(m *machine, x []Op) Op { return m.choose(x[0], x[1], x[2]) }),
		compare("Eq", iEqual), compare("Ne", iNotEqual), compare("Lt", iLess), compare("Le", iLessEqual),
		compare("Gt", iGreater), compare("Ge", iGreaterEqual),
	}
	if i64 {
		return kernels
	}
	return append(kernels,
		kernel("Abs", "x", element, func(m *machine, x []Op) Op { return m.iabs(x[0]) }),
		kernel("Square", "x", element, func(m *machine, x []Op) Op { return m.imul(x[0], x[0]) }),
		kernel("Mul", "xx", element, func(m *machine, x []Op) Op { return m.imul(x[0], x[1]) }),
		kernel("Min", "xx", element, func(m *machine, x []Op) Op { return m.imin(x[0], x[1]) }),
		kernel("Max", "xx", element, func(m *machine, x []Op) Op { return m.imax(x[0], x[1]) }),
		kernel("Clip", "xxx", element, func(m *machine, x []Op) Op { return m.imin(m.imax(x[0], x[1]), x[2]) }),
		kernel("MulAdd", "xxx", element, func(m *machine, x []Op) Op { return m.iadd(m.imul(x[0], x[1]), x[2]) }),
	)
}
