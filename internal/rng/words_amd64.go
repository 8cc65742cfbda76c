package rng

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// This file hands most blocks to assembly, whose words are the same.

var hasAVX2, hasAVX512 = cpu.X86.HasAVX2, cpu.X86.HasAVX512F

// fillBlocks writes the words of as many blocks, from b on, as fill whole groups of vectors, and returns the number of blocks.
func fillBlocks(dst []uint32, key Key, b uint64) int {
	switch p := unsafe.Pointer(unsafe.SliceData(dst)); {
	case hasAVX512:
		n := len(dst) / 64
		philoxAVX512(p, unsafe.Pointer(&key), int(b), n)
		return n * 16
	case hasAVX2:
		n := len(dst) / 32
		philoxAVX2(p, unsafe.Pointer(&key), int(b), n)
		return n * 8
	}
	return 0
}
