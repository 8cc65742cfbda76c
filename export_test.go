package tarn

import (
	"fmt"
	"reflect"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/rng"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file opens to the tests what they need of the inside: the reference evaluation and the ops of a graph.

// RunReference computes the outputs node by node with the reference kernels: the oracle for compiled programs.
func RunReference(g *Graph, outputs Outputs, step int64, inputs map[string]*Tensor) (Results, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	main := newRoots(outputs, nil)
	if err := main.check(g, wanted{}); err != nil {
		return nil, err
	}
	t := translate(g, main, nil, wanted{})
	r := exec.NewReference(t.graph, memoryOf(t.params))
	var arrays []ir.Array
	for _, in := range t.inputs {
		arrays = append(arrays, inputs[in.name].array)
	}
	results := Results{}
	var out []ir.Array
	for _, name := range main.names {
		results[name] = newTensor(ir.NewArray(outputs[name].typ))
		out = append(out, results[name].array)
	}
	return results, r.Run(exec.Call{Inputs: arrays, Outputs: out, Step: step})
}

// OpTypes returns the names of the Go types of all ops in g, and the scalar functions of the elementwise ones.
func OpTypes(g *Graph) (types, functions []string) {
	for _, v := range g.values {
		types = append(types, reflect.TypeOf(v.op).Name())
		if e, ok := v.op.(elementwiseOp); ok {
			functions = append(functions, e.F.String())
		}
	}
	return types, functions
}

// ScalarFunctions returns the names of all scalar functions.
func ScalarFunctions() []string {
	var names []string
	for _, f := range scalar.All() {
		names = append(names, f.String())
	}
	return names
}

// Failed reports whether v is poisoned.
func Failed(v *Value) bool { return v.failed }

// Randoms returns the number of random ops in g, and SetRandoms sets it, so that the next random op is one that there was before.
func Randoms(g *Graph) uint64       { return g.root().randoms }
func SetRandoms(g *Graph, n uint64) { g.root().randoms = n }

// LogGammaSlope is the derivative of the logarithm of a gamma number.
func LogGammaSlope(alpha, y float64) float64 { return rng.LogGammaSlope(alpha, y) }

// WithoutBatch returns the names of the Go types of the ops in g that have operands and no batching rule. Loops have theirs apart.
func WithoutBatch(g *Graph) (types []string) {
	for _, v := range g.values {
		_, rule := v.op.(batchedOp)
		_, loop := v.op.(controlOp)
		if len(v.in) > 0 && !rule && !loop {
			types = append(types, reflect.TypeOf(v.op).Name())
		}
	}
	return types
}

// Multiplies reports whether what outputs need multiplies rounded numbers, in the bodies of loops too.
func Multiplies(outputs Outputs) bool {
	var roots []*Value
	for _, v := range outputs {
		roots = append(roots, v)
	}
	for _, v := range reachable(roots) {
		if n := (ir.Node{Op: v.op, Type: v.typ}); n.Precision() == ir.PrecisionBF16 {
			return true
		}
		if op, ok := v.op.(controlOp); ok {
			for _, values := range op.outputs {
				inside := Outputs{}
				for i, v := range values {
					inside[fmt.Sprint(i)] = v
				}
				if Multiplies(inside) {
					return true
				}
			}
		}
	}
	return false
}
