package plot

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/plot"
)

// This file holds grids, on which functions of two variables are known.

// Grid is the values of a function of two variables. It is what gonum's contours and heat maps draw.
type Grid struct {
	Xs, Ys []float64 // of the columns and the rows, rising
	Values []float64 // row after row; NaN for none
}

// Dims returns the number of columns and of rows.
func (g *Grid) Dims() (columns, rows int) { return len(g.Xs), len(g.Ys) }

// X returns the place of a column.
func (g *Grid) X(column int) float64 { return g.Xs[column] }

// Y returns the place of a row.
func (g *Grid) Y(row int) float64 { return g.Ys[row] }

// Z returns a value.
func (g *Grid) Z(column, row int) float64 { return g.Values[row*len(g.Xs)+column] }

// check returns an error if the grid cannot be drawn.
func (g *Grid) check() error {
	columns, rows := g.Dims()
	if columns < 2 || rows < 2 || len(g.Values) != columns*rows {
		return fmt.Errorf("the grid has %d columns, %d rows and %d values", columns, rows, len(g.Values))
	}
	for _, v := range g.Values {
		if math.IsInf(v, 0) {
			return errors.New("a value of the grid is not finite")
		}
	}
	if !rising(g.Xs) || !rising(g.Ys) {
		return errors.New("the places of the grid should be finite and rise")
	}
	return nil
}

func rising(xs []float64) bool {
	for i, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) || i > 0 && x <= xs[i-1] {
			return false
		}
	}
	return true
}

// setRange shows the whole grid.
func (g *Grid) setRange(p *plot.Plot) {
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = g.Xs[0], g.Xs[len(g.Xs)-1], g.Ys[0], g.Ys[len(g.Ys)-1]
}

// Refine returns a grid with factor times as many intervals in each direction, with values between those of g by cubic splines of Catmull and Rom
// that stay between 0 and 1, for heights. A NaN makes its neighbors NaN.
func (g *Grid) Refine(factor int) Grid {
	columns, rows := g.Dims()
	fine := Grid{Xs: refined(g.Xs, factor, false), Ys: refined(g.Ys, factor, false)}
	wide := make([][]float64, rows) // the rows with all columns
	for j := range wide {
		wide[j] = refined(g.Values[j*columns:(j+1)*columns], factor, true)
	}
	fine.Values = make([]float64, len(fine.Xs)*len(fine.Ys))
	column := make([]float64, rows)
	for i := range fine.Xs {
		for j := range wide {
			column[j] = wide[j][i]
		}
		for j, v := range refined(column, factor, true) {
			fine.Values[j*len(fine.Xs)+i] = min(max(v, 0), 1)
		}
	}
	return fine
}

// refined puts factor-1 numbers between any two, along a line, or along a spline if smooth is set.
func refined(v []float64, factor int, smooth bool) []float64 {
	n := len(v)
	at := func(i int) float64 { // beyond the ends along a line
		switch {
		case i < 0:
			return 2*v[0] - v[1]
		case i >= n:
			return 2*v[n-1] - v[n-2]
		}
		return v[i]
	}
	out := make([]float64, 0, (n-1)*factor+1)
	for i := range n - 1 {
		for k := range factor {
			t := float64(k) / float64(factor)
			a, b, c, d := at(i-1), at(i), at(i+1), at(i+2)
			switch {
			case k == 0:
				out = append(out, b)
			case smooth:
				out = append(out, b+t/2*(c-a+t*(2*a-5*b+4*c-d+t*(3*(b-c)+d-a))))
			default:
				out = append(out, b+(c-b)*t)
			}
		}
	}
	return append(out, v[n-1])
}
