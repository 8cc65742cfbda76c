package cpu

import (
	"fmt"
	"syscall"
	"unsafe"
)

// permitTiles asks the kernel for the tile registers, for all threads of the process: the first use of a tile without the permission ends it. See the kernel's
// documentation, "Using XSTATE features in user space applications". The kernel refuses if a thread has too small a stack for signals.
func permitTiles() error {
	const getPermission, requestPermission, tileData = 0x1022, 0x1023, 18
	if _, _, e := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, requestPermission, tileData, 0); e != 0 {
		return fmt.Errorf("the kernel does not permit it: arch_prctl: %w", e)
	}
	var has uint64
	if _, _, e := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, getPermission, uintptr(unsafe.Pointer(&has)), 0); e != 0 {
		return fmt.Errorf("the kernel does not say whether it permits it: arch_prctl: %w", e)
	}
	if has>>tileData&1 == 0 {
		return fmt.Errorf("the kernel does not permit it: arch_prctl gives %#x", has)
	}
	return nil
}
