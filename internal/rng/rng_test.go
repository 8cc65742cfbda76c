package rng

// The tests hold the generator against its published vectors, hold keys fixed, and check that a fill is the same
// however it is cut, that elements agree with fills, and that the distributions are the promised ones.

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-49005b45/tarn/internal/alloctest"
)

// TestPhilox uses the known answers of the Random123 library (kat_vectors, philox4x32 10).
func TestPhilox(t *testing.T) {
	const all = 0xffffffff
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{all, all, all, all}, [2]uint32{all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		var got [4]uint32
		got[0], got[1], got[2], got[3] = philox(c.ctr[0], c.ctr[1], c.ctr[2], c.ctr[3], c.key[0], c.key[1])
		if got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.ctr, c.key, got, c.want)
		}
		b := uint64(c.ctr[1])<<32 | uint64(c.ctr[0])
		key := Key{uint64(c.key[1])<<32 | uint64(c.key[0]), uint64(c.ctr[3])<<32 | uint64(c.ctr[2])}
		got[0], got[1], got[2], got[3] = block(key, b)
		if got != c.want {
			t.Errorf("block(%x, %x) = %x, want %x", key, b, got, c.want)
		}
	}
}

// TestKeysNeverChange holds fixed what every saved run depends on.
func TestKeysNeverChange(t *testing.T) {
	if h := hash(""); h != 0xcbf29ce484222325 {
		t.Errorf("hash of nothing = %#x", h)
	}
	if h := hash("foobar"); h != 0x85944171f73967e8 { // the published FNV-1a vector
		t.Errorf("hash(foobar) = %#x", h)
	}
	if m := mix(0); m != 0xe220a8397b1dcdaf { // the published first output of SplitMix64 from state 0
		t.Errorf("mix(0) = %#x", m)
	}
	for _, c := range []struct{ got, want Key }{
		{Named(0, ""), Key{0xca8c039439517357, 0xc3817c016ba4ff30}},
		{Named(42, "blocks.2.attn.qkv.weight"), Key{0x51bd5543252cfc7e, 0x8d4e1bc4b3d3c4a8}},
		{Step(42, 7, 1000), Key{0xbb14c10e0402d6e8, 0x3e8}},
	} {
		if c.got != c.want {
			t.Errorf("key = {%#x, %#x}, want {%#x, %#x}", c.got[0], c.got[1], c.want[0], c.want[1])
		}
	}
	key := Named(42, "fixed")
	got := fmt.Sprintf("%v %v %v %v %v", Uniform32(key, 3), Uniform64(key, 3), Normal32(key, 3), Normal64(key, 3), Perm(8, key))
	if want := "0.39683026 0.4554280371430267 -0.26156008 -0.11195879958560996 [3 5 4 1 2 6 0 7]"; got != want {
		t.Errorf("numbers = %q, want %q", got, want)
	}
}

func TestKeysDiffer(t *testing.T) {
	seen := map[Key]string{}
	add := func(k Key, what string) {
		if old, ok := seen[k]; ok {
			t.Errorf("%s and %s share the key %x", old, what, k)
		}
		seen[k] = what
	}
	for seed := range uint64(20) {
		for _, name := range []string{"", "a", "b", "ab", "ba", "layer.0", "layer.1"} {
			add(Named(seed, name), fmt.Sprintf("Named(%d, %q)", seed, name))
		}
		for node := range uint64(20) {
			for step := range uint64(20) {
				add(Step(seed, node, step), fmt.Sprintf("Step(%d, %d, %d)", seed, node, step))
			}
		}
	}
}

// cuts splits a range into pieces that begin and end at all sorts of places relative to blocks and buffers.
func cuts[T comparable](t *testing.T, what string, fill func(dst []T, offset int), at func(i uint64) T) {
	t.Helper()
	const n = 1100
	whole := make([]T, n)
	fill(whole, 5)
	for i, v := range whole {
		if want := at(uint64(i) + 5); v != want {
			t.Fatalf("%s: element %d of a fill = %v, alone %v", what, i+5, v, want)
		}
	}
	for _, step := range []int{1, 2, 3, 5, 7, 64, 255, 256, 257, 1000} {
		for lo := 0; lo < n; lo += step {
			piece := make([]T, min(step, n-lo))
			fill(piece, lo+5)
			for j, v := range piece {
				if v != whole[lo+j] {
					t.Fatalf("%s: pieces of %d: element %d = %v, in one fill %v", what, step, lo+j, v, whole[lo+j])
				}
			}
		}
	}
}

func TestPartition(t *testing.T) {
	key := Named(1, "partition")
	cuts(t, "uniform f32", func(d []float32, o int) { FillUniform(d, key, o) }, func(i uint64) float32 { return Uniform32(key, i) })
	cuts(t, "uniform f64", func(d []float64, o int) { FillUniform(d, key, o) }, func(i uint64) float64 { return Uniform64(key, i) })
	cuts(t, "normal f32", func(d []float32, o int) { FillNormal(d, key, o) }, func(i uint64) float32 { return Normal32(key, i) })
	cuts(t, "normal f64", func(d []float64, o int) { FillNormal(d, key, o) }, func(i uint64) float64 { return Normal64(key, i) })
	cuts(t, "bernoulli", func(d []bool, o int) { FillBernoulli(d, key, o, 0.3) }, func(i uint64) bool { return Bernoulli(key, i, 0.3) })
	cuts(t, "truncated f32", func(d []float32, o int) { FillTruncNormal(d, key, o, -2, 1) }, func(i uint64) float32 {
		var d [1]float32
		FillTruncNormal(d[:], key, int(i), -2, 1)
		return d[0]
	})
	cuts(t, "truncated f64", func(d []float64, o int) { FillTruncNormal(d, key, o, -2, 1) }, func(i uint64) float64 {
		var d [1]float64
		FillTruncNormal(d[:], key, int(i), -2, 1)
		return d[0]
	})
}

// TestDistribution compares mean and variance with their exact values, and the counts in equally likely bins with a
// chi-square bound: with 63 degrees of freedom it is below 120 with probability 0.99998. The seed is fixed.
func TestDistribution(t *testing.T) {
	const n, bins = 1 << 18, 64
	key := Named(3, "distribution")
	phi01 := func(x float64) float64 { return x }
	f64 := func(fill func([]float32)) []float64 {
		d := make([]float32, n)
		fill(d)
		out := make([]float64, n)
		for i, v := range d {
			out[i] = float64(v)
		}
		return out
	}
	d64 := func(fill func([]float64)) []float64 {
		d := make([]float64, n)
		fill(d)
		return d
	}
	a, b := phi(-2), phi(1)
	density := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	tm := (density(-2) - density(1)) / (b - a)
	tv := 1 + (-2*density(-2)-1*density(1))/(b-a) - tm*tm
	for _, c := range []struct {
		name           string
		x              []float64
		mean, variance float64
		cdf            func(float64) float64
	}{
		{"uniform f32", f64(func(d []float32) { FillUniform(d, key, 0) }), 0.5, 1. / 12, phi01},
		{"uniform f64", d64(func(d []float64) { FillUniform(d, key, 0) }), 0.5, 1. / 12, phi01},
		{"normal f32", f64(func(d []float32) { FillNormal(d, key, 0) }), 0, 1, phi},
		{"normal f64", d64(func(d []float64) { FillNormal(d, key, 0) }), 0, 1, phi},
		{"truncated", d64(func(d []float64) { FillTruncNormal(d, key, 0, -2, 1) }), tm, tv, func(x float64) float64 { return (phi(x) - a) / (b - a) }},
	} {
		var sum, sq, lag float64
		var count [bins]int
		for i, x := range c.x {
			sum += x
			sq += (x - c.mean) * (x - c.mean)
			if i > 0 {
				lag += (x - c.mean) * (c.x[i-1] - c.mean)
			}
			count[min(int(c.cdf(x)*bins), bins-1)]++
		}
		sd := math.Sqrt(c.variance / n)
		if m := sum / n; math.Abs(m-c.mean) > 4*sd {
			t.Errorf("%s: mean = %v, want %v", c.name, m, c.mean)
		}
		if v := sq / n; math.Abs(v/c.variance-1) > 4*math.Sqrt(2./n) {
			t.Errorf("%s: variance = %v, want %v", c.name, v, c.variance)
		}
		if r := lag / n / c.variance; math.Abs(r) > 4/math.Sqrt(n) {
			t.Errorf("%s: correlation of neighbors = %v", c.name, r)
		}
		chi := 0.0
		for _, k := range count {
			d := float64(k) - n/bins
			chi += d * d / (n / bins)
		}
		if chi > 120 {
			t.Errorf("%s: chi-square = %v", c.name, chi)
		}
	}
	for _, p := range []float64{0.01, 0.1, 0.5, 0.9} {
		d := make([]bool, n)
		FillBernoulli(d, key, 0, p)
		k := 0
		for _, b := range d {
			if b {
				k++
			}
		}
		if share := float64(k) / n; math.Abs(share-p) > 4*math.Sqrt(p*(1-p)/n) {
			t.Errorf("Bernoulli(%v): share %v", p, share)
		}
	}
	for _, c := range []struct {
		p    float64
		want bool
	}{{0, false}, {1, true}, {-1, false}, {2, true}, {math.NaN(), false}} {
		for i := range uint64(1000) {
			if Bernoulli(key, i, c.p) != c.want {
				t.Errorf("Bernoulli(%v) = %v", c.p, !c.want)
			}
		}
	}
}

func TestTruncatedBounds(t *testing.T) {
	for _, c := range [][2]float64{{-2, 2}, {-1, -0.5}, {0.5, 1}, {9, 10}, {-10, -9}, {0, math.Inf(1)}, {20, 21}, {1, 1}} {
		d := make([]float64, 2000)
		FillTruncNormal(d, Named(1, "cut"), 0, c[0], c[1])
		for _, x := range d {
			if !(x >= c[0] && x <= c[1]) {
				t.Fatalf("a number in %v = %v", c, x)
			}
		}
		if c[0] < c[1] && d[0] == d[1] {
			t.Errorf("numbers in %v do not vary: %v", c, d[:4])
		}
	}
}

// TestQuantile checks the inversion against the distribution function, and ln against math.Log.
func TestQuantile(t *testing.T) {
	for _, p := range []float64{0x1p-53, 1e-15, 1e-12, 1e-10, 1e-6, 1e-3, 0.07, 0.075, 0.08, 0.2, 0.4999, 0.5} {
		x := quantile(p)
		if math.Abs(phi(x)/p-1) > 1e-13 {
			t.Errorf("phi(quantile(%v)) = %v", p, phi(x))
		}
		if y := quantile(1 - p); p > 1e-3 && math.Abs(x+y) > 1e-14 {
			t.Errorf("quantile(%v) = %v, of the complement %v", p, x, y)
		}
	}
	for x := 0x1p-60; x < 10; x *= 1.37 {
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 4e-16*math.Abs(want) {
			t.Errorf("ln(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestIntn(t *testing.T) {
	key := Named(9, "intn")
	const n, draws = 6, 60000
	var count [n]int
	for i := range uint64(draws) {
		count[Intn(key, i, n)]++
	}
	for v, k := range count {
		if math.Abs(float64(k)-draws/n) > 4*math.Sqrt(draws/n) {
			t.Errorf("%d was drawn %d times of %d", v, k, draws)
		}
	}
	// Near 2^62 * 3 a plain remainder would favor the lower half; a quarter of the words is rejected here.
	const big = 3 << 61
	low := 0
	for i := range uint64(10000) {
		v := Intn(key, i, big)
		if v < 0 || v >= big {
			t.Fatalf("Intn = %d", v)
		}
		if v < big/2 {
			low++
		}
	}
	if low < 4800 || low > 5200 {
		t.Errorf("%d of 10000 draws in the lower half", low)
	}
	for _, n := range []int{1, 0, -5} {
		if v := Intn(key, 0, n); v != 0 {
			t.Errorf("Intn(%d) = %d", n, v)
		}
	}
}

func TestPerm(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 2, 10, 1000} {
		p := Perm(n, Named(1, "perm"))
		seen := make([]bool, len(p))
		for _, v := range p {
			if v < 0 || v >= n || seen[v] {
				t.Fatalf("Perm(%d) = %v", n, p)
			}
			seen[v] = true
		}
	}
	count := map[string]int{}
	const draws = 24000
	for seed := range uint64(draws) {
		count[fmt.Sprint(Perm(4, Named(seed, "perm")))]++
	}
	if len(count) != 24 {
		t.Fatalf("%d orders of 4, want 24", len(count))
	}
	chi := 0.0
	for _, k := range count {
		chi += float64(k-draws/24) * float64(k-draws/24) / (draws / 24)
	}
	if chi > 58 { // 23 degrees of freedom, probability 0.9999
		t.Errorf("chi-square of the orders = %v", chi)
	}
}

func TestFillsDoNotAllocate(t *testing.T) {
	f, d, b := make([]float32, 999), make([]float64, 999), make([]bool, 999)
	key := Named(1, "alloc")
	if n := alloctest.PerRun(10, func() {
		FillUniform(f, key, 1)
		FillUniform(d, key, 1)
		FillNormal(f, key, 1)
		FillNormal(d, key, 1)
		FillTruncNormal(f, key, 1, -2, 2)
		FillBernoulli(b, key, 1, 0.5)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFill(b *testing.B) {
	const n = 1 << 16
	f, d, m := make([]float32, n), make([]float64, n), make([]bool, n)
	key := Named(1, "bench")
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"uniform32", func() { FillUniform(f, key, 0) }},
		{"uniform64", func() { FillUniform(d, key, 0) }},
		{"normal32", func() { FillNormal(f, key, 0) }},
		{"normal64", func() { FillNormal(d, key, 0) }},
		{"bernoulli", func() { FillBernoulli(m, key, 0, 0.1) }},
		{"perm", func() { Perm(n, key) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.f()
			}
		})
	}
}
