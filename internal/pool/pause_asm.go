//go:build amd64 || arm64

package pool

// pause waits for some ten nanoseconds without giving up the CPU.
//
//go:noescape
func pause()
