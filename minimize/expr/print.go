package expr

import (
	"math"
	"strconv"
	"strings"
)

// This file writes formulas as text that Parse reads.

// String writes the formula.
func (e *Expr) String() string { return e.root.String() }

// How tightly operators bind.
const (
	bindSum = iota + 1
	bindProduct
	bindSign
	bindPower
	bindLeaf
)

func (n *node) String() string {
	text, _ := n.print()
	return text
}

// within writes n as an operand of an operator that binds as tightly as bind.
func (n *node) within(bind int) string {
	text, own := n.print()
	if own < bind {
		return "(" + text + ")"
	}
	return text
}

// print returns the text and how tightly it holds together.
func (n *node) print() (string, int) {
	switch n.kind {
	case number:
		if n.num < 0 {
			return format(n.num), bindSign
		}
		return format(n.num), bindLeaf
	case variable, constant:
		return n.name, bindLeaf
	case add:
		var b strings.Builder
		for i, t := range n.args {
			text := t.within(bindSum + 1)
			if minus := strings.HasPrefix(text, "-"); i > 0 && minus {
				text = " - " + text[1:]
			} else if i > 0 {
				text = " + " + text
			}
			b.WriteString(text)
		}
		return b.String(), bindSum
	case sub:
		return n.args[0].within(bindSum) + " - " + n.args[1].within(bindProduct), bindSum
	case mul:
		return n.product()
	case div:
		return n.args[0].within(bindProduct) + "/" + n.args[1].within(bindPower), bindProduct
	case neg:
		return "-" + n.args[0].within(bindPower), bindSign
	case pow:
		if k := n.args[1]; k.kind == number && k.num < 0 {
			return "1/" + op(pow, n.args[0], num(-k.num)).tidy(), bindProduct
		}
		return n.args[0].within(bindLeaf) + "^" + n.args[1].within(bindPower), bindPower
	case part:
		text := n.args[0].within(bindLeaf) + "["
		if n.hasLo {
			text += strconv.Itoa(n.lo)
		}
		if !n.single {
			text += ":"
		}
		if n.hasHi {
			text += strconv.Itoa(n.hi)
		}
		return text + "]", bindLeaf
	}
	args := make([]string, len(n.args))
	for i, a := range n.args {
		args[i] = a.String()
	}
	return n.name + "(" + strings.Join(args, ", ") + ")", bindLeaf
}

// tidy writes a power whose exponent may be 1, as a factor.
func (n *node) tidy() string {
	if n.args[1].isNum(1) {
		return n.args[0].within(bindPower)
	}
	return n.within(bindPower)
}

// product writes factors, those with a negative exponent below a line.
func (n *node) product() (string, int) {
	var above, below []string
	sign := ""
	for i, f := range n.args {
		switch {
		case i == 0 && f.kind == number:
			k := f.num
			if k < 0 {
				sign, k = "-", -k
			}
			p, q := fraction(k)
			if p != 1 {
				above = append(above, format(p))
			}
			if q != 1 {
				below = append(below, format(q))
			}
		case f.kind == pow && f.args[1].kind == number && f.args[1].num < 0:
			below = append(below, op(pow, f.args[0], num(-f.args[1].num)).tidy())
		case f.kind == div:
			above = append(above, f.within(bindPower))
		default:
			above = append(above, f.within(bindProduct))
		}
	}
	text := "1"
	if len(above) > 0 {
		text = strings.Join(above, "*")
	}
	switch len(below) {
	case 0:
	case 1:
		text += "/" + below[0]
	default:
		text += "/(" + strings.Join(below, "*") + ")"
	}
	if sign != "" {
		return sign + text, bindProduct
	}
	return text, bindProduct
}

// fraction writes k as p/q if that is shorter.
func fraction(k float64) (p, q float64) {
	for q := 2.0; q <= 16; q++ {
		if p := math.Round(k * q); p != 0 && p < 100 && p/q == k && math.Trunc(k) != k {
			return p, q
		}
	}
	return k, 1
}

func format(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
