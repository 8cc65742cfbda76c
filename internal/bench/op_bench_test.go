package bench

import (
	"testing"
	"time"
)

// BenchmarkOps takes the time of an element of each single op in the quietest of many short steps, which is what remains comparable on a machine
// that others use too. Compare with `python peers/torch_bench.py --quickest`.
func BenchmarkOps(b *testing.B) {
	for _, load := range ops {
		b.Run(load.Name, func(b *testing.B) {
			begun, err := load.start()
			if err == nil {
				err = begun.first()
			}
			if err != nil {
				b.Fatal(err)
			}
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				if err := begun.step(); err != nil {
					b.Fatal(err)
				}
				best = min(best, time.Since(start))
			}
			size := 0
			for _, v := range begun.out {
				size = max(size, v.Size())
			}
			b.ReportMetric(float64(best.Nanoseconds())/float64(max(size, opRows*opCols)), "ns/elem")
			b.ReportMetric(0, "ns/op")
		})
	}
}
