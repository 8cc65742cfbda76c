package exec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/lower"
	"github.com/seed-49005b45/tarn/internal/plan"
	"github.com/seed-49005b45/tarn/internal/pool"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file runs programs at shapes at whose ends units, chunks and tasks end or do not: against the reference, with guards
// around all memory, and on pools of several sizes, which must give the same bits.

// guard is a mark that no step may overwrite, and dirt what lies in memory before a run.
const guard, dirt = 0xC5, 0xAB

// guarded is a machine whose arrays have marks behind them.
type guarded struct {
	*Machine
	outputs []ir.Array
	marks   [][]byte
}

// newGuarded compiles g. Temporaries share no memory, so that a write outside of one is not a write into another.
func newGuarded(g *ir.Graph, variables []ir.Array, workers *pool.Pool) *guarded {
	p := lower.Lower(g)
	plan.Plan(p)
	p.Arena = 0
	for _, b := range p.Buffers {
		if b.Storage == lower.Temporary {
			b.Offset = p.Arena
			p.Arena += roundUp(b.Bytes(), 64) + 128
		}
	}
	machine, err := load(p, variables, workers)
	if err != nil {
		panic(err)
	}
	m := &guarded{Machine: machine}
	for _, b := range p.Buffers {
		if b.Storage == lower.Temporary {
			m.guard(m.bases[b.ID], b.Bytes())
		}
	}
	for _, n := range g.Outputs {
		out := ir.Array{Type: n.Type, Data: memory(n.Type.Bytes())}
		m.guard(out.Data, n.Type.Bytes())
		m.outputs = append(m.outputs, out)
	}
	shared, own, _ := m.needs()
	m.guard(m.shared, shared)
	for _, w := range m.workers {
		m.guard(w.scratch, own)
	}
	return m
}

func (m *guarded) guard(p unsafe.Pointer, n int) {
	all := unsafe.Slice((*byte)(p), n+slack)
	for i := range all {
		all[i] = dirt
	}
	m.mark(all[n:])
}

func (m *guarded) mark(after []byte) {
	for i := range after {
		after[i] = guard
	}
	m.marks = append(m.marks, after)
}

func (m *guarded) broken() bool {
	return slices.ContainsFunc(m.marks, func(mark []byte) bool {
		return slices.ContainsFunc(mark, func(b byte) bool { return b != guard })
	})
}

// padded copies arrays into memory with room for a mark behind each.
func padded(arrays []ir.Array) (copies []ir.Array, marks [][]byte) {
	for _, a := range arrays {
		all := memory(a.Bytes() + slack)
		c := ir.Array{Type: a.Type, Data: all}
		copy(c.Raw(), a.Raw())
		copies = append(copies, c)
		marks = append(marks, unsafe.Slice((*byte)(all), a.Bytes()+slack)[a.Bytes():])
	}
	return copies, marks
}

// pools are the sizes of pools on which programs must give the same bits.
func pools(t *testing.T) (all []*pool.Pool) {
	for _, n := range []int{1, 2, 3, 4, 7} {
		p := pool.New(n)
		t.Cleanup(p.Close)
		all = append(all, p)
	}
	return all
}

// everywhere runs g on every pool, for two steps where it has variables. All must give the same bits, near those of the reference, within their memory.
func everywhere(g *ir.Graph, workers []*pool.Pool) error {
	r := rand.New(rand.NewPCG(5, 5))
	inputs, variables := irtest.Fill(r, g.Inputs), irtest.Fill(r, g.Variables)
	theirs := cloned(variables)
	reference, want := NewReference(g, theirs), irtest.Outputs(g)
	var machines []*guarded
	var contents [][]ir.Array
	for _, w := range workers {
		c, marks := padded(variables)
		m := newGuarded(g, c, w)
		for _, mark := range marks {
			m.mark(mark)
		}
		machines, contents = append(machines, m), append(contents, c)
	}
	for step := range int64(1 + min(len(variables), 1)) {
		if err := reference.Run(Call{Inputs: inputs, Outputs: want, Step: step}); err != nil {
			return err
		}
		for i, m := range machines {
			in, marks := padded(inputs)
			given := len(m.marks)
			for _, mark := range marks {
				m.mark(mark)
			}
			if err := m.Run(Call{Inputs: in, Outputs: m.outputs, Step: step}); err != nil {
				return err
			}
			if m.broken() {
				return fmt.Errorf("%d workers: the program writes outside of its arrays\n%v", workers[i].Workers(), m)
			}
			for k := range in {
				if !bytes.Equal(in[k].Raw(), inputs[k].Raw()) {
					return fmt.Errorf("%d workers: the program writes into input %d\n%v", workers[i].Workers(), k, m)
				}
			}
			m.marks = m.marks[:given]
			for k, out := range m.outputs {
				if d := difference(out, want[k], tolerance(g)); d != "" {
					return fmt.Errorf("%d workers, step %d, output %d: %s\n%v", workers[i].Workers(), step, k, d, m)
				}
				if !bytes.Equal(out.Raw(), machines[0].outputs[k].Raw()) {
					return fmt.Errorf("%d workers give other bits in output %d than 1\n%v", workers[i].Workers(), k, m)
				}
			}
			for k, v := range contents[i] {
				if d := difference(v, theirs[k], tolerance(g)); d != "" {
					return fmt.Errorf("%d workers, step %d, variable %d: %s\n%v", workers[i].Workers(), step, k, d, m)
				}
				if !bytes.Equal(v.Raw(), contents[0][k].Raw()) {
					return fmt.Errorf("%d workers give other bits in variable %d than 1\n%v", workers[i].Workers(), k, m)
				}
			}
		}
	}
	return nil
}

var floatCases = []struct {
	name  string
	build func(b *irtest.Builder, dtype ir.DType, rows, cols int)
}{
	{"elementwise", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x, y := b.Input(dtype, rows, cols), b.Input(dtype, rows, cols)
		a := b.F(scalar.Mul, b.F(scalar.Tanh, x), y)
		b.Output(b.F(scalar.Where, b.F(scalar.Lt, x, y), a, b.F(scalar.Sin, b.F(scalar.Add, a, x))), b.F(scalar.Ge, x, y), a)
	}},
	{"broadcasts", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x, row, col := b.Input(dtype, rows, cols), b.Input(dtype, cols), b.Input(dtype, rows, 1)
		one, first := b.Input(dtype), b.Slice(b.Slice(x, 0, rows-1, 1, 1), 1, cols-1, 1, 1)
		y := b.F(scalar.Add, b.F(scalar.Mul, x, row), b.F(scalar.Mul, b.Expand(col, rows, cols), one))
		y = b.F(scalar.Sub, y, b.F(scalar.Mul, b.Expand(first, rows, cols), b.Num(dtype, 0.25)))
		// A row of one row, and a column of one column, of another array.
		y = b.F(scalar.Add, y, b.Expand(b.Slice(x, 0, rows/2, 1, 1), rows, cols))
		b.Output(b.F(scalar.Max, y, b.Expand(b.Slice(x, 1, cols/2, 1, 1), rows, cols)))
	}},
	{"views", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x, y := b.Input(dtype, rows, cols), b.Input(dtype, cols, rows)
		b.Output(b.F(scalar.Add, x, b.Permute(y, 1, 0)), b.Permute(y, 1, 0), b.F(scalar.Mul, x, b.Flip(x, 0)), b.F(scalar.Sub, x, b.Flip(x, 1)))
		half := b.Slice(x, 1, 0, 2, (cols+1)/2)
		b.Output(half, b.F(scalar.Neg, half), b.F(scalar.Neg, b.Slice(x, 0, 0, 2, (rows+1)/2)), b.F(scalar.Square, b.Slice(x, 1, cols/2, 1, cols-cols/2)))
		wide := b.Reshape(x, rows, 1, cols)
		b.Output(b.Expand(wide, rows, 3, cols), b.F(scalar.Neg, b.Expand(wide, rows, 3, cols)), b.Expand(x, 2, rows, cols))
	}},
	{"orders", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x := b.Input(dtype, rows, 9, cols)
		b.Output(b.Permute(x, 2, 1, 0), b.Permute(x, 1, 2, 0), b.Permute(b.Slice(x, 0, 0, 2, (rows+1)/2), 2, 0, 1), b.Permute(b.Flip(x, 1), 2, 1, 0))
		y := b.Reshape(x, rows, 3, 3, cols)
		b.Output(b.Permute(y, 2, 3, 1, 0), b.Permute(b.Slice(y, 1, 1, 1, 2), 3, 1, 0, 2))
	}},
	{"rows", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x := b.Input(dtype, rows, cols)
		back := func(n *ir.Node) *ir.Node { return b.Expand(b.Reshape(n, rows, 1), rows, cols) }
		e := b.F(scalar.Exp, b.F(scalar.Sub, x, back(b.Max(x, 1))))
		s := b.Sum(e, 1)
		p := b.F(scalar.Div, e, back(s))
		b.Output(p, b.F(scalar.Log, s), b.Add(irop.Reduce{Kind: ir.ReduceMin, Axes: []int{1}}, x))
		b.Output(b.F(scalar.Tanh, b.Sum(b.F(scalar.Log, s), 0))) // a total of what is one per row
	}},
	{"columns", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x, row := b.Input(dtype, rows, cols), b.Input(dtype, cols)
		y := b.F(scalar.Mul, b.F(scalar.Tanh, x), row)
		mean := b.F(scalar.Mul, b.Sum(y, 0), b.Num(dtype, 1/float64(rows)))
		b.Output(mean, b.Max(y, 0), b.F(scalar.Square, b.F(scalar.Sub, x, mean)))
	}},
	{"middle", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x := b.Input(dtype, 3, rows, cols)
		y := b.F(scalar.Mul, x, b.Num(dtype, 1/float64(rows*cols)))
		b.Output(b.Sum(y, 1), b.Max(x, 1), b.Sum(y, 0, 2), b.Sum(y, 0, 1), b.Sum(b.F(scalar.Square, y), 1, 2))
	}},
	{"totals", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x, y := b.Input(dtype, rows, cols), b.Input(dtype, cols, rows)
		mean := b.Num(dtype, 1/float64(rows*cols))
		b.Output(b.F(scalar.Mul, b.Sum(b.F(scalar.Square, x), 0, 1), mean), b.Max(b.F(scalar.Mul, x, b.Permute(y, 1, 0)), 0, 1))
		b.Output(b.F(scalar.Mul, b.Sum(b.Reshape(x, rows*cols), 0), mean))
	}},
	{"a norm and its gradient", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x, dy, gain := b.Input(dtype, rows, cols), b.Input(dtype, rows, cols), b.Variable(dtype, cols)
		mean := func(n *ir.Node) *ir.Node {
			m := b.F(scalar.Mul, b.Sum(n, 1), b.Num(dtype, 1/float64(cols)))
			return b.Expand(b.Reshape(m, rows, 1), rows, cols)
		}
		d := b.F(scalar.Sub, x, mean(x))
		scale := b.F(scalar.Rsqrt, b.F(scalar.Add, mean(b.F(scalar.Square, d)), b.Num(dtype, 0.5)))
		h := b.F(scalar.Mul, d, scale)
		dh := b.F(scalar.Mul, dy, gain)
		dx := b.F(scalar.Sub, b.F(scalar.Sub, dh, mean(dh)), b.F(scalar.Mul, h, mean(b.F(scalar.Mul, dh, h))))
		b.Output(b.F(scalar.Mul, h, gain), b.F(scalar.Mul, dx, scale))
		step := b.F(scalar.Mul, b.Sum(b.F(scalar.Mul, dy, h), 0), b.Num(dtype, 0.1/float64(rows)))
		b.Assign(gain, b.F(scalar.Sub, gain, step))
	}},
	{"an update in place", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		w, m, v, d := b.Variable(dtype, rows, cols), b.Variable(dtype, rows, cols), b.Variable(dtype, rows, cols), b.Input(dtype, rows, cols)
		average := func(old, x *ir.Node) *ir.Node {
			return b.F(scalar.Add, b.F(scalar.Mul, old, b.Num(dtype, 0.9)), b.F(scalar.Mul, x, b.Num(dtype, 0.1)))
		}
		m1, v1 := average(m, d), average(b.F(scalar.Abs, v), b.F(scalar.Square, d))
		b.Assign(m, m1)
		b.Assign(v, v1)
		b.Assign(w, b.F(scalar.Sub, w, b.F(scalar.Mul, b.Num(dtype, 0.01), b.F(scalar.Div, m1, b.F(scalar.Add, b.F(scalar.Sqrt, v1), b.Num(dtype, 0.1))))))
	}},
	{"a kernel between loops", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x := b.Input(dtype, rows, cols)
		y := b.Add(irtest.Backwards{}, b.F(scalar.Tanh, x))
		b.Output(b.F(scalar.Add, y, x), b.Add(irtest.Backwards{}, b.Permute(x, 1, 0)))
	}},
	{"joined results", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		x, y, join := b.Input(dtype, rows, cols), b.Input(dtype, rows, cols), irop.Concat{Axis: 1}
		parts := func(n *ir.Node) (*ir.Node, *ir.Node, *ir.Node) {
			p := b.F(scalar.Tanh, n)
			return p, b.F(scalar.Mul, p, y), b.F(scalar.Sub, p, y)
		}
		p, q, r := parts(x) // all by one loop
		joined := b.Add(join, p, q, r)
		b.Output(b.F(scalar.Abs, joined), b.Sum(b.F(scalar.Mul, q, b.Num(dtype, 1/float64(rows))), 0))
		p, q, r = parts(b.F(scalar.Abs, x)) // a row is needed whole
		b.Output(b.Add(join, p, r, b.F(scalar.Sub, q, b.Expand(b.Reshape(b.Max(q, 1), rows, 1), rows, cols))))
		p, q, r = parts(b.F(scalar.Square, x)) // what is needed besides
		b.Output(b.F(scalar.Abs, b.Add(join, p, q)), b.Permute(q, 1, 0), b.Add(join, r, r), b.Add(join, p, x))
	}},
	{"integers and bools", func(b *irtest.Builder, dtype ir.DType, rows, cols int) {
		other := map[ir.DType]ir.DType{ir.F32: ir.I32, ir.F64: ir.I64}[dtype]
		x, y := b.Input(other, rows, cols), b.Input(other, cols)
		z := b.F(scalar.Sub, b.F(scalar.Mul, x, y), b.Num(other, 2))
		odd := b.F(scalar.Lt, z, x)
		b.Output(z, odd, b.Sum(z, 1), b.Sum(z, 0), b.Sum(z, 0, 1), b.Max(z, 0, 1), b.Max(z, 1))
		for _, axes := range [][]int{{0}, {1}, {0, 1}} {
			b.Output(b.Add(irop.Reduce{Kind: ir.ReduceAny, Axes: axes}, odd), b.Add(irop.Reduce{Kind: ir.ReduceAll, Axes: axes}, b.F(scalar.Not, odd)))
		}
		b.Output(b.Add(irop.Cast{To: dtype}, z), b.Add(irop.Cast{To: dtype}, odd), b.Permute(odd, 1, 0), b.Flip(odd, 1))
		b.Output(b.F(scalar.Where, b.Flip(odd, 0), z, x))
	}},
}

func TestShapes(t *testing.T) {
	workers := pools(t)
	shapes := [][2]int{{1, 1}, {3, 1}, {1, 3}, {1, 5000}, {5000, 1}, {257, 3}, {3, 257}, {256, 255}, {2047, 2}, {3, 2049}, {7, 5000}, {2049, 17}, {1, 40000}, {40000, 1}}
	for k, c := range floatCases {
		t.Run(c.name, func(t *testing.T) {
			for i, shape := range shapes {
				if testing.Short() && (i/2+k)%5 != 0 { // a fifth of the shapes, other ones for the next case
					continue
				}
				dtype := []ir.DType{ir.F32, ir.F64}[i%2]
				b := irtest.New()
				c.build(b, dtype, shape[0], shape[1])
				if err := everywhere(b.Graph, workers); err != nil {
					t.Fatalf("%v %v: %v", dtype, shape, err)
				}
			}
		})
	}
}

func TestEmptyShapes(t *testing.T) {
	workers := pools(t)[:2]
	for _, c := range floatCases {
		if c.name == "broadcasts" || c.name == "a norm and its gradient" { // these take an element, or divide by their number
			continue
		}
		for _, shape := range [][2]int{{0, 5}, {5, 0}, {0, 0}} {
			b := irtest.New()
			c.build(b, ir.F32, shape[0], shape[1])
			if err := everywhere(b.Graph, workers); err != nil {
				t.Errorf("%s, %v: %v", c.name, shape, err)
			}
		}
	}
}

func TestProducts(t *testing.T) {
	workers := pools(t)
	for i, s := range [][]int{ // batch, m, k, n
		{1, 1, 1}, {3, 2, 5}, {1, 5000, 1}, {5, 5000, 7}, {1, 3, 5000}, {5000, 3, 1}, {65, 33, 70}, {128, 65, 66}, {255, 7, 257},
		{4, 8, 0, 5}, {3, 0, 2}, {0, 3, 4, 5}, {20, 9, 8, 7}, {3, 35, 130, 33}, {2, 3, 17, 16, 18}, {40, 1, 64, 1},
	} {
		batch, m, k, n := s[:len(s)-3], s[len(s)-3], s[len(s)-2], s[len(s)-1]
		for which, dtype := range []ir.DType{ir.F32, ir.F64} {
			if testing.Short() && which != i%2 {
				continue
			}
			b := irtest.New()
			scale := b.Num(dtype, 1/float64(max(1, k)))
			for _, op := range []irop.MatMul{{}, {TransA: true}, {TransB: true}, {TransA: true, TransB: true}} {
				as, bs := append(slices.Clone(batch), m, k), append(slices.Clone(batch), k, n)
				r := len(as)
				if op.TransA {
					as[r-2], as[r-1] = k, m
				}
				if op.TransB {
					bs[r-2], bs[r-1] = n, k
				}
				b.Output(b.F(scalar.Mul, b.Add(op, b.Input(dtype, as...), b.Input(dtype, bs...)), scale))
				// Operands that lie strangely: every second element, backwards, one row for all.
				double := slices.Clone(as)
				double[r-1] *= 2
				half := b.Slice(b.Input(dtype, double...), r-1, 0, 2, as[r-1])
				row := b.Expand(b.Input(dtype, bs[r-1]), bs...)
				b.Output(b.F(scalar.Mul, b.Add(op, half, b.Flip(b.Input(dtype, bs...), r-1)), scale), b.F(scalar.Mul, b.Add(op, b.Flip(half, r-2), row), scale))
			}
			if err := everywhere(b.Graph, workers); err != nil {
				t.Errorf("%v %v: %v", dtype, s, err)
			}
		}
	}
}
