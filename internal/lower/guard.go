package lower

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds guards, which make a run all or nothing. The values to be assigned are elementwise functions of a few arrays, such as the
// gradients, and of numbers, such as the learning rate: the guard looks at these before the first variable is overwritten. If they and the
// variables are not large, and the functions provably cannot overflow or divide by zero then, the new values are finite and need not be looked
// at. Otherwise the run keeps a copy of the variables, and gets them back if a new value is not finite.

// Guard is the last step before a variable is overwritten.
type Guard struct {
	Guards  []Watched // must be finite, and may be large
	Arrays  []Watched // what the new values are computed from
	Numbers []Watched // those of them that are one number for all elements
	// Bounded says that the new values are finite if the arrays lie within MostArray, the numbers within MostNumber, the variables within
	// MostVariable, and what has NotNegative set is not negative; and that variables grow exponentially from run to run at most.
	Bounded   bool
	Variables []Kept // assigned, or read to compute what is assigned
}

// Watched is an array that a guard looks at.
type Watched struct {
	Buffer *Buffer
	Node   *ir.Node
	// Must says that an element that is not finite makes a new value not finite, or a gradient is not finite.
	Must bool
	// NotNegative is set for numbers: see Guard.Bounded.
	NotNegative bool
}

// Kept is a variable. One that is not of floats is always assigned.
type Kept struct {
	Buffer      *Buffer
	Node        *ir.Node // the value assigned to it, or nil
	NotNegative bool
}

// What Guard.Bounded assumes.
const (
	MostArray    = 1 << 20
	MostNumber   = 1 << 12
	MostVariable = 1 << 40
)

func (g *Guard) describe() string { return "guard" }

func (g *Guard) buffers(see func(b **Buffer)) {
	for _, list := range [][]Watched{g.Guards, g.Arrays, g.Numbers} {
		for i := range list {
			see(&list[i].Buffer)
		}
	}
	for i := range g.Variables {
		see(&g.Variables[i].Buffer)
	}
}

// watch is what a guard finds in a graph.
type watch struct {
	graph   *ir.Graph
	data    map[*ir.Node]bool // what depends on an input
	arrays  []*ir.Node
	numbers []*ir.Node
	must    map[*ir.Node]bool
	seen    map[seenNode]bool
	reads   map[*ir.Node]bool // variables
}

type seenNode struct {
	node *ir.Node
	must bool
}

// newWatch finds what the assigned values of g are computed from. It is nil if g has no guards.
func newWatch(g *ir.Graph) *watch {
	if len(g.Guards) == 0 {
		return nil
	}
	w := &watch{graph: g, data: map[*ir.Node]bool{}, must: map[*ir.Node]bool{}, seen: map[seenNode]bool{}, reads: map[*ir.Node]bool{}}
	for _, n := range g.Nodes {
		_, input := n.Op.(ir.Input)
		w.data[n] = input || slices.ContainsFunc(n.In, func(m *ir.Node) bool { return w.data[m] })
	}
	for _, a := range g.Assigns {
		w.find(a.Value, true)
	}
	return w
}

// find walks from a value back to what it is computed from. must is false behind a selection.
func (w *watch) find(n *ir.Node, must bool) {
	if w.seen[seenNode{n, must}] {
		return
	}
	w.seen[seenNode{n, must}] = true
	if !n.Type.DType.Float() {
		return
	}
	switch op := n.Op.(type) {
	case ir.Const:
		return
	case ir.Variable:
		w.reads[n] = true
		return
	case ir.Elementwise:
		if len(n.Type.Shape) > 0 || w.data[n] {
			for i, in := range n.In {
				w.find(in, must && (op.Scalar() != scalar.Where || i == 0))
			}
			return
		}
	case ir.Conversion:
		if len(n.Type.Shape) > 0 || w.data[n] {
			w.find(n.In[0], must)
			return
		}
	case ir.Movement:
		in := n.In[0]
		if in.Type.Size() == 1 && n.Type.Size() > 1 && len(in.Type.Shape) == 0 && !isLeaf(in) {
			w.number(in)
			return
		}
		w.find(in, must && n.Type.Size() >= in.Type.Size())
		return
	}
	if len(n.Type.Shape) == 0 && !w.data[n] {
		w.number(n)
		return
	}
	if !slices.Contains(w.arrays, n) {
		w.arrays = append(w.arrays, n)
	}
	w.must[n] = w.must[n] || must
}

func (w *watch) number(n *ir.Node) {
	if !slices.Contains(w.numbers, n) {
		w.numbers = append(w.numbers, n)
	}
}

func isLeaf(n *ir.Node) bool {
	switch n.Op.(type) {
	case ir.Const, ir.Variable:
		return true
	}
	return false
}

// roots are the nodes whose results must be in memory for the guard.
func (w *watch) roots() []*ir.Node {
	if w == nil {
		return nil
	}
	return slices.Concat(w.arrays, w.numbers)
}

// guard makes the step of the guard.
func (l *lowering) guard(w *watch) *Step {
	g := &Guard{}
	s := &Step{Work: g}
	watched := func(n *ir.Node) Watched {
		b := l.buffer(l.valueOf(n).node)
		s.addRead(b)
		return Watched{Buffer: b, Node: n, Must: w.must[n]}
	}
	for _, n := range l.graph.Guards {
		g.Guards = append(g.Guards, watched(n))
	}
	for _, n := range w.arrays {
		g.Arrays = append(g.Arrays, watched(n))
	}
	bounds, bounded := w.prove()
	g.Bounded = bounded
	for _, n := range w.numbers {
		x := watched(n)
		x.NotNegative = bounds.notNegative[n]
		g.Numbers = append(g.Numbers, x)
	}
	assigned := map[*ir.Node]*ir.Node{}
	for _, a := range l.graph.Assigns {
		assigned[a.Variable] = a.Value
	}
	for _, n := range l.graph.Variables {
		if assigned[n] != nil || w.reads[n] {
			g.Variables = append(g.Variables, Kept{Buffer: l.buffer(n), Node: assigned[n], NotNegative: bounds.notNegative[n]})
		}
	}
	s.Nodes = []*ir.Node{l.graph.Guards[0]}
	return s
}

// bounds computes intervals that values lie in.
type bounds struct {
	w           *watch
	notNegative map[*ir.Node]bool // variables and numbers
	known       map[*ir.Node]interval
	// Variables lie within MostVariable, divided by 2 to the power of log and of their exponents, of which those below 1 count as 1.
	exponents map[*ir.Node]float64
	log       float64
}

// interval is a range of numbers, both ends included. It is empty if nothing is known: that is, if the value may be infinite or no number.
type interval struct{ low, high float64 }

var unknown = interval{math.Inf(1), math.Inf(-1)}

func (x interval) known() bool { return x.low <= x.high }

// size is the largest magnitude in x.
func (x interval) size() float64 { return max(-x.low, x.high) }

// prove finds which variables stay at or above zero if they are so, and whether all assigned values are then bounded: if need be, under the
// assumption that the numbers are not negative.
func (w *watch) prove() (b bounds, ok bool) {
	for _, numbers := range []bool{false, true} {
		b = bounds{w: w, notNegative: map[*ir.Node]bool{}}
		for _, n := range w.numbers {
			b.notNegative[n] = numbers
		}
		for _, a := range w.graph.Assigns {
			b.notNegative[a.Variable] = true
		}
		for changed := true; changed; {
			changed, ok = false, true
			b.known = map[*ir.Node]interval{}
			for _, a := range w.graph.Assigns {
				if !a.Value.Type.DType.Float() {
					continue
				}
				x := b.of(a.Value)
				ok = ok && x.known()
				if b.notNegative[a.Variable] && !(x.known() && x.low >= 0) {
					b.notNegative[a.Variable], changed = false, true
				}
			}
		}
		if ok {
			return b, b.proportional()
		}
	}
	return b, false
}

// proportional reports whether the variables grow at most in proportion to powers of their own sizes, with an exponent for each. A moment of
// second order may grow as the square of a weight does, if the weight does not grow with it. The square of a variable that is assigned to it
// does not pass: it overflows in so few runs that looking at the variables now and then would miss it.
func (b *bounds) proportional() bool {
	const (
		most   = 4       // exponent
		log    = 10      // of what variables of exponent 1 are divided by
		slack  = 1. / 64 // of a computed exponent
		rounds = 4       // in which the exponents settle
	)
	exponents := map[*ir.Node]float64{}
	for range rounds {
		small := bounds{w: b.w, notNegative: b.notNegative, known: map[*ir.Node]interval{}, exponents: exponents, log: log}
		raised := false
		for _, a := range b.w.graph.Assigns {
			if !a.Value.Type.DType.Float() {
				continue
			}
			e := math.Log2(b.of(a.Value).size()/small.of(a.Value).size()) / log
			if e > max(1, exponents[a.Variable])+slack {
				exponents[a.Variable], raised = e, true
			}
			if e > most+slack {
				return false
			}
		}
		if !raised {
			return true
		}
	}
	return false
}

// of is the interval of a node.
func (b *bounds) of(n *ir.Node) interval {
	if x, ok := b.known[n]; ok {
		return x
	}
	x := b.compute(n)
	most := math.MaxFloat64 / 4
	if n.Type.DType == ir.F32 {
		most = math.MaxFloat32 / 4
	}
	if !(x.low >= -most && x.high <= most) {
		x = unknown
	}
	b.known[n] = x
	return x
}

func (b *bounds) compute(n *ir.Node) interval {
	around := func(most float64) interval {
		if b.notNegative[n] {
			return interval{0, most}
		}
		return interval{-most, most}
	}
	switch {
	case slices.Contains(b.w.numbers, n):
		return around(MostNumber)
	case slices.Contains(b.w.arrays, n):
		return interval{-MostArray, MostArray}
	}
	switch op := n.Op.(type) {
	case ir.Const:
		return rangeOf(op.Array)
	case ir.Variable:
		return around(MostVariable * math.Exp2(-b.log*max(1, b.exponents[n])))
	case ir.Movement:
		return b.of(n.In[0])
	case ir.Conversion:
		if n.In[0].Type.DType == ir.Bool {
			return interval{0, 1}
		}
		if n.In[0].Type.DType.Float() {
			return b.of(n.In[0])
		}
	case ir.Elementwise:
		f := op.Scalar()
		var in [3]interval
		for i, m := range n.In {
			if f == scalar.Where && i == 0 {
				continue
			}
			if in[i] = b.of(m); !in[i].known() {
				return unknown
			}
		}
		if f == scalar.Mul && n.In[0] == n.In[1] {
			f = scalar.Square
		}
		return apply(f, in)
	}
	return unknown
}

// rangeOf is the interval of a constant.
func rangeOf(a ir.Array) interval {
	x := unknown
	for i := range a.Size() {
		v := a.Float(i)
		if math.IsNaN(v) {
			return unknown
		}
		x = interval{min(x.low, v), max(x.high, v)}
	}
	return x
}

// least is the smallest divisor that counts as one.
const least = 0x1p-100

// apply is the interval of a function of intervals, or unknown.
func apply(f scalar.Func, in [3]interval) interval {
	a, b, c := in[0], in[1], in[2]
	switch f {
	case scalar.Neg:
		return interval{-a.high, -a.low}
	case scalar.Abs:
		return interval{max(0, a.low, -a.high), max(-a.low, a.high)}
	case scalar.Sign, scalar.Sin, scalar.Cos, scalar.Tanh, scalar.Erf:
		return interval{-1, 1}
	case scalar.Sigmoid:
		return interval{0, 1}
	case scalar.Square:
		near, far := max(0, a.low, -a.high), max(-a.low, a.high)
		return interval{near * near, far * far}
	case scalar.Sqrt:
		if a.low >= 0 {
			return interval{math.Sqrt(a.low), math.Sqrt(a.high)}
		}
	case scalar.Rsqrt:
		if a.low >= least {
			return interval{1 / math.Sqrt(a.high), 1 / math.Sqrt(a.low)}
		}
	case scalar.Reciprocal:
		return divide(interval{1, 1}, a)
	case scalar.Exp:
		return interval{math.Exp(a.low), math.Exp(a.high)}
	case scalar.Floor, scalar.Ceil, scalar.Round:
		return interval{a.low - 1, a.high + 1}
	case scalar.ReLU:
		return interval{max(0, a.low), max(0, a.high)}
	case scalar.Add:
		return interval{a.low + b.low, a.high + b.high}
	case scalar.Sub:
		return interval{a.low - b.high, a.high - b.low}
	case scalar.Mul:
		return multiply(a, b)
	case scalar.Div:
		return divide(a, b)
	case scalar.Min:
		return interval{min(a.low, b.low), min(a.high, b.high)}
	case scalar.Max:
		return interval{max(a.low, b.low), max(a.high, b.high)}
	case scalar.Where:
		return interval{min(b.low, c.low), max(b.high, c.high)}
	case scalar.Clip:
		return interval{min(max(a.low, b.low), c.low), min(max(a.high, b.high), c.high)}
	case scalar.MulAdd:
		x := multiply(a, b)
		return interval{x.low + c.low, x.high + c.high}
	}
	return unknown
}

func multiply(a, b interval) interval {
	x, y, z, w := a.low*b.low, a.low*b.high, a.high*b.low, a.high*b.high
	return interval{min(x, y, z, w), max(x, y, z, w)}
}

func divide(a, b interval) interval {
	if b.low < least && b.high > -least {
		return unknown
	}
	return multiply(a, interval{1 / b.high, 1 / b.low})
}
