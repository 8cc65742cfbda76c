package train

// The tests compare the metrics with values worked out by hand, and with the figures of scikit-learn's documentation.

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// matrix is an f32 tensor of rows.
func matrix(rows ...[]float32) *tarn.Tensor {
	var flat []float32
	for _, r := range rows {
		flat = append(flat, r...)
	}
	t, err := tarn.FromSlice(flat, len(rows), len(rows[0]))
	if err != nil {
		panic(err)
	}
	return t
}

// matrix64 is the same in f64.
func matrix64(rows ...[]float64) *tarn.Tensor {
	t, err := tarn.FromSlice(slices.Concat(rows...), len(rows), len(rows[0]))
	if err != nil {
		panic(err)
	}
	return t
}

var nan, inf = float32(math.NaN()), float32(math.Inf(1))

func TestMetrics(t *testing.T) {
	// The example of sklearn.metrics.top_k_accuracy_score: 0.75 at k = 2.
	scores, classes := matrix([]float32{0.5, 0.2, 0.2}, []float32{0.3, 0.4, 0.2}, []float32{0.2, 0.4, 0.3}, []float32{0.7, 0.2, 0.1}), tarn.Vector([]int32{0, 1, 2, 2})
	zeroes, one := tarn.Vector([]int32{0, 0}), matrix([]float32{0.1}, []float32{0.4}, []float32{0.35}, []float32{0.8})
	// The example of mean_absolute_error and r2_score: 0.5 and 0.948...
	p1, t1 := tarn.Vector([]float64{2.5, 0, 2, 8}), tarn.Vector([]float64{3, -0.5, 2, 7})
	// The same with two outputs: MAE 0.75, R2 (uniform_average) 0.936800526662...
	p2, t2 := matrix([]float32{0, 2}, []float32{-1, 2}, []float32{8, -5}), matrix([]float32{0.5, 1}, []float32{-1, 1}, []float32{7, -6})
	for _, c := range []struct {
		name               string
		metric             Metric
		prediction, target *tarn.Tensor
		want               float64
	}{
		{"accuracy", &Accuracy{}, scores, classes, 0.5},
		{"accuracy, i64", &Accuracy{}, scores, classes.Cast(tarn.I64), 0.5},
		{"accuracy, one score", &Accuracy{}, matrix([]float32{-1}, []float32{2}, []float32{3}, []float32{0}), tarn.Vector([]int32{0, 1, 0, 0}), 0.75},
		{"accuracy, equal scores", &Accuracy{}, matrix([]float32{1, 1}, []float32{1, 1}), tarn.Vector([]int32{0, 1}), 0.5},
		{"accuracy, NaN", &Accuracy{}, matrix([]float32{nan, 1}, []float32{2, 1}), tarn.Vector([]int32{0, 0}), 0.5},
		{"accuracy of none", &Accuracy{}, tarn.Zeros(tarn.F32, 0, 3), tarn.Zeros(tarn.I32, 0), math.NaN()},
		{"top 1", &TopK{K: 1}, scores, classes, 0.5},
		{"top 2", &TopK{K: 2}, scores, classes, 0.75},
		{"top 3", &TopK{K: 3}, scores, classes, 1},
		{"top 2, NaN", &TopK{K: 2}, matrix([]float32{nan, 1}, []float32{2, 1}), tarn.Vector([]int32{0, 0}), 0.5},
		{"confusion", &ConfusionMatrix{}, scores, classes, 0.5},
		// Targets 0 1 2 2 are taken for 0 1 1 0.
		{"precision", &Precision{}, scores, classes, (0.5 + 0.5 + 0) / 3},
		{"precision, micro", &Precision{Average: Micro}, scores, classes, 0.5},
		{"precision, of class 1", &Precision{Average: Positive}, scores, classes, 0.5},
		{"precision, NaN", &Precision{}, matrix([]float32{nan, 1}, []float32{2, 1}), zeroes, 1},
		{"precision of none", &Precision{}, tarn.Zeros(tarn.F32, 0, 3), tarn.Zeros(tarn.I32, 0), math.NaN()},
		{"precision, ignored", &Precision{}, scores, tarn.Vector([]int32{0, 1, -100, -100}), 1},
		{"recall", &Recall{}, scores, classes, (1 + 1 + 0) / 3.0},
		{"recall, by support", &Recall{Average: BySupport}, scores, classes, 0.5},
		{"recall, NaN", &Recall{}, matrix([]float32{nan, 1}, []float32{2, 1}), zeroes, 0.5},
		{"f1", &F1{}, scores, classes, (2./3 + 2./3 + 0) / 3},
		{"f1, no class 1", &F1{Average: Positive}, matrix([]float32{2, 1}, []float32{2, 1}), zeroes, 0},
		{"kappa", &CohenKappa{}, scores, classes, 1 - 0.5/0.75},
		{"kappa, quadratic", &CohenKappa{Power: 2}, scores, classes, 1 - 5/((1+1+2*4+2*1)/2.0)},
		{"kappa, always 0", &CohenKappa{}, matrix([]float32{2, 1}, []float32{2, 1}), zeroes, math.NaN()},
		{"kappa, NaN", &CohenKappa{}, matrix([]float32{nan, 1}, []float32{2, 1}), zeroes, 0},
		{"kappa, linear, NaN", &CohenKappa{Power: 1}, matrix([]float32{nan, 1}, []float32{2, 1}), zeroes, math.NaN()},
		{"kappa of none", &CohenKappa{}, tarn.Zeros(tarn.F32, 0, 3), tarn.Zeros(tarn.I32, 0), math.NaN()},
		{"mcc", &MCC{}, scores, classes, (2*4 - 4.0) / math.Sqrt((16-6)*(16-8))},
		{"mcc, always 0", &MCC{}, matrix([]float32{2, 1}, []float32{2, 1}), zeroes, 0},
		{"mcc of none", &MCC{}, tarn.Zeros(tarn.F32, 0, 3), tarn.Zeros(tarn.I32, 0), math.NaN()},
		// Hanley and McNeil: the share of the pairs of a 1 and a 0 in the right order, here 3 of 4.
		{"roc auc", &ROCAUC{}, one, tarn.Vector([]int32{0, 0, 1, 1}), 0.75},
		{"roc auc, equal scores", &ROCAUC{}, matrix([]float32{1}, []float32{1}), tarn.Vector([]int32{0, 1}), 0.5},
		{"roc auc of one class", &ROCAUC{}, one, tarn.Zeros(tarn.I32, 4), math.NaN()},
		{"roc auc of three classes, one not there", &ROCAUC{Probabilities: true}, matrix([]float32{0.8, 0.2, 0}, []float32{0.4, 0.6, 0}), tarn.Vector([]int32{0, 1}), 1},
		{"roc auc, NaN", &ROCAUC{}, matrix([]float32{nan}, []float32{1}), tarn.Vector([]int32{0, 1}), math.NaN()},
		{"roc auc, infinite", &ROCAUC{}, matrix([]float32{-inf}, []float32{inf}), tarn.Vector([]int32{0, 1}), 1},
		{"roc auc of none", &ROCAUC{}, tarn.Zeros(tarn.F32, 0, 1), tarn.Zeros(tarn.I32, 0), math.NaN()},
		{"average precision", &AveragePrecision{}, one, tarn.Vector([]int32{0, 0, 1, 1}), 0.5*1 + 0.5*2/3},
		{"average precision of nothing", &AveragePrecision{}, one, tarn.Zeros(tarn.I32, 4), math.NaN()},
		{"log loss", &LogLoss{Probabilities: true}, matrix([]float32{0.5, 0.5}, []float32{0.25, 0.75}), zeroes, (math.Ln2 + math.Log(4)) / 2},
		{"log loss, sure and wrong", &LogLoss{Probabilities: true}, matrix([]float32{0, 1}), tarn.Vector([]int32{0}), 52 * math.Ln2},
		{"log loss, huge logits", &LogLoss{}, matrix([]float32{1e30, 0}, []float32{1e30, 1e30}), zeroes, math.Ln2 / 2},
		{"log loss, a huge logit", &LogLoss{}, matrix([]float32{-1e4}, []float32{1e4}), tarn.Vector([]int32{1, 1}), 5000},
		{"log loss, NaN", &LogLoss{}, matrix([]float32{nan, 0}), tarn.Vector([]int32{0}), math.NaN()},
		{"perplexity", &Perplexity{}, matrix([]float32{1, 1, 1, 1}), tarn.Vector([]int32{2}), 4},
		{"perplexity, ignored", &Perplexity{}, matrix([]float32{1, 1}, []float32{9, 0}), tarn.Vector([]int32{1, -100}), 2},
		// The example of sklearn.metrics.brier_score_loss: 0.0375, and of three classes 0.146.
		{"brier", &Brier{Probabilities: true}, matrix64([]float64{0.1}, []float64{0.9}, []float64{0.8}, []float64{0.3}), tarn.Vector([]int32{0, 1, 1, 0}), 0.0375},
		{"brier of three", &Brier{Probabilities: true}, matrix64([]float64{0.8, 0.1, 0.1}, []float64{0.2, 0.7, 0.1}, []float64{0.2, 0.2, 0.6}), tarn.Vector([]int32{0, 1, 2}), 0.44 / 3},
		{"brier, logits", &Brier{}, matrix([]float32{0}), tarn.Vector([]int32{1}), 0.25},
		{"calibration error", &CalibrationError{Probabilities: true, Bins: 2}, matrix64([]float64{0.75, 0.25}, []float64{0.5, 0.5}, []float64{1, 0}), tarn.Vector([]int32{1, 0, 0}), (0.5 + 0.75) / 3},
		{"calibration error, certain", &CalibrationError{}, matrix([]float32{1e4, 0}, []float32{-1e4, 0}), tarn.Vector([]int32{0, 1}), 0},
		{"calibration error, NaN", &CalibrationError{}, matrix([]float32{nan, 0}), tarn.Vector([]int32{1}), math.NaN()},
		{"on", &On{Metric: &Accuracy{}, Output: "head"}, scores, classes, 0.5},
		{"mae", &MAE{}, p1, t1, 0.5},
		{"mae of two", &MAE{}, p2, t2, 0.75},
		{"rmse", &RMSE{}, p1, t1, math.Sqrt(0.375)},
		{"r2", &R2{}, p1, t1, 0.9486081370449679},
		{"r2 of two", &R2{}, p2, t2, 0.936800526662278},
		{"r2 of the mean", &R2{}, tarn.Vector([]float64{2, 2, 2}), tarn.Vector([]float64{1, 2, 3}), 0},
		{"r2, reversed", &R2{}, tarn.Vector([]float64{3, 2, 1}), tarn.Vector([]float64{1, 2, 3}), -3},
		{"r2, constant and right", &R2{}, tarn.Vector([]float64{2, 2}), tarn.Vector([]float64{2, 2}), 1},
		{"r2, constant and wrong", &R2{}, tarn.Vector([]float64{2, 3}), tarn.Vector([]float64{2, 2}), 0},
		{"r2 of one", &R2{}, tarn.Vector([]float64{2}), tarn.Vector([]float64{2}), math.NaN()},
		{"r2 far from 0", &R2{}, tarn.Vector([]float64{1e9 + 1, 1e9 + 2, 1e9 + 4}), tarn.Vector([]float64{1e9 + 1, 1e9 + 2, 1e9 + 3}), 0.5},
	} {
		for range 2 { // the second time after Reset
			if err := c.metric.Add(c.prediction, c.target); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			got := c.metric.Value()
			if !(math.Abs(got-c.want) <= 1e-12 || math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
			c.metric.Reset()
		}
	}
}

// TestMetricBatches checks that the size of the batches does not matter.
func TestMetricBatches(t *testing.T) {
	r := tarn.NewRandom(1, "metrics")
	p, y := tarn.Zeros(tarn.F64, 7, 1), tarn.Zeros(tarn.F64, 7, 1)
	r.Normal(p, 0, 1)
	r.Normal(y, 3, 1)
	rows := func(t *tarn.Tensor, lo, hi int) *tarn.Tensor { return tarn.Vector(t.F64()[lo:hi]) }
	for _, m := range []Metric{&MAE{}, &RMSE{}, &R2{}} {
		m.Add(rows(p, 0, 7), rows(y, 0, 7))
		whole := m.Value()
		m.Reset()
		m.Add(rows(p, 0, 3), rows(y, 0, 3))
		m.Add(rows(p, 3, 6), rows(y, 3, 6))
		m.Add(rows(p, 6, 7), rows(y, 6, 7))
		if got := m.Value(); math.Abs(got-whole) > 1e-12 {
			t.Errorf("%s: %v in batches, %v at once", m.Name(), got, whole)
		}
	}
	scores, classes := tarn.Zeros(tarn.F64, 7, 3), tarn.Vector([]int32{0, 1, 2, 0, 2, 1, 2})
	r.Normal(scores, 0, 1)
	for _, m := range []Metric{&Accuracy{}, &TopK{K: 2}, &ConfusionMatrix{}, &Precision{}, &Recall{}, &F1{}, &CohenKappa{}, &MCC{}, &ROCAUC{}, &AveragePrecision{},
		&LogLoss{}, &Perplexity{}, &Brier{}, &CalibrationError{}, &On{Metric: &Accuracy{}}} {
		part := func(lo, hi int) {
			p, err := tarn.FromSlice(scores.F64()[3*lo:3*hi], hi-lo, 3)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Add(p, tarn.Vector(classes.I32()[lo:hi])); err != nil {
				t.Fatal(err)
			}
		}
		part(0, 7)
		whole := m.Value()
		m.Reset()
		part(0, 3)
		part(3, 6)
		part(6, 7)
		if got := m.Value(); got != whole || whole == 0 || whole == 1 {
			t.Errorf("%s: %v in batches, %v at once", m.Name(), got, whole)
		}
	}
}

func TestConfusionMatrix(t *testing.T) {
	// sklearn.metrics.confusion_matrix of y_true [2 0 2 2 0 1] and y_pred [0 0 2 2 0 2].
	var m ConfusionMatrix
	unit := func(classes ...int) *tarn.Tensor {
		p := tarn.Zeros(tarn.F32, len(classes), 3)
		for i, c := range classes {
			p.SetFloat(i*3+c, 1)
		}
		return p
	}
	m.Add(unit(0, 0, 2), tarn.Vector([]int32{2, 0, 2}))
	m.Add(unit(2, 0, 2), tarn.Vector([]int32{2, 0, 1}))
	m.Add(matrix([]float32{nan, 0, 0}), tarn.Vector([]int32{0}))
	if want := [][]int{{2, 0, 0}, {0, 0, 1}, {1, 0, 2}}; !reflect.DeepEqual(m.Counts, want) || m.Lost != 1 {
		t.Errorf("%v and %d lost, want %v and 1", m.Counts, m.Lost, want)
	}
	if m.Value() != 4.0/7 {
		t.Errorf("accuracy %v, want 4/7", m.Value())
	}
}

func TestMetricErrors(t *testing.T) {
	for _, c := range []struct {
		metric             Metric
		prediction, target *tarn.Tensor
		want               string
	}{
		{&Accuracy{}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "target 0 is 2, want a class from 0 to 1"},
		{&Accuracy{}, matrix([]float32{1, 2}), tarn.Vector([]int32{-1}), "target 0 is -1"},
		{&Accuracy{}, matrix([]float32{1, 2}), tarn.Vector([]int32{0, 1}), "one row of scores"},
		{&Accuracy{}, matrix([]float32{1, 2}), matrix([]float32{0, 1}), "want classes"},
		{&Accuracy{}, tarn.Zeros(tarn.F32, 1, 0), tarn.Vector([]int32{0}), "one row of scores"},
		{&TopK{}, matrix([]float32{1, 2}), tarn.Vector([]int32{0}), "K = 0"},
		{&ConfusionMatrix{}, matrix([]float32{1, 2}), tarn.Vector([]int32{5}), "target 0 is 5"},
		{&MAE{}, matrix([]float32{1, 2}), tarn.Vector([]float32{0}), "same number of elements"},
		{&Precision{}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "target 0 is 2"},
		{&Precision{Average: 7}, matrix([]float32{1, 2}), tarn.Vector([]int32{0}), "Average is 7, want Macro"},
		{&Recall{}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "target 0 is 2"},
		{&F1{}, matrix([]float32{1, 2}), matrix([]float32{0, 1}), "want classes"},
		{&CohenKappa{}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "target 0 is 2"},
		{&CohenKappa{Power: 3}, matrix([]float32{1, 2}), tarn.Vector([]int32{0}), "Power is 3, want 0, 1 or 2"},
		{&MCC{}, matrix([]float32{1, 2}), tarn.Vector([]int32{-2}), "target 0 is -2"},
		{&ROCAUC{}, matrix([]float32{1, 2}), tarn.Vector([]int32{0, 1}), "one row of scores"},
		{&ROCAUC{Average: 7}, matrix([]float32{1, 2}), tarn.Vector([]int32{0}), "Average is 7"},
		{&AveragePrecision{}, matrix([]float32{1, 2}), tarn.Vector([]int32{0, 1}), "one row of scores"},
		{&LogLoss{}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "target 0 is 2"},
		{&Perplexity{}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "target 0 is 2"},
		{&Brier{}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "target 0 is 2"},
		{&CalibrationError{}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "target 0 is 2"},
		{&CalibrationError{Bins: -1}, matrix([]float32{1, 2}), tarn.Vector([]int32{0}), "Bins is -1"},
		{&On{}, matrix([]float32{1, 2}), tarn.Vector([]int32{0}), "On has no Metric"},
		{&On{Metric: &Accuracy{}, Output: "head"}, matrix([]float32{1, 2}), tarn.Vector([]int32{2}), "accuracy.head: train: accuracy: target 0 is 2"},
		{&RMSE{}, matrix([]float32{1, 2}), tarn.Vector([]float32{0}), "same number of elements"},
		{&R2{}, matrix([]float32{1, 2}), tarn.Vector([]float32{0}), "same number of elements"},
	} {
		err := c.metric.Add(c.prediction, c.target)
		if err == nil || !strings.HasPrefix(err.Error(), "train: "+c.metric.Name()) && !strings.HasPrefix(err.Error(), "train: TopK") && !strings.HasPrefix(err.Error(), "train: On") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v, want an error with %q", c.metric, err, c.want)
		}
	}
}

func TestEarlyStopping(t *testing.T) {
	for _, c := range []struct {
		patience  int
		delta     float64
		losses    []float64
		stopAfter int // epochs, -1 for never
		best      int
	}{
		{1, 0, []float64{3, 2, 1}, -1, 2},
		{1, 0, []float64{3, 2, 2, 1}, 2, 1},
		{2, 0, []float64{3, 2, 2.5, 1, 2, 2}, 5, 3},
		{2, 0.5, []float64{3, 2.6, 2.6, 1}, 2, 0},
		{2, 0, []float64{math.NaN(), math.NaN(), 1}, 1, 0},
		{1, 0, []float64{5, math.NaN()}, 1, 0},
	} {
		s := EarlyStopping{Patience: c.patience, MinDelta: c.delta}
		stopped := -1
		for epoch, loss := range c.losses {
			if s.Observe(epoch, loss) != (s.Waited == 0) {
				t.Errorf("%+v: Observe and Waited disagree at epoch %d", c, epoch)
			}
			if s.Stop() {
				stopped = epoch
				break
			}
		}
		if stopped != c.stopAfter || s.BestEpoch != c.best {
			t.Errorf("%+v: stopped after %d, best %d", c, stopped, s.BestEpoch)
		}
	}
}
