package tarn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the Kronecker factors of layers: of a weight that multiplies the rows of a matrix, what the rows are and
// what the gradient with respect to the products is. K-FAC approximates the layer's curvature by them. How a
// graph uses a weight is found in kronecker_uses.go.

// KroneckerLayer is a weight whose curvature has Kronecker factors. The graph uses the weight as a matrix W [out in] that
// multiplies rows, y = W a. A bias that is added to every y counts as the last column of W, and a then ends in a 1. For each
// example the gradient with respect to W is then the sum of d aᵀ over the rows of the example, d being the gradient with respect to y, and the Fisher
// matrix F, the mean of vec(gradient) vec(gradient)ᵀ over the examples, is approximated by the Kronecker product of two small
// matrices:
//
//	A = the mean of a aᵀ over all rows
//	G = the mean of the sum of d dᵀ over the rows of an example, over the examples
//	F(o,i; p,j) = G(o,p) A(i,j)
//
// With one row per example this assumes that a and d are independent. It is exact if one of them is the same for all examples, as
// for a single example, or if d is noise, as in a linear model with Gaussian targets. (Martens and Grosse 2015, Optimizing
// neural networks with Kronecker-factored approximate curvature.) With R rows per example, the places of a convolution or of
// a sequence, the gradients at different rows are also assumed uncorrelated, and a identically distributed at all rows. (Grosse and
// Martens 2016, A Kronecker-factored approximate Fisher matrix for convolution layers, where A is R times as large and G as much
// smaller.) If a weight is used more than once, the rows of all uses count as rows of one. (The case "expand" of
// Eschenhagen et al. 2023, Kronecker-factored approximate curvature for modern neural network architectures.)
//
// Since the loss is a mean over the examples, d is the number of examples times the gradient of the loss with respect to y, so that G is that
// number times the sum of dy dyᵀ over all rows. Whose Fisher matrix it is depends on the loss: with the targets of the data
// it is the empirical one, with targets drawn from what the model predicts the true one.
//
// A weight of a convolution is the matrix [f window*channels], a the elements of the window at a place, 0 in the padding; strides,
// padding and dilation only change which elements these are. That of a transposed convolution is the matrix [window*channels f], a the channels at a place of
// its operand, and d the elements of the window of the gradient there; the bias is no part of it. With groups, and if a product has batch axes that the
// weight has too, there is a matrix for each: then every value and both factors have a leading axis for the groups.
type KroneckerLayer struct {
	Weight   *Param
	Bias     *Param // nil if there is none
	Groups   int
	Examples int
	Uses     []LinearUse
	A        *Value // [in in], of in+1 with a bias
	G        *Value // [out out]

	moves   []move // from the weight to its matrices
	outputs int
	inputs  int // without the bias
}

// LinearUse is a place where a weight multiplies rows.
type LinearUse struct {
	X, Y     *Value // the operand that the weight multiplies, and the product before the bias, as they are in the graph
	DY       *Value // the gradient of the loss with respect to Y
	Input    *Value // a: the rows of X, of a convolution the windows, with a 1 at the end if there is a bias, [rows in]
	Gradient *Value // the rows of DY, of a transposed convolution the windows, [rows out]
}

// Unfactored is a param that has no Kronecker factors, and why.
type Unfactored struct {
	Param  *Param
	Reason string
}

// KroneckerFactors finds the params that are weights or biases of linear maps, and their Kronecker factors. A
// weight may reach the product, any of the forms of MatMul and Einsum, a Conv or a ConvTranspose, through reshapes, permutations and flips.
// The others are the params that are also used in any other way, such as embeddings, the scales of norms, weights under a
// Transform, in a Checkpoint or in the body of a loop, and those with a penalty in the loss. The loss is a mean over the given number of
// examples; 0 means the size of the first axis of the inputs, which must then be equal. If errors were recorded in g, they are returned.
func KroneckerFactors(loss *Value, examples int, params ...*Param) (layers []*KroneckerLayer, others []Unfactored, err error) {
	switch {
	case !loss.exists():
		return nil, nil, fmt.Errorf("tarn: KroneckerFactors: the loss is nil")
	case loss.graph.Err() != nil:
		return nil, nil, loss.graph.Err()
	case loss.failed || loss.Rank() != 0 || !loss.DType().IsFloat() || loss.graph.around != nil:
		return nil, nil, fmt.Errorf("tarn: KroneckerFactors: the loss made at %s is %v and should be a float scalar outside of loops: take its Mean",
			loss.Place(), loss.typ)
	case examples < 0:
		return nil, nil, fmt.Errorf("tarn: KroneckerFactors: there are %d examples", examples)
	case slices.Contains(params, nil):
		return nil, nil, fmt.Errorf("tarn: KroneckerFactors: param %d is nil", slices.Index(params, nil))
	}
	values := reachable([]*Value{loss})
	users := usersOf(values)
	var found []*weightUses
	var ys []*Value
	listed := map[*Param]bool{}
	for _, p := range params {
		if listed[p] {
			return nil, nil, fmt.Errorf("tarn: KroneckerFactors: param %q is listed twice", p.label())
		}
		listed[p] = true
		w := users.weight(loss.graph.vars[p])
		w.param = p
		for _, u := range w.uses {
			ys = append(ys, u.y)
		}
		found = append(found, w)
	}
	dys := loss.graph.backward([]*Value{loss}, []*Value{loss.Num(1)}, ys, nil)
	biases := map[*Param]bool{}
	for _, w := range found {
		dys = w.take(dys)
		if w.reason != "" {
			continue
		}
		if examples == 0 {
			if examples, err = examplesOf(values); err != nil {
				return nil, nil, err
			}
		}
		w.findBias(users, listed)
		if w.bias != nil {
			biases[w.bias] = true
		}
		layers = append(layers, w.layer(examples))
	}
	for _, w := range found {
		if w.reason != "" && !biases[w.param] {
			others = append(others, Unfactored{w.param, w.reason})
		}
	}
	return layers, others, nil
}

// examplesOf is the size of the first axis of the inputs.
func examplesOf(values []*Value) (n int, err error) {
	var first *Value
	for _, v := range values {
		if _, input := v.op.(inputOp); !input || v.Rank() == 0 {
			continue
		}
		if first == nil {
			first = v
		}
		if v.Dim(0) != first.Dim(0) {
			return 0, fmt.Errorf("tarn: KroneckerFactors: the inputs %q and %q have first axes of sizes %d and %d: say how many examples the loss is a mean over",
				first.label, v.label, first.Dim(0), v.Dim(0))
		}
	}
	if first == nil {
		return 0, fmt.Errorf("tarn: KroneckerFactors: the loss depends on no input: say how many examples it is a mean over")
	}
	return max(first.Dim(0), 1), nil
}

// layer makes the factors.
func (w *weightUses) layer(examples int) *KroneckerLayer {
	l := &KroneckerLayer{Weight: w.param, Bias: w.bias, Groups: w.groups, Examples: examples, moves: w.uses[0].moves,
		outputs: w.outputs, inputs: w.inputs}
	rows := 0
	defer w.uses[0].x.exactly()()
	for _, u := range w.uses {
		use := LinearUse{X: u.x, Y: u.y, DY: u.dy, Input: u.rows(u.x), Gradient: u.results(u.dy)}
		if w.bias != nil {
			shape := use.Input.Shape()
			shape[len(shape)-1] = 1
			use.Input = Concat(-1, use.Input, use.Input.Num(1).Expand(shape...))
		}
		rows += use.Input.Dim(-2)
		g := use.Gradient.TMatMul(use.Gradient)
		var a *Value
		if u.sum != nil {
			a = u.sum(u.x, w.bias != nil)
		} else {
			a = use.Input.TMatMul(use.Input)
		}
		if l.A != nil {
			a, g = l.A.Add(a), l.G.Add(g)
		}
		l.A, l.G, l.Uses = a, g, append(l.Uses, use)
	}
	l.A, l.G = l.A.Scale(1/float64(max(rows, 1))), l.G.Scale(float64(examples))
	return l
}

// Matrix brings a value of the shape of the weight, and one of the shape of the bias if there is one, into the form of the
// factors: the gradient of the layer, say.
//
// Shapes: that of the weight, that of the bias or nil -> [groups... out in], of in+1 with a bias.
func (l *KroneckerLayer) Matrix(weight, bias *Value) *Value {
	weight = weight.orLost()
	g := weight.graph
	in := []*Value{weight, bias}
	switch {
	case l == nil || l.Weight == nil || l.Weight.tensor == nil:
		return g.failAs("Matrix", in, newProblem("the layer was not made by KroneckerFactors"))
	case weight.failed || bias != nil && (!bias.exists() || bias.failed):
		return g.add(concatOp{}, in...)
	case !slices.Equal(weight.typ.Shape, l.Weight.tensor.array.Shape):
		return g.failAs("Matrix", in[:1], newProblem("the value is %v and the weight %v", weight.typ, l.Weight.tensor.array.Type))
	case (bias == nil) != (l.Bias == nil) || bias != nil && bias.Size() != l.Groups*l.outputs:
		return g.failAs("Matrix", in, newProblem("the layer has the bias %v, and the value for it does not fit", l.Bias))
	}
	m := weight
	for _, move := range l.moves {
		m = move.apply(m)
	}
	if bias == nil || m.failed {
		return m
	}
	shape := m.Shape()
	shape[len(shape)-1] = 1
	return Concat(-1, m, bias.Reshape(shape...))
}

// Split is the inverse of Matrix. If the layer has no bias, the second result is nil.
//
// Shapes: [groups... out in], of in+1 with a bias -> that of the weight, that of the bias.
func (l *KroneckerLayer) Split(matrix *Value) (weight, bias *Value) {
	matrix = matrix.orLost()
	if l == nil || l.Weight == nil || l.Weight.tensor == nil {
		matrix = matrix.graph.failAs("Split", []*Value{matrix}, newProblem("the layer was not made by KroneckerFactors"))
		return matrix, matrix
	}
	columns := l.inputs
	if l.Bias != nil {
		columns++
	}
	shape := []int{l.outputs, columns}
	if l.Groups > 1 {
		shape = append([]int{l.Groups}, shape...)
	}
	if !matrix.failed && !slices.Equal(matrix.typ.Shape, shape) {
		matrix = matrix.graph.failAs("Split", []*Value{matrix}, newProblem("the matrix is %v and should have the shape %s", matrix.typ, ir.ShapeString(shape)))
	}
	weight = matrix
	if l.Bias != nil {
		weight, bias = matrix.Slice(-1, 0, l.inputs), matrix.Slice(-1, l.inputs, columns).Reshape(l.Bias.Shape()...)
	}
	for _, move := range slices.Backward(l.moves) {
		weight = move.revert(weight)
	}
	return weight, bias
}

// String prints the params and the sizes of the factors.
func (l *KroneckerLayer) String() string {
	if l == nil || l.Weight == nil {
		return "nil"
	}
	var b strings.Builder
	b.WriteString(l.Weight.label())
	if l.Bias != nil {
		b.WriteString(" and " + l.Bias.label())
	}
	fmt.Fprintf(&b, ": A %v, G %v", l.A.orLost().typ, l.G.orLost().typ)
	return b.String()
}
