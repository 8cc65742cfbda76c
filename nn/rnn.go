package nn

import "github.com/seed-49005b45/tarn"

// This file holds RNN, LSTM and GRU.

// RNN is the plain recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh). Equal to torch.nn.RNN.
// Elman, Finding structure in time, Cognitive Science 1990.
type RNN struct{ Recurrent }

// NewRNN returns a recurrent network with tanh.
func NewRNN(in, hidden int, o RecurrentOptions) *RNN {
	return &RNN{newRecurrent(plainCell{hidden: hidden}, in, hidden, o)}
}

// NewReLURNN returns a recurrent network with ReLU in the place of tanh; equal to torch.nn.RNN(nonlinearity="relu").
func NewReLURNN(in, hidden int, o RecurrentOptions) *RNN {
	return &RNN{newRecurrent(plainCell{hidden: hidden, relu: true}, in, hidden, o)}
}

// Forward is as Recurrent's. Shapes: [n t in] -> [n t directions*hidden]; with TimeFirst [t n in] -> [t n directions*hidden].
func (l *RNN) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("RNN", x)
	}
	return l.Recurrent.Forward(x)
}

// Sequence is as Recurrent's.
//
// Shapes: [n t in], states [layers*directions n hidden], [n] -> [n t directions*hidden], states of the same; with TimeFirst n and t
// change places.
func (l *RNN) Sequence(x *tarn.Value, from State, lengths *tarn.Value) (y *tarn.Value, last State) {
	if l == nil {
		return missingState("RNN", x)
	}
	return l.Recurrent.Sequence(x, from, lengths)
}

type plainCell struct {
	hidden int
	relu   bool
}

func (plainCell) name() string { return "RNN" }
func (plainCell) gates() int   { return 1 }
func (plainCell) carries() int { return 1 }

func (plainCell) biases(ih, hh *tarn.Value) (x, h *tarn.Value) { return ih.Add(hh), nil }

func (c plainCell) step(carries []*tarn.Value, x, h, biasX, biasH *tarn.Value) []*tarn.Value {
	z := gateSum(0, c.hidden, x, h, biasX)
	if c.relu {
		return []*tarn.Value{z.ReLU()}
	}
	return []*tarn.Value{tanh(z)}
}

// LSTM is the network with long short-term memory: with gates i, f, g, o of W_ih x + b_ih + W_hh h + b_hh, in this order,
//
//	c' = sigmoid(f) c + sigmoid(i) tanh(g)
//	h' = sigmoid(o) tanh(c')
//
// Equal to torch.nn.LSTM, without its proj_size.
// Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 1997; Gers et al., Learning to forget, 2000.
type LSTM struct{ Recurrent }

// NewLSTM returns an LSTM.
func NewLSTM(in, hidden int, o RecurrentOptions) *LSTM {
	return &LSTM{newRecurrent(lstmCell{hidden}, in, hidden, o)}
}

// Forward is as Recurrent's. Shapes: [n t in] -> [n t directions*hidden]; with TimeFirst [t n in] -> [t n directions*hidden].
func (l *LSTM) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("LSTM", x)
	}
	return l.Recurrent.Forward(x)
}

// Sequence is as Recurrent's.
//
// Shapes: [n t in], states [layers*directions n hidden], [n] -> [n t directions*hidden], states of the same; with TimeFirst n and t
// change places.
func (l *LSTM) Sequence(x *tarn.Value, from State, lengths *tarn.Value) (y *tarn.Value, last State) {
	if l == nil {
		return missingState("LSTM", x)
	}
	return l.Recurrent.Sequence(x, from, lengths)
}

type lstmCell struct{ hidden int }

func (lstmCell) name() string { return "LSTM" }
func (lstmCell) gates() int   { return 4 }
func (lstmCell) carries() int { return 2 }

func (lstmCell) biases(ih, hh *tarn.Value) (x, h *tarn.Value) { return ih.Add(hh), nil }

func (c lstmCell) step(carries []*tarn.Value, x, h, biasX, biasH *tarn.Value) []*tarn.Value {
	z := func(i int) *tarn.Value { return gateSum(i, c.hidden, x, h, biasX) }
	cell := sigmoid(z(1)).Mul(carries[1]).Add(sigmoid(z(0)).Mul(tanh(z(2))))
	return []*tarn.Value{sigmoid(z(3)).Mul(tanh(cell)), cell}
}

// GRU is the network of gated recurrent units: with parts r, z, n of W_ih x + b_ih and of W_hh h + b_hh, in this order,
//
//	r = sigmoid(x_r + h_r), z = sigmoid(x_z + h_z), n = tanh(x_n + r h_n)
//	h' = (1 - z) n + z h
//
// Equal to torch.nn.GRU.
// Cho et al., Learning phrase representations using RNN encoder-decoder, 2014.
type GRU struct{ Recurrent }

// NewGRU returns a GRU.
func NewGRU(in, hidden int, o RecurrentOptions) *GRU {
	return &GRU{newRecurrent(gruCell{hidden}, in, hidden, o)}
}

// Forward is as Recurrent's. Shapes: [n t in] -> [n t directions*hidden]; with TimeFirst [t n in] -> [t n directions*hidden].
func (l *GRU) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("GRU", x)
	}
	return l.Recurrent.Forward(x)
}

// Sequence is as Recurrent's.
//
// Shapes: [n t in], states [layers*directions n hidden], [n] -> [n t directions*hidden], states of the same; with TimeFirst n and t
// change places.
func (l *GRU) Sequence(x *tarn.Value, from State, lengths *tarn.Value) (y *tarn.Value, last State) {
	if l == nil {
		return missingState("GRU", x)
	}
	return l.Recurrent.Sequence(x, from, lengths)
}

type gruCell struct{ hidden int }

func (gruCell) name() string { return "GRU" }
func (gruCell) gates() int   { return 3 }
func (gruCell) carries() int { return 1 }

// biases keeps that of h_n, which is multiplied by r, apart.
func (c gruCell) biases(ih, hh *tarn.Value) (x, h *tarn.Value) {
	return ih.Add(tarn.Concat(0, hh.Slice(0, 0, 2*c.hidden), ih.Num(0).Expand(c.hidden))), gate(hh, 2, c.hidden)
}

func (c gruCell) step(carries []*tarn.Value, x, h, biasX, biasH *tarn.Value) []*tarn.Value {
	z := func(i int) *tarn.Value { return gateSum(i, c.hidden, x, h, biasX) }
	inner := gate(h, 2, c.hidden)
	if biasH != nil {
		inner = inner.Add(biasH)
	}
	reset, update := sigmoid(z(0)), sigmoid(z(1))
	fresh := tanh(gateSum(2, c.hidden, x, biasX).Add(reset.Mul(inner)))
	return []*tarn.Value{fresh.Add(update.Mul(carries[0].Sub(fresh)))}
}

// missingState reports that a recurrent layer is nil.
func missingState(name string, x *tarn.Value) (y *tarn.Value, last State) {
	bad := missing(name, x)
	return bad, State{H: bad, C: bad}
}

// sigmoid is the sigmoid of a gate. Its derivative is computed from the result alone, which the scan keeps for the backward pass in any case.
// It loses its digits only where it is too small to matter in a cell, and the exponential that would save them takes longer than the rest of
// the gate.
func sigmoid(x *tarn.Value) *tarn.Value {
	y := x.Sigmoid()
	return tarn.WithGradient(y, []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{dy.Mul(y.Mul(y.Neg().AddNum(1)))}
	})
}

// tanh is the hyperbolic tangent, with the derivative computed likewise.
func tanh(x *tarn.Value) *tarn.Value {
	y := x.Tanh()
	return tarn.WithGradient(y, []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{dy.Mul(y.Square().Neg().AddNum(1))}
	})
}
