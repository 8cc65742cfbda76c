package ir

import "github.com/seed-49005b45/tarn/internal/half"

// This file holds the precision of products: what becomes of the operands of a matrix product, a convolution or an attention before they are
// multiplied. Everything else computes in the dtype of its operands.

// Precision says how exact the operands of a product of F32 arrays are. The sums of products are F32 at each.
type Precision uint8

// The precisions.
const (
	PrecisionF32  Precision = iota // operands as they are
	PrecisionTF32                  // operands of at least 11 significant bits
	PrecisionBF16                  // operands rounded to BF16: to the nearest, of two the even one, denormal numbers to zero
)

// String is the name of the precision, as in "bf16".
func (p Precision) String() string { return [...]string{"f32", "tf32", "bf16"}[p] }

// Precise is a product with a precision, which is that of F32 operands. An Attention has it in its form.
type Precise interface {
	Op
	Precision() Precision
}

// Precision returns the precision of a product; other nodes and products of other types have PrecisionF32.
func (n *Node) Precision() Precision {
	if n.Type.DType != F32 {
		return PrecisionF32
	}
	switch op := n.Op.(type) {
	case Precise:
		return op.Precision()
	case Attention:
		return op.Attends().Precision
	}
	return PrecisionF32
}

// Operands returns the operands of a product as they are multiplied.
func (p Precision) Operands(in []Array) []Array {
	if p != PrecisionBF16 || in[0].DType != F32 {
		return in
	}
	rounded := make([]Array, len(in))
	for i, a := range in {
		rounded[i] = RoundBF16(a)
	}
	return rounded
}

// RoundBF16 returns a copy of an F32 array with its elements rounded as PrecisionBF16 says.
func RoundBF16(a Array) Array {
	out := NewArray(a.Type)
	to := Slice[float32](out)
	for i, x := range Slice[float32](a) {
		to[i] = half.RoundBF16(x)
	}
	return out
}
