package onnx

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds losses, and what draws random numbers.

func lossOperators() {
	register("NegativeLogLikelihoodLoss", func(c *call) []*value { return c.of(c.elem(0), c.likelihood(c.val(0))) })
	register("SoftmaxCrossEntropyLoss", func(c *call) []*value {
		log := c.val(0).LogSoftmax(1)
		return []*value{{elem: c.elem(0), v: c.likelihood(log)}, {elem: c.elem(0), v: log}}
	})
	draw := func(name string, f func(c *call, dtype tarn.DType, shape []int) *tarn.Value) {
		shaped := func(c *call, elem elemType, shape []int) []*value {
			dtype, ok := elem.carrier()
			if !ok || !dtype.IsFloat() {
				failf("the type %v is not supported", elem)
			}
			return c.of(elem, f(c, dtype, shape))
		}
		registered[":"+name] = operator{own: true, f: func(c *call) []*value {
			return shaped(c, elemType(c.int("dtype", typeFloat)), c.numbers("shape"))
		}}
		registered[":"+name+"Like"] = operator{own: true, f: func(c *call) []*value {
			return shaped(c, elemType(c.int("dtype", int(c.elem(0)))), c.at(0).sizes())
		}}
	}
	draw("RandomNormal", func(c *call, dtype tarn.DType, shape []int) *tarn.Value {
		return c.g.Normal(dtype, c.float("mean", 0), c.float("scale", 1), shape...)
	})
	draw("RandomUniform", func(c *call, dtype tarn.DType, shape []int) *tarn.Value {
		return c.g.Uniform(dtype, c.float("low", 0), c.float("high", 1), shape...)
	})
	registerOwn("Bernoulli", func(c *call) []*value {
		x := c.val(0)
		elem := elemType(c.int("dtype", int(c.elem(0))))
		dtype, ok := elem.carrier()
		if !ok {
			failf("the type %v is not supported", elem)
		}
		hit := c.g.Uniform(x.DType(), 0, 1, x.Shape()...).Lt(x)
		return c.of(elem, hit.Cast(dtype))
	})
	registerOwn("Multinomial", func(c *call) []*value {
		logits, n := c.val(0), c.int("sample_size", 1)
		if n < 1 || n > 1<<20 || logits.Rank() != 2 {
			failf("%d draws do not fit the shape %v", n, logits.Shape())
		}
		elem := elemType(c.int("dtype", typeInt32))
		dtype, _ := elem.carrier()
		var all []*tarn.Value
		for range n {
			all = append(all, logits.Add(c.g.Gumbel(logits.DType(), logits.Shape()...)).ArgMax(1))
		}
		return c.of(elem, tarn.Stack(1, all...).Cast(dtype))
	})
}

// likelihood is the loss of logarithms of probabilities [n classes d...] for labels [n d...].
func (c *call) likelihood(log *tarn.Value) *tarn.Value {
	labels := c.val(1).Cast(tarn.I64)
	classes := log.Dim(1)
	ignore := c.attr("ignore_index")
	counts := labels.Ge(tarn.Num(math.MinInt32))
	at := labels
	if ignore != nil {
		counts = labels.Ne(tarn.Num(float64(ignore.i)))
		at = counts.Where(labels, labels.Num(0))
	}
	weight := counts.Cast(log.DType())
	if c.has(2) {
		weight = weight.Mul(c.val(2).Take(0, at))
	}
	loss := log.Gather(1, at.Within("the labels", 0, classes).Unsqueeze(1)).Squeeze(1).Neg()
	loss = counts.Where(loss.Mul(weight), loss.Num(0))
	switch c.string("reduction", "mean") {
	case "none":
		return loss
	case "sum":
		return loss.Sum()
	}
	if !c.has(2) && ignore == nil {
		return loss.Mean()
	}
	return loss.Sum().Div(weight.Sum())
}
