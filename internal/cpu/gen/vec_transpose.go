package main

// The transpose of square tiles in registers. Each vector is loaded as two halves, from a row of the upper and one of the
// lower half of the tile, so that what remains is to transpose within the halves, which takes unpacking alone.

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var transposeSizes = []int{4, 8}

// transpose assembles the transpose of rows x cols elements of 4 or 8 bytes; both are multiples of the tile's side.
func (m *machine) transpose(size int) {
	m.Function(fmt.Sprintf("vecTranspose%d", size))
	signature(m.Context, []string{"dst", "src"}, []string{"rows", "cols", "dstStride", "srcStride"})
	side := 32 / size
	dst, src, rows, cols := m.argument("dst"), m.argument("src"), m.argument("rows"), m.argument("cols")
	// rowsOf returns the operands of the rows of a tile at p.
	rowsOf := func(stride string) (step reg.GPVirtual, at func(p, p4 reg.GPVirtual, i, disp int) Mem) {
		s, s3 := m.argument(stride), m.GP64()
		m.SHLQ(U8(map[int]int{4: 2, 8: 3}[size]), s)
		m.LEAQ(Mem{Base: s, Index: s, Scale: 2}, s3)
		return s, func(p, p4 reg.GPVirtual, i, disp int) Mem {
			if i >= 4 {
				p = p4
			}
			switch i % 4 {
			case 1:
				return Mem{Base: p, Index: s, Scale: 1, Disp: disp}
			case 2:
				return Mem{Base: p, Index: s, Scale: 2, Disp: disp}
			case 3:
				return Mem{Base: p, Index: s3, Scale: 1, Disp: disp}
			}
			return Mem{Base: p, Disp: disp}
		}
	}
	dstStep, to := rowsOf("dstStride")
	srcStep, from := rowsOf("srcStride")

	band, tile := m.label("band"), m.label("tile")
	m.Label(band)
	d, d4, s, s4, left := m.GP64(), m.GP64(), m.GP64(), m.GP64(), m.GP64()
	m.MOVQ(dst, d)
	m.MOVQ(src, s)
	m.MOVQ(cols, left)
	m.Label(tile)
	m.LEAQ(Mem{Base: d, Index: dstStep, Scale: 4}, d4)
	m.LEAQ(Mem{Base: s, Index: srcStep, Scale: 4}, s4)
	half := side / 2
	for h := range 2 { // the left and the right half of the columns
		x := make([]Op, half)
		for i := range x {
			v := m.YMM()
			m.VMOVUPS(from(s, s4, i, h*16), v.AsX())
			m.VINSERTF128(U8(1), from(s, s4, i+half, h*16), v, v)
			x[i] = v
		}
		if size == 4 {
			x = []Op{m.unpack("VUNPCKLPS", x[0], x[1]), m.unpack("VUNPCKLPS", x[2], x[3]),
				m.unpack("VUNPCKHPS", x[0], x[1]), m.unpack("VUNPCKHPS", x[2], x[3])}
		}
		for i := 0; i < half; i += 2 {
			m.VMOVUPS(m.unpack("VUNPCKLPD", x[i], x[i+1]), to(d, d4, h*half+i, 0))
			m.VMOVUPS(m.unpack("VUNPCKHPD", x[i], x[i+1]), to(d, d4, h*half+i+1, 0))
		}
	}
	m.ADDQ(I32(32), s)
	m.LEAQ(Mem{Base: d, Index: dstStep, Scale: 4}, d)
	if side == 8 {
		m.LEAQ(Mem{Base: d, Index: dstStep, Scale: 4}, d)
	}
	m.SUBQ(I32(side), left)
	m.JNZ(LabelRef(tile))
	m.ADDQ(I32(32), dst)
	m.LEAQ(Mem{Base: src, Index: srcStep, Scale: 4}, src)
	if side == 8 {
		m.LEAQ(Mem{Base: src, Index: srcStep, Scale: 4}, src)
	}
	m.SUBQ(I32(side), rows)
	m.JNZ(LabelRef(band))
	m.VZEROUPPER()
	m.RET()
}

// unpack interleaves elements of x and y.
func (m *machine) unpack(name string, x, y Op) Op {
	d := m.YMM()
	m.emit(name, y, x, d)
	return d
}
