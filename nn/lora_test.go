package nn_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/nn"
)

// This file tests how adapters come to a model, are merged with its weights and leave it.

// adaptableModel is a model with a layer of each kind that can have an adapter.
type adaptableModel struct {
	Conv  *nn.Conv
	Body  *nn.Sequential
	Attn  *nn.MultiHeadAttention
	Heads map[string]*nn.Linear
}

func (m *adaptableModel) Forward(x *tarn.Value) *tarn.Value {
	y := m.Attn.Forward(m.Body.Forward(m.Conv.Forward(x)))
	return m.Heads["a"].Forward(y).Add(m.Heads["b"].Forward(y))
}

func newAdaptable(t *testing.T) *adaptableModel {
	m := &adaptableModel{nn.NewConv1d(2, 4, 3), nn.NewSequential(nn.NewLinear(4, 4), nn.Tanh{}), nn.NewMultiHeadAttention(4, 2),
		map[string]*nn.Linear{"a": nn.NewLinear(4, 3), "b": nn.NewLinear(4, 3)}}
	if err := tarn.Init(m, 1); err != nil {
		t.Fatal(err)
	}
	return m
}

// predict is what the model makes of fixed numbers.
func predict(t *testing.T, m nn.Layer) *tarn.Tensor {
	g := tarn.NewGraph()
	g.Eval()
	return run(t, "predict", g, tarn.Outputs{"y": m.Forward(g.Input("x", tarn.F32, 2, 6, 2))}, map[string]*tarn.Tensor{"x": random(tarn.F32, 4, 2, 6, 2)})["y"].Clone()
}

func TestLoRA(t *testing.T) {
	m := newAdaptable(t)
	before := predict(t, m)
	plain, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := nn.AddLoRA(m, nn.LoRAOptions{Rank: 2, Alpha: 3, Dropout: 0.1, Seed: 5}); err != nil {
		t.Fatal(err)
	}
	params, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	var trained []string
	for name, p := range params.Trainable().All() {
		if trained = append(trained, name); !strings.HasSuffix(name, ".lora_A") && !strings.HasSuffix(name, ".lora_B") {
			t.Errorf("%s is trained", name)
		}
		if strings.HasSuffix(name, ".lora_A") && !p.Initialized() {
			t.Errorf("%s is not initialized", name)
		}
	}
	if len(trained) != 12 { // of the convolution, the linear layers, the attention and its projection
		t.Errorf("the params that are trained are %v", trained)
	}
	if a, b := m.Heads["a"].LoRA.A.Tensor(), m.Heads["b"].LoRA.A.Tensor(); a.Equal(b, 0) {
		t.Error("two adapters begin with the same numbers")
	}
	if !predict(t, m).Equal(before, 0) {
		t.Error("adapters that have learned nothing change the prediction")
	}
	for name, p := range params.Trainable().All() {
		if strings.HasSuffix(name, ".lora_B") {
			nn.Normal(0, 0.5)(p.Tensor(), tarn.NewRandom(3, name))
		}
	}
	learned := predict(t, m)
	if learned.Equal(before, 1e-2) {
		t.Error("the adapters change nothing")
	}
	weights := map[string]*tarn.Tensor{}
	for name, p := range plain.All() {
		weights[name] = p.Tensor().Clone()
	}

	if err := nn.MergeLoRA(m); err != nil {
		t.Fatal(err)
	}
	if diff := predict(t, m).Diff(learned, 1e-5); diff != "" {
		t.Errorf("merged: %s", diff)
	}
	if err := nn.MergeLoRA(m); err == nil || !strings.Contains(err.Error(), "merged already") {
		t.Errorf("merged twice: %v", err)
	}
	if err := nn.UnmergeLoRA(m); err != nil {
		t.Fatal(err)
	}
	for name, p := range plain.All() {
		if !p.Tensor().Equal(weights[name], 0) {
			t.Errorf("%s has other bits after merging and unmerging", name)
		}
	}
	if !predict(t, m).Equal(learned, 0) {
		t.Error("the prediction has other bits after merging and unmerging")
	}
	if err := nn.UnmergeLoRA(m); err == nil || !strings.Contains(err.Error(), "not merged") {
		t.Errorf("unmerged twice: %v", err)
	}

	// Merged and without its adapters the model is of the kind that it was.
	if err := nn.MergeLoRA(m); err != nil {
		t.Fatal(err)
	}
	if err := nn.RemoveLoRA(m); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "merged.safetensors")
	if err := safetensors.SaveWeights(path, m); err != nil {
		t.Fatal(err)
	}
	fresh := newAdaptable(t)
	if err := safetensors.LoadWeights(path, fresh, safetensors.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := predict(t, fresh).Diff(learned, 1e-5); diff != "" {
		t.Errorf("loaded without adapters: %s", diff)
	}
}

func TestLoRARefuses(t *testing.T) {
	transformed := nn.NewLinear(3, 2)
	transformed.Transform = nn.NewWeightNorm(transformed.Weight)
	adapt(transformed, 1)
	other := nn.NewLinear(3, 2)
	other.LoRA = nn.NewLoRA(nn.NewLinear(4, 2).Weight, 1)
	has := adapt(nn.NewLinear(3, 2), 1)
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no rank", nn.AddLoRA(newAdaptable(t), nn.LoRAOptions{}), "Rank is 0 and should be at least 1"},
		{"infinite", nn.AddLoRA(newAdaptable(t), nn.LoRAOptions{Rank: 1, Alpha: math.Inf(1)}), "Alpha is +Inf"},
		{"too much dropout", nn.AddLoRA(newAdaptable(t), nn.LoRAOptions{Rank: 1, Dropout: 2}), "Dropout is 2"},
		{"nothing matches", nn.AddLoRA(newAdaptable(t), nn.LoRAOptions{Rank: 1, Match: func(name string, _ *tarn.Param) bool { return name == "head" }}), "no weight of a Linear"},
		{"a model without layers", nn.AddLoRA(nn.NewEmbedding(2, 3), nn.LoRAOptions{Rank: 1}), "no weight of a Linear"},
		{"no model", nn.AddLoRA(nil, nn.LoRAOptions{Rank: 1}), "model"},
		{"an adapter already", nn.AddLoRA(has, nn.LoRAOptions{Rank: 1}), `the weight "weight" has an adapter already`},
		{"nothing to merge", nn.MergeLoRA(nn.NewLinear(3, 2)), "the model has no adapter"},
		{"nothing to unmerge", nn.UnmergeLoRA(nn.NewLinear(3, 2)), "the model has no adapter"},
		{"nothing to remove", nn.RemoveLoRA(nn.NewLinear(3, 2)), "the model has no adapter"},
		{"a transformed weight", nn.MergeLoRA(transformed), "transforms its weight"},
		{"of another layer", nn.MergeLoRA(other), "does not fit the weight"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q in it", c.name, c.err, c.want)
		}
	}
	if !has.Weight.Trainable() {
		t.Error("a weight is frozen although adding adapters has failed")
	}
	some := newAdaptable(t)
	if err := nn.AddLoRA(some, nn.LoRAOptions{Rank: 1, Match: func(name string, _ *tarn.Param) bool { return strings.HasPrefix(name, "heads.a") }}); err != nil {
		t.Fatal(err)
	}
	if some.Heads["a"].LoRA == nil || some.Heads["b"].LoRA != nil || some.Conv.LoRA != nil {
		t.Error("an adapter is where it should not be, or not where it should be")
	}
	g := tarn.NewGraph()
	other.Forward(g.Input("x", tarn.F32, 2, 3))
	refused(t, "an adapter of another layer", g, []string{"LoRA: A has shape [1 4] and B [2 1], for a weight of shape [2 3]"})
}
