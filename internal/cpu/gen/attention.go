// The kernels of attention on a block of scores, keys by 32 queries: what belongs to a query lies along the vectors, in registers, while the keys
// pass. Each is one pass over the block where vector functions would make two or three.

package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scoreQueries is the number of queries of a block: attention.go has it too.
const scoreQueries = 32

// scorePair is the number of vectors that are done at a time.
const scorePair = 2

func init() {
	for _, l := range levels {
		register("attention_"+strings.ToLower(l.String())+"_amd64", func(c *build.Context) {
			m := &machine{Context: c, level: l, constants: map[string]Mem{}}
			for _, f64 := range []bool{false, true} {
				m := m.as(f64)
				m.scoreTop()
				m.scoreExp()
				m.scoreGradient()
			}
		})
	}
	registerGo("attention_table_amd64", scoreTables)
}

func (m *machine) scoreName(what string) string {
	return "score" + what + elementName(m.f64) + m.level.String()
}

// scoreTables writes the tables by which Go code finds the kernels.
func scoreTables() string {
	var s strings.Builder
	s.WriteString("package cpu\n\n")
	for _, l := range levels {
		for _, f64 := range []bool{false, true} {
			m := &machine{level: l, f64: f64}
			fmt.Fprintf(&s, "var score%s%s = scoreKernels{%s, %s, %s}\n\n", elementName(f64), l, m.scoreName("Top"), m.scoreName("Exp"), m.scoreName("Gradient"))
		}
	}
	return strings.TrimSuffix(s.String(), "\n")
}

// scorePasses assembles a function that goes over all rows of a block once for each pair of vectors. Of its pointers, those named in blocks are
// advanced from row to row, by pass; the others from pair to pair only. Constants of held stay in registers.
func (m *machine) scorePasses(name string, pointers, blocks []string, held func(m *machine, x Op) Op, pass func(at map[string]reg.GPVirtual, rows reg.GPVirtual)) {
	m.Function(name)
	signature(m.Context, pointers, []string{"rows"})
	left := m.GP64()
	base, at := map[string]reg.GPVirtual{}, map[string]reg.GPVirtual{}
	for _, p := range pointers {
		base[p] = m.argument(p)
		at[p] = base[p]
	}
	if held != nil {
		m.hold(vecKernel{in: string(element), hold: holds, body: func(m *machine, x []Op) Op { return held(m, x[0]) }})
	}
	m.MOVQ(U32(scoreQueries/(scorePair*m.width())), left)
	next := m.label("pass")
	m.Label(next)
	for _, p := range blocks {
		at[p] = m.GP64()
		m.MOVQ(base[p], at[p])
	}
	pass(at, m.argument("rows"))
	for _, p := range pointers {
		m.ADDQ(I32(scorePair*m.width()*m.size()), base[p])
	}
	m.DECQ(left)
	m.JNZ(LabelRef(next))
	m.held = nil
	m.VZEROUPPER()
	m.RET()
}

// scoreRow is the distance of rows in bytes.
func (m *machine) scoreRow() int { return scoreQueries * m.size() }

func (m *machine) scoreAt(p reg.GPVirtual, row, j int) Mem {
	return Mem{Base: p, Disp: row*m.scoreRow() + j*m.width()*m.size()}
}

// scoreTop assembles the maxima of the columns of at least one row. A NaN may be lost.
func (m *machine) scoreTop() {
	m.scorePasses(m.scoreName("Top"), []string{"dst", "s"}, []string{"s"}, nil, func(at map[string]reg.GPVirtual, rows reg.GPVirtual) {
		var even, odd [scorePair]Op
		for j := range even {
			even[j] = m.loadKind(element, m.scoreAt(at["s"], 0, j), nil)
			odd[j] = m.copyOf(even[j])
		}
		loop, last, done := m.label("loop"), m.label("last"), m.label("done")
		m.Label(loop)
		m.SUBQ(I32(2), rows)
		m.JL(LabelRef(last))
		for j := range even {
			m.into(even[j], m.larger(even[j], m.loadKind(element, m.scoreAt(at["s"], 0, j), nil)))
			m.into(odd[j], m.larger(odd[j], m.loadKind(element, m.scoreAt(at["s"], 1, j), nil)))
		}
		m.ADDQ(I32(2*m.scoreRow()), at["s"])
		m.JMP(LabelRef(loop))
		m.Label(last)
		m.CMPQ(rows, I32(-1))
		m.JNE(LabelRef(done))
		for j := range even {
			m.into(even[j], m.larger(even[j], m.loadKind(element, m.scoreAt(at["s"], 0, j), nil)))
		}
		m.Label(done)
		for j := range even {
			m.storeKind(element, m.larger(even[j], odd[j]), m.scoreAt(at["dst"], 0, j), nil)
		}
	})
}

// scoreExp assembles s = e^(s + by), by being one number a column, and adds the columns of the result to sums.
func (m *machine) scoreExp() {
	m.scorePasses(m.scoreName("Exp"), []string{"s", "by", "sums"}, []string{"s"}, (*machine).exp, func(at map[string]reg.GPVirtual, rows reg.GPVirtual) {
		var by, sum [scorePair]Op
		for j := range by {
			by[j] = m.loadKind(element, m.scoreAt(at["by"], 0, j), nil)
			sum[j] = m.load(m.f(0))
		}
		loop := m.label("loop")
		m.Label(loop)
		for j := range by {
			s := m.scoreAt(at["s"], 0, j)
			y := m.exp(m.add(m.loadKind(element, s, nil), by[j]))
			m.storeKind(element, y, s, nil)
			m.into(sum[j], m.add(sum[j], y))
		}
		m.ADDQ(I32(m.scoreRow()), at["s"])
		m.DECQ(rows)
		m.JNZ(LabelRef(loop))
		for j := range by {
			dst := m.scoreAt(at["sums"], 0, j)
			m.storeKind(element, m.add(m.loadKind(element, dst, nil), sum[j]), dst, nil)
		}
	})
}

// scoreGradient assembles ds = s * (ds + by), by being one number a column.
func (m *machine) scoreGradient() {
	m.scorePasses(m.scoreName("Gradient"), []string{"ds", "s", "by"}, []string{"ds", "s"}, nil, func(at map[string]reg.GPVirtual, rows reg.GPVirtual) {
		var by [scorePair]Op
		for j := range by {
			by[j] = m.loadKind(element, m.scoreAt(at["by"], 0, j), nil)
		}
		loop := m.label("loop")
		m.Label(loop)
		for j := range by {
			ds := m.scoreAt(at["ds"], 0, j)
			y := m.add(m.loadKind(element, ds, nil), by[j])
			m.storeKind(element, m.mul(y, m.loadKind(element, m.scoreAt(at["s"], 0, j), nil)), ds, nil)
		}
		m.ADDQ(I32(m.scoreRow()), at["ds"])
		m.ADDQ(I32(m.scoreRow()), at["s"])
		m.DECQ(rows)
		m.JNZ(LabelRef(loop))
	})
}
