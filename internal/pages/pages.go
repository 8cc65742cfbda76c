// Package pages gives large arrays memory in the system's large pages, of 2 MiB. A processor keeps the addresses of few pages at hand, so that
// with the usual pages of 4 KiB a program that walks over tens of megabytes looks addresses up all the time, and the first touch of each page is a
// call of the system.
//
// A Block is memory of its own, outside of Go's heap, for what nobody but its owner has addresses of. Memory of tensors, which programs hold
// slices of, stays in the heap, where nothing that is reachable is freed: Touch gives it large pages there.
//
// Memory comes in the background where that helps: a goroutine asks the system for the pages of one array after the other, while the program
// is traced and compiled. A page that is touched before comes as usual.
//
// Some virtual machines lend their free memory to others, and take it back page by page when it is touched: there large pages are slow to come, while
// small ones are left from before. So the first large pages are timed, and if they are slow the process takes small ones from then on, and leaves it to
// the system to join them later.
package pages

import (
	"runtime"
	"sync"
	"unsafe"
	"weak"
)

// Size is the size of a large page in bytes.
const Size = 2 << 20

// Block is zeroed memory, freed once the Block is unreachable. Its user must keep the Block reachable.
type Block struct{ start unsafe.Pointer }

// Start returns the address of the first byte, which is that of a large page if the system has them.
func (b *Block) Start() unsafe.Pointer { return b.start }

// mapped are the blocks that have been taken from the system and not freed, by number.
var mapped struct {
	sync.Mutex
	blocks map[uint64]mapping
	next   uint64
	bytes  int
}

// mapping is the memory of a block. The weak pointer tells whether anybody has the block.
type mapping struct {
	memory []byte
	block  weak.Pointer[Block]
	pages  *arrival
}

// New returns a block of that many bytes.
func New(bytes int) *Block {
	memory := take(bytes)
	if memory == nil { // the system has none, or does not do this: the heap knows what that means
		words := make([]uint64, (bytes+63)/8+8)
		p := unsafe.Pointer(unsafe.SliceData(words))
		return &Block{unsafe.Add(p, -uintptr(p)&63)}
	}
	start := unsafe.Pointer(unsafe.SliceData(memory))
	b := &Block{unsafe.Add(start, -uintptr(start)&(Size-1))}
	a := &arrival{start: uintptr(b.start), bytes: bytes}
	if populates() {
		a.begin()
	} else {
		touch(b.start, bytes)
	}
	mapped.Lock()
	defer mapped.Unlock()
	if mapped.blocks == nil {
		mapped.blocks = map[uint64]mapping{}
	}
	id := mapped.next
	mapped.next++
	mapped.blocks[id] = mapping{memory, weak.Make(b), a}
	mapped.bytes += len(memory)
	runtime.AddCleanup(b, free, id)
	return b
}

// free returns the memory of a block to the system, unless Collect has done so.
func free(id uint64) {
	mapped.Lock()
	defer mapped.Unlock()
	if m, ok := mapped.blocks[id]; ok {
		release(id, m)
	}
}

// Collect collects garbage, and frees the blocks that nobody has, without waiting for the runtime to get to them. An array whose pages are coming is garbage
// like others.
func Collect() {
	coming.Lock()
	runtime.GC()
	coming.Unlock()
	mapped.Lock()
	defer mapped.Unlock()
	for id, m := range mapped.blocks {
		if m.block.Value() == nil {
			release(id, m)
		}
	}
}

// release returns memory to the system. The caller holds the lock.
func release(id uint64, m mapping) {
	delete(mapped.blocks, id)
	mapped.bytes -= len(m.memory)
	m.pages.end()
	give(m.memory)
}

// Touch makes the system give memory to an array that has just been allocated and is all zeros, in large pages if it is large. The large pages at its
// ends may hold other objects as well, for which nothing changes. The pages of a large array may come after Touch has returned.
//
// A small page that is read before it is written would be mapped to the system's page of zeros, and the write must then change the mapping in all
// threads, which costs more than the page.
func Touch(p unsafe.Pointer, bytes int) {
	if bytes >= leastLater && populates() {
		(&arrival{heap: true, array: weak.Make((*byte)(p)), start: uintptr(p), bytes: bytes}).begin()
	} else {
		touch(p, bytes)
	}
}

// touch writes to each page, where the system knows no other way.
func touch(p unsafe.Pointer, bytes int) {
	const page = 4096
	for at := 0; at < bytes; at += page {
		*(*byte)(unsafe.Add(p, at)) = 0
	}
}

// The sizes of arrays, in bytes, that are worth calls of the system.
const (
	leastLarge = 1 << 20  // in large pages
	leastLater = 64 << 10 // at all
)

// InUse returns the bytes of all blocks that have memory of their own, which Go's heap does not count.
func InUse() int {
	mapped.Lock()
	defer mapped.Unlock()
	return mapped.bytes
}
