package gguf

// The tests compare with what the Python package gguf makes of each type, by testdata/goldens.py, and feed the reader broken files.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

const small = "testdata/small.gguf"

func TestGolden(t *testing.T) {
	f, err := Load(small)
	if err != nil {
		t.Fatal(err)
	}
	want := Metadata{
		"general.architecture": "test",
		"one.uint8":            uint8(255), "one.int8": int8(-128), "one.uint16": uint16(65535), "one.int16": int16(-32768), "one.uint32": uint32(math.MaxUint32), "one.int32": int32(math.MinInt32),
		"one.uint64": uint64(math.MaxUint64), "one.int64": int64(math.MinInt64), "one.float32": float32(1.5), "one.float64": 0.1, "one.bool": true, "one.string": "tęxt",
		"several.uint8": []uint8{255, 255}, "several.int8": []int8{-128, -128}, "several.uint16": []uint16{65535, 65535}, "several.int16": []int16{-32768, -32768},
		"several.uint32": []uint32{math.MaxUint32, math.MaxUint32}, "several.int32": []int32{math.MinInt32, math.MinInt32}, "several.uint64": []uint64{math.MaxUint64, math.MaxUint64},
		"several.int64": []int64{math.MinInt64, math.MinInt64}, "several.float32": []float32{1.5, 1.5}, "several.float64": []float64{0.1, 0.1}, "several.bool": []bool{true, true},
		"several.string": []string{"tęxt", "tęxt"},
	}
	for key, v := range want {
		if !reflect.DeepEqual(f.Metadata[key], v) {
			t.Errorf("%s is %T %v, want %T %v", key, f.Metadata[key], f.Metadata[key], v, v)
		}
	}
	compared := 0
	for name, x := range f.Tensors {
		if y, ok := f.Tensors[name+".want"]; ok {
			compared++
			if diff := x.Diff(y, 0); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
	if compared != 9 {
		t.Errorf("%d quantized tensors are compared", compared)
	}
	for name, want := range map[string]*tarn.Tensor{
		"i8": column(-128, 127), "i16": tarn.Vector([]int32{-32768, 7}), "i64": tarn.Vector([]int64{1 << 62}),
	} {
		if diff := f.Tensors[name].Diff(want, 0); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f32 := f.Tensors["f32"]
	if !slices.Equal(f32.Shape(), []int{3, 5}) || !slices.Equal(f.Tensors["i32"].Shape(), []int{1, 1, 1}) {
		t.Errorf("the shapes are %v and %v", f32.Shape(), f.Tensors["i32"].Shape())
	}
	if diff := f.Tensors["f16"].Diff(f32, 1e-3); diff != "" {
		t.Errorf("f16: %s", diff)
	}
	for i, v := range f.Tensors["f64"].F64() {
		if v != f32.Float(i) {
			t.Errorf("f64: element %d is %v, want %v", i, v, f32.Float(i))
		}
	}
	// The numbers are those that were quantized.
	for name, tolerance := range map[string]float64{"bf16": 0.02, "q8_0": 0.04, "q4_0": 0.7, "q4_1": 0.4, "q5_0": 0.4, "q5_1": 0.2} {
		x := f.Tensors[name]
		for i := range 3 {
			for j := range 5 {
				if d := x.Float(i*64+j) - f32.Float(i*5+j); math.Abs(d) > tolerance {
					t.Errorf("%s: element %d of row %d is off by %v", name, j, i, d)
				}
			}
		}
	}
}

func column(v ...int32) *tarn.Tensor {
	t, err := tarn.Vector(v).Reshape(len(v), 1)
	if err != nil {
		panic(err)
	}
	return t
}

func TestMetadata(t *testing.T) {
	f, err := Options{Only: []string{"i8"}}.Load(small)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "int64"} {
		n, err := f.Metadata.Int("one." + kind)
		if v := reflect.ValueOf(f.Metadata["one."+kind]); err != nil || fmt.Sprint(n) != fmt.Sprint(v.Interface()) {
			t.Errorf("%s: %d, %v", kind, n, err)
		}
	}
	for _, kind := range []string{"float32", "float64"} {
		if x, err := f.Metadata.Float("one." + kind); err != nil || x == 0 {
			t.Errorf("%s: %v, %v", kind, x, err)
		}
	}
	if s, err := f.Metadata.Text("general.architecture"); err != nil || s != "test" {
		t.Errorf("%q, %v", s, err)
	}
	mistakes := map[string]func() error{
		`the metadata has no "none"`:                      func() error { _, err := f.Metadata.Int("none"); return err },
		`"one.string" is of type string, want an integer`: func() error { _, err := f.Metadata.Int("one.string"); return err },
		"more than an int holds":                          func() error { _, err := f.Metadata.Int("one.uint64"); return err },
		"is of type uint8, want a float":                  func() error { _, err := f.Metadata.Float("one.uint8"); return err },
		"is of type []string, want a string":              func() error { _, err := f.Metadata.Text("several.string"); return err },
	}
	for want, f := range mistakes {
		if err := f(); err == nil || !strings.HasPrefix(err.Error(), "gguf: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestReader(t *testing.T) {
	r, err := Options{Only: []string{"q*", "f32"}, Skip: []string{"*.want", "q5*"}}.Open(small)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, want := r.Names(), []string{"f32", "q4_0", "q4_1", "q8_0", "q4_k", "q6_k"}; !slices.Equal(got, want) {
		t.Errorf("the names are %v, want %v", got, want)
	}
	if info, ok := r.Info("q6_k"); !ok || info.Type != "Q6_K" || !slices.Equal(info.Shape, []int{2, 512}) {
		t.Errorf("%v, %v", info, ok)
	}
	if _, ok := r.Info("f16"); ok {
		t.Error("what is not read has an Info")
	}
	if x, err := r.Tensor("q4_0"); err != nil || x.DType() != tarn.F32 {
		t.Errorf("%v, %v", x, err)
	}
	if _, err := r.Tensor("f16"); err == nil || !strings.Contains(err.Error(), `no tensor "f16" among the 6`) {
		t.Errorf("what is not read: %v", err)
	}
	if r.Metadata()["one.bool"] != true {
		t.Errorf("%v", r.Metadata())
	}
	for _, c := range []struct {
		o    Options
		path string
		want string
	}{
		{Options{Only: []string{"x"}}, small, `only: no tensor matches "x"`},
		{Options{Only: []string{"f32"}, MaxBytes: 59}, small, "raise MaxBytes"},
		{Options{Only: []string{"f32"}, MaxBytes: 60}, small, ""},
		{Options{}, "testdata", "not a regular file"},
		{Options{}, "testdata/none", "none"},
	} {
		if _, err := c.o.Load(c.path); (err == nil) != (c.want == "") || err != nil && (!strings.HasPrefix(err.Error(), "gguf: ") || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.o, err, c.want)
		}
	}
}

func TestLoadWeights(t *testing.T) {
	var m struct{ Weight, Other *tarn.Param }
	m.Weight, m.Other = tarn.NewParam(tarn.F32, nil, 3, 64), tarn.NewParam(tarn.F32, nil, 2)
	o := safetensors.LoadOptions{Only: []string{"q8_0"}, Rename: map[string]string{"q8_*": "weight"}, AllowMissing: []string{"other"}}
	if err := LoadWeights(small, &m, o); err != nil || m.Weight.Tensor().Float(1) == 0 {
		t.Errorf("%v, %v", err, m.Weight.Tensor())
	}
	o.AllowMissing = nil
	if err := LoadWeights(small, &m, o); err == nil || !strings.Contains(err.Error(), "missing: other f32[2]") {
		t.Errorf("a param without a tensor: %v", err)
	}
	if err := LoadWeights(small, 7, o); err == nil || !strings.HasPrefix(err.Error(), "gguf: ") {
		t.Errorf("no model: %v", err)
	}
}

// builder makes files.
type builder struct{ b []byte }

func (b *builder) u32(v ...uint32) *builder {
	for _, v := range v {
		b.b = binary.LittleEndian.AppendUint32(b.b, v)
	}
	return b
}

func (b *builder) u64(v ...uint64) *builder {
	for _, v := range v {
		b.b = binary.LittleEndian.AppendUint64(b.b, v)
	}
	return b
}

func (b *builder) text(s string) *builder {
	b.u64(uint64(len(s)))
	b.b = append(b.b, s...)
	return b
}

func (b *builder) raw(s string) *builder { b.b = append(b.b, s...); return b }

// to pads.
func (b *builder) to(n int) *builder {
	for len(b.b)%n != 0 {
		b.b = append(b.b, 0)
	}
	return b
}

func begin(tensors, values uint64) *builder {
	return (&builder{[]byte(magic)}).u32(3).u64(tensors, values)
}

// tensor is a file of one tensor.
func tensor(name string, kind uint32, offset uint64, data string, dims ...uint64) *builder {
	return begin(1, 0).text(name).u32(uint32(len(dims))).u64(dims...).u32(kind).u64(offset).to(32).raw(data)
}

func broken() map[string]struct {
	file *builder
	want string
} {
	return map[string]struct {
		file *builder
		want string
	}{
		"nothing":               {&builder{}, "not a GGUF file"},
		"text":                  {(&builder{}).raw("text and more"), `begins with "text"`},
		"magic":                 {(&builder{}).raw(magic), "cut off"},
		"version 1":             {(&builder{}).raw(magic).u32(1).u32(0, 0), "version 1 "},
		"version 4":             {(&builder{}).raw(magic).u32(4).u64(0, 0), "version 4 "},
		"big-endian":            {(&builder{}).raw(magic).u32(3<<24).u64(0, 0), "big-endian"},
		"no counts":             {(&builder{}).raw(magic).u32(3), "cut off"},
		"many tensors":          {begin(1<<60, 0), "the tensors would be 1152921504606846976"},
		"many values":           {begin(0, 1<<63), "the values of the metadata would be"},
		"long key":              {begin(0, 1).u64(1 << 40).raw("12345"), "the bytes of a key"},
		"key not UTF-8":         {begin(0, 1).text("\xff").u32(0).raw("123456789012"), "not UTF-8"},
		"key twice":             {begin(0, 2).text("a").u32(7).raw("\x01").text("a").u32(7).raw("\x01"), `"a" twice`},
		"unknown type":          {begin(0, 1).text("a").u32(13).raw("12345678"), "unknown type 13"},
		"bool of 2":             {begin(0, 1).text("a").u32(7).raw("\x02"), "want 0 or 1"},
		"long string":           {begin(0, 1).text("a").u32(8).u64(1 << 62).raw("x"), "the bytes of a string would be"},
		"long array":            {begin(0, 1).text("a").u32(9, 4).u64(1 << 61).raw("x"), "the elements of an array would be"},
		"long array of strings": {begin(0, 1).text("a").u32(9, 8).u64(3).text("x").u64(7), "the elements of an array would be 3"},
		"array of unknown":      {begin(0, 1).text("a").u32(9, 99).u64(0), "unknown type 99"},
		"deep arrays": {begin(0, 1).text("a").u32(9).raw(strings.Repeat("\x09\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", 1000)).raw("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
			"more than 8 deep"},
		"alignment 3":          {begin(0, 1).text("general.alignment").u32(4, 3), "want a power of two"},
		"alignment 0":          {begin(0, 1).text("general.alignment").u32(4, 0), "want a power of two"},
		"alignment text":       {begin(0, 1).text("general.alignment").u32(8).text("32"), "want a power of two"},
		"no tensor":            {begin(1, 0).raw(strings.Repeat("\x00", 7)), "the tensors would be 1"},
		"name not UTF-8":       {tensor("\xff", 0, 0, "1234", 1), "not UTF-8"},
		"five axes":            {tensor("x", 0, 0, "1234", 1, 1, 1, 1, 1), "has 5 axes"},
		"many axes":            {begin(1, 0).text("x").u32(1 << 31).raw(strings.Repeat("\x01", 40)), "has 2147483648 axes"},
		"overflow":             {tensor("x", 0, 0, "1234", 1<<32, 1<<32), "more elements than memory"},
		"overflow beside zero": {tensor("x", 0, 0, "1234", 0, 1<<40, 1<<40), "more elements than memory"},
		"Q2_K":                 {tensor("x", 10, 0, "1234", 256), "of type Q2_K, which is not read, only BF16, F16, F32,"},
		"type 4":               {tensor("x", 4, 0, "1234", 256), "of type 4,"},
		"half a block":         {tensor("x", 8, 0, strings.Repeat("x", 34), 16, 2), "rows have 16 elements, no multiple of the 32 in a block of Q8_0"},
		"scalar block":         {tensor("x", 8, 0, strings.Repeat("x", 34)), "rows have 1 elements"},
		"huge tensor":          {tensor("x", 0, 0, "1234", 1<<40), "needs 4398046511104 bytes"},
		"cut off":              {tensor("x", 0, 0, "1234", 2), "its tensors end at"},
		"goes on":              {tensor("x", 0, 0, strings.Repeat("x", 33), 1), "goes on after its last tensor"},
		"offset":               {tensor("x", 0, 32, strings.Repeat("x", 64), 1), "begins at 32 and should at 0"},
		"offset past all":      {tensor("x", 0, 1<<63, "1234", 1), "begins at 9223372036854775808"},
		"overlap":              {begin(2, 0).text("x").u32(1).u64(1).u32(0).u64(0).text("y").u32(1).u64(1).u32(0).u64(0).to(32).raw(strings.Repeat("x", 64)), `tensor "y" begins at 0 and should at 32`},
		"twice":                {begin(2, 0).text("x").u32(1).u64(1).u32(0).u64(0).text("x").u32(1).u64(1).u32(0).u64(32).to(32).raw(strings.Repeat("x", 64)), `tensor "x" twice`},
	}
}

func read(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func TestBroken(t *testing.T) {
	for name, c := range broken() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := read(c.file.b)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(err.Error(), "gguf: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want an error with %q", name, f, err, c.want)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
			t.Errorf("%s: takes %d bytes of memory", name, taken)
		}
	}
	for name, b := range map[string]*builder{
		"empty":     begin(0, 0),
		"scalar":    tensor("x", 0, 0, "1234"),
		"padded":    tensor("x", 0, 0, "1234", 1).to(32),
		"no rows":   tensor("x", 8, 0, "", 32, 0),
		"alignment": begin(1, 1).text("general.alignment").u32(4, 64).text("x").u32(0, 0).u64(0).to(64).raw("1234"),
		"nested":    begin(0, 1).text("a").u32(9, 9).u64(1).u32(9).u64(1).u32(5).u64(2).u32(1, 2),
		"version 2": (&builder{}).raw(magic).u32(2).u64(0, 0),
	} {
		if _, err := read(b.b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(good)-32; n += 5 { // at most the last padding may be missing
		if f, err := parseHeader(bytes.NewReader(good[:n]), int64(n)); err == nil {
			t.Fatalf("%d of %d bytes are read: %v", n, len(good), f.infos)
		}
	}
	if _, err := Read(bytes.NewReader(nil), 1<<40); err == nil {
		t.Error("a size that is not there is accepted")
	}
	if _, err := Read(bytes.NewReader(nil), -1); err == nil {
		t.Error("less than nothing is accepted")
	}
}

// TestSparse reads a file of holes.
func TestSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	b := tensor("x", 8, 0, "", 1<<38)
	if err := os.WriteFile(path, b.b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(b.b))+1<<38/32*34); err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("the file system has no files of holes: %v", err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "raise MaxBytes") {
		t.Errorf("a file of holes: %v", err)
	}
	if _, err := (Options{MaxBytes: -1}).Load(path); err == nil || !strings.Contains(err.Error(), "1.0 TiB are needed") {
		t.Errorf("a file of holes without a limit: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range broken() {
		f.Add(c.file.b)
	}
	good, err := os.ReadFile(small)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Options{MaxBytes: 1 << 24}.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for name, x := range file.Tensors {
			size := 1
			for _, d := range x.Shape() {
				size *= d
			}
			if size != x.Size() {
				t.Fatalf("%q is %v and has %d elements", name, x.Shape(), x.Size())
			}
		}
	})
}
