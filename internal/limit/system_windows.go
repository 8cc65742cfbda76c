package limit

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryStatus is the MEMORYSTATUSEX of the Windows API.
type memoryStatus struct {
	length, load                                          uint32
	totalPhys, availPhys, totalPageFile, availPageFile    uint64
	totalVirtual, availVirtual, availExtendedVirtualSpace uint64
}

var globalMemoryStatus = windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// system returns the limits of the system: what can be committed, which is physical memory and paging files. The heap uses used bytes.
func system(used int) []Limit {
	s := memoryStatus{length: uint32(unsafe.Sizeof(memoryStatus{}))}
	if globalMemoryStatus.Find() != nil {
		return nil
	}
	if done, _, _ := globalMemoryStatus.Call(uintptr(unsafe.Pointer(&s))); done == 0 {
		return nil
	}
	return []Limit{{"the memory of this machine with its paging files", clamp(s.totalPageFile), used, 0}}
}
