package plot

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// This file holds surfaces, functions of two variables, as contours with paths over them.

// Surface is a function of two variables on a grid, and the paths of those who look for its minimum.
type Surface struct {
	Title string
	Grid
	Paths  []Line
	Minima [][2]float64 // marked with a cross
}

// surfaceWidth is the width of one surface; the legend has as much.
const surfaceWidth = 13 * vg.Centimeter

// WriteSurfaces draws surfaces in two columns, and the names of the first one's paths, which the others share, in the cell
// after the last. Contours are denser where the function is small, an equal factor apart.
func WriteSurfaces(w io.Writer, surfaces ...Surface) error {
	if len(surfaces) == 0 {
		return errors.New("plot: there is no surface to draw")
	}
	var cells []*plot.Plot
	for _, s := range surfaces {
		p, err := s.plot()
		if err != nil {
			return fmt.Errorf("plot: %q: %w", s.Title, err)
		}
		cells = append(cells, p)
	}
	cells = append(cells, surfaces[0].key().plot())
	return write(w, table(cells, 2), surfaceWidth, height, nil)
}

// plot draws one surface.
func (s *Surface) plot() (*plot.Plot, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(s.Values, math.IsNaN) {
		return nil, errors.New("a value of the grid is not finite")
	}
	p := newPlot(s.Title, "x", "y")
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(ticks), plot.TickerFunc(ticks)
	if levels := s.levels(); len(levels) > 0 {
		contour := plotter.NewContour(s, levels, nil)
		contour.LineStyles = []draw.LineStyle{{Color: color.Gray{200}, Width: 0.6}}
		p.Add(contour)
	}
	for i, l := range s.Paths {
		if len(l.X) != len(l.Y) {
			return nil, fmt.Errorf("the path %q has %d x and %d y", l.Name, len(l.X), len(l.Y))
		}
		chart := Chart{}
		for _, points := range chart.runs(l) {
			p.Add(&plotter.Line{XYs: points, LineStyle: style(i)})
		}
	}
	for i, l := range s.Paths { // where they end, above all paths
		if n := len(l.X); n > 0 {
			p.Add(dot(l.X[n-1], l.Y[n-1], draw.GlyphStyle{Color: style(i).Color, Shape: draw.CircleGlyph{}, Radius: 3}))
		}
	}
	if len(s.Paths) > 0 && len(s.Paths[0].X) > 0 {
		p.Add(dot(s.Paths[0].X[0], s.Paths[0].Y[0], start))
	}
	for _, m := range s.Minima {
		p.Add(dot(m[0], m[1], minimum))
	}
	s.setRange(p)
	return p, nil
}

// The marks of the common start and of the minima.
var (
	start   = draw.GlyphStyle{Color: color.Gray{0}, Shape: draw.BoxGlyph{}, Radius: 3}
	minimum = draw.GlyphStyle{Color: color.Gray{0}, Shape: draw.CrossGlyph{}, Radius: 4.5}
)

// dot is one mark.
func dot(x, y float64, look draw.GlyphStyle) *plotter.Scatter {
	return &plotter.Scatter{XYs: plotter.XYs{{X: x, Y: y}}, GlyphStyle: look}
}

// levels are 16 heights above the lowest of the grid, an equal factor apart up to the highest.
func (s *Surface) levels() (levels []float64) {
	lo, hi := slices.Min(s.Values), slices.Max(s.Values)
	const count, span = 16, 1e-4 // the lowest contour is at this share of the whole height
	for i := range count {
		if level := lo + (hi-lo)*math.Pow(span, 1-float64(i)/count); level > lo && level < hi {
			levels = append(levels, level)
		}
	}
	return levels
}

// key names the paths and the marks.
func (s *Surface) key() *key {
	k := newKey(s.Paths)
	k.add("start", dot(0, 0, start))
	k.add("minimum", dot(0, 0, minimum))
	return k
}
