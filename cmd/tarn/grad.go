package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/minimize/expr"
)

// This file holds grad: the derivative of a formula.

// gradCommand has the arguments of grad.
type gradCommand struct {
	Expr string `arg:"" name:"formula" help:"A formula, as in \"(1-x)^2 + 100*(y-x^2)^2\"."`
	At   string `required:"" placeholder:"x=1,y=2" help:"The point; a vector is x=[1,2,3]."`
	Dim  string `placeholder:"x=1000" help:"Lengths of vectors; the given values are repeated."`
}

// Run prints the value, and each partial derivative as a formula and as a number. It says so if that is not the number of the formula, as
// where the length of a vector is 0.
func (c *gradCommand) Run(env *environment) error {
	at, err := parseAssignments("--at", c.At)
	if err == nil {
		err = lengthen(at, c.Dim)
	}
	if err != nil {
		return usageError{err}
	}
	f, err := newFunction(c.Expr, "--at", at)
	if err != nil {
		return err
	}
	sizes := map[string]int{}
	outputs := tarn.Outputs{"f": f.value}
	for _, a := range at {
		sizes[a.name] = expr.Scalar
		if a.vector {
			sizes[a.name] = len(a.values)
		}
	}
	for i, d := range tarn.Grad(f.value, f.params.List()...) {
		outputs["d"+at[i].name] = d
	}
	formulas, err := f.e.Grad(sizes)
	if err != nil {
		return err
	}
	values := map[string]*tarn.Value{}
	for name, p := range f.params.All() {
		values[name] = p.Value(f.graph)
	}
	for name, formula := range formulas {
		if outputs["formula of d"+name], err = formula.Build(f.graph, values); err != nil {
			return err
		}
	}
	program, err := tarn.Compile(f.graph, outputs)
	if err != nil {
		return err
	}
	out, err := program.Run()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "f     = %v\n      = %s\n", f.e, shownVector(out["f"].F64(), false))
	for _, a := range at {
		d, note := out["d"+a.name].F64(), ""
		if allFinite(d) && !allFinite(out["formula of d"+a.name].F64()) {
			note = ", which is taken where the formula is not a finite number, as 0/0"
		}
		fmt.Fprintf(env.stdout, "df/d%s = %v\n      = %s%s\n", a.name, formulas[a.name], shownVector(d, a.vector), note)
	}
	return nil
}

// allFinite reports whether there is neither an infinity nor NaN among the numbers.
func allFinite(numbers []float64) bool {
	return !slices.ContainsFunc(numbers, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}
