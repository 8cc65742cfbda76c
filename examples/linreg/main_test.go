package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/examples/internal/output"
)

// The program should be readable at a glance.
func TestProgramIsShort(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "\n"); n >= 40 {
		t.Errorf("main.go has %d lines, want under 40", n)
	}
}

// All predictions are positive on the way, so gradient descent on m = mean (x theta - y)^2 has a closed form: the distance
// to the optimum sum xy / sum x^2 shrinks by the factor 1 - 0.02 mean x^2 a step.
func TestDescentFollowsTheClosedForm(t *testing.T) {
	text := output.Of(t, main)
	for _, op := range []string{"in the gradient of ReLU, main.go:", "in the gradient of MatMul, main.go:", "ReLUGrad("} {
		if !strings.Contains(text, op) {
			t.Errorf("the backward graph lacks %q:\n%s", op, text)
		}
	}

	xs, ys, random := tarn.Zeros(tarn.F64, 100), tarn.Zeros(tarn.F64, 100), tarn.NewRandom(1, "linreg")
	random.Uniform(xs, 0, 1)
	random.Uniform(ys, 0, 1)
	var xx, xy float64
	for i, x := range xs.F64() {
		xx += x * x / 100
		xy += x * (ys.F64()[i] + 2*x + 1) / 100
	}
	steps := 0
	for line := range strings.Lines(text) {
		var step int
		var loss, d, theta float64
		if n, _ := fmt.Sscanf(line, "step %d loss %f d %f theta %f", &step, &loss, &d, &theta); n != 4 {
			continue
		}
		steps++
		best := xy / xx
		want := best + (0.5-best)*math.Pow(1-0.02*xx, float64(step))
		if math.Abs(theta-want) > 1e-6 {
			t.Errorf("step %d: theta %v, want %v", step, theta, want)
		}
	}
	if steps != 10 {
		t.Errorf("%d lines of steps, want 10:\n%s", steps, text)
	}
}

// The README shows the middle of the program.
func TestReadmeShowsTheProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(readme), "```go\n")
	code, _, ok := strings.Cut(code, "```")
	if !ok {
		t.Fatal("the README has no code")
	}
	for line := range strings.Lines(code) {
		if !strings.Contains(string(source), "\t"+line) {
			t.Errorf("main.go has no line %q", line)
		}
	}
}
