// Package clock measures short times. The clock of package time ticks once in 0.5 to 16 ms on Windows, which is too slow to tell kernels apart or to wait for
// microseconds.
package clock

import "time"

// Moment is a time since some other moment of this process.
type Moment time.Duration

// Since returns the time that has passed since m.
func Since(m Moment) time.Duration { return time.Duration(Now() - m) }

// start is the zero Moment where the clock of package time is fine enough.
var start = time.Now()
