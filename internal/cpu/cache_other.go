//go:build !amd64

package cpu

// secondLevel returns what is usual: other processors do not tell programs.
func secondLevel() int { return usualSecondLevel }
