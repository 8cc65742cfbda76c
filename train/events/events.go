// Package events writes what a training reports as an event file of TensorBoard.
//
//	loop.Loggers = append(loop.Loggers, events.New("runs/first", map[string]any{"rate": 1e-3}))
package events

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn/interop/tensorboard"
	"github.com/seed-49005b45/tarn/watch"
)

// Logger is a train.Logger that writes an event file.
type Logger struct {
	dir     string
	hparams map[string]any
	header  watch.Header
	w       *tensorboard.Writer
}

// New returns a logger that makes an event file in a directory when the training begins. The hyperparameters, if there are any, are strings, bools
// and numbers.
func New(dir string, hparams map[string]any) *Logger { return &Logger{dir: dir, hparams: hparams} }

// Begin makes the file.
func (l *Logger) Begin(h watch.Header) (err error) {
	l.header = h
	if l.w, err = tensorboard.Create(l.dir); err != nil {
		return err
	}
	if h.Run > 0 { // what earlier files have of later runs has been undone
		if err := l.w.Resume(h.Run + 1); err != nil {
			return errors.Join(err, l.w.Close())
		}
	}
	if len(l.hparams) > 0 {
		if err := l.w.HParams(l.hparams, "epoch/train_loss", "epoch/val_loss"); err != nil {
			return errors.Join(err, l.w.Close())
		}
	}
	return l.w.Flush()
}

// Log writes the numbers of a line. A running TensorBoard shows them at once. Numbers of params and layers stand under their names; those of an epoch
// begin with "epoch/".
func (l *Logger) Log(line watch.Line) error {
	switch {
	case line.Step != nil:
		l.step(line.Step)
	case line.Histogram != nil:
		h := line.Histogram
		limits := make([]float64, len(h.Limits))
		for i, x := range h.Limits {
			limits[i] = float64(x)
		}
		if err := l.w.Buckets(h.Of+"/"+h.Name, h.Run, limits, h.Counts); err != nil {
			return err
		}
	case line.Epoch != nil:
		e := line.Epoch
		l.scalar("epoch/train_loss", e.Run, e.TrainLoss)
		l.scalar("epoch/val_loss", e.Run, e.ValLoss)
		l.scalar("epoch/seconds", e.Run, watch.Number(e.Seconds))
		for name, x := range e.Metrics {
			l.scalar("epoch/"+name, e.Run, x)
		}
	case line.Verdict != nil:
		v := line.Verdict
		text := "nothing seems wrong any more"
		if v.Rule != "" {
			text = "**" + v.Headline + "**\n\n" + v.Evidence
		}
		l.w.Text("verdict", v.Run, text)
	case line.Failure != nil:
		l.w.Text("failure", line.Failure.Run, line.Failure.Error)
	}
	return l.w.Flush() // which returns the error of what was written before, too
}

// step writes a look.
func (l *Logger) step(s *watch.Step) {
	l.scalar("loss", s.Run, s.Loss)
	l.scalar("rate", s.Run, s.Rate)
	l.scalar("gradient/norm", s.Run, s.GradNorm)
	l.scalar("gradient/clipped_norm", s.Run, s.ClippedNorm)
	for tag, x := range map[string]*watch.Number{"gradient/cosine": s.Cosine, "gradient/noise_scale": s.NoiseScale, "alpha": s.Alpha} {
		if x != nil {
			l.scalar(tag, s.Run, *x)
		}
	}
	for i, p := range l.header.Params {
		l.scalar("gradient_norm/"+p.Name, s.Run, s.Params.GradNorm[i])
		l.scalar("weight_norm/"+p.Name, s.Run, s.Params.Norm[i])
		l.scalar("update_ratio/"+p.Name, s.Run, watch.Number(s.Params.Ratio(i)))
	}
	for i, layer := range l.header.Layers {
		l.scalar("output_mean/"+layer.Path, s.Run, s.Layers.Mean[i])
		l.scalar("output_std/"+layer.Path, s.Run, s.Layers.Std[i])
		l.scalar("output_gradient_norm/"+layer.Path, s.Run, s.Layers.GradNorm[i])
		l.scalar("dead/"+layer.Path, s.Run, s.Layers.Dead[i])
		l.scalar("saturated/"+layer.Path, s.Run, s.Layers.Saturated[i])
	}
	if r := s.Ranks; r != nil {
		for i := range l.header.Ranks {
			l.scalar(fmt.Sprintf("seconds_computing/rank_%d", i), s.Run, r.Compute[i])
			l.scalar(fmt.Sprintf("seconds_between_steps/rank_%d", i), s.Run, r.Between[i])
			l.scalar(fmt.Sprintf("seconds_waiting/rank_%d", i), s.Run, r.Wait[i])
			l.scalar(fmt.Sprintf("seconds_exchanging/rank_%d", i), s.Run, r.Exchange[i])
		}
	}
	for name, x := range s.Values {
		l.scalar("value/"+name, s.Run, x)
	}
}

// scalar writes a number, unless it is NaN, which stands for what is not known.
func (l *Logger) scalar(tag string, run int64, x watch.Number) {
	if !math.IsNaN(float64(x)) {
		l.w.Scalar(tag, run, float64(x))
	}
}

// End closes the file.
func (l *Logger) End(err error) error {
	var failed error
	if len(l.hparams) > 0 {
		failed = l.w.End(err == nil)
	}
	return errors.Join(failed, l.w.Close())
}
