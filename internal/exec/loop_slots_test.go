package exec

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/pool"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// BenchmarkSlots runs a loop of short rows, each of which fills in its slots anew, on one worker: alone, and while the garbage collector marks without
// end on a core of its own. The two differ by what storing addresses costs while it does.
func BenchmarkSlots(b *testing.B) {
	for _, marking := range []bool{false, true} {
		b.Run(fmt.Sprintf("marking=%v", marking), func(b *testing.B) {
			if marking {
				defer mark(b)()
			}
			const rows, cols = 1 << 12, narrowRow
			g := irtest.New()
			x := g.Input(ir.F32, rows, cols)
			sum := g.Sum(g.F(scalar.Mul, x, x), 1)
			g.Output(g.F(scalar.Mul, x, g.Expand(g.Reshape(sum, rows, 1), rows, cols)))
			workers := pool.New(1)
			defer workers.Close()
			m, err := NewMachine(g.Graph, nil, workers)
			if err != nil {
				b.Fatal(err)
			}
			call := Call{Inputs: NewArrays(x.Type), Outputs: NewArrays(x.Type)}
			for b.Loop() {
				if err := m.Run(call); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}

// mark keeps the garbage collector marking a large list, until the function that it returns is called.
func mark(b *testing.B) (stop func()) {
	type link struct {
		next *link
		rest [14]*link
	}
	var list *link
	for range 1 << 18 {
		list = &link{next: list}
	}
	done := make(chan bool)
	go func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	}()
	return func() { done <- true; runtime.KeepAlive(list) }
}
