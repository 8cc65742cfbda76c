package fit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
)

// TestCurves draws the curves of answers and compares areas, ends and sums with the metrics.
func TestCurves(t *testing.T) {
	m := model(t, flats(300, 5, sold), fit.Options{Target: "target", Epochs: 5})
	e := m.Judged()
	area := func(c fit.Curve) (sum float64) {
		for i := 1; i < len(c.X); i++ {
			if c.X[i] < c.X[i-1] {
				t.Fatalf("the curve goes back: %v after %v", c.X[i], c.X[i-1])
			}
			sum += (c.X[i] - c.X[i-1]) * (c.Y[i] + c.Y[i-1]) / 2
		}
		return sum
	}
	roc := e.ROC(1)
	if got, want := area(roc), e.Metrics["AUC"]; math.Abs(got-want) > 1e-9 {
		t.Errorf("the area under the curve is %v, and AUC %v", got, want)
	}
	if other := area(e.ROC(0)); math.Abs(other-e.Metrics["AUC"]) > 1e-9 {
		t.Errorf("that of the other class is %v", other)
	}
	pr := e.PrecisionRecall(1)
	if n := len(pr.X); pr.X[n-1] != 1 || math.Abs(pr.Y[n-1]-m.About.Priors[1]) > 1e-9 {
		t.Errorf("with all rows recall is %v and precision %v, not the share %v", pr.X[n-1], pr.Y[n-1], m.About.Priors[1])
	}
	rows := 0
	for _, b := range e.Calibration() {
		rows += b.Rows
		if !(b.Predicted >= 0 && b.Predicted <= 1 && b.Observed >= 0 && b.Observed <= 1) {
			t.Errorf("bin %+v", b)
		}
	}
	if rows != 300 || e.Rows != 300 {
		t.Errorf("%d rows are in bins, and %d judged", rows, e.Rows)
	}
	for column, want := range map[string]int{"city": 3, "lift": 2, "size": 4, "floor": 10, "id": 4} {
		slices, err := e.By(column)
		if err != nil {
			t.Fatal(err)
		}
		rows, right := 0, 0.0
		for _, s := range slices {
			rows += s.Rows
			right += s.Metrics["accuracy"] * float64(s.Rows)
		}
		if len(slices) != want || rows != 300 || math.Abs(right/300-e.Metrics["accuracy"]) > 1e-9 {
			t.Errorf("by %s: %d slices of %d rows, of which %v are right", column, len(slices), rows, right)
		}
	}
	if _, err := e.By("none"); err == nil {
		t.Error("slices by a column that is not there")
	}
	if len(m.About.Folds) != 5 || len(m.Learning()) == 0 {
		t.Errorf("%d folds and %d epochs are known", len(m.About.Folds), len(m.Learning()))
	}
	means, spreads := m.About.FoldMeans()
	if math.Abs(means["accuracy"]-e.Metrics["accuracy"]) > 1e-3 || spreads["accuracy"] <= 0 {
		t.Errorf("the folds' accuracy is %v +- %v, that of all rows %v", means["accuracy"], spreads["accuracy"], e.Metrics["accuracy"])
	}

	q := model(t, flats(100, 6, price), fit.Options{Target: "target", Family: fit.Linear})
	predicted, residuals := q.Judged().Residuals()
	square := 0.0
	for _, r := range residuals {
		square += r * r / 100
	}
	if len(predicted) != 100 || math.Abs(math.Sqrt(square)-q.About.Metrics["RMSE"]) > 1e-9 || q.Judged().Calibration() != nil {
		t.Errorf("the residuals' root mean square is %v, and RMSE %v", math.Sqrt(square), q.About.Metrics["RMSE"])
	}
}

// rare is true of few rows, and hard to tell.
func rare(size float64, city string, lift bool, r *rand.Rand) string {
	return fmt.Sprint(size+40*r.NormFloat64() > 140)
}

// TestThreshold chooses thresholds by F1 and by cost, and does better than with a half.
func TestThreshold(t *testing.T) {
	text := flats(500, 7, rare)
	o := fit.Options{Target: "target", Family: fit.Linear}
	cost := func(e *fit.Evaluation) int { return e.Confusion[0][1] + 8*e.Confusion[1][0] }
	half := model(t, text, o)
	o.Threshold = "f1"
	f1 := model(t, text, o)
	o.Threshold = "cost:1:8"
	cheap := model(t, text, o)
	o.Threshold = "0.2"
	said := model(t, text, o)
	if half.About.Threshold != 0.5 || said.About.Threshold != 0.2 {
		t.Errorf("the thresholds are %v and %v, not 0.5 and 0.2", half.About.Threshold, said.About.Threshold)
	}
	if f1.About.Metrics["F1"] <= half.About.Metrics["F1"] {
		t.Errorf("F1 is %v at the threshold %v, and %v at a half", f1.About.Metrics["F1"], f1.About.Threshold, half.About.Metrics["F1"])
	}
	if cost(cheap.Judged()) >= cost(half.Judged()) {
		t.Errorf("the cost is %d at the threshold %v, and %d at a half", cost(cheap.Judged()), cheap.About.Threshold, cost(half.Judged()))
	}
	a, err := said.Predict(context.Background(), read(t, text))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range a.Probabilities {
		if (p[1] >= 0.2) != (a.Labels[i] == "true") {
			t.Fatalf("row %d: %s at %v", i, a.Labels[i], p[1])
		}
	}
}

// TestStopped ends trainings at several moments: what is returned is whole, and says what it lacks.
func TestStopped(t *testing.T) {
	tab := read(t, flats(100, 8, price))
	for _, c := range []struct {
		stage string
		fold  int
		note  string // "" means that there is no model
	}{
		{"linear", 0, ""},
		{"network", 1, "that of 1 of 10 folds"},
		{"network", 3, "that of 3 of 10 folds"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		o := fit.Options{Target: "target", Epochs: 4}
		o.Progress = func(p fit.Progress) {
			if p.Stage == c.stage && p.Fold == c.fold && p.Epoch == 2 {
				cancel()
			}
		}
		m, err := fit.Table(ctx, tab, o)
		if !errors.Is(err, context.Canceled) || (m != nil) != (c.note != "") {
			t.Errorf("%s %d: %v, %v", c.stage, c.fold, m, err)
		}
		if m == nil {
			continue
		}
		var b bytes.Buffer
		if err := m.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := fit.Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(again.About.Notes, "; "); !strings.Contains(notes, c.note) {
			t.Errorf("%s %d: notes %q", c.stage, c.fold, notes)
		}
		if _, err := again.Predict(context.Background(), tab); err != nil {
			t.Error(err)
		}
	}
}

// TestRepeats deals the rows twice: each is judged by two models.
func TestRepeats(t *testing.T) {
	m := model(t, flats(60, 9, price), fit.Options{Target: "target", Epochs: 2, Folds: 3, Repeats: 2, Test: read(t, flats(40, 10, price))})
	if len(m.About.Folds) != 6 || m.Judged().Rows != 60 || !strings.Contains(m.About.Split, "dealt 2 times") {
		t.Errorf("%d folds, %d rows, split %s", len(m.About.Folds), m.Judged().Rows, m.About.Split)
	}
	if m.Tested().Rows != 40 || m.About.Tested["RMSE"] <= 0 {
		t.Errorf("the test has %d rows and RMSE %v", m.Tested().Rows, m.About.Tested["RMSE"])
	}
}

// TestPrepare says what would be learned.
func TestPrepare(t *testing.T) {
	p, err := fit.Prepare(read(t, flats(50, 11, sold)), fit.Options{Target: "target"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Task != fit.Classify || len(p.Classes) != 2 || math.Abs(p.Priors[0]+p.Priors[1]-1) > 1e-9 || p.Rows != 50 || p.Schema.Column("id").Role != table.LeftOut {
		t.Errorf("the plan is %+v", p)
	}
	for _, o := range []fit.Options{{Target: "target", Threshold: "2"}, {Target: "target", Threshold: "cost:1"}, {Target: "target", Repeats: -1}, {Target: "size", Threshold: "f1"}} {
		if _, err := fit.Prepare(read(t, flats(50, 11, sold)), o); err == nil {
			t.Errorf("%+v is not refused", o)
		}
	}
}
