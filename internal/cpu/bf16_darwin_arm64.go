package cpu

import "syscall"

// hasBF16 reports whether the processor has BFDOT, as M2 and later have.
func hasBF16() bool {
	has, err := syscall.SysctlUint32("hw.optional.arm.FEAT_BF16")
	return err == nil && has == 1
}
