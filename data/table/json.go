package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file reads rows that are JSON objects, the names of their members being those of the columns.

// ReadJSON reads rows as the schema has the columns: one object, an array of objects, or one object after another, as in JSON lines. A member that is absent or null is a
// missing value, unless no row has it, and members that the schema does not read are left out. Numbers may be in quotation marks, and words may be numbers or booleans.
// MaxBytes of the options bounds the text.
func ReadJSON(r io.Reader, o Options) (*Table, error) {
	if r == nil {
		return nil, errors.New("table: ReadJSON: the reader is nil")
	}
	if o.Schema == nil {
		return nil, errors.New("table: ReadJSON: there is no schema in the options")
	}
	most := o.maxBytes()
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("table: the text is too large: %w", dense.ErrLimit)
	}
	t, err := o.Schema.objects(text, o.Missing)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	return t, nil
}

// objects reads the rows of a text. marks are those of missing values; nil means those of the schema, or the usual ones.
func (s *Schema) objects(text []byte, marks []string) (*Table, error) {
	if marks == nil {
		marks = s.Missing
	}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	d.UseNumber()
	t := &Table{}
	var builders []*builder
	index := map[string]int{}
	for _, c := range s.Columns {
		if !c.read() {
			continue
		}
		b := &builder{Column: Column{Name: c.Name}, words: !c.Numbers, failed: c.needed()} // failed: no row has it so far
		b.begin(8)
		index[c.Name] = len(builders)
		builders = append(builders, b)
	}
	rows := 0
	row := func() error {
		given := make([]bool, len(builders))
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return readable(err)
			}
			name, _ := key.(string)
			at, known := index[name]
			if !known {
				var skip json.RawMessage
				if err := d.Decode(&skip); err != nil {
					return readable(err)
				}
				continue
			}
			v, err := d.Token()
			if err != nil {
				return readable(err)
			}
			b := builders[at]
			if given[at] {
				return &CellError{Row: rows, Column: name, Problem: "it is there twice"}
			}
			given[at], b.failed = true, false
			if err := b.value(v, rows, marks); err != nil {
				return err
			}
		}
		if _, err := d.Token(); err != nil {
			return readable(err)
		}
		for i, b := range builders {
			if !given[i] {
				b.value(nil, rows, marks)
			}
		}
		rows++
		return nil
	}
	depth := 0
	for {
		token, err := d.Token()
		if err == io.EOF && depth == 0 {
			break
		}
		if err != nil {
			return nil, readable(err)
		}
		switch token {
		case json.Delim('{'):
			if err := row(); err != nil {
				return nil, err
			}
		case json.Delim('['):
			if depth++; depth > 1 {
				return nil, &CellError{Row: rows, Problem: "a row must be an object, such as {\"size\": 3}, and this is an array"}
			}
		case json.Delim(']'):
			depth--
		case nil:
			return nil, &CellError{Row: rows, Problem: "a row must be an object, such as {\"size\": 3}, and this is null"}
		default:
			return nil, &CellError{Row: rows, Problem: fmt.Sprintf("a row must be an object, such as {\"size\": 3}, and this is %s", list.Quote(fmt.Sprint(token)))}
		}
	}
	var absent []string
	for _, b := range builders {
		if b.failed && rows > 0 {
			absent = append(absent, b.Name)
		}
		c := b.Column
		t.Columns = append(t.Columns, &c)
	}
	if len(absent) > 0 {
		return nil, &CellError{Column: absent[0], Problem: fmt.Sprintf("no row has it; the columns are %s. A value that is missing is null", list.Names(s.Features()))}
	}
	return t, nil
}

// value appends a value of JSON.
func (b *builder) value(v json.Token, row int, marks []string) error {
	bad := func(what string) error {
		return &CellError{Row: row, Column: b.Name, Problem: what}
	}
	var word string
	switch v := v.(type) {
	case nil:
	case json.Number:
		if word = v.String(); slices.Contains(marks, word) {
			word = ""
		}
	case bool:
		word = strconv.FormatBool(v)
		if !b.words {
			word = numberText(truthValue(v))
		}
	case string:
		word = strings.TrimSpace(v)
		if marks == nil && missing([]byte(word)) || slices.Contains(marks, word) {
			word = ""
		}
	default:
		return bad("a value must be a number, a text, true, false or null")
	}
	if b.words {
		k := int32(-1)
		if word != "" {
			if _, number := v.(json.Number); number { // 3.0 is 3
				if f, err := strconv.ParseFloat(word, 64); err == nil {
					word = numberText(f)
				}
			}
			known := false
			if k, known = b.code[word]; !known {
				k = int32(len(b.Levels))
				b.code[word] = k
				b.Levels = append(b.Levels, word)
			}
		}
		b.Codes = append(b.Codes, k)
		return nil
	}
	number := math.NaN()
	if word != "" {
		f, err := strconv.ParseFloat(word, 64)
		if err != nil || !plain(strings.TrimLeft(word, "-+")) && !strings.HasPrefix(word, "0") {
			return bad(fmt.Sprintf("%s is not a number", list.Quote(word)))
		}
		number = f
	}
	b.Numbers = append(b.Numbers, number)
	return nil
}

// readable says what is wrong with a text that is no JSON.
func readable(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("this is no JSON: at byte %d: %w", syntax.Offset, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("this is no JSON: it ends too early")
	}
	return err
}
