package main

// The bodies of the special functions: exponential and logarithm to the base 2, and those around the error function and the gamma function, which
// are for f64. The last compute f32 in f64 and round once. The methods are those of internal/scalar, whose gamma.go explains the coefficients
// of the gamma function's relatives.

import (
	"math"

	. "github.com/mmcloughlin/avo/operand"
)

var (
	// erfc(a) e^(a^2) (1+2a) as a polynomial of (a-3)/(a+3) for 0 <= a <= 28, error 2^-54.
	erfcCoefficients = []float64{1.2530080582697296, -0.1356211061245807, -0.047562294353446374, 0.12964515870270552, -0.11927366341552853,
		0.06830802734580459, -0.02377051491423367, 0.002529391788270445, 0.001888690312003782, -0.0007798320379611115,
		-0.00010515949033775975, 0.00012509815174864322, 4.948147875576539e-06, -2.009663087595395e-05, -7.275875746667183e-07,
		3.463997532352904e-06, 3.4899197889744293e-07, -6.050048623933503e-07, -1.311166137536459e-07, 9.186243026143846e-08,
		3.29163439676632e-08, -8.500119502115306e-09, -4.210104975119194e-09}

	// Numerators and denominators of the inverse error function: for |x| <= 0.85, and by how large sqrt(log 2 - log(1-|x|)) is.
	// Wichura (1988), Algorithm AS 241: The percentage points of the normal distribution, as in Go's math.Erfinv.
	erfInvCenter = [2][]float64{
		{1.1975323115670912564578e0, 4.7072688112383978012285e1, 6.9706266534389598238465e2, 4.8548868893843886794648e3,
			1.6235862515167575384252e4, 2.3782041382114385731252e4, 1.1819493347062294404278e4, 8.8709406962545514830200e2},
		{1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
			3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}}
	erfInvMiddle = [2][]float64{
		{1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
			1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
		{1.4142135623730950488016887e0, 2.9036514445419946173133295e0, 2.3707661626024532365971225e0, 9.7547832001787427186894837e-1,
			2.0945065210512749128288442e-1, 2.1494160384252876777097297e-2, 7.7441459065157709165577218e-4, 1.4859850019840355905497876e-9}}
	erfInvTail = [2][]float64{
		{6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
			2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
		{1.414213562373095048801689e0, 8.482908416595164588112026e-1, 1.936480946950659106176712e-1, 2.103693768272068968719679e-2,
			1.112800997078859844711555e-3, 2.611088405080593625138020e-5, 2.010321207683943062279931e-7, 2.891024605872965461538222e-15}}

	// sin(pi r)/r as a polynomial of r^2 for |r| <= 1/2, error 2^-53.
	sinPiCoefficients = []float64{3.141592653589793, -5.16771278004997, 2.5501640398773455, -0.5992645293207869, 0.08214588661099356,
		-0.007370430943702136, 0.0004663027874593273, -2.1915250301851375e-05, 7.94853903737232e-07, -2.228371216069697e-08}

	lgammaCoefficients = []float64{0.42278433509846713, 0.3224670334241132, -0.06735230105319809, 0.02058080842778463, -0.007385551028674025,
		0.0028905103307344045, -0.0011927539116998527, 0.0005096695250241955, -0.00022315475858818615, 9.94575066878814e-05,
		-4.4926233820610826e-05, 2.0507291996563825e-05, -9.439526202058818e-06, 4.374223481082048e-06, -2.0389077825677104e-06,
		9.584207048594987e-07, -4.508168225446838e-07, 2.0193835401136915e-07, -9.558178101635195e-08, 6.472569840064724e-08,
		-3.085985478390577e-08}
	digammaCoefficients = []float64{0.9510558760318328, -0.4236274212814606, 0.24054248424078697, -0.14840492305388092, 0.09498872445289039,
		-0.06192213327548831, 0.040760833940846085, -0.026975796659787055, 0.017907248317313294, -0.011908220105959716,
		0.007927021796868154, -0.005279937255532708, 0.003518106563802472, -0.0023454947397380833, 0.0015633696313653504,
		-0.0010364584817312839, 0.0006909255761282986, -0.00048595039220036254, 0.00032395945401345196, -0.00014480643368061614,
		9.653646261410062e-05, -0.0001782188548855923, 0.00011881232908510335}
	stirlingCoefficients = []float64{0.08333333333333333, -0.0027777777777776747, 0.0007936507935117282, -0.0005952380234291254,
		0.0008417325268022405, -0.001914965912162907, 0.0062081367662297935, -0.020855820837463117}
	digammaTail = []float64{0.08333333333333333, -0.008333333333331664, 0.003968253965999701, -0.004166665501516725,
		0.007575459920369176, -0.02105106090804774, 0.08002337465397756, -0.299425370626735}
	trigammaTail = []float64{0.16666666666666666, -0.0333333333333322, 0.023809523807580096, -0.03333333204380414,
		0.07575714459070881, -0.25303182992145234, 1.1574253415441726, -6.4640994255594775, 30.16232499270368}
)

// merge is choose with the result in a copy of no. For the allocator of registers a blend needs its result beforehand, from the beginning of the
// function on, so that functions with many of them would not fit.
func (m *machine) merge(mask, yes, no Op) Op {
	if !m.wide() {
		return m.choose(mask, yes, no)
	}
	d := m.copyOf(no)
	if c, ok := yes.(constant); ok {
		m.emit(m.pick("VBROADCASTSS", "VBROADCASTSD"), m.memory(c), mask, d)
	} else {
		m.emit(m.pick("VMOVAPS", "VMOVAPD"), yes, mask, d)
	}
	return d
}

// exp2 is 2^x = 2^n e^((x-n) ln 2), where x - n is exact.
func (m *machine) exp2(x Op) Op {
	low, high := m.f(-152), m.f(129)
	c := expCoefficients
	if m.f64 {
		low, high, c = m.f(-1076), m.f(1025), expCoefficients64
	}
	x = m.smaller(m.load(high), m.larger(m.load(low), x))
	n := m.round(x, toNearest)
	r := m.mul(m.sub(x, n), m.f(math.Ln2))
	return m.scale(m.add(m.fma(m.polynomial(r, c), m.mul(r, r), r), m.f(1)), n)
}

// log2 is k + log2(1+f) of x = (1+f) * 2^k.
func (m *machine) log2(x Op) Op {
	f, k := m.splitLog(x)
	square, y := m.logRest(f)
	y = m.fma(square, m.f(-0.5), y)
	y = m.fma(m.add(f, y), m.load(m.f(log2e)), k)
	return m.logEdges(y, x, m.f(0))
}

// erfc is P e^(-a^2)/(1+2a) for a = |x|, and 2 less it for x < 0. The square is kept with its rounding error.
func (m *machine) erfc(x Op) Op {
	a := m.smaller(m.load(m.f(28)), m.absolute(x))
	p := m.polynomial(m.div(m.sub(a, m.f(3)), m.add(a, m.f(3))), erfcCoefficients)
	p = m.div(p, m.fma(a, m.load(m.f(2)), m.f(1)))
	square := m.mul(a, a)
	n, q := m.expm1Reduced(m.negative(square), m.fms(a, a, square))
	y := m.scale(m.fma(p, q, p), n)
	return m.merge(m.compare(less, x, m.f(0)), m.sub(m.f(2), y), y)
}

func (m *machine) erfInv(x Op) Op {
	a := m.absolute(x)
	// The larger ones first, so that fewer registers are taken.
	r := m.sqrt(m.sub(m.f(math.Ln2), m.log(m.sub(m.f(1), a))))
	far := m.compare(greater, r, m.f(5))
	r = m.sub(r, m.merge(far, m.load(m.f(5)), m.f(1.6)))
	top := m.merge(far, m.polynomial(r, erfInvTail[0]), m.polynomial(r, erfInvMiddle[0]))
	bottom := m.merge(far, m.polynomial(r, erfInvTail[1]), m.polynomial(r, erfInvMiddle[1]))
	near := m.compare(lessEqual, a, m.f(0.85))
	r = m.fnma(m.mul(a, m.f(0.25)), a, m.f(0.180625))
	top = m.merge(near, m.mul(m.polynomial(r, erfInvCenter[0]), a), top)
	bottom = m.merge(near, m.polynomial(r, erfInvCenter[1]), bottom)
	y := m.merge(m.compare(equal, a, m.f(1)), m.load(m.f(math.Inf(1))), m.div(top, bottom))
	return m.withSign(y, x)
}

// fraction is x less the nearest integer.
func (m *machine) fraction(x Op) Op { return m.sub(x, m.round(x, toNearest)) }

// sinPi is sin(pi r) for |r| <= 1/2.
func (m *machine) sinPi(r Op) Op { return m.mul(m.polynomial(m.mul(r, r), sinPiCoefficients), r) }

// reflected is 1-x where the mask is set and x elsewhere.
func (m *machine) reflected(mask, x Op) Op { return m.merge(mask, m.sub(m.f(1), x), x) }

// lgamma is, for z >= 8, Stirling's formula, and else d P(d) with d = z-2 after steps by 1, whose factors add or subtract a logarithm. A
// negative x has log(pi/|sin(pi x)|) less that of 1-x.
func (m *machine) lgamma(x Op) Op {
	sin := m.log(m.absolute(m.sinPi(m.fraction(x))))
	z := m.reflected(m.compare(less, x, m.f(0)), x)
	k := m.round(m.sub(z, m.f(2)), toNearest)
	d := m.sub(z, m.add(k, m.f(2)))
	small := m.mul(m.polynomial(d, lgammaCoefficients), d)
	// The factors of k steps down, or of one or two up.
	p := m.copyOf(m.f(1))
	for j := 1.0; j <= 6; j++ {
		p = m.merge(m.compare(greaterEqual, k, m.f(j)), m.mul(p, m.sub(z, m.f(j))), p)
	}
	p = m.merge(m.compare(lessEqual, k, m.f(-1)), z, p)
	p = m.merge(m.compare(lessEqual, k, m.f(-2)), m.fma(z, z, z), p)
	log := m.log(m.merge(m.compare(greaterEqual, z, m.f(8)), z, p))
	up := m.compare(less, k, m.f(0))
	small = m.add(m.merge(up, m.negative(log), log), small)
	i := m.div(m.f(1), z)
	s := m.fma(m.polynomial(m.mul(i, i), stirlingCoefficients), i, m.f(math.Log(2*math.Pi)/2-0.5))
	large := m.fma(m.sub(z, m.f(0.5)), m.sub(log, m.f(1)), s)
	y := m.merge(m.compare(greaterEqual, z, m.f(8)), large, small)

	reflection := m.sub(m.f(math.Log(math.Pi)), sin)
	// At a pole, and far beyond, the reflection is infinite.
	reflection = m.merge(m.compare(equal, sin, m.f(math.Inf(-1))), reflection, m.sub(reflection, y))
	y = m.merge(m.compare(less, x, m.f(0)), reflection, y)
	return m.merge(m.compare(equal, m.absolute(x), m.f(math.Inf(1))), m.absolute(x), y)
}

// digamma is, for z >= 8, its asymptotic series, and else (y-root) P(y-3/2) with 1 <= y <= 2 and the sum of 1/(z-1), 1/(z-2) and so on as one
// fraction. A negative x has pi cot(pi x) less.
func (m *machine) digamma(x Op) Op {
	r := m.fraction(x)
	cot := m.div(m.mul(m.sinPi(m.sub(m.f(0.5), m.absolute(r))), m.f(math.Pi)), m.sinPi(r))
	cot = m.merge(m.compare(equal, r, m.f(0)), m.load(m.f(math.NaN())), cot)
	z := m.reflected(m.compare(less, x, m.f(0)), x)
	k := m.sub(m.round(z, down), m.f(1))
	bottom, top := m.copyOf(m.f(1)), m.copyOf(m.f(0))
	for j := 1.0; j <= 6; j++ {
		step, t := m.compare(greaterEqual, k, m.f(j)), m.sub(z, m.f(j))
		top = m.merge(step, m.fma(top, t, bottom), top)
		bottom = m.merge(step, m.mul(bottom, t), bottom)
	}
	up := m.compare(less, z, m.f(1))
	top = m.merge(up, m.load(m.f(-1)), top)
	bottom = m.merge(up, z, bottom)
	s := m.sub(z, k)
	small := m.sub(m.sub(s, m.f(1.4616321449683622)), m.f(9.549995429965697e-17))
	small = m.mul(m.polynomial(m.sub(s, m.f(1.5)), digammaCoefficients), small)
	small = m.add(m.div(top, bottom), small)
	i := m.div(m.f(1), z)
	w := m.mul(i, i)
	large := m.fnma(m.polynomial(w, digammaTail), w, m.fnma(i, m.load(m.f(0.5)), m.log(z)))
	y := m.merge(m.compare(greaterEqual, z, m.f(8)), large, small)

	return m.merge(m.compare(less, x, m.f(0)), m.sub(y, cot), y)
}

// trigamma is the asymptotic series at z >= 8, which steps by 1 lead to; the squares of the reciprocals passed are one fraction but for the
// first. An x that is not positive has (pi/sin(pi x))^2 less that of 1-x.
func (m *machine) trigamma(x Op) Op {
	z := m.reflected(m.compare(lessEqual, x, m.f(0)), x)
	step := m.compare(less, z, m.f(8))
	first := m.div(m.f(1), z)
	sum := m.keep(step, m.mul(first, first))
	z = m.merge(step, m.add(z, m.f(1)), z)
	bottom, top := m.copyOf(m.f(1)), m.copyOf(m.f(0))
	for range 7 {
		step, square := m.compare(less, z, m.f(8)), m.mul(z, z)
		top = m.merge(step, m.fma(top, square, bottom), top)
		bottom = m.merge(step, m.mul(bottom, square), bottom)
		z = m.merge(step, m.add(z, m.f(1)), z)
	}
	sum = m.add(sum, m.div(top, bottom))
	i := m.div(m.f(1), z)
	w := m.mul(i, i)
	tail := m.fma(m.fma(m.polynomial(w, trigammaTail), i, m.f(0.5)), w, i)
	y := m.add(sum, tail)
	s := m.div(m.f(math.Pi), m.sinPi(m.fraction(x)))
	return m.merge(m.compare(lessEqual, x, m.f(0)), m.fms(s, s, y), y)
}

// specialKernels are the special functions; f32 is computed in f64 where the body is for that.
func specialKernels(f64 bool) []vecKernel {
	var all []vecKernel
	for _, k := range []struct {
		name string
		body func(m *machine, x Op) Op
	}{{"Exp2", (*machine).exp2}, {"Log2", (*machine).log2}} {
		all = append(all, vecKernel{name: k.name, f64: f64, in: "x", out: element, hold: holds, body: func(m *machine, x []Op) Op { return k.body(m, x[0]) }})
	}
	for _, k := range []struct {
		name string
		body func(m *machine, x Op) Op
	}{
		{"Erfc", (*machine).erfc}, {"ErfInv", (*machine).erfInv}, {"Lgamma", (*machine).lgamma}, {"Digamma", (*machine).digamma},
		{"Trigamma", (*machine).trigamma},
	} {
		kernel := vecKernel{name: k.name, f64: true, in: "x", out: element, body: func(m *machine, x []Op) Op { return k.body(m, x[0]) }}
		if !f64 {
			kernel.as, kernel.in, kernel.out = "F32", "h", narrower
		}
		all = append(all, kernel)
	}
	return all
}
