package tarn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
	"github.com/seed-49005b45/tarn/tarntest"
)

// This file holds the table that tests every op. Each op_*_test.go registers its cases and refusals next to the op; the
// tests here, and those of optable_random_test.go and optable_complete_test.go, run over all of them.

// opCase is an op with operands that it accepts.
type opCase struct {
	op     string // what is covered: "Add" for a method of Value, "Graph.Uniform", or "func Concat"
	form   string // tells the cases of one op apart
	build  func(in ...*tarn.Value) *tarn.Value
	in     []operand
	shapes [][][]int    // sets of operand shapes, each to be tested
	dtypes []tarn.DType // of the operands that have no dtype of their own; F64 and F32 if there are none here
	flat   bool         // piecewise constant, random or no float: derivatives are not compared with differences
	spread bool         // singular where all elements are equal, which they must not be
	loose  float64      // F32 may differ from F64 by this many times the usual tolerance; 0 means 1
}

func (c opCase) name() string { return strings.TrimSuffix(c.op+"/"+c.form, "/") }

// refusal is an op with operands that it does not accept.
type refusal struct {
	op    string
	build func(in ...*tarn.Value) *tarn.Value
	in    []tensorType
	want  string // a fragment of the report
}

// tensorType is the type of an operand to be refused.
type tensorType struct {
	dtype tarn.DType
	shape []int
}

func f32(shape ...int) tensorType   { return tensorType{tarn.F32, shape} }
func f64(shape ...int) tensorType   { return tensorType{tarn.F64, shape} }
func i32(shape ...int) tensorType   { return tensorType{tarn.I32, shape} }
func i64(shape ...int) tensorType   { return tensorType{tarn.I64, shape} }
func bool_(shape ...int) tensorType { return tensorType{tarn.Bool, shape} }

// operand is where the elements of an operand lie.
type operand struct {
	lo, hi float64
	avoid  []float64 // kinks, from which elements keep a distance
	fixed  bool      // has the dtype below whatever the dtype of the case
	dtype  tarn.DType
}

// between is an operand with elements in (lo, hi), away from some kinks.
func between(lo, hi float64, avoid ...float64) operand { return operand{lo: lo, hi: hi, avoid: avoid} }

// whole is an operand of integers in [lo, hi).
func whole(dtype tarn.DType, lo, hi int) operand {
	return operand{lo: float64(lo), hi: float64(hi), fixed: true, dtype: dtype}
}

// bools is an operand of bools.
func bools() operand { return operand{lo: 0, hi: 2, fixed: true, dtype: tarn.Bool} }

var (
	opCases  []opCase
	refusals []refusal
)

// register adds cases to the table; it gives a bool so that a package variable can call it.
func register(cases ...opCase) bool {
	opCases = append(opCases, cases...)
	return true
}

// refuse adds refusals to the table.
func refuse(rs ...refusal) bool {
	refusals = append(refusals, rs...)
	return true
}

// anyShape is sets of shapes for ops that take any: no axes, sizes 0 and 1, odd sizes; one operand.
func anyShape() [][][]int {
	return [][][]int{{{}}, {{1}}, {{0}}, {{7}}, {{3, 5}}, {{2, 0, 3}}, {{2, 3, 1}}}
}

// pairShapes is pairs of shapes that broadcast.
func pairShapes() [][][]int {
	return [][][]int{
		{{}, {}}, {{0}, {0}}, {{1}, {1}}, {{5}, {5}}, {{3, 3}, {3, 3}}, // equal
		{{5}, {}}, {{}, {2, 3}}, {{0}, {}}, // a scalar
		{{2, 3}, {3}}, {{3}, {2, 1, 3}}, {{4, 1}, {4, 3}}, {{3, 1}, {1, 2}}, {{0, 1}, {1, 3}}, // suffixes and ones
	}
}

var (
	numbers  = []tarn.DType{tarn.F64, tarn.F32, tarn.I32, tarn.I64}
	allTypes = []tarn.DType{tarn.F64, tarn.F32, tarn.I32, tarn.I64, tarn.Bool}
	integers = []tarn.DType{tarn.I32, tarn.I64}
)

// elementwise is the usual case of an op of one operand of any shape.
func elementwise(op string, build func(v *tarn.Value) *tarn.Value, x operand) opCase {
	return opCase{op: op, build: func(in ...*tarn.Value) *tarn.Value { return build(in[0]) }, in: []operand{x}, shapes: anyShape()}
}

// pairwise is the usual case of an op of two operands that broadcast.
func pairwise(op string, build func(v *tarn.Value, o tarn.Operand) *tarn.Value, x, y operand) opCase {
	return opCase{op: op, build: func(in ...*tarn.Value) *tarn.Value { return build(in[0], in[1]) }, in: []operand{x, y}, shapes: pairShapes()}
}

// refused is a refusal of operands of the given types; want is a fragment of the report.
func refused(op string, f func(in ...*tarn.Value) *tarn.Value, want string, in ...tensorType) refusal {
	return refusal{op: op, build: f, in: in, want: want}
}

func unaryRefusal(op string, f func(v *tarn.Value) *tarn.Value, x tensorType, want string) refusal {
	return refusal{op: op, build: func(in ...*tarn.Value) *tarn.Value { return f(in[0]) }, in: []tensorType{x}, want: want}
}

func binaryRefusal(op string, f func(v *tarn.Value, o tarn.Operand) *tarn.Value, x, y tensorType, want string) refusal {
	return refusal{op: op, build: func(in ...*tarn.Value) *tarn.Value { return f(in[0], in[1]) }, in: []tensorType{x, y}, want: want}
}

func (c opCase) as(form string) opCase          { c.form = form; return c }
func (c opCase) of(dtypes ...tarn.DType) opCase { c.dtypes = dtypes; return c }
func (c opCase) with(shapes ...[][]int) opCase  { c.shapes = shapes; return c }
func (c opCase) withoutDerivative() opCase      { c.flat = true; return c }
func (c opCase) within(loose float64) opCase    { c.loose = loose; return c }

func (c opCase) types() []tarn.DType {
	if len(c.dtypes) == 0 {
		return []tarn.DType{tarn.F64, tarn.F32}
	}
	return c.dtypes
}

// kinkDistance is how far elements keep from kinks.
const kinkDistance = 0.05

// draw returns a tensor with random elements where the operand's lie; dtype is that of the case.
func (o operand) draw(r *rand.Rand, dtype tarn.DType, shape []int) *tarn.Tensor {
	if o.fixed {
		dtype = o.dtype
	}
	t := tarn.Zeros(dtype, shape...)
	for i := range t.Size() {
		x := o.element(r, dtype)
		for o.nearKink(x) {
			x = o.element(r, dtype)
		}
		t.SetFloat(i, x)
	}
	return t
}

func (o operand) element(r *rand.Rand, dtype tarn.DType) float64 {
	x := o.lo + (o.hi-o.lo)*r.Float64()
	switch {
	case dtype == tarn.F32:
		return float64(float32(x))
	case dtype == tarn.Bool && !o.fixed:
		return math.Floor(2 * r.Float64())
	case !dtype.IsFloat():
		return math.Floor(x)
	}
	return x
}

func (o operand) nearKink(x float64) bool {
	for _, k := range o.avoid {
		if math.Abs(x-k) < kinkDistance {
			return true
		}
	}
	return false
}

// eachCase runs a subtest for every case and every set of shapes.
func eachCase(t *testing.T, run func(t *testing.T, c opCase, shapes [][]int, r *rand.Rand)) {
	seen := map[string]bool{}
	for _, c := range opCases {
		if seen[c.name()] {
			t.Errorf("there are two cases %s", c.name())
		}
		seen[c.name()] = true
		t.Run(c.name(), func(t *testing.T) {
			for i, shapes := range c.shapes {
				if len(shapes) != len(c.in) {
					t.Fatalf("the case has %d operands and %d shapes", len(c.in), len(shapes))
				}
				run(t, c, shapes, rand.New(rand.NewPCG(7, uint64(i))))
				if t.Failed() {
					t.Fatalf("with operands of shapes %v", shapes)
				}
			}
		})
	}
}

// TestOpGradients compares first and second derivatives with differences and forward with reverse mode. If time is short, it
// leaves out operands of thousands of elements, each of which is moved up and down, if the case has smaller ones too.
func TestOpGradients(t *testing.T) {
	eachCase(t, func(t *testing.T, c opCase, shapes [][]int, r *rand.Rand) {
		if c.flat || !c.has(tarn.F64) {
			return
		}
		var in []*tarn.Tensor
		elements := 0
		for i, o := range c.in {
			in = append(in, o.draw(r, tarn.F64, shapes[i]))
			elements += in[i].Size()
		}
		if testing.Short() && elements > 2000 && len(c.shapes) > 1 {
			return
		}
		tarntest.CheckGrad(t, c.build, in...)
	})
}

// TestOpDtypes compares the values in every dtype with those in f64, and the compiled program with the reference.
func TestOpDtypes(t *testing.T) {
	eachCase(t, func(t *testing.T, c opCase, shapes [][]int, r *rand.Rand) {
		for _, dtype := range c.types() {
			var in []*tarn.Tensor
			for i, o := range c.in {
				in = append(in, o.draw(r, dtype, shapes[i]))
			}
			out := evaluate(t, c.build, in)
			if t.Failed() {
				t.Fatalf("in %v", dtype)
			}
			if dtype == tarn.F64 || dtype == tarn.Bool || !c.has(tarn.F64) {
				continue
			}
			for i, x := range in {
				if !c.in[i].fixed {
					in[i] = x.Cast(tarn.F64)
				}
			}
			want := evaluate(t, c.build, in).Cast(out.DType())
			tolerance := 0.0
			if out.DType() == tarn.F32 {
				tolerance = 2e-6 * max(1, c.loose)
			}
			if diff := out.Diff(want, tolerance); diff != "" {
				t.Fatalf("%v and f64: %s", dtype, diff)
			}
		}
	})
}

func (c opCase) has(dtype tarn.DType) bool {
	for _, d := range c.types() {
		if d == dtype {
			return true
		}
	}
	return false
}

// evaluate runs f compiled and by the reference, and fails where the two differ.
func evaluate(t *testing.T, f func(in ...*tarn.Value) *tarn.Value, in []*tarn.Tensor) *tarn.Tensor {
	t.Helper()
	g := tarn.NewGraph()
	var values []*tarn.Value
	data := map[string]*tarn.Tensor{}
	for i, x := range in {
		name := fmt.Sprint(i)
		data[name] = x
		values = append(values, g.Input(name, x.DType(), x.Shape()...))
	}
	return compare(t, g, tarn.Outputs{"y": f(values...)}, data)["y"]
}

// How far compiled and reference may differ, by dtype: over one op and its like, and over a chain of them, of which each
// can make the difference that it is given larger.
var (
	oneOp   = map[tarn.DType]float64{tarn.F64: 1e-11, tarn.F32: 2e-5}
	manyOps = map[tarn.DType]float64{tarn.F64: 1e-8, tarn.F32: 2e-3}
)

// compare is compareWithin the tolerance of one op.
func compare(t *testing.T, g *tarn.Graph, outputs tarn.Outputs, data map[string]*tarn.Tensor) tarn.Results {
	t.Helper()
	return compareWithin(t, g, outputs, data, oneOp)
}

// compareWithin runs the outputs compiled and by the reference, twice over so that memory used again shows, and fails where
// the two differ.
func compareWithin(t *testing.T, g *tarn.Graph, outputs tarn.Outputs, data map[string]*tarn.Tensor, tolerance map[tarn.DType]float64) tarn.Results {
	t.Helper()
	p, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	return compareProgram(t, p, g, outputs, data, tolerance)
}

// compareProgram is compareWithin for what has been compiled.
func compareProgram(t *testing.T, p *tarn.Program, g *tarn.Graph, outputs tarn.Outputs, data map[string]*tarn.Tensor, tolerance map[tarn.DType]float64) tarn.Results {
	t.Helper()
	var in []*tarn.Tensor
	for _, name := range p.Inputs() {
		in = append(in, data[name])
	}
	var out tarn.Results
	for step := range 2 {
		var err error
		if out, err = p.Run(in...); err != nil {
			t.Fatal(err)
		}
		want, err := tarn.RunReference(g, outputs, int64(step), data)
		if err != nil {
			t.Fatal(err)
		}
		for name := range outputs {
			if diff := out[name].Diff(want[name], tolerance[out[name].DType()]); diff != "" {
				t.Fatalf("compiled and reference, output %q of step %d: %s\n%s", name, step, diff, tarn.Sprint(outputs[name]))
			}
		}
	}
	for name, x := range out {
		out[name] = x.Clone()
	}
	return out
}

// TestOpRefusals checks that operands that do not fit are reported, that the report says what is wrong, and that nothing
// panics on the way, whatever is done with the failed value.
func TestOpRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.op, func(t *testing.T) {
			g := tarn.NewGraph()
			var in []*tarn.Value
			for i, x := range c.in {
				in = append(in, g.Input(fmt.Sprint(i), x.dtype, x.shape...))
			}
			y := c.build(in...)
			err := g.Err()
			switch {
			case err == nil:
				t.Fatalf("%v is accepted", c.in)
			case !tarn.Failed(y):
				t.Fatal("the value is not poisoned")
			case !strings.Contains(err.Error(), c.want):
				t.Fatalf("the report is\n%v\nand should have %q in it", err, c.want)
			case !strings.Contains(err.Error(), "_test.go:"):
				t.Fatalf("the report does not name the place:\n%v", err)
			}
		})
	}
}

// TestOpsPoison calls every op with a failed operand: no panic, and no second report of the first mistake.
func TestOpsPoison(t *testing.T) {
	for _, c := range opCases {
		t.Run(c.name(), func(t *testing.T) {
			for broken := range c.in {
				g := tarn.NewGraph()
				var in []*tarn.Value
				for i, o := range c.in {
					in = append(in, g.Const(o.draw(rand.New(rand.NewPCG(1, 1)), c.types()[0], c.shapes[0][i])))
				}
				in[broken] = g.Fail("Test", nil, "broken on purpose")
				c.build(in...)
				if n := strings.Count(g.Err().Error(), "_test.go:"); n != 1 {
					t.Fatalf("one mistake, reported as\n%v", g.Err())
				}
			}
		})
	}
}
