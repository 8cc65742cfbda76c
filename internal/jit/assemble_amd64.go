//go:build linux && amd64

package jit

import (
	"math"
	"runtime"
	"slices"
	"syscall"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file turns runs into code: it gives every value a vector or mask register, writes the instructions for whole
// vectors in a loop and once more, masked, for the rest.

//go:noescape
func call(code uintptr, slots *unsafe.Pointer, n int)

// Available reports whether runs can be made into machine code of the current level here.
func Available() bool { return cpu.Current() == cpu.AVX512 }

// Assembler collects the code of the runs of one program.
type Assembler struct {
	code   code
	starts []int
	base   uintptr
}

// Add makes the code of a run. It refuses one that needs more registers than there are.
func (a *Assembler) Add(r *Run) (id int, ok bool) {
	g := generator{run: r, instrs: r.contract()}
	if !g.generate() {
		return 0, false
	}
	for len(a.code.b)%64 != 0 {
		a.code.put(0x90)
	}
	a.starts = append(a.starts, len(a.code.b))
	a.code.put(g.c.b...)
	return len(a.starts) - 1, true
}

// Finish puts the code where it can be executed, for as long as the Memory is reachable. It reports false where the system
// does not allow that.
func (a *Assembler) Finish() (*Memory, bool) {
	if len(a.code.b) == 0 {
		return nil, true
	}
	mem, err := syscall.Mmap(-1, 0, len(a.code.b), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil, false
	}
	copy(mem, a.code.b)
	if err := syscall.Mprotect(mem, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		syscall.Munmap(mem)
		return nil, false
	}
	m := &Memory{mem}
	runtime.AddCleanup(m, func(b []byte) { syscall.Munmap(b) }, mem)
	a.base = uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	return m, true
}

// Func is the code of a run that was added, once finished.
func (a *Assembler) Func(id int) Func { return Func{a.base + uintptr(a.starts[id])} }

const (
	vectors = 32 // vector registers
	masks   = 8  // mask registers; 0 cannot mask, 1 holds the lanes that are computed
)

// generator makes the code of one run.
type generator struct {
	run    *Run
	instrs []fused
	c      code

	last     []int // the instruction that uses a value last; len(instrs) for outputs
	where    []int // the register of a value, or -1
	free     []int // vector registers
	freeMask []int
	constant map[uint64]int // registers of constants, by bits
	base     map[int]int    // the register that holds the address of a slot
	bools    bool
	hoisted  []bool        // by input: a single that stays in its register
	sums     []accumulator // by reduction
	pool     []pooled
	tables   []pooledTable
	masked   bool // the body is written for the rest
	failed   bool
}

func (g *generator) generate() bool {
	g.analyze()
	singles := 0
	for _, in := range g.run.Inputs {
		if in.Single {
			singles++
		}
	}
	// As many singles as there are registers for stay in them; the others are loaded for each vector.
	for stay := singles; stay >= 0; stay-- {
		if g.try(stay) {
			return true
		}
	}
	return false
}

func (g *generator) analyze() {
	n := len(g.run.Inputs) + len(g.run.Instrs)
	g.last = make([]int, n)
	for v := range g.last {
		g.last[v] = -1
	}
	for i, in := range g.instrs {
		if in.gone {
			continue
		}
		for a := range in.arity() {
			g.last[in.Args[a]] = i
		}
	}
	for _, o := range g.run.Outputs {
		g.last[o.Value] = len(g.instrs)
	}
	for _, d := range g.run.Reductions {
		g.last[d.Value] = len(g.instrs)
	}
	for _, in := range g.run.Inputs {
		g.bools = g.bools || in.Type == Bool
	}
	for _, o := range g.run.Outputs {
		g.bools = g.bools || g.typeOf(o.Value) == Bool
	}
}

func (g *generator) typeOf(v int) Type {
	if v < len(g.run.Inputs) {
		return g.run.Inputs[v].Type
	}
	in := g.run.Instrs[v-len(g.run.Inputs)]
	switch {
	case in.Convert:
		return Float
	case in.Func == scalar.Where:
		return g.typeOf(in.Args[1])
	case in.Func.GivesBool():
		return Bool
	}
	return Float
}

// try writes the code with the given number of singles in registers.
func (g *generator) try(stay int) bool {
	g.c, g.pool, g.tables = code{}, nil, nil
	g.failed = false
	g.constant = map[uint64]int{}
	g.base = map[int]int{}
	g.hoisted = make([]bool, len(g.run.Inputs))
	g.where = slices.Repeat([]int{-1}, len(g.last))
	g.free, g.freeMask = nil, nil
	for r := vectors - 1; r >= 0; r-- {
		g.free = append(g.free, r)
	}
	for k := masks - 1; k >= 2; k-- {
		g.freeMask = append(g.freeMask, k)
	}
	g.prologue(stay)
	free, freeMask := slices.Clone(g.free), slices.Clone(g.freeMask)

	lanes := byte(g.lanes())
	if away := slices.IndexFunc(g.run.Outputs, func(o Output) bool { return o.Away }); away >= 0 {
		g.head(g.run.Outputs[away].Slot)
		g.free, g.freeMask = slices.Clone(free), slices.Clone(freeMask)
	}
	g.c.put(0x48, 0x83, 0xF9, lanes) // CMP rcx, lanes
	rest := g.c.jump(below)
	loop := len(g.c.b)
	g.lookAhead()
	g.body(false)
	g.c.put(0x48, 0x83, 0xC0, 64) // ADD rax, 64
	if g.bools {
		g.c.put(0x49, 0x83, 0xC5, lanes) // ADD r13, lanes
	}
	if g.sumsFloat32() {
		g.c.put(0xA9) // TEST eax, the bits that count vectors up to flushEvery
		g.c.put32(flushEvery - 64)
		on := g.c.jump(notZero)
		g.flush()
		g.c.land(on)
	}
	g.c.put(0x48, 0x83, 0xE9, lanes) // SUB rcx, lanes
	g.c.put(0x48, 0x83, 0xF9, lanes) // CMP rcx, lanes
	g.c.aim(g.c.jump(notBelow), loop)
	g.c.land(rest)
	g.c.put(0x48, 0x85, 0xC9) // TEST rcx, rcx
	end := g.c.jump(zero)
	g.firstLanes()
	g.free, g.freeMask = free, freeMask
	g.body(true)
	g.c.land(end)
	g.finishReductions()
	g.c.put(0xC3) // RET
	g.placePool()
	return !g.failed
}

// firstLanes sets the mask to as many lanes as rcx says.
func (g *generator) firstLanes() {
	g.c.put(0x41, 0xBF, 1, 0, 0, 0)       // MOV r15d, 1
	g.c.put(0x41, 0xD3, 0xE7)             // SHL r15d, cl
	g.c.put(0x41, 0xFF, 0xCF)             // DEC r15d
	g.c.put(0xC4, 0xC1, 0x78, 0x92, 0xCF) // KMOVW k1, r15d
}

// allLanes sets the mask to all lanes.
func (g *generator) allLanes() {
	g.c.put(0x41, 0xBF) // MOV r15d, all lanes
	g.c.put32(1<<g.lanes() - 1)
	g.c.put(0xC4, 0xC1, 0x78, 0x92, 0xCF) // KMOVW k1, r15d
}

// head computes what comes before the first cache line of a block, so that the loop stores whole lines.
func (g *generator) head(slot int) {
	shift := byte(2)
	if g.run.Double {
		shift = 3
	}
	g.c.loadSlot(r15, slot)
	g.c.put(0x49, 0xF7, 0xDF)        // NEG r15
	g.c.put(0x49, 0x83, 0xE7, 63)    // AND r15, 63
	g.c.put(0x49, 0xC1, 0xEF, shift) // SHR r15, shift
	aligned := g.c.jump(zero)
	g.c.put(0x4C, 0x39, 0xF9) // CMP rcx, r15
	short := g.c.jump(below)
	g.c.put(0x51)             // PUSH rcx
	g.c.put(0x4C, 0x89, 0xF9) // MOV rcx, r15
	g.firstLanes()
	g.c.put(0x51) // PUSH rcx
	g.body(true)
	g.c.put(0x41, 0x5F)       // POP r15
	g.c.put(0x59)             // POP rcx
	g.c.put(0x4C, 0x29, 0xF9) // SUB rcx, r15
	if g.bools {
		g.c.put(0x4D, 0x01, 0xFD) // ADD r13, r15
	}
	g.c.put(0x49, 0xC1, 0xE7, shift) // SHL r15, shift
	g.c.put(0x4C, 0x01, 0xF8)        // ADD rax, r15
	if g.bools {
		g.allLanes()
	}
	g.c.land(aligned)
	g.c.land(short)
}

// lookAhead asks for the memory that later vectors will need.
func (g *generator) lookAhead() {
	for _, in := range g.run.Inputs {
		if r, ok := g.base[in.Slot]; ok && in.Far && !in.Single && in.Type != Bool {
			g.c.prefetch(r, false)
		}
	}
	for _, o := range g.run.Outputs {
		if r, ok := g.base[o.Slot]; ok && o.Far && !o.Away && g.typeOf(o.Value) != Bool {
			g.c.prefetch(r, true)
		}
	}
}

func (g *generator) lanes() int {
	if g.run.Double {
		return 8
	}
	return 16
}

// prologue loads addresses, singles and constants.
func (g *generator) prologue(stay int) {
	var slots []int
	for _, in := range g.run.Inputs {
		if !in.Single && !slices.Contains(slots, in.Slot) {
			slots = append(slots, in.Slot)
		}
	}
	for _, o := range g.run.Outputs {
		if !slices.Contains(slots, o.Slot) {
			slots = append(slots, o.Slot)
		}
	}
	for _, d := range g.run.Reductions {
		if d.Kind == Columns && !slices.Contains(slots, d.Slot) {
			slots = append(slots, d.Slot)
		}
	}
	for i, slot := range slots[:min(len(slots), len(bases))] {
		g.base[slot] = bases[i]
		g.c.loadSlot(bases[i], slot)
	}
	if g.bools {
		g.allLanes()
		g.c.put(0x4D, 0x31, 0xED) // XOR r13, r13
	}
	for _, in := range g.instrs {
		if !in.gone {
			g.constantsOf(in)
		}
	}
	if slices.ContainsFunc(g.run.Outputs, func(o Output) bool { return g.typeOf(o.Value) == Bool }) {
		g.byteOnes()
	}
	g.beginReductions()
	for v, in := range g.run.Inputs {
		if in.Single && stay > 0 && in.Type != Bool {
			stay--
			g.hoisted[v] = true
			g.where[v] = g.vector()
			g.loadSingle(g.where[v], in)
		}
	}
	g.c.put(0x31, 0xC0) // XOR eax, eax
}

// The constants that functions need, as bits of the float type.
func (g *generator) constantsOf(in fused) {
	if in.Convert {
		g.constantOf(1)
		return
	}
	switch in.Func {
	case scalar.Neg:
		g.constantOf(math.Copysign(0, -1))
	case scalar.Abs:
		g.bits(0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF)
	case scalar.Reciprocal, scalar.Rsqrt:
		g.constantOf(1)
	case scalar.ReLU, scalar.ReLUGrad, scalar.LeakyReLU:
		g.constantOf(0)
	case scalar.Exp:
		low, high := g.expRange()
		g.constantOf(low)
		g.constantOf(high)
	case scalar.Sigmoid:
		low, _ := g.expRange()
		for _, x := range []float64{low, 0, 1, math.Copysign(0, -1)} {
			g.constantOf(x)
		}
	case scalar.Expm1:
		_, high := g.expRange()
		for _, x := range []float64{-40, high, 0, 0.5} {
			g.constantOf(x)
		}
	case scalar.Tanh, scalar.Erf:
		switch {
		case in.Func == scalar.Erf:
			g.constantOf(erfEnd)
			g.constantOf(1)
		case g.run.Double:
			g.constantOf(40)
			g.constantOf(0.5)
		default:
			g.constantOf(tanhEnd)
			g.constantOf(1)
		}
		g.constantOf(math.Copysign(0, -1))
		g.bits(0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF)
	case scalar.GELU, scalar.GELUPrime:
		for _, x := range []float64{normalEnd, 0, 1} {
			g.constantOf(x)
		}
		g.bits(0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF)
	}
}

func (g *generator) constantOf(x float64) int {
	return g.bits(uint64(math.Float32bits(float32(x))), math.Float64bits(x))
}

// bits returns the register that holds a constant in every lane.
func (g *generator) bits(single, double uint64) int {
	x := single
	if g.run.Double {
		x = double
	}
	if r, ok := g.constant[x]; ok {
		return r
	}
	r := g.vector()
	g.constant[x] = r
	// MOV rax, imm64 and VPBROADCASTD or Q, which rax is free for before the loop.
	g.c.put(0x48, 0xB8)
	g.c.put32(uint32(x))
	g.c.put32(uint32(x >> 32))
	g.c.regs(opcode{1, 2, g.w(), 0x7C, 2}, r, 0, rax, masking{})
	return r
}

// byteOnes returns a register of ones in every byte.
func (g *generator) byteOnes() int {
	const key = 1<<63 | 0x0101 // no float constant that runs use
	if r, ok := g.constant[key]; ok {
		return r
	}
	r := g.vector()
	g.constant[key] = r
	g.c.put(0xB8)
	g.c.put32(0x01010101)
	g.c.regs(opcode{1, 2, 0, 0x7C, 2}, r, 0, rax, masking{})
	return r
}

func (g *generator) w() byte {
	if g.run.Double {
		return 1
	}
	return 0
}

// vector takes a free vector register.
func (g *generator) vector() int {
	if len(g.free) == 0 {
		g.failed = true
		return 0
	}
	r := g.free[len(g.free)-1]
	g.free = g.free[:len(g.free)-1]
	return r
}

// mask takes a free mask register.
func (g *generator) mask() int {
	if len(g.freeMask) == 0 {
		g.failed = true
		return 2
	}
	r := g.freeMask[len(g.freeMask)-1]
	g.freeMask = g.freeMask[:len(g.freeMask)-1]
	return r
}

// body writes the instructions for one vector.
func (g *generator) body(masked bool) {
	g.masked = masked
	for v := range g.where {
		if v >= len(g.hoisted) || !g.hoisted[v] {
			g.where[v] = -1
		}
	}
	for i, in := range g.instrs {
		if in.gone {
			continue
		}
		for a := range in.arity() {
			g.load(in.Args[a])
		}
		result := len(g.run.Inputs) + i
		if g.where[result] < 0 {
			g.emit(in, i)
		}
		for a := range in.arity() {
			g.release(in.Args[a], i)
		}
		// What is stored leaves at once: nothing is stored before all instructions that may still read the same memory
		// have loaded it, as each element is loaded before the first store of the vector.
		if g.last[result] < 0 {
			g.releaseRegister(result)
		}
	}
	for _, d := range g.run.Reductions {
		g.load(d.Value)
	}
	for i, d := range g.run.Reductions {
		g.accumulate(d, g.sums[i])
	}
	for _, o := range g.run.Outputs {
		g.load(o.Value)
		g.store(o)
	}
	for v := range g.where {
		if g.where[v] >= 0 && (v >= len(g.hoisted) || !g.hoisted[v]) {
			g.releaseRegister(v)
		}
	}
}

// release returns the register of v free if instruction i was the last to use it.
func (g *generator) release(v, i int) {
	if g.last[v] == i && g.where[v] >= 0 && (v >= len(g.hoisted) || !g.hoisted[v]) {
		g.releaseRegister(v)
	}
}

func (g *generator) releaseRegister(v int) {
	if g.typeOf(v) == Bool {
		g.freeMask = append(g.freeMask, g.where[v])
	} else {
		g.free = append(g.free, g.where[v])
	}
	g.where[v] = -1
}

func (g *generator) loads() masking {
	if g.masked {
		return masking{1, true}
	}
	return masking{}
}

// address returns the register with a slot's address.
func (g *generator) address(slot int) int {
	if r, ok := g.base[slot]; ok {
		return r
	}
	g.c.loadSlot(r15, slot)
	return r15
}

// load brings an input into a register.
func (g *generator) load(v int) {
	if g.where[v] >= 0 || v >= len(g.run.Inputs) {
		return
	}
	in := g.run.Inputs[v]
	switch {
	case in.Type == Bool:
		g.loadBool(v, in)
	case in.Single:
		g.where[v] = g.vector()
		g.loadSingle(g.where[v], in)
	default:
		g.where[v] = g.vector()
		g.c.indexed(opcode{g.w(), 1, g.w(), 0x10, 2}, g.where[v], g.address(in.Slot), rax, g.loads()) // VMOVUPS
	}
}

// loadSingle repeats one number over a register: VBROADCASTSS or SD.
func (g *generator) loadSingle(r int, in Input) {
	g.c.loadSlot(r15, in.Slot)
	g.c.atR15(opcode{1, 2, g.w(), 0x18 + g.w(), 2}, r)
}

// loadBool turns bytes into a mask: VMOVDQU8 and VPTESTMB.
func (g *generator) loadBool(v int, in Input) {
	t := g.vector()
	if in.Single {
		g.c.loadSlot(r15, in.Slot)
		g.c.atR15(opcode{1, 2, 0, 0x78, 0}, t) // VPBROADCASTB
	} else {
		g.c.indexed(opcode{3, 1, 0, 0x6F, 0}, t, g.address(in.Slot), r13, masking{1, true})
	}
	g.where[v] = g.mask()
	g.c.regs(opcode{1, 2, 0, 0x26, 0}, g.where[v], t, t, masking{k: 1})
	g.free = append(g.free, t)
}

// store writes a value to its block.
func (g *generator) store(o Output) {
	r := g.where[o.Value]
	if g.typeOf(o.Value) == Bool {
		t := g.vector()
		g.c.regs(opcode{3, 1, 0, 0x6F, 0}, t, 0, g.byteOnes(), masking{byte(r), true}) // VMOVDQU8 t{k}{z}, ones
		g.c.indexed(opcode{3, 1, 0, 0x7F, 0}, t, g.address(o.Slot), r13, masking{k: 1})
		g.free = append(g.free, t)
		return
	}
	m := masking{}
	if g.masked {
		m.k = 1
	}
	op := byte(0x11)
	if o.Away && !g.masked {
		op = 0x2B // VMOVNTPS
	}
	g.c.indexed(opcode{g.w(), 1, g.w(), op, 2}, r, g.address(o.Slot), rax, m)
}

// op is an arithmetic instruction of the float type in the 0F map.
func (g *generator) op(b byte) opcode { return opcode{g.w(), 1, g.w(), b, 2} }

const (
	opAdd, opMul, opSub, opDiv, opMin, opMax, opSqrt = 0x58, 0x59, 0x5C, 0x5E, 0x5D, 0x5F, 0x51
	opAnd, opOr, opXor                               = 0x54, 0x56, 0x57
	unordered, greater                               = 3, 0x1E
)

// compare writes VCMPPS into a mask register.
func (g *generator) compare(k, a, b int, predicate byte) {
	g.c.regs(g.op(0xC2), k, a, b, masking{})
	g.c.put(predicate)
}

// blend returns b where the mask is set and a elsewhere.
func (g *generator) blend(dst, k, a, b int) {
	g.c.regs(opcode{1, 2, g.w(), 0x65, 2}, dst, a, b, masking{k: byte(k)})
}

var predicates = map[scalar.Func]byte{
	scalar.Eq: 0, scalar.Lt: 0x11, scalar.Le: 0x12, scalar.Ne: 4, scalar.Ge: 0x1D, scalar.Gt: greater,
}

// emit writes instruction i. The operands are in registers.
func (g *generator) emit(in fused, i int) {
	result := len(g.run.Inputs) + i
	var r [3]int
	for a := range in.arity() {
		r[a] = g.where[in.Args[a]]
	}
	if g.typeOf(result) == Bool {
		k := g.mask()
		g.where[result] = k
		g.emitBool(in, k, r)
		return
	}
	d := g.vector()
	g.where[result] = d
	none := masking{}
	if in.Convert {
		if g.typeOf(in.Args[0]) == Bool { // VMOVAPS d{k}{z}, ones
			g.c.regs(opcode{g.w(), 1, g.w(), 0x28, 2}, d, 0, g.constantOf(1), masking{byte(r[0]), true})
		} else { // VCVTDQ2PS
			g.c.regs(opcode{0, 1, 0, 0x5B, 2}, d, 0, r[0], none)
		}
		return
	}
	switch in.Func {
	case scalar.Neg:
		g.c.regs(g.op(opXor), d, r[0], g.constantOf(math.Copysign(0, -1)), none)
	case scalar.Abs:
		g.c.regs(g.op(opAnd), d, r[0], g.bits(0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF), none)
	case scalar.Square:
		g.c.regs(g.op(opMul), d, r[0], r[0], none)
	case scalar.Reciprocal:
		g.c.regs(g.op(opDiv), d, g.constantOf(1), r[0], none)
	case scalar.Sqrt:
		g.c.regs(g.op(opSqrt), d, 0, r[0], none)
	case scalar.Rsqrt:
		g.c.regs(g.op(opSqrt), d, 0, r[0], none)
		g.c.regs(g.op(opDiv), d, g.constantOf(1), d, none)
	case scalar.Floor, scalar.Ceil, scalar.Round:
		g.c.regs(opcode{1, 3, g.w(), 0x08 + g.w(), 2}, d, 0, r[0], none)
		g.c.put(map[scalar.Func]byte{scalar.Floor: 9, scalar.Ceil: 10, scalar.Round: 8}[in.Func])
	case scalar.ReLU:
		// MAX returns its second operand where one is NaN.
		g.c.regs(g.op(opMax), d, g.constantOf(0), r[0], none)
	case scalar.Add:
		g.c.regs(g.op(opAdd), d, r[0], r[1], none)
	case scalar.Sub:
		g.c.regs(g.op(opSub), d, r[0], r[1], none)
	case scalar.Mul:
		g.c.regs(g.op(opMul), d, r[0], r[1], none)
	case scalar.Div:
		g.c.regs(g.op(opDiv), d, r[0], r[1], none)
	case scalar.Min, scalar.Max:
		// The instruction gives its second operand, b, where either is NaN; where a is NaN, a is to be the result.
		op := byte(opMin)
		if in.Func == scalar.Max {
			op = opMax
		}
		k := g.mask()
		g.c.regs(g.op(op), d, r[0], r[1], none)
		g.compare(k, r[0], r[0], unordered)
		g.blend(d, k, d, r[0])
		g.freeMask = append(g.freeMask, k)
	case scalar.ReLUGrad:
		k := g.mask()
		g.compare(k, r[1], g.constantOf(0), greater)
		g.c.regs(opcode{g.w(), 1, g.w(), 0x28, 2}, d, 0, r[0], masking{byte(k), true}) // VMOVAPS d{k}{z}
		g.freeMask = append(g.freeMask, k)
	case scalar.LeakyReLU:
		k := g.mask()
		g.compare(k, r[0], g.constantOf(0), greater)
		g.c.regs(g.op(opMul), d, r[0], r[1], none)
		g.blend(d, k, d, r[0])
		g.freeMask = append(g.freeMask, k)
	case scalar.Where:
		g.blend(d, r[0], r[2], r[1])
	case scalar.Exp:
		g.exp(d, r[0])
	case scalar.Sigmoid:
		g.sigmoid(d, r[0])
	case scalar.Tanh:
		g.tanh(d, r[0])
	case scalar.Expm1:
		g.expm1(d, r[0])
	case scalar.Erf:
		g.oddPieces(d, r[0], erfEnd, erfPieces)
	case scalar.GELU, scalar.GELUPrime:
		other := -1
		if p := g.pair(i); p >= 0 {
			other = g.vector()
			g.where[len(g.run.Inputs)+p] = other
		}
		if in.Func == scalar.GELU {
			g.gelu(d, other, r[0])
		} else {
			g.gelu(other, d, r[0])
		}
	case scalar.MulAdd:
		// VFMADD231 and its like: d = d + a*b.
		g.c.regs(opcode{g.w(), 1, g.w(), 0x28, 2}, d, 0, r[2], none)
		op := byte(0xB8)
		if in.subtract {
			op = 0xBA
		} else if in.negate {
			op = 0xBC
		}
		g.c.regs(opcode{1, 2, g.w(), op, 2}, d, r[0], r[1], none)
	default:
		panic("jit: " + in.Func.String() + " is not simple")
	}
}

// emitBool writes an instruction whose result is a mask.
func (g *generator) emitBool(in fused, k int, r [3]int) {
	if p, ok := predicates[in.Func]; ok && g.typeOf(in.Args[0]) == Float {
		g.compare(k, r[0], r[1], p)
		return
	}
	if g.typeOf(in.Args[0]) == Int { // VPCMPD
		g.c.regs(opcode{1, 3, 0, 0x1F, 2}, k, r[0], r[1], masking{})
		g.c.put(map[scalar.Func]byte{scalar.Eq: 0, scalar.Lt: 1, scalar.Le: 2, scalar.Ne: 4, scalar.Ge: 5, scalar.Gt: 6}[in.Func])
		return
	}
	const and, not, or, xor = 0x41, 0x44, 0x45, 0x47
	switch in.Func {
	case scalar.And:
		g.c.vexMask(1, and, k, r[0], r[1])
	case scalar.Or:
		g.c.vexMask(1, or, k, r[0], r[1])
	case scalar.Xor, scalar.Ne:
		g.c.vexMask(1, xor, k, r[0], r[1])
	case scalar.Not:
		g.c.vexMask(0, not, k, 0, r[0])
	case scalar.Eq:
		g.c.vexMask(1, xor, k, r[0], r[1])
		g.c.vexMask(0, not, k, 0, k)
	case scalar.Where:
		// (cond and a) or (not cond and b), with NOT-AND as 42.
		t := g.mask()
		g.c.vexMask(1, and, t, r[0], r[1])
		g.c.vexMask(1, 0x42, k, r[0], r[2])
		g.c.vexMask(1, or, k, k, t)
		g.freeMask = append(g.freeMask, t)
	default:
		panic("jit: " + in.Func.String() + " is not simple")
	}
}
