package fit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/series"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/predict"
)

// This file holds models that forecast series. Rows whose target is missing are answered with a forecast from the rows before them.

// SeriesOptions say how to fit a model of series. Target and Horizon have to be set.
type SeriesOptions struct {
	MediaOptions
	Target  string
	Time    string   // the column of dates or numbers; "" means that the rows are in order, at equal steps
	Group   string   // the column that tells several series apart; "" means that there is one
	Columns []string // further columns of numbers, whose past is known too
	Horizon int      // steps to forecast
	Length  int      // steps of the past that are looked at; 0 means 3 times the horizon, but 24 at least, if there are enough
	Network string   // "gru", gated recurrent units, which is the default; or "tcn", dilated convolutions (Bai, Kolter and Koltun 2018)
	Hidden  int      // units; 0 means 32
}

// seriesMedium is how a model reads series, and its network.
type seriesMedium struct {
	Network string   `json:"network"`
	Time    string   `json:"time,omitempty"`
	Group   string   `json:"group,omitempty"`
	Columns []string `json:"columns"` // the target is the first
	Length  int      `json:"length"`
	Horizon int      `json:"horizon"`
	Hidden  int      `json:"hidden"`
	Dropout float64  `json:"dropout"`
	Least   float64  `json:"least"` // the smallest deviation by which a window is divided

	net *forecaster
}

// Series makes a model that forecasts the next steps of a series, or of several, in a table. It is judged by the latest part.
//
//	m, err := fit.Series(ctx, t, fit.SeriesOptions{Target: "sales", Time: "date", Group: "shop", Horizon: 12})
//	later, answers, err := m.Forecast(ctx, t)
func Series(ctx context.Context, t *table.Table, o SeriesOptions) (*Model, error) {
	if t == nil {
		return nil, errors.New("fit: the table is nil")
	}
	if o.Network == "" {
		o.Network = "gru"
	}
	if o.Hidden == 0 {
		o.Hidden = 32
	}
	columns := append([]string{o.Target}, o.Columns...)
	for i, c := range columns {
		if c == "" || c == o.Time || c == o.Group || slices.Contains(columns[:i], c) {
			return nil, fmt.Errorf("fit: the column %s cannot be the target or a further column: it is empty, or has another part", list.Quote(c))
		}
	}
	all, err := series.Read(t, series.Options{Time: o.Time, Group: o.Group, Columns: columns})
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	longest := 0
	for _, s := range all {
		longest = max(longest, len(s.Times))
	}
	if o.Length == 0 {
		o.Length = min(max(24, 3*o.Horizon), max(2, (longest-o.Horizon)/3))
	}
	medium := &seriesMedium{Network: o.Network, Time: o.Time, Group: o.Group, Columns: columns, Length: o.Length, Horizon: o.Horizon, Hidden: o.Hidden}
	m := &Model{medium: medium, About: About{Version: version, Task: Regress, Target: o.Target, Share: 1, Temperature: 1, Threshold: 0.5, Seed: o.Seed, Digest: digest(t)}}
	if m.schema, err = seriesSchema(t, o); err != nil {
		return nil, err
	}
	medium.Least = 1
	if err := m.checkMedia(); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	places, err := series.Places(all, o.Length, o.Horizon, 1)
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	media, err := o.MediaOptions.filled(len(places))
	if err != nil {
		return nil, err
	}
	if media.Weights == "balanced" {
		return nil, errors.New("fit: balanced weights are for classes, and a series has quantities")
	}
	medium.Dropout = media.Dropout
	learn, judge, cut := later(all, places, o.Horizon, media.Valid)
	if len(learn) < 10 || len(judge) < 1 {
		return nil, fmt.Errorf("fit: %d windows of %d and %d steps to learn from, and %d to judge by, are too few: at least 10 and 1 are needed; try a smaller horizon or length", len(learn), o.Length, o.Horizon, len(judge))
	}
	medium.Least = medium.least(all, cut)
	m.About.Rows = len(learn)
	m.About.Split = fmt.Sprintf("%d windows to learn, %d to judge, the latest ones", len(learn), len(judge))
	set, err := medium.set(all, learn)
	if err != nil {
		return nil, err
	}
	valid, err := medium.set(all, judge)
	if err != nil {
		return nil, err
	}
	media.plan(float64(o.Length*(3*o.Hidden*o.Hidden+len(columns)*o.Horizon)), len(learn))
	l := &learner{medium: medium, options: media, target: "next", learn: set, judge: valid, loss: func(y *tarn.Value, g *tarn.Graph, n int) *tarn.Value {
		return nn.HuberLoss{}.Loss(y, g.Input("next", tarn.F32, n, o.Horizon))
	}}
	if err := l.train(ctx); err != nil {
		return nil, err
	}
	answers, _, err := l.judged(ctx, false)
	if err != nil {
		return nil, err
	}
	var truth, naive []float64
	for i, p := range judge {
		level, scale := medium.measure(all[p.Series].Values[0][p.At-o.Length : p.At])
		for k := range o.Horizon {
			answers[i*o.Horizon+k] = level + scale*answers[i*o.Horizon+k]
			truth, naive = append(truth, all[p.Series].Values[0][p.At+k]), append(naive, level)
		}
	}
	m.judged, m.curve = m.About.take(truth, answers, naive), l.curve
	return m, nil
}

// take fills in how good forecasts are.
func (a *About) take(truth, answers, naive []float64) *Evaluation {
	e := measure(nil, 0.5, outcome{value: truth}, answers)
	a.Metrics, a.Errors = e.Metrics, e.Errors
	a.Baseline = measure(nil, 0.5, outcome{value: truth}, naive).Metrics
	var off []float64
	for i, v := range truth {
		off = append(off, math.Abs(v-answers[i]))
	}
	slices.Sort(off)
	a.Interval = off[min(len(off)-1, int(0.9*float64(len(off))))]
	mean := 0.0
	for _, v := range truth {
		mean += v / float64(len(truth))
	}
	a.Priors, e.Baseline = []float64{mean}, a.Baseline
	return e
}

// seriesSchema is the schema of the columns that are read.
func seriesSchema(t *table.Table, o SeriesOptions) (*table.Schema, error) {
	kinds := map[string]table.Kind{o.Target: table.Numeric}
	var keep []*table.Column
	for _, name := range append([]string{o.Time, o.Group, o.Target}, o.Columns...) {
		if c := t.Column(name); c != nil {
			keep = append(keep, c)
			if kinds[name] = table.Numeric; name == o.Time && c.Numbers == nil {
				kinds[name] = table.Date
			} else if name == o.Group {
				kinds[name] = table.Category
			}
		}
	}
	s, err := table.Infer(&table.Table{Columns: keep, Dialect: t.Dialect}, table.Hints{Target: o.Target, Kinds: kinds})
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	for i := range s.Columns {
		if s.Columns[i].Role == table.LeftOut {
			s.Columns[i].Role = table.Feature
		}
	}
	s.Warnings = nil
	return s, nil
}

// later deals windows into those whose forecasts end before a moment, and those whose forecasts begin there or later.
func later(all []series.Series, places []series.Place, horizon int, share float64) (learn, judge []series.Place, cut float64) {
	var moments []float64
	for _, p := range places {
		moments = append(moments, all[p.Series].Times[p.At])
	}
	slices.Sort(moments)
	cut = moments[min(len(moments)-1, int(math.Round((1-share)*float64(len(moments)))))]
	for _, p := range places {
		switch times := all[p.Series].Times; {
		case times[p.At+horizon-1] < cut:
			learn = append(learn, p)
		case times[p.At] >= cut:
			judge = append(judge, p)
		}
	}
	return learn, judge, cut
}

// least is a small part of the deviation of the target before a moment.
func (m *seriesMedium) least(all []series.Series, cut float64) float64 {
	n, mean, square := 0.0, 0.0, 0.0
	for _, s := range all {
		for i, v := range s.Values[0] {
			if s.Times[i] < cut {
				n++
				d := v - mean
				mean += d / n
				square += d * (v - mean)
			}
		}
	}
	if least := 0.02 * math.Sqrt(square/max(n, 1)); least > 0 && !math.IsInf(least, 1) {
		return least
	}
	return 1
}

// measure returns the level of the past of a column, its last value, and its deviation.
func (m *seriesMedium) measure(past []float64) (level, scale float64) {
	mean, square := 0.0, 0.0
	for _, v := range past {
		mean += v / float64(len(past))
	}
	for _, v := range past {
		square += (v - mean) * (v - mean) / float64(len(past))
	}
	return past[len(past)-1], max(math.Sqrt(square), m.Least)
}

// window writes the past of all columns, [length columns], as the network reads it.
func (m *seriesMedium) window(to []float32, past [][]float64) {
	for c, values := range past {
		level, scale := m.measure(values)
		if c > 0 && scale == m.Least { // the smallest deviation is that of the target
			scale = 1
		}
		for i, v := range values {
			to[i*len(past)+c] = float32((v - level) / scale)
		}
	}
}

// set is the data set of windows.
func (m *seriesMedium) set(all []series.Series, places []series.Place) (*data.Set, error) {
	width := m.Length * len(m.Columns)
	past, next := make([]float32, len(places)*width), make([]float32, 0, len(places)*m.Horizon)
	for i, p := range places {
		s := all[p.Series]
		var before [][]float64
		for _, v := range s.Values {
			before = append(before, v[p.At-m.Length:p.At])
		}
		m.window(past[i*width:(i+1)*width], before)
		level, scale := m.measure(before[0])
		for _, v := range s.Values[0][p.At : p.At+m.Horizon] {
			next = append(next, float32((v-level)/scale))
		}
	}
	return data.NewSet(
		data.Field{Name: "past", Array: data.Array{Shape: []int{len(places), m.Length, len(m.Columns)}, Data: past}},
		data.Field{Name: "next", Array: data.Array{Shape: []int{len(places), m.Horizon}, Data: next}})
}

func (m *seriesMedium) check(about *About) error {
	switch {
	case m.Network != "gru" && m.Network != "tcn":
		return fmt.Errorf("network %s: there are gru and tcn", list.Quote(m.Network))
	case m.Horizon < 1 || m.Horizon > 10_000:
		return fmt.Errorf("a horizon of %d steps: there must be 1 to 10000", m.Horizon)
	case m.Length < 2 || m.Length > 10_000:
		return fmt.Errorf("a past of %d steps: there must be 2 to 10000", m.Length)
	case m.Hidden < 1 || m.Hidden > 4096:
		return fmt.Errorf("%d hidden units: there must be 1 to 4096", m.Hidden)
	case len(m.Columns) < 1 || len(m.Columns) > 1000 || m.Columns[0] != about.Target || about.Task != Regress:
		return fmt.Errorf("a model of series with the task %q and the columns %s for the target %s", about.Task, list.Names(m.Columns), list.Quote(about.Target))
	case !within(m.Dropout, 0, 0.99) || !(m.Least > 0) || math.IsInf(m.Least, 1):
		return fmt.Errorf("a dropout of %v or a smallest deviation of %v", m.Dropout, m.Least)
	}
	return nil
}

func (m *seriesMedium) network() any {
	if m.net == nil {
		m.net = newForecaster(m)
	}
	return m.net
}

func (m *seriesMedium) declare(g *tarn.Graph, n int) []*tarn.Value {
	return []*tarn.Value{g.Input("past", tarn.F32, n, m.Length, len(m.Columns))}
}

func (m *seriesMedium) forward(in []*tarn.Value) *tarn.Value {
	m.network()
	return m.net.forward(in[0])
}

// tensors is of use for media whose rows are apart.
func (m *seriesMedium) tensors(*table.Table) ([]*tarn.Tensor, error) {
	return nil, errors.New("the rows of a series are answered together")
}

// ReadsSeries reports whether the rows of a table belong together, as moments of series: rows of different questions must not be put into one table.
func (m *Model) ReadsSeries() bool {
	_, ok := m.medium.(*seriesMedium)
	return ok
}

// history is the known part of one series of a table.
type history struct {
	rows   []int // in the order of time
	values [][]float64
}

// histories reads the series of a table, with missing targets as NaN and further columns filled in by the value before.
func (m *seriesMedium) histories(t *table.Table, schema *table.Schema) ([]history, error) {
	var values [][]float64
	for _, name := range m.Columns {
		v, err := table.Values(t, schema.Column(name))
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	times := make([]float64, t.Rows())
	for i := range times {
		times[i] = float64(i)
	}
	if m.Time != "" {
		var err error
		if times, err = table.Values(t, schema.Column(m.Time)); err != nil {
			return nil, err
		}
	}
	index := map[string]int{}
	var all []history
	for i := range t.Rows() {
		name := ""
		if m.Group != "" {
			c := t.Column(m.Group)
			if c == nil {
				return nil, fmt.Errorf("there is no column %s; there are %s", list.Quote(m.Group), list.Names(t.Names()))
			}
			name = c.Text(i)
		}
		if math.IsNaN(times[i]) {
			return nil, &table.CellError{Row: i, Line: t.Line(i), Column: m.Time, Problem: "there is no time"}
		}
		k, known := index[name]
		if !known {
			k = len(all)
			index[name] = k
			all = append(all, history{})
		}
		all[k].rows = append(all[k].rows, i)
	}
	for k := range all {
		h := &all[k]
		slices.SortStableFunc(h.rows, func(a, b int) int { return cmp.Compare(times[a], times[b]) })
		for c, v := range values {
			column, last := make([]float64, len(h.rows)), math.NaN()
			for i, r := range h.rows {
				column[i] = v[r]
				if c > 0 {
					if math.IsNaN(v[r]) {
						column[i] = last
					}
					if last = column[i]; math.IsNaN(last) {
						column[i] = 0
					}
				}
			}
			h.values = append(h.values, column)
		}
	}
	return all, nil
}

// question is a window that is asked for, and the rows that its forecast answers.
type question struct {
	past [][]float64
	rows []int // -1 for a step that has no row
}

// past returns the last steps of the known values before a place, the first one repeated if there are too few.
func (m *seriesMedium) past(h *history, at int) [][]float64 {
	var known []int
	for i := at - 1; i >= 0 && len(known) < m.Length; i-- {
		if !math.IsNaN(h.values[0][i]) {
			known = append(known, i)
		}
	}
	if len(known) == 0 {
		return nil
	}
	for len(known) < m.Length {
		known = append(known, known[len(known)-1])
	}
	slices.Reverse(known)
	past := make([][]float64, len(m.Columns))
	for c := range past {
		for _, i := range known {
			past[c] = append(past[c], h.values[c][i])
		}
	}
	return past
}

// asked is the number of questions that are asked at once, the largest number that the predictor of a medium takes.
const asked = 32

// ask answers questions, some at once: it returns a forecast of Horizon steps for each. Ranks share them.
func (m *Model) ask(ctx context.Context, s *seriesMedium, questions []question, atOnce int) ([][]float64, error) {
	runner, err := m.predictor()
	if err != nil {
		return nil, err
	}
	all, err := pieces(m, len(questions), atOnce, func(lo, hi int) ([][]float64, error) {
		width := s.Length * len(s.Columns)
		x, err := tarn.NewTensor(tarn.F32, hi-lo, s.Length, len(s.Columns))
		if err != nil {
			return nil, fmt.Errorf("the past of %d questions: %w", hi-lo, err)
		}
		for i, q := range questions[lo:hi] {
			s.window(x.F32()[i*width:(i+1)*width], q.past)
		}
		out, err := runner.Run(ctx, x)
		if err != nil {
			return nil, err
		}
		y := out["y"].Floats()
		forecasts := make([][]float64, hi-lo)
		for i, q := range questions[lo:hi] {
			level, scale := s.measure(q.past[0])
			forecasts[i] = y[i*s.Horizon : (i+1)*s.Horizon]
			for k := range forecasts[i] {
				forecasts[i][k] = level + scale*forecasts[i][k]
			}
		}
		return forecasts, nil
	})
	return slices.Concat(all...), err
}

// seriesAnswers answers the rows of series: the target if it is known, and else a forecast from the rows before.
func (m *Model) seriesAnswers(ctx context.Context, s *seriesMedium, t *table.Table) ([]float64, error) {
	all, err := s.histories(t, m.schema)
	if err != nil {
		return nil, err
	}
	answers := make([]float64, t.Rows())
	var questions []question
	for k := range all {
		h := &all[k]
		for i, open := 0, -1; i < len(h.rows); i++ { // open is the first row of those that one question answers
			bad := func(format string, args ...any) error {
				return &table.CellError{Row: h.rows[i], Line: t.Line(h.rows[i]), Column: s.Columns[0], Problem: fmt.Sprintf(format, args...)}
			}
			if v := h.values[0][i]; !math.IsNaN(v) {
				answers[h.rows[i]], open = v, -1
				continue
			}
			if open < 0 {
				open = i
				past := s.past(h, i)
				if past == nil {
					return nil, bad("nothing is known of the series before this row: send rows with their values first")
				}
				questions = append(questions, question{past: past})
			}
			if i-open >= s.Horizon {
				return nil, bad("this is %d steps after the last one that is known, and the model forecasts %d", i-open+1, s.Horizon)
			}
			q := &questions[len(questions)-1]
			q.rows = append(q.rows, h.rows[i])
		}
	}
	if len(questions) == 0 {
		return answers, nil
	}
	forecasts, err := m.ask(ctx, s, questions, asked)
	if err != nil {
		return nil, err
	}
	for i, q := range questions {
		for k, r := range q.rows {
			answers[r] = forecasts[i][k]
		}
	}
	return answers, nil
}

// backtest forecasts each part of Horizon known steps of a table from those before it.
func (m *Model) backtest(ctx context.Context, s *seriesMedium, t *table.Table) (truth, answers []float64, err error) {
	all, err := s.histories(t, m.schema)
	if err != nil {
		return nil, nil, err
	}
	var questions []question
	var next [][]float64
	for k := range all {
		h := &all[k]
		for at := s.Length; at < len(h.rows); at += s.Horizon {
			if past := s.past(h, at); past != nil {
				questions = append(questions, question{past: past})
				next = append(next, h.values[0][at:min(at+s.Horizon, len(h.rows))])
			}
		}
	}
	if len(questions) == 0 {
		return nil, nil, fmt.Errorf("no series has more than the %d rows from which a forecast is made", s.Length)
	}
	forecasts, err := m.ask(ctx, s, questions, asked)
	if err != nil {
		return nil, nil, err
	}
	for i, v := range next {
		for k, x := range v {
			if !math.IsNaN(x) {
				truth, answers = append(truth, x), append(answers, forecasts[i][k])
			}
		}
	}
	return truth, answers, nil
}

// Forecast returns the rows that come after those of a table, as many of each series as the model forecasts, with their times and without values, and the answers about them.
func (m *Model) Forecast(ctx context.Context, t *table.Table) (later *table.Table, answers *predict.Answers, err error) {
	s, ok := m.medium.(*seriesMedium)
	if !ok {
		return nil, nil, errors.New("fit: Forecast: the model is none of series")
	}
	fail := func(err error) (*table.Table, *predict.Answers, error) {
		return nil, nil, fmt.Errorf("fit: Forecast: %w", err)
	}
	if err := m.alike(t); err != nil {
		return fail(err)
	}
	if t == nil {
		return nil, nil, errors.New("fit: Forecast: the table is nil")
	}
	all, err := s.histories(t, m.schema)
	if err != nil {
		return fail(err)
	}
	var times []float64
	if s.Time != "" {
		if times, err = table.Values(t, m.schema.Column(s.Time)); err != nil {
			return fail(err)
		}
	}
	var rows [][]int
	for _, h := range all {
		rows = append(rows, h.rows)
	}
	step := 1.0
	if times != nil {
		step = series.Step(rows, times)
	}
	var names, dates []string
	var moments []float64
	a := &predict.Answers{}
	var questions []question
	for k := range all {
		h := &all[k]
		for len(h.rows) > 0 && math.IsNaN(h.values[0][len(h.rows)-1]) { // what is unknown at the end is forecast anyway
			h.rows = h.rows[:len(h.rows)-1]
		}
		if len(h.rows) > 0 {
			questions = append(questions, question{past: s.past(h, len(h.rows))})
		}
	}
	forecasts, err := m.ask(ctx, s, questions, 1)
	if err != nil {
		return fail(err)
	}
	for _, h := range all {
		if len(h.rows) == 0 {
			continue
		}
		last := h.rows[len(h.rows)-1]
		for i, v := range forecasts[0] {
			if s.Group != "" {
				names = append(names, t.Column(s.Group).Text(last))
			}
			switch {
			case times == nil:
				moments = append(moments, float64(i+1))
			case t.Column(s.Time).Numbers != nil:
				moments = append(moments, times[last]+float64(i+1)*step)
			default:
				dates = append(dates, after(times[last], step, i+1).Format(m.schema.Column(s.Time).Layout))
			}
			a.Values = append(a.Values, v)
			a.Low, a.High = append(a.Low, v-m.About.Interval), append(a.High, v+m.About.Interval)
		}
		forecasts = forecasts[1:]
	}
	var columns []*table.Column
	if s.Group != "" {
		columns = append(columns, table.Words(s.Group, names...))
	}
	switch {
	case times == nil:
		columns = append(columns, table.Numbers("step", moments...))
	case dates != nil:
		columns = append(columns, table.Words(s.Time, dates...))
	default:
		columns = append(columns, table.Numbers(s.Time, moments...))
	}
	later, err = table.New(columns...)
	if err != nil {
		return fail(err)
	}
	return later, a, nil
}

// after returns the moment some steps after another one. Steps of 28 to 31 days are months, of 89 to 92 quarters, and of 365 or 366 years.
func after(moment, step float64, n int) time.Time {
	t := time.Unix(int64(math.Floor(moment)), 0).UTC()
	const day = 24 * 3600
	for months, days := range map[int][2]float64{1: {28, 31}, 3: {89, 92}, 12: {365, 366}} {
		if step >= days[0]*day && step <= days[1]*day {
			last := t.AddDate(0, 0, 1).Day() == 1 // the last day of a month stays so
			first := time.Date(t.Year(), t.Month()+time.Month(n*months), 1, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
			most := first.AddDate(0, 1, -1).Day()
			if last {
				return first.AddDate(0, 0, most-1)
			}
			return first.AddDate(0, 0, min(t.Day(), most)-1)
		}
	}
	return t.Add(time.Duration(float64(n) * step * float64(time.Second)))
}

// forecaster is a network for windows of series: a linear layer on the whole window, and beside it gated recurrent units or dilated convolutions.
type forecaster struct {
	Straight *nn.Linear
	GRU      *nn.GRU
	Blocks   []*dilated
	Drop     *nn.Dropout
	Out      *nn.Linear

	width int // of the window
}

// dilated is two causal convolutions with what they read added.
type dilated struct {
	First, Second *nn.Conv
	Shortcut      *nn.Conv
}

func newForecaster(m *seriesMedium) *forecaster {
	columns := len(m.Columns)
	f := &forecaster{width: m.Length * columns, Straight: nn.NewLinear(m.Length*columns, m.Horizon), Drop: nn.NewDropout(m.Dropout), Out: nn.NewLinear(m.Hidden, m.Horizon)}
	f.Straight.Weight.SetInit(nn.Zeros()) // so that the forecast begins near the last value
	f.Out.Weight.SetInit(nn.Normal(0, 0.01))
	if m.Network == "gru" {
		f.GRU = nn.NewGRU(columns, m.Hidden, nn.RecurrentOptions{})
		return f
	}
	in := columns
	for dilation := 1; dilation < m.Length; dilation *= 2 {
		causal := func(in int) *nn.Conv {
			c := nn.NewConv1d(in, m.Hidden, 3)
			c.Dilation, c.Padding, c.PaddingAfter = []int{dilation}, []int{2 * dilation}, []int{0}
			return c
		}
		b := &dilated{First: causal(in), Second: causal(m.Hidden)}
		if in != m.Hidden {
			b.Shortcut = nn.NewConv1d(in, m.Hidden, 1)
		}
		f.Blocks, in = append(f.Blocks, b), m.Hidden
	}
	return f
}

func (f *forecaster) forward(x *tarn.Value) *tarn.Value {
	n, length := x.Shape()[0], x.Shape()[1]
	y := x
	if f.GRU != nil {
		y = f.GRU.Forward(x)
	}
	for _, b := range f.Blocks {
		z := b.Second.Forward(b.First.Forward(y).ReLU()).ReLU()
		if b.Shortcut != nil {
			y = b.Shortcut.Forward(y)
		}
		y = y.Add(z)
	}
	y = y.Slice(1, length-1, length).Reshape(n, y.Shape()[2])
	return f.Straight.Forward(x.Reshape(n, f.width)).Add(f.Out.Forward(f.Drop.Forward(y)))
}
