package cpu

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"
)

// unitLevel is the level that has units.
const unitLevel = NEON

// levelUnits returns the units at the level NEON.
var levelUnits = sync.OnceValue(func() []BF16Unit {
	if hasBF16() {
		return []BF16Unit{NoBF16, DotBF16}
	}
	return []BF16Unit{NoBF16}
})

// raceFlop is the number of operations that units are compared by.
const raceFlop = 1 << 19

// unitLines tells for each unit whether this machine has it and why, and if they were measured what it does.
func unitLines(measured bool) []string {
	lines := []string{"  f32: rounded numbers are multiplied as float32", "  bf16: not here: the system names no extension BF16"}
	if len(levelUnits()) > 1 {
		lines[DotBF16] = "  bf16: the system names the extension BF16"
	}
	if measured {
		for i, u := range levelUnits() {
			lines[u] += fmt.Sprintf("; %.3g GFLOP/s", raceFlop/max(unitTimes()[i].Seconds(), 1e-9)/1e9)
		}
	}
	return lines
}

// unitFlop is the number of operations of a loop of unitPeak.
func unitFlop(u BF16Unit) int {
	return [...]int{NoBF16: 2 * peakChains * 4, DotBF16: 4 * peakChains * 4}[u]
}

// unitPeak does a number of loops of multiply-adds between registers.
func unitPeak(u BF16Unit, loops int) {
	if u == DotBF16 {
		peakBF16NEON(loops)
	} else {
		peakNEON(loops)
	}
}

// PeakBF16 is Peak with operands of bfloat16 numbers, by a unit of the level NEON that this machine has.
func PeakBF16(u BF16Unit, loops int) (flop int) {
	if loops < 1 || !slices.Contains(levelUnits(), u) {
		return 0
	}
	unitPeak(u, loops)
	return loops * unitFlop(u)
}

// fastRound is RoundBF16 with vectors, if the level has them.
func fastRound(dst, src unsafe.Pointer, n int) bool {
	if Current() != NEON {
		return false
	}
	bf16RoundNEON(dst, src, nil, nil, n)
	return true
}

func packOneBF16(dst, src unsafe.Pointer, n int) { bf16PackRowsNEON(dst, 0, src, 0, 1, n) }

func packTwoBF16(dst, low, high unsafe.Pointer, n int) { bf16PackPairsNEON(dst, 0, low, high, 0, 1, n) }

func packRowsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int) {
	bf16PackRowsNEON(dst, dstRow, src, srcRow, rows, n)
}

// noNumbers is paired with the last of an odd number of rows.
var noNumbers [32]float32

func packPairsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, cols int) {
	if rows > 1 {
		bf16PackPairsNEON(dst, dstRow, src, unsafe.Add(src, srcRow), 2*srcRow, rows/2, cols)
	}
	if rows%2 == 1 {
		bf16PackPairsNEON(unsafe.Add(dst, rows/2*dstRow), 0, unsafe.Add(src, (rows-1)*srcRow), unsafe.Pointer(&noNumbers), 0, 1, cols)
	}
}

func packTurnedBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int) {
	var block [16][16]uint32
	bf16PackRowsNEON(unsafe.Pointer(&block), 64, src, srcRow, rows, n)
	gemm32Transpose((*byte)(dst), dstRow, (*byte)(unsafe.Pointer(&block)), 64, (rows+3)&^3, ((n+1)/2+3)&^3)
}
