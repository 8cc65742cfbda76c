// Package contour draws functions of two variables as contour lines, with the paths that searches for their minima take.
package contour

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

const (
	side     = 10 * vg.Centimeter // of the square for each path
	dpi      = 150
	grid     = 240 // points of the grid in each direction
	lines    = 18  // contour lines
	maxPaths = 12
	row      = 3 // squares beside each other
)

// Path is the way of one search.
type Path struct {
	Title  string
	Points [][2]float64
}

var (
	pathColor  = color.RGBA{213, 94, 0, 255}
	startColor = color.RGBA{0, 114, 178, 255}
	lineColor  = color.RGBA{70, 100, 140, 255}
)

// WritePNG draws f over the region of the paths, for each path beside or below the others, all to one scale. Lines are where
// the logarithm of f above its least value has equal distances, so that valleys show. Points where f is not finite stay white.
func WritePNG(w io.Writer, f func(x, y float64) float64, names [2]string, paths ...Path) error {
	if len(paths) == 0 || len(paths) > maxPaths {
		return fmt.Errorf("contour: %d paths, want 1 to %d", len(paths), maxPaths)
	}
	region, err := regionOf(paths)
	if err != nil {
		return err
	}
	s := sample(f, region, paths)
	columns := min(row, len(paths))
	if len(paths) == 4 {
		columns = 2
	}
	plots := [][]*plot.Plot{}
	for i, path := range paths {
		p, err := draw1(s, names, path)
		if err != nil {
			return fmt.Errorf("contour: %w", err)
		}
		if i%columns == 0 {
			plots = append(plots, make([]*plot.Plot, columns))
		}
		plots[i/columns][i%columns] = p
	}
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(columns)*side, vg.Length(len(plots))*side), vgimg.UseDPI(dpi))
	tiles := draw.Tiles{Rows: len(plots), Cols: columns, PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 14, PadX: 16, PadY: 14}
	canvases := plot.Align(plots, tiles, draw.New(c))
	for i, line := range plots {
		for j, p := range line {
			if p != nil {
				p.Draw(canvases[i][j])
			}
		}
	}
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(w); err != nil {
		return fmt.Errorf("contour: %w", err)
	}
	return nil
}

// box is a region of the plane.
type box struct{ x0, x1, y0, y1 float64 }

// regionOf holds all the points with a margin, and is at least a quarter as high as wide and the other way round.
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

// samples are heights on a grid: 0 at the lowest and 1 at the highest.
type samples struct {
	box
	z          []float64
	incomplete bool // some values are not finite
}

func (s *samples) Dims() (columns, rows int) { return grid, grid }
func (s *samples) Z(c, r int) float64        { return s.z[r*grid+c] }
func (s *samples) X(c int) float64           { return s.x0 + (s.x1-s.x0)*float64(c)/(grid-1) }
func (s *samples) Y(r int) float64           { return s.y0 + (s.y1-s.y0)*float64(r)/(grid-1) }

// sample evaluates f on the grid and at the ends of the paths, where it is least.
func sample(f func(x, y float64) float64, b box, paths []Path) *samples {
	s := &samples{box: b, z: make([]float64, grid*grid)}
	lowest := math.Inf(1)
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	var all []float64
	for r := range grid {
		for c := range grid {
			v := f(s.X(c), s.Y(r))
			if s.z[r*grid+c] = v; finite(v) {
				lowest = min(lowest, v)
				all = append(all, v)
			}
		}
	}
	for _, p := range paths {
		end := p.Points[len(p.Points)-1]
		if v := f(end[0], end[1]); finite(v) {
			lowest = min(lowest, v)
		}
	}
	if len(all) == 0 {
		for i := range s.z {
			s.z[i] = math.NaN()
		}
		s.incomplete = true
		return s
	}
	// The scale begins where a thousandth of the area lies below.
	slices.Sort(all)
	floor := max(all[len(all)/1000]-lowest, 1e-9*(all[len(all)-1]-lowest), math.SmallestNonzeroFloat64)
	top := math.Log((all[len(all)-1]-lowest)/floor + 1)
	for i, v := range s.z {
		if !finite(v) {
			s.z[i], s.incomplete = math.NaN(), true
			continue
		}
		if s.z[i] = 0; top > 0 {
			s.z[i] = math.Log((v-lowest)/floor+1) / top
		}
	}
	return s
}

// shades is a palette from white, at the bottom, to blue.
type shades struct{}

func (shades) Colors() []color.Color {
	const n = 96
	out := make([]color.Color, n)
	for i := range out {
		t := float64(i) / (n - 1)
		mix := func(a, b float64) uint8 { return uint8(a + (b-a)*t) }
		out[i] = color.RGBA{mix(255, 128), mix(255, 165), mix(252, 205), 255}
	}
	return out
}

// oneColor is the palette of the contour lines.
type oneColor struct{}

func (oneColor) Colors() []color.Color { return []color.Color{lineColor} }

// plain hides a plotter's boxes around each point of the grid, which cost more time to walk than the drawing and change nothing.
type plain struct{ plot.Plotter }

// draw1 draws one path over the heights, from a blue square to a black dot.
func draw1(s *samples, names [2]string, path Path) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.Title.Padding = path.Title, 6
	p.X.Label.Text, p.Y.Label.Text = names[0], names[1]
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font} {
		f.Variant, f.Size = "Sans", 9
	}
	p.Title.TextStyle.Font.Size = 10
	heat := plotter.NewHeatMap(s, shades{})
	heat.Min, heat.Max, heat.Rasterized, heat.NaN = 0, 1, true, color.White
	p.Add(plain{heat})
	if !s.incomplete {
		levels := make([]float64, lines)
		for i := range levels {
			levels[i] = (float64(i) + 0.5) / lines
		}
		contour := plotter.NewContour(s, levels, oneColor{})
		contour.LineStyles[0].Width = 0.5
		p.Add(plain{contour})
	}
	points := make(plotter.XYs, len(path.Points))
	for i, q := range path.Points {
		points[i] = plotter.XY{X: q[0], Y: q[1]}
	}
	way, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return nil, err
	}
	way.Color, way.Width = pathColor, 1.3
	dots.Color, dots.Shape, dots.Radius = pathColor, draw.CircleGlyph{}, 1.7
	p.Add(way)
	if len(points) <= 300 {
		p.Add(dots)
	}
	for _, mark := range []struct {
		at    plotter.XY
		shape draw.GlyphDrawer
		color color.Color
	}{{points[0], draw.BoxGlyph{}, startColor}, {points[len(points)-1], draw.CircleGlyph{}, color.Black}} {
		m, err := plotter.NewScatter(plotter.XYs{mark.at})
		if err != nil {
			return nil, err
		}
		m.Shape, m.Color, m.Radius = mark.shape, mark.color, 3
		p.Add(m)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = s.x0, s.x1, s.y0, s.y1
	return p, nil
}
