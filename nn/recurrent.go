package nn

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds what RNN, LSTM and GRU have in common: their weights, how layers and directions are put together, and sequences of
// several lengths. What differs is the cell: what a layer does in one step.

// RecurrentOptions are the choices of a recurrent network; the zero value is one layer that reads forward.
type RecurrentOptions struct {
	Layers        int     // each reads the results of the one before; 0 means 1
	Bidirectional bool    // every layer reads in both directions, and its results are side by side
	Dropout       float64 // probability with which, in training, a result of a layer is dropped before the next reads it
	TimeFirst     bool    // sequences are [t n size], as PyTorch's are by default, and not [n t size]
	NoBias        bool
}

// Recurrent is the part that RNN, LSTM and GRU share. The weights have PyTorch's names, as in weight_ih_l0 and
// weight_hh_l1_reverse, with the gates in PyTorch's order, so that its state loads; they are initialized as PyTorch's, uniform in
// ±1/sqrt(hidden).
type Recurrent struct {
	Weights map[string]*tarn.Param `tarn:""`
	Options RecurrentOptions       `tarn:"-"`
	In      int                    `tarn:"-"` // size of what is read in a step
	Hidden  int                    `tarn:"-"` // size of a state
	cell    cell
	wrong   mistake
}

// State is the state of a recurrent network between two steps, of every layer and direction: [layers*directions n hidden], the directions
// of a layer one after the other. C belongs to an LSTM and is nil for the others. Nil means zeros.
type State struct{ H, C *tarn.Value }

// cell is one step of one layer.
type cell interface {
	name() string
	gates() int
	carries() int
	// biases puts the biases of the products of input and state together: what is added to the former, and to the latter, if anything is.
	biases(ih, hh *tarn.Value) (x, h *tarn.Value)
	// step returns the next carries, from those before, the product of the input and that of the first carry, and what is added to them,
	// nil for nothing.
	step(carries []*tarn.Value, x, h, biasX, biasH *tarn.Value) []*tarn.Value
}

func newRecurrent(c cell, in, hidden int, o RecurrentOptions) Recurrent {
	r := Recurrent{Weights: map[string]*tarn.Param{}, Options: o, In: in, Hidden: hidden, cell: c}
	bound := 0.0
	if hidden > 0 {
		bound = 1 / math.Sqrt(float64(hidden))
	}
	init := Uniform(-bound, bound)
	call := fmt.Sprintf("New%s(%d, %d, %+v)", c.name(), in, hidden, o)
	r.wrong.sizes(call, []string{"in", "hidden"}, in, hidden)
	r.wrong.require(o.Layers >= 0 && o.Layers <= mostLayers, "%s: Layers is %d and should be from 0, which means 1, to %d", call, o.Layers, mostLayers)
	r.wrong.require(o.Dropout >= 0 && o.Dropout <= 1, "%s: Dropout is %v and should be from 0 to 1", call, o.Dropout)
	for layer := range min(r.layers(), mostLayers) {
		for direction := range r.directions() {
			rows := c.gates() * hidden
			r.Weights["weight_ih"+suffix(layer, direction)] = tarn.NewParam(tarn.F32, init, rows, in)
			r.Weights["weight_hh"+suffix(layer, direction)] = tarn.NewParam(tarn.F32, init, rows, hidden)
			if !o.NoBias {
				r.Weights["bias_ih"+suffix(layer, direction)] = tarn.NewParam(tarn.F32, init, rows)
				r.Weights["bias_hh"+suffix(layer, direction)] = tarn.NewParam(tarn.F32, init, rows)
			}
		}
		in = hidden * r.directions()
	}
	return r
}

func suffix(layer, direction int) string {
	if direction == 1 {
		return fmt.Sprintf("_l%d_reverse", layer)
	}
	return fmt.Sprintf("_l%d", layer)
}

func (r *Recurrent) layers() int { return max(1, r.Options.Layers) }

func (r *Recurrent) directions() int {
	if r.Options.Bidirectional {
		return 2
	}
	return 1
}

// Forward is the state after each step, of the last layer, that begins at zero. Shapes: [n t in] -> [n t directions*hidden]; with
// TimeFirst [t n in] -> [t n directions*hidden].
func (r *Recurrent) Forward(x *tarn.Value) *tarn.Value {
	if r == nil {
		return missing("Recurrent", x)
	}
	y, _ := r.Sequence(x, State{}, nil)
	return y
}

// Sequence reads sequences from given states, and returns the output after each step and the states after the last one. If lengths, an
// i32 or i64 [n], is not nil, sequence i ends after lengths[i] steps: its results from there on are zero, its last state is that at its end,
// and the backward direction begins there. What x holds behind the end does not matter, NaN included, and gets the gradient 0. A length that is
// negative or above t is an error of Run. Equal to torch.nn.utils.rnn.pad_packed_sequence of what the network returns for
// pack_padded_sequence.
//
// Shapes: [n t in], states [layers*directions n hidden], [n] -> [n t directions*hidden], states of the same; with TimeFirst n and t
// change places.
func (r *Recurrent) Sequence(x *tarn.Value, from State, lengths *tarn.Value) (y *tarn.Value, last State) {
	if bad := r.check(x, from, lengths); bad != nil {
		return bad, State{H: bad, C: bad}
	}
	if !r.Options.TimeFirst {
		x = x.Transpose(0, 1)
	}
	g, steps, n := x.Graph(), x.Dim(0), x.Dim(1)
	var inside *tarn.Value // [t n 1]
	if lengths != nil {
		lengths = lengths.Within(r.cell.name()+": the length of sequence", 0, steps)
		inside = g.Iota(lengths.DType(), 0, steps, n).Lt(lengths).Unsqueeze(-1)
		x = inside.Where(x, tarn.Num(0)) // what is behind the end may be NaN
	}
	ends := make([][]*tarn.Value, r.cell.carries())
	for layer := range r.layers() {
		if layer > 0 && r.Options.Dropout > 0 {
			x = (&Dropout{P: r.Options.Dropout}).Forward(x)
		}
		var ys []*tarn.Value
		for direction := range r.directions() {
			at := layer*r.directions() + direction
			var begin []*tarn.Value
			for i := range r.cell.carries() {
				state := []*tarn.Value{from.H, from.C}[i]
				if state == nil {
					begin = append(begin, x.Num(0).Expand(n, r.Hidden))
				} else {
					begin = append(begin, state.Slice(0, at, at+1).Squeeze(0))
				}
			}
			y, states := r.direct(x, begin, inside, layer, direction)
			ys = append(ys, y)
			for i, s := range states {
				ends[i] = append(ends[i], s)
			}
		}
		x = ys[0]
		if len(ys) > 1 {
			x = tarn.Concat(-1, ys...)
		}
	}
	last.H = tarn.Stack(0, ends[0]...)
	if len(ends) > 1 {
		last.C = tarn.Stack(0, ends[1]...)
	}
	if !r.Options.TimeFirst {
		x = x.Transpose(0, 1)
	}
	return x, last
}

// direct runs one layer in one direction. The product of the inputs of all steps is one, before the loop.
func (r *Recurrent) direct(x *tarn.Value, begin []*tarn.Value, inside *tarn.Value, layer, direction int) (y *tarn.Value, last []*tarn.Value) {
	g := x.Graph()
	end := suffix(layer, direction)
	input := x.MatMulT(r.Weights["weight_ih"+end])
	var biasX, biasH *tarn.Value // added in each step, while it has the products in the cache
	if ih := r.Weights["bias_ih"+end]; ih != nil {
		biasX, biasH = r.cell.biases(ih.Value(g), r.Weights["bias_hh"+end].Value(g))
	}
	recurrent := r.Weights["weight_hh"+end].Value(g).Transpose(0, 1)
	slices := []*tarn.Value{input}
	if inside != nil {
		slices = append(slices, inside)
	}
	last, ys := tarn.Scan(begin, slices, tarn.ScanOptions{Reverse: direction == 1}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		next = r.cell.step(carries, xs[0], carries[0].MatMul(recurrent), biasX, biasH)
		y := next[0]
		if inside != nil {
			for i, v := range next {
				next[i] = choose(xs[1], v, carries[i])
			}
			y = keepIf(xs[1], y)
		}
		return next, []*tarn.Value{y}
	})
	return ys[0], last
}

func (r *Recurrent) check(x *tarn.Value, from State, lengths *tarn.Value) *tarn.Value {
	g, in := x.Graph(), []*tarn.Value{x}
	if r == nil || r.cell == nil {
		return g.Fail("Recurrent", in, "the layer has no weights: make it by its constructor")
	}
	if bad := r.wrong.report(r.cell.name(), x); bad != nil {
		return bad
	}
	if d := r.Options.Dropout; !(d >= 0 && d <= 1) {
		return g.Fail(r.cell.name(), in, "Dropout is %v and should be from 0 to 1", d)
	}
	w := r.Weights["weight_ih_l0"]
	switch {
	case w == nil:
		return g.Fail(r.cell.name(), in, "the layer has no weights: make it by its constructor")
	case x.Rank() != 3 || x.Dim(2) != r.In:
		return g.Fail(r.cell.name(), in, "the sequences are %s and should be [n t %d], or [t n %d] with TimeFirst", shapeString(x.Shape()), r.In, r.In)
	case x.DType() != w.DType():
		return g.Fail(r.cell.name(), in, "the sequences are %v and the weights %v: Cast the input, or tarn.Cast the model", x.DType(), w.DType())
	}
	n := x.Dim(0)
	if r.Options.TimeFirst {
		n = x.Dim(1)
	}
	for i, s := range []*tarn.Value{from.H, from.C} {
		switch {
		case s == nil:
		case i == 1 && r.cell.carries() < 2:
			return g.Fail(r.cell.name(), []*tarn.Value{x, s}, "the state has a C, which only an LSTM has")
		case s.Rank() != 3 || s.Dim(0) != r.layers()*r.directions() || s.Dim(1) != n || s.Dim(2) != r.Hidden || s.DType() != x.DType():
			return g.Fail(r.cell.name(), []*tarn.Value{x, s}, "the state is %v%s and should be %v[%d %d %d]", s.DType(), shapeString(s.Shape()),
				x.DType(), r.layers()*r.directions(), n, r.Hidden)
		}
	}
	if lengths != nil && (lengths.Rank() != 1 || lengths.Dim(0) != n || lengths.DType() != tarn.I32 && lengths.DType() != tarn.I64) {
		return g.Fail(r.cell.name(), []*tarn.Value{x, lengths}, "the lengths are %v%s and should be i32 or i64 [%d]", lengths.DType(), shapeString(lengths.Shape()), n)
	}
	return nil
}

// gate returns gate i of a value that holds several side by side on the last axis.
func gate(v *tarn.Value, i, hidden int) *tarn.Value { return v.Slice(-1, i*hidden, (i+1)*hidden) }

// gateSum is gate i of the sum of the values that are not nil.
func gateSum(i, hidden int, vs ...*tarn.Value) *tarn.Value {
	var total *tarn.Value
	for _, v := range vs {
		switch {
		case v == nil:
		case total == nil:
			total = gate(v, i, hidden)
		default:
			total = total.Add(gate(v, i, hidden))
		}
	}
	return total
}
