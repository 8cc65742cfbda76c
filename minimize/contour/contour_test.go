package contour_test

import (
	"bytes"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/minimize/contour"
)

func TestWritePNG(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	path := contour.Path{Title: "a path", Points: [][2]float64{{-1.2, 1}, {0, 0.5}, {1, 1}}}
	for what, f := range map[string]func(x, y float64) float64{
		"rosenbrock": func(x, y float64) float64 { return (1-x)*(1-x) + 100*(y-x*x)*(y-x*x) },
		"constant":   func(x, y float64) float64 { return 7 },
		"half":       func(x, y float64) float64 { return math.Log(x) },
		"nowhere":    func(x, y float64) float64 { return nan },
		"poles":      func(x, y float64) float64 { return 1 / math.Floor(x) },
		"huge":       func(x, y float64) float64 { return 1e300 * x * x },
		"infinite":   func(x, y float64) float64 { return inf },
	} {
		for _, n := range []int{1, 4} {
			if n == 4 && what != "rosenbrock" {
				continue
			}
			var b bytes.Buffer
			paths := []contour.Path{path, path, path, {Title: "a point", Points: [][2]float64{{1, 1}}}}[4-n:]
			if err := contour.WritePNG(&b, f, [2]string{"x", "y"}, paths...); err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			img, err := png.Decode(&b)
			if err != nil {
				t.Fatal(err)
			}
			if s := img.Bounds().Size(); s.X != s.Y || s.X < 500*(1+n/4) {
				t.Errorf("%s: %d paths: the picture is %v", what, n, s)
			}
			if what != "rosenbrock" || n != 4 {
				continue
			}
			colors := map[[3]uint32]bool{}
			for y := range img.Bounds().Dy() {
				for x := range img.Bounds().Dx() {
					r, g, b, _ := img.At(x, y).RGBA()
					colors[[3]uint32{r >> 8, g >> 8, b >> 8}] = true
				}
			}
			if len(colors) < 60 || !colors[[3]uint32{213, 94, 0}] || !colors[[3]uint32{0, 114, 178}] {
				t.Errorf("%d colors, the path %v and its start %v among them", len(colors), colors[[3]uint32{213, 94, 0}], colors[[3]uint32{0, 114, 178}])
			}
		}
	}
	f := func(x, y float64) float64 { return x }
	for _, c := range []struct {
		want  string
		paths []contour.Path
	}{
		{"0 paths", nil},
		{"13 paths", make([]contour.Path, 13)},
		{"has no points", []contour.Path{{Title: "none"}}},
		{"has the point", []contour.Path{{Points: [][2]float64{{nan, 1}}}}},
		{"too far apart", []contour.Path{{Points: [][2]float64{{-1e308, 1}, {1e308, 1}}}}},
		{"too close together", []contour.Path{{Points: [][2]float64{{1e9, 1e9}, {1e9 + 1e-6, 1e9}}}}},
	} {
		if err := contour.WritePNG(io.Discard, f, [2]string{"x", "y"}, c.paths...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
