// Command finetune takes a network that PyTorch has trained on the digits 0 to 4, and teaches it all ten by 50 examples.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// Net is the network of testdata/body.py, under names of its own.
type Net struct {
	Conv1, Conv2 *nn.Conv
	Hidden, Head *nn.Linear
}

// Build describes the model on n images: its scores and its loss.
func (m *Net) Build(g *tarn.Graph, n int) tarn.Outputs {
	x, label := g.Input("image", tarn.F32, n, 784).Reshape(-1, 28, 28, 1), g.Input("label", tarn.I32, n)
	pool := nn.NewMaxPool(2, 2)
	x = pool.Forward(m.Conv1.Forward(x).ReLU())
	x = pool.Forward(m.Conv2.Forward(x).ReLU())
	x = nn.Flatten{}.Forward(nn.ChannelsFirst{}.Forward(x)) // the order of features that a Linear of PyTorch expects
	scores := m.Head.Forward(m.Hidden.Forward(x).ReLU())
	return tarn.Outputs{"prediction": scores, "loss": nn.CrossEntropy(scores, label)}
}

// learn trains on 50 digits and returns the accuracy on the 10000 of the test set. It begins with the weights of a file, or if file is empty with random ones.
func learn(file string) (float64, error) {
	m := &Net{nn.NewConv2d(1, 8, 3), nn.NewConv2d(8, 16, 3), nn.NewLinear(400, 32), nn.NewLinear(32, 10)}
	set, test, err := mnist.Load()
	if err := errors.Join(err, tarn.Init(m, 1)); err != nil {
		return 0, err
	}
	if file != "" {
		if err := safetensors.LoadWeights(file, m, safetensors.LoadOptions{
			Rename:       map[string]string{"features.0.*": "conv1.*", "features.3.*": "conv2.*", "fc.*": "hidden.*"},
			Skip:         []string{"head.*"}, // of the file, which knows five digits
			AllowMissing: []string{"head.*"}, // of the model
		}); err != nil {
			return 0, err
		}
		for _, p := range []*tarn.Param{m.Conv1.Weight, m.Conv1.Bias, m.Conv2.Weight, m.Conv2.Bias} {
			p.Frozen = true
		}
	}
	few, err := set.Slice(0, 50)
	loop := train.NewLoop(m.Build, m, optim.NewAdam(2e-3), few)
	loop.Epochs, loop.Batch = 50, 10
	for _, err := range loop.Run(context.Background()) {
		if err != nil {
			return 0, err
		}
	}
	eval, err2 := train.NewEval(m.Build)
	if err := errors.Join(err, err2); err != nil {
		return 0, err
	}
	var accuracy train.Accuracy
	_, err = eval.Measure(context.Background(), test, 500, "label", &accuracy)
	return accuracy.Value(), err
}

func main() {
	adopted, err := learn("examples/finetune/testdata/body.safetensors")
	anew, err2 := learn("")
	if err := errors.Join(err, err2); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("50 examples of ten digits: accuracy %.3f with the body from PyTorch, %.3f without\n", adopted, anew)
}
