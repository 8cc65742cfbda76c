package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/decimal"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/expr"
)

// This file holds what the commands on formulas share: the values of variables on the command line, and functions of formulas.

// maxSize is the largest number of elements of a vector on the command line.
const maxSize = 1 << 24

// assignment is a name with numbers, as in x=1 or x=[1,2,3].
type assignment struct {
	name   string
	vector bool
	values []float64
}

// parseAssignments reads "x=1,y=[2,3]". flag is the flag for errors.
func parseAssignments(flag, text string) ([]assignment, error) {
	var out []assignment
	for rest := text; rest != ""; {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: %s should be a name, = and a number, as in x=1,y=[2,3]", flag, list.Quote(rest))
		}
		a := assignment{name: name}
		var value string
		after = strings.TrimLeft(after, " ")
		if inside, found := strings.CutPrefix(after, "["); found {
			a.vector = true
			if value, rest, ok = strings.Cut(inside, "]"); !ok {
				return nil, fmt.Errorf("%s: the bracket after %s= is not closed", flag, list.Name(name))
			}
			if rest = strings.TrimLeft(rest, " "); rest != "" {
				if rest, ok = strings.CutPrefix(rest, ","); !ok {
					return nil, fmt.Errorf("%s: there should be a comma after the vector %s", flag, list.Name(name))
				}
			}
		} else {
			value, rest, _ = strings.Cut(after, ",")
		}
		for part := range strings.SplitSeq(value, ",") {
			part = strings.TrimSpace(part)
			v, err := decimal.Parse(part)
			if err != nil {
				quoted := list.Quote(part)
				return nil, fmt.Errorf("%s: %s, the value of %s,%s", flag, quoted, list.Name(name), strings.TrimPrefix(err.Error(), quoted))
			}
			a.values = append(a.values, v)
		}
		if slices.ContainsFunc(out, func(o assignment) bool { return o.name == name }) {
			return nil, fmt.Errorf("%s: %s is given twice", flag, list.Name(name))
		}
		out = append(out, a)
	}
	return out, nil
}

// lengthen repeats the values of vectors up to the lengths of --dim, "x=1000,y=2".
func lengthen(values []assignment, dims string) error {
	lengths, err := parseAssignments("--dim", dims)
	if err != nil {
		return err
	}
	for _, l := range lengths {
		i := slices.IndexFunc(values, func(a assignment) bool { return a.name == l.name })
		n := int(l.values[0])
		switch {
		case i < 0:
			return fmt.Errorf("--dim: %s has no value", list.Name(l.name))
		case l.vector || float64(n) != l.values[0] || n < 1 || n > maxSize:
			return fmt.Errorf("--dim: the length of %s is %v and should be a whole number from 1 to %d", list.Name(l.name), l.values[0], maxSize)
		case n < len(values[i].values):
			return fmt.Errorf("--dim: the length of %s is %d, and %d values are given: leave some out, or make it longer", list.Name(l.name), n, len(values[i].values))
		}
		a := &values[i]
		given := a.values
		a.vector, a.values = true, make([]float64, n)
		for j := range a.values {
			a.values[j] = given[j%len(given)]
		}
	}
	return nil
}

// function is a formula with its variables as params in a graph.
type function struct {
	e      *expr.Expr
	graph  *tarn.Graph
	value  *tarn.Value
	at     []assignment
	params tarn.ParamSet // in the order of at
}

// newFunction parses a formula and gives its variables their values.
func newFunction(source, flag string, at []assignment) (*function, error) {
	e, err := expr.Parse(source)
	if err != nil {
		return nil, usageError{err}
	}
	f := &function{e: e, graph: tarn.NewGraph(), at: at}
	variables := e.Variables()
	values := map[string]*tarn.Value{}
	for _, a := range at {
		if !slices.Contains(variables, a.name) {
			has := "it has the variables " + list.Names(variables)
			if len(variables) == 0 {
				has = "it has no variables"
			}
			return nil, usageError{fmt.Errorf("%s: the formula has no variable %s; %s", flag, list.Name(a.name), has)}
		}
		p, err := addParam(&f.params, a)
		if err != nil {
			return nil, usageError{err}
		}
		values[a.name] = p.Value(f.graph)
	}
	for _, name := range variables {
		if values[name] == nil {
			return nil, usageError{fmt.Errorf("%s: the variable %s has no value; add one, as in %s=1", flag, name, name)}
		}
	}
	if f.value, err = e.Build(f.graph, values); err != nil {
		return nil, usageError{err}
	}
	if f.value.Rank() != 0 {
		return nil, usageError{fmt.Errorf("the formula is a vector of %d elements; take its sum", f.value.Size())}
	}
	return f, nil
}

// addParam adds a variable to params, as a param of its name that holds its value.
func addParam(params *tarn.ParamSet, a assignment) (*tarn.Param, error) {
	var p *tarn.Param
	if a.vector {
		p = tarn.NewParam(tarn.F64, nil, len(a.values))
	} else {
		p = tarn.NewParam(tarn.F64, nil)
	}
	copy(p.Tensor().F64(), a.values)
	return p, params.Add(a.name, p)
}

// compile prepares the function for minimization.
func (f *function) compile() (*minimize.Graph, error) {
	if f.params.Len() == 0 {
		return nil, usageError{fmt.Errorf("the formula has no variables")}
	}
	return minimize.FromGraph(f.value, f.params.List(), nil)
}

// shown returns the point x as "x = 1, y = [2, 3]"; long vectors are cut.
func (f *function) shown(x []float64) string {
	var parts []string
	for _, a := range f.at {
		v := x[:len(a.values)]
		x = x[len(a.values):]
		parts = append(parts, a.name+" = "+shownVector(v, a.vector))
	}
	return strings.Join(parts, ", ")
}

func shownVector(v []float64, vector bool) string {
	if !vector {
		return strconv.FormatFloat(v[0], 'g', 8, 64)
	}
	var b strings.Builder
	b.WriteByte('[')
	for i, x := range v {
		if len(v) > 8 && i >= 3 && i < len(v)-3 {
			if i == 3 {
				b.WriteString(" ...")
			}
			continue
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.FormatFloat(x, 'g', 6, 64))
	}
	b.WriteByte(']')
	return b.String()
}
