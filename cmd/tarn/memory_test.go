package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestTooLarge trains networks that the process may not have memory for: a message says so, and no stack trace.
func TestTooLarge(t *testing.T) {
	huge := func() []string {
		return []string{"train", "mnist", "--hidden", "16384,16384,16384", "--examples", "3000", "--out", filepath.Join(t.TempDir(), "run")}
	}
	t.Run("TARN_MEMORY", func(t *testing.T) {
		t.Setenv("TARN_MEMORY", "1GiB")
		if _, stderr := command(t, 1, huge()...); !strings.Contains(stderr, "f32[16384 16384] is too large: 1.0 GiB are needed") || !strings.Contains(stderr, "TARN_MEMORY is 1.0 GiB") {
			t.Errorf("the message is %q", stderr)
		}
	})
	t.Run("ulimit", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("the limit of address space is looked at on Linux")
		}
		arguments := append([]string{"-c", `ulimit -v 2800000 && exec "$0" "$@"`, os.Args[0]}, huge()...)
		c := exec.Command("sh", arguments...)
		c.Env = append(os.Environ(), asCommand+"=1")
		printed, err := c.CombinedOutput()
		if err == nil || strings.Contains(string(printed), "goroutine ") || !strings.Contains(string(printed), "the limit of address space (ulimit -v) is 2.7 GiB; make it smaller") {
			t.Errorf("it ends with %v and prints %s", err, printed)
		}
	})
}
