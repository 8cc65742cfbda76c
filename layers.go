package tarn

import (
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file finds the layers of a model in a graph. A layer is what the params whose names share all but the last part
// belong to; its result is the last value computed from them and from data. So layers need not register
// themselves, and the user's own struct is a layer like those of package nn.

// Layer is a part of a model that has its own params, and what it has computed in a graph.
type Layer struct {
	Path   string   // the part's name: "blocks.2.attn.out" for the params "blocks.2.attn.out.weight" and "….bias"
	Params []string // the names of its params, states included
	Op     string   // the op that the params enter first, as in "MatMul", "Conv", "Gather"
	Output *Value   // its result, without the activation; of a layer that is used several times, that of the last use
	// Activation is the name of the activation that is applied to Output, such as "ReLU", or "" if there is none, and
	// Activated is its result, or nil.
	Activation string
	Activated  *Value
	// Steps is what a recurrent layer reads step by step, with the steps along the first axis: the gradient with respect to
	// it shows how far back in time gradients reach. It is nil for other layers.
	Steps *Value
	// Attends says that Output goes into an attention, as its queries, keys or values.
	Attends bool
}

// Layers returns the layers of the params in s that the loss depends on, in the order in which they compute their results.
// Layers that are used only inside of the body of a loop or a branch are represented by the whole loop.
func (s *ParamSet) Layers(loss *Value) []Layer {
	if !loss.exists() || loss.failed {
		return nil
	}
	values := reachable([]*Value{loss})
	users := usersOf(values)
	byPath := map[string]*Layer{}
	var layers []*Layer
	f := layerFinder{map[*Value]string{}, map[*Value]string{}, map[*Value]bool{}, map[**Value]meeting{}}
	for _, v := range values {
		if p := v.Param(); p != nil && s.Name(p) != "" {
			f.pure[v] = layerPath(s.Name(p))
			continue
		}
		m := f.operands(v)
		switch {
		case m.joins:
			byPath[m.path].Output, f.part[v] = v, m.path
		case m.own && !m.data:
			f.pure[v] = m.path
		case m.own:
			l := byPath[m.path]
			if l == nil {
				l = &Layer{Path: m.path, Op: v.op.Name()}
				byPath[m.path], layers = l, append(layers, l)
			}
			if l.Output == nil || !sameLoop(l.Output, v) || v.Size() > l.Output.Size() {
				l.Output = v
			}
			f.part[v] = m.path
		case !m.data && len(v.in) > 0:
			f.fixed[v] = true
		case len(v.in) == 0:
			_, f.fixed[v] = v.op.(constOp)
		}
	}
	for name := range s.All() {
		if l := byPath[layerPath(name)]; l != nil {
			l.Params = append(l.Params, name)
		}
	}
	for _, v := range values {
		for _, in := range attended(v) {
			if l := byPath[f.origin(in)]; l != nil {
				l.Attends = true
			}
		}
	}
	slices.SortStableFunc(layers, func(a, b *Layer) int { return a.Output.id - b.Output.id })
	out := make([]Layer, len(layers))
	for i, l := range layers {
		l.Activation, l.Activated = users.activation(l.Output)
		l.Steps = stepsOf(l.Output)
		out[i] = *l
	}
	return out
}

// layerFinder holds what is known of the values so far.
type layerFinder struct {
	pure   map[*Value]string   // values that are computed from the params of one layer alone, with its path
	part   map[*Value]string   // results of a layer so far
	fixed  map[*Value]bool     // values that are computed from constants
	shared map[**Value]meeting // of the operands that the results of a loop or a branch share
}

// meeting is what the operands of a value are.
type meeting struct {
	path  string // of a layer
	joins bool   // they are several results of that layer
	own   bool   // some are computed from its params alone
	data  bool   // some are neither that nor computed from constants
}

// operands looks at the operands of v.
func (f *layerFinder) operands(v *Value) (m meeting) {
	if _, loop := v.op.(controlOp); loop && len(v.in) > 0 {
		if m, known := f.shared[&v.in[0]]; known {
			return m
		}
		defer func() { f.shared[&v.in[0]] = m }()
	}
	if path, ok := f.joined(v); ok {
		return meeting{path: path, joins: true}
	}
	for _, in := range v.in {
		switch of, ok := f.pure[in]; {
		case ok && (!m.own || of == m.path):
			m.path, m.own = of, true
		case ok && strings.HasPrefix(of, m.path+"."): // of a part of the layer, such as what transforms its weight
		case ok && strings.HasPrefix(m.path, of+"."):
			m.path = of
		case ok: // params of two layers meet: the later one takes the earlier one as data
			m.path, m.data = of, true
		case !f.fixed[in]:
			m.data = true
		}
	}
	return m
}

// joined reports whether v joins several results of one layer, and the layer's path.
func (f *layerFinder) joined(v *Value) (string, bool) {
	path, n := "", 0
	for _, in := range v.in {
		of, ok := f.part[in]
		if f.fixed[in] {
			continue
		}
		if !ok || n > 0 && of != path {
			return "", false
		}
		path = of
		n++
	}
	return path, n > 1 && v.in[0] != v.in[1]
}

// origin is the path of the layer that v was last a result of.
func (f *layerFinder) origin(v *Value) string {
	for {
		if path, ok := f.part[v]; ok {
			return path
		}
		next := slices.IndexFunc(v.in, func(in *Value) bool { return !f.fixed[in] && f.pure[in] == "" })
		if next < 0 {
			return ""
		}
		v = v.in[next]
	}
}

// attended are what an attention reads: its queries, keys and values, or of one that is written out, a product with a softmax, the
// values and what the softmax is made of.
func attended(v *Value) []*Value {
	if _, ok := v.op.(attendedOp); ok {
		return v.in[:min(3, len(v.in))]
	}
	if _, product := v.op.(matMulOp); !product || len(v.in) < 2 {
		return nil
	}
	weights := v.in[0]
	for {
		_, moves := weights.op.(ir.Movement)
		_, softmax := weights.op.(customGradOp) // which has a gradient of its own
		if !moves && !softmax || len(weights.in) == 0 {
			break
		}
		weights = weights.in[0]
	}
	if op, ok := elementwiseOf(weights); !ok || op.F != scalar.Div || len(weights.in) < 2 {
		return nil
	}
	if op, ok := elementwiseOf(weights.in[0]); !ok || op.F != scalar.Exp {
		return nil
	}
	scores := []*Value{weights.in[0], v.in[1]}
	for s := weights.in[0]; ; s = s.in[0] { // down to the product of queries and keys
		if _, product := s.op.(matMulOp); product {
			return append(scores[1:], s.in[:2]...)
		}
		if _, ok := elementwiseOf(s); !ok || len(s.in) == 0 {
			return scores
		}
	}
}

// layerPath is the name of the part of a model that a param is a field of: the param's own name if it has but one part.
func layerPath(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i]
	}
	return name
}

// stepsOf is the largest array that a scan slices, or nil if v is not a result of a scan.
func stepsOf(v *Value) *Value {
	scan, ok := v.op.(controlOp)
	if !ok || scan.kind != ir.Scan {
		return nil
	}
	var steps *Value
	for _, in := range v.in[scan.carries : scan.carries+scan.slices] {
		if in.DType().IsFloat() && (steps == nil || in.Size() > steps.Size()) {
			steps = in
		}
	}
	return steps
}

// sameLoop reports whether two values are results of one loop or branch.
func sameLoop(a, b *Value) bool {
	x, loop := a.op.(controlOp)
	y, also := b.op.(controlOp)
	return loop && also && x.control == y.control
}

// activation follows a value through movements to the activation that is applied to it.
func (users usage) activation(v *Value) (string, *Value) {
	for {
		var next *Value
		for _, o := range users[v] {
			op, ok := elementwiseOf(o.user)
			if !ok {
				if _, moves := o.user.op.(ir.Movement); moves && len(o.user.in) == 1 && o.user.Size() == v.Size() {
					next = o.user
				}
				continue
			}
			switch op.F {
			case scalar.ReLU, scalar.Tanh, scalar.GELU, scalar.Softplus:
				return op.Name(), o.user
			case scalar.LeakyReLU:
				if _, fixed := o.user.in[1].constant(); o.at == 0 && fixed {
					return "LeakyReLU", o.user
				} else if o.at == 0 {
					return "PReLU", o.user
				}
			case scalar.Clip:
				lo, known := o.user.in[1].constant()
				if hi, also := o.user.in[2].constant(); o.at == 0 && known && also && lo == 0 && hi == 6 {
					return "ReLU6", o.user
				} else if o.at == 0 {
					return "HardTanh", o.user
				}
			case scalar.Mul:
				if y := users.scaledSoftplus(o.user); y != nil && o.at == 0 {
					return "Softplus", y
				}
			case scalar.Sigmoid:
				if product := users.productOf(v, o.user); product != nil {
					return "SiLU", product
				}
				return "Sigmoid", o.user
			case scalar.Sub:
				if y := users.softmaxOf(o.user); y != nil && o.at == 0 {
					return "Softmax", y
				}
			case scalar.Gt:
				if y := users.choiceBy(o.user); y != nil {
					return "ELU", y
				}
			}
		}
		if next == nil {
			return "", nil
		}
		v = next
	}
}

// elementwiseOf is the op of v if it is an elementwise one.
func elementwiseOf(v *Value) (elementwiseOp, bool) {
	switch op := v.op.(type) {
	case elementwiseOp:
		return op, true
	case branchOp:
		return op.elementwiseOp, true
	case clipOp:
		return op.elementwiseOp, true
	}
	return elementwiseOp{}, false
}

// productOf is the product of two values, or nil.
func (users usage) productOf(a, b *Value) *Value {
	for _, o := range users[b] {
		if op, ok := o.user.op.(elementwiseOp); ok && op.F == scalar.Mul && slices.Contains(o.user.in, a) {
			return o.user
		}
	}
	return nil
}

// constant is the number that v is everywhere; it returns false if there is none or it is computed.
func (v *Value) constant() (float64, bool) {
	for v.moves() && len(v.in) == 1 {
		v = v.in[0]
	}
	c, ok := v.op.(constOp)
	if !ok || v.Size() != 1 {
		return 0, false
	}
	return c.Array.Float(0), true
}

// scaledSoftplus is the softplus of v, a value times a number, divided by that number again, or nil.
func (users usage) scaledSoftplus(v *Value) *Value {
	if _, number := v.in[1].constant(); !number {
		return nil
	}
	for _, o := range users[v] {
		if op, ok := elementwiseOf(o.user); !ok || op.F != scalar.Softplus {
			continue
		}
		for _, q := range users[o.user] {
			if op, ok := elementwiseOf(q.user); ok && op.F == scalar.Mul && q.at == 0 {
				return q.user
			}
		}
	}
	return nil
}

// softmaxOf is e^v over its sum, or nil.
func (users usage) softmaxOf(v *Value) *Value {
	for _, o := range users[v] {
		if op, ok := o.user.op.(elementwiseOp); !ok || op.F != scalar.Exp {
			continue
		}
		for _, q := range users[o.user] {
			if op, ok := q.user.op.(elementwiseOp); ok && op.F == scalar.Div && q.at == 0 {
				return q.user
			}
		}
	}
	return nil
}

// choiceBy is the last value that a condition chooses for, as the functions of the ELU family end in, or nil.
func (users usage) choiceBy(condition *Value) *Value {
	var last *Value
	for _, o := range users[condition] {
		if op, ok := elementwiseOf(o.user); ok && op.F == scalar.Where && o.at == 0 {
			last = o.user
		}
	}
	return last
}

// LossForm returns what a loss is made of: "cross-entropy" for a logarithm of a softmax, "likelihood" for other logarithms, as in a
// binary cross-entropy, "squares" for squared differences, or "" for anything else, and for a mixture of logarithms and squares, as in the
// likelihood of a normal distribution. Only the ops between the loss and the last products of the model count, and not those
// within a square.
func LossForm(loss *Value) string {
	if !loss.exists() || loss.failed {
		return ""
	}
	seen, softmax, differences, others := map[*Value]bool{}, false, false, false
	ops := map[scalar.Func]bool{}
	var walk func(v *Value, logged bool)
	walk = func(v *Value, logged bool) {
		if seen[v] {
			return
		}
		seen[v] = true
		op, elementwise := elementwiseOf(v)
		reduce, reduces := v.op.(reduceOp)
		_, custom := v.op.(customGradOp)
		_, gathers := v.op.(gatherOp)
		switch {
		case elementwise:
			ops[op.F] = true
			if op.F == scalar.Square {
				if v.in[0].isDifference() {
					differences = true
				} else {
					others = true
				}
				return
			}
			logged = op.F == scalar.Log
		case reduces:
			softmax = softmax || logged && reduce.Kind == ir.ReduceSum
		case custom, gathers:
			walk(v.in[0], logged)
			return
		case !v.moves():
			return
		}
		for _, in := range v.in {
			walk(in, logged)
		}
	}
	walk(loss, false)
	logs := ops[scalar.Log] || ops[scalar.Softplus]
	switch {
	case softmax:
		return "cross-entropy"
	case logs && !differences && !others:
		return "likelihood"
	case differences && !logs && !others && !ops[scalar.Abs]:
		return "squares"
	}
	return ""
}

// moves reports whether v has the elements of its operand, perhaps in another place or as another dtype.
func (v *Value) moves() bool {
	_, moves := v.op.(ir.Movement)
	_, casts := v.op.(castOp)
	return moves || casts
}

// isDifference reports whether v is a difference, moved or multiplied by constants.
func (v *Value) isDifference() bool {
	for {
		op, elementwise := elementwiseOf(v)
		switch {
		case elementwise && op.F == scalar.Sub:
			return true
		case elementwise && op.F == scalar.Mul:
			if _, number := v.in[1].op.(constOp); !number {
				return false
			}
		case !v.moves() || len(v.in) != 1:
			return false
		}
		v = v.in[0]
	}
}
