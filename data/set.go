package data

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds Set, a data set in memory. A set never changes: Split, Cast and Normalize return new sets that share
// the values of the old one.

// Field is one named part of every example: the images, the labels. The first axis of Array counts the examples.
type Field struct {
	Name  string
	Array Array
}

// Set is a data set of N examples with one or more fields.
type Set struct {
	n      int
	rows   []int32 // the examples, as rows of the fields' values; nil means all rows in order
	fields []field
}

// field is a field as a set holds it: the values as they were read, and what batches make of them.
type field struct {
	name  string
	shape []int // of one example
	width int   // elements of one example
	data  any   // []uint8, []int32, []int64, []float32, []float64 or []bool; or a Loader, or mixed
	dtype tarn.DType
	norm  Moments // batches hold (x - mean) / std; without values, x itself

	transforms []Transform // what batches change after that
}

// NewSet returns a data set of fields with the same number of examples. Batches hold a field in the element type of its
// array (uint8, int8 and int16 as I32) until Cast or Normalize asks for another. The set uses the arrays' memory.
func NewSet(fields ...Field) (*Set, error) {
	if len(fields) == 0 {
		return nil, fmt.Errorf("data: a set needs at least one field")
	}
	s := &Set{}
	for i, f := range fields {
		if err := f.Array.Check(); err != nil {
			return nil, fmt.Errorf("data: field %q: %w", f.Name, err)
		}
		if len(f.Array.Shape) == 0 {
			return nil, fmt.Errorf("data: field %q is a scalar: its first axis must count the examples", f.Name)
		}
		n := f.Array.Shape[0]
		if i == 0 {
			s.n = n
		}
		switch {
		case f.Name == "":
			return nil, fmt.Errorf("data: field %d has no name", i)
		case s.has(f.Name):
			return nil, fmt.Errorf("data: two fields are named %q", f.Name)
		case n != s.n:
			return nil, fmt.Errorf("data: field %q has %d examples, field %q has %d", f.Name, n, fields[0].Name, s.n)
		case n > math.MaxInt32:
			return nil, fmt.Errorf("data: %d examples, more than %d", n, math.MaxInt32)
		}
		g := field{name: f.Name, shape: slices.Clone(f.Array.Shape[1:]), width: 1, data: f.Array.Data}
		for _, d := range g.shape {
			g.width *= d
		}
		switch d := g.data.(type) {
		case []float32:
			g.dtype = tarn.F32
		case []float64:
			g.dtype = tarn.F64
		case []int64:
			g.dtype = tarn.I64
		case []bool:
			g.dtype = tarn.Bool
		case []int32, []uint8:
			g.dtype = tarn.I32
		case []int8:
			g.data, g.dtype = widen(d), tarn.I32
		case []int16:
			g.data, g.dtype = widen(d), tarn.I32
		}
		s.fields = append(s.fields, g)
	}
	return s, nil
}

// Len returns the number of examples.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.n
}

// Names returns the names of the fields, in order.
func (s *Set) Names() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return names
}

// Shape returns the shape of one example of a field, without the axis of the examples.
func (s *Set) Shape(name string) ([]int, error) {
	i, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.fields[i].shape), nil
}

// DType returns the element type of a field in batches.
func (s *Set) DType(name string) (tarn.DType, error) {
	i, err := s.find(name)
	if err != nil {
		return 0, err
	}
	return s.fields[i].dtype, nil
}

// Tensor returns a whole field as batches would hold it without transforms, in memory of its own.
func (s *Set) Tensor(name string) (*tarn.Tensor, error) {
	i, err := s.find(name)
	if err != nil {
		return nil, err
	}
	f := &s.fields[i]
	t, err := tarn.NewTensor(f.dtype, append([]int{s.n}, f.shape...)...)
	if err != nil {
		return nil, fmt.Errorf("data: Tensor: field %q: %w", name, err)
	}
	return t, s.plain(f, t)(s.order(nil))
}

// Split splits the examples into two sets: n, drawn by the seed, in the first, and the rest in the second. Both keep the order
// of s and share its values.
func (s *Set) Split(n int, seed uint64) (first, rest *Set, err error) {
	if n < 0 || n > s.n {
		return nil, nil, fmt.Errorf("data: Split: %d of %d examples", n, s.n)
	}
	rows := s.order(nil)
	deal := rng.Perm(s.n, rng.Named(seed, "data.split"))
	slices.Sort(deal[:n])
	slices.Sort(deal[n:])
	dealt := make([]int32, s.n)
	for i, k := range deal {
		dealt[i] = rows[k]
	}
	return &Set{n, dealt[:n:n], s.fields}, &Set{s.n - n, dealt[n:], s.fields}, nil
}

// Slice returns the set of the examples lo .. hi-1 of s, which shares its values.
func (s *Set) Slice(lo, hi int) (*Set, error) {
	if lo < 0 || hi < lo || hi > s.n {
		return nil, fmt.Errorf("data: Slice: %d to %d of %d examples", lo, hi, s.n)
	}
	return &Set{hi - lo, s.order(nil)[lo:hi:hi], s.fields}, nil
}

// Cast returns the set in which a field has a different element type: a number as F32 or F64, an integer also as I32 or
// I64. Integers that I32 cannot hold are an error.
func (s *Set) Cast(name string, dtype tarn.DType) (*Set, error) {
	i, err := s.find(name)
	if err != nil {
		return nil, err
	}
	from := s.fields[i].dtype
	switch s.fields[i].data.(type) {
	case Loader, mixed:
		if dtype != from {
			return nil, fmt.Errorf("data: Cast: field %q is made when a batch is, as %v: it cannot become %v", name, from, dtype)
		}
	}
	if len(s.fields[i].transforms) > 0 && dtype != tarn.F32 {
		return nil, fmt.Errorf("data: Cast: field %q has transforms, which take f32: it cannot become %v", name, dtype)
	}
	if dtype != from && (from == tarn.Bool || dtype == tarn.Bool || from.IsFloat() && !dtype.IsFloat()) {
		return nil, fmt.Errorf("data: Cast: field %q is %v and cannot become %v", name, from, dtype)
	}
	if wide, ok := s.fields[i].data.([]int64); ok && dtype == tarn.I32 {
		width := max(1, s.fields[i].width)
		for at, v := range wide {
			if v != int64(int32(v)) {
				return nil, fmt.Errorf("data: Cast: field %q has %d in its row %d, which i32 cannot hold: keep it as i64, or change the value", name, v, at/width)
			}
		}
	}
	return s.with(i, func(f *field) { f.dtype = dtype }), nil
}

// with returns the set with field i changed.
func (s *Set) with(i int, change func(*field)) *Set {
	t := *s
	t.fields = slices.Clone(s.fields)
	change(&t.fields[i])
	return &t
}

func (s *Set) has(name string) bool {
	return slices.ContainsFunc(s.fields, func(f field) bool { return f.name == name })
}

// find returns the index of a field.
func (s *Set) find(name string) (int, error) {
	i := slices.IndexFunc(s.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return 0, fmt.Errorf("data: no field %s, there are: %s", list.Quote(name), list.Names(s.Names()))
	}
	return i, nil
}

// order writes the rows of the examples, in order, to dst, which grows if it is too short.
func (s *Set) order(dst []int32) []int32 {
	dst = slices.Grow(dst[:0], s.n)[:s.n]
	if s.rows != nil {
		copy(dst, s.rows)
		return dst
	}
	for i := range dst {
		dst[i] = int32(i)
	}
	return dst
}
