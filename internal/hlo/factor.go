package hlo

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the factorizations that StableHLO has, those for which XLA has expanders of its own on every platform (@Qr and @Eigh),
// elimination with pivots as a loop, and Fourier transforms.

// factor is an op with matrices.
func (b *text) factor(f ir.FactorForm, in []value, out value) value {
	if out.size() == 0 {
		return b.num(0, out)
	}
	a := in[0]
	switch f.Kind {
	case ir.FactorCholesky:
		return b.cholesky(b.symmetric(a))
	case ir.FactorTriangular:
		if a.size() == 0 {
			return in[1]
		}
		transpose := "NO_TRANSPOSE"
		if f.Transposed {
			transpose = "TRANSPOSE"
		}
		return b.emit(out, `"stablehlo.triangular_solve"(%s, %s) {left_side = true, lower = %v, unit_diagonal = false, transpose_a = #stablehlo<transpose %s>} : (%s) -> %s`,
			a, in[1], !f.Upper, transpose, types(in), out.typ())
	case ir.FactorQR:
		return b.qr(a)
	case ir.FactorEigH:
		return b.eigH(b.symmetric(a))
	case ir.FactorLU:
		return b.lu(a)
	case ir.FactorSVD:
		u, s, v := b.svd(b.convert(a, "f64"))
		row := append(slices.Clone(a.shape[:len(a.shape)-2]), 1, s.shape[len(s.shape)-1])
		return b.convert(b.concat(len(a.shape)-2, u, b.reshape(s, row), v), out.elem)
	case ir.FactorPseudoinverse:
		return b.pseudoinverse(f.RTol, in, out)
	case ir.FactorCofactors:
		return b.cofactors(a)
	case ir.FactorExp:
		return b.matrixExp(a)
	}
	if f.Transposed {
		a = b.transposed(a)
	}
	if f.Kind == ir.FactorInverse {
		return b.solve(a, b.identity(a))
	}
	return b.solve(a, in[1])
}

// transposed swaps the last two axes.
func (b *text) transposed(a value) value {
	axes := make([]int, len(a.shape))
	for i := range axes {
		axes[i] = i
	}
	n := len(axes)
	axes[n-1], axes[n-2] = axes[n-2], axes[n-1]
	return b.transpose(a, axes)
}

func (b *text) symmetric(a value) value {
	half := b.num(0.5, a)
	return b.op("add", b.op("multiply", a, half), b.op("multiply", b.transposed(a), half))
}

// triangle is where the row is at least the column, or at most.
func (b *text) triangle(t value, how string) value {
	n := len(t.shape)
	return b.compare(how, b.iota(t.as("i32"), n-2), b.iota(t.as("i32"), n-1))
}

// identity has ones on the diagonal of each matrix.
func (b *text) identity(t value) value { return b.convert(b.triangle(t, "EQ"), t.elem) }

// cholesky is the lower factor. The plugin leaves a matrix that has none in part as it was, so one NaN makes all of it NaN.
func (b *text) cholesky(a value) value {
	l := b.emit(a, `"stablehlo.cholesky"(%s) {lower = true} : (%s) -> %s`, a, a.typ(), a.typ())
	l = b.choose(b.triangle(a, "GE"), l, b.num(0, l))
	n := len(a.shape)
	ok := b.fold("and", "true", b.isFinite(l), n-2, n-1)
	batch := make([]int, n-2)
	for i := range batch {
		batch[i] = i
	}
	return b.choose(b.spread(ok, a.shape, batch...), l, b.missing(a))
}

// qr is both factors, one below the other or side by side.
func (b *text) qr(a value) value {
	n := len(a.shape)
	rows, columns := a.shape[n-2], a.shape[n-1]
	k := min(rows, columns)
	taus := a.of(append(slices.Clone(a.shape[:n-2]), k)...)
	both := b.results([]value{a, taus}, "stablehlo.custom_call @Qr(%s) : (%s) -> (%s, %s)", a, a.typ(), a.typ(), taus.typ())
	reflectors := b.slice(both[0], n-1, 0, k)
	q := b.emit(reflectors, "stablehlo.custom_call @ProductOfElementaryHouseholderReflectors(%s, %s) : (%s, %s) -> %s",
		reflectors, both[1], reflectors.typ(), taus.typ(), reflectors.typ())
	r := b.slice(both[0], n-2, 0, k)
	r = b.choose(b.triangle(r, "LE"), r, b.num(0, r))
	if rows < columns {
		return b.concat(n-1, q, r)
	}
	return b.concat(n-2, q, r)
}

// refinements is how often eigH improves what @Eigh returns. Each doubles the number of correct digits.
const refinements = 2

// eigH is the eigenvalues as a row above the eigenvectors, computed in f64 as on the CPU. XLA's rotations end while elements beside the diagonal still have half
// of its digits, and the rest is refinement by products: with r = 1 - x'x and s = x'ax for the vectors x, column j of the step x e is
// e_ij = (s_ij + w_j r_ij)/(w_j - w_i), w_i = s_ii/(1 - r_ii). Between eigenvalues that are not yet told apart e_ij = r_ij/2, which makes the vectors orthogonal.
// (Ogita and Aishima 2018, Iterative refinement for symmetric eigenvalue decomposition.)
func (b *text) eigH(a value) value {
	elem, n := a.elem, len(a.shape)
	a = b.convert(a, "f64")
	size, lead := a.shape[n-1], a.shape[:n-2]
	w := a.of(a.shape[:n-1]...)
	both := b.results([]value{a, w}, `stablehlo.custom_call @Eigh(%s) {backend_config = "1,1,100,1e-14"} : (%s) -> (%s, %s)`, a, a.typ(), a.typ(), w.typ())
	x, one := both[0], b.identity(a)
	matrices := make([]int, n-2)
	for i := range matrices {
		matrices[i] = i
	}
	product := func(tx bool, x, y value) value { return b.contract(tx, false, x, y) }
	along := func(w value, axis int) value { return b.spread(w, a.shape, append(slices.Clone(matrices), axis)...) }
	norm := func(x value) value {
		return b.spread(b.op("sqrt", b.sum(b.op("multiply", x, x), n-2, n-1)), a.shape, matrices...)
	}
	quotients := func() (s, r value) { // and w
		s, r = product(true, x, product(false, a, x)), b.op("subtract", one, product(true, x, x))
		trace := func(m value) value { return b.sum(b.op("multiply", m, one), n-2) }
		d := trace(r)
		w = b.op("divide", trace(s), b.op("subtract", b.num(1, d), d))
		return s, r
	}
	for range refinements {
		s, r := quotients()
		near := b.op("add", norm(b.op("subtract", s, b.op("multiply", along(w, n-1), one))), b.op("multiply", norm(a), norm(r)))
		apart := b.op("subtract", along(w, n-1), along(w, n-2))
		far := b.compare("GT", b.op("abs", apart), b.op("multiply", near, b.num(2, near)))
		step := b.op("divide", b.op("add", s, b.op("multiply", along(w, n-1), r)), b.choose(far, apart, b.num(1, apart)))
		step = b.choose(far, step, b.op("multiply", r, b.num(0.5, r)))
		x = b.op("add", x, product(false, x, step))
	}
	quotients()
	row := b.reshape(w, append(slices.Clone(lead), 1, size))
	return b.convert(b.concat(n-2, row, x), elem)
}

// lu eliminates column by column, the row with the largest element first, in f64. The columns of the permutation and of the parity go along.
func (b *text) lu(a value) value {
	elem, n := a.elem, len(a.shape)
	lead, rows, columns := a.shape[:n-2], a.shape[n-2], a.shape[n-1]
	batch, width := ir.Size(lead), columns+2
	a = b.convert(b.reshape(a, []int{batch, rows, columns}), "f64")
	finite := b.fold("and", "true", b.isFinite(a), 1, 2)
	ones := a.of(batch, rows, 1)
	m := b.concat(2, a, b.iota(ones, 1), b.num(1, ones))
	row, column := b.iota(m.as("i64"), 1), b.iota(m.as("i64"), 2)
	start := []value{b.num(0, scalarOf("i64")), m}
	m = b.loop(start, float64(min(rows, columns)), func(k value, state []value) []value {
		m := state[0]
		here := b.spread(k, m.shape)
		zero := b.num(0, m)
		// The part of each row in column k, and the rows whose turn it is and that is chosen.
		part := func(m value) value { return b.sum(b.choose(b.compare("EQ", column, here), m, zero), 2) }
		whole := func(v value) value { return b.spread(v, m.shape, 0, 1) } // a number for each row
		under := func(v value) value { return b.spread(v, m.shape, 0, 2) } // a row for all rows
		taken := func(where value) value { return b.sum(b.choose(where, m, zero), 1) }
		size := b.op("abs", part(m))
		place := b.iota(size.as("i64"), 1)
		k2 := b.spread(k, place.shape)
		pivot := b.arg(1, false, b.choose(b.compare("LT", place, k2), b.num(-1, size), size))
		current, chosen := b.compare("EQ", row, here), b.compare("EQ", row, b.spread(pivot, m.shape, 0))
		top, other := taken(chosen), taken(current)
		m = b.choose(current, under(top), b.choose(chosen, under(other), m))
		swapped := b.op("and", b.compare("EQ", column, b.num(float64(width-1), column)), b.compare("NE", b.spread(pivot, m.shape, 0), here))
		m = b.choose(swapped, b.op("negate", m), m)
		// What is below loses its share of the row, and keeps the share in column k.
		head := b.sum(b.choose(b.compare("EQ", place, k2), part(m), b.num(0, size)), 1)
		none := b.compare("EQ", head, b.num(0, head))
		share := b.op("divide", part(m), b.spread(b.choose(none, b.num(1, head), head), size.shape, 0))
		inner := b.op("and", b.compare("GT", column, here), b.compare("LT", column, b.num(float64(columns), column)))
		less := b.op("subtract", m, b.op("multiply", whole(share), b.choose(inner, under(top), zero)))
		left := b.choose(b.compare("EQ", column, here), whole(share), less)
		return []value{b.choose(b.compare("GT", row, here), left, m)}
	})[0]
	m = b.choose(b.spread(finite, m.shape, 0), m, b.missing(m))
	return b.convert(b.reshape(m, append(slices.Clone(lead), rows, width)), elem)
}

// solve makes the matrix [a right] one whose first part is the identity by adding rows to one another, column by column, the row with
// the largest element first, in f64. A column without such an element makes NaN.
func (b *text) solve(a, right value) value {
	elem := right.elem
	n := len(a.shape)
	rows, batch := a.shape[n-1], ir.Size(a.shape[:n-2])
	flat := func(v value) value { return b.convert(b.reshape(v, []int{batch, rows, v.shape[n-1]}), "f64") }
	m := b.concat(2, flat(a), flat(right))
	width := m.shape[2]
	count := scalarOf("i64")
	start := []value{b.num(0, count), m}
	out := b.loop(start, float64(rows), func(k value, state []value) []value {
		m := state[0]
		zero := b.num(0, count)
		column := func(m value) value { // [batch rows]
			t := m.of(batch, m.shape[1], 1)
			c := b.emit(t, "stablehlo.dynamic_slice %s, %s, %s, %s, sizes = [%d, %d, 1] : (%s, %s) -> %s", m, zero, zero, k, batch, m.shape[1], m.typ(), types([]value{k, k, k}), t.typ())
			return b.reshape(c, []int{batch, m.shape[1]})
		}
		place := b.iota(value{elem: "i64", shape: []int{batch, rows}}, 1)
		current := b.compare("EQ", place, b.spread(k, place.shape))
		size := b.op("abs", column(m))
		size = b.choose(b.compare("LT", place, b.spread(k, place.shape)), b.num(-1, size), size)
		pivot := b.arg(1, false, size)
		chosen := b.compare("EQ", place, b.spread(pivot, place.shape, 0))
		wide := func(v value) value { return b.spread(v, m.shape, 0, 1) }
		row := func(which value) value { // [batch width]
			return b.sum(b.choose(wide(which), m, b.num(0, m)), 1)
		}
		top, other := row(chosen), row(current)
		below := func(v value) value { return b.spread(v, m.shape, 0, 2) }
		m = b.choose(wide(chosen), below(other), b.choose(wide(current), below(top), m))
		p := b.reshape(column(b.reshape(top, []int{batch, 1, width})), []int{batch})
		scale := b.choose(b.compare("EQ", p, b.num(0, p)), b.num(math.NaN(), p), b.op("divide", b.num(1, p), p))
		times := b.op("multiply", column(m), b.spread(scale, place.shape, 0))
		left := b.op("subtract", m, b.op("multiply", wide(times), below(top)))
		done := b.op("multiply", below(top), b.spread(scale, m.shape, 0))
		return []value{b.choose(wide(current), done, left)}
	})
	return b.convert(b.reshape(b.slice(out[0], 2, rows, width), right.shape), elem)
}

// loop runs a body a number of times. The first of the state is the number of the time, from 0; it returns the rest.
func (b *text) loop(start []value, times float64, body func(k value, state []value) []value) []value {
	return b.while(start, func(state []value) value {
		return b.compare("LT", state[0], b.num(times, state[0]))
	}, func(state []value) []value {
		next := body(state[0], state[1:])
		return append([]value{b.op("add", state[0], b.num(1, state[0]))}, next...)
	})[1:]
}

// fourier is a Fourier transform of rows.
func (b *text) fourier(kind ir.FourierKind, n int, factor float64, in []value, out value) value {
	if out.size() == 0 {
		return b.num(0, out)
	}
	x := in[0]
	last := len(x.shape) - 1
	complexes := func(t value) value { return t.as("complex<" + x.elem + ">") }
	join := func(re, im value) value {
		return b.emit(complexes(re), "stablehlo.complex %s, %s : %s", re, im, complexes(re).typ())
	}
	transform := func(name string, x, t value) value {
		return b.emit(t, "stablehlo.fft %s, type = %s, length = [%d] : (%s) -> %s", x, name, n, x.typ(), t.typ())
	}
	scaled := func(y value, by float64) value {
		if by == 1 {
			return y
		}
		return b.op("multiply", y, b.num(by, y))
	}
	split := func(y value, by float64) value { // rows of real and of imaginary parts
		t := y.as(x.elem)
		re := b.emit(t, "stablehlo.real %s : (%s) -> %s", y, y.typ(), t.typ())
		im := b.emit(t, "stablehlo.imag %s : (%s) -> %s", y, y.typ(), t.typ())
		shape := append(slices.Clone(t.shape[:last]), 1, t.shape[last])
		return scaled(b.concat(last, b.reshape(re, shape), b.reshape(im, shape)), by)
	}
	switch kind {
	case ir.FourierComplex:
		return split(transform("FFT", join(x, in[1]), complexes(x)), factor)
	case ir.FourierComplexInverse:
		return split(transform("IFFT", join(x, in[1]), complexes(x)), factor*float64(n))
	case ir.FourierReal:
		return split(transform("RFFT", x, complexes(x.of(append(slices.Clone(x.shape[:last]), n/2+1)...))), factor)
	}
	return scaled(transform("IRFFT", join(x, in[1]), out), factor*float64(n))
}

// named is a state of a loop under the names of the loop's arguments.
func named(prefix string, types []value) []value {
	out := slices.Clone(types)
	for i := range out {
		out[i].name = fmt.Sprintf("%s_%d", prefix, i)
	}
	return out
}
