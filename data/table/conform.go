package table

import (
	"fmt"
	"math"
	"strconv"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file fits tables from elsewhere to a schema, and builds columns value by value.

// Conform returns the columns that a schema reads, as numbers or words as it has them. Readers of texts do so themselves, given the schema in their options.
// A word that is no number in a column of numbers is an error.
func (t *Table) Conform(s *Schema) (*Table, error) {
	out := &Table{Dialect: t.Dialect, lines: t.lines}
	var absent []string
	for i := range s.Columns {
		d := &s.Columns[i]
		if !d.read() {
			continue
		}
		c := t.Column(d.Name)
		switch {
		case c == nil && d.needed():
			absent = append(absent, d.Name)
			continue
		case c == nil:
			continue
		case d.Numbers && c.Numbers == nil:
			levels := make([]float64, len(c.Levels))
			for k, w := range c.Levels {
				v, ok := t.notation().parse([]byte(w))
				if ok {
					levels[k] = v
				} else if yes, known := Meaning(w); known {
					levels[k] = truthValue(yes)
				} else {
					levels[k] = math.Inf(1)
				}
			}
			numbers := &Column{Name: c.Name, Numbers: make([]float64, len(c.Codes))}
			for row, k := range c.Codes {
				switch {
				case k < 0:
					numbers.Numbers[row] = math.NaN()
				case math.IsInf(levels[k], 0):
					return nil, t.cell(row, c.Name, "%s is not a number", list.Quote(c.Levels[k]))
				default:
					numbers.Numbers[row] = levels[k]
				}
			}
			c = numbers
		case !d.Numbers:
			c = c.AsWords()
		}
		out.Columns = append(out.Columns, c)
	}
	if len(absent) > 0 {
		return nil, fmt.Errorf("table: the columns %s must be there; there are %s", list.Names(absent), list.Names(t.Names()))
	}
	return out, nil
}

// Builder collects the values of a column of which it is not known yet whether it is one of numbers or of words: it is one of words if any value is a word, or a whole number that
// float64 does not hold. The zero Builder is ready.
type Builder struct {
	numbers []float64
	words   []string // nil as long as all values are numbers
}

// largest is the first whole number after which float64 leaves some out.
const largest = 1 << 53

// Missing appends a missing value.
func (b *Builder) Missing() {
	b.numbers = append(b.numbers, math.NaN())
	if b.words != nil {
		b.words = append(b.words, "")
	}
}

// Number appends a number. NaN is a missing value.
func (b *Builder) Number(v float64) {
	b.numbers = append(b.numbers, v)
	if b.words != nil {
		b.words = append(b.words, numberText(v))
	}
}

// Whole appends a whole number.
func (b *Builder) Whole(v int64) {
	if v > -largest && v < largest {
		b.Number(float64(v))
		return
	}
	b.Word(strconv.FormatInt(v, 10))
}

// Word appends a word. One that marks a missing value in texts, such as NA, is missing.
func (b *Builder) Word(w string) {
	if missing([]byte(w)) {
		b.Missing()
		return
	}
	if b.words == nil {
		b.words = make([]string, len(b.numbers), cap(b.numbers))
		for i, v := range b.numbers {
			if !math.IsNaN(v) {
				b.words[i] = numberText(v)
			}
		}
	}
	b.numbers = append(b.numbers, math.NaN())
	b.words = append(b.words, w)
}

// Column returns the column.
func (b *Builder) Column(name string) *Column {
	if b.words != nil {
		return Words(name, b.words...)
	}
	return Numbers(name, b.numbers...)
}
