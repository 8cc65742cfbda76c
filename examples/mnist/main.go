// Command mnist trains a network on handwritten digits: a model as a struct, a loss, an optimizer and a loop.
package main

import (
	"context"
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

// MLP is a network of two linear layers.
type MLP struct{ Hidden, Out *nn.Linear }

// Forward returns the scores of the ten digits. Shapes: [n 784] -> [n 10].
func (m *MLP) Forward(x *tarn.Value) *tarn.Value {
	return m.Out.Forward(m.Hidden.Forward(x).ReLU())
}

// Build describes the model on n images: its scores and its loss.
func (m *MLP) Build(g *tarn.Graph, n int) tarn.Outputs {
	x, y := g.Input("image", tarn.F32, n, 784), g.Input("label", tarn.I32, n)
	scores := m.Forward(x)
	return tarn.Outputs{"prediction": scores, "loss": nn.CrossEntropy(scores, y)}
}

// run trains on a set and returns the accuracy on another.
func run(ctx context.Context, w io.Writer, set, test *data.Set, epochs int) (float64, error) {
	m := &MLP{nn.NewLinear(784, 256), nn.NewLinear(256, 10)}
	if err := tarn.Init(m, 42); err != nil {
		return 0, err
	}
	opt := optim.NewAdamW(2e-3)
	opt.WeightDecay = 0.01

	step, err := train.NewStepOf(m.Build, m, opt)
	if err != nil {
		return 0, err
	}
	for r, err := range step.Over(ctx, set.Batches(128, data.Options{Shuffle: true, Seed: 7, Epochs: epochs})) {
		if err != nil {
			return 0, err
		}
		if r.Batch.EndsEpoch() {
			fmt.Fprintf(w, "epoch %d  loss of the last batch %.4f\n", r.Batch.Position.Epoch+1, r.Loss)
		}
	}

	eval, err := train.NewEval(m.Build)
	if err != nil {
		return 0, err
	}
	var accuracy train.Accuracy
	loss, err := eval.Measure(ctx, test, 500, "label", &accuracy)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(w, "test loss %.4f, accuracy %.4f\n", loss, accuracy.Value())
	return accuracy.Value(), nil
}

func main() {
	set, test, err := mnist.Load()
	if err == nil {
		_, err = run(context.Background(), os.Stdout, set, test, 3)
	}
	if err != nil {
		log.Fatal(err)
	}
}
