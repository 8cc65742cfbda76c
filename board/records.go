package board

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/seed-49005b45/tarn/watch"
)

// This file holds records, the records of one run as columns, and how a column becomes few enough points to draw.

// absent is the value of what was not measured: a NaN that no arithmetic produces, so that a measured NaN is another.
var absent = math.Float64frombits(0x7ff8_0000_00ab_5e17)

func isAbsent(x float64) bool { return math.Float64bits(x) == math.Float64bits(absent) }

// maxKept is the number of histograms of one name, and of profiles over time steps of one layer, that are kept. When there
// are more, every second one is dropped, and from then on only every second one is taken.
const maxKept = 256

// thinned keeps some of the values that it is given, evenly spread.
type thinned[T any] struct {
	kept   []T
	stride int
	seen   int
}

func (t *thinned[T]) add(v T) {
	if t.stride == 0 {
		t.stride = 1
	}
	if t.seen%t.stride == 0 {
		if len(t.kept) == maxKept {
			for i := range maxKept / 2 {
				t.kept[i] = t.kept[2*i]
			}
			clear(t.kept[maxKept/2:])
			t.kept = t.kept[:maxKept/2]
			t.stride *= 2
		}
		if t.seen%t.stride == 0 {
			t.kept = append(t.kept, v)
		}
	}
	t.seen++
}

// profile is the norm of the gradient at each time step of a recurrent layer, at one look.
type profile struct {
	row   int // of the columns
	norms []watch.Number
}

// columns has one row for each look, or for each epoch.
type columns struct {
	step    []int64
	epoch   []float64
	seconds []float64
	names   []string // in the order in which they came
	values  map[string][]float64
}

func (c *columns) reset() { *c = columns{values: map[string][]float64{}} }

// begin starts a row.
func (c *columns) begin(step int64, epoch, seconds float64) {
	c.step, c.epoch, c.seconds = append(c.step, step), append(c.epoch, epoch), append(c.seconds, seconds)
}

// set sets a value of the last row.
func (c *columns) set(name string, x float64) {
	v, known := c.values[name]
	if !known {
		c.names = append(c.names, name)
	}
	for len(v) < len(c.step)-1 {
		v = append(v, absent)
	}
	c.values[name] = append(v[:len(c.step)-1], x)
}

// truncate drops the rows after a step.
func (c *columns) truncate(step int64) {
	n := len(c.step)
	for n > 0 && c.step[n-1] > step {
		n--
	}
	c.step, c.epoch, c.seconds = c.step[:n], c.epoch[:n], c.seconds[:n]
	for name, v := range c.values {
		c.values[name] = v[:min(n, len(v))]
	}
}

// at is the value of a column in a row.
func (c *columns) at(name string, row int) float64 {
	if v := c.values[name]; row < len(v) {
		return v[row]
	}
	return absent
}

// records is what the file of records of a run says, in columns.
type records struct {
	mu     sync.Mutex
	file   tail
	used   int64 // when it was asked for last, in turns of the board
	header *watch.Header
	looks  columns
	epochs columns

	verdicts   []watch.Verdict
	confusion  *watch.Confusion                     // the last one
	program    *watch.Program                       // the last one
	histograms map[string]*thinned[watch.Histogram] // by "of/name"
	profiles   map[string]*thinned[profile]         // by the path of a layer
}

func newRecords(dir string) *records {
	r := &records{file: tail{name: path.Join(dir, watch.FileName)}}
	r.reset()
	return r
}

func (r *records) reset() {
	r.header, r.verdicts, r.confusion, r.program = nil, nil, nil, nil
	r.looks.reset()
	r.epochs.reset()
	r.histograms, r.profiles = map[string]*thinned[watch.Histogram]{}, map[string]*thinned[profile]{}
}

// update reads what is new. The caller holds mu.
func (r *records) update(root *os.Root) error {
	return r.file.read(root, r.reset, func(text []byte) error {
		var l watch.Line
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		r.add(&l)
		return nil
	})
}

// add takes a line.
func (r *records) add(l *watch.Line) {
	switch {
	case l.Header != nil:
		r.begin(l.Header)
	case l.Step != nil:
		r.addStep(l.Step)
	case l.Epoch != nil:
		e := l.Epoch
		seconds := e.Seconds
		if n := len(r.epochs.seconds); n > 0 {
			seconds += r.epochs.seconds[n-1]
		}
		r.epochs.begin(e.Run, float64(e.Epoch), seconds)
		r.epochs.set("epoch/train loss", float64(e.TrainLoss))
		if !math.IsNaN(float64(e.ValLoss)) {
			r.epochs.set("epoch/val loss", float64(e.ValLoss))
		}
		for name, x := range e.Metrics {
			r.epochs.set("epoch/"+name, float64(x))
		}
	case l.Verdict != nil:
		r.verdicts = append(r.verdicts, *l.Verdict)
	case l.Confusion != nil:
		r.confusion = l.Confusion
	case l.Program != nil:
		r.program = l.Program
	case l.Histogram != nil:
		h := l.Histogram
		if len(h.Limits) != len(h.Counts)+1 {
			return
		}
		key := h.Of + "/" + h.Name
		if r.histograms[key] == nil {
			r.histograms[key] = &thinned[watch.Histogram]{}
		}
		r.histograms[key].add(*h)
	}
}

// begin takes a header: what came after its run has been undone.
func (r *records) begin(h *watch.Header) {
	r.header = h
	r.looks.truncate(h.Run)
	r.epochs.truncate(h.Run)
	r.verdicts = slices.DeleteFunc(r.verdicts, func(v watch.Verdict) bool { return v.Run > h.Run })
	if r.confusion != nil && r.confusion.Run > h.Run {
		r.confusion = nil
	}
	for _, t := range r.histograms {
		t.kept = slices.DeleteFunc(t.kept, func(x watch.Histogram) bool { return x.Run > h.Run })
	}
	for _, t := range r.profiles {
		t.kept = slices.DeleteFunc(t.kept, func(p profile) bool { return p.row >= len(r.looks.step) })
	}
}

// addStep takes a look. A line whose columns do not fit the header has only the numbers of the whole step.
func (r *records) addStep(s *watch.Step) {
	c := &r.looks
	epoch := float64(s.Epoch)
	if h := r.header; h != nil && h.Examples > 0 && h.Batch > 0 {
		epoch = float64(s.Run) * float64(h.Batch) / float64(h.Examples)
	}
	c.begin(s.Run, epoch, s.Seconds)
	c.set("loss", float64(s.Loss))
	if rate := float64(s.Rate); !math.IsNaN(rate) { // which says that the optimizer does not tell it
		c.set("rate", rate)
	}
	c.set("gradNorm", float64(s.GradNorm))
	c.set("clippedNorm", float64(s.ClippedNorm))
	for _, one := range []struct {
		name string
		x    *watch.Number
	}{{"noiseScale", s.NoiseScale}, {"cosine", s.Cosine}, {"alpha", s.Alpha}, {"busy processors", s.Busy}, {"memory", s.Memory}} {
		if one.x != nil {
			c.set(one.name, float64(*one.x))
		}
	}
	for name, x := range s.Values {
		c.set("value/"+name, float64(x))
	}
	if r.header == nil {
		return
	}
	set := func(i int, prefix, name string, column []watch.Number) {
		if i < len(column) {
			c.set(prefix+"/"+name, float64(column[i]))
		}
	}
	if t := s.Ranks; t != nil {
		for i := range r.header.Ranks {
			prefix := fmt.Sprintf("rank/%d", i)
			set(i, prefix, "computing", t.Compute)
			set(i, prefix, "between", t.Between)
			set(i, prefix, "waiting", t.Wait)
			set(i, prefix, "exchanging", t.Exchange)
		}
	}
	for i, l := range r.header.Layers {
		prefix := "layer/" + l.Path
		set(i, prefix, "gradNorm", s.Layers.GradNorm)
		set(i, prefix, "mean", s.Layers.Mean)
		set(i, prefix, "std", s.Layers.Std)
		set(i, prefix, "dead", s.Layers.Dead)
		set(i, prefix, "saturated", s.Layers.Saturated)
		if i < len(s.Layers.GradSteps) && len(s.Layers.GradSteps[i]) > 0 {
			if r.profiles[l.Path] == nil {
				r.profiles[l.Path] = &thinned[profile]{}
			}
			r.profiles[l.Path].add(profile{len(c.step) - 1, s.Layers.GradSteps[i]})
		}
	}
	for i, p := range r.header.Params {
		prefix := "param/" + p.Name
		set(i, prefix, "gradNorm", s.Params.GradNorm)
		set(i, prefix, "norm", s.Params.Norm)
		set(i, prefix, "updateNorm", s.Params.UpdateNorm)
		if i < len(s.Params.UpdateNorm) && i < len(s.Params.Norm) {
			if ratio := s.Params.Ratio(i); s.Params.Norm[i] != 0 {
				c.set(prefix+"/ratio", ratio)
			}
		}
		set(i, prefix, "zeros", s.Params.Zeros)
		set(i, prefix, "gradZeros", s.Params.GradZeros)
		set(i, prefix, "nonFinite", s.Params.NonFinite)
	}
}

// series is a column as it is drawn: the points that were chosen, each with all three of its places.
type series struct {
	Step    []int64        `json:"step"`
	Epoch   []watch.Number `json:"epoch"`
	Seconds []watch.Number `json:"seconds"`
	Y       []watch.Number `json:"y"`
}

// window is a part of the columns.
type window struct {
	axis     string  // "step", "epoch" or "seconds"
	from, to float64 // both included
	buckets  int
	smooth   float64 // the weight of the past in the moving average, 0 for none
}

// rows returns the first row of the window and the one after its last. The row before and the row after belong to it, so that
// lines run to the edge.
func (c *columns) rows(w window) (int, int) {
	place := func(i int) float64 {
		switch w.axis {
		case "epoch":
			return c.epoch[i]
		case "seconds":
			return c.seconds[i]
		}
		return float64(c.step[i])
	}
	n := len(c.step)
	low, high := 0, n
	for low < n && place(low) < w.from {
		low++
	}
	for high > low && place(high-1) > w.to {
		high--
	}
	return max(low-1, 0), min(high+1, n)
}

// series returns a column within the window.
func (c *columns) series(name string, w window) series {
	y := c.values[name]
	low, high := c.rows(w)
	low, high = min(low, len(y)), min(high, len(y))
	if w.smooth > 0 {
		y = smooth(y[:high], w.smooth)
	}
	var s series
	for _, i := range extremes(y[:high], low, w.buckets) {
		s.Step = append(s.Step, c.step[i])
		s.Epoch = append(s.Epoch, watch.Number(c.epoch[i]))
		s.Seconds = append(s.Seconds, watch.Number(c.seconds[i]))
		s.Y = append(s.Y, watch.Number(y[i]))
	}
	return s
}

// smooth returns the exponential moving average, without the bias to its start. What is not finite stays, and does not count.
func smooth(y []float64, past float64) []float64 {
	out := make([]float64, len(y))
	sum, weight := 0.0, 0.0
	for i, x := range y {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			out[i] = x
			continue
		}
		sum, weight = past*sum+(1-past)*x, past*weight+(1-past)
		out[i] = sum / weight
	}
	return out
}

// extremes returns the places of the smallest and the largest number of y[from:] in each of a number of buckets, of the first
// that is not finite, and of the very first and the last; all places if they are few.
func extremes(y []float64, from, buckets int) (at []int) {
	n := len(y) - from
	if n <= 2*buckets {
		for i := from; i < len(y); i++ {
			if !isAbsent(y[i]) {
				at = append(at, i)
			}
		}
		return at
	}
	for b := range buckets {
		low, high, wrong, first, last := -1, -1, -1, -1, -1
		for i := from + b*n/buckets; i < from+(b+1)*n/buckets; i++ {
			switch x := y[i]; {
			case isAbsent(x):
				continue
			case math.IsNaN(x) || math.IsInf(x, 0):
				if wrong < 0 {
					wrong = i
				}
			default:
				if low < 0 || x < y[low] {
					low = i
				}
				if high < 0 || x > y[high] {
					high = i
				}
			}
			if first < 0 {
				first = i
			}
			last = i
		}
		var places []int
		for _, i := range []int{low, high, wrong} {
			if i >= 0 {
				places = append(places, i)
			}
		}
		if b == 0 && first >= 0 {
			places = append(places, first)
		}
		if b == buckets-1 && last >= 0 {
			places = append(places, last)
		}
		slices.Sort(places)
		at = append(at, slices.Compact(places)...)
	}
	return at
}

// heat is a heat map: rows over time. Values[i][j] is that of row i at column j, the mean over what fell into the column, or
// null if nothing was measured.
type heat struct {
	Rows    []string          `json:"rows"`
	Step    []int64           `json:"step"` // of the last look in each column
	Epoch   []watch.Number    `json:"epoch"`
	Seconds []watch.Number    `json:"seconds"`
	Values  [][]*watch.Number `json:"values"`
}

// heat returns the columns of the given names, each a row of the map.
func (c *columns) heat(rows, names []string, w window) heat {
	low, high := c.rows(w)
	n := high - low
	buckets := min(n, w.buckets)
	h := heat{Rows: rows, Values: make([][]*watch.Number, len(rows))}
	for b := range buckets {
		from, to := low+b*n/buckets, low+(b+1)*n/buckets
		h.place(c, to-1)
		for i, name := range names {
			h.Values[i] = append(h.Values[i], c.mean(name, from, to))
		}
	}
	return h
}

// place adds a column at a row of the records.
func (h *heat) place(c *columns, row int) {
	h.Step = append(h.Step, c.step[row])
	h.Epoch = append(h.Epoch, watch.Number(c.epoch[row]))
	h.Seconds = append(h.Seconds, watch.Number(c.seconds[row]))
}

// mean is the mean of a column over some rows, the first number that is not finite if there is one, nil without any.
func (c *columns) mean(name string, from, to int) *watch.Number {
	sum, n := 0.0, 0
	for i := from; i < to; i++ {
		x := c.at(name, i)
		if isAbsent(x) {
			continue
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			bad := watch.Number(x)
			return &bad
		}
		sum, n = sum+x, n+1
	}
	if n == 0 {
		return nil
	}
	mean := watch.Number(sum / float64(n))
	return &mean
}

// measures says which records a heat map can show, and whether its rows are layers, params or ranks.
var measures = map[string]string{
	"gradNorm": "layer", "dead": "layer", "saturated": "layer", "mean": "layer", "std": "layer",
	"ratio": "param", "norm": "param", "weightGradNorm": "param", "zeros": "param", "gradZeros": "param", "nonFinite": "param",
	"computing": "rank", "between": "rank", "waiting": "rank", "exchanging": "rank",
}

// flow returns the heat map of a measure: the layers, or the params, by depth, or the ranks.
func (r *records) flow(measure string, w window) heat {
	if r.header == nil {
		return heat{}
	}
	var rows, names []string
	column := strings.Replace(measure, "weightGradNorm", "gradNorm", 1)
	switch measures[measure] {
	case "layer":
		for _, l := range r.header.Layers {
			rows, names = append(rows, l.Path), append(names, "layer/"+l.Path+"/"+column)
		}
	case "rank":
		for i, rank := range r.header.Ranks {
			rows, names = append(rows, fmt.Sprintf("rank %d on %s", i, rank.Host)), append(names, fmt.Sprintf("rank/%d/%s", i, column))
		}
	default:
		for _, p := range r.header.Params {
			rows, names = append(rows, p.Name), append(names, "param/"+p.Name+"/"+column)
		}
	}
	return r.looks.heat(rows, names, w)
}

// overTime returns the heat map of a recurrent layer's gradient by time step.
func (r *records) overTime(layer string) (h heat) {
	t := r.profiles[layer]
	if t == nil {
		return h
	}
	for _, p := range t.kept {
		h.place(&r.looks, p.row)
		for i := range p.norms {
			if i == len(h.Rows) {
				h.Rows = append(h.Rows, "")
				h.Values = append(h.Values, nil)
			}
			for len(h.Values[i]) < len(h.Step)-1 {
				h.Values[i] = append(h.Values[i], nil)
			}
			h.Values[i] = append(h.Values[i], &p.norms[i])
		}
	}
	for i := range h.Rows {
		h.Rows[i] = timeStep(i)
		for len(h.Values[i]) < len(h.Step) {
			h.Values[i] = append(h.Values[i], nil)
		}
	}
	return h
}
