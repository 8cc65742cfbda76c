package cpu

import "sync/atomic"

// This file tells of kernels in plain Go at levels that have assembly, so that a test finds the workloads that fall back to them.

// tellPlain is called with the name of each kernel that is chosen, or nil.
var tellPlain atomic.Pointer[func(name string)]

// TellPlain has f called with the name of each kernel that is chosen from now on and is plain Go although the current level has assembly. Nil ends it.
func TellPlain(f func(name string)) {
	if f == nil {
		tellPlain.Store(nil)
	} else {
		tellPlain.Store(&f)
	}
}

// chosePlain tells of a kernel whose name has the parts given.
func chosePlain(kind string, of interface{ String() string }, dt DType) {
	if f := tellPlain.Load(); f != nil && Current() != Go {
		name := kind + " " + dt.String()
		if of != nil {
			name = kind + " " + of.String() + " " + dt.String()
		}
		(*f)(name)
	}
}
