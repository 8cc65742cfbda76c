// Package series makes data sets of series in time: windows of the past and what came after them, and columns of earlier values.
//
//	all, err := series.Read(t, series.Options{Time: "date", Group: "shop", Columns: []string{"sales", "price"}})
//	set, places, err := series.Windows(all, 28, 7, 1)         // four weeks, and the sales of the week after
//	lagged, err := series.Lags(t, series.Options{Time: "date", Columns: []string{"sales"}}, 1, 7)  // for fit.Table
//
// A window never reaches over a gap in time.
package series

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
)

// Options say which columns of a table make series.
type Options struct {
	Time    string   // a column of dates or numbers, by which the rows are sorted; "" means that they are in order, at equal steps
	Group   string   // the column that tells several series apart; "" means that there is one
	Columns []string // of numbers
	// Gap is the number of usual steps above which two moments are not neighbors; 0 means 1.5, so that months are neighbors. Without Time there are no such gaps.
	Gap float64
}

// Series is a piece of a series without gaps: a value of each column at each moment.
type Series struct {
	Group  string
	Rows   []int       // of the table
	Times  []float64   // in seconds since 1970 if the column has dates; places in the order if there is no such column
	Values [][]float64 // of each column
	Step   float64     // the usual one, the median over all series
}

// Read returns the series of a table, in pieces that have no gaps: a row without a value in one of the columns is one. They are in the order in which the groups appear, and of time.
func Read(t *table.Table, o Options) ([]Series, error) {
	if t == nil {
		return nil, errors.New("series: the table is nil")
	}
	if len(o.Columns) == 0 {
		return nil, errors.New("series: there are no columns: set Options.Columns")
	}
	if o.Gap == 0 {
		o.Gap = 1.5
	}
	if !(o.Gap >= 1) {
		return nil, fmt.Errorf("series: a gap of %v steps: it must be at least 1", o.Gap)
	}
	var values [][]float64
	for _, name := range o.Columns {
		v, err := numbers(t, name, table.Numeric)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	groups, names, times, err := order(t, o)
	if err != nil {
		return nil, err
	}
	step := Step(groups, times)
	var all []Series
	for g, rows := range groups {
		var s *Series
		last := math.NaN()
		for _, r := range rows {
			whole := !slices.ContainsFunc(values, func(v []float64) bool { return math.IsNaN(v[r]) })
			if s != nil && (!whole || o.Time != "" && times[r]-last > o.Gap*step) {
				all = append(all, *s)
				s = nil
			}
			last = times[r]
			if !whole {
				continue
			}
			if s == nil {
				s = &Series{Group: names[g], Step: step, Values: make([][]float64, len(values))}
			}
			s.Rows, s.Times = append(s.Rows, r), append(s.Times, times[r])
			for k, v := range values {
				s.Values[k] = append(s.Values[k], v[r])
			}
		}
		if s != nil {
			all = append(all, *s)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("series: no row has values of %s", list.Names(o.Columns))
	}
	return all, nil
}

// Moments returns the time of each row of a table: seconds since 1970 of dates, numbers as they are, and the number of the row if column is "".
func Moments(t *table.Table, column string) ([]float64, error) {
	if column == "" {
		times := make([]float64, t.Rows())
		for i := range times {
			times[i] = float64(i)
		}
		return times, nil
	}
	kind := table.Numeric
	if c := t.Column(column); c != nil && c.Numbers == nil {
		kind = table.Date
	}
	times, err := numbers(t, column, kind)
	if err != nil {
		return nil, err
	}
	for i, v := range times {
		if math.IsNaN(v) {
			return nil, cell(t, i, column, "there is no time: fill it in, or leave the row out")
		}
	}
	return times, nil
}

// numbers reads a column as numbers.
func numbers(t *table.Table, name string, kind table.Kind) ([]float64, error) {
	c := t.Column(name)
	if c == nil {
		return nil, fmt.Errorf("series: there is no column %s; there are %s", list.Quote(name), list.Names(t.Names()))
	}
	if c.Numbers != nil && kind == table.Numeric {
		return c.Numbers, nil
	}
	alone := &table.Table{Columns: []*table.Column{c}, Dialect: t.Dialect}
	schema, err := table.Infer(alone, table.Hints{Kinds: map[string]table.Kind{name: kind}})
	if err != nil {
		return nil, fmt.Errorf("series: column %s: %w", list.Quote(name), err)
	}
	v, err := table.Values(alone, schema.Column(name))
	if err != nil {
		var bad *table.CellError
		if errors.As(err, &bad) {
			bad.Line = t.Line(bad.Row)
		}
		return nil, fmt.Errorf("series: %w", err)
	}
	return v, nil
}

func cell(t *table.Table, row int, column, format string, args ...any) error {
	return fmt.Errorf("series: %w", &table.CellError{Row: row, Line: t.Line(row), Column: column, Problem: fmt.Sprintf(format, args...)})
}

// order returns the rows of each group in the order of time.
func order(t *table.Table, o Options) (groups [][]int, names []string, times []float64, err error) {
	if times, err = Moments(t, o.Time); err != nil {
		return nil, nil, nil, err
	}
	if o.Group == "" {
		names, groups = []string{""}, make([][]int, 1)
		for i := range t.Rows() {
			groups[0] = append(groups[0], i)
		}
	} else {
		c := t.Column(o.Group)
		if c == nil {
			return nil, nil, nil, fmt.Errorf("series: there is no column %s; there are %s", list.Quote(o.Group), list.Names(t.Names()))
		}
		index := map[string]int{}
		for i := range t.Rows() {
			name := c.Text(i)
			k, known := index[name]
			if !known {
				k = len(names)
				index[name] = k
				names, groups = append(names, name), append(groups, nil)
			}
			groups[k] = append(groups[k], i)
		}
	}
	for g, rows := range groups {
		slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(times[a], times[b]) })
		for k := 1; k < len(rows); k++ {
			if times[rows[k]] == times[rows[k-1]] {
				of := ""
				if o.Group != "" {
					of = " in the series " + list.Quote(names[g])
				} else {
					of = ": if there are several series, say which column tells them apart"
				}
				return nil, nil, nil, cell(t, rows[k], o.Time, "the time %s is there twice%s", list.Quote(t.Column(o.Time).Text(rows[k])), of)
			}
		}
	}
	return groups, names, times, nil
}

// Step returns the median of the steps in time between neighbors, or 1 if there are none.
func Step(groups [][]int, times []float64) float64 {
	var steps []float64
	for _, rows := range groups {
		for k := 1; k < len(rows); k++ {
			steps = append(steps, times[rows[k]]-times[rows[k-1]])
		}
	}
	if len(steps) == 0 {
		return 1
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

// Place is where a window is: At is the moment in a series that comes first after its past.
type Place struct{ Series, At int }

// Places returns where there are windows with so many moments of the past and so many after them, stride moments from one to the next.
func Places(all []Series, length, horizon, stride int) ([]Place, error) {
	if length < 1 || horizon < 1 || stride < 1 {
		return nil, fmt.Errorf("series: windows of %d and %d moments every %d: want 1 or more", length, horizon, stride)
	}
	var places []Place
	longest := 0
	for k, s := range all {
		longest = max(longest, len(s.Times))
		for at := length; at+horizon <= len(s.Times); at += stride {
			places = append(places, Place{k, at})
		}
	}
	if len(places) == 0 {
		return nil, fmt.Errorf("series: windows of %d and %d moments are longer than the longest piece without a gap, which has %d", length, horizon, longest)
	}
	return places, nil
}

// Windows returns a data set of windows and where they are. The field past is [length columns], and next [horizon], the values of the first column after that, both as F64: Normalize and Cast them.
func Windows(all []Series, length, horizon, stride int) (*data.Set, []Place, error) {
	places, err := Places(all, length, horizon, stride)
	if err != nil {
		return nil, nil, err
	}
	columns := len(all[0].Values)
	past, next := make([]float64, 0, len(places)*length*columns), make([]float64, 0, len(places)*horizon)
	for _, p := range places {
		s := all[p.Series]
		for i := p.At - length; i < p.At; i++ {
			for _, v := range s.Values {
				past = append(past, v[i])
			}
		}
		next = append(next, s.Values[0][p.At:p.At+horizon]...)
	}
	set, err := data.NewSet(
		data.Field{Name: "past", Array: data.Array{Shape: []int{len(places), length, columns}, Data: past}},
		data.Field{Name: "next", Array: data.Array{Shape: []int{len(places), horizon}, Data: next}})
	return set, places, err
}

// Lags returns the table with a column of earlier values for each of the columns and each lag, in steps: column_lag7 has what column had seven steps before, and nothing
// if a gap or the beginning is in between.
func Lags(t *table.Table, o Options, lags ...int) (*table.Table, error) {
	for _, lag := range lags {
		if lag < 1 {
			return nil, fmt.Errorf("series: a lag of %d steps: want 1 or more", lag)
		}
	}
	if _, err := Read(t, o); err != nil { // for its errors
		return nil, err
	}
	for _, name := range o.Columns {
		alone := o
		alone.Columns = []string{name}
		all, err := Read(t, alone)
		if err != nil {
			return nil, err
		}
		for _, lag := range lags {
			earlier := make([]float64, t.Rows())
			for i := range earlier {
				earlier[i] = math.NaN()
			}
			for _, s := range all {
				for k, row := range s.Rows {
					if k >= lag {
						earlier[row] = s.Values[0][k-lag]
					}
				}
			}
			into := name + "_lag" + strconv.Itoa(lag)
			if t.Column(into) != nil {
				return nil, fmt.Errorf("series: there is a column %s already", list.Quote(into))
			}
			t = t.With(table.Numbers(into, earlier...))
		}
	}
	return t, nil
}
