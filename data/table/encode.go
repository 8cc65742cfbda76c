package table

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file makes features of the columns of a table. What it has to know, such as means and levels, it learns from the training part alone.

// Settings say how an Encoder makes features. The zero value is the usual way.
type Settings struct {
	MinCount     int    // levels of a category that occur less often share one code; 0 means 2, or 5 from 5000 rows on
	MaxLevels    int    // the largest number of levels of a category; 0 means 1000
	Buckets      int    // columns into which the words of a text are hashed; 0 means 128
	TargetLevels int    // categories with more levels are also encoded by the mean of the target; 0 means 20, negative means none
	Seed         uint64 // of the parts for the means of the target
}

func (s Settings) filled(rows int) Settings {
	if s.MinCount == 0 {
		s.MinCount = 2
		if rows >= 5000 {
			s.MinCount = 5
		}
	}
	if s.MaxLevels == 0 {
		s.MaxLevels = 1000
	}
	if s.Buckets == 0 {
		s.Buckets = 128
	}
	if s.TargetLevels == 0 {
		s.TargetLevels = 20
	}
	return s
}

// Encoder makes features of tables that have the columns of a schema. It is a plain value that can be written as JSON. Its methods may be called by several
// goroutines.
//
// Each numeric column, date part, bool, text bucket and mean of the target is a number of mean 0 and deviation 1 over the training part. A column with missing
// values has a second number that is 1 where the value is missing. Each category is a code: 0 for a missing value, 1 for a level that is unknown or rare, and from 2 on
// the levels, sorted.
type Encoder struct {
	Schema     *Schema     `json:"schema"`
	Transforms []Transform `json:"transforms"`
}

// Transform is what the encoder does with one column.
type Transform struct {
	Column string   `json:"column"`
	Kind   Kind     `json:"kind"`
	Parts  []Part   `json:"parts,omitempty"`  // the numbers that it becomes
	Levels []string `json:"levels,omitempty"` // of a category: those of the codes from 2 on; of a bool: the two words, no first
	Counts []int    `json:"counts,omitempty"` // how often each occurs in the training part: missing, others, then Levels

	// Of numeric columns: the values at equal steps of rank in the training part, from the smallest to the largest.
	Quantiles []float64 `json:"quantiles,omitempty"`
	Fill      float64   `json:"fill"` // what takes the place of a missing value: the median
	Missing   int       `json:"missing"`

	// Of categories that are also encoded by the target: for each class, or once for a quantity, the mean of the target at each code.
	Means [][]float64 `json:"means,omitempty"`
}

// Part is one number that a column becomes.
type Part struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

// Features are the rows of a table as numbers and codes.
type Features struct {
	Rows    int
	Numbers []float32 // rows x Encoder.Width, row after row
	Codes   []int32   // rows x len(Encoder.Vocabulary), row after row
	Unseen  []Unseen  // levels that the encoder does not know, at most the first 10,000
}

// Unseen is a value that the training part did not have.
type Unseen struct {
	Row    int
	Column string
	Value  string
}

// Width returns the number of numbers that a row becomes.
func (e *Encoder) Width() int {
	n := 0
	for _, t := range e.Transforms {
		n += len(t.Parts)
	}
	return n
}

// Vocabulary returns for each code of a row how many codes there are.
func (e *Encoder) Vocabulary() []int {
	var sizes []int
	for _, t := range e.Transforms {
		if t.Kind == Category {
			sizes = append(sizes, len(t.Levels)+2)
		}
	}
	return sizes
}

// Names returns the name of each number and of each code of a row.
func (e *Encoder) Names() (numbers, codes []string) {
	for _, t := range e.Transforms {
		for _, p := range t.Parts {
			numbers = append(numbers, p.Name)
		}
		if t.Kind == Category {
			codes = append(codes, t.Column)
		}
	}
	return numbers, codes
}

// Sources returns the column of the table from which each number and each code comes.
func (e *Encoder) Sources() (numbers, codes []string) {
	for _, t := range e.Transforms {
		for range t.Parts {
			numbers = append(numbers, t.Column)
		}
		if t.Kind == Category {
			codes = append(codes, t.Column)
		}
	}
	return numbers, codes
}

// Check returns an error if the encoder contradicts itself or its schema, as one that was read from a file may.
func (e *Encoder) Check() error {
	if e.Schema == nil {
		return errors.New("table: encoder: there is no schema")
	}
	seen := map[string]bool{}
	for i := range e.Transforms {
		t := &e.Transforms[i]
		bad := func(what string) error {
			return fmt.Errorf("table: encoder: column %s: %s", list.Quote(t.Column), what)
		}
		d := e.Schema.Column(t.Column)
		switch {
		case d == nil:
			return bad("it is not in the schema")
		case seen[t.Column]:
			return bad("it is there twice")
		case t.Kind != Numeric && t.Kind != Date && t.Kind != Bool && t.Kind != Category && t.Kind != Text:
			return bad("it cannot be encoded as " + list.Quote(string(t.Kind)))
		case t.Kind != Category && len(t.Parts) == 0:
			return bad("it becomes nothing")
		case t.Kind == Date && (d.Layout == "" || len(t.Parts) < dateParts(d.Layout)):
			return bad("it is a date without layout or parts")
		case t.Kind == Category && !slices.IsSorted(t.Levels):
			return bad("its levels are not sorted")
		case t.Kind == Category && len(t.Means) != len(t.Parts):
			return bad("it has not one list of means for each part")
		case math.IsNaN(t.Fill) || math.IsInf(t.Fill, 0):
			return bad("its fill is not finite")
		}
		seen[t.Column] = true
		for _, m := range t.Means {
			if len(m) != len(t.Levels)+2 {
				return bad("it has not one mean for each code")
			}
		}
		for _, p := range t.Parts {
			if !(p.Std > 0) || math.IsInf(p.Std, 0) || math.IsNaN(p.Mean) || math.IsInf(p.Mean, 0) {
				return bad("a mean or deviation is out of range")
			}
		}
		if !slices.IsSorted(t.Quantiles) {
			return bad("its quantiles are not sorted")
		}
	}
	return nil
}

// dateParts is the number of parts of a date of a layout.
func dateParts(layout string) int {
	n := 0
	if hasDay(layout) || strings.Contains(layout, "2006") {
		n += 3
	}
	if hasDay(layout) {
		n += 2
	}
	if hasTime(layout) {
		n += 2
	}
	return n
}

// Outcome is what is predicted, for the rows of a training part: Classes holds a class from 0 on for each row, or Values a quantity.
// Only means of the target need it.
type Outcome struct {
	Classes []int32
	Count   int // of classes
	Values  []float64
}

// Fit returns the encoder of a schema, as the given rows of t teach it. The outcome has an element for each of these rows; nil means no means of the target.
func Fit(s *Schema, t *Table, rows []int, outcome *Outcome, set Settings) (*Encoder, error) {
	e, _, err := fit(s, t, rows, outcome, set, false)
	return e, err
}

// FitEncode returns the encoder and the features of the given rows, on which it was fitted. The means of the target that a row gets come from
// other rows than itself, so that they do not give its own target away: the rows are dealt into five parts, and each has the means of the other four.
func FitEncode(s *Schema, t *Table, rows []int, outcome *Outcome, set Settings) (*Encoder, *Features, error) {
	return fit(s, t, rows, outcome, set, true)
}

func fit(s *Schema, t *Table, rows []int, outcome *Outcome, set Settings, encode bool) (*Encoder, *Features, error) {
	if err := s.Check(); err != nil {
		return nil, nil, err
	}
	if len(rows) == 0 {
		return nil, nil, errors.New("table: Fit: there are no rows to learn from")
	}
	if outcome != nil && max(len(outcome.Classes), len(outcome.Values)) != len(rows) {
		return nil, nil, fmt.Errorf("table: Fit: the outcome has %d elements and there are %d rows", max(len(outcome.Classes), len(outcome.Values)), len(rows))
	}
	set = set.filled(len(rows))
	e := &Encoder{Schema: s}
	for _, d := range s.Columns {
		if d.Role != Feature {
			continue
		}
		c := t.Column(d.Name)
		if c == nil {
			return nil, nil, fmt.Errorf("table: Fit: there is no column %s", list.Quote(d.Name))
		}
		tr := Transform{Column: d.Name, Kind: d.Kind}
		if d.Kind == ID || d.Kind == Constant {
			tr.Kind = Category
			if d.Numbers {
				tr.Kind = Numeric
			}
		}
		if err := tr.fit(c.take(rows), &d, t, rows, outcome, set); err != nil {
			return nil, nil, err
		}
		e.Transforms = append(e.Transforms, tr)
	}
	if len(e.Transforms) == 0 {
		return nil, nil, errors.New("table: no column is left to learn from")
	}
	f, err := e.features(t, rows, func(tr *Transform, parts [][]float64, codes []int32) {
		if tr.Kind == Category && len(tr.Parts) > 0 {
			tr.outOfFold(parts, codes, outcome, set)
		}
		for k := range tr.Parts {
			tr.Parts[k].learn(parts[k])
		}
	})
	if err != nil || !encode {
		return e, nil, err
	}
	f.Unseen = nil // those are rare levels of the rows themselves
	return e, f, nil
}

// fit learns what the transform has to know, but for means and deviations.
func (tr *Transform) fit(c *Column, d *Description, t *Table, rows []int, outcome *Outcome, set Settings) error {
	name := d.Name
	add := func(what ...string) {
		for _, w := range what {
			tr.Parts = append(tr.Parts, Part{Name: w, Std: 1})
		}
	}
	switch tr.Kind {
	case Numeric, Date:
		values, err := tr.values(t, rows, c, d)
		if err != nil {
			return err
		}
		present := make([]float64, 0, len(values))
		for _, v := range values {
			if !math.IsNaN(v) {
				present = append(present, v)
			}
		}
		tr.Missing = len(values) - len(present)
		slices.Sort(present)
		tr.Fill = quantile(present, 0.5)
		if tr.Kind == Numeric {
			const steps = 64
			for k := range steps + 1 {
				tr.Quantiles = append(tr.Quantiles, quantile(present, float64(k)/steps))
			}
			add(name)
		} else {
			if hasDay(d.Layout) || strings.Contains(d.Layout, "2006") {
				add(name+" days", name+" year sin", name+" year cos")
			}
			if hasDay(d.Layout) {
				add(name+" week sin", name+" week cos")
			}
			if hasTime(d.Layout) {
				add(name+" day sin", name+" day cos")
			}
			for _, q := range []float64{0, 0.25, 0.5, 0.75, 1} {
				tr.Quantiles = append(tr.Quantiles, quantile(present, q))
			}
		}
		if tr.Missing > 0 || tr.Kind == Numeric && d.Missing > 0 {
			add(name + " missing")
		}
	case Bool:
		words := c.AsWords()
		count := map[string]int{}
		for _, k := range words.Codes {
			if k < 0 {
				tr.Missing++
			} else {
				count[words.Levels[k]]++
			}
		}
		for w := range count {
			tr.Levels = append(tr.Levels, w)
		}
		slices.Sort(tr.Levels)
		if len(tr.Levels) == 2 {
			if first, ok := truth(tr.Levels[0], tr.Levels[1]); ok && first {
				slices.Reverse(tr.Levels)
			}
		}
		tr.Counts = []int{tr.Missing, 0}
		for _, w := range tr.Levels {
			tr.Counts = append(tr.Counts, count[w])
		}
		add(name)
		if tr.Missing > 0 {
			add(name + " missing")
		}
	case Category:
		tr.fitLevels(c.AsWords(), set)
		if outcome != nil && set.TargetLevels > 0 && len(tr.Levels) > set.TargetLevels {
			if outcome.Values != nil || outcome.Count == 2 {
				add(name + " target")
			} else {
				for k := range min(outcome.Count, 10) {
					add(fmt.Sprintf("%s target %d", name, k))
				}
			}
		}
	case Text:
		for k := range set.Buckets {
			add(fmt.Sprintf("%s text %d", name, k))
		}
	}
	return nil
}

// fitLevels chooses the levels that get a code of their own.
func (tr *Transform) fitLevels(c *Column, set Settings) {
	count := make([]int, len(c.Levels))
	for _, k := range c.Codes {
		if k < 0 {
			tr.Missing++
		} else {
			count[k]++
		}
	}
	var kept []int
	for k, n := range count {
		if n >= set.MinCount {
			kept = append(kept, k)
		}
	}
	if len(kept) > set.MaxLevels {
		slices.SortFunc(kept, func(a, b int) int {
			return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(c.Levels[a], c.Levels[b]))
		})
		kept = kept[:set.MaxLevels]
	}
	slices.SortFunc(kept, func(a, b int) int { return cmp.Compare(c.Levels[a], c.Levels[b]) })
	total := 0
	counts := []int{tr.Missing, 0}
	for _, k := range kept {
		tr.Levels = append(tr.Levels, c.Levels[k])
		counts = append(counts, count[k])
		total += count[k]
	}
	counts[1] = len(c.Codes) - tr.Missing - total
	tr.Counts = counts
}

// quantile returns the value at a share of the rank among sorted values, and 0 if there are none.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := share * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// values reads a column as numbers, with NaN for what is missing. It has the given rows of t, or all if these are nil.
func (tr *Transform) values(t *Table, rows []int, c *Column, d *Description) ([]float64, error) {
	if tr.Kind == Numeric && c.Numbers != nil {
		return c.Numbers, nil
	}
	words := c.AsWords()
	levels := make([]float64, len(words.Levels))
	bad := make([]bool, len(levels))
	n := t.notation()
	for k, w := range words.Levels {
		var ok bool
		if tr.Kind == Date {
			levels[k], ok = parseDate(d.Layout, w)
		} else {
			levels[k], ok = unitNumber(n, w, d.Prefix, d.Suffix)
			if !ok && d.Odd > 0 {
				levels[k], ok = math.NaN(), true
			}
		}
		bad[k] = !ok
	}
	out := make([]float64, len(words.Codes))
	for i, k := range words.Codes {
		if k < 0 {
			out[i] = math.NaN()
			continue
		}
		if bad[k] {
			what := "a number"
			if tr.Kind == Date {
				what = "a date such as " + d.Example
			}
			row := i
			if rows != nil {
				row = rows[i]
			}
			return nil, t.cell(row, d.Name, "%s is not %s", list.Quote(words.Levels[k]), what)
		}
		out[i] = levels[k]
	}
	return out, nil
}

// Values reads a column of t as numbers, with NaN for what is missing: quantities without their units, dates as seconds since 1970.
func Values(t *Table, d *Description) ([]float64, error) {
	c := t.Column(d.Name)
	if c == nil {
		return nil, fmt.Errorf("table: there is no column %s; there are %s", list.Quote(d.Name), list.Names(t.Names()))
	}
	if c.Numbers != nil && d.Kind != Date {
		return c.Numbers, nil
	}
	tr := Transform{Kind: Numeric}
	if d.Kind == Date {
		tr.Kind = Date
	}
	return tr.values(t, nil, c, d)
}

// Encode makes features of a table. It finds the columns by name and leaves others out. A value that is no number in a column of numbers is an error; a level that
// was never seen is not, and is listed.
func (e *Encoder) Encode(t *Table) (*Features, error) { return e.features(t, nil, nil) }

// EncodeRows is Encode of some rows of a table.
func (e *Encoder) EncodeRows(t *Table, rows []int) (*Features, error) {
	return e.features(t, rows, nil)
}

// features makes features of the given rows, or of all if these are nil, column by column. The function learn, if there is one, sees the numbers of each before they are scaled.
func (e *Encoder) features(t *Table, rows []int, learn func(tr *Transform, parts [][]float64, codes []int32)) (*Features, error) {
	var absent []string
	for _, tr := range e.Transforms {
		if t.Column(tr.Column) == nil {
			absent = append(absent, tr.Column)
		}
	}
	if len(absent) == 1 {
		return nil, fmt.Errorf("table: there is no column %s; there are %s", list.Quote(absent[0]), list.Names(t.Names()))
	} else if len(absent) > 1 {
		return nil, fmt.Errorf("table: there are no columns %s; there are %s", list.Names(absent), list.Names(t.Names()))
	}
	width, words := e.Width(), len(e.Vocabulary())
	f := &Features{Rows: t.Rows()}
	if rows != nil {
		f.Rows = len(rows)
	}
	f.Numbers = make([]float32, f.Rows*width)
	f.Codes = make([]int32, f.Rows*words)
	most := 0
	for _, tr := range e.Transforms {
		most = max(most, len(tr.Parts))
	}
	buffer := make([]float64, most*f.Rows)
	codes := make([]int32, f.Rows)
	at, code := 0, 0
	for i := range e.Transforms {
		tr := &e.Transforms[i]
		c := t.Column(tr.Column)
		if rows != nil {
			c = c.take(rows)
		}
		parts := make([][]float64, len(tr.Parts))
		for k := range parts {
			parts[k] = buffer[k*f.Rows : (k+1)*f.Rows]
		}
		if err := tr.encode(f, t, rows, c, e.Schema.Column(tr.Column), parts, codes, learn != nil); err != nil {
			return nil, err
		}
		if learn != nil {
			learn(tr, parts, codes)
		}
		for k := range parts {
			p := &tr.Parts[k]
			for row, v := range parts[k] {
				f.Numbers[row*width+at+k] = p.scale(v)
			}
		}
		if tr.Kind == Category {
			for row, c := range codes {
				f.Codes[row*words+code] = c
			}
			code++
		}
		at += len(tr.Parts)
	}
	return f, nil
}

// encode computes the numbers of one column before they are scaled, and its codes.
func (tr *Transform) encode(f *Features, t *Table, rows []int, c *Column, d *Description, parts [][]float64, codes []int32, learning bool) error {
	unseen := func(row int, value string) {
		if len(f.Unseen) < 10_000 {
			f.Unseen = append(f.Unseen, Unseen{row, tr.Column, value})
		}
	}
	switch tr.Kind {
	case Numeric, Date:
		values, err := tr.values(t, rows, c, d)
		if err != nil {
			return err
		}
		flag := len(tr.Parts) - 1
		if !strings.HasSuffix(tr.Parts[flag].Name, " missing") || flag == 0 {
			flag = -1
		}
		for i, v := range values {
			absent := math.IsNaN(v)
			if absent {
				v = tr.Fill
			}
			if flag >= 0 {
				parts[flag][i] = truthValue(absent)
			}
			if tr.Kind == Numeric {
				parts[0][i] = v
			} else {
				tr.date(v, d, func(part int, v float64) { parts[part][i] = v })
			}
		}
	case Bool:
		col := c.AsWords()
		for i, k := range col.Codes {
			v, absent := 0.5, k < 0
			if !absent {
				v = 0
				switch w := col.Levels[k]; {
				case len(tr.Levels) > 0 && w == tr.Levels[len(tr.Levels)-1]:
					v = 1
				case !slices.Contains(tr.Levels, w):
					if yes, ok := Meaning(w); ok && len(tr.Levels) == 2 && isBool(tr.Levels) { // Yes or true instead of yes
						v = truthValue(yes)
					} else {
						v, absent = 0.5, true
						unseen(i, w)
					}
				}
			}
			parts[0][i] = v
			if len(parts) > 1 {
				parts[1][i] = truthValue(absent)
			}
		}
	case Category:
		col := c.AsWords()
		known := make([]int32, len(col.Levels))
		for k, w := range col.Levels {
			if place, ok := slices.BinarySearch(tr.Levels, w); ok {
				known[k] = int32(place) + 2
			} else {
				known[k] = 1
			}
		}
		for i, k := range col.Codes {
			v := int32(0)
			if k >= 0 {
				v = known[k]
				if v == 1 && !learning {
					unseen(i, col.Levels[k])
				}
			}
			codes[i] = v
			for part := range tr.Means {
				parts[part][i] = tr.Means[part][v]
			}
		}
	case Text:
		buckets := make([]float64, len(tr.Parts))
		col := c.AsWords()
		for i, k := range col.Codes {
			clear(buckets)
			if k >= 0 {
				hashWords(buckets, col.Levels[k])
			}
			for b, v := range buckets {
				parts[b][i] = v
			}
		}
	}
	return nil
}

func truthValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// scale returns a number as features have it, within the range of float32.
func (p *Part) scale(v float64) float32 {
	return float32(min(max((v-p.Mean)/p.Std, -math.MaxFloat32), math.MaxFloat32))
}

// learn takes mean and deviation from the training part. A number that never changes becomes 0.
func (p *Part) learn(values []float64) {
	n := float64(len(values))
	p.Mean = 0
	for _, v := range values {
		p.Mean += v / n
	}
	square := 0.0
	for _, v := range values {
		square += (v - p.Mean) * (v - p.Mean) / n
	}
	p.Std = math.Sqrt(square)
	if !(p.Std > 1e-12*math.Abs(p.Mean)) || math.IsInf(p.Std, 0) {
		p.Std = max(math.Abs(p.Mean), 1)
	}
}

// date makes the parts of a date: days since 1970, and the place in the year, the week and the day as points on circles.
func (tr *Transform) date(seconds float64, d *Description, put func(part int, v float64)) {
	whole := math.Floor(seconds)
	t := time.Unix(int64(whole), int64((seconds-whole)*1e9)).UTC()
	part := 0
	circle := func(share float64) {
		sin, cos := math.Sincos(2 * math.Pi * share)
		put(part, sin)
		put(part+1, cos)
		part += 2
	}
	if hasDay(d.Layout) || strings.Contains(d.Layout, "2006") {
		put(0, seconds/86400)
		part = 1
		circle(float64(t.YearDay()-1) / 365.25)
	}
	if hasDay(d.Layout) {
		circle(float64(t.Weekday()) / 7)
	}
	if hasTime(d.Layout) {
		circle((float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600) / 24)
	}
}

// hashWords counts the words of a text, and the pairs of words, by hashes, takes logarithms and divides by the length.
func hashWords(buckets []float64, text string) {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	add := func(parts ...string) {
		h := fnv.New64a()
		for _, p := range parts {
			h.Write([]byte(p))
			h.Write([]byte{0})
		}
		sum := h.Sum64()
		sign := 1.0
		if sum>>63 == 1 {
			sign = -1
		}
		buckets[sum%uint64(len(buckets))] += sign
	}
	for i, w := range words {
		add(w)
		if i > 0 {
			add(words[i-1], w)
		}
	}
	norm := 0.0
	for i, v := range buckets {
		buckets[i] = math.Copysign(math.Log1p(math.Abs(v)), v)
		norm += buckets[i] * buckets[i]
	}
	if norm > 0 {
		norm = math.Sqrt(norm)
		for i := range buckets {
			buckets[i] /= norm
		}
	}
}

// outOfFold learns the means of the target at each level, and gives each row those of other rows.
func (tr *Transform) outOfFold(parts [][]float64, codes []int32, o *Outcome, set Settings) {
	const folds = 5
	rows := len(codes)
	fold := make([]int, rows)
	for i, row := range rng.Perm(rows, rng.Named(set.Seed, "table.folds")) {
		fold[row] = i % folds
	}
	levels := len(tr.Levels) + 2
	for k := range tr.Parts {
		target := func(row int) float64 {
			switch {
			case o.Values != nil:
				return o.Values[row]
			case o.Count == 2:
				return float64(o.Classes[row])
			}
			return truthValue(int(o.Classes[row]) == k)
		}
		sums, counts := make([][]float64, folds), make([][]float64, folds)
		for p := range folds {
			sums[p], counts[p] = make([]float64, levels), make([]float64, levels)
		}
		all, allSums, allCounts := 0.0, make([]float64, levels), make([]float64, levels)
		for row, c := range codes {
			y := target(row)
			sums[fold[row]][c] += y
			counts[fold[row]][c]++
			allSums[c] += y
			allCounts[c]++
			all += y
		}
		all /= float64(rows)
		const prior = 10 // rows that each level is taken to have beside its own, with the overall mean
		means := make([]float64, levels)
		for c := range means {
			means[c] = (allSums[c] + prior*all) / (allCounts[c] + prior)
		}
		tr.Means = append(tr.Means, means)
		for row, c := range codes {
			p := fold[row]
			parts[k][row] = (allSums[c] - sums[p][c] + prior*all) / (allCounts[c] - counts[p][c] + prior)
		}
	}
}
