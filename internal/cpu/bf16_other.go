//go:build !amd64 && !arm64

package cpu

import "unsafe"

// unitLevel has no units but those for float32.
const unitLevel = Go

func levelUnits() []BF16Unit { return []BF16Unit{NoBF16} }

func fastestUnit() BF16Unit { return NoBF16 }

func unitLines(bool) []string { return nil }

// PeakBF16 is Peak with operands of bfloat16 numbers, by a unit that this machine has.
func PeakBF16(BF16Unit, int) (flop int) { return 0 }

func fastRound(dst, src unsafe.Pointer, n int) bool { return false }

// No unit of this architecture needs what follows.

var bf16Dot gemmKernels

func packOneBF16(dst, src unsafe.Pointer, n int)                                               {}
func packTwoBF16(dst, low, high unsafe.Pointer, n int)                                         {}
func packRowsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int)     {}
func packPairsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, cols int) {}
func packTurnedBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int)   {}
