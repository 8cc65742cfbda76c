package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/expr"
)

// This file holds fitcurve: a curve fitted to data by nonlinear least squares.

// fitcurveCommand has the arguments of fitcurve.
type fitcurveCommand struct {
	Data     string `arg:"" help:"A CSV file whose first line names the columns."`
	Expr     string `arg:"" name:"formula" help:"The curve: a formula of columns and of the parameters to fit, as in \"b1*(1-exp(-b2*x))\"."`
	Start    string `required:"" placeholder:"b1=1,b2=0.1" help:"The parameters to fit, with the values to start from."`
	Response string `default:"y" help:"The column to fit, or a formula of columns, as in \"log(y)\"."`
	Plot     string `placeholder:"FILE.png" help:"Draw the data, the curve and its 95 % confidence band; the formula has one column then, and no parts or sums of it."`
}

// Validate checks the flags; kong calls it.
func (c *fitcurveCommand) Validate() error { return checkPicture(c.Plot) }

// Run fits and prints the values with their standard errors.
func (c *fitcurveCommand) Run(env *environment) error {
	f, err := c.read()
	if err != nil {
		return err
	}
	across := ""
	if c.Plot != "" {
		if across, err = c.across(f.curve, f.table.Columns); err != nil {
			return usageError{err}
		}
	}
	problem, y, err := f.problem()
	if err != nil {
		return err
	}
	res, err := minimize.Run(env.ctx, problem.Problem(), problem.X(), &minimize.LevenbergMarquardt{}, minimize.Options{})
	if err != nil {
		return err
	}
	if math.IsNaN(res.F) || math.IsInf(res.F, 0) {
		return fmt.Errorf("the curve is not finite at the start; choose another --start")
	}
	fit, err := minimize.NewFit(problem.Problem(), res.X)
	if err != nil {
		return err
	}
	c.report(env, f.start, res, fit)
	if !res.Converged() {
		return fmt.Errorf("no minimum found: %v", res.Reason)
	}
	if c.Plot == "" {
		return nil
	}
	points, err := compute(y, f.inputs())
	if err != nil {
		return err
	}
	return c.draw(env, f.curve, f.start, fit, curveData{across, f.columns[across], points})
}

// curveFit is a curve to fit, to what, and from where.
type curveFit struct {
	curve, response *expr.Expr
	start           []assignment
	table           *data.Table
	columns         map[string][]float64 // of the table, by name
}

// read reads the arguments and the data. It refuses a --start and a formula that do not go with the columns.
func (c *fitcurveCommand) read() (*curveFit, error) {
	f := &curveFit{}
	var err error
	if f.start, err = parseAssignments("--start", c.Start); err != nil {
		return nil, usageError{err}
	}
	if f.curve, err = expr.Parse(c.Expr); err != nil {
		return nil, usageError{err}
	}
	if f.response, err = expr.Parse(c.Response); err != nil {
		return nil, usageError{fmt.Errorf("--response: %w", err)}
	}
	if f.table, err = (data.CSV{F64: true}).Load(c.Data); err != nil {
		return nil, err
	}
	if f.columns, err = columnsOf(f.table); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	for _, a := range f.start {
		switch {
		case a.vector:
			return nil, usageError{fmt.Errorf("--start: %s is a vector; only numbers can be fitted", a.name)}
		case f.columns[a.name] != nil:
			return nil, usageError{fmt.Errorf("--start: %s is a column of %s and cannot be fitted", list.Name(a.name), file.Name(c.Data))}
		case !slices.Contains(f.curve.Variables(), a.name):
			return nil, usageError{fmt.Errorf("--start: %s is not in the formula", list.Name(a.name))}
		}
		given[a.name] = true
	}
	for _, name := range f.curve.Variables() {
		if !given[name] && f.columns[name] == nil {
			return nil, usageError{fmt.Errorf("%s is neither a column of %s, which has %s, nor in --start", list.Name(name), file.Name(c.Data), list.Names(f.table.Columns))}
		}
	}
	return f, nil
}

// inputs are the columns as tensors.
func (f *curveFit) inputs() minimize.Inputs {
	inputs := minimize.Inputs{}
	for name, column := range f.columns {
		inputs[name] = tarn.Vector(column)
	}
	return inputs
}

// problem builds the residuals, and the response y that they are taken from.
func (f *curveFit) problem() (problem *minimize.Graph, y *tarn.Value, err error) {
	g := tarn.NewGraph()
	known, fitted := map[string]*tarn.Value{}, map[string]*tarn.Value{}
	for name, column := range f.columns {
		known[name] = g.Input(name, tarn.F64, len(column))
		fitted[name] = known[name]
	}
	var params tarn.ParamSet
	for _, a := range f.start {
		p, err := addParam(&params, a)
		if err != nil {
			return nil, nil, usageError{err}
		}
		fitted[a.name] = p.Value(g)
	}
	model, err := f.curve.Build(g, fitted)
	if err != nil {
		return nil, nil, usageError{err}
	}
	if y, err = f.response.Build(g, known); err != nil {
		return nil, nil, usageError{fmt.Errorf("--response: %w", err)}
	}
	switch {
	case y.Rank() != 1 || y.Size() != f.table.Set.Len():
		return nil, nil, usageError{fmt.Errorf("--response: the formula should have one number for each of the %d lines", f.table.Set.Len())}
	case model.Rank() == 1 && model.Size() != y.Size():
		return nil, nil, usageError{fmt.Errorf("the curve has %d points and the data %d", model.Size(), y.Size())}
	case params.Len() > y.Size():
		return nil, nil, fmt.Errorf("%d lines of data cannot determine %d values", y.Size(), params.Len())
	}
	problem, err = minimize.FromResiduals(y.Neg().Add(model), params.List(), f.inputs())
	return problem, y, err
}

// columnsOf returns the columns of a table by name.
func columnsOf(table *data.Table) (map[string][]float64, error) {
	t, err := table.Set.Tensor("features")
	if err != nil {
		return nil, err
	}
	columns := map[string][]float64{}
	all := t.F64()
	for k, name := range table.Columns {
		name = strings.TrimSpace(name)
		for i := k; i < len(all); i += len(table.Columns) {
			columns[name] = append(columns[name], all[i])
		}
	}
	return columns, nil
}

// report prints the result.
func (c *fitcurveCommand) report(env *environment, start []assignment, res *minimize.Result, fit *minimize.Fit) {
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tvalue\tstandard error\t")
	for i, a := range start {
		fmt.Fprintf(w, "%s\t%.10g\t%.6g\t\n", a.name, fit.X[i], fit.Errors[i])
	}
	w.Flush()
	fmt.Fprintf(env.stdout, "\nresidual sum of squares %.10g, residual standard deviation %.8g, %d degrees of freedom\n",
		fit.SumSquares, fit.Deviation, len(fit.Residuals)-len(fit.X))
	if fit.Rank < len(fit.X) {
		fmt.Fprintf(env.stdout, "the data determine only %d of the %d values: the others have infinite standard errors\n", fit.Rank, len(fit.X))
	}
	fmt.Fprintf(env.stdout, "gradient %.2g after %d iterations, %v: %v\n", res.GradNorm, res.Iterations, res.Evaluations, res.Reason)
}
