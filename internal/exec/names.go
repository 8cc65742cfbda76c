package exec

import (
	"context"
	"fmt"
	"runtime/pprof"

	"github.com/seed-49005b45/tarn/internal/pool"
)

// This file gives names to what profilers see. Machine code that is made at run time has no symbols: perf finds names for it in a file that lists
// Regions, and the profiler of Go, which knows no such file and shows all of it as _ExternalCode, finds labels on the goroutines that run a step.

// Region is a piece of machine code.
type Region struct {
	Start uintptr
	Size  int
	Name  string
}

// Regions returns the machine code of the program, for as long as the machine is reachable.
func (m *Machine) Regions() []Region {
	var all []Region
	for i, j := range m.jobs {
		if n, ok := j.(*namedJob); ok {
			j = n.job
		}
		switch j := j.(type) {
		case *loopJob:
			for _, op := range j.ops {
				if op.kind != opRun {
					continue
				}
				start, size := op.run.Region()
				all = append(all, Region{start, size, m.name(i)})
				if len(op.away) > 1 {
					start, size = op.plain.Region()
					all = append(all, Region{start, size, m.name(i)})
				}
			}
		case *nestJob:
			for _, body := range j.bodies {
				all = append(all, body.Regions()...)
			}
		}
	}
	return all
}

// name is what a step is called in a profile.
func (m *Machine) name(step int) string {
	s := m.program.Steps[step]
	last := s.Nodes[len(s.Nodes)-1]
	return fmt.Sprintf("tarn: %s %s %s", s.Summary(), last.Op.Name(), last.Place())
}

// Label has every goroutine that runs a step from now on carry the step's name as the label "tarn" of Go's profiles, in the place of other labels.
func (m *Machine) Label() {
	for i, j := range m.jobs {
		if n, ok := j.(*nestJob); ok {
			for _, body := range n.bodies {
				body.Label()
			}
		}
		m.jobs[i] = &namedJob{job: j, m: m, label: pprof.WithLabels(context.Background(), pprof.Labels("tarn", m.name(i)))}
	}
}

// namedJob is a job that runs under a label.
type namedJob struct {
	job
	m     *Machine
	label context.Context
	tasks pool.Job // those that fork hands out
}

func (j *namedJob) run() error {
	outer := j.m.named
	j.m.named = j
	pprof.SetGoroutineLabels(j.label)
	defer pprof.SetGoroutineLabels(context.Background())
	defer func() { j.m.named = outer }()
	return j.job.run()
}

// Do runs one task of the job.
func (j *namedJob) Do(worker, task int) {
	pprof.SetGoroutineLabels(j.label)
	j.tasks.Do(worker, task)
	pprof.SetGoroutineLabels(context.Background())
}
