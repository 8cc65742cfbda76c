package nn

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds Linear, the affine map.

// Linear maps the last axis: y = x Wᵀ + b. Equal to torch.nn.Linear, its weights and their initialization included:
// both are uniform in ±1/sqrt(in).
type Linear struct {
	Weight *tarn.Param // [out in]
	Bias   *tarn.Param // [out], or nil for none
	// Transform changes the weight before it is used, or is nil: WeightNorm, SpectralNorm, WeightNoise or FakeQuantize.
	Transform WeightTransform
	LoRA      *LoRA `tarn:""` // an adapter, or nil

	wrong mistake
}

// NewLinear returns a linear layer with a bias; set Bias to nil to have none.
func NewLinear(in, out int) *Linear {
	bound := 0.0
	if in > 0 {
		bound = 1 / math.Sqrt(float64(in))
	}
	init := Uniform(-bound, bound)
	l := &Linear{Weight: tarn.NewParam(tarn.F32, init, out, in), Bias: tarn.NewParam(tarn.F32, init, out)}
	l.wrong.sizes(fmt.Sprintf("NewLinear(%d, %d)", in, out), []string{"in", "out"}, in, out)
	return l
}

// Forward is x Wᵀ + b. Shapes: [d... in] -> [d... out].
func (l *Linear) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("Linear", x)
	}
	if bad := l.wrong.report("Linear", x); bad != nil {
		return bad
	}
	g := x.Graph()
	w := l.Weight.Value(g)
	if w.Rank() == 2 && x.Dim(-1) != w.Dim(1) || x.Rank() == 0 {
		return g.Fail("Linear", []*tarn.Value{x, w}, "the input has shape %s and its last axis should have size %d", shapeString(x.Shape()), w.Dim(1))
	}
	if x.DType() != w.DType() {
		return g.Fail("Linear", []*tarn.Value{x, w}, "the input is %v and the weight %v: Cast the input, or tarn.Cast the model", x.DType(), w.DType())
	}
	w = transformed(l.Transform, w)
	var y *tarn.Value
	if x.Rank() == 1 {
		y = x.Unsqueeze(0).MatMulT(w).Reshape(-1)
	} else {
		y = x.MatMulT(w)
	}
	if l.Bias != nil {
		y = y.Add(l.Bias)
	}
	if l.LoRA.active() {
		return l.LoRA.addLinear(y, x, l.Weight.Shape(), 0, l.Weight.Shape()[0])
	}
	return y
}
