//go:build linux || darwin

package jit

import (
	"os"
	"syscall"
	"testing"
)

// guarded returns n bytes that end where the process may neither read nor write.
func guarded(t *testing.T, n int) []byte {
	t.Helper()
	page := os.Getpagesize()
	size := (n+page-1)/page*page + page
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(b) })
	if err := syscall.Mprotect(b[size-page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return b[size-page-n : size-page : size-page]
}
