package remedy

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds the remedies, in one table.

// Remedy is a change of a training.
type Remedy struct {
	Name string
	Kind string // "activation", "initialization", "architecture", "optimizer", "rate", "regularization" or "data"

	advice []string // how advice of package doctor begins that stands for it
	apply  func(t *trial) error
}

// Table has all remedies.
var Table = []*Remedy{
	{"ReLU", "activation", []string{"use nn.ReLU"}, swap(nn.ReLU{})},
	{"Leaky ReLU", "activation", []string{"use nn.LeakyReLU"}, swap(nn.LeakyReLU{})},
	{"ELU", "activation", nil, swap(nn.ELU{})},
	{"SELU", "activation", nil, swap(nn.SELU{})},
	{"GELU", "activation", nil, swap(nn.GELU{})},
	{"no output activation, normalized targets", "activation", []string{"leave out the activation after the last layer and normalize"}, both(dropOutput, normalizeTargets)},
	{"no output activation", "activation", []string{"leave out the activation after the last layer", "leave out the softmax"}, dropOutput},
	{"He initialization", "initialization", []string{"initialize with nn.KaimingNormal", "initialize its weights with nn.KaimingNormal"}, initialize("nn.KaimingNormal(nn.FanIn, math.Sqrt2)", nn.KaimingNormal(nn.FanIn, math.Sqrt2))},
	{"Xavier initialization", "initialization", []string{"initialize with nn.XavierNormal", "initialize its weights with nn.XavierNormal"}, initialize("nn.XavierNormal(1)", nn.XavierNormal(1))},
	{"LSUV initialization", "initialization", nil, lsuv},
	{"biases of 0", "initialization", []string{"initialize the biases with 0"}, zeroBiases},
	{"batch normalization", "architecture", []string{"normalize between the layers", "normalize before the activation"}, normalize(true)},
	{"layer normalization", "architecture", []string{"use nn.NewGroupNorm or nn.NewLayerNorm"}, normalize(false)},
	{"batch norm of the inputs", "architecture", []string{"put a batch normalization before the first layer"}, normalizeFirst},
	{"residual connections", "architecture", []string{"make the blocks residual"}, residual},
	{"fewer layers", "architecture", []string{"take fewer layers"}, fewer},
	{"more units", "architecture", []string{"add units or layers"}, wider},
	{"a tenth of the weights", "initialization", []string{"divide the initial weights by 10"}, tenth},
	{"orthogonal recurrent weights", "initialization", []string{"initialize the recurrent weights"}, orthogonal},
	{"nothing frozen", "architecture", []string{"train the frozen layers"}, thaw},
	{"faster running statistics", "architecture", []string{"raise the momentum of the running statistics"}, fasterStatistics},
	{"LSTM", "architecture", []string{"use nn.NewLSTM"}, gated},
	{"Adam", "optimizer", []string{"use optim.NewAdam"}, optimizer("optim.NewAdam(1e-3)", func() optim.Optimizer { return optim.NewAdam(1e-3) })},
	{"RMSprop", "optimizer", nil, optimizer("optim.NewRMSprop(1e-3)", func() optim.Optimizer { return optim.NewRMSprop(1e-3) })},
	{"rate / 10", "rate", []string{"divide the learning rate by 10"}, rate(0.1)},
	{"rate x 10", "rate", []string{"multiply the learning rate"}, rate(10)},
	{"rate of the range test", "rate", []string{"take the learning rate of the range test"}, rangeTest},
	{"warm-up to a tenth of the rate", "rate", []string{"warm up over the first tenth"}, both(rate(0.1), warmUp)},
	{"warm-up", "rate", []string{"warm up"}, warmUp},
	{"decay of the rate", "rate", []string{"let the rate fall"}, decayRate},
	{"clipping", "optimizer", []string{"clip the gradients"}, clip},
	{"dropout", "regularization", []string{"use dropout"}, dropout},
	{"weight decay", "regularization", nil, weightDecay},
	{"weight decay / 100", "regularization", []string{"divide the weight decay by 100"}, lessDecay},
	{"no decay of norms and biases", "regularization", []string{"leave norms and biases out"}, matricesDecay},
	{"early stopping", "regularization", []string{"stop early"}, earlyStopping},
	{"batches x 8", "data", []string{"use batches of", "use larger batches"}, batches},
	{"normalized inputs", "data", []string{"normalize the inputs", "normalize what it reads", "scale bytes"}, normalizeInputs},
	{"clipped inputs", "data", []string{"clip the inputs"}, clipInputs},
	{"finite examples alone", "data", []string{"leave out or replace the examples"}, finiteExamples},
	{"targets from 0 to 1", "data", []string{"map the targets to 0..1"}, unitTargets},
	{"normalized targets", "data", []string{"subtract the targets' mean", "scale the targets"}, normalizeTargets},
}

// Find returns the remedy of a name, or nil.
func Find(name string) *Remedy {
	if i := slices.IndexFunc(Table, func(m *Remedy) bool { return m.Name == name }); i >= 0 {
		return Table[i]
	}
	return nil
}

// none says why a remedy has nothing to change.
func none(why string) error { return fmt.Errorf("%w: %s", ErrDoesNotApply, why) }

// both makes two changes.
func both(a, b func(t *trial) error) func(t *trial) error {
	return func(t *trial) error {
		if err := a(t); err != nil {
			return err
		}
		return b(t)
	}
}

// swap changes the activations between layers.
func swap(to nn.Layer) func(t *trial) error {
	return func(t *trial) error {
		changed := false
		for _, at := range slots(t.Model) {
			if activation(at.layer) && at.layer != to {
				at.set(to)
				changed = true
			}
		}
		if !changed {
			return none("the model has no other activation between layers")
		}
		t.say("activations between layers are %s", source(to))
		return nil
	}
}

func dropOutput(t *trial) error {
	s := ending(t.Model)
	if s == nil {
		return none("the model is no nn.Sequential")
	}
	n := len(s.Layers)
	if _, soft := s.Layers[n-1].(nn.Softmax); !soft && !activation(s.Layers[n-1]) || n == 1 {
		return none("the model does not end with an activation")
	}
	s.Layers = s.Layers[:n-1]
	t.say("no activation follows the last layer")
	return nil
}

// redraw draws the weights of all linear layers and convolutions, and sets their biases to 0.
func redraw(t *trial, init tarn.Initializer) error {
	all := matrices(t.Model)
	if len(all) == 0 {
		return none("the model has no linear layer or convolution")
	}
	for i, m := range all {
		m.weight.SetInit(init)
		if m.bias != nil {
			m.bias.SetInit(nn.Zeros())
		}
		if err := tarn.Init(m.layer, t.Seed+uint64(i)<<32); err != nil {
			return err
		}
	}
	return nil
}

func initialize(code string, init tarn.Initializer) func(t *trial) error {
	return func(t *trial) error {
		t.code.Init = drawn(code)
		return redraw(t, init)
	}
}

// drawn is how the weights of linear layers are drawn, as Go.
func drawn(init string) []string {
	return []string{
		"for _, l := range model.Layers {",
		"\tif l, ok := l.(*nn.Linear); ok {",
		"\t\tl.Weight.SetInit(" + init + ")",
		"\t\tl.Bias.SetInit(nn.Zeros())",
		"\t}",
		"}",
	}
}

func lsuv(t *trial) error {
	s, ok := t.Model.(*nn.Sequential)
	if !ok {
		return none("the model is no nn.Sequential")
	}
	if err := redraw(t, nn.Orthogonal(1)); err != nil {
		return err
	}
	some, err := t.Train.Slice(0, min(256, t.Train.Len()))
	if err != nil {
		return err
	}
	x, err := some.Tensor(t.Input)
	if err != nil {
		return err
	}
	t.code.Init = drawn("nn.Orthogonal(1)")
	t.code.Ready = []string{fmt.Sprintf("check(nn.LSUV(model, must(must(set.Slice(0, %d)).Tensor(%q))))", some.Len(), t.Input)}
	return nn.LSUV(s, x)
}

// normalize puts a normalization between a linear layer or a convolution and the activation that follows.
func normalize(batch bool) func(t *trial) error {
	return func(t *trial) error {
		n, replaced := 0, 0
		for _, s := range chains(t.Model) {
			var out []nn.Layer
			for i, l := range s.Layers {
				if b, ok := l.(*nn.BatchNorm); ok && !batch {
					l = nn.NewLayerNorm(b.RunningMean.Shape()[0])
					_ = tarn.Init(l, 0)
					replaced++
				}
				if i > 0 && activation(l) && width(s.Layers[i-1]) > 0 && !(s == ending(t.Model) && i == len(s.Layers)-1) {
					var norm nn.Layer = nn.NewLayerNorm(width(s.Layers[i-1]))
					if batch {
						norm = nn.NewBatchNorm(width(s.Layers[i-1]))
					}
					_ = tarn.Init(norm, 0) // ones and zeros
					out = append(out, norm)
					n++
				}
				out = append(out, l)
			}
			s.Layers = out
		}
		if replaced > 0 {
			t.say("nn.NewLayerNorm stands in place of nn.NewBatchNorm")
		}
		if n == 0 && replaced > 0 {
			return nil
		}
		if n == 0 {
			return none("no nn.Sequential has an activation after a layer with weights")
		}
		name := "nn.NewLayerNorm"
		if batch {
			name = "nn.NewBatchNorm"
		}
		t.say("%s stands before each activation between layers", name)
		return nil
	}
}

func normalizeFirst(t *trial) error {
	s, ok := t.Model.(*nn.Sequential)
	if !ok || len(s.Layers) == 0 {
		return none("the model is no nn.Sequential")
	}
	l, ok := s.Layers[0].(*nn.Linear)
	if !ok {
		return none("the model does not begin with a linear layer")
	}
	norm := nn.NewBatchNorm(l.Weight.Shape()[1])
	s.Layers = slices.Insert(s.Layers, 0, nn.Layer(norm))
	t.say("nn.NewBatchNorm stands before the first layer")
	return tarn.Init(norm, 0)
}

// residual makes each layer with as many units as inputs residual, with the normalization and the activation that follow it.
func residual(t *trial) error {
	n := 0
	for _, s := range chains(t.Model) {
		var out []nn.Layer
		for i := 0; i < len(s.Layers); i++ {
			l, ok := s.Layers[i].(*nn.Linear)
			if !ok || l.Weight.Shape()[0] != l.Weight.Shape()[1] {
				out = append(out, s.Layers[i])
				continue
			}
			end := i + 1
			for end < len(s.Layers) && !activation(s.Layers[end]) && width(s.Layers[end]) == 0 {
				if _, ok := s.Layers[end].(nn.Func); ok {
					break
				}
				end++
			}
			if end == len(s.Layers) || !activation(s.Layers[end]) {
				out = append(out, s.Layers[i])
				continue
			}
			out = append(out, &Residual{nn.NewSequential(s.Layers[i : end+1]...)})
			i = end
			n++
		}
		s.Layers = out
	}
	if n == 0 {
		return none("no linear layer before an activation has as many units as inputs")
	}
	t.say("layers with as many units as inputs are residual")
	return nil
}

// fewer keeps two of the layers that have as many units as inputs.
func fewer(t *trial) error {
	s, ok := t.Model.(*nn.Sequential)
	if !ok {
		return none("the model is no nn.Sequential")
	}
	var out []nn.Layer
	kept, left := 0, 0
	for i := 0; i < len(s.Layers); i++ {
		if l, ok := s.Layers[i].(*nn.Linear); ok && i+1 < len(s.Layers) && activation(s.Layers[i+1]) && l.Weight.Shape()[0] == l.Weight.Shape()[1] {
			if kept++; kept > 1 {
				i++
				left++
				continue
			}
		}
		out = append(out, s.Layers[i])
	}
	if left == 0 {
		return none("there are no layers to leave out")
	}
	s.Layers = out
	t.say("without %d of the hidden layers", left)
	return nil
}

// wider gives the layers between activations 64 units or more, and a model of one linear layer a hidden layer of 64 ReLUs.
func wider(t *trial) error {
	s, ok := t.Model.(*nn.Sequential)
	if !ok {
		return none("the model is no nn.Sequential")
	}
	var at []int // the linear layers
	for i, l := range s.Layers {
		if width(l) > 0 {
			if _, ok := l.(*nn.Linear); !ok {
				return none("the model has convolutions")
			}
			at = append(at, i)
		} else if _, softmax := l.(nn.Softmax); !softmax && !activation(l) {
			return none(fmt.Sprintf("the model has a %T", l))
		}
	}
	if len(at) == 0 {
		return none("the model has no linear layer")
	}
	layers := slices.Clone(s.Layers)
	if first := layers[at[0]].(*nn.Linear).Weight.Shape(); len(at) == 1 {
		layers = slices.Replace(layers, at[0], at[0]+1, []nn.Layer{nn.NewLinear(first[1], 64), nn.ReLU{}, nn.NewLinear(64, first[0])}...)
		at = append(at, at[0]+2)
	} else {
		in := first[1]
		for n, i := range at {
			out := layers[i].(*nn.Linear).Weight.Shape()[0]
			if n < len(at)-1 {
				out = max(64, 2*out)
			}
			layers[i] = nn.NewLinear(in, out)
			in = out
		}
	}
	for n, i := range at {
		if err := tarn.Init(layers[i], t.Seed+uint64(n+1)<<40); err != nil {
			return err
		}
	}
	s.Layers = layers
	t.say("hidden layers have 64 units or more")
	return nil
}

// tenth divides the weights of all linear layers and convolutions but the first and the last, so that residual branches begin near 0.
// (Zhang et al. 2019, Fixup initialization.)
func tenth(t *trial) error {
	all := matrices(t.Model)
	if len(all) < 3 {
		return none("the model has no layers between the first and the last")
	}
	if err := redraw(t, nn.KaimingNormal(nn.FanIn, math.Sqrt2)); err != nil {
		return err
	}
	for _, m := range all[1 : len(all)-1] {
		for i := range m.weight.Tensor().Size() {
			m.weight.Tensor().SetFloat(i, m.weight.Tensor().Float(i)/10)
		}
	}
	t.say("weights are those of nn.KaimingNormal(nn.FanIn, math.Sqrt2), between the first and the last layer a tenth of them")
	return nil
}

// orthogonal draws the square weights of recurrent layers. (Le, Jaitly and Hinton 2015, A simple way to initialize recurrent networks.)
func orthogonal(t *trial) error {
	n := 0
	for _, at := range slots(t.Model) {
		r, ok := at.layer.(*nn.RNN)
		if !ok {
			continue
		}
		params, err := tarn.Params(r)
		if err != nil {
			return err
		}
		for _, p := range params.List() {
			switch s := p.Shape(); {
			case len(s) == 2 && s[0] == s[1]:
				p.SetInit(nn.Orthogonal(1))
			case len(s) < 2:
				p.SetInit(nn.Zeros())
			}
		}
		if err := tarn.Init(r, t.Seed+uint64(n)<<32); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return none("the model has no nn.RNN")
	}
	t.say("the recurrent weights are orthogonal, its biases 0")
	return nil
}

// gated replaces plain recurrent layers.
func gated(t *trial) error {
	n := 0
	for _, at := range slots(t.Model) {
		if r, ok := at.layer.(*nn.RNN); ok {
			gated := nn.NewLSTM(r.In, r.Hidden, r.Options)
			if err := tarn.Init(gated, t.Seed+uint64(n)<<32); err != nil {
				return err
			}
			at.set(gated)
			n++
		}
	}
	if n == 0 {
		return none("the model has no nn.RNN")
	}
	t.say("nn.NewLSTM stands in place of nn.NewRNN")
	return nil
}

func optimizer(code string, make func() optim.Optimizer) func(t *trial) error {
	return func(t *trial) error {
		if reflect.TypeOf(t.optimizer(t.updates())) == reflect.TypeOf(make()) {
			return none("it is the training's own")
		}
		t.optimizer, t.code.Optimizer = func(int) optim.Optimizer { return make() }, code
		return nil
	}
}

func rate(factor float64) func(t *trial) error {
	return func(t *trial) error {
		t.Rate *= factor
		t.say("the learning rate is %.3g", t.Rate)
		return nil
	}
}

func rangeTest(t *trial) error {
	copy, err := copied(t.Model)
	if err != nil {
		return err
	}
	test := *t
	test.Model = copy
	if chainOf(t.optimizer(1)) == nil {
		return none("the optimizer is no optim.Chain and embeds none")
	}
	r := train.NewRangeTest(test.build, copy, func(s optim.Schedule) optim.Optimizer {
		o := t.optimizer(t.updates())
		chainOf(o).Rate = s
		return o
	}, t.Train)
	r.Batch, r.Seed = t.Batch, t.Seed
	found, err := r.Run(t.ctx)
	if err != nil {
		return err
	}
	t.Rate = found.Steepest
	t.say("the learning rate is %.3g, as the range test (train.RangeTest) suggests", t.Rate)
	return nil
}

func warmUp(t *trial) error {
	steps := max(2, t.updates()/5)
	t.tune = append(t.tune, func(_ optim.Optimizer, c *optim.Chain) { c.Rate = optim.Warmup{Steps: steps, Then: c.Rate} })
	t.set("optimizer.Rate = optim.Warmup{Steps: updates / 5, Then: optimizer.Rate}")
	return nil
}

func decayRate(t *trial) error {
	rate, steps := t.Rate, t.updates()
	t.tune = append(t.tune, func(_ optim.Optimizer, c *optim.Chain) { c.Rate = optim.Cosine{Rate: rate, Steps: steps} })
	t.set("optimizer.Rate = optim.Cosine{Rate: %.3g, Steps: updates}", rate)
	return nil
}

func clip(t *trial) error {
	t.tune = append(t.tune, func(_ optim.Optimizer, c *optim.Chain) { c.ClipNorm = 1 })
	t.set("optimizer.ClipNorm = 1")
	return nil
}

func dropout(t *trial) error {
	n := 0
	for _, s := range chains(t.Model) {
		var out []nn.Layer
		for i, l := range s.Layers {
			out = append(out, l)
			if activation(l) && !(s == ending(t.Model) && i == len(s.Layers)-1) {
				out = append(out, nn.NewDropout(0.3))
				n++
			}
		}
		s.Layers = out
	}
	if n == 0 {
		return none("no nn.Sequential has an activation between layers")
	}
	t.say("nn.NewDropout(0.3) stands after each activation between layers")
	return nil
}

// weightDecay decays what has two axes or more.
func weightDecay(t *trial) error {
	o := t.optimizer(t.updates())
	if chainOf(o) == nil {
		return none("the optimizer is no optim.Chain and embeds none")
	}
	field := reflect.ValueOf(o).Elem().FieldByName("WeightDecay")
	if !field.IsValid() || field.Kind() != reflect.Float64 {
		return none(fmt.Sprintf("%T has no WeightDecay", o))
	}
	decay := 1e-2
	if _, ok := o.(*optim.AdamW); ok {
		decay = 0.1 // times the rate
	}
	params, err := tarn.Params(t.Model)
	if err != nil {
		return err
	}
	vectors := slices.ContainsFunc(params.List(), func(p *tarn.Param) bool { return len(p.Shape()) < 2 })
	t.tune = append(t.tune, func(o optim.Optimizer, c *optim.Chain) {
		reflect.ValueOf(o).Elem().FieldByName("WeightDecay").SetFloat(decay)
		if vectors {
			c.Group(optim.Vectors).Decay = 0
		}
	})
	t.set("optimizer.WeightDecay = %g", decay)
	if vectors {
		t.set("optimizer.Group(optim.Vectors).Decay = 0")
	}
	return nil
}

// decayed returns the field WeightDecay of an optimizer, if it has one that is not 0.
func decayed(o optim.Optimizer) (field reflect.Value, err error) {
	if chainOf(o) == nil {
		return field, none("the optimizer is no optim.Chain and embeds none")
	}
	field = reflect.ValueOf(o).Elem().FieldByName("WeightDecay")
	if !field.IsValid() || field.Kind() != reflect.Float64 || field.Float() == 0 {
		return field, none("the optimizer has no weight decay")
	}
	return field, nil
}

func lessDecay(t *trial) error {
	field, err := decayed(t.optimizer(t.updates()))
	if err != nil {
		return err
	}
	less := field.Float() / 100
	t.tune = append(t.tune, func(o optim.Optimizer, _ *optim.Chain) {
		reflect.ValueOf(o).Elem().FieldByName("WeightDecay").SetFloat(less)
	})
	t.set("optimizer.WeightDecay = %g", less)
	return nil
}

func matricesDecay(t *trial) error {
	if _, err := decayed(t.optimizer(t.updates())); err != nil {
		return err
	}
	params, err := tarn.Params(t.Model)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(params.Trainable().List(), func(p *tarn.Param) bool { return len(p.Shape()) < 2 }) {
		return none("the model has neither norms nor biases")
	}
	t.tune = append(t.tune, func(_ optim.Optimizer, c *optim.Chain) { c.Group(optim.Vectors).Decay = 0 })
	t.set("optimizer.Group(optim.Vectors).Decay = 0")
	return nil
}

func zeroBiases(t *trial) error {
	n := 0
	for _, m := range matrices(t.Model) {
		if m.bias == nil {
			continue
		}
		if x := m.bias.Tensor(); slices.ContainsFunc(x.Floats(), func(v float64) bool { return v != 0 }) {
			for i := range x.Size() {
				x.SetFloat(i, 0)
			}
			n++
		}
	}
	if n == 0 {
		return none("all biases of linear layers and convolutions are 0")
	}
	t.code.Init = slices.DeleteFunc(drawn(""), func(line string) bool { return strings.Contains(line, "Weight") })
	return nil
}

func thaw(t *trial) error {
	params, err := tarn.Params(t.Model)
	if err != nil {
		return err
	}
	n := 0
	for _, p := range params.All() {
		if p.Frozen {
			p.Frozen = false
			n++
		}
	}
	if n == 0 {
		return none("no param is frozen")
	}
	t.say("no param is frozen")
	return nil
}

func fasterStatistics(t *trial) error {
	n := 0
	visit(t.Model, func(v reflect.Value) {
		if b, ok := v.Interface().(*nn.BatchNorm); ok && b.Momentum >= 0 && b.Momentum < 0.1 {
			b.Momentum = 0.1
			n++
		}
	})
	if n == 0 {
		return none("the model has no batch normalization with a momentum below 0.1")
	}
	t.say("the momentum of batch normalizations is 0.1")
	return nil
}

// unitTargets maps the lowest target to 0 and the highest to 1.
func unitTargets(t *trial) error {
	if !t.floats(t.Target) {
		return none(fmt.Sprintf("%q holds integers", t.Target))
	}
	x, err := t.Train.Tensor(t.Target)
	if err != nil {
		return err
	}
	lo, hi := slices.Min(x.Floats()), slices.Max(x.Floats())
	if !(hi > lo) || math.IsInf(hi-lo, 0) || lo == 0 && hi == 1 {
		return none("the targets go from 0 to 1, are all alike or not finite")
	}
	m := data.Moments{Mean: []float64{lo}, Std: []float64{hi - lo}}
	t.say("targets are mapped from %.4g and %.4g to 0 and 1", lo, hi)
	return t.sets(func(s *data.Set) (*data.Set, error) { return s.Normalize(t.Target, m) })
}

func earlyStopping(t *trial) error {
	if t.Valid == nil {
		return none("there is no validation set")
	}
	t.early = &train.EarlyStopping{Patience: 2}
	t.code.Loop = []string{"loop.EarlyStopping = &train.EarlyStopping{Patience: 2}"}
	return nil
}

func batches(t *trial) error {
	size := min(8*t.Batch, t.Train.Len())
	if size == t.Batch {
		return none("all examples are in one batch")
	}
	t.Batch = size
	t.say("batches have %d examples", size)
	return nil
}

// sets changes both sets.
func (t *trial) sets(change func(s *data.Set) (*data.Set, error)) error {
	for _, at := range []**data.Set{&t.Train, &t.Valid} {
		if *at == nil {
			continue
		}
		s, err := change(*at)
		if err != nil {
			return err
		}
		*at = s
	}
	return nil
}

// floats reports whether a field holds them.
func (t *trial) floats(name string) bool {
	dtype, err := t.Train.DType(name)
	return err == nil && dtype.IsFloat()
}

func normalizeField(name func(t *trial) string) func(t *trial) error {
	return func(t *trial) error {
		field := name(t)
		if !t.floats(field) {
			return none(fmt.Sprintf("%q holds integers", field))
		}
		m, err := t.Train.Moments(field, true)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(m.Std, func(x float64) bool { return !(x > 1e-12) }) {
			if m, err = t.Train.Moments(field, false); err != nil {
				return err
			}
		}
		t.code.Data = append(t.code.Data, fmt.Sprintf("moments := must(set.Moments(%q, %t))", field, len(m.Mean) > 1))
		for _, name := range []string{"set", "valid", "test"} {
			t.code.Data = append(t.code.Data, fmt.Sprintf("%s = must(%s.Normalize(%q, moments))", name, name, field))
		}
		return t.sets(func(s *data.Set) (*data.Set, error) { return s.Normalize(field, m) })
	}
}

var (
	normalizeInputs  = normalizeField(func(t *trial) string { return t.Input })
	normalizeTargets = normalizeField(func(t *trial) string { return t.Target })
)

// refilled returns a set with other contents of its float input, and of the given rows alone.
func (t *trial) refilled(s *data.Set, x func(v float64) float64, keep func(row []float64) bool) (*data.Set, error) {
	tensor, err := s.Tensor(t.Input)
	if err != nil {
		return nil, err
	}
	values := tensor.Floats()
	w := len(values) / max(1, s.Len())
	var rows []int
	for i := range s.Len() {
		if keep(values[i*w : (i+1)*w]) {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		return nil, none("no example is left")
	}
	var fields []data.Field
	for _, name := range s.Names() {
		tensor, err := s.Tensor(name)
		if err != nil {
			return nil, err
		}
		shape := tensor.Shape()
		shape[0] = len(rows)
		part := tarn.Zeros(tensor.DType(), shape...)
		size := len(tensor.Raw()) / max(1, s.Len())
		for i, row := range rows {
			copy(part.Raw()[i*size:(i+1)*size], tensor.Raw()[row*size:(row+1)*size])
		}
		if name == t.Input {
			for i := range part.Size() {
				part.SetFloat(i, x(part.Float(i)))
			}
		}
		fields = append(fields, data.Field{Name: name, Array: data.FromTensor(part)})
	}
	return data.NewSet(fields...)
}

// clipInputs limits inputs to five times the median magnitude.
func clipInputs(t *trial) error {
	if !t.floats(t.Input) {
		return none(fmt.Sprintf("%q holds integers", t.Input))
	}
	x, err := t.Train.Tensor(t.Input)
	if err != nil {
		return err
	}
	var sizes []float64
	for _, v := range x.Floats() {
		if !math.IsNaN(v) {
			sizes = append(sizes, math.Abs(v))
		}
	}
	slices.Sort(sizes)
	limit := 0.0
	if len(sizes) > 0 {
		limit = 5 * sizes[len(sizes)/2]
	}
	if limit == 0 || sizes[len(sizes)-1] <= limit {
		return none("no input is larger than five times the usual")
	}
	t.say("inputs are clipped to ±%.4g", limit)
	return t.sets(func(s *data.Set) (*data.Set, error) {
		return t.refilled(s, func(v float64) float64 { return max(-limit, min(limit, v)) }, func([]float64) bool { return true })
	})
}

func finiteExamples(t *trial) error {
	if !t.floats(t.Input) {
		return none(fmt.Sprintf("%q holds integers", t.Input))
	}
	left := 0
	err := t.sets(func(s *data.Set) (*data.Set, error) {
		return t.refilled(s, func(v float64) float64 { return v }, func(row []float64) bool {
			bad := slices.ContainsFunc(row, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
			if bad {
				left++
			}
			return !bad
		})
	})
	if err == nil && left == 0 {
		return none("all inputs are finite")
	}
	t.say("without the %d examples that are not finite", left)
	return err
}
