package remedy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/doctor"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds Try: the same short training, again and again, each time with another change.

// Training is what remedies are tried on.
type Training struct {
	// Model has the weights that every trial begins with. It is copied, with all that its exported fields hold, and not changed. What a
	// remedy can change are layers of package nn: those of an nn.Sequential, and activations in fields of the type nn.Layer.
	Model nn.Layer
	Loss  func(y, target *tarn.Value) *tarn.Value // a mean over the examples
	// Optimizer makes an optimizer for a training of so many updates, one that embeds an optim.Chain, as those of package optim do.
	Optimizer func(rate float64, updates int) optim.Optimizer
	Rate      float64

	Train, Valid  *data.Set // Valid may be nil: then what is reported is measured on Train
	Input, Target string    // fields of the sets
	Batch, Epochs int
	Seed          uint64 // of the order of the examples, of random ops and of weights that a remedy draws
}

// Trial is what became of a training.
type Trial struct {
	Remedy   *Remedy // nil for the training as it is
	Loss     float64 // after the training, in evaluation mode, of Valid if there is one; NaN if the training has failed
	Chance   float64 // the loss of the best constant prediction, or NaN if it is not known
	First    float64 // the loss at the first look
	Accuracy float64 // NaN unless the targets are classes
	Verdicts []watch.Verdict
	Seconds  float64
	// Err is why there is nothing to report: the remedy does not apply to the model, or its training could not be built.
	Err error

	History *watch.History

	config *trial
}

// Report is what became of all trials; Before is the training as it is.
type Report struct {
	Before Trial
	Trials []Trial
}

// Fell is the part of the loss of a constant prediction, or of the first loss if that is not known, by which the loss has fallen: 1 if
// nothing is left of it, below 0 if it has risen.
func (t *Trial) Fell() float64 {
	base := t.Chance
	if math.IsNaN(base) || base <= 0 {
		base = t.First
	}
	fell := (base - t.Loss) / math.Abs(base)
	if math.IsNaN(fell) {
		return math.Inf(-1)
	}
	return fell
}

// Well reports whether the doctor has nothing to say of the training, and its loss has fallen by a third of that of a constant prediction.
func (t *Trial) Well() bool {
	return t.Err == nil && len(t.Verdicts) == 0 && t.Fell() > 1./3
}

// Best is the trial that helped the most: of those that go well, if any does, the one with the lowest loss. It is nil if none beats the
// training as it is.
func (r *Report) Best() *Trial {
	best := &r.Before
	for i := range r.Trials {
		t := &r.Trials[i]
		switch {
		case t.Err != nil:
		case t.Well() != best.Well():
			if t.Well() {
				best = t
			}
		case t.Fell() > best.Fell():
			best = t
		}
	}
	if best == &r.Before {
		return nil
	}
	return best
}

// Cured reports whether a trial goes well, and the training as it is does not, or has at least twice the loss. What overfits is cured if the
// doctor has nothing to say any more, and the validation loss ends within 5 % of the lowest that it had, or below.
func (r *Report) Cured(t *Trial) bool {
	if v := r.Before.Verdicts; len(v) > 0 && v[0].Rule == "overfitting" {
		lowest := math.Inf(1)
		for _, e := range r.Before.History.Epochs {
			lowest = min(lowest, float64(e.ValLoss))
		}
		return t.Err == nil && len(t.Verdicts) == 0 && t.Loss <= 1.05*lowest
	}
	return t.Well() && (!r.Before.Well() || 1-t.Fell() < 0.5*(1-r.Before.Fell()))
}

// String is a table: the training as it is, and what became of it with each remedy that applies.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-40s %10s %9s  %s\n", "remedy", "loss", "accuracy", "verdict")
	best := r.Best()
	row := func(t *Trial) {
		name, verdict, accuracy := "none: as it is", "nothing seems wrong", "-"
		if t.Remedy != nil {
			name = t.Remedy.Name
		}
		if len(t.Verdicts) > 0 {
			verdict = t.Verdicts[0].Rule
		}
		if !math.IsNaN(t.Accuracy) {
			accuracy = fmt.Sprintf("%.1f %%", 100*t.Accuracy)
		}
		if t == best {
			verdict += "  <- best"
		}
		fmt.Fprintf(&b, "%-40s %10.4g %9s  %s\n", name, t.Loss, accuracy, verdict)
	}
	row(&r.Before)
	var without []string
	for i := range r.Trials {
		switch t := &r.Trials[i]; {
		case t.Err == nil:
			row(t)
		case errors.Is(t.Err, ErrDoesNotApply):
			without = append(without, t.Remedy.Name)
		default:
			fmt.Fprintf(&b, "%-40s %10s %9s  %v\n", t.Remedy.Name, "-", "-", t.Err)
		}
	}
	if c := r.Before.Chance; !math.IsNaN(c) {
		fmt.Fprintf(&b, "a constant prediction has the loss %.4g\n", c)
	}
	if len(without) > 0 {
		fmt.Fprintf(&b, "do not apply: %s\n", strings.Join(without, "; "))
	}
	return b.String()
}

// ErrDoesNotApply is the error of a trial whose remedy finds nothing to change in the model or the data.
var ErrDoesNotApply = errors.New("remedy: it does not apply")

// Try trains the model as it is, and then with each of the remedies alone. It returns an error if the model cannot be trained as it is,
// or the context is canceled.
func Try(ctx context.Context, t *Training, remedies []*Remedy) (*Report, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	r := &Report{Before: t.try(ctx, nil)}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if r.Before.Err != nil {
		return nil, r.Before.Err
	}
	for _, m := range remedies {
		if m == nil || m.apply == nil {
			return nil, errors.New("remedy: one of the remedies is nil, or not one of Table")
		}
		trial := t.try(ctx, m)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		r.Trials = append(r.Trials, trial)
	}
	return r, nil
}

func (t *Training) check() error {
	switch {
	case t == nil || t.Model == nil || t.Loss == nil || t.Optimizer == nil || t.Train == nil:
		return errors.New("remedy: a training needs Model, Loss, Optimizer and Train")
	case t.Batch < 1 || t.Epochs < 1:
		return fmt.Errorf("remedy: Batch is %d and Epochs %d; both should be at least 1", t.Batch, t.Epochs)
	case t.Train.Len() == 0 || t.Valid != nil && t.Valid.Len() == 0:
		return errors.New("remedy: a data set has no examples")
	case !(t.Rate > 0) || math.IsInf(t.Rate, 1):
		return fmt.Errorf("remedy: Rate is %v and should be a finite number above 0", t.Rate)
	}
	for _, set := range []*data.Set{t.Train, t.Valid} {
		if set == nil {
			continue
		}
		for _, name := range []string{t.Input, t.Target} {
			if _, err := set.DType(name); err != nil {
				return fmt.Errorf("remedy: Input and Target name fields of the sets: %w", err)
			}
		}
	}
	return nil
}

// trial is a training that a remedy changes.
type trial struct {
	Training
	ctx       context.Context
	optimizer func(updates int) optim.Optimizer
	tune      []func(o optim.Optimizer, c *optim.Chain) // changes of the optimizer
	early     *train.EarlyStopping
	code      Source
}

// say notes a change in words.
func (t *trial) say(format string, args ...any) {
	t.code.Notes = append(t.code.Notes, fmt.Sprintf(format, args...))
}

// set notes a change of the optimizer as a line of Go.
func (t *trial) set(format string, args ...any) {
	t.code.Tune = append(t.code.Tune, fmt.Sprintf(format, args...))
}

// chainOf is the chain that an optimizer is or embeds, or nil.
func chainOf(o optim.Optimizer) *optim.Chain {
	if c, ok := o.(*optim.Chain); ok {
		return c
	}
	v := reflect.ValueOf(o)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	if f := v.Elem().FieldByName("Chain"); f.IsValid() && f.CanAddr() {
		c, _ := f.Addr().Interface().(*optim.Chain)
		return c
	}
	return nil
}

// updates is the number of a training's.
func (t *trial) updates() int { return t.Epochs * ((t.Train.Len() + t.Batch - 1) / t.Batch) }

func (t *trial) build(g *tarn.Graph, n int) tarn.Outputs {
	input := func(name string) *tarn.Value {
		shape, err := t.Train.Shape(name)
		if err != nil {
			return g.Fail("Input", nil, "%v", err)
		}
		dtype, err := t.Train.DType(name)
		if err != nil {
			return g.Fail("Input", nil, "%v", err)
		}
		return g.Input(name, dtype, append([]int{n}, shape...)...)
	}
	y := t.Model.Forward(input(t.Input))
	return tarn.Outputs{"loss": t.Loss(y, input(t.Target)), "prediction": y}
}

// make returns the optimizer with all changes.
func (t *trial) make(updates int) (optim.Optimizer, error) {
	o := t.optimizer(updates)
	if o == nil {
		return nil, errors.New("remedy: the optimizer is nil")
	}
	c := chainOf(o)
	if c == nil && len(t.tune) > 0 {
		return nil, fmt.Errorf("remedy: %T is no optim.Chain and embeds none", o)
	}
	for _, f := range t.tune {
		f(o, c)
	}
	return o, nil
}

// recorder keeps what a training reports.
type recorder struct{ watch.History }

func (r *recorder) Begin(h watch.Header) error { r.Add(watch.Line{Header: &h}); return nil }
func (r *recorder) Log(l watch.Line) error     { r.Add(l); return nil }
func (r *recorder) End(error) error            { return nil }

// try is one training.
func (base *Training) try(ctx context.Context, m *Remedy) (out Trial) {
	begun := time.Now()
	out = Trial{Remedy: m, Loss: math.NaN(), Chance: math.NaN(), First: math.NaN(), Accuracy: math.NaN()}
	defer func() { out.Seconds = time.Since(begun).Seconds() }()
	t := &trial{Training: *base, ctx: ctx}
	t.optimizer = func(updates int) optim.Optimizer { return t.Optimizer(t.Rate, updates) }
	if t.Model, out.Err = copied(base.Model); out.Err != nil {
		return out
	}
	if m != nil {
		if out.Err = m.apply(t); out.Err != nil {
			return out
		}
	}
	out.config = t
	optimizer, err := t.make(t.updates())
	if err != nil {
		out.Err = err
		return out
	}
	l := train.NewLoop(t.build, t.Model, optimizer, t.Train)
	l.Valid, l.Epochs, l.Batch, l.Seed, l.Target, l.EarlyStopping = t.Valid, t.Epochs, t.Batch, t.Seed, t.Target, t.early
	r := &recorder{}
	l.Watch, l.Loggers = &watch.Options{Every: max(1, min(20, t.updates()/50))}, []train.Logger{r}
	failed := false
	for _, err := range l.Run(ctx) {
		var nonFinite *tarn.NonFiniteError
		if err != nil && !errors.As(err, &nonFinite) && r.Failure == nil {
			out.Err = err
			return out
		}
		failed = failed || err != nil
	}
	out.History, out.Verdicts = &r.History, doctor.Judge(&r.History)
	if n := len(r.Steps); n > 0 {
		out.First = float64(r.Steps[0].Loss)
	}
	if r.Header == nil {
		return out
	}
	if c := r.Header.Chance; c != nil {
		out.Chance = float64(*c)
	}
	if !failed {
		out.Err = out.measure(t, r.Header.Task == "classes")
	}
	return out
}

// measure evaluates what has been trained.
func (out *Trial) measure(t *trial, classes bool) error {
	e, err := train.NewEval(t.build)
	if err != nil {
		return err
	}
	set := t.Train
	if t.Valid != nil {
		set = t.Valid
	}
	var metrics []train.Metric
	accuracy := &train.Accuracy{}
	if dtype, err := set.DType(t.Target); classes && err == nil && !dtype.IsFloat() {
		metrics = append(metrics, accuracy)
	}
	loss, err := e.Measure(t.ctx, set, min(set.Len(), max(t.Batch, 64)), t.Target, metrics...)
	var nonFinite *tarn.NonFiniteError
	if errors.As(err, &nonFinite) {
		return nil
	}
	if err != nil {
		return err
	}
	out.Loss = loss
	if len(metrics) > 0 {
		out.Accuracy = accuracy.Value()
	}
	return nil
}

// For returns the remedies of Table for a judgment, in its order: those that the verdicts advise, the first verdict's first, each once.
// What only a person can do, such as looking at the labels, is not among them.
func For(verdicts []watch.Verdict) (all []*Remedy) {
	for _, v := range verdicts {
		for _, advice := range v.Remedies {
			if m := Advised(advice); m != nil && !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// Advised returns the remedy of Table that a verdict's advice stands for, or nil if only a person can follow it.
func Advised(advice string) *Remedy {
	for _, m := range Table {
		for _, start := range m.advice {
			if strings.HasPrefix(advice, start) {
				return m
			}
		}
	}
	return nil
}

// Ordered returns all remedies of Table, those that the verdicts advise first.
func Ordered(verdicts []watch.Verdict) []*Remedy {
	all := For(verdicts)
	for _, m := range Table {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}
