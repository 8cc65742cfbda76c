package curvature

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/factor"
)

// This file holds the loss as a function of the weights, and planes through the weights on which it can be drawn.

// Loss is a scalar function of all elements of some params, one param after the other. It is for one goroutine at a time, as is what it was
// compiled from.
type Loss struct {
	// Size is the number of elements.
	Size int
	// At returns the loss at the weights w.
	At func(ctx context.Context, w []float64) (float64, error)
}

// NewLoss compiles a scalar loss as a function of some params, the mean over the batches as for NewHessian. The params themselves are neither
// read nor changed. What is not in params, such as the statistics of a batch norm, stays as it is.
func NewLoss(loss *tarn.Value, params []*tarn.Param, batches ...Inputs) (*Loss, error) {
	switch {
	case loss == nil:
		return nil, errors.New("curvature: the loss is nil")
	case loss.Rank() != 0:
		return nil, fmt.Errorf("curvature: the loss has shape %v and should be a scalar: take its Mean", loss.Shape())
	}
	g := loss.Graph()
	v, err := newVector(g, params)
	if err != nil {
		return nil, err
	}
	program, err := tarn.Compile(g, tarn.Outputs{"loss": tarn.Substitute([]*tarn.Value{loss}, params, v.values)[0]})
	if err != nil {
		return nil, err
	}
	all, err := operands(program, "values of the loss", batches)
	if err != nil {
		return nil, err
	}
	results := tarn.Results{}
	return &Loss{Size: v.size, At: func(ctx context.Context, w []float64) (float64, error) {
		if len(w) != v.size {
			return 0, fmt.Errorf("curvature: the loss is a function of %d weights and got %d", v.size, len(w))
		}
		v.set(w)
		sum := 0.0
		for i, in := range all {
			if err := context.Cause(ctx); err != nil {
				return 0, fmt.Errorf("curvature: %w", err)
			}
			program.SetRuns(0)
			if err := program.RunInto(ctx, results, in...); err != nil {
				return 0, fmt.Errorf("curvature: batch %d: %w", i, err)
			}
			sum += results["loss"].Item()
		}
		return sum / float64(len(all)), nil
	}}, nil
}

// Grid returns the loss at the points of a plane, row after row: element j*len(xs)+i is that at xs[i] and ys[j]. It may be NaN or infinite.
func (l *Loss) Grid(ctx context.Context, p *Plane, xs, ys []float64) ([]float64, error) {
	values := make([]float64, 0, len(xs)*len(ys))
	for _, y := range ys {
		for _, x := range xs {
			v, err := l.At(ctx, p.At(x, y))
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
	}
	return values, nil
}

// Weights returns all elements of the params, one param after the other.
func Weights(params []*tarn.Param) []float64 {
	var w []float64
	for _, p := range params {
		t := p.Tensor()
		for i := range t.Size() {
			w = append(w, t.Float(i))
		}
	}
	return w
}

// SetWeights sets all elements of the params from what Weights returned.
func SetWeights(params []*tarn.Param, w []float64) error {
	var parts []*tarn.Tensor
	size := 0
	for _, p := range params {
		parts = append(parts, p.Tensor())
		size += p.Tensor().Size()
	}
	if size != len(w) {
		return fmt.Errorf("curvature: the params have %d elements and there are %d weights for them", size, len(w))
	}
	setParts(parts, w)
	return nil
}

// Plane is the points Origin + x X + y Y of the space of all weights.
type Plane struct {
	Origin, X, Y []float64
}

// At returns the weights at a point of the plane.
func (p *Plane) At(x, y float64) []float64 {
	w := make([]float64, len(p.Origin))
	for i, o := range p.Origin {
		w[i] = o + x*p.X[i] + y*p.Y[i]
	}
	return w
}

// Project returns the point of the plane that is nearest to the weights w, and its distance from them.
func (p *Plane) Project(w []float64) (x, y, distance float64) {
	d := make([]float64, len(w))
	floats.SubTo(d, w, p.Origin)
	xx, xy, yy := floats.Dot(p.X, p.X), floats.Dot(p.X, p.Y), floats.Dot(p.Y, p.Y)
	dx, dy := floats.Dot(d, p.X), floats.Dot(d, p.Y)
	det := xx*yy - xy*xy
	x, y = (dx*yy-dy*xy)/det, (dy*xx-dx*xy)/det
	floats.AddScaled(d, -x, p.X)
	floats.AddScaled(d, -y, p.Y)
	return x, y, floats.Norm(d, 2)
}

// RandomPlane returns a plane of two random directions through what the params are, each normalized by filters: every row along the first axis of
// a param, which is a filter of a convolution or the weights of one output of a linear layer, has the length of that row of the param. Params
// with one axis or none, such as biases and the scales of norms, stay as they are. Pictures of networks whose weights differ in scale are
// comparable only so. (Li, Xu, Taylor, Studer and Goldstein 2018, Visualizing the loss landscape of neural nets.)
func RandomPlane(params []*tarn.Param, seed uint64) (*Plane, error) {
	p := &Plane{Origin: Weights(params)}
	if err := checkPoints(p.Origin); err != nil {
		return nil, err
	}
	for i, direction := range []*[]float64{&p.X, &p.Y} {
		random := rand.New(rand.NewPCG(seed, uint64(3+i)))
		d := make([]float64, len(p.Origin))
		for at, rest := 0, params; len(rest) > 0; rest = rest[1:] {
			shape, size := rest[0].Shape(), rest[0].Tensor().Size()
			if len(shape) > 1 && size > 0 {
				length := size / shape[0]
				for from := at; from < at+size; from += length {
					row := d[from : from+length]
					for k := range row {
						row[k] = random.NormFloat64()
					}
					floats.Scale(floats.Norm(p.Origin[from:from+length], 2)/floats.Norm(row, 2), row)
				}
			}
			at += size
		}
		*direction = d
	}
	return p, p.spans("the params have no two directions: at least one should have two axes, and two elements that are not 0")
}

// PlaneThrough returns the plane through three points: a lies at the origin, b on the x axis and c above it. X and Y are unit vectors at right
// angles, so that distances are those of the weights. (Garipov, Izmailov, Podoprikhin, Vetrov and Wilson 2018, Loss surfaces, mode connectivity,
// and fast ensembling of DNNs.)
func PlaneThrough(a, b, c []float64) (*Plane, error) {
	if err := checkPoints(a, b, c); err != nil {
		return nil, err
	}
	n := len(a)
	p := &Plane{Origin: a, X: make([]float64, n), Y: make([]float64, n)}
	floats.SubTo(p.X, b, a)
	floats.SubTo(p.Y, c, a)
	whole := floats.Norm(p.Y, 2)
	floats.Scale(1/floats.Norm(p.X, 2), p.X)
	for range 2 {
		floats.AddScaled(p.Y, -floats.Dot(p.X, p.Y), p.X)
	}
	rest := floats.Norm(p.Y, 2)
	if !(rest > 1e-9*whole) {
		p.Y = nil // what is left is rounding
	} else {
		floats.Scale(1/rest, p.Y)
	}
	return p, p.spans("the three points lie on a line, and many planes go through them; choose points of different trainings")
}

// PathPlane returns the plane of the two principal components of a path through the last of its points, which lies at the origin, and the
// shares of the path's variance along the two. X and Y are unit vectors at right angles; the path begins at an x and a y that are not above 0. There must
// be three points that do not lie on a line. (Li et al. 2018, section 7.)
func PathPlane(path ...[]float64) (p *Plane, shares [2]float64, err error) {
	k := len(path)
	if k < 3 {
		return nil, shares, fmt.Errorf("curvature: the path has %d points and should have at least 3", k)
	}
	if err := checkPoints(path...); err != nil {
		return nil, shares, err
	}
	n := len(path[0])
	mean := make([]float64, n)
	for _, w := range path {
		floats.AddScaled(mean, 1/float64(k), w)
	}
	centered := make([][]float64, k)
	for i, w := range path {
		centered[i] = make([]float64, n)
		floats.SubTo(centered[i], w, mean)
	}
	// The components are combinations of the points, by the eigenvectors of the matrix of their dot products.
	gram, total := make([]float64, k*k), 0.0
	for i := range k {
		for j := range k {
			gram[i*k+j] = floats.Dot(centered[i], centered[j])
		}
		total += gram[i*k+i]
	}
	values := make([]float64, k)
	factor.EigH(values, gram, k, make([]float64, factor.EigHWork(k)))
	p = &Plane{Origin: path[k-1]}
	for axis, direction := range []*[]float64{&p.X, &p.Y} {
		column := k - 1 - axis
		if !(values[column] > 1e-12*total) {
			break // rounding, or NaN
		}
		d := make([]float64, n)
		for i := range k {
			floats.AddScaled(d, gram[i*k+column], centered[i])
		}
		if axis == 1 {
			floats.AddScaled(d, -floats.Dot(d, p.X), p.X)
		}
		length := floats.Norm(d, 2)
		if floats.Dot(d, path[0]) > floats.Dot(d, p.Origin) {
			length = -length
		}
		floats.Scale(1/length, d)
		*direction, shares[axis] = d, values[column]/total
	}
	return p, shares, p.spans("the points of the path lie on a line; a plane needs three that do not")
}

// spans returns an error with that cause unless the directions span a plane.
func (p *Plane) spans(cause string) error {
	if len(p.X) > 0 && len(p.Y) > 0 && math.Abs(floats.Dot(p.X, p.Y)/floats.Norm(p.X, 2)/floats.Norm(p.Y, 2)) < 1-1e-9 {
		return nil
	}
	return errors.New("curvature: " + cause)
}

// checkPoints returns an error unless the points are finite and of one space.
func checkPoints(points ...[]float64) error {
	for i, w := range points {
		if len(w) != len(points[0]) {
			return fmt.Errorf("curvature: point %d has %d weights and point 0 has %d; a plane goes through points of one model", i, len(w), len(points[0]))
		}
		for k, x := range w {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("curvature: weight %d of point %d is %v; a plane goes through finite points", k, i, x)
			}
		}
	}
	return nil
}
