package exec

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/jit"
	"github.com/seed-49005b45/tarn/internal/lower"
	"github.com/seed-49005b45/tarn/internal/pages"
	"github.com/seed-49005b45/tarn/internal/plan"
	"github.com/seed-49005b45/tarn/internal/pool"
)

// This file holds Machine: a planned program bound to memory, kernels and a worker pool. Everything that can be looked up
// is looked up when the machine is made, so that a run is a walk over a list of jobs and allocates nothing.

// Machine runs a planned program.
type Machine struct {
	program *lower.Program
	pool    *pool.Pool
	bases   []unsafe.Pointer // where each buffer lies, by id
	inputs  []int            // the buffer of each input, or -1 where the program does not read it
	outputs []int            // the buffer of each output; none of a body, whose outputs the loop places
	counter []int64
	jobs    []job
	undo    undo
	done    <-chan struct{} // closed to cancel the run
	holders []holder
	guard   *guardJob // nil if the program has none
	finals  [][]int   // by job, and after the last for all others: the outputs that are final after it
	final   func(output int)
	most    func(mine int) int
	vars    []ir.Array

	firstSame int // of the body of a loop: the first of the inputs that are the same in all steps; 0 if there are none

	shared  unsafe.Pointer // scratch of the job that runs
	workers []worker
	tracer  *tracer   // while a run is traced
	named   *namedJob // that runs, of a machine whose steps have labels
	code    *jit.Memory
	blocks  []*pages.Block // memory outside of the heap, which lasts as long as the machine
}

// worker is what a worker of the pool has for itself.
type worker struct {
	scratch unsafe.Pointer
	slots   slots // the blocks that a loop's instructions work on
}

// job is one step of the program, ready to run.
type job interface {
	run() error
	// needs returns the bytes of scratch that all workers share, the bytes for each, and the number of slots.
	needs() (shared, worker, slots int)
}

// holder is a job that keeps addresses of its operands, which may be inputs, from one run to the next unless it is released.
type holder interface{ release() }

// slack keeps vector loads at the end of an array inside of the memory that it lies in.
const slack = 64

// NewMachine compiles a graph and binds it to the memory of its variables. It returns an error if the process may not have as much
// memory as the program needs.
func NewMachine(g *ir.Graph, variables []ir.Array, workers *pool.Pool) (*Machine, error) {
	p := lower.Lower(g)
	if err := checkSizes(p); err != nil {
		return nil, err
	}
	plan.Plan(p)
	return load(p, variables, workers)
}

// load binds a planned program to memory, if there is as much.
func load(p *lower.Program, variables []ir.Array, workers *pool.Pool) (*Machine, error) {
	if err := checkMemory(p, bound(p)+outputBytes(p)); err != nil {
		return nil, err
	}
	m := bind(p, variables, workers, 0)
	if err := checkMemory(p, m.scratch()); err != nil {
		return nil, err
	}
	m.addScratch()
	for _, b := range p.Outputs {
		m.outputs = append(m.outputs, b.ID)
	}
	m.undo = m.newUndo()
	m.finals = m.findFinals()
	return m, nil
}

// findFinals finds out which step is the last that writes or reads each output.
func (m *Machine) findFinals() [][]int {
	last := map[*lower.Buffer]int{}
	for i, s := range m.program.Steps {
		for _, b := range slices.Concat(s.Writes, s.Reads) {
			last[b] = i
		}
	}
	finals := make([][]int, len(m.jobs)+1)
	for i, b := range m.program.Outputs {
		at, written := last[b]
		if !written {
			at = len(m.jobs)
		}
		finals[at] = append(finals[at], i)
	}
	return finals
}

// Order returns the outputs in the order in which a run completes them.
func (m *Machine) Order() []int { return slices.Concat(m.finals...) }

// Clone returns a machine with the same program and variables and memory of its own otherwise.
func (m *Machine) Clone() (Runner, error) { return load(m.program, m.vars, m.pool) }

// bind binds a planned program to memory, but for scratch and outputs. firstSame is that of the Machine.
func bind(p *lower.Program, variables []ir.Array, workers *pool.Pool, firstSame int) *Machine {
	m := &Machine{program: p, firstSame: firstSame, pool: workers, counter: make([]int64, 1), workers: make([]worker, workers.Workers()), vars: variables}
	ids := 0
	for _, b := range p.Buffers {
		ids = max(ids, b.ID+1)
	}
	m.bases = make([]unsafe.Pointer, ids)
	place := m.memory(p.Arena)
	for _, b := range p.Buffers {
		switch b.Storage {
		case lower.Temporary:
			m.bases[b.ID] = unsafe.Add(place, b.Offset)
		case lower.Variable:
			m.bases[b.ID] = variables[b.Index].Data
		case lower.Constant:
			m.bases[b.ID] = b.Array.Data
		case lower.Counter:
			m.bases[b.ID] = unsafe.Pointer(&m.counter[0])
		case lower.Input:
			for len(m.inputs) <= b.Index {
				m.inputs = append(m.inputs, -1)
			}
			m.inputs[b.Index] = b.ID
		}
	}
	m.makeJobs()
	for _, j := range m.jobs {
		if h, ok := j.(holder); ok {
			m.holders = append(m.holders, h)
		}
	}
	return m
}

// needs returns the most that any of the jobs needs.
func (m *Machine) needs() (shared, worker, slots int) {
	for _, j := range m.jobs {
		s, w, n := j.needs()
		shared, worker, slots = max(shared, s), max(worker, w), max(slots, n)
	}
	return shared, worker, slots
}

// scratch is the number of bytes that addScratch takes.
func (m *Machine) scratch() int {
	shared, own, slots := m.needs()
	return shared + len(m.workers)*(own+8*slots) + m.keptBytes()
}

// addScratch allocates scratch for the machine and for those of bodies.
func (m *Machine) addScratch() {
	shared, own, n := m.needs()
	for i := range m.workers {
		m.workers[i] = worker{m.memory(own), make(slots, n)}
	}
	m.share(m.memory(shared), m.workers)
	m.addKept()
}

// share makes the machine, and those of bodies, use some scratch.
func (m *Machine) share(shared unsafe.Pointer, workers []worker) {
	m.shared, m.workers = shared, workers
	for _, j := range m.jobs {
		if n, ok := j.(*nestJob); ok {
			for _, body := range n.bodies {
				body.share(shared, workers)
			}
		}
	}
}

// leastBlock is the number of bytes from which memory of a machine is in large pages.
const leastBlock = pages.Size / 2

// memory returns zeroed memory of the machine's own, which starts at a cache line.
func (m *Machine) memory(bytes int) unsafe.Pointer {
	if bytes < leastBlock {
		return memory(bytes)
	}
	b := pages.New(bytes + slack)
	m.blocks = append(m.blocks, b)
	return b.Start()
}

// memory returns zeroed memory of the heap that starts at a cache line.
func memory(bytes int) unsafe.Pointer {
	words := make([]uint64, (bytes+64+slack)/8)
	p := unsafe.Pointer(unsafe.SliceData(words))
	pages.Touch(p, 8*len(words))
	return unsafe.Add(p, -uintptr(p)&63)
}

// makeJobs makes the jobs of all steps, with machine code for runs of instructions where that can be had.
func (m *Machine) makeJobs() {
	code := jit.New()
	for _, s := range m.program.Steps {
		m.jobs = append(m.jobs, m.newJob(s, code))
	}
	if code == nil {
		return
	}
	memory, ok := code.Finish()
	if !ok { // the system refuses executable memory
		m.jobs = nil
		for _, s := range m.program.Steps {
			m.jobs = append(m.jobs, m.newJob(s, nil))
		}
		return
	}
	m.code = memory
	for _, j := range m.jobs {
		if l, ok := j.(*loopJob); ok {
			for i := range l.ops {
				if l.ops[i].kind == opRun {
					l.ops[i].run = code.Func(l.ops[i].id)
					if len(l.ops[i].away) > 1 {
						l.ops[i].plain = code.Func(l.ops[i].plainID)
					}
				}
			}
		}
	}
}

// newJob makes the job of a step.
func (m *Machine) newJob(s *lower.Step, code *jit.Assembler) job {
	switch w := s.Work.(type) {
	case *lower.Loop:
		return m.newLoop(w, code)
	case *lower.Product:
		return m.newProduct(w)
	case *lower.Attention:
		return m.newAttention(w)
	case *lower.Conv:
		return m.newConv(w)
	case *lower.Pool:
		return m.newPool(w)
	case *lower.Copy:
		return m.newCopy(w)
	case *lower.Kernel:
		return m.newKernel(w)
	case *lower.Nest:
		return m.newNest(w)
	case *lower.Check:
		return m.newCheck(w, s.Nodes[0])
	case *lower.Guard:
		m.guard = m.newGuard(w)
		return m.guard
	}
	panic("exec: unknown work")
}

// Run takes one step of the program. It keeps no address of an input or an output. A run that is canceled has changed no variable.
func (m *Machine) Run(c Call) error {
	m.begin(c)
	err := m.walk()
	m.release()
	runtime.KeepAlive(m) // the memory of its blocks is used until here
	return err
}

// walk runs the jobs.
func (m *Machine) walk() error {
	for i, j := range m.jobs {
		if m.done != nil {
			if err := m.canceled(); err != nil {
				m.undo.restore()
				return err
			}
			if !m.undo.before(i) {
				m.done = nil
			}
		}
		if err := j.run(); err != nil {
			m.undo.restore()
			return err
		}
		if m.final != nil {
			m.complete(i)
		}
	}
	if m.final != nil {
		m.complete(len(m.jobs))
	}
	return m.settle()
}

// complete reports the outputs that are final after a job.
func (m *Machine) complete(job int) {
	for _, output := range m.finals[job] {
		m.final(output)
	}
}

// begin sets what differs from run to run.
func (m *Machine) begin(c Call) {
	for i, id := range m.inputs {
		if id >= 0 {
			m.bases[id] = c.Inputs[i].Data
		}
	}
	for i, id := range m.outputs {
		m.bases[id] = c.Outputs[i].Data
	}
	m.counter[0], m.done, m.undo.saved = c.Step, c.Done, 0
	m.final, m.most = c.Final, c.Most
}

// release forgets the inputs and outputs of the last run, which are the caller's.
func (m *Machine) release() {
	for _, id := range m.inputs {
		if id >= 0 {
			m.bases[id] = nil
		}
	}
	for _, id := range m.outputs {
		m.bases[id] = nil
	}
	m.done, m.final, m.most = nil, nil, nil
	for _, h := range m.holders {
		h.release()
	}
}

// at is the address of element i of a buffer. The end of a buffer, where an empty slice may begin, is no address that may
// be formed; any other serves for it.
func (m *Machine) at(b *lower.Buffer, i int) unsafe.Pointer {
	if i >= b.Size {
		i = 0
	}
	return unsafe.Add(m.bases[b.ID], i*b.DType.Size())
}

// String lists the steps of the program.
func (m *Machine) String() string {
	return fmt.Sprintf("%varena of %d bytes\n", m.program, m.program.Arena)
}
