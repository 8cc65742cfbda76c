package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/examples/internal/output"
)

func TestSolvesTheEquation(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	output.Short(t)
	lines := strings.Split(strings.TrimSpace(output.Of(t, main)), "\n")
	var worst float64
	last := lines[len(lines)-1]
	if n, _ := fmt.Sscanf(last, "at t = 1 the largest error is %f", &worst); n != 1 {
		t.Fatalf("last line %q", last)
	}
	if worst > 0.004 {
		t.Errorf("the largest error is %v, want at most 0.004", worst)
	}
}

// The solution that the network is compared with obeys the equation and the conditions at the borders.
func TestExact(t *testing.T) {
	const h = 1e-3
	for _, at := range [][2]float64{{0.3, 0.2}, {-0.7, 0.5}, {0.05, 0.9}} {
		x, time := at[0], at[1]
		u, left, right := exact(x, time), exact(x-h, time), exact(x+h, time)
		rate := (exact(x, time+h) - exact(x, time-h)) / (2 * h)
		if r := rate + u*(right-left)/(2*h) - viscosity*(right-2*u+left)/(h*h); math.Abs(r) > 1e-3 {
			t.Errorf("at %v the residual is %v", at, r)
		}
	}
	for _, x := range []float64{-1, -0.4, 0, 0.9, 1} {
		if got, want := exact(x, 1e-9), -math.Sin(math.Pi*x); math.Abs(got-want) > 1e-4 {
			t.Errorf("u(%v, 0) is %v, want %v", x, got, want)
		}
	}
	if a, b := exact(-1, 0.5), exact(1, 0.5); math.Abs(a)+math.Abs(b) > 1e-9 {
		t.Errorf("at the borders u is %v and %v, want 0", a, b)
	}
}
