package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/plot"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/expr"
)

// This file holds the picture of fitcurve: data, curve and confidence band.

const (
	curvePoints = 400  // at which the curve is computed
	confidence  = 0.95 // of the band
)

// curveData are the points of the data: a column, and the response.
type curveData struct {
	name string
	x, y []float64
}

// across returns the one column that the curve is drawn over.
func (c *fitcurveCommand) across(e *expr.Expr, columns []string) (string, error) {
	var in []string
	for _, name := range columns {
		if name = strings.TrimSpace(name); slices.Contains(e.Variables(), name) {
			in = append(in, name)
		}
	}
	switch {
	case len(in) == 0:
		return "", fmt.Errorf("--plot draws a curve over a column, and the formula has none of %s", list.Names(columns))
	case len(in) > 1:
		return "", fmt.Errorf("--plot draws a curve over one column, and the formula has %s", list.Names(in))
	case !e.Elementwise():
		return "", fmt.Errorf("--plot draws the curve between the lines of the data too, where parts, sums and the like of %s mean nothing", in[0])
	}
	return in[0], nil
}

// compute returns the elements of a value.
func compute(v *tarn.Value, inputs minimize.Inputs) ([]float64, error) {
	program, err := tarn.Compile(v.Graph(), tarn.Outputs{"value": v})
	if err != nil {
		return nil, err
	}
	var given []*tarn.Tensor
	for _, name := range program.Inputs() {
		given = append(given, inputs[name])
	}
	out, err := program.Run(given...)
	if err != nil {
		return nil, err
	}
	return slices.Clone(out["value"].F64()), nil
}

// draw draws the picture.
func (c *fitcurveCommand) draw(env *environment, e *expr.Expr, start []assignment, fit *minimize.Fit, data curveData) error {
	lo, hi := slices.Min(data.x), slices.Max(data.x)
	if !(lo < hi) {
		return fmt.Errorf("--plot: %s is %v in all lines: there is no curve to draw", data.name, lo)
	}
	line := plot.Line{Name: "fit", X: make([]float64, curvePoints), Y: make([]float64, curvePoints), Band: fmt.Sprintf("%.0f %% confidence", 100*confidence)}
	for i := range line.X {
		line.X[i] = lo + (hi-lo)*float64(i)/(curvePoints-1)
	}
	gradients, err := along(e, start, fit, data.name, line)
	if err != nil {
		return err
	}
	n, banded := len(fit.X), false
	for i, y := range line.Y {
		margin, err := fit.Margin(gradients[i*n:(i+1)*n], confidence)
		if err != nil {
			return err
		}
		banded = banded || finite(margin)
		line.Low, line.High = append(line.Low, y-margin), append(line.High, y+margin)
	}
	chart := plot.Chart{Title: c.Expr, X: data.name, Y: c.Response, Lines: []plot.Line{line, {Name: "data", X: data.x, Y: data.y, Dots: true}}}
	if err := file.Replace(file.Disk, c.Plot, func(w io.Writer) error { return plot.WriteCharts(w, chart) }); err != nil {
		return err
	}
	without := ""
	if !banded {
		without = ", without a band: the data do not tell how certain the curve is"
	}
	_, err = fmt.Fprintf(env.stdout, "wrote %s%s\n", file.Name(c.Plot), without)
	return err
}

// along computes the fitted curve over a column, into line.Y, and returns its gradient with respect to the fitted values at each point.
func along(e *expr.Expr, start []assignment, fit *minimize.Fit, column string, line plot.Line) ([]float64, error) {
	g := tarn.NewGraph()
	values := map[string]*tarn.Value{column: g.Input(column, tarn.F64, len(line.X))}
	var params tarn.ParamSet
	for _, a := range start {
		p, err := addParam(&params, a)
		if err != nil {
			return nil, err
		}
		values[a.name] = p.Value(g)
	}
	model, err := e.Build(g, values)
	if err != nil {
		return nil, err
	}
	graph, err := minimize.FromResiduals(model, params.List(), minimize.Inputs{column: tarn.Vector(line.X)})
	if err != nil {
		return nil, err
	}
	problem := graph.Problem()
	gradients := make([]float64, len(line.X)*len(fit.X))
	problem.Residuals(line.Y, fit.X)
	problem.Jacobian(gradients, fit.X)
	return gradients, problem.Err()
}
