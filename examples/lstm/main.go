// Command lstm trains a recurrent network on Newton's Opticks, character by character, and writes text with it. Two vectors carry
// what it has read. The cell is written by hand, formula by formula; nn.LSTM is the same as a layer.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/opticks"
	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/curve"
)

const (
	batch       = 32
	window      = 64  // characters that a gradient reaches back
	width       = 256 // of the state
	temperature = 0.7 // of the text: below 1 it prefers likely characters
)

// LSTM returns, for each character of a text, the scores of the next one.
type LSTM struct {
	Token *nn.Embedding // a vector for each character
	Input *nn.Linear    // W and b: the character's part of the four gates
	State *tarn.Param   // U: the state's part of them
	Head  *nn.Linear    // the scores
}

// NewLSTM returns a model for a vocabulary of the given size.
func NewLSTM(vocabulary int) *LSTM {
	return &LSTM{
		Token: nn.NewEmbedding(vocabulary, 64),
		Input: nn.NewLinear(64, 4*width),
		State: tarn.NewParam(tarn.F32, nn.Uniform(-1./16, 1./16), width, 4*width), // ±1/sqrt(width)
		Head:  nn.NewLinear(width, vocabulary),
	}
}

// cell is one step. z = W x + U h + b holds, side by side, how much to write into the memory c (i), how much of it to keep (f),
// what to write (g), and how much to show (o):
//
//	c' = sigmoid(f) c + sigmoid(i) tanh(g)
//	h' = sigmoid(o) tanh(c')
func cell(z, c *tarn.Value) (hNext, cNext *tarn.Value) {
	gates := z.Chunk(-1, 4)
	i, f, g, o := gates[0].Sigmoid(), gates[1].Sigmoid(), gates[2].Tanh(), gates[3].Sigmoid()
	c = f.Mul(c).Add(i.Mul(g))
	return o.Mul(c.Tanh()), c
}

// Read reads texts from a given state. It returns the scores after each character, and the last state.
// Shapes: [t n], [n width], [n width] -> [t n vocabulary], and the state's.
func (m *LSTM) Read(tokens, h, c *tarn.Value) (scores, hEnd, cEnd *tarn.Value) {
	wx, u := m.Input.Forward(m.Token.Forward(tokens)), m.State.Value(tokens.Graph())
	end, hs := tarn.Scan([]*tarn.Value{h, c}, []*tarn.Value{wx}, tarn.ScanOptions{}, func(state, now []*tarn.Value) (next, ys []*tarn.Value) {
		h, c := cell(now[0].Add(state[0].MatMul(u)), state[1])
		return []*tarn.Value{h, c}, []*tarn.Value{h}
	})
	return m.Head.Forward(hs[0]), end[0], end[1]
}

// Build describes the computation on n pieces of text, each from a state of zeros: the mean cross-entropy of the next character, in nats.
func (m *LSTM) Build(g *tarn.Graph, n int) tarn.Outputs {
	here, next := g.Input("text", tarn.I32, n, window), g.Input("next", tarn.I32, n, window)
	zeros := g.Num(tarn.F32, 0).Expand(n, width)
	scores, _, _ := m.Read(here.Transpose(0, 1), zeros, zeros)
	return tarn.Outputs{"loss": nn.CrossEntropy(scores, next.Transpose(0, 1))}
}

// run trains on the book without its last twentieth, draws the losses and writes text with the model. It returns the loss on that last part.
func run(ctx context.Context, w io.Writer, book string, epochs int, picture string, length int) (float64, error) {
	characters, err := text.NewCharacters(book)
	if err != nil {
		return 0, err
	}
	tokens, err := characters.Encode(book)
	if err != nil {
		return 0, err
	}
	split := len(tokens) - len(tokens)/20
	set, err := text.Windows(tokens[:split], window, window)
	if err != nil {
		return 0, err
	}
	valid, err := text.Windows(tokens[split:], window, window)
	if err != nil {
		return 0, err
	}

	m := NewLSTM(characters.Len())
	if err := tarn.Init(m, 42); err != nil {
		return 0, err
	}
	adam := optim.NewAdam(0)
	adam.Rate = optim.Cosine{Rate: 4e-3, Steps: epochs * (set.Len() / batch)}
	adam.ClipNorm = 1
	loop := train.NewLoop(m.Build, m, adam, set)
	loop.Valid, loop.Epochs, loop.Batch, loop.DropLast, loop.Seed = valid, epochs, batch, true, 7
	for p, err := range loop.Run(ctx) {
		if err != nil {
			return 0, err
		}
		if r := p.Record; r != nil {
			fmt.Fprintf(w, "epoch %2d  loss %.3f  validation %.3f\n", r.Epoch, r.TrainLoss, r.ValLoss)
		}
	}
	if err := curve.SavePNG(picture, loop.History()); err != nil {
		return 0, err
	}
	written, err := write(m, characters, "The Rays of Light", length)
	fmt.Fprintf(w, "\n%s\n", written)
	return loop.History()[epochs-1].ValLoss, err
}

// write continues a text, each time with a character drawn from the model's distribution. Its program reads one character and
// takes the state that its last run returned.
func write(m *LSTM, characters *text.Characters, begin string, length int) (string, error) {
	g := tarn.NewGraph()
	g.Eval()
	here, h, c := g.Input("text", tarn.I32, 1, 1), g.Input("h", tarn.F32, 1, width), g.Input("c", tarn.F32, 1, width)
	scores, hEnd, cEnd := m.Read(here, h, c)
	program, err := tarn.Compile(g, tarn.Outputs{"expected": scores.Scale(1 / temperature).Softmax(-1), "h": hEnd, "c": cEnd})
	if err != nil {
		return "", err
	}
	tokens, err := characters.Encode(begin)
	if err != nil {
		return "", err
	}
	random, u := tarn.NewRandom(1, "write"), tarn.Zeros(tarn.F64)
	state := tarn.Results{"h": tarn.Zeros(tarn.F32, 1, width), "c": tarn.Zeros(tarn.F32, 1, width)}
	seen := tarn.Zeros(tarn.I32, 1, 1)
	for at, known := 0, len(tokens); at < known+length; at++ {
		if at >= known {
			random.Uniform(u, 0, 1)
			tokens = append(tokens, draw(state["expected"].F32(), u.Item()))
		}
		seen.I32()[0] = tokens[at]
		if state, err = program.Run(seen, state["h"], state["c"]); err != nil {
			return "", err
		}
	}
	return characters.Decode(tokens...), nil
}

// draw returns token i with probability p[i], for a number that is uniform in [0, 1).
func draw(p []float32, left float64) int32 {
	token := 0
	for token < len(p)-1 && left >= float64(p[token]) {
		left -= float64(p[token])
		token++
	}
	return int32(token)
}

func main() {
	picture := flag.String("curve", "lstm.png", "file of the learning curve")
	epochs := flag.Int("epochs", 10, "times that the book is read")
	flag.Parse()
	if _, err := run(context.Background(), os.Stdout, opticks.Text(), *epochs, *picture, 400); err != nil {
		log.Fatal(err)
	}
}
