package tarn

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/limit"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/pass"
	"github.com/seed-49005b45/tarn/internal/pool"
)

// This file holds the debug switches, which are read from the environment:
//
//	TARN_DEBUG=dump       print the graph after every pass and the lowered program, on standard error
//	TARN_DEBUG=verify     verify the graph after every pass
//	TARN_DEBUG=check      check every node of every run against its reference kernel
//	TARN_DEBUG=nan        end a run with an output or a new value of a param that is not finite, store nothing and say where that comes from
//	TARN_DEBUG=reference  run only the reference kernels, node by node
//	TARN_DEBUG=perf       name the steps in profiles: machine code in /tmp/perf-PID.map, which perf reads, and all by the label "tarn" in those of pprof
//	TARN_CPU=avx2         use the kernels of one level: go, avx2, avx512, neon, or avx512+bf16, avx512+amx and neon+bf16 with a unit for bfloat16 (package internal/cpu reads it)
//	TARN_ENGINE=pjrt:cuda    run programs on another engine (OpenEngine)
//	TARN_BLAS=accelerate     hand large matrix products to macOS's Accelerate (package internal/cpu reads it)
//	TARN_MEMORY=off|8GiB     refuse nothing for its size, or what exceeds so much memory (package internal/limit reads it)
//
// Several words are separated by commas.

var debugWords = []string{"dump", "verify", "check", "nan", "reference", "perf"}

type debug struct{ dump, verify, check, nan, reference, perf bool }

// readDebug reads the switches anew at each Compile, so that a test or a debugger can set them while the program runs.
func readDebug() (d debug, err error) {
	for _, err := range []error{cpu.EnvError(), limit.EnvError()} {
		if err != nil {
			return d, fmt.Errorf("tarn: %w", err)
		}
	}
	for word := range strings.SplitSeq(os.Getenv("TARN_DEBUG"), ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(debugWords, word) {
			return d, fmt.Errorf("tarn: TARN_DEBUG has the unknown word %q; it takes %s", word, list.Names(debugWords))
		}
		d.dump = d.dump || word == "dump"
		d.verify = d.verify || word == "verify"
		d.check = d.check || word == "check"
		d.nan = d.nan || word == "nan"
		d.reference = d.reference || word == "reference"
		d.perf = d.perf || word == "perf"
	}
	return d, nil
}

// load compiles a graph for an engine, or for the CPU if the switches ask for it or e is nil. A panic on the way, which is a fault of the compiler or of an
// op, becomes an error with the stage, the node and the user's place. device is whether the engine has loaded it.
func (d debug) load(e Engine, t translation) (r exec.Runner, device bool, err error) {
	defer func() {
		if p, ok := recover().(*ir.Panic); ok {
			r, err = nil, fmt.Errorf("tarn: Compile: %w", p)
		}
	}()
	g, variables := t.graph, memoryOf(t.params)
	w := ir.Watch{Stage: "binding"}
	defer w.Report()
	if d.reference {
		g = t.joined()
		if err := exec.CheckNodes(g); err != nil {
			return nil, false, err
		}
		return exec.NewReference(g, variables), false, nil
	}
	var seen func(name string, g *ir.Graph)
	if d.dump || d.verify {
		seen = func(name string, g *ir.Graph) {
			if d.dump {
				fmt.Fprintf(os.Stderr, "--- %s\n%v", name, g)
			}
			if e := pass.Verify(g); d.verify && e != nil && err == nil {
				err = fmt.Errorf("tarn: after the pass %q: %w", name, e)
			}
		}
	}
	pass.Run(g, seen)
	if t.looks != nil {
		pass.Run(t.looks, seen)
		g = t.joined()
		if seen != nil {
			seen("join", g)
		}
	}
	if err != nil {
		return nil, false, err
	}
	if d.check {
		c, err := exec.NewChecker(g, variables, pool.Default())
		if err != nil {
			return nil, false, err
		}
		return c, false, nil
	}
	if e != nil {
		r, err := loadOn(e, g, storagesOf(t.params))
		return r, true, err
	}
	m, err := exec.NewMachine(g, variables, pool.Default())
	if err == nil {
		err = d.name(m)
	}
	if err != nil {
		return nil, false, err
	}
	if d.dump {
		fmt.Fprintf(os.Stderr, "--- lowered\n%v", m)
	}
	return m, false, nil
}

// perfMap is where perf looks for the names of machine code that a process has made.
func perfMap() string { return fmt.Sprintf("/tmp/perf-%d.map", os.Getpid()) }

// name sets the names that the steps of a machine have in profiles, if the switch is on.
func (d debug) name(r exec.Runner) error {
	m, ok := r.(*exec.Machine)
	if !ok || !d.perf {
		return nil
	}
	m.Label()
	regions := m.Regions()
	if len(regions) == 0 || runtime.GOOS != "linux" {
		return nil
	}
	var lines strings.Builder
	for _, c := range regions {
		fmt.Fprintf(&lines, "%x %x %s\n", c.Start, c.Size, c.Name)
	}
	// A new file must not be one that somebody else has put there, and later programs add to it.
	mode := os.O_APPEND | os.O_WRONLY
	perfOnce.Do(func() { mode |= os.O_CREATE | os.O_EXCL })
	f, err := os.OpenFile(perfMap(), mode, 0o600)
	if err == nil {
		_, err = f.WriteString(lines.String())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("tarn: TARN_DEBUG=perf: %w; remove the file, or leave the word out", err)
	}
	return nil
}

// perfOnce makes the file.
var perfOnce sync.Once
