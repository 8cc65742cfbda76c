package main

// The inverse of the normal distribution function on vectors (see package rng): the very operations of its plain Go form in the same order, none
// of them fused, so that random numbers have the same bits everywhere.

import (
	"math"
	"strings"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func init() {
	for _, l := range levels {
		register("../rng/normal_"+strings.ToLower(l.String())+"_amd64", func(c *build.Context) {
			m := &machine{Context: c, level: l, f64: true, constants: map[string]Mem{}}
			for _, k := range normalKernels() {
				m.function(k)
			}
		})
	}
}

// normalKernels are the two parts of the function, of numbers and of words, as the numbers in the open interval (0, 1) that they stand for, to f32.
func normalKernels() []vecKernel {
	var all []vecKernel
	for _, k := range []struct {
		name string
		body func(m *machine, p Op) Op
	}{{"quantileCenter", (*machine).quantileCenter}, {"quantileTail", (*machine).quantileTail}} {
		all = append(all,
			vecKernel{name: k.name, f64: true, in: "x", out: element, hold: holds, body: func(m *machine, x []Op) Op { return k.body(m, x[0]) }},
			vecKernel{name: k.name + "32", f64: true, in: "w", out: narrower, hold: holds, body: func(m *machine, x []Op) Op {
				return k.body(m, m.mul(m.add(x[0], m.f(0.5)), m.f(0x1p-32)))
			}})
	}
	return all
}

// The coefficients of AS 241: |p - 1/2| <= 0.425, then sqrt(-ln min(p, 1-p)) up to 5.
var (
	centerNum = []float64{
		3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
		4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
	}
	centerDen = []float64{
		1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
		2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
	}
	tailNum = []float64{
		1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
	}
	tailDen = []float64{
		1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
	}
)

// unfused is a polynomial by Horner's rule with two roundings a step.
func (m *machine) unfused(x Op, c []float64) Op {
	y := m.mul(x, m.f(c[len(c)-1]))
	for i := len(c) - 2; i > 0; i-- {
		y = m.mul(m.add(y, m.f(c[i])), x)
	}
	return m.add(y, m.f(c[0]))
}

// quantileCenter is for |p - 1/2| <= 0.425.
func (m *machine) quantileCenter(p Op) Op {
	q := m.sub(p, m.f(0.5))
	r := m.sub(m.f(0.180625), m.mul(q, q))
	return m.div(m.mul(q, m.unfused(r, centerNum)), m.unfused(r, centerDen))
}

// quantileTail is for the other p, down to e^-25.
func (m *machine) quantileTail(p Op) Op {
	q := m.sub(p, m.f(0.5))
	r := m.choose(m.compare(greater, q, m.f(0)), m.sub(m.f(1), p), p)
	r = m.sub(m.sqrt(m.negative(m.unfusedLog(r))), m.f(1.6))
	return m.withSign(m.div(m.unfused(r, tailNum), m.unfused(r, tailDen)), q)
}

// unfusedLog is ln of a positive normal number.
func (m *machine) unfusedLog(x Op) Op {
	f := m.or(m.and(x, constant(1<<52-1)), m.f(0.5))
	low := m.compare(less, f, m.f(math.Sqrt2/2))
	k := m.sub(m.exponent(m.isub(x, m.f(0.5))), m.keep(low, m.f(1)))
	f = m.sub(m.choose(low, m.add(f, f), f), m.f(1))
	s := m.div(f, m.add(f, m.f(2)))
	z := m.mul(s, s)
	w := m.mul(z, z)
	c := logCoefficients64
	odd := m.add(m.mul(w, m.f(c[6])), m.f(c[4]))
	odd = m.add(m.mul(w, odd), m.f(c[2]))
	odd = m.add(m.mul(w, odd), m.f(c[0]))
	even := m.add(m.mul(w, m.f(c[5])), m.f(c[3]))
	even = m.add(m.mul(w, even), m.f(c[1]))
	r := m.add(m.mul(z, odd), m.mul(w, even))
	half := m.mul(m.mul(f, m.f(0.5)), f)
	high, rest := m.ln2()
	y := m.sub(half, m.add(m.mul(s, m.add(half, r)), m.mul(k, rest)))
	return m.sub(m.mul(k, high), m.sub(y, f))
}
