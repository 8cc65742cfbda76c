// Package irtest makes small graphs for the tests of the compiler, of the ops of package internal/ir/op and one that no family of
// ops covers, and random graphs.
package irtest

import (
	"fmt"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// Backwards returns the elements of its operand in reverse order by a reference kernel alone, so that no family covers it.
// If Bad is set, it rejects an operand whose first element is above 1.
type Backwards struct{ Bad bool }

// Name is "Backwards".
func (Backwards) Name() string { return "Backwards" }

// Attrs says whether it checks.
func (op Backwards) Attrs() string { return fmt.Sprint(op.Bad) }

// Infer is the operand's type.
func (Backwards) Infer(in []ir.Type) (ir.Type, error) { return in[0], nil }

// Eval copies element by element.
func (Backwards) Eval(out ir.Array, in []ir.Array) {
	for i := range out.Size() {
		out.CopyElement(i, in[0], out.Size()-1-i)
	}
}

// Checks is the only operand.
func (Backwards) Checks() int { return 0 }

// Check looks at the first element.
func (op Backwards) Check(x ir.Array, _ []ir.Type) error {
	if op.Bad && x.Size() > 0 && x.Float(0) > 1 {
		return fmt.Errorf("the first element is %v", x.Float(0))
	}
	return nil
}
