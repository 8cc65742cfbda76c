// Package npy reads and writes NumPy's array files (.npy): a magic string, a header that is a Python dictionary, and
// the elements; and archives of them (.npz). Only plain numbers are read, never Python objects.
// NumPy Enhancement Proposal 1 and numpy.lib.format define the format.
package npy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unsafe"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/half"
	"github.com/seed-49005b45/tarn/internal/list"
)

const magic = "\x93NUMPY"

// maxHeader is the longest header that is read, in bytes. NumPy itself refuses more than 10000.
const maxHeader = 1 << 16

// Options say how to read an array. The zero value reads what Read reads.
type Options struct {
	// MaxBytes is the largest size of the elements, in bytes, that is read; 0 means 4 GiB, and a negative number any size. In an archive
	// it is that of all arrays together, and 0 means 1 GiB if any of them is compressed.
	MaxBytes int64
}

// Read reads one array from r, which must end after it. Elements of the types f4, f8, i1, i2, i4, i8, u1 and b1 are read as they are,
// those of other types as the narrowest type of data.Array that holds all their values: f2 becomes float32, u2 int32, and u4 and
// u8 int64; a u8 beyond int64 is an error. The byte order may be any. An array in Fortran order is converted to row-major order.
func Read(r io.Reader) (data.Array, error) { return Options{}.Read(r) }

// Load reads the file at path.
func Load(path string) (data.Array, error) { return Options{}.Load(path) }

// Read is the function Read with options.
func (o Options) Read(r io.Reader) (data.Array, error) {
	a, err := read(bufio.NewReader(r), o.fit)
	if err != nil {
		return data.Array{}, fmt.Errorf("npy: %w", err)
	}
	return a, nil
}

// Load is the function Load with options.
func (o Options) Load(path string) (data.Array, error) {
	f, _, err := file.Open(path)
	if err != nil {
		return data.Array{}, fmt.Errorf("npy: %w", err)
	}
	defer f.Close()
	a, err := read(bufio.NewReader(f), o.fit)
	if err != nil {
		return data.Array{}, fmt.Errorf("npy: %s: %w", file.Name(path), err)
	}
	return a, nil
}

// fit reports whether n elements of size bytes are within the limit.
func (o Options) fit(n, size int) error { return dense.Fit(n, size, o.MaxBytes, dense.Unpacked) }

// read reads an array, if fit allows its elements.
func read(r io.Reader, fit func(n, size int) error) (data.Array, error) {
	h, err := readHeader(r)
	if err != nil {
		return data.Array{}, err
	}
	h.fit = fit
	a := data.Array{Shape: h.shape}
	switch h.kind {
	case "f2":
		a.Data, err = converted(r, h, func(x uint16) (float32, error) { return half.F16(x), nil })
	case "i1":
		a.Data, err = body[int8](r, h)
	case "i2":
		a.Data, err = body[int16](r, h)
	case "u2":
		a.Data, err = converted(r, h, func(x uint16) (int32, error) { return int32(x), nil })
	case "u4":
		a.Data, err = converted(r, h, func(x uint32) (int64, error) { return int64(x), nil })
	case "u8":
		a.Data, err = converted(r, h, func(x uint64) (int64, error) {
			if x > math.MaxInt64 {
				return 0, fmt.Errorf("%d, more than int64 holds: save x.astype('float64')", x)
			}
			return int64(x), nil
		})
	case "f4":
		a.Data, err = body[float32](r, h)
	case "f8":
		a.Data, err = body[float64](r, h)
	case "i4":
		a.Data, err = body[int32](r, h)
	case "i8":
		a.Data, err = body[int64](r, h)
	case "u1":
		a.Data, err = body[uint8](r, h)
	case "b1":
		a.Data, err = bools(r, h)
	default:
		err = fmt.Errorf("elements of type %s are not read (%s), only f2, f4, f8, i1 to i8, u1 to u8 and b1: save %s", list.Quote(h.kind), kindOf(h.kind), cureOf(h.kind))
	}
	if err != nil {
		return data.Array{}, err
	}
	return a, nil
}

// readHeader reads everything before the elements.
func readHeader(r io.Reader) (header, error) {
	var head [len(magic) + 2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return header{}, fmt.Errorf("no header: %w", err)
	}
	if string(head[:len(magic)]) != magic {
		return header{}, fmt.Errorf("not a npy file: it begins with %q", head[:len(magic)])
	}
	major := head[len(magic)]
	var size [4]byte
	width := 4
	switch major {
	case 1:
		width = 2
	case 2, 3:
	default:
		return header{}, fmt.Errorf("version %d.%d of the format is not known", major, head[len(magic)+1])
	}
	if _, err := io.ReadFull(r, size[:width]); err != nil {
		return header{}, fmt.Errorf("no header length: %w", err)
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > maxHeader {
		return header{}, fmt.Errorf("a header of %d bytes, more than %d", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return header{}, fmt.Errorf("the header is incomplete: %w", err)
	}
	h, err := parseHeader(string(text))
	if err != nil {
		return header{}, fmt.Errorf("header %s: %w", list.Quote(strings.TrimSpace(string(text))), err)
	}
	return h, nil
}

// kindOf says in words what a type is that is not read.
func kindOf(kind string) string {
	switch kind[0] {
	case 'c':
		return "complex numbers"
	case 'f':
		return "extended floats"
	case 'O':
		return "Python objects"
	case 'S', 'a', 'U':
		return "text"
	case 'M', 'm':
		return "times"
	case 'V':
		return "bytes of a type that NumPy does not know, such as bfloat16"
	}
	return "an unknown type"
}

// cureOf says what to save instead.
func cureOf(kind string) string {
	switch kind[0] {
	case 'c':
		return "x.real and x.imag as two arrays"
	case 'O':
		return "x.astype('float64') if the objects are numbers"
	case 'S', 'a', 'U':
		return "x.astype('float64') if the text is numbers, and otherwise the number of each text, as by numpy.unique(x, return_inverse=True)"
	case 'M', 'm':
		return "x.astype('int64')"
	case 'V':
		return "x.astype('float32')"
	}
	return "x.astype('float64')"
}

// count returns the number of elements of size bytes that a header promises, if the limit allows them.
func (h header) count(size int) (int, error) {
	n, err := dense.Count(h.shape, 8)
	if err != nil {
		return 0, err
	}
	return n, h.fit(n, size)
}

// converted is body for elements that become another type.
func converted[S, D dense.Number](r io.Reader, h header, convert func(S) (D, error)) ([]D, error) {
	from, err := body[S](r, h)
	if err != nil {
		return nil, err
	}
	to := make([]D, len(from))
	for i, x := range from {
		if to[i], err = convert(x); err != nil {
			return nil, fmt.Errorf("element %d is %w", i, err)
		}
	}
	return to, nil
}

// body reads the elements of an array, after which the file must end.
func body[T dense.Number](r io.Reader, h header) ([]T, error) {
	var zero T
	n, err := h.count(int(unsafe.Sizeof(zero)))
	if err != nil {
		return nil, err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if h.bigEndian {
		order = binary.BigEndian
	}
	elems, err := dense.Read[T](r, n, order)
	if err != nil {
		return nil, err
	}
	if err := dense.End(r); err != nil {
		return nil, err
	}
	return rowMajor(elems, h), nil
}

// bools is body for bools.
func bools(r io.Reader, h header) ([]bool, error) {
	n, err := h.count(1)
	if err != nil {
		return nil, err
	}
	elems, err := dense.ReadBools(r, n)
	if err != nil {
		return nil, err
	}
	if err := dense.End(r); err != nil {
		return nil, err
	}
	return rowMajor(elems, h), nil
}

// rowMajor converts elements from Fortran order (first axis fastest) to row-major order (last axis fastest).
func rowMajor[T any](src []T, h header) []T {
	if !h.fortran || len(h.shape) < 2 || len(src) == 0 {
		return src
	}
	stride := make([]int, len(h.shape))
	s := 1
	for axis, d := range h.shape {
		stride[axis] = s
		s *= d
	}
	dst := make([]T, len(src))
	index := make([]int, len(h.shape))
	from := 0
	for i := range dst {
		dst[i] = src[from]
		for axis := len(index) - 1; axis >= 0; axis-- {
			index[axis]++
			from += stride[axis]
			if index[axis] < h.shape[axis] {
				break
			}
			from -= index[axis] * stride[axis]
			index[axis] = 0
		}
	}
	return dst
}

// SaveOptions say how arrays are written. The zero value writes what Write, Save, WriteZip and SaveZip write.
type SaveOptions struct {
	// Half writes floats as f2, IEEE 754 binary16 with 11 significant bits, instead of f4 and f8: the numbers of a tarn.F16 as they are. Each number becomes the nearest, of two
	// the even one; a finite number beyond 65504 is an error.
	Half bool

	// Compress makes the arrays of an archive smaller, as numpy.savez_compressed does.
	Compress bool
}

// Write writes an array in row-major order, little-endian.
func Write(w io.Writer, a data.Array) error { return SaveOptions{}.Write(w, a) }

// Write is the function Write with options.
func (o SaveOptions) Write(w io.Writer, a data.Array) error {
	if err := o.write(w, a); err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	return nil
}

func (o SaveOptions) write(w io.Writer, a data.Array) error {
	if err := a.Check(); err != nil {
		return err
	}
	switch d := a.Data.(type) {
	case []float32:
		if o.Half {
			return writeHalf(w, a.Shape, d)
		}
		return write(w, "<f4", a.Shape, d)
	case []float64:
		if o.Half {
			return writeHalf(w, a.Shape, d)
		}
		return write(w, "<f8", a.Shape, d)
	case []int8:
		return write(w, "|i1", a.Shape, d)
	case []int16:
		return write(w, "<i2", a.Shape, d)
	case []int32:
		return write(w, "<i4", a.Shape, d)
	case []int64:
		return write(w, "<i8", a.Shape, d)
	case []uint8:
		return write(w, "|u1", a.Shape, d)
	case []bool:
		return write(w, "|b1", a.Shape, dense.Bytes(d))
	}
	return fmt.Errorf("elements of type %T are not written", a.Data)
}

// writeHalf writes floats as f2.
func writeHalf[T float32 | float64](w io.Writer, shape []int, elems []T) error {
	halves := make([]uint16, len(elems))
	for i, x := range elems {
		halves[i] = half.ToF16(half.Odd(float64(x)))
		if halves[i]&0x7fff == 0x7c00 && !math.IsInf(float64(x), 0) {
			return fmt.Errorf("element %d is %v, beyond the range of f2: write it without Half", i, x)
		}
	}
	return write(w, "<f2", shape, halves)
}

func write[T dense.Number](w io.Writer, descr string, shape []int, elems []T) error {
	head, err := formatHeader(descr, shape)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	return dense.Write(w, elems, binary.LittleEndian)
}

// formatHeader returns everything before the elements, in version 1 of the format, padded with spaces so that the
// elements begin at a multiple of 64 bytes.
func formatHeader(descr string, shape []int) ([]byte, error) {
	sizes := make([]string, len(shape))
	for axis, d := range shape {
		sizes[axis] = strconv.Itoa(d)
	}
	tuple := strings.Join(sizes, ", ")
	if len(shape) == 1 {
		tuple += ","
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, tuple)
	const start = len(magic) + 4
	pad := 63 - (start+len(dict))%64
	n := len(dict) + pad + 1
	if n >= maxHeader {
		return nil, fmt.Errorf("%d axes need a header of %d bytes, more than %d", len(shape), n, maxHeader-1)
	}
	head := append([]byte(magic), 1, 0)
	head = binary.LittleEndian.AppendUint16(head, uint16(n))
	return append(head, dict+strings.Repeat(" ", pad)+"\n"...), nil
}

// Save writes an array to the file at path atomically: a crash at any moment leaves the old file or the new one.
func Save(path string, a data.Array) error { return SaveOptions{}.Save(path, a) }

// Save is the function Save with options.
func (o SaveOptions) Save(path string, a data.Array) error {
	if err := file.Replace(file.Disk, path, func(w io.Writer) error { return o.write(w, a) }); err != nil {
		return fmt.Errorf("npy: %s: %w", file.Name(path), err)
	}
	return nil
}
