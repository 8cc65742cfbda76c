package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file reads the header: magic, version, counts, metadata and what is said of each tensor.

const (
	magic      = "GGUF"
	maxHeader  = 256 << 20 // bytes; vocabularies are in it
	maxAxes    = 4         // as ggml has
	maxNesting = 8         // of arrays in arrays
	usualAlign = 32
	maxAlign   = 1 << 20
)

// The types of values in the metadata.
const (
	kindUint8 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// kindSize holds the least number of bytes of a value of each type.
var kindSize = [...]int64{1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8}

// info is what the header says of one tensor. Its data begin at offset, counted from the end of the header.
type info struct {
	name   string
	format *format
	shape  []int
	size   int // elements
	offset int64
	bytes  int64
}

// scanner reads little-endian numbers from the header, and counts the bytes that are left of it.
type scanner struct {
	r    *bufio.Reader
	left int64
	size int64 // at the beginning
}

func (s *scanner) read(b []byte) error {
	if int64(len(b)) > s.left {
		if s.size == maxHeader {
			return fmt.Errorf("the header has more than %d bytes", maxHeader)
		}
		return fmt.Errorf("the header is cut off: the file ends after %d bytes", s.size)
	}
	n, err := io.ReadFull(s.r, b)
	s.left -= int64(n)
	return err
}

func (s *scanner) uint32() (uint32, error) {
	var b [4]byte
	err := s.read(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func (s *scanner) uint64() (uint64, error) {
	var b [8]byte
	err := s.read(b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// count reads a number of things that take at least size bytes each.
func (s *scanner) count(what string, size int64) (int, error) {
	n, err := s.uint64()
	if err == nil && n > uint64(s.left/size) {
		err = fmt.Errorf("%s would be %d, and the header has %d bytes left", what, n, s.left)
	}
	return int(n), err
}

func (s *scanner) text(what string) (string, error) {
	n, err := s.count("the bytes of "+what, 1)
	if err != nil {
		return "", err
	}
	b := make([]byte, n)
	err = s.read(b)
	return string(b), err
}

// name reads a key or the name of a tensor, which must be text.
func (s *scanner) name(what string) (string, error) {
	t, err := s.text(what)
	if err == nil && !utf8.ValidString(t) {
		err = fmt.Errorf("%s is not UTF-8 text: %s", what, list.Quote(t))
	}
	return t, err
}

// header is everything before the data.
type header struct {
	metadata Metadata
	infos    []info
	start    int64 // of the data
}

// parseHeader reads the header of a file of size bytes.
func parseHeader(r io.ReaderAt, size int64) (h header, err error) {
	most := min(size, maxHeader)
	s := &scanner{bufio.NewReaderSize(io.NewSectionReader(r, 0, most), 1<<16), most, most}
	var head [4]byte
	if err := s.read(head[:]); err != nil || string(head[:]) != magic {
		return h, fmt.Errorf("not a GGUF file: it begins with %q", head[:min(most, 4)])
	}
	version, err := s.uint32()
	switch {
	case err != nil:
		return h, err
	case version >= 1<<16:
		return h, errors.New("the file is big-endian, which is not read: convert it with gguf_convert_endian of the Python package gguf")
	case version != 2 && version != 3:
		return h, fmt.Errorf("version %d of the format is not read, only 2 and 3", version)
	}
	tensors, err := s.count("the tensors", 24)
	if err != nil {
		return h, err
	}
	values, err := s.count("the values of the metadata", 13)
	if err != nil {
		return h, err
	}
	h.metadata = Metadata{}
	for range values {
		key, err := s.name("a key of the metadata")
		if err != nil {
			return h, err
		}
		if _, ok := h.metadata[key]; ok {
			return h, fmt.Errorf("the metadata has %s twice", list.Quote(key))
		}
		kind, err := s.uint32()
		if err == nil {
			h.metadata[key], err = s.value(kind, 0)
		}
		if err != nil {
			return h, fmt.Errorf("metadata %s: %w", list.Quote(key), err)
		}
	}
	align, err := h.alignment()
	if err != nil {
		return h, err
	}
	next, seen := int64(0), map[string]bool{}
	for range tensors {
		t, err := s.info()
		switch {
		case err != nil:
			return h, err
		case seen[t.name]:
			return h, fmt.Errorf("the file has tensor %s twice", list.Quote(t.name))
		case t.offset != next:
			return h, fmt.Errorf("tensor %s begins at %d and should at %d, after the tensor before it", list.Quote(t.name), t.offset, next)
		case t.bytes > size-next:
			return h, fmt.Errorf("tensor %s needs %d bytes, and the file has %d", list.Quote(t.name), t.bytes, size)
		}
		seen[t.name] = true
		next = padded(t.offset+t.bytes, align)
		h.infos = append(h.infos, t)
	}
	h.start = padded(most-s.left, align)
	if n := len(h.infos); n > 0 {
		last := h.infos[n-1]
		if end := h.start + last.offset + last.bytes; end > size {
			return h, fmt.Errorf("the file is cut off: its tensors end at %d and it has %d bytes", end, size)
		}
		if end := h.start + next; size > end {
			return h, fmt.Errorf("the file goes on after its last tensor, which ends at %d of %d bytes", end, size)
		}
	}
	return h, nil
}

// alignment is the multiple at which tensors begin.
func (h *header) alignment() (int64, error) {
	const key = "general.alignment"
	if _, ok := h.metadata[key]; !ok {
		return usualAlign, nil
	}
	n, err := h.metadata.Int(key)
	if err != nil || n < 1 || n > maxAlign || n&(n-1) != 0 {
		return 0, fmt.Errorf("%q is %v: want a power of two up to %d", key, h.metadata[key], maxAlign)
	}
	return int64(n), nil
}

// padded is the first multiple of align from n on.
func padded(n, align int64) int64 { return (n + align - 1) / align * align }

// info reads what is said of one tensor.
func (s *scanner) info() (t info, err error) {
	if t.name, err = s.name("the name of a tensor"); err != nil {
		return t, err
	}
	wrong := func(format string, args ...any) (info, error) {
		return t, fmt.Errorf("tensor %s: %w", list.Quote(t.name), fmt.Errorf(format, args...))
	}
	axes, err := s.uint32()
	if err != nil {
		return t, err
	}
	if axes > maxAxes {
		return wrong("it has %d axes, and at most %d are read", axes, maxAxes)
	}
	t.shape, t.size = make([]int, axes), 1
	empty := false
	for i := range t.shape {
		d, err := s.uint64()
		if err != nil {
			return t, err
		}
		switch {
		case d == 0:
			empty = true
		case d > uint64(math.MaxInt/16/t.size):
			return wrong("it has more elements than memory can hold")
		default:
			t.size *= int(d)
		}
		t.shape[len(t.shape)-1-i] = int(d) // the file has the last axis first
	}
	if empty {
		t.size = 0
	}
	kind, err := s.uint32()
	if err != nil {
		return t, err
	}
	t.format = formats[kind]
	if t.format == nil {
		return wrong("its elements are of type %s, which is not read, only %s", unread(kind), known())
	}
	if row := append([]int{1}, t.shape...)[len(t.shape)]; row%t.format.block != 0 {
		return wrong("its rows have %d elements, no multiple of the %d in a block of %s", row, t.format.block, t.format.name)
	}
	t.bytes = int64(t.size/t.format.block) * int64(t.format.bytes)
	offset, err := s.uint64()
	if err == nil && offset > math.MaxInt64/2 {
		return wrong("it begins at %d", offset)
	}
	t.offset = int64(offset)
	return t, err
}

// value reads a value of the metadata.
func (s *scanner) value(kind uint32, depth int) (any, error) {
	switch kind {
	case kindString:
		return s.text("a string")
	case kindBool:
		return one(s, boolOf)
	case kindUint8:
		return one(s, func(b []byte) (uint8, error) { return b[0], nil })
	case kindInt8:
		return one(s, func(b []byte) (int8, error) { return int8(b[0]), nil })
	case kindUint16:
		return one(s, uint16Of)
	case kindInt16:
		return one(s, int16Of)
	case kindUint32:
		return one(s, uint32Of)
	case kindInt32:
		return one(s, int32Of)
	case kindFloat32:
		return one(s, float32Of)
	case kindUint64:
		return one(s, uint64Of)
	case kindInt64:
		return one(s, int64Of)
	case kindFloat64:
		return one(s, float64Of)
	case kindArray:
		return s.array(depth)
	}
	return nil, fmt.Errorf("a value of the unknown type %d", kind)
}

// array reads an array of the metadata.
func (s *scanner) array(depth int) (any, error) {
	kind, err := s.uint32()
	if err != nil {
		return nil, err
	}
	if kind >= uint32(len(kindSize)) {
		return nil, fmt.Errorf("an array of the unknown type %d", kind)
	}
	n, err := s.count("the elements of an array", kindSize[kind])
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindString:
		texts := make([]string, n)
		for i := range texts {
			if texts[i], err = s.text("a string"); err != nil {
				return nil, err
			}
		}
		return texts, nil
	case kindBool:
		return several(s, n, boolOf)
	case kindUint8:
		b := make([]byte, n)
		return b, s.read(b)
	case kindInt8:
		return several(s, n, func(b []byte) (int8, error) { return int8(b[0]), nil })
	case kindUint16:
		return several(s, n, uint16Of)
	case kindInt16:
		return several(s, n, int16Of)
	case kindUint32:
		return several(s, n, uint32Of)
	case kindInt32:
		return several(s, n, int32Of)
	case kindFloat32:
		return several(s, n, float32Of)
	case kindUint64:
		return several(s, n, uint64Of)
	case kindInt64:
		return several(s, n, int64Of)
	case kindFloat64:
		return several(s, n, float64Of)
	}
	if depth+1 >= maxNesting {
		return nil, fmt.Errorf("arrays within arrays more than %d deep", maxNesting)
	}
	arrays := make([]any, n)
	for i := range arrays {
		if arrays[i], err = s.array(depth + 1); err != nil {
			return nil, err
		}
	}
	return arrays, nil
}

// one reads a number.
func one[T any](s *scanner, of func(b []byte) (T, error)) (any, error) {
	all, err := several(s, 1, of)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// several reads numbers.
func several[T any](s *scanner, n int, of func(b []byte) (T, error)) ([]T, error) {
	all := make([]T, n)
	var b [8]byte
	var zero T
	size := binary.Size(zero)
	for i := range all {
		if err := s.read(b[:size]); err != nil {
			return nil, err
		}
		var err error
		if all[i], err = of(b[:size]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

var order = binary.LittleEndian

func boolOf(b []byte) (bool, error) {
	if b[0] > 1 {
		return false, fmt.Errorf("a bool is the byte %d, want 0 or 1", b[0])
	}
	return b[0] == 1, nil
}
func uint16Of(b []byte) (uint16, error)   { return order.Uint16(b), nil }
func int16Of(b []byte) (int16, error)     { return int16(order.Uint16(b)), nil }
func uint32Of(b []byte) (uint32, error)   { return order.Uint32(b), nil }
func int32Of(b []byte) (int32, error)     { return int32(order.Uint32(b)), nil }
func float32Of(b []byte) (float32, error) { return math.Float32frombits(order.Uint32(b)), nil }
func uint64Of(b []byte) (uint64, error)   { return order.Uint64(b), nil }
func int64Of(b []byte) (int64, error)     { return int64(order.Uint64(b)), nil }
func float64Of(b []byte) (float64, error) { return math.Float64frombits(order.Uint64(b)), nil }
