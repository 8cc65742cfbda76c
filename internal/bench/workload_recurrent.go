package bench

import (
	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the workload of a loop: an LSTM over characters.

var recurrents = []workload{{
	Name:  "lstm",
	About: "LSTM, 64 to 256, 64 steps, batch 32, Adam",
	make: func(r *tarn.Random) (job, error) {
		model := &charLSTM{
			Emb:  nn.NewEmbedding(vocabulary, 64),
			RNN:  nn.NewLSTM(64, 256, nn.RecurrentOptions{TimeFirst: true}),
			Head: nn.NewLinear(256, vocabulary),
		}
		return training(model, optim.NewAdam(1e-3), classes(r, vocabulary, 64, 32), classes(r, vocabulary, 64, 32))
	},
}}

// charLSTM returns the logits of the next character after each character.
type charLSTM struct {
	Emb  *nn.Embedding
	RNN  *nn.LSTM
	Head *nn.Linear
}

// Forward returns the logits. Shapes: [t n] of i32 -> [t n vocabulary].
func (m *charLSTM) Forward(x *tarn.Value) *tarn.Value {
	return m.Head.Forward(m.RNN.Forward(m.Emb.Forward(x)))
}
