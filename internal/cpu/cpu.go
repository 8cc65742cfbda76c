// Package cpu holds the kernels of the CPU engine: functions on raw memory that know nothing of graphs. Each kernel
// exists at several levels: AVX-512 and AVX2 assembly on amd64 and NEON assembly on arm64, generated ahead of time by the module in gen, and
// plain Go for every other processor. The level is chosen once at start from the features of the machine.
package cpu

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

//go:generate go -C gen run . -out ..

// Level is a set of instructions that kernels may use. Levels of different architectures are not ordered: Levels lists those of this machine.
type Level uint8

// The levels.
const (
	Go     Level = iota // plain Go, on any processor
	AVX2                // AVX2 and FMA, 256-bit vectors
	AVX512              // AVX-512 F, BW, DQ and VL, 512-bit vectors
	NEON                // arm64's Advanced SIMD, 128-bit vectors
)

// EnvVar is the environment variable that chooses another level of this machine at start: go, avx2, avx512 or neon. With
// "+" and the name of a unit, as in avx512+bf16, avx512+amx or neon+bf16, it chooses what multiplies bfloat16 numbers: see BF16Unit.
const EnvVar = "TARN_CPU"

var levelNames = [...]string{Go: "go", AVX2: "avx2", AVX512: "avx512", NEON: "neon"}

// String returns the name of the level as the environment variable spells it.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

var (
	supported = levels()
	current   atomic.Uint32
	envError  error
)

func init() {
	name, asked, err := unitFromEnv(os.Getenv(EnvVar))
	level, wrong := levelFromEnv(name)
	if wrong != nil {
		err = wrong
	}
	current.Store(uint32(level))
	unit.Store(asked)
	use, blasErr := blasFromEnv(os.Getenv(BLASVar))
	useBLAS = use
	envError = errors.Join(err, blasErr)
}

// levelFromEnv returns the level that a value of the environment variable asks for, or the detected one and an error.
func levelFromEnv(value string) (Level, error) {
	if value == "" {
		return Detected(), nil
	}
	i := slices.Index(levelNames[:], value)
	switch {
	case i < 0:
		return Detected(), fmt.Errorf("cpu: %s=%q is not a level: choose %s, or unset it for %s", EnvVar, value, choice(), Detected())
	case !slices.Contains(supported, Level(i)):
		return Detected(), fmt.Errorf("cpu: %s=%s, but this processor has no kernels of that level: choose %s, or unset it for %s",
			EnvVar, value, choice(), Detected())
	}
	return Level(i), nil
}

// choice lists the levels of this machine as a sentence does.
func choice() string {
	var names []string
	for _, l := range supported {
		names = append(names, l.String())
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Levels returns the levels that this machine supports, from plain Go to the best.
func Levels() []Level { return slices.Clone(supported) }

// Detected returns the best level that this machine supports.
func Detected() Level { return supported[len(supported)-1] }

// Current returns the level that kernels chosen from now on use.
func Current() Level { return Level(current.Load()) }

// EnvError returns what was wrong with the environment variables at start, or nil. The detected level, or no library, is used then.
func EnvError() error { return envError }

// Named returns the level of a name, if this machine supports it.
func Named(name string) (Level, error) {
	i := slices.Index(levelNames[:], name)
	if i < 0 || !slices.Contains(supported, Level(i)) {
		return 0, fmt.Errorf("cpu: %q is not a level of this processor: choose %s", name, choice())
	}
	return Level(i), nil
}

// Force makes l the current level. Kernels that were chosen before keep theirs. It refuses a level that the machine
// does not support.
func Force(l Level) error {
	if !slices.Contains(supported, l) {
		return fmt.Errorf("cpu: cannot force level %s: this processor supports %s", l, choice())
	}
	current.Store(uint32(l))
	return nil
}
