package tarn_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// meeting is an exchange of some programs.
type meeting struct {
	mu      sync.Mutex
	changed sync.Cond
	members int
	arrived int
	next    int
	sum     []float64
	order   []int
}

func (m *meeting) Sum(number, member int, x []float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.arrived == 0 {
		m.sum, m.order = make([]float64, len(x)), append(m.order, number)
	}
	for i := range x {
		m.sum[i] += x[i]
	}
	at := m.next
	if m.arrived++; m.arrived == m.members {
		m.arrived = 0
		m.next++
		m.changed.Broadcast()
	}
	sum := m.sum
	for m.next == at {
		m.changed.Wait()
	}
	copy(x, sum)
}

// TestSumShards divides a batch among programs that run at the same time, which standardize by the mean and the variance of the whole batch: losses and gradients,
// also second ones, add up to those of one program.
func TestSumShards(t *testing.T) {
	const n, width, shards = 12, 3, 4
	data := tarn.Zeros(tarn.F64, n, width)
	tarn.NewRandom(1, "data").Normal(data, 1, 2)
	build := func(g *tarn.Graph, rows int) tarn.Outputs {
		x, w := g.Input("x", tarn.F64, rows, width), g.Input("w", tarn.F64, width)
		h := x.Mul(w).Tanh()
		count := g.Num(tarn.F64, float64(rows)).SumShards()
		mean := h.Sum(0).SumShards().Div(count)
		c := h.Sub(mean)
		loss := c.Div(c.Square().Sum(0).SumShards().Div(count).AddNum(1e-3).Sqrt()).Mul(x).Sigmoid().Sum()
		d := tarn.Grad(loss, w)[0]
		return tarn.Outputs{"loss": loss, "d": d, "dd": tarn.Grad(d.SumShards().Square().Sum().Scale(1.0/float64(n/rows)), w)[0]}
	}
	w := tarn.Vector([]float64{0.5, -1, 2})
	run := func(g *tarn.Graph, rows int, inputs ...*tarn.Tensor) tarn.Results {
		program, err := tarn.Compile(g, build(g, rows))
		if err != nil {
			t.Fatal(err)
		}
		out, err := program.Run(inputs...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := run(tarn.NewGraph(), n, data, w)

	m := &meeting{members: shards}
	m.changed.L = &m.mu
	results := make([]tarn.Results, shards)
	var all sync.WaitGroup
	for s := range shards {
		all.Go(func() {
			g := tarn.NewGraph()
			g.ShareShards(m, g.Const(tarn.Scalar(int64(s))))
			part, err := tarn.FromSlice(data.F64()[s*n/shards*width:][:n/shards*width], n/shards, width)
			if err != nil {
				t.Error(err)
			}
			results[s] = run(g, n/shards, part, w)
		})
	}
	all.Wait()
	for name, whole := range want {
		sum := make([]float64, whole.Size())
		for _, r := range results {
			for i, x := range r[name].F64() {
				sum[i] += x
			}
		}
		for i, x := range whole.F64() {
			if diff := sum[i] - x; diff > 1e-9 || diff < -1e-9 {
				t.Errorf("%s: the shards add up to %v, want %v", name, sum, whole.F64())
				break
			}
		}
	}
	if !slices.IsSorted(m.order) || len(m.order) < 6 {
		t.Errorf("the sums were taken in the order %v", m.order)
	}

	// What cannot wait for others says so.
	for want, f := range map[string]func(g *tarn.Graph){
		"cannot wait for other shards": func(g *tarn.Graph) {
			tarn.Scan([]*tarn.Value{g.Num(tarn.F64, 1)}, nil, tarn.ScanOptions{Steps: 2}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{c[0].SumShards()}, nil
			})
		},
		"should be a float": func(g *tarn.Graph) { g.Runs().SumShards() },
		"is an i64 scalar":  func(g *tarn.Graph) { g.ShareShards(m, g.Num(tarn.F64, 1)) },
		"VMap": func(g *tarn.Graph) {
			tarn.VMap(0, []*tarn.Value{g.Input("x", tarn.F64, 2)}, func(xs []*tarn.Value) []*tarn.Value { return []*tarn.Value{xs[0].SumShards()} })
		},
	} {
		g := tarn.NewGraph()
		g.ShareShards(m, g.Const(tarn.Scalar(int64(0))))
		if f(g); g.Err() == nil || !strings.Contains(fmt.Sprint(g.Err()), want) {
			t.Errorf("want an error with %q, got %v", want, g.Err())
		}
	}
}
