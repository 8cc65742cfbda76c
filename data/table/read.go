package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/limit"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file reads texts into columns. A column is one of numbers if every value of it is a number or missing, and otherwise one of words.

// Header says whether the first line of a text has the names of the columns.
type Header uint8

// The ways to take the first line.
const (
	Guess   Header = iota // look at the values
	Present               // names
	Absent                // values; the columns are called column1, column2 and so on
)

// Options say how to read a text. What they leave open is found out.
type Options struct {
	Comma     string   // between values: one ASCII sign, " " for any number of blanks, or "" to find out
	Decimal   string   // "." or ",", or "" to find out
	Thousands string   // between groups of three digits, or "" to find out
	Header    Header   // whether the first line has names
	Missing   []string // the marks of missing values, beside the empty value; nil means those of the schema, or the usual ones, such as NA, NaN, null and ?

	Words  []string // columns to read as words, even if all their values are numbers
	Drop   []string // columns to leave out
	Schema *Schema  // read the columns that this has, as it has them, and leave out others

	// MaxLine is the largest size of a line in bytes, or of several lines that quotes join; 0 means 4 MiB.
	// MaxBytes is the largest size of the whole text, unpacked; 0 means 16 GiB. MaxColumns is the largest number of columns; 0 means 100,000.
	MaxLine    int
	MaxBytes   int64
	MaxColumns int
}

func (o Options) maxLine() int {
	if o.MaxLine > 0 {
		return o.MaxLine
	}
	return 4 << 20
}

func (o Options) check() error {
	switch {
	case o.Comma != "" && (len(o.Comma) != 1 || o.Comma[0] == '"' || o.Comma[0] == '\n' || o.Comma[0] == '\r' || o.Comma[0] == 0 || o.Comma[0] >= utf8.RuneSelf):
		return fmt.Errorf("separator %s: it must be one ASCII sign, such as , or ;", list.Quote(o.Comma))
	case o.Decimal != "" && o.Decimal != "." && o.Decimal != ",":
		return fmt.Errorf("decimal sign %s: it must be . or ,", list.Quote(o.Decimal))
	case o.Decimal != "" && o.Decimal == o.Thousands:
		return fmt.Errorf("%s cannot be both the decimal sign and the mark between thousands", o.Decimal)
	case o.Header > Absent:
		return fmt.Errorf("Header is %d", o.Header)
	case o.MaxLine < 0 || o.MaxBytes < 0 || o.MaxColumns < 0:
		return errors.New("a limit is negative")
	}
	return nil
}

// Load reads the text at path, packed with gzip or zstd or not.
func Load(path string, o Options) (*Table, error) {
	s, err := fileSource(path)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	t, err := read(s, o)
	if err != nil {
		return nil, fmt.Errorf("table: %s: %w", file.Name(path), err)
	}
	return t, nil
}

// Read reads a text, packed with gzip or zstd or not, to the end of r. A stream of more than 32 MiB goes through a temporary file, since the kind of
// a column is known only when all of it has been seen; with Options.Schema there is Stream, which does not need that.
func Read(r io.Reader, o Options) (*Table, error) {
	if r == nil {
		return nil, errors.New("table: Read: the reader is nil")
	}
	s, err := streamSource(r, o.maxBytes())
	if err == nil {
		defer s.close()
		var t *Table
		if t, err = read(s, o); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("table: %w", err)
}

func (o Options) maxBytes() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return 16 << 30
}

// read reads a source.
func read(s *source, o Options) (*Table, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s.limit = o.maxBytes()
	sample, whole, err := s.sniff()
	if err != nil {
		return nil, err
	}
	p, err := prepare(sample, whole, o)
	if err != nil {
		return nil, err
	}
	p.dialect.Encoding, p.dialect.Packed = s.encoding, s.packed
	if err := p.expect(s, sample, whole); err != nil {
		return nil, err
	}
	again := false
	for {
		if err := p.pass(s); err != nil {
			return nil, err
		}
		if !p.again() || again {
			return p.table(), nil
		}
		again = true // the columns that were no numbers after all, as words
	}
}

// reader reads the columns of a text.
type reader struct {
	o        Options
	dialect  Dialect
	notation notation
	eol      byte
	names    []string
	columns  []*builder // of each column of the text; nil for those that are left out
	order    []int      // the columns of the table, as columns of the text
	marks    map[string]bool
	lines    []uint32
	keep     bool // the lines are known from the pass before
}

// builder collects the values of a column.
type builder struct {
	Column
	words  bool
	said   bool // the schema says so
	failed bool // a value is no number, so that the column has to be read again as words
	done   bool // it is whole since the pass before
	code   map[string]int32
}

// prepare finds out how the text is written, and which columns become numbers as far as its first part tells.
func prepare(text []byte, whole bool, o Options) (*reader, error) {
	d, eol, err := sniff(text, whole, o)
	if err != nil {
		return nil, err
	}
	if o.Missing == nil && o.Schema != nil {
		o.Missing = o.Schema.Missing
	}
	p := &reader{o: o, dialect: d, notation: notation{d.Decimal[0], d.Thousands}, eol: eol}
	if o.Missing != nil {
		p.dialect.Missing = slices.Clone(o.Missing)
		p.marks = map[string]bool{"": true}
		for _, m := range o.Missing {
			p.marks[m] = true
		}
	}
	s := cut(text, whole, d.Comma[0], eol, o.maxLine())
	if len(s.records) == 0 {
		return nil, s.err
	}
	width := len(s.records[0])
	if len(s.records) > 1 && s.width == width+1 && d.Header {
		width++
	}
	most := o.MaxColumns
	if most == 0 {
		most = 100_000
	}
	if width > most {
		return nil, fmt.Errorf("the text has %d columns, more than MaxColumns, %d", width, most)
	}
	p.names = names(s.records[0], &p.dialect, width)
	data := s.records
	if d.Header {
		data = data[1:]
	}
	if err := p.choose(); err != nil {
		return nil, err
	}
	for i, b := range p.columns {
		if b == nil || b.words || b.said {
			continue
		}
		for _, r := range data {
			if i >= len(r) {
				continue
			}
			if v := []byte(r[i]); !p.missing(v) {
				if _, ok := p.notation.parse(v); !ok {
					b.words = true
					break
				}
			}
		}
	}
	return p, nil
}

// choose decides which columns are read.
func (p *reader) choose() error {
	p.columns = make([]*builder, len(p.names))
	for _, name := range slices.Concat(p.o.Drop, p.o.Words) {
		if !slices.Contains(p.names, name) {
			return fmt.Errorf("there is no column %s; there are %s", list.Quote(name), list.Names(p.names))
		}
	}
	if s := p.o.Schema; s != nil {
		var absent []string
		for _, c := range s.Columns {
			i := slices.Index(p.names, c.Name)
			switch {
			case i >= 0 && c.read():
				p.columns[i] = &builder{Column: Column{Name: c.Name}, words: !c.Numbers, said: true}
				p.order = append(p.order, i)
			case i < 0 && c.needed():
				absent = append(absent, c.Name)
			}
		}
		if len(absent) > 0 {
			word := "the column"
			if len(absent) > 1 {
				word = "the columns"
			}
			return fmt.Errorf("%s %s must be there and %s not; there are %s", word, list.Names(absent), map[bool]string{true: "are", false: "is"}[len(absent) > 1], list.Names(p.names))
		}
		return nil
	}
	for i, name := range p.names {
		if !slices.Contains(p.o.Drop, name) {
			p.columns[i] = &builder{Column: Column{Name: name}, words: slices.Contains(p.o.Words, name)}
			p.order = append(p.order, i)
		}
	}
	if len(p.order) == 0 {
		return errors.New("all columns are left out")
	}
	return nil
}

// expect estimates the number of rows from the size of the file, and refuses a table that memory cannot hold.
func (p *reader) expect(s *source, sample []byte, whole bool) error {
	records := bytes.Count(sample, []byte{p.eol}) + 1
	rows := records
	if !whole && s.size > 0 && s.packed == "" {
		rows = int(1.02 * float64(records) * float64(s.size) / float64(len(sample)))
	}
	bytes := 0
	for _, b := range p.columns {
		if b != nil && b.words {
			bytes += 4 * rows
		} else if b != nil {
			bytes += 8 * rows
		}
	}
	if err := limit.Check(bytes); err != nil {
		return fmt.Errorf("about %d rows: %w; %s", rows, err, limit.ReadHint)
	}
	for _, b := range p.columns {
		if b != nil {
			b.begin(rows)
		}
	}
	p.lines = make([]uint32, 0, rows)
	return nil
}

func (b *builder) begin(rows int) {
	if b.words {
		b.Numbers, b.Codes, b.code = nil, make([]int32, 0, rows), map[string]int32{}
	} else {
		b.Numbers = make([]float64, 0, rows)
	}
}

// pass reads the text once.
func (p *reader) pass(s *source) error {
	r, done, err := s.text()
	if err != nil {
		return err
	}
	defer done()
	scan := newScanner(r, p.dialect.Comma[0], p.eol, p.o.maxLine())
	if p.dialect.Header {
		if err := scan.next(); err != nil {
			return err
		}
	}
	for {
		err := scan.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.add(scan); err != nil {
			return err
		}
	}
}

// add appends the record that scan has read.
func (p *reader) add(scan *scanner) error {
	if len(scan.fields) != len(p.names) {
		return p.ragged(scan)
	}
	if !p.keep {
		if len(p.lines) == math.MaxInt32 {
			return fmt.Errorf("the table has more than %d rows", math.MaxInt32)
		}
		p.lines = append(p.lines, uint32(min(scan.at, math.MaxUint32)))
	}
	for i, b := range p.columns {
		if b == nil || b.failed || b.done {
			continue
		}
		text := trim(scan.fields[i])
		if !b.words {
			v, ok := p.notation.parse(text)
			if p.marks != nil && p.marks[string(text)] {
				ok = false
			}
			if !ok {
				if !p.missing(text) {
					if b.said {
						return &CellError{Row: len(p.lines) - 1, Line: scan.at, Place: placeOf(scan, i), Column: b.Name, Problem: fmt.Sprintf("%s is not a number", list.Quote(string(text)))}
					}
					b.failed = true
					continue
				}
				v = math.NaN()
			}
			b.Numbers = append(b.Numbers, v)
			continue
		}
		k := int32(-1)
		if !p.missing(text) {
			known := false
			if k, known = b.code[string(text)]; !known {
				if !utf8.Valid(text) {
					return &CellError{Row: len(p.lines) - 1, Line: scan.at, Place: placeOf(scan, i), Column: b.Name, Problem: fmt.Sprintf("%s is not UTF-8, and the text began as UTF-8: save it in one encoding", list.Quote(string(text)))}
				}
				k = int32(len(b.Levels))
				word := string(text)
				b.code[word] = k
				b.Levels = append(b.Levels, word)
			}
		}
		b.Codes = append(b.Codes, k)
	}
	return nil
}

// ragged is the error of a record with another number of values than there are columns.
func (p *reader) ragged(scan *scanner) error {
	what := "the first line"
	if p.dialect.Header {
		what = "the header"
	}
	e := &CellError{Row: len(p.lines), Line: scan.at}
	e.Problem = fmt.Sprintf("the line has %d values and %s has %d: is a separator missing or one too many, or a value with a separator not in quotation marks?", len(scan.fields), what, len(p.names))
	if len(p.names) == 1 {
		e.Problem = fmt.Sprintf("the line has %d values and %s has 1: if the values are not separated by %s, say by what", len(scan.fields), what, list.Quote(p.dialect.Comma))
	}
	return e
}

// placeOf is the byte of a value within its line if the record is one line without quotation marks, and 0 otherwise.
func placeOf(scan *scanner, i int) int {
	place := 1
	for k, f := range scan.fields[:i] {
		if scan.quoted[k] || scan.comma == ' ' {
			return 0
		}
		place += len(f) + 1
	}
	return place
}

// trim takes blanks from both ends.
func trim(text []byte) []byte {
	if n := len(text); n == 0 || text[0] > ' ' && text[0] < utf8.RuneSelf && text[n-1] > ' ' && text[n-1] < utf8.RuneSelf {
		return text
	}
	return bytes.TrimSpace(text)
}

func (p *reader) missing(text []byte) bool {
	if p.marks != nil {
		return p.marks[string(text)]
	}
	return missing(text)
}

// again makes columns that are no numbers ready to be read as words, and reports whether there are any.
func (p *reader) again() bool {
	any := false
	for _, b := range p.columns {
		if b == nil {
			continue
		}
		if b.done = !b.failed; b.failed {
			any = true
			b.failed, b.words = false, true
			b.begin(len(p.lines))
		}
	}
	p.keep = true
	return any
}

func (p *reader) table() *Table {
	t := &Table{Dialect: p.dialect, lines: p.lines}
	for _, i := range p.order {
		c := p.columns[i].Column
		t.Columns = append(t.Columns, &c)
	}
	return t
}

// Stream reads a text in parts of so many rows, as the schema of the options has the columns. A part is valid for good. The loop ends with the first error.
func Stream(r io.Reader, o Options, rows int) func(yield func(*Table, error) bool) {
	return func(yield func(*Table, error) bool) {
		fail := func(err error) { yield(nil, fmt.Errorf("table: %w", err)) }
		switch {
		case r == nil:
			fail(errors.New("Stream: the reader is nil"))
			return
		case o.Schema == nil:
			fail(errors.New("Stream: there is no schema in the options; read the whole table with Read"))
			return
		case rows < 1:
			fail(fmt.Errorf("Stream: parts of %d rows", rows))
			return
		}
		if err := o.check(); err != nil {
			fail(err)
			return
		}
		once := &oneReader{r: r}
		s := &source{size: -1, limit: o.maxBytes(), open: once.open}
		sample, whole, err := s.sniff()
		if err != nil {
			fail(err)
			return
		}
		p, err := prepare(sample, whole, o)
		if err != nil {
			fail(err)
			return
		}
		p.dialect.Encoding, p.dialect.Packed = s.encoding, s.packed
		text, done, err := s.text()
		if err != nil {
			fail(err)
			return
		}
		defer done()
		scan := newScanner(text, p.dialect.Comma[0], p.eol, o.maxLine())
		if p.dialect.Header {
			if err := scan.next(); err != nil {
				fail(err)
				return
			}
		}
		first := 0
		for {
			for _, b := range p.columns {
				if b != nil {
					b.Levels = nil
					b.begin(rows)
				}
			}
			p.lines = make([]uint32, 0, rows)
			for err = nil; err == nil && len(p.lines) < rows; {
				if err = scan.next(); err == nil {
					err = p.add(scan)
				}
			}
			var at *CellError
			if errors.As(err, &at) {
				at.Row += first
			}
			if err != nil && err != io.EOF {
				fail(err)
				return
			}
			if len(p.lines) > 0 && !yield(p.table(), nil) || err == io.EOF {
				return
			}
			first += len(p.lines)
		}
	}
}

// oneReader gives what the first reading took from a stream to the second one.
type oneReader struct {
	r      io.Reader
	head   bytes.Buffer
	opened int
}

func (o *oneReader) open() (io.ReadCloser, error) {
	o.opened++
	if o.opened == 1 {
		return io.NopCloser(io.TeeReader(o.r, &o.head)), nil
	}
	return io.NopCloser(io.MultiReader(&o.head, o.r)), nil
}
