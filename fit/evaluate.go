package fit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/rng"
	"github.com/seed-49005b45/tarn/train"
)

// This file measures how good answers are.

// Evaluation is how good a model's answers about rows with known targets are.
type Evaluation struct {
	Rows     int                `json:"rows"`
	Classes  []string           `json:"classes,omitempty"`
	Metrics  map[string]float64 `json:"metrics"`
	Errors   map[string]float64 `json:"errors"`   // standard errors of the metrics, where they are known
	Baseline map[string]float64 `json:"baseline"` // metrics of the commonest class, or of the mean, in the rows of the training
	// Confusion counts for each class, down, what it was taken for, across.
	Confusion [][]int `json:"confusion,omitempty"`
	PerClass  []Class `json:"per_class,omitempty"`

	threshold float64
	truth     outcome
	answers   []float64
	table     *table.Table // the rows
}

// Class is how good the answers are about one class.
type Class struct {
	Name      string  `json:"name"`
	Rows      int     `json:"rows"`
	Precision float64 `json:"precision"` // of the rows that were taken for it, the share that are of it
	Recall    float64 `json:"recall"`    // of the rows that are of it, the share that were taken for it
	F1        float64 `json:"f1"`
}

// outcome is what is true of some rows.
type outcome struct {
	class []int32
	value []float64
}

func (o outcome) rows() int { return max(len(o.class), len(o.value)) }

// truth is the outcome of some rows.
func (p *problem) truth(rows []int) outcome {
	var o outcome
	for _, r := range rows {
		if p.class != nil {
			o.class = append(o.class, p.class[r])
		} else {
			o.value = append(o.value, p.value[r])
		}
	}
	return o
}

// guess answers rows by the shares of the classes, or by the mean, of the rows learned from.
func (p *problem) guess(rows []int) []float64 {
	n := float64(p.table.Rows())
	if p.class != nil {
		share := make([]float64, len(p.classes))
		for _, k := range p.class {
			share[k] += 1 / n
		}
		return slices.Repeat(share, len(rows))
	}
	mean := 0.0
	for _, v := range p.value {
		mean += v / n
	}
	return slices.Repeat([]float64{mean}, len(rows))
}

// measure compares answers with the truth.
func measure(classes []string, threshold float64, truth outcome, answers []float64) *Evaluation {
	n := truth.rows()
	e := &Evaluation{Rows: n, Classes: classes, Metrics: map[string]float64{}, Errors: map[string]float64{}, threshold: threshold, truth: truth, answers: answers}
	if classes == nil {
		e.quantities(truth.value, answers)
		return e
	}
	k := len(classes)
	e.Confusion = make([][]int, k)
	for i := range e.Confusion {
		e.Confusion[i] = make([]int, k)
	}
	right, loss, square := 0, 0.0, 0.0
	for i, c := range truth.class {
		p := answers[i*k : (i+1)*k]
		best := choose(p, threshold)
		e.Confusion[c][best]++
		if best == int(c) {
			right++
		}
		l := -math.Log(max(p[c], 1e-15))
		loss += l / float64(n)
		square += l * l / float64(n)
	}
	accuracy := float64(right) / float64(n)
	e.Metrics["accuracy"], e.Errors["accuracy"] = accuracy, math.Sqrt(accuracy*(1-accuracy)/float64(n))
	e.Metrics["log loss"], e.Errors["log loss"] = loss, math.Sqrt(max(0, square-loss*loss)/float64(n))
	recall, f1, there := 0.0, 0.0, 0.0
	for c := range k {
		row, column := 0, 0
		for j := range k {
			row += e.Confusion[c][j]
			column += e.Confusion[j][c]
		}
		right := float64(e.Confusion[c][c])
		one := Class{Name: classes[c], Rows: row}
		if column > 0 {
			one.Precision = right / float64(column)
		}
		if row > 0 {
			there++
			one.Recall, one.F1 = right/float64(row), 2*right/float64(row+column)
			recall, f1 = recall+one.Recall, f1+one.F1
		}
		e.PerClass = append(e.PerClass, one)
	}
	e.Metrics["balanced accuracy"] = recall / there
	e.Metrics["F1"] = f1 / there
	if k == 2 {
		if e.PerClass[1].Rows > 0 {
			e.Metrics["F1"] = e.PerClass[1].F1
		}
		e.add("AUC", &train.ROCAUC{Probabilities: true})
	}
	e.add("calibration error", &train.CalibrationError{Probabilities: true})
	return e
}

// add takes a metric of probabilities, unless there is nothing that it can be measured by, such as rows of one class only.
func (e *Evaluation) add(name string, m train.Metric) {
	answers, err := tarn.FromSlice(e.answers, e.Rows, len(e.Classes))
	if err != nil {
		return
	}
	if err := m.Add(answers, tarn.Vector(e.truth.class)); err != nil {
		return
	}
	if v := m.Value(); !math.IsNaN(v) {
		e.Metrics[name] = v
	}
}

// quantities compares quantities.
func (e *Evaluation) quantities(truth, answers []float64) {
	n := float64(len(truth))
	mean := 0.0
	for _, v := range truth {
		mean += v / n
	}
	var square, fourth, absolute, spread float64
	for i, v := range truth {
		d := answers[i] - v
		square += d * d / n
		fourth += d * d * d * d / n
		absolute += math.Abs(d) / n
		spread += (v - mean) * (v - mean) / n
	}
	rmse := math.Sqrt(square)
	e.Metrics["RMSE"], e.Metrics["MAE"] = rmse, absolute
	if rmse > 0 {
		e.Errors["RMSE"] = math.Sqrt(max(0, fourth-square*square)/n) / (2 * rmse)
	}
	e.Errors["MAE"] = math.Sqrt(max(0, square-absolute*absolute) / n)
	if spread > 0 {
		e.Metrics["R2"] = 1 - square/spread
	}
}

// Evaluate answers the rows of a table whose targets are known, and measures the answers. Rows without a target are left out.
func (m *Model) Evaluate(ctx context.Context, t *table.Table) (*Evaluation, error) {
	if err := m.alike(t); err != nil {
		return nil, fmt.Errorf("fit: Evaluate: %w", err)
	}
	if t == nil {
		return nil, errors.New("fit: Evaluate: the table is nil")
	}
	if s, ok := m.medium.(*seriesMedium); ok {
		truth, answers, err := m.backtest(ctx, s, t)
		if err != nil {
			return nil, fmt.Errorf("fit: Evaluate: %w", err)
		}
		e := measure(nil, 0.5, outcome{value: truth}, answers)
		e.Baseline = m.About.Baseline
		return e, nil
	}
	d := m.schema.Target()
	c := t.Column(d.Name)
	if c == nil {
		return nil, fmt.Errorf("fit: Evaluate: there is no column %s, the target; there are %s", list.Quote(d.Name), list.Names(t.Names()))
	}
	var truth outcome
	if m.About.Task != Classify {
		var err error
		if truth.value, err = table.Values(t, d); err != nil {
			return nil, fmt.Errorf("fit: Evaluate: %w", err)
		}
	}
	var rows []int
	for i := range t.Rows() {
		if !c.Missing(i) && (truth.value == nil || !math.IsNaN(truth.value[i])) { // a word among numbers counts as missing
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("fit: Evaluate: no row has a value of %s", list.Quote(d.Name))
	}
	t = t.Take(rows)
	c = t.Column(d.Name)
	if m.About.Task == Classify {
		for i := range rows {
			k := slices.Index(m.About.Classes, c.Text(i))
			if k < 0 {
				k = m.sameClass(c.Text(i))
			}
			if k < 0 {
				return nil, fmt.Errorf("fit: Evaluate: line %d: %s is not one of the classes %s", t.Line(i), list.Quote(c.Text(i)), list.Names(m.About.Classes))
			}
			truth.class = append(truth.class, int32(k))
		}
	} else {
		known := make([]float64, len(rows)) // the values may be the table's own
		for k, i := range rows {
			known[k] = truth.value[i]
		}
		truth.value = known
	}
	y, _, err := m.answers(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("fit: Evaluate: %w", err)
	}
	e := measure(m.About.Classes, m.About.Threshold, truth, y)
	e.Baseline = m.About.Baseline
	if m.About.Priors != nil {
		e.Baseline = measure(m.About.Classes, 0.5, truth, slices.Repeat(m.About.Priors, len(rows))).Metrics
	}
	e.table = t
	return e, nil
}

// sameClass finds a class that means the same as a word, such as true and yes.
func (m *Model) sameClass(word string) int {
	yes, ok := table.Meaning(word)
	if !ok {
		return -1
	}
	for k, name := range m.About.Classes {
		if other, ok := table.Meaning(name); ok && other == yes {
			return k
		}
	}
	return -1
}

// Importance says how much worse the answers become if the values of a column are dealt out anew among the rows.
type Importance struct {
	Column string  `json:"column"`
	Worse  float64 `json:"worse"`  // by how much the loss rises: log loss, or the mean square relative to the variance
	Spread float64 `json:"spread"` // standard deviation over repetitions
}

const (
	mostMeasured = 64              // columns whose importance is measured one by one
	lateMeasures = 2 * time.Second // how long this may take if the context has ended before
)

// important measures the importance of the columns. If the context ends meanwhile, it leaves the importance out and says so in a note.
func (m *Model) important(ctx context.Context, p *problem) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lateMeasures)
		defer cancel()
	}
	features, err := m.matter(ctx, p)
	if err == nil {
		err = m.measureImportance(ctx, p, features)
	}
	if err != nil && ctx.Err() != nil {
		m.About.Notes = append(m.About.Notes, "the training was stopped before the importance of the columns was measured")
		return nil
	}
	return err
}

// matter returns the columns to measure: all, or of many the mostMeasured ones that are left if the half of groups that matters less goes again and again, and the others are halved.
func (m *Model) matter(ctx context.Context, p *problem) ([]string, error) {
	features := p.schema.Features()
	if len(features) <= mostMeasured {
		return features, nil
	}
	groups := slices.Collect(slices.Chunk(features, (len(features)+mostMeasured-1)/mostMeasured))
	for len(groups[0]) > 1 {
		var halves [][]string
		for _, g := range groups {
			halves = slices.AppendSeq(halves, slices.Chunk(g, (len(g)+1)/2))
		}
		worse, err := m.without(ctx, p, p.folds[:min(2, len(p.folds))], halves, 1)
		if err != nil {
			return nil, err
		}
		order := make([]int, len(halves))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(worse[b][0], worse[a][0]) })
		order = order[:min(len(order), mostMeasured)]
		groups = groups[:0]
		for _, i := range order {
			groups = append(groups, halves[i])
		}
		slices.SortStableFunc(groups, func(a, b []string) int { return cmp.Compare(len(b), len(a)) })
	}
	return slices.Concat(groups...), nil
}

// measureImportance measures the importance of each of the columns.
func (m *Model) measureImportance(ctx context.Context, p *problem, features []string) error {
	const repeats = 3
	var groups [][]string
	for i := range features {
		groups = append(groups, features[i:i+1])
	}
	worse, err := m.without(ctx, p, p.folds, groups, repeats)
	if err != nil {
		return err
	}
	for i, name := range features {
		im := Importance{Column: name}
		for _, w := range worse[i] {
			im.Worse += w / repeats
		}
		for _, w := range worse[i] {
			im.Spread += (w - im.Worse) * (w - im.Worse) / (repeats - 1)
		}
		im.Spread = math.Sqrt(im.Spread)
		m.About.Importance = append(m.About.Importance, im)
	}
	slices.SortStableFunc(m.About.Importance, func(a, b Importance) int { return cmp.Compare(b.Worse, a.Worse) })
	return nil
}

// without returns by how much the loss rises, by group of columns and repetition, if the values of the group are dealt out anew among the rows: fold by fold on rows that the fold has not learned
// from.
func (m *Model) without(ctx context.Context, p *problem, folds []fold, groups [][]string, repeats int) ([][]float64, error) {
	most := min(2000, max(100, 200_000/max(1, len(p.schema.Features())))) // rows
	worse := make([][]float64, len(groups))
	for i := range worse {
		worse[i] = make([]float64, repeats)
	}
	total, spread := 0.0, 1.0
	if p.class == nil {
		spread = 0
		mean := p.guess([]int{0})[0]
		for _, v := range p.value {
			spread += (v - mean) * (v - mean) / float64(len(p.value))
		}
		spread /= 2
	}
	for k, f := range folds {
		rows := f.judge[:min(len(f.judge), max(1, most/len(p.folds)))]
		alone := &Model{About: m.About, schema: m.schema, members: m.members[k : k+1]}
		part := p.table.Take(rows)
		loss := func(t *table.Table) (float64, error) {
			y, _, err := alone.answers(ctx, t)
			if err != nil {
				return 0, err
			}
			return p.loss(y, rows), nil
		}
		base, err := loss(part)
		if err != nil {
			return nil, err
		}
		total += float64(len(rows))
		for i, names := range groups {
			for r := range repeats {
				order := rng.Perm(len(rows), rng.Named(p.options.Seed, fmt.Sprintf("fit.importance.%d.%s", r, names[0])))
				other := part
				for _, name := range names {
					column := &table.Table{Columns: []*table.Column{part.Column(name)}}
					other = other.With(column.Take(order).Columns[0])
				}
				s, err := loss(other)
				if err != nil {
					return nil, err
				}
				worse[i][r] += (s - base) / spread
			}
		}
	}
	for i := range worse {
		for r := range worse[i] {
			worse[i][r] /= total
		}
	}
	return worse, nil
}

// digest is the SHA-256 of the names and values of a table.
func digest(t *table.Table) string {
	h := sha256.New()
	var b [8]byte
	for _, c := range t.Columns {
		fmt.Fprintf(h, "%d %s\n", len(c.Name), c.Name)
		for i := range c.Len() {
			if c.Numbers != nil {
				binary.LittleEndian.PutUint64(b[:], math.Float64bits(c.Numbers[i]))
				h.Write(b[:])
			} else {
				text := c.Text(i)
				binary.LittleEndian.PutUint64(b[:], uint64(len(text)))
				h.Write(b[:])
				h.Write([]byte(text))
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
