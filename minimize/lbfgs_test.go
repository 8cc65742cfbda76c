package minimize

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestFactored expects the same directions from the recursion on factors as from the one on vectors, with the ring partly filled,
// gone round, emptied, and with pairs that are refused.
func TestFactored(t *testing.T) {
	const n, memory = 40, 6
	random := rand.New(rand.NewPCG(1, 2))
	normal := func() []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = random.NormFloat64()
		}
		return x
	}
	plain, factored := newPairs(memory, n), newFactored(memory, n)
	x, g := normal(), normal()
	d, want := make([]float64, n), make([]float64, n)
	for step := range 60 {
		x1, g1 := clone(x), clone(g)
		for i, s := range normal() {
			x1[i] += s
			if g1[i] += s * float64(1+i); step == 20 || step == 41 { // negative curvature
				g1[i] = g[i] - s
			}
		}
		ok := plain.add(x1, x, g1, g)
		if other := factored.add(x1, x, g1, g); ok != other || ok == (step == 20 || step == 41) {
			t.Fatalf("step %d: pair taken: %v and %v", step, ok, other)
		}
		x, g = x1, g1
		if plain.count() != factored.count() || plain.count() == 0 {
			t.Fatalf("step %d: %d and %d pairs", step, plain.count(), factored.count())
		}
		plain.direction(want, g)
		factored.direction(d, g)
		for i := range d {
			if math.Abs(d[i]-want[i]) > 1e-9*normInf(want) {
				t.Fatalf("step %d: element %d of the direction is %v, want %v", step, i, d[i], want[i])
			}
		}
		if !(dot(d, g) < 0) {
			t.Errorf("step %d: the direction does not go down", step)
		}
		if step == 30 {
			plain.clear()
			factored.clear()
		}
	}
}

func TestNorms(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		x         []float64
		inf, two  float64
		allFinite bool
	}{
		{nil, 0, 0, true},
		{[]float64{-3, 4}, 4, 5, true},
		{[]float64{0, 1, -2, 0, 0, -2, 0, 0, 0}, 2, 3, true},
		{[]float64{1, 2, 3, 4, 5, -inf}, inf, inf, false},
		{[]float64{nan, inf, 1, 1, 1}, nan, nan, false},
		{[]float64{3e200, -4e200}, 4e200, 5e200, true},
		{[]float64{3e-200, -4e-200}, 4e-200, 5e-200, true},
	} {
		same := func(got, want float64) bool {
			return got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= 1e-14*math.Abs(want)
		}
		if got := normInf(c.x); !same(got, c.inf) {
			t.Errorf("normInf(%v) = %v, want %v", c.x, got, c.inf)
		}
		if got := norm2(c.x); !same(got, c.two) {
			t.Errorf("norm2(%v) = %v, want %v", c.x, got, c.two)
		}
		if got := allFinite(c.x); got != c.allFinite {
			t.Errorf("allFinite(%v) = %v", c.x, got)
		}
	}
}
