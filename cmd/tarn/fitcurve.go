package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/expr"
)

// This file holds fitcurve: a curve fitted to data by nonlinear least squares.

// fitcurveCommand has the arguments of fitcurve.
type fitcurveCommand struct {
	Data     string `arg:"" help:"A CSV file whose first line names the columns."`
	Expr     string `arg:"" name:"formula" help:"The curve: a formula of columns and of what is to be fitted, as in \"b1*(1-exp(-b2*x))\"."`
	Start    string `required:"" placeholder:"b1=1,b2=0.1" help:"What is to be fitted, and from where."`
	Response string `default:"y" help:"The column to fit, or a formula of columns, as in \"log(y)\"."`
	Plot     string `placeholder:"FILE.png" help:"Draw the data, the curve and its 95 % confidence band; the formula has one column then, and no parts or sums of it."`
}

// Validate checks the flags; kong calls it.
func (c *fitcurveCommand) Validate() error { return checkPicture(c.Plot) }

// Run fits and prints the values with their standard errors.
func (c *fitcurveCommand) Run(env *environment) error {
	start, err := parseAssignments("--start", c.Start)
	if err != nil {
		return usageError{err}
	}
	curve, err := expr.Parse(c.Expr)
	if err != nil {
		return usageError{err}
	}
	response, err := expr.Parse(c.Response)
	if err != nil {
		return usageError{fmt.Errorf("--response: %w", err)}
	}
	table, err := data.CSV{}.Load(c.Data)
	if err != nil {
		return err
	}
	columns, err := columnsOf(table)
	if err != nil {
		return err
	}
	g := tarn.NewGraph()
	inputs := minimize.Inputs{}
	known, fitted := map[string]*tarn.Value{}, map[string]*tarn.Value{}
	for name, column := range columns {
		inputs[name] = tarn.Vector(column)
		known[name] = g.Input(name, tarn.F64, len(column))
		fitted[name] = known[name]
	}
	var params []*tarn.Param
	for _, a := range start {
		switch {
		case a.vector:
			return usageError{fmt.Errorf("--start: %s is a vector; what is fitted are numbers", a.name)}
		case columns[a.name] != nil:
			return usageError{fmt.Errorf("--start: %s is a column of %s and cannot be fitted", a.name, c.Data)}
		case !slices.Contains(curve.Variables(), a.name):
			return usageError{fmt.Errorf("--start: %s is not in the formula", a.name)}
		}
		p := paramOf(a)
		params = append(params, p)
		fitted[a.name] = p.Value(g)
	}
	for _, name := range curve.Variables() {
		if fitted[name] == nil {
			return usageError{fmt.Errorf("%s is neither a column of %s, which has %s, nor in --start", name, c.Data, strings.Join(table.Columns, ", "))}
		}
	}
	var across string
	if c.Plot != "" {
		if across, err = c.across(curve, table.Columns); err != nil {
			return usageError{err}
		}
	}
	model, err := curve.Build(g, fitted)
	if err != nil {
		return usageError{err}
	}
	y, err := response.Build(g, known)
	if err != nil {
		return usageError{fmt.Errorf("--response: %w", err)}
	}
	if y.Rank() != 1 || y.Size() != table.Set.Len() {
		return usageError{fmt.Errorf("--response: the formula is not a vector of a number for each of the %d lines", table.Set.Len())}
	}
	if model.Rank() == 1 && model.Size() != y.Size() {
		return usageError{fmt.Errorf("the curve has %d points and the data %d", model.Size(), y.Size())}
	}
	if len(params) > y.Size() {
		return fmt.Errorf("%d lines of data do not fix %d values", y.Size(), len(params))
	}
	problem, err := minimize.FromResiduals(y.Neg().Add(model), params, inputs)
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
	c.report(env, start, res, fit)
	if !res.Converged() {
		return fmt.Errorf("no minimum found: %v", res.Reason)
	}
	if c.Plot == "" {
		return nil
	}
	points, err := compute(y, inputs)
	if err != nil {
		return err
	}
	return c.draw(env, curve, start, fit, curveData{across, columns[across], points})
}

// columnsOf gives the columns of a table by name.
func columnsOf(table *data.Table) (map[string][]float64, error) {
	set, err := table.Set.Cast("features", tarn.F64)
	if err != nil {
		return nil, err
	}
	t, err := set.Tensor("features")
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

// report prints what came out.
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
		fmt.Fprintf(env.stdout, "the data fix only %d of the %d values: the others have infinite standard errors\n", fit.Rank, len(fit.X))
	}
	fmt.Fprintf(env.stdout, "gradient %.2g after %d iterations, %v: %v\n", res.GradNorm, res.Iterations, res.Evaluations, res.Reason)
}
