package main

import (
	"testing"

	"github.com/seed-49005b45/tarn/data/mnist"
)

// A fifteenth of the examples, seen twice, takes the network most of the way.
func TestLearns(t *testing.T) {
	set, test, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.Slice(0, 4000); err != nil {
		t.Fatal(err)
	}
	if test, err = test.Slice(0, 1000); err != nil {
		t.Fatal(err)
	}
	accuracy, err := run(t.Context(), t.Output(), set, test, 2)
	if err != nil {
		t.Fatal(err)
	}
	if accuracy < 0.8 {
		t.Errorf("accuracy %v, want at least 0.8", accuracy)
	}
}
