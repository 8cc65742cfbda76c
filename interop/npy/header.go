package npy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file reads the header: a Python dictionary literal with exactly the keys descr, fortran_order and shape. The
// parser knows that much of Python and no more.

// header is what a file says about its array.
type header struct {
	kind      string // element type without byte order, as in "f4"
	bigEndian bool
	fortran   bool
	shape     []int
	fit       func(n, size int) error // whether n elements of size bytes are within the limit
}

// parser walks over the text of a header.
type parser struct{ rest string }

// parseHeader reads a header of the form {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
func parseHeader(text string) (header, error) {
	var h header
	p := &parser{text}
	if !p.eat("{") {
		return h, errors.New("want a dictionary")
	}
	seen := map[string]bool{}
	for !p.eat("}") {
		key, err := p.str()
		if err != nil {
			return h, err
		}
		if seen[key] {
			return h, fmt.Errorf("the key %q occurs twice", key)
		}
		seen[key] = true
		if !p.eat(":") {
			return h, fmt.Errorf("want a colon after %q", key)
		}
		switch key {
		case "descr":
			err = p.descr(&h)
		case "fortran_order":
			h.fortran = p.eat("True")
			if !h.fortran && !p.eat("False") {
				err = errors.New("fortran_order must be True or False")
			}
		case "shape":
			h.shape, err = p.tuple()
		default:
			err = fmt.Errorf("unknown key %s", list.Quote(key))
		}
		if err != nil {
			return h, err
		}
		if p.eat(",") {
			continue
		}
		if !p.eat("}") {
			return h, fmt.Errorf("want a comma or the end after the value of %q", key)
		}
		break
	}
	if p.skip(); p.rest != "" {
		return h, fmt.Errorf("text after the dictionary: %.20q", p.rest)
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return h, fmt.Errorf("the key %q is missing", key)
		}
	}
	return h, nil
}

// skip skips white space.
func (p *parser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// eat skips the token if it is next, and reports whether it was.
func (p *parser) eat(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

// str reads a string literal without escapes.
func (p *parser) str() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if !p.eat(quote) {
			continue
		}
		s, rest, ok := strings.Cut(p.rest, quote)
		if !ok || strings.Contains(s, `\`) {
			return "", errors.New("a string does not end, or holds a backslash")
		}
		p.rest = rest
		return s, nil
	}
	return "", fmt.Errorf("want a string at %.20q", p.rest)
}

// descr reads an element type such as '<f4'.
func (p *parser) descr(h *header) error {
	if p.skip(); strings.HasPrefix(p.rest, "[") {
		return errors.New("records (structured arrays) are not read: save each field as an array of its own")
	}
	s, err := p.str()
	if err != nil {
		return err
	}
	if len(s) < 2 || !strings.ContainsRune("<>|", rune(s[0])) {
		return fmt.Errorf("descr %s: want a byte order (<, > or |) and a type", list.Quote(s))
	}
	h.bigEndian, h.kind = s[0] == '>', s[1:]
	if s[0] == '|' && len(h.kind) == 2 && h.kind[1] > '1' && h.kind[1] <= '9' {
		return fmt.Errorf("descr %q: elements of several bytes need a byte order", s)
	}
	return nil
}

// tuple reads the sizes of the axes: (), (3,) or (3, 4).
func (p *parser) tuple() ([]int, error) {
	if !p.eat("(") {
		return nil, errors.New("shape must be a tuple")
	}
	shape := []int{}
	for !p.eat(")") {
		p.skip()
		digits := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "0123456789-+"))]
		d, err := strconv.Atoi(digits)
		if err != nil {
			return nil, fmt.Errorf("shape: %.30q is not a size", p.rest)
		}
		if d < 0 {
			return nil, fmt.Errorf("shape: negative size %d", d)
		}
		p.rest = p.rest[len(digits):]
		p.eat("L") // Python 2 wrote long integers like this
		shape = append(shape, d)
		if p.eat(",") {
			continue
		}
		if !p.eat(")") {
			return nil, errors.New("shape: want a comma or a closing bracket")
		}
		if len(shape) == 1 {
			return nil, errors.New("shape: (n) is not a tuple, (n,) is")
		}
		break
	}
	return shape, nil
}
