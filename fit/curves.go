package fit

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file shows answers whose truth is known as curves: what a threshold trades for what, whether probabilities hold, and how quantities are missed.

// Curve is a line through points.
type Curve struct {
	Name string    `json:"name"`
	X    []float64 `json:"x"`
	Y    []float64 `json:"y"`
}

// mostPoints is the most points of a curve.
const mostPoints = 400

// ranked calls f for each different probability of a class, from the largest: how many of the rows with at least this probability are of the class, and how many are not.
func (e *Evaluation) ranked(class int, f func(right, wrong float64)) (positive, negative float64) {
	k := len(e.Classes)
	order := make([]int, len(e.truth.class))
	for i, c := range e.truth.class {
		order[i] = i
		if int(c) == class {
			positive++
		} else {
			negative++
		}
	}
	if positive == 0 || negative == 0 {
		return positive, negative
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(e.answers[b*k+class], e.answers[a*k+class]) })
	var right, wrong float64
	for i, row := range order {
		if int(e.truth.class[row]) == class {
			right++
		} else {
			wrong++
		}
		if i+1 < len(order) && e.answers[order[i+1]*k+class] == e.answers[row*k+class] {
			continue
		}
		f(right, wrong)
	}
	return positive, negative
}

// thin leaves at most mostPoints points of a curve, the first and the last among them.
func (c *Curve) thin() {
	n := len(c.X)
	if n <= mostPoints {
		return
	}
	for i := range mostPoints {
		at := i * (n - 1) / (mostPoints - 1)
		c.X[i], c.Y[i] = c.X[at], c.Y[at]
	}
	c.X, c.Y = c.X[:mostPoints], c.Y[:mostPoints]
}

// ROC returns the receiver operating characteristic of a class against the others: over all thresholds, the share of rows of other classes that are taken for it, and the
// share of its own rows that are. The points are nil if all rows are of the class, or none is.
func (e *Evaluation) ROC(class int) Curve {
	c := Curve{Name: e.Classes[class]}
	positive, negative := e.ranked(class, func(right, wrong float64) { c.X, c.Y = append(c.X, wrong), append(c.Y, right) })
	if c.X == nil {
		return c
	}
	c.X, c.Y = append([]float64{0}, c.X...), append([]float64{0}, c.Y...)
	for i := range c.X {
		c.X[i] /= negative
		c.Y[i] /= positive
	}
	c.thin()
	return c
}

// PrecisionRecall returns, over all thresholds, the recall of a class and its precision. The points are nil if all rows are of the class, or none is.
func (e *Evaluation) PrecisionRecall(class int) Curve {
	c := Curve{Name: e.Classes[class]}
	positive, _ := e.ranked(class, func(right, wrong float64) {
		c.X, c.Y = append(c.X, right), append(c.Y, right/(right+wrong))
	})
	for i := range c.X {
		c.X[i] /= positive
	}
	c.thin()
	return c
}

// Bin is a group of rows whose probability of the class that was chosen is about the same; of two classes, of the second one.
type Bin struct {
	Rows      int     `json:"rows"`
	Predicted float64 `json:"predicted"` // mean probability
	Observed  float64 `json:"observed"`  // share of rows for which it came true
	Error     float64 `json:"error"`     // standard error of the share
}

// Calibration compares probabilities with what came true, in at most 10 bins of equally many rows. It is nil for quantities.
func (e *Evaluation) Calibration() []Bin {
	k := len(e.Classes)
	if k == 0 {
		return nil
	}
	type pair struct{ p, right float64 }
	var pairs []pair
	for i, c := range e.truth.class {
		p := e.answers[i*k : (i+1)*k]
		class := 1
		if k > 2 {
			class = choose(p, e.threshold)
		}
		q := pair{p: p[class]}
		if int(c) == class {
			q.right = 1
		}
		pairs = append(pairs, q)
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.p, b.p) })
	bins := min(10, max(1, len(pairs)/10))
	var out []Bin
	for b := range bins {
		part := pairs[b*len(pairs)/bins : (b+1)*len(pairs)/bins]
		one := Bin{Rows: len(part)}
		for _, q := range part {
			one.Predicted += q.p / float64(len(part))
			one.Observed += q.right / float64(len(part))
		}
		one.Error = math.Sqrt(max(0, one.Observed*(1-one.Observed)) / float64(len(part)))
		out = append(out, one)
	}
	return out
}

// Residuals returns the predicted quantities and by how much the truth is above them. Both are nil for classes.
func (e *Evaluation) Residuals() (predicted, residuals []float64) {
	if e.Classes != nil {
		return nil, nil
	}
	for i, v := range e.truth.value {
		predicted = append(predicted, e.answers[i])
		residuals = append(residuals, v-e.answers[i])
	}
	return predicted, residuals
}

// Slice is how good the answers are about a part of the rows.
type Slice struct {
	Name    string             `json:"name"`
	Rows    int                `json:"rows"`
	Metrics map[string]float64 `json:"metrics"`
	Errors  map[string]float64 `json:"errors"`
}

// mostSlices is the most slices by words; the rest is one more.
const mostSlices = 12

// By returns how good the answers are about rows of each value of a column, which the model need not read: the commonest words, or quarters of the numbers if there are more
// than a few different ones.
func (e *Evaluation) By(column string) ([]Slice, error) {
	if e.table == nil {
		return nil, errors.New("fit: By: the rows that judged were no table")
	}
	c := e.table.Column(column)
	if c == nil {
		return nil, fmt.Errorf("fit: By: there is no column %s; there are %s", list.Quote(column), list.Names(e.table.Names()))
	}
	names, groups := slicesOf(c)
	var out []Slice
	k := max(1, len(e.Classes))
	for i, rows := range groups {
		var truth outcome
		var answers []float64
		for _, r := range rows {
			if e.truth.class != nil {
				truth.class = append(truth.class, e.truth.class[r])
			} else {
				truth.value = append(truth.value, e.truth.value[r])
			}
			answers = append(answers, e.answers[r*k:(r+1)*k]...)
		}
		one := measure(e.Classes, e.threshold, truth, answers)
		out = append(out, Slice{names[i], len(rows), one.Metrics, one.Errors})
	}
	return out, nil
}

// slicesOf groups the rows of a column.
func slicesOf(c *table.Column) (names []string, groups [][]int) {
	byName := map[string][]int{}
	var absent []int
	var numbers []float64
	for i := range c.Len() {
		if c.Missing(i) {
			absent = append(absent, i)
			continue
		}
		byName[c.Text(i)] = append(byName[c.Text(i)], i)
		if c.Numbers != nil {
			numbers = append(numbers, c.Numbers[i])
		}
	}
	if c.Numbers != nil && len(byName) > mostSlices {
		slices.Sort(numbers)
		edges := []float64{numbers[0]}
		for q := 1; q <= 4; q++ {
			if edge := numbers[q*(len(numbers)-1)/4]; edge > edges[len(edges)-1] {
				edges = append(edges, edge)
			}
		}
		for q := 1; q < len(edges); q++ {
			var rows []int
			for i, v := range c.Numbers {
				if v <= edges[q] && (v > edges[q-1] || q == 1) {
					rows = append(rows, i)
				}
			}
			names, groups = append(names, fmt.Sprintf("%.4g to %.4g", edges[q-1], edges[q])), append(groups, rows)
		}
	} else {
		for name := range byName {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(byName[b]), len(byName[a])), cmp.Compare(a, b))
		})
		var rest []int
		if len(names) > mostSlices {
			for _, name := range names[mostSlices:] {
				rest = append(rest, byName[name]...)
			}
			names = names[:mostSlices]
		}
		sortClasses(names)
		for _, name := range names {
			groups = append(groups, byName[name])
		}
		if rest != nil {
			slices.Sort(rest)
			names, groups = append(names, "others"), append(groups, rest)
		}
	}
	if absent != nil {
		names, groups = append(names, "missing"), append(groups, absent)
	}
	return names, groups
}
