package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the precision of a program's products, which is the one thing in which a program may compute less exactly than its dtypes say.

// Precision says how exact the operands of products of F32 values are: of matrix products, convolutions, attention and the products in loops, in
// forward and backward pass. The sums of products are F32 at each, as are weights, optimizer states, norms, softmax, losses, reductions and
// everything else, so that a model, its optimizer and its loss need no change. Products of F64 values are not affected.
type Precision uint8

const (
	// PrecisionF32 takes operands as they are. It is the default.
	PrecisionF32 Precision = Precision(ir.PrecisionF32)
	// PrecisionTF32 lets an engine round operands to 11 significant bits if its device has units for that, as GPUs have. The engine for the CPU
	// computes as with PrecisionF32.
	PrecisionTF32 Precision = Precision(ir.PrecisionTF32)
	// PrecisionBF16 rounds operands to BF16: to the nearest number, of two to the even one, with denormal numbers as zero. Every engine and the
	// reference kernels round alike, also where the processor has no units for such numbers. It is what torch.autocast(dtype=torch.bfloat16) does to
	// the same ops, except that their results stay F32. BF16 has the range of F32, so that losses need no scaling.
	PrecisionBF16 Precision = Precision(ir.PrecisionBF16)
	// PrecisionBF16Activations multiplies as PrecisionBF16, and stores large activations, which are what the backward pass reads of the forward pass, as
	// BF16 in between. That takes less memory and a little more time. Operands of products are rounded in any case; what else reads a stored activation
	// in the backward pass, such as the gradient of a GELU, gets rounded numbers. The forward pass has the bits of PrecisionBF16. Results of attention, arrays
	// that loops such as Scan keep for their gradients, and programs on other engines than the CPU keep F32. It holds for the whole graph.
	PrecisionBF16Activations Precision = PrecisionBF16 + 1
)

var precisions = []Precision{PrecisionF32, PrecisionTF32, PrecisionBF16, PrecisionBF16Activations}

// String returns the name of the precision: f32, tf32, bf16 or bf16-activations.
func (p Precision) String() string {
	if !slices.Contains(precisions, p) {
		return fmt.Sprintf("precision(%d)", uint8(p))
	}
	if p == PrecisionBF16Activations {
		return "bf16-activations"
	}
	return ir.Precision(p).String()
}

// MarshalText returns the name of the precision.
func (p Precision) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText sets p to the precision of a name.
func (p *Precision) UnmarshalText(name []byte) error {
	for _, q := range precisions {
		if string(name) == q.String() {
			*p = q
			return nil
		}
	}
	return fmt.Errorf("tarn: %q is not a precision; use f32, tf32, bf16 or bf16-activations", name)
}

// SetPrecision sets the precision of the products that are added from now on. The products of a gradient have the precision of the product that they are
// the gradient of, wherever the gradient is taken. Factorizations of matrices, solutions of linear systems, interpolation and the updates of
// package optim have PrecisionF32 at any setting.
func (g *Graph) SetPrecision(p Precision) {
	g = g.orLost().root()
	if !slices.Contains(precisions, p) {
		g.failAs("SetPrecision", nil, newProblem("%d is not a precision", uint8(p)).WithHint("use tarn.PrecisionF32, PrecisionTF32, PrecisionBF16 or PrecisionBF16Activations"))
		return
	}
	g.shortActivations = g.shortActivations || p == PrecisionBF16Activations
	g.precision = ir.Precision(min(p, PrecisionBF16))
}

// Precision returns the precision of products that are added now.
func (g *Graph) Precision() Precision {
	root := g.orLost().root()
	if root.shortActivations && root.precision == ir.PrecisionBF16 {
		return PrecisionBF16Activations
	}
	return Precision(root.precision)
}

// precision is that of a product of v.
func (v *Value) precision() ir.Precision {
	if v.typ.DType != ir.F32 {
		return ir.PrecisionF32
	}
	return v.graph.root().precision
}

// at sets the precision of what is added until the function that it returns is called.
func (g *Graph) at(p ir.Precision) (restore func()) {
	root := g.orLost().root()
	before := root.precision
	root.precision = p
	return func() { root.precision = before }
}

// exactly is PrecisionF32 for what a composition adds that is no product for its user.
func (v *Value) exactly() (restore func()) { return v.orLost().graph.at(ir.PrecisionF32) }

// rulePrecision is the precision while the gradient rule of an op runs, given that of the gradient: only rules of the user's own have that. Rules of
// products know theirs, and all others add products that the user has not written.
func rulePrecision(op op, given ir.Precision) ir.Precision {
	if _, custom := op.(customGradOp); custom {
		return given
	}
	return ir.PrecisionF32
}
