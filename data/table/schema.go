package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file says what the columns of a table mean. It is a guess with its reasons, which one can change.

// Kind says what the values of a column are.
type Kind string

// The kinds of columns.
const (
	Numeric  Kind = "numeric"  // a quantity
	Category Kind = "category" // one of some words, or of some numbers that are names
	Bool     Kind = "bool"     // one of two opposites, such as yes and no
	Date     Kind = "date"     // a day or a moment
	Text     Kind = "text"     // some words of a language
	ID       Kind = "id"       // a name of the row; it says nothing about other rows
	Constant Kind = "constant" // the same in all rows
)

// Kinds are all kinds.
var Kinds = []Kind{Numeric, Category, Bool, Date, Text, ID, Constant}

// Role says what a column is for.
type Role string

// The roles of columns.
const (
	Feature Role = "feature" // learned from
	Target  Role = "target"  // what is predicted
	LeftOut Role = "left out"
)

// Schema says what each column of a table is. It can be written as JSON, edited and read again.
type Schema struct {
	Columns  []Description `json:"columns"`
	Rows     int           `json:"rows"`
	Missing  []string      `json:"missing,omitempty"` // the marks of missing values, if they are not the usual ones
	Warnings []string      `json:"warnings,omitempty"`
}

// Description says what a column is.
type Description struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Role     Role   `json:"role"`
	Why      string `json:"why"`              // what speaks for the kind
	Numbers  bool   `json:"numbers"`          // the values are read as numbers; otherwise as words
	Layout   string `json:"layout,omitempty"` // of dates, as in package time
	Prefix   string `json:"prefix,omitempty"` // before each number, such as $
	Suffix   string `json:"suffix,omitempty"` // after each number, such as %
	Missing  int    `json:"missing"`          // rows without a value
	Distinct int    `json:"distinct"`         // different values
	Odd      int    `json:"odd,omitempty"`    // values that are no numbers in a column of numbers, taken as missing
	Example  string `json:"example"`
}

// Hints are what one knows about a table.
type Hints struct {
	Target string          // the column to predict, or ""
	Kinds  map[string]Kind // of columns
	Drop   []string        // columns to leave out
}

func (d *Description) read() bool   { return d.Role != LeftOut }
func (d *Description) needed() bool { return d.Role == Feature }

// Column returns the description of the column of that name, or nil.
func (s *Schema) Column(name string) *Description {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return &s.Columns[i]
		}
	}
	return nil
}

// Target returns the column to predict, or nil.
func (s *Schema) Target() *Description {
	for i := range s.Columns {
		if s.Columns[i].Role == Target {
			return &s.Columns[i]
		}
	}
	return nil
}

// Features returns the names of the columns to learn from, in order.
func (s *Schema) Features() []string {
	var names []string
	for _, c := range s.Columns {
		if c.Role == Feature {
			names = append(names, c.Name)
		}
	}
	return names
}

// Infer says what each column of a table is, by its values.
func Infer(t *Table, h Hints) (*Schema, error) {
	if t.Rows() == 0 {
		return nil, errors.New("table: Infer: the table has no rows")
	}
	known := func(name, what string) error {
		if t.Column(name) == nil {
			return fmt.Errorf("table: %s %s: there is no such column; there are %s", what, list.Quote(name), list.Names(t.Names()))
		}
		return nil
	}
	if h.Target != "" {
		if err := known(h.Target, "target"); err != nil {
			return nil, err
		}
		if slices.Contains(h.Drop, h.Target) {
			return nil, fmt.Errorf("table: column %s is the target and to be left out", list.Quote(h.Target))
		}
	}
	for _, name := range h.Drop {
		if err := known(name, "column to leave out"); err != nil {
			return nil, err
		}
	}
	for name, kind := range h.Kinds {
		if err := known(name, "kind of"); err != nil {
			return nil, err
		}
		if !slices.Contains(Kinds, kind) {
			return nil, fmt.Errorf("table: column %s: there is no kind %s; there are %s", list.Quote(name), list.Quote(string(kind)), kinds())
		}
	}
	s := &Schema{Rows: t.Rows(), Missing: slices.Clone(t.Dialect.Missing)}
	n := t.notation()
	for _, c := range t.Columns {
		d := describe(c, n)
		if kind, said := h.Kinds[c.Name]; said && kind != d.Kind {
			if err := d.force(c, kind, n); err != nil {
				return nil, err
			}
		}
		switch {
		case c.Name == h.Target:
			d.Role = Target
			d.target(h.Kinds[c.Name], c)
		case slices.Contains(h.Drop, c.Name):
			d.Role, d.Why = LeftOut, "as told"
		case d.Kind == ID || d.Kind == Constant:
			d.Role = LeftOut
		default:
			d.Role = Feature
		}
		if d.Odd > 0 && d.Role != LeftOut {
			s.Warnings = append(s.Warnings, fmt.Sprintf("column %s: words among the numbers count as missing: %s, such as %s", list.Quote(c.Name), list.Count(d.Odd, "value"), list.Quote(oddExample(c, &d, n))))
		}
		if share := float64(d.Missing) / float64(t.Rows()); share > 0.5 && d.Role == Feature {
			s.Warnings = append(s.Warnings, fmt.Sprintf("column %s is missing in %.0f %% of the rows", list.Quote(c.Name), 100*share))
		}
		s.Columns = append(s.Columns, d)
	}
	return s, nil
}

func kinds() string {
	var names []string
	for _, k := range Kinds {
		names = append(names, string(k))
	}
	return list.Names(names)
}

// describe guesses the kind of a column.
func describe(c *Column, n notation) Description {
	d := Description{Name: c.Name, Numbers: c.Numbers != nil}
	rows := c.Len()
	for i := range rows {
		if c.Missing(i) {
			d.Missing++
		} else if d.Example == "" {
			d.Example = shorten(c.Text(i))
		}
	}
	present := rows - d.Missing
	if c.Numbers != nil {
		d.numbers(c.Numbers, present)
		return d
	}
	used := make([]int, len(c.Levels)) // a part of a table may have levels that do not occur
	for _, k := range c.Codes {
		if k >= 0 {
			used[k]++
		}
	}
	var words []string
	for k, count := range used {
		if count > 0 {
			words = append(words, c.Levels[k])
		}
	}
	d.Distinct = len(words)
	switch {
	case d.Distinct == 0:
		d.Kind, d.Why = Constant, "all values are missing"
		return d
	case d.Distinct == 1 && (d.Missing == 0 || present == 0):
		d.Kind, d.Why = Constant, "one value in all rows"
		return d
	case isBool(words):
		d.Kind, d.Why = Bool, strings.Join(sorted(words), " or ")
		return d
	}
	if layout := layoutOf(words); layout != "" {
		d.Kind, d.Layout, d.Why = Date, layout, "all values are like "+words[0]
		return d
	}
	if share, prefix, suffix := numberShare(words, used, c.Levels, n); share >= 0.95 && d.Distinct > 20 {
		d.Kind, d.Prefix, d.Suffix = Numeric, prefix, suffix
		d.Odd = int(math.Round((1 - share) * float64(present)))
		d.Why = "numbers"
		if prefix+suffix != "" {
			d.Why = "numbers with " + list.Quote(strings.TrimSpace(prefix+suffix))
		}
		if d.Odd > 0 {
			d.Why += ", but for " + list.Count(d.Odd, "value")
		}
		return d
	}
	spaces, letters := 0, 0
	for _, w := range words {
		spaces += strings.Count(w, " ")
		letters += len(w)
	}
	average := float64(spaces)/float64(len(words)) + 1
	switch {
	case average >= 4 && float64(d.Distinct) > 0.3*float64(present) && d.Distinct > 10:
		d.Kind, d.Why = Text, fmt.Sprintf("%.0f words a value", average)
	case float64(d.Distinct) > 0.9*float64(present) && present > 20:
		d.Kind, d.Why = ID, "nearly all values differ: a name or an id"
	default:
		d.Kind, d.Why = Category, list.Count(d.Distinct, "word")
	}
	return d
}

// numbers guesses the kind of a column of numbers.
func (d *Description) numbers(values []float64, present int) {
	distinct := map[float64]bool{}
	whole, rising := true, true
	last := math.Inf(-1)
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if len(distinct) < 1<<20 {
			distinct[v] = true
		}
		whole = whole && v == math.Trunc(v)
		rising = rising && v == last+1 || math.IsInf(last, -1)
		last = v
		low, high = min(low, v), max(high, v)
	}
	d.Distinct = len(distinct)
	d.Kind = Numeric
	name := strings.ToLower(d.Name)
	switch {
	case d.Distinct == 0:
		d.Kind, d.Why = Constant, "all values are missing"
	case d.Distinct == 1 && d.Missing == 0:
		d.Kind, d.Why = Constant, "one value in all rows"
	case d.Distinct == 2 && distinct[0] && distinct[1]:
		d.Kind, d.Why = Bool, "0 or 1"
	case whole && d.Distinct >= 10 && low >= 1900_01_01 && high <= 2100_12_31 && areDays(distinct):
		d.Kind, d.Layout, d.Why = Date, "20060102", "all values are days like "+d.Example
	case whole && present > 20 && (rising || d.Distinct == present && (name == "id" || strings.HasSuffix(name, "_id") || strings.HasSuffix(d.Name, "Id") || strings.HasSuffix(d.Name, "ID") || name == "index" || name == "row")):
		d.Kind, d.Why = ID, "whole numbers that all differ"
	case whole && d.Distinct <= 4 && present > 20*d.Distinct:
		d.Kind, d.Why = Category, fmt.Sprintf("%d whole numbers", d.Distinct)
	case whole:
		d.Why = fmt.Sprintf("whole numbers from %s to %s", numberText(low), numberText(high))
	default:
		d.Why = fmt.Sprintf("from %.4g to %.4g", low, high)
	}
}

// areDays reports whether all numbers are days such as 20240531.
func areDays(values map[float64]bool) bool {
	for v := range values {
		if _, err := time.Parse("20060102", numberText(v)); err != nil {
			return false
		}
	}
	return true
}

// target takes the kind of a column that is to be predicted: classes or a quantity.
func (d *Description) target(said Kind, c *Column) {
	if said != "" {
		return
	}
	switch {
	case d.Kind == Bool || d.Kind == Constant || d.Kind == Date:
	case !d.Numbers && d.Kind != Numeric:
		d.Kind, d.Why = Category, fmt.Sprintf("%d classes", d.Distinct)
	case d.Numbers && d.Kind != Category:
		d.Kind = Numeric
		if lowest, ok := fewClasses(c.Numbers); ok {
			d.Kind, d.Why = Category, fmt.Sprintf("%d whole numbers from %s on, which look like classes (say numeric for a quantity)", d.Distinct, numberText(lowest))
		}
	}
}

// fewClasses reports whether numbers look like classes: at most 20 whole numbers without a gap, from 0 or 1 on, each often enough.
func fewClasses(values []float64) (lowest float64, ok bool) {
	count := map[float64]int{}
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if count[v]++; v != math.Trunc(v) || len(count) > 20 {
			return 0, false
		}
	}
	lowest = math.Inf(1)
	for v := range count {
		lowest = min(lowest, v)
	}
	if lowest != 0 && lowest != 1 {
		return 0, false
	}
	for k := range len(count) {
		if count[lowest+float64(k)] < 5 {
			return 0, false
		}
	}
	return lowest, len(count) > 1
}

// force makes a column one of the kind that was said, if its values allow it.
func (d *Description) force(c *Column, kind Kind, n notation) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("table: column %s cannot be %s: %s", list.Quote(c.Name), kind, fmt.Sprintf(format, args...))
	}
	switch kind {
	case Numeric:
		if c.Numbers == nil {
			used := make([]int, len(c.Levels))
			for _, k := range c.Codes {
				if k >= 0 {
					used[k]++
				}
			}
			share, prefix, suffix := numberShare(c.Levels, used, c.Levels, n)
			if share < 0.5 {
				return refuse("%.0f %% of its values are no numbers, such as %s", 100*(1-share), list.Quote(d.Example))
			}
			d.Prefix, d.Suffix = prefix, suffix
			d.Odd = int(math.Round((1 - share) * float64(c.Len()-d.Missing)))
		}
	case Date:
		words := c.AsWords().Levels
		if d.Layout = layoutOf(words); d.Layout == "" {
			return refuse("there is no layout that reads all values, such as %s", list.Quote(d.Example))
		}
	case Bool:
		if d.Distinct != 2 {
			return refuse("it has %d values", d.Distinct)
		}
	case Constant:
		if d.Distinct > 1 {
			return refuse("it has %d values; leave it out instead", d.Distinct)
		}
	}
	d.Kind, d.Why = kind, "as told"
	return nil
}

// numberShare is the share of the values that are numbers, after a sign of currency or unit that all of them have.
func numberShare(words []string, used []int, levels []string, n notation) (share float64, prefix, suffix string) {
	count := func(prefix, suffix string) float64 {
		good, all := 0, 0
		for k, w := range levels {
			if used[k] == 0 {
				continue
			}
			all += used[k]
			if _, ok := unitNumber(n, w, prefix, suffix); ok {
				good += used[k]
			}
		}
		return float64(good) / float64(max(1, all))
	}
	share = count("", "")
	if share < 0.5 && len(words) > 0 {
		w := words[0]
		begin := strings.IndexFunc(w, func(r rune) bool { return unicode.IsDigit(r) || r == '-' || r == '+' || r == '.' })
		end := strings.LastIndexFunc(w, unicode.IsDigit)
		if begin >= 0 && end >= begin {
			p, s := strings.TrimSpace(w[:begin]), strings.TrimSpace(w[end+1:])
			if len(p)+len(s) > 0 && len(s) <= 8 && isCurrency(p) {
				if other := count(p, s); other > share {
					return other, p, s
				}
			}
		}
	}
	return share, "", ""
}

// isCurrency reports whether a text before numbers can be a sign of currency, such as $, US$ or EUR, and not a word.
func isCurrency(text string) bool {
	letters := 0
	for _, r := range text {
		if unicode.IsLetter(r) {
			letters++
			if !unicode.IsUpper(r) {
				return false
			}
		}
	}
	return letters <= 3 && len(text) <= 8
}

// unitNumber reads a number with a unit around it.
func unitNumber(n notation, text, prefix, suffix string) (float64, bool) {
	negative := false
	if prefix != "" && strings.HasPrefix(text, "-") { // -$5
		negative, text = true, text[1:]
	}
	text, a := strings.CutPrefix(text, prefix)
	text, b := strings.CutSuffix(strings.TrimSpace(text), suffix)
	if !a || !b {
		return 0, false
	}
	v, ok := n.parse([]byte(strings.TrimSpace(text)))
	if negative {
		v = -v
	}
	return v, ok
}

// oddExample finds a value that is no number in a column of numbers.
func oddExample(c *Column, d *Description, n notation) string {
	for _, w := range c.Levels {
		if _, ok := unitNumber(n, w, d.Prefix, d.Suffix); !ok {
			return w
		}
	}
	return ""
}

// opposites are the words of yes and no; the first of each pair is no.
var opposites = [][2]string{{"false", "true"}, {"no", "yes"}, {"n", "y"}, {"f", "t"}, {"0", "1"}, {"off", "on"}, {"nein", "ja"}, {"non", "oui"}, {"no", "si"}, {"no", "sí"}, {"não", "sim"}}

// isBool reports whether two words are opposites.
func isBool(words []string) bool {
	if len(words) != 2 {
		return false
	}
	_, ok := truth(words[0], words[1])
	return ok
}

// truth reports whether the first of two opposites is the one that means yes.
func truth(a, b string) (first, ok bool) {
	a, b = strings.ToLower(a), strings.ToLower(b)
	for _, o := range opposites {
		if a == o[0] && b == o[1] {
			return false, true
		}
		if a == o[1] && b == o[0] {
			return true, true
		}
	}
	return false, false
}

// Meaning reports whether a word means yes, if it means yes or no.
func Meaning(word string) (yes, ok bool) {
	word = strings.ToLower(word)
	for _, o := range opposites {
		if word == o[0] || word == o[1] {
			return word == o[1], true
		}
	}
	return false, false
}

// shorten cuts a long example.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > 24 {
		return string(runes[:23]) + "\u2026"
	}
	return text
}

func sorted(words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	return words
}

// ReadSchema reads the JSON of a schema.
func ReadSchema(r io.Reader) (*Schema, error) {
	d := json.NewDecoder(io.LimitReader(r, 64<<20))
	d.DisallowUnknownFields()
	s := &Schema{}
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("table: schema: %w", err)
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

// Check returns an error if the schema contradicts itself.
func (s *Schema) Check() error {
	seen := map[string]bool{}
	targets := 0
	for i, c := range s.Columns {
		switch {
		case c.Name == "":
			return fmt.Errorf("table: schema: column %d has no name", i)
		case seen[c.Name]:
			return fmt.Errorf("table: schema: two columns are named %s", list.Quote(c.Name))
		case !slices.Contains(Kinds, c.Kind):
			return fmt.Errorf("table: schema: column %s: there is no kind %s; there are %s", list.Quote(c.Name), list.Quote(string(c.Kind)), kinds())
		case c.Role != Feature && c.Role != Target && c.Role != LeftOut:
			return fmt.Errorf("table: schema: column %s: there is no role %s; there are feature, target and left out", list.Quote(c.Name), list.Quote(string(c.Role)))
		case c.Kind == Date && c.Layout == "" && c.Role != LeftOut:
			return fmt.Errorf("table: schema: column %s is a date and has no layout", list.Quote(c.Name))
		case c.Numbers && (c.Kind == Text || c.Prefix != "" || c.Suffix != ""):
			return fmt.Errorf("table: schema: column %s is read as numbers, so that it is neither text nor has a unit", list.Quote(c.Name))
		}
		seen[c.Name] = true
		if c.Role == Target {
			targets++
		}
	}
	if targets > 1 {
		return fmt.Errorf("table: schema: %d columns are targets", targets)
	}
	return nil
}

// WriteTo writes the JSON of a schema, indented to be edited.
func (s *Schema) WriteTo(w io.Writer) (int64, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return 0, err
	}
	n, err := w.Write(append(text, '\n'))
	return int64(n), err
}
