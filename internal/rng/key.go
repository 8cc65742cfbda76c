package rng

// Key names one stream of random numbers.
//
// How a key follows from a seed is part of every saved run: a run that is resumed must draw the numbers that it would
// have drawn. The functions in this file must therefore never change their results; a test holds some of them fixed.
type Key [2]uint64

// Constants that keep the two families of keys apart under one seed (the bytes of "tarnname" and "tarnstep").
const (
	nameFamily = 0x7461726e6e616d65
	stepFamily = 0x7461726e73746570
)

// Named is the stream that belongs to a name under a seed: the weights of one parameter, the order of one data set.
func Named(seed uint64, name string) Key {
	return Key{mix(mix(seed) ^ nameFamily), mix(hash(name))}
}

// Step is the stream that belongs to one random node of a graph in one step of a run.
func Step(seed, node, step uint64) Key {
	return Key{mix(mix(mix(seed)^stepFamily) ^ node), step}
}

// hash is the 64-bit FNV-1a hash of s.
// Fowler, Noll and Vo: the FNV non-cryptographic hash algorithm (RFC 9923).
func hash(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h ^= uint64(s[i])
		h *= 0x100000001b3
	}
	return h
}

// The constants of mix, for engines that make keys themselves.
const (
	MixAdd    = 0x9e3779b97f4a7c15
	MixFirst  = 0xbf58476d1ce4e5b9
	MixSecond = 0x94d049bb133111eb
)

// mix is the step of SplitMix64: it adds the golden ratio and spreads every bit of x over the whole word. It is a
// bijection, so different x stay different.
// Steele, Lea and Flood: Fast splittable pseudorandom number generators (OOPSLA 2014).
func mix(x uint64) uint64 {
	x += MixAdd
	x = (x ^ x>>30) * MixFirst
	x = (x ^ x>>27) * MixSecond
	return x ^ x>>31
}
