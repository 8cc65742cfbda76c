package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/optim"
)

// TestContenders expects that names are unique and that the rate is that of the table at the beginning, or after a warm-up, and falls
// to next to nothing if there is a schedule.
func TestContenders(t *testing.T) {
	seen := map[string]bool{}
	for _, one := range contenders {
		if seen[one.name] || one.name != strings.ToLower(one.name) || strings.Contains(one.name, ",") {
			t.Errorf("the name %q is there twice or cannot be in a list", one.name)
		}
		seen[one.name] = true
		c := config{Task: task, Hidden: []int{8}, Epochs: 2, Batch: 100, Optimizer: one.name, Rate: one.rate, Examples: 5000}
		if err := c.check(mnistTraining); err != nil {
			t.Errorf("%s: %v", one.name, err)
			continue
		}
		o, err := c.optimizer()
		if err != nil {
			t.Errorf("%s: %v", one.name, err)
			continue
		}
		begin, last := 0, 0.01*one.rate // of 100 updates
		if strings.HasPrefix(one.name, "schedulefree") {
			begin, last = 10, one.rate
		}
		for run, want := range map[int]float64{begin: one.rate, 99: last} {
			if got, err := o.(optim.Rater).RateAt(int64(run)); err != nil || math.Abs(got-want) > 0.01*one.rate {
				t.Errorf("%s: rate %v at update %d, want about %v, %v", one.name, got, run, want, err)
			}
		}
	}
}

// TestScheduleFree expects that a training with averaged weights leaves those in its folder: what eval measures is what was said.
func TestScheduleFree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out, _ := command(t, 0, with("--optimizer", "schedulefree-adamw", "--epochs", "1", "--out", dir)...)
	a := accuracy(t, out)
	if a < 0.5 {
		t.Errorf("accuracy %v", a)
	}
	if again, _ := command(t, 0, "eval", dir); !strings.Contains(again, strings.TrimSpace(out[strings.LastIndex(out, " "):])) {
		t.Errorf("trained to %v, and then\n%s", a, again)
	}
}
