//go:build !linux && !darwin && !windows

package limit

// system knows no limits of other systems.
func system(int) []Limit { return nil }
