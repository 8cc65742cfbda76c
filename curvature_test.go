package tarn_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file checks products with matrices of second derivatives against these matrices, formed.

// curved is a small network with all weights in one vector, its outputs and two losses of them.
type curved struct {
	g            *tarn.Graph
	w, v, logits *tarn.Value
	data         map[string]*tarn.Tensor
	entropy      *tarn.Value // mean cross-entropy
	squares      *tarn.Value // mean squared error
	labels       *tarn.Value
}

func newCurved() *curved {
	const rows, in, hidden, out = 5, 2, 3, 3
	const n = in*hidden + hidden + hidden*out
	r := tarn.NewRandom(5, "curvature")
	tensor := func(shape ...int) *tarn.Tensor {
		x := tarn.Zeros(tarn.F64, shape...)
		r.Normal(x, 0, 1)
		return x
	}
	labels := tarn.Zeros(tarn.F64, rows, out)
	for i := range rows {
		labels.SetFloat(i*out+(i*i)%out, 1)
	}
	g := tarn.NewGraph()
	c := &curved{g: g, w: g.Input("w", tarn.F64, n), v: g.Input("v", tarn.F64, n), labels: g.Input("labels", tarn.F64, rows, out)}
	c.data = map[string]*tarn.Tensor{"w": tensor(n), "v": tensor(n), "x": tensor(rows, in), "labels": labels}
	parts := c.w.Split(0, in*hidden, hidden, hidden*out)
	h := g.Input("x", tarn.F64, rows, in).MatMul(parts[0].Reshape(in, hidden)).Add(parts[1]).Tanh()
	c.logits = h.MatMul(parts[2].Reshape(hidden, out))
	c.entropy = c.logits.LogSoftmax(-1).Mul(c.labels).Sum().Scale(-1.0 / rows)
	c.squares = c.logits.Sub(c.labels).Square().Mean()
	return c
}

func (c *curved) wrt() []*tarn.Value { return []*tarn.Value{c.w} }

// TestGNVP compares with the product of the matrices.
func TestGNVP(t *testing.T) {
	c := newCurved()
	n, m := c.w.Size(), c.logits.Size()
	outputs := tarn.Outputs{}
	for name, loss := range map[string]*tarn.Value{"entropy": c.entropy, "squares": c.squares} {
		j := tarn.Jacobian(c.logits, c.w).Reshape(m, n)
		h := tarn.Hessian(loss, c.logits).Reshape(m, m)
		outputs[name+" wanted"] = j.T().MatMul(h.MatMul(j.MatMul(c.v)))
		// A part of the loss that passes the outputs by has no share.
		outputs[name] = tarn.GNVP(loss.Add(c.w.Square().Sum()), c.logits, c.wrt(), []*tarn.Value{c.v})[0]
	}
	// The Fisher information is the mean over examples and the model's classes of the squared gradient.
	p := c.logits.LogSoftmax(-1)
	fisher := c.w.Num(0)
	for i := range c.logits.Dim(0) {
		for k := range c.logits.Dim(1) {
			log := p.Slice(0, i, i+1).Slice(1, k, k+1).Sum()
			d := tarn.Grad(log, c.w)[0]
			fisher = fisher.Add(d.Mul(d.Mul(c.v).Sum()).Mul(log.Exp()).Scale(1.0 / float64(c.logits.Dim(0))))
		}
	}
	outputs["fisher"] = fisher
	out := run(t, c.g, outputs, c.data)
	checkNear(t, "Gauss-Newton of cross-entropy", out["entropy"], out["entropy wanted"], 1e-12)
	checkNear(t, "Gauss-Newton of squares", out["squares"], out["squares wanted"], 1e-12)
	checkNear(t, "Gauss-Newton of cross-entropy and Fisher", out["entropy"], out["fisher"], 1e-12)
}

// TestVectorsAreHeldFixed takes products with vectors that depend on what is differentiated by, and with the operand itself.
func TestVectorsAreHeldFixed(t *testing.T) {
	c := newCurved()
	d := tarn.Grad(c.entropy, c.w)[0]
	h := tarn.Hessian(c.entropy, c.w)
	out := run(t, c.g, tarn.Outputs{
		"of gradient": tarn.HVP(c.entropy, c.wrt(), []*tarn.Value{d})[0], "of gradient wanted": h.MatMul(d),
		"of operand": tarn.HVP(c.entropy, c.wrt(), []*tarn.Value{c.w})[0], "of operand wanted": h.MatMul(c.w),
		"forward": tarn.JVP(d, c.wrt(), []*tarn.Value{c.w.Sin()}), "forward wanted": h.MatMul(c.w.Sin()),
	}, c.data)
	for _, name := range []string{"of gradient", "of operand", "forward"} {
		checkNear(t, name, out[name], out[name+" wanted"], 1e-12)
	}
}

// TestProductsInLoops takes products with the vectors of a loop, of a loop in a loop, and of a loss that has a loop in it.
func TestProductsInLoops(t *testing.T) {
	c := newCurved()
	_, states := tarn.Scan([]*tarn.Value{c.w.Slice(0, 0, 3)}, []*tarn.Value{c.labels}, tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		h := carries[0].Mul(c.w.Slice(0, 3, 6)).Add(xs[0]).Tanh()
		return []*tarn.Value{h}, []*tarn.Value{h}
	})
	loss := c.entropy.Add(states[0].Square().Sum())
	product := func(v *tarn.Value) *tarn.Value { return tarn.HVP(loss, c.wrt(), []*tarn.Value{v})[0] }
	once := product(c.v)
	twice := product(once)

	scanned, _ := tarn.Scan([]*tarn.Value{c.v}, nil, tarn.ScanOptions{Steps: 2}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
		return []*tarn.Value{product(carries[0])}, nil
	})
	nested, _ := tarn.Scan([]*tarn.Value{c.v}, nil, tarn.ScanOptions{Steps: 1}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
		next, _ = tarn.Scan(carries, nil, tarn.ScanOptions{Steps: 2}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{product(carries[0])}, nil
		})
		return next, nil
	})
	gauss := func(v *tarn.Value) *tarn.Value {
		return tarn.GNVP(c.entropy, c.logits, c.wrt(), []*tarn.Value{v})[0]
	}
	while := tarn.While([]*tarn.Value{c.v, c.v.Num(0)}, func(carries []*tarn.Value) *tarn.Value {
		return carries[1].Lt(tarn.Num(2))
	}, func(carries []*tarn.Value) []*tarn.Value {
		return []*tarn.Value{gauss(carries[0]), carries[1].AddNum(1)}
	})
	out := run(t, c.g, tarn.Outputs{"wanted": twice, "scan": scanned[0], "nested": nested[0], "while": while[0], "gauss wanted": gauss(gauss(c.v))}, c.data)
	checkNear(t, "in a scan", out["scan"], out["wanted"], 1e-12)
	checkNear(t, "in a scan in a scan", out["nested"], out["wanted"], 1e-12)
	checkNear(t, "in a while", out["while"], out["gauss wanted"], 1e-12)
}

// TestHessianDiagonal compares with the diagonal of the Hessian, and the estimate with it in the mean.
func TestHessianDiagonal(t *testing.T) {
	c := newCurved()
	n := c.w.Size()
	whole := tarn.Hessian(c.entropy, c.w)
	estimate := tarn.HutchinsonDiagonal(c.entropy, c.w)[0]
	exact := tarn.HessianDiagonal(c.entropy, c.w, c.logits)
	data := c.data
	out := run(t, c.g, tarn.Outputs{"wanted": whole.Mul(c.g.Eye(tarn.F64, n)).Sum(0), "diagonal": exact[0], "hessian": whole,
		"by logits": exact[1], "by logits wanted": tarn.Hessian(c.entropy, c.logits).Reshape(15, 15).Mul(c.g.Eye(tarn.F64, 15)).Sum(0).Reshape(5, 3)}, data)
	checkNear(t, "the diagonal", out["diagonal"], out["wanted"], 1e-12)
	checkNear(t, "the diagonal by the logits", out["by logits"], out["by logits wanted"], 1e-12)

	program, err := tarn.Compile(c.g, tarn.Outputs{"estimate": estimate})
	if err != nil {
		t.Fatal(err)
	}
	const samples = 4000
	sum := make([]float64, n)
	for range samples {
		var in []*tarn.Tensor
		for _, name := range program.Inputs() {
			in = append(in, data[name])
		}
		r, err := program.Run(in...)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range r["estimate"].F64() {
			sum[i] += x
		}
	}
	for i := range n {
		variance := 0.0
		for j := range n {
			if h := out["hessian"].Float(i*n + j); j != i {
				variance += h * h
			}
		}
		want := out["diagonal"].Float(i)
		if got := sum[i] / samples; math.Abs(got-want) > 4*math.Sqrt(variance/samples)+1e-12 {
			t.Errorf("element %d is %v in the mean of %d estimates, and exactly %v", i, got, samples, want)
		}
	}
}

func TestCurvatureMistakes(t *testing.T) {
	for _, c := range []struct {
		want  string
		build func(g *tarn.Graph, w, v *tarn.Value)
	}{
		{"GNVP: the outputs are nil", func(g *tarn.Graph, w, v *tarn.Value) {
			tarn.GNVP(w.Sum(), nil, []*tarn.Value{w}, []*tarn.Value{v})
		}},
		{"GNVP: the loss does not depend on the outputs", func(g *tarn.Graph, w, v *tarn.Value) {
			tarn.GNVP(w.Sum(), w.Exp(), []*tarn.Value{w}, []*tarn.Value{v})
		}},
		{"GNVP: there are 1 operands and 0 vectors", func(g *tarn.Graph, w, v *tarn.Value) {
			z := w.Exp()
			tarn.GNVP(z.Sum(), z, []*tarn.Value{w}, nil)
		}},
		{"HVP: vector 1 is nil", func(g *tarn.Graph, w, v *tarn.Value) {
			tarn.HVP(w.Sum(), []*tarn.Value{w}, []*tarn.Value{nil})
		}},
		{"HVP: operand 1 to differentiate with respect to is nil", func(g *tarn.Graph, w, v *tarn.Value) {
			tarn.HVP(w.Sum(), []*tarn.Value{nil}, []*tarn.Value{v})
		}},
		{"HVP: vector 1 is f32[] and the operand that it belongs to f64[3]", func(g *tarn.Graph, w, v *tarn.Value) {
			tarn.HVP(w.Sum(), []*tarn.Value{w}, []*tarn.Value{g.Num(tarn.F32, 1)})
		}},
		{"the loss has shape [3]", func(g *tarn.Graph, w, v *tarn.Value) { tarn.HessianDiagonal(w.Exp(), w) }},
		{"HessianDiagonal: operand 2 to differentiate with respect to is nil", func(g *tarn.Graph, w, v *tarn.Value) { tarn.HessianDiagonal(w.Sum(), w, nil) }},
		{"HVP: operand 2 to differentiate with respect to is nil", func(g *tarn.Graph, w, v *tarn.Value) { tarn.HutchinsonDiagonal(w.Sum(), w, nil) }},
		{"HVP: there is no gradient with respect to a value of dtype i32", func(g *tarn.Graph, w, v *tarn.Value) {
			tarn.HutchinsonDiagonal(w.Sum(), g.Iota(tarn.I32, 0, 3))
		}},
	} {
		g := tarn.NewGraph()
		c.build(g, g.Input("w", tarn.F64, 3), g.Input("v", tarn.F64, 3))
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
