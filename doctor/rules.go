package doctor

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/watch"
)

// This file holds the rules, the more certain causes before those that they would also explain.

// Rules are all rules, in the order in which Judge applies them.
var Rules = []Rule{
	{"non-finite", "the run that ended the training", "if an infinity or NaN stands in an input, or comes from an op that is not defined there", "tarn.Origin", nonFinite, true},
	{"labels", "the entropy or variance of the targets; the losses of training and validation", "if all targets are alike, or what is learned does not carry over to other examples at all",
		"Zhang et al. 2017, Understanding deep learning requires rethinking generalization", labels, false},
	{"zero-init", "norms of weights and gradients", "if two layers in turn have weights and gradients of exactly 0, so that they can never move", "Goodfellow et al. 2016, Deep Learning, 8.4", zeroInit, false},
	{"no-gradient", "norms of gradients", "if a layer's gradients are exactly 0 at every look while a layer beyond it learns, and its units are alive", "", noGradient, false},
	{"output-activation", "the activation of the last layer and the form of the loss", "if a softmax or ReLU feeds a cross-entropy, or a bounded or rectified output cannot reach the targets",
		"Goodfellow et al. 2016, Deep Learning, 6.2.2", outputActivation, false},
	{"input-outliers", "deviations of the first layers' results from look to look", "if single batches stand out by an order of magnitude, and the training gets nowhere", "LeCun et al. 1998, Efficient backprop, 4.3", inputOutliers, false},
	{"input-scale", "the scale of what the first layers read, inferred from their weights and results at the first look", "if it is far from 1 and the training gets nowhere",
		"LeCun et al. 1998, Efficient backprop, 4.3", inputScale, false},
	{"start-loss", "the first loss beside that of the best constant prediction", "if the targets are far from what a network gives at the start, and little is learned", "Karpathy 2019, A recipe for training neural networks", startLoss, false},
	{"exploding-gradients", "the gradients that arrive at each layer", "if they grow by orders of magnitude toward the input, and the training gets nowhere", "Hochreiter et al. 2001, Gradient flow in recurrent nets; Philipp et al. 2018, The exploding gradient problem demystified", exploding, false},
	{"large-init", "the scale of each layer's result at the start", "if it is far above 1 at the output, the first loss far above chance, and the training gets nowhere", "He et al. 2015, Delving deep into rectifiers", largeInit, true},
	{"batch-norm", "the batch size, and the losses of training and validation", "if layers with running statistics are trained in tiny batches and validation fails", "Wu and He 2018, Group normalization", batchNorm, false},
	{"large-rate", "the loss beside the first one, the place of the steps in their parabolas, updates beside weights", "if the loss has risen, or the steps overshoot or replace the weights, from a sound start",
		"Schneider et al. 2021, Cockpit; LeCun et al. 1993, Automatic learning rate maximization", largeRate, false},
	{"dead-relu", "the share of units that are 0 for every example of several looks", "if most units of a layer are dead, and the training gets nowhere", "Lu et al. 2020, Dying ReLU and initialization", deadReLU, false},
	{"saturation", "the share of activations in the flat parts of sigmoid and tanh", "if most activations of a layer are saturated, and the training gets nowhere", "Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks", saturation, false},
	{"recurrent-gradients", "the gradients that arrive at each time step", "if they vanish or explode toward the early steps, and the training gets nowhere", "Bengio et al. 1994, Learning long-term dependencies with gradient descent is difficult", recurrent, false},
	{"vanishing-gradients", "the gradients that arrive at each layer", "if they fall by orders of magnitude toward the input, and the training gets nowhere", "Hochreiter 1991; Glorot and Bengio 2010", vanishing, false},
	{"small-init", "the scale of each layer's result at the start", "if it falls by orders of magnitude along the depth, and the training gets nowhere", "Glorot and Bengio 2010; He et al. 2015", smallInit, false},
	{"small-rate", "updates beside weights, the place of the steps in their parabolas, the fall of the loss", "if the loss falls in a straight line too slowly to arrive", "Schneider et al. 2021, Cockpit", smallRate, false},
	{"overfitting", "the losses of training and validation", "if the validation loss has turned and risen well above its lowest while the training loss falls", "Prechelt 1998, Early stopping, but when?", overfitting, false},
	{"small-batch", "the gradient noise scale", "if it is many times the batch, and little is learned", "McCandlish et al. 2018, An empirical model of large-batch training", smallBatch, false},
	{"underfitting", "the loss beside chance", "if the training has come to rest high up, and nothing else explains it", "Goodfellow et al. 2016, Deep Learning, 5.2", underfitting, false},
}

// verdict makes a fault.
func verdict(headline, evidence string, layers []string, remedies ...string) *watch.Verdict {
	return &watch.Verdict{Severity: Fault, Headline: headline, Evidence: evidence, Layers: layers, Remedies: remedies}
}

// lossNow says how the loss stands.
func (v *view) lossNow() string {
	if math.IsNaN(v.chance) {
		return fmt.Sprintf("loss %.3g, at the start %.3g", v.loss, float64(v.first.Loss))
	}
	return fmt.Sprintf("loss %.3g, chance %.3g", v.loss, v.chance)
}

func nonFinite(v *view) *watch.Verdict {
	f := v.Failure
	switch {
	case f == nil || f.Input == "" && f.Overflow:
		return nil // growth has other rules
	case f.Input != "":
		var layers []string
		if len(v.Header.Layers) > 0 {
			layers = []string{v.path(0)}
		}
		return verdict(fmt.Sprintf("the data hold an infinity or NaN in %q, which layer %s reads and every gradient takes on: remove or replace it", f.Input, list(layers)), f.Error, layers,
			"leave out or replace the examples that are not finite", "skip such batches (Loop.SkipNonFinite)")
	}
	var layers []string
	for _, p := range v.Header.Params {
		if p.Name == f.Near && p.Layer >= 0 {
			layers = []string{v.path(p.Layer)}
		}
	}
	return verdict(fmt.Sprintf("an infinity or NaN comes from %s (%s): keep its operand away from where it is not defined", f.Op, f.Place), f.Error, layers,
		"add a small number within a logarithm, root or divisor", "use the fused form of the loss, such as nn.CrossEntropy or nn.BCEWithLogits")
}

func labels(v *view) *watch.Verdict {
	c := v.Header.Chance
	if c != nil && *c < 1e-12 {
		return verdict("all targets are alike, so there is nothing to learn: check how the targets are made", fmt.Sprintf("the best constant prediction has the loss %.3g", float64(*c)), nil,
			"check the column that the targets are read from", "shuffle before splitting, so that every part has all classes")
	}
	n := len(v.Epochs)
	if n < 3 || v.Header.Task != "classes" || math.IsNaN(v.chance) {
		return nil
	}
	lowest := math.Inf(1)
	for _, e := range v.Epochs {
		lowest = min(lowest, float64(e.ValLoss)) // NaN stays NaN
	}
	if train := float64(v.Epochs[n-1].TrainLoss); lowest > 0.97*v.chance && train < 0.8*v.chance {
		return verdict("the labels seem to have nothing to do with the inputs: the network learns them by heart and knows nothing about other examples; check that inputs and labels are in the same order",
			fmt.Sprintf("training loss %.3g, lowest validation loss %.3g, chance %.3g", train, lowest, v.chance), nil,
			"check that inputs and labels belong together after shuffling and splitting", "look at ten examples with their labels", "train on more examples")
	}
	return nil
}

func zeroInit(v *view) *watch.Verdict {
	if len(v.Steps) < 2 {
		return nil
	}
	var still []int
	for _, i := range v.stack {
		w := v.weight(i)
		if v.first.Params.Norm[w] == 0 && v.last.Params.Norm[w] == 0 && v.last.Params.GradNorm[w] == 0 {
			still = append(still, i)
		}
	}
	if len(still) < 2 {
		return nil
	}
	names := v.paths(still)
	return verdict(fmt.Sprintf("the weights of %s begin at 0 and stay there, since each layer's gradient is a product with the others' zeros: draw them at random", list(names)),
		fmt.Sprintf("norm of weights and of gradients 0 after %d runs; %s", v.last.Run, v.lossNow()), names,
		"initialize with nn.KaimingNormal (ReLU) or nn.XavierNormal (tanh, sigmoid)", "keep zeros for biases, and for the last layer of a residual branch")
}

func noGradient(v *view) *watch.Verdict {
	if len(v.Steps) < 3 {
		return nil
	}
	silent := func(p int) bool {
		return !slices.ContainsFunc(v.Steps, func(s watch.Step) bool { return s.Params.GradNorm[p] != 0 })
	}
	// A single param of a layer may well have none, as the bias before a normalization.
	alive := map[int]bool{}
	for p, param := range v.Header.Params {
		if !silent(p) {
			alive[param.Layer] = true
		}
	}
	var names []string
	for p, param := range v.Header.Params {
		switch i := param.Layer; {
		case i < 0 && silent(p):
			names = append(names, param.Name)
		case i >= 0 && !alive[i] && !v.blocked(i) && !slices.Contains(names, v.path(i)):
			names = append(names, v.path(i))
		}
	}
	if len(names) == 0 || len(alive) == 0 {
		return nil
	}
	slices.Reverse(names) // the one next to the cut first
	return verdict(fmt.Sprintf("%s gets no gradient at all and is not trained: the graph is cut between it and the loss; use its result, or freeze it if that is meant", list(names)),
		fmt.Sprintf("the gradient was exactly 0 at %d looks in turn", len(v.Steps)), names,
		"look for StopGradient, ArgMax, Round, a comparison or an unused result behind it", "set Frozen if it should not be trained")
}

// blocked reports whether dead or saturated units, or weights of 0, at or behind a layer explain that no gradient arrives at it.
func (v *view) blocked(layer int) bool {
	return v.blockedAt(v.last, layer)
}

// blockedAt does so at one look.
func (v *view) blockedAt(s *watch.Step, layer int) bool {
	for i := layer; i < len(v.Header.Layers); i++ {
		w := v.weight(i)
		if s.Layers.Dead[i] > 0.99 || s.Layers.Saturated[i] > 0.99 || w >= 0 && v.first.Params.Norm[w] == 0 {
			return true
		}
	}
	return false
}

func outputActivation(v *view) *watch.Verdict {
	if len(v.stack) == 0 {
		return nil
	}
	i := v.stack[len(v.stack)-1]
	layer, name := v.Header.Layers[i], v.path(i)
	switch {
	case layer.Activation == "Softmax" && v.Header.Loss == "cross-entropy":
		c := max(2, layer.Units)
		floor := math.Log(math.E+float64(c)-1) - 1
		return verdict(fmt.Sprintf("the result of %s goes through two softmaxes, since the cross-entropy has one: the loss cannot fall below %.3g; give it the logits", name, floor),
			v.lossNow(), []string{name}, "leave out the softmax before nn.CrossEntropy", "or use nn.NLL of nn.LogSoftmax")
	case layer.Activation == "ReLU" && v.Header.Loss == "cross-entropy" && v.enough() && v.fell < 0.9:
		return verdict(fmt.Sprintf("a ReLU follows the last layer %s, so no logit is ever below 0 and a class whose logit is 0 gets no gradient: leave it out", name),
			fmt.Sprintf("%.0f %% of its units are dead; %s", 100*float64(v.last.Layers.Dead[i]), v.lossNow()), []string{name}, "leave out the activation after the last layer")
	case layer.Activation == "ReLU" && v.Header.Task == "numbers" && v.last.Layers.Dead[i] == 1 && v.stuckOrFailed():
		return verdict(fmt.Sprintf("the ReLU at the output of %s gives 0 for every example and lets no gradient through, while the targets are not 0: leave it out", name),
			v.lossNow(), []string{name}, "leave out the activation after the last layer", "use Softplus if the targets are positive")
	case slices.Contains([]string{"Sigmoid", "Tanh", "HardTanh"}, layer.Activation) && v.Header.Loss == "squares" && v.last.Layers.Saturated[i] > 0.5 && (v.stuck() || v.enough() && v.loss > v.base):
		return verdict(fmt.Sprintf("the %s at the output of %s is at its bounds, so the targets lie beyond what it can give: leave it out, or scale the targets", layer.Activation, name),
			fmt.Sprintf("%.0f %% of the outputs are saturated; %s", 100*float64(v.last.Layers.Saturated[i]), v.lossNow()), []string{name}, "leave out the activation after the last layer and normalize the targets", "scale the targets to the range of the activation")
	}
	return nil
}

// stuckOrFailed also counts a training that has ended with an infinity or NaN.
func (v *view) stuckOrFailed() bool { return v.Failure != nil || v.stuck() || v.enough() && v.risen() }

// risen reports whether the loss is well above where it began and above chance.
func (v *view) risen() bool {
	return v.loss > 1.5*math.Abs(float64(v.first.Loss)) && v.loss > 1.5*math.Abs(v.base) || math.IsNaN(v.loss)
}

// entrances are the layers that read data: those before which there is no other, by the order of computation.
func (v *view) entrance() int {
	if len(v.stack) == 0 || v.stack[0] != 0 {
		return -1
	}
	return 0
}

func inputOutliers(v *view) *watch.Verdict {
	i := v.entrance()
	if i < 0 || len(v.Steps) < fewest/2 || !(v.stuckOrFailed() || v.poor()) {
		return nil
	}
	if scale := v.inputScale(i); scale > 0.1 && scale < 5 && !v.soundStart() {
		return nil // the weights are too large, for usual inputs
	}
	w := v.weight(i)
	scales := v.each(func(s *watch.Step) float64 { return float64(s.Layers.Std[i]) / float64(s.Params.Norm[w]) })
	most, usual := slices.Max(scales), median(scales)
	if !(most > 8*usual) {
		return nil
	}
	name := v.path(i)
	return verdict(fmt.Sprintf("some inputs are outliers: in single batches the result of %s is %.0f times as large as usual and its updates undo the others'; clip or normalize the inputs", name, most/usual),
		fmt.Sprintf("deviation of the result beside the norm of the weights: usually %.3g, at most %.3g; %s", usual, most, v.lossNow()), []string{name},
		"clip the inputs to a few deviations, or take their logarithm", "normalize the inputs (data.Set.Moments, Normalize)", "clip the gradients (ClipNorm)")
}

func inputScale(v *view) *watch.Verdict {
	i := v.entrance()
	if i < 0 {
		return nil
	}
	// What large inputs do at once, while a training may still creep on.
	harm := v.enough() && v.fell < 0.8 && (v.first.Layers.Saturated[i] > 0.5 || !v.soundStart())
	scale := v.inputScale(i)
	if !v.stuckOrFailed() && !v.poor() && !(harm && scale > 1) {
		return nil
	}
	if !(scale > 10 || scale < 0.02) {
		return nil
	}
	name, how := v.path(i), "large"
	if scale < 1 {
		how = "small"
	}
	return verdict(fmt.Sprintf("the inputs are far too %s for layer %s (about %.2g where 1 is usual): normalize them to mean 0 and deviation 1", how, name, scale),
		fmt.Sprintf("root mean square of the inputs about %.3g, first loss %.3g; %s", scale, float64(v.first.Loss), v.lossNow()), []string{name},
		"normalize the inputs (data.Set.Moments, Normalize)", "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)", "put a batch normalization before the first layer", "scale bytes to 0..1 (data.UnitBytes)")
}

func startLoss(v *view) *watch.Verdict {
	if v.Header.Loss != "squares" || math.IsNaN(v.chance) || len(v.stack) == 0 || v.fell > 0.5 {
		return nil
	}
	i := v.stack[len(v.stack)-1]
	out := math.Hypot(float64(v.first.Layers.Mean[i]), float64(v.first.Layers.Std[i]))
	if first := float64(v.first.Loss); first < 20*v.chance || out*out > 0.1*first || v.fell > 0 {
		return nil
	}
	name := v.path(i)
	return verdict(fmt.Sprintf("the targets lie far from 0, where %s begins, and most steps go into getting there: normalize the targets", name),
		fmt.Sprintf("first loss %.3g, variance of the targets %.3g, size of the outputs %.3g", float64(v.first.Loss), v.chance, out), []string{name},
		"subtract the targets' mean and divide by their deviation", "set the last bias to the targets' mean", "raise the learning rate for the last bias")
}

// soundStart reports whether the first loss is near that of a constant prediction, as far as is known.
func (v *view) soundStart() bool {
	return math.IsNaN(v.chance) || float64(v.first.Loss) < 10*v.chance
}

func largeRate(v *view) *watch.Verdict {
	if !v.soundStart() && v.Failure != nil || len(v.stack) == 0 {
		return nil
	}
	alpha := v.typical(func(s *watch.Step) *watch.Number { return s.Alpha })
	ratio := v.largestRatio()
	peak := slices.Max(v.each(func(s *watch.Step) float64 { return float64(s.Loss) }))
	fails := v.Failure != nil || v.enough() && (v.risen() || v.fell < 0.1 && v.trend < 0.03 && (ratio > 0.3 || peak > 4*float64(v.first.Loss)) || v.fell < 0.7 && ratio > 0.3 && peak > 4*float64(v.first.Loss))
	if !fails || !v.soundStart() {
		return nil
	}
	worst := 0
	for p := range v.Header.Params {
		if v.ratio(p) > v.ratio(worst) {
			worst = p
		}
	}
	name := v.Header.Params[worst].Name
	if l := v.Header.Params[worst].Layer; l >= 0 {
		name = v.path(l)
	}
	what := "the loss has risen"
	if v.Failure != nil {
		what = "the weights have grown beyond all numbers"
	}
	return verdict(fmt.Sprintf("the learning rate %.3g is too large: %s, and layer %s changed the most; divide it by 10", float64(v.last.Rate), what, name),
		fmt.Sprintf("first loss %.3g, highest %.3g, now %.3g; largest update %.2g of the weights; typical alpha %.2g (1 is as far beyond the valley's bottom as before)", float64(v.first.Loss), peak, v.loss, ratio, alpha), []string{name},
		"divide the learning rate by 10, or take that of the range test (tarn lr)", "warm up over the first hundred steps", "clip the gradients (ClipNorm)")
}

// ratio is the largest update of a param beside its weights, over the first looks.
func (v *view) ratio(p int) (most float64) {
	for i := range v.Steps[:min(10, len(v.Steps))] {
		s := &v.Steps[i]
		if size := float64(s.Params.Norm[p]); size > 0 && len(v.Header.Params[p].Shape) >= 2 {
			most = max(most, s.Params.Ratio(p))
		}
	}
	return most
}

func (v *view) largestRatio() (most float64) {
	for p := range v.Header.Params {
		most = max(most, v.ratio(p))
	}
	return most
}

func deadReLU(v *view) *watch.Verdict {
	if !(v.stuckOrFailed() || v.poor()) {
		return nil
	}
	var dead []int
	for i, l := range v.Header.Layers {
		if l.Activation == "ReLU" && v.last.Layers.Dead[i] > 0.7 {
			dead = append(dead, i)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	slices.SortStableFunc(dead, func(a, b int) int { return int(100*v.last.Layers.Dead[b]) - int(100*v.last.Layers.Dead[a]) })
	worst := dead[0]
	name, share := v.path(worst), float64(v.last.Layers.Dead[worst])
	cause, cure := "from the start, so its biases or weights push all sums below 0", "initialize its weights with nn.KaimingNormal and its biases with 0"
	if at := v.first.Layers.Dead[worst]; at < 0.5 {
		if v.Failure == nil && v.flowAt(v.first) < 1e-2 {
			return nil // nothing larger than what is left of vanished gradients has moved them
		}
		cause, cure = "and were killed by too large updates", "divide the learning rate by 10"
	}
	return verdict(fmt.Sprintf("%.0f %% of the ReLUs of %s are dead %s: %s", 100*share, name, cause, cure),
		fmt.Sprintf("they gave 0 for every example of the last looks; at the first look %.0f %%; largest update %.2g of the weights; %s", 100*float64(v.first.Layers.Dead[worst]), v.largestRatio(), v.lossNow()), v.paths(dead),
		cure, "normalize before the activation (nn.NewBatchNorm, nn.NewLayerNorm)", "use nn.LeakyReLU or nn.GELU")
}

func saturation(v *view) *watch.Verdict {
	if !(v.stuckOrFailed() || v.poor()) {
		return nil
	}
	var layers []int
	for i := range v.Header.Layers {
		if share := median(v.each(func(s *watch.Step) float64 { return float64(s.Layers.Saturated[i]) })); share > 0.5 && (len(v.stack) == 0 || i != v.stack[len(v.stack)-1]) {
			layers = append(layers, i)
		}
	}
	if len(layers) == 0 {
		return nil
	}
	i := layers[0]
	name, share := v.path(i), float64(v.last.Layers.Saturated[i])
	cause, cure := "because its updates are too large", "divide the learning rate by 10"
	if v.first.Layers.Saturated[i] > 0.4 {
		cause, cure = fmt.Sprintf("from the start, since its sums deviate by %.2g where 1 is usual", float64(v.first.Layers.Std[i])), "initialize its weights with nn.XavierNormal"
		if s := v.inputScale(i); s > 5 {
			cure = "normalize what it reads"
		}
	}
	return verdict(fmt.Sprintf("%.0f %% of the %s of %s are saturated %s: %s", 100*share, v.Header.Layers[i].Activation, name, cause, cure),
		fmt.Sprintf("deviation of the sums %.3g; %s", float64(v.last.Layers.Std[i]), v.lossNow()), v.paths(layers),
		cure, "normalize before the activation (nn.NewBatchNorm, nn.NewLayerNorm)", "use nn.ReLU or nn.GELU")
}

// flowAt is the gradient that arrives at the first layer with weights over that at the last, at one look.
func (v *view) flowAt(s *watch.Step) float64 {
	if len(v.stack) < 3 {
		return 1
	}
	return float64(s.Layers.GradNorm[v.stack[0]] / s.Layers.GradNorm[v.stack[len(v.stack)-1]])
}

// flow is that of typical looks, and the number of layers between.
func (v *view) flow() (ratio float64, steps int) {
	if len(v.stack) < 3 {
		return 1, 0
	}
	end := v.stack[len(v.stack)-1]
	return v.arriving(v.stack[0]) / v.arriving(end), len(v.stack) - 1
}

func exploding(v *view) *watch.Verdict {
	if !(v.stuckOrFailed() || v.poor()) || len(v.stack) < 3 {
		return nil
	}
	first, end := v.stack[0], v.stack[len(v.stack)-1]
	ratio := v.flowAt(v.first)
	n := len(v.stack) - 1
	factor := math.Pow(ratio, 1/float64(n))
	if !(n >= 4 && ratio > 100 && factor > 1.3) {
		return nil
	}
	name := v.path(first)
	return verdict(fmt.Sprintf("gradients explode: from %s down to %s they grow %.2g times, %.2g a layer; initialize with %s, or normalize", v.path(end), name, ratio, factor, initializer(v.activations())),
		fmt.Sprintf("gradient that arrives at %s %.3g, at %s %.3g; %s", v.path(end), float64(v.first.Layers.GradNorm[end]), name, float64(v.first.Layers.GradNorm[first]), v.lossNow()), []string{name},
		"initialize with "+initializer(v.activations()), "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)", "make the blocks residual, their last weights small", "clip the gradients (ClipNorm)")
}

func largeInit(v *view) *watch.Verdict {
	if v.first == nil {
		if !v.Failure.Overflow {
			return nil
		}
		return firstRun(v)
	}
	if !(v.stuckOrFailed() || v.poor()) || len(v.stack) == 0 || math.IsNaN(v.chance) {
		return nil
	}
	end := v.stack[len(v.stack)-1]
	out := float64(v.first.Layers.Std[end])
	if !(float64(v.first.Loss) > 3*v.chance && out > 3*math.Sqrt(max(1, v.scaleOfTargets()))) {
		return nil
	}
	worst, gain := v.stack[0], 0.0
	for _, i := range v.stack {
		w := v.weight(i)
		if g := float64(v.first.Params.Norm[w]) / math.Sqrt(float64(v.Header.Layers[i].Units)); g > gain {
			worst, gain = i, g
		}
	}
	name := v.path(worst)
	names := []string{name}
	if first := v.path(v.stack[0]); first != name {
		names = append(names, first)
	}
	return verdict(fmt.Sprintf("the weights are initialized too large, the most in %s, which multiplies what it reads by %.2g: use nn.KaimingNormal (ReLU) or nn.XavierNormal (tanh)", name, gain),
		fmt.Sprintf("first loss %.3g, chance %.3g, deviation of the output %.3g", float64(v.first.Loss), v.chance, out), names,
		"initialize with nn.KaimingNormal (ReLU) or nn.XavierNormal (tanh)", "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)", "divide the learning rate by 10")
}

// firstRun judges a training that had an infinity in its first run.
func firstRun(v *view) *watch.Verdict {
	name := v.Failure.Near
	for _, p := range v.Header.Params {
		if p.Name == name && p.Layer >= 0 {
			name = v.path(p.Layer)
		}
	}
	return verdict(fmt.Sprintf("numbers grow beyond all bounds in the first run, near %s: the weights, or the inputs, are far too large; initialize with nn.KaimingNormal and normalize the inputs", cmp.Or(name, "the inputs")),
		v.Failure.Error, []string{name}, "initialize with nn.KaimingNormal (ReLU) or nn.XavierNormal (tanh)", "normalize the inputs (data.Set.Moments, Normalize)", "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)")
}

// scaleOfTargets is the variance of the targets of a regression, and 1 otherwise.
func (v *view) scaleOfTargets() float64 {
	if v.Header.Loss == "squares" {
		return v.chance
	}
	return 1
}

func recurrent(v *view) *watch.Verdict {
	if !(v.stuckOrFailed() || v.poor()) {
		return nil
	}
	for i, l := range v.Header.Layers {
		if v.last.Layers.GradSteps == nil || len(v.last.Layers.GradSteps[i]) < 4 {
			continue
		}
		n := len(v.last.Layers.GradSteps[i])
		ratio := median(v.each(func(s *watch.Step) float64 {
			g := s.Layers.GradSteps[i]
			return float64(g[0]) / float64(g[n-1])
		}))
		factor := math.Pow(ratio, 1/float64(n-1))
		evidence := fmt.Sprintf("gradient at step 1 over that at step %d: %.2g; %s", n, ratio, v.lossNow())
		switch {
		case ratio < 1e-3 || math.IsNaN(ratio):
			return verdict(fmt.Sprintf("gradients vanish in time: in %s they fall by a factor of %.2g a step, so that nothing is learned from steps more than %.0f back; use an LSTM or GRU", v.path(i), factor, math.Ceil(-7/math.Log(min(factor, 0.999)))),
				evidence, []string{l.Path}, "use nn.NewLSTM or nn.NewGRU", "initialize the recurrent weights with nn.Orthogonal(1)", "read the sequence backwards, or attend to all steps")
		case ratio > 1e3:
			return verdict(fmt.Sprintf("gradients explode in time: in %s they grow by a factor of %.2g a step; clip them, or use an LSTM or GRU", v.path(i), factor),
				evidence, []string{l.Path}, "clip the gradients (ClipNorm)", "initialize the recurrent weights with nn.Orthogonal(1)", "use nn.NewLSTM or nn.NewGRU")
		}
	}
	return nil
}

func vanishing(v *view) *watch.Verdict {
	if !(v.stuck() || v.poor()) {
		return nil
	}
	ratio, n := v.flow()
	if n == 0 || !(ratio < 1e-2 || math.IsNaN(ratio)) || v.blockedAt(v.first, v.stack[0]) || v.blocked(v.stack[0]) && v.flowAt(v.first) > 1e-2 {
		return nil // those have rules of their own
	}
	end := v.stack[len(v.stack)-1]
	last := v.arriving(end)
	var gone []int
	for _, i := range v.stack {
		if g := v.arriving(i); !(g > 1e-2*last) {
			gone = append(gone, i)
		}
	}
	activations := map[string]bool{}
	for _, i := range v.stack[:n] {
		activations[v.Header.Layers[i].Activation] = true
	}
	factor, cure := math.Pow(ratio, 1/float64(n)), "make the blocks residual or normalize between them"
	remedies := []string{"make the blocks residual", "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)"}
	switch {
	case activations["Sigmoid"]:
		cure = "use ReLU with He initialization instead of the sigmoids, whose slope is at most 1/4"
		remedies = slices.Insert(remedies, 0, "use nn.ReLU with nn.KaimingNormal")
	case v.shrinks() < 0.7:
		cure = "the weights are too small: initialize them with " + initializer(activations)
		remedies = slices.Insert(remedies, 0, "initialize with "+initializer(activations))
	}
	return verdict(fmt.Sprintf("gradients vanish: from %s down to %s they fall by a factor of %.2g a layer, so that %s hardly learn; %s", v.path(end), v.path(v.stack[0]), factor, list(v.paths(gone)), cure),
		fmt.Sprintf("gradient that arrives at %s %.3g, at %s %.3g; %s", v.path(end), last, v.path(v.stack[0]), v.arriving(v.stack[0]), v.lossNow()), v.paths(gone), append(remedies, "take fewer layers")...)
}

// activations are those of the layers with weights but the last.
func (v *view) activations() map[string]bool {
	all := map[string]bool{}
	for _, i := range v.stack[:max(0, len(v.stack)-1)] {
		all[v.Header.Layers[i].Activation] = true
	}
	return all
}

// initializer is the one for the activations of a network.
func initializer(activations map[string]bool) string {
	if linear := len(activations) == 1 && activations[""]; activations["Tanh"] || activations["Sigmoid"] || linear {
		return "nn.XavierNormal"
	}
	return "nn.KaimingNormal(nn.FanIn, math.Sqrt2)"
}

// shrinks is the factor a layer by which the deviation of the results falls along the depth at the start.
func (v *view) shrinks() float64 {
	if len(v.stack) < 3 {
		return 1
	}
	first, end := v.stack[0], v.stack[len(v.stack)-2]
	return math.Pow(float64(v.first.Layers.Std[end])/float64(v.first.Layers.Std[first]), 1/float64(len(v.stack)-2))
}

func smallInit(v *view) *watch.Verdict {
	if !v.stuck() || len(v.stack) < 3 || v.blockedAt(v.first, v.stack[0]) {
		return nil
	}
	factor := v.shrinks()
	first, end := v.stack[0], v.stack[len(v.stack)-2]
	if total := float64(v.first.Layers.Std[end] / v.first.Layers.Std[first]); !(factor < 0.7 && total < 0.05) {
		return nil
	}
	activations := map[string]bool{}
	for _, i := range v.stack[:len(v.stack)-1] {
		activations[v.Header.Layers[i].Activation] = true
	}
	if activations["Sigmoid"] {
		return nil // their sums get smaller deviations with any weights
	}
	return verdict(fmt.Sprintf("the weights are initialized too small: from %s to %s signals shrink by a factor of %.2g a layer; use %s", v.path(first), v.path(end), factor, initializer(activations)),
		fmt.Sprintf("deviation of the result of %s %.3g, of %s %.3g; %s", v.path(first), float64(v.first.Layers.Std[first]), v.path(end), float64(v.first.Layers.Std[end]), v.lossNow()), v.paths(v.stack[:len(v.stack)-1]),
		"initialize with "+initializer(activations), "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)", "make the blocks residual")
}

func batchNorm(v *view) *watch.Verdict {
	if v.Header.Batch > 4 || len(v.Epochs) == 0 {
		return nil
	}
	i := slices.IndexFunc(v.Header.Layers, func(l watch.Layer) bool { return l.Running })
	e := v.Epochs[len(v.Epochs)-1]
	if i < 0 || !v.poor() {
		return nil
	}
	name := v.path(i)
	return verdict(fmt.Sprintf("batches of %d are too small for the batch normalization %s: what it gives depends on the other examples of the batch; use larger batches, or group or layer normalization", v.Header.Batch, name),
		fmt.Sprintf("training loss %.3g, validation loss %.3g, chance %.3g", float64(e.TrainLoss), float64(e.ValLoss), v.chance), []string{name},
		"use batches of 16 or more", "use nn.NewGroupNorm or nn.NewLayerNorm")
}

func smallRate(v *view) *watch.Verdict {
	if !v.enough() || v.fell > 0.3 || v.Failure != nil {
		return nil
	}
	updates := make([]float64, 0, len(v.Header.Params))
	for p, param := range v.Header.Params {
		if len(param.Shape) < 2 {
			continue
		}
		updates = append(updates, median(v.each(func(s *watch.Step) float64 { return s.Params.Ratio(p) })))
	}
	ratio := 0.0
	for _, r := range updates {
		if !math.IsNaN(r) && !math.IsInf(r, 0) {
			ratio = max(ratio, r)
		}
	}
	alpha := v.typical(func(s *watch.Step) *watch.Number { return s.Alpha })
	flow, _ := v.flow()
	if !(ratio > 0 && ratio < 2e-5) || alpha > -0.5 && ratio > 1e-5 || flow < 1e-3 {
		return nil
	}
	return verdict(fmt.Sprintf("the learning rate %.2g is too small: an update changes no layer by more than %.1g of its weights, where 1e-3 is usual; multiply it by %.0g", float64(v.last.Rate), ratio, 1e-3/ratio),
		fmt.Sprintf("typical alpha %.2g (-1 is a step too short to notice); %s", alpha, v.lossNow()), nil,
		fmt.Sprintf("take the learning rate of the range test (tarn lr), or multiply it by %.0g", 1e-3/ratio), "use optim.NewAdamW, whose steps do not depend on the gradients' size")
}

func overfitting(v *view) *watch.Verdict {
	n := len(v.Epochs)
	if n < 4 {
		return nil
	}
	best := 0
	for i, e := range v.Epochs {
		if !(float64(e.ValLoss) >= float64(v.Epochs[best].ValLoss)) {
			best = i
		}
	}
	lowest, now := float64(v.Epochs[best].ValLoss), float64(v.Epochs[n-1].ValLoss)
	train, then := float64(v.Epochs[n-1].TrainLoss), float64(v.Epochs[best].TrainLoss)
	if !(n-best > 3 && now > 1.25*lowest && now-lowest > 0.1*math.Abs(v.base) && train < 0.8*then) {
		return nil
	}
	return verdict(fmt.Sprintf("the network overfits since epoch %d: it learns the training examples by heart; stop there, or use more data, dropout or weight decay", v.Epochs[best].Epoch),
		fmt.Sprintf("validation loss %.3g, lowest %.3g; training loss %.3g, then %.3g", now, lowest, train, then), nil,
		"stop early (Loop.EarlyStopping)", "augment the data or get more", "use dropout (nn.NewDropout) and weight decay (optim.NewAdamW)", "take a smaller network")
}

func smallBatch(v *view) *watch.Verdict {
	if v.Header.Batch > 8 || !v.poor() {
		return nil
	}
	noise := v.typical(func(s *watch.Step) *watch.Number { return s.NoiseScale })
	cosine := v.typical(func(s *watch.Step) *watch.Number { return s.Cosine })
	if !(noise > 20*float64(v.Header.Batch)) && !(math.Abs(cosine) < 0.05) {
		return nil
	}
	return verdict(fmt.Sprintf("batches of %d are too small: their gradients are mostly noise; use batches of %.0f", v.Header.Batch, min(1024, max(32, noise))),
		fmt.Sprintf("typical noise scale %.3g, cosine of successive gradients %.2g; %s", noise, cosine, v.lossNow()), nil,
		"use larger batches, or accumulate gradients", "divide the learning rate by 10", "average the weights (optim.EMA)")
}

func underfitting(v *view) *watch.Verdict {
	if !v.enough() || len(v.Steps) < 2*fewest || math.IsNaN(v.chance) || v.fell > 0.7 || v.trend > 0.01 || v.risen() || v.Failure != nil || v.Header.Loss != "squares" {
		return nil
	}
	w := verdict("the network comes to rest high up: it is too small or too simple for the task; add units or layers",
		fmt.Sprintf("%s; in the last third of the training it has fallen by %.1g of that", v.lossNow(), v.trend), nil,
		"add units or layers", "give it inputs that say more", "train longer with a larger rate that decays")
	w.Severity = Warning
	return w
}

// Report is the text of verdicts for a terminal.
func Report(verdicts []watch.Verdict) string {
	var b strings.Builder
	for i, v := range verdicts {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s\n  evidence: %s\n", v.Severity, v.Headline, v.Evidence)
		if len(v.Layers) > 0 {
			fmt.Fprintf(&b, "  layers: %s\n", strings.Join(v.Layers, ", "))
		}
		for i, r := range v.Remedies {
			fmt.Fprintf(&b, "  %d. %s\n", i+1, r)
		}
	}
	return b.String()
}
