package main

import (
	"fmt"
	"io"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/curvature"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/plot"
)

// This file holds sharpness, which measures the curvature of a trained network's loss.

// sharpnessCommand has the arguments of sharpness.
type sharpnessCommand struct {
	Dir         string  `arg:"" name:"run" help:"Folder of a run of train mnist or train gpt."`
	GaussNewton bool    `help:"Measure the Gauss-Newton matrix, here the Fisher information, instead of the Hessian."`
	Examples    *int    `placeholder:"N" help:"Number of examples of the training set whose mean loss is measured: 2000 images by default, or 32 pieces of text."`
	Batch       int     `default:"1000" help:"Number of examples in a batch, at most; an incomplete batch is skipped."`
	Top         int     `default:"3" help:"Number of the largest eigenvalues to find."`
	Bottom      int     `default:"1" help:"Number of the smallest eigenvalues, that is the most negative, to find."`
	Tolerance   float64 `default:"1e-3" help:"Residual of a converged eigenvector, relative to the largest eigenvalue."`
	Products    int     `default:"500" help:"Maximum number of products for the eigenvalues."`
	Samples     int     `default:"20" help:"Number of random vectors for the trace."`
	Steps       int     `default:"40" help:"Number of points of the density for each random vector."`
	Probes      int     `default:"2" help:"Number of random vectors for the density; 0 skips it."`
	Seed        uint64  `default:"1" help:"Seed of the random vectors."`
	Plot        string  `placeholder:"FILE.png" help:"Draw the density of the eigenvalues."`
}

// Validate checks the flags; kong calls it.
func (c *sharpnessCommand) Validate() error {
	for _, flag := range []struct {
		name             string
		value, low, high int
	}{
		{"batch", c.Batch, 1, mnistTraining}, {"top", c.Top, 1, 100}, {"bottom", c.Bottom, 0, 100},
		{"products", c.Products, 2, 1e6}, {"samples", c.Samples, 2, 1e6}, {"steps", c.Steps, 2, 1000}, {"probes", c.Probes, 0, 1000},
	} {
		if flag.value < flag.low || flag.value > flag.high {
			return fmt.Errorf("--%s is %d and should be from %d to %d", flag.name, flag.value, flag.low, flag.high)
		}
	}
	switch {
	case c.Examples != nil && (*c.Examples < 1 || *c.Examples > mnistTraining):
		return fmt.Errorf("--examples is %d and should be from 1 to %d", *c.Examples, mnistTraining)
	case c.Products < 2*(c.Top+c.Bottom):
		return fmt.Errorf("--products is %d and should be at least %d, two for each of the %d eigenvalues", c.Products, 2*(c.Top+c.Bottom), c.Top+c.Bottom)
	case !(c.Tolerance > 0 && c.Tolerance < 1):
		return fmt.Errorf("--tolerance is %v and should be above 0 and below 1", c.Tolerance)
	case c.Plot != "" && c.Probes == 0:
		return fmt.Errorf("--plot draws the density, which --probes 0 skips")
	}
	return checkPicture(c.Plot)
}

// Run measures and prints.
func (c *sharpnessCommand) Run(env *environment) error {
	of, err := openGround(c.Dir)
	if err != nil {
		return err
	}
	from, err := of.folder.LoadWeights(of.model)
	if err != nil {
		return err
	}
	matrix, examples, err := c.matrix(env, of)
	if err != nil {
		return err
	}
	name := "Hessian"
	if c.GaussNewton {
		name = "Gauss-Newton matrix"
	}
	w := env.stdout
	fmt.Fprintf(w, "%s, weights of %s\n%s of the loss of %d examples with respect to %d weights\n", of.about, from, name, examples, matrix.Size)

	e, err := curvature.Eigenvalues(env.ctx, matrix, curvature.Options{Largest: c.Top, Smallest: c.Bottom, Tolerance: c.Tolerance, Products: c.Products, Seed: c.Seed})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%10s  %14s  %10s\n", "", "eigenvalue", "residual")
	list := func(name string, pairs []curvature.Pair) {
		for i, p := range pairs {
			note := ""
			if !p.Converged {
				note = "  not converged"
			}
			fmt.Fprintf(w, "%10s  %14.6g  %10.1e%s\n", fmt.Sprint(name, " ", i+1), p.Value, p.Residual, note)
		}
	}
	list("largest", e.Largest)
	list("smallest", e.Smallest)
	fmt.Fprintf(w, "after %d products", e.Products)
	if !e.Complete {
		fmt.Fprintf(w, ", too few to tell whether the list is complete; see --products")
	}
	fmt.Fprintln(w)
	if p := e.Largest[0]; p.Converged && p.Value > 0 {
		fmt.Fprintf(w, "\nsharpness %.6g: gradient descent on these examples is unstable here at rates above %.3g\n", p.Value, 2/p.Value)
	}

	trace, err := curvature.Trace(env.ctx, matrix, curvature.TraceOptions{Samples: c.Samples, Seed: c.Seed})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "trace %.4g, standard error %.2g; %.3g for each weight\n", trace.Value, trace.Error, trace.Value/float64(matrix.Size))
	if c.Probes == 0 {
		return nil
	}
	spectrum, err := curvature.Density(env.ctx, matrix, curvature.DensityOptions{Steps: c.Steps, Probes: c.Probes, Seed: c.Seed})
	if err != nil {
		return err
	}
	small := e.Scale / 100
	fmt.Fprintf(w, "about %.4f of the eigenvalues lie within %.2g of 0, %.2g above and %.2g below\n",
		spectrum.Share(-small, small), small, spectrum.Share(small, math.Inf(1)), spectrum.Share(math.Inf(-1), -small))
	if c.Plot == "" {
		return nil
	}
	return file.Replace(file.Disk, c.Plot, func(w io.Writer) error { return drawSpectrum(w, name, spectrum, e) })
}

// matrix compiles the products on the first examples of the training set.
func (c *sharpnessCommand) matrix(env *environment, of *ground) (matrix *curvature.Operator, examples int, err error) {
	set, err := of.set()
	if err != nil {
		return nil, 0, err
	}
	n := of.curved
	if c.Examples != nil {
		n = *c.Examples
	}
	if set, err = set.Slice(0, min(n, set.Len())); err != nil {
		return nil, 0, err
	}
	n = min(c.Batch, set.Len())
	batches, err := of.batches(env, set, n)
	if err != nil {
		return nil, 0, err
	}
	params, err := tarn.Params(of.model)
	if err != nil {
		return nil, 0, err
	}
	g := tarn.NewGraph()
	g.Eval()
	outputs := of.build(g, n)
	if c.GaussNewton {
		matrix, err = curvature.NewGaussNewton(outputs["loss"], outputs["prediction"], params.Trainable().List(), batches...)
	} else {
		matrix, err = curvature.NewHessian(outputs["loss"], params.Trainable().List(), batches...)
	}
	return matrix, n * len(batches), err
}

// drawSpectrum draws the density, with each point smoothed over a hundredth of the range, and the extremal eigenvalues.
func drawSpectrum(w io.Writer, name string, s *curvature.Spectrum, e *curvature.Eigen) error {
	low, high := s.Range()
	for _, p := range append(e.Largest, e.Smallest...) {
		low, high = min(low, p.Value), max(high, p.Value)
	}
	width := max((high-low)/100, 1e-12)
	low, high = low-4*width, high+4*width
	at := make([]float64, 1200)
	for i := range at {
		at[i] = low + (high-low)*float64(i)/float64(len(at)-1)
	}
	density := s.Smooth(at, width)
	// Below a tenth of one eigenvalue there is nothing.
	floor := 0.1 / float64(s.Size) / (width * math.Sqrt(2*math.Pi))
	for i, y := range density {
		if y < floor {
			density[i] = math.NaN()
		}
	}
	chart := plot.Chart{
		Title: fmt.Sprintf("eigenvalues of the %s, %d weights", name, s.Size), X: "eigenvalue", Y: "density (logarithmic)", LogY: true,
		Lines: []plot.Line{{Name: "density", X: at, Y: density}},
		Marks: []plot.Mark{{Name: fmt.Sprintf("largest %.4g", e.Largest[0].Value), X: e.Largest[0].Value}},
	}
	if len(e.Smallest) > 0 {
		chart.Marks = append(chart.Marks, plot.Mark{Name: fmt.Sprintf("smallest %.4g", e.Smallest[0].Value), X: e.Smallest[0].Value})
	}
	return plot.WriteCharts(w, chart)
}
