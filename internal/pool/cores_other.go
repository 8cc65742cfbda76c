//go:build !darwin

package pool

// fastCores is 0: all cores are taken for equal.
func fastCores() int { return 0 }
