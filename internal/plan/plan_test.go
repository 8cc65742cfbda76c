package plan_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/lower"
	"github.com/seed-49005b45/tarn/internal/pass"
	"github.com/seed-49005b45/tarn/internal/plan"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file checks programs of random graphs against what every program must keep to: what it computes is what the steps
// computed as they were lowered, each in separate memory, and no two arrays that are needed at once share memory. Set
// TARN_LONG=1 for many more of them.

func TestRandomPrograms(t *testing.T) {
	rounds := 400
	if os.Getenv("TARN_LONG") != "" {
		rounds *= 20
	}
	inPlace := 0
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		g := irtest.Random(r, 3+r.IntN(80), []int{0, 9, 300}[r.IntN(3)])
		simplified := r.IntN(2) == 0
		if simplified {
			pass.Run(g, nil)
		}
		lowered, p := lower.Lower(g), lower.Lower(g)
		if a, b := lowered.String(), p.String(); a != b {
			t.Fatalf("seed %d: one graph gives two programs\n%s\n%s", seed, a, b)
		}
		err := computedOnce(lowered)
		undo := plan.SetMostFitted([]int{0, 3, 4096}[r.IntN(3)])
		plan.Plan(p)
		undo()
		for _, check := range []func() error{
			func() error { return sameMeaning(g, lowered, p) },
			func() error { return memory(p, p.Arena, simplified && !slices.ContainsFunc(g.Nodes, fence)) },
			func() error { n, err := elementByElement(p); inPlace += n; return err },
			func() error { return listed(p) },
			func() error { return checkedFirst(p) },
		} {
			if err == nil {
				err = check()
			}
		}
		if err != nil {
			t.Fatalf("seed %d: %v\n%v\n%v\n%v", seed, err, g, lowered, p)
		}
	}
	if inPlace == 0 {
		t.Error("no loop updates a variable in place")
	}
}

// computedOnce checks that no node is computed by two instructions or steps.
func computedOnce(p *lower.Program) error {
	seen := map[*ir.Node]bool{}
	once := func(n *ir.Node) error {
		if seen[n] {
			return fmt.Errorf("%v is computed twice", n)
		}
		seen[n] = true
		return nil
	}
	for _, s := range p.Steps {
		switch w := s.Work.(type) {
		case *lower.Loop:
			for _, in := range w.Instrs {
				if in.Code == lower.Spread {
					continue
				}
				if err := once(in.Node); err != nil {
					return err
				}
			}
		case *lower.Product, *lower.Kernel:
			if err := once(s.Nodes[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

// meaning is what programs compute, as numbers: two steps that do the same on the same contents give the same number.
type meaning struct {
	numbers  map[string]int
	contents map[string]int // by the names of buffers
}

// run goes through a program. A buffer that is read has been written, or is a leaf.
func (m *meaning) run(p *lower.Program) error {
	m.contents = map[string]int{}
	for i, s := range p.Steps {
		results := map[*lower.Buffer]string{}
		var missing *lower.Buffer
		of := func(b *lower.Buffer) int {
			n, ok := m.contents[b.String()]
			if !ok {
				if b.Storage == lower.Temporary || b.Storage == lower.Output {
					missing = b
				}
				if b.Storage == lower.Constant {
					return m.number(fmt.Sprintf("constant %p", b.Array.Data))
				}
				return m.number(b.String())
			}
			return n
		}
		switch w := s.Work.(type) {
		case *lower.Loop:
			text := fmt.Sprint("loop", w.Rows, w.Cols)
			for _, source := range w.Sources {
				text += fmt.Sprint("|", of(source.Buffer), source.Offset, source.Pattern, source.RowShape, source.RowStrides)
			}
			for k, in := range w.Instrs {
				text += fmt.Sprint("|", in.Code, in.Func, in.Reduce, in.Group, in.Args, in.From, in.DType, in.Extent)
				if in.Store != nil {
					results[in.Store] = fmt.Sprint(k, text)
				}
			}
		case *lower.Product:
			results[w.C] = fmt.Sprint("product", of(w.A.Buffer), w.A.View, of(w.B.Buffer), w.B.View)
		case *lower.Copy:
			results[w.To] = fmt.Sprint("copy", of(w.From.Buffer), w.From.View)
			if w.From.View.Contiguous() && ir.Size(w.From.View.Shape) == w.From.Buffer.Size {
				m.contents[w.To.String()] = of(w.From.Buffer)
				delete(results, w.To)
			}
		case *lower.Kernel:
			text := "kernel" + w.Op.Name() + w.Op.Attrs()
			for _, in := range w.In {
				text += fmt.Sprint("|", of(in.Buffer), in.View)
			}
			results[w.Out] = text
		case *lower.Nest:
			text := fmt.Sprintf("nest %p", w.Control)
			for _, in := range w.In {
				text += fmt.Sprint("|", of(in.Buffer), in.View)
			}
			for r, b := range w.Out {
				if b != nil {
					results[b] = fmt.Sprint(r, text)
				}
			}
		}
		if missing != nil {
			return fmt.Errorf("step %d reads %v, which nothing has written", i, missing)
		}
		for b, text := range results {
			m.contents[b.String()] = m.number(text)
		}
	}
	return nil
}

func (m *meaning) number(text string) int {
	n, ok := m.numbers[text]
	if !ok {
		n = len(m.numbers)
		m.numbers[text] = n
	}
	return n
}

// sameMeaning checks that a planned program leaves the same in outputs and variables as the lowered one.
func sameMeaning(g *ir.Graph, lowered, planned *lower.Program) error {
	m := meaning{numbers: map[string]int{}}
	if err := m.run(lowered); err != nil {
		return fmt.Errorf("lowered: %w", err)
	}
	before := m.contents
	if err := m.run(planned); err != nil {
		return fmt.Errorf("planned: %w", err)
	}
	var names []string
	for _, b := range planned.Outputs {
		names = append(names, b.String())
	}
	for _, a := range g.Assigns {
		v := lower.Buffer{Storage: lower.Variable, Index: a.Variable.Op.(ir.Variable).Index, DType: a.Variable.Type.DType, Size: a.Variable.Type.Size()}
		names = append(names, v.String())
	}
	for _, name := range names {
		was, ok1 := before[name]
		is, ok2 := m.contents[name]
		if !ok1 || !ok2 || was != is {
			return fmt.Errorf("the plan leaves something else in %s", name)
		}
	}
	return nil
}

// fence reports whether a node makes others wait, maybe for something that nothing reads.
func fence(n *ir.Node) bool {
	_, ok := n.Op.(ir.Fence)
	return ok
}

// memory checks that no step overwrites what it or a later one reads, that all lies in the arena, and, of a graph without
// dead code, that what is stored is read.
func memory(p *lower.Program, arena int, alive bool) error {
	last := map[*lower.Buffer]int{}
	for i, s := range p.Steps {
		for _, b := range s.Reads {
			last[b] = i
		}
	}
	var live []*lower.Buffer
	for i, s := range p.Steps {
		for _, b := range s.Writes {
			if b.Storage != lower.Temporary {
				continue
			}
			if _, read := last[b]; !read && alive {
				return fmt.Errorf("step %d stores %v, which nothing reads", i, b)
			}
			if b.Offset%64 != 0 || b.Offset < 0 || b.Offset+b.Bytes() > arena {
				return fmt.Errorf("%v lies at %d of an arena of %d bytes", b, b.Offset, arena)
			}
			for _, other := range live {
				if last[other] >= i && b.Offset < other.Offset+other.Bytes() && other.Offset < b.Offset+b.Bytes() {
					return fmt.Errorf("step %d overwrites %v by %v", i, other, b)
				}
			}
			live = append(live, b)
		}
	}
	return nil
}

// elementByElement checks the steps that read what they overwrite: they must be loops that read each element of it before
// they store that element. It counts them.
func elementByElement(p *lower.Program) (n int, err error) {
	for i, s := range p.Steps {
		for _, b := range s.Writes {
			if !slices.Contains(s.Reads, b) {
				continue
			}
			n++
			loop, ok := s.Work.(*lower.Loop)
			if !ok {
				return n, fmt.Errorf("step %d overwrites %v, which it reads, and is no loop", i, b)
			}
			stored := slices.IndexFunc(loop.Instrs, func(in lower.Instr) bool { return in.Store == b })
			for v, source := range loop.Sources {
				if source.Buffer != b {
					continue
				}
				one := loop.Rows*loop.Cols == 1 && source.Pattern == lower.Single
				if source.Pattern != lower.Whole && !one || source.Offset != 0 || loop.Rows*loop.Cols != b.Size || loop.Instrs[stored].Extent != lower.Full {
					return n, fmt.Errorf("step %d overwrites %v in another order than it is read", i, b)
				}
				if slices.ContainsFunc(loop.Instrs[stored+1:], func(in lower.Instr) bool { return slices.Contains(in.Args[:], v) }) {
					return n, fmt.Errorf("step %d reads %v after it has stored it", i, b)
				}
			}
		}
	}
	return n, nil
}

// listed checks that steps say what they read and write, and that values are made before they are used.
func listed(p *lower.Program) error {
	for i, s := range p.Steps {
		var reads, writes []*lower.Buffer
		switch w := s.Work.(type) {
		case *lower.Loop:
			for _, source := range w.Sources {
				reads = append(reads, source.Buffer)
			}
			for k, in := range w.Instrs {
				if in.Store != nil {
					writes = append(writes, in.Store)
				}
				for _, a := range in.Args {
					if a >= len(w.Sources)+k || a >= len(w.Sources) && (w.Instrs[a-len(w.Sources)].Extent == lower.Column || w.Instrs[a-len(w.Sources)].Extent == lower.Total) {
						return fmt.Errorf("step %d: instruction %d reads value %d, which is not there yet", i, k, a)
					}
				}
			}
		case *lower.Product:
			reads, writes = []*lower.Buffer{w.A.Buffer, w.B.Buffer}, []*lower.Buffer{w.C}
		case *lower.Copy:
			reads, writes = []*lower.Buffer{w.From.Buffer}, []*lower.Buffer{w.To}
		case *lower.Kernel:
			for _, in := range w.In {
				if !in.View.Contiguous() {
					return fmt.Errorf("step %d: the kernel reads %v, which is not in order", i, in)
				}
				reads = append(reads, in.Buffer)
			}
			writes = []*lower.Buffer{w.Out}
		case *lower.Nest:
			for _, in := range w.In {
				if !in.View.Contiguous() {
					return fmt.Errorf("step %d: the loop reads %v, which is not in order", i, in)
				}
				reads = append(reads, in.Buffer)
			}
			for _, b := range w.Out {
				if b != nil {
					writes = append(writes, b)
				}
			}
		case *lower.Check:
			reads = []*lower.Buffer{w.In.Buffer}
		}
		for _, b := range reads {
			if !slices.Contains(s.Reads, b) {
				return fmt.Errorf("step %d reads %v and does not say so", i, b)
			}
		}
		for _, b := range writes {
			if !slices.Contains(s.Writes, b) {
				return fmt.Errorf("step %d writes %v and does not say so", i, b)
			}
		}
		if len(reads) == 0 && len(s.Reads) > 0 || len(writes) < len(s.Writes) {
			return fmt.Errorf("step %d says that it reads or writes more than it does", i)
		}
	}
	return nil
}

// checkedFirst checks that no run fails after it has overwritten a variable.
func checkedFirst(p *lower.Program) error {
	stored := false
	for i, s := range p.Steps {
		if s.CanFail() && stored {
			return fmt.Errorf("step %d can fail after a variable has been overwritten", i)
		}
		stored = stored || slices.ContainsFunc(s.Writes, func(b *lower.Buffer) bool { return b.Storage == lower.Variable })
	}
	return nil
}

// TestAssignments checks how a few assignments are made, and that an arena is as small as it can be.
func TestAssignments(t *testing.T) {
	const n = 1 << 12
	tests := []struct {
		name   string
		build  func(b *irtest.Builder, v, w, x *ir.Node)
		copies int
		arena  int
	}{
		{"an update in place", func(b *irtest.Builder, v, w, x *ir.Node) { b.Assign(v, b.F(scalar.Sub, v, x)) }, 0, 0},
		{"two updates of one loop", func(b *irtest.Builder, v, w, x *ir.Node) {
			m := b.F(scalar.Add, w, x)
			b.Assign(w, m)
			b.Assign(v, b.F(scalar.Sub, v, m))
		}, 0, 0},
		{"a swap", func(b *irtest.Builder, v, w, x *ir.Node) { b.Assign(v, w); b.Assign(w, v) }, 3, n * 4},
		{"old contents as output", func(b *irtest.Builder, v, w, x *ir.Node) {
			b.Output(v)
			b.Assign(v, b.F(scalar.Sub, v, x))
		}, 2, n * 4},
		{"an input", func(b *irtest.Builder, v, w, x *ir.Node) { b.Assign(v, x) }, 1, 0},
		{"one value twice", func(b *irtest.Builder, v, w, x *ir.Node) {
			y := b.F(scalar.Sub, v, x)
			b.Assign(v, y)
			b.Assign(w, y)
		}, 1, 0},
		{"itself", func(b *irtest.Builder, v, w, x *ir.Node) { b.Assign(v, v) }, 2, n * 4},
		{"the reverse of itself", func(b *irtest.Builder, v, w, x *ir.Node) { b.Assign(v, b.Flip(v, 0)) }, 2, n * 4},
		{"the reverse of what has been computed", func(b *irtest.Builder, v, w, x *ir.Node) {
			b.Assign(v, b.Flip(b.F(scalar.Sub, w, x), 0))
		}, 1, n * 4},
		{"the sum of itself and its reverse", func(b *irtest.Builder, v, w, x *ir.Node) {
			b.Assign(v, b.F(scalar.Add, v, b.Flip(v, 0)))
		}, 1, n * 4},
		{"an update that could be early but for a check", func(b *irtest.Builder, v, w, x *ir.Node) {
			b.Output(b.Add(irtest.Backwards{Bad: true}, b.Add(irtest.Backwards{}, x)))
			b.Assign(v, b.F(scalar.Sub, v, x))
		}, 0, n * 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := irtest.New()
			tt.build(b, b.Variable(ir.F32, n), b.Variable(ir.F32, n), b.Input(ir.F32, n))
			p := lower.Lower(b.Graph)
			plan.Plan(p)
			if err := sameMeaning(b.Graph, lower.Lower(b.Graph), p); err != nil {
				t.Errorf("%v\n%v", err, p)
			}
			copies := 0
			for _, s := range p.Steps {
				if _, ok := s.Work.(*lower.Copy); ok {
					copies++
				}
			}
			if copies > tt.copies || p.Arena > tt.arena {
				t.Errorf("%d copies and %d bytes; %d and %d will do\n%v", copies, p.Arena, tt.copies, tt.arena, p)
			}
		})
	}
}

// TestArena compares arenas laid out largest first with those of which the small temporaries are taken as the steps come: these
// may be a little larger.
func TestArena(t *testing.T) {
	size := func(seed uint64, fitted int) int {
		defer plan.SetMostFitted(fitted)()
		p := lower.Lower(irtest.Random(rand.New(rand.NewPCG(seed, 5)), 200, 300))
		plan.Plan(p)
		return p.Arena
	}
	for _, fitted := range []int{0, 8} {
		arena, best := 0, 0
		for seed := range uint64(40) {
			arena, best = arena+size(seed, fitted), best+size(seed, 4096)
		}
		if 4*arena > 5*best {
			t.Errorf("with %d temporaries laid out largest first the arenas have %d bytes, with all of them %d", fitted, arena, best)
		}
	}
}

// TestPanicsTell checks that a panic of the planner says so.
func TestPanicsTell(t *testing.T) {
	defer func() {
		if p, ok := recover().(*ir.Panic); !ok || p.Stage != "planning" {
			t.Errorf("got the panic %v", p)
		}
	}()
	plan.Plan(&lower.Program{Steps: []*lower.Step{nil}})
}
