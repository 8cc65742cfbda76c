package jit

import (
	"math"
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
)

// This file says what an instruction set has to offer: the generator decides what is computed in which register, an encoder
// writes the instructions. Registers are numbers; those of vectors and those of masks are counted separately.

// target is an instruction set.
type target struct {
	level     cpu.Level
	bytes     int   // of a vector
	vectors   int   // vector registers that values may take; an encoder may keep others for itself
	masks     []int // mask registers that values may take; none where a mask is a vector, whose lanes are all ones or all zeros
	bases     []int // general registers that may hold addresses of blocks through the loop
	temporary int   // one that may hold an address for the moment
	held      bool  // constants that functions name first stay in registers, else all come from memory
	scales    bool  // opScale is an instruction
	literal   int   // bytes that a constant of the pool takes; 0 for one element, which instructions repeat by themselves
	wide      bool  // lookUp picks from tables of 16 numbers, else of 8
	encoder   func(*generator) encoder
}

// lanes is the number of elements of a vector.
func (t *target) lanes(double bool) int { return t.bytes / size(double) }

func size(double bool) int {
	if double {
		return 8
	}
	return 4
}

// targetOf is the instruction set of a level, or nil.
func targetOf(level cpu.Level) *target {
	if i := slices.IndexFunc(targets, func(t *target) bool { return t.level == level }); i >= 0 {
		return targets[i]
	}
	return nil
}

// operation computes d from registers: d = a op b, or with three factors d = d op (a, b).
type operation uint8

const (
	opAdd operation = iota
	opSub
	opMul
	opDiv
	opMin // b if either is NaN
	opMax // b if either is NaN
	opAnd
	opOr
	opXor
	opMulAddBy // a*d + b
	opAddMul   // d + a*b
	opSubMul   // d - a*b
	opMulSubBy // a*d - b
	opMulSub   // a*b - d
	opScale    // a * 2^b
	opAddBits  // of integers as wide as the floats
)

// function computes d from one register.
type function uint8

const (
	opMove function = iota
	opSqrt
	opFloor
	opCeil
	opRound   // to nearest, ties to even
	opFromInt // int32 to float32
	opToInt   // float32 to int32, to nearest
)

// comparison is what two registers are compared for. All are false for NaN but differs and unordered.
type comparison uint8

const (
	equal comparison = iota
	differs
	less
	lessEqual
	greater
	greaterEqual
	unordered // either is NaN
)

// logic combines masks.
type logic uint8

const (
	maskAnd logic = iota
	maskOr
	maskXor
	maskAndNot // not a, and b
)

// encoder writes instructions. Where an operand b may be a constant it is negative and names one of the generator's pool, see
// constant. A block is addressed by a general register, at the place in it that the loop has come to; part means that only the
// elements count that partial has set: the others are loaded as zeros and not stored.
type encoder interface {
	// Flow. Those that return a place have written a jump, which aim directs.
	begin()               // before the loop, after the constants: the place is the beginning of the blocks
	fewer() int           // jumps if fewer elements are left than a vector has
	none() int            // jumps if none are left
	partial()             // fewer elements are left than a vector has: part means these
	advance()             // goes on by a vector
	settled() int         // jumps unless the place is that of a flush, see flushEvery
	again(loop int)       // jumps back if a whole vector is left
	head(slot int) []int  // as partial, for the elements before the first at which a vector is aligned in the slot's block; jumps if there are none, or not as many
	headDone()            // goes on by what the head was
	end()                 // returns
	aim(at, to int)       // directs a jump or a reference to the pool to a place in the code
	loadSlot(r, slot int) // the address of a slot's block
	prefetch(base int, write bool)

	// Memory.
	load(d, base int, part bool)
	store(r, base int, part, away bool)
	loadBools(k, base int, part bool)
	storeBools(k, base int, part bool)
	repeat(d, base int) // one number for all lanes
	repeatBool(k, base int)
	constant(d, b int)
	spill(r, n int) // to a place in the frame
	reload(r, n int)

	// Arithmetic. The last operand of arith and compare may be a constant, and that of keep one that the generator's constant has returned.
	arith(o operation, d, a, b int)
	apply(f function, d, a int)
	shift(d, a, left int)   // bits of integers as wide as the floats; to the right if left is negative
	lookUp(d, index, t int) // numbers of a table of the pool, by the low bits of the lanes of index
	compare(k, a, b int, how comparison)
	compareInts(k, a, b int, how comparison) // int32
	blend(d, k, no, yes int)
	keep(d, k, a int) // 0 where the mask is not set
	logic(o logic, k, a, b int)
	not(k, a int)
	clearMask(k int)
	partMask(k int) // the elements that part means

	// Reductions.
	clear(r int)
	widen(d, a int, upper bool)                    // float32 to float64, of one half
	addWide(d, a, b int)                           // float64
	storeSum(r, t, base int, total bool)           // the sum of the float64 lanes: added to a float64, or stored as the run's float type
	storeExtreme(r, t, nan, slot int, o operation) // of opMin or opMax, NaN if any lane of nan is set
}

// literal is a constant, or a table, in memory behind the code.
type literal struct {
	bits    uint64
	numbers table
}

// fixup is a place in the code that refers to a literal.
type fixup struct{ at, literal int }

// refer notes that the instruction in the making refers to the constant b at a place in the code.
func (g *generator) refer(at, b int) { g.fixups = append(g.fixups, fixup{at, ^b}) }

// literal returns a number for a constant of the pool, which is negative.
func (g *generator) literal(l literal) int {
	i := slices.IndexFunc(g.literals, func(m literal) bool {
		return m.bits == l.bits && unsafe.SliceData(m.numbers) == unsafe.SliceData(l.numbers)
	})
	if i < 0 {
		i = len(g.literals)
		g.literals = append(g.literals, l)
	}
	return ^i
}

// placeLiterals writes what the code refers to behind it.
func (g *generator) placeLiterals() {
	places := map[int]int{}
	for _, r := range g.fixups {
		if _, ok := places[r.literal]; !ok {
			places[r.literal] = g.place(g.literals[r.literal])
		}
		g.e.aim(r.at, places[r.literal])
	}
}

// place writes a literal, and returns where.
func (g *generator) place(l literal) (at int) {
	if l.numbers != nil {
		g.c.align(g.t.bytes)
		at = len(g.c.b)
		for _, x := range l.numbers {
			g.c.put32(math.Float32bits(x))
		}
		return at
	}
	element := size(g.run.Double)
	bytes := max(g.t.literal, element)
	g.c.align(bytes)
	at = len(g.c.b)
	for range bytes / element {
		for k := range element {
			g.c.put(byte(l.bits >> (8 * k)))
		}
	}
	return at
}

// code is machine code in the making.
type code struct{ b []byte }

func (c *code) put(b ...byte) { c.b = append(c.b, b...) }

func (c *code) put32(x uint32) { c.put(byte(x), byte(x>>8), byte(x>>16), byte(x>>24)) }

// align fills up to a multiple of n bytes.
func (c *code) align(n int) {
	for len(c.b)%n != 0 {
		c.b = append(c.b, 0)
	}
}
