package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

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

// convSpec puts axes of size 1 in front of the spatial ones, so that there are three.
func convSpec(w *lower.Conv) cpu.ConvSpec {
	rank := len(w.X) - 2
	three := func(list []int, otherwise int) (out [3]int) {
		for a := range out {
			out[a] = otherwise
			if i := a - 3 + rank; i >= 0 {
				out[a] = list[i]
			}
		}
		return out
	}
	return cpu.ConvSpec{
		Kind: cpu.ConvKind(w.Kind), Batch: w.X[0], Space: three(w.X[1:], 1), Places: three(w.Y[1:], 1), Window: three(w.W, 1),
		Stride: three(w.Stride, 1), Dilation: three(w.Dilation, 1), Before: three(w.Before, 0),
		In: w.W[rank], Out: w.W[rank+1], Groups: w.Groups, Float64: w.DType == ir.F64,
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
