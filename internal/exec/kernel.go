package exec

import (
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// splitTask is the number of bytes of the result that are worth a task.
const splitTask = 1 << 15

// kernelJob runs a single op on whole arrays, by its kernel or its reference kernel.
type kernelJob struct {
	m     *Machine
	work  *lower.Kernel
	fast  ir.Kernel     // nil where only the reference kernel exists
	split ir.Splittable // nil where the kernel does its work in one piece
	rows  int
	chunk int // rows of a task
	in    []ir.Array
	out   ir.Array
}

func (m *Machine) newKernel(w *lower.Kernel) job {
	j := &kernelJob{m: m, work: w, in: make([]ir.Array, len(w.In)), out: ir.Array{Type: w.Type}}
	j.fast, _ = w.Op.(ir.Kernel)
	if j.split, _ = w.Op.(ir.Splittable); j.split != nil {
		j.rows = j.split.Rows(w.Type, w.Types)
		j.chunk = max(1, splitTask*j.rows/max(1, w.Type.Bytes()))
	}
	for i, t := range w.Types {
		j.in[i].Type = t
	}
	return j
}

func (j *kernelJob) needs() (shared, worker, slots int) { return 0, 0, 0 }

func (j *kernelJob) run() error {
	for i, r := range j.work.In {
		j.in[i].Data = j.m.at(r.Buffer, r.View.Offset)
	}
	j.out.Data = j.m.at(j.work.Out, 0)
	if j.split != nil {
		j.m.fork(ceil(j.rows, j.chunk), j)
		return nil
	}
	if j.fast != nil {
		j.fast.Run(j.out, j.in)
		return nil
	}
	clear(j.out.Raw())
	j.work.Op.Eval(j.out, j.in)
	return nil
}

// Do computes the rows of one task.
func (j *kernelJob) Do(_, task int) {
	j.split.RunRows(j.out, j.in, task*j.chunk, min(j.rows, (task+1)*j.chunk))
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
