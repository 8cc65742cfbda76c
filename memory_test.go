package tarn_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/pages"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests what programs and params say of their memory, and that what is too large is an error and not the end of the process.

// TestTooLarge asks for more memory than a limit allows, by everything that takes memory. The limit, of 1 GiB, is far above what the
// tests themselves have in use.
func TestTooLarge(t *testing.T) {
	const half = 1 << 27 // elements of f32 that take half of the limit
	compile := func(build func(g *tarn.Graph) *tarn.Value, assign ...*tarn.Param) func() error {
		return func() error {
			g := tarn.NewGraph()
			y := build(g)
			var updates []tarn.Update
			for _, p := range assign {
				updates = append(updates, tarn.Assign(p, y.Cast(tarn.F64).Sum()))
			}
			_, err := tarn.Compile(g, tarn.Outputs{"y": y}, updates...)
			return err
		}
	}
	wide := func(g *tarn.Graph, n int) *tarn.Value { // a value of n*n elements
		return g.Input("x", tarn.F32, n, 1).Add(g.Input("y", tarn.F32, 1, n)).Sin()
	}
	panics := func(f func()) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%v", r)
			}
		}()
		f()
		return nil
	}
	params := func(p *tarn.Param) error {
		_, err := tarn.Params(map[string]*tarn.Param{"w": p})
		return err
	}
	for _, tt := range []struct {
		name string
		do   func() error
		want []string // in the error
	}{
		{"a result", compile(func(g *tarn.Graph) *tarn.Value { return wide(g, 1<<21) }), []string{"16.0 TiB are needed", "Sin f32[2097152 2097152], 16.0 TiB, memory_test.go:"}},
		{"a value", compile(func(g *tarn.Graph) *tarn.Value { return wide(g, 1<<15).CumSum(0).CumSum(1).Sum() }), []string{"CumSum", "f32[32768 32768], 4.0 GiB, memory_test.go:"}},
		{"a value named", compile(func(g *tarn.Graph) *tarn.Value { return wide(g, 1<<15).Named("table").CumSum(0).Sum() }), []string{`f32[32768 32768], 4.0 GiB`}},
		{"a gradient", compile(func(g *tarn.Graph) *tarn.Value {
			x := g.Input("x", tarn.F32, 1<<15, 1<<15)
			return tarn.Grad(x.CumSum(0).Sin().CumSum(1).Square().Sum(), x)[0]
		}), []string{"in the gradient of"}},
		{"more bytes than can be counted", compile(func(g *tarn.Graph) *tarn.Value { return wide(g, 1<<29).CumSum(0).Flip(0).CumSum(1).Sum() }), []string{"too large", "EiB"}},
		{"a stack", compile(func(g *tarn.Graph) *tarn.Value {
			_, ys := tarn.Scan([]*tarn.Value{g.Input("x", tarn.F32, 1<<20)}, nil, tarn.ScanOptions{Steps: 1 << 12}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{c[0].Sin()}, []*tarn.Value{c[0].Cos()}
			})
			return ys[0]
		}), []string{"Scan f32[4096 1048576], 16.0 GiB, memory_test.go:"}},
		{"a value in a body", compile(func(g *tarn.Graph) *tarn.Value {
			last, _ := tarn.Scan([]*tarn.Value{g.Input("x", tarn.F32, 1<<15)}, nil, tarn.ScanOptions{Steps: 2}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{c[0].Reshape(1<<15, 1).Add(c[0].Reshape(1, 1<<15)).CumSum(0).CumSum(1).Sum(0)}, nil
			})
			return last[0]
		}), []string{"CumSum f32[32768 32768], 4.0 GiB"}},
		{"carries", compile(func(g *tarn.Graph) *tarn.Value {
			return tarn.While([]*tarn.Value{g.Input("x", tarn.F32, half)}, func(c []*tarn.Value) *tarn.Value { return c[0].Sum().Lt(tarn.Num(1)) },
				func(c []*tarn.Value) []*tarn.Value { return []*tarn.Value{c[0].AddNum(1)} })[0].Sum()
		}), []string{"too large"}},
		{"a param", func() error { return params(tarn.NewParam(tarn.F32, nil, 2*half)) }, []string{`param "w": f32[268435456] is too large: 1.0 GiB are needed`, "TARN_MEMORY=off"}},
		{"a state", func() error { return params(tarn.NewState(tarn.F64, nil, half, 2)) }, []string{`param "w": f64[134217728 2] is too large: 2.0 GiB`}},
		{"a param that no machine holds", func() error { return params(tarn.NewParam(tarn.F64, nil, 1<<29, 1<<28)) }, []string{"1.0 EiB"}},
		{"a param that cannot be counted", func() error { return params(tarn.NewParam(tarn.F64, nil, 1<<40, 1<<40)) }, []string{"holds more elements than memory can"}},
		{"a param in a graph", compile(func(g *tarn.Graph) *tarn.Value { return tarn.NewParam(tarn.F32, nil, 2*half).Value(g) }), []string{"memory_test.go:", "is too large"}},
		{"a layer", func() error { _, err := tarn.Params(nn.NewLinear(1<<15, 1<<14)); return err }, []string{"weight", "f32[16384 32768] is too large: 2.0 GiB"}},
		{"many params", func() error {
			var layers []*nn.Linear
			for range 24 {
				layers = append(layers, nn.NewLinear(1<<12, 1<<12))
			}
			_, err := tarn.Params(layers)
			return err
		}, []string{"weight", "f32[4096 4096] is too large: 64.0 MiB are needed and"}},
		{"states of an optimizer", func() error {
			model := nn.NewLinear(1<<14, 6<<10) // 384 MiB, and as much for each moment
			g := tarn.NewGraph()
			loss := model.Forward(g.Input("x", tarn.F32, 1, 1<<14)).Sum()
			set, err := tarn.Params(model)
			if err != nil {
				return err
			}
			updates, err := optim.NewAdam(1e-3).Update(loss, set)
			if err != nil {
				return err
			}
			_, err = tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
			return err
		}, []string{"f32[6144 16384] is too large: 384.0 MiB"}},
		{"a constant", func() error {
			x := tarn.Zeros(tarn.F32, half*3/2)
			g := tarn.NewGraph()
			_, err := tarn.Compile(g, tarn.Outputs{"y": g.Const(x).Sum()})
			return err
		}, []string{"Const: f32[201326592] is too large"}},
		{"a model cast", func() error {
			return tarn.Cast(map[string]*tarn.Param{"w": tarn.NewParam(tarn.F32, nil, half*5/4)}, tarn.F64)
		}, []string{`Cast: param "w": f64[167772160] is too large`}},
		{"Zeros", func() error { return panics(func() { tarn.Zeros(tarn.F32, half, 2) }) }, []string{"tarn.Zeros: f32[134217728 2] is too large"}},
		{"NewTensor", func() error { _, err := tarn.NewTensor(tarn.F32, half, 2); return err }, []string{"tarn: NewTensor: f32[134217728 2] is too large", "TARN_MEMORY=off"}},
		{"NewTensor of no size", func() error { _, err := tarn.NewTensor(tarn.F32, -1); return err }, []string{"tarn: NewTensor: shape [-1] has the negative size -1 at axis 0"}},
		{"NewTensor that cannot be counted", func() error { _, err := tarn.NewTensor(tarn.F32, 1<<62+1, 4); return err }, []string{"holds more elements than memory can"}},
		{"Zeros of no size", func() error { return panics(func() { tarn.Zeros(tarn.F32, -1) }) }, []string{"tarn.Zeros: shape [-1] has the negative size -1 at axis 0"}},
		{"Zeros that cannot be counted", func() error { return panics(func() { tarn.Zeros(tarn.F32, 1<<62+1, 4) }) }, []string{"holds more elements than memory can"}},
		{"Zeros with an axis of 0", func() error { return panics(func() { tarn.Zeros(tarn.F32, 1<<62+1, 0, 4) }) }, []string{"holds more elements than memory can"}},
		{"Reshape", func() error { _, err := tarn.Zeros(tarn.F32, 4).Reshape(1<<62+1, 4); return err }, []string{"Reshape: shape [4611686018427387905 4] holds more elements than memory can"}},
		{"Reshape to an overflow of 0", func() error { _, err := tarn.Zeros(tarn.F32, 0).Reshape(1<<32, 1<<32); return err }, []string{"holds more elements than memory can"}},
		{"Reshape with an axis of 0", func() error { _, err := tarn.Zeros(tarn.F32, 0).Reshape(0, 1<<62, 4); return err }, []string{"holds more elements than memory can"}},
		{"Reshape with an open axis", func() error { _, err := tarn.Zeros(tarn.F32, 4).Reshape(-1, 1<<62, 4); return err }, []string{"holds more elements than memory can"}},
		{"Reshape to the largest", func() error { _, err := tarn.Zeros(tarn.F32, 4).Reshape(math.MaxInt, 1); return err }, []string{"holds more elements than memory can"}},
		{"Reshape of a value", compile(func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 4).Reshape(1<<62+1, 4) }), []string{"Reshape: shape [4611686018427387905 4]", "memory_test.go:"}},
		{"FromSlice", func() error { _, err := tarn.FromSlice([]float32{1, 2, 3, 4}, 1<<62+1, 4); return err }, []string{"FromSlice: shape [4611686018427387905 4] holds more elements"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, engine := range []string{"", "check", "reference"} {
				if engine == "reference" && tt.name == "a value in a body" || engine == "reference" && tt.name == "carries" {
					continue // the reference takes what bodies need as it goes
				}
				t.Setenv("TARN_DEBUG", engine)
				t.Setenv("TARN_MEMORY", "1GiB")
				err := tt.do()
				if err == nil {
					t.Fatal("there is no error")
				}
				for _, want := range tt.want {
					if !strings.HasPrefix(err.Error(), "tarn") && !strings.Contains(err.Error(), "memory_test.go:") || engine == "" && !strings.Contains(err.Error(), want) {
						t.Errorf("the error is %q, want one with %q", err, want)
					}
				}
			}
		})
	}
}

// TestMemoryAllowed checks that the limit can be set, and that what fits is let pass.
func TestMemoryAllowed(t *testing.T) {
	compile := func() error {
		g := tarn.NewGraph()
		_, err := tarn.Compile(g, tarn.Outputs{"y": g.Input("x", tarn.F32, 1<<12, 1).Add(g.Input("y", tarn.F32, 1, 1<<12)).CumSum(0).Sum()}) // 64 MiB
		return err
	}
	for _, tt := range []struct{ limit, want string }{
		{"", ""},
		{"off", ""},
		{"3GiB", ""},
		{" 64TiB ", ""},
		{"1000000000000", ""},
		{"1000000000000B", ""},
		{"65MiB", "and TARN_MEMORY is 65.0 MiB"},
		{"1KiB", "TARN_MEMORY is 1.0 KiB"},
		{"0", "TARN_MEMORY is 0 B"},
		{"8GB", `TARN_MEMORY is "8GB"; it takes off, or a size such as 512MiB or 8GiB`},
		{"-1", "it takes off"},
		{"much", "it takes off"},
		{"9999999TiB", "it takes off"},
	} {
		t.Run(tt.limit, func(t *testing.T) {
			t.Setenv("TARN_MEMORY", tt.limit)
			err := compile()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "in use, but", "in use, and"), tt.want)) {
				t.Errorf("the error is %v, want %q", err, tt.want)
			}
		})
	}
}

// TestProgramMemory checks what programs say of their memory.
func TestProgramMemory(t *testing.T) {
	g := tarn.NewGraph()
	w, m := tarn.NewParam(tarn.F32, nil, 100, 50), tarn.NewState(tarn.F64, nil, 10)
	if _, err := tarn.Params(map[string]*tarn.Param{"w": w, "m": m}); err != nil {
		t.Fatal(err)
	}
	x := g.Input("x", tarn.F32, 200, 100)
	hidden := x.MatMul(w).CumSum(0) // 200 x 50
	program, err := tarn.Compile(g, tarn.Outputs{"sum": hidden.CumSum(1).Sum(0), "last": hidden.Slice(0, 199, 200)}, tarn.Assign(m, m.Value(g).AddNum(1)))
	if err != nil {
		t.Fatal(err)
	}
	got := program.Memory()
	if got.Inputs != 4*200*100 || got.Outputs != 4*50+4*50 || got.Params != 4*100*50+8*10 {
		t.Errorf("inputs, outputs and params take %d, %d and %d bytes", got.Inputs, got.Outputs, got.Params)
	}
	if got.Arena < 2*4*200*50 || got.Arena > 1<<20 {
		t.Errorf("the arena takes %d bytes", got.Arena)
	}
	if !slices.IsSortedFunc(got.Largest, func(a, b tarn.MemoryUse) int { return b.Bytes - a.Bytes }) || len(got.Largest) > 5 {
		t.Errorf("the largest are %v", got.Largest)
	}
	list := fmt.Sprint(got.Largest)
	for _, want := range []string{"MatMul f32[200 50], 39.1 KiB, memory_test.go:", "CumSum f32[200 50], 39.1 KiB, memory_test.go:", "Param w f32[100 50], 19.5 KiB"} {
		if !strings.Contains(list, want) {
			t.Errorf("the largest are %s; there should be %q", list, want)
		}
	}
	if (*tarn.Program)(nil).Memory().Arena != 0 {
		t.Error("no program takes memory")
	}
}

// TestProgramsFreed compiles, clones, runs and drops programs with large temporaries in several goroutines while garbage is collected: all results
// are right, and in the end no memory is left.
func TestProgramsFreed(t *testing.T) {
	const rows, cols = 300, 1024
	collect := func() {
		pages.Collect()
	}
	collect()
	before := pages.InUse()
	x := tarn.Zeros(tarn.F32, rows, cols)
	for i := range x.F32() {
		x.F32()[i] = 1
	}
	var group sync.WaitGroup
	for goroutine := range 4 {
		group.Go(func() {
			for i := range 6 {
				add := float64(1 + goroutine + i)
				g := tarn.NewGraph()
				in := g.Input("x", tarn.F32, rows, cols)
				last, _ := tarn.Scan([]*tarn.Value{in.CumSum(0).AddNum(add).CumSum(1)}, nil, tarn.ScanOptions{Steps: 2}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
					return []*tarn.Value{c[0].CumSum(0).CumSum(0).Scale(0.5)}, nil
				})
				p, err := tarn.Compile(g, tarn.Outputs{"y": last[0].Slice(0, 0, 1).Slice(1, 0, 1)})
				if err == nil && i%2 == 1 {
					p, err = p.Clone()
				}
				if err != nil {
					t.Error(err)
					return
				}
				if runtime.GOOS == "linux" && pages.InUse() <= before {
					t.Error("the program has no memory outside of the heap: this tests nothing")
				}
				for range 2 {
					out, err := p.Run(x)
					if err != nil {
						t.Error(err)
						return
					}
					if got, want := out["y"].Item(), (1+add)/4; got != want {
						t.Errorf("the result is %v, want %v", got, want)
					}
				}
				collect()
			}
		})
	}
	group.Wait()
	collect()
	if got := pages.InUse(); got > before {
		t.Errorf("%d bytes of programs are in use that nobody has, %d before", got, before)
	}
}
