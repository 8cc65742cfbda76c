package train

import (
	"context"
	"slices"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/watch"
)

// This file times the steps of the program that trains, in a few of its runs.

// The runs that are timed come after some in which the machine warms up.
const (
	warmRuns  = 5
	timedRuns = 5
)

// timing is what the timed runs have shown.
type timing struct {
	program *program // the one that is timed
	runs    int
	steps   []tarn.StepProfile
	times   [][]time.Duration // of each step
}

// timed returns where to note the times of the next run, or nil if it is not timed.
func (s *Step) timed(p *program, n int) *timing {
	t := &s.timing
	if s.Watch == nil || s.taken < warmRuns || t.runs >= timedRuns || p.mode != watch.Plain || !p.updates || t.program != nil && t.program != p {
		return nil
	}
	t.program = p
	return t
}

// run takes a run.
func (t *timing) run(ctx context.Context, p *tarn.Program, results tarn.Results, inputs []*tarn.Tensor) error {
	if p.Steps() == nil { // it is checked or interpreted, and has none
		t.runs = timedRuns
		return p.RunInto(ctx, results, inputs...)
	}
	steps, err := p.RunTimed(ctx, results, inputs...)
	if err != nil {
		return err
	}
	if t.times == nil {
		t.steps, t.times = steps, make([][]time.Duration, len(steps))
	}
	for i, s := range steps {
		t.times[i] = append(t.times[i], s.Time)
	}
	t.runs++
	return nil
}

// described adds the description of the program to the result of the last run that is timed.
func (s *Step) described(p *program) error {
	t := &s.timing
	if t.program != p || t.runs < timedRuns || t.times == nil {
		return nil
	}
	states, err := s.optimizer.States()
	if err != nil {
		return err
	}
	m := p.program.Memory()
	out := &watch.Program{Run: s.result.Run, Timed: t.runs, Arena: m.Arena, Inputs: m.Inputs, Outputs: m.Outputs, Params: bytesOf(s.params) + bytesOf(states)}
	for i, step := range t.steps {
		slices.Sort(t.times[i])
		out.Steps = append(out.Steps, watch.ProgramStep{Work: step.Work, Op: step.Op, Place: step.Place, Flops: step.Flops, Bytes: step.Bytes, Seconds: t.times[i][len(t.times[i])/2].Seconds()})
	}
	s.result.Program, t.steps, t.times = out, nil, nil
	return nil
}
