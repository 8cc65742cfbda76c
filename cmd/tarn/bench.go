package main

import (
	"fmt"
	"io"

	"github.com/seed-49005b45/tarn/internal/bench"
	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds bench.

// benchCommand has the arguments of bench.
type benchCommand struct {
	Workloads []string `arg:"" optional:"" name:"workload" help:"Workloads to measure, ops for those that are single ops, or products for matrix products of sizes that trainings have; by default all but these. See --list."`
	Threads   int      `placeholder:"N" help:"Number of processor cores to use; all by default."`
	JSON      bool     `name:"json" xor:"form" help:"Print one JSON object per line instead of a table."`
	List      bool     `xor:"mode,form" help:"List the workloads and exit."`
	Here      bool     `xor:"mode" help:"Measure in this process, as for a profiler, instead of in a process for each workload."`
	Explain   bool     `xor:"mode,form" help:"List the steps of one workload's compiled program with their cost, compared with the machine's limits."`
	Profile   string   `xor:"mode,form" placeholder:"FILE" help:"Write what each worker does in one step of one workload, as a trace that ui.perfetto.dev shows."`
	Once      bool     `xor:"mode,form" help:"Take one step of each workload, print the loss and exit."`
	Peers     string   `xor:"mode,form" placeholder:"PYTHON" help:"Compare with the engines that a Python interpreter has; internal/bench/peers/setup.sh in the source makes an environment with them."`
	Level     string   `placeholder:"LEVEL" help:"Measure with the kernels of another level, as TARN_CPU chooses, and hold --peers to its instructions: avx2 on processors with AVX-512."`
	Out       string   `default:"runs/bench" placeholder:"DIR" help:"Folder of the report of --peers (runs/bench)."`
	precisionFlag
	engineFlags

	level cpu.Level // of Level
}

// Validate checks the arguments; kong calls it.
func (c *benchCommand) Validate() error {
	if c.Threads < 0 || c.Threads > 1024 {
		return fmt.Errorf("--threads is %d and should be from 1 to 1024", c.Threads)
	}
	if c.List && len(c.Workloads) > 0 {
		return fmt.Errorf("--list lists all workloads; leave out %s", list.Names(c.Workloads))
	}
	if (c.Explain || c.Profile != "") && len(c.Workloads) != 1 {
		return fmt.Errorf("--explain and --profile take one workload; %d are named", len(c.Workloads))
	}
	if c.Level != "" {
		level, err := cpu.Named(c.Level)
		if err != nil {
			return fmt.Errorf("--level: %w", err)
		}
		c.level = level
	}
	if err := free(c.Profile, true); err != nil {
		return fmt.Errorf("--profile: %w", err)
	}
	if c.Peers != "" {
		if err := freeFolder(c.Out, true, nil); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	return nil
}

// Run measures.
func (c *benchCommand) Run(env *environment) error {
	if err := bench.Check(c.Workloads...); err != nil {
		return usageError{err}
	}
	options := bench.Options{Threads: c.Threads, Engine: c.Engine, JSON: c.JSON, Here: c.Here, Level: c.Level, Precision: c.Precision}
	if c.Level != "" {
		defer cpu.Force(cpu.Current())
		if err := cpu.Force(c.level); err != nil {
			return err
		}
	}
	switch {
	case c.List:
		return bench.WriteNames(env.stdout)
	case c.Explain:
		return bench.Explain(env.ctx, env.stdout, options, c.Workloads[0])
	case c.Profile != "":
		return c.profile(env, options)
	case c.Once:
		return bench.Once(env.ctx, env.stdout, options, c.Workloads...)
	case c.Peers != "":
		return bench.Compare(env.ctx, env.stdout, options, c.Peers, c.Out, c.Workloads...)
	}
	return bench.Run(env.ctx, env.stdout, options, c.Workloads...)
}

// profile writes the trace to a file, atomically.
func (c *benchCommand) profile(env *environment, o bench.Options) error {
	err := file.Replace(file.Disk, c.Profile, func(w io.Writer) error { return bench.Trace(w, o, c.Workloads[0]) })
	if err != nil {
		return fmt.Errorf("--profile %s: %w", c.Profile, err)
	}
	_, err = fmt.Fprintf(env.stdout, "wrote %s; open it in https://ui.perfetto.dev\n", file.Name(c.Profile))
	return err
}
