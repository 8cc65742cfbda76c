package exec

import (
	"slices"
	"time"

	"github.com/seed-49005b45/tarn/internal/clock"
	"github.com/seed-49005b45/tarn/internal/lower"
	"github.com/seed-49005b45/tarn/internal/pool"
)

// This file measures programs: the time of every step, and what every worker did and when.

// Steps are the steps of the program in the order in which they run.
func (m *Machine) Steps() []*lower.Step { return m.program.Steps }

// Arena is the number of bytes that the temporaries take together.
func (m *Machine) Arena() int { return m.program.Arena }

// Profile runs the program several times and gives the median time of each step. It stores assignments like any run.
func (m *Machine) Profile(c Call, runs int) ([]time.Duration, error) {
	defer m.release()
	times := make([][]time.Duration, len(m.jobs))
	for range runs {
		m.begin(c)
		c.Step++
		for i, j := range m.jobs {
			start := clock.Now()
			if err := j.run(); err != nil {
				return nil, err
			}
			times[i] = append(times[i], clock.Since(start))
		}
		if err := m.settle(); err != nil {
			return nil, err
		}
	}
	medians := make([]time.Duration, len(m.jobs))
	for i, ts := range times {
		slices.Sort(ts)
		medians[i] = ts[len(ts)/2]
	}
	return medians, nil
}

// Event is a task that a worker has run.
type Event struct {
	Step, Worker, Task int
	Start, End         time.Duration // since the run began
}

// Trace takes one step of the program and returns what every worker did and when.
func (m *Machine) Trace(c Call) ([]Event, error) {
	t := &tracer{began: clock.Now(), events: make([][]Event, len(m.workers))}
	m.tracer = t
	defer func() { m.tracer = nil }()
	m.begin(c)
	defer m.release()
	for i, j := range m.jobs {
		t.step = i
		start := clock.Since(t.began)
		if err := j.run(); err != nil {
			return nil, err
		}
		if !t.forked {
			t.events[0] = append(t.events[0], Event{Step: i, Start: start, End: clock.Since(t.began)})
		}
		t.forked = false
	}
	return slices.Concat(t.events...), m.settle()
}

// tracer stands between the pool and a job and notes when each task runs.
type tracer struct {
	began  clock.Moment
	step   int
	forked bool // the step that runs has been through the pool
	job    pool.Job
	events [][]Event // by worker
}

// Do runs one task of the job.
func (t *tracer) Do(worker, task int) {
	start := clock.Since(t.began)
	t.job.Do(worker, task)
	t.events[worker] = append(t.events[worker], Event{t.step, worker, task, start, clock.Since(t.began)})
}

// fork runs the tasks of a job on the pool.
func (m *Machine) fork(tasks int, j pool.Job) {
	if t := m.tracer; t != nil {
		t.job, t.forked = j, tasks > 0
		j = t
	}
	if n := m.named; n != nil {
		n.tasks = j
		j = n
	}
	m.pool.Run(tasks, j)
}
