package lower

// SetWorthBytes lets results from that size on be computed again, and returns the function that undoes it.
func SetWorthBytes(n int) (undo func()) {
	before := worthBytes
	worthBytes = n
	return func() { worthBytes = before }
}

// SetMostSearched bounds searches for what a group depends on, and returns the function that undoes it.
func SetMostSearched(n int) (undo func()) {
	before := mostSearched
	mostSearched = n
	return func() { mostSearched = before }
}
