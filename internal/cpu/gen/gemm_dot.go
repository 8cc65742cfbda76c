// The kernels of the matrix product that run along K: dot products of rows of A with columns of B, for products of few
// rows or columns, and the transposing copy that turns a B that is contiguous along K into rows.

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// dot emits the kernel of rows by cols dot products.
func (k *gemmGen) dot(rows, cols int) {
	name := k.dotName(rows, cols)
	k.Function(name)
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(k int, a *byte, aRow int, b *byte, bCol int, c *byte, cRow int, add bool)")
	k.Doc(fmt.Sprintf("%s computes %d rows by %d columns of C along K.", name, rows, cols))

	acc := make([][]VecVirtual, rows)
	for i := range acc {
		acc[i] = k.vectors(cols)
		for _, v := range acc[i] {
			k.zero(v)
		}
	}
	count, a, b := k.arg("k"), k.arg("a"), k.arg("b")
	as, bs := k.rowsFrom(a, k.arg("aRow"), rows), k.rowsFrom(b, k.arg("bCol"), cols)
	step := func(load func(m Mem, v VecVirtual)) {
		row := k.vectors(cols)
		for j, v := range row {
			load(bs.at(j), v)
		}
		for i := range acc {
			x := k.vector()
			load(as.at(i), x)
			for j := range row {
				k.fma(x, row[j], acc[i][j])
			}
		}
	}
	k.SUBQ(U32(k.width()), count)
	k.JLT(LabelRef("tail"))
	k.Label("loop")
	step(func(m Mem, v VecVirtual) { k.load(m, v) })
	k.ADDQ(U32(k.bytes()), a)
	k.ADDQ(U32(k.bytes()), b)
	k.SUBQ(U32(k.width()), count)
	k.JGE(LabelRef("loop"))
	k.Label("tail")
	k.ADDQ(U32(k.width()), count)
	k.JZ(LabelRef("sum"))
	mask := k.mask(count)
	step(func(m Mem, v VecVirtual) { k.loadMasked(m, mask, v) })

	k.Label("sum")
	cs := k.rowsFrom(k.arg("c"), k.arg("cRow"), rows)
	flag := k.Load(k.Param("add"), k.GP8())
	if k.avx512 && !k.double && rows == 4 && cols == 4 {
		k.dotSquare(acc, cs, flag)
		return
	}
	for i := range acc {
		for _, v := range acc[i] {
			k.sumLanes(v)
		}
	}
	k.TESTB(flag, flag)
	k.JZ(LabelRef("store"))
	k.dotRows(acc, cs, true)
	k.Label("store")
	k.dotRows(acc, cs, false)
}

// dotSquare adds up the lanes of four rows of four vectors by transposing them: 45 instructions, where one vector after the other takes 128. It writes
// the sums, or adds them to what is there, and returns.
func (k *gemmGen) dotSquare(acc [][]VecVirtual, c *rowsOf, flag Op) {
	fold := func(a, b VecVirtual, low, high func(...Op)) VecVirtual {
		l, h := k.vector(), k.vector()
		low(b, a, l)
		high(b, a, h)
		k.add(l, h, l)
		return l
	}
	lanes := func(which uint64) func(...Op) {
		return func(ops ...Op) { k.VSHUFF32X4(Imm(which), ops[0], ops[1], ops[2]) }
	}
	var rows [4]VecVirtual // each lane of 128 bits has a part of the four sums of a row
	for i, r := range acc {
		left, right := fold(r[0], r[1], k.VUNPCKLPS, k.VUNPCKHPS), fold(r[2], r[3], k.VUNPCKLPS, k.VUNPCKHPS)
		rows[i] = fold(left, right, k.VUNPCKLPD, k.VUNPCKHPD)
	}
	first, second := fold(rows[0], rows[1], lanes(0x44), lanes(0xee)), fold(rows[2], rows[3], lanes(0x44), lanes(0xee))
	all := fold(first, second, lanes(0x88), lanes(0xdd)) // a row in each lane
	store := func(add bool) {
		for i := range rows {
			x := k.XMM()
			k.VEXTRACTF32X4(Imm(uint64(i)), all, x)
			if add {
				k.VADDPS(c.at(i), x, x)
			}
			k.VMOVUPS(x, c.at(i))
		}
		k.VZEROUPPER()
		k.RET()
	}
	k.TESTB(flag, flag)
	k.JZ(LabelRef("store"))
	store(true)
	k.Label("store")
	store(false)
}

// dotRows writes the sums, or adds them to what is there, and returns.
func (k *gemmGen) dotRows(acc [][]VecVirtual, c *rowsOf, add bool) {
	for i, row := range acc {
		for j, v := range row {
			m, x := c.at(i), v.AsX()
			m.Disp = j * k.size()
			switch {
			case k.double && add:
				k.VADDSD(m, x, x)
				k.VMOVSD(x, m)
			case k.double:
				k.VMOVSD(x, m)
			case add:
				k.VADDSS(m, x, x)
				k.VMOVSS(x, m)
			default:
				k.VMOVSS(x, m)
			}
		}
	}
	k.VZEROUPPER()
	k.RET()
}

// sumLanes adds the lanes of v into its first: halves first, so that the order is the same for every product.
func (k *gemmGen) sumLanes(v VecVirtual) {
	half := k.vector()
	x, h := v.AsX(), half.AsX()
	if k.avx512 {
		k.VEXTRACTF64X4(Imm(1), v, half.AsY())
		k.add(v.AsY(), half.AsY(), v.AsY())
		k.VEXTRACTF64X2(Imm(1), v.AsY(), h)
	} else {
		k.VEXTRACTF128(Imm(1), v, h)
	}
	k.add(x, h, x)
	k.VPERMILPD(Imm(1), x, h)
	k.add(x, h, x)
	if !k.double {
		k.VMOVSHDUP(x, h)
		k.add(x, h, x)
	}
}

// transposeName is the name of the transposing copy; it needs no more than AVX and serves both levels.
func transposeName(bits int) string { return fmt.Sprintf("gemm%dTranspose", bits) }

// transpose emits the copy of a matrix to its transpose, in square blocks of one vector.
func (k *gemmGen) transpose() {
	name := transposeName(k.bits())
	n := k.width()
	k.Function(name)
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(dst *byte, dstRow int, src *byte, srcRow int, rows int, cols int)")
	k.Doc(fmt.Sprintf("%s copies src, rows by cols, to dst, cols by rows. Both counts are multiples of %d and not 0.", name, n))

	dst, dstRow, src := k.arg("dst"), k.arg("dstRow"), k.arg("src")
	srcRow, rows := k.arg("srcRow"), k.arg("rows")
	k.Label("rows")
	from, to, cols := k.GP64(), k.GP64(), k.arg("cols")
	k.MOVQ(src, from)
	k.MOVQ(dst, to)
	in := k.rowsFrom(from, srcRow, n)
	k.Label("block")
	// A register holds half of row i below half of row i+n/2; swapping within halves then completes the columns.
	for half := range 2 {
		r := k.vectors(n / 2)
		for i, v := range r {
			low, high := in.at(i), in.at(i+n/2)
			low.Disp, high.Disp = 16*half, 16*half
			k.VMOVUPS(low, v.AsX())
			k.VINSERTF128(Imm(1), high, v, v)
		}
		if !k.double {
			t := k.vectors(4)
			k.VUNPCKLPS(r[1], r[0], t[0])
			k.VUNPCKHPS(r[1], r[0], t[2])
			k.VUNPCKLPS(r[3], r[2], t[1])
			k.VUNPCKHPS(r[3], r[2], t[3])
			r = t
		}
		for i := 0; i < n/2; i += 2 {
			even, odd := k.vector(), k.vector()
			k.VUNPCKLPD(r[i+1], r[i], even)
			k.VUNPCKHPD(r[i+1], r[i], odd)
			for _, v := range []VecVirtual{even, odd} {
				k.VMOVUPS(v, Mem{Base: to})
				k.ADDQ(dstRow, to)
			}
		}
	}
	for _, base := range in.bases {
		k.ADDQ(Imm(32), base)
	}
	k.SUBQ(Imm(uint64(n)), cols)
	k.JNZ(LabelRef("block"))
	k.LEAQ(Mem{Base: src, Index: srcRow, Scale: uint8(n)}, src)
	k.ADDQ(Imm(32), dst)
	k.SUBQ(Imm(uint64(n)), rows)
	k.JNZ(LabelRef("rows"))
	k.VZEROUPPER()
	k.RET()
}

const transposeWideName = "gemm32AVX512Transpose"

// transposeWide emits the copy of a matrix of 32 bits to its transpose in blocks of 16 by 16. A line of the source is read all at once, so that rows
// that fall into the same set of the cache do not evict each other in the middle of a block, and one of the destination is written at once.
func (k *gemmGen) transposeWide() {
	const n = 16
	k.Function(transposeWideName)
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(dst *byte, dstRow int, src *byte, srcRow int, rows int, cols int)")
	k.Doc(fmt.Sprintf("%s copies src, rows by cols, to dst, cols by rows. Both counts are multiples of %d and not 0.", transposeWideName, n))

	dst, dstRow, src := k.arg("dst"), k.arg("dstRow"), k.arg("src")
	srcRow, rows := k.arg("srcRow"), k.arg("rows")
	k.Label("rows")
	from, to, cols := k.GP64(), k.GP64(), k.arg("cols")
	k.MOVQ(src, from)
	k.MOVQ(dst, to)
	in := k.rowsFrom(from, srcRow, n)
	k.Label("block")
	// Lane l of z[c][r] has columns 4c to 4c+3 of row 4l+r, so what remains is to transpose within the lanes.
	var z [4][4]VecVirtual
	for i := range n {
		for c := range z {
			m := in.at(i)
			m.Disp = 16 * c
			if i < 4 {
				z[c][i] = k.ZMM()
				k.VMOVUPS(m, z[c][i].AsX())
			} else {
				k.VINSERTF32X4(Imm(uint64(i/4)), m, z[c][i%4], z[c][i%4])
			}
		}
	}
	unpack := func(f func(...Op), x, y VecVirtual) VecVirtual {
		d := k.ZMM()
		f(y, x, d)
		return d
	}
	for _, r := range z {
		low, high := unpack(k.VUNPCKLPS, r[0], r[1]), unpack(k.VUNPCKHPS, r[0], r[1])
		low2, high2 := unpack(k.VUNPCKLPS, r[2], r[3]), unpack(k.VUNPCKHPS, r[2], r[3])
		for _, v := range []VecVirtual{unpack(k.VUNPCKLPD, low, low2), unpack(k.VUNPCKHPD, low, low2), unpack(k.VUNPCKLPD, high, high2), unpack(k.VUNPCKHPD, high, high2)} {
			k.VMOVUPS(v, Mem{Base: to})
			k.ADDQ(dstRow, to)
		}
	}
	for _, base := range in.bases {
		k.ADDQ(Imm(64), base)
	}
	k.SUBQ(Imm(n), cols)
	k.JNZ(LabelRef("block"))
	for range 2 {
		k.LEAQ(Mem{Base: src, Index: srcRow, Scale: 8}, src)
	}
	k.ADDQ(Imm(64), dst)
	k.SUBQ(Imm(n), rows)
	k.JNZ(LabelRef("rows"))
	k.VZEROUPPER()
	k.RET()
}
