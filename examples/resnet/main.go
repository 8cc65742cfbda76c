// Command resnet trains ResNet-20, a network of twenty layers for small photographs, on CIFAR-10 from a folder of yours or,
// without one, on colored digits that are part of the program.
// He, Zhang, Ren and Sun: Deep residual learning for image recognition, CVPR 2016, section 4.2.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/cifar"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/curve"
)

// Convolution is a convolution and the batch norm after it. An image has its channels last.
type Convolution struct {
	Conv *nn.Conv
	Norm *nn.BatchNorm
}

func newConvolution(in, out, size, stride int) *Convolution {
	c := nn.NewConv2d(in, out, size)
	c.Bias, c.Stride, c.Padding = nil, []int{stride}, []int{size / 2}
	c.Weight.SetInit(nn.KaimingNormal(nn.FanOut, nn.Gain(nn.ReLU{})))
	return &Convolution{c, nn.NewBatchNorm(out)}
}

// Forward convolves and normalizes.
func (c *Convolution) Forward(x *tarn.Value) *tarn.Value { return c.Norm.Forward(c.Conv.Forward(x)) }

// Block adds to its input the result of two convolutions of it.
type Block struct {
	First, Second *Convolution
	Shortcut      *Convolution // brings x to the size of the result; nil if it has that size
}

func newBlock(in, out, stride int) *Block {
	b := &Block{First: newConvolution(in, out, 3, stride), Second: newConvolution(out, out, 3, 1)}
	if in != out || stride != 1 {
		b.Shortcut = newConvolution(in, out, 1, stride)
	}
	return b
}

// Forward is relu(x + f(x)).
func (b *Block) Forward(x *tarn.Value) *tarn.Value {
	f := b.Second.Forward(b.First.Forward(x).ReLU())
	if b.Shortcut != nil {
		x = b.Shortcut.Forward(x)
	}
	return x.Add(f).ReLU()
}

// ResNet is a convolution, stages of blocks, of which each but the first halves height and width, and a linear layer on the mean
// of what is left of the image.
type ResNet struct {
	Stem   *Convolution
	Blocks []*Block
	Out    *nn.Linear
}

// NewResNet returns a network whose stages have the given numbers of channels and blocks.
func NewResNet(blocks int, channels ...int) *ResNet {
	m := &ResNet{Stem: newConvolution(3, channels[0], 3, 1)}
	in, stride := channels[0], 1
	for _, out := range channels {
		for range blocks {
			m.Blocks = append(m.Blocks, newBlock(in, out, stride))
			in, stride = out, 1
		}
		stride = 2
	}
	m.Out = nn.NewLinear(in, 10)
	return m
}

// Forward returns the scores of the ten classes. Shapes: [n 32 32 3] -> [n 10].
func (m *ResNet) Forward(x *tarn.Value) *tarn.Value {
	x = m.Stem.Forward(x).ReLU() // [n 32 32 16]
	for _, b := range m.Blocks {
		x = b.Forward(x) // [n 32 32 16], then [n 16 16 32], then [n 8 8 64]
	}
	return m.Out.Forward(nn.GlobalAvgPool{}.Forward(x))
}

// Build describes the model on n images: its scores and its loss.
func (m *ResNet) Build(g *tarn.Graph, n int) tarn.Outputs {
	x, y := g.Input("image", tarn.F32, n, 32, 32, 3), g.Input("label", tarn.I32, n)
	scores := m.Forward(x)
	return tarn.Outputs{"prediction": scores, "loss": nn.CrossEntropy(scores, y)}
}

// run trains a network on a set and returns the records of the epochs, measured on another set.
func run(ctx context.Context, w io.Writer, m *ResNet, set, test *data.Set, epochs, batch int) ([]train.Record, error) {
	if err := tarn.Init(m, 1); err != nil {
		return nil, err
	}
	opt := optim.NewSGD(0.05)
	opt.Momentum, opt.WeightDecay = 0.9, 1e-4
	opt.Rate = optim.Cosine{Rate: 0.05, Steps: epochs * (set.Len() / batch)}
	loop := train.NewLoop(m.Build, m, opt, set)
	loop.Valid, loop.Metrics = test, []train.Metric{&train.Accuracy{}}
	loop.Epochs, loop.Batch, loop.DropLast, loop.Seed = epochs, batch, true, 7
	for p, err := range loop.Run(ctx) {
		if err != nil {
			return nil, err
		}
		if r := p.Record; r != nil {
			fmt.Fprintf(w, "epoch %2d  loss %.4f  test loss %.4f  test accuracy %.4f  %.0f s\n", r.Epoch, r.TrainLoss, r.ValLoss, r.Metrics["accuracy"], r.Seconds)
		}
	}
	return loop.History(), nil
}

// photographs returns CIFAR-10: images to train with, mirrored and moved at random, and images to test with.
func photographs(folder string) (set, test *data.Set, err error) {
	if set, test, err = cifar.Load(folder); err != nil {
		return nil, nil, err
	}
	return prepare(set, test, data.RandomFlip{}, data.RandomCrop{Pad: 4})
}

// digits returns the MNIST database, painted. Digits are moved at random, but not mirrored: a mirrored digit is not a digit.
func digits(n, tests int) (set, test *data.Set, err error) {
	if set, test, err = mnist.Load(); err != nil {
		return nil, nil, err
	}
	for _, part := range []struct {
		set  **data.Set
		n    int
		seed uint64
	}{{&set, n, 1}, {&test, tests, 2}} {
		s, err := (*part.set).Slice(0, min(part.n, (*part.set).Len()))
		if err != nil {
			return nil, nil, err
		}
		if *part.set, err = mnist.Colored(s, part.seed); err != nil {
			return nil, nil, err
		}
	}
	return prepare(set, test, data.RandomCrop{Pad: 4})
}

// prepare normalizes both sets by the moments of the training set, and adds random changes to that set.
func prepare(set, test *data.Set, transforms ...data.Transform) (*data.Set, *data.Set, error) {
	moments, err := set.Moments("image", false)
	if err != nil {
		return nil, nil, err
	}
	if set, err = set.Normalize("image", moments); err != nil {
		return nil, nil, err
	}
	if test, err = test.Normalize("image", moments); err != nil {
		return nil, nil, err
	}
	set, err = set.Transform("image", transforms...)
	return set, test, err
}

func main() {
	folder := flag.String("cifar", "", "the folder cifar-10-batches-bin; without it the images are colored digits")
	n := flag.Int("images", 20000, "colored digits to train with")
	epochs := flag.Int("epochs", 8, "times that each image is seen")
	picture := flag.String("curve", "", "file for the learning curve, a PNG")
	flag.Parse()
	var set, test *data.Set
	var err error
	if *folder != "" {
		set, test, err = photographs(*folder)
	} else {
		set, test, err = digits(*n, 10000)
	}
	if err != nil {
		log.Fatal(err)
	}
	history, err := run(context.Background(), os.Stdout, NewResNet(3, 16, 32, 64), set, test, *epochs, 64)
	if err == nil && *picture != "" {
		err = curve.SavePNG(*picture, history)
	}
	if err != nil {
		log.Fatal(err)
	}
}
