// Package nightly repeats random tests for hours, with new numbers each time. Without being asked to it does nothing.
package nightly

import (
	"iter"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// Seeds returns seeds for a random test: new ones until the time in TARN_NIGHTLY, such as 20m, is over, or the one in
// TARN_SEED, which repeats a failure. It skips the test without either. The loop ends with the first seed that fails, which
// is logged.
func Seeds(t *testing.T) iter.Seq[uint64] {
	t.Helper()
	if text := os.Getenv("TARN_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("TARN_SEED: %v", err)
		}
		return func(yield func(uint64) bool) { yield(seed) }
	}
	text := os.Getenv("TARN_NIGHTLY")
	if text == "" {
		t.Skip("set TARN_NIGHTLY to how long this should take, such as 20m")
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("TARN_NIGHTLY: %v", err)
	}
	return func(yield func(uint64) bool) {
		seed, tried := uint64(0), 0
		defer func() { // also after a Fatal
			if t.Failed() {
				t.Logf("repeat it with TARN_SEED=%d", seed)
			}
			t.Logf("%d seeds", tried)
		}()
		for end := time.Now().Add(span); time.Now().Before(end) && !t.Failed(); tried++ {
			if seed = rand.Uint64(); !yield(seed) {
				return
			}
		}
	}
}
