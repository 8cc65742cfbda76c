package fft

// This file holds the passes. For i below m and each element q of a run, the transform of the r elements x at (i + k m) run + q, for k
// below r, times the powers of the ith root, goes to (i r + j) run + q, for j below r.

// pass4First is pass4 of runs of one element. There are four roots for each i, of which the first is 1: so they lie as the results do.
func pass4First(y, x, roots []complex128) {
	m := len(x) / 4
	x0, x1, x2, x3 := x[:m], x[m:2*m], x[2*m:3*m], x[3*m:4*m]
	for i := pass4FirstVectors(y, x, roots); i < m; i++ {
		a, b, c, d := x0[i], x1[i], x2[i], x3[i]
		w, out := roots[4*i:4*i+4], y[4*i:4*i+4]
		s, t := a+c, a-c
		u, v := b+d, turn(b-d)
		out[0] = s + u
		out[1] = (t + v) * w[1]
		out[2] = (s - u) * w[2]
		out[3] = (t - v) * w[3]
	}
}

func pass4(y, x, roots []complex128, m, run int) {
	step := m * run
	for i := range m {
		w1, w2, w3 := roots[3*i], roots[3*i+1], roots[3*i+2]
		in, out := x[i*run:], y[4*i*run:]
		x0, x1, x2, x3 := in[:run], in[step:][:run], in[2*step:][:run], in[3*step:][:run]
		y0, y1, y2, y3 := out[:run], out[run:][:run], out[2*run:][:run], out[3*run:][:run]
		for q, a := range x0 {
			b, c, d := x1[q], x2[q], x3[q]
			s, t := a+c, a-c
			u, v := b+d, turn(b-d)
			y0[q], y1[q], y2[q], y3[q] = s+u, (t+v)*w1, (s-u)*w2, (t-v)*w3
		}
	}
}

// turn is x times -i.
func turn(x complex128) complex128 { return complex(imag(x), -real(x)) }

func pass2(y, x, roots []complex128, m, run int) {
	step := m * run
	for i := range m {
		w := roots[i]
		in, out := x[i*run:], y[2*i*run:]
		x0, x1, y0, y1 := in[:run], in[step:][:run], out[:run], out[run:][:run]
		for q, a := range x0 {
			b := x1[q]
			y0[q], y1[q] = a+b, (a-b)*w
		}
	}
}

func pass3(y, x, roots []complex128, m, run int) {
	const half = 0.86602540378443864676 // the sine of a third of the circle
	step := m * run
	for i := range m {
		w1, w2 := roots[2*i], roots[2*i+1]
		in, out := x[i*run:], y[3*i*run:]
		x0, x1, x2 := in[:run], in[step:][:run], in[2*step:][:run]
		y0, y1, y2 := out[:run], out[run:][:run], out[2*run:][:run]
		for q, a := range x0 {
			b, c := x1[q], x2[q]
			sum, d := b+c, b-c
			mean := complex(real(a)-real(sum)/2, imag(a)-imag(sum)/2)
			d = complex(half*imag(d), -half*real(d))
			y0[q], y1[q], y2[q] = a+sum, (mean+d)*w1, (mean-d)*w2
		}
	}
}

func pass5(y, x, roots []complex128, m, run int) {
	const (
		cos1, sin1 = 0.30901699437494742410, 0.95105651629515357212
		cos2, sin2 = -0.80901699437494742410, 0.58778525229247312917
	)
	step := m * run
	for i := range m {
		w := roots[4*i : 4*i+4]
		in, out := x[i*run:], y[5*i*run:]
		x0, x1, x2, x3, x4 := in[:run], in[step:][:run], in[2*step:][:run], in[3*step:][:run], in[4*step:][:run]
		y0, y1, y2, y3, y4 := out[:run], out[run:][:run], out[2*run:][:run], out[3*run:][:run], out[4*run:][:run]
		for q, a := range x0 {
			s1, d1, s2, d2 := x1[q]+x4[q], x1[q]-x4[q], x2[q]+x3[q], x2[q]-x3[q]
			m1 := complex(real(a)+cos1*real(s1)+cos2*real(s2), imag(a)+cos1*imag(s1)+cos2*imag(s2))
			m2 := complex(real(a)+cos2*real(s1)+cos1*real(s2), imag(a)+cos2*imag(s1)+cos1*imag(s2))
			t1 := complex(sin1*imag(d1)+sin2*imag(d2), -sin1*real(d1)-sin2*real(d2))
			t2 := complex(sin2*imag(d1)-sin1*imag(d2), -sin2*real(d1)+sin1*real(d2))
			y0[q] = a + s1 + s2
			y1[q], y4[q] = (m1+t1)*w[0], (m1-t1)*w[3]
			y2[q], y3[q] = (m2+t2)*w[1], (m2-t2)*w[2]
		}
	}
}

// passAny is the pass of an odd prime, given its roots. Elements k and r - k have roots that are conjugates.
func passAny(y, x, roots, prime []complex128, m, run int) {
	r, step := len(prime), m*run
	var sums, differences [mostRadix/2 + 1]complex128
	for i := range m {
		w := roots[(r-1)*i : (r-1)*(i+1)]
		for q := range run {
			in, out := x[i*run+q:], y[r*i*run+q:]
			first := in[0]
			total := first
			for k := 1; k <= r/2; k++ {
				a, b := in[k*step], in[(r-k)*step]
				sums[k], differences[k] = a+b, a-b
				total += sums[k]
			}
			out[0] = total
			for j := 1; j <= r/2; j++ {
				even, odd := first, complex128(0)
				for k, at := 1, j; k <= r/2; k++ {
					cos, sin := real(prime[at]), imag(prime[at])
					even += complex(cos*real(sums[k]), cos*imag(sums[k]))
					odd += complex(-sin*imag(differences[k]), sin*real(differences[k]))
					if at += j; at >= r {
						at -= r
					}
				}
				out[j*run], out[(r-j)*run] = (even+odd)*w[j-1], (even-odd)*w[r-j-1]
			}
		}
	}
}
