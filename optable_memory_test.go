package tarn_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"weak"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/alloctest"
)

// This file tests, over all ops of the table, what a program keeps in memory, and that running it allocates nothing.

// compileWhole compiles an op with its gradient so that each operand is an input of the program.
func (c opCase) compileWhole(t *testing.T, dtype tarn.DType, shapes [][]int, r *rand.Rand) (g *tarn.Graph, program *tarn.Program, data []*tarn.Tensor) {
	t.Helper()
	g = tarn.NewGraph()
	var in []*tarn.Value
	for i, o := range c.in {
		data = append(data, o.draw(r, dtype, shapes[i]))
		in = append(in, g.Input(fmt.Sprint(i), data[i].DType(), shapes[i]...))
	}
	outputs := tarn.Outputs{"y": c.build(in...)}
	if outputs["y"].DType().IsFloat() {
		for i, d := range tarn.Grad(outputs["y"].Sum(), floats(in)...) {
			outputs[fmt.Sprint("d", i)] = d
		}
	}
	for i, v := range in {
		outputs[fmt.Sprint("x", i)] = v
	}
	program, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	return g, program, data
}

func TestOpsAllocateNothing(t *testing.T) {
	if instrumented() {
		t.Skip("a program that TARN_DEBUG checks allocates")
	}
	eachCase(t, func(t *testing.T, c opCase, shapes [][]int, r *rand.Rand) {
		for _, dtype := range c.types() {
			_, program, data := c.compileWhole(t, dtype, shapes, r)
			results := tarn.Results{}
			if n := alloctest.PerRun(2, func() {
				if err := program.RunInto(t.Context(), results, data...); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("in %v a run allocates %v times", dtype, n)
			}
		}
	})
}

// TestProgramsHoldNeitherGraphNorInputs expects the graph of every program to be collected while the program is in use, and so the
// inputs of its last run, in each of the engines.
func TestProgramsHoldNeitherGraphNorInputs(t *testing.T) {
	const tiny = 16 // bytes below which the runtime puts several arrays in one block
	type kept struct {
		name    string
		program *tarn.Program
		graph   weak.Pointer[tarn.Graph]
		inputs  []weak.Pointer[byte]
	}
	for _, engine := range []string{"", "check", "reference"} {
		if testing.Short() && engine != "" {
			continue
		}
		t.Run(engine, func(t *testing.T) {
			t.Setenv("TARN_DEBUG", engine)
			var all []kept
			eachCase(t, func(t *testing.T, c opCase, shapes [][]int, r *rand.Rand) {
				g, program, data := c.compileWhole(t, c.types()[0], shapes, r)
				if _, err := program.Run(data...); err != nil {
					t.Fatal(err)
				}
				k := kept{name: fmt.Sprint(c.name(), " of ", shapes), program: program, graph: weak.Make(g)}
				for _, x := range data {
					if raw := x.Raw(); len(raw) >= tiny {
						k.inputs = append(k.inputs, weak.Make(&raw[0]))
					}
				}
				all = append(all, k)
			})
			runtime.GC()
			for _, k := range all {
				if k.graph.Value() != nil {
					t.Errorf("%s: the program holds the graph", k.name)
				}
				for i, x := range k.inputs {
					if x.Value() != nil {
						t.Errorf("%s: the program holds input %d of its last run", k.name, i)
					}
				}
				runtime.KeepAlive(k.program)
			}
		})
	}
}

// TestDerivativesOfLargeParams expects the vectors of products with matrices of derivatives to take memory only where they are computed.
func TestDerivativesOfLargeParams(t *testing.T) {
	const n, limit = 1 << 24, 2 << 20 // elements, and bytes
	p := tarn.NewParam(tarn.F32, nil, n)
	for _, tt := range []struct {
		name  string
		build func(x *tarn.Value) *tarn.Value
	}{
		{"HVP", func(x *tarn.Value) *tarn.Value {
			return tarn.HVP(x.Square().Square().Sum(), []*tarn.Param{p}, []*tarn.Value{x.Exp()})[0]
		}},
		{"JVP", func(x *tarn.Value) *tarn.Value {
			return tarn.JVP(x.Square(), []*tarn.Param{p}, []*tarn.Value{x.Exp()})
		}},
		{"GNVP", func(x *tarn.Value) *tarn.Value {
			y := x.Sin()
			return tarn.GNVP(y.Square().Sum(), y, []*tarn.Param{p}, []*tarn.Value{x.Exp()})[0]
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			g := tarn.NewGraph()
			if _, err := tarn.Compile(g, tarn.Outputs{"y": tt.build(p.Value(g)).Sum()}); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > limit {
				t.Errorf("for a param of %d bytes %d are allocated", 4*n, grown)
			}
		})
	}
}
