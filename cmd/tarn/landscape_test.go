package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readLandscape runs landscape with --json and reads what it prints.
func readLandscape(t *testing.T, args ...string) (l landscape, stderr string) {
	t.Helper()
	out, stderr := command(t, 0, append([]string{"landscape", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return l, stderr
}

// TestLandscape draws the planes of three small runs, reads the numbers, and compares them with each other.
func TestLandscape(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: trains three networks")
	}
	t.Chdir(t.TempDir())
	for _, seed := range []string{"1", "2", "3"} {
		command(t, 0, "train", "mnist", "-q", "--examples", "600", "--hidden", "8", "--epochs", "4", "--batch", "60", "--seed", seed, "--checkpoints", "9", "--out", "run"+seed)
	}
	small := []string{"run1", "--examples", "250", "--points", "5"}
	out, _ := command(t, 0, append([]string{"landscape", "--plot", "random.png", "--products", "9"}, small...)...)
	for _, want := range []string{"network 784-8-10 with 6370 weights; loss of 250 examples", "two random directions", "start ", "epoch 1 ", "epoch 4 (end)", "sharpness", "not converged", "loss on the plane from", "the end is a "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	decodes(t, "random.png")

	random, _ := readLandscape(t, append(small, "--skip-curvature")...)
	path, _ := readLandscape(t, append(small, "--path", "--plot", "path.png")...)
	through, _ := readLandscape(t, append(small, "--through", "run2,run3", "--skip-curvature", "--plot", "through.png")...)
	decodes(t, "path.png")
	decodes(t, "through.png")
	for _, l := range []landscape{random, path, through} {
		if n := len(l.Path); n != 5 || len(l.Plane.Xs) != 5 || len(l.Plane.Ys) != 5 || len(l.Plane.Loss) != 5 || len(l.Plane.Loss[4]) != 5 || l.Weights != 6370 || l.Examples != 250 {
			t.Fatalf("%s: %d points of the path, %+v", l.Plane.Kind, n, l)
		}
		if end := l.Path[4]; end.X != 0 || end.Y != 0 || end.Distance != 0 || end.Loss >= l.Path[0].Loss {
			t.Errorf("%s: the end is %+v, the start %+v", l.Plane.Kind, end, l.Path[0])
		}
		for i := range l.Path {
			if l.Path[i].Loss != random.Path[i].Loss {
				t.Errorf("%s: the loss at %s is %v, and with random directions %v", l.Plane.Kind, l.Path[i].Name, l.Path[i].Loss, random.Path[i].Loss)
			}
		}
	}
	// The point in the middle is the end of the training.
	if middle := random.Plane.Loss[2][2]; middle != random.Path[4].Loss {
		t.Errorf("the loss in the middle is %v, and in the end %v", middle, random.Path[4].Loss)
	}
	// At the initial weights, which are far from a minimum, there is a direction downward, and the curvature grows from there.
	start, end := path.Path[0], path.Path[4]
	if !*start.Converged || !*end.Converged || *start.Lowest >= 0 || *end.Largest <= *start.Largest || *start.Gradient <= 0 || path.Ground == "" {
		t.Errorf("the curvature is %v to %v at the start and %v to %v in the end: %s", *start.Lowest, *start.Largest, *end.Lowest, *end.Largest, path.Ground)
	}
	if s := path.Plane.Shares; len(s) != 2 || s[0] < s[1] || s[0]+s[1] > 1+1e-6 || s[1] <= 0 || start.X >= 0 {
		t.Errorf("the shares are %v, the start lies at %v", s, start.X)
	}
	if e := through.Ends; len(e) != 2 || e[0].Name != "run2" || e[0].Y != 0 || e[0].X <= 0 || e[1].Y <= 0 || e[0].Distance != 0 || e[1].Distance != 0 || e[0].Loss == through.Path[4].Loss || through.Ground != "" {
		t.Errorf("the ends are %+v, %q", e, through.Ground)
	}
	other, _ := readLandscape(t, append(small, "--skip-curvature", "--seed", "2", "--span", "0.5")...)
	if other.Plane.Xs[0] != -0.5 || other.Path[4].Largest != nil || math.Abs(float64(other.Path[0].X-random.Path[0].X)) == 0 {
		t.Errorf("another seed: %+v", other.Path)
	}

	// A damaged checkpoint is left out, and a run without any has a path of one line.
	if err := os.WriteFile(filepath.Join("run1", "checkpoint-3.safetensors"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, message := readLandscape(t, append(small, "--skip-curvature")...); len(l.Path) != 4 || !strings.Contains(message, "left out: ") || !strings.Contains(message, "checkpoint-3.safetensors") {
		t.Errorf("%d points of the path, %q", len(l.Path), message)
	}
	for _, pattern := range []string{"run2/checkpoint*", "run3/weights*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(err, names)
		}
		for _, name := range names {
			os.Remove(name)
		}
	}
	if out, _ := command(t, 0, "landscape", "run2", "--points", "2", "--examples", "9", "--skip-curvature"); !strings.Contains(out, "no checkpoint between the start and the end") || !strings.Contains(out, "epoch 4 (end)") {
		t.Errorf("without checkpoints:\n%s", out)
	}
	if out, _ := command(t, 0, "landscape", "run3", "--points", "2", "--examples", "9", "--skip-curvature"); !strings.Contains(out, "epoch 4 (end)") {
		t.Errorf("without the weights in the end:\n%s", out)
	}
	command(t, 0, "train", "mnist", "-q", "--examples", "600", "--hidden", "9", "--epochs", "1", "--out", "wide")
	for _, c := range []struct {
		code       int
		args, want string
	}{
		{1, "none", "none is not the directory of a run"},
		{1, "run1 --through run3,none", "none is not the directory of a run"},
		{2, "run1 --through run3,wide", "wide is a network 784-9-10 and run1 a network 784-8-10: a plane goes through runs of one network"},
		{1, "run1 --through run1,run3", "lie on a line"},
		{2, "run2 --path", "--path needs at least 3 points of the training, and run2 has 2: train it with --checkpoints 10"},
	} {
		if _, message := command(t, c.code, append([]string{"landscape"}, strings.Fields(c.args)...)...); !strings.Contains(message, c.want) {
			t.Errorf("%s: %q, want %q", c.args, message, c.want)
		}
	}
}

// TestLandscapeGPT draws the plane of a language model.
func TestLandscapeGPT(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	command(t, 0, tinyGPT(t, "--out", dir, "--dropout", "0.1", "--quiet", "--checkpoints", "3")...)
	l, _ := readLandscape(t, dir, "--points", "3", "--examples", "8", "--products", "20")
	if end := l.Path[len(l.Path)-1]; len(l.Path) != 4 || end.Loss != l.Plane.Loss[1][1] || !end.Loss.Finite() || *end.Largest <= 0 || l.Examples != 8 {
		t.Errorf("the path is %+v, the plane %v", l.Path, l.Plane.Loss)
	}
}
