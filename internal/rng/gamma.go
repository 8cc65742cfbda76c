package rng

import "math"

// This file draws gamma and Poisson numbers by rejection. Each attempt at element i takes element i of another stream, so a draw depends on
// its key and its place alone.

// LogGamma is element i of the stream as the logarithm of a gamma number of the given concentration and rate 1. The logarithm does not
// underflow for small concentrations. A concentration of 0 gives -Inf, a negative one NaN.
// Marsaglia and Tsang: A simple method for generating gamma variables (ACM TOMS 26, 2000).
func LogGamma(key Key, i uint64, alpha float64) float64 {
	switch {
	case !(alpha >= 0):
		return math.NaN()
	case alpha == 0:
		return math.Inf(-1)
	case math.IsInf(alpha, 1):
		return alpha
	}
	boost := 0.0
	if alpha < 1 { // a gamma number of concentration alpha+1 times a uniform one to the power 1/alpha
		boost = ln(open64(word64(key, i))) / alpha
		key[1] = mix(key[1])
		alpha++
	}
	d := alpha - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := Normal64(key, i)
		key[1] = mix(key[1])
		u := open64(word64(key, i))
		key[1] = mix(key[1])
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if ln(u) < float64(x*x)/2+float64(d*(1-v+ln(v))) {
			return ln(d) + ln(v) + boost
		}
	}
}

// Poisson is element i of the stream as a Poisson number of the given rate, from which on it is a float. A negative rate gives NaN.
// From a rate of 10 on it is the transformed rejection with squeeze of Hörmann (Insurance: Mathematics and Economics 12, 1993).
func Poisson(key Key, i uint64, rate float64) float64 {
	next := func() float64 {
		u := open64(word64(key, i))
		key[1] = mix(key[1])
		return u
	}
	switch {
	case !(rate >= 0):
		return math.NaN()
	case math.IsInf(rate, 1):
		return rate
	case rate < 10: // the number of exponential steps that fit
		n, product, end := 0.0, next(), math.Exp(-rate)
		for product > end {
			n++
			product *= next()
		}
		return n
	}
	b := 0.931 + float64(2.53*math.Sqrt(rate))
	a := -0.059 + float64(0.02483*b)
	for {
		u, v := next()-0.5, next()
		us := 0.5 - math.Abs(u)
		k := math.Floor(float64((2*a/us+b)*u) + rate + 0.43)
		switch {
		case us >= 0.07 && v <= 0.9277-3.6224/(b-2):
			return k
		case k < 0 || us < 0.013 && v > us:
			continue
		}
		factorial, _ := math.Lgamma(k + 1)
		if ln(v*(1.1239+1.1328/(b-3.4))/(a/float64(us*us)+b)) <= float64(k*ln(rate))-rate-factorial {
			return k
		}
	}
}

// LogGammaSlope is the derivative of a draw of LogGamma, of which y is the result, with respect to its concentration, for a fixed
// probability of a smaller draw: -(dP/dalpha)/(dP/dy), P(alpha, e^y) being the distribution function.
// Figurnov, Mohamed and Mnih: Implicit reparameterization gradients (2018).
func LogGammaSlope(alpha, y float64) float64 {
	z := math.Exp(y)
	switch {
	case !(alpha > 0) || math.IsNaN(y) || math.IsInf(alpha, 1) || math.IsInf(z, 1):
		return math.NaN()
	case alpha > 1e6:
		// z is alpha w^3 with w = 1 - 1/(9 alpha) + x/(3 sqrt(alpha)) and a normal x, up to 1/alpha. (Wilson and Hilferty 1931.)
		w := math.Exp((y - math.Log(alpha)) / 3)
		x := (w - 1 + 1/(9*alpha)) * 3 * math.Sqrt(alpha)
		return 1/alpha + 3/w*(1/(9*alpha*alpha)-x/(6*alpha*math.Sqrt(alpha)))
	case z < alpha+1:
		// P is the sum of t_n = z^(alpha+n) e^-z / Gamma(alpha+n+1), each with the logarithmic derivative y - digamma(alpha+n+1); here they
		// are divided by dP/dy.
		psi, term, sum := digamma(alpha+1), 1/alpha, 0.0
		for n := 1.0; ; n++ {
			part := term * (y - psi)
			sum += part
			if math.Abs(part) <= 1e-17*math.Abs(sum) && n > z-alpha || n > 1e5 {
				return -sum
			}
			psi += 1 / (alpha + n)
			term *= z / (alpha + n)
		}
	}
	// 1 - P is z^alpha e^-z h / Gamma(alpha) with a continued fraction h, computed by Lentz's method together with its derivative.
	b := z + 1 - alpha
	c, dc := math.Inf(1), 0.0
	d := 1 / b
	dd := d * d
	h, dh := d, dd
	for n := 1.0; ; n++ {
		an, dan := n*(alpha-n), n
		b += 2
		under := an*d + b
		dunder := dan*d + an*dd - 1
		if math.IsInf(c, 1) {
			c, dc = b, -1
		} else {
			c, dc = b+an/c, -1+dan/c-an*dc/(c*c)
		}
		d = 1 / under
		dd = -dunder * d * d
		factor := c * d
		dh = dh*factor + h*(dc*d+c*dd)
		h *= factor
		if math.Abs(factor-1) <= 1e-16 && math.Abs(dc*d+c*dd) <= 1e-16*math.Abs(dh/h) || n > 1e5 {
			return h*(y-digamma(alpha+1)+1/alpha) + dh
		}
	}
}

// digamma is the derivative of log Gamma for x >= 1: by its recurrence where the asymptotic series is good.
func digamma(x float64) float64 {
	shift := 0.0
	for ; x < 10; x++ {
		shift -= 1 / x
	}
	w := 1 / (x * x)
	return shift + math.Log(x) - 0.5/x - w*(1.0/12-w*(1.0/120-w*(1.0/252-w*(1.0/240-w*(1.0/132-w*691/32760)))))
}
