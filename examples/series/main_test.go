package main

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn/examples/internal/output"
)

// The network forecasts far better than one who says that the series stays as it is.
func TestForecasts(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	output.Short(t)
	x := mackeyGlass(4000)
	sum, n := 0.0, 0
	for t := 2800; t < len(x)-horizon; t++ {
		for h := 1; h <= horizon; h++ {
			sum, n = sum+(x[t+h]-x[t])*(x[t+h]-x[t]), n+1
		}
	}
	stays := math.Sqrt(sum / float64(n))
	wrong, err := run(10)
	if err != nil {
		t.Fatal(err)
	}
	if stays < 0.5 || wrong > 0.1 {
		t.Errorf("the error is %v, want at most 0.1; that of no change is %v, want at least 0.5", wrong, stays)
	}
}
