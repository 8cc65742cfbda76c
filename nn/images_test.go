package nn_test

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/tarntest"
)

// This file tests the layers of images and the normalizations beyond their goldens.

var imageLayers = []layerCase{
	{"Conv1d", func() nn.Layer { return nn.NewConv1d(2, 3, 2) }, random(tarn.F64, 1, 2, 4, 2), []int{2, 3, 3}, []string{"weight f64[3 2 2]", "bias f64[3]"}, false},
	{"Conv2d", func() nn.Layer {
		c := nn.NewConv2d(2, 3, 3)
		c.Stride, c.Padding = []int{2}, []int{1}
		return c
	}, random(tarn.F64, 1, 1, 4, 3, 2), []int{1, 2, 2, 3}, []string{"weight f64[3 2 3 3]", "bias f64[3]"}, false},
	{"ConvTranspose2d", func() nn.Layer { return nn.NewConvTranspose2d(2, 3, 2) }, random(tarn.F64, 1, 1, 2, 3, 2), []int{1, 3, 4, 3}, []string{"weight f64[2 3 2 2]", "bias f64[3]"}, false},
	{"GroupNorm", func() nn.Layer { return nn.NewGroupNorm(2, 4) }, random(tarn.F64, 1, 2, 3, 4), []int{2, 3, 4}, []string{"weight f64[4]", "bias f64[4]"}, false},
	{"InstanceNorm", func() nn.Layer { return nn.NewInstanceNormAffine(2) }, random(tarn.F64, 1, 2, 2, 2, 2), []int{2, 2, 2, 2}, []string{"weight f64[2]", "bias f64[2]"}, false},
	{"RMSNorm", func() nn.Layer { return nn.NewRMSNorm(4) }, random(tarn.F64, 1, 2, 4), []int{2, 4}, []string{"weight f64[4]"}, false},
	{"WeightNorm", func() nn.Layer { return linearWith(nn.NewLinear(3, 2), weightNormed) }, random(tarn.F64, 1, 2, 3), []int{2, 2}, []string{"weight f64[2 3]", "bias f64[2]", "transform.g f64[2 1]"}, false},
	{"WeightNoise", func() nn.Layer {
		return linearWith(nn.NewLinear(3, 2), func(*tarn.Param) nn.WeightTransform { return &nn.WeightNoise{Std: 0.1} })
	}, random(tarn.F64, 1, 2, 3), []int{2, 2}, []string{"weight f64[2 3]", "bias f64[2]"}, true},
	{"MaxPool", func() nn.Layer { return nn.NewMaxPool(2) }, random(tarn.F64, 1, 1, 4, 4, 2), []int{1, 2, 2, 2}, nil, false},
	{"Upsample", func() nn.Layer { return nn.NewUpsample(2) }, random(tarn.F64, 1, 1, 2, 3, 2), []int{1, 4, 6, 2}, nil, false},
	{"Upsample linear", func() nn.Layer { return &nn.Upsample{Scale: 2, Linear: true} }, random(tarn.F64, 1, 1, 2, 3, 2), []int{1, 4, 6, 2}, nil, false},
	{"ChannelsLast", func() nn.Layer { return nn.NewSequential(nn.ChannelsLast{}, nn.ChannelsFirst{}) }, random(tarn.F64, 1, 2, 3, 4), []int{2, 3, 4}, nil, false},
	{"Dropout2d", func() nn.Layer { return nn.NewDropout2d(0.5) }, random(tarn.F64, 1, 4, 2, 8), []int{4, 2, 8}, nil, true},
	{"DropPath", func() nn.Layer { return nn.NewDropPath(0.5) }, random(tarn.F64, 1, 16, 2), []int{16, 2}, nil, true},
	{"Conv3d", func() nn.Layer { return nn.NewConv3d(1, 2, 2) }, random(tarn.F64, 1, 1, 2, 3, 2, 1), []int{1, 1, 2, 1, 2}, []string{"weight f64[2 1 2 2 2]", "bias f64[2]"}, false},
	{"Conv in groups", func() nn.Layer { return nn.NewConv(4, 2, 2, 2) }, random(tarn.F64, 1, 1, 3, 4), []int{1, 2, 2}, []string{"weight f64[2 2 2]", "bias f64[2]"}, false},
	{"ConvTranspose1d", func() nn.Layer { return nn.NewConvTranspose1d(2, 3, 2) }, random(tarn.F64, 1, 1, 3, 2), []int{1, 4, 3}, []string{"weight f64[2 3 2]", "bias f64[3]"}, false},
	{"ConvTranspose3d", func() nn.Layer { return nn.NewConvTranspose3d(2, 1, 2) }, random(tarn.F64, 1, 1, 1, 2, 1, 2), []int{1, 2, 3, 2, 1}, []string{"weight f64[2 1 2 2 2]", "bias f64[1]"}, false},
	{"ConvTranspose in groups", func() nn.Layer {
		c := nn.NewConvTranspose(4, 2, 2, 3)
		c.Stride, c.Padding, c.Extra = []int{2}, []int{1}, []int{1}
		return c
	}, random(tarn.F64, 1, 1, 3, 4), []int{1, 6, 2}, []string{"weight f64[4 1 3]", "bias f64[2]"}, false},
	{"BatchNorm", func() nn.Layer { return nn.NewBatchNorm(3) }, random(tarn.F64, 1, 4, 3), []int{4, 3}, []string{
		"weight f64[3]", "bias f64[3]", "running_mean f64[3]", "running_var f64[3]", "num_batches_tracked i64[]"}, true},
	{"InstanceNorm without weights", func() nn.Layer { return nn.NewInstanceNorm() }, random(tarn.F64, 1, 2, 3, 2), []int{2, 3, 2}, nil, false},
	{"SpectralNorm", func() nn.Layer { return linearWith(nn.NewLinear(3, 2), spectral) }, random(tarn.F64, 1, 2, 3), []int{2, 2}, []string{
		"weight f64[2 3]", "bias f64[2]", "transform._u f64[2]", "transform._v f64[3]"}, false},
	{"AvgPool", func() nn.Layer { return nn.NewAvgPool(2) }, random(tarn.F64, 1, 1, 4, 4, 2), []int{1, 2, 2, 2}, nil, false},
	{"LpPool", func() nn.Layer { return nn.NewLpPool(3, 2) }, random(tarn.F64, 1, 1, 4, 2), []int{1, 2, 2}, nil, false},
	{"AdaptiveAvgPool", func() nn.Layer { return nn.NewAdaptiveAvgPool(2) }, random(tarn.F64, 1, 1, 5, 2), []int{1, 2, 2}, nil, false},
	{"GlobalAvgPool", func() nn.Layer { return nn.GlobalAvgPool{} }, random(tarn.F64, 1, 2, 3, 2, 2), []int{2, 2}, nil, false},
	{"GlobalMaxPool", func() nn.Layer { return nn.GlobalMaxPool{} }, random(tarn.F64, 1, 2, 3, 2, 2), []int{2, 2}, nil, false},
	{"PixelShuffle", func() nn.Layer { return nn.PixelShuffle{R: 2} }, random(tarn.F64, 1, 1, 2, 1, 8), []int{1, 4, 2, 2}, nil, false},
}

func TestBatchNormGradients(t *testing.T) {
	for _, train := range []bool{true, false} {
		tarntest.CheckGrad(t, func(in ...*tarn.Value) *tarn.Value {
			b := nn.NewBatchNorm(3)
			if err := tarn.Init(b, 1); err != nil {
				t.Fatal(err)
			}
			if err := tarn.Cast(b, tarn.F64); err != nil {
				t.Fatal(err)
			}
			if !train {
				in[0].Graph().Eval()
			}
			return b.Forward(in[0])
		}, random(tarn.F64, 2, 2, 3, 3))
	}
}

// TestBatchNormUpdatesWithTheProgram checks that a program which trains moves the statistics, once for each use of the layer, and
// that one which evaluates leaves them.
func TestBatchNormUpdatesWithTheProgram(t *testing.T) {
	for _, c := range []struct {
		name  string
		eval  bool
		uses  int
		count int64
		mean  float64 // after one step from 0 by batches of mean 2
	}{{"training", false, 1, 1, 0.2}, {"used twice", false, 2, 2, 0.38}, {"evaluation", true, 1, 0, 0}} {
		b := nn.NewBatchNorm(1)
		if err := tarn.Init(b, 1); err != nil {
			t.Fatal(err)
		}
		g := tarn.NewGraph()
		if c.eval {
			g.Eval()
		}
		x := g.Input("x", tarn.F32, 2, 1)
		y := b.Forward(x)
		for range c.uses - 1 {
			y = y.Add(b.Forward(x))
		}
		run(t, c.name, g, tarn.Outputs{"y": y}, map[string]*tarn.Tensor{"x": tensorOf([]float64{1, 3}, 2, 1)})
		if got := b.NumBatchesTracked.Tensor().Float(0); int64(got) != c.count {
			t.Errorf("%s: %v batches are counted, want %v", c.name, got, c.count)
		}
		if got := b.RunningMean.Tensor().Float(0); math.Abs(got-c.mean) > 1e-6 {
			t.Errorf("%s: the running mean is %v, want %v", c.name, got, c.mean)
		}
	}
}

func tensorOf(data []float64, shape ...int) *tarn.Tensor {
	t := tarn.Zeros(tarn.F32, shape...)
	for i, x := range data {
		t.SetFloat(i, x)
	}
	return t
}

// TestNormalizationsKeepDigitsFarFromZero compares f32 with f64 on numbers of mean 1e4 and spread 1, at which an f32 has three decimals:
// what is in the input must not be lost on top.
func TestNormalizationsKeepDigitsFarFromZero(t *testing.T) {
	x, apart := random(tarn.F32, 5, 8, 16, 16, 4), tarn.Zeros(tarn.F32, 8, 16, 16, 4)
	for i := range x.Size() {
		x.SetFloat(i, 1e4+x.Float(i))
		apart.SetFloat(i, x.Float(i))
		if i < x.Size()/16 { // a batch norm looks at these for a number near the mean
			apart.SetFloat(i, x.Float(i)+100)
		}
	}
	keepsDigits(t, "", x)
	keepsDigits(t, ", the first apart from the others", apart)
}

func keepsDigits(t *testing.T, what string, x *tarn.Tensor) {
	t.Helper()
	for name, make := range map[string]func() nn.Layer{
		"BatchNorm": func() nn.Layer { return nn.NewBatchNorm(4) }, "GroupNorm": func() nn.Layer { return nn.NewGroupNorm(2, 4) },
		"InstanceNorm": func() nn.Layer { return nn.NewInstanceNormAffine(4) },
	} {
		var y [2]*tarn.Tensor
		var variance [2]float64
		for i, dtype := range []tarn.DType{tarn.F32, tarn.F64} {
			l := make()
			if err := tarn.Init(l, 1); err != nil {
				t.Fatal(err)
			}
			if err := tarn.Cast(l, dtype); err != nil {
				t.Fatal(err)
			}
			g := tarn.NewGraph()
			out := l.Forward(g.Input("x", dtype, x.Shape()...))
			y[i] = run(t, name, g, tarn.Outputs{"y": out}, map[string]*tarn.Tensor{"x": x.Cast(dtype)})["y"].Clone()
			if b, ok := l.(*nn.BatchNorm); ok {
				variance[i] = b.RunningVar.Tensor().Float(0)
			}
		}
		if diff := y[0].Cast(tarn.F64).Diff(y[1], 2e-5); diff != "" {
			t.Errorf("%s, f32 and f64%s: %s", name, what, diff)
		}
		if math.Abs(variance[0]-variance[1]) > 2e-5*max(0.5, variance[1]) {
			t.Errorf("%s%s: the running variance is %v in f32 and %v in f64", name, what, variance[0], variance[1])
		}
	}
}

// TestDropsWholePieces checks what is dropped together, and that the rest is scaled.
func TestDropsWholePieces(t *testing.T) {
	x := tarn.Zeros(tarn.F32, 64, 3, 4)
	nn.Ones()(x, nil)
	for name, c := range map[string]struct {
		layer nn.Layer
		piece func(n, c int) int
	}{
		"Dropout2d": {nn.NewDropout2d(0.25), func(n, c int) int { return n*4 + c }},
		"DropPath":  {nn.NewDropPath(0.25), func(n, c int) int { return n }},
	} {
		g := tarn.NewGraph()
		y := run(t, name, g, tarn.Outputs{"y": c.layer.Forward(g.Input("x", tarn.F32, 64, 3, 4))}, map[string]*tarn.Tensor{"x": x})["y"].Floats()
		pieces := map[int]float64{}
		kept := 0
		for i, v := range y {
			piece := c.piece(i/12, i%4)
			if other, ok := pieces[piece]; ok && other != v {
				t.Fatalf("%s: piece %d holds %v and %v", name, piece, other, v)
			}
			pieces[piece] = v
			if v != 0 && math.Abs(v-4.0/3) > 1e-6 {
				t.Fatalf("%s: element %d is %v", name, i, v)
			}
			if v != 0 {
				kept++
			}
		}
		if share := float64(kept) / float64(len(y)); math.Abs(share-0.75) > 0.15 {
			t.Errorf("%s keeps a share of %v, want 0.75", name, share)
		}
	}
}

func TestWeightNormStartsFromTheWeight(t *testing.T) {
	l := nn.NewLinear(3, 4)
	norm := nn.NewWeightNorm(l.Weight)
	if err := tarn.Init(l, 1); err != nil {
		t.Fatal(err)
	}
	norm.SetLengths(l.Weight)
	g := tarn.NewGraph()
	got := run(t, "WeightNorm", g, tarn.Outputs{"w": norm.Apply(l.Weight.Value(g))}, nil)["w"]
	if diff := got.Diff(l.Weight.Tensor(), 1e-6); diff != "" {
		t.Error(diff)
	}
}

// TestSpectralNormFindsTheSingularValue iterates on a matrix with the singular values 3 and 1.
func TestSpectralNormFindsTheSingularValue(t *testing.T) {
	w := tarn.NewParam(tarn.F32, nil, 2, 2)
	if err := w.Set(tensorOf([]float64{2, 1, 1, 2}, 2, 2)); err != nil {
		t.Fatal(err)
	}
	n := nn.NewSpectralNorm(w)
	if err := tarn.Init(n, 1); err != nil {
		t.Fatal(err)
	}
	n.Iterations = 30
	g := tarn.NewGraph()
	got := run(t, "SpectralNorm", g, tarn.Outputs{"w": n.Apply(w.Value(g))}, nil)["w"]
	if diff := got.Diff(tensorOf([]float64{2.0 / 3, 1.0 / 3, 1.0 / 3, 2.0 / 3}, 2, 2), 1e-5); diff != "" {
		t.Error(diff)
	}
}

func TestConvStartsAsInPyTorch(t *testing.T) {
	c := nn.NewConv(8, 64, 2, 5, 5) // fan in 4*25
	if err := tarn.Init(c, 1); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*tarn.Param{c.Weight, c.Bias} {
		x := p.Tensor().Floats()
		if least, most := slices.Min(x), slices.Max(x); least < -0.1 || least > -0.09 || most > 0.1 || most < 0.09 {
			t.Errorf("%v lies within %v and %v, want close to -0.1 and 0.1 = 1/sqrt(100)", p, least, most)
		}
	}
}

func TestImageLayersRefuse(t *testing.T) {
	bad := nn.NewBatchNorm(3)
	bad.RunningVar = nil
	short := nn.NewConv2d(3, 4, 3)
	short.Bias = tarn.NewParam(tarn.F32, nil, 2)
	for _, c := range []struct {
		name  string
		layer nn.Layer
		dtype tarn.DType
		shape []int
		want  []string
	}{
		{"Conv with channels first", nn.NewConv2d(3, 4, 3), tarn.F32, []int{2, 3, 8, 8}, []string{"nn.Conv.Forward", "8 channels", "ChannelsLast moves the second axis"}},
		{"Conv of too few axes", nn.NewConv2d(3, 4, 3), tarn.F32, []int{8, 8, 3}, []string{"Conv: the input has shape [8 8 3]", "should have 4 axes"}},
		{"Conv of another dtype", nn.NewConv2d(3, 4, 3), tarn.F64, []int{2, 8, 8, 3}, []string{"Conv: the input is f64 and the weight f32", "tarn.Cast the model"}},
		{"Conv with a short bias", short, tarn.F32, []int{2, 8, 8, 3}, []string{"the bias has shape [2]"}},
		{"Conv without a weight", &nn.Conv{}, tarn.F32, []int{2, 8, 8, 3}, []string{"the *Param is nil"}},
		{"BatchNorm with channels first", nn.NewBatchNorm(3), tarn.F32, []int{2, 3, 8, 8}, []string{"BatchNorm: ", "ChannelsLast moves the second axis"}},
		{"BatchNorm of one number", nn.NewBatchNorm(3), tarn.F32, []int{1, 3}, []string{"a single number for each channel has no variance"}},
		{"BatchNorm of half its statistics", bad, tarn.F32, []int{2, 3}, []string{"RunningMean and RunningVar should both be set"}},
		{"BatchNorm of integers", nn.NewBatchNorm(3), tarn.I32, []int{2, 3}, []string{"BatchNorm: the operand is i32"}},
		{"BatchNorm of a vector", nn.NewBatchNorm(3), tarn.F32, []int{3}, []string{"BatchNorm: the operand has shape [3]"}},
		{"GroupNorm of odd channels", nn.NewGroupNorm(2, 4), tarn.F32, []int{2, 3}, []string{"GroupNorm: the operand has 3 channels"}},
		{"InstanceNorm of rows", nn.NewInstanceNorm(), tarn.F32, []int{2, 3}, []string{"InstanceNorm: the operand has shape [2 3]"}},
		{"RMSNorm of another size", nn.NewRMSNorm(4), tarn.F32, []int{2, 3}, []string{"RMSNorm: the operand has 3 channels, its last axis, and the weights have shape [4]"}},
		{"Dropout2d above 1", nn.NewDropout2d(2), tarn.F32, []int{2, 3}, []string{"Dropout2d: P is 2"}},
		{"DropPath of integers", nn.NewDropPath(0.5), tarn.I32, []int{2, 3}, []string{"DropPath: the operand is i32"}},
		{"Upsample by nothing", nn.NewUpsample(0), tarn.F32, []int{2, 3, 1}, []string{"Upsample: Scale is 0"}},
		{"GlobalAvgPool of rows", nn.GlobalAvgPool{}, tarn.F32, []int{2, 3}, []string{"GlobalAvgPool: the operand has shape [2 3]"}},
	} {
		g := tarn.NewGraph()
		c.layer.Forward(g.Input("x", c.dtype, c.shape...))
		refused(t, c.name, g, c.want)
	}
}
