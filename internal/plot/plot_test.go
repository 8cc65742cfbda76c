package plot

// The tests draw pictures of all kinds and look at their sizes and colors.

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

// count is the number of pixels of the color of line i.
func count(img image.Image, i int) int { return histogram(img)[colors[i].(color.RGBA)] }

// histogram counts the pixels of each color.
func histogram(img image.Image) map[color.RGBA]int {
	n := map[color.RGBA]int{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			r, g, b, a := img.At(x, y).RGBA()
			n[color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), uint8(a >> 8)}]++
		}
	}
	return n
}

// drawn returns the picture that write writes, or nil if it fails, which it should with an error that contains want, unless that is "".
func drawn(t *testing.T, name, want string, write func(w io.Writer) error) image.Image {
	t.Helper()
	var b bytes.Buffer
	err := write(&b)
	if want != "" {
		if err == nil || !strings.Contains(err.Error(), want) || b.Len() != 0 {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		return nil
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	return img
}

func TestWriteHeights(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: draws many pictures")
	}
	heights := func(paths int) Heights {
		h := Heights{Grid: bowl(0).Grid, XName: "a", YName: "b"}
		for i := range h.Values {
			h.Values[i] /= 5
		}
		for range paths {
			h.Paths = append(h.Paths, Path{"a path", [][2]float64{{-1, 1}, {0.5, 0.5}, {0, 0}}})
		}
		return h
	}
	holes, short, infinite, empty, named := heights(1), heights(1), heights(1), heights(1), heights(1)
	named.Places = []Place{{"left", -0.9, 0.5}, {"right", 1.9, 0.5}, {"outside", 20, 20}}
	holes.Values[0] = math.NaN()
	short.Values = short.Values[1:]
	infinite.Values[0] = math.Inf(1)
	empty.Paths[0].Points = nil
	for _, c := range []struct {
		name          string
		h             Heights
		columns, rows int
		lines         bool
		want          string
	}{
		{"one", heights(1), 1, 1, true, ""},
		{"three", heights(3), 3, 1, true, ""},
		{"four", heights(4), 2, 2, true, ""},
		{"five", heights(5), 3, 2, true, ""},
		{"named places", named, 1, 1, true, ""},
		{"holes", holes, 1, 1, false, ""},
		{"no path", heights(0), 0, 0, false, "no path"},
		{"no points", empty, 0, 0, false, "has no points"},
		{"short", short, 0, 0, false, "11 values"},
		{"infinite", infinite, 0, 0, false, "not finite"},
	} {
		img := drawn(t, c.name, c.want, func(w io.Writer) error { return WriteHeights(w, c.h) })
		if img == nil {
			continue
		}
		if size := img.Bounds().Size(); max(size.X*c.rows-size.Y*c.columns, size.Y*c.columns-size.X*c.rows) > 3 {
			t.Errorf("%s: the picture is %v, want %d by %d squares", c.name, size, c.columns, c.rows)
		}
		pixels := histogram(img)
		for what, shade := range map[string]color.RGBA{"path": pathColor, "start": startColor, "end": {A: 255}} {
			if n := pixels[shade]; n < 20*len(c.h.Paths) {
				t.Errorf("%s: %d pixels of the %s", c.name, n, what)
			}
		}
		// A line is thin and its color mixed with what is below; the shades of the heights are no darker than the darkest.
		darkest := shades{}.Colors()[95].(color.RGBA)
		lines := 0
		for c, n := range pixels {
			if c.R > 60 && c.R < darkest.R-20 && c.B > c.R+20 && c.B < 170 {
				lines += n
			}
		}
		if (lines > 100) != c.lines {
			t.Errorf("%s: %d pixels of contour lines", c.name, lines)
		}
	}
}

func TestWriteBars(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name string
		bars Bars
		want string
	}{
		{"two rows", Bars{Title: "t", Rows: []string{"a", "b"}, Series: []Series{{"p", []float64{2, 0.5}}, {"q", []float64{300, nan}}}}, ""},
		{"none of a row", Bars{Rows: []string{"a"}, Series: []Series{{"p", []float64{20}}, {"q", []float64{0}}}}, ""},
		{"no row", Bars{Series: []Series{{"p", nil}}}, "no bar"},
		{"no series", Bars{Rows: []string{"a"}}, "no bar"},
		{"lengths", Bars{Rows: []string{"a", "b"}, Series: []Series{{"p", []float64{1}}}}, `"p" has 1 ratios for 2 rows`},
	} {
		img := drawn(t, c.name, c.want, func(w io.Writer) error { return WriteBars(w, c.bars) })
		if img != nil && count(img, 0) < 500 {
			t.Errorf("%s: %d pixels of the bars", c.name, count(img, 0))
		}
	}
}

// TestLogHeights puts values on a scale from 0 at the lowest to 1 at the highest.
func TestLogHeights(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		values []float64
		lowest float64
		want   []float64
	}{
		{[]float64{0, 3, 3, 3, 3, 9}, 0, []float64{0, 0.5, 0.5, 0.5, 0.5, 1}}, // the logarithms of 1, 2 and 4
		{[]float64{5, 8, 8, 8, 8, 14, nan, math.Inf(1)}, 5, []float64{0, 0.5, 0.5, 0.5, 0.5, 1, nan, nan}},
		{[]float64{7, 7}, 7, []float64{0, 0}},
		{[]float64{nan}, math.Inf(1), []float64{nan}},
	} {
		for i, got := range LogHeights(c.values, c.lowest) {
			if want := c.want[i]; !(math.Abs(got-want) < 1e-12) && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Errorf("%v: height %d is %v, want %v", c.values, i, got, want)
			}
		}
	}
}

// TestRefine keeps the points of a grid, is exact for polynomials that the splines are exact for, and stays between 0 and 1.
func TestRefine(t *testing.T) {
	f := func(x, y float64) float64 { return 0.3 + 0.1*x - 0.05*y + 0.02*x*y }
	g := Grid{Xs: []float64{-1, 0, 1, 2}, Ys: []float64{-1, 0, 1}}
	for _, y := range g.Ys {
		for _, x := range g.Xs {
			g.Values = append(g.Values, f(x, y))
		}
	}
	fine := g.Refine(4)
	if err := fine.check(); err != nil || len(fine.Xs) != 13 || len(fine.Ys) != 9 {
		t.Fatalf("%v: %v and %v", err, fine.Xs, fine.Ys)
	}
	for j, y := range fine.Ys {
		for i, x := range fine.Xs {
			if got := fine.Z(i, j); !(math.Abs(got-f(x, y)) < 1e-12) {
				t.Errorf("%v at %v, %v, want %v", got, x, y, f(x, y))
			}
		}
	}
	steep := Grid{Xs: []float64{0, 1, 2, 3}, Ys: []float64{0, 1}, Values: []float64{0, 0, 1, 1, 0, math.NaN(), 1, 1}}
	fine = steep.Refine(8)
	holes := 0
	for _, v := range fine.Values {
		if math.IsNaN(v) {
			holes++
		} else if v < 0 || v > 1 {
			t.Errorf("the value %v", v)
		}
	}
	if holes == 0 || fine.Z(0, 0) != 0 || fine.Z(24, 0) != 1 {
		t.Errorf("%d holes in %v", holes, fine.Values)
	}
}
