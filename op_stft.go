package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds transforms of short pieces of a signal, and the windows that fade the pieces in and out. All are compositions.

// HannWindow returns sin^2(pi k/n) for k below n, which is periodic: shifted by n/2 and added it is 1. Equal to torch.hann_window and
// scipy.signal.get_window("hann", n).
//
// Shapes: [n].
func (g *Graph) HannWindow(dtype DType, n int) *Value {
	return g.cosineWindow("HannWindow", dtype, n, 0.5)
}

// HammingWindow returns 0.54 - 0.46 cos(2 pi k/n) for k below n. Equal to torch.hamming_window and scipy.signal.get_window("hamming", n).
//
// Shapes: [n].
func (g *Graph) HammingWindow(dtype DType, n int) *Value {
	return g.cosineWindow("HammingWindow", dtype, n, 0.54)
}

func (g *Graph) cosineWindow(name string, dtype DType, n int, mean float64) *Value {
	g = g.orLost()
	switch {
	case !dtype.IsFloat():
		return g.failAs(name, nil, newProblem("the dtype is %v and should be f32 or f64", dtype))
	case n < 1:
		return g.failAs(name, nil, newProblem("the length is %d and should be at least 1", n))
	}
	t, err := zeros(ir.Type{DType: ir.DType(dtype), Shape: []int{n}})
	if err != nil {
		return g.failAs(name, nil, err)
	}
	for k := range n {
		t.SetFloat(k, mean-(1-mean)*math.Cos(2*math.Pi*float64(k)/float64(n)))
	}
	if n == 1 {
		t.SetFloat(0, 1)
	}
	return g.Const(t)
}

// STFT returns the Fourier transforms of pieces of the real signals v, real and imaginary parts: each piece is as long as the window, is multiplied by it, and
// begins hop elements after the one before. The frequencies come before the pieces. If center is true the signal is first reflected at its ends, by half a
// window, so that piece i is around element i hop. Equal to torch.stft(v, n, hop, window=window, center=center, return_complex=True).
//
// Shapes: [... t], window [n] -> [... n/2+1 p], [... n/2+1 p], with p = 1 + (t-n)/hop, or 1 + (t + n/2 + n/2 - n)/hop if center is true.
func (v *Value) STFT(window Operand, hop int, center bool) (re, im *Value) {
	v = v.orLost()
	w := v.operand(window)
	if y := v.checkPieces("STFT", w, hop); y != nil {
		return y, y
	}
	n, t := w.Dim(0), v.Dim(-1)
	if center {
		if n/2 >= t {
			y := v.graph.failAs("STFT", []*Value{v, w}, newProblem("the signal %s has %d elements, and half a window of %d is reflected at its ends", ir.ShapeString(v.typ.Shape), t, n).
				WithHint("take a shorter window, or no center"))
			return y, y
		}
		v, t = v.PadReflect(-1, n/2, n/2), t+n/2*2
	}
	if t < n {
		y := v.graph.failAs("STFT", []*Value{v, w}, newProblem("the signal %s is shorter than the window, which has %d elements", ir.ShapeString(v.typ.Shape), n))
		return y, y
	}
	re, im = v.Take(-1, v.graph.pieces(1+(t-n)/hop, n, hop)).Mul(w).RFFT(NormBackward)
	return re.Transpose(-2, -1), im.Transpose(-2, -1)
}

// ISTFT returns the real signals whose STFT is v + i im: the pieces are transformed back, multiplied by the window, added where they overlap, and divided by the sum of
// the squares of the windows. An element at which that is 0 is not finite; if center is true, half a window is cut off at both ends. What is no
// STFT of a signal gives the nearest one, as the squares of the differences go. Equal to torch.istft(v + i im, n, hop, window=window, center=center).
//
// Shapes: [... n/2+1 p], [... n/2+1 p], window [n] -> [... (p-1)hop+n], or n/2 + n/2 fewer if center is true.
func (v *Value) ISTFT(im, window Operand, hop int, center bool) *Value {
	v = v.orLost()
	i, w := v.operand(im), v.operand(window)
	if y := v.checkPieces("ISTFT", w, hop); y != nil {
		return y
	}
	n := w.Dim(0)
	if !i.exists() || i.failed || !i.typ.Equal(v.typ) || v.Rank() < 2 {
		return v.IRFFT(i, n, NormBackward) // which says so
	}
	pieces := v.Transpose(-2, -1).IRFFT(i.Transpose(-2, -1), n, NormBackward).Mul(w)
	p := v.Dim(-1)
	if pieces.failed {
		return pieces
	}
	if p == 0 {
		return v.graph.failAs("ISTFT", []*Value{v, i}, newProblem("the spectra %s have no pieces", ir.ShapeString(v.typ.Shape)))
	}
	at, t := v.graph.pieces(p, n, hop), (p-1)*hop+n
	signal := v.zero().broadcastTo(append(append([]int{}, v.typ.Shape[:v.Rank()-2]...), t)).IndexAdd(-1, at, pieces)
	y := signal.Div(v.zero().broadcastTo([]int{t}).IndexAdd(0, at, w.Square().broadcastTo([]int{p, n})))
	if center {
		if t <= n/2*2 {
			return v.graph.failAs("ISTFT", []*Value{v, i}, newProblem("the pieces make a signal of %d elements, of which %d would be cut off at both ends", t, n/2))
		}
		y = y.Slice(-1, n/2, t-n/2)
	}
	return y
}

// pieces are the indices of p pieces of n elements.
func (g *Graph) pieces(p, n, hop int) *Value {
	return g.Iota(I32, 0, p, n).Mul(Num(float64(hop))).Add(g.Iota(I32, 1, p, n))
}

// checkPieces returns the failed value of an op of name that gets no signal, or no window and hop, and else nil.
func (v *Value) checkPieces(name string, w *Value, hop int) *Value {
	switch {
	case !w.exists():
		return v.graph.failAs(name, []*Value{v}, newProblem("the window is nil"))
	case v.failed || w.failed:
		return v.graph.add(fftOp{}, v, w)
	case v.Rank() == 0 || !v.DType().IsFloat():
		return v.graph.failAs(name, []*Value{v, w}, newProblem("the operand is %v and should be f32 or f64, with an axis", v.typ))
	case w.Rank() != 1 || w.DType() != v.DType() || w.Dim(0) == 0:
		return v.graph.failAs(name, []*Value{v, w}, newProblem("the window is %v and should be a vector of %v", w.typ, v.DType()))
	case hop < 1 || hop > math.MaxInt32:
		return v.graph.failAs(name, []*Value{v, w}, newProblem("the hop is %d and should be from 1 to %d", hop, math.MaxInt32))
	}
	return nil
}
