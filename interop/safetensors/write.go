package safetensors

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file writes the format.

// Save writes the file at path atomically: a crash at any moment leaves the old file or the new one.
func Save(path string, tensors map[string]*tarn.Tensor, metadata map[string]string) error {
	err := file.Replace(file.Disk, path, func(w io.Writer) error { return write(w, tensors, metadata) })
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", file.Name(path), err)
	}
	return nil
}

// Write writes the tensors and the metadata, which may be nil, to w, with checksums of both in the metadata, which Read
// verifies and removes. The same contents are written as the same bytes. Tensors are ordered by element size, the widest
// first, so that each is aligned, and then by name.
func Write(w io.Writer, tensors map[string]*tarn.Tensor, metadata map[string]string) error {
	if err := write(w, tensors, metadata); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

var dtypeName = map[tarn.DType]string{tarn.Bool: "BOOL", tarn.I32: "I32", tarn.I64: "I64", tarn.F32: "F32", tarn.F64: "F64"}

func write(w io.Writer, tensors map[string]*tarn.Tensor, metadata map[string]string) error {
	for name, t := range tensors {
		if t == nil {
			return fmt.Errorf("tensor %q is nil", name)
		}
	}
	names := slices.SortedFunc(maps.Keys(tensors), func(a, b string) int {
		if d := tensors[b].DType().Size() - tensors[a].DType().Size(); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	metadata, err := withChecksum(tensors, metadata)
	if err != nil {
		return err
	}
	header, err := encodeHeader(names, tensors, metadata)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	b.Write(order.AppendUint64(nil, uint64(len(header)))) // a bufio.Writer keeps its first error for Flush
	b.Write(header)
	for _, name := range names {
		if err := encode(b, tensors[name]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// encodeHeader returns the header, padded with spaces so that the data begins at a multiple of 8.
func encodeHeader(names []string, tensors map[string]*tarn.Tensor, metadata map[string]string) ([]byte, error) {
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
	for _, name := range names {
		if name == metadataKey {
			return nil, fmt.Errorf("a tensor cannot have the name %s", metadataKey)
		}
		t := tensors[name]
		end := offset + t.Size()*t.DType().Size()
		separator()
		text(name)
		fmt.Fprintf(&b, `:{"dtype":%q,"shape":`, dtypeName[t.DType()])
		text(append([]int{}, t.Shape()...)) // a scalar's nil shape would become null
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
func encode(w io.Writer, t *tarn.Tensor) error {
	switch t.DType() {
	case tarn.F32:
		return dense.Write(w, t.F32(), order)
	case tarn.F64:
		return dense.Write(w, t.F64(), order)
	case tarn.I32:
		return dense.Write(w, t.I32(), order)
	case tarn.I64:
		return dense.Write(w, t.I64(), order)
	}
	_, err := w.Write(t.Raw())
	return err
}
