package table_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/seed-49005b45/tarn/data/table"
)

func read(t *testing.T, text string, o table.Options) *table.Table {
	t.Helper()
	out, err := table.Read(strings.NewReader(text), o)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return out
}

// show prints a table, one row in brackets after another.
func show(t *table.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", strings.Join(t.Names(), ","))
	for i := range t.Rows() {
		b.WriteString(" [")
		for k, c := range t.Columns {
			if k > 0 {
				b.WriteString("|")
			}
			if c.Numbers != nil && !c.Missing(i) {
				b.WriteString("#")
			}
			b.WriteString(c.Text(i))
		}
		b.WriteString("]")
	}
	return b.String()
}

// TestDialects reads one small table in many forms.
func TestDialects(t *testing.T) {
	const want = "name,size,price,sold: [Anna|#3|#1234.5|yes] [B, the \"second\"|#-4||no] [C|#0.25|#7|yes]"
	utf16, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("name\tsize\tprice\tsold\nAnna\t3\t1234.5\tyes\n\"B, the \"\"second\"\"\"\t-4\t\tno\nC\t0.25\t7\tyes\n")
	plain := "name,size,price,sold\nAnna,3,1234.5,yes\n\"B, the \"\"second\"\"\",-4,,no\nC,0.25,7,yes\n"
	var packed, zpacked bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, plain)
	z.Close()
	zw, _ := zstd.NewWriter(&zpacked)
	io.WriteString(zw, plain)
	zw.Close()
	for name, text := range map[string]string{
		"plain":          plain,
		"no end of line": strings.TrimSuffix(plain, "\n"),
		"CRLF":           strings.ReplaceAll(plain, "\n", "\r\n"),
		"CR":             strings.ReplaceAll(plain, "\n", "\r"),
		"BOM":            "\ufeff" + plain,
		"empty lines":    "\n" + strings.ReplaceAll(plain, "\n", "\n\n"),
		"quotes":         "\"name\",\"size\",\"price\",\"sold\"\n\"Anna\",\"3\",\"1234.5\",\"yes\"\n\"B, the \"\"second\"\"\",\"-4\",\"\",\"no\"\n\"C\",\"0.25\",\"7\",\"yes\"\n",
		"blanks":         "name, size, price, sold\nAnna, 3, 1234.5, yes\n \"B, the \"\"second\"\"\" , -4, , no\nC, 0.25, 7, yes\n",
		"tabs":           "name\tsize\tprice\tsold\nAnna\t3\t1234.5\tyes\nB, the \"second\"\t-4\t\tno\nC\t0.25\t7\tyes\n",
		"semicolons":     "name;size;price;sold\nAnna;3;1234.5;yes\nB, the \"second\";-4;NA;no\nC;0.25;7;yes\n",
		"decimal comma":  "name;size;price;sold\nAnna;3;1234,5;yes\nB, the \"second\";-4;;no\nC;0,25;7;yes\n",
		"thousands":      "name,size,price,sold\nAnna,3,\"1,234.5\",yes\n\"B, the \"\"second\"\"\",-4,n/a,no\nC,0.25,7,yes\n",
		"points":         "name;size;price;sold\nAnna;3;1.234,5;yes\nB, the \"second\";-4;?;no\nC;0,25;7;yes\n",
		"apostrophes":    "name;size;price;sold\nAnna;3;1'234.5;yes\nB, the \"second\";-4;null;no\nC;0.25;7;yes\n",
		"narrow blanks":  "name;size;price;sold\nAnna;3;1\u202f234,5;yes\nB, the \"second\";-4;-;no\nC;0,25;7;yes\n",
		"bars":           "name|size|price|sold\nAnna|3|1234.5|yes\nB, the \"second\"|-4|NaN|no\nC|0.25|7|yes\n",
		"exponents":      "name,size,price,sold\nAnna,3,1.2345e3,yes\n\"B, the \"\"second\"\"\",-4e0,,no\nC,25E-2,7,yes\n",
		"gzip":           packed.String(),
		"zstd":           zpacked.String(),
		"UTF-16":         utf16,
	} {
		for how, r := range map[string]io.Reader{"": strings.NewReader(text), " byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			got, err := table.Read(r, table.Options{})
			if err != nil {
				t.Errorf("%s%s: %v", name, how, err)
			} else if s := show(got); s != want {
				t.Errorf("%s%s: read by %v\n got %s\nwant %s", name, how, got.Dialect, s, want)
			}
		}
	}
	for text, want := range map[string]string{"a,b\n\"$1,234\",2\n": "commas, commas between thousands, UTF-8", "a;b\n1.234,5;2\n": "semicolons, decimal comma, points between thousands, UTF-8"} {
		if got := read(t, text, table.Options{}).Dialect.String(); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	latin, _ := charmap.Windows1252.NewEncoder().String("stadt;größe\nKöln;1,5\nMünchen;2\n")
	for _, c := range []struct {
		name, text string
		o          table.Options
		want       string
	}{
		{"Windows-1252", latin, table.Options{}, "stadt,größe: [Köln|#1.5] [München|#2]"},
		{"no header", "1,a\n2,b\n", table.Options{}, "column1,column2: [#1|a] [#2|b]"},
		{"words without a header", "red,a\nblue,b\nred,c\n", table.Options{}, "column1,column2: [red|a] [blue|b] [red|c]"},
		{"words with a header", "color,letter\nred,a\nblue,b\n", table.Options{}, "color,letter: [red|a] [blue|b]"},
		{"told that there is none", "color,letter\nred,a\n", table.Options{Header: table.Absent}, "column1,column2: [color|letter] [red|a]"},
		{"one column", "size\n3\n4\n", table.Options{}, "size: [#3] [#4]"},
		{"blanks align", "a    b   c\n1    2   3.5\n10   20  30\n", table.Options{}, "a,b,c: [#1|#2|#3.5] [#10|#20|#30]"},
		{"row names of R", "a,b\nx,1,2\ny,3,4\n", table.Options{}, "row,a,b: [x|#1|#2] [y|#3|#4]"},
		{"leading zeros are words", "zip\n01234\n99999\n", table.Options{}, "zip: [01234] [99999]"},
		{"late word", "a\n1\n2\nx\n", table.Options{}, "a: [1] [2] [x]"},
		{"names twice", "a,a,\n1,2,3\n4,5,6\n", table.Options{Header: table.Present}, "a,a.2,column3: [#1|#2|#3] [#4|#5|#6]"},
		{"names twice above numbers", "a,a,y\n1,2,3\n4,5,6\n", table.Options{}, "a,a.2,y: [#1|#2|#3] [#4|#5|#6]"},
		{"words twice in a row", "red,red,a\nblue,red,b\nred,blue,c\n", table.Options{}, "column1,column2,column3: [red|red|a] [blue|red|b] [red|blue|c]"},
		{"money with thousands", "a,b\n\"$1,234\",\"5,000 %\"\n$7,3 %\n", table.Options{}, "a,b: [$1,234|5,000 %] [$7|3 %]"},
		{"UTF-16, low byte first, without a mark", "a\x00,\x00b\x00\n\x001\x00,\x00\xfc\x00\n\x00", table.Options{}, "a,b: [#1|ü]"},
		{"UTF-16, high byte first, without a mark", "\x00a\x00,\x00b\x00\n\x001\x00,\x00\xfc\x00\n", table.Options{}, "a,b: [#1|ü]"},
		{"line in a value", "a,b\n\"x\ny\",1\nz,2\n", table.Options{}, "a,b: [x\ny|#1] [z|#2]"},
		{"quotation mark within", "a,b\n5\" pipe,1\nz,2\n", table.Options{}, "a,b: [5\" pipe|#1] [z|#2]"},
		{"marks of one's own", "a,b\nNA,-9\nDE,3\n", table.Options{Missing: []string{"-9"}}, "a,b: [NA|] [DE|#3]"},
		{"words by order", "a\n1\n2\n", table.Options{Words: []string{"a"}}, "a: [1] [2]"},
		{"left out", "a,b\n1,2\n", table.Options{Drop: []string{"a"}}, "b: [#2]"},
		{"all missing", "a,b\n,1\n,2\n", table.Options{}, "a,b: [|#1] [|#2]"},
		{"a comma for both", "a;b\n1,234;5\n7,5;6\n", table.Options{}, "a,b: [#1.234|#5] [#7.5|#6]"},
		{"said decimal", "a\n1.234\n2.345\n", table.Options{Decimal: ",", Thousands: "."}, "a: [#1234] [#2345]"},
		{"large and small", "a\n1e300\n123456789012345678901\n0.1\n", table.Options{}, "a: [#1e+300] [#1.2345678901234568e+20] [#0.1]"},
	} {
		if got := show(read(t, c.text, c.o)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestRefusals shows that what is wrong with a text is said with its place.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, text string
		o          table.Options
		want       string
	}{
		{"empty", "", table.Options{}, "the text is empty"},
		{"blank", "\n\n", table.Options{}, "the text is empty"},
		{"ragged", "a,b\n1,2\n3,4\n5\n6,7\n8,9\n", table.Options{}, "line 4: the line has 1 values and the header has 2"},
		{"too many", "a,b\n1,2\n3,4\n5,6,7\n6,7\n8,9\n1,2\n", table.Options{}, "line 4: the line has 3 values and the header has 2"},
		{"ragged after lines in a value", "a,b\n\"x\n\ny\",2\n3\n4,5\n6,7\n8,9\n", table.Options{}, "line 5: the line has 1 values"},
		{"open quotation mark", "a,b\n1,\"x\n3,4\n", table.Options{}, "line 2:3: the quotation mark that opens here is never closed"},
		{"text after a quotation mark", "a,b\n\"x\"y,4\n", table.Options{}, "line 2:4: there is text after the closing quotation mark"},
		{"zero byte", "a,b\n1,\x00\n", table.Options{}, "this is not a text"},
		{"zip", "PK\x03\x04abc", table.Options{}, "a zip archive"},
		{"Parquet", "PAR1abc", table.Options{}, "Parquet"},
		{"long line", "a\n" + strings.Repeat("x", 5000) + "\n", table.Options{MaxLine: 1000}, "more than 1000 bytes"},
		{"limit", "a\n" + strings.Repeat("x\n", 5000), table.Options{MaxBytes: 1000}, "raise MaxBytes"},
		{"columns", "a,b,c\n1,2,3\n", table.Options{MaxColumns: 2}, "3 columns, more than MaxColumns, 2"},
		{"separator", "a", table.Options{Comma: "ab"}, "one ASCII sign"},
		{"decimal sign", "a", table.Options{Decimal: ";"}, "must be . or ,"},
		{"no such column", "a\n1\n", table.Options{Drop: []string{"b"}}, `there is no column "b"; there are a`},
		{"gzip that ends early", "\x1f\x8b\x08", table.Options{}, "gzip"},
	} {
		_, err := table.Read(strings.NewReader(c.text), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := table.Load(filepath.Join(t.TempDir(), "absent.csv"), table.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

// TestAgainstEncodingCSV compares the cutting of random records with encoding/csv.
func TestAgainstEncodingCSV(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	signs := []string{"a", "b", " ", ",", "\"", "\n", "7", "é", ";", "\t"}
	for range 300 {
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		width := 2 + r.IntN(4)
		w.Write([]string{"k0", "k1", "k2", "k3", "k4", "k5"}[:width])
		var want [][]string
		for range 1 + r.IntN(6) {
			record := make([]string, width)
			for i := range record {
				record[i] = "w" // so that nothing is missing or a number
				for range r.IntN(6) {
					record[i] += signs[r.IntN(len(signs))]
				}
				record[i] = strings.TrimSpace(record[i])
			}
			want = append(want, record)
			w.Write(record)
		}
		w.Flush()
		got, err := table.Read(iotest.HalfReader(bytes.NewReader(text.Bytes())), table.Options{Comma: ",", Header: table.Present, Missing: []string{}})
		if err != nil {
			t.Fatalf("%q: %v", text.String(), err)
		}
		for i, record := range want {
			for k, v := range record {
				if got.Columns[k].Text(i) != v {
					t.Fatalf("%q: row %d column %d is %q, want %q", text.String(), i, k, got.Columns[k].Text(i), v)
				}
			}
		}
	}
}

// TestLongText reads a table that is longer than a buffer and than the sample, whose column of numbers has a word at its end.
func TestLongText(t *testing.T) {
	var b strings.Builder
	b.WriteString("number,late,word\n")
	const rows = 150_000
	for i := range rows {
		late := fmt.Sprint(i)
		if i == rows-1 {
			late = "last"
		}
		fmt.Fprintf(&b, "%d.5,%s,\"w %d\"\n", i, late, i%7)
	}
	got := read(t, b.String(), table.Options{})
	if got.Rows() != rows || got.Columns[0].Numbers[rows-1] != rows-0.5 || got.Columns[1].Text(17) != "17" || got.Columns[1].Text(rows-1) != "last" || len(got.Columns[2].Levels) != 7 {
		t.Fatalf("%d rows, last %v", got.Rows(), show(got.Take([]int{17, rows - 1})))
	}
	if got.Line(17) != 19 {
		t.Errorf("row 17 is on line %d", got.Line(17))
	}
	schema, err := table.Infer(got, table.Hints{})
	if err != nil {
		t.Fatal(err)
	}
	at, last := 0, ""
	for part, err := range table.Stream(strings.NewReader(b.String()), table.Options{Schema: schema}, 4096) {
		if err != nil {
			t.Fatal(err)
		}
		if part.Columns[0].Numbers[0] != float64(at)+0.5 || part.Line(0) != at+2 {
			t.Fatalf("part at %d begins with %v on line %d", at, part.Columns[0].Numbers[0], part.Line(0))
		}
		at += part.Rows()
		last = part.Column("word").Text(part.Rows() - 1)
	}
	if at != rows || last != fmt.Sprintf("w %d", (rows-1)%7) {
		t.Errorf("streamed %d rows to %q", at, last)
	}
}

// TestKinds shows what columns are taken for.
func TestKinds(t *testing.T) {
	text := func(f func(i int) string) string {
		var b strings.Builder
		b.WriteString("x,pad\n")
		for i := range 100 {
			fmt.Fprintf(&b, "\"%s\",%d.5\n", f(i), i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name string
		f    func(i int) string
		want table.Kind
		why  string
	}{
		{"quantity", func(i int) string { return fmt.Sprintf("%d.25", i) }, table.Numeric, "from 0.25 to 99.25"},
		{"whole", func(i int) string { return fmt.Sprint(i % 30) }, table.Numeric, "whole numbers from 0 to 29"},
		{"three numbers", func(i int) string { return fmt.Sprint(1 + i%3) }, table.Category, "3 whole numbers"},
		{"counted", func(i int) string { return fmt.Sprint(i + 1) }, table.ID, "whole numbers that all differ"},
		{"bits", func(i int) string { return fmt.Sprint(i % 2) }, table.Bool, "0 or 1"},
		{"yes", func(i int) string { return []string{"Yes", "No"}[i%2] }, table.Bool, "No or Yes"},
		{"colors", func(i int) string { return []string{"red", "green", "blue"}[i%3] }, table.Category, "3 words"},
		{"names", func(i int) string { return fmt.Sprintf("Smith %d", i) }, table.ID, "nearly all values differ"},
		{"sentences", func(i int) string { return fmt.Sprintf("a few words about number %d", i) }, table.Text, "6 words a value"},
		{"ISO", func(i int) string { return fmt.Sprintf("2024-01-%02d", 1+i%28) }, table.Date, "like 2024-01-01"},
		{"days first", func(i int) string { return fmt.Sprintf("%d/3/2024", 1+i%28) }, table.Date, "like 1/3/2024"},
		{"months first", func(i int) string { return fmt.Sprintf("3/%d/2024", 1+i%28) }, table.Date, "like 3/1/2024"},
		{"dollars", func(i int) string { return fmt.Sprintf("$%d.50", i) }, table.Numeric, `numbers with "$"`},
		{"thousands of dollars", func(i int) string { return fmt.Sprintf("$%d,%03d", i+1, i) }, table.Numeric, `numbers with "$"`},
		{"days as numbers", func(i int) string { return fmt.Sprintf("202401%02d", 1+i%28) }, table.Date, "days like 20240101"},
		{"numbers that are no days", func(i int) string { return fmt.Sprintf("202401%02d", 10+i%28) }, table.Numeric, "whole numbers"},
		{"percent", func(i int) string { return fmt.Sprintf("%d %%", i) }, table.Numeric, `numbers with "%"`},
		{"nearly numbers", func(i int) string {
			if i == 50 {
				return "about 3"
			}
			return fmt.Sprint(i)
		}, table.Numeric, "numbers, but for 1 value"},
		{"constant", func(i int) string { return "same" }, table.Constant, "one value"},
		{"missing", func(i int) string { return "" }, table.Constant, "all values are missing"},
		{"value or missing", func(i int) string { return []string{"here", ""}[i%2] }, table.Category, "1 word"},
	} {
		s, err := table.Infer(read(t, text(c.f), table.Options{Header: table.Present}), table.Hints{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := s.Column("x"); d.Kind != c.want || !strings.Contains(d.Why, c.why) {
			t.Errorf("%s: %s (%s), want %s (%s)", c.name, d.Kind, d.Why, c.want, c.why)
		}
		var b bytes.Buffer
		if _, err := s.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		again, err := table.ReadSchema(&b)
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%s: the schema read again is %+v (%v), not %+v", c.name, again, err, s)
		}
	}
}

// TestEncode shows what rows become, in the training part and after it.
func TestEncode(t *testing.T) {
	train := read(t, "size,color,sold,day,price\n1,red,yes,2024-01-01,10\n2,red,no,2024-01-02,20\n,blue,yes,2024-01-03,30\n3,blue,no,2024-01-04,40\n2,green,no,2024-01-05,50\n2,red,no,2024-01-05,60\n", table.Options{})
	schema, err := table.Infer(train, table.Hints{Target: "price"})
	if err != nil {
		t.Fatal(err)
	}
	e, f, err := table.FitEncode(schema, train, []int{0, 1, 2, 3, 4, 5}, nil, table.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	numbers, codes := e.Names()
	if got, want := strings.Join(numbers, ","), "size,size missing,sold,day days,day year sin,day year cos,day week sin,day week cos"; got != want {
		t.Fatalf("numbers are %s, want %s", got, want)
	}
	if fmt.Sprint(codes, e.Vocabulary()) != "[color] [4]" {
		t.Fatalf("codes are %v %v", codes, e.Vocabulary())
	}
	if got, want := fmt.Sprint(f.Codes), "[3 3 2 2 1 3]"; got != want { // blue is 2, red is 3, green is rare
		t.Errorf("codes are %s, want %s", got, want)
	}
	size := []float64{1, 2, 2, 3, 2, 2} // the missing one is the median
	mean, square := 0.0, 0.0
	for _, v := range size {
		mean += v / 6
		square += v * v / 6
	}
	for i, v := range size {
		if got, want := float64(f.Numbers[i*8]), (v-mean)/math.Sqrt(square-mean*mean); math.Abs(got-want) > 1e-6 {
			t.Errorf("size of row %d is %v, want %v", i, got, want)
		}
	}
	same, err := e.Encode(train)
	if err != nil || !reflect.DeepEqual(same.Numbers, f.Numbers) || !reflect.DeepEqual(same.Codes, f.Codes) {
		t.Errorf("the training part is encoded anew as %v %v (%v), not %v %v", same.Numbers, same.Codes, err, f.Numbers, f.Codes)
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back table.Encoder
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	// Columns in another order, one more, other words for yes and no, and an unknown level.
	later := read(t, "more;sold;day;color;size\n9;TRUE;2024-01-02;red;2,0\n9;FALSE;2024-01-01;violet;1,0\n", table.Options{Schema: schema, Decimal: ","})
	for name, encoder := range map[string]*table.Encoder{"": e, "read again": &back} {
		g, err := encoder.Encode(later)
		if err != nil {
			t.Fatal(name, err)
		}
		if g.Numbers[0] != f.Numbers[8] || g.Numbers[8] != f.Numbers[0] || g.Numbers[2] != f.Numbers[2] || g.Numbers[10] != f.Numbers[10] || fmt.Sprint(g.Codes, g.Unseen) != "[3 1] [{1 color violet}]" {
			t.Errorf("%s: later rows are %v %v %v", name, g.Numbers, g.Codes, g.Unseen)
		}
	}
	rows, err := table.ReadJSON(strings.NewReader(`[{"size": 2, "color": "red", "sold": true, "day": "2024-01-02", "more": {"a": [1]}}, {"size": null, "sold": "no", "day": "2024-01-05"}]`), table.Options{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	if got := show(rows); got != "size,color,sold,day,price: [#2|red|true|2024-01-02|] [||no|2024-01-05|]" {
		t.Errorf("JSON rows are %s", got)
	}
	for _, c := range []struct{ name, json, csv, want string }{
		{"column absent", "", "size,color,sold\n1,red,yes\n", "the column day must be there and is not"},
		{"no number", "", "size,color,sold,day\n1,red,yes,2024-01-01\nbig,red,yes,2024-01-01\n", `line 3:1: column "size": "big" is not a number`},
		{"no date", "", "size,color,sold,day\n1,red,yes,2024-01-01\n1,red,yes,31 May\n", `line 3: column "day": "31 May" is not a date such as 2024-01-01`},
		{"no number in JSON", `{"size": "big", "color": "red", "sold": true, "day": "2024-01-02"}`, "", `row 1: column "size": "big" is not a number`},
		{"list in JSON", `{"size": [1], "color": "red", "sold": true, "day": "2024-01-02"}`, "", `column "size": a value must be a number`},
		{"absent in JSON", `{"size": 1, "color": "red", "sold": true}`, "", `column "day": no row has it`},
		{"no object", `[1, 2]`, "", `a row must be an object`},
		{"cut JSON", `[{"size": 1`, "", `ends too early`},
		{"no JSON", `size=1`, "", `this is no JSON`},
	} {
		var rows *table.Table
		var err error
		if c.csv != "" {
			rows, err = table.Read(strings.NewReader(c.csv), table.Options{Schema: schema})
		} else {
			rows, err = table.ReadJSON(strings.NewReader(c.json), table.Options{Schema: schema})
		}
		if err == nil {
			_, err = e.Encode(rows)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestLaterDates reads later days in the layout of the column and in those of ISO 8601, and refuses those that mean something else to others.
func TestLaterDates(t *testing.T) {
	for _, c := range []struct {
		days    []string
		layout  string
		good    string // all of them 2024-02-05
		refused string
	}{
		{[]string{"2024-02-05", "2024-02-17"}, "2006-01-02", "2024-02-05|2024-02-05T00:00:00|2024-02-05T00:00:00Z|2024-02-05 00:00:00", "05.02.2024"},
		{[]string{"2024-02-05T00:00:00Z", "2024-02-17T00:00:00Z"}, "2006-01-02T15:04:05Z07:00", "2024-02-05|2024-02-05T01:00:00+01:00", "2/5/2024"},
		{[]string{"05.02.2024", "17.02.2024"}, "02.01.2006", "5.2.2024|05.2.2024|2024-02-05T00:00:00Z", "2/5/2024"},
		{[]string{"5.2.2024", "17.2.2024"}, "2.1.2006", "5.2.2024|05.02.2024|2024-02-05", "2024/02/05"},
		{[]string{"02/05/24", "02/17/24"}, "01/02/06", "2/5/24|02/05/24|2024-02-05", "5.2.24"},
		{[]string{"Feb 05, 2024", "Feb 17, 2024"}, "Jan 02, 2006", "Feb 5, 2024|2024-02-05", "5 Feb 2024"},
		{[]string{"20240205", "20240217"}, "20060102", "20240205|2024-02-05", "202425"},
	} {
		column := table.Words("day", c.days...)
		rows, err := table.New(column, table.Numbers("y", 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := table.Infer(rows, table.Hints{Target: "y", Kinds: map[string]table.Kind{"day": table.Date}})
		if err != nil {
			t.Errorf("%s: %v", c.days, err)
			continue
		}
		if got := schema.Column("day").Layout; got != c.layout {
			t.Errorf("%s: the layout is %q, want %q", c.days, got, c.layout)
		}
		e, f, err := table.FitEncode(schema, rows, []int{0, 1}, nil, table.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		for _, day := range strings.Split(c.good, "|") {
			later, err := table.New(table.Words("day", day))
			if err != nil {
				t.Fatal(err)
			}
			if g, err := e.Encode(later); err != nil || !reflect.DeepEqual(g.Numbers, f.Numbers[:len(g.Numbers)]) {
				t.Errorf("%s: %q is read as %v (%v)", c.days, day, g, err)
			}
		}
		later, err := table.New(table.Words("day", c.refused))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Encode(later); err == nil || !strings.Contains(err.Error(), "is not a date such as") {
			t.Errorf("%s: %q: error %v", c.days, c.refused, err)
		}
	}
}

// TestMeansOfTheTarget shows that no row's own target enters its mean, and that later rows get the means of all rows.
func TestMeansOfTheTarget(t *testing.T) {
	const rows, levels = 3000, 30
	r := rand.New(rand.NewPCG(3, 4))
	words, y := make([]string, rows), make([]float64, rows)
	for i := range rows {
		words[i], y[i] = fmt.Sprintf("level %02d", i%levels), r.NormFloat64() // the level says nothing
	}
	tab, err := table.New(table.Words("c", words...), table.Numbers("y", y...))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := table.Infer(tab, table.Hints{Target: "y"})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]int, rows)
	for i := range all {
		all[i] = i
	}
	e, f, err := table.FitEncode(schema, tab, all, &table.Outcome{Values: y}, table.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if e.Width() != 1 {
		t.Fatalf("%d numbers", e.Width())
	}
	correlation := func(x []float32) float64 {
		sxy, sxx, syy := 0.0, 0.0, 0.0
		for i, v := range x {
			sxy += float64(v) * y[i]
			sxx += float64(v) * float64(v)
			syy += y[i] * y[i]
		}
		return sxy / math.Sqrt(sxx*syy)
	}
	later, err := e.Encode(tab)
	if err != nil {
		t.Fatal(err)
	}
	if in, out := correlation(later.Numbers), correlation(f.Numbers); in < 0.05 || out > 0.04 {
		t.Errorf("the means correlate with the targets by %.3f with themselves and %.3f without", in, out)
	}
}

// BenchmarkRead reads 16 MB of numbers and words.
func BenchmarkRead(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("a,b,c,d,e,f\n")
	r := rand.New(rand.NewPCG(5, 6))
	for text.Len() < 16<<20 {
		fmt.Fprintf(&text, "%.4f,%d,%.2f,%s,%.5g,%d\n", r.NormFloat64(), r.IntN(100000), 100*r.Float64(), []string{"red", "green", "blue"}[r.IntN(3)], r.ExpFloat64(), r.IntN(10))
	}
	path := filepath.Join(b.TempDir(), "t.csv")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Load(path, table.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
