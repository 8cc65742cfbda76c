package main

import (
	"testing"

	"github.com/seed-49005b45/tarn/data/mnist"
)

// A ninth of the examples, seen once, is enough for more than four of five.
func TestLearns(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	set, test, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.Slice(0, 6400); err != nil {
		t.Fatal(err)
	}
	if test, err = test.Slice(0, 1000); err != nil {
		t.Fatal(err)
	}
	history, err := run(t.Context(), t.Output(), set, test, 1)
	if err != nil {
		t.Fatal(err)
	}
	if accuracy := history[0].Metrics["accuracy"]; accuracy < 0.85 {
		t.Errorf("accuracy %v, want at least 0.85", accuracy)
	}
}
