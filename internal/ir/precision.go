package ir

import "github.com/seed-49005b45/tarn/internal/half"

// This file holds the precision of products: what becomes of the operands of a matrix product, a convolution or an attention before they are
// multiplied. Everything else computes in the dtype of its operands.

// Precision says how exact the operands of products of F32 arrays are. The sums of products are F32 at each.
type Precision uint8

// The precisions.
const (
	PrecisionF32  Precision = iota // operands as they are
	PrecisionTF32                  // operands of at least 11 significant bits
	PrecisionBF16                  // operands rounded to BF16: to the nearest, of two the even one, denormal numbers to zero
)

// String is the name of the precision, as in "bf16".
func (p Precision) String() string { return [...]string{"f32", "tf32", "bf16"}[p] }

// Multiplies reports whether op is a product that a precision applies to, if its operands are F32.
func Multiplies(op Op) bool {
	switch op.(type) {
	case Contraction, Convolution, Attention:
		return true
	}
	return false
}

// Eval computes the node by its reference kernel, at its precision. out is zeroed; no operand shares its memory.
func (n *Node) Eval(out Array, in []Array) {
	if n.Precision != PrecisionBF16 {
		n.Op.Eval(out, in)
		return
	}
	if op, ok := n.Op.(Attention); ok {
		form := op.Attends()
		form.Precision = n.Precision
		form.Eval(out, in)
		return
	}
	rounded := make([]Array, len(in))
	for i, a := range in {
		rounded[i] = RoundBF16(a)
	}
	n.Op.Eval(out, rounded)
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
