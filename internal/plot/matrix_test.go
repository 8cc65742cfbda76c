package plot

import (
	"image/color"
	"io"
	"testing"
)

// TestMatrixAndRanks draws matrices and bars, and looks for their shades and bars.
func TestMatrixAndRanks(t *testing.T) {
	many := Matrix{Counts: make([][]int, 30), Names: make([]string, 30)}
	for i := range many.Names {
		many.Names[i], many.Counts[i] = "a name that is rather long", make([]int, 30)
		many.Counts[i][i] = i
	}
	for _, c := range []struct {
		name   string
		matrix Matrix
		want   string
	}{
		{"two", Matrix{Title: "t", X: "x", Y: "y", Names: []string{"no", "yes"}, Counts: [][]int{{30, 0}, {2, 5}}}, ""},
		{"an empty row", Matrix{Names: []string{"a", "b", "c"}, Counts: [][]int{{9, 0, 0}, {0, 0, 0}, {1, 2, 3}}}, ""},
		{"many", many, ""},
		{"one", Matrix{Names: []string{"a"}, Counts: [][]int{{1}}}, "there must be 2 to 60"},
		{"ragged", Matrix{Names: []string{"a", "b"}, Counts: [][]int{{1, 2}, {1}}}, "row 2 of a matrix has 1 counts"},
	} {
		img := drawn(t, c.name, c.want, func(w io.Writer) error { return WriteMatrix(w, c.matrix) })
		if img != nil && histogram(img)[color.RGBA{0, 90, 160, 255}] < 100 {
			t.Errorf("%s: no cell has the darkest shade", c.name)
		}
	}
	for _, c := range []struct {
		name  string
		ranks Ranks
		want  string
	}{
		{"bars", Ranks{Title: "t", X: "x", Names: []string{"a", "b"}, Values: []float64{3, -1}, Spreads: []float64{1, 0.1}}, ""},
		{"zero", Ranks{Names: []string{"a", "b"}, Values: []float64{0, 2}}, ""},
		{"none", Ranks{}, "no bars"},
		{"lengths", Ranks{Names: []string{"a"}, Values: []float64{1, 2}}, "not as many values"},
	} {
		img := drawn(t, c.name, c.want, func(w io.Writer) error { return WriteRanks(w, c.ranks) })
		if img != nil && count(img, 5) < 100 {
			t.Errorf("%s: there is no bar", c.name)
		}
	}
}
