package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/doctor"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds how a training is watched: which program takes a step, and where what it has measured goes.

// mostCompared is the number of examples that are compared with each other, and mostDescribed that of those whose inputs are described.
const (
	mostCompared  = 512
	mostDescribed = 4096
	mostElements  = 1 << 24
)

// mode is what the program of the next run measures.
func (s *Step) mode(updates bool) watch.Mode {
	if s.Watch == nil || !updates {
		return watch.Plain
	}
	return s.Watch.Mode(s.updatesBefore(s.Runs()))
}

// updatesBefore is the number of updates among the first runs.
func (s *Step) updatesBefore(runs int64) int64 {
	if s.counted > runs {
		s.counted, s.updates = 0, 0
	}
	for ; s.counted < runs; s.counted++ {
		if updatesAt(s.optimizer, s.counted) {
			s.updates++
		}
	}
	return s.updates
}

// measured takes what the run of a program has measured.
func (s *Step) measured(p *program, run int64, n int) error {
	update := s.updatesBefore(run)
	switch p.mode {
	case watch.Remember:
		s.Watch.Remembered(update)
	case watch.Look:
		l, histograms := s.Watch.Record(p.instruments, s.result.Outputs, update, n)
		if err := s.look(&l, run); err != nil {
			return err
		}
		s.result.Look, s.result.Histograms = &l, histograms
	}
	return nil
}

// look adds to a look what the step knows.
func (s *Step) look(l *watch.Step, run int64) error {
	l.Run, l.Loss, l.ClippedNorm, l.Rate = run+1, watch.Number(s.result.Loss), l.GradNorm, watch.Number(math.NaN())
	if c, ok := s.optimizer.(optim.Clipper); ok {
		l.ClippedNorm = watch.Number(c.Clipped(float64(l.GradNorm)))
	}
	if r, ok := s.optimizer.(optim.Rater); ok {
		rate, err := r.RateAt(run)
		if err != nil {
			return err
		}
		l.Rate = watch.Number(rate)
	}
	return nil
}

// beginWatch describes the training, to the loggers too, and opens the file of records.
func (l *Loop) beginWatch() error {
	l.records, l.logging, l.watched, l.nextJudgment, l.rule, l.load = nil, nil, watch.History{}, 0, "", load{}
	if l.Watch == nil && len(l.Loggers) == 0 {
		return nil
	}
	header, err := l.describe()
	if err != nil {
		return err
	}
	if l.Watch != nil && l.Folder != nil {
		path := l.Folder.Path(watch.FileName)
		if l.records, err = watch.Append(path); err != nil {
			return err
		}
		if err := l.records.Write(watch.Line{Header: &header}); err != nil {
			return err
		}
		if h, err := watch.Load(path); err == nil { // records that cannot be read do not stop a training
			l.watched = *h
			l.watched.Histograms = nil
		}
		if n := len(l.watched.Verdicts); n > 0 {
			l.rule = l.watched.Verdicts[n-1].Rule
		}
	}
	l.watched.Header = &header
	for i, logger := range l.Loggers {
		if logger == nil {
			return fmt.Errorf("train: Loggers[%d] is nil", i)
		}
		if err := logger.Begin(header); err != nil {
			return fmt.Errorf("train: the logger %T cannot begin: %w", logger, err)
		}
		l.logging = append(l.logging, logger)
	}
	return nil
}

// write adds a line to the records, in memory and in the file, and gives it to the loggers.
func (l *Loop) write(line watch.Line) error {
	if line.Histogram == nil {
		l.watched.Add(line)
	}
	if l.records != nil {
		if err := l.records.Write(line); err != nil {
			return err
		}
	}
	for _, logger := range l.logging {
		if err := logger.Log(line); err != nil {
			return fmt.Errorf("train: the logger %T: %w", logger, err)
		}
	}
	return nil
}

// judge asks package doctor, and returns and records its judgment if that has changed.
func (l *Loop) judge() (*watch.Verdict, error) {
	if l.Watch == nil {
		return nil, nil
	}
	l.nextJudgment = len(l.watched.Steps) + max(5, len(l.watched.Steps)/8) // so that all judgments together stay cheap
	v := watch.Verdict{Run: l.at.Runs}
	if found := doctor.Judge(&l.watched); len(found) > 0 {
		v = found[0]
	}
	if v.Rule == l.rule {
		return nil, nil
	}
	l.rule = v.Rule
	return &v, l.write(watch.Line{Verdict: &v})
}

// endWatch closes the file and ends the loggers that have begun; err is why the training has ended.
func (l *Loop) endWatch(err error) error {
	var failed []error
	for _, logger := range l.logging {
		if e := logger.End(err); e != nil {
			failed = append(failed, fmt.Errorf("train: the logger %T cannot end: %w", logger, e))
		}
	}
	if l.records != nil {
		failed = append(failed, l.records.Close())
	}
	return errors.Join(failed...)
}

// describe returns the header.
func (l *Loop) describe() (watch.Header, error) {
	h := l.step.Watched()
	h.Run, h.Every, h.Batch, h.Examples, h.Epochs = l.at.Runs, 0, l.Batch, max(0, l.Train.Len()), l.Epochs
	if l.step.Watch != nil {
		h.Every = l.step.Watch.Every()
	}
	h.Optimizer = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", l.Optimizer), "*"), "optim."))
	if d, ok := l.Optimizer.(optim.Decayer); ok {
		for name, x := range d.Decays() {
			if i := slices.IndexFunc(h.Params, func(p watch.Param) bool { return p.Name == name }); i >= 0 {
				h.Params[i].Decay = watch.Number(x)
			}
		}
	}
	set, ok := l.Train.(*data.Set)
	if !ok {
		return h, nil // the examples cannot be seen beforehand
	}
	if _, err := set.DType(l.Target); err != nil {
		return h, nil // no target of that name: the task is unknown
	}
	target, err := set.Tensor(l.Target)
	if err != nil {
		return h, err
	}
	h.SetTargets(target)
	for _, name := range set.Names() {
		if dtype, err := set.DType(name); err != nil || name == l.Target || !dtype.IsFloat() {
			continue
		}
		some, err := set.Slice(0, min(set.Len(), mostDescribed, most(set)))
		if err != nil {
			return h, err
		}
		x, err := some.Tensor(name)
		if err != nil {
			return h, err
		}
		h.Inputs = append(h.Inputs, watch.NewInput(name, x))
	}
	if n := min(mostCompared, most(set)); set.Len() > n {
		if set, _, err = set.Split(n, 1); err != nil { // drawn, since a set may be sorted
			return h, err
		}
	}
	var inputs []*tarn.Tensor
	for _, name := range set.Names() {
		if name == l.Target {
			continue
		}
		x, err := set.Tensor(name)
		if err != nil {
			return h, err
		}
		inputs = append(inputs, x)
	}
	if target, err = set.Tensor(l.Target); err != nil {
		return h, err
	}
	h.SetNeighbors(target, inputs...)
	return h, nil
}

// most is the number of examples that are looked at beforehand: so many that large ones, such as photographs, fit into memory.
func most(set *data.Set) int {
	width := 1
	for _, name := range set.Names() {
		shape, _ := set.Shape(name)
		n := 1
		for _, d := range shape {
			n *= d
		}
		width = max(width, n)
	}
	return max(16, mostElements/width)
}

// record writes what a run has measured, if it has, and returns a judgment that has changed.
func (l *Loop) record(r *Result, at data.Position) (*watch.Verdict, error) {
	if r.Program != nil && l.Watch != nil {
		if err := l.write(watch.Line{Program: r.Program}); err != nil {
			return nil, err
		}
	}
	if r.Look == nil {
		return nil, nil
	}
	l.load.since(r.Look)
	r.Look.Epoch, r.Look.Seconds = at.Epoch+1, l.seconds()
	if err := l.write(watch.Line{Step: r.Look}); err != nil {
		return nil, err
	}
	for _, h := range r.Histograms {
		h.Run = r.Run
		if err := l.write(watch.Line{Histogram: &h}); err != nil {
			return nil, err
		}
	}
	if len(l.watched.Steps) < l.nextJudgment {
		return nil, nil
	}
	return l.judge()
}

// failed writes where the infinity or NaN comes from that has ended the training, if one has, and shows a judgment that has
// changed by that. It returns the error.
func (l *Loop) failed(err error, p *Progress, show func(*Progress) bool) error {
	var e *tarn.NonFiniteError
	if l.Watch == nil || !errors.As(err, &e) {
		return err
	}
	f := watch.Failure{Run: l.at.Runs, Error: e.Error(), Op: e.Op, Place: e.Place}
	if o := e.Origin; o != nil {
		f.Input, f.Op, f.Place, f.Near, f.Overflow = o.Input, o.Op, o.Place, o.Near, o.Overflow
	}
	more := l.write(watch.Line{Failure: &f})
	if more == nil {
		p.Verdict, more = l.judge()
	}
	if more != nil {
		return errors.Join(err, more)
	}
	if p.Verdict != nil && !show(p) {
		return errBreak
	}
	return err
}

// seconds is how long the training has taken, evaluations included.
func (l *Loop) seconds() float64 {
	total := l.at.Seconds + time.Since(l.begun).Seconds()
	for _, r := range l.history {
		total += r.Seconds
	}
	return total
}

// maxConfusion is the largest number of classes whose confusions are recorded.
const maxConfusion = 100

// confusion is a ConfusionMatrix that counts nothing if there are more classes.
type confusion struct{ ConfusionMatrix }

func (m *confusion) Add(prediction, target *tarn.Tensor) error {
	if shape := prediction.Shape(); len(shape) > 0 && shape[len(shape)-1] > maxConfusion {
		return nil
	}
	return m.ConfusionMatrix.Add(prediction, target)
}

// metrics returns the metrics of the validation, and with them, if one of them compares classes and the training is watched, a
// matrix of what is confused.
func (l *Loop) metrics() ([]Metric, *confusion) {
	compares := false
	for _, m := range l.Metrics {
		switch m.(type) {
		case *Accuracy, *TopK, *ConfusionMatrix, *Precision, *Recall, *F1, *CohenKappa, *MCC:
			compares = true
		}
	}
	if !compares || l.Watch == nil {
		return l.Metrics, nil
	}
	m := &confusion{}
	return append(slices.Clone(l.Metrics), m), m
}

// recordEpoch writes the end of an epoch, and what was confused in it, if that was counted.
func (l *Loop) recordEpoch(r Record, confused *confusion) error {
	if l.Watch == nil && len(l.logging) == 0 {
		return nil
	}
	e := watch.Epoch{Epoch: r.Epoch, Run: r.Step, TrainLoss: watch.Number(r.TrainLoss), ValLoss: watch.Number(r.ValLoss), Seconds: r.Seconds, Metrics: map[string]watch.Number{}}
	for name, x := range r.Metrics {
		e.Metrics[name] = watch.Number(x)
	}
	err := l.write(watch.Line{Epoch: &e})
	if err == nil && confused != nil && len(confused.Counts) > 0 {
		err = l.write(watch.Line{Confusion: &watch.Confusion{Epoch: r.Epoch, Run: r.Step, Counts: confused.Counts}})
	}
	return err
}
