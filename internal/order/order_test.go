package order

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestList compares a list with a slice that goes through the same insertions, moves and removals.
func TestList(t *testing.T) {
	for name, at := range map[string]func(r *rand.Rand, n int) int{
		"anywhere":        func(r *rand.Rand, n int) int { return r.IntN(n + 1) },
		"at the end":      func(r *rand.Rand, n int) int { return n },
		"at the front":    func(r *rand.Rand, n int) int { return 0 },
		"behind the same": func(r *rand.Rand, n int) int { return min(n, 1) },
		"near the middle": func(r *rand.Rand, n int) int { return n/2 + r.IntN(2)*(n%2) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var l List
			var want []*Element
			for range 3000 {
				n := len(want)
				i := at(r, n)
				var e *Element
				switch {
				case n > 2 && r.IntN(8) == 0:
					from := r.IntN(n)
					l.Remove(want[from])
					want = slices.Delete(want, from, from+1)
					continue
				case n > 2 && r.IntN(4) == 0:
					from := r.IntN(n)
					e = want[from]
					want = slices.Delete(want, from, from+1)
					i = min(max(i, 1), n-1)
					l.MoveAfter(e, want[i-1])
				case i == n:
					e = l.Append()
				case i == 0:
					e = l.InsertAfter(nil)
				default:
					e = l.InsertAfter(want[i-1])
				}
				want = slices.Insert(want, i, e)
			}
			at := &l.root
			for i, e := range want {
				if at = at.next; at != e {
					t.Fatalf("element %d is another", i)
				}
				if i > 0 && (!want[i-1].Before(e) || e.Before(want[i-1])) {
					t.Fatalf("element %d, labeled %d, does not stand before the next, labeled %d", i-1, want[i-1].label, e.label)
				}
			}
			if at.next != &l.root {
				t.Fatal("the list holds more elements")
			}
		})
	}
}
