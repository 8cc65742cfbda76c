// Package cifar reads the CIFAR-10 data set from the folder that its authors' archive for C programs unpacks into. Nothing is
// downloaded: the archive, cifar-10-binary.tar.gz, is at https://www.cs.toronto.edu/~kriz/cifar.html.
// Krizhevsky: Learning multiple layers of features from tiny images, 2009.
package cifar

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/file"
)

// The sizes of the images, and the number of their classes.
const (
	Height   = 32
	Width    = 32
	Channels = 3
	Classes  = 10
)

// Names are the names of the classes.
var Names = [Classes]string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// A file is a sequence of records: a byte for the class and then the image, plane by plane (red, green, blue), row by row.
const (
	perFile = 10000
	pixels  = Height * Width
	record  = 1 + Channels*pixels
)

// Load reads the 50000 examples for training and the 10000 for testing from the folder cifar-10-batches-bin. Their fields are
// "image", of height, width and channels (red, green, blue), as F32 from 0 to 1, and "label", the class as I32. The sets keep the
// pixels as bytes, 184 MB in all; batches convert them.
func Load(folder string) (train, test *data.Set, err error) { return load(folder, perFile) }

// load reads files of n examples each.
func load(folder string, n int) (train, test *data.Set, err error) {
	var names []string
	for i := range 5 {
		names = append(names, fmt.Sprintf("data_batch_%d.bin", i+1))
	}
	if train, err = read(folder, n, names...); err != nil {
		return nil, nil, fmt.Errorf("cifar: %w", err)
	}
	if test, err = read(folder, n, "test_batch.bin"); err != nil {
		return nil, nil, fmt.Errorf("cifar: %w", err)
	}
	return train, test, nil
}

// read makes a set of files of n examples each.
func read(folder string, n int, names ...string) (*data.Set, error) {
	images, labels := make([]uint8, len(names)*n*Channels*pixels), make([]uint8, len(names)*n)
	for i, name := range names {
		path := filepath.Join(folder, name)
		if err := readFile(path, images[i*n*Channels*pixels:(i+1)*n*Channels*pixels], labels[i*n:(i+1)*n]); err != nil {
			return nil, err
		}
	}
	set, err := data.NewSet(
		data.Field{Name: "image", Array: data.Array{Shape: []int{len(labels), Height, Width, Channels}, Data: images}},
		data.Field{Name: "label", Array: data.Array{Shape: []int{len(labels)}, Data: labels}})
	if err != nil {
		return nil, err
	}
	return set.Normalize("image", data.UnitBytes())
}

// readFile reads a file of as many examples as there are labels, and brings the channels of each pixel together.
func readFile(path string, images, labels []uint8) error {
	f, size, err := file.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: the folder should be cifar-10-batches-bin, with data_batch_1.bin to data_batch_5.bin and test_batch.bin", err)
		}
		return err
	}
	defer f.Close()
	if want := int64(len(labels) * record); size != want {
		return fmt.Errorf("%s has %d bytes and should have %d: unpack the archive again, or download it again if it is incomplete", file.Name(path), size, want)
	}
	var one [record]byte
	for i := range labels {
		if _, err := io.ReadFull(f, one[:]); err != nil {
			return fmt.Errorf("%s: example %d: %w", path, i, err)
		}
		if one[0] >= Classes {
			return fmt.Errorf("%s: example %d has class %d, and there are %d: is it the binary version of CIFAR-10?", path, i, one[0], Classes)
		}
		labels[i] = one[0]
		image := images[i*Channels*pixels:]
		for p := range pixels {
			for c := range Channels {
				image[p*Channels+c] = one[1+c*pixels+p]
			}
		}
	}
	return nil
}
