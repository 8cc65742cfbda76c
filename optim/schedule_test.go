package optim_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// TestScheduleEnds checks schedules before, at and long after their turning points.
func TestScheduleEnds(t *testing.T) {
	const far = 1 << 50
	for _, test := range []struct {
		name     string
		schedule optim.Schedule
		step     int64
		want     float64
	}{
		{"constant", optim.Constant(0.1), far, 0.1},
		{"linear", optim.Linear{From: 1, To: 0.5, Steps: 10}, far, 0.5},
		{"exponential far", optim.Exponential{Rate: 1, Factor: 0.5}, 40, 1.0 / (1 << 40)},
		{"exponential at last", optim.Exponential{Rate: 1, Factor: 0.5}, far, 0},
		{"cosine", optim.Cosine{Rate: 1, Min: 0.125, Steps: 10}, 10, 0.125},
		{"cosine later", optim.Cosine{Rate: 1, Min: 0.125, Steps: 10}, far, 0.125},
		{"step before", optim.StepDecay{Rate: 1, Factor: 0.5, Every: 1 << 48}, 1<<48 - 1, 1},
		{"step at", optim.StepDecay{Rate: 1, Factor: 0.5, Every: 1 << 48}, 1 << 48, 0.5},
		{"step later", optim.StepDecay{Rate: 1, Factor: 0.5, Every: 1 << 48}, far, 0.0625},
		{"join before", optim.Join{First: optim.Constant(1), Steps: 1 << 49, Then: optim.Constant(2)}, 1<<49 - 1, 1},
		{"join at", optim.Join{First: optim.Constant(1), Steps: 1 << 49, Then: optim.Constant(2)}, 1 << 49, 2},
		{"warm-up first", optim.Warmup{Steps: 4, Then: optim.Constant(1)}, 0, 0.25},
		{"warm-up last", optim.Warmup{Steps: 4, Then: optim.Constant(1)}, 3, 1},
		{"one cycle first", optim.NewOneCycle(1, 100), 0, 0.04},
		{"one cycle peak", optim.NewOneCycle(1, 100), 29, 1},
		{"one cycle later", optim.NewOneCycle(1, 100), far, 4e-6},
		{"one cycle of one step", optim.NewOneCycle(1, 1), 0, 1},
		{"one cycle of two steps", optim.NewOneCycle(1, 2), 0, 1},
		{"one cycle up only", optim.OneCycle{Max: 1, Steps: 10, Rise: 1, Start: 25, End: 1}, 9, 1},
		{"polynomial later", optim.Polynomial{From: 1, To: 0.25, Steps: 10, Power: 2}, far, 0.25},
		{"multi-step later", optim.MultiStep{Rate: 1, Factor: 0.5, Steps: []int{0, 7}}, far, 0.25},
		{"warm restart far", optim.WarmRestarts{Rate: 1, Steps: 1, Stretch: 2}, 1<<40 - 1, 1},
		{"before a warm restart", optim.WarmRestarts{Rate: 1, Min: 0.5, Steps: 2, Stretch: 2}, 13, 0.5 + 0.25*(1+math.Cos(math.Pi*7/8))},
		{"cosine of a power", optim.Cosine{Rate: 1, Min: 0.125, Steps: 10, Power: 0.5}, far, 0.125},
		{"stable first", optim.WarmupStableDecay{Rate: 1, Warmup: 4, Stable: 3, Decay: 9, Power: 0.5}, 0, 0.25},
		{"stable from the fourth", optim.WarmupStableDecay{Rate: 1, Warmup: 4, Stable: 3, Decay: 9, Power: 0.5}, 3, 1},
		{"stable to the end", optim.WarmupStableDecay{Rate: 1, Warmup: 4, Stable: 3, Decay: 9, Power: 0.5}, 7, 1},
		{"cooling down", optim.WarmupStableDecay{Rate: 1, Warmup: 4, Stable: 3, Decay: 9, Power: 0.5}, 11, 1 - 2.0/3},
		{"cooled down", optim.WarmupStableDecay{Rate: 1, Min: 0.25, Decay: 9}, far, 0.25},
		{"inverse root peak", optim.InverseSqrt{Rate: 2, Warmup: 16}, 15, 2},
		{"inverse root later", optim.InverseSqrt{Rate: 2, Warmup: 16}, 16*16 - 1, 0.5},
		{"cyclic far", optim.Cyclic{Min: 0.25, Max: 1, Up: 2, Down: 6}, 1<<50 + 2, 1},
		{"cyclic far and lower", optim.Cyclic{Min: 0.25, Max: 1, Up: 2, CycleFactor: 0.5, StepFactor: 0.5}, far, 0.25},
		{"noam peak", optim.Noam{Factor: 2, Width: 4, Steps: 16}, 15, 0.25},
		{"function", optim.ScheduleFunc(func(step *tarn.Value) *tarn.Value { return step.Scale(2) }), 4, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := optim.Rates(test.schedule, test.step)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got[0]-test.want) > 1e-15 {
				t.Errorf("got %v, want %v", got[0], test.want)
			}
		})
	}
	if rates, err := optim.Rates(optim.Constant(1)); rates != nil || err != nil {
		t.Errorf("no steps: %v, %v", rates, err)
	}
}

func TestScheduleMistakes(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		schedule optim.Schedule
		want     string
	}{
		{nil, "the schedule <nil> returns no rate"},
		{optim.Constant(math.Inf(1)), "optim.Constant: the rate is +Inf and should be finite and not negative"},
		{optim.ScheduleFunc(nil), "the schedule optim.ScheduleFunc returns no rate"},
		{optim.Linear{From: -1, Steps: 1}, "optim.Linear: From is -1"},
		{optim.Linear{To: nan, Steps: 1}, "optim.Linear: To is NaN"},
		{optim.Linear{}, "optim.Linear: Steps is 0 and should be at least 1"},
		{optim.StepDecay{Rate: 1, Factor: -2, Every: 1}, "optim.StepDecay: Factor is -2"},
		{optim.StepDecay{Rate: 1, Factor: 1}, "optim.StepDecay: Every is 0"},
		{optim.Exponential{Rate: -1}, "optim.Exponential: Rate is -1"},
		{optim.Exponential{Rate: 1}, "optim.Exponential: Factor is 0 and should be finite and positive"},
		{(*optim.OneCycle)(nil), "the schedule *optim.OneCycle returns no rate"},
		{optim.Cosine{Rate: 1, Steps: -3}, "optim.Cosine: Steps is -3"},
		{optim.Cosine{Rate: 1, Min: nan, Steps: 3}, "optim.Cosine: Min is NaN"},
		{optim.Join{First: optim.Constant(1), Steps: 3}, "the schedule <nil> returns no rate"},
		{optim.Join{First: optim.Constant(1), Then: optim.Constant(1)}, "optim.Join: Steps is 0"},
		{optim.Warmup{Steps: 3, Then: optim.Cosine{}}, "optim.Cosine: Steps is 0"},
		{optim.Warmup{Then: optim.Constant(1)}, "optim.Warmup: Steps is 0"},
		{optim.Polynomial{From: 1, Steps: 3, Power: -1}, "optim.Polynomial: Power is -1"},
		{optim.MultiStep{Rate: 1, Factor: 1, Steps: []int{3, 3}}, "optim.MultiStep: Steps are [3 3] and should rise"},
		{optim.WarmRestarts{Rate: 1, Steps: 3, Stretch: -1}, "optim.WarmRestarts: Stretch is -1"},
		{optim.Noam{Factor: 1, Steps: 3}, "optim.Noam: Width is 0"},
		{optim.Cosine{Rate: 1, Steps: 3, Power: -1}, "optim.Cosine: Power is -1"},
		{optim.WarmupStableDecay{Rate: 1, Warmup: -1, Decay: 3}, "optim.WarmupStableDecay: Warmup is -1 and Stable 0"},
		{optim.WarmupStableDecay{Rate: 1}, "optim.WarmupStableDecay: Decay is 0"},
		{optim.InverseSqrt{Rate: 1}, "optim.InverseSqrt: Warmup is 0"},
		{optim.Cyclic{Max: 1}, "optim.Cyclic: Up is 0"},
		{optim.Product{}, "optim.Product: there is no schedule in it"},
		{optim.Product{optim.Constant(1), nil}, "the schedule <nil> returns no rate"},
		{&optim.Plateau{}, "optim.Plateau: it was not made by NewPlateau"},
		{(*optim.Plateau)(nil), "the schedule *optim.Plateau returns no rate"},
		{optim.NewPlateau(nil), "the schedule <nil> returns no rate"},
		{&badPlateau{optim.NewPlateau(optim.Constant(1))}, "optim.Plateau: Factor is 1 and should lie in (0, 1)"},
		{optim.OneCycle{Max: 1, Steps: 10}, "optim.OneCycle: Start is 0 and should be finite and positive; NewOneCycle"},
		{optim.OneCycle{Max: 1, Steps: 10, Rise: 2}, "optim.OneCycle: Rise is 2 and should lie in [0, 1]"},
	} {
		if _, err := optim.Rates(test.schedule, 0, 1); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%#v: got %v, want %q", test.schedule, err, test.want)
		}
	}
}

// badPlateau spoils the settings of a Plateau.
type badPlateau struct{ *optim.Plateau }

func (b *badPlateau) At(step *tarn.Value) *tarn.Value {
	b.Factor = 1
	return b.Plateau.At(step)
}

// TestRateAt checks that the rate follows the updates, not the runs.
func TestRateAt(t *testing.T) {
	o := optim.NewSGD(0)
	o.Rate = optim.Exponential{Rate: 1, Factor: 0.5}
	o.MicroBatches = 3
	for run, want := range []float64{1, 1, 1, 0.5, 0.5, 0.5, 0.25} {
		if got, err := o.RateAt(int64(run)); err != nil || got != want {
			t.Errorf("run %d: %v, %v; want %v", run, got, err, want)
		}
	}
	if _, err := optim.NewSGD(-1).RateAt(0); err == nil {
		t.Error("a negative rate is no error")
	}
}

// TestScheduleZeroValues checks that a field at 0 means what its comment says.
func TestScheduleZeroValues(t *testing.T) {
	for _, test := range []struct{ zero, want optim.Schedule }{
		{optim.StepDecay{Rate: 1, Every: 3}, optim.StepDecay{Rate: 1, Every: 3, Factor: 0.1}},
		{optim.MultiStep{Rate: 1, Steps: []int{2, 5}}, optim.MultiStep{Rate: 1, Steps: []int{2, 5}, Factor: 0.1}},
		{optim.Polynomial{From: 1, Steps: 6}, optim.Linear{From: 1, Steps: 6}},
		{optim.WarmRestarts{Rate: 1, Steps: 4}, optim.WarmRestarts{Rate: 1, Steps: 4, Stretch: 1}},
		{optim.Cosine{Rate: 1, Steps: 6}, optim.Cosine{Rate: 1, Steps: 6, Power: 1}},
		{optim.WarmupStableDecay{Rate: 1, Decay: 6}, optim.Linear{From: 1, Steps: 6}},
		{optim.Cyclic{Max: 1, Up: 3}, optim.Cyclic{Max: 1, Up: 3, Down: 3, CycleFactor: 1, StepFactor: 1}},
		{optim.Noam{Width: 16, Steps: 4}, optim.Noam{Width: 16, Steps: 4, Factor: 1}},
	} {
		steps := []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		got, err := optim.Rates(test.zero, steps...)
		want, err2 := optim.Rates(test.want, steps...)
		if err != nil || err2 != nil || !slices.Equal(got, want) || slices.Max(got) == slices.Min(got) {
			t.Errorf("%#v: rates %v, %v; want %v, %v", test.zero, got, err, want, err2)
		}
	}
}

// TestTransformZeroValues is the same for transforms, whose literal with a 0 should train like the one with its default.
func TestTransformZeroValues(t *testing.T) {
	for _, test := range []struct {
		zero, want optim.Transform
	}{
		{optim.EMA{}, optim.EMA{Decay: 0.999}},
		{optim.SWA{Start: 1}, optim.SWA{Start: 1, Every: 1}},
		{optim.SAM{}, optim.SAM{Rho: 0.05}},
	} {
		var ends [2][]float64
		for i, transform := range []optim.Transform{test.zero, test.want} {
			p, opt := network(tarn.F64), optim.NewSGD(0.1)
			if _, first := transform.(optim.SAM); first {
				opt.Before = []optim.Transform{transform}
			} else {
				opt.After = []optim.Transform{transform}
			}
			program := p.compile(t, opt, p.rows)
			for range 3 {
				run(t, program, p.batch())
			}
			for _, state := range statesOf(t, opt).List() {
				ends[i] = append(ends[i], state.Tensor().Floats()...)
			}
			ends[i] = append(ends[i], p.values()...)
		}
		if !slices.Equal(ends[0], ends[1]) {
			t.Errorf("%#v ends at %v, %#v at %v", test.zero, ends[0], test.want, ends[1])
		}
	}
}
