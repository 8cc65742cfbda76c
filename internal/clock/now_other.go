//go:build !windows

package clock

import "time"

// Now returns the current moment.
func Now() Moment { return Moment(time.Since(start)) }
