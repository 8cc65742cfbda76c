package fit

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file tells which share each column has in an answer, by Shapley values: what the answer changes by when the column's value becomes known, on average over
// orders in which the columns become known. A value that is not known is drawn from what the training part had in its column. (Strumbelj and Kononenko 2014, Explaining
// prediction models and individual predictions with feature contributions, algorithm 1, with each order also walked backward.)

const shareOrders = 16 // orders, half of them backward

// shares returns for each row the share of each feature of the schema in its answer: in the probability of the class that is chosen, or in the quantity. Their sum is the
// answer less that of unknown values.
func (m *Model) shares(ctx context.Context, t *table.Table, y []float64) ([][]float64, error) {
	features := m.schema.Features()
	k := max(1, len(m.About.Classes))
	out := make([][]float64, t.Rows())
	for row := range t.Rows() {
		steps := len(features) + 1
		chosen := 0
		if k > 1 {
			chosen = choose(y[row*k:(row+1)*k], m.About.Threshold)
		}
		// All tables of all orders in one: the first row has drawn values only, each later one a true value more.
		columns := make([]*table.Column, len(features))
		var orders [][]int
		for o := range shareOrders / 2 {
			order := rng.Perm(len(features), rng.Named(uint64(row), "fit.shares."+strconv.Itoa(o)))
			backward := slices.Clone(order)
			slices.Reverse(backward)
			orders = append(orders, order, backward)
		}
		for f, name := range features {
			drawn := m.draw(name, len(orders), uint64(row))
			truth := t.Column(name)
			words := make([]string, 0, len(orders)*steps)
			numbers := make([]float64, 0, len(orders)*steps)
			for o, order := range orders {
				place := slices.Index(order, f)
				for s := range steps {
					from, at := drawn, o/2
					if s > place {
						from, at = truth, row
					}
					if truth.Numbers != nil {
						numbers = append(numbers, from.Numbers[at])
					} else {
						words = append(words, from.Text(at))
					}
				}
			}
			if truth.Numbers != nil {
				columns[f] = table.Numbers(name, numbers...)
			} else {
				columns[f] = table.Words(name, words...)
			}
		}
		all, err := table.New(columns...)
		if err != nil {
			return nil, err
		}
		all.Dialect = t.Dialect
		answers, _, err := m.answers(ctx, all)
		if err != nil {
			return nil, err
		}
		share := make([]float64, len(features))
		for o, order := range orders {
			for s, f := range order {
				at := o*steps + s
				share[f] += (answers[(at+1)*k+chosen] - answers[at*k+chosen]) / float64(len(orders))
			}
		}
		out[row] = share
	}
	return out, nil
}

// draw draws values of a column from what the encoder of the first fold knows of it. They are of the kind, numbers or words, that the schema reads.
func (m *Model) draw(name string, n int, key uint64) *table.Column {
	d := m.schema.Column(name)
	e := m.members[0].encoder
	i := slices.IndexFunc(e.Transforms, func(t table.Transform) bool { return t.Column == name })
	t := e.Transforms[i]
	words, numbers := make([]string, n), make([]float64, n)
	order := rng.Perm(n, rng.Named(key, "fit.draw."+name))
	for j := range n {
		share := (float64(order[j]) + 0.5) / float64(n)
		words[j], numbers[j] = "", math.NaN()
		switch {
		case t.Kind == table.Numeric && len(t.Quantiles) > 0:
			numbers[j] = t.Quantiles[int(math.Round(share*float64(len(t.Quantiles)-1)))]
			words[j] = d.Prefix + strconv.FormatFloat(numbers[j], 'g', -1, 64) + d.Suffix
		case t.Kind == table.Date && len(t.Quantiles) > 0:
			seconds := t.Quantiles[int(math.Round(share*float64(len(t.Quantiles)-1)))]
			words[j] = time.Unix(int64(seconds), 0).UTC().Format(d.Layout)
		case len(t.Counts) > 2:
			total := 0
			for _, c := range t.Counts {
				total += c
			}
			at := int(share * float64(total))
			for k, c := range t.Counts {
				if at -= c; at < 0 {
					if k >= 2 {
						words[j] = t.Levels[k-2]
						if v, err := strconv.ParseFloat(words[j], 64); err == nil {
							numbers[j] = v
						}
					}
					break
				}
			}
		}
	}
	if d.Numbers {
		return table.Numbers(name, numbers...)
	}
	return table.Words(name, words...)
}
