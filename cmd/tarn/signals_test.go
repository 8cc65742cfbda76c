//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSignals ends a training by each of the signals that ask for it, twice where a terminal may send two: it writes a checkpoint
// first. What it holds is free then.
func TestSignals(t *testing.T) {
	for _, signals := range [][]os.Signal{{syscall.SIGTERM}, {syscall.SIGHUP}, {syscall.SIGHUP, syscall.SIGHUP}} {
		dir := filepath.Join(t.TempDir(), "run")
		c := exec.Command(os.Args[0], with("--out", dir, "--epochs", "2000")...)
		c.Env = append(os.Environ(), asCommand+"=1")
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "epoch 1/2000") {
		}
		if _, message := command(t, 1, "train", "mnist", "--resume", dir, "--epochs", "3"); !strings.Contains(message, fmt.Sprintf("held by process %d on ", c.Process.Pid)) {
			t.Errorf("a second training in the folder: %q", message)
		}
		for _, s := range signals {
			c.Process.Signal(s)
		}
		io.Copy(io.Discard, out)
		c.Wait()
		if code := c.ProcessState.ExitCode(); code != exitInterrupted {
			t.Errorf("%v: exit code %d", signals, code)
		}
		if _, err := os.Lstat(filepath.Join(dir, "lock")); err == nil {
			t.Errorf("%v: the lock is still there", signals)
		}
		if out, _ := command(t, 0, "eval", dir); !strings.Contains(out, "weights of checkpoint.safetensors") {
			t.Errorf("%v: %s", signals, out)
		}
	}
}
