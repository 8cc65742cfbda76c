// Package rng makes random numbers from a counter: element i of a stream is a pure function of the stream's key and i.
// There is no state to advance, so any split of the work over threads, batches or machines gives the same numbers.
package rng

import "math/bits"

// The multipliers, the key increments and the number of rounds of Philox4x32-10.
const (
	Multiplier0 = 0xD2511F53
	Multiplier1 = 0xCD9E8D57
	Increment0  = 0x9E3779B9 // golden ratio
	Increment1  = 0xBB67AE85 // sqrt(3) - 1
	Rounds      = 10
)

// philox is the bijection Philox4x32-10 of counter c under key k.
// Salmon, Moraes, Dror and Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011), section 4.3.
func philox(c0, c1, c2, c3, k0, k1 uint32) (uint32, uint32, uint32, uint32) {
	for range Rounds / 2 { // two a turn
		h0, l0 := bits.Mul32(Multiplier0, c0)
		h1, l1 := bits.Mul32(Multiplier1, c2)
		c0, c1, c2, c3 = h1^c1^k0, l1, h0^c3^k1, l0
		k0 += Increment0
		k1 += Increment1

		h0, l0 = bits.Mul32(Multiplier0, c0)
		h1, l1 = bits.Mul32(Multiplier1, c2)
		c0, c1, c2, c3 = h1^c1^k0, l1, h0^c3^k1, l0
		k0 += Increment0
		k1 += Increment1
	}
	return c0, c1, c2, c3
}

// block is the four words 4b .. 4b+3 of the stream: the first half of the key is Philox's key, the second half is the
// upper half of the counter, and b is the lower half.
func block(key Key, b uint64) (uint32, uint32, uint32, uint32) {
	return philox(uint32(b), uint32(b>>32), uint32(key[1]), uint32(key[1]>>32), uint32(key[0]), uint32(key[0]>>32))
}

// word is word i of the stream.
func word(key Key, i uint64) uint32 {
	w0, w1, w2, w3 := block(key, i/4)
	switch i % 4 {
	case 0:
		return w0
	case 1:
		return w1
	case 2:
		return w2
	}
	return w3
}

// word64 is the 64-bit word i of the stream, made of the words 2i (low half) and 2i+1 (high half).
func word64(key Key, i uint64) uint64 {
	w0, w1, w2, w3 := block(key, i/2)
	if i%2 == 0 {
		return uint64(w1)<<32 | uint64(w0)
	}
	return uint64(w3)<<32 | uint64(w2)
}

// fillWords writes the words i, i+1, ... of the stream to dst.
func fillWords(dst []uint32, key Key, i uint64) {
	for ; len(dst) > 0 && i%4 != 0; i++ {
		dst[0] = word(key, i)
		dst = dst[1:]
	}
	b := i / 4
	n := fillBlocks(dst, key, b)
	dst, b = dst[4*n:], b+uint64(n)
	for ; len(dst) >= 4; b++ {
		dst[0], dst[1], dst[2], dst[3] = block(key, b)
		dst = dst[4:]
	}
	for j := range dst {
		dst[j] = word(key, 4*b+uint64(j))
	}
}

// vectorSet is a set of vector instructions that words are computed with.
type vectorSet uint8

const (
	plain vectorSet = iota // none
	avx2
	avx512
	neon
)
