package lower_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/lower"
	"github.com/seed-49005b45/tarn/internal/pool"
	"github.com/seed-49005b45/tarn/internal/scalar"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
)

// These tests look at what loops recompute, and hold programs that do so against the reference.

// norm is what a batch norm does to a product, forwards and backwards. The product is a large array that is in memory anyway.
func norm(dtype ir.DType, rows, cols int) *ir.Graph {
	b := irtest.New()
	x := b.MatMul(b.Input(dtype, rows, 3), b.Input(dtype, 3, cols))
	share := b.Num(dtype, 1/float64(rows))
	mean := func(n *ir.Node) *ir.Node { return b.F(scalar.Mul, b.Sum(n, 0), share) }
	c := b.F(scalar.Sub, x, mean(x))
	scale := b.F(scalar.Rsqrt, b.F(scalar.Add, mean(b.F(scalar.Square, c)), b.Num(dtype, 0.5)))
	unit := b.F(scalar.Mul, c, scale)
	y := b.F(scalar.ReLU, unit)
	dy := b.F(scalar.ReLUGrad, b.MatMul(b.Input(dtype, rows, 2), b.Input(dtype, 2, cols)), y)
	dx := b.F(scalar.Sub, b.F(scalar.Sub, dy, mean(dy)), b.F(scalar.Mul, unit, mean(b.F(scalar.Mul, dy, unit))))
	b.Output(y, b.F(scalar.Mul, dx, scale))
	return b.Graph
}

// again counts the instructions whose result another loop computes too. Copies of a node keep its number.
func again(p *lower.Program) (n int) {
	type key struct {
		id int
		op string
	}
	seen := map[key]bool{}
	for _, s := range p.Steps {
		l, ok := s.Work.(*lower.Loop)
		if !ok {
			continue
		}
		for _, in := range l.Instrs {
			k := key{in.Node.ID, in.Node.Op.Name()}
			if in.Code == lower.Apply && seen[k] {
				n++
			}
			seen[k] = true
		}
	}
	return n
}

// stored counts the temporaries of a size, in elements.
func stored(p *lower.Program, size int) (n int) {
	for _, s := range p.Steps {
		for _, b := range s.Writes {
			if b.Storage == lower.Temporary && b.Size == size {
				n++
			}
		}
	}
	return n
}

// TestNormStoresNothing checks that the parts of a norm are in memory only while a block of them is worked on.
func TestNormStoresNothing(t *testing.T) {
	const rows, cols = 4096, 32
	p := lower.Lower(norm(ir.F32, rows, cols))
	if n := stored(p, rows*cols); n != 3 { // the two products, and dy
		t.Errorf("%d arrays are stored, want 3\n%v", n, p)
	}
	if n := again(p); n != 3 { // c where y is, and c and unit where dx is
		t.Errorf("%d instructions are repeated, want 3\n%v", n, p)
	}
	small := lower.Lower(norm(ir.F32, 64, cols))
	if n := again(small); n != 0 {
		t.Errorf("%d instructions of a small norm are repeated\n%v", n, small)
	}
}

// TestNotComputedAgain lists results that must be stored.
func TestNotComputedAgain(t *testing.T) {
	const rows, cols = 4096, 32
	for _, c := range []struct {
		name string
		of   func(b *irtest.Builder, x, row *ir.Node) *ir.Node // the result that another loop reads
	}{
		{"an exponential", func(b *irtest.Builder, x, row *ir.Node) *ir.Node { return b.F(scalar.Exp, b.F(scalar.Sub, x, row)) }},
		{"two arrays", func(b *irtest.Builder, x, row *ir.Node) *ir.Node {
			return b.F(scalar.Sub, x, b.MatMul(b.Input(ir.F32, rows, 3), b.Input(ir.F32, 3, cols)))
		}},
		{"many instructions", func(b *irtest.Builder, x, row *ir.Node) *ir.Node {
			for range 5 {
				x = b.F(scalar.Add, b.F(scalar.Mul, x, row), row)
			}
			return x
		}},
		{"a variable", func(b *irtest.Builder, x, row *ir.Node) *ir.Node {
			w := b.Variable(ir.F32, cols)
			b.Assign(w, b.F(scalar.Add, w, row))
			return b.F(scalar.Sub, x, w)
		}},
		{"an output", func(b *irtest.Builder, x, row *ir.Node) *ir.Node {
			y := b.F(scalar.Sub, x, row)
			b.Output(y)
			return y
		}},
	} {
		b := irtest.New()
		x := b.MatMul(b.Input(ir.F32, rows, 3), b.Input(ir.F32, 3, cols))
		y := c.of(b, x, b.Input(ir.F32, cols))
		b.Output(b.F(scalar.Mul, y, b.Sum(y, 0)))
		if p := lower.Lower(b.Graph); again(p) != 0 {
			t.Errorf("%s is computed again\n%v", c.name, p)
		}
	}
	b := irtest.New()
	x := b.MatMul(b.Input(ir.F32, rows, 3), b.Input(ir.F32, 3, cols))
	y := b.F(scalar.Sub, x, b.Input(ir.F32, cols))
	b.Output(b.F(scalar.Mul, y, b.Sum(y, 0)))
	if p := lower.Lower(b.Graph); again(p) != 1 {
		t.Errorf("a difference is not computed again\n%v", p)
	}
}

// TestNotComputedForNobody checks that a loop leaves out what the loops that read it compute for themselves.
func TestNotComputedForNobody(t *testing.T) {
	const rows, cols = 4096, 32
	b := irtest.New()
	x := b.MatMul(b.Input(ir.F32, rows, 3), b.Input(ir.F32, 3, cols))
	sum := b.Sum(b.F(scalar.Square, x), 0)
	y := b.F(scalar.Neg, b.F(scalar.Sub, x, b.Input(ir.F32, cols))) // joins the loop that reads x
	b.Output(b.F(scalar.Mul, y, sum))
	p, instrs := lower.Lower(b.Graph), 0
	for _, s := range p.Steps {
		if l, ok := s.Work.(*lower.Loop); ok {
			instrs += len(l.Instrs)
		}
	}
	if instrs != 5 {
		t.Errorf("the loops have %d instructions, want 5\n%v", instrs, p)
	}
	if program := same(b.Graph); program != "" {
		t.Errorf("wrong\n%s", program)
	}
}

// same runs a graph compiled and by the reference; it tells the difference.
func same(g *ir.Graph) string {
	workers := pool.New(2)
	defer workers.Close()
	r := rand.New(rand.NewPCG(1, 1))
	inputs, mine := irtest.Fill(r, g.Inputs), irtest.Fill(r, g.Variables)
	var theirs []ir.Array
	for _, a := range mine {
		c := ir.NewArray(a.Type)
		copy(c.Raw(), a.Raw())
		theirs = append(theirs, c)
	}
	m, err := exec.NewMachine(g, mine, workers)
	if err != nil {
		return err.Error()
	}
	reference, got, want := exec.NewReference(g, theirs), irtest.Outputs(g), irtest.Outputs(g)
	for step := range int64(2) {
		if err := m.Run(exec.Call{Inputs: inputs, Outputs: got, Step: step}); err != nil {
			return err.Error()
		}
		if err := reference.Run(exec.Call{Inputs: inputs, Outputs: want, Step: step}); err != nil {
			return err.Error()
		}
		for i := range g.Outputs {
			if far(got[i], want[i]) {
				return m.String()
			}
		}
		for i := range mine {
			if far(mine[i], theirs[i]) {
				return m.String()
			}
			copy(mine[i].Raw(), theirs[i].Raw())
		}
	}
	return ""
}

// far reports whether arrays differ by more than rounding.
func far(a, b ir.Array) bool {
	for i := range a.Size() {
		x, y := a.Float(i), b.Float(i)
		if d := x - y; x != y && !(x != x && y != y) && !(d*d <= 1e-6*(1+y*y)) {
			return true
		}
	}
	return false
}

// TestComputedAgain runs norms of several shapes, and random graphs in which all that can be is computed again.
func TestComputedAgain(t *testing.T) {
	defer lower.SetWorthBytes(1)()
	for i, shape := range [][2]int{{4096, 16}, {2049, 64}, {700, 100}, {300, 130}, {33, 5}, {8192, 1}} {
		g := norm([]ir.DType{ir.F32, ir.F64}[i%2], shape[0], shape[1])
		if again(lower.Lower(g)) == 0 {
			t.Errorf("%v: nothing is computed again", shape)
		}
		if program := same(g); program != "" {
			t.Errorf("%v: wrong\n%s", shape, program)
		}
	}
	repeated := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		g := irtest.Random(r, 3+r.IntN(40), []int{0, 64, 257}[r.IntN(3)])
		if again(lower.Lower(g)) > 0 {
			repeated++
		}
		if program := same(g); program != "" {
			t.Fatalf("seed %d: wrong\n%v\n%s", seed, g, program)
		}
	}
	if repeated < 5 {
		t.Errorf("%d random graphs compute something again", repeated)
	}
}

// TestSearchesCutShort runs random graphs of which lowering gives up finding out what depends on what.
func TestSearchesCutShort(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: lowers large graphs")
	}
	steps := map[int]int{} // by bound
	for _, bound := range []int{1 << 10, 3, 0} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			defer lower.SetMostSearched(bound)()
			for seed := range uint64(150) {
				r := rand.New(rand.NewPCG(seed, 4))
				g := irtest.Random(r, 3+r.IntN(80), []int{0, 9, 257}[r.IntN(3)])
				steps[bound] += len(lower.Lower(g).Steps)
				if program := same(g); program != "" {
					t.Fatalf("seed %d: wrong\n%v\n%s", seed, g, program)
				}
			}
		})
	}
	if steps[0] <= steps[1<<10] {
		t.Errorf("programs have %d steps without searches and %d with them", steps[0], steps[1<<10])
	}
}
