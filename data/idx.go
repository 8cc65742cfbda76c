package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/seed-49005b45/tarn/internal/dense"
)

// This file reads IDX, the format of the MNIST family of data sets: two zero bytes, a type code, the number of axes,
// their sizes as big-endian 32-bit numbers, then the elements, big-endian too.
// LeCun, Cortes and Burges: The MNIST database of handwritten digits, section "File formats".

// ReadIDX reads an IDX file, compressed with gzip or not. The elements are uint8, int8, int16, int32, float32 or float64.
func ReadIDX(r io.Reader) (Array, error) {
	a, err := readIDX(bufio.NewReader(r))
	if err != nil {
		return Array{}, fmt.Errorf("data: idx: %w", err)
	}
	return a, nil
}

// LoadIDX reads the IDX file at path.
func LoadIDX(path string) (Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return Array{}, fmt.Errorf("data: idx: %w", err)
	}
	defer f.Close()
	a, err := readIDX(bufio.NewReader(f))
	if err != nil {
		return Array{}, fmt.Errorf("data: idx: %s: %w", path, err)
	}
	return a, nil
}

func readIDX(r *bufio.Reader) (Array, error) {
	if magic, _ := r.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(r)
		if err != nil {
			return Array{}, err
		}
		r = bufio.NewReader(z)
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
	a := Array{Shape: shape}
	var err error
	switch head[2] {
	case 0x08:
		a.Data, err = readBody[uint8](r, shape)
	case 0x09:
		a.Data, err = readBody[int8](r, shape)
	case 0x0b:
		a.Data, err = readBody[int16](r, shape)
	case 0x0c:
		a.Data, err = readBody[int32](r, shape)
	case 0x0d:
		a.Data, err = readBody[float32](r, shape)
	case 0x0e:
		a.Data, err = readBody[float64](r, shape)
	default:
		err = fmt.Errorf("unknown element type %#02x", head[2])
	}
	if err != nil {
		return Array{}, err
	}
	return a, nil
}

// readBody reads the elements, after which the file must end.
func readBody[T dense.Number](r io.Reader, shape []int) ([]T, error) {
	n, err := dense.Count(shape, 8)
	if err != nil {
		return nil, err
	}
	body, err := dense.Read[T](r, n, binary.BigEndian)
	if err != nil {
		return nil, err
	}
	return body, dense.End(r)
}
