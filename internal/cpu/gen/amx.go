// The kernels of products of bfloat16 numbers in AMX tiles. One holds 2 by 2 tiles of C, of up to 16 rows by 16 columns each, while K passes in steps of up to
// 16 pairs: rows of pairs of A, and rows of B that are pairs of their columns. What a row of tiles has fewer at the edge of C is said by the configuration.
// A kernel configures the tiles, multiplies and releases them within one call, since Go moves no goroutine to another thread inside of assembly, and since
// threads with live tiles are switched slowly. Go's assembler does not know the instructions, so they are written as bytes.

package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	register("amx_amd64", func(c *Context) {
		k := &amxGen{c}
		for _, t := range [][2]int{{2, 2}, {2, 1}, {1, 2}, {1, 1}} {
			k.tiles(t[0], t[1])
		}
		k.peak()
		k.enabled()
	})
	registerGo("amx_call", amxCall)
}

type amxGen struct{ *Context }

// amxFields are the fields of the argument of a kernel, of 8 bytes each, after the configuration of 64 bytes.
var amxFields = []struct{ name, kind, doc string }{
	{"a", "unsafe.Pointer", ""},
	{"aRow", "int", "bytes from row to row of a tile of A"},
	{"aLower", "int", "to the tile of the rows below"},
	{"aStep", "int", "to the next step of K"},
	{"aNext", "int", "from the end of a block of K to the next"},
	{"aPanel", "int", "to the rows of the next panel"},
	{"b", "unsafe.Pointer", ""},
	{"bRow", "int", ""},
	{"bStep", "int", ""},
	{"bNext", "int", ""},
	{"bPanel", "int", "to the columns of the next panel"},
	{"c", "unsafe.Pointer", ""},
	{"cRow", "int", ""},
	{"cPanel", "int", "to the rows of the next panel"},
	{"steps", "int", "of a block of K"},
	{"blocks", "int", ""},
	{"rowPanels", "int", ""},
	{"colPanels", "int", "counted down by the kernel"},
	{"add", "int", "C += A·B if not 0, else C = A·B"},
}

// amxCall writes the argument's type.
func amxCall() string {
	var s strings.Builder
	s.WriteString("package cpu\n\nimport \"unsafe\"\n\n// amxCall says what a kernel multiplies: panels of two rows of tiles of C, by panels of two columns of tiles. Distances are in bytes.\ntype amxCall struct {\n\tconfig tileConfig\n")
	for _, f := range amxFields {
		fmt.Fprintf(&s, "\t%s %s", f.name, f.kind)
		if f.doc != "" {
			s.WriteString(" // " + f.doc)
		}
		s.WriteString("\n")
	}
	s.WriteString("}\n")
	return s.String()
}

// field is a field of the argument, which DI points to.
func field(name string) Mem {
	for i, f := range amxFields {
		if f.name == name {
			return Mem{Base: RDI, Disp: 64 + 8*i}
		}
	}
	panic(name)
}

// The numbers of the registers in instructions.
var numbers = map[Physical]int{RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSI: 6, RDI: 7, R8: 8, R9: 9, R10: 10, R11: 11, R12: 12, R13: 13, R14: 14, R15: 15}

// raw emits an instruction as bytes.
func (k *amxGen) raw(text string, code []byte) {
	k.Comment(text)
	k.Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []Op{U8(code[0])}})
	for rest := code[1:]; len(rest) > 0; {
		if len(rest) >= 4 {
			k.Instruction(&ir.Instruction{Opcode: "LONG", Operands: []Op{U32(uint32(rest[0]) | uint32(rest[1])<<8 | uint32(rest[2])<<16 | uint32(rest[3])<<24)}})
			rest = rest[4:]
			continue
		}
		k.Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []Op{U8(rest[0])}})
		rest = rest[1:]
	}
}

// Prefixes of instructions.
const (
	prefix66 = 1
	prefixF3 = 2
	prefixF2 = 3
)

// tileMemory encodes VEX.128.0F38.W0 with a tile and disp32(base)(row*1), and its text as LLVM has it.
func tileMemory(name string, prefix, code, tile int, base, row Physical, disp int) (string, []byte) {
	b, x := numbers[base], numbers[row]
	memory := fmt.Sprintf("%d(%%%s,%%%s)", disp, gnuName(base), gnuName(row))
	text := fmt.Sprintf("%s %s, %%tmm%d", name, memory, tile)
	if name == "tilestored" {
		text = fmt.Sprintf("%s %%tmm%d, %s", name, tile, memory)
	}
	return text, []byte{0xc4, byte(0x82 | (^x>>3&1)<<6 | (^b>>3&1)<<5), byte(0x78 | prefix), byte(code), byte(0x84 | tile<<3), byte((x&7)<<3 | b&7),
		byte(disp), byte(disp >> 8), byte(disp >> 16), byte(disp >> 24)}
}

func gnuName(r Physical) string {
	name := strings.ToLower(r.Asm())
	if numbers[r] < 8 {
		return "r" + name
	}
	return name
}

// The instructions: their texts and bytes.

func tileLoad(tile int, base, row Physical, disp int) (string, []byte) {
	return tileMemory("tileloadd", prefixF2, 0x4b, tile, base, row, disp)
}

func tileStore(tile int, base, row Physical, disp int) (string, []byte) {
	return tileMemory("tilestored", prefixF3, 0x4b, tile, base, row, disp)
}

func tileZero(tile int) (string, []byte) {
	return fmt.Sprintf("tilezero %%tmm%d", tile), []byte{0xc4, 0xe2, 0x78 | prefixF2, 0x49, byte(0xc0 | tile<<3)}
}

func tileMultiply(c, a, b int) (string, []byte) {
	return fmt.Sprintf("tdpbf16ps %%tmm%d, %%tmm%d, %%tmm%d", b, a, c), []byte{0xc4, 0xe2, byte(^b&15<<3 | prefixF3), 0x5c, byte(0xc0 | c<<3 | a)}
}

func tileConfigure() (string, []byte) {
	return "ldtilecfg (%rax)", []byte{0xc4, 0xe2, 0x78, 0x49, 0x00}
}
func tileRelease() (string, []byte) { return "tilerelease", []byte{0xc4, 0xe2, 0x78, 0x49, 0xc0} }

// tiles emits the kernel for panels of so many rows and columns of tiles.
func (k *amxGen) tiles(rows, cols int) {
	name := fmt.Sprintf("amxTiles%dx%d", rows, cols)
	k.Function(name)
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(call *byte)")
	k.Doc(fmt.Sprintf("%s multiplies in panels of %d rows and %d columns of tiles.", name, rows, cols))
	k.Load(k.Param("call"), RDI)
	k.MOVQ(RDI, RAX)
	k.raw(tileConfigure())
	aRow, bRow, cRow := R8, R9, R10
	bPanel, cPanel := R11, R12 // of the panel of columns
	a, b, lower := RAX, RCX, R13
	aPanel, c, left := RSI, RDX, RBX // of the panel of rows
	blocks, steps := R14, R15
	k.MOVQ(field("aRow"), aRow)
	k.MOVQ(field("bRow"), bRow)
	k.MOVQ(field("cRow"), cRow)
	k.MOVQ(field("b"), bPanel)
	k.MOVQ(field("c"), cPanel)
	// Tiles 0 to 3 are C's, 4 and 5 A's, 6 and 7 B's.
	eachC := func(do func(tile int, base Physical, disp int)) {
		for i := range rows {
			for j := range cols {
				do(2*i+j, []Physical{c, lower}[i], 64*j)
			}
		}
	}
	lowerC := func() {
		if rows == 2 {
			k.MOVQ(cRow, lower)
			k.SHLQ(U8(4), lower)
			k.ADDQ(c, lower)
		}
	}
	k.Label("cols")
	k.MOVQ(field("a"), aPanel)
	k.MOVQ(cPanel, c)
	k.MOVQ(field("rowPanels"), left)
	k.Label("rows")
	k.CMPQ(field("add"), I8(0))
	k.JEQ(LabelRef("zero"))
	lowerC()
	eachC(func(tile int, base Physical, disp int) { k.raw(tileLoad(tile, base, cRow, disp)) })
	k.JMP(LabelRef("multiply"))
	k.Label("zero")
	eachC(func(tile int, _ Physical, _ int) { k.raw(tileZero(tile)) })
	k.Label("multiply")
	k.MOVQ(aPanel, a)
	if rows == 2 {
		k.MOVQ(field("aLower"), lower)
		k.ADDQ(a, lower)
	}
	k.MOVQ(bPanel, b)
	k.MOVQ(field("blocks"), blocks)
	k.Label("block")
	k.MOVQ(field("steps"), steps)
	k.Label("step")
	k.raw(tileLoad(4, a, aRow, 0))
	k.raw(tileLoad(6, b, bRow, 0))
	k.raw(tileMultiply(0, 4, 6))
	if cols == 2 {
		k.raw(tileLoad(7, b, bRow, 64))
		k.raw(tileMultiply(1, 4, 7))
	}
	if rows == 2 {
		k.raw(tileLoad(5, lower, aRow, 0))
		k.raw(tileMultiply(2, 5, 6))
		if cols == 2 {
			k.raw(tileMultiply(3, 5, 7))
		}
	}
	further := func(aBy, bBy string) {
		k.ADDQ(field(aBy), a)
		if rows == 2 {
			k.ADDQ(field(aBy), lower)
		}
		k.ADDQ(field(bBy), b)
	}
	further("aStep", "bStep")
	k.DECQ(steps)
	k.JNZ(LabelRef("step"))
	further("aNext", "bNext")
	k.DECQ(blocks)
	k.JNZ(LabelRef("block"))
	lowerC()
	eachC(func(tile int, base Physical, disp int) { k.raw(tileStore(tile, base, cRow, disp)) })
	k.ADDQ(field("aPanel"), aPanel)
	k.ADDQ(field("cPanel"), c)
	k.DECQ(left)
	k.JNZ(LabelRef("rows"))
	k.ADDQ(field("bPanel"), bPanel)
	k.ADDQ(I32(64*cols), cPanel)
	k.DECQ(field("colPanels"))
	k.JNZ(LabelRef("cols"))
	k.raw(tileRelease())
	k.RET()
}

// peak emits a loop of products of tiles alone.
func (k *amxGen) peak() {
	k.Function("peakAMX")
	k.Attributes(NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr("func(loops int, config *byte)")
	k.Doc("peakAMX does 4 products of tiles in each of a number of loops, at least one.")
	k.Load(k.Param("loops"), RCX)
	k.Load(k.Param("config"), RAX)
	k.raw(tileConfigure())
	k.Label("loop")
	for i := range 4 {
		k.raw(tileMultiply(i, 4+i/2, 6+i%2))
	}
	k.DECQ(RCX)
	k.JNZ(LabelRef("loop"))
	k.raw(tileRelease())
	k.RET()
}

// enabled emits what asks which registers the operating system saves.
func (k *amxGen) enabled() {
	k.Function("xgetbv")
	k.Attributes(NOSPLIT)
	k.SignatureExpr("func() (mask uint32)")
	k.Doc("xgetbv returns which registers the operating system saves, of those that have the numbers 0 to 31. The processor must have the instruction.")
	k.XORL(ECX, ECX)
	k.XGETBV()
	k.Store(EAX, k.Return("mask"))
	k.RET()
}
