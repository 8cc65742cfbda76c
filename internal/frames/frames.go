// Package frames reads the stack through its frame pointers. That takes far less time than runtime.Callers, but tells only where functions return to
// that have frames, and leaves out those that the compiler has made part of others. So a Stack serves as a key for what Callers has said about it.
package frames

// Depth is the number of frames of a Stack.
const Depth = 32

// Stack holds where the innermost functions return to, innermost first, and then zeros if there are fewer.
type Stack [Depth]uintptr

// Read sets s to the stack of the caller. It returns false where frames cannot be read: on other processors and systems, or if a function from
// outside of Go has left something else in the place of a frame's address.
//
//go:noinline
func Read(s *Stack) bool {
	*s = Stack{}
	return read(&s[0], Depth)
}
