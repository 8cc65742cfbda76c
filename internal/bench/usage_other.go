//go:build !unix

package bench

import (
	"os"
	"time"
)

// This file replaces usage_unix.go on systems that do not report what processes have used: 0 means unknown.

func peakRSS() float64 { return 0 }

func childRSS(*os.ProcessState) float64 { return 0 }

func ownTime() time.Duration { return 0 }
