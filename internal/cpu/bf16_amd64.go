package cpu

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// levelUnits returns the units at the level AVX512.
var levelUnits = sync.OnceValue(func() []BF16Unit {
	units := []BF16Unit{NoBF16}
	if cpu.X86.HasAVX512BF16 {
		units = append(units, DotBF16)
	}
	return units
})

// dotFaster reports whether VDPBF16PS multiplies more numbers than the multiply-add for float32 in the same time.
var dotFaster = sync.OnceValue(func() bool {
	const loops = 400
	return faster(func() { peakBF16(loops) }, func() { peakAVX512(2 * loops) })
})

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
	bf16PackRows((*byte)(dst), dstRow, (*byte)(src), srcRow, rows, n)
}

func packPairsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, cols int) {
	bf16PackPairs((*byte)(dst), dstRow, (*byte)(src), srcRow, rows, cols)
}

func packTurnedBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int) {
	bf16PackTurned((*byte)(dst), dstRow, (*byte)(src), srcRow, rows, n)
}
