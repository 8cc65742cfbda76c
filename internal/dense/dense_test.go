package dense

// The tests read and write in both byte orders, and across the points where memory grows.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	for _, c := range []struct {
		shape []int
		size  int
		want  int
		err   string
	}{
		{nil, 8, 1, ""},
		{[]int{3, 4}, 8, 12, ""},
		{[]int{3, 0, 4}, 8, 0, ""},
		{[]int{math.MaxInt}, 1, math.MaxInt, ""},
		{[]int{math.MaxInt}, 2, 0, "more bytes"},
		{[]int{0, math.MaxInt, 2}, 1, 0, "more bytes"},
		{[]int{2, -3}, 1, 0, "negative size -3 of axis 1"},
	} {
		n, err := Count(c.shape, c.size)
		if n != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("Count(%v, %d) = %d, %v, want %d, %q", c.shape, c.size, n, err, c.want, c.err)
		}
	}
}

// roundTrip writes data in both byte orders, compares with encoding/binary and reads it back.
func roundTrip[T Number](t *testing.T, data []T) {
	t.Helper()
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		var got, want bytes.Buffer
		if err := Write(&got, data, order); err != nil {
			t.Fatal(err)
		}
		binary.Write(&want, order, data)
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%T %v: wrote other bytes than encoding/binary", data, order)
		}
		back, err := Read[T](&got, len(data), order)
		if err != nil || !reflect.DeepEqual(back, data) {
			t.Errorf("%T %v: read back %v, %v", data, order, back, err)
		}
	}
}

func TestReadAndWrite(t *testing.T) {
	for _, n := range []int{0, 1, 3000} {
		f, g := make([]float32, n), make([]float64, n)
		i8, i16, i32, i64, u8 := make([]int8, n), make([]int16, n), make([]int32, n), make([]int64, n), make([]uint8, n)
		for i := range n {
			v := i*i*7919 + 1
			f[i], g[i], i8[i], i16[i], i32[i], i64[i], u8[i] = float32(v)/3, float64(v)/3, int8(v), int16(v), int32(-v), int64(v)<<30, uint8(v)
		}
		roundTrip(t, f)
		roundTrip(t, g)
		roundTrip(t, i8)
		roundTrip(t, i16)
		roundTrip(t, i32)
		roundTrip(t, i64)
		roundTrip(t, u8)
	}
}

func TestReadGrows(t *testing.T) {
	const n = growth*first + first/2 + 1
	r := io.LimitReader(ones{}, n)
	data, err := Read[uint8](r, n, binary.NativeEndian)
	if err != nil || len(data) != n || data[0] != 1 || data[n-1] != 1 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := Read[uint8](io.LimitReader(ones{}, n-1), n, binary.NativeEndian); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("truncated: %d of %d", n-1, n)) {
		t.Errorf("a cut file: %v", err)
	}
	if _, err := Read[float64](io.LimitReader(ones{}, 20), math.MaxInt/8, binary.NativeEndian); err == nil || !strings.Contains(err.Error(), "truncated: 2 of") {
		t.Errorf("an absurd size: %v", err)
	}
}

// ones is an endless file of ones.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

// TestReadTakesWhatArrives takes no memory because a header promises much.
func TestReadTakesWhatArrives(t *testing.T) {
	for _, there := range []int64{0, 1, 100, first, first + 1, 3 * first, 20 * first} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Read[float64](io.LimitReader(ones{}, there), math.MaxInt/8, binary.NativeEndian); err == nil {
			t.Error("a cut file was read")
		}
		runtime.ReadMemStats(&after)
		if taken, most := int64(after.TotalAlloc-before.TotalAlloc), first+2*growth*there+1<<16; taken > most {
			t.Errorf("%d bytes of data take %d bytes of memory, more than %d", there, taken, most)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		n, size      int
		asked, usual int64
		fits         bool
	}{
		{10, 8, 0, 80, true}, {10, 8, 0, 79, false}, {10, 8, 80, 1, true}, {10, 8, 79, 1000, false}, {math.MaxInt, 8, -1, 1, true}, {math.MaxInt, 8, math.MaxInt64, 1, false}, {0, 8, 0, 0, true},
	} {
		if err := Fit(c.n, c.size, c.asked, c.usual); (err == nil) != c.fits {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestReadBools(t *testing.T) {
	b, err := ReadBools(strings.NewReader("\x00\x01\xff"), 3)
	if err != nil || !reflect.DeepEqual(b, []bool{false, true, true}) {
		t.Errorf("%v, %v", b, err)
	}
	if b, err := ReadBools(strings.NewReader(""), 0); err != nil || b == nil || len(b) != 0 {
		t.Errorf("nothing: %v, %v", b, err)
	}
	if _, err := ReadBools(strings.NewReader("\x00"), 2); err == nil {
		t.Error("a cut file was read")
	}
}

func TestEnd(t *testing.T) {
	if err := End(strings.NewReader("")); err != nil {
		t.Error(err)
	}
	if err := End(strings.NewReader("x")); err == nil {
		t.Error("a byte was overlooked")
	}
}

// zeros is a file that never ends.
type zeros struct{ read int }

func (z *zeros) Read(b []byte) (int, error) {
	clear(b)
	z.read += len(b)
	return len(b), nil
}

// TestMemory reads more than the process may have: it is refused before anything is read, or, if the header promises more than is read
// at first, before memory grows beyond the limit.
func TestMemory(t *testing.T) {
	for _, c := range []struct {
		limit string
		n     int
		most  int // bytes that are read
		ok    bool
	}{
		{"1MiB", 32 << 20, 0, false},
		{"1MiB", 1 << 40, 0, false},
		{"200MiB", 1 << 40, 128 << 20, false},
		{"off", 32 << 20, 32 << 20, true},
		{"1GiB", 32 << 20, 32 << 20, true},
	} {
		t.Setenv("TARN_MEMORY", c.limit)
		var z zeros
		got, err := Read[uint8](&z, c.n, binary.BigEndian)
		if z.read > c.most || (err == nil) != c.ok || c.ok && len(got) != c.n {
			t.Errorf("%+v: it reads %d bytes, returns %d and %v", c, z.read, len(got), err)
		}
		if want := fmt.Sprintf("no memory for %d elements of 1 bytes", c.n); err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "TARN_MEMORY is "+c.limit[:1])) {
			t.Errorf("%+v: the error is %v", c, err)
		}
	}
}
