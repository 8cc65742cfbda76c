package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	pixel "image/draw"
	"image/png"
	"io"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/train"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// This file draws digits with what a network takes them for: its mistakes, the surest first, and then what it was the least sure of.

// samplesFile is the picture in the folder of a run.
const samplesFile = "digits.png"

// reading is what a network takes an example for.
type reading struct {
	at           int // in the set
	digit, taken int
	how          float64 // the probability of that
}

// readings is a train.Metric that keeps them all.
type readings struct{ all []reading }

func (*readings) Name() string     { return "readings" }
func (r *readings) Value() float64 { return float64(len(r.all)) }
func (r *readings) Reset()         { r.all = nil }

// Add keeps the largest logit of each row, as a probability.
func (r *readings) Add(prediction, target *tarn.Tensor) error {
	rows := prediction.Shape()[0]
	classes := prediction.Size() / max(1, rows)
	for i := range rows {
		best, sum := 0, 0.0
		for c := range classes {
			if prediction.Float(i*classes+c) > prediction.Float(i*classes+best) {
				best = c
			}
		}
		for c := range classes {
			sum += math.Exp(prediction.Float(i*classes+c) - prediction.Float(i*classes+best))
		}
		r.all = append(r.all, reading{len(r.all), int(target.Float(i)), best, 1 / sum})
	}
	return nil
}

// sorted puts the mistakes first, the surest of them before the others, and then what is right, the least sure first.
func (r *readings) sorted() []reading {
	return slices.SortedStableFunc(slices.Values(r.all), func(a, b reading) int {
		switch wrong, also := a.digit != a.taken, b.digit != b.taken; {
		case wrong && also:
			return cmp.Compare(b.how, a.how)
		case wrong:
			return -1
		case also:
			return 1
		}
		return cmp.Compare(a.how, b.how)
	})
}

// The picture has so many digits, each enlarged, with a caption.
const (
	sampleColumns = 8
	sampleRows    = 4
	enlarged      = 3
	cellWidth     = enlarged*mnist.Width + 24
	cellHeight    = enlarged*mnist.Height + 28
)

// drawSamples writes the picture. Images are those of the set, from 0 to 1.
func drawSamples(w io.Writer, set *data.Set, all []reading) error {
	images, err := set.Tensor("image")
	if err != nil {
		return err
	}
	all = all[:min(len(all), sampleColumns*sampleRows)]
	rows := max(1, (len(all)+sampleColumns-1)/sampleColumns)
	picture := image.NewRGBA(image.Rect(0, 0, sampleColumns*cellWidth, rows*cellHeight))
	pixel.Draw(picture, picture.Bounds(), image.White, image.Point{}, pixel.Src)
	for n, s := range all {
		left, top := n%sampleColumns*cellWidth+12, n/sampleColumns*cellHeight+4
		for y := range enlarged * mnist.Height {
			for x := range enlarged * mnist.Width {
				ink := images.Float(s.at*pixels + y/enlarged*mnist.Width + x/enlarged)
				picture.SetRGBA(left+x, top+y, color.RGBA{uint8(255 - 255*ink), uint8(255 - 255*ink), uint8(255 - 235*ink), 255})
			}
		}
		text, ink := fmt.Sprintf("%d, %.0f %%", s.taken, 100*s.how), color.RGBA{0, 110, 70, 255}
		if s.taken != s.digit {
			text, ink = fmt.Sprintf("%d as %d, %.0f %%", s.digit, s.taken, 100*s.how), color.RGBA{180, 20, 40, 255}
		}
		d := font.Drawer{Dst: picture, Src: image.NewUniform(ink), Face: basicfont.Face7x13, Dot: fixed.P(left-6, top+enlarged*mnist.Height+14)}
		d.DrawString(text)
	}
	return png.Encode(w, picture)
}

// showSamples draws digits of a set into the folder of a run.
func showSamples(ctx context.Context, folder *train.Folder, m *network, set *data.Set) error {
	r := &readings{}
	if _, _, err := measure(ctx, nil, m, set, r); err != nil {
		return err
	}
	return folder.Write(samplesFile, func(w io.Writer) error { return drawSamples(w, set, r.sorted()) })
}
