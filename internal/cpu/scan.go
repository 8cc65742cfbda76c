package cpu

// Kernels that go along one axis in order: running sums, and the place of the largest or smallest element. They are plain Go at all levels:
// their loops are bound by the order of the sums and by loads.

import (
	"slices"
	"unsafe"
)

// Lines is a range of the lines along one axis of an array: the lines from First to before End, of N elements each, which are Stride elements
// apart. The lines are numbered in row-major order of the other axes.
type Lines struct{ First, End, N, Stride int }

// lane is the number of neighboring lines that are walked together if their elements are not neighbors.
const lane = 64

// each calls row for each line of neighboring elements, or columns for groups of at most lane neighboring lines: with the number of the first line, the
// position of its first element, and the number of lines.
func (l Lines) each(row func(line, start int), columns func(line, start, width int)) {
	for i := l.First; i < l.End; {
		if l.Stride == 1 {
			row(i, i*l.N)
			i++
			continue
		}
		outer, inner := i/l.Stride, i%l.Stride
		width := min(lane, l.End-i, l.Stride-inner)
		columns(i, outer*l.N*l.Stride+inner, width)
		i += width
	}
}

// CumSum sets the lines of dst to the running sums of those of src, from their ends if reverse. Sums of f32 are taken in f64.
func CumSum[T number](dst, src []T, l Lines, reverse bool) {
	switch src := any(src).(type) {
	case []float32:
		cumSum[float32, float64](any(dst).([]float32), src, l, reverse)
	case []float64:
		cumSum[float64, float64](any(dst).([]float64), src, l, reverse)
	case []int32:
		cumSum[int32, int64](any(dst).([]int32), src, l, reverse)
	case []int64:
		cumSum[int64, int64](any(dst).([]int64), src, l, reverse)
	}
}

func cumSum[T number, W int64 | float64](dst, src []T, l Lines, reverse bool) {
	l.each(func(_, start int) {
		d, x := dst[start:start+l.N], src[start:start+l.N]
		if reverse {
			sumBackward[T, W](d, x)
		} else {
			sumForward[T, W](d, x)
		}
	}, func(_, start, width int) {
		var sums [lane]W
		from, step := start, l.Stride
		if reverse {
			from, step = start+(l.N-1)*l.Stride, -l.Stride
		}
		for range l.N {
			d, x := dst[from:from+width], src[from:from+width]
			for i, v := range x {
				s := sums[i&(lane-1)] + W(v)
				sums[i&(lane-1)], d[i] = s, T(s)
			}
			from += step
		}
	})
}

// sumForward adds four elements at a time to the sum of all before them, so that one addition in four waits for another. The sums of f64
// alone are strictly in order, as those of four large numbers could overflow.
func sumForward[T number, W int64 | float64](d, x []T) {
	var sum W
	if _, ok := any(x).([]float64); !ok {
		for len(x) >= 4 && len(d) >= 4 {
			a, c := W(x[0]), W(x[2])
			b, e := a+W(x[1]), c+W(x[3])
			d[0], d[1], d[2] = T(sum+a), T(sum+b), T(sum+(b+c))
			sum += b + e
			d[3] = T(sum)
			d, x = d[4:], x[4:]
		}
	}
	for i, v := range x {
		sum += W(v)
		d[i] = T(sum)
	}
}

// sumBackward is sumForward from the end.
func sumBackward[T number, W int64 | float64](d, x []T) {
	var sum W
	if _, ok := any(x).([]float64); !ok {
		for n := len(x); n >= 4 && len(d) >= n; n = len(x) {
			p, q := x[n-4:n], d[n-4:n]
			a, c := W(p[3]), W(p[1])
			b, e := a+W(p[2]), c+W(p[0])
			q[3], q[2], q[1] = T(sum+a), T(sum+b), T(sum+(b+c))
			sum += b + e
			q[0] = T(sum)
			x = x[:n-4]
		}
	}
	for i := len(x) - 1; i >= 0; i-- {
		sum += W(x[i])
		d[i] = T(sum)
	}
}

// ArgMax sets dst[line] to the place of the largest element of each line of src, the first of several. NaN counts as the largest.
func ArgMax[T number](dst []int64, src []T, l Lines) {
	extreme := fastRowReduction(Current(), reduction{Max, typeOf[T]()})
	l.each(func(line, start int) {
		x := src[start : start+l.N]
		if extreme != nil {
			dst[line] = find(x, extreme, &dst[line])
			return
		}
		best, at := x[0], 0
		for i, v := range x {
			if v <= best {
				continue
			}
			if v != v { // the first NaN, which no other element beats
				at = i
				break
			}
			best, at = v, i
		}
		dst[line] = int64(at)
	}, func(line, start, width int) {
		var best [lane]T
		at := dst[line : line+width]
		copy(best[:], src[start:start+width])
		clear(at)
		for i := 1; i < l.N; i++ {
			for c, v := range src[start+i*l.Stride:][:width] {
				if b := best[c&(lane-1)]; !(v <= b) && b == b {
					best[c&(lane-1)], at[c] = v, int64(i)
				}
			}
		}
	})
}

// ArgMin sets dst[line] to the place of the smallest element of each line of src, the first of several. NaN counts as the smallest.
func ArgMin[T number](dst []int64, src []T, l Lines) {
	extreme := fastRowReduction(Current(), reduction{Min, typeOf[T]()})
	l.each(func(line, start int) {
		x := src[start : start+l.N]
		if extreme != nil {
			dst[line] = find(x, extreme, &dst[line])
			return
		}
		best, at := x[0], 0
		for i, v := range x {
			if v >= best {
				continue
			}
			if v != v {
				at = i
				break
			}
			best, at = v, i
		}
		dst[line] = int64(at)
	}, func(line, start, width int) {
		var best [lane]T
		at := dst[line : line+width]
		copy(best[:], src[start:start+width])
		clear(at)
		for i := 1; i < l.N; i++ {
			for c, v := range src[start+i*l.Stride:][:width] {
				if b := best[c&(lane-1)]; !(v >= b) && b == b {
					best[c&(lane-1)], at[c] = v, int64(i)
				}
			}
		}
	})
}

// find is the first place of the largest or smallest element of x, which a reduction tells, or of the first NaN. The reduction takes place in memory.
func find[T number](x []T, extreme Rows, memory *int64) int64 {
	best := (*T)(unsafe.Pointer(memory))
	*best = x[0]
	extreme(unsafe.Pointer(best), unsafe.Pointer(&x[0]), 1, len(x))
	if v := *best; v == v {
		return int64(slices.Index(x, v))
	}
	return int64(slices.IndexFunc(x, func(v T) bool { return v != v }))
}

// typeOf is the element type T.
func typeOf[T number]() DType {
	switch any(*new(T)).(type) {
	case int32:
		return I32
	case int64:
		return I64
	case float32:
		return F32
	}
	return F64
}
