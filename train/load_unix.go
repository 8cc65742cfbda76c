//go:build unix

package train

import (
	"syscall"
	"time"
)

// processorTime is the time that processors have spent on the process, if the system tells it.
func processorTime() (time.Duration, bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
