// Package gguf reads files of named tensors in the GGUF format, the one in which llama.cpp and its kin keep models. Tensors may be
// quantized: blocks of small integers with a scale. They are read as F32.
//
// A file is a header with metadata, which has types, then what each tensor is called, its sizes and its place, then the data. Files
// may be malicious: reading checks everything that the header claims against the bytes that are there, before it allocates memory.
//
// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; the blocks: ggml-common.h and ggml-quants.c there.
package gguf

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/list"
)

// File is the contents of a file.
type File struct {
	Tensors  map[string]*tarn.Tensor
	Metadata Metadata
}

// Metadata is what a file says about its model, such as "general.architecture" and "llama.block_count". Values are uint8, int8, uint16, int16,
// uint32, int32, uint64, int64, float32, float64, bool and string; slices of these; and [][]T for arrays of arrays, as []any.
type Metadata map[string]any

// Int returns a value of any integer type.
func (m Metadata) Int(key string) (int, error) {
	switch v := m[key].(type) {
	case uint8:
		return int(v), nil
	case int8:
		return int(v), nil
	case uint16:
		return int(v), nil
	case int16:
		return int(v), nil
	case uint32:
		return int(v), nil
	case int32:
		return int(v), nil
	case int64:
		return int(v), nil
	case uint64:
		if v > math.MaxInt {
			return 0, fmt.Errorf("gguf: %s is %d, more than an int holds", list.Quote(key), v)
		}
		return int(v), nil
	}
	return 0, m.mistake(key, "an integer")
}

// Float returns a value of a float type.
func (m Metadata) Float(key string) (float64, error) {
	switch v := m[key].(type) {
	case float32:
		return float64(v), nil
	case float64:
		return v, nil
	}
	return 0, m.mistake(key, "a float")
}

// Text returns a string.
func (m Metadata) Text(key string) (string, error) {
	if v, ok := m[key].(string); ok {
		return v, nil
	}
	return "", m.mistake(key, "a string")
}

// mistake is the error for a value that is not there, or of another type.
func (m Metadata) mistake(key, want string) error {
	if v, ok := m[key]; ok {
		return fmt.Errorf("gguf: %s is of type %T, want %s", list.Quote(key), v, want)
	}
	return fmt.Errorf("gguf: the metadata has no %s", list.Quote(key))
}
