package rng

import "math"

// This file draws normal numbers by inverting the normal distribution function, so that one number costs one word and
// a truncated normal is the same inversion of a narrower uniform. Every product is rounded explicitly (float64(a*b))
// before it is added, which forbids fused multiply-add: the same key gives the same bits on every architecture.

// Normal32 is element i of the stream as a standard normal float32; its magnitude is below 6.4.
func Normal32(key Key, i uint64) float32 { return float32(quantile(open32(word(key, i)))) }

// Normal64 is element i of the stream as a standard normal float64; its magnitude is below 8.3.
func Normal64(key Key, i uint64) float64 { return quantile(open64(word64(key, i))) }

// open32 is a uniform number in the open interval (0, 1), never nearer to an end than 2^-33.
func open32(w uint32) float64 { return (float64(w) + 0.5) * 0x1p-32 }

// open64 is a uniform number in the open interval (0, 1), never nearer to an end than 2^-53.
func open64(w uint64) float64 { return (float64(w>>12) + 0.5) * 0x1p-52 }

// FillNormal sets dst[j] to element offset+j of the stream, standard normal.
func FillNormal[F Float](dst []F, key Key, offset int) {
	if dst, ok := any(dst).([]float32); ok && vectorQuantiles() {
		var buf [chunk]uint32
		for i := uint64(offset); len(dst) > 0; i += chunk {
			n := min(len(dst), chunk)
			fillWords(buf[:n], key, i)
			quantiles32(dst[:n], buf[:n])
			dst = dst[n:]
		}
		return
	}
	fillOpen(dst, key, offset, cut{})
}

// FillTruncNormal sets dst[j] to element offset+j of the stream: a standard normal number conditioned to lie in
// [lo, hi], with lo <= hi. For a normal of mean m and deviation s cut at a and b, draw with lo = (a-m)/s and
// hi = (b-m)/s, and scale the result.
func FillTruncNormal[F Float](dst []F, key Key, offset int, lo, hi float64) {
	// Phi loses its digits near 1, so an interval right of zero is drawn as its mirror image.
	sign := 1.0
	if lo > 0 {
		lo, hi, sign = -hi, -lo, -1
	}
	fillOpen(dst, key, offset, cut{true, phi(lo), phi(hi), lo, hi, sign})
}

// cut is how a normal distribution is truncated, if it is: to quantiles of the numbers between from and to, which lie between lo and hi,
// multiplied by the sign.
type cut struct {
	on                     bool
	from, to, lo, hi, sign float64
}

// quantiles replaces up to chunk numbers by the quantiles that they stand for.
func (c cut) quantiles(u []float64) {
	if !c.on {
		quantiles(u)
		return
	}
	for i, v := range u {
		u[i] = c.from + float64(v*(c.to-c.from))
	}
	quantiles(u)
	for i, x := range u {
		u[i] = c.sign * min(max(x, c.lo), c.hi)
	}
}

// fillOpen sets dst[j] to the quantile of element offset+j of the stream, uniform in (0, 1).
func fillOpen[F Float](dst []F, key Key, offset int, c cut) {
	var buf [chunk]uint32
	var open [chunk]float64
	switch dst := any(dst).(type) {
	case []float32:
		for i := uint64(offset); len(dst) > 0; i += chunk {
			n := min(len(dst), chunk)
			fillWords(buf[:n], key, i)
			for j, w := range buf[:n] {
				open[j] = open32(w)
			}
			c.quantiles(open[:n])
			for j, x := range open[:n] {
				dst[j] = float32(x)
			}
			dst = dst[n:]
		}
	case []float64:
		for i := uint64(offset); len(dst) > 0; i += chunk / 2 {
			n := min(len(dst), chunk/2)
			fillWords(buf[:2*n], key, 2*i)
			for j := range dst[:n] {
				dst[j] = open64(uint64(buf[2*j+1])<<32 | uint64(buf[2*j]))
			}
			c.quantiles(dst[:n])
			dst = dst[n:]
		}
	}
}

// quantiles replaces up to chunk numbers by their quantiles. Vector functions, if there are any, do first what is in the center, and then what
// is not, which has been put together; far out there are too few to matter.
func quantiles(p []float64) {
	if !vectorQuantiles() {
		for i, u := range p {
			p[i] = quantile(u)
		}
		return
	}
	const far = 2e-11 // above e^-25
	var tails, values [chunk]float64
	var at [chunk]uint8
	n := 0
	limit := math.Float64bits(0.425)
	for i, u := range p {
		tails[n&(chunk-1)], at[n&(chunk-1)] = u, uint8(i)
		n += int((limit - math.Float64bits(math.Abs(u-0.5))) >> 63) // 1 beyond the limit
	}
	quantileCenter(p)
	quantileTail(values[:n], tails[:n])
	for i, x := range values[:n] {
		if u := tails[i]; u < far || 1-u < far {
			x = quantile(u)
		}
		p[at[i]] = x
	}
}

// quantiles32 sets dst to the quantiles that up to chunk words stand for. None of them lies far out.
func quantiles32(dst []float32, words []uint32) {
	const first, last = 0x13333333, 0xECCCCCCC // of those in the center: |p - 1/2| <= 0.425
	var tails [chunk]uint32
	var values [chunk]float32
	var at [chunk]uint8
	n := 0
	for i, w := range words {
		tails[n&(chunk-1)], at[n&(chunk-1)] = w, uint8(i)
		n += int((uint64(last-first) - uint64(w-first)) >> 63)
	}
	quantileCenter32(dst, words)
	quantileTail32(values[:n], tails[:n])
	for i, x := range values[:n] {
		dst[at[i]] = x
	}
}

// phi is the normal distribution function, the share of a standard normal below x.
func phi(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// quantile is the inverse of phi for 0 < p < 1, to about 16 digits.
// Wichura: Algorithm AS 241, the percentage points of the normal distribution (Applied Statistics 37, 1988), PPND16.
func quantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return q * poly(r, &centerNum) / poly(r, &centerDen)
	}
	r := p
	if q > 0 {
		r = 1 - p
	}
	r = math.Sqrt(-ln(r))
	var x float64
	if r <= 5 {
		r -= 1.6
		x = poly(r, &tailNum) / poly(r, &tailDen)
	} else {
		r -= 5
		x = poly(r, &farNum) / poly(r, &farDen)
	}
	return math.Copysign(x, q)
}

// poly is the polynomial with coefficients c, lowest power first, by Horner's rule.
func poly(x float64, c *[8]float64) float64 {
	y := float64(c[7]*x) + c[6]
	y = float64(y*x) + c[5]
	y = float64(y*x) + c[4]
	y = float64(y*x) + c[3]
	y = float64(y*x) + c[2]
	y = float64(y*x) + c[1]
	return float64(y*x) + c[0]
}

// The coefficients of AS 241: |p - 1/2| <= 0.425, then sqrt(-ln min(p, 1-p)) up to 5, then beyond.
var (
	centerNum = [8]float64{
		3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
		4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
	}
	centerDen = [8]float64{
		1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
		2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
	}
	tailNum = [8]float64{
		1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
	}
	tailDen = [8]float64{
		1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
	}
	farNum = [8]float64{
		6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
		2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
	}
	farDen = [8]float64{
		1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
		7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
	}
)

// Coefficients returns the numerators and denominators of AS 241, lowest power first, for engines that compute quantiles themselves: those of
// |p - 1/2| <= 0.425 in 0.180625 - (p - 1/2)^2, and with r the root of -ln min(p, 1-p) those of r - 1.6 up to 5, and of r - 5 beyond.
func Coefficients() (center, tail, far [2][8]float64) {
	return [2][8]float64{centerNum, centerDen}, [2][8]float64{tailNum, tailDen}, [2][8]float64{farNum, farDen}
}

// ln is the natural logarithm of a positive normal x. math.Log is not used because it has an assembly form on some
// architectures, whose last bit may differ. The method and the constants are those of FreeBSD's e_log.c (Sun
// Microsystems, 1993): x = 2^k (1+f), s = f/(2+f), ln(1+f) = f - f*f/2 + s (f*f/2 + R(s*s)).
func ln(x float64) float64 {
	const (
		ln2Hi = 6.93147180369123816490e-01
		ln2Lo = 1.90821492927058770002e-10
		l1    = 6.666666666666735130e-01
		l2    = 3.999999999940941908e-01
		l3    = 2.857142874366239149e-01
		l4    = 2.222219843214978396e-01
		l5    = 1.818357216161805012e-01
		l6    = 1.531383769920937332e-01
		l7    = 1.479819860511658591e-01
	)
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	f, k := m-1, float64(e)
	s := f / (2 + f)
	s2 := s * s
	s4 := s2 * s2
	odd := float64(s4*l7) + l5
	odd = float64(s4*odd) + l3
	odd = float64(s4*odd) + l1
	even := float64(s4*l6) + l4
	even = float64(s4*even) + l2
	r := float64(s2*odd) + float64(s4*even)
	half := float64(0.5 * f * f)
	return float64(k*ln2Hi) - ((half - (float64(s*(half+r)) + float64(k*ln2Lo))) - f)
}
