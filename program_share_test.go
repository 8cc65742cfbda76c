package tarn_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
)

// This file tests what runs share: results that are the caller's, programs in several goroutines, params that several programs
// assign, and runs that are canceled.

// TestManyGoroutines runs one program from 8 goroutines, in every way, each with inputs of its own: each must get its own results.
func TestManyGoroutines(t *testing.T) {
	const goroutines, runs, n = 8, 500, 33
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, n)
	program, err := tarn.Compile(g, tarn.Outputs{"double": x.Scale(2), "sum": x.Sum(), "x": x})
	if err != nil {
		t.Fatal(err)
	}
	type run func(in *tarn.Tensor) (tarn.Results, error)
	for _, tt := range []struct {
		name string
		make func() (run, error) // once for each goroutine
	}{
		{"Run", func() (run, error) {
			return func(in *tarn.Tensor) (tarn.Results, error) { return program.Run(in) }, nil
		}},
		{"RunContext", func() (run, error) {
			return func(in *tarn.Tensor) (tarn.Results, error) { return program.RunContext(t.Context(), in) }, nil
		}},
		{"RunInto", func() (run, error) {
			results := tarn.Results{}
			return func(in *tarn.Tensor) (tarn.Results, error) { return results, program.RunInto(t.Context(), results, in) }, nil
		}},
		{"RunTimed", func() (run, error) {
			results := tarn.Results{}
			return func(in *tarn.Tensor) (tarn.Results, error) {
				steps, err := program.RunTimed(t.Context(), results, in)
				if err == nil && len(steps) == 0 {
					err = errors.New("there are no steps")
				}
				return results, err
			}, nil
		}},
		{"Clone", func() (run, error) {
			c, err := program.Clone()
			return func(in *tarn.Tensor) (tarn.Results, error) { return c.Run(in) }, err
		}},
		{"deleting results", func() (run, error) {
			return func(in *tarn.Tensor) (tarn.Results, error) {
				out, err := program.Run(in)
				sum := out["sum"]
				delete(out, "sum")
				again, err2 := program.Run(in)
				again["sum"].SetFloat(0, again["sum"].Item()+sum.Item()-out["double"].Float(0)*n/2)
				return again, errors.Join(err, err2)
			}, nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all sync.WaitGroup
			for k := range goroutines {
				all.Go(func() {
					run, err := tt.make()
					if err != nil {
						t.Error(err)
						return
					}
					in := tarn.Zeros(tarn.F32, n)
					for i := range runs {
						v := float64(k*runs + i)
						for j := range n {
							in.SetFloat(j, v)
						}
						out, err := run(in)
						if err != nil {
							t.Error(err)
							return
						}
						if out["sum"].Item() != n*v || out["double"].Float(n-1) != 2*v || out["x"].Float(i%n) != v {
							t.Errorf("goroutine %d got the results of another: %v for %v", k, out["x"].Float(0), v)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// TestResultsAreTheCallers checks that results last, and what RunInto does with those that it is given.
func TestResultsAreTheCallers(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 3)
	p := tarn.NewParam(tarn.F64, nil, 3)
	q := tarn.NewParam(tarn.F64, nil, 3)
	if _, err := tarn.Params(map[string]*tarn.Param{"p": p, "q": q}); err != nil {
		t.Fatal(err)
	}
	program, err := tarn.Compile(g, tarn.Outputs{"a": x.AddNum(1).Add(p), "b": x.Flip(0), "s": x.Sum()}, tarn.Assign(q, x))
	if err != nil {
		t.Fatal(err)
	}
	one, two := tarn.Vector([]float64{1, 2, 3}), tarn.Vector([]float64{4, 5, 6})
	first, err := program.Run(one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := program.Run(two); err != nil {
		t.Fatal(err)
	}
	checkNear(t, "the first result after another run", first["a"], tarn.Vector([]float64{2, 3, 4}), 0)

	want := map[string]*tarn.Tensor{"a": tarn.Vector([]float64{5, 6, 7}), "b": tarn.Vector([]float64{6, 5, 4}), "s": tarn.Scalar(15.0)}
	shared := tarn.Vector([]float64{0, 0, 0, 0})
	part := func(from int) *tarn.Tensor {
		v, err := tarn.FromSlice(shared.F64()[from:from+3], 3)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	mine := tarn.Vector([]float64{7, 7, 7})
	for _, tt := range []struct {
		name    string
		results tarn.Results
		in      *tarn.Tensor
		wrong   string // in the error
	}{
		{"empty", tarn.Results{}, two, ""},
		{"of an earlier run", first, two, ""},
		{"one of the caller's", tarn.Results{"a": mine}, two, ""},
		{"one more", tarn.Results{"other": mine}, two, ""},
		{"another dtype", tarn.Results{"a": tarn.Zeros(tarn.F32, 3)}, two, ""},
		{"another shape", tarn.Results{"a": tarn.Zeros(tarn.F64, 4), "s": tarn.Zeros(tarn.F64, 1)}, two, ""},
		{"nil tensors", tarn.Results{"a": nil, "s": {}}, two, ""},
		{"the input", tarn.Results{"b": two}, two, ""},
		{"the input again", tarn.Results{"b": two}, two, ""},
		{"nil", nil, two, "the results are nil"},
		{"a param that is read", tarn.Results{"a": p.Tensor()}, one, `"a" lies in the memory of a param`},
		{"a param that is assigned", tarn.Results{"b": q.Tensor()}, one, `"b" lies in the memory of a param`},
		{"one twice", tarn.Results{"a": mine, "b": mine}, one, `"a" and "b" lie in the same memory`},
		{"one twice again", tarn.Results{"a": mine, "b": mine}, one, `"a" and "b" lie in the same memory`},
		{"two that overlap", tarn.Results{"a": part(0), "b": part(1)}, one, `"a" and "b" lie in the same memory`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			had := tt.results["a"]
			fits := had != nil && had.DType() == tarn.F64 && slices.Equal(had.Shape(), []int{3})
			runs := program.Runs()
			err := program.RunInto(t.Context(), tt.results, tt.in)
			if tt.wrong != "" {
				if err == nil || !strings.HasPrefix(err.Error(), "tarn: RunInto: ") || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("the error is %v, want one with %q", err, tt.wrong)
				}
				if program.Runs() != runs {
					t.Error("the run counts")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, w := range want {
				checkNear(t, name, tt.results[name], w, 0)
			}
			if fits && tt.results["a"] != had {
				t.Error("a tensor that fits was replaced")
			}
			copy(two.F64(), []float64{4, 5, 6})
		})
	}
}

// forever is a While that does not end, and would return x.
func forever(x *tarn.Value) *tarn.Value {
	return tarn.While([]*tarn.Value{x},
		func(c []*tarn.Value) *tarn.Value { return c[0].Eq(c[0]).All() },
		func(c []*tarn.Value) []*tarn.Value { return c })[0]
}

// TestCancel cancels runs that never end, wherever the loop is: the run returns the context's cause, no param has changed, and
// neither Runs nor the next run waits.
func TestCancel(t *testing.T) {
	scan := func(x *tarn.Value, steps int, body func(c *tarn.Value) *tarn.Value) *tarn.Value {
		last, _ := tarn.Scan([]*tarn.Value{x}, nil, tarn.ScanOptions{Steps: steps}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{body(c[0])}, nil
		})
		return last[0]
	}
	cond := func(x *tarn.Value, then func(in []*tarn.Value) []*tarn.Value) *tarn.Value {
		return tarn.Cond(x.Sum().Ge(tarn.Num(0)), []*tarn.Value{x}, then, func(in []*tarn.Value) []*tarn.Value { return in })[0]
	}
	one := func(f func(x *tarn.Value) *tarn.Value) func(in []*tarn.Value) []*tarn.Value {
		return func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{f(in[0])} }
	}
	for _, tt := range []struct {
		name  string
		build func(g *tarn.Graph, x *tarn.Value) *tarn.Value
	}{
		{"a while", func(g *tarn.Graph, x *tarn.Value) *tarn.Value { return forever(x) }},
		{"a while over constants", func(g *tarn.Graph, x *tarn.Value) *tarn.Value {
			return forever(g.Const(tarn.Vector([]float32{1, 2, 3}))).Add(x)
		}},
		{"a while that counts", func(g *tarn.Graph, x *tarn.Value) *tarn.Value {
			return tarn.While([]*tarn.Value{x}, func(c []*tarn.Value) *tarn.Value { return c[0].Sum().Ge(tarn.Num(-1)) },
				func(c []*tarn.Value) []*tarn.Value { return []*tarn.Value{c[0].Scale(0.5).Abs()} })[0]
		}},
		{"in a scan", func(g *tarn.Graph, x *tarn.Value) *tarn.Value { return scan(x, 3, forever) }},
		{"in a branch", func(g *tarn.Graph, x *tarn.Value) *tarn.Value { return cond(x, one(forever)) }},
		{"in a branch in a scan", func(g *tarn.Graph, x *tarn.Value) *tarn.Value {
			return scan(x, 2, func(c *tarn.Value) *tarn.Value { return cond(c, one(forever)) })
		}},
		{"in a while", func(g *tarn.Graph, x *tarn.Value) *tarn.Value {
			return tarn.While([]*tarn.Value{x}, func(c []*tarn.Value) *tarn.Value { return forever(c[0]).Sum().Ge(tarn.Num(0)) },
				func(c []*tarn.Value) []*tarn.Value { return c })[0]
		}},
		{"a scan of many steps", func(g *tarn.Graph, x *tarn.Value) *tarn.Value {
			return scan(x, 1<<40, func(c *tarn.Value) *tarn.Value { return c.Sin() })
		}},
	} {
		for _, engine := range []string{"", "reference", "check"} {
			for _, updates := range []bool{false, true} {
				if strings.HasPrefix(tt.name, "a scan") && updates {
					continue // a run that has begun to store updates is finished
				}
				t.Run(fmt.Sprint(tt.name, " ", engine, updates), func(t *testing.T) {
					t.Setenv("TARN_DEBUG", engine)
					g := tarn.NewGraph()
					p, q := tarn.NewParam(tarn.F32, nil, 3), tarn.NewParam(tarn.F32, nil, 3)
					y := tt.build(g, g.Input("x", tarn.F32, 3).Add(p))
					var assign []tarn.Update
					if updates {
						assign = []tarn.Update{tarn.Assign(p, y), tarn.Assign(q, q.Value(g).AddNum(1))}
					}
					program, err := tarn.Compile(g, tarn.Outputs{"y": y}, assign...)
					if err != nil {
						t.Fatal(err)
					}
					cause := errors.New("enough")
					ctx, cancel := context.WithCancelCause(t.Context())
					failed := make(chan error)
					for range 2 { // one of them waits for the other
						go func() {
							_, err := program.RunContext(ctx, tarn.Vector([]float32{1, 2, 3}))
							failed <- err
						}()
					}
					time.Sleep(5 * time.Millisecond)
					program.SetRuns(7)
					if n := program.Runs(); n != 7 {
						t.Errorf("%d runs are counted during the run, want 7", n)
					}
					cancel(cause)
					for range 2 {
						select {
						case err := <-failed:
							if !errors.Is(err, cause) {
								t.Errorf("the run ends with %v", err)
							}
						case <-time.After(30 * time.Second):
							t.Fatal("the run does not end")
						}
					}
					if p.Tensor().Float(1) != 0 || q.Tensor().Float(1) != 0 || program.Runs() != 7 {
						t.Errorf("the canceled run has left %v and %v, after %d runs", p.Tensor(), q.Tensor(), program.Runs())
					}
					if _, err := program.RunContext(ctx, tarn.Vector([]float32{1, 2, 3})); !errors.Is(err, cause) {
						t.Errorf("a run with a context that was canceled before gives %v", err)
					}
				})
			}
		}
	}
}

// TestCancelIsWhole cancels steps at any time: each has stored all updates, and counts, or none. One update can be stored long before the
// other, of params that are small, large, or both, and the step that goes on after a canceled one gives the bits of one that was never canceled.
func TestCancelIsWhole(t *testing.T) {
	const small, large = 64, 40_000
	for _, sizes := range [][2]int{{small, small}, {small, large}, {large, small}, {large, large}} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			g := tarn.NewGraph()
			early, late := tarn.NewParam(tarn.F32, nil, sizes[0]), tarn.NewParam(tarn.F32, nil, sizes[1])
			count, last := tarn.NewParam(tarn.I64, nil), tarn.NewParam(tarn.I64, nil)
			params := []*tarn.Param{early, late, count, last}
			turn := func(v *tarn.Value) *tarn.Value {
				last, _ := tarn.Scan([]*tarn.Value{v}, nil, tarn.ScanOptions{Steps: 10_000}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
					return []*tarn.Value{c[0].Sin().AddNum(0.001)}, nil
				})
				return last[0]
			}
			x := g.Input("x", tarn.F32, small)
			first := turn(x)
			program, err := tarn.Compile(g, tarn.Outputs{"y": late.Value(g).Sum()}, tarn.Assign(early, early.Value(g).Add(first.Sum())),
				tarn.Assign(late, late.Value(g).Scale(0.5).Add(turn(first).Sum())), tarn.Assign(count, count.Value(g).AddNum(1)), tarn.Assign(last, count.Value(g)))
			if err != nil {
				t.Fatal(err)
			}
			in := tarn.Zeros(tarn.F32, small)
			for i := range small {
				in.SetFloat(i, float64(i)/small)
			}
			var want []*tarn.Tensor // after each number of runs
			note := func() {
				for _, p := range params {
					want = append(want, p.Tensor().Clone())
				}
			}
			const steps = 20
			note()
			for range steps {
				if _, err := program.Run(in); err != nil {
					t.Fatal(err)
				}
				note()
			}
			for i, p := range params {
				if err := p.Set(want[i]); err != nil {
					t.Fatal(err)
				}
			}
			program.SetRuns(0)
			r := rand.New(rand.NewPCG(3, 4))
			canceled, most := 0, 5*time.Millisecond // the longest time until a run is canceled, shorter where none is
			for program.Runs() < steps {
				before := program.Runs()
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.Int64N(int64(most))))
				_, err := program.RunContext(ctx, in)
				cancel()
				if most = max(most/2, time.Microsecond); err != nil {
					most *= 3
				}
				switch {
				case err == nil && program.Runs() != before+1, err != nil && program.Runs() != before, err != nil && !errors.Is(err, context.DeadlineExceeded):
					t.Fatalf("%v, after %d runs and before %d", err, program.Runs(), before)
				case err != nil:
					canceled++
				}
				for i, p := range params {
					if d := p.Tensor().Diff(want[len(params)*int(program.Runs())+i], 0); d != "" {
						t.Fatalf("param %d after %d runs (%v): %s", i, program.Runs(), err, d)
					}
				}
			}
			if canceled == 0 {
				t.Error("no run was canceled")
			}
		})
	}
}

// TestTwoAssign runs programs at the same time. Two that assign one param are refused, whatever made them; others are not.
func TestTwoAssign(t *testing.T) {
	shared, other := tarn.NewParam(tarn.F32, nil, 2), tarn.NewParam(tarn.F32, nil, 2)
	if _, err := tarn.Params(map[string]*tarn.Param{"weight": shared, "bias": other}); err != nil {
		t.Fatal(err)
	}
	build := func(assign ...*tarn.Param) *tarn.Program {
		g := tarn.NewGraph()
		var updates []tarn.Update
		for _, p := range assign {
			updates = append(updates, tarn.Assign(p, p.Value(g).AddNum(1)))
		}
		program, err := tarn.Compile(g, tarn.Outputs{"y": shared.Value(g).Add(other)}, updates...)
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 2)
	endless, err := tarn.Compile(g, nil, tarn.Assign(shared, forever(x)))
	if err != nil {
		t.Fatal(err)
	}
	clone, err := endless.Clone()
	if err != nil {
		t.Fatal(err)
	}
	in := tarn.Zeros(tarn.F32, 2)
	for _, tt := range []struct {
		name    string
		program *tarn.Program
		in      []*tarn.Tensor
		refused bool
	}{
		{"another program", build(shared), nil, true},
		{"one that assigns another as well", build(other, shared), nil, true},
		{"a clone", clone, []*tarn.Tensor{in}, true},
		{"one that assigns another", build(other), nil, false},
		{"one that reads", build(), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				for {
					_, err := endless.RunContext(ctx, in)
					if err == nil || !strings.Contains(err.Error(), "another program") { // as the probe below
						ended <- err
						return
					}
				}
			}()
			probe := build(shared)
			for began := time.Now(); ; time.Sleep(time.Millisecond) {
				if _, err := probe.Run(); err != nil {
					break
				}
				if time.Since(began) > 30*time.Second {
					t.Fatal("no run is refused while another assigns the param")
				}
			}
			before, others := shared.Tensor().Clone(), other.Tensor().Clone()
			_, err := tt.program.RunContext(ctx, tt.in...)
			switch {
			case tt.refused && (err == nil || !strings.Contains(err.Error(), "another program is assigning the param weight f32[2]")):
				t.Errorf("the error is %v", err)
			case tt.refused && (!shared.Tensor().Equal(before, 0) || !other.Tensor().Equal(others, 0) || tt.program.Runs() != 0):
				t.Error("the run that was refused has an effect")
			case !tt.refused && err != nil:
				t.Error(err)
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if _, err := probe.Run(); err != nil {
				t.Errorf("after the run has ended: %v", err)
			}
		})
	}

	// No update of several goroutines is lost: each is stored, or an error.
	if err := shared.Set(tarn.Zeros(tarn.F32, 2)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var stored [4]int
	for k := range stored {
		program := build(shared)
		all.Go(func() {
			for range 2000 {
				if _, err := program.Run(); err == nil {
					stored[k]++
				}
			}
		})
	}
	all.Wait()
	if sum := stored[0] + stored[1] + stored[2] + stored[3]; shared.Tensor().Float(0) != float64(sum) {
		t.Errorf("%v updates were stored and the param is %v", stored, shared.Tensor())
	}
}

// TestEmptyResults runs a program whose outputs have no elements into results of all kinds.
func TestEmptyResults(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 0, 3)
	program, err := tarn.Compile(g, tarn.Outputs{"y": x.Sin(), "z": x.Exp(), "sum": x.Sum()})
	if err != nil {
		t.Fatal(err)
	}
	empty, err := tarn.FromSlice([]float32{}, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, results := range []tarn.Results{{}, {"y": empty}, {"y": empty, "z": empty}, {"y": {}}, {"sum": tarn.Scalar(float32(5))}} {
		for range 2 {
			if err := program.RunInto(t.Context(), results, empty); err != nil {
				t.Fatal(err)
			}
			if results["sum"].Item() != 0 || results["y"].Size() != 0 || results["z"].Size() != 0 {
				t.Errorf("the results are %v", results)
			}
		}
	}
}
