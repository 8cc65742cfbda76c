package gguf

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/limit"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/pattern"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// This file reads tensors, the header first and then one after the other.

// Options say how to read a file. The zero value reads what Load and Read read.
type Options struct {
	// MaxBytes is the largest size of all tensors as they are in memory; 0 means 16 GiB, and a negative number any size.
	MaxBytes int64

	// Only are patterns of the names of tensors that are read; nil means all. In a pattern * stands for any characters but a dot, and
	// ** for any characters, as in "blk.*.attn_q.weight".
	Only []string

	// Skip are patterns of the names of tensors that are not read.
	Skip []string
}

const usualBytes = 16 << 30

// Reader reads single tensors of an open file. Its methods may be called by several goroutines.
type Reader struct {
	header header
	names  []string // that are read
	index  map[string]int
	r      io.ReaderAt
	closer io.Closer
}

// Info is what a file says about a tensor. The shape is that of row-major order, the reverse of the file's.
type Info struct {
	Type  string // such as "Q4_0"
	Shape []int
}

// Open opens the file at path and reads its header.
func Open(path string) (*Reader, error) { return Options{}.Open(path) }

// Open is the function Open with options.
func (o Options) Open(path string) (*Reader, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	r, err := o.newReader(f, size)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("gguf: %s: %w", file.Name(path), err)
	}
	r.closer = f
	return r, nil
}

func (o Options) newReader(f io.ReaderAt, size int64) (*Reader, error) {
	if size < 0 {
		return nil, fmt.Errorf("a file of %d bytes", size)
	}
	h, err := parseHeader(f, size)
	if err != nil {
		return nil, err
	}
	r := &Reader{header: h, r: f, index: map[string]int{}}
	all := make([]string, len(h.infos))
	for i, t := range h.infos {
		all[i], r.index[t.name] = t.name, i
	}
	var wrong []string
	if r.names, wrong = pattern.Choose(all, o.Only, o.Skip); len(wrong) > 0 {
		return nil, errors.New("the names of the tensors do not fit the options:" + list.Lines(wrong))
	}
	total, err := r.memory(r.names)
	if err != nil {
		return nil, err
	}
	return r, dense.Fit(total, 1, o.MaxBytes, usualBytes)
}

// memory returns the bytes that tensors have in memory.
func (r *Reader) memory(names []string) (total int, err error) {
	for _, name := range names {
		t := r.header.infos[r.index[name]]
		n := t.size * t.format.dtype.Size() // which fits, see info
		if total > math.MaxInt-n {
			return 0, errors.New("the tensors have more elements than memory can hold")
		}
		total += n
	}
	return total, nil
}

// Names returns the names of the tensors, in the order in which they lie in the file.
func (r *Reader) Names() []string { return slices.Clone(r.names) }

// Info returns what the file says about a tensor, and whether there is one of that name.
func (r *Reader) Info(name string) (Info, bool) {
	if !slices.Contains(r.names, name) {
		return Info{}, false
	}
	t := r.header.infos[r.index[name]]
	return Info{t.format.name, slices.Clone(t.shape)}, true
}

// Metadata returns the metadata of the file.
func (r *Reader) Metadata() Metadata { return maps.Clone(r.header.metadata) }

// Tensor reads one tensor. F16, BF16 and quantized types become F32, I8 and I16 become I32.
func (r *Reader) Tensor(name string) (*tarn.Tensor, error) {
	if !slices.Contains(r.names, name) {
		return nil, fmt.Errorf("gguf: there is no tensor %s among the %d that are read", list.Quote(name), len(r.names))
	}
	if err := r.room(name); err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	t, err := r.tensor(name)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return t, nil
}

// Close closes the file.
func (r *Reader) Close() error {
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}

// chunk is about the number of bytes that are read at once.
const chunk = 1 << 20

// room refuses tensors that the process may not have memory for. A file that is mostly holes can hold more than any machine.
func (r *Reader) room(names ...string) error {
	total, err := r.memory(names)
	if err != nil {
		return err
	}
	if err := limit.Check(min(total, math.MaxInt-chunk) + chunk); err != nil {
		return fmt.Errorf("the tensors: %w; %s", err, limit.ReadHint)
	}
	return nil
}

func (r *Reader) tensor(name string) (*tarn.Tensor, error) {
	t := r.header.infos[r.index[name]]
	tensor, err := r.decode(t)
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", list.Quote(name), err)
	}
	return tensor, nil
}

// decode reads a tensor, some blocks at a time.
func (r *Reader) decode(t info) (*tarn.Tensor, error) {
	f := t.format
	switch f.dtype {
	case tarn.F32:
		return fill(r, t, f.floats)
	case tarn.F64:
		return fill(r, t, func(y []float64, b []byte) { y[0] = math.Float64frombits(order.Uint64(b)) })
	case tarn.I64:
		return fill(r, t, func(y []int64, b []byte) { y[0] = f.ints(b) })
	}
	return fill(r, t, func(y []int32, b []byte) { y[0] = int32(f.ints(b)) })
}

func fill[T tarn.Element](r *Reader, t info, decode func(y []T, b []byte)) (*tarn.Tensor, error) {
	data := make([]T, t.size)
	n, size := t.format.block, t.format.bytes
	buffer := make([]byte, min(int64(chunk/size*size), t.bytes))
	at := r.header.start + t.offset
	for rest := data; len(rest) > 0; {
		raw := buffer[:min(len(buffer), len(rest)/n*size)]
		if got, err := r.r.ReadAt(raw, at); got < len(raw) {
			return nil, fmt.Errorf("reading %d bytes at %d: %w", len(raw), at, err)
		}
		at += int64(len(raw))
		for ; len(raw) > 0; raw, rest = raw[size:], rest[n:] {
			decode(rest, raw)
		}
	}
	return tarn.FromSlice(data, t.shape...)
}

// Load reads the file at path.
func Load(path string) (*File, error) { return Options{}.Load(path) }

// Load is the function Load with options.
func (o Options) Load(path string) (*File, error) {
	r, err := o.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := r.all()
	if err != nil {
		return nil, fmt.Errorf("gguf: %s: %w", file.Name(path), err)
	}
	return f, nil
}

// Read reads the size bytes of r.
func Read(r io.ReaderAt, size int64) (*File, error) { return Options{}.Read(r, size) }

// Read is the function Read with options.
func (o Options) Read(r io.ReaderAt, size int64) (*File, error) {
	reader, err := o.newReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f, err := reader.all()
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return f, nil
}

// all reads all tensors.
func (r *Reader) all() (*File, error) {
	if err := r.room(r.names...); err != nil {
		return nil, err
	}
	f := &File{Tensors: make(map[string]*tarn.Tensor, len(r.names)), Metadata: r.header.metadata}
	for _, name := range r.names {
		t, err := r.tensor(name)
		if err != nil {
			return nil, err
		}
		f.Tensors[name] = t
	}
	return f, nil
}

// LoadWeights reads the file at path into the params of the model, as strictly and with the options of safetensors.LoadWeights. llama.cpp
// permutes the rows of queries and keys of some architectures; they are loaded as they are in the file.
func LoadWeights(path string, model any, options safetensors.LoadOptions) error {
	params, err := tarn.Params(model)
	if err != nil {
		return fmt.Errorf("gguf: LoadWeights: %w", err)
	}
	f, err := Options{MaxBytes: -1, Only: options.Only, Skip: options.Skip}.Load(path)
	if err != nil {
		return err
	}
	options.Only, options.Skip = nil, nil // these are chosen
	if err := safetensors.Assign(f.Tensors, params, options); err != nil {
		return fmt.Errorf("gguf: %s: %w", file.Name(path), err)
	}
	return nil
}
