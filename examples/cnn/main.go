// Command cnn trains a convolutional network on handwritten digits, to 99 of 100.
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
)

// CNN is two convolutions and two linear layers. Images are [height width channels].
type CNN struct {
	Conv1, Conv2 *nn.Conv
	Hidden, Out  *nn.Linear
}

// NewCNN returns the network with PyTorch's first weights.
func NewCNN() *CNN {
	return &CNN{nn.NewConv2d(1, 32, 3), nn.NewConv2d(32, 64, 3), nn.NewLinear(12*12*64, 128), nn.NewLinear(128, 10)}
}

// Forward gives the scores of the ten digits. Shapes: [n 784] -> [n 10].
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

// Build is the model on n images: its scores and its loss.
func (m *CNN) Build(g *tarn.Graph, n int) tarn.Outputs {
	x, y := g.Input("image", tarn.F32, n, 784), g.Input("label", tarn.I32, n)
	scores := m.Forward(x)
	return tarn.Outputs{"prediction": scores, "loss": nn.CrossEntropy(scores, y)}
}

// run trains on a set and returns the accuracy on another, after each epoch and at the end.
func run(ctx context.Context, w io.Writer, set, test *data.Set, epochs int) (float64, error) {
	m := NewCNN()
	if err := tarn.Init(m, 1); err != nil {
		return 0, err
	}
	batches := set.Batches(64, data.Options{Shuffle: true, Seed: 7, Epochs: epochs})
	opt := optim.NewAdam(1e-3)
	opt.Rate = optim.Cosine{Rate: 1e-3, Steps: epochs * batches.PerEpoch()}
	step, err := train.NewStepOf(m.Build, m, opt)
	if err != nil {
		return 0, err
	}
	eval, err := train.NewEval(m.Build)
	if err != nil {
		return 0, err
	}
	accuracy := 0.0
	for r, err := range step.Over(ctx, batches) {
		if err != nil {
			return 0, err
		}
		if r.Batch.EndsEpoch() {
			var measured train.Accuracy
			loss, err := eval.Measure(ctx, test, 500, "label", &measured)
			if err != nil {
				return 0, err
			}
			accuracy = measured.Value()
			fmt.Fprintf(w, "epoch %d  test loss %.4f  accuracy %.4f\n", r.Batch.Position.Epoch+1, loss, accuracy)
		}
	}
	return accuracy, nil
}

func main() {
	epochs := flag.Int("epochs", 5, "times that each of the 60000 images is seen")
	flag.Parse()
	set, test, err := mnist.Load()
	if err == nil {
		_, err = run(context.Background(), os.Stdout, set, test, *epochs)
	}
	if err != nil {
		log.Fatal(err)
	}
}
