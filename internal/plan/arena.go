package plan

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file assigns places in the arena to the temporaries. Each gets the lowest place that is free for as long as it is needed, the largest
// temporary first, which wastes the least memory. That takes quadratic time. If a program has very many temporaries, the small ones are
// allocated and freed step by step instead, in a separate part of the arena.

// alignment of every place in the arena: a cache line, and a vector register.
const alignment = 64

// mostFitted bounds the number of temporaries that are compared with each other. Tests change it.
var mostFitted = 4096

// life is a temporary with the first and the last step that use it.
type life struct {
	b           *lower.Buffer
	first, last int
}

// layOut assigns each temporary a place in the arena that no other has while it is needed, and returns the size of the arena.
func layOut(p *lower.Program) (arena int) {
	all := lives(p)
	slices.SortStableFunc(all, func(a, b *life) int { return b.b.Bytes() - a.b.Bytes() })
	fitted := min(len(all), mostFitted)
	// Temporaries of one size are all treated alike.
	for fitted > 0 && fitted < len(all) && all[fitted].b.Bytes() == all[fitted-1].b.Bytes() {
		fitted--
	}
	arena = fit(all[:fitted])
	return arena + sweep(all[fitted:], arena)
}

// lives returns the temporaries in the order of their first use.
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

// fit assigns each temporary in turn the lowest place that is free, and returns the total size.
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

// sweep goes through the steps and gives temporaries places from base on. It returns the size of the whole.
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

// block is the size of the block that holds b; no block is empty.
func block(b *lower.Buffer) int { return max(alignment, roundUp(b.Bytes())) }

// heap allocates the smallest free block that is large enough, or else a new one at the end.
type heap struct {
	size  int
	at    map[int]int   // the sizes of free blocks by where they begin
	to    map[int]int   // where free blocks begin, by where they end
	sizes []int         // of free blocks, ascending
	of    map[int][]int // where free blocks begin, by size; also some that are free no longer
}

// allocate returns where a block begins that is now in use.
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

// free returns a block to the heap and joins it with its free neighbors.
func (h *heap) free(at, size int) {
	if before, ok := h.to[at]; ok {
		at, size = before, size+h.take(before)
	}
	if h.at[at+size] > 0 {
		size += h.take(at + size)
	}
	h.add(at, size)
}

// take removes a free block and returns its size.
func (h *heap) take(at int) (size int) {
	size = h.at[at]
	delete(h.at, at)
	delete(h.to, at+size)
	return size
}

// add adds a free block.
func (h *heap) add(at, size int) {
	h.at[at], h.to[at+size] = size, at
	if _, ok := h.of[size]; !ok {
		i, _ := slices.BinarySearch(h.sizes, size)
		h.sizes = slices.Insert(h.sizes, i, size)
	}
	h.of[size] = append(h.of[size], at)
}

func roundUp(n int) int { return (n + alignment - 1) &^ (alignment - 1) }
