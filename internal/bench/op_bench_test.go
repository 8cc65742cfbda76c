package bench

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// BenchmarkOps takes the time of an element of each single op in the quietest of many short steps, which is what remains comparable on a machine
// that others use too. Compare with `python peers/torch_bench.py --quickest`.
func BenchmarkOps(b *testing.B) {
	for _, load := range ops {
		b.Run(load.Name, func(b *testing.B) {
			begun, err := load.start(tarn.PrecisionF32)
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

// BenchmarkKFAC takes the mean processor time of a step of K-FAC on ResNet-20 over the steps from one renewal of the inverses to the next, and the least
// and the most of them: of one that renews nothing, and of one that renews everything.
func BenchmarkKFAC(b *testing.B) {
	opt := optim.NewKFAC(0.01)
	load := workload{make: func(r *tarn.Random) (job, error) {
		return training(newResNet(3, 16, 32, 64), opt, normal(r, 32, 32, 32, 3), classes(r, 10, 32))
	}}
	begun, err := load.start(tarn.PrecisionF32)
	if err == nil {
		err = begun.first()
	}
	if err != nil {
		b.Fatal(err)
	}
	best := make([]time.Duration, opt.Every)
	for b.Loop() {
		for i := range best {
			start := ownTime()
			if err := begun.step(); err != nil {
				b.Fatal(err)
			}
			if t := ownTime() - start; best[i] == 0 || t < best[i] {
				best[i] = t
			}
		}
	}
	slices.Sort(best)
	sum := time.Duration(0)
	for _, t := range best {
		sum += t
	}
	b.ReportMetric(sum.Seconds()*1e3/float64(len(best)), "ms/step")
	b.ReportMetric(best[0].Seconds()*1e3, "ms/least")
	b.ReportMetric(best[len(best)-1].Seconds()*1e3, "ms/most")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLBFGS takes the least processor time of a step of L-BFGS on the network of mlp-mnist, and of one of SGD, which has no history. Compare with
// `python peers/torch_bench.py --quickest`.
func BenchmarkLBFGS(b *testing.B) {
	for _, c := range []struct {
		name string
		opt  optim.Optimizer
	}{{"sgd", optim.NewSGD(1e-3)}, {"lbfgs", optim.NewLBFGS(1e-3)}} {
		b.Run(c.name, func(b *testing.B) {
			load := workload{make: func(r *tarn.Random) (job, error) {
				return training(mlp(784, 512, 512, 10), c.opt, normal(r, 128, 784), classes(r, 10, 128))
			}}
			begun, err := load.start(tarn.PrecisionF32)
			if err == nil {
				err = begun.first()
			}
			if err != nil {
				b.Fatal(err)
			}
			best := time.Hour
			for b.Loop() {
				start := ownTime()
				if err := begun.step(); err != nil {
					b.Fatal(err)
				}
				best = min(best, ownTime()-start)
			}
			b.ReportMetric(best.Seconds()*1e3, "ms/step")
			b.ReportMetric(0, "ns/op")
		})
	}
}
