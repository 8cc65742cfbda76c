package npy

// The tests write archives and read them again, and feed the reader zip files that are broken or made to do harm.

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data"
)

// savez is what NumPy writes for savez_compressed(f, a=np.array([1.5, -2], np.float16), **{"b c": np.arange(3)}).
const savez = "UEsDBC0AAAAIAAAAIQCzwYIM//////////8FABQAYS5ucHkBABAAhAAAAAAAAABIAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqSuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoUAC4GO4YDAFBLAwQtAAAACAAAACEA90AS6v//////" +
	"////BwAUAGIgYy5ucHkBABAAmAAAAAAAAABMAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6mjoKtQoUAC4GKGCE0kxQGgBQSwECLQMtAAAACAAAACEAs8GCDEgAAACEAAAABQAAAAAAAAAAAAAA" +
	"gAEAAAAAYS5ucHlQSwECLQMtAAAACAAAACEA90AS6kwAAACYAAAABwAAAAAAAAAAAAAAgAF/AAAAYiBjLm5weVBLBQYAAAAAAgACAGgAAAAEAQAAAAA="

func zipOf(t testing.TB, members ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m[0], Method: zip.Deflate})
		if err == nil {
			_, err = w.Write([]byte(m[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readZip(b []byte) (map[string]data.Array, error) {
	return ReadZip(bytes.NewReader(b), int64(len(b)))
}

func TestZip(t *testing.T) {
	arrays := map[string]data.Array{}
	for _, c := range good {
		arrays[c.name] = c.want
	}
	path := filepath.Join(t.TempDir(), "x.npz")
	sizes := []int64{}
	for _, o := range []SaveOptions{{}, {Compress: true}} {
		if err := o.SaveZip(path, arrays); err != nil {
			t.Fatal(err)
		}
		got, err := LoadZip(path)
		if err != nil || !reflect.DeepEqual(got, arrays) {
			t.Errorf("%v: %v, %v", o, got, err)
		}
		info, _ := os.Stat(path)
		sizes = append(sizes, info.Size())
		var a, b bytes.Buffer
		if o.WriteZip(&a, arrays) != nil || o.WriteZip(&b, arrays) != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%v: two archives of the same arrays differ", o)
		}
	}
	if sizes[1] >= sizes[0] {
		t.Errorf("compressed it has %d bytes, and else %d", sizes[1], sizes[0])
	}
	before, _ := os.ReadFile(path)
	if err := SaveZip(path, map[string]data.Array{"a": arrays["u1"], "b": {}}); err == nil || !strings.Contains(err.Error(), `array "b"`) {
		t.Errorf("an empty array is saved: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a failed SaveZip changed the file")
	}
	if err := SaveZip(filepath.Join(path, "x"), arrays); err == nil {
		t.Error("saved below a file")
	}
	if _, err := LoadZip(path + "x"); err == nil || !strings.HasPrefix(err.Error(), "npy: ") {
		t.Errorf("a missing file: %v", err)
	}
	numpys, err := base64.StdEncoding.DecodeString(savez)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]data.Array{"a": {Shape: []int{2}, Data: []float32{1.5, -2}}, "b c": {Shape: []int{3}, Data: []int64{0, 1, 2}}}
	if got, err := readZip(numpys); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("NumPy's archive: %v, %v, want %v", got, err, want)
	}
	empty, err := readZip(zipOf(t))
	if err != nil || len(empty) != 0 {
		t.Errorf("an archive of nothing: %v, %v", empty, err)
	}
}

func TestHalf(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		in   any
		want []float32
		err  string
	}{
		{[]float32{1, 1.0 / 3, float32(inf), 65504}, []float32{1, 0.33325195, float32(inf), 65504}, ""},
		{[]float64{1 + 1.0/2048 + 1e-15, -inf, 1e-9}, []float32{1 + 1.0/1024, float32(-inf), 0}, ""},
		{[]float64{1, 65520}, nil, "element 1 is 65520, beyond the range of f2"},
		{[]float32{-1e9}, nil, "element 0 is -1e+09, beyond the range of f2"},
	} {
		n := reflect.ValueOf(c.in).Len()
		a := data.Array{Shape: []int{n}, Data: c.in}
		for _, archive := range []bool{false, true} {
			var b bytes.Buffer
			var got data.Array
			var err error
			if archive {
				if err = (SaveOptions{Half: true}).WriteZip(&b, map[string]data.Array{"a": a}); err == nil {
					var all map[string]data.Array
					all, err = readZip(b.Bytes())
					got = all["a"]
				}
			} else if err = (SaveOptions{Half: true}).Write(&b, a); err == nil {
				got, err = Read(&b)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || err == nil && !reflect.DeepEqual(got.Data, c.want) {
				t.Errorf("%v: %v, %v, want %v, %q", c.in, got, err, c.want, c.err)
			}
		}
	}
	var whole, half bytes.Buffer
	a := data.Array{Shape: []int{2}, Data: []int32{1, 1 << 30}}
	if Write(&whole, a) != nil || (SaveOptions{Half: true}).Write(&half, a) != nil || !bytes.Equal(whole.Bytes(), half.Bytes()) {
		t.Error("Half changes integers")
	}
}

func brokenZips(t testing.TB) []struct {
	name string
	file []byte
	want string
} {
	one := encoded(1, dict("|u1", "False", "(2,)"), "ab")
	plain := zipOf(t, [2]string{"a.npy", one})
	at := func(b []byte, i int, v byte) []byte {
		b = bytes.Clone(b)
		b[i] = v
		return b
	}
	directory := bytes.Index(plain, []byte("PK\x01\x02"))
	stored := func() []byte {
		var b bytes.Buffer
		if err := WriteZip(&b, map[string]data.Array{"a": {Shape: []int{2}, Data: []uint8("ab")}}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}()
	return []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "not an npz archive"},
		{"text", []byte("text"), "not an npz archive"},
		{"npy", []byte(numpy), "not an npz archive"},
		{"cut", plain[:len(plain)-5], "not an npz archive"},
		{"no array", zipOf(t, [2]string{"a.txt", "x"}), `member "a.txt" is not an array`},
		{"pickle", zipOf(t, [2]string{"archive/data.pkl", "x"}), "is not an array"},
		{"broken array", zipOf(t, [2]string{"a.npy", "x"}), `array "a": no header`},
		{"objects", zipOf(t, [2]string{"a.npy", encoded(1, dict("|O", "False", "(1,)"), "x")}), `type "O" are not read`},
		{"twice", zipOf(t, [2]string{"a.npy", one}, [2]string{"a.npy", one}), `"a.npy" twice`},
		{"escape", zipOf(t, [2]string{"\x1b[31m", one}), `"\x1b[31m"`},
		{"encrypted", at(plain, directory+8, plain[directory+8]|1), "encrypted"},
		{"unknown method", at(plain, directory+10, 99), "method 99"},
		{"damage", at(stored, bytes.Index(stored, []byte("ab")), 'x'), "checksum"},
		{"promise", zipOf(t, [2]string{"a.npy", encoded(1, dict("<f8", "False", "(1000, 100000)"), "1234")}), "truncated: 0 of 100000000"},
		{"beyond the limit", zipOf(t, [2]string{"a.npy", encoded(1, dict("<f8", "False", "(134217729,)"), "1234")}), "more than the limit of 1073741824 bytes"},
		{"overflow", zipOf(t, [2]string{"a.npy", encoded(1, dict("<f4", "False", "(4611686018427387904, 4)"), "1234")}), "more bytes than memory"},
		{"negative", zipOf(t, [2]string{"a.npy", encoded(1, dict("<f4", "False", "(-4,)"), "1234")}), "negative size"},
	}
}

func TestBrokenZip(t *testing.T) {
	for _, c := range brokenZips(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := readZip(c.file)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(err.Error(), "npy: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want an error with %q", c.name, got, err, c.want)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 4<<20 {
			t.Errorf("%s: takes %d bytes of memory", c.name, taken)
		}
	}
	if _, err := ReadZip(bytes.NewReader(nil), -1); err == nil {
		t.Error("an archive of less than nothing is read")
	}
	// Zeros are a thousandth of their size when compressed; the limit counts all arrays together.
	bomb := map[string]data.Array{}
	for _, name := range []string{"a", "b", "c"} {
		bomb[name] = data.Array{Shape: []int{1 << 18}, Data: make([]float32, 1<<18)}
	}
	var b bytes.Buffer
	if err := (SaveOptions{Compress: true}).WriteZip(&b, bomb); err != nil || b.Len() > 1<<14 {
		t.Fatalf("%d bytes, %v", b.Len(), err)
	}
	for limit, reads := range map[int64]bool{3 << 20: true, 3<<20 - 1: false, 1 << 20: false, -1: true, 0: true} {
		if _, err := (Options{MaxBytes: limit}).ReadZip(bytes.NewReader(b.Bytes()), int64(b.Len())); (err == nil) != reads || err != nil && !strings.Contains(err.Error(), "raise MaxBytes") {
			t.Errorf("3 MiB with a limit of %d: %v", limit, err)
		}
	}
}

func FuzzZip(f *testing.F) {
	for _, c := range brokenZips(f) {
		f.Add(c.file)
	}
	var b bytes.Buffer
	WriteZip(&b, map[string]data.Array{"a": good[0].want, "b": good[5].want})
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		arrays, err := Options{MaxBytes: 1 << 20}.ReadZip(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteZip(&b, arrays); err != nil {
			t.Fatal(err)
		}
		again, err := readZip(b.Bytes())
		if err != nil || len(again) != len(arrays) {
			t.Fatalf("what was read and written cannot be read: %v", err)
		}
	})
}
