package tarn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"

	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file opens to the tests what the compiler may use in place of an op's reference kernel: kernels and views.

// Strided checks, for every value that the given ones are computed from, that the op's kernel gives the same bits as its
// reference kernel without allocating, and that the view which a movement gives of an operand lying anyhow in memory holds
// the right elements. It counts the kernels and the views compared.
func Strided(r *rand.Rand, data map[string]*Tensor, values ...*Value) (kernels, views int, err error) {
	results := map[*Value]ir.Array{}
	for _, v := range reachable(values) {
		switch op := v.op.(type) {
		case inputOp:
			results[v] = data[v.label].array
			continue
		case variableOp:
			results[v] = op.param.tensor.array
			continue
		case constOp:
			results[v] = op.Array
			continue
		case stepOp:
			results[v] = ir.NewArray(v.typ)
			continue
		}
		var in []ir.Array
		for _, x := range v.in {
			in = append(in, results[x])
		}
		want := ir.NewArray(v.typ)
		v.op.Eval(want, in)
		results[v] = want
		if op, ok := v.op.(ir.Kernel); ok {
			kernels++
			got := ir.NewArray(v.typ)
			for i := range got.Raw() {
				got.Raw()[i] = 0xAB
			}
			op.Run(got, in)
			// The algorithms of the factorizations and of Fourier transforms are others than the definitions, and need memory.
			_, factors := reflect.TypeOf(op).FieldByName("matrices")
			if _, transforms := reflect.TypeOf(op).FieldByName("fourier"); factors || transforms {
				if diff := (newTensor(got)).Diff(newTensor(want), 1e-6); diff != "" {
					return 0, 0, fmt.Errorf("%v: kernel and reference: %s", v, diff)
				}
				continue
			}
			if !bytes.Equal(got.Raw(), want.Raw()) {
				return 0, 0, fmt.Errorf("%v: the kernel gives\n%v\nand the reference\n%v", v, newTensor(got), newTensor(want))
			}
			if _, worker := op.(ir.Worker); worker { // whose Run takes the memory that a machine keeps
				continue
			}
			if n := alloctest.PerRun(1, func() { op.Run(got, in) }); n != 0 {
				return 0, 0, fmt.Errorf("%v: the kernel allocates %v times", v, n)
			}
		}
		if op, ok := v.op.(ir.Movement); ok {
			memory, view := scatterOver(r, in[0])
			if moved, ok := op.Move(view); ok {
				views++
				if got := gatherFrom(memory, moved); !bytes.Equal(got.Raw(), want.Raw()) {
					return 0, 0, fmt.Errorf("%v: of %+v the view is %+v, which has\n%v\nand not\n%v", v, view, moved, newTensor(got), newTensor(want))
				}
			}
		}
	}
	return kernels, views, nil
}

// scatterOver lays a out in other memory with random strides.
func scatterOver(r *rand.Rand, a ir.Array) (memory ir.Array, view ir.View) {
	view = RandomView(r, a.Shape, false)
	memory = ir.NewArray(ir.Type{DType: a.DType, Shape: []int{extent(view)}})
	for i := range a.Size() {
		memory.CopyElement(view.At(i), a, i)
	}
	return memory, view
}

// RandomView returns a view of a shape with strides in random order, some with gaps, some negative, and some 0 if overlap is true.
func RandomView(r *rand.Rand, shape []int, overlap bool) ir.View {
	v := ir.View{Shape: shape, Strides: make([]int, len(shape))}
	axes := r.Perm(len(shape))
	if r.IntN(2) == 0 { // in order, so that axes can be merged
		for i := range axes {
			axes[i] = len(axes) - 1 - i
		}
	}
	stride := 1 + r.IntN(2)
	for _, a := range axes {
		v.Strides[a] = stride
		if shape[a] == 1 {
			v.Strides[a] = r.IntN(100) // no element but the first: the stride means nothing
		}
		stride *= max(shape[a], 1)
		if r.IntN(4) == 0 {
			stride += r.IntN(3)
		}
		switch r.IntN(6) {
		case 0:
			v.Offset += max(shape[a]-1, 0) * v.Strides[a]
			v.Strides[a] = -v.Strides[a]
		case 1:
			if overlap {
				v.Strides[a] = 0
			}
		}
	}
	v.Offset += r.IntN(3)
	return v
}

// extent is the memory that a view reaches over.
func extent(v ir.View) int {
	n := 0
	for i := range ir.Size(v.Shape) {
		n = max(n, v.At(i)+1)
	}
	return n
}

// gatherFrom copies a view's elements out of memory.
func gatherFrom(memory ir.Array, v ir.View) ir.Array {
	a := ir.NewArray(ir.Type{DType: memory.DType, Shape: v.Shape})
	for i := range a.Size() {
		a.CopyElement(i, memory, v.At(i))
	}
	return a
}

// CheckReshape takes a view of one shape to another. It says where the result is not the same elements, and where there is
// no result although strides for the new shape exist.
func CheckReshape(v ir.View, to []int) error {
	w, ok := reshapeOp{irop.Reshape{Shape: to}}.Move(v)
	var first ir.View // the only strides that can be right: read off the elements next to the first
	first.Shape, first.Strides, first.Offset = to, make([]int, len(to)), v.Offset
	own := ir.Strides(to)
	for a, d := range to {
		if d > 1 && ir.Size(to) > 0 {
			first.Strides[a] = v.At(own[a]) - v.Offset
		}
	}
	exists := true
	for i := range ir.Size(to) {
		if ok && w.At(i) != v.At(i) {
			return fmt.Errorf("%+v to %v gives %+v, whose element %d is another", v, to, w, i)
		}
		exists = exists && first.At(i) == v.At(i)
	}
	if exists && !ok {
		return fmt.Errorf("%+v to %v gives nothing, and %+v would do", v, to, first)
	}
	return nil
}

// Evaluate computes v with the reference kernels alone, without their checks.
func Evaluate(v *Value, data map[string]*Tensor) *Tensor {
	results := map[*Value]ir.Array{}
	for _, v := range reachable([]*Value{v}) {
		switch op := v.op.(type) {
		case inputOp:
			results[v] = data[v.label].array
		case constOp:
			results[v] = op.Array
		default:
			var in []ir.Array
			for _, x := range v.in {
				in = append(in, results[x])
			}
			results[v] = ir.NewArray(v.typ)
			v.op.Eval(results[v], in)
		}
	}
	return newTensor(results[v])
}

// OneByOne returns the ops, with the types of their operands, that values are computed from and that a program computes element by element: by their reference
// kernel, or by the definition of a scalar function.
func OneByOne(values ...*Value) []string {
	var names []string
	for _, v := range reachable(values) {
		slow := false
		dtype := v.typ.DType
		if len(v.in) > 0 {
			dtype = v.in[0].typ.DType
		}
		switch op := v.op.(type) {
		case inputOp, variableOp, constOp, stepOp, controlOp, ir.Movement, ir.Attention, ir.Conversion, ir.Reduction, ir.Kernel:
		case ir.Contraction, ir.Convolution, ir.Pooling:
			slow = !dtype.Float()
		case ir.Elementwise:
			if op.Scalar() == scalar.Where {
				dtype = v.typ.DType
			}
			slow = cpu.ByDefinition(op.Scalar(), cpu.DType(dtype))
		default:
			slow = true
		}
		if slow {
			names = append(names, v.op.Name()+" "+dtype.String())
		}
	}
	return names
}
