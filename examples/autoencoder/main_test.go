package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-49005b45/tarn/data/mnist"
)

// The mean gray of MNIST costs 0.26 nats a pixel: less means that something of the digit came through.
func TestDigitsComeThrough(t *testing.T) {
	set, test, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.Slice(0, 8000); err != nil {
		t.Fatal(err)
	}
	if test, err = test.Slice(0, 200); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "digits.png")
	loss, err := run(t.Context(), t.Output(), set, test, 2, name)
	if err != nil {
		t.Fatal(err)
	}
	if loss > 0.2 {
		t.Errorf("test loss %v, want at most 0.2", loss)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := picture.Bounds().Size(); got.X != shown*side || got.Y != 2*side {
		t.Errorf("the picture has size %v", got)
	}
}
