package cpu

import "golang.org/x/sys/unix"

// hasBF16 reports whether the processor has BFDOT, by what the kernel says of it.
func hasBF16() bool {
	const (
		hwcap2 = 26      // AT_HWCAP2
		bf16   = 1 << 14 // HWCAP2_BF16
	)
	all, err := unix.Auxv()
	if err != nil {
		return false
	}
	for _, v := range all {
		if v[0] == hwcap2 {
			return v[1]&bf16 != 0
		}
	}
	return false
}
