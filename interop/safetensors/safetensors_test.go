package safetensors

// The tests write and read every dtype, compare bytes with a file made by hand, and feed the reader broken files.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// bytesOf is a file with the given header and data.
func bytesOf(header, data string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func reshape(t *tarn.Tensor, shape ...int) *tarn.Tensor {
	r, err := t.Reshape(shape...)
	if err != nil {
		panic(err)
	}
	return r
}

func readBytes(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func TestRoundTrip(t *testing.T) {
	tensors := map[string]*tarn.Tensor{
		"f32":     reshape(tarn.Vector([]float32{1.5, -2, float32(math.NaN()), float32(math.Inf(1)), 0, 1e-45}), 2, 3),
		"f64":     tarn.Vector([]float64{math.Pi, math.Copysign(0, -1)}),
		"i32":     tarn.Vector([]int32{math.MinInt32, 7}),
		"i64":     tarn.Vector([]int64{math.MaxInt64}),
		"bool":    tarn.Vector([]bool{true, false, true}),
		"scalar":  tarn.Scalar(float32(3)),
		"zero":    tarn.Zeros(tarn.I64),
		"empty":   tarn.Zeros(tarn.F32, 3, 0, 2),
		"<ü\"\n>": tarn.Scalar(true),
	}
	metadata := map[string]string{"format": "pt", "note": "a \"quoted\" <ü>\n"}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	for range 2 { // a second time over the first file
		if err := Save(path, tensors, metadata); err != nil {
			t.Fatal(err)
		}
	}
	file, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(file.Metadata, metadata) {
		t.Errorf("metadata %q, want %q", file.Metadata, metadata)
	}
	if len(file.Tensors) != len(tensors) {
		t.Errorf("%d tensors, want %d", len(file.Tensors), len(tensors))
	}
	for name, want := range tensors {
		got := file.Tensors[name]
		if got == nil || got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) || !bytes.Equal(got.Raw(), want.Raw()) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestWriteBytes(t *testing.T) {
	tensors := map[string]*tarn.Tensor{"b": tarn.Vector([]float32{1}), "a": reshape(tarn.Vector([]int32{1, 2}), 1, 2), "c": tarn.Vector([]int64{-1}), "d": tarn.Scalar(true)}
	header := `{"__metadata__":{"k":"v","tarn.checksum":"crc32c a0668bac 7a73ec2c dd54c4ab 48674bc7 a016d052"},"c":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},` +
		`"a":{"dtype":"I32","shape":[1,2],"data_offsets":[8,16]},"b":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},` +
		`"d":{"dtype":"BOOL","shape":[],"data_offsets":[20,21]}}`
	for len(header)%8 != 0 {
		header += " "
	}
	want := bytesOf(header, "\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x80\x3f\x01")
	for range 10 { // maps have another order each time
		var got bytes.Buffer
		if err := Write(&got, tensors, map[string]string{"k": "v"}); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("%v\n%q\nwant\n%q", err, got.Bytes(), want)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	one := tarn.Scalar(true)
	for name, tensors := range map[string]map[string]*tarn.Tensor{
		"nil":      {"x": nil},
		"UTF-8":    {"a\xff": one},
		"the name": {"__metadata__": one},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x")
		os.WriteFile(path, []byte("old"), 0o600)
		err := Save(path, tensors, nil)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.HasPrefix(err.Error(), "safetensors: "+path) {
			t.Errorf("%s: %v", name, err)
		}
		if old, _ := os.ReadFile(path); string(old) != "old" {
			t.Errorf("%s: the old file was changed", name)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s: left behind: %v", name, entries)
		}
	}
	if err := Save(filepath.Join(t.TempDir(), "none", "x"), nil, nil); err == nil {
		t.Error("a directory that does not exist is accepted")
	}
}

func TestConversions(t *testing.T) {
	for _, c := range []struct {
		dtype, data string
		want        *tarn.Tensor
	}{
		{"F16", "\x00\x3c\x00\xc0\x01\x00\x00\x80\x00\x7c\xff\x7b\xff\x03", tarn.Vector([]float32{1, -2, 5.9604644775390625e-08, float32(math.Copysign(0, -1)), float32(math.Inf(1)), 65504, 6.097555160522461e-05})},
		{"BF16", "\x80\x3f\x80\xff\x49\x40", tarn.Vector([]float32{1, float32(math.Inf(-1)), 3.140625})},
		{"U8", "\x00\xff", tarn.Vector([]int32{0, 255})},
		{"I8", "\x00\xff", tarn.Vector([]int32{0, -1})},
		{"U16", "\xff\xff", tarn.Vector([]int32{65535})},
		{"I16", "\xff\xff", tarn.Vector([]int32{-1})},
		{"U32", "\xff\xff\xff\xff", tarn.Vector([]int64{math.MaxUint32})},
	} {
		n := c.want.Size()
		file, err := readBytes(bytesOf(fmt.Sprintf(`{"x":{"dtype":%q,"shape":[%d],"data_offsets":[0,%d]}}`, c.dtype, n, len(c.data)), c.data))
		if err != nil {
			t.Errorf("%s: %v", c.dtype, err)
		} else if got := file.Tensors["x"]; got.DType() != c.want.DType() || !bytes.Equal(got.Raw(), c.want.Raw()) {
			t.Errorf("%s: %v, want %v", c.dtype, got, c.want)
		}
	}
}

// broken are files that must be refused, with a part of the error.
var broken = []struct {
	name string
	file []byte
	want string
}{
	{"nothing", nil, "0 bytes"},
	{"seven bytes", make([]byte, 7), "7 bytes"},
	{"header past the end", bytesOf("{}", "")[:9], "incomplete"},
	{"huge header", []byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "18446744073709551615 bytes"},
	{"header over the limit", []byte("\x00\x00\x00\x40\x00\x00\x00\x00{}"), "at most 100000000"},
	{"empty header", bytesOf("", ""), "does not begin with {"},
	{"leading space", bytesOf(" {}", ""), "does not begin with {"},
	{"no object", bytesOf("[]", ""), "does not begin with {"},
	{"not UTF-8", bytesOf("{\"\xff\":1}", ""), "UTF-8"},
	{"unfinished", bytesOf(`{"x":`, ""), "broken JSON"},
	{"unfinished array", bytesOf(`{"x":{"shape":[1`, ""), "broken JSON"},
	{"deep", bytesOf(`{"x":`+strings.Repeat("[", 20000), ""), "should begin with {"},
	{"deep shape", bytesOf(`{"x":{"shape":`+strings.Repeat("[", 20000), ""), "whole numbers"},
	{"trailing JSON", bytesOf(`{}{}`, ""), "closing brace"},
	{"trailing zeros", bytesOf("{}\x00", ""), "closing brace"},
	{"trailing data", bytesOf("{}", "x"), "fill 0 bytes of 1"},
	{"duplicate tensor", bytesOf(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, ""), "twice"},
	{"duplicate by escape", bytesOf(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0078":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, ""), "twice"},
	{"duplicate field", bytesOf(`{"x":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}`, ""), "twice"},
	{"duplicate metadata", bytesOf(`{"__metadata__":{"a":"1","a":"2"}}`, ""), "twice"},
	{"metadata of numbers", bytesOf(`{"__metadata__":{"a":1}}`, ""), "should be a string"},
	{"metadata no object", bytesOf(`{"__metadata__":null}`, ""), "should begin with {"},
	{"tensor no object", bytesOf(`{"x":1}`, ""), "should begin with {"},
	{"unknown field", bytesOf(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":1}}`, ""), "unknown field"},
	{"no dtype", bytesOf(`{"x":{"shape":[0],"data_offsets":[0,0]}}`, ""), "lacks"},
	{"no shape", bytesOf(`{"x":{"dtype":"U8","data_offsets":[0,0]}}`, ""), "lacks"},
	{"no offsets", bytesOf(`{"x":{"dtype":"U8","shape":[0]}}`, ""), "lacks"},
	{"dtype number", bytesOf(`{"x":{"dtype":8,"shape":[0],"data_offsets":[0,0]}}`, ""), "should be a string"},
	{"unknown dtype", bytesOf(`{"x":{"dtype":"F128","shape":[0],"data_offsets":[0,0]}}`, ""), "unknown dtype"},
	{"unsupported dtype", bytesOf(`{"x":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}`, "12345678"), "not supported"},
	{"null shape", bytesOf(`{"x":{"dtype":"U8","shape":null,"data_offsets":[0,0]}}`, ""), "should begin with ["},
	{"negative size", bytesOf(`{"x":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, "x"), "whole numbers"},
	{"fractional size", bytesOf(`{"x":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}`, "x"), "whole numbers"},
	{"size past 64 bits", bytesOf(`{"x":{"dtype":"U8","shape":[18446744073709551617],"data_offsets":[0,1]}}`, "x"), "whole numbers"},
	{"overflowing shape", bytesOf(`{"x":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, ""), "more elements"},
	{"overflow before a zero", bytesOf(`{"x":{"dtype":"U8","shape":[4611686018427387904,0],"data_offsets":[0,0]}}`, ""), "more elements"},
	{"three offsets", bytesOf(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}`, "x"), "want 2"},
	{"offsets reversed", bytesOf(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, "x"), "data offsets"},
	{"offset past the end", bytesOf(`{"x":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}`, "x"), "data offsets"},
	{"huge tensor", bytesOf(`{"x":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}`, "x"), "data offsets"},
	{"hole", bytesOf(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "xx"), "data offsets"},
	{"overlap", bytesOf(`{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "xxx"), "data offsets"},
	{"twice the same bytes", bytesOf(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "x"), "data offsets"},
	{"shape and span differ", bytesOf(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, "xxxx"), "needs 8 bytes"},
	{"BOOL of 2", bytesOf(`{"x":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`, "\x02"), "want 0 or 1"},
}

func TestBroken(t *testing.T) {
	for _, c := range broken {
		file, err := readBytes(c.file)
		if err == nil || !strings.HasPrefix(err.Error(), "safetensors: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want an error with %q", c.name, file, err, c.want)
		}
	}
	if _, err := Read(bytes.NewReader(nil), 1<<40); err == nil {
		t.Error("a size that is not there is accepted")
	}
	dir := t.TempDir()
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing file is accepted")
	}
}

// TestDamage flips every bit of a file, zeroes and repeats ranges, cuts it and swaps tensors: what is then read without an error is
// what was written, but for the checksum itself.
func TestDamage(t *testing.T) {
	tensors := map[string]*tarn.Tensor{
		"a": tarn.Vector([]float32{1, 2, 3}), "b": tarn.Vector([]float32{1, 2, 4}), "c": tarn.Vector([]int64{7}), "d": tarn.Scalar(true), "e": tarn.Zeros(tarn.I32, 2, 0),
	}
	metadata := map[string]string{"runs": "120", "text": "\"quoted\""}
	var written bytes.Buffer
	if err := Write(&written, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	good := written.Bytes()
	refused, accepted := 0, 0
	try := func(what string, b []byte) {
		file, err := readBytes(b)
		if err != nil {
			refused++
			return
		}
		accepted++
		maps.DeleteFunc(file.Metadata, func(key, _ string) bool { return metadata[key] == "" && !file.Verified })
		same := maps.Equal(file.Metadata, metadata) && len(file.Tensors) == len(tensors)
		for name, x := range tensors {
			y := file.Tensors[name]
			same = same && y != nil && x.DType() == y.DType() && slices.Equal(x.Shape(), y.Shape()) && bytes.Equal(x.Raw(), y.Raw())
		}
		if !same {
			t.Errorf("%s: read without an error, and different", what)
		}
	}
	for i := range good {
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			try(fmt.Sprintf("bit %d of byte %d", bit, i), b)
		}
		for _, n := range []int{2, 8, 64} {
			b := bytes.Clone(good)
			clear(b[i:min(i+n, len(b))])
			try(fmt.Sprintf("zeros at %d", i), b)
			b = bytes.Clone(good)
			copy(b[i:], good[:min(n, len(good))])
			try(fmt.Sprintf("the beginning again at %d", i), b)
		}
		try(fmt.Sprintf("%d bytes", i), good[:i])
	}
	for _, swap := range [][2]string{{`"a":`, `"b":`}, {`"F32"`, `"I32"`}, {"[2,0]", "[0,2]"}, {`"120"`, `"121"`}} {
		b := []byte(strings.NewReplacer(swap[0], swap[1], swap[1], swap[0]).Replace(string(good)))
		if file, err := readBytes(b); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s for %s: %v, %v", swap[0], swap[1], file, err)
		}
	}
	if accepted > refused/50 {
		t.Errorf("%d refused and %d accepted", refused, accepted)
	}
	file, err := readBytes(good)
	if err != nil || !file.Verified {
		t.Errorf("%v, %v", file, err)
	}
	plain := bytesOf(`{"x":{"data_offsets":[0,2],"shape":[1],"dtype":"F16"}}  `, "ab")
	if file, err := readBytes(plain); err != nil || file.Verified {
		t.Errorf("a file without checksums: %v, %v", file, err)
	}
}

// TestSparse refuses weights by their header alone: the file is as large as that says, and all zeros.
func TestSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	header := fmt.Sprintf(`{"hidden.weight":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, 1<<38, 1<<40)
	if err := os.WriteFile(path, bytesOf(header, ""), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(8+len(header)+1<<40)); err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("the file system has no files of holes: %v", err)
	}
	if err := LoadWeights(path, newModel(), LoadOptions{}); err == nil || !strings.Contains(err.Error(), `type: "hidden.weight" is f32[274877906944]`) {
		t.Errorf("the error is %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range broken {
		f.Add(c.file)
	}
	var good bytes.Buffer
	Write(&good, map[string]*tarn.Tensor{"x": tarn.Vector([]float32{1, 2}), "y": tarn.Scalar(true), "z": tarn.Zeros(tarn.I64, 0, 3)}, map[string]string{"k": "v"})
	f.Add(good.Bytes())
	f.Add(bytesOf(`{"x":{"data_offsets":[0,2],"shape":[1],"dtype":"F16"}}  `, "ab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := readBytes(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := Write(&again, file.Tensors, file.Metadata); err != nil {
			t.Fatal(err)
		}
		file2, err := readBytes(again.Bytes())
		if err != nil || len(file2.Tensors) != len(file.Tensors) {
			t.Fatalf("what was read and written cannot be read: %v", err)
		}
		for name, x := range file.Tensors {
			if y := file2.Tensors[name]; y == nil || !bytes.Equal(x.Raw(), y.Raw()) || !slices.Equal(x.Shape(), y.Shape()) {
				t.Fatalf("%q changed from %v to %v", name, x, y)
			}
		}
	})
}

type layer struct{ Weight, Bias *tarn.Param }

type model struct{ Hidden, Out *layer }

func newModel() *model {
	one := func(t *tarn.Tensor, r *tarn.Random) { r.Normal(t, 0, 1) }
	return &model{
		&layer{tarn.NewParam(tarn.F32, one, 3, 2), tarn.NewParam(tarn.F32, one, 3)},
		&layer{tarn.NewParam(tarn.F32, one, 1, 3), tarn.NewState(tarn.F64, nil, 1)},
	}
}

func TestWeights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	a, b := newModel(), newModel()
	tarn.Init(a, 1)
	tarn.Init(b, 2)
	if err := SaveWeights(path, a); err != nil {
		t.Fatal(err)
	}
	if err := LoadWeights(path, b, LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := a.Hidden.Weight.Tensor().Diff(b.Hidden.Weight.Tensor(), 0); diff != "" {
		t.Error(diff)
	}
	file, _ := Load(path)
	if got, want := slices.Sorted(maps.Keys(file.Tensors)), []string{"hidden.bias", "hidden.weight", "out.bias", "out.weight"}; !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}

	// Under other names, and with several faults at once.
	tensors := map[string]*tarn.Tensor{"fc1.w": file.Tensors["hidden.weight"], "hidden.bias": file.Tensors["hidden.bias"], "out.bias": file.Tensors["out.bias"], "out.weight": file.Tensors["out.weight"]}
	Save(path, tensors, nil)
	if err := LoadWeights(path, b, LoadOptions{Rename: map[string]string{"fc1.w": "hidden.weight"}}); err != nil {
		t.Error(err)
	}
	tensors["out.weight"] = tarn.Zeros(tarn.F32, 3, 1)
	Save(path, tensors, nil)
	tarn.Init(b, 3)
	before := b.Hidden.Bias.Tensor().Clone()
	err := LoadWeights(path, b, LoadOptions{Rename: map[string]string{"nowhere": "x", "hidden.bias": "out.bias"}})
	want := `safetensors: ` + path + `: the tensors do not fit the model:
	rename: there is no tensor "nowhere"
	tensors "hidden.bias" and "out.bias" both go to "out.bias"
	missing: hidden.weight f32[3 2]
	missing: hidden.bias f32[3]
	type: "out.weight" is f32[3 1], the model has out.weight f32[1 3]
	extra: the model has no param "fc1.w"`
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%v", err, want)
	}
	if diff := before.Diff(b.Hidden.Bias.Tensor(), 0); diff != "" {
		t.Errorf("a failed load changed the model: %s", diff)
	}
	if err := SaveWeights(path, &struct{}{}); err == nil {
		t.Error("a model without params is saved")
	}
}

// TestLimit reads files that promise more than a limit, which takes no memory.
func TestLimit(t *testing.T) {
	const large = 1 << 40
	header := fmt.Sprintf(`{"x":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}`, large, large)
	start := bytesOf(header, "")
	holes := filepath.Join(t.TempDir(), "holes.safetensors")
	if err := os.WriteFile(holes, start, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(holes, int64(len(start))+large); err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("the file system has no files of holes: %v", err)
	}
	if _, err := Load(holes); err == nil || !strings.Contains(err.Error(), holes) || !strings.Contains(err.Error(), "more than the limit of 17179869184 bytes: if that is right, raise MaxBytes") {
		t.Errorf("a file of holes: %v", err)
	}
	if _, err := (Options{MaxBytes: -1}).Load(holes); err == nil || !strings.Contains(err.Error(), "4.0 TiB are needed") {
		t.Errorf("a file of holes without a limit: %v", err)
	}
	small := bytesOf(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, "12345678")
	for most, reads := range map[int64]bool{0: true, 8: true, 7: false, -1: true} {
		if _, err := (Options{MaxBytes: most}).Read(bytes.NewReader(small), int64(len(small))); (err == nil) != reads {
			t.Errorf("8 bytes with a limit of %d: %v", most, err)
		}
	}
}
