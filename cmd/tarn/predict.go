package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/interop/npy"
)

// This file reads digits from a file of images, for predict.

// readDigits reads digits from a file with a trained network, and prints one per line, with its probability.
func readDigits(env *environment, dir, path string, limit int64) error {
	of, err := taskOf(dir)
	if err := env.agree(err); err != nil {
		return err
	}
	if of == gptTask {
		return agreedError{usageError{fmt.Errorf("%s is a run of train gpt, which reads no digits; to write text: tarn generate %s", dir, dir)}}
	}
	m, _, _, err := loadRun(dir)
	var images []float32
	var turned bool
	if err == nil {
		if images, turned, err = loadImages(path, limit); err != nil {
			err = inFile(file.Name(path), err)
		}
	}
	if err := env.agree(err); err != nil {
		return err
	}
	if turned {
		fmt.Fprintf(env.stderr, "tarn: %s says that it is to be shown turned or mirrored (EXIF orientation), which is ignored: turn it first if the digit lies on its side\n", file.Name(path))
	}
	if err := env.same("the network of "+file.Name(dir), weightSum(m)); err != nil {
		return err
	}
	return m.predict(env, images)
}

// predict prints the digit in each image. The ranks, if there are several, read images by turns.
func (m *network) predict(env *environment, images []float32) error {
	n := len(images) / pixels
	size := min(n, 500)
	g := tarn.NewGraph()
	g.Eval()
	p := m.Forward(g.Input("image", tarn.F32, size, pixels)).Softmax(-1)
	program, err := tarn.Compile(g, tarn.Outputs{"p": p})
	if err := env.agree(err); err != nil {
		return err
	}
	batch := tarn.Zeros(tarn.F32, size, pixels)
	err = dist.Turns(env.ranksOf(), func(yield func(first int, err error) bool) {
		for first := 0; first < n; first += size {
			var err error
			if env.ctx.Err() != nil {
				err = context.Cause(env.ctx)
			}
			if !yield(first, err) || err != nil {
				return
			}
		}
	}, func(first int) ([]byte, error) {
		clear(batch.F32())
		count := copy(batch.F32(), images[first*pixels:]) / pixels
		out, err := program.Run(batch)
		if err != nil {
			return nil, err
		}
		var text []byte
		for i := range count {
			row := out["p"].F32()[i*mnist.Classes : (i+1)*mnist.Classes]
			digit := 0
			for d, p := range row {
				if p > row[digit] {
					digit = d
				}
			}
			text = fmt.Appendf(text, "%d  probability %.4f\n", digit, row[digit])
		}
		return text, nil
	}, func(text []byte) error {
		_, err := env.stdout.Write(text)
		return err
	})
	return env.agree(err)
}

// loadImages reads images of 28 by 28 pixels from a file that unpacks to at most limit bytes, from 0 (background) to 1 (ink). The
// file's first bytes tell its format. turned is as readPicture returns it.
func loadImages(path string, limit int64) (images []float32, turned bool, err error) {
	const headers = 1 << 20 // are beyond the limit
	content, err := file.Read(path, limit+headers)
	if err != nil {
		return nil, false, err
	}
	var a data.Array
	switch {
	case len(content) == 0:
		return nil, false, errors.New("the file is empty")
	case bytes.HasPrefix(content, []byte("\x93NUMPY")):
		a, err = npy.Options{MaxBytes: limit}.Read(bytes.NewReader(content))
	case bytes.HasPrefix(content, []byte{0, 0}), bytes.HasPrefix(content, []byte{0x1f, 0x8b}):
		a, err = data.IDX{MaxBytes: limit}.Read(bytes.NewReader(content))
	default:
		if images, turned, err = readPicture(content, limit); errors.Is(err, image.ErrFormat) {
			err = errors.New("the file is neither IDX nor npy nor PNG, JPEG, GIF or WebP")
		}
		return images, turned, err
	}
	if errors.Is(err, data.ErrLimit) {
		err = fmt.Errorf("%w: --limit is %d MiB", err, limit>>20)
	}
	if err != nil {
		return nil, false, err
	}
	images, err = imagesOf(a)
	return images, false, err
}

// imagesOf returns the images of an array: [28 28], [784], [n 28 28], [n 784] or [n 28 28 1] of bytes or of floats from 0 to 1. An
// image whose edge is bright is inverted; one that has nothing on it is an error.
func imagesOf(a data.Array) ([]float32, error) {
	images, err := numbersOf(a)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(images); i += pixels {
		one := images[i : i+pixels]
		if slices.Max(one)-slices.Min(one) < contrast {
			return nil, fmt.Errorf("image %d of %d is empty: no pixel differs from its background, so there is nothing to read", i/pixels+1, len(images)/pixels)
		}
		if brightEdge(one) {
			for j, v := range one {
				one[j] = 1 - v
			}
		}
	}
	return images, nil
}

// brightEdge reports whether more than half of an image's edge is brighter than half.
func brightEdge(image []float32) bool {
	bright, all := 0, 0
	for y := range mnist.Height {
		for x := range mnist.Width {
			if x == 0 || y == 0 || x == mnist.Width-1 || y == mnist.Height-1 {
				all++
				if image[y*mnist.Width+x] > 0.5 {
					bright++
				}
			}
		}
	}
	return 2*bright > all
}

// numbersOf returns the images as they are in the array.
func numbersOf(a data.Array) ([]float32, error) {
	n, rest := 1, a.Shape
	for len(rest) > 0 && product(rest) != pixels {
		n, rest = n*rest[0], rest[1:]
	}
	if len(rest) == 0 || n*pixels != product(a.Shape) || n == 0 {
		return nil, fmt.Errorf("the array has shape %v; want images of %d by %d, as in [28 28], [784], [n 28 28] or [n 784]", a.Shape, mnist.Height, mnist.Width)
	}
	images := make([]float32, n*pixels)
	number := func(i int, x float64) error {
		if !(x >= 0 && x <= 1) {
			return fmt.Errorf("element %d is %v; want bytes, or numbers from 0 (background) to 1 (ink)", i, x)
		}
		images[i] = float32(x)
		return nil
	}
	switch d := a.Data.(type) {
	case []uint8:
		for i, x := range d {
			images[i] = float32(x) / 255
		}
		return images, nil
	case []bool:
		for i, x := range d {
			if x {
				images[i] = 1
			}
		}
		return images, nil
	case []float32:
		for i, x := range d {
			if err := number(i, float64(x)); err != nil {
				return nil, err
			}
		}
		return images, nil
	case []float64:
		for i, x := range d {
			if err := number(i, x); err != nil {
				return nil, err
			}
		}
		return images, nil
	case []int32:
		return images, bytesOf(d, images)
	case []int64:
		return images, bytesOf(d, images)
	case []int16:
		return images, bytesOf(d, images)
	}
	return nil, fmt.Errorf("the elements are %T; want bytes, or numbers from 0 to 1", a.Data)
}

// bytesOf scales whole numbers from 0 to 255.
func bytesOf[T int16 | int32 | int64](d []T, images []float32) error {
	for i, x := range d {
		if x < 0 || x > 255 {
			return fmt.Errorf("element %d is %d; want whole numbers from 0 to 255", i, x)
		}
		images[i] = float32(x) / 255
	}
	return nil
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		if d > 0 && n > math.MaxInt/d {
			return -1 // more than memory holds, so the array cannot have this size
		}
		n *= d
	}
	return n
}
