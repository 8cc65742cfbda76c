//go:build !linux && !darwin

package cpu

// hasBF16 returns false: this system is not asked.
func hasBF16() bool { return false }
