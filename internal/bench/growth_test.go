package bench

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// This file measures how the time to compile grows with the size of a graph. Each family of graphs doubles from one size to
// the next, so that a ratio well above 2 means that something is not linear:
//
//	go test ./internal/bench -run - -bench CompileGrowth -benchtime 1x

// BenchmarkCompileGrowth reports for each size the number of nodes, the processor seconds of tracing and of compiling, and
// the ratio of their sum to that of the size before.
func BenchmarkCompileGrowth(b *testing.B) {
	for _, family := range []struct {
		name  string
		sizes []int
		trace func(b *testing.B, n int) (compile func() error, g *tarn.Graph)
	}{
		{"rnn", []int{400, 800, 1600, 3200}, growRNN},
		{"blocks", []int{100, 200, 400, 800, 1600}, growBlocks},
		{"sin", []int{1000, 2000, 4000, 8000, 16000, 32000}, growSin},
		{"scalar-sin", []int{1000, 2000, 4000, 8000, 16000, 32000}, growScalarSin},
		{"inputs", []int{1000, 2000, 4000, 8000, 16000}, growInputs},
		{"shared", []int{1000, 2000, 4000, 8000, 16000}, growShared},
		{"captures", []int{1000, 2000, 4000, 8000, 16000}, growCaptures},
		{"factors", []int{500, 1000, 2000, 4000, 8000}, growFactors},
	} {
		took := map[int]float64{} // processor seconds by size
		for i, n := range family.sizes {
			b.Run(fmt.Sprintf("%s/%d", family.name, n), func(b *testing.B) {
				traced, compiled := 0.0, 0.0
				var graph *tarn.Graph
				for range b.N {
					start := ownTime()
					compile, g := family.trace(b, n)
					middle := ownTime()
					if err := compile(); err != nil {
						b.Fatal(err)
					}
					traced += (middle - start).Seconds()
					compiled += (ownTime() - middle).Seconds()
					graph = g
				}
				traced, compiled = traced/float64(b.N), compiled/float64(b.N)
				b.StopTimer()
				b.ReportMetric(float64(strings.Count(graph.String(), "\n")), "nodes")
				b.ReportMetric(traced, "trace-s")
				b.ReportMetric(compiled, "compile-s")
				took[n] = traced + compiled
				if i > 0 && took[family.sizes[i-1]] > 0 {
					b.ReportMetric(took[n]/took[family.sizes[i-1]], "ratio")
				}
			})
		}
	}
}

// growRNN is a recurrent network of 16 units with n steps written out, and its gradients.
func growRNN(b *testing.B, n int) (func() error, *tarn.Graph) {
	w, u, bias := tarn.NewParam(tarn.F32, nil, 16, 16), tarn.NewParam(tarn.F32, nil, 16, 16), tarn.NewParam(tarn.F32, nil, 16)
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, n, 4, 16)
	h := g.Const(tarn.Zeros(tarn.F32, 4, 16))
	for t := range n {
		h = x.Slice(0, t, t+1).Squeeze(0).MatMul(w).Add(h.MatMul(u)).Add(bias).Tanh()
	}
	return growDescent(g, h.Square().Mean(), w, u, bias), g
}

// growDescent compiles a step of gradient descent.
func growDescent(g *tarn.Graph, loss *tarn.Value, params ...tarn.Operand) func() error {
	var updates []tarn.Update
	for i, d := range tarn.Grad(loss, params...) {
		p := params[i].(*tarn.Param)
		updates = append(updates, tarn.Assign(p, p.Value(g).Sub(d.Scale(0.1))))
	}
	return func() error {
		_, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
		return err
	}
}

// growBlocks is n blocks of a linear layer, GELU and a layer norm, trained by AdamW.
func growBlocks(b *testing.B, n int) (func() error, *tarn.Graph) {
	model := nn.NewSequential()
	for range n {
		model.Layers = append(model.Layers, nn.NewLinear(16, 16), nn.GELU{}, nn.NewLayerNorm(16))
	}
	if err := tarn.Init(model, 1); err != nil {
		b.Fatal(err)
	}
	g := tarn.NewGraph()
	loss := model.Forward(g.Input("x", tarn.F32, 8, 16)).Square().Mean()
	return func() error {
		_, err := train.NewStep(loss, model, optim.NewAdamW(1e-3))
		return err
	}, g
}

// growSin is a chain of n sines of a vector, and its gradient.
func growSin(b *testing.B, n int) (func() error, *tarn.Graph) { return growChain(n, 100) }

// growScalarSin is the same of one number.
func growScalarSin(b *testing.B, n int) (func() error, *tarn.Graph) { return growChain(n, 1) }

func growChain(n, size int) (func() error, *tarn.Graph) {
	p := tarn.NewParam(tarn.F32, nil, size)
	g := tarn.NewGraph()
	y := p.Value(g)
	for range n {
		y = y.Sin()
	}
	return growDescent(g, y.Mean(), p), g
}

// growInputs is a sum of n inputs, each with an output of its own.
func growInputs(b *testing.B, n int) (func() error, *tarn.Graph) {
	g := tarn.NewGraph()
	outputs := tarn.Outputs{}
	var sum *tarn.Value
	for i := range n {
		x := g.Input(fmt.Sprint("x", i), tarn.F32, 4)
		if sum == nil {
			sum = x
		}
		sum = sum.Add(x)
		outputs[fmt.Sprint("y", i)] = x.Exp()
	}
	outputs["sum"] = sum
	return func() error {
		_, err := tarn.Compile(g, outputs)
		return err
	}, g
}

// growShared is n branches that read one array and are stored side by side.
func growShared(b *testing.B, n int) (func() error, *tarn.Graph) {
	p := tarn.NewParam(tarn.F32, nil, 8, 8)
	g := tarn.NewGraph()
	x := p.Value(g).Tanh()
	var parts []*tarn.Value
	for i := range n {
		parts = append(parts, x.Mul(tarn.Num(float64(i))).Exp().MatMul(x))
	}
	return growDescent(g, tarn.Concat(0, parts...).Square().Mean(), p), g
}

// growCaptures is a scan whose body reads n params, and the gradients of all of them.
func growCaptures(b *testing.B, n int) (func() error, *tarn.Graph) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 4)
	var params []tarn.Operand
	for range n {
		params = append(params, tarn.NewParam(tarn.F32, nil, 4))
	}
	last, _ := tarn.Scan([]*tarn.Value{x}, nil, tarn.ScanOptions{Steps: 3}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
		h := carries[0]
		for _, p := range params {
			h = h.Mul(p.(*tarn.Param).Value(g)).Sin()
		}
		return []*tarn.Value{h}, nil
	})
	return growDescent(g, last[0].Sum(), params...), g
}

// growFactors is a scan with n carries whose body reads n params, and a linear layer behind it: each result of the scan has all params as
// operands. The layers of the model and their Kronecker factors are found, which compiles nothing.
func growFactors(b *testing.B, n int) (func() error, *tarn.Graph) {
	g := tarn.NewGraph()
	x, w := g.Input("x", tarn.F32, 1, 4), tarn.NewParam(tarn.F32, nil, 4, 4)
	var model tarn.ParamSet
	var carries []*tarn.Value
	for i := range n {
		carries = append(carries, x)
		if err := model.Add(fmt.Sprintf("layer%d.weight", i), tarn.NewParam(tarn.F32, nil, 4)); err != nil {
			b.Fatal(err)
		}
	}
	if err := model.Add("head.weight", w); err != nil {
		b.Fatal(err)
	}
	params := model.List()
	last, _ := tarn.Scan(carries, nil, tarn.ScanOptions{Steps: 3}, func(carries, _ []*tarn.Value) (next, ys []*tarn.Value) {
		for i, h := range carries {
			next = append(next, h.Mul(params[i].Value(g)).Sin())
		}
		return next, nil
	})
	loss := tarn.Concat(0, last...).MatMul(w.Value(g)).Square().Mean()
	return func() error {
		if layers := model.Layers(loss); len(layers) == 0 {
			return fmt.Errorf("there are no layers")
		}
		_, _, err := tarn.KroneckerFactors(loss, 1, params...)
		return err
	}, g
}
