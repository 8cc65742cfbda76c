//go:build amd64 || arm64

package mpi

import (
	"runtime"
	"syscall"
	"unsafe"
)

// This file keeps the signal handlers of the Go runtime. MPI libraries and what they load install their own: for SIGSEGV, after which a nil
// pointer in Go ends the process instead of being a panic, and for SIGUSR1 without an alternate stack, which Go does not survive.

// action is the kernel's struct sigaction, of which nothing needs to be known but that it is not larger.
type action [64]byte

const signals = 64

// keepSignals returns a function that restores the handlers of this moment.
func keepSignals() (restore func()) {
	var actions [signals + 1]action
	var have [signals + 1]bool
	for s := 1; s <= signals; s++ {
		_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), 0, uintptr(unsafe.Pointer(&actions[s])), 8, 0, 0)
		have[s] = e == 0
	}
	return func() {
		for s := 1; s <= signals; s++ {
			if have[s] {
				syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&actions[s])), 0, 8, 0, 0)
			}
		}
		runtime.KeepAlive(&actions)
	}
}
