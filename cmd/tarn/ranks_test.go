//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/dist/disttest"
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
	found, err := disttest.Launchers()
	if err != nil {
		t.Fatal(err)
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
	tarn, plain, other := build("tarn", "-tags", "mpi"), build("plain"), build("other", "-tags", "mpi", "-ldflags=-s")
	t.Chdir(t.TempDir())
	flags := []string{"train", "mnist", "--examples", "1500", "--epochs", "2", "--hidden", "32", "--threads", "1"}
	with := func(of []string, more ...string) []string { return slices.Concat(of, more) }
	finish := func(c *exec.Cmd) (string, int) {
		out, _ := c.CombinedOutput()
		return string(out), c.ProcessState.ExitCode()
	}
	one := func(line ...string) string {
		var said bytes.Buffer
		c := exec.Command(plain, line...)
		c.Stderr = &said
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s%s", line, err, out, said.String())
		}
		return string(out)
	}
	one(with(flags, "--shards", "8", "--out", "one")...)
	flats(t, ".", "flats.csv", 200)
	one(quickFit("flats.csv", "price", "--out", "flats.tarn")...)
	head, rows, _ := strings.Cut(string(readAll(t, "flats.csv")), "\n")
	writeAll(t, "long.csv", head+"\n"+strings.Repeat(rows, 100))
	answers, measured, evaluated := one("predict", "flats.tarn", "long.csv"), one("eval", "one"), one("evaluate", "flats.tarn", "long.csv")
	for _, l := range found {
		t.Run(l.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
			defer cancel()
			train := with([]string{tarn}, flags...)
			counts := []int{1, 2, 4}
			brief := l.Wheel && testing.Short()
			if brief {
				counts = []int{2}
			}
			for _, n := range counts {
				dir := fmt.Sprint(l.Name, "-", n)
				more := []string{"--shards", "8", "--out", dir}
				if n == 2 {
					more = append(more, "--zero")
				}
				out, code := finish(l.Command(ctx, n, with(train, more...)...))
				if code != 0 || strings.Count(out, "test accuracy") != 1 || strings.Count(out, "run folder") != 1 {
					t.Errorf("%d ranks: exit code %d\n%s", n, code, out)
				} else if !bytes.Equal(readAll(t, filepath.Join(dir, "weights.safetensors")), readAll(t, "one/weights.safetensors")) {
					t.Errorf("%d ranks: the weights differ from those of one process", n)
				}
				for name, test := range map[string]struct {
					want string
					line []string
				}{
					"answers":     {answers, []string{tarn, "predict", "flats.tarn", "long.csv", "--out", dir + ".csv"}},
					"measures":    {measured, []string{tarn, "eval", "one"}},
					"evaluations": {evaluated, []string{tarn, "evaluate", "flats.tarn", "long.csv"}},
				} {
					out, code := finish(l.Command(ctx, n, test.line...))
					if name == "answers" && code == 0 {
						out = string(readAll(t, dir+".csv"))
					}
					if code != 0 || !strings.Contains(out, test.want) { // a launcher may say something too
						t.Errorf("%d ranks: the %s are not those of one process: exit code %d, %d and %d bytes", n, name, code, len(out), len(test.want))
					}
				}
			}
			if out, code := finish(l.Command(ctx, 2, with(train, "--dry-run")...)); code != 0 || strings.Count(out, "of each of 2 ranks") != 1 {
				t.Errorf("--dry-run: exit code %d\n%s", code, out)
			}

			// begin starts a long training of two ranks, and returns when its first epoch is over.
			begin := func(dir string) (*exec.Cmd, *bytes.Buffer) {
				c := l.Command(ctx, 2, with(train, "--epochs", "5000", "--out", dir)...)
				var b bytes.Buffer
				c.Stdout, c.Stderr = &b, &b
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				for range 6000 {
					if _, err := os.Stat(filepath.Join(dir, "log.jsonl")); err == nil {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
				return c, &b
			}

			// Ctrl-C: one checkpoint, one message; another number of ranks goes on. Open MPI 4 gives ranks a second for it, and Open MPI 5 no longer shows what they say.
			// The launchers of Open MPI pass on the ranks' exit code. Hydra, that of the others, at times says 0 after Ctrl-C though all ranks have ended with 130.
			dir := l.Name + "-interrupted"
			c, b := begin(dir)
			c.Process.Signal(syscall.SIGINT)
			begun := time.Now()
			c.Wait()
			if out := b.String(); c.ProcessState.ExitCode() == 0 && strings.HasPrefix(l.Name, "openmpi") || strings.Count(out, "checkpoint written") != 1 && l.Name != "openmpi5" || time.Since(begun) > time.Minute {
				t.Errorf("interrupted: exit code %d after %v\n%s", c.ProcessState.ExitCode(), time.Since(begun), out)
			}
			again := 3
			if len(counts) < 3 {
				again = 1
			}
			if out, code := finish(l.Command(ctx, again, tarn, "train", "mnist", "--resume", dir, "--epochs", "5001", "--dry-run")); code != 0 {
				t.Errorf("resumed: exit code %d\n%s", code, out)
			}

			// A rank is killed while it trains.
			c, b = begin(l.Name + "-killed")
			if victim := rankProcess(t, tarn); victim > 0 {
				syscall.Kill(victim, syscall.SIGKILL)
			}
			begun = time.Now()
			c.Wait()
			if out := b.String(); c.ProcessState.ExitCode() == 0 && strings.HasPrefix(l.Name, "openmpi") || strings.Count(out, "was ended by signal 9") != 1 || time.Since(begun) > time.Minute {
				t.Errorf("killed: exit code %d after %v\n%s", c.ProcessState.ExitCode(), time.Since(begun), out)
			}

			if brief {
				return // what follows is refused in the same way with any library
			}
			beside := func(program ...string) *exec.Cmd { // rank 0 as always, and rank 1
				return l.Command(ctx, 1, slices.Concat(train, []string{":", "-n", "1"}, program)...)
			}
			for want, c := range map[string]*exec.Cmd{
				"--epochs is 0":               l.Command(ctx, 2, with(train, "--epochs", "0")...),
				"share their work":            l.Command(ctx, 2, tarn, "inspect", "one/weights.safetensors"),
				"built without MPI":           l.Command(ctx, 2, with([]string{plain}, flags...)...),
				"cannot be set with --resume": l.Command(ctx, 2, with(train, "--resume", "one")...),
				"one holds a run already":     l.Command(ctx, 2, with(train, "--out", "one")...),
				"the level of the kernels is": beside(with([]string{"env", "TARN_CPU=go"}, train...)...),
				"the program is":              beside(with([]string{other}, flags...)...),
				"rank 1 is to run":            beside(tarn, "eval", "one"),
				"unknown flag --nothing":      beside(with(train, "--nothing")...),
				"is the standard input":       l.Command(ctx, 2, tarn, "predict", "flats.tarn"),
			} {
				out, code := finish(c)
				// The launcher of Open MPI 5 may lose what a program that knows no MPI says.
				said := strings.Count(out, want) == 1 || l.Name == "openmpi5" && want == "built without MPI"
				if code == 0 || !said {
					t.Errorf("want an error with %q once, exit code %d\n%s", want, code, out)
				}
			}
		})
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
