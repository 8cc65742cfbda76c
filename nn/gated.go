package nn

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds the activations that learn something and those in which one half of the input gates the other.

// PReLU is x where x > 0, else Weight x. Equal to torch.nn.PReLU, its initialization with 0.25 included, but for the place of the channels,
// which are the last axis.
// He et al., Delving deep into rectifiers, ICCV 2015.
type PReLU struct {
	Weight *tarn.Param // [channels], or [1] for all

	wrong mistake
}

// NewPReLU returns the activation with a slope for each of the channels, or with one slope for all if channels is 1, PyTorch's default.
func NewPReLU(channels int) *PReLU {
	p := &PReLU{Weight: tarn.NewParam(tarn.F32, Constant(0.25), channels)}
	p.wrong.sizes(fmt.Sprintf("NewPReLU(%d)", channels), []string{"the number of channels"}, channels)
	return p
}

// Forward applies it. Shapes: [d... channels] -> same; with one slope any -> same.
func (p *PReLU) Forward(x *tarn.Value) *tarn.Value {
	if p == nil {
		return missing("PReLU", x)
	}
	if bad := p.wrong.report("PReLU", x); bad != nil {
		return bad
	}
	w := p.Weight.Value(x.Graph())
	if w.Rank() != 1 || w.Dim(0) != 1 && (x.Rank() == 0 || w.Dim(0) != x.Dim(-1)) {
		return x.Graph().Fail("PReLU", []*tarn.Value{x, w}, "the operand has shape %s and the weight %s: it should have a slope for each channel, the last axis, or one",
			shapeString(x.Shape()), shapeString(w.Shape()))
	}
	if x.DType() != w.DType() {
		return x.Graph().Fail("PReLU", []*tarn.Value{x, w}, "the operand is %v and the weight %v: Cast the operand, or tarn.Cast the model", x.DType(), w.DType())
	}
	if w.Dim(0) == 1 {
		w = w.Reshape()
	}
	return x.PReLU(w)
}

// GLU is the first half of the last axis times the sigmoid of the second. Equal to torch.nn.GLU. A Linear before it has twice as many outputs
// as are wanted.
// Dauphin et al., Language modeling with gated convolutional networks, ICML 2017.
type GLU struct{}

// Forward applies it. Shapes: [... 2*d] -> [... d].
func (GLU) Forward(x *tarn.Value) *tarn.Value { return x.GLU(-1) }

// SwiGLU is SiLU of the first half of the last axis times the second half. Unlike in GLU the first half is the gate, as in the fused layers of
// Llama, whose gate_proj comes before its up_proj.
// Shazeer, GLU variants improve transformer, 2020.
type SwiGLU struct{}

// Forward applies it. Shapes: [... 2*d] -> [... d].
func (SwiGLU) Forward(x *tarn.Value) *tarn.Value { return gated("SwiGLU", x, (*tarn.Value).SiLU) }

// GeGLU is GELU of the first half of the last axis, the gate, times the second half.
// Shazeer, GLU variants improve transformer, 2020.
type GeGLU struct{}

// Forward applies it. Shapes: [... 2*d] -> [... d].
func (GeGLU) Forward(x *tarn.Value) *tarn.Value { return gated("GeGLU", x, (*tarn.Value).GELU) }

// gated is an activation of the first half of the last axis times the second half.
func gated(name string, x *tarn.Value, activation func(x *tarn.Value) *tarn.Value) *tarn.Value {
	if x.Rank() == 0 || x.Dim(-1)%2 != 0 {
		return x.Graph().Fail(name, []*tarn.Value{x}, "the operand has shape %s and its last axis should have an even size", shapeString(x.Shape()))
	}
	d := x.Dim(-1) / 2
	return activation(x.Slice(-1, 0, d)).Mul(x.Slice(-1, d, 2*d))
}
