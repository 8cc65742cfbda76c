package doctor_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/doctor"
	"github.com/seed-49005b45/tarn/internal/nightly"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/watch"
)

// score counts how the doctor did.
type score struct {
	sick, found, kind, placed, place, healthy, alarms int
}

// TestTrainings trains all cases, or every eighth with -short, and asserts how many the doctor judges right.
func TestTrainings(t *testing.T) {
	all := trainings()
	if testing.Short() {
		all = slices.DeleteFunc(all, func(c training) bool { return len(c.name)%8 != 0 })
	}
	s := examine(t, all, 1)
	if 20*s.found < 19*s.sick || 10*s.kind < 9*s.sick || 10*s.place < 9*s.placed || s.alarms > 0 {
		t.Error("these are less than 95 % found, 90 % of the right kind and 90 % of the right layer, or there is a false alarm")
	}
}

// TestSeeds trains all cases with other initial weights and orders of the examples. Some of the sick ones then learn.
func TestSeeds(t *testing.T) {
	for seed := range nightly.Seeds(t) {
		s := examine(t, trainings(), seed)
		if 10*s.found < 8*s.sick || 10*s.kind < 8*s.sick || 10*s.place < 8*s.placed || s.alarms > 1 {
			t.Error("these are less than 80 % found, of the right kind or the right layer, or there are several false alarms")
		}
	}
}

// TestFewLeft trains a network that gets part of the way with the one unit of a layer that is not dead: that is worth a warning.
func TestFewLeft(t *testing.T) {
	ce := func(y, t *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, t) }
	c := training{name: "one unit left", set: blobs(examples, 1, nil), loss: ce, batch: 32, epochs: 16, model: chain(width, 2, classes, nn.ReLU{}, he), opt: adam(1e-2), init: func(m any) {
		bias := m.(*nn.Sequential).Layers[0].(*nn.Linear).Bias
		fill(bias, -50)
		bias.Tensor().SetFloat(0, 0)
	}}
	verdicts, end := c.judge(t, 1)
	if len(verdicts) != 1 || verdicts[0].Rule != "dead-relu" || verdicts[0].Severity != doctor.Warning || !slices.Equal(verdicts[0].Layers, []string{"0"}) {
		t.Errorf("the verdicts are %v (%s)", verdicts, end)
	}
}

// examine trains the cases, judges each, and logs a table.
func examine(t *testing.T, all []training, seed uint64) (s score) {
	var table strings.Builder
	for _, c := range all {
		verdicts, end := c.judge(t, seed)
		var rules []string
		for _, v := range verdicts {
			rules = append(rules, v.Rule)
		}
		mark := "right"
		switch {
		case len(c.kinds) == 0:
			s.healthy++
			if len(verdicts) > 0 {
				s.alarms++
				mark = "FALSE ALARM"
			}
		case len(verdicts) == 0:
			s.sick++
			mark = "MISSED"
		default:
			s.sick++
			s.found++
			if slices.Contains(c.kinds, rules[0]) {
				s.kind++
			} else {
				mark = "OTHER KIND"
			}
			if c.layer != "" {
				s.placed++
				if slices.Contains(verdicts[0].Layers, c.layer) {
					s.place++
				} else {
					mark += ", OTHER LAYER"
				}
			}
		}
		fmt.Fprintf(&table, "%-40s %-12s %-50s %s\n", c.name, mark, strings.Join(rules, " "), end)
		if len(verdicts) > 0 {
			fmt.Fprintf(&table, "    %s\n    %s\n", verdicts[0].Headline, verdicts[0].Evidence)
		}
	}
	t.Logf("\n%s", table.String())
	t.Logf("found %d of %d sick trainings, the kind right in %d, the layer in %d of %d; %d false alarms on %d healthy ones", s.found, s.sick, s.kind, s.place, s.placed, s.alarms, s.healthy)
	return s
}

// judge trains a case and returns the verdicts and what has become of it.
func (c *training) judge(t *testing.T, seed uint64) ([]watch.Verdict, string) {
	l, err := c.loop(filepath.Join(t.TempDir(), "run"), seed)
	if err != nil {
		t.Fatal(err)
	}
	l.Watch = &watch.Options{Every: 5}
	for _, err := range l.Run(t.Context()) {
		var nonFinite *tarn.NonFiniteError
		if err != nil && !errors.As(err, &nonFinite) {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	h, err := watch.Load(l.Folder.Path(watch.FileName))
	if err != nil {
		t.Fatal(err)
	}
	end := fmt.Sprintf("%s %s %d looks", h.Header.Task, h.Header.Loss, len(h.Steps))
	if len(h.Steps) > 0 {
		end += fmt.Sprintf(", loss %.3g to", float64(h.Steps[0].Loss))
	}
	if c := h.Header.Chance; c != nil {
		end = fmt.Sprintf("chance %.3g, ", float64(*c)) + end
	}
	if n := len(h.Epochs); n > 0 {
		end += fmt.Sprintf(" %.3g, val %.3g", float64(h.Epochs[n-1].TrainLoss), float64(h.Epochs[n-1].ValLoss))
	}
	if h.Failure != nil {
		end += " failed: " + h.Failure.Error
	}
	verdicts := doctor.Judge(h)
	// A training that is judged while it goes on must not be suspected in between.
	if len(c.kinds) == 0 {
		whole := *h
		for n := 1; n < len(whole.Steps) && len(verdicts) == 0; n++ {
			part := whole
			part.Steps, part.Epochs = whole.Steps[:n], nil
			for _, e := range whole.Epochs {
				if e.Run <= part.Steps[n-1].Run {
					part.Epochs = append(part.Epochs, e)
				}
			}
			if verdicts = doctor.Judge(&part); len(verdicts) > 0 {
				end += fmt.Sprintf(" (after %d looks)", n)
			}
		}
	}
	return verdicts, end
}
