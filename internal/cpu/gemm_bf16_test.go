package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/half"
)

// atEachUnit runs a test once with every unit for bfloat16 of every level that the machine supports.
func atEachUnit(t *testing.T, test func(t *testing.T)) {
	defer unit.Store(unit.Load())
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, u := range BF16Units() {
			if err := ForceBF16(u); err != nil {
				t.Fatal(err)
			}
			t.Run(u.String(), test)
		}
	})
}

// TestGemmBF16 compares products of all layouts with those of the rounded operands, and the bits in any order of the tasks.
func TestGemmBF16(t *testing.T) {
	sizes := []int{0, 1, 2, 3, 6, 7, 14, 15, 16, 17, 31, 33, 63, 64, 65, 130}
	atEachUnit(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		try := func(m, n, k int) {
			for an, a := range layouts(m, k) {
				for bn, b := range layouts(k, n) {
					if r.IntN(8) != 0 {
						continue
					}
					spec := GemmSpec{M: m, N: n, K: k, A: a, B: b, LDC: max(n+r.IntN(2)*r.IntN(9), 1), Accumulate: r.IntN(2) == 0}
					p := newRoundedProduct(spec, r.Uint64(), half.RoundBF16)
					g := NewGemmBF16(spec)
					p.run(g, 1, inOrder)
					if err := p.compare(); err != nil {
						t.Fatalf("%s%s %+v: %v", an, bn, spec, err)
					}
					first := slices.Clone(p.c)
					p.run(g, 3, backwards)
					if unequal(first, p.c) {
						t.Fatalf("%s%s %+v: the bits depend on the order of the tasks", an, bn, spec)
					}
				}
			}
		}
		tries, longTries := 400, 6
		if testing.Short() {
			tries, longTries = 50, 2
		}
		for range tries {
			try(sizes[r.IntN(len(sizes))], sizes[r.IntN(len(sizes))], sizes[r.IntN(len(sizes))])
		}
		for _, s := range [][3]int{{1, 1, 5000}, {3, 40, 3000}, {300, 2, 600}, {600, 70, 20}, {64, 64, 4097}, {16, 33, 2100}, {1, 700, 90}, {700, 1, 90}} {
			for range longTries {
				try(s[0], s[1], s[2])
			}
		}
	})
}

func unequal(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return true
		}
	}
	return false
}

// TestBF16Special multiplies numbers at the ends of the range: infinities, NaN, denormal numbers, and those that round up to infinity. Each has a row
// and a column of its own, so that it meets ones.
func TestBF16Special(t *testing.T) {
	special := []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.MaxFloat32, -math.MaxFloat32, 0x1p-126, 0x1.fffffcp-127, 0x1p-149, -0x1p-130, 0x1.ffp-126,
		1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-8 + 0x1p-23, -1 - 0x1p-8, float32(math.Copysign(0, -1)), 3.0e38, 1.00390625}
	n := len(special)
	atEachUnit(t, func(t *testing.T) {
		for _, transposed := range []bool{false, true} {
			// A is special by 1, B is 1 by n: C[i,j] is the rounded number, in each column.
			a, b, c := slices.Clone(special), make([]float32, n), make([]float32, n*n)
			for i := range b {
				b[i] = 1
			}
			if transposed {
				a, b = b, a
			}
			g := NewGemmBF16(GemmSpec{M: n, N: n, K: 1, A: Layout{1, 1}, B: Layout{n, 1}, LDC: n})
			shared, worker := aligned(g.SharedScratch()), aligned(g.WorkerScratch())
			for phase := range g.Phases() {
				for task := range g.Tasks(phase) {
					g.Run(phase, task, unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0]), shared, worker)
				}
			}
			for i := range n {
				for j := range n {
					x := special[i]
					if transposed {
						x = special[j]
					}
					if got, want := c[i*n+j], half.RoundBF16(x); got != want && !(got != got && want != want) {
						t.Errorf("transposed %v: 1 times %v is %v, want %v", transposed, x, got, want)
					}
				}
			}
		}
	})
}

// TestRoundBF16 compares vectors with the definition.
func TestRoundBF16(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, n := range blockSizes {
			src, dst := newGuarded(F32, n), newGuarded(F32, n)
			x := block[uint32](src.ptr(), n)
			for i := range x {
				x[i] = r.Uint32() >> (r.IntN(2) * r.IntN(24))
			}
			RoundBF16(dst.ptr(), src.ptr(), n)
			dst.check(t, fmt.Sprint(n))
			for i, y := range block[float32](dst.ptr(), n) {
				if want := half.RoundBF16(math.Float32frombits(x[i])); math.Float32bits(y) != math.Float32bits(want) {
					t.Fatalf("%#x becomes %#x, want %#x", x[i], math.Float32bits(y), math.Float32bits(want))
				}
			}
		}
	})
}

func TestUnitFromEnv(t *testing.T) {
	for _, c := range []struct {
		value, level string
		unit         uint32
		ok           bool
	}{
		{"", "", anyUnit, true}, {"go", "go", uint32(NoBF16), true}, {"avx512", "avx512", uint32(NoBF16), true},
		{"avx512+bf16", "avx512", unitIf(AVX512, DotBF16), has(AVX512, DotBF16)}, {"avx512+amx", "avx512", unitIf(AVX512, TileBF16), has(AVX512, TileBF16)},
		{"neon", "neon", uint32(NoBF16), true}, {"neon+bf16", "neon", unitIf(NEON, DotBF16), has(NEON, DotBF16)}, {"neon+amx", "neon", anyUnit, false},
		{"avx2+bf16", "avx2", anyUnit, false}, {"avx512+f32", "avx512", anyUnit, false}, {"avx512+", "avx512", anyUnit, false},
	} {
		level, unit, err := unitFromEnv(c.value)
		if level != c.level || (err == nil) != c.ok || c.ok && unit != c.unit {
			t.Errorf("%q: level %q, unit %d, error %v", c.value, level, unit, err)
		}
	}
}

func has(l Level, u BF16Unit) bool {
	return l == unitLevel && slices.Contains(Levels(), l) && slices.Contains(levelUnits(), u)
}

// unitIf is what asking for u at the level l stores: u if this machine has it.
func unitIf(l Level, u BF16Unit) uint32 {
	if has(l, u) {
		return uint32(u)
	}
	return anyUnit
}
