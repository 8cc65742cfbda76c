package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds On, which binds a metric to an output of a model and to a field of a data set.

// On is a metric of one of several outputs of the build function, or against another field of the data set than the others:
//
//	loop.Metrics = []train.Metric{
//		&train.On{Metric: &train.Accuracy{}, Output: "digit", Field: "label"},
//		&train.On{Metric: &train.MAE{}, Output: "angle", Field: "angle"},
//	}
type On struct {
	Metric Metric
	Output string // of the build function; "" means "prediction"
	Field  string // of the data set; "" means the target of the evaluation: Loop.Target
	Label  string // the name in logs; "" means that of the metric, a dot and the output, if Output is set
}

// Name is Label, or as in "accuracy.digit".
func (m *On) Name() string {
	switch {
	case m.Label != "":
		return m.Label
	case m.Metric == nil:
		return "on"
	case m.Output == "":
		return m.Metric.Name()
	}
	return m.Metric.Name() + "." + m.Output
}

// Add counts the examples of a batch.
func (m *On) Add(prediction, target *tarn.Tensor) error {
	if m.Metric == nil {
		return errors.New("train: On has no Metric")
	}
	if err := m.Metric.Add(prediction, target); err != nil {
		return fmt.Errorf("train: %s: %w", m.Name(), err)
	}
	return nil
}

// Value is that of the metric.
func (m *On) Value() float64 {
	if m.Metric == nil {
		return math.NaN()
	}
	return m.Metric.Value()
}

// Reset forgets all examples.
func (m *On) Reset() {
	if m.Metric != nil {
		m.Metric.Reset()
	}
}

// bound returns the output and the field that a metric compares: "prediction" and the target unless it says otherwise.
func bound(m Metric, target string) (output, field string) {
	output, field = "prediction", target
	if on, ok := m.(*On); ok {
		if on.Output != "" {
			output = on.Output
		}
		if on.Field != "" {
			field = on.Field
		}
	}
	return output, field
}

// given adds a batch with the given fields to a metric.
func given(m Metric, outputs map[string]*tarn.Tensor, fields func(name string) *tarn.Tensor, target string) error {
	output, target := bound(m, target)
	prediction, truth := outputs[output], fields(target)
	if prediction == nil {
		return fmt.Errorf("train: metric %q needs an output %q of the build function", m.Name(), output)
	}
	if truth == nil {
		return fmt.Errorf("train: metric %q needs its targets: the data set has no field %q", m.Name(), target)
	}
	return m.Add(prediction, truth)
}
