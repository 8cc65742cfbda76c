package clock

import (
	"math/bits"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The performance counter of Windows and its ticks in a second, or 0 if there is none.
var counter, frequency = performanceCounter()

func performanceCounter() (address uintptr, frequency uint64) {
	dll := windows.NewLazySystemDLL("kernel32.dll")
	counter, of := dll.NewProc("QueryPerformanceCounter"), dll.NewProc("QueryPerformanceFrequency")
	if counter.Find() != nil || of.Find() != nil {
		return 0, 0
	}
	of.Call(uintptr(unsafe.Pointer(&frequency)))
	return counter.Addr(), frequency
}

// Now returns the current moment.
func Now() Moment {
	var ticks uint64
	if frequency == 0 {
		return Moment(time.Since(start))
	}
	syscall.SyscallN(counter, uintptr(unsafe.Pointer(&ticks)))
	high, low := bits.Mul64(ticks, uint64(time.Second))
	ns, _ := bits.Div64(high%frequency, low, frequency)
	return Moment(ns)
}
