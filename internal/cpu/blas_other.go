//go:build !(darwin && arm64)

package cpu

import "unsafe"

// blasMultiply is nil: there is no library.
var blasMultiply func(b *blasProduct, x, y, z unsafe.Pointer)
