//go:build amd64 || arm64

package cpu

import (
	"slices"
	"sync"
	"time"
)

// This file finds the fastest of the units that multiply rounded numbers, of those that the processor has.

// unitTimes returns the least time that each of levelUnits takes for about as many operations between registers.
var unitTimes = sync.OnceValue(func() []time.Duration {
	units := levelUnits()
	same := make([]func(), len(units))
	for i, u := range units {
		loops := raceFlop / unitFlop(u)
		same[i] = func() { unitPeak(u, loops) }
	}
	return leastTimes(same)
})

// fastestUnit returns the unit that does most operations between registers.
func fastestUnit() BF16Unit {
	times := unitTimes()
	return levelUnits()[slices.Index(times, slices.Min(times))]
}
