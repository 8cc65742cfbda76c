package jit

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

//go:noescape
func call(code uintptr, slots *uintptr, n int)

// executable copies code into memory of its own, which is writable first and executable afterwards, never both.
func executable(code []byte) (b []byte, ok bool) {
	address, err := windows.VirtualAlloc(0, uintptr(len(code)), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, false
	}
	b = unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), len(code))
	copy(b, code)
	var before uint32
	if err := windows.VirtualProtect(address, uintptr(len(code)), windows.PAGE_EXECUTE_READ, &before); err != nil {
		unmap(b)
		return nil, false
	}
	return b, true
}

func unmap(b []byte) {
	windows.VirtualFree(uintptr(unsafe.Pointer(unsafe.SliceData(b))), 0, windows.MEM_RELEASE)
}
