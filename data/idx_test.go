package data

// The tests read every element type, packed and plain, and check that broken files are errors that say what is wrong.

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// pack is b as a gzip file.
func pack(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(b)
	z.Close()
	return buf.Bytes()
}

// idxFiles are good IDX files with their contents.
var idxFiles = []struct {
	name string
	file string
	want Array
}{
	{"uint8", "\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03\x01\x02\x03\xfd\xfe\xff", Array{[]int{2, 3}, []uint8{1, 2, 3, 253, 254, 255}}},
	{"int8", "\x00\x00\x09\x01\x00\x00\x00\x02\x01\xff", Array{[]int{2}, []int8{1, -1}}},
	{"int16", "\x00\x00\x0b\x01\x00\x00\x00\x02\x01\x02\xff\xfe", Array{[]int{2}, []int16{258, -2}}},
	{"int32", "\x00\x00\x0c\x01\x00\x00\x00\x01\xff\xff\xff\x00", Array{[]int{1}, []int32{-256}}},
	{"float32", "\x00\x00\x0d\x01\x00\x00\x00\x01\x3f\xc0\x00\x00", Array{[]int{1}, []float32{1.5}}},
	{"float64", "\x00\x00\x0e\x01\x00\x00\x00\x01\xbf\xf8\x00\x00\x00\x00\x00\x00", Array{[]int{1}, []float64{-1.5}}},
	{"scalar", "\x00\x00\x08\x00\x07", Array{[]int{}, []uint8{7}}},
	{"empty", "\x00\x00\x08\x02\x00\x00\x00\x00\x7f\xff\xff\xff", Array{[]int{0, 1<<31 - 1}, []uint8{}}},
}

// badIDX are broken files with a part of the error.
var badIDX = []struct{ name, file, want string }{
	{"nothing", "", "no header"},
	{"short header", "\x00\x00\x08", "no header"},
	{"text", "label,pixel0\n", "not an IDX file"},
	{"type", "\x00\x00\x0a\x00", "unknown element type 0x0a"},
	{"axes cut", "\x00\x00\x08\x03\x00\x00\x00\x01\x00", "ends before axis 1 of 3"},
	{"negative", "\x00\x00\x08\x01\xff\xff\xff\xff", "negative size -1 of axis 0"},
	{"overflow", "\x00\x00\x08\x03\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff", "more bytes than memory"},
	{"absurd", "\x00\x00\x0e\x02\x00\x10\x00\x00\x00\x10\x00\x00\x01", "more than the limit of 4294967296 bytes: if that is right, raise MaxBytes"},
	{"truncated", "\x00\x00\x08\x01\x00\x00\x00\x09\x01\x02", "truncated: 2 of 9"},
	{"trailing", "\x00\x00\x08\x01\x00\x00\x00\x01\x01\x02", "goes on after the last element"},
	{"gzip header", "\x1f\x8b\x08", "EOF"},
	{"gzip cut", string(pack([]byte("\x00\x00\x08\x01\x00\x00\x00\x02\x01\x02"))[:20]), ""},
	{"gzip with trailing bytes", string(pack([]byte("\x00\x00\x08\x01\x00\x00\x00\x01\x01"))) + "more", ""},
}

func TestReadIDX(t *testing.T) {
	for _, c := range idxFiles {
		for _, file := range [][]byte{[]byte(c.file), pack([]byte(c.file))} {
			got, err := ReadIDX(bytes.NewReader(file))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
			}
		}
	}
	for _, c := range badIDX {
		got, err := ReadIDX(strings.NewReader(c.file))
		if err == nil || !strings.HasPrefix(err.Error(), "data: idx: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want an error with %q", c.name, got, err, c.want)
		}
	}
}

// TestIDXLimits unpacks files that are small and would be large, and measures the memory that it takes.
func TestIDXLimits(t *testing.T) {
	const large = 1<<30 + 1 // bytes
	header := func(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte("\x00\x00\x08\x01"), n) }
	bomb := packed(t, header(large), 64<<20)
	for _, c := range []struct {
		name string
		file []byte
		how  IDX
		most uint64 // bytes of memory
		want string // of the error
	}{
		{"beyond the limit", bomb, IDX{}, 1 << 20, "more than the limit of 1073741824 bytes"},
		{"beyond a limit of one's own", packed(t, header(1<<20), 1<<20), IDX{MaxBytes: 1<<20 - 1}, 1 << 20, "more than the limit of 1048575 bytes"},
		{"at the limit", packed(t, header(1<<20), 1<<20), IDX{MaxBytes: 1 << 20}, 2 << 20, ""},
		{"more than the header says", packed(t, header(10), 64<<20), IDX{MaxBytes: -1}, 2 << 20, "data goes on"},
		{"less than the header says", packed(t, header(large), 1<<20), IDX{MaxBytes: -1}, 6 << 20, "truncated: 1048576 of"},
		{"a header alone", header(large), IDX{}, 2 << 20, "truncated: 0 of"},
		{"a packed header alone", pack(header(1 << 29)), IDX{}, 2 << 20, "truncated: 0 of"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.how.Read(bytes.NewReader(c.file))
		runtime.ReadMemStats(&after)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > c.most {
			t.Errorf("%s: %d bytes of memory, more than %d", c.name, taken, c.most)
		}
	}
}

// packed is a gzip file of a header and n zeros.
func packed(t *testing.T, header []byte, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(header)
	for zeros := make([]byte, 1<<20); n > 0; n -= len(zeros) {
		z.Write(zeros[:min(n, len(zeros))])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLoadIDX(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.idx")
	if _, err := LoadIDX(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	os.WriteFile(path, []byte(idxFiles[0].file), 0o600)
	if got, err := LoadIDX(path); err != nil || !reflect.DeepEqual(got, idxFiles[0].want) {
		t.Errorf("%v, %v", got, err)
	}
	os.WriteFile(path, []byte("text"), 0o600)
	if _, err := LoadIDX(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
}

func FuzzIDX(f *testing.F) {
	for _, c := range idxFiles {
		f.Add([]byte(c.file))
	}
	for _, c := range badIDX {
		f.Add([]byte(c.file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if a, err := ReadIDX(bytes.NewReader(file)); err == nil {
			if err := a.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
