// Package dense reads and writes the elements of arrays as they lie in files: one after the other, in a byte order. It
// believes no size that a file states: memory is taken as the bytes arrive, and products are checked for overflow.
package dense

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/limit"
)

// Number lists the element types of files.
type Number interface {
	uint8 | uint16 | uint32 | uint64 | int8 | int16 | int32 | int64 | float32 | float64
}

// Memory grows as the data arrives: from first bytes on, by the given factor, up to what the header promises.
const (
	first    = 1 << 20
	growth   = 4
	foreseen = 16 << 20 // what there must be room for at first, if the header promises as much
)

// The limits of readers whose options name no other, in bytes.
const (
	Packed   = 1 << 30 // for what is unpacked from a compressed file
	Unpacked = 4 << 30 // for what lies in a file as it is
)

// Count is the number of elements of an array of the given shape, each of size bytes. The sizes that are not zero must
// have a product that memory can hold, even where another size is zero.
func Count(shape []int, size int) (int, error) {
	n, empty := 1, false
	for axis, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("negative size %d of axis %d", d, axis)
		case d == 0:
			empty = true
		case n > math.MaxInt/size/d:
			return 0, fmt.Errorf("shape %v holds more bytes than memory can", shape)
		default:
			n *= d
		}
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// ErrLimit is part of every error for data that are larger than a limit.
var ErrLimit = errors.New("if that is right, raise MaxBytes")

// Fit returns an error if n elements of size bytes need more bytes than the limit that was asked for, or, if that is 0, than the
// usual one. A negative limit is none.
func Fit(n, size int, asked, usual int64) error {
	if asked == 0 {
		asked = usual
	}
	if asked >= 0 && int64(n) > asked/int64(size) {
		return fmt.Errorf("the header promises %d elements of %d bytes, more than the limit of %d bytes: %w", n, size, asked, ErrLimit)
	}
	return nil
}

// Read reads n elements of the given byte order.
func Read[T Number](r io.Reader, n int, order binary.ByteOrder) ([]T, error) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if err := room(min(n, foreseen/size), n, size); err != nil {
		return nil, err
	}
	out := make([]T, 0, min(n, first/size))
	for len(out) < n {
		if len(out) == cap(out) {
			more := min(n, growth*cap(out))
			if err := room(more, n, size); err != nil {
				return nil, err
			}
			grown := make([]T, len(out), more)
			copy(grown, out)
			out = grown
		}
		free := out[len(out):cap(out)]
		got, err := io.ReadFull(r, Bytes(free))
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("truncated: %d of %d elements are there", len(out)+got/size, n)
		}
		if err != nil {
			return nil, err
		}
		out = out[:cap(out)]
	}
	if foreign(order) {
		swap(out)
	}
	return out, nil
}

// room returns an error if there is no memory for the first of n elements of size bytes.
func room(first, n, size int) error {
	if err := limit.Check(first * size); err != nil {
		return fmt.Errorf("no memory for %d elements of %d bytes: %w; %s", n, size, err, limit.ReadHint)
	}
	return nil
}

// ReadBools reads n bytes as truth values: zero is false and any other byte true.
func ReadBools(r io.Reader, n int) ([]bool, error) {
	raw, err := Read[uint8](r, n, binary.NativeEndian)
	if err != nil || n == 0 {
		return make([]bool, 0), err
	}
	for i, b := range raw {
		if b != 0 {
			raw[i] = 1 // the only byte that a Go bool may hold for true
		}
	}
	return unsafe.Slice((*bool)(unsafe.Pointer(unsafe.SliceData(raw))), n), nil
}

// End returns an error unless r is at its end.
func End(r io.Reader) error {
	var b [1]byte
	switch _, err := io.ReadFull(r, b[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("data goes on after the last element")
}

// Write writes the elements in the given byte order.
func Write[T Number](w io.Writer, data []T, order binary.ByteOrder) error {
	if !foreign(order) {
		_, err := w.Write(Bytes(data))
		return err
	}
	var buf [1024]T
	for len(data) > 0 {
		n := copy(buf[:], data)
		swap(buf[:n])
		if _, err := w.Write(Bytes(buf[:n])); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Bytes is the memory of the elements.
func Bytes[T Number | bool](data []T) []byte {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(data[0])))
}

// foreign reports whether order is not the machine's own.
func foreign(order binary.ByteOrder) bool {
	return order.Uint16([]byte{1, 0}) != binary.NativeEndian.Uint16([]byte{1, 0})
}

// swap reverses the bytes of every element.
func swap[T Number](data []T) {
	if len(data) == 0 {
		return
	}
	p, n := unsafe.Pointer(unsafe.SliceData(data)), len(data)
	switch unsafe.Sizeof(data[0]) {
	case 2:
		s := unsafe.Slice((*uint16)(p), n)
		for i, v := range s {
			s[i] = bits.ReverseBytes16(v)
		}
	case 4:
		s := unsafe.Slice((*uint32)(p), n)
		for i, v := range s {
			s[i] = bits.ReverseBytes32(v)
		}
	case 8:
		s := unsafe.Slice((*uint64)(p), n)
		for i, v := range s {
			s[i] = bits.ReverseBytes64(v)
		}
	}
}
