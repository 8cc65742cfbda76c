// Convolutions. A Conv is the plan of one convolution, transposed convolution or gradient with respect to the kernel: how the work is
// cut into tasks, what is copied before it is read, and what each call of a micro-kernel multiplies. All of it follows from
// the shape and the level alone, never from the number of workers.
//
// Nothing is unrolled into columns. With the channels last, the elements that one row of the window meets lie one after the
// other in memory, and so do the kernel's rows for them: a row of the result is a matrix product whose operands are read in
// place, each row of the window being a block of K. Compare the survey of methods in A. Anderson et al., "Low-memory
// GEMM-based convolution algorithms for deep neural networks", 2017, where this is the family of "accumulating" methods.
// Padding is made by a copy of the part of the image that a task reads, in its scratch.

package cpu

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// ConvKind says which array of a convolution is computed from the other two.
type ConvKind uint8

// The kinds: x has shape [batch space... in*groups], w [window... in out], y [batch places... out].
const (
	ConvOutput ConvKind = iota // y from x and w
	ConvInput                  // x from y and w
	ConvKernel                 // w from x and y
)

// ConvSpec describes a convolution over three axes; one over fewer has sizes of 1 in front. Place p of y and tap t of the
// window meet place p*Stride + t*Dilation - Before of x.
type ConvSpec struct {
	Kind                                            ConvKind
	Batch                                           int
	Space, Places, Window, Stride, Dilation, Before [3]int
	In, Out, Groups                                 int // channels of x in a group, channels of y in all, groups
	Float64                                         bool
	BF16                                            bool // operands, which are float32, are rounded to bfloat16
}

// Conv is a planned convolution. It is immutable, so any number of goroutines may run its tasks.
type Conv struct {
	ConvSpec
	kernels *gemmKernels
	size    int
	phases  []convPhase

	// The array that windows are read from, and its copy with padding.
	channels   int    // of the array
	array      [3]int // its spatial sizes
	low, high  [3]int // padding that is needed before and after
	cutAxis    int    // the axis along which a task takes a range of places
	cuts       int    // ranges of an image
	perTask    int    // ranges of a task
	steps      [3]int // places of the array from one place of the result to the next
	least      [3]int // the least offset of a tap
	most       [3]int // the greatest
	copyRange  int    // places of the array that a range reads, at most
	rangeCount int    // places of the result along the cut axis, those between two steps being one
	worker     int
	shared     int
	parts      []convPart // of the result of ConvOutput and ConvInput: those with taps of their own
	packed     bool       // the kernel is transposed into the shared scratch first
	packTaps   []int      // the kernel's taps in the order of the packed ones
	slices     int        // of ConvKernel: number of parts of the batch that are summed separately
	sliceBytes int
	turnedRow  int // bytes from row to row of a slice that has an output channel in each
	sumTasks   int
	add        Vec
	transpose  TransposeFunc
	depthwise  *depthwise // where each channel is its own group, else nil
	rounded    [2]int     // elements of the operands that are copied with their numbers rounded, and where the copies begin in the shared scratch
	roundedAt  [2]int
	paired     *pairedConv // if the operands are packed as pairs of bfloat16 numbers
}

type convPhase uint8

const (
	convPack convPhase = iota // transpose the kernel
	convMain
	convSum   // add up the slices
	convRound // round the operands
)

// convAxis is the taps of one axis that certain places of the result meet.
type convAxis struct {
	first, step, count int   // places of the result: first, first + step, ...
	taps               []int // of the kernel
	offset, next       int   // where the first tap lies, for the first place, and the distance of the taps
}

// convPart is the places of the result that share their taps on all axes.
type convPart struct {
	axes [3]convAxis
	rows int // rows of the kernel, packed or in place, before this part's
}

// Sizes of tasks.
const (
	convCopy   = 160 << 10 // bytes of the copy with padding that a task makes of an image, about
	convSlices = 16        // most sums of a gradient with respect to the kernel that are taken apart
	convPlaces = 256       // places of a slice, at least
)

// NewConv plans a convolution for the current level.
func NewConv(spec ConvSpec) *Conv {
	if c := newPairedConv(spec); c != nil {
		return c
	}
	return newConv(spec, kernelsFor(Current(), spec.Float64))
}

func newConv(spec ConvSpec, kernels *gemmKernels) *Conv {
	c := &Conv{ConvSpec: spec, kernels: kernels, size: 4, add: Function(scalar.Add, F32)}
	if spec.Float64 {
		c.size, c.add = 8, Function(scalar.Add, F64)
	}
	c.transpose = Transpose(c.size)
	if c.empty() {
		return c
	}
	switch spec.Kind {
	case ConvInput:
		c.array, c.channels = spec.Places, spec.Out
		c.partsOfInput()
		c.packed = true
		c.shared = align(c.taps() * c.Out / c.Groups * c.In * c.Groups * c.size)
		c.phases = []convPhase{convPack, convMain}
	default:
		c.array, c.channels = spec.Space, spec.In*spec.Groups
		c.partsOfOutput()
		c.phases = []convPhase{convMain}
	}
	c.bounds()
	c.cut()
	if spec.Kind == ConvKernel {
		c.slice()
	}
	dt := F32
	if spec.Float64 {
		dt = F64
	}
	c.planDepthwise(Function(scalar.Mul, dt), Function(scalar.MulAdd, dt), dt)
	if spec.BF16 {
		c.planRounded()
	}
	return c
}

// empty reports whether there is nothing to multiply.
func (c *Conv) empty() bool {
	n := c.Batch * c.In * c.Out
	for a := range 3 {
		n *= c.Space[a] * c.Places[a]
	}
	return n == 0
}

func (c *Conv) taps() int { return c.Window[0] * c.Window[1] * c.Window[2] }

// outputs returns the number of channels of the result, those of a group, and those of a group of the array read.
func (c *Conv) outputs() (all, group, from int) {
	if c.Kind == ConvInput {
		return c.In * c.Groups, c.In, c.Out / c.Groups
	}
	return c.Out, c.Out / c.Groups, c.In
}

// partsOfOutput makes the one part of a convolution: every place meets every tap.
func (c *Conv) partsOfOutput() {
	var p convPart
	c.steps = c.Stride
	for a := range 3 {
		p.axes[a] = convAxis{step: 1, count: c.Places[a], taps: counted(c.Window[a]), offset: -c.Before[a], next: c.Dilation[a]}
	}
	c.parts = []convPart{p}
}

func counted(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// partsOfInput makes the parts of a transposed convolution: place i of x meets tap t where (i + before - t*dilation) is a
// multiple of the stride, so places of equal remainder share their taps, and their products are those of a convolution of y
// without gaps.
func (c *Conv) partsOfInput() {
	var axes [3][]convAxis
	for a := range 3 {
		s := c.Stride[a]
		c.steps[a] = 1
		for r := range min(s, c.Space[a]) {
			x := convAxis{first: r, step: s, count: (c.Space[a] - r + s - 1) / s}
			for t := c.Window[a] - 1; t >= 0; t-- { // the last tap lies first
				at := r + c.Before[a] - t*c.Dilation[a]
				if (at%s+s)%s != 0 {
					continue
				}
				offset := floorDiv(at, s)
				if len(x.taps) == 0 {
					x.offset = offset
				} else if len(x.taps) == 1 {
					x.next = offset - x.offset
				}
				x.taps = append(x.taps, t)
			}
			axes[a] = append(axes[a], x)
		}
	}
	rows := 0
	for _, x := range axes[0] {
		for _, y := range axes[1] {
			for _, z := range axes[2] {
				part := convPart{[3]convAxis{x, y, z}, rows}
				if len(x.taps)*len(y.taps)*len(z.taps) == 0 {
					part.rows = 0
				}
				c.parts = append(c.parts, part)
				for _, t0 := range x.taps {
					for _, t1 := range y.taps {
						for _, t2 := range z.taps {
							c.packTaps = append(c.packTaps, (t0*c.Window[1]+t1)*c.Window[2]+t2)
						}
					}
				}
				rows = len(c.packTaps) * c.Out / c.Groups
			}
		}
	}
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// bounds finds how far the taps reach, and the padding that they need.
func (c *Conv) bounds() {
	for a := range 3 {
		first := true
		for _, p := range c.parts {
			x := &p.axes[a]
			if len(x.taps) == 0 {
				continue
			}
			last := x.offset + (len(x.taps)-1)*x.next
			end := (x.count-1)*c.steps[a] + last
			if first {
				c.least[a], c.most[a] = x.offset, last
			}
			first = false
			c.least[a], c.most[a] = min(c.least[a], x.offset), max(c.most[a], last)
			c.low[a], c.high[a] = max(c.low[a], -x.offset), max(c.high[a], end-c.array[a]+1)
		}
	}
}

func (c *Conv) padded() bool { return c.low != [3]int{} || c.high != [3]int{} }

// cut divides each image into ranges of places along the first axis that has several.
func (c *Conv) cut() {
	for c.cutAxis < 2 && c.places(c.cutAxis) == 1 {
		c.cutAxis++
	}
	a := c.cutAxis
	c.rangeCount = c.places(a)
	// Work of an image, in multiplications, with the lanes that idle.
	_, group, _ := c.outputs()
	lanes := (group + c.kernels.width - 1) / c.kernels.width * c.kernels.width
	work := c.taps() * c.In * lanes * c.Groups
	if c.Kind == ConvInput {
		work = c.taps() * c.Out / c.Groups * lanes * c.Groups
	}
	work *= c.Places[0] * c.Places[1] * c.Places[2]
	line := c.channels * c.size // bytes of the array for one place along the cut axis
	for b := range 3 {
		if b != a {
			line *= c.array[b] + c.low[b] + c.high[b]
		}
	}
	target := min(max(work*c.Batch/c.kernels.grain, 1), someTasks)
	c.cuts = (target + c.Batch - 1) / c.Batch
	overlap := c.most[a] - c.least[a] + 1
	// A range should be long beside what it shares with its neighbors.
	lines := max(convCopy/max(line, 1), 2*overlap, 4*c.steps[a]+overlap)
	c.cuts = max(c.cuts, (c.rangeCount*c.steps[a]+overlap+lines-1)/lines)
	c.cuts = min(c.cuts, c.rangeCount)
	if c.turned() && a == 2 { // tiles have whole rows of y
		c.cuts = 1
	}
	longest := (c.rangeCount + c.cuts - 1) / c.cuts
	c.copyRange = (longest-1)*c.steps[a] + overlap
	if c.padded() {
		c.worker = align(c.copyRange * line)
	}
	ranges := c.Batch * c.cuts
	c.perTask = min(max(c.kernels.grain*ranges/max(work*c.Batch, 1), (ranges+mostTasks-1)/mostTasks, 1), ranges)
}

// places is the number of places of the result along an axis, those between two steps of a transposed one being one.
func (c *Conv) places(axis int) int {
	n := 0
	for _, p := range c.parts {
		n = max(n, p.axes[axis].count)
	}
	return n
}

// slice divides the batch of a gradient with respect to the kernel.
func (c *Conv) slice() {
	ranges := c.Batch * c.cuts
	places := c.Batch * c.Places[0] * c.Places[1] * c.Places[2]
	c.slices = max(1, min(ranges, places/convPlaces, convSlices))
	c.perTask = 1 // a task is a slice
	rows := c.taps() * c.In
	c.sliceBytes = align(rows * c.Out * c.size)
	if c.turned() {
		c.turnedRow = align(rows*c.size)&^64 + 64
		c.sliceBytes = c.Out * c.turnedRow
	}
	if c.slices > 1 || c.turned() {
		c.shared = c.sliceBytes * c.slices
		c.sumTasks = min(max(rows*c.Out*c.slices/leastSum, 1), someTasks, rows)
		c.phases = append(c.phases, convSum)
	}
}

// turned reports whether gradients with respect to the kernel are computed with rows and columns exchanged: a tile's rows of an operand run along the sum,
// and those of y, which is packed for it, are the same for all taps.
func (c *Conv) turned() bool { return c.Kind == ConvKernel && c.kernels.tiles }

// Phases returns the number of phases. All tasks of a phase are done before the next begins. Without elements to multiply
// there is none, and the result is zeros.
func (c *Conv) Phases() int { return len(c.phases) }

// Tasks returns the number of tasks of a phase. They may run in any order and at the same time.
func (c *Conv) Tasks(phase int) int {
	if c.paired != nil && phase > 0 {
		return c.paired.Tasks(phase - 1 + c.paired.skip)
	}
	switch c.phases[phase] {
	case convRound:
		if c.paired != nil {
			return c.paired.tasks[0] + c.paired.tasks[1]
		}
		return c.roundTasks()
	case convPack:
		return len(c.packTaps)
	case convSum:
		return c.sumTasks
	}
	if c.Kind == ConvKernel {
		return c.slices
	}
	return (c.Batch*c.cuts + c.perTask - 1) / c.perTask
}

// SharedScratch returns the bytes of scratch that all tasks of one run share.
func (c *Conv) SharedScratch() int { return c.shared }

// WorkerScratch returns the bytes of scratch that each worker needs for itself, from task to task.
func (c *Conv) WorkerScratch() int { return c.worker }

// Run does one task of a phase. a and b are the operands in the order of the kind's description.
func (c *Conv) Run(phase, task int, a, b, out, shared, worker unsafe.Pointer) {
	if p := c.paired; p != nil {
		if phase == 0 {
			p.pack(c, task, a, b, shared, worker)
		} else {
			p.Run(phase-1+p.skip, task, unsafe.Add(shared, p.at[0]), unsafe.Add(shared, p.at[1]), out, unsafe.Add(shared, p.at[2]), worker)
		}
		return
	}
	if c.rounded[0] > 0 {
		if c.phases[phase] == convRound {
			c.round(task, a, b, shared)
			return
		}
		a, b = unsafe.Add(shared, c.roundedAt[0]), unsafe.Add(shared, c.roundedAt[1])
	}
	switch {
	case c.phases[phase] == convPack:
		c.pack(task, b, shared)
	case c.phases[phase] == convSum:
		c.sum(task, out, shared)
	case c.Kind == ConvKernel:
		c.kernelSlice(task, a, b, out, shared, worker)
	default:
		if c.packed {
			b = shared
		}
		for r := task * c.perTask; r < min((task+1)*c.perTask, c.Batch*c.cuts); r++ {
			c.produce(r/c.cuts, r%c.cuts, a, b, out, worker)
		}
	}
}

// pack transposes one tap of the kernel: [in out] to [out in], group by group.
func (c *Conv) pack(at int, w, shared unsafe.Pointer) {
	all, outs := c.In*c.Groups, c.Out/c.Groups
	src := unsafe.Add(w, c.packTaps[at]*c.In*c.Out*c.size)
	dst := unsafe.Add(shared, at*outs*all*c.size)
	for g := range c.Groups {
		c.transpose(unsafe.Add(dst, g*c.In*c.size), unsafe.Add(src, g*outs*c.size), c.In, outs, all, c.Out)
	}
}

// image is the part of the array that a range reads: in place, or a copy with padding.
type image struct {
	base   unsafe.Pointer
	origin int    // where place 0, 0, 0 would lie, which may be before base, in bytes
	stride [3]int // in bytes
}

// open returns the part of image n that the places q0 to q1 along the cut axis read.
func (c *Conv) open(n, q0, q1 int, array, worker unsafe.Pointer) image {
	var im image
	pixel := c.channels * c.size
	src := [3]int{c.array[1] * c.array[2] * pixel, c.array[2] * pixel, pixel}
	base := unsafe.Add(array, n*c.array[0]*src[0])
	if !c.padded() {
		return image{base, 0, src}
	}
	// The copy holds places first to end of each axis.
	var first, end [3]int
	for a := range 3 {
		first[a], end[a] = -c.low[a], c.array[a]+c.high[a]
	}
	a := c.cutAxis
	first[a] = max(first[a], q0*c.steps[a]+c.least[a])
	end[a] = max(min(end[a], (q1-1)*c.steps[a]+c.most[a]+1), first[a])
	im.stride[2] = pixel
	im.stride[1] = (end[2] - first[2]) * pixel
	im.stride[0] = (end[1] - first[1]) * im.stride[1]
	left, right := max(-first[2], 0), max(min(end[2], c.array[2]), 0) // of a row: places of padding, end of the rest
	from := max(first[2], 0)
	at := 0
	for i := first[0]; i < end[0]; i++ {
		for j := first[1]; j < end[1]; j++ {
			row := unsafe.Slice((*byte)(unsafe.Add(worker, at)), im.stride[1])
			if i < 0 || i >= c.array[0] || j < 0 || j >= c.array[1] || right <= from {
				clear(row)
			} else {
				clear(row[:left*pixel])
				n := copy(row[left*pixel:], unsafe.Slice((*byte)(unsafe.Add(base, i*src[0]+j*src[1]+from*pixel)), (right-from)*pixel))
				clear(row[left*pixel+n:])
			}
			at += im.stride[1]
		}
	}
	im.base = worker
	for a := range 3 {
		im.origin -= first[a] * im.stride[a]
	}
	return im
}

// cutRange returns the places of range r of an image.
func (c *Conv) cutRange(r int) (q0, q1 int) {
	return c.rangeCount * r / c.cuts, c.rangeCount * (r + 1) / c.cuts
}

// produce computes a range of the result of an image.
func (c *Conv) produce(n, r int, array, kernel, out, worker unsafe.Pointer) {
	q0, q1 := c.cutRange(r)
	im := c.open(n, q0, q1, array, worker)
	all, _, _ := c.outputs()
	var to [3]int // sizes of the result
	to = c.Places
	if c.Kind == ConvInput {
		to = c.Space
	}
	pixel := all * c.size
	out = unsafe.Add(out, n*to[0]*to[1]*to[2]*pixel)
	for i := range c.parts {
		p := &c.parts[i]
		var from, end [3]int
		for a := range 3 {
			end[a] = p.axes[a].count
		}
		from[c.cutAxis], end[c.cutAxis] = q0, min(q1, end[c.cutAxis])
		if from[2] >= end[2] {
			continue
		}
		w := unsafe.Add(kernel, p.rows*pixel)
		taps := len(p.axes[0].taps) * len(p.axes[1].taps) * len(p.axes[2].taps)
		if c.depthwise != nil {
			c.tileTaps(p, w, worker)
		}
		for u := from[0]; u < end[0]; u++ {
			for v := from[1]; v < end[1]; v++ {
				x, y, z := &p.axes[0], &p.axes[1], &p.axes[2]
				at := im.origin + (u*c.steps[0]+x.offset)*im.stride[0] + (v*c.steps[1]+y.offset)*im.stride[1] + (from[2]*c.steps[2]+z.offset)*im.stride[2]
				dst := unsafe.Add(out, (((x.first+u*x.step)*to[1]+y.first+v*y.step)*to[2]+z.first+from[2]*z.step)*pixel)
				switch count, step := end[2]-from[2], z.step*pixel; {
				case taps == 0:
					for i := range count {
						clear(unsafe.Slice((*byte)(unsafe.Add(dst, i*step)), pixel))
					}
				case c.depthwise != nil:
					c.depthwiseRow(p, &im, at, dst, count, step, worker)
				default:
					c.row(p, &im, at, w, dst, count, step)
				}
			}
		}
	}
}

// row computes count places of the result along the last axis, cRow bytes from one to the next. Its first window begins at
// the offset a of the image.
func (c *Conv) row(p *convPart, im *image, a int, w, dst unsafe.Pointer, count, cRow int) {
	ks := c.kernels
	all, group, from := c.outputs()
	x, y, z := &p.axes[0], &p.axes[1], &p.axes[2]
	nx, ny, nz := len(x.taps), len(y.taps), len(z.taps)
	bRow := all * c.size
	aRow := c.steps[2] * im.stride[2]
	// A row of taps is one block of K where its elements follow each other; else each tap is a block.
	k, blocks, rows := from, nz, ny
	aNext := z.next*im.stride[2] - from*c.size
	if c.Groups == 1 && (z.next == 1 || nz == 1) {
		k, blocks, rows = nz*from, ny, 1
		aNext = y.next*im.stride[1] - k*c.size
	}
	if ks.tiles {
		t := tileProduct{m: count, n: group}
		t.aRow, t.aLower, t.aPanel = aRow, tileRow*aRow, tilePanel*aRow
		t.bRow, t.bPanel, t.cRow, t.blocks = bRow, tilePanel*c.size, cRow, blocks
		for g := range c.Groups {
			b := unsafe.Add(w, g*group*c.size)
			for tx := range nx {
				for ty := range rows {
					t.a, t.b = unsafe.Add(im.base, a+g*from*c.size+tx*x.next*im.stride[0]+ty*y.next*im.stride[1]), b
					t.c, t.add = unsafe.Add(dst, g*group*c.size), min(tx+ty, 1)
					t.sum(k, false, k*c.size+aNext, k*bRow)
					b = unsafe.Add(b, k*blocks*bRow)
				}
			}
		}
		return
	}
	wide := ks.across(count)
	panels := (count + ks.rows - 1) / ks.rows
	height, taller := count/panels, count%panels
	for g := range c.Groups {
		for j := 0; j < group; j += wide {
			cols := min(wide, group-j)
			vectors := (cols + ks.width - 1) / ks.width
			lanes := cols - (vectors-1)*ks.width
			ag, cg := a+g*from*c.size, (g*group+j)*c.size
			for t := range panels {
				h := height
				if t < taller {
					h++
				}
				b := (g*group + j) * c.size
				add := false
				for tx := range nx {
					for ty := range rows {
						at := ag + tx*x.next*im.stride[0] + ty*y.next*im.stride[1]
						ks.tile[h][vectors](k, (*byte)(unsafe.Add(im.base, at)), aRow, c.size, (*byte)(unsafe.Add(w, b)), bRow,
							(*byte)(unsafe.Add(dst, cg)), cRow, lanes, add, blocks, aNext, 0, nil)
						b += k * blocks * bRow
						add = true
					}
				}
				ag, cg = ag+h*aRow, cg+h*cRow
			}
		}
	}
}

// kernelSlice computes the gradient with respect to the kernel from a part of the batch.
func (c *Conv) kernelSlice(s int, x, y, out, shared, worker unsafe.Pointer) {
	if c.slices > 1 || c.turned() {
		out = unsafe.Add(shared, s*c.sliceBytes)
	}
	ranges := c.Batch * c.cuts
	add := false
	for r := ranges * s / c.slices; r < ranges*(s+1)/c.slices; r++ {
		n := r / c.cuts
		q0, q1 := c.cutRange(r % c.cuts)
		im := c.open(n, q0, q1, x, worker)
		var from, end [3]int
		end = c.Places
		from[c.cutAxis], end[c.cutAxis] = q0, q1
		for u := from[0]; u < end[0]; u++ {
			if c.depthwise != nil {
				c.depthwiseKernel(&im, n, u, from, end, y, out, worker, add)
			} else {
				c.kernelRange(&im, n, u, from, end, y, out, add)
			}
			add = true
		}
	}
}

// kernelRange adds what the places of plane u meet to the gradient with respect to the kernel. The sum runs over the places of a row, and
// the rows are its blocks.
func (c *Conv) kernelRange(im *image, n, u int, from, end [3]int, y, out unsafe.Pointer, add bool) {
	ks := c.kernels
	group := c.Out / c.Groups
	pixel := c.Out * c.size
	dy := unsafe.Add(y, (((n*c.Places[0]+u)*c.Places[1]+from[1])*c.Places[2]+from[2])*pixel)
	k, blocks := end[2]-from[2], end[1]-from[1]
	aCol := c.Stride[2] * im.stride[2]
	aNext := c.Stride[1]*im.stride[1] - k*aCol
	bNext := (c.Places[2] - k) * pixel
	// The rows of the gradient for taps that follow each other in memory are those of one product.
	m, taps := c.In, c.Window[2]
	if c.Groups == 1 && c.Dilation[2] == 1 {
		m, taps = m*taps, 1
	}
	var product tileProduct
	if ks.tiles {
		product = c.turnedProduct(im, n, u, from[1], end[1]-from[1], m, y)
	}
	wide := ks.panel * ks.width
	panels := (m + ks.rows - 1) / ks.rows
	height, taller := m/panels, m%panels
	row := 0 // of the gradient
	for t0 := range c.Window[0] {
		for t1 := range c.Window[1] {
			for t2 := range taps {
				a := im.origin + (u*c.Stride[0]+t0*c.Dilation[0]-c.Before[0])*im.stride[0] +
					(from[1]*c.Stride[1]+t1*c.Dilation[1]-c.Before[1])*im.stride[1] +
					(from[2]*c.Stride[2]+t2*c.Dilation[2]-c.Before[2])*im.stride[2]
				for g := range c.Groups {
					if ks.tiles {
						c.multiplyTurned(product, g, unsafe.Add(im.base, a+g*c.In*c.size), unsafe.Add(out, row*c.size), im, add)
						continue
					}
					at, to := a+g*c.In*c.size, row*pixel+g*group*c.size
					for t := range panels {
						h := height
						if t < taller {
							h++
						}
						for j := 0; j < group; j += wide {
							cols := min(wide, group-j)
							vectors := (cols + ks.width - 1) / ks.width
							lanes := cols - (vectors-1)*ks.width
							ks.tile[h][vectors](k, (*byte)(unsafe.Add(im.base, at)), c.size, aCol, (*byte)(unsafe.Add(dy, (g*group+j)*c.size)), pixel,
								(*byte)(unsafe.Add(out, to+j*c.size)), pixel, lanes, add, blocks, aNext, bNext, nil)
						}
						at, to = at+h*c.size, to+h*pixel
					}
				}
				row += m
			}
		}
	}
}

// sum adds up a part of the slices, first to last.
func (c *Conv) sum(task int, out, shared unsafe.Pointer) {
	if c.turned() {
		c.sumTurned(task, out, shared)
		return
	}
	n := c.taps() * c.In * c.Out
	first, end := n*task/c.sumTasks, n*(task+1)/c.sumTasks
	stride := c.sliceBytes
	const block = 2048 // elements, so that sums stay in the cache
	for i := first; i < end; i += block {
		length := min(block, end-i)
		dst := unsafe.Add(out, i*c.size)
		part := unsafe.Add(shared, i*c.size)
		c.add(dst, part, unsafe.Add(part, stride), nil, length)
		for s := 2; s < c.slices; s++ {
			c.add(dst, dst, unsafe.Add(part, s*stride), nil, length)
		}
	}
}
