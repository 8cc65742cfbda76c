// Command cnn trains a convolutional network on handwritten digits, to an accuracy of 99 %.
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
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/curve"
)

const batch = 64

// CNN is two convolutions and two linear layers. Images are [height width channels].
type CNN struct {
	Conv1, Conv2 *nn.Conv
	Hidden, Out  *nn.Linear
}

// NewCNN returns the network with PyTorch's initial weights.
func NewCNN() *CNN {
	return &CNN{nn.NewConv2d(1, 32, 3), nn.NewConv2d(32, 64, 3), nn.NewLinear(12*12*64, 128), nn.NewLinear(128, 10)}
}

// Forward returns the scores of the ten digits. Shapes: [n 784] -> [n 10].
func (m *CNN) Forward(x *tarn.Value) *tarn.Value {
	x = x.Reshape(-1, 28, 28, 1)
	x = m.Conv1.Forward(x).ReLU() // [n 26 26 32]
	x = m.Conv2.Forward(x).ReLU() // [n 24 24 64]
	x = nn.NewMaxPool(2, 2).Forward(x)
	x = nn.NewDropout(0.25).Forward(x)
	x = nn.Flatten{}.Forward(x)
	x = m.Hidden.Forward(x).ReLU()
	x = nn.NewDropout(0.5).Forward(x)
	return m.Out.Forward(x)
}

// Build describes the model on n images: its scores and its loss.
func (m *CNN) Build(g *tarn.Graph, n int) tarn.Outputs {
	x, y := g.Input("image", tarn.F32, n, 784), g.Input("label", tarn.I32, n)
	scores := m.Forward(x)
	return tarn.Outputs{"prediction": scores, "loss": nn.CrossEntropy(scores, y)}
}

// run trains on a set and returns the records of the epochs, with the accuracy on another set.
func run(ctx context.Context, w io.Writer, set, test *data.Set, epochs int) ([]train.Record, error) {
	m := NewCNN()
	if err := tarn.Init(m, 1); err != nil {
		return nil, err
	}
	adam := optim.NewAdam(1e-3)
	adam.Rate = optim.Cosine{Rate: 1e-3, Steps: epochs * ((set.Len() + batch - 1) / batch)}
	loop := train.NewLoop(m.Build, m, adam, set)
	loop.Valid, loop.Epochs, loop.Batch, loop.Seed = test, epochs, batch, 7
	loop.Metrics = []train.Metric{&train.Accuracy{}}
	for p, err := range loop.Run(ctx) {
		if err != nil {
			return nil, err
		}
		if r := p.Record; r != nil {
			fmt.Fprintf(w, "epoch %d  loss %.4f  test loss %.4f  accuracy %.4f\n", r.Epoch, r.TrainLoss, r.ValLoss, r.Metrics["accuracy"])
		}
	}
	return loop.History(), nil
}

func main() {
	epochs := flag.Int("epochs", 5, "times that each of the 60000 images is seen")
	picture := flag.String("curve", "", "file for the learning curve, a PNG")
	flag.Parse()
	set, test, err := mnist.Load()
	var history []train.Record
	if err == nil {
		history, err = run(context.Background(), os.Stdout, set, test, *epochs)
	}
	if err == nil && *picture != "" {
		err = curve.SavePNG(*picture, history)
	}
	if err != nil {
		log.Fatal(err)
	}
}
