// Package npy reads and writes NumPy's array files (.npy): a magic string, a header that is a Python dictionary, and
// the elements. Only plain numbers are read, never Python objects.
// NumPy Enhancement Proposal 1 and numpy.lib.format define the format.
package npy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
)

const magic = "\x93NUMPY"

// maxHeader is the longest header that is read, in bytes. NumPy itself refuses more than 10000.
const maxHeader = 1 << 16

// Read reads one array from r, which must end after it. The elements are float32 (f4), float64 (f8), int32 (i4), int64
// (i8), bool (b1) or uint8 (u1), of any byte order; an array in Fortran order is converted to row-major order.
func Read(r io.Reader) (data.Array, error) {
	a, err := read(bufio.NewReader(r))
	if err != nil {
		return data.Array{}, fmt.Errorf("npy: %w", err)
	}
	return a, nil
}

// Load reads the file at path.
func Load(path string) (data.Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return data.Array{}, fmt.Errorf("npy: %w", err)
	}
	defer f.Close()
	a, err := read(bufio.NewReader(f))
	if err != nil {
		return data.Array{}, fmt.Errorf("npy: %s: %w", path, err)
	}
	return a, nil
}

func read(r io.Reader) (data.Array, error) {
	h, err := readHeader(r)
	if err != nil {
		return data.Array{}, err
	}
	a := data.Array{Shape: h.shape}
	switch h.kind {
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
		err = fmt.Errorf("elements of type %q are not read, only f4, f8, i4, i8, u1 and b1: save x.astype('float32') or the like", h.kind)
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
		return header{}, fmt.Errorf("header %.200q: %w", strings.TrimSpace(string(text)), err)
	}
	return h, nil
}

// body reads the elements of an array, after which the file must end.
func body[T dense.Number](r io.Reader, h header) ([]T, error) {
	n, err := dense.Count(h.shape, 8)
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
	n, err := dense.Count(h.shape, 8)
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

// Write writes an array in row-major order, little-endian. The elements must be of a type that Read returns.
func Write(w io.Writer, a data.Array) error {
	if err := a.Check(); err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	var err error
	switch d := a.Data.(type) {
	case []float32:
		err = write(w, "<f4", a.Shape, d)
	case []float64:
		err = write(w, "<f8", a.Shape, d)
	case []int32:
		err = write(w, "<i4", a.Shape, d)
	case []int64:
		err = write(w, "<i8", a.Shape, d)
	case []uint8:
		err = write(w, "|u1", a.Shape, d)
	case []bool:
		err = write(w, "|b1", a.Shape, dense.Bytes(d))
	default:
		err = fmt.Errorf("elements of type %T are not written: convert them to []int32 or []float32", a.Data)
	}
	if err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	return nil
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
func Save(path string, a data.Array) error {
	if err := file.Replace(file.Disk, path, func(w io.Writer) error { return Write(w, a) }); err != nil {
		return fmt.Errorf("npy: %s: %w", path, err)
	}
	return nil
}
