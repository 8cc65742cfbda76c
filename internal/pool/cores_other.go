//go:build !darwin

package pool

// fastCores is 0: all cores are assumed to be equal.
func fastCores() int { return 0 }
