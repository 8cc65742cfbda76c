package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file packs operands of products of bfloat16 numbers once for all steps of a loop, if they are the same in all of them, as weights are.

// keptOperand is an operand that is packed before the first step of a loop.
type keptOperand struct {
	operand cpu.Operand
	bytes   int
	packed  unsafe.Pointer
	fresh   bool // it has been packed since the loop began
}

// keep finds the operands that are the same in all steps.
func (j *productJob) keep(g *cpu.GemmBF16) {
	if len(j.aOffset) != 1 {
		return
	}
	for o, ref := range [...]lower.Ref{cpu.OperandA: j.work.A, cpu.OperandB: j.work.B} {
		if !j.m.same(ref.Buffer) {
			continue
		}
		if n := g.Keep(cpu.Operand(o)); n > 0 {
			j.kept = append(j.kept, keptOperand{operand: cpu.Operand(o), bytes: n})
		}
	}
}

// same reports whether a buffer has the same contents in all steps of the loop whose body the machine runs.
func (m *Machine) same(b *lower.Buffer) bool {
	return m.firstSame > 0 && b.Storage == lower.Input && b.Index >= m.firstSame
}

// pack packs the kept operands that have not been packed since the loop began.
func (j *productJob) pack() {
	for i := range j.kept {
		if k := &j.kept[i]; !k.fresh {
			j.packing, k.fresh = k, true
			j.m.fork(j.bf16.PackTasks(k.operand), j)
		}
	}
	j.packing = nil
}

// keepers calls see with the jobs that keep operands, also those of bodies.
func (m *Machine) keepers(see func(j *productJob)) {
	for _, j := range m.jobs {
		switch j := j.(type) {
		case *productJob:
			if len(j.kept) > 0 {
				see(j)
			}
		case *nestJob:
			for _, body := range j.bodies {
				body.keepers(see)
			}
		}
	}
}

// keptBytes is the number of bytes that kept operands take.
func (m *Machine) keptBytes() (n int) {
	m.keepers(func(j *productJob) {
		for _, k := range j.kept {
			n += k.bytes
		}
	})
	return n
}

// addKept allocates them.
func (m *Machine) addKept() {
	m.keepers(func(j *productJob) {
		for i := range j.kept {
			j.kept[i].packed = m.memory(j.kept[i].bytes)
		}
	})
}

// begin makes the bodies of a loop pack what they keep anew.
func (j *nestJob) begin() {
	for _, body := range j.bodies {
		for _, job := range body.jobs {
			if p, ok := job.(*productJob); ok {
				for i := range p.kept {
					p.kept[i].fresh = false
				}
			}
		}
	}
}
