//go:build !arm64

// On arm64 the tests run emulated, for which their binary must be static: package pjrt makes it a dynamic one.

package tarn_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/hlo"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/nightly"
	"github.com/seed-49005b45/tarn/pjrt"
)

// This file translates the op table to StableHLO, and runs it on XLA's plugin for CPUs, which is compared with the reference.

// notOnPlugin are the ops that cannot be translated, by name, with the reasons.
var notOnPlugin = map[string]string{
	"MatrixSqrt":     "needs the Schur form",
	"SolveSylvester": "needs the Schur form",
}

// freeSigns are the cases whose results have signs by choice of the method: their sizes are compared, and no derivatives.
var freeSigns = []string{"EigH/vectors", "SVD/left vectors", "SVD/right vectors"}

// allOf builds a case, with derivatives, for all its shapes and dtypes in one graph.
func (c opCase) allOf() (g *tarn.Graph, outputs tarn.Outputs, data map[string]*tarn.Tensor) {
	g, outputs, data = tarn.NewGraph(), tarn.Outputs{}, map[string]*tarn.Tensor{}
	for i, shapes := range c.shapes {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		for _, dtype := range c.types() {
			id := fmt.Sprintf("%v %v ", shapes, dtype)
			var in []*tarn.Value
			for k, o := range c.in {
				x := o.draw(r, dtype, shapes[k])
				data[id+fmt.Sprint(k)] = x
				in = append(in, g.Input(id+fmt.Sprint(k), x.DType(), x.Shape()...))
			}
			y := c.build(in...)
			outputs[id+"y"] = y
			if y.DType().IsFloat() && !slices.Contains(freeSigns, c.name()) {
				for k, d := range tarn.Grad(y.Sum(), floats(in)...) {
					outputs[id+fmt.Sprint("d", k)] = d
				}
			}
			if c.op == "Graph.Lookup" { // whose names would come twice
				return g, outputs, data
			}
		}
	}
	return g, outputs, data
}

// lowering is an engine that translates and does not run.
type lowering struct {
	options hlo.Options
	text    string
}

var errNotRun = errors.New("translated")

func (l *lowering) Load(g *ir.Graph, _ []*exec.Storage) (exec.Runner, error) {
	m, err := hlo.Lower(g, l.options)
	if err != nil {
		return nil, err
	}
	l.text = m.Text
	return nil, errNotRun
}

func (*lowering) String() string { return "hlo" }

// refusal of an op by an engine: the user's place and the op's name.
var refusedOp = regexp.MustCompile(`_test\.go:\d+: (\w+) is not to be had on this engine`)

// TestOpsAreTranslated expects every op of the table to be translated or to be refused by its name and place, and those that are refused
// to be listed with a reason.
func TestOpsAreTranslated(t *testing.T) {
	unused := maps.Clone(notOnPlugin)
	for _, c := range opCases {
		t.Run(c.name(), func(t *testing.T) {
			g, outputs, _ := c.allOf()
			_, err := tarn.CompileOn(&lowering{}, g, outputs)
			if errors.Is(err, errNotRun) {
				return
			}
			refused := refusedOp.FindAllStringSubmatch(err.Error(), -1)
			if len(refused) == 0 || len(refused) != strings.Count(err.Error(), "\n")+1 {
				t.Fatal(err)
			}
			for _, m := range refused {
				if notOnPlugin[m[1]] == "" {
					t.Fatalf("%s is refused and not listed, see notOnPlugin:\n%v", m[1], err)
				}
				delete(unused, m[1])
			}
		})
	}
	for name := range unused {
		t.Errorf("%s is listed as refused and is not", name)
	}
}

// TestTranslations compares the texts of programs with files.
func TestTranslations(t *testing.T) {
	for name, build := range map[string]func(g *tarn.Graph) (tarn.Outputs, []tarn.Update){
		"linear": func(g *tarn.Graph) (tarn.Outputs, []tarn.Update) { // a guarded step of gradient descent
			x, w := g.Input("x", tarn.F32, 4, 3), tarn.NewParam(tarn.F32, nil, 3, 2)
			loss := x.MatMul(w).Square().Mean()
			d := tarn.Grad(loss, w)[0]
			return tarn.Outputs{"loss": loss}, []tarn.Update{tarn.Assign(w, w.Value(g).Sub(d.Scale(0.1))), tarn.Guard(loss)}
		},
		"kernel": func(g *tarn.Graph) (tarn.Outputs, []tarn.Update) { // a guarded step of momentum, whose small states are updated by one kernel
			x, w, u := g.Input("x", tarn.F32, 4, 3), tarn.NewParam(tarn.F32, nil, 3, 2), tarn.NewParam(tarn.F32, nil, 3, 2)
			table := tarn.NewParam(tarn.F32, nil, 1<<14, 2)
			loss := x.MatMul(w).Add(table.Value(g).Mean()).Square().Mean()
			d := tarn.Grad(loss, w, table)
			momentum := u.Value(g).Scale(0.9).Add(d[0])
			return tarn.Outputs{"loss": loss}, []tarn.Update{tarn.Assign(table, table.Value(g).Sub(d[1])), tarn.Assign(u, momentum),
				tarn.Assign(w, w.Value(g).Sub(momentum.Scale(0.1))), tarn.Guard(loss)}
		},
		"scan": func(g *tarn.Graph) (tarn.Outputs, []tarn.Update) { // a lookup in a loop, which is checked
			table, index := g.Input("table", tarn.F64, 5, 2), g.Input("index", tarn.I32, 3)
			last, _ := tarn.Scan([]*tarn.Value{g.Const(tarn.Zeros(tarn.F64, 2))}, []*tarn.Value{index}, tarn.ScanOptions{}, func(c, xs []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{c[0].Add(table.Take(0, xs[0]))}, nil
			})
			return tarn.Outputs{"sum": last[0]}, nil
		},
		"precision": func(g *tarn.Graph) (tarn.Outputs, []tarn.Update) { // products of bf16, the second of which is no longer in f32
			g.SetPrecision(tarn.PrecisionBF16)
			x, y := g.Input("x", tarn.F32, 4, 3), g.Input("y", tarn.F64, 4, 3)
			return tarn.Outputs{"x": x.Permute(1, 0).MatMul(x), "y": y.Permute(1, 0).MatMul(y)}, nil
		},
		"checkpoint": func(g *tarn.Graph) (tarn.Outputs, []tarn.Update) { // fences are barriers
			x := g.Input("x", tarn.F32, 4)
			y := tarn.Checkpoint(func(in ...*tarn.Value) *tarn.Value { return in[0].Exp().Sin() }, x)
			return tarn.Outputs{"d": tarn.Grad(y.Sum(), x)[0]}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := tarn.NewGraph()
			outputs, updates := build(g)
			l := &lowering{options: hlo.Options{OneKernel: name == "kernel"}}
			if _, err := tarn.CompileOn(l, g, outputs, updates...); !errors.Is(err, errNotRun) {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "hlo", name+".mlir")
			if *update {
				if err := os.WriteFile(file, []byte(l.text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, []byte(l.text)) {
				t.Errorf("the program is\n%s\nand %s has\n%s\nwrite it anew with -update", l.text, file, want)
			}
		})
	}
}

var openPlugin = sync.OnceValues(func() (*pjrt.Engine, error) {
	plugin := os.Getenv("TARN_PJRT_PLUGIN")
	if plugin == "" {
		plugin = "cpu"
	}
	return pjrt.Open(pjrt.Options{Plugin: plugin})
})

// plugin returns an engine. Without a plugin the test is skipped, or fails if TARN_PJRT_PLUGIN names one.
func plugin(t *testing.T) *pjrt.Engine {
	t.Helper()
	e, err := openPlugin()
	if err != nil {
		if os.Getenv("TARN_PJRT_PLUGIN") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	return e
}

func TestOpsOnPlugin(t *testing.T) {
	e := plugin(t)
	for _, c := range opCases {
		t.Run(c.name(), func(t *testing.T) {
			g, outputs, data := c.allOf()
			p, err := tarn.CompileOn(e, g, outputs)
			if err != nil && refusedOp.MatchString(err.Error()) {
				return // see TestOpsAreTranslated
			}
			if err != nil {
				t.Fatal(err)
			}
			in := inputsOf(p, data)
			for step := range 2 {
				got, err := p.Run(in...)
				if err != nil {
					t.Fatal(err)
				}
				want, err := tarn.RunReference(g, outputs, int64(step), data)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range slices.Sorted(maps.Keys(outputs)) {
					if slices.Contains(freeSigns, c.name()) {
						absolute(got[name])
						absolute(want[name])
					}
					if diff := got[name].Diff(want[name], oneOp[got[name].DType()]); diff != "" {
						t.Errorf("%s in step %d: %s", name, step, diff)
					}
				}
			}
		})
	}
}

// leftOutOnPlugin are the cases that random graphs for a plugin are made without: those with an op that is refused, or with free signs.
var leftOutOnPlugin = sync.OnceValue(func() map[string]bool {
	leftOut := map[string]bool{}
	for _, c := range opCases {
		g, outputs, _ := c.allOf()
		_, err := tarn.CompileOn(&lowering{}, g, outputs)
		leftOut[c.name()] = !errors.Is(err, errNotRun) || slices.Contains(freeSigns, c.name())
	}
	return leftOut
})

// TestRandomGraphsOnPlugin is TestRandomGraphs with fewer graphs. Package pjrt has such a test for the compiler's ops.
func TestRandomGraphsOnPlugin(t *testing.T) {
	const graphs = 12
	e := plugin(t)
	for seed := range graphs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomGraph(t, uint64(1000+seed), on(e), leftOutOnPlugin()) })
	}
}

// TestNightlyGraphsOnPlugin is TestRandomGraphsOnPlugin with different graphs.
func TestNightlyGraphsOnPlugin(t *testing.T) {
	for seed := range nightly.Seeds(t) {
		randomGraph(t, seed, on(plugin(t)), leftOutOnPlugin())
	}
}

// on is Compile for an engine.
func on(e tarn.Engine) compiler {
	return func(g *tarn.Graph, outputs tarn.Outputs, updates ...tarn.Update) (*tarn.Program, error) {
		return tarn.CompileOn(e, g, outputs, updates...)
	}
}

// inputsOf are the inputs of a program out of data by name.
func inputsOf(p *tarn.Program, data map[string]*tarn.Tensor) (in []*tarn.Tensor) {
	for _, name := range p.Inputs() {
		in = append(in, data[name])
	}
	return in
}

func absolute(x *tarn.Tensor) {
	for i := range x.Size() {
		x.SetFloat(i, math.Abs(x.Float(i)))
	}
}
