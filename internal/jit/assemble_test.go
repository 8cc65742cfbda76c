//go:build darwin || freebsd || linux || windows

package jit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// reference evaluates a run with the scalar definitions.
func reference(r *Run, inputs [][]float64, n int) [][]float64 {
	values := make([][]float64, 0, len(r.Inputs)+len(r.Instrs))
	for v, in := range r.Inputs {
		x := make([]float64, n)
		for i := range x {
			x[i] = inputs[v][0]
			if !in.Single {
				x[i] = inputs[v][i]
			}
		}
		values = append(values, x)
	}
	for _, in := range r.Instrs {
		y := make([]float64, n)
		for i := range y {
			var x [3]float64
			for a := range in.Func.Arity() {
				x[a] = values[in.Args[a]][i]
			}
			y[i] = define(in.Func, r.Double, x[0], x[1], x[2])
		}
		values = append(values, y)
	}
	var out [][]float64
	for _, o := range r.Outputs {
		out = append(out, values[o.Value])
	}
	return out
}

// define is f as the float type of the run has it.
func define(f scalar.Func, double bool, a, b, c float64) float64 {
	if double {
		return scalar.F64(f, a, b, c)
	}
	return float64(scalar.F32(f, float32(a), float32(b), float32(c)))
}

// negligible reports whether the numbers differ only by what flushing may do: both are below the smallest normal number, or no more than that apart
// where f is GELU, a difference of two numbers.
func negligible(f scalar.Func, got, want float64, double bool) bool {
	smallest := 0x1p-126
	if double {
		smallest = 0x1p-1022
	}
	return math.Max(math.Abs(got), math.Abs(want)) < smallest || f == scalar.GELU && math.Abs(got-want) <= smallest
}

// special are the numbers at which functions bend.
var special = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 2.5, -2.5, 1e-40, -1e-40, 0x1p-126, 0x1p-149, 1e-310, 0x1p-1022, math.Inf(1), math.Inf(-1), math.NaN(), 1e30, -1e30, 3,
	88.72283172607422, 88.72283935546875, -87.33654022216797, -87.33655, -87.7, -88, -88.4, 88.4, 709.78, -708.39}

func number(r *rand.Rand) float64 {
	if r.IntN(3) == 0 {
		return special[r.IntN(len(special))]
	}
	return float64(float32(r.NormFloat64() * 3))
}

// onEach runs a test for each instruction set of this processor. That of TARN_CPU must be among them.
func onEach(t *testing.T, test func(t *testing.T, target *target)) {
	t.Helper()
	before := cpu.Current()
	defer cpu.Force(before)
	ran := false
	for _, target := range targets {
		if cpu.Force(target.level) != nil {
			continue
		}
		ran = true
		t.Run(target.level.String(), func(t *testing.T) { test(t, target) })
	}
	if level := os.Getenv(cpu.EnvVar); targetOf(before) == nil && level != "" && level != "go" {
		t.Fatalf("%s is %s, for which there is no code", cpu.EnvVar, level)
	}
	if !ran {
		t.Skip("no code can be made for this processor")
	}
}

// finish makes the code executable. A system may forbid that, but not one that tests every change.
func finish(t *testing.T, a *Assembler) *Memory {
	t.Helper()
	memory, ok := a.Finish()
	switch {
	case ok:
	case os.Getenv("CI") != "":
		t.Fatal("this system does not allow executable memory, so nothing can be tested: continuous integration needs another")
	default:
		t.Skip("this system does not allow executable memory")
	}
	return memory
}

// alive keeps the blocks of a call off the stack, which may move.
var alive []unsafe.Pointer

// invoke calls code with blocks.
func invoke(f Func, blocks []unsafe.Pointer, n int) {
	alive = blocks
	slots := make([]uintptr, len(blocks))
	for i, b := range blocks {
		slots[i] = uintptr(b)
	}
	f.Call(slots, n)
	runtime.KeepAlive(alive)
}

// execute assembles and runs a run on data, with guards behind every block.
func execute(t *testing.T, target *target, r *Run, inputs [][]float64, n int) [][]float64 {
	t.Helper()
	a := Assembler{target: target}
	id, ok := a.Add(r)
	if !ok {
		t.Fatalf("the run needs too many registers")
	}
	memory := finish(t, &a)
	defer runtime.KeepAlive(memory)
	slots := make([]unsafe.Pointer, 64)
	size := 4
	if r.Double {
		size = 8
	}
	put := func(b []byte, i int, x float64, kind Type) {
		switch {
		case kind == Bool:
			b[i] = 0
			if x != 0 {
				b[i] = 1
			}
		case r.Double:
			*(*float64)(unsafe.Pointer(&b[i*size])) = x
		default:
			*(*float32)(unsafe.Pointer(&b[i*size])) = float32(x)
		}
	}
	for v, in := range r.Inputs {
		bytes := len(inputs[v])
		if in.Type != Bool {
			bytes *= size
		}
		b := guarded(t, bytes)
		for i, x := range inputs[v] {
			put(b, i, x, in.Type)
		}
		slots[in.Slot] = unsafe.Pointer(&b[0])
	}
	var blocks [][]byte
	for _, o := range r.Outputs {
		bytes := n
		if r.typeOf(o.Value) != Bool {
			bytes *= size
		}
		b := guarded(t, bytes)
		blocks = append(blocks, b)
		slots[o.Slot] = unsafe.Pointer(&b[0])
	}
	invoke(a.Func(id), slots, n)
	var out [][]float64
	for k, o := range r.Outputs {
		x := make([]float64, n)
		for i := range x {
			switch {
			case r.typeOf(o.Value) == Bool:
				x[i] = float64(blocks[k][i])
			case r.Double:
				x[i] = *(*float64)(unsafe.Pointer(&blocks[k][i*size]))
			default:
				x[i] = float64(*(*float32)(unsafe.Pointer(&blocks[k][i*size])))
			}
		}
		out = append(out, x)
	}
	return out
}

// terms is the size of the terms that f(x) = want is a sum of, in whose units an error counts.
func terms(f scalar.Func, x, want float64) float64 {
	if f == scalar.GELUPrime && x != 0 && !math.IsInf(x, 0) {
		return math.Max(math.Abs(want), math.Abs(scalar.F64(scalar.GELU, x, 0, 0)/x))
	}
	return math.Abs(want)
}

func check(t *testing.T, target *target, r *Run, inputs [][]float64, n int, tolerance float64) {
	t.Helper()
	want, got := reference(r, inputs, n), execute(t, target, r, inputs, n)
	for k := range want {
		for i := range want[k] {
			w, g := want[k][i], got[k][i]
			if w == g || math.IsNaN(w) && math.IsNaN(g) || negligible(r.Instrs[0].Func, g, w, r.Double) {
				continue
			}
			if !(math.Abs(w-g) <= tolerance*terms(r.Instrs[0].Func, inputs[0][min(i, len(inputs[0])-1)], w)) {
				var args []float64
				for v := range r.Inputs {
					args = append(args, inputs[v][min(i, len(inputs[v])-1)])
				}
				t.Fatalf("%+v\noutput %d, element %d of %d at %v: %v, want %v", r, k, i, n, args, g, w)
			}
		}
	}
}

// tolerance is a bound on the relative error: of one operation in float32, or of a function as package cpu has it.
func tolerance(f scalar.Func, double bool) float64 {
	switch {
	case double && (f == scalar.Exp || f == scalar.Sigmoid || f == scalar.Tanh):
		return 1e-15
	case double:
		return 2.3e-16
	}
	return 2.5e-7
}

func TestFunctions(t *testing.T) { onEach(t, testFunctions) }

func testFunctions(t *testing.T, target *target) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, f := range simple32 {
		for _, double := range []bool{false, true} {
			for _, single := range []bool{false, true} {
				for _, logical := range []bool{false, true} {
					if !Simple(f, double) || logical && !(f.Logical() || f == scalar.Where || f == scalar.Eq || f == scalar.Ne) || !logical && f.Logical() {
						continue
					}
					t.Run(fmt.Sprint(f, double, single, logical), func(t *testing.T) {
						for _, n := range []int{1, 7, 8, 15, 16, 17, 33, 100} {
							r := &Run{Double: double}
							var inputs [][]float64
							in := Instr{Func: f}
							for a := range f.Arity() {
								kind := Float
								if logical || f == scalar.Where && a == 0 {
									kind = Bool
								}
								input := Input{Slot: a, Type: kind, Single: single && a == f.Arity()-1}
								x := make([]float64, n)
								for i := range x {
									if x[i] = number(rnd); !double {
										x[i] = float64(float32(x[i]))
									}
									if kind == Bool {
										x[i] = float64(rnd.IntN(2))
									}
								}
								if input.Single {
									x = x[:1]
								}
								r.Inputs, inputs = append(r.Inputs, input), append(inputs, x)
								in.Args[a] = a
							}
							r.Instrs = []Instr{in}
							r.Outputs = []Output{{Slot: 9, Value: f.Arity()}}
							check(t, target, r, inputs, n, tolerance(f, double))
						}
					})
				}
			}
		}
	}
}

// TestRuns checks random runs, long enough to need many registers, against the definitions.
func TestRuns(t *testing.T) { onEach(t, testRuns) }

func testRuns(t *testing.T, target *target) {
	safe := []scalar.Func{scalar.Neg, scalar.Abs, scalar.Add, scalar.Sub, scalar.Mul, scalar.Min, scalar.Max, scalar.ReLU, scalar.ReLUGrad, scalar.Lt, scalar.Where, scalar.And, scalar.MulAdd, scalar.Square}
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		r := &Run{Double: true}
		var inputs [][]float64
		n := 1 + rnd.IntN(70)
		var floats, bools []int
		for v := range 1 + rnd.IntN(20) {
			single := rnd.IntN(3) == 0
			r.Inputs = append(r.Inputs, Input{Slot: v, Single: single})
			x := make([]float64, n)
			for i := range x {
				x[i] = rnd.NormFloat64()
			}
			if single {
				x = x[:1]
			}
			inputs = append(inputs, x)
			floats = append(floats, v)
		}
		for range 1 + rnd.IntN(30) {
			f := safe[rnd.IntN(len(safe))]
			if (f == scalar.Where || f == scalar.And) && len(bools) == 0 {
				continue
			}
			in := Instr{Func: f}
			for a := range f.Arity() {
				from := floats
				if f == scalar.And || f == scalar.Where && a == 0 {
					from = bools
				}
				in.Args[a] = from[rnd.IntN(len(from))]
			}
			r.Instrs = append(r.Instrs, in)
			v := len(r.Inputs) + len(r.Instrs) - 1
			if f.GivesBool() {
				bools = append(bools, v)
			} else {
				floats = append(floats, v)
			}
		}
		if len(r.Instrs) == 0 {
			continue
		}
		for k := range 1 + rnd.IntN(4) {
			r.Outputs = append(r.Outputs, Output{Slot: 40 + k, Value: len(r.Inputs) + rnd.IntN(len(r.Instrs))})
		}
		a := Assembler{target: target}
		if _, ok := a.Add(r); !ok {
			t.Fatalf("seed %d: the run needs too many registers", seed)
		}
		check(t, target, r, inputs, n, 1e-9)
	}
}

// TestSpills computes more values than there are registers before it needs any of them, and far too many, which is refused.
func TestSpills(t *testing.T) { onEach(t, testSpills) }

func testSpills(t *testing.T, target *target) {
	rnd := rand.New(rand.NewPCG(6, 7))
	for _, double := range []bool{false, true} {
		for _, extra := range []int{0, 1, 5, frameVectors - 4, 100} {
			live := target.vectors + extra
			r := &Run{Double: double, Inputs: []Input{{Slot: 0}, {Slot: 1, Single: true}, {Slot: 2, Type: Bool}}}
			n := target.lanes(double)*2 + 3
			inputs := [][]float64{make([]float64, n), {3}, make([]float64, n)}
			for i := range n {
				inputs[0][i], inputs[2][i] = float64(i%11-5), float64(rnd.IntN(2))
			}
			add := func(f scalar.Func, args ...int) int {
				in := Instr{Func: f}
				copy(in.Args[:], args)
				r.Instrs = append(r.Instrs, in)
				return len(r.Inputs) + len(r.Instrs) - 1
			}
			values := []int{add(scalar.Add, 0, 1)}
			for range live {
				values = append(values, add(scalar.Add, values[len(values)-1], 1))
			}
			sum := add(scalar.Where, 2, values[0], 1)
			for _, v := range values[1:] {
				sum = add(scalar.Sub, v, sum)
			}
			r.Outputs = []Output{{Slot: 3, Value: sum}, {Slot: 4, Value: add(scalar.Lt, values[3], 0)}}
			a := Assembler{target: target}
			if _, ok := a.Add(r); ok != (extra < 100) {
				t.Fatalf("%d values at a time: accepted %v", live, ok)
			} else if ok {
				check(t, target, r, inputs, n, 1e-6)
			}
		}
	}
}

// TestReductions holds reductions of x*y against sums and extremes of the products.
func TestReductions(t *testing.T) { onEach(t, testReductions) }

func testReductions(t *testing.T, target *target) {
	rnd := rand.New(rand.NewPCG(4, 5))
	for _, double := range []bool{false, true} {
		for _, n := range []int{1, 5, 8, 9, 16, 17, 31, 64, 1000} {
			for _, withNaN := range []bool{false, true} {
				r := &Run{Double: double, Inputs: []Input{{Slot: 0}, {Slot: 1}}, Instrs: []Instr{{Func: scalar.Mul, Args: [3]int{0, 1}}}}
				for k := RowSum; k <= Columns; k++ {
					r.Reductions = append(r.Reductions, Reduction{Kind: k, Value: 2, Slot: 2 + int(k)})
				}
				a := Assembler{target: target}
				id, ok := a.Add(r)
				if !ok {
					t.Fatal("too many registers")
				}
				memory := finish(t, &a)
				x, y, columns := make([]float64, n), make([]float64, n), make([]float64, n)
				for i := range x {
					x[i], y[i], columns[i] = float64(float32(rnd.NormFloat64())), float64(float32(rnd.NormFloat64())), float64(rnd.IntN(9))
				}
				if withNaN {
					x[rnd.IntN(n)] = math.NaN()
				}
				sum, most, least := 0.0, math.Inf(-1), math.Inf(1)
				for i := range x {
					p := x[i] * y[i]
					if !double {
						p = float64(float32(p))
					}
					sum += p
					most, least = max(most, p), min(least, p)
				}
				var results [3]float64
				total := 10.0
				slots := make([]unsafe.Pointer, 8)
				var narrow [3][]float32
				var column32 []float32
				if double {
					slots[0], slots[1] = unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0])
					for k := range results {
						slots[2+k] = unsafe.Pointer(&results[k])
					}
					slots[6] = unsafe.Pointer(&columns[0])
				} else {
					for k, s := range [][]float64{x, y} {
						b := make([]float32, n)
						for i := range s {
							b[i] = float32(s[i])
						}
						slots[k] = unsafe.Pointer(&b[0])
					}
					for k := range narrow {
						narrow[k] = make([]float32, 1)
						slots[2+k] = unsafe.Pointer(&narrow[k][0])
					}
					column32 = make([]float32, n)
					for i := range column32 {
						column32[i] = float32(columns[i])
					}
					slots[6] = unsafe.Pointer(&column32[0])
				}
				slots[5] = unsafe.Pointer(&total)
				before := append([]float64(nil), columns...)
				invoke(a.Func(id), slots, n)
				runtime.KeepAlive(memory)
				if !double {
					for k := range results {
						results[k] = float64(narrow[k][0])
					}
					for i := range columns {
						columns[i] = float64(column32[i])
					}
				}
				tolerance := 1e-6 * (1 + math.Sqrt(float64(n)))
				near := func(what string, got, want float64) {
					t.Helper()
					if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > tolerance {
						t.Errorf("%s of %d elements, double %v: %v, want %v", what, n, double, got, want)
					}
				}
				near("sum", results[0], sum)
				near("max", results[1], most)
				near("min", results[2], least)
				near("total", total, 10+sum)
				for i := range columns {
					near("column", columns[i], before[i]+x[i]*y[i])
				}
			}
		}
	}
}

// TestIntegers checks comparisons of Ints and conversions against what they should be.
func TestIntegers(t *testing.T) { onEach(t, testIntegers) }

func testIntegers(t *testing.T, target *target) {
	a, b := []int32{1, 2, 3, -4, 1 << 30, 7, 8}, []int32{1, 3, 2, -4, -(1 << 30), 7, 9}
	for f := scalar.Eq; f <= scalar.Ge; f++ {
		r := &Run{
			Inputs:  []Input{{Slot: 0, Type: Int}, {Slot: 1, Type: Int}},
			Instrs:  []Instr{{Func: f, Args: [3]int{0, 1}}, {Convert: true, Args: [3]int{2}}, {Convert: true, Args: [3]int{0}}},
			Outputs: []Output{{Slot: 2, Value: 3}, {Slot: 3, Value: 4}},
		}
		as := Assembler{target: target}
		id, _ := as.Add(r)
		memory := finish(t, &as)
		y, z := make([]float32, len(a)), make([]float32, len(a))
		invoke(as.Func(id), []unsafe.Pointer{unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&y[0]), unsafe.Pointer(&z[0])}, len(a))
		runtime.KeepAlive(memory)
		for i := range a {
			want := float32(scalar.F64(f, float64(a[i]), float64(b[i]), 0))
			if y[i] != want || z[i] != float32(a[i]) {
				t.Errorf("%v(%d, %d) = %v, want %v; %d as float %v", f, a[i], b[i], y[i], want, a[i], z[i])
			}
		}
	}
}

// TestSweep checks the exponential and what is made of it against the definitions over the whole range, denormal results and
// overflow included.
func TestSweep(t *testing.T) { onEach(t, testSweep) }

func testSweep(t *testing.T, target *target) {
	for _, f := range []scalar.Func{scalar.Exp, scalar.Expm1, scalar.Sigmoid, scalar.Tanh, scalar.Erf, scalar.GELU, scalar.GELUPrime} {
		for _, double := range []bool{false, true} {
			if !Simple(f, double) {
				continue
			}
			reach := 120.0
			if double {
				reach = 800
			}
			var x []float64
			for v := -reach; v < reach; v += reach / 5000 {
				x = append(x, float64(float32(v)), float64(float32(v/1000)))
			}
			r := &Run{Double: double, Inputs: []Input{{Slot: 0}}, Instrs: []Instr{{Func: f}}, Outputs: []Output{{Slot: 1, Value: 1}}}
			got := execute(t, target, r, [][]float64{x}, len(x))[0]
			for i, v := range x {
				want := define(f, double, v, 0, 0)
				ulp := math.Max(terms(f, v, want)*0x1p-52, 0x1p-1074)
				if !double {
					ulp = math.Max(terms(f, v, want)*0x1p-23, 0x1p-149)
				}
				if got[i] != want && !negligible(f, got[i], want, double) && !(math.Abs(got[i]-want) <= 4*ulp) {
					t.Errorf("%v(%v), double %v: %v, want %v", f, v, double, got[i], want)
				}
			}
		}
	}
}

// TestSameBits asserts that all instruction sets compute the same bits, but in functions of pieces, whose tables have 16 pieces or 8.
func TestSameBits(t *testing.T) {
	pieced := []scalar.Func{scalar.Tanh, scalar.Erf, scalar.GELU, scalar.GELUPrime}
	for _, f := range simple32 {
		for _, double := range []bool{false, true} {
			if !Simple(f, double) || f.Logical() || !double && slices.Contains(pieced, f) {
				continue
			}
			rnd := rand.New(rand.NewPCG(8, 9))
			const n = 1000
			r := &Run{Double: double, Instrs: []Instr{{Func: f}}, Outputs: []Output{{Slot: 9, Value: f.Arity()}}}
			var inputs [][]float64
			for a := range f.Arity() {
				kind := Float
				if f == scalar.Where && a == 0 {
					kind = Bool
				}
				r.Inputs = append(r.Inputs, Input{Slot: a, Type: kind})
				r.Instrs[0].Args[a] = a
				x := make([]float64, n)
				for i := range x {
					if x[i] = number(rnd); kind == Bool {
						x[i] = float64(rnd.IntN(2))
					}
				}
				inputs = append(inputs, x)
			}
			var first []float64
			onEach(t, func(t *testing.T, target *target) {
				got := execute(t, target, r, inputs, n)[0]
				if first == nil {
					first = got
				}
				for i := range got {
					if math.Float64bits(got[i]) != math.Float64bits(first[i]) && got[i] == got[i] {
						t.Fatalf("%v, double %v, element %d: %v, and %v with other instructions", f, double, i, got[i], first[i])
					}
				}
			})
		}
	}
}

// TestAway stores past the caches to blocks that begin anywhere in a cache line, with a reduction whose sums pass several
// flushes.
func TestAway(t *testing.T) { onEach(t, testAway) }

func testAway(t *testing.T, target *target) {
	for _, double := range []bool{false, true} {
		size := 4
		if double {
			size = 8
		}
		r := &Run{Double: double, Inputs: []Input{{Slot: 0}}, Instrs: []Instr{{Func: scalar.Neg}, {Func: scalar.Gt, Args: [3]int{0, 1}}},
			Outputs: []Output{{Slot: 1, Value: 1, Away: true}, {Slot: 2, Value: 2}}, Reductions: []Reduction{{Kind: RowSum, Value: 0, Slot: 3}}}
		a := Assembler{target: target}
		id, ok := a.Add(r)
		if !ok {
			t.Fatal("too many registers")
		}
		memory := finish(t, &a)
		for shift := 0; shift < 64; shift += size {
			for _, n := range []int{1, 2, 7, 15, 16, 17, 31, 40, 1000, 3000} {
				x, y, positive := make([]byte, n*size), make([]uint64, n+32), make([]byte, n+1)
				base := unsafe.Pointer(&y[0])
				out := unsafe.Add(base, (64-int(uintptr(base)%64))%64+shift)
				get := func(p unsafe.Pointer, i int) float64 {
					if double {
						return *(*float64)(unsafe.Add(p, i*8))
					}
					return float64(*(*float32)(unsafe.Add(p, i*4)))
				}
				sum := 0.0
				for i := range n {
					v := float64(i%7 - 3)
					sum += v
					if double {
						*(*float64)(unsafe.Pointer(&x[i*8])) = v
					} else {
						*(*float32)(unsafe.Pointer(&x[i*4])) = float32(v)
					}
				}
				total := make([]float64, 1)
				invoke(a.Func(id), []unsafe.Pointer{unsafe.Pointer(&x[0]), out, unsafe.Pointer(&positive[0]), unsafe.Pointer(&total[0])}, n)
				runtime.KeepAlive(memory)
				for i := range n {
					v := float64(i%7 - 3)
					if get(out, i) != -v || positive[i] == 1 != (v > -v) {
						t.Fatalf("double %v, shift %d, n %d: element %d is %v, %v", double, shift, n, i, get(out, i), positive[i])
					}
				}
				if got := get(unsafe.Pointer(&total[0]), 0); got != sum || positive[n] != 0 {
					t.Fatalf("double %v, shift %d, n %d: sum %v, want %v", double, shift, n, got, sum)
				}
			}
		}
	}
}

// TestPair checks GELU and its derivative of one value, which share a computation, against each alone, among other
// instructions and with the derivative first, too.
func TestPair(t *testing.T) { onEach(t, testPair) }

func testPair(t *testing.T, target *target) {
	var x []float64
	for v := -16.0; v < 16; v += 0.01 {
		x = append(x, float64(float32(v)))
	}
	x = append(x, special...)
	inputs := []Input{{Slot: 0}}
	alone := map[scalar.Func][]float64{}
	for _, f := range []scalar.Func{scalar.GELU, scalar.GELUPrime} {
		r := &Run{Inputs: inputs, Instrs: []Instr{{Func: f}}, Outputs: []Output{{Slot: 1, Value: 1}}}
		alone[f] = execute(t, target, r, [][]float64{x}, len(x))[0]
	}
	for _, order := range [][2]scalar.Func{{scalar.GELU, scalar.GELUPrime}, {scalar.GELUPrime, scalar.GELU}} {
		r := &Run{
			Inputs:  inputs,
			Instrs:  []Instr{{Func: order[0]}, {Func: scalar.Neg, Args: [3]int{1}}, {Func: order[1]}, {Func: scalar.Neg, Args: [3]int{3}}},
			Outputs: []Output{{Slot: 1, Value: 1}, {Slot: 2, Value: 2}, {Slot: 3, Value: 4}},
		}
		got := execute(t, target, r, [][]float64{x}, len(x))
		for i := range x {
			for k, want := range []float64{alone[order[0]][i], -alone[order[0]][i], -alone[order[1]][i]} {
				if math.Float64bits(got[k][i]) != math.Float64bits(want) && !math.IsNaN(want) {
					t.Fatalf("%v, output %d at %v: %v, want %v", order, k, x[i], got[k][i], want)
				}
			}
		}
	}
}

// TestDenormals asserts that denormal operands and results are zero in generated code, and not in the Go code that follows it.
func TestDenormals(t *testing.T) { onEach(t, testDenormals) }

func testDenormals(t *testing.T, target *target) {
	runtime.LockOSThread() // the mode is the thread's
	defer runtime.UnlockOSThread()
	for _, double := range []bool{false, true} {
		smallest := 0x1p-126
		if double {
			smallest = 0x1p-1022
		}
		small := math.Sqrt(smallest) / 2
		r := &Run{Double: double, Inputs: []Input{{Slot: 0}, {Slot: 1}},
			Instrs:  []Instr{{Func: scalar.Mul, Args: [3]int{0, 1}}, {Func: scalar.Eq, Args: [3]int{0, 1}}},
			Outputs: []Output{{Slot: 2, Value: 2}, {Slot: 3, Value: 3}}}
		x := []float64{small, -small, smallest, smallest / 2, 1 << 20, smallest / 2, -smallest / 2, 2}
		y := []float64{small, small, 0.5, 1 << 20, smallest / 2, smallest / 4, 0, 3}
		product := []float64{0, 0, 0, 0, 0, 0, 0, 6}
		equal := []float64{1, 0, 0, 0, 0, 1, 1, 0}
		for i, want := range [][]float64{product, equal} {
			if got := execute(t, target, r, [][]float64{x, y}, len(x))[i]; !slices.Equal(got, want) {
				t.Errorf("double %v, output %d: %v, want %v", double, i, got, want)
			}
		}
		half := smallest * x[7] / 4
		if !double {
			half = float64(float32(smallest) * float32(x[7]) / 4)
		}
		if half == 0 {
			t.Errorf("double %v: the mode outlived the generated code", double)
		}
	}
}
