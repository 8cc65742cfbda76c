package nn_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/nn"
)

// This file compares the recurrent networks and CTC with what PyTorch gives: testdata/recurrent.py writes the numbers.

// recurrentCase is a golden with several results.
type recurrentCase struct {
	Name    string
	In      map[string]array
	Results map[string]array
	Grad    map[string]array
}

// sequencer is a recurrent network.
type sequencer interface {
	Sequence(x *tarn.Value, from nn.State, lengths *tarn.Value) (*tarn.Value, nn.State)
}

// recurrentOptions are the options that the name of a case says.
func recurrentOptions(name string) (o nn.RecurrentOptions) {
	o.TimeFirst = strings.Contains(name, "time first")
	o.NoBias = strings.Contains(name, "without bias")
	o.Bidirectional = strings.Contains(name, "both ways") || strings.Contains(name, "with lengths")
	if o.Bidirectional || strings.Contains(name, "two layers") {
		o.Layers = 2
	}
	return o
}

// recurrentModel makes what a case is about.
func recurrentModel(name string) (layer sequencer, loss *nn.CTCLoss) {
	kind, _, _ := strings.Cut(name, " ")
	switch {
	case name == "RNN with ReLU":
		return nn.NewReLURNN(2, 3, nn.RecurrentOptions{}), nil
	case kind == "RNN":
		return nn.NewRNN(2, 3, recurrentOptions(name)), nil
	case kind == "LSTM":
		return nn.NewLSTM(2, 3, recurrentOptions(name)), nil
	case kind == "GRU":
		return nn.NewGRU(2, 3, recurrentOptions(name)), nil
	}
	loss = &nn.CTCLoss{}
	switch name {
	case "CTC sum":
		loss.Reduction = nn.Sum
	case "CTC none":
		loss.Reduction = nn.None
	case "CTC with another blank":
		loss.Blank = 3
	case "CTC that does not fit":
		loss.Reduction, loss.ZeroInfinity = nn.None, true
	}
	return nil, loss
}

func readRecurrent(t *testing.T) []recurrentCase {
	text, err := os.ReadFile("testdata/recurrent.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []recurrentCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 25 {
		t.Fatalf("there are %d goldens", len(cases))
	}
	return cases
}

func TestRecurrentGoldens(t *testing.T) {
	for _, c := range readRecurrent(t) {
		for dtype, tolerance := range map[tarn.DType]float64{tarn.F64: 1e-9, tarn.F32: 1e-4} {
			got := runRecurrent(t, c, dtype)
			for name, want := range c.Results {
				if diff := got[name].Diff(want.tensor(dtype), tolerance); diff != "" {
					t.Errorf("%s, %v: %s: %s", c.Name, dtype, name, diff)
				}
			}
			for name, want := range c.Grad {
				if diff := got["grad "+name].Diff(want.tensor(dtype), tolerance); diff != "" {
					t.Errorf("%s, %v: gradient by %s: %s", c.Name, dtype, name, diff)
				}
			}
		}
	}
}

// runRecurrent loads the state that PyTorch has for the case, strictly, and gives the results and all gradients.
func runRecurrent(t *testing.T, c recurrentCase, dtype tarn.DType) tarn.Results {
	t.Helper()
	layer, loss := recurrentModel(c.Name)
	g := tarn.NewGraph()
	operands, state := map[string]tarn.Operand{}, map[string]*tarn.Tensor{}
	if layer != nil {
		params, err := tarn.Params(layer)
		if err != nil {
			t.Fatal(err)
		}
		if err := tarn.Cast(layer, dtype); err != nil {
			t.Fatal(err)
		}
		for name, p := range params.All() {
			operands[name] = p
			state[name] = c.In[name].tensor(dtype)
		}
		for name := range c.In {
			if strings.Contains(name, "_l") && operands[name] == nil {
				t.Errorf("%s: the layer has no param %q", c.Name, name)
			}
		}
		if err := safetensors.Assign(state, params, safetensors.LoadOptions{}); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
	}
	in, data := map[string]*tarn.Value{}, map[string]*tarn.Tensor{}
	for name, a := range c.In {
		if operands[name] == nil {
			data[name] = a.tensor(dtype)
			in[name] = g.Input(name, data[name].DType(), a.Shape...)
			operands[name] = in[name]
		}
	}
	var names []string
	outputs := tarn.Outputs{}
	if layer != nil {
		y, last := layer.Sequence(in["x"], nn.State{H: in["h"], C: in["c"]}, in["lengths"])
		names = []string{"y", "h"}
		outputs["y"], outputs["h"] = y, last.H
		if last.C != nil {
			names = append(names, "c")
			outputs["c"] = last.C
		}
	} else {
		names = []string{"loss"}
		outputs["loss"] = loss.Loss(in["scores"].LogSoftmax(2), in["targets"], in["inputs"], in["labels"])
	}
	total, at := g.Num(dtype, 0), 0
	for _, name := range names {
		v := outputs[name]
		factors := tarn.Zeros(dtype, v.Shape()...)
		for i := range factors.Size() {
			factors.SetFloat(i, math.Cos(float64(at)))
			at++
		}
		total = total.Add(v.Mul(g.Const(factors)).Sum())
	}
	for name := range c.Grad {
		outputs["grad "+name] = tarn.Grad(total, operands[name])[0]
	}
	return run(t, c.Name, g, outputs, data)
}
