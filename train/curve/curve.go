// Package curve draws the learning curve of a training.
package curve

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/plot"
	"github.com/seed-49005b45/tarn/train"
)

// SavePNG writes the picture that WritePNG draws to the file at path, atomically.
func SavePNG(path string, history []train.Record) error {
	err := file.Replace(file.Disk, path, func(w io.Writer) error { return draw(w, history) })
	if err != nil {
		return fmt.Errorf("curve: %s: %w", path, err)
	}
	return nil
}

// WritePNG draws the loss by epoch, and beside it the metrics, if any. The loss is on a logarithmic scale if it is
// positive throughout and spans more than a factor of 20.
func WritePNG(w io.Writer, history []train.Record) error {
	if err := draw(w, history); err != nil {
		return fmt.Errorf("curve: %w", err)
	}
	return nil
}

func draw(w io.Writer, history []train.Record) error {
	if len(history) == 0 {
		return errors.New("there is no epoch to draw")
	}
	loss := plot.Chart{Title: "loss", X: "epoch", Counts: true, Lines: []plot.Line{
		line("training", history, func(r train.Record) float64 { return r.TrainLoss }),
		line("validation", history, func(r train.Record) float64 { return r.ValLoss }),
	}}
	if loss.LogY = wide(loss.Lines); loss.LogY {
		loss.Title += " (logarithmic)"
	}
	charts := []plot.Chart{loss}
	metrics := plot.Chart{Title: "metrics of the validation set", X: "epoch", Counts: true}
	for _, name := range slices.Sorted(maps.Keys(history[len(history)-1].Metrics)) {
		metrics.Lines = append(metrics.Lines, line(name, history, func(r train.Record) float64 {
			if x, ok := r.Metrics[name]; ok {
				return x
			}
			return math.NaN()
		}))
	}
	if len(metrics.Lines) > 0 {
		charts = append(charts, metrics)
	}
	return plot.WriteCharts(w, charts...)
}

// line is a number of each epoch, NaN for none.
func line(name string, history []train.Record, of func(train.Record) float64) plot.Line {
	l := plot.Line{Name: name, Knots: true}
	for _, r := range history {
		l.X, l.Y = append(l.X, float64(r.Epoch)), append(l.Y, of(r))
	}
	return l
}

// wide reports whether lines are best seen on a logarithmic scale.
func wide(lines []plot.Line) bool {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, y := range l.Y {
			if !math.IsNaN(y) && !math.IsInf(y, 0) {
				lo, hi = min(lo, y), max(hi, y)
			}
		}
	}
	return lo > 0 && hi > 20*lo
}
