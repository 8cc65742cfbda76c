package cpu

// Sorting by the digits of keys: each element becomes an unsigned number that orders as it does, with its place beside it, and passes over one
// digit after the other, the last first, put the numbers in order. (Knuth 1998, The art of computer programming 3, section 5.2.5.)

import (
	"cmp"
	"math"
	"slices"
	"unsafe"
)

// Element is a type that can be sorted. Bools are bytes.
type Element interface {
	uint8 | int32 | int64 | float32 | float64
}

// Digits of a key. Short rows have digits of 8 bits, for which there is less to count.
const (
	wideDigit   = 11
	shortDigit  = 8
	longRow     = 1 << 14 // elements from which a row is long
	sortByPairs = 48      // elements up to which comparing is faster than counting
)

// keyed is an element of 64 bits: its key and its place.
type keyed struct {
	key uint64
	at  int64
}

// ArgSortWork returns the number of float64 of memory that ArgSort needs for rows of n elements of the given size.
func ArgSortWork(n, size int) int {
	if packed(n, size) {
		return 2*n + digits(n, 32)<<digitBits(n)/2
	}
	return 4*n + digits(n, 64)<<digitBits(n)/2
}

// packed reports whether key and place fit into 64 bits.
func packed(n, size int) bool { return size <= 4 && n <= math.MaxUint32 }

func digitBits(n int) int {
	if n >= longRow {
		return wideDigit
	}
	return shortDigit
}

// digits is the number of digits of a key of so many bits.
func digits(n, bits int) int { return (bits + digitBits(n) - 1) / digitBits(n) }

// ArgSort sets kept to the places of the elements of x that come first in ascending or descending order. Equal elements keep their order,
// and NaN counts as larger than every number. The contents of work do not matter; ArgSortWork says how much there must be.
func ArgSort[T Element](kept []int64, x []T, descending bool, work []float64) {
	n, size := len(x), int(unsafe.Sizeof(*new(T)))
	if n == 0 || len(kept) == 0 {
		return
	}
	memory := unsafe.Pointer(unsafe.SliceData(work))
	flip := uint64(0)
	if packed(n, size) {
		if descending {
			flip = math.MaxUint32
		}
		all := block[uint64](memory, 2*n)
		a, b := all[:n], all[n:]
		for i, v := range x {
			a[i] = (key32(v)^flip)<<32 | uint64(i)
		}
		switch {
		case len(kept) < n/8: // the first elements are a heap with the last of them on top, which others replace
			a = firstOf(a, len(kept))
			slices.Sort(a)
		case n <= sortByPairs:
			slices.Sort(a)
		default:
			a = byDigits(a, b, unsafe.Add(memory, 16*n))
		}
		for i := range kept {
			kept[i] = int64(uint32(a[i]))
		}
		return
	}
	if descending {
		flip = math.MaxUint64
	}
	all := block[keyed](memory, 2*n)
	a, b := all[:n], all[n:]
	for i, v := range x {
		a[i] = keyed{key64(v) ^ flip, int64(i)}
	}
	if n <= sortByPairs {
		slices.SortFunc(a, func(a, b keyed) int {
			if a.key != b.key {
				return cmp.Compare(a.key, b.key)
			}
			return cmp.Compare(a.at, b.at)
		})
	} else {
		a = wideByDigits(a, b, unsafe.Add(memory, 32*n))
	}
	for i := range kept {
		kept[i] = a[i].at
	}
}

// byDigits sorts packed keys and places by the keys and returns the one of a and b that holds the result. counts is memory for the places of
// all digits. A digit that is the same in all keys costs no pass.
func byDigits(a, b []uint64, counts unsafe.Pointer) []uint64 {
	width := digitBits(len(a))
	places, mask := 1<<width, uint64(1)<<width-1
	count := block[uint32](counts, digits(len(a), 32)*places)
	clear(count)
	if width == shortDigit {
		count := (*[4][1 << shortDigit]uint32)(counts)
		for _, v := range a {
			count[0][uint8(v>>32)]++
			count[1][uint8(v>>40)]++
			count[2][uint8(v>>48)]++
			count[3][uint8(v>>56)]++
		}
	} else {
		count := (*[3][1 << wideDigit]uint32)(counts)
		for _, v := range a {
			count[0][v>>32&(1<<wideDigit-1)]++
			count[1][v>>43&(1<<wideDigit-1)]++
			count[2][v>>54]++
		}
	}
	for d := 0; d*places < len(count); d++ {
		place, shift := count[d*places:][:places], 32+d*width
		if !sumUp(place, len(a), int(a[0]>>shift&mask)) {
			continue
		}
		for _, v := range a {
			at := &place[v>>(shift&63)&mask]
			b[*at] = v
			*at++
		}
		a, b = b, a
	}
	return a
}

// wideByDigits is byDigits for keys of 64 bits.
func wideByDigits(a, b []keyed, counts unsafe.Pointer) []keyed {
	width := digitBits(len(a))
	places, mask := 1<<width, uint64(1)<<width-1
	count := block[uint32](counts, digits(len(a), 64)*places)
	clear(count)
	for _, v := range a {
		k := v.key
		for d := 0; d < len(count); d += places {
			count[d+int(k&mask)]++
			k >>= width & 63
		}
	}
	for d := 0; d*places < len(count); d++ {
		place, shift := count[d*places:][:places], d*width
		if !sumUp(place, len(a), int(a[0].key>>shift&mask)) {
			continue
		}
		for _, v := range a {
			at := &place[v.key>>(shift&63)&mask]
			b[*at] = v
			*at++
		}
		a, b = b, a
	}
	return a
}

// sumUp turns the numbers of keys with each digit into the places of the first of them, and reports whether not all n keys have the digit.
func sumUp(count []uint32, n, digit int) bool {
	if int(count[digit]) == n {
		return false
	}
	sum := uint32(0)
	for i, c := range count {
		count[i] = sum
		sum += c
	}
	return true
}

// firstOf moves the n smallest numbers of a to its beginning, in no order, and returns them.
func firstOf(a []uint64, n int) []uint64 {
	heap := a[:n]
	for i := n/2 - 1; i >= 0; i-- {
		siftDown(heap, i)
	}
	for _, v := range a[n:] {
		if v < heap[0] {
			heap[0] = v
			siftDown(heap, 0)
		}
	}
	return heap
}

// siftDown moves heap[i] down until neither child is larger.
func siftDown(heap []uint64, i int) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && heap[child+1] > heap[child] {
			child++
		}
		if heap[i] >= heap[child] {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}

// key32 is a number below 2^32 that orders as an element of up to 32 bits does. Both zeros have one key, and NaN has the largest.
func key32[T Element](v T) uint64 {
	switch v := any(v).(type) {
	case float32:
		if v != v {
			return math.MaxUint32
		}
		b := math.Float32bits(v + 0) // -0 + 0 is 0
		return uint64(b ^ (uint32(int32(b)>>31) | 1<<31))
	case int32:
		return uint64(uint32(v) ^ 1<<31)
	case uint8:
		return uint64(v)
	}
	return 0
}

// key64 is key32 for 64 bits, and for smaller elements of very long rows.
func key64[T Element](v T) uint64 {
	switch v := any(v).(type) {
	case float64:
		if v != v {
			return math.MaxUint64
		}
		b := math.Float64bits(v + 0)
		return b ^ (uint64(int64(b)>>63) | 1<<63)
	case int64:
		return uint64(v) ^ 1<<63
	}
	return key32(v)
}
