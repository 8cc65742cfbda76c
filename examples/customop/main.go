// Command customop trains a network whose weights are +1 and -1. The sign has no useful derivative, so it is an op with a gradient of its own.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// Sign is +1 or -1. Its derivative is 0, and nothing could be learned through it. Instead its gradient passes through unchanged
// where v is from -1 to 1, and is 0 elsewhere (Courbariaux et al. 2016, Binarized neural networks).
func Sign(v *tarn.Value) *tarn.Value {
	y := v.Ge(tarn.Num(0)).Where(v.Num(1), v.Num(-1))
	return tarn.WithGradient(y, []*tarn.Value{v}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{v.Abs().Le(tarn.Num(1)).Where(dy, tarn.Num(0))}
	})
}

// Norm is the length of each row, with the gradient v/|v|, and 0 for a row of zeros, for which the rule of the root would make it NaN.
func Norm(v *tarn.Value) *tarn.Value {
	y := v.Square().Sum(-1).Sqrt().Unsqueeze(-1)
	return tarn.WithGradient(y, []*tarn.Value{v}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{dy.Mul(v).Div(y.Maximum(tarn.Num(1e-30)))}
	})
}

// MLP is a network of layers x Sign(W)' / |x|.
type MLP struct{ Weights []*tarn.Param }

// Build describes the model on n images: its scores and its loss.
func (m *MLP) Build(g *tarn.Graph, n int) tarn.Outputs {
	x, label := g.Input("image", tarn.F32, n, 784), g.Input("label", tarn.I32, n)
	for _, w := range m.Weights {
		x = x.ReLU() // which leaves an image as it is
		x = x.Div(Norm(x).AddNum(1e-6)).MatMulT(Sign(w.Value(g)))
	}
	return tarn.Outputs{"prediction": x, "loss": nn.CrossEntropy(x, label)}
}

// run trains on a set and returns the accuracy on another.
func run(set, test *data.Set, epochs int) (accuracy float64, err error) {
	weight := func(out, in int) *tarn.Param { return tarn.NewParam(tarn.F32, nn.Uniform(-1, 1), out, in) }
	m := &MLP{[]*tarn.Param{weight(512, 784), weight(512, 512), weight(10, 512)}}
	if err := tarn.Init(m, 1); err != nil {
		return 0, err
	}
	adam := optim.NewAdam(0)
	adam.Rate = optim.Cosine{Rate: 1e-2, Steps: epochs * set.Len() / 100}
	loop := train.NewLoop(m.Build, m, adam, set)
	loop.Valid, loop.Epochs, loop.Batch, loop.Metrics = test, epochs, 100, []train.Metric{&train.Accuracy{}}
	for p, err := range loop.Run(context.Background()) {
		if err != nil {
			return 0, err
		}
		if r := p.Record; r != nil {
			accuracy = r.Metrics["accuracy"]
			fmt.Printf("epoch %d  loss %.4f  accuracy %.4f\n", r.Epoch, r.TrainLoss, accuracy)
		}
	}
	return accuracy, nil
}

func main() {
	set, test, err := mnist.Load()
	if err == nil {
		_, err = run(set, test, 5)
	}
	if err != nil {
		log.Fatal(err)
	}
}
