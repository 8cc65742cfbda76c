package minimize

import (
	"fmt"
	"math"
)

// This file holds Adam.

// Adam is for functions whose values and gradients have noise, which misleads line searches: it takes a step at every gradient,
//
//	m <- Beta1 m + (1 - Beta1) g,   v <- Beta2 v + (1 - Beta2) g^2
//	x <- x - rate (m / (1 - Beta1^t)) / (sqrt(v / (1 - Beta2^t)) + Epsilon)
//
// with a rate that falls from Rate to 0 like a quarter of a cosine over Options.Iterations, so that the noise is averaged out in the end; with
// Constant it stays. Steps that lead to values that are not finite are halved. (Kingma and Ba 2015, Adam: a method for stochastic
// optimization.)
type Adam struct {
	Rate         float64 // 0 means 0.01
	Beta1, Beta2 float64 // 0 means 0.9 and 0.999, and a negative number 0
	Epsilon      float64 // 0 means 1e-8
	Constant     bool    // keep the rate
}

func (m *Adam) check(p *Problem, n int) error {
	if !(m.Rate >= 0 && m.Beta1 < 1 && m.Beta2 < 1 && m.Epsilon >= 0) || math.IsInf(m.Rate, 1) {
		return fmt.Errorf("minimize: Adam: Rate %v, Beta1 %v, Beta2 %v, Epsilon %v: rates are positive and betas below 1",
			m.Rate, m.Beta1, m.Beta2, m.Epsilon)
	}
	return nil
}

func (m *Adam) search(r *run) Reason {
	or := func(x, otherwise float64) float64 {
		if x == 0 {
			return otherwise
		}
		return max(0, x)
	}
	rate, b1, b2, small := or(m.Rate, 0.01), or(m.Beta1, 0.9), or(m.Beta2, 0.999), or(m.Epsilon, 1e-8)
	r.noisy = true
	reason := r.start()
	first, second, d := make([]float64, r.n), make([]float64, r.n), make([]float64, r.n)
	x, g := make([]float64, r.n), make([]float64, r.n)
	for t := 1.0; reason == Running; t++ {
		now := rate
		if !m.Constant && r.o.Iterations > 0 {
			now *= math.Cos(math.Pi / 2 * (t - 1) / float64(r.o.Iterations))
		}
		for i, v := range r.g {
			first[i] = b1*first[i] + (1-b1)*v
			second[i] = b2*second[i] + (1-b2)*v*v
			d[i] = -now * first[i] / (1 - math.Pow(b1, t)) / (math.Sqrt(second[i]/(1-math.Pow(b2, t))) + small)
		}
		var f float64
		for try := 0; ; try++ {
			for i, v := range r.x {
				x[i] = v + d[i]
			}
			if f = r.valueGrad(g, x); isFinite(f) && allFinite(g) || math.IsInf(f, -1) {
				break
			}
			if try == 30 || r.interrupted() != Running {
				return r.stuck()
			}
			for i := range d {
				d[i] /= 2
			}
		}
		copy(r.x, x)
		copy(r.g, g)
		r.f = f
		reason = r.moved(norm2(d))
	}
	return reason
}
