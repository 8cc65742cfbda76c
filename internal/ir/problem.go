package ir

import "fmt"

// This file holds Problem, the error of a shape rule.

// Problem is what a shape rule finds wrong with its operands. Hint says what to do; it is empty unless the cure is certain.
type Problem struct{ What, Hint string }

// NewProblem returns a problem without a hint.
func NewProblem(format string, args ...any) *Problem {
	return &Problem{What: fmt.Sprintf(format, args...)}
}

// WithHint sets the hint and returns p.
func (p *Problem) WithHint(format string, args ...any) *Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

// Error returns what is wrong, without the hint.
func (p *Problem) Error() string { return p.What }
