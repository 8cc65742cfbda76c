//go:build !amd64

package cpu

// scoreKernelsFor returns nil: there are no such kernels for this processor.
func scoreKernelsFor(Level, bool) *scoreKernels { return nil }

// pairScores has none.
var pairScores pairKernels
