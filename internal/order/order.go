// Package order holds a list whose elements know which of two comes first, however elements are inserted and moved.
package order

// List is a list of elements. The zero List is empty.
//
// Each element has a label, and labels ascend along the list. If no label is left between two neighbors, the elements around them get
// new labels, spread evenly over the smallest range that is not too full. (Bender, Cole, Demaine, Farach-Colton and Zito 2002, Two
// simplified algorithms for maintaining order in a list.)
type List struct {
	root Element // stands before the first and behind the last
}

// Element is a place in a List.
type Element struct {
	label      uint64
	prev, next *Element
}

// step is the distance between labels at the end of the list, where most elements are added.
const step = 1 << 24

// Before reports whether e stands before f, in the same list.
func (e *Element) Before(f *Element) bool { return e.label < f.label }

// Append adds an element at the end.
func (l *List) Append() *Element {
	l.init()
	return l.insert(&Element{}, l.root.prev)
}

// InsertAfter adds an element directly after at, or at the beginning if at is nil.
func (l *List) InsertAfter(at *Element) *Element {
	l.init()
	if at == nil {
		at = &l.root
	}
	return l.insert(&Element{}, at)
}

// MoveAfter moves e directly after at, which is another element.
func (l *List) MoveAfter(e, at *Element) {
	l.Remove(e)
	l.insert(e, at)
}

// Remove removes e.
func (l *List) Remove(e *Element) { e.prev.next, e.next.prev = e.next, e.prev }

func (l *List) init() {
	if l.root.next == nil {
		l.root.next, l.root.prev = &l.root, &l.root
	}
}

func (l *List) insert(e, at *Element) *Element {
	e.label = l.between(at)
	for e.label == at.label {
		l.spread(at)
		e.label = l.between(at)
	}
	e.prev, e.next = at, at.next
	at.next.prev, at.next = e, e
	return e
}

// end is a label behind all others.
const end = 1 << 63

// between returns a label between that of e and that of the next element, or e's own if there is none.
func (l *List) between(e *Element) uint64 {
	after := uint64(end)
	if e.next != &l.root {
		after = e.next.label
	} else if e.label < end-2*step {
		return e.label + step
	}
	return e.label + (after-e.label)/2
}

// spread relabels the elements around e, with room between them.
func (l *List) spread(e *Element) {
	// A range holds the labels that differ from e's in the last bits only. It is too full if it has more than (4/3)^bits elements.
	first, last, n, room := e, e, 1, 1.0
	for bits := uint(1); ; bits++ {
		room *= 4.0 / 3
		low := e.label >> bits << bits
		high := low + 1<<bits - 1
		for first != &l.root && first.prev.label >= low {
			first = first.prev
			n++
		}
		for last.next != &l.root && last.next.label <= high {
			last = last.next
			n++
		}
		if float64(n) > room || n >= 1<<bits/2 {
			continue
		}
		gap := (uint64(1)<<bits - 1) / uint64(n)
		for at, label := first, low; ; at, label = at.next, label+gap {
			at.label = label
			if at == last {
				return
			}
		}
	}
}
