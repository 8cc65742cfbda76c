// Package testgc makes the tests that import it collect garbage less often, unless GOGC says how often. They compile thousands of small programs, and
// with Go's default a quarter of their time is spent on collecting.
package testgc

import (
	"os"
	"runtime/debug"
)

func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}
