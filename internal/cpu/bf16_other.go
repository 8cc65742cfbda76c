//go:build !amd64

package cpu

import "unsafe"

func levelUnits() []BF16Unit { return []BF16Unit{NoBF16} }

func dotFaster() bool { return false }

// No unit of this architecture needs what follows.

var bf16Dot gemmKernels

func packOneBF16(dst, src unsafe.Pointer, n int)                                               {}
func packTwoBF16(dst, low, high unsafe.Pointer, n int)                                         {}
func packRowsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int)     {}
func packPairsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, cols int) {}
func packTurnedBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int)   {}
