package expr

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// This file writes derivatives as formulas, in reverse mode. From the result back, each node receives the formula of the derivative of the
// result with respect to it, and passes that times its own derivatives on to its arguments.

// maxParts is the number of nodes beyond which formulas for derivatives would become too long to read.
const maxParts = 1000

// Grad returns the derivative with respect to each variable as a simplified formula. sizes has the length of each variable, or Scalar; the formula
// itself must be a number. The derivative with respect to a vector is a vector, or a number if all its elements are equal.
func (e *Expr) Grad(of map[string]int) (map[string]*Expr, error) {
	s, err := e.check(of)
	if err != nil {
		return nil, err
	}
	if s[e.root] != Scalar {
		return nil, &Error{e.source, 0, fmt.Sprintf("the formula is a vector of %d elements; take its sum to differentiate it", s[e.root])}
	}
	parts := 0
	e.root.walk(func(*node) { parts++ })
	if parts > maxParts {
		return nil, &Error{e.source, 0, fmt.Sprintf("the formula has %d parts; derivatives are written for at most %d", parts, maxParts)}
	}
	d := &deriver{sizes: s, to: map[string]*node{}}
	d.hand(e.root, num(1))
	out := map[string]*Expr{}
	for _, name := range e.Variables() {
		n := num(0)
		if to := d.to[name]; to != nil {
			n = d.simplify(to)
		}
		out[name] = &Expr{n.String(), n}
	}
	return out, nil
}

type deriver struct {
	sizes sizes
	to    map[string]*node // the derivative with respect to each variable so far
}

// hand adds dy to the derivative with respect to node n. dy has n's size, or is a number that stands for all elements.
func (d *deriver) hand(n *node, dy *node) {
	if dy.isNum(0) {
		return
	}
	switch n.kind {
	case variable:
		if before := d.to[n.name]; before != nil {
			dy = op(add, before, dy)
		}
		d.to[n.name] = dy
	case add:
		for _, a := range n.args {
			d.to1(n, a, dy)
		}
	case sub:
		d.to1(n, n.args[0], dy)
		d.to1(n, n.args[1], op(neg, dy))
	case neg:
		d.to1(n, n.args[0], op(neg, dy))
	case mul:
		for i, a := range n.args {
			product := []*node{dy}
			for j, b := range n.args {
				if j != i {
					product = append(product, b)
				}
			}
			d.to1(n, a, op(mul, product...))
		}
	case div:
		a, b := n.args[0], n.args[1]
		d.to1(n, a, op(div, dy, b))
		d.to1(n, b, op(neg, op(div, op(mul, dy, a), op(pow, b, num(2)))))
	case pow:
		a, b := n.args[0], n.args[1]
		d.to1(n, a, op(mul, dy, b, op(pow, a, op(sub, b, num(1)))))
		if !b.isConstant() {
			d.to1(n, b, op(mul, dy, n, apply("log", a)))
		}
	case part:
		of := d.sizes[n.args[0]]
		lo, hi := n.bounds(of)
		if lo == 0 && hi == of && !n.single {
			d.hand(n.args[0], dy)
			return
		}
		if !n.single && d.size(dy) == Scalar {
			dy = apply("fill", dy, num(float64(hi-lo)))
		}
		d.hand(n.args[0], apply("pad", dy, num(float64(lo)), num(float64(of-hi))))
	case call:
		d.call(n, dy)
	}
}

func (d *deriver) call(n *node, dy *node) {
	switch n.name {
	case "mean":
		d.hand(n.args[0], op(div, dy, num(float64(max(1, d.sizes[n.args[0]])))))
	case "pad":
		a := n.args[0]
		before, size := int(n.args[1].num), d.sizes[a]
		if d.size(dy) == Scalar {
			d.hand(a, dy)
			return
		}
		p := &node{kind: part, args: []*node{dy}, lo: before, hasLo: true, hi: before + size, hasHi: true}
		if size == Scalar {
			p.single, p.hasHi = true, false
		}
		d.hand(a, p)
	case "fill":
		if d.size(dy) == Scalar {
			d.hand(n.args[0], op(mul, dy, n.args[1]))
		} else {
			d.hand(n.args[0], apply("sum", dy))
		}
	default:
		f := functions[n.name]
		size := Scalar // of all arguments together, which a reduction runs over
		for _, a := range n.args {
			size = max(size, d.sizes[a])
		}
		for i, a := range n.args {
			d.reduce(a, op(mul, dy, f.partial(i, n.args, n)), size)
		}
	}
}

// to1 passes dy on from n to an argument.
func (d *deriver) to1(n, a, dy *node) { d.reduce(a, dy, d.sizes[n]) }

// reduce passes on dy, a vector of the given size, or its sum to an argument that is a number.
func (d *deriver) reduce(a, dy *node, size int) {
	if size != Scalar && d.sizes[a] == Scalar {
		if d.size(dy) == Scalar {
			dy = op(mul, dy, num(float64(size)))
		} else {
			dy = apply("sum", dy)
		}
	}
	d.hand(a, dy)
}

// size is that of a formula made here.
func (d *deriver) size(n *node) int {
	if s, ok := d.sizes[n]; ok {
		return s
	}
	s := Scalar
	switch {
	case n.kind == part:
		if !n.single {
			lo, hi := n.bounds(d.size(n.args[0]))
			s = hi - lo
		}
	case n.kind == call && n.name == "pad":
		s = padded(d.size(n.args[0])) + int(n.args[1].num+n.args[2].num)
	case n.kind == call && n.name == "fill":
		s = int(n.args[1].num)
	case n.kind == call && functions[n.name].reduces:
	default:
		for _, a := range n.args {
			s = max(s, d.size(a))
		}
	}
	d.sizes[n] = s
	return s
}

// isConstant reports that no variable is in n.
func (n *node) isConstant() bool {
	constant := true
	n.walk(func(n *node) { constant = constant && n.kind != variable })
	return constant
}

// notNegative reports whether the form of n shows that it is never below 0, as that of a sum of squares does.
func (n *node) notNegative() bool {
	all := func(args []*node) bool {
		return !slices.ContainsFunc(args, func(a *node) bool { return !a.notNegative() })
	}
	switch n.kind {
	case number:
		return n.num >= 0
	case constant:
		return true
	case add, div:
		return all(n.args)
	case mul: // equal factors are squares
		rest := map[string]*node{}
		for _, a := range n.args {
			if text := a.String(); rest[text] != nil {
				delete(rest, text)
			} else {
				rest[text] = a
			}
		}
		return all(slices.Collect(maps.Values(rest)))
	case pow:
		exponent, ok := n.args[1].fixed()
		return ok && math.Mod(exponent, 2) == 0 || n.args[0].notNegative()
	case part:
		return n.args[0].notNegative()
	case call:
		switch n.name {
		case "abs", "exp", "cosh", "sqrt", "relu", "sigmoid", "norm", "acos":
			return true
		case "sum", "mean", "prod", "min", "asin", "atan", "sinh", "tanh", "erf", "expm1", "log1p", "sign":
			return all(n.args)
		case "pad", "fill":
			return n.args[0].notNegative()
		case "max":
			return n.args[0].notNegative() || n.args[1].notNegative()
		case "dot":
			return all(n.args) || n.args[0].String() == n.args[1].String()
		}
	}
	return false
}
