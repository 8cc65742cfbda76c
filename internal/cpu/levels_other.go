//go:build !amd64 && !arm64

package cpu

func levels() []Level { return []Level{Go} }
