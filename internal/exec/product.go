package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file runs batches of matrix products.

// productJob computes a batch of matrix products. A single product is cut into tasks by its plan. Of many products each
// is a task, or several, where that needs no order among them.
type productJob struct {
	m       *Machine
	work    *lower.Product
	gemm    productPlan
	bf16    *cpu.GemmBF16 // gemm, if the operands are rounded to bfloat16
	aOffset []int         // of each product's operands, in bytes
	bOffset []int
	cStride int  // bytes from one product's result to the next
	whole   bool // a task is a whole product
	phase   int  // the phase that runs, where a task is not
	kept    []keptOperand
	packing *keptOperand // what the tasks pack, if they do
}

// productPlan is a *cpu.Gemm or a *cpu.GemmBF16.
type productPlan interface {
	Phases() int
	Tasks(phase int) int
	SharedScratch() int
	WorkerScratch() int
	Run(phase, task int, a, b, c, shared, worker unsafe.Pointer)
}

func (m *Machine) newProduct(w *lower.Product) job {
	rank := len(w.A.View.Shape)
	size := w.C.DType.Size()
	batch := w.A.View.Shape[:rank-2]
	j := &productJob{m: m, work: w, cStride: w.M * w.N * size}
	j.aOffset = offsets(batch, w.A.View.Strides[:rank-2], w.A.View.Offset, size)
	j.bOffset = offsets(batch, w.B.View.Strides[:rank-2], w.B.View.Offset, size)
	if w.M == 0 || w.N == 0 {
		j.aOffset = nil
	}
	if len(j.aOffset) == 0 {
		return j
	}
	spec := cpu.GemmSpec{
		M: w.M, N: w.N, K: w.K, LDC: w.N, Float64: w.C.DType == ir.F64,
		A: cpu.Layout{RowStride: w.A.View.Strides[rank-2], ColStride: w.A.View.Strides[rank-1]},
		B: cpu.Layout{RowStride: w.B.View.Strides[rank-2], ColStride: w.B.View.Strides[rank-1]},
	}
	if w.Precision == ir.PrecisionBF16 {
		j.bf16 = cpu.NewGemmBF16(spec)
		j.keep(j.bf16)
		j.gemm = j.bf16
	} else {
		j.gemm = cpu.NewGemm(spec)
	}
	j.whole = len(j.aOffset) > 1 && (j.gemm.Phases() > 1 || len(j.aOffset) >= 16)
	return j
}

// offsets lists where each index of a shape lies, in bytes.
func offsets(shape, strides []int, start, size int) []int {
	all := []int{start * size}
	for a, d := range shape {
		next := make([]int, 0, len(all)*d)
		for _, o := range all {
			for i := range d {
				next = append(next, o+i*strides[a]*size)
			}
		}
		all = next
	}
	return all
}

func (j *productJob) needs() (shared, worker, slots int) {
	switch {
	case j.gemm == nil:
		return 0, 0, 0
	case j.whole:
		return 0, j.gemm.SharedScratch() + j.gemm.WorkerScratch(), 0
	}
	return j.gemm.SharedScratch(), j.gemm.WorkerScratch(), 0
}

func (j *productJob) run() error {
	switch {
	case j.gemm == nil:
	case j.whole:
		j.m.fork(len(j.aOffset), j)
	default:
		j.pack()
		for j.phase = 0; j.phase < j.gemm.Phases(); j.phase++ {
			j.m.fork(len(j.aOffset)*j.gemm.Tasks(j.phase), j)
		}
	}
	return nil
}

// Do runs one task.
func (j *productJob) Do(worker, task int) {
	scratch := j.m.workers[worker].scratch
	if k := j.packing; k != nil {
		j.bf16.Pack(k.operand, task, j.operand(k.operand), k.packed, scratch)
		return
	}
	if j.whole {
		shared := unsafe.Add(scratch, j.gemm.WorkerScratch())
		for phase := range j.gemm.Phases() {
			for t := range j.gemm.Tasks(phase) {
				j.product(task, phase, t, shared, scratch)
			}
		}
		return
	}
	if len(j.aOffset) == 1 {
		j.product(0, j.phase, task, j.m.shared, scratch)
		return
	}
	tasks := j.gemm.Tasks(j.phase)
	j.product(task/tasks, j.phase, task%tasks, j.m.shared, scratch)
}

func (j *productJob) product(b, phase, task int, shared, scratch unsafe.Pointer) {
	bases := j.m.bases
	x, y := unsafe.Add(bases[j.work.A.Buffer.ID], j.aOffset[b]), unsafe.Add(bases[j.work.B.Buffer.ID], j.bOffset[b])
	for i := range j.kept {
		if j.kept[i].operand == cpu.OperandA {
			x = j.kept[i].packed
		} else {
			y = j.kept[i].packed
		}
	}
	j.gemm.Run(phase, task, x, y, unsafe.Add(bases[j.work.C.ID], b*j.cStride), shared, scratch)
}

// operand is where an operand of a single product lies.
func (j *productJob) operand(o cpu.Operand) unsafe.Pointer {
	if o == cpu.OperandA {
		return unsafe.Add(j.m.bases[j.work.A.Buffer.ID], j.aOffset[0])
	}
	return unsafe.Add(j.m.bases[j.work.B.Buffer.ID], j.bOffset[0])
}
