package watch

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds what is measured, as values of the graph of a training step.

// Options says what is measured, and how often. The zero value is useful.
type Options struct {
	Every  int // updates from one look to the next; 0 means 20
	Window int // looks for all of which a unit has to be 0 to count as dead; 0 means 5
	// Histograms records the distributions of weights, gradients and activations as well. That copies all of them at each
	// look.
	Histograms bool
	// Values are further scalars to record, by name: the function is called with the graph and the outputs of each watched
	// program.
	Values func(outputs tarn.Outputs) map[string]*tarn.Value
}

// Check returns an error if a setting makes no sense.
func (o Options) Check() error {
	if o.Every < 0 || o.Window < 0 {
		return fmt.Errorf("watch: Every is %d and Window %d; they should not be negative", o.Every, o.Window)
	}
	return nil
}

// Mode is what a program does beside the step.
type Mode uint8

// The modes.
const (
	Plain    Mode = iota // nothing
	Remember             // it keeps the gradient and the update for the look that follows
	Look                 // it measures
)

// Watcher looks at the steps of one training.
type Watcher struct {
	options Options
	// What Remember keeps of each param, by name.
	gradients, updates map[string]*tarn.Param
	remembered         int64            // the update that they are of, or -1
	active             map[string][]int // of a layer, the number of the last look at which each unit was active
	looks              int
}

// New returns a Watcher.
func New(o Options) *Watcher {
	if o.Every == 0 {
		o.Every = 20
	}
	if o.Window == 0 {
		o.Window = 5
	}
	return &Watcher{options: o, gradients: map[string]*tarn.Param{}, updates: map[string]*tarn.Param{}, remembered: -1, active: map[string][]int{}}
}

// Every is the number of updates from one look to the next.
func (w *Watcher) Every() int { return w.options.Every }

// Mode returns what the program of an update, counted from 0, should do.
func (w *Watcher) Mode(update int64) Mode {
	every := int64(w.options.Every)
	switch {
	case update%every == 0:
		return Look
	case (update+1)%every == 0:
		return Remember
	}
	return Plain
}

// Instruments is what one program measures.
type Instruments struct {
	Header  Header // its Params and Layers
	Outputs tarn.Outputs
	Updates []tarn.Update

	mode   Mode
	values []string
	names  []string // of the params whose histograms are taken
	block  int      // of an update over shards: the elements of a block
}

// Look returns the update that makes a program measure, and changes no other bits.
func (in *Instruments) Look() tarn.Update { return tarn.Look(in.Outputs, in.Updates...) }

// The names of the outputs.
const (
	prefix         = "watch."
	outNorm        = prefix + "norm"
	outGradNorm    = prefix + "grad_norm"
	outUpdateNorm  = prefix + "update_norm"
	outZeros       = prefix + "zeros"
	outGradZeros   = prefix + "grad_zeros"
	outNonFinite   = prefix + "non_finite"
	outMean        = prefix + "mean"
	outStd         = prefix + "std"
	outLayerGrad   = prefix + "layer_grad"
	outSaturated   = prefix + "saturated"
	outSums        = prefix + "sums" // see Sums
	outPair        = prefix + "pair" // g·g', s, s', |g'|²
	outActive      = prefix + "active."
	outSteps       = prefix + "steps."
	outValue       = prefix + "value."
	outWeight      = prefix + "histogram.weight."
	outGradient    = prefix + "histogram.gradient."
	outActivations = prefix + "histogram.activation."
)

// Instrument adds what a mode needs to the graph of a step. Updates are those of the optimizer.
func (w *Watcher) Instrument(mode Mode, outputs tarn.Outputs, loss *tarn.Value, params *tarn.ParamSet, updates []tarn.Update) (*Instruments, error) {
	in := &Instruments{mode: mode, Outputs: tarn.Outputs{}}
	if mode == Plain {
		return in, nil
	}
	g := loss.Graph()
	watched := watchedParams(g, params, updates)
	layers := params.Layers(loss)
	in.Header = describe(loss, params, layers)
	d := layerGradients(loss, watched, layers)
	for i := range watched {
		watched[i].grad = d[i]
	}
	if mode == Remember {
		w.remember(in, watched)
		return in, g.Err()
	}
	w.addParams(in, watched)
	w.addPair(in, watched)
	w.addLayers(in, layers, d[len(watched):])
	if err := w.addValues(in, outputs, g); err != nil {
		return nil, err
	}
	return in, g.Err()
}

// watchedParams returns the trainable params in a graph, with what updates do to them.
func watchedParams(g *tarn.Graph, params *tarn.ParamSet, updates []tarn.Update) (watched []watchedParam) {
	next := map[*tarn.Param]*tarn.Value{}
	for _, u := range updates {
		next[u.Param()] = u.Value()
	}
	for name, p := range params.Trainable().All() {
		now := p.Value(g)
		after := next[p]
		if after == nil {
			after = now
		}
		watched = append(watched, watchedParam{name: name, param: p, now: now, step: after.Sub(now)})
	}
	return watched
}

// layerGradients returns the gradients with respect to params, and then to the result of each layer and, if it is recurrent, its steps: one call for
// everything, so that one backward pass serves all.
func layerGradients(loss *tarn.Value, watched []watchedParam, layers []tarn.Layer) []*tarn.Value {
	wrt := make([]*tarn.Value, 0, len(watched)+2*len(layers))
	for _, p := range watched {
		wrt = append(wrt, p.now)
	}
	for _, l := range layers {
		wrt = append(wrt, l.Output)
		if l.Steps != nil {
			wrt = append(wrt, l.Steps)
		}
	}
	return tarn.Grad(loss, wrt...)
}

// remember keeps gradients and updates for the look that follows.
func (w *Watcher) remember(in *Instruments, watched []watchedParam) {
	for _, p := range watched {
		in.Updates = append(in.Updates, tarn.Assign(w.state(w.gradients, p), p.grad), tarn.Assign(w.state(w.updates, p), p.step))
	}
}

// addValues adds the values of the user.
func (w *Watcher) addValues(in *Instruments, outputs tarn.Outputs, g *tarn.Graph) error {
	if w.options.Values == nil {
		return nil
	}
	for name, v := range w.options.Values(outputs) {
		if v == nil || v.Graph() != g || v.Rank() != 0 {
			return fmt.Errorf("watch: the value %q is nil, no scalar, or of another graph than the loss", name)
		}
		in.values = append(in.values, name)
		in.Outputs[outValue+name] = v.Cast(tarn.F64)
	}
	slices.Sort(in.values)
	return nil
}

// Describe returns a header with the params and layers that are watched.
func Describe(loss *tarn.Value, params *tarn.ParamSet) Header {
	return describe(loss, params, params.Layers(loss))
}

func describe(loss *tarn.Value, params *tarn.ParamSet, layers []tarn.Layer) Header {
	h := Header{Version: Version, Loss: tarn.LossForm(loss), Params: []Param{}, Layers: []Layer{}}
	for name, p := range params.Trainable().All() {
		layer := slices.IndexFunc(layers, func(l tarn.Layer) bool { return slices.Contains(l.Params, name) })
		h.Params = append(h.Params, Param{Name: name, Shape: p.Shape(), Layer: layer, Alike: alike(p)})
	}
	for _, l := range layers {
		trained := func(name string) bool { return params.Lookup(name).Trainable() }
		h.Layers = append(h.Layers, Layer{Path: l.Path, Op: l.Op, Activation: l.Activation, Shape: l.Output.Shape(), Units: max(1, l.Output.Dim(-1)),
			Running: slices.ContainsFunc(l.Params, func(name string) bool { return params.Lookup(name).IsState() }),
			Frozen:  !slices.ContainsFunc(l.Params, trained) && slices.ContainsFunc(l.Params, func(name string) bool { return params.Lookup(name).Frozen }),
			Attends: l.Attends})
	}
	return h
}

// alike reports whether the rows of a param are all the same, and not 0.
func alike(p *tarn.Param) bool {
	shape, t := p.Shape(), p.Tensor()
	if len(shape) < 2 || shape[0] < 2 || t.Size() == 0 || t.Float(0) == 0 {
		return false
	}
	row := t.Size() / shape[0]
	for i := row; i < t.Size(); i++ {
		if t.Float(i) != t.Float(i-row) {
			return false
		}
	}
	return true
}

// watchedParam is a trainable param in a graph.
type watchedParam struct {
	name            string
	param           *tarn.Param
	now, grad, step *tarn.Value
}

// state is the place where Remember keeps something of a param.
func (w *Watcher) state(states map[string]*tarn.Param, p watchedParam) *tarn.Param {
	s := states[p.name]
	if s == nil {
		s = tarn.NewState(p.param.DType(), nil, p.param.Shape()...)
		states[p.name] = s
	}
	return s
}

// norm is the root of the sum of the squares of all elements, an F64 scalar.
func norm(v *tarn.Value) *tarn.Value { return v.Square().Sum().Cast(tarn.F64).Sqrt() }

// dot is the sum of the products of two values' elements, an F64 scalar.
func dot(a, b *tarn.Value) *tarn.Value { return a.Mul(b).Sum().Cast(tarn.F64) }

// share is the part of a condition that is true, an F64 scalar.
func share(v *tarn.Value) *tarn.Value {
	return v.Cast(tarn.F32).Sum().Cast(tarn.F64).Scale(1 / float64(max(1, v.Size())))
}

// column puts scalars into one output.
func (in *Instruments) column(name string, scalars []*tarn.Value) {
	if len(scalars) > 0 {
		in.Outputs[name] = tarn.Stack(0, scalars...)
	}
}

func (w *Watcher) addParams(in *Instruments, watched []watchedParam) {
	var norms, grads, steps, zeros, gradZeros, nonFinite []*tarn.Value
	for _, p := range watched {
		norms, grads, steps = append(norms, norm(p.now)), append(grads, norm(p.grad)), append(steps, norm(p.step))
		zeros, gradZeros = append(zeros, share(p.now.Eq(tarn.Num(0)))), append(gradZeros, share(p.grad.Eq(tarn.Num(0))))
		nonFinite = append(nonFinite, p.grad.IsFinite().Not().Cast(tarn.F32).Sum().Cast(tarn.F64))
		if w.options.Histograms {
			in.names = append(in.names, p.name)
			in.Outputs[outWeight+p.name], in.Outputs[outGradient+p.name] = p.now, p.grad
		}
	}
	in.column(outNorm, norms)
	in.column(outGradNorm, grads)
	in.column(outUpdateNorm, steps)
	in.column(outZeros, zeros)
	in.column(outGradZeros, gradZeros)
	in.column(outNonFinite, nonFinite)
}

// addPair compares with what the step before has left.
func (w *Watcher) addPair(in *Instruments, watched []watchedParam) {
	var sums [4]*tarn.Value
	for _, p := range watched {
		g := p.now.Graph()
		before, step := w.state(w.gradients, p).Value(g), w.state(w.updates, p).Value(g)
		for i, x := range []*tarn.Value{dot(p.grad, before), dot(before, step), dot(p.grad, step), dot(before, before)} {
			if sums[i] == nil {
				sums[i] = x
			} else {
				sums[i] = sums[i].Add(x)
			}
		}
	}
	if sums[0] != nil {
		in.column(outPair, sums[:])
	}
}

// addLayers measures the layers; d are the gradients with respect to their results and, after that of a recurrent layer, its
// steps.
func (w *Watcher) addLayers(in *Instruments, layers []tarn.Layer, d []*tarn.Value) {
	var means, stds, grads, saturated []*tarn.Value
	for _, l := range layers {
		arriving := d[0]
		d = d[1:]
		y := l.Output
		means = append(means, y.Mean().Cast(tarn.F64))
		stds = append(stds, y.Std(0).Cast(tarn.F64))
		grads = append(grads, norm(arriving))
		saturated = append(saturated, flat(l).Cast(tarn.F64))
		if rest := allButLast(l.Activated); hasFlatZero(l.Activation) && len(rest) > 0 {
			in.Outputs[outActive+l.Path] = l.Activated.Ne(tarn.Num(0)).Any(rest...)
		}
		if l.Steps != nil {
			byStep := d[0]
			d = d[1:]
			axes := make([]int, byStep.Rank()-1)
			for i := range axes {
				axes[i] = i + 1
			}
			in.Outputs[outSteps+l.Path] = byStep.Square().Sum(axes...).Cast(tarn.F64).Sqrt()
		}
		if w.options.Histograms {
			in.Outputs[outActivations+l.Path] = y
		}
	}
	in.column(outMean, means)
	in.column(outStd, stds)
	in.column(outLayerGrad, grads)
	in.column(outSaturated, saturated)
}

// hasFlatZero reports whether an activation is 0 over a range, with a derivative of 0, so that a unit can die there.
func hasFlatZero(activation string) bool { return activation == "ReLU" || activation == "ReLU6" }

// flat is the share of activations that lie in a flat part of a bounded activation, an F64 scalar.
func flat(l tarn.Layer) *tarn.Value {
	outside := func(lo, hi float64) *tarn.Value {
		return share(l.Activated.Le(tarn.Num(lo)).Or(l.Activated.Ge(tarn.Num(hi))))
	}
	switch l.Activation {
	case "Sigmoid":
		return outside(0.05, 0.95)
	case "Tanh":
		return outside(-0.95, 0.95)
	case "HardTanh":
		x := l.Output
		if y := l.Activated; x.Size() == y.Size() {
			return share(x.Reshape(y.Shape()...).Ne(y))
		}
	}
	return l.Output.Graph().Num(tarn.F64, 0)
}

// allButLast are the axes of v other than the last one.
func allButLast(v *tarn.Value) []int {
	if v == nil {
		return nil
	}
	axes := make([]int, max(0, v.Rank()-1))
	for i := range axes {
		axes[i] = i
	}
	return axes
}

// Remembered notes that the program of an update has run in mode Remember.
func (w *Watcher) Remembered(update int64) { w.remembered = update }

// Forget makes the next look compare with nothing, as after weights have been changed by other means.
func (w *Watcher) Forget() { w.remembered = -1 }

// Record returns what a program in mode Look has measured at an update, counted from 0, with batches of the given size. The
// caller adds Run, Epoch, Seconds, Loss, Rate and ClippedNorm.
func (w *Watcher) Record(in *Instruments, out tarn.Results, update int64, batch int) (Step, []Histogram) {
	column := func(name string) []Number {
		t := out[name]
		if t == nil {
			return []Number{}
		}
		numbers := make([]Number, t.Size())
		for i := range numbers {
			numbers[i] = Number(t.Float(i))
		}
		return numbers
	}
	s := Step{
		Params: ParamColumns{column(outNorm), column(outGradNorm), column(outUpdateNorm), column(outZeros), column(outGradZeros), column(outNonFinite)},
		Layers: LayerColumns{Mean: column(outMean), Std: column(outStd), GradNorm: column(outLayerGrad), Saturated: column(outSaturated)},
	}
	squares := 0.0
	for _, x := range s.Params.GradNorm {
		squares += float64(x) * float64(x)
	}
	s.GradNorm = Number(math.Sqrt(squares))
	if pair := column(outPair); len(pair) == 4 && w.remembered >= 0 && w.remembered == update-1 {
		s.compare(squares, pair, batch)
	}
	w.looks++
	for _, l := range in.Header.Layers {
		s.Layers.Dead = append(s.Layers.Dead, Number(w.dead(l.Path, out[outActive+l.Path])))
		if t := out[outSteps+l.Path]; t != nil {
			if s.Layers.GradSteps == nil {
				s.Layers.GradSteps = make([][]Number, len(in.Header.Layers))
			}
			s.Layers.GradSteps[len(s.Layers.Dead)-1] = column(outSteps + l.Path)
		}
	}
	if len(s.Layers.Dead) == 0 {
		s.Layers.Dead = []Number{}
	}
	for _, name := range in.values {
		if s.Values == nil {
			s.Values = map[string]Number{}
		}
		s.Values[name] = Number(out[outValue+name].Float(0))
	}
	return s, in.histograms(out)
}

// compare fills in what two steps in turn tell. The numbers of pair are g·g', s, s' and |g'|².
func (s *Step) compare(squares float64, pair []Number, batch int) {
	product, slope, slopeAfter, before := float64(pair[0]), float64(pair[1]), float64(pair[2]), float64(pair[3])
	number := func(x float64) *Number { n := Number(x); return &n }
	if squares > 0 && before > 0 {
		s.Cosine = number(product / math.Sqrt(squares) / math.Sqrt(before))
	}
	if product > 0 {
		s.NoiseScale = number(max(0, float64(batch)*((squares+before)/2-product)/product))
	}
	if slope != 0 {
		s.Alpha = number(-slopeAfter / slope)
	}
}

// dead is the share of units of a layer that have not been active for a window of looks.
func (w *Watcher) dead(path string, active *tarn.Tensor) float64 {
	if active == nil {
		return 0
	}
	last := w.active[path]
	if last == nil {
		last = make([]int, active.Size())
		w.active[path] = last
	}
	dead := 0
	for i := range last {
		if active.Float(i) != 0 {
			last[i] = w.looks
		}
		if w.looks-last[i] >= min(w.options.Window, w.looks) {
			dead++
		}
	}
	return float64(dead) / float64(max(1, len(last)))
}

// bins is the number of bins of a histogram.
const bins = 40

func (in *Instruments) histograms(out tarn.Results) []Histogram {
	var all []Histogram
	add := func(of, name, output string) {
		if t := out[output]; t != nil {
			all = append(all, histogramOf(of, name, t))
		}
	}
	for _, name := range in.names {
		add("weight", name, outWeight+name)
		add("gradient", name, outGradient+name)
	}
	for _, l := range in.Header.Layers {
		add("activation", l.Path, outActivations+l.Path)
	}
	return all
}

// histogramOf sorts the finite elements of t into bins of equal width between the smallest and the largest.
func histogramOf(of, name string, t *tarn.Tensor) Histogram {
	h := NewHistogram(of, name, Extremes(t))
	h.Count(t)
	return h
}

// Extremes returns the smallest and the largest finite element of t: infinite ones of the opposite sign if there are none.
func Extremes(t *tarn.Tensor) (e [2]float64) {
	e = [2]float64{math.Inf(1), math.Inf(-1)}
	for i := range t.Size() {
		if x := t.Float(i); !math.IsNaN(x) && !math.IsInf(x, 0) {
			e[0], e[1] = min(e[0], x), max(e[1], x)
		}
	}
	return e
}

// NewHistogram returns a histogram with bins of equal width between two extremes, in which nothing is counted yet.
func NewHistogram(of, name string, extremes [2]float64) Histogram {
	h := Histogram{Of: of, Name: name, Limits: make([]Number, bins+1), Counts: make([]int, bins)}
	lo, hi := extremes[0], extremes[1]
	if lo > hi {
		lo, hi = 0, 0
	}
	width := (hi - lo) / bins
	for i := range h.Limits {
		h.Limits[i] = Number(lo + float64(i)*width)
	}
	return h
}

// Count counts the finite elements of t, which lie within the limits.
func (h *Histogram) Count(t *tarn.Tensor) {
	lo := float64(h.Limits[0])
	width := (float64(h.Limits[bins]) - lo) / bins
	for i := range t.Size() {
		x := t.Float(i)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		bin := 0
		if width > 0 {
			bin = min(bins-1, max(0, int((x-lo)/width)))
		}
		h.Counts[bin]++
	}
}

// Bytes is the memory that is kept of gradients and updates from one step to the next.
func (w *Watcher) Bytes() (n int) {
	for _, states := range []map[string]*tarn.Param{w.gradients, w.updates} {
		for _, p := range states {
			n += p.Tensor().Size() * p.DType().Size()
		}
	}
	return n
}
