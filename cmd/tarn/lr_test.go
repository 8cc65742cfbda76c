package main

import (
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLR runs a short range test and reads its table and its picture.
func TestLR(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "rates.png")
	out, _ := command(t, 0, "lr", "--hidden", "16", "--batch", "32", "--steps", "40", "--from", "1e-5", "--to", "1", "--optimizer", "momentum", "--plot", picture)
	for _, want := range []string{"network 784-16-10, momentum, batches of 32", "smoothed", "     1       1e-05", "suggested rate"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	decodes(t, picture)
}

// decodes reads a picture and expects more than one color in it.
func decodes(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	seen, size := map[color.Color]bool{}, img.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			seen[img.At(x, y)] = true
		}
	}
	if size.Dx() < 500 || size.Dy() < 300 || len(seen) < 10 {
		t.Errorf("%s: %v with %d colors", path, size, len(seen))
	}
}

// TestLRMistakes expects an error that names the flag and leaves no file.
func TestLRMistakes(t *testing.T) {
	dir := t.TempDir()
	for args, want := range map[string]string{
		"--from 0":                    "--from is 0",
		"--from NaN":                  "--from is NaN",
		"--from 1 --to 0.5":           "--to is 0.5 and should be a finite number above --from",
		"--to Inf":                    "--to is +Inf",
		"--steps 2":                   "--steps is 2",
		"--batch 0":                   "--batch is 0",
		"--batch 60000":               "from 1 to 55000",
		"--hidden 0":                  "from 1 to",
		"--optimizer newton":          `--optimizer "newton" is unknown; there are: sgd, momentum`,
		"--plot " + dir + "/rate.jpg": "should be the name of a PNG file",
	} {
		if _, err := command(t, 2, append([]string{"lr"}, strings.Fields(args)...)...); !strings.Contains(err, want) {
			t.Errorf("%s: no %q in %s", args, want, err)
		}
	}
	small := []string{"lr", "--hidden", "4", "--batch", "8", "--steps", "10"}
	if _, err := command(t, 2, append(small, "--plot", filepath.Join(dir, "none", "rates.png"))...); !strings.Contains(err, "does not exist") {
		t.Errorf("a folder that is not there: %s", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
