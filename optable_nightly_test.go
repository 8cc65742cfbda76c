package tarn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/nightly"
)

// TestNightlyGraphs is TestRandomGraphs with different graphs of ops, loops and branches.
func TestNightlyGraphs(t *testing.T) {
	for seed := range nightly.Seeds(t) {
		randomGraph(t, seed, tarn.Compile, nil)
	}
}
