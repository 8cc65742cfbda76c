package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file reads IDX, the format of the MNIST family of data sets: two zero bytes, a type code, the number of axes,
// their sizes as big-endian 32-bit numbers, then the elements, big-endian too.
// LeCun, Cortes and Burges: The MNIST database of handwritten digits, section "File formats".

// IDX says how to read an IDX file. The zero value reads what ReadIDX reads.
type IDX struct {
	// MaxBytes is the largest size of the elements, in bytes, that is read. 0 means 1 GiB if the file is compressed, since a small
	// file can unpack to a very large one, and 4 GiB if it is not; a negative number means any size.
	MaxBytes int64
}

// ReadIDX reads an IDX file, compressed with gzip or not. The elements are uint8, int8, int16, int32, float32 or float64.
func ReadIDX(r io.Reader) (Array, error) { return IDX{}.Read(r) }

// LoadIDX reads the IDX file at path.
func LoadIDX(path string) (Array, error) { return IDX{}.Load(path) }

// Read reads from r, which must end after the array.
func (o IDX) Read(r io.Reader) (Array, error) {
	a, err := o.read(bufio.NewReader(r))
	if err != nil {
		return Array{}, fmt.Errorf("data: idx: %w", err)
	}
	return a, nil
}

// Load reads the file at path.
func (o IDX) Load(path string) (Array, error) {
	f, _, err := file.Open(path)
	if err != nil {
		return Array{}, fmt.Errorf("data: idx: %w", err)
	}
	defer f.Close()
	a, err := o.read(bufio.NewReader(f))
	if err != nil {
		return Array{}, fmt.Errorf("data: idx: %s: %w", file.Name(path), err)
	}
	return a, nil
}

func (o IDX) read(r *bufio.Reader) (Array, error) {
	usual := int64(dense.Unpacked)
	if magic, _ := r.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(r)
		if err != nil {
			return Array{}, err
		}
		r, usual = bufio.NewReader(z), dense.Packed
	}
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Array{}, fmt.Errorf("no header: %w", err)
	}
	if head[0] != 0 || head[1] != 0 {
		return Array{}, fmt.Errorf("not an IDX file: it begins with the bytes %x, want two zeros", head)
	}
	shape := make([]int, head[3])
	for axis := range shape {
		var d [4]byte
		if _, err := io.ReadFull(r, d[:]); err != nil {
			return Array{}, fmt.Errorf("the header ends before axis %d of %d: %w", axis, len(shape), err)
		}
		shape[axis] = int(int32(binary.BigEndian.Uint32(d[:])))
	}
	body := body{r, shape, o.MaxBytes, usual}
	a := Array{Shape: shape}
	var err error
	switch head[2] {
	case 0x08:
		a.Data, err = readBody[uint8](body)
	case 0x09:
		a.Data, err = readBody[int8](body)
	case 0x0b:
		a.Data, err = readBody[int16](body)
	case 0x0c:
		a.Data, err = readBody[int32](body)
	case 0x0d:
		a.Data, err = readBody[float32](body)
	case 0x0e:
		a.Data, err = readBody[float64](body)
	default:
		err = fmt.Errorf("unknown element type %#02x", head[2])
	}
	if err != nil {
		return Array{}, err
	}
	return a, nil
}

// body is the part of a file that holds the elements, with the limit that was asked for and the usual one.
type body struct {
	r            io.Reader
	shape        []int
	asked, usual int64
}

// readBody reads the elements, after which the file must end.
func readBody[T dense.Number](b body) ([]T, error) {
	n, err := dense.Count(b.shape, 8)
	if err != nil {
		return nil, err
	}
	var zero T
	if err := dense.Fit(n, int(unsafe.Sizeof(zero)), b.asked, b.usual); err != nil {
		return nil, err
	}
	elems, err := dense.Read[T](b.r, n, binary.BigEndian)
	if err != nil {
		return nil, err
	}
	return elems, dense.End(b.r)
}
