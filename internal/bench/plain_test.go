package bench

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/cpu"
)

// plainKernels are the kernels in plain Go that workloads may use at levels with assembly, with the reason.
var plainKernels = map[string]string{
	"cast to f64 i64":  "the number of the step, of which an optimizer makes its corrections",
	"function Pow f64": "the corrections themselves, one number a step each",
}

// TestPlainKernels compiles all workloads at each level that has assembly, and finds the kernels that fall back to plain Go.
func TestPlainKernels(t *testing.T) {
	defer cpu.Force(cpu.Current())
	defer cpu.TellPlain(nil)
	used := map[string]bool{}
	for _, l := range cpu.Levels()[1:] {
		if err := cpu.Force(l); err != nil {
			t.Fatal(err)
		}
		for _, w := range everything {
			if w.large { // has the kernels of gpt-small, and more memory than machines without an accelerator have
				continue
			}
			found := map[string]bool{}
			var mu sync.Mutex
			cpu.TellPlain(func(name string) {
				mu.Lock()
				defer mu.Unlock()
				found[name] = true
			})
			j, err := w.make(tarn.NewRandom(1, "data"))
			switch {
			case err != nil:
			case j.trace == nil:
				_, err = j.compile()
			default:
				_, err = j.trace(tarn.NewGraph())
			}
			if err != nil {
				t.Fatalf("%s: %v", w.Name, err)
			}
			for _, name := range slices.Sorted(maps.Keys(found)) {
				used[name] = true
				if plainKernels[name] == "" {
					t.Errorf("%s: %s has no assembly at level %v", w.Name, name, l)
				}
			}
		}
	}
	for name := range plainKernels {
		if !used[name] {
			t.Errorf("%s is in the list, and no workload falls back to it", name)
		}
	}
}
