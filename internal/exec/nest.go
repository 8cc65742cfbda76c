package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file runs loops and branches. Each body is its own machine on the same pool; before a step its inputs and outputs are
// pointed at where they lie for this step: a slice is read and a stack is filled in place, and a carry goes back and forth between two
// pieces of memory, or lives in the stack that keeps it.

// nestJob runs the bodies of a loop or a branch.
type nestJob struct {
	m       *Machine
	work    *lower.Nest
	control *ir.Control
	bodies  []*Machine
	index   *int64              // the number of the step
	in      []unsafe.Pointer    // the operands
	out     []unsafe.Pointer    // the results; nil if nothing needs them
	spare   [][2]unsafe.Pointer // by carry
	now     []unsafe.Pointer    // by carry: its contents before the step
	next    []unsafe.Pointer    // and after it
	stack   []int               // by result: bytes of one step
	start   []int               // by result: bytes in front of the first step
	slice   []int               // by slice: likewise
	targets [][]int             // by body and output: the buffer
	home    [][]unsafe.Pointer  // by body and output: memory of the body's own, for what is placed nowhere else
}

func (m *Machine) newNest(w *lower.Nest) job {
	c := w.Control
	j := &nestJob{
		m: m, work: w, control: c, index: new(int64),
		in: make([]unsafe.Pointer, len(w.In)), out: make([]unsafe.Pointer, len(w.Out)),
		now: make([]unsafe.Pointer, c.Carries), next: make([]unsafe.Pointer, c.Carries),
	}
	for _, p := range w.Parts {
		same := 0
		if c.Kind != ir.Branch {
			same = 1 + c.Carries + c.Slices
		}
		body := bind(p, nil, m.pool, same)
		j.bodies = append(j.bodies, body)
		var ids []int
		var home []unsafe.Pointer
		for _, b := range p.Outputs {
			ids, home = append(ids, b.ID), append(home, m.memory(b.Bytes()))
		}
		j.targets, j.home = append(j.targets, ids), append(j.home, home)
		j.placeAtHome(len(j.bodies) - 1)
	}
	for i, t := range w.Types {
		j.stack, j.start = append(j.stack, t.Bytes()), append(j.start, 0)
		if i < c.Carries {
			j.spare = append(j.spare, [2]unsafe.Pointer{m.memory(t.Bytes()), m.memory(t.Bytes())})
		}
	}
	for i, s := range w.Shared {
		if w.Both[i] && !c.Reverse {
			j.start[s] = j.stack[s]
		}
	}
	for i := range c.Slices {
		v := w.In[c.Carries+i].View
		n := 0
		if v.Shape[0] > 0 {
			n = ir.Size(v.Shape) / v.Shape[0]
		}
		j.slice = append(j.slice, n*w.In[c.Carries+i].Buffer.DType.Size())
	}
	return j
}

// needs returns the most that any of the bodies needs, as one runs at a time.
func (j *nestJob) needs() (shared, worker, slots int) {
	for _, m := range j.bodies {
		s, w, n := m.needs()
		shared, worker, slots = max(shared, s), max(worker, w), max(slots, n)
	}
	return shared, worker, slots
}

func (j *nestJob) release() {
	clear(j.in)
	clear(j.out)
	clear(j.now)
	clear(j.next)
	for i, m := range j.bodies {
		m.release()
		j.placeAtHome(i)
	}
}

// placeAtHome points the outputs of a body at memory of its own.
func (j *nestJob) placeAtHome(body int) {
	for i, id := range j.targets[body] {
		j.bodies[body].bases[id] = j.home[body][i]
	}
}

func (j *nestJob) run() error {
	for i, r := range j.work.In {
		j.in[i] = j.m.at(r.Buffer, r.View.Offset)
	}
	for i, b := range j.work.Out {
		if b != nil {
			j.out[i] = j.m.at(b, 0)
		}
	}
	j.begin()
	switch j.control.Kind {
	case ir.Branch:
		return j.branch()
	case ir.While:
		return j.while()
	}
	return j.scan()
}

// step runs a body once.
func (j *nestJob) step(body int) error {
	m := j.bodies[body]
	m.tracer, m.done = j.m.tracer, j.m.done
	if err := m.canceled(); err != nil {
		return err
	}
	for _, job := range m.jobs {
		if err := job.run(); err != nil {
			return err
		}
		if err := m.canceled(); err != nil {
			return err
		}
	}
	return nil
}

// read makes p input i of the bodies.
func (j *nestJob) read(i int, p unsafe.Pointer) {
	for _, m := range j.bodies {
		if i < len(m.inputs) && m.inputs[i] >= 0 {
			m.bases[m.inputs[i]] = p
		}
	}
}

// write makes p the place of result i of a body, unless the body does not give it.
func (j *nestJob) write(body, i int, p unsafe.Pointer) {
	if at := j.work.Targets[i]; at >= 0 && p != nil {
		j.bodies[body].bases[j.targets[body][at]] = p
	}
}

func (j *nestJob) branch() error {
	body := 0
	if !*(*bool)(j.in[0]) {
		body = 1
	}
	for i, p := range j.in {
		j.read(i, p)
	}
	for i, p := range j.out {
		j.write(body, i, p)
	}
	return j.step(body)
}

func (j *nestJob) scan() error {
	c, steps := j.control, j.control.Steps
	j.read(0, unsafe.Pointer(j.index))
	for i, p := range j.in[c.Carries+c.Slices:] {
		j.read(1+c.Carries+c.Slices+i, p)
	}
	copy(j.now, j.in[:c.Carries])
	for i, s := range j.work.Shared {
		if j.work.Both[i] {
			first := j.out[s]
			if c.Reverse {
				first = unsafe.Add(first, steps*j.stack[s])
			}
			move(first, j.now[i], j.stack[s])
			j.now[i] = first
		}
	}
	for k := range steps {
		at, after := k, k+1
		if c.Reverse {
			at, after = steps-1-k, steps-2-k
		}
		*j.index = int64(at)
		for i := range c.Carries {
			j.place(i, k, at, after)
			j.read(1+i, j.now[i])
			j.write(0, i, j.next[i])
		}
		for i, n := range j.slice {
			j.read(1+c.Carries+i, unsafe.Add(j.in[c.Carries+i], at*n))
		}
		for i := c.Carries; i < len(j.out); i++ {
			if j.out[i] != nil {
				j.write(0, i, unsafe.Add(j.out[i], j.start[i]+at*j.stack[i]))
			}
		}
		if err := j.step(0); err != nil {
			return err
		}
		copy(j.now, j.next)
	}
	for i := range c.Carries {
		j.store(i)
	}
	return nil
}

// place decides where the carry goes that is the result of step k, which is at the given place of the stacks, the next one at after.
func (j *nestJob) place(i, k, at, after int) {
	n := j.stack[i]
	if s := j.work.Shared[i]; s >= 0 {
		j.next[i] = unsafe.Add(j.out[s], j.start[s]+at*n)
		return
	}
	s := j.work.Before[i]
	if s >= 0 && k == 0 {
		first := unsafe.Add(j.out[s], at*n)
		move(first, j.now[i], n)
		j.now[i] = first
	}
	switch {
	case k == j.control.Steps-1 && j.out[i] != nil:
		j.next[i] = j.out[i]
	case s >= 0 && k < j.control.Steps-1:
		j.next[i] = unsafe.Add(j.out[s], after*n)
	default:
		j.next[i] = j.spare[i][k&1]
	}
}

// store copies the last contents of a carry to where they are wanted, if they are missing.
func (j *nestJob) store(i int) {
	if j.out[i] != nil && j.out[i] != j.now[i] {
		move(j.out[i], j.now[i], j.stack[i])
	}
}

func (j *nestJob) while() error {
	c := j.control
	j.read(0, unsafe.Pointer(j.index))
	for i, p := range j.in[c.Carries:] {
		j.read(1+c.Carries+i, p)
	}
	copy(j.now, j.in[:c.Carries])
	more := j.targets[0][0]
	for k := 0; ; k++ {
		*j.index = int64(k)
		for i := range c.Carries {
			j.next[i] = j.spare[i][k&1]
			j.read(1+i, j.now[i])
			j.write(1, i, j.next[i])
		}
		if err := j.step(0); err != nil {
			return err
		}
		if !*(*bool)(j.bodies[0].bases[more]) {
			break
		}
		if err := j.step(1); err != nil {
			return err
		}
		copy(j.now, j.next)
	}
	for i := range c.Carries {
		j.store(i)
	}
	return nil
}

func move(to, from unsafe.Pointer, n int) {
	copy(unsafe.Slice((*byte)(to), n), unsafe.Slice((*byte)(from), n))
}
