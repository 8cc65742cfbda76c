// Command ranks trains a network over all processes that an MPI launcher has started:
//
//	go build ./examples/ranks && mpirun -n 2 ./ranks
//
// Started without one it is a training in one process, with the same bits.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/mpi"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

func main() {
	if err := mpi.Run(work); err != nil {
		log.Fatal(err)
	}
}

// work is what each rank does.
func work(c dist.Comm) error {
	set, test, err := mnist.Load()
	if err != nil {
		return err
	}
	model := []*nn.Linear{nn.NewLinear(784, 64), nn.NewLinear(64, 10)}
	if err := tarn.Init(model, 1); err != nil { // the same weights on all ranks
		return err
	}
	build := func(g *tarn.Graph, n int) tarn.Outputs {
		x, y := g.Input("image", tarn.F32, n, 784), g.Input("label", tarn.I32, n)
		logits := model[1].Forward(model[0].Forward(x).ReLU())
		return tarn.Outputs{"loss": nn.CrossEntropy(logits, y), "prediction": logits}
	}
	loop := train.NewLoop(build, model, optim.NewAdamW(1e-3), set)
	loop.Shards = &train.Shards{Comm: c}
	loop.Valid, loop.Metrics, loop.Epochs = test, []train.Metric{&train.Accuracy{}}, 1
	for p, err := range loop.Run(context.Background()) {
		if err != nil {
			return err
		}
		if p.Record != nil && c.Rank() == 0 {
			fmt.Printf("%d ranks: loss %.4f, accuracy %.4f\n", c.Size(), p.Record.ValLoss, p.Record.Metrics["accuracy"])
		}
	}
	return nil
}
