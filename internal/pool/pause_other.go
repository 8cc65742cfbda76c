//go:build !amd64 && !arm64

package pool

// pause would wait for some ten nanoseconds; without an instruction for it, the caller's loop is the wait.
func pause() {}
