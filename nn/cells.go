package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the recurrent cells, one step of one layer, for loops of one's own. Their arithmetic is that of RNN, LSTM and GRU.

// RecurrentCell is the part that RNNCell, LSTMCell and GRUCell share. The weights have PyTorch's names, with the gates in PyTorch's order; they
// are initialized as PyTorch's, uniform in ±1/sqrt(hidden).
type RecurrentCell struct {
	WeightIH *tarn.Param // [gates*hidden in]
	WeightHH *tarn.Param // [gates*hidden hidden]
	BiasIH   *tarn.Param // [gates*hidden], or nil for none; both biases or neither
	BiasHH   *tarn.Param

	cell  cell
	wrong mistake
}

func newRecurrentCell(c cell, in, hidden int) RecurrentCell {
	bound := 0.0
	if hidden > 0 {
		bound = 1 / math.Sqrt(float64(hidden))
	}
	init, rows := Uniform(-bound, bound), c.gates()*hidden
	r := RecurrentCell{
		WeightIH: tarn.NewParam(tarn.F32, init, rows, in), WeightHH: tarn.NewParam(tarn.F32, init, rows, hidden),
		BiasIH: tarn.NewParam(tarn.F32, init, rows), BiasHH: tarn.NewParam(tarn.F32, init, rows), cell: c,
	}
	r.wrong.sizes(fmt.Sprintf("New%sCell(%d, %d)", c.name(), in, hidden), []string{"in", "hidden"}, in, hidden)
	return r
}

// Next returns the state after a step that reads x; nil in the state before means zeros, and C belongs to an LSTMCell alone.
//
// Shapes: [n in], states [n hidden] -> states [n hidden].
func (r *RecurrentCell) Next(x *tarn.Value, from State) State {
	if bad := r.check(x, from); bad != nil {
		return State{H: bad, C: bad}
	}
	g := x.Graph()
	var biasX, biasH *tarn.Value
	if r.BiasIH != nil {
		biasX, biasH = r.cell.biases(r.BiasIH.Value(g), r.BiasHH.Value(g))
	}
	carries := []*tarn.Value{from.H, from.C}[:r.cell.carries()]
	for i, c := range carries {
		if c == nil {
			carries[i] = x.Num(0).Expand(x.Dim(0), r.WeightHH.Shape()[1])
		}
	}
	next := r.cell.step(carries, x.MatMulT(r.WeightIH), carries[0].MatMulT(r.WeightHH), biasX, biasH)
	if len(next) == 1 {
		return State{H: next[0]}
	}
	return State{H: next[0], C: next[1]}
}

// check reports operands that do not fit as a poisoned value; nil if all fit.
func (r *RecurrentCell) check(x *tarn.Value, from State) *tarn.Value {
	g, in := x.Graph(), []*tarn.Value{x}
	if r == nil || r.cell == nil || r.WeightIH == nil || r.WeightHH == nil || (r.BiasIH == nil) != (r.BiasHH == nil) {
		return g.Fail("RecurrentCell", in, "the cell lacks weights: make it by its constructor")
	}
	name := r.cell.name() + "Cell"
	if bad := r.wrong.report(name, x); bad != nil {
		return bad
	}
	size, hidden := r.WeightIH.Shape()[1], r.WeightHH.Shape()[1]
	switch {
	case x.Rank() != 2 || x.Dim(1) != size:
		return g.Fail(name, in, "the input has shape %s and should be [n %d]", shapeString(x.Shape()), size)
	case x.DType() != r.WeightIH.DType():
		return g.Fail(name, in, "the input is %v and the weights %v: Cast the input, or tarn.Cast the model", x.DType(), r.WeightIH.DType())
	}
	for i, s := range []*tarn.Value{from.H, from.C} {
		switch want := []int{x.Dim(0), hidden}; {
		case s == nil:
		case i >= r.cell.carries():
			return g.Fail(name, []*tarn.Value{x, s}, "the state has a C, which only an LSTMCell has")
		case !slices.Equal(s.Shape(), want) || s.DType() != x.DType():
			return g.Fail(name, []*tarn.Value{x, s}, "the state is %v%s and should be %v%s", s.DType(), shapeString(s.Shape()), x.DType(), shapeString(want))
		}
	}
	return nil
}

// RNNCell is one step of RNN. Equal to torch.nn.RNNCell.
type RNNCell struct{ RecurrentCell }

// NewRNNCell returns a cell with tanh.
func NewRNNCell(in, hidden int) *RNNCell {
	return &RNNCell{newRecurrentCell(plainCell{hidden: hidden}, in, hidden)}
}

// NewReLURNNCell returns a cell with ReLU in the place of tanh; equal to torch.nn.RNNCell(nonlinearity="relu").
func NewReLURNNCell(in, hidden int) *RNNCell {
	return &RNNCell{newRecurrentCell(plainCell{hidden: hidden, relu: true}, in, hidden)}
}

// Next is as RecurrentCell's. Shapes: [n in], states [n hidden] -> states [n hidden].
func (r *RNNCell) Next(x *tarn.Value, from State) State {
	if r == nil {
		_, bad := missingState("RNNCell", x)
		return bad
	}
	return r.RecurrentCell.Next(x, from)
}

// LSTMCell is one step of LSTM. Equal to torch.nn.LSTMCell.
type LSTMCell struct{ RecurrentCell }

// NewLSTMCell returns a cell.
func NewLSTMCell(in, hidden int) *LSTMCell {
	return &LSTMCell{newRecurrentCell(lstmCell{hidden}, in, hidden)}
}

// Next is as RecurrentCell's. Shapes: [n in], states [n hidden] -> states [n hidden].
func (r *LSTMCell) Next(x *tarn.Value, from State) State {
	if r == nil {
		_, bad := missingState("LSTMCell", x)
		return bad
	}
	return r.RecurrentCell.Next(x, from)
}

// GRUCell is one step of GRU. Equal to torch.nn.GRUCell.
type GRUCell struct{ RecurrentCell }

// NewGRUCell returns a cell.
func NewGRUCell(in, hidden int) *GRUCell {
	return &GRUCell{newRecurrentCell(gruCell{hidden}, in, hidden)}
}

// Next is as RecurrentCell's. Shapes: [n in], states [n hidden] -> states [n hidden].
func (r *GRUCell) Next(x *tarn.Value, from State) State {
	if r == nil {
		_, bad := missingState("GRUCell", x)
		return bad
	}
	return r.RecurrentCell.Next(x, from)
}
