package frames

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

// known is whether this system's frames can be read.
var known = slices.Contains([]string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}, runtime.GOOS+"/"+runtime.GOARCH)

// nest calls f from as many frames, through a function of its own each second time.
//
//go:noinline
func nest(depth int, f func()) {
	switch {
	case depth == 0:
		f()
	case depth%2 == 0:
		nest(depth-1, f)
	default:
		func() { nest(depth-1, f) }()
	}
	runtime.KeepAlive(f)
}

// TestRead compares the functions of stacks of several depths with those of runtime.Callers.
func TestRead(t *testing.T) {
	for _, depth := range []int{0, 1, 5, 20, 40, 1000} {
		var s Stack
		var ok bool
		var callers []uintptr
		nest(depth, func() {
			ok = Read(&s)
			callers = make([]uintptr, 2*Depth)
			callers = callers[:runtime.Callers(0, callers)]
		})
		if ok != known {
			t.Fatalf("of %d frames: %v, want %v", depth, ok, known)
		}
		if !known {
			continue
		}
		end := slices.Index(s[:], 0)
		if end < 0 {
			end = Depth
		}
		if depth > Depth && end < Depth {
			t.Errorf("of %d frames there are %d", depth, end)
		}
		// Callers has the functions that are part of others, too, so those here are some of its, in order.
		at := 0
		for i, pc := range s[:end] {
			name := runtime.FuncForPC(pc - 1).Name()
			if strings.HasSuffix(name, ".gowrap1") { // which Callers leaves out
				continue
			}
			for at < len(callers) && runtime.FuncForPC(callers[at]-1).Name() != name {
				at++
			}
			if at == len(callers) {
				t.Errorf("of %d frames number %d, %s, is not among the callers", depth, i, name)
				break
			}
			at++
		}
	}
}

// TestPlaces reads the stack at two places and at one of them again, on this goroutine and another one.
func TestPlaces(t *testing.T) {
	if !known {
		t.Skip("frames cannot be read here")
	}
	var s [3]Stack
	for i := range 2 {
		if !Read(&s[i]) {
			t.Fatal("no frames")
		}
	}
	if !Read(&s[2]) {
		t.Fatal("no frames")
	}
	if s[0] != s[1] {
		t.Errorf("one place has two stacks: %x and %x", s[0], s[1])
	}
	if s[0] == s[2] {
		t.Errorf("two places have the stack %x", s[0])
	}
	done := make(chan bool)
	go func() { done <- Read(&s[0]) }()
	if !<-done || s[0][Depth-1] != 0 {
		t.Errorf("another goroutine has the stack %x", s[0])
	}
}

func BenchmarkRead(b *testing.B) {
	var s Stack
	nest(20, func() {
		for b.Loop() {
			Read(&s)
		}
	})
}
