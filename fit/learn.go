package fit

import (
	"context"
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// This file trains the models of one fold.

// member is what one fold has learned.
type member struct {
	encoder *table.Encoder
	layout  *layout
	shape   shape
	linear  *linear
	network deep // nil if only the linear model answers

	learn, judge *table.Features // of the fold
	mean, std    float64         // of the target of the rows learned from, for quantities
}

// targets are the targets of some rows as the models learn them, with their weights.
func (p *problem) targets(m *member, rows []int) (class []int32, value []float32, weight []float64) {
	weight = make([]float64, len(rows))
	sum := 0.0
	for i, r := range rows {
		weight[i] = 1
		if p.weight != nil {
			weight[i] = p.weight[r]
		}
		sum += weight[i]
	}
	for i := range weight {
		if sum > 0 {
			weight[i] *= float64(len(rows)) / sum
		}
	}
	if p.class != nil {
		class = make([]int32, len(rows))
		for i, r := range rows {
			class[i] = p.class[r]
		}
		return class, nil, weight
	}
	value = make([]float32, len(rows))
	for i, r := range rows {
		value[i] = float32((p.value[r] - m.mean) / m.std)
	}
	return nil, value, weight
}

// newMember fits the encoder of a fold and makes its models.
func (p *problem) newMember(f fold, s shape) (*member, error) {
	m := &member{shape: s, mean: 0, std: 1}
	outcome := &table.Outcome{}
	outputs := 1
	if p.class != nil {
		outputs = len(p.classes)
		outcome.Count = outputs
		for _, r := range f.learn {
			outcome.Classes = append(outcome.Classes, p.class[r])
		}
	} else {
		for _, r := range f.learn {
			outcome.Values = append(outcome.Values, p.value[r])
			m.mean += p.value[r] / float64(len(f.learn))
		}
		square := 0.0
		for _, r := range f.learn {
			square += (p.value[r] - m.mean) * (p.value[r] - m.mean) / float64(len(f.learn))
		}
		if m.std = math.Sqrt(square); m.std == 0 || math.IsInf(m.std, 0) {
			m.std = 1
		}
	}
	var err error
	if m.encoder, m.learn, err = table.FitEncode(p.schema, p.table, f.learn, outcome, table.Settings{Seed: p.options.Seed}); err != nil {
		return nil, err
	}
	if m.judge, err = m.encoder.EncodeRows(p.table, f.judge); err != nil {
		return nil, err
	}
	m.layout = newLayout(m.encoder, outputs)
	return m, nil
}

// penalties are those that the linear model tries, as sums of squares against a sum of losses; from strong to weak, each beginning where the one before ended.
var penalties = []float64{3000, 300, 30, 3, 0.3}

// mostLinear is the number of rows from which a linear model learns at most. It has few weights, and more rows would hardly change them.
const mostLinear = 50_000

// some takes at most n of the rows and their features, at equal steps.
func some(rows []int, f *table.Features, n int) ([]int, *table.Features) {
	if len(rows) <= n {
		return rows, f
	}
	out := &table.Features{Rows: n}
	taken := make([]int, n)
	width, words := len(f.Numbers)/f.Rows, len(f.Codes)/f.Rows
	for i := range taken {
		at := i * len(rows) / n
		taken[i] = rows[at]
		out.Numbers = append(out.Numbers, f.Numbers[at*width:(at+1)*width]...)
		out.Codes = append(out.Codes, f.Codes[at*words:(at+1)*words]...)
	}
	return taken, out
}

// linearPath fits the linear model of a fold with each penalty. It returns the answers about the rows that judge, and the weights.
func (p *problem) linearPath(ctx context.Context, m *member, f fold) (answers [][]float64, weights [][]float64, err error) {
	lin := newLinear(m.layout)
	g := tarn.NewGraph()
	learn, learned := some(f.learn, m.learn, mostLinear)
	n := len(learn)
	numbers, codes := m.layout.inputs(g, "", n)
	y := lin.forward(g, m.layout, numbers, codes, n)
	class, value, weight := p.targets(m, learn)
	inputs := minimize.Inputs{"weight": tarn.Vector(weight), "penalty": tarn.Scalar(0.0)}
	features, err := m.layout.tensors(learned)
	if err != nil {
		return nil, nil, err
	}
	if m.layout.Numbers > 0 {
		inputs["numbers"], features = features[0], features[1:]
	}
	if len(m.layout.Sizes) > 0 {
		inputs["codes"] = features[0]
	}
	var each *tarn.Value
	if class != nil {
		inputs["target"] = tarn.Vector(class)
		each = nn.CrossEntropyLoss{Reduction: nn.None}.Loss(y, g.Input("target", tarn.I32, n))
	} else {
		inputs["target"] = tarn.Vector(value).Cast(tarn.F64)
		each = y.Reshape(n).Sub(g.Input("target", tarn.F64, n)).Square().Scale(0.5)
	}
	loss := each.Mul(g.Input("weight", tarn.F64, n)).Mean()
	loss = loss.Add(lin.penalized(g).Mul(g.Input("penalty", tarn.F64)).Scale(0.5 / float64(n)))
	set, err := tarn.Params(lin)
	if err != nil {
		return nil, nil, err
	}
	search, err := minimize.FromGraph(loss, set.List(), inputs)
	if err != nil {
		return nil, nil, err
	}
	// The answers about the rows that judge.
	g = tarn.NewGraph()
	g.Eval()
	k := len(f.judge)
	numbers, codes = m.layout.inputs(g, "", k)
	program, err := tarn.Compile(g, tarn.Outputs{"y": lin.forward(g, m.layout, numbers, codes, k)})
	if err != nil {
		return nil, nil, err
	}
	judged, err := m.layout.tensors(m.judge)
	if err != nil {
		return nil, nil, err
	}
	x := search.X()
	for i, penalty := range penalties {
		if p.options.Progress != nil {
			p.options.Progress(Progress{Stage: "linear", Epoch: i + 1, Epochs: len(penalties)})
		}
		inputs["penalty"].SetFloat(0, penalty)
		r, err := minimize.Run(ctx, search.Problem(), x, &minimize.LBFGS{Memory: 10}, minimize.Options{Gradient: 1e-5, Iterations: 200})
		if err != nil {
			return nil, nil, err
		}
		x = r.X
		if err := search.Set(x); err != nil {
			return nil, nil, err
		}
		out, err := program.Run(judged...)
		if err != nil {
			return nil, nil, err
		}
		answers = append(answers, m.finish(out["y"].F64(), p.class != nil))
		weights = append(weights, append([]float64(nil), x...))
	}
	return answers, weights, nil
}

// finish makes probabilities of logits, and quantities of scaled ones.
func (m *member) finish(y []float64, classes bool) []float64 {
	out := make([]float64, len(y))
	if !classes {
		for i, v := range y {
			out[i] = v*m.std + m.mean
		}
		return out
	}
	k := m.layout.Outputs
	for i := 0; i < len(y); i += k {
		softmax(out[i:i+k], y[i:i+k])
	}
	return out
}

func softmax(dst, logits []float64) {
	most := math.Inf(-1)
	for _, v := range logits {
		most = max(most, v)
	}
	sum := 0.0
	for i, v := range logits {
		dst[i] = math.Exp(v - most)
		sum += dst[i]
	}
	for i := range dst {
		dst[i] /= sum
	}
}

// say returns [members n outputs], what the network says. Beyond the range of the numbers that it has learned from, a quantity goes on in the direction that the linear
// model gives it, from what the network says at the edge.
func (m *member) say(g *tarn.Graph, net deep, numbers, codes *tarn.Value, n int) *tarn.Value {
	l := m.layout
	if l.Numbers == 0 {
		return net.forward(g, l, numbers, codes, n)
	}
	within := l.within(numbers)
	y := net.forward(g, l, within, codes, n)
	if l.Outputs == 1 && !g.Training() {
		beyond := numbers.Sub(within).Clip(tarn.Num(-3), tarn.Num(3)).Cast(tarn.F64).MatMul(m.linear.Weight) // not for long: slopes are not certain
		y = y.Add(beyond.Cast(tarn.F32).Reshape(1, n, 1))
	}
	return y
}

// build makes the loss of the network: in training the mean of the members' losses, and otherwise that of their mean.
func (p *problem) build(m *member, net deep) train.Build {
	return func(g *tarn.Graph, n int) tarn.Outputs {
		numbers, codes := m.layout.inputs(g, "", n)
		y := m.say(g, net, numbers, codes, n)
		members := m.shape.Members
		weight := g.Input("weight", tarn.F32, n)
		if p.class == nil {
			target := g.Input("target", tarn.F32, n)
			if g.Training() {
				each := y.Reshape(members, n).Sub(target).Square()
				return tarn.Outputs{"loss": each.Mul(weight).Mean()}
			}
			each := y.Mean(0).Reshape(n).Sub(target).Square()
			return tarn.Outputs{"loss": each.Mul(weight).Mean()}
		}
		target := g.Input("target", tarn.I32, n)
		if g.Training() {
			each := nn.CrossEntropyLoss{Reduction: nn.None}.Loss(y, target.Reshape(1, n).Expand(members, n))
			return tarn.Outputs{"loss": each.Mul(weight).Mean()}
		}
		each := nn.CrossEntropyLoss{Reduction: nn.None}.Loss(y.Softmax(-1).Mean(0).Clip(tarn.Num(1e-12), tarn.Num(1)).Log(), target)
		return tarn.Outputs{"loss": each.Mul(weight).Mean()}
	}
}

// set is the data set of some rows.
func (p *problem) set(m *member, f *table.Features, rows []int) (*data.Set, error) {
	class, value, weight := p.targets(m, rows)
	var fields []data.Field
	if m.layout.Numbers > 0 {
		fields = append(fields, data.Field{Name: "numbers", Array: data.Array{Shape: []int{f.Rows, m.layout.Numbers}, Data: f.Numbers}})
	}
	if len(m.layout.Sizes) > 0 {
		fields = append(fields, data.Field{Name: "codes", Array: data.Array{Shape: []int{f.Rows, len(m.layout.Sizes)}, Data: f.Codes}})
	}
	single := make([]float32, len(weight))
	for i, w := range weight {
		single[i] = float32(w)
	}
	fields = append(fields, data.Field{Name: "weight", Array: data.Array{Shape: []int{f.Rows}, Data: single}})
	if class != nil {
		fields = append(fields, data.Field{Name: "target", Array: data.Array{Shape: []int{f.Rows}, Data: class}})
	} else {
		fields = append(fields, data.Field{Name: "target", Array: data.Array{Shape: []int{f.Rows}, Data: value}})
	}
	return data.NewSet(fields...)
}

// effort is how long and in which batches the networks train.
type effort struct {
	Epochs int
	Batch  int
}

// usualWork is the number of multiplications and additions of forward and backward passes that all folds of one way to deal the rows take together.
const usualWork = 8e11

// plan chooses the shape of the networks and how long they train.
func (p *problem) plan(l *layout) (shape, effort) {
	o := p.options
	rows := len(p.folds[0].learn)
	s := shape{Family: o.Family, Members: o.Members, Hidden: o.Hidden, Dropout: o.Dropout, Periodic: o.Periodic}
	if s.Family == Both {
		s.Family = Perceptrons
	}
	switch {
	case s.Family == ResNet || s.Family == Transformer:
		s.Members = 1
	case s.Members == 0:
		s.Members = 8
	}
	if s.Hidden == nil {
		h := 128
		if rows < 500 {
			h = 64
		} else if rows > 10_000 {
			h = 192
		}
		if s.Family == Transformer {
			h /= 2
		}
		s.Hidden = []int{h, h}
	}
	switch {
	case s.Dropout == 0:
		s.Dropout = 0.1
	case s.Dropout < 0:
		s.Dropout = 0
	}
	for _, v := range l.Sizes {
		s.Embedding = max(s.Embedding, min(16, int(math.Ceil(1.6*math.Pow(float64(v), 0.5)))))
	}
	e := effort{Epochs: o.Epochs}
	switch {
	case rows < 1000:
		e.Batch = 32
	case rows < 5000:
		e.Batch = 64
	case rows < 20_000:
		e.Batch = 128
	default:
		e.Batch = 256
	}
	e.Batch = min(e.Batch, rows)
	cost := func() float64 { // of an epoch of all folds
		width := l.Numbers*(1+l.Bins) + len(l.Sizes)*s.Embedding
		c := 0.0
		switch s.Family {
		case ResNet:
			c = float64(width * s.Hidden[0])
			for _, h := range s.Hidden {
				c += float64(4 * s.Hidden[0] * h)
			}
		case Transformer:
			t := float64(1 + l.Numbers + len(l.Sizes))
			w := float64(s.Hidden[0])
			c = float64(len(s.Hidden)) * t * (8*w*w + 2*t*w)
		default:
			for _, h := range s.Hidden {
				c += float64(width * h)
				width = h
			}
			c += float64(width * l.Outputs)
		}
		return 6 * float64(s.Members) * c * float64(rows) * float64(len(p.folds)/max(1, o.Repeats))
	}
	if e.Epochs == 0 {
		work := o.Work
		if work == 0 {
			work = 1
		}
		for usualWork*work/cost() < 15 && s.Members > 2 && o.Members == 0 {
			s.Members /= 2
		}
		e.Epochs = max(3, int(min(200*min(1, work), usualWork*work/cost())))
	}
	return s, e
}

// learnNetwork trains the network of a fold, until the loss on the rows that judge has not become lower for some epochs. It keeps the best weights. If the context ends it
// returns its error, and whether there are weights of at least one epoch.
func (p *problem) learnNetwork(ctx context.Context, model *Model, number int, f fold, e effort) (learned bool, err error) {
	o, m := p.options, model.members[number]
	m.network = newDeep(m.layout, m.shape)
	seed := o.Seed*1009 + uint64(number) // each fold begins elsewhere
	if err := tarn.Init(m.network, seed); err != nil {
		return false, err
	}
	params, err := tarn.Params(m.network)
	if err != nil {
		return false, err
	}
	learn, err := p.set(m, m.learn, f.learn)
	if err != nil {
		return false, err
	}
	judge, err := p.set(m, m.judge, f.judge)
	if err != nil {
		return false, err
	}
	rate, decay := o.Rate, o.Decay
	if rate == 0 {
		rate = 2e-3
	}
	if decay == 0 {
		decay = 3e-4
	}
	opt := optim.NewAdamW(rate)
	opt.WeightDecay = decay
	opt.ClipNorm = 1
	opt.Group(optim.Vectors).Decay = 0
	loop := train.NewLoop(p.build(m, m.network), m.network, opt, learn)
	loop.Valid, loop.Epochs, loop.Batch, loop.Seed, loop.Watch, loop.Target = judge, e.Epochs, e.Batch, seed, nil, "target"
	loop.DropLast = len(f.learn) > 2*e.Batch
	loop.EarlyStopping = &train.EarlyStopping{Patience: 16}
	best := map[*tarn.Param]*tarn.Tensor{} // for a training that is stopped
	m.learn = nil                          // not needed any more
	for progress, err := range loop.Run(ctx) {
		if err != nil {
			for param, t := range best {
				if err := param.Set(t); err != nil {
					return false, err
				}
			}
			return len(best) > 0, fmt.Errorf("fit: fold %d: %w", number+1, err)
		}
		r := progress.Record
		if r == nil {
			continue
		}
		if r.Epoch == loop.EarlyStopping.BestEpoch {
			for _, param := range params.All() {
				best[param] = param.Tensor().Clone()
			}
		}
		now := Progress{Stage: "network", Fold: number + 1, Folds: len(p.folds), Epoch: r.Epoch, Epochs: e.Epochs, Train: r.TrainLoss, Valid: r.ValLoss, Best: loop.EarlyStopping.Best, BestEpoch: loop.EarlyStopping.BestEpoch}
		model.curve = append(model.curve, now)
		if o.Progress != nil {
			o.Progress(now)
		}
	}
	return true, nil
}
