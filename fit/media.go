package fit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/predict"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds what models of pictures, texts and series have in common: one network, which reads tensors that are made of the cells of a table.

// medium is what a model reads if it does not read the columns of a table as such, and its network.
type medium interface {
	// network returns the layers, with all params.
	network() any
	// declare declares the inputs of n examples.
	declare(g *tarn.Graph, n int) []*tarn.Value
	// forward returns the scores of the classes, [n classes], or quantities, [n outputs].
	forward(in []*tarn.Value) *tarn.Value
	// tensors makes the inputs of rows of a table, in the order of declare.
	tensors(t *table.Table) ([]*tarn.Tensor, error)
	// check returns an error if what a file says of the medium makes no sense.
	check(about *About) error
}

// media are the media as a file has them; one of them is there.
type media struct {
	Images *imageMedium  `json:"images,omitempty"`
	Series *seriesMedium `json:"series,omitempty"`
	Text   *textMedium   `json:"text,omitempty"`
}

// medium returns the one that is there, or nil.
func (m media) medium() medium {
	switch {
	case m.Images != nil:
		return m.Images
	case m.Series != nil:
		return m.Series
	case m.Text != nil:
		return m.Text
	}
	return nil
}

// MediaOptions say how networks for pictures, texts and series learn.
type MediaOptions struct {
	Valid   float64 // the share of the examples that judge; 0 means 0.2
	Weights string  // "" or "none"; or "balanced", so that all classes count equally
	Epochs  int     // at most; 0 means as many as the usual amount of work allows
	Batch   int     // 0 means 16, 32 from 1000 examples on, or 64 from 5000
	Rate    float64 // the largest one of AdamW; 0 means 3e-3
	Decay   float64 // weight decay; 0 means 0.01, negative means none
	Dropout float64 // before the last layer; 0 means 0.1, negative means none
	Work    float64 // amount of work in the usual amount; 0 means 1
	Seed    uint64

	Progress func(Progress) // is told how far the training is; may be nil
}

// filled returns the options with what they leave open, for so many examples.
func (o MediaOptions) filled(n int) (MediaOptions, error) {
	bad := func(format string, args ...any) (MediaOptions, error) { return o, fmt.Errorf("fit: "+format, args...) }
	switch {
	case !(o.Valid >= 0 && o.Valid < 1):
		return bad("a share of %v of the examples cannot judge: it must be at least 0 and below 1", o.Valid)
	case o.Weights != "" && o.Weights != "none" && o.Weights != "balanced":
		return bad("weights %q: there are none and balanced", o.Weights)
	case o.Epochs < 0 || o.Batch < 0:
		return bad("%d epochs in batches of %d", o.Epochs, o.Batch)
	case !(o.Rate >= 0 && o.Rate < 1e3) || !(o.Decay < 1e3) || !(o.Dropout < 1) || !(o.Work >= 0 && o.Work <= 1e6):
		return bad("rate %v, decay %v, dropout %v or work %v is out of range", o.Rate, o.Decay, o.Dropout, o.Work)
	}
	usual := func(v *float64, to float64) {
		if *v == 0 {
			*v = to
		}
		*v = max(*v, 0)
	}
	usual(&o.Valid, 0.2)
	usual(&o.Rate, 3e-3)
	usual(&o.Decay, 0.01)
	usual(&o.Dropout, 0.1)
	usual(&o.Work, 1)
	if o.Batch == 0 {
		switch {
		case n < 1000:
			o.Batch = 16
		case n < 5000:
			o.Batch = 32
		default:
			o.Batch = 64
		}
	}
	return o, nil
}

// mediaWork is the number of multiplications and additions of forward and backward passes in the usual amount of work.
const mediaWork = 2e12

// plan sets the number of epochs that an amount of work allows, for n examples of so many multiplications in a forward pass: so many that there are some hundred steps.
func (o *MediaOptions) plan(multiplications float64, n int) {
	if o.Epochs == 0 {
		most := min(200, max(40, 600*o.Batch/n))
		o.Epochs = max(5, min(most, int(o.Work*mediaWork/(3*multiplications*float64(n)))))
	}
}

// learner is a training of a medium's network.
type learner struct {
	medium       medium
	options      MediaOptions
	target       string // the field of classes, or of quantities
	loss         func(y *tarn.Value, g *tarn.Graph, n int) *tarn.Value
	learn, judge data.Source
	curve        []Progress // of what has been trained
}

// crossEntropy is the loss of classes.
func crossEntropy(target string, weights []float64) func(y *tarn.Value, g *tarn.Graph, n int) *tarn.Value {
	return func(y *tarn.Value, g *tarn.Graph, n int) *tarn.Value {
		return nn.CrossEntropyLoss{Weight: weights}.Loss(y, g.Input(target, tarn.I32, n))
	}
}

// train trains, and leaves the network with the weights of the epoch that judged best.
func (l *learner) train(ctx context.Context) error {
	o, network := l.options, l.medium.network()
	if err := tarn.Init(network, o.Seed); err != nil {
		return err
	}
	batch := min(o.Batch, l.learn.Len())
	steps := max(1, l.learn.Len()/batch) * o.Epochs
	opt := optim.NewAdamW(o.Rate)
	opt.Rate = optim.OneCycle{Max: o.Rate, Steps: max(steps, 4), Rise: 0.2, Start: 10, End: 1000}
	opt.WeightDecay, opt.ClipNorm = o.Decay, 1
	opt.Group(optim.Vectors).Decay = 0
	loop := train.NewLoop(func(g *tarn.Graph, n int) tarn.Outputs {
		return tarn.Outputs{"loss": l.loss(l.medium.forward(l.medium.declare(g, n)), g, n)}
	}, network, opt, l.learn)
	loop.Valid, loop.Epochs, loop.Batch, loop.Seed, loop.Watch, loop.Target = l.judge, o.Epochs, batch, o.Seed, nil, l.target
	loop.DropLast = true
	loop.EarlyStopping = &train.EarlyStopping{Patience: max(5, o.Epochs/2)}
	for progress, err := range loop.Run(ctx) {
		if err != nil {
			return fmt.Errorf("fit: %w", err)
		}
		if r := progress.Record; r != nil {
			now := Progress{Stage: "network", Fold: 1, Folds: 1, Epoch: r.Epoch, Epochs: o.Epochs, Train: r.TrainLoss, Valid: r.ValLoss, Best: loop.EarlyStopping.Best, BestEpoch: loop.EarlyStopping.BestEpoch}
			if l.curve = append(l.curve, now); o.Progress != nil {
				o.Progress(now)
			}
		}
	}
	return nil
}

// predictor compiles the forward passes of a medium.
func mediumPredictor(m medium, classes bool, sizes []int) (*predict.Predictor, error) {
	return predict.New(func(g *tarn.Graph, n int) tarn.Outputs {
		y := m.forward(m.declare(g, n))
		if classes {
			y = y.Softmax(-1)
		}
		return tarn.Outputs{"y": y}
	}, predict.Options{Sizes: sizes})
}

// judged returns the answers about the examples that judge, and their targets, example after example.
func (l *learner) judged(ctx context.Context, classes bool) (answers, truth []float64, err error) {
	runner, err := mediumPredictor(l.medium, classes, []int{32})
	if err != nil {
		return nil, nil, err
	}
	for b, err := range l.judge.Batches(32, data.Options{}).All(ctx) {
		if err != nil {
			return nil, nil, err
		}
		var in []*tarn.Tensor
		for _, name := range runner.Inputs() {
			in = append(in, b.Tensor(name))
		}
		out, err := runner.Run(ctx, in...)
		if err != nil {
			return nil, nil, err
		}
		answers = append(answers, out["y"].Floats()...)
		truth = append(truth, b.Tensor(l.target).Floats()...)
	}
	return answers, truth, nil
}

// classify fills in what a model of classes knows of itself; counts are those of the classes among what was learned from.
func (m *Model) classify(ctx context.Context, l *learner, counts []int) error {
	answers, truth, err := l.judged(ctx, true)
	if err != nil {
		return err
	}
	k := len(m.About.Classes)
	p := &problem{classes: m.About.Classes, class: make([]int32, len(truth))}
	rows := make([]int, len(truth))
	total := 0
	for _, c := range counts {
		total += c
	}
	guess := make([]float64, 0, len(answers))
	for i, v := range truth {
		p.class[i], rows[i] = int32(v), i
		for _, c := range counts {
			guess = append(guess, float64(c)/float64(total))
		}
	}
	if measure(m.About.Classes, 0.5, outcome{class: p.class}, answers).Metrics["accuracy"] < 1 { // if all are right, the more certain the better, without end
		m.About.Temperature = p.temperature(answers, rows)
	}
	for i := 0; i < len(answers); i += k {
		temper(answers[i:i+k], m.About.Temperature)
	}
	e := measure(m.About.Classes, 0.5, outcome{class: p.class}, answers)
	m.About.Metrics, m.About.Errors = e.Metrics, e.Errors
	m.About.Priors, m.judged, m.curve = guess[:k:k], e, l.curve
	e.Baseline = measure(m.About.Classes, 0.5, outcome{class: p.class}, guess).Metrics
	m.About.Baseline = e.Baseline
	return nil
}

// balance returns weights that let all classes count equally, or nil.
func (o *MediaOptions) balance(counts []int) []float64 {
	if o.Weights != "balanced" {
		return nil
	}
	n := 0
	for _, c := range counts {
		n += c
	}
	weights := make([]float64, len(counts))
	for i, c := range counts {
		weights[i] = float64(n) / (float64(len(counts)) * float64(max(1, c)))
	}
	return weights
}

// partRows is the number of rows whose inputs are in memory at the same time.
const partRows = 256

// mediaAnswers answers rows.
func (m *Model) mediaAnswers(ctx context.Context, t *table.Table) ([]float64, error) {
	if s, ok := m.medium.(*seriesMedium); ok {
		return m.seriesAnswers(ctx, s, t)
	}
	runner, err := m.predictor()
	if err != nil {
		return nil, err
	}
	var answers []float64
	for lo := 0; lo < t.Rows(); lo += partRows {
		rows := make([]int, 0, partRows)
		for i := lo; i < min(lo+partRows, t.Rows()); i++ {
			rows = append(rows, i)
		}
		part := t
		if len(rows) < t.Rows() {
			part = t.Take(rows)
		}
		in, err := m.medium.tensors(part)
		if err != nil {
			if cell := (*table.CellError)(nil); errors.As(err, &cell) {
				cell.Row += lo
			}
			return nil, err
		}
		out, err := runner.Run(ctx, in...)
		if err != nil {
			return nil, err
		}
		answers = append(answers, out["y"].Floats()...)
	}
	if k := len(m.About.Classes); k > 0 {
		for i := 0; i < len(answers); i += k {
			temper(answers[i:i+k], m.About.Temperature)
		}
	}
	return answers, nil
}

// checkMedia returns an error if what a file says of its medium makes no sense.
func (m *Model) checkMedia() error {
	if s, ok := m.medium.(*seriesMedium); ok {
		for _, name := range append([]string{s.Time, s.Group}, s.Columns...) {
			if name != "" && m.schema.Column(name) == nil {
				return fmt.Errorf("the schema has no column %s", list.Quote(name))
			}
		}
	} else if len(m.schema.Features()) == 0 {
		return errors.New("the schema has no column to read")
	}
	return m.medium.check(&m.About)
}

// newClasses sorts names of classes as those of a table, and returns the new index of each.
func newClasses(names []string) (sorted []string, index []int32) {
	sorted = slices.Clone(names)
	sortClasses(sorted)
	for _, name := range names {
		index = append(index, int32(slices.Index(sorted, name)))
	}
	return sorted, index
}

// fewest returns the index of the smallest number.
func fewest(counts []int) int {
	least := 0
	for i, c := range counts {
		if cmp.Less(c, counts[least]) {
			least = i
		}
	}
	return least
}

// within reports whether v is a number between bounds.
func within(v, low, high float64) bool { return v >= low && v <= high && !math.IsNaN(v) }
