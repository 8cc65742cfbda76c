//go:build !((linux || darwin) && (amd64 || arm64))

package frames

func read(*uintptr, int) bool { return false }
