package scalar

// The incomplete gamma functions, by the methods of Gil, Segura and Temme (2012), Efficient and accurate algorithms for the computation and
// inversion of the incomplete gamma function ratios: the power series for small x, a continued fraction for large x, and near x = a, if both are
// large, the uniform asymptotic series.

import "math"

// TemmeFrom is the a from which the asymptotic series is used.
const TemmeFrom = 1e5

// GammaCoefficients returns polynomials for engines that compute incomplete gamma functions themselves, lowest power first: that of log Gamma(2+d)/d for
// |d| <= 1/2, that of (log Gamma(a) - (a-1/2) log a + a - log(2 pi)/2) a in 1/a^2, and those of the powers of eta in the uniform expansion.
func GammaCoefficients() (lgamma, stirling []float64, temme [][14]float64) {
	return lgammaCoefficients[:], stirlingCoefficients[:], temmeCoefficients[:]
}

// incompleteGamma returns P(a, x) and Q(a, x) = 1 - P, each with all its digits.
func incompleteGamma(a, x float64) (p, q float64) {
	switch {
	case a != a || x != x || a < 0 || x < 0 || a == 0 && x == 0 || math.IsInf(a, 1) && math.IsInf(x, 1):
		return math.NaN(), math.NaN()
	case a == 0 || math.IsInf(x, 1):
		return 1, 0
	case x == 0 || math.IsInf(a, 1):
		return 0, 1
	case a >= TemmeFrom && math.Abs(x-a) < 40*math.Sqrt(a):
		return temme(a, x)
	case x > max(a, 1):
		q = gammaFactor(a, x) * a / gammaFraction(a, x)
		return 1 - q, q
	}
	p = gammaFactor(a, x) * gammaSeries(a, x)
	if a < 1 && p > 0.5 {
		return p, smallUpper(a, x)
	}
	return p, 1 - p
}

// smallUpper is Q for a < 1 and x <= 1, where it may be small: 1 - x^a/Gamma(1+a) - x^a/Gamma(a) sum((-x)^n/(n! (a+n)), n >= 1).
func smallUpper(a, x float64) float64 {
	sum, term := 0.0, 1.0
	for n := 1.0; n < 100; n++ {
		term *= -x / n
		sum += term / (a + n)
		if math.Abs(term) < math.Abs(sum)*0x1p-60 {
			break
		}
	}
	log := a*math.Log(x) - lgamma1p(a)
	return -math.Expm1(log) - a*math.Exp(log)*sum
}

// gammaSeries is the sum of x^k/((a+1)...(a+k)), with which P = gammaFactor times it.
func gammaSeries(a, x float64) float64 {
	sum, term := 1.0, 1.0
	for k := a + 1; term > sum*0x1p-60; k++ {
		term *= x / k
		sum += term
	}
	return sum
}

// gammaFraction is the continued fraction x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...)), by Lentz's method, with which Q is
// x^a e^-x / Gamma(a) over it.
func gammaFraction(a, x float64) float64 {
	const tiny = 1e-300
	b := x + 1 - a
	f := b
	if f == 0 {
		f = tiny
	}
	c, d := f, 0.0
	for k := 1.0; k < 1e5; k++ {
		an := -k * (k - a)
		b += 2
		if d = b + an*d; d == 0 {
			d = tiny
		}
		if c = b + an/c; c == 0 {
			c = tiny
		}
		d = 1 / d
		step := c * d
		f *= step
		if math.Abs(step-1) < 0x1p-53 {
			break
		}
	}
	return f
}

// gammaFactor is x^a e^-x / Gamma(a+1).
func gammaFactor(a, x float64) float64 {
	if a < 10 {
		return math.Exp(a*math.Log(x) - x - lgamma1p(a))
	}
	w := 1 / (a * a)
	u := (x - a) / a
	exponent := a * log1pmx(u)
	if math.Abs(u) > 0.5 {
		exponent = a*math.Log(x/a) + (a - x)
	}
	return math.Exp(exponent-polynomial(w, stirlingCoefficients[:])/a) / math.Sqrt(2*math.Pi*a)
}

// lgamma1p is lgamma(1+a), with all digits of a small a.
func lgamma1p(a float64) float64 {
	if a <= 0.5 {
		return a*polynomial(a, lgammaCoefficients[:]) - math.Log1p(a)
	}
	return lgamma(a + 1)
}

// log1pmx is log(1+u) - u for |u| <= 1/2 or so.
func log1pmx(u float64) float64 {
	// With s = u/(2+u), log(1+u) = 2 (s + s^3/3 + s^5/5 + ...), and u = 2s + us.
	s := u / (2 + u)
	sum, power, z := 0.0, s, s*s
	for k := 3.0; k < 60; k += 2 {
		power *= z
		sum += power / k
	}
	return 2*sum - u*s
}

// temmeCoefficients are d[k][n] of the uniform expansion, powers of eta in a row (NIST Digital Library of Mathematical Functions, 8.12).
var temmeCoefficients = [...][14]float64{
	{-3.3333333333333333e-1, 8.3333333333333333e-2, -1.4814814814814815e-2, 1.1574074074074074e-3, 3.527336860670194e-4,
		-1.7875514403292181e-4, 3.9192631785224378e-5, -2.1854485106799922e-6, -1.85406221071516e-6, 8.296711340953086e-7,
		-1.7665952736826079e-7, 6.7078535434014986e-9, 1.0261809784240308e-8, -4.3820360184533532e-9},
	{-1.8518518518518519e-3, -3.4722222222222222e-3, 2.6455026455026455e-3, -9.9022633744855967e-4, 2.0576131687242798e-4,
		-4.0187757201646091e-7, -1.8098550334489978e-5, 7.6491609160811101e-6, -1.6120900894563446e-6, 4.6471278028074343e-9,
		1.378633446915721e-7, -5.752545603517705e-8, 1.1951628599778147e-8, -1.7543241719747648e-11},
	{4.1335978835978836e-3, -2.6813271604938272e-3, 7.7160493827160494e-4, 2.0093878600823045e-6, -1.0736653226365161e-4,
		5.2923448829120125e-5, -1.2760635188618728e-5, 3.4235787340961381e-8, 1.3721957309062933e-6, -6.298992138380055e-7,
		1.4280614206064242e-7, -2.0477098421990866e-10, -1.4092529910867521e-8, 6.228974084922022e-9},
	{6.4943415637860082e-4, 2.2947209362139918e-4, -4.6918949439525571e-4, 2.6772063206283885e-4, -7.5618016718839764e-5,
		-2.3965051138672967e-7, 1.1082654115347302e-5, -5.6749528269915966e-6, 1.4230900732435884e-6, -2.7861080291528142e-11,
		-1.6958404091930277e-7, 8.0994649053880824e-8, -1.9111168485973654e-8, 2.3928620439808118e-12},
}

// temme is the uniform expansion for a large a and x near it.
func temme(a, x float64) (p, q float64) {
	u := (x - a) / a
	half := -log1pmx(u) // eta^2/2
	eta := math.Copysign(math.Sqrt(2*half), u)
	sum, scale := 0.0, 1.0
	for _, row := range temmeCoefficients {
		sum += scale * polynomial(eta, row[:])
		scale /= a
	}
	rest := math.Exp(-a*half) * sum / math.Sqrt(2*math.Pi*a)
	z := eta * math.Sqrt(a/2)
	return 0.5*math.Erfc(-z) - rest, 0.5*math.Erfc(z) + rest
}

// gammaPDF is x^(a-1) e^-x / Gamma(a) for a > 0, and 0 for x < 0.
func gammaPDF(a, x float64) float64 {
	switch {
	case !(a > 0) || x != x || math.IsInf(a, 1):
		return math.NaN()
	case x < 0 || math.IsInf(x, 1):
		return 0
	case x == 0 && a == 1:
		return 1
	case x == 0 && a < 1:
		return math.Inf(1)
	case x == 0:
		return 0
	}
	return gammaFactor(a, x) * (a / x)
}
