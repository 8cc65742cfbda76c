package pages

import (
	"runtime"
	"sync"
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

// advise asks for large pages where memory lies, or for small ones.
func advise(p uintptr, bytes int, large bool) {
	advice := uintptr(syscall.MADV_NOHUGEPAGE)
	if large {
		advice = syscall.MADV_HUGEPAGE
	}
	start := p &^ (Size - 1)
	end := (p + uintptr(bytes) + Size - 1) &^ (Size - 1)
	syscall.Syscall(syscall.SYS_MADVISE, start, end-start, advice)
}

// populates reports whether the system knows populate: Linux since 5.14 does.
var populates = sync.OnceValue(func() bool {
	var b [1]byte
	return populate(uintptr(unsafe.Pointer(&b)), 1, false)
})

// slow is set once a large page has taken far longer than the 0.1 ms that it takes where memory is at hand.
var slow atomic.Bool

// quick reports whether large pages have been quick so far.
func quick() bool { return !slow.Load() }

// populate makes the pages of memory come, as if each were written to, and leaves their contents as they are. If it is one large page, its time
// counts: the processor time of this thread, to which no other process adds.
func populate(p uintptr, bytes int, large bool) bool {
	const madvPopulateWrite = 23
	var before time.Duration
	if large {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		before = threadTime()
	}
	start := p &^ 4095
	end := (p + uintptr(bytes) + 4095) &^ 4095
	_, _, err := syscall.Syscall(syscall.SYS_MADVISE, start, end-start, madvPopulateWrite)
	if large && threadTime()-before > time.Millisecond {
		slow.Store(true)
	}
	return err == 0
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
