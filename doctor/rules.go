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
	{"non-finite", "the run that ended the training", "if an infinity or NaN stands in an input, or comes from an op that is not defined there", "tarn.Origin", nonFinite, always},
	{"labels", "the entropy or variance of the targets; the losses of training and validation", "if all targets are alike, or what is learned does not carry over to other examples at all",
		"Zhang et al. 2017, Understanding deep learning requires rethinking generalization", labels, always},
	{"zero-init", "norms of weights and gradients", "if two layers in turn have weights and gradients of exactly 0, so that they can never move", "Goodfellow et al. 2016, Deep Learning, 8.4", zeroInit, looked},
	{"symmetric-init", "the initial weights of the units of a layer", "if they are all the same, so that the units stay alike, and little is learned", "Goodfellow et al. 2016, Deep Learning, 8.4", symmetricInit, looked},
	{"no-gradient", "norms of gradients", "if a layer's gradients are exactly 0 at every look while a layer beyond it learns, and its units are alive", "", noGradient, looked},
	{"output-activation", "the activation of the last layer and the form of the loss", "if a softmax or ReLU feeds a cross-entropy, or a bounded or rectified output cannot reach the targets",
		"Goodfellow et al. 2016, Deep Learning, 6.2.2", outputActivation, looked},
	{"input-outliers", "deviations of the first layers' results from look to look", "if single batches stand out by an order of magnitude, and the training gets nowhere", "LeCun et al. 1998, Efficient backprop, 4.3", inputOutliers, looked},
	{"input-scale", "the scale of what the first layers read, inferred from their weights and results at the first look", "if it is far from 1 and the training gets nowhere",
		"LeCun et al. 1998, Efficient backprop, 4.3", inputScale, looked},
	{"start-loss", "the first loss beside that of the best constant prediction", "if the targets are far from what a network gives at the start, and little is learned", "Karpathy 2019, A recipe for training neural networks", startLoss, looked},
	{"exploding-gradients", "the gradients that arrive at each layer", "if they grow by orders of magnitude toward the input, and the training gets nowhere", "Hochreiter et al. 2001, Gradient flow in recurrent nets; Philipp et al. 2018, The exploding gradient problem demystified", exploding, looked},
	{"large-init", "the scale of each layer's result at the start", "if it is far above 1 at the output, the first loss far above chance, and the training gets nowhere", "He et al. 2015, Delving deep into rectifiers", largeInit, always},
	{"batch-norm", "the batch size, and the losses of training and validation", "if layers with running statistics are trained in tiny batches and validation fails", "Wu and He 2018, Group normalization", batchNorm, looked},
	{"recurrent-gradients", "the gradients that arrive at each time step", "if they vanish or explode toward the early steps, and the training gets nowhere", "Bengio et al. 1994, Learning long-term dependencies with gradient descent is difficult", recurrent, looked},
	{"no-warm-up", "layers whose results go into an attention, the first updates beside the weights, the rate", "if the first updates are large at the full rate, and the training gets nowhere",
		"Xiong et al. 2020, On layer normalization in the transformer architecture", noWarmUp, looked},
	{"weight-decay", "norms of params that are decayed", "if they fall far, those of norms and biases first, and little is learned", "Loshchilov and Hutter 2019, Decoupled weight decay regularization; Jia et al. 2018", weightDecay, looked},
	{"large-rate", "the loss beside the first one, the place of the steps in their parabolas, updates beside weights", "if the loss has risen, or the steps overshoot or replace the weights, from a sound start",
		"Schneider et al. 2021, Cockpit; LeCun et al. 1993, Automatic learning rate maximization", largeRate, looked},
	{"dead-relu", "the share of units that are 0 for every example of several looks", "if most units of a layer are dead, and the training gets nowhere, or nearly all are and it gets not far", "Lu et al. 2020, Dying ReLU and initialization", deadReLU, looked},
	{"saturation", "the share of activations in the flat parts of sigmoid and tanh", "if most activations of a layer are saturated, and the training gets nowhere", "Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks", saturation, looked},
	{"vanishing-gradients", "the gradients that arrive at each layer", "if they fall by orders of magnitude toward the input, and the training gets nowhere", "Hochreiter 1991; Glorot and Bengio 2010", vanishing, looked},
	{"small-init", "the scale of each layer's result at the start", "if it falls by orders of magnitude along the depth, and the training gets nowhere", "Glorot and Bengio 2010; He et al. 2015", smallInit, looked},
	{"early-decay", "the rate over the looks, and the fall of the loss before and after", "if the rate has fallen to a hundredth early, while the loss still fell, and it has hardly fallen since", "Loshchilov and Hutter 2017, SGDR", earlyDecay, looked},
	{"small-rate", "updates beside weights, the place of the steps in their parabolas, the fall of the loss", "if the loss falls in a straight line too slowly to arrive", "Schneider et al. 2021, Cockpit", smallRate, looked},
	{"validation", "the losses of training and validation, and that on examples seen for the first time", "if what holds for examples of training that are seen for the first time does not hold for those of validation at all", "", validation, looked},
	{"overfitting", "the losses of training and validation", "if the validation loss has turned and risen well above its lowest while the training loss falls", "Prechelt 1998, Early stopping, but when?", overfitting, looked},
	{"small-batch", "the gradient noise scale", "if it is many times the batch, and little is learned", "McCandlish et al. 2018, An empirical model of large-batch training", smallBatch, looked},
	{"no-decay", "the cosine of successive gradients, the place of the steps in their parabolas, the rate", "if the loss has come to rest above 0 at a constant rate, and the steps go to and fro", "Robbins and Monro 1951; Schneider et al. 2021, Cockpit", noDecay, looked},
	{"uneven-updates", "updates beside weights, layer by layer", "if the weights of a layer hardly move while those of another do, a thousand times as much", "You et al. 2017, Large batch training of convolutional networks", unevenUpdates, looked},
	{"frozen", "the layers whose params are frozen", "if there are any, and little is learned", "", frozenLayers, rest},
	{"unrelated-labels", "the targets of nearest neighbors among the inputs", "if they agree no more than those of any two examples, and the training gets nowhere", "Cover and Hart 1967, Nearest neighbor pattern classification", unrelated, rest},
	{"underfitting", "the loss beside chance and beside what nearest neighbors allow", "if the training has come to rest high up, and nothing else explains it", "Goodfellow et al. 2016, Deep Learning, 5.2; Cover and Hart 1967", underfitting, rest},
	{"plateau", "the loss", "if it stays at that of a constant prediction for long, and nothing else explains it", "", plateau, rest},
	{"slow-rank", "the times that the ranks compute, read, and wait", "if one takes 1.3 times the median of the others, and these wait for it 15 % of a step", "", slowRank, looked},
	{"slow-exchange", "the times that the ranks compute and exchange", "if the exchange takes more than half of a step", "", slowExchange, looked},
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
	if l := v.Header.Layers; v.Header.Task == "classes" && v.Header.Loss == "cross-entropy" && len(l) > 0 && v.Header.High != nil && len(v.stack) > 0 {
		if end := v.stack[len(v.stack)-1]; float64(*v.Header.High) >= float64(l[end].Units) && len(l[end].Shape) == 2 {
			return verdict(fmt.Sprintf("there are labels up to %.0f, while %s has %d units, for the classes 0 to %d: count classes from 0, or give it more units", float64(*v.Header.High), v.path(end), l[end].Units, l[end].Units-1),
				fmt.Sprintf("labels from %.0f to %.0f", float64(*v.Header.Low), float64(*v.Header.High)), []string{v.path(end)}, "number the classes from 0", "give the last layer a unit for each class")
		}
	}
	if v.first == nil {
		return nil
	}
	if w := v.beyondUnit(); w != nil {
		return w
	}
	if m := v.Header.Most; m != nil && *m > 0.85 && v.Header.Classes > 1 && (v.stuck() || v.poor()) && len(v.Steps) >= 2*fewest && v.sane() {
		return verdict(fmt.Sprintf("%.0f %% of the labels are of one class, and the network has learned to say that class alone: weigh the classes or draw them evenly", 100*float64(*m)), v.lossNow(), nil,
			"weigh the classes (nn.CrossEntropyLoss.Weight)", "draw the classes evenly", "judge by a metric other than the accuracy")
	}
	n := len(v.Epochs)
	if v.neighbors() < 0.93 || v.fresh() > 0.2 {
		return nil // there is something to learn, or it has been
	}
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

// sane reports whether updates are of usual sizes, and gradients arrive at the first layer.
func (v *view) sane() bool {
	ratio := v.largestRatio()
	flow, _ := v.flow()
	return ratio > 1e-5 && ratio < 0.3 && flow > 1e-2 && v.soundStart() && v.Failure == nil
}

// beyondUnit judges targets beyond 0..1 of a binary cross-entropy, whose loss has no lowest value then.
func (v *view) beyondUnit() *watch.Verdict {
	h := v.Header
	if h.Loss != "likelihood" || h.Task != "numbers" || h.Low == nil || len(v.stack) == 0 || *h.Low > -0.01 && *h.High < 1.01 {
		return nil
	}
	end := v.stack[len(v.stack)-1]
	if a := h.Layers[end].Activation; a != "Sigmoid" && a != "Softplus" || !(v.lowest < 0 || v.stuckOrFailed() || v.poor()) {
		return nil
	}
	return verdict(fmt.Sprintf("the targets go from %.3g to %.3g, while a binary cross-entropy takes 0 to 1 and has no lowest value beyond: map them to 0 and 1", float64(*h.Low), float64(*h.High)),
		v.lossNow(), nil, "map the targets to 0..1", "use a loss for numbers (nn.MSE)")
}

func symmetricInit(v *view) *watch.Verdict {
	if !(v.stuckOrFailed() || v.poor() || v.enough() && v.fell < 0.9 && v.trend < 0.05) {
		return nil
	}
	var same []int
	for _, i := range v.stack {
		if v.Header.Params[v.weight(i)].Alike && v.Header.Layers[i].Units > 1 {
			same = append(same, i)
		}
	}
	if len(same) == 0 || len(same) < 2 && len(v.stack) > 2 {
		return nil
	}
	names := v.paths(same)
	return verdict(fmt.Sprintf("all units of %s begin with the same weights, get the same gradients and stay alike: draw the weights at random", list(names)), v.lossNow(), names,
		"initialize with "+initializer(v.activations()), "initialize with nn.KaimingNormal (ReLU) or nn.XavierNormal (tanh, sigmoid)")
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
	if len(still) == 0 || len(still) < 2 && !v.stuck() {
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
	if slices.ContainsFunc(v.Header.Layers[i+1:], func(l watch.Layer) bool { return l.Frozen }) {
		return nil // it is not the last one
	}
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
	most := 1.5
	if v.Header.Batch < 16 {
		most = 3 // the first loss is that of a few examples
	}
	return v.loss > most*math.Abs(float64(v.first.Loss)) && v.loss > most*math.Abs(v.base) || math.IsNaN(v.loss)
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
	if op := ""; i < 0 || !(v.stuckOrFailed() || v.poor()) {
		return nil
	} else if op = v.Header.Layers[i].Op; op != "MatMul" && op != "Conv" {
		return nil
	}
	for _, in := range v.Header.Inputs {
		if in.Usual > 0 && in.Most > 50*in.Usual && v.inputScale(i) < 10*float64(in.Most) {
			name := v.path(i)
			return verdict(fmt.Sprintf("the input %q has outliers, up to %.0f times as large as 99 %% of its numbers, whose updates of %s undo the others'; clip or normalize the inputs", in.Name, float64(in.Most/in.Usual), name),
				fmt.Sprintf("99 %% are below %.3g, the largest is %.3g; %s", float64(in.Usual), float64(in.Most), v.lossNow()), []string{name},
				"clip the inputs to a few deviations, or take their logarithm", "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)", "clip the gradients (ClipNorm)")
		}
	}
	known := v.Header.Inputs
	regular := len(known) > 0 && !slices.ContainsFunc(known, func(in watch.Input) bool { return in.Most > 20*in.Usual })
	if len(v.Steps) < fewest/2 || v.recurs(i) || regular {
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

// recurs reports whether a layer is recurrent.
func (v *view) recurs(layer int) bool {
	return v.first.Layers.GradSteps != nil && len(v.first.Layers.GradSteps[layer]) > 1
}

func inputScale(v *view) *watch.Verdict {
	i := v.entrance()
	if i < 0 {
		return nil
	}
	// What large inputs do at once, while a training may still creep on.
	harm := len(v.Steps) >= 2*fewest && v.enough() && (v.fell < 0.8 && v.first.Layers.Saturated[i] > 0.5 || v.fell < 0.5 && v.trend < 0.3 && !v.soundStart())
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
	if math.IsNaN(v.chance) || len(v.stack) == 0 || v.fell > 0.5 {
		return nil
	}
	if v.Header.Loss != "squares" {
		return v.startBias()
	}
	if end := v.path(v.stack[len(v.stack)-1]); v.chance > 400 && (v.Failure != nil || v.risen() || v.poor()) {
		return verdict(fmt.Sprintf("the targets deviate by %.3g, where 1 is usual, and gradients are as large: normalize the targets", math.Sqrt(v.chance)), v.lossNow(), []string{end},
			"scale the targets: subtract their mean and divide by their deviation", "divide the learning rate by 10", "clip the gradients (ClipNorm)")
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

// startBias judges a last layer whose biases alone prefer some classes.
func (v *view) startBias() *watch.Verdict {
	end := v.stack[len(v.stack)-1]
	units := float64(v.Header.Layers[end].Units)
	bias := 0.0
	for p, param := range v.Header.Params {
		if param.Layer == end && len(param.Shape) == 1 {
			bias = float64(v.first.Params.Norm[p]) / math.Sqrt(units)
		}
	}
	out := math.Hypot(float64(v.first.Layers.Mean[end]), float64(v.first.Layers.Std[end]))
	if !(float64(v.first.Loss) > 2*v.chance && bias > 2 && bias > 0.7*out && (v.stuckOrFailed() || v.poor() || v.enough() && v.fell < 0.3)) {
		return nil
	}
	name := v.path(end)
	return verdict(fmt.Sprintf("the biases of %s prefer some classes from the start, and most steps go into undoing that: begin with biases of 0", name),
		fmt.Sprintf("first loss %.3g, chance %.3g, size of the biases %.3g", float64(v.first.Loss), v.chance, bias), []string{name},
		"initialize the biases with 0", "multiply the learning rate by 10")
}

func noWarmUp(v *view) *watch.Verdict {
	var layers []int
	for i, l := range v.Header.Layers {
		if l.Attends {
			layers = append(layers, i)
		}
	}
	if len(layers) == 0 || !v.soundStart() || float64(v.first.Rate) < 0.5*v.highestRate() || !(v.stuckOrFailed() || v.poor()) {
		return nil
	}
	ratio := v.largestRatio()
	if !(ratio > 0.03) {
		return nil
	}
	name := v.paths(layers)
	return verdict(fmt.Sprintf("the first updates are too large for the attention of %s: the rate begins at its full %.3g; warm up over the first tenth of the training", list(name), float64(v.first.Rate)),
		fmt.Sprintf("largest update %.2g of the weights in the first looks; %s", ratio, v.lossNow()), name,
		"warm up over the first tenth of the training, to a tenth of the learning rate", "divide the learning rate by 10, or take that of the range test (tarn lr)", "normalize before the attention and not after it")
}

func weightDecay(v *view) *watch.Verdict {
	if len(v.Steps) < 2*fewest || !v.enough() || v.Failure != nil || v.fell > 0.7 {
		return nil
	}
	var vectors, matrices []string
	for p, param := range v.Header.Params {
		fell := float64(v.last.Params.Norm[p]) < 0.5*float64(v.first.Params.Norm[p]) && v.trend < 0.05
		if !(param.Decay > 0) || !fell && !(float64(param.Decay*v.last.Rate) > 0.02) {
			continue // it keeps the norm, and more than the last 50 updates
		}
		name := param.Name
		if param.Layer >= 0 {
			name = v.path(param.Layer)
		}
		if len(param.Shape) < 2 {
			vectors = append(vectors, name)
		} else {
			matrices = append(matrices, name)
		}
	}
	if len(matrices) == 0 && len(vectors) == 0 {
		return nil
	}
	if 2*len(matrices) < len(v.stack) && len(vectors) > 0 {
		return verdict(fmt.Sprintf("weight decay draws the scales and biases of %s to 0, which are no weights to be kept small: leave them out of it", list(vectors)), v.lossNow(), vectors,
			"leave norms and biases out of the weight decay (optimizer.Group(optim.Vectors).Decay = 0)", "divide the weight decay by 100")
	}
	return verdict(fmt.Sprintf("the weight decay is too strong: it draws the weights of %s to 0, so that little is learned; divide it by 100", list(append(matrices, vectors...))), v.lossNow(), append(matrices, vectors...),
		"divide the weight decay by 100", "leave norms and biases out of the weight decay (optimizer.Group(optim.Vectors).Decay = 0)")
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
	fails := v.Failure != nil || v.enough() && v.risen() || v.enough() && (v.late() || ratio > 3) && (v.fell < 0.1 && v.trend < 0.03 && (ratio > 0.3 || peak > 4*float64(v.first.Loss)) || v.fell < 0.7 && v.trend < 0.05 && ratio > 0.3 && peak > 4*float64(v.first.Loss))
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
	severity, most := Fault, watch.Number(0.7)
	switch {
	case v.stuckOrFailed() || v.poor():
	case v.enough() && v.late() && v.fell < 0.7:
		severity, most = Warning, 0.9 // the few that are left learn
	default:
		return nil
	}
	var dead []int
	for i, l := range v.Header.Layers {
		if (l.Activation == "ReLU" || l.Activation == "ReLU6") && v.last.Layers.Dead[i] > most {
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
	w := verdict(fmt.Sprintf("%.0f %% of the ReLUs of %s are dead %s: %s", math.Floor(100*share), name, cause, cure),
		fmt.Sprintf("they gave 0 for every example of the last looks; at the first look %.0f %%; largest update %.2g of the weights; %s", 100*float64(v.first.Layers.Dead[worst]), v.largestRatio(), v.lossNow()), v.paths(dead),
		cure, "normalize before the activation (nn.NewBatchNorm, nn.NewLayerNorm)", "use nn.LeakyReLU or nn.GELU")
	w.Severity = severity
	return w
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
	if v.first.Layers.Saturated[i] < 0.4 && v.largestRatio() < 0.1 {
		return nil // it has learned to be sure
	}
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
		"initialize with "+initializer(v.activations()), "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)", "divide the initial weights by 10 if the blocks are residual", "clip the gradients (ClipNorm)")
}

func largeInit(v *view) *watch.Verdict {
	if v.first == nil {
		if v.Failure == nil || !v.Failure.Overflow {
			return nil
		}
		return firstRun(v)
	}
	if !(v.stuckOrFailed() || v.poor()) || v.Failure == nil && !v.late() || len(v.stack) == 0 || math.IsNaN(v.chance) {
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
	for _, i := range v.stack {
		g := float64(v.first.Params.Norm[v.weight(i)]) / math.Sqrt(float64(v.Header.Layers[i].Units))
		if i != worst && (g > gain/2 || i == v.stack[0]) {
			names = append(names, v.path(i))
		}
	}
	remedies := []string{"initialize with nn.KaimingNormal (ReLU) or nn.XavierNormal (tanh)", "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)", "divide the learning rate by 10"}
	if v.activations()["Sigmoid"] {
		remedies[0], remedies[1] = remedies[1], remedies[0] // whose slopes are small with any weights
	}
	return verdict(fmt.Sprintf("the weights are initialized too large, the most in %s, which multiplies what it reads by %.2g: use nn.KaimingNormal (ReLU) or nn.XavierNormal (tanh)", name, gain),
		fmt.Sprintf("first loss %.3g, chance %.3g, deviation of the output %.3g", float64(v.first.Loss), v.chance, out), names, remedies...)
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
		early := v.first.Layers.GradSteps[i]
		start := float64(early[0]) / float64(early[n-1])
		if start > 1e3 {
			ratio = start
		}
		factor := math.Pow(ratio, 1/float64(n-1))
		evidence := fmt.Sprintf("gradient at step 1 over that at step %d: %.2g; %s", n, ratio, v.lossNow())
		switch {
		case ratio < 1e-3 || math.IsNaN(ratio) && !(start > 1e3):
			return verdict(fmt.Sprintf("gradients vanish in time: in %s they fall by a factor of %.2g a step, so that nothing is learned from steps more than %.0f back; use an LSTM or GRU", v.path(i), factor, math.Ceil(-7/math.Log(min(factor, 0.999)))),
				evidence, []string{l.Path}, "initialize the recurrent weights with nn.Orthogonal(1)", "use nn.NewLSTM or nn.NewGRU", "use optim.NewAdam", "read the sequence backwards, or attend to all steps")
		case start > 1e3:
			return verdict(fmt.Sprintf("gradients explode in time: in %s they grow by a factor of %.2g a step; clip them, or use an LSTM or GRU", v.path(i), factor),
				evidence, []string{l.Path}, "initialize the recurrent weights with nn.Orthogonal(1)", "use nn.NewLSTM or nn.NewGRU", "clip the gradients (ClipNorm)")
		}
	}
	return nil
}

func vanishing(v *view) *watch.Verdict {
	if !(v.stuck() || v.poor()) {
		return nil
	}
	ratio, n := v.flow()
	if ratio > 1e-4 && !v.late() {
		return nil
	}
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
	if total := float64(v.first.Layers.Std[end] / v.first.Layers.Std[first]); !(factor < 0.7 && total < 0.05) || total > 1e-3 && !v.late() {
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
	if len(v.Epochs) == 0 {
		return nil
	}
	i := slices.IndexFunc(v.Header.Layers, func(l watch.Layer) bool { return l.Running })
	e := v.Epochs[len(v.Epochs)-1]
	if i >= 0 && v.Header.Batch > 4 && v.foreign() {
		return verdict(fmt.Sprintf("the running statistics of %s are not those of the batches it learns from, so that it is another network in evaluation: look at its momentum and at how the validation set is made", v.path(i)),
			fmt.Sprintf("training loss %.3g, validation loss %.3g, chance %.3g", float64(e.TrainLoss), float64(e.ValLoss), v.chance), []string{v.path(i)},
			"raise the momentum of the running statistics (nn.BatchNorm.Momentum)", "use nn.NewGroupNorm or nn.NewLayerNorm", "prepare the validation set as the training set")
	}
	if i < 0 || v.Header.Batch > 4 || len(v.Epochs) < 2 || !v.late() || !(v.poor() || v.foreign()) || float64(e.ValLoss) < 0.7*v.chance || v.Header.Batch > 2 && (v.trend > 0.02 || v.fell > 0.1) {
		return nil
	}
	name := v.path(i)
	return verdict(fmt.Sprintf("batches of %d are too small for the batch normalization %s: what it gives depends on the other examples of the batch; use larger batches, or group or layer normalization", v.Header.Batch, name),
		fmt.Sprintf("training loss %.3g, validation loss %.3g, chance %.3g", float64(e.TrainLoss), float64(e.ValLoss), v.chance), []string{name},
		"use batches of 16 or more", "use nn.NewGroupNorm or nn.NewLayerNorm")
}

// foreign reports whether the training learns what holds for examples that it sees for the first time, and those of validation are no better
// than chance at any time.
func (v *view) foreign() bool {
	n := len(v.Epochs)
	if n < 3 || !v.late() || math.IsNaN(v.chance) || v.Failure != nil {
		return false
	}
	lowest := math.Inf(1)
	for _, e := range v.Epochs {
		lowest = min(lowest, float64(e.ValLoss)) // NaN stays NaN
	}
	return lowest > 0.9*v.chance && v.fell > 0.5 && v.fresh() > 0.15
}

func validation(v *view) *watch.Verdict {
	if !v.foreign() || slices.ContainsFunc(v.Header.Layers, func(l watch.Layer) bool { return l.Running }) {
		return nil
	}
	e := v.Epochs[len(v.Epochs)-1]
	return verdict("what holds for the training examples does not hold for those of validation at all: these come from elsewhere, or are prepared in another way; treat both alike",
		fmt.Sprintf("training loss %.3g, validation loss %.3g, chance %.3g; in its first epoch the training loss fell by %.2g of chance", float64(e.TrainLoss), float64(e.ValLoss), v.chance, v.fresh()), nil,
		"prepare the validation set as the training set", "look at ten examples of each, with their labels", "shuffle before splitting, so that every part has all classes")
}

func smallRate(v *view) *watch.Verdict {
	if !v.enough() || v.fell > 0.3 || v.Failure != nil || float64(v.last.Rate) < 0.1*v.highestRate() {
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
	lowest, now := float64(v.Epochs[best].ValLoss), math.Inf(1)
	for _, e := range v.Epochs[n-3:] {
		now = min(now, float64(e.ValLoss)) // one alone may be high by chance
	}
	train, then := float64(v.Epochs[n-1].TrainLoss), float64(v.Epochs[best].TrainLoss)
	if v.fell > 0.8 && lowest > 0.9*v.base && now > 5*train && !v.foreign() {
		return verdict("the network learns the training examples by heart, and next to nothing of it holds for those of validation; use more data, dropout or weight decay",
			fmt.Sprintf("validation loss %.3g, lowest %.3g; training loss %.3g", now, lowest, train), nil,
			"use dropout (nn.NewDropout) and weight decay (optim.NewAdamW)", "augment the data or get more", "stop early (Loop.EarlyStopping)", "take a smaller network")
	}
	if !(n-best > 3 && now > 1.25*lowest && now-lowest > 0.1*math.Abs(v.base) && train < 0.8*then) {
		return nil
	}
	return verdict(fmt.Sprintf("the network overfits since epoch %d: it learns the training examples by heart; stop there, or use more data, dropout or weight decay", v.Epochs[best].Epoch),
		fmt.Sprintf("validation loss %.3g, lowest %.3g; training loss %.3g, then %.3g", now, lowest, train, then), nil,
		"stop early (Loop.EarlyStopping)", "augment the data or get more", "use dropout (nn.NewDropout) and weight decay (optim.NewAdamW)", "take a smaller network")
}

func smallBatch(v *view) *watch.Verdict {
	if v.Header.Batch > 8 || !v.poor() || v.fell > 0.3 || v.trend > 0.01 || v.atFloor() || len(v.Epochs) == 0 || !v.late() {
		return nil
	}
	noise := v.typical(func(s *watch.Step) *watch.Number { return s.NoiseScale })
	cosine := v.typical(func(s *watch.Step) *watch.Number { return s.Cosine })
	if !(noise > 10*float64(v.Header.Batch)) || !(math.Abs(cosine) < 0.05) {
		return nil
	}
	return verdict(fmt.Sprintf("batches of %d are too small: their gradients are mostly noise; use batches of %.0f", v.Header.Batch, min(1024, max(32, noise))),
		fmt.Sprintf("typical noise scale %.3g, cosine of successive gradients %.2g; %s", noise, cosine, v.lossNow()), nil,
		"use larger batches, or accumulate gradients", "divide the learning rate by 10", "average the weights (optim.EMA)")
}

func underfitting(v *view) *watch.Verdict {
	if !v.enough() || !v.past(0.6) || len(v.Epochs) < 3 || math.IsNaN(v.chance) || v.fell > 0.7 || v.trend > 0.03 || v.risen() || v.Failure != nil {
		return nil
	}
	left := 1 - v.fell
	size := 0
	for _, p := range v.Header.Params {
		size += p.Size()
	}
	switch {
	case size > v.Header.Examples/2:
		return nil // it could learn all examples by heart
	case median(v.each(func(s *watch.Step) float64 { return float64(s.GradNorm) })[2*len(v.Steps)/3:]) < 0.1*float64(v.first.GradNorm):
		return nil // no batch asks for anything else, as at the least loss of smoothed labels
	case v.neighbors() < 0.3 && left < v.neighbors()+0.15, v.Header.Loss != "squares" && !(left > v.neighbors()+0.15):
		return nil // no more can be expected
	}
	w := verdict("the network comes to rest high up: it is too small or too simple for the task; add units or layers",
		fmt.Sprintf("%s; in the last third of the training it has fallen by %.1g of that", v.lossNow(), v.trend), nil,
		"add units or layers", "give it inputs that say more", "train longer with a larger rate that decays")
	w.Severity = Warning
	return w
}

func frozenLayers(v *view) *watch.Verdict {
	if !(v.stuckOrFailed() || v.poor()) || v.unrelated() || len(v.Steps) < 2*fewest || len(v.Epochs) < 3 {
		return nil
	}
	var layers []int
	for i, l := range v.Header.Layers {
		if l.Frozen {
			layers = append(layers, i)
		}
	}
	if len(layers) == 0 {
		return nil
	}
	return verdict(fmt.Sprintf("%s is frozen and the rest of the network gets nowhere without it: train it too, or load weights that are worth keeping", list(v.paths(layers))), v.lossNow(), v.paths(layers),
		"train the frozen layers too (Param.Frozen = false)", "load trained weights before freezing")
}

func unrelated(v *view) *watch.Verdict {
	if !v.unrelated() || !v.enough() || v.fell > 0.15 || v.trend > 0.05 || len(v.Steps) < 2*fewest {
		return nil
	}
	return verdict("the labels seem to have nothing to do with the inputs: examples that are alike have targets no more alike than any; check that inputs and labels are in the same order",
		fmt.Sprintf("loss that nearest neighbors allow %.3g; %s", float64(*v.Header.Neighbors), v.lossNow()), nil,
		"check that inputs and labels belong together after shuffling and splitting", "look at ten examples with their labels", "train on more examples")
}

func plateau(v *view) *watch.Verdict {
	if !v.stuck() || len(v.Steps) < 4*fewest || len(v.Epochs) < 10 || !v.late() || v.trend > 0.01 || v.Failure != nil {
		return nil
	}
	return verdict("the loss stays on a plateau at what a constant prediction has, and none of the usual causes shows: try another rate, optimizer or normalization on it (tarn doctor --try)",
		v.lossNow(), nil, "use optim.NewAdam", "normalize between the layers (nn.NewBatchNorm, nn.NewLayerNorm)", "take the learning rate of the range test (tarn lr)")
}

func earlyDecay(v *view) *watch.Verdict {
	n := len(v.Steps)
	if n < 2*fewest || v.Failure != nil || v.fell > 0.9 {
		return nil
	}
	rates := v.each(func(s *watch.Step) float64 { return float64(s.Rate) })
	highest := slices.Max(rates)
	at := slices.IndexFunc(rates, func(r float64) bool { return r < 0.01*highest })
	if at < 3 || n-at < n/3 || slices.Max(rates[at:]) > 0.01*highest { // a warm-up, a cycle, or the end of a schedule
		return nil
	}
	losses := v.each(func(s *watch.Step) float64 { return float64(s.Loss) })
	before := (median(losses[:max(1, at/3)]) - median(losses[at-max(1, at/3):at])) / math.Abs(v.base)
	after := (median(losses[at:at+max(1, (n-at)/3)]) - median(losses[n-max(1, (n-at)/3):])) / math.Abs(v.base)
	if !(before > 0.03 && after < before/5) {
		return nil
	}
	w := verdict(fmt.Sprintf("the learning rate falls too early: from %.2g to %.2g by run %d of %d, while the loss still fell, and it stands still since; let the rate fall over the whole training", highest, rates[n-1], v.Steps[at].Run, v.run),
		fmt.Sprintf("until then the loss has fallen by %.2g of chance, and by %.2g since; %s", before, max(0, after), v.lossNow()), nil,
		"let the rate fall over the whole training (optim.Cosine with all its steps)", "multiply the learning rate by 10")
	w.Severity = Warning
	return w
}

func unevenUpdates(v *view) *watch.Verdict {
	if !v.enough() || v.Failure != nil || len(v.stack) < 2 {
		return nil
	}
	slow, fast, least, most := -1, -1, math.Inf(1), 0.0
	for _, i := range v.stack {
		w := v.weight(i)
		if v.first.Params.Norm[w] == 0 || v.last.Params.GradNorm[w] == 0 || v.Header.Layers[i].Op == "Take" {
			continue // a table changes in few rows at a time
		}
		r := median(v.each(func(s *watch.Step) float64 { return s.Params.Ratio(w) }))
		if r < least {
			slow, least = i, r
		}
		if r > most {
			fast, most = i, r
		}
	}
	if !(least > 0 && least < 1e-6 && most > 3e-4 && most > 1000*least) {
		return nil
	}
	w := verdict(fmt.Sprintf("%s is hardly trained: an update changes its weights by %.1g, and those of %s by %.1g; 1e-3 is usual for all", v.path(slow), least, v.path(fast), most),
		fmt.Sprintf("norm of the weights of %s %.3g, of %s %.3g; %s", v.path(slow), float64(v.last.Params.Norm[v.weight(slow)]), v.path(fast), float64(v.last.Params.Norm[v.weight(fast)]), v.lossNow()), []string{v.path(slow)},
		"initialize with "+initializer(v.activations()), "look at the rates of its group (Chain.Group)", "use optim.NewAdam, whose steps do not depend on the gradients' size")
	w.Severity = Warning
	return w
}

func noDecay(v *view) *watch.Verdict {
	n := len(v.Steps)
	if n < 3*fewest || len(v.Epochs) < 6 || v.Failure != nil || v.fell < 0.1 || v.fell > 0.9 || math.Abs(v.trend) > 0.02 || v.last.Rate != v.first.Rate {
		return nil
	}
	ratio := 0.0
	for _, i := range v.stack {
		w := v.weight(i)
		var late []float64
		for _, s := range v.Steps[2*n/3:] {
			late = append(late, s.Params.Ratio(w))
		}
		ratio = max(ratio, median(late))
	}
	if !(ratio > 0.1) {
		return nil
	}
	w := verdict(fmt.Sprintf("the loss has come to rest at a constant rate of %.2g while each update still changes up to %.2g of a layer's weights: they wander around the minimum; let the rate fall", float64(v.last.Rate), ratio),
		fmt.Sprintf("%s; in the last third of the training it has fallen by %.1g of that", v.lossNow(), v.trend), nil,
		"let the rate fall over the whole training (optim.Cosine with all its steps)", "divide the learning rate by 10", "use larger batches, or accumulate gradients")
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
