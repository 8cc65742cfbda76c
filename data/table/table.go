package table

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds what a table is: columns of the same length, each of numbers or of words.

// Table is a table in memory.
type Table struct {
	Columns []*Column
	Dialect Dialect // how the text was read; only Encoding, or nothing, for a table that was no text

	lines []uint32 // the line of the text on which each row begins; nil if the table was no text
}

// Column is a column of numbers, or of words. A column of numbers has Numbers, with NaN for a missing value. A column of words has Codes, each
// the index of a word in Levels, or -1 for a missing value. Levels are all different, and in the order in which they appear.
type Column struct {
	Name    string
	Numbers []float64
	Codes   []int32
	Levels  []string
}

// New returns a table of columns that have the same length and different names.
func New(columns ...*Column) (*Table, error) {
	for i, c := range columns {
		switch {
		case c == nil:
			return nil, fmt.Errorf("table: column %d is nil", i)
		case c.Numbers != nil && c.Codes != nil:
			return nil, fmt.Errorf("table: column %s has both numbers and words", list.Quote(c.Name))
		case c.Len() != columns[0].Len():
			return nil, fmt.Errorf("table: column %s has %d rows, and column %s has %d", list.Quote(c.Name), c.Len(), list.Quote(columns[0].Name), columns[0].Len())
		}
		for _, k := range c.Codes {
			if k < -1 || int(k) >= len(c.Levels) {
				return nil, fmt.Errorf("table: column %s has the code %d and %d levels", list.Quote(c.Name), k, len(c.Levels))
			}
		}
		for _, other := range columns[:i] {
			if other.Name == c.Name {
				return nil, fmt.Errorf("table: two columns are named %s", list.Quote(c.Name))
			}
		}
	}
	return &Table{Columns: columns}, nil
}

// Words returns a column of words. The empty word is a missing value.
func Words(name string, words ...string) *Column {
	c := &Column{Name: name, Codes: make([]int32, 0, len(words))}
	code := map[string]int32{}
	for _, w := range words {
		if w == "" {
			c.Codes = append(c.Codes, -1)
			continue
		}
		k, known := code[w]
		if !known {
			k = int32(len(c.Levels))
			code[w] = k
			c.Levels = append(c.Levels, w)
		}
		c.Codes = append(c.Codes, k)
	}
	return c
}

// Numbers returns a column of numbers. NaN is a missing value.
func Numbers(name string, numbers ...float64) *Column {
	if numbers == nil {
		numbers = []float64{}
	}
	return &Column{Name: name, Numbers: numbers}
}

// Rows returns the number of rows.
func (t *Table) Rows() int {
	if t == nil || len(t.Columns) == 0 {
		return 0
	}
	return t.Columns[0].Len()
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Names returns the names of the columns.
func (t *Table) Names() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// notation is how the text of the table writes numbers.
func (t *Table) notation() notation {
	if t.Dialect.Decimal == "" {
		return notation{decimal: '.'}
	}
	return notation{t.Dialect.Decimal[0], t.Dialect.Thousands}
}

// Line returns the line of the text on which a row begins, counted from 1, or 0 if the table was no text.
func (t *Table) Line(row int) int {
	if row < 0 || row >= len(t.lines) {
		return 0
	}
	return int(t.lines[row])
}

// Take returns the table of the given rows, in that order. A column of words shares the levels with t.
func (t *Table) Take(rows []int) *Table {
	out := &Table{Dialect: t.Dialect}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, c.take(rows))
	}
	if t.lines != nil {
		out.lines = make([]uint32, len(rows))
		for i, r := range rows {
			out.lines[i] = t.lines[r]
		}
	}
	return out
}

// With returns the table with a column replaced by another of its name, or with one more.
func (t *Table) With(c *Column) *Table {
	out := &Table{Columns: slices.Clone(t.Columns), Dialect: t.Dialect, lines: t.lines}
	for i, old := range out.Columns {
		if old.Name == c.Name {
			out.Columns[i] = c
			return out
		}
	}
	out.Columns = append(out.Columns, c)
	return out
}

// take returns the column of the given rows.
func (c *Column) take(rows []int) *Column {
	d := &Column{Name: c.Name, Levels: c.Levels}
	if c.Numbers != nil {
		d.Numbers = make([]float64, len(rows))
		for i, r := range rows {
			d.Numbers[i] = c.Numbers[r]
		}
		return d
	}
	d.Codes = make([]int32, len(rows))
	for i, r := range rows {
		d.Codes[i] = c.Codes[r]
	}
	return d
}

// Len returns the number of rows.
func (c *Column) Len() int { return max(len(c.Numbers), len(c.Codes)) }

// Missing reports whether a row has no value.
func (c *Column) Missing(row int) bool {
	if c.Numbers != nil {
		return math.IsNaN(c.Numbers[row])
	}
	return c.Codes[row] < 0
}

// Text returns a value as text, and "" for a missing one. Numbers are as short as they can be without loss.
func (c *Column) Text(row int) string {
	switch {
	case c.Missing(row):
		return ""
	case c.Numbers != nil:
		return numberText(c.Numbers[row])
	}
	return c.Levels[c.Codes[row]]
}

// numberText is the shortest text that reads as v; the level of a category that was read as numbers.
func numberText(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// AsWords returns the column as one of words, itself if it is one. Numbers that are equal have one level.
func (c *Column) AsWords() *Column {
	if c.Numbers == nil {
		return c
	}
	d := &Column{Name: c.Name, Codes: make([]int32, len(c.Numbers))}
	code := map[float64]int32{}
	for i, v := range c.Numbers {
		if math.IsNaN(v) {
			d.Codes[i] = -1
			continue
		}
		k, known := code[v]
		if !known {
			k = int32(len(d.Levels))
			code[v] = k
			d.Levels = append(d.Levels, numberText(v))
		}
		d.Codes[i] = k
	}
	return d
}

// CellError is the error of a value that does not fit its column.
type CellError struct {
	Row     int    // counted from 0
	Line    int    // of the text, counted from 1; 0 if the table was no text
	Place   int    // the byte within the line, counted from 1; 0 if it is not known
	Column  string // "" if the row as a whole is wrong
	Problem string // what is wrong, and the cure
}

// Error says place, column and problem.
func (e *CellError) Error() string {
	var s string
	switch {
	case e.Line > 0 && e.Place > 0:
		s = fmt.Sprintf("line %d:%d: ", e.Line, e.Place)
	case e.Line > 0:
		s = fmt.Sprintf("line %d: ", e.Line)
	default:
		s = fmt.Sprintf("row %d: ", e.Row+1)
	}
	if e.Column != "" {
		s += "column " + list.Quote(e.Column) + ": "
	}
	return s + e.Problem
}

// cell returns the error of a value in a column of t.
func (t *Table) cell(row int, column, format string, args ...any) *CellError {
	return &CellError{Row: row, Line: t.Line(row), Column: column, Problem: fmt.Sprintf(format, args...)}
}
