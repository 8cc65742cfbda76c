package tarn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/alloctest"
)

// The cases of the loops and the branch.

// recurrence is a small recurrent network: a state and a count are carried; the second operand is captured, as a matrix and, summed,
// as a vector that is added.
func recurrence(o tarn.ScanOptions) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value {
		w := in[1]
		last, stacks := tarn.Scan([]*tarn.Value{in[2], in[0].Graph().Num(tarn.I32, 0)}, in[:1], o, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
			h := xs[0].Add(carries[0].MatMul(w)).Add(w.Sum(0)).Tanh()
			n := carries[1].Add(tarn.Num(1))
			return []*tarn.Value{h, n}, []*tarn.Value{h.Mul(carries[0]), h, n.Cast(h.DType())}
		})
		return last[0].Add(last[1].Cast(w.DType())).Add(stacks[0].Sum(0)).Add(stacks[1].Square().Sum(0)).Add(stacks[2].Mean())
	}
}

// nestedScan is a scan in a scan.
func nestedScan(in ...*tarn.Value) *tarn.Value {
	last, _ := tarn.Scan(in[1:], in[:1], tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		inner, _ := tarn.Scan(carries, xs, tarn.ScanOptions{Reverse: true}, func(deep, parts []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{deep[0].Mul(parts[0]).Sin().Add(carries[0])}, nil
		})
		return inner, nil
	})
	return last[0]
}

// innerScan is a scan in a scan whose operands all come from outside of both, as of an inner network that begins at an outer state. Its body
// reads what the outer body has computed.
func innerScan(in ...*tarn.Value) *tarn.Value {
	parts, state := in[0], in[1]
	last, stacks := tarn.Scan([]*tarn.Value{state}, []*tarn.Value{parts}, tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		scale := carries[0].Mul(xs[0]).Sin()
		inner, _ := tarn.Scan([]*tarn.Value{state}, []*tarn.Value{parts}, tarn.ScanOptions{}, func(deep, parts []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{deep[0].Mul(scale).Add(parts[0]).Tanh()}, nil
		})
		// This one is the same in every step, and stands outside.
		steady, _ := tarn.Scan([]*tarn.Value{state}, []*tarn.Value{parts}, tarn.ScanOptions{}, func(deep, parts []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{deep[0].Mul(parts[0]).Sin().Add(state)}, nil
		})
		return []*tarn.Value{inner[0].Add(steady[0])}, []*tarn.Value{inner[0].Mul(steady[0])}
	})
	return last[0].Add(stacks[0].Sum(0))
}

// innerCond is a branch in a scan whose operands all come from outside. A function of it holds a loop of values from outside.
func innerCond(in ...*tarn.Value) *tarn.Value {
	parts, state := in[0], in[1]
	last, _ := tarn.Scan([]*tarn.Value{state}, []*tarn.Value{parts}, tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		return tarn.Cond(state.Sum().Gt(tarn.Num(0)), []*tarn.Value{state}, func(in []*tarn.Value) []*tarn.Value {
			inner, _ := tarn.Scan([]*tarn.Value{state}, []*tarn.Value{parts}, tarn.ScanOptions{}, func(deep, parts []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{deep[0].Mul(parts[0]).Sin().Add(carries[0])}, nil
			})
			return inner
		}, func(in []*tarn.Value) []*tarn.Value {
			return []*tarn.Value{in[0].Add(carries[0].Mul(xs[0]).Cos())}
		}), nil
	})
	return last[0]
}

// innerWhile is a While in a scan whose operands all come from outside: it adds what the outer body has computed, three times. It has no
// gradient.
func innerWhile(in ...*tarn.Value) *tarn.Value {
	parts, state := in[0].StopGradient(), in[1].StopGradient()
	last, _ := tarn.Scan([]*tarn.Value{state}, []*tarn.Value{parts}, tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		sum := tarn.While([]*tarn.Value{state, state.Num(0)}, func(deep []*tarn.Value) *tarn.Value {
			return deep[1].Lt(xs[0].Mean().Abs().Add(tarn.Num(2)))
		}, func(deep []*tarn.Value) []*tarn.Value {
			return []*tarn.Value{deep[0].Add(carries[0].Mul(xs[0])), deep[1].AddNum(1)}
		})[0]
		return []*tarn.Value{sum.StopGradient()}, nil
	})
	return last[0]
}

// forgetfulScan is a scan whose body is computed again in the backward pass.
func forgetfulScan(in ...*tarn.Value) *tarn.Value {
	last, _ := tarn.Scan(in[2:], in[:1], tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		return []*tarn.Value{tarn.Checkpoint(func(block ...*tarn.Value) *tarn.Value {
			return block[0].MatMul(in[1]).Tanh().Add(block[1]).Sin()
		}, carries[0], xs[0])}, nil
	})
	return last[0]
}

// untilLarge doubles until the sum of the squares is large.
func untilLarge(in ...*tarn.Value) *tarn.Value {
	limit := in[0].Num(100)
	return tarn.While(in, func(carries []*tarn.Value) *tarn.Value {
		return carries[0].Square().Sum().Lt(limit)
	}, func(carries []*tarn.Value) []*tarn.Value {
		return []*tarn.Value{carries[0].Scale(2).Add(tarn.Num(1))}
	})[0]
}

// chosen takes one function where the sum is positive, and another where it is not.
func chosen(in ...*tarn.Value) *tarn.Value {
	x, w := in[0], in[1]
	return tarn.Cond(x.Sum().Gt(tarn.Num(0)), in, func(in []*tarn.Value) []*tarn.Value {
		return []*tarn.Value{in[0].Sin().MatMul(in[1])}
	}, func(in []*tarn.Value) []*tarn.Value {
		return []*tarn.Value{in[0].Exp().MatMul(w).Mul(in[0].Sum())}
	})[0]
}

var _ = register(
	opCase{op: "func Scan", build: recurrence(tarn.ScanOptions{}), in: []operand{between(-1, 1), between(-0.8, 0.8), between(-1, 1)},
		shapes: [][][]int{{{4, 2, 3}, {3, 3}, {2, 3}}, {{1, 1, 1}, {1, 1}, {1, 1}}, {{5, 1, 3}, {3, 3}, {1, 3}}}}.within(10),
	opCase{op: "func Scan", form: "reverse", build: recurrence(tarn.ScanOptions{Reverse: true}), in: []operand{between(-1, 1), between(-0.8, 0.8), between(-1, 1)},
		shapes: [][][]int{{{3, 2, 3}, {3, 3}, {2, 3}}}}.within(10),
	opCase{op: "func Scan", form: "nested", build: nestedScan, in: []operand{between(-1, 1), between(-1, 1)},
		shapes: [][][]int{{{2, 3, 2}, {2}}}}.within(10),
	opCase{op: "func Scan", form: "of outer operands in a scan", build: innerScan, in: []operand{between(-1, 1), between(-1, 1)},
		shapes: [][][]int{{{3, 2}, {2}}, {{1, 1}, {1}}}}.within(10),
	opCase{op: "func Cond", form: "of outer operands in a scan", build: innerCond, in: []operand{between(-1, 1), between(0.2, 1)},
		shapes: [][][]int{{{3, 2}, {2}}}}.within(10),
	opCase{op: "func Cond", form: "of outer operands in a scan, otherwise", build: innerCond, in: []operand{between(-1, 1), between(-1, -0.2)},
		shapes: [][][]int{{{3, 2}, {2}}}}.within(10),
	opCase{op: "func While", form: "of outer operands in a scan", build: innerWhile, in: []operand{between(0.2, 0.8), between(-1, 1)},
		shapes: [][][]int{{{3, 2}, {2}}}, flat: true},
	opCase{op: "func Scan", form: "checkpointed", build: forgetfulScan, in: []operand{between(-1, 1), between(-0.8, 0.8), between(-1, 1)},
		shapes: [][][]int{{{3, 2, 3}, {3, 3}, {2, 3}}}}.within(10),
	opCase{op: "func Scan", form: "empty", build: func(in ...*tarn.Value) *tarn.Value {
		last, stacks := tarn.Scan(in[1:], in[:1], tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{carries[0].Mul(xs[0])}, xs
		})
		return last[0].Add(stacks[0].Sum(0))
	}, in: []operand{between(-1, 1), between(-1, 1)}, shapes: [][][]int{{{0, 3}, {3}}, {{3, 0}, {0}}}},
	opCase{op: "func While", build: func(in ...*tarn.Value) *tarn.Value { return untilLarge(in...).StopGradient() }, in: []operand{between(0.5, 1)}, shapes: [][][]int{{{2, 3}}, {{1}}}, flat: true},
	opCase{op: "func Scan", form: "products of what differs from step to step", build: func(in ...*tarn.Value) *tarn.Value {
		last, _ := tarn.Scan(in[:1], in[1:], tarn.ScanOptions{}, func(c, xs []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{c[0].MatMul(xs[0]).Add(xs[0].MatMul(c[0])).Tanh()}, nil
		})
		return last[0]
	}, in: []operand{between(-1, 1), between(-1, 1)}, shapes: [][][]int{{{3, 3}, {4, 3, 3}}, {{1, 1}, {2, 1, 1}}}}.within(100),
	opCase{op: "func Cond", build: chosen, in: []operand{between(0.2, 1), between(-1, 1)}, shapes: [][][]int{{{2, 3}, {3, 2}}}}.within(10),
	opCase{op: "func Cond", form: "otherwise", build: chosen, in: []operand{between(-1, -0.2), between(-1, 1)}, shapes: [][][]int{{{2, 3}, {3, 2}}}}.within(10),
)

// once is a scan whose body is given.
func once(body func(carries, xs []*tarn.Value) (next, ys []*tarn.Value)) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value {
		last, _ := tarn.Scan(in[:1], in[1:], tarn.ScanOptions{}, body)
		return last[0]
	}
}

var _ = refuse(
	refused("func Scan", once(func(c, xs []*tarn.Value) (next, ys []*tarn.Value) { return c, xs }), "operand 3 is f32[3] and should have 2 slices along axis 0", f32(3), f32(2, 3), f32(3)),
	refused("func Scan", once(func(c, xs []*tarn.Value) (next, ys []*tarn.Value) { return c, xs }), "operand 2 is a scalar, which has no slices", f32(3), f32()),
	refused("func Scan", once(func(c, xs []*tarn.Value) (next, ys []*tarn.Value) { return []*tarn.Value{c[0].Sum()}, nil }), "carry 1 begins as f32[3] and is f32[] after a step", f32(3), f32(2, 3)),
	refused("func Scan", once(func(c, xs []*tarn.Value) (next, ys []*tarn.Value) { return xs, c }), "the body gives 2 carries and is given 1", f32(3), f32(2, 3), f32(2)),
	refused("func Scan", once(func(c, xs []*tarn.Value) (next, ys []*tarn.Value) { return []*tarn.Value{nil}, nil }), "result 1 of the body is nil", f32(3), f32(2, 3)),
	refused("func Scan", once(func(c, xs []*tarn.Value) (next, ys []*tarn.Value) { return []*tarn.Value{c[0].MatMul(xs[0])}, nil }), "inner sizes", f32(3, 3), f32(2, 2, 3)),
	refused("func While", func(in ...*tarn.Value) *tarn.Value {
		return tarn.While(in, func(c []*tarn.Value) *tarn.Value { return c[0] }, func(c []*tarn.Value) []*tarn.Value { return c })[0]
	}, "the condition is f32[3] and should be a bool scalar", f32(3)),
	refused("func While", func(in ...*tarn.Value) *tarn.Value {
		return tarn.Grad(untilLarge(in...).Sum(), in[0])[0]
	}, "a While has no gradient", f32(3)),
	refused("func Cond", func(in ...*tarn.Value) *tarn.Value {
		f := func(in []*tarn.Value) []*tarn.Value { return in }
		return tarn.Cond(in[0], in[1:], f, f)[0]
	}, "the predicate is f32[] and should be a bool scalar", f32(), f32(3)),
	refused("func Cond", func(in ...*tarn.Value) *tarn.Value {
		return tarn.Cond(in[0], in[1:], func(in []*tarn.Value) []*tarn.Value { return in }, func(in []*tarn.Value) []*tarn.Value {
			return []*tarn.Value{in[0].Sum()}
		})[0]
	}, "value 1 is f32[3] from one function and f32[] from the other", bool_(), f32(3)),
)

// TestScanOfParams checks that params and values from outside are captured, in bodies of bodies too, and get gradients.
func TestScanOfParams(t *testing.T) {
	w := tarn.NewParam(tarn.F64, nil, 2)
	if err := w.Set(tarn.Vector([]float64{0.5, 2})); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x := g.Const(tarn.Vector([]float64{1, 2, 3}))
	outside := w.Value(g).Scale(2)
	last, _ := tarn.Scan([]*tarn.Value{w.Value(g)}, []*tarn.Value{x}, tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		inner, _ := tarn.Scan(carries, nil, tarn.ScanOptions{Steps: 2}, func(deep, _ []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{outside.Mul(deep[0]).Add(w.Value(deep[0].Graph())).Add(xs[0])}, nil
		})
		return inner, nil
	})
	loss := last[0].Sum()
	out := compare(t, g, tarn.Outputs{"loss": loss, "dw": tarn.Grad(loss, w)[0]}, nil)
	// By hand, element by element: h -> 2 w h + w + x, twice for each x.
	want, slope := 0.0, []float64{}
	for _, w := range []float64{0.5, 2} {
		h, d := w, 1.0
		for _, x := range []float64{1, 2, 3} {
			for range 2 {
				h, d = 2*w*h+w+x, 2*h+2*w*d+1
			}
		}
		want += h
		slope = append(slope, d)
	}
	if diff := out["dw"].Diff(tarn.Vector(slope), 1e-12); diff != "" || out["loss"].Item() != want {
		t.Errorf("loss %v, want %v; gradient: %s", out["loss"].Item(), want, diff)
	}
}

// TestRandomInScan checks that every step draws other numbers, in each run others, and that the gradient sees the same ones.
func TestRandomInScan(t *testing.T) {
	g := tarn.NewGraph()
	zero := g.Num(tarn.F64, 0).Expand(4)
	x := g.Input("x", tarn.F64, 4)
	last, stacks := tarn.Scan([]*tarn.Value{zero}, nil, tarn.ScanOptions{Steps: 3}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
		noise := carries[0].Graph().Uniform(tarn.F64, 0, 1, 4)
		return []*tarn.Value{carries[0].Add(noise.Mul(x))}, []*tarn.Value{noise}
	})
	d := tarn.Grad(last[0].Sum(), x)[0]
	p, err := tarn.Compile(g, tarn.Outputs{"noise": stacks[0], "d": d})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[float64]bool{}
	for range 2 {
		out, err := p.Run(tarn.Vector([]float64{1, 2, 3, 4}))
		if err != nil {
			t.Fatal(err)
		}
		noise := out["noise"].F64()
		for i, d := range out["d"].F64() {
			if sum := noise[i] + noise[4+i] + noise[8+i]; d-sum > 1e-12 || sum-d > 1e-12 {
				t.Errorf("the gradient is %v and the sum of the draws %v", d, sum)
			}
		}
		for _, x := range noise {
			if seen[x] {
				t.Errorf("%v is drawn twice", x)
			}
			seen[x] = true
		}
	}
}

// TestRandomInLoops checks that all steps of a loop and all runs draw different numbers, in loops in loops and branches in loops too. A
// While counts its steps up to 1 << 32, so that also the last step of a run and the first of the next are apart.
func TestRandomInLoops(t *testing.T) {
	draw := func(g *tarn.Graph) *tarn.Value { return g.Uniform(tarn.F64, 0, 1) }
	scan := func(steps int, f func(g *tarn.Graph) *tarn.Value) func(g *tarn.Graph) *tarn.Value {
		return func(g *tarn.Graph) *tarn.Value {
			_, stacks := tarn.Scan([]*tarn.Value{g.Num(tarn.F64, 0)}, nil, tarn.ScanOptions{Steps: steps}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return c, []*tarn.Value{f(c[0].Graph())}
			})
			return stacks[0].Reshape(-1)
		}
	}
	while := func(steps int, f func(g *tarn.Graph) *tarn.Value) func(g *tarn.Graph) *tarn.Value {
		return func(g *tarn.Graph) *tarn.Value {
			size := f(tarn.NewGraph()).Size()
			last := tarn.While([]*tarn.Value{g.Num(tarn.I64, 0), g.Num(tarn.F64, 0).Expand(steps, size)}, func(c []*tarn.Value) *tarn.Value {
				return c[0].Lt(tarn.Num(steps))
			}, func(c []*tarn.Value) []*tarn.Value {
				row := c[0].OneHot(steps, tarn.F64).Unsqueeze(1).Mul(f(c[0].Graph()).Reshape(1, size))
				return []*tarn.Value{c[0].AddNum(1), c[1].Add(row)}
			})
			return last[1].Reshape(-1)
		}
	}
	branch := func(f func(g *tarn.Graph) *tarn.Value) func(g *tarn.Graph) *tarn.Value {
		return func(g *tarn.Graph) *tarn.Value {
			f := func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{f(in[0].Graph())} }
			one := g.Num(tarn.F64, 1)
			return tarn.Cond(one.Gt(tarn.Num(0)), []*tarn.Value{one}, f, f)[0]
		}
	}
	for name, f := range map[string]func(g *tarn.Graph) *tarn.Value{
		"scan": scan(4, draw), "while": while(4, draw), "branch in a while": while(4, branch(draw)), "scan in a scan": scan(3, scan(4, draw)),
		"while in a scan": scan(3, while(4, draw)), "scan in a while": while(3, scan(4, draw)), "while in a while": while(3, while(4, draw)),
	} {
		g := tarn.NewGraph()
		y := f(g)
		p, err := tarn.Compile(g, tarn.Outputs{"y": y})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen := map[float64]bool{}
		for range 5 {
			out, err := p.Run()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, x := range out["y"].F64() {
				if seen[x] || x == 0 {
					t.Errorf("%s: %v is drawn twice", name, x)
				}
				seen[x] = true
			}
		}
	}
}

// TestInnerLoopsStand checks where a loop in a body stands that is given values from outside: in the innermost body that it needs, but never
// outside of a branch, so that it is not computed if that is not taken.
func TestInnerLoopsStand(t *testing.T) {
	scan := func(state *tarn.Value, captured *tarn.Value) *tarn.Value {
		last, _ := tarn.Scan([]*tarn.Value{state}, nil, tarn.ScanOptions{Steps: 2}, func(deep, _ []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{deep[0].Mul(captured)}, nil
		})
		return last[0]
	}
	while := func(state *tarn.Value, captured *tarn.Value) *tarn.Value {
		return tarn.While([]*tarn.Value{state}, func(deep []*tarn.Value) *tarn.Value { return deep[0].Sum().Lt(captured.Sum()) },
			func(deep []*tarn.Value) []*tarn.Value { return []*tarn.Value{deep[0].AddNum(1)} })[0]
	}
	cond := func(state *tarn.Value, captured *tarn.Value) *tarn.Value {
		f := func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Mul(captured)} }
		return tarn.Cond(state.Sum().Gt(tarn.Num(0)), []*tarn.Value{state}, f, f)[0]
	}
	random := func(state *tarn.Value, _ *tarn.Value) *tarn.Value {
		last, _ := tarn.Scan([]*tarn.Value{state}, nil, tarn.ScanOptions{Steps: 2}, func(deep, _ []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{deep[0].Add(deep[0].Graph().Uniform(tarn.F64, 0, 1, 2))}, nil
		})
		return last[0]
	}
	for _, tt := range []struct {
		name     string
		loop     func(state, captured *tarn.Value) *tarn.Value
		captured string // "outer", "middle" or "inner": the graph that the value belongs to
		branch   bool   // the innermost body is of a branch, not of a loop
		want     string
	}{
		{"Scan", scan, "outer", false, "outer"},
		{"Scan", scan, "middle", false, "middle"},
		{"Scan", scan, "inner", false, "inner"},
		{"While", while, "outer", false, "outer"},
		{"While", while, "middle", false, "middle"},
		{"While", while, "inner", false, "inner"},
		{"Cond", cond, "outer", false, "outer"},
		{"Cond", cond, "middle", false, "middle"},
		{"Cond", cond, "inner", false, "inner"},
		{"Scan in a branch", scan, "outer", true, "inner"},
		{"While in a branch", while, "middle", true, "inner"},
		{"Scan with random numbers", random, "outer", false, "inner"}, // which differ from step to step
	} {
		t.Run(tt.name+"/"+tt.captured, func(t *testing.T) {
			g := tarn.NewGraph()
			state, xs := g.Input("state", tarn.F64, 2), g.Input("xs", tarn.F64, 3, 2)
			values := map[string]*tarn.Value{"outer": state.Exp()}
			stands := ""
			inner := func(x *tarn.Value) []*tarn.Value {
				values["inner"] = x.Exp()
				y := tt.loop(state, values[tt.captured])
				for name, v := range values {
					if y.Graph() == v.Graph() {
						stands = name
					}
				}
				return []*tarn.Value{x.Add(y)}
			}
			last, _ := tarn.Scan([]*tarn.Value{state}, []*tarn.Value{xs}, tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
				values["middle"] = carries[0].Exp()
				if tt.branch {
					return tarn.Cond(xs[0].Sum().Gt(tarn.Num(0)), carries, func(in []*tarn.Value) []*tarn.Value { return inner(in[0]) },
						func(in []*tarn.Value) []*tarn.Value { return in }), nil
				}
				last, _ := tarn.Scan(carries, nil, tarn.ScanOptions{Steps: 2}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
					return inner(carries[0]), nil
				})
				return last, nil
			})
			if _, err := tarn.Compile(g, tarn.Outputs{"last": last[0]}); err != nil {
				t.Fatal(err)
			}
			if stands != tt.want {
				t.Errorf("the loop stands in the %s graph, want %s", stands, tt.want)
			}
		})
	}
}

// TestLoopErrors checks that contents that are wrong inside of a loop end the run with the place, before a param has changed.
func TestLoopErrors(t *testing.T) {
	p := tarn.NewParam(tarn.F32, nil, 3)
	g := tarn.NewGraph()
	index := g.Input("index", tarn.I32, 4)
	last, _ := tarn.Scan([]*tarn.Value{p.Value(g)}, []*tarn.Value{index}, tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		return []*tarn.Value{carries[0].Add(p.Value(xs[0].Graph()).Take(0, xs[0])).Add(tarn.Num(1))}, nil
	})
	program, err := tarn.Compile(g, tarn.Outputs{}, tarn.Assign(p, last[0]))
	if err != nil {
		t.Fatal(err)
	}
	bad := tarn.Zeros(tarn.I32, 4)
	bad.SetFloat(2, 7)
	if _, err = program.Run(bad); err == nil || !strings.Contains(err.Error(), "op_loop_test.go") {
		t.Errorf("an index out of range in a loop gives %v", err)
	}
	if p.Tensor().Float(0) != 0 {
		t.Errorf("the param is %v after a run that failed", p.Tensor())
	}
	if _, err = program.Run(tarn.Zeros(tarn.I32, 4)); err != nil || p.Tensor().Float(0) != 4 {
		t.Errorf("the param is %v, error %v", p.Tensor(), err)
	}
}

// TestCondComputesOne checks that only the function chosen is run: the other would end the run.
func TestCondComputesOne(t *testing.T) {
	g := tarn.NewGraph()
	index, table := g.Input("index", tarn.I32), g.Const(tarn.Vector([]float64{5, 6}))
	y := tarn.Cond(index.Lt(tarn.Num(2)), []*tarn.Value{table, index},
		func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Take(0, in[1])} },
		func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Sum()} })[0]
	p, err := tarn.Compile(g, tarn.Outputs{"y": y})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[float64]float64{0: 5, 1: 6, 9: 11} {
		out, err := p.Run(tarn.Scalar(i).Cast(tarn.I32))
		if err != nil || out["y"].Item() != want {
			t.Errorf("for %v: %v, %v; want %v", i, out["y"], err, want)
		}
	}
}

// TestLoopsAllocateNothing checks that a step with a loop and its gradient allocates nothing.
func TestLoopsAllocateNothing(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 5, 4, 16)
	w := g.Input("w", tarn.F32, 16, 16)
	y := recurrence(tarn.ScanOptions{})(x, w, x.Slice(0, 0, 1).Squeeze(0))
	y = tarn.Cond(y.Sum().Gt(tarn.Num(0)), []*tarn.Value{y}, func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Exp()} }, func(in []*tarn.Value) []*tarn.Value { return in })[0]
	p, err := tarn.Compile(g, tarn.Outputs{"d": tarn.Grad(y.Sum(), w)[0]})
	if err != nil {
		t.Fatal(err)
	}
	in := []*tarn.Tensor{tarn.Zeros(tarn.F32, 5, 4, 16), tarn.Zeros(tarn.F32, 16, 16)}
	results := tarn.Results{}
	if n := alloctest.PerRun(20, func() {
		if err := p.RunInto(t.Context(), results, in...); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a run allocates %v times", n)
	}
}

// TestGradientsInBodies differentiates in the body of a loop, by values from outside on which the body depends through others from outside,
// and compares with the same steps outside of a loop.
func TestGradientsInBodies(t *testing.T) {
	p := tarn.NewParam(tarn.F64, nil, 2)
	copy(p.Tensor().F64(), []float64{0.7, -0.4})
	type step = func(h, w, c *tarn.Value) *tarn.Value // the carry of the next step; h is computed from w and p
	steps := map[string]step{
		"by a value through another": func(h, w, c *tarn.Value) *tarn.Value {
			return tarn.Grad(h.Mul(w).Mul(c.Sin()).Sum(), w)[0]
		},
		"by a param": func(h, w, c *tarn.Value) *tarn.Value {
			return tarn.Grad(h.Square().Mul(c).Sum(), p)[0].Add(w)
		},
		"by both of two that depend on each other": func(h, w, c *tarn.Value) *tarn.Value {
			d := tarn.Grad[tarn.Operand](h.Mul(w).Mul(c).Sum(), h, w, p)
			return d[0].Add(d[1].Mul(d[2]))
		},
		"by both, each of which the body reads": func(h, w, c *tarn.Value) *tarn.Value {
			d := tarn.Grad[tarn.Operand](c.Mul(h).Mul(w).Sum(), h, w, p) // c first, so that the products are in the body
			return d[0].Add(d[1].Mul(d[2]))
		},
		"by the carry and from outside": func(h, w, c *tarn.Value) *tarn.Value {
			d := tarn.Grad(h.Mul(c.Square()).Sum(), c, w)
			return d[0].Sub(d[1])
		},
		"a vector of the body": func(h, w, c *tarn.Value) *tarn.Value { return tarn.VJP(h, c, w)[0] },
		"forward": func(h, w, c *tarn.Value) *tarn.Value {
			return tarn.JVP(h.Mul(c), []tarn.Operand{w, p}, []*tarn.Value{c, w})
		},
		"second derivative": func(h, w, c *tarn.Value) *tarn.Value {
			return tarn.HVP(h.Mul(w).Mul(c.Exp()).Sum(), []*tarn.Value{w}, []*tarn.Value{c})[0]
		},
		"in a loop in the loop, by one from outside of both": func(h, w, c *tarn.Value) *tarn.Value {
			k := c.Mul(h)
			last, _ := tarn.Scan([]*tarn.Value{c}, nil, tarn.ScanOptions{Steps: 1}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return tarn.Grad(k.Mul(carries[0]).Sum(), w), nil
			})
			return last[0]
		},
		"in a loop in the loop": func(h, w, c *tarn.Value) *tarn.Value {
			k := h.Mul(c)
			last, _ := tarn.Scan([]*tarn.Value{c}, nil, tarn.ScanOptions{Steps: 1}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
				d := tarn.Grad(k.Mul(h).Mul(carries[0]).Sum(), w, c)
				return []*tarn.Value{d[0].Add(d[1])}, nil
			})
			return last[0]
		},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			g := tarn.NewGraph()
			w, c := g.Input("w", tarn.F64, 2), g.Input("c", tarn.F64, 2)
			h := w.Sin().Mul(p.Value(g)).Add(w.Square())
			last, _ := tarn.Scan([]*tarn.Value{c}, nil, tarn.ScanOptions{Steps: 2}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{step(h, w, carries[0])}, nil
			})
			looped := tarn.While([]*tarn.Value{c, c.Num(0)}, func(carries []*tarn.Value) *tarn.Value {
				return carries[1].Lt(tarn.Num(2))
			}, func(carries []*tarn.Value) []*tarn.Value {
				return []*tarn.Value{step(h, w, carries[0]), carries[1].AddNum(1)}
			})
			plain := step(h, w, step(h, w, c).StopGradient())
			out := run(t, g, tarn.Outputs{"plain": plain, "scan": last[0], "while": looped[0]},
				map[string]*tarn.Tensor{"w": tarn.Vector([]float64{1.1, 0.3}), "c": tarn.Vector([]float64{0.5, -0.8})})
			checkNear(t, "the scan", out["scan"], out["plain"], 1e-12)
			checkNear(t, "the while", out["while"], out["plain"], 1e-12)
		})
	}
}

// TestStacksOfCarry stacks a carry after each step, before it and both, and reads the stacks as outputs and in further work.
func TestStacksOfCarry(t *testing.T) {
	for steps := range 4 {
		for _, reverse := range []bool{false, true} {
			for which := range 4 {
				g := tarn.NewGraph()
				x, begin := g.Input("x", tarn.F64, steps, 2), g.Input("begin", tarn.F64, 2)
				last, stacks := tarn.Scan([]*tarn.Value{begin}, []*tarn.Value{x}, tarn.ScanOptions{Reverse: reverse}, func(c, xs []*tarn.Value) (next, ys []*tarn.Value) {
					sum := c[0].Add(xs[0])
					return []*tarn.Value{sum}, [][]*tarn.Value{{sum, c[0]}, {c[0], sum}, {sum}, {c[0]}}[which]
				})
				outputs := tarn.Outputs{"last": last[0]}
				for i, s := range stacks {
					name := [][]string{{"after", "before"}, {"before", "after"}, {"after"}, {"before"}}[which][i]
					outputs[name], outputs["twice "+name] = s, s.Transpose(0, 1).Scale(2)
				}
				p, err := tarn.Compile(g, outputs)
				if err != nil {
					t.Fatal(err)
				}
				xs, first := tarn.Zeros(tarn.F64, steps, 2), tarn.Vector([]float64{10, 20})
				for i := range 2 * steps {
					xs.F64()[i] = float64(i + 1)
				}
				out, err := p.Run(xs, first)
				if err != nil {
					t.Fatal(err)
				}
				state := [2]float64{10, 20}
				for k := range steps {
					at := k
					if reverse {
						at = steps - 1 - k
					}
					for c := range 2 {
						for _, name := range []string{"before", "after"} {
							if s := out[name]; s != nil && (s.F64()[2*at+c] != state[c] || out["twice "+name].F64()[c*steps+at] != 2*state[c]) {
								t.Errorf("%d steps, reverse %v, case %d: the carry %s step %d is %v, want %v", steps, reverse, which, name, k, s, state)
							}
							if name == "before" {
								state[c] += float64(2*at + c + 1)
							}
						}
					}
				}
				if got := out["last"].F64(); got[0] != state[0] || got[1] != state[1] {
					t.Errorf("%d steps, reverse %v, case %d: the last carry is %v, want %v", steps, reverse, which, got, state)
				}
			}
		}
	}
}

// TestGradientOfWhileInBody checks that a mistake in the gradient of a body is reported once.
func TestGradientOfWhileInBody(t *testing.T) {
	double := func(in []*tarn.Value) []*tarn.Value {
		return tarn.While(in, func(c []*tarn.Value) *tarn.Value { return c[0].Sum().Lt(tarn.Num(9)) }, func(c []*tarn.Value) []*tarn.Value {
			return []*tarn.Value{c[0].Scale(2)}
		})
	}
	for name, build := range map[string]func(x *tarn.Value) []*tarn.Value{
		"Scan": func(x *tarn.Value) []*tarn.Value {
			last, _ := tarn.Scan([]*tarn.Value{x}, nil, tarn.ScanOptions{Steps: 2}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) { return double(c), nil })
			return last
		},
		"Cond": func(x *tarn.Value) []*tarn.Value {
			return tarn.Cond(x.Sum().Gt(tarn.Num(0)), []*tarn.Value{x}, double, func(in []*tarn.Value) []*tarn.Value { return in })
		},
	} {
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F64, 2)
		tarn.Grad(build(x)[0].Sum(), x)
		var mistakes *tarn.GraphError
		if !errors.As(g.Err(), &mistakes) || len(mistakes.Diagnostics) != 1 || !strings.Contains(mistakes.Error(), "a While has no gradient") {
			t.Errorf("%s: %v", name, g.Err())
		}
	}
}
