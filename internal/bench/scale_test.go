package bench

import (
	"bytes"
	"context"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// TestScale trains on ranks whose collectives last as long as over a slow network, and compares the steps with the prediction.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: waits for a slow network")
	}
	const width, batch = 900, 8
	step := func(ranks int, n *dist.Network) float64 {
		times := make([][]float64, ranks)
		for r, err := range disttest.Run(ranks, disttest.Options{Network: n}, func(c dist.Comm) error {
			model := nn.NewLinear(width, width)
			if err := tarn.Init(model, 1); err != nil {
				return err
			}
			s, err := train.NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs {
				return tarn.Outputs{"loss": model.Forward(g.Input("x", tarn.F32, n, width)).Square().Mean()}
			}, model, optim.NewSGD(0.1))
			if err != nil {
				return err
			}
			s.Shards = &train.Shards{Comm: c, N: ranks}
			x := tarn.Zeros(tarn.F32, batch*ranks, width)
			for range 9 {
				start := time.Now()
				if _, err := s.Run(batch*ranks, x); err != nil {
					return err
				}
				times[c.Rank()] = append(times[c.Rank()], time.Since(start).Seconds())
			}
			return nil
		}) {
			if err != nil {
				t.Fatalf("rank %d of %d: %v", r, ranks, err)
			}
		}
		return slices.Min(times[0]) // other programs on the machine can make a step longer only
	}
	network := dist.Network{Latency: 3e-3, Bandwidth: 40e6}
	for _, ranks := range []int{2, 4} {
		alone, got := step(ranks, nil), step(ranks, &network)
		var want Scaled
		for range 4 { // a busy machine gets further tries, of which the fastest count
			want = Model{Weights: width*width + width, Seconds: alone}.Scale(network, ranks)
			if math.Abs(got-want.Seconds) <= 0.25*want.Seconds {
				break
			}
			alone, got = min(alone, step(ranks, nil)), min(got, step(ranks, &network))
		}
		want = Model{Weights: width*width + width, Seconds: alone}.Scale(network, ranks)
		t.Logf("%d ranks: a step takes %.3g s, predicted %.3g s, without network %.3g s", ranks, got, want.Seconds, alone)
		if want.Exposed < 5*alone {
			t.Skipf("this machine is too slow to tell the network from computing: a step takes %v s without network", alone)
		}
		if math.Abs(got-want.Seconds) > 0.25*want.Seconds {
			t.Errorf("%d ranks: a step takes %v s, predicted were %v s", ranks, got, want.Seconds)
		}
	}
}

// TestMeasureNetwork measures a network by a clock that only the network moves.
func TestMeasureNetwork(t *testing.T) {
	for _, network := range []dist.Network{{Latency: 3e-3, Bandwidth: 40e6}, {Latency: 1e-5, Bandwidth: 1e10}} {
		synctest.Test(t, func(t *testing.T) {
			for r, err := range disttest.Run(3, disttest.Options{Network: &network}, func(c dist.Comm) error {
				n, err := dist.Measure(c)
				if err == nil && (math.Abs(n.Latency-network.Latency) > 0.01*network.Latency || math.Abs(n.Bandwidth-network.Bandwidth) > 0.01*network.Bandwidth) {
					t.Errorf("the network is measured as %+v, and is %+v", n, network)
				}
				return err
			}) {
				if err != nil {
					t.Fatalf("rank %d: %v", r, err)
				}
			}
		})
	}
}

// TestPredictions checks what predictions must hold, whatever the network.
func TestPredictions(t *testing.T) {
	m := Model{Name: "m", Weights: 10_800_000, Flops: 1e10, Seconds: 0.1}
	for _, n := range Networks {
		before := Scaled{Efficiency: 1}
		for _, ranks := range scaleRanks() {
			s := m.Scale(n.Network, ranks)
			if s.Efficiency > before.Efficiency+1e-9 || s.Efficiency <= 0 || s.Seconds < m.Seconds || s.Exposed > s.Sum+1e-2 && ranks > 1 {
				t.Errorf("%s: %+v after %+v", n.Name, s, before)
			}
			before = s
		}
		if least := 2 * float64(4*m.Weights) / n.Bandwidth; m.Scale(n.Network, 1024).Sum < 0.99*least {
			t.Errorf("%s: 1024 ranks sum in %v s, and the bytes alone need %v", n.Name, m.Scale(n.Network, 1024).Sum, least)
		}
	}
	// Three ranks of eight shards send more than two, because no subtree is theirs alone.
	n := dist.Network{Latency: 0, Bandwidth: 1e9}
	if two, three := n.Sum(8, 2, 1e6), n.Sum(8, 3, 1e6); !(three > 1.3*two) || math.Abs(two-1e-3) > 1e-6 {
		t.Errorf("two ranks take %v s and three %v", two, three)
	}
	var text, picture bytes.Buffer
	if err := WriteScaling(&text, []Model{m}, Networks); err != nil || !strings.Contains(text.String(), "1024") || !strings.Contains(text.String(), "InfiniBand") {
		t.Errorf("%v\n%s", err, text.String())
	}
	if err := DrawScaling(&picture, []Model{m, m}, Networks); err != nil {
		t.Error(err)
	} else if _, err := png.Decode(&picture); err != nil {
		t.Error(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Models(canceled, Options{}); err == nil {
		t.Error("a canceled measurement returns models")
	}
}
