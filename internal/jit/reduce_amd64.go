//go:build linux && amd64

package jit

import "math"

// This file writes reductions: each keeps a few registers through the loop, which are combined at the end. Sums of float32
// are taken in float32 over 32 vectors and then in float64, so that they are nearly as good as sums in float64 and as fast as
// sums in float32.

// accumulator is where a reduction stands in the middle of the loop.
type accumulator struct {
	near      int // register: of float32 sums since the last flush
	low, high int // registers: of float64 sums of the lower and upper halves of vectors, or of the extreme so far
	nan       int // mask register: lanes in which a NaN was met
}

// flushEvery is the number of bytes after which the float32 sums are added to the float64 ones.
const flushEvery = 32 * 64

func (g *generator) beginReductions() {
	g.sums = nil
	for _, d := range g.run.Reductions {
		a := accumulator{}
		switch d.Kind {
		case RowSum, Total:
			a.low = g.vector()
			g.clear(a.low)
			if !g.run.Double {
				a.high, a.near = g.vector(), g.vector()
				g.clear(a.high)
				g.clear(a.near)
			}
		case RowMax, RowMin:
			a.low, a.nan = g.vector(), g.mask()
			x := math.Inf(-1)
			if d.Kind == RowMin {
				x = math.Inf(1)
			}
			g.c.regs(opcode{g.w(), 1, g.w(), 0x28, 2}, a.low, 0, g.constantOf(x), masking{})
			g.c.vexMask(1, 0x47, a.nan, a.nan, a.nan) // KXORW
		}
		g.sums = append(g.sums, a)
	}
}

// clear zeroes a vector register: VPXORD.
func (g *generator) clear(r int) { g.c.regs(opcode{1, 1, 0, 0xEF, 2}, r, r, r, masking{}) }

// accumulate takes the vector of the loop in.
func (g *generator) accumulate(d Reduction, a accumulator) {
	v := g.where[d.Value]
	m := masking{}
	if g.masked {
		m.k = 1
	}
	addPD := opcode{1, 1, 1, opAdd, 2}
	switch d.Kind {
	case RowSum, Total:
		if g.run.Double {
			g.c.regs(addPD, a.low, a.low, v, m)
			return
		}
		g.c.regs(g.op(opAdd), a.near, a.near, v, m)
	case RowMax, RowMin:
		op := byte(opMax)
		if d.Kind == RowMin {
			op = opMin
		}
		k := g.mask()
		g.c.regs(g.op(0xC2), k, v, v, m)
		g.c.put(unordered)
		g.c.vexMask(1, 0x45, a.nan, a.nan, k) // KORW
		g.c.regs(g.op(op), a.low, a.low, v, m)
		g.freeMask = append(g.freeMask, k)
	case Columns:
		t := g.vector()
		g.c.indexed(opcode{g.w(), 1, g.w(), 0x10, 2}, t, g.address(d.Slot), rax, g.loads())
		g.c.regs(g.op(opAdd), t, t, v, masking{})
		g.c.indexed(opcode{g.w(), 1, g.w(), 0x11, 2}, t, g.address(d.Slot), rax, m)
		g.free = append(g.free, t)
	}
}

// flush adds the float32 sums to the float64 ones.
func (g *generator) flush() {
	for i, d := range g.run.Reductions {
		if g.run.Double || d.Kind != RowSum && d.Kind != Total {
			continue
		}
		a, u := g.sums[i], g.vector()
		widen, addPD := opcode{0, 1, 0, 0x5A, 2}, opcode{1, 1, 1, opAdd, 2} // VCVTPS2PD and VADDPD
		g.c.regs(widen, u, 0, a.near, masking{})
		g.c.regs(addPD, a.low, a.low, u, masking{})
		g.extract(0x1B, 0, u, a.near, 2) // VEXTRACTF32X8
		g.c.regs(widen, u, 0, u, masking{})
		g.c.regs(addPD, a.high, a.high, u, masking{})
		g.clear(a.near)
		g.free = append(g.free, u)
	}
}

// sumsFloat32 reports whether there is something to flush.
func (g *generator) sumsFloat32() bool {
	for _, d := range g.run.Reductions {
		if !g.run.Double && (d.Kind == RowSum || d.Kind == Total) {
			return true
		}
	}
	return false
}

// extract writes VEXTRACT of the upper half of src into dst; length 2 takes half of 512 bits, 1 half of 256.
func (g *generator) extract(op, w byte, dst, src int, length byte) {
	g.c.regs(opcode{1, 3, w, op, length}, src, 0, dst, masking{})
	g.c.put(1)
}

// finishReductions combines the lanes and stores the results.
func (g *generator) finishReductions() {
	g.flush()
	for i, d := range g.run.Reductions {
		a := g.sums[i]
		switch d.Kind {
		case RowSum, Total:
			g.finishSum(d, a)
		case RowMax, RowMin:
			g.finishExtreme(d, a)
		}
	}
}

func (g *generator) finishSum(d Reduction, a accumulator) {
	t := g.vector()
	add := func(length byte, src int) { g.c.regs(opcode{1, 1, 1, opAdd, length}, a.low, a.low, src, masking{}) }
	if !g.run.Double {
		add(2, a.high)
	}
	g.extract(0x1B, 1, t, a.low, 2) // VEXTRACTF64X4
	add(1, t)
	g.extract(0x19, 1, t, a.low, 1) // VEXTRACTF64X2
	add(0, t)
	g.c.regs(opcode{1, 3, 1, 0x05, 0}, t, 0, a.low, masking{}) // VPERMILPD
	g.c.put(1)
	add(0, t)
	g.free = append(g.free, t)
	g.c.loadSlot(r15, d.Slot)
	if d.Kind == Total {
		g.c.atR15With(opcode{3, 1, 1, opAdd, 0}, a.low, a.low) // VADDSD
	} else if !g.run.Double {
		g.c.regs(opcode{3, 1, 1, 0x5A, 0}, a.low, a.low, a.low, masking{}) // VCVTSD2SS
		g.c.atR15(opcode{2, 1, 0, 0x11, 0}, a.low)                         // VMOVSS
		return
	}
	g.c.atR15(opcode{3, 1, 1, 0x11, 0}, a.low) // VMOVSD
}

func (g *generator) finishExtreme(d Reduction, a accumulator) {
	op := byte(opMax)
	if d.Kind == RowMin {
		op = opMin
	}
	t := g.vector()
	combine := func(length byte) { g.c.regs(opcode{g.w(), 1, g.w(), op, length}, a.low, a.low, t, masking{}) }
	g.extract(0x1B, g.w(), t, a.low, 2) // VEXTRACTF32X8 or F64X4
	combine(1)
	g.extract(0x19, g.w(), t, a.low, 1) // VEXTRACTF32X4 or F64X2
	combine(0)
	g.c.regs(opcode{1, 3, 1, 0x05, 0}, t, 0, a.low, masking{}) // VPERMILPD
	g.c.put(1)
	combine(0)
	if !g.run.Double {
		g.c.regs(opcode{1, 3, 0, 0x04, 0}, t, 0, a.low, masking{}) // VPERMILPS
		g.c.put(1)
		combine(0)
	}
	g.free = append(g.free, t)
	g.c.put(0xC5, 0xF8, 0x98, 0xC0|byte(a.nan)<<3|byte(a.nan)) // KORTESTW
	none := g.c.jump(zero)
	bits := uint64(math.Float32bits(float32(math.NaN())))
	if g.run.Double {
		bits = math.Float64bits(math.NaN())
	}
	g.c.put(0x49, 0xBF) // MOV r15, NaN
	g.c.put32(uint32(bits))
	g.c.put32(uint32(bits >> 32))
	g.c.regs(opcode{1, 1, g.w(), 0x6E, 0}, a.low, 0, r15, masking{}) // VMOVD or VMOVQ
	g.c.land(none)
	g.c.loadSlot(r15, d.Slot)
	if g.run.Double {
		g.c.atR15(opcode{3, 1, 1, 0x11, 0}, a.low)
	} else {
		g.c.atR15(opcode{2, 1, 0, 0x11, 0}, a.low)
	}
}
