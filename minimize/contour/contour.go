// Package contour draws functions of two variables as contour lines, with the paths that searches for their minima take.
package contour

import (
	"fmt"
	"io"
	"math"

	"github.com/seed-49005b45/tarn/internal/plot"
)

const (
	grid     = 240 // points of the grid in each direction
	maxPaths = 12
)

// Path is the way of one search.
type Path struct {
	Title  string
	Points [][2]float64
}

// WritePNG draws f over the region of the paths, one panel for each path, all to one scale. Lines are drawn where
// the logarithm of f above its least value changes by equal amounts, so that valleys show. Points at which f is not finite stay white.
func WritePNG(w io.Writer, f func(x, y float64) float64, names [2]string, paths ...Path) error {
	if len(paths) == 0 || len(paths) > maxPaths {
		return fmt.Errorf("contour: %d paths, want 1 to %d", len(paths), maxPaths)
	}
	region, err := regionOf(paths)
	if err != nil {
		return err
	}
	heights := sample(f, region, paths)
	heights.XName, heights.YName = names[0], names[1]
	for _, p := range paths {
		heights.Paths = append(heights.Paths, plot.Path(p))
	}
	if err := plot.WriteHeights(w, heights); err != nil {
		return fmt.Errorf("contour: %w", err)
	}
	return nil
}

// box is a region of the plane.
type box struct{ x0, x1, y0, y1 float64 }

// regionOf returns a region that contains all points with a margin, and whose sides differ by at most a factor of four.
func regionOf(paths []Path) (box, error) {
	b := box{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	for _, p := range paths {
		if len(p.Points) == 0 {
			return b, fmt.Errorf("contour: the path %q has no points", p.Title)
		}
		for _, q := range p.Points {
			if math.IsNaN(q[0]+q[1]) || math.IsInf(q[0], 0) || math.IsInf(q[1], 0) {
				return b, fmt.Errorf("contour: the path %q has the point %v", p.Title, q)
			}
			b.x0, b.x1, b.y0, b.y1 = min(b.x0, q[0]), max(b.x1, q[0]), min(b.y0, q[1]), max(b.y1, q[1])
		}
	}
	width, height := b.x1-b.x0, b.y1-b.y0
	if width == 0 && height == 0 {
		width = 1
	}
	if math.IsInf(width, 0) || math.IsInf(height, 0) || max(width, height) < 1e-12*max(math.Abs(b.x0), math.Abs(b.y0)) {
		return b, fmt.Errorf("contour: the points lie too far apart, or too close together, to be drawn")
	}
	width, height = max(width, height/4), max(height, width/4)
	widen := func(lo, hi, size float64) (float64, float64) {
		middle := lo + (hi-lo)/2
		return middle - 0.65*size, middle + 0.65*size
	}
	b.x0, b.x1 = widen(b.x0, b.x1, width)
	b.y0, b.y1 = widen(b.y0, b.y1, height)
	return b, nil
}

// sample evaluates f on a grid over the region, and at the ends of the paths, which are the lowest points known. It returns heights from 0 at
// the lowest to 1 at the highest, NaN if f is not finite.
func sample(f func(x, y float64) float64, b box, paths []Path) plot.Heights {
	h := plot.Heights{Grid: plot.Grid{Xs: spaced(b.x0, b.x1), Ys: spaced(b.y0, b.y1), Values: make([]float64, 0, grid*grid)}}
	lowest := math.Inf(1)
	lower := func(v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			lowest = min(lowest, v)
		}
	}
	for _, y := range h.Ys {
		for _, x := range h.Xs {
			v := f(x, y)
			h.Values = append(h.Values, v)
			lower(v)
		}
	}
	for _, p := range paths {
		end := p.Points[len(p.Points)-1]
		lower(f(end[0], end[1]))
	}
	h.Values = plot.LogHeights(h.Values, lowest)
	return h
}

// spaced returns the places of the grid from lo to hi.
func spaced(lo, hi float64) []float64 {
	at := make([]float64, grid)
	for i := range at {
		at[i] = lo + (hi-lo)*float64(i)/(grid-1)
	}
	return at
}
