package plot

import (
	"errors"
	"io"
	"math"
	"testing"
)

// bowl is a surface with as many paths as asked for.
func bowl(paths int) Surface {
	s := Surface{Title: "bowl", Grid: Grid{Xs: []float64{-1, 0, 1, 2}, Ys: []float64{-1, 0, 1}}, Minima: [][2]float64{{0, 0}}}
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
		img := drawn(t, c.name, c.want, func(w io.Writer) error { return WriteSurfaces(w, c.surfaces...) })
		if img != nil && count(img, 0) < 50 {
			t.Errorf("%s: %d pixels of the first path", c.name, count(img, 0))
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
