package nn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds Generator, which writes text with a GPT.

// Generator draws one token after the other from the distribution that a model predicts. The caches of the model's attention keep
// what has been read and written. When the context is full, its last half is read again.
type Generator struct {
	Temperature float64 // divides the logits: 1 draws as the model predicts; towards 0 the likeliest token wins
	TopK        int     // draw among this number of the likeliest tokens; 0 means all

	program *tarn.Program
	results tarn.Results
	context int
	history []int32
	place   int // tokens in the caches
	token   *tarn.Tensor
	at      *tarn.Tensor
	random  *tarn.Random
	logits  []float64
}

// NewGenerator compiles the model for writing; the seed is that of the draws.
func (m *GPT) NewGenerator(seed uint64) (*Generator, error) {
	g := tarn.NewGraph()
	g.Eval()
	logits := m.Next(g.Input("token", tarn.I32, 1, 1), g.Input("place", tarn.I32), m.NewKVCache(1))
	program, err := tarn.Compile(g, tarn.Outputs{"logits": logits})
	if err != nil {
		return nil, err
	}
	return &Generator{
		Temperature: 1, program: program, results: tarn.Results{}, context: m.Position.Weight.Shape()[0],
		token: tarn.Zeros(tarn.I32, 1, 1), at: tarn.Zeros(tarn.I32), random: tarn.NewRandom(seed, "generate"),
		logits: make([]float64, m.Token.Weight.Shape()[0]),
	}, nil
}

// Read adds tokens to the history as if they had been written.
func (w *Generator) Read(tokens ...int32) error {
	if w == nil || w.program == nil {
		return errors.New("nn: Generator: it has no model: make it by GPT.NewGenerator")
	}
	for _, t := range tokens {
		w.add(t)
		for w.place < len(w.history) {
			if err := w.step(w.history[w.place]); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds a token to the history, whose last half must be read again if it is longer than the context.
func (w *Generator) add(token int32) {
	w.history = append(w.history, token)
	if len(w.history) > w.context {
		w.history = slices.Clone(w.history[len(w.history)-max(1, w.context/2):])
		w.place = 0
	}
}

// step adds one token to the caches.
func (w *Generator) step(token int32) error {
	w.token.I32()[0], w.at.I32()[0] = token, int32(w.place)
	if err := w.program.RunInto(context.Background(), w.results, w.token, w.at); err != nil {
		return err
	}
	for i := range w.logits {
		w.logits[i] = w.results["logits"].Float(i)
	}
	w.place++
	return nil
}

// Write draws the next token and reads it. Something must have been read before.
func (w *Generator) Write() (int32, error) {
	if w == nil || w.place == 0 {
		return 0, fmt.Errorf("nn: Generator: nothing has been read: Read a first token")
	}
	token, err := w.draw()
	if err != nil {
		return 0, err
	}
	return token, w.Read(token)
}

// draw draws from the softmax of the logits by the temperature, among the likeliest.
func (w *Generator) draw() (int32, error) {
	if !(w.Temperature >= 0) || w.TopK < 0 {
		return 0, fmt.Errorf("nn: Generator: the temperature is %v and TopK %d; neither should be negative", w.Temperature, w.TopK)
	}
	order := make([]int32, len(w.logits))
	for i, l := range w.logits {
		if math.IsNaN(l) {
			return 0, fmt.Errorf("nn: Generator: the logits are NaN: has the training diverged?")
		}
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(w.logits[b], w.logits[a]) })
	if w.Temperature == 0 {
		return order[0], nil
	}
	if w.TopK > 0 {
		order = order[:min(w.TopK, len(order))]
	}
	total := 0.0
	weights := make([]float64, len(order))
	for i, t := range order {
		weights[i] = math.Exp((w.logits[t] - w.logits[order[0]]) / w.Temperature)
		total += weights[i]
	}
	u := tarn.Zeros(tarn.F64)
	w.random.Uniform(u, 0, total)
	left := u.Item()
	for i, t := range order {
		if left -= weights[i]; left < 0 {
			return t, nil
		}
	}
	return order[len(order)-1], nil
}
