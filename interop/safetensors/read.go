package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"unsafe"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/half"
	"github.com/seed-49005b45/tarn/internal/limit"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/pattern"
)

// This file reads files: the headers first, then the elements of one tensor after the other. Element types that tarn does not have are
// widened to a type that holds all their values.

// Options say how to read a file. The zero value reads what Load and Read read.
type Options struct {
	// MaxBytes is the largest size of all elements, in bytes, that is read; 0 means 16 GiB, and a negative number any size. A file that is
	// mostly holes can be much larger than the disk.
	MaxBytes int64

	// Only are patterns of the names of tensors that are read; nil means all. In a pattern * stands for any characters but a dot, and
	// ** for any characters, as in "blocks.*.weight" and "encoder.**". The others are not read from the disk.
	Only []string

	// Skip are patterns of the names of tensors that are not read.
	Skip []string

	// Short leaves F16 and BF16 as they are, as tensors of these dtypes, which take half of the memory.
	Short bool
}

const usualBytes = 16 << 30

// Load reads the file at path, or the set of files that the index at path lists, see Open.
func Load(path string) (*File, error) { return Options{}.Load(path) }

// Load is the function Load with options.
func (o Options) Load(path string) (*File, error) {
	r, err := o.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	contents, err := r.all()
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", file.Name(path), err)
	}
	return contents, nil
}

// Read reads the size bytes of r. F16 and BF16 become F32, unless Options.Short keeps them; U8, I8, U16 and I16 become I32; U32 becomes I64. U64 and
// the 8-bit floats fit no such type and are errors. If the file has checksums that do not match, that is an error too.
func Read(r io.ReaderAt, size int64) (*File, error) { return Options{}.Read(r, size) }

// Read is the function Read with options.
func (o Options) Read(r io.ReaderAt, size int64) (*File, error) {
	contents, err := o.read(r, size)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return contents, nil
}

func (o Options) read(r io.ReaderAt, size int64) (*File, error) {
	var all Reader
	if err := all.add(r, size); err != nil {
		return nil, err
	}
	if err := all.choose(o); err != nil {
		return nil, err
	}
	return all.all()
}

// Reader reads single tensors of an open file or set of files, so that a model that is larger than the memory can be read in parts.
// Its methods may be called by several goroutines.
type Reader struct {
	tensors  map[string]*stored
	names    []string // as they lie
	metadata map[string]string
	summed   int // files with checksums
	files    []io.Closer
	count    int // of files
}

// Info is what a file says about a tensor.
type Info struct {
	DType string // as the format calls it, such as "BF16"
	Shape []int
}

// stored is a tensor in a file.
type stored struct {
	info
	r      io.ReaderAt
	start  int64 // of the data
	sum    uint32
	summed bool
	short  bool // see Options.Short
}

// Open opens the file at path and reads its header. If the path ends in ".index.json", it is the index of a set of files, as the model hubs
// split large models, and all that have a chosen tensor are opened. So they are if there is no file at path, but an index at path + ".index.json".
func Open(path string) (*Reader, error) { return Options{}.Open(path) }

// Open is the function Open with options.
func (o Options) Open(path string) (*Reader, error) {
	r, err := o.open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return r, nil
}

func (o Options) open(path string) (r *Reader, err error) {
	r = &Reader{}
	defer func() {
		if err != nil {
			r.Close()
			r = nil
		}
	}()
	index := strings.HasSuffix(path, indexSuffix)
	if _, err := os.Stat(path); !index && errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(path + indexSuffix); err == nil {
			path, index = path+indexSuffix, true
		}
	}
	if index {
		err = r.addIndex(path, o)
	} else {
		err = r.addFile(path)
	}
	if err == nil {
		if err = r.choose(o); err != nil {
			err = fmt.Errorf("%s: %w", file.Name(path), err)
		}
	}
	return r, err
}

// addFile opens a file and adds its tensors.
func (r *Reader) addFile(path string) error {
	f, size, err := file.Open(path)
	if err != nil {
		return err
	}
	r.files = append(r.files, f)
	if err := r.add(f, size); err != nil {
		return fmt.Errorf("%s: %w", file.Name(path), err)
	}
	return nil
}

// add adds the tensors of a file.
func (r *Reader) add(f io.ReaderAt, size int64) error {
	infos, metadata, start, err := readHeader(f, size)
	if err != nil {
		return err
	}
	sums, err := verifyHeader(infos, metadata)
	if err != nil {
		return err
	}
	if r.tensors == nil {
		r.tensors = map[string]*stored{}
	}
	for _, t := range infos {
		if r.tensors[t.name] != nil {
			return fmt.Errorf("tensor %q is in another file of the set too", t.name)
		}
		r.tensors[t.name] = &stored{info: t, r: f, start: start, sum: sums[t.name], summed: sums != nil}
		r.names = append(r.names, t.name)
	}
	for key, value := range metadata {
		if r.metadata == nil {
			r.metadata = map[string]string{}
		}
		if _, ok := r.metadata[key]; !ok {
			r.metadata[key] = value
		}
	}
	if r.count++; sums != nil {
		r.summed++
	}
	return nil
}

// choose leaves the tensors that the options ask for.
func (r *Reader) choose(o Options) error {
	chosen, wrong := pattern.Choose(r.names, o.Only, o.Skip)
	if len(wrong) > 0 {
		return errors.New("the names of the tensors do not fit the options:" + list.Lines(wrong))
	}
	r.names = chosen
	var total int64
	for _, name := range chosen {
		t := r.tensors[name]
		t.short = o.Short
		if total += t.end - t.begin; total < 0 {
			total = math.MaxInt64
		}
	}
	return dense.Fit(int(total), 1, o.MaxBytes, usualBytes)
}

// Names returns the names of the tensors, in the order in which they lie in the file.
func (r *Reader) Names() []string { return slices.Clone(r.names) }

// Info returns what the file says about a tensor, and whether there is one of that name.
func (r *Reader) Info(name string) (Info, bool) {
	t, ok := r.tensors[name]
	if !ok || !slices.Contains(r.names, name) {
		return Info{}, false
	}
	return Info{t.dtype, slices.Clone(t.shape)}, true
}

// Metadata returns the text that the file has beside its tensors, nil if it has none. In a set the first file that has a key counts.
func (r *Reader) Metadata() map[string]string {
	if len(r.metadata) == 0 {
		return nil
	}
	m := make(map[string]string, len(r.metadata))
	for key, value := range r.metadata {
		m[key] = value
	}
	return m
}

// Verified reports whether every file has checksums. Tensor compares them.
func (r *Reader) Verified() bool { return r.count > 0 && r.summed == r.count }

// Tensor reads one tensor, with the dtypes of Read.
func (r *Reader) Tensor(name string) (*tarn.Tensor, error) {
	t, ok := r.tensors[name]
	if !ok || !slices.Contains(r.names, name) {
		return nil, fmt.Errorf("safetensors: there is no tensor %q among the %d that are read", name, len(r.names))
	}
	if err := checkMemory([]*stored{t}); err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	tensor, err := t.decode()
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return tensor, nil
}

// Close closes the files.
func (r *Reader) Close() error {
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	r.files = nil
	return errors.Join(errs...)
}

// all reads all tensors.
func (r *Reader) all() (*File, error) {
	chosen := make([]*stored, len(r.names))
	for i, name := range r.names {
		chosen[i] = r.tensors[name]
	}
	if err := checkMemory(chosen); err != nil {
		return nil, err
	}
	contents := &File{Tensors: make(map[string]*tarn.Tensor, len(chosen)), Metadata: r.Metadata(), Verified: r.Verified()}
	for _, t := range chosen {
		tensor, err := t.decode()
		if err != nil {
			return nil, err
		}
		contents.Tensors[t.name] = tensor
	}
	return contents, nil
}

// readHeader reads and checks everything before the data, which begin at start.
func readHeader(r io.ReaderAt, size int64) (infos []info, metadata map[string]string, start int64, err error) {
	if size < 8 {
		return nil, nil, 0, fmt.Errorf("%d bytes are not a safetensors file, which begins with the 8-byte length of its header", size)
	}
	var prefix [8]byte
	if err := readFull(r, prefix[:], 0); err != nil {
		return nil, nil, 0, err
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader || int64(length) > size-8 {
		if err := foreign(r, prefix[:]); err != nil {
			return nil, nil, 0, err
		}
		return nil, nil, 0, fmt.Errorf("not a safetensors file, or an incomplete one that must be copied again: the header should have %d bytes, %d follow, and at most %d are accepted",
			length, size-8, maxHeader)
	}
	header := make([]byte, length)
	if err := readFull(r, header, 8); err != nil {
		return nil, nil, 0, err
	}
	start = 8 + int64(length)
	infos, metadata, err = parseHeader(header, size-start)
	return infos, metadata, start, err
}

// foreign returns an error that says how to convert a file of a different format, as far as it knows it.
func foreign(r io.ReaderAt, prefix []byte) error {
	switch {
	case bytes.HasPrefix(prefix, []byte("PK\x03\x04")):
		var name [256]byte // of the first member, after a local header of 30 bytes
		n, _ := r.ReadAt(name[:], 30)
		if bytes.Contains(name[:n], []byte(".npy")) {
			return errors.New("this is an npz archive of arrays, which package npy reads")
		}
	case bytes.HasPrefix(prefix, []byte("\x80\x02")): // a pickle of protocol 2
	case bytes.HasPrefix(prefix, []byte("GGUF")):
		return errors.New("this is a GGUF file, which package gguf reads")
	case prefix[0] == 8 && prefix[1] >= 3 && prefix[1] <= 30 && prefix[2]&7 == 2 && prefix[2] <= 8<<3|2: // the version, and a field of bytes
		return errors.New("this looks like an ONNX file, which package onnx reads, and tarn import")
	case bytes.HasPrefix(prefix, []byte("PAR1")), bytes.HasPrefix(prefix, []byte("SQLite f")):
		return errors.New("this is a table, a Parquet file or an SQLite database, and holds no weights")
	case bytes.HasPrefix(prefix, []byte("\x89HDF")):
		return errors.New("this is an HDF5 file, as of Keras, which is not read: save its weights as safetensors")
	case bytes.HasPrefix(prefix, []byte("\x93NUMPY")):
		return errors.New("this is an npy file of one array, which package npy reads")
	case bytes.HasPrefix(prefix, []byte("\x1f\x8b")), bytes.HasPrefix(prefix, []byte("\x28\xb5\x2f\xfd")):
		return errors.New("the file is packed with gzip or zstd: unpack it")
	case !bytes.ContainsFunc(prefix, func(r rune) bool { return r < '\t' || r > '~' }):
		return errors.New("not a safetensors file: it begins as a text does")
	default:
		return nil
	}
	return errors.New("this looks like a file of torch.save (.pt, .pth, .bin), a zip of pickles. Pickles are programs, so they are not read. Convert it in Python:\n" +
		"\timport torch, safetensors.torch as st\n" +
		"\tst.save_file({k: v.clone().contiguous() for k, v in torch.load(\"x.pt\", map_location=\"cpu\", weights_only=True).items()}, \"x.safetensors\")")
}

// chunk is the number of bytes that are read at once.
const chunk = 1 << 20

// checkMemory refuses tensors that the process may not have memory for. A file that is mostly holes can hold more than any machine.
func checkMemory(tensors []*stored) error {
	total := float64(chunk) // a sum of sizes that each fit an int need not
	for _, t := range tensors {
		if dtype, ok := t.decoded(); ok {
			total += float64((t.end-t.begin)/elementSize[t.dtype]) * float64(dtype.Size())
		}
	}
	if err := limit.Check(int(min(total, math.MaxInt/2))); err != nil {
		return fmt.Errorf("the tensors: %w; %s", err, limit.ReadHint)
	}
	return nil
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

// decoded returns the dtype of the tensor that decode returns, if the format's is one that it reads.
func (t *stored) decoded() (tarn.DType, bool) {
	if t.short && t.dtype == BF16 {
		return tarn.BF16, true
	}
	if t.short && t.dtype == F16 {
		return tarn.F16, true
	}
	dtype, ok := decoded[t.dtype]
	return dtype, ok
}

// decode reads the elements of a tensor.
func (t *stored) decode() (*tarn.Tensor, error) {
	tensor, err := t.elements()
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.name, err)
	}
	return tensor, nil
}

func (t *stored) elements() (*tarn.Tensor, error) {
	switch t.dtype {
	case "F32":
		return fill(t, func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) })
	case "F64":
		return fill(t, func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) })
	case "I32":
		return fill(t, func(b []byte) int32 { return int32(order.Uint32(b)) })
	case "I64":
		return fill(t, func(b []byte) int64 { return int64(order.Uint64(b)) })
	case "BOOL":
		return fill(t, func(b []byte) bool { return b[0] == 1 })
	case "F16", "BF16":
		if t.short {
			return t.raw()
		}
	}
	switch t.dtype {
	case "F16":
		return fill(t, func(b []byte) float32 { return half.F16(order.Uint16(b)) })
	case "BF16":
		return fill(t, func(b []byte) float32 { return half.BF16(order.Uint16(b)) })
	case "U8":
		return fill(t, func(b []byte) int32 { return int32(b[0]) })
	case "I8":
		return fill(t, func(b []byte) int32 { return int32(int8(b[0])) })
	case "U16":
		return fill(t, func(b []byte) int32 { return int32(order.Uint16(b)) })
	case "I16":
		return fill(t, func(b []byte) int32 { return int32(int16(order.Uint16(b))) })
	case "U32":
		return fill(t, func(b []byte) int64 { return int64(order.Uint32(b)) })
	}
	return nil, fmt.Errorf("elements of dtype %s are not supported; convert the file to F32, F64, I32, I64 or BOOL", t.dtype)
}

// raw reads the elements of F16 and BF16 as tensors of these dtypes.
func (t *stored) raw() (*tarn.Tensor, error) {
	dtype, _ := t.decoded()
	tensor, err := tarn.NewTensor(dtype, t.shape...)
	if err != nil {
		return nil, err
	}
	data := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(tensor.Raw()))), tensor.Size())
	return tensor, fillInto(t, data, func(b []byte) uint16 { return order.Uint16(b) })
}

// fill reads the elements, a piece at a time.
func fill[T tarn.Element](t *stored, element func(b []byte) T) (*tarn.Tensor, error) {
	data := make([]T, (t.end-t.begin)/elementSize[t.dtype])
	if err := fillInto(t, data, element); err != nil {
		return nil, err
	}
	return tarn.FromSlice(data, t.shape...)
}

func fillInto[T any](t *stored, data []T, element func(b []byte) T) error {
	size := int(elementSize[t.dtype])
	buffer := make([]byte, min(chunk, t.end-t.begin))
	sum := uint32(0)
	for i := 0; i < len(data); {
		raw := buffer[:min(len(buffer), (len(data)-i)*size)]
		if err := readFull(t.r, raw, t.start+t.begin+int64(i*size)); err != nil {
			return err
		}
		if t.dtype == "BOOL" {
			if at := slices.IndexFunc(raw, func(b byte) bool { return b > 1 }); at >= 0 {
				return fmt.Errorf("element %d of a BOOL tensor is the byte %d, want 0 or 1", i+at, raw[at])
			}
		}
		sum = crc32.Update(sum, castagnoli, raw)
		for ; len(raw) > 0; raw = raw[size:] {
			data[i] = element(raw)
			i++
		}
	}
	if t.summed && sum != t.sum {
		return damaged("it does not have its checksum %08x", t.sum)
	}
	return nil
}
