package tarn

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds Random, the random numbers that initializers draw. Random values inside a graph are ops of their own.

// Random is a stream of random numbers, determined by a seed and a name. Streams with different names are independent,
// and drawing from one does not change another. The numbers are the same on every machine.
type Random struct {
	key  rng.Key
	used int // elements of the stream drawn so far
	err  error
}

// NewRandom returns the stream of the given seed and name.
func NewRandom(seed uint64, name string) *Random { return &Random{key: rng.Named(seed, name)} }

// Fail lets an Initializer report that it cannot fill its param, as for a negative standard deviation. Init then returns err with the
// param's name. The first error counts.
func (r *Random) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Err returns the first error given to Fail, or nil.
func (r *Random) Err() error { return r.err }

// Uniform fills t, of dtype F32 or F64, with numbers uniform in [lo, hi).
func (r *Random) Uniform(t *Tensor, lo, hi float64) {
	r.fill(t, lo, hi-lo, rng.FillUniform[float32], rng.FillUniform[float64])
}

// Normal fills t, of dtype F32 or F64, with normal numbers of the given mean and standard deviation.
func (r *Random) Normal(t *Tensor, mean, std float64) {
	r.fill(t, mean, std, rng.FillNormal[float32], rng.FillNormal[float64])
}

// TruncatedNormal fills t, of dtype F32 or F64, with normal numbers of the given mean and standard deviation, conditioned
// to lie within cut standard deviations of the mean.
func (r *Random) TruncatedNormal(t *Tensor, mean, std, cut float64) {
	r.fill(t, mean, std,
		func(dst []float32, key rng.Key, offset int) { rng.FillTruncNormal(dst, key, offset, -cut, cut) },
		func(dst []float64, key rng.Key, offset int) { rng.FillTruncNormal(dst, key, offset, -cut, cut) })
}

// Perm returns a permutation of 0 to n-1, every one equally likely.
func (r *Random) Perm(n int) []int {
	if err := checkShape([]int{n}); err != nil {
		panic("tarn: Perm: " + err.Error())
	}
	r.key = rng.Key{r.key[0], r.key[1] + 1} // a permutation draws an unknown number of elements: it gets its own stream
	return rng.Perm(n, r.key)
}

func (r *Random) fill(t *Tensor, shift, scale float64, f32 func([]float32, rng.Key, int), f64 func([]float64, rng.Key, int)) {
	switch t.DType() {
	case F32:
		all := t.F32()
		inParts(len(all), func(from, to int) {
			s := all[from:to]
			f32(s, r.key, r.used+from)
			for i, x := range s {
				s[i] = float32(shift + float64(scale*float64(x)))
			}
		})
	case F64:
		all := t.F64()
		inParts(len(all), func(from, to int) {
			s := all[from:to]
			f64(s, r.key, r.used+from)
			for i, x := range s {
				s[i] = shift + float64(scale*x)
			}
		})
	default:
		panic(fmt.Sprintf("tarn: random numbers of dtype %v; use f32 or f64", t.DType()))
	}
	r.used += t.Size()
}

// inParts calls f for parts of the numbers from 0 to n-1, on several processors if there are many. A part is small enough for the innermost cache.
func inParts(n int, f func(from, to int)) {
	const part, enough = 4096, 32 // parts that are worth a goroutine
	var next atomic.Int64
	work := func() {
		for {
			from := int(next.Add(part)) - part
			if from >= n {
				return
			}
			f(from, min(from+part, n))
		}
	}
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n/(part*enough)) - 1 {
		group.Go(work)
	}
	work()
	group.Wait()
}
