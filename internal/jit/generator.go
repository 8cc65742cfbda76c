package jit

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file turns a run into code, whatever the instruction set: it gives every value a vector or mask register, and has the
// instructions written for whole vectors in a loop and once more for the rest. A value that finds no vector register takes that of
// the one that is needed last, which is loaded again when it is needed.

// generator makes the code of one run.
type generator struct {
	run    *Run
	t      *target
	e      encoder
	instrs []fused
	c      code

	uses     [][]int // the instructions that use a value, in order; len(instrs) for reductions and outputs
	where    []int   // the register of a value, or -1
	done     []bool  // values that are loaded or computed
	saved    []int   // the place in the frame that holds a value that gave up its register, or -1
	free     []int   // vector registers
	freeMask []int   // mask registers
	frame    []int   // free places in the frame
	pinned   []int   // values whose registers may not be taken
	at       int     // the instruction in the making
	spills   bool    // registers may be taken

	constants map[uint64]int // registers of constants, by bits
	literals  []literal
	fixups    []fixup
	base      map[int]int // the register that holds the address of a slot
	bools     bool
	hoisted   []bool        // by input: a single that stays in its register
	sums      []accumulator // by reduction
	part      bool          // the body is written for the rest
	failed    bool
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
		if g.try(stay, false) {
			return true
		}
	}
	return g.try(0, true)
}

func (g *generator) analyze() {
	g.uses = make([][]int, len(g.run.Inputs)+len(g.run.Instrs))
	use := func(v, i int) {
		if u := g.uses[v]; len(u) == 0 || u[len(u)-1] != i {
			g.uses[v] = append(u, i)
		}
	}
	for i, in := range g.instrs {
		if in.gone {
			continue
		}
		for a := range in.arity() {
			use(in.Args[a], i)
		}
	}
	for _, o := range g.run.Outputs {
		use(o.Value, len(g.instrs))
	}
	for _, d := range g.run.Reductions {
		use(d.Value, len(g.instrs))
	}
	for _, in := range g.run.Inputs {
		g.bools = g.bools || in.Type == Bool
	}
	for _, o := range g.run.Outputs {
		g.bools = g.bools || g.run.typeOf(o.Value) == Bool
	}
}

// last is the instruction that uses a value last, or -1.
func (g *generator) last(v int) int {
	if u := g.uses[v]; len(u) > 0 {
		return u[len(u)-1]
	}
	return -1
}

// nextUse is the instruction that uses a value next, the one in the making included.
func (g *generator) nextUse(v int) int {
	for _, i := range g.uses[v] {
		if i >= g.at {
			return i
		}
	}
	return -1
}

func (r *Run) typeOf(v int) Type {
	if v < len(r.Inputs) {
		return r.Inputs[v].Type
	}
	in := r.Instrs[v-len(r.Inputs)]
	switch {
	case in.Convert:
		return Float
	case in.Func == scalar.Where:
		return r.typeOf(in.Args[1])
	case in.Func.GivesBool():
		return Bool
	}
	return Float
}

// frameVectors is the number of vectors for which call has room on its stack.
const frameVectors = 16

// try writes the code with the given number of singles in registers.
func (g *generator) try(stay int, spills bool) bool {
	g.c, g.literals, g.fixups = code{}, nil, nil
	g.e = g.t.encoder(g)
	g.failed, g.spills = false, spills
	g.constants = map[uint64]int{}
	g.base = map[int]int{}
	g.hoisted = make([]bool, len(g.run.Inputs))
	g.where = slices.Repeat([]int{-1}, len(g.uses))
	g.saved = slices.Repeat([]int{-1}, len(g.uses))
	g.done = make([]bool, len(g.uses))
	g.free, g.frame = nil, nil
	for r := g.t.vectors - 1; r >= 0; r-- {
		g.free = append(g.free, r)
	}
	for n := frameVectors - 1; n >= 0; n-- {
		g.frame = append(g.frame, n)
	}
	g.freeMask = slices.Clone(g.t.masks)
	g.prologue(stay)
	free, freeMask := slices.Clone(g.free), slices.Clone(g.freeMask)
	body := func(part bool) {
		g.free, g.freeMask = append(g.free[:0], free...), append(g.freeMask[:0], freeMask...)
		g.body(part)
	}

	if away := slices.IndexFunc(g.run.Outputs, func(o Output) bool { return o.Away }); away >= 0 {
		skip := g.e.head(g.run.Outputs[away].Slot)
		body(true)
		g.e.headDone()
		g.land(skip...)
	}
	rest := g.e.fewer()
	loop := len(g.c.b)
	g.lookAhead()
	body(false)
	g.e.advance()
	if g.sumsFloat32() {
		on := g.e.settled()
		g.flush()
		g.land(on)
	}
	g.e.again(loop)
	g.land(rest)
	end := g.e.none()
	g.e.partial()
	body(true)
	g.land(end)
	g.finishReductions()
	g.e.end()
	g.placeLiterals()
	return !g.failed
}

// land directs jumps to here.
func (g *generator) land(jumps ...int) {
	for _, at := range jumps {
		g.e.aim(at, len(g.c.b))
	}
}

// lookAhead asks for the memory that later vectors will need.
func (g *generator) lookAhead() {
	for _, in := range g.run.Inputs {
		if r, ok := g.base[in.Slot]; ok && in.Far && !in.Single && in.Type != Bool {
			g.e.prefetch(r, false)
		}
	}
	for _, o := range g.run.Outputs {
		if r, ok := g.base[o.Slot]; ok && o.Far && !o.Away && g.run.typeOf(o.Value) != Bool {
			g.e.prefetch(r, true)
		}
	}
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
	for i, slot := range slots[:min(len(slots), len(g.t.bases))] {
		g.base[slot] = g.t.bases[i]
		g.e.loadSlot(g.t.bases[i], slot)
	}
	for _, in := range g.instrs {
		if !in.gone {
			g.constantsOf(in)
		}
	}
	if len(g.t.masks) > 0 && slices.ContainsFunc(g.run.Outputs, func(o Output) bool { return g.run.typeOf(o.Value) == Bool }) {
		g.byteOnes()
	}
	g.beginReductions()
	for v, in := range g.run.Inputs {
		if in.Single && stay > 0 && in.Type != Bool {
			stay--
			g.hoisted[v] = true
			g.where[v] = g.vector()
			g.e.repeat(g.where[v], g.address(in.Slot))
		}
	}
	g.e.begin()
}

// The constants that functions need in registers, as bits of the float type.
func (g *generator) constantsOf(in fused) {
	if in.Convert {
		g.constant(1)
		return
	}
	switch in.Func {
	case scalar.Neg:
		g.signBit()
	case scalar.Abs:
		g.otherBits()
	case scalar.Reciprocal, scalar.Rsqrt:
		g.constant(1)
	case scalar.ReLU, scalar.ReLUGrad, scalar.LeakyReLU:
		g.constant(0)
	case scalar.Exp:
		low, high := g.expRange()
		g.constant(low)
		g.constant(high)
	case scalar.Sigmoid:
		low, _ := g.expRange()
		for _, x := range []float64{low, 0, 1, math.Copysign(0, -1)} {
			g.constant(x)
		}
	case scalar.Expm1:
		for _, x := range []float64{-40, g.infinite(), 0, 0.5} {
			g.constant(x)
		}
	case scalar.Tanh, scalar.Erf:
		switch {
		case in.Func == scalar.Erf:
			g.constant(erfEnd)
			g.constant(1)
		case g.run.Double:
			g.constant(40)
			g.constant(0.5)
		default:
			g.constant(tanhEnd)
			g.constant(1)
		}
		g.signBit()
		g.otherBits()
	case scalar.GELU, scalar.GELUPrime:
		for _, x := range []float64{normalEnd, 0, 1} {
			g.constant(x)
		}
		g.otherBits()
	}
}

// constant returns a constant: the register that holds it in every lane, or if the instruction set keeps none there one of the pool.
func (g *generator) constant(x float64) int {
	return g.bits(uint64(math.Float32bits(float32(x))), math.Float64bits(x))
}

func (g *generator) signBit() int { return g.constant(math.Copysign(0, -1)) }

// otherBits has all bits set but the sign.
func (g *generator) otherBits() int { return g.bits(0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF) }

// byteOnes has a one in every byte.
func (g *generator) byteOnes() int { return g.bits(0x01010101, 0x0101010101010101) }

func (g *generator) bits(single, double uint64) int {
	x := single
	if g.run.Double {
		x = double
	}
	if !g.t.held {
		return g.literal(literal{bits: x})
	}
	if r, ok := g.constants[x]; ok {
		return r
	}
	r := g.vector()
	g.constants[x] = r
	g.e.constant(r, g.literal(literal{bits: x}))
	return r
}

// number returns a constant of the pool.
func (g *generator) number(x float64) int {
	if g.run.Double {
		return g.literal(literal{bits: math.Float64bits(x)})
	}
	return g.literal(literal{bits: uint64(math.Float32bits(float32(x)))})
}

// vector takes a free vector register, or that of a value that is needed later.
func (g *generator) vector() int {
	if len(g.free) == 0 && !(g.spills && g.evict()) {
		g.failed = true
		return 0
	}
	r := g.free[len(g.free)-1]
	g.free = g.free[:len(g.free)-1]
	return r
}

// evict frees the register of the value that is needed last. Inputs are loaded from their blocks again, which nothing is stored to before
// the last instruction; results are kept in the frame.
func (g *generator) evict() bool {
	victim := -1
	for v := range g.where {
		if g.where[v] < 0 || g.masks(v) || v < len(g.hoisted) && g.hoisted[v] || slices.Contains(g.pinned, v) {
			continue
		}
		if victim < 0 || g.nextUse(v) > g.nextUse(victim) {
			victim = v
		}
	}
	if victim < 0 {
		return false
	}
	if victim >= len(g.run.Inputs) && g.saved[victim] < 0 {
		if len(g.frame) == 0 {
			return false
		}
		g.saved[victim] = g.frame[len(g.frame)-1]
		g.frame = g.frame[:len(g.frame)-1]
		g.e.spill(g.where[victim], g.saved[victim])
	}
	g.free = append(g.free, g.where[victim])
	g.where[victim] = -1
	return true
}

// mask takes a free register for a mask.
func (g *generator) mask() int {
	if len(g.t.masks) == 0 {
		return g.vector()
	}
	if len(g.freeMask) == 0 {
		g.failed = true
		return g.t.masks[0]
	}
	r := g.freeMask[len(g.freeMask)-1]
	g.freeMask = g.freeMask[:len(g.freeMask)-1]
	return r
}

// release returns vector registers.
func (g *generator) release(r ...int) { g.free = append(g.free, r...) }

// releaseMask returns a register of a mask.
func (g *generator) releaseMask(k int) {
	if len(g.t.masks) == 0 {
		g.release(k)
	} else {
		g.freeMask = append(g.freeMask, k)
	}
}

// masks reports whether a value is in a mask register.
func (g *generator) masks(v int) bool { return g.run.typeOf(v) == Bool && len(g.t.masks) > 0 }

// body writes the instructions for one vector.
func (g *generator) body(part bool) {
	g.part = part
	for v := range g.where {
		if v >= len(g.hoisted) || !g.hoisted[v] {
			g.where[v], g.done[v] = -1, false
		}
	}
	for i, in := range g.instrs {
		if in.gone {
			continue
		}
		g.at = i
		args, result := in.Args[:in.arity()], len(g.run.Inputs)+i
		g.pinned = append(append(g.pinned[:0], args...), result)
		if !g.done[result] {
			for _, v := range args {
				g.load(v)
			}
			g.emit(in, i)
		}
		for _, v := range args {
			if g.last(v) == i {
				g.drop(v)
			}
		}
		// What is stored leaves at once: nothing is stored before all instructions that may still read the same memory
		// have loaded it, as each element is loaded before the first store of the vector.
		if g.last(result) < 0 {
			g.drop(result)
		}
	}
	g.at = len(g.instrs)
	for i, d := range g.run.Reductions {
		g.pinned = append(g.pinned[:0], d.Value)
		g.load(d.Value)
		g.accumulate(d, g.sums[i])
	}
	for _, o := range g.run.Outputs {
		g.pinned = append(g.pinned[:0], o.Value)
		g.load(o.Value)
		if g.run.typeOf(o.Value) == Bool {
			g.e.storeBools(g.where[o.Value], g.address(o.Slot), part)
		} else {
			g.e.store(g.where[o.Value], g.address(o.Slot), part, o.Away)
		}
	}
	for v := range g.where {
		g.drop(v)
	}
}

// drop returns the register of a value, if it has one that is not its own for good, and its place in the frame.
func (g *generator) drop(v int) {
	if g.saved[v] >= 0 {
		g.frame = append(g.frame, g.saved[v])
		g.saved[v] = -1
	}
	if g.where[v] < 0 || v < len(g.hoisted) && g.hoisted[v] {
		return
	}
	if g.run.typeOf(v) == Bool {
		g.releaseMask(g.where[v])
	} else {
		g.release(g.where[v])
	}
	g.where[v] = -1
}

// address returns the register with a slot's address.
func (g *generator) address(slot int) int {
	if r, ok := g.base[slot]; ok {
		return r
	}
	r := g.t.temporary
	g.e.loadSlot(r, slot)
	return r
}

// load brings a value into a register.
func (g *generator) load(v int) {
	if g.where[v] >= 0 {
		return
	}
	if v >= len(g.run.Inputs) {
		g.where[v] = g.vector()
		g.e.reload(g.where[v], g.saved[v])
		return
	}
	in := g.run.Inputs[v]
	switch {
	case in.Type == Bool:
		g.where[v] = g.mask()
		if in.Single {
			g.e.repeatBool(g.where[v], g.address(in.Slot))
		} else {
			g.e.loadBools(g.where[v], g.address(in.Slot), g.part)
		}
	case in.Single:
		g.where[v] = g.vector()
		g.e.repeat(g.where[v], g.address(in.Slot))
	default:
		g.where[v] = g.vector()
		g.e.load(g.where[v], g.address(in.Slot), g.part)
	}
}

// arith writes d = a op b, or with three factors d = d op (a, b), where a and b may be constants. A constant a needs d, which is not b.
func (g *generator) arith(o operation, d, a, b int) {
	if a < 0 {
		g.e.constant(d, a)
		a = d
	}
	g.e.arith(o, d, a, b)
}

var comparisons = map[scalar.Func]comparison{
	scalar.Eq: equal, scalar.Ne: differs, scalar.Lt: less, scalar.Le: lessEqual, scalar.Gt: greater, scalar.Ge: greaterEqual,
}

// emit writes instruction i. The operands are in registers.
func (g *generator) emit(in fused, i int) {
	result := len(g.run.Inputs) + i
	g.done[result] = true
	var r [3]int
	for a := range in.arity() {
		r[a] = g.where[in.Args[a]]
	}
	if g.run.typeOf(result) == Bool {
		k := g.mask()
		g.where[result] = k
		g.emitBool(in, k, r)
		return
	}
	d := g.vector()
	g.where[result] = d
	if in.Convert {
		if g.run.typeOf(in.Args[0]) == Bool {
			g.e.keep(d, r[0], g.constant(1))
		} else {
			g.e.apply(opFromInt, d, r[0])
		}
		return
	}
	switch in.Func {
	case scalar.Neg:
		g.arith(opXor, d, r[0], g.signBit())
	case scalar.Abs:
		g.arith(opAnd, d, r[0], g.otherBits())
	case scalar.Square:
		g.arith(opMul, d, r[0], r[0])
	case scalar.Reciprocal:
		g.arith(opDiv, d, g.constant(1), r[0])
	case scalar.Sqrt:
		g.e.apply(opSqrt, d, r[0])
	case scalar.Rsqrt:
		t := g.vector()
		g.e.apply(opSqrt, t, r[0])
		g.arith(opDiv, d, g.constant(1), t)
		g.release(t)
	case scalar.Floor:
		g.e.apply(opFloor, d, r[0])
	case scalar.Ceil:
		g.e.apply(opCeil, d, r[0])
	case scalar.Round:
		g.e.apply(opRound, d, r[0])
	case scalar.ReLU:
		g.arith(opMax, d, g.constant(0), r[0]) // NaN stays, as it is the second operand
	case scalar.Add:
		g.arith(opAdd, d, r[0], r[1])
	case scalar.Sub:
		g.arith(opSub, d, r[0], r[1])
	case scalar.Mul:
		g.arith(opMul, d, r[0], r[1])
	case scalar.Div:
		g.arith(opDiv, d, r[0], r[1])
	case scalar.Min, scalar.Max:
		// The operation gives its second operand, b, where either is NaN; where a is NaN, a is to be the result.
		o := opMin
		if in.Func == scalar.Max {
			o = opMax
		}
		k := g.mask()
		g.arith(o, d, r[0], r[1])
		g.e.compare(k, r[0], r[0], unordered)
		g.e.blend(d, k, d, r[0])
		g.releaseMask(k)
	case scalar.ReLUGrad:
		k := g.mask()
		g.e.compare(k, r[1], g.constant(0), greater)
		g.e.keep(d, k, r[0])
		g.releaseMask(k)
	case scalar.LeakyReLU:
		k := g.mask()
		g.e.compare(k, r[0], g.constant(0), greater)
		g.arith(opMul, d, r[0], r[1])
		g.e.blend(d, k, d, r[0])
		g.releaseMask(k)
	case scalar.Where:
		g.e.blend(d, r[0], r[2], r[1])
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
			v := len(g.run.Inputs) + p
			other = g.vector()
			g.where[v], g.done[v] = other, true
			g.pinned = append(g.pinned, v)
		}
		if in.Func == scalar.GELU {
			g.gelu(d, other, r[0])
		} else {
			g.gelu(other, d, r[0])
		}
	case scalar.MulAdd:
		g.e.apply(opMove, d, r[2])
		switch {
		case in.subtract:
			g.arith(opMulSub, d, r[0], r[1])
		case in.negate:
			g.arith(opSubMul, d, r[0], r[1])
		default:
			g.arith(opAddMul, d, r[0], r[1])
		}
	default:
		panic("jit: " + in.Func.String() + " is not simple")
	}
}

// emitBool writes an instruction whose result is a mask.
func (g *generator) emitBool(in fused, k int, r [3]int) {
	if how, ok := comparisons[in.Func]; ok && g.run.typeOf(in.Args[0]) != Bool {
		if g.run.typeOf(in.Args[0]) == Int {
			g.e.compareInts(k, r[0], r[1], how)
		} else {
			g.e.compare(k, r[0], r[1], how)
		}
		return
	}
	switch in.Func {
	case scalar.And:
		g.e.logic(maskAnd, k, r[0], r[1])
	case scalar.Or:
		g.e.logic(maskOr, k, r[0], r[1])
	case scalar.Xor, scalar.Ne:
		g.e.logic(maskXor, k, r[0], r[1])
	case scalar.Not:
		g.e.not(k, r[0])
	case scalar.Eq:
		g.e.logic(maskXor, k, r[0], r[1])
		g.e.not(k, k)
	case scalar.Where: // (cond and a) or (not cond and b)
		t := g.mask()
		g.e.logic(maskAnd, t, r[0], r[1])
		g.e.logic(maskAndNot, k, r[0], r[2])
		g.e.logic(maskOr, k, k, t)
		g.releaseMask(t)
	default:
		panic("jit: " + in.Func.String() + " is not simple")
	}
}
