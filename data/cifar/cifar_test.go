package cifar

// The tests write small files in CIFAR's format and read them.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
)

const few = 3 // examples in a file

// value is a byte of an image: of the example by its number among all, the channel and the pixel.
func value(example, channel, pixel int) byte { return byte(example*7 + channel*50 + pixel%41) }

// folder writes the files of a data set, training examples first.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for f, name := range []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"} {
		var file []byte
		for i := f * few; i < (f+1)*few; i++ {
			file = append(file, byte(i%Classes))
			for c := range Channels {
				for p := range pixels {
					file = append(file, value(i, c, p))
				}
			}
		}
		write(t, filepath.Join(dir, name), file)
	}
	return dir
}

func write(t *testing.T, path string, file []byte) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	train, test, err := load(folder(t), few)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set      *data.Set
		first, n int
	}{{train, 0, 5 * few}, {test, 5 * few, few}} {
		images, err := c.set.Tensor("image")
		if err != nil {
			t.Fatal(err)
		}
		labels, err := c.set.Tensor("label")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(images.Shape(), []int{c.n, Height, Width, Channels}) || images.DType() != tarn.F32 || labels.DType() != tarn.I32 {
			t.Fatalf("images %v%v, labels %v%v", images.DType(), images.Shape(), labels.DType(), labels.Shape())
		}
		for i := range c.n {
			if got, want := labels.I32()[i], int32((c.first+i)%Classes); got != want {
				t.Errorf("example %d has class %d, want %d", i, got, want)
			}
			for p := range pixels {
				for ch := range Channels {
					got := images.F32()[(i*pixels+p)*Channels+ch]
					if want := float32(float64(value(c.first+i, ch, p)) / 255); got != want {
						t.Fatalf("example %d, pixel %d, channel %d: %v, want %v", i, p, ch, got, want)
					}
				}
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, want string
		spoil      func(t *testing.T, dir string)
	}{
		{"no folder", "should be cifar-10-batches-bin", func(t *testing.T, dir string) {
			for _, e := range entries(t, dir) {
				remove(t, e)
			}
			remove(t, dir)
		}},
		{"no test file", "the folder should be cifar-10-batches-bin", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "test_batch.bin")) }},
		{"cut off", fmt.Sprintf("data_batch_3.bin has %d bytes and should have %d", few*record-1, few*record), func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "data_batch_3.bin"), make([]byte, few*record-1))
		}},
		{"too long", fmt.Sprintf("test_batch.bin has %d bytes and should have %d", (few+1)*record, few*record), func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "test_batch.bin"), make([]byte, (few+1)*record))
		}},
		{"empty", "data_batch_1.bin has 0 bytes", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "data_batch_1.bin"), nil) }},
		{"a class too many", "data_batch_2.bin: example 1 has class 10, and there are 10", func(t *testing.T, dir string) {
			file := make([]byte, few*record)
			file[record] = 10
			write(t, filepath.Join(dir, "data_batch_2.bin"), file)
		}},
		{"a folder in a file's place", "a directory is not a regular file", func(t *testing.T, dir string) {
			name := filepath.Join(dir, "data_batch_1.bin")
			remove(t, name)
			if err := os.Mkdir(name, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t)
			c.spoil(t, dir)
			train, test, err := load(dir, few)
			if err == nil || !strings.HasPrefix(err.Error(), "cifar: ") || !strings.Contains(err.Error(), c.want) || train != nil || test != nil {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, _, err := Load(folder(t)); err == nil || !strings.Contains(err.Error(), "should have 30730000") {
		t.Errorf("files that are too small: %v", err)
	}
}

// entries lists the files of a folder.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}
