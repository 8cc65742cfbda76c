package mnist

import (
	"context"
	"fmt"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file paints the digits in color, on images of CIFAR's shape: a task for networks that are made for photographs, with data
// that every program has. Neither color nor brightness reveals the digit: it is one texture in front of another, with pieces
// of other digits around it. It follows two such data sets:
// Mnih et al., Recurrent models of visual attention, NIPS 2014 (cluttered MNIST);
// Ganin et al., Domain-adversarial training of neural networks, JMLR 17, 2016 (MNIST-M).

// The size of the images that Colored paints.
const (
	ColoredHeight   = 32
	ColoredWidth    = 32
	ColoredChannels = 3
)

const (
	pieces    = 3  // of other digits on an image
	pieceSize = 8  // pixels of their edges
	contrast  = 96 // the least difference in brightness between ink and background, of 255
)

// Colored paints the digits of a set that Load returned, or of a part of it, in its order. The fields are those of data/cifar:
// "image", 32 rows of 32 pixels of three channels, as F32 from 0 to 1, and "label", the digit as I32. An image
// depends on the seed and its place in the set alone, on every machine. Use different seeds for the training and the test set.
func Colored(set *data.Set, seed uint64) (*data.Set, error) {
	digits, labels := make([]uint8, 0, set.Len()*Height*Width), make([]uint8, 0, set.Len())
	for b, err := range set.Batches(256, data.Options{}).All(context.Background()) {
		if err != nil {
			return nil, fmt.Errorf("mnist: Colored: %w", err)
		}
		image, label := b.Tensor("image"), b.Tensor("label")
		switch {
		case image == nil || label == nil:
			return nil, fmt.Errorf("mnist: Colored: the set has the fields %q and should be one that Load returned", set.Names())
		case image.DType() != tarn.F32 || label.DType() != tarn.I32 || image.Size() != b.N*Height*Width || label.Size() != b.N:
			return nil, fmt.Errorf("mnist: Colored: the images are %v%v and the labels %v%v: the set should be one that Load returned", image.DType(), image.Shape(), label.DType(), label.Shape())
		}
		for _, v := range image.F32() {
			digits = append(digits, uint8(v*255+0.5))
		}
		for _, l := range label.I32() {
			labels = append(labels, uint8(l))
		}
	}
	const size = ColoredHeight * ColoredWidth * ColoredChannels
	images := make([]uint8, len(labels)*size)
	for i := range labels {
		paint(images[i*size:(i+1)*size], digits, i, &stream{key: rng.Step(seed, coloredNode, uint64(i))})
	}
	colored, err := data.NewSet(
		data.Field{Name: "image", Array: data.Array{Shape: []int{len(labels), ColoredHeight, ColoredWidth, ColoredChannels}, Data: images}},
		data.Field{Name: "label", Array: data.Array{Shape: []int{len(labels)}, Data: labels}})
	if err != nil {
		return nil, fmt.Errorf("mnist: Colored: %w", err)
	}
	return colored.Normalize("image", data.UnitBytes())
}

// coloredNode keeps the streams of the images apart from others under the same seed (the bytes of "colored").
const coloredNode = 0x636f6c6f75726564

// stream draws whole numbers one after the other.
type stream struct {
	key   rng.Key
	drawn int
	ahead [512]float32 // uniform numbers, drawn at once
}

// below draws a number from 0 to n-1, for an n far below 2^24: the product is exact.
func (s *stream) below(n int) int {
	at := s.drawn % len(s.ahead)
	if at == 0 {
		rng.FillUniform(s.ahead[:], s.key, s.drawn)
	}
	s.drawn++
	return int(float64(s.ahead[at]) * float64(n))
}

// picture is an image under work: whole numbers from 0 to 255, so that it is the same on every machine.
type picture [ColoredHeight * ColoredWidth * ColoredChannels]uint8

// paint writes the image of a digit: a texture, pieces of other digits over it, each with a different texture, and then the digit.
func paint(image, digits []uint8, digit int, s *stream) {
	var back, ink picture
	ground := [ColoredChannels]int{s.below(256), s.below(256), s.below(256)}
	back.texture(ground, s)
	for range pieces {
		ink.texture(unlike(ground, s), s)
		other := digits[s.below(len(digits)/(Height*Width))*Height*Width:][:Height*Width]
		top, left := s.below(Height-pieceSize+1), s.below(Width-pieceSize+1)
		down, right := s.below(ColoredHeight-pieceSize+1)-top, s.below(ColoredWidth-pieceSize+1)-left
		back.draw(&ink, other, top, left, pieceSize, pieceSize, down, right)
	}
	ink.texture(unlike(ground, s), s)
	down, right := s.below(ColoredHeight-Height+1), s.below(ColoredWidth-Width+1)
	back.draw(&ink, digits[digit*Height*Width:][:Height*Width], 0, 0, Height, Width, down, right)
	copy(image, back[:])
}

// unlike returns a color that is brighter or darker than the given one.
func unlike(ground [ColoredChannels]int, s *stream) (color [ColoredChannels]int) {
	for {
		brighter := 0
		for c := range color {
			color[c] = s.below(256)
			brighter += color[c] - ground[c]
		}
		if max(brighter, -brighter) >= contrast*ColoredChannels {
			return color
		}
	}
}

// texture is a color with noise of two scales added, of 8 and of 4 pixels, in each channel by itself.
func (p *picture) texture(color [ColoredChannels]int, s *stream) {
	var sum [ColoredHeight * ColoredWidth]int
	for c := range ColoredChannels {
		for i := range sum {
			sum[i] = color[c]
		}
		addNoise(&sum, 3, 24, s)
		addNoise(&sum, 2, 20, s)
		for i, v := range sum {
			p[i*ColoredChannels+c] = uint8(min(max(v, 0), 255))
		}
	}
}

// addNoise adds numbers within ±depth at the corners of cells of 1<<log pixels, and between them what lies between.
func addNoise(sum *[ColoredHeight * ColoredWidth]int, log, depth int, s *stream) {
	cell := 1 << log
	var above, below [ColoredWidth]int // a row of corners, filled in, times cell
	row := func(to *[ColoredWidth]int) {
		left := s.below(2*depth+1) - depth
		for x := 0; x < ColoredWidth; x += cell {
			right := s.below(2*depth+1) - depth
			for i := range cell {
				to[x+i] = left*(cell-i) + right*i
			}
			left = right
		}
	}
	row(&above)
	for y := 0; y < ColoredHeight; y += cell {
		row(&below)
		for i := range cell {
			line := sum[(y+i)*ColoredWidth:][:ColoredWidth]
			for x := range line {
				line[x] += (above[x]*(cell-i) + below[x]*i) >> (2 * log)
			}
		}
		above = below
	}
}

// draw puts a part of a digit, the given rows and columns from top and left, over the picture, moved down and to the right.
func (p *picture) draw(ink *picture, digit []uint8, top, left, rows, columns, down, right int) {
	for y := top; y < top+rows; y++ {
		for x := left; x < left+columns; x++ {
			gray := int(digit[y*Width+x])
			if gray == 0 {
				continue
			}
			at := ((y+down)*ColoredWidth + x + right) * ColoredChannels
			for i := at; i < at+ColoredChannels; i++ {
				p[i] = uint8((int(p[i])*(255-gray) + int(ink[i])*gray + 127) / 255)
			}
		}
	}
}
