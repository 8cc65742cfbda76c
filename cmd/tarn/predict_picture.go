package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"slices"

	_ "golang.org/x/image/webp"

	"github.com/seed-49005b45/tarn/data/images"
	"github.com/seed-49005b45/tarn/data/mnist"
)

// This file makes a picture of a digit look like those of MNIST: bright ink on black, 28 by 28. The ink is what differs from the color
// of the edge, so it may be dark on light, light on dark, colored or on a transparent ground. A picture of another size
// is prepared as MNIST's authors prepared theirs: the digit is cut out, scaled to fit a square of 20 by 20, and placed so that the center of mass of its pixels' indices is 14, 14.
// LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998, section III.A.

const (
	boxSide  = 20  // of the square that the digit is scaled to
	contrast = 0.1 // between ink and background, below which there is nothing to read; the whole range is 1

	pixelBytes = 8 // of memory for a pixel, at most, while a picture is decoded
)

// readPicture reads a picture of one digit that takes at most limit bytes when it is unpacked. turned reports whether the file says
// that the picture is to be shown turned or mirrored, which is ignored.
func readPicture(file []byte, limit int64) (ink []float32, turned bool, err error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, false, err
	}
	if c.Width < 1 || c.Height < 1 {
		return nil, false, fmt.Errorf("the picture is %d by %d pixels: it is empty", c.Width, c.Height)
	}
	if most := limit / pixelBytes; int64(c.Width) > most/int64(c.Height) {
		return nil, false, fmt.Errorf("the picture is %d by %d pixels, more than the %d that --limit allows: make it smaller, or raise --limit", c.Width, c.Height, most)
	}
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, false, err
	}
	p, err := inkOf(img)
	if err != nil {
		return nil, false, err
	}
	turned = images.Orientation(file) > 1
	if p.w == mnist.Width && p.h == mnist.Height {
		return p.at, turned, nil
	}
	ink, err = p.place()
	return ink, turned, err
}

// gray is a picture of w by h numbers from 0 to 1.
type gray struct {
	w, h int
	at   []float32
}

// inkOf returns how far each pixel of a picture is from its background, from 0 to 1 for the farthest. The background is the median
// color of the edge; colors have alpha and are multiplied by it, so that transparent pixels are alike.
func inkOf(img image.Image) (gray, error) {
	b := img.Bounds()
	p := gray{b.Dx(), b.Dy(), make([]float32, b.Dx()*b.Dy())}
	background := edgeColor(img)
	most := float32(0)
	for i := range p.at {
		d := float32(0)
		for k, v := range colorAt(img, b.Min.X+i%p.w, b.Min.Y+i/p.w) {
			d = max(d, float32(math.Abs(float64(v)-float64(background[k]))/0xffff))
		}
		p.at[i] = d
		most = max(most, d)
	}
	if most < contrast {
		return p, errors.New("the picture is empty: no pixel differs from its background, so there is nothing to read")
	}
	for i := range p.at {
		p.at[i] /= most
	}
	return p, nil
}

// edgeColor returns the median of each channel over the pixels of the edge.
func edgeColor(img image.Image) (median [4]uint16) {
	b := img.Bounds()
	var edge [4][]uint16
	add := func(x, y int) {
		for k, v := range colorAt(img, x, y) {
			edge[k] = append(edge[k], v)
		}
	}
	for x := b.Min.X; x < b.Max.X; x++ {
		add(x, b.Min.Y)
		add(x, b.Max.Y-1)
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		add(b.Min.X, y)
		add(b.Max.X-1, y)
	}
	for k, values := range edge {
		slices.Sort(values)
		median[k] = values[len(values)/2]
	}
	return median
}

// colorAt returns red, green and blue, multiplied by alpha, and alpha.
func colorAt(img image.Image, x, y int) [4]uint16 {
	var c color.RGBA64
	if direct, ok := img.(image.RGBA64Image); ok { // which allocates nothing
		c = direct.RGBA64At(x, y)
	} else {
		c = color.RGBA64Model.Convert(img.At(x, y)).(color.RGBA64)
	}
	return [4]uint16{c.R, c.G, c.B, c.A}
}

// place cuts the digit out and puts it into the middle of an image of 28 by 28.
func (p gray) place() ([]float32, error) {
	left, top, right, bottom := p.w, p.h, -1, -1
	for y := range p.h {
		for x := range p.w {
			if p.at[y*p.w+x] > 0.2 {
				left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
			}
		}
	}
	if right < 0 {
		return nil, errors.New("the picture is empty: no pixel differs from its background, so there is nothing to read")
	}
	scale := float64(max(right-left, bottom-top)+1) / boxSide // of the picture's pixels in one of the result
	w := max(1, int(math.Round(float64(right-left+1)/scale)))
	h := max(1, int(math.Round(float64(bottom-top+1)/scale)))
	digit := gray{w, h, make([]float32, w*h)}
	mass, mx, my := 0.0, 0.0, 0.0
	for y := range h {
		for x := range w {
			v := p.mean(float64(left)+float64(x)*scale, float64(top)+float64(y)*scale, scale)
			digit.at[y*w+x] = float32(v)
			mass, mx, my = mass+v, mx+v*float64(x), my+v*float64(y)
		}
	}
	out := make([]float32, pixels)
	dx := min(max(0, int(math.Round(mnist.Width/2-mx/mass))), mnist.Width-w)
	dy := min(max(0, int(math.Round(mnist.Height/2-my/mass))), mnist.Height-h)
	for y := range h {
		copy(out[(dy+y)*mnist.Width+dx:], digit.at[y*w:(y+1)*w])
	}
	return out, nil
}

// mean returns the mean over the square with the corner x, y and the given side, each pixel weighted by the part of it inside;
// outside the picture there is no ink.
func (p gray) mean(x, y, side float64) float64 {
	sum := 0.0
	for j := max(0, int(y)); j < p.h && float64(j) < y+side; j++ {
		rows := min(y+side, float64(j+1)) - max(y, float64(j))
		for i := max(0, int(x)); i < p.w && float64(i) < x+side; i++ {
			columns := min(x+side, float64(i+1)) - max(x, float64(i))
			sum += float64(p.at[j*p.w+i]) * rows * columns
		}
	}
	return sum / (side * side)
}
