package train_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// overlapComm tells when collectives begin and end on the communicator that gradients are sent on, which is a Split of that of the training.
type overlapComm struct {
	dist.Comm
	begun, ended func()
}

func (c *overlapComm) Split(color, key int) (dist.Comm, error) {
	child, err := c.Comm.Split(color, key)
	return &sendingComm{child, c}, err
}

type sendingComm struct {
	dist.Comm
	of *overlapComm
}

func (c *sendingComm) AllToAll(to, from []byte) error {
	c.of.begun()
	return c.Comm.AllToAll(to, from)
}

func (c *sendingComm) AllGather(all, part []byte) error {
	err := c.Comm.AllGather(all, part)
	c.of.ended()
	return err
}

// TestShardsOverlap proves by the order of events that gradients are sent while others are computed: the backward pass of the last shard of a rank stops before its last gradient until the
// first bucket is on its way. All buckets are summed when a step ends, and so before the next begins.
func TestShardsOverlap(t *testing.T) {
	const ranks, shards, width, steps = 2, 4, 1500, 3 // two buckets: the first has three of four layers
	for r, err := range disttest.Run(ranks, disttest.Options{}, func(c dist.Comm) error {
		model := []*nn.Linear{nn.NewLinear(width, width), nn.NewLinear(width, width), nn.NewLinear(width, width), nn.NewLinear(width, width)}
		if err := tarn.Init(model, 1); err != nil {
			return err
		}
		step, err := train.NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs {
			x := g.Input("x", tarn.F32, n, width)
			for _, l := range model {
				x = l.Forward(x).Tanh()
			}
			return tarn.Outputs{"loss": x.Square().Mean()}
		}, model, optim.NewSGD(0.1))
		if err != nil {
			return err
		}
		begun := make(chan int, 100) // of each bucket that begins, the gradients that are complete
		complete, ended := make(chan struct{}, 1000), make(chan struct{}, 100)
		step.Shards = &train.Shards{Comm: &overlapComm{c, func() { begun <- len(complete) }, func() { ended <- struct{}{} }}, N: shards}
		if err := step.Prepare(8); err != nil {
			return err
		}
		var late error
		first := -1
		total := len(model) * 2 * shards / ranks // gradients of a step
		step.OnComplete(func(name string) {
			if !strings.HasPrefix(name, "tarn.gradient") {
				return
			}
			if len(complete) == total-1 { // all but the last of the last shard
				select {
				case first = <-begun:
				case <-time.After(3 * time.Minute):
					late = errors.New("no bucket is sent before the backward pass ends")
				}
			}
			complete <- struct{}{}
		})
		for range steps {
			if _, err := step.Run(8, tarn.Zeros(tarn.F32, 8, width)); err != nil {
				return err
			}
			if late != nil {
				return late
			}
			// The first bucket has layers that are complete, and those are not all; the last one begins when all are.
			if last := <-begun; len(begun) > 0 || len(ended) != 2 || first <= total/2 || first >= total || last != total || len(complete) != total {
				return fmt.Errorf("buckets begin after %d and %d of %d gradients, %d are summed and %d have begun since", first, last, total, len(ended), len(begun))
			}
			for range total {
				<-complete
			}
			<-ended
			<-ended
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}
