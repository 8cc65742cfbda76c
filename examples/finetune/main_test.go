package main

import (
	"testing"

	"github.com/seed-49005b45/tarn/examples/internal/output"
)

// What PyTorch has learned from five digits helps with ten.
func TestBodyHelps(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	output.Short(t)
	adopted, err := learn("testdata/body.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	anew, err := learn("")
	if err != nil {
		t.Fatal(err)
	}
	if adopted < 0.78 || adopted < anew+0.1 {
		t.Errorf("accuracy %v with the body and %v without; want at least 0.78, and 0.1 more than without", adopted, anew)
	}
}
