package nn_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/nn"
)

// This file compares the layers of images and the normalizations with PyTorch: testdata/images.py writes the numbers.

type imageCase struct {
	goldenCase
	After map[string]array // states after one step
}

func convOf(c *nn.Conv, set func(o *tarn.ConvOptions)) *nn.Conv {
	if set != nil {
		set(&c.ConvOptions)
	}
	return c
}

// withWeightNorm and withSpectralNorm give a layer of one weight a transform.
func weightNormed(p *tarn.Param) nn.WeightTransform { return nn.NewWeightNorm(p) }

func spectral(p *tarn.Param) nn.WeightTransform { return nn.NewSpectralNorm(p) }

func linearWith(l *nn.Linear, t func(p *tarn.Param) nn.WeightTransform) nn.Layer {
	l.Transform = t(l.Weight)
	return l
}

func convWith(c *nn.Conv, t func(p *tarn.Param) nn.WeightTransform) nn.Layer {
	c.Transform = t(c.Weight)
	return c
}

var window = func(stride, padding []int) tarn.Window { return tarn.Window{Stride: stride, Padding: padding} }

var imageModels = map[string]func() nn.Layer{
	"Conv1d": func() nn.Layer { return nn.NewConv1d(3, 2, 3) },
	"Conv2d": func() nn.Layer { return nn.NewConv2d(3, 4, 3) },
	"Conv2d without bias": func() nn.Layer {
		c := nn.NewConv(2, 3, 1, 2, 3)
		c.Bias = nil
		return c
	},
	"Conv2d strided and padded": func() nn.Layer {
		return convOf(nn.NewConv2d(2, 3, 3), func(o *tarn.ConvOptions) { o.Window = window([]int{2}, []int{1}) })
	},
	"Conv2d padded apart": func() nn.Layer {
		return convOf(nn.NewConv(2, 2, 1, 3, 2), func(o *tarn.ConvOptions) { o.Window = window([]int{1, 2}, []int{2, 1}) })
	},
	"Conv2d same": func() nn.Layer {
		return convOf(nn.NewConv(2, 2, 1, 3, 2), func(o *tarn.ConvOptions) { o.Same = true })
	},
	"Conv2d dilated": func() nn.Layer {
		return convOf(nn.NewConv2d(2, 2, 3), func(o *tarn.ConvOptions) { o.Dilation, o.Padding = []int{2}, []int{2} })
	},
	"Conv2d in groups": func() nn.Layer {
		return convOf(nn.NewConv(4, 6, 2, 3, 3), func(o *tarn.ConvOptions) { o.Padding = []int{1} })
	},
	"Conv2d depthwise": func() nn.Layer {
		return convOf(nn.NewConv(3, 3, 3, 3, 3), func(o *tarn.ConvOptions) { o.Window = window([]int{2}, []int{1}) })
	},
	"Conv2d depthwise multiplied": func() nn.Layer { return nn.NewConv(2, 4, 2, 3, 3) },
	"Conv3d": func() nn.Layer {
		return convOf(nn.NewConv3d(2, 2, 2), func(o *tarn.ConvOptions) { o.Window = window([]int{1, 2, 1}, []int{1}) })
	},
	"ConvTranspose1d": func() nn.Layer {
		c := nn.NewConvTranspose1d(3, 2, 3)
		c.Stride = []int{2}
		return c
	},
	"ConvTranspose2d": func() nn.Layer { return nn.NewConvTranspose2d(3, 2, 3) },
	"ConvTranspose2d with all": func() nn.Layer {
		c := nn.NewConvTranspose(4, 4, 2, 3, 3)
		c.Stride, c.Padding, c.Extra, c.Dilation = []int{2}, []int{1}, []int{1}, []int{2}
		return c
	},
	"ConvTranspose3d": func() nn.Layer {
		c := nn.NewConvTranspose3d(2, 2, 2)
		c.Stride = []int{2}
		return c
	},

	"MaxPool1d": func() nn.Layer { return nn.NewMaxPool(2) },
	"MaxPool2d": func() nn.Layer { return nn.NewMaxPool(2) },
	"MaxPool2d with all": func() nn.Layer {
		return &nn.MaxPool{Size: []int{3, 2}, Window: tarn.Window{Stride: []int{2}, Padding: []int{1}, Ceil: true}}
	},
	"MaxPool2d dilated": func() nn.Layer {
		return &nn.MaxPool{Size: []int{2}, Window: tarn.Window{Stride: []int{1}, Dilation: []int{2}}}
	},
	"MaxPool3d": func() nn.Layer { return nn.NewMaxPool(2) },
	"AvgPool1d": func() nn.Layer { return nn.NewAvgPool(2) },
	"AvgPool2d": func() nn.Layer { return nn.NewAvgPool(2) },
	"AvgPool2d padded": func() nn.Layer {
		return &nn.AvgPool{Size: []int{3}, Window: window([]int{2}, []int{1}), CountPadding: true}
	},
	"AvgPool2d padded, not counted": func() nn.Layer { return &nn.AvgPool{Size: []int{3}, Window: window([]int{2}, []int{1})} },
	"AvgPool2d ceil": func() nn.Layer {
		return &nn.AvgPool{Size: []int{3}, Window: tarn.Window{Stride: []int{2}, Padding: []int{1}, Ceil: true}, CountPadding: true}
	},
	"AvgPool2d ceil, not counted": func() nn.Layer {
		return &nn.AvgPool{Size: []int{3}, Window: tarn.Window{Stride: []int{2}, Padding: []int{1}, Ceil: true}}
	},
	"AvgPool3d": func() nn.Layer { return nn.NewAvgPool(2) },
	"LpPool2d":  func() nn.Layer { return nn.NewLpPool(2, 2) },
	"LpPool2d of power 3.5": func() nn.Layer {
		return &nn.LpPool{P: 3.5, Size: []int{2}, Window: window([]int{1}, nil)}
	},
	"AdaptiveAvgPool1d":            func() nn.Layer { return nn.NewAdaptiveAvgPool(3) },
	"AdaptiveAvgPool2d":            func() nn.Layer { return nn.NewAdaptiveAvgPool(3, 2) },
	"AdaptiveAvgPool2d even":       func() nn.Layer { return nn.NewAdaptiveAvgPool(2) },
	"GlobalAvgPool":                func() nn.Layer { return nn.GlobalAvgPool{} },
	"GlobalMaxPool":                func() nn.Layer { return nn.GlobalMaxPool{} },
	"Upsample":                     func() nn.Layer { return nn.NewUpsample(2) },
	"Upsample linear":              func() nn.Layer { return &nn.Upsample{Scale: 3, Linear: true} },
	"Upsample linear with corners": func() nn.Layer { return &nn.Upsample{Scale: 2, Linear: true, AlignCorners: true} },
	"Upsample of one axis":         func() nn.Layer { return &nn.Upsample{Scale: 2, Linear: true} },
	"PixelShuffle":                 func() nn.Layer { return nn.PixelShuffle{R: 2} },

	"BatchNorm1d": func() nn.Layer { return nn.NewBatchNorm(3) },
	"BatchNorm1d of sequences": func() nn.Layer {
		b := nn.NewBatchNorm(3)
		b.Eps = 0.1
		return b
	},
	"BatchNorm2d":               func() nn.Layer { return nn.NewBatchNorm(3) },
	"BatchNorm2d in evaluation": func() nn.Layer { return nn.NewBatchNorm(3) },
	"BatchNorm2d of another momentum": func() nn.Layer {
		b := nn.NewBatchNorm(2)
		b.Momentum = 0.3
		return b
	},
	"BatchNorm2d averaging": func() nn.Layer {
		b := nn.NewBatchNorm(2)
		b.Momentum = -1
		return b
	},
	"BatchNorm2d without weights": func() nn.Layer {
		b := nn.NewBatchNorm(2)
		b.Weight, b.Bias = nil, nil
		return b
	},
	"BatchNorm2d without statistics": func() nn.Layer {
		b := nn.NewBatchNorm(2)
		b.RunningMean, b.RunningVar, b.NumBatchesTracked = nil, nil, nil
		return b
	},
	"BatchNorm3d": func() nn.Layer { return nn.NewBatchNorm(2) },
	"GroupNorm":   func() nn.Layer { return nn.NewGroupNorm(2, 4) },
	"GroupNorm of vectors": func() nn.Layer {
		l := nn.NewGroupNorm(2, 6)
		l.Eps = 0.1
		return l
	},
	"InstanceNorm2d":        func() nn.Layer { return nn.NewInstanceNorm() },
	"InstanceNorm2d affine": func() nn.Layer { return nn.NewInstanceNormAffine(3) },
	"RMSNorm":               func() nn.Layer { return nn.NewRMSNorm(4) },
	"RMSNorm with eps": func() nn.Layer {
		l := nn.NewRMSNorm(4)
		l.Eps = 0.1
		return l
	},
	"WeightNorm":                  func() nn.Layer { return linearWith(nn.NewLinear(3, 4), weightNormed) },
	"WeightNorm of a convolution": func() nn.Layer { return convWith(nn.NewConv2d(2, 3, 2), weightNormed) },
	"SpectralNorm":                func() nn.Layer { return linearWith(nn.NewLinear(3, 4), spectral) },
	"SpectralNorm in evaluation":  func() nn.Layer { return convWith(nn.NewConv2d(2, 3, 2), spectral) },
}

// torchNames are the names of what PyTorch's parametrizations hold, by those of Tarn.
var torchNames = map[string]string{
	"parametrizations.weight.original0": "transform.g", "parametrizations.weight.original1": "weight", "parametrizations.weight.original": "weight",
	"parametrizations.weight.0._u": "transform._u", "parametrizations.weight.0._v": "transform._v",
}

func renamed(from map[string]array) map[string]array {
	to := map[string]array{}
	for name, a := range from {
		if own := torchNames[name]; own != "" {
			name = own
		}
		to[name] = a
	}
	return to
}

func TestImageGoldens(t *testing.T) {
	data, err := os.ReadFile("testdata/images.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []imageCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, c := range cases {
		tested[c.Name] = true
		make := imageModels[c.Name]
		if make == nil {
			t.Errorf("%s: no model is made for the golden", c.Name)
			continue
		}
		c.In, c.Grad, c.After = renamed(c.In), renamed(c.Grad), renamed(c.After)
		for dtype, tolerance := range map[tarn.DType]float64{tarn.F64: 1e-10, tarn.F32: 5e-5} {
			l := make()
			got := c.runLayer(t, l, dtype)
			if diff := got["out"].Diff(c.Out.tensor(dtype), tolerance); diff != "" {
				t.Errorf("%s, %v: result: %s", c.Name, dtype, diff)
			}
			for name, want := range c.Grad {
				if diff := got["grad "+name].Diff(want.tensor(dtype), tolerance); diff != "" {
					t.Errorf("%s, %v: gradient by %s: %s", c.Name, dtype, name, diff)
				}
			}
			params, _ := tarn.Params(l)
			for name, p := range params.All() {
				if want, ok := c.After[name]; ok && p.DType().IsFloat() {
					if diff := p.Tensor().Diff(want.tensor(dtype), tolerance); diff != "" {
						t.Errorf("%s, %v: %s after a step: %s", c.Name, dtype, name, diff)
					}
				} else if ok && p.Tensor().Float(0) != want.Data[0] {
					t.Errorf("%s: %s is %v after a step, want %v", c.Name, name, p.Tensor().Float(0), want.Data[0])
				}
			}
		}
	}
	for name := range imageModels {
		if !tested[name] {
			t.Errorf("%s: there is no golden", name)
		}
	}
}

// runLayer returns the result and the gradients, as goldenCase.run, in training where the case has states afterwards.
func (c imageCase) runLayer(t *testing.T, l nn.Layer, dtype tarn.DType) tarn.Results {
	g := tarn.NewGraph()
	if c.After == nil || len(c.After) == 0 {
		g.Eval()
	}
	x := c.In["x"].tensor(dtype)
	v := g.Input("x", dtype, x.Shape()...)
	operands := map[string]tarn.Operand{"x": v}
	if params, err := tarn.Params(l); err == nil {
		if err := tarn.Cast(l, dtype); err != nil {
			t.Fatal(err)
		}
		for name, p := range params.All() {
			a, ok := c.In[name]
			if !ok {
				t.Fatalf("%s: PyTorch has no param %q", c.Name, name)
			}
			want := a.tensor(p.DType())
			if a.Int {
				want = want.Cast(p.DType())
			}
			if err := p.Set(want); err != nil {
				t.Fatal(err)
			}
			operands[name] = p
		}
	}
	out := l.Forward(v)
	factors := tarn.Zeros(dtype, out.Shape()...)
	for i := range factors.Size() {
		factors.SetFloat(i, math.Cos(float64(i)))
	}
	total := out.Mul(g.Const(factors)).Sum()
	outputs := tarn.Outputs{"out": out}
	for name := range c.Grad {
		if operands[name] == nil {
			t.Fatalf("%s: the model has no param %q", c.Name, name)
		}
		outputs["grad "+name] = tarn.Grad(total, operands[name])[0]
	}
	return run(t, c.Name, g, outputs, map[string]*tarn.Tensor{"x": x})
}

// TestLoadsWhatPyTorchSaves loads the state_dict of a network by PyTorch's names and compares the result.
func TestLoadsWhatPyTorchSaves(t *testing.T) {
	first, up := nn.NewConv2d(2, 4, 3), nn.NewConvTranspose2d(3, 2, 2)
	first.Bias, first.Padding, up.Stride = nil, []int{1}, []int{2}
	net := nn.NewSequential(first, nn.NewBatchNorm(4), nn.ReLU{}, nn.NewMaxPool(2), nn.NewConv2d(4, 3, 2), nn.ReLU{}, up,
		nn.Func(func(x *tarn.Value) *tarn.Value { return nn.Flatten{}.Forward(x.ChannelsFirst()) }), nn.NewLinear(16, 5))
	if err := safetensors.LoadWeights("testdata/images.safetensors", net, safetensors.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	file, err := safetensors.Load("testdata/images_xy.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	x, y := file.Tensors["x"], file.Tensors["y"]
	g := tarn.NewGraph()
	g.Eval()
	out := net.Forward(g.Input("x", tarn.F32, x.Shape()...).ChannelsLast())
	got := run(t, "network", g, tarn.Outputs{"y": out}, map[string]*tarn.Tensor{"x": x})["y"]
	if diff := got.Diff(y, 1e-5); diff != "" {
		t.Error(diff)
	}
}
