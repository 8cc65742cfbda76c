package pool

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Panic is what Run panics with when a task has panicked. It keeps the stack of the task, which is gone by then.
type Panic struct {
	Task  int
	Value any // what the task panicked with
	Stack []byte
}

// Error says which task panicked, with what and where.
func (p *Panic) Error() string {
	return fmt.Sprintf("pool: task %d panicked: %v\n\n%s", p.Task, p.Value, p.Stack)
}

// Unwrap is the panic's value if that was an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// errGoexit is the value of a task that ended its goroutine.
var errGoexit = errors.New("the task called runtime.Goexit")

// caught describes the panic of a task. It must be called while the panicking function's deferred calls run.
func caught(task int, value any) *Panic {
	if value == nil { // recover returns nil only if there is no panic
		value = errGoexit
	}
	return &Panic{Task: task, Value: value, Stack: debug.Stack()}
}
