package tarn_test

import (
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file compares what Summary says of models with what was counted by hand.

func TestSummary(t *testing.T) {
	tokens := func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.I32, 2, 8) }
	image := func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 2, 8, 8, 3) }
	rows := func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 5, 4) }
	sequence := func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 2, 3, 4) }
	vector := func() *tarn.Param { return tarn.NewParam(tarn.F32, nil, 4) }
	transposed := nn.NewConvTranspose2d(3, 2, 2)
	transposed.Stride = []int{2}
	frozen := nn.NewLinear(4, 2)
	frozen.Weight.Frozen = true
	for _, c := range []struct {
		name  string
		model nn.Layer
		x     func(g *tarn.Graph) *tarn.Value
		want  string
	}{
		{"mlp", nn.NewSequential(nn.NewLinear(4, 6), nn.ReLU{}, nn.NewSequential(nn.NewLinear(6, 3))), rows, `
layer  result  activation  weights  share  multiplications
0      [5 6]   ReLU             30  58.8%              120
2                               21  41.2%               90
  0    [5 3]                    21  41.2%               90
51 weights, all trainable, 204 B; 210 multiplications for the loss`},
		// 2*6*6 places, windows of 3*3*3; then 2*3*3 places of 4*4*2, where a group has 2 of the 4 channels; and 2*8*8 of 3*2*2*2.
		{"convolutions", nn.NewSequential(nn.NewConv2d(3, 4, 3), nn.NewConv(4, 2, 2, 4, 4)), image, `
layer  result     activation  weights  share  multiplications
0      [2 6 6 4]                  112  62.9%            7,776
1      [2 3 3 2]                   66  37.1%            1,152
178 weights, all trainable, 712 B; 8,928 multiplications for the loss`},
		{"transposed", nn.NewSequential(transposed), image, `
layer  result       activation  weights   share  multiplications
0      [2 16 16 2]                   26  100.0%            3,072
26 weights, all trainable, 104 B; 3,072 multiplications for the loss`},
		// A product of all inputs, [16 4] with [4 24], and 8 of a state, [2 6] with [6 24].
		{"recurrent", nn.NewSequential(nn.NewEmbedding(10, 4), nn.NewLSTM(4, 6, nn.RecurrentOptions{})), tokens, `
layer  result   activation  weights  share  multiplications
0      [2 8 4]                   40  12.2%                0
1      [8 2 6]                  288  87.8%            3,840
328 weights, all trainable, 1.3 KiB; 3,840 multiplications for the loss`},
		// Two heads of 3 queries and keys of 2 numbers, in two examples: 2*2*3*3*(2+2).
		{"attention", nn.NewSequential(nn.NewMultiHeadAttention(4, 2)), sequence, `
layer              result    activation  weights   share  multiplications
0                  [2 3 12]                   80  100.0%              384
  out_proj         [2 3 4]                    20   25.0%               96
(without weights)                              0    0.0%              144
80 weights, all trainable, 320 B; 528 multiplications for the loss`},
		{"norm and states", nn.NewSequential(frozen, nn.NewBatchNorm(2)), rows, `
layer  result  activation  weights  share  multiplications
0      [5 2]                    10  52.6%               40
1      [5 2]                     9  47.4%                0
19 weights, 6 trainable, 80 B; 40 multiplications for the loss`},
		{"unused", &twoTowers{nn.NewLinear(4, 4), nn.NewLinear(4, 4), &byHand{vector(), vector()}, nn.NewLinear(4, 1)}, rows, `
layer   result  activation  weights  share  multiplications
shared  [5 4]                    20  37.7%              160
idle                             20  37.7%                0
hand    [5 4]   Sigmoid           8  15.1%                0
out     [5 1]                     5   9.4%               20
53 weights, all trainable, 212 B; 180 multiplications for the loss
the loss does not depend on: idle.weight, idle.bias`},
	} {
		s, err := tarn.Summary(c.model, c.model.Forward(c.x(tarn.NewGraph())))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := s.String(); got != strings.TrimPrefix(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant%s", c.name, got, c.want)
		}
	}
	g := tarn.NewGraph()
	x := rows(g)
	for want, of := range map[string]func() (*tarn.ModelSummary, error){
		"holds no *tarn.Param": func() (*tarn.ModelSummary, error) { return tarn.Summary(nn.ReLU{}, x) },
		"the loss is nil":      func() (*tarn.ModelSummary, error) { return tarn.Summary(nn.NewLinear(1, 1), nil) },
		"summary_test.go": func() (*tarn.ModelSummary, error) {
			m := nn.NewLinear(3, 1)
			return tarn.Summary(m, m.Forward(rows(tarn.NewGraph())))
		},
	} {
		if s, err := of(); s != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("summary %v, error %v, want %q", s, err, want)
		}
	}
	if got := (*tarn.ModelSummary)(nil).String(); got != "<nil>" {
		t.Errorf("a nil summary prints %q", got)
	}
}

// TestProgramSteps compares the costs of a program's steps with those that Profile lists.
func TestProgramSteps(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 8, 16)
	p, err := tarn.Compile(g, tarn.Outputs{"y": x.MatMulT(x).Softmax(-1)})
	if err != nil {
		t.Fatal(err)
	}
	steps := p.Steps()
	profile, err := p.Profile(1, tarn.Zeros(tarn.F32, 8, 16))
	if err != nil || len(steps) != len(profile) || len(steps) < 2 {
		t.Fatalf("%d steps, %d profiled: %v", len(steps), len(profile), err)
	}
	for i, s := range steps {
		want := profile[i]
		want.Time = 0
		if s != want {
			t.Errorf("step %d is %+v, profiled %+v", i, s, want)
		}
	}
	if steps[0].Flops != 2*8*8*16 {
		t.Errorf("the product has %d operations, want %d", steps[0].Flops, 2*8*8*16)
	}
	if (*tarn.Program)(nil).Steps() != nil {
		t.Error("a nil program has steps")
	}
}
