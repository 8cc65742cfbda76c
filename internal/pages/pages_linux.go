package pages

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// take maps memory that holds that many bytes behind the first start of a large page in it, or returns nil.
func take(bytes int) []byte {
	if bytes > 1<<48 {
		return nil
	}
	whole := (bytes + Size - 1) &^ (Size - 1)
	memory, err := syscall.Mmap(-1, 0, whole+Size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	return memory
}

func give(memory []byte) { syscall.Munmap(memory) }

// advise asks for large pages where an array lies, or for small ones, and reports whether pages that are touched now will be large.
func advise(p unsafe.Pointer, bytes int, large bool) bool {
	advice := uintptr(syscall.MADV_NOHUGEPAGE)
	if large {
		advice = syscall.MADV_HUGEPAGE
	}
	start := uintptr(p) &^ (Size - 1)
	end := (uintptr(p) + uintptr(bytes) + Size - 1) &^ (Size - 1)
	_, _, err := syscall.Syscall(syscall.SYS_MADVISE, start, end-start, advice)
	return large && err == 0
}

// slow is set once a large page has taken far longer than the 0.1 ms that it takes where memory is at hand.
var slow atomic.Bool

// quick reports whether large pages have been quick so far.
func quick() bool { return !slow.Load() }

// timed touches a large page. It looks at the time of this thread, to which no other process adds.
func timed(touch func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime()
	touch()
	if threadTime()-before > time.Millisecond {
		slow.Store(true)
	}
}

// threadTime is the processor time that this thread has taken.
func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if syscall.Getrusage(thread, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
