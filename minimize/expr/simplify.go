package expr

import "math"

// This file makes formulas shorter. Sums become lists of products with a factor in front, in which equal ones are put together; products
// become a number times powers, in which equal bases are put together. Nothing is multiplied out.

// simplify returns an equal formula: made of add, mul (a number first, if any), pow, call, part and leaves.
//
// If vectors cancel, as in v/v, the rest is a number that stands for each element; fill expands it if all elements are needed.
func (d *deriver) simplify(n *node) *node {
	if len(n.args) == 0 {
		return n
	}
	args := make([]*node, len(n.args))
	for i, a := range n.args {
		args[i] = d.simplify(a)
		size := d.size(a)
		if size == Scalar || d.size(args[i]) != Scalar {
			continue
		}
		switch {
		case n.kind == call && n.name == "sum":
			return productOf([]*node{num(float64(size)), args[i]})
		case n.kind == part, n.kind == call && (functions[n.name].reduces || n.name == "pad"):
			args[i] = apply("fill", args[i], num(float64(size)))
		}
	}
	switch n.kind {
	case add:
		return sumOf(args)
	case sub:
		return sumOf([]*node{args[0], productOf([]*node{num(-1), args[1]})})
	case neg:
		return productOf([]*node{num(-1), args[0]})
	case mul:
		return productOf(args)
	case div:
		return productOf([]*node{args[0], powerOf(args[1], num(-1))})
	case pow:
		return powerOf(args[0], args[1])
	}
	c := *n
	c.args = args
	if n.kind == call && n.name == "sum" { // a number in front comes out
		if k, rest := split(args[0]); k != 1 && !rest.isNum(1) {
			c.args = []*node{rest}
			return productOf([]*node{num(k), &c})
		}
	}
	return &c
}

// split takes the number off the front of a product.
func split(n *node) (float64, *node) {
	switch {
	case n.kind == number:
		return n.num, num(1)
	case n.kind == mul && n.args[0].kind == number:
		if len(n.args) == 2 {
			return n.args[0].num, n.args[1]
		}
		return n.args[0].num, op(mul, n.args[1:]...)
	}
	return 1, n
}

func sumOf(args []*node) *node {
	type term struct {
		factor float64
		n      *node
	}
	var terms []term
	at := map[string]int{}
	var take func(n *node)
	take = func(n *node) {
		if n.kind == add {
			for _, a := range n.args {
				take(a)
			}
			return
		}
		k, rest := split(n)
		key := rest.String()
		if i, ok := at[key]; ok {
			terms[i].factor += k
			return
		}
		at[key] = len(terms)
		terms = append(terms, term{k, rest})
	}
	for _, a := range args {
		take(a)
	}
	var out []*node
	for _, t := range terms {
		if t.factor != 0 {
			out = append(out, productOf([]*node{num(t.factor), t.n}))
		}
	}
	switch len(out) {
	case 0:
		return num(0)
	case 1:
		return out[0]
	}
	return op(add, out...)
}

func productOf(args []*node) *node {
	type factor struct{ base, exponent *node }
	var factors []factor
	at := map[string]int{}
	k := 1.0
	var take func(n *node)
	take = func(n *node) {
		base, exponent := n, num(1)
		switch n.kind {
		case number:
			k *= n.num
			return
		case mul:
			for _, a := range n.args {
				take(a)
			}
			return
		case pow:
			base, exponent = n.args[0], n.args[1]
		}
		key := base.String()
		if i, ok := at[key]; ok {
			factors[i].exponent = sumOf([]*node{factors[i].exponent, exponent})
			return
		}
		at[key] = len(factors)
		factors = append(factors, factor{base, exponent})
	}
	for _, a := range args {
		take(a)
	}
	if k == 0 {
		return num(0)
	}
	var out []*node
	for _, f := range factors {
		if p := powerOf(f.base, f.exponent); p.kind == number {
			k *= p.num
		} else {
			out = append(out, p)
		}
	}
	// -1*(a - b) is b - a.
	for i, f := range out {
		if k < 0 && f.kind == add && len(f.args) == 2 && f.args[0].sign() > 0 && f.args[1].sign() < 0 {
			out[i], k = op(add, productOf([]*node{num(-1), f.args[1]}), productOf([]*node{num(-1), f.args[0]})), -k
			break
		}
	}
	switch {
	case len(out) == 0:
		return num(k)
	case k != 1:
		out = append([]*node{num(k)}, out...)
	case len(out) == 1:
		return out[0]
	}
	return op(mul, out...)
}

// sign is that of the number in front.
func (n *node) sign() float64 {
	k, _ := split(n)
	return math.Copysign(1, k)
}

func powerOf(base, exponent *node) *node {
	switch {
	case exponent.isNum(0):
		return num(1)
	case exponent.isNum(1):
		return base
	case base.isNum(1):
		return base
	case base.kind == number && exponent.kind == number:
		if v := math.Pow(base.num, exponent.num); !math.IsNaN(v) && !math.IsInf(v, 0) {
			return num(v)
		}
	case exponent.kind == number && exponent.num == math.Trunc(exponent.num):
		switch base.kind {
		case pow: // (a^b)^n, n whole
			return powerOf(base.args[0], productOf([]*node{base.args[1], exponent}))
		case mul: // (a b)^n, n whole
			factors := make([]*node, len(base.args))
			for i, a := range base.args {
				factors[i] = powerOf(a, exponent)
			}
			return productOf(factors)
		case call:
			if base.name == "sqrt" && math.Mod(exponent.num, 2) == 0 {
				return powerOf(base.args[0], num(exponent.num/2))
			}
		}
	}
	return op(pow, base, exponent)
}
