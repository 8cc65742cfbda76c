package cpu

// The units that multiply bfloat16 numbers. A product of such numbers has the same operands on every processor, rounded to the nearest, of two to the
// even one, with denormal numbers as zero. What multiplies them, and the order of the sums, differ.

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/clock"
	"github.com/seed-49005b45/tarn/internal/half"
)

// BF16Unit is what multiplies bfloat16 numbers.
type BF16Unit uint8

// The units.
const (
	NoBF16   BF16Unit = iota // those for float32, which get rounded numbers
	DotBF16                  // VDPBF16PS of AVX-512 or BFDOT of NEON, which adds two products to each lane
	TileBF16                 // TDPBF16PS of AMX, which multiplies tiles of 16 rows
)

var unitNames = [...]string{NoBF16: "f32", DotBF16: "bf16", TileBF16: "amx"}

// String returns the name of the unit as the environment variable spells it.
func (u BF16Unit) String() string { return unitNames[u] }

// anyUnit is the unit of init and ForceBF16 if nothing is asked for: the best that the level has.
const anyUnit = ^uint32(0)

var unit atomic.Uint32

// BF16Units returns the units that this machine has at the current level.
func BF16Units() []BF16Unit {
	if Current() != unitLevel {
		return []BF16Unit{NoBF16}
	}
	return levelUnits()
}

// CurrentBF16 returns the unit that products planned from now on use: the one that was asked for if the current level has it, else the fastest of the
// level. Which that is depends on the processor: on some VDPBF16PS is twice as fast as the float32 units, and on others half as fast.
func CurrentBF16() BF16Unit {
	units := BF16Units()
	if u := unit.Load(); u != anyUnit && slices.Contains(units, BF16Unit(u)) {
		return BF16Unit(u)
	}
	if len(units) == 1 {
		return units[0]
	}
	return fastestUnit()
}

// ForceBF16 makes u the current unit. Products that were planned before keep theirs. It refuses a unit that the machine does not have at the
// current level.
func ForceBF16(u BF16Unit) error {
	if !slices.Contains(BF16Units(), u) {
		return fmt.Errorf("cpu: cannot force unit %s: this processor has %v at level %s", u, BF16Units(), Current())
	}
	unit.Store(uint32(u))
	return nil
}

// unitFromEnv takes the unit off a value of the environment variable, as in "avx512+bf16". A level without a unit has the float32 units alone, so that
// it means the same on every processor that has the level.
func unitFromEnv(value string) (level string, asked uint32, err error) {
	if value == "" {
		return "", anyUnit, nil
	}
	level, name, named := strings.Cut(value, "+")
	if !named {
		return level, uint32(NoBF16), nil
	}
	i := slices.Index(unitNames[:], name)
	var has []string
	if level == unitLevel.String() && slices.Contains(supported, unitLevel) {
		for _, u := range levelUnits()[1:] {
			has = append(has, level+"+"+u.String())
		}
		if i > 0 && slices.Contains(levelUnits(), BF16Unit(i)) {
			return level, uint32(i), nil
		}
	}
	err = fmt.Errorf("cpu: %s=%s, but this processor has no such unit for bfloat16 at that level", EnvVar, value)
	if refused := BF16Refused(); level == AVX512.String() && name == TileBF16.String() && refused != nil {
		err = fmt.Errorf("%w, as %w", err, refused)
	}
	if len(has) > 0 {
		err = fmt.Errorf("%w: choose %s, or leave the unit out", err, strings.Join(has, " or "))
	} else {
		err = fmt.Errorf("%w: leave the unit out", err)
	}
	return level, anyUnit, err
}

// Name returns the level and the unit of products of bfloat16 numbers, as in "avx512+bf16" or "neon+bf16", or the level alone if it has none. Two processors with one
// name and architecture compute the same bits.
func Name() string {
	if u := CurrentBF16(); u != NoBF16 {
		return Current().String() + "+" + u.String()
	}
	return Current().String()
}

// BF16Choice tells which unit products of bfloat16 numbers use and why: a line for the choice, and one for each unit that processors of this level may have.
func BF16Choice() []string {
	choice, units := CurrentBF16(), BF16Units()
	lines := []string{fmt.Sprintf("products of bfloat16 numbers by the unit %v: ", choice)}
	asked := unit.Load()
	measured := false
	switch {
	case Current() != unitLevel:
		lines[0] += fmt.Sprintf("the level %v has no other", Current())
		return lines
	case asked == uint32(NoBF16):
		lines[0] += EnvVar + " names the level without a unit"
	case asked != anyUnit && slices.Contains(units, BF16Unit(asked)):
		lines[0] += EnvVar + " asks for it"
	case len(units) == 1:
		lines[0] += "the processor has no other"
	default:
		lines[0] += "the fastest between registers on one core"
		measured = true
	}
	return append(lines, unitLines(measured)...)
}

// leastTimes returns the least time that each function takes. Each runs often, so that what the system does in between does not
// matter. Those that this is for differ by a factor of two or more.
func leastTimes(all []func()) []time.Duration {
	best := make([]time.Duration, len(all))
	for round := range 8 {
		for i, f := range all {
			start := clock.Now()
			f()
			if took := clock.Since(start); round == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	return best
}

// RoundBF16 sets dst[i] to src[i] rounded to bfloat16, as float32. dst may be src.
func RoundBF16(dst, src unsafe.Pointer, n int) {
	if n > 0 && !fastRound(dst, src, n) {
		d, s := block[float32](dst, n), block[float32](src, n)
		for i, x := range s {
			d[i] = half.RoundBF16(x)
		}
	}
}
