package jit

import "math"

// This file writes reductions: each keeps a few registers through the loop, which are combined at the end. Sums of float32
// are taken in float32 over 32 vectors and then in float64, so that they are nearly as good as sums in float64 and as fast as
// sums in float32.

// accumulator is where a reduction stands in the middle of the loop.
type accumulator struct {
	near      int // register: of float32 sums since the last flush
	low, high int // registers: of float64 sums of the lower and upper halves of vectors, or of the extreme so far
	nan       int // mask: lanes in which a NaN was met
}

// flushEvery is the number of vectors after which the float32 sums are added to the float64 ones.
const flushEvery = 32

// fewVectors is the number of vector registers up to which both halves of a vector are added to one register.
const fewVectors = 16

func (g *generator) beginReductions() {
	g.sums = nil
	for _, d := range g.run.Reductions {
		a := accumulator{}
		switch d.Kind {
		case RowSum, Total:
			a.low = g.vector()
			a.high = a.low
			g.e.clear(a.low)
			if g.run.Double {
				break
			}
			if g.t.vectors > fewVectors {
				a.high = g.vector()
				g.e.clear(a.high)
			}
			a.near = g.vector()
			g.e.clear(a.near)
		case RowMax, RowMin:
			a.low, a.nan = g.vector(), g.mask()
			x := math.Inf(-1)
			if d.Kind == RowMin {
				x = math.Inf(1)
			}
			g.e.constant(a.low, g.number(x))
			g.e.clearMask(a.nan)
		}
		g.sums = append(g.sums, a)
	}
}

// accumulate takes the vector of the loop in.
func (g *generator) accumulate(d Reduction, a accumulator) {
	v := g.where[d.Value]
	switch d.Kind {
	case RowSum, Total:
		sum := a.near
		if g.run.Double {
			sum = a.low
		}
		if !g.part {
			g.arith(opAdd, sum, sum, v)
			return
		}
		k, t := g.mask(), g.vector()
		g.e.partMask(k)
		g.e.keep(t, k, v)
		g.arith(opAdd, sum, sum, t)
		g.release(t)
		g.releaseMask(k)
	case RowMax, RowMin:
		k := g.mask()
		g.e.compare(k, v, v, unordered)
		if g.part {
			here, t := g.mask(), g.vector()
			g.e.partMask(here)
			g.e.logic(maskAnd, k, k, here)
			g.e.blend(t, here, a.low, v)
			g.arith(extreme(d.Kind), a.low, a.low, t)
			g.release(t)
			g.releaseMask(here)
		} else {
			g.arith(extreme(d.Kind), a.low, a.low, v)
		}
		g.e.logic(maskOr, a.nan, a.nan, k)
		g.releaseMask(k)
	case Columns:
		t, base := g.vector(), g.address(d.Slot)
		g.e.load(t, base, g.part)
		g.arith(opAdd, t, t, v)
		g.e.store(t, base, g.part, false)
		g.release(t)
	}
}

func extreme(k Kind) operation {
	if k == RowMin {
		return opMin
	}
	return opMax
}

// flush adds the float32 sums to the float64 ones.
func (g *generator) flush() {
	for i, d := range g.run.Reductions {
		if g.run.Double || d.Kind != RowSum && d.Kind != Total {
			continue
		}
		a, u := g.sums[i], g.vector()
		g.e.widen(u, a.near, false)
		g.e.addWide(a.low, a.low, u)
		g.e.widen(u, a.near, true)
		g.e.addWide(a.high, a.high, u)
		g.e.clear(a.near)
		g.release(u)
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

// finishReductions combines the lanes and stores the results.
func (g *generator) finishReductions() {
	g.flush()
	for i, d := range g.run.Reductions {
		a, t := g.sums[i], g.vector()
		switch d.Kind {
		case RowSum, Total:
			if a.high != a.low {
				g.e.addWide(a.low, a.low, a.high)
			}
			g.e.storeSum(a.low, t, g.address(d.Slot), d.Kind == Total)
		case RowMax, RowMin:
			g.e.storeExtreme(a.low, t, a.nan, d.Slot, extreme(d.Kind))
		}
		g.release(t)
	}
}
