// Package expr reads formulas such as
//
//	(1-x)^2 + 100*(y-x^2)^2
//	sum(100*(x[1:]-x[:-1]^2)^2 + (1-x[:-1])^2)
//
// makes tarn graphs of them, and writes their derivatives as formulas.
//
// # The language
//
// Numbers, variables, + - * / ^ (also **) and parentheses are as usual: ^ binds more tightly than a minus before it, and groups from
// the right. Names are the constants pi and e, functions, or variables. A variable is a number or a vector. Operators and
// functions work on vectors element by element, a number with each element. x[i], x[a:b], x[a:] and x[:b] are elements and parts of a
// vector, counted from 0, or from the end if negative. sum, mean, prod, dot and norm reduce vectors to a number; pad(v, a, b)
// puts a zeros before v and b after it, and fill(c, n) is a vector of n times c. Functions lists the rest.
package expr

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Expr is a formula.
type Expr struct {
	source string
	root   *node
}

// Error is a mistake in a formula.
type Error struct {
	Source  string
	At      int // where in Source it is, in bytes
	Problem string
}

// Error says what is wrong, and where: the formula, and under it a caret below the character.
func (e *Error) Error() string {
	return fmt.Sprintf("expr: %s\n  %s\n  %s^", e.Problem, e.Source, strings.Repeat(" ", utf8.RuneCountInString(e.Source[:e.At])))
}

// kind is what a node is.
type kind int

const (
	number   kind = iota
	variable      // name
	constant      // name
	add           // args, two or more
	sub
	mul // args, two or more
	div
	pow
	neg
	call // name and args
	part // args[0][lo:hi], or one element
)

// node is a part of a formula.
type node struct {
	kind kind
	at   int // where it is in the source
	num  float64
	name string
	args []*node

	lo, hi       int // of a part; single elements have hi = lo + 1
	hasLo, hasHi bool
	single       bool
}

func num(x float64) *node { return &node{kind: number, num: x} }

func op(k kind, args ...*node) *node { return &node{kind: k, args: args} }

func apply(name string, args ...*node) *node { return &node{kind: call, name: name, args: args} }

func (n *node) isNum(x float64) bool { return n.kind == number && n.num == x }

// Variables are the names of the variables, in the order of the alphabet.
func (e *Expr) Variables() []string {
	var names []string
	e.root.walk(func(n *node) {
		if n.kind == variable && !slices.Contains(names, n.name) {
			names = append(names, n.name)
		}
	})
	slices.Sort(names)
	return names
}

// Elementwise reports whether an element of the result depends on the same element of each vector alone: then the formula can
// be computed at points that are not in the data. It is false for parts of vectors, and for functions such as sum.
func (e *Expr) Elementwise() bool {
	elementwise := true
	e.root.walk(func(n *node) {
		f := functions[n.name]
		if n.kind == part || n.kind == call && (f.reduces || f.build == nil) {
			elementwise = false
		}
	})
	return elementwise
}

func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, a := range n.args {
		a.walk(visit)
	}
}
