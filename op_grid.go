package tarn

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds sampling of images at places that are values. The rows of channels around a place are looked up, and weighted by polynomials
// in its coordinates: so the derivatives with respect to the image and to the places, of any order, are those of lookups and products.

// GridMode says what lies between the elements of an image.
type GridMode int

// The modes.
const (
	GridLinear  GridMode = iota // linear along each axis: "bilinear" in PyTorch
	GridNearest                 // the nearest element; of two as near, the one of even index
	GridCubic                   // a cubic along each axis, with the coefficient -0.75: "bicubic" in PyTorch; for two spatial axes
)

// GridPadding says what lies outside of an image.
type GridPadding int

// The paddings.
const (
	GridZeros   GridPadding = iota // zeros
	GridBorder                     // the nearest element of the border
	GridReflect                    // the image, mirrored at its border as often as it takes: "reflection" in PyTorch
)

// GridOptions are the options of GridSample. The zero value is what PyTorch does by default.
type GridOptions struct {
	Mode    GridMode
	Padding GridPadding
	// AlignCorners makes -1 and 1 the centers of the first and the last element of an axis, rather than their outer edges.
	AlignCorners bool
}

// GridSample reads an image at the places that a grid names. The last axis of the grid holds coordinates from -1 to 1, that of the last spatial axis
// first, as in x and y. Gradients go to the image and to the grid; that of GridNearest with respect to the grid is 0. Equal to
// torch.nn.functional.grid_sample.
//
// Shapes: [n h w c], grid [n h' w' 2] -> [n h' w' c]; [n d h w c], grid [n d' h' w' 3] -> [n d' h' w' c].
func (v *Value) GridSample(grid *Value, o GridOptions) *Value {
	v = v.orLost()
	in := []*Value{v, grid}
	if failed := v.unusable("GridSample", in...); failed != nil {
		return failed
	}
	space, err := spatial(v.typ)
	rank := len(space)
	switch {
	case err != nil:
	case rank < 2 || len(grid.typ.Shape) != rank+2 || grid.Dim(0) != v.Dim(0) || grid.Dim(-1) != rank:
		err = newProblem("the operand %s and the grid %s should be [n h w c] and [n h' w' 2], or [n d h w c] and [n d' h' w' 3]",
			ir.ShapeString(v.typ.Shape), ir.ShapeString(grid.typ.Shape))
	case v.DType() != grid.DType():
		err = newProblem("the operand is %v and the grid %v", v.DType(), grid.DType()).WithHint("Cast one of them")
	case ir.Size(space) == 0:
		err = newProblem("the operand is %s and has no elements to sample", ir.ShapeString(v.typ.Shape))
	case o.Mode < GridLinear || o.Mode > GridCubic:
		err = newProblem("there is no mode %d", o.Mode).WithHint("the modes are GridLinear, GridNearest and GridCubic")
	case o.Padding < GridZeros || o.Padding > GridReflect:
		err = newProblem("there is no padding %d", o.Padding).WithHint("the paddings are GridZeros, GridBorder and GridReflect")
	case o.Mode == GridCubic && rank != 2:
		err = newProblem("GridCubic samples two spatial axes and the operand %s has %d", ir.ShapeString(v.typ.Shape), rank)
	}
	if err != nil {
		return v.graph.failAs("GridSample", in, err)
	}
	dtype := I32
	if v.Size() > math.MaxInt32 {
		dtype = I64
	}
	// Each combination of a tap of each axis is a lookup of rows of channels in one table of all images.
	table := v.Reshape(-1, v.Dim(-1))
	shape := grid.typ.Shape[:rank+1]
	all := []gridTap{{index: v.graph.Iota(dtype, 0, shape...)}}
	for a, d := range space {
		at := grid.Slice(-1, rank-1-a, rank-a).Squeeze(-1)
		taps := o.taps(at, d)
		var next []gridTap
		for _, t := range all {
			for _, tap := range taps {
				next = append(next, t.and(tap, d, dtype))
			}
		}
		all = next
	}
	var sum *Value
	for _, t := range all {
		x := t.inside.Unsqueeze(-1).Where(table.Take(0, t.index), Num(0))
		if t.weight != nil {
			x = x.Mul(t.weight.Unsqueeze(-1))
		}
		if sum == nil {
			sum = x
		} else {
			sum = sum.Add(x)
		}
	}
	return sum
}

// gridTap is one of the elements that a sample is made of.
type gridTap struct {
	index  *Value // of the row of channels, or along one axis, where it is a float and may lie outside
	weight *Value // nil is 1
	inside *Value // nil is true
}

// and is t, the index among the images and the axes before, continued by a tap along an axis of size d.
func (t gridTap) and(tap gridTap, d int, dtype DType) gridTap {
	inside := tap.index.Ge(Num(0)).And(tap.index.Le(Num(float64(d - 1))))
	index := inside.branch(tap.index, Num(0)).Cast(dtype)
	out := gridTap{index: t.index.Mul(Num(float64(d))).Add(index), weight: tap.weight, inside: inside}
	if t.inside != nil {
		out.inside = t.inside.And(inside)
	}
	if t.weight != nil {
		out.weight = t.weight.Mul(tap.weight)
	}
	return out
}

// taps returns the elements along an axis of size d that a sample at a coordinate is made of.
func (o GridOptions) taps(at *Value, d int) []gridTap {
	size := float64(d)
	if o.AlignCorners {
		at = at.AddNum(1).Scale(0.5).Scale(size - 1)
	} else {
		at = at.AddNum(1).Scale(size).AddNum(-1).Scale(0.5)
	}
	switch {
	case o.Padding == GridZeros || o.Padding == GridBorder && o.Mode == GridCubic:
		at = at.Clip(Num(-4), Num(size+3)) // farther out nothing changes, and an infinity would make its weights NaN
	case o.Mode != GridCubic:
		at = o.pad(at, d)
	}
	if o.Mode == GridNearest {
		return []gridTap{{index: at.Round()}}
	}
	low := at.Floor()
	part := at.Sub(low)
	if o.Mode == GridLinear {
		return []gridTap{{index: low, weight: part.Neg().AddNum(1)}, {index: low.AddNum(1), weight: part}}
	}
	taps := make([]gridTap, 4)
	for i := range taps {
		distance := part.AddNum(float64(1 - i))
		if i > 1 {
			distance = distance.Neg()
		}
		c := cubicPieces(cubicInner)[0]
		if i == 0 || i == 3 {
			c = cubicPieces(cubicInner)[1]
		}
		weight := distance.Scale(c[0]).AddNum(c[1]).Mul(distance).AddNum(c[2]).Mul(distance).AddNum(c[3])
		taps[i] = gridTap{index: o.pad(low.AddNum(float64(i-1)), d), weight: weight}
	}
	return taps
}

// pad moves coordinates that lie outside of an axis of size d into it.
func (o GridOptions) pad(at *Value, d int) *Value {
	size := float64(d)
	switch o.Padding {
	case GridZeros:
		return at
	case GridReflect:
		first, span := -0.5, size
		if o.AlignCorners {
			first, span = 0, size-1
		}
		if span == 0 {
			return at.Num(0).broadcastTo(at.typ.Shape)
		}
		distance := at.AddNum(-first).Abs()
		flips := distance.Scale(1 / span).Floor()
		rest := distance.Sub(flips.Scale(span))
		even := flips.Eq(flips.Scale(0.5).Floor().Scale(2))
		at = even.branch(rest, rest.Neg().AddNum(span)).AddNum(first)
	}
	return at.Clip(Num(0), Num(size-1))
}

// AffineGrid returns the grid for GridSample that maps each place of a result of the given sizes by the affine maps of v. With alignCorners
// coordinates of -1 and 1 are the centers of the first and the last element, and otherwise their outer edges. Equal to
// torch.nn.functional.affine_grid.
//
// Shapes: [n 2 3] -> [n h w 2] with h and w the sizes; [n 3 4] -> [n d h w 3].
func (v *Value) AffineGrid(alignCorners bool, size ...int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	rank := len(size)
	var err error
	switch {
	case !v.DType().IsFloat():
		err = newProblem("the operand is %v and should be f32 or f64", v.typ.DType).WithHint("Cast it")
	case rank != 2 && rank != 3:
		err = newProblem("%d sizes %v are given and should be those of two or three spatial axes", rank, size)
	case v.Rank() != 3 || v.Dim(1) != rank || v.Dim(2) != rank+1:
		err = newProblem("the operand is %s and should be [n %d %d] for %d sizes", ir.ShapeString(v.typ.Shape), rank, rank+1, rank)
	default:
		err = checkShape(append(slices.Clone(size), rank+1))
	}
	if err != nil {
		return v.graph.failAs("AffineGrid", []*Value{v}, err)
	}
	places := Zeros(v.DType(), ir.Size(size), rank+1)
	for i := range ir.Size(size) {
		for a, k := range ir.Unravel(i, size) {
			places.SetFloat(i*(rank+1)+rank-1-a, gridCoordinate(k, size[a], alignCorners))
		}
		places.SetFloat(i*(rank+1)+rank, 1)
	}
	defer v.exactly()()
	return v.graph.Const(places).MatMulT(v).Reshape(slices.Concat([]int{v.Dim(0)}, size, []int{rank})...)
}

// gridCoordinate is where element i of n lies between -1 and 1.
func gridCoordinate(i, n int, alignCorners bool) float64 {
	switch {
	case !alignCorners:
		return float64(2*i+1)/float64(n) - 1
	case n == 1:
		return 0
	}
	return 2*float64(i)/float64(n-1) - 1
}
