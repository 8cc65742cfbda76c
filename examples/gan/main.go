// Command gan trains two networks against each other: one makes points of the plane out of noise, the other tells them from the data.
package main

import (
	"errors"
	"fmt"
	"log"
	"math"
	"math/cmplx"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

const (
	batch   = 256
	modes   = 8    // of the data, on the unit circle
	width   = 0.05 // standard deviation of the points around each
	penalty = 0.02 // on the square of the critic's slope at the data, without which the two run in circles (Mescheder et al. 2018)
)

// data draws points of the data. Shapes: [batch 2].
func data(g *tarn.Graph) *tarn.Value {
	angle := g.Uniform(tarn.F32, 0, modes, batch, 1).Floor().Scale(2 * math.Pi / modes)
	return tarn.Concat(1, angle.Cos(), angle.Sin()).Add(g.Normal(tarn.F32, 0, width, batch, 2))
}

// network returns a network of three layers.
func network(in, out int) *nn.Sequential {
	return nn.NewSequential(nn.NewLinear(in, 128), nn.ReLU{}, nn.NewLinear(128, 128), nn.ReLU{}, nn.NewLinear(128, out))
}

// judge returns the share of points that are within three standard deviations of a mode, and how many modes have such points.
func judge(points []float32) (share float64, found int) {
	near := map[int]int{}
	for i := 0; i < len(points); i += 2 {
		z := complex(float64(points[i]), float64(points[i+1]))
		mode := int(math.Round(cmplx.Phase(z)*modes/(2*math.Pi))+modes) % modes
		if cmplx.Abs(z-cmplx.Rect(1, 2*math.Pi/modes*float64(mode))) < 3*width {
			near[mode]++
			share += 2 / float64(len(points))
		}
	}
	return share, len(near)
}

func main() {
	generator, critic := network(4, 2), network(2, 1)
	g := tarn.NewGraph()
	real, fake := data(g), generator.Forward(g.Normal(tarn.F32, 0, 1, batch, 4))
	trust, doubt := critic.Forward(real), critic.Forward(fake).Neg()
	slope := tarn.Grad(trust.Sum(), real)[0]
	criticLoss := trust.Neg().Softplus().Add(doubt.Neg().Softplus()).Mean().Add(slope.Square().Sum(1).Mean().Scale(penalty / 2))
	teach, err := train.NewStep(criticLoss, critic, optim.NewAdam(1e-3))
	learn, err2 := train.NewStep(doubt.Softplus().Mean(), generator, optim.NewAdam(1e-3))
	draw, err3 := tarn.Compile(g, tarn.Outputs{"points": fake})
	if err := errors.Join(err, err2, err3, tarn.Init(generator, 1), tarn.Init(critic, 2)); err != nil {
		log.Fatal(err)
	}
	for i := 1; i <= 5000; i++ {
		c, err := teach.Run(batch)
		l, err2 := learn.Run(batch)
		if err := errors.Join(err, err2); err != nil {
			log.Fatal(err)
		}
		if i%1000 == 0 {
			out, err := draw.Run()
			if err != nil {
				log.Fatal(err)
			}
			share, found := judge(out["points"].F32())
			fmt.Printf("step %d  loss of the critic %.3f, of the generator %.3f  %.0f %% of the points good, %d of %d modes\n", i, c.Loss, l.Loss, 100*share, found, modes)
		}
	}
}
