package bench

import (
	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the workloads of images.

var images = []workload{
	{
		Name:  "cnn-mnist",
		About: "conv 32, conv 64, pool, dropout, 128, 10, batch 64, Adam",
		make: func(r *tarn.Random) (job, error) {
			return training(newCNN(), optim.NewAdam(1e-3), normal(r, 64, 28, 28, 1), classes(r, 10, 64))
		},
	},
	{
		Name:  "resnet20",
		About: "ResNet-20 on images of 32x32x3, batch 32, SGD with momentum",
		make: func(r *tarn.Random) (job, error) {
			opt := optim.NewSGD(0.1)
			opt.Momentum, opt.WeightDecay = 0.9, 1e-4
			return training(newResNet(3, 16, 32, 64), opt, normal(r, 32, 32, 32, 3), classes(r, 10, 32))
		},
	},
}

// newCNN returns a network of two convolutions for images of 28x28.
func newCNN() *nn.Sequential {
	return nn.NewSequential(nn.NewConv2d(1, 32, 3), nn.ReLU{}, nn.NewConv2d(32, 64, 3), nn.ReLU{}, nn.NewMaxPool(2), nn.NewDropout(0.25),
		nn.Flatten{}, nn.NewLinear(9216, 128), nn.ReLU{}, nn.NewDropout(0.5), nn.NewLinear(128, 10))
}

// resNet is a residual network for small images: a convolution, stages of blocks of two convolutions each, of which the first
// halves the image except in the first stage, the mean over the remaining image, and a linear layer.
// He et al., Deep residual learning for image recognition, CVPR 2016, section 4.2.
type resNet struct {
	Stem   *nn.Conv
	Norm   *nn.BatchNorm
	Blocks []*resBlock
	Head   *nn.Linear
}

type resBlock struct {
	Conv1, Conv2, Shortcut   *nn.Conv // Shortcut is nil if the block changes no size
	Norm1, Norm2, NormAcross *nn.BatchNorm
}

func newResNet(blocks int, widths ...int) *resNet {
	m := &resNet{Stem: unbiased(3, widths[0], 3, 1), Norm: nn.NewBatchNorm(widths[0]), Head: nn.NewLinear(widths[len(widths)-1], 10)}
	in := widths[0]
	for i, width := range widths {
		for j := range blocks {
			stride := 1
			if i > 0 && j == 0 {
				stride = 2
			}
			b := &resBlock{Conv1: unbiased(in, width, 3, stride), Conv2: unbiased(width, width, 3, 1), Norm1: nn.NewBatchNorm(width), Norm2: nn.NewBatchNorm(width)}
			if in != width {
				b.Shortcut, b.NormAcross = unbiased(in, width, 1, stride), nn.NewBatchNorm(width)
			}
			m.Blocks = append(m.Blocks, b)
			in = width
		}
	}
	return m
}

// unbiased returns a convolution without bias that keeps the size except for its stride.
func unbiased(in, out, size, stride int) *nn.Conv {
	c := nn.NewConv2d(in, out, size)
	c.Bias, c.Stride, c.Padding = nil, []int{stride}, []int{size / 2}
	return c
}

// Forward returns the logits. Shapes: [n h w 3] -> [n 10].
func (m *resNet) Forward(x *tarn.Value) *tarn.Value {
	x = m.Norm.Forward(m.Stem.Forward(x)).ReLU()
	for _, b := range m.Blocks {
		x = b.Forward(x)
	}
	return m.Head.Forward(nn.GlobalAvgPool{}.Forward(x))
}

// Forward returns the ReLU of the sum of x and its two convolutions. Shapes: [n h w c] -> [n h/stride w/stride width].
func (b *resBlock) Forward(x *tarn.Value) *tarn.Value {
	y := b.Norm2.Forward(b.Conv2.Forward(b.Norm1.Forward(b.Conv1.Forward(x)).ReLU()))
	if b.Shortcut != nil {
		x = b.NormAcross.Forward(b.Shortcut.Forward(x))
	}
	return y.Add(x).ReLU()
}
