package pool

// The tests check that every task runs exactly once whatever the number of workers, callers and processors, that no
// two tasks share a worker number at once, and that panics and Close leave a working pool and no goroutine.

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/internal/alloctest"
)

// tally is a job that counts how often each task ran, and finds out whether two tasks use one worker number at once.
type tally struct {
	ran    []atomic.Int32
	inside []atomic.Int32
	shared atomic.Bool
	work   func(worker, task int)
}

func newTally(n, workers int) *tally {
	return &tally{ran: make([]atomic.Int32, n), inside: make([]atomic.Int32, workers)}
}

func (j *tally) Do(worker, task int) {
	if j.inside[worker].Add(1) != 1 {
		j.shared.Store(true)
	}
	defer j.inside[worker].Add(-1)
	j.ran[task].Add(1)
	if j.work != nil {
		j.work(worker, task)
	}
}

// check says what is wrong with a tally after rounds runs.
func (j *tally) check(rounds int) error {
	for i := range j.ran {
		if k := j.ran[i].Load(); int(k) != rounds {
			return fmt.Errorf("task %d ran %d times, want %d", i, k, rounds)
		}
	}
	if j.shared.Load() {
		return errors.New("two tasks had the same worker number at once")
	}
	return nil
}

// busyWait computes for about n nanoseconds.
func busyWait(n int) {
	x := uint64(n)
	for range n {
		x = x*6364136223846793005 + 1
	}
	sink.Store(x)
}

var sink atomic.Uint64

func TestEveryTaskOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		for _, workers := range []int{0, 1, 2, 3, 8, 33} {
			p := New(workers)
			for _, n := range []int{-1, 0, 1, 2, 3, 7, 100, 1000} {
				j := newTally(max(n, 0), p.Workers())
				const rounds = 20
				for range rounds {
					p.Run(n, j)
				}
				if err := j.check(rounds); err != nil {
					t.Errorf("procs %d, workers %d, n %d: %v", procs, workers, n, err)
				}
			}
			p.Close()
		}
	}
}

// TestChangingJobs runs many short jobs one after the other, so that late workers meet later jobs.
func TestChangingJobs(t *testing.T) {
	p := New(4)
	defer p.Close()
	for round := range 3000 {
		n := 1 + round%13
		j := newTally(n, p.Workers())
		j.work = func(_, task int) { busyWait(task * 50) }
		p.Run(n, j)
		if err := j.check(1); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if round%500 == 0 {
			time.Sleep(2 * patience) // let the workers fall asleep
		}
	}
}

func TestManyCallers(t *testing.T) {
	p := New(3)
	defer p.Close()
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for range 200 {
				n := 1 + c*5
				j := newTally(n, p.Workers())
				j.work = func(int, int) { busyWait(200) }
				p.Run(n, j)
				if err := j.check(1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestNested(t *testing.T) {
	p := New(3)
	defer p.Close()
	outer := newTally(20, p.Workers())
	outer.work = func(int, int) {
		inner := newTally(15, p.Workers())
		p.Run(15, inner)
		if err := inner.check(1); err != nil {
			t.Error(err)
		}
	}
	p.Run(20, outer)
	if err := outer.check(1); err != nil {
		t.Error(err)
	}
}

// TestWorkersTakePart waits in every task until all workers are in one, which only ends if all of them come.
func TestWorkersTakePart(t *testing.T) {
	const workers = 4
	p := New(workers)
	defer p.Close()
	for range 20 {
		var meet sync.WaitGroup
		meet.Add(workers)
		j := newTally(workers, workers)
		j.work = func(int, int) { meet.Done(); meet.Wait() }
		p.Run(workers, j)
		if err := j.check(1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBlockedWorker holds one task until all others are done by the workers that are left.
func TestBlockedWorker(t *testing.T) {
	p := New(2)
	defer p.Close()
	release := make(chan struct{})
	var left atomic.Int32
	left.Store(9)
	j := newTally(10, p.Workers())
	j.work = func(_, task int) {
		if task == 0 {
			<-release
		} else if left.Add(-1) == 0 {
			close(release)
		}
	}
	p.Run(10, j)
	if err := j.check(1); err != nil {
		t.Error(err)
	}
}

// run is Run with its panic as a value.
func run(p *Pool, n int, j Job) (value any) {
	defer func() { value = recover() }()
	p.Run(n, j)
	return nil
}

func TestPanic(t *testing.T) {
	cause := errors.New("cause")
	for _, workers := range []int{1, 2, 5} {
		for _, n := range []int{1, 2, 50} {
			for _, bad := range []int{0, n / 2, n - 1} {
				p := New(workers)
				j := newTally(n, p.Workers())
				j.work = func(_, task int) {
					if task == bad {
						panic(cause)
					}
				}
				f, ok := run(p, n, j).(*Panic)
				if !ok || f.Task != bad || !errors.Is(f, cause) || !strings.Contains(f.Error(), "pool_test.go") {
					t.Errorf("workers %d, n %d: panic = %v", workers, n, f)
				}
				if err := j.check(1); err != nil {
					t.Errorf("workers %d, n %d: %v", workers, n, err)
				}
				j.work = nil
				if v := run(p, n, j); v != nil {
					t.Errorf("workers %d, n %d: the next job panicked: %v", workers, n, v)
				}
				if err := j.check(2); err != nil {
					t.Errorf("workers %d, n %d: after the panic: %v", workers, n, err)
				}
				p.Close()
			}
		}
	}
}

func TestAllTasksPanic(t *testing.T) {
	p := New(3)
	defer p.Close()
	j := newTally(40, p.Workers())
	j.work = func(_, task int) { panic(task) }
	f, ok := run(p, 40, j).(*Panic)
	if !ok || f.Value != f.Task || f.Unwrap() != nil {
		t.Errorf("panic = %v", f)
	}
	if err := j.check(1); err != nil {
		t.Error(err)
	}
}

// TestGoexit ends the goroutine of every task, first the workers' and then the caller's.
func TestGoexit(t *testing.T) {
	p := New(3)
	j := newTally(30, p.Workers())
	j.work = func(worker, _ int) {
		if worker != 0 {
			runtime.Goexit()
		}
		busyWait(5000)
	}
	if v := run(p, 30, j); v != nil && !errors.Is(v.(*Panic), errGoexit) {
		t.Errorf("panic = %v", v)
	}
	if err := j.check(1); err != nil {
		t.Error(err)
	}
	j.work = func(int, int) { runtime.Goexit() }
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.Run(30, j)
		t.Error("Run returned although its goroutine was ended")
	}()
	<-gone
	j.work = nil
	p.Run(30, j)
	if err := j.check(3); err != nil {
		t.Error(err)
	}
	p.Close()
}

func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, wait := range []time.Duration{0, 4 * patience} {
		p := New(6)
		p.Run(10, newTally(10, p.Workers()))
		time.Sleep(wait) // both spinning and sleeping workers must go
		p.Close()
		p.Close()
		j := newTally(10, p.Workers())
		p.Run(10, j)
		if err := j.check(1); err != nil {
			t.Errorf("a closed pool: %v", err)
		}
	}
	for range 100 { // a goroutine counts until a moment after its last statement
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestDefault(t *testing.T) {
	if Default() != Default() || Default().Workers() < 1 {
		t.Error("Default is not one pool")
	}
	j := newTally(50, Default().Workers())
	Default().Run(50, j)
	if err := j.check(1); err != nil {
		t.Error(err)
	}
}

// fixed is a job of n tasks of equal length.
type fixed int

func (f fixed) Do(int, int) { busyWait(int(f)) }

func TestRunDoesNotAllocate(t *testing.T) {
	p := New(2)
	defer p.Close()
	var j Job = fixed(100)
	if n := alloctest.PerRun(200, func() { p.Run(8, j) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkForkJoin compares a fork-join of two tasks on the pool with goroutines and with doing both in turn.
func BenchmarkForkJoin(b *testing.B) {
	p := New(2)
	defer p.Close()
	for _, work := range []int{0, 500, 2000, 10000} {
		var j Job = fixed(work)
		b.Run(fmt.Sprintf("pool/%d", work), func(b *testing.B) {
			for b.Loop() {
				p.Run(2, j)
			}
		})
		b.Run(fmt.Sprintf("goroutines/%d", work), func(b *testing.B) {
			for b.Loop() {
				var wg sync.WaitGroup
				wg.Go(func() { j.Do(1, 1) })
				j.Do(0, 0)
				wg.Wait()
			}
		})
		b.Run(fmt.Sprintf("serial/%d", work), func(b *testing.B) {
			for b.Loop() {
				j.Do(0, 0)
				j.Do(0, 1)
			}
		})
	}
}
