package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds Layer, the layers that combine others or change a shape, and the checks of constructors.

// Layer is a part of a model with one input and one result.
type Layer interface {
	Forward(x *tarn.Value) *tarn.Value
}

// Func is a function that is a layer, for an op between the layers of a Sequential:
// nn.Func(func(x *tarn.Value) *tarn.Value { return x.Scale(2) }).
type Func func(x *tarn.Value) *tarn.Value

// Forward calls the function. Shapes: those of the function.
func (f Func) Forward(x *tarn.Value) *tarn.Value {
	if f == nil {
		return missing("Func", x)
	}
	return f(x)
}

// missing reports that a layer is nil.
func missing(name string, x *tarn.Value) *tarn.Value {
	return x.Graph().Fail(name, []*tarn.Value{x}, "the layer is nil: was the model made by its constructor?")
}

// mistake is what is wrong with the arguments of a constructor, or "". A constructor returns no error: Forward reports it.
type mistake string

// require records a mistake unless ok. The first one stands.
func (m *mistake) require(ok bool, format string, args ...any) {
	if !ok && *m == "" {
		*m = mistake(fmt.Sprintf(format, args...))
	}
}

// sizes requires numbers of at least 1; names has one for each.
func (m *mistake) sizes(call string, names []string, sizes ...int) {
	for i, n := range sizes {
		name := names[min(i, len(names)-1)]
		m.require(n >= 1, "%s: %s is %d and should be at least 1", call, name, n)
	}
}

// report returns a poisoned value if there is a mistake, and nil otherwise.
func (m mistake) report(layer string, in ...*tarn.Value) *tarn.Value {
	if m == "" {
		return nil
	}
	return in[0].Graph().Fail(layer, in, "%s", string(m))
}

// mostLayers limits the length of stacks, so that a nonsensical number of layers is a mistake and not the end of the memory.
const mostLayers = 1 << 16

// badEps reports an Eps that makes no sense as a poisoned value; nil otherwise.
func badEps(layer string, x *tarn.Value, eps float64) *tarn.Value {
	if eps >= 0 && !math.IsInf(eps, 1) {
		return nil
	}
	return x.Graph().Fail(layer, []*tarn.Value{x}, "Eps is %v and should be finite and not negative", eps)
}

// Sequential applies its layers one after the other. A layer's weights are named by its place, as in "0.weight"; equal to
// torch.nn.Sequential.
type Sequential struct {
	Layers []Layer `tarn:""`
}

// NewSequential returns the chain of the layers.
func NewSequential(layers ...Layer) *Sequential { return &Sequential{layers} }

// Forward is layer n of ... layer 1 of layer 0 of x; with no layers it is x. Shapes: that of the first layer -> that of the
// last.
func (s *Sequential) Forward(x *tarn.Value) *tarn.Value {
	if s == nil {
		return missing("Sequential", x)
	}
	for i, l := range s.Layers {
		if l == nil {
			return x.Graph().Fail("Sequential", []*tarn.Value{x}, "layer %d is nil", i)
		}
		x = l.Forward(x)
	}
	return x
}

// Flatten merges all axes but the first, which counts the examples, into one; equal to torch.nn.Flatten.
type Flatten struct{}

// Forward flattens x. Shapes: [n d...] -> [n product of d...]; a scalar is an error.
func (Flatten) Forward(x *tarn.Value) *tarn.Value {
	if x.Rank() == 0 {
		return x.Graph().Fail("Flatten", []*tarn.Value{x}, "the operand is a scalar; it needs a first axis, which counts the examples")
	}
	shape, rest := x.Shape(), 1
	for _, d := range shape[1:] {
		rest *= d
	}
	return x.Reshape(shape[0], rest)
}

// shapeString prints a shape as reports do.
func shapeString(shape []int) string { return fmt.Sprint(shape) }

// endsWith reports whether the last axes of shape have the given sizes.
func endsWith(shape, sizes []int) bool {
	return len(shape) >= len(sizes) && slices.Equal(shape[len(shape)-len(sizes):], sizes)
}

// orOne returns x, or 1 if x is 0, which means that the option is not set.
func orOne(x float64) float64 {
	if x == 0 {
		return 1
	}
	return x
}
