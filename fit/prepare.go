package fit

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file makes of a table what is learned: the target as numbers, the weights of the rows, and which rows judge.

// problem is a table as it is learned.
type problem struct {
	table   *table.Table
	schema  *table.Schema
	classes []string  // nil for a quantity
	class   []int32   // of each row, or nil
	value   []float64 // of each row, or nil
	weight  []float64 // of each row, with mean 1; nil means all equal
	folds   []fold
	split   string // in words
	options Options
	notes   []string // what one should know
}

// fold is one part of the rows to learn from and one to judge.
type fold struct{ learn, judge []int }

// prepare reads the table as the options say. Rows whose target is missing are left out.
func prepare(t *table.Table, o Options) (*problem, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if t.Rows() == 0 {
		return nil, errors.New("fit: the table has no rows")
	}
	p := &problem{table: t, schema: o.Schema, options: o}
	if o.Schema == nil {
		drop := slices.Clone(o.Drop)
		for _, c := range p.columnsNotToLearn() {
			if !slices.Contains(drop, c) {
				drop = append(drop, c)
			}
		}
		hints := table.Hints{Target: o.Target, Kinds: o.Kinds, Drop: drop}
		var err error
		if p.schema, err = table.Infer(t, hints); err != nil {
			return nil, err
		}
	} else if err := o.Schema.Check(); err != nil {
		return nil, err
	} else {
		p.schema = &table.Schema{Columns: slices.Clone(o.Schema.Columns), Rows: t.Rows(), Missing: o.Schema.Missing, Warnings: o.Schema.Warnings}
	}
	p.notes = slices.Clone(p.schema.Warnings)
	if err := p.target(); err != nil {
		return nil, err
	}
	if err := p.weights(); err != nil {
		return nil, err
	}
	if o.Threshold != "" && len(p.classes) != 2 {
		return nil, errors.New("fit: a threshold is for two classes")
	}
	if err := p.divide(); err != nil {
		return nil, err
	}
	p.warn()
	return p, nil
}

// columnsNotToLearn are those that say how to split or to weigh.
func (p *problem) columnsNotToLearn() []string {
	var names []string
	if kind, column, found := strings.Cut(p.options.SplitBy, ":"); found && kind == "group" {
		names = append(names, column)
	}
	if w := p.options.Weights; w != "" && w != "none" && w != "balanced" {
		names = append(names, w)
	}
	return names
}

// target reads the column to predict.
func (p *problem) target() error {
	d := p.schema.Target()
	if d == nil {
		return errors.New("fit: the schema has no column with the role target")
	}
	c := p.table.Column(d.Name)
	if c == nil {
		return fmt.Errorf("fit: there is no column %s; there are %s", list.Quote(d.Name), list.Names(p.table.Names()))
	}
	task := p.options.Task
	if task == Auto {
		task = Classify
		if d.Kind == table.Numeric || d.Kind == table.Date {
			task = Regress
		}
	}
	var rows []int
	for i := range p.table.Rows() {
		if !c.Missing(i) {
			rows = append(rows, i)
		}
	}
	if absent := p.table.Rows() - len(rows); absent > 0 {
		p.notes = append(p.notes, fmt.Sprintf("left out: %s without %s", list.Count(absent, "row"), list.Quote(d.Name)))
		p.table = p.table.Take(rows)
		c = p.table.Column(d.Name)
	}
	n := p.table.Rows()
	if n < 10 {
		return fmt.Errorf("fit: the table has %s with a value of %s, and at least 10 are needed", list.Count(n, "row"), list.Quote(d.Name))
	}
	if task == Regress {
		if d.Kind != table.Numeric && d.Kind != table.Bool && !d.Numbers {
			return fmt.Errorf("fit: the target %s has values such as %s, which are no numbers: a quantity cannot be predicted from them", list.Quote(d.Name), list.Quote(d.Example))
		}
		values, err := table.Values(p.table, d)
		if err != nil {
			return fmt.Errorf("fit: target: %w", err)
		}
		rows = rows[:0]
		for i, v := range values {
			if !math.IsNaN(v) { // a word among numbers
				rows = append(rows, i)
			}
		}
		if odd := n - len(rows); odd > 0 {
			p.notes = append(p.notes, fmt.Sprintf("left out: %s whose %s is no number", list.Count(odd, "row"), list.Quote(d.Name)))
			p.table = p.table.Take(rows)
			known := make([]float64, len(rows))
			for k, i := range rows {
				known[k] = values[i]
			}
			values = known
		}
		if len(rows) < 10 {
			return fmt.Errorf("fit: the table has %s with a number in %s, and at least 10 are needed", list.Count(len(rows), "row"), list.Quote(d.Name))
		}
		for i, v := range values {
			if math.Abs(v) > 1e100 { // whose square is more than the variance can hold
				return fmt.Errorf("fit: target: %w", &table.CellError{Row: i, Line: p.table.Line(i), Column: d.Name, Problem: fmt.Sprintf("the value %g is too large to learn: leave the row out, or take the logarithm of the column", v)})
			}
		}
		p.value = values
		if slices.Max(values) == slices.Min(values) {
			return fmt.Errorf("fit: the target %s has the value %v in all rows: there is nothing to learn", list.Quote(d.Name), values[0])
		}
		d.Kind = table.Numeric
		return nil
	}
	count := map[string]int{}
	for i := range n {
		count[c.Text(i)]++
	}
	for name := range count {
		p.classes = append(p.classes, name)
	}
	sortClasses(p.classes)
	switch {
	case len(p.classes) == 1:
		return fmt.Errorf("fit: the target %s has the value %s in all rows: there is nothing to learn", list.Quote(d.Name), list.Quote(p.classes[0]))
	case len(p.classes) > 1000 || len(p.classes) > n/2:
		return fmt.Errorf("fit: the target %s has %d different values in %d rows, too many for classes: is it a quantity (task regress), or a name?", list.Quote(d.Name), len(p.classes), n)
	}
	if d.Kind != table.Bool {
		d.Kind = table.Category
	}
	p.class = make([]int32, n)
	index := map[string]int32{}
	for k, name := range p.classes {
		index[name] = int32(k)
		if count[name] < 5 {
			p.notes = append(p.notes, fmt.Sprintf("class %s has only %s", list.Quote(name), list.Count(count[name], "row")))
		}
	}
	for i := range n {
		p.class[i] = index[c.Text(i)]
	}
	return nil
}

// sortClasses sorts names, as numbers if all are numbers. Of two opposites, such as yes and no, the one that means yes comes last.
func sortClasses(names []string) {
	value := map[string]float64{}
	for _, name := range names {
		if v, err := strconv.ParseFloat(name, 64); err == nil {
			value[name] = v
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(value) == len(names) {
			return cmp.Or(cmp.Compare(value[a], value[b]), cmp.Compare(a, b))
		}
		return cmp.Compare(a, b)
	})
	if len(names) == 2 {
		if yes, ok := table.Meaning(names[0]); ok && yes {
			if no, ok := table.Meaning(names[1]); ok && !no {
				slices.Reverse(names)
			}
		}
	}
}

// weights reads or makes the weights of the rows.
func (p *problem) weights() error {
	n := p.table.Rows()
	switch w := p.options.Weights; w {
	case "", "none":
		return nil
	case "balanced":
		if p.class == nil {
			return errors.New("fit: balanced weights are for classes, and the target is a quantity")
		}
		count := make([]float64, len(p.classes))
		for _, k := range p.class {
			count[k]++
		}
		p.weight = make([]float64, n)
		for i, k := range p.class {
			p.weight[i] = float64(n) / (float64(len(p.classes)) * count[k])
		}
	default:
		c := p.table.Column(w)
		if c == nil || c.Numbers == nil {
			return fmt.Errorf("fit: weights %s: this is neither balanced nor a column of numbers; there are %s", list.Quote(w), list.Names(p.table.Names()))
		}
		sum := 0.0
		for i, v := range c.Numbers {
			if !(v >= 0) || math.IsInf(v, 0) {
				return fmt.Errorf("fit: line %d: the weight is %v, and must be a number of at least 0", p.table.Line(i), v)
			}
			sum += v
		}
		if sum == 0 {
			return fmt.Errorf("fit: all weights in column %s are 0", list.Quote(w))
		}
		p.weight = make([]float64, n)
		for i, v := range c.Numbers {
			p.weight[i] = v * float64(n) / sum
		}
	}
	return nil
}

// usualRows is the number of rows up to which all of them judge in turn.
const usualRows = 20_000

// divide decides which rows learn and which judge.
func (p *problem) divide() error {
	n, o := p.table.Rows(), p.options
	kind, column, _ := strings.Cut(o.SplitBy, ":")
	if kind == "" {
		kind = "random"
	}
	share := o.Valid
	if share == 0 && (kind == "order" || kind == "time" || n > usualRows && o.Folds == 0) {
		share = 0.2
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	group := order // each row is a group of its own
	switch kind {
	case "time":
		c := p.table.Column(column)
		if c == nil {
			return fmt.Errorf("fit: split by time: there is no column %s; there are %s", list.Quote(column), list.Names(p.table.Names()))
		}
		d := p.schema.Column(column)
		if d.Kind != table.Date && d.Kind != table.Numeric && !d.Numbers {
			return fmt.Errorf("fit: split by time: column %s holds neither dates nor numbers", list.Quote(column))
		}
		when, err := table.Values(p.table, d)
		if err != nil {
			return fmt.Errorf("fit: split by time: %w", err)
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(when[a], when[b]) })
	case "group":
		c := p.table.Column(column)
		if c == nil {
			return fmt.Errorf("fit: split by group: there is no column %s; there are %s", list.Quote(column), list.Names(p.table.Names()))
		}
		index := map[string]int{}
		group = make([]int, n)
		for i := range n {
			name := c.Text(i)
			if _, known := index[name]; !known {
				index[name] = len(index)
			}
			group[i] = index[name]
		}
		if len(index) < 2 {
			return fmt.Errorf("fit: split by group: column %s has one group only", list.Quote(column))
		}
	}
	if kind == "order" || kind == "time" {
		cut := n - int(math.Round(share*float64(n)))
		if cut < 5 || n-cut < 2 {
			return fmt.Errorf("fit: of %d rows a share of %v cannot judge", n, share)
		}
		p.folds = slices.Repeat([]fold{{order[:cut], order[cut:]}}, max(1, o.Repeats))
		what := "the last ones"
		if kind == "time" {
			what = "the latest by " + list.Quote(column)
		}
		p.split = fmt.Sprintf("%d rows to learn, %d to judge, %s", cut, n-cut, what)
		return nil
	}
	folds := o.Folds
	if folds == 0 {
		folds = 5
		if n < 300 {
			folds = 10
		}
	}
	if share > 0 {
		folds = max(2, int(math.Round(1/share)))
	}
	for again := range max(1, o.Repeats) {
		at := p.deal(folds, group, again)
		for k := range folds {
			var f fold
			for i := range n {
				if at[i] == k {
					f.judge = append(f.judge, i)
				} else {
					f.learn = append(f.learn, i)
				}
			}
			if len(f.judge) > 0 && len(f.learn) > 0 {
				p.folds = append(p.folds, f)
			}
		}
	}
	if len(p.folds) < 2 {
		return fmt.Errorf("fit: %d rows cannot be dealt into %d parts", n, folds)
	}
	how := ", in equal shares of the classes"
	if p.class == nil {
		how = ""
	}
	if kind == "group" {
		how = ", no group of " + list.Quote(column) + " on both sides"
	}
	if share > 0 {
		p.folds = slices.Repeat(p.folds[:1], max(1, o.Repeats))
		p.split = fmt.Sprintf("%d rows to learn, %d to judge%s", len(p.folds[0].learn), len(p.folds[0].judge), how)
		return nil
	}
	if o.Repeats > 1 {
		how += fmt.Sprintf(", dealt %d times", o.Repeats)
	}
	p.split = fmt.Sprintf("%d rows in %d folds%s: each row is judged by models that have not seen it", n, len(p.folds), how)
	return nil
}

// deal deals rows, or groups of them, into parts, each time again in another way, such that each part has its share of each class, or of small and large values.
func (p *problem) deal(parts int, group []int, again int) []int {
	n := len(group)
	first := map[int]int{}
	var groups []int // the first row of each group
	for i, g := range group {
		if _, known := first[g]; !known {
			first[g] = i
			groups = append(groups, i)
		}
	}
	stream := "fit.folds"
	if again > 0 {
		stream += "." + strconv.Itoa(again)
	}
	shuffled := make([]int, 0, len(groups))
	for _, k := range rng.Perm(len(groups), rng.Named(p.options.Seed, stream)) {
		shuffled = append(shuffled, groups[k])
	}
	if len(groups) == n {
		slices.SortStableFunc(shuffled, func(a, b int) int {
			if p.class != nil {
				return cmp.Compare(p.class[a], p.class[b])
			}
			return 0
		})
	}
	part := map[int]int{}
	for i, row := range shuffled {
		part[group[row]] = i % parts
	}
	at := make([]int, n)
	for i, g := range group {
		at[i] = part[g]
	}
	return at
}

// warn looks for what makes a model look better than it is.
func (p *problem) warn() {
	n := p.table.Rows()
	d := p.schema.Target()
	for _, c := range p.schema.Columns {
		if c.Role != table.Feature {
			continue
		}
		if p.givesAway(p.table.Column(c.Name)) {
			p.notes = append(p.notes, fmt.Sprintf("column %s alone tells %s in nearly all rows: is it known when a prediction is asked for?", list.Quote(c.Name), list.Quote(d.Name)))
		}
	}
	if len(p.folds) > 0 && n <= 200_000 {
		seen := map[string]int{}
		twice := 0
		for i := range n {
			var key strings.Builder
			for _, c := range p.schema.Columns {
				if c.Role == table.Feature {
					key.WriteString(p.table.Column(c.Name).Text(i))
					key.WriteByte(0)
				}
			}
			k := key.String()
			if seen[k] > 0 {
				twice++
			}
			seen[k]++
		}
		if twice > n/50 {
			p.notes = append(p.notes, fmt.Sprintf("%s with the same features as another one: those that judge are not all new", list.Count(twice, "row")))
		}
	}
}

// givesAway reports whether the target follows from one column: each of its values stands beside one class or one number, and it has few values.
func (p *problem) givesAway(c *table.Column) bool {
	n := p.table.Rows()
	type group struct {
		rows int
		same map[string]int
		sum  float64
		sq   float64
	}
	groups := map[string]*group{}
	for i := range n {
		key := c.Text(i)
		g := groups[key]
		if g == nil {
			if len(groups) > n/4 {
				if c.Numbers != nil && p.value != nil {
					return p.follows(c.Numbers)
				}
				return false
			}
			g = &group{same: map[string]int{}}
			groups[key] = g
		}
		g.rows++
		if p.class != nil {
			g.same[p.classes[p.class[i]]]++
		} else {
			g.sum += p.value[i]
			g.sq += p.value[i] * p.value[i]
		}
	}
	if len(groups) < 2 {
		return false
	}
	if p.class != nil {
		right, usual := 0, make([]int, len(p.classes))
		for _, k := range p.class {
			usual[k]++
		}
		for _, g := range groups {
			most := 0
			for _, count := range g.same {
				most = max(most, count)
			}
			right += most
		}
		wrong := float64(n - right)
		return wrong <= 0.01*float64(n-slices.Max(usual)) && n-slices.Max(usual) >= 10
	}
	if p.value != nil && c.Numbers != nil {
		return p.follows(c.Numbers)
	}
	within, all, mean := 0.0, 0.0, 0.0
	for _, v := range p.value {
		mean += v / float64(n)
	}
	for _, v := range p.value {
		all += (v - mean) * (v - mean)
	}
	for _, g := range groups {
		within += g.sq - g.sum*g.sum/float64(g.rows)
	}
	return within < 1e-3*all
}

// follows reports whether the target is nearly a linear function of a column.
func (p *problem) follows(x []float64) bool {
	var n, mx, my float64
	for i, v := range x {
		if !math.IsNaN(v) {
			n++
			mx += v
			my += p.value[i]
		}
	}
	if n < 10 {
		return false
	}
	mx, my = mx/n, my/n
	var xy, xx, yy float64
	for i, v := range x {
		if !math.IsNaN(v) {
			xy += (v - mx) * (p.value[i] - my)
			xx += (v - mx) * (v - mx)
			yy += (p.value[i] - my) * (p.value[i] - my)
		}
	}
	return xx > 0 && yy > 0 && xy*xy > 0.999*xx*yy
}
