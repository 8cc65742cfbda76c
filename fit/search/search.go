// Package search looks for the settings of package fit with which the answers about a table are best.
//
//	r, err := search.Run(ctx, t, search.Options{Base: fit.Options{Target: "price"}, Trials: 50, File: "price.trials.jsonl"})
//	err = r.Model.Save("price.tarn")
//
// Settings are drawn at random, and learn for a part of the usual work. Those that are among the best third learn for longer, up to the usual work, while new ones are drawn:
// asynchronous successive halving (Li et al. 2020, A system for massively parallel hyperparameter tuning). The usual settings take part, so that the result is no worse than
// they are on the rows that judge. All trials are judged by the same rows, and the best of many looks a little better there than it is: what is decided by a narrow margin
// should be measured on rows of its own.
//
// Each finished trial is a line of a file, and a search that was killed goes on after the last one.
package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
)

// This file holds the search: what is drawn, what goes on, and what is left at the end.

// Range bounds a number that is drawn.
type Range [2]float64

// Space says what is drawn.
type Space struct {
	Families []fit.Family `json:"families,omitempty"` // "" means the linear model and perceptrons together
	Periodic []bool       `json:"periodic,omitempty"`
	Layers   []int        `json:"layers,omitempty"`
	Widths   []int        `json:"widths,omitempty"`
	Members  []int        `json:"members,omitempty"` // of perceptrons
	Rate     Range        `json:"rate"`              // drawn evenly by its logarithm
	Decay    Range        `json:"decay"`             // likewise
	Dropout  Range        `json:"dropout"`
}

// Usual is the space that is searched if one says nothing.
func Usual() Space {
	return Space{Families: []fit.Family{fit.Both}, Periodic: []bool{false, true}, Layers: []int{1, 2, 3}, Widths: []int{32, 64, 128, 192, 256}, Members: []int{4, 8, 16},
		Rate: Range{3e-4, 1e-2}, Decay: Range{1e-6, 1e-1}, Dropout: Range{0, 0.5}}
}

// check returns an error for a space from which nothing can be drawn.
func (s *Space) check() error {
	for name, empty := range map[string]bool{"families": len(s.Families) == 0, "periodic": len(s.Periodic) == 0, "layers": len(s.Layers) == 0, "widths": len(s.Widths) == 0, "members": len(s.Members) == 0} {
		if empty {
			return fmt.Errorf("search: the space has no %s: list at least one", name)
		}
	}
	for _, n := range s.Layers {
		if n < 1 || n > 100 {
			return fmt.Errorf("search: %d layers: there must be 1 to 100", n)
		}
	}
	for name, r := range map[string]Range{"rate": s.Rate, "decay": s.Decay, "dropout": s.Dropout} {
		if !(r[0] <= r[1]) || r[0] < 0 || name != "dropout" && r[0] == 0 || name == "dropout" && r[1] >= 1 || math.IsInf(r[1], 0) {
			return fmt.Errorf("search: %s from %v to %v: the range must rise, above 0, and dropout stay below 1", name, r[0], r[1])
		}
	}
	for _, f := range s.Families {
		for _, w := range s.Widths {
			for _, m := range s.Members {
				o := fit.Options{Target: "target", Family: f, Hidden: []int{w}, Members: m}
				if err := o.Check(); err != nil {
					return fmt.Errorf("search: %w", err)
				}
			}
		}
	}
	return nil
}

// Settings are those of one trial. The zero value is the usual ones.
type Settings struct {
	Family   fit.Family `json:"family,omitempty"`
	Periodic bool       `json:"periodic,omitempty"`
	Hidden   []int      `json:"hidden,omitempty"`
	Members  int        `json:"members,omitempty"`
	Rate     float64    `json:"rate,omitempty"`
	Decay    float64    `json:"decay,omitempty"`
	Dropout  float64    `json:"dropout,omitempty"` // negative means none
}

// With returns options with the settings in them.
func (s Settings) With(o fit.Options) fit.Options {
	o.Family, o.Periodic, o.Hidden, o.Members, o.Rate, o.Decay, o.Dropout = s.Family, s.Periodic, s.Hidden, s.Members, s.Rate, s.Decay, s.Dropout
	return o
}

// draw returns the settings of a trial. The same seed and number always draw the same.
func (s *Space) draw(seed uint64, trial int) Settings {
	r := rand.New(rand.NewPCG(seed, uint64(trial)))
	between := func(b Range) float64 { return b[0] + (b[1]-b[0])*r.Float64() }
	digits := func(v float64) float64 { // three, so that a command line can say it
		short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
		return short
	}
	logarithmic := func(b Range) float64 {
		return digits(math.Exp(between(Range{math.Log(b[0]), math.Log(b[1])})))
	}
	out := Settings{Family: s.Families[r.IntN(len(s.Families))], Periodic: s.Periodic[r.IntN(len(s.Periodic))]}
	width := s.Widths[r.IntN(len(s.Widths))]
	for range s.Layers[r.IntN(len(s.Layers))] {
		out.Hidden = append(out.Hidden, width)
	}
	out.Members = s.Members[r.IntN(len(s.Members))]
	out.Rate, out.Decay, out.Dropout = logarithmic(s.Rate), logarithmic(s.Decay), math.Round(100*between(s.Dropout))/100
	if out.Dropout == 0 {
		out.Dropout = -1
	}
	return out
}

// Options say how to search.
type Options struct {
	Base   fit.Options // what stays the same; Family, Hidden and the other settings of the space are drawn
	Space  Space       // the zero value means Usual
	Trials int         // settings to draw; 0 means 30
	Seed   uint64      // of what is drawn
	File   string      // of the trials, a line each; "" means none. A search goes on after the trials that are there

	Progress func(Trial)                      // is told each finished trial; may be nil
	Save     func(*fit.Model, Settings) error // is given each model that is better than all before; may be nil
}

// Trial is how good some settings are.
type Trial struct {
	Number   int                `json:"trial"` // 0 is the usual settings
	Rung     int                `json:"rung"`  // 0 learns for a ninth of the usual work, 1 for a third, 2 for all of it
	Settings Settings           `json:"settings"`
	Loss     float64            `json:"loss"` // by which trials are compared: log loss, or RMSE
	Metrics  map[string]float64 `json:"metrics"`
	Seconds  float64            `json:"seconds"`
	Known    bool               `json:"-"` // it was in the file
}

// top is the rung of the usual work, and factor the one by which work grows and trials shrink.
const (
	top    = 2
	factor = 3
)

// Importance says how much a setting matters.
type Importance struct {
	Setting string
	Share   float64 // of the variance of the logarithm of the loss, what the setting alone explains
}

// Result is what a search has found.
type Result struct {
	Best       Trial
	Usual      Trial // the usual settings
	Trials     []Trial
	Importance []Importance
	Model      *fit.Model // of the best settings
	Settled    bool       // there is nothing more to try, and the time had not run out before
}

// Run searches until all trials are done or the context ends, and returns what has been found. It is an error if not even the usual settings were done.
func Run(ctx context.Context, t *table.Table, o Options) (*Result, error) {
	if o.Trials < 0 || o.Trials > 1_000_000 {
		return nil, fmt.Errorf("search: %d trials", o.Trials)
	}
	if o.Trials == 0 {
		o.Trials = 30
	}
	if o.Space.Families == nil && o.Space.Layers == nil && o.Space.Widths == nil {
		o.Space = Usual()
	}
	if err := o.Space.check(); err != nil {
		return nil, err
	}
	plan, err := fit.Prepare(t, o.Base)
	if err != nil {
		return nil, err
	}
	metric := "log loss"
	if plan.Task == fit.Regress {
		metric = "RMSE"
	}
	log, err := openLog(o, plan)
	if err != nil {
		return nil, err
	}
	s := &state{trials: log.trials}
	for _, trial := range s.trials {
		if o.Progress != nil {
			o.Progress(trial)
		}
	}
	var model *fit.Model
	for {
		next, more := s.next(o)
		if !more {
			s.settled = true
			break
		}
		if ctx.Err() != nil {
			break
		}
		start := time.Now()
		options := next.Settings.With(o.Base)
		options.Progress = nil
		if options.Work == 0 {
			options.Work = 1
		}
		for range top - next.Rung {
			options.Work /= factor
		}
		m, err := fit.Table(ctx, t, options)
		if err != nil && ctx.Err() != nil {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("search: trial %d: %w", next.Number, err)
		}
		next.Loss, next.Metrics, next.Seconds = m.About.Metrics[metric], m.About.Metrics, time.Since(start).Seconds()
		better := next.Rung == top && (s.best() == nil || next.Loss < s.best().Loss)
		s.trials = append(s.trials, next)
		if err := log.append(next); err != nil {
			return nil, err
		}
		if better {
			model = m
			if o.Save != nil {
				if err := o.Save(m, next.Settings); err != nil {
					return nil, err
				}
			}
		}
		if o.Progress != nil {
			o.Progress(next)
		}
	}
	best := s.best()
	if best == nil {
		return nil, fmt.Errorf("search: the time was up before the usual settings had learned: %w", context.Cause(ctx))
	}
	r := &Result{Best: *best, Usual: *s.find(0, top), Trials: s.trials, Importance: s.importance(), Model: model, Settled: s.settled}
	if r.Model == nil { // the best one was found before
		again := context.WithoutCancel(ctx)
		if errors.Is(context.Cause(ctx), context.Canceled) {
			again = ctx
		}
		if r.Model, err = fit.Table(again, t, best.Settings.With(o.Base)); err != nil {
			return nil, err
		}
		if o.Save != nil {
			if err := o.Save(r.Model, best.Settings); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// state are the finished trials.
type state struct {
	trials  []Trial
	settled bool
}

// find returns a trial on a rung, or nil.
func (s *state) find(number, rung int) *Trial {
	for i := range s.trials {
		if s.trials[i].Number == number && s.trials[i].Rung == rung {
			return &s.trials[i]
		}
	}
	return nil
}

// best returns the best trial of the usual work, or nil.
func (s *state) best() *Trial {
	var best *Trial
	for i := range s.trials {
		if t := &s.trials[i]; t.Rung == top && (best == nil || t.Loss < best.Loss) {
			best = t
		}
	}
	return best
}

// next says what to try next. It depends on the finished trials alone.
func (s *state) next(o Options) (Trial, bool) {
	if s.find(0, top) == nil {
		return Trial{Rung: top}, true
	}
	drawn := 0
	var rungs [top + 1][]Trial // without the usual settings
	for _, t := range s.trials {
		if t.Number > 0 {
			rungs[t.Rung] = append(rungs[t.Rung], t)
			drawn = max(drawn, t.Number)
		}
	}
	promote := func(least int) (Trial, bool) {
		for rung := top - 1; rung >= 0; rung-- {
			sorted := slices.Clone(rungs[rung])
			slices.SortStableFunc(sorted, func(a, b Trial) int { return cmp.Compare(a.Loss, b.Loss) })
			most := max(least, len(sorted)/factor)
			for _, t := range sorted[:min(most, len(sorted))] {
				if s.find(t.Number, rung+1) == nil {
					return Trial{Number: t.Number, Rung: rung + 1, Settings: t.Settings}, true
				}
			}
		}
		return Trial{}, false
	}
	if t, found := promote(0); found {
		return t, true
	}
	if drawn < o.Trials-1 {
		return Trial{Number: drawn + 1, Settings: o.Space.draw(o.Seed, drawn+1)}, true
	}
	return promote(1) // the best ones of few
}

// importance says how much each setting explains of the losses on the lowest rung, by an analysis of variance of three groups of its values (or as many as it has). The share
// is omega squared, which is 0 on average if a setting does not matter.
func (s *state) importance() []Importance {
	var losses []float64
	var settings []Settings
	for _, t := range s.trials {
		if t.Rung == 0 && t.Number > 0 && t.Loss > 0 {
			losses, settings = append(losses, math.Log(t.Loss)), append(settings, t.Settings)
		}
	}
	if len(losses) < 8 {
		return nil
	}
	var out []Importance
	for name, value := range map[string]func(Settings) float64{
		"rate": func(s Settings) float64 { return s.Rate }, "decay": func(s Settings) float64 { return s.Decay }, "dropout": func(s Settings) float64 { return s.Dropout },
		"layers": func(s Settings) float64 { return float64(len(s.Hidden)) }, "width": func(s Settings) float64 { return float64(s.Hidden[0]) },
		"members": func(s Settings) float64 { return float64(s.Members) },
		"periodic": func(s Settings) float64 {
			if s.Periodic {
				return 1
			}
			return 0
		},
		"family": func(s Settings) float64 { return float64(slices.Index(fit.Families, s.Family)) },
	} {
		if share, varies := explained(losses, settings, value); varies {
			out = append(out, Importance{name, share})
		}
	}
	slices.SortFunc(out, func(a, b Importance) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Setting, b.Setting))
	})
	return out
}

// explained is omega squared of groups of settings.
func explained(losses []float64, settings []Settings, value func(Settings) float64) (share float64, varies bool) {
	n := len(losses)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(value(settings[a]), value(settings[b])) })
	group := make([]int, n)
	groups, last := 0, math.NaN()
	for i, row := range order {
		v := value(settings[row])
		if i == 0 {
			last, groups = v, 1
		} else if v != last && i >= groups*n/3 && groups < 3 {
			groups++
		}
		last = v
		group[row] = groups - 1
	}
	if groups < 2 {
		return 0, false
	}
	mean := 0.0
	sums, counts := make([]float64, groups), make([]float64, groups)
	for i, v := range losses {
		mean += v / float64(n)
		sums[group[i]] += v
		counts[group[i]]++
	}
	var between, total float64
	for i, v := range losses {
		total += (v - mean) * (v - mean)
		d := sums[group[i]]/counts[group[i]] - mean
		between += d * d
	}
	free := float64(groups - 1)
	within := (total - between) / max(1, float64(n-groups))
	if total == 0 {
		return 0, true
	}
	return max(0, (between-free*within)/(total+within)), true
}
