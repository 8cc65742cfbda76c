package tarn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-49005b45/tarn/internal/exec"
)

// This file looks into a program: its steps, what they cost, and what each worker did when.

// StepProfile is one step of a compiled program and what it costs.
type StepProfile struct {
	Work  string        // what it does, as in "product 128x512x784" or "loop 128x512: add relu"
	Op    string        // the op that it computes, the last one where several are fused
	Place string        // where that op was called
	Flops int           // arithmetic operations
	Bytes int           // bytes read and written, each array once
	Time  time.Duration // the median of the runs
}

// Profile runs the program several times and returns its steps with the median of their times. Every run counts: it
// stores updates and advances Step.
func (p *Program) Profile(runs int, inputs ...*Tensor) ([]StepProfile, error) {
	if p == nil || p.runner == nil {
		return nil, errNoProgram
	}
	m, err := p.machine()
	if err != nil {
		return nil, err
	}
	if runs < 1 {
		return nil, fmt.Errorf("tarn: Profile: %d runs; at least one is needed", runs)
	}
	var times []time.Duration
	profile := func(c exec.Call) (err error) {
		times, err = m.Profile(c, runs)
		return err
	}
	if err := p.run(context.Background(), Results{}, inputs, profile, int64(runs)); err != nil {
		return nil, fmt.Errorf("tarn: Profile: %w", err)
	}
	steps := p.Steps()
	for i := range steps {
		steps[i].Time = times[i]
	}
	return steps, nil
}

// RunTimed takes one run as RunInto does, step by step, and returns the steps of the program with their times.
func (p *Program) RunTimed(ctx context.Context, results Results, inputs ...*Tensor) ([]StepProfile, error) {
	if p == nil || p.runner == nil {
		return nil, errNoProgram
	}
	if results == nil {
		return nil, errors.New("tarn: RunTimed: the results are nil; pass tarn.Results{}")
	}
	m, err := p.machine()
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	profile := func(c exec.Call) (err error) {
		times, err = m.Profile(c, 1)
		return err
	}
	if err := p.run(ctx, results, inputs, profile, 1); err != nil {
		return nil, fmt.Errorf("tarn: RunTimed: %w", err)
	}
	steps := p.Steps()
	for i := range steps {
		steps[i].Time = times[i]
	}
	return steps, nil
}

// Steps returns the steps of the program with their costs, and without times: nothing is run. It returns nil for a program that
// TARN_DEBUG checks or interprets.
func (p *Program) Steps() []StepProfile {
	m, err := p.machine()
	if err != nil {
		return nil
	}
	var steps []StepProfile
	for _, s := range m.Steps() {
		last := s.Nodes[len(s.Nodes)-1]
		steps = append(steps, StepProfile{Work: s.Summary(), Op: last.Op.Name(), Place: last.Place(), Flops: s.Flops(), Bytes: s.Bytes()})
	}
	return steps
}

// TaskEvent is a piece of a step that one worker has run.
type TaskEvent struct {
	Step   int // index into the steps, as Profile lists them
	Work   string
	Place  string
	Worker int
	Start  time.Duration // since the run began
	End    time.Duration
}

// Trace takes one step like Run and returns what every worker did and when.
func (p *Program) Trace(inputs ...*Tensor) ([]TaskEvent, error) {
	if p == nil || p.runner == nil {
		return nil, errNoProgram
	}
	m, err := p.machine()
	if err != nil {
		return nil, err
	}
	var events []exec.Event
	trace := func(c exec.Call) (err error) {
		events, err = m.Trace(c)
		return err
	}
	if err := p.run(context.Background(), Results{}, inputs, trace, 1); err != nil {
		return nil, fmt.Errorf("tarn: Trace: %w", err)
	}
	tasks := make([]TaskEvent, len(events))
	for i, e := range events {
		s := m.Steps()[e.Step]
		tasks[i] = TaskEvent{e.Step, s.Summary(), s.Nodes[len(s.Nodes)-1].Place(), e.Worker, e.Start, e.End}
	}
	return tasks, nil
}

// machine is the compiled engine of the program; a debug switch may have loaded another.
func (p *Program) machine() (*exec.Machine, error) {
	if p == nil {
		return nil, errNoProgram
	}
	m, ok := p.runner.(*exec.Machine)
	if !ok {
		return nil, fmt.Errorf("tarn: a program that TARN_DEBUG checks or interprets, or that runs on another engine, cannot be measured")
	}
	return m, nil
}
