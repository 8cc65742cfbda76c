package cpu

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// randomPool draws a spec whose windows all meet an element.
func randomPool(r *rand.Rand, kind PoolKind) PoolSpec {
	for {
		s := PoolSpec{Kind: kind, Batch: 1 + r.IntN(3), Channels: 1 + r.IntN(40), Float64: r.IntN(3) == 0,
			Space: [3]int{1, 1, 1}, Places: [3]int{1, 1, 1}, Window: [3]int{1, 1, 1}, Stride: [3]int{1, 1, 1}, Dilation: [3]int{1, 1, 1}}
		ok := true
		for a := r.IntN(3); a < 3; a++ {
			s.Space[a], s.Window[a], s.Stride[a], s.Dilation[a] = 1+r.IntN(9), 1+r.IntN(3), 1+r.IntN(3), 1+r.IntN(2)
			reach := (s.Window[a]-1)*s.Dilation[a] + 1
			s.Before[a] = r.IntN(reach/2 + 1)
			room := s.Space[a] + 2*s.Before[a] - reach
			s.Places[a] = room/s.Stride[a] + 1
			ok = ok && room >= 0
		}
		if ok {
			return s
		}
	}
}

func (s PoolSpec) lengths() (x, y int) {
	return s.Batch * s.Channels * s.Space[0] * s.Space[1] * s.Space[2], s.Batch * s.Channels * s.Places[0] * s.Places[1] * s.Places[2]
}

// naive pools element by element. v is the operand that is picked from or added.
func (s PoolSpec) naive(x, v []float64) []float64 {
	nx, ny := s.lengths()
	n := ny
	if s.Kind == PoolSpread || s.Kind == PoolSumSpread {
		n = nx
	}
	out := make([]float64, n)
	for i := range ny {
		c := i % s.Channels
		p := i / s.Channels
		p2, p1, p0, b := p%s.Places[2], p/s.Places[2]%s.Places[1], p/s.Places[2]/s.Places[1]%s.Places[0], p/s.Places[2]/s.Places[1]/s.Places[0]
		var meet []int
		for t := range s.Window[0] * s.Window[1] * s.Window[2] {
			t2, t1, t0 := t%s.Window[2], t/s.Window[2]%s.Window[1], t/s.Window[2]/s.Window[1]
			i0, i1, i2 := p0*s.Stride[0]+t0*s.Dilation[0]-s.Before[0], p1*s.Stride[1]+t1*s.Dilation[1]-s.Before[1], p2*s.Stride[2]+t2*s.Dilation[2]-s.Before[2]
			if i0 >= 0 && i1 >= 0 && i2 >= 0 && i0 < s.Space[0] && i1 < s.Space[1] && i2 < s.Space[2] {
				meet = append(meet, (((b*s.Space[0]+i0)*s.Space[1]+i1)*s.Space[2]+i2)*s.Channels+c)
			}
		}
		switch s.Kind {
		case PoolSum:
			for _, m := range meet {
				out[i] += x[m]
			}
		case PoolSumSpread:
			for _, m := range meet {
				out[m] += v[i]
			}
		default:
			if len(meet) == 0 {
				continue
			}
			best := meet[0]
			for _, m := range meet {
				if math.IsNaN(x[best]) {
					break
				}
				if x[m] > x[best] || math.IsNaN(x[m]) {
					best = m
				}
			}
			if s.Kind == PoolPick {
				out[i] = v[best]
			} else {
				out[best] += v[i]
			}
		}
	}
	return out
}

func checkPool[T float32 | float64](t *testing.T, s PoolSpec, memory func(bytes int) unsafe.Pointer) {
	t.Helper()
	size := int(unsafe.Sizeof(T(0)))
	r := rand.New(rand.NewPCG(1, 2))
	// Small integers: many ties, and sums without rounding. Windows of -Inf alone are no rarity where half of x is.
	lowest := s.Kind < PoolSum && s.Channels%2 == 0
	fill := func(n int) (unsafe.Pointer, []float64) {
		p := memory(n * size)
		v, f := unsafe.Slice((*T)(p), n), make([]float64, n)
		for i := range f {
			f[i] = float64(r.IntN(7) - 3)
			if r.IntN(50) == 0 {
				f[i] = math.NaN()
			}
			if lowest && r.IntN(2) == 0 {
				f[i] = math.Inf(-1)
			}
			v[i] = T(f[i])
		}
		return p, f
	}
	nx, ny := s.lengths()
	x, fx := fill(nx)
	lowest = false
	a, b, v := x, unsafe.Pointer(nil), fx
	n := ny
	switch s.Kind {
	case PoolPick:
		if b = x; !s.Same {
			b, v = fill(nx)
		}
	case PoolSpread:
		b, v = fill(ny)
		n = nx
	case PoolSumSpread:
		a, v = fill(ny)
		n = nx
	}
	want := s.naive(fx, v)
	p := NewPool(s)
	out, scratch := memory(n*size), memory(p.WorkerScratch())
	got := unsafe.Slice((*T)(out), n)
	var first []byte
	for _, order := range []func(n int) []int{inOrder, backwards} {
		for i := range got {
			got[i] = 77
		}
		for _, task := range order(p.Tasks()) {
			p.Run(task, a, b, out, scratch)
		}
		for i, x := range got {
			if float64(x) != want[i] && !(math.IsNaN(float64(x)) && math.IsNaN(want[i])) {
				t.Fatalf("%+v: element %d is %v and should be %v", s, i, x, want[i])
			}
		}
		bits := bytes.Clone(unsafe.Slice((*byte)(out), n*size))
		if first != nil && !bytes.Equal(first, bits) {
			t.Fatalf("%+v: the order of the tasks changes the result", s)
		}
		first = bits
	}
}

func TestPool(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		r := rand.New(rand.NewPCG(3, uint64(l)))
		for range 100 {
			for kind := range PoolSumSpread + 1 {
				s := randomPool(r, kind)
				s.Same = r.IntN(2) == 0
				if s.Float64 {
					checkPool[float64](t, s, aligned)
				} else {
					checkPool[float32](t, s, aligned)
				}
			}
		}
	})
}

func BenchmarkPool(b *testing.B) {
	for kind, name := range []string{"pick", "spread", "sum", "sum-spread"} {
		b.Run(fmt.Sprintf("%s/64x24x24x64", name), func(b *testing.B) {
			s := PoolSpec{Kind: PoolKind(kind), Batch: 64, Channels: 64, Space: [3]int{1, 24, 24}, Places: [3]int{1, 12, 12}, Window: [3]int{1, 2, 2},
				Stride: [3]int{1, 2, 2}, Dilation: [3]int{1, 1, 1}, Same: true}
			p := NewPool(s)
			nx, ny := s.lengths()
			x, y, z, scratch := zeroed(nx*4), zeroed(ny*4), zeroed(nx*4), zeroed(p.WorkerScratch())
			in, other, out := x, x, y
			switch s.Kind {
			case PoolSpread:
				other, out = y, z
			case PoolSumSpread:
				in, out = y, z
			}
			b.SetBytes(int64(nx * 4))
			for b.Loop() {
				for task := range p.Tasks() {
					p.Run(task, in, other, out, scratch)
				}
			}
		})
	}
}
