package cpu

// Finds the assembly functions of a level in the generated tables.

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// atLevel picks from a pair for AVX2 and AVX512; plain Go has none.
func atLevel[F any](l Level, pair [2]F) (f F) {
	if l == Go {
		return f
	}
	return pair[l-AVX2]
}

func fastFunction(l Level, k kernel) Vec {
	switch k {
	case kernel{scalar.Sin, F32}:
		return atLevel(l, [2]Vec{
			func(dst, a, _, _ unsafe.Pointer, n int) { sinCos(scalar.Sin, vecSinF32AVX2, dst, a, n) },
			func(dst, a, _, _ unsafe.Pointer, n int) { sinCos(scalar.Sin, vecSinF32AVX512, dst, a, n) },
		})
	case kernel{scalar.Cos, F32}:
		return atLevel(l, [2]Vec{
			func(dst, a, _, _ unsafe.Pointer, n int) { sinCos(scalar.Cos, vecCosF32AVX2, dst, a, n) },
			func(dst, a, _, _ unsafe.Pointer, n int) { sinCos(scalar.Cos, vecCosF32AVX512, dst, a, n) },
		})
	}
	return atLevel(l, functionTable[k])
}

// sinCos runs a kernel that ends before arguments of more than 100000, whose reduction needs more digits than it has. They
// are computed one by one, the elements around them by the kernel, so that no element's bits depend on its neighbours.
func sinCos(f scalar.Func, kernel func(dst, a unsafe.Pointer, n int) int, dst, a unsafe.Pointer, n int) {
	const size, most = 4, 16
	done := kernel(dst, a, n)
	for done < n {
		x := *(*float32)(unsafe.Add(a, done*size))
		if kernel(unsafe.Add(dst, done*size), unsafe.Add(a, done*size), 1) == 0 {
			*(*float32)(unsafe.Add(dst, done*size)) = scalar.F32(f, x, 0, 0)
		}
		done++
		if done%most == 0 { // past the vector that held the argument
			done += kernel(unsafe.Add(dst, done*size), unsafe.Add(a, done*size), n-done)
		}
	}
}

func fastConvert(l Level, c conversion) Vec { return atLevel(l, castTable[c]) }

func fastRowReduction(Level, reduction) Rows { return nil }

func fastColumnReduction(Level, reduction) Rows { return nil }

func fastSplat(Level, int) Rows { return nil }

func fastTranspose(Level) TransposeFunc { return nil }
