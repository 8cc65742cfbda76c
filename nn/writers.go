package nn

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds Writers, which write several texts at the same time.

// Writers write texts with a GPT, each of which may begin and end at any time. One run of a program takes all of them one token further
// (continuous batching), so that many texts take little more time than one. What a text becomes does not depend on the others.
type Writers struct {
	program    *tarn.Program
	results    tarn.Results
	token      *tarn.Tensor
	place      *tarn.Tensor
	context    int
	vocabulary int
	rows       []*Writer // nil for a free place
}

// Writer is a text that is being written.
type Writer struct {
	Temperature float64 // divides the logits: 1 draws as the model predicts; towards 0 the likeliest token wins
	TopK        int     // draw among this number of the likeliest tokens; 0 means all

	all   *Writers
	row   int
	state Generator
	drawn []int32
	err   error
}

// NewWriters compiles the model for up to n texts at the same time.
func (m *GPT) NewWriters(n int) (*Writers, error) {
	if n < 1 {
		return nil, fmt.Errorf("nn: NewWriters: %d texts at the same time: want 1 or more", n)
	}
	if m == nil || m.Position == nil || m.Token == nil {
		return nil, errors.New("nn: NewWriters: the model is nil: make it by NewGPT")
	}
	g := tarn.NewGraph()
	g.Eval()
	logits := m.Next(g.Input("token", tarn.I32, n, 1), g.Input("place", tarn.I32, n), m.NewKVCache(n))
	program, err := tarn.Compile(g, tarn.Outputs{"logits": logits})
	if err != nil {
		return nil, err
	}
	return &Writers{
		program: program, results: tarn.Results{}, token: tarn.Zeros(tarn.I32, n, 1), place: tarn.Zeros(tarn.I32, n),
		context: m.Position.Weight.Shape()[0], vocabulary: m.Token.Weight.Shape()[0], rows: make([]*Writer, n),
	}, nil
}

// Begin adds a text that continues the prompt, drawn with a seed. It is an error if all places are taken.
func (w *Writers) Begin(seed uint64, prompt ...int32) (*Writer, error) {
	if w == nil || w.program == nil {
		return nil, errors.New("nn: Writers: they have no model: make them by GPT.NewWriters")
	}
	if len(prompt) == 0 {
		return nil, errors.New("nn: Writers: the prompt is empty: it needs a first token")
	}
	for i, t := range prompt {
		if t < 0 || int(t) >= w.vocabulary {
			return nil, fmt.Errorf("nn: Writers: token %d of the prompt is %d, and the model knows 0 to %d", i, t, w.vocabulary-1)
		}
	}
	for row := range w.rows {
		if w.rows[row] != nil {
			continue
		}
		t := &Writer{Temperature: 1, all: w, row: row}
		t.state = Generator{context: w.context, random: tarn.NewRandom(seed, "generate"), logits: make([]float64, w.vocabulary)}
		for _, token := range prompt {
			t.state.add(token)
		}
		w.rows[row] = t
		return t, nil
	}
	return nil, fmt.Errorf("nn: Writers: all %d places are taken: End a text first", len(w.rows))
}

// Step takes every text one token further: it reads the next token of its prompt, or writes one. It does nothing if there are no texts.
func (w *Writers) Step(ctx context.Context) error {
	if w == nil || w.program == nil {
		return errors.New("nn: Writers: they have no model: make them by GPT.NewWriters")
	}
	busy := false
	for row, t := range w.rows {
		w.token.I32()[row], w.place.I32()[row] = 0, 0
		if t != nil {
			w.token.I32()[row], w.place.I32()[row] = t.state.history[t.state.place], int32(t.state.place)
			busy = true
		}
	}
	if !busy {
		return nil
	}
	if err := w.program.RunInto(ctx, w.results, w.token, w.place); err != nil {
		return err
	}
	logits, n := w.results["logits"], w.vocabulary
	for row, t := range w.rows {
		if t == nil || t.err != nil {
			continue
		}
		s := &t.state
		if s.place++; s.place < len(s.history) {
			continue
		}
		for i := range n {
			s.logits[i] = logits.Float(row*n + i)
		}
		s.Temperature, s.TopK = t.Temperature, t.TopK
		token, err := s.draw()
		if err != nil {
			t.err, s.place = err, len(s.history)-1
			continue
		}
		t.drawn = append(t.drawn, token)
		s.add(token)
	}
	return nil
}

// Token returns a token that has been written and not been returned yet, if there is one. The error says why no more is written.
func (t *Writer) Token() (token int32, ok bool, err error) {
	if t == nil || t.all == nil {
		return 0, false, errors.New("nn: Writer: it has no text: make it by Writers.Begin")
	}
	if len(t.drawn) == 0 {
		return 0, false, t.err
	}
	token, t.drawn = t.drawn[0], t.drawn[1:]
	return token, true, nil
}

// End gives the place of the text to another one.
func (t *Writer) End() {
	if t != nil && t.all != nil && t.all.rows[t.row] == t {
		t.all.rows[t.row] = nil
	}
}
