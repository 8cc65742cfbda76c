package train

import (
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// The model of the tests: 3-8-1 with a tanh and a little dropout, on a smooth function of three numbers.

type net struct {
	W1, B1, W2, B2 *tarn.Param
	drop           float64
}

func newNet() *net {
	normal := func(t *tarn.Tensor, r *tarn.Random) { r.Normal(t, 0, 0.5) }
	return &net{
		tarn.NewParam(tarn.F32, normal, 3, 8), tarn.NewParam(tarn.F32, nil, 8),
		tarn.NewParam(tarn.F32, normal, 8, 1), tarn.NewParam(tarn.F32, nil, 1),
		0,
	}
}

// build is the model's computation; prediction and target are [n 1].
func (m *net) build(g *tarn.Graph, n int) tarn.Outputs {
	x, y := g.Input("x", tarn.F32, n, 3), g.Input("y", tarn.F32, n, 1)
	h := nn.NewDropout(m.drop).Forward(x.MatMul(m.W1).Add(m.B1).Tanh())
	p := h.MatMul(m.W2).Add(m.B2)
	return tarn.Outputs{"loss": p.Sub(y).Square().Mean(), "prediction": p}
}

// examples are n random points with their values, drawn by the seed.
func examples(n int, seed uint64) *data.Set {
	r := tarn.NewRandom(seed, "examples")
	x, y := tarn.Zeros(tarn.F32, n, 3), tarn.Zeros(tarn.F32, n, 1)
	r.Uniform(x, -1, 1)
	for i := range n {
		a := x.F32()[3*i : 3*i+3]
		y.F32()[i] = a[0] - a[2]/2 + a[0]*a[1]/4
	}
	s, err := data.NewSet(
		data.Field{Name: "x", Array: data.Array{Shape: []int{n, 3}, Data: x.F32()}},
		data.Field{Name: "y", Array: data.Array{Shape: []int{n, 1}, Data: y.F32()}})
	if err != nil {
		panic(err)
	}
	return s
}

// loop is a training that has everything on.
func loop() *Loop {
	m := newNet()
	m.drop = 0.05
	tarn.Init(m, 5)
	opt := optim.NewAdam(0.05)
	opt.MicroBatches = 2
	opt.Rate = optim.Cosine{Rate: 0.05, Min: 0.001, Steps: 60}
	l := NewLoop(m.build, m, opt, examples(50, 1))
	l.Valid, l.Target, l.Metrics = examples(21, 2), "y", []Metric{&MAE{}, &R2{}}
	l.Epochs, l.Batch, l.Seed, l.CheckpointEvery = 12, 8, 3, 3
	l.EarlyStopping = &EarlyStopping{Patience: 9}
	return l
}

func weightsOf(t *testing.T, model any) map[string]*tarn.Tensor {
	t.Helper()
	params, err := tarn.Params(model)
	if err != nil {
		t.Fatal(err)
	}
	w := map[string]*tarn.Tensor{}
	for name, p := range params.All() {
		w[name] = p.Tensor().Clone()
	}
	return w
}

func sameWeights(t *testing.T, what string, got, want map[string]*tarn.Tensor) {
	t.Helper()
	for path, w := range want {
		if diff := got[path].Diff(w, 0); diff != "" {
			t.Errorf("%s: %s: %s", what, path, diff)
		}
	}
}
