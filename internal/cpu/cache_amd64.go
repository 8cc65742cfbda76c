package cpu

import "sync"

// secondLevel returns the bytes of the second-level cache of a core, as the processor tells them.
var secondLevel = sync.OnceValue(func() int {
	_, vendor, _, _ := cpuid(0, 0)
	leaf := uint32(4)
	if vendor == 'A'|'u'<<8|'t'<<16|'h'<<24 { // AuthenticAMD has its own
		leaf = 0x8000001d
	}
	if last, _, _, _ := cpuid(leaf&0x80000000, 0); last < leaf {
		return usualSecondLevel
	}
	for sub := range uint32(16) {
		a, b, c, _ := cpuid(leaf, sub)
		kind, level := a&31, a>>5&7
		if kind == 0 { // no more caches
			break
		}
		if level == 2 {
			return int(b>>22+1) * int(b>>12&1023+1) * int(b&4095+1) * int(c+1) // ways, partitions, bytes of a line, sets
		}
	}
	return usualSecondLevel
})
