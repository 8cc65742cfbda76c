package main

import (
	"fmt"
	"io"
	"math"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/plot"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds lr, the learning-rate range test on the MNIST network.

// lrCommand has the flags of lr.
type lrCommand struct {
	Optimizer string  `default:"adamw" help:"The optimizer to test, one of: ${optimizers} (adamw)."`
	Batch     int     `default:"128" help:"Number of examples in a step."`
	Hidden    widths  `default:"512,512" placeholder:"N,N..." help:"Widths of the hidden layers (512,512)."`
	Seed      uint64  `default:"1" help:"Seed of the initial weights and of the order of the examples."`
	From      float64 `default:"1e-6" help:"The smallest rate, at the first step."`
	To        float64 `default:"10" help:"The largest rate, at the last step; the test ends earlier if the loss rises far."`
	Steps     int     `default:"200" help:"Number of steps; each multiplies the rate by the same factor."`
	Plot      string  `placeholder:"FILE.png" help:"Draw the loss against the rate."`
}

// Validate checks the flags; kong calls it.
func (c *lrCommand) Validate() error {
	switch {
	case c.Batch < 1 || c.Batch > mnistTraining:
		return fmt.Errorf("--batch is %d and should be from 1 to %d", c.Batch, mnistTraining)
	case !(c.From > 0) || math.IsInf(c.From, 0):
		return fmt.Errorf("--from is %v and should be a finite number above 0", c.From)
	case !(c.To > c.From) || math.IsInf(c.To, 0):
		return fmt.Errorf("--to is %v and should be a finite number above --from, which is %v", c.To, c.From)
	case c.Steps < 10 || c.Steps > 1e6:
		return fmt.Errorf("--steps is %d and should be from 10 to 1000000", c.Steps)
	}
	if _, err := findContender("--optimizer", c.Optimizer); err != nil {
		return err
	}
	return checkPicture(c.Plot)
}

// Run runs the test and prints it.
func (c *lrCommand) Run(env *environment) error {
	chosen, err := findContender("--optimizer", c.Optimizer)
	if err != nil {
		return err
	}
	all, _, err := loadMNIST()
	if err != nil {
		return err
	}
	_, set, err := all.Split(validation, c.Seed)
	if err != nil {
		return err
	}
	model, err := initialized(c.Hidden, c.Seed)
	if err != nil {
		return err
	}
	test := train.NewRangeTest(model.build, model, chosen.make, set)
	test.From, test.To, test.Updates, test.Batch, test.Seed = c.From, c.To, c.Steps, c.Batch, c.Seed
	found, err := test.Run(env.ctx)
	if err != nil {
		return err
	}
	w := env.stdout
	fmt.Fprintf(w, "network %v, %s, batches of %d, rates from %.3g to %.3g in %d steps\n\n", c.Hidden, c.Optimizer, c.Batch, c.From, c.To, c.Steps)
	fmt.Fprintf(w, "%6s  %10s  %10s  %10s\n", "step", "rate", "loss", "smoothed")
	n := len(found.Rates)
	const rows = 12
	for i, shown := 0, -1; i < rows; i++ {
		if at := i * (n - 1) / (rows - 1); at != shown {
			fmt.Fprintf(w, "%6d  %10.3g  %10.4f  %10.4f\n", at+1, found.Rates[at], found.Losses[at], found.Smoothed[at])
			shown = at
		}
	}
	if n < c.Steps {
		fmt.Fprintf(w, "\nended after %d of %d steps because the loss rose far\n", n, c.Steps)
	}
	fmt.Fprintf(w, "\nlowest loss at    %.3g\nsuggested rate    %.3g, where the loss falls most steeply\n", found.Lowest, found.Steepest)
	if c.Plot == "" {
		return nil
	}
	return file.Replace(file.Disk, c.Plot, func(w io.Writer) error { return drawRates(w, c.Optimizer, found) })
}

// drawRates draws the loss against the rate, up to a loss somewhat above that at the start.
func drawRates(w io.Writer, name string, found *train.RateCurve) error {
	top := 2 * found.Smoothed[0]
	var losses, smoothed []float64
	for i := range found.Losses {
		losses, smoothed = append(losses, min(found.Losses[i], top)), append(smoothed, min(found.Smoothed[i], top))
	}
	return plot.WriteCharts(w, plot.Chart{
		Title: "learning-rate range test: " + name, X: "learning rate (logarithmic)", Y: "loss", LogX: true,
		Lines: []plot.Line{{Name: "smoothed loss", X: found.Rates, Y: smoothed}, {Name: "loss of the batch", X: found.Rates, Y: losses, Faint: true}},
		Marks: []plot.Mark{{Name: fmt.Sprintf("suggestion %.3g", found.Steepest), X: found.Steepest}},
	})
}
