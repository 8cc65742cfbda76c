package npy

// The tests read files of every version, byte order and element type, check that what is written reads back and has
// NumPy's bytes, and that broken files are errors that say what is wrong.

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data"
)

// file is a npy file with the given version, dictionary and elements.
func encoded(version byte, dict, body string) string {
	n := len(dict)
	size := []byte{byte(n), byte(n >> 8)}
	if version > 1 {
		size = append(size, byte(n>>16), byte(n>>24))
	}
	return magic + string([]byte{version, 0}) + string(size) + dict + body
}

func dict(descr, fortran, shape string) string {
	return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n"
}

// numpy is what NumPy 1 and 2 write for np.array([[1.5, -2], [0, 3]], dtype='<f4').
const numpy = "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }" +
	"                                                          \n" +
	"\x00\x00\xc0\x3f\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x40\x40"

var good = []struct {
	name, file string
	want       data.Array
}{
	{"numpy", numpy, data.Array{Shape: []int{2, 2}, Data: []float32{1.5, -2, 0, 3}}},
	{"big f4", encoded(1, dict(">f4", "False", "(1,)"), "\x3f\xc0\x00\x00"), data.Array{Shape: []int{1}, Data: []float32{1.5}}},
	{"f8", encoded(2, dict("<f8", "False", "(1,)"), "\x00\x00\x00\x00\x00\x00\xf8\x3f"), data.Array{Shape: []int{1}, Data: []float64{1.5}}},
	{"big f8", encoded(3, dict(">f8", "False", "(1,)"), "\x3f\xf8\x00\x00\x00\x00\x00\x00"), data.Array{Shape: []int{1}, Data: []float64{1.5}}},
	{"i4", encoded(1, dict("<i4", "False", "(2,)"), "\x01\x02\x00\x00\xff\xff\xff\xff"), data.Array{Shape: []int{2}, Data: []int32{513, -1}}},
	{"big i8", encoded(1, dict(">i8", "False", "(1,)"), "\x00\x00\x00\x00\x00\x00\x01\x00"), data.Array{Shape: []int{1}, Data: []int64{256}}},
	{"u1", encoded(1, dict("|u1", "False", "(3,)"), "\x00\x7f\xff"), data.Array{Shape: []int{3}, Data: []uint8{0, 127, 255}}},
	{"b1", encoded(1, dict("|b1", "False", "(3,)"), "\x00\x01\x7f"), data.Array{Shape: []int{3}, Data: []bool{false, true, true}}},
	{"scalar", encoded(1, dict("<i4", "False", "()"), "\x01\x00\x00\x00"), data.Array{Shape: []int{}, Data: []int32{1}}},
	{"empty", encoded(1, dict("<f4", "False", "(0, 3)"), ""), data.Array{Shape: []int{0, 3}, Data: []float32{}}},
	{"empty bools", encoded(1, dict("|b1", "True", "(2, 0)"), ""), data.Array{Shape: []int{2, 0}, Data: []bool{}}},
	{"fortran", encoded(1, dict("|u1", "True", "(2, 3)"), "\x00\x03\x01\x04\x02\x05"), data.Array{Shape: []int{2, 3}, Data: []uint8{0, 1, 2, 3, 4, 5}}},
	{"fortran of 3 axes", encoded(1, dict("|u1", "True", "(2, 2, 2)"), "\x00\x04\x02\x06\x01\x05\x03\x07"), data.Array{Shape: []int{2, 2, 2}, Data: []uint8{0, 1, 2, 3, 4, 5, 6, 7}}},
	{"fortran bools", encoded(1, dict("|b1", "True", "(1, 2)"), "\x00\x01"), data.Array{Shape: []int{1, 2}, Data: []bool{false, true}}},
	{"f2", encoded(1, dict("<f2", "False", "(4,)"), "\x00\x3e\x00\xc0\xff\x7b\x01\x00"), data.Array{Shape: []int{4}, Data: []float32{1.5, -2, 65504, 1. / (1 << 24)}}},
	{"big f2", encoded(1, dict(">f2", "True", "(2, 1)"), "\x3e\x00\x7c\x00"), data.Array{Shape: []int{2, 1}, Data: []float32{1.5, float32(math.Inf(1))}}},
	{"i1", encoded(1, dict("|i1", "False", "(2,)"), "\x7f\x80"), data.Array{Shape: []int{2}, Data: []int8{127, -128}}},
	{"i2", encoded(1, dict("<i2", "False", "(2,)"), "\x01\x02\xff\xff"), data.Array{Shape: []int{2}, Data: []int16{513, -1}}},
	{"big i2", encoded(1, dict(">i2", "False", "(1,)"), "\x02\x01"), data.Array{Shape: []int{1}, Data: []int16{513}}},
	{"big i4", encoded(1, dict(">i4", "False", "(1,)"), "\xff\xff\xff\xfe"), data.Array{Shape: []int{1}, Data: []int32{-2}}},
	{"u2", encoded(1, dict("<u2", "False", "(2,)"), "\x01\x02\xff\xff"), data.Array{Shape: []int{2}, Data: []int32{513, 65535}}},
	{"fortran u2", encoded(1, dict(">u2", "True", "(2, 2)"), "\x00\x00\x00\x02\x00\x01\x00\x03"), data.Array{Shape: []int{2, 2}, Data: []int32{0, 1, 2, 3}}},
	{"u4", encoded(1, dict("<u4", "False", "(1,)"), "\xff\xff\xff\xff"), data.Array{Shape: []int{1}, Data: []int64{1<<32 - 1}}},
	{"big u8", encoded(1, dict(">u8", "False", "(1,)"), "\x7f\xff\xff\xff\xff\xff\xff\xff"), data.Array{Shape: []int{1}, Data: []int64{math.MaxInt64}}},
	{"other spelling", encoded(1, `{"shape":(2L,),"fortran_order":True,"descr":"<i4"}`, "\x01\x00\x00\x00\x02\x00\x00\x00"), data.Array{Shape: []int{2}, Data: []int32{1, 2}}},
}

var bad = []struct{ name, file, want string }{
	{"nothing", "", "no header"},
	{"text", "0.1,0.2,0.3,0.4\n", "not a npy file"},
	{"version", encoded(9, dict("<f4", "False", "(1,)"), ""), "version 9.0"},
	{"no length", magic + "\x01\x00", "no header length"},
	{"header cut", numpy[:40], "header is incomplete"},
	{"huge header", magic + "\x02\x00\xff\xff\xff\x7f", "a header of 2147483647 bytes"},
	{"truncated", numpy[:len(numpy)-1], "truncated: 3 of 4"},
	{"trailing", numpy + "x", "goes on after the last element"},
	{"absurd", encoded(1, dict("<f8", "False", "(1048576, 1048576)"), "12345678"), "more than the limit of 4294967296 bytes: if that is right, raise MaxBytes"},
	{"overflow", encoded(1, dict("<f4", "False", "(4611686018427387904, 4611686018427387904)"), ""), "more bytes than memory"},
	{"overflow beside zero", encoded(1, dict("<f4", "False", "(0, 4611686018427387904)"), ""), "more bytes than memory"},
	{"too large a size", encoded(1, dict("<f4", "False", "(99999999999999999999,)"), ""), "is not a size"},
	{"negative", encoded(1, dict("<f4", "False", "(-1,)"), ""), "negative size -1"},
	{"large u8", encoded(1, dict("<u8", "False", "(2,)"), "\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"), `element 1 is 18446744073709551615, more than int64 holds: save x.astype('float64')`},
	{"long double", encoded(1, dict("<f16", "False", "(1,)"), "0123456789abcdef"), `type "f16" are not read (extended floats)`},
	{"complex", encoded(1, dict("<c8", "False", "(1,)"), "01234567"), "save x.real and x.imag as two arrays"},
	{"bfloat16", encoded(1, dict("<V2", "False", "(1,)"), "01"), "such as bfloat16), only f2"},
	{"time", encoded(1, dict("<M8[ns]", "False", "(1,)"), "01234567"), "save x.astype('int64')"},
	{"i3", encoded(1, dict("<i3", "False", "(1,)"), "012"), `type "i3" are not read (an unknown type)`},
	{"i16", encoded(1, dict("<i16", "False", "(1,)"), "0123456789abcdef"), `type "i16" are not read (an unknown type)`},
	{"long type", encoded(1, dict("<"+strings.Repeat("x", 9999), "False", "(1,)"), ""), " and 9939 bytes more are not read"},
	{"terminal escape", encoded(1, dict("<\x1b[31m", "False", "(1,)"), ""), `type "\x1b[31m" are not read`},
	{"plus zero minus", encoded(1, dict("|u1", "False", "(+-1,)"), "1"), "is not a size"},
	{"nested shape", encoded(1, dict("|u1", "False", strings.Repeat("(", 60000)), ""), "is not a size"},
	{"nested dictionary", encoded(1, strings.Repeat("{", 60000), ""), "want a string"},
	{"float size", encoded(1, dict("|u1", "False", "(1.0,)"), "1"), "want a comma"},
	{"hexadecimal size", encoded(1, dict("|u1", "False", "(0x1,)"), "1"), "want a comma"},
	{"many axes", encoded(1, dict("|u1", "False", "("+strings.Repeat("2,", 20000)+")"), "1"), "more bytes than memory"},
	{"negative beside zero", encoded(1, dict("|u1", "False", "(0, -9223372036854775808)"), ""), "negative size"},
	{"version 2 with a length of version 1", "\x93NUMPY\x02\x00v\x00{'de", "a header of"},
	{"object", encoded(1, dict("|O", "False", "(1,)"), "x"), `type "O" are not read`},
	{"text elements", encoded(1, dict("<U5", "False", "(1,)"), "x"), `type "U5" are not read`},
	{"no byte order", encoded(1, dict("|f4", "False", "(1,)"), "1234"), "need a byte order"},
	{"odd byte order", encoded(1, dict("=f4", "False", "(1,)"), "1234"), "want a byte order"},
	{"records", encoded(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234"), "structured arrays"},
	{"list", encoded(1, "[1]", ""), "want a dictionary"},
	{"missing key", encoded(1, "{'descr': '<f4', 'shape': (1,)}", ""), `"fortran_order" is missing`},
	{"unknown key", encoded(1, "{'descr': '<f4', 'x': 1}", ""), `unknown key "x"`},
	{"twice", encoded(1, "{'descr': '<f4', 'descr': '<f4'}", ""), "occurs twice"},
	{"no tuple", encoded(1, dict("<f4", "False", "(1)"), "1234"), "is not a tuple"},
	{"not closed", encoded(1, "{'shape': (1,", ""), "is not a size"},
	{"open string", encoded(1, "{'descr': '<f4", ""), "does not end"},
	{"no comma", encoded(1, "{'descr': '<f4' 'shape': (1,)}", ""), "want a comma"},
	{"order", encoded(1, dict("<f4", "Maybe", "(1,)"), ""), "True or False"},
	{"after", encoded(1, dict("<f4", "False", "(1,)")+"x", "1234"), "text after the dictionary"},
}

func TestRead(t *testing.T) {
	for _, c := range good {
		got, err := Read(strings.NewReader(c.file))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
	for _, c := range bad {
		got, err := Read(strings.NewReader(c.file))
		if err == nil || !strings.HasPrefix(err.Error(), "npy: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want an error with %q", c.name, got, err, c.want)
		}
	}
}

// TestLimits measures the memory that headers take that promise more than there is, or more than is asked for.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name, file string
		how        Options
		want       string
	}{
		{"promise", encoded(1, dict("<f4", "False", "(1000, 1000, 1000)"), "1234"), Options{}, "truncated: 1 of 1000000000"},
		{"beyond the limit", encoded(1, dict("|u1", "False", "(4294967297,)"), "1"), Options{}, "more than the limit of 4294967296 bytes"},
		{"bools", encoded(1, dict("|b1", "False", "(4294967297,)"), "1"), Options{}, "more than the limit of 4294967296 bytes"},
		{"at a limit", encoded(1, dict("<f4", "False", "(2,)"), "12345678"), Options{MaxBytes: 8}, ""},
		{"beyond a limit", encoded(1, dict("<f4", "False", "(3,)"), "12345678abcd"), Options{MaxBytes: 8}, "more than the limit of 8 bytes"},
		{"no limit", encoded(1, dict("<u8", "True", "(1099511627776, 2)"), "12345678"), Options{MaxBytes: -1}, "truncated: 1 of"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.how.Read(strings.NewReader(c.file))
		runtime.ReadMemStats(&after)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 2<<20 {
			t.Errorf("%s: takes %d bytes of memory", c.name, taken)
		}
	}
}

func TestWrite(t *testing.T) {
	var buf bytes.Buffer
	if err := Write(&buf, good[0].want); err != nil || buf.String() != numpy {
		t.Errorf("wrote %q, %v, want %q", buf.String(), err, numpy)
	}
	for _, c := range good {
		buf.Reset()
		if err := Write(&buf, c.want); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got, err := Read(&buf); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: wrote %v, read %v, %v", c.name, c.want, got, err)
		}
	}
	long := data.Array{Shape: make([]int, 30000), Data: []uint8{7}}
	for i := range long.Shape {
		long.Shape[i] = 1
	}
	for _, a := range []data.Array{
		{Shape: []int{2}, Data: []uint16{1, 2}},
		{Shape: []int{2}, Data: []float32{1}},
		{Shape: []int{-1}, Data: []float32{1}},
		{},
		long,
	} {
		buf.Reset()
		if err := Write(&buf, a); err == nil || buf.Len() != 0 {
			t.Errorf("%T with %d axes: %v, %d bytes written", a.Data, len(a.Shape), err, buf.Len())
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npy")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	for _, c := range good {
		if err := Save(path, c.want); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(path); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	before, _ := os.ReadFile(path)
	if err := Save(path, data.Array{}); err == nil {
		t.Error("an array without elements was saved")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a failed Save changed the file")
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("files left behind: %v", names)
	}
	if err := Save(filepath.Join(dir, "none", "x.npy"), good[0].want); err == nil {
		t.Error("saved into a folder that does not exist")
	}
	os.WriteFile(path, []byte("text"), 0o600)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
}

func FuzzNPY(f *testing.F) {
	for _, c := range good {
		f.Add([]byte(c.file))
	}
	for _, c := range bad {
		f.Add([]byte(c.file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := Read(bytes.NewReader(file))
		if err != nil {
			return
		}
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := Write(&buf, a); err != nil {
			t.Fatal(err)
		}
		first := buf.String()
		b, err := Read(&buf)
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := Write(&again, b); err != nil || again.String() != first {
			t.Fatalf("%v: wrote %q, then %q", err, first, again.String())
		}
	})
}
