package search_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/fit/search"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
)

// waves is a table whose target is not linear.
func waves(t *testing.T) *table.Table {
	t.Helper()
	var x, y []float64
	for i := range 80 {
		v := float64(i*37%80) / 10
		x, y = append(x, v), append(y, math.Sin(2*v)+float64(i%5)/20)
	}
	tab, err := table.New(table.Numbers("x", x...), table.Numbers("y", y...))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// quick are options of a search that takes no time.
func quick(file string) search.Options {
	s := search.Usual()
	s.Widths, s.Members = []int{8, 16}, []int{1, 2}
	return search.Options{Base: fit.Options{Target: "y", Folds: 2, Work: 0.05, Seed: 3}, Space: s, Trials: 10, File: file}
}

// line is what a trial is, but for its time.
func line(t search.Trial) string {
	return fmt.Sprint(t.Number, t.Rung, t.Settings, t.Loss)
}

// TestRun searches whole, and again with a kill after each few trials, once in the middle of a line: both try the same and end with the same model.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: fits many models")
	}
	tab := waves(t)
	var whole []string
	o := quick("")
	o.Progress = func(t search.Trial) { whole = append(whole, line(t)) }
	saved := 0
	o.Save = func(*fit.Model, search.Settings) error { saved++; return nil }
	r, err := search.Run(t.Context(), tab, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Settled || r.Best.Rung != 2 || r.Usual.Number != 0 || r.Best.Loss > r.Usual.Loss || saved == 0 || len(r.Trials) != len(whole) || r.Model.About.Metrics["RMSE"] != r.Best.Loss {
		t.Errorf("best %+v, usual %+v, %d models saved", r.Best, r.Usual, saved)
	}
	drawn, rungs := map[int]bool{}, [3]int{}
	for _, trial := range r.Trials {
		drawn[trial.Number] = true
		rungs[trial.Rung]++
	}
	if len(drawn) != 10 || rungs[0] != 9 || rungs[1] < 3 || rungs[1] > 6 || rungs[2] < 2 || rungs[2] > 4 {
		t.Errorf("%d settings on rungs of %v", len(drawn), rungs)
	}
	if len(r.Importance) == 0 || !slices.IsSortedFunc(r.Importance, func(a, b search.Importance) int { return int(math.Copysign(1, b.Share-a.Share)) }) && r.Importance[0].Share == 0 {
		t.Errorf("the importance is %v", r.Importance)
	}

	path := filepath.Join(t.TempDir(), "y.trials.jsonl")
	var parts []string
	var end *search.Result
	for round := 0; round < 50 && (end == nil || !end.Settled); round++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		o := quick(path)
		fresh := 0
		o.Progress = func(trial search.Trial) {
			if trial.Known {
				return
			}
			parts = append(parts, line(trial))
			if fresh++; fresh == 3 {
				cancel(context.DeadlineExceeded)
			}
		}
		if end, err = search.Run(ctx, tab, o); err != nil {
			t.Fatal(err)
		}
		if round == 1 { // a line that a kill has cut
			f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			f.WriteString(`{"trial": 99, "ru`)
			f.Close()
		}
		cancel(nil)
	}
	if !reflect.DeepEqual(parts, whole) {
		t.Errorf("in parts it tries\n%s\nand whole\n%s", strings.Join(parts, "\n"), strings.Join(whole, "\n"))
	}
	var a, b bytes.Buffer
	if err := r.Model.Write(&a); err != nil {
		t.Fatal(err)
	}
	if err := end.Model.Write(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("in parts it ends with another model")
	}

	// The file belongs to these options.
	for name, change := range map[string]func(o *search.Options){
		"seed": func(o *search.Options) { o.Seed = 5 }, "base": func(o *search.Options) { o.Base.Folds = 3 }, "space": func(o *search.Options) { o.Space.Widths = []int{4} },
	} {
		o := quick(path)
		change(&o)
		if _, err := search.Run(t.Context(), tab, o); err == nil || !strings.Contains(err.Error(), "another table, target, space or seed") {
			t.Errorf("another %s: %v", name, err)
		}
	}
	os.WriteFile(path, []byte("{}\n"), 0o600)
	if _, err := search.Run(t.Context(), tab, quick(path)); err == nil {
		t.Error("another file is taken for trials")
	}
	os.WriteFile(path, []byte("x\n"), 0o600)
	if _, err := search.Run(t.Context(), tab, quick(path)); err == nil || !strings.Contains(err.Error(), "line 1: this is no trial") {
		t.Errorf("a file of something else: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	tab := waves(t)
	for want, change := range map[string]func(o *search.Options){
		"no such column":        func(o *search.Options) { o.Base.Target = "z" },
		"-1 trials":             func(o *search.Options) { o.Trials = -1 },
		"no members":            func(o *search.Options) { o.Space.Members = nil },
		"there must be 1 to 10": func(o *search.Options) { o.Space.Layers = []int{0} },
		"rate from 1":           func(o *search.Options) { o.Space.Rate = search.Range{1, 0.1} },
		"family":                func(o *search.Options) { o.Space.Families = []fit.Family{"tree"} },
		"hidden layer of 0":     func(o *search.Options) { o.Space.Widths = []int{0} },
	} {
		o := quick("")
		change(&o)
		if _, err := search.Run(t.Context(), tab, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := search.Run(ctx, tab, quick("")); err == nil {
		t.Error("a search without time")
	}
}
