package exec

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn/internal/nightly"
	"github.com/seed-49005b45/tarn/internal/pool"
)

// TestNightlyGraphs is TestRandomGraphs with other graphs.
func TestNightlyGraphs(t *testing.T) {
	three := pool.New(3)
	defer three.Close()
	for seed := range nightly.Seeds(t) {
		randomGraph(t, rand.New(rand.NewPCG(seed, 1)), three)
	}
}
