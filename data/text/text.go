// Package text makes data sets of texts: characters or pieces of words as numbers, and windows of them.
package text

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn/data"
)

// Characters numbers the characters that a text is made of.
type Characters struct {
	all   []rune
	index map[rune]int32
}

// NewCharacters returns all characters of a text, in the order of Unicode.
func NewCharacters(text string) (*Characters, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("text: the text is not UTF-8: save it as UTF-8")
	}
	c := &Characters{index: map[rune]int32{}}
	for _, r := range text {
		c.index[r] = 0
	}
	for r := range c.index {
		c.all = append(c.all, r)
	}
	slices.Sort(c.all)
	for i, r := range c.all {
		c.index[r] = int32(i)
	}
	return c, nil
}

// Len returns the number of characters.
func (c *Characters) Len() int { return len(c.all) }

// String returns all characters; NewCharacters of it gives them the same numbers.
func (c *Characters) String() string { return string(c.all) }

// Encode returns the number of each character of a text. An unknown character is an error.
func (c *Characters) Encode(text string) ([]int32, error) {
	tokens := make([]int32, 0, len(text))
	for at, r := range text {
		n, ok := c.index[r]
		if !ok {
			return nil, fmt.Errorf("text: the character %q at byte %d is not one of the %d known: %.200q", r, at, len(c.all), c.String())
		}
		tokens = append(tokens, n)
	}
	return tokens, nil
}

// Decode returns the text of the numbers. A number out of range becomes the replacement character.
func (c *Characters) Decode(tokens ...int32) string {
	var b strings.Builder
	for _, t := range tokens {
		r := utf8.RuneError
		if t >= 0 && int(t) < len(c.all) {
			r = c.all[t]
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Windows returns a data set for predicting the next token. The field "text" holds windows of context tokens, "next" the same
// windows one place later. A window begins every stride tokens.
func Windows(tokens []int32, context, stride int) (*data.Set, error) {
	switch {
	case context < 1 || stride < 1:
		return nil, fmt.Errorf("text: windows of %d tokens every %d tokens", context, stride)
	case len(tokens) <= context:
		return nil, fmt.Errorf("text: %d tokens are too few for a window of %d and the token after it", len(tokens), context)
	}
	n := (len(tokens)-1-context)/stride + 1
	here, next := make([]int32, 0, n*context), make([]int32, 0, n*context)
	for i := range n {
		here = append(here, tokens[i*stride:i*stride+context]...)
		next = append(next, tokens[i*stride+1:i*stride+context+1]...)
	}
	shape := []int{n, context}
	return data.NewSet(
		data.Field{Name: "text", Array: data.Array{Shape: shape, Data: here}},
		data.Field{Name: "next", Array: data.Array{Shape: shape, Data: next}})
}
