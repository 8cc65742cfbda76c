package op

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the ops that copy their operands into a larger array: Concat, and Pad, the reverse of a slice.

// Concat joins operands along an axis.
type Concat struct{ Axis int }

// Name is "Concat".
func (Concat) Name() string { return "Concat" }

// Attrs prints the axis.
func (op Concat) Attrs() string { return axesString(op.Axis) }

// Joins returns the axis.
func (op Concat) Joins() int { return op.Axis }

// Infer is the shape rule: [... d1 ...], [... d2 ...], ... -> [... d1+d2+... ...].
func (op Concat) Infer(in []ir.Type) (ir.Type, error) {
	shape := slices.Clone(in[0].Shape)
	for i, t := range in[1:] {
		if t.DType != in[0].DType {
			return ir.Type{}, ir.NewProblem("operands 1 and %d are %v and %v", i+2, in[0].DType, t.DType).WithHint("Cast one of them")
		}
		if len(t.Shape) != len(shape) {
			return ir.Type{}, ir.NewProblem("operands 1 and %d have ranks %d and %d", i+2, len(shape), len(t.Shape))
		}
		for a, d := range t.Shape {
			if a == op.Axis {
				shape[a] += d
			} else if d != shape[a] {
				return ir.Type{}, ir.NewProblem("operands 1 and %d have sizes %d and %d at axis %d", i+2, shape[a], d, a)
			}
		}
	}
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

// Eval is the reference kernel.
func (op Concat) Eval(out ir.Array, in []ir.Array) {
	outer, size, inner := around(out.Shape, op.Axis)
	at := 0
	for _, x := range in {
		d := x.Shape[op.Axis]
		for o := range outer {
			for i := range d * inner {
				out.CopyElement((o*size+at)*inner+i, x, o*d*inner+i)
			}
		}
		at += d
	}
}

// Run is RunRows of all rows.
func (op Concat) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// Rows is the number of indices of the axes before the joined one, times the pieces that what is behind each is cut into.
func (op Concat) Rows(out ir.Type, in []ir.Type) int {
	return ir.Size(out.Shape[:op.Axis]) * op.pieces(out)
}

// longPiece is the number of bytes of a piece that can be copied apart.
const longPiece = 1 << 20

func (op Concat) pieces(out ir.Type) int {
	return max(1, ir.Size(out.Shape[op.Axis:])*out.DType.Size()/longPiece)
}

// RunRows copies whole runs of memory.
func (op Concat) RunRows(out ir.Array, in []ir.Array, first, end int) {
	inner := ir.Size(out.Shape[op.Axis+1:]) * out.DType.Size()
	row, pieces := out.Shape[op.Axis]*inner, op.pieces(out.Type)
	at := 0
	dst := out.Raw()
	for _, x := range in {
		src := x.Raw()
		n := x.Shape[op.Axis] * inner
		for r := first; r < end; r++ {
			o, p := r/pieces, r%pieces
			low, high := max(at, row*p/pieces), min(at+n, row*(p+1)/pieces)
			if low < high {
				copy(dst[o*row+low:o*row+high], src[o*n+low-at:])
			}
		}
		at += n
	}
}

// Pad puts zeros before, after and between the indices of an axis: index i goes to Before + i*Step. It is the reverse
// of a slice.
type Pad struct{ Axis, Before, After, Step int }

// Name is "Pad".
func (Pad) Name() string { return "Pad" }

// Attrs prints the axis and the padding.
func (op Pad) Attrs() string {
	return fmt.Sprintf("axis=%d before=%d after=%d step=%d", op.Axis, op.Before, op.After, op.Step)
}

// Infer is the shape rule: [... d ...] -> [... Before+(d-1)*Step+1+After ...].
func (op Pad) Infer(in []ir.Type) (ir.Type, error) {
	if op.Before < 0 || op.After < 0 || op.Step < 1 {
		return ir.Type{}, ir.NewProblem("the padding %d before and %d after should not be negative", op.Before, op.After).WithHint("Slice takes away")
	}
	shape := slices.Clone(in[0].Shape)
	n := 0
	if d := shape[op.Axis]; d > 0 {
		n = (d-1)*op.Step + 1
	}
	shape[op.Axis] = op.Before + n + op.After
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

// Eval is the reference kernel.
func (op Pad) Eval(out ir.Array, in []ir.Array) {
	x := in[0]
	d, inner := x.Shape[op.Axis], ir.Size(x.Shape[op.Axis+1:])
	for i := range x.Size() {
		outer, index, rest := i/(d*inner), i/inner%d, i%inner
		out.CopyElement((outer*out.Shape[op.Axis]+op.Before+index*op.Step)*inner+rest, x, i)
	}
}

// Pads returns the axis and the padding.
func (op Pad) Pads() (axis, before, after, step int) {
	return op.Axis, op.Before, op.After, op.Step
}

// Run is RunRows of all rows.
func (op Pad) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// Rows is the number of indices of the axes before the padded one.
func (op Pad) Rows(out ir.Type, in []ir.Type) int { return ir.Size(out.Shape[:op.Axis]) }

// RunRows copies whole runs of memory.
func (op Pad) RunRows(out ir.Array, in []ir.Array, first, end int) {
	dst, src := out.Raw(), in[0].Raw()
	_, d, inner := around(in[0].Shape, op.Axis)
	row := inner * out.DType.Size()
	clear(dst[first*out.Shape[op.Axis]*row : end*out.Shape[op.Axis]*row])
	for o := first; o < end; o++ {
		to := dst[(o*out.Shape[op.Axis]+op.Before)*row:]
		from := src[o*d*row : (o+1)*d*row]
		if op.Step == 1 {
			copy(to, from)
			continue
		}
		for i := range d {
			copy(to[i*op.Step*row:][:row], from[i*row:])
		}
	}
}
