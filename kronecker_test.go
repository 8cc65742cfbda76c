package tarn_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests the Kronecker factors: that each way to use a weight is understood, and what the factors are, against sums over
// examples and places that are written out.

// normalParam is a param of normal numbers, named by its path.
func normalParam(path string, shape ...int) *tarn.Param {
	p := tarn.NewParam(tarn.F64, nil, shape...)
	tarn.Params(map[string]*tarn.Param{path: p})
	tarn.NewRandom(5, path).Normal(p.Tensor(), 0, 1)
	return p
}

func normalTensor(name string, shape ...int) *tarn.Tensor {
	return normalParam(name, shape...).Tensor()
}

// compute runs a graph once.
func compute(t *testing.T, g *tarn.Graph, outputs tarn.Outputs, inputs ...*tarn.Tensor) tarn.Results {
	t.Helper()
	p, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares two tensors of one size whatever their shapes.
func same(t *testing.T, what string, got, want *tarn.Tensor) {
	t.Helper()
	a, b := tarn.Vector(got.Floats()), tarn.Vector(want.Floats())
	if diff := a.Diff(b, 1e-11); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

// bumpy makes a loss of any value such that its gradient is another at each element.
func bumpy(y *tarn.Value) *tarn.Value { return y.Sin().Add(y.Square()).Mean() }

// linearForms are ways to use weight and bias, w and b, on an x of 6 rows.
var linearForms = []struct {
	name    string
	x, w, b []int
	build   func(x *tarn.Value, w, b *tarn.Param) *tarn.Value
	groups  int
	rows    int
	factors [2]int // sizes of A and G
	bias    bool
	uses    int
}{
	{"nn.Linear", []int{6, 3}, []int{4, 3}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.MatMulT(w).Add(b) }, 1, 6, [2]int{4, 4}, true, 1},
	{"without a bias", []int{6, 3}, []int{4, 3}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.MatMulT(w) }, 1, 6, [2]int{3, 4}, false, 1},
	{"in out", []int{6, 3}, []int{3, 4}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return b.Value(x.Graph()).Add(x.MatMul(w)) }, 1, 6, [2]int{4, 4}, true, 1},
	{"transposed by hand", []int{6, 3}, []int{4, 3}, []int{1, 4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.MatMul(w.Value(x.Graph()).T()).Add(b) }, 1, 6, [2]int{4, 4}, true, 1},
	{"flattened axes", []int{3, 2, 3}, []int{4, 3}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.MatMulT(w).Add(b) }, 1, 6, [2]int{4, 4}, true, 1},
	{"columns", []int{6, 3}, []int{4, 3}, []int{4, 1},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return w.Value(x.Graph()).MatMul(x.T()).Add(b) }, 1, 6, [2]int{4, 4}, true, 1},
	{"columns, transposed result", []int{6, 3}, []int{3, 4}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return w.Value(x.Graph()).TMatMul(x.T()).T().Add(b) }, 1, 6, [2]int{4, 4}, true, 1},
	{"batches of columns", []int{3, 3, 2}, []int{4, 3}, []int{4, 1},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value {
			return w.Value(x.Graph()).MatMul(x).Add(b.Value(x.Graph()).Unsqueeze(0))
		},
		1, 6, [2]int{4, 4}, true, 1},
	{"batches of transposed operands", []int{3, 3, 2}, []int{3, 4}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.TMatMul(w).Add(b) }, 1, 6, [2]int{4, 4}, true, 1},
	{"a vector", []int{3}, []int{4, 3}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return w.Value(x.Graph()).MatMul(x).Add(b) }, 1, 1, [2]int{4, 4}, true, 1},
	{"einsum", []int{3, 2, 3}, []int{4, 3}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return tarn.Einsum("btc,oc->bto", x, w).Add(b) }, 1, 6, [2]int{4, 4}, true, 1},
	{"heads", []int{6, 3}, []int{3, 2, 2}, []int{2, 2},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return tarn.Einsum("nc,chd->nhd", x, w).Add(b) }, 1, 6, [2]int{4, 4}, true, 1},
	{"a matrix for each group", []int{2, 6, 3}, []int{2, 3, 4}, []int{2, 1, 4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.MatMul(w).Add(b) }, 2, 6, [2]int{4, 4}, true, 1},
	{"groups by einsum", []int{6, 2, 3}, []int{2, 4, 3}, []int{2, 4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return tarn.Einsum("ngc,goc->ngo", x, w).Add(b) }, 2, 6, [2]int{4, 4}, true, 1},
	{"kept as a cube and flipped", []int{6, 4}, []int{4, 2, 2}, []int{4},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value {
			return x.MatMulT(w.Value(x.Graph()).Flip(1).Permute(0, 2, 1).Reshape(4, 4)).Reshape(2, 3, 4).Add(b)
		}, 1, 6, [2]int{5, 4}, true, 1},
	{"used twice", []int{6, 3}, []int{3, 3}, []int{3},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value {
			h := x.MatMulT(w).Add(b).Tanh()
			return h.MatMul(w.Value(x.Graph()).T()).Add(b)
		}, 1, 12, [2]int{4, 3}, true, 2},
	{"used twice, a bias once", []int{6, 3}, []int{3, 3}, []int{3},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.MatMulT(w).Add(b).Tanh().MatMulT(w) }, 1, 12, [2]int{3, 3}, false, 2},
	{"a bias that is added later", []int{6, 3}, []int{3, 3}, []int{3},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.MatMulT(w).Add(x).Add(b) }, 1, 6, [2]int{3, 3}, false, 1},
	{"a product that is used beside its bias", []int{6, 3}, []int{3, 3}, []int{3},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value {
			y := x.MatMulT(w)
			return y.Add(b).Mul(y)
		}, 1, 6, [2]int{3, 3}, false, 1},
	{"a bias for each row", []int{3, 3}, []int{3, 3}, []int{3, 1},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value { return x.MatMulT(w).Add(b) }, 1, 3, [2]int{3, 3}, false, 1},
	{"a bias of one number", []int{6, 3}, []int{3, 3}, []int{1},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value {
			return x.MatMulT(w).Add(b.Value(x.Graph()).Reshape(1, 1))
		}, 1, 6, [2]int{3, 3}, false, 1},
	{"also used as a constant", []int{6, 3}, []int{3, 3}, []int{3},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value {
			return x.MatMulT(w).Add(b).Mul(w.Value(x.Graph()).StopGradient().Sum())
		}, 1, 6, [2]int{4, 3}, true, 1},
	{"also used where no gradient flows", []int{6, 3}, []int{3, 3}, []int{3},
		func(x *tarn.Value, w, b *tarn.Param) *tarn.Value {
			return x.MatMulT(w).Add(b).Mul(x.MatMulT(w).StopGradient())
		}, 1, 6, [2]int{4, 3}, true, 1},
}

// TestKroneckerForms expects of every form that the gradient of the layer is the sum of the rows' d aᵀ / examples, that Matrix
// and Split are inverses, and that the factors are the sums that they should be.
func TestKroneckerForms(t *testing.T) {
	for _, test := range linearForms {
		t.Run(test.name, func(t *testing.T) {
			const examples = 3
			w, b := normalParam("w", test.w...), normalParam("b", test.b...)
			g := tarn.NewGraph()
			x := g.Input("x", tarn.F64, test.x...)
			loss := bumpy(test.build(x, w, b))
			layers, others, err := tarn.KroneckerFactors(loss, examples, b, w)
			if err != nil || len(layers) != 1 {
				t.Fatal(layers, others, err)
			}
			l := layers[0]
			if l.Weight != w || (l.Bias == b) != test.bias || (len(others) == 0) != test.bias || l.Groups != test.groups || l.Examples != examples || len(l.Uses) != test.uses {
				t.Fatalf("%v: bias %v, others %v, %d groups, %d uses", l, l.Bias, others, l.Groups, len(l.Uses))
			}
			if l.A.Dim(-1) != test.factors[0] || l.G.Dim(-1) != test.factors[1] || l.A.Rank() != l.Uses[0].Input.Rank() {
				t.Fatal(l)
			}
			checkLayer(t, g, l, loss, test.rows, normalTensor("x", test.x...))
		})
	}
}

// checkLayer checks the factors of a layer with the given number of rows in a group against their definitions.
func checkLayer(t *testing.T, g *tarn.Graph, l *tarn.KroneckerLayer, loss *tarn.Value, rows int, inputs ...*tarn.Tensor) {
	t.Helper()
	d := tarn.Grad(loss, l.Weight)
	var bias, value *tarn.Value
	if l.Bias != nil {
		bias, value = tarn.Grad(loss, l.Bias)[0], l.Bias.Value(g)
	}
	matrix := l.Matrix(d[0], bias)
	w, b := l.Split(l.Matrix(l.Weight.Value(g), value))
	outputs := tarn.Outputs{"gradient": matrix, "weight": w, "A": l.A, "G": l.G}
	if (b == nil) != (l.Bias == nil) {
		t.Fatalf("bias %v, split into %v", l.Bias, b)
	}
	if b != nil {
		outputs["bias"] = b
	}
	var sum, a, gg *tarn.Value
	count := 0
	for _, u := range l.Uses {
		add := func(to **tarn.Value, v *tarn.Value) {
			if *to != nil {
				v = v.Add(*to)
			}
			*to = v
		}
		count += u.Input.Dim(-2)
		add(&sum, u.Gradient.TMatMul(u.Input))
		add(&a, u.Input.TMatMul(u.Input))
		add(&gg, u.Gradient.TMatMul(u.Gradient))
		if tarn.Grad(loss, u.Y)[0].Size() != u.DY.Size() {
			t.Errorf("the gradient by %v is %v", u.Y, u.DY)
		}
	}
	if count != rows {
		t.Errorf("%d rows, not %d", count, rows)
	}
	outputs["sum"], outputs["a"], outputs["g"] = sum, a.Scale(1/float64(rows)), gg.Scale(float64(l.Examples))
	out := compute(t, g, outputs, inputs...)
	same(t, "the gradient", out["sum"], out["gradient"])
	same(t, "A", out["A"], out["a"])
	same(t, "G", out["G"], out["g"])
	same(t, "the weight", out["weight"], l.Weight.Tensor())
	if b != nil {
		same(t, "the bias", out["bias"], l.Bias.Tensor())
	}
}

// TestKroneckerConv compares the factors of convolutions with sums over examples and places.
func TestKroneckerConv(t *testing.T) {
	for _, test := range []struct {
		name    string
		x, w    []int // [n d... c], [f c/groups k...]
		options tarn.ConvOptions
		bias    bool
	}{
		{"plain", []int{2, 5, 4, 3}, []int{4, 3, 3, 2}, tarn.ConvOptions{}, true},
		{"single steps", []int{2, 7, 6, 3}, []int{4, 3, 3, 3}, tarn.ConvOptions{Window: tarn.Window{Padding: []int{1}}}, false},
		{"single steps with a bias", []int{2, 7, 6, 3}, []int{4, 3, 3, 3}, tarn.ConvOptions{Window: tarn.Window{Padding: []int{1}}}, true},
		{"single steps of uneven windows", []int{2, 6, 9, 2}, []int{3, 2, 2, 4}, tarn.ConvOptions{Window: tarn.Window{Same: true}}, true},
		{"single steps of wide padding", []int{2, 6, 7, 2}, []int{3, 2, 1, 3}, tarn.ConvOptions{Window: tarn.Window{Padding: []int{2, 4}, PaddingAfter: []int{3, 2}}}, true},
		{"without a bias", []int{2, 5, 4, 3}, []int{4, 3, 3, 2}, tarn.ConvOptions{}, false},
		{"stride and padding", []int{2, 5, 4, 2}, []int{3, 2, 3, 3}, tarn.ConvOptions{Window: tarn.Window{Stride: []int{2, 3}, Padding: []int{1, 2}}}, true},
		{"padding after", []int{2, 5, 4, 2}, []int{3, 2, 2, 2}, tarn.ConvOptions{Window: tarn.Window{Padding: []int{0}, PaddingAfter: []int{3, 1}}}, true},
		{"same", []int{2, 5, 4, 2}, []int{3, 2, 4, 3}, tarn.ConvOptions{Window: tarn.Window{Same: true, Stride: []int{2}}}, true},
		{"dilation", []int{2, 7, 6, 2}, []int{3, 2, 3, 2}, tarn.ConvOptions{Window: tarn.Window{Dilation: []int{2, 3}, Padding: []int{1}}}, true},
		{"groups", []int{2, 4, 4, 6}, []int{4, 3, 2, 2}, tarn.ConvOptions{Groups: 2}, true},
		{"depthwise", []int{2, 4, 4, 3}, []int{6, 1, 3, 3}, tarn.ConvOptions{Groups: 3, Window: tarn.Window{Padding: []int{1}}}, true},
		{"one axis", []int{3, 7, 2}, []int{4, 2, 3}, tarn.ConvOptions{Window: tarn.Window{Stride: []int{2}}}, true},
		{"three axes", []int{2, 3, 4, 3, 2}, []int{3, 2, 2, 2, 2}, tarn.ConvOptions{}, true},
		{"elements beyond the last window", []int{2, 6, 5, 2}, []int{3, 2, 3, 2}, tarn.ConvOptions{Window: tarn.Window{Stride: []int{4, 2}}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := normalParam("w", test.w...), normalParam("b", test.w[0])
			g := tarn.NewGraph()
			x := g.Input("x", tarn.F64, test.x...)
			y := x.Conv(w.Value(g).KernelFromTorch(), test.options)
			places := y.Size() / test.x[0] / test.w[0]
			params := []*tarn.Param{w}
			if test.bias {
				y, params = y.Add(b), append(params, b)
			}
			loss := bumpy(y)
			layers, others, err := tarn.KroneckerFactors(loss, 0, params...)
			if err != nil || len(layers) != 1 || len(others) != 0 {
				t.Fatal(layers, others, err)
			}
			l := layers[0]
			groups := max(test.options.Groups, 1)
			if l.Examples != test.x[0] || l.Groups != groups || (l.Bias == b) != test.bias {
				t.Fatal(l, l.Examples, l.Groups)
			}
			checkLayer(t, g, l, loss, places*test.x[0], normalTensor("x", test.x...))
			// The windows of one place are what y at that place depends on: a row of Input is the derivative of y by the kernel there.
			out := compute(t, g, tarn.Outputs{"input": l.Uses[0].Input,
				"jacobian": tarn.Jacobian(y.Reshape(-1), w).Reshape(places*test.x[0], groups, test.w[0]/groups, -1)}, normalTensor("x", test.x...))
			input, jacobian := out["input"].Floats(), out["jacobian"].Floats()
			columns := l.Uses[0].Input.Dim(-1)
			for r := range places * test.x[0] {
				for k := range groups {
					row := input[(k*places*test.x[0]+r)*columns:][:columns]
					if test.bias {
						if row[columns-1] != 1 {
							t.Fatalf("row %d ends in %v", r, row[columns-1])
						}
						row = row[:columns-1]
					}
					// Of the first output of the group; of the kernel, in PyTorch's order, the same elements in another order.
					n := w.Tensor().Size()
					first := k * test.w[0] / groups
					size := n / test.w[0]
					of := jacobian[(r*test.w[0]+first)*n+first*size:][:size]
					a, b := slices.Sorted(slices.Values(row)), slices.Sorted(slices.Values(of))
					same(t, "a window", tarn.Vector(a), tarn.Vector(b))
				}
			}
		})
	}
}

// TestKroneckerConvTranspose checks the factors of transposed convolutions, whose gradient is the sum over the places of the window of the gradient there
// times the channels.
func TestKroneckerConvTranspose(t *testing.T) {
	for _, test := range []struct {
		name    string
		x, w    []int // [n d... f], [f c/groups k...]
		options tarn.ConvOptions
	}{
		{"plain", []int{2, 4, 3, 3}, []int{3, 2, 3, 2}, tarn.ConvOptions{}},
		{"stride and padding", []int{2, 4, 3, 2}, []int{2, 3, 3, 4}, tarn.ConvOptions{Window: tarn.Window{Stride: []int{2, 3}, Padding: []int{1, 2}}}},
		{"extra", []int{2, 4, 3, 2}, []int{2, 3, 3, 3}, tarn.ConvOptions{Window: tarn.Window{Stride: []int{3, 2}, Padding: []int{1}}, Extra: []int{2, 1}}},
		{"dilation", []int{2, 4, 3, 2}, []int{2, 3, 2, 3}, tarn.ConvOptions{Window: tarn.Window{Dilation: []int{2, 3}, PaddingAfter: []int{1, 2}, Padding: []int{0}}}},
		{"groups", []int{2, 3, 3, 4}, []int{4, 3, 2, 2}, tarn.ConvOptions{Groups: 2}},
		{"depthwise", []int{2, 4, 4, 3}, []int{3, 1, 3, 3}, tarn.ConvOptions{Groups: 3, Window: tarn.Window{Stride: []int{2}}}},
		{"one axis", []int{3, 5, 2}, []int{2, 4, 3}, tarn.ConvOptions{Window: tarn.Window{Stride: []int{2}}}},
		{"three axes", []int{2, 3, 2, 3, 2}, []int{2, 3, 2, 2, 2}, tarn.ConvOptions{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			groups := max(test.options.Groups, 1)
			channels := test.w[1] * groups
			w, b := normalParam("w", test.w...), normalParam("b", channels)
			g := tarn.NewGraph()
			x := g.Input("x", tarn.F64, test.x...)
			loss := bumpy(x.ConvTranspose(w.Value(g).KernelFromTorch(), test.options).Add(b))
			layers, others, err := tarn.KroneckerFactors(loss, 0, w, b)
			if err != nil || len(layers) != 1 || len(others) != 1 || others[0].Param != b {
				t.Fatal(layers, others, err)
			}
			l := layers[0]
			taps := w.Tensor().Size() / test.w[0] / test.w[1]
			if l.Examples != test.x[0] || l.Groups != groups || l.Bias != nil || l.A.Dim(-1) != test.w[0]/groups || l.G.Dim(-1) != taps*test.w[1] {
				t.Fatal(l, l.Examples, l.Groups)
			}
			checkLayer(t, g, l, loss, x.Size()/test.w[0], normalTensor("x", test.x...))
		})
	}
}

// fisher is the mean over examples of vec(gradient) vec(gradient)ᵀ, from the Jacobian of the losses of the examples by the matrix
// of a layer, and the Kronecker product of the factors, both flat.
func fisher(t *testing.T, g *tarn.Graph, l *tarn.KroneckerLayer, losses *tarn.Value, inputs ...*tarn.Tensor) (brute, product []float64) {
	t.Helper()
	n := losses.Size()
	perExample := tarn.Outputs{"A": l.A, "G": l.G}
	for i := range n {
		one := tarn.Grad(losses.Slice(0, i, i+1).Sum(), l.Weight)[0]
		var bias *tarn.Value
		if l.Bias != nil {
			bias = tarn.Grad(losses.Slice(0, i, i+1).Sum(), l.Bias)[0]
		}
		perExample[string(rune('a'+i))+" gradient"] = l.Matrix(one, bias)
	}
	out := compute(t, g, perExample, inputs...)
	a, gg := out["A"].Floats(), out["G"].Floats()
	in, outs := l.A.Dim(0), l.G.Dim(0)
	for i := range outs * in {
		for j := range outs * in {
			sum := 0.0
			for e := range n {
				d := out[string(rune('a'+e))+" gradient"]
				sum += d.Float(i) * d.Float(j)
			}
			brute = append(brute, sum/float64(n))
			product = append(product, gg[i/in*outs+j/in]*a[i%in*in+j%in])
		}
	}
	return brute, product
}

// TestKroneckerExact compares with the Fisher matrix where the approximation is none.
func TestKroneckerExact(t *testing.T) {
	same := func(t *testing.T, a, b []float64) {
		t.Helper()
		if diff := tarn.Vector(a).Diff(tarn.Vector(b), 1e-11); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("one example", func(t *testing.T) {
		w1, b1, w2, b2 := normalParam("w1", 4, 3), normalParam("b1", 4), normalParam("w2", 2, 4), normalParam("b2", 2)
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F64, 1, 3)
		losses := x.MatMulT(w1).Add(b1).Tanh().MatMulT(w2).Add(b2).Square().Exp().Sum(1)
		layers, others, err := tarn.KroneckerFactors(losses.Mean(), 0, w1, b1, w2, b2)
		if err != nil || len(layers) != 2 || len(others) != 0 {
			t.Fatal(layers, others, err)
		}
		for _, l := range layers {
			brute, product := fisher(t, g, l, losses, normalTensor("x", 1, 3))
			same(t, product, brute)
		}
	})
	// The gradient with respect to y of half the squared error is the noise of the target. With each example once for every
	// direction and sign of a noise of deviation 1, its mean square is 1 whatever the example.
	t.Run("a linear model with noise", func(t *testing.T) {
		const examples, outs = 3, 2
		w, b := normalParam("w", outs, 4), normalParam("b", outs)
		x0 := normalTensor("x", examples, 4)
		x := tarn.Zeros(tarn.F64, examples*2*outs, 4)
		noise := tarn.Zeros(tarn.F64, examples*2*outs, outs)
		for i := range examples * 2 * outs {
			for j := range 4 {
				x.SetFloat(i*4+j, x0.Float(i/(2*outs)*4+j))
			}
			sign := 1.4142135623730951
			if i%2 == 1 {
				sign = -sign
			}
			noise.SetFloat(i*outs+i/2%outs, sign)
		}
		g := tarn.NewGraph()
		xs, es := g.Input("x", tarn.F64, x.Shape()...), g.Input("noise", tarn.F64, noise.Shape()...)
		y := xs.MatMulT(w).Add(b)
		losses := y.Sub(y.Add(es).StopGradient()).Square().Sum(1).Scale(0.5)
		layers, _, err := tarn.KroneckerFactors(losses.Mean(), 0, w, b)
		if err != nil || len(layers) != 1 {
			t.Fatal(layers, err)
		}
		brute, product := fisher(t, g, layers[0], losses, x, noise)
		same(t, product, brute)
		out := compute(t, g, tarn.Outputs{"G": layers[0].G}, x, noise)
		same(t, out["G"].Floats(), []float64{1, 0, 0, 1})
	})
	// A window as large as the image has one place.
	t.Run("one place", func(t *testing.T) {
		w, b := normalParam("w", 2, 2, 2, 2), normalParam("b", 2)
		g := tarn.NewGraph()
		losses := g.Input("x", tarn.F64, 1, 2, 2, 2).Conv(w.Value(g).KernelFromTorch(), tarn.ConvOptions{}).Add(b).Exp().Sum(1, 2, 3)
		layers, _, err := tarn.KroneckerFactors(losses.Mean(), 0, w, b)
		if err != nil || len(layers) != 1 {
			t.Fatal(layers, err)
		}
		brute, product := fisher(t, g, layers[0], losses, normalTensor("x", 1, 2, 2, 2))
		same(t, product, brute)
	})
}

func TestKroneckerOthers(t *testing.T) {
	square := []int{3, 3}
	for _, test := range []struct {
		name  string
		shape []int
		build func(x *tarn.Value, p *tarn.Param) *tarn.Value
		want  string
	}{
		{"not used", square, func(x *tarn.Value, p *tarn.Param) *tarn.Value { return x }, "does not depend on it"},
		{"a scale", []int{3}, func(x *tarn.Value, p *tarn.Param) *tarn.Value { return x.Mul(p) }, "it is used by Mul at kronecker_test.go:"},
		{"an embedding", square, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return p.Value(x.Graph()).Take(0, x.Graph().Iota(tarn.I32, 0, 6).Clip(tarn.Num(0), tarn.Num(2)))
		}, "it is used by "},
		{"a penalty", square, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return x.MatMulT(p).Add(p.Value(x.Graph()).Square().Sum())
		}, "it is used by Square"},
		{"a weight and its transpose", square, func(x *tarn.Value, p *tarn.Param) *tarn.Value { return x.MatMulT(p).MatMul(p) }, "used as one matrix at kronecker_test.go:"},
		{"two shapes", []int{9, 1}, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return x.MatMulT(p.Value(x.Graph()).Reshape(3, 3)).Mul(x.Sum(1).Unsqueeze(1).MatMulT(p).Sum())
		}, "used as one matrix"},
		{"only a part", []int{6, 3}, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return x.MatMulT(p.Value(x.Graph()).Slice(0, 0, 3))
		}, "it is used by Slice"},
		{"in a loop", square, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return tarn.While([]*tarn.Value{x}, func(c []*tarn.Value) *tarn.Value { return c[0].Sum().Lt(tarn.Num(0)) },
				func(c []*tarn.Value) []*tarn.Value { return []*tarn.Value{c[0].MatMulT(p)} })[0]
		}, "it is used by While"},
		{"in a checkpoint", square, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return tarn.Checkpoint(func(in ...*tarn.Value) *tarn.Value { return in[0].MatMulT(p).Tanh() }, x)
		}, "it is used by Checkpoint"},
		{"with a gradient of its own", square, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return tarn.WithGradient(x.MatMulT(p), []*tarn.Param{p}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{dy.TMatMul(x)} })
		}, "it is used by WithGradient"},
		{"without gradient", square, func(x *tarn.Value, p *tarn.Param) *tarn.Value { return x.MatMulT(p).StopGradient() }, "no gradient of the loss reaches it"},
		{"an image", []int{1, 4, 3, 2}, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return p.Value(x.Graph()).Conv(x.Reshape(3, 3, 2, 1), tarn.ConvOptions{})
		}, "it is used by Conv"},
		{"an image of a transposed convolution", []int{1, 4, 3, 2}, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			return p.Value(x.Graph()).ConvTranspose(x.Reshape(3, 3, 1, 2), tarn.ConvOptions{})
		}, "it is used by ConvTranspose"},
		{"a convolution and its transpose", []int{2, 1, 3, 3}, func(x *tarn.Value, p *tarn.Param) *tarn.Value {
			kernel := p.Value(x.Graph()).KernelFromTorch()
			return x.Reshape(1, 3, 3, 2).ConvTranspose(kernel, tarn.ConvOptions{}).Conv(kernel, tarn.ConvOptions{})
		}, "used as one matrix"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := normalParam("p", test.shape...)
			g := tarn.NewGraph()
			loss := bumpy(test.build(g.Input("x", tarn.F64, 6, 3), p))
			layers, others, err := tarn.KroneckerFactors(loss, 6, p)
			if err != nil || len(layers) != 0 || len(others) != 1 || others[0].Param != p || !strings.Contains(others[0].Reason, test.want) {
				t.Errorf("layers %v, others %v, %v", layers, others, err)
			}
		})
	}
}

func TestKroneckerMistakes(t *testing.T) {
	w := normalParam("w", 4, 3)
	input := func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F64, 6, 3) }
	for _, test := range []struct {
		name     string
		loss     func(g *tarn.Graph) *tarn.Value
		examples int
		params   []*tarn.Param
		want     string
	}{
		{"no loss", func(g *tarn.Graph) *tarn.Value { return nil }, 1, []*tarn.Param{w}, "the loss is nil"},
		{"no scalar", func(g *tarn.Graph) *tarn.Value { return input(g).MatMulT(w) }, 1, []*tarn.Param{w}, "should be a float scalar"},
		{"a graph with a mistake", func(g *tarn.Graph) *tarn.Value { return input(g).MatMul(w).Sum() }, 1, []*tarn.Param{w}, "MatMul"},
		{"a negative number", func(g *tarn.Graph) *tarn.Value { return input(g).MatMulT(w).Sum() }, -1, []*tarn.Param{w}, "there are -1 examples"},
		{"a nil param", func(g *tarn.Graph) *tarn.Value { return input(g).MatMulT(w).Sum() }, 1, []*tarn.Param{w, nil}, "param 1 is nil"},
		{"a param twice", func(g *tarn.Graph) *tarn.Value { return input(g).MatMulT(w).Sum() }, 1, []*tarn.Param{w, w}, `"w" is listed twice`},
		{"no inputs", func(g *tarn.Graph) *tarn.Value { return g.Const(tarn.Zeros(tarn.F64, 6, 3)).MatMulT(w).Sum() }, 0, []*tarn.Param{w}, "depends on no input"},
		{"inputs of two sizes", func(g *tarn.Graph) *tarn.Value {
			return input(g).MatMulT(w).Mean().Add(g.Input("y", tarn.F64, 5).Mean())
		}, 0, []*tarn.Param{w}, `the inputs "x" and "y" have first axes of sizes 6 and 5`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := tarn.KroneckerFactors(test.loss(tarn.NewGraph()), test.examples, test.params...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	// Matrices and values of other shapes are mistakes of the graph.
	for _, build := range []func(g *tarn.Graph, l *tarn.KroneckerLayer){
		func(g *tarn.Graph, l *tarn.KroneckerLayer) { l.Matrix(g.Input("v", tarn.F64, 3, 4), nil) },
		func(g *tarn.Graph, l *tarn.KroneckerLayer) { l.Matrix(w.Value(g), w.Value(g)) },
		func(g *tarn.Graph, l *tarn.KroneckerLayer) { l.Split(g.Input("v", tarn.F64, 4, 4)) },
	} {
		g := tarn.NewGraph()
		layers, _, err := tarn.KroneckerFactors(input(g).MatMulT(w).Sum(), 0, w)
		if err != nil {
			t.Fatal(err)
		}
		if build(g, layers[0]); g.Err() == nil {
			t.Error("no mistake is reported")
		}
	}
}

// aLayer is a linear layer of 3 inputs and 4 outputs with a bias, in its own graph.
func aLayer() *tarn.KroneckerLayer {
	g := tarn.NewGraph()
	w, b := tarn.NewParam(tarn.F64, nil, 3, 4), tarn.NewParam(tarn.F64, nil, 4)
	x := g.Const(tarn.Zeros(tarn.F64, 2, 3))
	layers, _, err := tarn.KroneckerFactors(x.MatMul(w).Add(b).Sum(), 2, w, b)
	if err != nil {
		panic(err)
	}
	return layers[0]
}

var _ = register(
	opCase{op: "KroneckerLayer.Matrix", in: []operand{between(-2, 2), between(-2, 2)}, shapes: [][][]int{{{3, 4}, {4}}},
		build: func(in ...*tarn.Value) *tarn.Value { return aLayer().Matrix(in[0], in[1]) }},
	opCase{op: "KroneckerLayer.Split", in: []operand{between(-2, 2)}, shapes: [][][]int{{{4, 4}}},
		build: func(in ...*tarn.Value) *tarn.Value {
			weight, bias := aLayer().Split(in[0])
			return weight.Mul(bias)
		}},
)

// TestLoopUses expects the uses of a weight behind a loop, and the layers of the model, in time that grows with the number of results and
// operands of the loop, not with their product: each result has all operands.
func TestLoopUses(t *testing.T) {
	allocated := func(n int) (factors, layers uint64) {
		g := tarn.NewGraph()
		var model tarn.ParamSet
		carries := slices.Repeat([]*tarn.Value{g.Input("x", tarn.F64, 1, 3)}, n)
		for i := range carries {
			if err := model.Add(fmt.Sprintf("part%d.weight", i), tarn.NewParam(tarn.F64, nil, 3)); err != nil {
				t.Fatal(err)
			}
		}
		head := tarn.NewParam(tarn.F64, nil, 2, 3)
		if err := model.Add("head.weight", head); err != nil {
			t.Fatal(err)
		}
		params := model.List()
		last, _ := tarn.Scan(carries, nil, tarn.ScanOptions{Steps: 2}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
			for i, h := range carries {
				next = append(next, h.Mul(params[i].Value(g)).Sin())
			}
			return next, nil
		})
		loss := bumpy(tarn.Concat(0, last...).MatMulT(head.Value(g)))
		var at [3]runtime.MemStats
		runtime.ReadMemStats(&at[0])
		found, others, err := tarn.KroneckerFactors(loss, 1, params...)
		runtime.ReadMemStats(&at[1])
		parts := model.Layers(loss)
		runtime.ReadMemStats(&at[2])
		if err != nil || len(found) != 1 || found[0].Weight != head || len(others) != n || !strings.Contains(others[0].Reason, "used by Scan") {
			t.Fatalf("%v, %v, %v", found, others, err)
		}
		if len(parts) != 2 || parts[1].Path != "head" {
			t.Fatalf("the layers are %v", parts)
		}
		return at[1].TotalAlloc - at[0].TotalAlloc, at[2].TotalAlloc - at[1].TotalAlloc
	}
	factors, layers := allocated(500)
	more, moreLayers := allocated(2000)
	if more > 6*factors || moreLayers > 6*layers {
		t.Errorf("4 times as many captures take %d bytes in place of %d, and for the layers %d in place of %d", more, factors, moreLayers, layers)
	}
}
