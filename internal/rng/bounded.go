package rng

import "math/bits"

// This file draws whole numbers below a bound without bias, and permutations made of them.

// Intn is element i of the stream as a whole number, uniform in [0, n). For n <= 0 it is 0.
//
// The high half of a 64-bit word times n is the result; the words whose product would favor some results are thrown
// away, which needs a second word with probability below n/2^64.
// Lemire: Fast random integer generation in an interval (ACM TOMACS 29, 2019).
func Intn(key Key, i uint64, n int) int {
	if n <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(word64(key, i), uint64(n))
	if lo < uint64(n) {
		for reject := -uint64(n) % uint64(n); lo < reject; {
			key[1] = mix(key[1]) // the same element of another stream
			hi, lo = bits.Mul64(word64(key, i), uint64(n))
		}
	}
	return int(hi)
}

// Perm is a permutation of 0 .. n-1, every one equally likely (for n <= 0 the empty one).
func Perm(n int, key Key) []int {
	p := make([]int, max(n, 0))
	for i := range p {
		p[i] = i
	}
	Shuffle(p, key)
	return p
}

// Shuffle puts the elements of p into an order drawn from the stream.
// Fisher and Yates, in Durstenfeld's form (CACM 7, 1964).
func Shuffle[T any](p []T, key Key) {
	for i := len(p) - 1; i > 0; i-- {
		j := Intn(key, uint64(i), i+1)
		p[i], p[j] = p[j], p[i]
	}
}
