package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/curvature"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/plot"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds landscape: the loss of a trained network on a plane through its weights, the path of the training over it, and the curvature
// along the way.

// landscapeCommand has the arguments of landscape.
type landscapeCommand struct {
	Dir           string  `arg:"" name:"run" help:"Folder of a run of train mnist or train gpt."`
	Through       string  `xor:"plane" placeholder:"RUN2,RUN3" help:"Draw the plane through the weights in the end of this run and two others, instead of one of random directions."`
	Path          bool    `xor:"plane" help:"Draw the plane of the two principal components of the training's path, instead of one of random directions. Train with --checkpoints to have more of the path."`
	Span          float64 `default:"1" help:"The random directions, as long as the weights themselves filter by filter, are followed as far as this many times their length to both sides."`
	Points        int     `default:"25" help:"Number of points of the plane in each direction."`
	Examples      *int    `placeholder:"N" help:"Number of examples of the training set whose mean loss is measured: 1000 images by default, or 32 pieces of text."`
	SkipCurvature bool    `help:"Skip the eigenvalues of the Hessian along the path."`
	Products      int     `default:"100" help:"Maximum number of products with the Hessian for the eigenvalues at each point of the path."`
	Seed          uint64  `default:"1" help:"Seed of the random directions."`
	Plot          string  `placeholder:"FILE.png" help:"Draw the plane as a map of contours with the path."`
	JSON          bool    `name:"json" help:"Print one JSON object, with all losses of the plane, instead of a table."`
}

// Validate checks the flags; kong calls it.
func (c *landscapeCommand) Validate() error {
	switch {
	case c.Through != "" && (len(c.others()) != 2 || slices.Contains(c.others(), "")):
		return fmt.Errorf("--through is %q and should be the folders of two runs, separated by a comma, as in runs/mnist-2,runs/mnist-3", c.Through)
	case !(c.Span > 0 && c.Span <= 1e6):
		return fmt.Errorf("--span is %v and should be above 0 and at most 1000000", c.Span)
	case c.Points < 2 || c.Points > 501:
		return fmt.Errorf("--points is %d and should be from 2 to 501", c.Points)
	case c.Examples != nil && (*c.Examples < 1 || *c.Examples > mnistTraining):
		return fmt.Errorf("--examples is %d and should be from 1 to %d", *c.Examples, mnistTraining)
	case c.Products < 4 || c.Products > 1e6:
		return fmt.Errorf("--products is %d and should be from 4 to 1000000", c.Products)
	}
	return checkPicture(c.Plot)
}

// others returns the folders of --through.
func (c *landscapeCommand) others() []string {
	if c.Through == "" {
		return nil
	}
	return strings.Split(c.Through, ",")
}

// landscape is what is printed with --json. A number that is not finite is a string such as "NaN".
type landscape struct {
	Run      string           `json:"run"`
	Weights  int              `json:"weights"`
	Examples int              `json:"examples"`
	Plane    landscapePlane   `json:"plane"`
	Path     []landscapePoint `json:"path"`
	Ends     []landscapePoint `json:"ends,omitempty"` // of the other runs of --through
	Ground   string           `json:"ground,omitempty"`
}

// landscapePlane is the loss on the plane: element j of Loss is the row at Ys[j].
type landscapePlane struct {
	Kind   string           `json:"kind"` // random, path or through
	Shares []watch.Number   `json:"shares,omitempty"`
	Xs     []watch.Number   `json:"xs"`
	Ys     []watch.Number   `json:"ys"`
	Loss   [][]watch.Number `json:"loss"`
}

// landscapePoint is a point of the training, or the end of another.
type landscapePoint struct {
	Name     string        `json:"name"`
	X        watch.Number  `json:"x"`
	Y        watch.Number  `json:"y"`
	Distance watch.Number  `json:"distance"` // from the plane
	Loss     watch.Number  `json:"loss"`
	Gradient *watch.Number `json:"gradient,omitempty"` // its length
	Largest  *watch.Number `json:"largest,omitempty"`  // eigenvalues of the Hessian
	Lowest   *watch.Number `json:"lowest,omitempty"`
	// Converged reports whether both eigenvalues have. One that has not bounds the true one from within.
	Converged *bool `json:"converged,omitempty"`

	weights []float64
}

// ground is a run whose loss is measured.
type ground struct {
	about    string // the network, in words
	folder   *train.Folder
	model    any
	build    train.Build
	seed     uint64   // of the initial weights
	fields   []string // of a batch
	set      func() (*data.Set, error)
	examples int // that are measured by default, and
	curved   int // by sharpness
}

// openGround opens a run of either task.
func openGround(dir string) (*ground, error) {
	of, err := taskOf(dir)
	if err != nil {
		return nil, err
	}
	if of == gptTask {
		settings, folder, err := openGPT(dir)
		if err != nil {
			return nil, err
		}
		model := nn.NewGPT(settings.Model)
		m := settings.Model
		return &ground{fmt.Sprintf("gpt with %d layers, %d heads, %d wide", m.Layers, m.Heads, m.Width), folder, model, gptLogits(model, m.Context), settings.Seed, []string{"text", "next"},
			func() (*data.Set, error) {
				characters, err := text.NewCharacters(settings.Characters)
				if err != nil {
					return nil, err
				}
				words, err := settings.read()
				if err != nil {
					return nil, fmt.Errorf("the text that the run was trained on: %w", err)
				}
				set, _, err := settings.sets(words, characters)
				if err != nil {
					return nil, fmt.Errorf("%s, which the run was trained on: %w", settings.Text, err)
				}
				return set, nil
			}, 32, 32}, nil
	}
	folder, settings, err := openMNIST(dir, math.MaxInt)
	if err != nil {
		return nil, err
	}
	model := newNetwork(settings.Hidden)
	return &ground{fmt.Sprint("network ", widths(settings.Hidden)), folder, model, model.build, settings.Seed, []string{"image", "label"},
		func() (*data.Set, error) {
			all, _, err := loadMNIST()
			if err != nil {
				return nil, err
			}
			_, rest, err := all.Split(validation, settings.Seed)
			if err != nil {
				return nil, err
			}
			return rest.Slice(0, min(settings.Examples, rest.Len()))
		}, 1000, 2000}, nil
}

// measures are the compiled functions of a run's weights. The curvature is nil if it is skipped.
type measures struct {
	params   []*tarn.Param
	loss     *curvature.Loss
	gradient func(ctx context.Context, dst []float64) error
	hessian  *curvature.Operator
	examples int
}

// largestBatch is the number of examples that are computed at a time.
const largestBatch = 500

// measures compiles the loss of some examples, and what the curvature takes.
func (of *ground) measures(c *landscapeCommand, env *environment) (*measures, error) {
	set, err := of.set()
	if err != nil {
		return nil, err
	}
	n := of.examples
	if c.Examples != nil {
		n = *c.Examples
	}
	n = min(n, set.Len())
	batch := n / ((n + largestBatch - 1) / largestBatch) // of equal size, so that the mean over batches is that over examples
	if set, err = set.Slice(0, n/batch*batch); err != nil {
		return nil, err
	}
	batches, err := of.batches(env, set, batch)
	if err != nil {
		return nil, err
	}
	all, err := tarn.Params(of.model)
	if err != nil {
		return nil, err
	}
	g := tarn.NewGraph()
	g.Eval()
	loss := of.build(g, batch)["loss"]
	m := &measures{params: all.Trainable().List(), examples: set.Len()}
	if m.loss, err = curvature.NewLoss(loss, m.params, batches...); err != nil || c.SkipCurvature {
		return m, err
	}
	if m.gradient, err = curvature.NewGradient(loss, m.params, batches...); err != nil {
		return nil, err
	}
	m.hessian, err = curvature.NewHessian(loss, m.params, batches...)
	return m, err
}

// batches copies the whole batches of a set.
func (of *ground) batches(env *environment, set *data.Set, size int) (batches []curvature.Inputs, err error) {
	for b, err := range set.Batches(size, data.Options{Last: data.Drop}).All(env.ctx) {
		if err != nil {
			return nil, err
		}
		in := curvature.Inputs{}
		for _, name := range of.fields {
			in[name] = b.Tensor(name).Clone()
		}
		batches = append(batches, in)
	}
	return batches, nil
}

// path returns the points of the run's training that are known: the weights drawn by its seed, those of its checkpoints, and those in the end.
func (of *ground) path(env *environment, params []*tarn.Param) (path []landscapePoint, err error) {
	if err := tarn.Init(of.model, of.seed); err != nil {
		return nil, err
	}
	path = append(path, landscapePoint{Name: "start", weights: curvature.Weights(params)})
	var damaged error // of the file before
	for at, err := range of.folder.Snapshots(of.model) {
		if damaged != nil {
			fmt.Fprintf(env.stderr, "tarn: left out: %s\n", printable(damaged.Error()))
		}
		if damaged = err; err != nil {
			continue
		}
		point := landscapePoint{Name: fmt.Sprint("epoch ", at.At.Epoch), weights: curvature.Weights(params)}
		if at.At.Batch > 0 {
			point.Name += fmt.Sprint(" batch ", at.At.Batch)
		}
		if !slices.Equal(path[len(path)-1].weights, point.weights) { // the end often has the weights of the last checkpoint
			path = append(path, point)
		}
	}
	if damaged != nil {
		return nil, damaged
	}
	if len(path) < 2 {
		_, err := of.folder.LoadWeights(of.model) // which says why there are no others
		if err == nil {
			err = fmt.Errorf("%s has no weights but those of its start", file.Name(of.folder.Dir()))
		}
		return nil, err
	}
	path[len(path)-1].Name += " (end)"
	return path, nil
}

// ends loads the ends of the other runs.
func (c *landscapeCommand) ends(of *ground) (ends []landscapePoint, err error) {
	for _, dir := range c.others() {
		other, err := openGround(dir)
		if err != nil {
			return nil, err
		}
		if other.about != of.about {
			return nil, usageError{fmt.Errorf("--through: %s is a %s and %s a %s: a plane goes through runs of one network", file.Name(dir), other.about, file.Name(c.Dir), of.about)}
		}
		if _, err := other.folder.LoadWeights(other.model); err != nil {
			return nil, err
		}
		params, err := tarn.Params(other.model)
		if err != nil {
			return nil, err
		}
		ends = append(ends, landscapePoint{Name: filepath.Base(dir), weights: curvature.Weights(params.Trainable().List())})
	}
	return ends, nil
}

// plane returns the plane that the flags ask for.
func (c *landscapeCommand) plane(result *landscape, params []*tarn.Param) (plane *curvature.Plane, err error) {
	path := result.Path
	end := path[len(path)-1].weights
	switch {
	case c.Through != "":
		result.Plane.Kind = "through"
		plane, err = curvature.PlaneThrough(end, result.Ends[0].weights, result.Ends[1].weights)
		if err != nil {
			err = fmt.Errorf("--through: %w", err)
		}
	case c.Path:
		result.Plane.Kind = "path"
		if len(path) < 3 {
			return nil, usageError{fmt.Errorf("--path needs at least 3 points of the training, and %s has %d: train it with --checkpoints 10", file.Name(c.Dir), len(path))}
		}
		var points [][]float64
		for _, p := range path {
			points = append(points, p.weights)
		}
		var shares [2]float64
		plane, shares, err = curvature.PathPlane(points...)
		result.Plane.Shares = jsonNumbers(shares[:])
	default:
		result.Plane.Kind = "random"
		if err = curvature.SetWeights(params, end); err == nil {
			plane, err = curvature.RandomPlane(params, c.Seed)
		}
	}
	return plane, err
}

// jsonNumbers converts numbers for JSON.
func jsonNumbers(v []float64) []watch.Number {
	out := make([]watch.Number, len(v))
	for i, x := range v {
		out[i] = watch.Number(x)
	}
	return out
}

// axes returns the places of the grid: as far as --span, or around the path and the ends.
func (c *landscapeCommand) axes(result *landscape) (xs, ys []float64) {
	spaced := func(lo, hi float64) []float64 {
		at := make([]float64, c.Points)
		for i := range at {
			at[i] = lo + (hi-lo)*float64(i)/float64(c.Points-1)
		}
		return at
	}
	if result.Plane.Kind == "random" {
		return spaced(-c.Span, c.Span), spaced(-c.Span, c.Span)
	}
	x0, x1, y0, y1 := 0.0, 0.0, 0.0, 0.0 // the end of the run lies at 0
	for _, p := range slices.Concat(result.Path, result.Ends) {
		x, y := float64(p.X), float64(p.Y)
		x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
	}
	const margin = 0.3
	half := max(x1-x0, y1-y0) / 2 * (1 + margin) // the same in both directions, since distances are to be compared
	x, y := (x0+x1)/2, (y0+y1)/2
	return spaced(x-half, x+half), spaced(y-half, y+half)
}

// tolerance is that of the eigenvalues, as a share of the largest magnitude.
const tolerance = 1e-2

// measure places a point on the plane and measures there, at the point itself and not at its nearest on the plane.
func (m *measures) measure(c *landscapeCommand, env *environment, plane *curvature.Plane, p *landscapePoint) (*curvature.Eigen, error) {
	x, y, distance := plane.Project(p.weights)
	whole := math.Hypot(math.Hypot(x, y), distance)
	for _, v := range []*float64{&x, &y, &distance} {
		if math.Abs(*v) < 1e-9*whole { // rounding
			*v = 0
		}
	}
	p.X, p.Y, p.Distance = watch.Number(x), watch.Number(y), watch.Number(distance)
	loss, err := m.loss.At(env.ctx, p.weights)
	if err != nil {
		return nil, err
	}
	p.Loss = watch.Number(loss)
	if c.SkipCurvature {
		return nil, nil
	}
	if err := curvature.SetWeights(m.params, p.weights); err != nil {
		return nil, err
	}
	gradient := make([]float64, m.loss.Size)
	if err := m.gradient(env.ctx, gradient); err != nil {
		return nil, err
	}
	e, err := curvature.Eigenvalues(env.ctx, m.hessian, curvature.Options{Largest: 1, Smallest: 1, Tolerance: tolerance, Products: c.Products})
	if env.ctx.Err() != nil {
		return nil, context.Cause(env.ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; --skip-curvature leaves the eigenvalues out", p.Name, err)
	}
	length, largest, lowest, converged := watch.Number(floats.Norm(gradient, 2)), watch.Number(e.Largest[0].Value), watch.Number(e.Smallest[0].Value), e.Converged()
	p.Gradient, p.Largest, p.Lowest, p.Converged = &length, &largest, &lowest, &converged
	return e, nil
}

// groundOf tells a saddle from a minimum by the lowest eigenvalue. A negative value proves that the loss curves down somewhere, converged or not,
// since it is the curvature along a vector.
func groundOf(e *curvature.Eigen) string {
	low := e.Smallest[0]
	rounding := 1e-5 * e.Scale // of products in f32
	share := 100 * math.Abs(low.Value) / max(e.Scale, math.SmallestNonzeroFloat64)
	switch {
	case low.Value < -rounding:
		return fmt.Sprintf("saddle: the lowest eigenvalue is %.3g, %.2g %% of the largest magnitude, so the loss curves down along its vector", low.Value, share)
	case !e.Converged():
		return "undecided: the lowest eigenvalue has not converged; raise --products"
	case low.Value <= low.Residual+rounding:
		return fmt.Sprintf("flat: no direction is found along which the loss curves down by more than %.2g; the lowest eigenvalue is 0 within that", low.Residual+rounding)
	}
	return fmt.Sprintf("minimum: the lowest eigenvalue is %.3g, so the loss curves up in every direction", low.Value)
}

// Run measures and prints.
func (c *landscapeCommand) Run(env *environment) error {
	of, err := openGround(c.Dir)
	if err != nil {
		return err
	}
	result := &landscape{Run: c.Dir}
	if result.Ends, err = c.ends(of); err != nil {
		return err
	}
	params, err := tarn.Params(of.model)
	if err != nil {
		return err
	}
	if result.Path, err = of.path(env, params.Trainable().List()); err != nil {
		return err
	}
	m, err := of.measures(c, env)
	if err != nil {
		return err
	}
	result.Weights, result.Examples = m.loss.Size, m.examples
	plane, err := c.plane(result, m.params)
	if err != nil {
		return err
	}
	var last *curvature.Eigen
	for i := range result.Path {
		if last, err = m.measure(c, env, plane, &result.Path[i]); err != nil {
			return err
		}
	}
	if last != nil {
		result.Ground = groundOf(last)
	}
	for i := range result.Ends {
		if _, err := m.measure(c, env, plane, &result.Ends[i]); err != nil {
			return err
		}
	}
	xs, ys := c.axes(result)
	values, err := m.loss.Grid(env.ctx, plane, xs, ys)
	if err != nil {
		return err
	}
	result.Plane.Xs, result.Plane.Ys = jsonNumbers(xs), jsonNumbers(ys)
	for row := range slices.Chunk(values, len(xs)) {
		result.Plane.Loss = append(result.Plane.Loss, jsonNumbers(row))
	}
	if c.Plot != "" {
		if err := file.Replace(file.Disk, c.Plot, func(w io.Writer) error { return result.draw(w, xs, ys, values) }); err != nil {
			return err
		}
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(result)
	}
	result.print(env.stdout, of, values)
	return nil
}

// print prints what was measured as a table.
func (l *landscape) print(w io.Writer, of *ground, values []float64) {
	fmt.Fprintf(w, "%s with %d weights; loss of %d examples of its training set\n", of.about, l.Weights, l.Examples)
	switch l.Plane.Kind {
	case "random":
		fmt.Fprintln(w, "plane of two random directions through the end, each filter as long as that of the weights")
	case "path":
		fmt.Fprintf(w, "plane of the principal components of the path, which have %.1f %% and %.1f %% of its variance\n", 100*l.Plane.Shares[0], 100*l.Plane.Shares[1])
	case "through":
		fmt.Fprintf(w, "plane through the ends of this run, %s and %s; distances are those of the weights\n", file.Name(l.Ends[0].Name), file.Name(l.Ends[1].Name))
	}
	points := slices.Concat(l.Path, l.Ends)
	width := 5
	for _, p := range points {
		width = max(width, len(p.Name))
	}
	fmt.Fprintf(w, "\n%-*s  %9s  %9s  %9s  %9s", width, "point", "x", "y", "off plane", "loss")
	curved := points[0].Largest != nil
	if curved {
		fmt.Fprintf(w, "  %9s  %9s  %9s", "gradient", "sharpness", "lowest")
	}
	fmt.Fprintln(w)
	for _, p := range points {
		fmt.Fprintf(w, "%-*s  %9.3g  %9.3g  %9.3g  %9.4g", width, file.Name(p.Name), p.X, p.Y, p.Distance, p.Loss)
		if curved {
			fmt.Fprintf(w, "  %9.3g  %9.4g  %9.3g", *p.Gradient, *p.Largest, *p.Lowest)
			if !*p.Converged {
				fmt.Fprint(w, "  not converged")
			}
		}
		fmt.Fprintln(w)
	}
	if len(l.Path) == 2 {
		fmt.Fprintln(w, "\nthe folder has no checkpoint between the start and the end, so the path is one line; train with --checkpoints 10 for more of it")
	}
	if low, high, finite := rangeOf(values); finite > 0 {
		fmt.Fprintf(w, "\nloss on the plane from %.4g to %.4g", low, high)
		if finite < len(values) {
			fmt.Fprintf(w, ", and not finite at %d of %d points", len(values)-finite, len(values))
		}
		fmt.Fprintln(w)
	} else {
		fmt.Fprintln(w, "\nthe loss is finite nowhere on the plane; choose a smaller --span")
	}
	if l.Ground != "" {
		fmt.Fprintf(w, "the end is a %s\n", l.Ground)
	}
}

// rangeOf returns the lowest and the highest of the finite values, and their number.
func rangeOf(values []float64) (low, high float64, n int) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			low, high = min(low, v), max(high, v)
			n++
		}
	}
	return low, high, n
}

// draw draws the plane.
func (l *landscape) draw(w io.Writer, xs, ys, values []float64) error {
	low, high, _ := rangeOf(values)
	grid := plot.Grid{Xs: xs, Ys: ys, Values: plot.LogHeights(values, low)}
	h := plot.Heights{Grid: grid.Refine(max(1, 240/len(xs)))}
	h.XName, h.YName = "random direction 1", "random direction 2"
	switch l.Plane.Kind {
	case "path":
		h.XName = fmt.Sprintf("principal component 1 (%.0f %%)", 100*l.Plane.Shares[0])
		h.YName = fmt.Sprintf("principal component 2 (%.0f %%)", 100*l.Plane.Shares[1])
	case "through":
		h.XName, h.YName = "distance of the weights", "distance of the weights"
	}
	path := plot.Path{Title: fmt.Sprintf("loss of %s: %.3g to %.3g", filepath.Base(l.Run), low, high)}
	for _, p := range l.Path {
		path.Points = append(path.Points, [2]float64{float64(p.X), float64(p.Y)})
	}
	h.Paths = []plot.Path{path}
	for _, p := range l.Ends {
		h.Places = append(h.Places, plot.Place{Name: printable(p.Name), X: float64(p.X), Y: float64(p.Y)})
	}
	return plot.WriteHeights(w, h)
}
