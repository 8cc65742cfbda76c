package rng

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// This file hands most blocks, and the inversion of the normal distribution function, to assembly, whose bits are the same.

var vectors = func() vectorSet { // the vectors in use
	switch x := &cpu.X86; {
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL:
		return avx512
	case x.HasAVX2:
		return avx2
	}
	return plain
}()

// fillBlocks writes the words of as many blocks, from b on, as fill whole groups of vectors, and returns the number of blocks.
func fillBlocks(dst []uint32, key Key, b uint64) int {
	switch p := unsafe.Pointer(unsafe.SliceData(dst)); {
	case vectors == avx512:
		n := len(dst) / 64
		philoxAVX512(p, unsafe.Pointer(&key), int(b), n)
		return n * 16
	case vectors == avx2:
		n := len(dst) / 32
		philoxAVX2(p, unsafe.Pointer(&key), int(b), n)
		return n * 8
	}
	return 0
}

// vectorQuantiles reports whether there are quantileCenter and quantileTail.
func vectorQuantiles() bool { return vectors != plain }

// quantileCenter replaces numbers by their quantiles, of which those with |p - 1/2| <= 0.425 are right.
func quantileCenter(p []float64) {
	at := unsafe.Pointer(unsafe.SliceData(p))
	if vectors == avx512 {
		quantileCenterAVX512(at, at, nil, nil, len(p))
	} else {
		quantileCenterAVX2(at, at, nil, nil, len(p))
	}
}

// quantileTail sets dst to the quantiles of numbers with |p - 1/2| > 0.425, not below e^-25 or above 1 - e^-25.
func quantileTail(dst, p []float64) {
	if vectors == avx512 {
		quantileTailAVX512(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(p)), nil, nil, len(p))
	} else {
		quantileTailAVX2(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(p)), nil, nil, len(p))
	}
}

// quantileCenter32 and quantileTail32 are the same of the numbers in (0, 1) that words stand for.
func quantileCenter32(dst []float32, words []uint32) {
	if vectors == avx512 {
		quantileCenter32AVX512(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(words)), nil, nil, len(words))
	} else {
		quantileCenter32AVX2(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(words)), nil, nil, len(words))
	}
}

func quantileTail32(dst []float32, words []uint32) {
	if vectors == avx512 {
		quantileTail32AVX512(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(words)), nil, nil, len(words))
	} else {
		quantileTail32AVX2(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(words)), nil, nil, len(words))
	}
}
