package cpu

import "golang.org/x/sys/cpu"

// levels asks the processor, and through it the operating system, for its levels, of which each includes those before.
func levels() []Level {
	all, x := []Level{Go}, &cpu.X86
	if x.HasAVX2 && x.HasFMA {
		all = append(all, AVX2)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
			all = append(all, AVX512)
		}
	}
	return all
}
