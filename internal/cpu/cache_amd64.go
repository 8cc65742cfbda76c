package cpu

import "sync"

// firstLevel returns the bytes of the first-level data cache of a core, and secondLevel those of its second-level cache, as the processor tells them.
var (
	firstLevel  = sync.OnceValue(func() int { return cacheOf(1, usualFirstLevel) })
	secondLevel = sync.OnceValue(func() int { return cacheOf(2, usualSecondLevel) })
)

// cacheOf returns the bytes of the cache for data of a level, or what is usual if the processor does not tell.
func cacheOf(level uint32, usual int) int {
	const instructions = 2
	_, vendor, _, _ := cpuid(0, 0)
	leaf := uint32(4)
	if vendor == 'A'|'u'<<8|'t'<<16|'h'<<24 { // AuthenticAMD has its own
		leaf = 0x8000001d
	}
	if last, _, _, _ := cpuid(leaf&0x80000000, 0); last < leaf {
		return usual
	}
	for sub := range uint32(16) {
		a, b, c, _ := cpuid(leaf, sub)
		kind := a & 31
		if kind == 0 { // no more caches
			break
		}
		if a>>5&7 == level && kind != instructions {
			return int(b>>22+1) * int(b>>12&1023+1) * int(b&4095+1) * int(c+1) // ways, partitions, bytes of a line, sets
		}
	}
	return usual
}
