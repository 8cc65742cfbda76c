package tarn_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests programs from outside: what Compile and Run refuse, when assignments take effect, and the step.

func TestCompileErrors(t *testing.T) {
	g, other := tarn.NewGraph(), tarn.NewGraph()
	x := g.Input("x", tarn.F32, 2)
	p := tarn.NewParam(tarn.F32, nil, 2)
	if _, err := tarn.Params(map[string]*tarn.Param{"w": p}); err != nil {
		t.Fatal(err)
	}
	stranger := other.Input("y", tarn.F32, 2)
	tests := []struct {
		name    string
		outputs tarn.Outputs
		updates []tarn.Update
		want    string
	}{
		{"nothing", nil, nil, "neither outputs nor updates"},
		{"nil output", tarn.Outputs{"y": nil}, nil, "output \"y\" is nil or belongs to another graph"},
		{"another graph", tarn.Outputs{"y": stranger}, nil, "output \"y\" is nil or belongs to another graph"},
		{"assigned from nothing", nil, []tarn.Update{tarn.Assign(p, nil)}, "update 1 assigns to a nil param or from a nil value"},
		{"assigned to nothing", nil, []tarn.Update{tarn.Assign(nil, x)}, "update 1 assigns to a nil param or from a nil value"},
		{"assigned from another graph", nil, []tarn.Update{tarn.Assign(p, stranger)}, "the value assigned to param \"w\" belongs to another graph"},
		{"assigned twice", nil, []tarn.Update{tarn.Assign(p, x), tarn.Assign(p, x)}, "param \"w\" is assigned twice"},
		{"assigned another type", nil, []tarn.Update{tarn.Assign(p, x.Sum())}, "param \"w\" is f32[2] and cannot be assigned the f32[] made at program_test.go:"},
	}
	for _, tt := range tests {
		_, err := tarn.Compile(g, tt.outputs, tt.updates...)
		if err == nil || !strings.HasPrefix(err.Error(), "tarn: Compile: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: the error is %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

func TestRunErrors(t *testing.T) {
	g := tarn.NewGraph()
	x, unused, y := g.Input("x", tarn.F32, 2), g.Input("unused", tarn.F32, 3), g.Input("y", tarn.I32)
	p := tarn.NewParam(tarn.I64, nil)
	program, err := tarn.Compile(g, tarn.Outputs{"sum": x.Add(y.Cast(tarn.F32))}, tarn.Assign(p, g.Runs().AddNum(1)))
	if err != nil {
		t.Fatal(err)
	}
	if got := program.Inputs(); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("the inputs are %v; %q is not needed", got, unused)
	}
	one, two, three := tarn.Scalar(int32(1)), tarn.Vector([]float32{1, 2}), tarn.Vector([]float32{1, 2, 3})
	tests := []struct {
		name string
		in   []*tarn.Tensor
		want string
	}{
		{"too few", []*tarn.Tensor{two}, "1 inputs are given, the program takes 2: x, y; no output or update depends on unused, so either leave out what is not needed or give all 3 inputs of the graph"},
		{"none", nil, "0 inputs are given, the program takes 2: x, y"},
		{"too many", []*tarn.Tensor{two, two, two, two}, "4 inputs are given, the program takes 2: x, y"},
		{"all, one nil", []*tarn.Tensor{two, three, nil}, "input \"y\" is nil"},
		{"all, in another order", []*tarn.Tensor{two, one, three}, "input \"unused\", which the program does not need, is i32[] and was declared f32[3]"},
		{"all, a shape", []*tarn.Tensor{three, three, one}, "input \"x\" is f32[3] and was declared f32[2]"},
		{"nil", []*tarn.Tensor{two, nil}, "input \"y\" is nil"},
		{"dtype", []*tarn.Tensor{two, tarn.Scalar(float32(1))}, "input \"y\" is f32[] and was declared i32[]"},
		{"shape", []*tarn.Tensor{tarn.Vector([]float32{1}), one}, "input \"x\" is f32[1] and was declared f32[2]"},
	}
	for _, tt := range tests {
		if _, err := program.Run(tt.in...); err == nil || !strings.HasPrefix(err.Error(), "tarn: Run: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: the error is %v, want one with %q", tt.name, err, tt.want)
		}
	}
	if program.Runs() != 0 || p.Tensor().Item() != 0 {
		t.Errorf("a run that was refused counts: step %d, param %v", program.Runs(), p.Tensor())
	}
	out, err := program.Run(two, one)
	if err != nil {
		t.Fatal(err)
	}
	checkNear(t, "the sum", out["sum"], tarn.Vector([]float32{2, 3}), 0)
	for _, all := range [][]*tarn.Tensor{{two, three, one}, {two, nil, one}} {
		if out, err = program.Run(all...); err != nil {
			t.Fatal(err)
		}
		checkNear(t, "the sum of all inputs", out["sum"], tarn.Vector([]float32{2, 3}), 0)
	}
}

// TestRunWithoutInputs runs programs that need no input of their graph, or whose graph has none.
func TestRunWithoutInputs(t *testing.T) {
	x := tarn.Vector([]float32{1, 2})
	for _, c := range []struct {
		name     string
		declared int
		accepts  []int
		want     string // of the error for 5 inputs
	}{
		{"no inputs", 0, []int{0}, "tarn: Run: 5 inputs are given, the program takes none"},
		{"one that folds away", 1, []int{0, 1}, "5 inputs are given, the program takes none; no output or update depends on x0, so either leave out what is not needed or give all 1 inputs of the graph"},
		{"three that fold away", 3, []int{0, 3}, "the program takes none; no output or update depends on x0, x1, x2, so"},
	} {
		g := tarn.NewGraph()
		for i := range c.declared {
			g.Input(fmt.Sprint("x", i), tarn.F32, 2)
		}
		program, err := tarn.Compile(g, tarn.Outputs{"one": g.Const(tarn.Scalar(float32(1)))})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 6 {
			_, err := program.Run(slices.Repeat([]*tarn.Tensor{x}, n)...)
			if accepted := slices.Contains(c.accepts, n); (err == nil) != accepted {
				t.Errorf("%s: %d inputs: %v", c.name, n, err)
			} else if n == 5 && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
		}
	}
}

// TestAssignReadsOldContents exchanges two params, and counts in a third that is an output as well.
func TestAssignReadsOldContents(t *testing.T) {
	a, b, n := tarn.NewParam(tarn.F32, nil, 3), tarn.NewParam(tarn.F32, nil, 3), tarn.NewParam(tarn.I64, nil)
	for i := range 3 {
		a.Tensor().SetFloat(i, float64(i))
		b.Tensor().SetFloat(i, float64(10+i))
	}
	g := tarn.NewGraph()
	program, err := tarn.Compile(g, tarn.Outputs{"n": n.Value(g), "sum": a.Value(g).Add(b)},
		tarn.Assign(a, b.Value(g)), tarn.Assign(b, a.Value(g)), tarn.Assign(n, n.Value(g).AddNum(1)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		out, err := program.Run()
		if err != nil {
			t.Fatal(err)
		}
		if out["n"].Item() != float64(i) {
			t.Errorf("run %d gives the count %v", i, out["n"])
		}
		checkNear(t, "the sum", out["sum"], tarn.Vector([]float32{10, 12, 14}), 0)
	}
	checkNear(t, "a", a.Tensor(), tarn.Vector([]float32{10, 11, 12}), 0)
	checkNear(t, "b", b.Tensor(), tarn.Vector([]float32{0, 1, 2}), 0)
	if n.Tensor().Item() != 3 {
		t.Errorf("the count is %v", n.Tensor())
	}
}

func TestStep(t *testing.T) {
	g := tarn.NewGraph()
	program, err := tarn.Compile(g, tarn.Outputs{"step": g.Runs(), "noise": g.Uniform(tarn.F32, 0, 1, 4)})
	if err != nil {
		t.Fatal(err)
	}
	var noise []*tarn.Tensor
	for i := range 4 {
		if i == 3 {
			program.SetRuns(1)
		}
		out, err := program.Run()
		if err != nil {
			t.Fatal(err)
		}
		if want := []float64{0, 1, 2, 1}[i]; out["step"].Item() != want {
			t.Errorf("run %d sees step %v, want %v", i, out["step"], want)
		}
		noise = append(noise, out["noise"].Clone())
	}
	if program.Runs() != 2 {
		t.Errorf("the step after all is %d", program.Runs())
	}
	checkNear(t, "the numbers of step 1 drawn again", noise[3], noise[1], 0)
	if noise[0].Equal(noise[1], 0) || noise[1].Equal(noise[2], 0) {
		t.Error("two steps draw the same numbers")
	}
}

// TestRunTogether runs one program from several goroutines: each run is whole.
func TestRunTogether(t *testing.T) {
	n := tarn.NewParam(tarn.I64, nil)
	g := tarn.NewGraph()
	program, err := tarn.Compile(g, nil, tarn.Assign(n, n.Value(g).AddNum(1)))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if _, err := program.Run(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n.Tensor().Item() != 200 || program.Runs() != 200 {
		t.Errorf("200 runs count to %v, step %d", n.Tensor(), program.Runs())
	}
}

// TestRandomStreams checks that a stream goes on, that streams of other names differ, and that all is the same each time.
func TestRandomStreams(t *testing.T) {
	draw := func(name string) (*tarn.Tensor, *tarn.Tensor, []int, []int) {
		r := tarn.NewRandom(9, name)
		x, y := tarn.Zeros(tarn.F32, 500), tarn.Zeros(tarn.F64, 500)
		r.TruncatedNormal(x, 3, 2, 1.5)
		r.TruncatedNormal(y, 3, 2, 1.5)
		return x, y, r.Perm(20), r.Perm(20)
	}
	x, y, p, q := draw("a")
	x2, y2, p2, q2 := draw("a")
	other, _, _, _ := draw("b")
	if !x.Equal(x2, 0) || !y.Equal(y2, 0) || !slices.Equal(p, p2) || !slices.Equal(q, q2) {
		t.Error("the same stream gives other numbers")
	}
	if x.Equal(other, 0) || x.Equal(y.Cast(tarn.F32), 1e-6) || slices.Equal(p, q) {
		t.Error("two draws give the same numbers")
	}
	for i := range 500 {
		if v := y.Float(i); v < 0 || v > 6 {
			t.Errorf("a number is %v, beyond 1.5 deviations of 2 from 3", v)
		}
	}
	slices.Sort(p)
	for i, v := range p {
		if i != v {
			t.Fatalf("a permutation holds %v", p)
		}
	}
}

// TestMistakeOfAnotherGraph checks that what failed in one graph is reported by another that was given it.
func TestMistakeOfAnotherGraph(t *testing.T) {
	g, other := tarn.NewGraph(), tarn.NewGraph()
	x, wrong := g.Input("x", tarn.F32, 2), other.Input("y", tarn.F32, 2).Sum(7)
	y := tarn.JVP(x, []*tarn.Value{x}, []*tarn.Value{wrong})
	if _, err := tarn.Compile(g, tarn.Outputs{"y": y}); err == nil || !strings.Contains(err.Error(), "Sum: axis 7 is not an axis") {
		t.Errorf("the error is %v; it should be the mistake of the other graph", err)
	}
}

// TestRunEach takes outputs as soon as a run has completed them, and overwrites them: the others are as those of a plain run.
func TestRunEach(t *testing.T) {
	g := tarn.NewGraph()
	x, w, v := g.Input("x", tarn.F32, 5, 7), tarn.NewParam(tarn.F32, nil, 7, 6), tarn.NewParam(tarn.F32, nil, 6, 4)
	for i, p := range []*tarn.Param{w, v} {
		tarn.NewRandom(1, fmt.Sprint(i)).Normal(p.Tensor(), 0, 1)
	}
	hidden := x.MatMul(w).ReLU()
	loss := hidden.MatMul(v).Square().Mean()
	d := tarn.Grad(loss, w, v)
	// The gradient with respect to hidden is needed for that with respect to w.
	outputs := tarn.Outputs{"loss": loss, "w": d[0], "v": d[1], "hidden": tarn.Grad(loss, hidden)[0], "x": x.Scale(1)}
	program, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	order := program.OutputOrder()
	if len(order) != len(outputs) || slices.Index(order, "v") > slices.Index(order, "w") || slices.Index(order, "loss") > slices.Index(order, "w") {
		t.Errorf("the order is %v", order)
	}
	in := tarn.Zeros(tarn.F32, 5, 7)
	tarn.NewRandom(2, "").Normal(in, 0, 1)
	want, err := program.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	results, got := tarn.Results{}, tarn.Results{}
	var called []string
	for range 2 {
		called = nil
		err := program.RunEach(t.Context(), results, func(name string) {
			called, got[name] = append(called, name), results[name].Clone()
			clear(results[name].F32())
		}, in)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(called, order) {
			t.Errorf("called for %v, and the order is %v", called, order)
		}
		for name := range want {
			if !slices.Equal(got[name].F32(), want[name].F32()) {
				t.Errorf("%s: got %v, want %v", name, got[name], want[name])
			}
		}
	}
	if err := program.RunEach(t.Context(), nil, func(string) {}, in); err == nil || !strings.Contains(err.Error(), "the results are nil") {
		t.Errorf("without results: %v", err)
	}
}

// TestRunTogetherAgrees runs two programs that update a param each: if one of them fails, before it stores anything or by what it would store, neither stores anything.
func TestRunTogetherAgrees(t *testing.T) {
	inf := float32(math.Inf(1))
	steps := [][2]float32{{1, 2}, {inf, 1}, {3e38, 3e38}, {1, 3e38}, {2e38, 1}, {1, 1e38}, {3e38, inf}, {-1e38, 1}}
	sums := [2]float32{}
	var stored [][2]float32 // after each step; the same as before if one of the sums is not finite
	for _, x := range steps {
		if a, b := sums[0]+x[0], sums[1]+x[1]; a < inf && b < inf {
			sums = [2]float32{a, b}
		}
		stored = append(stored, sums)
	}
	for _, debug := range []string{"", "check", "reference", "nan"} {
		t.Setenv("TARN_DEBUG", debug)
		links := [2]chan int{make(chan int, 1), make(chan int, 1)}
		var all sync.WaitGroup
		for me := range 2 {
			p, g := tarn.NewParam(tarn.F32, nil, 5), tarn.NewGraph()
			program, err := tarn.Compile(g, nil, tarn.Assign(p, p.Value(g).Add(g.Input("x", tarn.F32, 5))), tarn.Guard(g.Num(tarn.F32, 1)))
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				results := tarn.Results{}
				for i, x := range steps {
					in := tarn.Zeros(tarn.F32, 5)
					in.SetFloat(3, float64(x[me]))
					err := program.RunTogether(context.Background(), results, func(mine int) (int, error) {
						links[me] <- mine
						return max(mine, <-links[1-me]), nil
					}, in)
					var found *tarn.NonFiniteError
					failed := i > 0 && stored[i] == stored[i-1]
					if failed != (errors.As(err, &found) || errors.Is(err, tarn.ErrElsewhere)) || !failed && err != nil {
						t.Errorf("TARN_DEBUG=%s: step %d of program %d: %v", debug, i, me, err)
					}
					if got := p.Tensor().Float(3); got != float64(stored[i][me]) {
						t.Errorf("TARN_DEBUG=%s: after step %d program %d has %v, want %v", debug, i, me, got, stored[i][me])
					}
				}
				if n := program.Runs(); n != 3 {
					t.Errorf("TARN_DEBUG=%s: %d runs count, want 3", debug, n)
				}
			})
		}
		all.Wait()
	}
}
