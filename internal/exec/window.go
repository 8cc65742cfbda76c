package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file runs convolutions and pooling.

// convJob runs a convolution in the phases and tasks of its plan.
type convJob struct {
	m     *Machine
	work  *lower.Conv
	conv  *cpu.Conv
	phase int
}

func (m *Machine) newConv(w *lower.Conv) job {
	return &convJob{m: m, work: w, conv: cpu.NewConv(convSpec(w))}
}

// three puts axes in front of the spatial ones, so that there are three.
func three(list []int, otherwise int) [3]int {
	out := [3]int{otherwise, otherwise, otherwise}
	copy(out[3-len(list):], list)
	return out
}

func convSpec(w *lower.Conv) cpu.ConvSpec {
	rank := len(w.X) - 2
	return cpu.ConvSpec{
		Kind: cpu.ConvKind(w.Kind), Batch: w.X[0], Space: three(w.X[1:rank+1], 1), Places: three(w.Y[1:rank+1], 1), Window: three(w.W[:rank], 1),
		Stride: three(w.Stride, 1), Dilation: three(w.Dilation, 1), Before: three(w.Before, 0),
		In: w.W[rank], Out: w.W[rank+1], Groups: w.Groups, Float64: w.DType == ir.F64, BF16: w.Precision == ir.PrecisionBF16,
	}
}

func (j *convJob) needs() (shared, worker, slots int) {
	return j.conv.SharedScratch(), j.conv.WorkerScratch(), 0
}

func (j *convJob) run() error {
	if j.conv.Phases() == 0 { // nothing meets
		clear(unsafe.Slice((*byte)(j.m.at(j.work.C, 0)), j.work.C.Bytes()))
	}
	for j.phase = 0; j.phase < j.conv.Phases(); j.phase++ {
		j.m.fork(j.conv.Tasks(j.phase), j)
	}
	return nil
}

// Do runs one task.
func (j *convJob) Do(worker, task int) {
	m, w := j.m, j.work
	j.conv.Run(j.phase, task, m.at(w.A, w.Offsets[0]), m.at(w.B, w.Offsets[1]), m.at(w.C, 0), m.shared, m.workers[worker].scratch)
}

// poolJob runs pooling.
type poolJob struct {
	m    *Machine
	work *lower.Pool
	pool *cpu.Pool
}

func (m *Machine) newPool(w *lower.Pool) job {
	rank := len(w.X) - 2
	return &poolJob{m: m, work: w, pool: cpu.NewPool(cpu.PoolSpec{
		Kind: cpu.PoolKind(w.Kind), Batch: w.X[0], Channels: w.X[rank+1],
		Space: three(w.X[1:rank+1], 1), Places: three(w.Y[1:rank+1], 1), Window: three(w.Window.Size, 1),
		Stride: three(w.Window.Stride, 1), Dilation: three(w.Window.Dilation, 1), Before: three(w.Window.Before, 0),
		Float64: w.DType == ir.F64,
		Same:    len(w.In) == 2 && w.In[0].Buffer == w.In[1].Buffer && w.In[0].View.Offset == w.In[1].View.Offset,
	})}
}

func (j *poolJob) needs() (shared, worker, slots int) { return 0, j.pool.WorkerScratch(), 0 }

func (j *poolJob) run() error {
	j.m.fork(j.pool.Tasks(), j)
	return nil
}

// Do runs one task.
func (j *poolJob) Do(worker, task int) {
	in := j.work.In
	a := j.m.at(in[0].Buffer, in[0].View.Offset)
	var b unsafe.Pointer
	if len(in) > 1 {
		b = j.m.at(in[1].Buffer, in[1].View.Offset)
	}
	j.pool.Run(task, a, b, j.m.at(j.work.Out, 0), j.m.workers[worker].scratch)
}
