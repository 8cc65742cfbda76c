// Package decimal reads the numbers that people write into tables and on command lines: decimal numbers, and nothing else that
// Go or C would take for a number, such as hexadecimal digits, underscores, Inf and NaN.
package decimal

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/internal/list"
)

// Is reports whether text is a decimal number: a sign or none, digits with at most one point among or around them, and possibly an e
// or E with a whole number as exponent.
func Is(text string) bool {
	text = text[sign(text):]
	before := digits(text)
	text = text[before:]
	after := 0
	if strings.HasPrefix(text, ".") {
		after = digits(text[1:])
		text = text[1+after:]
	}
	if before+after == 0 {
		return false
	}
	if text == "" {
		return true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = text[1:]
	text = text[sign(text):]
	return text != "" && digits(text) == len(text)
}

// sign returns the number of bytes of the sign at the front of text.
func sign(text string) int {
	if text != "" && (text[0] == '+' || text[0] == '-') {
		return 1
	}
	return 0
}

// digits returns the number of digits at the front of text.
func digits(text string) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}

// Parse returns the value of a decimal number, rounded to float64. A number that is too large for float64, or that is not zero
// and would become zero, is an error. The error quotes the text and says what is wrong with it.
func Parse(text string) (float64, error) {
	if !Is(text) {
		return 0, fmt.Errorf("%s is not a %s", list.Quote(text), instead(text))
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || math.IsInf(v, 0):
		return 0, fmt.Errorf("%s is not a finite number in float64, whose largest is about 1.8e308", list.Quote(text))
	case err != nil:
		return 0, fmt.Errorf("%s is not a number: %w", list.Quote(text), err)
	case v == 0 && !isZero(text):
		return 0, fmt.Errorf("%s would become 0 in float64, whose smallest number is about 4.9e-324", list.Quote(text))
	}
	return v, nil
}

// isZero reports whether a decimal number has no digit but 0 before its exponent.
func isZero(text string) bool {
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		text = text[:i]
	}
	return !strings.ContainsAny(text, "123456789")
}

// instead says what a text is not, and what could be meant by it, for errors.
func instead(text string) string {
	bare := strings.ToLower(strings.TrimLeft(text, "+-"))
	switch {
	case text == "":
		return "number: the text is empty"
	case bare == "inf" || bare == "infinity" || bare == "nan":
		return "finite number"
	case Is(strings.ReplaceAll(text, "_", "")), Is(strings.ReplaceAll(text, "'", "")):
		return "decimal number: write its digits without separators"
	case strings.HasPrefix(bare, "0x"), strings.HasPrefix(bare, "0b"), strings.HasPrefix(bare, "0o"):
		return "decimal number: write it with decimal digits"
	case strings.Count(text, ",") == 1 && Is(strings.Replace(text, ",", ".", 1)):
		return "decimal number: the decimal sign is a point"
	case Is(strings.TrimSpace(text)):
		return "number: there is a space beside it"
	case Is(strings.TrimSuffix(text, "%")):
		return "number: write a percentage as a fraction"
	}
	return "number"
}
