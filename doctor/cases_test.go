package doctor_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds the trainings that the doctor is tested on: sick ones of every kind, and healthy ones that look suspicious.

// training is a case.
type training struct {
	name  string
	kinds []string // the rules that name the fault; none if it is healthy
	layer string   // a layer that the verdict should name, or ""

	model  any
	init   func(m any) // after tarn.Init
	set    *data.Set
	valid  *data.Set
	loss   func(y, target *tarn.Value) *tarn.Value
	opt    optim.Optimizer
	batch  int
	epochs int
}

const (
	width    = 16 // of the inputs
	classes  = 5
	examples = 512
)

// blobs are points around the center of their class, a few centers for each, so that a linear map does not suffice.
func blobs(n int, seed uint64, change func(x []float32, y int32, r *rand.Rand) ([]float32, int32)) *data.Set {
	centers := make([][]float64, 3*classes)
	place := rand.New(rand.NewPCG(5, 5))
	for i := range centers {
		for range width {
			centers[i] = append(centers[i], place.NormFloat64())
		}
	}
	r := rand.New(rand.NewPCG(seed, 1))
	var xs []float32
	var ys []int32
	for range n {
		c := r.IntN(len(centers))
		x := make([]float32, width)
		for j := range x {
			x[j] = float32(centers[c][j] + 0.3*r.NormFloat64())
		}
		y := int32(c % classes)
		if change != nil {
			x, y = change(x, y, r)
		}
		xs, ys = append(xs, x...), append(ys, y)
	}
	return must(data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{n, width}, Data: xs}}, data.Field{Name: "label", Array: data.Array{Shape: []int{n}, Data: ys}}))
}

// curve is a smooth function of the inputs with noise, times a scale plus a shift.
func curve(n int, seed uint64, scale, shift float64) *data.Set {
	r := rand.New(rand.NewPCG(seed, 2))
	xs, ys := make([]float32, n*width), make([]float32, n)
	for i := range n {
		for j := range width {
			xs[i*width+j] = float32(r.NormFloat64())
		}
		a, b, c := float64(xs[i*width]), float64(xs[i*width+1]), float64(xs[i*width+2])
		ys[i] = float32(shift + scale*(math.Sin(a)+0.5*b*c+0.05*r.NormFloat64()))
	}
	return must(data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{n, width}, Data: xs}}, data.Field{Name: "label", Array: data.Array{Shape: []int{n, 1}, Data: ys}}))
}

// signs are classes -1 and 1.
func signs(n int, seed uint64) *data.Set {
	r := rand.New(rand.NewPCG(seed, 3))
	xs, ys := make([]float32, n*width), make([]float32, n)
	for i := range n {
		for j := range width {
			xs[i*width+j] = float32(r.NormFloat64())
		}
		ys[i] = -1
		if xs[i*width]+xs[i*width+1]*xs[i*width+2] > 0 {
			ys[i] = 1
		}
	}
	return must(data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{n, width}, Data: xs}}, data.Field{Name: "label", Array: data.Array{Shape: []int{n, 1}, Data: ys}}))
}

// recall are sequences whose class stands in the first step alone, or in the last.
func recall(n, steps int, seed uint64, last bool) *data.Set {
	r := rand.New(rand.NewPCG(seed, 4))
	xs, ys := make([]float32, n*steps*4), make([]int32, n)
	for i := range n {
		for j := range steps * 4 {
			xs[i*steps*4+j] = float32(0.3 * r.NormFloat64())
		}
		ys[i] = int32(r.IntN(4))
		at := 0
		if last {
			at = steps - 1
		}
		xs[i*steps*4+at*4+int(ys[i])] += 2
	}
	return must(data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{n, steps, 4}, Data: xs}}, data.Field{Name: "label", Array: data.Array{Shape: []int{n}, Data: ys}}))
}

// words are pairs of numbers of words, few of which occur often.
func words(n int, seed uint64) *data.Set {
	r := rand.New(rand.NewPCG(seed, 6))
	xs, ys := make([]int32, n*2), make([]int32, n)
	for i := range n {
		for j := range 2 {
			xs[2*i+j] = int32(r.ExpFloat64() * 20)
			xs[2*i+j] = min(xs[2*i+j], 999)
		}
		ys[i] = (xs[2*i] + xs[2*i+1]) % 3
	}
	return must(data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{n, 2}, Data: xs}}, data.Field{Name: "label", Array: data.Array{Shape: []int{n}, Data: ys}}))
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// chain is a network of depth linear layers of 32 units with activations between them.
func chain(in, depth, out int, activation nn.Layer, init tarn.Initializer) *nn.Sequential {
	s := nn.NewSequential()
	for i := range depth {
		from, to := 32, 32
		if i == 0 {
			from = in
		}
		if i == depth-1 {
			to = out
		}
		l := nn.NewLinear(from, to)
		if init != nil {
			l.Weight.SetInit(init)
			l.Bias.SetInit(nn.Zeros())
		}
		s.Layers = append(s.Layers, l)
		if i < depth-1 {
			s.Layers = append(s.Layers, activation)
		}
	}
	return s
}

// residual adds what a layer makes of x to x.
type residual struct {
	Norm *nn.LayerNorm
	In   *nn.Linear
	Out  *nn.Linear
}

func (r *residual) Forward(x *tarn.Value) *tarn.Value {
	y := x
	if r.Norm != nil {
		y = r.Norm.Forward(y)
	}
	return x.Add(r.Out.Forward(r.In.Forward(y).ReLU()))
}

// tower is a residual network; with zero the branches begin at zero.
func tower(depth int, norm, zero bool) *nn.Sequential {
	s := nn.NewSequential(nn.NewLinear(width, 32))
	for range depth {
		r := &residual{In: nn.NewLinear(32, 32), Out: nn.NewLinear(32, 32)}
		if norm {
			r.Norm = nn.NewLayerNorm(32)
		}
		if zero {
			r.Out.Weight.SetInit(nn.Zeros())
			r.Out.Bias.SetInit(nn.Zeros())
		}
		s.Layers = append(s.Layers, r)
	}
	s.Layers = append(s.Layers, nn.NewLinear(32, classes))
	return s
}

// severed is a network one of whose layers gets no gradient.
type severed struct {
	In, Middle, Out *nn.Linear
}

func (m *severed) Forward(x *tarn.Value) *tarn.Value {
	return m.Out.Forward(m.Middle.Forward(m.In.Forward(x).ReLU()).ReLU().StopGradient())
}

// lastStep reads the last time step of a recurrent layer's result.
var lastStep = nn.Func(func(x *tarn.Value) *tarn.Value { return x.Slice(1, -1, x.Dim(1)).Reshape(x.Dim(0), -1) })

// with appends layers.
func with(s *nn.Sequential, layers ...nn.Layer) *nn.Sequential {
	s.Layers = append(s.Layers, layers...)
	return s
}

// normed puts a batch normalization before every activation.
func normed(s *nn.Sequential) *nn.Sequential {
	out := nn.NewSequential()
	for i, l := range s.Layers {
		if i%2 == 1 {
			out.Layers = append(out.Layers, nn.NewBatchNorm(32))
		}
		out.Layers = append(out.Layers, l)
	}
	return out
}

var (
	he     = nn.KaimingNormal(nn.FanIn, math.Sqrt2)
	xavier = nn.XavierNormal(1)
)

func scaled(c float64) func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
	return func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
		for i := range x {
			x[i] = float32(c) * (x[i] + 1)
		}
		return x, y
	}
}

func warm(o *optim.Adam, rate float64) *optim.Adam {
	o.Rate = optim.Warmup{Steps: 60, Then: optim.Constant(rate)}
	return o
}

// trainings returns all cases.
func trainings() []training {
	ce := func(y, t *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, t) }
	mse := func(y, t *tarn.Value) *tarn.Value { return nn.MSE(y, t) }
	plain, held := blobs(examples, 1, nil), blobs(256, 2, nil)
	sgd := func(rate float64) optim.Optimizer { return optim.NewSGD(rate) }
	adam := func(rate float64) *optim.Adam { return optim.NewAdam(rate) }
	relu, tanh, sigmoid := nn.ReLU{}, nn.Tanh{}, nn.Sigmoid{}
	const vanish, explode, dead, saturated = "vanishing-gradients", "exploding-gradients", "dead-relu", "saturation"
	list := []training{
		{name: "deep sigmoid", kinds: []string{vanish}, layer: "0", model: chain(width, 10, classes, sigmoid, xavier), opt: sgd(0.1)},
		{name: "deep sigmoid, Adam", kinds: []string{vanish}, layer: "0", model: chain(width, 16, classes, sigmoid, xavier), opt: adam(1e-3)},
		{name: "deep tanh, small weights", kinds: []string{vanish, "small-init"}, layer: "0", model: chain(width, 10, classes, tanh, nn.Normal(0, 0.03)), opt: sgd(0.1)},
		{name: "deep ReLU, default weights", kinds: []string{vanish, "small-init"}, layer: "0", model: chain(width, 20, classes, relu, nil), opt: sgd(0.05)},
		{name: "deep ReLU, tiny weights", kinds: []string{vanish, "small-init"}, layer: "0", model: chain(width, 8, classes, relu, nn.Normal(0, 0.01)), opt: sgd(0.1)},
		{name: "deep ReLU, large weights", kinds: []string{explode, "large-init"}, layer: "0", model: chain(width, 12, classes, relu, nn.KaimingNormal(nn.FanIn, 3)), opt: sgd(0.01)},
		{name: "deep linear, large weights", kinds: []string{explode, "large-init"}, layer: "0", model: chain(width, 12, 1, nn.Func(func(x *tarn.Value) *tarn.Value { return x }), nn.KaimingNormal(nn.FanIn, 2)), set: curve(examples, 1, 1, 0), loss: mse, opt: sgd(1e-3)},
		{name: "ReLU, N(0,3) weights", kinds: []string{"large-init"}, layer: "0", model: chain(width, 4, classes, relu, nn.Normal(0, 3)), opt: sgd(0.1)},
		{name: "tanh, N(0,2) weights", kinds: []string{saturated, "large-init"}, layer: "0", model: chain(width, 5, classes, tanh, nn.Normal(0, 2)), opt: sgd(0.01)},
		{name: "sigmoid, saturated by inputs", kinds: []string{saturated, "input-scale"}, layer: "0", set: blobs(examples, 1, scaled(100)), model: chain(width, 4, classes, sigmoid, xavier), opt: sgd(0.1)},
		{name: "ReLU, dead by bias", kinds: []string{dead}, layer: "2", model: chain(width, 4, classes, relu, he), opt: sgd(0.05), init: func(m any) {
			fill(m.(*nn.Sequential).Layers[2].(*nn.Linear).Bias, -30)
		}},
		{name: "ReLU, dead in the first layer", kinds: []string{dead}, layer: "0", model: chain(width, 3, classes, relu, he), opt: adam(1e-3), init: func(m any) {
			fill(m.(*nn.Sequential).Layers[0].(*nn.Linear).Bias, -50)
		}},
		{name: "ReLU, killed by the rate", kinds: []string{dead, "large-rate"}, model: chain(width, 4, classes, relu, he), opt: sgd(5)},
		{name: "ReLU at the output, cross-entropy", kinds: []string{"output-activation"}, layer: "4", model: with(chain(width, 3, classes, relu, he), relu), opt: sgd(0.05), init: func(m any) {
			fill(m.(*nn.Sequential).Layers[4].(*nn.Linear).Bias, -3)
		}},
		{name: "softmax twice", kinds: []string{"output-activation"}, layer: "4", model: with(chain(width, 3, classes, relu, he), nn.Softmax{}), opt: sgd(0.05)},
		{name: "sigmoid at the output, targets to 30", kinds: []string{"output-activation"}, layer: "4", set: curve(examples, 1, 5, 20), loss: mse, model: with(chain(width, 3, 1, relu, he), sigmoid), opt: sgd(0.05)},
		{name: "ReLU at the output, targets below 0", kinds: []string{"output-activation", dead}, layer: "4", set: curve(examples, 1, 1, -4), loss: mse, model: with(chain(width, 3, 1, relu, he), relu), opt: sgd(0.05)},
		{name: "zero weights", kinds: []string{"zero-init"}, layer: "0", model: chain(width, 4, classes, relu, nn.Zeros()), opt: sgd(0.1)},
		{name: "zero weights, tanh and Adam", kinds: []string{"zero-init"}, layer: "0", model: chain(width, 3, classes, tanh, nn.Zeros()), opt: adam(1e-3)},
		{name: "inputs times 1000", kinds: []string{"input-scale"}, layer: "0", set: blobs(examples, 1, scaled(1000)), model: chain(width, 3, classes, relu, nil), opt: sgd(0.05)},
		{name: "inputs times 1000, tanh", kinds: []string{"input-scale", saturated}, layer: "0", set: blobs(examples, 1, scaled(1000)), model: chain(width, 3, classes, tanh, nil), opt: sgd(0.05)},
		{name: "inputs of bytes, regression", kinds: []string{"input-scale", "large-rate"}, layer: "0", set: bytes(), loss: mse, model: chain(width, 3, 1, relu, nil), opt: sgd(0.01)},
		{name: "inputs with outliers", kinds: []string{"input-outliers"}, layer: "0", set: blobs(examples, 1, func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
			if r.IntN(200) == 0 {
				x[r.IntN(width)] = 1e4
			}
			return x, y
		}), model: chain(width, 3, classes, relu, nil), opt: sgd(0.05)},
		{name: "targets far from 0", kinds: []string{"start-loss"}, set: curve(examples, 1, 1, 1000), loss: mse, model: chain(width, 3, 1, tanh, nil), opt: adam(1e-3)},
		{name: "rate 10", kinds: []string{"large-rate", dead}, model: chain(width, 3, classes, tanh, nil), opt: sgd(30)},
		{name: "rate 1, Adam", kinds: []string{"large-rate", dead, saturated}, model: chain(width, 3, classes, relu, nil), opt: adam(1)},
		{name: "rate 1, regression", kinds: []string{"large-rate"}, set: curve(examples, 1, 1, 0), loss: mse, model: chain(width, 3, 1, relu, he), opt: sgd(1)},
		{name: "rate 1e-5", kinds: []string{"small-rate"}, model: chain(width, 3, classes, relu, nil), opt: sgd(1e-5)},
		{name: "rate 1e-7, Adam", kinds: []string{"small-rate"}, model: chain(width, 3, classes, relu, nil), opt: adam(1e-7)},
		{name: "constant labels", kinds: []string{"labels"}, set: blobs(examples, 1, func(x []float32, y int32, r *rand.Rand) ([]float32, int32) { return x, 0 }), model: chain(width, 3, classes, relu, nil), opt: sgd(0.1)},
		{name: "shuffled labels", kinds: []string{"labels", "overfitting"}, set: shuffled(examples, 1), valid: shuffled(256, 2), model: chain(width, 3, classes, relu, he), opt: adam(3e-3), epochs: 40},
		{name: "overfitting", kinds: []string{"overfitting"}, set: noisy(96, 1), valid: noisy(256, 2), model: chain(width, 4, classes, relu, he), opt: adam(3e-3), epochs: 60, batch: 16},
		{name: "underfitting", kinds: []string{"underfitting"}, set: curve(examples, 1, 1, 0), loss: mse, model: nn.NewSequential(nn.NewLinear(width, 1)), opt: sgd(0.05)},
		{name: "a layer without gradient", kinds: []string{"no-gradient"}, layer: "middle", model: &severed{nn.NewLinear(width, 32), nn.NewLinear(32, 32), nn.NewLinear(32, classes)}, opt: sgd(0.05)},
		{name: "a NaN in the inputs", kinds: []string{"non-finite"}, layer: "0", set: blobs(examples, 1, func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
			if r.IntN(100) == 0 {
				x[3] = float32(math.NaN())
			}
			return x, y
		}), model: chain(width, 3, classes, relu, nil), opt: sgd(0.05)},
		{name: "a recurrent layer that forgets", kinds: []string{"recurrent-gradients"}, layer: "0", set: recall(examples, 60, 1, false), model: nn.NewSequential(nn.NewRNN(4, 16, nn.RecurrentOptions{}), lastStep, nn.NewLinear(16, 4)), opt: sgd(0.1), epochs: 8},
		{name: "batch normalization of pairs", kinds: []string{"batch-norm"}, set: plain, valid: held, model: normed(chain(width, 4, classes, relu, he)), opt: sgd(0.05), batch: 2, epochs: 2},

		{name: "healthy: MLP", model: chain(width, 3, classes, relu, nil), opt: sgd(0.1), valid: held},
		{name: "healthy: N(0,1) weights, soon repaired", model: chain(width, 4, classes, relu, nn.Normal(0, 1)), opt: sgd(0.01)},
		{name: "healthy: MLP, Adam", model: chain(width, 3, classes, relu, he), opt: adam(1e-3), valid: held},
		{name: "healthy: deep ReLU, He", model: chain(width, 10, classes, relu, he), opt: adam(1e-3)},
		{name: "healthy: residual", model: tower(20, true, false), opt: adam(1e-3)},
		{name: "healthy: residual without norms", model: tower(12, false, false), opt: adam(1e-3)},
		{name: "healthy: branches at zero", model: tower(10, true, true), opt: adam(1e-3)},
		{name: "healthy: sigmoid", model: chain(width, 3, classes, sigmoid, nn.XavierNormal(4)), opt: adam(1e-2)},
		{name: "healthy: deep sigmoid with batch norm", model: normed(chain(width, 8, classes, sigmoid, xavier)), opt: adam(1e-2)},
		{name: "healthy: sparse embedding", set: words(examples, 1), model: nn.NewSequential(nn.NewEmbedding(1000, 16), nn.Flatten{}, nn.NewLinear(32, 32), relu, nn.NewLinear(32, 3)), opt: adam(1e-2)},
		{name: "healthy: frozen layer", model: frozen(chain(width, 3, classes, relu, he)), opt: adam(1e-3)},
		{name: "healthy: frozen embedding", set: words(examples, 1), model: frozen(nn.NewSequential(nn.NewEmbedding(1000, 16), nn.Flatten{}, nn.NewLinear(32, 64), relu, nn.NewLinear(64, 3))), opt: adam(1e-2)},
		{name: "healthy: tiny losses", set: curve(examples, 1, 1e-3, 0), loss: mse, model: chain(width, 3, 1, tanh, nil), opt: adam(1e-3)},
		{name: "healthy: warm-up", model: chain(width, 3, classes, relu, nil), opt: warm(adam(3e-3), 3e-3)},
		{name: "healthy: hinge loss", set: signs(examples, 1), loss: func(y, t *tarn.Value) *tarn.Value { return nn.Hinge(y, t) }, model: chain(width, 3, 1, relu, he), opt: adam(3e-3)},
		{name: "healthy: one-hot targets", set: oneHot(examples, 1), loss: ce, model: chain(width, 3, classes, relu, he), opt: adam(3e-3)},
		{name: "healthy: zero last layer", model: zeroLast(chain(width, 3, classes, relu, he)), opt: adam(3e-3)},
		{name: "healthy: dropout", model: with(nn.NewSequential(nn.NewLinear(width, 64), relu, nn.NewDropout(0.5)), nn.NewLinear(64, classes)), opt: adam(3e-3), valid: held},
		{name: "healthy: GELU", model: chain(width, 4, classes, nn.GELU{}, he), opt: adam(1e-3)},
		{name: "healthy: LSTM", set: recall(examples, 12, 1, true), model: nn.NewSequential(nn.NewLSTM(4, 16, nn.RecurrentOptions{}), lastStep, nn.NewLinear(16, 4)), opt: adam(1e-2)},
		{name: "healthy: inputs times 100, batch norm", set: blobs(examples, 1, scaled(100)), model: with(nn.NewSequential(nn.NewLinear(width, 32), nn.NewBatchNorm(32), relu), nn.NewLinear(32, classes)), opt: adam(3e-3)},
		{name: "healthy: regression", set: curve(examples, 1, 1, 0), loss: mse, model: chain(width, 3, 1, tanh, nil), opt: adam(3e-3)},
		{name: "healthy: most labels alike", set: blobs(examples, 1, func(x []float32, y int32, r *rand.Rand) ([]float32, int32) { return x, min(1, y%4*(y/3)) }), model: chain(width, 3, 2, relu, he), opt: adam(3e-3)},
		{name: "healthy: softmax before a likelihood", loss: func(y, t *tarn.Value) *tarn.Value { return nn.NLL(y.Log(), t) }, model: with(chain(width, 3, classes, relu, he), nn.Softmax{}), opt: adam(3e-3)},
		{name: "healthy: noisy labels", set: noisy(examples, 1), model: chain(width, 3, classes, relu, he), opt: sgd(0.05)},
		{name: "healthy: wide and sparse ReLUs", model: sparse(), opt: adam(3e-3)},
	}
	for i := range list {
		c := &list[i]
		if c.set == nil {
			c.set = plain
		}
		if c.loss == nil {
			c.loss = ce
		}
		if c.batch == 0 {
			c.batch = 32
		}
		if c.epochs == 0 {
			c.epochs = 16
		}
	}
	return list
}

func fill(p *tarn.Param, x float64) {
	for i := range p.Tensor().Size() {
		p.Tensor().SetFloat(i, x)
	}
}

func frozen(s *nn.Sequential) *nn.Sequential {
	for _, p := range must(tarn.Params(s.Layers[0])).List() {
		p.Frozen = true
	}
	return s
}

func zeroLast(s *nn.Sequential) *nn.Sequential {
	l := s.Layers[len(s.Layers)-1].(*nn.Linear)
	l.Weight.SetInit(nn.Zeros())
	l.Bias.SetInit(nn.Zeros())
	return s
}

// sparse is a network most of whose units are 0 for all examples from the start.
func sparse() *nn.Sequential {
	l := nn.NewLinear(width, 256)
	l.Bias.SetInit(nn.Uniform(-40, 2))
	return nn.NewSequential(l, nn.ReLU{}, nn.NewLinear(256, classes))
}

// shuffled has labels that have nothing to do with the inputs.
func shuffled(n int, seed uint64) *data.Set {
	return blobs(n, seed, func(x []float32, y int32, r *rand.Rand) ([]float32, int32) { return x, int32(r.IntN(classes)) })
}

// noisy has a third of its labels at random.
func noisy(n int, seed uint64) *data.Set {
	return blobs(n, seed, func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
		if r.IntN(3) == 0 {
			y = int32(r.IntN(classes))
		}
		return x, y
	})
}

// bytes are inputs from 0 to 255, and their mean over 128 as the target.
func bytes() *data.Set {
	r := rand.New(rand.NewPCG(9, 2))
	xs, ys := make([]float32, examples*width), make([]float32, examples)
	for i := range examples {
		for j := range width {
			xs[i*width+j] = float32(r.IntN(256))
		}
		ys[i] = (xs[i*width] - xs[i*width+1]) / 128
	}
	return must(data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{examples, width}, Data: xs}}, data.Field{Name: "label", Array: data.Array{Shape: []int{examples, 1}, Data: ys}}))
}

// oneHot are the blobs with distributions as targets.
func oneHot(n int, seed uint64) *data.Set {
	var ys []float32
	set := blobs(n, seed, func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
		row := make([]float32, classes)
		row[y] = 1
		ys = append(ys, row...)
		return x, y
	})
	x := must(set.Tensor("x"))
	return must(data.NewSet(data.Field{Name: "x", Array: data.FromTensor(x)}, data.Field{Name: "label", Array: data.Array{Shape: []int{n, classes}, Data: ys}}))
}

// build is the graph of a case.
func (c *training) build(g *tarn.Graph, n int) tarn.Outputs {
	input := func(name string) *tarn.Value {
		shape := must(c.set.Shape(name))
		return g.Input(name, must(c.set.DType(name)), append([]int{n}, shape...)...)
	}
	y := c.model.(nn.Layer).Forward(input("x"))
	return tarn.Outputs{"loss": c.loss(y, input("label")), "prediction": y}
}

// loop is the training of a case.
func (c *training) loop(dir string, seed uint64) (*train.Loop, error) {
	if err := tarn.Init(c.model, seed); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if c.init != nil {
		c.init(c.model)
	}
	l := train.NewLoop(c.build, c.model, c.opt, c.set)
	l.Epochs, l.Batch, l.Seed, l.Valid = c.epochs, c.batch, seed, c.valid
	var err error
	l.Folder, err = train.CreateFolder(dir, c.name)
	return l, err
}
