package train

import (
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
)

// This file holds the arrays in which gradients and states of shards are summed.

// The arrays of a training.
const (
	arrayF32    = iota // gradients of f32
	arrayF64           // gradients of f64
	arrayStates        // states, as f64
)

// array is one of them.
type array interface {
	// Of dist.Sum.
	Begin(absent func(i int) bool)
	Ready(lo, hi int)
	End()
	Buckets() int
	Bucket(k int) (lo, hi int)
	Share(k, rank int) (lo, hi int)
	Reduce(k int, fast, gather bool) error
	Gather(k int) error
	Sent() int64
	Memory() int

	begin(i int)                              // makes term i the one that is written
	term(sg *segment) *tarn.Tensor            // a segment of the term
	zero()                                    // the term
	sum(offset int, shape []int) *tarn.Tensor // elements of the sum
	bytes() int                               // of an array
}

// arrayOf is an array of numbers of a type.
type arrayOf[T float32 | float64] struct {
	*dist.Sum[T]
	size  int
	now   []T
	views map[view[T]]*tarn.Tensor
}

// view is a place in memory.
type view[T float32 | float64] struct {
	first *T
	size  int
}

func newArray[T float32 | float64](c dist.Comm, terms, size int) (array, error) {
	sum, err := dist.NewSum[T](c, terms, size)
	return &arrayOf[T]{Sum: sum, size: size, views: map[view[T]]*tarn.Tensor{}}, err
}

// tensor returns elements of an array as a tensor that shares their memory.
func (a *arrayOf[T]) tensor(in []T, offset int, shape []int) *tarn.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	key := view[T]{size: n}
	if n > 0 {
		key.first = &in[offset]
	}
	if t := a.views[key]; t != nil && slices.Equal(t.Shape(), shape) {
		return t
	}
	t, err := tarn.FromSlice(in[offset:offset+n], shape...)
	if err != nil {
		panic(err) // the size is that of the shape
	}
	a.views[key] = t
	return t
}

func (a *arrayOf[T]) begin(i int) { a.now = a.Term(i) }
func (a *arrayOf[T]) zero()       { clear(a.now) }

func (a *arrayOf[T]) term(sg *segment) *tarn.Tensor {
	return a.tensor(a.now, sg.offset, sg.param.Shape())
}

func (a *arrayOf[T]) bytes() int {
	var zero T
	return a.size * int(unsafe.Sizeof(zero))
}

func (a *arrayOf[T]) sum(offset int, shape []int) *tarn.Tensor {
	return a.tensor(a.Result(), offset, shape)
}
