package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn/internal/decimal"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file reads formulas, by recursive descent.

const (
	maxSource = 1 << 16 // bytes in a formula
	maxDepth  = 500     // parentheses and operators within each other
)

// Parse reads a formula. An error is of type *Error.
func Parse(source string) (*Expr, error) {
	p := &parser{source: strings.Trim(source, " \t\r\n")}
	if strings.ContainsAny(p.source, "\r\n") {
		p.source = strings.NewReplacer("\r", " ", "\n", " ").Replace(p.source)
	}
	if len(p.source) > maxSource {
		return nil, &Error{p.source[:40], 0, fmt.Sprintf("the formula is longer than %d bytes", maxSource)}
	}
	if !utf8.ValidString(p.source) {
		return nil, &Error{strings.ToValidUTF8(p.source, "?"), 0, "the formula is not UTF-8"}
	}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	return &Expr{p.source, root}, nil
}

type parser struct {
	source string
	at     int
	depth  int
}

// stop is thrown at the first mistake.
type stop struct{ *Error }

func (p *parser) fail(at int, format string, args ...any) {
	panic(stop{&Error{p.source, at, fmt.Sprintf(format, args...)}})
}

func (p *parser) parse() (root *node, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(stop)
			if !ok {
				panic(r)
			}
			err = s.Error
		}
	}()
	if p.next() == 0 {
		p.fail(p.at, "the formula is empty")
	}
	root = p.sum()
	if c := p.next(); c == ')' || c == ']' {
		p.fail(p.at, "%q closes nothing", c)
	} else if c != 0 {
		p.unexpected("an operator")
	}
	return root, nil
}

// unexpected complains of what stands here.
func (p *parser) unexpected(want string) {
	c := p.next()
	switch {
	case c == 0:
		p.fail(p.at, "the formula ends where %s should be", want)
	case want == "an operator" && (c == '(' || c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c)):
		p.fail(p.at, "an operator is missing before %q; a product is written with *", c)
	}
	p.fail(p.at, "%q stands where %s should be", c, want)
}

// next skips spaces and looks at the next character, 0 at the end.
func (p *parser) next() rune {
	for p.at < len(p.source) {
		c, size := utf8.DecodeRuneInString(p.source[p.at:])
		if !unicode.IsSpace(c) {
			return c
		}
		p.at += size
	}
	return 0
}

// take skips text if it stands here.
func (p *parser) take(text string) bool {
	p.next()
	if strings.HasPrefix(p.source[p.at:], text) {
		p.at += len(text)
		return true
	}
	return false
}

func (p *parser) deeper() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.at, "the formula is nested too deeply")
	}
}

// sum is terms with + and - between them.
func (p *parser) sum() *node {
	p.deeper()
	defer func() { p.depth-- }()
	left := p.product()
	for {
		p.next()
		at := p.at
		switch {
		case p.take("+"):
			left = &node{kind: add, at: at, args: []*node{left, p.product()}}
		case p.take("-"):
			left = &node{kind: sub, at: at, args: []*node{left, p.product()}}
		default:
			return left
		}
		p.long(at, left)
	}
}

// long keeps chains of operators, which nest to the left, from becoming too deep to be walked.
func (p *parser) long(at int, n *node) {
	depth := 0
	for ; (n.kind == add || n.kind == sub || n.kind == mul || n.kind == div) && len(n.args) > 0; n = n.args[0] {
		depth++
	}
	if depth > maxDepth {
		p.fail(at, "the formula has more than %d operators in a row; use parentheses", maxDepth)
	}
}

// product is factors with * and / between them.
func (p *parser) product() *node {
	left := p.signed()
	for {
		p.next()
		at := p.at
		switch {
		case p.take("*"):
			left = &node{kind: mul, at: at, args: []*node{left, p.signed()}}
		case p.take("/"):
			left = &node{kind: div, at: at, args: []*node{left, p.signed()}}
		default:
			return left
		}
		p.long(at, left)
	}
}

// signed is a power with signs before it.
func (p *parser) signed() *node {
	p.deeper()
	defer func() { p.depth-- }()
	p.next()
	at := p.at
	switch {
	case p.take("-"):
		return &node{kind: neg, at: at, args: []*node{p.signed()}}
	case p.take("+"):
		return p.signed()
	}
	base := p.postfix()
	p.next()
	at = p.at
	if p.take("^") || p.take("**") {
		return &node{kind: pow, at: at, args: []*node{base, p.signed()}}
	}
	return base
}

// postfix is a primary with parts taken of it.
func (p *parser) postfix() *node {
	n := p.primary()
	for {
		p.next()
		at := p.at
		if !p.take("[") {
			return n
		}
		s := &node{kind: part, at: at, args: []*node{n}}
		s.lo, s.hasLo = p.index()
		if p.take(":") {
			s.hi, s.hasHi = p.index()
			if p.next() == ':' {
				p.fail(p.at, "parts with a stride are not known")
			}
		} else if !s.hasLo {
			p.unexpected("an index")
		} else {
			s.single = true
		}
		if !p.take("]") {
			p.unexpected(`"]"`)
		}
		n = s
	}
}

// index is a whole number with a sign, if there is one.
func (p *parser) index() (int, bool) {
	p.next()
	start := p.at
	negative := p.take("-")
	p.next()
	digits := p.at
	for p.at < len(p.source) && '0' <= p.source[p.at] && p.source[p.at] <= '9' {
		p.at++
	}
	if p.at == digits {
		if negative {
			p.unexpected("an index")
		}
		return 0, false
	}
	i, err := strconv.Atoi(p.source[digits:p.at])
	if err != nil || i > math.MaxInt32 {
		p.fail(start, "the index is too large")
	}
	if negative {
		i = -i
	}
	return i, true
}

func (p *parser) primary() *node {
	c := p.next()
	at := p.at
	switch {
	case c == '(':
		p.at++
		n := p.sum()
		if p.next() == 0 {
			p.fail(at, "this parenthesis is not closed")
		}
		if !p.take(")") {
			p.unexpected("an operator")
		}
		return n
	case '0' <= c && c <= '9' || c == '.':
		return p.number()
	case c == '_' || unicode.IsLetter(c):
		for p.at < len(p.source) {
			c, size := utf8.DecodeRuneInString(p.source[p.at:])
			if c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
				break
			}
			p.at += size
		}
		return p.named(at, p.source[at:p.at])
	}
	p.unexpected("a number, a name or a parenthesis")
	return nil
}

func (p *parser) number() *node {
	at := p.at
	digits := func() {
		for p.at < len(p.source) && ('0' <= p.source[p.at] && p.source[p.at] <= '9' || p.source[p.at] == '.') {
			p.at++
		}
	}
	digits()
	if rest := p.source[p.at:]; len(rest) > 1 && (rest[0] == 'e' || rest[0] == 'E') {
		after := strings.TrimLeft(rest[1:], "+-")
		if len(rest)-1-len(after) <= 1 && after != "" && '0' <= after[0] && after[0] <= '9' {
			p.at += len(rest) - len(after)
			digits()
		}
	}
	x, err := decimal.Parse(p.source[at:p.at])
	if err != nil {
		p.fail(at, "%q is no number that a float64 can hold", p.source[at:p.at])
	}
	return &node{kind: number, at: at, num: x}
}

// named is what begins with a name.
func (p *parser) named(at int, name string) *node {
	_, isConstant := constants[name]
	f, isFunction := functions[name]
	if p.next() != '(' {
		switch {
		case isConstant:
			return &node{kind: constant, at: at, name: name}
		case isFunction:
			p.fail(at, "%s is a function: write %s(...)", name, name)
		}
		return &node{kind: variable, at: at, name: name}
	}
	if !isFunction {
		if isConstant {
			p.fail(p.at, "%s is a number; a product is written with *", name)
		}
		p.fail(at, "there is no function %s; there are: %s", list.Quote(name), list.Words(Functions()))
	}
	open := p.at
	p.take("(")
	n := &node{kind: call, at: at, name: name}
	for p.next() != ')' || len(n.args) > 0 {
		n.args = append(n.args, p.sum())
		if p.next() == 0 {
			p.fail(open, "this parenthesis is not closed")
		}
		if !p.take(",") {
			break
		}
	}
	if !p.take(")") {
		p.unexpected(`"," or ")"`)
	}
	if len(n.args) != f.arity {
		p.fail(at, "%s takes %d arguments and is given %d", name, f.arity, len(n.args))
	}
	return n
}
