package plot

// The tests draw pictures of all kinds and look at their sizes and colors.

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
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

func TestWriteHeights(t *testing.T) {
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
	holes, short, infinite, empty := heights(1), heights(1), heights(1), heights(1)
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
		{"holes", holes, 1, 1, false, ""},
		{"no path", heights(0), 0, 0, false, "no path"},
		{"no points", empty, 0, 0, false, "has no points"},
		{"short", short, 0, 0, false, "11 values"},
		{"infinite", infinite, 0, 0, false, "not finite"},
	} {
		var b bytes.Buffer
		err := WriteHeights(&b, c.h)
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
		var b bytes.Buffer
		err := WriteBars(&b, c.bars)
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
		if err != nil || count(img, 0) < 500 {
			t.Errorf("%s: %v, %d pixels of the bars", c.name, err, count(img, 0))
		}
	}
}
