package exec

import "unsafe"

// slots are the addresses of the blocks that a loop's instructions work on, as numbers. The garbage collector does not see them, so that
// setting one costs no write barrier while it marks. What they point into is kept alive elsewhere for as long as a loop runs: scratch
// and constants by the machine and its jobs, buffers by the machine's table of bases.
type slots []uintptr

func (s slots) set(i int, block unsafe.Pointer) { s[i] = uintptr(block) }

// at returns the address as the pointer that it is.
func (s slots) at(i int) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&s[i])) }
