package tarn_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file tests reports as the user reads them. In what is expected {name} stands for the place, as in "model.go:22", of
// the line of these files that ends in the comment "// name".

// places puts places for the names in a text.
func places(t *testing.T, text string) string {
	t.Helper()
	found := map[string]string{}
	for _, file := range []string{"errors_model_test.go", "errors_test.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(source), "\n") {
			if at := strings.LastIndex(line, " // "); at >= 0 {
				found[line[at+4:]] = fmt.Sprintf("%s:%d", file, i+1)
			}
		}
	}
	return regexp.MustCompile(`\{[a-z -]+\}`).ReplaceAllStringFunc(text, func(name string) string {
		at, ok := found[name[1:len(name)-1]]
		if !ok {
			t.Fatalf("no line is marked %s", name)
		}
		return at
	})
}

// checkReport compares a report with what is expected.
func checkReport(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no report")
	}
	if want = places(t, strings.TrimSpace(want)); err.Error() != want {
		t.Errorf("the report is\n%v\nand should be\n%s", err, want)
	}
}

// compileModel compiles a transformer of 12 blocks with some mistakes.
func compileModel(t *testing.T, mistakes ...string) error {
	m := newLanguageModel(12, mistakes...)
	if err := tarn.Init(m, 1); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	tokens := g.Input("tokens", tarn.I32, 2, modelLength)
	next := g.Input("next", tarn.I32, 2, modelLength)
	lengths := g.Input("lengths", tarn.I32, 2)
	loss := m.Loss(tokens, lengths, next) // loss
	d := tarn.Grad(loss, m.Tokens, m.Blocks[11].Up.Weight)
	_, err := tarn.Compile(g, tarn.Outputs{"loss": loss, "tokens": d[0], "up": d[1]})
	return err
}

// TestModelReports compiles a transformer with mistakes that do not hang on one another: all are reported, that of a layer
// used 12 times once.
func TestModelReports(t *testing.T) {
	if err := compileModel(t); err != nil {
		t.Fatal(err)
	}
	err := compileModel(t, "mask", "bias", "prior") // three
	checkReport(t, err, `
tarn: 3 mistakes in the graph
{mask}: Lt: shapes [2 8] and [2] do not go together: broadcasting takes equal ranks, a scalar, or a suffix
	operand 1: i32[2 8], Iota at {iota}
	operand 2: i32[2], input "lengths"
	called from {model}, {loss}, {three}
	hint: Unsqueeze(1) makes the second [2 1]
{bias}: MatMul: [8 16] x [4 16]: the inner sizes 16 and 4 differ (axis 1 of the first, axis 0 of the second)
	operand 1: f32[8 16], parameter blocks.0.attn.rel_pos
	operand 2: f32[4 16], parameter blocks.0.attn.rel_to_head
	near parameter blocks.0.attn.rel_pos
	called from {attention}, {block}, {model}
	and 11 more times from this line
	hint: MatMulT multiplies by the transpose of the second operand
{prior}: Add: shapes [2 8 100] and [101] do not go together: broadcasting takes equal ranks, a scalar, or a suffix
	operand 1: f32[2 8 100], Scale at {target}
	operand 2: f32[101], Iota at {prior}
	called from {loss}, {three}
`)
	var ge *tarn.GraphError
	if !errors.As(err, &ge) || len(ge.Unwrap()) != 3 {
		t.Fatalf("%T is no GraphError of 3 mistakes", err)
	}
	var d *tarn.Diagnostic
	if !errors.As(err, &d) || d.Op != "Lt" || d.Place != places(t, "{mask}") {
		t.Errorf("the first mistake is %+v", d)
	}

	// A mistake that the next block is fed with is reported where it was made, and not again for what follows from it.
	checkReport(t, compileModel(t, "narrow"), `
tarn: {dense}: MatMulT: MatMul: [2 8 64] x [16 16]: the inner sizes 64 and 16 differ (axis 2 of the first, axis 1 of the second)
	operand 1: f32[2 8 64], GELU at {feed-forward}
	operand 2: f32[16 16], parameter blocks.0.down.weight
	near parameter blocks.0.down.weight
	called from {feed-forward}, {block}, {model}
`)
}

// TestReports checks the reports of single mistakes.
func TestReports(t *testing.T) {
	weight := tarn.NewParam(tarn.F32, nil, 4, 3)
	tests := []struct {
		name  string
		build func(g *tarn.Graph, x *tarn.Value)
		want  string
	}{
		{"unnamed parameter", func(g *tarn.Graph, x *tarn.Value) {
			x.MatMul(weight) // unnamed
		}, `
tarn: {unnamed}: MatMul: [2 3] x [4 3]: the inner sizes 3 and 4 differ (axis 1 of the first, axis 0 of the second)
	operand 1: f32[2 3], input "x"
	operand 2: f32[4 3], a parameter that Init has not named
	hint: MatMulT multiplies by the transpose of the second operand
`},
		{"loss that is no scalar", func(g *tarn.Graph, x *tarn.Value) {
			tarn.Grad(x.Square(), x) // not scalar
		}, `
tarn: {not scalar}: Grad: the loss has shape [2 3] and should be a scalar
	operand 1: f32[2 3], Square at {not scalar}
	hint: take its Mean or Sum, or use VJP
`},
		{"gradient by integers", func(g *tarn.Graph, x *tarn.Value) {
			tarn.Grad(x.Sum(), g.Input("ids", tarn.I32, 2)) // by integers
		}, `
tarn: {by integers}: Grad: there is no gradient with respect to a value of dtype i32
	operand 1: f32[], Sum at {by integers}
`},
		{"named value and number", func(g *tarn.Graph, x *tarn.Value) {
			h := x.Sin().Named("hidden") // hidden
			g.Num(tarn.F64, 0.5).Add(h)  // half
		}, `
tarn: {half}: Add: operands are f64 and f32
	operand 1: f64[], the number 0.5
	operand 2: f32[2 3], "hidden", Sin at {hidden}
	hint: Cast one of them
`},
		{"the rule of a gradient", func(g *tarn.Graph, x *tarn.Value) {
			y := tarn.WithGradient(x.Exp(), []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value { // with
				return []*tarn.Value{dy.Sum(0)} // rule
			})
			tarn.Grad(y.Sum(), x) // grad
		}, `
tarn: in the gradient of WithGradient, {with}: Grad: WithGradient: gradient 1 is f32[3] and its input f32[2 3]
	operand 1: f32[2 3], Exp at {with}
	operand 2: f32[2 3], input "x"
`},
		{"a value of another graph", func(g *tarn.Graph, x *tarn.Value) {
			x.Add(tarn.NewGraph().Num(tarn.F32, 1)) // other graph
		}, `
tarn: {other graph}: Add: operand 2 belongs to another graph
	operand 1: f32[2 3], input "x"
	operand 2: f32[], the number 1
`},
		{"a failed value of another graph", func(g *tarn.Graph, x *tarn.Value) {
			x.Add(tarn.NewGraph().Input("y", tarn.F32, 2).Sum(5)) // failed elsewhere
		}, `
tarn: {failed elsewhere}: Add: operand 2 belongs to another graph
	operand 1: f32[2 3], input "x"
	operand 2: a value that failed, {failed elsewhere}
`},
		{"a vector of another shape", func(g *tarn.Graph, x *tarn.Value) {
			tarn.HVP(x.Square().Sum(), []*tarn.Value{x}, []*tarn.Value{g.Input("v", tarn.F32, 3)}) // vector
		}, `
tarn: {vector}: HVP: vector 1 is f32[3] and the operand that it belongs to f32[2 3]
	operand 1: f32[], Sum at {vector}
	operand 2: f32[3], input "v"
`},
		{"a vector too few", func(g *tarn.Graph, x *tarn.Value) {
			tarn.JVP(x.Square(), []*tarn.Value{x}, nil) // too few
		}, `
tarn: {too few}: JVP: there are 1 operands and 0 vectors
	operand 1: f32[2 3], Square at {too few}
`},
		{"no vector", func(g *tarn.Graph, x *tarn.Value) {
			tarn.VJP(x.Square(), nil, x) // no vector
		}, `
tarn: {no vector}: VJP: Grad: the vector is nil
	operand 1: f32[2 3], Square at {no vector}
`},
		{"nothing to differentiate by", func(g *tarn.Graph, x *tarn.Value) {
			tarn.Grad(x.Sum(), x, (*tarn.Value)(nil)) // by nothing
		}, `
tarn: {by nothing}: Grad: operand 2 to differentiate with respect to is nil
	operand 1: f32[], Sum at {by nothing}
`},
		{"a Jacobian of integers", func(g *tarn.Graph, x *tarn.Value) {
			tarn.Jacobian(x.Cast(tarn.I32), x) // jacobian
		}, `
tarn: {jacobian}: Jacobian: a value of dtype i32 has no gradient
	operand 1: i32[2 3], Cast at {jacobian}
	operand 2: f32[2 3], input "x"
	hint: Cast it to f32 or f64 before the loss
`},
		{"layers", func(g *tarn.Graph, x *tarn.Value) {
			m := &struct{ In, Out *nn.Linear }{nn.NewLinear(3, 4), nn.NewLinear(5, 2)}
			if _, err := tarn.Params(m); err != nil {
				t.Fatal(err)
			}
			m.Out.Forward(x)                               // layer
			nn.NewSequential(m.In, m.Out).Forward(x)       // sequential
			nn.MSE(m.In.Forward(x).Named("prediction"), x) // mse
		}, `
tarn: 3 mistakes in the graph
{layer}: nn.Linear: the input has shape [2 3] and its last axis should have size 5
	operand 1: f32[2 3], input "x"
	operand 2: f32[2 5], parameter out.weight
	near parameter out.weight
{sequential}: nn.Sequential.Forward: Linear: the input has shape [2 4] and its last axis should have size 5
	operand 1: f32[2 4], nn.Sequential.Forward at {sequential}
	operand 2: f32[2 5], parameter out.weight
	near parameter out.weight
{mse}: nn.MSE: the prediction has shape [2 4] and the target [2 3]: they should be equal
	operand 1: f32[2 4], "prediction", nn.Linear.Forward at {mse}
	operand 2: f32[2 3], input "x"
	near parameter in.weight
`},
		{"nothing after a mistake", func(g *tarn.Graph, x *tarn.Value) {
			y := x.Reshape(7).MatMul(x).Sum(5).Softplus() // first
			tarn.Grad(y, x)[0].Add(y)
			tarn.Einsum("ij,jk", y, x)
			y.Split(3, 1, 2)[1].Flatten(0, 1).TopK(0, 9)
		}, `
tarn: {first}: Reshape: [2 3] has 6 elements and [7] holds 7
	operand 1: f32[2 3], input "x"
`},
		{"in a loop", func(g *tarn.Graph, x *tarn.Value) {
			for range 3 {
				x.Sum(2) // loop
			}
			x.Sum(3) // after
		}, `
tarn: 2 mistakes in the graph
{loop}: Sum: axis 2 is not an axis of a value of rank 2
	operand 1: f32[2 3], input "x"
	and 2 more times from this line
{after}: Sum: axis 3 is not an axis of a value of rank 2
	operand 1: f32[2 3], input "x"
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := tarn.NewGraph()
			tt.build(g, g.Input("x", tarn.F32, 2, 3)) // test
			err := g.Err()
			if err == nil {
				t.Fatal("there is no report")
			}
			// Who called the build function is the same for all.
			text := regexp.MustCompile(`(?m)\n\tcalled from .*$`).ReplaceAllString(err.Error(), "")
			checkReport(t, errors.New(text), tt.want)
		})
	}
}

// TestGradientPlace checks that a gradient is placed by the value whose rule made it.
func TestGradientPlace(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32)
	d := tarn.Grad(x.Log().Sin(), x)[0] // log
	if got, want := d.Place(), places(t, "in the gradient of Log, {log}"); got != want {
		t.Errorf("the place is %q and should be %q", got, want)
	}
}

// TestReportsThroughLibrary makes a mistake in functions that packages of the standard library call: no report names a place in these.
func TestReportsThroughLibrary(t *testing.T) {
	for name, call := range map[string]func(f func()){
		"sync":    func(f func()) { new(sync.Once).Do(f) },
		"sort":    func(f func()) { sort.Slice([]int{2, 1}, func(i, j int) bool { f(); return false }) },
		"slices":  func(f func()) { slices.SortFunc([]int{2, 1}, func(a, b int) int { f(); return 0 }) },
		"iter":    func(f func()) { next, _ := iter.Pull(func(func(int) bool) { f() }); next() },
		"strings": func(f func()) { strings.Map(func(r rune) rune { f(); return r }, "x") },
		"regexp": func(f func()) {
			regexp.MustCompile("x").ReplaceAllStringFunc("x", func(s string) string { f(); return s })
		},
		"reflect": func(f func()) { reflect.ValueOf(f).Call(nil) },
	} {
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F32, 2, 3)
		call(func() { x.MatMul(x) })
		var d *tarn.Diagnostic
		if !errors.As(g.Err(), &d) {
			t.Fatalf("%s: %v", name, g.Err())
		}
		for _, place := range append(d.Outer, d.Place) {
			if !strings.HasPrefix(place, "errors_test.go:") {
				t.Errorf("%s: the report names %s:\n%v", name, place, d)
			}
		}
	}
}
