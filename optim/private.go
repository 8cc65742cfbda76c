package optim

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds differentially private training: a loss whose gradient is clipped example by example, noise for the sums, and what the two
// reveal. (Abadi et al. 2016, Deep learning with differential privacy.)

// PrivateLoss returns the mean of a loss over examples, with a gradient in which no example counts for more than a bound: the mean of the
// gradients of the examples with respect to params, each scaled down to a norm, over all params together, of at most the bound. The
// loss is a function of the arrays of one example, without the axis 0 along which examples lie in the arrays given: see tarn.VMap. It may use params
// and layers, except those that mix examples. The second result holds the norms before clipping. With PrivateNoise in the optimizer's Before
// this is the private SGD of Abadi et al.:
//
//	g = mean over examples of d_i * min(1, bound / |d_i|)
//
// The gradient has no gradient with respect to anything but dy, and is 0 with respect to all that is not in params. Equal to the clipping of
// Opacus, whose denominator has 1e-6 more, and of optax.contrib.dpsgd.
//
// Shapes: [n d...]... and a loss [] of [d...]... -> [], [n].
func PrivateLoss(bound float64, params []*tarn.Param, examples []*tarn.Value, loss func(example []*tarn.Value) *tarn.Value) (mean, norms *tarn.Value) {
	if len(examples) == 0 || examples[0] == nil {
		failed := (*tarn.Graph)(nil).Fail("PrivateLoss", nil, "there are no examples")
		return failed, failed
	}
	g := examples[0].Graph()
	fail := func(format string, args ...any) (mean, norms *tarn.Value) {
		v := g.Fail("PrivateLoss", examples, format, args...)
		return v, v
	}
	switch {
	case !(bound > 0) || math.IsInf(bound, 1):
		return fail("the bound is %v and should be positive and finite", bound)
	case loss == nil:
		return fail("the loss is nil")
	case len(params) == 0:
		return fail("there are no params")
	}
	all := tarn.VMap(0, examples, func(example []*tarn.Value) []*tarn.Value {
		l := loss(example)
		return append([]*tarn.Value{l}, tarn.Grad(l, params...)...)
	})
	losses, ds := all[0], all[1:]
	n := losses.Dim(0)
	square := losses.Num(0).Expand(losses.Shape()...)
	for _, d := range ds {
		square = square.Add(d.Reshape(n, -1).Square().Sum(1).Cast(losses.DType()))
	}
	norms = square.Sqrt()
	// In this order of operands a NaN passes through.
	share := norms.Le(tarn.Num(bound)).Where(norms.Num(1), norms.Reciprocal().Scale(bound)).Scale(1 / float64(max(n, 1)))
	mean = tarn.WithGradient(losses.Mean(), params, func(dy *tarn.Value) []*tarn.Value {
		out := make([]*tarn.Value, len(ds))
		for i, d := range ds {
			sum := share.Cast(d.DType()).Unsqueeze(0).MatMul(d.Reshape(n, -1))
			out[i] = sum.Reshape(params[i].Shape()...).Mul(dy.Cast(d.DType()))
		}
		return out
	})
	return mean, norms
}

// PrivateNoise adds to a mean of gradients, each of which has a norm of at most Bound, the noise that hides a single example:
//
//	u <- u + Noise * Bound / Batch * n       n is standard normal
//
// The numbers depend on the graph's seed, which should be secret. It belongs into the Before of a chain, together with PrivateLoss. Batch is the
// number of examples of an update that is expected. The guarantee of PrivacySpent is for batches that take each example with a
// probability of its own. (Abadi et al. 2016, Deep learning with differential privacy.)
//
// Equal to the noise of Opacus, with Noise its noise_multiplier.
type PrivateNoise struct {
	Noise, Bound, Batch float64
}

// Apply adds the noise.
func (p PrivateNoise) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("Noise", p.Noise)
	c.positive("Bound", p.Bound)
	c.positive("Batch", p.Batch)
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		return u.Add(c.Graph.Normal(s.Param.DType(), 0, p.Noise*p.Bound/p.Batch, s.Param.Shape()...))
	})
}

// privacyOrders are the orders of Rényi divergence among which PrivacySpent takes the best.
var privacyOrders = func() []int {
	orders := []int{128, 256, 512}
	for a := 64; a >= 2; a-- {
		orders = append(orders, a)
	}
	slices.Sort(orders)
	return orders
}()

// PrivacySpent returns the epsilon such that a training with private gradients is (epsilon, delta)-differentially private: steps updates
// with the noise of PrivateNoise, each from a batch that takes every example with probability rate. It bounds the Rényi divergence of integer
// orders up to 512 (Mironov, Talwar and Zhang 2019, Rényi differential privacy of the sampled Gaussian mechanism) and converts it
// (Balle et al. 2020, Hypothesis testing interpretations and Rényi differential privacy). Without noise it is infinite. Equal to the RDPAccountant of
// Opacus with these orders.
func PrivacySpent(noise, rate float64, steps int, delta float64) (epsilon float64, err error) {
	switch {
	case !(noise >= 0):
		return 0, fmt.Errorf("optim: PrivacySpent: the noise is %v and should not be negative", noise)
	case !(rate >= 0 && rate <= 1):
		return 0, fmt.Errorf("optim: PrivacySpent: the rate is %v and should be from 0 to 1", rate)
	case steps < 0:
		return 0, fmt.Errorf("optim: PrivacySpent: there cannot be %d steps", steps)
	case !(delta > 0 && delta < 1):
		return 0, fmt.Errorf("optim: PrivacySpent: delta is %v and should lie between 0 and 1", delta)
	}
	if steps == 0 || rate == 0 {
		return 0, nil
	}
	epsilon = math.Inf(1)
	for _, order := range privacyOrders {
		a := float64(order)
		spent := float64(steps)*sampledGaussian(order, noise, rate) + math.Log1p(-1/a) - (math.Log(delta)+math.Log(a))/(a-1)
		epsilon = min(epsilon, max(spent, 0))
	}
	return epsilon, nil
}

// sampledGaussian is the Rényi divergence of an order that one update spends: with B(k) the binomial distribution of order trials of
// probability rate, log(sum over k of B(k) e^((k^2-k)/(2 noise^2))) / (order-1).
func sampledGaussian(order int, noise, rate float64) float64 {
	a := float64(order)
	if noise == 0 {
		return math.Inf(1)
	}
	if rate == 1 {
		return a / (2 * noise * noise)
	}
	logs := make([]float64, order+1)
	largest := math.Inf(-1)
	choose := 0.0 // the logarithm of the number of ways to choose k of order
	for k := range logs {
		n := float64(k)
		if k > 0 {
			choose += math.Log((a - n + 1) / n)
		}
		logs[k] = choose + n*math.Log(rate) + (a-n)*math.Log1p(-rate) + (n*n-n)/(2*noise*noise)
		largest = max(largest, logs[k])
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - largest)
	}
	return (largest + math.Log(sum)) / (a - 1)
}
