package data

// The tests read good tables in their variants and check that bad ones are errors with line, column and cause.

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

const flowers = "sepal, petal ,kind\n5.1,1.4,setosa\n7,4.7,versicolor\n6.3,6,virginica\n4.9,1.4,setosa\n"

// shown is a table in one line.
func shown(t *Table) string {
	s := fmt.Sprint(t.Columns, t.Classes)
	for _, name := range t.Set.Names() {
		x, _ := t.Set.Tensor(name)
		s += fmt.Sprintf(" %s %v %v %v", name, x.DType(), x.Shape(), x.Floats())
	}
	return s
}

func TestReadCSV(t *testing.T) {
	for _, c := range []struct {
		name, text string
		how        CSV
		want       string
	}{
		{"features alone", "a,b\n1,2\n3,4\n", CSV{}, "[a b] [] features f32 [2 2] [1 2 3 4]"},
		{"no line end, CRLF, BOM", "\ufeffa,b\r\n1,2\r\n3,4", CSV{}, "[a b] [] features f32 [2 2] [1 2 3 4]"},
		{"no header", "1,2\n3,4\n", CSV{NoHeader: true, Target: "1"}, "[0] [] features f32 [2 1] [1 3] label f32 [2] [2 4]"},
		{"target", "a,y\n1,2\n3,4\n", CSV{Target: "y"}, "[a] [] features f32 [2 1] [1 3] label f32 [2] [2 4]"},
		{"class", flowers, CSV{Class: "kind"}, "[sepal petal] [setosa versicolor virginica] features f32 [4 2] [5.1 1.4 7 4.7 6.3 6 4.9 1.4] label i32 [4] [0 1 2 0]"},
		{"given classes", flowers, CSV{Class: "kind", Columns: []string{"petal"}, Classes: []string{"x", "virginica", "versicolor", "setosa"}},
			"[petal] [x virginica versicolor setosa] features f32 [4 1] [1.4 4.7 6 1.4] label i32 [4] [3 2 1 3]"},
		{"numbered classes", "a,k\n1,10\n2,9\n3,10\n", CSV{Class: "k"}, "[a] [9 10] features f32 [3 1] [1 2 3] label i32 [3] [1 0 1]"},
		{"columns in another order", "a,b,c\n1,x,3\n", CSV{Columns: []string{"c", "a"}}, "[c a] [] features f32 [1 2] [3 1]"},
		{"ends of f32", "a\n3.4028235e38\n-1e-45\n0e99999\n-0\n", CSV{}, fmt.Sprint("[a] [] features f32 [4 1] ", []float64{math.MaxFloat32, -math.SmallestNonzeroFloat32, 0, math.Copysign(0, -1)})},
		{"beyond f32", "a,y\n1e39,1e-300\n", CSV{F64: true, Target: "y"}, "[a] [] features f64 [1 1] [1e+39] label f64 [1] [1e-300]"},
		{"forms of numbers", "a\n1.\n.5\n+1E+2\n  -1e-2  \n\"007\"\n", CSV{F64: true}, "[a] [] features f64 [5 1] [1 0.5 100 -0.01 7]"},
		{"at the limits", "a\n" + strings.Repeat("1\n", 2), CSV{MaxBytes: 6, MaxLine: 2}, "[a] [] features f32 [2 1] [1 1]"},
		{"numbers and others as classes", "a,k\n1,10\n2,0x9\n", CSV{Class: "k"}, "[a] [0x9 10] features f32 [2 1] [1 2] label i32 [2] [1 0]"},
		{"semicolons, comment, quotes, spaces", "# made by hand\na;b\n\" 1\";\t2e1\n-0.5;+3\n", CSV{Comma: ';', Comment: '#'}, "[a b] [] features f32 [2 2] [1 20 -0.5 3]"},
	} {
		table, err := c.how.Read(strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := shown(table)
		for _, v := range []float64{5.1, 1.4, 4.7, 6.3, 4.9} { // F32 shows its rounding
			got = strings.ReplaceAll(got, fmt.Sprint(float64(float32(v))), fmt.Sprint(v))
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	table, err := CSV{}.Read(strings.NewReader("a\n0.1\n"))
	if err != nil {
		t.Fatal(err)
	}
	exact, err := table.Set.Cast("features", tarn.F64)
	if err != nil {
		t.Fatal(err)
	}
	if x, _ := exact.Tensor("features"); x.F64()[0] != 0.1 {
		t.Errorf("0.1 is kept as %v", x.F64()[0])
	}
}

func TestBadCSV(t *testing.T) {
	for _, c := range []struct {
		name, text string
		how        CSV
		want       string
	}{
		{"empty", "", CSV{}, "the file is empty"},
		{"no data", "a,b\n", CSV{}, "a header but no data"},
		{"missing", "a,b\n1,2\n3,\n", CSV{}, `3:3: column "b": the value is missing`},
		{"missing word", "a,b\n1,NaN\n", CSV{}, `2:3: column "b": the value is missing ("NaN")`},
		{"missing target", "a,b\n1,?\n", CSV{Target: "b"}, `2:3: column "b": the value is missing`},
		{"missing class", "a,b\n1,\n", CSV{Class: "b"}, `2:3: column "b": the class is missing`},
		{"text is not UTF-8", "\xff\xfea\x00", CSV{}, "the text is UTF-16: save it as UTF-8"},
		{"gzip", "\x1f\x8b\x08\x00", CSV{}, "compressed: unpack it first"},
		{"zip", "PK\x03\x04", CSV{}, "compressed: unpack it first"},
		{"hexadecimal", "a\n0x1p-2\n", CSV{}, `2:1: column "a": "0x1p-2" is not a decimal number: write it with decimal digits`},
		{"separators", "a,b\n1,1_000\n", CSV{Target: "b"}, `2:3: column "b": "1_000" is not a decimal number: write its digits without separators`},
		{"separators by comma", "a,b\n1,\"1,000,000\"\n", CSV{}, `"1,000,000" is not a number`},
		{"decimal comma", "a;b\n1,5;2\n", CSV{Comma: ';'}, `"1,5" is not a decimal number: the decimal sign is a point`},
		{"infinity", "a\nInfinity\n", CSV{}, `"Infinity" is not a finite number`},
		{"beyond f32", "a\n1\n1e39\n", CSV{}, `3:1: column "a": "1e39" is beyond f32, whose largest number is about 3.4e38: scale the column, or set F64`},
		{"beyond f32 by rounding", "a\n-3.4028236e38\n", CSV{}, "beyond f32"},
		{"target beyond f32", "a,y\n1,-1e39\n", CSV{Target: "y"}, `2:3: column "y": "-1e39" is beyond f32`},
		{"below f32", "a\n1e-46\n", CSV{}, `"1e-46" would become 0 in f32, whose smallest number is about 1.4e-45: scale the column, or set F64`},
		{"below f64", "a\n1e-400\n", CSV{F64: true}, `"1e-400" would become 0 in float64`},
		{"beyond f64", "a\n1e309\n", CSV{F64: true}, `"1e309" is not a finite number`},
		{"words", "a\nnil\n", CSV{}, `"nil" is not a number`},
		{"a long line", "a\n1" + strings.Repeat(" ", 100) + "\n2\n", CSV{MaxLine: 50}, "a line has more than 50 bytes"},
		{"a long header", strings.Repeat("a", 51) + "\n1\n", CSV{MaxLine: 50}, "a line has more than 50 bytes"},
		{"a long text", "a\n" + strings.Repeat("1\n", 50), CSV{MaxBytes: 101}, "the text has more than 101 bytes"},
		{"a long quotation", "a,b\n1,\"" + strings.Repeat("2\n", 100) + "\"\n", CSV{MaxLine: 50}, "a line has more than 50 bytes"},
		{"missing N/A", "a\nN/A\n", CSV{}, `the value is missing ("N/A")`},
		{"too few", "a,b\n1,2\n3\n", CSV{}, "line 3 has 1 values and the first line 2"},
		{"too many", "a,b\n1,2,3\n", CSV{}, "line 2 has 3 values and the first line 2"},
		{"terminal escapes", "a\x1b[2J,b\n1,2\n", CSV{Target: "c"}, `there are: "a\x1b[2J", b`},
		{"many columns", strings.Repeat("column,", 9999) + "x\n", CSV{Target: "c"}, "column and 9937 more"},
		{"text", "a,b\n1,two\n", CSV{}, `2:3: column "b": "two" is not a number`},
		{"infinite", "a\n-inf\n", CSV{}, `2:1: column "a": "-inf" is not a finite number`},
		{"too large", "a\n1e999\n", CSV{}, `"1e999" is not a finite number`},
		{"after a quoted line break", "a,b\n\"1\n\",2\n3,x\n", CSV{}, `4:3: column "b": "x"`},
		{"ragged", "a,b\n1,2\n3\n", CSV{}, "line 3"},
		{"open quote", "a,b\n\"1,2\n", CSV{}, "line"},
		{"no column", "a,b\n1,2\n", CSV{Columns: []string{"c"}}, `no column "c", there are: a, b`},
		{"no label", "a,b\n1,2\n", CSV{Target: "c"}, `no column "c"`},
		{"ambiguous", "a,a\n1,2\n", CSV{Columns: []string{"a"}}, `two columns are named "a"`},
		{"label as feature", "a,b\n1,2\n", CSV{Columns: []string{"a", "b"}, Target: "b"}, "both a feature and the label"},
		{"no features", "a\n1\n", CSV{Target: "a"}, "no column is left"},
		{"two labels", "a,b,c\n1,2,3\n", CSV{Target: "b", Class: "c"}, "Target or Class, not both"},
		{"unknown class", flowers, CSV{Class: "kind", Classes: []string{"setosa", "virginica"}}, `3:7: column "kind": unknown class "versicolor", there are: setosa, virginica`},
		{"delimiter", "a\n1\n", CSV{Comma: '\n'}, "invalid field or comment delimiter"},
	} {
		_, err := c.how.Read(strings.NewReader(c.text))
		refused(t, c.name, err, c.want)
	}
}

// TestCSVMemory reads endless lines and texts, which take little memory.
func TestCSVMemory(t *testing.T) {
	for _, c := range []struct{ name, head, again, want string }{
		{"no line end", "", "a", "a line has more than 4194304 bytes"},
		{"commas", "", ",", "a line has more than 4194304 bytes"},
		{"zeros", "", "\x00", "a line has more than 4194304 bytes"},
		{"spaces in a value", "a\n1", " ", "a line has more than 4194304 bytes"},
		{"open quotation", "a\n\"", "1\n", "a line has more than 4194304 bytes"},
		{"empty lines", "a\n", "\n", "a line has more than 4194304 bytes"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := CSV{}.Read(io.MultiReader(strings.NewReader(c.head), &endless{again: c.again}))
		runtime.ReadMemStats(&after)
		refused(t, c.name, err, c.want)
		if taken := (after.TotalAlloc - before.TotalAlloc) >> 20; taken > 1000 {
			t.Errorf("%s: %d MiB of memory", c.name, taken)
		}
	}
}

// endless is a text repeated without end.
type endless struct {
	again string
	n     int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.again[e.n%len(e.again)]
		e.n++
	}
	return len(p), nil
}

func TestLoadCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.csv")
	_, err := CSV{}.Load(path)
	refused(t, "a missing file", err, path)
	os.WriteFile(path, []byte("a\n1\n"), 0o600)
	if table, err := (CSV{}).Load(path); err != nil || table.Set.Len() != 1 {
		t.Errorf("%v", err)
	}
	os.WriteFile(path, []byte("a\nx\n"), 0o600)
	_, err = CSV{}.Load(path)
	refused(t, "a broken file", err, path+": 2:1: ")
}

func FuzzCSV(f *testing.F) {
	f.Add(flowers, ",", "kind")
	f.Add("a;b\n1;2\n", ";", "")
	f.Add("\ufeff\"a\n\",b\n1,2\n", ",", "b")
	f.Add("a\n1e999\n", "", "a")
	f.Fuzz(func(t *testing.T, text, comma, class string) {
		how := CSV{Class: class}
		for _, r := range comma {
			how.Comma = r
		}
		table, err := how.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		full, err := table.Set.Cast("features", tarn.F64)
		if err != nil {
			t.Fatal(err)
		}
		x, err := full.Tensor("features")
		if err != nil || len(x.F64()) != table.Set.Len()*len(table.Columns) {
			t.Fatalf("%v, %v", x, err)
		}
		if slices.ContainsFunc(x.F64(), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
			t.Fatal("a value is not finite")
		}
	})
}
