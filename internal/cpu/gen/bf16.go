// The kernels of products of bfloat16 numbers. Two numbers that follow each other along K are one element of 32 bits, a pair. So a product of pairs has
// the kernels of the float32 product, with VDPBF16PS, which adds both products of a pair, in place of the multiply-add. The first operand is
// packed as rows of pairs, or like the second as rows whose elements are pairs; both are made of float32 numbers here. Go's assembler does not know the
// instructions: they are written as others with the same operands, and replaced by their bytes once registers are allocated.

package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var bf16Target = target{name: "BF16", avx512: true, pairs: true, rows: 14, wideRows: 6, aliasing: 4096}

func init() {
	register("bf16_avx512_amd64", func(c *Context) {
		gemmTarget(c, bf16Target)
		k := &gemmGen{c, bf16Target}
		k.peak()
		k.packRows()
		k.packPairs()
		k.packTurned()
		k.packAcross()
		k.packOne()
		k.packTwo()
		k.round()
		k.narrow()
		k.widen()
	})
	register("bf16_avx2_amd64", func(c *Context) {
		k := &gemmGen{c, gemmTargets[2]}
		k.roundAVX2()
		k.narrow()
		k.widen()
	})
	registerGo("bf16_table_amd64", func() string { return bf16Target.table("bf16Dot") })
}

// replaced are the functions whose multiply-adds stand for VDPBF16PS. VPACKUSDW of 512 bits stands for VCVTNE2PS2BF16 everywhere.
var replaced = map[string]bool{}

// replaceBF16 writes the instructions that others stand for.
func replaceBF16(f *ir.File) error {
	for _, fn := range f.Functions() {
		var nodes []ir.Node
		for _, n := range fn.Nodes {
			in, ok := n.(*ir.Instruction)
			if !ok {
				nodes = append(nodes, n)
				continue
			}
			var name string
			var prefix, code int
			switch {
			case in.Opcode == "VFMADD231PS" && replaced[fn.Name]:
				name, prefix, code = "VDPBF16PS", 2, 0x52
			case in.Opcode == "VPACKUSDW" && in.Operands[2].(Physical).Size() == 64:
				name, prefix, code = "VCVTNE2PS2BF16", 3, 0x72
			default:
				nodes = append(nodes, n)
				continue
			}
			var at [3]int // r/m, second source, destination
			for i, op := range in.Operands {
				r, ok := op.(Physical)
				if !ok || r.Size() != 64 {
					return fmt.Errorf("%s: %s of %s, which is no vector register", fn.Name, in.Opcode, op.Asm())
				}
				at[i] = int(r.PhysicalIndex())
			}
			nodes = append(nodes, ir.NewComment(fmt.Sprintf("%s %s, %s, %s", name, in.Operands[0].Asm(), in.Operands[1].Asm(), in.Operands[2].Asm())))
			nodes = append(nodes, evex(prefix, code, at[2], at[1], at[0])...)
		}
		fn.Nodes = nodes
	}
	return nil
}

// evex encodes EVEX.512.0F38.W0 with registers only: the destination, the second source and r/m.
func evex(prefix, code, dst, second, rm int) []ir.Node {
	not := func(x, bit int) uint32 { return uint32(^x>>bit) & 1 }
	b := [6]uint32{
		0x62,
		0x02 | not(dst, 3)<<7 | not(rm, 4)<<6 | not(rm, 3)<<5 | not(dst, 4)<<4,
		uint32(^second&15)<<3 | 4 | uint32(prefix),
		0x40 | not(second, 4)<<3,
		uint32(code),
		0xc0 | uint32(dst&7)<<3 | uint32(rm&7),
	}
	return []ir.Node{
		&ir.Instruction{Opcode: "LONG", Operands: []Op{U32(b[0] | b[1]<<8 | b[2]<<16 | b[3]<<24)}},
		&ir.Instruction{Opcode: "WORD", Operands: []Op{U16(b[4] | b[5]<<8)}},
	}
}

// short makes pairs of the numbers of two vectors: low halves from low, high halves from high.
func (k *gemmGen) short(low, high, pairs Op) { k.VPACKUSDW(low, high, pairs) }

// begin emits the head of a packing function.
func (k *gemmGen) begin(name, signature, doc string) {
	k.Function(name)
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr(signature)
	k.Doc(name + " " + doc)
}

// twoMasks makes the masks of the first n lanes of two vectors, 0 to 32.
func (k *gemmGen) twoMasks(n GPVirtual) (first, second Op) {
	bits := k.GP64()
	k.MOVQ(n, RCX)
	k.MOVQ(U32(1), bits)
	k.SHLQ(CL, bits)
	k.DECQ(bits)
	a, b := k.K(), k.K()
	k.KMOVW(bits.As32(), a)
	k.SHRQ(U8(16), bits)
	k.KMOVW(bits.As32(), b)
	return a, b
}

// packRows converts rows of numbers that follow each other, in steps of 32, the last filled up with zeros.
func (k *gemmGen) packRows() {
	k.begin("bf16PackRows", "func(dst *byte, dstRow int, dstStep int, src *byte, srcRow int, rows int, n int)",
		"converts rows of n float32 numbers to bfloat16, each row to the next multiple of 32 with zeros; rows are at least one, and strides in bytes, also that from 32 numbers of a row to the next 32.")
	dst, dstRow, step, src, srcRow, rows := k.arg("dst"), k.arg("dstRow"), k.arg("dstStep"), k.arg("src"), k.arg("srcRow"), k.arg("rows")
	n := k.arg("n")
	whole, rest := k.GP64(), k.GP64()
	k.MOVQ(n, whole)
	k.ANDQ(I8(-32), whole)
	k.MOVQ(n, rest)
	k.SUBQ(whole, rest)
	first, second := k.twoMasks(rest)
	i, d := k.GP64(), k.GP64()
	a, b := k.ZMM(), k.ZMM()
	k.Label("row")
	k.XORQ(i, i)
	k.MOVQ(dst, d)
	k.CMPQ(i, whole)
	k.JGE(LabelRef("tail"))
	k.Label("loop")
	k.VMOVUPS(Mem{Base: src, Index: i, Scale: 4}, a)
	k.VMOVUPS(Mem{Base: src, Index: i, Scale: 4, Disp: 64}, b)
	k.short(a, b, a)
	k.VMOVUPS(a, Mem{Base: d})
	k.ADDQ(step, d)
	k.ADDQ(I8(32), i)
	k.CMPQ(i, whole)
	k.JLT(LabelRef("loop"))
	k.Label("tail")
	k.TESTQ(rest, rest)
	k.JZ(LabelRef("next"))
	k.VMOVUPS_Z(Mem{Base: src, Index: i, Scale: 4}, first, a)
	k.VMOVUPS_Z(Mem{Base: src, Index: i, Scale: 4, Disp: 64}, second, b)
	k.short(a, b, a)
	k.VMOVUPS(a, Mem{Base: d})
	k.Label("next")
	k.ADDQ(dstRow, dst)
	k.ADDQ(srcRow, src)
	k.DECQ(rows)
	k.JNZ(LabelRef("row"))
	k.VZEROUPPER()
	k.RET()
}

// order16 is the order in which VPERMW puts the halves of two vectors side by side: 0, 16, 1, 17, ...
func (k *gemmGen) order16() {
	k.StaticGlobal("bf16Order")
	k.DataAttributes(RODATA | NOPTR)
	for i := range 16 {
		k.AppendDatum(U32(i | (16+i)<<16))
	}
}

// packPairs makes rows of pairs of rows 2p and 2p+1.
func (k *gemmGen) packPairs() {
	k.order16()
	k.begin("bf16PackPairs", "func(dst *byte, dstRow int, src *byte, srcRow int, rows int, cols int)",
		"makes pairs of rows 0 and 1, 2 and 3, and so on of up to 32 columns. The last of an odd number of rows is paired with zeros. It writes one vector of pairs for up to 16 columns and two for more.")
	dst, dstRow, src, srcRow, rows := k.arg("dst"), k.arg("dstRow"), k.arg("src"), k.arg("srcRow"), k.arg("rows")
	cols := k.arg("cols")
	first, second := k.twoMasks(cols)
	order := k.ZMM()
	k.VMOVDQU64(NewDataAddr(Symbol{Name: "bf16Order", Static: true}, 0), order)
	a, b := [2]VecVirtual{k.ZMM(), k.ZMM()}, [2]VecVirtual{k.ZMM(), k.ZMM()}
	pair := func(wide, odd bool) {
		masks := []Op{first, second}
		for v := range 2 {
			if v == 1 && !wide {
				break
			}
			k.VMOVUPS_Z(Mem{Base: src, Disp: 64 * v}, masks[v], a[v])
			if odd {
				k.VPXORD(b[v], b[v], b[v])
			} else {
				k.VMOVUPS_Z(Mem{Base: src, Index: srcRow, Scale: 1, Disp: 64 * v}, masks[v], b[v])
			}
			k.short(a[v], b[v], a[v])
			k.VPERMW(a[v], order, a[v])
			k.VMOVDQU64(a[v], Mem{Base: dst, Disp: 64 * v})
		}
	}
	for _, wide := range []bool{true, false} {
		name := map[bool]string{true: "wide", false: "narrow"}[wide]
		left := k.GP64()
		if wide {
			k.CMPQ(cols, I8(16))
			k.JLE(LabelRef("narrow"))
		} else {
			k.Label(name)
		}
		k.MOVQ(rows, left)
		k.SUBQ(I8(2), left)
		k.JLT(LabelRef(name + "Odd"))
		k.Label(name + "Loop")
		pair(wide, false)
		k.ADDQ(dstRow, dst)
		k.LEAQ(Mem{Base: src, Index: srcRow, Scale: 2}, src)
		k.SUBQ(I8(2), left)
		k.JGE(LabelRef(name + "Loop"))
		k.Label(name + "Odd")
		k.CMPQ(left, I8(-1))
		k.JNE(LabelRef(name + "Done"))
		pair(wide, true)
		k.Label(name + "Done")
		k.VZEROUPPER()
		k.RET()
	}
}

// packTurned makes rows of pairs of columns that run along K.
func (k *gemmGen) packTurned() {
	k.begin("bf16PackTurned", "func(dst *byte, dstRow int, src *byte, srcRow int, rows int, n int)",
		"makes 16 rows of 16 pairs of 1 to 16 rows of 1 to 32 numbers: pair p of row r, numbers 2p and 2p+1, becomes element r of row p. What there is no number for is 0, and what there is no row for undefined.")
	dst, dstRow, src, srcRow, rows := k.arg("dst"), k.arg("dstRow"), k.arg("src"), k.arg("srcRow"), k.arg("rows")
	first, second := k.twoMasks(k.arg("n"))
	x := k.vectors(16)
	a, b := k.ZMM(), k.ZMM()
	step := k.GP64()
	for r := range 16 {
		k.VMOVUPS_Z(Mem{Base: src}, first, a)
		k.VMOVUPS_Z(Mem{Base: src, Disp: 64}, second, b)
		k.short(a, b, x[r])
		if r < 15 { // beyond the last row it stays there
			k.XORQ(step, step)
			k.CMPQ(rows, I8(int8(r+1)))
			k.CMOVQGT(srcRow, step)
			k.ADDQ(step, src)
		}
	}
	k.transposePairs(x, func(row VecVirtual) {
		k.VMOVUPS(row, Mem{Base: dst})
		k.ADDQ(dstRow, dst)
	})
	k.VZEROUPPER()
	k.RET()
}

// packAcross makes rows of pairs of rows that run across K.
func (k *gemmGen) packAcross() {
	k.StaticGlobal("bf16Zeros")
	k.DataAttributes(RODATA | NOPTR)
	for range 8 {
		k.AppendDatum(U64(0))
	}
	k.begin("bf16PackAcross", "func(dst *byte, src *byte, srcRow int, rows int, cols int)",
		"makes 16 rows of 16 pairs of 1 to 32 rows of 1 to 16 numbers: numbers r of rows 2p and 2p+1 become pair p of row r. What there is no row for is 0, and what there is no column for undefined.")
	dst, src, srcRow, rows := k.arg("dst"), k.arg("src"), k.arg("srcRow"), k.arg("rows")
	mask := k.mask(k.arg("cols"))
	order, zeros := k.ZMM(), k.GP64()
	k.VMOVDQU64(NewDataAddr(Symbol{Name: "bf16Order", Static: true}, 0), order)
	k.LEAQ(NewDataAddr(Symbol{Name: "bf16Zeros", Static: true}, 0), zeros)
	x := k.vectors(16)
	odd := k.ZMM()
	for r := range 32 {
		to := Op(x[r/2])
		if r%2 == 1 {
			to = odd
		}
		k.VMOVUPS_Z(Mem{Base: src}, mask, to)
		if r%2 == 1 {
			k.short(x[r/2], odd, x[r/2])
			k.VPERMW(x[r/2], order, x[r/2])
		}
		if r < 31 {
			k.ADDQ(srcRow, src)
			k.CMPQ(rows, I8(int8(r+1)))
			k.CMOVQLE(zeros, src)
		}
	}
	k.transposePairs(x, func(row VecVirtual) {
		k.VMOVUPS(row, Mem{Base: dst})
		k.ADDQ(I8(64), dst)
	})
	k.VZEROUPPER()
	k.RET()
}

// transposePairs transposes 16 vectors of 16 pairs, and gives the rows of the result to store, from the first to the last.
func (k *gemmGen) transposePairs(x []VecVirtual, store func(row VecVirtual)) {
	op := func(f func(...Op), x, y VecVirtual) VecVirtual {
		z := k.ZMM()
		f(y, x, z)
		return z
	}
	// Within lanes of four: z[g][c] has column c of the lanes of rows 4g to 4g+3.
	var z [4][4]VecVirtual
	for g := range 4 {
		r := x[4*g:]
		lo, hi := op(k.VUNPCKLPS, r[0], r[1]), op(k.VUNPCKHPS, r[0], r[1])
		lo2, hi2 := op(k.VUNPCKLPS, r[2], r[3]), op(k.VUNPCKHPS, r[2], r[3])
		z[g] = [4]VecVirtual{op(k.VUNPCKLPD, lo, lo2), op(k.VUNPCKHPD, lo, lo2), op(k.VUNPCKLPD, hi, hi2), op(k.VUNPCKHPD, hi, hi2)}
	}
	shuffle := func(order uint8, x, y VecVirtual) VecVirtual {
		z := k.ZMM()
		k.VSHUFF32X4(U8(order), y, x, z)
		return z
	}
	// Across lanes: lane l of z[0][c], z[1][c], z[2][c] and z[3][c] is row 4l+c.
	for l := range 4 {
		for c := range 4 {
			half := []uint8{0x44, 0xee}[l/2]
			even := shuffle(half, z[0][c], z[1][c])
			odd := shuffle(half, z[2][c], z[3][c])
			store(shuffle([]uint8{0x88, 0xdd}[l%2], even, odd))
		}
	}
}

// round rounds float32 numbers to those that bfloat16 has, with integer arithmetic.
func (k *gemmGen) round() {
	k.Function("bf16RoundAVX512")
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(dst *byte, src *byte, n int)")
	k.Doc("bf16RoundAVX512 rounds n float32 numbers to bfloat16 ones; dst may be src.")
	dst, src, n := k.arg("dst"), k.arg("src"), k.arg("n")
	constant := func(x uint32) VecVirtual {
		g, v := k.GP32(), k.ZMM()
		k.MOVL(U32(x), g)
		k.VPBROADCASTD(g, v)
		return v
	}
	half, one, top, quiet, exponent, sign := constant(0x7fff), constant(1), constant(0xffff0000), constant(0x400000), constant(0x7f800000), constant(0x80000000)
	x, odd := k.ZMM(), k.ZMM()
	nan, normal := k.K(), k.K()
	numbers := func() {
		k.VPSRLD(U8(16), x, odd)
		k.VPANDD(one, odd, odd)
		k.VPADDD(half, odd, odd)
		k.VPTESTMD(exponent, x, normal)
		k.VCMPPS(U8(3), x, x, nan)
		k.VPADDD(odd, x, odd)
		k.VPORD(quiet, x, nan, odd) // a NaN stays one
		k.VPANDD(sign, x, x)        // what is left of a denormal
		k.VPANDD(top, odd, normal, x)
	}
	k.SUBQ(I8(16), n)
	k.JLT(LabelRef("tail"))
	k.Label("loop")
	k.VMOVUPS(Mem{Base: src}, x)
	numbers()
	k.VMOVUPS(x, Mem{Base: dst})
	k.ADDQ(I8(64), src)
	k.ADDQ(I8(64), dst)
	k.SUBQ(I8(16), n)
	k.JGE(LabelRef("loop"))
	k.Label("tail")
	k.ADDQ(I8(16), n)
	k.JZ(LabelRef("done"))
	mask := k.mask(n)
	k.VMOVUPS_Z(Mem{Base: src}, mask, x)
	numbers()
	k.VMOVUPS(x, mask, Mem{Base: dst})
	k.Label("done")
	k.VZEROUPPER()
	k.RET()
}

// table writes the table of a target's tile kernels.
func (t target) table(name string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "package cpu\n\nvar %s = gemmKernels{\n\twidth: %d, rows: %d, panel: 2, wideRows: %d,\n\ttile: [maxTileRows + 1][maxTileVectors + 1]gemmKernel{\n", name, t.width(), t.rows, t.wideRows)
	for rows := 1; rows <= t.rows; rows++ {
		var names []string
		for vectors := 1; vectors <= t.vectorsOf(rows); vectors++ {
			names = append(names, t.tileName(rows, vectors))
		}
		fmt.Fprintf(&s, "\t\t%d: {1: %s},\n", rows, strings.Join(names, ", "))
	}
	fmt.Fprintf(&s, "\t},\n\tgrain: %d, aliasing: %d,\n}\n", 1<<19/t.size(), t.aliasing)
	return s.String()
}

// roundAVX2 is round for vectors of 256 bits, of which it rounds a whole number.
func (k *gemmGen) roundAVX2() {
	k.Function("bf16RoundAVX2")
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(dst *byte, src *byte, vectors int)")
	k.Doc("bf16RoundAVX2 rounds vectors of 8 float32 numbers to bfloat16 ones; dst may be src.")
	dst, src, left := k.arg("dst"), k.arg("src"), k.arg("vectors")
	constant := func(x uint32) VecVirtual {
		g, v := k.GP32(), k.YMM()
		k.MOVL(U32(x), g)
		k.VMOVD(g, v.AsX())
		k.VPBROADCASTD(v.AsX(), v)
		return v
	}
	half, one, top, quiet, exponent, sign := constant(0x7fff), constant(1), constant(0xffff0000), constant(0x400000), constant(0x7f800000), constant(0x80000000)
	x, y, test, zero := k.YMM(), k.YMM(), k.YMM(), k.YMM()
	k.VPXOR(zero, zero, zero)
	k.TESTQ(left, left)
	k.JZ(LabelRef("done"))
	k.Label("loop")
	k.VMOVUPS(Mem{Base: src}, x)
	k.VPSRLD(U8(16), x, y)
	k.VPAND(one, y, y)
	k.VPADDD(half, y, y)
	k.VPADDD(y, x, y)
	k.VPAND(top, y, y)
	k.VCMPPS(U8(3), x, x, test) // a NaN stays one
	nan := k.YMM()
	k.VPOR(quiet, x, nan)
	k.VPAND(top, nan, nan)
	k.VBLENDVPS(test, nan, y, y)
	k.VPAND(exponent, x, test)
	k.VPCMPEQD(zero, test, test)
	k.VPAND(sign, x, x) // what is left of a denormal
	k.VBLENDVPS(test, x, y, y)
	k.VMOVUPS(y, Mem{Base: dst})
	k.ADDQ(I8(32), src)
	k.ADDQ(I8(32), dst)
	k.DECQ(left)
	k.JNZ(LabelRef("loop"))
	k.Label("done")
	k.VZEROUPPER()
	k.RET()
}

// packOne converts numbers that follow each other, and writes no more than their pairs.
func (k *gemmGen) packOne() {
	k.begin("bf16PackOne", "func(dst *byte, src *byte, n int)", "makes pairs of n numbers that follow each other, the last of an odd number with a zero.")
	dst, src, n := k.arg("dst"), k.arg("src"), k.arg("n")
	a, b := k.ZMM(), k.ZMM()
	k.SUBQ(I8(32), n)
	k.JLT(LabelRef("tail"))
	k.Label("loop")
	k.VMOVUPS(Mem{Base: src}, a)
	k.VMOVUPS(Mem{Base: src, Disp: 64}, b)
	k.short(a, b, a)
	k.VMOVUPS(a, Mem{Base: dst})
	k.ADDQ(I32(128), src)
	k.ADDQ(I8(64), dst)
	k.SUBQ(I8(32), n)
	k.JGE(LabelRef("loop"))
	k.Label("tail")
	k.ADDQ(I8(32), n)
	k.JZ(LabelRef("done"))
	first, second := k.twoMasks(n)
	k.VMOVUPS_Z(Mem{Base: src}, first, a)
	k.VMOVUPS_Z(Mem{Base: src, Disp: 64}, second, b)
	k.short(a, b, a)
	k.INCQ(n)
	k.SHRQ(U8(1), n)
	k.VMOVUPS(a, k.mask(n), Mem{Base: dst})
	k.Label("done")
	k.VZEROUPPER()
	k.RET()
}

// packTwo makes pairs of the numbers of two rows, and writes no more than these.
func (k *gemmGen) packTwo() {
	k.begin("bf16PackTwo", "func(dst *byte, low *byte, high *byte, n int)", "makes pairs of the numbers of two rows of n.")
	dst, low, high, n := k.arg("dst"), k.arg("low"), k.arg("high"), k.arg("n")
	order := k.ZMM()
	k.VMOVDQU64(NewDataAddr(Symbol{Name: "bf16Order", Static: true}, 0), order)
	a, b := k.ZMM(), k.ZMM()
	k.SUBQ(I8(16), n)
	k.JLT(LabelRef("tail"))
	k.Label("loop")
	k.VMOVUPS(Mem{Base: low}, a)
	k.VMOVUPS(Mem{Base: high}, b)
	k.short(a, b, a)
	k.VPERMW(a, order, a)
	k.VMOVUPS(a, Mem{Base: dst})
	k.ADDQ(I8(64), low)
	k.ADDQ(I8(64), high)
	k.ADDQ(I8(64), dst)
	k.SUBQ(I8(16), n)
	k.JGE(LabelRef("loop"))
	k.Label("tail")
	k.ADDQ(I8(16), n)
	k.JZ(LabelRef("done"))
	mask := k.mask(n)
	k.VMOVUPS_Z(Mem{Base: low}, mask, a)
	k.VMOVUPS_Z(Mem{Base: high}, mask, b)
	k.short(a, b, a)
	k.VPERMW(a, order, a)
	k.VMOVUPS(a, mask, Mem{Base: dst})
	k.Label("done")
	k.VZEROUPPER()
	k.RET()
}

// conversion emits a function that converts whole vectors: body gets the addresses of one.
func (k *gemmGen) conversion(name, doc string, to, from int, prepare func() (body func(dst, src Mem))) {
	k.Function(name)
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(dst *byte, src *byte, vectors int)")
	k.Doc(fmt.Sprintf("%s converts vectors of %d numbers %s", name, k.width(), doc))
	dst, src, left := k.arg("dst"), k.arg("src"), k.arg("vectors")
	body := prepare()
	k.TESTQ(left, left)
	k.JZ(LabelRef("done"))
	k.Label("loop")
	body(Mem{Base: dst}, Mem{Base: src})
	k.ADDQ(I32(k.width()*from), src)
	k.ADDQ(I32(k.width()*to), dst)
	k.DECQ(left)
	k.JNZ(LabelRef("loop"))
	k.Label("done")
	k.VZEROUPPER()
	k.RET()
}

// narrow converts to bfloat16 with integer arithmetic, which keeps denormal numbers.
func (k *gemmGen) narrow() {
	k.conversion("bf16Narrow"+k.level(), "from float32 to bfloat16, rounded to the nearest, of two to the even one; dst may be src.", 2, 4, func() func(dst, src Mem) {
		constant := func(x uint32) VecVirtual {
			g, v := k.GP32(), k.vector()
			k.MOVL(U32(x), g)
			k.VMOVD(g, v.AsX())
			k.VPBROADCASTD(v.AsX(), v)
			return v
		}
		half, one, quiet := constant(0x7fff), constant(1), constant(0x400000)
		x, y := k.vector(), k.vector()
		if k.avx512 {
			nan := k.K()
			return func(dst, src Mem) {
				k.VMOVUPS(src, x)
				k.VPSRLD(U8(16), x, y)
				k.VPANDD(one, y, y)
				k.VPADDD(half, y, y)
				k.VPADDD(x, y, y)
				k.VCMPPS(U8(3), x, x, nan)
				k.VPORD(quiet, x, nan, y) // a NaN stays one
				k.VPSRLD(U8(16), y, y)
				k.VPMOVDW(y, dst)
			}
		}
		nan := k.vector()
		return func(dst, src Mem) {
			k.VMOVUPS(src, x)
			k.VPSRLD(U8(16), x, y)
			k.VPAND(one, y, y)
			k.VPADDD(half, y, y)
			k.VPADDD(x, y, y)
			k.VCMPPS(U8(3), x, x, nan)
			k.VPOR(quiet, x, x) // a NaN stays one
			k.VBLENDVPS(nan, x, y, y)
			k.VPSRLD(U8(16), y, y)
			k.VPACKUSDW(y, y, y) // within halves
			k.VPERMQ(U8(0x08), y, y)
			k.VMOVUPS(y.AsX(), dst)
		}
	})
}

// widen converts from bfloat16.
func (k *gemmGen) widen() {
	k.conversion("bf16Widen"+k.level(), "from bfloat16 to float32.", 4, 2, func() func(dst, src Mem) {
		x := k.vector()
		return func(dst, src Mem) {
			k.VPMOVZXWD(src, x)
			k.VPSLLD(U8(16), x, x)
			k.VMOVUPS(x, dst)
		}
	})
}

// level is the name of the level whose vectors these are.
func (k *gemmGen) level() string {
	if k.avx512 {
		return "AVX512"
	}
	return "AVX2"
}
