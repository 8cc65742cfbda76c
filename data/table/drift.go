package table

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file compares a table with what an encoder has learned from: whether the values of each column still lie as they did.

// Drift says how the values of a column differ from those that an encoder has learned from.
type Drift struct {
	Column string  `json:"column"`
	Kind   Kind    `json:"kind"`
	PSI    float64 `json:"psi"`    // population stability index, the sum of (new - old) log(new/old) over bins
	Chance float64 `json:"chance"` // the index that as many rows of the same kind would have by chance, at most, in 99 of 100 cases

	Missing    float64  `json:"missing"`            // share of rows without a value
	WasMissing float64  `json:"was_missing"`        // that of the rows learned from
	Unseen     int      `json:"unseen"`             // rows with a level that was never seen, or a number outside of the range that was
	Examples   []string `json:"examples,omitempty"` // of these
	Median     float64  `json:"median"`             // of numbers and dates
	WasMedian  float64  `json:"was_median"`

	// Problem says why the column cannot be read, if so: it is not there, or a value does not fit it. Nothing else is known then.
	Problem string `json:"problem,omitempty"`
}

// Verdict is "" if the values lie as they did; "moved" if the index is above 0.1 and above what chance does, "moved far" above 0.25 (the usual limits, of Siddiqi 2006, Credit
// risk scorecards); and "broken" if there is a problem.
func (d *Drift) Verdict() string {
	switch {
	case d.Problem != "":
		return "broken"
	case d.PSI > max(0.25, d.Chance):
		return "moved far"
	case d.PSI > max(0.1, d.Chance):
		return "moved"
	}
	return ""
}

// Drift compares each column that the encoder reads with t. A column that cannot be read is no error, and has a Problem.
func (e *Encoder) Drift(t *Table) []Drift {
	var out []Drift
	for i := range e.Transforms {
		tr := &e.Transforms[i]
		d := Drift{Column: tr.Column, Kind: tr.Kind}
		if c := t.Column(tr.Column); c == nil {
			d.Problem = "it is not there"
			if other := alike(tr.Column, t.Names()); other != "" {
				d.Problem += fmt.Sprintf("; is it called %s now?", list.Quote(other))
			}
		} else {
			tr.drift(&d, t, c, e.Schema.Column(tr.Column), e.Schema.Rows)
		}
		out = append(out, d)
	}
	return out
}

// drift compares one column.
func (tr *Transform) drift(d *Drift, t *Table, c *Column, desc *Description, learned int) {
	n := float64(c.Len())
	unseen := map[string]int{}
	var old, now []float64 // shares of the values in bins
	switch {
	case n == 0:
		return
	case tr.Kind == Numeric || tr.Kind == Date:
		values, err := tr.values(t, nil, c, desc)
		if err != nil {
			d.Problem = err.Error()
			return
		}
		present := make([]float64, 0, len(values))
		for _, v := range values {
			if !math.IsNaN(v) {
				present = append(present, v)
			}
		}
		slices.Sort(present)
		d.Missing = 1 - float64(len(present))/n
		d.Median, d.WasMedian = quantile(present, 0.5), tr.Fill
		q := tr.Quantiles
		if len(q) < 2 {
			return
		}
		for i, v := range values {
			if v < q[0] || v > q[len(q)-1] {
				unseen[c.Text(i)]++
			}
		}
		old, now = binned(q, present)
	default:
		words := c.AsWords()
		absent := 0
		count := make([]int, len(words.Levels))
		for _, k := range words.Codes {
			if k < 0 {
				absent++
			} else {
				count[k]++
			}
		}
		d.Missing = float64(absent) / n
		if len(tr.Counts) < 3 { // a text, or a column without levels
			return
		}
		old, now = tr.levelShares(words.Levels, count, unseen)
	}
	if learned > 0 {
		d.WasMissing = float64(desc.Missing+desc.Odd) / float64(learned)
	}
	for i := range old {
		old[i] *= 1 - d.WasMissing
		now[i] *= 1 - d.Missing
	}
	d.compare(append(old, d.WasMissing), append(now, d.Missing), float64(max(1, learned)), n)
	for word, k := range unseen {
		d.Unseen += k
		d.Examples = append(d.Examples, word)
	}
	slices.SortFunc(d.Examples, func(a, b string) int { return cmp.Or(cmp.Compare(unseen[b], unseen[a]), cmp.Compare(a, b)) })
	d.Examples = d.Examples[:min(len(d.Examples), 5)]
}

// binned returns the share of the values learned from, by their quantiles, and that of sorted values, in at most ten bins that had equally many of the former.
func binned(quantiles, sorted []float64) (old, now []float64) {
	bins := min(10, len(quantiles)-1)
	var edges []float64 // a bin goes up to its edge, and the last one has none
	for k := 1; k < bins; k++ {
		edge := quantiles[k*(len(quantiles)-1)/bins]
		if (len(edges) == 0 || edge > edges[len(edges)-1]) && edge < quantiles[len(quantiles)-1] {
			edges = append(edges, edge)
		}
	}
	shares := func(x []float64, rank func(i int) float64) (out []float64) {
		below := 0.0
		for _, edge := range edges {
			i, _ := slices.BinarySearchFunc(x, edge, func(v, edge float64) int {
				if v <= edge {
					return -1
				}
				return 1
			})
			out = append(out, rank(i)-below)
			below = rank(i)
		}
		return append(out, 1-below)
	}
	steps := float64(len(quantiles) - 1)
	old = shares(quantiles, func(i int) float64 {
		rank := float64(i - 1)
		if i > 1 && quantiles[i-2] == quantiles[i-1] { // many equal values, that end somewhere before the next quantile
			rank += 0.5
		}
		return rank / steps
	})
	now = shares(sorted, func(i int) float64 { return float64(i) / max(1, float64(len(sorted))) })
	return old, now
}

// levelShares returns the share of each level of the rows learned from and of the rows that have levels now, the commonest in bins of their own and all others in one, and
// notes levels that were never seen.
func (tr *Transform) levelShares(levels []string, count []int, unseen map[string]int) (old, now []float64) {
	const most = 20
	order := make([]int, len(tr.Levels))
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(tr.Counts[b+2], tr.Counts[a+2]), cmp.Compare(a, b)) })
	bin := map[string]int{}
	bins := min(most, len(order)) + 1
	old, now = make([]float64, bins), make([]float64, bins)
	all := float64(tr.Counts[1])
	old[bins-1] = all
	for i, k := range order {
		bin[tr.Levels[k]] = min(i, bins-1)
		old[min(i, bins-1)] += float64(tr.Counts[k+2])
		all += float64(tr.Counts[k+2])
	}
	present := 0.0
	for k, w := range levels {
		at, known := bin[w]
		if yes, ok := Meaning(w); !known && tr.Kind == Bool && ok && isBool(tr.Levels) && len(tr.Levels) == 2 { // another word for yes
			at, known = bin[tr.Levels[int(truthValue(yes))]]
		}
		if !known {
			at = bins - 1
			if count[k] > 0 {
				unseen[w] += count[k]
			}
		}
		now[at] += float64(count[k])
		present += float64(count[k])
	}
	for i := range old {
		old[i] /= max(1, all)
		now[i] /= max(1, present)
	}
	return old, now
}

// compare sets the index of shares in bins, of so many rows, and what it would be by chance. Times the harmonic sum of the numbers of rows it is then about distributed as chi
// squared (Yurdakul 2018, Statistical properties of population stability index), whose quantile is that of Wilson and Hilferty.
func (d *Drift) compare(old, now []float64, oldRows, nowRows float64) {
	used := 0.0
	for i := range old {
		if old[i] <= 0 && now[i] <= 0 {
			continue
		}
		used++
		a, b := max(old[i], 0.5/oldRows), max(now[i], 0.5/nowRows)
		d.PSI += (b - a) * math.Log(b/a)
	}
	if k := used - 1; k > 0 {
		const z = 2.326 // the 99 % quantile of the normal distribution
		root := 1 - 2/(9*k) + z*math.Sqrt(2/(9*k))
		d.Chance = k * root * root * root * (1/oldRows + 1/nowRows)
	}
}

// alike returns the name that is another one but for case and signs, or "".
func alike(name string, names []string) string {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, s)
	}
	for _, other := range names {
		if plain(other) == plain(name) {
			return other
		}
	}
	return ""
}
