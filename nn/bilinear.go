package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds Bilinear, which joins two inputs.

// Bilinear maps the last axes of two inputs: y[o] = x1ᵀ Weight[o] x2 + Bias[o]. Equal to torch.nn.Bilinear, its weights and their initialization
// included: both are uniform in ±1/sqrt(in1).
type Bilinear struct {
	Weight *tarn.Param // [out in1 in2]
	Bias   *tarn.Param // [out], or nil for none

	wrong mistake
}

// NewBilinear returns a bilinear layer with a bias; set Bias to nil to have none.
func NewBilinear(in1, in2, out int) *Bilinear {
	bound := 0.0
	if in1 > 0 {
		bound = 1 / math.Sqrt(float64(in1))
	}
	init := Uniform(-bound, bound)
	b := &Bilinear{Weight: tarn.NewParam(tarn.F32, init, out, in1, in2), Bias: tarn.NewParam(tarn.F32, init, out)}
	b.wrong.sizes(fmt.Sprintf("NewBilinear(%d, %d, %d)", in1, in2, out), []string{"in1", "in2", "out"}, in1, in2, out)
	return b
}

// Forward is x1ᵀ Weight x2 + Bias. Shapes: [d... in1], [d... in2] -> [d... out].
func (b *Bilinear) Forward(x1, x2 *tarn.Value) *tarn.Value {
	if b == nil {
		return missing("Bilinear", x1)
	}
	if bad := b.wrong.report("Bilinear", x1, x2); bad != nil {
		return bad
	}
	g := x1.Graph()
	w := b.Weight.Value(g)
	in := []*tarn.Value{x1, x2, w}
	if x2 == nil || w.Rank() != 3 {
		return g.Fail("Bilinear", in, "there should be two inputs, and a weight [out in1 in2]")
	}
	one, two := x1.Shape(), x2.Shape()
	switch {
	case len(one) == 0 || len(one) != len(two) || !slices.Equal(one[:len(one)-1], two[:len(two)-1]) || x1.Dim(-1) != w.Dim(1) || x2.Dim(-1) != w.Dim(2):
		return g.Fail("Bilinear", in, "the inputs have the shapes %s and %s and should be [d... %d] and [d... %d]", shapeString(one), shapeString(two), w.Dim(1), w.Dim(2))
	case x1.DType() != w.DType() || x2.DType() != w.DType():
		return g.Fail("Bilinear", in, "the inputs are %v and %v and the weight %v: Cast the inputs, or tarn.Cast the model", x1.DType(), x2.DType(), w.DType())
	}
	rows := x1.Size() / w.Dim(1)
	// x1 times all matrices at once, and then each result with x2.
	half := x1.Reshape(rows, -1).MatMul(w.Transpose(0, 1).Reshape(w.Dim(1), -1)).Reshape(rows, w.Dim(0), w.Dim(2))
	y := half.Mul(x2.Reshape(rows, 1, w.Dim(2))).Sum(-1).Reshape(append(one[:len(one)-1], w.Dim(0))...)
	if b.Bias != nil {
		y = y.Add(b.Bias)
	}
	return y
}
