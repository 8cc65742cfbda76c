package cpu

import "unsafe"

// This file has depthwise convolutions, in which every channel has its own kernel. There is nothing to sum over but the taps of
// the window, so they are done by multiplications of vectors: a segment of a row times the kernel's row for a tap, which is
// repeated as often as the segment has places.

// depthwise is what a plan keeps for them.
type depthwise struct {
	segment  int // places of a segment, at most
	block    int // bytes of a segment
	scratch  int // offset of the blocks in the worker's scratch
	mul, fma Vec
	tile     Rows
	fill     func(dst, src unsafe.Pointer, n int)
	columns  Rows
	zero     unsafe.Pointer
}

// depthwiseSegment is about the number of elements of a segment: the kernel's rows for all taps stay in the first-level cache.
const depthwiseSegment = 512

// planDepthwise lets the plan be done by vectors where each channel is its own group.
func (c *Conv) planDepthwise(mul, fma Vec, dt DType) {
	if c.In != 1 || c.Out != c.Groups || c.Groups == 1 {
		return
	}
	pixel := c.Out * c.size
	d := &depthwise{segment: max(1, depthwiseSegment/c.Out), mul: mul, fma: fma, tile: Tile(dt), fill: Fill(dt), columns: ColumnReduction(Sum, dt), zero: unsafe.Pointer(new(float64))}
	d.block = align(d.segment*pixel) + 64
	d.scratch = c.worker
	c.worker += d.block * (c.taps() + 2)
	c.depthwise = d
}

// blockAt is block i of the scratch: the kernel's rows by taps, then two for results and what is gathered.
func (c *Conv) blockAt(worker unsafe.Pointer, i int) unsafe.Pointer {
	return unsafe.Add(worker, c.depthwise.scratch+i*c.depthwise.block)
}

// tileTaps repeats the kernel's rows of a part, one block for each tap.
func (c *Conv) tileTaps(p *convPart, w, worker unsafe.Pointer) {
	pixel := c.Out * c.size
	for t := range len(p.axes[0].taps) * len(p.axes[1].taps) * len(p.axes[2].taps) {
		c.depthwise.tile(c.blockAt(worker, t), unsafe.Add(w, t*pixel), c.depthwise.segment, c.Out)
	}
}

// pixels returns count pixels that lie step bytes apart side by side: in place where they do so, else gathered in to.
func pixels(src unsafe.Pointer, step, pixel, count int, to unsafe.Pointer) unsafe.Pointer {
	if step == pixel || count == 1 {
		return src
	}
	copyRows(to, pixel, src, step, count, pixel)
	return to
}

// depthwiseRow is row for depthwise convolutions, with the kernel's rows in the scratch.
func (c *Conv) depthwiseRow(p *convPart, im *image, a int, dst unsafe.Pointer, count, cRow int, worker unsafe.Pointer) {
	d := c.depthwise
	x, y, z := &p.axes[0], &p.axes[1], &p.axes[2]
	pixel, aRow := c.Out*c.size, c.steps[2]*im.stride[2]
	sum, gathered := c.blockAt(worker, c.taps()), c.blockAt(worker, c.taps()+1)
	for q := 0; q < count; q += d.segment {
		places := min(d.segment, count-q)
		n := places * c.Out
		to := unsafe.Add(dst, q*cRow)
		out := to
		if cRow != pixel {
			out = sum
		}
		t := 0
		for tx := range x.taps {
			for ty := range y.taps {
				for tz := range z.taps {
					at := a + q*aRow + tx*x.next*im.stride[0] + ty*y.next*im.stride[1] + tz*z.next*im.stride[2]
					src := pixels(unsafe.Add(im.base, at), aRow, pixel, places, gathered)
					if t == 0 {
						d.mul(out, src, c.blockAt(worker, 0), nil, n)
					} else {
						d.fma(out, src, c.blockAt(worker, t), out, n)
					}
					t++
				}
			}
		}
		if cRow != pixel {
			copyRows(to, cRow, sum, pixel, places, pixel)
		}
	}
}

// depthwiseKernel is kernelRange for depthwise convolutions: products of segments are added up, and then their places.
func (c *Conv) depthwiseKernel(im *image, n, u int, from, end [3]int, y, out, worker unsafe.Pointer, add bool) {
	d := c.depthwise
	pixel, aRow := c.Out*c.size, c.Stride[2]*im.stride[2]
	sum, gathered := c.blockAt(worker, 0), c.blockAt(worker, 1)
	if !add {
		d.fill(out, d.zero, c.taps()*c.Out)
	}
	for t := range c.taps() {
		t0, t1, t2 := t/(c.Window[1]*c.Window[2]), t/c.Window[2]%c.Window[1], t%c.Window[2]
		d.fill(sum, d.zero, d.segment*c.Out)
		for v := from[1]; v < end[1]; v++ {
			for q := from[2]; q < end[2]; q += d.segment {
				places := min(d.segment, end[2]-q)
				at := im.origin + (u*c.Stride[0]+t0*c.Dilation[0]-c.Before[0])*im.stride[0] +
					(v*c.Stride[1]+t1*c.Dilation[1]-c.Before[1])*im.stride[1] + (q*c.Stride[2]+t2*c.Dilation[2]-c.Before[2])*im.stride[2]
				src := pixels(unsafe.Add(im.base, at), aRow, pixel, places, gathered)
				dy := unsafe.Add(y, (((n*c.Places[0]+u)*c.Places[1]+v)*c.Places[2]+q)*pixel)
				d.fma(sum, src, dy, sum, places*c.Out)
			}
		}
		d.columns(unsafe.Add(out, t*pixel), sum, d.segment, c.Out)
	}
}
