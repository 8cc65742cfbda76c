package curvature_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/curvature"
	"github.com/seed-49005b45/tarn/nn"
)

// This file takes products with the matrices of a network that has layers of many kinds.

// mixed has a convolution, norms, dropout, attention that is computed again in the backward pass, and a loop.
type mixed struct {
	Conv      *nn.Conv
	Batch     *nn.BatchNorm
	Layer     *nn.LayerNorm
	Attention *nn.MultiHeadAttention
	Loop      *nn.LSTM
	Out       *nn.Linear
}

func newMixed(t *testing.T) (loss, logits *tarn.Value, params []*tarn.Param, batch curvature.Inputs) {
	t.Helper()
	const rows = 4
	m := &mixed{nn.NewConv2d(1, 4, 3), nn.NewBatchNorm(4), nn.NewLayerNorm(4), nn.NewMultiHeadAttention(4, 2), nn.NewLSTM(4, 3, nn.RecurrentOptions{}), nn.NewLinear(3, 3)}
	if err := errors.Join(tarn.Cast(m, tarn.F64), tarn.Init(m, 3)); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x, y := g.Input("x", tarn.F64, rows, 5, 5, 1), g.Input("y", tarn.I32, rows)
	h := nn.NewDropout(0.2).Forward(m.Batch.Forward(m.Conv.Forward(x)).GELU()).Reshape(rows, 9, 4)
	h = tarn.Checkpoint(func(in ...*tarn.Value) *tarn.Value {
		return in[0].Add(m.Attention.Forward(m.Layer.Forward(in[0])))
	}, h)
	logits = m.Out.Forward(m.Loop.Forward(h).Mean(1))
	images, labels := tarn.Zeros(tarn.F64, rows, 5, 5, 1), tarn.Zeros(tarn.I32, rows)
	tarn.NewRandom(4, "mixed").Normal(images, 0, 1)
	for i := range rows {
		labels.SetFloat(i, float64(i%3))
	}
	all, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	return nn.CrossEntropy(logits, y), logits, all.Trainable().List(), curvature.Inputs{"x": images, "y": labels}
}

// TestLayers checks that the matrices are symmetric, that the one that should has no negative eigenvalue, and that a loop takes the same products.
func TestLayers(t *testing.T) {
	loss, logits, params, batch := newMixed(t)
	var v []*tarn.Value
	r := tarn.NewRandom(5, "vector")
	for _, p := range params {
		x := tarn.Zeros(tarn.F64, p.Shape()...)
		r.Normal(x, 0, 1)
		v = append(v, loss.Graph().Const(x))
	}
	outputs := tarn.Outputs{}
	for name, product := range map[string]func(v []*tarn.Value) []*tarn.Value{
		"hessian":      func(v []*tarn.Value) []*tarn.Value { return tarn.HVP(loss, params, v) },
		"gauss-newton": func(v []*tarn.Value) []*tarn.Value { return tarn.GNVP(loss, logits, params, v) },
	} {
		looped := tarn.While(append(v, loss.Num(0)), func(at []*tarn.Value) *tarn.Value {
			return at[len(v)].Lt(tarn.Num(2))
		}, func(at []*tarn.Value) []*tarn.Value {
			return append(product(at[:len(v)]), at[len(v)].AddNum(1))
		})
		for i, w := range product(product(v)) {
			outputs[fmt.Sprint(name, " outside ", i)], outputs[fmt.Sprint(name, " in a loop ", i)] = w, looped[i]
		}
	}
	program, err := tarn.Compile(loss.Graph(), outputs)
	if err != nil {
		t.Fatal(err)
	}
	var in []*tarn.Tensor
	for _, name := range program.Inputs() {
		in = append(in, batch[name])
	}
	out, err := program.Run(in...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range params {
		for _, name := range []string{"hessian", "gauss-newton"} {
			if diff := out[fmt.Sprint(name, " in a loop ", i)].Diff(out[fmt.Sprint(name, " outside ", i)], 1e-9); diff != "" {
				t.Errorf("%s, param %v: %s", name, params[i], diff)
			}
		}
	}

	hessian, err1 := curvature.NewHessian(loss, params, batch)
	gauss, err2 := curvature.NewGaussNewton(loss, logits, params, batch)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	a, b := make([]float64, hessian.Size), make([]float64, hessian.Size)
	for i := range a {
		a[i], b[i] = math.Sin(float64(i)), math.Cos(float64(3*i))
	}
	for name, m := range map[string]*curvature.Operator{"hessian": hessian, "gauss-newton": gauss} {
		ma, mb := make([]float64, m.Size), make([]float64, m.Size)
		if err := errors.Join(m.Product(ctx, ma, a), m.Product(ctx, mb, b)); err != nil {
			t.Fatal(err)
		}
		var ba, ab float64
		for i := range a {
			ba += b[i] * ma[i]
			ab += a[i] * mb[i]
		}
		if math.Abs(ba-ab) > 1e-9 || ba == 0 {
			t.Errorf("%s: b'Ma is %v and a'Mb %v", name, ba, ab)
		}
	}
	e, err := curvature.Eigenvalues(ctx, gauss, curvature.Options{Largest: 1, Smallest: 1, Tolerance: 1e-9})
	if err != nil {
		t.Fatal(err)
	}
	if e.Largest[0].Value <= 0 || e.Smallest[0].Value < -1e-9 {
		t.Errorf("the Gauss-Newton matrix has the eigenvalues\n%v", e)
	}
}
