//go:build amd64 || arm64

package cpu

// Finds the assembly functions of a level in the generated tables.

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// perLevel has a function for each level of the architecture but plain Go.
type perLevel[F any] [assemblyLevels]F

// atLevel picks the function of a level; plain Go has none.
func atLevel[F any](l Level, all perLevel[F]) (f F) {
	if l == Go {
		return f
	}
	return all[l-firstAssembly]
}

// partial is a kernel that ends before elements which it cannot do, and returns how many it has done.
type partial func(dst, a unsafe.Pointer, n int) int

// whole are the functions made of the partial kernels of each level, found once: making one allocates.
var whole = func() map[kernel]perLevel[Vec] {
	all := map[kernel]perLevel[Vec]{}
	for k, each := range partialTable {
		var v perLevel[Vec]
		for i, f := range each {
			v[i] = func(dst, a, _, _ unsafe.Pointer, n int) { completed(k, f, dst, a, n) }
		}
		all[k] = v
	}
	return all
}()

func fastFunction(l Level, k kernel) Vec {
	if v := atLevel(l, whole[k]); v != nil {
		return v
	}
	return atLevel(l, functionTable[k])
}

// completed runs a kernel that ends before arguments of more than 100000, whose reduction needs more digits than it has. They
// are computed one by one, the elements around them by the kernel, so that no element's bits depend on its neighbors.
func completed(k kernel, f partial, dst, a unsafe.Pointer, n int) {
	const most = 16
	size := k.dt.Size()
	done := f(dst, a, n)
	for done < n {
		to, from := unsafe.Add(dst, done*size), unsafe.Add(a, done*size)
		if f(to, from, 1) == 0 {
			if k.dt == F32 {
				*(*float32)(to) = scalar.F32(k.f, *(*float32)(from), 0, 0)
			} else {
				*(*float64)(to) = scalar.F64(k.f, *(*float64)(from), 0, 0)
			}
		}
		done++
		if done%most == 0 && done < n { // past the vector that held the argument
			done += f(unsafe.Add(dst, done*size), unsafe.Add(a, done*size), n-done)
		}
	}
}

func fastConvert(l Level, c conversion) Vec { return atLevel(l, castTable[c]) }

func fastRowReduction(l Level, r reduction) Rows { return atLevel(l, rowTable[r]) }

func fastColumnReduction(l Level, r reduction) Rows { return atLevel(l, columnTable[r]) }

func fastRowSquares(l Level, dt DType) Rows { return atLevel(l, squareTable[dt]) }

func fastSplat(l Level, size int) Rows { return atLevel(l, splatTable[size]) }

// transposeTiles has the kernel transpose whole tiles of transposeBytes a side, in blocks whose both sides fit into the first-level
// cache, and plain Go the edges.
func transposeTiles[T any](kernel TransposeFunc, dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int) {
	const side = 64
	size := int(unsafe.Sizeof(*new(T)))
	tile := transposeBytes / size
	wholeRows, wholeCols := rows/tile*tile, cols/tile*tile
	part := func(f TransposeFunc, r, c, rows, cols int) {
		if rows > 0 && cols > 0 {
			f(unsafe.Add(dst, (c*dstStride+r)*size), unsafe.Add(src, (r*srcStride+c)*size), rows, cols, dstStride, srcStride)
		}
	}
	for r := 0; r < wholeRows; r += side {
		for c := 0; c < wholeCols; c += side {
			part(kernel, r, c, min(side, wholeRows-r), min(side, wholeCols-c))
		}
	}
	part(transpose[T], wholeRows, 0, rows-wholeRows, cols)
	part(transpose[T], 0, wholeCols, wholeRows, cols-wholeCols)
}
