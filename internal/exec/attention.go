package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file runs attentions and their gradients.

// attentionJob computes an attention, or its gradient, in the tasks of its plan.
type attentionJob struct {
	m        *Machine
	work     *lower.Attention
	forward  *cpu.Attention     // nil for a gradient
	backward *cpu.AttentionGrad // nil for none
	arrays   cpu.AttentionArrays
	offsets  [3]int // in elements: of the logarithms of the sums, or of the gradients with respect to keys and values
	phase    int
}

func (m *Machine) newAttention(w *lower.Attention) job {
	batch, heads, groups, queries, keys, size, valueSize := w.Sizes()
	rows := func(n, heads, size int) cpu.HeadLayout {
		return cpu.HeadLayout{Batch: n * heads * size, Head: size, Row: heads * size}
	}
	spec := cpu.AttentionSpec{
		Batch: batch, Heads: heads, KVHeads: groups, Queries: queries, Keys: keys, Size: size, ValueSize: valueSize,
		Scale: w.Form.Scale, Causal: w.Form.Causal, Dropout: w.Form.Dropout, Float64: w.Out.DType == ir.F64, BF16: w.Form.Precision == ir.PrecisionBF16,
		Q: headLayout(w.In[0]), K: headLayout(w.In[1]), V: headLayout(w.In[2]), Out: rows(queries, heads, valueSize),
	}
	if w.Form.Masked {
		mask := w.In[3]
		spec.Mask = cpu.AdditiveMask
		if mask.Buffer.DType == ir.Bool {
			spec.Mask = cpu.BoolMask
		}
		copy(spec.MaskStrides[:], mask.View.Strides)
	}
	j := &attentionJob{m: m, work: w}
	j.offsets[0] = batch * queries * heads * valueSize
	if !w.Form.Gradient {
		j.forward = cpu.NewAttention(spec)
		return j
	}
	spec.DOut = headLayout(w.In[len(w.In)-1])
	if w.Form.Joined {
		spec.DQ = rows(queries, heads+2*groups, size)
		spec.DK, spec.DV = spec.DQ, spec.DQ
		j.offsets[1] = heads * size
		j.offsets[2] = j.offsets[1] + groups*size
	} else {
		spec.DQ, spec.DK, spec.DV = rows(queries, heads, size), rows(keys, groups, size), rows(keys, groups, valueSize)
		j.offsets[1] = batch * queries * heads * size
		j.offsets[2] = j.offsets[1] + batch*keys*groups*size
	}
	j.backward = cpu.NewAttentionGrad(spec)
	return j
}

// headLayout is the layout of an operand [batch heads rows size].
func headLayout(r lower.Ref) cpu.HeadLayout {
	s := r.View.Strides
	return cpu.HeadLayout{Batch: s[0], Head: s[1], Row: s[2]}
}

func (j *attentionJob) needs() (shared, worker, slots int) {
	if j.forward != nil {
		return j.forward.SharedScratch(), j.forward.WorkerScratch(), 0
	}
	return j.backward.SharedScratch(), j.backward.WorkerScratch(), 0
}

func (j *attentionJob) run() error {
	in := func(i int) unsafe.Pointer { return j.m.at(j.work.In[i].Buffer, j.work.In[i].View.Offset) }
	x := &j.arrays
	x.Q, x.K, x.V = in(0), in(1), in(2)
	if j.work.Form.Masked {
		x.Mask = in(3)
	}
	if f := j.work.Form; f.Dropout > 0 {
		x.Drop = rng.Step(f.Seed, f.Number, *(*uint64)(in(f.StepAt())))
	}
	if j.forward != nil {
		x.Out, x.LogSums = j.m.at(j.work.Out, 0), j.m.at(j.work.Out, j.offsets[0])
		for j.phase = 0; j.phase < j.forward.Phases(); j.phase++ {
			j.m.fork(j.forward.Tasks(j.phase), j)
		}
		j.mend()
		return nil
	}
	last := len(j.work.In) - 1
	result := j.work.In[last-1]
	x.Out, x.LogSums = in(last-1), j.m.at(result.Buffer, result.View.Offset+j.offsets[0])
	x.DOut = in(last)
	x.DQ, x.DK, x.DV = j.m.at(j.work.Out, 0), j.m.at(j.work.Out, j.offsets[1]), j.m.at(j.work.Out, j.offsets[2])
	for j.phase = 0; j.phase < j.backward.Phases(); j.phase++ {
		j.m.fork(j.backward.Tasks(j.phase), j)
	}
	j.mend()
	return nil
}

// mend computes a result that is NaN once more, by the definition, in which keys that do not count and queries without a gradient have no part: NaN
// among them does not spread. It is slow.
func (j *attentionJob) mend() {
	if !j.arrays.NaN.Load() {
		return
	}
	in := make([]ir.Array, len(j.work.In))
	for i, r := range j.work.In {
		in[i] = j.m.copied(r)
	}
	out := ir.Array{Type: ir.Type{DType: j.work.Out.DType, Shape: []int{j.work.Out.Size}}, Data: j.m.at(j.work.Out, 0)}
	j.work.Form.Eval(out, in)
}

// copied is a copy of what a reference shows.
func (m *Machine) copied(r lower.Ref) ir.Array {
	a := ir.NewArray(ir.Type{DType: r.Buffer.DType, Shape: r.View.Shape})
	size := r.Buffer.DType.Size()
	for i := range a.Size() {
		at := r.View.Offset
		for axis, k := range ir.Unravel(i, r.View.Shape) {
			at += k * r.View.Strides[axis]
		}
		copy(a.Raw()[i*size:(i+1)*size], unsafe.Slice((*byte)(m.at(r.Buffer, at)), size))
	}
	return a
}

func (j *attentionJob) release() {
	x := &j.arrays
	x.Q, x.K, x.V, x.Mask, x.Out, x.LogSums, x.DOut, x.DQ, x.DK, x.DV = nil, nil, nil, nil, nil, nil, nil, nil, nil, nil
	x.NaN.Store(false)
}

// Do runs one task.
func (j *attentionJob) Do(worker, task int) {
	scratch := j.m.workers[worker].scratch
	if j.forward != nil {
		j.forward.Run(j.phase, task, &j.arrays, j.m.shared, scratch)
		return
	}
	j.backward.Run(j.phase, task, &j.arrays, j.m.shared, scratch)
}
