//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCountCores reads lists of cores.
func TestCountCores(t *testing.T) {
	for list, want := range map[string]int{"0\n": 1, "0-1\n": 2, "0-3,8,10-11": 7, "": 0} {
		if got := countCores(list); got != want {
			t.Errorf("%q: %d, want %d", list, got, want)
		}
	}
}

// TestRanks trains with the launchers that are installed.
func TestRanks(t *testing.T) {
	if os.Getenv("TARN_MPI_REQUIRED") == "" {
		t.Skip("takes minutes: the part mpi of .ci/run runs it, with TARN_MPI_REQUIRED=openmpi,mpich")
	}
	launchers := [][]string{{"mpirun.openmpi", "--oversubscribe"}, {"mpirun.mpich"}}
	var found [][]string
	for _, l := range launchers {
		if _, err := exec.LookPath(l[0]); err == nil {
			found = append(found, l)
		} else if os.Getenv("TARN_MPI_REQUIRED") != "" {
			t.Fatalf("%s is not installed", l[0])
		}
	}
	if len(found) == 0 {
		t.Skip("no MPI launcher is installed: apt-get install openmpi-bin mpich")
	}
	bin := t.TempDir()
	build := func(name string, flags ...string) string {
		file := filepath.Join(bin, name)
		c := exec.Command("go", append(append([]string{"build"}, flags...), "-o", file, ".")...)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return file
	}
	tarn, plain := build("tarn", "-tags", "mpi"), build("plain")
	t.Chdir(t.TempDir())
	flags := []string{"train", "mnist", "--examples", "1500", "--epochs", "2", "--hidden", "32", "--threads", "1"}
	start := func(line ...string) (*exec.Cmd, *bytes.Buffer) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		t.Cleanup(cancel)
		c := exec.CommandContext(ctx, line[0], line[1:]...)
		c.Env = append(os.Environ(), "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
		var b bytes.Buffer
		c.Stdout, c.Stderr = &b, &b
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c, &b
	}
	run := func(line ...string) (string, int) {
		c, b := start(line...)
		c.Wait()
		return b.String(), c.ProcessState.ExitCode()
	}
	weights := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, "weights.safetensors"))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	ranks := func(l []string, n int, line ...string) []string {
		return append(append(l[:len(l):len(l)], "-n", fmt.Sprint(n)), line...)
	}
	if out, code := run(append(append([]string{plain}, flags...), "--shards", "8", "--out", "one")...); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	want := weights("one")
	for _, l := range found {
		for _, n := range []int{1, 2, 4} {
			dir := fmt.Sprint(l[0], "-", n)
			out, code := run(append(ranks(l, n, append([]string{tarn}, flags...)...), "--shards", "8", "--out", dir)...)
			if code != 0 || strings.Count(out, "test accuracy") != 1 || strings.Count(out, "run folder") != 1 {
				t.Errorf("%d ranks of %s: exit code %d\n%s", n, l[0], code, out)
			} else if weights(dir) != want {
				t.Errorf("%d ranks of %s: the weights differ from those of one process", n, l[0])
			}
		}

		// Ctrl-C: one checkpoint, one message; another number of ranks goes on.
		dir := l[0] + "-interrupted"
		c, b := start(append(ranks(l, 2, append([]string{tarn}, flags...)...), "--epochs", "5000", "--out", dir)...)
		for range 600 {
			if _, err := os.Stat(filepath.Join(dir, "log.csv")); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		c.Process.Signal(syscall.SIGINT)
		begun := time.Now()
		c.Wait()
		if out := b.String(); c.ProcessState.ExitCode() == 0 || strings.Count(out, "checkpoint written") != 1 || time.Since(begun) > 10*time.Second {
			t.Errorf("%s, interrupted: exit code %d after %v\n%s", l[0], c.ProcessState.ExitCode(), time.Since(begun), out)
		}
		// Open MPI gives ranks a second for it.
		if out, code := run(append(ranks(l, 3, tarn, "train", "mnist"), "--resume", dir, "--epochs", "5001", "--dry-run")...); code != 0 {
			t.Errorf("%s, resumed: exit code %d\n%s", l[0], code, out)
		}

		// A rank is killed while it trains.
		dir = l[0] + "-killed"
		c, b = start(append(ranks(l, 2, append([]string{tarn}, flags...)...), "--epochs", "5000", "--out", dir)...)
		for range 600 {
			if _, err := os.Stat(filepath.Join(dir, "log.csv")); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if victim := rankProcess(t, tarn); victim > 0 {
			syscall.Kill(victim, syscall.SIGKILL)
		}
		begun = time.Now()
		c.Wait()
		if out := b.String(); c.ProcessState.ExitCode() == 0 || strings.Count(out, "was ended by signal 9") != 1 || time.Since(begun) > 10*time.Second {
			t.Errorf("%s, killed: exit code %d after %v\n%s", l[0], c.ProcessState.ExitCode(), time.Since(begun), out)
		}

		for want, line := range map[string][]string{
			"--epochs is 0":               append(ranks(l, 2, append([]string{tarn}, flags...)...), "--epochs", "0"),
			"share their work":            ranks(l, 2, tarn, "inspect", "one/weights.safetensors"),
			"built without MPI":           ranks(l, 2, append([]string{plain}, flags...)...),
			"cannot be set with --resume": append(ranks(l, 2, append([]string{tarn}, flags...)...), "--resume", "one"),
			"one holds a run already":     append(ranks(l, 2, append([]string{tarn}, flags...)...), "--out", "one"),
			"the level of the kernels is": append(append(ranks(l, 1, append([]string{tarn}, flags...)...), ":", "-n", "1", "env", "TARN_CPU=go", tarn), flags...),
		} {
			out, code := run(line...)
			if code == 0 || strings.Count(out, want) != 1 {
				t.Errorf("%s: want an error with %q once, exit code %d\n%s", l[0], want, code, out)
			}
		}
	}
}

// rankProcess returns a rank, a process of the program whose parent is one too.
func rankProcess(t *testing.T, program string) int {
	t.Helper()
	processes, _ := filepath.Glob("/proc/[0-9]*")
	parents := map[string]string{}
	for _, p := range processes {
		if exe, _ := os.Readlink(p + "/exe"); exe == program {
			text, _ := os.ReadFile(p + "/stat")
			fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
			if len(fields) > 1 {
				parents[filepath.Base(p)] = fields[1]
			}
		}
	}
	for p, parent := range parents {
		if parents[parent] != "" {
			var n int
			fmt.Sscan(p, &n)
			return n
		}
	}
	t.Error("no rank was found")
	return 0
}
