package safetensors

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/half"
)

// This file writes the format.

// The dtypes that floats can be written as.
const (
	F64  = "F64"
	F32  = "F32"
	F16  = "F16"  // IEEE 754 binary16: 11 significant bits, up to 65504
	BF16 = "BF16" // bfloat16: 8 significant bits, the range of F32
)

// SaveOptions say how to write tensors. The zero value writes what Save and Write write.
type SaveOptions struct {
	// Float is the dtype of the format that floats are written as: F16, BF16, F32 or F64. "" keeps all as they are. Each number
	// becomes the nearest of that dtype, of two the even one; a finite number that is beyond its range is an error. Integers and bools stay.
	Float string

	// Shard splits tensors of more bytes into files of at most that size, or of a single tensor: instead of model.safetensors Save writes
	// model-00001-of-00002.safetensors and so on, and an index, model.safetensors.index.json. Load and Open find them under the
	// same path. 0 means one file of any size.
	Shard int64
}

// Save writes the file at path atomically: a crash at any moment leaves the old file or the new one.
func Save(path string, tensors map[string]*tarn.Tensor, metadata map[string]string) error {
	return SaveOptions{}.Save(path, tensors, metadata)
}

// Save is the function Save with options. If a crash interrupts it while it writes several files, there is the old single file or none.
func (o SaveOptions) Save(path string, tensors map[string]*tarn.Tensor, metadata map[string]string) error {
	if err := o.save(path, tensors, metadata); err != nil {
		return fmt.Errorf("safetensors: %s: %w", file.Name(path), err)
	}
	return nil
}

func (o SaveOptions) save(path string, tensors map[string]*tarn.Tensor, metadata map[string]string) error {
	all, err := o.outputs(tensors)
	if err != nil {
		return err
	}
	if o.Shard == 0 {
		return file.Replace(file.Disk, path, func(w io.Writer) error { return write(w, all, metadata) })
	}
	shards := cut(all, o.Shard)
	switch {
	case o.Shard < 0:
		return fmt.Errorf("files of at most %d bytes: Shard must be at least 0", o.Shard)
	case len(shards) > maxShards:
		return fmt.Errorf("files of at most %d bytes would be %d, more than %d: make Shard larger", o.Shard, len(shards), maxShards)
	case len(shards) > 1:
		for _, t := range all { // before the first file is written
			if err := t.encode(io.Discard); err != nil {
				return err
			}
		}
		return o.saveShards(path, shards, metadata)
	}
	if err := file.Replace(file.Disk, path, func(w io.Writer) error { return write(w, all, metadata) }); err != nil {
		return err
	}
	return remove(path + indexSuffix) // of a set that was there
}

// Write writes the tensors and the metadata, which may be nil, to w, with checksums of both in the metadata, which Read
// verifies and removes. The same contents are written as the same bytes. Tensors are ordered by element size, the widest
// first, so that each is aligned, and then by name.
func Write(w io.Writer, tensors map[string]*tarn.Tensor, metadata map[string]string) error {
	return SaveOptions{}.Write(w, tensors, metadata)
}

// Write is the function Write with options. It writes one file of any size: Shard must be 0.
func (o SaveOptions) Write(w io.Writer, tensors map[string]*tarn.Tensor, metadata map[string]string) error {
	all, err := o.outputs(tensors)
	if err == nil && o.Shard != 0 {
		err = errors.New("Write cannot split a file: use Save, or set Shard to 0")
	}
	if err == nil {
		err = write(w, all, metadata)
	}
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

var dtypeName = map[tarn.DType]string{tarn.Bool: "BOOL", tarn.I32: "I32", tarn.I64: "I64", tarn.F32: F32, tarn.F64: F64, tarn.BF16: BF16, tarn.F16: F16}

// output is a tensor to write.
type output struct {
	name, dtype string
	tensor      *tarn.Tensor
}

func (t output) bytes() int { return t.tensor.Size() * int(elementSize[t.dtype]) }

// outputs returns the tensors to write, in the order of their names.
func (o SaveOptions) outputs(tensors map[string]*tarn.Tensor) (all []output, err error) {
	if !slices.Contains([]string{"", F16, BF16, F32, F64}, o.Float) {
		return nil, fmt.Errorf("floats cannot be written as %q: want F16, BF16, F32, F64 or none", o.Float)
	}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		t := tensors[name]
		if t == nil {
			return nil, fmt.Errorf("tensor %q is nil", name)
		}
		dtype := dtypeName[t.DType()]
		if (t.DType().IsFloat() || isShort(t.DType())) && o.Float != "" {
			dtype = o.Float
		}
		all = append(all, output{name, dtype, t})
	}
	return all, nil
}

func write(w io.Writer, tensors []output, metadata map[string]string) error {
	tensors = slices.Clone(tensors)
	slices.SortStableFunc(tensors, func(a, b output) int { return int(elementSize[b.dtype] - elementSize[a.dtype]) })
	metadata, err := withChecksum(tensors, metadata)
	if err != nil {
		return err
	}
	header, err := encodeHeader(tensors, metadata)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	b.Write(order.AppendUint64(nil, uint64(len(header)))) // a bufio.Writer keeps its first error for Flush
	b.Write(header)
	for _, t := range tensors {
		if err := t.encode(b); err != nil {
			return err
		}
	}
	return b.Flush()
}

// encodeHeader returns the header, padded with spaces so that the data begins at a multiple of 8.
func encodeHeader(tensors []output, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	var failed error
	text := func(v any) {
		if s, ok := v.(string); ok && !utf8.ValidString(s) {
			failed = fmt.Errorf("the name or metadata %q is not UTF-8 text", s)
		}
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			failed = err
		}
		b.Truncate(b.Len() - 1) // the newline that Encode ends with
	}
	b.WriteByte('{')
	separator := func() {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
	}
	if len(metadata) > 0 {
		text(metadataKey)
		for i, key := range slices.Sorted(maps.Keys(metadata)) {
			b.WriteString([]string{":{", ","}[min(i, 1)])
			text(key)
			b.WriteByte(':')
			text(metadata[key])
		}
		b.WriteByte('}')
	}
	offset := 0
	for _, t := range tensors {
		if t.name == metadataKey {
			return nil, fmt.Errorf("a tensor cannot have the name %s", metadataKey)
		}
		end := offset + t.bytes()
		separator()
		text(t.name)
		fmt.Fprintf(&b, `:{"dtype":%q,"shape":`, t.dtype)
		text(append([]int{}, t.tensor.Shape()...)) // a scalar's nil shape would become null
		fmt.Fprintf(&b, `,"data_offsets":[%d,%d]}`, offset, end)
		offset = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, fmt.Errorf("the header would be %d bytes long, at most %d are allowed", b.Len(), maxHeader)
	}
	return b.Bytes(), failed
}

// encode writes the elements of a tensor.
func (t output) encode(w io.Writer) error {
	x := t.tensor
	switch {
	case x.DType() == tarn.I32:
		return dense.Write(w, x.I32(), order)
	case x.DType() == tarn.I64:
		return dense.Write(w, x.I64(), order)
	case x.DType() == tarn.Bool:
		_, err := w.Write(x.Raw())
		return err
	case t.dtype == F32 && x.DType() == tarn.F32:
		return dense.Write(w, x.F32(), order)
	case t.dtype == F64 && x.DType() == tarn.F64:
		return dense.Write(w, x.F64(), order)
	case t.dtype == dtypeName[x.DType()]: // two bytes
		return dense.Write(w, unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x.Raw()))), x.Size()), order)
	}
	at := func(i int) float32 { return half.Odd(x.Float(i)) } // which is rounded once more
	switch t.dtype {
	case F16:
		return convert(w, t, func(i int) uint16 { return half.ToF16(at(i)) }, func(h uint16) float64 { return float64(half.F16(h)) })
	case BF16:
		return convert(w, t, func(i int) uint16 { return half.ToBF16(at(i)) }, func(h uint16) float64 { return float64(half.BF16(h)) })
	case F32:
		return convert(w, t, func(i int) float32 { return float32(x.Float(i)) }, func(f float32) float64 { return float64(f) })
	}
	return convert(w, t, func(i int) float64 { return x.Float(i) }, func(f float64) float64 { return f })
}

// convert writes the elements of a tensor as another type, a piece at a time. back is the value of a number of that type.
func convert[T dense.Number](w io.Writer, t output, element func(i int) T, back func(T) float64) error {
	var piece [4096]T
	for i := 0; i < t.tensor.Size(); {
		n := min(len(piece), t.tensor.Size()-i)
		for j := range n {
			piece[j] = element(i + j)
			if f := back(piece[j]); math.IsInf(f, 0) && !math.IsInf(t.tensor.Float(i+j), 0) {
				return fmt.Errorf("tensor %q: element %d is %v, beyond the range of %s: write it as BF16, F32 or as it is", t.name, i+j, t.tensor.Float(i+j), t.dtype)
			}
		}
		if err := dense.Write(w, piece[:n], order); err != nil {
			return err
		}
		i += n
	}
	return nil
}
