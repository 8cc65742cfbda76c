package cpu

import "unsafe"

// This file has pooling by the largest element done by kernels of its own, which take one place of the window at a time: all
// elements that meet are read where they are.

// poolKernels are the kernels of a level; nil where there are none.
type poolKernels struct {
	largest func(y, x *byte, offsets *int, taps, n int)
	spread  func(dx, x *byte, offsets *int, taps int, dy *byte, n int)
}

// fastRow pools a row of places: a is x, b is dy or nil. It does what row does for these kinds.
func (p *Pool) fastRow(n, r int, a, b, out, scratch unsafe.Pointer) {
	pixel := p.Channels * p.size
	p0, p1 := r/p.Places[1], r%p.Places[1]
	offsets := unsafe.Slice((*int)(scratch), p.taps)
	lines := unsafe.Slice((*int)(unsafe.Add(scratch, 8*p.taps)), p.Window[0]*p.Window[1]) // of the window that lie inside
	inside := 0
	for t0 := range p.Window[0] {
		for t1 := range p.Window[1] {
			i0, i1 := p0*p.Stride[0]+t0*p.Dilation[0]-p.Before[0], p1*p.Stride[1]+t1*p.Dilation[1]-p.Before[1]
			if i0 >= 0 && i0 < p.Space[0] && i1 >= 0 && i1 < p.Space[1] {
				lines[inside] = (i0*p.Space[1] + i1) * p.Space[2] * pixel
				inside++
			}
		}
	}
	image := p.Space[0] * p.Space[1] * p.Space[2] * pixel
	row := ((n*p.Places[0]+p0)*p.Places[1] + p1) * p.Places[2] * pixel
	step := p.Dilation[2]
	listed := [2]int{-1, -1}
	for q := range p.Places[2] {
		// The taps of the last axis that lie inside.
		at := q*p.Stride[2] - p.Before[2]
		lo, hi := 0, p.Window[2]
		if at < 0 {
			lo = (-at + step - 1) / step
		}
		if room := p.Space[2] - at; room < (hi-1)*step+1 {
			hi = max((room+step-1)/step, 0)
		}
		if inside == 0 || lo >= hi {
			if p.Kind == PoolPick {
				p.fill(unsafe.Add(out, row+q*pixel), p.zero, p.Channels)
			}
			continue
		}
		if listed != [2]int{lo, hi} {
			listed = [2]int{lo, hi}
			k := 0
			for _, line := range lines[:inside] {
				for t := range hi - lo {
					offsets[k] = line - lines[0] + t*step*pixel
					k++
				}
			}
		}
		first := n*image + lines[0] + (at+lo*step)*pixel
		taps := inside * (hi - lo)
		x := (*byte)(unsafe.Add(a, first))
		if p.Kind == PoolPick {
			p.kernels.largest((*byte)(unsafe.Add(out, row+q*pixel)), x, &offsets[0], taps, p.Channels)
		} else {
			p.kernels.spread((*byte)(unsafe.Add(out, first)), x, &offsets[0], taps, (*byte)(unsafe.Add(b, row+q*pixel)), p.Channels)
		}
	}
}
