package tarn

import (
	"fmt"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the op that checks integers, such as the lengths of sequences, when a program runs.

// withinOp is its operand, and wrong outside of bounds. It is no view, since what becomes a view is not checked.
type withinOp struct {
	what   string
	lo, hi int
}

func (withinOp) Name() string { return "Within" }

func (op withinOp) Attrs() string { return fmt.Sprintf("%q %d..%d", op.what, op.lo, op.hi) }

func (op withinOp) Infer(in []ir.Type) (ir.Type, error) {
	if t := in[0].DType; t != ir.I32 && t != ir.I64 {
		return ir.Type{}, newProblem("the operand is %v and should be i32 or i64", t)
	}
	return in[0], nil
}

// Eval is the reference kernel.
func (op withinOp) Eval(out ir.Array, in []ir.Array) { copy(out.Raw(), in[0].Raw()) }

// Run is Eval, which copies as a whole.
func (op withinOp) Run(out ir.Array, in []ir.Array) { op.Eval(out, in) }

func (op withinOp) grad(y, dy *Value) []*Value { return nil }

func (op withinOp) Range([]ir.Type) (lo, hi int) { return op.lo, op.hi + 1 }

func (op withinOp) Checks() int { return 0 }

func (op withinOp) Check(x ir.Array, _ []ir.Type) error {
	for k := range x.Size() {
		if n := x.Int(k); n < int64(op.lo) || n > int64(op.hi) {
			what := op.what
			if len(x.Shape) > 0 {
				what += " " + strings.Trim(fmt.Sprint(ir.Unravel(k, x.Shape)), "[]")
			}
			return fmt.Errorf("%s is %d and should be from %d to %d", what, n, op.lo, op.hi)
		}
	}
	return nil
}

// Within is v, whose elements should lie between lo and hi, both included. If one does not, Run returns an error with its place
// and its index after what it is, as in "the length of sequence 3", and assigns nothing. A scalar has no index.
//
// Shapes: any of i32 or i64 -> same.
func (v *Value) Within(what string, lo, hi int) *Value {
	return v.home().add(withinOp{what: what, lo: lo, hi: hi}, v)
}
