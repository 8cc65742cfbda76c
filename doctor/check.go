package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds Check, which looks at a model and a batch before the first step of a training.

const (
	checkExamples = 16
	checkSteps    = 100
	checkEvery    = 5
)

// checkRules are the rules that also hold for the training of Check, which has an optimizer and a batch of its own.
var checkRules = []string{"non-finite", "zero-init", "no-gradient", "output-activation", "input-scale", "start-loss", "dead-relu", "saturation",
	"exploding-gradients", "large-init", "recurrent-gradients", "vanishing-gradients", "small-init"}

// Check looks at the inputs and targets of a batch, the model's initial weights, its loss and the flow of signals and gradients at the
// start, and whether the model can learn 16 of the examples by heart in 100 steps of Adam. It returns what is wrong, the gravest
// first. The model has its weights back afterwards.
//
// Build is that of the training, see train.Build. The batch has a tensor for each of its inputs, whose first axis counts the
// examples; target names the one that the loss compares with.
func Check(ctx context.Context, model any, build func(g *tarn.Graph, n int) tarn.Outputs, batch map[string]*tarn.Tensor, target string) ([]watch.Verdict, error) {
	params, err := tarn.Params(model)
	if err != nil {
		return nil, err
	}
	targets := batch[target]
	if build == nil || targets == nil || targets.Rank() == 0 || targets.Size() == 0 {
		return nil, fmt.Errorf("doctor: Check needs a build function, and a batch with the target %q, whose first axis counts the examples", target)
	}
	for name, t := range batch {
		if t == nil {
			return nil, fmt.Errorf("doctor: the input %q of the batch is nil", name)
		}
		if t.Rank() == 0 || t.Shape()[0] != targets.Shape()[0] {
			return nil, fmt.Errorf("doctor: %q has shape %v and the target %q %v: the first axis of all should count the examples", name, t.Shape(), target, targets.Shape())
		}
	}
	h, err := overfit(ctx, params, build, batch, targets)
	if err != nil {
		return nil, err
	}
	all := checkInputs(batch, target)
	all = append(all, checkTargets(h, targets)...)
	all = append(all, checkWeights(h, params)...)
	for _, v := range Judge(h) {
		if slices.Contains(checkRules, v.Rule) && !slices.ContainsFunc(all, func(w watch.Verdict) bool { return w.Rule == v.Rule }) {
			all = append(all, v)
		}
	}
	if n := len(h.Steps); len(all) == 0 && n > 0 {
		first, last := float64(h.Steps[0].Loss), float64(h.Steps[n-1].Loss)
		if !(last < 0.5*first) && first > 0 {
			v := verdict(fmt.Sprintf("the model cannot learn %d examples by heart in %d steps: something between the inputs and the loss is wrong, or it is far too small", h.Header.Batch, checkSteps),
				fmt.Sprintf("loss %.3g at the start, %.3g at the end", first, last), nil,
				"look at the examples as the model gets them, with their targets", "add units or layers", "leave out dropout and weight decay for this test")
			v.Rule, v.Severity = "overfit-test", Warning
			all = append(all, *v)
		}
	}
	slices.SortStableFunc(all, func(a, b watch.Verdict) int { return rank(a) - rank(b) })
	return all, nil
}

// overfit trains on the first examples alone, and returns what it saw. It puts the weights back.
func overfit(ctx context.Context, params *tarn.ParamSet, build func(g *tarn.Graph, n int) tarn.Outputs, batch map[string]*tarn.Tensor, targets *tarn.Tensor) (h *watch.History, err error) {
	for _, p := range params.All() {
		before := p.Tensor().Clone()
		defer func() { err = errors.Join(err, p.Tensor().CopyFrom(before)) }()
	}
	n := min(checkExamples, targets.Shape()[0])
	w, o := watch.New(watch.Options{Every: checkEvery}), optim.NewAdam(3e-3)
	h = &watch.History{}
	programs := map[watch.Mode]*tarn.Program{}
	instruments := map[watch.Mode]*watch.Instruments{}
	for i := range int64(checkSteps) {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		mode := w.Mode(i)
		if programs[mode] == nil {
			g := tarn.NewGraph()
			outputs := build(g, n)
			loss := outputs["loss"]
			if loss == nil {
				return nil, errors.New(`doctor: the build function gave no output "loss"`)
			}
			updates, err := o.Update(loss, params)
			if err != nil {
				return nil, err
			}
			in, err := w.Instrument(mode, outputs, loss, params, updates)
			if err != nil {
				return nil, err
			}
			if programs[mode], err = tarn.Compile(g, tarn.Outputs{"loss": loss}, append(updates, in.Look(), tarn.Guard(loss))...); err != nil {
				return nil, err
			}
			instruments[mode] = in
		}
		p := programs[mode]
		var inputs []*tarn.Tensor
		for _, name := range p.Inputs() {
			t := batch[name]
			if t == nil {
				return nil, fmt.Errorf("doctor: the model reads the input %q, and the batch has none of that name", name)
			}
			inputs = append(inputs, head(t, n))
		}
		p.SetRuns(i)
		out, err := p.Run(inputs...)
		if h.Header == nil {
			header := instruments[mode].Header
			header.Every, header.Batch, header.Examples, header.Epochs, header.Optimizer = checkEvery, n, n, checkSteps, "adam"
			header.SetTargets(head(targets, n))
			h.Header = &header
		}
		var e *tarn.NonFiniteError
		if errors.As(err, &e) {
			h.Failure = &watch.Failure{Run: i, Error: e.Error(), Op: e.Op, Place: e.Place, Overflow: true}
			if origin, err := p.Origin(inputs...); err == nil && origin != nil {
				*h.Failure = watch.Failure{Run: i, Error: origin.String(), Input: origin.Input, Op: origin.Op, Place: origin.Place, Near: origin.Near, Overflow: origin.Overflow}
			}
			return h, nil
		}
		if err != nil {
			return nil, err
		}
		switch mode {
		case watch.Remember:
			w.Remembered(i)
		case watch.Look:
			s, _ := w.Record(instruments[mode], out, i, n)
			s.Run, s.Epoch, s.Loss, s.ClippedNorm, s.Rate = i+1, 1, watch.Number(out["loss"].Item()), s.GradNorm, watch.Number(3e-3)
			h.Steps = append(h.Steps, s)
		}
	}
	return h, nil
}

// head is the first n examples.
func head(t *tarn.Tensor, n int) *tarn.Tensor {
	shape := append([]int{n}, t.Shape()[1:]...)
	part := tarn.Zeros(t.DType(), shape...)
	copy(part.Raw(), t.Raw()[:len(part.Raw())])
	return part
}

// checkInputs looks for inputs that are far from mean 0 and deviation 1, or have outliers.
func checkInputs(batch map[string]*tarn.Tensor, target string) (all []watch.Verdict) {
	var names []string
	for name := range batch {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t := batch[name]
		if name == target || !t.DType().IsFloat() || t.Size() == 0 {
			continue
		}
		x := t.Floats()
		squares, most, bad := 0.0, 0.0, 0
		for _, v := range x {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				bad++
				continue
			}
			squares += v * v
			most = max(most, math.Abs(v))
		}
		scale := math.Sqrt(squares / float64(len(x)))
		usual := quantile(x, 0.99)
		var v *watch.Verdict
		rule := "input-scale"
		switch {
		case bad > 0:
			rule = "non-finite"
			v = verdict(fmt.Sprintf("%d elements of the input %q are infinite or NaN: remove or replace them", bad, name), fmt.Sprintf("%d of %d elements", bad, len(x)), nil, "leave out or replace the examples that are not finite")
		case usual > 0 && most > 100*usual:
			rule = "input-outliers"
			v = verdict(fmt.Sprintf("the input %q has outliers, up to %.0f times as large as 99 %% of its elements: clip or normalize it", name, most/usual), fmt.Sprintf("99 %% are below %.3g, the largest is %.3g", usual, most), nil,
				"clip the inputs to a few deviations, or take their logarithm", "normalize the inputs (data.Set.Moments, Normalize)")
		case scale > 10 || scale < 0.02:
			v = verdict(fmt.Sprintf("the input %q has the root mean square %.3g, where 1 is usual: normalize it to mean 0 and deviation 1", name, scale), fmt.Sprintf("root mean square %.3g, largest %.3g", scale, most), nil,
				"normalize the inputs (data.Set.Moments, Normalize)", "put a batch normalization before the first layer", "scale bytes to 0..1 (data.UnitBytes)")
		}
		if v != nil {
			v.Rule = rule
			if rule != "non-finite" {
				v.Severity = Warning // a network may begin with a normalization
			}
			all = append(all, *v)
		}
	}
	return all
}

// quantile is that of the magnitudes of the finite numbers.
func quantile(x []float64, q float64) float64 {
	var sizes []float64
	for _, v := range x {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			sizes = append(sizes, math.Abs(v))
		}
	}
	if len(sizes) == 0 {
		return 0
	}
	slices.Sort(sizes)
	return sizes[int(q*float64(len(sizes)-1))]
}

// checkTargets looks for targets that are all alike, unbalanced, or beyond what the output can give.
func checkTargets(h *watch.History, targets *tarn.Tensor) (all []watch.Verdict) {
	add := func(rule, severity string, v *watch.Verdict) {
		v.Rule, v.Severity = rule, severity
		all = append(all, *v)
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	counts := map[float64]int{}
	x := targets.Floats()
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
		counts[v]++
	}
	most, size := 0.0, 0
	for v, n := range counts {
		if n > size || n == size && v < most {
			most, size = v, n
		}
	}
	share := float64(size) / float64(len(x))
	switch {
	case len(counts) == 1 && len(x) > 1:
		add("labels", Fault, verdict("all targets of the batch are alike, so there is nothing to learn: check how the targets are made", fmt.Sprintf("%d times %v", len(x), x[0]), nil,
			"check the column that the targets are read from", "shuffle before splitting into batches"))
	case h.Header.Task == "classes" && share > 0.9 && len(x) >= 20:
		add("labels", Warning, verdict(fmt.Sprintf("%.0f %% of the targets are of class %v: always saying so is right as often; weigh the classes or draw them evenly", 100*share, most), fmt.Sprintf("%d of %d targets", size, len(x)), nil,
			"weigh the classes (nn.CrossEntropyLoss.Weight)", "draw the classes evenly", "judge by a metric other than the accuracy"))
	}
	v := newView(h)
	if v == nil || len(v.Header.Layers) == 0 || len(v.stack) == 0 {
		return all
	}
	end := v.stack[len(v.stack)-1]
	layer := v.Header.Layers[end]
	limits := map[string][2]float64{"Sigmoid": {0, 1}, "Tanh": {-1, 1}, "ReLU": {0, math.Inf(1)}, "ReLU6": {0, 6}, "Softmax": {0, 1}}
	limit, bounded := limits[layer.Activation]
	switch {
	case layer.Activation == "ReLU" && h.Header.Loss == "cross-entropy":
		add("output-activation", Fault, verdict(fmt.Sprintf("a ReLU follows the last layer %s, so no logit is ever below 0 and a class whose logit is 0 gets no gradient: leave it out", v.path(end)),
			"the cross-entropy takes logits", []string{v.path(end)}, "leave out the activation after the last layer"))
	case bounded && h.Header.Loss == "squares" && (lo < limit[0]-0.01 || hi > limit[1]+0.01):
		add("output-activation", Fault, verdict(fmt.Sprintf("the targets go from %.3g to %.3g and the %s after %s gives no more than %v to %v: leave it out, or scale the targets", lo, hi, layer.Activation, v.path(end), limit[0], limit[1]),
			fmt.Sprintf("%d targets from %.3g to %.3g", len(x), lo, hi), []string{v.path(end)}, "leave out the activation after the last layer", "scale the targets to the range of the activation"))
	}
	return all
}

// checkWeights looks for layers whose units all begin alike, and so stay alike.
func checkWeights(h *watch.History, params *tarn.ParamSet) (all []watch.Verdict) {
	for i, param := range h.Header.Params {
		if len(param.Shape) < 2 || param.Layer < 0 || param.Shape[0] < 2 || i == 0 && len(h.Header.Params) == 1 {
			continue
		}
		x := params.Lookup(param.Name).Tensor().Floats()
		row := len(x) / param.Shape[0]
		alike := x[0] != 0 // zeros have a rule of their own
		for j := row; j < len(x) && alike; j++ {
			alike = x[j] == x[j-row]
		}
		if alike {
			name := h.Header.Layers[param.Layer].Path
			v := verdict(fmt.Sprintf("all units of %s begin with the same weights, get the same gradients and stay alike: draw the weights at random", name), fmt.Sprintf("the %d rows of %s are equal", param.Shape[0], param.Name), []string{name},
				"initialize with nn.KaimingNormal (ReLU) or nn.XavierNormal (tanh, sigmoid)")
			v.Rule = "symmetric-init"
			all = append(all, *v)
		}
	}
	return all
}
