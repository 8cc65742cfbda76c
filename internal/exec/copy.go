package exec

import (
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file runs copies: of views whose order no reader can follow.

// copyJob writes the elements of a view in row-major order. The last axis is copied as a run, filled or gathered,
// depending on its stride; if another axis has the stride 1, both are transposed in blocks.
type copyJob struct {
	m         *Machine
	work      *lower.Copy
	size      int // bytes of an element
	outer     []int
	strides   []int // of the outer axes, in bytes
	places    []int // likewise, of the result
	n         int   // length of the last axis
	stride    int   // of the last axis, in elements
	rows      int   // length of the other axis of a transpose; else 1
	apart     int   // elements from one of its places to the next in the result
	fill      func(dst, src unsafe.Pointer, n int)
	gather    func(dst, src unsafe.Pointer, n, stride int)
	transpose cpu.TransposeFunc
	count     int // blocks: the product of outer
	perTask   int // blocks of a task
	bands     int // that a block is cut into, where one is worth several tasks: rows of a transpose, parts of a run of memory
}

// copyTask is the number of bytes that are worth a task, leastBand the rows of a transpose that fill cache lines of the source, and longBand
// the bytes of a part of a long run of memory.
const (
	copyTask  = 1 << 16
	leastBand = 16
	longBand  = 1 << 20
)

func (m *Machine) newCopy(w *lower.Copy) job {
	shape, strides := merged(w.From.View)
	dtype := cpu.DType(w.To.DType)
	j := &copyJob{m: m, work: w, size: w.To.DType.Size(), n: 1, stride: 1, rows: 1, count: 1}
	places := ir.Strides(shape)
	if last := len(shape) - 1; last >= 0 {
		j.n, j.stride = shape[last], strides[last]
		shape, strides, places = shape[:last], strides[:last], places[:last]
		if a := slices.Index(strides, 1); a >= 0 && j.stride > 1 {
			j.rows, j.apart = shape[a], places[a]
			j.transpose = cpu.Transpose(j.size)
			shape, strides, places = slices.Delete(shape, a, a+1), slices.Delete(strides, a, a+1), slices.Delete(places, a, a+1)
		}
	}
	j.fill, j.gather = cpu.Fill(dtype), cpu.Gather(dtype)
	j.outer = shape
	for i, d := range shape {
		j.strides = append(j.strides, strides[i]*j.size)
		j.places = append(j.places, places[i]*j.size)
		j.count *= d
	}
	if j.n == 0 || j.rows == 0 {
		j.count = 0
	}
	j.perTask = max(1, copyTask/max(1, j.rows*j.n*j.size))
	j.bands = max(1, min(j.rows*j.n*j.size/copyTask, j.rows/leastBand))
	if j.transpose == nil && j.stride == 1 {
		j.bands = max(1, j.n*j.size/longBand)
	}
	return j
}

// merged drops axes of size 1 and joins neighboring axes that one stride serves.
func merged(v ir.View) (shape, strides []int) {
	for i, d := range v.Shape {
		if d == 1 {
			continue
		}
		if last := len(shape) - 1; last >= 0 && strides[last] == d*v.Strides[i] {
			shape[last] *= d
			strides[last] = v.Strides[i]
			continue
		}
		shape, strides = append(shape, d), append(strides, v.Strides[i])
	}
	return shape, strides
}

func (j *copyJob) needs() (shared, worker, slots int) { return 0, 0, 0 }

func (j *copyJob) run() error {
	j.m.fork((j.count+j.perTask-1)/j.perTask*j.bands, j)
	return nil
}

// Do copies the blocks of one task, or a band of one.
func (j *copyJob) Do(_, task int) {
	src := j.m.at(j.work.From.Buffer, j.work.From.View.Offset)
	dst := j.m.at(j.work.To, 0)
	task, band := task/j.bands, task%j.bands
	for b := task * j.perTask; b < min(j.count, (task+1)*j.perTask); b++ {
		from, to, rest := src, dst, b
		for a := len(j.outer) - 1; a >= 0; a-- {
			i := rest % j.outer[a]
			from, to = unsafe.Add(from, i*j.strides[a]), unsafe.Add(to, i*j.places[a])
			rest /= j.outer[a]
		}
		j.block(to, from, band)
	}
}

func (j *copyJob) block(dst, src unsafe.Pointer, band int) {
	switch {
	case j.transpose != nil:
		// The source has rows of length j.rows: dst[r*apart + i] = src[i*stride + r]. Bands begin where cache lines may.
		first, end := j.cut(band), j.cut(band+1)
		j.transpose(unsafe.Add(dst, first*j.apart*j.size), unsafe.Add(src, first*j.size), j.n, end-first, j.apart, j.stride)
	case j.stride == 1:
		first, end := j.n*band/j.bands*j.size, j.n*(band+1)/j.bands*j.size
		copy(unsafe.Slice((*byte)(unsafe.Add(dst, first)), end-first), unsafe.Slice((*byte)(unsafe.Add(src, first)), end-first))
	case j.stride == 0:
		j.fill(dst, src, j.n)
	default:
		j.gather(dst, src, j.n, j.stride)
	}
}

// cut is the row of a transpose at which a band begins.
func (j *copyJob) cut(band int) int {
	if band == j.bands {
		return j.rows
	}
	return j.rows * band / j.bands / leastBand * leastBand
}
