// Package alloctest counts what a function allocates, for tests that expect nothing.
package alloctest

import (
	"runtime/debug"
	"testing"
)

// tries is how often the runs are counted.
const tries = 5

// PerRun returns the number of allocations of f on average over the given number of runs, after one that does not count. The count of
// testing.AllocsPerRun is of the whole process: it includes what other goroutines allocate, and what the runtime does to fill its caches
// again after a garbage collection. So nothing is collected meanwhile, and the result is the least of several counts: what f itself
// allocates is in each.
func PerRun(runs int, f func()) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	least := testing.AllocsPerRun(runs, f)
	for range tries - 1 {
		if least == 0 {
			break
		}
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	return least
}
