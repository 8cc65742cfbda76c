package fit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/predict"
)

// This file holds the model: how it is made of what the folds have learned, and how it answers.

// Model is a model of a table, or of pictures, texts or series. Its methods may be called by several goroutines at the same time.
type Model struct {
	About About

	// Comm, if it is not nil, has the ranks that answer together: all of them call Evaluate, Predict and Forecast with the same rows, each answers some of these, and all return what one
	// process would. Then one goroutine at a time may call them.
	Comm dist.Comm

	schema  *table.Schema
	members []*member
	medium  medium // of a model of pictures, texts or a series, which has no members
	judged  *Evaluation
	tested  *Evaluation
	curve   []Progress
	once    sync.Once
	runner  *predict.Predictor
	failed  error
}

// About is what a model knows of itself. It is written into its file.
type About struct {
	Version     int                `json:"version"` // of the form of the file
	Task        Task               `json:"task"`
	Target      string             `json:"target"`
	Classes     []string           `json:"classes,omitempty"`
	Share       float64            `json:"share"`       // of the networks in an answer; the rest is that of the linear models
	Penalty     float64            `json:"penalty"`     // of the linear models
	Temperature float64            `json:"temperature"` // by which the logarithms of probabilities are divided, so that they are calibrated
	Threshold   float64            `json:"threshold"`   // of two classes, the probability of the second one from which on it is chosen
	Interval    float64            `json:"interval"`    // of quantities, half the width within which 90 % of the truth was
	Rows        int                `json:"rows"`        // learned from
	Split       string             `json:"split"`
	Metrics     map[string]float64 `json:"metrics"`  // on rows that were not learned from
	Errors      map[string]float64 `json:"errors"`   // standard errors of these
	Baseline    map[string]float64 `json:"baseline"` // those of the commonest class, or of the mean
	Linear      map[string]float64 `json:"linear"`   // those of the linear models alone
	Priors      []float64          `json:"priors"`   // the share of each class, or the mean, in the rows learned from
	Folds       []Fold             `json:"folds,omitempty"`
	Tested      map[string]float64 `json:"tested,omitempty"` // metrics on Options.Test
	Notes       []string           `json:"notes,omitempty"`
	Seed        uint64             `json:"seed"`
	Command     string             `json:"command,omitempty"` // by which the model was made, if one says so
	Source      string             `json:"source,omitempty"`  // of the data, if one says so
	Digest      string             `json:"digest"`            // SHA-256 of the values learned from
	Importance  []Importance       `json:"importance,omitempty"`
}

// Fold is how good the models of one fold are on the rows that judge it.
type Fold struct {
	Rows    int                `json:"rows"`
	Metrics map[string]float64 `json:"metrics"`
}

// Plan is a table that is ready to be learned from: what its columns are, and which rows judge.
type Plan struct {
	Task    Task
	Schema  *table.Schema
	Classes []string  // nil for a quantity
	Priors  []float64 // the share of each class, or the mean
	Rows    int       // with a target
	Split   string    // in words
	Notes   []string  // what one should know before

	problem *problem
}

// Prepare looks at a table and says what would be learned, without learning.
func Prepare(t *table.Table, o Options) (*Plan, error) {
	if t == nil {
		return nil, errors.New("fit: the table is nil")
	}
	p, err := prepare(t, o)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Task: Regress, Schema: p.schema, Classes: p.classes, Priors: p.guess([]int{0}), Rows: p.table.Rows(), Split: p.split, Notes: p.notes, problem: p}
	if p.class != nil {
		plan.Task = Classify
	}
	return plan, nil
}

// Digest returns the SHA-256 of the values to learn from.
func (plan *Plan) Digest() string { return digest(plan.problem.table) }

// Table makes a model of a table. It is Prepare and Fit in one.
func Table(ctx context.Context, t *table.Table, o Options) (*Model, error) {
	plan, err := Prepare(t, o)
	if err != nil {
		return nil, err
	}
	return plan.Fit(ctx)
}

// Fit makes the model. If the context ends while the networks learn, Fit returns the model of what has been learned so far, which is whole and says in its notes what it
// lacks, together with the cause of that.
func (plan *Plan) Fit(ctx context.Context) (*Model, error) {
	p, o := plan.problem, plan.problem.options
	m := &Model{schema: p.schema}
	m.About = About{Version: version, Task: plan.Task, Target: p.schema.Target().Name, Classes: p.classes, Temperature: 1, Threshold: 0.5, Rows: p.table.Rows(), Priors: plan.Priors, Split: p.split, Seed: o.Seed, Notes: slices.Clone(p.notes), Digest: digest(p.table)}
	paths := make([][][]float64, len(p.folds)) // answers of the linear model by fold and penalty
	weights := make([][][]float64, len(p.folds))
	var s shape
	var e effort
	for k, f := range p.folds {
		member, err := p.newMember(f, shape{})
		if err != nil {
			return nil, err
		}
		if k == 0 {
			s, e = p.plan(member.layout)
		}
		member.shape = s
		m.members = append(m.members, member)
		if paths[k], weights[k], err = p.linearPath(ctx, member, f); err != nil {
			return nil, err
		}
	}
	best := 0
	lowest := math.Inf(1)
	for i := range penalties {
		sum := 0.0
		for k, f := range p.folds {
			sum += p.loss(paths[k][i], f.judge)
		}
		if sum < lowest {
			best, lowest = i, sum
		}
	}
	m.About.Penalty = penalties[best]
	straight := make([][]float64, len(p.folds))
	for k, member := range m.members {
		member.linear = newLinear(member.layout)
		if err := setAll(member.linear, weights[k][best]); err != nil {
			return nil, err
		}
		straight[k] = paths[k][best]
	}
	var ended error
	if o.Family != Linear {
		learned := 0
		for k, f := range p.folds {
			found, err := p.learnNetwork(ctx, m, k, f, e)
			if found {
				learned++
			}
			if err != nil && ctx.Err() == nil {
				return nil, err
			} else if err != nil {
				ended = context.Cause(ctx)
				break
			}
		}
		if ended != nil {
			p = m.cutShort(p, learned)
			straight = straight[:len(p.folds)]
		}
	}
	if err := m.judge(ctx, p, straight); err != nil {
		return nil, err
	}
	if o.Test != nil {
		var err error
		if m.tested, err = m.Evaluate(context.WithoutCancel(ctx), o.Test); err != nil {
			return nil, fmt.Errorf("fit: the rows to test with: %w", err)
		}
		m.About.Tested = m.tested.Metrics
	}
	return m, ended
}

// cutShort leaves out the folds whose network has learned nothing; if that is true of all, the networks. It returns the problem with the folds that are left.
func (m *Model) cutShort(p *problem, learned int) *problem {
	all := len(p.folds)
	if learned == 0 {
		for _, member := range m.members {
			member.network = nil
		}
		m.About.Notes = append(m.About.Notes, "the training was stopped before a network had learned: this is the linear model alone")
		return p
	}
	cut := *p
	cut.folds = p.folds[:learned]
	m.members = m.members[:learned]
	m.About.Notes = append(m.About.Notes, fmt.Sprintf("the training was stopped: the model is that of %d of %d folds", learned, all))
	return &cut
}

// Judged returns how good the answers are about the rows that judged, which the model has not learned from. It is nil for a model that was read from a file.
func (m *Model) Judged() *Evaluation { return m.judged }

// Tested returns how good the answers are about the rows of Options.Test. It is nil without these, and for a model that was read from a file.
func (m *Model) Tested() *Evaluation { return m.tested }

// Learning returns how the networks learned, epoch by epoch and fold by fold. It is nil for a model that was read from a file.
func (m *Model) Learning() []Progress { return m.curve }

// setAll gives the params of a model consecutive parts of x.
func setAll(model any, x []float64) error {
	set, err := tarn.Params(model)
	if err != nil {
		return err
	}
	for _, p := range set.List() {
		t := tarn.Zeros(p.DType(), p.Shape()...)
		for i := range t.Size() {
			t.SetFloat(i, x[i])
		}
		x = x[t.Size():]
		if err := p.Set(t); err != nil {
			return err
		}
	}
	return nil
}

// loss is the sum of the weighted losses of answers about some rows: minus the logarithm of the probability, or half the square of the difference.
func (p *problem) loss(answers []float64, rows []int) float64 {
	sum := 0.0
	k := max(1, len(p.classes))
	for i, r := range rows {
		w := 1.0
		if p.weight != nil {
			w = p.weight[r]
		}
		if p.class != nil {
			sum -= w * math.Log(max(answers[i*k+int(p.class[r])], 1e-15))
		} else {
			d := answers[i] - p.value[r]
			sum += w * d * d / 2
		}
	}
	return sum
}

// judge decides in which shares the linear models and the networks answer, calibrates them, and measures them, all by rows out of fold.
func (m *Model) judge(ctx context.Context, p *problem, straight [][]float64) error {
	deep := make([][]float64, len(p.folds))
	if m.members[0].network != nil {
		for k := range p.folds {
			var err error
			if deep[k], err = m.members[k].answerNetwork(p.class != nil); err != nil {
				return err
			}
		}
		best := math.Inf(1)
		for step := range 21 {
			share := float64(step) / 20
			if p.options.Family != Both && share < 1 {
				continue
			}
			sum := 0.0
			for k, f := range p.folds {
				sum += p.loss(mix(straight[k], deep[k], share), f.judge)
			}
			if sum < best {
				best, m.About.Share = sum, share
			}
		}
	}
	// One list of all rows that judge, each with the mean of the answers about it.
	width := max(1, len(p.classes))
	var rows []int
	at := map[int]int{}
	var answers, alone, times []float64
	for k, f := range p.folds {
		a := straight[k]
		if deep[k] != nil {
			a = mix(straight[k], deep[k], m.About.Share)
		}
		for i, r := range f.judge {
			place, known := at[r]
			if !known {
				place = len(rows)
				at[r] = place
				rows, times = append(rows, r), append(times, 0)
				answers, alone = append(answers, make([]float64, width)...), append(alone, make([]float64, width)...)
			}
			times[place]++
			for j := range width {
				answers[place*width+j] += a[i*width+j]
				alone[place*width+j] += straight[k][i*width+j]
			}
		}
	}
	for i := range answers {
		answers[i] /= times[i/width]
		alone[i] /= times[i/width]
	}
	truth := p.truth(rows)
	if p.class != nil {
		m.About.Temperature = p.temperature(answers, rows)
		for i := 0; i < len(answers); i += width {
			temper(answers[i:i+width], m.About.Temperature)
		}
		m.About.Threshold = p.chooseThreshold(truth.class, answers)
	} else {
		var off []float64
		for i, r := range rows {
			off = append(off, math.Abs(answers[i]-p.value[r]))
		}
		slices.Sort(off)
		m.About.Interval = off[min(len(off)-1, int(math.Ceil(0.9*float64(len(off)+1)))-1)]
	}
	ev := measure(m.About.Classes, m.About.Threshold, truth, answers)
	m.About.Metrics, m.About.Errors = ev.Metrics, ev.Errors
	ev.Baseline = measure(m.About.Classes, 0.5, truth, p.guess(rows)).Metrics
	m.About.Baseline = ev.Baseline
	m.About.Linear = measure(m.About.Classes, 0.5, truth, alone).Metrics
	ev.table = p.table.Take(rows)
	m.judged = ev
	for _, f := range p.folds {
		var part []float64
		for _, r := range f.judge {
			part = append(part, answers[at[r]*width:at[r]*width+width]...)
		}
		m.About.Folds = append(m.About.Folds, Fold{len(f.judge), measure(m.About.Classes, m.About.Threshold, p.truth(f.judge), part).Metrics})
	}
	return m.important(ctx, p)
}

// mix is a share of b and the rest of a.
func mix(a, b []float64, share float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = (1-share)*a[i] + share*b[i]
	}
	return out
}

// temper divides the logarithms of probabilities by a temperature.
func temper(p []float64, temperature float64) {
	if temperature == 1 {
		return
	}
	sum := 0.0
	for i, v := range p {
		p[i] = math.Pow(max(v, 1e-15), 1/temperature)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}

// temperature finds the one with which the probabilities fit best, by golden section of its logarithm.
func (p *problem) temperature(answers []float64, rows []int) float64 {
	k := len(p.classes)
	loss := func(log float64) float64 {
		q := slices.Clone(answers)
		for i := 0; i < len(q); i += k {
			temper(q[i:i+k], math.Exp(log))
		}
		return p.loss(q, rows)
	}
	low, high := math.Log(0.25), math.Log(4)
	golden := (math.Sqrt(5) - 1) / 2
	a, b := high-golden*(high-low), low+golden*(high-low)
	fa, fb := loss(a), loss(b)
	for range 25 {
		if fa < fb {
			high, b, fb = b, a, fa
			a = high - golden*(high-low)
			fa = loss(a)
		} else {
			low, a, fa = a, b, fb
			b = low + golden*(high-low)
			fb = loss(b)
		}
	}
	if loss(0) <= min(fa, fb)*(1+1e-4) { // what hardly helps is left out
		return 1
	}
	return math.Exp((low + high) / 2)
}

// answerNetwork is what the network of a member says about the rows that judge.
func (m *member) answerNetwork(classes bool) ([]float64, error) {
	runner, err := predict.New(func(g *tarn.Graph, n int) tarn.Outputs {
		numbers, codes := m.layout.inputs(g, "", n)
		return tarn.Outputs{"y": m.combine(m.say(g, m.network, numbers, codes, n), classes)}
	}, predict.Options{Sizes: []int{256}, AtOnce: 1})
	if err != nil {
		return nil, err
	}
	inputs, err := m.layout.tensors(m.judge)
	if err != nil {
		return nil, err
	}
	out, err := runner.Run(context.Background(), inputs...)
	if err != nil {
		return nil, err
	}
	return out["y"].Floats(), nil
}

// combine makes [n outputs] of what the members of a network say: probabilities, or the quantity.
func (m *member) combine(y *tarn.Value, classes bool) *tarn.Value {
	if classes {
		return y.Softmax(-1).Mean(0)
	}
	return y.Mean(0).Scale(m.std).Add(tarn.Num(m.mean))
}

// Schema returns the columns that the model reads, and its target.
func (m *Model) Schema() *table.Schema { return m.schema }

// Levels returns the words that a column had in the training part, if it is a category or a bool, and nil otherwise.
func (m *Model) Levels(column string) []string {
	if m.medium != nil {
		return nil
	}
	for _, t := range m.members[0].encoder.Transforms {
		if t.Column == column {
			return slices.Clone(t.Levels)
		}
	}
	return nil
}

// predictor compiles the forward passes of all folds into one.
func (m *Model) predictor() (*predict.Predictor, error) {
	m.once.Do(func() {
		classes := m.About.Task == Classify
		if m.medium != nil {
			m.runner, m.failed = mediumPredictor(m.medium, classes, []int{1, 32})
			return
		}
		m.runner, m.failed = predict.New(func(g *tarn.Graph, n int) tarn.Outputs {
			var sum *tarn.Value
			for k, member := range m.members {
				numbers, codes := member.layout.inputs(g, strconv.Itoa(k), n)
				y := m.ofMember(g, member, numbers, codes, n)
				if sum == nil {
					sum = y
				} else {
					sum = sum.Add(y)
				}
			}
			return tarn.Outputs{"y": sum.Scale(1 / float64(len(m.members)))}
		}, predict.Options{Sizes: []int{1, 16, 256}})
	})
	return m.runner, m.failed
}

// ofMember is what a member answers: probabilities, or the quantity.
func (m *Model) ofMember(g *tarn.Graph, member *member, numbers, codes *tarn.Value, n int) *tarn.Value {
	classes := m.About.Task == Classify
	y := member.linear.forward(g, member.layout, numbers, codes, n)
	if classes {
		y = y.Softmax(-1)
	} else {
		y = y.Scale(member.std).Add(tarn.Num(member.mean))
	}
	if member.network != nil {
		d := member.combine(member.say(g, member.network, numbers, codes, n), classes).Cast(tarn.F64)
		y = y.Scale(1 - m.About.Share).Add(d.Scale(m.About.Share))
	}
	return y
}

// Warm compiles what answers need, which the first answer does otherwise.
func (m *Model) Warm() error {
	_, err := m.predictor()
	return err
}

// answersAlone is answers by this process.
func (m *Model) answersAlone(ctx context.Context, t *table.Table) ([]float64, [][]string, error) {
	if m.medium != nil {
		y, err := m.mediaAnswers(ctx, t)
		return y, nil, err
	}
	runner, err := m.predictor()
	if err != nil {
		return nil, nil, err
	}
	var inputs []*tarn.Tensor
	var notes [][]string
	unseen := map[string]int{}
	for _, member := range m.members {
		f, err := member.encoder.Encode(t)
		if err != nil {
			return nil, nil, err
		}
		in, err := member.layout.tensors(f)
		if err != nil {
			return nil, nil, err
		}
		inputs = append(inputs, in...)
		for _, u := range f.Unseen {
			unseen[strconv.Itoa(u.Row)+"\x00"+u.Column]++
			if unseen[strconv.Itoa(u.Row)+"\x00"+u.Column] == len(m.members) { // no fold has seen it
				if notes == nil {
					notes = make([][]string, t.Rows())
				}
				notes[u.Row] = append(notes[u.Row], fmt.Sprintf("%s %s was not seen in training", u.Column, list.Quote(u.Value)))
			}
		}
	}
	byName := map[string]*tarn.Tensor{}
	i := 0
	for k, member := range m.members {
		if member.layout.Numbers > 0 {
			byName["numbers"+strconv.Itoa(k)] = inputs[i]
			i++
		}
		if len(member.layout.Sizes) > 0 {
			byName["codes"+strconv.Itoa(k)] = inputs[i]
			i++
		}
	}
	var ordered []*tarn.Tensor
	for _, name := range runner.Inputs() {
		ordered = append(ordered, byName[name])
	}
	out, err := runner.Run(ctx, ordered...)
	if err != nil {
		return nil, nil, err
	}
	y := out["y"].F64()
	if k := len(m.About.Classes); k > 0 {
		for i := 0; i < len(y); i += k {
			temper(y[i:i+k], m.About.Temperature)
		}
	}
	return y, notes, nil
}

// Predict answers each row of a table, whose columns are found by name.
func (m *Model) Predict(ctx context.Context, rows *table.Table) (*predict.Answers, error) {
	if err := m.alike(rows); err != nil {
		return nil, fmt.Errorf("fit: Predict: %w", err)
	}
	if rows == nil {
		return nil, errors.New("fit: Predict: the table is nil")
	}
	y, notes, err := m.answers(ctx, rows)
	if err != nil {
		return nil, fmt.Errorf("fit: Predict: %w", err)
	}
	a := &predict.Answers{Classes: m.About.Classes, Notes: notes}
	if k := len(a.Classes); k > 0 {
		for i := 0; i < len(y); i += k {
			p := y[i : i+k : i+k]
			a.Probabilities = append(a.Probabilities, p)
			a.Labels = append(a.Labels, a.Classes[choose(p, m.About.Threshold)])
		}
	} else {
		a.Values = y
		for _, v := range y {
			a.Low = append(a.Low, v-m.About.Interval)
			a.High = append(a.High, v+m.About.Interval)
		}
	}
	if predict.AsksShares(ctx) && m.medium == nil {
		if a.Shares, err = m.shares(ctx, rows, y); err != nil {
			return nil, fmt.Errorf("fit: Predict: %w", err)
		}
	}
	return a, nil
}

// choose returns the class that is chosen: of two the second one if its probability reaches the threshold, and otherwise the likeliest.
func choose(p []float64, threshold float64) int {
	if len(p) == 2 {
		if p[1] >= threshold {
			return 1
		}
		return 0
	}
	best := 0
	for k, v := range p {
		if v > p[best] {
			best = k
		}
	}
	return best
}

// FoldMeans returns the mean of each metric over the folds, and its standard error, both nil if there is one fold only. Folds share rows that they learned from, so that the
// errors are a little too small.
func (a *About) FoldMeans() (means, errors map[string]float64) {
	if len(a.Folds) < 2 {
		return nil, nil
	}
	means, errors = map[string]float64{}, map[string]float64{}
	for name := range a.Metrics {
		var n, sum, square float64
		for _, f := range a.Folds {
			if v, there := f.Metrics[name]; there {
				n, sum, square = n+1, sum+v, square+v*v
			}
		}
		if n > 1 {
			means[name] = sum / n
			errors[name] = math.Sqrt(max(0, square-sum*sum/n) / (n * (n - 1)))
		}
	}
	return means, errors
}

// NotBetter reports whether the answers are no better than always the commonest class, or the mean, by more than a standard error, and by which metric: log loss, or RMSE.
func (a *About) NotBetter() (metric string, worse bool) {
	metric = "log loss"
	if a.Task == Regress {
		metric = "RMSE"
	}
	return metric, a.Metrics[metric] > a.Baseline[metric]-a.Errors[metric]
}

// SmallerIsBetter reports whether a metric is smaller for better answers.
func SmallerIsBetter(metric string) bool {
	return slices.Contains([]string{"log loss", "calibration error", "RMSE", "MAE"}, metric)
}

// MetricNames returns the names of the metrics, the most telling first.
func (a *About) MetricNames() []string {
	order := []string{"accuracy", "AUC", "balanced accuracy", "F1", "log loss", "calibration error", "RMSE", "MAE", "R2"}
	return slices.SortedFunc(maps.Keys(a.Metrics), func(x, y string) int {
		i, j := slices.Index(order, x), slices.Index(order, y)
		return cmp.Or(cmp.Compare(i, j), cmp.Compare(x, y))
	})
}
