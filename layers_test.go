package tarn_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// byHand is a layer that package nn does not have.
type byHand struct{ Left, Right *tarn.Param }

// twoTowers uses one layer twice, ties a weight, and has a layer that is not used.
type twoTowers struct {
	Shared, Idle *nn.Linear
	Hand         *byHand
	Out          *nn.Linear
}

func (m *twoTowers) Forward(x *tarn.Value) *tarn.Value {
	a, b := m.Shared.Forward(x).Tanh(), m.Shared.Forward(x.Neg())
	h := a.Mul(m.Hand.Left).Add(b.Mul(m.Hand.Right)).Sigmoid()
	return m.Out.Forward(h)
}

// writtenOut is an attention of one head, out of products and a softmax.
type writtenOut struct{ Q, K, V, Out *nn.Linear }

func (m *writtenOut) Forward(x *tarn.Value) *tarn.Value {
	scores := m.Q.Forward(x).MatMul(m.K.Forward(x).Transpose(-1, -2))
	return m.Out.Forward(scores.Scale(0.5).Softmax(-1).MatMul(m.V.Forward(x)))
}

func TestLayers(t *testing.T) {
	image := func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 2, 8, 8, 1) }
	rows := func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 5, 4) }
	tokens := func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.I32, 2, 8) }
	vector := func() *tarn.Param { return tarn.NewParam(tarn.F32, nil, 4) }
	for _, c := range []struct {
		name  string
		model nn.Layer
		x     func(g *tarn.Graph) *tarn.Value
		want  []string // path op output activation
	}{
		{"mlp", nn.NewSequential(nn.NewLinear(4, 6), nn.ReLU{}, nn.NewLinear(6, 6), nn.ELU{}, nn.NewDropout(0.5), nn.NewLinear(6, 3)), rows,
			[]string{"0 MatMul [5 6] ReLU", "2 MatMul [5 6] ELU", "5 MatMul [5 3] "}},
		{"cnn", nn.NewSequential(nn.NewConv2d(1, 3, 3), nn.NewBatchNorm(3), nn.LeakyReLU{}, nn.NewMaxPool(2, 2), nn.NewConv2d(3, 4, 3), nn.SiLU{}, nn.Flatten{}, nn.NewLinear(4, 2)), image,
			[]string{"0 Conv [2 6 6 3] ", "1 Mul [2 6 6 3] LeakyReLU", "4 Conv [2 1 1 4] SiLU", "7 MatMul [2 2] "}},
		{"towers", &twoTowers{nn.NewLinear(4, 4), nn.NewLinear(4, 4), &byHand{vector(), vector()}, nn.NewLinear(4, 1)}, rows,
			[]string{"shared MatMul [5 4] ", "hand Mul [5 4] Sigmoid", "out MatMul [5 1] "}},
		{"more activations", nn.NewSequential(nn.NewLinear(4, 4), nn.ReLU6{}, nn.NewLinear(4, 4), nn.Softplus{Beta: 2}, nn.NewLinear(4, 4), nn.NewPReLU(4), nn.NewLinear(4, 4), nn.NewPReLU(1),
			nn.NewLinear(4, 4), nn.HardTanh{}, nn.NewLinear(4, 2), nn.SwiGLU{}), rows,
			[]string{"0 MatMul [5 4] ReLU6", "2 MatMul [5 4] Softplus", "4 MatMul [5 4] PReLU", "5 LeakyReLU [5 4] ", "6 MatMul [5 4] PReLU", "7 LeakyReLU [5 4] ", "8 MatMul [5 4] HardTanh", "10 MatMul [5 2] "}},
		{"adapted", adapted(nn.NewLinear(4, 4)), rows, []string{"0 MatMul [5 4] Tanh"}},
		{"quantized", quantized(nn.NewLinear(4, 4)), rows, []string{"0 MatMul [5 4] Tanh"}},
		{"norms", nn.NewSequential(nn.NewLinear(4, 4), nn.NewLayerNorm(4), nn.GELU{}, nn.NewRMSNorm(4), nn.HardTanh{}), rows,
			[]string{"0 MatMul [5 4] ", "1 Mul [5 4] GELU", "3 Mul [5 4] HardTanh"}},
		{"recurrent", nn.NewSequential(nn.NewEmbedding(10, 4), nn.NewLSTM(4, 6, nn.RecurrentOptions{}), nn.NewLinear(6, 10)), tokens,
			[]string{"0 Take [2 8 4] ", "1 MatMul [8 2 6] ", "2 MatMul [2 8 10] "}},
		{"attention", nn.NewSequential(nn.NewEmbedding(10, 4), nn.NewMultiHeadAttention(4, 2)), tokens,
			[]string{"0 Take [2 8 4] ", "1 MatMul [2 8 12]  attends", "1.out_proj MatMul [2 8 4] "}},
		{"attention written out", nn.NewSequential(nn.NewEmbedding(10, 4), &writtenOut{nn.NewLinear(4, 4), nn.NewLinear(4, 4), nn.NewLinear(4, 4), nn.NewLinear(4, 4)}), tokens,
			[]string{"0 Take [2 8 4] ", "1.q MatMul [2 8 4]  attends", "1.k MatMul [2 8 4]  attends", "1.v MatMul [2 8 4]  attends", "1.out MatMul [2 8 4] "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := tarn.Params(c.model)
			if err != nil {
				t.Fatal(err)
			}
			g := tarn.NewGraph()
			loss := c.model.Forward(c.x(g)).Square().Mean()
			tarn.Grad(loss, params.Trainable().List()...) // which leaves the layers as they are
			if err := g.Err(); err != nil {
				t.Fatal(err)
			}
			layers := params.Layers(loss)
			var got []string
			for _, l := range layers {
				got = append(got, fmt.Sprintf("%s %s %v %s", l.Path, l.Op, l.Output.Shape(), l.Activation))
				if l.Attends {
					got[len(got)-1] += " attends"
				}
				if (l.Activation == "") != (l.Activated == nil) || l.Activated != nil && l.Activated.Size() != l.Output.Size() {
					t.Errorf("%s has the activation %q with the result %v", l.Path, l.Activation, l.Activated)
				}
				if (l.Steps != nil) != (c.name == "recurrent" && l.Path == "1") || l.Steps != nil && l.Steps.Dim(0) != 8 {
					t.Errorf("%s, with the result %v, reads the steps %v", l.Path, l.Output, l.Steps)
				}
				for _, name := range l.Params {
					if params.Lookup(name) == nil || !strings.HasPrefix(name, l.Path) {
						t.Errorf("%s has the param %q", l.Path, name)
					}
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the layers are\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		})
	}
}

func adapted(l *nn.Linear) nn.Layer {
	l.LoRA = nn.NewLoRA(l.Weight, 2)
	return nn.NewSequential(l, nn.Tanh{})
}

func quantized(l *nn.Linear) nn.Layer {
	l.Transform = nn.NewFakeQuantize(nn.FakeQuantizeOptions{Symmetric: true, Channels: 4})
	return nn.NewSequential(l, nn.Tanh{})
}

// TestLossForm asks for the forms of losses.
func TestLossForm(t *testing.T) {
	for _, c := range []struct {
		want string
		loss func(y, target, labels *tarn.Value) *tarn.Value
	}{
		{"cross-entropy", func(y, target, labels *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, labels) }},
		{"cross-entropy", func(y, target, labels *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, target) }},
		{"cross-entropy", func(y, target, labels *tarn.Value) *tarn.Value {
			return nn.CrossEntropyLoss{LabelSmoothing: 0.1}.Loss(y.Softmax(-1), labels)
		}},
		{"cross-entropy", func(y, target, labels *tarn.Value) *tarn.Value { return nn.NLL(y.LogSoftmax(-1), labels) }},
		{"likelihood", func(y, target, labels *tarn.Value) *tarn.Value { return nn.NLL(y.Softmax(-1).Log(), labels) }},
		{"likelihood", func(y, target, labels *tarn.Value) *tarn.Value { return nn.BCEWithLogits(y, target) }},
		{"likelihood", func(y, target, labels *tarn.Value) *tarn.Value { return nn.BCE(y.Sigmoid(), target) }},
		{"squares", func(y, target, labels *tarn.Value) *tarn.Value { return nn.MSE(y, target) }},
		{"squares", func(y, target, labels *tarn.Value) *tarn.Value { return nn.MSE(y.ReLU(), target).Scale(0.5) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nn.MAE(y, target) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nn.Huber(y, target) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nn.Hinge(y, target) }},
		{"squares", func(y, target, labels *tarn.Value) *tarn.Value { return nn.MSE(y.Softplus(), target.Log()) }},
		{"cross-entropy", func(y, target, labels *tarn.Value) *tarn.Value { return nn.InfoNCE(y, target) }},
		{"cross-entropy", func(y, target, labels *tarn.Value) *tarn.Value { return nn.NTXent(y, target) }},
		{"likelihood", func(y, target, labels *tarn.Value) *tarn.Value {
			return nn.BCEWithLogitsLoss{Weight: target}.Loss(y, target)
		}},
		{"likelihood", func(y, target, labels *tarn.Value) *tarn.Value { return nn.MultiLabelSoftMargin(y, target) }},
		{"likelihood", func(y, target, labels *tarn.Value) *tarn.Value { return nn.SoftMargin(y, target) }},
		{"likelihood", func(y, target, labels *tarn.Value) *tarn.Value { return nn.PoissonNLLLoss{Rate: true}.Loss(y, target) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nn.PoissonNLL(y, target) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nn.GaussianNLL(y, target, y.Exp()) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nn.Focal(y, target) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value {
			return nn.DiceLoss{Squared: true}.Loss(y.Unsqueeze(0), target.Unsqueeze(0))
		}},
		{"", func(y, target, labels *tarn.Value) *tarn.Value {
			return nn.CosineEmbedding(y, target, labels.Cast(tarn.F32))
		}},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nn.TripletMargin(y, target, y.Flip(0)) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nn.Quantile(y, target) }},
		{"", func(y, target, labels *tarn.Value) *tarn.Value { return nil }},
	} {
		g := tarn.NewGraph()
		y := nn.NewLinear(4, 3).Forward(g.Input("x", tarn.F32, 5, 4))
		if got := tarn.LossForm(c.loss(y, g.Input("target", tarn.F32, 5, 3), g.Input("labels", tarn.I32, 5))); got != c.want {
			t.Errorf("LossForm is %q, want %q", got, c.want)
		}
	}
}
