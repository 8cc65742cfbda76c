package pages

import (
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// fill writes a byte to every page and to the last byte of a block, and reports whether each was zero.
func fill(b *Block, bytes int, x byte) bool {
	zero := true
	s := unsafe.Slice((*byte)(b.Start()), bytes)
	for i := 0; i < bytes; i += 4096 {
		zero = zero && s[i] == 0
		s[i] = x
	}
	zero = zero && (s[bytes-1] == 0 || bytes%4096 == 1)
	s[bytes-1] = x
	runtime.KeepAlive(b)
	return zero
}

// TestNew makes blocks of several sizes, at whose start a large page can begin and which are zeros.
func TestNew(t *testing.T) {
	for _, bytes := range []int{1, 4096, 1 << 20, Size - 1, Size, Size + 1, 5*Size + 4097} {
		b := New(bytes)
		align := uintptr(Size)
		if InUse() == 0 {
			align = 64 // this system has none
		}
		if uintptr(b.Start())%align != 0 {
			t.Errorf("a block of %d bytes starts at %p", bytes, b.Start())
		}
		if !fill(b, bytes, 7) {
			t.Errorf("a block of %d bytes is not zeros", bytes)
		}
	}
}

// TestCollect asserts that blocks that nobody has are freed by Collect, and by the runtime without it, and others are not.
func TestCollect(t *testing.T) {
	Collect()
	kept := New(3 * Size)
	fill(kept, 3*Size, 1)
	before := InUse()
	for range 20 {
		fill(New(Size), Size, 2)
	}
	Collect()
	if got := InUse(); got != before {
		t.Errorf("%d bytes are in use after Collect, want %d", got, before)
	}
	for range 20 {
		fill(New(Size), Size, 2)
	}
	for start := time.Now(); InUse() != before; time.Sleep(time.Millisecond) {
		if runtime.GC(); time.Since(start) > 10*time.Second {
			t.Fatalf("%d bytes are in use, want %d: the runtime frees no blocks", InUse(), before)
		}
	}
	if s := unsafe.Slice((*byte)(kept.Start()), 3*Size); s[0] != 1 || s[3*Size-1] != 1 {
		t.Error("a block that is reachable has lost its contents")
	}
	runtime.KeepAlive(kept)
}

// TestShared makes and drops blocks in several goroutines while garbage is collected: each keeps its own contents.
func TestShared(t *testing.T) {
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 50 {
				b, x := New(Size+4096*g), byte(1+g)
				if !fill(b, Size, x) {
					t.Errorf("block %d of goroutine %d is not zeros", i, g)
				}
				if i%8 == 0 {
					Collect()
				}
				if s := unsafe.Slice((*byte)(b.Start()), Size); s[0] != x || s[Size/2] != x || s[Size-1] != x {
					t.Errorf("block %d of goroutine %d has lost its contents", i, g)
				}
				runtime.KeepAlive(b)
			}
		})
	}
	group.Wait()
}

// TestTouch touches arrays of the heap, which are zeros and hold what is written to them while their pages come. Their neighbors stay as they are.
func TestTouch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2} {
		runtime.GOMAXPROCS(procs)
		for _, words := range []int{1, 511, 512, 1 << 13, 1 << 16, 1 << 18, 3<<18 + 5, 9 << 18} {
			s := make([]uint64, words+1)
			s[words] = 5
			Touch(unsafe.Pointer(unsafe.SliceData(s)), 8*words)
			for i, x := range s[:words] {
				if x != 0 {
					t.Fatalf("of %d words number %d is %d", words, i, x)
				}
				s[i] = uint64(i)
			}
			arrive()
			for i, x := range s[:words] {
				if x != uint64(i) {
					t.Fatalf("of %d words number %d has become %d", words, i, x)
				}
			}
			if s[words] != 5 {
				t.Errorf("the word after %d words is %d", words, s[words])
			}
		}
	}
}

// TestTouchGarbage drops arrays of 256 MiB right after Touch: Collect frees each, though its pages are still coming.
func TestTouchGarbage(t *testing.T) {
	for range 20 {
		var before, after runtime.MemStats
		Collect()
		runtime.ReadMemStats(&before)
		words := make([]uint64, 1<<25)
		Touch(unsafe.Pointer(unsafe.SliceData(words)), 8*len(words))
		words = nil
		Collect()
		runtime.ReadMemStats(&after)
		if more := int64(after.HeapAlloc) - int64(before.HeapAlloc); more > 1<<20 {
			t.Fatalf("%d bytes more are in use", more)
		}
	}
}

// arrive waits until all pages have come.
func arrive() {
	for {
		arrivals.Lock()
		running := arrivals.running
		arrivals.Unlock()
		if !running {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
