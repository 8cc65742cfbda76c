package main

import (
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/opticks"
	"github.com/seed-49005b45/tarn/nn"
)

// A fifth of the book, read once, lowers the loss from log(82) = 4.4 until words show; guessing by the frequencies of characters reaches 3.
func TestLearnsToWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: trains a language model")
	}
	var out strings.Builder
	book, picture := []rune(opticks.Text()), filepath.Join(t.TempDir(), "curve.png")
	loss, err := run(t.Context(), &out, string(book[:len(book)/5]), 1, picture, 80)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !(loss <= 2.6) {
		t.Errorf("the validation loss is %.3f and should be at most 2.6", loss)
	}
	if _, written, _ := strings.Cut(out.String(), "\n\n"); !strings.HasPrefix(written, "The Rays of Light") || len(written) < len("The Rays of Light")+80 {
		t.Errorf("it writes %q", written)
	}
	file, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := png.Decode(file); err != nil {
		t.Error(err)
	}
}

// A text read at once, the same read character by character with the state carried along, and nn.LSTM with the same weights agree.
func TestStateIsCarried(t *testing.T) {
	const vocabulary = 11
	m := NewLSTM(vocabulary)
	layer := nn.NewLSTM(64, width, nn.RecurrentOptions{TimeFirst: true})
	layer.Weights["weight_ih_l0"], layer.Weights["bias_ih_l0"] = m.Input.Weight, m.Input.Bias
	if err := tarn.Init(&struct {
		Ours   *LSTM
		Theirs *nn.LSTM
	}{m, layer}, 3); err != nil {
		t.Fatal(err)
	}
	u, hh, bias := m.State.Tensor().F32(), layer.Weights["weight_hh_l0"].Tensor().F32(), layer.Weights["bias_hh_l0"].Tensor().F32()
	clear(bias)
	for i := range width {
		for j := range 4 * width {
			hh[j*width+i] = u[i*4*width+j]
		}
	}
	program := func(length int) *tarn.Program {
		g := tarn.NewGraph()
		tokens, h, c := g.Input("text", tarn.I32, length, 1), g.Input("h", tarn.F32, 1, width), g.Input("c", tarn.F32, 1, width)
		scores, hEnd, cEnd := m.Read(tokens, h, c)
		y, end := layer.Sequence(m.Token.Forward(tokens), nn.State{H: h.Unsqueeze(0), C: c.Unsqueeze(0)}, nil)
		p, err := tarn.Compile(g, tarn.Outputs{"scores": scores, "h": hEnd, "c": cEnd,
			"layer scores": m.Head.Forward(y), "layer h": end.H.Squeeze(0), "layer c": end.C.Squeeze(0)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	tokens, zeros := []int32{3, 1, 10, 0, 3, 7}, tarn.Zeros(tarn.F32, 1, width)
	text, err := tarn.FromSlice(tokens, len(tokens), 1)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := program(len(tokens)).Run(text, zeros, zeros)
	if err != nil {
		t.Fatal(err)
	}
	step, state := program(1), tarn.Results{"h": zeros, "c": zeros}
	near := func(what string, got, want []float32) {
		t.Helper()
		for i := range want {
			if d := got[i] - want[i]; !(d <= 1e-5 && d >= -1e-5) {
				t.Fatalf("%s: element %d is %v and should be %v", what, i, got[i], want[i])
			}
		}
	}
	one := tarn.Zeros(tarn.I32, 1, 1)
	for at, token := range tokens {
		one.I32()[0] = token
		if state, err = step.Run(one, state["h"], state["c"]); err != nil {
			t.Fatal(err)
		}
		near(fmt.Sprint("scores at ", at), state["scores"].F32(), whole["scores"].F32()[at*vocabulary:(at+1)*vocabulary])
	}
	for _, name := range []string{"h", "c"} {
		near(name, state[name].F32(), whole[name].F32())
	}
	for _, name := range []string{"scores", "h", "c"} {
		near(name+" of nn.LSTM", whole["layer "+name].F32(), whole[name].F32())
	}
}
