package doctor_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/nightly"
	"github.com/seed-49005b45/tarn/nn"
)

// This file draws trainings at random. Nobody knows which of them are sick, but those that end well are not.

// TestRandom asserts that few trainings that end well are suspected, in between or in the end.
func TestRandom(t *testing.T) {
	for seed := range nightly.Seeds(t) {
		r := rand.New(rand.NewPCG(seed, 7))
		well, alarms := 0, 0
		for range 200 {
			c := random(r)
			verdicts, end := c.judge(t, seed)
			var before, after float64
			if n, err := fmt.Sscanf(end[max(0, lossAt(end)):], "loss %g to %g", &before, &after); n != 2 || err != nil || !(after < 0.3*before) {
				continue
			}
			well++
			if len(verdicts) > 0 {
				alarms++
				t.Logf("%s\n\t%s: %s\n\t%s\n\t%s", c.name, verdicts[0].Rule, verdicts[0].Headline, verdicts[0].Evidence, end)
			}
		}
		t.Logf("seed %d: %d of %d trainings that end well are suspected", seed, alarms, well)
		if well < 80 || 20*alarms > well {
			t.Error("these are too many, or too few end well")
		}
	}
}

// lossAt is where a report says how the loss has gone.
func lossAt(end string) int {
	for i := range end {
		if len(end) >= i+5 && end[i:i+5] == "loss " {
			return i
		}
	}
	return -1
}

// random draws a training.
func random(r *rand.Rand) (c training) {
	pick := func(n ...int) int { return n[r.IntN(len(n))] }
	activation := []nn.Layer{nn.ReLU{}, nn.Tanh{}, nn.GELU{}, nn.SELU{}, nn.LeakyReLU{}, nn.ELU{}, nn.SiLU{}}[r.IntN(7)]
	init, depth := r.IntN(4), 2+r.IntN(6)
	o := r.IntN(12)
	c.opt = []optimizer{sgd(0.05), sgd(0.1), sgd(0.02), momentum(0.01), momentum(0.05), adam(1e-3), adam(3e-3), adam(1e-2), rmsprop(1e-3), warm(adam(3e-3)), decaying(3e-3, 0.01, 0.01), clipped(0.1, 1)}[o]
	c.batch, c.epochs = pick(4, 16, 32, 64, 128), pick(4, 12, 24, 48)
	n, d, out := pick(128, 512, 1500), r.IntN(7), classes
	c.loss = func(y, t *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, t) }
	switch d {
	case 0:
		c.set, c.valid = blobs(n, 1, nil), blobs(200, 2, nil)
	case 1:
		c.set = noisy(n, 1)
	case 2:
		c.set, c.valid, out = curve(n, 1, 1, 0), curve(200, 2, 1, 0), 1
		c.loss = func(y, t *tarn.Value) *tarn.Value { return nn.MSE(y, t) }
	case 3:
		c.set, out = yes(n, 1, 1), 1
		c.loss = func(y, t *tarn.Value) *tarn.Value { return nn.BCEWithLogits(y, t) }
	case 4:
		c.set, out = signs(n, 1), 1
		c.loss = func(y, t *tarn.Value) *tarn.Value { return nn.Hinge(y, t) }
	case 5:
		c.set = oneHot(n, 1)
		c.loss = func(y, t *tarn.Value) *tarn.Value { return nn.MSE(y, t) }
	case 6:
		c.set = ranked(n, 1, 0.7)
	}
	m := chain(width, depth, out, activation, []tarn.Initializer{he, xavier, nil, nn.Orthogonal(1)}[init])
	batchNorm := r.IntN(4) == 0
	if batchNorm {
		m = normed(m)
	}
	c.model = m
	c.name = fmt.Sprintf("%T, weights %d, depth %d, optimizer %d, batches of %d, %d epochs of %d examples, data %d, batch norm %v", activation, init, depth, o, c.batch, c.epochs, n, d, batchNorm)
	return c
}
