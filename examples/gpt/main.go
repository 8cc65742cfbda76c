// Command gpt trains a language model on Newton's Opticks, character by character, and writes text with it. Each line of the
// transformer is a line of its mathematics.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/opticks"
	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// GPT returns, for each character of a text, the scores of the next one.
type GPT struct {
	Token    *nn.Embedding       // a vector for each character
	Position *nn.LearnedPosition // and for each place
	Blocks   []*Block
	Norm     *nn.LayerNorm
	Head     *nn.Linear
}

// Block is attention, by which each place looks at those before it, and a network of two layers.
type Block struct {
	Norm1, Norm2 *nn.LayerNorm
	QKV, Out     *nn.Linear // queries, keys and values of all heads; their results
	Up, Down     *nn.Linear
	heads        int
}

// NewGPT returns a model for a vocabulary of the given size.
func NewGPT(vocabulary, context, width, layers, heads int) *GPT {
	m := &GPT{
		Token: nn.NewEmbedding(vocabulary, width), Position: nn.NewLearnedPosition(context, width),
		Norm: nn.NewLayerNorm(width), Head: nn.NewLinear(width, vocabulary),
	}
	for range layers {
		m.Blocks = append(m.Blocks, &Block{
			Norm1: nn.NewLayerNorm(width), QKV: nn.NewLinear(width, 3*width), Out: nn.NewLinear(width, width),
			Norm2: nn.NewLayerNorm(width), Up: nn.NewLinear(width, 4*width), Down: nn.NewLinear(4*width, width),
			heads: heads,
		})
	}
	return m
}

// Forward returns the scores. Shapes: [n t] -> [n t vocabulary].
func (m *GPT) Forward(tokens *tarn.Value) *tarn.Value {
	x := m.Position.Forward(m.Token.Forward(tokens))
	for _, b := range m.Blocks {
		x = x.Add(b.look(b.Norm1.Forward(x)))
		x = x.Add(b.think(b.Norm2.Forward(x)))
	}
	return m.Head.Forward(m.Norm.Forward(x))
}

// look returns softmax(q kᵀ / sqrt(d)) v for every head. No place sees a later one.
func (b *Block) look(x *tarn.Value) *tarn.Value {
	return b.Out.Forward(b.QKV.Forward(x).SelfAttention(b.heads, b.heads, tarn.AttentionOptions{Causal: true}))
}

func (b *Block) think(x *tarn.Value) *tarn.Value {
	return b.Down.Forward(b.Up.Forward(x).GELU())
}

// size of the model that is trained.
const (
	window = 32
	width  = 64
	layers = 2
	heads  = 4
)

// run trains for some steps, writes text with the model, and returns the mean loss of the last steps.
func run(ctx context.Context, w io.Writer, steps, length int) (float64, error) {
	book := opticks.Text()
	characters, err := text.NewCharacters(book)
	if err != nil {
		return 0, err
	}
	tokens, err := characters.Encode(book)
	if err != nil {
		return 0, err
	}
	set, err := text.Windows(tokens, window, window)
	if err != nil {
		return 0, err
	}

	m := NewGPT(characters.Len(), window, width, layers, heads)
	if err := tarn.Init(m, 42); err != nil {
		return 0, err
	}
	const batch = 16
	g := tarn.NewGraph()
	here, next := g.Input("text", tarn.I32, batch, window), g.Input("next", tarn.I32, batch, window)
	loss := nn.CrossEntropy(m.Forward(here), next)
	step, err := train.NewStep(loss, m, optim.NewAdamW(3e-3))
	if err != nil {
		return 0, err
	}
	mean := 0.0
	for r, err := range step.Over(ctx, set.Batches(batch, data.Options{Shuffle: true, Seed: 7, Epochs: -1, Last: data.Drop})) {
		if err != nil {
			return 0, err
		}
		if mean += (r.Loss - mean) / float64(min(r.Run, 50)); r.Run%100 == 0 {
			fmt.Fprintf(w, "step %4d  loss %.3f\n", r.Run, mean)
		}
		if r.Run == int64(steps) {
			break
		}
	}
	written, err := write(m, characters, "The Rays of Light", length)
	fmt.Fprintf(w, "\n%s\n", written)
	return mean, err
}

// write continues a text, each time with a character drawn from the model's distribution after the last ones.
func write(m *GPT, characters *text.Characters, begin string, length int) (string, error) {
	g := tarn.NewGraph()
	g.Eval()
	expected := m.Forward(g.Input("text", tarn.I32, 1, window)).Softmax(-1)
	program, err := tarn.Compile(g, tarn.Outputs{"expected": expected})
	if err != nil {
		return "", err
	}
	tokens, err := characters.Encode(begin)
	if err != nil {
		return "", err
	}
	random, u := tarn.NewRandom(1, "write"), tarn.Zeros(tarn.F64)
	seen := tarn.Zeros(tarn.I32, 1, window)
	for range length {
		last := tokens[max(0, len(tokens)-window):]
		copy(seen.I32(), last) // no place sees what is after it
		out, err := program.Run(seen)
		if err != nil {
			return "", err
		}
		p := out["expected"].F32()[(len(last)-1)*characters.Len() : len(last)*characters.Len()]
		random.Uniform(u, 0, 1)
		left, token := u.Item(), 0
		for token < len(p)-1 && left >= float64(p[token]) {
			left -= float64(p[token])
			token++
		}
		tokens = append(tokens, int32(token))
	}
	return characters.Decode(tokens...), nil
}

func main() {
	if _, err := run(context.Background(), os.Stdout, 1500, 400); err != nil {
		log.Fatal(err)
	}
}
