package main

// The micro-kernels of the matrix product for NEON. C is held in the last registers; rows of B are loaded as vectors, and multiplied by elements of
// A, which come in one of three ways, none of which copies:
//
//	along    A contiguous along K: a load has the next steps of a row
//	down     A contiguous down its columns, as in Xᵀ·Y: few loads, of which the last two may overlap, have a whole column
//	element  any strides, the last steps of K, and partial vectors: one load for each element
//
// The sums of all three are taken in the order of K, so that they have the same bits.

import (
	"fmt"
	"strconv"
	"strings"
)

// neonTarget is an element type: float32, float64, or pairs of bfloat16 numbers, whose sums are float32.
type neonTarget struct{ double, pairs bool }

// The sizes of tiles: up to 24 of the 32 registers hold sums. A full tile has three vectors: 7 rows leave room for their elements of A.
const (
	neonRows     = 7
	neonPanel    = 3
	neonWideRows = 6
	neonDots     = 4 // rows and columns of dot kernels
)

func (t neonTarget) bits() int {
	if t.double {
		return 64
	}
	return 32
}

func (t neonTarget) size() int { return t.bits() / 8 }

func (t neonTarget) width() int { return 16 / t.size() }

func (t neonTarget) scalar() string {
	if t.double {
		return "D"
	}
	return "S"
}

func (t neonTarget) tileName(rows, vectors int) string {
	if t.pairs {
		return fmt.Sprintf("gemmBF16NEONTile%dx%d", rows, vectors)
	}
	return fmt.Sprintf("gemm%dNEONTile%dx%d", t.bits(), rows, vectors)
}

func (t neonTarget) dotName(rows, cols int) string {
	return fmt.Sprintf("gemm%dNEONDot%dx%d", t.bits(), rows, cols)
}

func neonVectorsOf(rows int) int {
	if rows <= neonWideRows {
		return 4
	}
	return neonPanel
}

func init() {
	registerNEON("gemm_neon_arm64", func(f *neonFile) {
		for _, double := range []bool{false, true} {
			t := neonTarget{double: double}
			for rows := 1; rows <= neonRows; rows++ {
				for vectors := 1; vectors <= neonVectorsOf(rows); vectors++ {
					t.tile(f, rows, vectors)
				}
			}
			for rows := 1; rows <= neonDots; rows++ {
				for cols := 1; cols <= neonDots; cols++ {
					t.dot(f, rows, cols)
				}
			}
			neonMachine(f, double).neonTranspose()
		}
	})
	registerGo("gemm_table_arm64", neonTables)
}

// neonTables writes the tables by which Go code finds the kernels.
func neonTables() string {
	var s strings.Builder
	s.WriteString("package cpu\n\n")
	for _, double := range []bool{false, true} {
		t := neonTarget{double: double}
		t.tileTable(&s, fmt.Sprintf("gemm%dNEON", t.bits()), neonRows, neonPanel)
		fmt.Fprintf(&s, "\tdotRows: %d, dotCols: %d,\n\tdot: [maxDotRows + 1][maxDotCols + 1]dotKernel{\n", neonDots, neonDots)
		for rows := 1; rows <= neonDots; rows++ {
			var names []string
			for cols := 1; cols <= neonDots; cols++ {
				names = append(names, t.dotName(rows, cols))
			}
			fmt.Fprintf(&s, "\t\t%d: {1: %s},\n", rows, strings.Join(names, ", "))
		}
		fmt.Fprintf(&s, "\t},\n\ttranspose: %s, step: %d,\n", transposeName(t.bits()), t.width())
		fmt.Fprintf(&s, "\tgrain: %d, aliasing: 16384,\n}\n\n", 1<<19/t.size())
	}
	return strings.TrimSuffix(s.String(), "\n")
}

// tileTable begins the table of kernels with tiles of up to a number of rows, the highest of a number of vectors.
func (t neonTarget) tileTable(s *strings.Builder, name string, rows, panel int) {
	fmt.Fprintf(s, "var %s = gemmKernels{\n\twidth: %d, rows: %d, panel: %d, wideRows: %d,\n\ttile: [maxTileRows + 1][maxTileVectors + 1]gemmKernel{\n",
		name, t.width(), rows, panel, neonWideRows)
	for r := 1; r <= rows; r++ {
		var names []string
		for vectors := 1; vectors <= neonVectorsOf(r); vectors++ {
			names = append(names, t.tileName(r, vectors))
		}
		fmt.Fprintf(s, "\t\t%d: {1: %s},\n", r, strings.Join(names, ", "))
	}
	s.WriteString("\t},\n")
}

// loadAt loads a vector or one element, as the letter of the move says, from the sum of a register and R14. Go's assembler has no such load of vectors.
func (f *neonFile) loadAt(letter, base string, d int) {
	if letter != "Q" {
		f.line("FMOV%s (%s)(R14), F%d", letter, base, d)
		return
	}
	n, err := strconv.Atoi(base[1:])
	if err != nil {
		panic(err)
	}
	f.line("WORD $0x%08X // ldr q%d, [x%d, x14]", 0x3CEE6800|n<<5|d, d, n)
}

// loadVectors loads n vectors, 1 to 4, that lie at a register. It is one instruction, and on some cores fewer operations than a load for each vector.
func (f *neonFile) loadVectors(at string, d, n int) {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("V%d.B16", d+i))
	}
	f.line("VLD1 (%s), [%s]", at, strings.Join(list, ", "))
}

// tile writes the kernel of one tile size.
func (t neonTarget) tile(f *neonFile, rows, vectors int) {
	name := t.tileName(rows, vectors)
	at := f.begin(name, fmt.Sprintf("%s computes %d rows by %d vectors of C.", name, rows, vectors), []string{"k int", "a *byte", "aRow int", "aCol int",
		"b *byte", "bRow int", "c *byte", "cRow int", "lanes int", "add bool", "blocks int", "aNext int", "bNext int", "next *byte"})
	lanes, size := t.width(), t.size()
	for i, p := range []string{"k", "a", "aRow", "aCol", "b", "bRow", "c", "cRow", "lanes", "", "", "blocks", "aNext", "bNext"} {
		if p != "" {
			f.line("MOVD %s, R%d", at[p], i)
		}
	}
	f.flush()
	sum := func(r, v int) int { return 32 - rows*vectors + r*vectors + v } // the sums are the last registers
	spare := 32 - rows*vectors - vectors                                   // registers for elements of A, after those of B
	row := func(r int) string {                                            // R1, then R19 to R24
		if r == 0 {
			return "R1"
		}
		return fmt.Sprintf("R%d", 18+r)
	}
	for r := 1; r < rows; r++ {
		f.line("ADD R2, %s, %s", row(r-1), row(r))
	}
	for r := range rows {
		for v := range vectors {
			f.word("movi0", false, sum(r, v), 0, 0, 0)
		}
	}
	product := "fmla.e"
	if t.pairs {
		product = "bfdot.e"
	}
	// multiply adds the products of n vectors of B, from first on and in the first registers, by an element of A for each row: at says in which lane of
	// which register it is, and load, if not nil, loads it. Loads are spread among the multiplications, because some cores dispatch three
	// operations a cycle, and such a load is two.
	multiply := func(first, n int, at func(r int) (reg, lane int), load func(r, reg int)) {
		next := 0
		for i := range rows * n {
			if load != nil && next < rows && i >= max(next, (next-spare+1)*n) { // its register has no more use
				reg, _ := at(next)
				load(next, reg)
				next++
			}
			reg, lane := at(i / n)
			f.word(product, t.double, sum(i/n, first+i%n), i%n, reg, lane)
		}
	}
	labels := f.newLabel("")
	label := func(s string) string { return s + labels }
	// R14 is the offset of the column of A, R15 the row of B, R16 what is left of the block of K.
	step := func() {
		f.line("ADD R5, R15")
		multiply(0, vectors, func(r int) (int, int) { return vectors + r%spare, 0 }, func(r, reg int) { f.loadAt(t.scalar(), row(r), reg) })
		f.line("ADD R3, R14")
		f.line("SUBS $1, R16")
	}
	f.label(label("block"))
	f.line("MOVD $0, R14")
	f.line("MOVD R4, R15")
	f.line("MOVD R0, R16")
	f.line("CBZ R16, %s", label("next")) // attention of pairs multiplies vectors of no numbers
	f.line("CMP $%d, R8", lanes)
	f.line("BNE %s", label("partial"))
	f.line("CMP $%d, R3", size)
	f.line("BNE %s", label("other"))
	f.line("SUBS $%d, R16", lanes)
	f.line("BLT %s", label("few"))
	f.label(label("along"))
	held := vectors // of B at a time
	if rows > spare {
		held /= 2
	}
	for lane := range lanes {
		for first := 0; first < vectors; first += held {
			from := "R15"
			if first > 0 {
				from = "R10"
				f.line("ADD $%d, R15, R10", 16*first)
			}
			f.loadVectors(from, 0, held)
			var load func(r, reg int)
			if lane == 0 && first == 0 {
				load = func(r, reg int) { f.loadAt("Q", row(r), reg) }
			}
			multiply(first, held, func(r int) (int, int) { return held + r, lane }, load)
		}
		f.line("ADD R5, R15")
	}
	f.line("ADD $16, R14")
	f.line("SUBS $%d, R16", lanes)
	f.line("BGE %s", label("along"))
	f.label(label("few"))
	f.line("ADDS $%d, R16", lanes)
	f.line("BEQ %s", label("next"))
	f.label(label("other"))
	if down := (rows + lanes - 1) / lanes; rows >= lanes && down <= spare {
		f.line("CMP $%d, R2", size)
		f.line("BNE %s", label("loop"))
		f.line("ADD R14, R1, R10")
		f.label(label("down"))
		f.loadVectors("R15", 0, vectors)
		f.loadVectors("R10", vectors, rows/lanes)
		first := func(i int) int { return min(i*lanes, rows-lanes) } // row of the load i
		if rows%lanes != 0 {
			f.line("FMOVQ %d(R10), F%d", first(down-1)*size, vectors+down-1)
		}
		f.line("SUBS $1, R16")
		f.line("ADD R5, R15")
		f.line("ADD R3, R10")
		multiply(0, vectors, func(r int) (int, int) { return vectors + r/lanes, r - first(r/lanes) }, nil)
		f.line("BNE %s", label("down"))
		f.line("SUB R1, R10, R14")
		f.line("B %s", label("next"))
	}
	f.label(label("loop"))
	f.loadVectors("R15", 0, vectors)
	step()
	f.line("BNE %s", label("loop"))
	f.line("B %s", label("next"))
	last := vectors - 1
	f.label(label("partial"))
	for v := range last {
		f.line("FMOVQ %d(R15), F%d", 16*v, v)
	}
	f.line("ADD $%d, R15, R10", 16*last)
	t.part(f, last, label("loaded"), false)
	step()
	f.line("BNE %s", label("partial"))
	f.label(label("next"))
	// aNext and bNext lead from the end of one block to the beginning of the next.
	f.line("ADD R12, R14")
	for r := range rows {
		f.line("ADD R14, %s", row(r))
	}
	f.line("ADD R13, R15, R4")
	f.line("SUBS $1, R11")
	f.line("BNE %s", label("block"))
	f.line("MOVBU %s, R9", at["add"])
	whole := func(r int, store bool, done string) { // the last vector of a row, which may be a part
		f.line("ADD $%d, R6, R10", 16*last)
		part := fmt.Sprintf("%s%s%d", done, "Part", r)
		f.line("CMP $%d, R8", lanes)
		f.line("BNE %s", part)
		if store {
			f.line("FMOVQ F%d, (R10)", sum(r, last))
		} else {
			f.line("FMOVQ (R10), F%d", last)
		}
		f.line("B %s", done)
		f.label(part)
		if store {
			t.part(f, sum(r, last), done, true)
		} else {
			t.part(f, last, done, false)
		}
	}
	for r := range rows {
		f.line("CBZ R9, %s", label(fmt.Sprintf("write%d_", r)))
		for v := range last { // registers of B are free now
			f.line("FMOVQ %d(R6), F%d", 16*v, v)
		}
		whole(r, false, label(fmt.Sprintf("sum%d_", r)))
		for v := range vectors {
			f.word("fadd", t.double, sum(r, v), sum(r, v), v, 0)
		}
		f.label(label(fmt.Sprintf("write%d_", r)))
		for v := range last {
			f.line("FMOVQ F%d, %d(R6)", sum(r, v), 16*v)
		}
		whole(r, true, label(fmt.Sprintf("row%d_", r)))
		f.line("ADD R7, R6")
	}
	f.end(true)
}

// part loads or stores the R8 elements of a partial vector at R10, and writes the label at which both ways meet.
func (t neonTarget) part(f *neonFile, reg int, done string, store bool) {
	move := func(letter, post string) {
		at := "(R10)"
		if post != "" {
			at = post + "(R10)"
			letter += ".P"
		}
		if store {
			f.line("FMOV%s F%d, %s", letter, reg, at)
		} else {
			f.line("FMOV%s %s, F%d", letter, at, reg)
		}
	}
	if t.double {
		move("D", "")
		f.label(done)
		return
	}
	one := done + "One"
	f.line("TBZ $1, R8, %s", one)
	move("D", "8")
	f.line("TBZ $0, R8, %s", done)
	if store {
		f.line("VST1 V%d.S[2], (R10)", reg)
	} else {
		f.line("VLD1 (R10), V%d.S[2]", reg)
	}
	f.line("B %s", done)
	f.label(one)
	move("S", "")
	f.label(done)
}

// dot writes the kernel of rows by cols dot products. Small ones take several vectors of K at a time, each into sums of its own.
func (t neonTarget) dot(f *neonFile, rows, cols int) {
	name := t.dotName(rows, cols)
	at := f.begin(name, fmt.Sprintf("%s computes %d rows by %d columns of C along K.", name, rows, cols), []string{"k int", "a *byte", "aRow int",
		"b *byte", "bCol int", "c *byte", "cRow int", "add bool"})
	f.line("MOVD %s, R4", at["k"])
	f.line("MOVD %s, R1", at["a"])
	f.line("MOVD %s, R2", at["aRow"])
	f.line("MOVD %s, R11", at["b"])
	f.line("MOVD %s, R3", at["bCol"])
	f.line("MOVD %s, R6", at["c"])
	f.line("MOVD %s, R7", at["cRow"])
	f.line("MOVBU %s, R9", at["add"])
	f.flush()
	a := func(r int) string { return []string{"R1", "R19", "R20", "R21"}[r] }
	b := func(c int) string { return []string{"R11", "R22", "R23", "R24"}[c] }
	for r := 1; r < rows; r++ {
		f.line("ADD R2, %s, %s", a(r-1), a(r))
	}
	for c := 1; c < cols; c++ {
		f.line("ADD R3, %s, %s", b(c-1), b(c))
	}
	parts := max(1, min(4, 8/(rows*cols)))
	long := 4 // vectors of K at a time
	if parts == 1 {
		long = 3
	}
	x := cols * long // the first register of a row of A, after those of B
	sum := func(p, r, c int) int { return 32 - parts*rows*cols + (p*rows+r)*cols + c }
	for p := range parts {
		for r := range rows {
			for c := range cols {
				f.word("movi0", false, sum(p, r, c), 0, 0, 0)
			}
		}
	}
	f.while(long*t.width(), func() {
		for c := range cols {
			f.loadVectors(b(c), c*long, long)
		}
		for r := range rows {
			f.loadVectors(a(r), x, long)
			for p := range long {
				for c := range cols {
					f.word("fmla", t.double, sum(p%parts, r, c), x+p, c*long+p, 0)
				}
			}
		}
		for r := range rows {
			f.line("ADD $%d, %s", 16*long, a(r))
		}
		for c := range cols {
			f.line("ADD $%d, %s", 16*long, b(c))
		}
	})
	f.line("MOVD $0, R14") // offset of the elements that are left
	step := func(letter string, bytes int) {
		for c := range cols {
			f.loadAt(letter, b(c), c)
		}
		for r := range rows {
			f.loadAt(letter, a(r), x)
			for c := range cols {
				f.word("fmla", t.double, sum(0, r, c), x, c, 0)
			}
		}
		f.line("ADD $%d, R14", bytes)
	}
	f.while(t.width(), func() { step("Q", 16) })
	f.while(1, func() { step(t.scalar(), t.size()) })
	for r := range rows {
		for c := range cols {
			for span := 1; span < parts; span *= 2 {
				for p := 0; p+span < parts; p += 2 * span {
					f.word("fadd", t.double, sum(p, r, c), sum(p, r, c), sum(p+span, r, c), 0)
				}
			}
			s := sum(0, r, c)
			if t.double {
				f.word("faddp64", false, s, s, 0, 0)
			} else {
				f.word("faddp", false, s, s, s, 0)
				f.word("faddp32", false, s, s, 0, 0)
			}
		}
	}
	store := f.newLabel("store")
	f.line("CBZ R9, %s", store)
	f.line("MOVD R6, R8")
	for r := range rows {
		for c := range cols {
			f.line("FMOV%s %d(R8), F%d", t.scalar(), c*t.size(), c)
			f.line("FADD%s F%d, F%d", t.scalar(), c, sum(0, r, c))
		}
		f.line("ADD R7, R8")
	}
	f.label(store)
	for r := range rows {
		for c := range cols {
			f.line("FMOV%s F%d, %d(R6)", t.scalar(), sum(0, r, c), c*t.size())
		}
		f.line("ADD R7, R6")
	}
	f.end(true)
}
