package hlo

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds singular values and vectors, and what is computed with them: pseudoinverses, least squares and cofactors. All are computed in f64, as on the CPU.

// mostSweeps bounds the passes over all pairs of columns. About ten are needed.
const mostSweeps = 40

// svd factors matrices of f64, [... m n], as u diag(s) v': [... m k], [... k] in descending order, and [... n k], k = min(m, n). Rotations make columns orthogonal in
// pairs until all are: then they are u diag(s), and the product of the rotations is v. (Hestenes 1958.) Half of the columns are rotated with the other
// half at once; after each such round all columns but the first move on by one place, so that after n-1 rounds each has met each other. (Brent and Luk
// 1985.) A column of nearly nothing has no direction, so u is the orthonormal factor of u diag(s), which keeps the digits of the others.
func (b *text) svd(a value) (u, s, v value) {
	n := len(a.shape)
	if a.shape[n-2] < a.shape[n-1] {
		v, s, u = b.svd(b.transposed(a))
		return u, s, v
	}
	lead, rows, columns := a.shape[:n-2], a.shape[n-2], a.shape[n-1]
	batch := ir.Size(lead)
	a = b.reshape(a, []int{batch, rows, columns})
	finite := b.fold("and", "true", b.isFinite(a), 1, 2)
	scale := b.fold("maximum", literal(a.elem, 0), b.op("abs", a), 1, 2)
	scale = b.choose(b.compare("GT", scale, b.num(0, scale)), scale, b.num(1, scale)) // squares neither overflow nor vanish
	x := b.op("divide", a, b.spread(scale, a.shape, 0))

	// The matrices, and below them the rotations, with an even number of columns.
	width := columns + columns%2
	below := x.of(batch, columns, width)
	x = b.pad(x, 0, []int{0, 0, 0}, []int{0, 0, width - columns}, []int{0, 0, 0})
	all := b.concat(1, x, b.convert(b.compare("EQ", b.iota(below.as("i32"), 1), b.iota(below.as("i32"), 2)), a.elem))
	square := b.sum(b.op("multiply", x, x), 1, 2)
	still := b.lit("false", scalarOf("i1"))
	start := []value{b.num(0, scalarOf("i64")), all, b.lit("true", scalarOf("i1"))}
	all = b.while(start, func(state []value) value {
		return b.op("and", state[2], b.compare("LT", state[0], b.num(mostSweeps, state[0])))
	}, func(state []value) []value {
		out := b.loop([]value{b.num(0, state[0]), state[1], still}, float64(width-1), func(_ value, state []value) []value {
			all, turned := b.rotate(state[0], rows, square)
			return []value{all, b.op("or", state[1], turned)}
		})
		return []value{b.op("add", state[0], b.num(1, state[0])), out[0], out[1]}
	})[1]
	all = b.slice(all, 2, 0, columns)
	x = b.slice(all, 1, 0, rows)
	s = b.op("sqrt", b.sum(b.op("multiply", x, x), 1))
	order := b.sort(columns, true, s)
	all = b.pick(2, all, b.spread(order, all.shape, 0, 2))
	s = b.op("multiply", b.pick(1, s, order), b.spread(scale, s.shape, 0))
	s = b.choose(b.spread(finite, s.shape, 0), s, b.missing(s))
	both := b.qr(b.slice(all, 1, 0, rows))
	r := b.slice(both, 1, rows, rows+columns)
	diagonal := b.sum(b.op("multiply", r, b.identity(r)), 2)
	sign := b.choose(b.compare("LT", diagonal, b.num(0, diagonal)), b.num(-1, diagonal), b.num(1, diagonal))
	u = b.slice(both, 1, 0, rows)
	u = b.op("multiply", u, b.spread(sign, u.shape, 0, 2))
	v = b.slice(all, 1, rows, rows+columns)
	whole := func(m value) value {
		m = b.choose(b.spread(finite, m.shape, 0), m, b.missing(m))
		return b.reshape(m, append(slices.Clone(lead), m.shape[1:]...))
	}
	return whole(u), b.reshape(s, append(slices.Clone(lead), columns)), whole(v)
}

// rotate is a round of svd: it makes the first rows of column i and of column i + half orthogonal by turning both, and moves the columns on. square is the sum of all
// squares of those rows. A column that is nothing but rounding is left as it is, as it would be again after each turn.
func (b *text) rotate(all value, rows int, square value) (next, turned value) {
	half := all.shape[2] / 2
	p, q := b.slice(all, 2, 0, half), b.slice(all, 2, half, 2*half)
	dot := func(x, y value) value {
		return b.sum(b.op("multiply", b.slice(x, 1, 0, rows), b.slice(y, 1, 0, rows)), 1)
	}
	pp, qq, pq := dot(p, p), dot(q, q), dot(p, q)
	num := func(v float64) value { return b.num(v, pq) }
	negligible := b.op("multiply", b.op("multiply", b.op("sqrt", pp), b.op("sqrt", qq)), num(0x1p-51*math.Sqrt(float64(rows))))
	turn := b.op("and", b.compare("GT", b.op("abs", pq), negligible),
		b.compare("GT", b.op("minimum", pp, qq), b.op("multiply", b.spread(square, pq.shape, 0), num(0x1p-104))))
	// The smaller angle whose cotangent of the double is zeta.
	zeta := b.op("divide", b.op("subtract", qq, pp), b.op("multiply", num(2), b.choose(turn, pq, num(1))))
	tan := b.op("divide", num(1), b.op("add", b.op("abs", zeta), b.op("sqrt", b.op("add", num(1), b.op("multiply", zeta, zeta)))))
	tan = b.choose(b.compare("LT", zeta, num(0)), b.op("negate", tan), tan)
	tan = b.choose(turn, tan, num(0))
	cos := b.op("divide", num(1), b.op("sqrt", b.op("add", num(1), b.op("multiply", tan, tan))))
	c, s := b.spread(cos, p.shape, 0, 2), b.spread(b.op("multiply", cos, tan), p.shape, 0, 2)
	p, q = b.op("subtract", b.op("multiply", c, p), b.op("multiply", s, q)), b.op("add", b.op("multiply", s, p), b.op("multiply", c, q))
	if next = b.concat(2, p, q); half > 1 {
		part := func(x value, from, to int) value { return b.slice(x, 2, from, to) }
		next = b.concat(2, part(p, 0, 1), part(q, 0, 1), part(p, 1, half-1), part(q, 1, half), part(p, half-1, half))
	}
	return next, b.fold("or", "false", turn, 0, 1)
}

// reciprocals is 1/s of descending singular values, and 0 of those up to rtol times the largest.
func (b *text) reciprocals(s value, rtol float64) value {
	last := len(s.shape) - 1
	axes := make([]int, len(s.shape))
	for i := range axes {
		axes[i] = i
	}
	limit := b.op("multiply", b.spread(b.slice(s, last, 0, 1), s.shape, axes...), b.num(rtol, s))
	counts := b.compare("GT", s, limit)
	return b.choose(counts, b.op("divide", b.num(1, s), b.choose(counts, s, b.num(1, s))), b.num(0, s))
}

// columnsTimes multiplies each column of matrices by a number.
func (b *text) columnsTimes(m, by value) value {
	axes := make([]int, len(by.shape))
	for i := range axes {
		axes[i] = i
	}
	axes[len(axes)-1]++
	return b.op("multiply", m, b.spread(by, m.shape, axes...))
}

// pseudoinverse is v diag(1/s) u', times right sides if there are any.
func (b *text) pseudoinverse(rtol float64, in []value, out value) value {
	if in[0].size() == 0 {
		return b.num(0, out)
	}
	if rtol == 0 {
		unit := 0x1p-52
		if in[0].elem == "f32" {
			unit = 0x1p-23
		}
		rtol = unit * float64(max(in[0].shape[len(in[0].shape)-2], in[0].shape[len(in[0].shape)-1]))
	}
	u, s, v := b.svd(b.convert(in[0], "f64"))
	v = b.columnsTimes(v, b.reciprocals(s, rtol))
	if len(in) == 1 {
		return b.convert(b.contract(false, true, v, u), out.elem)
	}
	return b.convert(b.contract(false, false, v, b.contract(true, false, u, b.convert(in[1], "f64"))), out.elem)
}

// cofactors are the derivatives of determinants with respect to the elements. Those of a product are the products of those of its factors, and those of an
// orthogonal matrix q are det(q) q: so they are det(u) det(v) u c v' with the cofactors c of diag(s), the products of all other values, right for every rank.
func (b *text) cofactors(a value) value {
	n := len(a.shape)
	size := a.shape[n-1]
	u, s, v := b.svd(b.convert(a, "f64"))
	axes := make([]int, n-1)
	for i := range axes {
		axes[i] = i
	}
	axes[n-2] = n - 1
	row := u.of(u.shape...)
	others := b.choose(b.triangle(row, "EQ"), b.num(1, row), b.spread(s, row.shape, axes...))
	c := b.fold("multiply", literal(s.elem, 1), others, n-1)
	// The determinant of u v', which is 1 or -1: the product of the signs on the diagonal of its factors, and the parity.
	lu := b.lu(b.contract(false, true, u, v))
	upper := b.slice(lu, n-1, 0, size)
	diagonal := b.sum(b.op("multiply", upper, b.identity(upper)), n-1)
	det := b.fold("multiply", literal(s.elem, 1), b.op("sign", diagonal), n-2)
	parity := b.reshape(b.slice(b.slice(lu, n-2, 0, 1), n-1, size+1, size+2), det.shape)
	det = b.op("multiply", det, parity)
	matrices := make([]int, n-2)
	for i := range matrices {
		matrices[i] = i
	}
	u = b.op("multiply", b.columnsTimes(u, c), b.spread(det, u.shape, matrices...))
	return b.convert(b.contract(false, true, u, v), a.elem)
}
