package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file writes each op of a graph as operators of ONNX.

// plain are the scalar functions that are one operator.
var plain = map[scalar.Func]string{
	scalar.Neg: "Neg", scalar.Abs: "Abs", scalar.Sign: "Sign", scalar.Reciprocal: "Reciprocal", scalar.Sqrt: "Sqrt", scalar.Exp: "Exp", scalar.Log: "Log", scalar.Sin: "Sin",
	scalar.Cos: "Cos", scalar.Tan: "Tan", scalar.Asin: "Asin", scalar.Acos: "Acos", scalar.Atan: "Atan", scalar.Sinh: "Sinh", scalar.Cosh: "Cosh", scalar.Tanh: "Tanh",
	scalar.Sigmoid: "Sigmoid", scalar.Softplus: "Softplus", scalar.Erf: "Erf", scalar.Floor: "Floor", scalar.Ceil: "Ceil", scalar.Round: "Round", scalar.ReLU: "Relu",
	scalar.Not: "Not", scalar.Add: "Add", scalar.Sub: "Sub", scalar.Mul: "Mul", scalar.Div: "Div", scalar.Pow: "Pow", scalar.Min: "Min", scalar.Max: "Max", scalar.Eq: "Equal",
	scalar.Lt: "Less", scalar.Le: "LessOrEqual", scalar.Gt: "Greater", scalar.Ge: "GreaterOrEqual", scalar.And: "And", scalar.Or: "Or", scalar.Xor: "Xor", scalar.Where: "Where",
}

// bitwise are those that came with operator set 18.
var bitwise = map[scalar.Func]string{scalar.BitAnd: "BitwiseAnd", scalar.BitOr: "BitwiseOr", scalar.BitXor: "BitwiseXor", scalar.BitNot: "BitwiseNot"}

// passing are the ops that return their first operand.
var passing = map[string]bool{"StopGradient": true, "Fence": true, "Attended": true, "WithGradient": true, "Within": true, "Checkpoint": true}

// node writes a node and returns the name of its value.
func (e *exporter) node(n *ir.Node) string {
	twin := e.twins[n]
	switch op := n.Op.(type) {
	case ir.Const:
		return e.constant(n, op.Array, twin.Op.(ir.Const).Array)
	case irop.Elementwise:
		return e.elementwise(n, op.F)
	case ir.Elementwise:
		return e.elementwise(n, op.Scalar())
	case ir.Conversion:
		return e.emit("Cast", e.in(n), attrs{"to": int(elemOf(tarn.DType(n.Type.DType)))})
	case ir.Contraction:
		return e.product(n, op)
	case ir.Reduction:
		return e.reduction(n, op)
	case ir.Convolution:
		return e.convolution(n, op)
	case ir.Pooling:
		return e.pooling(n, op)
	case ir.Attention:
		return e.attention(n, op.Attends())
	case ir.Nested:
		return e.control(n, op)
	case ir.Joint:
		return e.emit("Concat", e.in(n), attrs{"axis": op.Joins()})
	case ir.Lookup:
		return e.emit("Gather", e.in(n), attrs{"axis": op.LooksUp()})
	}
	if passing[n.Op.Name()] {
		return e.value(n.In[0])
	}
	if move := e.movement(n, twin); move != "" {
		return move
	}
	axis := 0
	switch name := n.Op.Name(); name {
	case "Gather":
		fmt.Sscanf(n.Op.Attrs(), "axes=[%d]", &axis)
		return e.emit("GatherElements", e.in(n), attrs{"axis": axis})
	case "CumSum":
		fmt.Sscanf(n.Op.Attrs(), "axis=%d", &axis)
		a := attrs{}
		if strings.HasSuffix(n.Op.Attrs(), "reverse") {
			a["reverse"] = 1
		}
		return e.emit("CumSum", []string{e.value(n.In[0]), e.number(ir.I64, float64(axis))}, a)
	case "ArgMax", "ArgMin":
		fmt.Sscanf(n.Op.Attrs(), "axes=[%d]", &axis)
		return e.emit(name, e.in(n), attrs{"axis": axis, "keepdims": 0})
	case "ArgSort":
		if e.varies(n) == len(n.Type.Shape)-1 {
			return e.refuse(n, "its length depends on the number of rows")
		}
		largest := 0
		if strings.HasSuffix(n.Op.Attrs(), "descending") {
			largest = 1
		}
		top, at := e.unique("top"), e.unique("places")
		e.append("TopK", []string{e.value(n.In[0]), e.ints(n.Type.Shape[len(n.Type.Shape)-1])}, []string{top, at}, attrs{"axis": -1, "largest": largest})
		return at
	}
	return e.refuse(n, "")
}

func (e *exporter) movement(n, twin *ir.Node) string {
	a, b := n.Type.Shape, twin.Type.Shape
	switch n.Op.Name() {
	case "Reshape":
		shape, varying := slices.Clone(a), 0
		for i := range a {
			if a[i] != b[i] {
				shape[i] = -1
				varying++
			}
		}
		if varying <= 1 && n.Type.Size() > 0 {
			return e.emit("Reshape", []string{e.value(n.In[0]), e.ints(shape...)}, nil)
		}
		return e.emit("Reshape", []string{e.value(n.In[0]), e.shape(a, b)}, nil)
	case "Permute":
		return e.emit("Transpose", e.in(n), attrs{"perm": list(n.Op.Attrs())})
	case "Flip":
		axes := list(n.Op.Attrs())
		k := len(axes)
		return e.emit("Slice", []string{e.value(n.In[0]), e.ints(slices.Repeat([]int{-1}, k)...), e.ints(slices.Repeat([]int{math.MinInt32}, k)...),
			e.ints(axes...), e.ints(slices.Repeat([]int{-1}, k)...)}, nil)
	case "Broadcast":
		if slices.Equal(n.In[0].Type.Shape, a) {
			return e.value(n.In[0])
		}
		return lazily + e.value(n.In[0])
	}
	switch n.Op.Name() {
	case "Slice":
		var axis, start, stop, step, axis2, start2, stop2, step2 int
		if !readSlice(n.Op.Attrs(), &axis, &start, &stop, &step) || !readSlice(twin.Op.Attrs(), &axis2, &start2, &stop2, &step2) {
			return e.refuse(n, "")
		}
		if _, flat := n.In[0].Op.(ir.Attention); flat { // whose values alone are written
			return e.value(n.In[0])
		}
		d, d2 := n.In[0].Type.Shape[axis], e.twins[n.In[0]].Type.Shape[axis]
		end := e.size(stop, stop2)
		if stop == d && stop2 == d2 {
			end = e.ints(math.MaxInt32)
		}
		return e.emit("Slice", []string{e.value(n.In[0]), e.size(start, start2), end, e.ints(axis), e.ints(step)}, nil)
	case "Pad":
		var axis, before, after, step, axis2, before2, after2, step2 int
		readPad(n.Op.Attrs(), &axis, &before, &after, &step)
		readPad(twin.Op.Attrs(), &axis2, &before2, &after2, &step2)
		if step != 1 {
			return e.refuse(n, "with steps")
		}
		rank := len(a)
		p, p2 := make([]int, 2*rank), make([]int, 2*rank)
		p[axis], p[axis+rank], p2[axis], p2[axis+rank] = before, after, before2, after2
		x := e.value(n.In[0])
		if n.Type.DType == ir.Bool {
			return e.refuse(n, "of bools")
		}
		return e.emit("Pad", []string{x, e.shape(p, p2)}, nil)
	}
	return ""
}

// list reads numbers in brackets.
func list(text string) []int {
	var out []int
	if i, j := strings.IndexByte(text, '['), strings.IndexByte(text, ']'); i >= 0 && j > i {
		for _, word := range strings.Fields(text[i+1 : j]) {
			v := 0
			fmt.Sscan(word, &v)
			out = append(out, v)
		}
	}
	return out
}

func (e *exporter) constant(n *ir.Node, a, b ir.Array) string {
	if slices.Equal(a.Shape, b.Shape) && slices.Equal(a.Raw(), b.Raw()) {
		if len(a.Shape) == 0 && a.DType != ir.Bool {
			return e.number(a.DType, a.Float(0))
		}
		t := tarn.Zeros(tarn.DType(a.DType), a.Shape...)
		copy(t.Raw(), a.Raw())
		return e.tensor(t)
	}
	if len(a.Shape) == 0 && a.DType != ir.Bool { // a number that counts rows
		x, y := a.Float(0), b.Float(0)
		for _, inverse := range []bool{false, true} {
			if inverse {
				x, y = 1/x, 1/y
			}
			slope := (y - x) / (rowsB - rowsA)
			offset := x - slope*rowsA
			if e.batch == "" || inverse && math.Abs(offset) > 1e-6*math.Abs(x) || !inverse && math.Abs(slope-math.Round(slope)) > 1e-9 {
				continue
			}
			rows := e.emit("Cast", []string{e.emit("Squeeze", []string{e.batch, e.ints(0)}, nil)}, attrs{"to": int(elemOf(tarn.DType(a.DType)))})
			v := e.emit("Mul", []string{rows, e.number(a.DType, math.Round(slope*1e9)/1e9)}, nil)
			if offset = math.Round(offset*1e6) / 1e6; offset != 0 {
				v = e.emit("Add", []string{v, e.number(a.DType, offset)}, nil)
			}
			if inverse {
				return e.emit("Reciprocal", []string{v}, nil)
			}
			return v
		}
	}
	if len(a.Shape) == 1 && a.DType != ir.Bool && counts(a) && counts(b) {
		end := e.emit("Squeeze", []string{e.size(a.Shape[0], b.Shape[0]), e.ints(0)}, nil)
		return e.emit("Cast", []string{e.emit("Range", []string{e.number(ir.I64, 0), end, e.number(ir.I64, 1)}, nil)}, attrs{"to": int(elemOf(tarn.DType(a.DType)))})
	}
	return e.refuse(n, "a constant depends on the number of rows")
}

// counts reports whether an array is 0, 1, 2, ...
func counts(a ir.Array) bool {
	for i := range a.Size() {
		if a.Float(i) != float64(i) {
			return false
		}
	}
	return true
}

func (e *exporter) elementwise(n *ir.Node, f scalar.Func) string {
	// Operators broadcast by themselves, as long as one operand has the whole shape.
	whole := false
	for _, m := range n.In {
		whole = whole || !strings.HasPrefix(e.names[m], lazily)
	}
	var in []string
	for i, m := range n.In {
		if source, lazy := strings.CutPrefix(e.names[m], lazily); lazy && (whole || i > 0) {
			in = append(in, source)
		} else {
			in = append(in, e.value(m))
		}
	}
	d := n.In[len(n.In)-1].Type.DType
	num := func(x float64) string { return e.number(d, x) }
	if op := plain[f]; op != "" {
		return e.emit(op, in, nil)
	}
	if op := bitwise[f]; op != "" && e.opset >= 18 {
		return e.emit(op, in, nil)
	}
	switch f {
	case scalar.Square:
		return e.emit("Mul", []string{in[0], in[0]}, nil)
	case scalar.Rsqrt:
		return e.emit("Reciprocal", []string{e.emit("Sqrt", in, nil)}, nil)
	case scalar.Expm1:
		return e.emit("Sub", []string{e.emit("Exp", in, nil), num(1)}, nil)
	case scalar.Log1p:
		return e.emit("Log", []string{e.emit("Add", []string{in[0], num(1)}, nil)}, nil)
	case scalar.Exp2:
		return e.emit("Exp", []string{e.emit("Mul", []string{in[0], num(math.Ln2)}, nil)}, nil)
	case scalar.Log2:
		return e.emit("Mul", []string{e.emit("Log", in, nil), num(1 / math.Ln2)}, nil)
	case scalar.Erfc:
		return e.emit("Sub", []string{num(1), e.emit("Erf", in, nil)}, nil)
	case scalar.GELU:
		if e.opset >= 20 {
			return e.emit("Gelu", in, nil)
		}
		erf := e.emit("Erf", []string{e.emit("Mul", []string{in[0], num(1 / math.Sqrt2)}, nil)}, nil)
		return e.emit("Mul", []string{in[0], e.emit("Mul", []string{e.emit("Add", []string{erf, num(1)}, nil), num(0.5)}, nil)}, nil)
	case scalar.IsFinite:
		return e.emit("Not", []string{e.emit("Or", []string{e.emit("IsInf", in, nil), e.emit("IsNaN", in, nil)}, nil)}, nil)
	case scalar.Ne:
		return e.emit("Not", []string{e.emit("Equal", in, nil)}, nil)
	case scalar.Clip:
		return e.emit("Min", []string{e.emit("Max", in[:2], nil), in[2]}, nil)
	case scalar.MulAdd:
		return e.emit("Add", []string{e.emit("Mul", in[:2], nil), in[2]}, nil)
	case scalar.LeakyReLU:
		return e.emit("Where", []string{e.emit("Greater", []string{in[0], num(0)}, nil), in[0], e.emit("Mul", in, nil)}, nil)
	case scalar.ReLUGrad:
		return e.emit("Where", []string{e.emit("Greater", []string{in[1], num(0)}, nil), in[0], num(0)}, nil)
	}
	return e.refuse(n, "")
}

func (e *exporter) product(n *ir.Node, op ir.Contraction) string {
	in := e.in(n)
	ta, tb := op.Contracts()
	rank := len(n.Type.Shape)
	if rank == 2 && (ta || tb) && n.Type.DType.Float() {
		a := attrs{}
		if ta {
			a["transA"] = 1
		}
		if tb {
			a["transB"] = 1
		}
		return e.emit("Gemm", in, a)
	}
	for i, t := range []bool{ta, tb} {
		if t {
			r := len(n.In[i].Type.Shape)
			perm := axesFrom(0, r)
			perm[r-1], perm[r-2] = r-2, r-1
			in[i] = e.emit("Transpose", []string{in[i]}, attrs{"perm": perm})
		}
	}
	return e.emit("MatMul", in, nil)
}

func (e *exporter) reduction(n *ir.Node, op ir.Reduction) string {
	kind, axes := op.Reduces()
	x := e.value(n.In[0])
	if len(axes) == 0 {
		return x
	}
	cast := func(x string, to elemType) string { return e.emit("Cast", []string{x}, attrs{"to": int(to)}) }
	name := ""
	switch kind {
	case ir.ReduceSum:
		return e.emit("ReduceSum", []string{x, e.ints(axes...)}, attrs{"keepdims": 0})
	case ir.ReduceProd:
		name = "ReduceProd"
	case ir.ReduceMax:
		name = "ReduceMax"
	case ir.ReduceMin:
		name = "ReduceMin"
	case ir.ReduceAll:
		name, x = "ReduceMin", cast(x, typeInt32)
	case ir.ReduceAny:
		name, x = "ReduceMax", cast(x, typeInt32)
	}
	var y string
	if e.opset >= 18 {
		y = e.emit(name, []string{x, e.ints(axes...)}, attrs{"keepdims": 0})
	} else {
		y = e.emit(name, []string{x}, attrs{"keepdims": 0, "axes": axes})
	}
	if kind == ir.ReduceAll || kind == ir.ReduceAny {
		return cast(y, typeBool)
	}
	return y
}

// first and last are the orders of the axes of an array of a rank whose channels become second, and last again.
func first(rank int) []int { return append([]int{0, rank - 1}, axesFrom(1, rank-1)...) }
func last(rank int) []int  { return append(append([]int{0}, axesFrom(2, rank)...), 1) }

// after is the padding after the last element that a window needs for its places: less means that some of the elements are not reached.
func after(space, places, size, stride, dilation, before int) int {
	return (places-1)*stride + (size-1)*dilation + 1 - space - before
}

func (e *exporter) convolution(n *ir.Node, op ir.Convolution) string {
	kind, stride, dilation, before, groups := op.Convolves()
	rank := len(n.Type.Shape)
	x := e.emit("Transpose", []string{e.value(n.In[0])}, attrs{"perm": first(rank)})
	kernel := n.In[1].Type.Shape
	size := kernel[:rank-2]
	w := e.emit("Transpose", []string{e.value(n.In[1])}, attrs{"perm": append([]int{rank - 1, rank - 2}, axesFrom(0, rank-2)...)})
	in, out := n.In[0].Type.Shape[1:rank-1], n.Type.Shape[1:rank-1]
	if e.varies(n.In[0]) > 0 && e.varies(n.In[0]) < rank-1 {
		return e.refuse(n, "its spatial axes depend on the number of rows")
	}
	a := attrs{"strides": stride, "dilations": dilation, "group": groups}
	pads := slices.Clone(before)
	var y string
	switch kind {
	case ir.ConvOutput:
		for i := range size {
			pads = append(pads, max(0, after(in[i], out[i], size[i], stride[i], dilation[i], before[i])))
		}
		a["pads"] = pads
		y = e.emit("Conv", []string{x, w}, a)
	case ir.ConvInput:
		var extra []int
		for i := range size {
			p := after(out[i], in[i], size[i], stride[i], dilation[i], before[i])
			pads = append(pads, max(0, p))
			extra = append(extra, max(0, -p))
		}
		a["pads"], a["output_padding"] = pads, extra
		y = e.emit("ConvTranspose", []string{x, w}, a)
	default:
		return e.refuse(n, "")
	}
	return e.emit("Transpose", []string{y}, attrs{"perm": last(rank)})
}

func (e *exporter) pooling(n *ir.Node, op ir.Pooling) string {
	kind, w := op.Pools()
	rank := len(n.Type.Shape)
	if v := e.varies(n.In[0]); v > 0 && v < rank-1 {
		return e.refuse(n, "its spatial axes depend on the number of rows")
	}
	pads := slices.Clone(w.Before)
	for i := range w.Size {
		pads = append(pads, max(0, after(n.In[0].Type.Shape[1+i], n.Type.Shape[1+i], w.Size[i], w.Stride[i], w.Dilation[i], w.Before[i])))
	}
	a := attrs{"kernel_shape": w.Size, "strides": w.Stride, "pads": pads}
	dilated := slices.ContainsFunc(w.Dilation, func(d int) bool { return d != 1 })
	if dilated {
		a["dilations"] = w.Dilation
	}
	x := e.emit("Transpose", []string{e.value(n.In[0])}, attrs{"perm": first(rank)})
	var y string
	switch {
	case kind == ir.PoolPick && n.In[0] == n.In[1]:
		y = e.emit("MaxPool", []string{x}, a)
	case kind == ir.PoolSum && (!dilated || e.opset >= 19):
		a["count_include_pad"] = 1
		y = e.emit("AveragePool", []string{x}, a)
		y = e.emit("Mul", []string{y, e.number(n.Type.DType, float64(product(w.Size)))}, nil)
	default:
		return e.refuse(n, "")
	}
	return e.emit("Transpose", []string{y}, attrs{"perm": last(rank)})
}

// attention writes an attention as products and a softmax. The result is that of the op without the logarithms behind its values.
func (e *exporter) attention(n *ir.Node, f ir.AttentionForm) string {
	if f.Gradient || f.Dropout > 0 {
		return e.refuse(n, "")
	}
	in := e.in(n)
	d := n.Type.DType
	q, k := n.In[0].Type.Shape, n.In[1].Type.Shape
	if repeat := q[1] / max(1, k[1]); repeat > 1 { // each group serves several heads
		for i, m := range n.In[1:3] {
			a, b := m.Type.Shape, e.twins[m].Type.Shape
			wide := func(s []int) []int { return []int{s[0], s[1], repeat, s[2], s[3]} }
			joined := func(s []int) []int { return []int{s[0], s[1] * repeat, s[2], s[3]} }
			y := e.emit("Unsqueeze", []string{in[1+i], e.ints(2)}, nil)
			y = e.emit("Expand", []string{y, e.shape(wide(a), wide(b))}, nil)
			in[1+i] = e.emit("Reshape", []string{y, e.shape(joined(a), joined(b))}, nil)
		}
	}
	scores := e.emit("MatMul", []string{e.emit("Mul", []string{in[0], e.number(d, f.Scale)}, nil), e.emit("Transpose", []string{in[1]}, attrs{"perm": []int{0, 1, 3, 2}})}, nil)
	lowest := e.number(d, math.Inf(-1))
	if f.Masked {
		if n.In[3].Type.DType == ir.Bool {
			scores = e.emit("Where", []string{in[3], scores, lowest}, nil)
		} else {
			scores = e.emit("Add", []string{scores, in[3]}, nil)
		}
	}
	if f.Causal {
		if t := e.twins[n.In[0]].Type.Shape; t[2] != q[2] || e.twins[n.In[1]].Type.Shape[2] != k[2] {
			return e.refuse(n, "its length depends on the number of rows")
		}
		mask := tarn.Zeros(tarn.Bool, q[2], k[2])
		for i := range q[2] {
			for j := range min(i+1, k[2]) {
				mask.Bools()[i*k[2]+j] = true
			}
		}
		scores = e.emit("Where", []string{e.tensor(mask), scores, lowest}, nil)
	}
	weights := e.emit("Softmax", []string{scores}, attrs{"axis": -1})
	if f.Masked { // a query that sees no key has the weights 0
		weights = e.emit("Where", []string{e.emit("IsNaN", []string{weights}, nil), e.number(d, 0), weights}, nil)
	}
	y := e.emit("Transpose", []string{e.emit("MatMul", []string{weights, in[2]}, nil)}, attrs{"perm": []int{0, 2, 1, 3}})
	return e.emit("Reshape", []string{y, e.ints(-1)}, nil)
}

// control writes a scan with its body. Other loops, and branches, are refused.
func (e *exporter) control(n *ir.Node, op ir.Nested) string {
	c, result := op.Nests()
	twin, _ := e.twins[n].Op.(ir.Nested).Nests()
	if c.Kind != ir.Scan {
		return e.refuse(n, "")
	}
	if twin.Steps != c.Steps {
		return e.refuse(n, "its number of steps depends on the number of rows")
	}
	key := scanKey{c, fmt.Sprint(e.in(n))}
	if e.scans == nil {
		e.scans = map[scanKey][]string{}
	}
	if names, ok := e.scans[key]; ok && e.indices == 0 {
		return names[result]
	}
	in := e.in(n)
	body, other := c.Main(), twin.Main()
	if len(body.Nodes) != len(other.Nodes) || e.pair(body.Nodes, other.Nodes) != nil {
		return e.refuse(n, "its body has other ops for another number of rows")
	}
	// The step's number is one more input to scan: so there is one even if there are no slices.
	numbers := tarn.Zeros(tarn.I64, c.Steps)
	for i := range numbers.I64() {
		numbers.I64()[i] = int64(i)
	}
	around := e.nodes
	var nodes, inputs, outputs message
	e.nodes = &nodes
	e.indices++
	for i, leaf := range body.Inputs {
		index := leaf.Op.(ir.Input).Index
		if index > c.Carries+c.Slices { // a value from outside
			e.names[leaf] = in[index-1]
			continue
		}
		e.names[leaf] = e.unique(fmt.Sprint("body", i))
	}
	name := func(index int) (string, *ir.Node) {
		for _, leaf := range body.Inputs {
			if leaf.Op.(ir.Input).Index == index {
				return e.names[leaf], leaf
			}
		}
		return e.unique("unused"), nil
	}
	declare := func(index int, t ir.Type) {
		s, leaf := name(index)
		shape := t.Shape
		if leaf != nil {
			shape = e.free(leaf)
		}
		inputs = inputs.bytes(11, writtenInfo(s, elemOf(tarn.DType(t.DType)), shape))
	}
	for i := range c.Carries {
		declare(1+i, n.In[i].Type)
	}
	declare(0, ir.Type{DType: ir.I64, Shape: []int{}})
	for i := range c.Slices {
		t := n.In[c.Carries+i].Type
		declare(1+c.Carries+i, ir.Type{DType: t.DType, Shape: t.Shape[1:]})
	}
	e.list(body.Nodes)
	for _, m := range body.Outputs {
		out := e.emit("Identity", []string{e.value(m)}, nil)
		outputs = outputs.bytes(12, writtenInfo(out, elemOf(tarn.DType(m.Type.DType)), e.free(m)))
	}
	e.indices--
	e.nodes = around
	graph := append(append(append(slices.Clone(nodes), message{}.text(2, "step")...), inputs...), outputs...)
	a := attrs{"body": message(graph), "num_scan_inputs": 1 + c.Slices}
	if c.Reverse {
		a["scan_input_directions"] = slices.Repeat([]int{1}, 1+c.Slices)
		a["scan_output_directions"] = slices.Repeat([]int{1}, len(body.Outputs)-c.Carries)
	}
	operands := slices.Concat(in[:c.Carries], []string{e.tensor(numbers)}, in[c.Carries:c.Carries+c.Slices])
	var names []string
	for range body.Outputs {
		names = append(names, e.unique("scan"))
	}
	e.append("Scan", operands, names, a)
	if e.indices == 0 {
		e.scans[key] = names
	}
	return names[result]
}

// readSlice and readPad read what these ops print.
func readSlice(text string, axis, start, stop, step *int) bool {
	n, _ := fmt.Sscanf(text, "axis=%d %d:%d:%d", axis, start, stop, step)
	return n == 4
}

func readPad(text string, axis, before, after, step *int) {
	fmt.Sscanf(text, "axis=%d before=%d after=%d step=%d", axis, before, after, step)
}
