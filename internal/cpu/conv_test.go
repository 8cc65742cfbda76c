package cpu

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/internal/half"
)

// convShape makes a spec with its number of places worked out.
func convShape(kind ConvKind, batch int, space, window, stride, dilation, before, after [3]int, in, out, groups int, double bool) ConvSpec {
	s := ConvSpec{Kind: kind, Batch: batch, Space: space, Window: window, Stride: stride, Dilation: dilation, Before: before,
		In: in, Out: out, Groups: groups, Float64: double}
	for a := range 3 {
		s.Places[a] = (space[a]+before[a]+after[a]-(window[a]-1)*dilation[a]-1)/stride[a] + 1
	}
	return s
}

func randomConv(r *rand.Rand) ConvSpec {
	for {
		one := [3]int{1, 1, 1}
		space, window, stride, dilation := one, one, one, one
		var before, after [3]int
		ok := true
		for a := r.IntN(3); a < 3; a++ {
			space[a], window[a], stride[a], dilation[a] = 1+r.IntN(14), 1+r.IntN(4), 1+r.IntN(3), 1+r.IntN(2)
			if r.IntN(2) == 0 {
				before[a], after[a] = r.IntN(4), r.IntN(3)
			}
			ok = ok && space[a]+before[a]+after[a] > (window[a]-1)*dilation[a]
		}
		if !ok {
			continue
		}
		groups := []int{1, 1, 1, 2, 3}[r.IntN(5)]
		in, out := 1+r.IntN(20), groups*(1+r.IntN(30))
		if r.IntN(4) == 0 { // depthwise
			groups = in
			in, out = 1, groups*(1+r.IntN(2))
		}
		return convShape(ConvKind(r.IntN(3)), 1+r.IntN(3), space, window, stride, dilation, before, after, in, out, groups, r.IntN(2) == 0)
	}
}

// sizes returns the numbers of elements of x, w and y.
func (s ConvSpec) sizes() [3]int {
	volume := func(n [3]int) int { return n[0] * n[1] * n[2] }
	return [3]int{s.Batch * volume(s.Space) * s.In * s.Groups, volume(s.Window) * s.In * s.Out, s.Batch * volume(s.Places) * s.Out}
}

// places returns the operands and the result of a kind among x, w and y.
func (s ConvSpec) roles() (a, b, out int) {
	return [...]int{ConvOutput: 0, ConvInput: 2, ConvKernel: 0}[s.Kind], [...]int{ConvOutput: 1, ConvInput: 1, ConvKernel: 2}[s.Kind], [...]int{ConvOutput: 2, ConvInput: 0, ConvKernel: 1}[s.Kind]
}

// naive adds up all that meet, in float64; bound gives the sum of the magnitudes.
func (s ConvSpec) naive(arrays [3][]float64) (sums, bound []float64) {
	ai, bi, oi := s.roles()
	sums = make([]float64, s.sizes()[oi])
	bound = make([]float64, len(sums))
	per := s.Out / s.Groups
	for n := range s.Batch {
		for p := range s.Places[0] * s.Places[1] * s.Places[2] {
			p0, p1, p2 := p/(s.Places[1]*s.Places[2]), p/s.Places[2]%s.Places[1], p%s.Places[2]
			for t := range s.Window[0] * s.Window[1] * s.Window[2] {
				t0, t1, t2 := t/(s.Window[1]*s.Window[2]), t/s.Window[2]%s.Window[1], t%s.Window[2]
				i0, i1, i2 := p0*s.Stride[0]+t0*s.Dilation[0]-s.Before[0], p1*s.Stride[1]+t1*s.Dilation[1]-s.Before[1], p2*s.Stride[2]+t2*s.Dilation[2]-s.Before[2]
				if i0 < 0 || i1 < 0 || i2 < 0 || i0 >= s.Space[0] || i1 >= s.Space[1] || i2 >= s.Space[2] {
					continue
				}
				for o := range s.Out {
					for c := range s.In {
						x := (((n*s.Space[0]+i0)*s.Space[1]+i1)*s.Space[2]+i2)*s.In*s.Groups + o/per*s.In + c
						w := (t*s.In+c)*s.Out + o
						y := (n*s.Places[0]*s.Places[1]*s.Places[2]+p)*s.Out + o
						at := [3]int{x, w, y}
						v := arrays[ai][at[ai]] * arrays[bi][at[bi]]
						sums[at[oi]] += v
						bound[at[oi]] += math.Abs(v)
					}
				}
			}
		}
	}
	return sums, bound
}

// runConv runs the plan with its tasks in order or backwards.
func runConv(c *Conv, a, b, out unsafe.Pointer, order func(n int) []int, shared, worker unsafe.Pointer) {
	for phase := range c.Phases() {
		for _, task := range order(c.Tasks(phase)) {
			c.Run(phase, task, a, b, out, shared, worker)
		}
	}
}

func checkConv[T float32 | float64](t *testing.T, s ConvSpec, memory func(bytes int) unsafe.Pointer) {
	t.Helper()
	size := int(unsafe.Sizeof(T(0)))
	r := rand.New(rand.NewPCG(1, 2))
	var arrays [3][]float64
	var raw [3]unsafe.Pointer
	for i, n := range s.sizes() {
		arrays[i] = make([]float64, n)
		raw[i] = memory(n * size)
		v := unsafe.Slice((*T)(raw[i]), n)
		for k := range v {
			v[k] = T(r.Float64()*2 - 1)
			arrays[i][k] = float64(v[k])
			if s.BF16 {
				arrays[i][k] = float64(half.RoundBF16(float32(v[k])))
			}
		}
	}
	ai, bi, oi := s.roles()
	want, bound := s.naive(arrays)
	c := NewConv(s)
	shared, worker := memory(c.SharedScratch()), memory(c.WorkerScratch())
	got := unsafe.Slice((*T)(raw[oi]), len(want))
	eps := 1.2e-7
	if size == 8 {
		eps = 2.3e-16
	}
	var first []byte
	for _, order := range []func(n int) []int{inOrder, backwards} {
		for i := range got {
			got[i] = T(math.NaN())
		}
		runConv(c, raw[ai], raw[bi], raw[oi], order, shared, worker)
		for i, x := range got {
			if d := math.Abs(float64(x) - want[i]); !(d <= bound[i]*eps*20+1e-30) {
				t.Fatalf("%+v: element %d is %v and should be %v", s, i, x, want[i])
			}
		}
		bits := bytes.Clone(unsafe.Slice((*byte)(raw[oi]), len(want)*size))
		if first != nil && !bytes.Equal(first, bits) {
			t.Fatalf("%+v: the order of the tasks changes the result", s)
		}
		first = bits
	}
}

// TestConvBF16 convolves numbers rounded to bfloat16.
func TestConvBF16(t *testing.T) {
	atEachUnit(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 8))
		tries := 150
		if testing.Short() {
			tries = 50
		}
		for range tries {
			s := randomConv(r)
			s.Float64, s.BF16 = false, true
			checkConv[float32](t, s, aligned)
		}
		for i := range convLayers {
			for kind := range ConvKernel + 1 {
				s := convLayer(i, kind, 1)
				s.BF16 = true
				checkConv[float32](t, s, aligned)
			}
		}
	})
}

func TestConv(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		r := rand.New(rand.NewPCG(3, uint64(l)))
		for range 100 {
			s := randomConv(r)
			if s.Float64 {
				checkConv[float64](t, s, aligned)
			} else {
				checkConv[float32](t, s, aligned)
			}
		}
	})
}

// convLayers are layers of usual networks, in which tasks, ranges and slices are many.
var convLayers = []struct {
	name                          string
	batch, size, in, out          int
	window, stride, before, after int
	groups                        int
}{
	{"mnist-1", 64, 28, 1, 32, 3, 1, 0, 0, 1},
	{"mnist-2", 64, 26, 32, 64, 3, 1, 0, 0, 1},
	{"resnet-stem", 32, 32, 3, 16, 3, 1, 1, 1, 1},
	{"resnet-16", 32, 32, 16, 16, 3, 1, 1, 1, 1},
	{"resnet-16-32", 32, 32, 16, 32, 3, 2, 1, 1, 1},
	{"resnet-32", 32, 16, 32, 32, 3, 1, 1, 1, 1},
	{"resnet-32-64", 32, 16, 32, 64, 3, 2, 1, 1, 1},
	{"resnet-64", 32, 8, 64, 64, 3, 1, 1, 1, 1},
	{"depthwise-64", 32, 16, 1, 64, 3, 1, 1, 1, 64},
}

func convLayer(i int, kind ConvKind, batch int) ConvSpec {
	l := convLayers[i]
	return convShape(kind, batch, [3]int{1, l.size, l.size}, [3]int{1, l.window, l.window}, [3]int{1, l.stride, l.stride}, [3]int{1, 1, 1},
		[3]int{0, l.before, l.before}, [3]int{0, l.after, l.after}, l.in, l.out, l.groups, false)
}

func TestConvLayers(t *testing.T) {
	for i := range convLayers {
		for kind := range ConvKernel + 1 {
			checkConv[float32](t, convLayer(i, kind, 2), aligned)
		}
	}
}

func TestConvAllocatesNothing(t *testing.T) {
	atEachUnit(t, func(t *testing.T) {
		for kind := range ConvKernel + 1 {
			for _, short := range []bool{false, true} {
				s := convLayer(4, kind, 2)
				s.BF16 = short
				c := NewConv(s)
				n := s.sizes()
				ai, bi, oi := s.roles()
				a, b, out := aligned(n[ai]*4), aligned(n[bi]*4), aligned(n[oi]*4)
				shared, worker := aligned(c.SharedScratch()), aligned(c.WorkerScratch())
				allocs := alloctest.PerRun(2, func() {
					for phase := range c.Phases() {
						for task := range c.Tasks(phase) {
							c.Run(phase, task, a, b, out, shared, worker)
						}
					}
				})
				if allocs != 0 {
					t.Errorf("kind %d: %v allocations", kind, allocs)
				}
			}
		}
	})
}

// BenchmarkConv measures one core. The metric is the share of the multiplications a second that the widest kernel reaches.
func BenchmarkConv(b *testing.B) {
	for i, l := range convLayers {
		for kind, name := range []string{"output", "input", "kernel"} {
			b.Run(fmt.Sprintf("%s/%s", l.name, name), func(b *testing.B) {
				s := convLayer(i, ConvKind(kind), l.batch)
				c := NewConv(s)
				n := s.sizes()
				ai, bi, oi := s.roles()
				x, y, out := zeroed(n[ai]*4), zeroed(n[bi]*4), zeroed(n[oi]*4)
				shared, worker := zeroed(c.SharedScratch()), zeroed(c.WorkerScratch())
				for b.Loop() {
					runConv(c, x, y, out, inOrder, shared, worker)
				}
				flops := 2 * float64(n[2]) * float64(s.In*c.taps())
				b.ReportMetric(flops*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
