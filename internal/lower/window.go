package lower

import (
	"fmt"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file lowers convolutions: to a separate piece of work, or to a product if the window is a single
// element.

// Conv is a convolution, a transposed convolution or the gradient with respect to the kernel, on whole arrays.
type Conv struct {
	Kind                     ir.ConvKind
	Stride, Dilation, Before []int
	Groups                   int
	A, B, C                  *Buffer // the operands and the result
	Offsets                  [2]int  // where A and B begin, in elements
	X, W, Y                  []int   // the shapes of the three arrays
	DType                    ir.DType
	Precision                ir.Precision // of the operands
}

func (c *Conv) describe() string {
	return fmt.Sprintf("conv%s %v x %v -> %v: x %v w %v y %v stride %v dilation %v before %v groups %d",
		precision(c.Precision), c.A, c.B, c.C, c.X, c.W, c.Y, c.Stride, c.Dilation, c.Before, c.Groups)
}

func (c *Conv) buffers(see func(b **Buffer)) {
	see(&c.A)
	see(&c.B)
	see(&c.C)
}

// flops is two for each multiply and add, those with padding counted.
func (c *Conv) flops() int {
	return 2 * ir.Size(c.Y) * ir.Size(c.W[:len(c.W)-1])
}

func (c *Conv) summary() string {
	return fmt.Sprintf("%s x %s w %s y %s", [...]string{"conv", "conv-input", "conv-kernel"}[c.Kind], ir.ShapeString(c.X), ir.ShapeString(c.W), ir.ShapeString(c.Y))
}

// convolution makes the work of a convolution whose operands are contiguous.
func convolution(n *ir.Node, op ir.Convolution, a, b Ref, out *Buffer) Work {
	c := &Conv{A: a.Buffer, B: b.Buffer, C: out, Offsets: [2]int{a.View.Offset, b.View.Offset}, DType: n.Type.DType, Precision: n.Precision()}
	c.Kind, c.Stride, c.Dilation, c.Before, c.Groups = op.Convolves()
	switch c.Kind {
	case ir.ConvOutput:
		c.X, c.W, c.Y = a.View.Shape, b.View.Shape, n.Type.Shape
	case ir.ConvInput:
		c.X, c.W, c.Y = n.Type.Shape, b.View.Shape, a.View.Shape
	case ir.ConvKernel:
		c.X, c.W, c.Y = a.View.Shape, n.Type.Shape, b.View.Shape
	}
	if p := c.product(a, b); p != nil {
		p.Precision = n.Precision()
		return p
	}
	return c
}

// product is the convolution as a matrix product, or nil if the window has several elements or does not meet every
// element of the operand once.
func (c *Conv) product(a, b Ref) *Product {
	last := len(c.X) - 1
	if c.Groups != 1 || ir.Size(c.W[:last-1]) != 1 {
		return nil
	}
	for i := range last - 1 {
		if c.X[i+1] != c.Y[i+1] || c.Before[i] != 0 || c.Stride[i] != 1 && c.X[i+1] != 1 {
			return nil
		}
	}
	pixels, in, out := ir.Size(c.X[:last]), c.X[last], c.Y[last]
	matrix := func(r Ref, rows, cols int, transposed bool) Ref {
		v := ir.View{Shape: []int{rows, cols}, Strides: []int{cols, 1}, Offset: r.View.Offset}
		if transposed {
			v.Shape, v.Strides = []int{cols, rows}, []int{1, cols}
		}
		return Ref{r.Buffer, v}
	}
	switch c.Kind {
	case ir.ConvOutput:
		return &Product{M: pixels, N: out, K: in, A: matrix(a, pixels, in, false), B: matrix(b, in, out, false), C: c.C}
	case ir.ConvInput:
		return &Product{M: pixels, N: in, K: out, A: matrix(a, pixels, out, false), B: matrix(b, in, out, true), C: c.C}
	}
	return &Product{M: in, N: out, K: pixels, A: matrix(a, pixels, in, true), B: matrix(b, pixels, out, false), C: c.C}
}

// Pool is pooling on whole arrays.
type Pool struct {
	Kind   ir.PoolKind
	Window ir.Window
	In     []Ref // one or two, in order
	Out    *Buffer
	X, Y   []int // the shapes of the array that the window moves over and of the one with its places
	DType  ir.DType
}

func (p *Pool) describe() string {
	return fmt.Sprintf("pool %d %v -> %v: %v %v window %v", p.Kind, p.In, p.Out, p.X, p.Y, p.Window)
}

func (p *Pool) buffers(see func(b **Buffer)) {
	refBuffers(p.In, see)
	see(&p.Out)
}

// pooling makes the work of a pooling op whose operands are contiguous.
func pooling(n *ir.Node, op ir.Pooling, in []Ref, out *Buffer) *Pool {
	p := &Pool{In: in, Out: out, X: in[0].View.Shape, Y: n.Type.Shape, DType: n.Type.DType}
	p.Kind, p.Window = op.Pools()
	if p.Kind == ir.PoolSpread || p.Kind == ir.PoolSumSpread {
		p.X, p.Y = n.Type.Shape, in[len(in)-1].View.Shape
	}
	return p
}

func (p *Pool) flops() int { return ir.Size(p.Y) * ir.Size(p.Window.Size) }

func (p *Pool) summary() string {
	return fmt.Sprintf("%s %s to %s", [...]string{"pool-pick", "pool-spread", "pool-sum", "pool-sum-spread"}[p.Kind], ir.ShapeString(p.X), ir.ShapeString(p.Y))
}
