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
	opt    optimizer
	batch  int
	epochs int
}

// optimizer makes an optimizer, and has the rate that a case trains with.
type optimizer struct {
	rate float64
	with func(rate float64) optim.Optimizer
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

func sgd(rate float64) optimizer {
	return optimizer{rate, func(rate float64) optim.Optimizer { return optim.NewSGD(rate) }}
}

func momentum(rate float64) optimizer {
	return optimizer{rate, func(rate float64) optim.Optimizer { return optim.NewMomentum(rate) }}
}

func adam(rate float64) optimizer {
	return optimizer{rate, func(rate float64) optim.Optimizer { return optim.NewAdam(rate) }}
}

func rmsprop(rate float64) optimizer {
	return optimizer{rate, func(rate float64) optim.Optimizer { return optim.NewRMSprop(rate) }}
}

// following has a schedule.
func following(o optimizer, schedule func(rate float64) optim.Schedule) optimizer {
	return optimizer{o.rate, func(rate float64) optim.Optimizer {
		made := o.with(rate)
		switch made := made.(type) {
		case *optim.SGD:
			made.Rate = schedule(rate)
		case *optim.Adam:
			made.Rate = schedule(rate)
		}
		return made
	}}
}

func warm(o optimizer) optimizer {
	return following(o, func(rate float64) optim.Schedule { return optim.Warmup{Steps: 60, Then: optim.Constant(rate)} })
}

// falling multiplies the rate by a factor at each update.
func falling(o optimizer, factor float64) optimizer {
	return following(o, func(rate float64) optim.Schedule { return optim.Exponential{Rate: rate, Factor: factor} })
}

func cosine(o optimizer) optimizer {
	return following(o, func(rate float64) optim.Schedule { return optim.Cosine{Rate: rate, Steps: 256} })
}

// slowed gives a part of the model a rate of its own.
func slowed(path string, factor float64) optimizer {
	return optimizer{0.1, func(rate float64) optim.Optimizer {
		o := optim.NewSGD(rate)
		o.Group(optim.Under(path)).Rate = factor
		return o
	}}
}

// decaying has a weight decay of matrices and one of vectors.
func decaying(rate, matrices, vectors float64) optimizer {
	return optimizer{rate, func(rate float64) optim.Optimizer {
		o := optim.NewAdamW(rate)
		o.WeightDecay = max(matrices, vectors)
		o.Group(optim.Vectors).Decay = vectors / o.WeightDecay
		o.Group(optim.Not(optim.Vectors)).Decay = matrices / o.WeightDecay
		return o
	}}
}

// penalized has an L2 penalty.
func penalized(rate, decay float64) optimizer {
	return optimizer{rate, func(rate float64) optim.Optimizer {
		o := optim.NewSGD(rate)
		o.WeightDecay = decay
		return o
	}}
}

func clipped(rate, norm float64) optimizer {
	return optimizer{rate, func(rate float64) optim.Optimizer {
		o := optim.NewSGD(rate)
		o.ClipNorm = norm
		return o
	}}
}

// attention is a transformer that reads sequences, with a normalization after each part, as the first ones had.
type attention struct {
	In     *nn.Linear
	Blocks []*attentionBlock
	Out    *nn.Linear
}

type attentionBlock struct {
	Attention     *nn.MultiHeadAttention
	First, Second *nn.LayerNorm
	Up, Down      *nn.Linear
	Before        bool // the normalizations stand before the parts
}

func (b *attentionBlock) Forward(x *tarn.Value) *tarn.Value {
	feed := func(x *tarn.Value) *tarn.Value { return b.Down.Forward(b.Up.Forward(x).ReLU()) }
	if b.Before {
		x = x.Add(b.Attention.Forward(b.First.Forward(x)))
		return x.Add(feed(b.Second.Forward(x)))
	}
	x = b.First.Forward(x.Add(b.Attention.Forward(x)))
	return b.Second.Forward(x.Add(feed(x)))
}

func (m *attention) Forward(x *tarn.Value) *tarn.Value {
	y := m.In.Forward(x)
	for _, b := range m.Blocks {
		y = b.Forward(y)
	}
	return m.Out.Forward(y.Mean(1))
}

func attentive(depth int, before bool) *attention {
	m := &attention{In: nn.NewLinear(4, 32), Out: nn.NewLinear(32, 4)}
	for range depth {
		m.Blocks = append(m.Blocks, &attentionBlock{nn.NewMultiHeadAttention(32, 4), nn.NewLayerNorm(32), nn.NewLayerNorm(32), nn.NewLinear(32, 64), nn.NewLinear(64, 32), before})
	}
	return m
}

// ranked are the blobs with rare classes.
func ranked(n int, seed uint64, often float64) *data.Set {
	return blobs(n, seed, func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
		if r.Float64() < often {
			y = 0
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
		}
		return x, y
	})
}

// yes are the targets 0 and 1 of a binary cross-entropy, times a scale.
func yes(n int, seed uint64, scale float32) *data.Set {
	var ys []float32
	set := signs(n, seed)
	for _, y := range must(set.Tensor("label")).Floats() {
		ys = append(ys, scale*float32(y+1)/2)
	}
	return must(data.NewSet(data.Field{Name: "x", Array: data.FromTensor(must(set.Tensor("x")))}, data.Field{Name: "label", Array: data.Array{Shape: []int{n, 1}, Data: ys}}))
}

// wide is a set of doubles.
func wide(s *data.Set) *data.Set { return must(s.Cast("x", tarn.F64)) }

// doubled is a chain of doubles.
func doubled(s *nn.Sequential) *nn.Sequential {
	if err := tarn.Cast(s, tarn.F64); err != nil {
		panic(err)
	}
	return s
}

// sluggish has running statistics that hardly move.
func sluggish(s *nn.Sequential) *nn.Sequential {
	for _, l := range s.Layers {
		if b, ok := l.(*nn.BatchNorm); ok {
			b.Momentum = 1e-4
		}
	}
	return s
}

// hugeBeforeNorm has a layer whose weights are so large that no update turns them, while the normalization hides their size.
func hugeBeforeNorm() *nn.Sequential {
	l := nn.NewLinear(width, 32)
	l.Weight.SetInit(nn.Normal(0, 300))
	return nn.NewSequential(l, nn.NewLayerNorm(32), nn.ReLU{}, nn.NewLinear(32, classes))
}

// trainings returns all cases.
func trainings() []training {
	ce := func(y, t *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, t) }
	mse := func(y, t *tarn.Value) *tarn.Value { return nn.MSE(y, t) }
	bce := func(y, t *tarn.Value) *tarn.Value { return nn.BCEWithLogits(y, t) }
	plain, held := blobs(examples, 1, nil), blobs(256, 2, nil)
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
		{name: "deep tanh, regression", kinds: []string{vanish, "small-init"}, layer: "0", set: curve(examples, 1, 1, 0), loss: mse, model: chain(width, 12, 1, tanh, nn.Normal(0, 0.05)), opt: sgd(0.05)},
		{name: "deep sigmoid, doubles", kinds: []string{vanish}, layer: "0", set: wide(plain), model: doubled(chain(width, 8, classes, sigmoid, xavier)), opt: sgd(0.1)},
		{name: "deep sigmoid, binary", kinds: []string{vanish}, layer: "0", set: yes(examples, 1, 1), loss: bce, model: chain(width, 10, 1, sigmoid, xavier), opt: sgd(0.1)},
		{name: "deep hard tanh, small weights", kinds: []string{vanish, "small-init"}, layer: "0", model: chain(width, 12, classes, nn.HardTanh{}, nn.Normal(0, 0.04)), opt: sgd(0.1)},
		{name: "blocks with large weights", kinds: []string{explode, "large-init", "large-rate"}, layer: "0", model: largeBlocks(16), opt: sgd(0.01)},
		{name: "deep leaky ReLU, large weights", kinds: []string{explode, "large-init"}, layer: "0", model: chain(width, 14, classes, nn.LeakyReLU{Slope: 0.1}, nn.KaimingNormal(nn.FanIn, 2.5)), opt: sgd(0.01)},
		{name: "a recurrent layer that explodes", kinds: []string{"recurrent-gradients", explode}, layer: "0", set: recall(examples, 40, 1, false), model: nn.NewSequential(largeRNN(), lastStep, nn.NewLinear(16, 4)), opt: sgd(0.1), epochs: 8},
		{name: "sigmoid, N(0,5) weights", kinds: []string{saturated, "large-init"}, layer: "2", model: chain(width, 5, classes, sigmoid, nn.Normal(0, 5)), opt: sgd(0.05)},
		{name: "tanh, saturated by bias", kinds: []string{saturated}, layer: "2", model: chain(width, 4, classes, tanh, xavier), opt: sgd(0.05), init: func(m any) {
			fill(m.(*nn.Sequential).Layers[2].(*nn.Linear).Bias, 20)
		}},
		{name: "ReLU, all layers dead by bias", kinds: []string{dead}, layer: "0", model: chain(width, 4, classes, relu, he), opt: adam(1e-3), init: func(m any) {
			for _, i := range []int{0, 2, 4} {
				fill(m.(*nn.Sequential).Layers[i].(*nn.Linear).Bias, -40)
			}
		}},
		{name: "ReLU, dead, regression", kinds: []string{dead}, layer: "2", set: curve(examples, 1, 1, 0), loss: mse, model: chain(width, 4, 1, relu, he), opt: sgd(0.05), init: func(m any) {
			fill(m.(*nn.Sequential).Layers[2].(*nn.Linear).Bias, -30)
		}},
		{name: "a hidden layer of zeros", kinds: []string{"zero-init"}, layer: "2", model: chain(width, 4, classes, relu, he), opt: sgd(0.1), init: func(m any) {
			fill(m.(*nn.Sequential).Layers[2].(*nn.Linear).Weight, 0)
		}},
		{name: "equal weights", kinds: []string{"symmetric-init"}, layer: "0", model: chain(width, 3, classes, tanh, nn.Constant(0.1)), opt: sgd(0.1)},
		{name: "equal weights, ReLU and Adam", kinds: []string{"symmetric-init"}, layer: "0", model: chain(width, 4, classes, relu, nn.Constant(0.05)), opt: adam(1e-3)},
		{name: "inputs over 10000", kinds: []string{"input-scale"}, layer: "0", set: blobs(examples, 1, scaled(1e-4)), model: chain(width, 3, classes, relu, nil), opt: sgd(0.05)},
		{name: "inputs around 100", kinds: []string{"input-scale", "large-rate", dead}, layer: "0", set: blobs(examples, 1, shifted(100)), model: chain(width, 3, classes, relu, nil), opt: sgd(0.05)},
		{name: "inputs around 50, sigmoid", kinds: []string{"input-scale", saturated}, layer: "0", set: blobs(examples, 1, shifted(50)), model: chain(width, 3, classes, sigmoid, xavier), opt: sgd(0.1)},
		{name: "outliers, regression", kinds: []string{"input-outliers"}, layer: "0", set: outlying(), loss: mse, model: chain(width, 3, 1, relu, nil), opt: sgd(0.02)},
		{name: "targets times 1000", kinds: []string{"start-loss"}, set: curve(examples, 1, 1000, 0), loss: mse, model: chain(width, 3, 1, relu, he), opt: sgd(0.05)},
		{name: "biases that prefer a class", kinds: []string{"start-loss"}, layer: "0", model: nn.NewSequential(nn.NewLinear(width, classes)), opt: sgd(0.05), init: func(m any) {
			m.(*nn.Sequential).Layers[0].(*nn.Linear).Bias.Tensor().SetFloat(0, 100)
		}},
		{name: "tanh at the output, targets to 10", kinds: []string{"output-activation"}, layer: "4", set: curve(examples, 1, 3, 5), loss: mse, model: with(chain(width, 3, 1, relu, he), tanh), opt: sgd(0.05)},
		{name: "softmax twice, Adam", kinds: []string{"output-activation"}, layer: "6", model: with(chain(width, 4, classes, tanh, nil), nn.Softmax{}), opt: adam(1e-3)},
		{name: "rate 0.5, Adam, regression", kinds: []string{"large-rate", dead, saturated}, set: curve(examples, 1, 1, 0), loss: mse, model: chain(width, 4, 1, tanh, nil), opt: adam(0.5)},
		{name: "rate 1, momentum", kinds: []string{"large-rate", dead}, model: chain(width, 3, classes, relu, he), opt: momentum(1)},
		{name: "rate 20, binary", kinds: []string{"large-rate", dead}, set: yes(examples, 1, 1), loss: bce, model: chain(width, 3, 1, relu, he), opt: sgd(20)},
		{name: "rate 1e-6, regression", kinds: []string{"small-rate"}, set: curve(examples, 1, 1, 0), loss: mse, model: chain(width, 3, 1, tanh, nil), opt: sgd(1e-6)},
		{name: "rate 1e-6, momentum", kinds: []string{"small-rate"}, model: chain(width, 4, classes, relu, he), opt: momentum(1e-6)},
		{name: "attention without warm-up", kinds: []string{"no-warm-up"}, layer: "blocks.0.attention", set: recall(examples, 12, 1, false), model: attentive(3, false), opt: adam(0.03)},
		{name: "deeper attention without warm-up", kinds: []string{"no-warm-up"}, layer: "blocks.0.attention", set: recall(examples, 8, 1, true), model: attentive(6, false), opt: adam(0.03)},
		{name: "attention, momentum, without warm-up", kinds: []string{"no-warm-up"}, layer: "blocks.0.attention", set: recall(examples, 12, 1, false), model: attentive(3, false), opt: momentum(0.3)},
		{name: "decay of norms and biases", kinds: []string{"weight-decay"}, model: normed(chain(width, 4, classes, relu, he)), opt: decaying(1e-2, 0, 100)},
		{name: "decay of everything", kinds: []string{"weight-decay"}, layer: "0", model: chain(width, 3, classes, relu, he), opt: decaying(1e-2, 10, 10)},
		{name: "an L2 penalty that wins", kinds: []string{"weight-decay"}, layer: "0", model: chain(width, 3, classes, tanh, xavier), opt: penalized(0.1, 0.5)},
		{name: "binary targets of 0 and 255", kinds: []string{"labels"}, set: yes(examples, 1, 255), loss: bce, model: chain(width, 3, 1, relu, he), opt: adam(1e-3)},
		{name: "binary targets of -1 and 1", kinds: []string{"labels"}, set: signs(examples, 1), loss: bce, model: chain(width, 3, 1, relu, he), opt: adam(1e-3)},
		{name: "shuffled labels, no validation", kinds: []string{"unrelated-labels", "labels"}, set: shuffled(examples, 1), model: chain(width, 3, classes, relu, he), opt: sgd(0.02)},
		{name: "shuffled numbers", kinds: []string{"unrelated-labels", "labels"}, set: shuffledCurve(), loss: mse, model: chain(width, 3, 1, tanh, nil), opt: adam(1e-3)},
		{name: "nearly all labels alike", kinds: []string{"labels"}, set: ranked(examples, 1, 0.95), model: chain(width, 3, classes, relu, nil), opt: sgd(0.02), epochs: 30},
		{name: "validation of other inputs", kinds: []string{"validation", "labels"}, valid: blobs(256, 2, scaled(-50)), model: chain(width, 3, classes, relu, he), opt: adam(3e-3)},
		{name: "running statistics that stand still", kinds: []string{"batch-norm"}, set: blobs(examples, 1, scaled(30)), valid: blobs(256, 2, scaled(30)), model: sluggish(normed(chain(width, 3, classes, relu, he))), opt: sgd(0.05)},
		{name: "a frozen head of zeros", kinds: []string{"frozen", "no-gradient"}, layer: "4", model: frozenHead(chain(width, 3, classes, relu, he)), opt: sgd(0.05)},
		{name: "labels from a hash", kinds: []string{"plateau", "unrelated-labels"}, set: parity(examples), model: chain(width, 3, classes, tanh, nil), opt: sgd(0.01)},
		{name: "a linear model of what is not", kinds: []string{"underfitting"}, set: blobs(examples, 1, few), model: nn.NewSequential(nn.NewLinear(width, classes)), opt: adam(1e-2), epochs: 60},
		{name: "one hidden unit", kinds: []string{"underfitting"}, set: blobs(examples, 1, few), model: nn.NewSequential(nn.NewLinear(width, 1), tanh, nn.NewLinear(1, classes)), opt: adam(1e-2), epochs: 60},
		{name: "a linear model of two classes", kinds: []string{"underfitting"}, set: fewYes(), loss: bce, model: nn.NewSequential(nn.NewLinear(width, 1)), opt: sgd(0.5), epochs: 40},
		{name: "overfitting, regression", kinds: []string{"overfitting"}, set: curve(64, 1, 1, 0), valid: curve(256, 2, 1, 0), loss: mse, model: chain(width, 4, 1, relu, he), opt: adam(3e-3), epochs: 80, batch: 16},
		{name: "a logarithm of numbers below 0", kinds: []string{"non-finite"}, loss: func(y, t *tarn.Value) *tarn.Value { return nn.NLL(y.Log(), t) }, model: chain(width, 3, classes, relu, he), opt: sgd(0.05)},
		{name: "a root of numbers below 0", kinds: []string{"non-finite"}, set: curve(examples, 1, 1, 0), loss: func(y, t *tarn.Value) *tarn.Value { return y.Sub(t).Sqrt().Mean() }, model: chain(width, 3, 1, relu, he), opt: sgd(0.05)},
		{name: "one example a batch", kinds: []string{"small-batch", "large-rate"}, set: noisy(examples, 1), model: chain(width, 3, classes, tanh, nil), opt: sgd(0.3), batch: 1, epochs: 4},
		{name: "a rate that falls too early", kinds: []string{"early-decay"}, model: chain(width, 3, classes, relu, he), opt: falling(sgd(0.05), 0.85)},
		{name: "a rate that falls too early, Adam", kinds: []string{"early-decay"}, model: chain(width, 3, classes, tanh, nil), opt: falling(adam(1e-3), 0.88)},
		{name: "a first layer that hardly moves", kinds: []string{"uneven-updates"}, layer: "0", model: chain(width, 3, classes, relu, he), opt: slowed("0", 1e-5)},
		{name: "huge weights before a norm", kinds: []string{"uneven-updates"}, layer: "0", model: hugeBeforeNorm(), opt: sgd(0.05)},
		{name: "a rate that does not fall", kinds: []string{"no-decay"}, set: curve(examples, 1, 1, 0), loss: mse, model: nn.NewSequential(nn.NewLinear(width, 1)), opt: sgd(0.11), batch: 16, epochs: 30},
		{name: "a rate that does not fall, noisy labels", kinds: []string{"no-decay"}, set: noisy(examples, 1), model: nn.NewSequential(nn.NewLinear(width, classes)), opt: sgd(0.7), batch: 8, epochs: 30},

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
		{name: "healthy: warm-up", model: chain(width, 3, classes, relu, nil), opt: warm(adam(3e-3))},
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
		{name: "healthy: momentum", model: chain(width, 3, classes, relu, he), opt: momentum(0.02), valid: held},
		{name: "healthy: RMSprop", model: chain(width, 3, classes, relu, he), opt: rmsprop(1e-3)},
		{name: "healthy: doubles", set: wide(plain), model: doubled(chain(width, 3, classes, relu, he)), opt: adam(1e-3)},
		{name: "healthy: doubles, deep tanh", set: wide(plain), model: doubled(chain(width, 8, classes, tanh, xavier)), opt: adam(1e-3)},
		{name: "healthy: binary", set: yes(examples, 1, 1), loss: bce, model: chain(width, 3, 1, relu, he), opt: adam(3e-3)},
		{name: "healthy: sigmoid and BCE", set: yes(examples, 1, 1), loss: func(y, t *tarn.Value) *tarn.Value { return nn.BCE(y, t) }, model: with(chain(width, 3, 1, relu, he), sigmoid), opt: adam(3e-3)},
		{name: "healthy: one-hot targets and squares", set: oneHot(examples, 1), loss: mse, model: chain(width, 3, classes, relu, he), opt: adam(3e-3)},
		{name: "healthy: one-hot targets, squares, softmax", set: oneHot(examples, 1), loss: mse, model: with(chain(width, 3, classes, relu, he), nn.Softmax{}), opt: adam(3e-3)},
		{name: "healthy: absolute errors", set: curve(examples, 1, 1, 0), loss: func(y, t *tarn.Value) *tarn.Value { return nn.MAE(y, t) }, model: chain(width, 3, 1, tanh, nil), opt: adam(3e-3)},
		{name: "healthy: Huber", set: curve(examples, 1, 1, 0), loss: func(y, t *tarn.Value) *tarn.Value { return nn.Huber(y, t) }, model: chain(width, 3, 1, relu, he), opt: adam(3e-3)},
		{name: "healthy: margins", loss: func(y, t *tarn.Value) *tarn.Value { return nn.MultiMargin(y, t) }, model: chain(width, 3, classes, relu, he), opt: adam(3e-3)},
		{name: "healthy: squared hinge", set: signs(examples, 1), loss: func(y, t *tarn.Value) *tarn.Value {
			return t.Mul(y).Neg().AddNum(1).ReLU().Square().Mean()
		}, model: chain(width, 3, 1, relu, he), opt: sgd(0.05)},
		{name: "healthy: smoothed labels", loss: func(y, t *tarn.Value) *tarn.Value { return nn.CrossEntropyLoss{LabelSmoothing: 0.2}.Loss(y, t) }, model: chain(width, 3, classes, relu, he), opt: adam(3e-3)},
		{name: "healthy: deep tanh", model: chain(width, 12, classes, tanh, xavier), opt: adam(1e-3)},
		{name: "healthy: deep SELU", model: chain(width, 20, classes, nn.SELU{}, nn.KaimingNormal(nn.FanIn, 1)), opt: adam(1e-3)},
		{name: "healthy: residual, 40 blocks", model: tower(40, true, false), opt: adam(1e-3)},
		{name: "healthy: residual without norms, SGD", model: tower(6, false, true), opt: sgd(0.02)},
		{name: "healthy: attention, norms before", set: recall(examples, 12, 1, false), model: attentive(3, true), opt: adam(3e-3)},
		{name: "healthy: attention with warm-up", set: recall(examples, 12, 1, false), model: attentive(3, false), opt: warm(adam(3e-3))},
		{name: "healthy: attention, small rate", set: recall(examples, 12, 1, false), model: attentive(2, false), opt: adam(1e-3)},
		{name: "healthy: AdamW decays everything", model: normed(chain(width, 4, classes, relu, he)), opt: decaying(1e-2, 0.1, 0.1)},
		{name: "healthy: AdamW decays matrices", model: normed(chain(width, 4, classes, relu, he)), opt: decaying(3e-3, 0.5, 0)},
		{name: "healthy: an L2 penalty", model: chain(width, 3, classes, relu, he), opt: penalized(0.1, 1e-3)},
		{name: "healthy: rare classes", set: ranked(examples, 1, 0.8), model: chain(width, 3, classes, relu, he), opt: adam(3e-3), epochs: 30},
		{name: "healthy: small batches", model: chain(width, 3, classes, relu, he), opt: sgd(0.02), batch: 4},
		{name: "healthy: one example a batch", model: chain(width, 3, classes, relu, he), opt: sgd(0.005), batch: 1, epochs: 6},
		{name: "healthy: large batches", model: chain(width, 3, classes, relu, he), opt: adam(1e-2), batch: 256, epochs: 60},
		{name: "healthy: long at rest", set: noisy(examples, 1), model: chain(width, 2, classes, relu, he), opt: adam(1e-3), epochs: 60},
		{name: "healthy: much noise", set: blurred(examples, 1), loss: mse, model: chain(width, 3, 1, tanh, nil), opt: adam(1e-3)},
		{name: "healthy: frozen and wide", model: frozen(with(nn.NewSequential(nn.NewLinear(width, 128), relu), nn.NewLinear(128, classes))), opt: adam(3e-3)},
		{name: "healthy: frozen tower", model: frozen(tower(4, true, false)), opt: adam(3e-3)},
		{name: "healthy: GRU", set: recall(examples, 16, 1, true), model: nn.NewSequential(nn.NewGRU(4, 16, nn.RecurrentOptions{}), lastStep, nn.NewLinear(16, 4)), opt: adam(1e-2)},
		{name: "healthy: convolutions", set: pictures(examples, 1), model: nn.NewSequential(nn.NewConv2d(1, 8, 3), nn.NewBatchNorm(8), relu, nn.NewMaxPool(2, 2), nn.Flatten{}, nn.NewLinear(3*3*8, 4)), opt: adam(3e-3), valid: pictures(128, 2)},
		{name: "healthy: convolutions without norms", set: pictures(examples, 1), model: nn.NewSequential(nn.NewConv2d(1, 8, 3), relu, nn.NewConv2d(8, 8, 3), relu, nn.Flatten{}, nn.NewLinear(4*4*8, 4)), opt: sgd(0.1)},
		{name: "healthy: batch norm, SGD", model: normed(chain(width, 4, classes, relu, he)), opt: sgd(0.05), valid: held},
		{name: "healthy: strong dropout", model: with(nn.NewSequential(nn.NewLinear(width, 128), relu, nn.NewDropout(0.7)), nn.NewLinear(128, classes)), opt: adam(3e-3), valid: held},
		{name: "healthy: a bounded output", set: curve(examples, 1, 0.3, 0), loss: mse, model: with(chain(width, 3, 1, relu, he), tanh), opt: adam(3e-3)},
		{name: "healthy: a positive output", set: curve(examples, 1, 0.2, 2), loss: mse, model: with(chain(width, 3, 1, relu, he), nn.Softplus{}), opt: adam(1e-2)},
		{name: "healthy: inputs of 0 and 1", set: blobs(examples, 1, binary), model: chain(width, 3, classes, relu, he), opt: adam(3e-3)},
		{name: "healthy: inputs of bytes, Adam", set: blobs(examples, 1, scaled(20)), model: chain(width, 3, classes, relu, he), opt: adam(1e-3)},
		{name: "healthy: clipped", model: chain(width, 3, classes, relu, he), opt: clipped(0.2, 1)},
		{name: "healthy: large losses", set: curve(examples, 1, 10, 0), loss: mse, model: chain(width, 3, 1, tanh, nil), opt: adam(3e-2)},
		{name: "healthy: a sum as the loss", loss: func(y, t *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, t).Scale(32) }, model: chain(width, 3, classes, relu, he), opt: adam(1e-3)},
		{name: "healthy: a short training", model: chain(width, 3, classes, relu, he), opt: adam(3e-3), epochs: 3},
		{name: "healthy: no biases", model: unbiased(chain(width, 4, classes, relu, he)), opt: adam(1e-3)},
		{name: "healthy: narrow sigmoids", model: chain(width, 2, classes, sigmoid, xavier), opt: sgd(1), epochs: 30},
		{name: "healthy: a few dead units", model: chain(width, 3, classes, relu, he), opt: adam(1e-3), init: func(m any) {
			b := m.(*nn.Sequential).Layers[0].(*nn.Linear).Bias.Tensor()
			for i := range 20 {
				b.SetFloat(i, -30)
			}
		}},
		{name: "healthy: autoencoder", set: same(examples, 1), loss: mse, model: nn.NewSequential(nn.NewLinear(width, 12), tanh, nn.NewLinear(12, width)), opt: adam(3e-3)},
		{name: "healthy: a cosine", model: chain(width, 3, classes, relu, he), opt: cosine(sgd(0.1))},
		{name: "healthy: a cosine, noisy labels", set: noisy(examples, 1), model: chain(width, 3, classes, relu, he), opt: cosine(sgd(0.1))},
		{name: "healthy: a rate that falls by steps", model: chain(width, 3, classes, relu, he), opt: falling(sgd(0.1), 0.985)},
		{name: "healthy: rates by layer", model: chain(width, 3, classes, relu, he), opt: slowed("0", 0.1)},
		{name: "healthy: a linear model", set: noisy(examples, 1), model: nn.NewSequential(nn.NewLinear(width, classes)), opt: sgd(0.05)},
		{name: "healthy: a linear model, cosine", set: curve(examples, 1, 1, 0), loss: mse, model: nn.NewSequential(nn.NewLinear(width, 64), relu, nn.NewLinear(64, 1)), opt: cosine(sgd(0.05))},
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

// largeBlocks is a residual network without norms whose weights are too large.
func largeBlocks(depth int) *nn.Sequential {
	s := tower(depth, false, false)
	for _, l := range s.Layers {
		if r, ok := l.(*residual); ok {
			r.In.Weight.SetInit(nn.KaimingNormal(nn.FanIn, 2))
			r.Out.Weight.SetInit(nn.KaimingNormal(nn.FanIn, 2))
		}
	}
	return s
}

// largeRNN has recurrent weights that multiply what they read by 3.
func largeRNN() *nn.RNN {
	r := nn.NewRNN(4, 16, nn.RecurrentOptions{})
	for _, p := range must(tarn.Params(r)).List() {
		if s := p.Shape(); len(s) == 2 && s[1] == 16 {
			p.SetInit(nn.Orthogonal(3))
		}
	}
	return r
}

// shifted has inputs around another number than 0.
func shifted(c float32) func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
	return func(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
		for i := range x {
			x[i] += c
		}
		return x, y
	}
}

// few inputs say something: so few that a linear map cannot keep all centers apart.
func few(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
	clear(x[3:])
	return x, y
}

// fewYes has two classes of those.
func fewYes() *data.Set {
	set := blobs(examples, 1, few)
	y := tarn.Zeros(tarn.F32, examples, 1)
	for i, class := range must(set.Tensor("label")).Floats() {
		y.SetFloat(i, float64(int(class)%2))
	}
	return pair(must(set.Tensor("x")), y)
}

// binary inputs are 0 or 1.
func binary(x []float32, y int32, r *rand.Rand) ([]float32, int32) {
	for i := range x {
		if x[i] > 0 {
			x[i] = 1
		} else {
			x[i] = 0
		}
	}
	return x, y
}

// outlying is the curve with a few inputs of a thousand.
func outlying() *data.Set {
	set := curve(examples, 1, 1, 0)
	x := must(set.Tensor("x")).Clone()
	r := rand.New(rand.NewPCG(8, 8))
	for i := range x.Size() {
		if r.IntN(3000) == 0 {
			x.SetFloat(i, 3e3)
		}
	}
	return pair(x, must(set.Tensor("label")))
}

// pair is a set of inputs and targets.
func pair(x, y *tarn.Tensor) *data.Set {
	return must(data.NewSet(data.Field{Name: "x", Array: data.FromTensor(x)}, data.Field{Name: "label", Array: data.FromTensor(y)}))
}

// shuffledCurve has targets that have nothing to do with the inputs.
func shuffledCurve() *data.Set {
	return pair(must(curve(examples, 1, 1, 0).Tensor("x")), must(curve(examples, 77, 1, 0).Tensor("label")))
}

// blurred is the curve with more noise than signal.
func blurred(n int, seed uint64) *data.Set {
	set := curve(n, seed, 1, 0)
	y := must(set.Tensor("label")).Clone()
	r := rand.New(rand.NewPCG(seed, 9))
	for i := range y.Size() {
		y.SetFloat(i, y.Float(i)+0.6*r.NormFloat64())
	}
	return pair(must(set.Tensor("x")), y)
}

// same has the inputs as the targets.
func same(n int, seed uint64) *data.Set {
	x := must(blobs(n, seed, nil).Tensor("x"))
	return pair(x, x)
}

// parity has labels that depend on the signs of all inputs together.
func parity(n int) *data.Set {
	x := must(curve(n, 3, 1, 0).Tensor("x"))
	y := tarn.Zeros(tarn.I32, n)
	for i := range n {
		class := 0
		for j := range width {
			if x.Float(i*width+j) > 0 {
				class += j
			}
		}
		y.SetFloat(i, float64(class*7919%classes))
	}
	return pair(x, y)
}

// pictures have a bright stroke in one of four places.
func pictures(n int, seed uint64) *data.Set {
	r := rand.New(rand.NewPCG(seed, 12))
	x, y := tarn.Zeros(tarn.F32, n, 8, 8, 1), tarn.Zeros(tarn.I32, n)
	for i := range n {
		class := r.IntN(4)
		y.SetFloat(i, float64(class))
		row, column := 4*(class/2)+r.IntN(3), 4*(class%2)+r.IntN(2)
		for j := range 64 {
			x.SetFloat(i*64+j, 0.3*r.NormFloat64())
		}
		for d := range 3 {
			x.SetFloat(i*64+8*row+column+d, 2)
		}
	}
	return pair(x, y)
}

// frozenHead freezes the last layer, whose weights are 0.
func frozenHead(s *nn.Sequential) *nn.Sequential {
	l := zeroLast(s).Layers[len(s.Layers)-1].(*nn.Linear)
	l.Weight.Frozen, l.Bias.Frozen = true, true
	return s
}

// unbiased has no biases but in the last layer.
func unbiased(s *nn.Sequential) *nn.Sequential {
	for _, l := range s.Layers[:len(s.Layers)-1] {
		if l, ok := l.(*nn.Linear); ok {
			l.Bias = nil
		}
	}
	return s
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
	l := train.NewLoop(c.build, c.model, c.opt.with(c.opt.rate), c.set)
	l.Epochs, l.Batch, l.Seed, l.Valid = c.epochs, c.batch, seed, c.valid
	var err error
	l.Folder, err = train.CreateFolder(dir, c.name)
	return l, err
}
