package cpu

// Data movement inside of blocks: spreading a value along a row or a row over rows, counting up, strided reads, and the
// transpose. None of them looks at the values, so elements of one size share the code.

import "unsafe"

// Splat returns the function that sets dst[r,c] = src[r]: each element of src along a whole row.
func Splat(dt DType) Rows {
	if s := fastSplat(Current(), dt.Size()); s != nil {
		return s
	}
	switch dt.Size() {
	case 1:
		return splat[uint8]
	case 2:
		return splat[uint16]
	case 4:
		return splat[uint32]
	}
	return splat[uint64]
}

func splat[T any](dst, src unsafe.Pointer, rows, cols int) {
	d := block[T](dst, rows*cols)
	for _, v := range block[T](src, rows) {
		row := d[:cols]
		for i := range row {
			row[i] = v
		}
		d = d[cols:]
	}
}

// Tile returns the function that sets dst[r,c] = src[c]: the row src in each row.
func Tile(dt DType) Rows {
	size := dt.Size()
	return func(dst, src unsafe.Pointer, rows, cols int) {
		d, s := block[byte](dst, rows*cols*size), block[byte](src, cols*size)
		for len(d) > 0 {
			d = d[copy(d, s):]
		}
	}
}

// Fill returns the function that sets dst[i] = *src.
func Fill(dt DType) func(dst, src unsafe.Pointer, n int) {
	splat := Splat(dt)
	return func(dst, src unsafe.Pointer, n int) { splat(dst, src, 1, n) }
}

// Gather returns the function that sets dst[i] = src[i*stride]. The stride may be negative.
func Gather(dt DType) func(dst, src unsafe.Pointer, n, stride int) {
	switch dt.Size() {
	case 1:
		return gather[uint8]
	case 2:
		return gather[uint16]
	case 4:
		return gather[uint32]
	}
	return gather[uint64]
}

func gather[T any](dst, src unsafe.Pointer, n, stride int) {
	d := block[T](dst, n)
	step := stride * int(unsafe.Sizeof(d[0]))
	for i := range d {
		d[i] = *(*T)(unsafe.Add(src, i*step))
	}
}

// TransposeFunc sets dst[c*dstStride+r] = src[r*srcStride+c] for rows x cols elements of src; strides count elements.
type TransposeFunc func(dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int)

// Transpose returns the transpose for elements of 1, 2, 4 or 8 bytes.
func Transpose(elemSize int) TransposeFunc {
	if t := fastTranspose(Current(), elemSize); t != nil {
		return t
	}
	switch elemSize {
	case 1:
		return transpose[uint8]
	case 2:
		return transpose[uint16]
	case 4:
		return transpose[uint32]
	case 8:
		return transpose[uint64]
	}
	return nil
}

// transposeTile is the side of the square tiles of a transpose: the lines that a tile reads and writes stay in the cache
// until they are done with.
const transposeTile = 16

func transpose[T any](dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int) {
	const tile = transposeTile
	size := int(unsafe.Sizeof(*new(T)))
	for r0 := 0; r0 < rows; r0 += tile {
		height := min(tile, rows-r0)
		for c0 := 0; c0 < cols; c0 += tile {
			for c := c0; c < min(c0+tile, cols); c++ {
				column := block[T](unsafe.Add(dst, (c*dstStride+r0)*size), height)
				from := unsafe.Add(src, (r0*srcStride+c)*size)
				for r := range column {
					column[r] = *(*T)(unsafe.Add(from, r*srcStride*size))
				}
			}
		}
	}
}
