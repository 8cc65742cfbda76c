package rng

import "unsafe"

// This file hands most blocks, and the inversion of the normal distribution function, to assembly, whose bits are the same.

var vectors = neon // the vectors in use

// fillBlocks writes the words of as many blocks, from b on, as fill whole groups of vectors, and returns the number of blocks.
func fillBlocks(dst []uint32, key Key, b uint64) int {
	if vectors == plain {
		return 0
	}
	n := len(dst) / 32
	philoxNEON(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(&key), int(b), n)
	return n * 8
}

// vectorQuantiles reports whether there are quantileCenter and quantileTail.
func vectorQuantiles() bool { return vectors != plain }

// quantileCenter replaces numbers by their quantiles, of which those with |p - 1/2| <= 0.425 are right.
func quantileCenter(p []float64) {
	at := unsafe.Pointer(unsafe.SliceData(p))
	quantileCenterNEON(at, at, nil, nil, len(p))
}

// quantileTail sets dst to the quantiles of numbers with |p - 1/2| > 0.425, not below e^-25 or above 1 - e^-25.
func quantileTail(dst, p []float64) {
	quantileTailNEON(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(p)), nil, nil, len(p))
}

// quantileCenter32 and quantileTail32 are the same of the numbers in (0, 1) that words stand for.
func quantileCenter32(dst []float32, words []uint32) {
	quantileCenter32NEON(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(words)), nil, nil, len(words))
}

func quantileTail32(dst []float32, words []uint32) {
	quantileTail32NEON(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(words)), nil, nil, len(words))
}
