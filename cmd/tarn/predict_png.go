package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"

	"github.com/seed-49005b45/tarn/data/mnist"
)

// This file makes an image of a digit look like those of MNIST: bright ink on black, 28 by 28. A picture of another size
// is prepared as its authors prepared theirs: the digit is cut out, scaled to fit a square of 20 by 20, and placed so that the center of mass of its pixels' indices is 14, 14.
// LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998, section III.A.

const (
	maxSide = 8192 // of a picture
	boxSide = 20   // of the square that the digit is scaled to
)

// readPNG reads a picture of one digit.
func readPNG(file []byte) ([]float32, error) {
	c, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	if c.Width > maxSide || c.Height > maxSide {
		return nil, fmt.Errorf("the picture is %d by %d; at most %d by %d is possible", c.Width, c.Height, maxSide, maxSide)
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	ink := inkOf(img)
	if ink.w == mnist.Width && ink.h == mnist.Height {
		return ink.at, nil
	}
	return ink.place()
}

// gray is a picture of w by h numbers from 0 to 1.
type gray struct {
	w, h int
	at   []float32
}

// inkOf returns the brightness of a picture, on white if it is transparent, inverted if the edge is
// bright, so that the background is dark.
func inkOf(img image.Image) gray {
	b := img.Bounds()
	p := gray{b.Dx(), b.Dy(), make([]float32, b.Dx()*b.Dy())}
	edge, count := 0.0, 0.0
	for y := range p.h {
		for x := range p.w {
			red, green, blue, alpha := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
			v := (0.299*float64(red)+0.587*float64(green)+0.114*float64(blue))/0xffff + 1 - float64(alpha)/0xffff
			p.at[y*p.w+x] = float32(min(v, 1))
			if x == 0 || y == 0 || x == p.w-1 || y == p.h-1 {
				edge += v
				count++
			}
		}
	}
	if edge > count/2 {
		for i, v := range p.at {
			p.at[i] = 1 - v
		}
	}
	return p
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
		return nil, errors.New("the picture is empty: no pixel differs from its background")
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
