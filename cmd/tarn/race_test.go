package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// quick are the flags of a very short race.
var quick = []string{"race", "--hidden", "16", "--examples", "1000", "--epochs", "3", "--batch", "50", "--path-steps", "300"}

// TestRace runs every optimizer, and reads both tables and both pictures.
func TestRace(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: trains with every optimizer")
	}
	dir := filepath.Join(t.TempDir(), "new")
	var names []string
	for _, c := range contenders {
		names = append(names, c.name)
	}
	out, _ := command(t, 0, append(quick, "--optimizers", "all", "--out", dir)...)
	for _, name := range names {
		row := regexp.MustCompile(`(?m)^` + name + ` +\S+ +60 +\d+\.\d+ +\d+\.\d+ +(\d+\.\d+) +(\d\.\d+)$`).FindStringSubmatch(out)
		if row == nil {
			t.Errorf("no row of %s", name)
			continue
		}
		loss, _ := strconv.ParseFloat(row[1], 64)
		accuracy, _ := strconv.ParseFloat(row[2], 64)
		// D-Adaptation begins with steps of next to nothing: gradient descent by it has not come far after 60 of them.
		if name != "dadapt-sgd" && !(loss < 2.25 && accuracy > 0.2) {
			t.Errorf("%s does not learn: loss %v, accuracy %v", name, loss, accuracy)
		}
		if !regexp.MustCompile(`(?m)^` + name + `( +\d\S*){3}$`).MatchString(out) {
			t.Errorf("%s did not go down all surfaces", name)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
	decodes(t, filepath.Join(dir, "race.png"))
	decodes(t, filepath.Join(dir, "paths.png"))
}

// TestRaceIsFair expects the same first loss from all, because weights and first batch are the same, and the same
// losses from one that runs twice.
func TestRaceIsFair(t *testing.T) {
	all, test, err := loadMNIST()
	if err != nil {
		t.Fatal(err)
	}
	set, err := all.Slice(0, 500)
	if err != nil {
		t.Fatal(err)
	}
	c := raceCommand{Epochs: 1, Batch: 60, Hidden: widths{8}, Seed: 3, Examples: 500}
	env := &environment{ctx: context.Background()}
	var first []float64
	for i, name := range []string{"sgd", "adam", "muon", "sgd"} {
		one, err := findContender("", name)
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.run(env, one, c.Seed, c.Epochs, set, test)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.losses) != 8 || len(l.seconds) != 8 {
			t.Fatalf("%s: %d losses, %d times", name, len(l.losses), len(l.seconds))
		}
		if i == 0 {
			first = l.losses
		}
		if l.losses[0] != first[0] || (name == "sgd") != (l.losses[7] == first[7]) {
			t.Errorf("%s: losses %v, those of the first sgd %v", name, l.losses, first)
		}
	}
}

// TestRaceBroken expects that a loss that is no longer finite ends that optimizer's training and is reported.
func TestRaceBroken(t *testing.T) {
	all, test, err := loadMNIST()
	if err != nil {
		t.Fatal(err)
	}
	set, err := all.Slice(0, 500)
	if err != nil {
		t.Fatal(err)
	}
	c := raceCommand{Epochs: 1, Batch: 50, Hidden: widths{8}, Examples: 500}
	one, err := findContender("", "sgd")
	if err != nil {
		t.Fatal(err)
	}
	one.rate = 1e30
	env := &environment{ctx: context.Background()}
	broken, err := c.run(env, one, 1, 1, set, test)
	if err != nil || !broken.broken || len(broken.losses) == 10 {
		t.Fatalf("%v, %+v", err, broken)
	}
	one.rate = 0.1
	whole, err := c.run(env, one, 1, 1, set, test)
	if err != nil || whole.broken || len(whole.losses) != 10 {
		t.Fatalf("%v, %+v", err, whole)
	}
	for _, l := range []lap{{one, []*attempt{broken}}, {one, []*attempt{broken, whole}}, {one, []*attempt{whole, broken, whole}}} {
		row := l.row()
		if want := fmt.Sprintf("not finite any more in 1 of %d trainings", len(l.tries)); !strings.Contains(row, want) || strings.Contains(row, "NaN") {
			t.Errorf("%s", row)
		}
		var picture bytes.Buffer
		if err := drawRace(&picture, "network", []*lap{&l}); err != nil || picture.Len() == 0 {
			t.Errorf("%d trainings: %v", len(l.tries), err)
		}
	}
}

// TestRaceTuned expects that the rates that were tried are shown, that the race uses the best, and that means have deviations.
func TestRaceTuned(t *testing.T) {
	dir := t.TempDir()
	out, _ := command(t, 0, append(quick, "--optimizers", "sgd,adam", "--tune", "--seeds", "3", "--out", dir)...)
	for _, name := range []string{"sgd", "adam"} {
		const try = ` +(\S+): (\d\.\d+)`
		tried := regexp.MustCompile(`(?m)^` + name + try + try + try + ` +(\S+)$`).FindStringSubmatch(out)
		raced := regexp.MustCompile(`(?m)^` + name + ` +(\S+) +60 +\d+\.\d+ +\d+\.\d+ +\d\.\d{4} ± (0\.\d{4}) +0\.\d{4} ± (0\.\d{4})$`).FindStringSubmatch(out)
		if tried == nil || raced == nil {
			t.Errorf("no rows of %s in\n%s", name, out)
			continue
		}
		best := 1
		for i := 1; i <= 5; i += 2 {
			if tried[i+1] < tried[best+1] {
				best = i
			}
		}
		if tried[7] != tried[best] || raced[1] != tried[best] {
			t.Errorf("%s: chosen %s, raced at %s, best %s", name, tried[7], raced[1], tried[best])
		}
		if raced[2] == "0.0000" || raced[3] == "0.0000" {
			t.Errorf("%s: three seeds are the same: %s", name, raced[0])
		}
	}
	if !strings.Contains(out, "with the seeds 1 to 3") {
		t.Errorf("the seeds are not printed:\n%s", out)
	}
	decodes(t, filepath.Join(dir, "race.png"))
}

// TestPaths expects Adam to reach a known minimum of every surface.
func TestPaths(t *testing.T) {
	one, err := findContender("", "adam")
	if err != nil {
		t.Fatal(err)
	}
	for i := range surfaces {
		s := &surfaces[i]
		way, last, err := s.descend(&environment{ctx: context.Background()}, one, 1000)
		if err != nil {
			t.Fatal(err)
		}
		n, near := len(way.X), false
		if n != 1000 || way.X[0] != s.start[0] || way.Y[0] != s.start[1] || !(last < 1e-3) {
			t.Errorf("%s: %d points, value %v at the end", s.name, n, last)
			continue
		}
		for _, m := range s.minima {
			near = near || (way.X[n-1]-m[0])*(way.X[n-1]-m[0])+(way.Y[n-1]-m[1])*(way.Y[n-1]-m[1]) < 0.01
		}
		if !near {
			t.Errorf("%s: ended at %v, %v", s.name, way.X[n-1], way.Y[n-1])
		}
	}
}

// TestRaceMistakes expects an error that names the flag.
func TestRaceMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"--optimizers sgd,newton":         `"newton" is unknown; there are: sgd, momentum`,
		"--optimizers sgd,adam,sgd":       "names sgd twice",
		"--optimizers=":                   "--optimizers",
		"--epochs 0":                      "--epochs is 0",
		"--batch 0":                       "--batch is 0",
		"--examples 100 --batch 101":      "--batch is 101 and should be from 1 to the number of examples, 100",
		"--examples 60000":                "--examples is 60000 and should be from 1 to 55000",
		"--seeds 0":                       "--seeds is 0",
		"--path-steps 0":                  "--path-steps is 0",
		"--threads=-1":                    "--threads is -1",
		"--hidden 8,x":                    "not a list of widths",
		"--examples 99999999999999999999": "--examples",
	} {
		if _, err := command(t, 2, append([]string{"race"}, strings.Fields(args)...)...); !strings.Contains(err, want) {
			t.Errorf("%s: no %q in %s", args, want, err)
		}
	}
	if _, err := command(t, 1, append(quick, "--out", file)...); !strings.Contains(err, "file") {
		t.Errorf("--out is a file: %s", err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	var out, complaint strings.Builder
	if code := run(canceled, append(quick, "--out", dir), &out, &complaint); code != exitInterrupted {
		t.Errorf("canceled: exit code %d, %s", code, complaint.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("canceled, and left behind: %v %v", left, err)
	}
}
