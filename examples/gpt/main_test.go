package main

import (
	"strings"
	"testing"
)

// Two hundred steps lower the loss from log(91) = 4.5 until words begin to show; guessing by the frequencies of characters reaches 3.
func TestLearnsToWrite(t *testing.T) {
	var out strings.Builder
	loss, err := run(t.Context(), &out, 200, 80)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if loss > 2.6 {
		t.Errorf("the loss is %.3f and should be below 2.6", loss)
	}
	if _, written, _ := strings.Cut(out.String(), "\n\n"); !strings.HasPrefix(written, "The Rays of Light") || len(written) < len("The Rays of Light")+80 {
		t.Errorf("it writes %q", written)
	}
}
