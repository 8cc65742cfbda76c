package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file finds how a graph uses a weight: it follows the weight through ops that only rearrange its elements to the
// products that it is an operand of, and the product to the bias that is added.

// move is an op that rearranges all elements of a value, and the shape that it finds them in.
type move struct {
	op   op
	from []int
}

func (m move) apply(v *Value) *Value { return v.graph.add(m.op, v) }

// revert is the inverse of apply.
func (m move) revert(v *Value) *Value {
	switch op := m.op.(type) {
	case permuteOp:
		inverse := make([]int, len(op.Axes))
		for i, a := range op.Axes {
			inverse[a] = i
		}
		return v.Permute(inverse...)
	case flipOp:
		return v.graph.add(op, v)
	}
	return v.Reshape(m.from...)
}

// use is one product with the weight. Its moves bring the weight into matrices [groups... out in].
type use struct {
	moves   []move
	x, y    *Value
	dy      *Value
	rows    func(x *Value) *Value            // x as [groups... rows in]
	results func(y *Value) *Value            // y, or its gradient, as [groups... rows out]
	sum     func(x *Value, bias bool) *Value // the sum of aᵀa over the rows a of x, with a 1 at their end if there is a bias, if there is a shorter way to it
	// outer is the view in the shape of y of an array [groups out]: what a bias that belongs to the weight looks like. Without a shape none does.
	outer ir.View
}

// weightUses holds all uses of a param as a weight, or the reason why it is not a weight.
type weightUses struct {
	param, bias             *Param
	uses                    []*use
	groups, outputs, inputs int
	reason                  string
}

// operandOf is an operand of a value by its number.
type operandOf struct {
	user *Value
	at   int
}

// usage lists where each value is an operand. The results of a loop or a branch share their operands, and only the first of them is listed:
// what follows a value through its users ends at a loop in any case.
type usage map[*Value][]operandOf

func usersOf(values []*Value) usage {
	users, lists := usage{}, operandLists{}
	for _, v := range values {
		if !lists.first(v) {
			continue
		}
		for i, in := range v.in {
			users[in] = append(users[in], operandOf{v, i})
		}
	}
	return users
}

// weight finds the uses of a variable.
func (users usage) weight(v *Value) *weightUses {
	w := &weightUses{}
	if v == nil || users[v] == nil {
		w.reason = "the loss does not depend on it"
		return w
	}
	w.follow(users, v, nil)
	return w
}

// follow goes from v, into which the moves have brought the weight, to the products.
func (w *weightUses) follow(users usage, v *Value, moves []move) {
	for _, o := range users[v] {
		switch op := o.user.op.(type) {
		case stopGradientOp:
		case reshapeOp, permuteOp, flipOp:
			w.follow(users, o.user, append(slices.Clone(moves), move{op, v.typ.Shape}))
		case broadcastOp:
			w.repeated(users, v, o.user, moves)
		case matMulOp:
			w.add(productOf(op, o, v.typ.Shape, false, moves))
		case convOp:
			switch {
			case o.at == 1 && op.kind == ir.ConvOutput:
				w.add(convolutionOf(op, o.user, moves))
			case o.at == 1 && op.kind == ir.ConvInput:
				w.add(transposedConvolutionOf(op, o.user, moves))
			default:
				w.refuse(o.user)
			}
		default:
			w.refuse(o.user)
		}
	}
}

// repeated handles a weight that a product with batch axes takes for all of them.
func (w *weightUses) repeated(users usage, v, wide *Value, moves []move) {
	from, to := v.typ.Shape, wide.typ.Shape
	n := len(from)
	for _, o := range users[wide] {
		op, product := o.user.op.(matMulOp)
		if !product || n < 2 || ir.Size(from[:n-2]) != 1 || !slices.Equal(from[n-2:], to[len(to)-2:]) {
			w.refuse(o.user)
			continue
		}
		w.add(productOf(op, o, from, true, moves))
	}
}

func (w *weightUses) refuse(v *Value) {
	if w.reason == "" {
		w.reason = fmt.Sprintf("it is used by %s at %s, which is no product of rows and this weight", v.op.Name(), v.Place())
	}
}

func (w *weightUses) add(u *use, groups, outputs, inputs int) {
	if len(w.uses) > 0 && (w.groups != groups || w.outputs != outputs || w.inputs != inputs || !sameMoves(w.uses[0].moves, u.moves)) {
		w.reason = fmt.Sprintf("it is used as one matrix at %s and as another at %s", w.uses[0].y.Place(), u.y.Place())
		return
	}
	w.groups, w.outputs, w.inputs, w.uses = groups, outputs, inputs, append(w.uses, u)
}

// take assigns the gradients at the front of a list to the uses, and returns the rest. Uses that no gradient reaches do not count.
func (w *weightUses) take(dys []*Value) []*Value {
	for i, u := range w.uses {
		u.dy = dys[i]
	}
	n := len(w.uses)
	w.uses = slices.DeleteFunc(slices.Clone(w.uses), func(u *use) bool { return u.dy == nil })
	if len(w.uses) == 0 && w.reason == "" {
		w.reason = "no gradient of the loss reaches it"
	}
	return dys[n:]
}

// reshapedTo adds a change of shape to moves, unless it is none.
func reshapedTo(moves []move, from, to []int) []move {
	if slices.Equal(from, to) {
		return moves
	}
	return append(slices.Clone(moves), move{reshapeOp{irop.Reshape{Shape: to}}, from})
}

// matrixShape is the shape of matrices of some rows and columns, one for each group.
func matrixShape(groups, rows, columns int) []int {
	if groups == 1 {
		return []int{rows, columns}
	}
	return []int{groups, rows, columns}
}

// productOf is the use of a weight of some shape as an operand of a matrix product, wide where that is repeated along the
// batch axes.
func productOf(op matMulOp, o operandOf, shape []int, wide bool, moves []move) (u *use, groups, outputs, inputs int) {
	y, n := o.user, len(shape)
	x := y.in[1-o.at]
	// As y = op(a) op(b), a weight in the second place is [in out] and one in the first [out in].
	flipWeight, flipX, flipY := !op.TransB, op.TransA, false
	if o.at == 0 {
		flipWeight, flipX, flipY = op.TransA, !op.TransB, true
	}
	batch := y.typ.Shape[:y.Rank()-2]
	groups = ir.Size(batch)
	if wide {
		groups = 1
	}
	rows, outputs := y.Dim(-2), y.Dim(-1)
	if flipY {
		rows, outputs = outputs, rows
	}
	inputs = x.Dim(-1)
	if flipX {
		inputs = x.Dim(-2)
	}
	if wide {
		rows *= ir.Size(batch)
	}
	whole := matrixShape(groups, shape[n-2], shape[n-1])
	moves = reshapedTo(moves, shape, whole)
	if flipWeight {
		axes := []int{0, 1, 2}[:len(whole)]
		axes[len(axes)-2], axes[len(axes)-1] = axes[len(axes)-1], axes[len(axes)-2]
		moves = append(slices.Clone(moves), move{permuteOp{irop.Permute{Axes: axes}}, whole})
	}
	form := func(flip bool, columns int) func(v *Value) *Value {
		return func(v *Value) *Value {
			if flip {
				v = v.T()
			}
			return v.Reshape(matrixShape(groups, rows, columns)...)
		}
	}
	u = &use{moves: moves, x: x, y: y, rows: form(flipX, inputs), results: form(flipY, outputs)}
	u.outer = ir.View{Shape: y.typ.Shape, Strides: make([]int, y.Rank())}
	column := y.Rank() - 1
	if flipY {
		column--
	}
	u.outer.Strides[column] = 1
	if !wide {
		stride := outputs
		for a := len(batch) - 1; a >= 0; a-- {
			u.outer.Strides[a] = stride
			stride *= batch[a]
		}
	}
	return u, groups, outputs, inputs
}

// convolutionOf is the use of a weight as the kernel of a convolution.
func convolutionOf(op convOp, y *Value, moves []move) (u *use, groups, outputs, inputs int) {
	x, kernel := y.in[0], y.in[1].typ.Shape
	rank := len(kernel) - 2
	taps, channels := ir.Size(kernel[:rank]), kernel[rank]
	groups = op.groups
	outputs, inputs = kernel[rank+1]/groups, taps*channels
	split := []int{inputs, groups, outputs}
	axes := []int{1, 2, 0}
	if groups == 1 {
		split, axes = []int{inputs, outputs}, []int{1, 0}
	}
	moves = reshapedTo(moves, kernel, split)
	moves = append(slices.Clone(moves), move{permuteOp{irop.Permute{Axes: axes}}, split})
	places := y.Size() / (groups * outputs)
	u = &use{moves: moves, x: x, y: y, rows: op.windows(kernel[:rank], x.Shape()[1:rank+1], op.size, places, channels), results: perPlace(places, groups, outputs)}
	u.sum = op.windowSum(kernel[:rank], x.Shape()[1:rank+1])
	u.outer = ir.View{Shape: y.typ.Shape, Strides: make([]int, y.Rank())}
	u.outer.Strides[y.Rank()-1] = 1
	return u, groups, outputs, inputs
}

// transposedConvolutionOf is the use of a weight as the kernel of a transposed convolution: every place of x is multiplied by all of the kernel, and
// the products are added up in the window of y there. So the gradient with respect to the products is the window of that with respect to y. The bias,
// which is added to y and not to the products, is none of the matrix.
func transposedConvolutionOf(op convOp, y *Value, moves []move) (u *use, groups, outputs, inputs int) {
	x, kernel := y.in[0], y.in[1].typ.Shape
	rank := len(kernel) - 2
	taps, channels := ir.Size(kernel[:rank]), kernel[rank]
	groups = op.groups
	outputs, inputs = taps*channels, kernel[rank+1]/groups
	if groups == 1 {
		moves = reshapedTo(moves, kernel, []int{outputs, inputs})
	} else {
		split := []int{outputs, groups, inputs}
		moves = append(slices.Clone(reshapedTo(moves, kernel, split)), move{permuteOp{irop.Permute{Axes: []int{1, 0, 2}}}, split})
	}
	places := x.Size() / (groups * inputs)
	u = &use{moves: moves, x: x, y: y, rows: perPlace(places, groups, inputs), results: op.windows(kernel[:rank], op.size, x.Shape()[1:rank+1], places, channels)}
	return u, groups, outputs, inputs
}

// perPlace brings the channels of a group at all places into rows.
func perPlace(places, groups, channels int) func(v *Value) *Value {
	return func(v *Value) *Value {
		return v.Reshape(places, groups, channels).Permute(1, 0, 2).Reshape(matrixShape(groups, places, channels)...)
	}
}

// windows brings the windows of a value with some spatial axes into rows, one for each of the places: at is how many these are along the axes, places how many
// there are of all examples, and channels those of a group.
func (op convOp) windows(size, space, at []int, places, channels int) func(v *Value) *Value {
	w := Window{Stride: op.stride, Dilation: op.dilation, Padding: op.before, PaddingAfter: make([]int, len(size))}
	for a := range size {
		reach := (at[a]-1)*op.stride[a] + (size[a]-1)*op.dilation[a] + 1
		w.PaddingAfter[a] = max(reach-space[a]-op.before[a], 0)
	}
	taps := ir.Size(size)
	return func(v *Value) *Value {
		return v.Unfold(size, w).Reshape(places, taps, op.groups, channels).Permute(2, 0, 1, 3).Reshape(matrixShape(op.groups, places, taps*channels)...)
	}
}

// sameMoves reports whether two lists of moves from one shape bring every element to the same place, as far as that can be told.
func sameMoves(a, b []move) bool {
	if slices.EqualFunc(a, b, func(a, b move) bool {
		return a.op.Name() == b.op.Name() && a.op.Attrs() == b.op.Attrs() && slices.Equal(a.from, b.from)
	}) {
		return true
	}
	if len(a) == 0 || len(b) == 0 { // a weight that is a matrix as it is
		if a, b = append(a, b...), nil; len(a) == 0 {
			return true
		}
	}
	v, ok := moved(ir.ViewOf(a[0].from), a)
	w, also := moved(ir.ViewOf(a[0].from), b)
	return ok && also && sameView(v, w)
}

// moved carries a view through moves.
func moved(v ir.View, moves []move) (ir.View, bool) {
	ok := true
	for _, m := range moves {
		if v, ok = m.op.(ir.Movement).Move(v); !ok {
			return v, false
		}
	}
	return v, true
}

// sameView reports whether two views show the same elements in the same places.
func sameView(a, b ir.View) bool {
	if !slices.Equal(a.Shape, b.Shape) || a.Offset != b.Offset {
		return false
	}
	for i, d := range a.Shape {
		if d > 1 && a.Strides[i] != b.Strides[i] {
			return false
		}
	}
	return true
}

// findBias finds the param among those given that is added to every product, with a number for each output, and used nowhere else.
func (w *weightUses) findBias(users usage, params map[*Param]bool) {
	var bias *Value
	for _, u := range w.uses {
		b := users.biasOf(u)
		if b == nil || bias != nil && b != bias {
			return
		}
		bias = b
	}
	if params[bias.Param()] && users.ends(bias) == len(w.uses) {
		w.bias = bias.Param()
	}
}

// biasOf is the variable that is added to a product, or nil.
func (users usage) biasOf(u *use) *Value {
	y, view := u.y, u.outer
	for {
		if view.Shape == nil || len(users[y]) != 1 {
			return nil
		}
		o := users[y][0]
		if op, sum := o.user.op.(elementwiseOp); sum && op.F == scalar.Add {
			variable, ok := variableBehind(o.user.in[1-o.at], view)
			if !ok {
				return nil
			}
			return variable
		}
		op, ok := o.user.op.(ir.Movement)
		if !ok || len(o.user.in) != 1 || o.user.Size() != y.Size() {
			return nil
		}
		if _, stops := o.user.op.(stopGradientOp); stops {
			return nil
		}
		if view, ok = op.Move(view); !ok {
			return nil
		}
		y = o.user
	}
}

// variableBehind follows a value back through movements to a variable that it shows as the view says.
func variableBehind(v *Value, view ir.View) (*Value, bool) {
	var moves []move
	for {
		switch v.op.(type) {
		case variableOp:
			got, ok := moved(ir.ViewOf(v.typ.Shape), moves)
			return v, ok && sameView(got, view)
		case reshapeOp, permuteOp, flipOp, broadcastOp:
			moves = slices.Insert(moves, 0, move{v.op, v.in[0].typ.Shape})
			v = v.in[0]
		default:
			return nil, false
		}
	}
}

// ends counts the uses of a value that are no movements of it.
func (users usage) ends(v *Value) int {
	n := 0
	for _, o := range users[v] {
		switch o.user.op.(type) {
		case reshapeOp, permuteOp, flipOp, broadcastOp:
			n += users.ends(o.user)
		default:
			n++
		}
	}
	return n
}
