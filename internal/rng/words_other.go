//go:build !amd64 && !arm64

package rng

var vectors = plain

// fillBlocks leaves all blocks to plain Go.
func fillBlocks([]uint32, Key, uint64) int { return 0 }

// vectorQuantiles reports that quantiles are computed one by one.
func vectorQuantiles() bool { return false }

func quantileCenter([]float64) {}

func quantileTail(_, _ []float64) {}

func quantileCenter32([]float32, []uint32) {}

func quantileTail32([]float32, []uint32) {}
