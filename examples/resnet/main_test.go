package main

import (
	"testing"

	"github.com/seed-49005b45/tarn"
)

// A network of eight narrow layers, which sees each of 6000 images three times, is right at least two and a half times as often as a guess.
func TestLearns(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	set, test, err := digits(6000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	history, err := run(t.Context(), t.Output(), NewResNet(1, 8, 16, 32), set, test, 3, 32)
	if err != nil {
		t.Fatal(err)
	}
	if accuracy := history[2].Metrics["accuracy"]; accuracy < 0.25 {
		t.Errorf("accuracy %v, want at least 0.25", accuracy)
	}
}

// TestResNet20 counts the weights: those of He et al., table 6, 0.27 million, and the convolutions of the two shortcuts.
func TestResNet20(t *testing.T) {
	params, err := tarn.Params(NewResNet(3, 16, 32, 64))
	if err != nil {
		t.Fatal(err)
	}
	layers, weights := 0, 0
	for _, p := range params.All() {
		if p.IsState() {
			continue
		}
		weights += p.Tensor().Size()
		if len(p.Shape()) > 1 {
			layers++
		}
	}
	if layers != 20+2 || weights != 272474 {
		t.Errorf("%d layers and %d weights", layers, weights)
	}
}

func TestNoFolder(t *testing.T) {
	if _, _, err := photographs(t.TempDir()); err == nil {
		t.Error("a folder without files was read")
	}
}
