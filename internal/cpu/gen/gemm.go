// The micro-kernels of the matrix product. One generator writes them for both vector lengths and both element types: a
// tile of rows by vectors of C is held in registers while K passes; each step loads one row of B, as wide as the tile,
// and one element of A for each row, broadcast. Lanes beyond the width of C are masked, so that nothing outside the
// operands is touched. K may consist of several blocks at a distance from each other, as the rows of an image are that a
// convolution sums over.

package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// target is a vector length and an element type.
type target struct {
	name   string // part of the names of functions
	avx512 bool
	double bool // float64 elements
	pairs  bool // an element is two bfloat16 numbers, see bf16.go
	// Sizes of tiles: rows of a tile of up to two vectors, and of up to four.
	rows, wideRows   int
	dotRows, dotCols int
	aliasing         int // see gemmKernels in the package of the kernels
	low              bool
}

var gemmTargets = []target{
	{name: "AVX512", avx512: true, rows: 14, wideRows: 6, dotRows: 4, dotCols: 4, aliasing: 4096},
	{name: "AVX512", avx512: true, double: true, rows: 14, wideRows: 6, dotRows: 4, dotCols: 4, aliasing: 4096},
	{name: "AVX2", rows: 6, wideRows: 2, dotRows: 3, dotCols: 3, aliasing: 2048, low: true},
	{name: "AVX2", double: true, rows: 6, wideRows: 2, dotRows: 3, dotCols: 3, aliasing: 2048, low: true},
}

func init() {
	register("gemm_avx512_amd64", func(c *Context) { gemmTarget(c, gemmTargets[0]); gemmTarget(c, gemmTargets[1]) })
	register("gemm_avx2_amd64", func(c *Context) {
		for _, t := range gemmTargets[2:] {
			laneNumbers(c, t)
			gemmTarget(c, t)
		}
	})
	registerGo("gemm_table_amd64", gemmTables)
}

func (t target) bits() int {
	if t.double {
		return 64
	}
	return 32
}

func (t target) size() int { return t.bits() / 8 }

// few is the number of rows up to which dot products are faster than to transpose B.
func (t target) few() int {
	if t.avx512 && !t.double { // which add up their lanes all at once
		return 64
	}
	return 8
}

// bytes is the size of a vector.
func (t target) bytes() int {
	if t.avx512 {
		return 64
	}
	return 32
}

func (t target) width() int { return t.bytes() / t.size() }

func (t target) tileName(rows, vectors int) string {
	return fmt.Sprintf("gemm%d%sTile%dx%d", t.bits(), t.name, rows, vectors)
}

func (t target) dotName(rows, cols int) string {
	return fmt.Sprintf("gemm%d%sDot%dx%d", t.bits(), t.name, rows, cols)
}

// vectorsOf is the most vectors in a tile of the given number of rows.
func (t target) vectorsOf(rows int) int {
	if rows <= t.wideRows {
		return 4
	}
	return 2
}

func gemmTarget(c *Context, t target) {
	k := &gemmGen{c, t}
	for rows := 1; rows <= t.rows; rows++ {
		for vectors := 1; vectors <= t.vectorsOf(rows); vectors++ {
			k.tile(rows, vectors)
		}
	}
	for rows := 1; rows <= t.dotRows; rows++ {
		for cols := 1; cols <= t.dotCols; cols++ {
			k.dot(rows, cols)
		}
	}
	if !t.avx512 {
		k.transpose()
	} else if !t.double && !t.pairs {
		k.transposeWide()
	}
}

// laneName is the constant vector 0, 1, 2, ... that masks are made from.
func (t target) laneName() string { return fmt.Sprintf("gemmLanes%d", t.bits()) }

func laneNumbers(c *Context, t target) {
	c.StaticGlobal(t.laneName())
	c.DataAttributes(RODATA | NOPTR)
	for i := range t.width() {
		if t.double {
			c.AppendDatum(U64(i))
		} else {
			c.AppendDatum(U32(i))
		}
	}
}

// gemmTables writes the tables by which Go code finds the kernels.
func gemmTables() string {
	var s strings.Builder
	s.WriteString("package cpu\n\n")
	for _, t := range gemmTargets {
		fmt.Fprintf(&s, "var gemm%d%s = gemmKernels{\n\twidth: %d, rows: %d, panel: 2, wideRows: %d,\n\ttile: [maxTileRows + 1][maxTileVectors + 1]gemmKernel{\n",
			t.bits(), t.name, t.width(), t.rows, t.wideRows)
		for rows := 1; rows <= t.rows; rows++ {
			var names []string
			for vectors := 1; vectors <= t.vectorsOf(rows); vectors++ {
				names = append(names, t.tileName(rows, vectors))
			}
			fmt.Fprintf(&s, "\t\t%d: {1: %s},\n", rows, strings.Join(names, ", "))
		}
		fmt.Fprintf(&s, "\t},\n\tdotRows: %d, dotCols: %d, few: %d,\n\tdot: [maxDotRows + 1][maxDotCols + 1]dotKernel{\n", t.dotRows, t.dotCols, t.few())
		for rows := 1; rows <= t.dotRows; rows++ {
			var names []string
			for cols := 1; cols <= t.dotCols; cols++ {
				names = append(names, t.dotName(rows, cols))
			}
			fmt.Fprintf(&s, "\t\t%d: {1: %s},\n", rows, strings.Join(names, ", "))
		}
		fmt.Fprintf(&s, "\t},\n\ttranspose: %s, step: %d,\n", transposeName(t.bits()), 32/t.size())
		fmt.Fprintf(&s, "\tgrain: %d, aliasing: %d,\n", 1<<19/t.size(), t.aliasing)
		if t.low {
			s.WriteString("\tlow: true,\n")
		}
		if t.avx512 && !t.double {
			fmt.Fprintf(&s, "\ttransposeWide: %s, copyCols: 512, copyRows: 192,\n", transposeWideName)
		}
		s.WriteString("}\n\n")
	}
	return strings.TrimSuffix(s.String(), "\n")
}

// gemmGen emits the instructions of a target.
type gemmGen struct {
	*Context
	target
}

func (k *gemmGen) vector() VecVirtual {
	if k.avx512 {
		return k.ZMM()
	}
	return k.YMM()
}

func (k *gemmGen) vectors(n int) []VecVirtual {
	v := make([]VecVirtual, n)
	for i := range v {
		v[i] = k.vector()
	}
	return v
}

func (k *gemmGen) zero(v VecVirtual) {
	if k.avx512 {
		k.VPXORD(v, v, v)
	} else {
		k.VXORPS(v, v, v)
	}
}

func (k *gemmGen) load(m, v Op) {
	if k.double {
		k.VMOVUPD(m, v)
	} else {
		k.VMOVUPS(m, v)
	}
}

// loadMasked loads the lanes that the mask register selects and zeros the others.
func (k *gemmGen) loadMasked(m, mask, v Op) {
	switch {
	case k.avx512 && k.double:
		k.VMOVUPD_Z(m, mask, v)
	case k.avx512:
		k.VMOVUPS_Z(m, mask, v)
	case k.double:
		k.VMASKMOVPD(m, mask, v)
	default:
		k.VMASKMOVPS(m, mask, v)
	}
}

func (k *gemmGen) storeMasked(v, mask, m Op) {
	switch {
	case k.avx512 && k.double:
		k.VMOVUPD(v, mask, m)
	case k.avx512:
		k.VMOVUPS(v, mask, m)
	case k.double:
		k.VMASKMOVPD(v, mask, m)
	default:
		k.VMASKMOVPS(v, mask, m)
	}
}

func (k *gemmGen) broadcast(m, v Op) {
	if k.double {
		k.VBROADCASTSD(m, v)
	} else {
		k.VBROADCASTSS(m, v)
	}
}

// fma adds x*y to sum.
func (k *gemmGen) fma(x, y, sum Op) {
	if k.double {
		k.VFMADD231PD(x, y, sum)
	} else {
		k.VFMADD231PS(x, y, sum)
	}
}

// fmaBroadcast adds the element at m times y to sum, with AVX-512.
func (k *gemmGen) fmaBroadcast(m, y, sum Op) {
	if k.double {
		k.VFMADD231PD_BCST(m, y, sum)
	} else {
		k.VFMADD231PS_BCST(m, y, sum)
	}
}

func (k *gemmGen) add(x, y, sum Op) {
	if k.double {
		k.VADDPD(x, y, sum)
	} else {
		k.VADDPS(x, y, sum)
	}
}

// arg loads a parameter into a new register.
func (k *gemmGen) arg(name string) GPVirtual { return k.Load(k.Param(name), k.GP64()).(GPVirtual) }

// mask makes the mask of the lanes of the last vector: an opmask register, or a vector of sign bits.
func (k *gemmGen) mask(lanes GPVirtual) Op {
	if k.avx512 {
		bits := k.GP64()
		k.MOVQ(lanes, RCX)
		k.MOVQ(U32(1), bits)
		k.SHLQ(CL, bits)
		k.DECQ(bits)
		m := k.K()
		k.KMOVW(bits.As32(), m)
		return m
	}
	// Compare the lane numbers with their count.
	count, lane := k.vector(), k.vector()
	x := count.AsX()
	k.VMOVQ(lanes, x)
	if k.double {
		k.VPBROADCASTQ(x, count)
	} else {
		k.VPBROADCASTD(x, count)
	}
	k.VMOVDQU(NewDataAddr(Symbol{Name: k.laneName(), Static: true}, 0), lane)
	m := k.vector()
	if k.double {
		k.VPCMPGTQ(lane, count, m)
	} else {
		k.VPCMPGTD(lane, count, m)
	}
	return m
}

// rowsOf addresses rows at a stride through few registers: seven rows from each base, by multiples of the stride.
type rowsOf struct {
	bases               []GPVirtual
	stride, three, five GPVirtual
}

func (k *gemmGen) rowsFrom(base, stride GPVirtual, rows int) *rowsOf {
	r := &rowsOf{stride: stride, bases: []GPVirtual{base}}
	if rows > 3 {
		r.three = k.GP64()
		k.LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, r.three)
	}
	if rows > 5 {
		r.five = k.GP64()
		k.LEAQ(Mem{Base: stride, Index: stride, Scale: 4}, r.five)
	}
	for 7*len(r.bases) < rows {
		next := k.GP64()
		k.LEAQ(Mem{Base: r.bases[len(r.bases)-1], Index: r.three, Scale: 2}, next)
		k.ADDQ(stride, next)
		r.bases = append(r.bases, next)
	}
	return r
}

// at is the address of a row.
func (r *rowsOf) at(row int) Mem {
	m := Mem{Base: r.bases[row/7]}
	switch row % 7 {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.three, 1
	case 4:
		m.Index, m.Scale = r.stride, 4
	case 5:
		m.Index, m.Scale = r.five, 1
	case 6:
		m.Index, m.Scale = r.three, 2
	}
	return m
}

// Prefetches, which together bring 5 % at the shapes of a transformer. Of B the row that is needed several steps ahead: a row of a
// matrix read in place may begin on a new page, which the processor does not foresee. Of A the line after the current one:
// where A runs down its columns, it is that of the next tile. Of C all lines, at the start, as they are needed last. Of the panel of B that
// comes next a row every few steps, into the second-level cache: to wait for memory takes longer than the steps ahead.
const (
	ahead     = 8
	fetchStep = 4 // gemm_run.go has it too
)

// wholeTile is the number of vectors of C from which a tile of AVX-512 has a path without masks. Smaller ones wait for loads.
const wholeTile = 20

// tile emits the kernel of one tile size.
func (k *gemmGen) tile(rows, vectors int) {
	name := k.tileName(rows, vectors)
	replaced[name] = k.pairs
	k.Function(name)
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(k int, a *byte, aRow int, aCol int, b *byte, bRow int, c *byte, cRow int, lanes int, add bool, blocks int, aNext int, bNext int, next *byte)")
	k.Doc(fmt.Sprintf("%s computes %d rows by %d vectors of C.", name, rows, vectors))

	mask := k.mask(k.arg("lanes"))
	acc := make([][]VecVirtual, rows)
	for i := range acc {
		acc[i] = k.vectors(vectors)
		for _, v := range acc[i] {
			k.zero(v)
		}
	}
	count, a, b := k.arg("k"), k.arg("a"), k.arg("b")
	aCol, bRow := k.arg("aCol"), k.arg("bRow")
	aRows := k.rowsFrom(a, k.arg("aRow"), rows)
	far := k.GP64()
	k.LEAQ(Mem{Base: b, Index: bRow, Scale: ahead}, far)
	// A step fetches if the count of steps left has none of the bits of every: all bits, if next is nil.
	next, every, never := k.arg("next"), k.GP64(), k.GP64()
	k.MOVQ(U32(fetchStep-1), every)
	k.MOVQ(I32(-1), never)
	k.TESTQ(next, next)
	k.CMOVQEQ(never, every)

	k.prefetchC(rows, vectors)

	if !k.avx512 || !k.pairs && rows*vectors >= wholeTile {
		// A masked load costs more with AVX2, and with AVX-512 it takes Intel's processors the time of a multiply-add. So full vectors have a path of their own.
		lanes := k.arg("lanes")
		k.CMPQ(lanes, Imm(uint64(k.width())))
		k.JNE(LabelRef("masked"))
		if k.avx512 {
			k.tileLoop("full", acc, aRows, aCol, b, bRow, far, next, every, count, nil)
		} else {
			k.CMPQ(aCol, Imm(uint64(k.size())))
			k.JNE(LabelRef("columns"))
			k.tileUnrolled("rows", true, acc, aRows, aCol, b, bRow, next, count)
			k.JMP(LabelRef("full"))
			k.Label("columns")
			k.tileUnrolled("columns", false, acc, aRows, aCol, b, bRow, next, count)
			k.Label("full")
		}
		k.tileStore("full", acc, nil)
		k.Label("masked")
	}
	k.tileLoop("masked", acc, aRows, aCol, b, bRow, far, next, every, count, mask)
	k.tileStore("masked", acc, mask)
}

// prefetchC asks for the tile's lines of C, which are not needed before the sums are complete.
func (k *gemmGen) prefetchC(rows, vectors int) {
	c, cRow := k.arg("c"), k.arg("cRow")
	for i := range rows {
		for d := 0; d < vectors*k.bytes(); d += 64 {
			k.PREFETCHT0(Mem{Base: c, Disp: d})
		}
		if i < rows-1 {
			k.ADDQ(cRow, c)
		}
	}
}

// tileLoop emits the loop over K. The last vector is masked unless mask is nil.
func (k *gemmGen) tileLoop(prefix string, acc [][]VecVirtual, a *rowsOf, aCol, b, bRow, far, next, every, count GPVirtual, mask Op) {
	vectors := len(acc[0])
	done, block, loop := prefix+"Done", prefix+"Block", prefix+"Loop"
	k.Label(block)
	k.TESTQ(count, count)
	k.JZ(LabelRef(done))
	k.Label(loop)
	row := k.vectors(vectors)
	for j, v := range row {
		m := Mem{Base: b, Disp: j * k.bytes()}
		if mask != nil && j == vectors-1 {
			k.loadMasked(m, mask, v)
		} else {
			k.load(m, v)
		}
	}
	for d := 0; d < vectors*k.bytes(); d += 64 {
		k.PREFETCHT0(Mem{Base: far, Disp: d})
	}
	k.PREFETCHT0(Mem{Base: a.bases[len(a.bases)-1], Disp: 64})
	k.ADDQ(bRow, far)
	k.ADDQ(bRow, b)
	near := prefix + "Near"
	k.TESTQ(every, count)
	k.JNZ(LabelRef(near))
	for d := 0; d < vectors*k.bytes(); d += 64 {
		k.PREFETCHT1(Mem{Base: next, Disp: d})
	}
	k.ADDQ(bRow, next)
	k.Label(near)
	for i := range acc {
		if k.avx512 && vectors == 1 && !k.pairs {
			k.fmaBroadcast(a.at(i), row[0], acc[i][0])
			continue
		}
		x := k.vector()
		k.broadcast(a.at(i), x)
		for j := range row {
			k.fma(x, row[j], acc[i][j])
		}
	}
	for _, base := range a.bases {
		k.ADDQ(aCol, base)
	}
	k.DECQ(count)
	k.JNZ(LabelRef(loop))
	// The next block of K. What it takes stays in memory, as registers are few.
	k.DECQ(k.param("blocks"))
	k.JZ(LabelRef(done))
	for _, base := range a.bases {
		k.ADDQ(k.param("aNext"), base)
	}
	k.ADDQ(k.param("bNext"), b)
	k.ADDQ(k.param("bNext"), far)
	k.MOVQ(k.param("k"), count)
	k.JMP(LabelRef(block))
	k.Label(done)
}

// param is where a parameter lies in memory.
func (k *gemmGen) param(name string) Mem {
	b, err := k.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// tileStore writes the sums, or adds them to what is there, and returns.
func (k *gemmGen) tileStore(prefix string, acc [][]VecVirtual, mask Op) {
	c, cRow := k.arg("c"), k.arg("cRow")
	add := k.Load(k.Param("add"), k.GP8())
	store := prefix + "Store"
	k.TESTB(add, add)
	k.JZ(LabelRef(store))
	k.tileRows(acc, c, cRow, mask, func(m Mem, v VecVirtual, mask Op) {
		if mask == nil {
			k.add(m, v, v)
			k.load(v, m)
			return
		}
		old := k.vector()
		k.loadMasked(m, mask, old)
		k.add(old, v, v)
		k.storeMasked(v, mask, m)
	})
	k.VZEROUPPER()
	k.RET()
	k.Label(store)
	k.tileRows(acc, c, cRow, mask, func(m Mem, v VecVirtual, mask Op) {
		if mask == nil {
			k.load(v, m)
		} else {
			k.storeMasked(v, mask, m)
		}
	})
	k.VZEROUPPER()
	k.RET()
}

// tileRows visits the vectors of the tile with their places in C.
func (k *gemmGen) tileRows(acc [][]VecVirtual, c, cRow GPVirtual, mask Op, visit func(m Mem, v VecVirtual, mask Op)) {
	for i, row := range acc {
		for j, v := range row {
			m := mask
			if j < len(row)-1 {
				m = nil
			}
			visit(Mem{Base: c, Disp: j * k.bytes()}, v, m)
		}
		if i < len(acc)-1 {
			k.ADDQ(cRow, c)
		}
	}
}
