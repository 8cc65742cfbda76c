package plot

import (
	"bytes"
	"image/png"
	"io"
	"math"
	"testing"
)

// TestWriteCharts draws charts of all kinds and looks for the colors of their lines.
func TestWriteCharts(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: draws many pictures")
	}
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
		{"knots", Chart{Counts: true, LogY: true, Lines: []Line{{Name: "a", X: []float64{1, 2, 3}, Y: []float64{1, nan, 1000}, Knots: true}}}, ""},
		{"one count", Chart{Counts: true, Lines: []Line{{Name: "a", X: []float64{1}, Y: []float64{7}, Knots: true}}}, ""},
		{"nothing", Chart{}, "no point can be drawn"},
		{"nothing positive", Chart{LogY: true, Lines: []Line{{Name: "a", X: []float64{1, 2}, Y: []float64{0, -1}}}}, "no point can be drawn"},
		{"band", Chart{Lines: []Line{{Name: "a", X: []float64{1, 2}, Y: []float64{0, 1}, Low: []float64{0, 1}, High: []float64{0}}}}, `"a" has 2 x and a band of 2 and 1 y`},
		{"lengths", Chart{Lines: []Line{{Name: "a", X: []float64{1, 2}, Y: []float64{0}}}}, `"a" has 2 x and 1 y`},
	} {
		img := drawn(t, c.name, c.want, func(w io.Writer) error { return WriteCharts(w, c.chart, c.chart) })
		if img == nil {
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

// TestCountsWithoutPoints draws the axis of a chart that has no points yet.
func TestCountsWithoutPoints(t *testing.T) {
	c := Chart{Counts: true, Lines: []Line{{Name: "a", X: []float64{1, 2}, Y: []float64{math.NaN(), math.NaN()}}}}
	var b bytes.Buffer
	if err := WriteCharts(&b, c); err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(&b); err != nil || count(img, 0) != 0 {
		t.Error(err)
	}
	if err := WriteCharts(&b, Chart{Counts: true}); err == nil {
		t.Error("a chart without any x is drawn")
	}
}
