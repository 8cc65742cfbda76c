package curve

import (
	"bytes"
	"errors"
	"image/png"
	"math"
	"strings"
	"testing"
)

// TestWriteCharts draws charts of all kinds and looks for the colors of their lines.
func TestWriteCharts(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	var many []Line
	for i := range 40 {
		many = append(many, Line{Name: "a long name", X: []float64{0, 1}, Y: []float64{0, float64(i)}, Low: []float64{0, 0}, High: []float64{1, 1}, Band: "b"})
	}
	for _, c := range []struct {
		name  string
		chart Chart
		want  string // of the error
	}{
		{"plain", Chart{Title: "t", X: "x", Y: "y", Lines: []Line{{Name: "a", X: []float64{0, 1, 2}, Y: []float64{3, -1, 2}}}}, ""},
		{"logarithmic", Chart{Y: "y", LogX: true, LogY: true, Lines: []Line{{Name: "a", X: []float64{0, 1e-6, 1e9}, Y: []float64{1, 1e-30, 1e30}}}}, ""},
		{"one point", Chart{LogX: true, Lines: []Line{{Name: "a", X: []float64{1}, Y: []float64{0}}, {Name: "b", X: []float64{1, 2}, Y: []float64{0, 0}, Faint: true}}}, ""},
		{"gaps", Chart{Lines: []Line{{Name: "a", X: []float64{0, 1, nan, 3, 4, 5}, Y: []float64{3, 2, 2, inf, 1, 2}}}}, ""},
		{"dots and a band", Chart{LogY: true, Lines: []Line{
			{Name: "a", X: []float64{0, 1, 2, 3}, Y: []float64{3, 2, 2, 1}, Low: []float64{2, 1, -1, 0.5}, High: []float64{4, inf, 3, 2}, Band: "around"},
			{Name: "b", X: []float64{0, nan, 2}, Y: []float64{3, 2, 2}, Dots: true}, {Dots: true}}}, ""},
		{"a mark outside", Chart{Lines: []Line{{Name: "a", X: []float64{1, 2}, Y: []float64{0, 1}}}, Marks: []Mark{{"m", 7}}}, ""},
		{"many lines", Chart{Lines: many}, ""},
		{"nothing", Chart{}, "no point can be drawn"},
		{"nothing positive", Chart{LogY: true, Lines: []Line{{Name: "a", X: []float64{1, 2}, Y: []float64{0, -1}}}}, "no point can be drawn"},
		{"band", Chart{Lines: []Line{{Name: "a", X: []float64{1, 2}, Y: []float64{0, 1}, Low: []float64{0, 1}, High: []float64{0}}}}, `"a" has 2 x and a band of 2 and 1 y`},
		{"lengths", Chart{Lines: []Line{{Name: "a", X: []float64{1, 2}, Y: []float64{0}}}}, `"a" has 2 x and 1 y`},
	} {
		var b bytes.Buffer
		err := WriteCharts(&b, c.chart, c.chart)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || b.Len() != 0 {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		img, err := png.Decode(&b)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if img.Bounds().Dx() < 1500 || count(img, 0) < 50 {
			t.Errorf("%s: %v, %d pixels of the line", c.name, img.Bounds(), count(img, 0))
		}
	}
	if err := WriteCharts(&bytes.Buffer{}); err == nil {
		t.Error("no chart at all is drawn")
	}
}

// bowl is a surface with as many paths as asked for.
func bowl(paths int) Surface {
	s := Surface{Title: "bowl", Xs: []float64{-1, 0, 1, 2}, Ys: []float64{-1, 0, 1}, Minima: [][2]float64{{0, 0}}}
	for _, y := range s.Ys {
		for _, x := range s.Xs {
			s.Values = append(s.Values, x*x+y*y)
		}
	}
	for i := range paths {
		s.Paths = append(s.Paths, Line{Name: "p", X: []float64{1, 0.5, 0, 50}, Y: []float64{1, float64(i) / 20, 0, 50}})
	}
	return s
}

func TestWriteSurfaces(t *testing.T) {
	flat, broken, short, falling, crooked := bowl(1), bowl(1), bowl(1), bowl(1), bowl(1)
	clear(flat.Values)
	broken.Values[3] = math.NaN()
	short.Values = short.Values[1:]
	falling.Xs[2] = -5
	crooked.Paths[0].Y = nil
	for _, c := range []struct {
		name     string
		surfaces []Surface
		want     string
	}{
		{"one", []Surface{bowl(2)}, ""},
		{"two", []Surface{bowl(25), bowl(1)}, ""},
		{"three", []Surface{bowl(1), bowl(1), flat}, ""},
		{"none", nil, "no surface"},
		{"not a number", []Surface{broken}, "not finite"},
		{"size", []Surface{short}, "4 columns, 3 rows and 11 values"},
		{"order", []Surface{falling}, "rise"},
		{"path", []Surface{bowl(1), crooked}, "4 x and 0 y"},
	} {
		var b bytes.Buffer
		err := WriteSurfaces(&b, c.surfaces...)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || b.Len() != 0 {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if img, err := png.Decode(&b); err != nil || count(img, 0) < 50 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	full := errors.New("full")
	if err := WriteSurfaces(refusing{full}, bowl(1)); !errors.Is(err, full) {
		t.Errorf("a writer that refuses: %v", err)
	}
}

// refusing is a writer that takes nothing.
type refusing struct{ err error }

func (r refusing) Write([]byte) (int, error) { return 0, r.err }
