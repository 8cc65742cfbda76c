package table

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// This file reads numbers as people write them: with a decimal point or a decimal comma, and with or without a mark between thousands.

// notation is how a table writes numbers.
type notation struct {
	decimal   byte   // . or ,
	thousands string // between groups of three digits: "", ",", ".", "'", " " or a space that does not break
}

// powers are the powers of ten that float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parse reads a number. It refuses whole numbers that begin with 0, such as 007: these are names, and would lose their zeros.
func (n notation) parse(text []byte) (float64, bool) {
	i, negative := 0, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		i = 1
	}
	begin := i
	var mantissa uint64
	digits, after := 0, -1
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case '0' <= c && c <= '9':
			if digits++; digits > 19 {
				return n.parseSlowly(text)
			}
			mantissa = mantissa*10 + uint64(c-'0')
			continue
		case c == n.decimal && after < 0:
			after = digits
			continue
		}
		return n.parseSlowly(text)
	}
	if digits == 0 || text[begin] == '0' && after < 0 && digits > 1 {
		return 0, false
	}
	fraction := 0
	if after >= 0 {
		fraction = digits - after
	}
	if mantissa >= 1<<53 || fraction >= len(powers) {
		return n.parseSlowly(text)
	}
	v := float64(mantissa) / powers[fraction]
	if negative {
		v = -v
	}
	return v, true
}

// parseSlowly reads a number of any form: with thousands, with an exponent, or with many digits.
func (n notation) parseSlowly(text []byte) (float64, bool) {
	s := string(text)
	if n.thousands != "" && strings.Contains(s, n.thousands) {
		joined, ok := n.join(s)
		if !ok {
			return 0, false
		}
		s = joined
	}
	if n.decimal != '.' {
		if strings.Contains(s, ".") {
			return 0, false
		}
		s = strings.Replace(s, string(n.decimal), ".", 1)
	}
	if !plain(s) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, false
	}
	return v, true
}

// join takes the marks between thousands out. They must stand before each group of three digits of the whole part, and nowhere else.
func (n notation) join(s string) (string, bool) {
	whole, rest := s, ""
	if i := strings.IndexByte(s, n.decimal); i >= 0 {
		whole, rest = s[:i], s[i:]
	}
	groups := strings.Split(strings.TrimLeft(whole, "+-"), n.thousands)
	for i, g := range groups {
		if len(g) > 3 || len(g) == 0 || i > 0 && len(g) != 3 || i == 0 && g == "0" && len(groups) > 1 {
			return "", false
		}
	}
	if strings.Contains(rest, n.thousands) {
		return "", false
	}
	return strings.ReplaceAll(whole, n.thousands, "") + rest, true
}

// plain reports whether s is a decimal number with a point, and an exponent or none.
func plain(s string) bool {
	s = strings.TrimLeft(s, "+-")
	digits, point := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c == '.' && !point:
			point = true
		case (c == 'e' || c == 'E') && digits > 0:
			e := s[i+1:]
			if len(e) > 0 && (e[0] == '-' || e[0] == '+') {
				e = e[1:]
			}
			return e != "" && strings.Trim(e, "0123456789") == ""
		default:
			return false
		}
	}
	return digits > 0 && (point || digits == 1 || s[0] != '0')
}

// missing reports whether a value in a text is a mark for a missing one.
func missing(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	if len(text) > 9 {
		return false
	}
	switch text[0] { // most values are decided here
	case '?', '-', '.', '#', '*', '<', 'N', 'n', 'M', 'm', '(':
	default:
		return false
	}
	switch string(bytes.ToLower(text)) {
	case "?", "-", "--", ".", "..", "*", "na", "n/a", "#n/a", "#na", "nan", "-nan", "#nan", "null", "\\n", "none", "nil", "missing", "<na>", "(null)", "(none)",
		"#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!":
		return true
	}
	return false
}
