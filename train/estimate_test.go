package train

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/watch"
)

// The test estimates a training that has everything on, and then trains.

func TestEstimate(t *testing.T) {
	plain := loop()
	for _, err := range plain.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	l := loop()
	before := weightsOf(t, l.Model)
	folder, err := CreateFolder(t.TempDir()+"/run", map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	l.Folder = folder
	e, err := l.Estimate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	sameWeights(t, "after the estimate", weightsOf(t, l.Model), before)
	if files, err := os.ReadDir(folder.Dir()); err != nil || len(files) != 1 {
		t.Errorf("the estimate has written: %v, %v", files, err)
	}
	// 41 weights; Adam has two states of each, and the mean of two micro-batches a third. What is watched keeps two.
	if e.Weights != 4*41 || e.States < 3*4*41 || e.States > 3*4*41+64 || e.Watching != 2*4*41 {
		t.Errorf("weights take %d bytes, states %d, what is watched %d", e.Weights, e.States, e.Watching)
	}
	if e.Memory() != e.Weights+e.States+e.Watching+e.Arena+e.Inputs+e.Outputs || e.Arena == 0 || e.Inputs != 8*(3+1)*4 {
		t.Errorf("memory: %+v", e)
	}
	if e.Steps != 7 || e.Epochs != 12 || e.Measured < 3 || e.Step <= 0 || e.Epoch < 7*e.Step || e.Flops() == 0 || e.Bytes() == 0 {
		t.Errorf("time: %+v", e)
	}
	if e.Model.Weights != 41 || !strings.Contains(fmt.Sprint(e.Model), "w1") {
		t.Errorf("the model: %v", e.Model)
	}
	for _, err := range l.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	sameWeights(t, "trained after an estimate", weightsOf(t, l.Model), weightsOf(t, plain.Model))

	l = loop()
	l.Watch = &watch.Options{Every: -1}
	if e, err := l.Estimate(context.Background()); e != nil || err == nil {
		t.Errorf("an impossible training: %v, %v", e, err)
	}
	l, ctx := loop(), context.Background()
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if e, err := l.Estimate(ctx); e != nil || err == nil {
		t.Errorf("a canceled estimate: %v, %v", e, err)
	}
}
