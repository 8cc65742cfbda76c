package pages

import (
	"runtime"
	"sync"
	"weak"
)

// This file holds the goroutine that asks the system for pages.

// arrival is memory whose pages are on their way.
type arrival struct {
	heap  bool               // whether it is an array of the heap; a block's owner calls end
	array weak.Pointer[byte] // of the heap: its pages stop coming once nobody has it
	start uintptr
	bytes int

	done  int  // bytes from the start whose pages have come
	large bool // whether the others are to be large
	ended bool
}

// coming is held while pages come, and for changes of all arrivals.
var coming sync.Mutex

// arrivals are those that the goroutine has not begun with.
var arrivals struct {
	sync.Mutex
	waiting []*arrival
	running bool
}

// begin makes the pages come, in the background if another processor can do that.
func (a *arrival) begin() {
	a.large = a.bytes >= leastLarge && quick()
	if a.large {
		advise(a.start, a.bytes, true)
	}
	if runtime.GOMAXPROCS(0) == 1 {
		for a.next() {
		}
		return
	}
	arrivals.Lock()
	defer arrivals.Unlock()
	arrivals.waiting = append(arrivals.waiting, a)
	if !arrivals.running {
		arrivals.running = true
		go comeAll()
	}
}

// comeAll makes the pages of all that wait come.
func comeAll() {
	for {
		arrivals.Lock()
		if len(arrivals.waiting) == 0 {
			arrivals.waiting, arrivals.running = nil, false
			arrivals.Unlock()
			return
		}
		a := arrivals.waiting[0]
		arrivals.waiting = arrivals.waiting[1:]
		arrivals.Unlock()
		for a.next() {
		}
	}
}

// next makes the pages up to the end of a large page come, and reports whether there are more.
func (a *arrival) next() bool {
	coming.Lock()
	defer coming.Unlock()
	return a.come()
}

// come is next while coming is held. It is a function of its own, so that the address of the array is on no stack once another goroutine may hold coming
// and collect garbage.
//
//go:noinline
func (a *arrival) come() bool {
	array := a.array.Value()
	if a.ended || a.done == a.bytes || a.heap && array == nil {
		return false
	}
	p, left := a.start+uintptr(a.done), a.bytes-a.done
	if a.large && !quick() {
		a.large = false
		advise(p, left, false)
	}
	n := min(left, Size-int(p&(Size-1)))
	came := populate(p, n, a.large)
	runtime.KeepAlive(array)
	if !came {
		return false
	}
	a.done += n
	if a.done == a.bytes && a.bytes >= leastLarge && !a.large {
		advise(a.start, a.bytes, true) // for the system, which joins small pages when it has time
	}
	return true
}

// end makes no further pages come: after it the memory may be given back.
func (a *arrival) end() {
	coming.Lock()
	defer coming.Unlock()
	a.ended = true
}
