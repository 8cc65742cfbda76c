package bench

import (
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// TestGuard compares compiled programs with plain Go loops in the same run, so loosely that only a lost fast path fails it. It
// looks at the clock, so it runs only if TARN_GUARD is set, as continuous integration does.
func TestGuard(t *testing.T) {
	if os.Getenv("TARN_GUARD") == "" {
		t.Skip("set TARN_GUARD=1 to compare fast paths with plain loops by the clock")
	}
	if runtime.GOARCH != "amd64" || os.Getenv("TARN_CPU") == "go" {
		t.Skip("plain Go has no fast paths to lose")
	}
	for _, c := range []struct {
		name  string
		ratio float64 // at least; measured ratios are several times this
		make  func(t *testing.T) (compiled, plain func())
	}{
		{"product 256x256x256", 10, guardProduct},
		{"gelu of 65536 numbers", 3, guardGELU},
		{"Adam on 65536 weights", 1.2, guardAdam},
		{"softmax of 256x256", 3, guardSoftmax},
	} {
		t.Run(c.name, func(t *testing.T) {
			compiled, plain := c.make(t)
			fast, slow := time.Hour, time.Hour
			for range 15 { // in turn, and the best of each, as other programs may run too
				fast, slow = min(fast, took(compiled)), min(slow, took(plain))
			}
			ratio := slow.Seconds() / fast.Seconds()
			t.Logf("%.1f times as fast as a plain loop (%v, %v)", ratio, fast, slow)
			if ratio < c.ratio {
				t.Errorf("%.1f times as fast as a plain loop, and should be %v times at least", ratio, c.ratio)
			}
		})
	}
}

func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// guardProgram compiles y of random inputs of the given shape.
func guardProgram(t *testing.T, build func(x *tarn.Value) *tarn.Value, shape ...int) (run func(), x *tarn.Tensor) {
	g := tarn.NewGraph()
	x = tarn.Zeros(tarn.F32, shape...)
	tarn.NewRandom(1, t.Name()).Normal(x, 0, 1)
	p, err := tarn.Compile(g, tarn.Outputs{"y": build(g.Input("x", tarn.F32, shape...))})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := p.Run(x); err != nil {
			t.Fatal(err)
		}
	}, x
}

func guardProduct(t *testing.T) (compiled, plain func()) {
	const n = 256
	compiled, x := guardProgram(t, func(x *tarn.Value) *tarn.Value { return x.MatMul(x) }, n, n)
	a, c := x.F32(), make([]float32, n*n)
	return compiled, func() {
		for i := range n {
			row := c[i*n : (i+1)*n]
			clear(row)
			for k := range n {
				s := a[i*n+k]
				for j, v := range a[k*n : (k+1)*n] {
					row[j] += s * v
				}
			}
		}
	}
}

func guardGELU(t *testing.T) (compiled, plain func()) {
	compiled, x := guardProgram(t, func(x *tarn.Value) *tarn.Value { return x.GELU() }, 65536)
	y := make([]float32, 65536)
	return compiled, func() {
		for i, v := range x.F32() {
			y[i] = v * float32(0.5*math.Erfc(-float64(v)/math.Sqrt2))
		}
	}
}

func guardSoftmax(t *testing.T) (compiled, plain func()) {
	const n = 256
	compiled, x := guardProgram(t, func(x *tarn.Value) *tarn.Value { return x.Softmax(1) }, n, n)
	y := make([]float32, n*n)
	return compiled, func() {
		for i := range n {
			row, out := x.F32()[i*n:(i+1)*n], y[i*n:(i+1)*n]
			most := row[0]
			for _, v := range row {
				most = max(most, v)
			}
			sum := float32(0)
			for j, v := range row {
				out[j] = float32(math.Exp(float64(v - most)))
				sum += out[j]
			}
			for j := range out {
				out[j] /= sum
			}
		}
	}
}

func guardAdam(t *testing.T) (compiled, plain func()) {
	const n = 65536
	w := tarn.NewParam(tarn.F32, nil, n)
	params, err := tarn.Params(map[string]*tarn.Param{"w": w})
	if err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, n)
	updates, err := optim.NewAdam(1e-3).Update(w.Value(g).Mul(x).Sum(), params)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tarn.Compile(g, nil, updates...)
	if err != nil {
		t.Fatal(err)
	}
	d := tarn.Zeros(tarn.F32, n)
	tarn.NewRandom(1, "d").Normal(d, 0, 1)
	m, v, y := make([]float32, n), make([]float32, n), make([]float32, n)
	return func() {
			if _, err := p.Run(d); err != nil {
				t.Fatal(err)
			}
		}, func() {
			for i, g := range d.F32() {
				m[i] = 0.9*m[i] + 0.1*g
				v[i] = 0.999*v[i] + 0.001*g*g
				y[i] -= 1e-3 * m[i] / (float32(math.Sqrt(float64(v[i]))) + 1e-8)
			}
		}
}
