package exec

import (
	"errors"
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file ends runs early. A run that is canceled must leave all variables as they were, but updates run as soon as they can, in the
// middle of a run. So the contents of small variables, as of counters and running means, are kept before they are overwritten, and a run that
// has begun to overwrite a large one is finished.

// ErrCanceled is the error of a run that was canceled. No variable has changed.
var ErrCanceled = errors.New("canceled")

// canceled returns ErrCanceled if the run is to end.
func (m *Machine) canceled() error {
	if m.done == nil {
		return nil
	}
	return Call{Done: m.done}.canceled()
}

// canceled returns ErrCanceled if Done is closed.
func (c Call) canceled() error {
	select {
	case <-c.Done:
		return ErrCanceled
	default:
		return nil
	}
}

// mostUndone is the number of bytes of variables that a run keeps, which takes a few microseconds.
const mostUndone = 1 << 16

// undo keeps what the variables held that a run has overwritten.
type undo struct {
	kept  []kept // in the order of the jobs
	saved int    // of them, by the run in progress
	end   int    // the first job that overwrites more than is kept
}

// kept is a variable that a job overwrites.
type kept struct {
	job            int
	variable, copy unsafe.Pointer
	bytes          int
}

// newUndo lists the variables that the jobs overwrite, until there are too many bytes of them.
func (m *Machine) newUndo() undo {
	u := undo{end: len(m.jobs)}
	bytes := 0
	for i, s := range m.program.Steps {
		for _, b := range s.Writes {
			if b.Storage != lower.Variable {
				continue
			}
			if bytes += b.Bytes(); bytes > mostUndone {
				u.end = i
				return u
			}
			u.kept = append(u.kept, kept{i, m.bases[b.ID], memory(b.Bytes()), b.Bytes()})
		}
	}
	return u
}

// before keeps what a job is going to overwrite. It is false from the first job on after which nothing can be undone.
func (u *undo) before(job int) bool {
	if job >= u.end {
		u.saved = 0
		return false
	}
	for u.saved < len(u.kept) && u.kept[u.saved].job == job {
		k := &u.kept[u.saved]
		move(k.copy, k.variable, k.bytes)
		u.saved++
	}
	return true
}

// restore undoes what the run in progress has overwritten.
func (u *undo) restore() {
	for _, k := range slices.Backward(u.kept[:u.saved]) {
		move(k.variable, k.copy, k.bytes)
	}
}
