package ir

// This file holds what lowering knows of attention and of its gradient.

// AttentionForm says what an attention computes. Its operands are queries [batch heads queries size], keys
// [batch groups keys size] and values [batch groups keys valueSize], all of one float dtype, heads a multiple of groups, and then
// perhaps a mask [batch heads queries keys], bool for what counts or of that dtype to be added to the scores. The result is flat:
// the weighted values as [batch queries heads valueSize] and then, as [batch heads queries], the logarithm of the sum of
// the exponentials of each query's scores, +Inf where no key counts.
//
// The gradient has two more operands, the flat result and the gradient by the weighted values, [batch heads queries
// valueSize]. Its result is flat too: the gradients by queries [batch queries heads size], keys [batch keys groups size] and values
// [batch keys groups valueSize], one after the other; or, where they are joined, one array [batch queries heads+2*groups size].
type AttentionForm struct {
	Scale    float64
	Causal   bool // key j counts for query i only if j <= i
	Masked   bool // there is a mask among the operands
	Gradient bool
	Joined   bool
}

// Attention is an op that computes scaled dot-product attention, or its gradient.
type Attention interface {
	Op
	Attends() AttentionForm
}
