package safetensors

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/limit"
)

// This file reads files. Element types that tarn does not have are widened to a type that holds all their values.

// Options say how to read a file. The zero value reads what Load and Read read.
type Options struct {
	// MaxBytes is the largest size of all elements, in bytes, that is read; 0 means 16 GiB, and a negative number any size. A file that is
	// mostly holes can be much larger than the disk.
	MaxBytes int64
}

const usualBytes = 16 << 30

// Load reads the file at path.
func Load(path string) (*File, error) { return Options{}.Load(path) }

// Load is the function Load with options.
func (o Options) Load(path string) (*File, error) { return load(path, o.accept) }

// accept refuses tensors that are larger than the limit, one after the other as they lie in the file.
func (o Options) accept(infos []info) error {
	if len(infos) == 0 {
		return nil
	}
	return dense.Fit(int(infos[len(infos)-1].end), 1, o.MaxBytes, usualBytes)
}

// load reads a file. accept sees the tensors before their elements are read, and may refuse them.
func load(path string, accept func([]info) error) (*File, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	defer f.Close()
	contents, err := read(f, size, accept)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", file.Name(path), err)
	}
	return contents, nil
}

// Read reads the size bytes of r. F16 and BF16 become F32; U8, I8, U16 and I16 become I32; U32 becomes I64. U64 and
// the 8-bit floats fit no such type and are errors. If the file has checksums that do not match, that is an error too.
func Read(r io.ReaderAt, size int64) (*File, error) { return Options{}.Read(r, size) }

// Read is the function Read with options.
func (o Options) Read(r io.ReaderAt, size int64) (*File, error) {
	file, err := read(r, size, o.accept)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return file, nil
}

func read(r io.ReaderAt, size int64, accept func([]info) error) (*File, error) {
	if size < 8 {
		return nil, fmt.Errorf("%d bytes are not a safetensors file, which begins with the 8-byte length of its header", size)
	}
	var prefix [8]byte
	if err := readFull(r, prefix[:], 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader || int64(length) > size-8 {
		return nil, fmt.Errorf("not a safetensors file, or an incomplete one: the length of the header is given as %d bytes, %d follow, and at most %d are accepted",
			length, size-8, maxHeader)
	}
	header := make([]byte, length)
	if err := readFull(r, header, 8); err != nil {
		return nil, err
	}
	start := 8 + int64(length)
	infos, metadata, err := parseHeader(header, size-start)
	if err != nil {
		return nil, err
	}
	if err := accept(infos); err != nil {
		return nil, err
	}
	largest, err := checkMemory(infos)
	if err != nil {
		return nil, err
	}
	file := &File{Tensors: make(map[string]*tarn.Tensor, len(infos)), Metadata: metadata}
	var entries []entry
	buffer := make([]byte, largest)
	for _, t := range infos {
		raw := buffer[:t.end-t.begin]
		if err := readFull(r, raw, start+t.begin); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.name, err)
		}
		tensor, err := decode(t, raw)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.name, err)
		}
		file.Tensors[t.name] = tensor
		entries = append(entries, entry{t.name, t.dtype, t.shape, crc32.Checksum(raw, castagnoli)})
	}
	if file.Verified, err = verify(entries, metadata); err != nil {
		return nil, err
	}
	if len(metadata) == 0 {
		file.Metadata = nil
	}
	return file, nil
}

// checkMemory refuses tensors that the process may not have memory for, and returns the size in bytes of the largest one in the
// file. A file that is mostly holes can hold more than any machine.
func checkMemory(infos []info) (largest int64, err error) {
	total := 0.0 // a sum of sizes that each fit an int need not
	for _, t := range infos {
		largest = max(largest, t.end-t.begin)
		if dtype, ok := decoded[t.dtype]; ok {
			total += float64((t.end-t.begin)/elementSize[t.dtype]) * float64(dtype.Size())
		}
	}
	if err := limit.Check(int(min(total+float64(largest), math.MaxInt/2))); err != nil {
		return 0, fmt.Errorf("the tensors: %w; %s", err, limit.ReadHint)
	}
	return largest, nil
}

// readFull fills b. A ReaderAt may report the end of the file with the last bytes; that is not an error here.
func readFull(r io.ReaderAt, b []byte, offset int64) error {
	if n, err := r.ReadAt(b, offset); n < len(b) {
		return fmt.Errorf("reading %d bytes at %d: %w", len(b), offset, err)
	}
	return nil
}

// elementSize holds the size in bytes of each dtype of the format.
var elementSize = map[string]int64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}

// decoded holds the dtype of the tensor that decode returns for each of the format's that it reads.
var decoded = map[string]tarn.DType{
	"BOOL": tarn.Bool, "U8": tarn.I32, "I8": tarn.I32, "U16": tarn.I32, "I16": tarn.I32, "F16": tarn.F32, "BF16": tarn.F32,
	"U32": tarn.I64, "I32": tarn.I32, "F32": tarn.F32, "I64": tarn.I64, "F64": tarn.F64,
}

var order = binary.LittleEndian

// decode returns the elements of a tensor from its bytes, which are as many as its type needs.
func decode(t info, raw []byte) (*tarn.Tensor, error) {
	switch t.dtype {
	case "F32":
		return fill(t, raw, 4, func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) })
	case "F64":
		return fill(t, raw, 8, func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) })
	case "I32":
		return fill(t, raw, 4, func(b []byte) int32 { return int32(order.Uint32(b)) })
	case "I64":
		return fill(t, raw, 8, func(b []byte) int64 { return int64(order.Uint64(b)) })
	case "BOOL":
		for i, b := range raw {
			if b > 1 {
				return nil, fmt.Errorf("element %d of a BOOL tensor is the byte %d, want 0 or 1", i, b)
			}
		}
		return fill(t, raw, 1, func(b []byte) bool { return b[0] == 1 })
	case "F16":
		return fill(t, raw, 2, func(b []byte) float32 { return dense.Half(order.Uint16(b)) })
	case "BF16":
		return fill(t, raw, 2, func(b []byte) float32 { return math.Float32frombits(uint32(order.Uint16(b)) << 16) })
	case "U8":
		return fill(t, raw, 1, func(b []byte) int32 { return int32(b[0]) })
	case "I8":
		return fill(t, raw, 1, func(b []byte) int32 { return int32(int8(b[0])) })
	case "U16":
		return fill(t, raw, 2, func(b []byte) int32 { return int32(order.Uint16(b)) })
	case "I16":
		return fill(t, raw, 2, func(b []byte) int32 { return int32(int16(order.Uint16(b))) })
	case "U32":
		return fill(t, raw, 4, func(b []byte) int64 { return int64(order.Uint32(b)) })
	}
	return nil, fmt.Errorf("elements of dtype %s are not supported; convert the file to F32, F64, I32, I64 or BOOL", t.dtype)
}

func fill[T tarn.Element](t info, raw []byte, size int, element func(b []byte) T) (*tarn.Tensor, error) {
	data := make([]T, len(raw)/size)
	for i := range data {
		data[i] = element(raw[i*size:])
	}
	return tarn.FromSlice(data, t.shape...)
}
