package data

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/decimal"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file reads tables of numbers from CSV text (RFC 4180). A table becomes a data set with the field "features", the
// chosen columns, and the field "label", if there is a label column. Every value must be present, and finite in the type that it
// becomes: a reader cannot guess what a missing value means, and must not change one.

// CSV says how to read a table of numbers, and perhaps a label. The zero value reads all columns of a comma-separated table with a header. Package table reads tables with words,
// dates and missing values, and finds out how they are written.
//
// Numbers are decimal, such as 12, -0.5 or 1e-3, with spaces around them or not. Hexadecimal digits, digits with separators, infinity and a number that its
// type cannot hold are errors with line and column. So are missing values, which are empty or one of ?, NA, N/A, NaN, null and none, in
// upper or lower case.
type CSV struct {
	Comma    rune     // between values; 0 means a comma
	Comment  rune     // begins a line to skip; 0 means none
	NoHeader bool     // the first line is data already; the columns are named 0, 1, 2 and so on
	Columns  []string // the columns of the features, in order; nil means all but the label
	Target   string   // column of a label that is a number
	Class    string   // column of a label that is the name of a class
	Classes  []string // names of the classes in the order of their numbers; nil means those in the table, sorted
	F64      bool     // features and target become F64; by default they become F32

	// MaxLine is the largest size of a line in bytes, or of several lines that quotes join; 0 means 4 MiB.
	// MaxBytes is the largest size of the whole text; 0 means 4 GiB. A negative number means any size.
	MaxLine, MaxBytes int64
}

const (
	usualLine = 4 << 20
	usualText = 4 << 30
)

// Table is a table that was read.
type Table struct {
	Set     *Set     // with "features" [N, columns], and "label" [N], both F32, or I32 for a label of classes
	Columns []string // names of the columns of the features
	Classes []string // names of the classes in the order of their numbers
}

// Load reads the file at path.
func (c CSV) Load(path string) (*Table, error) {
	f, _, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: csv: %w", err)
	}
	defer f.Close()
	t, err := c.read(f)
	if err != nil {
		return nil, fmt.Errorf("data: csv: %s: %w", file.Name(path), err)
	}
	return t, nil
}

// Read reads a table. The values are kept as float64: ask the set to Cast a field to F64 for their full precision, or set F64 if some
// are outside of the range of F32.
func (c CSV) Read(r io.Reader) (*Table, error) {
	t, err := c.read(r)
	if err != nil {
		return nil, fmt.Errorf("data: csv: %w", err)
	}
	return t, nil
}

func (c CSV) read(r io.Reader) (*Table, error) {
	if c.Target != "" && c.Class != "" {
		return nil, errors.New("a table has one label: set Target or Class, not both")
	}
	limit := newTextLimit(r, c.MaxLine, c.MaxBytes)
	text := bufio.NewReader(limit)
	switch mark, _ := text.Peek(3); {
	case string(mark) == "\ufeff":
		text.Discard(3)
	case bytes.HasPrefix(mark, []byte{0x1f, 0x8b}), bytes.HasPrefix(mark, []byte("PK\x03")):
		return nil, errors.New("the file is compressed: unpack it first")
	case bytes.HasPrefix(mark, []byte{0xff, 0xfe}), bytes.HasPrefix(mark, []byte{0xfe, 0xff}):
		return nil, errors.New("the text is UTF-16: save it as UTF-8")
	}
	lines := csv.NewReader(text)
	lines.ReuseRecord = true
	lines.Comment = c.Comment
	if c.Comma != 0 {
		lines.Comma = c.Comma
	}
	next := func() ([]string, error) {
		limit.begin()
		start := lines.InputOffset()
		record, err := lines.Read()
		if err == nil && lines.InputOffset()-start > limit.line {
			err = limit.tooLong()
		}
		var at *csv.ParseError
		if errors.As(err, &at) && errors.Is(err, csv.ErrFieldCount) {
			return nil, fmt.Errorf("line %d has %d values and the first line %d: is a separator missing, or one too many?", at.Line, len(record), lines.FieldsPerRecord)
		}
		return record, err
	}
	first, err := next()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, len(first))
	for i, name := range first {
		names[i] = strings.TrimSpace(name)
		if c.NoHeader {
			names[i] = strconv.Itoa(i)
		}
	}
	features, label, err := c.choose(names)
	if err != nil {
		return nil, err
	}
	p := &table{double: c.F64, names: names, features: features, label: label, class: c.Class != "", number: map[string]int32{}}
	if c.NoHeader {
		if err := p.add(lines, first); err != nil {
			return nil, err
		}
	}
	for {
		record, err := next()
		if errors.Is(err, io.EOF) {
			return p.finish(c.Classes)
		}
		if err != nil {
			return nil, err
		}
		if err := p.add(lines, record); err != nil {
			return nil, err
		}
	}
}

// choose returns the indices of the features' columns and of the label's, which is -1 if there is none.
func (c CSV) choose(names []string) (features []int, label int, err error) {
	find := func(name string) int {
		i := slices.Index(names, name)
		switch {
		case i < 0:
			err = fmt.Errorf("no column %s, there are: %s", list.Quote(name), list.Names(names))
		case slices.Contains(names[i+1:], name):
			err = fmt.Errorf("two columns are named %s", list.Quote(name))
		}
		return i
	}
	label = -1
	if name := c.Target + c.Class; name != "" {
		label = find(name)
	}
	for i := range names {
		if c.Columns == nil && i != label {
			features = append(features, i)
		}
	}
	for _, name := range c.Columns {
		i := find(name)
		if i == label && err == nil {
			err = fmt.Errorf("column %s is both a feature and the label", list.Quote(name))
		}
		features = append(features, i)
	}
	if err == nil && len(features) == 0 {
		err = errors.New("no column is left for the features")
	}
	return features, label, err
}

// table collects the values of a table.
type table struct {
	double   bool // the numbers become F64
	names    []string
	features []int
	label    int
	class    bool
	values   []float64
	targets  []float64
	classOf  []int32          // class of each record, numbered as they appear
	number   map[string]int32 // that number
	found    []string         // the classes as they appear
	place    []string         // where each appears first, for errors
}

// add appends one record.
func (t *table) add(lines *csv.Reader, record []string) error {
	for _, i := range t.features {
		v, err := t.value(lines, record, i)
		if err != nil {
			return err
		}
		t.values = append(t.values, v)
	}
	if t.label < 0 {
		return nil
	}
	if !t.class {
		v, err := t.value(lines, record, t.label)
		t.targets = append(t.targets, v)
		return err
	}
	name := strings.TrimSpace(record[t.label])
	if name == "" {
		return t.at(lines, t.label, "the class is missing")
	}
	k, known := t.number[name]
	if !known {
		k = int32(len(t.found))
		name = strings.Clone(name) // free it of the memory of its line
		line, column := lines.FieldPos(t.label)
		t.number[name] = k
		t.found = append(t.found, name)
		t.place = append(t.place, fmt.Sprintf("%d:%d", line, column))
	}
	t.classOf = append(t.classOf, k)
	return nil
}

// value reads the value of column i.
func (t *table) value(lines *csv.Reader, record []string, i int) (float64, error) {
	text := strings.TrimSpace(record[i])
	if v, err := decimal.Parse(text); err == nil && t.holds(v) {
		return v, nil
	} else if err == nil && math.Abs(v) < 1 {
		return 0, t.at(lines, i, "%s would become 0 in f32, whose smallest number is about 1.4e-45: scale the column, or set F64", list.Quote(text))
	} else if err == nil {
		return 0, t.at(lines, i, "%s is beyond f32, whose largest number is about 3.4e38: scale the column, or set F64", list.Quote(text))
	} else if slices.Contains([]string{"", "?", "na", "n/a", "nan", "null", "none"}, strings.ToLower(text)) {
		return 0, t.at(lines, i, "the value is missing (%q): fill it in or leave the line out", text)
	} else {
		return 0, t.at(lines, i, "%v", err)
	}
}

// holds reports whether the type of the numbers holds v, rounded, but neither as infinity nor, if it is not 0, as 0.
func (t *table) holds(v float64) bool {
	return t.double || v == 0 || float32(v) != 0 && !math.IsInf(float64(float32(v)), 0)
}

// at returns an error with its place, line:column; the column is counted in bytes, as editors do.
func (t *table) at(lines *csv.Reader, i int, format string, args ...any) error {
	line, column := lines.FieldPos(i)
	return fmt.Errorf("%d:%d: column %s: %s", line, column, list.Quote(t.names[i]), fmt.Sprintf(format, args...))
}

// finish returns the data set.
func (t *table) finish(classes []string) (*Table, error) {
	width := len(t.features)
	n := len(t.values) / width
	if n == 0 {
		return nil, errors.New("the table has a header but no data")
	}
	out := &Table{}
	for _, i := range t.features {
		out.Columns = append(out.Columns, t.names[i])
	}
	fields := []Field{{"features", Array{[]int{n, width}, t.values}}}
	switch {
	case t.label < 0:
	case t.class:
		if classes == nil {
			classes = sortedClasses(t.found)
		}
		if err := t.renumber(classes); err != nil {
			return nil, err
		}
		out.Classes = classes
		fields = append(fields, Field{"label", Array{[]int{n}, t.classOf}})
	default:
		fields = append(fields, Field{"label", Array{[]int{n}, t.targets}})
	}
	set, err := NewSet(fields...)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if _, floats := f.Array.Data.([]float64); floats && !t.double {
			if set, err = set.Cast(f.Name, tarn.F32); err != nil {
				return nil, err
			}
		}
	}
	out.Set = set
	return out, nil
}

// renumber numbers the classes by their place in the given list.
func (t *table) renumber(classes []string) error {
	to := make([]int32, len(t.found))
	for k, name := range t.found {
		i := slices.Index(classes, name)
		if i < 0 {
			return fmt.Errorf("%s: column %s: unknown class %s, there are: %s", t.place[k], list.Quote(t.names[t.label]), list.Quote(name), list.Names(classes))
		}
		to[k] = int32(i)
	}
	for i, k := range t.classOf {
		t.classOf[i] = to[k]
	}
	return nil
}

// sortedClasses returns the names, sorted as numbers if all of them are numbers and as text otherwise.
func sortedClasses(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	value := map[string]float64{}
	for _, name := range names {
		v, err := decimal.Parse(name)
		if err != nil {
			return names
		}
		value[name] = v
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(value[a], value[b]) })
	return names
}

// textLimit passes a text on until a line or the whole is larger than its limit.
type textLimit struct {
	r           io.Reader
	line, whole int64 // limits in bytes
	left, total int64 // what is left of the line's, and of the whole's
	err         error
}

func newTextLimit(r io.Reader, line, whole int64) *textLimit {
	limit := func(asked, usual int64) int64 {
		switch {
		case asked < 0:
			return math.MaxInt64
		case asked == 0:
			return usual
		}
		return asked
	}
	l := &textLimit{r: r, line: limit(line, usualLine), whole: limit(whole, usualText)}
	l.total = l.whole
	l.begin()
	return l
}

// begin begins a line. What has been read ahead of it counted for the line before, so this bounds the memory for a line and not its
// exact length.
func (l *textLimit) begin() { l.left = l.line }

func (l *textLimit) tooLong() error {
	return fmt.Errorf("a line has more than %d bytes: is a quotation mark open, or is it not a text? if that is right, raise MaxLine", l.line)
}

func (l *textLimit) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	l.total -= int64(n)
	switch {
	case l.total < 0:
		l.err = fmt.Errorf("the text has more than %d bytes: %w", l.whole, dense.ErrLimit)
	case l.left < -int64(len(p)): // more than a line and what may be read ahead
		l.err = l.tooLong()
	}
	if l.err != nil {
		return 0, l.err
	}
	return n, err
}
