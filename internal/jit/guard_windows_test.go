package jit

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// guarded returns n bytes that end where the process may neither read nor write.
func guarded(t *testing.T, n int) []byte {
	t.Helper()
	page := os.Getpagesize()
	size := (n+page-1)/page*page + page
	address, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.VirtualFree(address, 0, windows.MEM_RELEASE) })
	var before uint32
	if err := windows.VirtualProtect(address+uintptr(size-page), uintptr(page), windows.PAGE_NOACCESS, &before); err != nil {
		t.Fatal(err)
	}
	b := unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), size)
	return b[size-page-n : size-page : size-page]
}
