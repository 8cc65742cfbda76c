package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// This file cuts a text into records and values. It follows RFC 4180, and takes further what people have: other separators, runs of blanks as
// separators, any of the three ends of lines, and quotation marks in the middle of a value that does not begin with one.
// encoding/csv makes a string of each line; here values stay bytes of the buffer, which makes reading of numbers three times as fast.

// scanner reads records from a text.
type scanner struct {
	r       io.Reader
	comma   byte
	eol     byte // the last byte of the end of a line: \n, or \r in the texts of old Macs
	maxLine int

	buf        []byte
	start, end int  // what is in buf and not used
	eof        bool // r has ended
	line       int  // of the next record

	fields  [][]byte // of the last record; they are valid until the next one
	quoted  []bool   // which of them were in quotation marks
	at      int      // the line of the last record
	scratch []byte   // the values whose quotation marks were doubled
}

const bufferSize = 256 << 10

func newScanner(r io.Reader, comma, eol byte, maxLine int) *scanner {
	return &scanner{r: r, comma: comma, eol: eol, maxLine: maxLine, line: 1}
}

// errShort says that a record is longer than what is in the buffer.
var errShort = errors.New("record is not whole")

// next reads a record that is not empty. It returns io.EOF at the end.
func (s *scanner) next() error {
	for {
		if s.start == s.end && s.eof {
			return io.EOF
		}
		used, lines, err := s.parse(s.buf[s.start:s.end])
		if err == errShort {
			if err := s.fill(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if used > s.maxLine {
			return s.tooLong()
		}
		s.at = s.line
		s.start += used
		s.line += lines
		if len(s.fields) > 0 {
			return nil
		}
	}
}

// fill reads more into the buffer.
func (s *scanner) fill() error {
	if s.end-s.start >= s.maxLine {
		return s.tooLong()
	}
	if s.start > 0 {
		copy(s.buf, s.buf[s.start:s.end])
		s.end -= s.start
		s.start = 0
	}
	if s.end == len(s.buf) {
		grown := make([]byte, max(bufferSize, 2*len(s.buf)))
		copy(grown, s.buf[:s.end])
		s.buf = grown
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if err == io.EOF {
			s.eof = true
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

func (s *scanner) tooLong() error {
	return &CellError{Line: s.line, Problem: fmt.Sprintf("the line has more than %d bytes: is a quotation mark open, or is this not a table? if it is right, raise MaxLine", s.maxLine)}
}

// parse reads the record at the front of text into s.fields, and returns the bytes and lines that it took. An empty line has no fields.
func (s *scanner) parse(text []byte) (used, lines int, err error) {
	s.fields, s.quoted, s.scratch = s.fields[:0], s.quoted[:0], s.scratch[:0]
	end := bytes.IndexByte(text, s.eol)
	if end < 0 && !s.eof {
		return 0, 0, errShort
	}
	line := text
	used = len(text)
	if end >= 0 {
		line, used = text[:end], end+1
	}
	if bytes.IndexByte(line, '"') < 0 {
		line = trimCR(line)
		if len(line) == 0 || s.comma != '\t' && len(bytes.TrimLeft(line, " \t")) == 0 {
			return used, 1, nil
		}
		s.split(line)
		return used, 1, nil
	}
	return s.parseQuoted(text)
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// split cuts a line without quotation marks.
func (s *scanner) split(line []byte) {
	if s.comma == ' ' {
		for _, f := range bytes.Fields(line) {
			s.add(f, false)
		}
		return
	}
	begin := 0
	for i, c := range line {
		if c == s.comma {
			s.add(line[begin:i], false)
			begin = i + 1
		}
	}
	s.add(line[begin:], false)
}

func (s *scanner) add(value []byte, quoted bool) {
	s.fields = append(s.fields, value)
	s.quoted = append(s.quoted, quoted)
}

// parseQuoted reads a record that has quotation marks on its first line.
func (s *scanner) parseQuoted(text []byte) (used, lines int, err error) {
	i := 0
	for {
		if s.comma == ' ' {
			for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
				i++
			}
		}
		begin := i
		for i < len(text) && text[i] == ' ' { // blanks before a quotation mark
			i++
		}
		var value []byte
		quoted := i < len(text) && text[i] == '"'
		if quoted {
			n, breaks, v, err := s.quotedValue(text[i:])
			if err != nil {
				if err == errShort {
					return 0, 0, err
				}
				var at *CellError
				errors.As(err, &at)
				at.Line, at.Place = s.line+lines, s.placeIn(text, i)
				return 0, 0, at
			}
			i += n
			lines += breaks
			value = v
			for i < len(text) && text[i] == ' ' && s.comma != ' ' {
				i++
			}
		} else {
			i = begin
			for i < len(text) && text[i] != s.comma && text[i] != s.eol && !(s.comma == ' ' && text[i] == '\t') {
				i++
			}
			value = text[begin:i]
		}
		if i == len(text) && !s.eof {
			return 0, 0, errShort
		}
		ends := i == len(text) || text[i] == s.eol
		if quoted && !ends && text[i] == '\r' && i+1 < len(text) && text[i+1] == s.eol {
			i++
			ends = true
		} else if quoted && !ends && text[i] == '\r' && i+1 == len(text) {
			if !s.eof {
				return 0, 0, errShort
			}
			i++
			ends = true
		}
		switch {
		case ends:
			if !quoted {
				value = trimCR(value)
			}
			if quoted || s.comma != ' ' || len(value) > 0 {
				s.add(value, quoted)
			}
			if len(s.fields) == 1 && !quoted && len(value) == 0 {
				s.fields, s.quoted = s.fields[:0], s.quoted[:0]
			}
			return min(i+1, len(text)), lines + 1, nil
		case text[i] == s.comma || s.comma == ' ' && text[i] == '\t':
			s.add(value, quoted)
			i++
		default:
			return 0, 0, &CellError{Line: s.line + lines, Place: s.placeIn(text, i),
				Problem: "there is text after the closing quotation mark: a quotation mark within a quoted value must be doubled"}
		}
	}
}

// placeIn returns the byte of text[i] within its line, counted from 1.
func (s *scanner) placeIn(text []byte, i int) int {
	return i - bytes.LastIndexByte(text[:i], s.eol)
}

// quotedValue reads the value in quotation marks at the front of text. It returns the bytes and ends of lines that it took.
func (s *scanner) quotedValue(text []byte) (used, breaks int, value []byte, err error) {
	i := 1
	copied := -1 // where the value begins in scratch, if quotation marks had to be taken out
	for {
		k := bytes.IndexByte(text[i:], '"')
		if k < 0 {
			if !s.eof {
				return 0, 0, nil, errShort
			}
			return 0, 0, nil, &CellError{Problem: "the quotation mark that opens here is never closed"}
		}
		if i+k+1 == len(text) && !s.eof {
			return 0, 0, nil, errShort
		}
		breaks += bytes.Count(text[i:i+k], []byte{s.eol})
		if i+k+1 < len(text) && text[i+k+1] == '"' { // doubled
			if copied < 0 {
				copied = len(s.scratch)
				s.scratch = append(s.scratch, text[1:i+k+1]...)
			} else {
				s.scratch = append(s.scratch, text[i:i+k+1]...)
			}
			i += k + 2
			continue
		}
		if copied < 0 {
			return i + k + 1, breaks, text[1 : i+k], nil
		}
		s.scratch = append(s.scratch, text[i:i+k]...)
		return i + k + 1, breaks, s.scratch[copied:len(s.scratch):len(s.scratch)], nil
	}
}
