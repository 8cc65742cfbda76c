package curve

// The tests draw histories of all kinds and look at the pictures' sizes and colors.

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/train"
)

// history is a training of n epochs with a falling loss.
func history(n int, metrics bool) []train.Record {
	var h []train.Record
	for i := range n {
		x := float64(i)
		r := train.Record{Epoch: i + 1, TrainLoss: 2*math.Exp(-x/4) + 0.01, ValLoss: 2*math.Exp(-x/4) + 0.05 + x*x/2000}
		if metrics {
			r.Metrics = map[string]float64{"accuracy": 1 - math.Exp(-1-x/3), "top_5": 1 - math.Exp(-2-x/3)}
		}
		h = append(h, r)
	}
	return h
}

// lineColors are those of the first two curves.
var lineColors = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}}

// count is the number of pixels of the color of curve i.
func count(img image.Image, i int) (n int) {
	r, g, b, _ := lineColors[i].RGBA()
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r2, g2, b2, _ := img.At(x, y).RGBA(); r == r2 && g == g2 && b == b2 {
				n++
			}
		}
	}
	return n
}

func TestWritePNG(t *testing.T) {
	bare := history(3, false)
	for i := range bare {
		bare[i].ValLoss = math.NaN()
	}
	broken := history(5, false)
	broken[2].TrainLoss, broken[3].ValLoss = math.Inf(1), math.NaN()
	negative := history(4, false)
	negative[3].TrainLoss = -3
	nothing := []train.Record{{Epoch: 1, TrainLoss: math.NaN(), ValLoss: math.NaN()}}
	for _, c := range []struct {
		name    string
		history []train.Record
		wide    bool
		second  bool // a second curve is there
	}{
		{"one epoch", history(1, false), false, true},
		{"many", history(12, true), true, true},
		{"very many", history(1000, true), true, true},
		{"no validation", bare, false, false},
		{"holes", broken, false, true},
		{"negative", negative, false, true},
		{"nothing", nothing, false, false},
	} {
		var b bytes.Buffer
		if err := WritePNG(&b, c.history); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		img, err := png.Decode(&b)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if wide := img.Bounds().Dx() > 1200; wide != c.wide {
			t.Errorf("%s: the picture is %v", c.name, img.Bounds())
		}
		if (count(img, 0) > 50) != (c.name != "nothing") || (count(img, 1) > 50) != c.second {
			t.Errorf("%s: %d and %d pixels of the curves", c.name, count(img, 0), count(img, 1))
		}
	}
	if err := WritePNG(&bytes.Buffer{}, nil); err == nil {
		t.Error("no epoch at all is drawn")
	}
}

// TestSavePNG replaces a picture, and leaves it unchanged if nothing can be drawn.
func TestSavePNG(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curve.png")
	if err := SavePNG(path, history(3, true)); err != nil {
		t.Fatal(err)
	}
	if err := SavePNG(path, nil); err == nil || !strings.Contains(err.Error(), "no epoch") {
		t.Errorf("no epoch at all: %v", err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Error(err)
	}
}
