package pages

import (
	"runtime"
	"testing"
)

// TestSlow runs the other tests as on a machine whose large pages are slow, from the start and from the second page on.
func TestSlow(t *testing.T) {
	defer slow.Store(slow.Load())
	slow.Store(true)
	t.Run("Touch", TestTouch)
	t.Run("New", TestNew)
	t.Run("Shared", TestShared)

	slow.Store(false)
	const bytes = 3*Size + 5
	b := New(bytes)
	slow.Store(true)
	if !fill(b, bytes, 7) {
		t.Error("a block is not zeros")
	}
	arrive()
	runtime.KeepAlive(b)
}

// TestEnd ends the arrival of pages, after which none come.
func TestEnd(t *testing.T) {
	if !populates() {
		t.Skip("this kernel does not populate")
	}
	b := New(Size)
	arrive()
	a := &arrival{start: uintptr(b.Start()), bytes: Size}
	if !a.next() || a.done != Size || a.next() {
		t.Errorf("%d of %d bytes have come", a.done, Size)
	}
	a = &arrival{start: uintptr(b.Start()), bytes: Size}
	a.end()
	if a.next() || a.done != 0 {
		t.Errorf("%d bytes have come after the end", a.done)
	}
	runtime.KeepAlive(b)
}
