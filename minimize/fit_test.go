package minimize

import (
	"math"
	"strings"
	"testing"
)

// TestQuantile checks Student's distribution against SciPy's.
func TestQuantile(t *testing.T) {
	for _, c := range []struct{ p, free, want float64 }{
		{0.95, 1, 12.706204736174694}, {0.95, 12, 2.1788128296672284}, {0.99, 5, 4.032142983555228}, {0.5, 3, 0.7648923284043444},
		{0.95, 1e6, 1.959966356814107},
	} {
		if got := quantile(c.p, c.free); math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", c.p, c.free, got, c.want)
		}
	}
}

// TestMargin expects the interval of a straight line that textbooks have: t s sqrt(1/n + (x - mean)^2 / sum (x_i - mean)^2).
func TestMargin(t *testing.T) {
	xs, ys := []float64{1, 2, 4, 5, 8}, []float64{1.1, 1.8, 4.3, 4.6, 8.4}
	var a []float64
	mean, square := 0.0, 0.0
	for _, x := range xs {
		a = append(a, 1, x)
		mean += x / 5
	}
	for _, x := range xs {
		square += (x - mean) * (x - mean)
	}
	fit, err := LinearLeastSquares(a, 2, ys)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []float64{-3, 0, 4, 20} {
		want := quantile(0.9, 3) * fit.Deviation * math.Sqrt(0.2+(x-mean)*(x-mean)/square)
		if got, err := fit.Margin([]float64{1, x}, 0.9); err != nil || math.Abs(got-want) > 1e-12*want {
			t.Errorf("at %v: %v, %v, want %v", x, got, err, want)
		}
	}
	for _, c := range []struct {
		fit      Fit
		gradient []float64
		level    float64
		want     float64
		err      string
	}{
		{Fit{X: []float64{1}, Residuals: []float64{0}, Covariance: []float64{math.NaN()}}, []float64{1}, 0.95, math.NaN(), ""},
		{Fit{X: []float64{1, 2}, Residuals: make([]float64, 5), Covariance: []float64{math.Inf(1), 0, 0, 4}}, []float64{1, 1}, 0.95, math.Inf(1), ""},
		{Fit{X: []float64{1, 2}, Residuals: make([]float64, 5), Covariance: []float64{math.Inf(1), 0, 0, 4}}, []float64{0, 1}, 0.95, 2 * quantile(0.95, 3), ""},
		{*fit, []float64{1}, 0.95, 0, "the gradient has 1 elements, and 2 were fitted"},
		{*fit, []float64{1, 1}, 95, 0, "the level is 95"},
		{*fit, []float64{1, 1}, math.NaN(), 0, "the level is NaN"},
	} {
		got, err := c.fit.Margin(c.gradient, c.level)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			continue
		}
		if err != nil || got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("Margin(%v, %v) = %v, %v, want %v", c.gradient, c.level, got, err, c.want)
		}
	}
}

// TestManyRows fits a line to so many points that a matrix with the square of their number as elements would not fit into memory.
func TestManyRows(t *testing.T) {
	const m = 200_000
	a, y := make([]float64, 0, 2*m), make([]float64, m)
	for i := range y {
		x := float64(i) / m
		a, y[i] = append(a, 1, x), 3-2*x+float64(i%2)-0.5
	}
	fit, err := LinearLeastSquares(a, 2, y)
	if err != nil || math.Abs(fit.X[0]-3) > 1e-4 || math.Abs(fit.X[1]+2) > 1e-4 || math.Abs(fit.Deviation-0.5) > 1e-4 {
		t.Fatalf("%v, %v", fit.X, err)
	}
}
