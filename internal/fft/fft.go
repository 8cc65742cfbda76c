// Package fft computes discrete Fourier transforms of any length, of complex and of real numbers, in f64. What depends on the length
// alone, the roots of unity, is a table that the caller keeps. Nothing is allocated: the scratch of a transform is an argument, whose contents do not matter.
//
// A transform takes one pass for each factor of its length, from one array to another and in an order such that the result needs no
// permutation (Stockham; Van Loan 1992, Computational Frameworks for the Fast Fourier Transform). Lengths with a large prime factor are a
// convolution of a length without (Bluestein 1970).
package fft

import (
	"math"
	"math/bits"
)

// mostRadix is the largest prime for which a pass is quicker than Bluestein's convolution.
const mostRadix = 31

// passes are the factors of a length, in the order of the passes.
type passes struct {
	radix [64]uint8
	count int
}

// factor returns the factors of n, fours before the rest. It reports whether none is larger than mostRadix.
func factor(n int) (p passes, ok bool) {
	for r := 4; n > 1; {
		for n%r == 0 {
			p.radix[p.count] = uint8(r)
			p.count++
			n /= r
		}
		switch r {
		case 4:
			r = 2
		case 2:
			r = 3
		default:
			r += 2
		}
		if r > mostRadix {
			break
		}
	}
	return p, n == 1
}

// convolution returns the length of the transforms by which Bluestein's method computes one of length n: the least that is at least 2n - 1 and a
// power of two times 1, 3, 5, 9 or 15.
func convolution(n int) int {
	best := 0
	for _, odd := range [5]int{1, 3, 5, 9, 15} {
		m := odd << bits.Len(uint((2*n-2)/odd))
		if best == 0 || m < best {
			best = m
		}
	}
	return best
}

// smoothTable is the number of roots that the passes of a length need.
func smoothTable(n int) int {
	p, _ := factor(n)
	size := 0
	for i, r := range p.radix[:p.count] {
		r := int(r)
		n /= r
		size += n * (r - 1)
		if i == 0 && r == 4 {
			size += n
		}
		if r > 5 {
			size += r
		}
	}
	return size
}

// TableSize is the length of the table of transforms of length n.
func TableSize(n int) int {
	if _, ok := factor(n); ok {
		return smoothTable(n)
	}
	m := convolution(n)
	return n + m + smoothTable(m)
}

// WorkSize is the length of the scratch of transforms of length n.
func WorkSize(n int) int {
	if _, ok := factor(n); ok {
		return n
	}
	return 2 * convolution(n)
}

// root returns exp(-2 pi i k/n), exact up to rounding: the angle is brought into an eighth of the circle first.
func root(k, n int) complex128 {
	k %= n
	eighth := 8 * k / n
	part := 8*k - eighth*n // angle = pi/4 (eighth + part/n)
	if eighth%2 == 1 {
		part = n - part
	}
	sin, cos := math.Sincos(math.Pi / 4 * float64(part) / float64(n))
	if eighth%4 == 1 || eighth%4 == 2 {
		sin, cos = cos, sin
	}
	if eighth >= 2 && eighth < 6 {
		cos = -cos
	}
	if eighth < 4 {
		sin = -sin
	}
	return complex(cos, sin)
}

// Fill stores the table of transforms of length n, whose length is TableSize.
func Fill(table []complex128, n int) {
	if _, ok := factor(n); ok {
		fillSmooth(table, n)
		return
	}
	m := convolution(n)
	chirp, spectrum, rest := table[:n], table[n:n+m], table[n+m:]
	fillSmooth(rest, m)
	clear(spectrum)
	square := 0 // k^2 modulo 2n
	for k := range chirp {
		chirp[k] = root(square, 2*n)
		conjugate := complex(real(chirp[k]), -imag(chirp[k])) / complex(float64(m), 0)
		spectrum[k] = conjugate
		if k > 0 {
			spectrum[m-k] = conjugate
		}
		square = (square + 2*k + 1) % (2 * n)
	}
	smooth(spectrum, make([]complex128, m), rest)
}

func fillSmooth(table []complex128, n int) {
	p, _ := factor(n)
	at := 0
	for pass, r := range p.radix[:p.count] {
		r := int(r)
		m := n / r
		first := 1
		if pass == 0 && r == 4 {
			first = 0
		}
		for i := range m {
			for j := first; j < r; j++ {
				table[at] = root(i*j, n)
				at++
			}
		}
		if r > 5 {
			for j := range r {
				table[at] = root(j, r)
				at++
			}
		}
		n = m
	}
}

// Transform replaces x by its discrete Fourier transform, the sums over k of x_k exp(-2 pi i j k / n) for each j, by means of the table and scratch of
// its length.
func Transform(x, work, table []complex128) {
	n := len(x)
	if _, ok := factor(n); ok {
		smooth(x, work[:n], table)
		return
	}
	// j k = (j^2 + k^2 - (j-k)^2) / 2: the chirp times the convolution of the conjugate chirp and the chirp times x.
	m := convolution(n)
	chirp, spectrum, rest := table[:n], table[n:n+m], table[n+m:]
	padded, work := work[:m], work[m:2*m]
	for k, c := range chirp {
		padded[k] = x[k] * c
	}
	clear(padded[n:])
	smooth(padded, work, rest)
	for k, c := range spectrum {
		y := padded[k] * c
		padded[k] = complex(imag(y), real(y)) // the inverse is a transform with real and imaginary parts exchanged
	}
	smooth(padded, work, rest)
	for k, c := range chirp {
		x[k] = complex(imag(padded[k]), real(padded[k])) * c
	}
}

// smooth is Transform of a length without large prime factors. A pass of radix r reads r sections of one array, and writes groups of r runs of
// the other; a run has as many elements as the product of the radices before.
func smooth(x, work, table []complex128) {
	p, _ := factor(len(x))
	from, to, run := x, work, 1
	for _, r := range p.radix[:p.count] {
		r := int(r)
		m := len(x) / run / r
		size := m * (r - 1)
		if run == 1 && r == 4 {
			size = m * r
		}
		roots := table[:size]
		table = table[size:]
		switch {
		case r == 4 && run == 1:
			pass4First(to, from, roots)
		case passVectors(r, to, from, roots, m, run):
		case r == 4:
			pass4(to, from, roots, m, run)
		case r == 2:
			pass2(to, from, roots, m, run)
		case r == 3:
			pass3(to, from, roots, m, run)
		case r == 5:
			pass5(to, from, roots, m, run)
		default:
			passAny(to, from, roots, table[:r], m, run)
			table = table[r:]
		}
		from, to, run = to, from, run*r
	}
	if p.count%2 == 1 {
		copy(x, from)
	}
}
