package nn_test

import (
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// TestLengthsOutOfRange gives lengths beyond the sequences, and negative ones, to all that takes lengths. Run names the example.
func TestLengthsOutOfRange(t *testing.T) {
	sequence := func(l interface {
		Sequence(x *tarn.Value, from nn.State, lengths *tarn.Value) (*tarn.Value, nn.State)
	}) func(g *tarn.Graph, lengths *tarn.Value) *tarn.Value {
		return func(g *tarn.Graph, lengths *tarn.Value) *tarn.Value {
			y, _ := l.Sequence(g.Const(random(tarn.F32, 1, 3, 5, 4)), nn.State{}, lengths)
			return y
		}
	}
	ctc := func(loss func(of func(n int64) *tarn.Value, lengths *tarn.Value, g *tarn.Graph) *tarn.Value) func(g *tarn.Graph, lengths *tarn.Value) *tarn.Value {
		return func(g *tarn.Graph, lengths *tarn.Value) *tarn.Value {
			return loss(func(n int64) *tarn.Value { return g.Const(tarn.Vector([]int64{n, n, n})) }, lengths, g)
		}
	}
	scores := func(g *tarn.Graph) *tarn.Value { return g.Const(random(tarn.F32, 2, 5, 3, 4)).LogSoftmax(-1) }
	labels := func(g *tarn.Graph) *tarn.Value { return g.Num(tarn.I64, 1).Expand(3, 5) }
	options := nn.RecurrentOptions{Bidirectional: true}
	for name, test := range map[string]struct {
		build func(g *tarn.Graph, lengths *tarn.Value) *tarn.Value
		what  string
	}{
		"RNN":  {sequence(nn.NewRNN(4, 2, options)), "RNN: the length of sequence"},
		"LSTM": {sequence(nn.NewLSTM(4, 2, options)), "LSTM: the length of sequence"},
		"GRU":  {sequence(nn.NewGRU(4, 2, options)), "GRU: the length of sequence"},
		"CTC of steps": {ctc(func(of func(n int64) *tarn.Value, lengths *tarn.Value, g *tarn.Graph) *tarn.Value {
			return nn.CTC(scores(g), labels(g), lengths, of(2))
		}), "CTC: the input length of example"},
		"CTC of labels": {ctc(func(of func(n int64) *tarn.Value, lengths *tarn.Value, g *tarn.Graph) *tarn.Value {
			return nn.CTC(scores(g), labels(g), of(5), lengths)
		}), "CTC: the number of labels of example"},
	} {
		for _, dtype := range []tarn.DType{tarn.I32, tarn.I64} {
			g := tarn.NewGraph()
			w := tarn.NewParam(tarn.F32, nil)
			y := test.build(g, g.Input("lengths", dtype, 3))
			program, err := tarn.Compile(g, tarn.Outputs{"y": y}, tarn.Assign(w, g.Num(tarn.F32, 1)))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				lengths []int64
				want    string
			}{
				{[]int64{5, 6, 2}, " 1 is 6 and should be from 0 to 5"},
				{[]int64{5, 2, -1}, " 2 is -1 and should be from 0 to 5"},
				{[]int64{1 << 30, 2, 1}, " 0 is 1073741824"},
				{[]int64{5, 0, 1}, ""},
			} {
				_, err := program.Run(tarn.Vector(c.lengths).Cast(dtype))
				if c.want == "" {
					if err != nil {
						t.Errorf("%s of %v: %v", name, c.lengths, err)
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), test.what+c.want) || !strings.Contains(err.Error(), "lengths_test.go:") || w.Tensor().Item() != 0 {
					t.Errorf("%s of %v: the error is %v, want %q in it", name, c.lengths, err, test.what+c.want)
				}
			}
		}
	}
}
