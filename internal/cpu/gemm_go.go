// The plain-Go level of the matrix product: a tile of 4x2 sums in local variables, for either element type. A larger tile
// needs more registers than amd64 has, and was measured to be slower.

package cpu

import "unsafe"

// goGemm32 and goGemm64 are the kernels of the plain-Go level. A vector is four columns.
var (
	goGemm32 = goGemmKernels[float32]()
	goGemm64 = goGemmKernels[float64]()
)

func goGemmKernels[T float32 | float64]() *gemmKernels {
	ks := &gemmKernels{width: 4, rows: 4, panel: 2, grain: 1 << 13, aliasing: 4096}
	for rows := 1; rows <= 4; rows++ {
		for vectors := 1; vectors <= 2; vectors++ {
			ks.tile[rows][vectors] = func(k int, a *byte, aRow, aCol int, b *byte, bRow int, c *byte, cRow int, lanes int, add bool, blocks, aNext, bNext int, _ *byte) {
				pa, pb := unsafe.Pointer(a), unsafe.Pointer(b)
				for i := range blocks {
					goTiles[T](rows, 4*(vectors-1)+lanes, k, unsafe.Add(pa, i*(k*aCol+aNext)), aRow, aCol, unsafe.Add(pb, i*(k*bRow+bNext)), bRow, unsafe.Pointer(c), cRow, add)
					add = true
				}
			}
		}
	}
	return ks
}

// goTiles computes rows by cols elements of C, in tiles of 4x2 as far as they go.
func goTiles[T float32 | float64](rows, cols, k int, a unsafe.Pointer, aRow, aCol int, b unsafe.Pointer, bRow int, c unsafe.Pointer, cRow int, add bool) {
	size := int(unsafe.Sizeof(T(0)))
	j := 0
	if rows == 4 {
		for ; j+2 <= cols; j += 2 {
			goTile4x2[T](k, a, aRow, aCol, unsafe.Add(b, j*size), bRow, unsafe.Add(c, j*size), cRow, add)
		}
	}
	for ; j < cols; j++ {
		for i := range rows {
			var sum T
			for p := range k {
				sum += *(*T)(unsafe.Add(a, i*aRow+p*aCol)) * *(*T)(unsafe.Add(b, p*bRow+j*size))
			}
			out := (*T)(unsafe.Add(c, i*cRow+j*size))
			if add {
				sum += *out
			}
			*out = flush(sum)
		}
	}
}

// goTile4x2 computes a full tile.
func goTile4x2[T float32 | float64](k int, a unsafe.Pointer, aRow, aCol int, b unsafe.Pointer, bRow int, c unsafe.Pointer, cRow int, add bool) {
	var c00, c01, c10, c11, c20, c21, c30, c31 T
	for p := range k {
		row := (*[2]T)(unsafe.Add(b, p*bRow))
		b0, b1 := row[0], row[1]
		ap := unsafe.Add(a, p*aCol)
		x := *(*T)(ap)
		c00, c01 = c00+x*b0, c01+x*b1
		x = *(*T)(unsafe.Add(ap, aRow))
		c10, c11 = c10+x*b0, c11+x*b1
		x = *(*T)(unsafe.Add(ap, 2*aRow))
		c20, c21 = c20+x*b0, c21+x*b1
		x = *(*T)(unsafe.Add(ap, 3*aRow))
		c30, c31 = c30+x*b0, c31+x*b1
	}
	for i, r := range [4][2]T{{c00, c01}, {c10, c11}, {c20, c21}, {c30, c31}} {
		out := (*[2]T)(unsafe.Add(c, i*cRow))
		if add {
			r[0] += out[0]
			r[1] += out[1]
		}
		*out = [2]T{flush(r[0]), flush(r[1])}
	}
}
