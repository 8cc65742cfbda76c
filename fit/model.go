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
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/predict"
)

// This file holds the model: how it is made of what the folds have learned, and how it answers.

// Model is a model of a table, or of pictures. Its methods may be called by several goroutines at the same time.
type Model struct {
	About About

	schema  *table.Schema
	members []*member
	medium  medium // of a model of pictures, texts or a series, which has no members
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
	Notes       []string           `json:"notes,omitempty"`
	Seed        uint64             `json:"seed"`
	Command     string             `json:"command,omitempty"` // by which the model was made, if one says so
	Source      string             `json:"source,omitempty"`  // of the data, if one says so
	Digest      string             `json:"digest"`            // SHA-256 of the values learned from
	Importance  []Importance       `json:"importance,omitempty"`
}

// Table makes a model of a table.
func Table(ctx context.Context, t *table.Table, o Options) (*Model, error) {
	if t == nil {
		return nil, errors.New("fit: the table is nil")
	}
	p, err := prepare(t, o)
	if err != nil {
		return nil, err
	}
	m := &Model{schema: p.schema}
	m.About = About{Version: 1, Task: Regress, Target: p.schema.Target().Name, Classes: p.classes, Temperature: 1, Threshold: 0.5, Rows: p.table.Rows(), Split: p.split, Seed: o.Seed, Notes: p.notes, Digest: digest(p.table)}
	if p.class != nil {
		m.About.Task = Classify
	}
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
	if o.Family != Linear {
		for k, f := range p.folds {
			if err := p.learnNetwork(ctx, m.members[k], f, k, e); err != nil {
				return nil, err
			}
		}
	}
	if err := m.judge(p, straight); err != nil {
		return nil, err
	}
	return m, nil
}

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
func (m *Model) judge(p *problem, straight [][]float64) error {
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
	// One list of all rows that judge.
	width := max(1, len(p.classes))
	var rows []int
	var answers, alone []float64
	for k, f := range p.folds {
		rows = append(rows, f.judge...)
		a := straight[k]
		if deep[k] != nil {
			a = mix(straight[k], deep[k], m.About.Share)
		}
		answers = append(answers, a...)
		alone = append(alone, straight[k]...)
	}
	if p.class != nil {
		m.About.Temperature = p.temperature(answers, rows)
		for i := 0; i < len(answers); i += width {
			temper(answers[i:i+width], m.About.Temperature)
		}
	} else {
		var off []float64
		for i, r := range rows {
			off = append(off, math.Abs(answers[i]-p.value[r]))
		}
		slices.Sort(off)
		m.About.Interval = off[min(len(off)-1, int(math.Ceil(0.9*float64(len(off)+1)))-1)]
	}
	truth := p.truth(rows)
	ev := measure(m.About.Classes, truth, answers)
	m.About.Metrics, m.About.Errors = ev.Metrics, ev.Errors
	m.About.Baseline = measure(m.About.Classes, truth, p.guess(rows)).Metrics
	m.About.Linear = measure(m.About.Classes, truth, alone).Metrics
	return m.important(p)
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

// Warm compiles what answers need, which the first answer does otherwise.
func (m *Model) Warm() error {
	_, err := m.predictor()
	return err
}

// answers are probabilities or quantities, row after row, and what is unusual about the rows.
func (m *Model) answers(ctx context.Context, t *table.Table) ([]float64, [][]string, error) {
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
			a.Labels = append(a.Labels, a.Classes[m.choose(p)])
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

// choose returns the class that is chosen.
func (m *Model) choose(p []float64) int {
	if len(p) == 2 {
		if p[1] >= m.About.Threshold {
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

// MetricNames returns the names of the metrics, the most telling first.
func (a *About) MetricNames() []string {
	order := []string{"accuracy", "AUC", "balanced accuracy", "F1", "log loss", "calibration error", "RMSE", "MAE", "R2"}
	return slices.SortedFunc(maps.Keys(a.Metrics), func(x, y string) int {
		i, j := slices.Index(order, x), slices.Index(order, y)
		return cmp.Or(cmp.Compare(i, j), cmp.Compare(x, y))
	})
}
