package data

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds transforms, which change examples at random on their way into a batch, differently in each epoch: the
// augmentation of images. What they draw is a pure function of the seed of the batches, the epoch and the example, so that a
// resumed run sees the same examples, whatever the batch size.

// Transform changes examples of a field on their way into a batch.
type Transform interface {
	// Bind returns a function that changes one example of that shape in place. Functions from different calls may run at the same time.
	Bind(shape []int) (func(example []float32, d *Draws), error)
}

// Draws are the random numbers of one example in one epoch. All fields have the same numbers, so that an image and its mask
// with equal transforms change together.
type Draws struct {
	key  rng.Key
	used uint64
}

// Intn returns a whole number, uniform in [0, n); for n <= 0 it returns 0.
func (d *Draws) Intn(n int) int {
	d.used++
	return rng.Intn(d.key, d.used-1, n)
}

// Float64 returns a number, uniform in [0, 1).
func (d *Draws) Float64() float64 {
	d.used++
	return rng.Uniform64(d.key, d.used-1)
}

// Beta returns a number of the beta distribution with the parameters a and b, which are positive.
func (d *Draws) Beta(a, b float64) float64 {
	d.used += 2
	x, y := rng.LogGamma(d.key, d.used-2, a), rng.LogGamma(d.key, d.used-1, b)
	return 1 / (1 + math.Exp(y-x))
}

// begin makes d the numbers of the example at a row. How they follow from the seed must never change: saved runs depend on it.
func (d *Draws) begin(seed uint64, epoch int, row int32) {
	*d = Draws{key: rng.Step(seed, transformNode^uint64(row), uint64(epoch))}
}

// beginMix makes d the numbers by which the example at a row is mixed with another one.
func (d *Draws) beginMix(seed uint64, epoch int, row int32) {
	*d = Draws{key: rng.Step(seed, mixNode^uint64(row), uint64(epoch))}
}

// mixNode is to mixing what transformNode is to transforms (the bytes of "mixtures").
const mixNode = 0x6d69787475726573

// transformNode keeps the streams of transforms apart from other streams under the same seed (the bytes of "augments"; the row is
// in the last four of them).
const transformNode = 0x6175676d656e7473

// Transform returns the set in which batches change the examples of an F32 field by one transform after the other, after the
// transforms that it already has. They get the normalized example. Tensor and Moments ignore transforms.
func (s *Set) Transform(name string, transforms ...Transform) (*Set, error) {
	i, err := s.find(name)
	if err != nil {
		return nil, err
	}
	f := &s.fields[i]
	if f.dtype != tarn.F32 {
		return nil, fmt.Errorf("data: Transform: field %q is %v and should be f32: Normalize or Cast it", name, f.dtype)
	}
	for k, t := range transforms {
		if t == nil {
			return nil, fmt.Errorf("data: Transform: field %q: transform %d is nil", name, k)
		}
		if _, err := t.Bind(slices.Clone(f.shape)); err != nil {
			return nil, fmt.Errorf("data: Transform: field %q: %w", name, err)
		}
	}
	return s.with(i, func(f *field) { f.transforms = slices.Concat(f.transforms, transforms) }), nil
}

// changer returns a function that changes the examples at the front of t, whose draws have the given keys; nil if there is nothing
// to change.
func (f *field) changer(t *tarn.Tensor) func(keys []int32, seed uint64, epoch int) {
	if len(f.transforms) == 0 {
		return nil
	}
	var bound []func([]float32, *Draws)
	for _, t := range f.transforms {
		change, err := t.Bind(slices.Clone(f.shape))
		if err != nil {
			panic(err) // it was bound to this shape before
		}
		bound = append(bound, change)
	}
	values, width, d := t.F32(), f.width, new(Draws)
	return func(keys []int32, seed uint64, epoch int) {
		for i, key := range keys {
			d.begin(seed, epoch, key)
			for _, change := range bound {
				change(values[i*width:(i+1)*width], d)
			}
		}
	}
}

// RandomFlip mirrors an image [height width channels] left to right with a probability of one half.
// Equal to torchvision.transforms.RandomHorizontalFlip.
type RandomFlip struct{}

// Bind returns the function for images of that shape.
func (RandomFlip) Bind(shape []int) (func([]float32, *Draws), error) {
	_, width, channels, err := imageShape("RandomFlip", shape)
	if err != nil {
		return nil, err
	}
	return func(image []float32, d *Draws) {
		if d.Intn(2) == 0 {
			return
		}
		for len(image) > 0 {
			row := image[:width*channels]
			for l, r := 0, (width-1)*channels; l < r; l, r = l+channels, r-channels {
				for c := range channels {
					row[l+c], row[r+c] = row[r+c], row[l+c]
				}
			}
			image = image[width*channels:]
		}
	}, nil
}

// RandomCrop moves an image [height width channels] by up to Pad pixels in each direction, all moves equally likely. What comes
// in from outside is 0, the mean of a normalized image.
// Equal to torchvision.transforms.RandomCrop(size, padding=Pad) of an image of that size.
type RandomCrop struct{ Pad int }

// Bind returns the function for images of that shape.
func (r RandomCrop) Bind(shape []int) (func([]float32, *Draws), error) {
	height, width, channels, err := imageShape("RandomCrop", shape)
	if err != nil {
		return nil, err
	}
	if r.Pad < 0 || r.Pad > min(height, width) {
		return nil, fmt.Errorf("RandomCrop: Pad is %d and should be from 0 to the size of the image, %d by %d", r.Pad, height, width)
	}
	before := make([]float32, height*width*channels)
	return func(image []float32, d *Draws) {
		down, right := d.Intn(2*r.Pad+1)-r.Pad, d.Intn(2*r.Pad+1)-r.Pad
		copy(before, image)
		clear(image)
		for y := max(0, -down); y < min(height, height-down); y++ {
			to := image[y*width*channels : (y+1)*width*channels]
			from := before[(y+down)*width*channels : (y+down+1)*width*channels]
			if right >= 0 {
				copy(to, from[right*channels:])
			} else {
				copy(to[-right*channels:], from)
			}
		}
	}, nil
}

// imageShape returns the height, width and channels of an image.
func imageShape(transform string, shape []int) (height, width, channels int, err error) {
	if len(shape) != 3 {
		return 0, 0, 0, fmt.Errorf("%s: an example has shape %v and should have height, width and channels", transform, shape)
	}
	return shape[0], shape[1], shape[2], nil
}
