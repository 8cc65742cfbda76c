//go:build (linux || darwin) && (amd64 || arm64)

package pjrt_test

import (
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/pjrt"
)

// This file tests what the plugin's compiler makes of a training step.

// TestNoCopies expects params and moments to be overwritten in place, also where an update reads them twice.
func TestNoCopies(t *testing.T) {
	for name, guarded := range map[string]bool{"plain": false, "guarded": true} {
		t.Run(name, func(t *testing.T) {
			e := &pjrt.Spy{Engine: engine(t)}
			stepOf(t, e, guarded)
			code, err := e.Optimized()
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(code, "\x12\x04copy"); n > 0 { // field 2 of an instruction, its opcode
				t.Errorf("the program copies %d arrays", n)
			}
			if n := strings.Count(code, "\x12\x03dot"); n == 0 {
				t.Error("the program has no products: its encoding is another one than this test reads")
			}
		})
	}
}
