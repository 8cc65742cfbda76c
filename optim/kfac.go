package optim

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds K-FAC, which multiplies the gradient of each layer by the inverse of a Kronecker product that approximates its
// curvature.

// KFAC is natural gradient descent with a Fisher matrix of one block for each layer, approximated by the Kronecker product of two
// matrices A and G: see tarn.KroneckerLayer. For a layer with the weight matrix W, whose last column is the bias:
//
//	a <- d a + (1-d) A,  g <- d g + (1-d) G               d = min(1 - 1/k, Decay), at the k-th of these, every FactorsEvery updates
//	p = sqrt((trace a / rows of a) / (trace g / rows of g))
//	a' = (a + p sqrt(Damping) I)^-1,  g' = (g + sqrt(Damping)/p I)^-1       every Every updates
//	u = g' (gradient by W) a'
//	u <- u * min(1, sqrt(KL / sum of rate^2 u * gradient, over all layers))         KL = 0 is no limit
//	b <- Momentum b + u + WeightDecay * W
//	W <- W - rate * b
//
// Every update whose number, counted from 0, FactorsEvery divides renews the averages, and one whose number Every divides the
// inverses; the first three do both. The curvature of the damped product is about that of the Fisher matrix plus Damping, and p
// divides the damping between the factors such that they are the least changed by it. The trust region limits the change of what
// the model predicts that a step brings about, as the same curvature has it. The weight decay is not divided by the
// curvature. Params without factors, which tarn.KroneckerFactors tells of, such as scales of norms, embeddings and weights in
// loops, and layers of more than MaxSize inputs or outputs, are left to SGD with the same rate, momentum and decay, or to the transform
// Others, followed by the decay of AdamW:
//
//	opt.Others = optim.NewScaleByAdam()
//	opt.Group(optim.Under("token")).Rate = 0.1
//
// With Strict matrices that would be left so are an error with their names and the reason.
//
// The loss must be a mean over the examples. With Targets the factors are those of the true Fisher matrix, from targets that are
// drawn from the model, for the price of one more backward pass in those updates that renew the factors; without, of the
// empirical one, from the targets of the data. They are those of this batch, or of the last micro-batch, at the params as they
// are, also where SAM takes the gradient elsewhere. (Martens and Grosse 2015, Optimizing neural networks with Kronecker-factored
// approximate curvature, sections 5 and 6.3, without the choice of rate and momentum by a quadratic model; Grosse and Martens
// 2016, A Kronecker-factored approximate Fisher matrix for convolution layers; the trust region: Ba, Grosse and Martens
// 2017, Distributed second-order optimization using Kronecker-factored approximations.)
//
// Neither PyTorch nor Optax has K-FAC. Of the libraries for PyTorch, KFAC-Pytorch (alecwangcq) and kfac-pytorch (gpauloski) have the same
// trust region, and momentum and decay as torch.optim.SGD, as here. But they begin the averages at the identity with a constant
// decay, and have no p: they add Damping to the products of the eigenvalues of a and g, or to both factors alike.
type KFAC struct {
	Chain
	Decay        float64 // of the averages of the factors, once there have been many
	Damping      float64 // what is added to the curvature
	KL           float64 // the largest divergence of the model's predictions, before and after a step, as estimated; 0 for any
	Momentum     float64
	WeightDecay  float64   // decoupled from the curvature
	Every        int       // updates from one inversion to the next
	FactorsEvery int       // updates from one renewal of the factors to the next
	MaxSize      int       // layers with a factor of more rows than this are left to SGD
	Strict       bool      // a matrix that would be left to SGD is an error of Update, which says why
	Targets      Targets   // of the true Fisher matrix; nil for the empirical one
	Others       Transform // of the gradients of params without factors; nil is SGD
	// Examples is the number of examples that the loss is a mean over; 0 stands for that of Targets, or without these for the size
	// of the first axis of the graph's inputs.
	Examples int
}

// NewKFAC returns KFAC with Decay 0.95, Damping 0.003, KL 0.01, Momentum 0.5, Every 20, FactorsEvery 5 and MaxSize 4096. Rates from
// 0.003 to 0.1 are usual. A Momentum of 0.9, as in SGD, needs a smaller rate: the first steps overshoot with it.
func NewKFAC(rate float64) *KFAC {
	o := &KFAC{Decay: 0.95, Damping: 3e-3, KL: 0.01, Momentum: 0.5, Every: 20, FactorsEvery: 5, MaxSize: 4096}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *KFAC) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	if !c.needLoss() {
		return u
	}
	c.needGradients()
	c.fraction("Decay", o.Decay)
	c.notNegative("KL", o.KL)
	if !(o.Damping > 0) || math.IsInf(o.Damping, 1) {
		c.Errorf("Damping is %v and should be positive and finite", o.Damping)
	}
	if o.Every < 1 || o.FactorsEvery < 1 || o.MaxSize < 1 || o.Examples < 0 {
		c.Errorf("Every is %d, FactorsEvery %d, MaxSize %d and Examples %d; they should be at least 1, 1, 1 and 0",
			o.Every, o.FactorsEvery, o.MaxSize, o.Examples)
		return u
	}
	layers, ok := o.layers(c)
	if !ok {
		return u
	}
	u = o.precondition(c, layers, u)
	momentum := &SGD{Momentum: o.Momentum, WeightDecay: o.WeightDecay}
	if o.Others == nil {
		return momentum.Apply(c, u)
	}
	factored := map[*tarn.Param]bool{}
	for _, l := range layers.all {
		factored[l.Weight] = true
		if l.Bias != nil {
			factored[l.Bias] = true
		}
	}
	match := func(_ string, p *tarn.Param) bool { return factored[p] }
	u = Only{match, momentum}.Apply(c, u)
	u = Only{Not(match), o.Others}.Apply(c, u)
	return Only{Not(match), DecayWeights(o.WeightDecay)}.Apply(c, u)
}

// kfacLayer is a layer with its place among the slots.
type kfacLayer struct {
	*tarn.KroneckerLayer
	weight, bias int                  // bias is -1 if there is none
	given        *tarn.KroneckerLayer // the same layer of the loss with the targets of the data, or nil
}

// kfacLayers are the layers of a loss, which has drawn targets if drawn is not nil.
type kfacLayers struct {
	all   []kfacLayer
	drawn *Drawn
}

// layers finds the layers.
func (o *KFAC) layers(c *Context) (layers kfacLayers, ok bool) {
	loss, examples := c.Loss, o.Examples
	if c.Graph.Err() != nil { // which is reported in any case
		return layers, false
	}
	if o.Targets != nil {
		if layers.drawn = o.Targets(c); layers.drawn == nil {
			return layers, false
		}
		loss = layers.drawn.Loss
		if examples == 0 {
			examples = layers.drawn.Examples
		}
	}
	params, at := make([]*tarn.Param, len(c.Slots)), map[*tarn.Param]int{}
	for i, s := range c.Slots {
		params[i], at[s.Param] = s.Param, i
	}
	found, left, err := tarn.KroneckerFactors(loss, examples, params...)
	given := found
	if err == nil && layers.drawn != nil {
		given, _, err = tarn.KroneckerFactors(c.Loss, examples, params...)
	}
	if err != nil {
		c.Errorf("%w", err)
		return layers, false
	}
	for _, other := range left {
		if p := other.Param; o.Strict && len(p.Shape()) > 1 {
			c.Errorf("param %q is a matrix without Kronecker factors: %s; unset Strict to leave it to SGD, or to Others", c.Slots[at[p]].Name, other.Reason)
		}
	}
	for _, l := range found {
		if n := max(l.A.Dim(-1), l.G.Dim(-1)); n > o.MaxSize {
			if o.Strict {
				c.Errorf("param %q has factors of up to %d rows, more than MaxSize %d", c.Slots[at[l.Weight]].Name, n, o.MaxSize)
			}
			continue
		}
		layer := kfacLayer{KroneckerLayer: l, weight: at[l.Weight], bias: -1}
		if l.Bias != nil {
			layer.bias = at[l.Bias]
		}
		if i := slices.IndexFunc(given, func(o *tarn.KroneckerLayer) bool { return o.Weight == l.Weight && o.Bias == l.Bias }); i >= 0 {
			layer.given = given[i]
		}
		layers.all = append(layers.all, layer)
	}
	return layers, true
}

// precondition multiplies the gradients of the layers by the inverses and limits the step.
func (o *KFAC) precondition(c *Context, layers kfacLayers, u []*tarn.Value) []*tarn.Value {
	if len(layers.all) == 0 {
		return u
	}
	count := c.State("kfac.updates", 0)
	before := count.Value(c.Graph)
	c.Assign(count, before.AddNum(1))
	factors := o.average(c, layers, before)
	u = slices.Clone(u)
	var sum *tarn.Value
	for i, l := range layers.all {
		aInverse, gInverse := o.invert(c, l, before, factors[2*i], factors[2*i+1])
		natural, naturalBias := l.Split(l.natural(c, u, aInverse, gInverse))
		add := func(at int, v *tarn.Value) {
			s := c.Slots[at]
			product := v.Mul(u[at]).Sum().Cast(tarn.F64).Mul(s.Rate().Square().Cast(tarn.F64))
			if sum == nil {
				sum = product
			} else {
				sum = sum.Add(product)
			}
			u[at] = v
		}
		add(l.weight, natural)
		if l.bias >= 0 {
			add(l.bias, naturalBias)
		}
	}
	if o.KL == 0 {
		return u
	}
	// Without a gradient the sum is 0 and the factor 1.
	factor := c.Graph.Num(tarn.F64, o.KL).Div(sum).Sqrt().Minimum(tarn.Num(1))
	factor = sum.Gt(tarn.Num(0)).Where(factor, tarn.Num(1))
	for _, l := range layers.all {
		u[l.weight] = u[l.weight].Mul(c.Slots[l.weight].Scalar(factor))
		if l.bias >= 0 {
			u[l.bias] = u[l.bias].Mul(c.Slots[l.bias].Scalar(factor))
		}
	}
	return u
}

// natural is g' (gradient) a'. The gradient is a sum over the rows of the layer; where these are few, and no transform has changed
// it, it is quicker to multiply them by the inverses before they are summed.
func (l kfacLayer) natural(c *Context, u []*tarn.Value, aInverse, gInverse *tarn.Value) *tarn.Value {
	raw := l.given != nil && u[l.weight] == c.raw[l.Weight]
	var bias *tarn.Value
	if l.bias >= 0 {
		bias = u[l.bias]
		raw = raw && bias == c.raw[l.Bias]
	}
	in, out, rows := aInverse.Dim(-1), gInverse.Dim(-1), 0
	if raw {
		for _, use := range l.given.Uses {
			rows += use.Input.Dim(-2)
		}
	}
	if !raw || rows*(in*in+out*out+in*out) > in*out*(in+out) {
		return gInverse.MatMul(l.Matrix(u[l.weight], bias)).MatMul(aInverse)
	}
	var sum *tarn.Value
	for _, use := range l.given.Uses {
		v := use.Gradient.MatMul(gInverse).TMatMul(use.Input.MatMul(aInverse))
		if sum != nil {
			v = sum.Add(v)
		}
		sum = v
	}
	return sum
}

// firstUpdates is the number of updates at the beginning that renew everything: the factors of a single batch are poor, and change
// the most at the beginning. (Martens and Grosse 2015, algorithm 2.)
const firstUpdates = 3

// dueAt is true at the first updates and at those whose number every divides.
func dueAt(every int, before *tarn.Value) *tarn.Value {
	return divides(every, before).Or(before.Lt(tarn.Num(firstUpdates)))
}

// average returns the averages of A and G of each layer, one after the other, after this update.
func (o *KFAC) average(c *Context, layers kfacLayers, before *tarn.Value) []*tarn.Value {
	rounds := before.Div(tarn.Num(o.FactorsEvery)).Floor().AddNum(-float64((firstUpdates - 1) / o.FactorsEvery)) // after the first updates
	k := before.Minimum(tarn.Num(firstUpdates - 1)).AddNum(1).Add(rounds.Maximum(tarn.Num(0)))
	decay := k.Reciprocal().Neg().AddNum(1).Minimum(tarn.Num(o.Decay))
	var states []*tarn.Param
	var old, as, gs, inputs, gradients []*tarn.Value
	for _, l := range layers.all {
		s := c.Slots[l.weight]
		states = append(states, s.StateOf("kfac.a", 0, l.A.Shape()...), s.StateOf("kfac.g", 0, l.G.Shape()...))
		as, gs = append(as, l.A), append(gs, l.G)
		for _, use := range l.Uses {
			inputs, gradients = append(inputs, use.X), append(gradients, use.DY)
		}
	}
	for _, state := range states {
		old = append(old, state.Value(c.Graph))
	}
	mean := func(old, as, gs []*tarn.Value, decay *tarn.Value) []*tarn.Value {
		out := make([]*tarn.Value, len(old))
		for i, fresh := range as {
			d := decay.Cast(fresh.DType())
			share := d.Neg().AddNum(1)
			out[2*i] = old[2*i].Mul(d).Add(fresh.Mul(share))
			out[2*i+1] = old[2*i+1].Mul(d).Add(gs[i].Mul(share))
		}
		return out
	}
	now := mean(old, as, gs, decay)
	if o.FactorsEvery > 1 {
		// What only the factors need is computed in the branch that renews them: from the inputs of the layers and the gradients by
		// their results, which there are anyway, or where targets are drawn from the prediction on, the backward pass included.
		if layers.drawn != nil {
			gradients = []*tarn.Value{layers.drawn.Prediction}
		}
		n, m := len(old), len(old)+len(inputs)
		now = tarn.Cond(dueAt(o.FactorsEvery, before), slices.Concat(old, inputs, gradients, []*tarn.Value{decay}),
			func(in []*tarn.Value) []*tarn.Value {
				end := len(in) - 1
				return mean(in[:n], tarn.Substitute(as, inputs, in[n:m]), tarn.Substitute(gs, gradients, in[m:end]), in[end])
			},
			func(in []*tarn.Value) []*tarn.Value { return in[:n] })
	}
	for i, state := range states {
		c.Assign(state, now[i])
	}
	return now
}

// invert returns the inverses of the damped factors of a layer in this update.
func (o *KFAC) invert(c *Context, l kfacLayer, before, a, g *tarn.Value) (aInverse, gInverse *tarn.Value) {
	s := c.Slots[l.weight]
	states := []*tarn.Param{s.StateOf("kfac.a.inverse", 0, a.Shape()...), s.StateOf("kfac.g.inverse", 0, g.Shape()...)}
	now := []*tarn.Value{states[0].Value(c.Graph), states[1].Value(c.Graph)}
	fresh := func(in []*tarn.Value) []*tarn.Value { return o.inverses(in[0], in[1]) }
	if o.Every == 1 {
		now = fresh([]*tarn.Value{a, g})
	} else {
		now = tarn.Cond(dueAt(o.Every, before), append([]*tarn.Value{a, g}, now...), fresh,
			func(in []*tarn.Value) []*tarn.Value { return in[2:] })
	}
	return c.Assign(states[0], now[0]), c.Assign(states[1], now[1])
}

// inverses damps two factors and inverts them.
func (o *KFAC) inverses(a, g *tarn.Value) []*tarn.Value {
	size := func(v *tarn.Value) *tarn.Value { return v.Trace().Scale(1 / float64(v.Dim(-1))) }
	sizeA, sizeG := size(a), size(g)
	// A layer that has no gradient, or whose inputs are 0, has no p.
	p := sizeA.Div(sizeG).Sqrt()
	p = sizeA.Gt(tarn.Num(0)).And(sizeG.Gt(tarn.Num(0))).Where(p, tarn.Num(1))
	damped := func(v, by *tarn.Value) *tarn.Value {
		one := v.Graph().Eye(v.DType(), v.Dim(-1))
		if by.Rank() > 0 {
			one = one.Expand(v.Shape()...)
			by = by.Unsqueeze(-1, -2)
		}
		return inverse(v.Add(one.Mul(by)))
	}
	root := math.Sqrt(o.Damping)
	return []*tarn.Value{damped(a, p.Scale(root)), damped(g, p.Reciprocal().Scale(root))}
}
