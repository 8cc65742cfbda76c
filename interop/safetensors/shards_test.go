package safetensors

// The tests write floats as other dtypes, split files and join them, read parts, rename by patterns, and refuse broken sets.

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

func TestFloat(t *testing.T) {
	third, big, inf := float32(1)/3, float32(70000), float32(math.Inf(-1))
	f32 := tarn.Vector([]float32{1, third, inf, float32(math.Copysign(0, -1)), 1e-7})
	f64 := tarn.Vector([]float64{1 + 1.0/2048 + 1e-15, 1.0 / 3, -2})
	for _, c := range []struct {
		float string
		x     *tarn.Tensor
		dtype string
		want  []float64 // what is read again
		err   string
	}{
		{"", f32, "F32", f32.Floats(), ""},
		{"", f64, "F64", f64.Floats(), ""},
		{F16, f32, "F16", []float64{1, 0.333251953125, math.Inf(-1), math.Copysign(0, -1), 1.1920928955078125e-07}, ""},
		{BF16, f32, "BF16", []float64{1, 0.333984375, math.Inf(-1), math.Copysign(0, -1), 1.0011717677116394e-07}, ""},
		{F64, f32, "F64", f32.Floats(), ""},
		{F16, f64, "F16", []float64{1 + 1.0/1024, 0.333251953125, -2}, ""}, // rounded once: by way of F32 the first would be 1
		{BF16, f64, "BF16", []float64{1, 0.333984375, -2}, ""},
		{F32, f64, "F32", []float64{float64(float32(1 + 1.0/2048)), float64(third), -2}, ""},
		{F16, tarn.Vector([]int32{1 << 20}), "I32", []float64{1 << 20}, ""},
		{F16, tarn.Vector([]float32{1, big}), "", nil, `tensor "x": element 1 is 70000, beyond the range of F16: write it as BF16, F32 or as it is`},
		{F32, tarn.Vector([]float64{1e300}), "", nil, "element 0 is 1e+300, beyond the range of F32"},
		{BF16, tarn.Vector([]float32{math.MaxFloat32}), "", nil, "beyond the range of BF16"},
		{"F8", f32, "", nil, `cannot be written as "F8": want F16, BF16, F32, F64 or none`},
	} {
		var b bytes.Buffer
		err := SaveOptions{Float: c.float}.Write(&b, map[string]*tarn.Tensor{"x": c.x}, nil)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v as %s: %v, want %q", c.x, c.float, err, c.err)
		}
		if err != nil {
			continue
		}
		if !strings.Contains(b.String(), `"dtype":"`+c.dtype+`"`) {
			t.Errorf("%v as %s: written is %q", c.x, c.float, b.String())
		}
		f, err := readBytes(b.Bytes())
		if err != nil || !f.Verified || !slices.Equal(f.Tensors["x"].Floats(), c.want) || math.Signbit(f.Tensors["x"].Float(0)) != math.Signbit(c.want[0]) {
			t.Errorf("%v as %s: read is %v, %v, want %v", c.x, c.float, f, err, c.want)
		}
	}
	if err := (SaveOptions{Shard: 1}).Write(&bytes.Buffer{}, nil, nil); err == nil || !strings.Contains(err.Error(), "use Save") {
		t.Errorf("Write splits: %v", err)
	}
}

func tensorsOf(names ...string) map[string]*tarn.Tensor {
	all := map[string]*tarn.Tensor{}
	for i, name := range names {
		all[name] = tarn.Vector([]float32{float32(i), 1, 2, 3})
	}
	return all
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	all := tensorsOf("a", "b", "c", "d", "e")
	split := SaveOptions{Shard: 33}
	single := []string{"model.safetensors"}
	several := []string{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model.safetensors.index.json"}
	for i, c := range []struct {
		save  SaveOptions
		files []string
	}{
		{SaveOptions{Shard: 80}, single},
		{split, several},
		{split, several}, // once more in its place
		{SaveOptions{Shard: 80}, append(slices.Clone(several[:3]), single...)}, // the index goes
		{split, several},
		{SaveOptions{Shard: 79, Float: F16}, append(slices.Clone(several[:3]), single...)}, // 40 bytes as F16
	} {
		if err := c.save.Save(path, all, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
		if got := files(t, dir); !slices.Equal(got, c.files) {
			t.Errorf("save %d: the files are %v, want %v", i, got, c.files)
		}
		f, err := Load(path)
		if err != nil || !f.Verified || !maps.Equal(f.Metadata, map[string]string{"format": "pt"}) || len(f.Tensors) != len(all) {
			t.Fatalf("save %d: %v, %v", i, f, err)
		}
		for name, x := range all {
			if diff := x.Diff(f.Tensors[name], 0); diff != "" {
				t.Errorf("save %d: %s: %s", i, name, diff)
			}
		}
	}
	// Only the files of the chosen tensors are needed.
	if err := split.Save(path, all, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{several[0], several[1]} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := (Options{Only: []string{"e"}}).Load(filepath.Join(dir, several[3])); err != nil || len(f.Tensors) != 1 {
		t.Errorf("one of three files: %v, %v", f, err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), several[0]) {
		t.Errorf("files are missing: %v", err)
	}
	many := map[string]*tarn.Tensor{}
	for i := range maxShards + 1 {
		many[fmt.Sprint(i)] = tarn.Scalar(true)
	}
	for _, c := range []struct {
		o       SaveOptions
		tensors map[string]*tarn.Tensor
		want    string
	}{
		{SaveOptions{Shard: 1}, many, "make Shard larger"},
		{SaveOptions{Shard: -1}, all, "at least 0"},
		{SaveOptions{Shard: 16, Float: F16}, map[string]*tarn.Tensor{"a": all["a"], "z": tarn.Vector(make([]float32, 8)), "zz": tarn.Vector([]float32{1e9})}, "beyond the range"},
	} {
		before := files(t, dir)
		if err := c.o.Save(path, c.tensors, nil); err == nil || !strings.Contains(err.Error(), c.want) || !slices.Equal(before, files(t, dir)) {
			t.Errorf("%v: %v, and the files are %v; want an error with %q", c.o, err, files(t, dir), c.want)
		}
	}
}

func TestBrokenIndex(t *testing.T) {
	dir := t.TempDir()
	if err := Save(filepath.Join(dir, "one.safetensors"), tensorsOf("a", "b"), nil); err != nil {
		t.Fatal(err)
	}
	if err := Save(filepath.Join(dir, "two.safetensors"), tensorsOf("c"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.index.json")
	for _, c := range []struct{ index, want string }{
		{`{"metadata":{"total_size":48,"deep":[[{}]]},"weight_map":{"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors"}}`, ""},
		{`{"weight_map":{}}`, ""},
		{``, "broken JSON"},
		{`[]`, "should begin with {"},
		{`{}`, `no "weight_map"`},
		{`{"metadata":` + strings.Repeat("[", 100_000), "broken JSON"},
		{`{"weight_map":{"a":"one.safetensors"}} {}`, "closing brace"},
		{`{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}`, "twice"},
		{`{"weight_map":{"a":1}}`, "should be a string"},
		{`{"weight_map":{"a":["one.safetensors"]}}`, "should be a string"},
		{`{"weight_map":{"a":"one.safetensors"}}`, `the index does not list tensor "b"`},
		{`{"weight_map":{"a":"one.safetensors","b":"one.safetensors","d":"one.safetensors"}}`, `the file has no tensor "d"`},
		{`{"weight_map":{"a":"one.safetensors","b":"one.safetensors","c":"three.safetensors"}}`, "three.safetensors"},
		{`{"weight_map":{"a":"folder"}}`, "not a regular file"},
		{`{"weight_map":{"a":"x.index.json"}}`, "not a safetensors file"},
		{`{"weight_map":{"a":"../one.safetensors"}}`, "without a path"},
		{`{"weight_map":{"a":"/etc/passwd"}}`, "without a path"},
		{`{"weight_map":{"a":"folder/one.safetensors"}}`, "without a path"},
		{`{"weight_map":{"a":"C:one.safetensors"}}`, "without a path"},
		{`{"weight_map":{"a":".."}}`, "without a path"},
		{`{"weight_map":{"a":""}}`, "without a path"},
	} {
		if err := os.WriteFile(path, []byte(c.index), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Load(path)
		if (err == nil) != (c.want == "") || err != nil && (!strings.HasPrefix(err.Error(), "safetensors: ") || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%.80s: %v, %v, want %q", c.index, f, err, c.want)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":48},"weight_map":{"a":"one.safetensors","b":"two"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		shards, err := parseIndex(text)
		for shard := range shards {
			if err == nil && filepath.Base(shard) != shard {
				t.Fatalf("%q is not beside the index", shard)
			}
		}
	})
}

func TestReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	all := tensorsOf("h.0.w", "h.0.b", "h.1.w", "h.1.b", "head.w")
	large := make([]float32, chunk/4+7) // more than is read at once
	for i := range large {
		large[i] = float32(i)
	}
	all["large"] = tarn.Vector(large)
	if err := Save(path, all, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	r, err := Options{Only: []string{"h.*.w", "large"}, Skip: []string{"*.0.*"}}.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !slices.Equal(r.Names(), []string{"h.1.w", "large"}) || !r.Verified() || r.Metadata()["k"] != "v" {
		t.Errorf("%v, %v, %v", r.Names(), r.Verified(), r.Metadata())
	}
	if info, ok := r.Info("large"); !ok || info.DType != "F32" || !slices.Equal(info.Shape, []int{len(large)}) {
		t.Errorf("%v, %v", info, ok)
	}
	for _, name := range r.Names() {
		if x, err := r.Tensor(name); err != nil || !x.Equal(all[name], 0) {
			t.Errorf("%s: %v, %v", name, x, err)
		}
	}
	for _, name := range []string{"head.w", "none"} {
		if _, err := r.Tensor(name); err == nil {
			t.Errorf("%s is read", name)
		}
		if _, ok := r.Info(name); ok {
			t.Errorf("%s is there", name)
		}
	}
	if _, err := (Options{Only: []string{"h.*"}, Skip: []string{"**.none"}}).Load(path); err == nil ||
		!strings.Contains(err.Error(), "only: no tensor matches \"h.*\"") {
		t.Errorf("patterns that match nothing: %v", err)
	}
	if _, err := (Options{Only: []string{"h.1.w"}, MaxBytes: 15}).Load(path); err == nil || !strings.Contains(err.Error(), "raise MaxBytes") {
		t.Errorf("a limit: %v", err)
	}
	if f, err := (Options{Only: []string{"h.1.w"}, MaxBytes: 16}).Load(path); err != nil || len(f.Tensors) != 1 {
		t.Errorf("within a limit: %v, %v", f, err)
	}
	// Damage to a tensor matters to those who read it.
	raw, _ := os.ReadFile(path)
	raw[len(raw)-1] ^= 1 // head.w or large, whichever lies last
	os.WriteFile(path, raw, 0o600)
	if _, err := (Options{Only: []string{"h.**"}}).Load(path); err != nil {
		t.Error(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestLoadPatterns(t *testing.T) {
	weights := func() map[string]*tarn.Tensor {
		m := newModel()
		tarn.Init(m, 9)
		return map[string]*tarn.Tensor{
			"net.hidden.w": m.Hidden.Weight.Tensor(), "net.hidden.b": m.Hidden.Bias.Tensor(), "net.out.w": m.Out.Weight.Tensor(), "net.out.b": m.Out.Bias.Tensor(),
			"rope.freqs": tarn.Scalar(float32(1)),
		}
	}
	both := map[string]string{"net.*.w": "*.weight", "net.*.b": "*.bias"}
	for _, c := range []struct {
		name    string
		options LoadOptions
		loaded  []string // weights that change
		want    string
	}{
		{"all", LoadOptions{Rename: both, Skip: []string{"rope.**"}}, []string{"hidden.weight", "hidden.bias", "out.weight", "out.bias"}, ""},
		{"extra", LoadOptions{Rename: both}, nil, `extra: the model has no param "rope.freqs"`},
		{"part", LoadOptions{Rename: map[string]string{"net.**.w": "**.weight"}, Only: []string{"net.*.w"}, AllowMissing: []string{"*.bias"}}, []string{"hidden.weight", "out.weight"}, ""},
		{"missing", LoadOptions{Rename: both, Only: []string{"net.hidden.*"}, AllowMissing: []string{"out.weight"}}, nil, "missing: out.bias f64[1]"},
		{"exact first", LoadOptions{Rename: map[string]string{"net.*.w": "*.weight", "net.out.b": "hidden.bias", "net.*.b": "*.bias"}, Only: []string{"net.**"}}, nil, `tensors "net.hidden.b" and "net.out.b" both go to "hidden.bias"`},
		{"two rules", LoadOptions{Rename: map[string]string{"net.*.w": "*.weight", "net.hidden.*": "x.*"}, Skip: []string{"rope.*"}}, nil, `rename: "net.*.w" and "net.hidden.*" call tensor "net.hidden.w" differently: "hidden.weight" and "x.w"`},
		{"wildcards", LoadOptions{Rename: map[string]string{"net.*.w": "*.*"}}, nil, `rename: "*.*" has more wildcards than "net.*.w"`},
		{"idle", LoadOptions{Only: []string{"nets"}, Skip: []string{"s*"}}, nil, `only: no tensor matches "nets"`},
		{"idle rename", LoadOptions{Rename: map[string]string{"nets.*": "*"}}, nil, `rename: no tensor matches "nets.*"`},
	} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		for _, o := range []SaveOptions{{}, {Shard: 20}} {
			if err := o.Save(path, weights(), nil); err != nil {
				t.Fatal(err)
			}
			for i, load := range []func(m *model) error{
				func(m *model) error { return LoadWeights(path, m, c.options) },
				func(m *model) error {
					params, err := tarn.Params(m)
					if err != nil {
						return err
					}
					return Assign(weights(), params, c.options)
				},
			} {
				m := newModel()
				err := load(m)
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s, %d: %v, want %q", c.name, i, err, c.want)
				}
				params, _ := tarn.Params(m)
				for name, p := range params.All() {
					if zero := p.Tensor().Equal(tarn.Zeros(p.DType(), p.Shape()...), 0); zero != !slices.Contains(c.loaded, name) && name != "out.bias" {
						t.Errorf("%s, %d: %s is zero: %v", c.name, i, name, zero)
					}
				}
			}
			os.Remove(path)
		}
	}
}

func TestForeign(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"pt", "PK\x03\x04" + strings.Repeat("\x00", 26) + "archive/data.pkl", `torch.load("x.pt", map_location="cpu", weights_only=True)`},
		{"old pt", "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "zip of pickles"},
		{"npz", "PK\x03\x04" + strings.Repeat("\x00", 26) + "arr_0.npy", "package npy"},
		{"gguf", "GGUF\x03\x00\x00\x00" + strings.Repeat("\x00", 16), "package gguf"},
		{"onnx of PyTorch", "\x08\x08\x12\x07pytorch" + strings.Repeat("\x00", 16), "tarn import"},
		{"onnx without a producer", "\x08\x0a:\xff\x01" + strings.Repeat("\x00", 16), "tarn import"},
		{"Parquet", "PAR1\x15\x04\x15\x10" + strings.Repeat("\x00", 16), "holds no weights"},
		{"SQLite", "SQLite format 3\x00" + strings.Repeat("\x00", 16), "holds no weights"},
		{"HDF5", "\x89HDF\r\n\x1a\n" + strings.Repeat("\x00", 16), "HDF5"},
		{"npy", "\x93NUMPY\x01\x00v\x00" + strings.Repeat(" ", 16), "package npy"},
		{"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + strings.Repeat("\x55", 16), "unpack it"},
		{"short zip", "PK\x03\x04\x00\x00\x00\x00", "zip of pickles"},
	} {
		if _, err := readBytes([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
