// The passes of attention over a block of scores for products of bfloat16 numbers: each also converts what it computes, as rows of numbers or as
// pairs of rows, to what the products read. A row is two vectors, so one pass over the keys does all queries.

package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() {
	register("attention_bf16_amd64", func(c *build.Context) {
		s := &pairedScores{&gemmGen{c, bf16Target}, &machine{Context: c, level: avx512, constants: map[string]Mem{}}}
		s.order16()
		s.expPairs()
		s.expRows()
		s.gradient()
	})
}

// pairedScores emits with the instructions of products of pairs and those of vector functions.
type pairedScores struct {
	*gemmGen
	m *machine
}

// rowBytes is the size of a row of scores.
const rowBytes = scoreQueries * 4

// start begins a function, and loads the pointers and the number of rows.
func (s *pairedScores) start(name string, pointers ...string) (at map[string]reg.GPVirtual, rows reg.GPVirtual) {
	s.Function(name)
	signature(s.Context, pointers, []string{"rows"})
	at = map[string]reg.GPVirtual{}
	for _, p := range pointers {
		at[p] = s.m.argument(p)
	}
	return at, s.m.argument("rows")
}

// vectorAt is vector j of a row that some rows follow the one at p.
func vectorAt(p reg.GPVirtual, row, j int) Mem { return Mem{Base: p, Disp: row*rowBytes + j*64} }

func (s *pairedScores) read(from Mem) Op { return s.m.loadKind(element, from, nil) }

// writeRow converts a row of scores, x, and writes it.
func (s *pairedScores) writeRow(x [2]Op, to Mem) {
	y := s.ZMM()
	s.short(x[0], x[1], y)
	s.VMOVDQU64(y, to)
}

// writePairs writes the pairs of two rows of scores.
func (s *pairedScores) writePairs(x [2][2]Op, order Op, to reg.GPVirtual) {
	for j := range 2 {
		y := s.ZMM()
		s.short(x[0][j], x[1][j], y)
		s.VPERMW(y, order, y)
		s.VMOVDQU64(y, vectorAt(to, 0, j))
	}
}

// step is a pointer and how many bytes it is advanced by for each two rows.
type step struct {
	at    reg.GPVirtual
	bytes int
}

// byTwo emits a loop that does two rows at a time, and the last of an odd number alone.
func (s *pairedScores) byTwo(rows reg.GPVirtual, steps []step, do func(rows int)) {
	loop, last, done := s.m.label("loop"), s.m.label("last"), s.m.label("done")
	s.SUBQ(I8(2), rows)
	s.JL(LabelRef(last))
	s.Label(loop)
	do(2)
	for _, p := range steps {
		s.ADDQ(I32(p.bytes), p.at)
	}
	s.SUBQ(I8(2), rows)
	s.JGE(LabelRef(loop))
	s.Label(last)
	s.CMPQ(rows, I8(-1))
	s.JNE(LabelRef(done))
	do(1)
	s.Label(done)
}

// holdExp keeps the constants of the exponential in registers.
func (s *pairedScores) holdExp() {
	s.m.hold(vecKernel{in: string(element), hold: holds, body: func(m *machine, x []Op) Op { return m.exp(x[0]) }})
}

func (s *pairedScores) end() {
	s.m.held = nil
	s.VZEROUPPER()
	s.RET()
}

// loadOrder loads the order in which VPERMW makes pairs.
func (s *pairedScores) loadOrder() Op {
	order := s.ZMM()
	s.VMOVDQU64(NewDataAddr(Symbol{Name: "bf16Order", Static: true}, 0), order)
	return order
}

// none is a vector of zeros, the partner of the last of an odd number of rows.
func (s *pairedScores) none() Op { return s.m.load(s.m.f(0)) }

// expPairs assembles e^(s + by), by being one number a query, of which the sums of the columns are added to sums, and the pairs written to dst.
func (s *pairedScores) expPairs() {
	at, rows := s.start("scoreExpPairsBF16", "dst", "s", "by", "sums")
	s.holdExp()
	order := s.loadOrder()
	var by, sum [2]Op
	for j := range 2 {
		by[j], sum[j] = s.read(vectorAt(at["by"], 0, j)), s.none()
	}
	s.byTwo(rows, []step{{at["s"], 2 * rowBytes}, {at["dst"], rowBytes}}, func(n int) {
		var y [2][2]Op
		for j := range 2 {
			for r := range n {
				y[r][j] = s.m.exp(s.m.add(s.read(vectorAt(at["s"], r, j)), by[j]))
				s.m.into(sum[j], s.m.add(sum[j], y[r][j]))
			}
			if n == 1 {
				y[1][j] = s.none()
			}
		}
		s.writePairs(y, order, at["dst"])
	})
	for j := range 2 {
		dst := vectorAt(at["sums"], 0, j)
		s.m.storeKind(element, s.m.add(s.read(dst), sum[j]), dst, nil)
	}
	s.end()
}

// expRows assembles s = e^(s + by), by being one number a query, and writes the rows to dst, too.
func (s *pairedScores) expRows() {
	at, rows := s.start("scoreExpRowsBF16", "dst", "s", "by")
	s.holdExp()
	by := [2]Op{s.read(vectorAt(at["by"], 0, 0)), s.read(vectorAt(at["by"], 0, 1))}
	s.byTwo(rows, []step{{at["s"], 2 * rowBytes}, {at["dst"], rowBytes}}, func(n int) {
		for r := range n {
			var y [2]Op
			for j := range 2 {
				from := vectorAt(at["s"], r, j)
				y[j] = s.m.exp(s.m.add(s.read(from), by[j]))
				s.m.storeKind(element, y[j], from, nil)
			}
			s.writeRow(y, Mem{Base: at["dst"], Disp: r * rowBytes / 2})
		}
	})
	s.end()
}

// gradient assembles s * (ds*scale + by), by being one number a query, and writes its rows and its pairs.
func (s *pairedScores) gradient() {
	at, rows := s.start("scoreGradientBF16", "asRows", "asPairs", "ds", "s", "by", "scale")
	order := s.loadOrder()
	scale := s.read(vectorAt(at["scale"], 0, 0))
	by := [2]Op{s.read(vectorAt(at["by"], 0, 0)), s.read(vectorAt(at["by"], 0, 1))}
	s.byTwo(rows, []step{{at["ds"], 2 * rowBytes}, {at["s"], 2 * rowBytes}, {at["asRows"], rowBytes}, {at["asPairs"], rowBytes}}, func(n int) {
		var y [2][2]Op
		for r := range n {
			for j := range 2 {
				d := s.m.fma(s.read(vectorAt(at["ds"], r, j)), scale, by[j])
				y[r][j] = s.m.mul(d, s.read(vectorAt(at["s"], r, j)))
			}
			s.writeRow(y[r], Mem{Base: at["asRows"], Disp: r * rowBytes / 2})
		}
		if n == 1 {
			y[1] = [2]Op{s.none(), s.none()}
		}
		s.writePairs(y, order, at["asPairs"])
	})
	s.end()
}
