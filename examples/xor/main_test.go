package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/examples/internal/output"
)

func TestTrainsToAllRight(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(output.Of(t, main)), "\n")
	var step int
	var loss, accuracy float64
	last := lines[len(lines)-1]
	if n, _ := fmt.Sscanf(last, "step %d loss %f accuracy %f", &step, &loss, &accuracy); n != 3 {
		t.Fatalf("last line %q", last)
	}
	if step != 500 || loss > 0.02 || accuracy != 100 {
		t.Errorf("step %d, loss %v, accuracy %v %%; want step 500, loss below 0.02, accuracy 100 %%", step, loss, accuracy)
	}
}
