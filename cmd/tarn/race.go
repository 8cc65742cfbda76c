package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/plot"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds race: the same network trained by one optimizer after the other, from the same weights and with the same
// batches in the same order, so that only the optimizer differs. More seeds show what is chance, and tuned rates make sure
// that the choice of rates does not decide.

// raceCommand has the flags of race.
type raceCommand struct {
	Optimizers []string `default:"sgd,momentum,rmsprop,adam,adamw,muon,soap,kfac" placeholder:"NAME,..." help:"Optimizers to compare: all, or some of ${optimizers} (sgd,momentum,rmsprop,adam,adamw,muon,soap,kfac). Each has its own learning rate, which the table shows."`
	Epochs     int      `default:"2" help:"Number of passes over the examples."`
	Batch      int      `default:"128" help:"Number of examples in a step; an incomplete batch at the end of an epoch is skipped."`
	Hidden     widths   `default:"512,512" placeholder:"N,N..." help:"Widths of the hidden layers (512,512)."`
	Seed       uint64   `default:"1" help:"Seed of the initial weights and of the order of the examples."`
	Examples   int      `default:"55000" help:"Number of examples to train on."`
	Tune       bool     `help:"First try three rates for each optimizer (its own, a third of it and three times it) in a training of one epoch, and race at the one with the lowest validation loss."`
	Seeds      int      `default:"1" help:"Number of seeds to train with, from --seed on; the table shows means and deviations."`
	PathSteps  int      `default:"1000" help:"Number of steps on each of the surfaces of two variables."`
	Threads    int      `placeholder:"N" help:"Number of processor cores to use; all by default."`
	Out        string   `default:"." placeholder:"DIR" help:"Folder for the pictures race.png and paths.png; the current one by default."`
}

// Validate checks the flags; kong calls it.
func (c *raceCommand) Validate() error {
	switch {
	case len(c.Optimizers) == 0:
		return errors.New("--optimizers is empty and should name at least one")
	case c.Epochs < 1 || c.Epochs > 1e4:
		return fmt.Errorf("--epochs is %d and should be from 1 to 10000", c.Epochs)
	case c.Examples < 1 || c.Examples > mnistTraining:
		return fmt.Errorf("--examples is %d and should be from 1 to %d", c.Examples, mnistTraining)
	case c.Batch < 1 || c.Batch > c.Examples:
		return fmt.Errorf("--batch is %d and should be from 1 to the number of examples, %d", c.Batch, c.Examples)
	case c.Seeds < 1 || c.Seeds > 100:
		return fmt.Errorf("--seeds is %d and should be from 1 to 100", c.Seeds)
	case c.Seed > math.MaxUint64-uint64(c.Seeds):
		return fmt.Errorf("--seed is %d and too large for --seeds %d, which counts on from it", c.Seed, c.Seeds)
	case c.PathSteps < 1 || c.PathSteps > 1e6:
		return fmt.Errorf("--path-steps is %d and should be from 1 to 1000000", c.PathSteps)
	case c.Threads < 0 || c.Threads > 1024:
		return fmt.Errorf("--threads is %d and should be from 1 to 1024; this machine has %d cores", c.Threads, runtime.NumCPU())
	}
	_, err := c.contenders()
	return err
}

// contenders returns those that are named, or all.
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

// lap is the result of one optimizer.
type lap struct {
	contender
	tries []*attempt // one with each seed
}

// attempt is one training.
type attempt struct {
	losses         []float64 // of the batch of each step, before its update
	seconds        []float64 // from the start to the end of each step
	broken         bool      // the last loss was not finite, which ended the training
	loss, accuracy float64   // on held-out examples
}

// Run tunes the rates if asked to, runs the race, then draws it and the paths.
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
	race, paths := filepath.Join(c.Out, "race.png"), filepath.Join(c.Out, "paths.png")
	if err := errors.Join(free(race, true), free(paths, true)); err != nil {
		return err
	}
	all, test, err := loadMNIST()
	if err != nil {
		return err
	}
	valid, rest, err := all.Split(validation, c.Seed)
	if err != nil {
		return err
	}
	set, err := rest.Slice(0, c.Examples)
	if err != nil {
		return err
	}
	w := env.stdout
	fmt.Fprintf(w, "network %v, batches of %d, %d epochs of %d examples; rates fall along a cosine\n\n", c.Hidden, c.Batch, c.Epochs, c.Examples)
	if c.Tune {
		if who, err = c.tune(env, who, set, valid); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%-18s %9s %7s %9s %11s %18s %18s\n", "optimizer", "rate", "steps", "seconds", "ms a step", "train loss", "test accuracy")
	var laps []*lap
	for _, one := range who {
		l := &lap{contender: one}
		for i := range c.Seeds {
			try, err := c.run(env, one, c.Seed+uint64(i), c.Epochs, set, test)
			if err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
			l.tries = append(l.tries, try)
		}
		laps = append(laps, l)
		fmt.Fprintln(w, l.row())
	}
	fmt.Fprintf(w, "\nthe train loss is the mean of the last %d steps, or of all if there are fewer\n", lastLosses)
	if c.Seeds > 1 {
		fmt.Fprintf(w, "means of %d trainings with the seeds %d to %d, each ± the standard deviation between them\n", c.Seeds, c.Seed, c.Seed+uint64(c.Seeds)-1)
	}
	fmt.Fprintln(w)
	if err := file.Replace(file.Disk, race, func(w io.Writer) error { return drawRace(w, c.Hidden.String(), laps) }); err != nil {
		return err
	}
	if err := walk(env, who, c.PathSteps, paths); err != nil {
		return err
	}
	fmt.Fprintf(w, "\npictures %s and %s\n", file.Name(race), file.Name(paths))
	return nil
}

// run trains with one optimizer and a seed, and evaluates the network on other examples. The clock runs only while it trains, not while it
// compiles or evaluates.
func (c *raceCommand) run(env *environment, one contender, seed uint64, epochs int, set, others *data.Set) (*attempt, error) {
	model, err := initialized(c.Hidden, seed)
	if err != nil {
		return nil, err
	}
	optimizer := one.make(one.schedule(one.rate, epochs*(c.Examples/c.Batch)))
	step, err := train.NewStepOf(model.build, model, optimizer)
	if err != nil {
		return nil, err
	}
	if err := step.Prepare(c.Batch); err != nil {
		return nil, err
	}
	step.SkipNonFinite = true // it ends the training
	a := &attempt{}
	batches := set.Batches(c.Batch, data.Options{Shuffle: true, Seed: seed, Last: data.Drop, Epochs: epochs})
	begun := time.Now()
	for r, err := range step.Over(env.ctx, batches) {
		if err != nil {
			return nil, err
		}
		a.losses, a.seconds = append(a.losses, r.Loss), append(a.seconds, time.Since(begun).Seconds())
		if a.broken = !finite(r.Loss); a.broken {
			return a, nil
		}
	}
	err = optim.WithAverages(optimizer, func() (err error) {
		a.loss, a.accuracy, err = measure(env.ctx, nil, model, others)
		return err
	})
	return a, err
}

// lastLosses is the number of steps whose mean loss the table shows.
const lastLosses = 100

// row returns the line of the table.
func (l *lap) row() string {
	whole := l.whole()
	steps, seconds, trained, tested := 0, 0.0, []float64{}, []float64{}
	for _, a := range whole {
		steps += len(a.losses)
		seconds += a.seconds[len(a.seconds)-1]
		last := a.losses[max(0, len(a.losses)-lastLosses):]
		mean, _ := meanAndDeviation(last)
		trained, tested = append(trained, mean), append(tested, a.accuracy)
	}
	row := fmt.Sprintf("%-18s %9.3g", l.name, l.rate)
	if n := len(whole); n > 0 {
		row += fmt.Sprintf(" %7d %9.2f %11.3f %18s %18s", steps/n, seconds/float64(n), 1000*seconds/float64(steps), shownMean(trained), shownMean(tested))
	}
	if n := len(l.tries) - len(whole); n > 0 {
		row += fmt.Sprintf("  the loss is not finite any more in %d of %d trainings", n, len(l.tries))
	}
	return row
}

// whole returns the trainings that were completed.
func (l *lap) whole() (whole []*attempt) {
	for _, a := range l.tries {
		if !a.broken {
			whole = append(whole, a)
		}
	}
	return whole
}

// shownMean prints the mean of numbers and, if there are several, their standard deviation.
func shownMean(x []float64) string {
	mean, deviation := meanAndDeviation(x)
	if len(x) == 1 {
		return fmt.Sprintf("%.4f", mean)
	}
	return fmt.Sprintf("%.4f ± %.4f", mean, deviation)
}

// meanAndDeviation returns the mean of numbers and the estimate of their standard deviation, which is 0 for a single number.
func meanAndDeviation(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	if len(x) > 1 {
		for _, v := range x {
			deviation += (v - mean) * (v - mean) / float64(len(x)-1)
		}
	}
	return mean, math.Sqrt(deviation)
}

// drawRace draws the loss against the step, and beside it against the time. For several trainings it draws the mean, and around
// it a band from the lowest to the highest.
func drawRace(w io.Writer, network string, laps []*lap) error {
	bySteps := plot.Chart{Title: network, X: "step", Y: "training loss, smoothed (logarithmic)", LogY: true}
	if n := len(laps[0].tries); n > 1 {
		bySteps.Title += fmt.Sprintf(", mean and range of %d seeds", n)
	}
	byTime := bySteps
	byTime.Title, byTime.Y, byTime.X, byTime.LogX = "the same by time", "", "seconds (logarithmic)", true
	for _, l := range laps {
		tries := l.whole()
		if len(tries) == 0 {
			tries = l.tries[:1]
		}
		line := plot.Line{Name: l.name}
		var seconds []float64
		var losses [][]float64
		for _, a := range tries {
			losses = append(losses, smoothed(a.losses))
		}
		n := len(tries[0].losses)
		every := max(1, n/400)
		for i := every - 1; i < n; i += every {
			var at, clock []float64
			for k, a := range tries {
				at, clock = append(at, losses[k][i]), append(clock, a.seconds[i])
			}
			mean, _ := meanAndDeviation(at)
			second, _ := meanAndDeviation(clock)
			line.X, line.Y, seconds = append(line.X, float64(i+1)), append(line.Y, mean), append(seconds, second)
			if len(tries) > 1 {
				line.Low, line.High = append(line.Low, slices.Min(at)), append(line.High, slices.Max(at))
			}
		}
		bySteps.Lines = append(bySteps.Lines, line)
		line.X = seconds
		byTime.Lines = append(byTime.Lines, line)
	}
	return plot.WriteCharts(w, bySteps, byTime)
}

// smoothed returns a running mean that keeps a share of the past. At the beginning it is the mean of all so far.
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

// shownValue prints a number of any size in a column, and says if it is not finite.
func shownValue(x float64) string {
	if !finite(x) {
		return "not finite"
	}
	return fmt.Sprintf("%.3g", x)
}
