package scalar

// The gamma function's relatives. Polynomials are near-minimax fits (interpolation at Chebyshev nodes with 50 digits).

import "math"

var (
	// lgamma(2+d)/d for |d| <= 1/2, error 2^-55.
	lgammaCoefficients = [...]float64{0.42278433509846713, 0.3224670334241132, -0.06735230105319809, 0.02058080842778463, -0.007385551028674025,
		0.0028905103307344045, -0.0011927539116998527, 0.0005096695250241955, -0.00022315475858818615, 9.94575066878814e-05,
		-4.4926233820610826e-05, 2.0507291996563825e-05, -9.439526202058818e-06, 4.374223481082048e-06, -2.0389077825677104e-06,
		9.584207048594987e-07, -4.508168225446838e-07, 2.0193835401136915e-07, -9.558178101635195e-08, 6.472569840064724e-08,
		-3.085985478390577e-08}

	// digamma(3/2+s)/(3/2+s-digammaRoot) for |s| <= 1/2, error 2^-54.
	digammaCoefficients = [...]float64{0.9510558760318328, -0.4236274212814606, 0.24054248424078697, -0.14840492305388092, 0.09498872445289039,
		-0.06192213327548831, 0.040760833940846085, -0.026975796659787055, 0.017907248317313294, -0.011908220105959716,
		0.007927021796868154, -0.005279937255532708, 0.003518106563802472, -0.0023454947397380833, 0.0015633696313653504,
		-0.0010364584817312839, 0.0006909255761282986, -0.00048595039220036254, 0.00032395945401345196, -0.00014480643368061614,
		9.653646261410062e-05, -0.0001782188548855923, 0.00011881232908510335}

	// Asymptotic series in w = 1/x^2 for x >= 8, errors 2^-54: (lgamma(x) - (x-1/2) log x + x - log(2 pi)/2) x,
	// (log x - 1/(2x) - digamma(x)) x^2, and (trigamma(x) - 1/x - 1/(2x^2)) x^3.
	stirlingCoefficients = [...]float64{0.08333333333333333, -0.0027777777777776747, 0.0007936507935117282, -0.0005952380234291254,
		0.0008417325268022405, -0.001914965912162907, 0.0062081367662297935, -0.020855820837463117}
	digammaTail = [...]float64{0.08333333333333333, -0.008333333333331664, 0.003968253965999701, -0.004166665501516725,
		0.007575459920369176, -0.02105106090804774, 0.08002337465397756, -0.299425370626735}
	trigammaTail = [...]float64{0.16666666666666666, -0.0333333333333322, 0.023809523807580096, -0.03333333204380414,
		0.07575714459070881, -0.25303182992145234, 1.1574253415441726, -6.4640994255594775, 30.16232499270368}
)

// digammaRoot is the positive zero of the digamma function, in two parts.
const (
	digammaRoot    = 1.4616321449683622
	digammaRootLow = 9.549995429965697e-17
)

func polynomial(x float64, c []float64) float64 {
	y := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		y = y*x + c[i]
	}
	return y
}

// sinCosPi is sin(pi a) and cos(pi a) of a finite a, exactly 0 where they are.
func sinCosPi(a float64) (sin, cos float64) {
	n := math.RoundToEven(a)
	r := a - n
	sin = math.Sin(math.Pi * r)
	cos = math.Sin(math.Pi * (0.5 - math.Abs(r)))
	if math.Mod(n, 2) != 0 {
		return -sin, -cos
	}
	return sin, cos
}

// lgamma is log|gamma(a)|, infinite at both infinities, as in C. Below 2.5, where math.Lgamma is some hundred units in the last place off, it is
// made of the polynomial.
func lgamma(a float64) float64 {
	switch {
	case math.IsInf(a, 0):
		return math.Inf(1)
	case a < 0:
		sin, _ := sinCosPi(a)
		if sin == 0 {
			return math.Inf(1)
		}
		return math.Log(math.Pi) - math.Log(math.Abs(sin)) - lgamma(1-a)
	case a < 0.5:
		return a*polynomial(a, lgammaCoefficients[:]) - math.Log(a*(1+a))
	case a < 1.5:
		return (a-1)*polynomial(a-1, lgammaCoefficients[:]) - math.Log(a)
	case a <= 2.5:
		return (a - 2) * polynomial(a-2, lgammaCoefficients[:])
	}
	y, _ := math.Lgamma(a)
	return y
}

func digamma(a float64) float64 {
	switch {
	case a == 0:
		return math.Copysign(math.Inf(1), -a)
	case math.IsInf(a, -1):
		return math.NaN()
	case a < 0:
		sin, cos := sinCosPi(a)
		if sin == 0 {
			return math.NaN()
		}
		return digamma(1-a) - math.Pi*cos/sin
	case a >= 8:
		w := 1 / (a * a)
		return math.Log(a) - 0.5/a - w*polynomial(w, digammaTail[:])
	case a < 1:
		return digamma(1+a) - 1/a
	}
	sum := 0.0
	for a > 2 {
		a--
		sum += 1 / a
	}
	return sum + (a-digammaRoot-digammaRootLow)*polynomial(a-1.5, digammaCoefficients[:])
}

func trigamma(a float64) float64 {
	switch {
	case math.IsInf(a, -1):
		return math.NaN()
	case a <= 0:
		sin, _ := sinCosPi(a)
		s := math.Pi / sin
		return s*s - trigamma(1-a)
	}
	sum := 0.0
	for a < 8 {
		sum += 1 / (a * a)
		a++
	}
	if math.IsInf(sum, 1) {
		return sum
	}
	w := 1 / (a * a)
	return sum + (1/a + w*(0.5+polynomial(w, trigammaTail[:])/a))
}

// maxOrder bounds the order of polygamma, whose values are beyond float64 from about there on.
const maxOrder = 150

// polygamma is the derivative of order n of the digamma function, n a whole number: (-1)^(n+1) n! zeta(n+1, x) with Hurwitz's zeta function.
func polygamma(n, x float64) float64 {
	switch {
	case n != math.Floor(n) || n < 0 || n > maxOrder || math.IsInf(x, -1) || x != x:
		return math.NaN()
	case n == 0:
		return digamma(x)
	case n == 1:
		return trigamma(x)
	}
	odd := math.Mod(n, 2) != 0
	if x <= 0 {
		sin, cos := sinCosPi(x)
		switch {
		case sin == 0 && odd:
			return math.Inf(1)
		case sin == 0:
			return math.Inf(-1)
		}
		// psi(1-x) - psi(x) = pi cot(pi x), n times differentiated.
		y := polygamma(n, 1-x)
		if odd {
			y = -y
		}
		return y - cotangent(int(n), cos/sin)
	}
	y := math.Gamma(n+1) * zeta(n+1, x)
	if odd {
		return y
	}
	return -y
}

// cotangent is the derivative of order n of pi cot(pi x), c being cot(pi x). Each derivative is a polynomial of c, since c' = -pi (1 + c^2);
// its coefficients have one sign.
func cotangent(n int, c float64) float64 {
	var p, q [maxOrder + 2]float64
	p[1] = 1
	for degree := 1; degree <= n; degree++ {
		clear(q[:])
		for k := 1; k <= degree; k++ {
			d := -float64(k) * p[k] * math.Pi
			q[k-1] += d
			q[k+1] += d
		}
		p = q
	}
	return math.Pi * polynomial(c, p[:n+2])
}

// bernoulli is B(2j)/(2j)! from j = 1 on.
var bernoulli = [...]float64{1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160, -691.0 / 1307674368000, 1.0 / 74724249600,
	-3617.0 / 10670622842880000, 43867.0 / 5109094217170944000, -174611.0 / 802857662698291200000}

// zeta is the sum of (x+k)^-s over all k >= 0, for x > 0 and s > 1, by the formula of Euler and Maclaurin.
func zeta(s, x float64) float64 {
	sum := 0.0
	for end := 10 + s; x < end; x++ {
		term := math.Pow(x, -s)
		sum += term
		if term < sum*0x1p-60 {
			return sum
		}
	}
	y := math.Pow(x, -s)
	sum += y*x/(s-1) + y/2
	y *= s / x
	for j, b := range bernoulli {
		sum += b * y
		k := s + 2*float64(j)
		y *= (k + 1) / x * ((k + 2) / x)
	}
	return sum
}
