package table

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file finds out how a text writes its table, from its first part.

// Dialect is how a text writes a table. It is what was found out, and what Options said.
type Dialect struct {
	Comma     string   `json:"comma"`               // between values; " " stands for any number of blanks
	Decimal   string   `json:"decimal"`             // "." or ","
	Thousands string   `json:"thousands,omitempty"` // between groups of three digits, or ""
	Header    bool     `json:"header"`              // the first line has the names of the columns
	Encoding  string   `json:"encoding"`            // UTF-8, UTF-16 or Windows-1252; the format of a table that is no text
	Packed    string   `json:"packed,omitempty"`    // gzip or zstd
	Missing   []string `json:"missing,omitempty"`   // the marks of missing values, if Options said so
	Notes     []string `json:"notes,omitempty"`     // what is unusual about the text
}

// String returns the dialect as a few words, such as "semicolons, decimal comma, UTF-8".
func (d Dialect) String() string {
	if d.Comma == "" {
		return cmp.Or(d.Encoding, "no text")
	}
	parts := []string{map[string]string{",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks", ":": "colons"}[d.Comma]}
	if parts[0] == "" {
		parts[0] = "separated by " + list.Quote(d.Comma)
	}
	if d.Decimal == "," {
		parts = append(parts, "decimal comma")
	}
	switch d.Thousands {
	case "":
	case " ", "\u00a0", "\u202f":
		parts = append(parts, "blanks between thousands")
	case ",":
		parts = append(parts, "commas between thousands")
	case ".":
		parts = append(parts, "points between thousands")
	default:
		parts = append(parts, d.Thousands+" between thousands")
	}
	if !d.Header {
		parts = append(parts, "no header")
	}
	parts = append(parts, d.Encoding)
	if d.Packed != "" {
		parts = append(parts, d.Packed)
	}
	return strings.Join(append(parts, d.Notes...), ", ")
}

// sampleSize is how much of a text the dialect is found out from.
const sampleSize = 1 << 20

// sample is the first part of a text, cut into records by one separator.
type sample struct {
	comma   byte
	records [][]string
	width   int     // values of most records
	agree   float64 // share of the records that have so many
	err     error   // that of the text, after the records
}

// cut cuts the first part of a text. If it is not the whole text, the last record may not be whole and is left out.
func cut(text []byte, whole bool, comma, eol byte, maxLine int) sample {
	s := newScanner(bytes.NewReader(text), comma, eol, maxLine)
	out := sample{comma: comma}
	counts := map[int]int{}
	for len(out.records) < 5000 {
		err := s.next()
		if err != nil {
			if err != io.EOF && whole {
				out.err = err
			}
			break
		}
		record := make([]string, len(s.fields))
		for i, f := range s.fields {
			record[i] = string(bytes.TrimSpace(f))
			if s.quoted[i] && record[i] == "" {
				record[i] = ""
			}
		}
		out.records = append(out.records, record)
	}
	if !whole && len(out.records) > 1 && s.start == s.end {
		out.records = out.records[:len(out.records)-1]
	}
	for _, r := range out.records {
		counts[len(r)]++
	}
	for n, c := range counts {
		if c > counts[out.width] || c == counts[out.width] && n > out.width {
			out.width = n
		}
	}
	out.agree = float64(counts[out.width]) / float64(max(1, len(out.records)))
	return out
}

// endOfLine returns the last byte of the ends of lines.
func endOfLine(text []byte) byte {
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') >= 0 {
		return '\r'
	}
	return '\n'
}

// sniff finds out the dialect of a text from its first part. What o says is taken as said.
func sniff(text []byte, whole bool, o Options) (Dialect, byte, error) {
	var d Dialect
	eol := endOfLine(text)
	if bytes.IndexByte(text, 0) >= 0 {
		return d, eol, fmt.Errorf("this is not a text: it has a byte 0")
	}
	var best sample
	if o.Comma != "" {
		best = cut(text, whole, o.Comma[0], eol, o.maxLine())
	} else {
		best = bestCut(text, whole, eol, o)
	}
	if len(best.records) == 0 {
		if best.err != nil {
			return d, eol, best.err
		}
		return d, eol, fmt.Errorf("the text is empty")
	}
	d.Comma = string(best.comma)
	n := findNotation(best, o)
	d.Decimal, d.Thousands = string(n.decimal), n.thousands
	switch o.Header {
	case Present:
		d.Header = true
	case Absent:
	default:
		d.Header = hasHeader(best.records, n, o)
	}
	return d, eol, nil
}

// bestCut tries the usual separators. A separator fits if most records have as many values as the first one, at least two. Of several that fit, the one that
// leaves the least of the others within values is taken.
func bestCut(text []byte, whole bool, eol byte, o Options) sample {
	var best sample
	bestScore := -1.0
	for _, comma := range []byte("\t;|, ") {
		s := cut(text, whole, comma, eol, o.maxLine())
		if s.width < 2 || len(s.records) == 0 {
			continue
		}
		first := len(s.records[0])
		if first != s.width && first+1 != s.width || s.agree < 0.8 {
			continue
		}
		score := s.agree + tidy(s)
		if comma == ' ' {
			score -= 0.5 // texts have blanks for other reasons
		}
		if score > bestScore {
			best, bestScore = s, score
		}
	}
	if bestScore < 0 { // one column, or no table
		best = cut(text, whole, ',', eol, o.maxLine())
		if best.width > 1 {
			return best // the reader will say which line is wrong
		}
	}
	return best
}

// tidy is the share of the values that are missing, numbers or words without a sign that separates elsewhere.
func tidy(s sample) float64 {
	good, all := 0, 0
	for _, r := range s.records[:min(len(s.records), 1000)] {
		for _, v := range r {
			all++
			if !strings.ContainsAny(v, ";\t|") {
				good++
			}
		}
	}
	return float64(good) / float64(max(1, all))
}

// findNotation looks at what stands within numbers.
func findNotation(s sample, o Options) notation {
	var points, commas, manyPoints, manyCommas int // as a decimal sign for sure, and as one between thousands for sure
	var eitherPoint, eitherComma int               // 1.234 and 1,234 may be both
	apostrophes, blanks := map[string]int{}, 0
	for _, r := range s.records {
		for _, v := range r {
			v = strings.TrimLeft(strings.Trim(v, "$€£¥% "), "+-")
			if v == "" || v[0] < '0' && v[0] != '.' && v[0] != ',' || v[0] > '9' {
				continue
			}
			for _, mark := range []string{"'", "\u2019", " ", "\u00a0", "\u202f"} {
				if strings.Contains(v, mark) {
					for _, decimal := range []byte(".,") {
						if joined, ok := (notation{decimal, mark}).join(v); ok {
							if _, ok := (notation{decimal: decimal}).parse([]byte(joined)); ok {
								apostrophes[mark]++
								blanks++
								v = joined
								break
							}
						}
					}
				}
			}
			if strings.Trim(v, "0123456789.,") != "" {
				continue
			}
			p, c := strings.Count(v, "."), strings.Count(v, ",")
			switch {
			case p == 0 && c == 0:
			case p > 1 && c <= 1:
				if _, ok := (notation{',', "."}).parseSlowly([]byte(v)); ok {
					manyPoints++
				}
			case c > 1 && p <= 1:
				if _, ok := (notation{'.', ","}).parseSlowly([]byte(v)); ok {
					manyCommas++
				}
			case p == 1 && c == 1 && strings.Index(v, ".") < strings.Index(v, ","):
				manyPoints++
				commas++
			case p == 1 && c == 1:
				manyCommas++
				points++
			case p == 1 && group(v, '.'):
				eitherPoint++
			case p == 1:
				points++
			case c == 1 && group(v, ','):
				eitherComma++
			case c == 1:
				commas++
			}
		}
	}
	n := notation{decimal: '.'}
	switch {
	case o.Decimal != "":
		n.decimal = o.Decimal[0]
	case points > commas:
	case commas > points, manyPoints > 0 && manyCommas == 0:
		n.decimal = ','
	case eitherComma > 0 && eitherPoint == 0 && manyCommas == 0 && s.comma == ';': // the semicolon is there because the comma is taken
		n.decimal = ','
	}
	switch {
	case o.Thousands != "":
		n.thousands = o.Thousands
	case len(apostrophes) > 0:
		for mark, count := range apostrophes {
			if count > apostrophes[n.thousands] || n.thousands == "" {
				n.thousands = mark
			}
		}
	case n.decimal == '.' && (manyCommas > 0 || eitherComma > 0 && s.comma != ','):
		n.thousands = ","
	case n.decimal == ',' && manyPoints > 0:
		n.thousands = "."
	case n.decimal == '.' && eitherComma > 0: // in quotation marks
		n.thousands = ","
	case n.decimal == ',' && eitherPoint > 0:
		n.thousands = "."
	}
	return n
}

// group reports whether v is one to three digits, the mark, and three digits, so that the mark may stand between thousands.
func group(v string, mark byte) bool {
	i := strings.IndexByte(v, mark)
	return i >= 1 && i <= 3 && len(v) == i+4 && v[0] != '0'
}

// hasHeader guesses whether the first record has the names of the columns. It does if its values are words that differ, and not all of them occur
// again in their columns.
func hasHeader(records [][]string, n notation, o Options) bool {
	first := records[0]
	if len(records) == 1 {
		return true
	}
	seen := map[string]bool{}
	words := 0
	again := 0
	numbersBelow, twice := false, false
	for i, name := range first {
		_, number := n.parse([]byte(name))
		if !number && name != "" {
			words++
		}
		if seen[name] && name != "" && !number {
			twice = true
		}
		seen[name] = true
		repeats, below, filled := false, 0, 0
		for _, r := range records[1:min(len(records), 200)] {
			if i >= len(r) || missing([]byte(r[i])) {
				continue
			}
			filled++
			if r[i] == name {
				repeats = true
			}
			if _, ok := n.parse([]byte(r[i])); ok {
				below++
			}
		}
		if repeats {
			again++
		}
		if !number && name != "" && !missing([]byte(name)) && filled > 0 && below == filled {
			numbersBelow = true
		}
		if number && filled > 0 && below < filled {
			continue
		}
	}
	switch {
	case words == 0:
		return false
	case numbersBelow:
		return true
	case twice:
		return false // two columns seldom have one name, values of a row may be equal
	case words < len(first) && !(words == len(first)-1 && first[0] == ""):
		return false // a number among words is a value, and there is no column of numbers below a word
	}
	return again == 0
}

// names returns the names of the columns from the first record.
func names(first []string, d *Dialect, width int) []string {
	out := make([]string, 0, width)
	if !d.Header {
		for i := range width {
			out = append(out, fmt.Sprintf("column%d", i+1))
		}
		return out
	}
	if len(first)+1 == width { // as R writes tables whose rows have names
		first = append([]string{"row"}, first...)
		d.Notes = append(d.Notes, "the first column has no name and is called row")
	}
	used := map[string]bool{}
	for i, name := range first {
		name = strings.Join(strings.FieldsFunc(strings.TrimSpace(name), func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }), " ")
		if name == "" {
			name = fmt.Sprintf("column%d", i+1)
		}
		if used[name] {
			again := name
			for k := 2; used[again] || slices.Contains(first, again); k++ {
				again = fmt.Sprintf("%s.%d", name, k)
			}
			d.Notes = append(d.Notes, fmt.Sprintf("another column %s is called %s", list.Name(name), list.Name(again)))
			name = again
		}
		used[name] = true
		out = append(out, name)
	}
	return out
}

// latin reports whether a text is not UTF-8, so that it is taken for Windows-1252.
func latin(text []byte, whole bool) bool {
	if !whole { // do not cut the last rune
		for k := 0; k < utf8.UTFMax && len(text) > 0 && !utf8.Valid(text); k++ {
			text = text[:len(text)-1]
		}
	}
	return !utf8.Valid(text)
}
