package cpu

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// unitLevel is the level that has units.
const unitLevel = AVX512

// levelUnits returns the units at the level AVX512.
var levelUnits = sync.OnceValue(func() []BF16Unit {
	units := []BF16Unit{NoBF16}
	if cpu.X86.HasAVX512BF16 {
		units = append(units, DotBF16)
		if tiles().refused == nil {
			units = append(units, TileBF16)
		}
	}
	return units
})

// raceFlop is the number of operations that units are compared by.
const raceFlop = 6 * tileFlop

// unitLines tells for each unit whether this machine has it and why, and if they were measured what it does.
func unitLines(measured bool) []string {
	has := map[BF16Unit]string{NoBF16: "rounded numbers are multiplied as float32", DotBF16: "not here: CPUID names no AVX512_BF16", TileBF16: tiles().String()}
	if cpu.X86.HasAVX512BF16 {
		has[DotBF16] = "CPUID names AVX512_BF16"
	}
	var lines []string
	for u := NoBF16; u <= TileBF16; u++ {
		line := fmt.Sprintf("  %v: %s", u, has[u])
		if i := slices.Index(levelUnits(), u); measured && i >= 0 {
			line += fmt.Sprintf("; %.3g GFLOP/s", raceFlop/max(unitTimes()[i].Seconds(), 1e-9)/1e9)
		}
		lines = append(lines, line)
	}
	return lines
}

// unitFlop is the number of operations of a loop of unitPeak.
func unitFlop(u BF16Unit) int {
	return [...]int{NoBF16: 2 * peakChains * 16, DotBF16: 4 * peakChains * 16, TileBF16: tileFlop}[u]
}

// unitPeak does a number of loops of multiply-adds between registers.
func unitPeak(u BF16Unit, loops int) {
	switch u {
	case NoBF16:
		peakAVX512(loops)
	case DotBF16:
		peakBF16(loops)
	case TileBF16:
		config := newTileConfig(32, 32, 16)
		peakAMX(loops, (*byte)(unsafe.Pointer(&config)))
	}
}

// PeakBF16 is Peak with operands of bfloat16 numbers, by a unit of the level AVX512 that this machine has.
func PeakBF16(u BF16Unit, loops int) (flop int) {
	if loops < 1 || !slices.Contains(levelUnits(), u) {
		return 0
	}
	unitPeak(u, loops)
	return loops * unitFlop(u)
}

// fastRound is RoundBF16 with vectors, if the level has them.
func fastRound(dst, src unsafe.Pointer, n int) bool {
	switch Current() {
	case AVX512:
		bf16RoundAVX512((*byte)(dst), (*byte)(src), n)
		return true
	case AVX2:
		bf16RoundAVX2((*byte)(dst), (*byte)(src), n/8)
		if rest := n % 8; rest > 0 {
			var last [8]float32
			at := (n - rest) * 4
			copy(last[:], block[float32](unsafe.Add(src, at), rest))
			bf16RoundAVX2((*byte)(unsafe.Pointer(&last)), (*byte)(unsafe.Pointer(&last)), 1)
			copy(block[float32](unsafe.Add(dst, at), rest), last[:])
		}
		return true
	}
	return false
}

func packOneBF16(dst, src unsafe.Pointer, n int) { bf16PackOne((*byte)(dst), (*byte)(src), n) }

func packTwoBF16(dst, low, high unsafe.Pointer, n int) {
	bf16PackTwo((*byte)(dst), (*byte)(low), (*byte)(high), n)
}

func packRowsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int) {
	bf16PackRows((*byte)(dst), dstRow, 64, (*byte)(src), srcRow, rows, n)
}

func packTileRowsBF16(dst, src unsafe.Pointer, srcRow, rows, n int) {
	bf16PackRows((*byte)(dst), 64, tileBytes, (*byte)(src), srcRow, rows, n)
}

func packAcrossBF16(dst, src unsafe.Pointer, srcRow, rows, cols int) {
	bf16PackAcross((*byte)(dst), (*byte)(src), srcRow, rows, cols)
}

func packPairsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, cols int) {
	bf16PackPairs((*byte)(dst), dstRow, (*byte)(src), srcRow, rows, cols)
}

func packTurnedBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int) {
	bf16PackTurned((*byte)(dst), dstRow, (*byte)(src), srcRow, rows, n)
}

// fastShort returns the conversion between float32 and bfloat16 with vectors, nil if the level has none.
func fastShort(l Level, c conversion) Vec {
	var whole func(dst, src *byte, vectors int)
	width := 16
	switch narrow := c == (conversion{F32, BF16}); {
	case !narrow && c != conversion{BF16, F32}:
	case l == AVX512 && narrow:
		whole = bf16NarrowAVX512
	case l == AVX512:
		whole = bf16WidenAVX512
	case l == AVX2 && narrow:
		whole, width = bf16NarrowAVX2, 8
	case l == AVX2:
		whole, width = bf16WidenAVX2, 8
	}
	if whole == nil {
		return nil
	}
	rest := plainConvert(c.from, c.to)
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		whole((*byte)(dst), (*byte)(a), n/width)
		if at := n &^ (width - 1); at < n {
			rest(unsafe.Add(dst, at*c.to.Size()), unsafe.Add(a, at*c.from.Size()), nil, nil, n-at)
		}
	}
}
