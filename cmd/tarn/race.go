package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/curve"
)

// This file holds race: the same network trained by one optimiser after the other, from the same weights and with the same
// batches in the same order, so that nothing but the optimiser differs.

// raceCommand has the flags of race.
type raceCommand struct {
	Optimizers []string `default:"sgd,momentum,rmsprop,adam,adamw,lion,muon" placeholder:"NAME,..." help:"Who takes part: all, or some of ${optimizers} (sgd,momentum,rmsprop,adam,adamw,lion,muon). Each has a learning rate of its own, which the table shows."`
	Epochs     int      `default:"2" help:"Times that each example is seen."`
	Batch      int      `default:"128" help:"Examples in a step; those left over at the end of an epoch are passed over."`
	Hidden     widths   `default:"512,512" placeholder:"N,N..." help:"Widths of the hidden layers (512,512)."`
	Seed       uint64   `default:"1" help:"Seed of the first weights and of the order of the examples."`
	Examples   int      `default:"55000" help:"Train on that many examples."`
	PathSteps  int      `default:"1000" help:"Steps on each of the surfaces of two variables."`
	Threads    int      `placeholder:"N" help:"Processor cores to use; all by default."`
	Out        string   `default:"." placeholder:"DIR" help:"Folder for the pictures race.png and paths.png; the current one by default."`
}

// Validate checks the flags; kong calls it.
func (c *raceCommand) Validate() error {
	switch {
	case len(c.Optimizers) == 0:
		return errors.New("--optimizers is empty and should name one at least")
	case c.Epochs < 1 || c.Epochs > 1e4:
		return fmt.Errorf("--epochs is %d and should be from 1 to 10000", c.Epochs)
	case c.Examples < 1 || c.Examples > mnistTraining:
		return fmt.Errorf("--examples is %d and should be from 1 to %d", c.Examples, mnistTraining)
	case c.Batch < 1 || c.Batch > c.Examples:
		return fmt.Errorf("--batch is %d and should be from 1 to the number of examples, %d", c.Batch, c.Examples)
	case c.PathSteps < 1 || c.PathSteps > 1e6:
		return fmt.Errorf("--path-steps is %d and should be from 1 to 1000000", c.PathSteps)
	case c.Threads < 0 || c.Threads > 1024:
		return fmt.Errorf("--threads is %d and should be from 1 to 1024; this machine has %d cores", c.Threads, runtime.NumCPU())
	}
	_, err := c.contenders()
	return err
}

// contenders are those named, or all.
func (c *raceCommand) contenders() (all []contender, err error) {
	if len(c.Optimizers) == 1 && strings.TrimSpace(c.Optimizers[0]) == "all" {
		return contenders, nil
	}
	seen := map[string]bool{}
	for _, name := range c.Optimizers {
		name = strings.TrimSpace(name)
		one, err := findContender("--optimizers:", name)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("--optimizers names %s twice", name)
		}
		seen[name] = true
		all = append(all, one)
	}
	return all, nil
}

// lap is how one optimiser did.
type lap struct {
	contender
	losses  []float64 // of the batch of each step, before its update
	seconds []float64 // from the start to the end of each step
	broken  bool      // the last loss was not finite, which ended it
	tested  float64   // accuracy on the test set
}

// Run holds the race, then draws it and the paths.
func (c *raceCommand) Run(env *environment) error {
	if c.Threads > 0 {
		runtime.GOMAXPROCS(c.Threads)
	}
	who, err := c.contenders()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	all, test, err := mnist.Load()
	if err != nil {
		return err
	}
	_, rest, err := all.Split(validation, c.Seed)
	if err != nil {
		return err
	}
	set, err := rest.Slice(0, c.Examples)
	if err != nil {
		return err
	}
	w := env.stdout
	fmt.Fprintf(w, "network %v, batches of %d, %d epochs of %d examples; rates fall along a cosine\n\n", c.Hidden, c.Batch, c.Epochs, c.Examples)
	fmt.Fprintf(w, "%-10s %9s %7s %9s %11s %11s %14s\n", "optimizer", "rate", "steps", "seconds", "ms a step", "train loss", "test accuracy")
	var laps []*lap
	for _, one := range who {
		l, err := c.run(env, one, set, test)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		laps = append(laps, l)
		fmt.Fprintln(w, l.row())
	}
	fmt.Fprintf(w, "\nthe train loss is the mean of the last %d steps, or of all where there are fewer\n\n", lastLosses)
	race := filepath.Join(c.Out, "race.png")
	if err := writeWhole(race, func(w io.Writer) error { return drawRace(w, c.Hidden.String(), laps) }); err != nil {
		return err
	}
	paths := filepath.Join(c.Out, "paths.png")
	if err := walk(env, who, c.PathSteps, paths); err != nil {
		return err
	}
	fmt.Fprintf(w, "\npictures %s and %s\n", race, paths)
	return nil
}

// run trains with one optimiser. The clock runs while it trains, neither while it compiles nor while it is tested.
func (c *raceCommand) run(env *environment, one contender, set, test *data.Set) (*lap, error) {
	model, err := initialised(c.Hidden, c.Seed)
	if err != nil {
		return nil, err
	}
	total := c.Epochs * (c.Examples / c.Batch)
	optimizer := one.make(one.schedule(one.rate, total))
	step, err := train.NewStepOf(model.build, model, optimizer)
	if err != nil {
		return nil, err
	}
	if err := step.Prepare(c.Batch); err != nil {
		return nil, err
	}
	l := &lap{contender: one}
	batches := set.Batches(c.Batch, data.Options{Shuffle: true, Seed: c.Seed, Last: data.Drop, Epochs: c.Epochs})
	begun := time.Now()
	for r, err := range step.Over(env.ctx, batches) {
		if err != nil {
			return nil, err
		}
		l.losses, l.seconds = append(l.losses, r.Loss), append(l.seconds, time.Since(begun).Seconds())
		if l.broken = !finite(r.Loss); l.broken {
			return l, nil
		}
	}
	err = optimizer.WithAverages(func() (err error) {
		_, l.tested, err = measure(env.ctx, model, test)
		return err
	})
	return l, err
}

// lastLosses is the number of steps whose mean loss the table shows.
const lastLosses = 100

// row is the line of the table.
func (l *lap) row() string {
	n := len(l.losses)
	seconds := l.seconds[n-1]
	row := fmt.Sprintf("%-10s %9.3g %7d %9.2f %11.3f", l.name, l.rate, n, seconds, 1000*seconds/float64(n))
	if l.broken {
		return row + "  the loss is not finite any more"
	}
	last, sum := l.losses[max(0, n-lastLosses):], 0.0
	for _, loss := range last {
		sum += loss
	}
	return row + fmt.Sprintf(" %11.4f %14.4f", sum/float64(len(last)), l.tested)
}

// drawRace draws the loss against the step, and beside it against the time.
func drawRace(w io.Writer, network string, laps []*lap) error {
	bySteps := curve.Chart{Title: network, X: "step", Y: "training loss, smoothed (logarithmic)", LogY: true}
	byTime := bySteps
	byTime.Title, byTime.Y, byTime.X, byTime.LogX = "the same by time", "", "seconds (logarithmic)", true
	for _, l := range laps {
		smooth := smoothed(l.losses)
		var steps, seconds, losses []float64
		every := max(1, len(smooth)/400)
		for i := every - 1; i < len(smooth); i += every {
			steps, seconds, losses = append(steps, float64(i+1)), append(seconds, l.seconds[i]), append(losses, smooth[i])
		}
		bySteps.Lines = append(bySteps.Lines, curve.Line{Name: l.name, X: steps, Y: losses})
		byTime.Lines = append(byTime.Lines, curve.Line{Name: l.name, X: seconds, Y: losses})
	}
	return curve.WriteCharts(w, bySteps, byTime)
}

// smoothed is a running mean that keeps a share of the past, less at the beginning, where it is the mean of all so far.
func smoothed(losses []float64) []float64 {
	const keep = 0.97
	means, mean := make([]float64, len(losses)), 0.0
	for i, loss := range losses {
		share := max(1-keep, 1/float64(i+1))
		mean += share * (loss - mean)
		means[i] = mean
	}
	return means
}

// shownValue prints a number of any size in a column, and says where it is none.
func shownValue(x float64) string {
	if !finite(x) {
		return "not finite"
	}
	return fmt.Sprintf("%.3g", x)
}
