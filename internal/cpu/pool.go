// Pooling. The places of a row of the result are taken a segment at a time: for each tap of the window the elements that it
// meets are gathered side by side, so that all that follows is done by vector functions over the whole segment, however few
// the channels are.

package cpu

import (
	"math"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// PoolKind is what is done at each place of the window.
type PoolKind uint8

// The kinds, with their operands; see the ops of the same names.
const (
	PoolPick      PoolKind = iota // from x and v
	PoolSpread                    // from x and dy
	PoolSum                       // from x
	PoolSumSpread                 // from dy
)

// PoolSpec describes pooling over three axes; over fewer has sizes of 1 in front. Place p of the window and tap t meet place
// p*Stride + t*Dilation - Before of the operand, an array of Batch, Space and Channels.
type PoolSpec struct {
	Kind                                            PoolKind
	Batch, Channels                                 int
	Space, Places, Window, Stride, Dilation, Before [3]int
	Float64                                         bool
	Same                                            bool // both operands are one array
}

// Pool is planned pooling. It is immutable, so any number of goroutines may run its tasks.
type Pool struct {
	PoolSpec
	size    int // bytes of an element
	segment int // places of a segment, at most
	block   int // bytes of the scratch for one tap of a segment
	taps    int
	apart   bool // no element is in two windows
	perTask int  // rows of places, or images
	fast    bool // by kernels of its own
	kernels poolKernels

	lowest, zero         unsafe.Pointer // what is outside counts as
	fill                 func(dst, src unsafe.Pointer, n int)
	add, largest, choose Vec
	ne, eq, and          Vec
}

const (
	poolSegment = 2048     // elements of a segment, about
	poolTask    = 16 << 10 // elements that are worth a task
)

// NewPool plans pooling for the current level.
func NewPool(spec PoolSpec) *Pool {
	p := &Pool{PoolSpec: spec, size: 4, taps: spec.Window[0] * spec.Window[1] * spec.Window[2], apart: true}
	dt := F32
	if spec.Float64 {
		p.size, dt = 8, F64
		p.lowest, p.zero = unsafe.Pointer(&[]float64{math.Inf(-1)}[0]), unsafe.Pointer(new(float64))
	} else {
		p.lowest, p.zero = unsafe.Pointer(&[]float32{float32(math.Inf(-1))}[0]), unsafe.Pointer(new(float32))
	}
	p.fill, p.add, p.largest, p.choose = Fill(dt), Function(scalar.Add, dt), Function(scalar.Max, dt), Function(scalar.Where, dt)
	p.ne, p.eq, p.and = Function(scalar.Ne, dt), Function(scalar.Eq, dt), Function(scalar.And, Bool)
	p.segment = min(max(poolSegment/max(spec.Channels, 1), 1), max(spec.Places[2], 1))
	p.block = align(p.segment*spec.Channels*p.size) + 64
	if !spec.Float64 && (spec.Kind == PoolPick && spec.Same || spec.Kind == PoolSpread) {
		p.kernels = poolKernelsFor(Current())
		p.fast = p.kernels.largest != nil
	}
	for a := range 3 {
		// Windows that may have no element are left to the general way.
		p.Same = p.Same && (p.fast || spec.Before[a] == 0 || spec.Dilation[a] == 1)
		p.apart = p.apart && ((spec.Window[a]-1)*spec.Dilation[a] < spec.Stride[a] || spec.Places[a] == 1)
	}
	image := p.taps * spec.Places[0] * spec.Places[1] * spec.Places[2] * spec.Channels
	if p.spreads() {
		p.perTask = max(1, poolTask/max(image, 1))
	} else {
		p.perTask = max(1, poolTask/max(p.taps*spec.Places[2]*spec.Channels, 1))
	}
	return p
}

// spreads reports whether the result is an array that windows are added to, whose images are then the work.
func (p *Pool) spreads() bool { return p.Kind == PoolSpread || p.Kind == PoolSumSpread }

// units is the number of pieces that work can be cut into: images, or rows of places.
func (p *Pool) units() int {
	if p.spreads() {
		return p.Batch
	}
	return p.Batch * p.Places[0] * p.Places[1]
}

// Tasks returns the number of tasks. They may run in any order and at the same time.
func (p *Pool) Tasks() int {
	if p.Channels == 0 {
		return 0
	}
	return (p.units() + p.perTask - 1) / p.perTask
}

// WorkerScratch returns the bytes of scratch that each worker needs for itself.
func (p *Pool) WorkerScratch() int {
	if p.fast {
		return align(16 * p.taps)
	}
	return p.block * (p.taps + 5)
}

// Run does one task. b is nil for the kinds of one operand.
func (p *Pool) Run(task int, a, b, out, scratch unsafe.Pointer) {
	rows := p.Places[0] * p.Places[1]
	for u := task * p.perTask; u < min((task+1)*p.perTask, p.units()); u++ {
		if !p.spreads() {
			p.row(u/rows, u%rows, a, b, out, scratch)
			continue
		}
		image := p.Space[0] * p.Space[1] * p.Space[2] * p.Channels * p.size
		clear(unsafe.Slice((*byte)(unsafe.Add(out, u*image)), image))
		for r := range rows {
			p.row(u, r, a, b, out, scratch)
		}
	}
}

// row pools a row of places of image n.
func (p *Pool) row(n, r int, a, b, out, scratch unsafe.Pointer) {
	if p.fast {
		p.fastRow(n, r, a, b, out, scratch)
		return
	}
	pixel := p.Channels * p.size
	for q := 0; q < p.Places[2]; q += p.segment {
		s := poolRow{n: n, p0: r / p.Places[1], p1: r % p.Places[1], q: q, count: min(p.segment, p.Places[2]-q)}
		place := ((n*p.Places[0]+s.p0)*p.Places[1]+s.p1)*p.Places[2] + q
		switch p.Kind {
		case PoolSum:
			p.sum(&s, a, unsafe.Add(out, place*pixel), scratch)
		case PoolSumSpread:
			for t := range p.taps {
				p.scatter(&s, t, out, unsafe.Add(a, place*pixel))
			}
		case PoolPick:
			p.pick(&s, a, b, unsafe.Add(out, place*pixel), scratch)
		case PoolSpread:
			p.spread(&s, a, unsafe.Add(b, place*pixel), out, scratch)
		}
	}
}

// poolRow is a segment of a row: count places from q.
type poolRow struct{ n, p0, p1, q, count int }

func (p *Pool) sum(s *poolRow, x, y, scratch unsafe.Pointer) {
	n := s.count * p.Channels
	p.gather(s, 0, x, y, p.zero)
	for t := 1; t < p.taps; t++ {
		p.gather(s, t, x, scratch, p.zero)
		p.add(y, y, scratch, nil, n)
	}
}

// pick takes from v where x is largest. The taps are gone through backwards, so that the first of equals comes last.
func (p *Pool) pick(s *poolRow, x, v, y, scratch unsafe.Pointer) {
	n := s.count * p.Channels
	if p.Same {
		p.gather(s, 0, x, y, p.lowest)
		for t := 1; t < p.taps; t++ {
			p.gather(s, t, x, scratch, p.lowest)
			p.largest(y, y, scratch, nil, n)
		}
		return
	}
	largest, miss, from, other := p.block*p.taps, p.block*(p.taps+1), p.block*(p.taps+2), p.block*(p.taps+3)
	p.gatherAll(s, x, scratch, largest)
	p.fill(y, p.zero, n)
	for t := p.taps - 1; t >= 0; t-- {
		p.gather(s, t, v, unsafe.Add(scratch, from), p.zero)
		p.misses(s, t, unsafe.Add(scratch, miss), unsafe.Add(scratch, t*p.block), unsafe.Add(scratch, largest), unsafe.Add(scratch, other))
		p.choose(y, unsafe.Add(scratch, miss), y, unsafe.Add(scratch, from), n)
	}
}

// gatherAll gathers all taps side by side and the largest of them.
func (p *Pool) gatherAll(s *poolRow, x, scratch unsafe.Pointer, largest int) {
	n := s.count * p.Channels
	for t := range p.taps {
		p.gather(s, t, x, unsafe.Add(scratch, t*p.block), p.lowest)
	}
	to := unsafe.Add(scratch, largest)
	copy(unsafe.Slice((*byte)(to), n*p.size), unsafe.Slice((*byte)(scratch), n*p.size))
	for t := 1; t < p.taps; t++ {
		p.largest(to, to, unsafe.Add(scratch, t*p.block), nil, n)
	}
}

// misses says which elements of tap t are not the largest of their windows: neither equal to it nor NaN. What is outside
// never is, though it equals the largest where all elements of the window are -Inf.
func (p *Pool) misses(s *poolRow, t int, miss, tap, largest, other unsafe.Pointer) {
	n := s.count * p.Channels
	p.ne(miss, tap, largest, nil, n)
	p.eq(other, tap, tap, nil, n)
	p.and(miss, miss, other, nil, n)
	all := unsafe.Slice((*bool)(miss), n)
	lo, hi, _, ok := p.meet(s, t)
	if !ok {
		lo, hi = 0, 0
	}
	for _, outside := range [][]bool{all[:lo*p.Channels], all[hi*p.Channels:]} {
		for i := range outside {
			outside[i] = true
		}
	}
}

// spread adds dy where x is largest. What the first of equals has taken is 0 for the others.
func (p *Pool) spread(s *poolRow, x, dy, dx, scratch unsafe.Pointer) {
	n := s.count * p.Channels
	at := func(i int) unsafe.Pointer { return unsafe.Add(scratch, p.block*(p.taps+i)) }
	largest, miss, left, zero, other := at(0), at(1), at(2), at(3), at(4)
	p.gatherAll(s, x, scratch, p.block*p.taps)
	copy(unsafe.Slice((*byte)(left), n*p.size), unsafe.Slice((*byte)(dy), n*p.size))
	p.fill(zero, p.zero, n)
	for t := range p.taps {
		tap := unsafe.Add(scratch, t*p.block)
		p.misses(s, t, miss, tap, largest, other)
		p.choose(tap, miss, zero, left, n)
		if t < p.taps-1 {
			p.choose(left, miss, left, zero, n)
		}
		p.scatter(s, t, dx, tap)
	}
}

// meet returns the places of the segment whose tap t lies inside, from lo to before hi, the element that the first of them
// meets, and whether there is one.
func (p *Pool) meet(s *poolRow, t int) (lo, hi, element int, ok bool) {
	t0, t1, t2 := t/(p.Window[1]*p.Window[2]), t/p.Window[2]%p.Window[1], t%p.Window[2]
	i0, i1 := s.p0*p.Stride[0]+t0*p.Dilation[0]-p.Before[0], s.p1*p.Stride[1]+t1*p.Dilation[1]-p.Before[1]
	if i0 < 0 || i0 >= p.Space[0] || i1 < 0 || i1 >= p.Space[1] {
		return 0, 0, 0, false
	}
	// Place q + k meets first + k*stride.
	stride := p.Stride[2]
	first := s.q*stride + t2*p.Dilation[2] - p.Before[2]
	hi = s.count
	if first < 0 {
		lo = (-first + stride - 1) / stride
	}
	if room := p.Space[2] - first; room <= 0 {
		hi = 0
	} else {
		hi = min(hi, (room+stride-1)/stride)
	}
	return lo, hi, ((s.n*p.Space[0]+i0)*p.Space[1]+i1)*p.Space[2] + first + lo*stride, lo < hi
}

// gather copies what the places of a segment meet at tap t of the window, and outside where there is nothing.
func (p *Pool) gather(s *poolRow, t int, x, dst, outside unsafe.Pointer) {
	pixel := p.Channels * p.size
	lo, hi, element, ok := p.meet(s, t)
	if !ok {
		p.fill(dst, outside, s.count*p.Channels)
		return
	}
	if lo > 0 {
		p.fill(dst, outside, lo*p.Channels)
	}
	if hi < s.count {
		p.fill(unsafe.Add(dst, hi*pixel), outside, (s.count-hi)*p.Channels)
	}
	src := unsafe.Add(x, element*pixel)
	if p.Stride[2] == 1 {
		copy(unsafe.Slice((*byte)(unsafe.Add(dst, lo*pixel)), (hi-lo)*pixel), unsafe.Slice((*byte)(src), (hi-lo)*pixel))
		return
	}
	step := p.Stride[2] * pixel
	for k := range hi - lo {
		copy(unsafe.Slice((*byte)(unsafe.Add(dst, (lo+k)*pixel)), pixel), unsafe.Slice((*byte)(unsafe.Add(src, k*step)), pixel))
	}
}

// scatter adds the elements of a segment where its places meet tap t of the window.
func (p *Pool) scatter(s *poolRow, t int, dx, src unsafe.Pointer) {
	pixel := p.Channels * p.size
	lo, hi, element, ok := p.meet(s, t)
	if !ok {
		return
	}
	src = unsafe.Add(src, lo*pixel)
	dst := unsafe.Add(dx, element*pixel)
	step := p.Stride[2] * pixel
	switch {
	case p.Stride[2] == 1:
		p.add(dst, dst, src, nil, (hi-lo)*p.Channels)
	case p.apart:
		for k := range hi - lo {
			copy(unsafe.Slice((*byte)(unsafe.Add(dst, k*step)), pixel), unsafe.Slice((*byte)(unsafe.Add(src, k*pixel)), pixel))
		}
	default:
		for k := range hi - lo {
			d := unsafe.Add(dst, k*step)
			p.add(d, d, unsafe.Add(src, k*pixel), nil, p.Channels)
		}
	}
}
