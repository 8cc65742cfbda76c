// Package cpu holds the kernels of the CPU engine: functions on raw memory that know nothing of graphs. Each kernel
// exists at up to three levels: AVX-512 and AVX2 assembly, generated ahead of time by the module in gen, and plain Go
// for every other processor. The level is chosen once at start from the features of the machine.
package cpu

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/cpu"
)

//go:generate go -C gen run . -out ..

// Level is a set of instructions that kernels may use. A higher level includes the lower ones.
type Level uint8

// The levels.
const (
	Go     Level = iota // plain Go, on any processor
	AVX2                // AVX2 and FMA, 256-bit vectors
	AVX512              // AVX-512 F, BW, DQ and VL, 512-bit vectors
)

// EnvVar is the environment variable that lowers the level at start: go, avx2 or avx512.
const EnvVar = "TARN_CPU"

var levelNames = [...]string{Go: "go", AVX2: "avx2", AVX512: "avx512"}

// String returns the name of the level as the environment variable spells it.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

var (
	detected = detect()
	current  atomic.Uint32
	envError error
)

func init() {
	level, err := levelFromEnv(os.Getenv(EnvVar))
	current.Store(uint32(level))
	envError = err
}

// detect asks the processor, and through it the operating system, for the highest usable level.
func detect() Level {
	x := &cpu.X86
	switch {
	case runtime.GOARCH != "amd64" || !x.HasAVX2 || !x.HasFMA:
		return Go
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL:
		return AVX512
	default:
		return AVX2
	}
}

// levelFromEnv returns the level that a value of the environment variable asks for, or the detected one and an error.
func levelFromEnv(value string) (Level, error) {
	if value == "" {
		return detected, nil
	}
	for i, name := range levelNames {
		if value == name {
			if l := Level(i); l > detected {
				return detected, fmt.Errorf("cpu: %s=%s, but this processor supports at most %s: unset it or choose a lower level",
					EnvVar, value, detected)
			}
			return Level(i), nil
		}
	}
	return detected, fmt.Errorf("cpu: %s=%q is not a level: choose go, avx2 or avx512, or unset it for %s", EnvVar, value, detected)
}

// Detected returns the highest level that this machine supports.
func Detected() Level { return detected }

// Current returns the level that kernels chosen from now on use.
func Current() Level { return Level(current.Load()) }

// EnvError returns what was wrong with the environment variable at start, or nil. The detected level is used then.
func EnvError() error { return envError }

// Force makes l the current level. Kernels that were chosen before keep theirs. It refuses a level that the machine
// does not support.
func Force(l Level) error {
	if l > detected {
		return fmt.Errorf("cpu: cannot force level %s: this processor supports at most %s", l, detected)
	}
	current.Store(uint32(l))
	return nil
}
