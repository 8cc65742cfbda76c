package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds train linreg: a line fitted by plain gradient descent, with nothing hidden.

// linregCommand has the flags of train linreg.
type linregCommand struct {
	Steps int     `default:"1000" help:"Steps of gradient descent."`
	LR    float64 `name:"lr" default:"0.01" help:"Learning rate."`
	Seed  uint64  `default:"1" help:"Seed of the data."`

	DryRun bool `help:"Print what the training would take, of memory and of time, and end."`
	engineFlags
}

// Validate checks the flags; kong calls it.
func (c *linregCommand) Validate() error {
	switch {
	case c.Steps < 1 || c.Steps > 1e9:
		return fmt.Errorf("--steps is %d and should be from 1 to 1000000000", c.Steps)
	case !(c.LR > 0) || math.IsInf(c.LR, 0):
		return fmt.Errorf("--lr is %v and should be a finite number above 0", c.LR)
	}
	return nil
}

// examples is the number of points.
const linregExamples = 100

// Run fits max(0, x theta), then x theta + b.
func (c *linregCommand) Run(env *environment) error {
	w := env.stdout
	xs, ys, r := tarn.Zeros(tarn.F64, linregExamples, 1), tarn.Zeros(tarn.F64, linregExamples, 1), tarn.NewRandom(c.Seed, "linreg")
	r.Uniform(xs, 0, 1)
	r.Uniform(ys, 0, 1) // the noise
	for i, x := range xs.F64() {
		ys.F64()[i] += 2*x + 1
	}
	if c.DryRun {
		return c.dryRun(env, xs, ys)
	}
	l := leastSquares(xs.F64(), ys.F64())
	fmt.Fprintf(w, "%d points: x uniform in [0, 1), y = 2x + 1 + noise uniform in [0, 1)\n", linregExamples)
	fmt.Fprintf(w, "gradient descent on the mean squared error, learning rate %v\n\n", c.LR)

	fmt.Fprintln(w, "prediction max(0, x theta), from theta = 0.5 (at 0 it has no slope to go down)")
	theta := tarn.NewParam(tarn.F64, nil, 1, 1)
	theta.Tensor().SetFloat(0, 0.5)
	g := tarn.NewGraph()
	x, y := g.Input("x", tarn.F64, linregExamples, 1), g.Input("y", tarn.F64, linregExamples, 1)
	slope := descent{c.LR, xs, ys, []*tarn.Param{theta}}
	bent, err := slope.run(env.ctx, x.MatMul(theta).ReLU().Sub(y).Square().Mean(), w, c.Steps, func() bool { return false })
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "the optimum: theta %.6f, loss %.6f\n\n", l.slopeOnly, l.lossOnly)

	fmt.Fprintln(w, "prediction x theta + b, from theta = 0.5, b = 0")
	theta.Tensor().SetFloat(0, 0.5)
	b := tarn.NewParam(tarn.F64, nil, 1)
	g = tarn.NewGraph()
	x, y = g.Input("x", tarn.F64, linregExamples, 1), g.Input("y", tarn.F64, linregExamples, 1)
	line := descent{c.LR, xs, ys, []*tarn.Param{theta, b}}
	loss := x.MatMul(theta).Add(b).Sub(y).Square().Mean()
	straight, err := line.run(env.ctx, loss, w, c.Steps, func() bool { return false })
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "least squares in closed form: theta %.6f, b %.6f, loss %.6f\n\n", l.slope, l.intercept, l.loss)

	const near = 1e-6
	arrived := func() bool {
		return math.Abs(theta.Tensor().Item()-l.slope) < near && math.Abs(b.Tensor().Item()-l.intercept) < near
	}
	more, err := line.run(env.ctx, loss, io.Discard, max(1_000_000, c.Steps), arrived)
	if err != nil {
		return err
	}
	if !arrived() {
		fmt.Fprintf(w, "%d more steps bring theta to %.6f and b to %.6f, which is not yet the optimum: the learning rate is small\n", more.steps, theta.Tensor().Item(), b.Tensor().Item())
		return nil
	}
	fmt.Fprintf(w, "descent reaches it to 1e-6 after %d steps: theta %.6f, b %.6f\n", straight.steps+more.steps, theta.Tensor().Item(), b.Tensor().Item())
	fmt.Fprintf(w, "the cost of the missing bias: loss %.6f instead of %.6f, %.1f times as much\n", bent.loss, more.loss, bent.loss/more.loss)
	return nil
}

// descent is gradient descent on params over all points at once.
type descent struct {
	rate   float64
	xs, ys *tarn.Tensor
	params []*tarn.Param
}

// compile makes the program of a step.
func (d *descent) compile(loss *tarn.Value) (*tarn.Program, error) {
	var updates []tarn.Update
	for i, slope := range tarn.Grad(loss, d.params...) {
		p := d.params[i]
		updates = append(updates, tarn.Assign(p, p.Value(loss.Graph()).Sub(slope.Scale(d.rate))))
	}
	return tarn.Compile(loss.Graph(), tarn.Outputs{"loss": loss}, updates...)
}

// arrival is where a descent ended.
type arrival struct {
	steps int
	loss  float64
}

// run takes steps until it has taken all or arrived reports true, and prints ten lines on the way. The loss is the one before
// the last step.
func (d *descent) run(ctx context.Context, loss *tarn.Value, w io.Writer, steps int, arrived func() bool) (arrival, error) {
	var a arrival
	program, err := d.compile(loss)
	if err != nil {
		return a, err
	}
	for a.steps < steps && !arrived() {
		if ctx.Err() != nil {
			return a, context.Cause(ctx)
		}
		out, err := program.Run(d.xs, d.ys)
		if err != nil {
			return a, err
		}
		a.steps++
		a.loss = out["loss"].Item()
		if math.IsNaN(a.loss) || math.IsInf(a.loss, 0) {
			return a, errors.New("the loss is no longer finite because the steps are too large; try a smaller --lr")
		}
		if a.steps == 1 || a.steps%max(1, steps/10) == 0 {
			fmt.Fprintf(w, "step %6d  loss %.6f", a.steps, a.loss)
			for i, p := range d.params {
				fmt.Fprintf(w, "  %s %.6f", []string{"theta", "b"}[i], p.Tensor().Item())
			}
			fmt.Fprintln(w)
		}
	}
	return a, nil
}

// lineFit holds the lines with the least mean squared error, one through the origin and one with a bias.
type lineFit struct {
	slopeOnly, lossOnly    float64
	slope, intercept, loss float64
}

// leastSquares solves the normal equations: sum xy / sum x^2 through the origin, cov(x, y) / var(x) with a bias.
func leastSquares(xs, ys []float64) lineFit {
	n := float64(len(xs))
	var mx, my, xx, xy float64
	for i, x := range xs {
		mx += x / n
		my += ys[i] / n
		xx += x * x
		xy += x * ys[i]
	}
	var f lineFit
	f.slopeOnly = xy / xx
	var cov, variance float64
	for i, x := range xs {
		cov += (x - mx) * (ys[i] - my)
		variance += (x - mx) * (x - mx)
	}
	f.slope = cov / variance
	f.intercept = my - f.slope*mx
	for i, x := range xs {
		f.lossOnly += math.Pow(max(0, x*f.slopeOnly)-ys[i], 2) / n
		f.loss += math.Pow(x*f.slope+f.intercept-ys[i], 2) / n
	}
	return f
}
