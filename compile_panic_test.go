package tarn

import (
	"errors"
	"regexp"
	"testing"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file tests that a panic inside the compiler is an error of Compile, which says where.

// brokenOp panics in one of its methods.
type brokenOp struct {
	failedOp
	method string
}

func (op brokenOp) fail(method string) {
	if op.method == method {
		panic(errBroken)
	}
}

var errBroken = errors.New("broken on purpose")

func (brokenOp) Name() string                           { return "Broken" }
func (op brokenOp) Attrs() string                       { op.fail("Attrs"); return "" }
func (op brokenOp) Infer(in []ir.Type) (ir.Type, error) { return in[0], nil }
func (op brokenOp) Eval(ir.Array, []ir.Array)           { op.fail("Eval") }

// brokenSum is a reduction whose axes only lowering asks for, and brokenView a movement.
type brokenSum struct{ brokenOp }

func (op brokenSum) Reduces() (ir.ReduceKind, []int) { op.fail("Reduces"); return ir.ReduceSum, nil }

type brokenView struct{ brokenOp }

func (op brokenView) Move(v ir.View) (ir.View, bool) {
	op.fail("Move")
	return irop.Pass{}.Move(v)
}

func TestCompileReportsPanics(t *testing.T) {
	tests := []struct {
		name string
		op   op
		on   func(g *Graph) *Value
		want string
	}{
		{"a pass over nodes", brokenView{brokenOp{method: "Move"}}, variable, `the pass identities at %\d+ = Broken\(%\d+\) f32\[2\], made at compile_panic_test.go:\d+, panicked in compile_panic_test.go:\d+: broken on purpose`},
		{"the folding of constants", brokenOp{method: "Eval"}, constant, `the pass fold at .*Broken.* made at compile_panic_test.go:\d+, panicked in`},
		{"the merging of equal nodes", brokenOp{method: "Attrs"}, variable, `the pass merge at .*made at compile_panic_test.go:\d+, panicked in`},
		{"lowering", brokenSum{brokenOp{method: "Reduces"}}, variable, `lowering at .*Broken.* made at compile_panic_test.go:\d+, panicked in`},
		{"a pass over a loop's body", brokenOp{method: "Eval"}, nil, `the pass fold at .*Broken.* made at compile_panic_test.go:\d+, panicked in`},
		{"lowering of a loop's body", brokenSum{brokenOp{method: "Reduces"}}, nil, `lowering at .*Broken.* made at compile_panic_test.go:\d+, panicked in`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := NewGraph()
			var y *Value
			if tt.on != nil {
				y = g.add(tt.op, tt.on(g))
			} else {
				carries, _ := Scan([]*Value{variable(g)}, []*Value{g.Const(Zeros(F32, 3, 2))}, ScanOptions{}, func(c, x []*Value) ([]*Value, []*Value) {
					in := c[0]
					if _, reduces := tt.op.(ir.Reduction); !reduces {
						in = c[0].Graph().leaf(constOp{ir.Const{Array: ir.NewArray(c[0].typ)}}, c[0].typ) // a constant, which can be folded
					}
					return []*Value{c[0].Add(g.add(tt.op, in)).Add(x[0])}, nil
				})
				y = carries[0]
			}
			p, err := Compile(g, Outputs{"y": y})
			if p != nil || err == nil {
				t.Fatalf("got the program %v and the error %v", p, err)
			}
			if !regexp.MustCompile("^tarn: Compile: " + tt.want).MatchString(err.Error()) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			if !errors.Is(err, errBroken) {
				t.Errorf("the error does not wrap the panic's")
			}
		})
	}
}

func variable(g *Graph) *Value { return g.Input("x", F32, 2) }

func constant(g *Graph) *Value { return g.Const(Zeros(F32, 2)) }
