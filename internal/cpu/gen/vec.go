package main

// The vector machine: one set of operations on vectors of f32 or f64, written once and assembled for AVX2, AVX-512 or NEON. They
// differ in the width, in where masks live (a vector register or, with AVX-512, a mask register) and in how a constant becomes an
// operand (a whole vector in memory, or one element that the load broadcasts). What is particular to NEON is in neon.go.
//
// A kernel is a function body on such vectors; the loops around it load, store and treat the last partial vector with
// masks, through the same body, so that an element's bits do not depend on its place.

import (
	"fmt"
	"go/token"
	"go/types"
	"math"
	"reflect"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// level is an instruction set to assemble for.
type level int

const (
	avx2 level = iota
	avx512
	neon
)

func (l level) String() string { return [...]string{"AVX2", "AVX512", "NEON"}[l] }

// machine assembles vector operations into the current function of its context.
type machine struct {
	*build.Context
	level
	f64       bool
	constants map[string]Mem // those already in the data section of the file
	labels    int

	held map[string]Op                             // constants and tables that stay in registers through the loop
	want func(name string, fill func(*machine) Op) // is told of each that is used, where one wants to know

	out  *neonFile // with NEON, which has no Context
	body *recorder // with NEON, of the current function
}

// as returns the machine for the other or the same element type. Both share the data section.
func (m *machine) as(f64 bool) *machine {
	n := *m
	n.f64 = f64
	return &n
}

func (m *machine) wide() bool { return m.level == avx512 }

// size is the size of an element in bytes.
func (m *machine) size() int {
	if m.f64 {
		return 8
	}
	return 4
}

// width is the number of elements in a vector.
func (m *machine) width() int {
	switch m.level {
	case avx512:
		return 64 / m.size()
	case neon:
		return 16 / m.size()
	}
	return 32 / m.size()
}

// pick returns the name for the element type.
func (m *machine) pick(f32, f64 string) string {
	if m.f64 {
		return f64
	}
	return f32
}

// vector is a new vector register.
func (m *machine) vector() reg.VecVirtual {
	if m.wide() {
		return m.ZMM()
	}
	return m.YMM()
}

// half is a new register of half the size of a vector.
func (m *machine) half() reg.VecVirtual {
	if m.wide() {
		return m.YMM()
	}
	return m.XMM()
}

// label returns a new name for a place in the current function.
func (m *machine) label(name string) string {
	m.labels++
	return fmt.Sprintf("%s%d", name, m.labels)
}

// constant is one element with these bits, as an operand that stands for a vector full of it.
type constant uint64

// Asm makes a constant an operand. It is replaced by a memory operand before it is printed.
func (c constant) Asm() string { return fmt.Sprintf("constant %#x", uint64(c)) }

// f is the constant of a number.
func (m *machine) f(x float64) constant {
	if m.f64 {
		return constant(math.Float64bits(x))
	}
	return constant(math.Float32bits(float32(x)))
}

// signBit is the constant with only the sign bit set, rest the one with all other bits.
func (m *machine) signBit() constant { return constant(1) << (m.size()*8 - 1) }

func (m *machine) rest() constant { return m.signBit() - 1 }

// data returns the place of a table in the data section, which is laid down at its first use.
func (m *machine) data(name string, values ...Constant) Mem {
	if mem, ok := m.constants[name]; ok {
		return mem
	}
	mem := m.StaticGlobal(name)
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, v := range values {
		m.AppendDatum(v)
	}
	m.constants[name] = mem
	return mem
}

// memory lays a constant down in the data section: one element for AVX-512, a whole vector for AVX2.
func (m *machine) memory(c constant) Mem {
	n := 1
	if !m.wide() {
		n = m.width()
	}
	var values []Constant
	for range n {
		if m.f64 {
			values = append(values, U64(c))
		} else {
			values = append(values, U32(c))
		}
	}
	return m.data(m.constantName(c), values...)
}

func (m *machine) constantName(c constant) string {
	return fmt.Sprintf("vec%d_%x", m.size()*8, uint64(c))
}

// holding returns the register that holds a constant, or nil.
func (m *machine) holding(c constant) Op {
	name := m.constantName(c)
	if m.want != nil {
		m.want(name, func(m *machine) Op { return m.load(c) })
	}
	return m.held[name]
}

// emit assembles the instruction of this name. A constant among the operands becomes a memory operand, with AVX-512 in the
// broadcasting form of the instruction.
func (m *machine) emit(name string, ops ...Op) {
	args := make([]reflect.Value, len(ops))
	for i, op := range ops {
		if c, ok := op.(constant); ok {
			if op = m.holding(c); op == nil {
				op = m.memory(c)
				if m.wide() {
					name += "_BCST"
				}
			}
		}
		args[i] = reflect.ValueOf(op)
	}
	method := reflect.ValueOf(m.Context).MethodByName(name)
	if !method.IsValid() {
		panic("no instruction " + name)
	}
	method.Call(args)
}

// armNames are the names that instructions of two operands have with NEON.
var armNames = map[string]string{
	"VADD": "fadd", "VSUB": "fsub", "VMUL": "fmul", "VDIV": "fdiv", "VMIN": "fmin", "VMAX": "fmax", "VAND": "and", "VOR": "orr", "VXOR": "eor",
}

// op2 assembles the instruction name with the suffix for the element type: d = x op y.
func (m *machine) op2(name string, x, y Op) Op {
	if m.neon() {
		return m.arm(armNames[name], 0, x, y)
	}
	d := m.vector()
	m.emit(name+m.pick("PS", "PD"), y, m.in(x), d)
	return d
}

// in returns x in a register.
func (m *machine) in(x Op) Op {
	if c, ok := x.(constant); ok && !m.neon() {
		if r := m.holding(c); r != nil {
			return r
		}
		return m.load(c)
	}
	return x
}

// load fills a new register with a constant. With NEON operands are constants as they are.
func (m *machine) load(c constant) Op {
	if m.neon() {
		return c
	}
	d := m.vector()
	if r := m.holding(c); r != nil {
		m.emit("VMOVAPS", r, d)
	} else if m.wide() {
		m.emit(m.pick("VBROADCASTSS", "VBROADCASTSD"), m.memory(c), d)
	} else {
		m.emit("VMOVUPS", m.memory(c), d)
	}
	return d
}

func (m *machine) copyOf(x Op) Op {
	if c, ok := x.(constant); ok {
		return m.load(c)
	}
	if m.neon() {
		return x
	}
	d := m.vector()
	m.emit("VMOVAPS", x, d)
	return d
}

func (m *machine) add(x, y Op) Op { return m.op2("VADD", x, y) }
func (m *machine) sub(x, y Op) Op { return m.op2("VSUB", x, y) }
func (m *machine) mul(x, y Op) Op { return m.op2("VMUL", x, y) }
func (m *machine) div(x, y Op) Op { return m.op2("VDIV", x, y) }
func (m *machine) and(x, y Op) Op { return m.op2("VAND", x, y) }
func (m *machine) or(x, y Op) Op  { return m.op2("VOR", x, y) }
func (m *machine) xor(x, y Op) Op { return m.op2("VXOR", x, y) }

// smaller and larger return y if either is NaN, which is what the instructions do, or with NEON NaN.
func (m *machine) smaller(x, y Op) Op { return m.op2("VMIN", x, y) }
func (m *machine) larger(x, y Op) Op  { return m.op2("VMAX", x, y) }

func (m *machine) sqrt(x Op) Op {
	if m.neon() {
		return m.arm("fsqrt", 0, x)
	}
	d := m.vector()
	m.emit("VSQRT"+m.pick("PS", "PD"), x, d)
	return d
}

// fma is x*y + z, rounded once. At most one of y and z is a constant.
func (m *machine) fma(x, y, z Op) Op {
	if m.neon() {
		return m.arm("fmla", 0, x, y, z)
	}
	suffix := m.pick("PS", "PD")
	if _, ok := z.(constant); ok {
		d := m.copyOf(x)
		m.emit("VFMADD213"+suffix, z, y, d)
		return d
	}
	d := m.copyOf(z)
	m.emit("VFMADD231"+suffix, y, m.in(x), d)
	return d
}

// fnma is z - x*y, rounded once.
func (m *machine) fnma(x, y, z Op) Op {
	if m.neon() {
		return m.arm("fmls", 0, x, y, z)
	}
	d := m.copyOf(z)
	m.emit("VFNMADD231"+m.pick("PS", "PD"), y, m.in(x), d)
	return d
}

// fms is x*y - z, rounded once.
func (m *machine) fms(x, y, z Op) Op {
	if m.neon() {
		return m.fma(x, y, m.arm("fneg", 0, z))
	}
	d := m.copyOf(x)
	m.emit("VFMSUB213"+m.pick("PS", "PD"), z, y, d)
	return d
}

// polynomial evaluates c[0] + c[1]*x + c[2]*x^2 + ... by Horner's rule.
func (m *machine) polynomial(x Op, c []float64) Op {
	if m.neon() {
		var y Op = m.f(c[len(c)-1])
		for i := len(c) - 2; i >= 0; i-- {
			y = m.fma(y, x, m.f(c[i]))
		}
		return y
	}
	d := m.load(m.f(c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		m.emit("VFMADD213"+m.pick("PS", "PD"), m.f(c[i]), x, d)
	}
	return d
}

// Ways to round to an integer: the immediate of the instructions.
const (
	toNearest = U8(8)
	down      = U8(9)
	up        = U8(10)
)

func (m *machine) round(x Op, how U8) Op {
	if m.neon() {
		return m.arm(map[U8]string{toNearest: "frintn", down: "frintm", up: "frintp"}[how], 0, x)
	}
	d := m.vector()
	if m.wide() {
		m.emit("VRNDSCALE"+m.pick("PS", "PD"), how, x, d)
	} else {
		m.emit("VROUND"+m.pick("PS", "PD"), how, x, d)
	}
	return d
}

// Comparisons: the immediate of the instructions. The ordered ones are false if either number is NaN.
const (
	equal        = U8(0x00)
	notEqual     = U8(0x04) // true for NaN
	differs      = U8(0x0c) // false for NaN
	less         = U8(0x11)
	lessEqual    = U8(0x12)
	greater      = U8(0x1e)
	greaterEqual = U8(0x1d)
	notLessEqual = U8(0x16) // greater, or NaN
	notLess      = U8(0x15) // greater or equal, or NaN
	unordered    = U8(0x03) // NaN
)

// What VRANGE selects, with -0 below +0.
const (
	rangeMin = U8(0x04)
	rangeMax = U8(0x05)
)

// compare returns a mask.
func (m *machine) compare(how U8, x, y Op) Op {
	if m.neon() {
		return m.armCompare(how, x, y)
	}
	var d Op = m.vector()
	if m.wide() {
		d = m.K()
	}
	m.emit("VCMP"+m.pick("PS", "PD"), how, y, m.in(x), d)
	return d
}

// choose returns yes where the mask is set and no elsewhere.
func (m *machine) choose(mask, yes, no Op) Op {
	if m.neon() {
		return m.arm("select", 0, mask, yes, no)
	}
	d := m.vector()
	if m.wide() {
		m.emit("VBLENDM"+m.pick("PS", "PD"), yes, m.in(no), mask, d)
	} else {
		m.emit("VBLENDV"+m.pick("PS", "PD"), mask, yes, m.in(no), d)
	}
	return d
}

// keep returns x where the mask is set and 0 elsewhere.
func (m *machine) keep(mask, x Op) Op {
	if m.neon() {
		return m.and(mask, x)
	}
	d := m.vector()
	switch {
	case !m.wide():
		m.emit("VANDPS", x, mask, d)
	case isConstant(x):
		m.emit(m.pick("VBROADCASTSS_Z", "VBROADCASTSD_Z"), m.memory(x.(constant)), mask, d)
	default:
		m.emit(m.pick("VMOVAPS_Z", "VMOVAPD_Z"), x, mask, d)
	}
	return d
}

func isConstant(x Op) bool {
	_, ok := x.(constant)
	return ok
}

// Integer operations on the bits of the elements.

func (m *machine) iadd(x, y Op) Op {
	if m.neon() {
		return m.arm("add", 0, x, y)
	}
	d := m.vector()
	m.emit(m.pick("VPADDD", "VPADDQ"), y, m.in(x), d)
	return d
}

func (m *machine) isub(x, y Op) Op {
	if m.neon() {
		return m.arm("sub", 0, x, y)
	}
	d := m.vector()
	m.emit(m.pick("VPSUBD", "VPSUBQ"), y, m.in(x), d)
	return d
}

func (m *machine) shiftLeft(x Op, n int) Op {
	if m.neon() {
		return m.arm("shl", n, x)
	}
	d := m.vector()
	m.emit(m.pick("VPSLLD", "VPSLLQ"), U8(n), x, d)
	return d
}

// shiftRight keeps the sign.
func (m *machine) shiftRight(x Op, n int) Op {
	if m.neon() {
		return m.arm("sshr", n, x)
	}
	d := m.vector()
	m.emit(m.pick("VPSRAD", "VPSRAQ"), U8(n), x, d)
	return d
}

// shiftDown fills with zeros from above.
func (m *machine) shiftDown(x Op, n int) Op {
	if m.neon() {
		return m.arm("ushr", n, x)
	}
	d := m.vector()
	m.emit(m.pick("VPSRLD", "VPSRLQ"), U8(n), x, d)
	return d
}

// toInt rounds f32 that are i32 to nearest; truncate cuts, and what does not fit becomes the smallest integer; fromInt is exact or rounds to nearest.
func (m *machine) toInt(x Op) Op { return m.converted("VCVTPS2DQ", "fcvtns", x) }
func (m *machine) truncate(x Op) Op {
	y := m.converted("VCVTTPS2DQ", "fcvtzs", x)
	if m.neon() {
		y = m.choose(m.compare(less, m.absolute(x), m.f(1<<31)), y, m.signBit())
	}
	return y
}
func (m *machine) fromInt(x Op) Op { return m.converted("VCVTDQ2PS", "scvtf", x) }

func (m *machine) converted(name, arm string, x Op) Op {
	if m.neon() {
		return m.arm(arm, 0, x)
	}
	d := m.vector()
	m.emit(name, x, d)
	return d
}

// signMask is a mask of the elements whose top bit is set.
func (m *machine) signMask(x Op) Op {
	if m.neon() {
		return m.shiftRight(x, m.size()*8-1)
	}
	if !m.wide() {
		return x
	}
	k := m.K()
	m.emit(m.pick("VPMOVD2M", "VPMOVQ2M"), x, k)
	return k
}

// absolute, negative and withSign work on the sign bit.
func (m *machine) absolute(x Op) Op    { return m.and(x, m.rest()) }
func (m *machine) negative(x Op) Op    { return m.xor(x, m.signBit()) }
func (m *machine) withSign(x, s Op) Op { return m.or(x, m.and(s, m.signBit())) }

// minimum and maximum propagate NaN and order -0 below +0.
func (m *machine) minimum(x, y Op) Op {
	if m.neon() {
		return m.smaller(x, y)
	}
	if m.wide() {
		return m.ranged(rangeMin, x, y)
	}
	// Of NaN and a number one of the two gives NaN, of two zeros one gives the first and one the second: or takes both in.
	return m.or(m.smaller(x, y), m.smaller(y, x))
}

func (m *machine) maximum(x, y Op) Op {
	if m.neon() {
		return m.larger(x, y)
	}
	if m.wide() {
		return m.ranged(rangeMax, x, y)
	}
	return m.negative(m.minimum(m.negative(x), m.negative(y)))
}

// ranged is VRANGE, which gives the number where one of two is NaN, with NaN put right.
func (m *machine) ranged(how U8, x, y Op) Op {
	d := m.vector()
	m.emit("VRANGE"+m.pick("PS", "PD"), how, y, x, d)
	m.emit("VADD"+m.pick("PS", "PD"), y, x, m.compare(unordered, x, y), d)
	return d
}

// The kinds of operands and results of a kernel.
const (
	element  = 'x' // elements of the machine's type; of i32 too, whose bits are loaded alike
	boolean  = 'b' // bytes of 0 or 1; a mask in the kernel
	narrower = 'h' // f32 loaded or stored by a kernel on f64
	word     = 'w' // 32 bits without sign loaded by a kernel on f64
	nothing  = ' '
)

// vecKernel is a vector function.
type vecKernel struct {
	name    string // of the function, up to the level
	f64     bool
	integer bool   // i32 or i64
	as      string // the type of the operands where it is not that of the machine
	in      string // the kinds of the operands
	out     rune   // the kind of the result
	body    func(m *machine, x []Op) Op

	// beyond, if not nil, is a mask of the elements that body cannot do. The function ends before the first vector with one
	// of them and returns how many elements it has done.
	beyond func(m *machine, x []Op) Op

	keeps bool // denormal numbers, see keeping

	hold int // how many constants and tables AVX-512 code keeps in registers
}

// signature declares a function of pointers and integers, as in ("dst,a,b,c", "n").
func signature(c *build.Context, pointers, integers []string, results ...string) {
	var params, res []*types.Var
	for _, p := range pointers {
		params = append(params, types.NewParam(token.NoPos, nil, p, types.Typ[types.UnsafePointer]))
	}
	for _, i := range integers {
		params = append(params, types.NewParam(token.NoPos, nil, i, types.Typ[types.Int]))
	}
	for _, r := range results {
		res = append(res, types.NewParam(token.NoPos, nil, r, types.Typ[types.Int]))
	}
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Signature(gotypes.NewSignature(nil, types.NewSignatureType(nil, nil, nil,
		types.NewTuple(params...), types.NewTuple(res...), false)))
}

// argument loads a parameter of the function.
func (m *machine) argument(name string) reg.GPVirtual {
	r := m.GP64()
	b, err := m.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	m.MOVQ(b.Addr, r)
	return r
}

// function assembles one kernel: the loop over whole vectors, whose last round may be a partial one.
func (m *machine) function(k vecKernel) {
	m.Function(k.name + m.level.String())
	keeping[k.name+m.level.String()] = k.keeps
	if k.beyond != nil {
		signature(m.Context, []string{"dst", "a"}, []string{"n"}, "done")
	} else {
		signature(m.Context, []string{"dst", "a", "b", "c"}, []string{"n"})
	}
	// All pointers are advanced to the ends of their blocks; i counts from -n up to 0.
	i := m.argument("n")
	finish := m.label("done")
	m.TESTQ(i, i)
	m.JZ(LabelRef(finish))
	at := func(param string, kind rune) Mem {
		p, size := m.argument(param), m.kindSize(kind)
		m.LEAQ(Mem{Base: p, Index: i, Scale: uint8(size)}, p)
		return Mem{Base: p, Index: i, Scale: uint8(size)}
	}
	dst := at("dst", k.out)
	var src []Mem
	for j, kind := range k.in {
		src = append(src, at(string("abc"[j]), kind))
	}
	m.NEGQ(i)
	m.hold(k)

	loop, tail, compute, tailStore := m.label("loop"), m.label("tail"), m.label("compute"), m.label("store")
	last := I32(-m.width())
	m.Label(loop)
	m.CMPQ(i, last)
	m.JG(LabelRef(tail))
	x := make([]Op, len(k.in))
	for j, kind := range k.in {
		x[j] = m.loadKind(kind, src[j], nil)
	}
	m.Label(compute)
	if k.beyond != nil {
		bits := m.GP32()
		mask := k.beyond(m, x)
		if m.wide() {
			m.KMOVW(mask, bits)
		} else {
			m.emit(m.pick("VMOVMSKPS", "VMOVMSKPD"), mask, bits)
		}
		m.TESTL(bits, bits)
		m.JNZ(LabelRef(finish))
	}
	result := k.body(m, x)
	m.CMPQ(i, last)
	m.JG(LabelRef(tailStore))
	m.storeKind(k.out, result, dst, nil)
	m.ADDQ(Imm(uint64(m.width())), i)
	m.JNZ(LabelRef(loop))
	m.Label(finish)
	m.finish(k, i)

	m.Label(tail)
	mask := m.tailMask(i)
	for j, kind := range k.in {
		m.loadKindInto(kind, src[j], mask, x[j])
	}
	m.JMP(LabelRef(compute))
	m.Label(tailStore)
	m.storeKind(k.out, result, dst, m.tailMask(i))
	if k.beyond != nil {
		m.XORQ(i, i)
	}
	m.finish(k, i)
}

// hold fills registers with the constants and tables that the body of a kernel uses first, which it learns by assembling the
// body once to no end.
func (m *machine) hold(k vecKernel) {
	m.held = nil
	if !m.wide() || k.hold == 0 {
		return
	}
	type wanted struct {
		name string
		fill func(*machine) Op
	}
	var all []wanted
	trial := *m
	trial.Context, trial.constants = build.NewContext(), map[string]Mem{}
	trial.Function("trial")
	trial.want = func(name string, fill func(*machine) Op) {
		if !slices.ContainsFunc(all, func(w wanted) bool { return w.name == name }) {
			all = append(all, wanted{name, fill})
		}
	}
	var x []Op
	for _, kind := range k.in {
		x = append(x, trial.loadKind(kind, Mem{Base: trial.GP64()}, nil))
	}
	k.body(&trial, x)
	held := map[string]Op{}
	for _, w := range all[:min(len(all), k.hold)] {
		held[w.name] = w.fill(m)
	}
	m.held = held
}

// finish leaves the function. One that may end early returns how many elements it has done.
func (m *machine) finish(k vecKernel, i reg.GPVirtual) {
	m.VZEROUPPER()
	if k.beyond != nil {
		n := m.argument("n")
		m.ADDQ(i, n)
		m.Store(n, m.Return("done"))
	}
	m.RET()
}

func (m *machine) kindSize(kind rune) int {
	switch kind {
	case boolean:
		return 1
	case narrower, word:
		return 4
	}
	return m.size()
}

// tail is how a partial vector is loaded and stored: by a mask register, or by a vector of masks and the number of elements.
type tail struct {
	k     reg.OpmaskVirtual
	masks Mem // AVX2: where to find as many masks of 4 bytes as there are elements
	i     reg.GPVirtual
}

// tailMask makes the mask of the last -i elements.
func (m *machine) tailMask(i reg.GPVirtual) *tail {
	t := &tail{i: i}
	n := m.GP64()
	if m.wide() {
		t.k = m.K()
		m.MOVQ(i, n)
		m.NEGQ(n)
		ones := m.GP64()
		m.MOVQ(I32(-1), ones)
		m.BZHIQ(n, ones, ones)
		m.KMOVW(ones.As32(), t.k)
		return t
	}
	var values []Constant
	for j := range 16 {
		v := U32(0xffffffff)
		if j >= 8 {
			v = 0
		}
		values = append(values, v)
	}
	m.LEAQ(m.data("vec_tail", values...), n)
	t.masks = Mem{Base: n, Index: i, Disp: 32}
	return t
}

// vectorMask loads the masks for elements of the given size.
func (t *tail) vectorMask(m *machine, size int, d Op) Op {
	mem := t.masks
	mem.Scale = uint8(size)
	m.emit("VMOVUPS", mem, d)
	return d
}

// loadKind loads a vector of operands, or with a tail a part of one and zeros.
func (m *machine) loadKind(kind rune, src Mem, t *tail) Op {
	var d Op
	switch {
	case kind == boolean && m.wide():
		d = m.K()
	default:
		d = m.vector()
	}
	m.loadKindInto(kind, src, t, d)
	return d
}

func (m *machine) loadKindInto(kind rune, src Mem, t *tail, d Op) {
	move := m.pick("VMOVUPS", "VMOVUPD")
	switch kind {
	case element:
		switch {
		case t == nil:
			m.emit(move, src, d)
		case m.wide():
			m.emit(move+"_Z", src, t.k, d)
		default:
			m.emit(m.pick("VMASKMOVPS", "VMASKMOVPD"), src, t.vectorMask(m, m.size(), m.vector()), d)
		}
	case narrower:
		h := m.half()
		switch {
		case t == nil:
			m.emit("VCVTPS2PD", src, d)
			return
		case m.wide():
			m.emit("VMOVUPS_Z", src, t.k, h)
		default:
			m.emit("VMASKMOVPS", src, t.vectorMask(m, 4, m.half()), h)
		}
		m.emit("VCVTPS2PD", h, d)
	case word:
		h := m.half()
		switch {
		case t == nil:
			m.emit("VMOVUPS", src, h)
		case m.wide():
			m.emit("VMOVUPS_Z", src, t.k, h)
		default:
			m.emit("VMASKMOVPS", src, t.vectorMask(m, 4, m.half()), h)
		}
		if m.wide() {
			m.emit("VCVTUDQ2PD", h, d)
			return
		}
		m.emit("VXORPS", m.as(false).memory(m.as(false).signBit()), h, h)
		m.emit("VCVTDQ2PD", h, d)
		m.emit("VADDPD", m.f(1<<31), d, d)
	case boolean:
		b := m.XMM()
		switch {
		case m.wide() && t != nil:
			m.emit("VMOVDQU8_Z", src, t.k, b)
		case t != nil:
			m.VMOVQ(m.loadBytes(src, t.i), b)
		case m.width() == 16:
			m.emit("VMOVDQU8", src, b)
		case m.width() == 8:
			m.emit("VMOVQ", src, b)
		default:
			m.emit("VMOVD", src, b)
		}
		if m.wide() {
			m.emit("VPTESTMB", b, b, d)
			return
		}
		m.emit(m.pick("VPMOVZXBD", "VPMOVZXBQ"), b, d)
		m.emit(m.pick("VPCMPGTD", "VPCMPGTQ"), constant(0), d, d)
	}
}

// loadBytes loads the last -i bytes, fewer than 8, one by one.
func (m *machine) loadBytes(src Mem, i reg.GPVirtual) Op {
	sum, one, j, loop := m.GP64(), m.GP64(), m.GP64(), m.label("bytes")
	m.XORQ(sum, sum)
	m.XORQ(j, j)
	m.Label(loop)
	m.SHLQ(U8(8), sum)
	m.MOVBQZX(Mem{Base: src.Base, Index: j, Scale: 1, Disp: -1}, one)
	m.ORQ(one, sum)
	m.DECQ(j)
	m.CMPQ(j, i)
	m.JNE(LabelRef(loop))
	return sum
}

// storeKind stores a vector of results, or with a tail a part of one.
func (m *machine) storeKind(kind rune, x Op, dst Mem, t *tail) {
	move := m.pick("VMOVUPS", "VMOVUPD")
	switch kind {
	case element:
		switch {
		case t == nil:
			m.emit(move, x, dst)
		case m.wide():
			m.emit(move, x, t.k, dst)
		default:
			m.emit(m.pick("VMASKMOVPS", "VMASKMOVPD"), x, t.vectorMask(m, m.size(), m.vector()), dst)
		}
	case narrower:
		h := m.half()
		switch {
		case m.wide():
			m.emit("VCVTPD2PS", x, h)
		default:
			m.emit("VCVTPD2PSY", x, h)
		}
		switch {
		case t == nil:
			m.emit("VMOVUPS", h, dst)
		case m.wide():
			m.emit("VMOVUPS", h, t.k, dst)
		default:
			m.emit("VMASKMOVPS", h, t.vectorMask(m, 4, m.half()), dst)
		}
	case boolean:
		b := m.bytes(x)
		switch {
		case m.wide() && t != nil:
			m.emit("VMOVDQU8", b, t.k, dst)
		case t != nil:
			m.storeBytes(b, dst, t.i)
		case m.width() == 16:
			m.emit("VMOVDQU8", b, dst)
		case m.width() == 8:
			m.emit("VMOVQ", b, dst)
		default:
			m.emit("VMOVD", b, dst)
		}
	}
}

// bytes packs a mask into bytes of 0 and 1.
func (m *machine) bytes(mask Op) Op {
	b := m.XMM()
	if m.wide() {
		one := U64(0x0101010101010101)
		m.emit("VMOVDQU8_Z", m.data("vec_ones", one, one), mask, b)
		return b
	}
	bits, high := m.YMM(), m.XMM()
	m.emit(m.pick("VPSRLD", "VPSRLQ"), U8(m.size()*8-1), mask, bits)
	m.VEXTRACTI128(U8(1), bits, high)
	m.VPACKSSDW(high, bits.AsX(), b)
	if m.f64 { // each 1 is in the lower half of a pair of words still
		m.VPACKSSDW(b, b, b)
	}
	m.VPACKSSWB(b, b, b)
	return b
}

// storeBytes stores the last -i bytes, fewer than 8, one by one.
func (m *machine) storeBytes(b Op, dst Mem, i reg.GPVirtual) {
	sum, j, loop := m.GP64(), m.GP64(), m.label("bytes")
	m.VMOVQ(b, sum)
	m.MOVQ(i, j)
	m.Label(loop)
	m.MOVB(sum.As8(), Mem{Base: dst.Base, Index: j, Scale: 1})
	m.SHRQ(U8(8), sum)
	m.INCQ(j)
	m.JNZ(LabelRef(loop))
}
