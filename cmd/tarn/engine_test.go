//go:build !pjrt

package main

import (
	"strings"
	"testing"
)

// TestWithoutEngine asks for an engine that the command is built without, by the flag and by the variable.
func TestWithoutEngine(t *testing.T) {
	const cure = "go install -tags pjrt ./cmd/tarn"
	if _, message := command(t, exitFailure, "bench", "--once", "linreg", "--engine", "pjrt:cuda"); !strings.Contains(message, "--engine pjrt:cuda: ") || !strings.Contains(message, cure) {
		t.Errorf("the flag: %s", message)
	}
	t.Setenv("TARN_ENGINE", "pjrt:cuda")
	if _, message := command(t, exitFailure, "train", "linreg", "--steps", "1"); !strings.Contains(message, "TARN_ENGINE=pjrt:cuda: ") || !strings.Contains(message, cure) {
		t.Errorf("the variable: %s", message)
	}
	if out, _ := command(t, 0, "bench", "--once", "linreg", "--engine", "cpu"); !strings.Contains(out, "loss") {
		t.Errorf("the flag before the variable: %s", out)
	}
}
