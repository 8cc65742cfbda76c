package curvature_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/curvature"
	"github.com/seed-49005b45/tarn/nn"
)

var ctx = context.Background()

// matrix is an operator with the given eigenvalues, whose eigenvectors are the columns of a product of random reflections.
func matrix(values ...float64) *curvature.Operator {
	n := len(values)
	random := rand.New(rand.NewPCG(4, uint64(n)))
	var mirrors [][]float64
	for range 3 {
		u, sum := make([]float64, n), 0.0
		for i := range u {
			u[i] = random.NormFloat64()
			sum += u[i] * u[i]
		}
		for i := range u {
			u[i] /= math.Sqrt(sum)
		}
		mirrors = append(mirrors, u)
	}
	reflect := func(x, u []float64) {
		c := 0.0
		for i := range x {
			c += x[i] * u[i]
		}
		for i := range x {
			x[i] -= 2 * c * u[i]
		}
	}
	return &curvature.Operator{Size: n, Product: func(_ context.Context, dst, v []float64) error {
		copy(dst, v)
		for _, u := range mirrors {
			reflect(dst, u)
		}
		for i := range dst {
			dst[i] *= values[i]
		}
		for _, u := range slices.Backward(mirrors) {
			reflect(dst, u)
		}
		return nil
	}}
}

// spread is n values from low to high.
func spread(n int, low, high float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = low + (high-low)*float64(i)/float64(n-1)
	}
	return v
}

func repeat(x float64, n int) []float64 { return slices.Repeat([]float64{x}, n) }

// spectra are matrices that are hard for a method of Lanczos in one way or other.
var spectra = map[string][]float64{
	"one":                   {3},
	"two":                   {-2, 3},
	"zero":                  repeat(0, 20),
	"identity":              repeat(2, 30),
	"spread":                spread(200, -1, 5),
	"outliers":              append(spread(300, 0, 0.1), 10, 7, 3, -2),
	"twice the largest":     append(spread(300, 0, 1), 5, 5, 3),
	"five times":            append(spread(100, -1, 1), 5, 5, 5, 5, 5, -4, -4, -4),
	"low rank":              append(repeat(0, 500), 1, 2, 3),
	"negative":              spread(80, -9, -1),
	"two clusters":          append(repeat(-1, 40), repeat(1, 41)...),
	"close":                 append(spread(100, 0, 1), 2, 2.001),
	"of many sizes":         {1e-8, 1e-6, 1e-4, 1e-2, 1, 100, 1e4},
	"twice the third":       append(spread(250, 0, 1), 9, 7, 4, 4),
	"large, far from zero":  append(spread(50, 1e6, 1.1e6), 2e6),
	"small":                 append(spread(50, 0, 1e-7), 1e-6),
	"negative and far":      append(spread(60, 0, 1), -20),
	"largest magnitude < 0": append(spread(60, -1, 1), -20, -20, 2),
}

// TestEigenvalues finds the ends of known spectra, with multiplicities, also with a basis that makes it restart.
func TestEigenvalues(t *testing.T) {
	for name, values := range spectra {
		for _, o := range []curvature.Options{
			{Largest: 3, Smallest: 3, Tolerance: 1e-9},
			{Largest: 4, Tolerance: 1e-9, Seed: 5},
			{Smallest: 4, Tolerance: 1e-9, Basis: 16},
			{Largest: 2, Smallest: 1, Tolerance: 1e-7, Basis: 14, Seed: 9},
			{},
		} {
			t.Run(fmt.Sprintf("%s/%d and %d of basis %d", name, o.Largest, o.Smallest, o.Basis), func(t *testing.T) {
				e, err := curvature.Eigenvalues(ctx, matrix(values...), o)
				if err != nil {
					t.Fatal(err)
				}
				if !e.Converged() {
					t.Errorf("not converged:\n%v", e)
				}
				sorted := slices.Sorted(slices.Values(values))
				scale := max(math.Abs(sorted[0]), math.Abs(sorted[len(sorted)-1]))
				tolerance := o.Tolerance
				if tolerance == 0 {
					tolerance = 1e-4
				}
				wantSmallest := slices.Clone(sorted[:min(o.Smallest, len(sorted))])
				slices.Reverse(sorted)
				wantLargest := sorted[:min(o.Largest, len(sorted))]
				if o.Largest == 0 && o.Smallest == 0 {
					wantLargest = sorted[:1]
				}
				check := func(got []curvature.Pair, want []float64) {
					if len(got) != len(want) {
						t.Fatalf("%d pairs, want %d", len(got), len(want))
					}
					for i, p := range got {
						if math.Abs(p.Value-want[i]) > tolerance*scale || p.Residual > tolerance*scale {
							t.Errorf("value %d is %v with residual %v, want %v\n%v", i, p.Value, p.Residual, want[i], e)
						}
					}
				}
				check(e.Largest, wantLargest)
				check(e.Smallest, wantSmallest)
			})
		}
	}
}

// TestNotConverged does not claim what too few products have given, nor what products with errors have.
func TestNotConverged(t *testing.T) {
	a := matrix(spread(2000, 0, 1)...)
	e, err := curvature.Eigenvalues(ctx, a, curvature.Options{Largest: 2, Smallest: 1, Products: 12})
	if err != nil {
		t.Fatal(err)
	}
	if e.Converged() || e.Products > 12 || !strings.Contains(e.String(), "not converged") {
		t.Errorf("after 12 products:\n%v", e)
	}
	if v := e.Largest[0].Value; v > 1 || v < 0.9 {
		t.Errorf("the largest is %v", v)
	}
	random := rand.New(rand.NewPCG(1, 1))
	noisy := matrix(append(spread(50, 0, 0.5), 1)...)
	exact := noisy.Product
	noisy.Product = func(ctx context.Context, dst, v []float64) error {
		err := exact(ctx, dst, v)
		for i := range dst {
			dst[i] += 1e-4 * random.NormFloat64()
		}
		return err
	}
	e, err = curvature.Eigenvalues(ctx, noisy, curvature.Options{Tolerance: 1e-6, Products: 200})
	if err != nil {
		t.Fatal(err)
	}
	if e.Converged() || math.Abs(e.Largest[0].Value-1) > 1e-2 {
		t.Errorf("with noise:\n%v", e)
	}
}

// TestTrace expects the trace within a few standard errors, and exactly where the sketch or the signs allow no other.
func TestTrace(t *testing.T) {
	for name, values := range spectra {
		want := 0.0
		for _, x := range values {
			want += x
		}
		for _, o := range []curvature.TraceOptions{{}, {Samples: 200, Seed: 3}, {Samples: 40, Sketch: 40}, {Sketch: 1000}} {
			got, err := curvature.Trace(ctx, matrix(values...), o)
			if err != nil {
				t.Fatal(err)
			}
			scale := 0.0
			for _, x := range values {
				scale += math.Abs(x)
			}
			if math.Abs(got.Value-want) > 4*got.Error+1e-9*scale {
				t.Errorf("%s, %+v: %v with an error of %v, want %v", name, o, got.Value, got.Error, want)
			}
		}
	}
	// The sketch holds the outliers, so that the error falls.
	a := matrix(spectra["outliers"]...)
	plain, err1 := curvature.Trace(ctx, a, curvature.TraceOptions{Samples: 30})
	sketched, err2 := curvature.Trace(ctx, a, curvature.TraceOptions{Samples: 10, Sketch: 10})
	if err1 != nil || err2 != nil || plain.Products != 30 || sketched.Products != 30 || !(sketched.Error < plain.Error/5) {
		t.Errorf("%+v and %+v: %v, %v", plain, sketched, err1, err2)
	}
	if one, err := curvature.Trace(ctx, a, curvature.TraceOptions{Samples: 1}); err != nil || !math.IsNaN(one.Error) {
		t.Errorf("%+v, %v", one, err)
	}
}

// TestDensity compares the moments with those of the spectrum, and the smoothed density with its integral.
func TestDensity(t *testing.T) {
	for name, values := range spectra {
		s, err := curvature.Density(ctx, matrix(values...), curvature.DensityOptions{Probes: 60, Steps: 20})
		if err != nil {
			t.Fatal(err)
		}
		n, scale := float64(len(values)), 0.0
		var moments [4]float64
		for _, x := range values {
			scale = max(scale, math.Abs(x))
			for k := range moments {
				moments[k] += math.Pow(x, float64(k)) / n
			}
		}
		if got := s.Moment(0); math.Abs(got-1) > 1e-9 {
			t.Errorf("%s: the weights add up to %v", name, got)
		}
		for k := 1; k < len(moments); k++ {
			// The standard deviation of v'f(A)v is at most sqrt(2/n) times the root of the mean of f^2, which is below scale^k.
			bound := 5 * math.Pow(scale, float64(k)) * math.Sqrt(2/n/60)
			if n <= 2 {
				bound = 0.5 * math.Pow(scale, float64(k))
			}
			if got := s.Moment(k); math.Abs(got-moments[k]) > bound+1e-12 {
				t.Errorf("%s: moment %d is %v, want %v within %v", name, k, got, moments[k], bound)
			}
		}
		if got, want := s.Trace(), n*s.Moment(1); got != want {
			t.Errorf("%s: the trace is %v, want %v", name, got, want)
		}
		low, high := s.Range()
		if low < slices.Min(values)-1e-9*scale || high > slices.Max(values)+1e-9*scale {
			t.Errorf("%s: the points go from %v to %v", name, low, high)
		}
		if share := s.Share(low, high); math.Abs(share-1) > 1e-9 {
			t.Errorf("%s: the share of all is %v", name, share)
		}
		width := max(scale/20, 1e-9)
		at := spread(2000, low-6*width, high+6*width)
		integral := 0.0
		for _, y := range s.Smooth(at, width) {
			integral += y * (at[1] - at[0])
		}
		if math.Abs(integral-1) > 1e-3 {
			t.Errorf("%s: the density integrates to %v", name, integral)
		}
		if y := s.Smooth(at[:1], 0); !math.IsNaN(y[0]) {
			t.Errorf("%s: without a deviation the density is %v", name, y[0])
		}
	}
}

// classifier is a small network with its loss on a batch.
type classifier struct{ Hidden, Out *nn.Linear }

func newClassifier(t *testing.T, dtype tarn.DType) (loss, logits *tarn.Value, params []*tarn.Param, batches []curvature.Inputs) {
	t.Helper()
	const rows, parts = 6, 3
	m := &classifier{nn.NewLinear(4, 5), nn.NewLinear(5, 3)}
	if err := tarn.Cast(m, dtype); err != nil {
		t.Fatal(err)
	}
	if err := tarn.Init(m, 8); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x, y := g.Input("x", dtype, rows, 4), g.Input("y", tarn.I32, rows)
	logits = m.Out.Forward(m.Hidden.Forward(x).Tanh())
	random := tarn.NewRandom(2, "classifier")
	for k := range parts {
		xs, ys := tarn.Zeros(dtype, rows, 4), tarn.Zeros(tarn.I32, rows)
		random.Normal(xs, 0, 2)
		for i := range rows {
			ys.SetFloat(i, float64((i*i+k)%3))
		}
		batches = append(batches, curvature.Inputs{"x": xs, "y": ys})
	}
	all, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	return nn.CrossEntropy(logits, y), logits, all.List(), batches
}

// dense forms an operator's matrix.
func dense(t *testing.T, a *curvature.Operator) *mat.SymDense {
	t.Helper()
	m, unit, column := mat.NewSymDense(a.Size, nil), make([]float64, a.Size), make([]float64, a.Size)
	for i := range a.Size {
		unit[i] = 1
		if err := a.Product(ctx, column, unit); err != nil {
			t.Fatal(err)
		}
		unit[i] = 0
		for j := range i + 1 {
			m.SetSym(i, j, column[j])
		}
	}
	return m
}

// wanted forms the mean over the batches of the Hessian in the graph, block by block.
func wanted(t *testing.T, loss *tarn.Value, params []*tarn.Param, batches []curvature.Inputs) *mat.SymDense {
	t.Helper()
	n, at := 0, []int{}
	outputs := tarn.Outputs{}
	for i, p := range params {
		at = append(at, n)
		n += p.Tensor().Size()
		for j, q := range params {
			outputs[fmt.Sprint(i, " ", j)] = tarn.Jacobian(tarn.Grad(loss, p)[0].Flatten(0, -1), q)
		}
	}
	program, err := tarn.Compile(loss.Graph(), outputs)
	if err != nil {
		t.Fatal(err)
	}
	m := mat.NewSymDense(n, nil)
	for _, b := range batches {
		out, err := program.Run(b["x"], b["y"])
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range params {
			for j, q := range params {
				block, w := out[fmt.Sprint(i, " ", j)].Floats(), q.Tensor().Size()
				for a := range p.Tensor().Size() {
					for c := range w {
						if r, k := at[i]+a, at[j]+c; r <= k {
							m.SetSym(r, k, m.At(r, k)+block[a*w+c]/float64(len(batches)))
						}
					}
				}
			}
		}
	}
	return m
}

// TestNetwork checks the measures of a small network against its matrix.
func TestNetwork(t *testing.T) {
	for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
		tolerance := map[tarn.DType]float64{tarn.F64: 1e-9, tarn.F32: 1e-4}[dtype]
		loss, logits, params, batches := newClassifier(t, dtype)
		hessian, err1 := curvature.NewHessian(loss, params, batches...)
		gauss, err2 := curvature.NewGaussNewton(loss, logits, params, batches...)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		h := dense(t, hessian)
		if !mat.EqualApprox(h, wanted(t, loss, params, batches), tolerance) {
			t.Errorf("%v: the Hessian is not the mean of those of the batches", dtype)
		}
		for name, a := range map[string]*curvature.Operator{"hessian": hessian, "gauss-newton": gauss} {
			m := dense(t, a)
			var eigen mat.EigenSym
			if !eigen.Factorize(m, false) {
				t.Fatal("no eigenvalues")
			}
			values := eigen.Values(nil)
			n := len(values)
			e, err := curvature.Eigenvalues(ctx, a, curvature.Options{Largest: 3, Smallest: 2, Tolerance: tolerance})
			if err != nil {
				t.Fatal(err)
			}
			if !e.Converged() {
				t.Errorf("%v, %s:\n%v", dtype, name, e)
			}
			for i, p := range append(e.Largest, e.Smallest...) {
				want := values[n-1-min(i, 2)]
				if i > 2 {
					want = values[i-3]
				}
				if math.Abs(p.Value-want) > tolerance*e.Scale {
					t.Errorf("%v, %s: value %d is %v, want %v", dtype, name, i, p.Value, want)
				}
			}
			if name == "gauss-newton" && e.Smallest[0].Value < -tolerance {
				t.Errorf("%v: the Gauss-Newton matrix has the eigenvalue %v", dtype, e.Smallest[0].Value)
			}
			trace, err := curvature.Trace(ctx, a, curvature.TraceOptions{Sketch: n})
			if err != nil || math.Abs(trace.Value-mat.Trace(m)) > 10*tolerance {
				t.Errorf("%v, %s: the trace is %+v, want %v, %v", dtype, name, trace, mat.Trace(m), err)
			}
			s, err := curvature.Density(ctx, a, curvature.DensityOptions{Probes: 50})
			// The variance of a probe is at most 2 |A|^2, in Frobenius' norm.
			if err != nil || math.Abs(s.Trace()-mat.Trace(m)) > 4*math.Sqrt(2.0/50)*mat.Norm(m, 2) {
				t.Errorf("%v, %s: the density has the trace %v, want %v, %v", dtype, name, s.Trace(), mat.Trace(m), err)
			}
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	a := matrix(spread(50, 0, 1)...)
	product, n := a.Product, 0
	a.Product = func(ctx context.Context, dst, v []float64) error {
		if n++; n == 5 {
			cancel()
		}
		return product(ctx, dst, v)
	}
	for name, measure := range map[string]func() error{
		"eigenvalues": func() error { _, err := curvature.Eigenvalues(ctx, a, curvature.Options{Tolerance: 1e-12}); return err },
		"trace":       func() error { _, err := curvature.Trace(ctx, a, curvature.TraceOptions{}); return err },
		"density":     func() error { _, err := curvature.Density(ctx, a, curvature.DensityOptions{}); return err },
	} {
		if err := measure(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	loss, _, params, batches := newClassifier(t, tarn.F64)
	_, vector, others, data := newClassifier(t, tarn.F64)
	lost, _, rest, fed := newClassifier(t, tarn.F64)
	g := tarn.NewGraph()
	integer := tarn.NewState(tarn.I32, nil, 2)
	p := tarn.NewParam(tarn.F64, nil, 2)
	operator := func(a *curvature.Operator, err error) error { return err }
	eigen := func(a *curvature.Operator, o curvature.Options) error {
		_, err := curvature.Eigenvalues(ctx, a, o)
		return err
	}
	good := matrix(1, 2, 3, 4, 5, 6, 7, 8)
	bad := &curvature.Operator{Size: 4, Product: func(_ context.Context, dst, v []float64) error {
		dst[2] = math.NaN()
		return nil
	}}
	failing := &curvature.Operator{Size: 4, Product: func(context.Context, []float64, []float64) error { return errors.New("out of coffee") }}
	for want, err := range map[string]error{
		"the loss is nil":               operator(curvature.NewHessian(nil, params, batches...)),
		"param 1 is nil":                operator(curvature.NewHessian(loss, []*tarn.Param{params[0], nil}, batches...)),
		"is listed twice":               operator(curvature.NewHessian(loss, append(slices.Clone(params), params[0]), batches...)),
		"i32[2] is neither f32 nor f64": operator(curvature.NewHessian(loss, []*tarn.Param{integer}, batches...)),
		"have no elements":              operator(curvature.NewHessian(loss, nil, batches...)),
		"there is no batch":             operator(curvature.NewHessian(loss, params)),
		`"y", which batch 1`:            operator(curvature.NewHessian(loss, params, batches[0], curvature.Inputs{"x": batches[1]["x"]})),
		"should be a scalar":            operator(curvature.NewHessian(vector, others, data...)),
		"the outputs are nil":           operator(curvature.NewGaussNewton(lost, nil, rest, fed...)),
		"does not depend on the outpu":  operator(curvature.NewGaussNewton(p.Value(g).Sum(), p.Value(g).Exp(), []*tarn.Param{p})),
		"has no Product":                eigen(nil, curvature.Options{}),
		"has 0 rows":                    eigen(&curvature.Operator{Product: good.Product}, curvature.Options{}),
		"Largest is -1":                 eigen(good, curvature.Options{Largest: -1}),
		"Tolerance is NaN":              eigen(good, curvature.Options{Tolerance: math.NaN()}),
		"should be at least 6":          eigen(good, curvature.Options{Largest: 2, Basis: 5}),
		"Products is 5 and should be":   eigen(good, curvature.Options{Largest: 2, Smallest: 1, Products: 5}),
		"product 1 is not finite":       eigen(bad, curvature.Options{}),
		"product 1: out of coffee":      eigen(failing, curvature.Options{}),
		"Samples is -1":                 func() error { _, err := curvature.Trace(ctx, good, curvature.TraceOptions{Samples: -1}); return err }(),
		"Steps is -1":                   func() error { _, err := curvature.Density(ctx, good, curvature.DensityOptions{Steps: -1}); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	a, err := curvature.NewHessian(loss, params, curvature.Inputs{"x": tarn.Zeros(tarn.F64, 2, 4), "y": batches[0]["y"]})
	if err != nil {
		t.Fatal(err)
	}
	if err := eigen(a, curvature.Options{}); err == nil || !strings.Contains(err.Error(), `batch 0`) {
		t.Errorf("an input of another shape: %v", err)
	}
}
