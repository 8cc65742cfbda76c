// Package pool runs the tasks of one job on a fixed set of workers and returns when all are done (fork-join). It exists
// because goroutines and channels cost more than many kernels take: here a fork and join of running workers is a few
// cache-line transfers, and nothing is allocated.
//
// Tasks are handed out by an atomic counter, so a worker that the operating system takes away costs time and never a
// stall, and the caller takes part: it does every task that no worker has begun.
package pool

import (
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// Job is work that falls into independent tasks.
type Job interface {
	// Do runs one task. The worker number is below Workers() of the pool and no two tasks of one Run have the same
	// worker number at the same time, so it can index scratch memory that belongs to the job.
	Do(worker, task int)
}

// line is the distance in bytes that keeps two variables from sharing a cache line (two lines on CPUs that fetch pairs).
const line = 128

// Pool is a set of workers. It may be used by several goroutines at once, and by a task that it runs: whoever finds it
// busy does its tasks itself.
//
// How one job passes through: the caller sets job and pending, then stores ticket, which publishes the job. A worker
// owns task i when its atomic increment of ticket returned i below the number of tasks; both stand in the one word, so
// the answer is never about another job than the worker's increment. From then until it subtracts from pending the job
// cannot end, which is why the worker may read job without a lock, and why a worker that slept through a job can never
// touch it: its next increment either fails or gets a task of the present job.
type Pool struct {
	_       [line]byte
	ticket  atomic.Uint64 // number of tasks in the upper half, next task in the lower
	_       [line - 8]byte
	pending atomic.Int64 // tasks not yet done
	_       [line - 8]byte
	parked  atomic.Int32 // workers asleep
	waiting atomic.Bool  // the caller is asleep until pending is 0
	closed  atomic.Bool
	busy    atomic.Bool // a caller holds the pool
	failed  atomic.Pointer[Panic]

	job     Job
	done    chan struct{} // wakes the caller
	workers []*worker     // all but the caller
	exited  sync.WaitGroup
}

// worker is one goroutine of a pool.
type worker struct {
	id     int
	asleep atomic.Bool
	wake   chan struct{}
	_      [line]byte
}

// New starts a pool of the given number of workers, the caller of Run included: New(1) has no goroutines. Close ends them.
func New(workers int) *Pool {
	p := &Pool{done: make(chan struct{}, 1)}
	for id := 1; id < workers; id++ {
		w := &worker{id: id, wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		p.exited.Add(1)
		go p.loop(w)
	}
	return p
}

// Default is the pool of the process, with as many workers as GOMAXPROCS was at the first call, or as the processor has fast cores if it has slow ones,
// too, and the environment does not set GOMAXPROCS. It is never closed.
func Default() *Pool { return shared() }

var shared = sync.OnceValue(func() *Pool {
	return New(defaultWorkers(runtime.GOMAXPROCS(0), fastCores(), os.Getenv("GOMAXPROCS")))
})

// Cores is the number of processors that work is shared among if nobody says otherwise: all, or the fast ones if there are slow ones, too.
func Cores() int { return defaultWorkers(runtime.NumCPU(), fastCores(), "") }

// defaultWorkers leaves slow cores out: a job ends when its last task does, which may be on one of them. If fast is 0, all cores are equal.
func defaultWorkers(procs, fast int, set string) int {
	if fast > 0 && set == "" {
		return min(procs, fast)
	}
	return procs
}

// Workers is the number of workers, the caller of Run included.
func (p *Pool) Workers() int { return len(p.workers) + 1 }

// Close ends the workers and waits until they are gone. A closed pool still runs jobs, on the caller alone. Close must
// not be called from a task.
func (p *Pool) Close() {
	p.closed.Store(true)
	p.rouse(len(p.workers))
	p.exited.Wait()
}

// Run calls j.Do for the tasks 0 .. n-1 and returns when all have returned. Tasks begin in order but may run at once.
//
// If a task panics, the others still run, and Run then panics with a *Panic that holds the first value. A task that
// calls runtime.Goexit on a worker counts as one that panics.
func (p *Pool) Run(n int, j Job) {
	if n <= 0 {
		return
	}
	if n == 1 || n > math.MaxInt32 || len(p.workers) == 0 || p.closed.Load() || !p.busy.CompareAndSwap(false, true) {
		alone(n, j)
		return
	}
	p.job = j
	p.pending.Store(int64(n))
	p.ticket.Store(uint64(n) << 32)
	if p.parked.Load() > 0 {
		p.rouse(n - 1)
	}
	if f := p.complete(); f != nil {
		panic(f)
	}
}

// complete does the caller's share of the published job, waits for the workers' and gives the pool free. It returns
// the panic of the tasks, if any.
func (p *Pool) complete() *Panic {
	ended := false
	defer func() {
		if !ended { // a task called runtime.Goexit on this goroutine: the job must still end before the goroutine does
			p.complete()
		}
	}()
	p.drain(0)
	p.await()
	ended = true
	f := p.failed.Swap(nil)
	p.job = nil
	p.busy.Store(false)
	return f
}

// await returns when no task is pending: it spins for a while, then sleeps until the last worker calls.
func (p *Pool) await() {
	for s := (spin{}); p.pending.Load() != 0; {
		if s.again() {
			continue
		}
		p.waiting.Store(true)
		if p.pending.Load() != 0 {
			<-p.done // may be a call that a former job left behind: the loop looks again
		}
		p.waiting.Store(false)
	}
}

// settle counts n tasks as done, and wakes the caller after the last.
func (p *Pool) settle(n int) {
	if n > 0 && p.pending.Add(int64(-n)) == 0 && p.waiting.Load() {
		select {
		case p.done <- struct{}{}:
		default: // a call is waiting already
		}
	}
}

// available reports whether a task waits to be taken.
func (p *Pool) available() bool {
	t := p.ticket.Load()
	return uint32(t) < uint32(t>>32)
}

// drain does tasks until none is left to take.
func (p *Pool) drain(id int) {
	for !p.take(id) {
	}
}

// take does tasks until none is left, which it reports, or until one panics. It counts the tasks only at its end, so
// that workers do not fight for pending at every task.
func (p *Pool) take(id int) (empty bool) {
	var j Job
	count, task, inside := 0, 0, false
	defer func() {
		if inside { // Do did not return
			p.failed.CompareAndSwap(nil, caught(task, recover()))
			count++
		}
		p.settle(count)
	}()
	for {
		t := p.ticket.Add(1) - 1
		if uint32(t) >= uint32(t>>32) {
			return true
		}
		if j == nil {
			j = p.job
		}
		task, inside = int(uint32(t)), true
		j.Do(id, task)
		inside = false
		count++
	}
}

// alone does all tasks of a job on the calling goroutine.
func alone(n int, j Job) {
	var failed *Panic
	for task := 0; task < n; {
		var f *Panic
		if task, f = sequence(task, n, j); failed == nil {
			failed = f
		}
	}
	if failed != nil {
		panic(failed)
	}
}

// sequence does the tasks from .. n-1 and returns the next task, which is n unless one panicked.
func sequence(from, n int, j Job) (next int, failed *Panic) {
	defer func() {
		if next < n {
			failed = caught(next, recover())
			next++
		}
	}()
	for next = from; next < n; next++ {
		j.Do(0, next)
	}
	return next, nil
}

// rouse wakes up to n sleeping workers.
func (p *Pool) rouse(n int) {
	for _, w := range p.workers {
		if n <= 0 {
			return
		}
		if w.asleep.Load() && w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
			n--
		}
	}
}

// loop is the life of a worker: do tasks, look for more for a while, sleep.
func (p *Pool) loop(w *worker) {
	ended := false
	defer func() {
		if !ended { // a task called runtime.Goexit: replace the goroutine that it ended
			go p.loop(w)
			return
		}
		p.exited.Done()
	}()
	var s spin
	for !p.closed.Load() {
		if p.available() {
			p.drain(w.id)
			s = spin{}
			continue
		}
		if s.again() {
			continue
		}
		p.sleep(w)
		s = spin{}
	}
	ended = true
}

// sleep parks the worker until rouse. It looks once more after it has said that it sleeps: a job published before that
// is seen here, and a caller that publishes after it sees the sleeper.
func (p *Pool) sleep(w *worker) {
	w.asleep.Store(true)
	p.parked.Add(1)
	defer p.parked.Add(-1)
	if (p.available() || p.closed.Load()) && w.asleep.CompareAndSwap(true, false) {
		return
	}
	<-w.wake
}
