package fft

// This file holds the transforms of real numbers, whose spectrum has a conjugate of each element, so that n/2+1 elements are all. An even
// number of them are taken as half as many complex numbers, the even elements as real and the odd ones as imaginary parts.

// RealTableSize is the length of the table of real transforms of length n.
func RealTableSize(n int) int {
	if n%2 == 1 {
		return TableSize(n)
	}
	return n/2 + TableSize(n/2)
}

// RealWorkSize is the length of the scratch of real transforms of length n.
func RealWorkSize(n int) int {
	if n%2 == 1 {
		return n + WorkSize(n)
	}
	return n/2 + WorkSize(n/2)
}

// FillReal stores the table of real transforms of length n, whose length is RealTableSize.
func FillReal(table []complex128, n int) {
	if n%2 == 1 {
		Fill(table, n)
		return
	}
	for k := range n / 2 {
		table[k] = root(k, n)
	}
	Fill(table[n/2:], n/2)
}

// Element is what elements are stored as.
type Element interface{ float32 | float64 }

// Real stores the first n/2+1 elements of the transform of the n elements of x, times scale, in re and im.
func Real[T Element](re, im, x []T, scale float64, work, table []complex128) {
	n := len(x)
	if n%2 == 1 {
		z, work := work[:n], work[n:]
		for i, v := range x {
			z[i] = complex(float64(v), 0)
		}
		Transform(z, work, table)
		for k := range re {
			re[k], im[k] = T(scale*real(z[k])), T(scale*imag(z[k]))
		}
		im[0] = 0
		return
	}
	h := n / 2
	z, work := work[:h], work[h:]
	roots, table := table[:h], table[h:]
	for i := range z {
		z[i] = complex(float64(x[2*i]), float64(x[2*i+1]))
	}
	Transform(z, work, table)
	// The even elements have the transform (z_k + z*_(h-k))/2, the odd ones (z_k - z*_(h-k))/2i, to be turned by the kth root.
	re[0], im[0] = T(scale*(real(z[0])+imag(z[0]))), 0
	re[h], im[h] = T(scale*(real(z[0])-imag(z[0]))), 0
	scale /= 2
	for k := 1; k < h; k++ {
		a, b := z[k], z[h-k]
		even, odd := complex(real(a)+real(b), imag(a)-imag(b)), complex(imag(a)+imag(b), real(b)-real(a))
		y := even + odd*roots[k]
		re[k], im[k] = T(scale*real(y)), T(scale*imag(y))
	}
}

// RealInverse stores in x the n numbers whose spectrum begins with the n/2+1 elements in re and im, times n and times scale. The imaginary part of
// the first element, and for an even n of the last one, does not matter.
func RealInverse[T Element](x, re, im []T, scale float64, work, table []complex128) {
	n := len(x)
	if n%2 == 1 {
		z, work := work[:n], work[n:]
		z[0] = complex(float64(re[0]), 0)
		for k := 1; k < len(re); k++ { // the inverse, as a transform of the conjugate
			z[k] = complex(float64(re[k]), -float64(im[k]))
			z[n-k] = complex(float64(re[k]), float64(im[k]))
		}
		Transform(z, work, table)
		for i := range x {
			x[i] = T(scale * real(z[i]))
		}
		return
	}
	h := n / 2
	z, work := work[:h], work[h:]
	roots, table := table[:h], table[h:]
	first, last := float64(re[0]), float64(re[h])
	z[0] = complex(first-last, first+last)
	for k := 1; k < h; k++ {
		a, b := complex(float64(re[k]), float64(im[k])), complex(float64(re[h-k]), -float64(im[h-k]))
		even, odd := a+b, (a-b)*complex(real(roots[k]), -imag(roots[k]))
		y := complex(real(even)-imag(odd), imag(even)+real(odd))
		z[k] = complex(imag(y), real(y)) // the inverse, with real and imaginary parts exchanged
	}
	Transform(z, work, table)
	for i, v := range z {
		x[2*i], x[2*i+1] = T(scale*imag(v)), T(scale*real(v))
	}
}

// Complex stores the transform of the n numbers in re and im, times scale, in yre and yim, or the inverse transform times n.
func Complex[T Element](yre, yim, re, im []T, inverse bool, scale float64, work, table []complex128) {
	if inverse { // the inverse is a transform with real and imaginary parts exchanged
		re, im, yre, yim = im, re, yim, yre
	}
	z, work := work[:len(re)], work[len(re):]
	for i := range z {
		z[i] = complex(float64(re[i]), float64(im[i]))
	}
	Transform(z, work, table)
	for i, v := range z {
		yre[i], yim[i] = T(scale*real(v)), T(scale*imag(v))
	}
}
