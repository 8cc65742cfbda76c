package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/examples/internal/output"
)

func TestGradientsThroughFiftyLayers(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(output.Of(t, main)), "\n")[1:]
	want := []struct {
		name   string
		lo, hi float64 // of the gradient behind the first layer over that behind the last
	}{
		{"sigmoid, Xavier", 0, 1e-10},
		{"ReLU, weights three times He's", 1e10, 1e300},
		{"ReLU, He", 0.1, 10},
		{"tanh, weights three times He's", 1e6, 1e300},
		{"the same, with batch normalization", 0.1, 10},
		{"tanh, residual connections", 0.1, 10},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(lines), len(want))
	}
	for i, w := range want {
		rest, ok := strings.CutPrefix(lines[i], w.name)
		var first, middle, last, ratio float64
		if n, _ := fmt.Sscan(rest, &first, &middle, &last, &ratio); !ok || n != 4 {
			t.Errorf("line %q, want one of %s", lines[i], w.name)
			continue
		}
		if !(ratio >= w.lo && ratio <= w.hi) {
			t.Errorf("%s: ratio %v, want %v to %v", w.name, ratio, w.lo, w.hi)
		}
	}
}
