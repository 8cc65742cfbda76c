package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file runs single ops, by their own kernel or by the reference kernel, and the checks that end a run with an error.

// splitTask is the number of bytes of the result that are worth a task.
const splitTask = 1 << 15

// kernelJob runs a single op on whole arrays, by its kernel or its reference kernel.
type kernelJob struct {
	m      *Machine
	work   *lower.Kernel
	fast   ir.Kernel     // nil if only the reference kernel exists
	split  ir.Splittable // nil if the kernel does its work in one piece
	worker ir.Worker     // nil if the kernel needs no memory
	rows   int
	chunk  int // rows of a task
	tasks  int
	words  int // of memory for a task
	in     []ir.Array
	out    ir.Array
}

func (m *Machine) newKernel(w *lower.Kernel) job {
	j := &kernelJob{m: m, work: w, in: make([]ir.Array, len(w.In)), out: ir.Array{Type: w.Type}}
	j.fast, _ = w.Op.(ir.Kernel)
	if j.split, _ = w.Op.(ir.Splittable); j.split != nil {
		j.cut(j.split.Rows(w.Type, w.Types))
	}
	if j.worker, _ = w.Op.(ir.Worker); j.worker != nil {
		j.cut(j.worker.Rows(w.Type, w.Types))
		j.words = j.worker.Work(w.Type, w.Types)
	}
	for i, t := range w.Types {
		j.in[i].Type = t
	}
	return j
}

// cut makes tasks of rows.
func (j *kernelJob) cut(rows int) {
	j.rows = rows
	j.chunk = max(1, splitTask*rows/max(1, j.work.Type.Bytes()))
	j.tasks = ceil(rows, j.chunk)
}

// needs assigns memory to each task if there are few tasks, otherwise to each worker.
func (j *kernelJob) needs() (shared, worker, slots int) {
	if j.tasks < len(j.m.workers) {
		return 8 * j.tasks * j.words, 0, 0
	}
	return 0, 8 * j.words, 0
}

func (j *kernelJob) run() error {
	for i, r := range j.work.In {
		j.in[i].Data = j.m.at(r.Buffer, r.View.Offset)
	}
	j.out.Data = j.m.at(j.work.Out, 0)
	switch {
	case j.split != nil || j.worker != nil:
		j.m.fork(j.tasks, j)
	case j.fast != nil:
		j.fast.Run(j.out, j.in)
	default:
		clear(j.out.Raw())
		j.work.Op.Eval(j.out, j.in)
	}
	return nil
}

// Do computes the rows of one task.
func (j *kernelJob) Do(worker, task int) {
	first, end := task*j.chunk, min(j.rows, (task+1)*j.chunk)
	if j.worker == nil {
		j.split.RunRows(j.out, j.in, first, end)
		return
	}
	work := j.m.workers[worker].scratch
	if j.tasks < len(j.m.workers) {
		work = unsafe.Add(j.m.shared, 8*task*j.words)
	}
	j.worker.RunRows(j.out, j.in, first, end, unsafe.Slice((*float64)(work), j.words))
}

func (j *kernelJob) release() {
	for i := range j.in {
		j.in[i].Data = nil
	}
	j.out.Data = nil
}

// checkJob looks at an operand's contents.
type checkJob struct {
	m    *Machine
	work *lower.Check
	node *ir.Node
}

func (m *Machine) newCheck(w *lower.Check, n *ir.Node) job { return &checkJob{m, w, n} }

func (j *checkJob) needs() (shared, worker, slots int) { return 0, 0, 0 }

func (j *checkJob) run() error {
	x := ir.Array{Type: j.work.Type, Data: j.m.at(j.work.In.Buffer, j.work.In.View.Offset)}
	if err := j.work.Op.Check(x, j.work.Types); err != nil {
		return ir.OpError(j.node, err)
	}
	return nil
}
