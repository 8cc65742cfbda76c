package report

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/internal/plot"
)

// This file draws the pictures of a report.

// picture is one picture with what it shows.
type picture struct {
	File, Title, Says string
	png               []byte
}

// newResiduals thins residuals evenly along the predicted quantity.
func newResiduals(predicted, residuals []float64) *Residuals {
	sorted := slices.Clone(residuals)
	slices.Sort(sorted)
	r := &Residuals{Quantiles: map[string]float64{}}
	for name, share := range map[string]float64{"0.05": 0.05, "0.25": 0.25, "0.5": 0.5, "0.75": 0.75, "0.95": 0.95} {
		r.Quantiles[name] = sorted[int(share*float64(len(sorted)-1))]
	}
	step := max(1, (len(predicted)+mostPoints-1)/mostPoints)
	for i := 0; i < len(predicted); i += step {
		r.Predicted, r.Residual = append(r.Predicted, predicted[i]), append(r.Residual, residuals[i])
	}
	return r
}

// pictures draws all pictures for which there is something to show.
func (r *Report) pictures() ([]picture, error) {
	var out []picture
	var failed error
	add := func(name, title, says string, draw func(b *bytes.Buffer) error) {
		var b bytes.Buffer
		if err := draw(&b); err != nil && failed == nil {
			failed = fmt.Errorf("report: %s: %w", name, err)
		}
		out = append(out, picture{name, title, says, b.Bytes()})
	}
	e := r.Evaluation
	if n := len(e.Classes); n >= 2 && n <= 60 {
		add("confusion.png", "What was taken for what", "Each row holds the rows of one class, and shows what they were taken for. The darker, the larger the share of the row.", func(b *bytes.Buffer) error {
			return plot.WriteMatrix(b, plot.Matrix{X: "predicted", Y: "truth", Names: e.Classes, Counts: e.Confusion})
		})
	}
	diagonal := plot.Line{X: []float64{0, 1}, Y: []float64{0, 1}, Faint: true}
	if len(r.ROC) > 0 {
		add("roc.png", "ROC curve", "How many rows of other classes are taken for the class, if so many of its own are, over all thresholds. The gray line is chance.", func(b *bytes.Buffer) error {
			return plot.WriteCharts(b, plot.Chart{X: "false positive rate", Y: "true positive rate", Lines: append(lines(r.ROC), diagonal)})
		})
		add("precision-recall.png", "Precision and recall", "If so many rows of the class are found, how many of those that are taken for it are right, over all thresholds. It tells more than the ROC curve if the class is rare.", func(b *bytes.Buffer) error {
			return plot.WriteCharts(b, plot.Chart{X: "recall", Y: "precision", Lines: lines(r.PrecisionRecall)})
		})
	}
	if len(r.Calibration) > 1 {
		says := "Rows with about the same probability, and how often it came true. On the gray line a probability means what it says."
		if len(e.Classes) > 2 {
			says = "Rows whose likeliest class has about the same probability, and how often it was right. On the gray line a probability means what it says."
		}
		add("calibration.png", "Calibration", says, func(b *bytes.Buffer) error {
			l := plot.Line{Name: "answers", Knots: true, Band: "two standard errors"}
			for _, bin := range r.Calibration {
				l.X, l.Y = append(l.X, bin.Predicted), append(l.Y, bin.Observed)
				l.Low, l.High = append(l.Low, max(0, bin.Observed-2*bin.Error)), append(l.High, min(1, bin.Observed+2*bin.Error))
			}
			return plot.WriteCharts(b, plot.Chart{X: "predicted probability", Y: "share that came true", Lines: []plot.Line{l, diagonal}})
		})
	}
	if res := r.Residuals; res != nil {
		add("residuals.png", "Predicted and true", "Left: each dot is a row; on the gray line the answer is right. Right: what is left, truth minus answer, which should lie evenly around zero.", func(b *bytes.Buffer) error {
			truth := make([]float64, len(res.Predicted))
			for i, p := range res.Predicted {
				truth[i] = p + res.Residual[i]
			}
			low, high := min(slices.Min(truth), slices.Min(res.Predicted)), max(slices.Max(truth), slices.Max(res.Predicted))
			return plot.WriteCharts(b,
				plot.Chart{X: "predicted", Y: "true", Lines: []plot.Line{{X: []float64{low, high}, Y: []float64{low, high}, Faint: true}, {X: res.Predicted, Y: truth, Dots: true}}},
				plot.Chart{X: "predicted", Y: "true minus predicted", Lines: []plot.Line{{X: []float64{slices.Min(res.Predicted), slices.Max(res.Predicted)}, Y: []float64{0, 0}, Faint: true}, {X: res.Predicted, Y: res.Residual, Dots: true}}})
		})
	}
	if im := r.About.Importance; len(im) > 0 {
		add("importance.png", "Which columns matter", "How much worse the answers become, on rows that were not learned from, if the values of a column are dealt out anew among the rows. The line is the spread of three repetitions. Columns that say the same can stand in for each other, and then each seems to matter less.", func(b *bytes.Buffer) error {
			ranks := plot.Ranks{X: "rise of the loss"}
			for _, i := range im[:min(len(im), 25)] {
				ranks.Names, ranks.Values, ranks.Spreads = append(ranks.Names, i.Column), append(ranks.Values, i.Worse), append(ranks.Spreads, i.Spread)
			}
			return plot.WriteRanks(b, ranks)
		})
	}
	if len(r.Learning) > 0 {
		add("learning.png", "How it learned", "The loss of the network of each fold by epoch, on rows that it learned from (left) and that it did not (right). Each network keeps the weights of its best epoch.", func(b *bytes.Buffer) error {
			return plot.WriteCharts(b, learning(r.Learning, "loss on rows learned from", func(p fit.Progress) float64 { return p.Train }), learning(r.Learning, "loss on rows that judge", func(p fit.Progress) float64 { return p.Valid }))
		})
	}
	return out, failed
}

// lines are curves as lines of a chart.
func lines(curves []fit.Curve) (out []plot.Line) {
	for _, c := range curves {
		out = append(out, plot.Line{Name: c.Name, X: c.X, Y: c.Y})
	}
	return out
}

// learning is a chart with a line for each fold, up to ten.
func learning(all []fit.Progress, y string, loss func(fit.Progress) float64) plot.Chart {
	c := plot.Chart{X: "epoch", Y: y, Counts: true}
	for _, p := range all {
		if p.Fold > 10 {
			break
		}
		if p.Fold > len(c.Lines) {
			c.Lines = append(c.Lines, plot.Line{Name: fmt.Sprintf("fold %d", p.Fold), Knots: true})
		}
		l := &c.Lines[len(c.Lines)-1]
		v := loss(p)
		if math.IsInf(v, 0) {
			v = math.NaN()
		}
		l.X, l.Y = append(l.X, float64(p.Epoch)), append(l.Y, v)
	}
	return c
}
