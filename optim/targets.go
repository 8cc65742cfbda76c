package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds targets that are drawn from what the model predicts, which turn the gradient of a loss into a sample of the
// Fisher information; and the estimate of a diagonal that is made of it.

// Targets draws targets from the distribution that the model predicts in a step. The gradient of the loss with such targets has
// the mean 0, and the mean square of an example's is the diagonal of the Fisher information; the targets of the data would give
// it only where the model is right. (Kunstner et al. 2019, Limitations of the empirical Fisher approximation for natural gradient
// descent.) A mistake is reported to the Context, and nil returned.
type Targets func(c *Context) *Drawn

// Drawn is a loss with targets that have been drawn.
type Drawn struct {
	Prediction *tarn.Value // what the targets are drawn from, and the loss computed
	Loss       *tarn.Value // the mean over the examples
	Examples   int
}

// ClassesOf draws a class for each row of logits from their softmax; the loss is the mean cross-entropy over all rows. The logits are
// found in the loss's graph by the name that was given to them, as in
//
//	loss := nn.CrossEntropy(m.Forward(x).Named("logits"), y)
//
// The classes are the last axis. They depend on the graph's seed and are others in each step.
func ClassesOf(logits string) Targets {
	return func(c *Context) *Drawn {
		prediction := c.lookup(logits, 2)
		if prediction == nil {
			return nil
		}
		classes := prediction.Dim(-1)
		if classes == 0 {
			c.Errorf("the value %q made at %s has shape %v: there is no class to draw", logits, prediction.Place(), prediction.Shape())
			return nil
		}
		v := prediction.Reshape(prediction.Size()/classes, classes)
		rows := v.Dim(0)
		// The class with the largest sum of logit and a number of Gumbel's distribution comes with the probability of the softmax.
		// (Gumbel 1954, Statistical theory of extreme values and some practical applications.)
		gumbel := c.Graph.Uniform(v.DType(), 0, 1, rows, classes).Log().Neg().Log().Neg()
		drawn := v.StopGradient().Add(gumbel).ArgMax(1).Unsqueeze(1)
		return &Drawn{prediction, v.LogSoftmax(1).Gather(1, drawn).Mean().Neg(), rows}
	}
}

// NormalsAround draws targets from the normal distribution around a prediction whose negative log-likelihood is nn.MSE, the
// mean squared error over all elements, times the number of examples, which are the first axis: with n elements an example
// its variance is n/2. The prediction is found by its name as are the logits of ClassesOf.
func NormalsAround(prediction string) Targets {
	return func(c *Context) *Drawn {
		v := c.lookup(prediction, 1)
		if v == nil {
			return nil
		}
		examples := max(v.Dim(0), 1)
		noise := c.Graph.Normal(v.DType(), 0, math.Sqrt(float64(v.Size()/examples)/2), v.Shape()...)
		return &Drawn{v, v.Sub(v.StopGradient().Add(noise)).Square().Mean(), examples}
	}
}

// lookup returns the float value with this name, and reports it if it has fewer axes than rank.
func (c *Context) lookup(name string, rank int) *tarn.Value {
	if c.Graph.Err() != nil { // which is reported in any case
		return nil
	}
	v, err := c.Graph.Lookup(name)
	switch {
	case err != nil:
		c.Errorf("%w", err)
		return nil
	case v.Rank() < rank || !v.DType().IsFloat():
		c.Errorf("the value %q made at %s has shape %v and dtype %v and should have %d axes at least, of f32 or f64",
			name, v.Place(), v.Shape(), v.DType(), rank)
		return nil
	}
	return v
}

// GaussNewtonBartlett estimates the diagonal of the Gauss-Newton matrix of the loss by each param, for Sophia's Diagonal: the
// square of the gradient with targets drawn from the model, times the number of examples. Its mean is the diagonal, because the
// gradients of two examples are independent and have the mean 0, and so the mean of the square of their sum is the sum
// of the means of their squares. It costs one backward pass and is never negative. With micro-batches it is that of the last one.
// (Liu et al. 2023, algorithm 2.)
//
//	opt := optim.NewSophia(rate)
//	opt.Diagonal = optim.GaussNewtonBartlett(optim.ClassesOf("logits"))
func GaussNewtonBartlett(targets Targets) func(c *Context) []*tarn.Value {
	return func(c *Context) []*tarn.Value {
		if targets == nil {
			c.Errorf("GaussNewtonBartlett has no Targets; give it such as optim.ClassesOf")
			return nil
		}
		drawn := targets(c)
		if drawn == nil {
			return nil
		}
		return c.Each(tarn.Grad(drawn.Loss, c.values()...), func(s *Slot, d *tarn.Value) *tarn.Value {
			return d.Square().Scale(float64(drawn.Examples))
		})
	}
}
