package plan

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file lays the temporaries out in the arena. The large ones get the lowest place that is free for as long as they are needed, the
// largest first, which wastes the least. That takes time with the square of their number; where there are very many, the small ones are
// taken in the order of the steps, from what others of them have left.

// alignment of every place in the arena: a cache line, and a vector register.
const alignment = 64

// mostFitted bounds the temporaries that are compared with each other. Those of one size are all above or all below the bound. Tests
// change it.
var mostFitted = 4096

// life is a temporary with the first and the last step that need it.
type life struct {
	b           *lower.Buffer
	first, last int
}

// layOut gives each temporary a place in the arena that no other has while it is needed, and returns the size of the arena.
func layOut(p *lower.Program) (arena int) {
	all := lives(p)
	slices.SortStableFunc(all, func(a, b *life) int { return b.b.Bytes() - a.b.Bytes() })
	fitted := min(len(all), mostFitted)
	for fitted > 0 && fitted < len(all) && all[fitted].b.Bytes() == all[fitted-1].b.Bytes() {
		fitted--
	}
	arena = fit(all[:fitted])
	return arena + sweep(all[fitted:], arena)
}

// lives lists the temporaries in the order in which they are first needed.
func lives(p *lower.Program) (all []*life) {
	known := map[*lower.Buffer]*life{}
	see := func(b *lower.Buffer, step int) {
		if b.Storage != lower.Temporary {
			return
		}
		l := known[b]
		if l == nil {
			l = &life{b: b, first: step}
			known[b] = l
			all = append(all, l)
		}
		l.last = step
	}
	for i, s := range p.Steps {
		for _, b := range s.Writes {
			see(b, i)
		}
		for _, b := range s.Reads {
			see(b, i)
		}
	}
	return all
}

// fit gives each temporary, in the order given, the lowest place that is free, and returns the size of all.
func fit(lives []*life) (size int) {
	var placed []*life // by offset
	for _, l := range lives {
		at := 0
		for _, other := range placed {
			if other.first > l.last || other.last < l.first {
				continue
			}
			if at+l.b.Bytes() <= other.b.Offset {
				break
			}
			at = max(at, roundUp(other.b.Offset+other.b.Bytes()))
		}
		l.b.Offset = at
		size = max(size, at+l.b.Bytes())
		where, _ := slices.BinarySearchFunc(placed, at, func(o *life, at int) int { return o.b.Offset - at })
		placed = slices.Insert(placed, where, l)
	}
	return roundUp(size)
}

// sweep gives each temporary a place from base on as its first step comes, and returns the size of all.
func sweep(lives []*life, base int) (size int) {
	starts, ends := slices.Clone(lives), slices.Clone(lives)
	slices.SortStableFunc(starts, func(a, b *life) int { return a.first - b.first })
	slices.SortStableFunc(ends, func(a, b *life) int { return a.last - b.last })
	h := heap{at: map[int]int{}, to: map[int]int{}, of: map[int][]int{}}
	for _, l := range starts {
		for ends[0].last < l.first {
			h.free(ends[0].b.Offset-base, block(ends[0].b))
			ends = ends[1:]
		}
		l.b.Offset = base + h.allocate(block(l.b))
	}
	return h.size
}

// block is the size of the block that holds b, which is not empty.
func block(b *lower.Buffer) int { return max(alignment, roundUp(b.Bytes())) }

// heap hands out places: the smallest free block that is large enough, and otherwise a new one at the end.
type heap struct {
	size  int
	at    map[int]int   // the sizes of free blocks by where they begin
	to    map[int]int   // where free blocks begin, by where they end
	sizes []int         // of free blocks, ascending
	of    map[int][]int // where blocks of a size begin; some of them may be free no longer
}

func (h *heap) allocate(size int) (at int) {
	i, _ := slices.BinarySearch(h.sizes, size)
	for i < len(h.sizes) {
		found := h.sizes[i]
		blocks := h.of[found]
		for len(blocks) > 0 {
			at, blocks = blocks[len(blocks)-1], blocks[:len(blocks)-1]
			h.of[found] = blocks
			if h.at[at] == found {
				h.take(at)
				if found > size {
					h.add(at+size, found-size)
				}
				return at
			}
		}
		delete(h.of, found)
		h.sizes = slices.Delete(h.sizes, i, i+1)
	}
	at = h.size
	h.size += size
	return at
}

// free gives a block back and joins it with its neighbors.
func (h *heap) free(at, size int) {
	if before, ok := h.to[at]; ok {
		at, size = before, size+h.take(before)
	}
	if h.at[at+size] > 0 {
		size += h.take(at + size)
	}
	h.add(at, size)
}

// take makes a free block one in use, and returns its size.
func (h *heap) take(at int) (size int) {
	size = h.at[at]
	delete(h.at, at)
	delete(h.to, at+size)
	return size
}

func (h *heap) add(at, size int) {
	h.at[at], h.to[at+size] = size, at
	if _, ok := h.of[size]; !ok {
		i, _ := slices.BinarySearch(h.sizes, size)
		h.sizes = slices.Insert(h.sizes, i, size)
	}
	h.of[size] = append(h.of[size], at)
}

func roundUp(n int) int { return (n + alignment - 1) &^ (alignment - 1) }
