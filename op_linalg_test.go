package tarn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of the matrix products.

var _ = register(
	pairwise("MatMul", (*tarn.Value).MatMul, between(-2, 2), between(-2, 2)).of(numbers...).with(
		[][]int{{2, 3}, {3, 4}}, [][]int{{1, 1}, {1, 1}}, [][]int{{2, 0}, {0, 3}}, [][]int{{0, 2}, {2, 3}},
		[][]int{{2, 2, 3}, {3, 2}}, [][]int{{2, 3}, {2, 3, 2}}, [][]int{{2, 1, 3}, {2, 3, 2}},
		[][]int{{2, 2, 3}, {1, 3, 2}}, [][]int{{1, 2, 3}, {2, 3, 2}}, [][]int{{2, 1, 2, 3}, {3, 3, 2}}, [][]int{{2, 2, 3}, {3, 1, 3, 2}}, [][]int{{1, 2, 3}, {1, 1, 3, 2}}, [][]int{{0, 2, 3}, {1, 3, 2}}, [][]int{{2, 2, 0}, {0, 3}}),
	pairwise("MatMulT", (*tarn.Value).MatMulT, between(-2, 2), between(-2, 2)).of(numbers...).with(
		[][]int{{2, 3}, {4, 3}}, [][]int{{2, 2, 3}, {2, 3}}, [][]int{{2, 1, 3}, {2, 2, 3}}, [][]int{{2, 1, 1, 3}, {2, 2, 3}}),
	pairwise("TMatMul", (*tarn.Value).TMatMul, between(-2, 2), between(-2, 2)).of(numbers...).with(
		[][]int{{3, 2}, {3, 4}}, [][]int{{2, 3, 2}, {3, 2}}, [][]int{{2, 3, 1}, {2, 3, 2}}, [][]int{{1, 3, 1}, {2, 3, 2}}, [][]int{{2, 3, 1}, {1, 3, 2}}),
)

// einsum is a case of a specification; shapes are those of its operands.
func einsum(spec string, shapes ...[]int) opCase {
	c := opCase{op: "func Einsum", form: spec, shapes: [][][]int{shapes}, dtypes: numbers, loose: 10}
	for range shapes {
		c.in = append(c.in, between(-2, 2))
	}
	c.build = func(in ...*tarn.Value) *tarn.Value {
		var others []tarn.Operand
		for _, v := range in[1:] {
			others = append(others, v)
		}
		return tarn.Einsum(spec, in[0], others...)
	}
	return c
}

var _ = register(
	pairwise("MatMul", (*tarn.Value).MatMul, between(-2, 2), between(-2, 2)).as("vector").of(numbers...).within(10).with(
		[][]int{{3}, {3}}, [][]int{{3}, {3, 4}}, [][]int{{2, 3}, {3}}, [][]int{{3}, {2, 3, 2}}, [][]int{{2, 2, 3}, {3}}, [][]int{{0}, {0}}, [][]int{{2, 0}, {0}}),
	pairwise("Dot", (*tarn.Value).Dot, between(-2, 2), between(-2, 2)).of(numbers...).within(10).with([][]int{{3}, {3}}, [][]int{{1}, {1}}, [][]int{{0}, {0}}),
	pairwise("Outer", (*tarn.Value).Outer, between(-2, 2), between(-2, 2)).of(numbers...).with([][]int{{3}, {2}}, [][]int{{1}, {1}}, [][]int{{0}, {2}}),

	einsum("ij->ji", []int{2, 3}),
	einsum("ij", []int{2, 3}),
	einsum("ba", []int{2, 3}), // implicit: the axes come in alphabetical order
	einsum("ij->", []int{2, 3}),
	einsum("ij->j", []int{2, 3}),
	einsum("ii", []int{3, 3}),
	einsum("ii->i", []int{3, 3}),
	einsum("iii->i", []int{2, 2, 2}),
	einsum("ijkj->kji", []int{2, 3, 4, 3}),
	einsum("i,i", []int{3}, []int{3}),
	einsum("i,j->ij", []int{3}, []int{2}),
	einsum(" i j , j k -> k i ", []int{2, 3}, []int{3, 4}),
	einsum("ij,jk", []int{2, 3}, []int{3, 4}),
	einsum("ji,kj->ik", []int{3, 2}, []int{4, 3}),
	einsum("ij,j->i", []int{2, 3}, []int{3}),
	einsum("bi,bi->b", []int{2, 3}, []int{2, 3}),
	einsum("bij,bjk->bik", []int{2, 3, 2}, []int{2, 2, 3}),
	einsum("bhqd,bhkd->bhqk", []int{1, 2, 3, 2}, []int{1, 2, 2, 2}),
	einsum("bqhd,bkhd->bhqk", []int{1, 3, 2, 2}, []int{1, 2, 2, 2}),
	einsum("abc,cbd->ad", []int{2, 2, 3}, []int{3, 2, 2}),
	einsum("ij,kl->", []int{2, 3}, []int{3, 2}),
	einsum("ij,ik,il->jkl", []int{2, 2}, []int{2, 3}, []int{2, 1}),
	einsum("ij,jk,kl->il", []int{2, 3}, []int{3, 2}, []int{2, 2}),
	einsum("i,ij,j", []int{2}, []int{2, 3}, []int{3}),
	einsum("...ij,...jk->...ik", []int{2, 1, 2, 3}, []int{2, 1, 3, 2}),
	einsum("...ij,jk", []int{2, 2, 3}, []int{3, 2}),
	einsum("...i->...", []int{2, 2, 3}),
	einsum("i...->i...", []int{3}),
	einsum("ij,jk->ik", []int{2, 0}, []int{0, 3}),
	einsum(",i->i", []int{}, []int{3}),
	einsum("->", []int{}),
)

// einsumRefused is a refusal of a specification; want is a fragment of the report.
func einsumRefused(spec, want string, in ...tensorType) refusal {
	return refused("func Einsum", func(in ...*tarn.Value) *tarn.Value {
		if len(in) == 1 {
			return tarn.Einsum(spec, in[0])
		}
		return tarn.Einsum(spec, in[0], in[1])
	}, want, in...)
}

var _ = refuse(
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(2, 3), f32(4, 5), "[2 3] x [4 5]: the inner sizes 3 and 4 differ (axis 1 of the first, axis 0 of the second)"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(2, 3), f32(4, 3), "hint: MatMulT multiplies by the transpose"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(2, 2, 3), f32(3, 3, 4), "the batch axes [2] and [3] of [2 2 3] x [3 3 4] do not go together"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(2, 3), f64(3, 4), "operands are f32 and f64"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, bool_(2, 3), bool_(3, 4), "are bool and should be numbers"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(2, 3), f32(), "a scalar has no axis to sum over"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(3), f32(2, 4), "[3] x [2 4]: the inner sizes 3 and 2 differ (axis 0 of the first, axis 0 of the second)"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(2, 4), f32(3), "[2 4] x [3]: the inner sizes 4 and 3 differ (axis 1 of the first, axis 0 of the second)"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(3), f64(3), "operands are f32 and f64"),
	binaryRefusal("MatMul", (*tarn.Value).MatMul, f32(3), f64(3, 2), "operands are f32 and f64"),
	binaryRefusal("MatMulT", (*tarn.Value).MatMulT, f32(2, 3), f32(3), "needs at least two axes"),
	binaryRefusal("MatMulT", (*tarn.Value).MatMulT, f32(2, 3), f32(3, 4), "the inner sizes 3 and 4 differ (axis 1 of the first, axis 1 of the second)"),
	binaryRefusal("TMatMul", (*tarn.Value).TMatMul, f32(2, 3), f32(3, 4), "the inner sizes 2 and 3 differ (axis 0 of the first, axis 0 of the second)"),
	binaryRefusal("Dot", (*tarn.Value).Dot, f32(2), f32(3), "should be vectors of one size"),
	binaryRefusal("Outer", (*tarn.Value).Outer, f32(2), f32(3, 1), "should be vectors"),

	einsumRefused("ij,jk", "\"ij,jk\" names 2 operands and 1 are given", f32(2, 3)),
	einsumRefused("ij,jk->iz", "\"ij,jk->iz\" at character 9: axis 'z' is an axis of no operand", f32(2, 3), f32(3, 2)),
	einsumRefused("ij,jk->ii", "at character 9: axis 'i' comes twice in the result", f32(2, 3), f32(3, 2)),
	einsumRefused("ij,jk->ik", "at character 4: axis 'j' has size 3 in operand 1 and size 4 at axis 0 of operand 2", f32(2, 3), f32(4, 2)),
	einsumRefused("ii", "at character 2: axis 'i' has size 2 in operand 1 and size 3 at axis 1 of operand 1", f32(2, 3)),
	einsumRefused("ijk,jk->ik", "at character 1: \"ijk\" names 3 axes, and operand 1 has rank 2", f32(2, 3), f32(3, 2)),
	einsumRefused("i1,jk->ik", "at character 2: '1' is neither a letter", f32(2, 3), f32(3, 2)),
	einsumRefused("ij->i->j", "at character 6: '-' is neither a letter", f32(2, 3)),
	einsumRefused("i.j", "at character 2: '.' is neither a letter", f32(2, 3)),
	einsumRefused("...i...", "at character 5: a second \"...\"", f32(2, 3)),
	einsumRefused("...ijk", "names 3 axes, and operand 1 has rank 2", f32(2, 3)),
	einsumRefused("...i,...i", "at character 6: axis -1 of \"...\" has size 2 in operand 1 and size 4 at axis 0 of operand 2", f32(2, 3), f32(4, 3)),
	einsumRefused("ij,jk", "operands 1 and 2 are f32 and f64", f32(2, 3), f64(3, 2)),
	einsumRefused("ij,jk", "operand 1 is bool", bool_(2, 3), bool_(3, 2)),
	refused("func Einsum", func(in ...*tarn.Value) *tarn.Value { return tarn.Einsum("i,i", in[0], nil) }, "operand 2 is nil", f32(2)),
)

// TestRandomEinsum compares random specifications with the sum over all letters, term by term.
func TestRandomEinsum(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	letters := []rune("abcdef")
	sizes := map[rune]int{'a': 2, 'b': 3, 'c': 1, 'd': 2, 'e': 4, 'f': 2}
	for range 300 {
		g, data := tarn.NewGraph(), map[string]*tarn.Tensor{}
		var terms []string
		var values []*tarn.Value
		var tensors []*tarn.Tensor
		used := ""
		for i := range 1 + r.IntN(4) {
			term, shape := "", []int{}
			for range r.IntN(4) {
				l := letters[r.IntN(len(letters))]
				term += string(l)
				shape = append(shape, sizes[l])
			}
			name := fmt.Sprint(i)
			data[name] = between(-1, 1).draw(r, tarn.F64, shape)
			terms, used = append(terms, term), used+term
			values, tensors = append(values, g.Input(name, tarn.F64, shape...)), append(tensors, data[name])
		}
		result := ""
		for _, l := range letters {
			if strings.ContainsRune(used, l) && r.IntN(2) == 0 {
				result = string(l) + result
			}
		}
		spec := strings.Join(terms, ",") + "->" + result
		y := einsum(spec, make([][]int, len(values))...).build(values...)
		out := compare(t, g, tarn.Outputs{"y": y}, data)
		if diff := out["y"].Diff(naiveEinsum(terms, result, sizes, tensors), 1e-12); diff != "" {
			t.Errorf("%s: %s", spec, diff)
		}
	}
}

// naiveEinsum walks all values of all letters.
func naiveEinsum(terms []string, result string, sizes map[rune]int, in []*tarn.Tensor) *tarn.Tensor {
	var letters []rune
	for _, l := range strings.Join(terms, "") {
		if !slices.Contains(letters, l) {
			letters = append(letters, l)
		}
	}
	total := 1
	for _, l := range letters {
		total *= sizes[l]
	}
	at := func(term string, index map[rune]int) int {
		i := 0
		for _, l := range term {
			i = i*sizes[l] + index[l]
		}
		return i
	}
	shape := []int{}
	for _, l := range result {
		shape = append(shape, sizes[l])
	}
	out := tarn.Zeros(tarn.F64, shape...)
	for n := range total {
		index := map[rune]int{}
		for _, l := range letters {
			index[l] = n % sizes[l]
			n /= sizes[l]
		}
		product := 1.0
		for i, term := range terms {
			product *= in[i].Float(at(term, index))
		}
		out.SetFloat(at(result, index), out.Float(at(result, index))+product)
	}
	return out
}

// FuzzEinsum passes any text as a specification: there is a result or a report, and no panic.
func FuzzEinsum(f *testing.F) {
	for _, spec := range []string{"ij,jk->ik", "...i,i...->...", "ii", "->", ",", "i j->\xff", "é,é", "--->", "...,..."} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F32, 2, 2)
		for _, y := range []*tarn.Value{tarn.Einsum(spec, x), tarn.Einsum(spec, x, x), tarn.Einsum(spec, x, x.Sum(0), x)} {
			if tarn.Failed(y) && g.Err() == nil {
				t.Fatal("a failure without a report")
			}
		}
	})
}
