// Package mnist carries the MNIST database of handwritten digits inside the program: nothing is downloaded. Only
// programs that import it carry the files, 11.6 MB. ORIGIN.md says where they come from.
package mnist

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/seed-49005b45/tarn/data"
)

// The files as their authors published them: IDX, packed with gzip.
var (
	//go:embed train-images-idx3-ubyte.gz
	trainImages []byte
	//go:embed train-labels-idx1-ubyte.gz
	trainLabels []byte
	//go:embed t10k-images-idx3-ubyte.gz
	testImages []byte
	//go:embed t10k-labels-idx1-ubyte.gz
	testLabels []byte
)

// Height, Width and Classes are the sizes of the images and the number of digits.
const (
	Height  = 28
	Width   = 28
	Classes = 10
)

// Load returns the 60000 examples for training and the 10000 for testing. Their fields are "image", 784 gray values as
// F32 from 0 (background) to 1 (ink), row by row, and "label", the digit as I32. The sets keep the pixels as bytes, 55 MB
// in all; batches convert them.
func Load() (train, test *data.Set, err error) {
	if train, err = load(trainImages, trainLabels); err != nil {
		return nil, nil, fmt.Errorf("mnist: training examples: %w", err)
	}
	if test, err = load(testImages, testLabels); err != nil {
		return nil, nil, fmt.Errorf("mnist: test examples: %w", err)
	}
	return train, test, nil
}

func load(imageFile, labelFile []byte) (*data.Set, error) {
	images, err := data.ReadIDX(bytes.NewReader(imageFile))
	if err != nil {
		return nil, err
	}
	labels, err := data.ReadIDX(bytes.NewReader(labelFile))
	if err != nil {
		return nil, err
	}
	images.Shape = []int{images.Shape[0], Height * Width} // one row of pixels for each image
	set, err := data.NewSet(data.Field{Name: "image", Array: images}, data.Field{Name: "label", Array: labels})
	if err != nil {
		return nil, err
	}
	return set.Normalize("image", data.UnitBytes())
}
