package plan

// SetMostFitted bounds the temporaries that are compared with each other, and returns the function that undoes it.
func SetMostFitted(n int) (undo func()) {
	before := mostFitted
	mostFitted = n
	return func() { mostFitted = before }
}
