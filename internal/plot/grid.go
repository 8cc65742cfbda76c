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
