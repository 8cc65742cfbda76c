//go:build linux && (amd64 || arm64)

package mpi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
)

// The tests start this test program by the launchers that are installed. The variable caseVariable tells it what to do as a rank.
const caseVariable = "TARN_MPI_CASE"

func TestMain(m *testing.M) {
	name := os.Getenv(caseVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	if name == "no library" && dist.Launched(os.Getenv).Rank == 1 {
		os.Setenv(libraryVariable, "/nowhere/libmpi.so")
	}
	if err := Run(func(c dist.Comm) error { return cases[name](c) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// cases are what ranks do.
var cases = map[string]func(c dist.Comm) error{
	"conform": func(c dist.Comm) error {
		for range 3 {
			if err := disttest.Conform(c); err != nil {
				return err
			}
		}
		mostAtOnce = 3 // in pieces
		if err := disttest.Conform(c); err != nil {
			return err
		}
		if c.Rank() == 0 {
			fmt.Println(c.(*comm).Version())
			fmt.Println("conforms")
		}
		return nil
	},
	// Go goes on as without the library: a nil pointer is a panic, signals are delivered, also many of them.
	"signals": func(c dist.Comm) error {
		var p *int
		func() {
			defer func() { recover() }()
			*p = 1
		}()
		arrived := make(chan os.Signal, 3)
		signal.Notify(arrived, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM)
		for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM} {
			syscall.Kill(os.Getpid(), s)
			select {
			case got := <-arrived:
				if got != s {
					return fmt.Errorf("signal %v instead of %v", got, s)
				}
			case <-time.After(time.Minute):
				return fmt.Errorf("no signal %v", s)
			}
		}
		if err := c.Barrier(); err != nil {
			return err
		}
		if c.Rank() == 0 {
			fmt.Println("signals arrive")
		}
		return nil
	},
	// Several goroutines, each with a group of its own, while the garbage collector runs.
	"goroutines": func(c dist.Comm) error {
		const streams = 4
		errs := make(chan error, streams)
		for i := range streams {
			group, err := c.Split(0, 0)
			if err != nil {
				return err
			}
			go func() {
				for n := range 50 {
					x := make([]float64, 1000+100*i)
					for j := range x {
						x[j] = float64(n + j)
					}
					if err := group.AllReduce(dist.Of(x)); err != nil {
						errs <- err
						return
					}
					for j := range x {
						if x[j] != float64((n+j)*c.Size()) {
							errs <- fmt.Errorf("stream %d: %v", i, x[j])
							return
						}
					}
					runtime.GC()
				}
				errs <- nil
			}()
		}
		var failed []error
		for range streams {
			failed = append(failed, <-errs)
		}
		if err := errors.Join(failed...); err != nil {
			return err
		}
		if c.Rank() == 0 {
			fmt.Println("all sums are right")
		}
		return nil
	},
	"mistake":    func(c dist.Comm) error { return c.Broadcast(make([]byte, 3), c.Size()+7) },
	"exit 0":     dying(func(dist.Comm) error { os.Exit(0); return nil }),
	"exit 7":     dying(func(dist.Comm) error { os.Exit(7); return nil }),
	"kill":       dying(func(dist.Comm) error { syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }),
	"panic":      dying(func(dist.Comm) error { panic("a bug") }),
	"crash":      dying(func(dist.Comm) error { go panic("a bug elsewhere"); select {} }),
	"error":      dying(func(dist.Comm) error { return errors.New("the disk is full") }),
	"abort 42":   dying(func(c dist.Comm) error { c.Abort(42, "enough"); return nil }),
	"no library": func(c dist.Comm) error { return errors.New("a rank is missing, and the others have begun") },
	"agreed": func(c dist.Comm) error {
		if c.Rank() > 0 {
			os.Stderr.Close()
		}
		return fmt.Errorf("refused by all: %w", ErrAgreed)
	},
}

// dying returns a loop of collectives in which the last rank ends after some.
func dying(end func(c dist.Comm) error) func(c dist.Comm) error {
	return func(c dist.Comm) error {
		x := make([]float32, 1000)
		for i := 0; ; i++ {
			if i == 50 && c.Rank() == c.Size()-1 {
				return end(c)
			}
			if err := c.AllReduce(dist.Of(x)); err != nil {
				return err
			}
		}
	}
}

// launchersHere returns those that are installed.
func launchersHere(t *testing.T) []disttest.Launcher {
	t.Helper()
	found, err := disttest.Launchers()
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skip("no MPI launcher is installed: apt-get install openmpi-bin mpich")
	}
	if testing.Short() && os.Getenv(disttest.RequiredVariable) == "" {
		t.Skip("-short: starts ranks dozens of times")
	}
	return found
}

// hangs is when a test is sure that a launcher and its ranks do not end, hundreds of times what they take on an idle machine.
const hangs = 3 * time.Minute

// start runs the case on ranks, and returns what it printed and its exit code.
func start(t *testing.T, l disttest.Launcher, name string, ranks int, env ...string) (out string, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), hangs)
	defer cancel()
	c := l.Command(ctx, ranks, self)
	c.Env = append(append(c.Env, caseVariable+"="+name, "GOMAXPROCS=2"), env...)
	var b bytes.Buffer
	c.Stdout, c.Stderr = &b, &b
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Errorf("%s with %d ranks hangs", name, ranks)
	}
	return b.String(), c.ProcessState.ExitCode()
}

// TestRanks lets ranks work together.
func TestRanks(t *testing.T) {
	for _, l := range launchersHere(t) {
		t.Run(l.Name, func(t *testing.T) {
			for _, test := range []struct{ name, want string }{{"conform", "conforms"}, {"signals", "signals arrive"}, {"goroutines", "all sums are right"}} {
				for _, ranks := range []int{1, 2, 4} {
					if l.Wheel && testing.Short() && (ranks != 2 || test.name == "goroutines") {
						continue
					}
					if ranks == 1 && test.name == "conform" {
						continue // the case needs a library
					}
					out, code := start(t, l, test.name, ranks)
					if code != 0 || strings.Count(out, test.want) != 1 {
						t.Errorf("%s with %d ranks: exit code %d\n%s", test.name, ranks, code, out)
					}
					if test.name == "conform" && ranks == 2 {
						t.Logf("%s", out)
					}
				}
			}
		})
	}
}

// TestDeath lets a rank end: all end soon, with an exit code that is not 0, and what the rank could say names it.
func TestDeath(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range launchersHere(t) {
		t.Run(l.Name, func(t *testing.T) {
			for _, test := range []struct {
				name, want string
				code       int // 0 for any but 0: Open MPI may end the others before it hears how a rank ended, and the standard ABI of Intel MPI returns no errors
			}{
				{"exit 0", "rank 1 on host HOST ended with exit code 0 before", 0}, {"exit 7", "rank 1 on host HOST ended with exit code 7\n", 0},
				{"kill", "rank 1 on host HOST was ended by signal 9 (killed)", 0},
				{"panic", "rank 1 on host HOST: panic: a bug", 2}, {"crash", "rank 1 on host HOST ended with exit code 2\n", 0},
				{"error", "rank 1 on host HOST: the disk is full\n", 1}, {"abort 42", "rank 1 on host HOST: enough\n", 42}, {"mistake", "MPI_ERR_ROOT|nvalid root", 0}, {"agreed", "refused by all", 1},
				{"no library", "/nowhere/libmpi.so", 0},
			} {
				if l.Wheel && testing.Short() && slices.Contains([]string{"exit 0", "panic", "crash", "agreed", "no library"}, test.name) {
					continue // no library has a part in these
				}
				out, code := start(t, l, test.name, 2)
				said := false
				for _, want := range strings.Split(test.want, "|") {
					said = said || strings.Contains(out, strings.ReplaceAll(want, "HOST", host))
				}
				if code == 0 || test.code != 0 && code != test.code || !said {
					t.Errorf("%s: exit code %d, want %d\n%s", test.name, code, test.code, out)
				}
			}
		})
	}
}

// TestWrongLauncher opens the library of one launcher under another: the processes would be groups of one.
func TestWrongLauncher(t *testing.T) {
	all := launchersHere(t)
	if len(all) < 2 {
		t.Skip("needs two MPI libraries")
	}
	out, code := start(t, all[0], "conform", 2, "TARN_MPI=libmpich.so.12")
	if code == 0 || !strings.Contains(out, "belongs to another launcher") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	out, code = start(t, all[1], "conform", 2, "TARN_MPI=libmpi.so.40")
	if code == 0 || !strings.Contains(out, "belongs to another launcher") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	out, code = start(t, all[0], "conform", 2, "TARN_MPI=/nowhere/libmpi.so")
	if code == 0 || !strings.Contains(out, "no MPI library can be opened") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// TestFindLauncher reads environments.
func TestFindLauncher(t *testing.T) {
	for _, test := range []struct {
		env        map[string]string
		name       string
		rank, size int
	}{
		{nil, "", 0, 1},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4", "PMI_RANK": "0", "PMI_SIZE": "2"}, "mpirun of Open MPI", 1, 4},
		{map[string]string{"PMI_RANK": "1", "PMI_SIZE": "2"}, "mpiexec of MPICH or Intel MPI", 1, 2},
		{map[string]string{"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8"}, "srun", 3, 8},
		{map[string]string{"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, "", 0, 1}, // the script of a job and not a task of a step
		{map[string]string{"PMI_RANK": "2", "PMI_SIZE": "2"}, "", 0, 1},
		{map[string]string{"PMI_RANK": "x", "PMI_SIZE": "2"}, "", 0, 1},
	} {
		l := findLauncher(func(name string) string { return test.env[name] })
		if l.Name != test.name || l.Rank != test.rank || l.Size != test.size {
			t.Errorf("%v: got %+v", test.env, l)
		}
	}
}
