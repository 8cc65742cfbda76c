// Package progress shows how far a training is: a moving bar if the output is a terminal, plain lines otherwise.
package progress

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// Display shows the progress of one training.
type Display struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	done     int // batches when the bar was made
	drawn    time.Time
	losses   spark
}

const (
	barPause  = 100 * time.Millisecond // between two redraws of the bar
	linePause = 30 * time.Second       // between two plain lines within an epoch
)

// New returns a display on w. If w is a terminal, it is a bar with epoch, mean loss, a curve of the losses so far, examples per second and the remaining time
// of the whole training, and a line at the end of each epoch. Otherwise there are only lines: at the
// end of each epoch, and every 30 seconds in a long one.
func New(w io.Writer) *Display {
	f, ok := w.(interface{ Fd() uintptr }) // a file, or what wraps one
	return &Display{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), drawn: time.Now()}
}

// Show shows the progress of the training, and the judgment of it if that has changed.
func (d *Display) Show(p *train.Progress) {
	if p.Verdict != nil {
		d.clear()
		fmt.Fprintln(d.w, Headline(p.Verdict))
	}
	if p.Record != nil {
		d.clear()
		fmt.Fprintln(d.w, Line(*p.Record, p.Epochs))
		d.drawn = time.Now()
		return
	}
	d.losses.add(p.Loss)
	pause := linePause
	if d.terminal {
		pause = barPause
	}
	if time.Since(d.drawn) < pause {
		return
	}
	d.drawn = time.Now()
	if d.terminal {
		d.draw(p)
	} else {
		fmt.Fprintf(d.w, "epoch %d/%d  batch %d/%d  loss %.4f  %.0f examples/s\n", p.Epoch, p.Epochs, p.Batch, p.Batches, p.MeanLoss, p.Rate)
	}
}

func (d *Display) draw(p *train.Progress) {
	done, all := (p.Epoch-1)*p.Batches+p.Batch, p.Epochs*p.Batches
	if d.bar == nil {
		// The bar covers the work of this process: otherwise a resumed training would count earlier
		// work as done just now, and promise an early end.
		d.done = done - 1
		d.bar = progressbar.NewOptions(all-d.done,
			progressbar.OptionSetWriter(d.w), progressbar.OptionSetWidth(20), progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetTheme(progressbar.ThemeASCII))
	}
	curve := d.losses.String()
	if curve != "" {
		curve = " " + curve
	}
	d.bar.Describe(fmt.Sprintf("epoch %d/%d  loss %.4f%s  %.0f/s", p.Epoch, p.Epochs, p.MeanLoss, curve, p.Rate))
	d.bar.Set(min(done-d.done, d.bar.GetMax()-1)) // at its maximum the bar would end
}

func (d *Display) clear() {
	if d.bar != nil {
		d.bar.Clear()
	}
}

// Close removes the bar. Call it before other lines are written.
func (d *Display) Close() { d.clear() }

// Headline returns a judgment as a line of text.
func Headline(v *watch.Verdict) string {
	if v.Rule == "" {
		return "doctor: nothing seems wrong any more"
	}
	return fmt.Sprintf("doctor: %s: %s", v.Severity, v.Headline)
}

// Line returns an epoch's record as a line of text.
func Line(r train.Record, epochs int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "epoch %d/%d  loss %.4f", r.Epoch, epochs, r.TrainLoss)
	if !math.IsNaN(r.ValLoss) {
		fmt.Fprintf(&b, "  validation loss %.4f", r.ValLoss)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Metrics)) {
		fmt.Fprintf(&b, "  %s %.4f", name, r.Metrics[name])
	}
	fmt.Fprintf(&b, "  %.0f examples/s  %.1fs", r.Rate, r.Seconds)
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "  %d batches skipped", r.Skipped)
	}
	return b.String()
}
