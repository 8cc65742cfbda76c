package train

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file compares the metrics of classes with scikit-learn: see testdata/metrics.py.

// measures returns all metrics of classes, for predictions that are logits or probabilities.
func measures(probabilities bool) []Metric {
	all := []Metric{&Accuracy{}, &TopK{K: 1}, &TopK{K: 2}, &CohenKappa{}, &CohenKappa{Power: 1}, &CohenKappa{Power: 2}, &MCC{},
		&LogLoss{Probabilities: probabilities}, &Perplexity{Probabilities: probabilities}, &Brier{Probabilities: probabilities}, &CalibrationError{Probabilities: probabilities}}
	for _, a := range []Average{Macro, Micro, BySupport, Positive} {
		all = append(all, &Precision{Average: a}, &Recall{Average: a}, &F1{Average: a}, &ROCAUC{Average: a, Probabilities: probabilities}, &AveragePrecision{Average: a, Probabilities: probabilities})
	}
	return all
}

func TestMetricsEqualScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var problems map[string]struct {
		Scores  [][]float64
		Targets []int32
		Logits  bool
		Metrics map[string]float64
	}
	if err := json.Unmarshal(text, &problems); err != nil {
		t.Fatal(err)
	}
	compared := map[string]bool{}
	for name, p := range problems {
		width := len(p.Scores[0])
		for _, m := range measures(!p.Logits) {
			want, ok := p.Metrics[m.Name()]
			if !ok {
				continue
			}
			for from := 0; from < len(p.Targets); from += 7 { // in batches
				to := min(from+7, len(p.Targets))
				scores, err := tarn.FromSlice(slices.Concat(p.Scores[from:to]...), to-from, width)
				if err == nil {
					err = m.Add(scores, tarn.Vector(p.Targets[from:to]))
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if got := m.Value(); !(math.Abs(got-want) <= 1e-12*max(1, math.Abs(want))) {
				t.Errorf("%s: %s is %v, want %v", name, m.Name(), got, want)
			}
			compared[m.Name()] = true
		}
	}
	for _, m := range measures(false) {
		// For several classes there is no binary average; of two classes only that.
		if !compared[m.Name()] && m.Name() != "roc_auc_binary" && m.Name() != "average_precision_binary" {
			t.Errorf("%s is compared with nothing; compared are %q", m.Name(), slices.Sorted(maps.Keys(compared)))
		}
	}
}
