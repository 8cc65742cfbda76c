//go:build !amd64

package cpu

import "unsafe"

// BF16Refused returns why a unit that the processor has is not used, or nil.
func BF16Refused() error { return nil }

// fastShort returns nil: there are no such conversions for this processor.
func fastShort(Level, conversion) Vec { return nil }

// No unit of this architecture needs what follows.

func (*tileProduct) run() {}

func packTileRowsBF16(dst, src unsafe.Pointer, srcRow, rows, n int)  {}
func packAcrossBF16(dst, src unsafe.Pointer, srcRow, rows, cols int) {}
