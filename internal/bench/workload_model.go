package bench

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the workloads that train: one step is forward pass, loss, backward pass and update.

// linreg is the smallest program. A step costs what Tarn adds to the arithmetic.
var linreg = workload{
	Name:  "linreg",
	About: "one weight, 100 examples, gradient descent",
	make: func(r *tarn.Random) (job, error) {
		theta := tarn.NewParam(tarn.F32, nil, 1, 1)
		theta.Tensor().SetFloat(0, 0.5)
		xs, ys := normal(r, 100, 1), normal(r, 100, 1)
		return job{inputs: []*tarn.Tensor{xs, ys}, trace: func(g *tarn.Graph) (*tarn.Program, error) {
			x, y := input(g, "x", xs), input(g, "y", ys)
			loss := x.MatMul(theta).ReLU().Sub(y).Square().Mean()
			d := tarn.Grad(loss, theta)[0]
			return tarn.Compile(g, tarn.Outputs{"loss": loss}, tarn.Assign(theta, theta.Value(g).Sub(d.Scale(0.01))))
		}}, nil
	},
}

var mlps = []workload{
	{
		Name:  "mlp-small",
		About: "4-64-64-3, batch 32, Adam",
		make:  func(r *tarn.Random) (job, error) { return mlpJob(r, 32, 4, 64, 64, 3) },
	},
	{
		Name:  "mlp-mnist",
		About: "784-512-512-10, batch 128, Adam",
		make:  mnistJob,
	},
}

func mnistJob(r *tarn.Random) (job, error) { return mlpJob(r, 128, 784, 512, 512, 10) }

// mlp is a network of linear layers with ReLUs between them.
func mlp(sizes ...int) *nn.Sequential {
	var layers []nn.Layer
	for i := range len(sizes) - 1 {
		if i > 0 {
			layers = append(layers, nn.Func((*tarn.Value).ReLU))
		}
		layers = append(layers, nn.NewLinear(sizes[i], sizes[i+1]))
	}
	return nn.NewSequential(layers...)
}

func mlpJob(r *tarn.Random, batch int, sizes ...int) (job, error) {
	return training(mlp(sizes...), optim.NewAdam(1e-3), normal(r, batch, sizes[0]), classes(r, sizes[len(sizes)-1], batch))
}

// training is the job of taking steps of an optimizer on the cross-entropy of a model.
func training(model nn.Layer, opt optim.Optimizer, xs, ys *tarn.Tensor) (job, error) {
	if err := tarn.Init(model, 1); err != nil {
		return job{}, err
	}
	params, err := tarn.Params(model)
	if err != nil {
		return job{}, err
	}
	return job{inputs: []*tarn.Tensor{xs, ys}, trace: func(g *tarn.Graph) (*tarn.Program, error) {
		x, y := input(g, "x", xs), input(g, "y", ys)
		loss := nn.CrossEntropy(model.Forward(x), y)
		updates, err := opt.Update(loss, params)
		if err != nil {
			return nil, err
		}
		return tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	}}, nil
}

var gpts = []workload{
	{
		Name:  "gpt-mini",
		About: "4 layers, 4 heads, 128 wide, context 64, batch 12, AdamW",
		make:  func(r *tarn.Random) (job, error) { return gptJob(r, 4, 4, 128, 64, 12) },
	},
	{
		Name:  "gpt-small",
		About: "6 layers, 6 heads, 384 wide, context 256, batch 4, AdamW",
		make:  func(r *tarn.Random) (job, error) { return gptJob(r, 6, 6, 384, 256, 4) },
	},
	{
		Name:  "gpt-base",
		About: "12 layers, 12 heads, 768 wide, context 1024, batch 16, AdamW; for accelerators, measured if it is named",
		make:  func(r *tarn.Random) (job, error) { return gptJob(r, 12, 12, 768, 1024, 16) },
		large: true,
	},
}

const vocabulary = 65 // characters

func gptJob(r *tarn.Random, layers, heads, width, context, batch int) (job, error) {
	opt := optim.NewAdamW(1e-3)
	opt.WeightDecay = 0.01
	return training(newGPT(layers, heads, width, context), opt, classes(r, vocabulary, batch, context), classes(r, vocabulary, batch, context))
}

// gpt is a transformer decoder over characters with layer norms before its parts, as GPT-2.
// Radford et al., Language models are unsupervised multitask learners, 2019.
type gpt struct {
	Token  *nn.Embedding
	Place  *tarn.Param
	Blocks []*block
	Norm   *nn.LayerNorm
	Head   *nn.Linear
}

// block is attention and a network of two layers, each added to its input.
type block struct {
	Norm1, Norm2                *nn.LayerNorm
	QKV, Project, Widen, Narrow *nn.Linear
	heads                       int
}

func newGPT(layers, heads, width, context int) *gpt {
	m := &gpt{
		Token: nn.NewEmbedding(vocabulary, width),
		Place: tarn.NewParam(tarn.F32, nn.Normal(0, 0.02), context, width),
		Norm:  nn.NewLayerNorm(width),
		Head:  nn.NewLinear(width, vocabulary),
	}
	m.Head.Bias = nil
	for range layers {
		m.Blocks = append(m.Blocks, &block{
			Norm1: nn.NewLayerNorm(width), Norm2: nn.NewLayerNorm(width),
			QKV: nn.NewLinear(width, 3*width), Project: nn.NewLinear(width, width),
			Widen: nn.NewLinear(width, 4*width), Narrow: nn.NewLinear(4*width, width),
			heads: heads,
		})
	}
	return m
}

// Forward returns the logits of the next character. Shapes: [batch context] of i32 -> [batch context vocabulary].
func (m *gpt) Forward(x *tarn.Value) *tarn.Value {
	x = m.Token.Forward(x).Add(m.Place)
	for _, b := range m.Blocks {
		x = b.Forward(x)
	}
	return m.Head.Forward(m.Norm.Forward(x))
}

// Forward returns y plus the two layers of norm(y), where y is x + attention(norm(x)). Shapes: [batch context width] -> same.
func (b *block) Forward(x *tarn.Value) *tarn.Value {
	x = x.Add(b.attention(b.Norm1.Forward(x)))
	return x.Add(b.Narrow.Forward(b.Widen.Forward(b.Norm2.Forward(x)).GELU()))
}

// attention is softmax(Q Kᵀ / sqrt(d)) V for every head, with later places masked.
func (b *block) attention(x *tarn.Value) *tarn.Value {
	return b.Project.Forward(b.QKV.Forward(x).SelfAttention(b.heads, b.heads, tarn.AttentionOptions{Causal: true}))
}

// hvp is a product of the Hessian of a loss with a vector: two backward passes.
var hvp = workload{
	Name:  "hvp",
	About: "Hessian-vector product of the mlp-mnist loss, batch 128",
	make: func(r *tarn.Random) (job, error) {
		model := mlp(784, 512, 512, 10)
		if err := tarn.Init(model, 1); err != nil {
			return job{}, err
		}
		set, err := tarn.Params(model)
		if err != nil {
			return job{}, err
		}
		params := set.List()
		inputs := []*tarn.Tensor{normal(r, 128, 784), classes(r, 10, 128)}
		for _, p := range params {
			inputs = append(inputs, normal(r, p.Shape()...))
		}
		return job{inputs: inputs, trace: func(g *tarn.Graph) (*tarn.Program, error) {
			x, y := input(g, "x", inputs[0]), input(g, "y", inputs[1])
			loss := nn.CrossEntropy(model.Forward(x), y)
			var vectors []*tarn.Value
			for i := range params {
				vectors = append(vectors, input(g, fmt.Sprintf("v%d", i), inputs[2+i]))
			}
			outputs := tarn.Outputs{}
			for i, h := range tarn.HVP(loss, params, vectors) {
				outputs[set.Name(params[i])] = h
			}
			return tarn.Compile(g, outputs)
		}}, nil
	},
}

// startup is everything from the command line to the end of the first step.
var startup = workload{
	Name:  "startup",
	About: "a process that builds mlp-mnist, takes one step and ends",
	make:  mnistJob, process: true,
}
