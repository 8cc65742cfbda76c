//go:build !amd64

package cpu

import "unsafe"

func levelUnits() []BF16Unit { return []BF16Unit{NoBF16} }

func fastestUnit() BF16Unit { return NoBF16 }

func unitLines(bool) []string { return nil }

// BF16Refused returns why a unit that the processor has is not used, or nil.
func BF16Refused() error { return nil }

// PeakBF16 is Peak with operands of bfloat16 numbers, by a unit that this machine has.
func PeakBF16(BF16Unit, int) (flop int) { return 0 }

// fastShort returns nil: there are no such conversions for this processor.
func fastShort(Level, conversion) Vec { return nil }

// No unit of this architecture needs what follows.

var bf16Dot gemmKernels

func (*tileProduct) run() {}

func packOneBF16(dst, src unsafe.Pointer, n int)                                               {}
func packTwoBF16(dst, low, high unsafe.Pointer, n int)                                         {}
func packRowsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int)     {}
func packTileRowsBF16(dst, src unsafe.Pointer, srcRow, rows, n int)                            {}
func packAcrossBF16(dst, src unsafe.Pointer, srcRow, rows, cols int)                           {}
func packPairsBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, cols int) {}
func packTurnedBF16(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, n int)   {}
