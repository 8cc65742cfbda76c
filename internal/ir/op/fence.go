package op

import "github.com/seed-49005b45/tarn/internal/ir"

// This file holds the ops that pass their operand on as it is.

// Pass is embedded by ops whose result is their first operand; later operands, if any, are only waited for.
type Pass struct{}

// Attrs is empty.
func (Pass) Attrs() string { return "" }

// Infer is the shape rule: any, ... -> the shape of the first.
func (Pass) Infer(in []ir.Type) (ir.Type, error) { return in[0], nil }

// Eval is the reference kernel.
func (Pass) Eval(out ir.Array, in []ir.Array) { copy(out.Raw(), in[0].Raw()) }

// Move is the operand's view.
func (Pass) Move(v ir.View) (ir.View, bool) { return v, true }

// Fence is its first operand, available only once the others have been computed.
type Fence struct{ Pass }

// Name is "Fence".
func (Fence) Name() string { return "Fence" }

// Fences marks a fence.
func (Fence) Fences() {}
