package lower

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// Attention is an attention or its gradient, in blocks. In has the operands in the order of ir.AttentionForm; the last axis of each
// but the mask is contiguous.
type Attention struct {
	Form ir.AttentionForm
	In   []Ref
	Out  *Buffer
}

func (a *Attention) describe() string {
	name := "attention"
	if a.Form.Gradient {
		name = "attention gradient"
	}
	return fmt.Sprintf("%s %+v: %v -> %v", name, a.Form, a.In, a.Out)
}

func (a *Attention) buffers(see func(b **Buffer)) {
	refBuffers(a.In, see)
	see(&a.Out)
}

// Sizes returns the sizes that the operands have.
func (a *Attention) Sizes() (batch, heads, groups, queries, keys, size, valueSize int) {
	q, k, v := a.In[0].View.Shape, a.In[1].View.Shape, a.In[2].View.Shape
	return q[0], q[1], k[1], q[2], k[2], q[3], v[3]
}

// attention groups n with operands that the kernels can read: all strides are at least 0, and the last of all but the mask is 1.
func (l *lowering) attention(n *ir.Node, op ir.Attention) value {
	operands := l.operandsOf(n)
	for i, o := range operands {
		last := len(o.view.Shape) - 1
		form := op.Attends()
		if form.Dropout > 0 && i == form.StepAt() {
			continue // one number
		}
		mask := form.Masked && i == 3
		if slices.Min(o.view.Strides) < 0 || !mask && o.view.Shape[last] > 1 && o.view.Strides[last] != 1 {
			operands[i] = l.copyOf(o, n)
		}
	}
	l.order[n] = len(l.order)
	l.newGroup(n, operands)
	return whole(n)
}

// flops counts the multiplications and additions of the products: two of the forward pass, five of the backward pass.
func (a *Attention) flops() int {
	batch, heads, _, queries, keys, size, valueSize := a.Sizes()
	pairs := queries * keys
	if a.Form.Causal {
		pairs = min(queries, keys) * (min(queries, keys) + 1) / 2
		if queries > keys {
			pairs += (queries - keys) * keys
		}
	}
	if a.Form.Gradient {
		return 2 * batch * heads * pairs * (3*size + 2*valueSize)
	}
	return 2 * batch * heads * pairs * (size + valueSize)
}

func (a *Attention) summary() string {
	batch, heads, groups, queries, keys, size, valueSize := a.Sizes()
	name := "attention"
	if a.Form.Gradient {
		name = "attention-gradient"
	}
	return fmt.Sprintf("%s %d heads of %d, %d groups of %dx%d+%d", name, batch*heads, queries, batch*groups, keys, size, valueSize)
}
