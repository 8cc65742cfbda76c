package cpu

// Attention with operands of products rounded to bfloat16: blocks of queries, keys, values and gradients are copied with their numbers rounded, and
// blocks of weights and of gradients with respect to scores are rounded before they are multiplied.

import "unsafe"

// The blocks that are copied.
const (
	keysCopy = iota
	valuesCopy
	queriesCopy
	gradientsCopy
)

// round rounds n numbers in place, if products are those of bfloat16.
func (a *attention) round(x unsafe.Pointer, n int) {
	if a.BF16 {
		RoundBF16(x, x, n)
	}
}

// roundedRows returns rows of an operand, or a copy of them in the worker's scratch with the numbers rounded.
func (a *attention) roundedRows(which int, worker, from unsafe.Pointer, l Layout, n, size int) (unsafe.Pointer, Layout) {
	if !a.BF16 {
		return from, l
	}
	to := unsafe.Add(worker, a.rounded[which])
	for i := range n {
		RoundBF16(unsafe.Add(to, i*size*a.size), unsafe.Add(from, i*l.RowStride), size)
	}
	return to, a.rows(size)
}
