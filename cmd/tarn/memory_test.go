package main

import (
	"fmt"
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
		arguments := huge()
		_, stderr := command(t, 1, arguments...)
		if dir := arguments[len(arguments)-1]; exists(dir) {
			t.Errorf("the folder %s is left", dir)
		}
		if !strings.Contains(stderr, "f32[16384 16384] is too large: 1.0 GiB are needed") || !strings.Contains(stderr, "TARN_MEMORY is 1.0 GiB") {
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

// TestRefusedFolder trains networks that are refused before the first step: their folder is free for another run.
func TestRefusedFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: plans four large programs")
	}
	for name, huge := range map[string][]string{
		"params":  {"--width", "16384", "--heads", "1"},
		"program": {"--width", "256", "--context", "128", "--batch", "4096"},
	} {
		for _, exist := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%t", name, exist), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "run")
				if exist {
					if err := os.Mkdir(dir, 0o777); err != nil {
						t.Fatal(err)
					}
				}
				t.Setenv("TARN_MEMORY", "1GiB")
				if _, stderr := command(t, 1, append([]string{"train", "gpt", "--quiet", "--out", dir}, huge...)...); !strings.Contains(stderr, "TARN_MEMORY") {
					t.Errorf("the message is %q", stderr)
				}
				if exists(dir) != exist {
					t.Errorf("whether the folder exists was %t and is %t", exist, !exist)
				}
				t.Setenv("TARN_MEMORY", "")
				command(t, 0, smallGPT(t, "--quiet", "--out", dir)...)
			})
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
