package pool

import (
	"runtime"
	"time"

	"github.com/seed-49005b45/tarn/internal/clock"
)

// This file is the waiting that comes before sleeping. Waking a sleeping thread takes tens of microseconds, and the
// next job of a training step is usually a few microseconds away.

const (
	// patience is how long a worker or caller spins before it sleeps: longer than the serial work between two jobs of a
	// step, short enough that an idle program costs nothing.
	patience = 50 * time.Microsecond

	// polls is how often a wait is repeated between two looks at the clock.
	polls = 32
)

// spin is one wait. Its zero value begins.
type spin struct {
	n     int
	until clock.Moment // 0 before the first look at the clock
}

// again waits a moment and reports whether to look again; false means that it is time to sleep.
func (s *spin) again() bool {
	if s.n++; s.n%polls != 0 {
		pause()
		return true
	}
	now := clock.Now()
	if s.until == 0 {
		if runtime.GOMAXPROCS(0) == 1 {
			return false // nobody else can run while this goroutine spins
		}
		s.until = now + clock.Moment(patience)
	}
	return now < s.until
}
