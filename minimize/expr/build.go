package expr

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file checks the shapes in a formula and makes a graph of it.

// Scalar is the size of a variable that is a number and no vector.
const Scalar = -1

const maxVector = 1 << 28 // elements in a vector

// sizes are the sizes of all nodes of a formula: Scalar or a length.
type sizes map[*node]int

// check works out the size of every node, given those of the variables.
func (e *Expr) check(of map[string]int) (sizes, error) {
	c := &checker{source: e.source, of: of, sizes: sizes{}}
	c.size(e.root)
	if c.err != nil {
		return nil, c.err
	}
	return c.sizes, nil
}

type checker struct {
	source string
	of     map[string]int
	sizes  sizes
	err    *Error
}

func (c *checker) fail(n *node, format string, args ...any) int {
	if c.err == nil {
		c.err = &Error{c.source, min(n.at, len(c.source)), fmt.Sprintf(format, args...)}
	}
	return Scalar
}

func (c *checker) size(n *node) int {
	if s, ok := c.sizes[n]; ok {
		return s
	}
	s := c.work(n)
	c.sizes[n] = s
	return s
}

func (c *checker) work(n *node) int {
	of := make([]int, len(n.args))
	for i, a := range n.args {
		of[i] = c.size(a)
	}
	if c.err != nil {
		return Scalar
	}
	switch n.kind {
	case number, constant:
		return Scalar
	case variable:
		s, ok := c.of[n.name]
		if !ok {
			return c.fail(n, "the variable %s has no value", n.name)
		}
		return s
	case part:
		return c.part(n, of[0])
	case call:
		switch n.name {
		case "pad", "fill":
			return c.shaped(n, of)
		}
	}
	s := Scalar
	for _, o := range of {
		switch {
		case o == Scalar:
		case s == Scalar:
			s = o
		case s != o:
			return c.fail(n, "vectors of %d and %d elements do not fit together", s, o)
		}
	}
	if n.kind == call && functions[n.name].reduces {
		return Scalar
	}
	return s
}

func (c *checker) part(n *node, of int) int {
	if of == Scalar {
		return c.fail(n, "a number has no parts; give the variable a length to make it a vector")
	}
	lo, hi := n.bounds(of)
	switch {
	case n.single && (lo < 0 || lo >= of):
		return c.fail(n, "there is no element %d: the vector has %d", n.lo, of)
	case n.single:
		return Scalar
	case lo < 0 || hi > of || lo > hi:
		return c.fail(n, "the part from %d to %d is not within the %d elements of the vector", lo, hi, of)
	}
	return hi - lo
}

// bounds are the first element of a part and the one behind it.
func (n *node) bounds(of int) (lo, hi int) {
	lo, hi = 0, of
	if n.hasLo {
		if lo = n.lo; lo < 0 {
			lo += of
		}
	}
	if n.hasHi {
		if hi = n.hi; hi < 0 {
			hi += of
		}
	}
	if n.single {
		hi = lo + 1
	}
	return lo, hi
}

// shaped is the size of pad and fill, whose counts are plain numbers.
func (c *checker) shaped(n *node, of []int) int {
	total := 0
	for _, a := range n.args[1:] {
		if a.kind != number || a.num != math.Trunc(a.num) || a.num < 0 || a.num > maxVector {
			return c.fail(a, "%s takes a whole number here", n.name)
		}
		total += int(a.num)
	}
	if n.name == "fill" {
		if of[0] != Scalar {
			return c.fail(n, "fill takes a number, not a vector")
		}
		return total
	}
	return total + padded(of[0])
}

// padded is how many elements pad takes a value of a size for.
func padded(size int) int {
	if size == Scalar {
		return 1
	}
	return size
}

// Build adds the formula to a graph, with the variables' values, numbers (rank 0) or vectors (rank 1) in F64. An error is of type *Error.
func (e *Expr) Build(g *tarn.Graph, values map[string]*tarn.Value) (*tarn.Value, error) {
	of := map[string]int{}
	for name, v := range values {
		switch v.Rank() {
		case 0:
			of[name] = Scalar
		case 1:
			of[name] = v.Size()
		default:
			return nil, &Error{e.source, 0, fmt.Sprintf("the variable %s has rank %d: variables are numbers or vectors", name, v.Rank())}
		}
	}
	s, err := e.check(of)
	if err != nil {
		return nil, err
	}
	b := builder{g: g, values: values, sizes: s, built: map[*node]*tarn.Value{}}
	return b.build(e.root), nil
}

type builder struct {
	g      *tarn.Graph
	values map[string]*tarn.Value
	sizes  sizes
	built  map[*node]*tarn.Value
}

func (b *builder) build(n *node) *tarn.Value {
	if v := b.built[n]; v != nil {
		return v
	}
	v := b.work(n)
	b.built[n] = v
	return v
}

func (b *builder) work(n *node) *tarn.Value {
	switch n.kind {
	case number:
		return b.g.Num(tarn.F64, n.num)
	case constant:
		return b.g.Num(tarn.F64, constants[n.name])
	case variable:
		return b.values[n.name]
	case pow:
		return b.power(n)
	case part:
		of := b.sizes[n.args[0]]
		lo, hi := n.bounds(of)
		v := b.build(n.args[0])
		if lo != 0 || hi != of {
			v = v.Slice(0, lo, hi)
		}
		if n.single {
			v = v.Reshape()
		}
		return v
	}
	a := make([]*tarn.Value, len(n.args))
	for i, arg := range n.args {
		a[i] = b.build(arg)
	}
	switch n.kind {
	case add:
		v := a[0]
		for _, w := range a[1:] {
			v = v.Add(w)
		}
		return v
	case mul:
		v := a[0]
		for _, w := range a[1:] {
			v = v.Mul(w)
		}
		return v
	case sub:
		return a[0].Sub(a[1])
	case div:
		return a[0].Div(a[1])
	case neg:
		return a[0].Neg()
	}
	switch n.name {
	case "fill":
		return a[0].Expand(int(n.args[1].num))
	case "pad":
		v := a[0]
		if b.sizes[n.args[0]] == Scalar {
			v = v.Reshape(1)
		}
		return v.Pad(0, int(n.args[1].num), int(n.args[2].num))
	}
	if n.name == "sqrt" && n.args[0].notNegative() {
		return zeroAtZero(a[0], (*tarn.Value).Sqrt)
	}
	return functions[n.name].build(a)
}

// zeroAtZero is a function of v that is 0 where v is 0, but not differentiable there, where v is at its least. The gradient at such a
// point is 0, a subgradient, and not the product of 0 and infinity.
func zeroAtZero(v *tarn.Value, f func(*tarn.Value) *tarn.Value) *tarn.Value {
	return v.Eq(tarn.Num(0)).Where(tarn.Num(0), f(v))
}

// power uses the ops that are exact for common exponents.
func (b *builder) power(n *node) *tarn.Value {
	base := b.build(n.args[0])
	if x, ok := n.args[1].fixed(); ok {
		switch x {
		case 0:
			return base.Scale(0).AddNum(1)
		case 1:
			return base
		case 2:
			return base.Square()
		case 3:
			return base.Square().Mul(base)
		case 4:
			return base.Square().Square()
		case -1:
			return base.Reciprocal()
		case -2:
			return base.Square().Reciprocal()
		case 0.5:
			if n.args[0].notNegative() {
				return zeroAtZero(base, (*tarn.Value).Sqrt)
			}
			return base.Sqrt()
		case -0.5:
			return base.Sqrt().Reciprocal()
		default:
			if x > 0 && x < 1 && n.args[0].notNegative() {
				return zeroAtZero(base, func(v *tarn.Value) *tarn.Value { return v.Pow(tarn.Num(x)) })
			}
			return base.Pow(tarn.Num(x))
		}
	}
	return base.Pow(b.build(n.args[1]))
}

// fixed returns the value of a formula of numbers, as 1/2, if it is finite.
func (n *node) fixed() (x float64, ok bool) {
	args := make([]float64, len(n.args))
	for i, a := range n.args {
		if args[i], ok = a.fixed(); !ok {
			return 0, false
		}
	}
	switch n.kind {
	case number:
		x = n.num
	case constant:
		x = constants[n.name]
	case neg:
		x = -args[0]
	case add:
		for _, a := range args {
			x += a
		}
	case sub:
		x = args[0] - args[1]
	case mul:
		x = 1
		for _, a := range args {
			x *= a
		}
	case div:
		x = args[0] / args[1]
	case pow:
		x = math.Pow(args[0], args[1])
	default:
		return 0, false
	}
	return x, x-x == 0
}
