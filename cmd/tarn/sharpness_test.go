package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSharpness measures a small run, both matrices of it, and reads the numbers and the picture.
func TestSharpness(t *testing.T) {
	dir := t.TempDir()
	folder, picture := filepath.Join(dir, "run"), filepath.Join(dir, "spectrum.png")
	command(t, 0, "train", "mnist", "-q", "--examples", "600", "--hidden", "8", "--epochs", "1", "--batch", "60", "--out", folder)
	small := []string{"sharpness", folder, "--examples", "250", "--batch", "100", "--steps", "15", "--probes", "1", "--samples", "5"}
	out, _ := command(t, 0, append(small, "--plot", picture)...)
	for _, want := range []string{"network 784-8-10, weights of weights.safetensors", "Hessian of the loss of 200 examples with respect to 6370 weights",
		"largest 1", "largest 3", "smallest 1", "sharpness", "trace", "of the eigenvalues lie within"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "not converged") || strings.Contains(out, "too few") {
		t.Errorf("not converged:\n%s", out)
	}
	decodes(t, picture)

	out, _ = command(t, 0, append(small, "--gauss-newton", "--bottom", "0", "--products", "6", "--tolerance", "1e-9")...)
	for _, want := range []string{"Gauss-Newton matrix of the loss", "not converged", "after 6 products, too few"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "smallest") || strings.Contains(out, "sharpness") {
		t.Errorf("what has not been asked for or has not converged:\n%s", out)
	}
}

// TestSharpnessMistakes expects an error that names the flag.
func TestSharpnessMistakes(t *testing.T) {
	dir := t.TempDir()
	for args, want := range map[string]string{
		"--examples 0":    "--examples is 0 and should be from 1 to 55000",
		"--batch 0":       "--batch is 0 and should be from 1 to 55000",
		"--top 0":         "--top is 0",
		"--bottom=-1":     "--bottom is -1",
		"--tolerance 0":   "--tolerance is 0",
		"--samples 1":     "--samples is 1",
		"--products 7":    "--products is 7 and should be at least 8, two for each of the 4 eigenvalues",
		"--plot no/a.png": "--plot no/a.png: the folder no does not exist: create it first",
		"--plot " + strings.Repeat("a", 240) + ".png": "a.png: ",
		"--plot .":                "should be the name of a PNG file",
		"--plot a.jpg":            "should be the name of a PNG file",
		"--probes 0 --plot a.png": "--plot draws the density",
	} {
		if _, err := command(t, 2, append([]string{"sharpness", dir}, strings.Fields(args)...)...); !strings.Contains(err, want) {
			t.Errorf("%s: no %q in %s", args, want, err)
		}
	}
	if _, err := command(t, 1, "sharpness", dir); !strings.Contains(err, "not the directory of a run") {
		t.Errorf("a folder without a run: %s", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
