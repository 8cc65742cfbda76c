package cpu

// Convolutions of bfloat16 numbers. Without a unit for these the operands are copied first, with their numbers rounded. With one they are packed first, as
// pairs, and what is left is a convolution of pairs: of half as many channels, or for the gradient with respect to the kernel, which sums over places, of half
// as many places along the last axis.

import "unsafe"

// planRounded puts the rounded operands behind what else is in the shared scratch.
func (c *Conv) planRounded() {
	space, places := c.Batch*c.In*c.Groups, c.Batch*c.Out
	for a := range 3 {
		space, places = space*c.Space[a], places*c.Places[a]
	}
	kernel := c.taps() * c.In * c.Out
	c.rounded = [...][2]int{ConvOutput: {space, kernel}, ConvInput: {places, kernel}, ConvKernel: {space, places}}[c.Kind]
	c.shared = align(c.shared)
	for i, n := range c.rounded {
		c.roundedAt[i] = c.shared
		c.shared += align(n * c.size)
	}
	c.phases = append([]convPhase{convRound}, c.phases...)
}

// roundTasks is the number of tasks that round the operands.
func (c *Conv) roundTasks() int {
	n := c.rounded[0] + c.rounded[1]
	return min(max(n*c.size/packTask, 1), packTasks)
}

// round rounds a part of both operands.
func (c *Conv) round(task int, a, b, shared unsafe.Pointer) {
	tasks := c.roundTasks()
	for i, from := range [2]unsafe.Pointer{a, b} {
		n := c.rounded[i]
		first, end := n*task/tasks, n*(task+1)/tasks
		if first < end {
			RoundBF16(unsafe.Add(shared, c.roundedAt[i]+first*c.size), unsafe.Add(from, first*c.size), end-first)
		}
	}
}

// pairedConv is the convolution of pairs, on packed operands.
type pairedConv struct {
	*Conv
	skip  int    // phases of it that packing has done
	tasks [2]int // that pack each operand
	at    [3]int // places in the shared scratch: the packed operands, and what the convolution itself needs
	rows  [2]int // what the tasks of an operand share
	zeros unsafe.Pointer
}

// newPairedConv plans the convolution of pairs, or returns nil if it is none of bfloat16 numbers, there is no unit for these, or groups are
// so small that the unit has next to nothing to sum over, as where each channel is its own.
func newPairedConv(spec ConvSpec) *Conv {
	outs := spec.Out / max(spec.Groups, 1)
	if !spec.BF16 || CurrentBF16() == NoBF16 || (&Conv{ConvSpec: spec}).empty() || spec.In <= 2 && outs <= 2 && spec.Groups > 1 {
		return nil
	}
	p := &pairedConv{}
	inner := spec
	inner.BF16 = false
	pixels, places := spec.Batch*spec.Space[0]*spec.Space[1]*spec.Space[2], spec.Batch*spec.Places[0]*spec.Places[1]*spec.Places[2]
	taps := spec.Window[0] * spec.Window[1] * spec.Window[2]
	var bytes [2]int
	switch spec.Kind {
	case ConvOutput:
		inner.In = (spec.In + 1) / 2
		bytes = [2]int{pixels * inner.In * spec.Groups * 4, taps * inner.In * spec.Out * 4}
		p.rows = [2]int{pixels, taps}
	case ConvInput:
		inner.Out = (outs + 1) / 2 * spec.Groups
		bytes = [2]int{places * inner.Out * 4, taps * inner.Out * spec.In * 4}
		p.rows = [2]int{places, taps}
		p.skip = 1
	case ConvKernel:
		inner.Places[2] = (spec.Places[2] + 1) / 2
		inner.Stride[2] = 2 * spec.Stride[2]
		inner.Before[2] = 0
		inner.Space[2] = (inner.Places[2]-1)*inner.Stride[2] + (spec.Window[2]-1)*spec.Dilation[2] + 1
		lines := spec.Batch * spec.Space[0] * spec.Space[1]
		bytes = [2]int{lines * inner.Space[2] * spec.In * spec.Groups * 4, places / spec.Places[2] * inner.Places[2] * spec.Out * 4}
		p.rows = [2]int{lines, places / spec.Places[2]}
	}
	kernels := &bf16Dot
	if CurrentBF16() == TileBF16 {
		kernels = &bf16Tiles
		if spec.Kind == ConvKernel {
			bytes[1] = p.rows[1] * turnedLine(&inner)
		}
	}
	p.Conv = newConv(inner, kernels)
	if spec.Kind == ConvInput {
		p.rows[1] = len(p.packTaps) // those that meet anything
	}
	c := &Conv{ConvSpec: spec, size: 4, paired: p, worker: max(p.worker, 16*16*4)}
	for i, n := range bytes {
		p.at[i] = c.shared
		c.shared += align(n)
		p.tasks[i] = min(max(2*n/packTask, 1), packTasks, p.rows[i])
	}
	p.at[2] = c.shared
	c.shared += p.Conv.shared
	if spec.Kind == ConvInput {
		p.at[2], c.shared = p.at[1], p.at[2] // the packed kernel is what it needs
	}
	c.phases = append([]convPhase{convRound}, p.phases[p.skip:]...)
	zeros := make([]float32, max(spec.In*spec.Groups, spec.Out))
	p.zeros = unsafe.Pointer(unsafe.SliceData(zeros))
	return c
}

// pack packs a part of an operand of the convolution c.
func (p *pairedConv) pack(c *Conv, task int, a, b, shared, worker unsafe.Pointer) {
	o, from := 0, a
	if task >= p.tasks[0] {
		o, from, task = 1, b, task-p.tasks[0]
	}
	to := unsafe.Add(shared, p.at[o])
	first, end := p.rows[o]*task/p.tasks[o], p.rows[o]*(task+1)/p.tasks[o]
	switch {
	case o == 0 && c.Kind == ConvKernel:
		p.packShifted(c, first, end, from, to)
	case o == 0:
		channels := c.In
		if c.Kind == ConvInput {
			channels = c.Out / c.Groups
		}
		packPixels(first, end, channels, c.Groups, from, to)
	case c.Kind == ConvOutput:
		packPlanes(first, end, c.In, c.Out, from, to, p.zeros)
	case c.Kind == ConvInput:
		for i := first; i < end; i++ {
			p.packTap(c, i, from, to, worker)
		}
	case p.kernels.tiles:
		p.packTurnedLines(c, first, end, from, to)
	default:
		packPlanes(first, end, c.Places[2], c.Out, from, to, p.zeros)
	}
}

// turnedBlock is the bytes of 16 channels of a line of y as tiles, and turnedLine those of all channels.
func turnedBlock(c *ConvSpec) int {
	_, steps, rest := tileSteps(c.Places[2])
	return (steps + min(rest, 1)) * tileBytes
}

func turnedLine(c *ConvSpec) int {
	return c.Groups * ((c.Out/c.Groups + tileRow - 1) / tileRow) * turnedBlock(c)
}

// packTurnedLines packs lines of y: for each group tiles of 16 channels, whose rows are pairs of places.
func (p *pairedConv) packTurnedLines(c *Conv, first, end int, from, to unsafe.Pointer) {
	group := c.Out / c.Groups
	pairs, _, _ := tileSteps(p.Places[2])
	to = unsafe.Add(to, first*turnedLine(&p.ConvSpec))
	for i := first; i < end; i++ {
		line := unsafe.Add(from, i*c.Places[2]*c.Out*4)
		for g := range c.Groups {
			for j := 0; j < group; j += tileRow {
				for at := 0; at < c.Places[2]; at += 2 * pairs {
					packAcrossBF16(to, unsafe.Add(line, (at*c.Out+g*group+j)*4), c.Out*4, min(2*pairs, c.Places[2]-at), min(tileRow, group-j))
					to = unsafe.Add(to, tileBytes)
				}
			}
		}
	}
}

// turnedProduct returns the product of some lines of y, packed, and the pairs of x that m rows of the kernel meet.
func (c *Conv) turnedProduct(im *image, n, u, line, lines, m int, y unsafe.Pointer) tileProduct {
	block := turnedBlock(&c.ConvSpec)
	t := tileProduct{m: c.Out / c.Groups, n: m}
	t.a = unsafe.Add(y, ((n*c.Places[0]+u)*c.Places[1]+line)*turnedLine(&c.ConvSpec))
	t.aRow, t.aLower, t.aPanel = 64, block, 2*block
	t.bRow, t.bPanel = c.Stride[2]*im.stride[2], tilePanel*c.size
	t.cRow, t.blocks = c.turnedRow, lines
	return t
}

// multiplyTurned adds the product of a group: b is where its channels of x begin, and out the column of the first of the kernel's rows.
func (c *Conv) multiplyTurned(t tileProduct, g int, b, out unsafe.Pointer, im *image, add bool) {
	line := turnedLine(&c.ConvSpec)
	t.a, t.b = unsafe.Add(t.a, g*line/c.Groups), b
	t.c = unsafe.Add(out, g*t.m*c.turnedRow)
	if add {
		t.add = 1
	}
	t.sum(c.Places[2], true, line, c.Stride[1]*im.stride[1])
}

// sumTurned adds up a part of the slices, first to last, and exchanges rows and columns.
func (c *Conv) sumTurned(task int, out, shared unsafe.Pointer) {
	rows := c.taps() * c.In
	first, end := rows*task/c.sumTasks, rows*(task+1)/c.sumTasks
	for o := range c.Out {
		sum := unsafe.Add(shared, o*c.turnedRow+first*c.size)
		for s := 1; s < c.slices; s++ {
			c.add(sum, sum, unsafe.Add(sum, s*c.sliceBytes), nil, end-first)
		}
	}
	c.transpose(unsafe.Add(out, first*c.Out*c.size), unsafe.Add(shared, first*c.size), c.Out, end-first, c.Out, c.turnedRow/c.size)
}

// packPixels packs pixels, of which each has a number of channels for each group.
func packPixels(first, end, channels, groups int, from, to unsafe.Pointer) {
	if channels%2 == 0 {
		n := channels * groups
		packOneBF16(unsafe.Add(to, first*n*2), unsafe.Add(from, first*n*4), (end-first)*n)
		return
	}
	for i := first * groups; i < end*groups; i++ {
		packOneBF16(unsafe.Add(to, i*(channels+1)/2*4), unsafe.Add(from, i*channels*4), channels)
	}
}

// packPlanes packs planes of rows of n numbers, pairing rows 0 and 1, 2 and 3, and so on of each.
func packPlanes(first, end, rows, n int, from, to, zeros unsafe.Pointer) {
	for i := first; i < end; i++ {
		src, dst := unsafe.Add(from, i*rows*n*4), unsafe.Add(to, i*((rows+1)/2)*n*4)
		if n%16 == 0 {
			for j := 0; j < n; j += 32 {
				packPairsBF16(unsafe.Add(dst, j*4), n*4, unsafe.Add(src, j*4), n*4, rows, min(32, n-j))
			}
			continue
		}
		for r := 0; r < rows; r += 2 {
			low := unsafe.Add(src, r*n*4)
			high := zeros
			if r+1 < rows {
				high = unsafe.Add(low, n*4)
			}
			packTwoBF16(unsafe.Add(dst, r/2*n*4), low, high, n)
		}
	}
}

// packTap packs tap i of the kernel, in the order of the convolution's parts: pairs of the channels of y of a group, by channels of x.
func (p *pairedConv) packTap(c *Conv, i int, from, to, worker unsafe.Pointer) {
	outs, half, all := c.Out/c.Groups, p.Out/p.Groups, c.In*c.Groups
	src := unsafe.Add(from, p.packTaps[i]*c.In*c.Out*4)
	dst := unsafe.Add(to, i*half*all*4)
	for g := range c.Groups {
		for r := 0; r < c.In; r += 16 {
			for k := 0; k < outs; k += 32 {
				rows, n := min(16, c.In-r), min(32, outs-k)
				packTurnedBF16(worker, 64, unsafe.Add(src, (r*c.Out+g*outs+k)*4), c.Out*4, rows, n)
				for q := range (n + 1) / 2 {
					at := unsafe.Add(dst, ((k/2+q)*all+g*c.In+r)*4)
					copy(unsafe.Slice((*byte)(at), rows*4), unsafe.Slice((*byte)(unsafe.Add(worker, q*64)), rows*4))
				}
			}
		}
	}
}

// packShifted packs lines of x, of which every place is paired with the one that the next place of y meets; what lies beyond the line is 0.
func (p *pairedConv) packShifted(c *Conv, first, end int, from, to unsafe.Pointer) {
	n, length, step := c.In*c.Groups, c.Space[2], c.Stride[2]
	width := p.Space[2]
	for i := first; i < end; i++ {
		src, dst := unsafe.Add(from, i*length*n*4), unsafe.Add(to, i*width*n*4)
		for q := 0; q < width; {
			low, high := q-c.Before[2], q-c.Before[2]+step
			if low >= 0 && high < length {
				count := min(length-high, width-q)
				packTwoBF16(unsafe.Add(dst, q*n*4), unsafe.Add(src, low*n*4), unsafe.Add(src, high*n*4), count*n)
				q += count
				continue
			}
			l, h := p.zeros, p.zeros
			if low >= 0 && low < length {
				l = unsafe.Add(src, low*n*4)
			}
			if high >= 0 && high < length {
				h = unsafe.Add(src, high*n*4)
			}
			packTwoBF16(unsafe.Add(dst, q*n*4), l, h, n)
			q++
		}
	}
}
