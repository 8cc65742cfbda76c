package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/internal/bench"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file holds scale, which predicts how trainings scale over ranks.

// scaleCommand has the arguments of scale.
type scaleCommand struct {
	Latency   time.Duration `placeholder:"TIME" help:"Latency of the network, as in 30us, with --bandwidth. Without both, the network between the ranks that mpirun or srun has started is measured, or usual networks are assumed if there is one process."`
	Bandwidth float64       `placeholder:"GB/S" help:"Bandwidth of the network in gigabytes a second, with --latency."`
	Threads   int           `placeholder:"N" help:"Number of processor cores of a rank; all by default."`
	Plot      string        `placeholder:"FILE.png" help:"Draw the predicted speedup."`
}

// Validate checks the arguments; kong calls it.
func (c *scaleCommand) Validate() error {
	switch {
	case c.Threads < 0 || c.Threads > 1024:
		return fmt.Errorf("--threads is %d and should be from 1 to 1024", c.Threads)
	case c.Latency < 0 || c.Latency > time.Minute:
		return fmt.Errorf("--latency is %v and should be more than 0 and at most a minute", c.Latency)
	case !(c.Bandwidth >= 0) || c.Bandwidth > 1e6:
		return fmt.Errorf("--bandwidth is %v and should be more than 0 and at most 1000000 GB/s", c.Bandwidth)
	case (c.Latency != 0) != (c.Bandwidth != 0):
		return errors.New("--latency and --bandwidth go together, as in --latency 30us --bandwidth 1.1")
	}
	return checkPicture(c.Plot)
}

// Run predicts.
func (c *scaleCommand) Run(env *environment) error {
	if c.Threads == 0 {
		env.shareCores()
		c.Threads = runtime.GOMAXPROCS(0)
	}
	networks := bench.Networks
	if c.Bandwidth > 0 {
		networks = []bench.NamedNetwork{{Name: "the network of --latency and --bandwidth", Network: dist.Network{Latency: c.Latency.Seconds(), Bandwidth: c.Bandwidth * 1e9}}}
	} else if env.ranks() > 1 {
		n, err := dist.Measure(env.comm)
		if err := env.agree(err); err != nil {
			return err
		}
		networks = []bench.NamedNetwork{{Name: fmt.Sprintf("measured between rank 0 and rank %d", env.ranks()-1), Network: n}}
	}
	models, err := bench.Models(env.ctx, bench.Options{Threads: c.Threads})
	if err := env.agree(err); err != nil {
		return err
	}
	if err := bench.Agree(env.ranksOf(), models); err != nil {
		return err
	}
	if env.rank() > 0 {
		return nil
	}
	if err := bench.WriteScaling(env.stdout, models, networks); err != nil || c.Plot == "" {
		return err
	}
	if err := file.Replace(file.Disk, c.Plot, func(w io.Writer) error { return bench.DrawScaling(w, models, networks) }); err != nil {
		return fmt.Errorf("--plot %s: %w", c.Plot, err)
	}
	_, err = fmt.Fprintf(env.stdout, "wrote %s\n", file.Name(c.Plot))
	return err
}
