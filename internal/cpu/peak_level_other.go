//go:build !amd64 && !arm64

package cpu

// peakVectors returns 0: there are no vectors.
func peakVectors(int) (flop int) { return 0 }
