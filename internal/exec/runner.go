package exec

import (
	"errors"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what the engines have in common.

// Runner is an engine with a program loaded into it.
type Runner interface {
	Run(c Call) error
	// Clone returns a runner of the same program on the same variables, which may run at the same time.
	Clone() (Runner, error)
	Memory() Memory
}

// Call is what one run is given.
type Call struct {
	Inputs  []ir.Array
	Outputs []ir.Array      // memory for the outputs, which shares nothing with inputs, variables and each other
	Step    int64           // the number of runs completed
	Done    <-chan struct{} // closed to cancel the run

	// For an engine with memory of its own: the storages of the inputs and outputs, whose memory on the host is that above. It stores the outputs there.
	From, To []*Storage

	// Final, if it is not nil, is called with the number of each output once the run neither writes nor reads it any more, on the goroutine of the run
	// between two steps. An engine that is no Finisher does not call it.
	Final func(output int)

	// Most, if it is not nil, makes a guarded run all or nothing together with runs elsewhere: it returns the most that any of them passes. The run calls it before it assigns
	// anything, with Safe, Unsure or Broken, and if all have not been Safe again at its end, with Safe or Broken. If one is Broken, nothing is assigned. An engine that is no Agreer
	// does not call it.
	Most func(mine int) int
}

// What a run knows of the values that it is to assign.
const (
	Safe   = iota // they are finite
	Unsure        // they are not known yet; the run can restore what was there before
	Broken        // they are not finite, or the run has failed
)

// ErrElsewhere is the error of a run whose values are finite, and those of a run elsewhere are not: see Call.Most.
var ErrElsewhere = errors.New("a run elsewhere has failed, nothing was stored")

// Agreer is a Runner that calls Call.Most.
type Agreer interface {
	// Agrees reports whether the program has a guard, without which the run calls nothing.
	Agrees() bool
}

// Finisher is a Runner that calls Call.Final for each output of a run that does not fail.
type Finisher interface {
	// Order returns the outputs in the order in which a run completes them.
	Order() []int
}

// NewArrays returns memory for arrays of the given types, which starts at a cache line for each. Small arrays share a block.
func NewArrays(types ...ir.Type) []ir.Array {
	const small = 1 << 12
	arrays := make([]ir.Array, len(types))
	block := 0
	for _, t := range types {
		if n := t.Bytes(); n <= small {
			block += roundUp(n, 64)
		}
	}
	shared := memory(block)
	for i, t := range types {
		arrays[i].Type = t
		if n := t.Bytes(); n > small {
			arrays[i].Data = memory(n)
		} else {
			arrays[i].Data = shared
			shared = unsafe.Add(shared, roundUp(n, 64))
		}
	}
	return arrays
}
