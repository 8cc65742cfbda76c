package tarn

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/fft"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/limit"
)

// This file holds discrete Fourier transforms. There are no complex values: a complex number is a pair of real ones, and an op that returns complex
// numbers has one result with a row of real and a row of imaginary parts. The roots of unity are a constant of the graph, an operand that
// all transforms of a length share. They compute in f64 whatever the dtype.

// FourierNorm says how a Fourier transform and its inverse are scaled.
type FourierNorm uint8

// The norms are named as in PyTorch and NumPy.
const (
	NormBackward FourierNorm = iota // the inverse is divided by the number of elements, and the transform is the plain sum
	NormOrtho                       // both are divided by the root of the number of elements, and keep lengths
	NormForward                     // the transform is divided by the number of elements
)

// scale is the factor of the transform of n elements, or of its inverse.
func (norm FourierNorm) scale(n int, inverse bool) (float64, error) {
	switch {
	case norm > NormForward:
		return 0, newProblem("there is no norm %d", norm).WithHint("take NormBackward, NormOrtho or NormForward")
	case norm == NormOrtho:
		return 1 / math.Sqrt(float64(n)), nil
	case (norm == NormBackward) == inverse:
		return 1 / float64(n), nil
	}
	return 1, nil
}

// fourier is what the transforms have in common: rows of the last axis, n real or complex numbers of the signal, and a factor.
type fourier struct {
	n     int
	scale float64
}

func (op fourier) Attrs() string { return fmt.Sprintf("n=%d scale=%g", op.n, op.scale) }

// roots is the table of the constant operand.
func roots(a ir.Array) []complex128 { return asComplex(ir.Slice[float64](a)) }

// asComplex is the memory of numbers as complex ones.
func asComplex(x []float64) []complex128 {
	if len(x) < 2 { // a pointer to a complex number must not lead beyond the memory
		return nil
	}
	return unsafe.Slice((*complex128)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/2)
}

// rowsOf is the number of rows of n elements, and 0 if there is none.
func rowsOf(t ir.Type, n int) int { return t.Size() / n }

// checkSpectrum refuses what are no real and imaginary parts.
func checkSpectrum(re, im ir.Type) error {
	switch {
	case len(re.Shape) == 0:
		return newProblem("the operand is %v and needs an axis", re)
	case !re.DType.Float():
		return newProblem("the operand is %v and should be f32 or f64", re).WithHint("Cast it")
	case !re.Equal(im):
		return newProblem("the real parts are %v and the imaginary parts %v: they should be equal", re, im)
	case re.Shape[len(re.Shape)-1] == 0:
		return newProblem("the operand is %v: its last axis has no elements", re)
	}
	return nil
}

// pairs is the type of a row of real and a row of imaginary parts in the place of each row of n elements.
func pairs(t ir.Type, n int) ir.Type {
	last := len(t.Shape) - 1
	return ir.Type{DType: t.DType, Shape: append(slices.Clone(t.Shape[:last]), 2, n)}
}

// parts takes the real and the imaginary parts out of what an op gives.
func parts(y *Value) (re, im *Value) {
	return y.Slice(-2, 0, 1).Squeeze(-2), y.Slice(-2, 1, 2).Squeeze(-2)
}

// fftOp is the transform of complex numbers, or the inverse times n.
type fftOp struct {
	fourier
	inverse bool
}

func (op fftOp) Name() string {
	if op.inverse {
		return "IFFT"
	}
	return "FFT"
}

func (op fftOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkSpectrum(in[0], in[1]); err != nil {
		return ir.Type{}, err
	}
	return pairs(in[0], op.n), nil
}

// Eval is the definition.
func (op fftOp) Eval(out ir.Array, in []ir.Array) {
	sign := -1.0
	if op.inverse {
		sign = 1
	}
	for row := range rowsOf(in[0].Type, op.n) {
		for j := range op.n {
			re, im := 0.0, 0.0
			for k := range op.n {
				sin, cos := math.Sincos(sign * 2 * math.Pi * float64(j*k%op.n) / float64(op.n))
				x, y := in[0].Float(row*op.n+k), in[1].Float(row*op.n+k)
				re += cos*x - sin*y
				im += sin*x + cos*y
			}
			out.SetFloat(row*2*op.n+j, re*op.scale)
			out.SetFloat((row*2+1)*op.n+j, im*op.scale)
		}
	}
}

func (op fftOp) Transforms() (ir.FourierKind, int, float64) {
	if op.inverse {
		return ir.FourierComplexInverse, op.n, op.scale
	}
	return ir.FourierComplex, op.n, op.scale
}

func (op fftOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (op fftOp) Rows(_ ir.Type, in []ir.Type) int { return rowsOf(in[0], op.n) }

func (op fftOp) Work(ir.Type, []ir.Type) int { return 2 * (op.n + fft.WorkSize(op.n)) }

func (op fftOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	if out.DType == ir.F64 {
		fftRows[float64](op, out, in, first, end, work)
	} else {
		fftRows[float32](op, out, in, first, end, work)
	}
}

func fftRows[T fft.Element](op fftOp, out ir.Array, in []ir.Array, first, end int, work []float64) {
	y, re, im, n := ir.Slice[T](out), ir.Slice[T](in[0]), ir.Slice[T](in[1]), op.n
	for r := first; r < end; r++ {
		at := r * n
		fft.Complex(y[2*at:2*at+n], y[2*at+n:2*at+2*n], re[at:at+n], im[at:at+n], op.inverse, op.scale, asComplex(work), roots(in[2]))
	}
}

// The adjoint of the transform is the inverse times n.
func (op fftOp) grad(y, dy *Value) []*Value {
	re, im := parts(dy)
	return slicesOf(dy.graph.add(fftOp{op.fourier, !op.inverse}, re, im, y.in[2]))
}

func slicesOf(y *Value) []*Value {
	re, im := parts(y)
	return []*Value{re, im}
}

// rfftOp is the first half of the transform of real numbers.
type rfftOp struct{ fourier }

func (rfftOp) Name() string { return "RFFT" }

func (op rfftOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkSpectrum(in[0], in[0]); err != nil {
		return ir.Type{}, err
	}
	return pairs(in[0], op.n/2+1), nil
}

// Eval is the definition.
func (op rfftOp) Eval(out ir.Array, in []ir.Array) {
	m := op.n/2 + 1
	for row := range rowsOf(in[0].Type, op.n) {
		for j := range m {
			re, im := 0.0, 0.0
			for k := range op.n {
				sin, cos := math.Sincos(-2 * math.Pi * float64(j*k%op.n) / float64(op.n))
				re += cos * in[0].Float(row*op.n+k)
				im += sin * in[0].Float(row*op.n+k)
			}
			if j == 0 || 2*j == op.n { // the sines are 0 up to rounding
				im *= 0
			}
			out.SetFloat(row*2*m+j, re*op.scale)
			out.SetFloat((row*2+1)*m+j, im*op.scale)
		}
	}
}

func (op rfftOp) Transforms() (ir.FourierKind, int, float64) {
	return ir.FourierReal, op.n, op.scale
}

func (op rfftOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (op rfftOp) Rows(_ ir.Type, in []ir.Type) int { return rowsOf(in[0], op.n) }

func (op rfftOp) Work(ir.Type, []ir.Type) int { return 2 * fft.RealWorkSize(op.n) }

func (op rfftOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	if out.DType == ir.F64 {
		rfftRows[float64](op, out, in, first, end, work)
	} else {
		rfftRows[float32](op, out, in, first, end, work)
	}
}

func rfftRows[T fft.Element](op rfftOp, out ir.Array, in []ir.Array, first, end int, work []float64) {
	y, x, n, m := ir.Slice[T](out), ir.Slice[T](in[0]), op.n, op.n/2+1
	for r := first; r < end; r++ {
		fft.Real(y[2*r*m:(2*r+1)*m], y[(2*r+1)*m:(2*r+2)*m], x[r*n:(r+1)*n], op.scale, asComplex(work), roots(in[1]))
	}
}

// The adjoint is the inverse times n of the spectrum whose other half is 0, of which the real part is that of half the spectrum and its conjugates.
func (op rfftOp) grad(y, dy *Value) []*Value {
	re, im := parts(dy)
	weights := re.once(op.n).branch(re.Num(1), re.Num(0.5).broadcastTo(re.typ.Shape))
	return []*Value{dy.graph.add(irfftOp{op.fourier}, re.Mul(weights), im.Mul(weights), y.in[1])}
}

// once is true for the elements of half a spectrum of n real numbers that are no others' conjugates: the first, and the last if n is even.
func (re *Value) once(n int) *Value {
	m := n/2 + 1
	count := re.graph.Iota(I32, 0, m)
	once := count.Eq(Num(0))
	if n%2 == 0 {
		once = once.Or(count.Eq(Num(float64(m - 1))))
	}
	return once.broadcastTo(re.typ.Shape)
}

// irfftOp is n times the inverse of rfftOp.
type irfftOp struct{ fourier }

func (irfftOp) Name() string { return "IRFFT" }

func (op irfftOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkSpectrum(in[0], in[1]); err != nil {
		return ir.Type{}, err
	}
	last := len(in[0].Shape) - 1
	if m := op.n/2 + 1; op.n < 1 || in[0].Shape[last] != m {
		p := newProblem("the spectrum %s has %d elements, and that of %d real numbers has %d", ir.ShapeString(in[0].Shape), in[0].Shape[last], op.n, max(m, 1))
		return ir.Type{}, p.WithHint("Slice or Pad it")
	}
	return ir.Type{DType: in[0].DType, Shape: append(slices.Clone(in[0].Shape[:last]), op.n)}, nil
}

// Eval is the definition: each element with its conjugate.
func (op irfftOp) Eval(out ir.Array, in []ir.Array) {
	m := op.n/2 + 1
	for row := range rowsOf(in[0].Type, m) {
		for j := range op.n {
			sum := 0.0
			for k := range m {
				sin, cos := math.Sincos(2 * math.Pi * float64(j*k%op.n) / float64(op.n))
				re, im := in[0].Float(row*m+k), in[1].Float(row*m+k)
				if k == 0 || 2*k == op.n {
					sum += cos * re
				} else {
					sum += 2 * (cos*re - sin*im)
				}
			}
			out.SetFloat(row*op.n+j, sum*op.scale)
		}
	}
}

func (op irfftOp) Transforms() (ir.FourierKind, int, float64) {
	return ir.FourierRealInverse, op.n, op.scale
}

func (op irfftOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (op irfftOp) Rows(_ ir.Type, in []ir.Type) int { return rowsOf(in[0], op.n/2+1) }

func (op irfftOp) Work(ir.Type, []ir.Type) int { return 2 * fft.RealWorkSize(op.n) }

func (op irfftOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	if out.DType == ir.F64 {
		irfftRows[float64](op, out, in, first, end, work)
	} else {
		irfftRows[float32](op, out, in, first, end, work)
	}
}

func irfftRows[T fft.Element](op irfftOp, out ir.Array, in []ir.Array, first, end int, work []float64) {
	y, re, im, n, m := ir.Slice[T](out), ir.Slice[T](in[0]), ir.Slice[T](in[1]), op.n, op.n/2+1
	for r := first; r < end; r++ {
		fft.RealInverse(y[r*n:(r+1)*n], re[r*m:(r+1)*m], im[r*m:(r+1)*m], op.scale, asComplex(work), roots(in[2]))
	}
}

// The adjoint is the transform, twice of the elements that stand for their conjugates too.
func (op irfftOp) grad(y, dy *Value) []*Value {
	re, im := parts(dy.graph.add(rfftOp{op.fourier}, dy, y.in[2]))
	weights := re.once(op.n).branch(re.Num(1), re.Num(2).broadcastTo(re.typ.Shape))
	return []*Value{re.Mul(weights), im.Mul(weights)}
}

// roots returns the table of transforms of n numbers, one for all that ask for it, or why there is none.
func (g *Graph) roots(n int, real bool) (*Value, error) {
	size, fill := fft.TableSize, fft.Fill
	if real {
		size, fill = fft.RealTableSize, fft.FillReal
	}
	key := fmt.Sprintf("roots %d %v", n, real)
	if v := g.consts[key]; v != nil {
		return v, nil
	}
	t := ir.Type{DType: ir.F64, Shape: []int{2 * size(n)}}
	if err := limit.Check(t.Bytes()); err != nil {
		return nil, newProblem("the roots of unity of %d elements are too large: %v; %s", n, err, limit.Hint)
	}
	a := ir.NewArray(t)
	fill(roots(a), n)
	v := g.leaf(constOp{ir.Const{Array: a}}, t)
	put(&g.consts, key, v)
	return v, nil
}

// transform adds a transform, of n numbers. in are its operands without the table.
func (v *Value) transform(op op, n int, real bool, err error, in ...*Value) *Value {
	types := make([]ir.Type, len(in))
	for i, x := range in {
		if !x.exists() || x.failed {
			return v.graph.add(op, in...) // which says so
		}
		types[i] = x.typ
	}
	if _, wrong := op.Infer(types); wrong != nil {
		return v.graph.fail(op, in, wrong)
	}
	if err != nil {
		return v.graph.fail(op, in, err)
	}
	table, err := v.graph.roots(n, real)
	if err != nil {
		return v.graph.fail(op, in, err)
	}
	return v.graph.add(op, append(in, table)...)
}

// lastSize is the size of the last axis, and 1 if there is none.
func (v *Value) lastSize() int {
	if v.failed || v.Rank() == 0 {
		return 1
	}
	return v.Dim(-1)
}

// FFT returns the discrete Fourier transform of the complex numbers v + i im along the last axis, as real and imaginary parts: the sums over k of
// (v_k + i im_k) exp(-2 pi i j k / n). The length may be any; if it has a prime factor above 31, the transform takes several times as long. The spectrum of real
// numbers is RFFT. To transform another axis, Transpose it to the end. Roll(-1, n/2) moves the frequency 0 to the middle. Equal to torch.fft.fft.
//
// Shapes: [... n], [... n] -> [... n], [... n].
func (v *Value) FFT(im Operand, norm FourierNorm) (yre, yim *Value) { return v.fft(im, norm, false) }

// IFFT returns the inverse of FFT. Equal to torch.fft.ifft.
//
// Shapes: [... n], [... n] -> [... n], [... n].
func (v *Value) IFFT(im Operand, norm FourierNorm) (yre, yim *Value) { return v.fft(im, norm, true) }

func (v *Value) fft(im Operand, norm FourierNorm, inverse bool) (yre, yim *Value) {
	v = v.orLost()
	n := v.lastSize()
	scale, err := norm.scale(n, inverse)
	y := v.transform(fftOp{fourier{n, scale}, inverse}, n, false, err, v, v.operand(im))
	if y.failed {
		return y, y
	}
	return parts(y)
}

// RFFT returns the first n/2+1 elements of the discrete Fourier transform of n real numbers, along the last axis, as real and imaginary parts. The others are
// their conjugates. Equal to torch.fft.rfft.
//
// Shapes: [... n] -> [... n/2+1], [... n/2+1].
func (v *Value) RFFT(norm FourierNorm) (re, im *Value) {
	v = v.orLost()
	n := v.lastSize()
	scale, err := norm.scale(n, false)
	y := v.transform(rfftOp{fourier{n, scale}}, n, true, err, v)
	if y.failed {
		return y, y
	}
	return parts(y)
}

// IRFFT returns the n real numbers whose RFFT is v + i im. The imaginary part of the first element is not read, nor that of the last if n is even. Equal to
// torch.fft.irfft(n=n) of a spectrum of n/2+1 elements.
//
// Shapes: [... n/2+1], [... n/2+1] -> [... n].
func (v *Value) IRFFT(im Operand, n int, norm FourierNorm) *Value {
	v = v.orLost()
	scale, err := norm.scale(n, true)
	return v.transform(irfftOp{fourier{n, scale}}, n, true, err, v, v.operand(im))
}

// FFT2 returns the discrete Fourier transform of complex numbers along the last two axes. Equal to torch.fft.fft2.
//
// Shapes: [... m n], [... m n] -> [... m n], [... m n].
func (v *Value) FFT2(im Operand, norm FourierNorm) (yre, yim *Value) {
	v = v.orLost()
	if y := v.checkPlane("FFT2"); y != nil {
		return y, y
	}
	re, i := v.fft(im, norm, false)
	return re.down(i, norm, false)
}

// IFFT2 returns the inverse of FFT2. Equal to torch.fft.ifft2.
//
// Shapes: [... m n], [... m n] -> [... m n], [... m n].
func (v *Value) IFFT2(im Operand, norm FourierNorm) (yre, yim *Value) {
	v = v.orLost()
	if y := v.checkPlane("IFFT2"); y != nil {
		return y, y
	}
	re, i := v.fft(im, norm, true)
	return re.down(i, norm, true)
}

// RFFT2 returns the discrete Fourier transform of real numbers along the last two axes: the first n/2+1 columns, of which the others are conjugates. Equal
// to torch.fft.rfft2.
//
// Shapes: [... m n] -> [... m n/2+1], [... m n/2+1].
func (v *Value) RFFT2(norm FourierNorm) (re, im *Value) {
	v = v.orLost()
	if y := v.checkPlane("RFFT2"); y != nil {
		return y, y
	}
	re, im = v.RFFT(norm)
	return re.down(im, norm, false)
}

// IRFFT2 returns the real numbers, in rows of n, whose RFFT2 is v + i im. Equal to torch.fft.irfft2 of a spectrum of n/2+1 columns, with s=(m, n).
//
// Shapes: [... m n/2+1], [... m n/2+1] -> [... m n].
func (v *Value) IRFFT2(im Operand, n int, norm FourierNorm) *Value {
	v = v.orLost()
	if y := v.checkPlane("IRFFT2"); y != nil {
		return y
	}
	i := v.operand(im)
	if !i.exists() || i.failed || !i.typ.Equal(v.typ) {
		return v.IRFFT(im, n, norm)
	}
	re, i := v.down(i, norm, true)
	return re.IRFFT(i, n, norm)
}

// checkPlane returns the failed value of an op along two axes if v has fewer, and else nil.
func (v *Value) checkPlane(name string) *Value {
	if !v.failed && v.Rank() < 2 {
		return v.graph.failAs(name, []*Value{v}, newProblem("the operand is %v and needs at least two axes", v.typ))
	}
	return nil
}

// down transforms the columns.
func (v *Value) down(im *Value, norm FourierNorm, inverse bool) (yre, yim *Value) {
	if v.failed {
		return v, v
	}
	re, im := v.Transpose(-2, -1).fft(im.Transpose(-2, -1), norm, inverse)
	return re.Transpose(-2, -1), im.Transpose(-2, -1)
}
