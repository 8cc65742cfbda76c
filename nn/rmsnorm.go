package nn

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds RMSNorm.

// RMSNorm divides the last axis by the square root of its mean square and then scales each element. Equal to torch.nn.RMSNorm
// over one axis.
// Zhang and Sennrich, Root mean square layer normalization, NeurIPS 2019.
type RMSNorm struct {
	Weight *tarn.Param // [size], the scale; nil for none
	Eps    float64     // added to the mean square; negative means the distance from 1 to the next number, as PyTorch's None

	wrong mistake
}

// NewRMSNorm returns a normalization of a last axis of the given size, with Eps -1, PyTorch's default.
func NewRMSNorm(size int) *RMSNorm {
	l := &RMSNorm{Weight: tarn.NewParam(tarn.F32, Ones(), size), Eps: -1}
	l.wrong.sizes(fmt.Sprintf("NewRMSNorm(%d)", size), []string{"the size"}, size)
	return l
}

// Forward is x/sqrt(mean(x^2) + Eps) Weight. Shapes: [d... size] -> same.
func (l *RMSNorm) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("RMSNorm", x)
	}
	if bad := l.wrong.report("RMSNorm", x); bad != nil {
		return bad
	}
	if bad := badEps("RMSNorm", x, max(l.Eps, 0)); bad != nil {
		return bad
	}
	g := x.Graph()
	if !x.DType().IsFloat() || x.Rank() == 0 {
		return g.Fail("RMSNorm", []*tarn.Value{x}, "the operand is %v%s and should be f32 or f64 with at least one axis", x.DType(), shapeString(x.Shape()))
	}
	eps := l.Eps
	if eps < 0 {
		eps = 0x1p-52
		if x.DType() == tarn.F32 {
			eps = 0x1p-23
		}
	}
	y := x.Mul(x.Square().Mean(-1).AddNum(eps).Rsqrt().Unsqueeze(-1))
	return affine("RMSNorm", y, l.Weight, nil)
}
