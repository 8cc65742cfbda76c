package images

import (
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/seed-49005b45/tarn/data"
)

// This file changes images at random. What they draw comes from data.Draws alone.

// ResizedCrop is a part of a picture, of drawn size and proportions, that is scaled to the whole image.
// Equal to torchvision.transforms.RandomResizedCrop, up to the random numbers and the scaling.
type ResizedCrop struct {
	Least, Most float64 // share of the picture's area; 0 means 0.08 and 1
	Ratio       float64 // the width is from 1/Ratio to Ratio times the height; 0 means 4/3
}

func (c *ResizedCrop) check() error {
	least, most, ratio := c.bounds()
	if !(least > 0 && least <= most && most <= 1) || !(ratio >= 1 && ratio <= 100) {
		return fmt.Errorf("images: ResizedCrop takes %v to %v of the area and a ratio of %v: want a part, and a ratio of 1 to 100", least, most, ratio)
	}
	return nil
}

func (c *ResizedCrop) bounds() (least, most, ratio float64) {
	least, most, ratio = c.Least, c.Most, c.Ratio
	if least == 0 {
		least = 0.08
	}
	if most == 0 {
		most = 1
	}
	if ratio == 0 {
		ratio = 4. / 3
	}
	return least, most, ratio
}

// draw returns the part of a picture.
func (c *ResizedCrop) draw(d *data.Draws, w, h int) image.Rectangle {
	least, most, ratio := c.bounds()
	for range 10 {
		area := (least + d.Float64()*(most-least)) * float64(w) * float64(h)
		r := math.Exp((2*d.Float64() - 1) * math.Log(ratio))
		cw, ch := int(math.Round(math.Sqrt(area*r))), int(math.Round(math.Sqrt(area/r)))
		if cw >= 1 && ch >= 1 && cw <= w && ch <= h {
			x, y := d.Intn(w-cw+1), d.Intn(h-ch+1)
			return image.Rect(x, y, x+cw, y+ch)
		}
	}
	cw, ch := min(w, max(1, int(float64(h)*ratio))), min(h, max(1, int(float64(w)*ratio))) // the middle, within the proportions
	return image.Rect((w-cw)/2, (h-ch)/2, (w-cw)/2+cw, (h-ch)/2+ch)
}

// ColorJitter changes brightness, contrast and saturation by factors from 1-x to 1+x, and turns the hue by up to x of a whole turn, in drawn order.
// Equal to torchvision.transforms.ColorJitter, up to the random numbers and the rounding. Images of one channel have no saturation and no hue.
type ColorJitter struct {
	Brightness, Contrast, Saturation float64 // 0 to 1
	Hue                              float64 // 0 to 0.5
}

func (j *ColorJitter) check() error {
	for _, v := range []float64{j.Brightness, j.Contrast, j.Saturation, 2 * j.Hue} {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("images: ColorJitter is %+v: want 0 to 1, and a hue of 0 to 0.5", *j)
		}
	}
	return nil
}

// change changes pixels.
func (j *ColorJitter) change(pixels []uint8, channels int, d *data.Draws) {
	factor := func(v float64) float64 { return 1 + (2*d.Float64()-1)*v }
	brightness, contrast, saturation := factor(j.Brightness), factor(j.Contrast), factor(j.Saturation)
	hue := (2*d.Float64() - 1) * j.Hue
	order := []int{0, 1, 2, 3}
	for i := 3; i > 0; i-- {
		k := d.Intn(i + 1)
		order[i], order[k] = order[k], order[i]
	}
	x := make([]float64, len(pixels))
	for i, v := range pixels {
		x[i] = float64(v)
	}
	luma := func(p []float64) float64 {
		if channels == 1 {
			return p[0]
		}
		return 0.299*p[0] + 0.587*p[1] + 0.114*p[2]
	}
	limit := func(v float64) float64 { return min(max(v, 0), 255) }
	for _, what := range order {
		switch {
		case what == 0 && j.Brightness > 0:
			for i, v := range x {
				x[i] = limit(v * brightness)
			}
		case what == 1 && j.Contrast > 0:
			mean := 0.0
			for i := 0; i < len(x); i += channels {
				mean += luma(x[i:])
			}
			mean /= float64(len(x) / channels)
			for i, v := range x {
				x[i] = limit(mean + (v-mean)*contrast)
			}
		case what == 2 && j.Saturation > 0 && channels == 3:
			for i := 0; i < len(x); i += 3 {
				gray := luma(x[i:])
				for c := range 3 {
					x[i+c] = limit(gray + (x[i+c]-gray)*saturation)
				}
			}
		case what == 3 && j.Hue > 0 && channels == 3:
			for i := 0; i < len(x); i += 3 {
				turnHue(x[i:i+3], hue)
			}
		}
	}
	for i, v := range x {
		pixels[i] = uint8(math.Round(v))
	}
}

// turnHue turns the hue of a color by a share of a whole turn, with lightest and darkest channel kept as in HSV.
func turnHue(p []float64, by float64) {
	most, least := max(p[0], p[1], p[2]), min(p[0], p[1], p[2])
	if most == least {
		return
	}
	var h float64
	switch d := most - least; most {
	case p[0]:
		h = (p[1] - p[2]) / d
	case p[1]:
		h = 2 + (p[2]-p[0])/d
	default:
		h = 4 + (p[0]-p[1])/d
	}
	h = math.Mod(h/6+by+2, 1) * 6
	for c, offset := range []float64{5, 3, 1} {
		k := math.Mod(offset+h, 6)
		p[c] = most - (most-least)*max(0, min(k, 4-k, 1))
	}
}

// RandomRotation turns an image [height width channels] about its middle by up to so many degrees in either direction, with linear interpolation. What comes in
// from outside is 0, the mean of a normalized image.
// Equal to torchvision.transforms.RandomRotation with InterpolationMode.BILINEAR, up to the random numbers.
type RandomRotation struct{ Degrees float64 }

// Bind returns the function for images of that shape.
func (r RandomRotation) Bind(shape []int) (func([]float32, *data.Draws), error) {
	height, width, channels, err := imageShape("RandomRotation", shape)
	if err != nil {
		return nil, err
	}
	if !(r.Degrees >= 0 && r.Degrees <= 180) {
		return nil, fmt.Errorf("RandomRotation: Degrees is %v and should be from 0 to 180", r.Degrees)
	}
	before := make([]float32, height*width*channels)
	return func(img []float32, d *data.Draws) {
		sin, cos := math.Sincos((2*d.Float64() - 1) * r.Degrees * math.Pi / 180)
		copy(before, img)
		my, mx := float64(height-1)/2, float64(width-1)/2
		for y := range height {
			for x := range width {
				dy, dx := float64(y)-my, float64(x)-mx
				fx, fy := mx+float64(cos*dx)-float64(sin*dy), my+float64(sin*dx)+float64(cos*dy)
				x0, y0 := math.Floor(fx), math.Floor(fy)
				wx, wy := fx-x0, fy-y0
				at := func(yy, xx, c int) float64 {
					if yy < 0 || yy >= height || xx < 0 || xx >= width {
						return 0
					}
					return float64(before[(yy*width+xx)*channels+c])
				}
				for c := range channels {
					top := float64((1-wx)*at(int(y0), int(x0), c)) + float64(wx*at(int(y0), int(x0)+1, c))
					bottom := float64((1-wx)*at(int(y0)+1, int(x0), c)) + float64(wx*at(int(y0)+1, int(x0)+1, c))
					img[(y*width+x)*channels+c] = float32(float64((1-wy)*top) + float64(wy*bottom))
				}
			}
		}
	}, nil
}

// RandomErasing sets a rectangle of an image [height width channels] to 0, the mean of a normalized image, with a probability.
// Equal to torchvision.transforms.RandomErasing, up to the random numbers.
type RandomErasing struct {
	Probability float64 // 0 means 0.5
	Least, Most float64 // share of the area; 0 means 0.02 and 0.33
}

// Bind returns the function for images of that shape.
func (r RandomErasing) Bind(shape []int) (func([]float32, *data.Draws), error) {
	height, width, channels, err := imageShape("RandomErasing", shape)
	if err != nil {
		return nil, err
	}
	if r.Probability == 0 {
		r.Probability = 0.5
	}
	if r.Least == 0 {
		r.Least = 0.02
	}
	if r.Most == 0 {
		r.Most = 0.33
	}
	if !(r.Probability > 0 && r.Probability <= 1) || !(r.Least > 0 && r.Least <= r.Most && r.Most <= 1) {
		return nil, fmt.Errorf("RandomErasing: probability %v, %v to %v of the area: want shares", r.Probability, r.Least, r.Most)
	}
	part := &ResizedCrop{Least: r.Least, Most: r.Most, Ratio: 1 / 0.3}
	return func(img []float32, d *data.Draws) {
		if d.Float64() >= r.Probability {
			return
		}
		b := part.draw(d, width, height)
		for y := b.Min.Y; y < b.Max.Y; y++ {
			clear(img[(y*width+b.Min.X)*channels : (y*width+b.Max.X)*channels])
		}
	}, nil
}

// MixUp makes a weighted mean of two images, with a share from Beta(Alpha, Alpha). Zhang et al. 2018, mixup: Beyond empirical risk minimization.
// Equal to torchvision.transforms.v2.MixUp, up to the random numbers, and with a share and a partner for each example.
type MixUp struct{ Alpha float64 } // 0 means 0.2

// Mix changes the image.
func (m MixUp) Mix(_ []int, img, other []float32, d *data.Draws) float64 {
	share := beta(m.Alpha, 0.2, d)
	for i, v := range other {
		img[i] = float32(float64(share*float64(img[i])) + float64((1-share)*float64(v)))
	}
	return share
}

// CutMix puts a rectangle of another image into an image [height width channels]; its area is a share from Beta(Alpha, Alpha). Yun et al. 2019, CutMix.
// Equal to torchvision.transforms.v2.CutMix, up to the random numbers, and with a share and a partner for each example.
type CutMix struct{ Alpha float64 } // 0 means 1

// Mix changes the image.
func (m CutMix) Mix(shape []int, img, other []float32, d *data.Draws) float64 {
	share := beta(m.Alpha, 1, d)
	height, width, channels, err := imageShape("CutMix", shape)
	if err != nil {
		return 1 // what is no image has no rectangles
	}
	side := math.Sqrt(1 - share)
	h, w := int(side*float64(height)), int(side*float64(width))
	y, x := d.Intn(height), d.Intn(width)
	top, bottom, left, right := max(0, y-h/2), min(height, y+(h+1)/2), max(0, x-w/2), min(width, x+(w+1)/2)
	for y := top; y < bottom; y++ {
		from, to := (y*width+left)*channels, (y*width+right)*channels
		copy(img[from:to], other[from:to])
	}
	return 1 - float64(max(0, bottom-top)*max(0, right-left))/float64(height*width)
}

// beta draws a share.
func beta(alpha, usual float64, d *data.Draws) float64 {
	if !(alpha > 0) || math.IsInf(alpha, 1) {
		alpha = usual
	}
	return d.Beta(alpha, alpha)
}

// imageShape returns the height, width and channels of an image.
func imageShape(transform string, shape []int) (height, width, channels int, err error) {
	if len(shape) != 3 {
		return 0, 0, 0, errors.New(transform + ": an example has shape " + fmt.Sprint(shape) + " and should have height, width and channels")
	}
	return shape[0], shape[1], shape[2], nil
}
